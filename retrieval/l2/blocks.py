"""Blocks of scanlines: what the file says of their pixels, in double precision, surface first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.orbit import Crop, Orbit
from retrieval.physics import air_mass_factor as airmass
from retrieval.physics.layers import standard_altitude
from retrieval.substitution.collocate import Geometry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float = NDArray[np.floating]
    Bool = NDArray[np.bool_]

PRECISION_KERNEL = "nitrogendioxide_tropospheric_column_precision_kernel"
"""Precision without the profile's share: what stays when the profile is replaced (decision D11)."""

FIELDS = (
    "latitude",
    "longitude",
    "surface_pressure",
    "surface_altitude",
    "nitrogendioxide_tropospheric_column",
    "nitrogendioxide_stratospheric_column",
    "air_mass_factor_total",
    "air_mass_factor_troposphere",
    "air_mass_factor_stratosphere",
    PRECISION_KERNEL,
)
"""Two-dimensional variables that the computation uses, where present."""


@dataclass(frozen=True)
class Block:
    """What the file says of n valid or invalid pixels of a block, surface first, double."""

    geometry: Geometry
    surface_pressure: Float
    surface_altitude: Float
    column: Float
    precision_kernel: Float | None
    amf_troposphere: Float
    amf_total: Float
    amf_stratosphere: Float | None
    stratospheric_column: Float | None
    weights: Float
    """Scattering weights s = M A, shape (n, layer)."""
    is_troposphere: Bool
    """Shape (n, layer)."""
    has_kernel: Bool
    has_tropopause: Bool
    assumed_altitude: Bool
    """True where `surface_altitude` is that of the standard atmosphere, shape (n,)."""


SLAB_BYTES = 128 * 2**20
"""Kernels held at once, unless a single chunk of the file is larger."""


class OrbitBlocks:
    """Reads the crop of an orbit block by block of scanlines, each chunk of the file once.

    Two-dimensional variables are read at once. The kernel is read in slabs that end on the
    file's own chunks, so that no chunk is inflated twice.

    Parameters
    ----------
    orbit, crop
        The open file and the part in use.
    tropopause : str
        `inclusive` or `exclusive`.
    """

    def __init__(self, orbit: Orbit, crop: Crop, tropopause: str = airmass.INCLUSIVE) -> None:
        self.orbit, self.crop, self.tropopause = orbit, crop, tropopause
        self.latitude_bounds = orbit.read("latitude_bounds", crop)
        self.longitude_bounds = orbit.read("longitude_bounds", crop)
        self._fields = {name: orbit.read(name, crop) for name in FIELDS if orbit.has(name)}
        self._index, self._has_index = orbit.read_tropopause(crop)
        self._slab = slice(0, 0)
        self._kernel: Float = np.empty((0, 0, 0))

    def read(self, rows: slice) -> Block:
        """Read the pixels of some scanlines, given relative to the crop."""

        def flat(name: str) -> Float:
            return self._fields[name][rows].astype(np.float64).reshape(-1)

        def optional(name: str) -> Float | None:
            return flat(name) if name in self._fields else None

        n_layer = self.orbit.layers.n_layer
        amf_total, amf = flat("air_mass_factor_total"), flat("air_mass_factor_troposphere")
        pressure, altitude = flat("surface_pressure"), optional("surface_altitude")
        kernel = self._kernels(rows).astype(np.float64).reshape(-1, n_layer)
        with np.errstate(invalid="ignore"):
            has_kernel = (
                np.isfinite(kernel).all(axis=1)
                & (amf > 0)
                & (amf_total > 0)
                & np.isfinite(amf)
                & np.isfinite(amf_total)
                & (pressure > 0)
            )
            standard = standard_altitude(pressure)
        if altitude is not None:
            assumed = ~np.isfinite(altitude)
            altitude = np.where(assumed, standard, altitude)
        else:
            assumed, altitude = np.ones(pressure.shape, dtype=bool), standard
        return Block(
            geometry=self._geometry(rows),
            surface_pressure=pressure,
            surface_altitude=altitude,
            column=flat("nitrogendioxide_tropospheric_column"),
            precision_kernel=optional(PRECISION_KERNEL),
            amf_troposphere=amf,
            amf_total=amf_total,
            amf_stratosphere=optional("air_mass_factor_stratosphere"),
            stratospheric_column=optional("nitrogendioxide_stratospheric_column"),
            weights=airmass.scattering_weights(kernel, amf_total),
            is_troposphere=airmass.troposphere(
                self._index[rows].reshape(-1), n_layer, self.tropopause
            ),
            has_kernel=np.asarray(has_kernel),
            has_tropopause=self._has_index[rows].reshape(-1),
            assumed_altitude=assumed,
        )

    def _geometry(self, rows: slice) -> Geometry:
        corners = self.latitude_bounds.shape[-1]
        return Geometry(
            self._fields["latitude"][rows].astype(np.float64).reshape(-1),
            self._fields["longitude"][rows].astype(np.float64).reshape(-1),
            self.latitude_bounds[rows].astype(np.float64).reshape(-1, corners),
            self.longitude_bounds[rows].astype(np.float64).reshape(-1, corners),
            np.repeat(np.arange(rows.start, rows.stop), self.crop.shape[1]),
        )

    def _kernels(self, rows: slice) -> Float:
        if rows.start < self._slab.start or rows.stop > self._slab.stop:
            n_scanline, n_pixel = self.crop.shape
            per_row = n_pixel * self.orbit.layers.n_layer * 4
            chunk = self.orbit.chunk_scanlines("averaging_kernel")
            n_rows = max(chunk, SLAB_BYTES // per_row // chunk * chunk, rows.stop - rows.start)
            first = self.crop.scanline.start
            end = (first + rows.start) // chunk * chunk + n_rows - first
            stop = min(max(end, rows.stop), n_scanline)
            self._slab = slice(rows.start, stop)
            self._kernel = self.orbit.read_kernel(
                Crop(slice(first + rows.start, first + stop), self.crop.ground_pixel)
            )
        offset = self._slab.start
        return self._kernel[rows.start - offset : rows.stop - offset]


def take_block(block: Block, index: NDArray[np.intp]) -> Block:
    """Select some pixels of a block."""

    def take(values: Float | None) -> Float | None:
        return None if values is None else values[index]

    g = block.geometry
    return Block(
        geometry=Geometry(
            g.latitude[index],
            g.longitude[index],
            g.latitude_bounds[index],
            g.longitude_bounds[index],
            g.scanline[index],
        ),
        surface_pressure=block.surface_pressure[index],
        surface_altitude=block.surface_altitude[index],
        column=block.column[index],
        precision_kernel=take(block.precision_kernel),
        amf_troposphere=block.amf_troposphere[index],
        amf_total=block.amf_total[index],
        amf_stratosphere=take(block.amf_stratosphere),
        stratospheric_column=take(block.stratospheric_column),
        weights=block.weights[index],
        is_troposphere=block.is_troposphere[index],
        has_kernel=block.has_kernel[index],
        has_tropopause=block.has_tropopause[index],
        assumed_altitude=block.assumed_altitude[index],
    )
