"""Frame, domain and angles fit together."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.twin.land.world import (
    BOX,
    NARROW,
    WIDE,
    WIDE_BOX,
    Points,
    block_mean,
    child_seed,
    meridian_angle,
    to_plane,
)
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid


@pytest.mark.parametrize("frame", [NARROW, WIDE])
@pytest.mark.parametrize("spacing", [2000.0, 8000.0, 16000.0])
def test_the_domain_is_a_block_of_the_frame(spacing, frame):
    """Cutting a frame by the window gives exactly the domain's cells, at all three sizes."""
    cut = frame.grid(spacing).crop(*frame.domain(spacing))
    np.testing.assert_array_equal(cut.x_edges, domain_grid(spacing).x_edges)
    np.testing.assert_array_equal(cut.y_edges, domain_grid(spacing).y_edges)


@pytest.mark.parametrize(("frame", "box"), [(NARROW, BOX), (WIDE, WIDE_BOX)])
def test_the_frame_holds_the_box_that_users_request(frame, box):
    """Every point of 10W-10E, 40-56N, or of 13W-13E, 38-58N, lies inside the frame."""
    assert frame.box == box
    west, south, east, north = box
    lon, lat = np.meshgrid(np.linspace(west, east, 21), np.linspace(south, north, 17))
    x, y = to_plane(lon, lat)
    assert (x > frame.x[0]).all() and (x < frame.x[1]).all()
    assert (y > frame.y[0]).all() and (y < frame.y[1]).all()


def test_meridian_angle_turns_north_into_the_plane():
    """A unit step to the north moves along the direction that the angle names."""
    lon, lat = np.array([-5.0, 10.0]), np.array([50.0, 50.0])
    angle = meridian_angle(lon, lat)
    x0, y0 = to_plane(lon, lat)
    x1, y1 = to_plane(lon, lat + 0.01)
    way = np.stack([x1 - x0, y1 - y0]) / np.hypot(x1 - x0, y1 - y0)
    # the meridian bends by less than 1e-3 rad over 0.1 degree
    np.testing.assert_allclose(way, [-np.sin(angle), np.cos(angle)], atol=1e-3)
    assert abs(angle[1]) < 1e-6  # 10E is the central meridian of EPSG:3035
    assert angle[0] < -0.1  # west of it, north lies to the right of the y axis


def test_block_mean_keeps_the_mean():
    """Averaging 4 x 4 blocks keeps the mean of the field and puts blocks where they are."""
    field = np.arange(64.0).reshape(8, 8)
    coarse = block_mean(field, 4)
    np.testing.assert_allclose(coarse, [[13.5, 17.5], [45.5, 49.5]], rtol=1e-12)


def test_points_of_a_geographic_grid_lie_on_it():
    """Longitudes and latitudes of the points are the grid's own centres."""
    grid = RectilinearGrid.from_centres(np.arange(0.0, 3.0), np.arange(45.0, 47.0))
    points = Points.of_grid(grid)
    np.testing.assert_allclose(points.longitude[0], grid.x)
    np.testing.assert_allclose(points.latitude[:, 0], grid.y)


def test_child_seeds_depend_on_seed_and_path_only():
    """The same path gives the same numbers, another path others."""
    a, b, c = (child_seed(1, 2, i).random(4) for i in (3, 3, 4))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)
