"""The stages of `dacno2-s5p run`: which commands are called with what, and what became of them.

No state is kept: each command skips what its outputs show to be done from the same content, and
makes anew what is not. A stage that fails stops no other, and of a stage no day another.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import rich_click as click

from cli.console import note, one_line
from cli.options.orbits import find_orbits
from retrieval.errors import RetrievalError
from retrieval.files.provenance import stored_fingerprint
from retrieval.l2.identity import identify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date
    from pathlib import Path

    from cli.tasks.run_finetune import Finetuning
    from cli.tasks.run_recipe import RunRecipe

_AFTER_TRAINING = ("predict", "reretrieve", "grid", "maps", "validate", "report")
"""Stages before which the network is fine-tuned."""

WITHOUT_DAYS = ("static", "dacno2", "pandora")
"""Kinds of files that are of no days."""

GROUND = ("pandora", "maxdoas", "ground")
"""Folders of the workspace with ground columns, where [validate] names none."""


@dataclass(frozen=True)
class Called:
    """What a command left: exit status, what it printed as JSON, its error where it raised one."""

    status: int
    said: Any = None
    error: str = ""


class Call(Protocol):
    """Run a command with words of a command line."""

    def __call__(self, command: str, words: Sequence[str]) -> Called:
        """Return what it left."""


@dataclass
class Stage:
    """What became of a stage, or of one kind of files of it.

    Attributes
    ----------
    name : str
    new, done, failed, missing : int
        Outputs made or made anew; done before; that could not be; without their inputs.
    errors : list of str
    removed : list of str
        Outputs that better ones have taken the place of.
    """

    name: str
    new: int = 0
    done: int = 0
    failed: int = 0
    missing: int = 0
    errors: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """`done`, `nothing new`, or `failed`, also where only a part is."""
        if self.failed or self.missing or self.errors:
            return "failed" if not (self.new or self.done) else "failed in part"
        return "done" if self.new else "nothing new"

    def as_dict(self) -> dict[str, Any]:
        """Return plain types."""
        return {"stage": self.name, "status": self.status} | {
            key: getattr(self, key)
            for key in ("new", "done", "failed", "missing", "errors", "removed")
        }


@dataclass
class Run:
    """A recipe at work on some days.

    Attributes
    ----------
    recipe : RunRecipe
    days : tuple of date
        First and last day to fetch, predict and re-retrieve.
    period : tuple of date
        First and last day that maps and scores are of.
    call : Call
    """

    recipe: RunRecipe
    days: tuple[date, date]
    period: tuple[date, date]
    call: Call

    def stages(self) -> dict[str, Callable[[], list[Stage]]]:
        """Return the stages that the recipe has, in their order."""
        found: dict[str, Callable[[], list[Stage]]] = {}
        for name in self.recipe.sections:
            if name in _AFTER_TRAINING and self.finetuning is not None:
                found.setdefault("finetune", self._finetune)
            found[name] = getattr(self, f"_{name}")
        return found

    @cached_property
    def finetuning(self) -> Finetuning | None:
        """The chain of checkpoints, where the recipe has one."""
        from cli.tasks.run_finetune import Finetuning

        if "finetune" not in self.recipe.own:
            return None
        return Finetuning(self.recipe, self.period, self.call)

    def _finetune(self) -> list[Stage]:
        return [] if self.finetuning is None else [self.finetuning.run()]

    def _words(self, stage: str, *more: object) -> list[str]:
        return [*map(str, more), *self.recipe.sections[stage]]

    def _between(self, days: tuple[date, date]) -> list[str]:
        return ["--start", days[0].isoformat(), "--end", days[1].isoformat()]

    def _fetch(self) -> list[Stage]:
        """Bring files kind by kind."""
        found = []
        for kind, own in self.recipe.kinds.items():
            days = [] if kind in WITHOUT_DAYS else self._between(self.days)
            words = self._words("fetch", kind, "-w", self.recipe.workspace, *days, "--json")
            called = self.call("fetch", [*words, *own])
            stage = _stage(f"fetch {kind}", called)
            if isinstance(called.said, dict):
                stage.new, stage.done = called.said["fetched"], called.said["there"]
                stage.failed = called.said["failed"]
                reasons = [f["reason"] for f in called.said["files"] if f["reason"]]
                stage.errors += list(dict.fromkeys(reasons))
            if called.status and not stage.errors:
                stage.errors.append(f"no {kind} file of these days and this area is listed")
            found.append(stage)
        return found

    def _prepare(self) -> list[Stage]:
        days = self._between(self.period)
        words = self._words("prepare", "-w", self.recipe.workspace, *days, "--skip-missing")
        called = self.call("prepare", [*words, "--json"])
        stage = _stage("prepare", called)
        if isinstance(called.said, dict):
            stage.done, stage.missing = called.said["days"], len(called.said["left_out"])
            stage.errors += _lacking(called.said["left_out"])
        return [stage]

    def _predict(self) -> list[Stage]:
        stage = Stage("predict")
        stretches: list[tuple[date, date, Path | None]] = [(*self.days, None)]
        if self.finetuning is not None:
            stretches = [*self.finetuning.stretches(*self.days)]
        for first, last, checkpoint in stretches:
            days = self._between((first, last))
            words = self._words("predict", "-w", self.recipe.workspace, *days, "--skip-missing")
            words += [] if checkpoint is None else ["--checkpoint", str(checkpoint)]
            called = self.call("predict", [*words, "--update", "--json"])
            stage.errors += [called.error] if called.error else []
            if isinstance(called.said, dict):
                said = called.said
                stage.new += len(said["files"])
                stage.done += len(said["skipped"])
                stage.failed += len(said["failed"])
                stage.missing += len(said["missing"])
                stage.errors += [f"{day}: {error}" for day, error in said["failed"].items()]
                stage.errors += _lacking(said["missing"])
        return [stage]

    @property
    def l2(self) -> Path:
        """Folder of re-retrieved orbits."""
        return self.recipe.results / "l2"

    def _reretrieve(self) -> list[Stage]:
        given = self.recipe.own["reretrieve"].get("orbits", ["orbits"])
        places = [str(p) for place in given if (p := self.recipe.workspace / place).exists()]
        if not places:
            return [
                Stage("reretrieve", errors=[f"no orbits in {self.recipe.workspace / given[0]}"])
            ]
        days = self._between(self.days)
        words = ["-w", str(self.recipe.workspace), *days, "-o", str(self.l2)]
        words += ["--update", "--best-version", "--json"]
        called = self.call("reretrieve", self._words("reretrieve", *places, *words))
        stage = _stage("reretrieve", called)
        outputs = []
        rows = called.said if isinstance(called.said, list) else [called.said]
        for row in [row for row in rows if isinstance(row, dict)]:
            if "error" in row:
                stage.failed += 1
                stage.errors.append(f"{row['orbit']}: {row['error']}")
            elif "output" in row:
                outputs.append(self.recipe.workspace / row["output"])
                stage.done += "skipped" in row
                stage.new += "skipped" not in row
        stage.removed = [path.name for path in self._outdated(outputs)]
        return [stage]

    def _outdated(self, outputs: Sequence[Path]) -> list[Path]:
        """Remove outputs of the same orbits from other versions or with other sets."""
        old: list[Path] = []
        others = sorted(set(self.l2.glob("*.nc")) - set(outputs)) if outputs else []
        new = [identify(path) for path in outputs] if others else []
        for path in others:
            with suppress(RetrievalError):
                found = identify(path)
                if any(found.repeats(one) for one in new) and stored_fingerprint(path):
                    path.unlink()
                    note(f"{path.name} is replaced by a better version")
                    old.append(path)
        return old

    def _orbits(self) -> list[str]:
        """Re-retrieved orbits of the period."""
        first, last = (datetime.combine(day, time()) for day in self.period)
        if not self.l2.is_dir():
            return []
        try:
            found = find_orbits([self.l2], first, last, originals=False)
        except click.UsageError:
            return []
        return [str(path) for path in found.paths]

    @property
    def l3(self) -> Path:
        """The gridded means."""
        return self.recipe.results / "l3.nc"

    def _grid(self) -> list[Stage]:
        orbits = self._orbits()
        if not orbits:
            return [Stage("grid", errors=[f"no re-retrieved orbit of the period in {self.l2}"])]
        words = [*orbits, *self._between(self.period), "-o", str(self.l3), "--update", "--json"]
        called = self.call("grid", self._words("grid", *words))
        stage = _stage("grid", called)
        if isinstance(called.said, dict):
            stage.new = int("skipped" not in called.said)
            stage.done = 1 - stage.new
        return [stage]

    def _maps(self) -> list[Stage]:
        if not self.l3.is_file():
            return [Stage("maps", errors=[f"no gridded means {self.l3}"])]
        words = [self.l3, "-o", self.recipe.results / "maps", "--update", "--json"]
        return [_one_output("maps", self.call("maps", self._words("maps", *words)))]

    def _validate(self) -> list[Stage]:
        orbits = self._orbits()
        if not orbits:
            return [Stage("validate", errors=[f"no re-retrieved orbit of the period in {self.l2}"])]
        words: list[object] = [*orbits, "-o", self.recipe.results / "validation"]
        if not {"--ground", "--surface"} & set(self.recipe.sections["validate"]):
            folders = [self.recipe.workspace / name for name in GROUND]
            there = [folder for folder in folders if folder.is_dir()]
            if not there:
                shown = " or ".join(map(str, folders))
                return [Stage("validate", errors=[f"no ground data in {shown}"])]
            words += [word for folder in there for word in ("--ground", folder)]
        called = self.call("validate", self._words("validate", *words, "--update", "--json"))
        return [_one_output("validate", called)]

    def _report(self) -> list[Stage]:
        if not self.recipe.results.is_dir():
            return [Stage("report", errors=[f"no result in {self.recipe.results}"])]
        called = self.call(
            "report", self._words("report", self.recipe.results, "--update", "--json")
        )
        return [_one_output("report", called)]


def _stage(name: str, called: Called) -> Stage:
    return Stage(name, errors=[called.error] if called.error else [])


def _one_output(name: str, called: Called) -> Stage:
    """Return the outcome of a stage of one output."""
    stage = _stage(name, called)
    if isinstance(called.said, dict):
        stage.new = int("skipped" not in called.said)
        stage.done = 1 - stage.new
    if called.status and not stage.errors:
        stage.errors.append("see the lines above")
    return stage


def _lacking(missing: dict[str, list[str]]) -> list[str]:
    return [f"{day} lacks {one_line(ValueError('; '.join(what)))}" for day, what in missing.items()]
