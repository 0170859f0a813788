"""The twin world's weather.

In reading order: `modes`, `near_ground`, `weather`, `upper_air`, `reanalysis`.
"""
