"""How fast the engine is here, beside the way of the methods' own code and the machine's own limits."""
