"""How variables of a TROPOMI L2 NO2 file are declared: place, type, dimensions, attributes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from retrieval.files.fills import FILL_FLOAT, FILL_INT, FILL_UBYTE

AttributeValue = str | int | float | np.generic

PRODUCT = "PRODUCT"
GEOLOCATIONS = "PRODUCT/SUPPORT_DATA/GEOLOCATIONS"
DETAILED_RESULTS = "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"
INPUT_DATA = "PRODUCT/SUPPORT_DATA/INPUT_DATA"
O22CLD = f"{DETAILED_RESULTS}/O22CLD"
FRESCO = f"{DETAILED_RESULTS}/FRESCO"

SWATH = ("time", "scanline", "ground_pixel")
TRACK = ("time", "scanline")

FILL: dict[str, Any] = {
    "f4": np.float32(FILL_FLOAT),
    "i4": np.int32(FILL_INT),
    "u4": np.uint32(4294967295),
    "u1": np.uint8(FILL_UBYTE),
    "str": "",
}
"""Fill value of each stored type; strings have an empty one that netCDF does not store."""

COLUMN_FACTOR = np.float32(6.02214e19)
PRECISION_FACTOR = np.float32(6.022141e19)
"""The files carry two conversion factors that differ in the seventh digit."""

_FACTOR = "multiplication_factor_to_convert_to_molecules_percm2"


@dataclass(frozen=True)
class Variable:
    """One variable: where it lives, how it is stored, what its attributes say.

    Attributes
    ----------
    group, name : str
        Group path without leading slash, and the product's own name.
    dtype : {"f4", "i4", "u4", "u1", "str"}
        Stored type.
    dimensions : tuple of str
        Dimension names, defined in group PRODUCT.
    attributes : dict
        Attributes in file order, without `_FillValue`.
    since : tuple of int
        First processor version (major, minor) that writes it.
    """

    group: str
    name: str
    dtype: str
    dimensions: tuple[str, ...]
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    since: tuple[int, int] = (1, 0)

    @property
    def path(self) -> str:
        """Full path inside the file."""
        return f"{self.group}/{self.name}"


def swath_variable(
    group: str,
    name: str,
    units: str,
    long_name: str,
    *,
    dtype: str = "f4",
    dimensions: tuple[str, ...] = SWATH,
    since: tuple[int, int] = (1, 0),
    **attributes: AttributeValue,
) -> Variable:
    """Declare a variable of the swath; outside PRODUCT the coordinates are named by path."""
    prefix = "" if group == PRODUCT else "/PRODUCT/"
    coordinates = f"{prefix}longitude {prefix}latitude"
    found: dict[str, AttributeValue] = {"units": units, "long_name": long_name}
    found.update(attributes)
    if dimensions[:3] == SWATH:
        found["coordinates"] = coordinates
    return Variable(group, name, dtype, dimensions, found, since)


def column_variable(
    group: str, name: str, long_name: str, *, factor: np.float32 = COLUMN_FACTOR, **extra: Any
) -> Variable:
    """Declare a column [mol m-2] with its conversion factor."""
    extra[_FACTOR] = factor
    return swath_variable(group, name, "mol m-2", long_name, **extra)


def column_variables(group: str, name: str, long_name: str, **extra: Any) -> list[Variable]:
    """Declare a column and its precision."""
    precision = column_variable(
        group, f"{name}_precision", f"Precision of the {long_name.lower()}", factor=PRECISION_FACTOR
    )
    return [column_variable(group, name, long_name, **extra), precision]


def variable_pair(
    group: str, name: str, units: str, long_name: str, since: tuple[int, int] = (1, 0)
) -> list[Variable]:
    """Declare a swath variable and its precision."""
    return [
        swath_variable(group, name, units, long_name, since=since),
        swath_variable(
            group, f"{name}_precision", units, f"Precision of the {long_name}", since=since
        ),
    ]


def axis_variable(name: str, long_name: str, **attributes: AttributeValue) -> Variable:
    """Declare an integer coordinate variable of group PRODUCT."""
    return Variable(
        PRODUCT, name, "i4", (name,), {"units": "1", "long_name": long_name, **attributes}
    )
