"""The chain of the forward simulator: truth and model over the pixels, block by block.

Slant columns come from the true profile by box air mass factors of the pixel's own light path; the
operational retrieval, with the model's a priori, follows at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.files.fills import FILL_INT
from retrieval.l2.pixels import Footprints, Geometry
from retrieval.l2.quality import ErrorCode, is_snow_or_ice
from retrieval.physics.air_mass_factors import troposphere
from retrieval.physics.constants import MINIMUM_COVERAGE, MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.curvilinear import rectilinear
from retrieval.physics.layers import (
    Atmosphere,
    LayeredAtmosphere,
    StandardAtmosphere,
    pressure_edges,
)
from retrieval.physics.partial_columns import PixelColumns, set_columns
from retrieval.simulate.content import orbit_content, satellite_variables, scene_variables
from retrieval.simulate.l2_file.layout import variables_of
from retrieval.simulate.light.forward import Sky, Uncertainty, retrieve, scattering_weights
from retrieval.simulate.options import (
    MODEL,
    SUPER_GAUSSIAN,
    SimulationOptions,
    failure_codes,
    quality,
)
from retrieval.simulate.response import response_weights
from retrieval.substitution.collocate import Collocator
from retrieval.substitution.recompute import continued_above

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.apriori.base import AprioriSet
    from retrieval.physics.time_rules import TimeRule
    from retrieval.simulate.l2_file.content import L2Content
    from retrieval.simulate.l2_file.layout import Variant
    from retrieval.simulate.scene import SurfaceScene
    from retrieval.simulate.swath import Swath
    from retrieval.simulate.tm5 import OperationalModel
    from retrieval.typing import Float

UNCERTAINTY = Uncertainty(
    slant=0.55e15 / MOLEC_CM2_PER_MOL_M2, stratosphere=0.2e15 / MOLEC_CM2_PER_MOL_M2
)
"""Error model behind the precisions of simulated files (docs/equations.md 2.7)."""

GEOLOCATION = (
    "latitude",
    "longitude",
    "latitude_bounds",
    "longitude_bounds",
    "solar_zenith_angle",
    "solar_azimuth_angle",
    "viewing_zenith_angle",
    "viewing_azimuth_angle",
)

TRUTH_FIELDS = (
    "true_tropospheric_column",
    "true_stratospheric_column",
    "true_slant_column_density",
    "apriori_tropospheric_column",
    "truth_coverage",
)


class Simulation:
    """Everything opened for one orbit; `compute` does one block of scanlines."""

    def __init__(
        self,
        truth: AprioriSet,
        model: OperationalModel,
        scene: SurfaceScene,
        swath: Swath,
        options: SimulationOptions,
        time_rule: TimeRule | None,
    ) -> None:
        self.options, self.swath, self.model = options, swath, model
        self.truth_kind = truth.kind
        # what the file stores in float32 is what the retrieval will know: start from that
        self.scene = scene.in_single_precision()
        self.place = {name: _single(getattr(swath, name)) for name in GEOLOCATION}
        self.layers_a, self.layers_b = (
            _single(np.stack([v[:-1], v[1:]], axis=-1)) for v in (model.layers.a, model.layers.b)
        )
        self.footprints = Footprints(*(self.place[name] for name in GEOLOCATION[:4]))
        outline = self.footprints.outline

        def collocator(name: str, fields: AprioriSet, rule: TimeRule | None) -> Collocator:
            return Collocator(name, fields, rule or fields.time_rule, swath.time, outline)

        self.truth = collocator("truth", truth, time_rule)
        self.apriori = collocator("operational a priori", model.no2, None)
        self.temperature = collocator("temperature", model.temperature, None)
        self.tropopause = collocator("tropopause", model.tropopause, None)
        self.rng = np.random.default_rng([options.seed, swath.orbit])
        self.noise = options.slant_noise * self.rng.standard_normal(swath.shape)
        self.stratosphere_error = options.stratosphere_error * _smooth_noise(
            self.place["longitude"], self.place["latitude"], self.rng
        )
        self.code = failure_codes(
            options.failures, self.place["solar_zenith_angle"], self.scene, self.rng
        )
        self.fields: dict[str, NDArray[Any]] = {}

    def compute(self, rows: slice) -> None:
        """Simulate some scanlines and store what was found."""
        good, on_pixels = self._model_on_pixels(rows)
        if good.size == 0:
            return
        geometry = self._geometry(rows, good)
        pressure = self.scene.surface_pressure[rows].ravel()[good]
        edges = pressure_edges(self.layers_a, self.layers_b, pressure)
        temperature, profile, index = on_pixels
        pixels = self._pixel_columns(rows, good, edges, temperature)
        no2 = self.model.no2
        apriori, _ = set_columns(profile, no2.vertical, no2.quantity, pixels)
        is_troposphere = troposphere(index, apriori.shape[1])
        true, coverage = self._true_columns(geometry, pixels, profile, apriori, is_troposphere)
        sky = self._sky(rows, good)
        weights = scattering_weights(sky, edges, temperature)
        true_slant = (weights.mixed * true).sum(axis=1)
        stratosphere = np.where(is_troposphere, 0.0, true).sum(axis=1)
        found = retrieve(
            weights,
            apriori,
            is_troposphere,
            true_slant + self.noise[rows].ravel()[good],
            stratosphere + self.stratosphere_error[rows].ravel()[good],
            UNCERTAINTY,
        )
        found |= {
            "true_tropospheric_column": np.where(is_troposphere, true, 0.0).sum(axis=1),
            "true_stratospheric_column": stratosphere,
            "true_slant_column_density": true_slant,
            "apriori_tropospheric_column": np.where(is_troposphere, apriori, 0.0).sum(axis=1),
            "truth_coverage": coverage,
            "tropopause": index.astype(np.float64),
            "amf_ratio": found["air_mass_factor_troposphere"] / sky.geometric_amf,
        }
        if self.options.keep_profiles:
            found |= {"true_partial_column": true, "apriori_partial_column": apriori}
            found |= {"temperature": temperature}
        self._store(rows, good, found)

    def _model_on_pixels(
        self, rows: slice
    ) -> tuple[NDArray[np.intp], tuple[Float, Float, NDArray[np.intp]]]:
        """Return the pixels to simulate, and temperature, NO2 and tropopause index over them.

        Where the model does not reach (a file cut to an area), there is no retrieval: error 37.
        """
        good = np.flatnonzero(self.code[rows].ravel() == 0)
        geometry = self._geometry(rows, good)
        temperature, profile, index = (
            c.profiles(geometry).value for c in (self.temperature, self.apriori, self.tropopause)
        )
        is_known = np.isfinite(temperature).all(axis=1) & np.isfinite(profile).all(axis=1)
        is_known &= np.isfinite(index[:, 0])
        self.code[rows].reshape(-1)[good[~is_known]] = ErrorCode.MODEL
        whole = np.rint(index[is_known, 0]).astype(np.intp)
        return good[is_known], (temperature[is_known], profile[is_known], whole)

    def _geometry(self, rows: slice, good: NDArray[np.intp]) -> Geometry:
        return self.footprints.pixels(rows).take(good)

    def _pixel_columns(
        self, rows: slice, good: NDArray[np.intp], edges: Float, temperature: Float
    ) -> PixelColumns:
        pressure = self.scene.surface_pressure[rows].ravel()[good]
        atmosphere: Atmosphere
        if self.options.heights == MODEL:
            atmosphere = LayeredAtmosphere(edges, temperature)
        else:
            altitude = self.scene.surface_altitude[rows].ravel()[good]
            atmosphere = StandardAtmosphere(pressure, altitude)
        return PixelColumns(pressure, edges, atmosphere)

    def _true_columns(
        self,
        geometry: Geometry,
        pixels: PixelColumns,
        model_profile: Float,
        apriori: Float,
        is_troposphere: NDArray[np.bool_],
    ) -> tuple[Float, Float]:
        """Return true partial columns (n, layer) and the truth's coverage (n,).

        As mode `upper` of the retrieval does it: the truth to its top, the model above if the top
        lies below the tropopause.
        """
        weights = None
        if self.options.response == SUPER_GAUSSIAN:
            weights = response_weights(
                geometry.latitude_bounds,
                geometry.longitude_bounds,
                rectilinear(self.truth.grid, "the truth"),
            )
        found = self.truth.profiles(geometry, weights)
        source = self.truth.apriori
        columns, cut = set_columns(found.value, source.vertical, source.quantity, pixels)
        columns += continued_above(self.model.no2, model_profile, pixels, cut, is_troposphere)[0]
        # pixels with less of the truth under them take the model's a priori for truth
        is_covered = (found.coverage >= MINIMUM_COVERAGE) & np.isfinite(columns).all(axis=1)
        true = np.where(is_troposphere & is_covered[:, None], columns, apriori)
        return true, found.coverage

    def _sky(self, rows: slice, good: NDArray[np.intp]) -> Sky:
        def of(values: NDArray[Any]) -> Float:
            return values[rows].ravel()[good]

        scene = self.scene
        return Sky(
            solar_zenith=of(self.place["solar_zenith_angle"]),
            viewing_zenith=of(self.place["viewing_zenith_angle"]),
            albedo=of(scene.surface_albedo),
            surface_pressure=of(scene.surface_pressure),
            cloud_fraction=of(scene.cloud_fraction),
            cloud_pressure=of(scene.cloud_pressure),
            scene_albedo=of(scene.scene_albedo),
            scene_pressure=of(scene.scene_pressure),
            is_scene_mode=is_snow_or_ice(of(scene.snow_ice_flag)),
        )

    def _store(self, rows: slice, good: NDArray[np.intp], found: dict[str, Float]) -> None:
        """Put results of a block into arrays of the whole orbit, NaN where there are none."""
        for name, values in found.items():
            if name not in self.fields:
                kind = np.float32 if name == "averaging_kernel" else np.float64
                shape = (*self.swath.shape, *values.shape[1:])
                self.fields[name] = np.full(shape, np.nan, dtype=kind)
            block = self.fields[name][rows]
            block.reshape(-1, *values.shape[1:])[good] = values

    def finish(self, variant: Variant) -> tuple[L2Content, dict[str, Float], dict[str, Float]]:
        """Return what the L2 file holds, the truth, and the profiles that are kept."""
        fields = self.fields
        empty = np.full(self.swath.shape, np.nan)
        truth = {name: fields.pop(name, empty) for name in TRUTH_FIELDS}
        has_result = np.isfinite(truth["truth_coverage"])
        truth["slant_column_noise"] = np.where(has_result, self.noise, np.nan)
        profiles: dict[str, Float] = {
            name: fields.pop(name)
            for name in ("true_partial_column", "apriori_partial_column", "temperature")
            if name in fields
        }
        index, amf_ratio = (fields.pop(n, empty) for n in ("tropopause", "amf_ratio"))
        has_index = np.isfinite(index)
        tropopause = np.where(has_index, index, FILL_INT).astype(np.int32)
        if self.options.failures.edges:
            tropopause[:, 0] = FILL_INT
            tropopause[:, -1] = np.where(has_index[:, -1], 0, FILL_INT)
        found = {
            **self.place,
            **scene_variables(self.scene),
            **satellite_variables(self.swath),
            **fields,
        }
        found["tm5_tropopause_layer_index"] = tropopause
        found["tm5_constant_a"], found["tm5_constant_b"] = self.layers_a, self.layers_b
        missing = self.options.failures.missing_input
        found |= quality(found, self.scene, self.code, amf_ratio, missing, variant, self.rng)
        wanted = {v.name for v in variables_of(variant)}
        options = self.options
        comment = (
            f"synthetic: forward simulation of a known truth ({self.truth_kind}); response "
            f"{options.response}, heights of the {options.heights} atmosphere, seed {options.seed}"
        )
        content = orbit_content(
            {name: values for name, values in found.items() if name in wanted},
            self.swath,
            variant,
            self.model.file_names,
            comment,
        )
        return content, truth, profiles


def _single(values: NDArray[Any]) -> NDArray[np.float64]:
    """Round to float32, in float64."""
    return values.astype(np.float32).astype(np.float64)


def _smooth_noise(longitude: Float, latitude: Float, rng: np.random.Generator) -> Float:
    """Random field of unit variance with scales of 10 to 30 degree."""
    total = np.zeros(longitude.shape)
    n_wave = 12
    for _ in range(n_wave):
        angle, phase = rng.uniform(0.0, 2.0 * np.pi, 2)
        k = 2.0 * np.pi / rng.uniform(10.0, 30.0)
        total += np.cos(k * (np.cos(angle) * longitude + np.sin(angle) * latitude) + phase)
    return np.asarray(total * np.sqrt(2.0 / n_wave))
