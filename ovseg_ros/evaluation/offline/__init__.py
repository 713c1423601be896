"""`ovseg evaluate`: every frame of a recording through the engine, without a graph."""
