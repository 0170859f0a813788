"""The data contract of orbits: shapes belong together, parts are taken from every field."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from retrieval.l2.pixels import Crop, Footprints, Geometry, Pixels, Tropopause

N, LAYER = 5, 3


def pixels():
    rng = np.random.default_rng(0)
    where = Geometry(*rng.random((2, N)), *rng.random((2, N, 4)), np.arange(N))
    numbers = {name: rng.random(N) for name in ("surface_pressure", "surface_altitude", "column")}
    amfs = {f"amf_{name}": rng.random(N) for name in ("troposphere", "total", "stratosphere")}
    return Pixels(
        geometry=where,
        **numbers,
        **amfs,
        precision_kernel=None,
        stratospheric_column=rng.random(N),
        weights=rng.random((N, LAYER)),
        is_troposphere=np.ones((N, LAYER), dtype=bool),
        has_kernel=np.ones(N, dtype=bool),
        has_tropopause=np.ones(N, dtype=bool),
        assumed_altitude=np.zeros(N, dtype=bool),
    )


def test_pixels_are_taken_from_every_field():
    """What is absent stays absent; scanlines go with their pixels."""
    whole, index = pixels(), np.array([4, 1])
    part = whole.take(index)
    for one in fields(Pixels):
        values = getattr(whole, one.name)
        if one.name == "geometry" or values is None:
            continue
        np.testing.assert_array_equal(getattr(part, one.name), values[index])
    assert part.precision_kernel is None
    np.testing.assert_array_equal(part.geometry.scanline, index)
    np.testing.assert_array_equal(
        part.geometry.latitude_bounds, whole.geometry.latitude_bounds[index]
    )


@pytest.mark.parametrize("name", [one.name for one in fields(Pixels) if one.name != "geometry"])
def test_each_shape_is_checked(name):
    """A field of other pixels is refused by its name."""
    whole = pixels()
    if getattr(whole, name) is None:
        wrong = np.zeros(N + 1)
    else:
        wrong = np.concatenate([getattr(whole, name)] * 2)
    with pytest.raises(ValueError, match=f"Invalid {name}. It must be of the shape"):
        replace(whole, **{name: wrong})


def test_corners_are_four():
    """Three corners are no pixel."""
    with pytest.raises(ValueError, match="Invalid latitude_bounds"):
        Geometry(np.zeros(2), np.zeros(2), np.zeros((2, 3)), np.zeros((2, 4)), np.arange(2))
    with pytest.raises(ValueError, match="Invalid longitude_bounds"):
        Footprints(np.zeros((2, 1)), np.zeros((2, 1)), np.zeros((2, 1, 4)), np.zeros((2, 1, 5)))


def test_footprints_give_their_pixels_row_by_row():
    """Double precision, one after another, with the scanline of each."""
    rng = np.random.default_rng(1)
    centre = rng.random((2, 4, 3)).astype(np.float32)
    corner = rng.random((2, 4, 3, 4)).astype(np.float32)
    where = Footprints(*centre, *corner)
    found = where.pixels(slice(1, 3))
    assert found.latitude.dtype == np.float64
    np.testing.assert_array_equal(found.scanline, [1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(found.longitude_bounds, corner[1, 1:3].reshape(-1, 4))
    part = where.cut(slice(1, 3), slice(0, 2))
    assert part.shape == Crop(slice(1, 3), slice(0, 2)).shape == (2, 2)
    np.testing.assert_array_equal(part.outline[0], corner[0, 1:3, :2])


def test_a_troposphere_ends_by_index_or_by_pressure():
    """One of the two, not both, not none."""
    valid, index, pressure = np.ones((1, 1), bool), np.zeros((1, 1), np.intp), np.ones((1, 1))
    Tropopause(valid, index=index)
    Tropopause(valid, pressure=pressure)
    with pytest.raises(ValueError, match="Given neither"):
        Tropopause(valid)
    with pytest.raises(ValueError, match="Given both"):
        Tropopause(valid, index, pressure)
