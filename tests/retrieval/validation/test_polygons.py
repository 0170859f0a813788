"""Outlines of an aircraft within pixels: weights by area, coverage, time, tables."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from retrieval.errors import RetrievalError
from retrieval.l2.columns import find_columns, read_column
from retrieval.l2.open_orbit import open_orbit
from retrieval.validation.ground_files import read_file
from retrieval.validation.pairs import make_pairs
from retrieval.validation.polygons import within_pixels

TIME = np.array(["2023-06-01T11:30"], dtype="datetime64[ms]")
WEST, SOUTH = 2.0, 48.0
CORNERS = (
    np.array([[SOUTH + 0.1 * np.array([0.0, 0.0, 1.0, 1.0])]]),
    np.array([[WEST + 0.1 * np.array([0.0, 1.0, 1.0, 0.0])]]),
)
HOUR = np.timedelta64(60, "m")


def table(folder, boxes, *, time="2023-06-01T11:00:00Z"):
    """Write and read a flight of boxes: (west, east in tenths of the pixel, column)."""
    lines = ["station,time,polygon,column_mol_m2"]
    for west, east, column in boxes:
        box = shapely.box(WEST + 0.1 * west, SOUTH, WEST + 0.1 * east, SOUTH + 0.1)
        lines.append(f'flight,{time},"{box.wkt}",{column}')
    (folder / "flight.csv").write_text("\n".join(lines) + "\n")
    (series,) = read_file(folder / "flight.csv")
    return series


def test_sub_pixels_weigh_by_the_area_they_share(tmp_path):
    """Half of the pixel, and three tenths of a box that ends outside: weights 0.5 and 0.3."""
    flight = table(tmp_path, [(0.0, 0.5, 1e-4), (0.7, 1.25, 4e-4)])
    ((where, one, n),) = within_pixels(flight, CORNERS, TIME, HOUR)
    assert (where, n) == ((0, 0), 2)
    assert one.column[0] == pytest.approx((0.5 * 1e-4 + 0.3 * 4e-4) / 0.8, rel=1e-9)
    assert (one.latitude, one.longitude) == (pytest.approx(48.05), pytest.approx(2.05))
    assert one.time[0] == TIME[0]


def test_little_coverage_and_other_times_do_not_count(tmp_path):
    """Below three quarters, or more than an hour away."""
    assert list(within_pixels(table(tmp_path, [(0.0, 0.7, 1.0)]), CORNERS, TIME, HOUR)) == []
    late = table(tmp_path, [(0.0, 1.0, 1.0)], time="2023-06-01T13:00")
    assert list(within_pixels(late, CORNERS, TIME, HOUR)) == []


def test_all_outlines_of_a_moment_stay(tmp_path):
    """A camera sees many at once; the station is in their middle."""
    flight = table(tmp_path, [(0.0, 0.5, 1e-4), (0.5, 1.0, 2e-4)])
    assert len(flight) == 2
    assert flight.longitude == pytest.approx(2.05)


@pytest.mark.parametrize("text", ["POINT (1 2)", "POLYGON ((0 0, 1 1, 0 1, 1 0, 0 0))", "box"])
def test_what_is_no_outline_is_named(tmp_path, text):
    """With its line."""
    row = f'flight,2023-06-01T11:00,"{text}",1e-4'
    (tmp_path / "f.csv").write_text(f"station,time,polygon,column_mol_m2\n{row}\n")
    with pytest.raises(RetrievalError, match="line 2"):
        read_file(tmp_path / "f.csv")


def test_each_pixel_of_a_flight_is_a_pair_of_its_own(season, tmp_path):
    """Outlines that are two good pixels of an orbit: two pairs of one station at one time."""
    path = season.outputs[0]
    with open_orbit(path) as orbit:
        crop = orbit.full
        columns = [read_column(orbit, product, crop) for product in find_columns(orbit)]
        quality, _ = orbit.read_quality(crop)
        good = np.argwhere((quality > 75) & np.isfinite(columns).all(axis=0))
        latitude, longitude = orbit.read_corners(crop)
        times = orbit.scanline_times(crop)
    i = good[len(good) // 2][0]
    row = good[good[:, 0] == i][:2]
    assert len(row) == 2
    lines = ["station,time,polygon,column_mol_m2"]
    for k, (_, j) in enumerate(row):
        outline = shapely.Polygon(np.stack([longitude[i, j], latitude[i, j]], axis=-1))
        lines.append(f'flight,{times[i]},"{outline.wkt}",{(k + 1) * 1e-4}')
    (tmp_path / "flight.csv").write_text("\n".join(lines) + "\n")
    pairs = make_pairs([path], read_file(tmp_path / "flight.csv"))
    assert len(pairs) == 2
    assert all("area" in pair.flags for pair in pairs)
    found = sorted(pair.reference_column for pair in pairs)
    # neighbours overlap a little at their edges
    np.testing.assert_allclose(found, [1e-4, 2e-4], rtol=0.05)
