"""Options that several commands share, and their values: one flag, one meaning everywhere."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from click.core import ParameterSource

from cli.console import begin_log, set_verbosity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dacno2_s5p.twin.version import TwinVersion

    Command = TypeVar("Command", bound=Callable[..., Any])

WORKSPACE_VARIABLE = "DACNO2_S5P_WORKSPACE"

QUALITY = {"good": 75, "usable": 50}
"""What the words of --quality mean on the scale of qa_value [percent]: more than this."""

PROFILES, STORE, RUNS = "profiles", "store", "runs"
"""Folders of the workspace that commands write: profile files, training store, training runs."""


def verbosity_options(command: Command) -> Command:
    """Add -v (repeatable), -q and --log-file."""

    def begin(ctx: click.Context, _param: click.Parameter, value: Path | None) -> None:
        if value is not None and not ctx.resilient_parsing:
            begin_log(value)

    def more(ctx: click.Context, _param: click.Parameter, value: int) -> None:
        if value:
            ctx.meta["verbosity"] = ctx.meta.get("verbosity", 0) + value
            set_verbosity(ctx.meta["verbosity"])

    def less(ctx: click.Context, _param: click.Parameter, value: int) -> None:
        more(ctx, _param, -value)

    command = click.option(
        "--log-file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        expose_value=False,
        callback=begin,
        help="Append what is said on stderr to a file, with times.",
    )(command)
    command = click.option(
        "-v",
        "--verbose",
        count=True,
        metavar="",
        expose_value=False,
        callback=more,
        help="Say more on stderr; -vv also shows tracebacks.",
    )(command)
    return click.option(
        "-q",
        "--quiet",
        count=True,
        metavar="",
        expose_value=False,
        callback=less,
        help="Say less on stderr.",
    )(command)


def workspace_option(command: Command) -> Command:
    """Add -w/--workspace."""
    return click.option(
        "-w",
        "--workspace",
        type=click.Path(path_type=Path, file_okay=False),
        envvar=WORKSPACE_VARIABLE,
        default=Path(),
        show_default=f"${WORKSPACE_VARIABLE}, else .",
        metavar="DIR",
        help="Folder with profiles/ cams/ ctm/ era5/.",
    )(command)


def overwrite_option(command: Command) -> Command:
    """Add --overwrite."""
    return click.option("--overwrite", is_flag=True, help="Replace existing outputs.")(command)


def update_option(command: Command) -> Command:
    """Add --update."""
    return click.option(
        "--update",
        is_flag=True,
        help="Replace outputs of this command that were made from other content or options; what "
        "is done and what others made stays.",
    )(command)


def json_option(command: Command) -> Command:
    """Add --json."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Machine-readable summary on stdout."
    )(command)


def first_last_options(first: str, last: str) -> Callable[[Command], Command]:
    """Add --start and --end as `first` and `last`, with what they mean to a command."""

    def decorate(command: Command) -> Command:
        for flag, name, text in (("--end", "last", last), ("--start", "first", first)):
            command = click.option(
                flag,
                name,
                type=click.DateTime(["%Y-%m-%d"]),
                metavar="YYYY-MM-DD",
                help=text,
            )(command)
        return command

    return decorate


def orbit_day_options(command: Command) -> Command:
    """Add --start and --end as limits of the orbits' days."""
    return first_last_options(
        "Take only orbits of this UTC day and later.",
        "Take only orbits of this UTC day and earlier.",
    )(command)


