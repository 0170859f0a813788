"""Where TROPOMI looks: orbits of Sentinel-5P, their pixels, corners, times and angles.

The satellite flies a circular, sun-synchronous orbit with the repeat cycle of the real one (227
orbits in 16 days, ascending node at 13:30 mean local solar time) round a spherical Earth, anchored
to a real orbit by its number and equator crossing. Latitudes are those of the sphere; positions
agree with real ones to a few tens of kilometres, widths and angles to a few percent. Across-track
lines are perpendicular to the ground track (yaw steering).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.simulate.sun import solar_angles, solar_position

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.typing import Float

    Times = NDArray[np.datetime64]

EARTH_RADIUS = 6371.0e3
"""Radius of the spherical Earth [m]."""

SATELLITE_ALTITUDE = 824.0e3
"""Height of the orbit above the sphere [m]."""

INCLINATION = 98.74
"""Inclination of the orbit [degree]."""

ORBITS_PER_CYCLE, DAYS_PER_CYCLE = 227, 16
DAY = 86400.0
PERIOD = DAY * DAYS_PER_CYCLE / ORBITS_PER_CYCLE
"""Time between ascending nodes [s]: 101.5 minutes."""

LOCAL_TIME_OF_NODE = 13.5
"""Mean local solar time of the ascending node [h]."""

ANCHOR_ORBIT = 12367
ANCHOR_DATE = np.datetime64("2020-03-03T00:00:00", "ms")
ANCHOR_LONGITUDE = 165.46729
"""Dayside equator crossing of orbit 12367 (its GRANULE_DESCRIPTION) [degree east]."""

N_GROUND_PIXEL = 450
WIDTH_NADIR, WIDTH_EDGE, WIDTH_EXPONENT = 3.5e3, 14.0e3, 3.6
"""Across-track widths [m]; the exponent makes the swath 2600 km wide."""

SMALL_PIXELS_SINCE = np.datetime64("2019-08-06")
"""From this day scanlines follow each other every 0.84 s (5.5 km) instead of 1.08 s (7 km)."""

DAYSIDE = 3504.0
"""Duration of the measurements of one orbit [s]: 4172 scanlines of 0.84 s."""


@dataclass(frozen=True)
class Swath:
    """Pixels of one orbit, or of a part of it; angles in degrees.

    Attributes
    ----------
    orbit : int
        Absolute orbit number.
    time : ndarray of datetime64[ms], shape (scanline,)
        Start of each scanline, UTC.
    scanline : ndarray of int, shape (scanline,)
        Index in the full orbit.
    resolution : float
        Time between scanlines [s].
    latitude, longitude : ndarray, shape (scanline, ground_pixel)
        Pixel centres.
    latitude_bounds, longitude_bounds : ndarray, shape (scanline, ground_pixel, 4)
        Corners, counter-clockwise from the south-western one on the ascending part; neighbouring
        pixels share them.
    solar_zenith_angle, solar_azimuth_angle, viewing_zenith_angle, viewing_azimuth_angle : ndarray
        Shape (scanline, ground_pixel). Azimuths clockwise from north, -180 to 180; the viewing
        azimuth points from the pixel to the satellite.
    satellite_latitude, satellite_longitude, satellite_orbit_phase : ndarray, shape (scanline,)
        Sub-satellite point, and position in the orbit from spacecraft midnight, 0 to 1.
    equator_crossing : float
        Longitude of the ascending node.
    window : tuple of datetime64
        From spacecraft midnight to spacecraft midnight, as in file names.
    """

    orbit: int
    time: Times
    scanline: NDArray[np.int32]
    resolution: float
    latitude: Float
    longitude: Float
    latitude_bounds: Float
    longitude_bounds: Float
    solar_zenith_angle: Float
    solar_azimuth_angle: Float
    viewing_zenith_angle: Float
    viewing_azimuth_angle: Float
    satellite_latitude: Float
    satellite_longitude: Float
    satellite_orbit_phase: Float
    equator_crossing: float
    window: tuple[np.datetime64, np.datetime64]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of (scanlines, ground pixels)."""
        return self.latitude.shape[0], self.latitude.shape[1]

    def cut(self, scanlines: slice) -> Swath:
        """Return a part of the scanlines, with their original indices."""
        names = [n for n, v in vars(self).items() if isinstance(v, np.ndarray)]
        return replace(self, **{n: getattr(self, n)[scanlines] for n in names})


def orbit_node(orbit: int) -> tuple[np.datetime64, float]:
    """Time and longitude [degree east] of an orbit's ascending node.

    Examples
    --------
    >>> time, longitude = orbit_node(12367)
    >>> str(time)[:16], round(longitude, 3)
    ('2020-03-03T02:28', 165.467)
    >>> later = orbit_node(12367 + 227)
    >>> str(later[0])[:16], round(later[1], 3)
    ('2020-03-19T02:28', 165.467)
    """
    n = orbit - ANCHOR_ORBIT
    hours = LOCAL_TIME_OF_NODE - ANCHOR_LONGITUDE / 15.0
    milliseconds = round(1000.0 * (3600.0 * hours + n * PERIOD))
    longitude = ANCHOR_LONGITUDE - 360.0 * ((n * DAYS_PER_CYCLE) % ORBITS_PER_CYCLE) / (
        ORBITS_PER_CYCLE
    )
    return ANCHOR_DATE + np.timedelta64(milliseconds, "ms"), _wrap(longitude)


