"""Collocation: one set on the blocks of one orbit, in space and time, read once."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from retrieval.apriori.base import ArraySet
from retrieval.apriori.window import grid_window
from retrieval.errors import NoOverlapError
from retrieval.l2.pixels import Geometry
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid
from retrieval.physics.levels import HeightLevels
from retrieval.physics.time_rules import TimeRule
from retrieval.substitution.collocate import Collocator
from tests.builders.array_sets import HEIGHTS, URBAN, array_set, box_grid, contrast_field, hours

GRID = box_grid(0.1, (-2.0, 46.0, 4.0, 50.0))
NOON = hours(12.3)


def pixels(lon, lat, width=0.12, length=0.08, scanline=None):
    """Upright pixels."""
    lon, lat = np.atleast_1d(lon).astype(float), np.atleast_1d(lat).astype(float)
    scanline = np.zeros(lon.size, int) if scanline is None else np.asarray(scanline)
    return Geometry(
        lat,
        lon,
        lat[:, None] + length / 2 * np.array([-1.0, -1, 1, 1]),
        lon[:, None] + width / 2 * np.array([-1.0, 1, 1, -1]),
        scanline,
    )


def outline(geometry):
    return geometry.latitude_bounds, geometry.longitude_bounds


def collocated(apriori, geometry, rule=TimeRule.DAILY, times=NOON):
    collocator = Collocator("test", apriori, rule, times, outline(geometry))
    return collocator, collocator.profiles(geometry)


def test_profiles_do_not_depend_on_the_window_read():
    """A small part of the grid is read; the values are those of the whole grid."""
    field = contrast_field(GRID)
    geometry = pixels([0.03, 0.31], [48.02, 48.4])
    collocator, found = collocated(array_set(field, grid=GRID), geometry)
    assert collocator.grid.shape < GRID.shape
    far = pixels([0.03, 0.31, -1.7, 3.7], [48.02, 48.4, 46.2, 49.8])
    _, whole = collocated(array_set(field, grid=GRID), far)
    np.testing.assert_array_equal(found.value, whole.value[:2])


def test_only_the_fields_of_the_rule_are_read_and_each_once():
    """Blocks of scanlines ask for the same fields; the file is read once."""
    asked = []

    class Counting(ArraySet):
        def read(self, i_time, rows, columns):
            asked.append(i_time)
            return super().read(i_time, rows, columns)

    plain = array_set(URBAN, times=hours(*range(24)), rule=TimeRule.OVERPASS_MEAN, grid=GRID)
    counting = Counting(**vars(plain))
    geometry = pixels([0.0], [48.0])
    collocator = Collocator("test", counting, TimeRule.OVERPASS_MEAN, NOON, outline(geometry))
    for _ in range(3):
        collocator.profiles(geometry)
    assert asked == [11, 12, 13]
    assert collocator.times_used == [f"2019-06-26T{h}:00:00Z" for h in (11, 12, 13)]


def test_overpass_mean_averages_the_fields():
    """The mean of three hours, one of which has double values."""
    scale = np.ones(24)
    scale[12] = 2.0
    values = scale[:, None, None, None] * np.broadcast_to(
        URBAN[:, None, None], (24, 8, *GRID.shape)
    )
    apriori = array_set(values, times=hours(*range(24)), grid=GRID)
    _, found = collocated(apriori, pixels([0.0], [48.0]), TimeRule.OVERPASS_MEAN)
    np.testing.assert_allclose(found.value[0], URBAN * 4 / 3, rtol=1e-12)  # mean of three


def test_linear_weights_are_those_of_the_scanline():
    """Two scanlines between the same fields get their own mixtures."""
    values = np.stack([np.broadcast_to(k * URBAN[:, None, None], (8, *GRID.shape)) for k in (1, 3)])
    apriori = array_set(values, times=hours(12, 13), grid=GRID)
    geometry = pixels([0.0, 0.0], [48.0, 48.3], scanline=[0, 1])
    _, found = collocated(apriori, geometry, TimeRule.LINEAR, hours(12.25, 12.75))
    expected = np.stack([1.5 * URBAN, 2.5 * URBAN])
    np.testing.assert_allclose(found.value, expected, rtol=3e-7)  # fields kept as float32


def test_scanlines_out_of_time_have_no_value_but_a_coverage():
    """Flag 6 pixels: NaN profiles; coverage is a matter of place and stays."""
    geometry = pixels([0.0, 0.0], [48.0, 48.3], scanline=[0, 1])
    _, found = collocated(array_set(URBAN, grid=GRID), geometry, times=hours(12.0, 16.0))
    assert found.is_served.tolist() == [True, False]
    assert np.isfinite(found.value[0]).all()
    assert np.isnan(found.value[1]).all()
    np.testing.assert_allclose(found.coverage, 1.0, rtol=1e-12)


def test_negative_values_count_as_zero_and_are_counted(caplog):
    """Negatives are clipped cell by cell, counted in log and attribute, and their pixels marked."""
    field = np.broadcast_to(URBAN[:, None, None], (8, *GRID.shape)).copy()
    row, column = 20, 20  # cell 48.05 N, 0.05 E
    field[7, row, column] = -1e-9
    geometry = pixels([0.05, 0.45], [48.05, 48.45])
    with caplog.at_level(logging.WARNING):
        collocator, found = collocated(array_set(field, grid=GRID), geometry)
    assert collocator.n_negative == 1
    assert "1 negative values counted as 0" in caplog.text
    assert found.has_negatives.tolist() == [True, False]
    field[7, row, column] = 0.0
    _, clean = collocated(array_set(field, grid=GRID), geometry)
    np.testing.assert_array_equal(found.value, clean.value)
    assert not clean.has_negatives.any()


def test_negatives_in_one_of_three_hours_are_clipped_before_the_mean():
    """Clipping is of each field, not of the mean."""
    values = np.ones((24, 8, *GRID.shape))
    values[11] = -1.0
    apriori = array_set(values, times=hours(*range(24)), grid=GRID)
    _, found = collocated(apriori, pixels([0.0], [48.0]), TimeRule.OVERPASS_MEAN)
    np.testing.assert_allclose(found.value, 2.0 / 3.0, rtol=1e-12)
    assert found.has_negatives[0]


def test_uncertainty_is_averaged_as_fully_correlated():
    """The cells of a footprint are fully correlated: sigma of the mean is the mean of sigma."""
    sigma = 0.2 * contrast_field(GRID)
    apriori = array_set(contrast_field(GRID), grid=GRID, uncertainty=sigma)
    _, found = collocated(apriori, pixels([0.03], [48.02]))
    np.testing.assert_allclose(found.uncertainty, 0.2 * found.value, rtol=3e-7)  # float32 fields


def test_orography_is_averaged_over_the_footprint():
    """The model's own terrain over the pixel, for the warning of a mismatch."""
    terrain = 100.0 + 10.0 * np.arange(GRID.shape[1])[None, :] + 0.0 * GRID.y[:, None]
    apriori = array_set(URBAN, grid=GRID, surface_altitude=terrain)
    _, found = collocated(apriori, pixels([0.0], [48.05], 0.2, 0.1))
    assert found.surface_altitude[0] == pytest.approx(295.0, rel=1e-9)  # columns 19 and 20


