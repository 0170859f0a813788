"""Attributions as rows, one number each: tidy CSV, and checkpoints side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dacno2_s5p.inputs.samples import ALL_GROUPS
from retrieval.files.tables import markdown_table, number, write_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dacno2_s5p.attribution.attribute import Attribution
    from dacno2_s5p.attribution.errors_of_samples import ErrorTarget

HEADER = (
    *("target", "height_m", "level", "group", "feature", "metric", "set", "value", "unit"),
    *("n", "samples", "completeness_error", "completeness_share", "checkpoint"),
)
"""Columns of the CSV."""

ALL, GROUP, FEATURE = "all", "group", "feature"
"""Levels: all inputs together, a group, a feature."""

CONCENTRATION, PERCENT = "ug m-3", "%"


class Row(NamedTuple):
    """One number.

    Attributes
    ----------
    target : ErrorTarget
    level : {"all", "group", "feature"}
    group, feature : str
        Empty above their level.
    metric : str
        `attribution`: change of the RMSE, signed; `magnitude`: sum of sizes of its elements;
        `share`: that of all magnitudes; of all inputs also `rmse`, `rmse_baseline`, `difference`.
    set : str
        Name of the checkpoint.
    value : float
    unit : str
    n : float
        Values compared.
    samples : int
    completeness_error : float
        Sum of the target's attributions minus its difference [ug m-3].
    completeness_share : float
        Its size over the sum of sizes of the features' attributions [1].
    checkpoint : str
        SHA-256 of the checkpoint.
    """

    target: ErrorTarget
    level: str
    group: str
    feature: str
    metric: str
    set: str
    value: float
    unit: str
    n: float
    samples: int
    completeness_error: float
    completeness_share: float
    checkpoint: str


def rows_of(name: str, found: Attribution, checkpoint: str = "") -> list[Row]:
    """Return all numbers of one checkpoint.

    Parameters
    ----------
    name : str
        Of the checkpoint, for tables and figures.
    found : Attribution
    checkpoint : str
        Its fingerprint.
    """
    rows = []
    for i, target in enumerate(found.targets):
        for level, group, feature, metric, value in _numbers(found, i):
            unit = PERCENT if metric == "share" else CONCENTRATION
            rows.append(
                Row(
                    *(target, level, group, feature, metric, name, float(value), unit),
                    n=float(found.n_value[i]),
                    samples=int(found.n_sample[i]),
                    completeness_error=float(found.completeness_error[i]),
                    completeness_share=float(found.completeness_share[i]),
                    checkpoint=checkpoint,
                )
            )
    return rows


def _numbers(found: Attribution, i: int) -> list[tuple[str, str, str, str, float]]:
    """Return level, group, feature, metric and value of all numbers of a target."""
    whole = {
        "rmse": found.at_inputs[i],
        "rmse_baseline": found.at_baseline[i],
        "difference": found.difference[i],
        "attribution": found.signed[i].sum(),
        "magnitude": found.magnitude[i].sum(),
    }
    numbers = [(ALL, "", "", metric, value) for metric, value in whole.items()]
    values = {
        "attribution": found.signed[i],
        "magnitude": found.magnitude[i],
        "share": 100.0 * found.share[i],
    }
    variables = found.table.variables
    for group in found.table.groups:
        mine = np.array([v.group == group for v in variables])
        numbers += [(GROUP, group, "", m, x[mine].sum()) for m, x in values.items()]
    for j, variable in enumerate(variables):
        numbers += [(FEATURE, variable.group, variable.name, m, x[j]) for m, x in values.items()]
    return numbers


def write_csv(path: Path, rows: Sequence[Row], *, overwrite: bool = False) -> None:
    """Write one number a line, six digits.

    Raises
    ------
    OutputError
        If the file exists and may not be replaced.
    """
    lines = (
        [
            *(r.target.kind, number(r.target.height), r.level, r.group, r.feature, r.metric),
            *(r.set, number(r.value), r.unit, number(r.n), r.samples),
            *(number(r.completeness_error), number(r.completeness_share), r.checkpoint),
        ]
        for r in rows
    )
    write_lines(path, HEADER, lines, overwrite=overwrite)


def label(target: ErrorTarget) -> str:
    """Name a target.

    Examples
    --------
    >>> from dacno2_s5p.attribution.errors_of_samples import error_targets
    >>> [label(target) for target in error_targets((0.0, 50.0))]
    ['stations', 'CAMS, 0 m', 'CAMS, 50 m']
    """
    return "stations" if target.kind == "stations" else f"CAMS, {target.height:g} m"


def select(rows: Sequence[Row], level: str, metric: str) -> list[Row]:
    """Return the rows of a level and a metric."""
    return [row for row in rows if row.level == level and row.metric == metric]


def names(rows: Sequence[Row]) -> list[str]:
    """Return the checkpoints in their order."""
    return list(dict.fromkeys(row.set for row in rows))


def targets(rows: Sequence[Row]) -> list[ErrorTarget]:
    """Return the targets of any checkpoint, stations first, from the ground up."""
    found = {row.target for row in rows}
    return sorted(found, key=lambda target: target.column)


def top_features(rows: Sequence[Row], target: ErrorTarget, top: int) -> list[str]:
    """Return the features of the largest share, the mean over checkpoints, largest first."""
    total: dict[str, float] = {}
    for row in select(rows, FEATURE, "share"):
        if row.target == target:
            total[row.feature] = total.get(row.feature, 0.0) + row.value
    return sorted(total, key=lambda feature: -total[feature])[:top]


def groups(rows: Sequence[Row]) -> list[str]:
    """Return the groups of any checkpoint, in the order of the table of inputs."""
    found = {row.group for row in select(rows, GROUP, "share")}
    return [group for group in ALL_GROUPS if group in found]


def group_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: groups by target, checkpoints side by side."""
    cells = [
        [label(target), group, *_side_by_side(rows, GROUP, target, group)]
        for target in targets(rows)
        for group in groups(rows)
    ]
    return ["target", "group", *names(rows)], cells


