"""Statistics of any days of a store, from the moments that each of its chunks keeps.

Count, mean and squared deviations are merged (Chan et al., 1979), so that nothing is read twice.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.normalisation import (
    InputStatistics,
    StatisticsBuilder,
    TargetScaling,
    Welford,
)
from dacno2_s5p.sources.day import FINE_GROUPS
from dacno2_s5p.store.chunks import read_about
from dacno2_s5p.store.store import DAY_GROUPS, day_path, month_path
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dacno2_s5p.inputs.variables import InputTable
    from dacno2_s5p.store.store import Store

    About = Mapping[str, Any]


def require_about(path: Path) -> dict[str, Any]:
    """Return what a chunk says about itself.

    Raises
    ------
    DataError
        If it is not there, or not whole.
    """
    about = read_about(path)
    if about is None:
        msg = (
            f"Invalid chunk {path}. It must be a whole file of the store. Given none. Run "
            "prepare again."
        )
        raise DataError(msg)
    return about


def input_statistics(
    folder: Path, table: InputTable, n_height: int, days: Mapping[np.datetime64, About]
) -> InputStatistics:
    """Merge the moments of days, given with what their chunks say, and of their months."""
    builder = StatisticsBuilder(table, n_height)
    for about in days.values():
        for group in DAY_GROUPS:
            builder.merge(group, Welford.from_dict(about["moments"][group]))
    months = Counter(day.astype("datetime64[M]") for day in days)
    for month, n_day in months.items():
        moments = require_about(month_path(folder, month))["moments"]
        for group in FINE_GROUPS:
            builder.merge(group, Welford.from_dict(moments[group]).repeated(n_day))
    return builder.statistics()


def target_moments(days: Iterable[About]) -> dict[str, Any] | None:
    """Mean and deviation of each layer over days, None where a day has no target."""
    total: Welford | None = None
    for about in days:
        if "target" not in about:
            return None
        of_day = Welford.from_dict(about["target"])
        total = total or Welford(of_day.count.shape)
        total.merge(of_day)
    if total is None:
        return None
    return {"mean": total.mean.tolist(), "std": total.std.tolist()}


def scaling_of_days(store: Store) -> tuple[InputStatistics, TargetScaling]:
    """Return the statistics of a store's days: the manifest's where they are all it is of.

    Raises
    ------
    DataError
        If the store has no targets, a chunk is damaged, or an input never varies on these days.
    """
    statistics, scaling = store.statistics, store.scaling
    made_of = {day for day, entry in store.manifest["days"].items() if entry["split"] == "training"}
    if made_of == {str(day) for day in store.days}:
        return statistics, scaling
    days = {day: require_about(day_path(store.folder, day)) for day in store.days}
    with content_errors(
        store.folder,
        DataError,
        what="store",
        rule="keep moments in its chunks as prepare writes them",
        advice="Prepare it again with --overwrite",
    ):
        n_height = len(store.preparation.heights)
        statistics = input_statistics(store.folder, store.table, n_height, days)
        moments = target_moments(days.values())
        if moments is None:
            msg = "a day without targets"
            raise ValueError(msg)
        return statistics, TargetScaling.from_moments(moments["mean"], moments["std"])
