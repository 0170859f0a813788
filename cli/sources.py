"""The option that says where sources are, shared by prepare and predict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from cli.options.shared import split_named_path

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = TypeVar("Command", bound=Callable[..., Any])


def source_option(*, targets: bool = False) -> Callable[[Command], Command]:
    """Add --source NAME=PATH, for inputs alone or for targets, too."""
    names = "era5, cams, eea, emissions" if targets else "era5, emissions"
    return click.option(
        "--source",
        "sources",
        multiple=True,
        metavar="NAME=PATH",
        help=f"Where a source is if not in its folder of the workspace: {names}, flights, grip4, "
        "geostat, viirs, merit, corine. Repeatable.",
    )


def named_paths(texts: tuple[str, ...]) -> dict[str, Path]:
    """Read the values of --source.

    Raises
    ------
    click.BadParameter
        If one is not NAME=PATH.
    """
    found = {}
    for text in texts:
        name, path = split_named_path(text, "--source", "era5=/disk/era5")
        found[name] = path
    return found
