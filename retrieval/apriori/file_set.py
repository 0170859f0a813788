"""A-priori sets made of files: fields located in netCDF files, joined in time and in level."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.base import AprioriSet
from retrieval.apriori.formats.containers import damage_as_error
from retrieval.apriori.formats.time_axis import longest_mean
from retrieval.apriori.formats.units import check_plausible
from retrieval.apriori.joining import join_times
from retrieval.errors import AprioriError
from retrieval.files.provenance import checksum
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.geometry.grids import box_in_degrees
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.formats.field import Field
    from retrieval.apriori.formats.local_layers import ReadLayers
    from retrieval.apriori.formats.units import Unit
    from retrieval.files.candidates import Mark
    from retrieval.physics.geometry.curvilinear import Grid
    from retrieval.physics.levels import Vertical

logger = logging.getLogger(__name__)

LONGEST_MEAN = np.timedelta64(25, "h")
"""Means of a day at most, by the clock on any: a month's stamp is neither an hour nor a day."""

_SAME_EDGE = 0.01
"""Grids of two files are one where edges agree to this part of a cell: float32 noise."""

EUROPE = (-30.0, 25.0, 50.0, 75.0)
"""West, south, east, north of what counts as a European set: domains of European models."""


@dataclass(frozen=True)
class Slab:
    """The fields of one or more files that together hold every level at the same times.

    Attributes
    ----------
    fields : callable
        Returns the `Field` of each file, lowest levels first; files of further levels are opened
        at the first read.
    times : ndarray of datetime64[ms]
    order : ndarray of int
        For each level, surface first, its place among the levels read.
    unit : Unit
    paths : tuple of Path
        The files, or the archives that hold them.
    uncertainty : tuple of (str, Unit) or None
        Variable of the 1-sigma uncertainty beside the field.
    surface_altitude : str or None
        Variable of the model orography [m].
    layers : callable or None
        Of sets on `LocalLayers`: reads what follows the values (`formats.local_layers`).
    humidity : tuple of (str, bool) or None
        Variable of water vapour [kg kg-1] that turns ratios of dry air into ratios of all air; True
        where it is itself of dry air (a mixing ratio), False where of all (specific humidity).
    """

    fields: Callable[[], Sequence[Field]]
    times: NDArray[np.datetime64]
    order: NDArray[np.int64]
    unit: Unit
    paths: tuple[Path, ...]
    uncertainty: tuple[str, Unit] | None = None
    surface_altitude: str | None = None
    layers: ReadLayers | None = None
    humidity: tuple[str, bool] | None = None


