"""What is special to CUDA: captured graphs, pinned transfers, and labels in one kernel."""
