"""Pixels: encodings and codecs, drawing, motion, geometry, regions, video. No ROS, no torch."""
