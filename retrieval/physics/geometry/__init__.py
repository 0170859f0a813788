"""Cells, pixels and what they share: plane geometry on plain arrays.

In reading order: `grids` (rectilinear cells in a plane), `overlap` (areas that polygons share with
them), `quadrilaterals` (pixels), `footprint` (the share of each cell in each pixel, as weights);
then `clipping` and `curvilinear`, for grids whose cells are quadrilaterals themselves.
"""
