"""What `dacno2-s5p grid` refuses as a whole, so that it is said once and not for each orbit."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import rich_click as click

from cli.memory import say_memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.workers.fanout import Workers
    from retrieval.l3.add import AddReport
    from retrieval.l3.days import GridJob
    from retrieval.physics.grids import RectilinearGrid

_PROGRAM = 1.5e8
"""Python, numpy and netCDF with an orbit [bytes, resident]."""
_NUMBER = 8


def gridding_bytes(grid: RectilinearGrid, n_product: int, average: str) -> float:
    """Estimate the memory a process of `grid` takes [bytes], to about a tenth.

    Three sets of sums are there at once: those of the day, of an orbit, and what is added; for the
    mean of months those of the day, of the month, of all, and the means. Against peaks measured
    with cells of 500 m (6.8 M): 1.13 GB for 1.08 (three products), 0.80 for 0.76 (one), 1.68 for
    1.63 (three, months), 1.02 for 1.00 (one, months).

    Parameters
    ----------
    grid : RectilinearGrid
    n_product : int
    average : {"pooled", "months"}
    """
    n_y, n_x = grid.shape
    fields = 3 * (3 + n_product)
    if average == "months":
        fields += 3 * n_product + 1
    return _PROGRAM + float(_NUMBER * fields) * n_y * n_x


def check_memory(job: GridJob, average: str, workers: Workers, n_file: int) -> None:
    """Say how much memory the grid takes; refuse one that this machine cannot hold.

    Raises
    ------
    click.UsageError
        If a single process needs more than the machine has: it would be killed without a word.
    """
    from dacno2_s5p.network.memory import machine_bytes

    each = gridding_bytes(job.grid, len(job.labels), average)
    n_y, n_x = job.grid.shape
    what = f"{n_x} x {n_y} cells with {len(job.labels)} product(s)"
    most = machine_bytes()
    if most is not None and each > most:
        msg = (
            f"Invalid cell. The sums of a grid must fit into memory. Given {what}, which take "
            f"about {each / 1e9:,.0f} GB of {most / 1e9:,.0f}. Give a larger --cell or a smaller "
            "--bbox."
        )
        raise click.UsageError(msg)
    n_process = 1 if workers.scheduler is not None else min(workers.jobs or 1, n_file)
    advice = f"Give a larger --cell, a smaller --bbox{' or fewer --jobs' * (n_process > 1)}."
    say_memory(each * n_process, advice, f"for {what} in {n_process} process(es)")


def check_not_empty(folder: Path, job: GridJob, report: AddReport, n_file: int) -> None:
    """Refuse a call after which the folder of days holds nothing, though every orbit was read.

    Raises
    ------
    ProductError
        With the grid and the conditions that no pixel met.
    """
    from retrieval.errors import ProductError
    from retrieval.l3.days import day_files

    if report.failed or day_files(folder):
        return
    n_y, n_x = job.grid.shape
    rules = [f"{n_x} x {n_y} cells of {job.grid.crs}", f"qa_value above {job.qa_threshold / 100:g}"]
    rules += [f"{one.variable}={one.low:g}..{one.high:g}" for one in job.where]
    n_outside = len(report.outside)
    outside = f", {n_outside} of them beside the grid" if n_outside else ""
    msg = (
        f"No pixel of {n_file} orbit(s) lies on the grid{outside}. A map needs some that have a "
        f"value of every product. Given {', '.join(rules)}. Give another "
        f"--bbox{', --where' * bool(job.where)} or --qa."
    )
    raise ProductError(msg)


@contextmanager
def no_empty_folder(folder: Path) -> Iterator[None]:
    """Remove the folder of days at the end where the block made it and put no day into it."""
    is_new = not folder.exists()
    try:
        yield
    finally:
        if is_new and folder.is_dir():
            _remove_without_days(folder)


def _remove_without_days(folder: Path) -> None:
    from retrieval.errors import OutputError
    from retrieval.files.locks import LOCK, alone_in
    from retrieval.l3.add import WITHOUT_PIXELS
    from retrieval.l3.days import day_files

    with suppress(OSError, OutputError), alone_in(folder):  # not while another call is at work
        if not day_files(folder):
            for path in (folder / WITHOUT_PIXELS, *folder.glob(".*.lock"), folder / LOCK):
                path.unlink(missing_ok=True)
            folder.rmdir()
