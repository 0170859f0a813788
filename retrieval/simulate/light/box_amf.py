"""Box air mass factors of a pixel's layers: a small packaged table, interpolated and integrated.

The table holds the black-surface solution of `radiative_transfer` over sun, view, surface pressure
and relative pressure; the surface albedo enters in closed form, so clouds (a Lambertian reflector
of albedo 0.8 at the cloud pressure) come from the same table. It is made by

    python -m retrieval.simulate.light.box_amf

in about a quarter of a minute. Layer values are means over the layer of the piecewise linear
profile, exactly; below the reflecting surface they are zero, and the layer that the surface cuts
counts with its part above.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import netCDF4
import numpy as np

from retrieval.simulate.light.radiative_transfer import (
    RAYLEIGH_OPTICAL_DEPTH,
    sensitivity,
    single_scattering,
    with_surface,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

TABLE_NAME = "box_amf_437nm.nc"

SOLAR_ZENITH = np.array(
    [0, 10, 20, 30, 40, 45, 50, 55, 60, 64, 68, 71, 74, 77, 79, 81, 83, 85, 87, 88], dtype=float
)
VIEWING_ZENITH = np.array([0, 10, 20, 30, 38, 45, 51, 56, 61, 65, 68, 71], dtype=float)
SURFACE_PRESSURE = np.concatenate([[5e3, 1e4, 2e4, 3e4, 4e4, 5e4], np.arange(6e4, 1.11e5, 5e3)])
LAYER_EDGES = np.concatenate(
    [
        [0.0, 0.01, 0.03, 0.06],
        np.arange(0.1, 0.68, 0.05),
        np.arange(0.68, 0.95, 0.03),
        np.arange(0.95, 1.005, 0.01),
    ]
)
"""Relative pressures p / p_surface between which the solver's layers lie."""

BLOCK = 16384
"""Pixels interpolated at a time."""


@dataclass(frozen=True)
class BoxAmfTable:
    """Black-surface solution in variables that interpolate well.

    Attributes
    ----------
    solar_zenith, viewing_zenith, surface_pressure : ndarray
        Axes [degree], [degree], [Pa], ascending.
    level : ndarray, shape (n_level,)
        Relative pressures p / p_surface from 0 to 1.
    reflectance : ndarray, shape (n_sun, n_view, n_pressure)
        Reflectance over that of single scattering.
    reflectance_amf : ndarray, shape (n_sun, n_view, n_pressure, n_level)
        Box air mass factor of the reflectance over the geometric one.
    transmittance, transmittance_amf : ndarray, shape (n_sun, n_pressure[, n_level])
        Total transmittance, and its box air mass factor times mu.
    spherical_albedo, spherical_albedo_amf : ndarray, shape (n_pressure[, n_level])
        Of the atmosphere seen from below.
    """

    solar_zenith: Float
    viewing_zenith: Float
    surface_pressure: Float
    level: Float
    reflectance: Float
    reflectance_amf: Float
    transmittance: Float
    transmittance_amf: Float
    spherical_albedo: Float
    spherical_albedo_amf: Float

    def profiles(
        self, solar_zenith: Float, viewing_zenith: Float, albedo: Float, surface_pressure: Float
    ) -> tuple[Float, Float]:
        """Reflectance and box air mass factors at the table's levels.

        Parameters
        ----------
        solar_zenith, viewing_zenith : ndarray, shape (n,)
            [degree].
        albedo, surface_pressure : ndarray, shape (n,)
            Of the reflecting surface [1], [Pa].

        Returns
        -------
        reflectance : ndarray, shape (n,)
        box_amf : ndarray, shape (n, n_level)
        """
        sun = _bracket(solar_zenith, self.solar_zenith)
        view = _bracket(viewing_zenith, self.viewing_zenith)
        view_as_sun = _bracket(viewing_zenith, self.solar_zenith)
        pressure = _bracket(surface_pressure, self.surface_pressure)
        mu0, mu = np.cos(np.deg2rad(solar_zenith)), np.cos(np.deg2rad(viewing_zenith))

        single = single_scattering(mu0, mu, surface_pressure)
        black = _interpolate(self.reflectance, sun, view, pressure) * single
        black_amf = _interpolate(self.reflectance_amf, sun, view, pressure)
        down = _interpolate(self.transmittance, sun, pressure)
        up = _interpolate(self.transmittance, view_as_sun, pressure)
        down_amf = _interpolate(self.transmittance_amf, sun, pressure)
        up_amf = _interpolate(self.transmittance_amf, view_as_sun, pressure)
        spherical = _interpolate(self.spherical_albedo, pressure)
        spherical_amf = _interpolate(self.spherical_albedo_amf, pressure)

        reflectance = with_surface(black, down * up, spherical, albedo)
        surface = reflectance - black
        multiple = albedo * spherical / (1.0 - albedo * spherical)
        box = (black * (1.0 / mu0 + 1.0 / mu))[:, None] * black_amf
        box += (surface / mu0)[:, None] * down_amf + (surface / mu)[:, None] * up_amf
        box += (surface * multiple)[:, None] * spherical_amf
        return reflectance, box / reflectance[:, None]


