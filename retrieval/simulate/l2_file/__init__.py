"""A simulated orbit as an L2 file in the operational layout.

In reading order: `content`, `layout`, `tables`, `variables`, `metadata`, `statistics`, `write`.
"""
