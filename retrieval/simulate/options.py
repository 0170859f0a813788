"""The choices of a simulation, and what they make of pixels: failures, flags, quality values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.l2.quality import ErrorCode, QaInputs, WarningBit, is_snow_or_ice, qa_percent
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.simulate.l2_file.layout import Variant
    from retrieval.simulate.scene import SurfaceScene
    from retrieval.typing import Float

POLYGON, SUPER_GAUSSIAN = "polygon", "super-gaussian"
STANDARD, MODEL = "standard", "model"

MAX_SOLAR_ZENITH = 88.0
"""Retrievals are tried up to this angle (`processing.szaMax`) [degree]."""

GLINT_ANGLE = 18.0
"""Distance from the mirror direction within which water may glint [degree]."""


@dataclass(frozen=True)
class Failures:
    """How often things go wrong; defaults follow the counters of a real orbit.

    Attributes
    ----------
    cloud, generic, saturation : float
        Share of pixels with a cloud error, a range error, saturation (bright clouds only).
    missing_input : float
        Share of pixels with the warning that input was missing.
    dead_rows : tuple of int
        Ground pixels without any retrieval.
    missing_scanlines : float
        Share of scanlines without any retrieval.
    edges : bool
        The tropopause index of the first ground pixel is fill, that of the last one 0.
    """

    cloud: float = 0.008
    generic: float = 0.002
    saturation: float = 0.02
    missing_input: float = 0.01
    dead_rows: tuple[int, ...] = (13,)
    missing_scanlines: float = 0.004
    edges: bool = True

    @classmethod
    def none(cls) -> Failures:
        """Return no failures but those of the geometry."""
        return cls(0.0, 0.0, 0.0, 0.0, (), 0.0, edges=False)


@dataclass(frozen=True)
class SimulationOptions:
    """Choices of a simulation.

    Attributes
    ----------
    slant_noise : float
        Standard deviation of the slant column [mol m-2]; 0.55e15 molec cm-2 by default, 0 switches
        it off (the precisions in the file stay).
    stratosphere_error : float
        Standard deviation of a smooth error of the assimilated stratosphere [mol m-2].
    response : {"polygon", "super-gaussian"}
        How a pixel weighs the truth under it.
    heights : {"standard", "model"}
        Atmosphere that tells the heights of layers: the standard one, as the retrieval takes it
        without meteorology, or the model's temperatures, as with them. The same choice in both
        makes the retrieval exact.
    failures : Failures
        Rates of failed pixels, dead rows, missing scanlines; `Failures.none()` for none.
    seed : int
        Of noise, failures and the stratosphere's error, together with the orbit number.
    block : int
        Scanlines computed at once; bounds memory, changes nothing else.
    keep_profiles : bool
        Keep the true and the a-priori partial columns and temperatures in memory (for tests,
        figures, and files of other products).

    Raises
    ------
    ValueError
        If a choice is unknown.
    """

    slant_noise: float = 0.55e15 / MOLEC_CM2_PER_MOL_M2
    stratosphere_error: float = 0.0
    response: str = POLYGON
    heights: str = STANDARD
    failures: Failures = field(default_factory=Failures)
    seed: int = 0
    block: int = 64
    keep_profiles: bool = False

    def __post_init__(self) -> None:
        for name, allowed in (
            ("response", (POLYGON, SUPER_GAUSSIAN)),
            ("heights", (STANDARD, MODEL)),
        ):
            if getattr(self, name) not in allowed:
                msg = (
                    f"Invalid {name}. It must be one of {', '.join(allowed)}. "
                    f"Given {getattr(self, name)!r}. Choose one of them."
                )
                raise ValueError(msg)


def failure_codes(
    failures: Failures, solar_zenith: Float, scene: SurfaceScene, rng: np.random.Generator
) -> NDArray[np.uint32]:
    """Draw the error code of every pixel; 0 where the retrieval succeeds.

    Parameters
    ----------
    failures : Failures
        Rates.
    solar_zenith : ndarray, shape (scanline, ground_pixel)
        [degree].
    scene : SurfaceScene
        For the bright clouds.
    rng : Generator
        Source of chance.
    """
    shape = solar_zenith.shape
    chance = rng.random(shape)
    code = np.zeros(shape, dtype=np.uint32)
    code[chance < failures.cloud] = ErrorCode.CLOUD
    code[chance > 1.0 - failures.generic] = ErrorCode.GENERIC_RANGE
    is_bright = scene.cloud_fraction > 0.95
    code[is_bright & (rng.random(shape) < failures.saturation)] = ErrorCode.SATURATION
    rows = [r for r in failures.dead_rows if r < shape[1]]
    code[:, rows] = ErrorCode.GENERIC_RANGE
    code[rng.random(shape[0]) < failures.missing_scanlines] = ErrorCode.GENERIC_RANGE
    code[solar_zenith > MAX_SOLAR_ZENITH] = ErrorCode.SZA_RANGE
    return code


def quality(
    found: dict[str, NDArray[Any]],
    scene: SurfaceScene,
    code: NDArray[np.uint32],
    amf_ratio: Float,
    missing_input: float,
    variant: Variant,
    rng: np.random.Generator,
) -> dict[str, NDArray[Any]]:
    """Return flags and `qa_value` of all pixels, from what the file itself says of them.

    Parameters
    ----------
    found : dict of str to ndarray
        The file's variables.
    scene : SurfaceScene
        Ground and clouds.
    code : ndarray of uint32
        Error codes.
    amf_ratio : ndarray
        M_trop over the geometric air mass factor.
    missing_input : float
        Share of pixels with the warning that input was missing.
    variant : Variant
        The processor.
    rng : Generator
        Source of chance.
    """
    glint = scene.is_ocean & (_mirror_angle(found) < GLINT_ANGLE)
    is_snow = is_snow_or_ice(scene.snow_ice_flag)
    warnings = np.where(glint, int(WarningBit.SUN_GLINT), 0)
    warnings |= np.where(is_snow, int(WarningBit.SNOW_ICE), 0)
    lacks = rng.random(code.shape) < missing_input
    warnings |= np.where(lacks, int(WarningBit.PIXEL_LEVEL_INPUT_DATA_MISSING), 0)
    flags = code | warnings.astype(np.uint32)
    no2 = "nitrogendioxide"
    nothing = np.full(code.shape, np.nan)
    qa = qa_percent(
        QaInputs(
            processing_quality_flags=flags,
            cloud_radiance_fraction=found.get(f"cloud_radiance_fraction_{no2}_window", nothing),
            snow_ice_flag=scene.snow_ice_flag,
            scene_pressure=scene.scene_pressure,
            surface_pressure=scene.surface_pressure,
            surface_albedo=scene.surface_albedo,
            solar_zenith_angle=found["solar_zenith_angle"],
            slant_column_precision=found.get(f"{no2}_slant_column_density_precision", nothing),
            amf_ratio=amf_ratio,
            has_scene_mode=variant.version >= (2, 2),
        )
    )
    column = found.get(f"{no2}_tropospheric_column", nothing)
    qa = np.where(np.isfinite(column), qa, 0).astype(np.uint8)
    return {
        "processing_quality_flags": flags,
        "qa_value": qa,
        "geolocation_flags": _geolocation_flags(found, glint),
    }


def _mirror_angle(found: dict[str, NDArray[Any]]) -> Float:
    """Angle between the line of sight and the mirror image of the sun in flat water [degree]."""
    sun, view = (np.deg2rad(found[f"{n}_zenith_angle"]) for n in ("solar", "viewing"))
    turn = np.deg2rad(found["solar_azimuth_angle"] - found["viewing_azimuth_angle"])
    cosine = np.cos(sun) * np.cos(view) - np.sin(sun) * np.sin(view) * np.cos(turn)
    return np.asarray(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))


def _geolocation_flags(
    found: dict[str, NDArray[Any]], glint: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Bits: 2 sun glint possible, 4 descending, 8 night, 16 across the antimeridian."""
    bounds = found["longitude_bounds"]
    latitude = found["satellite_latitude"]
    is_descending = np.gradient(latitude) < 0 if latitude.size > 1 else np.zeros(1, dtype=bool)
    flags = np.where(glint, 2, 0)
    flags |= np.where(is_descending, 4, 0)[:, None]
    flags |= np.where(found["solar_zenith_angle"] > 90.0, 8, 0)
    flags |= np.where(bounds.max(axis=-1) - bounds.min(axis=-1) > 180.0, 16, 0)
    return flags.astype(np.uint8)
