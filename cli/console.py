"""Where output goes: results on stdout, progress and log on stderr, one line for an error."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

EXIT_DATA = 1
"""The data or files are wrong."""
EXIT_USAGE = 2
"""The command was called in a wrong way."""

TRACEBACK_VERBOSITY = 2
_verbosity = 0


def set_verbosity(level: int) -> None:
    """Set how much is said: -1 errors, 0 warnings, 1 information, 2 everything and tracebacks."""
    global _verbosity
    _verbosity = level
    levels = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(levels.get(max(level, -1), logging.DEBUG if level > 1 else logging.WARNING))


def verbosity() -> int:
    """Return the verbosity in force."""
    return _verbosity


def one_line(error: BaseException) -> str:
    """Return an error as one line, whatever the library wrote."""
    return " ".join(str(error).split()) or type(error).__name__


def report_error(error: BaseException, where: str = "") -> None:
    """Print an error as one line on stderr, with its traceback only at -vv."""
    if _verbosity >= TRACEBACK_VERBOSITY:
        import traceback

        traceback.print_exception(error)
    prefix = f"{where}: " if where else ""
    click.echo(f"Error: {prefix}{one_line(error)}", err=True)


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a progress bar with time left on stderr; nothing where stderr is not a terminal."""
    if not sys.stderr.isatty() or _verbosity < 0:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        yield update


def print_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Print a table on stdout: drawn on a terminal, tab-separated where piped."""
    if not sys.stdout.isatty():
        click.echo("\t".join(header))
        for row in rows:
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
