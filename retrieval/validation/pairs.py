"""A pixel and what was measured below it at that time: pairs of satellite and ground columns.

The default rule is that of the S5P Mission Performance Centre (Verhoelst et al., AMT 14, 481,
2021, doi 10.5194/amt-14-481-2021, section 3): the pixel that contains the station, the mean of the
reference within 30 minutes, the recommended quality. The same pairs serve every a priori, so that
before and after differ by the a priori alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import RetrievalError
from retrieval.l2.columns import find_columns, read_column
from retrieval.l2.identity import identify
from retrieval.l2.open_orbit import open_lenient
from retrieval.l2.pixels import Crop
from retrieval.validation.ground_columns import USED_FLAGS, GroundColumns
from retrieval.validation.locate import Rule, arc_length, locate_points, unit_vectors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from retrieval.l2.orbit import Orbit
    from retrieval.typing import Float

logger = logging.getLogger(__name__)

MARGIN = 1.5
"""Scanlines with centres this near to a station in latitude are read [degrees]."""

ALTITUDE_STEP = 200.0
"""A station this much [m] above or below its pixel's ground is marked."""


class Matching(StrEnum):
    """Which pixels stand for a station."""

    CONTAINS = "contains"
    """The pixel that contains it."""
    NEAREST = "nearest"
    """The pixel with the nearest centre, whether it contains the station or not."""
    RADIUS = "radius"
    """The mean of all pixels with centres within a radius."""


class Stratosphere(StrEnum):
    """What is taken off a total column of the direct sun."""

    SATELLITE = "satellite"
    """The satellite's own stratospheric column: its error is in neither."""
    CLIMATOLOGY = "climatology"
    """The climatology in the ground file."""


@dataclass(frozen=True)
class PairOptions:
    """How satellite and ground are brought together.

    Attributes
    ----------
    window : timedelta64
        Half width of the time window of the reference.
    matching : Matching
        See there.
    radius : float
        Of `radius`, and the farthest centre of `nearest` [m].
    flags : tuple of int
        Quality flags of the reference that count.
    stratosphere : Stratosphere
        For references of total columns.
    qa : int
        Pixels with a higher quality value count [percent].
    """

    window: np.timedelta64 = field(default_factory=lambda: np.timedelta64(30, "m"))
    matching: Matching = Matching.CONTAINS
    radius: float = 20_000.0
    flags: tuple[int, ...] = USED_FLAGS
    stratosphere: Stratosphere = Stratosphere.SATELLITE
    qa: int = 75


@dataclass(frozen=True)
class Pair:
    """One overpass of one station; columns in mol m-2, NaN where missing.

    Attributes
    ----------
    columns : dict of str to float
        Satellite columns by a priori, the operational one first.
    reference_column, reference_uncertainty, reference_spread : float
        Mean of the reference in the window, its mean uncertainty (errors of minutes apart are much
        the same), and the standard deviation of the measurements.
    """

    station: str
    network: str
    latitude: float
    longitude: float
    altitude_m: float
    sensor: str
    version: str
    granule: str
    scanline: int
    ground_pixel: int
    time: np.datetime64
    n_reference: int
    reference_column: float
    reference_uncertainty: float
    reference_spread: float
    stratospheric_column: float
    columns: dict[str, float]
    qa_value: float
    cloud_radiance_fraction: float
    contains_station: bool
    distance_km: float
    flags: str

    def row(self) -> dict[str, object]:
        """Return the pair as a row of `pairs.csv`."""
        values = {k: v for k, v in self.__dict__.items() if k not in {"columns", "flags"}}
        values["time"] = f"{self.time}Z"
        values["contains_station"] = int(self.contains_station)
        return (
            values
            | {f"column_{name}": column for name, column in self.columns.items()}
            | {"flags": self.flags}
        )


