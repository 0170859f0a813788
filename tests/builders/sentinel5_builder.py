"""Sentinel-5 orbits as HARP's ingestion expects them; no real file was at hand to compare with.

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
N_LAYER = 137


@dataclass(frozen=True)
class Orbit:
    """An orbit and what it was made of.

    Attributes
    ----------
    path : Path
    edges : ndarray, shape (scanline, pixel, layer + 1)
        Interfaces [Pa], surface first.
    profile : ndarray, shape (scanline, pixel, layer)
        The a priori that its air mass factors were made with [mol m-2], surface first; the product
        does not hold it.
    sensitivity : ndarray, same shape
        Of the slant column to the layers, surface first.
    is_troposphere : ndarray of bool, same shape
    column, amf : ndarray, shape (scanline, pixel)
        [mol m-2], [1].
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


def build_sentinel5(
    path: Path,
    *,
    shape: tuple[int, int] = (4, 5),
    top_first: bool = True,
    place: str = "data/PRODUCT",
    gas: str = "nitrogen_dioxide",
    leave_out: tuple[str, ...] = (),
    epoch: str = "days since 2020-01-01",
) -> Orbit:
    """Write an orbit over the Po valley.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Scanlines and ground pixels.
    top_first : bool
        Store layers and half levels from the top down, as the product does.
    place : str
        Group of the product.
    gas : str
        Another one makes another product of the satellite.
    leave_out : tuple of str
        Variables not to write.
    epoch : str
        Unit of the time; empty for none.
    """
    rng = np.random.default_rng(5)
    i, j = np.meshgrid(np.arange(shape[0]), np.arange(shape[1]), indexing="ij")
    latitude, longitude = 45.0 + 0.07 * i, 9.0 + 0.1 * j - 0.02 * i
    corners_lat = latitude[..., None] + 0.035 * np.array([-1, -1, 1, 1])
    corners_lon = longitude[..., None] + 0.05 * np.array([-1, 1, 1, -1])
    level = np.linspace(1.0, 0.0, N_LAYER + 1)
    half_b, half_a = level**1.8, 8000.0 * level * (1.0 - level)  # Pa
    surface = 100800.0 - 300.0 * i - 150.0 * j
    edges = half_a + half_b * surface[..., None]
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    tropopause = 21000.0 + 400.0 * i - 250.0 * j
    is_troposphere = middle > tropopause[..., None]
    sensitivity = 0.5 + 2.0 * (1.0 - middle / 1.05e5) + 0.05 * rng.random(middle.shape)
    shape_of = np.diff(-edges, axis=-1) * (0.02 + 3.0 * np.exp(-(1e5 - middle) / 1e4))
    profile = 3e-9 * shape_of * rng.uniform(0.8, 1.2, (*shape, 1))

    def mean(which: np.ndarray) -> np.ndarray:
        return (sensitivity * profile * which).sum(-1) / (profile * which).sum(-1)

    amf, amf_total = mean(is_troposphere), mean(np.ones_like(is_troposphere))
    column = (profile * is_troposphere).sum(-1) * rng.uniform(0.5, 1.5, shape)
    column[0, 0] *= -0.1  # noise: negative columns stay
    day = np.datetime64("2027-06-03T00:00:00", "ms")
    time = day + np.timedelta64(41_400_000, "ms") + 1000 * np.arange(shape[0]).astype("m8[ms]")
    order = slice(None, None, -1) if top_first else slice(None)
    quality = np.full(shape, 90)
    quality[0, 1] = 60
    two, three, corner = (
        ("scanline", "ground_pixel", *rest) for rest in ((), ("layer",), ("corner",))
    )
    mol, pa = {"units": "mol m-2"}, {"units": "Pa"}
    kernel = (sensitivity / amf_total[..., None])[..., order]
    groups = {
        "": {
            "time": (
                (day - np.datetime64("2020-01-01")) / np.timedelta64(1, "D"),
                "f8",
                ("time",),
                {"units": epoch} if epoch else {},
            ),
            "delta_time": (
                (time - day) / np.timedelta64(1, "ms"),
                "f8",
                ("scanline",),
                {"units": "milliseconds"},
            ),
            f"{gas}_tropospheric_column": (column, "f4", two, mol),
            f"{gas}_tropospheric_column_uncertainty": (0.2 * np.abs(column), "f4", two, mol),
            f"{gas}_tropospheric_column_air_mass_factor": (amf, "f4", two, {}),
            f"{gas}_total_column_air_mass_factor": (amf_total, "f4", two, {}),
            f"{gas}_total_column_averaging_kernel": (kernel, "f4", three, {}),
            "qa_value": (quality, "u1", two, {"scale_factor": np.float32(0.01)}),
        },
        "/SUPPORT_DATA/GEOLOCATIONS": {
            "latitude": (latitude, "f4", two, {"units": "degrees_north"}),
            "longitude": (longitude, "f4", two, {"units": "degrees_east"}),
            "latitude_bounds": (corners_lat, "f4", corner, {}),
            "longitude_bounds": (corners_lon, "f4", corner, {}),
            "solar_zenith_angle": (np.full(shape, 40.0), "f4", two, {"units": "degree"}),
        },
        "/SUPPORT_DATA/DETAILED_RESULTS": {
            f"{gas}_stratospheric_column": (np.full(shape, 5e-5), "f4", two, mol),
            f"{gas}_stratospheric_column_air_mass_factor": (
                mean(~is_troposphere),
                "f4",
                two,
                {},
            ),
        },
        "/SUPPORT_DATA/INPUT_DATA": {
            "pressure_coefficient_a": (half_a[order], "f8", ("level",), pa),
            "pressure_coefficient_b": (half_b[order], "f8", ("level",), {"units": "1"}),
            "surface_pressure": (surface, "f4", two, pa),
            "tropopause_pressure": (tropopause, "f4", two, pa),
            "surface_altitude": (np.full(shape, 60.0), "f4", two, {"units": "m"}),
        },
    }
    sizes = {"time": 1, "scanline": shape[0], "ground_pixel": shape[1], "corner": 4}
    sizes |= {"layer": N_LAYER, "level": N_LAYER + 1}
    fills = {"f4": np.float32(FILL), "f8": FILL, "u1": np.uint8(255)}
    with netCDF4.Dataset(path, "w") as file:
        short = "NO2" if gas == "nitrogen_dioxide" else "SO2"
        file.product_name = f"SN5-02-{short}_synthetic"
        file.comment = "synthetic"
        product = file.createGroup(place)
        for name, size in sizes.items():
            product.createDimension(name, size)
        for group, variables in groups.items():
            for name, (values, kind, dimensions, attributes) in variables.items():
                if name in leave_out:
                    continue
                item = file.createVariable(
                    f"{place}{group}/{name}",
                    kind,
                    dimensions,
                    zlib=len(dimensions) == 3,
                    fill_value=fills[kind],
                )
                item.set_auto_maskandscale(False)
                item[:] = np.reshape(values, item.shape)
                item.setncatts(attributes)
    return Orbit(path, edges, profile, sensitivity, is_troposphere, column, amf, time)