def _wrap(longitude: float) -> float:
    """Bring a longitude to -180 .. 180."""
    return (longitude + 180.0) % 360.0 - 180.0


def pixel_edges(n_ground_pixel: int = N_GROUND_PIXEL) -> Float:
    """Across-track pixel edges on the ground [m], from left (west) to right of the track.

    Examples
    --------
    >>> edges = pixel_edges()
    >>> width = np.diff(edges) / 1e3
    >>> [round(float(w), 1) for w in (width[225], width[0], width.sum())]
    [3.5, 13.9, 2602.2]
    """
    u = (np.arange(n_ground_pixel) + 0.5) / n_ground_pixel * 2.0 - 1.0
    width = WIDTH_NADIR + (WIDTH_EDGE - WIDTH_NADIR) * np.abs(u) ** WIDTH_EXPONENT
    edges = np.concatenate([[0.0], np.cumsum(width)])
    return np.asarray(edges - 0.5 * edges[-1])


def full_orbit(orbit: int) -> Swath:
    """Return the whole dayside of an orbit: 4172 scanlines (3245 before 6 August 2019).

    Parameters
    ----------
    orbit : int
        Absolute orbit number.
    """
    times, first = _scanline_times(orbit)
    return _swath(orbit, times, first)


def _scanline_times(orbit: int) -> tuple[Times, int]:
    """Return the times of all scanlines, centred on spacecraft noon, and the first index."""
    noon = _spacecraft_noon(orbit)
    step = scanline_step(noon)
    count = round(DAYSIDE / step) + 1
    offsets = np.rint((np.arange(count) - 0.5 * count) * step * 1000.0).astype("timedelta64[ms]")
    return noon + offsets, 0


def scanline_step(time: np.datetime64) -> float:
    """Time between scanlines on a date [s].

    Examples
    --------
    >>> scanline_step(np.datetime64("2019-08-05")), scanline_step(np.datetime64("2019-08-06"))
    (1.08, 0.84)
    """
    return 0.84 if time >= SMALL_PIXELS_SINCE else 1.08


def _spacecraft_noon(orbit: int) -> np.datetime64:
    """Time at which the satellite is nearest to the sub-solar latitude, on the ascending part."""
    node, _ = orbit_node(orbit)
    declination = float(solar_position(np.array([node]))[0][0])
    # the orbit is tilted by 8.7 degree only: the argument of latitude is nearly the latitude
    phase = np.arcsin(np.sin(np.deg2rad(declination)) / np.sin(np.deg2rad(INCLINATION)))
    seconds = float(phase) / (2.0 * np.pi) * PERIOD
    noon: np.datetime64 = node + np.timedelta64(round(1000.0 * seconds), "ms")
    return noon


