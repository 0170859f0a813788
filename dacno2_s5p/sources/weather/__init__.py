"""ERA5 weather on the network's grid and hours.

In reading order: `gridded`, `windows`, `heights`, `era5`.
"""
