"""QA4ECV orbits true to structure: groups, names and units as HARP's ingestion knows them.

The numbers are made here, from a state that is known, with names of their own: nothing is taken
from the reader that the tests hold against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import netCDF4
import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

FILL = 9.96921e36
N_LAYER = 14


@dataclass(frozen=True)
class Orbit:
    """An orbit and what it was made of.

    Attributes
    ----------
    path : Path
    edges : ndarray, shape (scanline, pixel, layer + 1)
        Interfaces [Pa], surface first.
    profile : ndarray, shape (scanline, pixel, layer)
        The a priori that its air mass factors were made with [molecules cm-2], surface first; the
        product does not hold it.
    sensitivity : ndarray, same shape
        Of the slant column to the layers, surface first.
    is_troposphere : ndarray of bool, same shape
    column, amf : ndarray, shape (scanline, pixel)
        [molecules cm-2], [1].
    time : ndarray of datetime64[ms], shape (scanline,)
        UTC.
    """

    path: Path
    edges: np.ndarray
    profile: np.ndarray
    sensitivity: np.ndarray
    is_troposphere: np.ndarray
    column: np.ndarray
    amf: np.ndarray
    time: np.ndarray


def build_qa4ecv(
    path: Path,
    *,
    shape: tuple[int, int] = (4, 5),
    top_first: bool = False,
    units: str = "molecules cm-2",
    per_unit: float = 1.0,
    leave_out: tuple[str, ...] = (),
    gas: str = "no2",
) -> Orbit:
    """Write an orbit over the Netherlands.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Scanlines and ground pixels.
    top_first : bool
        Store layers from the top down.
    units, per_unit
        Of columns, and how many molecules cm-2 one of them is.
    leave_out : tuple of str
        Variables not to write.
    gas : str
        `hcho` writes another product of the project.
    """
    rng = np.random.default_rng(11)
    i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    latitude, longitude = 51.5 + 0.12 * i, 4.0 + 0.3 * j - 0.03 * i
    corners_lat = latitude[..., None] + 0.06 * np.array([-1, -1, 1, 1])
    corners_lon = longitude[..., None] + 0.15 * np.array([-1, 1, 1, -1])
    level = np.linspace(1.0, 0.0, N_LAYER + 1)
    half_b, half_a = level**1.6, 7000.0 * level * (1.0 - level)  # Pa
    surface = 1012.0 - 3.0 * i - 2.0 * j  # hPa
    edges = half_a + half_b * 100.0 * surface[..., None]
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    last = 8 + (i + j) % 3
    number = np.arange(N_LAYER)
    is_troposphere = number <= last[..., None]
    sensitivity = 0.5 + 2.0 * (1.0 - middle / 1.05e5) + 0.05 * rng.random(middle.shape)
    profile = (
        2e15 * (0.05 + 3.0 * np.exp(-(1e5 - middle) / 1e4)) * rng.uniform(0.8, 1.2, (*shape, 1))
    )

    def mean(which: np.ndarray) -> np.ndarray:
        return (sensitivity * profile * which).sum(-1) / (profile * which).sum(-1)

    amf, amf_total = mean(is_troposphere), mean(np.ones_like(is_troposphere))
    column = (profile * is_troposphere).sum(-1) * rng.uniform(0.5, 1.5, shape)
    column[0, 0] *= -0.1  # noise: negative columns stay
    day = np.datetime64("2015-06-03T00:00:00", "ms")
    time = day + np.timedelta64(45_000_000, "ms") + 2000 * np.arange(shape[0]).astype("m8[ms]")
    order = slice(None, None, -1) if top_first else slice(None)
    pair = [np.stack([half[:-1], half[1:]], axis=1)[order] for half in (half_a, half_b)]
    error, snow, sun = np.zeros(shape), np.zeros(shape), np.full(shape, 40.0)
    cloud, view = np.full(shape, 0.2), np.full(shape, 20.0)
    error[0, 1], sun[0, 2], snow[0, 3], snow[0, 4], cloud[1, 0] = 1, 81.0, 60, 255, 0.6
    view[1, 1] = 88.0  # geometric air mass factor of 30: amf_trop is less than a fifth
    two = ("time", "scanline", "ground_pixel")
    three, corner = (*two, "layer"), (*two, "corner")
    per_area, angle = {"units": units}, {"units": "degree"}
    v, index = f"{gas}_vertical_column", N_LAYER - 1 - last if top_first else last
    groups = {
        "PRODUCT": {
            "latitude": (latitude, "f4", two, {"units": "degrees_north"}),
            "longitude": (longitude, "f4", two, {"units": "degrees_east"}),
            "time": (
                (day - np.datetime64("1995-01-01")) / np.timedelta64(1, "s"),
                "f8",
                two[:1],
                {"units": "seconds since 1995-01-01 00:00:00"},
            ),
            "delta_time": (
                (time - day) / np.timedelta64(1, "ms"),
                "i4",
                two[:2],
                {"units": "milliseconds"},
            ),
            "processing_error_flag": (error, "u1", two, {}),
            f"tropospheric_{v}": (column / per_unit, "f4", two, per_area),
            f"tropospheric_{v}_uncertainty": (
                0.2 * np.abs(column) / per_unit,
                "f4",
                two,
                per_area,
            ),
            "amf_trop": (amf, "f4", two, {}),
            "amf_total": (amf_total, "f4", two, {}),
            "averaging_kernel": (
                (sensitivity / amf_total[..., None])[..., order],
                "f4",
                three,
                {},
            ),
            "tm5_pressure_level_a": (pair[0], "f4", ("layer", "nv"), {"units": "Pa"}),
            "tm5_pressure_level_b": (pair[1], "f4", ("layer", "nv"), {"units": "1"}),
            "tm5_surface_pressure": (surface, "f4", two, {"units": "hPa"}),
            "tm5_tropopause_layer_index": (index, "i4", two, {}),
        },
        "PRODUCT/SUPPORT_DATA/GEOLOCATIONS": {
            "latitude_bounds": (corners_lat, "f4", corner, {}),
            "longitude_bounds": (corners_lon, "f4", corner, {}),
            "solar_zenith_angle": (sun, "f4", two, angle),
            "viewing_zenith_angle": (view, "f4", two, angle),
        },
        "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS": {
            f"stratospheric_{v}": (np.full(shape, 3e15) / per_unit, "f4", two, per_area),
            "amf_strat": (mean(~is_troposphere), "f4", two, {}),
            "cloud_radiance_fraction_no2": (cloud, "f4", two, {"units": "1"}),
        },
        "PRODUCT/SUPPORT_DATA/INPUT_DATA": {
            "snow_ice_flag": (snow, "u1", two, {}),
            "surface_pressure": (surface - 1.0, "f4", two, {"units": "hPa"}),  # not the layers'
            "surface_altitude": (np.full(shape, 3.0), "f4", two, {"units": "m"}),
        },
    }
    sizes = dict(zip(two, (1, *shape), strict=True)) | {"layer": N_LAYER, "corner": 4, "nv": 2}
    fills = {"f4": np.float32(FILL), "f8": FILL, "i4": np.int32(-2147483647), "u1": np.uint8(255)}
    with netCDF4.Dataset(path, "w") as file:
        file.title = f"QA4ECV {gas.upper()} OMI Level 2"
        file.comment = "synthetic"
        product = file.createGroup("PRODUCT")
        for name, size in sizes.items():
            product.createDimension(name, size)
        for name in ("scanline", "ground_pixel", "layer"):
            product.createVariable(name, "i4", (name,))[:] = np.arange(sizes[name])
        for group, variables in groups.items():
            for name, (values, kind, dimensions, attributes) in variables.items():
                if name in leave_out:
                    continue
                item = file.createVariable(
                    f"{group}/{name}",
                    kind,
                    dimensions,
                    zlib=len(dimensions) == 4,
                    fill_value=fills[kind],
                )
                item.set_auto_maskandscale(False)
                item[:] = np.reshape(values, item.shape)
                item.setncatts(attributes)
    return Orbit(path, edges, profile, sensitivity, is_troposphere, column, amf, time)
