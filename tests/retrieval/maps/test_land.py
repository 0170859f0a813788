"""Land and sea of the packed mask: known places, the seam, the bytes that the package stores."""

from __future__ import annotations

import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from retrieval.maps.land import FILE, ROWS_AT_ONCE, is_land


@pytest.mark.parametrize(
    ("place", "latitude", "longitude", "expected"),
    [
        ("Paris", 48.85, 2.35, True),
        ("North Sea", 56.0, 3.0, False),
        ("Mallorca", 39.6, 2.9, True),
        ("Strait of Dover", 51.0, 1.45, False),
        ("South Pole", -90.0, 0.0, True),
        ("North Pole", 90.0, 0.0, False),
        ("Chukotka, west of the seam", 67.5, 179.99, True),
        ("Chukotka, east of it", 67.5, -179.99, True),
        ("date line of the Pacific", 0.0, -180.0, False),
    ],
)
def test_places_whose_ground_is_known(place, latitude, longitude, expected):
    """What an atlas says."""
    assert is_land(latitude, longitude) == expected


def test_bits_are_the_bytes_of_the_package():
    """Whole rows at a block's end and beyond it, read as the package stores them: True is sea."""
    with (
        zipfile.ZipFile(Path(find_spec("global_land_mask").origin).with_name(FILE)) as archive,
        archive.open("mask.npy") as stream,
    ):
        np.lib.format.read_magic(stream)
        (n_y, n_x), _, kind = np.lib.format.read_array_header_1_0(stream)
        skipped = 3 * ROWS_AT_ONCE - 2
        stream.read(skipped * n_x)
        rows = np.frombuffer(stream.read(4 * n_x), kind).reshape(4, n_x)
    latitude = np.linspace(90.0, -90.0, n_y + 1)[:-1][skipped : skipped + 4]
    longitude = np.linspace(-180.0, 180.0, n_x + 1)[:-1]
    middle = 0.25 * 180.0 / n_y  # away from the edges of cells, whatever the rounding
    found = is_land(
        np.repeat(latitude[:, None] - middle, n_x, 1), np.tile(longitude[None] + middle, (4, 1))
    )
    assert 0.2 < rows.mean() < 0.8
    assert np.array_equal(found, ~rows)


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(91.0, 0.0), (0.0, 180.5), (np.nan, 0.0)], ids=["lat", "lon", "NaN"]
)
def test_points_off_the_globe_are_refused(latitude, longitude):
    """One error for each axis; NaN is nowhere."""
    with pytest.raises(ValueError, match="It must lie within"):
        is_land(latitude, longitude)
