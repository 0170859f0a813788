"""The gate: a file's own air mass factors, recomputed from its own a priori.

Where they come out, the order of layers, the temperature factor of the absorption and the rule of
the tropopause are read as the product means them; where not, one of these is wrong, or the a priori
is another one. Every combination is tried, so that the one that closes can be named.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import NoOverlapError
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.names import TM5
from retrieval.l2.pixels import Crop
from retrieval.physics.air_mass_factors import air_mass_factor
from retrieval.physics.layers import StandardAtmosphere
from retrieval.physics.partial_columns import PixelColumns, set_columns
from retrieval.substitution.collocate import Collocator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retrieval.apriori.base import AprioriSet
    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Pixels
    from retrieval.typing import Bool, Float

LIMIT = 1.0
"""Largest median difference [%] at which air mass factors come out."""
N_PART, N_ROW, N_PIXEL = 3, 8, 256
"""Parts of an orbit that are looked at, scanlines and pixels of each: a compressed chunk of a file
is inflated whole for a single scanline of it, so that scattered ones would cost the whole file."""

TM5_MP = "TM5-MP CTMANA"
"""Kind of the sets with the a priori of products that are made with TM5."""
AS_READ, TURNED = "as read", "turned round"
WITH, WITHOUT = "with the temperature factor", "without the temperature factor"


@dataclass(frozen=True)
class Closure:
    """One way to read a file, and how far its air mass factors then are from the file's.

    Attributes
    ----------
    order, temperature, tropopause : str
        How layers, temperature factor and tropopause are taken.
    difference : float
        Median of |M / M_trop - 1| [%].
    """

    order: str
    temperature: str
    tropopause: str
    difference: float

    def __str__(self) -> str:
        taken = (f"layers {self.order}", self.temperature, f"tropopause {self.tropopause}")
        return ", ".join(part for part in taken if part)


@dataclass(frozen=True)
class Gate:
    """What came of recomputing a file's air mass factors.

    Attributes
    ----------
    source : str
        Where the a priori is from.
    n_pixel : int
    chosen : Closure
        As this package reads the file.
    others : tuple of Closure
        All other ways, the nearest first.
    """

    source: str
    n_pixel: int
    chosen: Closure
    others: tuple[Closure, ...]

    @property
    def closes(self) -> bool:
        """Whether the way that is chosen gives the file's air mass factors."""
        return self.chosen.difference <= LIMIT

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        found: dict[str, Any] = {
            "apriori": self.source,
            "pixels": self.n_pixel,
            "median_difference_percent": float(f"{self.chosen.difference:.3g}"),
            "closes": self.closes,
        }
        if not self.closes:
            found["what_closes"] = [str(one) for one in self.others if one.difference <= LIMIT]
            nearest = self.others[0] if self.others else self.chosen
            found["nearest"] = f"{nearest}: {nearest.difference:.3g} %"
        return found

    def __str__(self) -> str:
        said = (
            f"air mass factors recomputed with {self.source} differ from the file's by "
            f"{self.chosen.difference:.2g} % (median of {self.n_pixel} pixels)"
        )
        if self.closes:
            return said
        closing = [one for one in self.others if one.difference <= LIMIT]
        if closing:
            return f"{said}; they come out with {'; or '.join(map(str, closing))}"
        return f"{said}; no order of layers, temperature factor or tropopause rule closes it"


def is_own(orbit: Orbit, apriori: AprioriSet) -> bool:
    """Tell whether a set is what the product was made with: TM5-MP of TROPOMI and QA4ECV."""
    return apriori.kind == TM5_MP and orbit.names.apriori == TM5


def recompute(orbit: Orbit, apriori: AprioriSet | None = None) -> Gate | None:
    """Recompute an orbit's air mass factors on a sample of its pixels.

    Parameters
    ----------
    orbit : Orbit
        An open original file.
    apriori : AprioriSet, optional
        The product's own a priori, where the file does not carry it: TM5-MP of the day.

    Returns
    -------
    Gate or None
        None where there is no a priori to compute with, or no pixel has what is needed.

    Raises
    ------
    ProductError, AprioriError
        If something cannot be read.
    """
    if orbit.node_pressure is not None:
        return None
    source = orbit.own_apriori if apriori is None else apriori.kind
    if not source:
        return None
    parts = [part for part in _samples(orbit, apriori) if part.pixels.column.size]
    if not parts:
        return None
    found = {key: _difference(parts, *key) for key in _ways(parts[0])}
    chosen_key, *rest = found
    chosen = Closure(*chosen_key, found[chosen_key])
    others = sorted((Closure(*key, found[key]) for key in rest), key=lambda one: one.difference)
    return Gate(source, sum(part.pixels.column.size for part in parts), chosen, tuple(others))


