"""Add many orbits to a folder of daily sums: resumable, one process at a time."""

from __future__ import annotations

import fcntl
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retrieval.errors import NoOverlapError, OutputError, ProductError
from retrieval.provenance import file_checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from retrieval.l3_days import DayStore

logger = logging.getLogger(__name__)

LOCK = ".lock"


@dataclass
class AddReport:
    """What became of the files of one call.

    Attributes
    ----------
    added, skipped, outside : list of str
        Files added; files that were there already; files whose orbit does not touch the grid.
    failed : list of (str, Exception)
        Files that could not be added; the others are.
    n_pixel, n_dropped : int
        Pixels added; valid pixels without usable corners.
    """

    added: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)
    n_pixel: int = 0
    n_dropped: int = 0


def add_files(
    store: DayStore,
    paths: Sequence[Path],
    *,
    progress: Callable[[int, int], None] | None = None,
) -> AddReport:
    """Add orbits one by one; those that are in the folder already are skipped.

    Parameters
    ----------
    store : DayStore
        The folder.
    paths : sequence of Path
        L2 NO2 files, one an orbit (`one_file_an_orbit`).
    progress : callable, optional
        Called with files done and to do.

    Returns
    -------
    AddReport
        One bad file does not stop the rest. What was added is written also when interrupted.

    Raises
    ------
    OutputError
        If another process is adding to the folder.
    """
    report = AddReport()
    with _alone(store.folder):
        store.reload()
        try:
            for done, path in enumerate(paths, start=1):
                _add_one(store, path, report)
                if progress:
                    progress(done, len(paths))
        finally:
            store.flush()
    return report


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time add to a folder: two would each lose the sums of the other.

    The lock is the system's, so that none is left when a process dies.
    """
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = (
                f"Invalid folder {folder}. One process at a time adds to it. Given another one "
                "that is adding now. Wait for it, or choose another folder."
            )
            raise OutputError(msg) from error
        yield


def _add_one(store: DayStore, path: Path, report: AddReport) -> None:
    checksum = file_checksum(path)
    if store.holds(checksum):
        report.skipped.append(path.name)
        return
    try:
        sums = store.add(path, checksum)
    except NoOverlapError as error:
        logger.info("%s", error)
        report.outside.append(path.name)
    except ProductError as error:
        report.failed.append((path.name, error))
    else:
        report.added.append(path.name)
        report.n_pixel += sums.n_pixel
        report.n_dropped += sums.n_dropped
