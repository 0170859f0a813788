"""What the network takes: its grid and how fields come to it, its variables, samples, scaling."""
