"""Position of the sun, good to 0.02 degree from 1950 to 2050.

The low-precision formulae of the Astronomical Almanac (section C, "Low precision formulas for the
Sun"), without refraction and parallax.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

J2000 = np.datetime64("2000-01-01T12:00:00", "ms")


def solar_position(times: NDArray[np.datetime64]) -> tuple[Float, Float]:
    """Declination and Greenwich hour angle of the sun.

    Parameters
    ----------
    times : ndarray of datetime64[ms]
        UTC, any shape.

    Returns
    -------
    declination, hour_angle : ndarray, shape of `times`
        [degree]; the hour angle grows to the west and is 0 when the sun is over Greenwich.

    Examples
    --------
    >>> dec, hour = solar_position(np.array(["2023-06-21T12:00:00"], dtype="datetime64[ms]"))
    >>> round(float(dec[0]), 2), round(float(hour[0]), 2)
    (23.44, -0.44)
    """
    days = (times - J2000) / np.timedelta64(86_400_000, "ms")
    anomaly = np.deg2rad((357.529 + 0.98560028 * days) % 360.0)
    mean_longitude = 280.459 + 0.98564736 * days
    longitude = np.deg2rad(
        (mean_longitude + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly)) % 360.0
    )
    obliquity = np.deg2rad(23.439 - 3.6e-7 * days)
    declination = np.arcsin(np.sin(obliquity) * np.sin(longitude))
    right_ascension = np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude))
    sidereal = 280.46061837 + 360.98564736629 * days
    hour_angle = (sidereal - np.rad2deg(right_ascension) + 180.0) % 360.0 - 180.0
    return np.rad2deg(declination), np.asarray(hour_angle)


def solar_angles(
    times: NDArray[np.datetime64], latitude: Float, longitude: Float
) -> tuple[Float, Float]:
    """Solar zenith and azimuth angle at places and times.

    Parameters
    ----------
    times : ndarray of datetime64[ms]
        UTC; broadcasts against the places.
    latitude, longitude : ndarray
        [degree].

    Returns
    -------
    zenith, azimuth : ndarray
        [degree]; azimuth clockwise from north, -180 to 180.

    Examples
    --------
    On 21 June at noon the sun is 23.44 degree from the zenith of the equator, in the north.

    >>> time = np.array(["2023-06-21T12:02"], dtype="datetime64[ms]")
    >>> [angle.round(1).tolist() for angle in solar_angles(time, np.array([0.0]), np.array([0.0]))]
    [[23.4], [-0.1]]
    """
    declination, greenwich = solar_position(times)
    hour = np.deg2rad(greenwich + longitude)
    lat, dec = np.deg2rad(latitude), np.deg2rad(declination)
    cosine = np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(hour)
    azimuth = np.arctan2(
        -np.cos(dec) * np.sin(hour),
        np.cos(lat) * np.sin(dec) - np.sin(lat) * np.cos(dec) * np.cos(hour),
    )
    return np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))), np.rad2deg(azimuth)
