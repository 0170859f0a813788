"""Columns of an orbit with several sets in each mode: what `reretrieve` computes, columns kept.

A file of `reretrieve` for each set and mode would be 25 MB; the columns of all are 5 MB. They are
kept apart from the orbit, as side columns that `grid` takes (`retrieval.l3.side_column`), so that
further sets can be added to a day later.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from cli.story.day import MODES
from retrieval.files.atomic import atomic_output
from retrieval.files.fills import FILL_FLOAT
from retrieval.l2.names import COLUMN_UNITS
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.orbit import Orbit
from retrieval.substitution.job import Job, open_sets
from retrieval.substitution.options import Above, Options
from retrieval.substitution.substitute import substitute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.l2.pixels import Crop

INDEX = ("scanline", "ground_pixel")


def label(name: str, mode: Above) -> str:
    """Name the column of a set in a mode.

    Examples
    --------
    >>> label("cams", Above.CONSTANT_VMR)
    'CAMS_constant-vmr'
    """
    return f"{name.upper()}_{mode}"


def parts_of(text: str) -> tuple[str, str]:
    """Split a label into set and mode; the mode is empty for columns that have none.

    Examples
    --------
    >>> parts_of("CAMS_upper"), parts_of("TM5")
    (('CAMS', 'upper'), ('TM5', ''))
    """
    name, _, mode = text.partition("_")
    return name, mode


def write_columns(
    orbit: Path,
    sets: Mapping[str, Path],
    upper: Path,
    output: Path,
    *,
    merge_height: float | None = None,
    modes: Sequence[Above] = MODES,
) -> Path:
    """Re-retrieve an orbit with each set in each mode, and write the columns.

    Parameters
    ----------
    orbit : Path
        A TROPOMI L2 NO2 file.
    sets : mapping of str to Path
        The first is the primary: its grid says which part of the orbit is computed.
    upper : Path
        What mode `upper` adds.
    output : Path
        The file; variables are named by `label`.
    merge_height : float, optional
        As in `Options`: where the part above takes over.
    modes : sequence of Above
    """
    columns: dict[str, NDArray[np.float32]] = {}
    index: list[NDArray[np.integer]] = []
    with open_orbit(orbit) as opened:
        for mode in modes:
            found, crop = _columns(
                opened, sets, upper, Options(above=mode, merge_height=merge_height)
            )
            columns |= {label(name, mode): values for name, values in found.items()}
            index = _index(opened, crop)
    output.parent.mkdir(parents=True, exist_ok=True)
    _write(output, index, columns)
    return output


def _columns(
    orbit: Orbit, sets: Mapping[str, Path], upper: Path, options: Options
) -> tuple[dict[str, NDArray[np.float32]], Crop]:
    with ExitStack() as stack:
        opened = open_sets(orbit, Job(sets, options, upper=upper), stack)
        result, crop = substitute(orbit, opened.sets, options, upper=opened.upper)
    return {one.name: one.tropospheric_column for one in result.sets}, crop


def _index(orbit: Orbit, crop: Crop) -> list[NDArray[np.integer]]:
    parts = zip(INDEX, (crop.scanline, crop.ground_pixel), strict=True)
    return [np.asarray(orbit.raw(name, part)) for name, part in parts]


def _write(
    path: Path, index: Sequence[NDArray[np.integer]], columns: Mapping[str, NDArray[np.float32]]
) -> None:
    with (
        atomic_output(path, overwrite=True) as temporary,
        netCDF4.Dataset(temporary, "w", format="NETCDF4") as file,
    ):
        file.title = "tropospheric NO2 columns by a-priori set and mode above its top; synthetic"
        for name, values in zip(INDEX, index, strict=True):
            file.createDimension(name, values.size)
            file.createVariable(name, "i4", (name,))[:] = values
        for name, column in columns.items():
            variable = file.createVariable(
                name, "f4", INDEX, zlib=True, complevel=1, shuffle=True, fill_value=FILL_FLOAT
            )
            variable.units = COLUMN_UNITS
            variable[:] = np.where(np.isfinite(column), column, FILL_FLOAT)
