"""Read TROPOMI L2 NO2 orbits: any processor version, whole, reduced or cropped.

Variables are found by name anywhere in the group tree and read raw, with fills set to NaN in
place; integers stay integers with a mask. Layer order is taken from the hybrid coefficients, not
assumed. What a file lacks is listed in `Orbit.assumptions`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.damage import CONTENT_ERRORS, content_errors, describe_fault
from retrieval.files.hdf5_safety import refuse_unsafe
from retrieval.l2.sensors.axes import (
    L2_ADVICE,
    TIME_UNITS,
    LayerOrder,
    add_delta_time,
    date_after_since,
    layer_order,
)

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    Float = NDArray[np.floating]

PRODUCT_NAME = "L2__NO2___"
ALL = slice(None)

REQUIRED = (
    "latitude",
    "longitude",
    "latitude_bounds",
    "longitude_bounds",
    "averaging_kernel",
    "air_mass_factor_total",
    "air_mass_factor_troposphere",
    "tm5_tropopause_layer_index",
    "tm5_constant_a",
    "tm5_constant_b",
    "surface_pressure",
    "nitrogendioxide_tropospheric_column",
    "time",
    "delta_time",
)
"""Variables without which no pixel can be re-retrieved."""

STRATOSPHERE = ("nitrogendioxide_stratospheric_column", "air_mass_factor_stratosphere")
OPTIONAL = {
    "surface_altitude": "surface altitude taken from the standard atmosphere (warning bit 8)",
    "nitrogendioxide_stratospheric_column": "no summed total column, TM5 column or total AMF",
    "air_mass_factor_stratosphere": "no TM5 a-priori column and no total air mass factor",
    "nitrogendioxide_tropospheric_column_precision_kernel": "no precisions of the new columns",
    "qa_value": "statistics without quality filter",
}
"""Variables that may be missing, and what their absence means."""


@dataclass(frozen=True)
class Crop:
    """Positions of the scanlines and ground pixels in use, as slices with plain bounds."""

    scanline: slice
    ground_pixel: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Number of scanlines and ground pixels."""
        return (
            self.scanline.stop - self.scanline.start,
            self.ground_pixel.stop - self.ground_pixel.start,
        )


