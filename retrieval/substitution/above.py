"""What stands above the sets of a run: decided once, by whether files of a global model serve it.

Above the top of a set the a priori is a global model's where there is one, else one mole fraction
for all sets (decision D6). Days of one run must not differ in it: their columns could not be
averaged or compared.
"""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError, RetrievalError
from retrieval.files.names import parse_s5p
from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    LocalLayers,
    PressureLevels,
    Vertical,
)
from retrieval.physics.time_rules import time_weights
from retrieval.substitution.options import Above

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.apriori.base import AprioriSet

logger = logging.getLogger(__name__)

STEP = np.timedelta64(60_000, "ms")
"""At so many times an orbit is asked for fields; those of models are half an hour apart."""

NAMED_DAYS = 5
"""Days that a refusal names; of more, the number."""

SAME_PRESSURE = 0.02
"""Tops whose pressures differ by a smaller share are one."""


BEYOND_TROPOPAUSE = 7000.0
"""Sets that reach up to this pressure [Pa] have the whole troposphere: a tropical tropopause lies
near 100 hPa."""


class Decision(NamedTuple):
    """What stands above all sets of a run.

    Attributes
    ----------
    above : Above
        `UPPER` or `CONSTANT_VMR`.
    upper : Path or None
        Files of the global model.
    said : str
        Why, for the user and the provenance.
    """

    above: Above
    upper: Path | None
    said: str


def decide_above(orbits: Iterable[Path], folders: Sequence[Path]) -> Decision:
    """Decide what stands above the sets of all orbits of a run.

    Parameters
    ----------
    orbits : iterable of Path
        L2 files. Their times are those of their names, else of their content; what cannot be read
        is reported where it is retrieved.
    folders : sequence of Path
        Where AUX_CTMANA or CAMS global files may be, the preferred first.

    Returns
    -------
    Decision
        `UPPER` with the first folder that serves every orbit; `CONSTANT_VMR` where none serves any.

    Raises
    ------
    AprioriError
        If files serve some of the orbits only, naming the days without.
    """
    spans = [span for span in map(_span, orbits) if span is not None]
    partly: tuple[Path, list[str]] | None = None
    for folder in folders if spans else ():
        if not folder.exists():
            continue
        is_served = [_serves(folder, span) for span in spans]
        if all(is_served):
            return Decision(Above.UPPER, folder, f"{folder.name} serves the orbits")
        if any(is_served) and partly is None:
            pairs = zip(spans, is_served, strict=True)
            partly = folder, sorted({_day(span) for span, served in pairs if not served})
    if partly is not None:
        raise AprioriError(_refusal(*partly))
    shown = " or ".join(folder.name for folder in folders)
    return Decision(Above.CONSTANT_VMR, None, f"no global model in {shown} serves the orbits")


def _span(orbit: Path) -> NDArray[np.datetime64] | None:
    """Return first and last time of an orbit; None where it cannot be read."""
    name = parse_s5p(orbit.name)
    if name is not None:
        return np.array([name.start, name.end], "datetime64[ms]")
    try:
        with open_orbit(orbit) as opened:
            times = opened.scanline_times(opened.full)
    except RetrievalError:
        return None
    times = times[~np.isnat(times)].astype("datetime64[ms]")
    return np.array([times.min(), times.max()]) if times.size else None


def _day(span: NDArray[np.datetime64]) -> str:
    return str((span[0] + (span[1] - span[0]) / 2).astype("datetime64[D]"))


def _serves(folder: Path, span: NDArray[np.datetime64]) -> bool:
    """Say whether a global model of a folder has fields for any time of an orbit."""
    try:
        with closing(open_apriori(folder, span[0] + (span[1] - span[0]) / 2)) as upper:
            vertical = upper.vertical
            is_local = isinstance(vertical, LocalLayers) and vertical.is_pressure
            if not (is_local or isinstance(vertical, HybridLayers | PressureLevels)):
                logger.warning("%s is no global model: %s on heights", folder, upper.kind)
                return False
            times = np.append(np.arange(span[0], span[1], STEP), span[1])
            return bool(time_weights(upper.times, upper.time_rule, times).is_served.any())
    except AprioriError as error:
        logger.warning("%s is left out as the part above: %s", folder, error)
        return False


def _refusal(folder: Path, days: list[str]) -> str:
    more = f" and {len(days) - NAMED_DAYS} more" if len(days) > NAMED_DAYS else ""
    return (
        f"Invalid upper files {folder}. They must serve all days of a run, or none: columns with "
        f"unlike parts above the sets do not compare. Given none for {', '.join(days[:NAMED_DAYS])}"
        f"{more}. Add these days (dacno2-s5p fetch ctm), or give --above constant-vmr for all."
    )


def above_text(above: Above, above_vmr: float, upper: AprioriSet | None) -> str:
    """Say what stands above the sets, as it is recorded for each.

    Examples
    --------
    >>> above_text(Above.CONSTANT_VMR, 30.0, None)
    'constant-vmr of 30 ppt'
    """
    if above is Above.UPPER and upper is not None:
        return f"upper, of {upper.kind}"
    return f"{above} of {above_vmr:g} ppt" if above is Above.CONSTANT_VMR else str(above)


class Top(NamedTuple):
    """Where a set ends: at a height above ground [m], or at a pressure [Pa].

    Neither is there where each cell has a top of its own.
    """

    height: float | None
    pressure: float | None

    @classmethod
    def of(cls, vertical: Vertical, merge_height: float | None = None) -> Top:
        """Return the top of levels, or the height where the part above takes over.

        Examples
        --------
        >>> str(Top.of(HeightLevels(np.array([0.0, 5000.0]))))
        '5000 m'
        """
        match vertical:
            case HeightLevels(height):
                top = float(height.max())
            case HeightLayers(edges):
                top = float(edges.max())
            case PressureLevels(pressure):
                return cls(merge_height, None if merge_height else float(pressure.min()))
            case HybridLayers(a, b):
                highest = float(a[-1] + 101325.0 * b[-1])
                return cls(merge_height, None if merge_height else highest)
            case LocalLayers():
                return cls(merge_height, None)
        return cls(top if merge_height is None else min(top, merge_height), None)

    def __str__(self) -> str:
        """Say it with its unit."""
        if self.height is not None:
            return f"{self.height:g} m"
        if self.pressure is None:
            return "a top of its own in each cell"
        return f"{(self.pressure or 0.0) / 100.0:g} hPa"

    def is_like(self, other: Top) -> bool:
        """Say whether two sets end at one place; beyond the tropopause all do.

        Examples
        --------
        >>> Top(5000.0, None).is_like(Top(3000.0, None)), Top(None, 0.0).is_like(Top(None, 100.0))
        (False, True)
        >>> Top(None, None).is_like(Top(None, 0.0)), Top(None, None).is_like(Top(None, None))
        (False, True)
        """
        if self.height is not None and other.height is not None:
            return bool(abs(self.height - other.height) < 1.0)
        if self.height is not None or other.height is not None:
            return False
        if self.pressure is None or other.pressure is None:
            return self == other
        one, two = (max(top.pressure or 0.0, BEYOND_TROPOPAUSE) for top in (self, other))
        return abs(one - two) <= SAME_PRESSURE * max(one, two)
