"""What the figures of an evaluation share: colours of sets, plain axes, notes, saving."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from retrieval.files.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's colours, told apart by colour-blind readers."""

REFERENCE_COLOUR = "0.15"
UNIT = "µg m$^{-3}$"


def set_colours(names: Iterable[str], reference: str) -> dict[str, str]:
    """Return a colour for each set: the reference dark, the others in their order."""
    names = list(names)
    others = [name for name in names if name != reference]
    found = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(others)}
    return {name: found.get(name, REFERENCE_COLOUR) for name in names}


def plain_axes(axes: Axes) -> None:
    """Small ticks and a faint grid."""
    axes.tick_params(labelsize=6.5, length=2, width=0.5)
    axes.grid(color="0.9", linewidth=0.4)
    axes.set_axisbelow(True)


def add_note(figure: Figure, note: str) -> None:
    """Write small lines below a figure: its days, and the word synthetic."""
    # 22 letters of this size to an inch: a longer line would widen the page
    lines = textwrap.fill(note, max(int(22 * figure.get_figwidth()), 20))
    figure.supxlabel(lines, fontsize=6.5, x=0.005, ha="left", color="0.3")


def save(figure: Figure, path: Path, *, overwrite: bool = False) -> None:
    """Save a figure; the suffix says how.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced.
    """
    with atomic_output(path, overwrite=overwrite) as temporary:
        figure.savefig(
            temporary, dpi=200, format=path.suffix[1:], bbox_inches="tight", pad_inches=0.05
        )