def make_pairs(
    orbits: Iterable[Path], ground: Sequence[GroundColumns], options: PairOptions | None = None
) -> list[Pair]:
    """Find the pairs of orbits and stations, by station and time.

    Parameters
    ----------
    orbits : iterable of Path
        Original or re-retrieved files; one is open at a time.
    ground : sequence of GroundColumns
    options : PairOptions, optional

    Raises
    ------
    RetrievalError
        If a file cannot be read.
    """
    options = options or PairOptions()
    kept = usable(ground, options)
    return distinct([p for path in orbits for p in pair_orbit(path, kept, options)], options)


def usable(ground: Sequence[GroundColumns], options: PairOptions) -> list[GroundColumns]:
    """Return the measurements that count, and tell how many those are."""
    kept = [g.usable(options.flags) for g in ground]
    for whole, part in zip(ground, kept, strict=True):
        logger.info("%s: %d of %d measurements count", whole.station, len(part), len(whole))
    return kept


def pair_orbit(path: Path, ground: Sequence[GroundColumns], options: PairOptions) -> list[Pair]:
    """Return the pairs of one orbit.

    Raises
    ------
    RetrievalError
        If the file cannot be read.
    """
    with open_lenient(path) as orbit:
        return _of_orbit(orbit, ground, options)


def _of_orbit(orbit: Orbit, ground: Sequence[GroundColumns], options: PairOptions) -> list[Pair]:
    crop = _crop(orbit, ground)
    if crop is None or not ground:
        return []
    scene = _Scene(orbit, crop)
    rule = Rule.CONTAINS if options.matching is Matching.CONTAINS else Rule.NEAREST
    found = locate_points(
        [g.latitude for g in ground],
        [g.longitude for g in ground],
        scene.latitude,
        scene.longitude,
        *orbit.read_corners(crop),
        rule=rule,
        max_distance=options.radius,
    )
    pairs = []
    for location in found:
        station = ground[location.point]
        where = (location.scanline, location.ground_pixel)
        pixels = scene.within(station, options) if options.matching is Matching.RADIUS else [where]
        pair = scene.pair(station, where, pixels, options, location.distance, location.is_inside)
        if pair is not None:
            pairs.append(pair)
    return pairs


class _Scene:
    """What is read of an orbit's crop, once for all its stations."""

    def __init__(self, orbit: Orbit, crop: Crop) -> None:
        names = orbit.names
        self.orbit, self.crop = orbit, crop
        self.latitude, self.longitude = orbit.read_centres(crop)
        self.times = orbit.scanline_times(crop)
        scale = names.per_mol_m2
        self.columns = {
            product.label: read_column(orbit, product, crop) / scale
            for product in find_columns(orbit)
        }
        fields = orbit.read_fields(crop)
        self.stratosphere = fields.get("stratospheric_column", self._missing())
        self.altitude = fields.get("surface_altitude", self._missing())
        self.qa = self._missing()
        if orbit.has_quality:
            quality, is_valid = orbit.read_quality(crop)
            self.qa = np.where(is_valid, quality, np.nan)
        has_cloud = bool(names.cloud) and orbit.has(names.cloud)
        self.cloud = orbit.read(names.cloud, crop) if has_cloud else self._missing()
        self.identity = identify(orbit.path, orbit)

    def _missing(self) -> Float:
        return np.full(self.crop.shape, np.nan)

    def within(self, station: GroundColumns, options: PairOptions) -> list[tuple[int, int]]:
        """Return the pixels whose centres lie within the radius."""
        point = unit_vectors(station.latitude, station.longitude)
        centres = unit_vectors(self.latitude, self.longitude)
        distance = arc_length(np.linalg.norm(centres - point, axis=-1))
        with np.errstate(invalid="ignore"):
            rows = np.argwhere(distance <= options.radius)
        return [(int(i), int(j)) for i, j in rows]

    def pair(
        self,
        station: GroundColumns,
        where: tuple[int, int],
        pixels: list[tuple[int, int]],
        options: PairOptions,
        distance: float,
        is_inside: bool,
    ) -> Pair | None:
        """Return the pair, or None where the pixels or the reference have nothing that counts."""
        good = [p for p in pixels if not self.qa[p] <= options.qa and self._is_whole(p)]
        time = self.times[where[0]]
        if not good or np.isnat(time):
            return None
        near = station.take(np.abs(station.time - time) <= options.window)
        above = self._mean(self.stratosphere, good)
        reference, taken = _reference(near, above, options)
        if reference.size == 0:
            return None
        height = self._mean(self.altitude, good)
        is_level = not abs(station.altitude - height) > ALTITUDE_STEP
        indices = [
            int(self.orbit.raw(name, part)[i]) if self.orbit.has(name) else part.start + i
            for name, part, i in (
                ("scanline", self.crop.scanline, where[0]),
                ("ground_pixel", self.crop.ground_pixel, where[1]),
            )
        ]
        return Pair(
            station=station.station,
            network=station.network,
            latitude=station.latitude,
            longitude=station.longitude,
            altitude_m=station.altitude,
            sensor=self.orbit.names.sensor,
            version=self.identity.processor_version,
            granule=self.orbit.path.name,
            scanline=indices[0],
            ground_pixel=indices[1],
            time=time,
            n_reference=int(reference.size),
            reference_column=float(reference.mean()),
            reference_uncertainty=float(near.uncertainty.mean()),
            reference_spread=float(reference.std(ddof=1)) if reference.size > 1 else float("nan"),
            stratospheric_column=taken,
            columns={name: self._mean(values, good) for name, values in self.columns.items()},
            qa_value=self._mean(self.qa, good) / 100.0,
            cloud_radiance_fraction=self._mean(self.cloud, good),
            contains_station=is_inside,
            distance_km=distance / 1000.0,
            flags="" if is_level else "altitude",
        )

    def _is_whole(self, where: tuple[int, int]) -> bool:
        """Tell whether every product has a column there: all are scored on the same pixels."""
        return all(np.isfinite(values[where]) for values in self.columns.values())

    @staticmethod
    def _mean(values: Float, pixels: list[tuple[int, int]]) -> float:
        return float(np.mean([float(values[p]) for p in pixels]))


