"""What `validate` writes: pairs, scores and figures, with their origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.console import note
from cli.reporting.origin import LEAF, write_origin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from retrieval.files.provenance import Provenance
    from retrieval.validation.pair import Pair
    from retrieval.validation.pair_scores import Score
    from retrieval.validation.profiles import ProfilePair

WITH_UNIT = ("median_difference", "mean_difference", "dispersion", "root_mean_square")
"""Statistics in the unit of the values; the others are percent or have none."""

SHOWN = ("median_difference", "median_relative_difference", "dispersion", "pearson", "slope")
"""Statistics of the table on the screen."""


def write_validation(
    output: Path,
    pairs: list[Pair],
    orbits: Sequence[Path],
    origin: Provenance,
    options: dict[str, Any],
    *,
    overwrite: bool,
) -> list[Score]:
    """Write all of a validation and return its scores."""
    from retrieval.files.tables import number, write_lines, write_text
    from retrieval.l2.open_orbit import open_lenient
    from retrieval.validation.pair_figures import write_figures
    from retrieval.validation.pair_scores import score_pairs

    output.mkdir(parents=True, exist_ok=True)
    pairs_of_all = [p for p in pairs if list(p.columns) == list(pairs[0].columns)]
    if len(pairs_of_all) < len(pairs):
        sets = ", ".join(pairs[0].columns)
        note(f"{len(pairs) - len(pairs_of_all)} pairs have other sets than {sets}: not scored")
    drawn = {"n_draw": options["bootstrap"], "seed": options["seed"]}
    scores = score_pairs(pairs_of_all, **drawn)
    spread = [p.diluted() for p in pairs_of_all if p.dilution == p.dilution]
    scores += score_pairs(spread, **drawn)
    with open_lenient(orbits[0]) as orbit:
        is_synthetic = orbit.is_synthetic
    rows = [p.row() for p in pairs]
    header = list(dict.fromkeys(key for row in rows for key in row))
    write_lines(
        output / "pairs.csv",
        header,
        [[_cell(row.get(key, "")) for key in header] for row in rows],
        overwrite=overwrite,
    )
    lines = [(s.scope, s.product, s.statistic, *map(number, s[3:6]), s.n) for s in scores]
    columns = ["scope", "product", "statistic", "value", "low", "high", "n"]
    write_lines(output / "scores.csv", columns, lines, overwrite=overwrite)
    write_text(output / "scores.md", _markdown(scores, is_synthetic), overwrite=overwrite)
    days = sorted({str(p.time)[:10] for p in pairs})
    said = f"{len(pairs_of_all)} pairs, {days[0]} to {days[-1]}"
    write_figures(
        output,
        pairs_of_all,
        scores,
        note=f"{said}, synthetic" if is_synthetic else said,
        overwrite=overwrite,
    )
    write_origin(output / LEAF, origin, is_synthetic=is_synthetic, overwrite=overwrite)
    return scores


def write_surface(
    output: Path, pairs: list[Pair], options: dict[str, Any], *, overwrite: bool
) -> None:
    """Write pairs and scores of the sets' surface values, in ug m-3."""
    from retrieval.files.tables import number, write_lines
    from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3 as UNIT
    from retrieval.validation.pair_scores import score_pairs

    output.mkdir(parents=True, exist_ok=True)
    names = list(pairs[0].columns)
    header = ["station", "latitude", "longitude", "granule", "time", "n_reference", "reference"]
    rows = [
        [
            *(p.station, p.latitude, p.longitude, p.granule, f"{p.time}Z", p.n_reference),
            *(_cell(value / UNIT) for value in (p.reference_column, *p.columns.values())),
        ]
        for p in pairs
    ]
    write_lines(output / "surface_pairs.csv", [*header, *names], rows, overwrite=overwrite)
    scores = [
        score
        for score in score_pairs(pairs, n_draw=options["bootstrap"], seed=options["seed"])
        if not score.scope.startswith("class:")  # classes are of columns
    ]
    lines = []
    for s in scores:
        unit = UNIT if s.statistic in WITH_UNIT else 1.0
        values = [number(x / unit) for x in (s.value, s.low, s.high)]
        lines.append((s.scope, s.product, s.statistic, *values, s.n))
    columns = ["scope", "product", "statistic", "value", "low", "high", "n"]
    write_lines(output / "surface_scores.csv", columns, lines, overwrite=overwrite)


def score_table(scores: list[Score]) -> tuple[list[str], list[list[str]]]:
    """Return the scores of all pairs, a row a product, columns in 1e15 molecules cm-2."""
    from retrieval.validation.pair_scores import PMOLEC

    found = {(s.product, s.statistic): s for s in scores if s.scope == "all"}
    products = list(dict.fromkeys(s.product for s in scores))
    header = ["a priori", *(name.replace("_", " ") for name in SHOWN), "n"]
    rows = []
    for product in products:
        row = [product]
        for name in SHOWN:
            score = found[product, name]
            unit = PMOLEC if name in {"median_difference", "dispersion"} else 1.0
            value, low, high = (x / unit for x in score[3:6])
            interval = f" ({low:.2f} to {high:.2f})" if low == low else ""
            row.append(f"{value:.2f}{interval}" if value == value else "")
        rows.append([*row, str(found[product, SHOWN[0]].n)])
    return header, rows


def _markdown(scores: list[Score], is_synthetic: bool) -> str:
    header, rows = score_table(scores)
    lines = ["# Satellite columns beside ground-based ones", ""]
    lines += ["Synthetic orbits." if is_synthetic else "", ""] if is_synthetic else []
    lines += ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += [
        "",
        "Differences are satellite minus reference; median difference and dispersion (IP68/2) in",
        "1e15 molecules cm-2, relative differences in percent of the median reference; 95 %",
        "intervals over days. scores.csv has stations, seasons, classes of pollution and versions.",
        "",
    ]
    return "\n".join(lines)


def _cell(value: object) -> object:
    if isinstance(value, float):
        return "" if value != value else f"{value:.7g}"
    return value


def write_profiles(
    output: Path, pairs: Sequence[ProfilePair], origin: Provenance, *, overwrite: bool
) -> None:
    """Write profiles and their scores by layer, columns of layers in mol m-2."""
    from retrieval.files.tables import cells, write_lines
    from retrieval.validation.profiles import LayerScore, score_profiles

    output.mkdir(parents=True, exist_ok=True)
    names = list(pairs[0].sets)
    header = ["station", "network", "hour", "n_reference", "height_low", "height_high"]
    rows = [
        [
            *(p.station, p.network, f"{p.hour}:00Z", p.n),
            *(_cell(float(x)) for x in (p.edges[k], p.edges[k + 1], p.reference[k])),
            *(_cell(float(p.sets[name][k])) for name in names),
            int(p.is_smoothed),
        ]
        for p in pairs
        for k in range(p.reference.size)
    ]
    columns = [*header, "reference", *names, "is_smoothed"]
    write_lines(output / "profiles.csv", columns, rows, overwrite=overwrite)
    scores = [cells(score) for score in score_profiles(pairs)]
    write_lines(output / "profile_scores.csv", LayerScore._fields, scores, overwrite=overwrite)
    write_origin(output / LEAF, origin, overwrite=overwrite)
