"""An open L2 NO2 orbit of any sensor: what is the same for all, and what a sensor is asked for.

Variables are found by name anywhere in the group tree and read raw, with fills set to NaN in
place; integers stay integers with a mask. What a file lacks is listed in `Orbit.assumptions`. A
sensor is one module of `retrieval.l2.sensors` with a subclass; `retrieval.l2.open_orbit` chooses
it by what the file holds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

import netCDF4
import numpy as np

from retrieval.errors import NoOverlapError, ProductError
from retrieval.files.archives import Content
from retrieval.files.damage import CONTENT_ERRORS, content_errors, describe_fault
from retrieval.l2.pixels import Crop, Footprints, Tropopause

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray
    from pyresample import SwathDefinition

    from retrieval.l2.names import SensorNames
    from retrieval.typing import Float

ALL = slice(None)
COLUMNS = ("column", "precision_kernel", "stratospheric_column")
"""Fields that are brought from the sensor's unit to mol m-2."""
FIELDS = (
    "surface_pressure",
    "surface_altitude",
    "amf_total",
    "amf_troposphere",
    "amf_stratosphere",
    *COLUMNS,
)
"""Numbers of a pixel that the computation uses, where the product has them."""


class Orbit(ABC):
    """An open L2 NO2 file.

    Attributes
    ----------
    path : Path
        The file, as it was given.
    dataset : netCDF4.Dataset
        Open for reading, with automatic masking and scaling off.
    assumptions : list of str
        What is assumed because the file lacks it, one sentence each.
    """

    names: SensorNames
    """What the sensor calls its variables; an open file may say more, its unit for example."""
    required: ClassVar[tuple[str, ...]]
    """Variables without which no pixel can be re-retrieved."""
    needs: ClassVar[Mapping[str, tuple[str, ...]]]
    """Job to the variables it needs, for `inspect`."""
    timing: ClassVar[tuple[str, ...]] = ("time", "delta_time")
    """Variables with the times of scanlines."""
    advice: ClassVar[str]
    """What to do with a file that is laid out otherwise."""

    def __init__(
        self, path: Path, dataset: netCDF4.Dataset, content: Content | None = None
    ) -> None:
        self.path, self.dataset = path, dataset
        self._held = content or Content(path)
        self.assumptions: list[str] = []

    @property
    def content(self) -> Path:
        """The netCDF file that is read: itself, or unpacked from the archive that it is."""
        return self._held.path

    # --- what a sensor is asked for -----------------------------------------------------------

    @classmethod
    @abstractmethod
    def matches(cls, dataset: netCDF4.Dataset) -> bool:
        """Tell whether an open file is of this sensor, by what it holds."""

    @abstractmethod
    def check(self) -> None:
        """Refuse a file that cannot be re-retrieved; note what is assumed.

        Raises
        ------
        ProductError
            If it lacks a required variable or is laid out otherwise.
        """

    @abstractmethod
    def scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        """Measurement time of each scanline, datetime64[ms] UTC, NaT where missing."""

    @property
    @abstractmethod
    def n_layer(self) -> int:
        """Number of layers of the sensitivity."""

    @property
    @abstractmethod
    def is_reversed(self) -> bool:
        """True where the file counts layers from the top."""

    @abstractmethod
    def pressure_edges(self, surface_pressure: Float) -> Float:
        """Interfaces of the layers over pixels [Pa], surface first, shape (n, layer + 1)."""

    @abstractmethod
    def read_tropopause(self, crop: Crop) -> Tropopause:
        """Read where the troposphere ends, by index from the surface or by pressure."""

    @abstractmethod
    def weights(self, kernel: Float, amf_total: Float | None) -> Float:
        """Sensitivity s of the slant column to each layer's partial column.

        Parameters
        ----------
        kernel : ndarray, shape (n, layer)
            From `read_kernel`, surface first.
        amf_total : ndarray, shape (n,), or None
            M_total, where the product has one.
        """

    @property
    def node_pressure(self) -> Float | None:
        """Pressures [Pa], surface first, where the sensitivity stands at points, not on layers.

        Layers are then those of the a-priori set (docs/formats.md 11.3).
        """
        return None

    @property
    def lacks_temperature(self) -> bool:
        """True where weights at points still need the temperature factor of the absorption."""
        return False

    @property
    def own_apriori(self) -> str:
        """Where the file has the a priori that it was made with; empty where it has none."""
        return ""

    def read_apriori(self, crop: Crop) -> Float:
        """Read the file's own a-priori partial columns [mol m-2], surface first.

        Raises
        ------
        ProductError
            If the product does not carry them.
        """
        msg = (
            f"{self.path.name} has no a priori of its own. {self.names.sensor} products do not "
            f"carry it. Given crop {crop}. Give the a priori as a set."
        )
        raise ProductError(msg)

    def temperature_factor(self, crop: Crop) -> Float | None:
        """Factor that `read_kernel` brings weights to the layers' temperatures with, if it does."""
        del crop
        return None

    # --- what is the same for all, unless a sensor says otherwise -------------------------------

    def read_kernel(self, crop: Crop) -> Float:
        """Read the layered variable, surface first, (scanline, ground_pixel, layer)."""
        kernel = self.read(self.names.kernel, crop)
        return kernel[..., ::-1] if self.is_reversed else kernel

    def read_fields(self, crop: Crop) -> dict[str, Float]:
        """Read the numbers of `FIELDS` that the file has, (scanline, ground_pixel), in SI."""
        found = {
            field: self.read(self.names.fields[field], crop)
            for field in FIELDS
            if self.has_field(field)
        }
        if self.names.per_mol_m2 != 1.0:
            for field in set(COLUMNS) & set(found):
                found[field] = found[field].astype(np.float64) / self.names.per_mol_m2
        return found

    def read_column(self, name: str, crop: Crop) -> Float:
        """Read a column, one of the product's or a new one beside it, in mol m-2."""
        values = self.read(name, crop)
        if self.names.per_mol_m2 == 1.0:
            return values
        return values.astype(np.float64) / self.names.per_mol_m2

    def has_field(self, *fields: str) -> bool:
        """Tell whether the file holds all of these fields."""
        known = [self.names.fields.get(field, "") for field in fields]
        return all(name and self.has(name) for name in known)

    def read_centres(self, crop: Crop) -> tuple[Float, Float]:
        """Read latitudes and longitudes of the pixels' centres [degrees]."""
        return self.read(self.names.latitude, crop), self.read(self.names.longitude, crop)

    def read_corners(self, crop: Crop) -> tuple[Float, Float]:
        """Read latitudes and longitudes of the corners [degrees], in order round the pixel."""
        names = self.names
        return self.read(names.latitude_bounds, crop), self.read(names.longitude_bounds, crop)

    def read_footprints(self, crop: Crop) -> Footprints:
        """Read where the pixels are: centres and corners."""
        return Footprints(*self.read_centres(crop), *self.read_corners(crop))

    @property
    def grid_needs(self) -> tuple[str, ...]:
        """Variables without which pixels cannot be put on a grid."""
        names = self.names
        found = (names.latitude_bounds, names.longitude_bounds, *self.timing, names.quality)
        return tuple(name for name in found if name)

    @property
    def has_quality(self) -> bool:
        """Whether the file says how good its pixels are."""
        return bool(self.names.quality) and self.has(self.names.quality)

    def read_quality(self, crop: Crop) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
        """Quality of the pixels of a crop in percent, as whole numbers, and where it is known."""
        return self.read_integer(self.names.quality, crop)

    @property
    def time(self) -> np.datetime64:
        """Middle of the measurement times, UTC.

        Raises
        ------
        NoOverlapError
            If no scanline has a time.
        """
        times = self.scanline_times(self.full)
        times = times[~np.isnat(times)]
        if times.size == 0:
            name = self.path.name
            msg = f"{name} has no valid delta_time. Its day is unknown. Choose another file."
            raise NoOverlapError(msg)
        middle: np.datetime64 = np.sort(times)[times.size // 2]
        return middle

    def to_xarray(
        self, crop: Crop | None = None, *, variables: Iterable[str] | None = None
    ) -> xr.Dataset:
        """Return the orbit, or a crop of it, as a Dataset with CF names and `*_bounds`.

        See `retrieval.l2.labels.orbit_dataset`.
        """
        from retrieval.l2.labels import orbit_dataset  # xarray takes half a second

        return orbit_dataset(self, crop, variables=variables)

    @property
    def swath(self) -> SwathDefinition:
        """Pixel centres as pyresample takes them, to resample or to draw with satpy.

        Raises
        ------
        ModuleNotFoundError
            If pyresample is missing: pip install 'dacno2-s5p[areas]'.
        """
        from pyresample import SwathDefinition

        latitude, longitude = self.read_centres(self.full)
        return SwathDefinition(lons=longitude, lats=latitude)

    def __repr__(self) -> str:
        from retrieval.l2.inspect import orbit_text  # reads coordinates: only where asked for

        return orbit_text(self)

    # --- the file ---------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self.dataset.isopen():
            self.dataset.close()

    @cached_property
    def variables(self) -> dict[str, Any]:
        """Every variable of the file by its bare name; upper groups win over their subgroups."""
        found: dict[str, Any] = {}

        def walk(group: Any) -> None:
            if group.name == "METADATA":
                return
            for name, variable in group.variables.items():
                found.setdefault(name, variable)
            for child in group.groups.values():
                walk(child)

        walk(self.dataset)
        return found

    def has(self, *names: str) -> bool:
        """Tell whether the file holds all of these variables."""
        return all(name in self.variables for name in names)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of scanlines and ground pixels of the file."""
        n_scanline, n_ground_pixel = self.variables[self.names.latitude].shape[-2:]
        return int(n_scanline), int(n_ground_pixel)

    @property
    def full(self) -> Crop:
        """The crop that is the whole file."""
        n_scanline, n_ground_pixel = self.shape
        return Crop(slice(0, n_scanline), slice(0, n_ground_pixel))

    def attribute(self, name: str, default: str = "") -> str:
        """Global attribute as text."""
        return str(getattr(self.dataset, name, default))

    def group_attribute(self, name: str) -> str:
        """Attribute of the column's group as text, empty where absent."""
        group: Any = self.dataset
        for part in filter(None, self.names.group.split("/")):
            group = group.groups.get(part) if group is not None else None
        return "" if group is None else str(getattr(group, name, ""))

    @property
    def processor_version(self) -> tuple[int, ...]:
        """Processor version as numbers, () where the file does not say."""
        parts = self.attribute("processor_version").split(".")
        return tuple(int(part) for part in parts if part.isdigit())

    @property
    def is_synthetic(self) -> bool:
        """True where the file's own attributes say that it is synthetic."""
        names = ("title", "summary", "source", "comment", "training_data")
        return any("synthetic" in self.attribute(name).lower() for name in names)

    def raw(self, name: str, index: tuple[slice, ...] | slice = ALL) -> NDArray[Any]:
        """Read a slice of a variable as stored.

        Raises
        ------
        ProductError
            If the file lacks it or the data are damaged (a chunk's checksum fails).
        """
        if name not in self.variables:
            msg = f"{self.path.name} has no variable {name}. {self.expectation()}"
            raise ProductError(msg)
        try:
            return np.asarray(self.variables[name][index])
        except CONTENT_ERRORS as error:
            msg = (
                f"{self.path.name} is damaged: {name} cannot be read "
                f"({describe_fault(error)}). It must be a whole file with valid checksums. "
                "Download the file again."
            )
            raise ProductError(msg) from error

    def expectation(self) -> str:
        """Say what the file should have been, and what to do."""
        names = self.names
        return f"Expected a {names.sensor} {names.product} file. Choose another file."

    def reading(self, what: str) -> AbstractContextManager[None]:
        """Turn what is raised while something is taken from the file into one line."""
        return content_errors(
            self.path.name,
            ProductError,
            what="orbit",
            rule=f"hold {what} in the layout of the operational product",
            advice="Download the file again",
        )

    def chunk_scanlines(self, name: str) -> int:
        """Count the scanlines that the file stores in one chunk of a variable (1 if unchunked)."""
        chunks = self.variables[name].chunking()
        at = self.names.n_leading
        return int(chunks[at]) if isinstance(chunks, list) and len(chunks) > at else 1

    def read(self, name: str, crop: Crop) -> NDArray[np.floating]:
        """Read a float variable on the crop, shape (scanline, ground_pixel, ...), NaN for fill.

        Raises
        ------
        ProductError
            As `raw`, and if the variable is not on the pixels.
        """
        variable = self.variables.get(name)
        values = self._on_crop(name, crop)
        if values.dtype.kind != "f":
            msg = f"{self.path.name}: {name} must hold floats. Given {values.dtype}. {self.advice}"
            raise ProductError(msg)
        self._check_shape(name, values.shape, crop)
        # float64 stays: some writers of reduced files promote.
        values = values.astype(np.result_type(values.dtype.newbyteorder("="), np.float32))
        with self.reading(name):
            fill = float(getattr(variable, "_FillValue", netCDF4.default_fillvals["f4"]))
        values[(values == fill) | (np.abs(values) > 9e36)] = np.nan
        return np.asarray(values)

    def read_integer(self, name: str, crop: Crop) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read an integer variable on the crop and where it is valid (not fill)."""
        variable = self.variables.get(name)
        values = self._on_crop(name, crop)
        if values.dtype.kind not in "iu":
            given = values.dtype
            msg = f"{self.path.name}: {name} must hold integers. Given {given}. {self.advice}"
            raise ProductError(msg)
        self._check_shape(name, values.shape, crop)
        kind = f"{values.dtype.kind}{values.dtype.itemsize}"
        with self.reading(name):
            fill = int(getattr(variable, "_FillValue", netCDF4.default_fillvals[kind]))
        return values, values != fill

    def _on_crop(self, name: str, crop: Crop) -> NDArray[Any]:
        lead = self.names.n_leading
        parts = (*[slice(0, 1)] * lead, crop.scanline, crop.ground_pixel)
        return np.asarray(self.raw(name, parts)[(0,) * lead])

    def _check_shape(self, name: str, shape: tuple[int, ...], crop: Crop) -> None:
        """Refuse a variable that is not on the pixels of the crop, or has too many corners."""
        names = self.names
        ends = dict.fromkeys((names.latitude_bounds, names.longitude_bounds), (4,))
        if name == names.kernel:
            ends[name] = (self.n_layer,)
        if shape[:2] != crop.shape or shape[2:] != ends.get(name, shape[2:]):
            wanted = (*crop.shape, *ends.get(name, ()))
            msg = (
                f"{self.path.name}: {name} must have the shape {wanted} here. Given {shape}. "
                f"{self.advice}"
            )
            raise ProductError(msg)
