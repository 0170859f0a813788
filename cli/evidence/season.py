"""Which days, and where their files lie: a folder that a later call goes on with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cli.story.day import DayFiles
from retrieval.errors import OutputError
from retrieval.files.tables import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FIRST_DAY = "2023-01-03"
N_DAY = 60
EVERY = 6
"""Sixty days spread over the year: six and seven have no common divisor, so all weekdays come."""

ORIGINALS = "originals.json"
"""Note of a day whose twin files and orbit are complete."""


def sample_days(first: str = FIRST_DAY, n_day: int = N_DAY, every: int = EVERY) -> tuple[str, ...]:
    """Return the days of a sample, ascending.

    Examples
    --------
    >>> days = sample_days()
    >>> days[0], days[-1], len(days)
    ('2023-01-03', '2023-12-23', 60)
    """
    start = np.datetime64(first, "D")
    return tuple(str(start + np.timedelta64(every * i, "D")) for i in range(n_day))


STRIDE = 4
"""Days are done in the order 1st, 5th, ... 2nd, 6th, ...: at any time those done span the year."""


def spread(days: Sequence[str], n_day: int | None = None) -> tuple[str, ...]:
    """Order days so that the first of them are spread over all; return so many.

    Examples
    --------
    >>> spread(["a", "b", "c", "d", "e", "f"], 3)
    ('a', 'e', 'b')
    """
    return tuple(day for first in range(STRIDE) for day in days[first::STRIDE])[:n_day]


@dataclass(frozen=True)
class DayFolder:
    """The files of one day.

    Attributes
    ----------
    path : Path
        The day's folder.
    date : str
        YYYY-MM-DD.
    world : str
        Kind of twin world (`TwinVersion.kind`).
    """

    path: Path
    date: str
    world: str = "twin world"

    @property
    def has_originals(self) -> bool:
        """Whether the twin's files and the orbit are complete.

        Raises
        ------
        OutputError
            If they are of another world.
        """
        note = self.path / ORIGINALS
        if not note.exists():
            return False
        found = json.loads(note.read_text(encoding="utf-8")).get("world", "twin world")
        if found != self.world:
            msg = (
                f"Invalid folder {self.path}. All its files must be of one world. Given those of "
                f"{found!r} for a season of {self.world!r}. Choose another folder."
            )
            raise OutputError(msg)
        return True

    @cached_property
    def originals(self) -> DayFiles:
        """The twin's files and the orbit, where they are complete."""
        found = json.loads((self.path / ORIGINALS).read_text(encoding="utf-8"))
        return DayFiles(
            ctm=self.path / found["ctm"],
            sets={name: self.path / part for name, part in found["sets"].items()},
            orbit=self.path / found["orbit"],
            truth=self.path / found["truth"],
        )

    def columns(self, what: str = "twin") -> Path:
        """File of the columns with the twin's sets, a network's, or one apart."""
        return self.path / "columns" / f"{what}.nc"

    def note_originals(self, files: DayFiles) -> None:
        """Note that the twin's files and the orbit are complete."""
        found = {
            "ctm": str(files.ctm.relative_to(self.path)),
            "sets": {k: str(v.relative_to(self.path)) for k, v in files.sets.items()},
            "orbit": str(files.orbit.relative_to(self.path)),
            "truth": str(files.truth.relative_to(self.path)),
            "world": self.world,
        }
        write_text(self.path / ORIGINALS, json.dumps(found, indent=1) + "\n", overwrite=True)


@dataclass(frozen=True)
class Season:
    """The days of a run, their folder and the kind of twin world that they are of."""

    folder: Path
    days: tuple[str, ...]
    world: str = "twin world"

    def day(self, date: str) -> DayFolder:
        """Return the folder of a day."""
        return DayFolder(self.folder / "days" / date, date, self.world)

    def __iter__(self) -> Iterator[DayFolder]:
        return (self.day(date) for date in self.days)
