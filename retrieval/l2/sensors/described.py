"""Sensors that are data: a description says the names, this says what is done with them.

`data/*.toml` describe OMNO2 and the products whose files differ from it in names alone; a user's
description is read alike. Names are found in any case. Numbers may be scaled integers, with the
attributes of netCDF or of HDF-EOS, and gaps fill values, NaN, or numbers of 1e29 and more.
"""

from __future__ import annotations

from dataclasses import fields, replace
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import netCDF4
import numpy as np

from retrieval.errors import ProductError
from retrieval.l2.described_names import sensor_names
from retrieval.l2.description import (
    LEFT_OUT,
    TOTAL_KERNEL,
    TROPOSPHERIC_KERNEL,
    Description,
    missing_for_substitution,
    read_description,
)
from retrieval.l2.orbit import COLUMNS, Orbit
from retrieval.l2.pixels import Crop, Footprints, Tropopause
from retrieval.l2.sensors.axes import (
    LayerOrder,
    column_scale,
    count_times,
    layer_order,
    tropopause_at_layer,
)
from retrieval.l2.sensors.rules import (
    day_and_millisecond,
    of_scanlines,
    percent_of,
    time_of_name,
    times_unit,
)
from retrieval.l2.sensors.tree import group_of, has_path, names_in, scale_path
from retrieval.physics.air_mass_factors import scattering_weights
from retrieval.physics.constants import HPA_TO_PA
from retrieval.physics.geometry.curvilinear import corner_mesh
from retrieval.physics.layers import pressure_edges

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.files.archives import Content
    from retrieval.typing import Float

LARGEST = 1e29
"""Numbers as large as this, of either sign, are fill."""
PASCALS = {"Pa": 1.0, "hPa": HPA_TO_PA, "mb": HPA_TO_PA, "mbar": HPA_TO_PA}
FILLS = ("_FillValue", "MissingValue", "missing_value")
SCALES, OFFSETS = ("ScaleFactor", "scale_factor"), ("Offset", "add_offset")
UNITS = ("units", "Units")


