r"""From light to columns: scattering weights of clouded pixels and the retrieval's definitions.

Kernels on n pixels, layers surface first, SI. The clear and the clouded part of a pixel are two
Lambertian surfaces, mixed by the share of light that comes from each (independent pixels,
docs/equations.md 2.5):

.. math::

    w = \frac{f R_\mathrm{cld}}{f R_\mathrm{cld} + (1-f) R_\mathrm{clr}}, \qquad
    s_l = c(T_l)\,\bigl[w\,m_{\mathrm{cld},l} + (1-w)\,m_{\mathrm{clr},l}\bigr]

Over snow and ice the cloud is replaced by the scene itself (scene mode, docs/formats.md 1.7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.air_mass_factors import air_mass_factor, temperature_correction
from retrieval.simulate.light.box_amf import layer_box_amf

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

CLOUD_ALBEDO = 0.8
"""Albedo of the Lambertian clouds."""

MINIMUM_CLOUD_PRESSURE = 1.3e4
"""Clouds above are put here [Pa]."""


@dataclass(frozen=True)
class Sky:
    """What the light meets, arrays of shape (n,).

    Attributes
    ----------
    solar_zenith, viewing_zenith : ndarray
        [degree].
    albedo, surface_pressure : ndarray
        Of the ground [1], [Pa].
    cloud_fraction, cloud_pressure : ndarray
        Effective fraction [1]; pressure [Pa], held between 130 hPa and the ground.
    scene_albedo, scene_pressure : ndarray
        Of the scene as one Lambertian surface [1], [Pa].
    is_scene_mode : ndarray of bool
        Snow or ice: the scene takes the place of the cloud, and all light comes from it.
    """

    solar_zenith: Float
    viewing_zenith: Float
    albedo: Float
    surface_pressure: Float
    cloud_fraction: Float
    cloud_pressure: Float
    scene_albedo: Float
    scene_pressure: Float
    is_scene_mode: Bool

    @property
    def geometric_amf(self) -> Float:
        """Return 1 / cos(SZA) + 1 / cos(VZA)."""
        sun, view = (np.cos(np.deg2rad(a)) for a in (self.solar_zenith, self.viewing_zenith))
        return np.asarray(1.0 / sun + 1.0 / view)

    @property
    def reflector_pressure(self) -> Float:
        """Pressure of the cloud or, in scene mode, of the scene [Pa]."""
        pressure = np.where(self.is_scene_mode, self.scene_pressure, self.cloud_pressure)
        return np.clip(pressure, MINIMUM_CLOUD_PRESSURE, self.surface_pressure)


@dataclass(frozen=True)
class ScatteringWeights:
    """Temperature-corrected box air mass factors, shape (n, layer), and how they were mixed.

    Attributes
    ----------
    clear, cloudy, mixed : ndarray, shape (n, layer)
        Of the clear part, the clouded part, the pixel.
    radiance_fraction : ndarray, shape (n,)
        w from the cloud fraction, as the file shows it also in scene mode.
    hidden : ndarray, shape (n, layer)
        Share of each layer that lies below the cloud.
    """

    clear: Float
    cloudy: Float
    mixed: Float
    radiance_fraction: Float
    hidden: Float


def scattering_weights(sky: Sky, pressure_edges: Float, temperature: Float) -> ScatteringWeights:
    """Box air mass factors of clouded pixels, with the temperature correction.

    Parameters
    ----------
    sky : Sky
        The n pixels.
    pressure_edges : ndarray, shape (n, layer + 1)
        Layer interfaces [Pa], surface first.
    temperature : ndarray, shape (n, layer)
        [K].
    """
    correction = temperature_correction(temperature)
    zenith = sky.solar_zenith, sky.viewing_zenith
    clear_reflectance, clear = layer_box_amf(
        *zenith, sky.albedo, sky.surface_pressure, pressure_edges
    )
    reflector = sky.reflector_pressure
    albedo = np.where(sky.is_scene_mode, np.minimum(sky.scene_albedo, 1.0), CLOUD_ALBEDO)
    cloud_reflectance, cloudy = layer_box_amf(*zenith, albedo, reflector, pressure_edges)
    from_cloud = sky.cloud_fraction * cloud_reflectance
    light = from_cloud + (1.0 - sky.cloud_fraction) * clear_reflectance
    fraction = from_cloud / light
    used = np.where(sky.is_scene_mode, 1.0, fraction)[:, None]
    clear *= correction
    cloudy *= correction
    below = np.maximum(pressure_edges, reflector[:, None])
    hidden = np.diff(below, axis=1) / np.diff(pressure_edges, axis=1)
    return ScatteringWeights(clear, cloudy, used * cloudy + (1.0 - used) * clear, fraction, hidden)


@dataclass(frozen=True)
class Uncertainty:
    """Terms of the error model (docs/equations.md 2.7).

    Attributes
    ----------
    slant, stratosphere : float
        Standard deviations [mol m-2].
    amf, profile : float
        Relative errors of the air mass factor without and from the a-priori profile.
    """

    slant: float
    stratosphere: float
    amf: float = 0.2
    profile: float = 0.1


def retrieve(
    weights: ScatteringWeights,
    apriori: Float,
    is_troposphere: Bool,
    slant_column: Float,
    stratospheric_column: Float,
    uncertainty: Uncertainty,
) -> dict[str, Float]:
    """Air mass factors, kernel, columns and precisions by the product's definitions.

    Parameters
    ----------
    weights : ScatteringWeights
        Of n pixels.
    apriori : ndarray, shape (n, layer)
        Partial columns of the operational a priori [mol m-2].
    is_troposphere : ndarray of bool, shape (n, layer)
        Layers up to the tropopause layer, inclusive.
    slant_column, stratospheric_column : ndarray, shape (n,)
        N and V_strat [mol m-2].
    uncertainty : Uncertainty
        Error model.

    Returns
    -------
    dict of str to ndarray
        By the product's variable names; docs/formats.md 1.7.
    """
    everywhere = np.ones_like(is_troposphere)
    s = weights.mixed
    total = air_mass_factor(s, apriori, everywhere)
    troposphere = air_mass_factor(s, apriori, is_troposphere)
    stratosphere = air_mass_factor(s, apriori, ~is_troposphere)
    no2 = "nitrogendioxide"
    with np.errstate(divide="ignore", invalid="ignore"):
        # an opaque cloud above the tropopause layer leaves M_trop = 0: the column is missing then
        column = (slant_column - stratosphere * stratospheric_column) / troposphere
        from_slant = uncertainty.slant / troposphere
        from_stratosphere = stratosphere * uncertainty.stratosphere / troposphere
    column = np.where(np.isfinite(column), column, np.nan)
    kernel_precision = np.sqrt(
        from_slant**2 + from_stratosphere**2 + (uncertainty.amf * column) ** 2
    )
    hidden = np.where(is_troposphere, apriori * weights.hidden, 0.0).sum(axis=1)
    full = np.full(slant_column.shape, 1.0)
    return {
        "averaging_kernel": s / total[:, None],
        "air_mass_factor_total": total,
        "air_mass_factor_troposphere": troposphere,
        "air_mass_factor_stratosphere": stratosphere,
        "air_mass_factor_clear": air_mass_factor(weights.clear, apriori, is_troposphere),
        "air_mass_factor_cloudy": air_mass_factor(weights.cloudy, apriori, is_troposphere),
        f"{no2}_tropospheric_column": column,
        f"{no2}_tropospheric_column_precision_kernel": kernel_precision,
        f"{no2}_tropospheric_column_precision": np.hypot(
            kernel_precision, uncertainty.profile * column
        ),
        f"{no2}_stratospheric_column": stratospheric_column,
        f"{no2}_stratospheric_column_precision": uncertainty.stratosphere * full,
        f"{no2}_slant_column_density": slant_column,
        f"{no2}_slant_column_density_precision": uncertainty.slant * full,
        f"{no2}_total_column": slant_column / total,
        f"{no2}_total_column_precision": np.hypot(
            uncertainty.slant / total, uncertainty.profile * slant_column / total
        ),
        f"{no2}_total_column_precision_kernel": uncertainty.slant / total,
        f"{no2}_summed_total_column": column + stratospheric_column,
        f"{no2}_summed_total_column_precision": np.hypot(
            kernel_precision, uncertainty.stratosphere
        ),
        f"{no2}_ghost_column": weights.radiance_fraction * hidden,
        f"cloud_radiance_fraction_{no2}_window": weights.radiance_fraction,
    }
