"""A simulated orbit as an L2 file in the operational layout."""
