"""`dacno2-s5p maps`: mean columns, their changes and regional numbers of a gridded file."""

from __future__ import annotations

import logging
from dataclasses import astuple, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import note, print_json, print_table
from cli.options.shared import (
    bootstrap_option,
    daily_sums_option,
    figure_format_option,
    json_option,
    output_folder_option,
    overwrite_option,
    regions_option,
    update_option,
    verbosity_options,
)
from cli.reporting.origin import (
    LEAF,
    input_file,
    input_folder,
    is_made_of,
    is_ours,
    origin_of,
    write_origin,
)

if TYPE_CHECKING:
    from retrieval.l3.differences import AreaNumbers, Sampling
    from retrieval.l3.figure_data import MapData
    from retrieval.l3.means import L3
    from retrieval.maps.regions import Region

logger = logging.getLogger(__name__)

SHIFT = 0.5
"""By how much regions are moved to show what depends on where they end [degree]."""


@click.command(short_help="Maps of columns and their changes, with regional numbers (Fig. 7).")
@click.argument("gridded", metavar="FILE.nc", type=click.Path(path_type=Path))
@output_folder_option("Folder for figures and tables.  [default: FILE_maps beside the file]")
@click.option(
    "--pair",
    "pairs",
    multiple=True,
    metavar="PRODUCT/REFERENCE",
    help="Two products to compare; the last pair is shown by region. Repeatable.  "
    "[default: each set / TM5, then the primary set / each other]",
)
@regions_option
@click.option(
    "--minimum-days",
    type=click.IntRange(1),
    default=None,
    show_default="20 in a year, 8 in a season, else 1",
    metavar="N",
    help="Distinct days that a cell needs.",
)
@click.option(
    "--minimum-column",
    type=float,
    default=0.3,
    show_default=True,
    metavar="1E15",
    help="Cells with a smaller absolute column have no relative difference [1e15 molec cm-2].",
)
@daily_sums_option(
    "Daily sums, for intervals.  [default: FILE_days beside the file, where it exists]"
)
@bootstrap_option("days", 200)
@figure_format_option
@overwrite_option
@update_option
@json_option
@verbosity_options
def maps(**given: Any) -> None:
    """Draw mean columns, relative and absolute differences and regions of a file made by `grid`.

    Writes figure7 (all parts on a page), columns, differences and regions, and the numbers as
    numbers.csv; numbers_shifted.csv has them with regions moved by half a degree;
    provenance.json says what was read.

    The numbers are of the domain, the regions, hotspots and background. Relative differences are
    given in three ways, labelled, because they differ: ratio of means, mean of the cells' relative
    differences, median with 5 and 95 %.

    Examples:

    \b
      dacno2-s5p maps map_2km.nc
      dacno2-s5p maps map_2km.nc --pair DACNO2/CAMS --region "Po valley=7.5,44.5,12,46" -o po
    """
    from retrieval.files.atomic import results_together
    from retrieval.l3.figure_data import map_data, polluted_and_clean
    from retrieval.l3.file import read_l3

    path: Path = given["gridded"]
    folder: Path = given["output"] or path.with_name(f"{path.stem}_maps")
    read = [input_file(path, "gridded")] if path.is_file() else []
    days = _days_of(path, given)
    if days is not None:
        read.append(input_folder(days, "days"))
    origin = origin_of(read, given)
    overwrite = given["overwrite"] or (given["update"] and is_ours(folder / LEAF))
    if given["update"] and is_made_of(folder / LEAF, origin):
        _say_skipped(folder, as_json=given["as_json"])
        return
    targets = _targets(folder, given["suffix"], overwrite=overwrite)
    l3 = read_l3(path)
    rule = _sampling(l3, given)
    _check_sampling(l3, rule, path)
    data = map_data(
        l3,
        pairs=_pairs(given["pairs"]),
        regions=_regions(given),
        further=polluted_and_clean(l3, rule),
        sampling=rule,
    )
    data = _with_intervals(data, path, given)
    with results_together(targets, overwrite=overwrite) as drafts:
        drawn = _draw(data, drafts)
        _write_table(drafts["numbers"], data.numbers)
        _write_table(drafts["numbers_shifted"], _shifted(data))
        write_origin(drafts["provenance"], origin, is_synthetic=l3.is_synthetic)
    written = [targets[name] for name in (*drawn, "numbers", "numbers_shifted", "provenance")]
    if given["as_json"]:
        numbers = [one.as_dict() for one in data.numbers]
        print_json({"files": [str(one) for one in written], "numbers": numbers})
    else:
        _show(data, written)


def _say_skipped(folder: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"output": str(folder), "skipped": "done before"})
    else:
        click.echo(f"skipped {folder}: done before, from the same content and options")


def _targets(folder: Path, suffix: str, *, overwrite: bool) -> dict[str, Path]:
    """Names of what is written; refuses before any work where something would be replaced."""
    from retrieval.files.atomic import check_outputs

    names = ("figure7", "columns", "differences", "regions")
    targets = {name: folder / f"{name}.{suffix}" for name in names}
    targets |= {name: folder / f"{name}.csv" for name in ("numbers", "numbers_shifted")}
    targets["provenance"] = folder / LEAF
    check_outputs(targets.values(), overwrite=overwrite)
    return targets


