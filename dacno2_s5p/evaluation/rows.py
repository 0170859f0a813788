"""One number of an evaluation, and how scores become such rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dacno2_s5p.evaluation.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dacno2_s5p.evaluation.evidence import Evidence
    from dacno2_s5p.evaluation.metrics import Scores


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes
    ----------
    table : str
        `stations`, `coverage`, `station series`, `consistency`, `layers`, `urbanisation`,
        `columns`, `profiles`.
    group : str
        What it is of: a station type, a layer, a region.
    metric : str
    set : str
        The set it judges.
    value : float
        RMSE and bias [ug m-3], profiles [ug m-3], columns [molec cm-2], ratios [1].
    n : int
        Pairs, stations or cells behind it.
    days, stations : tuple of float
        95 % intervals over days and over stations; NaN where there is none.
    height : float
        Above ground [m], NaN where it has none.
    is_bound : bool
        Of a set that is no contestant.
    year : int
        The year it is of, which `group` names, too; 0 for all days together.
    """

    table: str
    group: str
    metric: str
    set: str
    value: float
    n: int
    days: tuple[float, float] = (float("nan"), float("nan"))
    stations: tuple[float, float] = (float("nan"), float("nan"))
    height: float = float("nan")
    is_bound: bool = False
    year: int = 0


def score_rows(
    evidence: Evidence,
    table: str,
    group: str,
    name: str,
    found: Scores,
    days: Mapping[str, tuple[float, float]] | None = None,
    stations: Mapping[str, tuple[float, float]] | None = None,
    height: float = float("nan"),
) -> Iterator[Row]:
    """Give one row for each metric of a score.

    Parameters
    ----------
    evidence : Evidence
        Says which sets are bounds.
    table, group, name : str
        As in `Row`; `name` is the set's.
    found : Scores
        Of one group.
    days, stations : mapping of str to (low, high), optional
        Intervals by metric.
    height : float
        Above ground [m].
    """
    none = (float("nan"), float("nan"))
    for metric in METRICS:
        yield Row(
            table,
            group,
            metric,
            name,
            float(found.metric(metric)),
            int(found.n),
            (days or {}).get(metric, none),
            (stations or {}).get(metric, none),
            height,
            name in evidence.bounds,
        )
