"""The demo's story: one synthetic day through every step, against the known truth.

In reading order: `day`, `numbers`, `figures`, `ground`.
"""
