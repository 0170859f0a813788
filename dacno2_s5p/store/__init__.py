"""Days prepared once: the training store, written and read."""