def feature_table(rows: Sequence[Row], top: int) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: the most important features of each target."""
    groups = {row.feature: row.group for row in select(rows, FEATURE, "share")}
    cells = [
        [label(target), feature, groups[feature], *_side_by_side(rows, FEATURE, target, feature)]
        for target in targets(rows)
        for feature in top_features(rows, target, top)
    ]
    return ["target", "feature", "group", *names(rows)], cells


def _side_by_side(rows: Sequence[Row], level: str, target: ErrorTarget, name: str) -> list[str]:
    """Return share and change of one input, for each checkpoint."""
    found: dict[tuple[str, str], float] = {
        (row.set, row.metric): row.value
        for row in rows
        if row.level == level and row.target == target and name in (row.feature or row.group,)
    }
    return [
        f"{found[one, 'share']:.1f} % ({_change(found[one, 'attribution'])})"
        if (one, "share") in found
        else ""
        for one in names(rows)
    ]


def _change(value: float) -> str:
    """Write a change with two decimals, and below 0.1, as aloft, with two digits.

    Examples
    --------
    >>> _change(-1.0), _change(0.0123)
    ('-1.00', '+0.012')
    """
    return f"{value:+.2g}" if 0.0 < abs(value) < 0.1 else f"{value:+.2f}"


def completeness_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Return header and cells: the error at both ends of the path, and what the integral misses."""
    cells = []
    for row in sorted(select(rows, ALL, "rmse"), key=lambda row: row.target.column):
        mine = {r.metric: r.value for r in rows if _same(r, row)}
        cells.append(
            [
                label(row.target),
                row.set,
                *(f"{mine[m]:.4g}" for m in ("rmse", "rmse_baseline", "difference")),
                f"{mine['attribution']:.4g}",
                f"{row.completeness_error:+.1e}",
                f"{100.0 * row.completeness_share:.2g} %",
                f"{row.n:.6g}",
                str(row.samples),
            ]
        )
    header = ["target", "set", "RMSE", "at the baseline", "difference", "sum", "error"]
    return [*header, "share", "N", "samples"], cells


def _same(row: Row, other: Row) -> bool:
    return row.level == ALL and row.set == other.set and row.target == other.target


def markdown(rows: Sequence[Row], top: int, notes: Sequence[str], origin: Mapping[str, str]) -> str:
    """Return all tables as one page, with where they come from."""
    tables = {
        "Groups of inputs": group_table(rows),
        f"Features: the first {top} of each target": feature_table(rows, top),
        "Completeness": completeness_table(rows),
    }
    parts = ["# Attribution", "", *(f"- {note}" for note in notes)]
    for title, (header, cells) in tables.items():
        parts += ["", f"## {title}", "", *markdown_table(header, cells)]
    parts += [
        "",
        "Percent: share of the sum of sizes of the attributions of all elements. In brackets: "
        "signed change of the RMSE (ug m-3) from the baseline, zero in normalised inputs (the "
        "training mean), to the inputs; these add up to the difference. Error: sum minus "
        "difference (ug m-3); share: its size over the sum of sizes of the features' changes.",
        "",
        "## Origin",
        "",
        *(f"- {key}: {line}" for key, text in origin.items() for line in text.splitlines()),
        "",
    ]
    return "\n".join(parts)
