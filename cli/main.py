"""The console script: finds commands by name, imports only what is called."""

from __future__ import annotations

import importlib
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import rich_click as click

from cli.console import (
    EXIT_DATA,
    NothingToDo,
    logging_of_a_command,
    note,
    report_error,
    report_nothing,
    report_usage,
    termination_as_interrupt,
)
from cli.options.panels import WORDS, place_options
from cli.options.renamed import renamed
from cli.options.settings import FILE, VARIABLE, defaults_of, read_settings, settings_path, told
from cli.options.shared import verbosity_options

COMMANDS = (
    "fetch",
    "run",
    "reretrieve",
    "merge",
    "coarsen",
    "predict",
    "prepare",
    "train",
    "evaluate",
    "calibrate",
    "attribute",
    "grid",
    "maps",
    "report",
    "extract",
    "validate",
    "compare",
    "inspect",
    "demo",
    "twin",
)
"""Commands in the order of the help; each is a function of that name in its own module."""


class LazyGroup(click.RichGroup):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        place_options(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, guess one misspelt; old spellings of options, and files of settings."""
        given = args[0]
        near = get_close_matches(given.lower(), COMMANDS, n=1)
        if given not in COMMANDS and near and not given.startswith("-"):
            msg = f"No such command {given!r}. Did you mean {near[0]}?"
            raise click.UsageError(msg, ctx)
        name, command, rest = super().resolve_command(ctx, args)
        rest = renamed(given, rest)
        is_question = ctx.resilient_parsing or {"-h", "--help"} & set(rest)
        path = None if is_question else settings_path(ctx.params.get("settings"))
        if command is not None and path is not None:
            defaults = defaults_of(read_settings(path), path, command, COMMANDS)
            ctx.default_map = {command.name or "": defaults}
            if defaults and "--dry-run" in rest:
                click.echo(told(path, defaults), err=True)
            elif defaults:
                note(told(path, defaults))
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; an interruption is reported by `main` alone, in one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None


@click.rich_config({"options_panel_title": WORDS})
@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dacno2-s5p", prog_name="dacno2-s5p")
@click.option(
    "--settings",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="TOML",
    show_default=f"${VARIABLE}, else {FILE} of this folder where there is one",
    help="File with options of commands.",
)
@verbosity_options
def cli(settings: Path | None) -> None:
    """TROPOMI NO2 columns with substituted a-priori profiles: an L2 orbit in, an L2 orbit out.

    `dacno2-s5p demo` tells the whole story on synthetic files; `dacno2-s5p reretrieve ORBIT -a
    cams=FOLDER` is the main job.
    """
    del settings  # read when the command is looked for


def main(args: list[str] | None = None) -> None:
    """Run the command line; exit status 0 done, 1 data or files wrong, 2 usage."""
    with logging_of_a_command(), termination_as_interrupt():
        status = _run(args)
    sys.exit(status)


def _run(args: list[str] | None) -> int:
    try:
        status = cli.main(args=args, prog_name="dacno2-s5p", standalone_mode=False)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Error: interrupted. Nothing is half-written; run again to go on.", err=True)
        return EXIT_DATA
    except NothingToDo as error:
        report_nothing(error)
        return 0
    except click.ClickException as error:
        report_usage(error)
        return error.exit_code
    except Exception as error:
        report_error(error)
        return EXIT_DATA
    return status if isinstance(status, int) else 0
