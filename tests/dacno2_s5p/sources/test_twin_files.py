"""The twin world's files through the readers: what was written is what is read."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.inputs.regrid import centres_in
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.rasters.maps import (
    read_land_cover,
    read_population,
    read_roads,
    read_terrain,
)
from dacno2_s5p.sources.weather.era5 import Era5
from dacno2_s5p.twin.land.world import NARROW
from dacno2_s5p.twin.twin import Twin
from dacno2_s5p.twin.writers.era5 import write_era5_pressure, write_era5_single
from dacno2_s5p.twin.writers.rasters import (
    write_grip4,
    write_land_cover,
    write_population,
    write_terrain,
)

TABLE = InputTable.default()
GRID = ModelGrid("window", "EPSG:3035", 3_840_000.0, 2_688_000.0, 2000.0, 64, 64, 64, 1, 1)
ROWS = slice((2_688_000 - 2_096_000) // 2000, (2_688_000 - 2_096_000) // 2000 + 64)
COLUMNS = slice((3_840_000 - 3_072_000) // 2000, (3_840_000 - 3_072_000) // 2000 + 64)
"""The window's cells on the domain."""


def on_window(field: np.ndarray) -> np.ndarray:
    """Cut a field of the twin world's frame to the window."""
    rows, columns = NARROW.domain()
    return field[rows, columns][ROWS, COLUMNS]


@pytest.mark.slow
def test_geography_comes_back(tmp_path):
    """Land cover and people exactly, terrain and roads as far as their resolution goes."""
    twin = Twin()
    write_land_cover(twin, tmp_path)
    cover = read_land_cover(tmp_path, TABLE["land_cover"], GRID).argmax(axis=0)
    np.testing.assert_array_equal(cover, on_window(twin.geography.land_cover))
    write_population(twin, tmp_path / "people")
    people = read_population(tmp_path / "people", TABLE["population_density"], GRID)[0]
    # whole people are written: rounding of four cells
    np.testing.assert_allclose(people, on_window(twin.geography.population) / 4.0, atol=1.0)
    write_terrain(twin, tmp_path / "merit")
    height = read_terrain(tmp_path / "merit", TABLE["elevation"], GRID)[0]
    # means of a bilinear surface against its points: small where the terrain is
    assert np.corrcoef(height.ravel(), on_window(twin.geography.elevation).ravel())[0, 1] > 0.98
    write_grip4(twin, tmp_path / "grip4")
    roads = read_roads(tmp_path / "grip4", TABLE["road_density"], GRID)[0]
    truth = on_window(twin.geography.road_length.sum(axis=0))
    # 9 km cells: the mean over 128 km stays but for what crosses its border
    assert roads.mean() == pytest.approx(truth.mean(), rel=0.05)


@pytest.mark.slow
def test_weather_comes_back_on_the_axes_of_the_grid(tmp_path):
    """Winds of the twin world, written eastward, are read along the grid as they were."""
    from dacno2_s5p.twin.land.site import Site
    from dacno2_s5p.twin.land.world import Points, day_hours

    twin, day = Twin(), np.datetime64("2019-07-01", "D")
    write_era5_single(twin, tmp_path, day)
    write_era5_pressure(twin, tmp_path, day)
    era5 = Era5(tmp_path, TABLE, Preparation(weather_steps=8), GRID)
    single, multi = era5.single(day), era5.multi(day)
    cells = GRID.cells(8)
    site = Site.at(twin.weather.frame, Points.of_grid(cells))
    weather = twin.weather.evaluate(day_hours(day), site)
    for channel, field in ((0, weather.u10), (1, weather.v10)):
        # 0.25 degree between points: local shelter and coasts are smoothed
        apart = single[:, channel] - field[6:14]
        assert np.sqrt((apart**2).mean()) < 0.25 * field.std()
        assert abs(apart.mean()) < 0.1
    heights = multi[:, [v.name for v in TABLE.group("multi")].index("z")] / 9.80665
    lon, _ = centres_in(cells, "EPSG:4326")
    assert heights.shape[-2:] == lon.shape
    assert (np.diff(heights, axis=1) > 0).all()
