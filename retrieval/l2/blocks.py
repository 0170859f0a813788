"""Blocks of scanlines: what the file says of their pixels, in double precision, surface first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.pixels import Crop, Pixels
from retrieval.physics import air_mass_factors as airmass
from retrieval.physics.layers import standard_altitude

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Footprints
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

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
    footprints : Footprints, optional
        Where its pixels are, where that is known already.
    tropopause : str
        `inclusive` or `exclusive`, for sensors whose troposphere ends at the index of a layer.
    """

    def __init__(
        self,
        orbit: Orbit,
        crop: Crop,
        footprints: Footprints | None = None,
        *,
        tropopause: str = airmass.INCLUSIVE,
    ) -> None:
        self.orbit, self.crop, self.tropopause = orbit, crop, tropopause
        self.footprints = footprints or orbit.read_footprints(crop)
        self._fields = orbit.read_fields(crop)
        self._end = orbit.read_tropopause(crop)
        self._slab = slice(0, 0)
        self._kernel: Float = np.empty((0, 0, 0))

    def read(self, rows: slice) -> Pixels:
        """Read the pixels of some scanlines, given relative to the crop."""

        def flat(name: str) -> Float:
            return self._fields[name][rows].astype(np.float64).reshape(-1)

        def optional(name: str) -> Float | None:
            return flat(name) if name in self._fields else None

        n_layer = self.orbit.n_layer
        amf_total, amf = optional("amf_total"), flat("amf_troposphere")
        pressure, altitude = flat("surface_pressure"), optional("surface_altitude")
        kernel = self._kernels(rows).astype(np.float64).reshape(-1, n_layer)
        with np.errstate(invalid="ignore"):
            has_kernel = np.isfinite(kernel).all(axis=1) & (amf > 0) & np.isfinite(amf)
            has_kernel &= pressure > 0
            if amf_total is not None:
                has_kernel &= (amf_total > 0) & np.isfinite(amf_total)
            standard = standard_altitude(pressure)
        if altitude is not None:
            assumed = ~np.isfinite(altitude)
            altitude = np.where(assumed, standard, altitude)
        else:
            assumed, altitude = np.ones(pressure.shape, dtype=bool), standard
        return Pixels(
            geometry=self.footprints.pixels(rows),
            surface_pressure=pressure,
            surface_altitude=altitude,
            column=flat("column"),
            precision_kernel=optional("precision_kernel"),
            amf_troposphere=amf,
            amf_total=amf_total,
            amf_stratosphere=optional("amf_stratosphere"),
            stratospheric_column=optional("stratospheric_column"),
            weights=self.orbit.weights(kernel, amf_total),
            is_troposphere=self._is_troposphere(rows, pressure),
            has_kernel=np.asarray(has_kernel),
            has_tropopause=self._end.is_valid[rows].reshape(-1),
            assumed_altitude=assumed,
            tropopause_pressure=self._tropopause_pressure(rows),
        )

    def _is_troposphere(self, rows: slice, surface_pressure: Float) -> Bool:
        if self._end.index is not None:
            index = self._end.index[rows].reshape(-1)
            return airmass.troposphere(index, self.orbit.n_layer, self.tropopause)
        pressure = self._tropopause_pressure(rows)
        if pressure is None:
            msg = "Invalid tropopause. An index or a pressure ends the troposphere. Given neither."
            raise ValueError(msg)
        nodes = self.orbit.node_pressure
        if nodes is not None:
            return np.asarray(nodes > pressure[:, None])
        edges = self.orbit.pressure_edges(surface_pressure)
        return airmass.troposphere_by_pressure(edges, pressure)

    def _tropopause_pressure(self, rows: slice) -> Float | None:
        if self._end.pressure is None:
            return None
        return self._end.pressure[rows].astype(np.float64).reshape(-1)

    def _kernels(self, rows: slice) -> Float:
        if rows.start < self._slab.start or rows.stop > self._slab.stop:
            n_scanline, n_pixel = self.crop.shape
            per_row = n_pixel * self.orbit.n_layer * 4
            chunk = self.orbit.chunk_scanlines(self.orbit.names.kernel)
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
