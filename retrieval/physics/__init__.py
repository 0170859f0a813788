"""The equations of the retrieval on plain arrays: no file, no label.

Read the modules in this order; derivations, sizes and sources are in docs/equations.md.

1. `constants`: numbers and their units. `air_mass_factors`: weights, air mass factor, new column.
2. `layers`: where the layers lie. `vertical`: integrals of a profile over them. `levels`,
   `partial_columns`: any set, whatever its levels and unit, to partial columns.
3. `time_rules`: which fields serve which scanline.

How much of a pixel each cell of a set covers is `geometry`, a room of its own.

The public names below are handed on when they are first asked for, as scipy takes its time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval.physics.air_mass_factors import air_mass_factor as air_mass_factor
    from retrieval.physics.air_mass_factors import scattering_weights as scattering_weights
    from retrieval.physics.air_mass_factors import smoothed_column as smoothed_column
    from retrieval.physics.air_mass_factors import substituted_column as substituted_column
    from retrieval.physics.air_mass_factors import troposphere as troposphere
    from retrieval.physics.air_mass_factors import tropospheric_kernel as tropospheric_kernel
    from retrieval.physics.geometry.footprint import apply_weights as apply_weights
    from retrieval.physics.geometry.footprint import bilinear_weights as bilinear_weights
    from retrieval.physics.geometry.footprint import footprint_weights as footprint_weights
    from retrieval.physics.layers import pressure_edges as pressure_edges
    from retrieval.physics.partial_columns import set_columns as set_columns

_MODULES = {
    "air_mass_factors": (
        *("air_mass_factor", "scattering_weights", "smoothed_column", "substituted_column"),
        *("tropospheric_kernel", "troposphere"),
    ),
    "layers": ("pressure_edges",),
    "partial_columns": ("set_columns",),
}
_OF_GEOMETRY = ("apply_weights", "bilinear_weights", "footprint_weights")
__all__ = sorted([*_OF_GEOMETRY, *(name for names in _MODULES.values() for name in names)])


def __getattr__(name: str) -> Any:
    if name in _OF_GEOMETRY:
        return getattr(import_module("retrieval.physics.geometry.footprint"), name)
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
