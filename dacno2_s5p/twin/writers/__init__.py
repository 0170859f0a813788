"""The twin world's files in their real layouts.

In reading order: `all`, `variables`, `cams_europe`, `cams_global`, `ctmana`, `eea`, `era5`,
`flights`, `inventory`, `profiles`, `rasters`.
"""
