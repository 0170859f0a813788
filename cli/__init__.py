"""The command line `dacno2-s5p`."""
