"""Which part of an orbit is kept: the smallest block that holds every pixel that touches a set."""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np
import pytest

from retrieval.errors import NoOverlapError, NothingToDoError, ProductError
from retrieval.l2.crop import check_corner_order, find_crop
from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid, project
from tests.builders.array_sets import box_grid
from tests.builders.orbit_builder import build_orbit


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Build an orbit over 46.2-49.8 N, 0-4 E, tilted against meridians."""
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=70, n_ground_pixel=60)


def moved(truth, path, shift):
    """Copy the orbit with its longitudes moved."""
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        for group, name in (
            ("PRODUCT", "longitude"),
            ("PRODUCT/SUPPORT_DATA/GEOLOCATIONS", "longitude_bounds"),
        ):
            variable = file[group][name]
            variable[:] = (variable[:] + shift + 180.0) % 360.0 - 180.0
    return path


def brute_force(path, is_inside):
    """Rows and columns with any centre or corner inside, by looking at every point."""
    with open_orbit(path) as orbit:
        names = ("latitude", "longitude", "latitude_bounds", "longitude_bounds")
        lat, lon, lat_c, lon_c = (orbit.read(n, orbit.full).astype(float) for n in names)
    inside = is_inside(lat, lon) | is_inside(lat_c, lon_c).any(axis=-1)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if rows.size == 0:
        return None
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def in_box(west, south, east, north):
    def test(lat, lon):
        turn = (lon - west) % 360.0 + west
        return (lat >= south) & (lat <= north) & (turn <= west + (east - west) % 360.0)

    return test


def in_grid(grid):
    def test(lat, lon):
        x, y = project(lon, lat, grid)
        return (
            (x >= grid.x_edges[0])
            & (x <= grid.x_edges[-1])
            & (y >= grid.y_edges[0])
            & (y <= grid.y_edges[-1])
        )

    return test


def check(path, is_inside, **keywords):
    expected = brute_force(path, is_inside)
    with open_orbit(path) as orbit:
        if expected is None:
            with pytest.raises(NoOverlapError):
                find_crop(orbit, **keywords)
            return
        found = find_crop(orbit, **keywords)
    assert (found.scanline, found.ground_pixel) == expected


def test_boxes_are_those_of_brute_force(truth):
    """Eight random boxes, from far smaller than a pixel's reach to the whole orbit."""
    rng = np.random.default_rng(0)
    for _ in range(8):
        centre = rng.uniform([-1.0, 45.5], [5.0, 50.5])
        half = np.exp(rng.uniform(np.log(0.02), np.log(3.0), 2))
        box = (*(centre - half), *(centre + half))
        check(truth.path, in_box(*box), bbox=box)


@pytest.mark.parametrize("seed", range(3))
def test_grids_are_those_of_brute_force(truth, seed):
    """Random boxes of cells in degrees and in EPSG:3035."""
    rng = np.random.default_rng(seed)
    centre, half = rng.uniform([0.5, 46.5], [3.5, 49.5]), rng.uniform(0.1, 1.5, 2)
    degrees = box_grid(0.05, (*(centre - half), *(centre + half)))
    check(truth.path, in_grid(degrees), grid=degrees)
    x, y = project(np.array([centre[0]]), np.array([centre[1]]), domain_grid())
    cells = 2000.0 * np.arange(-3, rng.integers(5, 60))
    plane = RectilinearGrid(x[0] + cells, y[0] + cells, "EPSG:3035")
    check(truth.path, in_grid(plane), grid=plane)


def test_grid_and_box_cut_one_after_the_other(truth):
    """The box cuts further what the grid left."""
    grid, box = box_grid(0.1, (1.0, 47.0, 3.0, 49.0)), (1.5, 46.0, 5.0, 48.2)
    with open_orbit(truth.path) as orbit:
        both = find_crop(orbit, grid, box)
        first = find_crop(orbit, grid)
        second = find_crop(orbit, bbox=box)
        assert find_crop(orbit) == orbit.full
    assert both.scanline.stop <= min(first.scanline.stop, second.scanline.stop)
    assert both.scanline.start >= max(first.scanline.start, second.scanline.start)
    assert both.shape < first.shape


