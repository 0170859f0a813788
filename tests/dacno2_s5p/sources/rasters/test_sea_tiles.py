"""Terrain of GLO-90, which has no tiles of the open sea: those are no damage, others are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.sources.rasters import sea_tiles
from dacno2_s5p.sources.rasters.maps import read_terrain
from retrieval.files.candidates import Choices
from tests.builders.source_files import GRID, write_tif

ELEVATION = InputTable.default()["elevation"]
NORTH_SEA = replace(GRID, crs="EPSG:4326", x_origin=3.2, y_origin=54.36, spacing=0.02)
"""64 cells of 0.02 degrees each way, over the degrees 54 and 55 N, 3 and 4 E: all sea."""


@pytest.fixture(autouse=True)
def land(monkeypatch):
    """Put a coarse mask in the place of the large one: land south of 54 N."""
    monkeypatch.setattr(sea_tiles, "is_land", lambda latitude, _: np.asarray(latitude) < 54.0)


def write_tile(folder, latitude, longitude, value):
    """Write a tile of one value with the product's cells of 3 by 4.5 seconds, 50 to 60 N."""
    row, column = 3 / 3600, 4.5 / 3600
    path = folder / f"Copernicus_DSM_COG_30_N{latitude:02d}_00_E{longitude:03d}_00_DEM.tif"
    west, north = longitude - column / 2, latitude + 1 + row / 2
    values = np.full((1200, 800), value, "f4")
    write_tif(path, values, (west, north), (column, row), "EPSG:4326")


def test_degrees_without_land_lie_at_zero_and_it_is_kept(tmp_path):
    """An island of one tile; its edge is shared by area, half a cell off the degree."""
    write_tile(tmp_path, 55, 4, 30.0)
    choices = Choices()
    height = read_terrain(tmp_path, ELEVATION, NORTH_SEA, choices=choices)[0]
    assert height[0, 0] == height[0, -1] == height[-1, 0] == 0.0
    assert height[-1, -1] == pytest.approx(30.0)
    # column 40 begins at 4.0 E; the tile reaches 2.25 seconds of its neighbour's 72
    assert height[-1, 39] == pytest.approx(30.0 * 2.25 / 72, rel=1e-2)  # averaged in blocks first
    (record,) = choices.records()
    assert "N54E003, N54E004, N55E003" in record["passed_over"][0]["label"]


def test_an_absent_tile_with_land_is_an_error(tmp_path):
    """A degree of the Netherlands is not the sea."""
    write_tile(tmp_path, 52, 4, 1.0)
    inland = replace(NORTH_SEA, x_origin=4.5, y_origin=52.1)
    with pytest.raises(DataError, match="must cover the grid"):
        read_terrain(tmp_path, ELEVATION, inland)


def test_other_products_have_tiles_at_sea(tmp_path):
    """An absent one of MERIT is an error wherever it is."""
    write_tile(tmp_path, 55, 4, 30.0)
    tile = next(tmp_path.iterdir())
    tile.rename(tmp_path / "n55e004_dem.tif")
    with pytest.raises(DataError, match="must cover the grid"):
        read_terrain(tmp_path, ELEVATION, NORTH_SEA)