@dataclass
class Orbit:
    """An open L2 NO2 file.

    Attributes
    ----------
    path : Path
        The file.
    dataset : netCDF4.Dataset
        Open for reading, with automatic masking and scaling off.
    assumptions : list of str
        What is assumed because the file lacks it, one sentence each.
    """

    path: Path
    dataset: netCDF4.Dataset
    assumptions: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, path: str | Path) -> Orbit:
        """Open and check a file.

        Raises
        ------
        ProductError
            If the file cannot be read, is another product, or lacks a required variable.
        """
        path = Path(path)
        if not path.is_file():
            msg = f"{path} is not a file. Expected a TROPOMI L2 NO2 orbit. Check the path."
            raise ProductError(msg)
        refuse_unsafe(path, ProductError)
        try:
            dataset = netCDF4.Dataset(path)
            dataset.set_auto_maskandscale(False)
        except CONTENT_ERRORS as error:
            msg = (
                f"{path.name} cannot be opened as netCDF-4. Expected an {PRODUCT_NAME} file; "
                f"the library says: {_first_line(error)}. Download the file again."
            )
            raise ProductError(msg) from error
        orbit = cls(path, dataset)
        try:
            with orbit._reading("its variables"):
                orbit._check()
        except ProductError:
            dataset.close()
            raise
        return orbit

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
        """Every variable of the file by its bare name; PRODUCT wins over its subgroups."""
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
        _, n_scanline, n_ground_pixel = self.variables["latitude"].shape
        return int(n_scanline), int(n_ground_pixel)

    @property
    def full(self) -> Crop:
        """The crop that is the whole file."""
        n_scanline, n_ground_pixel = self.shape
        return Crop(slice(0, n_scanline), slice(0, n_ground_pixel))

    def attribute(self, name: str, default: str = "") -> str:
        """Global attribute as text."""
        return str(getattr(self.dataset, name, default))

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
            msg = f"{self.path.name} has no variable {name}. {_expectation(self.dataset)}"
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

    def _reading(self, what: str) -> AbstractContextManager[None]:
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
        return int(chunks[1]) if isinstance(chunks, list) and len(chunks) > 1 else 1

    def read(self, name: str, crop: Crop) -> NDArray[np.floating]:
        """Read a float variable on the crop, shape (scanline, ground_pixel, ...), NaN for fill.

        Raises
        ------
        ProductError
            As `raw`, and if the variable is not on (time, scanline, ground_pixel, ...).
        """
        variable = self.variables.get(name)
        values = self.raw(name, (slice(0, 1), crop.scanline, crop.ground_pixel))[0]
        if values.dtype.kind != "f":
            msg = f"{self.path.name}: {name} must hold floats. Given {values.dtype}. {L2_ADVICE}"
            raise ProductError(msg)
        self._check_shape(name, values.shape, crop)
        # float64 stays: some writers of reduced files promote.
        values = values.astype(np.result_type(values.dtype.newbyteorder("="), np.float32))
        with self._reading(name):
            fill = float(getattr(variable, "_FillValue", netCDF4.default_fillvals["f4"]))
        values[(values == fill) | (np.abs(values) > 9e36)] = np.nan
        return np.asarray(values)

    def _check_shape(self, name: str, shape: tuple[int, ...], crop: Crop) -> None:
        """Refuse a variable that is not on the pixels of the crop, or has too many corners."""
        ends = {"latitude_bounds": (4,), "longitude_bounds": (4,)}
        if name == "averaging_kernel":
            ends[name] = (self.layers.n_layer,)
        if shape[:2] != crop.shape or shape[2:] != ends.get(name, shape[2:]):
            wanted = (*crop.shape, *ends.get(name, ()))
            msg = (
                f"{self.path.name}: {name} must have the shape {wanted} here. Given {shape}. "
                f"{L2_ADVICE}"
            )
            raise ProductError(msg)

    def read_integer(self, name: str, crop: Crop) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Read an integer variable on the crop and where it is valid (not fill)."""
        variable = self.variables.get(name)
        values = self.raw(name, (slice(0, 1), crop.scanline, crop.ground_pixel))[0]
        if values.dtype.kind not in "iu":
            msg = f"{self.path.name}: {name} must hold integers. Given {values.dtype}. {L2_ADVICE}"
            raise ProductError(msg)
        self._check_shape(name, values.shape, crop)
        kind = f"{values.dtype.kind}{values.dtype.itemsize}"
        with self._reading(name):
            fill = int(getattr(variable, "_FillValue", netCDF4.default_fillvals[kind]))
        return values, values != fill

    @cached_property
    def layers(self) -> LayerOrder:
        """Hybrid coefficients brought to surface-first order.

        Raises
        ------
        ProductError
            If they do not give monotonic pressures.
        """
        return layer_order(self.raw("tm5_constant_a"), self.raw("tm5_constant_b"), self.path.name)

    def read_kernel(self, crop: Crop) -> NDArray[np.floating]:
        """Total-column averaging kernel, surface first, (scanline, ground_pixel, layer)."""
        kernel = self.read("averaging_kernel", crop)
        return kernel[..., ::-1] if self.layers.is_reversed else kernel

    def read_tropopause(self, crop: Crop) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Tropopause layer index counted from the surface, and where it is valid.

        Fills and indices outside 1 .. layer - 1 are invalid; they are masked before anything
        uses them as an index (docs/formats.md 1.6).
        """
        index, is_valid = self.read_integer("tm5_tropopause_layer_index", crop)
        n_layer = self.layers.n_layer
        index = index.astype(np.intp)
        if self.layers.is_reversed:
            index = n_layer - 1 - index
        is_valid &= (index >= 1) & (index < n_layer)
        return np.where(is_valid, index, 0), is_valid

    def scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        """Measurement time of each scanline, datetime64[ms] UTC, NaT where missing.

        Both styles of `delta_time` are read: plain milliseconds after `time`, and
        milliseconds since a date (docs/formats.md 1.4).
        """
        with self._reading("delta_time and time"):
            times = self._scanline_times(crop)
        if times.shape != crop.shape[:1]:
            msg = (
                f"{self.path.name}: delta_time must have one value a scanline, {crop.shape[0]}. "
                f"Given {times.shape}. {L2_ADVICE}"
            )
            raise ProductError(msg)
        return times

    def _scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        variable, where = self.variables["delta_time"], self.path.name
        delta = self.raw("delta_time", (slice(0, 1), crop.scanline))[0]
        fill = getattr(variable, "_FillValue", netCDF4.default_fillvals["i4"])
        units = str(getattr(variable, "units", "milliseconds"))
        if "since" in units:
            origin = date_after_since(units, where)
        else:
            seconds = int(np.ravel(self.raw("time"))[0])
            epoch = str(getattr(self.variables["time"], "units", TIME_UNITS))
            origin = date_after_since(epoch, where) + np.timedelta64(seconds, "s")
        return add_delta_time(origin, delta, fill, units, where)

    def _check(self) -> None:
        product = _product_name(self.dataset)
        missing = [name for name in REQUIRED if name not in self.variables]
        is_other = bool(product) and PRODUCT_NAME not in product
        if missing or is_other:
            what = " is no NO2 product." if is_other else f" has no variable {missing[0]}."
            msg = f"{self.path.name}{what} {_expectation(self.dataset)}"
            raise ProductError(msg)
        if self.variables["latitude"].ndim != 3 or self.variables["averaging_kernel"].ndim != 4:
            msg = (
                f"{self.path.name}: latitude and averaging_kernel must have the dimensions "
                "(time, scanline, ground_pixel[, layer]). "
                f"Given {self.variables['averaging_kernel'].dimensions}. {L2_ADVICE}"
            )
            raise ProductError(msg)
        for name in ("surface_pressure", "tm5_constant_a"):
            units = str(getattr(self.variables[name], "units", "Pa"))
            if units != "Pa":
                msg = f"{self.path.name}: {name} must be in Pa. Given {units!r}. {L2_ADVICE}"
                raise ProductError(msg)
        if not self.has("surface_altitude"):
            self.assumptions.append(OPTIONAL["surface_altitude"])
        self.assumptions += [
            f"{name} is missing: {meaning}"
            for name, meaning in OPTIONAL.items()
            if name != "surface_altitude" and not self.has(name)
        ]
        _ = self.layers


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _product_name(dataset: netCDF4.Dataset) -> str:
    try:
        group = dataset["METADATA/GRANULE_DESCRIPTION"]
        return str(getattr(group, "ProductShortName", ""))
    except (IndexError, KeyError):
        return ""


def _expectation(dataset: netCDF4.Dataset) -> str:
    found = _product_name(dataset)
    if PRODUCT_NAME in found:
        return f"A re-retrieval needs it. Found an {PRODUCT_NAME} file without. Get the full file."
    found = found or str(getattr(dataset, "title", "")) or "another kind of file"
    return (
        f"Expected an {PRODUCT_NAME} product with its averaging kernels; found {found}. "
        "Choose another file."
    )
