"""`dacno2-s5p fetch`: real files, from the services that have them, into the workspace."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import EXIT_DATA, note, print_json, print_table, progress_bar
from cli.options.shared import (
    bbox_option,
    choice_option,
    dry_run_option,
    first_last_options,
    json_option,
    verbosity_options,
    workspace_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from cli.tasks.fetch import Wishes
    from retrieval.fetch.collect import Collector, Outcome, Wanted

KINDS = (
    *("orbits", "ctm", "cams", "cams-forecast", "cams-global", "era5", "emissions", "eea"),
    *("flights", "static", "pandora", "tempo", "omi", "sentinel4", "sentinel5", "dacno2"),
)
"""In the order of the help."""

WITHOUT_DAYS = ("static", "dacno2", "pandora")


@click.command(short_help="Download what prepare, predict, reretrieve and validate need.")
@click.argument("kind", metavar="KIND", type=click.Choice(KINDS))
@first_last_options("First day.", "Last day.  [default: the first]")
@bbox_option("Area.  [default: 10W-10E, 40-56N; of era5 13W-13E, 38-58N]")
@workspace_option
@dry_run_option("List files, sizes and costs, and stop.")
@json_option
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 4),
    default=2,
    show_default=True,
    metavar="N",
    help="Downloads at once; services allow four.",
)
@choice_option(
    "--way",
    ["account", "s3", "mirror"],
    "account",
    "How orbits come: by user and password, by keys of the object store, or from the open mirror.",
)
@click.option(
    "--stage",
    type=click.Choice(["auto", "validated", "interim", "forecast", "analysis"]),
    default="auto",
    show_default=True,
    help="Of CAMS European files: auto is validated, else interim; of cams-forecast the forecast.",
)
@click.option(
    "--inventory-version",
    "version",
    default="latest",
    show_default=True,
    metavar="V",
    help="Version of the emission inventory.",
)
@click.option("--site", "sites", multiple=True, metavar="NAME", help="Pandora site. Repeatable.")
@click.option(
    "--collection",
    metavar="ID",
    help="Another collection of NASA (tempo, omi) or EUMETSAT (sentinel4, sentinel5).",
)
@click.option(
    "--record", default="", metavar="N", help="Another Zenodo record than that of DACNO2."
)
@click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="SERVICE=URL",
    help="Another address of a service. Repeatable.",
)
@verbosity_options
def fetch(kind: str, workspace: Path, as_json: bool, **options: Any) -> None:
    """Download files of one KIND for the days and the area, into WORKSPACE/KIND.

    \b
    orbits ctm                              TROPOMI L2 NO2, TM5-MP (Copernicus Data Space)
    cams cams-forecast cams-global          CAMS (Atmosphere Data Store)
    emissions era5                          CAMS-GLOB-ANT; ERA5 (Climate Data Store)
    eea pandora flights static              stations, spectrometers, air traffic, maps
    tempo omi sentinel4 sentinel5           other sensors (NASA, EUMETSAT)
    dacno2                                  the published DACNO2 fields (Zenodo)

    What is there and whole is not asked for again; what came in part is gone on with. Keys come
    from the environment, netrc or the services' own files. WORKSPACE/fetched.jsonl says what came
    from where. Status 1 where something could not be had; the rest is there.

    Examples:

    \b
      dacno2-s5p fetch orbits --start 2023-06-01 --end 2023-06-30 -w data --dry-run
      dacno2-s5p fetch cams --start 2023-06-01 --end 2023-06-30 -w data
      dacno2-s5p fetch pandora --site Cabauw -w data
    """
    from retrieval.fetch.catalogue import Endpoints
    from retrieval.fetch.collect import Collector
    from retrieval.fetch.web import Web

    collector = Collector(workspace, Endpoints(_addresses(options["endpoints"])), Web())
    wishes = _wishes(kind, collector, options)
    from cli.tasks.fetch import list_wanted

    wanted = list_wanted(kind, wishes)
    if kind == "static":
        _say_by_hand()
    if options["dry_run"]:
        _say_plan(collector, wanted, as_json)
        return
    outcomes = _bring(collector, wanted, options["jobs"])
    _say_outcomes(kind, wishes, outcomes, as_json)


def _addresses(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in given:
        name, sign, url = text.partition("=")
        if not sign or not url.startswith(("http://", "https://")):
            msg = f"{text!r} is not SERVICE=URL. Write for example ADS=http://mirror/api."
            raise click.BadParameter(msg, param_hint="--endpoint")
        found[name.upper()] = url
    return found


def _wishes(kind: str, collector: Collector, options: dict[str, Any]) -> Wishes:
    import numpy as np

    from cli.tasks.fetch import WIDER, Wishes
    from dacno2_s5p.sources.orders import Held
    from retrieval.fetch.catalogue import Query

    first, last = options["first"], options["last"]
    if first is None and kind not in WITHOUT_DAYS:
        msg = f"{kind} are files of days. Give --start DATE, and --end DATE for more than one."
        raise click.UsageError(msg)
    days = [np.datetime64(str(d.date())) for d in (first, last or first) if d is not None]
    days = days or [np.datetime64("1970-01-01")] * 2
    box = options["bbox"] or WIDER.get(kind)
    query = Query(days[0], days[-1]) if box is None else Query(days[0], days[-1], tuple(box))
    return Wishes(
        query,
        collector.endpoints,
        collector.web,
        way=options["way"],
        collection=options["collection"],
        sites=options["sites"],
        stage=options["stage"],
        version=options["version"],
        record=options["record"],
        held=Held(collector.workspace, collector.ledger.read()),
        today=np.datetime64("today", "D"),
    )


def _say_by_hand() -> None:
    from retrieval.fetch.open_data import BY_HAND

    for item in BY_HAND:
        click.echo(
            f"By hand ({item.why}): {item.file} from {item.page} into {item.folder}/", err=True
        )


def _say_plan(collector: Collector, wanted: list[Wanted], as_json: bool) -> None:
    """List what is there and what would be asked for, with sizes or costs."""
    from retrieval.errors import FetchError
    from retrieval.fetch.catalogue import human

    rows, is_bad, total = [], False, 0
    for item in wanted:
        status = "there" if collector.found(item) else "to fetch"
        try:
            cost = collector.cost(item)
        except FetchError as error:
            status, cost, is_bad = "refused", str(error), True
        if cost.isdigit():
            total += int(cost) if status == "to fetch" else 0
            cost = human(int(cost))
        rows.append([f"{item.folder}/{item.name}", status, cost])
    if as_json:
        print_json([dict(zip(("file", "status", "cost"), row, strict=True)) for row in rows])
    else:
        print_table("Files", ["file", "status", "size or cost"], rows)
        n = sum(row[1] == "to fetch" for row in rows)
        note(f"{n} of {len(rows)} to fetch, {human(total)} known")
    if is_bad:
        sys.exit(EXIT_DATA)


def _bring(collector: Collector, wanted: list[Wanted], jobs: int) -> list[Outcome]:
    """Work through the list, with a bar of bytes."""
    from retrieval.fetch.catalogue import human

    sizes = {i: (w.remote.size or 0) if w.remote else 0 for i, w in enumerate(wanted)}
    number = {id(w): i for i, w in enumerate(wanted)}
    done: dict[int, int] = {}
    outcomes = []
    with progress_bar("Fetching") as update:

        def tell(item: Wanted, so_far: int, total: int | None) -> None:
            index = number[id(item)]
            done[index] = so_far
            sizes[index] = max(sizes[index], total or so_far)
            if update is not None:
                update(sum(done.values()), sum(sizes.values()))

        for outcome in collector.run(wanted, jobs=jobs, progress=tell):
            outcomes.append(outcome)
            if outcome.status == "fetched" and outcome.path is not None:
                note(f"{outcome.path} ({human(outcome.path.stat().st_size)})")
    return outcomes


def _say_outcomes(kind: str, wishes: Wishes, outcomes: list[Outcome], as_json: bool) -> None:
    counts = {s: sum(o.status == s for o in outcomes) for s in ("fetched", "there", "failed")}
    if as_json:
        listed = [
            {
                "file": str(o.path) if o.path else f"{o.wanted.folder}/{o.wanted.name}",
                "status": o.status,
                "reason": o.reason,
            }
            for o in outcomes
        ]
        print_json({"kind": kind, **counts, "files": listed})
    else:
        for outcome in outcomes:
            if outcome.path is not None:
                click.echo(str(outcome.path))
    # one account that is missing fails every file alike: it is said once
    for reason, n in Counter(o.reason for o in outcomes if o.reason).items():
        click.echo(f"Error: {reason}{f' ({n} files)' if n > 1 else ''}", err=True)
    if not outcomes:
        period = "" if kind in WITHOUT_DAYS else f" for {wishes.query.first} to {wishes.query.last}"
        click.echo(
            f"Nothing is listed{period}: no {kind} file of these days and this area.", err=True
        )
    note(", ".join(f"{n} {status}" for status, n in counts.items()))
    if counts["failed"] or not outcomes:
        sys.exit(EXIT_DATA)
