"""`ovseg compare`: methods side by side on the same frames."""
