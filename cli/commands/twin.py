"""`dacno2-s5p twin`: the twin world's files in their real layouts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cli.console import progress_bar
from cli.options.shared import twin_date, twin_version, twin_version_options, verbosity_options

if TYPE_CHECKING:
    from dacno2_s5p.twin.version import TwinVersion

KINDS = (
    "l2",
    "ctm",
    "cams",
    "cams-forecast",
    "cams-global",
    "truth",
    "era5",
    "eea",
    "flights",
    "emissions",
    "geography",
    "ground",
)
DEFAULT_KINDS = ("l2", "ctm", "cams", "truth")


@click.command(short_help="The twin world's files in their real layouts.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--start", required=True, metavar="YYYY-MM-DD", help="First day, 2019 to 2024.")
@click.option("--end", default=None, metavar="YYYY-MM-DD", help="Last day.  [default: the first]")
@click.option(
    "--files",
    "kinds",
    default=",".join(DEFAULT_KINDS),
    show_default=True,
    metavar="KIND,...",
    help=f"What to write: {', '.join(KINDS)}, or all.",
)
@click.option("--full", is_flag=True, help="Whole files instead of those cut to the area.")
@click.option("--all-hours", is_flag=True, help="CAMS for 24 hours instead of 11-13 UTC.")
@click.option("--seed", type=int, default=None, help="Another world.  [default: the demo's]")
@twin_version_options
@verbosity_options
def twin(
    folder: Path,
    start: str,
    end: str | None,
    kinds: str,
    *,
    full: bool,
    all_hours: bool,
    seed: int | None,
    version: int,
    exact_winds: bool,
    fixed_lifetime: bool,
    shared_hours: bool,
) -> None:
    """Write files of a synthetic Western Europe: orbits, models, stations, geography.

    Every file says `synthetic`. What was finished is noted in DIR/twin.json and not written again:
    call the same command to go on after an interruption.

    Examples:

    \b
      dacno2-s5p twin twin_june --start 2023-06-01 --end 2023-06-30
      dacno2-s5p twin twin_all --start 2023-06-01 --files all
    """
    first = twin_date(start, "--start")
    last = twin_date(end, "--end") if end is not None else first
    if last < first:
        msg = f"{last} is before {first}."
        raise click.BadParameter(msg, param_hint="--end")
    chosen = list(KINDS) if kinds == "all" else [kind.strip() for kind in kinds.split(",")]
    unknown = [kind for kind in chosen if kind not in KINDS]
    if unknown:
        msg = f"{unknown[0]!r} is none of {', '.join(KINDS)}, all."
        raise click.BadParameter(msg, param_hint="--files")
    world = twin_version(version, exact_winds, fixed_lifetime, shared_hours)
    _write(folder, chosen, first, last, world, full=full, all_hours=all_hours, seed=seed)


def _write(
    folder: Path,
    kinds: list[str],
    first: str,
    last: str,
    world: TwinVersion,
    *,
    full: bool,
    all_hours: bool,
    seed: int | None,
) -> None:
    from cli.tasks.twin_files import Request, date_range, missing, plan, progress_units
    from dacno2_s5p.twin.true_world import SEED
    from dacno2_s5p.twin.twin import Twin
    from retrieval.files.atomic import make_folder

    make_folder(folder)
    built = Twin(SEED if seed is None else seed, world)
    request = Request(built, folder, full, all_hours)
    units = plan(kinds, date_range(first, last))
    to_do = missing(units, request)
    if len(to_do) < len(units):
        click.echo(f"{len(units) - len(to_do)} of {len(units)} done before", err=True)
    with progress_bar("Twin world") as progress:
        for i, unit in progress_units(to_do, request):
            if progress is not None:
                progress(i, len(to_do))
            click.echo(f"{unit.kind} {unit.label}", err=True)
    click.echo(folder)
