"""CMAQ and CAMx output in the convention of the Models-3 I/O API: (TSTEP, LAY, ROW, COL).

Known from the convention's documentation, its working readers and the models' descriptions
(docs/formats.md 4.6): `TFLAG` holds YYYYDDD and HHMMSS; `GDTYP`, `P_ALP`, `P_BET`, `P_GAM`,
`XCENT`, `YCENT` the projection on a sphere of 6370 km, `XORIG`, `YORIG`, `XCELL`, `YCELL` the
corners of cells in it (I/O API user manual, "Grids and coordinates"; PseudoNetCDF `ioapi.py`);
`VGLVLS` the sigma of interfaces below `VGTOP` [Pa]; METCRO3D has `ZH`, `ZF`, heights above ground
of middles and tops of layers [m], and `PRES` [Pa], METCRO2D `PRSFC` (monetio `_cmaq_mm.py`); CAMx
has `z` or `ZGRID_M`, heights of tops above ground, and `pressure` or `PRESS_MB` in mb (monetio
`_camx_mm.py`).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.file_set import FileSet
from retrieval.apriori.formats.containers import FileKind, NetcdfSource, sniff
from retrieval.apriori.formats.level_units import HEIGHT_UNITS, PRESSURE_UNITS
from retrieval.apriori.formats.levels import GivenLevels
from retrieval.apriori.formats.local_layers import edges_midway, interfaces_by_height
from retrieval.apriori.formats.translation import Described, Made, TranslatedSource
from retrieval.apriori.generic import open_files
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from pathlib import Path

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.locating import Request

    Float = NDArray[np.float64]

logger = logging.getLogger(__name__)

KIND = "I/O API (CMAQ, CAMx)"
PRIORITY = 31
TAKES_TOML = True

DIMENSIONS = ("TSTEP", "LAY", "ROW", "COL")
SPHERE = 6_370_000.0
"""Radius of the Earth of WRF, MCIP and CMAQ [m]; the TOML's `crs` says another."""
SIGMA_TYPES = (1, 2, 7)
"""`VGTYP` of pressures that are linear in sigma: hydrostatic and not, and WRF's."""
ABOVE_GROUND = 5
"""`VGTYP` of heights above ground [m]."""
_HEIGHTS = ("ZF", "z", "ZGRID_M")
"""Tops of layers above ground [m]."""
_PRESSURES = ("PRES", "pressure", "PRESS_MB")
"""Pressures in the middle of layers; the first in Pa, the others in mb where no unit is said."""
_SECONDS = "seconds since 1970-01-01 00:00:00"


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file has the dimensions, times and grid of the convention."""
    dataset = source.dataset()
    return (
        dataset.variables[variable].dimensions == DIMENSIONS
        and "TFLAG" in dataset.variables
        and {"GDTYP", "XORIG", "YORIG", "XCELL", "YCELL"} <= set(dataset.ncattrs())
    )


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open files of one grid; reads coordinates only.

    Layers are where a file of the same folder, grid and times says (METCRO3D, or CAMx's
    meteorology): pressures of interfaces, else heights. Without one they are those of the file
    itself: its own heights, else `VGLVLS`.

    Raises
    ------
    AprioriError
        If times, projection or layers cannot be understood.
    """
    beside = Beside(sources)
    crs = request.sidecar.text("crs")
    has_levels = request.sidecar.levels != GivenLevels()

    def translate(source: NetcdfSource) -> dict[str, Any]:
        return translation(source, None if has_levels else beside, crs)

    opened = open_files(KIND, [TranslatedSource.of(s, translate) for s in sources], request)
    opened.sources += beside.opened
    opened.slabs = [
        replace(slab, paths=(*slab.paths, *sorted(beside.used.get(slab.paths[0], ()))))
        for slab in opened.slabs
    ]
    opened.files = sorted({path for slab in opened.slabs for path in slab.paths})
    return opened


def translation(source: NetcdfSource, beside: Beside | None, crs: str = "") -> dict[str, Any]:
    """Return what a CF file would have beside or in place of the variables of the convention.

    Without files `beside`, levels are left to the user's TOML.
    """
    dataset = source.dataset()
    times = flags(dataset, str(source))
    made: dict[str, Any] = {
        "TFLAG": None,
        "TSTEP": Made(("TSTEP",), times, standard_name="time", units=_SECONDS),
        **_plane(dataset, str(source), crs),
    }
    levels = {} if beside is None else _levels(dataset, source, times, beside)
    made |= levels
    named = " ".join(levels)
    for name, variable in dataset.variables.items():
        if variable.dimensions == DIMENSIONS:
            units = str(getattr(variable, "units", "")).strip()
            made[name] = Described(
                variable, units=units, coordinates=named, grid_mapping=None if crs else "grid"
            )
    return made


