"""A grid of one's own from a TOML: a box in degrees and a spacing, or every number (`--grid`).

The keys are in docs/formats.md 10.3.
"""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.inputs.grid import ModelGrid
from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid, box_in_plane

if TYPE_CHECKING:
    from collections.abc import Mapping

PATCH = 256
"""Cells along a patch, where the grid has so many."""
MULTIPLE = 16
"""Cells along a grid of a box, and along a patch, are multiples of this."""
_TEXT, _WHOLE = ("name", "crs"), ("n_y", "n_x", "patch_size", "patches_y", "patches_x")
_NEEDED = ("name", "crs", "x_origin", "y_origin", "spacing", "n_y", "n_x")


def grid_of_file(path: Path) -> ModelGrid:
    """Read a grid from a TOML.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no TOML, or says no grid; the message names the key and what may stand there.
    """
    return grid_of(tomllib.loads(path.read_text(encoding="utf-8")), path.stem)


def grid_of(values: Mapping[str, Any], name: str = "own") -> ModelGrid:
    """Build a grid from the keys of a TOML.

    Parameters
    ----------
    values : mapping
        `box` [west, south, east, north in degrees] and `spacing` [m, or degrees with crs
        EPSG:4326], with `crs` and `name` where wanted; or all the attributes of `ModelGrid`.
    name : str
        Used where the keys have none.

    Raises
    ------
    ValueError
        If a key is unknown, missing, or its value may not stand there.

    Examples
    --------
    >>> grid = grid_of({"box": [6.0, 44.0, 10.0, 46.5], "spacing": 2000.0}, "po")
    >>> grid.shape, len(grid.patches()), grid.crs
    ((144, 176), 2, '+proj=laea +lat_0=45 +lon_0=8 +datum=WGS84 +units=m')
    """
    given = {"name": name, **values}
    known = (*(f.name for f in fields(ModelGrid)), "box")
    for key, value in given.items():
        _check(key, value, known)
    if "box" in given:
        return _of_box(given)
    missing = [key for key in _NEEDED if key not in given]
    if missing:
        msg = (
            f"Invalid grid. Its TOML must have box and spacing, or {', '.join(_NEEDED)}. Given no "
            f"{', '.join(missing)}. Add them."
        )
        raise ValueError(msg)
    return ModelGrid.from_dict(given)


def _check(key: str, value: Any, known: tuple[str, ...]) -> None:
    near = difflib.get_close_matches(key, known, n=1)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    rule, remedy = "", "Correct it"
    if key not in known:
        rule = f"Keys must be of {', '.join(known)}"
        value, remedy = key, f"Write {near[0]}" if near else "Remove it"
    elif key == "box":
        is_box = isinstance(value, list) and len(value) == 4
        is_box = is_box and all(isinstance(v, int | float) for v in value)
        if not is_box or not (value[0] < value[2] and -90 <= value[1] < value[3] <= 90):
            rule = "box must be [west, south, east, north] in degrees, west below east"
            remedy = "Write, for example, box = [6.0, 44.0, 10.0, 46.5]"
    elif key in _TEXT:
        rule = "" if isinstance(value, str) and value.strip() else f"{key} must be text"
        if key == "crs" and not rule and not _is_crs(value):
            rule, remedy = "crs must be known to PROJ", 'Write, for example, crs = "EPSG:3035"'
    elif key in _WHOLE:
        rule = "" if is_number and isinstance(value, int) else f"{key} must be a whole number"
    elif not is_number:
        rule = f"{key} must be a number"
    if rule:
        msg = f"Invalid grid. {rule}. Given {value!r}. {remedy}."
        raise ValueError(msg)


def _is_crs(text: str) -> bool:
    import pyproj  # a fifth of a second, needed by few

    try:
        pyproj.CRS.from_user_input(text)
    except pyproj.exceptions.CRSError:
        return False
    return True


def _of_box(given: Mapping[str, Any]) -> ModelGrid:
    """Round a box outwards to whole cells, on an equal-area plane round its middle by default."""
    extra = sorted(set(given) - {"name", "crs", "box", "spacing"})
    spacing = float(given.get("spacing", 0.0))
    if extra or spacing <= 0.0:
        rule = "Beside box go spacing, crs and name alone"
        rule = rule if extra else "spacing must be positive, beside box"
        shown = ", ".join(extra) if extra else repr(given.get("spacing", "none"))
        msg = f"Invalid grid. {rule}. Given {shown}. Correct it."
        raise ValueError(msg)
    west, south, east, north = (float(v) for v in given["box"])
    lat, lon = round(0.5 * (south + north)), round(0.5 * (west + east))
    crs = given.get("crs", f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84 +units=m")
    unit = np.array([0.0, 1.0])
    plane = RectilinearGrid(unit, unit, crs)
    box = (west, south, east, north)
    corners = box if crs == GEOGRAPHIC else box_in_plane(box, plane)
    origin = [spacing * np.floor(v / spacing + 1e-9) for v in corners[:2]]
    step = MULTIPLE * spacing
    n_x, n_y = (
        MULTIPLE * int(np.ceil((high - low) / step - 1e-9))
        for low, high in zip(origin, corners[2:], strict=True)
    )
    size = min(PATCH, n_x, n_y)
    whole = ModelGrid(
        str(given["name"]), crs, float(origin[0]), float(origin[1]), spacing, n_y, n_x, size,
        -(-n_y // size) + (n_y > size), -(-n_x // size) + (n_x > size),
    )  # fmt: skip
    return whole.with_patches(size)
