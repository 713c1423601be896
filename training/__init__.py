"""Rendered rooms, tabletops, yards and streets with exact truth, and the small CLIP that is trained on them.

Rendering needs the extra ``[training]`` (pybullet). Training reads cached pictures and captions alone.
"""
