"""Published methods to compare with, whose rule takes more than settings of one last block.

A module each: settings, rule and attention. docs/method.md says which of their parts are here.
"""
