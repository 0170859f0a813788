"""What the network takes: its grid and how fields come to it, its variables, samples, scaling.

In reading order: `grid`, `regrid`, `variables`, `samples`, `normalisation`.
"""