class DescribedOrbit(Orbit):
    """An open file of a sensor that a description names."""

    description: ClassVar[Description]

    def __init__(
        self, path: Path, dataset: netCDF4.Dataset, content: Content | None = None
    ) -> None:
        super().__init__(path, dataset, content)
        self.names = sensor_names(self.description, self.own_name)
        with self.reading("its column"):
            self._place_names()

    @classmethod
    def matches(cls, dataset: netCDF4.Dataset) -> bool:
        """Tell whether a file is as the description says it is recognised."""
        known, described = cls.description.recognise, cls.description
        if not (known.variables or known.file_name):
            where = described.geolocation
            needed = (where.latitude, where.longitude, described.columns.tropospheric)
            return {name.lower() for name in needed} <= names_in(dataset)
        if known.file_name and not fnmatchcase(Path(dataset.filepath()).name, known.file_name):
            return False
        is_there = all(has_path(dataset, path) for path in known.variables)
        return is_there and not any(has_path(dataset, path) for path in known.without)

    def check(self) -> None:
        """Refuse a file that lacks a variable, or a description that says too little.

        Raises
        ------
        ProductError
            Naming what is missing.
        """
        names, where = self.names, self.path.name
        lacking = missing_for_substitution(self.description)
        if lacking:
            msg = (
                f"{where}: nothing is known of {names.sensor}'s averaging kernels. Another a "
                f"priori needs {'; '.join(lacking)}. Given none of them. Say them in a "
                "description and give it with --sensor (docs/sensors.md)."
            )
            raise ProductError(msg)
        missing = [name for name in self.required if not self.has(self.own_name(name))]
        if missing:
            msg = f"{where} has no variable {missing[0]}. {self.expectation()}"
            raise ProductError(msg)
        _ = self.node_pressure if self._weights.nodes else self.layers
        if not self.has(names.latitude_bounds):
            self.assumptions.append("corners lie halfway between the centres of pixels")

    def expectation(self) -> str:
        """Say what the file should have been, and what to do."""
        return (
            f"Expected a {self.names.product} file of {self.names.sensor} as its description "
            "says. Choose another file or mend the description."
        )

    # --- names ------------------------------------------------------------------------------

    def own_name(self, name: str) -> str:
        """Return how the file spells a name; the name itself where it has none like it."""
        return self._spelling.get(name.lower(), name)

    @cached_property
    def _spelling(self) -> dict[str, str]:
        return {name.lower(): name for name in reversed(self.variables)}

    def _place_names(self) -> None:
        """Complete the names with groups, dimensions and units as the file has them."""
        names = self.names
        if not self.has(names.column, names.latitude):
            return
        column = self.variables[names.column]
        group = group_of(column)
        units = self.attribute_of(names.column, UNITS, self.description.columns.units)
        scale = column_scale(str(units))
        if scale is None:
            msg = (
                f"{self.path.name}: {names.column} must be in molecules cm-2 or mol m-2. Given "
                f"{units!r}. Say units in [columns] of a description."
            )
            raise ProductError(msg)
        kernel = names.kernel if self.has(names.kernel) else ""
        paths = [scale_path(one) for one in column.get_dims()]
        layer = scale_path(self.variables[kernel].get_dims()[-1]) if kernel else ""
        if not all(paths) or column.ndim < 2:
            paths, layer = ["", ""], ""
        self.names = replace(
            names,
            group=group,
            amf_group=group_of(self.variables[names.amf]) if self.has(names.amf) else group,
            pixel_dimensions=tuple(paths),
            layer_dimension=layer,
            units=str(units).strip(),
            per_mol_m2=scale,
        )

    @property
    def _weights(self) -> Any:
        return self.description.sensitivity

    def attribute_of(self, name: str, keys: tuple[str, ...], default: Any) -> Any:
        """First attribute of a variable that there is, text stripped; a default where none is."""
        variable = self.variables.get(name)
        for key in keys:
            value = getattr(variable, key, None)
            if value is not None:
                value = value.strip() if isinstance(value, str) else value
                if not (isinstance(value, str) and value.lower() in ("", "nounits")):
                    return value
        return default

    # --- values -----------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int]:
        """Number of scanlines and ground pixels; one of the latter where pixels are in a row."""
        found = self.variables[self.names.latitude].shape
        return super().shape if len(found) > 1 else (int(found[0]), 1)

    def _on_crop(self, name: str, crop: Crop) -> NDArray[Any]:
        if self.variables[self.names.latitude].ndim > 1:
            return super()._on_crop(name, crop)
        return np.expand_dims(self.raw(name, crop.scanline), 1)

    def read(self, name: str, crop: Crop) -> NDArray[np.floating]:
        """Read a variable on the crop as it is meant: scaled, NaN where missing."""
        stored = self._on_crop(name, crop)
        self._check_shape(name, stored.shape, crop)
        return self.numbers(name, stored)

    def numbers(self, name: str, stored: NDArray[Any]) -> NDArray[np.floating]:
        """Turn what is stored of a variable into what is meant: scaled, NaN where missing."""
        if stored.dtype.kind not in "iuf":
            msg = f"{self.path.name}: {name} must hold numbers. Given {stored.dtype}. {self.advice}"
            raise ProductError(msg)
        kind = np.result_type(stored.dtype.newbyteorder("="), np.float32)
        values = stored.astype(kind)
        is_missing = ~(np.abs(values) < LARGEST)
        for key in FILLS:
            fill = self.attribute_of(name, (key,), None)
            if fill is not None:
                is_missing |= stored == np.asarray(fill, dtype=stored.dtype)
        scale = float(np.ravel(self.attribute_of(name, SCALES, 1.0))[0])
        offset = float(np.ravel(self.attribute_of(name, OFFSETS, 0.0))[0])
        if (scale, offset) != (1.0, 0.0):
            values = values.astype(np.float64) * scale + offset
        values[is_missing] = np.nan
        return np.asarray(values)

    def read_fields(self, crop: Crop) -> dict[str, Float]:
        """Read the numbers of a pixel that the file has, in SI, columns by their own units."""
        found: dict[str, Float] = {}
        for field, name in self.names.fields.items():
            if name and self.has(name):
                scale = self._column_scale(name) if field in COLUMNS else None
                values = self.read(name, crop).astype(np.float64)
                found[field] = values if scale is None else values / scale
        if "surface_pressure" in found:
            found["surface_pressure"] *= self._pascals(self.names.fields["surface_pressure"])
        return found

    def _column_scale(self, name: str) -> float:
        return column_scale(str(self.attribute_of(name, UNITS, ""))) or self.names.per_mol_m2

    def _pascals(self, name: str) -> float:
        """Return what a pressure is multiplied with to be in Pa."""
        units = str(self.attribute_of(name, UNITS, self._weights.pressure_units))
        if units not in PASCALS:
            msg = f"{self.path.name}: {name} must be in Pa or hPa. Given {units!r}. {self.advice}"
            raise ProductError(msg)
        return PASCALS[units]

    def read_corners(self, crop: Crop) -> tuple[Float, Float]:
        """Read corners, in order round the pixel; halfway between centres where none are given."""
        names, where = self.names, self.description.geolocation
        if where.latitude_corners:
            corners = (where.latitude_corners, where.longitude_corners)
            stacks = [[self.read(self.own_name(one), crop) for one in four] for four in corners]
            return np.stack(stacks[0], axis=-1), np.stack(stacks[1], axis=-1)
        if names.latitude_bounds and self.has(names.latitude_bounds, names.longitude_bounds):
            order = list(where.corner_order)
            latitude, longitude = super().read_corners(crop)
            return latitude[..., order], longitude[..., order]
        centres = self.read_centres(self.full)
        latitude, longitude = (np.asarray(one, dtype=float) for one in centres)
        middle = np.nanmean(longitude) if np.isfinite(longitude).any() else 0.0
        longitude = np.asarray(longitude - middle + 180.0) % 360.0 - 180.0 + middle
        found = []
        for axis in (latitude, longitude):
            mesh = corner_mesh(axis)
            parts = (mesh[:-1, :-1], mesh[:-1, 1:], mesh[1:, 1:], mesh[1:, :-1])
            found.append(np.stack(parts, axis=-1)[crop.scanline, crop.ground_pixel])
        return found[0], found[1]

    def read_footprints(self, crop: Crop) -> Footprints:
        """Read where the pixels are."""
        return Footprints(*self.read_centres(crop), *self.read_corners(crop))

    # --- sensitivity --------------------------------------------------------------------------

    @cached_property
    def layers(self) -> LayerOrder:
        """Hybrid coefficients of the layers [Pa] and [1], surface first."""
        a, b = (self.own_name(getattr(self._weights, letter)) for letter in "ab")
        pascal = self.raw(a).astype(np.float64) * self._pascals(a)
        return layer_order(pascal, self.raw(b), self.path.name, f"{a}, {b}")

    @cached_property
    def _stored_nodes(self) -> Float:
        name = self.own_name(self._weights.nodes)
        nodes = self.numbers(name, self.raw(name)).astype(np.float64) * self._pascals(name)
        steps = np.diff(nodes)
        if nodes.ndim != 1 or nodes.size < 2 or not ((steps > 0).all() or (steps < 0).all()):
            msg = (
                f"{self.path.name}: {name} must be pressures that rise or fall, one for each "
                f"weight. Given shape {nodes.shape}. {self.advice}"
            )
            raise ProductError(msg)
        return nodes

    @property
    def node_pressure(self) -> Float | None:
        """Pressures of the weights [Pa], surface first; None where they are of layers."""
        if not self._weights.nodes:
            return None
        return self._stored_nodes[::-1] if self.is_reversed else self._stored_nodes

    @property
    def lacks_temperature(self) -> bool:
        """True where the description says that weights leave out the temperature factor."""
        return bool(self._weights.temperature == LEFT_OUT)

    @property
    def n_layer(self) -> int:
        """Number of layers, or of pressures."""
        return self._stored_nodes.size if self._weights.nodes else self.layers.n_layer

    @property
    def is_reversed(self) -> bool:
        """True where the file counts from the top."""
        if self._weights.nodes:
            return bool(self._stored_nodes[0] < self._stored_nodes[-1])
        return self.layers.is_reversed

    def pressure_edges(self, surface_pressure: Float) -> Float:
        """Interfaces p = a + b p_surface [Pa], surface first."""
        return pressure_edges(self.layers.a, self.layers.b, surface_pressure)

    def read_tropopause(self, crop: Crop) -> Tropopause:
        """Tropopause by pressure, or by index of a layer."""
        name = self.own_name(self._weights.tropopause_pressure)
        if not name:
            return tropopause_at_layer(self, crop, self.own_name(self._weights.tropopause_layer))
        pressure = self.read(name, crop).astype(np.float64) * self._pascals(name)
        return Tropopause(np.isfinite(pressure) & (pressure > 0.0), pressure=pressure)

    def read_kernel(self, crop: Crop) -> Float:
        """Read kernel or weights, surface first.

        Weights missing at the ends, below the ground, are those of the nearest pressure that has
        one: they are constant beyond the ends.
        """
        kernel = super().read_kernel(crop)
        if self._weights.kind == TROPOSPHERIC_KERNEL:
            return kernel * self.read(self.names.amf, crop)[..., None]
        return _ends_filled(kernel) if self._weights.nodes else kernel

    def weights(self, kernel: Float, amf_total: Float | None) -> Float:
        """Sensitivity s: weights as they are, total kernels times the total air mass factor."""
        if self._weights.kind != TOTAL_KERNEL:
            return kernel
        if amf_total is None:
            msg = "Invalid weights. Total kernels need the total air mass factor. Given none."
            raise ValueError(msg)
        return scattering_weights(kernel, amf_total)

    # --- time and quality ---------------------------------------------------------------------

    def scanline_times(self, crop: Crop) -> NDArray[np.datetime64]:
        """Measurement time of each scanline, datetime64[ms] UTC, NaT where missing."""
        rule = self.description.time
        if rule.file_name:
            return np.repeat(time_of_name(self.path.name, rule.file_name), crop.shape[0])
        if rule.day_and_millisecond:
            name = self.own_name(rule.day_and_millisecond)
            values, where = self.raw(name, crop.scanline), f"{name} of {self.path.name}"
            return day_and_millisecond(values, rule.origin_date, where)
        name = self.own_name(rule.variable)
        counts = self.numbers(name, self.raw(name)).astype(np.float64)
        units = str(self.attribute_of(name, UNITS, ""))
        units = times_unit(rule, units, self.attribute(rule.origin_attribute))
        there = of_scanlines(counts, self.shape)[crop.scanline]
        return count_times(there, units, self.path.name, leap=rule.leap_seconds)

    @property
    def has_quality(self) -> bool:
        """Whether the description has a rule of quality."""
        rule = self.description.quality
        return bool(rule.good) or (bool(rule.percent) and self.has(self.names.quality))

    def read_quality(self, crop: Crop) -> tuple[NDArray[np.integer], NDArray[np.bool_]]:
        """Quality in percent: the product's own, or 100 where good, 60 where usable, else 0."""
        rule = self.description.quality
        if rule.percent:
            return self.read_integer(self.names.quality, crop)

        def read(name: str, bits: int | None) -> Float:
            own = self.own_name(name)
            if bits is None:
                return self.read(own, crop)
            flags, _ = self.read_integer(own, crop)
            return np.asarray(flags & flags.dtype.type(bits), dtype=np.float64)

        return percent_of(rule, read, crop.shape), np.ones(crop.shape, dtype=bool)


