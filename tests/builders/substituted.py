"""A small orbit with the result of a substitution, by the definitions written out once more.

The writer's tests need fields that satisfy the equations; they are computed here
in plain numpy from what the orbit builder stored, independently of the package.
"""

from __future__ import annotations

import numpy as np

from retrieval.files.provenance import InputFile, Provenance
from retrieval.l2.names import TROPOMI as NAMES
from retrieval.l2.pixels import Crop
from retrieval.l2.product.table import ProductTable, SetTable
from tests.builders.orbit_builder import Orbit

PROVENANCE = Provenance(
    command="dacno2-s5p reretrieve orbit.nc -a dacno2=profiles",
    created="2026-01-02T03:04:05Z",
    versions={"dacno2-s5p": "0.1.0", "h5py": "3.16.0"},
    inputs=(InputFile("orbit.nc", "orbit", "00ff"), InputFile("profiles.nc", "DACNO2", "11ee")),
    options={"above": "constant-vmr", "bbox": None},
)


def partial_columns(orbit: Orbit, scale_surface: float = 1.0) -> np.ndarray:
    """Return the true profile with its lowest three layers scaled."""
    x = orbit.true_partial_column.copy()
    x[..., :3] *= scale_surface
    return x


def substituted(
    orbit: Orbit,
    names: tuple[str, ...] = ("DACNO2", "CAMS"),
    crop: Crop | None = None,
    *,
    stratosphere: bool = True,
    layers: bool = False,
) -> ProductTable:
    """Return the substitution of profiles that differ in their lowest layers, one per name."""
    sets = [
        _one_set(orbit, name, partial_columns(orbit, 1.0 + 0.8 * i), stratosphere, layers)
        for i, name in enumerate(names)
    ]
    changes = {
        (item.name, "TM5"): _percent(
            orbit.arrays["air_mass_factor_troposphere"], item.air_mass_factor_troposphere
        )
        for item in sets
    }
    for item in sets[1:]:
        changes[sets[0].name, item.name] = _percent(
            item.air_mass_factor_troposphere, sets[0].air_mass_factor_troposphere
        )
    tm5 = _float(orbit.apriori_tropospheric_column) if stratosphere else None
    result = ProductTable(NAMES, sets, tm5, changes, {"tropopause": "inclusive"})
    return result if crop is None else cropped(result, crop)


def cropped(result: ProductTable, crop: Crop) -> ProductTable:
    """Return the result on the pixels of a crop."""
    part = (crop.scanline, crop.ground_pixel)

    def cut(value: object) -> object:
        return value[part] if isinstance(value, np.ndarray) else value

    sets = [SetTable(**{key: cut(value) for key, value in vars(s).items()}) for s in result.sets]
    changes = {key: value[part] for key, value in result.relative_change.items()}
    tm5 = result.apriori_tropospheric_column_tm5
    return ProductTable(NAMES, sets, None if tm5 is None else tm5[part], changes, result.attributes)


def _one_set(orbit: Orbit, name: str, x: np.ndarray, stratosphere: bool, layers: bool) -> SetTable:
    arrays = orbit.arrays
    index = arrays["tm5_tropopause_layer_index"]
    has_index = index >= 0
    troposphere = np.arange(x.shape[-1]) <= np.where(has_index, index, -1)[..., np.newaxis]
    x = np.where(troposphere, x, 0.0)
    kernel, total = arrays["averaging_kernel"], arrays["air_mass_factor_total"]
    slant = (kernel * x).sum(-1) * total
    apriori = np.where(has_index, x.sum(-1), np.nan)
    amf = slant / apriori
    old_amf = arrays["air_mass_factor_troposphere"]
    ratio = old_amf / amf
    column = arrays["nitrogendioxide_tropospheric_column"] * ratio
    sigma = arrays["nitrogendioxide_tropospheric_column_precision_kernel"] * ratio
    total_amf = summed = None
    if stratosphere:
        strat = arrays["nitrogendioxide_stratospheric_column"]
        slant_strat = arrays["air_mass_factor_stratosphere"] * strat
        total_amf = _float((slant + slant_strat) / (apriori + strat))
        summed = _float(column + strat)
    flag = np.where(np.isfinite(column), 0, np.where(np.isfinite(amf), 9, 1))
    kernel_trop = np.where(troposphere, kernel * (total / amf)[..., np.newaxis], 0.0)
    return SetTable(
        name=name,
        tropospheric_column=_float(column),
        tropospheric_column_precision=_float(np.hypot(sigma, 0.1 * column)),
        tropospheric_column_precision_kernel=_float(sigma),
        summed_total_column=summed,
        air_mass_factor_troposphere=_float(amf),
        air_mass_factor_total=total_amf,
        apriori_tropospheric_column=_float(apriori),
        apriori_tropospheric_column_kernel=_float(slant / old_amf),
        apriori_fraction_above_top=_float(np.full(amf.shape, 0.25)),
        footprint_coverage=_float(np.ones(amf.shape)),
        substitution_flag=flag.astype(np.uint8),
        substitution_warning=np.zeros(amf.shape, dtype=np.uint8),
        averaging_kernel_troposphere=_float(kernel_trop) if layers else None,
        apriori_partial_column=_float(np.where(troposphere, x, np.nan)) if layers else None,
        attributes={"kind": "profiles of a test", "profile_error_source": "spread of sets"},
    )


def _percent(reference: np.ndarray, new: np.ndarray) -> np.ndarray:
    return _float(100.0 * (reference / new - 1.0))


def _float(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float32)
