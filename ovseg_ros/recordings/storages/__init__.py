"""Readers of storage files, each for a whole file as for one that is damaged.

None of them needs what a recorder writes last (index, summary, footer): a recording that was cut off is read
up to the cut.
"""
