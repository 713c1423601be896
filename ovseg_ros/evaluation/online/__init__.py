"""`ovseg replay` and `ovseg demo`: a recording through the running node."""
