"""Many orbits on one grid, one pixel set, and what differs."""
