"""The option that says where sources are, shared by prepare and predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., Any])


def source_option(command: Command) -> Command:
    """Add --source NAME=PATH."""
    return click.option(
        "--source",
        "sources",
        multiple=True,
        metavar="NAME=PATH",
        help="Where a source is if not in its folder of the workspace: era5, emissions, flights, "
        "grip4, geostat, viirs, merit, corine. Repeatable.",
    )(command)


def named_paths(texts: tuple[str, ...]) -> dict[str, Path]:
    """Read the values of --source.

    Raises
    ------
    click.BadParameter
        If one is not NAME=PATH.
    """
    found = {}
    for text in texts:
        name, sign, path = text.partition("=")
        if not sign or not path:
            msg = f"{text!r} is not NAME=PATH. Write for example era5=/disk/era5."
            raise click.BadParameter(msg, param_hint="--source")
        found[name] = Path(path)
    return found
