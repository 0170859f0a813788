"""Meteorology: CTMANA layers and ERA5 pressure levels, checked on real files."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.meteorology import open_meteo
from retrieval.errors import AprioriError
from retrieval.physics.levels import HybridLayers, PressureLevels
from retrieval.physics.time_rules import TimeRule
from tests.builders.set_builders import mesh, temperature, write_cams_month, write_ctmana, zip_files

ALL = slice(None)


def write_era5(path, *, hours=(12, 13), variables=("t", "q"), expver=False, t_kelvin=None):
    """New-layout ERA5 pressure levels; with `expver` the dimension of mixed months."""
    pressure = np.array([1000.0, 850.0, 500.0])
    latitude, longitude = np.arange(50.0, 48.0, -0.25), np.arange(0.0, 2.0, 0.25)
    with netCDF4.Dataset(path, "w") as ds:
        sizes = {"valid_time": len(hours), "pressure_level": 3, "latitude": 8, "longitude": 8}
        for name, size in sizes.items():
            ds.createDimension(name, size)
        dims = tuple(sizes)
        seconds = 1561852800 + 3600 * np.array(hours)
        coordinates = {
            "valid_time": (seconds, "seconds since 1970-01-01"),
            "pressure_level": (pressure, "hPa"),
            "latitude": (latitude, "degrees_north"),
            "longitude": (longitude, "degrees_east"),
        }
        for name, (values, units) in coordinates.items():
            ds.createVariable(name, "f8", (name,))[:] = values
            ds[name].units = units
        lat, lon = mesh(latitude, longitude)
        t = np.stack([temperature(pressure[:, None, None] * 100, lat, lon, h) for h in hours])
        fields = {"t": t if t_kelvin is None else np.full_like(t, t_kelvin), "q": t * 1e-5}
        if expver:
            ds.createDimension("expver", 2)
            dims = (dims[0], "expver", *dims[1:])
        for name in variables:
            variable = ds.createVariable(name, "f4", dims, fill_value=np.float32(np.nan))
            variable.units = "K" if name == "t" else "kg kg**-1"
            if not expver:
                variable[:] = fields[name]
                continue
            final, preliminary = fields[name].copy(), fields[name].copy()
            final[1:], preliminary[:1] = np.nan, np.nan
            variable[:] = np.stack([final, preliminary], axis=1)
    return path


@pytest.fixture
def opened():
    """Return a function that opens meteorology which is closed after the test.

    A file that stays open while xarray opens and closes it breaks later reads of the netCDF
    library in this process.
    """
    with ExitStack() as stack:
        yield lambda path: stack.enter_context(closing(open_meteo(path)))


def test_the_new_layout_of_a_real_file_reads_as_xarray_reads_it(real_file, opened):
    """Temperature of the Matimba file, surface first, latitudes ascending."""
    xarray = pytest.importorskip("xarray")
    path = real_file("Matimba_ERA5-pl-20210725.nc")
    meteo = opened(path)
    assert meteo.kind == "ERA5" and meteo.time_rule is TimeRule.LINEAR and not meteo.has_humidity
    assert isinstance(meteo.vertical, PressureLevels)
    assert meteo.vertical.pressure[0] == 100_000.0
    with xarray.open_dataset(path) as ds:
        ordered = ds["t"].sortby("latitude").sortby("pressure_level", ascending=False)
        assert np.array_equal(meteo.times, ordered.valid_time.values.astype("datetime64[ms]"))
        assert np.array_equal(meteo.read_temperature(11, ALL, ALL), ordered[11].values)
        np.testing.assert_allclose(meteo.grid.x, ordered.longitude, atol=1e-9)
        np.testing.assert_allclose(meteo.grid.y, ordered.latitude, atol=1e-9)
    assert meteo.read_humidity(0, ALL, ALL) is None


def test_the_legacy_layout_of_a_real_file_reads_as_xarray_reads_it(real_file, opened):
    """Packed temperature and humidity of the European file, levels ascending in the file."""
    xarray = pytest.importorskip("xarray")
    path = real_file("ERA5-pl-20190101T12-13_europe.nc")
    meteo = opened(path)
    rows, columns = slice(10, 40), slice(3, 90)
    with xarray.open_dataset(path) as ds:
        for name, read in (("t", meteo.read_temperature), ("q", meteo.read_humidity)):
            ordered = ds[name].sortby("latitude").sortby("level", ascending=False)
            # both unpack int16, in float32 or float64
            np.testing.assert_allclose(
                read(1, rows, columns), ordered[1, :, rows, columns], rtol=1e-5, atol=1e-8
            )
    assert meteo.times.tolist() == [
        np.datetime64(f"2019-01-01T{h}:00", "ms").tolist() for h in (12, 13)
    ]


def test_temperature_of_ctmana_is_on_its_own_layers(tmp_path, opened):
    """34 hybrid layers, nearest half hour, no humidity."""
    meteo = opened(write_ctmana(tmp_path / "ctm.nc", spacing=10.0))
    assert meteo.kind == "TM5-MP CTMANA" and meteo.time_rule is TimeRule.NEAREST
    assert isinstance(meteo.vertical, HybridLayers)
    values = meteo.read_temperature(24, ALL, ALL)
    lat, lon = mesh(meteo.grid.y, meteo.grid.x)
    edges = meteo.vertical.a + meteo.vertical.b * 1e5
    middle = 0.5 * (edges[0] + edges[1])
    np.testing.assert_allclose(values[0], temperature(middle, lat, lon, 12.0), rtol=1e-6)  # float32


def test_humidity_may_be_in_a_file_of_its_own(tmp_path, opened):
    """A data-store archive with t and q apart is one meteorology."""
    files = [
        write_era5(tmp_path / "t.nc", variables=("t",)),
        write_era5(tmp_path / "q.nc", variables=("q",)),
    ]
    meteo = opened(zip_files(tmp_path / "era5.nc", files))
    t, q = meteo.read_temperature(0, ALL, ALL), meteo.read_humidity(0, ALL, ALL)
    np.testing.assert_allclose(q, t * 1e-5, rtol=1e-6)  # float32
    meteo.close()


def test_final_and_preliminary_months_are_merged(tmp_path, opened):
    """Where expver 1 is missing, expver 5 stands in."""
    merged = opened(write_era5(tmp_path / "mixed.nc", expver=True))
    plain = opened(write_era5(tmp_path / "plain.nc"))
    for i in (0, 1):
        assert np.array_equal(
            merged.read_temperature(i, ALL, ALL), plain.read_temperature(i, ALL, ALL)
        )


def rewritten(path, target, *, by=0.0, version=None, flip=False, hours=0):
    """Copy an ERA5 file with other values, version or order of levels."""
    with netCDF4.Dataset(shutil.copy(path, target), "a") as ds:
        for name in ("t", "q"):
            ds[name][:] = (ds[name][:] + (by if name == "t" else 0.0))[:, :: -1 if flip else 1]
        ds["pressure_level"][:] = ds["pressure_level"][:][:: -1 if flip else 1]
        ds["valid_time"][:] = ds["valid_time"][:] + 3600 * hours
        if version:
            written = ds.createVariable("expver", str, ("valid_time",))
            written[:] = np.array([version] * 2, dtype=object)
    return target


def test_levels_may_ascend_in_one_file_and_descend_in_another(tmp_path, opened):
    """Old and new files of one month: the surface comes first in both."""
    new = write_era5(tmp_path / "new.nc")
    rewritten(new, tmp_path / "old.nc", flip=True, hours=2)
    meteo = opened(tmp_path)
    assert meteo.times.size == 4
    for read in (meteo.read_temperature, meteo.read_humidity):
        for i in (0, 1):
            assert np.array_equal(read(i, ALL, ALL), read(i + 2, ALL, ALL))
    assert (
        meteo.read_temperature(2, ALL, ALL)[0].mean()
        > meteo.read_temperature(2, ALL, ALL)[2].mean()
    )


@pytest.mark.parametrize("names", [("a.nc", "b.nc"), ("b.nc", "a.nc")])
def test_the_final_version_is_used_whatever_the_files_are_called(tmp_path, opened, names, caplog):
    """Ten kelvin more in expver 0001 than in 0005; what was passed over is said."""
    plain = write_era5(tmp_path / "plain.nc")
    final, early = (tmp_path / "both" / name for name in names)
    final.parent.mkdir()
    rewritten(plain, final, by=10.0, version="0001")
    rewritten(plain, early, version="0005")
    expected = opened(plain).read_temperature(0, ALL, ALL) + np.float32(10.0)
    found = opened(tmp_path / "both").read_temperature(0, ALL, ALL)
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # float32
    assert "expver 1 before 5" in caplog.text


def test_temperatures_that_nothing_ranks_are_refused(tmp_path):
    """Equal ones are no rivals, others are."""
    plain = write_era5(tmp_path / "a.nc")
    rewritten(plain, tmp_path / "b.nc", flip=True)
    open_meteo(tmp_path).close()
    rewritten(plain, tmp_path / "b.nc", by=1.0)
    with pytest.raises(AprioriError, match=r"Two candidates for ERA5 temp.*a\.nc and .*b\.nc"):
        open_meteo(tmp_path)


def test_files_named_by_their_download_are_found_by_content(tmp_path, opened):
    """Six of them, one by chance named for the day that is wanted, with another day in it."""
    plain = write_era5(tmp_path / "plain.nc")
    folder = tmp_path / "era5"
    folder.mkdir()
    for i in range(6):
        name = "2019-06-30.nc" if i == 5 else f"2024-01-1{i}.nc"
        rewritten(plain, folder / name, hours=24 * (i - 2))
    for around in (np.datetime64("2019-06-30T12:30"), np.datetime64("2019-06-28T12:30")):
        with closing(open_meteo(folder, around)) as meteo:
            assert np.abs(meteo.times - around).min() <= np.timedelta64(30, "m")


def test_humidity_of_other_times_is_refused(tmp_path):
    """Fields that do not belong together are not used together."""
    write_era5(tmp_path / "t.nc", variables=("t",))
    write_era5(tmp_path / "q.nc", variables=("q",), hours=(0, 1))
    with pytest.raises(AprioriError, match="must share grid, levels and times"):
        open_meteo(tmp_path)


def test_temperatures_in_celsius_are_refused(tmp_path, opened):
    """Values that are no temperatures in kelvin are an error."""
    meteo = opened(write_era5(tmp_path / "t.nc", t_kelvin=15.0))
    with pytest.raises(AprioriError, match=r"must lie in 120 to 360. Given 15 to 15"):
        meteo.read_temperature(0, ALL, ALL)


def test_files_without_temperature_are_refused(tmp_path):
    """An NO2 file is no meteorology."""
    with pytest.raises(AprioriError, match=r"must hold temperature on levels.*Given .*no2"):
        open_meteo(write_cams_month(tmp_path, 0))
