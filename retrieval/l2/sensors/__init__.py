"""What one sensor's files do differently from another's, a module a sensor.

In reading order: `axes`, `total_kernel`, `tropomi`, `qa4ecv`, `sentinel5`, `tempo`.
"""
