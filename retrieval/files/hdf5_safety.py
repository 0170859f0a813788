"""HDF5 files that point outside themselves, or at themselves, are refused before they are read.

HDF5 follows external links, virtual datasets and external storage to any path that a file names,
netCDF with it: a downloaded file could so bring any file of the disk into a product. Links between
groups that close a circle keep netCDF walking until the memory is used up. No writer of the files
read here makes any of these.

What netCDF's C code does not expect, and the process ends there and then or later, is refused, too:
lists of dimensions that are no references, floats of other than 4 or 8 bytes, and attributes of
variable length whose values cannot be read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5t

if TYPE_CHECKING:
    from pathlib import Path

    from retrieval.errors import RetrievalError

MAX_LINKS = 100_000
"""More links than this are in no file of these kinds (an orbit has about two hundred)."""

FLOAT_BYTES = (4, 8)
"""Sizes of floats that netCDF knows."""

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
"""First bytes of an HDF5 file."""


def refuse_unsafe(
    path: Path, error: type[RetrievalError], *, advice: str = "Download it again"
) -> None:
    """Refuse an HDF5 file whose content is not all its own; other files pass.

    Parameters
    ----------
    path : Path
        A readable file of any kind.
    error : type
        Class of the error.
    advice : str
        What to do with a damaged file.

    Raises
    ------
    RetrievalError
        Of the given class: if the file has external links, virtual datasets, external storage,
        groups that contain themselves, broken lists of dimensions, values or attributes that
        netCDF cannot take, or HDF5 cannot walk through it.
    """
    with path.open("rb") as file:
        if file.read(len(HDF5_MAGIC)) != HDF5_MAGIC:
            return
    try:
        with h5py.File(path, "r") as opened:
            found = _first_fault(opened)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, MemoryError) as fault:
        words = " ".join(str(fault).split())[:160] or type(fault).__name__
        msg = (
            f"Damaged file {path}. Its links and data descriptions must be readable. "
            f"Given: {words}. {advice}."
        )
        raise error(msg) from fault
    if found:
        msg = (
            f"Invalid file {path}. All it holds must be in the file itself. Given {found}. "
            "Do not use this file, or copy its values into a plain one."
        )
        raise error(msg)


def _first_fault(file: h5py.File) -> str | None:
    """Return what points elsewhere or in a circle, None where nothing does."""
    links: list[tuple[bytes, int]] = []

    def note(name: bytes, info: h5l.LinkInfo) -> bool | None:
        links.append((name, info.type))
        return True if len(links) > MAX_LINKS else None

    file.id.links.visit(note, info=True)  # every object once, circles or not
    if len(links) > MAX_LINKS:
        return f"more than {MAX_LINKS} links"
    _check_attributes(h5g.open(file.id, b"/"))
    groups = {h5o.get_info(file.id).addr}
    faults = (_fault_of_link(file, name, kind, groups) for name, kind in links)
    return next((fault for fault in faults if fault), None)


def _fault_of_link(file: h5py.File, name: bytes, kind: int, groups: set[int]) -> str | None:
    """Return what is wrong with one link, None where nothing is; note the groups met."""
    shown = name.decode("utf-8", "replace")
    if kind not in (h5l.TYPE_HARD, h5l.TYPE_SOFT):
        return f"an external link at {shown}"
    opened = h5o.open(file.id, name)
    _check_attributes(opened)
    if isinstance(opened, h5d.DatasetID):
        return _fault_of_dataset(opened, shown)
    address = h5o.get_info(opened).addr
    if isinstance(opened, h5g.GroupID) and (kind == h5l.TYPE_SOFT or address in groups):
        return f"a second way to a group at {shown}"
    groups.add(address)
    return None


def _fault_of_dataset(dataset: h5d.DatasetID, name: str) -> str | None:
    """Return where a dataset keeps its values, None where they are in the file."""
    _check_dimensions(dataset, name)
    kind = dataset.get_type()
    if isinstance(kind, h5t.TypeFloatID) and kind.get_size() not in FLOAT_BYTES:
        msg = f"floats of {kind.get_size()} bytes in {name}"
        raise ValueError(msg)
    properties = dataset.get_create_plist()
    if properties.get_layout() == h5d.VIRTUAL:
        return f"a virtual dataset at {name}"
    if properties.get_external_count() > 0:
        return f"values in another file at {name}"
    return None


def _check_dimensions(dataset: h5d.DatasetID, name: str) -> None:
    """Refuse what netCDF's C code would take for the dimensions of a variable unseen.

    Raises
    ------
    ValueError
        Where the list of dimensions is not one list of references for each axis, or their numbers
        are none of dimensions.
    """
    if h5a.exists(dataset, b"DIMENSION_LIST"):
        stored = h5a.open(dataset, b"DIMENSION_LIST")
        kind = stored.get_type()
        is_list = isinstance(kind, h5t.TypeVlenID) and isinstance(
            kind.get_super(), h5t.TypeReferenceID
        )
        if not is_list or stored.shape != (dataset.rank,):
            msg = f"a DIMENSION_LIST of {name} that is no list of references"
            raise ValueError(msg)
    for key, shapes in (
        (b"_Netcdf4Dimid", ((), (1,))),
        (b"_Netcdf4Coordinates", ((dataset.rank,),)),
    ):
        if h5a.exists(dataset, key) and not _are_numbers(h5a.open(dataset, key), shapes):
            msg = f"a {key.decode()} of {name} that is no number of a dimension"
            raise ValueError(msg)


def _check_attributes(opened: h5g.GroupID | h5d.DatasetID) -> None:
    """Read attributes of variable length: where that fails, netCDF frees what it never had.

    Raises
    ------
    OSError, RuntimeError
        Where one cannot be read.
    """
    for index in range(h5a.get_num_attrs(opened)):
        stored = h5a.open(opened, index=index)
        kind = stored.get_type()
        is_long = isinstance(kind, h5t.TypeVlenID) or (
            isinstance(kind, h5t.TypeStringID) and kind.is_variable_str()
        )
        if is_long and stored.shape is not None:
            stored.read(np.empty(stored.shape, stored.dtype))


def _are_numbers(stored: h5a.AttrID, shapes: tuple[tuple[int, ...], ...]) -> bool:
    """Tell whether an attribute holds numbers that dimensions of a file can have."""
    if stored.shape not in shapes or stored.dtype.kind not in "iu":
        return False
    numbers = np.zeros(stored.shape, stored.dtype)
    stored.read(numbers)
    return bool((numbers >= 0).all() and (numbers < MAX_LINKS).all())
