"""The table of inputs: one row a data set, from which readers, network and checkpoint follow.

The shipped table is `data/inputs.toml` beside it; another set of inputs is another file.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.samples import ALL_GROUPS, GROUPS, OPTIONAL_GROUPS
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_CHOICES = {
    "group": ALL_GROUPS,
    "transform": ("none", "log1p", "cyclic", "one_hot"),
    "statistics": ("variable", "level"),
    "resampling": ("conservative", "bilinear", "mode", "rasterised", "nearest", "none"),
    "component": ("", "x", "y"),
}


@dataclass(frozen=True)
class Channel:
    """One channel of the network's input.

    Attributes
    ----------
    name : str
        The variable's name, with a suffix where a variable has several channels.
    variable : str
        Row of the table it belongs to.
    transform : {"none", "log1p", "encoded"}
        What is done before the z-score; encoded channels (sine, cosine, one-hot) are as they are.
    log_unit : float
        Unit of log1p(x / log_unit).
    statistics : {"variable", "level"}
        Whether all heights share their statistics.
    """

    name: str
    variable: str
    transform: str
    log_unit: float = 1.0
    statistics: str = "variable"

    @property
    def is_encoded(self) -> bool:
        """True for channels that are not normalised."""
        return self.transform == "encoded"


@dataclass(frozen=True)
class Variable:
    """One row of the table; the columns are explained in `inputs/data/inputs.toml`.

    Raises
    ------
    ConfigurationError
        If a value is not one of those possible.
    """

    name: str
    group: str
    source: str
    source_variables: tuple[str, ...]
    units: str
    resampling: str
    valid_range: tuple[float, float]
    long_name: str = ""
    transform: str = "none"
    log_unit: float = 1.0
    statistics: str = "variable"
    height: float | str = "surface"
    period: float = 0.0
    classes: dict[str, tuple[int, int]] | None = None
    accumulated: bool = False
    vector: str = ""
    component: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "source_variables", tuple(self.source_variables))
        object.__setattr__(self, "valid_range", tuple(float(x) for x in self.valid_range))
        if self.classes is not None:
            ranges = {key: (int(a), int(b)) for key, (a, b) in self.classes.items()}
            object.__setattr__(self, "classes", ranges)
        for column, choices in _CHOICES.items():
            if getattr(self, column) not in choices:
                self._refuse(column, f"one of {', '.join(c for c in choices if c)}")
        for column, rule, holds in (
            ("source_variables", "at least one name", len(self.source_variables) > 0),
            ("valid_range", "[least, largest]", self._range_ascends),
            ("log_unit", "positive", self.log_unit > 0.0),
            ("period", "positive for cyclic", self.transform != "cyclic" or self.period > 0.0),
            ("classes", "given for one_hot", self.transform != "one_hot" or bool(self.classes)),
            ("valid_range", "non-negative for log1p", self._log_is_defined),
        ):
            if not holds:
                self._refuse(column, rule)

    @property
    def _range_ascends(self) -> bool:
        return len(self.valid_range) == 2 and self.valid_range[0] < self.valid_range[1]

    @property
    def _log_is_defined(self) -> bool:
        return self.transform != "log1p" or self.valid_range[0] >= 0.0

    def _refuse(self, column: str, rule: str) -> None:
        msg = (
            f"Invalid input {self.name}. {column} must be {rule}. Given "
            f"{getattr(self, column)!r}. Change its row in the table of inputs."
        )
        raise ConfigurationError(msg)

    @property
    def channels(self) -> tuple[Channel, ...]:
        """Channels of the network's input."""
        if self.transform == "cyclic":
            names = [f"{self.name}_sine", f"{self.name}_cosine"]
        elif self.transform == "one_hot" and self.classes is not None:
            names = [f"{self.name}_{key}" for key in self.classes]
        else:
            one = Channel(self.name, self.name, self.transform, self.log_unit, self.statistics)
            return (one,)
        return tuple(Channel(name, self.name, "encoded") for name in names)


