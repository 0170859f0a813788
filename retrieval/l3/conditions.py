"""Whether orbits hold what a map asks of them: products and variables of conditions, by name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from retrieval.errors import ProductError
from retrieval.l2.columns import find_columns, find_model_columns
from retrieval.l2.open_orbit import open_lenient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from retrieval.l2.orbit import Orbit

LAND_WATER = "land_water"
"""What may be asked of pixels beside variables of the file: 0 land, 1 water, 2 and 3 coast."""
UTC_HOUR = "utc_hour"
"""The time of day of a pixel's scanline [hours, UTC], with fractions: hourly means of an area."""


def check_request(paths: Iterable[Path], products: Sequence[str], variables: Sequence[str]) -> None:
    """Refuse names that no orbit holds, once and not for each orbit.

    Parameters
    ----------
    paths : iterable of Path
        L2 NO2 files; no more are opened than it takes to find one that holds all. Those that
        cannot be read are left to be reported one by one.
    products : sequence of str
        Labels of columns.
    variables : sequence of str
        What conditions on pixels are about.

    Raises
    ------
    ValueError
        If none of the files that can be read holds all of them, with names that are close.
    """
    first = ""
    for path in paths:
        try:
            with open_lenient(path) as orbit:
                lacking = [_no_product(orbit, one) for one in products]
                lacking += [no_variable(orbit, one) for one in variables]
        except ProductError:
            continue
        found = next(filter(None, lacking), "")
        if not found:
            return
        first = first or found
    if first:
        raise ValueError(first)


def no_variable(orbit: Orbit, name: str) -> str:
    """Say that an orbit has no values on its pixels under a name; empty where it has."""
    known = [LAND_WATER, UTC_HOUR, *filter(lambda one: _is_on_pixels(orbit, one), orbit.variables)]
    if name in known:
        return ""
    return (
        f"Invalid condition on {name}. It must be about a variable of the orbits with one number "
        f"a pixel. Given {orbit.path.name}, which has no such variable {name}. "
        f"{_advice(name, known)}"
    )


def _no_product(orbit: Orbit, label: str) -> str:
    known = [product.label for product in (*find_columns(orbit), *find_model_columns(orbit))]
    if label in known:
        return ""
    return (
        f"Invalid product {label!r}. It must be a column of the orbits. Given {orbit.path.name}, "
        f"which holds {', '.join(known)}. {_advice(label, known)}"
    )


def _is_on_pixels(orbit: Orbit, name: str) -> bool:
    variable = orbit.variables[name]
    is_number = getattr(variable.dtype, "kind", "") in ("f", "i", "u")
    return is_number and variable.shape == orbit.variables[orbit.names.latitude].shape


def _advice(name: str, known: Sequence[str]) -> str:
    upper = {one.upper(): one for one in known}
    close = [upper[one] for one in get_close_matches(name.upper(), list(upper), n=3)]
    return f"Did you mean {' or '.join(close)}?" if close else "Correct the name."
