"""What the CPU does in ways of its own: packed products, and labels in compiled code."""
