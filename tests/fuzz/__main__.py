"""Damage thousands of files and print how it ended: `python -m tests.fuzz [--files N] [--seed S]`.

Status 1 where a case ended in a traceback, a crash, an error that is no clear line, or numbers
whose damage should have been noticed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.groups import GROUPS
from tests.fuzz.outcomes import BAD, COLUMNS, Outcome, run_kind

BATCH = 60
"""Copies that are on the disk at a time."""


def main() -> int:
    """Run all kinds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000, help="damaged files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", choices=sorted(GROUPS), default=[*GROUPS])
    parser.add_argument("--patience", type=int, default=20, help="seconds a case may take")
    given = parser.parse_args()
    counts: dict[str, dict[str, int]] = {}
    bad: list[Outcome] = []
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_memory()) as scratch:
        folder = Path(scratch)
        kinds = [kind for name in given.only for kind in GROUPS[name](folder / name)]
        total = sum(kind.share for kind in kinds)
        for kind in kinds:
            count = max(2, round(given.files * kind.share / total))
            counts[kind.name] = dict.fromkeys(COLUMNS, 0)
            for outcome in run_kind(
                kind, folder / "cases", count, given.seed, given.patience, batch=BATCH
            ):
                counts[kind.name][outcome.what] += 1
                if outcome.what in BAD:
                    bad.append(outcome)
                    print(f"{kind.name}: {outcome}", file=sys.stderr, flush=True)
            print(_row(kind.name, counts[kind.name]), file=sys.stderr, flush=True)
    print("\n".join(_table(counts)))
    print(f"{time.monotonic() - start:.0f} s, {len(bad)} not as they should be")
    return 1 if bad else 0


def _memory() -> str | None:
    """Return a folder in memory where there is one: thousands of small files are written."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def _row(name: str, counts: dict[str, int]) -> str:
    return f"{name:28s}" + "".join(f"{n:>11d}" for n in (sum(counts.values()), *counts.values()))


def _table(counts: dict[str, dict[str, int]]) -> list[str]:
    head = f"{'kind':28s}" + "".join(f"{name:>11s}" for name in ("files", *COLUMNS))
    total = {name: sum(row[name] for row in counts.values()) for name in COLUMNS}
    return [head, *(_row(name, row) for name, row in counts.items()), _row("all", total)]


if __name__ == "__main__":
    sys.exit(main())
