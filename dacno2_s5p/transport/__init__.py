"""Emissions carried by the wind: a first guess of the day's NO2, from inputs alone."""
