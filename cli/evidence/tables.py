"""Tables of the season: tidy CSV of everything, short Markdown of what the questions need."""

from __future__ import annotations

import csv
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from cli.evidence.day import FINE, TM5_CUT
from cli.evidence.gridding import TRUE
from cli.evidence.numbers import BACKGROUND, HOTSPOTS, steps
from cli.evidence.retrieve import label, parts_of
from cli.story.day import DACNO2
from retrieval.files.atomic import atomic_output
from retrieval.l2.names import TM5
from retrieval.l3.differences import AreaNumbers
from retrieval.maps.regions import DOMAIN, REGIONS
from retrieval.substitution.options import Above

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from cli.evidence.numbers import Found

AREAS = (DOMAIN.name, HOTSPOTS, BACKGROUND)
NAMES = {
    TM5: "TM5 (operational)",
    "TM5CUT": "TM5 itself, cut at 5 km",
    "CAMS": "CAMS-like, 10 km",
    "DACNO2": "DACNO2-S5P, 2 km",
    "DACNO2AT10KM": "DACNO2-S5P at 10 km",
    "DACNO2AT1DEG": "DACNO2-S5P at 1 degree",
    "TRUTH8": "truth at eight heights, 2 km",
    "TRUTH8AT10KM": "truth at eight heights, 10 km",
    "TRUTH8AT1DEG": "truth at eight heights, 1 degree",
    "TRUTH": "truth to the tropopause",
}
"""What stands in tables and figures for each set."""
PAPER = {"cams": 36.2, "dacno2": 39.8, "dacno2/cams": 3.0}
"""Mean changes of Sun et al. (2026) [%]: against TM5, and between the two."""


def write_csv(path: Path, parts: Mapping[str, Found]) -> None:
    """Write all numbers, one row for each area and pair: columns in molec cm-2, changes in %."""
    fields = list(AreaNumbers.__dataclass_fields__)
    header = ["maps", "product_set", "product_mode", "reference_set", "reference_mode", *fields]
    with (
        atomic_output(path, overwrite=True) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, header, lineterminator="\n")
        writer.writeheader()
        for maps, found in parts.items():
            for one in found.numbers:
                row: dict[str, Any] = {key: _plain(value) for key, value in asdict(one).items()}
                for what in ("product", "reference"):
                    row[f"{what}_set"], row[f"{what}_mode"] = parts_of(row[what])
                writer.writerow({"maps": maps, **row})


def _plain(value: Any) -> Any:
    """Five digits of a number, nothing for one that is missing."""
    if not isinstance(value, float):
        return value
    return f"{value:.5g}" if np.isfinite(value) else ""


def signed(value: float, digits: int = 1) -> str:
    """Write a number with its sign, no minus before zero.

    Examples
    --------
    >>> signed(-0.04), signed(3.0)
    ('0.0', '+3.0')
    """
    rounded = round(value, digits) + 0.0
    return f"{rounded:{'+' if rounded else ''}.{digits}f}"


