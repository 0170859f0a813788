"""What a twin world leaves between its truth and what a network sees of it.

Version 1 is kind: analysed winds are exact samples of the true ones, one lifetime holds for clean
and for dirty air, and inventories know the true hours of emissions. Version 2 is harder. Each
version is part of a world's name: files, stores and checkpoints tell it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from dacno2_s5p.twin.land.world import NARROW, WIDE, Frame

VERSIONS = (1, 2)
"""Versions that can be built."""


@dataclass(frozen=True)
class TwinVersion:
    """A version and its switches.

    Attributes
    ----------
    number : int
        1: all that follows is off, on the narrow frame. 2: all of it on, on the wide frame, with
        the CAMS-like model tuned to the skill of the real one at stations.
    exact_winds : bool
        Of version 2, without the errors of analysed winds (`weather.reanalysis`).
    fixed_lifetime : bool
        Of version 2, with a lifetime that does not depend on NOx (`air.chemistry`).
    shared_hours : bool
        Of version 2, with true hours of emissions that are those of tables (`air.habits`).

    Raises
    ------
    ValueError
        If there is no such version, or version 1 is asked for a switch.

    Examples
    --------
    >>> TwinVersion(2, exact_winds=True).name
    'version 2 with exact winds'
    """

    number: int = 1
    exact_winds: bool = False
    fixed_lifetime: bool = False
    shared_hours: bool = False

    def __post_init__(self) -> None:
        if self.number not in VERSIONS:
            msg = (
                f"Invalid version of the twin world. It must be 1 or 2. Given {self.number}. "
                "Choose one of them."
            )
            raise ValueError(msg)
        if self.number == 1 and self.switches:
            msg = (
                "Invalid version of the twin world. Version 1 is without all that can be switched "
                f"off. Given {self.switches[0]} with version 1. Choose version 2, or no switch."
            )
            raise ValueError(msg)

    @property
    def switches(self) -> tuple[str, ...]:
        """What was switched off."""
        named = {
            "exact winds": self.exact_winds,
            "fixed lifetime": self.fixed_lifetime,
            "shared hours": self.shared_hours,
        }
        return tuple(name for name, is_set in named.items() if is_set)

    @property
    def name(self) -> str:
        """The version in words."""
        off = " and ".join(self.switches)
        return f"version {self.number}" + (f" with {off}" if off else "")

    @classmethod
    def named(cls, kind: str) -> TwinVersion:
        """Find the version of a `kind`; an empty one is the first.

        Raises
        ------
        ValueError
            If there is none of the name.

        Examples
        --------
        >>> TwinVersion.named("twin world, version 2 with exact winds and shared hours").switches
        ('exact winds', 'shared hours')
        """
        for number in VERSIONS:
            for flags in product((False, True), repeat=0 if number == 1 else 3):
                version = cls(number, *flags)
                if (kind or "twin world") == version.kind:
                    return version
        msg = (
            "Invalid twin world. It must be one of a version that can be built. Given "
            f"{kind!r}. Use the release that wrote it."
        )
        raise ValueError(msg)

    @property
    def winds_err(self) -> bool:
        """Whether analysed winds differ from the true ones."""
        return self.number > 1 and not self.exact_winds

    @property
    def nox_feeds_back(self) -> bool:
        """Whether the lifetime of NOx depends on NOx."""
        return self.number > 1 and not self.fixed_lifetime

    @property
    def has_habits(self) -> bool:
        """Whether countries and cities have hours of their own."""
        return self.number > 1 and not self.shared_hours

    @property
    def frame(self) -> Frame:
        """What is simulated."""
        return NARROW if self.number == 1 else WIDE

    @property
    def kind(self) -> str:
        """Name of all worlds of the version; version 1 is named as before there were others."""
        return "twin world" if self.number == 1 else f"twin world, {self.name}"

    def world(self, seed: int) -> str:
        """Name of the world of a seed.

        Examples
        --------
        >>> TwinVersion().world(7), TwinVersion(2).world(7)
        ('twin world, seed 7', 'twin world, version 2, seed 7')
        """
        return f"{self.kind}, seed {seed}"


VERSION_1, VERSION_2 = TwinVersion(1), TwinVersion(2)