@dataclass(repr=False)
class FileSet(AprioriSet):
    """An a-priori set over files; opening reads coordinates, `read` only the wanted block.

    `slabs` are the groups of files; `places` gives for each time (slab, index within it);
    `i_orography` is the slab of the surface altitude.
    """

    slabs: list[Slab] = field(default_factory=list, repr=False)
    places: list[tuple[int, int]] = field(default_factory=list, repr=False)
    sources: list[NetcdfSource] = field(default_factory=list, repr=False)
    i_orography: int = 0

    def read(self, i_time: int, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return one field, shape (n_level, n_y, n_x), in SI, NaN where missing.

        Raises
        ------
        AprioriError
            If the files are damaged, or the values are impossible in the declared unit.
        """
        slab, index = self._place(i_time)
        values = self._read(slab, index, rows, columns, None)
        si = _to_si(values, slab.unit)
        if slab.humidity is not None:
            name, is_ratio = slab.humidity
            vapour = np.maximum(self._read(slab, index, rows, columns, name), 0.0)
            si *= 1.0 / (1.0 + vapour) if is_ratio else 1.0 - vapour
        check_plausible(si, slab.unit, slab.fields()[0].where)
        if slab.layers is None:
            return si
        layers = slab.layers(index, rows, columns)
        for k in range(si.shape[0] - 2, -1, -1):  # below ground as above it: no weight, no gap
            si[k] = np.where((layers[k] == 0.0) & np.isnan(si[k]), si[k + 1], si[k])
        return np.concatenate([si, layers.astype(np.float32)])

    def read_uncertainty(
        self, i_time: int, rows: slice, columns: slice
    ) -> NDArray[np.float32] | None:
        """Return the 1-sigma uncertainty in SI, or None where the files have none."""
        slab, index = self._place(i_time)
        if slab.uncertainty is None:
            return None
        variable, unit = slab.uncertainty
        si = _to_si(self._read(slab, index, rows, columns, variable), unit)
        if np.nanmin(si, initial=0.0) < 0.0:
            msg = (
                f"Invalid uncertainty {variable} of {slab.fields()[0].source}. One sigma must not "
                f"be negative. Given {float(np.nanmin(si)):.3g}. The file is damaged."
            )
            raise AprioriError(msg)
        if slab.layers is not None:  # where the layers are is known
            si = np.concatenate([si, np.zeros((si.shape[0] + 1, *si.shape[1:]), dtype=si.dtype)])
        return si

    def read_surface_altitude(self, rows: slice, columns: slice) -> NDArray[np.float32] | None:
        """Return the model orography [m], shape (n_y, n_x), or None where the files have none."""
        slab = self.slabs[self.i_orography]
        if slab.surface_altitude is None:
            return None
        first = slab.fields()[0]
        altitude = first.read(0, rows, columns, slab.surface_altitude)
        return np.asarray(altitude.reshape(altitude.shape[-2:]), dtype=np.float32)

    def files_of(self, i_times: Iterable[int]) -> list[Path]:
        """Return the files that hold some of the times, and the one of the orography."""
        used = {self.places[i][0] for i in i_times}
        if used and self.slabs[self.i_orography].surface_altitude is not None:
            used.add(self.i_orography)
        return sorted({path for i in used for path in self.slabs[i].paths}) or self.files

    def close(self) -> None:
        """Close all files."""
        for source in self.sources:
            source.close()

    def _place(self, i_time: int) -> tuple[Slab, int]:
        i_slab, index = self.places[i_time]
        return self.slabs[i_slab], index

    def _read(
        self, slab: Slab, index: int, rows: slice, columns: slice, variable: str | None
    ) -> NDArray[np.floating]:
        parts = [f.read(index, rows, columns, variable) for f in slab.fields()]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if (np.diff(slab.order) == 1).all() and slab.order[0] == 0:
            return values
        return np.ascontiguousarray(values[slab.order])


def _to_si(values: NDArray[np.floating], unit: Unit) -> NDArray[np.float32]:
    if unit.factor != 1.0:
        values *= unit.factor
    return values.astype(np.float32, copy=False)


def one_file(
    located: Field,
    order: NDArray[np.int64],
    unit: Unit,
    uncertainty: tuple[str, Unit] | None = None,
    surface_altitude: str | None = None,
    layers: ReadLayers | None = None,
    humidity: tuple[str, bool] | None = None,
) -> Slab:
    """Build the slab of a file that holds all levels."""
    times, paths = located.times, (located.source.path,)
    return Slab(
        lambda: [located], times, order, unit, paths, uncertainty, surface_altitude, layers,
        humidity,
    )  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """One slab with the grid and levels it has, before files are joined.

    Attributes
    ----------
    slab, located, vertical
        Its fields, where they lie, their levels.
    rank : tuple of Mark
        By what their content says two that hold a field of the same time are ranked
        (`retrieval.files.candidates`); what nothing ranks must not differ.
    """

    slab: Slab
    located: Field
    vertical: Vertical
    rank: tuple[Mark, ...] = ()


def build_set(
    kind: str,
    candidates: list[Candidate],
    time_rule: TimeRule | None,
    sources: list[NetcdfSource],
    attributes: dict[str, str],
    *,
    around: np.datetime64 | None = None,
) -> FileSet:
    """Join files into one set.

    Parameters
    ----------
    candidates : list of Candidate
        In any order.
    time_rule : TimeRule or None
        Of the kind of files; None to tell it from the spacing of the times. A set with one field
        a day is `DAILY` whatever its kind, but for `NEAREST`, which is as strict.
    around : datetime64, optional
        Where files differ in grid or levels, those nearest to this time make the set.

    Raises
    ------
    AprioriError
        If the files differ in grid, levels or quantity and no time tells which to use, two are of
        one time and nothing tells which, or their fields are means of more than a day.
    """
    for candidate in candidates:
        _refuse_long_means(candidate.located)
    kept = _consistent(kind, candidates, around)
    _join(kind, candidates)  # rivals on other grids are refused, too
    times, places = _join(kind, kept)
    if times.size == 0:
        msg = (
            f"Invalid a-priori set {candidates[0].located.source}. It must hold at least one "
            "field. Given none. Check the download."
        )
        raise AprioriError(msg)
    reference = kept[0]
    # of the file nearest in time, so that files of other days stay unused
    nearest = 0 if around is None else int(np.abs(times - around).argmin())
    rule = rule_from_spacing(times, reference.located.cells)
    if time_rule is not None and (rule is not TimeRule.DAILY or time_rule is TimeRule.NEAREST):
        rule = time_rule
    return FileSet(
        kind=kind,
        grid=reference.located.cells,
        vertical=reference.vertical,
        quantity=reference.slab.unit.quantity,
        times=times,
        time_rule=rule,
        files=sorted({source.path for source in sources}),
        is_synthetic=is_synthetic(sources),
        attributes=attributes,
        slabs=[c.slab for c in kept],
        places=places,
        sources=sources,
        i_orography=places[nearest][0],
    )


def _refuse_long_means(located: Field) -> None:
    """Refuse means of months and years: their stamp is no hour, and no day either."""
    with damage_as_error(str(located.source)):
        longest = longest_mean(located.source.dataset(), located.time.dimensions)
    if longest > LONGEST_MEAN:
        days = longest / np.timedelta64(1, "D")
        msg = (
            f"Invalid a-priori field {located.where}. Its times must be instants, or means of a "
            f"day at most. Given means of {days:.0f} days, by the bounds of its times. Use hourly "
            "or daily output of the model."
        )
        raise AprioriError(msg)


def _join(
    kind: str, candidates: list[Candidate]
) -> tuple[NDArray[np.datetime64], list[tuple[int, int]]]:
    @cache
    def same(one: int, other: int) -> bool:
        return _same_content(candidates[one], candidates[other])

    return join_times(
        kind,
        [candidate.slab.times for candidate in candidates],
        [str(candidate.located.source) for candidate in candidates],
        rank=lambda i, _: candidates[i].rank,
        same=lambda one, other: same(one[0], other[0]),
    )


def _same_content(one: Candidate, other: Candidate) -> bool:
    paths = {*one.slab.paths, *other.slab.paths}
    if one.located.source.path == other.located.source.path:
        return False  # two members of an archive
    return len({path.stat().st_size for path in paths}) == 1 == len(set(map(checksum, paths)))


def _consistent(
    kind: str, candidates: list[Candidate], around: np.datetime64 | None
) -> list[Candidate]:
    """Return the candidates that share grid, levels and quantity with the reference one."""
    groups: list[list[Candidate]] = []
    for candidate in candidates:
        for group in groups:
            if not _difference(group[0], candidate):
                group.append(candidate)
                break
        else:
            groups.append([candidate])
    if len(groups) == 1:
        return groups[0]
    if around is None:
        msg = (
            f"Invalid {kind}. All files must share one {_difference(groups[0][0], groups[1][0])}. "
            f"Given {groups[0][0].located.source} and {groups[1][0].located.source}. Put them in "
            "folders of their own, or choose a time."
        )
        raise AprioriError(msg)
    nearest = min(groups, key=lambda group: _distance(group, around))
    logger.info(
        "%s: files of %d grids or level sets; those near %s are used", kind, len(groups), around
    )
    return nearest


def _distance(group: list[Candidate], around: np.datetime64) -> float:
    return min(
        (float(np.abs(c.slab.times - around).min() / np.timedelta64(1, "s")) for c in group),
    )


def _difference(one: Candidate, other: Candidate) -> str:
    if not same_grid(one.located, other.located):
        return "horizontal grid"
    if type(one.vertical) is not type(other.vertical):
        return "kind of levels"
    for a, b in zip(vars(one.vertical).values(), vars(other.vertical).values(), strict=True):
        if np.shape(a) != np.shape(b) or not np.allclose(a, b, rtol=1e-5, atol=1e-6):
            return "set of levels"
    return "" if one.slab.unit.quantity is other.slab.unit.quantity else "quantity"


def same_grid(one: Field, other: Field) -> bool:
    """Tell whether two fields lie on one grid, but for noise of float32 coordinates."""
    a, b = one.cells, other.cells
    if a.shape != b.shape or a.crs != b.crs:
        return False
    if isinstance(a, CurvilinearGrid) or isinstance(b, CurvilinearGrid):
        if not (isinstance(a, CurvilinearGrid) and isinstance(b, CurvilinearGrid)):
            return False
        pairs = ((a.longitude, b.longitude), (a.latitude, b.latitude))
        return all(np.allclose(p, q, rtol=0.0, atol=1e-4, equal_nan=True) for p, q in pairs)
    return all(
        bool(np.abs(p - q).max() < _SAME_EDGE * float(np.diff(p).min()))
        for p, q in ((a.x_edges, b.x_edges), (a.y_edges, b.y_edges))
    )


def rule_from_spacing(times: NDArray[np.datetime64], grid: Grid) -> TimeRule:
    """Tell the time rule from the times: one field a day, half-hourly, hourly, or coarser.

    The mean of the overpass hours in UTC is for hourly sets over Europe alone.
    """
    days = times.astype("datetime64[D]")
    if np.unique(days).size == times.size:
        return TimeRule.DAILY
    step = np.diff(times).min()
    if step < np.timedelta64(59, "m"):
        return TimeRule.NEAREST
    is_hourly = step <= np.timedelta64(61, "m")
    return TimeRule.OVERPASS_MEAN if is_hourly and _is_european(grid) else TimeRule.LINEAR


def _is_european(grid: Grid) -> bool:
    if isinstance(grid, CurvilinearGrid):
        west, east, south, north = grid.extent
    else:
        west, south, east, north = box_in_degrees(grid)
    return EUROPE[0] <= west < east <= EUROPE[2] and EUROPE[1] <= south < north <= EUROPE[3]


def is_synthetic(sources: Sequence[NetcdfSource]) -> bool:
    """Tell whether any file that is open says that it, or its training data, is synthetic."""
    return any(
        "synthetic" in str(getattr(source.dataset(), name, "")).lower()
        for source in sources
        if source.was_opened
        for name in ("training_data", "source")
    )


def provenance(source: NetcdfSource) -> dict[str, str]:
    """Return the global attributes of a file that are worth carrying into a product."""
    wanted = ("title", "institution", "source", "references", "training_data", "history")
    dataset = source.dataset()
    return {name: str(getattr(dataset, name)).strip() for name in wanted if hasattr(dataset, name)}
