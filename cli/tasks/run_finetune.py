"""Phase 3 again by month: a chain of checkpoints, of which only those serve that are no worse.

Each complete month of the period trains phase 3 on its own days, from the checkpoint that served
until then, which has seen the months before. It serves from the next month on if its error at
stations held back is not larger than its parent's by more than its own 95 % interval. What was
decided stands in `WORKSPACE/finetune/YYYY-MM/serving.json`, with the parent, the days, the scores
before and after, and a fingerprint of all that it depends on: a month that is done is left.
"""

from __future__ import annotations

import calendar
import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from cli.tasks.run_stages import Called, Stage
from retrieval.errors import RetrievalError
from retrieval.files.provenance import file_checksum, fingerprint
from retrieval.files.tables import write_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.tasks.run_recipe import RunRecipe
    from cli.tasks.run_stages import Call

FOLDER, RECORD = "finetune", "serving.json"
DRAWS = 200
"""Draws behind the interval, unless the recipe says otherwise."""


class MonthFailedError(RetrievalError):
    """A month could not be trained or judged: the checkpoint before goes on serving."""


class Finetuning:
    """The chain of a recipe.

    Parameters
    ----------
    recipe : RunRecipe
        With a section `finetune`: `recipe`, a training recipe with a phase 3, and `checkpoint`, the
        network to begin with.
    period : tuple of date
        Days of the run.
    call : Call
    """

    def __init__(self, recipe: RunRecipe, period: tuple[date, date], call: Call) -> None:
        self._recipe, self._period, self._call = recipe, period, call
        own = recipe.own["finetune"]
        self._training = recipe.workspace / own["recipe"]
        self._base: Path = recipe.workspace / own["checkpoint"]
        self._n_draw = own.get("bootstrap", DRAWS)

    def run(self) -> Stage:
        """Train and judge the months that are not done; the first that fails ends the chain."""
        stage = Stage("finetune")
        parent = self._base
        for first, last in months(*self._period):
            folder = self._folder(first)
            try:
                record, is_new = self._month(folder, first, last, parent)
            except RetrievalError as error:
                stage.failed += 1
                stage.errors.append(f"{folder.name}: {error}")
                break
            stage.new += is_new
            stage.done += not is_new
            if record["serves"]:
                parent = self._path(record)
        return stage

    def checkpoint_of(self, day: date) -> Path:
        """Return the checkpoint that serves a day: the last that serves of the months before."""
        found = self._base
        for first, last in months(*self._period):
            record = _read(self._folder(first) / RECORD)
            if record is None or last >= day:
                break
            if record["serves"]:
                found = self._path(record)
        return found

    def stretches(self, first: date, last: date) -> list[tuple[date, date, Path]]:
        """Divide days into stretches of one checkpoint."""
        found: list[tuple[date, date, Path]] = []
        for i in range((last - first).days + 1):
            day = first + timedelta(days=i)
            checkpoint = self.checkpoint_of(day)
            if found and found[-1][2] == checkpoint:
                found[-1] = (found[-1][0], day, checkpoint)
            else:
                found.append((day, day, checkpoint))
        return found

    def _path(self, said: dict[str, Any]) -> Path:
        return self._recipe.workspace / str(said["checkpoint"])

    def _folder(self, first: date) -> Path:
        return self._recipe.workspace / FOLDER / f"{first:%Y-%m}"

    def _month(
        self, folder: Path, first: date, last: date, parent: Path
    ) -> tuple[dict[str, Any], bool]:
        """Return what was decided of a month, and whether that is new."""
        from dacno2_s5p.store.store import Store

        days = ["--start", first.isoformat(), "--end", last.isoformat()]
        store = folder / "store"
        common = ["-w", self._recipe.workspace, "-o", store, *days, "--skip-missing", "--json"]
        self._do("prepare", *common, *self._recipe.sections.get("prepare", ()))
        key = fingerprint(
            "finetune",
            recipe=file_checksum(self._training),
            parent=file_checksum(parent),
            store=Store.open(store).manifest_hash,
        )
        record = _read(folder / RECORD)
        if record is not None and record["fingerprint"] == key:
            return record, False
        child = self._train(folder / f"run-{key[:8]}", store, parent)
        scores = self._scores(folder, store, days, {"before": parent, "after": child})
        record = self._decide(scores) | {
            "checkpoint": str(child.relative_to(self._recipe.workspace)),
            "sha256": file_checksum(child),
            "parent": parent.name,
            "parent_sha256": file_checksum(parent),
            "trained_on": [first.isoformat(), last.isoformat()],
            "serves_from": (last + timedelta(days=1)).isoformat(),
            "fingerprint": key,
        }
        write_text(folder / RECORD, json.dumps(record, indent=2) + "\n", overwrite=True)
        return record, True

    def _train(self, run: Path, store: Path, parent: Path) -> Path:
        words = ["--recipe", self._training, "--phase", "3", "--from", parent, "--store", store]
        resume = ["--resume"] if (run / "phase3").is_dir() else []
        said = self._do("train", *words, "-o", run, *resume, "--json").said
        result = said["phase 3"]
        if not result["is_finished"]:
            msg = f"phase 3 stopped after step {result['step']}. Run again to go on."
            raise MonthFailedError(msg)
        return self._path(result)

    def _scores(
        self, folder: Path, store: Path, days: list[str], networks: dict[str, Path]
    ) -> dict[str, dict[str, Any]]:
        """Predict the month with both networks and score them at the stations held back."""
        allowed = ["--allow-synthetic"]
        more = [w for w in self._recipe.sections.get("predict", ()) if w in allowed]
        sets: list[object] = []
        for name, checkpoint in networks.items():
            out = folder / name
            words = [*days, "--store", store, "-c", checkpoint, "-o", out, "--update", *more]
            self._do("predict", *words, "--skip-missing", "--json")
            sets += ["-s", f"{name}={out}", "--checkpoint", checkpoint]
        words = ["-w", self._recipe.workspace, *sets, "--store", store, *days]
        words += ["--bootstrap", self._n_draw, "-o", folder / "evaluation", "--overwrite"]
        said = self._do("evaluate", *words, "--json").said
        found = {
            row["set"]: row
            for row in said["numbers"]
            if (row["table"], row["group"], row["metric"]) == ("stations", "all", "rmse")
        }
        lacking = [name for name in networks if name not in found]
        if lacking:
            msg = (
                f"Invalid evaluation {folder / 'evaluation'}. It must score both networks at "
                "stations held back. Given none. Add stations_evaluation.csv to eea."
            )
            raise MonthFailedError(msg)
        return {name: found[name] for name in networks}

    def _decide(self, scores: dict[str, dict[str, Any]]) -> dict[str, Any]:
        """Say whether the new network serves: its error is no larger, or within its interval."""
        before, after = scores["before"]["value"], scores["after"]["value"]
        high = scores["after"]["days"][1] or scores["after"]["stations"][1]
        margin = max((high or after) - after, 0.0)
        return {
            "serves": bool(after <= before + margin),
            "rule": "rmse after <= rmse before + (upper end of its 95 % interval - rmse after)",
            "rmse_before": before,
            "rmse_after": after,
            "rmse_after_interval": scores["after"]["days"],
            "pairs": scores["after"]["n"],
        }

    def _do(self, command: str, *words: object) -> Called:
        called = self._call(command, [str(word) for word in words])
        if called.status or called.error or called.said is None:
            raise MonthFailedError(called.error or f"{command} failed; see the lines above")
        return called


def months(first: date, last: date) -> Iterator[tuple[date, date]]:
    """Yield first and last day of each calendar month that lies whole in a period.

    Examples
    --------
    >>> [f"{m[0]:%Y-%m}" for m in months(date(2023, 1, 15), date(2023, 4, 10))]
    ['2023-02', '2023-03']
    """
    month = first if first.day == 1 else _end(first) + timedelta(days=1)
    while (end := _end(month)) <= last:
        yield month, end
        month = end + timedelta(days=1)


def _end(day: date) -> date:
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def _read(path: Path) -> dict[str, Any] | None:
    """Return a record; one that cannot be read is none, and its month is done again."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_whole = isinstance(found, dict) and {"fingerprint", "checkpoint", "serves"} <= set(found)
    return found if is_whole else None
