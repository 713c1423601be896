"""The node: the engine as a part of the ROS graph."""
