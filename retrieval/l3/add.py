"""Add many orbits to a folder of daily sums: resumable, days shared out, one call at a time.

Each day is the work of one process, which reads the day's orbits in the order of their numbers and
writes the day's file. So nothing but file names travels between processes, one day of sums is in
the memory of each, and the sums are the same, bit by bit, whatever the number of processes.
"""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from retrieval.errors import NoOverlapError, OutputError, ProductError, RetrievalError
from retrieval.files.atomic import atomic_output
from retrieval.files.locks import alone_in
from retrieval.files.provenance import file_checksum, fingerprint
from retrieval.l2.identity import OrbitIdentity
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.pixels import scan_orbit
from retrieval.l3.side_column import SideColumn, side_checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    Progress = Callable[[float, float], None]

    Task = TypeVar("Task", "ScanTask", "DayTask")
    Result = TypeVar("Result")

logger = logging.getLogger(__name__)

WITHOUT_PIXELS = "without_pixels.json"
"""Contents of orbits that give nothing to the grid, which need not be read again."""
WAIT = 60.0
"""Seconds to wait for another process that is adding to the same day."""


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


@dataclass(frozen=True)
class ScanTask:
    """A file to look into; `folder` is that of the days, `side` are further columns."""

    path: Path
    folder: Path
    side: tuple[SideColumn, ...] = ()


@dataclass(frozen=True)
class Scanned:
    """What a file holds: see `scan_orbit`; the identity with checksums, of side files, too."""

    path: Path
    identity: OrbitIdentity
    options: str
    days: tuple[str, ...]


@dataclass(frozen=True)
class DayTask:
    """A day to add orbits to.

    Attributes
    ----------
    folder : Path
        Of the days.
    job : GridJob
    day : str
    files : tuple of (Path, str)
        Files and their checksums, in the order of orbit numbers.
    only_try : bool
        Compute, write nothing.
    """

    folder: Path
    job: GridJob
    day: str
    files: tuple[tuple[Path, str], ...]
    only_try: bool = False

    @property
    def parts(self) -> int:
        """Number of orbits: what time limits and progress go by."""
        return len(self.files)


@dataclass(frozen=True)
class FileResult:
    """What a file gave to a day."""

    n_pixel: int = 0
    n_dropped: int = 0
    is_outside: bool = False
    error: str = ""


