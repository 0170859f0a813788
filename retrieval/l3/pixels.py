"""What an orbit gives to a map: valid pixels of all products on one mask, and where they lie.

The mask is one for all products (docs/equations.md 7.2): the stored quality value above the
threshold and every product finite. So maps of two products never differ by the pixels they are made
of.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.columns import find_columns, find_model_columns
from retrieval.l2.crop import locate_pixels
from retrieval.l2.identity import OrbitIdentity, identify
from retrieval.l2.names import COLUMN_UNITS
from retrieval.l2.open_orbit import open_lenient
from retrieval.l2.quality import QA_RECOMMENDED
from retrieval.l2.strata import OCEAN_CODE, orbit_strata, read_land_water
from retrieval.l3.conditions import LAND_WATER, UTC_HOUR, no_variable
from retrieval.l3.side_column import SideColumn, read_side_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop
    from retrieval.physics.geometry.grids import RectilinearGrid
    from retrieval.typing import Float

logger = logging.getLogger(__name__)

SCIENCE_OPTIONS = ("above", "above_vmr_ppt", "merge_height_m", "time_rule", "tropopause")
"""Options of `reretrieve` that change columns; a map is made of files that agree in them."""
UPPER_SOURCE = "upper_source"
"""One more, in files with a global model above their sets."""


@dataclass(frozen=True)
class PixelRange:
    """Values that a variable of the orbit must have for a pixel to take part.

    Attributes
    ----------
    variable : str
        Name of a variable on (scanline, ground_pixel), such as `solar_zenith_angle`; or
        `land_water`, 0 land, 1 water, 2 and 3 coast, or `utc_hour`, the time of day with fractions.
    low, high : float
        Both included; in the unit of the file, integers as stored.
    """

    variable: str
    low: float
    high: float

    @classmethod
    def parse(cls, text: str) -> PixelRange:
        """Read VARIABLE=LOW..HIGH.

        Raises
        ------
        ValueError
            If it is not that.

        Examples
        --------
        >>> PixelRange.parse("solar_zenith_angle=0..60")
        PixelRange(variable='solar_zenith_angle', low=0.0, high=60.0)
        """
        variable, _, numbers = text.partition("=")
        try:
            low, high = (float(part) for part in numbers.split(".."))
        except ValueError as error:
            msg = (
                f"Invalid range. Write VARIABLE=LOW..HIGH. Given {text!r}. "
                "For example solar_zenith_angle=0..60."
            )
            raise ValueError(msg) from error
        if not (variable and low <= high):
            msg = (
                "Invalid range. Write VARIABLE=LOW..HIGH, LOW not above HIGH. "
                f"Given {text!r}. No pixel would take part."
            )
            raise ValueError(msg)
        return cls(variable, low, high)

    def mask(self, orbit: Orbit, crop: Crop) -> NDArray[np.bool_]:
        """Pixels of a crop whose value lies in the range; fills do not, but the ocean's 255.

        Raises
        ------
        ProductError
            If the file has no such variable.
        """
        lacking = no_variable(orbit, self.variable)
        if lacking:
            raise ProductError(lacking)
        values: NDArray[Any]
        if self.variable == LAND_WATER and not orbit.has(LAND_WATER):
            values, is_valid = _land_water(orbit, crop)
        elif self.variable == UTC_HOUR and not orbit.has(UTC_HOUR):
            values, is_valid = _utc_hour(orbit, crop)
        elif orbit.has(self.variable) and orbit.variables[self.variable].dtype.kind in "iu":
            values, is_valid = orbit.read_integer(self.variable, crop)
            if self.variable == orbit.names.snow:  # its fill is the code of the ocean
                is_valid = is_valid | (values == OCEAN_CODE)
        else:
            values = orbit.read(self.variable, crop)
            is_valid = np.isfinite(values)
        return np.asarray(is_valid & (values >= self.low) & (values <= self.high))


@dataclass(frozen=True)
class OrbitPixels:
    """Valid pixels of an orbit.

    Attributes
    ----------
    identity : OrbitIdentity
    products : tuple of str
        Labels of the columns.
    day : ndarray of datetime64[D], shape (n,)
        UTC date of each pixel.
    latitude_bounds, longitude_bounds : ndarray, shape (n, 4)
        Corners [degree].
    values : ndarray, shape (n, product)
        Columns [mol m-2]; all finite.
    strata : ndarray of bool, shape (n, stratum)
        Which kinds each pixel is of, in the order of `retrieval.l2.strata.NAMES`.
    options : str
        Options of the re-retrieval that change columns, as JSON; empty for original files.
    is_synthetic : bool
        Whether the file says that it is synthetic.
    """

    identity: OrbitIdentity
    products: tuple[str, ...]
    day: NDArray[np.datetime64]
    latitude_bounds: Float
    longitude_bounds: Float
    values: Float
    strata: NDArray[np.bool_]
    options: str = ""
    is_synthetic: bool = False
    units: dict[str, str] = field(default_factory=dict)


def _utc_hour(orbit: Orbit, crop: Crop) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    times = orbit.scanline_times(crop)
    hours = (times - times.astype("datetime64[D]")) / np.timedelta64(1, "h")
    on_pixels = np.broadcast_to(hours[:, None], crop.shape)
    return on_pixels, np.isfinite(on_pixels)


def _land_water(orbit: Orbit, crop: Crop) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
    values = read_land_water(orbit, crop)
    if values is None:
        msg = (
            f"{orbit.path.name} does not say what is land. Given a file without "
            "surface_classification and snow_ice_flag. Get the full file."
        )
        raise ProductError(msg)
    return values, values >= 0


def scan_orbit(path: Path) -> tuple[OrbitIdentity, str, tuple[str, ...]]:
    """Read what a file holds without its pixels.

    Returns
    -------
    identity : OrbitIdentity
        Without days, which are those of the pixels that take part.
    options : str
        As in `OrbitPixels`.
    days : tuple of str
        UTC dates of its scanlines.

    Raises
    ------
    ProductError
        If it is no L2 NO2 file, or lacks a variable that gridding needs.
    """
    with open_lenient(path) as orbit:
        _check_variables(orbit)
        days = orbit.scanline_times(orbit.full).astype("datetime64[D]")
        found = tuple(str(day) for day in np.unique(days[~np.isnat(days)]))
        return identify(path, orbit), _options(orbit), found


def product_labels(path: str | Path) -> tuple[str, ...]:
    """Labels of the tropospheric columns of a file, the product's own first."""
    with open_lenient(Path(path)) as orbit:
        return tuple(product.label for product in find_columns(orbit))


