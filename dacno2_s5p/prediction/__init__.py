"""A day's profiles: from inputs through the network to a profile file.

In reading order: `days`, `predict`, `describe`, `profile_files`.
"""
