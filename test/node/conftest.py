"""Every run of the tests has a graph of its own."""

import importlib.util
import os

# Before rclpy is initialised anywhere, and inherited by child processes.
os.environ["ROS_DOMAIN_ID"] = str(1 + os.getpid() % 101)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"

WITHOUT_ROS = importlib.util.find_spec("rclpy") is None
collect_ignore = ["graph"] if WITHOUT_ROS else []


def pytest_report_header() -> str | None:
    return "test/node/graph is left out: ROS 2 is not installed" if WITHOUT_ROS else None
