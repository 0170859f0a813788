"""Pandora spectrometers: the text files of the Pandonia Global Network, by their own descriptions.

Columns are found by what the file says of them, never by their number, which differs between
processors. Read on real files: direct sun (`rnvs3p1-8`, total column) and sky (`rnvh3p1-8`,
tropospheric column and layers).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import RetrievalError
from retrieval.files.damage import content_errors
from retrieval.physics.constants import DOBSON_UNIT_TO_MOL_M2
from retrieval.validation.ground_columns import GroundColumns

if TYPE_CHECKING:
    from pathlib import Path

    from retrieval.typing import Float
    from retrieval.validation.ground_columns import Quantity

MISSING = 9e98
"""Values as large as this, of either sign, are no measurement: the files write -9e99."""

COLUMNS: dict[Quantity, str] = {
    "tropospheric": "nitrogen dioxide tropospheric vertical column amount",
    "total": "nitrogen dioxide total vertical column amount",
}
UNCERTAINTIES: dict[Quantity, tuple[str, ...]] = {
    "tropospheric": (
        "total uncertainty of nitrogen dioxide tropospheric vertical column amount",
        "independent uncertainty of nitrogen dioxide tropospheric vertical column amount",
    ),
    "total": (
        "total uncertainty of nitrogen dioxide total vertical column amount",
        "independent uncertainty of nitrogen dioxide total vertical column amount",
    ),
}
"""The better known first."""
FLAG = "l2 data quality flag for nitrogen dioxide"
STRATOSPHERE = "climatological nitrogen dioxide stratospheric column amount"
LAYER_TOP = "top height of nitrogen dioxide layer 1"
LAYER_COLUMN = "partial nitrogen dioxide vertical column amount in layer 1"

_HEADER = re.compile(r"([A-Z][^:]*): ?(.*)")
_COLUMN = re.compile(r"(From )?Column (\d+): *(.*)")
_UNITS = {"mol/m2": 1.0, "moles per square meter": 1.0, "dobson units": DOBSON_UNIT_TO_MOL_M2}
_KM = 1000.0


@dataclass(frozen=True)
class _Text:
    """A file taken apart: header, descriptions of columns by number, rows of words."""

    header: dict[str, str]
    columns: dict[int, str]
    rows: list[list[str]]


def is_pandora(path: Path) -> bool:
    """Tell whether a file begins as those of the network do."""
    try:
        with path.open("rb") as stream:
            return stream.read(11) == b"File name: "
    except OSError:
        return False


def read_pandora(path: Path) -> GroundColumns:
    """Read one file.

    Returns
    -------
    GroundColumns
        All rows with their flags; `usable` drops what the flags forbid.

    Raises
    ------
    RetrievalError
        If it is no Level 2 file of NO2 columns, or damaged.
    """
    with content_errors(
        path,
        RetrievalError,
        what="Pandora file",
        rule="be a Level 2 text file of the Pandonia network",
        advice="Download it again",
    ):
        text = _take_apart(path.read_text(encoding="latin-1"))
        return _columns(path, text).in_order()


def _take_apart(content: str) -> _Text:
    header: dict[str, str] = {}
    columns: dict[int, str] = {}
    rows: list[list[str]] = []
    n_rule = 0
    for line in content.splitlines():
        if line.startswith("-----"):
            n_rule += 1
        elif n_rule == 0:
            if match := _HEADER.match(line):
                header[match[1].strip().lower()] = match[2].strip()
        elif n_rule == 1:
            match = _COLUMN.match(line)
            if match and not match[1]:
                columns[int(match[2]) - 1] = match[3].lower()
        elif line.strip():
            rows.append(line.split())
    return _Text(header, columns, rows)


def _columns(path: Path, text: _Text) -> GroundColumns:
    quantity, number = _quantity(path, text)
    time = np.array([_time(row[0]) for row in text.rows], dtype="datetime64[ms]")
    scale = _unit(path, text.columns[number])
    column = _numbers(text, number) * scale
    uncertainty = np.full(column.shape, np.nan)
    for wanted in UNCERTAINTIES[quantity]:
        index = _find(text, wanted)
        if index is not None:
            values = _numbers(text, index)
            # negative ones are codes that say why there is none
            uncertainty = np.where(values >= 0.0, values, np.nan) * scale
            break
    flag = _find(text, FLAG)
    above = _find(text, STRATOSPHERE)
    head = text.header
    caveats = head.get("data caveats", "")
    remarks = [f"doi:{head['doi']}"] if head.get("doi") else []
    remarks += [caveats] if caveats.lower() not in {"", "none"} else []
    edges, partial = _layers(text, scale)
    return GroundColumns(
        station=head["short location name"],
        network="Pandonia",
        instrument=f"Pandora{head['instrument number']}s{head['spectrometer number']} "
        f"{head['data file version']}",
        latitude=float(head["location latitude [deg]"]),
        longitude=float(head["location longitude [deg]"]),
        altitude=float(head["location altitude [m]"]),
        quantity=quantity,
        time=time,
        column=column,
        uncertainty=uncertainty,
        flag=np.zeros(len(time), int) if flag is None else _numbers(text, flag).astype(int),
        stratosphere=(
            np.full(column.shape, np.nan)
            if above is None
            else _numbers(text, above) * _unit(path, text.columns[above])
        ),
        layer_edges=edges,
        partial_column=partial,
        remarks=tuple(remarks),
    )


def _quantity(path: Path, text: _Text) -> tuple[Quantity, int]:
    """Return what the file's column is, and where; a sky file has a total column of its own."""
    for quantity, wanted in COLUMNS.items():
        number = _find(text, wanted)
        if number is not None:
            return quantity, number
    version = text.header.get("data file version", "no version")
    msg = (
        f"Invalid Pandora file {path.name}. It must hold NO2 columns (rnvs, rnvh). Given "
        f"{version}. Choose another file."
    )
    raise RetrievalError(msg)


