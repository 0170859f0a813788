"""The orbit geometry agrees with the real satellite's, and closes on itself."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.simulate.sun import solar_angles, solar_position
from retrieval.simulate.swath import (
    EARTH_RADIUS,
    full_orbit,
    orbit_node,
    orbits_of,
    orbits_over,
    pixel_edges,
)

EUROPE = (-10.0, 40.0, 10.0, 56.0)


@pytest.fixture(scope="module")
def passes():
    return orbits_over("2021-07-25", EUROPE)


def great_circle(lon_1, lat_1, lon_2, lat_2):
    """Return the distance between points [m]."""
    lon_1, lat_1, lon_2, lat_2 = (np.deg2rad(v) for v in (lon_1, lat_1, lon_2, lat_2))
    a = np.sin((lat_2 - lat_1) / 2) ** 2
    a += np.cos(lat_1) * np.cos(lat_2) * np.sin((lon_2 - lon_1) / 2) ** 2
    return 2.0 * EARTH_RADIUS * np.arcsin(np.sqrt(a))


def test_window_and_coverage_are_those_of_the_real_orbit(real_file):
    """Number, L1B window and coverage of orbit 12367 agree with the real file to half a minute."""
    orbit = full_orbit(12367)
    with netCDF4.Dataset(real_file("L2_NO2_header_and_metadata_only.nc")) as file:
        start, end, *_ = file.id.split("____")[1].split("_")
        coverage = file.time_coverage_start, file.time_coverage_end
        n_scanline = file["PRODUCT"].dimensions["scanline"].size
    for ours, text in zip(orbit.window, (start, end), strict=True):
        iso = f"{text[:4]}-{text[4:6]}-{text[6:11]}:{text[11:13]}:{text[13:]}"
        assert abs(ours - np.datetime64(iso, "ms")) < np.timedelta64(30, "s")
    for ours, text in zip((orbit.time[0], orbit.time[-1]), coverage, strict=True):
        assert abs(ours - np.datetime64(text[:-1], "ms")) < np.timedelta64(30, "s")
    assert orbit.shape == (n_scanline, 450)


def test_ground_track_passes_where_the_real_scene_is(real_file):
    """Sixteen months after the anchor the swath still covers the real scene of orbit 19594."""
    orbit = full_orbit(19594)
    with netCDF4.Dataset(real_file("S5P_RPRO*reduced.nc")) as file:
        lat, lon = (float(file[f"PRODUCT/{n}"][0, 66, 84]) for n in ("latitude", "longitude"))
        bounds = file["PRODUCT/SUPPORT_DATA/GEOLOCATIONS/latitude_bounds"][0, 66, 84].data
    distance = great_circle(orbit.longitude, orbit.latitude, lon, lat)
    i, j = np.unravel_index(distance.argmin(), distance.shape)
    assert distance[i, j] < 5e3
    middle = np.datetime64("2021-07-25T11:45:00", "ms")  # coverage of the crop: 11:44 to 11:46
    assert abs(orbit.time[i] - middle) < np.timedelta64(90, "s")
    ours = orbit.latitude_bounds[i, j]
    # along-track size, and tilt of the rows, to a few percent
    np.testing.assert_allclose(ours[3] - ours[0], bounds[3] - bounds[0], rtol=0.05)


def test_repeat_cycle_and_day_to_day_shift():
    """After 227 orbits (16 days) the track repeats; after 14 orbits it lies 4.76 degree east."""
    time, longitude = orbit_node(20000)
    later, same = orbit_node(20227)
    assert abs((later - time) - np.timedelta64(16 * 86_400_000, "ms")) <= np.timedelta64(1, "ms")
    assert same == pytest.approx(longitude, abs=1e-9)
    next_day = orbit_node(20014)[1]
    assert (next_day - longitude + 180) % 360 - 180 == pytest.approx(4.758, abs=1e-3)
    count = [len(orbits_of(f"2023-07-{d:02d}")) for d in range(1, 17)]
    assert sum(count) == 227


def test_overpasses_of_europe_are_around_noon(passes):
    """Western Europe is seen between 10 and 15 UTC, at about 13:30 mean local time at the node."""
    assert 1 <= len(passes) <= 4
    for swath in passes:
        hour = (swath.time - swath.time.astype("datetime64[D]")) / np.timedelta64(1, "h")
        assert hour.min() > 10 and hour.max() < 15
        node, longitude = orbit_node(swath.orbit)
        local = (node - node.astype("datetime64[D]")) / np.timedelta64(1, "h") + longitude / 15
        assert local % 24 == pytest.approx(13.5, abs=1e-3)


def test_cut_holds_the_box_and_keeps_the_indices(passes):
    """Every pixel of the full orbit in the box is in the cut, at its own index."""
    swath = passes[0]
    whole = full_orbit(swath.orbit)
    inside = (whole.latitude > 40) & (whole.latitude < 56)
    inside &= (whole.longitude > -10) & (whole.longitude < 10)
    rows = np.flatnonzero(inside.any(axis=1))
    assert swath.scanline[0] <= rows.min() and swath.scanline[-1] >= rows.max()
    np.testing.assert_array_equal(swath.latitude, whole.latitude[swath.scanline])
    np.testing.assert_array_equal(swath.time, whole.time[swath.scanline])
    part = whole.cut(slice(10, 20))
    assert part.shape == (10, 450) and part.scanline[0] == 10


def test_widths_follow_the_real_swath(passes):
    """3.5 km at nadir, about 14 km at the edges, 2600 km in all, 5.5 km along track."""
    lon, lat = passes[0].longitude_bounds[5], passes[0].latitude_bounds[5]
    width = great_circle(lon[:, 0], lat[:, 0], lon[:, 1], lat[:, 1])
    length = great_circle(lon[:, 0], lat[:, 0], lon[:, 3], lat[:, 3])
    assert width[224:226] == pytest.approx(3500, rel=1e-3)
    assert width[0] == pytest.approx(13900, rel=0.02)
    assert width.sum() == pytest.approx(2.6e6, rel=0.01)
    assert length[225] == pytest.approx(5500, rel=0.02)
    assert np.diff(pixel_edges()).min() > 3499


def test_scanlines_were_longer_before_august_2019():
    """7 km and 3245 scanlines until 5 August 2019, 5.5 km and 4172 from the 6th."""
    old = orbits_over("2019-08-05", EUROPE)[0]
    new = orbits_over("2019-08-06", EUROPE)[0]
    assert (old.resolution, new.resolution) == (1.08, 0.84)
    assert full_orbit(old.orbit).shape[0] == 3245
    assert np.diff(old.time).astype(int) == pytest.approx(1080)


def test_corners_are_shared_and_start_in_the_south_west(passes):
    """Corner 0 is south-west, the turn is counter-clockwise, neighbours share their corners."""
    for swath in passes:
        lon, lat = swath.longitude_bounds, swath.latitude_bounds
        np.testing.assert_array_equal(lon[:, :-1, 1], lon[:, 1:, 0])
        np.testing.assert_array_equal(lat[:, :-1, 2], lat[:, 1:, 3])
        np.testing.assert_array_equal(lon[:-1, :, 3], lon[1:, :, 0])
        np.testing.assert_array_equal(lat[:-1, :, 2], lat[1:, :, 1])
        assert (lat[..., 0] < lat[..., 3]).all() and (lon[..., 0] < lon[..., 1]).all()
        centre = lon.mean(axis=-1)
        np.testing.assert_allclose(centre, swath.longitude, atol=2e-3)  # curvature of the rows


def test_view_angles_grow_to_the_edges_and_point_to_the_satellite(passes):
    """VZA is near 0 in the middle and 65 degree at the edges; western pixels look east."""
    swath = passes[0]
    vza, vaa = swath.viewing_zenith_angle, swath.viewing_azimuth_angle
    assert vza[:, 224:226].max() < 0.2
    assert 64 < vza.max() < 67
    lon, lat = np.deg2rad(swath.longitude), np.deg2rad(swath.latitude)
    sat_lon, sat_lat = (
        np.deg2rad(v)[:, None] for v in (swath.satellite_longitude, swath.satellite_latitude)
    )
    d = sat_lon - lon
    bearing = np.arctan2(
        np.sin(d) * np.cos(sat_lat),
        np.cos(lat) * np.sin(sat_lat) - np.sin(lat) * np.cos(sat_lat) * np.cos(d),
    )
    error = (vaa - np.rad2deg(bearing) + 180) % 360 - 180
    # the satellite is given at the start, the pixels half a scanline (2.7 km) later
    assert np.abs(error[:, [0, 100, 349, 449]]).max() < 1.0
    assert (vaa[:, 0] > 0).all() and (vaa[:, -1] < 0).all()


def test_sun_stands_where_the_almanac_says():
    """Declination and equation of time at four dates of 2023 (Astronomical Almanac, rounded)."""
    times = np.array(
        ["2023-03-20T21:24", "2023-06-21T12:00", "2023-11-03T12:00", "2023-02-11T12:00"],
        dtype="datetime64[ms]",
    )
    declination, hour = solar_position(times)
    np.testing.assert_allclose(declination[:2], [0.0, 23.44], atol=0.02)
    minutes = hour[2:] * 4.0  # equation of time: +16.5 min on 3 November, -14.2 on 11 February
    np.testing.assert_allclose(minutes, [16.5, -14.2], atol=0.1)


def test_sun_is_in_the_south_at_noon_in_europe():
    """At true noon the azimuth is 180 and the zenith angle latitude minus declination."""
    zenith, azimuth = solar_angles(
        np.array(["2023-06-21T12:01:51"], dtype="datetime64[ms]"), np.array([50.0]), np.array([0.0])
    )
    assert zenith[0] == pytest.approx(50.0 - 23.44, abs=0.02)
    assert abs(azimuth[0]) == pytest.approx(180.0, abs=0.1)
