"""Sums of each day on the grid: the code of `grid`, with one mask for all sets and modes.

Two sets of maps. `common` holds every set at its own resolution in every mode. `averages` holds
the fine sets beside their averages: an average to 1 degree ends half a degree inside of the domain,
and one mask for all would take its edge from `common`, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cli.evidence.day import FINE, TM5_CUT, network_key
from cli.evidence.retrieve import label
from cli.story.day import DACNO2, MODES, SETS
from retrieval.l2.names import TM5
from retrieval.l3.cells import regular_grid
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.side_column import SideColumn
from retrieval.substitution.options import Above

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cli.evidence.season import DayFolder, Season

CELL = 4000.0
"""Cells [m]: pixels are 3.5 to 14 km wide, and some twenty clear days do not sharpen them."""
TRUE = "TRUE"
"""Label of the true column."""
COMMON, AVERAGES = "common", "averages"
AVERAGED_MODES = (Above.UPPER, Above.NONE)


@dataclass(frozen=True)
class Plan:
    """Which columns are gridded together.

    Attributes
    ----------
    name : str
        `common` or `averages`.
    folder : Path
        Of the daily sums.
    columns : tuple of (str, str)
        Label and file of each column, the file named as `DayFolder.columns` does.
    """

    name: str
    folder: Path
    columns: tuple[tuple[str, str], ...]

    @property
    def products(self) -> tuple[str, ...]:
        """All labels, TM5 first and the truth last."""
        return (TM5, *(name for name, _ in self.columns), TRUE)


def plans(season: Season, checkpoint: Path | None) -> tuple[Plan, ...]:
    """Say what is gridded, with the network's sets where there is a checkpoint."""
    key = network_key(checkpoint) if checkpoint else ""
    folder = season.folder / "grid" / (key or "twin")
    fine = [name for name in FINE if key or name != DACNO2]
    whole = [*([DACNO2] if key else []), *SETS, TM5_CUT]
    parts = [part for name in fine for part in (name, f"{name}at10km", f"{name}at1deg")]
    return (
        Plan(COMMON, folder / COMMON, tuple(_columns(whole, MODES, key))),
        Plan(AVERAGES, folder / AVERAGES, tuple(_columns([*parts, "cams"], AVERAGED_MODES, key))),
    )


def _columns(sets: Sequence[str], modes: Sequence[Above], key: str) -> Iterator[tuple[str, str]]:
    for mode in modes:
        for name in sets:
            file = TM5_CUT if name == TM5_CUT else key if name.startswith(DACNO2) else "twin"
            yield label(name, mode), file


def add_day(day: DayFolder, plan: Plan) -> None:
    """Add a day's orbit to the daily sums.

    Days are files of their own and each process has its own days, so that the lock of the command
    `grid` is not needed.
    """
    if (plan.folder / f"sums_{np.datetime64(day.date, 'D')}.nc").exists():
        return
    files = day.originals
    side = [SideColumn(name, str(day.columns(file)), name) for name, file in plan.columns]
    side.append(SideColumn(TRUE, str(files.truth), "true_tropospheric_column"))
    store = DayStore.open(plan.folder, GridJob(regular_grid(CELL), (TM5,), tuple(side)))
    store.add(files.orbit)
    store.flush()
