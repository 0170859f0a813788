"""Options that commands share: one flag, one meaning, declared once.

In reading order: `shared`, `network`, `orbits`.
"""