def flags(dataset: netCDF4.Dataset, where: str) -> NDArray[np.int64]:
    """Return the times [s since 1970] of YYYYDDD, HHMMSS; those of the first variable serve all.

    Raises
    ------
    AprioriError
        If they are none.
    """
    raw = np.asarray(dataset.variables["TFLAG"][...], dtype=np.int64)
    pairs = raw[:, 0, :] if raw.ndim == 3 else raw
    day, clock = pairs[:, 0], pairs[:, 1]
    year, of_year = day // 1000, day % 1000
    hours, minutes, seconds = clock // 10000, clock // 100 % 100, clock % 100
    is_bad = (year < 1900) | (year > 2200) | (of_year < 1) | (of_year > 366)
    is_bad |= (hours > 24) | (minutes > 59) | (seconds > 59) | (clock < 0)
    if is_bad.any():
        msg = (
            f"Invalid times of {where}. TFLAG must hold YYYYDDD and HHMMSS. Given "
            f"{day[is_bad][0]}, {clock[is_bad][0]}. The file is damaged, or has no times."
        )
        raise AprioriError(msg)
    starts = (year - 1970).astype("datetime64[Y]").astype("datetime64[s]").astype(np.int64)
    return np.asarray(starts + (of_year - 1) * 86400 + hours * 3600 + minutes * 60 + seconds)


def _plane(dataset: netCDF4.Dataset, where: str, crs: str) -> dict[str, Made]:
    """Axes of centres, and the grid mapping."""
    made: dict[str, Made] = {}
    is_degrees = int(dataset.GDTYP) == 1 and not crs
    for name, letter, unit in (("COL", "X", "degrees_east"), ("ROW", "Y", "degrees_north")):
        first, step = float(dataset.getncattr(f"{letter}ORIG")), dataset.getncattr(f"{letter}CELL")
        centres = first + (np.arange(dataset.dimensions[name].size) + 0.5) * float(step)
        made[name] = Made((name,), centres, units=unit if is_degrees else "m", axis=letter)
    if not crs and not is_degrees:
        made["grid"] = Made((), np.array(0), crs_wkt=projection(dataset, where))
    elif not crs:
        made["grid"] = Made((), np.array(0), grid_mapping_name="latitude_longitude")
    return made