def test_missing_cells_lower_the_coverage():
    """A quarter of the pixel over a hole: coverage 0.75, the mean of the rest."""
    field = np.broadcast_to(URBAN[:, None, None], (8, *GRID.shape)).copy()
    field[3, 20, 20] = np.nan
    _, found = collocated(array_set(field, grid=GRID), pixels([0.1], [48.1], 0.2, 0.2))
    assert found.coverage[0] == pytest.approx(0.75, abs=3e-4)  # rows differ by 0.2 % in area
    np.testing.assert_allclose(found.value[0], URBAN, rtol=1e-6)  # float32 fields


# --- no overlap -------------------------------------------------------------------------------


@pytest.mark.parametrize(("hour", "raises"), [(24.0, False), (24.01, True), (-0.01, True)])
def test_a_set_of_another_day_is_an_error(hour, raises):
    """No pixel within 12 h of any field: one line with both times."""
    apriori, geometry = array_set(URBAN, grid=GRID), pixels([0.0], [48.0])
    if not raises:
        Collocator("cams", apriori, TimeRule.DAILY, hours(hour), outline(geometry))
        return
    with pytest.raises(NoOverlapError, match="Set cams has no field within 12 h") as error:
        Collocator("cams", apriori, TimeRule.DAILY, hours(hour), outline(geometry))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("grid", [GRID, domain_grid(), box_grid(1.0, (-2.0, 46.0, 4.0, 50.0))])