class Share(Protocol):
    """How tasks are shared out: results, or what went wrong, in the order of the tasks."""

    def __call__(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[Result | Exception]:
        """Run a function on each task."""


def one_by_one(
    function: Callable[[Task], Result], tasks: Sequence[Task]
) -> Iterator[Result | Exception]:
    """Run a function on each task in this process."""
    for task in tasks:
        try:
            yield function(task)
        except RetrievalError as error:
            yield error


def add_files(
    store: DayStore,
    paths: Sequence[Path],
    *,
    share: Share = one_by_one,
    refuse_new: str = "",
    replace_old: bool = False,
) -> AddReport:
    """Add orbits; those that are in the folder already, by their content, are skipped.

    Parameters
    ----------
    store : DayStore
        The folder.
    paths : sequence of Path
        L2 NO2 files, one an orbit (`one_file_an_orbit`).
    share : callable
        How files and days are shared out among processes.
    refuse_new : str
        Where not empty, an error with this text is raised before anything new is added.
    replace_old : bool
        Make days anew that hold an orbit which has another content now. All orbits of these days
        must be among the files.

    Returns
    -------
    AddReport
        One bad file does not stop the rest. Finished days stay when it is interrupted.

    Raises
    ------
    OutputError
        If another process is adding to the folder, `refuse_new` holds, or a day that is to be
        made anew holds an orbit that is not given.
    """
    report = AddReport()
    with alone_in(store.folder):
        store.reload()
        found = _scanned(store, paths, share)
        if replace_old:
            _forget_old(store, [one for one in found if isinstance(one, Scanned)])
        fresh = _fresh(store, paths, found, report)
        if fresh and refuse_new:
            raise OutputError(refuse_new)
        _report_of_days(fresh, _add_days(store, fresh, share), report)
        _note_empty(store, [one for one in fresh if one.path.name not in _failed(report)])
    return report


def scan(task: ScanTask, progress: Progress | None = None) -> Scanned:
    """Look into a file and take its checksum and those of its side files."""
    del progress
    identity, options, days = scan_orbit(task.path)
    checksum, side = file_checksum(task.path), side_checksums(task.side, task.path)
    return Scanned(task.path, replace(identity, sha256=checksum, side=side), options, days)


def add_day(task: DayTask, progress: Progress | None = None) -> tuple[FileResult, ...]:
    """Add orbits to a day and write its file; again, it adds nothing twice.

    One process at a time does so, from reading the day to writing it: a cluster finishes the day
    that it is at when the call that wanted it is gone, whose lock of the folder is gone with it.

    Returns
    -------
    tuple of FileResult
        One for each file of the task; all of them errors where another process does not end.

    Raises
    ------
    OutputError
        If the day cannot be written, or another process has made it with other settings.
    """
    day = np.datetime64(task.day)
    results = []
    with ExitStack() as stack:
        if not task.only_try:
            try:
                stack.enter_context(alone_on_day(task.folder, task.day, wait=WAIT))
            except OutputError as error:
                return (FileResult(error=str(error)),) * len(task.files)
        store = DayStore.of_day(task.folder, task.job, day)
        try:
            for done, (path, checksum) in enumerate(task.files, start=1):
                results.append(_add_one(store, path, checksum, day))
                if progress is not None:
                    progress(done, len(task.files))
        finally:
            if not task.only_try:
                store.flush()
    return tuple(results)


def alone_on_day(folder: Path, day: str, *, wait: float = 0.0) -> AbstractContextManager[None]:
    """Let one process at a time change a day; see `alone_in`."""
    rule = f"One process at a time adds to {day}"
    return alone_in(folder, name=f".sums_{day}.lock", rule=rule, wait=wait)


def _add_one(store: DayStore, path: Path, checksum: str, day: np.datetime64) -> FileResult:
    try:
        sums = store.add(path, checksum, only=day)
    except NoOverlapError as error:
        logger.info("%s", error)
        return FileResult(is_outside=True)
    except ProductError as error:
        return FileResult(error=str(error))
    return FileResult(sums.n_pixel, sums.n_dropped)


def _scanned(store: DayStore, paths: Sequence[Path], share: Share) -> list[Scanned | Exception]:
    return list(share(scan, [ScanTask(path, store.folder, store.job.side) for path in paths]))


def _forget_old(store: DayStore, found: list[Scanned]) -> None:
    """Remove days with an orbit that is another file now; nothing where one would be lost."""
    contents = {one.identity.content for one in found}
    old = {
        day
        for entry in store.entries
        if entry.content not in contents and any(entry.repeats(one.identity) for one in found)
        for day in entry.days
    }
    for day in sorted(old):
        for entry in store.entries_of(np.datetime64(day)):
            if entry.content not in contents and not any(
                entry.repeats(one.identity) for one in found
            ):
                msg = (
                    f"Invalid files. Days with a changed orbit are made anew from all of theirs. "
                    f"Given none of {entry.file}, which is in the sums of {day}. Give it, too."
                )
                raise OutputError(msg)
    for day in sorted(old):
        logger.info("The sums of %s are made anew: an orbit of it has changed.", day)
        store.path_of(np.datetime64(day)).unlink(missing_ok=True)
    if old:
        store.reload()


def _fresh(
    store: DayStore,
    paths: Sequence[Path],
    scanned: Sequence[Scanned | Exception],
    report: AddReport,
) -> list[Scanned]:
    """Files that are to be added, in the order of orbit numbers."""
    without = _without_pixels(store)
    fresh: list[Scanned] = []
    for path, found in zip(paths, scanned, strict=True):
        if isinstance(found, Exception):
            report.failed.append((path.name, found))
        elif store.holds(found.identity.content) or found.identity.content in without:
            report.skipped.append(path.name)
        else:
            try:
                store.expect(found.identity, found.options)
            except ProductError as error:
                report.failed.append((path.name, error))
            else:
                fresh.append(found)
    return sorted(fresh, key=lambda one: one.identity.orbit)


def _add_days(store: DayStore, fresh: list[Scanned], share: Share) -> dict[str, list[FileResult]]:
    """Add days, and return what each file gave, by its checksum.

    Where the process of a day was lost or ended, its orbits are tried one by one, and those that
    can be read are added without the others.
    """
    days = sorted({day for one in fresh for day in one.days})
    tasks = [
        DayTask(
            store.folder,
            store.job,
            day,
            tuple((one.path, one.identity.sha256) for one in fresh if day in one.days),
        )
        for day in days
    ]
    results: dict[str, list[FileResult]] = {}
    broken = _run_days(tasks, results, share)
    again = [task for task, _ in broken if task.parts > 1]
    tries = [replace(task, files=(file,), only_try=True) for task in again for file in task.files]
    good = [
        task
        for task, tried in zip(tries, share(add_day, tries), strict=True)
        if not _keep_error(task, tried, results)
    ]
    rest = [
        replace(task, files=tuple(one.files[0] for one in good if one.day == task.day))
        for task in again
    ]
    broken = [item for item in broken if item[0].parts == 1]
    broken += _run_days([task for task in rest if task.files], results, share)
    for task, error in broken:
        _keep_error(task, error, results)
    return results


def _run_days(
    tasks: list[DayTask], results: dict[str, list[FileResult]], share: Share
) -> list[tuple[DayTask, Exception]]:
    """Add days; return those that failed as a whole."""
    broken = []
    for task, found in zip(tasks, share(add_day, tasks), strict=True):
        if isinstance(found, Exception):
            broken.append((task, found))
        else:
            for (_, checksum), result in zip(task.files, found, strict=True):
                results.setdefault(checksum, []).append(result)
    return broken


def _keep_error(task: DayTask, found: object, results: dict[str, list[FileResult]]) -> bool:
    """Keep an error for each file of a task. True where there was one."""
    if not isinstance(found, Exception):
        return False
    for _, checksum in task.files:
        results.setdefault(checksum, []).append(FileResult(error=str(found)))
    return True


def _report_of_days(
    fresh: list[Scanned], results: dict[str, list[FileResult]], report: AddReport
) -> None:
    """Sum up what each file gave to its days."""
    for one in fresh:
        found = results.get(one.identity.sha256, [])
        errors = [result.error for result in found if result.error]
        report.n_pixel += sum(result.n_pixel for result in found)
        report.n_dropped += sum(result.n_dropped for result in found)
        if errors:
            report.failed.append((one.path.name, ProductError(errors[0])))
        elif found and all(result.is_outside for result in found):
            report.outside.append(one.path.name)
        else:
            report.added.append(one.path.name)


def _failed(report: AddReport) -> set[str]:
    return {name for name, _ in report.failed}


def _settings(store: DayStore) -> str:
    """Fingerprint of what decides which pixels take part."""
    grid = store.job.grid
    edges = [grid.x_edges.tolist(), grid.y_edges.tolist()]
    return fingerprint("days", settings=store.job.settings, crs=grid.crs, edges=edges)


def _without_pixels(store: DayStore) -> set[str]:
    try:
        found = json.loads((store.folder / WITHOUT_PIXELS).read_text())
    except (OSError, ValueError):
        return set()
    return set(found["contents"]) if found.get("settings") == _settings(store) else set()


def _note_empty(store: DayStore, fresh: list[Scanned]) -> None:
    """Note which files gave nothing to any day."""
    before = _without_pixels(store)
    store.reload()
    contents = {one.identity.content for one in fresh}
    empty = before | {content for content in contents if not store.holds(content)}
    if empty != before:
        with atomic_output(store.folder / WITHOUT_PIXELS, overwrite=True) as temporary:
            noted = {"settings": _settings(store), "contents": sorted(empty)}
            temporary.write_text(json.dumps(noted))
