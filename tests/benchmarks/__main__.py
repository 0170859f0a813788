"""Run the benchmarks: `python -m tests.benchmarks [SUBJECT...] [--keep FOLDER] [--repeat N]`.

A subject is a module of this package with `measure(settings) -> Section`, named in `SUBJECTS`.
Everything is compared with something measured in the same run, in turn with it, so that ratios
hold on any machine, and on a busy one.
"""

from __future__ import annotations

import argparse
import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.measure import Settings, describe_machine, table_of, write_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.measure import Section

SUBJECTS = ("processes", "reretrieve", "scale", "network", "prediction", "loading", "soak")
"""Modules, in the order of the table."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print one table, keep a JSON."""
    given = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(
            files=given.keep or Path(scratch) / "files",
            scratch=Path(scratch),
            repeat=given.repeat,
            tiny=given.tiny,
            peers=given.peers,
            checkpoint=given.checkpoint,
        )
        sections: dict[str, Section] = {}
        machine = describe_machine()
        for name in given.subjects or SUBJECTS:
            print(f"measuring {name} ...", flush=True)
            module = importlib.import_module(f"tests.benchmarks.{name}")
            sections[name] = module.measure(settings)
            write_json(given.json, machine, sections)  # a later subject that fails loses nothing
    _show(machine, sections)
    print(f"\n{given.json}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", choices=[*SUBJECTS, []], metavar="SUBJECT")
    parser.add_argument("--keep", type=Path, help="folder for the input files, made once")
    parser.add_argument("--repeat", type=int, default=3, help="turns (default 3)")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: does it run?")
    parser.add_argument("--peers", type=Path, help="Python of an environment with cmaqsatproc")
    parser.add_argument("--checkpoint", type=Path, help="a trained checkpoint, for bfloat16")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"))
    return parser


def _show(machine: dict[str, object], sections: dict[str, Section]) -> None:
    print("; ".join(f"{key} {value}" for key, value in machine.items()))
    print(table_of(sections))
    for section in sections.values():
        for note in section.notes:
            print(f"- {section.title}: {note}")


if __name__ == "__main__":
    main()
