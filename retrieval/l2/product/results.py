"""What the substitution hands to the writer: the new fields of one set on the orbit's pixels."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Float = NDArray[np.float32]


class SubstitutionFlag(IntEnum):
    """First reason why a pixel was not (fully) computed (docs/formats.md 1.15)."""

    DONE = 0
    NO_KERNEL = 1
    NO_TROPOPAUSE = 2
    BAD_CORNERS = 3
    OUTSIDE_SET = 4
    LOW_COVERAGE = 5
    NO_FIELD_IN_TIME = 6
    EMPTY_PROFILE = 7
    BAD_AMF = 8
    NO_COLUMN = 9
    NO_UPPER_PROFILE = 10


class SubstitutionWarning(IntFlag):
    """What a user should know of a pixel that was computed (docs/formats.md 1.15)."""

    SMALL_AMF = 1
    LARGE_CHANGE = 2
    TERRAIN_MISMATCH = 4
    ASSUMED_ALTITUDE = 8
    NEGATIVES_CLIPPED = 16


@dataclass
class SetResult:
    """New fields of one a-priori set, all float32 with NaN where fill.

    Shapes are (scanline, ground_pixel) of the crop, kernels and profiles
    (scanline, ground_pixel, layer) in the file's order of layers. Units: columns mol m-2, the rest
    1. Fields that cannot be computed for the file at hand (no V_strat, say) are None. `name` is in
    capitals.
    """

    name: str
    tropospheric_column: Float
    tropospheric_column_precision: Float | None
    tropospheric_column_precision_kernel: Float | None
    summed_total_column: Float | None
    air_mass_factor_troposphere: Float
    air_mass_factor_total: Float | None
    """M'_tot of docs/equations.md 2.3, for the replace layout; None without V_strat and M_strat."""
    apriori_tropospheric_column: Float
    apriori_tropospheric_column_kernel: Float
    apriori_fraction_above_top: Float
    footprint_coverage: Float
    substitution_flag: NDArray[np.uint8]
    substitution_warning: NDArray[np.uint8]
    averaging_kernel_troposphere: Float | None = None
    apriori_partial_column: Float | None = None
    attributes: dict[str, str | int | float] = field(default_factory=dict)
    """Provenance of the set: kind, files, checksums, time rule, profile_error_source, counts."""


@dataclass
class OrbitResult:
    """Everything new for one orbit: one `SetResult` per set, the primary first."""

    sets: list[SetResult]
    apriori_tropospheric_column_tm5: Float | None
    """Diagnostic from the file alone (docs/equations.md 2.4), None where it cannot be had."""
    relative_change: dict[tuple[str, str], Float]
    """Percent, from AMFs: key (P, R) is 100 (M'_R / M'_P - 1); R may be "TM5"."""
    attributes: dict[str, str | int | float] = field(default_factory=dict)
    """Options, versions, command, crop: what `history` and global attributes say."""
