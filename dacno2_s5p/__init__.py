"""DACNO2-S5P: daily 2 km x 2 km 3-D NO2 fields over Western Europe."""
