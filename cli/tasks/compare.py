"""What `dacno2-s5p compare` does: pixels added up, maps of the same orbits, tables and figures."""

from __future__ import annotations

import logging
from dataclasses import astuple, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cli.console import history_line, show_traceback
from cli.reporting.origin import LEAF, write_origin
from cli.tasks.grid import check_memory
from cli.workers.fanout import Workers
from retrieval.files.atomic import check_outputs, results_together
from retrieval.files.tables import cells, number, write_lines, write_text
from retrieval.l3.add import add_files
from retrieval.l3.cells import parse_cell, regular_grid
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.differences import AreaNumbers
from retrieval.l3.figure_data import map_data
from retrieval.l3.file import write_l3
from retrieval.l3.intervals import bootstrap_numbers
from retrieval.l3.means import period_mean
from retrieval.physics.geometry.grids import GEOGRAPHIC
from retrieval.validation.comparison import ALL, WAYS, ComparisonScore, pairs_of
from retrieval.validation.pair_scores import PMOLEC

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retrieval.files.provenance import Provenance
    from retrieval.l3.figure_data import MapData
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.validation.comparison import Comparison

logger = logging.getLogger(__name__)

AGREE = 1e-4
"""Larger relative deviations of the two ways are no rounding of float32 columns and factors."""

HEADER = (
    *("a priori", "way", "model", "satellite", "difference", "relative [%]", "RMS", "r", "slope"),
    "n",
)
"""Columns of the table of all pixels; columns in 1e15 molecules cm-2."""
SHOWN = (
    *("mean_model", "mean_satellite", "mean_difference", "relative_difference"),
    *("root_mean_square", "pearson", "slope"),
)
FIGURES = ("scatter", "bias", "columns", "differences", "regions")


def check_targets(folder: Path, suffix: str, *, overwrite: bool) -> dict[str, Path]:
    """Return the names of what is written; refuse where something would be replaced."""
    targets = {name: folder / f"{name}.{suffix}" for name in FIGURES}
    targets |= {
        "scores": folder / "comparison.csv",
        "markdown": folder / "comparison.md",
        "numbers": folder / "map_numbers.csv",
        "l3": folder / "comparison.nc",
        "provenance": folder / LEAF,
    }
    check_outputs(targets.values(), overwrite=overwrite)
    return targets


def add_orbits(
    compared: Comparison,
    files: Sequence[Path],
    progress: Callable[[float, float], None] | None = None,
) -> dict[Path, Exception]:
    """Add the pixels of orbits; a bad one does not stop the rest, and is returned."""
    failed: dict[Path, Exception] = {}
    for i, path in enumerate(files):
        try:
            compared.add(path)
        except Exception as error:
            show_traceback(error)
            failed[path] = error
        if progress is not None:
            progress(i + 1, len(files))
    return failed


def write_results(
    compared: Comparison,
    files: Sequence[Path],
    targets: dict[str, Path],
    origin: Provenance,
    given: dict[str, Any],
    *,
    overwrite: bool,
) -> dict[str, Any]:
    """Write tables, maps and figures, and return what they say as plain types."""
    from retrieval.l3.figures import columns_figure, differences_figure, regions_figure, save
    from retrieval.validation.comparison_figures import bias, scatter

    scores = compared.scores(n_draw=given["bootstrap"], seed=given["seed"])
    _tell(compared, scores)
    data = _maps(compared, files, scores, given)
    note = _note(compared)
    with results_together(targets, overwrite=overwrite) as drafts:
        figures = {"scatter": scatter(compared, note), "bias": bias(scores, note)}
        figures |= {"columns": columns_figure(data), "differences": differences_figure(data)}
        if data.regions:
            figures["regions"] = regions_figure(data)
        for name, figure in figures.items():
            save(figure, drafts[name])
        write_lines(drafts["scores"], list(ComparisonScore._fields), map(_line, scores))
        write_text(drafts["markdown"], markdown(compared, scores))
        fields = list(AreaNumbers.__dataclass_fields__)
        write_lines(drafts["numbers"], fields, (cells(astuple(one)) for one in data.numbers))
        write_l3(drafts["l3"], data.l3, history=history_line())
        write_origin(drafts["provenance"], origin, is_synthetic=compared.is_synthetic)
    written = [*figures, "scores", "markdown", "numbers", "l3", "provenance"]
    return {
        "files": [str(targets[name]) for name in written],
        "pixels": compared.n_pixel,
        "days": len(compared.days),
        "largest_disagreement": compared.disagreement,
        "scores": [score._asdict() for score in scores],
        "map_numbers": [one.as_dict() for one in data.numbers],
    }


