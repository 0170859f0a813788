"""What coarse models see of the twin world: CAMS-like and TM5-like fields."""
