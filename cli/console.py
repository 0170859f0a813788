"""Where output goes: results on stdout, progress and log on stderr, one line for an error."""

from __future__ import annotations

import logging
import math
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    Progress = Callable[[float, float], None]
    """Called with what is done and what there is, in any unit."""


logger = logging.getLogger(__name__)

EXIT_DATA = 1
"""The data or files are wrong."""
EXIT_USAGE = 2
"""The command was called in a wrong way."""

OUR_LOGGERS = ("cli", "dacno2_s5p", "retrieval")
"""The only loggers that say more with -v: what h5py or pyproj do inside helps no one."""

WORKER_FLAGS = ("-j", "--jobs", "--scheduler", "--time-limit")
"""Options that change nothing in a file."""

TRACEBACK_VERBOSITY = 2
_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}
_verbosity = 0


class OneLine(logging.Formatter):
    """A record as one line: level and message, whatever line breaks a library put in."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `LEVEL: message`."""
        return f"{record.levelname}: {' '.join(record.getMessage().split())}"


def set_verbosity(level: int) -> None:
    """Set how much is said: -1 errors, 0 warnings, 1 information, 2 everything and tracebacks."""
    global _verbosity
    _verbosity = level
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    ours = _LEVELS.get(max(level, -1), logging.DEBUG)
    root.setLevel(max(ours, logging.WARNING))
    for name in OUR_LOGGERS:
        logging.getLogger(name).setLevel(ours)
    # Python warnings name lines of libraries: for developers.
    logging.getLogger("py.warnings").setLevel(logging.WARNING if level > 0 else logging.ERROR)


def verbosity() -> int:
    """Return the verbosity in force."""
    return _verbosity


@contextmanager
def logging_of_a_command() -> Iterator[None]:
    """Log as a command does; a process that called it logs as before afterwards.

    Workers of a later call take the verbosity in force: one that a quiet command left behind would
    silence their warnings.
    """
    global _verbosity
    loggers = [logging.getLogger(name) for name in (None, *OUR_LOGGERS, "py.warnings")]
    levels = [logger.level for logger in loggers]
    handlers, said, shows = loggers[0].handlers[:], _verbosity, warnings.showwarning
    set_verbosity(0)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        if warnings.showwarning is not shows:  # it may have been captured before
            logging.captureWarnings(capture=False)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        loggers[0].handlers[:] = handlers
        _verbosity = said


def one_line(error: BaseException) -> str:
    """Return an error as one line, whatever the library wrote."""
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        from dacno2_s5p.errors import NETWORK_NEEDS

        return NETWORK_NEEDS
    return " ".join(str(error).split()) or type(error).__name__


def report_error(error: BaseException, where: str = "") -> None:
    """Print an error as one line on stderr, with its traceback only at -vv."""
    show_traceback(error)
    prefix = f"{where}: " if where else ""
    click.echo(f"Error: {prefix}{one_line(error)}", err=True)


def show_traceback(error: BaseException) -> None:
    """Print the traceback of an error on stderr, at -vv only."""
    if _verbosity >= TRACEBACK_VERBOSITY:
        import traceback

        traceback.print_exception(error)


def report_usage(error: click.ClickException) -> None:
    """Print a wrong call as one line on stderr that says where to read on."""
    context = getattr(error, "ctx", None)  # click's parser does not always know its command
    command = "dacno2-s5p" if context is None else context.command_path
    text = " ".join(error.format_message().split()).rstrip(".")
    click.echo(f"Error: {text}. Try `{command} --help`.", err=True)


def note(text: str) -> None:
    """Print a remark on stderr: at a terminal or with -v, not where stderr is piped."""
    if (sys.stderr.isatty() and _verbosity == 0) or _verbosity > 0:
        click.echo(text, err=True)


@contextmanager
def termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM (batch systems, `kill`) end the block like Ctrl-C: nothing stays half-written."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def print_traceback(text: str) -> None:
    """Print the traceback of an error of another process on stderr, at -vv only."""
    if text and _verbosity >= TRACEBACK_VERBOSITY:
        click.echo(text, err=True, nl=False)


@contextmanager
def progress_bar(description: str) -> Iterator[Progress | None]:
    """Show a progress bar with time left on stderr; nothing where stderr is not a terminal."""
    if not sys.stderr.isatty() or _verbosity < 0:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    # lines printed meanwhile go above the bar; not there where results are piped elsewhere
    above = sys.stdout.isatty()
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=above) as progress:
        task = progress.add_task(description, total=None)

        def update(done: float, total: float) -> None:
            progress.update(task, completed=done, total=total)

        yield update


def command_line(arguments: list[str] | None = None) -> str:
    """Return the command as files keep it: without what says only where the work was done.

    Examples
    --------
    >>> command_line(["grid", "new", "-j", "8", "--time-limit=60", "-o", "a.nc"])
    'dacno2-s5p grid new -o a.nc'
    """
    kept = ["dacno2-s5p"]
    is_value = False
    for word in sys.argv[1:] if arguments is None else arguments:
        is_flag = word in WORKER_FLAGS
        is_both = word.startswith(tuple(f"{flag}=" for flag in WORKER_FLAGS)) or (
            word[:2] == "-j" and word[2:].isdigit()
        )
        if not (is_value or is_flag or is_both):
            kept.append(word)
        is_value = is_flag
    return " ".join(kept)


def history_line() -> str:
    """Return time and command as the `history` of a file has them."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {command_line()}"


def print_json(value: object) -> None:
    """Print plain types as JSON on stdout; numbers that JSON does not know become null."""
    import json

    click.echo(json.dumps(_known_to_json(value), indent=2, allow_nan=False))


def _known_to_json(value: object) -> object:
    if isinstance(value, dict):
        return {key: _known_to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_known_to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


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


def say_memory(needed: float, advice: str, where: str = "") -> None:
    """Note the memory a call takes [bytes], and warn where less is free.

    Parameters
    ----------
    needed : float
        The estimate of `dacno2_s5p.network.memory`.
    advice : str
        What to give for less.
    where : str
        What the number is of: "in 2 process(es)".
    """
    from dacno2_s5p.network.memory import available_bytes

    free = available_bytes()
    note(f"about {needed / 1e9:.1f} GB of memory {where}".rstrip())
    if free is not None and needed > free:
        logger.warning(
            "about %.1f GB of memory are needed, %.1f are free. %s",
            needed / 1e9,
            free / 1e9,
            advice,
        )
