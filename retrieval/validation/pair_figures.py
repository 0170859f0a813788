"""Figures of pairs: scatter with density, bias by station, before and after, series, seasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from retrieval.maps.style import add_note, plain_axes, save, set_colours
from retrieval.validation.pair_scores import PMOLEC, SEASONS, season

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from retrieval.validation.pair import Pair
    from retrieval.validation.pair_scores import Score

UNIT = "$10^{15}$ molecules cm$^{-2}$"
LEAST_DENSITY = 10
"""Points that a density needs."""


def write_figures(
    folder: Path,
    pairs: Sequence[Pair],
    scores: Sequence[Score],
    *,
    note: str,
    overwrite: bool = False,
) -> list[Path]:
    """Draw all figures of a validation.

    Parameters
    ----------
    folder : Path
    pairs, scores
        Of `make_pairs` and `score_pairs`; there must be a pair.
    note : str
        Small line below each: days, and the word synthetic where it applies.
    overwrite : bool
        Whether figures that are there may be replaced.

    Returns
    -------
    list of Path
        The files.
    """
    drawn = {
        "scatter": scatter(pairs),
        "stations": stations(pairs, scores),
        "series": series(pairs),
        "seasons": seasons(pairs),
    }
    written = []
    for name, figure in drawn.items():
        add_note(figure, note)
        path = folder / f"{name}.png"
        save(figure, path, overwrite=overwrite)
        written.append(path)
    return written


def scatter(pairs: Sequence[Pair]) -> Figure:
    """Draw each a priori against the reference, points coloured by their density."""
    products = list(pairs[0].columns)
    figure, axes = _panels(len(products), 2.6)
    reference = np.array([p.reference_column for p in pairs]) / PMOLEC
    columns = {n: np.array([p.columns[n] for p in pairs]) / PMOLEC for n in products}
    highest = max(reference.max(), *(c.max() for c in columns.values())) * 1.05
    lowest = min(0.0, reference.min(), *(c.min() for c in columns.values()))
    for axis, (name, column) in zip(axes, columns.items(), strict=True):
        order, colour = _density(reference, column)
        axis.plot([lowest, highest], [lowest, highest], color="0.5", linewidth=0.6)
        axis.scatter(reference[order], column[order], c=colour[order], s=8, cmap="viridis")
        axis.set_xlim(lowest, highest)
        axis.set_ylim(lowest, highest)
        axis.set_aspect("equal")
        axis.set_title(f"{name} (n = {len(pairs)})", fontsize=8)
        axis.set_xlabel(f"reference [{UNIT}]", fontsize=7)
    axes[0].set_ylabel(f"satellite [{UNIT}]", fontsize=7)
    return figure


def stations(pairs: Sequence[Pair], scores: Sequence[Score]) -> Figure:
    """Draw the median relative difference at each station, with the interval over its days."""
    names = sorted({p.station for p in pairs})
    products = list(pairs[0].columns)
    colours = set_colours(products, "TM5")
    found = {(s.scope, s.product): s for s in scores if s.statistic == "median_relative_difference"}
    figure, (axis,) = _panels(1, max(3.2, 0.6 * len(names) + 1.6), height=2.8)
    for i, product in enumerate(products):
        shift = 0.7 * ((i + 0.5) / len(products) - 0.5)
        for x, name in enumerate(names):
            score = found[f"station:{name}", product]
            label = product if x == 0 else None
            axis.plot(
                x + shift, score.value, "o", color=colours[product], markersize=4, label=label
            )
            axis.vlines(x + shift, score.low, score.high, color=colours[product], linewidth=0.8)
    axis.axhline(0.0, color="0.5", linewidth=0.6)
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axis.set_xlim(-0.6, len(names) - 0.4)
    axis.set_ylabel("median difference [%]", fontsize=7)
    figure.legend(fontsize=7, loc="outside upper center", ncols=len(products), frameon=False)
    return figure


def series(pairs: Sequence[Pair]) -> Figure:
    """Draw reference and satellite in time, a panel a station."""
    names = sorted({p.station for p in pairs})[:6]
    products = list(pairs[0].columns)
    colours = set_colours(products, "TM5")
    figure, axes = _panels(1, 6.0, height=1.5, n_row=len(names))
    for axis, name in zip(axes, names, strict=True):
        own = [p for p in pairs if p.station == name]
        times = [p.time.astype("datetime64[s]").item() for p in own]
        reference = np.array([p.reference_column for p in own]) / PMOLEC
        spread = np.nan_to_num([p.reference_spread for p in own]) / PMOLEC
        axis.errorbar(times, reference, spread, fmt="s", color="0.4", markersize=3,
                      linewidth=0.6, label="reference")  # fmt: skip
        for product in products:
            column = np.array([p.columns[product] for p in own]) / PMOLEC
            axis.plot(times, column, "o", color=colours[product], markersize=3, label=product)
        axis.set_title(name, fontsize=8, loc="left")
        axis.tick_params(axis="x", rotation=20)
    axes[0].set_ylabel(UNIT, fontsize=7)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, loc="outside upper center", ncols=4, frameon=False)
    return figure


def seasons(pairs: Sequence[Pair]) -> Figure:
    """Draw boxes of the differences in each season."""
    products = list(pairs[0].columns)
    colours = set_colours(products, "TM5")
    figure, (axis,) = _panels(1, 4.5, height=2.8)
    known = [s for s in SEASONS if any(season(p.time) == s for p in pairs)]
    for i, product in enumerate(products):
        values = [
            [
                (p.columns[product] - p.reference_column) / PMOLEC
                for p in pairs
                if season(p.time) == s
            ]
            for s in known
        ]
        shift = 0.7 * ((i + 0.5) / len(products) - 0.5)
        boxes = axis.boxplot(
            values,
            positions=[x + shift for x in range(len(known))],
            widths=0.5 / len(products),
            patch_artist=True,
            showfliers=False,
            medianprops={"color": "white"},
        )
        for box in boxes["boxes"]:
            box.set(facecolor=colours[product], edgecolor=colours[product])
        axis.plot([], [], "s", color=colours[product], label=product)
    axis.axhline(0.0, color="0.5", linewidth=0.6)
    axis.set_xticks(range(len(known)), known)
    axis.set_xlim(-0.6, len(known) - 0.4)
    axis.set_ylabel(f"satellite - reference [{UNIT}]", fontsize=7)
    figure.legend(fontsize=7, loc="outside upper center", ncols=len(products), frameon=False)
    return figure


def _panels(
    n: int, width: float, *, height: float = 3.0, n_row: int = 1
) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * n, height * n_row), layout="constrained")
    axes = list(np.ravel(figure.subplots(n_row, n, squeeze=False)))
    for axis in axes:
        plain_axes(axis)
    return figure, axes


def _density(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order in which dense points lie on top, and the density of each point."""
    points = np.vstack([x, y])
    if x.size < LEAST_DENSITY or np.linalg.matrix_rank(np.cov(points)) < 2:
        return np.arange(x.size), np.ones(x.size)
    density = stats.gaussian_kde(points)(points)
    return np.argsort(density), density
