"""TEMPO granules true to structure: names, groups, types, fills, units of a real V03 header.

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

FILL = -1e30
AVOGADRO = 6.02214076e23
N_LAYER = 12
GPS_MINUS_UTC = 18
"""Seconds, since 2017."""


@dataclass(frozen=True)
class Granule:
    """A granule and what it was made of.

    Attributes
    ----------
    path : Path
    edges : ndarray, shape (m, x, layer + 1)
        Interfaces [Pa], surface first.
    profile : ndarray, shape (m, x, layer)
        The file's own a priori [molecules cm-2], surface first.
    sensitivity : ndarray, same shape
        Scattering weights with the temperature factor, surface first.
    is_troposphere : ndarray of bool, same shape
    column, amf : ndarray, shape (m, x)
        [molecules cm-2], [1].
    time : ndarray of datetime64[ms], shape (m,)
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


def build_tempo(
    path: Path,
    *,
    shape: tuple[int, int] = (5, 6),
    top_first: bool = False,
    epoch: str = "1980-01-06T00:00:00Z",
    leaps: int = GPS_MINUS_UTC,
    leave_out: tuple[str, ...] = (),
    masked: bool = False,
    tropopause_at: float = 180.0,
) -> Granule:
    """Write a granule over New York.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Mirror steps and pixels.
    top_first : bool
        Store layers from the top down, interfaces too.
    epoch, leaps
        Of the time, and the leap seconds since it.
    leave_out : tuple of str
        Variables not to write.
    masked : bool
        Whether every measurement is missing, as in granules of an empty subset.
    tropopause_at : float
        Pressure of the tropopause at the first pixel [hPa].
    """
    rng = np.random.default_rng(7)
    m, x = shape
    i, j = np.meshgrid(np.arange(m), np.arange(x), indexing="ij")
    latitude = 41.5 - 0.02 * j
    longitude = -73.0 - 0.045 * i - 0.01 * j
    south, north, west, east = -0.01, 0.01, -0.0225, 0.0225
    lat_bounds = latitude[..., None] + np.array([south, south, north, north])
    lon_bounds = longitude[..., None] + np.array([west, east, east, west])
    eta_b = np.linspace(1.0, 0.0, N_LAYER + 1) ** 1.5
    eta_a = 60.0 * np.sin(np.linspace(0.0, np.pi, N_LAYER + 1)) + np.linspace(0, 0.01, N_LAYER + 1)
    surface = 1013.0 - 2.0 * j - 3.0 * i  # hPa
    edges = 100.0 * (eta_a + eta_b * surface[..., None])
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    tropopause = tropopause_at + 2.0 * i + j  # hPa
    is_troposphere = middle > 100.0 * tropopause[..., None]
    temperature = 190.0 + 100.0 * (middle / 1e5) ** 0.5
    weights = 0.4 + 1.8 * (1.0 - middle / 1.05e5) + 0.05 * rng.random(middle.shape)
    d = temperature - 220.0
    sensitivity = weights * (1.0 - 0.00316 * d + 3.39e-6 * d * d)
    profile = (
        1e15 * (0.05 + 4.0 * np.exp(-(1e5 - middle) / 1e4)) * (1 + 0.1 * rng.random((m, x, 1)))
    )

    def amf_of(which: np.ndarray) -> np.ndarray:
        return (sensitivity * profile * which).sum(-1) / (profile * which).sum(-1)

    amf = amf_of(is_troposphere)
    column = profile.sum(-1) * rng.uniform(0.5, 1.5, shape)
    column[0, 0] *= -0.1  # noise: negative columns stay
    time = np.datetime64("2024-06-01T15:00:00", "ms") + 500 * np.arange(m) * np.timedelta64(6, "ms")
    base = np.datetime64(epoch.rstrip("Z"), "ms")
    seconds = (time - base) / np.timedelta64(1, "s") + leaps
    order = slice(None, None, -1) if top_first else slice(None)
    flags = np.zeros(shape, dtype="i2")
    flags[1, 1], flags[1, 2] = 1, 2
    cloud = np.full(shape, 0.1)
    cloud[2, 2] = 0.4
    two, three = ("mirror_step", "xtrack"), ("mirror_step", "xtrack", "swt_level")
    corner = (*two, "corner")
    molec = {"units": "molecules/cm^2"}
    eta = {"units": "hPa", "Eta_A": eta_a[order].astype("f4"), "Eta_B": eta_b[order].astype("f4")}
    content = {
        "geolocation": {
            "time": (seconds, "f8", two[:1], {"units": f"seconds since {epoch}"}),
            "latitude": (latitude, "f4", two, {"units": "degrees_north"}),
            "longitude": (longitude, "f4", two, {"units": "degrees_east"}),
            "latitude_bounds": (lat_bounds, "f4", corner, {}),
            "longitude_bounds": (lon_bounds, "f4", corner, {}),
            "solar_zenith_angle": (np.full(shape, 35.0), "f4", two, {"units": "degrees"}),
        },
        "product": {
            "main_data_quality_flag": (flags, "i2", two, {}),
            "vertical_column_troposphere": (column, "f8", two, molec),
            "vertical_column_troposphere_uncertainty": (0.2 * np.abs(column), "f8", two, molec),
            "vertical_column_stratosphere": (np.full(shape, 3e15), "f8", two, molec),
        },
        "support_data": {
            "vertical_column_total": (column + 3e15, "f8", two, molec),
            "surface_pressure": (surface, "f4", two, eta),
            "tropopause_pressure": (tropopause, "f4", two, {"units": "hPa"}),
            "terrain_height": (np.full(shape, 50), "i2", two, {"units": "m"}),
            "scattering_weights": (weights[..., order], "f4", three, {}),
            "gas_profile": (profile[..., order], "f4", three, molec),
            "temperature_profile": (temperature[..., order], "f4", three, {"units": "K"}),
            "amf_total": (amf_of(np.ones_like(is_troposphere)), "f4", two, {}),
            "amf_troposphere": (amf, "f4", two, {}),
            "amf_stratosphere": (amf_of(~is_troposphere), "f4", two, {}),
            "amf_diagnostic_flag": (np.ones(shape, "i2"), "i2", two, {}),
            "amf_cloud_fraction": (2.0 * cloud, "f4", two, {}),
            "eff_cloud_fraction": (cloud, "f4", two, {}),
        },
    }
    fills = {"i2": np.int16(-9999), "f4": np.float32(FILL), "f8": np.float64(FILL)}
    with netCDF4.Dataset(path, "w") as file:
        file.title = "TEMPO Level 2 nitrogen dioxide product"
        file.collection_shortname = "TEMPO_NO2_L2"
        file.comment = "synthetic"
        sizes = {"mirror_step": m, "xtrack": x, "corner": 4, "swt_level": N_LAYER}
        for name, size in sizes.items():
            file.createDimension(name, size)
        for name in two:
            file.createVariable(name, "f8", (name,))[:] = np.arange(sizes[name]) + 10.0
        for group, variables in content.items():
            for name, (values, kind, dimensions, attributes) in variables.items():
                if name in leave_out:
                    continue
                item = file.createVariable(
                    f"{group}/{name}", kind, dimensions, zlib=len(dimensions) == 3,
                    shuffle=True, fill_value=fills[kind],
                )  # fmt: skip
                item.set_auto_maskandscale(False)
                item[:] = np.full_like(values, fills[kind]) if masked else values
                item.setncatts(attributes)
    return Granule(path, edges, profile, sensitivity, is_troposphere, column, amf, time)
