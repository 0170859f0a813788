"""The process that unpacks GRIB: `python grib_unpack.py GRIB NETCDF`, started by grib.py.

It imports nothing of this package. Messages are cut out of the file here and decoded one by one, so
that a file cut short is an error. Fields are laid out by the time they are valid at: the steps of
ERA5's accumulations need no knowledge of their forecast. Each variable keeps its own times and
levels, so that nothing is filled up.

Of two messages for one field the final one (expver 0001) is used before the preliminary (0005);
which it was stands beside the times as `expver`, as in netCDF files of the data store. Model levels
carry the coefficients that their messages have.
"""

from __future__ import annotations

import mmap
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import netCDF4
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

PREFERRED = ("0001", "0005")
"""Versions of ERA5, final and preliminary."""

LEVELLED = {"isobaricInhPa": "hPa", "isobaricInPa": "Pa", "hybrid": "1"}
"""Kinds of level that are an axis even where there is one level, and their unit."""


class Group(NamedTuple):
    """What makes one variable."""

    name: str
    level_kind: str
    parameter: int


class Piece(NamedTuple):
    """Where the message of a field is in the file, and its version."""

    bytes: slice
    version: str


@dataclass
class Variable:
    """The messages of one variable by time and level, and what they share."""

    attributes: dict[str, str]
    plane: dict[str, NDArray[np.float64]]
    coefficients: NDArray[np.float64]
    pieces: dict[tuple[np.datetime64, int], Piece] = field(default_factory=dict)


def unpack(grib: str, target: str) -> None:
    """Write every variable of a GRIB file into a netCDF file.

    Raises
    ------
    ValueError
        For damaged messages, for two of one field, and for what is on no plain grid.
    """
    with (
        Path(grib).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        netCDF4.Dataset(target, "w") as dataset,
    ):
        variables = index_messages(data)
        axes = Axes(dataset)
        # fields on levels take their name before those of the ground: z, and the orography
        for group in sorted(variables, key=lambda group: group.level_kind not in LEVELLED):
            _write(axes, data, group, variables[group])


def cut_messages(data: bytes | mmap.mmap) -> Iterator[slice]:
    """Yield where each message is.

    Raises
    ------
    ValueError
        If one does not end where its length says, or there is none.
    """
    start = data.find(b"GRIB")
    if start < 0:
        msg = "no message"
        raise ValueError(msg)
    while start >= 0:
        head = data[start : start + 16]
        edition = head[7] if len(head) == 16 else 0
        length = int.from_bytes(head[4:7] if edition == 1 else head[8:16])
        if edition == 1 and length >= 0x800000:
            msg = "a message of edition 1 with more than 8 MiB"
            raise ValueError(msg)
        stop = start + length
        if edition not in (1, 2) or length < 16 or data[stop - 4 : stop] != b"7777":
            msg = f"a damaged message at byte {start}"
            raise ValueError(msg)
        yield slice(start, stop)
        start = data.find(b"GRIB", stop)


def index_messages(data: mmap.mmap) -> dict[Group, Variable]:
    """Sort the messages of a file by variable, time and level."""
    variables: dict[Group, Variable] = {}
    for piece in cut_messages(data):
        message = _decoded(data, piece)
        group = Group(_name(message), str(message["typeOfLevel"]), int(message["paramId"]))
        plane = _plane(message)
        if group not in variables:
            variables[group] = Variable(_attributes(message), plane, _coefficients(message))
        held = variables[group]
        if any(not np.array_equal(held.plane[axis], plane[axis]) for axis in plane):
            msg = f"{group.name} on two grids"
            raise ValueError(msg)
        key = _valid_time(message), int(message["level"])
        version = str(_get(message, "experimentVersionNumber"))
        _keep(data, held.pieces, key, Piece(piece, version), group.name)
    return variables


def _keep(
    data: mmap.mmap,
    pieces: dict[tuple[np.datetime64, int], Piece],
    key: tuple[np.datetime64, int],
    piece: Piece,
    name: str,
) -> None:
    """Keep a message, or of two for one field the one of the preferred version."""
    held = pieces.setdefault(key, piece)
    if held is piece or data[held.bytes] == data[piece.bytes]:
        return
    versions = held.version, piece.version
    if len(set(versions)) == 1 or not set(versions) <= set(PREFERRED):
        shown = " and ".join(version or "unsaid" for version in versions)
        msg = f"{name} at {key[0]} twice, of versions {shown}"
        raise ValueError(msg)
    pieces[key] = min(held, piece, key=lambda one: PREFERRED.index(one.version))


