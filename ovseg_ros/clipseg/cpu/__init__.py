"""What is special to the CPU: packed products, and labels in compiled code."""
