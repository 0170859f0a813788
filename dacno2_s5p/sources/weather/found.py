"""A field at a time: where it is, on what it lies, and whether another says the same.

Pressure levels of one hour may be spread over several files, as requests are cut: such a field has
parts, which are read as one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.errors import DataError
from retrieval.apriori.formats.levels import find_levels

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retrieval.apriori.formats.field import Field
    from retrieval.typing import Float

SAME_EDGE = 1e-4
"""Edges of two grids are one to this [degree]: coordinates are stored as float32."""

SAME_PRESSURE = 0.5
"""Levels this near [Pa] are one: they are whole hPa, stored as float32 at worst."""


@dataclass(frozen=True)
class Found:
    """A field at a time: read it with `read_block`, on levels with `read_levels`.

    Attributes
    ----------
    field : Field
    index : int
        Into the field's times.
    others : tuple of Found
        Further levels of the same field and time, in other files.
    """

    field: Field
    index: int
    others: tuple[Found, ...] = ()

    @property
    def label(self) -> str:
        """Variable and file."""
        return self.field.where

    @property
    def parts(self) -> tuple[Found, ...]:
        """The field itself and what else belongs to it."""
        return (self, *self.others)


def read_block(found: Found, rows: slice, columns: slice) -> NDArray[np.floating]:
    """Read a field's block, levels in the order of the file, shape (n_level, n_y, n_x)."""
    return found.field.read(found.index, rows, columns)


def read_levels(found: Found, rows: slice, columns: slice) -> tuple[Float, Float]:
    """Return pressures [Pa] and a block of all parts, both surface first.

    Raises
    ------
    DataError
        If the levels are no pressures.
    """
    read = [_levels_of(part, rows, columns) for part in found.parts]
    pressure = np.concatenate([p for p, _ in read])
    block = np.concatenate([values for _, values in read])
    order = np.argsort(-pressure, kind="stable")  # of a level that two parts hold the first's
    is_new = np.append(True, np.diff(pressure[order]) < -SAME_PRESSURE)
    return pressure[order][is_new], block[order][is_new]


def read_at_pressures(
    found: Found, rows: slice, columns: slice, wanted: Sequence[float] | Float
) -> Float:
    """Return a block at some pressures [Pa] only, in their order.

    Raises
    ------
    DataError
        If one of them is not there, or the levels are no pressures.
    """
    pressure, block = read_levels(found, rows, columns)
    apart = np.abs(np.asarray(wanted)[:, None] - pressure)
    absent = np.asarray(wanted)[apart.min(axis=1) > SAME_PRESSURE] / 100.0
    if absent.size:
        texts = [", ".join(f"{p:g}" for p in values) for values in (np.divide(wanted, 100), absent)]
        msg = (
            f"Missing pressure levels of {found.field.where}. They must be {texts[0]} hPa. Given "
            f"none at {texts[1]}. Request them too."
        )
        raise DataError(msg)
    return np.asarray(block[apart.argmin(axis=1)])


def _levels_of(found: Found, rows: slice, columns: slice) -> tuple[Float, Float]:
    pressure, order = _pressures(found)
    if pressure is None:
        msg = (
            f"Invalid levels of {found.field.where}. They must be pressures. Given others. "
            "Request ERA5 on pressure levels."
        )
        raise DataError(msg)
    return pressure, read_block(found, rows, columns)[order]


def _pressures(found: Found) -> tuple[Float | None, NDArray[np.int64]]:
    """Pressures [Pa] surface first, None for other levels, and the file's index of each."""
    levels = find_levels(found.field)
    pressure = getattr(levels.vertical, "pressure", None)
    return None if pressure is None else np.asarray(pressure, dtype=np.float64), levels.order


def on_one_level(found: Found) -> bool:
    """Say whether a field is at the ground: the geopotential there is another variable's name."""
    return not on_many_levels(found)


def on_many_levels(found: Found) -> bool:
    """Say whether a field is on levels; a single one must be a pressure, as others are heights."""
    located = found.field
    if located.level is None or located.n_level > 1:
        return located.n_level > 1
    dataset = located.source.dataset()
    return located.level in dataset.variables and _pressures(found)[0] is not None


def same_field(one: Found, other: Found) -> bool:
    """Say whether two fields hold the same values of the same places, to the last packed digit."""
    if not _same_places(one, other):
        return False
    (levels, x), (other_levels, y) = (_by_level(found) for found in (one, other))
    if x.shape != y.shape or not np.array_equal(levels, other_levels):
        return False
    return _equal(one, other, x, y)


def are_parts(one: Found, other: Found) -> bool:
    """Say whether two fields are of one: on the same points, and equal at levels of both."""
    if not _same_places(one, other):
        return False
    (p, order), (q, other_order) = _pressures(one), _pressures(other)
    if p is None or q is None:
        return same_field(one, other)
    shared = np.abs(p[:, None] - q) <= SAME_PRESSURE
    if not shared.any():
        return True
    mine, theirs = np.nonzero(shared)
    everything = slice(None), slice(None)
    x = read_block(one, *everything)[order[mine]]
    return _equal(one, other, x, read_block(other, *everything)[other_order[theirs]])


def _same_places(one: Found, other: Found) -> bool:
    a, b = one.field, other.field
    if a.grid.shape != b.grid.shape or a.attribute("units") != b.attribute("units"):
        return False
    edges = ((a.grid.x_edges, b.grid.x_edges), (a.grid.y_edges, b.grid.y_edges))
    return all(np.allclose(p, q, rtol=0.0, atol=SAME_EDGE) for p, q in edges)


def _equal(one: Found, other: Found, x: NDArray[np.floating], y: NDArray[np.floating]) -> bool:
    step = sum(float(f.field.attribute("scale_factor") or 0.0) for f in (one, other))
    return bool(np.allclose(x, y, rtol=0.0, atol=step, equal_nan=True))


def _by_level(found: Found) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return a field's level coordinates, ascending, and its values in that order."""
    everything = slice(None), slice(None)
    values = read_block(found, *everything)
    name, dataset = found.field.level, found.field.source.dataset()
    if name is None or name not in dataset.variables:
        return np.zeros(0), values
    levels = np.asarray(dataset.variables[name][...], dtype=np.float64)
    order = np.argsort(levels)
    return levels[order], values[order]
