"""`dacno2-s5p inspect`: what a file is, what it covers, what is missing for which command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.console import EXIT_DATA, one_line, print_json, show_traceback
from cli.options.shared import json_option, sensor_option, verbosity_options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from retrieval.l2.orbit import Orbit


@click.command(short_help="Say what a file is, what it covers and what is missing.")
@sensor_option
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--apriori",
    type=click.Path(path_type=Path, exists=True),
    metavar="PATH",
    help="The a priori that orbits were made with (CTMANA), where they do not hold it.",
)
@json_option
@verbosity_options
def inspect(files: tuple[Path, ...], apriori: Path | None, as_json: bool) -> None:
    """Say what files are: orbits, a-priori sets, ground columns, checkpoints, training stores.

    Meteorology, folders and ZIP archives, too.

    For an orbit: product, both forms of the version, time, area, sizes, the tropospheric columns
    it holds (also KNMI's), how it was re-retrieved, and which variables are missing for which
    job. For a set: kind, grid, levels, times, unit, and what it can serve. For a checkpoint: the
    inputs it needs, how good it was, where it comes from. For a store: days, stations, inputs. For
    ground columns (Pandora, GEOMS, CSV): station, place, period, rows by quality flag, median.
    For a field that does not say all that is needed: the TOML to put beside it, filled in as far as
    the file says, with "?" where it needs an answer.

    Air mass factors of an orbit are recomputed from the a priori that it holds (TEMPO) or that
    --apriori names (TROPOMI and QA4ECV with TM5-MP of the day): by how much they differ, and where
    more than 1 %, which order of layers, temperature factor and tropopause rule closes it.

    Examples:

    \b
      dacno2-s5p inspect S5P_OFFL_L2__NO2____20230601T*.nc
      dacno2-s5p inspect --json cams/2023 profiles
    """
    found, failures, drafts = [], [], []
    for path in files:
        try:
            found.append(describe(path, apriori))
        except Exception as error:
            show_traceback(error)
            drafts.append(_toml(path))
            failures.append(
                f"Error: {path}: {one_line(error)}"
                if len(files) > 1
                else f"Error: {one_line(error)}"
            )
    if as_json and (found or len(files) > 1):
        print_json(found if len(files) > 1 else found[0])
    elif not as_json:
        click.echo("\n\n".join("\n".join(_lines(item)) for item in found), nl=bool(found))
        for toml in filter(None, drafts):
            click.echo(toml)
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        sys.exit(EXIT_DATA)


def _toml(path: Path) -> str:
    """Write the TOML that a field would need, empty for what is none or cannot be opened."""
    from retrieval.apriori.draft import draft
    from retrieval.errors import RetrievalError

    try:
        return draft(path)
    except RetrievalError:
        return ""


def describe(path: Path, apriori: Path | None = None) -> dict[str, Any]:
    """Describe any kind of file; content decides, never the name.

    Of an orbit whose own a priori is in the file, or given, its air mass factors are recomputed.
    """
    from dacno2_s5p.prediction.describe import (
        describe_checkpoint,
        describe_store,
        looks_like_checkpoint,
        looks_like_store,
    )

    if looks_like_store(path):
        return describe_store(path)
    if path.is_file() and looks_like_checkpoint(path):
        return describe_checkpoint(path)
    from retrieval.l2.inspect import describe_l2
    from retrieval.l2.open_orbit import looks_like_l2

    if path.is_file() and looks_like_l2(path):
        return describe_l2(path) | gate_of(path, apriori)
    from retrieval.validation.inspect import describe_ground, looks_like_ground

    if looks_like_ground(path):
        return describe_ground(path)
    from retrieval.apriori.inspect import describe_file

    return describe_file(path)


def gate_of(path: Path, apriori: Path | None) -> dict[str, Any]:
    """Recompute the air mass factors of an original orbit; empty where nothing allows it."""
    from contextlib import ExitStack, closing

    from retrieval.apriori.registry import open_apriori
    from retrieval.l2.columns import reretrieved_sets
    from retrieval.l2.open_orbit import open_lenient
    from retrieval.substitution.gate import recompute

    with ExitStack() as stack:
        orbit = stack.enter_context(open_lenient(path))
        can = not missing_for_gate(orbit) and not reretrieved_sets(orbit)
        if not can or (apriori is None and not orbit.own_apriori):
            return {}
        given = None
        if apriori is not None:
            given = stack.enter_context(closing(open_apriori(apriori, orbit.time)))
        gate = recompute(orbit, given)
    return {} if gate is None else {"air_mass_factors_recomputed": gate.as_dict()}


def missing_for_gate(orbit: Orbit) -> list[str]:
    """Return the variables that an orbit lacks for a re-retrieval."""
    return [name for name in orbit.required if not orbit.has(name)]


def _lines(value: dict[str, Any], indent: int = 0) -> Iterator[str]:
    """Write a description as indented lines; what is empty is left out."""
    for key, item in value.items():
        if item in (None, "", [], {}):
            continue
        title = " " * indent + key.replace("_", " ")
        if isinstance(item, dict):
            yield f"{title}:"
            yield from _lines({str(name): part for name, part in item.items()}, indent + 2)
        else:
            yield f"{title}: {_text(item)}"


def _text(item: object) -> str:
    """Write a value on one line."""
    if isinstance(item, bool):
        return "yes" if item else "no"
    if isinstance(item, list | tuple):
        shown = [_text(part) for part in item[:8]]
        return ", ".join(shown) + (f", ... ({len(item)} in all)" if len(item) > len(shown) else "")
    if isinstance(item, float):
        return f"{item:.7g}"
    return " | ".join(str(item).splitlines())
