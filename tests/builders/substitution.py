"""Orbits with small sets through `substitute`: what tests of it share."""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np

from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.substitution.options import Options
from retrieval.substitution.substitute import substitute
from tests.builders.array_sets import (
    array_set,
    box_grid,
    contrast_field,
)

BOX = (0.0, 46.0, 4.0, 50.0)
"""Holds the orbit, which is at 1.2-2.8 E, 47.2-48.8 N."""
SMALL = (1.5, 47.5, 2.5, 48.5)
"""Lies inside it."""
FINE, MIDDLE = box_grid(0.02, BOX), box_grid(0.1, BOX)
GLOBAL = RectilinearGrid.from_centres(np.arange(-179.5, 180.0), np.arange(-89.5, 90.0))
FLOAT32 = 3e-7
"""Results are written as float32: half a unit in the last place is 6e-8."""


def two_sets(**keywords):
    return {
        "dacno2": array_set(contrast_field(FINE, 1), grid=FINE, **keywords),
        "cams": array_set(contrast_field(MIDDLE, 2), grid=MIDDLE),
    }


def run(path, sets=None, upper=None, **options):
    with open_orbit(path) as orbit:
        return substitute(orbit, sets or two_sets(), Options(**options), upper=upper)


def fields_of(path, *names, **keywords):
    with open_orbit(path) as orbit:
        crop = keywords.get("crop", orbit.full)
        return [orbit.read(name, crop).astype(float) for name in names]


def changed(truth, path, edit):
    """Copy the orbit and edit its variables, raw, by name."""
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        found = {}

        def walk(group):
            found.update(group.variables)
            for child in group.groups.values():
                walk(child)

        walk(file)
        edit(found)
    return path


def assert_same_bits(first, second):
    for one, two in zip(first.sets, second.sets, strict=True):
        for name, values in vars(one).items():
            if isinstance(values, np.ndarray):
                np.testing.assert_array_equal(getattr(two, name), values, err_msg=name)
    for pair, values in first.relative_change.items():
        np.testing.assert_array_equal(second.relative_change[pair], values)