def orbits_of(date: str) -> list[int]:
    """Return the orbits whose ascending node lies on a UTC date.

    Examples
    --------
    >>> [len(orbits_of(d)) for d in ("2020-03-03", "2020-03-04")]
    [14, 14]
    """
    day = np.datetime64(f"{date}T00:00:00", "ms")
    seconds = float((day - ANCHOR_DATE) / np.timedelta64(1, "ms")) / 1000.0
    first = ANCHOR_ORBIT + int(seconds // PERIOD) - 1
    return [
        n
        for n in range(first, first + 18)
        if day <= orbit_node(n)[0] < day + np.timedelta64(86_400_000, "ms")
    ]


def orbits_over(
    date: str,
    bbox: tuple[float, float, float, float],
    *,
    margin: int = 2,
    max_solar_zenith: float = 88.0,
) -> list[Swath]:
    """Return the orbits of a date over a box, each cut to the scanlines that touch it.

    Parameters
    ----------
    date : str
        UTC date, YYYY-MM-DD.
    bbox : tuple of float
        West, south, east, north [degree].
    margin : int
        Scanlines kept on either side.
    max_solar_zenith : float
        Passes with a lower sun everywhere [degree] are left out: nothing is retrieved there, and
        in summer the descending part reaches Europe before sunrise.

    Returns
    -------
    list of Swath
        In time order; all 450 ground pixels.
    """
    found = []
    for orbit in orbits_of(date):
        times, _ = _scanline_times(orbit)
        hit = np.flatnonzero(_touches(orbit, times, bbox))
        if hit.size:
            first = max(int(hit[0]) - margin, 0)
            last = min(int(hit[-1]) + margin + 1, times.size)
            swath = _swath(orbit, times[first:last], first)
            if swath.solar_zenith_angle.min() <= max_solar_zenith:
                found.append(swath)
    return found


def _touches(
    orbit: int, times: Times, bbox: tuple[float, float, float, float]
) -> NDArray[np.bool_]:
    """Tell which scanlines have a pixel centre in a box (every ninth pixel is looked at)."""
    edges = pixel_edges()
    centre = 0.5 * (edges[:-1] + edges[1:])
    longitude, latitude, _ = _ground(orbit, times, centre[::9])
    west, south, east, north = bbox
    inside = (latitude >= south) & (latitude <= north)
    inside &= (longitude - west) % 360.0 <= (east - west)
    return np.asarray(inside.any(axis=1))


def _swath(orbit: int, times: Times, first: int) -> Swath:
    """Compute the geometry of consecutive scanlines."""
    step = scanline_step(times[0])
    half = np.timedelta64(round(500.0 * step), "ms")
    edges = pixel_edges()
    longitude, latitude, track = _ground(orbit, times + half, 0.5 * (edges[:-1] + edges[1:]))
    corner_times = np.append(times, times[-1] + 2 * half)
    corner_lon, corner_lat, _ = _ground(orbit, corner_times, edges)
    order = (np.s_[:-1, :-1], np.s_[:-1, 1:], np.s_[1:, 1:], np.s_[1:, :-1])
    zenith, azimuth = _view_angles(longitude, latitude, track)
    solar_zenith, solar_azimuth = solar_angles((times + half)[:, None], latitude, longitude)
    _, crossing = orbit_node(orbit)
    noon = _spacecraft_noon(orbit)
    half_orbit = np.timedelta64(round(500.0 * PERIOD), "ms")
    phase = ((times - noon) / np.timedelta64(1, "ms")) / (1000.0 * PERIOD) + 0.5
    return Swath(
        orbit=orbit,
        time=times,
        scanline=np.arange(first, first + times.size, dtype=np.int32),
        resolution=step,
        latitude=latitude,
        longitude=longitude,
        latitude_bounds=np.stack([corner_lat[i] for i in order], axis=-1),
        longitude_bounds=np.stack([corner_lon[i] for i in order], axis=-1),
        solar_zenith_angle=solar_zenith,
        solar_azimuth_angle=solar_azimuth,
        viewing_zenith_angle=zenith,
        viewing_azimuth_angle=azimuth,
        satellite_latitude=np.rad2deg(np.arcsin(track[:, 2])),
        satellite_longitude=np.rad2deg(np.arctan2(track[:, 1], track[:, 0])),
        satellite_orbit_phase=phase,
        equator_crossing=crossing,
        window=(noon - half_orbit, noon + half_orbit),
    )


def _track(orbit: int, times: Times) -> Float:
    """Return unit vectors to the sub-satellite points, Earth-fixed, shape (time, 3).

    The node moves west by 360 degree in a mean solar day: the precession of a sun-synchronous
    orbit cancels the difference between the solar and the sidereal day.
    """
    node, crossing = orbit_node(orbit)
    seconds = ((times - node) / np.timedelta64(1, "ms")) / 1000.0
    u = 2.0 * np.pi * seconds / PERIOD
    inclination = np.deg2rad(INCLINATION)
    along = np.arctan2(np.cos(inclination) * np.sin(u), np.cos(u))
    longitude = np.deg2rad(crossing) + along - 2.0 * np.pi * seconds / DAY
    z = np.sin(inclination) * np.sin(u)
    r = np.sqrt(1.0 - z**2)
    return np.stack([r * np.cos(longitude), r * np.sin(longitude), z], axis=-1)


def _ground(orbit: int, times: Times, across: Float) -> tuple[Float, Float, Float]:
    """Longitude and latitude [degree] of points across the track, and the track itself."""
    second = np.timedelta64(1000, "ms")
    track = _track(orbit, times)
    forward = _track(orbit, times + second) - _track(orbit, times - second)
    right = np.cross(forward, track)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    angle = (across / EARTH_RADIUS)[None, :, None]
    point = np.cos(angle) * track[:, None, :] + np.sin(angle) * right[:, None, :]
    longitude = np.rad2deg(np.arctan2(point[..., 1], point[..., 0]))
    latitude = np.rad2deg(np.arcsin(np.clip(point[..., 2], -1.0, 1.0)))
    return longitude, latitude, track


def _view_angles(longitude: Float, latitude: Float, track: Float) -> tuple[Float, Float]:
    """Zenith and azimuth angle of the satellite as seen from the pixels [degree]."""
    lon, lat = np.deg2rad(longitude), np.deg2rad(latitude)
    zeros = np.zeros_like(lon)
    up = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    east = np.stack([-np.sin(lon), np.cos(lon), zeros], axis=-1)
    north = np.cross(up, east)
    satellite = (1.0 + SATELLITE_ALTITUDE / EARTH_RADIUS) * track[:, None, :]
    sight = satellite - up
    sight /= np.linalg.norm(sight, axis=-1, keepdims=True)
    zenith = np.arccos(np.clip((sight * up).sum(axis=-1), -1.0, 1.0))
    azimuth = np.arctan2((sight * east).sum(axis=-1), (sight * north).sum(axis=-1))
    return np.rad2deg(zenith), np.rad2deg(azimuth)
