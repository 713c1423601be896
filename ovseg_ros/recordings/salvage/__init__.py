"""Readers for damaged bags: each goes through the file from its front and gives what can be read.

None of them needs what a recorder writes last (index, summary, footer), so a recording that was cut off is
read up to the cut.
"""
