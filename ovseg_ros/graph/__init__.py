"""Our end of the ROS graph: a client of the node, a player of recordings, the node's process."""
