"""Sensors whose kernel is that of the total column, on layers of hybrid coefficients.

TROPOMI's manner, which the products before and after it share. Those take the unit of columns from
its attribute.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from retrieval.errors import ProductError
from retrieval.l2.orbit import COLUMNS, Orbit
from retrieval.l2.sensors.axes import column_scale
from retrieval.physics.air_mass_factors import scattering_weights
from retrieval.physics.layers import pressure_edges

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

    from retrieval.l2.names import SensorNames
    from retrieval.l2.sensors.axes import LayerOrder
    from retrieval.typing import Float


class TotalKernelOrbit(Orbit):
    """An open file with total kernels; `layers` is what its sensor has to say."""

    @cached_property
    @abstractmethod
    def layers(self) -> LayerOrder:
        """Hybrid coefficients of the layers [Pa] and [1], surface first.

        Raises
        ------
        ProductError
            If they do not give monotonic pressures.
        """

    @property
    def n_layer(self) -> int:
        """Number of layers."""
        return self.layers.n_layer

    @property
    def is_reversed(self) -> bool:
        """True where the file counts layers from the top."""
        return self.layers.is_reversed

    def pressure_edges(self, surface_pressure: Float) -> Float:
        """Interfaces p = a + b p_surface [Pa], surface first."""
        return pressure_edges(self.layers.a, self.layers.b, surface_pressure)

    def weights(self, kernel: Float, amf_total: Float | None) -> Float:
        """Total kernel times total air mass factor: s = M A."""
        if amf_total is None:
            sensor = self.names.sensor
            msg = f"Invalid weights. {sensor}'s need the total air mass factor. Given none."
            raise ValueError(msg)
        return scattering_weights(kernel, amf_total)

    # --- units ----------------------------------------------------------------------------------

    def units_of(self, name: str) -> str:
        """Return the unit that a variable says it has; empty where it, or the variable, lacks."""
        return str(getattr(self.variables.get(name), "units", ""))

    def in_own_units(self, names: SensorNames) -> SensorNames:
        """Return names with the unit of this file's column, where it is one that is known."""
        with self.reading("units"):
            units = self.units_of(names.column)
        scale = column_scale(units)
        return names if scale is None else replace(names, units=units, per_mol_m2=scale)

    def check_required(self) -> None:
        """Refuse a file that lacks a variable, naming it."""
        missing = [name for name in self.required if not self.has(name)]
        if missing:
            msg = f"{self.path.name} has no variable {missing[0]}. {self.expectation()}"
            raise ProductError(msg)

    def check_units(self, expected: Mapping[str, str]) -> None:
        """Refuse columns in an unknown unit or in several, and others not in the given one."""
        names = self.names
        if column_scale(self.units_of(names.column)) is None:
            self._refuse_units(names.column, "molecules cm-2 or mol m-2")
        for field in COLUMNS:
            name = names.fields[field]
            if self.has(name) and self.units_of(name) != names.units:
                self._refuse_units(name, f"{names.units}, as {names.column}")
        for name, units in expected.items():
            if self.units_of(name) not in (units, ""):
                self._refuse_units(name, units)

    def _refuse_units(self, name: str, rule: str) -> NoReturn:
        given = self.units_of(name)
        msg = f"{self.path.name}: {name} must be in {rule}. Given {given!r}. {self.advice}"
        raise ProductError(msg)

    def expectation(self) -> str:
        """Say what the file should have been, and what to do."""
        found = self.attribute("title") or "another kind of file"
        names = self.names
        return (
            f"Expected a {names.sensor} {names.product} product with its averaging kernels; found "
            f"{found}. Choose another file."
        )
