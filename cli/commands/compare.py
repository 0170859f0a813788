"""`dacno2-s5p compare`: a model as the instrument would see it, beside the instrument."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import EXIT_DATA, note, one_line, print_json, print_table, progress_bar
from cli.options.orbits import find_orbits
from cli.options.shared import (
    bbox_option,
    bootstrap_option,
    existing,
    figure_format_option,
    json_option,
    orbit_day_options,
    output_folder_option,
    overwrite_option,
    qa_option,
    regions_option,
    seed_option,
    sensor_option,
    update_option,
    verbosity_options,
)
from cli.reporting.origin import LEAF, input_file, is_made_of, is_ours, origin_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrieval.maps.regions import Region
    from retrieval.validation.comparison import Comparison


@click.command(short_help="A model as the instrument would see it, beside the instrument.")
@click.argument(
    "orbits", metavar="RE_RETRIEVED...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@sensor_option
@output_folder_option("Folder of tables, maps and figures.", "comparison")
@click.option(
    "-p",
    "--product",
    "products",
    multiple=True,
    metavar="NAME",
    help="A set to compare. Repeatable.  [default: all of the first file]",
)
@regions_option
@click.option(
    "--polygons",
    "polygons",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    metavar="GEOJSON",
    help="Regions of your own, by the names of the features. Repeatable.",
)
@qa_option("Pixels with a stored qa_value above this take part.", 99)
@click.option(
    "--cell",
    default="0.1deg",
    show_default=True,
    metavar="SIZE",
    help="Size of the maps' cells, as of grid.",
)
@click.option(
    "--crs", default="EPSG:3035", show_default=True, metavar="NAME", help="Plane of cells in km."
)
@bbox_option("Area [degrees].  [default: that of the pixels]")
@bootstrap_option("days", 1000)
@seed_option("Seed of the draws.")
@orbit_day_options
@figure_format_option
@overwrite_option
@update_option
@json_option
@verbosity_options
def compare(**given: Any) -> None:
    """Compare the models behind RE_RETRIEVED orbits with the instrument, in two ways.

    kernel: the model's column as the instrument would see it beside the column of the file;
    apriori: the model's own column beside the column with the model as a priori. Both say the same
    pixel by pixel, and how far they do is written. Writes comparison.csv (by region, season, hour,
    cloud, sun, snow, land and sea, with intervals over days), comparison.md, maps of each column
    and of the differences (comparison.nc, map_numbers.csv), scatter, bias and provenance.json.

    Examples:

    \b
      dacno2-s5p compare new.nc -o comparison
      dacno2-s5p compare re-retrieved -p WRF --polygons basins.geojson -o wrf
    """
    from cli.tasks.compare import add_orbits, check_targets, write_results
    from retrieval.l2.identity import check_one_generation, one_file_an_orbit
    from retrieval.validation.comparison import Comparison, sets_of

    folder: Path = given["output"]
    regions = _regions(given)
    found = find_orbits(given["orbits"], given["first"], given["last"], originals=False)
    files, passed_over = one_file_an_orbit(found.paths)
    check_one_generation(files)
    for path, instead in passed_over:
        note(f"{path.name} is left out: {instead.name} holds the orbit")
    inputs = [input_file(p, "orbit") for p in files]
    inputs += [input_file(p, "polygons") for p in given["polygons"]]
    origin = origin_of(inputs, given)
    if given["update"] and is_made_of(folder / LEAF, origin):
        _say_skipped(folder, as_json=given["as_json"])
        return
    overwrite = given["overwrite"] or (given["update"] and is_ours(folder / LEAF))
    targets = check_targets(folder, given["suffix"], overwrite=overwrite)
    known, own = sets_of(files[0])
    sets = _sets(given["products"], known)
    compared = Comparison(sets, regions, given["qa"], given["bbox"], own)
    with progress_bar("Comparing") as progress:
        failed = add_orbits(compared, files, progress)
    if compared.n_pixel:
        usable = [path for path in files if path not in failed]
        done = write_results(compared, usable, targets, origin, given, overwrite=overwrite)
        _say(compared, done, as_json=given["as_json"])
    else:
        click.echo(f"Error: {_nothing(compared, len(files))}", err=True)
    for path, error in failed.items():
        click.echo(f"Error: {path}: {one_line(error)}", err=True)
    if failed or not compared.n_pixel:
        sys.exit(EXIT_DATA)


def _regions(given: dict[str, Any]) -> tuple[Region, ...]:
    from retrieval.maps.polygons import read_geojson
    from retrieval.maps.regions import REGIONS, parse_region

    try:
        found = [parse_region(text) for text in given["regions"]]
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--region") from error
    for path in given["polygons"]:
        found += read_geojson(existing(path, "--polygons") or path)
    names = [region.name for region in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        msg = f"two regions are named {twice[0]}. Give each its own name."
        raise click.UsageError(msg)
    return tuple(found) or REGIONS


def _sets(products: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in products if name not in known]
    if unknown:
        msg = f"{unknown[0]!r} is none of the sets of the orbits, {', '.join(known)}."
        raise click.BadParameter(msg, param_hint="--product")
    return tuple(dict.fromkeys(products)) or tuple(known)


def _nothing(compared: Comparison, n_file: int) -> str:
    area = "" if compared.bbox is None else f" within {compared.bbox}"
    return (
        f"No pixel to compare. One at least must have a qa_value above "
        f"{compared.qa_threshold / 100:g} and all columns{area}. Given none in {n_file} orbit(s). "
        "Check days and area, or give a lower --qa."
    )


def _say_skipped(output: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"output": str(output), "skipped": "done before"})
    else:
        click.echo(f"skipped {output}: done before, from the same content and options")


def _say(compared: Comparison, done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    from cli.tasks.compare import HEADER, table

    title = f"{compared.n_pixel} pixels of {len(compared.days)} day(s), 1e15 molecules cm-2"
    print_table(title, list(HEADER), table(done["scores"]))
    for path in done["files"]:
        click.echo(path)
