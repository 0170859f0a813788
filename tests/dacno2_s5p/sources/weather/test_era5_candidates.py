"""ERA5 twice: final before preliminary, whatever the names; another quantity is no candidate."""

from __future__ import annotations

import logging

import netCDF4
import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.weather.era5 import Era5
from dacno2_s5p.sources.weather.gridded import FEW_FILES
from tests.builders.source_files import DAY, GRID, axes, geopotential, hours_of, new_era5, put

TABLE = InputTable.default()
PAIR = ("t2m", "z")


def is_kept(variable):
    return variable.group not in ("single", "multi") or variable.name in PAIR


WARM = InputTable(v for v in TABLE.variables if is_kept(v))
"""Of the weather the temperature at 2 m and, as there must be one, a variable on levels."""
FLAT = Preparation(weather_steps=8, vertical="pressure")
NOON = DAY.astype("datetime64[h]") + 13
FINAL, EARLY = 290.0, 280.0


def write_t2m(path, value, *, expver=None, days=(DAY,), extent=None, units="K"):
    """Write hourly temperatures of one value; `expver` a text for each time."""
    times = np.concatenate([hours_of(day) for day in days])
    x, y = axes()
    with new_era5(path, times) as file:
        values = np.full((times.size, y.size, x.size), value, np.float32)
        put(file, "t2m", ("valid_time", "latitude", "longitude"), values, units=units)
        if expver is not None:
            said = file.createVariable("expver", str, ("valid_time",))
            for i in range(times.size):
                said[i] = expver
    if extent is not None:  # cut to the first columns
        cut(path, extent)


def cut(path, n_column):
    with netCDF4.Dataset(path) as whole:
        x = whole["longitude"][:n_column].data
        values = whole["t2m"][..., :n_column].data
        seconds, y = whole["valid_time"][:].data, whole["latitude"][:].data
    with netCDF4.Dataset(path, "w") as part:
        sizes = {"valid_time": seconds.size, "latitude": y.size, "longitude": x.size}
        for name, size in sizes.items():
            part.createDimension(name, size)
        put(part, "valid_time", ("valid_time",), seconds, units="seconds since 1970-01-01")
        put(part, "latitude", ("latitude",), y, units="degrees_north")
        put(part, "longitude", ("longitude",), x, units="degrees_east")
        put(part, "t2m", ("valid_time", "latitude", "longitude"), values, units="K")


def write_layers(path, order, values, *, as_text=False):
    """Write the old layout: a dimension `expver` in some order."""
    times = hours_of(DAY)
    x, y = axes()
    with new_era5(path, times) as file:
        file.createDimension("expver", len(order))
        if as_text:
            said = file.createVariable("expver", str, ("expver",))
            for i, number in enumerate(order):
                said[i] = f"{number:04d}"
        else:
            put(file, "expver", ("expver",), np.array(order, "i4"))
        layers = np.stack([np.full((times.size, y.size, x.size), v, "f4") for v in values], axis=1)
        dims = ("valid_time", "expver", "latitude", "longitude")
        put(file, "t2m", dims, layers, units="K")


PRESSURES = (1000, 975, 950, 925, 900, 800, 700, 550)


def write_levels(path, days=(DAY,), pressures=PRESSURES, *, added=0.0, expver=None):
    times = np.concatenate([hours_of(day, range(6, 14)) for day in days])
    x, y = axes()
    with new_era5(path, times, pressures) as file:
        shape = (times.size, len(pressures), y.size, x.size)
        values = np.broadcast_to(geopotential(pressures)[None, :, None, None] + added, shape)
        dims = ("valid_time", "pressure_level", "latitude", "longitude")
        put(file, "z", dims, values.astype("f4"), units="m**2 s**-2")
        if expver is not None:
            said = file.createVariable("expver", str, ("valid_time",))
            for i in range(times.size):
                said[i] = expver


def noon_of(folder):
    write_levels(folder / "levels.nc")
    era5 = Era5(folder, WARM, FLAT, GRID)
    assert era5.missing(DAY) == []
    value = np.unique(era5.single_at(NOON))
    era5.close()
    return value.tolist(), era5


@pytest.mark.parametrize("names", [("a.nc", "b.nc"), ("b.nc", "a.nc")])
def test_the_final_of_two_files_is_used_and_told_once(tmp_path, caplog, names):
    """290 K of version 0001, not 280 K of 0005, whatever they are called."""
    early, final = (tmp_path / name for name in names)
    write_t2m(early, EARLY, expver="0005")
    write_t2m(final, FINAL, expver="0001")
    with caplog.at_level(logging.WARNING):
        value, era5 = noon_of(tmp_path)
    assert value == [FINAL]
    assert era5.preliminary == set()
    (record,) = era5._files.choices.records()
    assert record["chosen"] == f"t2m of {final}"
    assert record["passed_over"] == [{"label": f"t2m of {early}", "why": "expver 0001 before 0005"}]
    assert record["at"] == [str(DAY)]
    assert len(caplog.messages) == 1 and "expver 0001 before 0005" in caplog.messages[0]


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("order", [(1, 5), (5, 1)])
def test_the_final_layer_of_one_file_is_used_in_either_order(tmp_path, order, as_text):
    """A dimension of versions, numbers or text: 290 K."""
    values = [FINAL if number == 1 else EARLY for number in order]
    write_layers(tmp_path / "a.nc", order, values, as_text=as_text)
    value, era5 = noon_of(tmp_path)
    assert (value, era5.preliminary) == ([FINAL], set())


