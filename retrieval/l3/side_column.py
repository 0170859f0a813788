"""Further columns of an orbit from a side file, such as the truth of a simulated orbit.

A side file has the variable on (scanline, ground_pixel), with a leading dimension of one or not,
and the index values `scanline` and `ground_pixel` of the orbit, by which crops are aligned.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.damage import content_errors
from retrieval.files.hdf5_safety import refuse_unsafe
from retrieval.files.names import S5P_STEM_LENGTH, parse_s5p
from retrieval.files.provenance import file_checksum

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop
    from retrieval.typing import Float

DIMENSIONS = ("scanline", "ground_pixel")


@dataclass(frozen=True)
class SideColumn:
    """Where to find a further column of each orbit.

    Attributes
    ----------
    name : str
        Label of the product.
    pattern : str
        Path of the side file; `{stem}` stands for the 83 characters that name the S5P file,
        `{orbit}` for the five digits of the orbit number, `*` for anything.
    variable : str
        Name of the variable in the side file.

    Examples
    --------
    >>> SideColumn.parse("TRUTH=truth/{stem}*_truth.nc:true_tropospheric_column").variable
    'true_tropospheric_column'
    """

    name: str
    pattern: str
    variable: str

    @classmethod
    def parse(cls, text: str) -> SideColumn:
        """Read NAME=FILEPATTERN:VARIABLE.

        Raises
        ------
        ValueError
            If it is not that.
        """
        name, _, rest = text.partition("=")
        pattern, _, variable = rest.rpartition(":")
        if not (name and name.isidentifier() and pattern and variable):
            msg = (
                "Invalid further column. Write NAME=FILEPATTERN:VARIABLE. "
                f"Given {text!r}. For example TRUTH=truth/{{stem}}*.nc:true_tropospheric_column."
            )
            raise ValueError(msg)
        return cls(name, pattern, variable)

    def file_of(self, orbit_file: Path) -> Path:
        """Return the one side file of an orbit.

        Raises
        ------
        ProductError
            If none or several files match.
        """
        name = parse_s5p(orbit_file.name)
        stem = orbit_file.name[:S5P_STEM_LENGTH] if name else orbit_file.stem
        number = f"{name.orbit:05d}" if name else ""
        pattern = Path(self.pattern.replace("{stem}", stem).replace("{orbit}", number))
        folder = Path(pattern.anchor or ".")
        relative = pattern.relative_to(pattern.anchor) if pattern.anchor else pattern
        found = sorted(folder.glob(str(relative)))
        if len(found) != 1:
            msg = (
                f"Invalid side files of {self.name}. One file belongs to each orbit. Given "
                f"{len(found)} files that match {pattern}. Correct the pattern."
            )
            raise ProductError(msg)
        return found[0]

    def units_in(self, orbit_file: Path) -> str:
        """Return the unit that the side file of an orbit states, "1" where it states none."""
        path = self.file_of(orbit_file)
        refuse_unsafe(path, ProductError)
        with _side_errors(path, self), netCDF4.Dataset(path) as file:
            return str(getattr(_find(file, self.variable), "units", "1"))


def side_checksums(sides: Sequence[SideColumn], orbit_file: Path) -> tuple[str, ...]:
    """Return the SHA-256 of the side file of each column, empty where there is not one.

    An orbit that does not touch the grid needs none; `read_side_column` refuses the others.
    """
    known: dict[Path, str] = {}
    found = []
    for side in sides:
        try:
            path = side.file_of(orbit_file)
        except ProductError:
            found.append("")
            continue
        if path not in known:  # many columns may be in one file
            known[path] = file_checksum(path)
        found.append(known[path])
    return tuple(found)


def read_side_column(side: SideColumn, orbit: Orbit, crop: Crop) -> Float:
    """Read a further column on the crop of an orbit, NaN for fill.

    Returns
    -------
    ndarray, shape (scanline, ground_pixel)

    Raises
    ------
    ProductError
        If the side file is missing, lacks the variable, or does not hold the crop.
    """
    path = side.file_of(orbit.path)
    refuse_unsafe(path, ProductError)
    with _side_errors(path, side), netCDF4.Dataset(path) as file:
        values = np.ma.filled(
            np.ma.asarray(_find(file, side.variable)[...], dtype=np.float64), np.nan
        )
        indices = [np.asarray(_find(file, name)[...]) for name in DIMENSIONS]
    values = values[0] if values.ndim == 3 else values
    wanted = (
        orbit.raw(name, part)
        for name, part in zip(DIMENSIONS, (crop.scanline, crop.ground_pixel), strict=True)
    )
    positions = [
        _positions(np.asarray(index), have, path)
        for index, have in zip(wanted, indices, strict=True)
    ]
    return np.asarray(values[np.ix_(*positions)])


def _side_errors(path: Path, side: SideColumn) -> AbstractContextManager[None]:
    """Turn what an odd side file raises into one line."""
    return content_errors(
        path.name,
        ProductError,
        what="side file",
        rule=f"hold {side.variable}, scanline and ground_pixel",
        advice=f"Correct the pattern or the variable of {side.name}",
    )


def _positions(wanted: NDArray[Any], have: NDArray[Any], path: Path) -> NDArray[np.intp]:
    """Positions of index values in ascending ones."""
    position = np.clip(np.searchsorted(have, wanted), 0, have.size - 1)
    if not (have[position] == wanted).all():
        msg = (
            f"Invalid side file {path.name}. It must hold all scanlines and ground pixels of the "
            f"orbit. Given {have.min()} to {have.max()}, wanted {wanted.min()} to {wanted.max()}. "
            "Use the side file of this orbit."
        )
        raise ProductError(msg)
    return position


def _find(file: netCDF4.Dataset, name: str) -> Any:
    for group in (file, *file.groups.values()):
        if name in group.variables:
            return group.variables[name]
    msg = f"no variable {name}"
    raise KeyError(msg)
