"""The three phases of training, resumable, on one process or many."""