def test_a_set_of_another_place_is_an_error(grid):
    """Pixels over Japan and a European set: one line that names both areas."""
    with pytest.raises(NoOverlapError, match="Choose another orbit or set") as error:
        collocated(array_set(URBAN, grid=grid), pixels([139.0], [35.0]))
    assert "\n" not in str(error.value)


def test_scanlines_without_times_do_not_decide_the_distance():
    """NaT scanlines are left out of the 12 hours."""
    nat = np.array([np.datetime64("NaT", "ms")])
    geometry = pixels([0.0], [48.0])
    times = np.concatenate([nat, NOON])
    assert Collocator("a", array_set(URBAN, grid=GRID), TimeRule.DAILY, times, outline(geometry))


def test_a_set_without_fields_is_an_error():
    """No times at all: told, before anything asks for the first one."""
    apriori = array_set(URBAN, grid=GRID)
    apriori.times = apriori.times[:0]
    with pytest.raises(NoOverlapError, match="holds no field at all"):
        collocated(apriori, pixels([0.0], [48.0]))


# --- windows ----------------------------------------------------------------------------------


def test_the_window_of_a_periodic_grid_at_its_seam_is_whole():
    """Pixels at the antimeridian need both ends of the longitudes."""
    grid = RectilinearGrid.from_centres(np.arange(-179.5, 180.0), np.arange(40.5, 60.0))
    apriori = array_set(URBAN, grid=grid)
    _, columns = grid_window("a", apriori, outline(pixels([179.99], [48.0])))
    assert columns == slice(0, 360)
    _, columns = grid_window("a", apriori, outline(pixels([0.0], [48.0])))
    assert columns.stop - columns.start < 10


def test_profiles_across_the_antimeridian_are_continuous():
    """A global field that is smooth over the antimeridian gives smooth pixels there."""
    grid = RectilinearGrid.from_centres(np.arange(-179.5, 180.0), np.arange(-10.5, 11.0))
    field = 2.0 + np.cos(np.deg2rad(grid.x))[None, :] + 0.0 * grid.y[:, None]
    apriori = array_set(np.repeat(field[None], 8, 0), grid=grid)
    lon = np.array([179.0, 179.75, -179.75, -179.0])
    _, found = collocated(apriori, pixels(lon, np.zeros(4)))
    expected = 2.0 + np.cos(np.deg2rad(lon))
    np.testing.assert_allclose(found.value[:, 0], expected, atol=1e-4)  # bilinear in 1 degree


def test_the_window_has_the_neighbours_that_interpolation_needs():
    """Bilinear pixels on the rim of the window get the values of the whole grid."""
    grid = box_grid(0.5)
    field = contrast_field(grid)
    _, alone = collocated(array_set(field, grid=grid), pixels([0.24], [48.26]))
    _, together = collocated(
        array_set(field, grid=grid), pixels([0.24, 6.0, -2.0], [48.26, 52.0, 44.0])
    )
    np.testing.assert_array_equal(alone.value[0], together.value[0])


def test_an_orbit_without_corners_reads_nothing_into_the_window():
    """All corners missing: the whole grid, so that flags can tell pixel by pixel."""
    apriori = array_set(URBAN, grid=GRID, vertical=HeightLevels(HEIGHTS))
    nan = np.full((3, 4), np.nan)
    assert grid_window("a", apriori, (nan, nan)) == (slice(0, 40), slice(0, 60))
