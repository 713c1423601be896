"""Every run of the tests has a graph of its own."""

import os

# Before rclpy is initialised anywhere, and inherited by child processes.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
