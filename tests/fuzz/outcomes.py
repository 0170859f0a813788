"""How cases end, in one word each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fuzz.children import HANGS, UNFORESEEN, Ending, run_cases, run_here
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
        for _, outcome in _run([(kind, copies)], folder, run_cases, patience):
            yield outcome
        shutil.rmtree(folder)


def run_kinds(
    kinds: Sequence[Kind], folder: Path, count: int, seed: int, patience: int, *, here: bool = False
) -> Iterator[tuple[Kind, Outcome]]:
    """Damage `count` copies of each kind and tell what became of them.

    Kinds that are read in the same way share a child process. With `here` the cases run in this
    process: for files that no C library reads.
    """
    together: dict[tuple[str, tuple[str, ...]], list[Kind]] = {}
    for kind in kinds:
        together.setdefault((kind.action, kind.arguments), []).append(kind)
    for number, group in enumerate(together.values()):
        at = folder / str(number)
        work = [(kind, kind.cases(at / str(i), count, 0, seed)) for i, kind in enumerate(group)]
        yield from _run(work, at, run_here if here else run_cases, patience)
        shutil.rmtree(at)


def _run(
    work: Sequence[tuple[Kind, list[Case]]], folder: Path, run: Callable[..., Any], patience: int
) -> Iterator[tuple[Kind, Outcome]]:
    """Run the cases of kinds with one action, an undamaged copy of each kind first."""
    whole = [kind.undamaged(folder / f"whole {i}") for i, (kind, _) in enumerate(work)]
    cases = [
        case for first, (_, copies) in zip(whole, work, strict=True) for case in (first, *copies)
    ]
    kind = work[0][0]
    endings = iter(run(cases, kind.arguments, action=kind.action, patience=patience))
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
