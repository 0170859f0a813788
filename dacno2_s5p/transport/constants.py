"""The constants of the transport: four that are fitted to CAMS, and how steps and cells are cut."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from dacno2_s5p.errors import ConfigurationError
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FITTED = ("wind_height", "day_lifetime", "night_lifetime", "exchange")
"""Constants that `fit` looks for."""


@dataclass(frozen=True)
class TransportConstants:
    """How emissions are carried; stores and checkpoints record it.

    Attributes
    ----------
    wind_height : float
        Height of the mixed layer's wind over the depth of the layer [1].
    day_lifetime : float
        Lifetime of NO2 in the mixed layer at 700 W m-2 of sunlight [h], beside that of the night.
    night_lifetime : float
        Lifetime in the mixed layer without sunlight [h].
    exchange : float
        Factor of the exchange between the layers; 1 is what changes of depth make.
    factor : int
        Fine cells along a cell of the transport; 2 is 4 km.
    steps_an_hour : int
        Time steps an hour.

    Raises
    ------
    ConfigurationError
        If a constant is not positive, or no number.

    Examples
    --------
    >>> TransportConstants.from_dict({"wind_height": 0.3}).day_lifetime
    3.0
    """

    wind_height: float = 0.2
    day_lifetime: float = 3.0
    night_lifetime: float = 15.0
    exchange: float = 1.0
    factor: int = 2
    steps_an_hour: int = 2

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kind = int if field.name in ("factor", "steps_an_hour") else int | float
            if isinstance(value, bool) or not isinstance(value, kind) or not value > 0:
                msg = (
                    f"Invalid constant of the transport. {field.name} must be a positive number. "
                    f"Given {value!r}. Change the section transport."
                )
                raise ConfigurationError(msg)
        if self.factor not in (1, 2, 4, 8):
            msg = (
                "Invalid constant of the transport. factor must be 1, 2, 4 or 8. Given "
                f"{self.factor}. Change the section transport."
            )
            raise ConfigurationError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON and TOML."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TransportConstants:
        """Build from plain values; what is not there is as by default.

        Raises
        ------
        ConfigurationError
            If there is an unknown one.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            msg = (
                "Invalid section transport. Its entries must be the constants of the transport. "
                f"Given {', '.join(unknown)}. Remove them."
            )
            raise ConfigurationError(msg)
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> TransportConstants:
        """Read the section `transport` of a TOML file, as `fit` writes it.

        Raises
        ------
        ConfigurationError
            If there is none, or it is not one of constants.
        """
        with content_errors(
            path,
            ConfigurationError,
            what="file of constants",
            rule="be TOML with a section transport",
            advice="Write it with calibrate --transport",
        ):
            return cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8"))["transport"])