def _pairs(texts: tuple[str, ...]) -> list[tuple[str, str]] | None:
    pairs = []
    for text in texts:
        product, _, reference = text.partition("/")
        if not product or not reference:
            msg = f"{text!r} is not PRODUCT/REFERENCE. Write for example DACNO2/CAMS."
            raise click.BadParameter(msg, param_hint="--pair")
        pairs.append((product, reference))
    return pairs or None


def _regions(given: dict[str, Any]) -> tuple[Region, ...]:
    from retrieval.maps.regions import REGIONS, parse_region

    try:
        return tuple(parse_region(text) for text in given["regions"]) or REGIONS
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--region") from error


def _sampling(l3: L3, given: dict[str, Any]) -> Sampling:
    from retrieval.l3.differences import Sampling
    from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

    rule = Sampling.for_period(l3.n_span)
    rule = replace(rule, minimum_column=given["minimum_column"] * 1e15 / MOLEC_CM2_PER_MOL_M2)
    days = given["minimum_days"]
    return rule if days is None else replace(rule, minimum_days=days)


def _check_sampling(l3: L3, rule: Sampling, path: Path) -> None:
    """Refuse a file of which no cell has enough measurements: its maps would be empty."""
    from retrieval.errors import ProductError

    if rule.mask(l3).any():
        return
    most = int(l3.days.max())
    if most < rule.minimum_days:
        msg = (
            f"Invalid minimum of days. Some cell must be measured on {rule.minimum_days} days. "
            f"Given {path.name}, whose cells have {most} at most. Give a lower --minimum-days."
        )
        raise ProductError(msg)
    msg = (
        f"Invalid gridded file {path.name}. Some cell must be measured on {rule.minimum_days} "
        f"day(s), be covered to {rule.minimum_coverage:.0%} and hold all products. Given none. "
        "Grid more orbits, or on larger cells."
    )
    raise ProductError(msg)


def _with_intervals(data: MapData, path: Path, given: dict[str, Any]) -> MapData:
    """Add bootstrap intervals where the daily sums are there, and are those of the map."""
    from retrieval.files.provenance import stored_fingerprint
    from retrieval.l3.intervals import bootstrap_numbers
    from retrieval.l3.means import period_fingerprint

    days = _days_of(path, given)
    if days is None:
        return data
    made_of = stored_fingerprint(path)
    if made_of and made_of != period_fingerprint(days, data.l3.period, average=data.l3.average):
        logger.warning(
            "no intervals: the daily sums in %s are not those that %s was made of. Run grid again.",
            days,
            path.name,
        )
        return data
    numbers = bootstrap_numbers(
        days,
        data.numbers,
        data.cells,
        period=data.l3.period,
        average=data.l3.average,
        n_replicate=given["bootstrap"],
    )
    return replace(data, numbers=tuple(numbers))


def _days_of(path: Path, given: dict[str, Any]) -> Path | None:
    """Return the folder of daily sums for intervals; None without, or where none are wanted."""
    days: Path = given["days"] or path.with_name(f"{path.stem}_days")
    is_there = given["days"] is not None or days.is_dir()
    return days if given["bootstrap"] and is_there else None


def _draw(data: MapData, drafts: dict[str, Path]) -> list[str]:
    """Draw the figures that there are data for, and return their names."""
    from retrieval.l3.figures import (
        columns_figure,
        differences_figure,
        figure7,
        regions_figure,
        save,
    )

    figures = {"figure7": figure7, "columns": columns_figure}
    if data.differences:
        figures["differences"] = differences_figure
        if data.regions:
            figures["regions"] = regions_figure
    for name, draw in figures.items():
        save(draw(data), drafts[name])
        note(f"{drafts[name].name} is drawn")
    return list(figures)


def _shifted(data: MapData) -> list[AreaNumbers]:
    """Numbers of the regions moved by half a degree each way."""
    from retrieval.l3.differences import area_masks, area_numbers

    shifts = [(0.0, 0.0), (SHIFT, 0.0), (-SHIFT, 0.0), (0.0, SHIFT), (0.0, -SHIFT)]
    moved = [region.shifted(*shift) for region in data.regions for shift in shifts]
    pairs = [(one.product, one.reference) for one in data.differences]
    return area_numbers(data.l3, pairs, area_masks(data.l3.grid, moved), data.sampling)


def _write_table(path: Path, numbers: tuple[AreaNumbers, ...] | list[AreaNumbers]) -> None:
    """Write numbers as CSV: columns in molec cm-2, relative differences in percent."""
    from retrieval.files.tables import cells, write_lines
    from retrieval.l3.differences import AreaNumbers

    header = list(AreaNumbers.__dataclass_fields__)
    write_lines(path, header, (cells(astuple(one)) for one in numbers))


def _show(data: MapData, written: list[Path]) -> None:
    header = ["area", "pair", "cells", "ratio of means [%]", "mean of cells [%]", "median [%]"]
    header += ["5 % [%]", "95 % [%]", "mean difference [1e15 molec cm-2]"]
    rows = [
        [
            one.area,
            f"{one.product}/{one.reference}",
            str(one.n_cell),
            *(
                f"{value:+.1f}"
                for value in (one.ratio_of_means, one.mean_of_cells, one.median, one.p5, one.p95)
            ),
            f"{one.mean_difference / 1e15:+.3f}",
        ]
        for one in data.numbers
    ]
    first, last = data.l3.period
    print_table(f"{first} to {last}, {data.l3.n_day} days", header, rows)
    for path in written:
        click.echo(str(path))
