"""CAMS European fields as targets of the training."""
