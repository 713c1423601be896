"""How good and how fast: bags, metrics, replay through the running node, and reports."""
