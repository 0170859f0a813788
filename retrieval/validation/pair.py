"""One overpass of one station, and how satellite and ground are brought together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from retrieval.validation.ground_columns import USED_FLAGS
from retrieval.validation.smoothing import Smooth

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DILUTED = " (diluted)"
"""Word after the name of an a priori whose reference was spread over the pixel."""


class Matching(StrEnum):
    """Which pixels stand for a station."""

    CONTAINS = "contains"
    """The pixel that contains it."""
    NEAREST = "nearest"
    """The pixel with the nearest centre, whether it contains the station or not."""
    RADIUS = "radius"
    """The mean of all pixels with centres within a radius."""


class Stratosphere(StrEnum):
    """What is taken off a total column of the direct sun."""

    SATELLITE = "satellite"
    """The satellite's own stratospheric column: its error is in neither."""
    CLIMATOLOGY = "climatology"
    """The climatology in the ground file."""


@dataclass(frozen=True)
class PairOptions:
    """How satellite and ground are brought together.

    Attributes
    ----------
    window : timedelta64
        Half width of the time window of the reference.
    matching : Matching
        See there.
    radius : float
        Of `radius`, and the farthest centre of `nearest` [m].
    flags : tuple of int
        Quality flags of the reference that count.
    stratosphere : Stratosphere
        For references of total columns.
    qa : int
        Pixels with a higher quality value count [percent].
    smooth : Smooth
        Which side is smoothed; other than `none` only references with a profile count.
    sets : mapping of str to Path
        A-priori sets that are read at the stations.
    dilution : str
        The set among them that tells how much more a point sees than its pixel; empty for none.
    """

    window: np.timedelta64 = field(default_factory=lambda: np.timedelta64(30, "m"))
    matching: Matching = Matching.CONTAINS
    radius: float = 20_000.0
    flags: tuple[int, ...] = USED_FLAGS
    stratosphere: Stratosphere = Stratosphere.SATELLITE
    qa: int = 75
    smooth: Smooth = Smooth.NONE
    sets: Mapping[str, Path] = field(default_factory=dict)
    dilution: str = ""


@dataclass(frozen=True)
class Pair:
    """One overpass of one station; columns in mol m-2, NaN where missing.

    Attributes
    ----------
    columns : dict of str to float
        Satellite columns by a priori, the operational one first.
    reference_column, reference_uncertainty, reference_spread : float
        Mean of the reference in the window, its mean uncertainty (errors of minutes apart are much
        the same), and the standard deviation of the measurements.
    references : dict of str to float
        The reference as each a priori sees it, where it was smoothed; else empty.
    apriori_surface : dict of str to float
        Concentration at the ground at the station, by set [mol m-3].
    dilution : float
        Column of a set at the station over its mean over the pixel.
    """

    station: str
    network: str
    latitude: float
    longitude: float
    altitude_m: float
    sensor: str
    version: str
    granule: str
    scanline: int
    ground_pixel: int
    time: np.datetime64
    n_reference: int
    reference_column: float
    reference_uncertainty: float
    reference_spread: float
    stratospheric_column: float
    columns: dict[str, float]
    qa_value: float
    cloud_radiance_fraction: float
    contains_station: bool
    distance_km: float
    flags: str
    references: dict[str, float] = field(default_factory=dict)
    apriori_surface: dict[str, float] = field(default_factory=dict)
    dilution: float = float("nan")

    def reference_of(self, product: str) -> float:
        """Return the reference for the column of an a priori."""
        return self.references.get(product, self.reference_column)

    def diluted(self) -> Pair:
        """Return the pair with the reference as the set's field spreads it over the pixel."""
        columns = {f"{name}{DILUTED}": column for name, column in self.columns.items()}
        references = {
            f"{name}{DILUTED}": self.reference_of(name) / self.dilution for name in self.columns
        }
        return replace(self, columns=columns, references=references)

    def row(self) -> dict[str, object]:
        """Return the pair as a row of `pairs.csv`."""
        values = {k: v for k, v in self.__dict__.items() if k not in _APART}
        values["time"] = f"{self.time}Z"
        values["contains_station"] = int(self.contains_station)
        return (
            values
            | {f"column_{name}": column for name, column in self.columns.items()}
            | {f"reference_column_{name}": value for name, value in self.references.items()}
            | {f"apriori_surface_{name}": value for name, value in self.apriori_surface.items()}
            | ({"dilution": self.dilution} if self.dilution == self.dilution else {})
            | {"flags": self.flags}
        )


_APART = {"columns", "flags", "references", "apriori_surface", "dilution"}
