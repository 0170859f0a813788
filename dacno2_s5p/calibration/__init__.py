"""Intervals of the predicted profiles that cover what they say."""
