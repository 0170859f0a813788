"""The twin world's ground: terrain, towns, roads, land cover.

In reading order: `world`, `places`, `terrain`, `networks`, `geography`, `site`, `binning`.
"""
