"""One orbit of `dacno2-s5p reretrieve`: skip it, pass it over, plan or do it; on any process."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retrieval.errors import NothingToDoError, OutputError
from retrieval.files.atomic import check_output, make_folder
from retrieval.files.provenance import stored_fingerprint
from retrieval.l2.crop import find_crop
from retrieval.l2.open_orbit import open_orbit
from retrieval.substitution.job import Job, open_sets
from retrieval.substitution.reretrieve import default_output, is_done, reretrieve

if TYPE_CHECKING:
    from collections.abc import Callable

    from retrieval.substitution.summary import OrbitSummary


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
    """

    orbit: Path
    job: Job
    output: Path | None = None
    into_folder: bool = False
    find_sets: bool = False
    dry_run: bool = False
    is_named: bool = True

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
        from cli.workspace import sets_of_day

        job = replace(job, sets=sets_of_day(task.orbit, job.sets))
    target = _target(task, job)
    if not job.overwrite and is_done(task.orbit, job, target):
        return OrbitDone(target)
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
            "sets": {
                name.upper(): f"{apriori.kind}, {len(apriori.times)} field(s) from "
                f"{apriori.times[0]} to {apriori.times[-1]}"
                for name, apriori in found.sets.items()
            },
            "assumptions": opened.assumptions,
        }
