"""A pixel and what was measured below it at that time: pairs of satellite and ground columns.

The default rule is that of the S5P Mission Performance Centre (Verhoelst et al., AMT 14, 481,
2021, doi 10.5194/amt-14-481-2021, section 3): the pixel that contains the station, the mean of the
reference within 30 minutes, the recommended quality. The same pairs serve every a priori, so that
before and after differ by the a priori alone.
"""

from __future__ import annotations

import logging
import math
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import RetrievalError
from retrieval.l2.columns import find_columns, read_column
from retrieval.l2.identity import identify
from retrieval.l2.open_orbit import open_lenient
from retrieval.l2.pixels import Crop
from retrieval.validation.ground_columns import GroundColumns
from retrieval.validation.locate import Rule, arc_length, locate_points, unit_vectors
from retrieval.validation.pair import Matching, Pair, PairOptions, Stratosphere
from retrieval.validation.polygons import within_pixels
from retrieval.validation.smoothing import Smooth, smoothed_pair
from retrieval.validation.station_sets import DaySets, Place, SetValues

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from retrieval.l2.orbit import Orbit
    from retrieval.typing import Float

logger = logging.getLogger(__name__)

MARGIN = 1.5
"""Scanlines with centres this near to a station in latitude are read [degrees]."""

AREA = "area"
"""Flag of pairs whose reference is the mean of outlines within the pixel."""

ALTITUDE_STEP = 200.0
"""A station this much [m] above or below its pixel's ground is marked."""


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
    if options.smooth is not Smooth.NONE:
        without = sorted({g.station for g in ground if g.partial_column is None})
        if without:
            logger.warning("No profile, thus not smoothed and left out: %s", ", ".join(without))
        return [g for g in kept if g.partial_column is not None]
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
    with closing(DaySets(options.sets)) as sets:
        return _in_scene(_Scene(orbit, crop, sets), ground, options)


def _in_scene(scene: _Scene, ground: Sequence[GroundColumns], options: PairOptions) -> list[Pair]:
    flights = [one for one in ground if one.footprints is not None]
    pairs = [pair for one in flights for pair in scene.pairs_within(one, options)]
    ground = [one for one in ground if one.footprints is None]
    if not ground:
        return pairs
    rule = Rule.CONTAINS if options.matching is Matching.CONTAINS else Rule.NEAREST
    found = locate_points(
        [g.latitude for g in ground],
        [g.longitude for g in ground],
        scene.latitude,
        scene.longitude,
        *scene.corners,
        rule=rule,
        max_distance=options.radius,
    )
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

    def __init__(self, orbit: Orbit, crop: Crop, sets: DaySets) -> None:
        names = orbit.names
        self.orbit, self.crop, self.sets = orbit, crop, sets
        self.latitude, self.longitude = orbit.read_centres(crop)
        self.times = orbit.scanline_times(crop)
        self.columns = {
            product.label: read_column(orbit, product, crop) for product in find_columns(orbit)
        }
        fields = orbit.read_fields(crop)
        self.stratosphere = fields.get("stratospheric_column", self._missing())
        self.altitude = fields.get("surface_altitude", self._missing())
        self.pressure = fields.get("surface_pressure", self._missing())
        self.corners = orbit.read_corners(crop)
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
        columns = {name: self._mean(values, good) for name, values in self.columns.items()}
        references: dict[str, float] = {}
        if options.smooth is not Smooth.NONE:
            found = self._smoothed(near, good, options)
            if found is None:
                return None
            columns, references = found
        over = self._of_sets(station, where, time)
        if station.quantity == "surface":
            columns = {name: one.surface for name, one in over.items()}
            if not columns or set(columns) != set(options.sets):
                return None  # all sets are scored on the same hours
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
            columns=columns,
            references=references,
            apriori_surface={name: one.surface for name, one in over.items()},
            dilution=over[options.dilution].dilution if options.dilution in over else math.nan,
            qa_value=self._mean(self.qa, good) / 100.0,
            cloud_radiance_fraction=self._mean(self.cloud, good),
            contains_station=is_inside,
            distance_km=distance / 1000.0,
            flags="" if is_level else "altitude",
        )

    def pairs_within(self, flight: GroundColumns, options: PairOptions) -> Iterator[Pair]:
        """Yield a pair for each pixel that the outlines of a flight cover."""
        for where, one, n in within_pixels(flight, self.corners, self.times, options.window):
            pair = self.pair(one, where, [where], options, 0.0, True)
            if pair is not None:
                flags = " ".join(word for word in (pair.flags, AREA) if word)
                yield replace(pair, n_reference=n, flags=flags)

    def _smoothed(
        self, near: GroundColumns, good: list[tuple[int, int]], options: PairOptions
    ) -> tuple[dict[str, float], dict[str, float]] | None:
        """Return columns and references by a priori, means over the pixels."""
        if near.partial_column is None or near.layer_edges is None:
            return None
        rows = np.isfinite(near.partial_column).all(axis=1)
        if not rows.any():
            return None
        profile = near.layer_edges[rows][0], near.partial_column[rows].mean(axis=0)
        found = []
        for i, j in good:
            own = {name: float(values[i, j]) for name, values in self.columns.items()}
            place = self.crop.scanline.start + i, self.crop.ground_pixel.start + j
            one = smoothed_pair(self.orbit, place, own, *profile, options.smooth)
            if one is None:
                return None
            found.append(one)
        return tuple(
            {name: float(np.mean([part[k][name] for part in found])) for name in self.columns}
            for k in (0, 1)
        )  # type: ignore[return-value]

    def _of_sets(
        self,
        station: GroundColumns,
        where: tuple[int, int],
        time: np.datetime64,
    ) -> dict[str, SetValues]:
        """Return what the sets have around the station, of those that serve it."""
        corners = self.corners[0][where], self.corners[1][where]
        pressure = float(self.pressure[where])
        place = Place(station.latitude, station.longitude, corners, time, pressure)
        return self.sets.at(place)

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
    if near.quantity != "total" or len(near) == 0:
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
            and AREA not in pair.flags  # each pixel of a flight has its own reference
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
