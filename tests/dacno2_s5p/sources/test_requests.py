"""What to download for a grid of one's own."""

from __future__ import annotations

from dacno2_s5p.inputs.own_grid import grid_of
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.requests import requests


def reach(box):
    grid = grid_of({"box": box, "spacing": 4000.0})
    asked = requests(InputTable.default(), Preparation(), grid)
    return {one.source: one.items["reach"] for one in asked if "reach" in one.items}


def test_european_sources_say_that_a_grid_lies_elsewhere():
    """Over Lagos nothing of Europe's, over the rim not all, over the Po valley no word of it."""
    lagos = reach([2.0, 4.0, 8.0, 10.0])
    assert sorted(lagos) == ["cams", "corine", "eea", "flights", "geostat"]
    assert "nothing of this grid" in lagos["cams"]
    assert "not all of this grid" in reach([43.0, 38.0, 47.0, 42.0])["eea"]
    assert reach([7.0, 44.0, 12.0, 46.0]) == {}
