"""What the instrument would see of a known truth."""
