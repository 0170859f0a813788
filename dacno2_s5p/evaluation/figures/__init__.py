"""The figures of the evaluation.

In reading order: `scores`, `maps`, `series`.
"""
