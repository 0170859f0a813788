"""The layout of AUX_CTMANA and AUX_CTMFCT files of TM5-MP (docs/formats.md 3).

Flat files, one a day, 48 half hours, 34 layers surface first between the interfaces `hyai` [Pa],
`hybi`; `no2` as mole fraction, `t` [K], `ps` [Pa].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retrieval.files.names import parse_ctm

if TYPE_CHECKING:
    import netCDF4


def is_ctmana(dataset: netCDF4.Dataset, variable: str = "no2") -> bool:
    """Tell whether a file has TM5-MP's interfaces, surface pressure, and a 4-D `variable`."""
    needed = {"hyai", "hybi", "ps", variable}
    return needed <= set(dataset.variables) and dataset.variables[variable].ndim == 4


def preference(name: str) -> tuple[bool, int]:
    """Sort key of file names: analyses before forecasts, later versions before earlier ones."""
    parsed = parse_ctm(name)
    if parsed is None:
        return True, 0
    return parsed.product != "AUX_CTMANA", -int(parsed.created.astype(int))


def surface_altitude_name(dataset: netCDF4.Dataset) -> str | None:
    """Return the variable of the model orography [m], where there is one."""
    names = ("surface_altitude", "oro", "orography")
    return next(
        (n for n in names if n in dataset.variables and dataset.variables[n].ndim == 2), None
    )
