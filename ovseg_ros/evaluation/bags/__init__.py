"""Recordings: read whole or damaged, written, and matched with their ground truth."""
