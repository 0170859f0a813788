"""Regions of GeoJSON: polygons with holes, in parts, on any branch; wrong files refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import DataError
from retrieval.maps.polygons import read_geojson
from retrieval.maps.regions import Region
from retrieval.physics.geometry.grids import RectilinearGrid


def ring(west, south, east, north):
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(name, *rings, kind="Polygon", key="name"):
    coordinates = [list(rings)] if kind == "MultiPolygon" else list(rings)
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "properties": {key: name}, "geometry": geometry}


def write(path, *features, **more):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features), **more}))
    return path


def test_a_polygon_with_a_hole_holds_what_lies_between(tmp_path):
    """Points inside, in the hole, outside; the border counts."""
    path = write(tmp_path / "a.geojson", feature("ring", ring(0, 0, 10, 10), ring(4, 4, 6, 6)))
    (region,) = read_geojson(path)
    x, y = np.array([2.0, 5.0, 11.0, 10.0, 362.0]), np.array([2.0, 5.0, 5.0, 5.0, 2.0])
    assert region.contains(x, y).tolist() == [True, False, False, True, True]
    assert (region.name, region.box) == ("ring", (0.0, 0.0, 10.0, 10.0))


def test_features_of_one_name_are_parts_of_one_area(tmp_path):
    """Islands of a country; names stand under several keys, or as the feature's own id."""
    own = {**feature("", ring(40, 0, 41, 1)), "id": 7}
    path = write(
        tmp_path / "a.geojson",
        feature("land", ring(0, 0, 1, 1)),
        feature("land", ring(5, 0, 6, 1), kind="MultiPolygon"),
        feature("sea", ring(20, 0, 21, 1), key="NAME"),
        own,
    )
    land, sea, seven = read_geojson(path)
    assert land.contains(np.array([0.5, 5.5, 3.0]), np.array([0.5, 0.5, 0.5])).tolist() == [
        True,
        True,
        False,
    ]
    assert (sea.name, seven.name) == ("sea", "7")


@given(
    st.tuples(st.integers(-179, 170), st.integers(-80, 80)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_a_rectangle_is_a_box(tmp_path_factory, corner, size):
    """The same cells as a region between meridians and parallels."""
    box = (*map(float, corner), *(float(c + s) for c, s in zip(corner, size, strict=True)))
    path = write(tmp_path_factory.mktemp("box") / "a.json", feature("box", ring(*box)))
    (region,) = read_geojson(path)
    for start in (-180.0, 0.0):
        grid = RectilinearGrid(start + np.arange(0.0, 361.0, 1.0), np.arange(-90.0, 91.0, 1.0))
        np.testing.assert_array_equal(region.mask(grid), Region("box", box).mask(grid))


WRONG = {
    "no json": ("{", "no JSON"),
    "a list": ("[]", "something else"),
    "another type": (json.dumps({"type": "Topology"}), "type 'Topology'"),
    "no features": (json.dumps({"type": "FeatureCollection", "features": []}), "FeatureColl"),
    "a point": (
        json.dumps(feature("a") | {"geometry": {"type": "Point", "coordinates": [1, 2]}}),
        "feature 1, Point",
    ),
    "no name": (json.dumps(feature("", ring(0, 0, 1, 1))), "without any of name"),
    "metres": (json.dumps(feature("a", ring(0, 0, 4e6, 3e6))), "longitude and latitude"),
    "crossing": (
        json.dumps(feature("a", [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]])),
        "Self-intersection",
    ),
    "open ring": (json.dumps(feature("a", [[0, 0], [1, 1]])), "rings of points"),
    "another crs": (
        json.dumps(feature("a", ring(0, 0, 1, 1)) | {"crs": {"properties": {"name": "EPSG:3035"}}}),
        "EPSG:3035",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_geojson_of_areas_is_refused(tmp_path, case):
    """In one line that says what was given."""
    text, given = WRONG[case]
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(DataError, match=given) as raised:
        read_geojson(tmp_path / "a.geojson")
    assert "\n" not in str(raised.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    """Its path and the reason."""
    with pytest.raises(DataError, match="No such file"):
        read_geojson(tmp_path / "absent.geojson")
