"""Hourly NO2 of EEA stations, on cells of the 2 km grid, and which are held back."""