def _ends_filled(weights: Float) -> Float:
    """Carry the first and last number of each pixel on to the ends; gaps between stay."""
    is_there = np.isfinite(weights)
    n = weights.shape[-1]
    first = np.argmax(is_there, axis=-1)[..., None]
    last = n - 1 - np.argmax(is_there[..., ::-1], axis=-1)[..., None]
    index = np.clip(np.arange(n), first, np.maximum(first, last))
    return np.take_along_axis(weights, index, axis=-1)


def sensor_of(described: Description) -> type[DescribedOrbit]:
    """Return the sensor that a description describes."""
    weights, where = described.sensitivity, described.geolocation
    required = (
        *(where.latitude, where.longitude, described.time.variable, described.columns.tropospheric),
        *(described.air_mass_factors.tropospheric, described.surface.pressure),
        *(getattr(weights, one.name) for one in fields(weights) if one.name in _VARIABLES),
    )
    required = tuple(name for name in required if name)
    body = {
        "description": described,
        "names": sensor_names(described),
        "required": required,
        "needs": {"reretrieve": required},
        "timing": tuple(
            filter(None, (described.time.variable, described.time.day_and_millisecond))
        ),
        "advice": "Choose another file, or say it in a description (docs/sensors.md).",
    }
    return type(described.name, (DescribedOrbit,), body)


_VARIABLES = ("variable", "nodes", "a", "b", "tropopause_pressure", "tropopause_layer")

SENSORS = tuple(
    sensor_of(read_description(path))
    for path in sorted((Path(__file__).parent / "data").glob("*.toml"))
)
"""Sensors of the package's own descriptions."""
