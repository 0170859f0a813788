"""Put a side file and its orbit together: what `--layout extend` would have written.

A side file (`Layout.SIDE`) holds the new variables alone. It belongs to an orbit of the same
shape, scanlines, ground pixels and centres; these are compared bit by bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.atomic import atomic_output, check_output
from retrieval.files.hdf5_copy import copy_cropped, copy_variable, hdf5_errors
from retrieval.files.hdf5_sink import open_target
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.variables import read_text, set_attribute
from retrieval.l2.product.write import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from retrieval.l2.names import SensorNames

OF_THE_FILE = ("history", "source", "training_data")
"""Global attributes that a re-retrieval adds to."""


def merge(orbit: Path, side: Path, output: Path, *, overwrite: bool = False) -> Path:
    """Write the orbit with the variables of its side file.

    Parameters
    ----------
    orbit : Path
        The original L2 file.
    side : Path
        Made of it with `--layout side`.
    output : Path
        Appears whole or not at all. Cropped as the side file is.
    overwrite : bool
        Whether an existing output may be replaced.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ProductError
        If the side file is none, is of another orbit, or a file is damaged.
    OutputError
        If the output exists, is one of the two files, or cannot be written.
    """
    check_output(output, overwrite=overwrite, inputs=[orbit, side])
    with open_orbit(orbit) as opened:
        names, content = opened.names, opened.content
    with hdf5_errors(side, output), h5py.File(side, "r") as extra:
        _check_side(extra, side, names)
    with (
        atomic_output(output, overwrite=overwrite, inputs=[orbit, side]) as temporary,
        hdf5_errors(content, output),
        h5py.File(content, "r", rdcc_nbytes=32 << 20) as original,
        h5py.File(side, "r") as extra,
    ):
        parts = _parts(extra[names.group], names)
        _check_same(original, extra, parts, names, orbit, side)
        with open_target(temporary) as file:
            copy_cropped(original, file, parts)
            _add(extra["/"], file["/"])
            _add_attributes(extra, file, names)
    return output


def _check_side(file: h5py.File, path: Path, names: SensorNames) -> None:
    group = file.get(names.group)
    layout = "" if group is None else read_text(group, "apriori_layout")
    if layout != Layout.SIDE:
        given = f"layout {layout}" if layout else "a file without new variables"
        msg = (
            f"Invalid side file {path.name}. It must be made by reretrieve --layout side. Given "
            f"{given}. Choose another file."
        )
        raise ProductError(msg)


def _parts(group: h5py.Group, names: SensorNames) -> dict[str, slice]:
    """Return the part of the orbit that a side file is of, by path of dimension."""
    parts = {}
    for path, what in zip(names.pixel_dimensions[-2:], ("scanline", "ground_pixel"), strict=True):
        first, last, _ = (int(number) for number in group.attrs[f"apriori_crop_{what}"])
        parts[path] = slice(first, last + 1)
    return parts


def _check_same(
    original: h5py.File,
    extra: h5py.File,
    parts: dict[str, slice],
    names: SensorNames,
    orbit: Path,
    side: Path,
) -> None:
    """Refuse a side file of another orbit: its shape, positions and centres are compared."""
    group = extra[names.group]
    wholes = [int(group.attrs[f"apriori_crop_{what}"][2]) for what in ("scanline", "ground_pixel")]
    same = wholes == [len(original[path]) for path in names.pixel_dimensions[-2:]]
    for path, part in parts.items():
        same = same and np.array_equal(original[path][part], extra[path][...])
    for path in _paths(extra, (names.latitude, names.longitude)):
        rows, columns = parts.values()
        same = same and np.array_equal(original[path][..., rows, columns], extra[path][...])
    if not same:
        msg = (
            f"Invalid side file {side.name}. It must be of the orbit it is merged with. Given "
            f"other pixels than those of {orbit.name}. Choose its own orbit."
        )
        raise ProductError(msg)


def _paths(file: h5py.File, wanted: tuple[str, ...]) -> list[str]:
    found: list[str] = []

    def note(path: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and path.rsplit("/", 1)[-1] in wanted:
            found.append(path)

    file.visititems(note)
    return found


def _add(source: h5py.Group, target: h5py.Group) -> None:
    """Copy the variables that the orbit lacks, in their order."""
    for name, member in source.items():
        if isinstance(member, h5py.Group):
            _add(member, target[name])
        elif name not in target:
            copy_variable(member, target)


def _add_attributes(extra: h5py.File, file: h5py.File, names: SensorNames) -> None:
    """Take over what was done, under the layout that the file now has."""
    group, target = extra[names.group], file[names.group]
    for name, value in group.attrs.items():
        if name.startswith("apriori_"):
            target.attrs.create(name, value, dtype=group.attrs.get_id(name).dtype)
    set_attribute(target, "apriori_layout", str(Layout.EXTEND))
    for name in OF_THE_FILE:
        if text := read_text(extra["/"], name):
            set_attribute(file["/"], name, text)
