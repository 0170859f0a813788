"""What one sensor's files do differently from another's, a module a sensor.

In reading order: `axes`, `tropomi`.
"""
