"""HDF-EOS5: dimensions that are named in a text, `StructMetadata.0`, and not by scales.

The text lists, for each swath, the sizes of its dimensions and the dimensions of its fields. A
crop must rewrite it, or readers that go by it would look for pixels that are not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np

from retrieval.errors import ProductError

if TYPE_CHECKING:
    from collections.abc import Mapping

INFORMATION = "HDFEOS INFORMATION"
STRUCT = "StructMetadata"
PIECE = 32000
"""Characters of the text in one variable; the next one has the rest (HDF-EOS5 library)."""

_SECTIONS = {"GeoField": "Geolocation Fields", "DataField": "Data Fields"}
_KINDS = {
    "f4": "H5T_NATIVE_FLOAT",
    "f8": "H5T_NATIVE_DOUBLE",
    "u1": "H5T_NATIVE_UINT8",
    "i2": "H5T_NATIVE_INT16",
    "u2": "H5T_NATIVE_UINT16",
    "i4": "H5T_NATIVE_INT",
}
_SIZE = re.compile(r'(DimensionName="(?P<name>[^"]+)"\s*\n\s*Size=)(?P<size>-?\d+)')
_FIELD = re.compile(
    r'(?P<kind>Geo|Data)FieldName="(?P<name>[^"]+)"(?P<rest>.*?)END_OBJECT', re.DOTALL
)
_DIMENSIONS = re.compile(r"DimList=\((?P<names>[^)]*)\)")
_SWATH = re.compile(r"GROUP=SWATH_\d+.*?END_GROUP=SWATH_\d+", re.DOTALL)
_SWATH_NAME = re.compile(r'SwathName="([^"]+)"')


@dataclass(frozen=True)
class Structure:
    """What the text says.

    Attributes
    ----------
    sizes : dict of str to int
        Of the dimensions, by name.
    axes : dict of str to tuple of str
        Names of the dimensions of each field, by its path in the file.
    """

    sizes: dict[str, int]
    axes: dict[str, tuple[str, ...]]


def read_structure(file: h5py.File) -> Structure | None:
    """Return which dimensions the fields of a file have; None where no text says it."""
    text = _read(file)
    if text is None:
        return None
    sizes: dict[str, int] = {}
    axes: dict[str, tuple[str, ...]] = {}
    for swath in _SWATH.finditer(text):
        found = _SWATH_NAME.search(swath[0])
        name = found[1] if found else ""
        sizes |= {one["name"]: int(one["size"]) for one in _SIZE.finditer(swath[0])}
        for one in _FIELD.finditer(swath[0]):
            dimensions = _DIMENSIONS.search(one["rest"])
            path = f"/HDFEOS/SWATHS/{name}/{_SECTIONS[one['kind'] + 'Field']}/{one['name']}"
            if dimensions and path in file:
                axes[path] = tuple(re.findall(r'"([^"]+)"', dimensions["names"]))
    return Structure(sizes, axes)


def check_axes(file: h5py.File, structure: Structure) -> None:
    """Refuse a text that says other sizes than the fields have: a crop by it would be wrong.

    Raises
    ------
    ProductError
        Naming the first field.
    """
    for path, names in structure.axes.items():
        said = tuple(structure.sizes.get(name) for name in names)
        if said != file[path].shape:
            msg = (
                f"Invalid file {file.filename}. {STRUCT}.0 must say the sizes of its fields. Given "
                f"{said} for {path} of {file[path].shape}. Download the file again."
            )
            raise ProductError(msg)


def rewrite_structure(file: h5py.File, sizes: Mapping[str, int]) -> None:
    """Write sizes of dimensions into the text, and fields that it does not list yet.

    Parameters
    ----------
    file : h5py.File
        Open for writing, with the fields as they are now.
    sizes : mapping of str to int
        New sizes by name of the dimension.
    """
    text, structure = _read(file), read_structure(file)
    if text is None or structure is None:
        return
    text = _SIZE.sub(lambda one: f"{one[1]}{sizes.get(one['name'], int(one['size']))}", text)
    by_shape = {file[path].shape: names for path, names in reversed(structure.axes.items())}
    for swath in {path.split("/")[3]: None for path in structure.axes}:
        for kind, section in _SECTIONS.items():
            group = file.get(f"/HDFEOS/SWATHS/{swath}/{section}", {})
            new = [
                one
                for one in group.values()
                if one.name not in structure.axes and one.shape in by_shape
            ]
            text = _with_fields(text, swath, kind, [(one, by_shape[one.shape]) for one in new])
    _write(file, text)


def _with_fields(
    text: str, swath: str, kind: str, new: list[tuple[h5py.Dataset, tuple[str, ...]]]
) -> str:
    """Add fields at the end of those of a swath."""
    start = text.index(f'SwathName="{swath}"')
    begin = text.index(f"\tGROUP={kind}", start)
    end = text.index(f"END_GROUP={kind}", start)
    count = text.count(f"\tOBJECT={kind}_", begin, end)
    tabs = "\t" * 3
    lines = []
    for i, (field, names) in enumerate(new, count + 1):
        dimensions = ",".join(f'"{name}"' for name in names)
        code = f"{field.dtype.kind}{field.dtype.itemsize}"
        lines += [
            f"{tabs}OBJECT={kind}_{i}",
            f'{tabs}\t{kind}Name="{field.name.split("/")[-1]}"',
            f"{tabs}\tDataType={_KINDS[code]}",
            f"{tabs}\tDimList=({dimensions})",
            f"{tabs}\tMaxdimList=({dimensions})",
            f"{tabs}END_OBJECT={kind}_{i}",
        ]
    at = text.rindex("\n", 0, end) + 1
    return text[:at] + "".join(f"{line}\n" for line in lines) + text[at:]


def _read(file: h5py.File) -> str | None:
    """Return the text of all its pieces; None where there is none."""
    pieces: list[str] = []
    while isinstance(item := file.get(f"{INFORMATION}/{STRUCT}.{len(pieces)}"), h5py.Dataset):
        value = item[()]
        code = value.encode() if isinstance(value, str) else bytes(value)
        pieces.append(code.rstrip(b"\0").decode("utf-8", errors="replace"))
    return "".join(pieces) if pieces else None


def _write(file: h5py.File, text: str) -> None:
    """Store a text in pieces of the type that the first one has."""
    group, code = file[INFORMATION], text.encode()
    for i, start in enumerate(range(0, len(code), PIECE)):
        name = f"{STRUCT}.{i}"
        attributes = dict(group[name].attrs) if name in group else {}
        if name in group:
            del group[name]
        piece = np.array(code[start : start + PIECE], dtype=f"S{PIECE}")
        group.create_dataset(name, data=piece)
        for key, value in attributes.items():
            group[name].attrs[key] = value
