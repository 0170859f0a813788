"""The twin world: a synthetic Western Europe whose NO2 is known, in the real files' layouts."""
