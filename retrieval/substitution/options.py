"""The choices of a re-retrieval in one checked value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from retrieval.physics.air_mass_factors import EXCLUSIVE, INCLUSIVE
from retrieval.physics.time_rules import TimeRule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from retrieval.apriori.base import AprioriSet
    from retrieval.physics.geometry.grids import BoundingBox


class Above(StrEnum):
    """What fills the troposphere above the top of a set (decision D6; docs/equations.md 3.6)."""

    CONSTANT_VMR = "constant-vmr"
    """One mole fraction for all sets, so that no set-dependent artefact enters differences."""
    NONE = "none"
    """Nothing: the paper's reach, and `R` of Douros et al. (2023)."""
    UPPER = "upper"
    """A global model common to all sets: `RG` of Douros et al. (2023)."""


@dataclass(frozen=True)
class Options:
    """Options of `reretrieve`; defaults are those of the command.

    Attributes
    ----------
    above : Above
        NO2 between the top of the set and the tropopause.
    above_vmr : float
        Mole fraction of `constant-vmr` [ppt].
    merge_height : float, optional
        Height above ground [m] where the part above takes over; None: the top of the set.
    time_rule : TimeRule, optional
        Rule for sets with several fields a day; None: each set's own (`auto`).
    tropopause : str
        `inclusive` or `exclusive`.
    crop : str
        `primary` or `none`.
    bbox : tuple of float, optional
        West, south, east, north [degrees].
    kernels, profiles : bool
        Also keep the new tropospheric kernels, the a-priori partial columns.
    block : int
        Scanlines computed at once; bounds memory and changes no number. Intermediate fields of
        16 scanlines (2 MB) stay in the processor's caches and in reused memory: whole orbits take
        about a third less CPU time than in blocks of 64.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    above: Above = Above.CONSTANT_VMR
    above_vmr: float = 30.0
    merge_height: float | None = None
    time_rule: TimeRule | None = None
    tropopause: str = INCLUSIVE
    crop: str = "primary"
    bbox: BoundingBox | None = None
    kernels: bool = False
    profiles: bool = False
    block: int = 16

    def __post_init__(self) -> None:
        if not 0 <= self.above_vmr <= 1e4:
            msg = (
                "Invalid above_vmr. It is a mole fraction in ppt between 0 and 10000. "
                f"Given {self.above_vmr}. Literature for Europe: 20 to 60."
            )
            raise ValueError(msg)
        if self.merge_height is not None and not 0 < self.merge_height <= 20000:
            msg = (
                "Invalid merge_height. It is a height above ground in metres, above 0 and up to "
                f"20000. Given {self.merge_height}."
            )
            raise ValueError(msg)
        if self.tropopause not in (INCLUSIVE, EXCLUSIVE):
            msg = f"Invalid tropopause. Use inclusive or exclusive. Given {self.tropopause!r}."
            raise ValueError(msg)
        if self.crop not in ("primary", "none"):
            msg = f"Invalid crop. Use primary or none. Given {self.crop!r}."
            raise ValueError(msg)
        if self.block < 1:
            msg = f"Invalid block. It is a number of scanlines, at least 1. Given {self.block}."
            raise ValueError(msg)
        if self.bbox is not None and not _is_box(self.bbox):
            msg = (
                "Invalid bbox. Give west, south, east, north in degrees with south below north. "
                f"Given {self.bbox}."
            )
            raise ValueError(msg)


def _is_box(box: BoundingBox) -> bool:
    west, south, east, north = box
    is_known = all(-360.0 <= longitude <= 360.0 for longitude in (west, east))
    return is_known and -90.0 <= south < north <= 90.0


def check_names(sets: Iterable[str]) -> list[str]:
    """Names of sets as they stand in the file.

    Raises
    ------
    ValueError
        If there is none, or two are the same in capitals, with `-` taken as `_` and either
        dropped, as in names of files.

    Examples
    --------
    >>> check_names(["dacno2", "cams-10km"])
    ['DACNO2', 'CAMS_10KM']
    """
    names = [name.upper().replace("-", "_") for name in sets]
    if not names:
        msg = "Invalid sets. At least one a-priori set is needed. Given none."
        raise ValueError(msg)
    short = [name.replace("_", "") for name in names]
    twice = [name for name, key in zip(names, short, strict=True) if short.count(key) > 1]
    if twice:
        msg = f"Invalid set names. Each may be used once. Given {twice[0]} twice. Rename one."
        raise ValueError(msg)
    return names


def rule_of(apriori: AprioriSet, options: Options) -> TimeRule:
    """Return the time rule of a set: its own, or the user's where it has several fields a day."""
    if options.time_rule is None or apriori.time_rule is TimeRule.DAILY:
        return apriori.time_rule
    return options.time_rule
