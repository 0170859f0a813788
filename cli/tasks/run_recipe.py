"""The recipe of `dacno2-s5p run`: sections of stages, with keys named as the commands' flags.

The commands themselves say which keys there are and what their values may be, so that a recipe
knows every option of a command and no other.
"""

from __future__ import annotations

import datetime
import difflib
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import rich_click as click

from dacno2_s5p.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

STAGES = ("fetch", "prepare", "predict", "reretrieve", "grid", "maps", "validate", "report")
"""In the order of the work; a stage runs where the recipe has its section."""

OWN_KEYS: dict[str, dict[str, type]] = {
    "period": {"start": datetime.date, "end": datetime.date, "days": int, "delay": int},
    "area": {"bbox": list},
    "workspace": {"path": str, "results": str},
    "fetch": {"kinds": list},
    "reretrieve": {"orbits": list},
    "finetune": {"recipe": str, "checkpoint": str, "bootstrap": int},
}
"""Keys that are the recipe's, not a command's."""

RESERVED = frozenset(
    (
        *("start", "end", "workspace", "output", "json", "dry-run", "overwrite", "update"),
        *("verbose", "quiet", "help", "period", "days", "screen", "what-to-download"),
        *("skip-missing", "best-version"),
    )
)
"""Flags that the run itself sets."""

WITH_AREA = ("reretrieve", "grid")
"""Stages that take the area; downloads have a wider one, which the network needs."""


@dataclass(frozen=True)
class Period:
    """Days to work on: fixed, or the last so many.

    Attributes
    ----------
    start, end : date, optional
    days : int, optional
        Instead of a start.
    delay : int
        Days before today of an end that is not given: what services need to have a day.
    """

    start: datetime.date | None = None
    end: datetime.date | None = None
    days: int | None = None
    delay: int = 1

    def resolve(
        self,
        today: datetime.date,
        start: datetime.date | None = None,
        end: datetime.date | None = None,
    ) -> tuple[datetime.date, datetime.date]:
        """Return first and last day; those given come before the recipe's.

        Raises
        ------
        ConfigurationError
            If there is no first day, or it lies after the last.

        Examples
        --------
        >>> first, last = Period(days=3, delay=2).resolve(datetime.date(2023, 6, 10))
        >>> str(first), str(last)
        ('2023-06-06', '2023-06-08')
        """
        last = end or (start if start and not (self.start or self.days) else None) or self.end
        last = last or today - datetime.timedelta(days=self.delay)
        first = start or self.start
        if first is None and self.days is not None:
            first = last - datetime.timedelta(days=self.days - 1)
        if first is None:
            msg = (
                "Invalid period. There must be a first day. Given none. Give --start DATE, or "
                "start or days in [period]."
            )
            raise ConfigurationError(msg)
        if last < first:
            msg = (
                f"Invalid period. It must not end before it begins. Given {first} to {last}. "
                "Change --start, --end or [period]."
            )
            raise ConfigurationError(msg)
        return first, last


@dataclass(frozen=True)
class RunRecipe:
    """What to do.

    Attributes
    ----------
    path : Path
        The file.
    workspace, results : Path
        Where files come to and results go.
    period : Period
    sections : dict
        Of the stages that run, each with its options: words of a command line, ready to be given.
    own : dict
        Entries of the same sections that no command has.
    kinds : dict
        Kinds of files to fetch, each with its own options, which come after those of all.
    """

    path: Path
    workspace: Path
    results: Path
    period: Period
    sections: dict[str, list[str]] = field(default_factory=dict)
    own: dict[str, dict[str, Any]] = field(default_factory=dict)
    kinds: dict[str, list[str]] = field(default_factory=dict)

    def has(self, stage: str) -> bool:
        """Tell whether a stage runs."""
        return stage in self.sections


