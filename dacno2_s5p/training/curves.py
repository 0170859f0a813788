"""Curves of a run: a CSV file that grows with it, and a figure of it."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from dacno2_s5p.errors import TrainingError
from dacno2_s5p.training.losses import TERMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

COLUMNS = (
    "phase",
    "step",
    "learning_rate",
    "train_loss",
    *(f"train_{term}" for term in TERMS),
    "validation_loss",
    *(f"validation_{term}" for term in TERMS),
)
"""Columns of the file: losses and their unweighted terms [scaled units]."""


def append_row(path: Path, row: Mapping[str, float]) -> None:
    """Add a row; the first brings the header."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def read_rows(path: Path) -> list[dict[str, float]]:
    """Read the rows as numbers.

    Raises
    ------
    TrainingError
        If the file is no file of curves.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [{key: float(row[key]) for key in COLUMNS} for row in csv.DictReader(file)]
    except (OSError, KeyError, ValueError, TypeError) as error:
        msg = (
            f"Invalid curves {path}. It must be a file written by train. Given the fault "
            f"{error!r}. Remove it; it is written anew."
        )
        raise TrainingError(msg) from error
    return rows


def forget_after(path: Path, step: int) -> None:
    """Drop rows of steps after the one a run is resumed from."""
    if not path.exists():
        return
    kept = [row for row in read_rows(path) if row["step"] <= step]
    path.unlink()
    for row in kept:
        append_row(path, {**row, "phase": int(row["phase"]), "step": int(row["step"])})


def plot_curves(rows: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw losses and terms against steps, phases one after the other.

    Parameters
    ----------
    rows : sequence of mappings
        Rows of one or several phases, in order.
    path : Path
        Figure to write; the suffix says the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 5.0), layout="constrained")
    axes = figure.subplots(1, 2)
    names = (("loss", axes[0]), *((term, axes[1]) for term in TERMS))
    offset, labelled = 0.0, set()
    for phase in sorted({row["phase"] for row in rows}):
        own = [row for row in rows if row["phase"] == phase]
        steps = [offset + row["step"] for row in own]
        for i, (name, axis) in enumerate(names):
            values = [row[f"validation_{name}"] for row in own]
            if not any(values):
                continue
            colour = f"C{max(i - 1, 0)}"
            label = None if name in labelled else name.replace("_", " ")
            labelled.add(name)
            axis.plot(steps, values, color=colour, label=label)
            trained = [row[f"train_{name}"] for row in own]
            axis.plot(steps, trained, color=colour, linestyle=":")
        offset = steps[-1]
        for axis in axes:
            axis.axvline(offset, color="0.8", linewidth=0.8)
    for axis, title in zip(axes, ("loss", "terms"), strict=True):
        axis.set(xlabel="step", ylabel=f"{title} [scaled units]", yscale="log")
        axis.set_title(f"{title}: validation (solid), training (dotted)", fontsize="medium")
        axis.legend(fontsize="small")
    figure.savefig(path, dpi=150)
