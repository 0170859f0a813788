"""Where output goes: results on stdout, progress and log on stderr, one line for an error."""

from __future__ import annotations

import io
import logging
import math
import signal
import sys
import threading
import warnings
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
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

WORKER_FLAGS = ("-j", "--jobs", "--scheduler", "--time-limit", "--log-file")
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
        if isinstance(sys.stderr, Log):
            sys.stderr.write_own("ends")
            sys.stderr.close()
            sys.stderr = sys.stderr.stream


class Log(io.TextIOBase):
    """Standard error, copied line by line with its time to the end of a file.

    What redraws a line (a progress bar at a terminal) is not copied.

    Parameters
    ----------
    stream : text stream
        Goes on getting everything.
    path : Path
        Made if absent, else continued.
    """

    def __init__(self, stream: TextIO, path: Path) -> None:
        self.stream = stream
        self._file = path.open("a", encoding="utf-8")
        self._begun = ""

    def write(self, text: str, /) -> int:
        """Write text to the stream, and what ends a line to the file."""
        self.stream.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if line and "\r" not in line and "\x1b" not in line:
                self.write_own(line)
        return len(text)

    def write_own(self, line: str) -> None:
        """Write a line to the file alone."""
        self._file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}\n")
        self._file.flush()

    def flush(self) -> None:
        """Flush the stream."""
        self.stream.flush()

    def isatty(self) -> bool:
        """Whether the stream is a terminal."""
        return self.stream.isatty()

    def fileno(self) -> int:
        """Return the number of the stream's file."""
        return self.stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self.stream.encoding

    def close(self) -> None:
        """End the copy; the stream stays."""
        self._file.close()


def begin_log(path: Path) -> None:
    """Copy all that is said from now on to a file, until the command ends.

    Raises
    ------
    click.UsageError
        If the file cannot be written.
    """
    try:
        log = Log(sys.stderr, path)
    except OSError as error:
        msg = f"--log-file {path} cannot be written ({error.strerror}). Choose another"
        raise click.UsageError(msg) from error
    log.write_own(f"begins: {' '.join(['dacno2-s5p', *sys.argv[1:]])}")
    sys.stderr = log
    set_verbosity(_verbosity)  # its handler takes the new stream


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
    stop = "" if text.endswith("?") else "."
    click.echo(f"Error: {text}{stop} Try `{command} --help`.", err=True)


class NothingToDo(click.ClickException):
    """What was asked for is empty, and the user said that this is no error."""

    exit_code = 0


def report_nothing(error: NothingToDo) -> None:
    """Print on stderr that there was nothing to do."""
    click.echo(f"Nothing to do: {' '.join(error.format_message().split())}", err=True)


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
    context = click.get_current_context(silent=True) if arguments is None else None
    settings = [] if context is None else words_of_settings(context)
    is_value = False
    for word in sys.argv[1:] if arguments is None else arguments:
        is_flag = word in WORKER_FLAGS
        is_both = word.startswith(tuple(f"{flag}=" for flag in WORKER_FLAGS)) or (
            word[:2] == "-j" and word[2:].isdigit()
        )
        if not (is_value or is_flag or is_both):
            kept.append(word)
        is_value = is_flag
    return " ".join(kept + settings)


def words_of_settings(context: click.Context) -> list[str]:
    """Return the options that a command took from a file of settings, as words of its call."""
    words = []
    for option in context.command.params:
        name = option.name or ""
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT_MAP:
            continue
        value = (context.default_map or {})[name]
        for part in value if isinstance(value, list) else [value]:
            if part is not False:
                words += [option.opts[-1]] if part is True else [option.opts[-1], str(part)]
    return words


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
