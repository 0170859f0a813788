"""Temperature and humidity for the heights of layers: CTMANA or ERA5 files.

Raw access only: fields on the file's own grid, levels and times. How they are brought to pixels
is told elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori import ctmana
from retrieval.apriori.file_set import is_synthetic, same_grid
from retrieval.apriori.formats.containers import (
    NetcdfSource,
    damage_as_error,
    holds,
    list_sources,
)
from retrieval.apriori.formats.coordinates import role_of, text_attribute
from retrieval.apriori.formats.expver import ORDER
from retrieval.apriori.formats.field import Field, find_field
from retrieval.apriori.formats.levels import Levels, find_levels
from retrieval.apriori.joining import join_times
from retrieval.errors import AprioriError
from retrieval.files.candidates import listed
from retrieval.physics.levels import HybridLayers, PressureLevels
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    import netCDF4
    from numpy.typing import NDArray

    from retrieval.files.candidates import Mark
    from retrieval.physics.geometry.grids import RectilinearGrid


_PROFILES = {
    "temperature": (("t", "temperature", "ta"), "air_temperature"),
    "humidity": (("q", "specific_humidity", "hus"), "specific_humidity"),
}
"""Short names and CF standard name of what is read on levels."""


def find_profile(dataset: netCDF4.Dataset, what: str) -> str | None:
    """Return the variable that holds "temperature" or "humidity" on levels, None without one."""
    names, standard_name = _PROFILES[what]
    for name, variable in dataset.variables.items():
        is_named = name.lower() in names
        if not (is_named or text_attribute(variable, "standard_name") == standard_name):
            continue
        roles = {role_of(dataset, d) for d in variable.dimensions}
        if {"level", "x", "y"} <= roles:
            return name
    return None


TEMPERATURE_RANGE = (120.0, 360.0)
"""Temperatures outside [K] are a wrong unit or damage: the mesopause to the hottest surface."""

HUMIDITY_RANGE = (-0.01, 0.1)
"""Specific humidities outside [kg kg-1] are; packing makes small negatives."""


@dataclass(frozen=True)
class _Series:
    """One variable over files, in time; each file has its own order of the common levels."""

    fields: list[Field]
    levels: list[Levels]
    times: NDArray[np.datetime64]
    places: list[tuple[int, int]]

    def path(self, i_time: int) -> Path:
        """Return the file, or the archive, of a time."""
        return self.fields[self.places[i_time][0]].source.path

    def read(
        self, i_time: int, rows: slice, columns: slice, allowed: tuple[float, float]
    ) -> NDArray[np.float32]:
        i_field, index = self.places[i_time]
        located = self.fields[i_field]
        with damage_as_error(str(located.source)):
            values = located.read(index, rows, columns)[self.levels[i_field].order]
        finite = values[np.isfinite(values)]
        if finite.size and not (allowed[0] <= finite.min() and finite.max() <= allowed[1]):
            msg = (
                f"Implausible values of {located.where}. They must lie in {allowed[0]:g} to "
                f"{allowed[1]:g}. Given {finite.min():.4g} to {finite.max():.4g}. The file is "
                "damaged, or its unit is another."
            )
            raise AprioriError(msg)
        return values.astype(np.float32, copy=False)


@dataclass
class Meteo:
    """Temperature (and humidity) fields in time.

    Attributes
    ----------
    kind : str
        "TM5-MP CTMANA" or "ERA5".
    grid : RectilinearGrid
        Axes ascend.
    vertical : HybridLayers or PressureLevels
        Surface first; CTMANA has its own layers, ERA5 pressure levels.
    times : ndarray of datetime64[ms], shape (n_time,)
        UTC, ascending.
    time_rule : TimeRule
        NEAREST for CTMANA, LINEAR for ERA5.
    files : list of Path
    is_synthetic : bool
        True where a file says that it is synthetic.
    """

    kind: str
    grid: RectilinearGrid
    vertical: HybridLayers | PressureLevels
    times: NDArray[np.datetime64]
    time_rule: TimeRule
    files: list[Path]
    is_synthetic: bool
    _temperature: _Series = field(repr=False)
    _humidity: _Series | None = field(repr=False, default=None)
    _sources: list[NetcdfSource] = field(repr=False, default_factory=list)

    def files_of(self, i_times: Iterable[int]) -> list[Path]:
        """Return the files that hold some of the times; all where none is asked for."""
        used = list(i_times)
        series = [one for one in (self._temperature, self._humidity) if one is not None]
        return sorted({one.path(i) for one in series for i in used}) or self.files

    @property
    def has_humidity(self) -> bool:
        """True where `read_humidity` gives a field."""
        return self._humidity is not None

    def read_temperature(self, i_time: int, rows: slice, columns: slice) -> NDArray[np.float32]:
        """Return temperature [K], shape (n_level, n_y, n_x) of the slices, NaN where missing.

        Raises
        ------
        AprioriError
            If the file is damaged or the values are no temperatures.
        """
        return self._temperature.read(i_time, rows, columns, TEMPERATURE_RANGE)

    def read_humidity(self, i_time: int, rows: slice, columns: slice) -> NDArray[np.float32] | None:
        """Return specific humidity [kg kg-1], same shape, or None where the files have none."""
        if self._humidity is None:
            return None
        return self._humidity.read(i_time, rows, columns, HUMIDITY_RANGE)

    def close(self) -> None:
        """Close all files."""
        for source in self._sources:
            source.close()


def open_meteo(path: Path | str, around: np.datetime64 | None = None) -> Meteo:
    """Open CTMANA or ERA5 files (a file, a folder or a ZIP archive) as meteorology.

    Parameters
    ----------
    path : Path
    around : datetime64, optional
        The time it is wanted for; files named for other dates are left closed.

    Raises
    ------
    AprioriError
        If there is no 3-D temperature, files differ in grid or levels, or a file is damaged.
    """
    path = Path(path)
    if around is not None:
        around = around.astype("datetime64[ms]")
    opened = _open_sources(path, list_sources(path, around))
    if holds(opened.times, around):
        return opened
    everything = list_sources(path)
    if len(everything) == len(list_sources(path, around)):
        return opened
    opened.close()
    return _open_sources(path, everything)


def _open_sources(path: Path, sources: list[NetcdfSource]) -> Meteo:
    try:
        with damage_as_error(str(path)):
            return _open(path, sources)
    except BaseException:
        for source in sources:
            source.close()
        raise


def _open(path: Path, sources: list[NetcdfSource]) -> Meteo:
    is_tm5 = [s for s in sources if ctmana.is_ctmana(s.dataset(), "t")]
    if is_tm5:
        temperature = _series([(s, "t") for s in is_tm5], "CTMANA temperature")
        return _meteo("TM5-MP CTMANA", temperature, None, TimeRule.NEAREST, is_tm5)
    with_t = [(s, n) for s in sources if (n := find_profile(s.dataset(), "temperature"))]
    with_q = [(s, n) for s in sources if (n := find_profile(s.dataset(), "humidity"))]
    if not with_t:
        names = ", ".join(list(sources[0].dataset().variables)[:8])
        msg = (
            f"Invalid meteorology {path}. It must hold temperature on levels (CTMANA, or ERA5 "
            f"pressure levels with t and q). Given {sources[0].name} with {names}. Choose another "
            "file."
        )
        raise AprioriError(msg)
    temperature = _series(with_t, "ERA5 temperature")
    humidity = _series(with_q, "ERA5 humidity") if with_q else None
    used = list({id(s): s for s, _ in (*with_t, *with_q)}.values())
    return _meteo("ERA5", temperature, humidity, TimeRule.LINEAR, used)


def _meteo(
    kind: str,
    temperature: _Series,
    humidity: _Series | None,
    rule: TimeRule,
    used: list[NetcdfSource],
) -> Meteo:
    vertical = temperature.levels[0].vertical
    if not isinstance(vertical, HybridLayers | PressureLevels):
        msg = (
            f"Invalid meteorology {used[0]}. Temperature must be on pressures or hybrid layers. "
            "Given heights. Request pressure levels."
        )
        raise AprioriError(msg)
    if humidity is not None and not _agree(temperature, humidity):
        msg = (
            f"Invalid meteorology {used[0]}. Temperature and humidity must share grid, levels and "
            "times. Given fields that differ. Request them together."
        )
        raise AprioriError(msg)
    return Meteo(
        kind,
        temperature.fields[0].grid,
        vertical,
        temperature.times,
        rule,
        sorted({s.path for s in used}),
        is_synthetic(used),
        temperature,
        humidity,
        used,
    )


def _series(found: list[tuple[NetcdfSource, str]], kind: str) -> _Series:
    fields = [find_field(s, name, wanted="meteorological") for s, name in found]
    levels = [find_levels(f) for f in fields]
    for located, own in zip(fields[1:], levels[1:], strict=True):
        if not (same_grid(fields[0], located) and _same_levels(levels[0], own)):
            msg = (
                f"Invalid meteorology. All files must share one grid and one set of levels. Given "
                f"{fields[0].source} and {located.source}, which differ. Put them in folders of "
                "their own."
            )
            raise AprioriError(msg)
    times, places = _join(fields, levels, kind)
    return _Series(fields, levels, times, places)


def _join(
    fields: list[Field], levels: list[Levels], kind: str
) -> tuple[NDArray[np.datetime64], list[tuple[int, int]]]:
    """Join times; of two files with one time the content decides, else they must be equal."""

    def values(place: tuple[int, int]) -> NDArray[np.floating]:
        i, index = place
        return fields[i].read(index, slice(None), slice(None))[levels[i].order]

    def same(one: tuple[int, int], other: tuple[int, int]) -> bool:
        step = sum(float(fields[i].attribute("scale_factor") or 0.0) for i, _ in (one, other))
        return np.allclose(values(one), values(other), rtol=0.0, atol=step, equal_nan=True)

    return join_times(
        kind,
        [located.times for located in fields],
        [located.where for located in fields],
        rank=lambda i, index: _rank(fields[i], index),
        same=same,
    )


def _rank(located: Field, i_time: int) -> tuple[Mark, ...]:
    """Rank TM5-MP by analysis and creation, ERA5 by its version."""
    version = located.expver(i_time)
    said = "" if version is None else str(version)
    return (*ctmana.rank(located.source), listed("expver", said, [str(v) for v in ORDER]))


def _same_levels(one: Levels, other: Levels) -> bool:
    if type(one.vertical) is not type(other.vertical):
        return False
    pairs = zip(vars(one.vertical).values(), vars(other.vertical).values(), strict=True)
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-5) for a, b in pairs)


def _agree(one: _Series, other: _Series) -> bool:
    return (
        same_grid(one.fields[0], other.fields[0])
        and _same_levels(one.levels[0], other.levels[0])
        and np.array_equal(one.times, other.times)
    )
