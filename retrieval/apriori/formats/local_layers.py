"""Layers whose pressure or height is a field itself: found, read by block, packed as profiles.

Models on coordinates that follow the terrain write where their layers are as fields beside the
concentrations: at interfaces, which are taken as they are, or at the middle of layers, whose
interfaces then lie midway, the lowest at the ground. `LocalLayers` says how they are packed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.level_units import HEIGHT_UNITS, PRESSURE_UNITS
from retrieval.errors import AprioriError
from retrieval.physics.levels import LocalLayers

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.formats.field import Field

    Float = NDArray[np.float64]

ReadLayers = Callable[[int, slice, slice], "NDArray[np.float64]"]
"""From time, rows, columns to (n_layer + 1, n_y, n_x): thicknesses, surface first, and the top."""

KINDS = {
    "air_pressure": "pressure",
    "height": "height",
    "altitude": "altitude",
    "height_above_mean_sea_level": "altitude",
}
"""CF standard names of fields that say where layers are, and the kind of coordinate."""

TERRAIN = ("surface_altitude",)
SURFACE_PRESSURE = ("surface_air_pressure",)
"""CF standard names of what lies below."""


@dataclass(frozen=True)
class Found:
    """Local layers of a field.

    Attributes
    ----------
    vertical : LocalLayers
    order : ndarray of int
        Place of each layer, surface first, in the file.
    read : callable
        `ReadLayers`.
    """

    vertical: LocalLayers
    order: NDArray[np.int64]
    read: ReadLayers


@dataclass(frozen=True)
class Below:
    """Variables that say where the ground is, named by the user; empty means: by standard name."""

    terrain: str = ""
    surface_pressure: str = ""


def candidates(field: Field, *, is_height_first: bool) -> list[tuple[str, str]]:
    """Return the variables (name, kind) that say where the layers of a field are, the best first.

    Mixing ratios want pressures, for x = v dp / (g M), concentrations heights, for x = n dz;
    interfaces go before middles.
    """
    dataset = field.source.dataset()
    named = field.attribute("coordinates").split()
    found = []
    for name, variable in dataset.variables.items():
        kind = KINDS.get(text_attribute(variable, "standard_name"), "")
        is_named = name in named and text_attribute(variable, "units").lower() in PRESSURE_UNITS
        kind = kind or ("pressure" if is_named else "")
        if kind and fits(field, name):
            found.append((name, kind))

    def rank(item: tuple[str, str]) -> tuple[bool, bool]:
        return (item[1] == "pressure") is is_height_first, n_along(field, item[0]) == field.n_level

    return sorted(found, key=rank)


def fits(field: Field, name: str) -> bool:
    """Tell whether a variable lies on the plane of a field, and on its layers or interfaces."""
    dataset = field.source.dataset()
    dimensions = dataset.variables[name].dimensions
    plane = [d for d in field.dimensions if field.roles.get(d) in ("x", "y")]
    rest = [d for d in dimensions if d not in plane and d not in field.time.dimensions]
    if not set(plane) <= set(dimensions) or len(rest) != 1:
        return False
    n = dataset.dimensions[rest[0]].size
    return n == field.n_level + 1 or (rest[0] == field.level and n == field.n_level)


def n_along(field: Field, name: str) -> int:
    """Return the number of layers or interfaces of a variable that fits."""
    return beside(field, name).n_level


def beside(field: Field, name: str) -> Field:
    """Return another variable of the same grid and times as a field, on levels of its own."""
    dimensions = field.source.dataset().variables[name].dimensions
    known = {d: r for d, r in field.roles.items() if r != "level"}
    level = next((d for d in dimensions if d not in (*known, *field.time.dimensions)), None)
    roles = known if level is None else {**known, level: "level"}
    return replace(field, name=name, dimensions=dimensions, roles=roles, level=level)


def local_layers(field: Field, name: str, kind: str, below: Below | None = None) -> Found:
    """Build the layers of a field from a variable that says where they are.

    Parameters
    ----------
    field : Field
        On levels.
    name : str
        Variable at the middles or interfaces of the layers.
    kind : str
        "pressure", "height" above ground, or "altitude" above sea level.
    below : Below, optional
        Names of the terrain, needed for altitudes, and of the surface pressure. Without a surface
        pressure the lowest layer reaches as far below its middle as above.

    Raises
    ------
    AprioriError
        If the variable does not lie on the grid and layers, has no unit, or there is no terrain.
    """
    below = below or Below()
    where = f"{name} of {field.source}"
    dataset = field.source.dataset()
    if name not in dataset.variables or not fits(field, name):
        dims = ", ".join(dataset.variables[name].dimensions) if name in dataset.variables else "no"
        msg = (
            f"Invalid levels {where}. They must lie on the grid of {field.name}, with its "
            f"{field.n_level} layers or {field.n_level + 1} interfaces. Given {dims} dimensions. "
            "Name another variable."
        )
        raise AprioriError(msg)
    levels = beside(field, name)
    is_pressure = kind == "pressure"
    factor = _factor(dataset, name, PRESSURE_UNITS if is_pressure else HEIGHT_UNITS)
    is_edges = levels.n_level == field.n_level + 1
    ground: tuple[Field, float] | None = None
    if kind == "altitude":
        ground = _ground(field, below.terrain, TERRAIN, HEIGHT_UNITS, where)
        if ground is None:
            raise AprioriError(no_terrain_message(where))
    elif is_pressure and not is_edges:
        ground = _ground(field, below.surface_pressure, SURFACE_PRESSURE, PRESSURE_UNITS, where)

    def read(i_time: int, rows: slice, columns: slice) -> Float:
        values = levels.read(i_time, rows, columns).astype(np.float64)[turn] * factor
        surface = None
        if ground is not None:
            surface = ground[0].read(i_time, rows, columns)[0].astype(np.float64) * ground[1]
        if kind == "altitude" and surface is not None:
            values, surface = values - surface, None
        edges = values if is_edges else edges_midway(values, is_pressure, surface)
        return packed(edges, is_pressure, where)

    turn = slice(None, None, -1 if _is_top_first(levels, is_pressure) else 1)
    order = np.arange(field.n_level)[turn]
    return Found(LocalLayers(field.n_level, is_pressure), order, read)


def no_terrain_message(where: str) -> str:
    """Return what to say of altitudes without a terrain."""
    return (
        f"Invalid levels {where}. Altitudes above sea level need the terrain, to be heights above "
        "ground. Given no surface_altitude. Name it with terrain = '...' in a TOML beside the "
        "file, or give level_kind = 'height' if they are heights."
    )


def _factor(dataset: netCDF4.Dataset, name: str, table: dict[str, float]) -> float:
    units = text_attribute(dataset.variables[name], "units").lower()
    if units not in table:
        msg = (
            f"Invalid unit of {name}. It must be of {', '.join(table)}. Given {units!r}. Correct "
            "the attribute units."
        )
        raise AprioriError(msg)
    return table[units]


def _ground(
    field: Field, given: str, standard_names: tuple[str, ...], table: dict[str, float], where: str
) -> tuple[Field, float] | None:
    """Return a field on the plane and its factor to SI: the given one, else by standard name."""
    variables = field.source.dataset().variables
    plane = {d for d in field.dimensions if field.roles.get(d) in ("x", "y")}
    on_plane = [
        n
        for n, v in variables.items()
        if plane <= set(v.dimensions) and set(v.dimensions) <= plane | set(field.time.dimensions)
    ]
    said = [n for n in on_plane if text_attribute(variables[n], "standard_name") in standard_names]
    if given and given not in on_plane:
        msg = (
            f"Invalid levels {where}. The ground must be a variable on the grid of the field. "
            f"Given {given!r}. Correct the TOML."
        )
        raise AprioriError(msg)
    name = given or next(iter(said), "")
    if not name:
        return None
    return beside(field, name), _factor(field.source.dataset(), name, table)


def _is_top_first(levels: Field, is_pressure: bool) -> bool:
    middle = levels.horizontal.grid.shape[0] // 2
    row = levels.read(0, slice(middle, middle + 1), slice(None))
    first, last = row[0], row[-1]
    is_known = np.isfinite(first) & np.isfinite(last)
    return bool(is_known.any() and ((first > last)[is_known].mean() > 0.5) != is_pressure)


def edges_midway(middles: Float, is_pressure: bool, surface: Float | None = None) -> Float:
    """Return interfaces midway between the middles of layers, surface first.

    The lowest is the surface where that is known, the ground for heights, else as far below the
    lowest middle as the next interface is above it; the top one likewise, and not below vacuum.
    Two middles at least.

    Examples
    --------
    >>> edges_midway(np.array([950.0, 850.0, 700.0]), is_pressure=True).tolist()
    [1000.0, 900.0, 775.0, 625.0]
    >>> edges_midway(np.array([10.0, 30.0]), is_pressure=False).tolist()
    [0.0, 20.0, 40.0]
    """
    between = 0.5 * (middles[1:] + middles[:-1])
    if not is_pressure:
        between = np.where(middles[:-1] < 0.0, 0.0, between)  # levels below ground count nothing
    low = np.zeros_like(middles[:1])
    if surface is not None:
        low = surface[np.newaxis]
    elif is_pressure:
        low = 2.0 * middles[:1] - between[:1]
    top = 2.0 * middles[-1:] - between[-1:]
    return np.concatenate([low, between, np.maximum(top, 0.0) if is_pressure else top])


def packed(edges: Float, is_pressure: bool, where: str) -> Float:
    """Pack interfaces, surface first, as `LocalLayers` wants them.

    Heights below ground are at the ground, where layers have no thickness; the lowest layer above
    reaches down to it.

    Raises
    ------
    AprioriError
        If the interfaces do not rise.
    """
    if not is_pressure:
        edges = np.maximum(edges, 0.0)
        edges[0] = np.where(np.isnan(edges[0]), edges[0], 0.0)
    thickness = np.diff(edges, axis=0)
    if is_pressure:
        thickness = -thickness
    if (thickness < 0.0).any() or (edges[-1] < 0.0).any():
        layer = int(np.argmax((thickness < 0.0).any(axis=(1, 2))))
        msg = (
            f"Invalid levels {where}. Layers must follow each other from the surface up. Given one "
            f"that turns back, layer {layer} from the surface. The file is damaged, or this is "
            "no coordinate of its layers."
        )
        raise AprioriError(msg)
    return np.concatenate([thickness, edges[-1:]])


def interfaces_by_height(
    pressure: Float, height_edges: Float, surface: Float | None = None, top: float | None = None
) -> Float:
    """Return pressures of interfaces from those of middles and the heights of interfaces.

    ln p is linear in height between the middles of neighbouring layers, and goes on so beyond
    the lowest and the highest: exact where a layer's temperature is that of its neighbours.

    Parameters
    ----------
    pressure : ndarray, shape (n, ...)
        In the middle of layers, surface first [Pa].
    height_edges : ndarray, shape (n + 1, ...)
        Heights of the interfaces [m], over any datum.
    surface : ndarray, optional
        Pressure of the lowest interface [Pa], where known.
    top : float, optional
        Pressure of the highest [Pa], where known.

    Examples
    --------
    An isothermal atmosphere with a scale height of 8 km.

    >>> z = np.array([0.0, 1000.0, 3000.0])
    >>> middles = 1e5 * np.exp(-0.5 * (z[1:] + z[:-1]) / 8000.0)
    >>> found = interfaces_by_height(middles, z)
    >>> np.allclose(found, 1e5 * np.exp(-z / 8000.0), rtol=1e-12)
    True
    """
    z = 0.5 * (height_edges[1:] + height_edges[:-1])
    log_p = np.log(pressure)
    slope = np.diff(log_p, axis=0) / np.diff(z, axis=0)
    slope = np.concatenate([slope[:1], slope, slope[-1:]])
    base = np.concatenate([log_p[:1], log_p])
    at = np.concatenate([z[:1], z])
    edges = np.exp(base + slope * (height_edges - at))
    if surface is not None:
        edges[0] = surface
    if top is not None:
        edges[-1] = top
    return np.asarray(edges)