Bracket = tuple["NDArray[np.intp]", "Float"]


def _bracket(values: Float, axis: Float) -> Bracket:
    """Index of the node below each value, and the fraction of the way to the next."""
    index = np.clip(np.searchsorted(axis, values, side="right") - 1, 0, axis.size - 2)
    return index, (values - axis[index]) / (axis[index + 1] - axis[index])


def _interpolate(values: Float, *brackets: Bracket) -> Float:
    """Interpolate linearly along the leading axes; trailing ones are carried along."""
    trailing = values.shape[len(brackets) :]
    flat = values.reshape(-1, *trailing)
    total = np.zeros((brackets[0][0].size, *trailing))
    for corner in range(2 ** len(brackets)):
        position = np.zeros(brackets[0][0].size, dtype=np.intp)
        weight = np.ones(brackets[0][0].size)
        for axis, (index, fraction) in enumerate(brackets):
            is_upper = corner >> axis & 1
            position = position * values.shape[axis] + index + is_upper
            weight = weight * (fraction if is_upper else 1.0 - fraction)
        total += weight.reshape(-1, *[1] * len(trailing)) * flat[position]
    return total


def layer_box_amf(
    solar_zenith: Float,
    viewing_zenith: Float,
    albedo: Float,
    surface_pressure: Float,
    pressure_edges: Float,
    table: BoxAmfTable | None = None,
) -> tuple[Float, Float]:
    """Reflectance and box air mass factors of given layers over a Lambertian surface.

    Parameters
    ----------
    solar_zenith, viewing_zenith : ndarray, shape (n,)
        [degree], up to 88 and 71.
    albedo, surface_pressure : ndarray, shape (n,)
        Of the reflecting surface, ground or cloud [1], [Pa].
    pressure_edges : ndarray, shape (n, layer + 1)
        Layer interfaces [Pa], surface first; those below the reflecting surface are allowed.
    table : BoxAmfTable, optional
        The packaged one by default.

    Returns
    -------
    reflectance : ndarray, shape (n,)
        At the top of the atmosphere.
    box_amf : ndarray, shape (n, layer)
        Without temperature correction; 0 below the reflecting surface.

    Raises
    ------
    ValueError
        If an input lies outside of the table or is not finite.
    """
    lookup = table or load_table()
    for name, values, axis in (
        ("solar_zenith", solar_zenith, lookup.solar_zenith),
        ("viewing_zenith", viewing_zenith, lookup.viewing_zenith),
        ("surface_pressure", surface_pressure, lookup.surface_pressure),
        ("albedo", albedo, np.array([0.0, 1.0])),
    ):
        _check_range(name, values, axis)
    n, n_edge = pressure_edges.shape
    reflectance = np.empty(n)
    box = np.empty((n, n_edge - 1))
    for start in range(0, n, BLOCK):
        part = slice(start, start + BLOCK)
        reflectance[part], levels = lookup.profiles(
            solar_zenith[part], viewing_zenith[part], albedo[part], surface_pressure[part]
        )
        relative = pressure_edges[part] / surface_pressure[part, None]
        box[part] = layer_means(levels, lookup.level, relative)
    return reflectance, box


def _check_range(name: str, values: Float, axis: Float) -> None:
    inside = (values >= axis[0]) & (values <= axis[-1])
    if not inside.all():
        worst = values[~inside][0]
        msg = (
            f"Invalid {name}. It must lie between {axis[0]:g} and {axis[-1]:g}. Given {worst:g} "
            f"in {np.count_nonzero(~inside)} of {values.size} pixels. Mask these pixels first."
        )
        raise ValueError(msg)


def layer_means(values: Float, level: Float, relative_edges: Float) -> Float:
    """Mean of a piecewise linear profile over layers; zero beyond relative pressure 1.

    Parameters
    ----------
    values : ndarray, shape (n, n_level)
        At `level`, ascending from 0 to 1.
    level : ndarray, shape (n_level,)
        Relative pressures.
    relative_edges : ndarray, shape (n, layer + 1)
        Layer interfaces p / p_surface, decreasing.

    Examples
    --------
    >>> edges = np.array([[1.2, 0.8, 0.4, 0.0]])
    >>> layer_means(np.array([[0.0, 1.0]]), np.array([0.0, 1.0]), edges).round(3).tolist()
    [[0.45, 0.6, 0.2]]
    """
    width = np.diff(level)
    cumulative = np.zeros_like(values)
    np.cumsum(0.5 * (values[:, 1:] + values[:, :-1]) * width, axis=1, out=cumulative[:, 1:])
    x = np.clip(relative_edges, 0.0, 1.0)
    index = np.clip(np.searchsorted(level, x, side="right") - 1, 0, level.size - 2)
    base = np.take_along_axis(values, index, axis=1)
    slope = (np.take_along_axis(values, index + 1, axis=1) - base) / width[index]
    d = x - level[index]
    integral = np.take_along_axis(cumulative, index, axis=1) + d * (base + 0.5 * slope * d)
    return np.asarray(np.diff(integral, axis=1) / np.diff(relative_edges, axis=1))