@dataclass
class Axes:
    """The dimensions of a file with their coordinates, shared by the variables on equal ones."""

    dataset: netCDF4.Dataset
    _made: dict[tuple[str, bytes], str] = field(default_factory=dict)

    def time(self, times: NDArray[np.datetime64], versions: list[str]) -> str:
        """Return the dimension of these times, whose versions stand beside it as text."""
        seconds = times.astype("datetime64[s]").astype(np.int64)
        told = repr(versions).encode()
        attributes = {"units": "seconds since 1970-01-01", "standard_name": "time"}
        name, is_new = self.axis("valid_time", seconds, attributes, told)
        if is_new and any(versions):
            stored = self.dataset.createVariable(name.replace("valid_time", "expver"), str, (name,))
            stored[:] = np.array(versions, dtype=object)
        return name

    def level(self, kind: str, levels: list[int], coefficients: NDArray[np.float64]) -> str:
        """Return the dimension of levels; model levels in a row get interfaces of their own."""
        attributes = {"units": LEVELLED.get(kind, "m")}
        n_interface = coefficients.size // 2
        is_row = levels == list(range(levels[0], levels[-1] + 1))
        if kind != "hybrid" or not is_row or n_interface <= levels[-1]:
            return self.axis(kind, np.array(levels), attributes)[0]
        told = coefficients.tobytes()
        name, is_new = self.axis(kind, np.array(levels), {"units": "1"}, told)
        if is_new:
            self._interfaces(name, levels, coefficients.reshape(2, n_interface))
        return name

    def _interfaces(self, name: str, levels: list[int], ap_b: NDArray[np.float64]) -> None:
        """Write the bounds of model levels as CF 7.1 does: ap and b at both ends of each."""
        if "bounds" not in self.dataset.dimensions:
            self.dataset.createDimension("bounds", 2)
        rows = np.array(levels)[:, None] + [-1, 0]
        for term, values, units in zip(("ap", "b"), ap_b, ("Pa", "1"), strict=True):
            stored = self.dataset.createVariable(f"{name}_{term}", "f8", (name, "bounds"))
            stored[:], stored.units = values[rows], units
        self.dataset[name].bounds = f"{name}_bounds"
        bounds = self.dataset.createVariable(f"{name}_bounds", "f8", (name, "bounds"))
        bounds.formula_terms = f"ap: {name}_ap b: {name}_b"
        bounds[:] = rows

    def axis(
        self, name: str, values: NDArray[Any], attributes: dict[str, str], told: bytes = b""
    ) -> tuple[str, bool]:
        """Return the dimension with these coordinates, under a free name, and whether it is new."""
        key = (name, values.tobytes() + told)
        if key in self._made:
            return self._made[key], False
        same = sum(made == name for made, _ in self._made)
        free = name if not same else f"{name}_{same + 1}"
        self.dataset.createDimension(free, values.size)
        coordinate = self.dataset.createVariable(free, values.dtype, (free,))
        coordinate.setncatts(attributes)
        coordinate[:] = values
        self._made[key] = free
        return free, True


def _write(axes: Axes, data: mmap.mmap, group: Group, variable: Variable) -> None:
    times = sorted({time for time, _ in variable.pieces})
    levels = sorted({level for _, level in variable.pieces})
    if len(times) * len(levels) != len(variable.pieces):
        msg = f"{group.name} without some levels of some times"
        raise ValueError(msg)
    versions = [variable.pieces[time, levels[0]].version for time in times]
    names = [axes.time(np.array(times), versions)]
    if len(levels) > 1 or group.level_kind in LEVELLED:
        names.append(axes.level(group.level_kind, levels, variable.coefficients))
    for name, values in variable.plane.items():
        units = "degrees_north" if name == "latitude" else "degrees_east"
        names.append(axes.axis(name, values, {"units": units, "standard_name": name})[0])
    dataset = axes.dataset
    name = group.name if group.name not in dataset.variables else f"{group.name}_{group.level_kind}"
    target = dataset.createVariable(name, "f4", tuple(names), fill_value=np.nan)
    target.setncatts(variable.attributes)
    if len(set(versions)) == 1 and versions[0]:
        target.GRIB_expver = versions[0]  # also where the text beside the times is another axis's
    for (time, level), piece in variable.pieces.items():
        values = _decoded(data, piece.bytes)["values"].astype(np.float32)
        place = (times.index(time), levels.index(level))[: len(names) - 2]
        target[place] = np.ma.filled(values, np.nan)


def _decoded(data: mmap.mmap, piece: slice) -> Any:
    import pygrib

    return pygrib.fromstring(data[piece])


def _get(message: Any, key: str, default: Any = "") -> Any:
    return message[key] if message.valid_key(key) else default


def _name(message: Any) -> str:
    name = str(_get(message, "cfVarName", "unknown"))
    return name if name not in ("unknown", "~") else f"parameter_{message['paramId']}"


def _attributes(message: Any) -> dict[str, str]:
    standard_name = str(_get(message, "cfName", "unknown"))
    found = {"units": str(_get(message, "units")), "long_name": str(_get(message, "name"))}
    if standard_name != "unknown":
        found["standard_name"] = standard_name
    return found | {
        "GRIB_paramId": str(message["paramId"]),
        "GRIB_stepType": str(message["stepType"]),
    }


def _coefficients(message: Any) -> NDArray[np.float64]:
    """Hybrid coefficients of all interfaces, the top first: those of a, then those of b."""
    has_any = bool(_get(message, "PVPresent", 0))
    return np.asarray(message["pv"] if has_any else [], dtype=np.float64)


def _plane(message: Any) -> dict[str, NDArray[np.float64]]:
    """Latitudes and longitudes in the message's order; longitudes ascend across Greenwich."""
    kind = str(message["gridType"])
    turned = ("jPointsAreConsecutive", "iScansNegatively", "alternativeRowScanning")
    if kind != "regular_ll" or any(_get(message, key, 0) for key in turned):
        msg = f"a grid of kind {kind}, or one scanned otherwise than by rows to the east"
        raise ValueError(msg)
    first, last, west, east = (
        float(message[f"{axis}Of{end}GridPointInDegrees"])
        for axis in ("latitude", "longitude")
        for end in ("First", "Last")
    )
    if east < west:
        east += 360.0
    shift = 360.0 if west >= 180.0 or east > 360.0 else 0.0
    return {
        "latitude": np.linspace(first, last, int(message["Nj"])),
        "longitude": np.linspace(west, east, int(message["Ni"])) - shift,
    }


def _valid_time(message: Any) -> np.datetime64:
    date, clock = f"{message['validityDate']:08d}", f"{message['validityTime']:04d}"
    return np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}T{clock[:2]}:{clock[2:]}", "m")


if __name__ == "__main__":
    try:
        unpack(*sys.argv[1:])
    except Exception as error:
        sys.stdout.write(str(error) or type(error).__name__)
        sys.exit(1)