def _reference(
    near: GroundColumns, stratosphere: float, options: PairOptions
) -> tuple[Float, float]:
    """Return tropospheric columns of the reference, and the stratospheric one taken off."""
    if near.quantity == "tropospheric" or len(near) == 0:
        return near.column, stratosphere
    if options.stratosphere is Stratosphere.CLIMATOLOGY:
        above = near.stratosphere
        if not np.isfinite(above).all():
            msg = (
                f"Invalid ground file of {near.station}. A climatology of the stratosphere must be "
                "in it. Given none. Use --stratosphere satellite."
            )
            raise RetrievalError(msg)
        return near.column - above, float(above.mean())
    if not np.isfinite(stratosphere):
        return near.column[:0], stratosphere
    return near.column - stratosphere, stratosphere


def distinct(pairs: Sequence[Pair], options: PairOptions) -> list[Pair]:
    """Return the pairs by station and time, one a window: overlapping orbits share references.

    Of two the one with the nearer centre stays.
    """
    kept: list[Pair] = []
    for pair in sorted(pairs, key=lambda pair: (pair.station, pair.network, pair.time)):
        last = kept[-1] if kept else None
        repeats = (
            last is not None
            and (last.station, last.network) == (pair.station, pair.network)
            and pair.time - last.time < options.window
        )
        if last is None or not repeats:
            kept.append(pair)
        elif pair.distance_km < last.distance_km:
            kept[-1] = pair
    if len(kept) < len(pairs):
        logger.info("%d pairs of overlapping orbits are counted once", len(pairs) - len(kept))
    return kept


def _crop(orbit: Orbit, ground: Sequence[GroundColumns]) -> Crop | None:
    """Return the scanlines near to any station in latitude."""
    latitude, _ = orbit.read_centres(orbit.full)
    near = np.zeros(latitude.shape[0], dtype=bool)
    with np.errstate(invalid="ignore"):
        for station in ground:
            near |= (np.abs(latitude - station.latitude) <= MARGIN).any(axis=1)
    rows = np.flatnonzero(near)
    if rows.size == 0:
        return None
    return Crop(slice(int(rows[0]), int(rows[-1]) + 1), orbit.full.ground_pixel)
