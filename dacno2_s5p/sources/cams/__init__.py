"""CAMS European fields as targets of the training.

In reading order: `fields`, `files`.
"""
