"""What a page is made of: tables, figures and notes of products, in the sections of one story."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

SECTIONS = {
    "headline": "Headline numbers",
    "stations": "Stations",
    "layers": "Layers",
    "profiles": "Profiles",
    "columns": "Columns and relative differences",
    "comparison": "Models beside the instrument",
    "attribution": "Attribution",
    "training": "Training",
}
"""Sections between what was done and the files, in the order of the story, with their titles."""


LONG_WORD = 12
"""Letters of a word that fits into a narrow column in print."""


@dataclass(frozen=True)
class Cell:
    """One value of a table as text; an interval stands small below it."""

    text: str
    interval: str = ""
    is_number: bool = False
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first `n_key` columns, one or two, name the row.

    Attributes
    ----------
    caption : str
        What the numbers are, on how many of what.
    header : tuple of str
        Columns, with units in brackets.
    rows : tuple of tuple of Cell
        As many cells as the header has.
    note : str
        How to read it.
    source : str
        The file it is from, relative to the folder.
    """

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    n_key: int = 1
    note: str = ""
    source: str = ""

    @property
    def groups(self) -> list[tuple[str, list[tuple[Cell, ...]]]]:
        """Rows by their first key, which is not repeated; one group where there is one key."""
        if self.n_key == 1:
            return [("", list(self.rows))]
        parted = groupby(self.rows, key=lambda row: row[0].text)
        return [(name, [row[1:] for row in rows]) for name, rows in parted]

    @property
    def has_long_names(self) -> bool:
        """Whether a name of a column must be broken to fit on paper."""
        return any(len(word) > LONG_WORD for name in self.header for word in name.split())

    def is_number_column(self, index: int) -> bool:
        """Say whether a column holds numbers, so that its header stands on the right, too."""
        return any(row[index].is_number for row in self.rows)


@dataclass(frozen=True)
class Figure:
    """A figure as it is embedded: `uri` holds all of its bytes."""

    caption: str
    alt: str
    uri: str
    source: str
    n_byte: int
    width: int = 0
    height: int = 0


@dataclass
class Product:
    """What one command left in one folder.

    Attributes
    ----------
    title, command : str
        What it is, and the command that makes it.
    folder : str
        Relative, "" for the folder itself.
    parts : dict
        Sections to their tables and figures.
    notes : list of str
        What the command says of its own numbers.
    used : dict
        Files that were read, to their SHA-256.
    problems : list of str
        What could not be shown, and why.
    """

    title: str
    command: str
    folder: str
    parts: dict[str, list[Table | Figure]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    is_synthetic: bool = False

    def add(self, section: str, part: Table | Figure | None) -> None:
        """Add a part to a section, nothing for None."""
        if part is not None:
            self.parts.setdefault(section, []).append(part)


def number(text: str, *, interval: str = "", is_best: bool = False) -> Cell:
    """Return a cell of a number; the minus sign is a real one.

    Examples
    --------
    >>> number("-1.50").text, number("").text
    ('\u22121.50', '')
    """
    minus = "\N{MINUS SIGN}"
    return Cell(text.replace("-", minus), interval.replace("-", minus), True, is_best)
