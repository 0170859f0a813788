"""Places and how they are drawn; nothing of satellites.

In reading order: `coastlines`, `land`, `regions`, `colours`, `axes`, `layout`, `style`.
"""
