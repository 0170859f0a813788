"""The re-retrieved orbit: its variables, and how they are written.

In reading order: `results`, `table`, `variables`, `write`, `replace`.
"""
