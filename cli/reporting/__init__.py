"""Tables and figures that the other commands wrote, as one HTML page.

In reading order: `page`, `folder`, `products`, `parts`, `tables`, `season_tables`, `demo_tables`,
`attribution`, `figures`, `provenance`, `origin`.
"""
