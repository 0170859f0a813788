"""Options from a file: `dacno2-s5p.toml` of the folder one works in, or `--settings FILE`.

A key is a flag without its dashes, in the table of its command; `workspace` may stand above all
tables. What the command line says goes first. What is taken from the file is told, and stands in
the `history` of what is written::

    workspace = "data"

    [reretrieve]
    apriori = ["dacno2=profiles", "cams=data/cams"]
    qa = 50
    kernels = true
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import Any

import click

FILE = "dacno2-s5p.toml"
VARIABLE = "DACNO2_S5P_SETTINGS"
WORKSPACE = "workspace"

_PLAIN = (str, int, float, bool)


def settings_path(given: Path | None) -> Path | None:
    """Return the file to read: the one given, that of the environment, that of this folder."""
    if given is not None:
        return given
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return Path(FILE) if Path(FILE).is_file() else None


def read_settings(path: Path) -> dict[str, Any]:
    """Read a file of settings; what it says of one command is checked when that is called.

    Raises
    ------
    click.UsageError
        If the file is missing or no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}). Give --settings an existing file"
        raise click.UsageError(msg) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is no TOML file ({error}). Mend that line"
        raise click.UsageError(msg) from error


def defaults_of(
    settings: dict[str, Any], path: Path, command: click.Command, commands: tuple[str, ...]
) -> dict[str, Any]:
    """Return what a file of settings says for a command, by the names of its parameters.

    Parameters
    ----------
    settings : dict
        Of `read_settings`.
    path : Path
        Named in errors.
    command : click.Command
    commands : tuple of str
        Names of all commands: the tables that may stand in the file.

    Raises
    ------
    click.UsageError
        If a table is no command, a key no option of it, or a value no text, number, truth value
        or list of them.
    """
    for name in settings:
        if name not in (*commands, WORKSPACE):
            raise _unknown(path, f"[{name}]", "a table is named after a command", name, commands)
    flags = {
        flag.lstrip("-"): option
        for option in command.params
        if isinstance(option, click.Option) and option.expose_value
        for flag in option.opts
        if flag.startswith("--")
    }
    table = settings.get(command.name or "", {})
    if not isinstance(table, dict):
        msg = f"{path}: {command.name} must be a table. Given {table!r}. Write [{command.name}]"
        raise click.UsageError(msg)
    given = {key.replace("_", "-"): value for key, value in table.items()}
    if WORKSPACE in settings and WORKSPACE in flags:
        given.setdefault(WORKSPACE, settings[WORKSPACE])
    for key, value in given.items():
        if key not in flags:
            rule = f"a key is a flag of {command.name} without its dashes"
            raise _unknown(path, f"{key} of [{command.name}]", rule, key, tuple(flags))
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, _PLAIN) for part in parts):
            msg = (
                f"{path}: {key} of [{command.name}] must be text, a number, true or false, or a "
                f"list of them. Given {value!r}. Write it as on the command line"
            )
            raise click.UsageError(msg)
    return {str(flags[key].name): value for key, value in given.items()}


def told(path: Path, defaults: dict[str, Any]) -> str:
    """Say what is taken from a file, as one line.

    Examples
    --------
    >>> told(Path("dacno2-s5p.toml"), {"qa": 50, "kernels": True})
    'dacno2-s5p.toml: qa = 50, kernels = True'
    """
    return f"{path}: " + ", ".join(f"{key} = {value}" for key, value in defaults.items())


def _unknown(
    path: Path, what: str, rule: str, name: str, known: tuple[str, ...]
) -> click.UsageError:
    near = difflib.get_close_matches(name, known, n=1)
    advice = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}"
    return click.UsageError(f"{path}: unknown {what}; {rule}. {advice}")
