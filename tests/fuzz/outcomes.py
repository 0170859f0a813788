"""How cases end, in one word each."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.children import HANGS, UNFORESEEN, Ending, run_cases, run_here
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
    kind: Kind,
    folder: Path,
    count: int,
    seed: int,
    patience: int,
    *,
    batch: int = 60,
    here: bool = False,
) -> Iterator[Outcome]:
    """Damage `count` copies of a file and tell what became of each.

    With `here` the cases run in this process: for files that no C library reads.
    """
    run = run_here if here else run_cases
    for first in range(0, count, batch):
        cases = kind.cases(folder, min(batch, count - first), first, seed)
        cases = [kind.undamaged(folder), *cases]
        whole, *endings = run(cases, kind.arguments, action=kind.action, patience=patience)
        if whole.status != 0:
            msg = f"{kind.name}: the undamaged file ends with {whole.status}: {whole.stderr}"
            raise RuntimeError(msg)
        for ending in endings:
            yield judge(kind, ending, whole.output)
        shutil.rmtree(folder)


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
