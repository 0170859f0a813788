"""Position of the sun, good to a few tenths of a degree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOLAR_CONSTANT = 1361.0
"""Irradiance at the mean distance of the sun [W m-2]."""


def day_angle(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Angle of the day in the year [rad]: 0 on 1 January, 00 UTC."""
    times = times.astype("datetime64[s]")
    start = times.astype("datetime64[Y]").astype("datetime64[s]")
    return np.asarray((times - start) / np.timedelta64(1, "D") * (2.0 * np.pi / 365.25))


def cos_zenith(
    times: NDArray[np.datetime64],
    longitude: NDArray[np.floating],
    latitude: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Cosine of the solar zenith angle, negative at night (Spencer 1971).

    Parameters
    ----------
    times : ndarray of datetime64, shape (n_time,)
        UTC.
    longitude, latitude : ndarray, any shape S
        Places [degree].

    Returns
    -------
    ndarray of float32, shape (n_time, *S)
    """
    angle = day_angle(times)
    declination = (
        0.006918
        - 0.399912 * np.cos(angle)
        + 0.070257 * np.sin(angle)
        - 0.006758 * np.cos(2 * angle)
        + 0.000907 * np.sin(2 * angle)
    )
    equation = 229.18 * (
        0.000075
        + 0.001868 * np.cos(angle)
        - 0.032077 * np.sin(angle)
        - 0.014615 * np.cos(2 * angle)
        - 0.040849 * np.sin(2 * angle)
    )
    seconds = (times.astype("datetime64[s]") - times.astype("datetime64[D]")) / np.timedelta64(
        1, "s"
    )
    minutes = seconds / 60.0 + equation
    column = (slice(None),) + (None,) * np.ndim(longitude)
    hour_angle = np.deg2rad((minutes[column] - 720.0) / 4.0 + longitude[None])
    phi = np.deg2rad(latitude)[None]
    cosine = np.sin(phi) * np.sin(declination)[column] + np.cos(phi) * np.cos(declination)[
        column
    ] * np.cos(hour_angle)
    return np.asarray(cosine, np.float32)


def clear_sky_radiation(cosine: NDArray[np.floating]) -> NDArray[np.float32]:
    """Downward solar radiation at the ground under a clear sky [W m-2] (Haurwitz 1945)."""
    mu = np.maximum(cosine, 1e-3)
    flux = 0.82 * SOLAR_CONSTANT * mu * np.exp(-0.057 / mu)
    return np.where(cosine > 1e-3, flux, 0.0).astype(np.float32)