@dataclass(frozen=True)
class _Sample:
    pixels: Pixels
    profile: Float
    factor: Float | None
    tropospheres: dict[str, Bool]


def _samples(orbit: Orbit, apriori: AprioriSet | None) -> Iterator[_Sample]:
    """Read parts of the orbit, spread over the scanlines that have a column."""
    for crop in _parts(np.isfinite(orbit.read(orbit.names.column, orbit.full))):
        blocks = OrbitBlocks(orbit, crop)
        pixels = blocks.read(slice(0, crop.shape[0]))
        try:
            profile = _profile(orbit, crop, pixels, apriori)
        except NoOverlapError:
            continue
        usable = pixels.has_kernel & pixels.has_tropopause & (profile >= 0).all(axis=1)
        index = np.flatnonzero(usable & (np.where(usable[:, None], profile, 0).sum(axis=1) > 0))
        factor = orbit.temperature_factor(crop)
        chosen = pixels.take(index)
        yield _Sample(
            chosen,
            profile[index],
            None if factor is None else factor.reshape(-1, orbit.n_layer)[index],
            _tropospheres(orbit, chosen),
        )


def _parts(has_column: Bool) -> Iterator[Crop]:
    """Choose parts of an orbit: the pixels most often seen, scanlines from end to end."""
    n_pixel = min(N_PIXEL, has_column.shape[1])
    seen = np.concatenate([[0], np.cumsum(has_column.sum(axis=0))])
    first = int(np.argmax(seen[n_pixel:] - seen[:-n_pixel]))
    columns = slice(first, first + n_pixel)
    rows = np.flatnonzero(has_column[:, columns].any(axis=1))
    if not rows.size:
        return
    starts = np.linspace(rows[0], max(rows[0], rows[-1] + 1 - N_ROW), N_PART).astype(int)
    end = 0
    for start in starts:
        begin = max(int(start), end)
        end = min(int(start) + N_ROW, has_column.shape[0])
        if begin < end:
            yield Crop(slice(begin, end), columns)


def _profile(orbit: Orbit, crop: Crop, pixels: Pixels, apriori: AprioriSet | None) -> Float:
    """Partial columns of the a priori in the layers of the file, NaN where there are none."""
    if apriori is None:
        return orbit.read_apriori(crop).astype(np.float64).reshape(-1, orbit.n_layer)
    where = pixels.geometry
    times = orbit.scanline_times(crop)
    outline = (where.latitude_bounds, where.longitude_bounds)
    values = Collocator("a priori", apriori, apriori.time_rule, times, outline).profiles(where)
    surface = pixels.surface_pressure
    air = StandardAtmosphere(surface, pixels.surface_altitude)
    columns = PixelColumns(surface, orbit.pressure_edges(surface), air)
    with np.errstate(invalid="ignore"):
        return set_columns(values.value, apriori.vertical, apriori.quantity, columns)[0]


def _tropospheres(orbit: Orbit, pixels: Pixels) -> dict[str, Bool]:
    """Rules of the tropopause, the one that is chosen first: layers that each counts."""
    chosen = pixels.is_troposphere
    n = chosen.sum(axis=1, keepdims=True)
    layer = np.arange(orbit.n_layer)
    if pixels.tropopause_pressure is None:
        return {
            "by index, the layer itself included": chosen,
            "by index, the layer itself left out": layer < n - 1,
            "by index, one layer more": layer < n + 1,
        }
    edges = orbit.pressure_edges(pixels.surface_pressure)
    pressure = pixels.tropopause_pressure[:, None]
    return {
        "by the middle of layers": chosen,
        "by the lower edge of layers": edges[:, :-1] > pressure,
        "by the upper edge of layers": edges[:, 1:] > pressure,
    }


def _ways(part: _Sample) -> Iterator[tuple[str, str, str]]:
    """Ways to read a file, the one that is chosen first."""
    factors = ("",) if part.factor is None else (WITH, WITHOUT)
    yield from product((AS_READ, TURNED), factors, part.tropospheres)


def _difference(parts: list[_Sample], order: str, temperature: str, tropopause: str) -> float:
    """Median of |M / M_trop - 1| [%] over all pixels; infinite where no M is finite."""
    ratios = []
    for part in parts:
        weights = part.pixels.weights
        if temperature == WITHOUT and part.factor is not None:
            weights = weights / part.factor
        profile = part.profile if order == AS_READ else part.profile[:, ::-1]
        amf = air_mass_factor(weights, profile, part.tropospheres[tropopause])
        ratios.append(np.abs(amf / part.pixels.amf_troposphere - 1.0))
    found = np.concatenate(ratios)
    found = found[np.isfinite(found)]
    return float(100.0 * np.median(found)) if found.size else float("inf")
