"""Intervals of the predicted profiles that cover what they say.

In reading order: `factors`, `residuals`, `coverage`, `file`.
"""
