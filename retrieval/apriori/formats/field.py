"""One gridded variable of one file, served as (level, y, x) with ascending axes.

The part every reader shares: only the wanted block is read, raw, fills become NaN in place, and
axes come out in one order whatever the file's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.apriori.formats.containers import NetcdfSource, damage_as_error
from retrieval.apriori.formats.coordinates import Horizontal, horizontal, roles, text_attribute
from retrieval.apriori.formats.expver import layers_by_version, numbers_of, version_at
from retrieval.apriori.formats.planes import find_plane
from retrieval.apriori.formats.time_axis import TimeAxis, time_axis
from retrieval.errors import AprioriError
from retrieval.physics.geometry.curvilinear import rectilinear

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from retrieval.physics.geometry.curvilinear import Grid
    from retrieval.physics.geometry.grids import RectilinearGrid


@dataclass(frozen=True)
class Names:
    """Names and times a user gives where the file does not speak for itself (sidecar TOML)."""

    roles: Mapping[str, str] = field(default_factory=dict)
    crs: str = ""
    time_of_day: np.timedelta64 | None = None


@dataclass(frozen=True)
class Field:
    """Where a variable is and how its axes map to (level, y, x).

    Attributes
    ----------
    source : NetcdfSource
    name : str
        The variable.
    dimensions : tuple of str
        In the order of the file.
    level : str or None
        The level dimension; without one, `read` returns a single level.
    time : TimeAxis
    horizontal : Horizontal
    """

    source: NetcdfSource
    name: str
    dimensions: tuple[str, ...]
    roles: Mapping[str, str]
    level: str | None
    time: TimeAxis
    horizontal: Horizontal

    @property
    def times(self) -> NDArray[np.datetime64]:
        """Times of the fields, UTC, ascending."""
        return self.time.times

    @property
    def cells(self) -> Grid:
        """The horizontal grid of either kind; axes ascend."""
        return self.horizontal.grid

    @property
    def grid(self) -> RectilinearGrid:
        """The horizontal grid where it must have axes.

        Raises
        ------
        AprioriError
            If it is curvilinear.
        """
        return rectilinear(self.horizontal.grid, self.where)

    @property
    def n_level(self) -> int:
        """Number of levels in the file."""
        return 1 if self.level is None else self.source.dataset().dimensions[self.level].size

    @property
    def where(self) -> str:
        """Variable and file, for messages."""
        return f"{self.name} of {self.source}"

    def attribute(self, name: str) -> str:
        """Return an attribute of the variable as text, empty where absent."""
        return text_attribute(self.source.dataset().variables[self.name], name)

    def read(
        self, i_time: int, rows: slice, columns: slice, variable: str | None = None
    ) -> NDArray[np.floating]:
        """Read one time, shape (n_level, n_y, n_x), levels in the file's order, NaN where missing.

        Parameters
        ----------
        i_time : int
            Index into `times`.
        rows, columns : slice
            Block of the ascending grid.
        variable : str, optional
            Another variable on the same dimensions (the uncertainty).

        Returns
        -------
        ndarray of float32 (float64 where packed or stored so)
            In the unit of the file.

        Raises
        ------
        AprioriError
            If a chunk's checksum fails or the file is cut.
        """
        with damage_as_error(str(self.source)):
            stored = self.source.dataset().variables[variable or self.name]
            chosen: dict[str, Any] = dict(
                zip(self.time.dimensions, map(int, self.time.indices[i_time]), strict=True)
            )
            blocks = [
                np.concatenate(
                    [self._block(stored, chosen, ys, xs) for xs in self._x(columns)], axis=-1
                )
                for ys in self._y(rows)
            ]
            return np.concatenate(blocks, axis=-2)

    def expver(self, i_time: int) -> int | None:
        """Return the `expver` of an ERA5 field, 1 final and 5 preliminary; None if unstated."""
        with damage_as_error(str(self.source)):
            dataset = self.source.dataset()
            chosen = dict(
                zip(self.time.dimensions, map(int, self.time.indices[i_time]), strict=True)
            )
            layered = [d for d in self.dimensions if self.roles.get(d) == "merge"]
            if not layered:
                return version_at(dataset, self.name, self.time.dimensions, chosen)
            numbers = numbers_of(dataset)
            stored = dataset.variables[self.name]
            if self.level is not None:
                chosen[self.level] = 0
            for layer in layers_by_version(dataset, dataset.dimensions[layered[0]].size):
                index = {**chosen, layered[0]: layer}
                raw = np.asarray(stored[tuple(index.get(d, slice(None)) for d in self.dimensions)])
                if numbers is not None and np.isfinite(decode_values(raw, stored)).any():
                    return int(numbers[layer])
            return None

    def _x(self, columns: slice) -> list[slice]:
        return self.horizontal.x.pieces(columns)

    def _y(self, rows: slice) -> list[slice]:
        return self.horizontal.y.pieces(rows)

    def _block(
        self, stored: netCDF4.Variable[Any], chosen: dict[str, Any], ys: slice, xs: slice
    ) -> NDArray[np.floating]:
        index = dict(chosen)
        kept = []
        for dimension in stored.dimensions:
            role = self.roles.get(dimension)
            if dimension in index:
                continue
            index[dimension] = {"y": ys, "x": xs}.get(role or "", slice(None))
            kept.append(role)
        raw = np.asarray(stored[tuple(index[d] for d in stored.dimensions)])
        values = decode_values(raw, stored)
        if "merge" in kept:
            axis = kept.index("merge")
            order_of_layers = layers_by_version(self.source.dataset(), values.shape[axis])
            values = _merge(np.take(values, order_of_layers, axis=axis), axis)
            kept.remove("merge")
        order = [kept.index(role) for role in ("level", "y", "x") if role in kept]
        values = np.transpose(values, order)
        flips = (
            slice(None, None, -1 if self.horizontal.y.is_reversed else 1),
            slice(None, None, -1 if self.horizontal.x.is_reversed else 1),
        )
        values = values[(..., *flips)]
        return values if self.level is not None else values[np.newaxis]


def find_field(
    source: NetcdfSource, variable: str, names: Names | None = None, *, wanted: str = "NO2"
) -> Field:
    """Locate a variable's axes in a file; reads coordinates only.

    Raises
    ------
    AprioriError
        If the variable has no horizontal axes, unknown dimensions, or no time.
    """
    names = names or Names()
    dataset = source.dataset()
    where = f"{variable} of {source}"
    dimensions = dataset.variables[variable].dimensions
    absent = [n for n in names.roles.values() if n not in dimensions]
    if absent:
        msg = (
            f"Invalid {wanted} field {where}. Names in the TOML must be those of its dimensions "
            f"{', '.join(dimensions)}. Given {', '.join(absent)}. Correct the TOML."
        )
        raise AprioriError(msg)
    plane_2d = find_plane(dataset, variable)
    given = dict(names.roles)
    if plane_2d is not None and not {"x", "y"} & set(given):
        given |= dict(zip(("y", "x"), plane_2d.dimensions, strict=True))
    found = roles(dataset, dimensions, given)
    by_role = {role: dimension for dimension, role in found.items()}
    if "x" not in by_role or "y" not in by_role:
        msg = (
            f"Invalid {wanted} field {where}. It must lie on a grid of x and y (or longitude and "
            f"latitude). Given dimensions {', '.join(dimensions) or 'none'}. Name them with "
            "x = '...' and y = '...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    others = tuple(d for d in dimensions if found.get(d) not in ("x", "y", "level", "merge"))
    unknown = [d for d in others if d not in found and dataset.dimensions[d].size > 1]
    if unknown:
        msg = (
            f"Invalid {wanted} field {where}. Its dimensions must be time, level, y and x. Given "
            f"also {', '.join(unknown)}. Select one value of it, or name the dimensions in a TOML "
            "beside the file."
        )
        raise AprioriError(msg)
    with damage_as_error(str(source)):
        time = time_axis(
            dataset,
            variable,
            others,
            found,
            where,
            name=source.name,
            time_of_day=names.time_of_day,
        )
        x, y = by_role["x"], by_role["y"]
        plane = horizontal(dataset, variable, x, y, names.crs, where, plane=plane_2d)
    return Field(source, variable, dimensions, found, by_role.get("level"), time, plane)


def decode_values(raw: NDArray[Any], stored: Any) -> NDArray[np.floating]:
    """Turn raw numbers into physical ones, NaN where fill or missing.

    float32 without packing stays float32 and is masked in place; all else becomes float64.
    """
    missing = _missing_mask(raw, stored)
    scale = float(getattr(stored, "scale_factor", 1.0))
    offset = float(getattr(stored, "add_offset", 0.0))
    if raw.dtype == np.float32 and scale == 1.0 and offset == 0.0:
        values: NDArray[np.floating] = raw
    else:
        values = raw.astype(np.float64) * scale + offset
    if missing is not None:
        values[missing] = np.nan
    return values


def _missing_mask(raw: NDArray[Any], stored: Any) -> NDArray[np.bool_] | None:
    marks = [
        mark
        for name in ("_FillValue", "missing_value")
        for mark in np.atleast_1d(getattr(stored, name, np.array([])))
    ]
    if raw.dtype.kind == "f":
        # the default fill is missing even where a file does not say so; so is anything near it
        mask = np.abs(raw) >= np.float32(9.9e36)
    else:
        default = netCDF4.default_fillvals.get(raw.dtype.str[1:])
        if not hasattr(stored, "_FillValue") and default is not None and raw.dtype.itemsize > 1:
            marks.append(default)
        mask = np.zeros(raw.shape, dtype=bool)
    for mark in marks:
        if mark == mark:  # a NaN fill needs no mask
            mask |= raw == mark
    return mask if mask.any() else None


def _merge(values: NDArray[np.floating], axis: int) -> NDArray[np.floating]:
    """Merge final and preliminary ERA5, the final first: the first that is there."""
    layers = np.moveaxis(values, axis, 0)
    merged: NDArray[np.floating] = layers[0]
    for layer in layers[1:]:
        merged = np.where(np.isnan(merged), layer, merged)
    return merged
