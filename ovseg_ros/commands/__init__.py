"""The sub-commands of `ovseg`, one module each. Heavy libraries are imported when a command needs them."""