def read_recipe(path: Path, command_of: Callable[[str], click.Command]) -> RunRecipe:
    """Read a recipe and check every key and value, before anything runs.

    Parameters
    ----------
    path : Path
        A TOML file.
    command_of : callable
        Gives the command of a stage.

    Raises
    ------
    ConfigurationError
        If it cannot be read, or a section, key or value is none of a recipe's.
    """
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = (
            f"Invalid recipe {path}. It must be a TOML file. Given: {error}. Compare it with the "
            "one in docs/run.md."
        )
        raise ConfigurationError(msg) from error
    known = tuple(dict.fromkeys((*OWN_KEYS, *STAGES)))
    for name, section in text.items():
        if name not in known or not isinstance(section, dict):
            given = f"[{name}]" if isinstance(section, dict) else f"{name} outside of any section"
            raise _wrong(path, f"have the sections {', '.join(known)}", given, _near(name, known))
    own = {name: _own(path, name, section) for name, section in text.items()}
    place = own.get("workspace", {})
    workspace = path.absolute().parent / place.get("path", ".")
    results = workspace / place.get("results", f"results/{path.stem}")
    kinds: dict[str, list[str]] = {}
    if "fetch" in text:
        tables = {k: text["fetch"].pop(k) for k, v in [*text["fetch"].items()] if type(v) is dict}
        kinds = _of_kinds(path, own["fetch"].get("kinds", []), tables, command_of("fetch"))
    sections = {
        stage: _options(path, stage, text[stage], command_of(stage))
        for stage in STAGES
        if stage in text
    }
    if not sections:
        raise _wrong(path, f"have one of {', '.join(STAGES)}", "none of them", "Add a section")
    if "finetune" in own:
        _check_finetune(path, own["finetune"], sections)
    box = own.get("area", {}).get("bbox")
    if box is not None:
        _check_box(path, box)
        for stage in WITH_AREA:
            if stage in sections and "--bbox" not in sections[stage]:
                sections[stage] += ["--bbox", *map(str, box)]
    period = _period(path, own.get("period", {}))
    return RunRecipe(path, workspace, results, period, sections, own, kinds)


def _wrong(path: Path, rule: str, given: str, advice: str) -> ConfigurationError:
    return ConfigurationError(
        f"Invalid recipe {path.name}. It must {rule}. Given {given}. {advice}."
    )