def with_interval(one: AreaNumbers | None) -> str:
    """Write a ratio of means with its interval [%]."""
    if one is None:
        return "–"
    text = signed(one.ratio_of_means)
    if np.isfinite(one.ratio_of_means_low):
        text += f" ({signed(one.ratio_of_means_low)} to {signed(one.ratio_of_means_high)})"
    return text


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table."""
    lines = [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def sets_of(found: Found) -> list[str]:
    """Return sets in the order of tables: TM5 cut, CAMS, the network, the truth."""
    return [name for name in NAMES if name in found.sets]


def changes_table(found: Found, areas: Sequence[str], reference: str) -> str:
    """Write the change of each set against a column, modes beside each other, by area."""
    header = ["area", "a priori", *(f"`{mode}`" for mode in found.modes)]
    rows = []
    for area in areas:
        if reference == TRUE:
            one = found.number(area, TM5, TRUE)
            rows.append([area, NAMES[TM5], *[with_interval(one)] * len(found.modes)])
        for name in sets_of(found):
            columns = [label(name, mode) for mode in found.modes]
            cells = [with_interval(found.number(area, column, reference)) for column in columns]
            rows.append([area, NAMES[name], *cells])
    return markdown(header, rows)


def means_table(found: Found, mode: Above) -> str:
    """Write the mean column of each set in one mode beside the truth, by area [1e15 molec cm-2]."""
    areas = [DOMAIN.name, *(region.name for region in REGIONS), HOTSPOTS, BACKGROUND]
    shown = [name for name in sets_of(found) if name != TM5_CUT.upper()]
    columns = {NAMES[TM5]: TM5} | {NAMES[name]: label(name, mode) for name in shown}
    rows = []
    for area in areas:
        numbers = [found.number(area, column, TRUE) for column in columns.values()]
        if numbers[0] is None:
            continue
        means = [f"{one.mean_product / 1e15:.2f}" if one else "–" for one in numbers]
        rows.append(
            [area, str(numbers[0].n_cell), f"{numbers[0].mean_reference / 1e15:.2f}", *means]
        )
    return markdown(["area", "cells", "true", *columns], rows)


def three_numbers_table(found: Found) -> str:
    """Write the three labelled numbers of the domain beside the paper's."""
    chosen: list[tuple[str, Callable[[Above], tuple[str, str]], str]] = [
        ("TM5 cut at 5 km / TM5", lambda m: (label(TM5_CUT, m), TM5), ""),
        ("CAMS / TM5", lambda m: (label("cams", m), TM5), "cams"),
        ("DACNO2-S5P / TM5", lambda m: (label(DACNO2, m), TM5), "dacno2"),
        ("truth8 / TM5", lambda m: (label("truth8", m), TM5), ""),
        ("DACNO2-S5P / CAMS", lambda m: (label(DACNO2, m), label("cams", m)), "dacno2/cams"),
        ("truth8 / CAMS", lambda m: (label("truth8", m), label("cams", m)), ""),
    ]
    rows = []
    for title, pair, key in chosen:
        for mode in found.modes:
            one = found.number(DOMAIN.name, *pair(mode))
            if one is None:
                continue
            cells = f"{signed(one.median)} ({signed(one.p5)} to {signed(one.p95)})"
            paper = signed(PAPER[key]) if key else ""
            rows.append(
                [title, f"`{mode}`", with_interval(one), signed(one.mean_of_cells), cells, paper]
            )
    header = ["pair", "mode", "ratio of means", "mean of cells", "median (5 to 95 % of cells)"]
    return markdown([*header, "paper"], rows)


def steps_table(found: Found) -> str:
    """Write changes against TM5 divided into content and resolution, mode by mode."""
    header = ["area", "set", "mode", "TM5 to the set at 1 degree", "1 degree to 10 km"]
    header += ["10 km to 2 km", "all", "set at 10 km / CAMS"]
    rows = []
    for area in AREAS:
        for fine in FINE:
            for mode in found.modes:
                parts = [found.number(area, *pair) for pair in steps(fine, mode)]
                if None in parts:
                    continue
                whole = found.number(area, label(fine, mode), TM5)
                content = found.number(area, label(f"{fine}at10km", mode), label("cams", mode))
                cells = [with_interval(one) for one in (*parts, whole, content)]
                rows.append([area, NAMES[fine.upper()], f"`{mode}`", *cells])
    return markdown(header, rows)


def quarters_table(quarters: Mapping[str, Sequence[AreaNumbers]]) -> str:
    """Write the ratio of the domain's means of some pairs by quarter of the year."""
    first = next(iter(quarters.values()), [])
    rows = []
    for one in first:
        key = (one.product, one.reference)
        values = []
        for numbers in quarters.values():
            here = next((n for n in numbers if (n.product, n.reference) == key), None)
            values.append("–" if here is None else signed(here.ratio_of_means))
        rows.append([title_of(one.product), title_of(one.reference), *values])
    return markdown(["product", "reference", *quarters], rows)


def title_of(text: str) -> str:
    """Name a column for readers: set and mode.

    Examples
    --------
    >>> title_of("CAMS_none"), title_of("TRUE")
    ('CAMS-like, 10 km, `none`', 'true column')
    """
    if text == TRUE:
        return "true column"
    name, mode = parts_of(text)
    return NAMES[name] + (f", `{mode}`" if mode else "")
