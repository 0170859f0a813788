"""Tasks handed to processes or to a cluster, outcomes taken in order."""
