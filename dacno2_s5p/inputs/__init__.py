"""What the network takes: its grid, its variables, their samples and their scaling."""
