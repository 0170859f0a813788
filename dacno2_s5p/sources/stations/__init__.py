"""Hourly NO2 of EEA stations, on cells of the 2 km grid, and which are held back.

In reading order: `files`, `metadata`, `clocks`, `series`, `cells`, `split`.
"""
