"""Dataset folders in the layouts in which they are distributed."""
