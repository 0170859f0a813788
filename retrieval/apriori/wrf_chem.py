"""WRF-Chem output, `wrfout_d01_...`: hybrid or sigma layers on a projected, staggered grid.

Known from working readers and the model's description (docs/formats.md 4.5): `P + PB` is the
pressure [Pa] and `PH + PHB` the geopotential [m2 s-2], the latter at the interfaces
`bottom_top_stag` (wrf-python `getvar("pres")`, `getvar("height")`; Skamarock et al., 2019,
10.5065/1dfh-6p97, chapter 3); `no2` in ppmv of dry air on `bottom_top` from the ground up and
`Times` as text (monetio `_wrfchem_mm.py`); `XLAT`, `XLONG` in the middle of cells, `XLAT_U`, ...,
in the middle of their sides; `PSFC` and `P_TOP` in Pa; `HGT` the terrain in m; `QVAPOR` in kg a kg
of dry air.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.file_set import FileSet
from retrieval.apriori.formats.local_layers import edges_midway, interfaces_by_height
from retrieval.apriori.formats.models import SECONDS, text_times
from retrieval.apriori.formats.translation import Described, Made, TranslatedSource
from retrieval.apriori.generic import open_files
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.locating import Request

    Float = NDArray[np.float64]

KIND = "WRF-Chem"
PRIORITY = 30
TAKES_TOML = True

PLANE = ("south_north", "west_east")
GRAVITY = 9.81
"""The model's own constant [m s-2]; only ratios of heights are used here."""


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file has the variables and dimensions of WRF and NO2 on its layers."""
    dataset = source.dataset()
    needed = {"Times", "XLAT", "XLONG", "P", "PB"}
    dimensions = ("Time", "bottom_top", *PLANE)
    return needed <= set(dataset.variables) and (
        dataset.variables[variable].dimensions == dimensions
    )


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open a file or a folder of files of one domain; reads coordinates only.

    Raises
    ------
    AprioriError
        If the grid moves, times cannot be read, or files differ in grid.
    """
    return open_files(KIND, [TranslatedSource.of(s, translate) for s in sources], request)


def translate(source: NetcdfSource) -> dict[str, Any]:
    """Return what a CF file would have beside or in place of WRF's variables."""
    dataset = source.dataset()
    times = text_times(dataset, "Times", str(source))
    made: dict[str, Any] = {
        "Time": Made(("Time",), times, standard_name="time", units=SECONDS),
        "pressure_of_interfaces": _pressures(dataset),
        **_plane(dataset, source),
    }
    if "HGT" in dataset.variables:
        made["HGT"] = _first(dataset, "HGT", standard_name="surface_altitude", units="m")
    for name, variable in dataset.variables.items():
        if variable.dimensions == ("Time", "bottom_top", *PLANE) and name not in ("P", "PB"):
            made[name] = Described(variable, coordinates="XLAT XLONG pressure_of_interfaces")
    if "QVAPOR" in dataset.variables:
        made["QVAPOR"] = Described(
            dataset.variables["QVAPOR"], standard_name="humidity_mixing_ratio"
        )
        for name in [n for n in made if str(getattr(made[n], "units", "")).strip() == "ppmv"]:
            made[name] = Described(made[name], units="ppmv dry")
    return made


def _first(dataset: netCDF4.Dataset, name: str, **attributes: Any) -> Made:
    """Return a variable of the grid without its times, which must not differ."""
    values = np.asarray(dataset.variables[name][...], dtype=np.float64)
    kept = dataset.variables[name].dimensions[-2:]
    return Made(kept, values.reshape(-1, *values.shape[-2:])[0], **attributes)


def _plane(dataset: netCDF4.Dataset, source: NetcdfSource) -> dict[str, Made]:
    found: dict[str, Made] = {}
    for name, unit in (("XLAT", "degrees_north"), ("XLONG", "degrees_east")):
        values = np.asarray(dataset.variables[name][...], dtype=np.float64)
        frames = values.reshape(-1, *values.shape[-2:])
        if np.ptp(frames, axis=0).max() > 1e-4:
            msg = (
                f"Invalid grid of {source}. It must stay in its place. Given {name} that moves "
                "from time to time. Give the files of a domain that does not move."
            )
            raise AprioriError(msg)
        attributes: dict[str, Any] = {
            "units": unit,
            "standard_name": "latitude" if name == "XLAT" else "longitude",
        }
        corners = _corners(dataset, name)
        if corners is not None:
            found[f"{name}_corners"] = Made((*PLANE, "corner"), corners)
            attributes["bounds"] = f"{name}_corners"
        found[name] = Made(PLANE, frames[0], **attributes)
    return found


def _corners(dataset: netCDF4.Dataset, name: str) -> Float | None:
    """Corners (y, x, 4) from `XLAT_U`, `XLONG_U`, the middles of the sides between west and east.

    A corner lies midway between two of them, one above the other, those at the ends beyond. None
    where a file has no staggered coordinates: corners are then midway between centres.
    """
    if f"{name}_U" not in dataset.variables:
        return None
    side = np.asarray(dataset.variables[f"{name}_U"][...], dtype=np.float64)
    side = side.reshape(-1, *side.shape[-2:])[0]
    if side.shape[0] < 2:
        return None
    if name == "XLONG":  # across the antimeridian
        side = side - 360.0 * np.round((side - side[0, 0]) / 360.0)
    between = 0.5 * (side[1:] + side[:-1])
    mesh = np.concatenate([2 * side[:1] - between[:1], between, 2 * side[-1:] - between[-1:]])
    return np.stack([mesh[:-1, :-1], mesh[:-1, 1:], mesh[1:, 1:], mesh[1:, :-1]], axis=-1)


def _pressures(dataset: netCDF4.Dataset) -> Made:
    """Pressures at the interfaces: ln p linear in height between the layers.

    The lowest is `PSFC`, the highest `P_TOP`, where the file has them. Without geopotential the
    interfaces lie midway in pressure.
    """
    variables = dataset.variables
    n_time, n_level, n_y, n_x = variables["P"].shape
    has_heights = {"PH", "PHB"} <= set(variables)
    top = float(np.ravel(variables["P_TOP"][...])[0]) if "P_TOP" in variables else None

    def read(index: tuple[Any, ...]) -> Float:
        time, levels, *block = index
        middles = _sum(variables, ("P", "PB"), (time, slice(None), *block))
        surface = None
        if "PSFC" in variables:
            surface = np.asarray(variables["PSFC"][(time, *block)], dtype=np.float64)
        if has_heights:
            heights = _sum(variables, ("PH", "PHB"), (time, slice(None), *block)) / GRAVITY
            edges = interfaces_by_height(middles, heights, surface, top)
            return np.asarray(edges[levels])
        edges = edges_midway(middles, is_pressure=True, surface=surface)
        edges[-1] = edges[-1] if top is None else top
        return np.asarray(edges[levels])

    return Made(
        ("Time", "bottom_top_stag", *PLANE),
        read,
        (n_time, n_level + 1, n_y, n_x),
        standard_name="air_pressure",
        units="Pa",
    )


def _sum(variables: Mapping[str, Any], names: tuple[str, str], index: tuple[Any, ...]) -> Float:
    first, second = (np.asarray(variables[n][index], dtype=np.float64) for n in names)
    return np.asarray(first + second)