def build_table(surface_pressure: Float = SURFACE_PRESSURE) -> BoxAmfTable:
    """Solve for the table, by default at all of its surface pressures [Pa]."""
    mu_sun = np.cos(np.deg2rad(SOLAR_ZENITH))
    mu_view = np.cos(np.deg2rad(VIEWING_ZENITH))
    level = np.concatenate([[0.0], 0.5 * (LAYER_EDGES[1:] + LAYER_EDGES[:-1]), [1.0]])
    geometric = 1.0 / mu_sun[:, None] + 1.0 / mu_view
    solved = [sensitivity(p * LAYER_EDGES, mu_sun, mu_view) for p in surface_pressure]

    def amf(change: list[Float], value: list[Float], scale: Float) -> Float:
        """Stack box air mass factors along pressure and continue them linearly to both ends."""
        stacked = np.stack(
            [-c / v[..., None] * scale[..., None] for c, v in zip(change, value, strict=True)],
            axis=-2,
        )
        first, second, last, before = (stacked[..., i] for i in (0, 1, -1, -2))
        slope_0 = (second - first) / (level[2] - level[1])
        slope_1 = (last - before) / (level[-2] - level[-3])
        ends = first - slope_0 * level[1], last + slope_1 * (1.0 - level[-2])
        return np.concatenate([ends[0][..., None], stacked, ends[1][..., None]], axis=-1)

    reflectance = [s.reflectance for s in solved]
    transmittance = [s.transmittance for s in solved]
    spherical = [np.asarray(s.spherical_albedo) for s in solved]
    return BoxAmfTable(
        solar_zenith=SOLAR_ZENITH,
        viewing_zenith=VIEWING_ZENITH,
        surface_pressure=surface_pressure,
        level=level,
        reflectance=np.stack(reflectance, axis=-1)
        / single_scattering(mu_sun[:, None, None], mu_view[:, None], surface_pressure),
        reflectance_amf=amf([s.d_reflectance for s in solved], reflectance, 1.0 / geometric),
        transmittance=np.stack(transmittance, axis=-1),
        transmittance_amf=amf([s.d_transmittance for s in solved], transmittance, mu_sun),
        spherical_albedo=np.stack(spherical),
        spherical_albedo_amf=amf(
            [s.d_spherical_albedo for s in solved], spherical, np.asarray(1.0)
        ),
    )


_DIMENSIONS = {
    "solar_zenith": ("solar_zenith",),
    "viewing_zenith": ("viewing_zenith",),
    "surface_pressure": ("surface_pressure",),
    "level": ("level",),
    "reflectance": ("solar_zenith", "viewing_zenith", "surface_pressure"),
    "reflectance_amf": ("solar_zenith", "viewing_zenith", "surface_pressure", "level"),
    "transmittance": ("solar_zenith", "surface_pressure"),
    "transmittance_amf": ("solar_zenith", "surface_pressure", "level"),
    "spherical_albedo": ("surface_pressure",),
    "spherical_albedo_amf": ("surface_pressure", "level"),
}

_UNITS = {"solar_zenith": "degree", "viewing_zenith": "degree", "surface_pressure": "Pa"}


def write_table(path: Path, table: BoxAmfTable) -> None:
    """Write a table as float32 netCDF with its provenance."""
    with netCDF4.Dataset(path, "w") as file:
        file.setncatts(
            {
                "title": "Box air mass factors of NO2 at 437.5 nm over a Lambertian surface",
                "source": "scalar, plane-parallel, azimuth-mean Rayleigh atmosphere, successive "
                "orders of scattering; retrieval/simulate/light/radiative_transfer.py",
                "rayleigh_optical_depth_at_101325_pa": RAYLEIGH_OPTICAL_DEPTH,
                "references": "Nicolet 1984, doi 10.1016/0032-0633(84)90089-8 (cross-section)",
                "history": "python -m retrieval.simulate.light.box_amf",
                "comment": "Black-surface solution; the albedo enters in closed form. "
                "reflectance is over that of single scattering, reflectance_amf over the "
                "geometric air mass factor, transmittance_amf times mu. level is p / p_surface.",
            }
        )
        for name in ("solar_zenith", "viewing_zenith", "surface_pressure", "level"):
            file.createDimension(name, getattr(table, name).size)
        for name, dimensions in _DIMENSIONS.items():
            variable = file.createVariable(name, "f4", dimensions, zlib=True, shuffle=True)
            variable.units = _UNITS.get(name, "1")
            variable[:] = getattr(table, name)


def read_table(path: Path) -> BoxAmfTable:
    """Read a table."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        return BoxAmfTable(
            **{f.name: file[f.name][:].astype(np.float64) for f in fields(BoxAmfTable)}
        )


@lru_cache(maxsize=1)
def load_table() -> BoxAmfTable:
    """Return the packaged table, read once."""
    with resources.as_file(
        resources.files("retrieval.simulate.light") / "data" / TABLE_NAME
    ) as path:
        return read_table(path)


if __name__ == "__main__":
    write_table(Path(__file__).parent / "data" / TABLE_NAME, build_table())
