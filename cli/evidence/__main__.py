"""`python -m cli.evidence`: run, or go on with, the season; `make evidence` calls it."""

from __future__ import annotations

import logging
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.console import EXIT_DATA, logging_of_a_command, one_line, set_verbosity, show_traceback
from cli.evidence.season import Season, sample_days, spread
from retrieval.errors import OutputError
from retrieval.files.locks import alone_in

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)


@click.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("evidence"),
    show_default=True,
    help="Folder of the days, 90 MB each; a later call goes on with it.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of tables and figures.  [default: OUTPUT/results]",
)
@click.option(
    "--days",
    "n_day",
    type=click.IntRange(1, len(sample_days())),
    default=len(sample_days()),
    show_default=True,
    help="Fewer days, spread over the year.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Network of DACNO2-S5P.  [default: the packaged one, where there is one]",
)
@click.option(
    "--twin-version",
    type=click.IntRange(1, 2),
    help="Version of the twin world.  [default: that of the network, else 1]",
)
@click.option("--without-network", is_flag=True, help="Leave DACNO2-S5P out.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
@click.option(
    "--bootstrap",
    "n_replicate",
    type=click.IntRange(1),
    default=200,
    show_default=True,
    help="Draws of days for the intervals.",
)
@click.option("--done-only", is_flag=True, help="Results from the days that are complete.")
@logging_of_a_command()
def main(
    output: Path,
    results: Path | None,
    n_day: int,
    checkpoint: Path | None,
    jobs: int,
    n_replicate: int,
    *,
    twin_version: int | None,
    without_network: bool,
    done_only: bool,
) -> None:
    """Days of the twin year through every step, and what comes out against the truth.

    Stages of a day: twin files and the simulated orbit; DACNO2-S5P profiles; re-retrieval with
    every set in every mode; daily sums. What is there is not made again. About 50 CPU s a day with
    the network; results two minutes.
    """
    from cli.story.day import version_for
    from dacno2_s5p.twin.version import TwinVersion

    logging.getLogger("cli.evidence").setLevel(logging.INFO)
    chosen = None if without_network else checkpoint or _packaged()
    version = version_for(chosen) if twin_version is None else TwinVersion(twin_version)
    season = Season(output, _unseen(spread(sample_days()), chosen)[:n_day], version.kind)
    output.mkdir(parents=True, exist_ok=True)
    try:
        with nullcontext() if done_only else alone_in(output):
            failed = [] if done_only else _run(season, chosen, jobs)
    except OutputError as error:
        raise click.ClickException(one_line(error)) from error
    for date, reason in failed:
        click.echo(f"Error: {date}: {reason}", err=True)
    for path in _results(season, chosen, results or output / "results", n_replicate):
        click.echo(path)
    if failed:
        sys.exit(EXIT_DATA)


def _unseen(days: tuple[str, ...], checkpoint: Path | None) -> tuple[str, ...]:
    """Leave out days that the network was trained on, and say so."""
    from dacno2_s5p.network.checkpoint import read_info

    trained = set() if checkpoint is None else set(read_info(checkpoint).trained_days)
    seen = [day for day in days if day in trained]
    if seen:
        logger.warning("left out, the network was trained on them: %s", ", ".join(sorted(seen)))
    return tuple(day for day in days if day not in trained)


def _packaged() -> Path | None:
    from dacno2_s5p.network.checkpoint import shipped_checkpoint

    found = shipped_checkpoint(cams=True) or shipped_checkpoint()
    if found is None:
        logger.warning("there is no packaged checkpoint: results are without DACNO2-S5P")
    return found


def _run(season: Season, checkpoint: Path | None, jobs: int) -> list[tuple[str, str]]:
    """Do all days; one that fails does not stop the rest."""
    failed = []
    for i, (date, error) in enumerate(_days_done(season, checkpoint, jobs), start=1):
        if error is not None:
            failed.append((date, one_line(error)))
        logger.info("%s: %d of %d days", date, i, len(season.days))
    return sorted(failed)


def _days_done(
    season: Season, checkpoint: Path | None, jobs: int
) -> Iterator[tuple[str, BaseException | None]]:
    """Give each day when it is done, with its error where there was one."""
    if jobs == 1:
        for date in season.days:
            try:
                do_day(season, date, checkpoint)
            except Exception as error:
                show_traceback(error)
                yield date, error
            else:
                yield date, None
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_start_worker) as pool:
        waiting = {pool.submit(do_day, season, date, checkpoint): date for date in season.days}
        for future in as_completed(waiting):
            yield waiting[future], future.exception()


def _start_worker() -> None:
    """One thread a process: twice as fast as one process with two threads."""
    import torch

    from dacno2_s5p.network.runtime import tune_allocator

    set_verbosity(0)
    torch.set_num_threads(1)
    tune_allocator()


def do_day(season: Season, date: str, checkpoint: Path | None) -> None:
    """Take a day through every stage."""
    from cli.evidence.day import make_originals, retrieve_network, retrieve_twin_sets
    from cli.evidence.gridding import add_day, plans

    day = season.day(date)
    make_originals(day)
    retrieve_twin_sets(day)
    if checkpoint is not None:
        retrieve_network(day, checkpoint)
    for plan in plans(season, checkpoint):
        add_day(day, plan)


def _results(season: Season, checkpoint: Path | None, folder: Path, n_replicate: int) -> list[Path]:
    from cli.evidence.gridding import plans
    from cli.evidence.results import Source, write_results
    from retrieval.files.provenance import file_checksum
    from retrieval.l3.days import day_files

    chosen = plans(season, checkpoint)
    days = [path.stem.removeprefix("sums_") for path in day_files(chosen[0].folder)]
    source = Source(
        days,
        checkpoint.name if checkpoint else "",
        file_checksum(checkpoint) if checkpoint else "",
    )
    return write_results(chosen, folder, source, n_replicate=n_replicate)


if __name__ == "__main__":
    main()