def _find(text: _Text, wanted: str) -> int | None:
    return next((n for n, said in text.columns.items() if said.startswith(wanted)), None)


def _unit(path: Path, said: str) -> float:
    """Return the factor to mol m-2 of the unit in brackets."""
    unit = said.partition("[")[2].partition("]")[0]
    if unit not in _UNITS:
        msg = (
            f"Invalid Pandora file {path.name}. Columns must be in {', '.join(_UNITS)}. Given "
            f"{unit!r}. Convert it, or choose a file of another processor version."
        )
        raise RetrievalError(msg)
    return _UNITS[unit]


def _numbers(text: _Text, number: int) -> Float:
    values = np.array([float(row[number]) for row in text.rows], dtype=np.float64)
    return np.where(np.abs(values) >= MISSING, np.nan, values)


def _layers(text: _Text, scale: float) -> tuple[Float | None, Float | None]:
    """Return interfaces above ground [m] and partial columns [mol m-2] of the rows' layers.

    A row has four columns a layer (water vapour and NO2), as many layers as were retrieved; rows
    with fewer have NaN above.
    """
    top, partial = _find(text, LAYER_TOP), _find(text, LAYER_COLUMN)
    if top is None or partial is None:
        return None, None
    n_layer = max((len(row) - partial - 1) // 4 + 1 for row in text.rows) if text.rows else 0
    if n_layer < 1:
        return None, None
    edges = np.full((len(text.rows), n_layer + 1), np.nan)
    edges[:, 0] = 0.0
    columns = np.full((len(text.rows), n_layer), np.nan)
    for i, row in enumerate(text.rows):
        tops = np.array(row[top::4], dtype=np.float64)
        amounts = np.array(row[partial::4], dtype=np.float64)
        usable = (tops > 0.0) & (np.abs(amounts) < MISSING)
        n = int(usable.argmin()) if not usable.all() else usable.size
        edges[i, 1 : n + 1] = tops[:n] * _KM
        columns[i, :n] = amounts[:n] * scale
    return edges, columns


def _time(word: str) -> np.datetime64:
    """Read `yyyymmddThhmmss.sZ`."""
    date, _, clock = word.rstrip("Z").partition("T")
    seconds = float(clock[4:]) if clock[4:] else 0.0
    minute = f"{date[:4]}-{date[4:6]}-{date[6:8]}T{clock[:2]}:{clock[2:4]}"
    return np.datetime64(minute, "ms") + np.timedelta64(round(1000.0 * seconds), "ms")
