"""What is said of each pixel: why it was not computed, and what to know where it was."""

from __future__ import annotations

from enum import IntEnum, IntFlag


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