def read_pixels(
    path: str | Path,
    grid: RectilinearGrid,
    products: Sequence[str],
    *,
    qa_threshold: int = QA_RECOMMENDED,
    side: Sequence[SideColumn] = (),
    where: Sequence[PixelRange] = (),
) -> OrbitPixels:
    """Read the valid pixels of an orbit that touch a grid.

    Parameters
    ----------
    path : path
        An original or re-retrieved L2 NO2 file.
    grid : RectilinearGrid
        Only rows and columns of the orbit that touch it are read.
    products : sequence of str
        Labels of the columns; each must be in the file.
    qa_threshold : int
        Pixels with a stored quality value above it take part.
    side : sequence of SideColumn
        Further columns from side files; they take part in the mask.
    where : sequence of PixelRange
        Further conditions on the pixels.

    Returns
    -------
    OrbitPixels

    Raises
    ------
    ProductError
        If the file lacks a product or a variable that gridding needs.
    NoOverlapError
        If no pixel touches the grid.
    """
    path = Path(path)
    with open_lenient(path) as orbit:
        _check_variables(orbit)
        columns = _columns(orbit, products)
        crop, footprints = locate_pixels(orbit, grid)
        values = [orbit.read_column(column, crop) for column in columns.values()]
        values += [read_side_column(one, orbit, crop) for one in side]
        mask = _mask(orbit, crop, values, qa_threshold)
        for condition in where:
            mask &= condition.mask(orbit, crop)
        days = orbit.scanline_times(crop).astype("datetime64[D]")
        mask &= ~np.isnat(days)[:, None]
        bounds = [corners[mask] for corners in footprints.outline]
        labels = tuple(columns) + tuple(one.name for one in side)
        units = dict.fromkeys(columns, COLUMN_UNITS) | {
            one.name: one.units_in(path) for one in side
        }
        return OrbitPixels(
            identity=identify(path, orbit),
            products=labels,
            day=np.broadcast_to(days[:, None], mask.shape)[mask],
            latitude_bounds=bounds[0].astype(np.float64),
            longitude_bounds=bounds[1].astype(np.float64),
            values=np.stack([one[mask].astype(np.float64) for one in values], axis=1),
            strata=orbit_strata(orbit, crop)[mask],
            options=_options(orbit),
            is_synthetic=orbit.is_synthetic,
            units=units,
        )


def _check_variables(orbit: Orbit) -> None:
    needed = orbit.grid_needs
    missing = [name for name in needed if not orbit.has(name)]
    if missing:
        msg = (
            f"{orbit.path.name} has no variable {missing[0]}. Gridding needs {', '.join(needed)}. "
            "Given a file without. Get the full file."
        )
        raise ProductError(msg)


def _columns(orbit: Orbit, products: Sequence[str]) -> dict[str, str]:
    known = (*find_columns(orbit), *find_model_columns(orbit))
    found = {product.label: product.column for product in known}
    missing = [label for label in products if label not in found]
    if missing:
        msg = (
            f"{orbit.path.name} has no column with the {missing[0]} a priori. All files of a map "
            f"hold the same products. Given {', '.join(found)}. Re-retrieve it with the same sets "
            "or choose products."
        )
        raise ProductError(msg)
    return {label: found[label] for label in products}


def _mask(
    orbit: Orbit, crop: Crop, values: Sequence[Float], qa_threshold: int
) -> NDArray[np.bool_]:
    """One mask for all products, on the stored integer of the quality value."""
    mask = np.ones(crop.shape, dtype=bool)
    if orbit.has_quality:
        raw, is_valid = orbit.read_quality(crop)
        # float32 0.75 is below 0.75: scaled values would let 75 pass (docs/equations.md 2.6)
        mask = is_valid & (raw > qa_threshold)
    for one in values:
        mask &= np.isfinite(one)
    return np.asarray(mask)


def _options(orbit: Orbit) -> str:
    text = orbit.group_attribute("apriori_options")
    if not text:
        return ""
    options = json.loads(text)
    named = [*SCIENCE_OPTIONS, *([UPPER_SOURCE] if UPPER_SOURCE in options else [])]
    return json.dumps({key: options.get(key) for key in named})