@pytest.mark.parametrize("box", [(179.0, 46.0, -179.5, 49.0), (179.8, 47.0, 180.2, 48.0)])
def test_boxes_across_the_antimeridian(truth, tmp_path, box):
    """West > east runs across 180 degrees; so does east beyond 180."""
    path = moved(truth, tmp_path / "pacific.nc", 177.5)
    check(path, in_box(*box), bbox=box)
    with open_orbit(path) as orbit:
        assert find_crop(orbit, bbox=box).shape < orbit.shape


def test_grids_across_the_antimeridian(truth, tmp_path):
    """A set on 178..182 degrees, pixels stored at +-180."""
    path = moved(truth, tmp_path / "pacific.nc", 178.0)
    grid = box_grid(0.1, (179.0, 47.0, 182.0, 49.0))
    check(path, in_box(179.0, 47.0, -178.0, 49.0), grid=grid)


def test_global_grids_keep_everything(truth):
    """No scanline is lost to a set round the globe, in either convention of longitudes."""
    for first in (-180.0, 0.0):
        grid = RectilinearGrid.from_centres(first + np.arange(0.5, 360), np.arange(-89.5, 90))
        with open_orbit(truth.path) as orbit:
            assert find_crop(orbit, grid) == orbit.full


@pytest.mark.parametrize(
    "keywords",
    [
        {"bbox": (100.0, 30.0, 110.0, 40.0)},
        {"grid": box_grid(0.1, (100.0, 30.0, 110.0, 40.0))},
        {"grid": box_grid(0.1, (0.0, 51.0, 4.0, 52.0))},
        {"bbox": (3.9, 46.21, 4.5, 46.22)},
    ],
    ids=["box far away", "grid far away", "grid just north", "corner between the pixels' rows"],
)
def test_nothing_inside_is_an_error(truth, keywords):
    """One line with the orbit's extent and what to choose."""
    with open_orbit(truth.path) as orbit, pytest.raises(NothingToDoError) as error:
        find_crop(orbit, **keywords)
    assert "No pixel of the orbit lies in" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_orbit_without_geolocation_is_an_error(truth, tmp_path):
    """All fill: told as such, without NaN in the message."""
    path = tmp_path / "fill.nc"
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        for name in ("latitude", "longitude"):
            file["PRODUCT"][name][:] = np.ma.masked_all(file["PRODUCT"][name].shape, "f4")
    with open_orbit(path) as orbit, pytest.raises(NoOverlapError, match="no valid geolocation"):
        find_crop(orbit, bbox=(0.0, 46.0, 4.0, 50.0))


# --- order of corners ------------------------------------------------------------


def pixel(lon, lat, width=0.08, length=0.05):
    """Corners of upright pixels, shape (n, 4), counter-clockwise from the south-west."""
    return (
        lat[:, None] + length / 2 * np.array([-1.0, -1, 1, 1]),
        lon[:, None] + width / 2 * np.array([-1.0, 1, 1, -1]),
    )


def test_wrong_corner_order_of_a_whole_file_is_an_error():
    """Corners in Z order in every pixel are the file's mistake, told in one line."""
    lat, lon = pixel(np.linspace(-3, 3, 20), np.linspace(-3, 3, 20))
    z = [0, 1, 3, 2]
    with pytest.raises(ProductError, match="must run round the pixel") as error:
        check_corner_order(lat[:, z], lon[:, z])
    assert "\n" not in str(error.value)


def test_a_few_crossing_pixels_are_no_error():
    """Damaged pixels in an orbit are flagged one by one."""
    lat, lon = pixel(np.linspace(-3, 3, 20), np.linspace(-3, 3, 20))
    lat[3], lon[3] = lat[3, [0, 1, 3, 2]], lon[3, [0, 1, 3, 2]]
    check_corner_order(lat, lon)


def test_corner_order_across_the_antimeridian_and_with_fills_is_fine():
    """Jumps of 360 degrees and missing corners are not taken for crossing sides."""
    lat, lon = pixel(np.linspace(179.9, 180.1, 9), np.zeros(9))
    lat[2] = np.nan
    check_corner_order(lat, (lon + 180.0) % 360.0 - 180.0)
    check_corner_order(np.full((3, 4), np.nan), np.full((3, 4), np.nan))