class InputTable:
    """All rows, in order.

    Parameters
    ----------
    variables : iterable of Variable

    Raises
    ------
    ConfigurationError
        If a name occurs twice or a group is empty.

    Examples
    --------
    >>> table = InputTable.default()
    >>> len(table.variables), [len(table.channels(group)) for group in GROUPS]
    (38, [3, 12, 6, 13, 9])
    """

    def __init__(self, variables: Iterable[Variable]) -> None:
        self.variables = tuple(variables)
        twice = [name for name, n in Counter(v.name for v in self.variables).items() if n > 1]
        empty = [group for group in GROUPS if not self.group(group)]
        for what, wrong in (("names must differ", twice), ("groups must not be empty", empty)):
            if wrong:
                msg = (
                    f"Invalid table of inputs. Its {what}. Given {', '.join(wrong)}. "
                    "Change the rows."
                )
                raise ConfigurationError(msg)

    def __eq__(self, other: object) -> bool:
        # dictionaries of classes are equal in any order, their channels are not
        return (
            isinstance(other, InputTable)
            and self.variables == other.variables
            and self.fingerprint == other.fingerprint
        )

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def group(self, name: str) -> tuple[Variable, ...]:
        """Return the rows of a group."""
        return tuple(v for v in self.variables if v.group == name)

    def channels(self, group: str) -> tuple[Channel, ...]:
        """Return the channels of a group, in the order of `Inputs`."""
        return tuple(channel for v in self.group(group) for channel in v.channels)

    def __getitem__(self, name: str) -> Variable:
        """Return a row by name."""
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(name)

    @property
    def widths(self) -> dict[str, int]:
        """Number of channels of each group that is there: the network's input widths."""
        return {group: len(self.channels(group)) for group in self.groups}

    @property
    def groups(self) -> tuple[str, ...]:
        """The five groups and the optional ones that have rows, in the order of `Inputs`."""
        return (*GROUPS, *(group for group in OPTIONAL_GROUPS if self.group(group)))

    def with_groups(self, optional: Iterable[str]) -> InputTable:
        """Return the table and the shipped rows of optional groups that it has not."""
        lacking = [group for group in optional if group not in self.groups]
        rows = (_row(row) for row in _shipped("optional_inputs.toml"))
        return InputTable((*self.variables, *(row for row in rows if row.group in lacking)))

    def select(self, optional: Iterable[str]) -> InputTable:
        """Return the table with some of its optional groups only."""
        wanted = (*GROUPS, *optional)
        return InputTable(v for v in self.variables if v.group in wanted)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the rows."""
        return sha256(json.dumps(self.to_dict()).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {"variable": [_plain(asdict(v)) for v in self.variables]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> InputTable:
        """Build from plain values.

        Raises
        ------
        ConfigurationError
            If a row has unknown or missing columns, or a value that is not possible.
        """
        return cls(_row(row) for row in values.get("variable", ()))

    @classmethod
    def read(cls, path: Path) -> InputTable:
        """Read a TOML table.

        Raises
        ------
        ConfigurationError
            If it is not a TOML file of rows.
        """
        with content_errors(
            path,
            ConfigurationError,
            what="table of inputs",
            rule="be a TOML file of rows, each entry of its kind",
            advice="Compare it with dacno2_s5p/inputs/data/inputs.toml",
        ):
            table = cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
            table.to_dict()  # dates and times are TOML, too, but can be no entry
            return table

    @classmethod
    def default(cls, optional: Iterable[str] = ()) -> InputTable:
        """Return the shipped table of 38 inputs, and the rows of some optional groups."""
        rows = _shipped("inputs.toml") + _shipped("optional_inputs.toml")
        return cls(_row(row) for row in rows).select(optional)


def _shipped(name: str) -> list[dict[str, Any]]:
    text = files("dacno2_s5p.inputs").joinpath(f"data/{name}").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["variable"]
    return rows


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """Make a row plain JSON, so that it equals what was read back."""
    plain: dict[str, Any] = json.loads(json.dumps(row))
    return plain


def _row(values: Mapping[str, Any]) -> Variable:
    names = {field.name for field in fields(Variable)}
    unknown = sorted(set(values) - names)
    try:
        if unknown:
            raise TypeError(", ".join(unknown))
        return Variable(**values)
    except TypeError as error:
        msg = (
            f"Invalid input {values.get('name', '(without name)')}. Its columns must be those of "
            f"inputs/data/inputs.toml. Given {error}. Change its row."
        )
        raise ConfigurationError(msg) from error


WEATHER_ENDS = ("window", "day")
VERTICALS = ("height", "pressure")


def _is_count(value: object) -> bool:
    """Tell whole numbers of one and more; no other type passes."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True)
class Preparation:
    """How inputs and targets of a store were made; a checkpoint works with the same only.

    Attributes
    ----------
    heights : tuple of float
        Heights above ground of targets and multi-level inputs [m], ascending.
    target_window : str
        Hours (UTC) the targets are the mean of: `11-13`, `daily`, or any range.
    weather_steps : int
        Weather steps a day.
    weather_step_hours : int
        Hours between them.
    weather_end : str
        Where the last step lies: `window` (end of the target window) or `day` (23 UTC).
    vertical : str
        Multi-level inputs at `height` above ground or on `pressure` levels.
    transport : dict
        Constants of the group `transport`; empty without it.

    Raises
    ------
    ConfigurationError
        If one of them is not possible.
    """

    heights: tuple[float, ...] = (0.0, 50.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0)
    target_window: str = "11-13"
    weather_steps: int = 24
    weather_step_hours: int = 1
    weather_end: str = "window"
    vertical: str = "height"
    transport: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "heights", tuple(float(h) for h in self.heights))
        if sorted(set(self.heights)) != list(self.heights) or self.heights[0] < 0:
            msg = (
                "Invalid heights. They must ascend from 0 m or above. Given "
                f"{list(self.heights)}. Change the heights of the configuration."
            )
            raise ConfigurationError(msg)
        steps, hours = self.weather_steps, self.weather_step_hours
        rules = {
            "weather_steps": (_is_count(steps) and steps % 8 == 0, "a multiple of 8"),
            "weather_step_hours": (_is_count(hours), "a whole number of hours, one at least"),
            "weather_end": (self.weather_end in WEATHER_ENDS, " or ".join(WEATHER_ENDS)),
            "vertical": (self.vertical in VERTICALS, " or ".join(VERTICALS)),
            "target_window": (isinstance(self.target_window, str), "a text"),
            "transport": (isinstance(self.transport, dict), "a table of constants"),
        }
        for name, (is_right, rule) in rules.items():
            if not is_right:
                msg = (
                    f"Invalid preparation. {name} must be {rule}. Given "
                    f"{getattr(self, name)!r}. Change the options of prepare."
                )
                raise ConfigurationError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON; no entry for a transport that is not there."""
        values = _plain(asdict(self))
        return values if self.transport else {k: v for k, v in values.items() if k != "transport"}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Preparation:
        """Build from the values of `to_dict`."""
        return cls(**values)
