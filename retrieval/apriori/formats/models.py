"""What models' files say in their own words: a table, `data/models.toml`, and its translation."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.translation import Described, Made
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.apriori.formats.containers import NetcdfSource

    Float = NDArray[np.float64]


@dataclass(frozen=True)
class Model:
    """One entry of the table; its head says what the fields are."""

    name: str
    known_from: str
    has: tuple[str, ...]
    no2: tuple[str, ...]
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tops: tuple[str, ...] = ()
    thickness: tuple[tuple[str, str], ...] = ()
    text_times: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)

    def matches(self, dataset: netCDF4.Dataset, variable: str) -> bool:
        """Tell whether a file with the NO2 variable is of this model."""
        return variable in self.no2 and any(name in dataset.variables for name in self.has)


@cache
def models() -> tuple[Model, ...]:
    """Return the table.

    Examples
    --------
    >>> [model.name for model in models()][:2]
    ['GEOS-Chem', 'GEOS-CF']
    """
    text = files("retrieval.apriori.formats").joinpath("data", "models.toml").read_text("utf-8")
    found = []
    for entry in tomllib.loads(text)["model"]:
        lists = {k: tuple(v) for k, v in entry.items() if isinstance(v, list)}
        lists |= {"thickness": tuple((a, b) for a, b in entry.get("thickness", []))}
        found.append(Model(**{**entry, **lists}))
    return tuple(found)


def text_times(dataset: netCDF4.Dataset, name: str, where: str) -> NDArray[np.int64]:
    """Return times [s since 1970] of texts such as 2023-06-01_12:00:00, UTC.

    Raises
    ------
    AprioriError
        If they are none.
    """
    raw = np.asarray(dataset.variables[name][...])
    texts = [b"".join(np.atleast_1d(row).astype("S1")).decode("ascii", "replace") for row in raw]
    try:
        clean = [text.strip("\0 ").replace("_", "T") for text in texts]
        return np.array(clean, dtype="datetime64[s]").astype(np.int64)
    except ValueError as error:
        msg = (
            f"Invalid times of {where}. Times must be texts such as 2023-06-01_12:00:00. Given "
            f"{texts[:2]}. The file is damaged."
        )
        raise AprioriError(msg) from error


LOWEST_LAYER = 72
"""Number of the layer at the ground in GEOS, counted from the top."""
LARGEST_PRESSURE = 1100.0
"""Levels given as nominal pressures [hPa] stay below this."""
SECONDS = "seconds since 1970-01-01 00:00:00"


def translate(model: Model, source: NetcdfSource) -> dict[str, Any]:
    """Return what a CF file would have beside or in place of a model's variables."""
    dataset = source.dataset()
    made: dict[str, Any] = {}
    for name, attributes in model.attributes.items():
        if name in dataset.variables:
            stored = dataset.variables[name]
            lacking = {k: v for k, v in attributes.items() if not text_attribute(stored, k)}
            lacking |= {k: v for k, v in attributes.items() if k == "standard_name"}
            made[name] = Described(stored, **lacking)
    no2 = next(name for name in model.no2 if name in dataset.variables)
    said = text_attribute(dataset.variables[no2], "units")
    if said.lower() in model.units:
        made[no2] = Described(dataset.variables[no2], units=model.units[said.lower()])
    for name in model.text_times:
        if name in dataset.variables:
            along = dataset.variables[name].dimensions[0]
            times = text_times(dataset, name, str(source))
            made[along] = Made((along,), times, standard_name="time", units=SECONDS)
    return made | _interfaces(model, dataset, no2)


def _interfaces(model: Model, dataset: netCDF4.Dataset, no2: str) -> dict[str, Made]:
    """Heights of interfaces from the tops of layers, pressures from thicknesses."""
    dimensions = dataset.variables[no2].dimensions
    for name in model.tops:
        if name in dataset.variables and dataset.variables[name].dimensions == dimensions:
            tops = dataset.variables[name]
            return {"height_of_interfaces": _made(tops, _from_tops(tops), "height", "m")}
    for name, below in model.thickness:
        if {name, below} <= set(dataset.variables):
            thickness, ground = dataset.variables[name], dataset.variables[below]
            is_top_first = _is_top_first(dataset, dimensions[-3], no2)
            read = _from_thickness(thickness, ground, is_top_first=is_top_first)
            return {"pressure_of_interfaces": _made(thickness, read, "air_pressure", "Pa")}
    return {}


def _is_top_first(dataset: netCDF4.Dataset, level: str, where: str) -> bool:
    """Tell the order of GEOS' layers: numbered from the top, 72 at the ground, or pressures.

    Raises
    ------
    AprioriError
        If the level coordinate is neither.
    """
    values = np.asarray(dataset.variables[level][...] if level in dataset.variables else [0.0])
    if values.size == 1 or not LOWEST_LAYER <= values.max() < LARGEST_PRESSURE:
        msg = (
            f"Invalid levels {level} of {where}. They must be numbered from the top to the ground, "
            f"{LOWEST_LAYER}, or be pressures in hPa. Given {values.min():g} to {values.max():g}. "
            "Give level_variable in a TOML beside the file."
        )
        raise AprioriError(msg)
    return bool(values[-1] > values[0])


def _made(stored: Any, read: Any, standard_name: str, units: str) -> Made:
    """Make a variable on the interfaces of one on (time, level, y, x)."""
    time, level, *plane = stored.dimensions
    n_time, n_level, *sizes = stored.shape
    shape = (n_time, n_level + 1, *sizes)
    dimensions = (time, f"{level}_interface", *plane)
    return Made(dimensions, read, shape, standard_name=standard_name, units=units)


def _from_tops(tops: Any) -> Any:
    def read(index: tuple[Any, ...]) -> Float:
        time, levels, *block = index
        z = np.asarray(tops[(time, slice(None), *block)], dtype=np.float64)
        return np.asarray(np.concatenate([np.zeros_like(z[:1]), z])[levels])

    return read


def _from_thickness(thickness: Any, ground: Any, *, is_top_first: bool) -> Any:
    def read(index: tuple[Any, ...]) -> Float:
        time, levels, *block = index
        layers = np.asarray(thickness[(time, slice(None), *block)], dtype=np.float64)
        surface = np.asarray(ground[(time, *block)], dtype=np.float64)
        turn = slice(None, None, -1 if is_top_first else 1)
        below = np.cumsum(layers[turn], axis=0)
        edges = np.concatenate([surface[np.newaxis], np.maximum(surface - below, 0.0)])
        return np.asarray(edges[turn][levels])

    return read
