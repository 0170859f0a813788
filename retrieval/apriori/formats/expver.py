"""Which version of ERA5 a field is: final (`expver` 1) or preliminary (5), ERA5T.

Layout: docs/formats.md 5.1.
The old data store made `expver` a dimension where months of both were mixed, numbers in either
order; the new one writes text, `0001` or `0005`, for each time; it may also stand as an attribute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

NAME = "expver"

FINAL, PRELIMINARY = 1, 5

ORDER = (FINAL, PRELIMINARY)
"""The final one comes first; other numbers are experiments, and rank nowhere."""


def version_number(value: object) -> int | None:
    """Return the number of an `expver`, as text or number; None where it is none.

    Examples
    --------
    >>> version_number("0005"), version_number(1), version_number(b"0001"), version_number("")
    (5, 1, 1, None)
    """
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    try:
        return int(float(text.strip("\x00 ")))
    except ValueError:
        return None


def names_of(dataset: netCDF4.Dataset) -> list[str]:
    """Return the variables that say versions: unpacked GRIB has one for each axis of times."""
    return [n for n in dataset.variables if n == NAME or n.startswith(f"{NAME}_")]


def numbers_of(dataset: netCDF4.Dataset, name: str = NAME) -> NDArray[Any] | None:
    """Return the numbers of a variable `expver`, None where there is none; -1 for no number."""
    if name not in dataset.variables:
        return None
    raw = np.asarray(dataset.variables[name][...])
    if raw.dtype.kind == "S" and raw.dtype.itemsize == 1 and raw.ndim:
        raw = netCDF4.chartostring(raw)
    numbers = [version_number(value) for value in np.ravel(raw)]
    return np.array([-1 if n is None else n for n in numbers]).reshape(np.shape(raw))


def may_hold_version(dataset: netCDF4.Dataset, number: int) -> bool:
    """Say whether a file may have fields of a version: no variable says that all are of others."""
    said = [numbers_of(dataset, name) for name in names_of(dataset)]
    return not said or any(n is not None and bool((n == number).any()) for n in said)


def layers_by_version(dataset: netCDF4.Dataset, n_layer: int) -> list[int]:
    """Return the layers along a dimension `expver`, final ones first, whatever the file's order."""
    numbers = numbers_of(dataset)
    if numbers is None or numbers.shape != (n_layer,):
        return list(range(n_layer))
    known = [int(n) for n in numbers]
    return sorted(
        range(n_layer), key=lambda i: ORDER.index(known[i]) if known[i] in ORDER else len(ORDER)
    )


def numbers_along(
    dataset: netCDF4.Dataset, dimensions: Sequence[str]
) -> tuple[NDArray[Any], tuple[str, ...]] | None:
    """Return the numbers that lie along time dimensions, and along which; None without any."""
    for name in names_of(dataset):
        numbers = numbers_of(dataset, name)
        own = dataset.variables[name].dimensions
        if numbers is not None and set(own[: numbers.ndim]) <= set(dimensions):
            return numbers, own[: numbers.ndim]
    return None


def version_at(
    dataset: netCDF4.Dataset, variable: str, dimensions: Sequence[str], index: Mapping[str, int]
) -> int | None:
    """Return the version of a field that has no dimension `expver`, None where nothing says it.

    Parameters
    ----------
    dataset : netCDF4.Dataset
    variable : str
    dimensions : sequence of str
        The time dimensions of the variable.
    index : mapping of str to int
        Index of the field along each.
    """
    said = numbers_along(dataset, dimensions)
    if said is not None:
        numbers, own = said
        found = int(numbers[tuple(index[d] for d in own)])
        return None if found < 0 else found
    for holder in (dataset.variables[variable], dataset):
        for name in (NAME, f"GRIB_{NAME}"):
            if name in holder.ncattrs():
                return version_number(holder.getncattr(name))
    return None