class Quality(click.ParamType[int]):
    """A threshold of the quality value: `75` is percent, `0.75` with its point a fraction."""

    name = "percent"

    def __init__(self, highest: int) -> None:
        self.highest = highest

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return whole percent, as quality values are stored."""
        text = str(value).strip()
        try:
            percent = 100.0 * float(text) if "." in text else float(int(text))
        except ValueError:
            percent = -1.0
        whole = round(percent)
        if not 0 <= whole <= self.highest or abs(percent - whole) > 1e-9:
            self.fail(
                f"{text!r} is no threshold of the quality value. Give whole percent from 0 to "
                f"{self.highest}, as 75, or the same with a decimal point, as 0.75.",
                param,
                ctx,
            )
        return whole


def qa_option(text: str, highest: int) -> Callable[[Command], Command]:
    """Add --qa, a threshold of the stored quality value, with what it is for, and --quality."""

    def threshold(ctx: click.Context, param: click.Parameter, value: int) -> int:
        word = ctx.meta.get("quality")
        if word is None:
            return value
        if ctx.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE:
            msg = "--qa and --quality say the same of different products. Give one of them."
            raise click.UsageError(msg)
        return QUALITY[word]

    def remember(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        ctx.meta["quality"] = value

    def decorate(command: Command) -> Command:
        command = click.option(
            "--quality",
            type=click.Choice(list(QUALITY)),
            metavar="good|usable",
            is_eager=True,
            expose_value=False,
            callback=remember,
            help="Of products without qa_value: pixels that their guide recommends, or all usable.",
        )(command)
        return click.option(
            "--qa",
            type=Quality(highest),
            default=75,
            show_default=True,
            metavar="PERCENT",
            callback=threshold,
            help=f"{text} In percent, or with a decimal point as a fraction: 75 is 0.75.",
        )(command)

    return decorate


def sensor_option(command: Command) -> Command:
    """Add --sensor, descriptions of the user's own sensors."""

    def give(ctx: click.Context, _param: click.Parameter, value: tuple[Path, ...]) -> None:
        if not value or ctx.resilient_parsing:
            return
        from retrieval.errors import ProductError
        from retrieval.l2.open_orbit import GIVEN, give_sensors

        past = os.environ.get(GIVEN)
        try:
            give_sensors(value)
        except ProductError as error:
            raise click.UsageError(str(error)) from error
        ctx.call_on_close(lambda: _restore(GIVEN, past))

    return click.option(
        "--sensor",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        multiple=True,
        metavar="TOML",
        expose_value=False,
        callback=give,
        help="Description of a sensor (docs/sensors.md); repeatable.",
    )(command)


