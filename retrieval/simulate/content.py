"""What a simulated file says besides the retrieval: ground, clouds, satellite, identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.simulate.l2_file.content import L2Content
from retrieval.simulate.light.forward import CLOUD_ALBEDO
from retrieval.simulate.swath import SATELLITE_ALTITUDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.simulate.l2_file.layout import Variant
    from retrieval.simulate.scene import SurfaceScene
    from retrieval.simulate.swath import Swath
    from retrieval.typing import Float

PROCESSING_DELAY = np.timedelta64(8, "D")
"""Time from the end of the orbit to the creation of the file."""


def scene_variables(scene: SurfaceScene) -> dict[str, NDArray[Any]]:
    """Ground and cloud by the names of the file's input data and cloud groups."""
    shape = scene.surface_altitude.shape
    cloud = {
        "cloud_fraction_crb": scene.cloud_fraction,
        "cloud_pressure_crb": scene.cloud_pressure,
        "cloud_albedo_crb": np.full(shape, CLOUD_ALBEDO),
        "scene_albedo": scene.scene_albedo,
        "apparent_scene_pressure": scene.scene_pressure,
        "surface_albedo": scene.surface_albedo,
    }
    found: dict[str, NDArray[Any]] = dict(cloud)
    for prefix in ("o22cld", "fresco"):
        found |= {f"{prefix}_{name}": values for name, values in cloud.items()}
    return found | {
        "surface_altitude": scene.surface_altitude,
        "surface_altitude_precision": np.full(shape, 20.0),
        "surface_pressure": scene.surface_pressure,
        "surface_albedo_nitrogendioxide_window": scene.surface_albedo,
        "surface_classification": scene.is_ocean.astype(np.uint8),
        "cloud_fraction_crb_nitrogendioxide_window": scene.cloud_fraction,
        "snow_ice_flag": scene.snow_ice_flag,
        "eastward_wind": scene.eastward_wind,
        "northward_wind": scene.northward_wind,
        "aerosol_index_354_388": scene.aerosol_index,
    }


def satellite_variables(swath: Swath) -> dict[str, Float]:
    """Return the position of the satellite at each scanline."""
    return {
        "satellite_latitude": swath.satellite_latitude,
        "satellite_longitude": swath.satellite_longitude,
        "satellite_altitude": np.full(swath.shape[0], SATELLITE_ALTITUDE),
        "satellite_orbit_phase": swath.satellite_orbit_phase,
    }


def orbit_content(
    variables: dict[str, NDArray[Any]],
    swath: Swath,
    variant: Variant,
    model_files: tuple[str, ...],
    comment: str,
) -> L2Content:
    """Put variables and identity of an orbit together for the writer.

    Parameters
    ----------
    variables : dict of str to ndarray
        By the product's names.
    swath : Swath
        Orbit number, times, indices.
    variant : Variant
        The delivery; the name of a near-real-time granule gives its own times.
    model_files : tuple of str
        Names of the a-priori files, for the lineage.
    comment : str
        Global attribute.
    """
    crosses = crosses_equator(swath)
    window = (swath.time[0], swath.time[-1]) if variant.is_granule else swath.window
    return L2Content(
        variables=variables,
        scanline_time=swath.time,
        orbit=swath.orbit,
        scanline=swath.scanline,
        ground_pixel=np.arange(swath.shape[1]),
        window=window,
        created=swath.window[1] + PROCESSING_DELAY,
        resolution=swath.resolution,
        auxiliary_files={"Auxiliary CTM AUX_CTMANA model data": model_files},
        equator_crossing=swath.equator_crossing if crosses else None,
        attributes={"comment": comment},
    )


def crosses_equator(swath: Swath) -> bool:
    """Tell whether the nadir track crosses the equator northward inside of the swath."""
    latitude = swath.satellite_latitude
    return bool(((latitude[:-1] < 0) & (latitude[1:] >= 0)).any())
