"""What goes into a synthetic L2 file: arrays by product name, and the identity of the orbit."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from retrieval.simulate.l2_file.layout import AttributeValue, Variant

MILLISECOND = np.timedelta64(1, "ms")
DEFAULT_BEFORE = np.timedelta64(1_300_000, "ms")
DEFAULT_AFTER = np.timedelta64(1_270_000, "ms")
"""The name of a file gives the L1B window, some 22 minutes wider at both ends than the data."""


@dataclass
class L2Content:
    """Everything that is written into one synthetic L2 NO2 file.

    Attributes
    ----------
    variables : mapping from str to ndarray
        Arrays by product name, without the leading `time` dimension: (scanline, ground_pixel) and
        trailing dimensions as in the file. Floats with NaN for fill, integers with their fill
        value in place, `qa_value` as the unscaled byte. Variables of the layout that are left out
        are declared in the file and read as fill. Coordinates, times and strings are made here.
    scanline_time : ndarray of datetime64[ms], shape (n_scanline,)
        Start of each measurement, UTC.
    orbit : int
        Absolute orbit number.
    scanline, ground_pixel : ndarray of int
        Index values; a cropped file keeps those of the full orbit.
    window : tuple of two datetime64, optional
        L1B window of the file name.
    created : datetime64, optional
        Creation time; three days after the last scanline by default, so that a file depends on
        its content alone.
    resolution : float
        Time between scanlines [s].
    auxiliary_files : dict
        Description to file names, the lineage in ISO_METADATA.
    equator_crossing : float, optional
        Longitude [degree east] of the dayside nadir equator crossing.
    attributes : dict
        Further global attributes, and replacements of the default ones.
    """

    variables: Mapping[str, NDArray[Any]]
    scanline_time: NDArray[np.datetime64]
    orbit: int
    scanline: NDArray[np.integer[Any]]
    ground_pixel: NDArray[np.integer[Any]]
    window: tuple[np.datetime64, np.datetime64] | None = None
    created: np.datetime64 | None = None
    resolution: float = 0.84
    auxiliary_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    equator_crossing: float | None = None
    attributes: dict[str, AttributeValue] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.scanline_time = np.asarray(self.scanline_time, dtype="datetime64[ms]")
        if self.scanline_time.shape != np.shape(self.scanline):
            msg = (
                "Invalid scanline_time. It must have one value per scanline. Given shape "
                f"{self.scanline_time.shape} for {np.size(self.scanline)} scanlines. "
                "Pass the start time of every scanline."
            )
            raise ValueError(msg)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of (scanlines, ground pixels)."""
        return np.size(self.scanline), np.size(self.ground_pixel)

    @property
    def reference_time(self) -> np.datetime64:
        """00:00 UTC of the day of the first scanline, the origin of `delta_time`."""
        midnight = np.datetime_as_string(self.scanline_time[0], unit="D")
        return np.datetime64(f"{midnight}T00:00:00", "ms")

    @property
    def l1b_window(self) -> tuple[np.datetime64, np.datetime64]:
        """Start and end as they appear in the file name."""
        if self.window is not None:
            return self.window
        return self.scanline_time[0] - DEFAULT_BEFORE, self.scanline_time[-1] + DEFAULT_AFTER

    @property
    def creation_time(self) -> np.datetime64:
        """Creation time as it appears in the file name."""
        if self.created is not None:
            return self.created
        created: np.datetime64 = self.scanline_time[-1] + np.timedelta64(3, "D")
        return created

    def stem(self, variant: Variant) -> str:
        """Return the 83-character identifier of the file, its name without suffix and extension.

        Characters 58 and 61 are where readers look for collection and processor version.
        """
        start, end = (compact_time(t) for t in self.l1b_window)
        processor = "".join(f"{int(part):02d}" for part in variant.processor_version.split("."))
        return (
            f"S5P_{variant.stream}_L2__NO2____{start}_{end}_{self.orbit:05d}_"
            f"{variant.collection}_{processor}_{compact_time(self.creation_time)}"
        )

    def file_name(self, variant: Variant) -> str:
        """Return the file name: the stem, the suffix of the variant, `.nc`."""
        return f"{self.stem(variant)}{variant.suffix}.nc"

    def tracking_id(self, variant: Variant) -> str:
        """Return a UUID that depends on the identifier alone."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.stem(variant)))


def compact_time(time: np.datetime64) -> str:
    """Format a time as in file names.

    Examples
    --------
    >>> compact_time(np.datetime64("2020-03-03T01:35:47.250"))
    '20200303T013547'
    """
    return iso_time(time).translate({ord("-"): None, ord(":"): None, ord("Z"): None})


def iso_time(time: np.datetime64) -> str:
    """Format a time as in global attributes, to the second.

    Examples
    --------
    >>> iso_time(np.datetime64("2020-03-03T01:57:22.123"))
    '2020-03-03T01:57:22Z'
    """
    return f"{np.datetime_as_string(time.astype('datetime64[s]'))}Z"


def utc_strings(times: NDArray[np.datetime64]) -> NDArray[np.object_]:
    """Format scanline times as `time_utc` does: ISO 8601 with microseconds and a final Z."""
    text = np.datetime_as_string(times.astype("datetime64[us]"))
    return np.array([f"{t}Z" for t in text], dtype=object)
