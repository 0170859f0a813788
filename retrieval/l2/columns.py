"""Which tropospheric columns a file holds, and with which a priori each was made.

Besides the column of the L2 file these are the sets of a re-retrieved file, in either layout, and
columns that others added: KNMI's European files have one with the CAMS a priori, whose name and
group are only known by example, so that any name of that kind is taken (docs/formats.md 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import h5py
import numpy as np

from retrieval.l2.product.table import ORIGINAL_SUFFIX, TM5, TROPOSPHERIC_COLUMN

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.l2.orbit import Crop, Orbit

TROPOSPHERIC_AMF = "air_mass_factor_troposphere"
TINY_COLUMN = 1e-7
"""Columns below this [mol m-2] give no air mass factor: 6e12 molecules cm-2."""

_ADDED = re.compile(rf"{TROPOSPHERIC_COLUMN}_(?!precision)(?P<label>\w*apriori\w*)")


@dataclass(frozen=True)
class ColumnProduct:
    """A tropospheric column of a file.

    Attributes
    ----------
    label : str
        Name of the a priori: "TM5", "DACNO2", "CAMS_Europe" (KNMI's), ...
    column : str
        Name of the column's variable.
    air_mass_factor : str
        Name of its tropospheric air mass factor, empty where the file has none.
    is_ours : bool
        Whether the file says that this package made it.
    """

    label: str
    column: str
    air_mass_factor: str
    is_ours: bool


class OrbitKind(StrEnum):
    """What a file in a folder of orbits is, at a glance."""

    ORIGINAL = "an original orbit"
    RERETRIEVED = "a re-retrieved orbit"
    OTHER = "no L2 NO2 orbit"
    DAMAGED = "a damaged file"


def orbit_kind(path: Path) -> OrbitKind:
    """Say what a file is without reading more than its head."""
    try:
        with path.open("rb") as file:
            if file.read(3) == b"CDF":  # classic netCDF: a model's file
                return OrbitKind.OTHER
        with h5py.File(path, "r") as content:
            product = content.get("PRODUCT")
            if not isinstance(product, h5py.Group) or TROPOSPHERIC_COLUMN not in product:
                return OrbitKind.OTHER
            is_ours = "apriori_sets" in product.attrs
    except (OSError, RuntimeError, KeyError):
        return OrbitKind.DAMAGED
    return OrbitKind.RERETRIEVED if is_ours else OrbitKind.ORIGINAL


def reretrieved_sets(orbit: Orbit) -> list[str]:
    """Names of the a-priori sets that a file was re-retrieved with, the primary first."""
    text = _product_attribute(orbit, "apriori_sets")
    return text.split()


def is_replaced(orbit: Orbit) -> bool:
    """Tell whether the standard names carry the primary set."""
    return _product_attribute(orbit, "apriori_layout") == "replace"


def find_columns(orbit: Orbit) -> list[ColumnProduct]:
    """List the tropospheric columns of a file: TM5 first, then our sets, then others' columns.

    Parameters
    ----------
    orbit : Orbit
        An open file, original or re-retrieved.

    Returns
    -------
    list of ColumnProduct
        Those whose column is in the file.
    """
    ours = reretrieved_sets(orbit)
    replaced = is_replaced(orbit)
    found = [_product(TM5, replaced, orbit, is_ours=False)]
    for i, name in enumerate(ours):
        has_standard_name = replaced and i == 0
        found.append(_product(name, not has_standard_name, orbit, is_ours=True))
    known = {product.column for product in found} | {f"{TROPOSPHERIC_COLUMN}{ORIGINAL_SUFFIX}"}
    for name in orbit.variables:
        match = _ADDED.fullmatch(name)
        if match and name not in known:
            label = "_".join(part for part in match["label"].split("_") if part != "apriori")
            found.append(ColumnProduct(label or "added", name, "", is_ours=False))
    return [product for product in found if orbit.has(product.column)]


def read_column(orbit: Orbit, product: ColumnProduct, crop: Crop) -> NDArray[np.floating]:
    """Read a column on a crop [mol m-2], shape (scanline, ground_pixel), NaN where fill."""
    return orbit.read(product.column, crop)


def read_air_mass_factor(
    orbit: Orbit, product: ColumnProduct, crop: Crop
) -> NDArray[np.floating] | None:
    """Read the tropospheric air mass factor of a product, or derive it as M_trop V / V'.

    Parameters
    ----------
    orbit : Orbit
        An open file.
    product : ColumnProduct
        One of `find_columns`.
    crop : Crop
        Pixels to read.

    Returns
    -------
    ndarray, shape (scanline, ground_pixel), or None
        Derived values are NaN where the column V' is below `TINY_COLUMN`; None where the file has
        nothing to derive it from.
    """
    if product.air_mass_factor:
        return orbit.read(product.air_mass_factor, crop)
    reference = next(iter(find_columns(orbit)), None)
    if reference is None or not reference.air_mass_factor:
        return None
    slant = orbit.read(reference.air_mass_factor, crop) * orbit.read(reference.column, crop)
    column = orbit.read(product.column, crop).astype(np.float64)
    column[np.abs(column) < TINY_COLUMN] = np.nan
    return np.asarray(slant / column)


def _product(label: str, has_suffix: bool, orbit: Orbit, *, is_ours: bool) -> ColumnProduct:
    """Name a set's variables, with its own names or the standard ones."""
    suffix = f"_{label}_apriori" if has_suffix else ""
    amf = f"{TROPOSPHERIC_AMF}{suffix}"
    column = f"{TROPOSPHERIC_COLUMN}{suffix}"
    return ColumnProduct(label, column, amf if orbit.has(amf) else "", is_ours)


def _product_attribute(orbit: Orbit, name: str) -> str:
    """Attribute of the group PRODUCT as text, empty where absent."""
    group = orbit.dataset.groups.get("PRODUCT")
    return "" if group is None else str(getattr(group, name, ""))
