"""How fast the engine is here, next to a plain implementation of the methods and the machine's own limits."""
