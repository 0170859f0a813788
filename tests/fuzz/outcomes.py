"""How cases end, in one word each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.children import HANGS, UNFORESEEN, Ending, Job, run_here, run_jobs
from tests.fuzz.damage import Case
from tests.fuzz.kinds import Kind, is_clear

COLUMNS = ("refused", "same", "changed", "hang", "unclear", "traceback", "crash", "unnoticed")
"""refused: one clear line. same: the result of the undamaged file. changed: another possible
result, from what no checksum covers. hang: ended by the time limit. The rest should not be."""

BAD = ("unclear", "traceback", "crash", "unnoticed")
"""Outcomes that fail a run."""


@dataclass(frozen=True)
class Outcome:
    """What became of a damaged file."""

    what: str
    damage: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.damage}: {self.detail}"


def run_kind(
    kind: Kind, folder: Path, count: int, seed: int, patience: int, *, batch: int = 60
) -> Iterator[Outcome]:
    """Damage `count` copies of a file and tell what became of each, some copies at a time."""
    for first in range(0, count, batch):
        copies = kind.cases(folder, min(batch, count - first), first, seed)
        for _, outcome in _run([(kind, copies)], folder, run_jobs, patience):
            yield outcome
        shutil.rmtree(folder)


def run_kinds(
    kinds: Sequence[Kind], folder: Path, count: int, seed: int, patience: int, *, here: bool = False
) -> Iterator[tuple[Kind, Outcome]]:
    """Damage `count` copies of each kind and tell what became of them.

    Kinds share a child process, which costs a second to begin. With `here` the cases run in this
    process: for files that no C library reads.
    """
    work = [(kind, kind.cases(folder / str(i), count, 0, seed)) for i, kind in enumerate(kinds)]
    yield from _run(work, folder, run_here if here else run_jobs, patience)
    shutil.rmtree(folder)


def _run(
    work: Sequence[tuple[Kind, list[Case]]], folder: Path, run: Callable[..., Any], patience: int
) -> Iterator[tuple[Kind, Outcome]]:
    """Run the cases of kinds, an undamaged copy of each kind first."""
    jobs = [
        Job(case, kind.arguments, kind.action)
        for i, (kind, copies) in enumerate(work)
        for case in (kind.undamaged(folder / f"whole {i}"), *copies)
    ]
    endings = iter(run(jobs, patience=patience))
    for kind, copies in work:
        undamaged = next(endings)
        if undamaged.status != 0:
            msg = f"{kind.name}: the undamaged file ends with {undamaged.status}: "
            raise RuntimeError(msg + undamaged.stderr)
        for _ in copies:
            yield kind, judge(kind, next(endings), undamaged.output)


def judge(kind: Kind, ending: Ending, expected: str) -> Outcome:
    """Say in one word how a case ended."""
    lines = ending.stderr.strip().splitlines()
    last = lines[-1] if lines else ""
    if ending.status in HANGS:
        what = "hang"
    elif ending.status < 0:
        what = "crash"
    elif ending.status == UNFORESEEN or "Traceback" in ending.stderr:
        what = "traceback"
        last = " | ".join(line.strip() for line in lines[-4:])
    elif ending.status == 1:
        errors = [line for line in lines if line.startswith("Error: ")]
        others = [line for line in lines if not line.startswith(("Error: ", "WARNING: "))]
        what = "refused" if len(errors) == 1 and not others and is_clear(last) else "unclear"
    else:
        what, last = _judge_result(kind, ending, expected)
    return Outcome(what, ending.case.damage, last[:400])


def _judge_result(kind: Kind, ending: Ending, expected: str) -> tuple[str, str]:
    """Compare a result with that of the undamaged file."""
    if ending.output == expected:
        return "same", ""
    impossible = json.loads(ending.output)["impossible"] if ending.output else ""
    if impossible:
        return "unnoticed", impossible
    if kind.must_notice(ending.case):
        return "unnoticed", "other numbers in spite of a checksum"
    return "changed", ""
