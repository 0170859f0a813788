"""One orbit of `dacno2-s5p reretrieve`: skip it, pass it over, plan or do it; on any process."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError, NoOverlapError, NothingToDoError, OutputError
from retrieval.files.atomic import check_output, make_folder
from retrieval.files.provenance import stored_fingerprint
from retrieval.l2.crop import find_crop
from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.time_rules import FARTHEST_FIELD, nearest_distance
from retrieval.substitution.job import Job, open_sets, orbit_time
from retrieval.substitution.reretrieve import default_output, is_done, reretrieve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from retrieval.substitution.summary import OrbitSummary

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OrbitTask:
    """An orbit and what to do with it.

    Attributes
    ----------
    orbit : Path
    job : Job
    output : Path, optional
        File or, with `into_folder`, folder; None: beside the orbit.
    into_folder : bool
        Whether `output` is a folder, which is made where it is missing.
    find_sets : bool
        Whether only those sets of the job are used that hold the orbit's day.
    dry_run : bool
        Compute and write nothing.
    is_named : bool
        Whether the orbit was asked for by its name: then it is an error where there is nothing to
        do. One that was looked for is passed over.
    update : bool
        Whether an output of ours that was made otherwise is replaced.
    """

    orbit: Path
    job: Job
    output: Path | None = None
    into_folder: bool = False
    find_sets: bool = False
    dry_run: bool = False
    is_named: bool = True
    update: bool = False

    @property
    def folder(self) -> Path:
        """Folder of the output."""
        if self.output is None:
            return self.orbit.parent
        return self.output if self.into_folder else self.output.parent


@dataclass(frozen=True)
class OrbitDone:
    """What became of an orbit.

    Attributes
    ----------
    target : Path
        Its output.
    summary : OrbitSummary, optional
        None where nothing was computed.
    plan : dict, optional
        With `dry_run`.
    passed_over : str
        Why there is nothing to do: it is dark, or lies elsewhere. Else empty.
    """

    target: Path
    summary: OrbitSummary | None = None
    plan: dict[str, Any] | None = None
    passed_over: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return plain types, ready for JSON."""
        if self.plan is not None:
            return self.plan
        if self.summary is not None:
            return self.summary.as_dict()
        if self.passed_over:
            return {"passed_over": self.passed_over}
        return {"output": str(self.target), "skipped": "done before"}


def do_orbit(task: OrbitTask, progress: Callable[[float, float], None] | None = None) -> OrbitDone:
    """Re-retrieve an orbit, unless it is done.

    An output is done when it carries the fingerprint of the same content and options; so an orbit
    that a cluster gives out again, or that another process has done meanwhile, is done once.

    Raises
    ------
    RetrievalError
        If it cannot be read or written, or the output is there and made otherwise.
    """
    job = task.job
    if task.find_sets:
        job = replace(job, sets=sets_of_day(task.orbit, job.sets))
    target = _target(task, job)
    if not job.overwrite and is_done(task.orbit, job, target):
        return OrbitDone(target)
    job = replace(job, overwrite=job.overwrite or _may_replace(task, target))
    if target.parent.exists() or not task.into_folder:
        _check(target, task.orbit, overwrite=job.overwrite)
    try:
        if task.dry_run:
            return OrbitDone(target, plan=_plan(task.orbit, target, job))
        if task.into_folder:
            make_folder(target.parent)
        return OrbitDone(target, reretrieve(task.orbit, job, target, progress=progress))
    except NothingToDoError as error:
        if task.is_named:
            raise
        return OrbitDone(target, passed_over=str(error))
    except OutputError:
        if not job.overwrite and is_done(task.orbit, job, target):
            return OrbitDone(target)
        raise


def _may_replace(task: OrbitTask, target: Path) -> bool:
    return task.update and bool(stored_fingerprint(target))


def _target(task: OrbitTask, job: Job) -> Path:
    if task.output is None or task.into_folder:
        return default_output(task.orbit, job.sets, task.output)
    return task.output


def _check(target: Path, orbit: Path, *, overwrite: bool) -> None:
    """Refuse an output that cannot be; say of one of ours that it was made otherwise."""
    if not overwrite and stored_fingerprint(target):
        msg = (
            f"Invalid output {target}. An existing file is not replaced. Given {target.name}, "
            "which exists and was made from other content, with other options or by another "
            "version. Choose another name or give --overwrite."
        )
        raise OutputError(msg)
    check_output(target, overwrite=overwrite, inputs=[orbit])


def _plan(orbit: Path, target: Path, job: Job) -> dict[str, Any]:
    with ExitStack() as stack:
        opened = stack.enter_context(open_orbit(orbit))
        found = open_sets(opened, job, stack)
        primary = next(iter(found.sets.values()))
        grid = primary.grid if job.options.crop == "primary" else None
        crop = find_crop(opened, grid, job.options.bbox)
        return {
            "orbit": str(orbit),
            "processor_version": opened.attribute("processor_version"),
            "output": str(target),
            "layout": str(job.layout),
            "scanlines": [crop.scanline.start, crop.scanline.stop],
            "ground_pixels": [crop.ground_pixel.start, crop.ground_pixel.stop],
            "above": str(job.options.above),
            "upper": str(job.upper) if job.upper is not None else "off",
            "sets": {
                name.upper(): f"{apriori.kind}, {len(apriori.times)} field(s) from "
                f"{apriori.times[0]} to {apriori.times[-1]}"
                for name, apriori in found.sets.items()
            },
            "assumptions": opened.assumptions,
        }


def sets_of_day(orbit: Path, folders: Mapping[str, Path]) -> dict[str, Path]:
    """Choose the sets that hold an orbit's day.

    Parameters
    ----------
    orbit : Path
        A TROPOMI L2 NO2 file.
    folders : mapping of str to Path
        Folders of sets by name, the primary first.

    Returns
    -------
    dict
        Those with a field within 12 hours of the orbit. Folders that cannot be read are left out
        with a warning.

    Raises
    ------
    NoOverlapError
        If none holds the day.
    ProductError
        If the orbit cannot be read.
    """
    with open_orbit(orbit) as opened:
        times = opened.scanline_times(opened.full)
        around = orbit_time(opened)
    found = {
        name: folder for name, folder in folders.items() if _holds_day(name, folder, times, around)
    }
    if not found:
        shown = " and ".join(str(folder) for folder in folders.values())
        msg = (
            f"No a-priori set for {orbit.name}. The workspace must hold its day. Given {shown}, "
            f"without a field within 12 hours of {_day(around)}. Give -a NAME=PATH."
        )
        raise NoOverlapError(msg)
    return found


def _day(time: np.datetime64) -> str:
    return str(time.astype("datetime64[D]"))


def _holds_day(
    name: str, folder: Path, times: NDArray[np.datetime64], around: np.datetime64
) -> bool:
    try:
        apriori = open_apriori(folder, around)
    except AprioriError as error:
        logger.warning("Set %s is left out: %s", name, error)
        return False
    distance = nearest_distance(apriori.times, times)
    apriori.close()
    is_near = bool(distance <= FARTHEST_FIELD)
    if not is_near:
        logger.info("Set %s is left out: %s holds no field of %s", name, folder, _day(around))
    return is_near
