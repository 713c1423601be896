"""What CUDA does in ways of its own: captured graphs, pinned transfers, and labels in one kernel."""
