"""Which tropospheric columns a file holds, and with which a priori each was made.

Besides the column of the L2 file these are the sets of a re-retrieved file, in either layout, and
columns that others added: KNMI's European files have one with the CAMS a priori, whose name and
group are only known by example, so that any name of that kind is taken (docs/formats.md 2).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import h5py
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.archives import is_zip, orbit_content, orbit_members
from retrieval.files.names import parse_s5p
from retrieval.l2.names import TROPOSPHERIC_COLUMN
from retrieval.l2.open_orbit import sensors

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop

TINY_COLUMN = 1e-7
"""Columns below this [mol m-2] give no air mass factor: 6e12 molecules cm-2."""


@dataclass(frozen=True)
class ColumnProduct:
    """A tropospheric column of a file.

    Attributes
    ----------
    label : str
        Name of the a priori: "TM5" or what the product has, "DACNO2", "CAMS_Europe" (KNMI's), ...
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


_NO_COLUMN = "precision|uncertainty|air_mass_factor"
"""What follows the column's name in those of its qualifying variables."""


class OrbitKind(StrEnum):
    """What a file in a folder of orbits is, at a glance."""

    ORIGINAL = "an original orbit"
    RERETRIEVED = "a re-retrieved orbit"
    SIDE = "a side file, to be merged with its orbit"
    OTHER = "no L2 NO2 orbit"
    DAMAGED = "a damaged file"


def orbit_kind(path: Path) -> OrbitKind:
    """Say what a file is without reading more than its head."""
    try:
        with path.open("rb") as file:
            if file.read(3) == b"CDF":  # classic netCDF: a model's file
                return OrbitKind.OTHER
        if is_zip(path):
            members = orbit_members(path)
            if len(members) != 1:
                return OrbitKind.OTHER
            name = parse_s5p(PurePosixPath(members[0]).name)
            if name is not None and not name.suffix:  # as delivered: not unpacked to be looked at
                return OrbitKind.ORIGINAL if name.product == "L2__NO2___" else OrbitKind.OTHER
            path = orbit_content(path).path
        with h5py.File(path, "r") as content:
            groups = [
                content[group]
                for one in sensors()
                for group in {one.names.group, one.names.group.split("/")[-1]}  # with data/ or not
                if isinstance(content.get(f"{group}/{one.names.column}"), h5py.Dataset)
            ]
            if not groups:
                is_side = any(_is_side(content.get(one.names.group)) for one in sensors())
                return OrbitKind.SIDE if is_side else OrbitKind.OTHER
            is_ours = any("apriori_sets" in group.attrs for group in groups)
    except (OSError, RuntimeError, KeyError, ProductError):
        return OrbitKind.DAMAGED
    return OrbitKind.RERETRIEVED if is_ours else OrbitKind.ORIGINAL


def _is_side(group: object) -> bool:
    return isinstance(group, h5py.Group) and "apriori_sets" in group.attrs


def reretrieved_sets(orbit: Orbit) -> list[str]:
    """Names of the a-priori sets that a file was re-retrieved with, the primary first."""
    text = orbit.group_attribute("apriori_sets")
    return text.split()


def is_replaced(orbit: Orbit) -> bool:
    """Tell whether the standard names carry the primary set."""
    return orbit.group_attribute("apriori_layout") == "replace"


def find_columns(orbit: Orbit) -> list[ColumnProduct]:
    """List the tropospheric columns of a file: the product's own, our sets, others' columns.

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
    found = [_product(orbit.names.apriori, replaced, orbit, is_ours=False)]
    for i, name in enumerate(ours):
        has_standard_name = replaced and i == 0
        found.append(_product(name, not has_standard_name, orbit, is_ours=True))
    known = {product.column for product in found} | {
        f"{orbit.names.column}{orbit.names.original_suffix}"
    }
    precision = orbit.names.own(f"{TROPOSPHERIC_COLUMN}_precision")
    known |= {f"{precision}_{name}_apriori" for name in (*ours, orbit.names.apriori)}
    added = re.compile(rf"{orbit.names.column}_(?!{_NO_COLUMN})(?P<label>\w*apriori\w*)")
    for name in orbit.variables:
        match = added.fullmatch(name)
        if match and name not in known:
            label = "_".join(part for part in match["label"].split("_") if part != "apriori")
            found.append(ColumnProduct(label or "added", name, "", is_ours=False))
    return [product for product in found if orbit.has(product.column)]


KERNEL, MODEL = "_kernel", "_model"
"""Ends of the labels of a model's own columns: as the instrument would see it, and as it is."""


def find_model_columns(orbit: Orbit) -> list[ColumnProduct]:
    """List the models' own columns in a re-retrieved file: `S_kernel` and `S_model` of each set.

    No observation is in `S_model`; in `S_kernel` it is the kernel of the L2 file. `TM5_model` is
    that of the file's own a priori.
    """
    sets, own = reretrieved_sets(orbit), orbit.names.apriori
    names = {f"{s}{KERNEL}": f"apriori_tropospheric_column_{s}_kernel" for s in sets}
    names |= {f"{s}{MODEL}": f"apriori_tropospheric_column_{s}" for s in (*sets, own)}
    return [
        ColumnProduct(label, column, "", is_ours=True)
        for label, column in sorted(names.items())
        if orbit.has(column)
    ]


def is_of_model(label: str) -> bool:
    """Tell whether a label is of a model's own column."""
    return label.endswith((KERNEL, MODEL))


def column_title(label: str) -> str:
    """Return what a column is in words.

    Examples
    --------
    >>> column_title("CAMS"), column_title("CAMS_kernel"), column_title("CAMS_model")
    ('CAMS a priori', 'CAMS as the instrument sees it', 'CAMS itself')
    """
    if label.endswith(KERNEL):
        return f"{label.removesuffix(KERNEL)} as the instrument sees it"
    return f"{label.removesuffix(MODEL)} itself" if label.endswith(MODEL) else f"{label} a priori"


def read_column(orbit: Orbit, product: ColumnProduct, crop: Crop) -> NDArray[np.floating]:
    """Read a column on a crop [mol m-2], shape (scanline, ground_pixel), NaN where fill."""
    return orbit.read_column(product.column, crop)


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
    slant = orbit.read(reference.air_mass_factor, crop) * read_column(orbit, reference, crop)
    column = read_column(orbit, product, crop).astype(np.float64)
    column[np.abs(column) < TINY_COLUMN] = np.nan
    return np.asarray(slant / column)


def _product(label: str, has_suffix: bool, orbit: Orbit, *, is_ours: bool) -> ColumnProduct:
    """Name a set's variables, with its own names or the standard ones."""
    suffix = f"_{label}_apriori" if has_suffix else ""
    amf = f"{orbit.names.amf}{suffix}"
    column = f"{orbit.names.column}{suffix}"
    return ColumnProduct(label, column, amf if orbit.has(amf) else "", is_ours)
