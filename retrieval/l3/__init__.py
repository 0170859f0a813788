"""Many orbits on one grid, one pixel set, and what differs.

In reading order: `cells`, `conditions`, `pixels`, `side_column`, `sums`, `coordinates`, `day_file`,
`days`, `add`, `means`, `file`, `differences`, `intervals`, `figure_data`, `figures`.
"""