@pytest.mark.parametrize("order", [(1, 5), (5, 1)])
def test_a_day_that_is_only_preliminary_is_used_and_told(tmp_path, caplog, order):
    """The final layer is empty: 280 K, and the day is known as preliminary."""
    values = [np.nan if number == 1 else EARLY for number in order]
    write_layers(tmp_path / "a.nc", order, values)
    with caplog.at_level(logging.WARNING):
        value, era5 = noon_of(tmp_path)
    assert (value, era5.preliminary) == ([EARLY], {DAY})
    assert [m for m in caplog.messages if "preliminary (expver 0005" in m] == caplog.messages


def test_versions_that_follow_each_other_along_the_times(tmp_path):
    """Every hour twice in one file, the preliminary one first: 290 K."""
    write_t2m(tmp_path / "a.nc", EARLY, expver="0005", days=(DAY, DAY))
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        file["t2m"][24:] = FINAL
        for i in range(24, 48):
            file["expver"][i] = "0001"
    value, era5 = noon_of(tmp_path)
    assert (value, era5.preliminary) == ([FINAL], set())


def test_an_hour_that_one_file_holds_twice(tmp_path):
    """The same field again is one; another is refused, as nothing tells which is meant."""
    write_t2m(tmp_path / "a.nc", FINAL, expver="0001", days=(DAY, DAY, DAY))
    value, era5 = noon_of(tmp_path)
    assert (value, era5._files.choices.records()) == ([FINAL], [])
    with netCDF4.Dataset(tmp_path / "a.nc", "a") as file:
        file["t2m"][61] = EARLY  # 13 UTC in the third of three
    with pytest.raises(DataError, match=r"t2m of .*a\.nc and t2m of .*a\.nc, which differ at 2019"):
        noon_of(tmp_path)


def test_only_the_days_that_are_preliminary_are_kept(tmp_path, caplog):
    """Of two days one; told once for all of them."""
    write_t2m(tmp_path / "a.nc", FINAL, expver="0001")
    write_t2m(tmp_path / "b.nc", EARLY, expver="0005", days=(DAY + 1, DAY + 2))
    write_levels(tmp_path / "levels.nc", (DAY, DAY + 1, DAY + 2))
    era5 = Era5(tmp_path, WARM, FLAT, GRID)
    for day in (DAY, DAY + 1, DAY + 2):
        assert era5.missing(day) == []
    assert era5.preliminary == {DAY + 1, DAY + 2}
    assert len(caplog.messages) == 1


def test_equal_fields_are_no_rivals_and_unequal_ones_are_refused(tmp_path):
    """A copy changes nothing; 280 K beside 290 K without a version is an error with both names."""
    write_t2m(tmp_path / "a.nc", FINAL)
    write_t2m(tmp_path / "b.nc", FINAL)
    value, era5 = noon_of(tmp_path)
    assert (value, era5._files.choices.records()) == ([FINAL], [])
    write_t2m(tmp_path / "b.nc", EARLY)
    with pytest.raises(DataError, match=r"Two candidates for t2m of ERA5.*a\.nc and .*b\.nc"):
        noon_of(tmp_path)


def test_a_file_that_does_not_cover_the_grid_is_behind_one_that_does(tmp_path):
    """A cut sorted before the whole: area decides, even against the version."""
    write_t2m(tmp_path / "a.nc", FINAL, extent=4)
    write_t2m(tmp_path / "b.nc", EARLY)
    value, era5 = noon_of(tmp_path)
    assert value == [EARLY]
    assert "area whole before part" in str(era5._files.choices.records())


def test_orography_is_not_the_geopotential_of_levels(tmp_path):
    """`z` of the ground in a single-level file, sorted first: `z` on levels is read."""
    times, (x, y) = hours_of(DAY), axes()
    write_t2m(tmp_path / "a_single.nc", FINAL)
    with netCDF4.Dataset(tmp_path / "a_single.nc", "a") as file:
        ground = np.full((times.size, y.size, x.size), 981.0, np.float32)
        put(file, "z", ("valid_time", "latitude", "longitude"), ground, units="m**2 s**-2")
    write_levels(tmp_path / "b_levels.nc")
    era5 = Era5(tmp_path, WARM, FLAT, GRID)
    assert era5.missing(DAY) == []
    found = era5.multi_at(NOON)[0]
    # float32 of the file; bilinear in constants
    expected = geopotential(PRESSURES)
    np.testing.assert_allclose(found.mean(axis=(1, 2)), expected, rtol=1e-6, atol=0.1)


