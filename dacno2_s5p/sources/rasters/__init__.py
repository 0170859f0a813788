"""Static maps from rasters: roads, people, light, land cover, terrain.

In reading order: `raster_file`, `ascii_grid`, `choose`, `rasters`, `maps`.
"""
