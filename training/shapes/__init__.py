"""Shapes of things, built of meshes.

A builder takes a random generator and returns parts. The thing stands on the ground at the origin, faces -y,
is in metres at its usual size, and varies a little from one seed to the next.
"""
