"""Options that the commands around the network share: what it is, what it sees, on which grid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from cli.options.shared import split_named_path

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dacno2_s5p.inputs.grid import ModelGrid

    Command = TypeVar("Command", bound=Callable[..., Any])


PATCH_STEP = 16
"""Cells of which the side of a patch is a multiple (`dacno2_s5p.inputs.grid`)."""


def checkpoints_option(text: str, *, required: bool = False) -> Callable[[Command], Command]:
    """Add -c/--checkpoint, repeatable, with what the networks are for."""
    return click.option(
        "-c",
        "--checkpoint",
        "checkpoints",
        multiple=True,
        required=required,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="FILE",
        help=text,
    )


def store_option(text: str) -> Callable[[Command], Command]:
    """Add --store, a prepared store that is there."""
    return click.option(
        "--store",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        metavar="DIR",
        help=text,
    )


def patch_option(command: Command) -> Command:
    """Add --patch as `patch_size`."""

    def check(_ctx: click.Context, _param: click.Parameter, value: int | None) -> int | None:
        if value is not None and value % PATCH_STEP:
            msg = f"--patch must be a multiple of {PATCH_STEP}. Given {value}."
            raise click.UsageError(msg)
        return value

    return click.option(
        "--patch",
        "patch_size",
        type=click.IntRange(min=32),
        default=None,
        callback=check,
        metavar="CELLS",
        show_default="that of the training",
        help=f"Side of the patches, a multiple of {PATCH_STEP}.",
    )(command)


def threads_option(command: Command) -> Command:
    """Add --threads, of torch."""
    return click.option(
        "--threads",
        type=click.IntRange(min=1),
        default=None,
        metavar="N",
        help="Threads of torch in a process.  [default: torch's own]",
    )(command)


def allow_synthetic_option(command: Command) -> Command:
    """Add --allow-synthetic."""
    return click.option(
        "--allow-synthetic",
        is_flag=True,
        help="Let a checkpoint trained on the twin world see real inputs.",
    )(command)


def window_option(text: str) -> Callable[[Command], Command]:
    """Add --window, hours of a day, with what is averaged over them."""
    return click.option("--window", default="11-13", show_default=True, metavar="HOURS", help=text)


def group_options(command: Command) -> Command:
    """Add --group, optional groups of inputs, and --constants, of the transport."""
    command = click.option(
        "--constants",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        metavar="TOML",
        help="Constants of the transport, as calibrate --transport writes them.",
    )(command)
    return click.option(
        "--group",
        "groups",
        multiple=True,
        type=click.Choice(["transport", "cams"]),
        help="Group of inputs beyond the table's: emissions carried by the wind, the day's CAMS "
        "forecast. Repeatable.",
    )(command)


def station_options(training: str, evaluation: str) -> Callable[[Command], Command]:
    """Add the two lists of stations, and the offset of the times in their files."""

    def decorate(command: Command) -> Command:
        command = click.option(
            "--station-offset",
            type=click.IntRange(-12, 14),
            default=1,
            show_default=True,
            metavar="HOURS",
            help="Hours by which times of EEA parquet files are ahead of UTC.",
        )(command)
        command = click.option(
            "--station-zone",
            "station_zones",
            multiple=True,
            metavar="COUNTRY=ZONE",
            help="Clocks of a country's EEA parquet files, where they are others: hours ahead of "
            "UTC (PT=0), or a zone whose clocks change (IT=Europe/Rome). Repeatable.",
        )(command)
        for flag, text in (
            ("--evaluation-stations", evaluation),
            ("--training-stations", training),
        ):
            command = click.option(
                flag,
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                metavar="CSV",
                help=text,
            )(command)
        return command

    return decorate


def station_zones(given: Sequence[str]) -> dict[str, str]:
    """Return what --station-zone gives, by country.

    Raises
    ------
    click.BadParameter
        If one is no country with a zone.
    """
    zones = dict(text.partition("=")[::2] for text in given)
    if not all(country and zone for country, zone in zones.items()):
        msg = f"{', '.join(given)} must be countries with zones. Write for example IT=Europe/Rome."
        raise click.BadParameter(msg, param_hint="--station-zone")
    return zones


def grid_option(text: str) -> Callable[[Command], Command]:
    """Add --grid, to be read by `model_grid`."""
    return click.option(
        "--grid", default="europe-2km", show_default=True, metavar="NAME|TOML", help=text
    )


def model_grid(text: str) -> ModelGrid:
    """Return a grid by its name or from a TOML.

    Raises
    ------
    click.BadParameter
        If it is neither.
    """
    from dacno2_s5p.inputs.grid import named_grid
    from dacno2_s5p.inputs.own_grid import grid_of_file

    path = Path(text)
    try:
        if path.suffix == ".toml":
            return grid_of_file(path)
        return named_grid(text)
    except (OSError, TypeError, ValueError) as error:
        raise click.BadParameter(" ".join(str(error).split()), param_hint="--grid") from error


def source_option(*, targets: bool = False) -> Callable[[Command], Command]:
    """Add --source NAME=PATH, for inputs alone or for targets, too."""
    names = "era5, cams, eea, emissions" if targets else "era5, emissions"
    return click.option(
        "--source",
        "sources",
        multiple=True,
        metavar="NAME=PATH",
        help=f"Where a source is if not in its folder of the workspace: {names}, flights, grip4, "
        "geostat, viirs, merit, corine, cams_forecast. Repeatable.",
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
