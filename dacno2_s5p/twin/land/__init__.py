"""The twin world's ground: terrain, towns, roads, land cover."""
