"""A day's profiles: from inputs through the network to a profile file."""
