"""Static maps from rasters: roads, people, light, land cover, terrain."""