def _restore(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def dry_run_option(text: str) -> Callable[[Command], Command]:
    """Add --dry-run, with what is said instead of done."""
    return click.option("--dry-run", is_flag=True, help=text)


ALLOW_EMPTY = "allow_empty"
"""Where a context keeps that finding no orbit is no error."""


def allow_empty_option(command: Command) -> Command:
    """Add --allow-empty, which `find_orbits` heeds."""

    def keep(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
        ctx.meta[ALLOW_EMPTY] = value

    return click.option(
        "--allow-empty",
        is_flag=True,
        expose_value=False,
        callback=keep,
        help="A folder, glob or period without orbits is no error: say so and end with status 0.",
    )(command)


def regions_option(command: Command) -> Command:
    """Add --region, repeatable, as `regions`."""
    return click.option(
        "--region",
        "regions",
        multiple=True,
        metavar="NAME=W,S,E,N",
        help="A region [degrees]. Repeatable.  [default: northern region, Paris, Alps]",
    )(command)


def skip_missing_option(command: Command) -> Command:
    """Add --skip-missing."""
    return click.option(
        "--skip-missing", is_flag=True, help="Leave out incomplete days, and say which."
    )(command)


def figure_format_option(command: Command) -> Command:
    """Add --format of figures as `suffix`."""
    return choice_option(
        "--format", ["png", "pdf", "svg"], "png", "Of the figures.", name="suffix"
    )(command)


def output_folder_option(text: str, default: str | None = None) -> Callable[[Command], Command]:
    """Add -o/--output, a folder, with what goes into it."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, file_okay=False),
        default=None if default is None else Path(default),
        show_default=default is not None,
        metavar="DIR",
        help=text,
    )


def output_file_option(metavar: str, text: str) -> Callable[[Command], Command]:
    """Add -o/--output, a file, with what it is."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar=metavar,
        help=text,
    )


def daily_sums_option(text: str) -> Callable[[Command], Command]:
    """Add --days, the folder of daily sums of a gridded file."""
    return click.option(
        "--days", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help=text
    )


def bbox_option(text: str) -> Callable[[Command], Command]:
    """Add --bbox, an area in degrees."""
    return click.option("--bbox", type=float, nargs=4, default=None, metavar="W S E N", help=text)


def seed_option(text: str) -> Callable[[Command], Command]:
    """Add --seed, 0 by default, with what is drawn."""
    return click.option("--seed", type=int, default=0, show_default=True, help=text)


def choice_option(
    flag: str, choices: Sequence[str], default: str, text: str, *, name: str | None = None
) -> Callable[[Command], Command]:
    """Add a choice of words, as the argument `name` where that is not the flag's."""
    return click.option(
        *((flag,) if name is None else (flag, name)),
        type=click.Choice(choices),
        default=default,
        show_default=True,
        help=text,
    )


def count_option(
    flag: str, default: int, text: str, *, least: int = 1, metavar: str = "N"
) -> Callable[[Command], Command]:
    """Add a number of things, `least` or more."""
    return click.option(
        flag,
        type=click.IntRange(min=least),
        default=default,
        show_default=True,
        metavar=metavar,
        help=text,
    )


def bootstrap_option(drawn: str, default: int) -> Callable[[Command], Command]:
    """Add --bootstrap, the number of draws behind intervals."""
    return click.option(
        "--bootstrap",
        type=click.IntRange(0),
        default=default,
        show_default=True,
        metavar="N",
        help=f"Draws of {drawn} for 95 % intervals; 0 for none.",
    )


def split_named_path(
    text: str, option: str, example: str, *, what: str = "PATH"
) -> tuple[str, Path]:
    """Read NAME=PATH.

    Raises
    ------
    click.BadParameter
        If it is not that.
    """
    name, sign, path = text.partition("=")
    if not sign or not name or not path:
        msg = f"{text!r} is not NAME={what}. Write for example {example}."
        raise click.BadParameter(msg, param_hint=option)
    return name, Path(path)


def parse_named_path(text: str, option: str, example: str) -> tuple[str, Path]:
    """Read NAME=PATH, a file or folder that is there.

    Raises
    ------
    click.BadParameter
        If it is not that, or the path does not exist.
    """
    name, path = split_named_path(text, option, example)
    if not path.exists():
        msg = f"{path} does not exist. Give a file or a folder of files for {name}."
        raise click.BadParameter(msg, param_hint=option)
    return name, path


def existing(path: Path | None, option: str) -> Path | None:
    """Check that a given path exists.

    Raises
    ------
    click.BadParameter
        If it does not.
    """
    if path is not None and not path.exists():
        msg = f"{path} does not exist. Check the path."
        raise click.BadParameter(msg, param_hint=option)
    return path


def twin_date(date: str, option: str) -> str:
    """Check a day of the twin world, YYYY-MM-DD.

    Raises
    ------
    click.BadParameter
        If it is no date, or none of 2019 to 2024.
    """
    try:
        day = datetime.date.fromisoformat(date)
    except ValueError:
        day = None
    if day is None or not 2019 <= day.year <= 2024:
        msg = f"{date!r} is not a day of the twin world: give YYYY-MM-DD from 2019 to 2024."
        raise click.BadParameter(msg, param_hint=option)
    return day.isoformat()


def twin_version_options(command: Command) -> Command:
    """Add the version of the twin world and what of its second one is switched off."""
    options = (
        click.option(
            "--version",
            type=click.IntRange(1, 2),
            default=2,
            show_default=True,
            help="Version of the world; in the second, winds of analyses err, the lifetime depends "
            "on NOx, people keep hours that no table has, and weather and inventory reach 13W-13E, "
            "38-58N.",
        ),
        click.option("--exact-winds", is_flag=True, help="Version 2 with winds that do not err."),
        click.option("--fixed-lifetime", is_flag=True, help="Version 2 with one lifetime."),
        click.option("--shared-hours", is_flag=True, help="Version 2 with the hours of tables."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def twin_version(
    number: int, exact_winds: bool, fixed_lifetime: bool, shared_hours: bool
) -> TwinVersion:
    """Return the version of the twin world that was asked for.

    Raises
    ------
    click.UsageError
        If the first version is asked for a switch of the second.
    """
    from dacno2_s5p.twin.version import TwinVersion

    try:
        return TwinVersion(number, exact_winds, fixed_lifetime, shared_hours)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