def z_of(folder):
    """Return the geopotential at 13 UTC, the files it is from, and the reader."""
    write_t2m(folder / "single.nc", FINAL)
    era5 = Era5(folder, WARM, FLAT, GRID)
    assert era5.missing(DAY) == []
    return era5.multi_at(NOON)[0].mean(axis=(1, 2)), {p.name for p in era5.files(DAY)}, era5


@pytest.mark.parametrize(
    "parts",
    [
        (PRESSURES[:4], PRESSURES[4:]),  # as many here as there
        (PRESSURES[5:], PRESSURES[:5]),  # the upper ones first
        (PRESSURES[:5], PRESSURES[3:]),  # 925 and 900 hPa in both
        (PRESSURES, PRESSURES[:2]),  # one within the other
        tuple((p,) for p in PRESSURES),  # a file a level
        (PRESSURES[1:][::-1], PRESSURES[:1]),  # in the other order, and a single one
    ],
)
def test_levels_of_one_hour_in_several_files_are_joined(tmp_path, caplog, parts):
    """Whatever the requests were cut to: the column is whole, and nothing had to be chosen."""
    for i, pressures in enumerate(parts):
        write_levels(tmp_path / f"{i}.nc", pressures=pressures)
    found, files, era5 = z_of(tmp_path)
    # float32 of the file; bilinear in constants
    np.testing.assert_allclose(found, geopotential(PRESSURES), rtol=1e-6, atol=0.1)
    assert files == {"single.nc", *(f"{i}.nc" for i in range(len(parts)))}
    assert (era5._files.choices.records(), caplog.messages) == ([], [])


@pytest.mark.parametrize("names", [("a.nc", "b.nc"), ("b.nc", "a.nc")])
def test_levels_that_differ_in_two_files_are_ranked_or_refused(tmp_path, names):
    """900 hPa is in both, 50 m2 s-2 apart: the final one is used, and without versions none."""
    final, early = (tmp_path / name for name in names)
    write_levels(final, expver="0001")
    write_levels(early, pressures=PRESSURES[4:], added=50.0, expver="0005")
    found, files, era5 = z_of(tmp_path)
    np.testing.assert_allclose(found, geopotential(PRESSURES), rtol=1e-6, atol=0.1)
    assert files == {"single.nc", final.name}
    (record,) = era5._files.choices.records()
    assert record["passed_over"] == [{"label": f"z of {early}", "why": "expver 0001 before 0005"}]
    era5.close()
    write_levels(final, pressures=PRESSURES[1:5])
    write_levels(early, pressures=PRESSURES[4:], added=50.0)
    with pytest.raises(DataError, match=r"Two candidates for z of ERA5.*a\.nc and .*b\.nc"):
        z_of(tmp_path)


def test_a_day_of_which_some_levels_are_preliminary_is_known(tmp_path):
    """The lower levels are final, the upper ones not yet."""
    write_levels(tmp_path / "a.nc", pressures=PRESSURES[:4], expver="0001")
    write_levels(tmp_path / "b.nc", pressures=PRESSURES[4:], expver="0005")
    assert z_of(tmp_path)[2].preliminary == {DAY}


def test_a_level_that_is_nowhere_is_named(tmp_path):
    """Parts that leave a gap between them are no column."""
    write_levels(tmp_path / "a.nc", pressures=PRESSURES[:3])
    write_levels(tmp_path / "b.nc", pressures=PRESSURES[4:])
    with pytest.raises(DataError, match=r"Missing pressure levels of z .* Given none at 925\."):
        z_of(tmp_path)


def test_temperature_on_fewer_levels_than_the_geopotential_is_said(tmp_path):
    """Heights need both on each level: the levels that lack are named."""
    high = (*PRESSURES, 400)
    write_levels(tmp_path / "z.nc", pressures=high)
    x, y = axes()
    times = hours_of(DAY, range(6, 14))
    with new_era5(tmp_path / "t.nc", times, high[:6]) as file:
        values = np.full((times.size, 6, y.size, x.size), 280.0, "f4")
        put(file, "t", ("valid_time", "pressure_level", "latitude", "longitude"), values, units="K")
    write_t2m(tmp_path / "single.nc", FINAL)
    with netCDF4.Dataset(tmp_path / "single.nc", "a") as file:
        values = np.full((24, y.size, x.size), 99000.0, "f4")
        put(file, "sp", ("valid_time", "latitude", "longitude"), values, units="Pa")
    era5 = Era5(tmp_path, WARM, Preparation(weather_steps=8), GRID)
    with pytest.raises(DataError, match=r"levels of t .* Given none at 700, 550, 400\. Request"):
        era5.multi_at(NOON)


def test_files_named_by_their_download_are_found_by_content(tmp_path):
    """Six files, all with the date of the download in their names: the day is in one of them."""
    for i in range(FEW_FILES + 2):
        write_t2m(tmp_path / f"era5_20240115_{i}.nc", FINAL + i, days=(DAY + i,))
    value, _ = noon_of(tmp_path)
    assert value == [FINAL]
    era5 = Era5(tmp_path, WARM, FLAT, GRID)
    assert era5.missing(DAY + 30) != []
