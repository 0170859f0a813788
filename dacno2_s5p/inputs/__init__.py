"""The contract of the network: its grid, its variables, their samples and their scaling."""
