"""Readers of the users' own files: one module for each source of inputs and targets."""
