"""The twin world's weather."""