def _near(name: str, known: tuple[str, ...] | list[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"Did you mean {near[0]}" if near else "Leave it out"


def _own(path: Path, name: str, section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a section that are the recipe's, checked."""
    found = {}
    kinds = OWN_KEYS.get(name, {})
    for key, value in section.items():
        kind = kinds.get(key)
        if kind is None:
            if name not in STAGES:
                given = f"{key} in [{name}]"
                rule = f"have the keys {', '.join(kinds)} there"
                raise _wrong(path, rule, given, _near(key, list(kinds)))
            continue
        is_whole = type(value) is kind or (kind is list and isinstance(value, list | str))
        if not is_whole or (kind is int and value < 0):
            words = {datetime.date: "a date", int: "a number", list: "a list", str: "a text"}
            raise _wrong(
                path, f"have {words[kind]} there", f"[{name}] {key} = {value!r}", "Change it"
            )
        found[key] = [value] if kind is list and isinstance(value, str) else value
    return found


def _period(path: Path, values: dict[str, Any]) -> Period:
    if "start" in values and "days" in values:
        raise _wrong(path, "have start or days", "both in [period]", "Leave one out")
    if values.get("days") == 0:
        raise _wrong(path, "have one day or more", "[period] days = 0", "Change it")
    return Period(**values)


def _check_finetune(path: Path, own: dict[str, Any], sections: dict[str, list[str]]) -> None:
    for key in ("recipe", "checkpoint"):
        if key not in own:
            rule = "have recipe and checkpoint in [finetune]"
            raise _wrong(path, rule, f"none for {key}", f"Add {key} = FILE")
    if "--checkpoint" in sections.get("predict", []):
        rule = "have the checkpoint to begin with in [finetune] alone"
        raise _wrong(path, rule, "one in [predict], too", "Leave that one out")


def _check_box(path: Path, box: list[Any]) -> None:
    is_box = len(box) == 4 and all(type(x) in (int, float) for x in box)
    if not is_box or not (-180 <= box[0] < box[2] <= 180 and -90 <= box[1] < box[3] <= 90):
        rule = "have a box of west, south, east, north in degrees"
        raise _wrong(path, rule, f"[area] bbox = {box}", "Write for example [-5, 42, 9, 54]")


def flags_of(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command by their long flags, without dashes."""
    found: dict[str, click.Option] = {}
    for option in command.params:
        if isinstance(option, click.Option):
            found |= {flag[2:]: option for flag in option.opts if flag.startswith("--")}
    return found


def _options(
    path: Path, stage: str, section: Mapping[str, Any], command: click.Command
) -> list[str]:
    """Turn the keys of a section into words of a command line."""
    flags = flags_of(command)
    allowed = sorted(set(flags) - RESERVED) + sorted(OWN_KEYS.get(stage, {}))
    words: list[str] = []
    for key, value in section.items():
        if key in OWN_KEYS.get(stage, {}):
            continue
        if key not in allowed:
            advice = "The run sets it" if key in RESERVED and key in flags else _near(key, allowed)
            rule = f"have keys of the command {stage} in [{stage}]: {', '.join(allowed)}"
            raise _wrong(path, rule, f"{key} = {value!r}", advice)
        words += _words(path, stage, key, value, flags[key])
    return words


def _words(path: Path, stage: str, key: str, value: Any, option: click.Option) -> list[str]:
    given = f"[{stage}] {key} = {value!r}"
    if option.is_flag:
        if not isinstance(value, bool):
            raise _wrong(path, "have true or false there", given, "Change it")
        return [f"--{key}"] if value else []
    values = value if isinstance(value, list) else [value]
    is_one = not (option.multiple or option.nargs > 1)
    if (is_one and isinstance(value, list)) or any(
        isinstance(x, bool | dict | list) for x in values
    ):
        raise _wrong(path, "have one number or text there", given, "Change it")
    if option.nargs > 1 and len(values) != option.nargs:
        raise _wrong(path, f"have {option.nargs} values there", given, "Change it")
    if not isinstance(option.type, click.Path):
        context = click.Context(click.Command(stage))
        try:
            for item in values:
                option.type.convert(str(item), option, context)
        except click.BadParameter as error:
            said = error.message.rstrip(".")
            raise _wrong(path, f"have a value of --{key} there", given, said) from error
    if option.nargs > 1:
        return [f"--{key}", *map(str, values)]
    return [word for item in values for word in (f"--{key}", str(item))]


def _of_kinds(
    path: Path,
    kinds: list[str],
    tables: Mapping[str, Any],
    command: click.Command,
) -> dict[str, list[str]]:
    """Return the words of each kind of files; unknown kinds, and options of none, are refused."""
    argument = next(p for p in command.params if p.name == "kind")
    known: list[str] = list(argument.type.choices)  # type: ignore[attr-defined]
    if not kinds:
        rule = f"have the kinds of files to fetch, of {', '.join(known)}"
        raise _wrong(path, rule, "[fetch] without kinds", "Add kinds = [...]")
    for kind in kinds:
        if kind not in known:
            rule = f"have kinds of {', '.join(known)} in [fetch]"
            raise _wrong(path, rule, repr(kind), _near(str(kind), known))
    for kind in tables:
        if kind not in kinds:
            rule = "have options of kinds that are fetched"
            raise _wrong(path, rule, f"[fetch.{kind}]", f"Add {kind} to kinds")
    return {kind: _options(path, "fetch", tables.get(kind, {}), command) for kind in kinds}