def projection(dataset: netCDF4.Dataset, where: str) -> str:
    """Return the projection of a grid as WKT; its origin is at XCENT, YCENT.

    Raises
    ------
    AprioriError
        If it is of a type that is not known, or lacks a parameter.
    """
    import pyproj  # a fifth of a second, needed by these files alone

    kind = int(dataset.GDTYP)
    names = ("P_ALP", "P_BET", "P_GAM", "XCENT", "YCENT")
    absent = [n for n in names if n not in dataset.ncattrs()]
    if kind not in _PROJECTIONS or absent:
        msg = (
            f"Invalid grid of {where}. GDTYP must be 1 or of {', '.join(map(str, _PROJECTIONS))}, "
            f"with {', '.join(names)}. Given {kind}{' without ' if absent else ''}"
            f"{', '.join(absent)}. Give crs = '...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    alpha, beta, gamma, x_centre, y_centre = (float(dataset.getncattr(n)) for n in names)
    terms = {
        2: {"lat_1": alpha, "lat_2": beta, "lat_0": y_centre, "lon_0": gamma},
        6: {"lat_ts": beta, "lat_0": 90.0 * np.sign(alpha), "lon_0": gamma},
        7: {"lat_ts": alpha, "lon_0": gamma},
        8: {"lat_0": alpha, "k_0": beta, "lon_0": gamma},
        9: {"lat_1": alpha, "lat_2": beta, "lat_0": y_centre, "lon_0": gamma},
        10: {"lat_0": alpha, "lon_0": gamma},
    }[kind]
    given = {"proj": _PROJECTIONS[kind], "R": SPHERE, **terms}
    try:
        x, y = pyproj.Proj(given)(x_centre, y_centre)
        return str(pyproj.CRS({**given, "x_0": -x, "y_0": -y}).to_wkt())
    except pyproj.exceptions.ProjError as error:
        reason = " ".join(str(error).split())
        msg = (
            f"Invalid grid of {where}. P_ALP, P_BET, P_GAM, XCENT and YCENT must make a "
            f"projection. Given: {reason}. Give crs = '...' in a TOML beside the file."
        )
        raise AprioriError(msg) from error


_PROJECTIONS = {2: "lcc", 6: "stere", 7: "merc", 8: "tmerc", 9: "aea", 10: "laea"}
"""Names in PROJ of the grid types LAMGRD3, POLGRD3, EQMGRD3, TRMGRD3, ALBGRD3, LEQGRD3."""


class Beside:
    """Files in the folders of a set that may say where its layers are, looked into when asked.

    Parameters
    ----------
    sources : list of NetcdfSource
        The files of the set; those in archives have nothing beside them.

    Attributes
    ----------
    used : dict
        For each file of the set the others that say where its layers are.
    """

    def __init__(self, sources: list[NetcdfSource]) -> None:
        known = {source.path for source in sources}
        folders = sorted({s.path.parent for s in sources if s.archive is None and s.path.exists()})
        self.opened = [
            NetcdfSource(path, path.name)
            for folder in folders
            for path in sorted(folder.iterdir())
            if path.is_file() and path not in known and _is_netcdf(path)
        ]
        self.used: dict[Path, set[Path]] = {}

    def find(self, dataset: netCDF4.Dataset, times: NDArray[np.int64], name: str) -> Holder | None:
        """Return a file of the same grid and times that has a variable on it, None without one."""
        for source in self.opened:
            other = source.dataset()
            if (
                name in other.variables
                and other.variables[name].dimensions == DIMENSIONS
                and "TFLAG" in other.variables
                and _same_grid(dataset, other)
            ):
                own = flags(other, str(source))
                index = {int(time): i for i, time in enumerate(own)}
                if all(int(time) in index for time in times):
                    return Holder(source, tuple(index[int(time)] for time in times))
        return None


@dataclass(frozen=True)
class Holder:
    """A file that says where layers are, and its own places of the times of the set."""

    source: NetcdfSource
    places: tuple[int, ...]

    def read(self, name: str, factor: float, index: tuple[Any, ...]) -> Float:
        """Read a block of a variable in SI; the first index is a time of the set."""
        time, *rest = index
        variable = self.source.dataset().variables[name]
        return np.asarray(variable[(self.places[time], *rest)], dtype=np.float64) * factor


def _is_netcdf(path: Path) -> bool:
    return sniff(path) in (FileKind.CLASSIC, FileKind.HDF5)


def _same_grid(one: netCDF4.Dataset, other: netCDF4.Dataset) -> bool:
    names = ("GDTYP", "P_ALP", "P_BET", "P_GAM", "XORIG", "YORIG", "XCELL", "YCELL")
    a, b = ([float(getattr(d, n, 0.0)) for n in names] for d in (one, other))
    sizes = [[d.dimensions[n].size for n in ("ROW", "COL")] for d in (one, other)]
    return sizes[0] == sizes[1] and bool(np.allclose(a, b, rtol=1e-9, atol=1e-6))


def _levels(
    dataset: netCDF4.Dataset, source: NetcdfSource, times: NDArray[np.int64], beside: Beside
) -> dict[str, Made]:
    """Pressures and heights of interfaces, else sigma: variables that say where layers are."""
    own = Holder(source, tuple(range(times.size)))

    def first(names: tuple[str, ...], dimensions: int) -> tuple[str, Holder] | None:
        for name in names:
            has = name in dataset.variables and dataset.variables[name].ndim == dimensions
            holder = own if has else beside.find(dataset, times, name)
            if holder is not None:
                logger.info("%s: layers by %s of %s", source, name, holder.source)
                if holder is not own:
                    beside.used.setdefault(source.path, set()).add(holder.source.path)
                return name, holder
        return None

    n_level, n_y, n_x = (dataset.dimensions[d].size for d in DIMENSIONS[1:])
    n = len(DIMENSIONS)
    layers = _Layers(first(_PRESSURES, n), first(_HEIGHTS, n), first(("PRSFC",), n), n_level)
    shape = (times.size, n_level + 1, n_y, n_x)
    dimensions = ("TSTEP", "LAY_interface", "ROW", "COL")
    made: dict[str, Made] = {}
    if layers.middles is not None:
        made["pressure_of_interfaces"] = Made(
            dimensions, layers.pressures, shape, standard_name="air_pressure", units="Pa"
        )
    if layers.tops is not None:
        made["height_of_interfaces"] = Made(
            dimensions, layers.heights, shape, standard_name="height", units="m"
        )
    return made or _sigma(dataset, str(source))


@dataclass(frozen=True)
class _Layers:
    """Names and files of the pressures in the middle of layers, of their tops, of the surface."""

    middles: tuple[str, Holder] | None
    tops: tuple[str, Holder] | None
    surface: tuple[str, Holder] | None
    n_level: int

    def heights(self, index: tuple[Any, ...]) -> Float:
        """Heights of interfaces above ground [m], a block by (time, interface, row, column)."""
        time, levels, *block = index
        z = _block(self.tops, (time, slice(0, self.n_level), *block))
        return np.asarray(np.concatenate([np.zeros_like(z[:1]), z])[levels])

    def pressures(self, index: tuple[Any, ...]) -> Float:
        """Pressures of interfaces [Pa], a block by (time, interface, row, column)."""
        time, levels, *block = index
        middles = _block(self.middles, (time, slice(0, self.n_level), *block))
        ground = None if self.surface is None else _block(self.surface, (time, 0, *block))
        if self.tops is None:
            edges = edges_midway(middles, is_pressure=True, surface=ground)
            return np.asarray(edges[levels])
        heights = self.heights((time, slice(None), *block))
        return np.asarray(interfaces_by_height(middles, heights, ground)[levels])


def _block(held: tuple[str, Holder] | None, index: tuple[Any, ...]) -> Float:
    if held is None:
        msg = "Invalid layers. A block is of a variable that was found. Given none. Find it first."
        raise ValueError(msg)
    name, holder = held
    return holder.read(name, _factor(holder, name), index)


def _factor(holder: Holder, name: str) -> float:
    units = str(getattr(holder.source.dataset().variables[name], "units", "")).strip().lower()
    if name in _HEIGHTS:
        return HEIGHT_UNITS.get(units, 1.0)
    return PRESSURE_UNITS.get(units, 1.0 if name in ("PRES", "PRSFC") else 100.0)


def _sigma(dataset: netCDF4.Dataset, where: str) -> dict[str, Made]:
    """Layers by the global attributes alone.

    Raises
    ------
    AprioriError
        If they are of a kind that says no pressure or height above ground.
    """
    n_level = dataset.dimensions["LAY"].size
    kind = int(getattr(dataset, "VGTYP", -1))
    edges = np.atleast_1d(np.asarray(getattr(dataset, "VGLVLS", []), dtype=np.float64))
    is_enough = edges.size > n_level and "VGTOP" in dataset.ncattrs()
    edges = edges[: n_level + 1]
    steps = np.diff(edges)
    if is_enough and kind in SIGMA_TYPES and edges[0] <= 1.0 and (steps < 0).all():
        logger.warning(
            "%s: VGLVLS are read as sigma of the surface pressure; of a WRF with hybrid levels, "
            "its default since version 4, put METCRO3D beside",
            where,
        )
        top = Made((), np.array(float(dataset.VGTOP)), units="Pa")
        terms = "sigma: VGLVLS ps: PRSFC ptop: VGTOP"
        layer = Made(("LAY",), np.arange(n_level), formula_terms=terms)
        return {"LAY": layer, "VGLVLS": Made(("LAY_interface",), edges), "VGTOP": top}
    if is_enough and kind == ABOVE_GROUND and edges[0] >= 0.0 and (steps > 0).all():
        bounds = Made(("LAY", "two"), np.stack([edges[:-1], edges[1:]], axis=1))
        middle = Made(
            ("LAY",), 0.5 * (edges[1:] + edges[:-1]),
            standard_name="height", units="m", bounds="LAY_bounds",
        )  # fmt: skip
        return {"LAY": middle, "LAY_bounds": bounds}
    msg = (
        f"Invalid levels of {where}. They must be told by {', '.join(_HEIGHTS)} or "
        f"{', '.join(_PRESSURES)} of a file beside it with the same grid and times (METCRO3D), or "
        f"by VGLVLS as sigma. Given VGTYP {kind} and {edges.size} values of VGLVLS for {n_level} "
        "layers. Put the meteorology of the run beside it."
    )
    raise AprioriError(msg)
