"""ERA5 weather on the network's grid and hours."""