def _tell(compared: Comparison, scores: Sequence[ComparisonScore]) -> None:
    """Warn of regions without pixels, and of ways that do not say the same."""
    seen = {score.scope for score in scores}
    for region in compared.regions:
        if f"region:{region.name}" not in seen:
            logger.info("region %s holds no pixel", region.name)
    for name, worst in compared.disagreement.items():
        if worst > AGREE:
            logger.warning(
                "Set %s: seen with the kernel and as a priori it differs from the instrument by "
                "up to %.2g of the ratio, where both must say the same. Re-retrieve the orbits.",
                name,
                worst,
            )


def _maps(
    compared: Comparison,
    files: Sequence[Path],
    scores: Sequence[ComparisonScore],
    given: dict[str, Any],
) -> MapData:
    """Average the same pixels on a grid, with intervals over days."""
    labels = dict.fromkeys(
        label for pair in pairs_of(compared.sets, compared.reference) for label in pair
    )
    products = sorted(labels, key=lambda label: label != compared.reference)
    job = GridJob(
        _grid(compared, given),
        tuple(products),
        qa_threshold=given["qa"],
    )
    check_memory(job, "pooled", Workers(), len(files))
    seen = {score.scope for score in scores}
    regions = [region for region in compared.regions if f"region:{region.name}" in seen]
    with TemporaryDirectory() as scratch:
        days = Path(scratch) / "days"
        report = add_files(DayStore.open(days, job), files)
        for name, error in report.failed:
            logger.warning("%s is not on the maps: %s", name, error)
        l3 = period_mean(days)
        data = map_data(l3, pairs=pairs_of(compared.sets, compared.reference), regions=regions)
        numbers = bootstrap_numbers(days, data.numbers, data.cells) if given["bootstrap"] else None
    return data if numbers is None else replace(data, numbers=tuple(numbers))


def _grid(compared: Comparison, given: dict[str, Any]) -> RectilinearGrid:
    size, is_degrees = parse_cell(given["cell"])
    box = given["bbox"] or (compared.area if is_degrees else None)
    return regular_grid(size, box, GEOGRAPHIC if is_degrees else given["crs"])


def _line(score: ComparisonScore) -> list[object]:
    return [*score[:4], *map(number, score[4:7]), *score[7:]]


def _note(compared: Comparison) -> str:
    days = sorted(compared.days)
    said = f"{compared.n_pixel} pixels, {len(days)} day(s), {days[0]} to {days[-1]}"
    return f"{said}, synthetic" if compared.is_synthetic else said


def table(scores: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return the statistics of all pixels, a row a set and way; columns in 1e15 molecules cm-2."""
    of_all = {(s["apriori"], s["way"], s["statistic"]): s for s in scores if s["scope"] == ALL}
    rows = []
    for name, way in dict.fromkeys(key[:2] for key in of_all):
        row = [name, way]
        for statistic in SHOWN:
            score = of_all[name, way, statistic]
            is_plain = statistic in ("relative_difference", "pearson", "slope")
            unit = 1.0 if is_plain else PMOLEC
            value, low, high = (score[key] / unit for key in ("value", "low", "high"))
            digits = 1 if statistic == "relative_difference" else 3
            text = f"{value:.{digits}f}" if value == value else ""
            if statistic in ("mean_difference", "relative_difference") and low == low:
                text += f" ({low:.{digits}f} to {high:.{digits}f})"
            row.append(text)
        rows.append([*row, str(of_all[name, way, SHOWN[0]]["n"])])
    return rows


def markdown(compared: Comparison, scores: Sequence[ComparisonScore]) -> str:
    """Return the page of a comparison: what was compared, that both ways agree, all pixels."""
    title = "# A model beside the instrument" + " (synthetic)" * compared.is_synthetic
    ways = {
        "kernel": "the model's column as the instrument would see it, beside that of the file",
        "apriori": "the model's own column, beside that with the model as a priori",
    }
    rows = table([score._asdict() for score in scores])
    lines = [title, "", f"- {_note(compared)}, qa_value above {compared.qa_threshold / 100:g}"]
    lines += [f"- {way}: {ways[way]}" for way in WAYS]
    lines += [
        f"- {name}: both ways give the same ratio of model and instrument, to {worst:.1e} at the "
        "worst pixel; their means differ by how pixels are weighted"
        for name, worst in compared.disagreement.items()
    ]
    if compared.n_beyond:
        lines.append(f"- {compared.n_beyond} points lie beyond the axes of the scatter")
    lines += ["", "| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += [
        "",
        "Columns in 1e15 molecules cm-2, model minus satellite; 95 % intervals over days. "
        "comparison.csv has regions, seasons, hours (mean local solar time), clouds, sun, snow,",
        "land and sea, in mol m-2; map_numbers.csv those of the maps.",
        "",
    ]
    return "\n".join(lines)
