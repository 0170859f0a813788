"""Grids by pyresample's area definitions, as satpy's users keep them in `areas.yaml`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.l3.cells import MOST_ALONG
from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid

if TYPE_CHECKING:
    from pyresample import AreaDefinition


def load_area(text: str) -> AreaDefinition:
    """Read an area of a YAML file by its name: `areas.yaml:benelux`.

    Raises
    ------
    ValueError
        If the text names no file and area, or pyresample is missing or cannot read it.

    References
    ----------
    pyresample's documentation, "Geometry definitions", section on area files.
    """
    file, _, name = text.rpartition(":")
    if not file or not name:
        msg = f"Invalid area. Write FILE:NAME. Given {text!r}. For example areas.yaml:benelux."
        raise ValueError(msg)
    if not Path(file).is_file():
        msg = f"Invalid area. Its file must exist. Given {file}. Check the path."
        raise ValueError(msg)
    try:
        from pyresample import area_config
    except ImportError as error:
        msg = (
            "Missing package pyresample. Areas need it. Given none installed. Run pip install "
            "'dacno2-s5p[areas]'."
        )
        raise ValueError(msg) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PROJ's advice on the user's own file
            found = area_config.load_area(file, name)
    except Exception as error:  # whatever YAML, PROJ and pyresample raise
        reason = " ".join(str(error).split()) or type(error).__name__
        msg = (
            f"Invalid area {name}. {Path(file).name} must define it as pyresample reads it. Given "
            f"one that ends in: {reason}. Correct the file or the name."
        )
        raise ValueError(msg) from error
    return found


def grid_of_area(area: Any) -> RectilinearGrid:
    """Return the cells of an area definition.

    Parameters
    ----------
    area : pyresample.AreaDefinition or str
        An area, or FILE:NAME of `load_area`. Its rows may run either way: those of the grid ascend.

    Raises
    ------
    ValueError
        If its plane is not in metres or degrees, or it has no cells.

    Examples
    --------
    >>> from pyresample import create_area_def
    >>> area = create_area_def(
    ...     "benelux", "EPSG:3035", area_extent=(3800e3, 3000e3, 4040e3, 3200e3), shape=(100, 120)
    ... )
    >>> grid_of_area(area).shape, float(grid_of_area(area).x_edges[1])
    ((100, 120), 3802000.0)
    """
    definition = load_area(area) if isinstance(area, str) else area
    crs = definition.crs
    units = {axis.unit_name for axis in crs.axis_info} or {"metre"}
    name = GEOGRAPHIC if crs.is_geographic else _name(crs)
    if units != ({"degree"} if crs.is_geographic else {"metre"}):
        msg = (
            f"Invalid area {definition.area_id}. Its plane must be in metres, or longitude and "
            f"latitude in degrees. Given {', '.join(sorted(units))}. Choose another projection."
        )
        raise ValueError(msg)
    n_y, n_x = definition.shape
    if not 0 < min(n_y, n_x) <= max(n_y, n_x) <= MOST_ALONG:
        msg = (
            f"Invalid area {definition.area_id}. A side has 1 to {MOST_ALONG:,} cells. Given "
            f"{n_y} x {n_x}. Correct its shape."
        )
        raise ValueError(msg)
    x_0, y_0, x_1, y_1 = definition.area_extent
    x_edges = np.linspace(min(x_0, x_1), max(x_0, x_1), n_x + 1)
    y_edges = np.linspace(min(y_0, y_1), max(y_0, y_1), n_y + 1)
    return RectilinearGrid(x_edges, y_edges, name)


def _name(crs: Any) -> str:
    """Return a plane as text: its code where it has one and that is the same plane."""
    code = crs.to_epsg(min_confidence=100)
    return str(crs.to_wkt()) if code is None else f"EPSG:{code}"
