"""`dacno2-s5p run`: from a recipe and a period to a validated report, as often as one likes."""

from __future__ import annotations

import importlib
import io
import json
import sys
from contextlib import chdir, contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from cli.console import (
    EXIT_DATA,
    note,
    one_line,
    print_json,
    print_table,
    report_error,
    report_usage,
)
from cli.options.shared import (
    dry_run_option,
    first_last_options,
    json_option,
    verbosity_options,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cli.tasks.run_stages import Called, Run, Stage

LOCK = ".run.lock"


@click.command(short_help="A recipe from fetch to report, for a period, as often as one likes.")
@click.argument(
    "recipe_path", metavar="RECIPE.toml", type=click.Path(path_type=Path, dir_okay=False)
)
@first_last_options(
    "First day to work on.  [default: the recipe's]", "Last day.  [default: the recipe's]"
)
@dry_run_option("Say which stages run with what, and stop.")
@json_option
@verbosity_options
def run(
    recipe_path: Path,
    first: datetime | None,
    last: datetime | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Do the stages of a recipe for its period: fetch, predict, reretrieve, grid, maps, ...

    A stage runs where the recipe has its section, with the options of that command. What is done
    from the same content is skipped; what late or better files touch is made anew, and nothing
    else. --start and --end are the days to fetch, predict and re-retrieve; maps, scores and the
    report are of the recipe's whole period. What fails stops nothing else; status 1 says so.

    Examples:

    \b
      dacno2-s5p run june.toml
      dacno2-s5p run daily.toml --start 2023-06-30 --json
    """
    from cli.tasks.run_recipe import read_recipe
    from cli.tasks.run_stages import Run
    from retrieval.files.locks import alone_in

    recipe = read_recipe(recipe_path, _command)
    days = recipe.period.resolve(
        datetime.now(UTC).date(), first and first.date(), last and last.date()
    )
    period = days
    if recipe.period.start or recipe.period.days:
        whole = recipe.period.resolve(datetime.now(UTC).date())
        period = min(days[0], whole[0]), max(days[1], whole[1])
    work = Run(recipe, days, period, _say_call if dry_run else _call)
    if dry_run:
        _plan(work)
        return
    recipe.results.mkdir(parents=True, exist_ok=True)
    rule = "One run at a time works on it"
    with alone_in(recipe.results, name=LOCK, rule=rule), chdir(recipe.workspace):
        stages = _work(work)
    _say(recipe_path, work, stages, as_json=as_json)
    if any(stage.errors or stage.failed or stage.missing for stage in stages):
        sys.exit(EXIT_DATA)


def _command(name: str) -> click.Command:
    command: click.Command = getattr(importlib.import_module(f"cli.commands.{name}"), name)
    return command


def _call(command: str, words: Sequence[str]) -> Called:
    """Run a command in this process and return what it printed."""
    from cli.tasks.run_stages import Called

    said = io.StringIO()
    error, status = "", 0
    with redirect_stdout(said), _called(command, words):
        try:
            _command(command).main(
                list(words), prog_name=f"dacno2-s5p {command}", standalone_mode=False
            )
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else EXIT_DATA
        except click.Abort:
            raise KeyboardInterrupt from None
        except click.ClickException as raised:
            report_usage(raised)
            status, error = raised.exit_code, " ".join(raised.format_message().split())
        except Exception as raised:
            report_error(raised, where=command)
            status, error = EXIT_DATA, one_line(raised)
    found: Any = None
    with suppress(ValueError):
        found = json.loads(said.getvalue())
    return Called(status, found, error)


@contextmanager
def _called(command: str, words: Sequence[str]) -> Iterator[None]:
    """Let histories and provenances name the command that was called, which can be repeated."""
    before = sys.argv
    sys.argv = [before[0] if before else "dacno2-s5p", command, *words]
    try:
        yield
    finally:
        sys.argv = before


def _say_call(command: str, words: Sequence[str]) -> Called:
    import shlex

    from cli.tasks.run_stages import Called

    click.echo(shlex.join(["dacno2-s5p", command, *words]))
    return Called(0)


def _plan(work: Run) -> None:
    """Say the commands; of those that need results of others, what they wait for."""
    for do in work.stages().values():
        for stage in do():
            if stage.errors and not stage.name.startswith("fetch"):
                click.echo(f"{stage.name}: {'; '.join(stage.errors)} yet")


def _work(work: Run) -> list[Stage]:
    from cli.tasks.run_stages import Stage

    stages: list[Stage] = []
    for name, do in work.stages().items():
        note(f"{name} ...")
        try:
            stages += do()
        except Exception as error:  # a stage that fails stops no other
            report_error(error, where=name)
            stages.append(Stage(name, errors=[one_line(error)]))
    return stages


def _say(path: Path, work: Run, stages: list[Stage], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "recipe": str(path),
                "days": [str(day) for day in work.days],
                "period": [str(day) for day in work.period],
                "results": str(work.recipe.results),
                "stages": [stage.as_dict() for stage in stages],
            }
        )
        return
    rows = [
        [s.name, s.status, *map(str, (s.new, s.done, s.failed, s.missing)), s.errors[0][:100]]
        if s.errors
        else [s.name, s.status, *map(str, (s.new, s.done, s.failed, s.missing)), ""]
        for s in stages
    ]
    header = ["stage", "status", "new", "done before", "failed", "without inputs", "first error"]
    print_table(f"{path.name}, {work.days[0]} to {work.days[1]}", header, rows)
    click.echo(str(work.recipe.results))
