"""Tasks handed to processes or to a cluster, outcomes taken in order.

In reading order: `fanout`, `isolated`, `cluster`.
"""
