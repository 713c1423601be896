"""Images: codec, drawing, motion, geometry, video. NumPy and OpenCV alone, without ROS and torch."""
