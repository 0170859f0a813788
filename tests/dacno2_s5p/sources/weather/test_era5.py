"""ERA5: the right numbers, hours, axes and heights, from synthetic and from real files."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from shutil import copyfile

import netCDF4
import numpy as np
import pytest
import xarray as xr

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs import regrid
from dacno2_s5p.inputs.grid import ModelGrid
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.weather.era5 import PRESSURE_LEVELS, Era5
from dacno2_s5p.sources.weather.heights import HeightOperator, surface_geopotential
from tests.builders.source_files import DAY, GRID, LEVELS, geopotential, write_era5

TABLE = InputTable.default()
STEPS = Preparation(weather_steps=8)
NOON = np.datetime64("2021-07-25T12", "h")
HIGHVELD = ModelGrid("highveld", "EPSG:4326", 26.2, -24.8, 0.02, 64, 64, 64, 1, 1)
"""Around Matimba, within the real files of that day."""


def rows(*names: str) -> InputTable:
    """Keep the weather variables of these names, and all of the other groups."""
    weather = ("single", "multi")
    return InputTable(v for v in TABLE.variables if v.group not in weather or v.name in names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("era5")
    for day in (DAY - 1, DAY):
        write_era5(path, day)
    return path


def read_part(folder, day, name):
    """Read a single-level variable of the archive of a day by xarray alone."""
    archive = folder / f"era5_single_{str(day).replace('-', '')}.nc"
    with zipfile.ZipFile(archive) as packed, tempfile.TemporaryDirectory() as unpacked:
        packed.extractall(unpacked)
        for part in Path(unpacked).iterdir():
            with xr.open_dataset(part) as data:
                if name in data:
                    return data[name].load()
    raise KeyError(name)


def at_centres(field: xr.DataArray, grid: ModelGrid) -> np.ndarray:
    """Interpolate to the centres of the 16 km cells by xarray."""
    x, y = regrid.centres_in(grid.cells(8), "EPSG:4326")
    points = {"longitude": (("y", "x"), x), "latitude": (("y", "x"), y)}
    values = field.sortby("latitude").interp(points, method="linear")
    return values.transpose(..., "y", "x").to_numpy()


def test_single_levels_are_bilinear_and_hourly_up_to_the_windows_end(folder):
    """The last of the steps is the window's last hour; values are those xarray interpolates."""
    values = Era5(folder, TABLE, STEPS, GRID).single(DAY)
    assert values.shape == (8, 13, 8, 8)
    for name in ("t2m", "ssrd"):
        channel = [v.name for v in TABLE.group("single")].index(name)
        expected = at_centres(read_part(folder, DAY, name), GRID)[6:14]
        # float32 files and results
        np.testing.assert_allclose(values[:, channel], expected, rtol=1e-6)


def test_weather_of_a_whole_day_ends_at_23(folder):
    """The paper's literal option takes the hours 00-23 of the day."""
    early = Era5(folder, TABLE, Preparation(weather_end="day"), GRID)
    channel = [v.name for v in TABLE.group("single")].index("t2m")
    expected = at_centres(read_part(folder, DAY, "t2m"), GRID)
    np.testing.assert_allclose(early.single(DAY)[:, channel], expected, rtol=1e-6)  # float32


def test_steps_across_midnight_read_the_day_before(folder):
    """24 hours that end at 13 UTC begin at 14 UTC of the day before."""
    values = Era5(folder, TABLE, Preparation(), GRID).single(DAY)
    channel = [v.name for v in TABLE.group("single")].index("tp")
    before = at_centres(read_part(folder, DAY - 1, "tp"), GRID)
    np.testing.assert_allclose(values[0, channel], before[14], rtol=1e-6)  # float32


def test_accumulations_of_longer_steps_are_means_of_their_hours(folder):
    """A step of three hours has the mean hourly accumulation of the stamps within it."""
    three = Preparation(weather_steps=8, weather_step_hours=3)
    values = Era5(folder, TABLE, three, GRID).single(DAY)
    names = [v.name for v in TABLE.group("single")]
    rain = at_centres(read_part(folder, DAY, "tp"), GRID)[11:14].mean(axis=0)
    np.testing.assert_allclose(values[-1, names.index("tp")], rain, rtol=1e-5)  # float32 sums
    warm = at_centres(read_part(folder, DAY, "t2m"), GRID)[13]
    np.testing.assert_allclose(values[-1, names.index("t2m")], warm, rtol=1e-6)  # float32


def test_winds_are_along_the_axes_of_the_grid(folder):
    """Speed stays; the direction turns by the angle between north and the grid's y axis."""
    values = Era5(folder, TABLE, STEPS, GRID).single(DAY)
    u, v = (at_centres(read_part(folder, DAY, name), GRID)[13] for name in ("u10", "v10"))
    x, y = values[-1, 0], values[-1, 1]
    np.testing.assert_allclose(np.hypot(x, y), np.hypot(u, v), rtol=1e-5)  # float32
    longitude, latitude = regrid.centres_in(GRID.cells(8), "EPSG:4326")
    # at the grid's latitudes, meridians of EPSG:3035 lean by (longitude - 10) sin(latitude)
    lean = np.deg2rad((10.0 - longitude) * np.sin(np.deg2rad(latitude)))
    turned = np.arctan2(y, x) - np.arctan2(v, u)
    apart = np.angle(np.exp(1j * (turned + lean)))
    assert lean.min() > 0.05
    # the azimuthal projection's meridians curve: 1 degree is far below the lean of 5 and more
    assert np.abs(apart).max() < np.deg2rad(1.0)


def test_heights_above_ground_use_nothing_below_ground(folder, tmp_path):
    """Garbage on levels below the ground changes nothing."""
    clean = Era5(folder, TABLE, STEPS, GRID).multi(DAY)
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for path in tmp_path.glob("era5_pressure*"):
        with netCDF4.Dataset(path, "a") as dataset:  # 1000 hPa lies below the ground of 990 hPa
            for name in ("u", "t", "q", "cc"):
                dataset[name][:, 0] = 1.0 if name == "cc" else 200.0 if name == "t" else 0.01
    np.testing.assert_array_equal(Era5(tmp_path, TABLE, STEPS, GRID).multi(DAY), clean)


def test_geopotential_at_heights_is_that_of_the_ground_plus_height(folder):
    """The channel z rises by g times the difference of heights."""
    values = Era5(folder, TABLE, STEPS, GRID).multi(DAY)
    z = values[:, [v.name for v in TABLE.group("multi")].index("z")]
    heights = np.array(STEPS.heights)
    rise = z - z[:, :1]
    expected = np.broadcast_to(9.80665 * heights[:, None, None], rise.shape[1:])
    # float32 geopotentials of 5e4 m2 s-2
    np.testing.assert_allclose(rise, np.broadcast_to(expected, rise.shape), atol=0.02)


def test_height_operator_is_linear_in_height_and_holds_the_lowest_level():
    """Between levels linear in height; below the lowest above ground its value."""
    pressure = 100.0 * np.array(LEVELS, dtype=float)
    z = np.broadcast_to(geopotential()[:, None, None], (len(LEVELS), 1, 2)).copy()
    surface = np.array([[101000.0, 88000.0]])
    ground = np.array([[-780.0, 9.80665 * 8000.0 * np.log(1000 / 880)]])
    operator = HeightOperator.build((0.0, 250.0, 2000.0), pressure, z, surface, ground)
    above = (z - ground) / 9.80665
    for column in range(2):
        kept = above[:, 0, column] > 0
        field = 3.0 * above + 5.0
        expected = np.interp((0.0, 250.0, 2000.0), above[kept, 0, column], field[kept, 0, column])
        found = operator.apply(np.where(above > 0, field, np.nan))[:, 0, column]
        np.testing.assert_allclose(found, expected, rtol=1e-12)  # float64 arithmetic


def test_the_ground_follows_from_pressure_and_temperature():
    """An isothermal dry column has its ground where the hypsometric equation says."""
    pressure = np.array([95000.0, 85000.0])
    scale = 287.05287 * 280.0
    z = np.broadcast_to((scale * np.log(1e5 / pressure))[:, None, None], (2, 1, 1))
    t = np.full((2, 1, 1), 280.0)
    q = np.zeros((2, 1, 1))
    sp = np.array([[90000.0]])
    found = surface_geopotential(pressure, z, t, q, sp, t[0])
    np.testing.assert_allclose(found, scale * np.log(1e5 / sp), rtol=1e-12)  # float64


def test_the_lowest_layer_has_the_mean_virtual_temperature():
    """Between ground and lowest level: the mean of both temperatures, moist air thicker."""
    pressure, sp = np.array([95000.0, 85000.0]), np.array([[98000.0]])
    z, t = np.array([5000.0, 14000.0]), np.array([280.0, 274.0])
    columns = [np.broadcast_to(v[:, None, None], (2, 1, 1)) for v in (z, t, np.full(2, 0.01))]
    found = surface_geopotential(pressure, *columns, sp, np.array([[290.0]]))
    virtual = 285.0 * (1.0 + 0.608 * 0.01)
    expected = 5000.0 - 287.05287 * virtual * np.log(98000.0 / 95000.0)
    np.testing.assert_allclose(found, expected, rtol=1e-12)  # float64


def test_levels_that_end_too_low_are_refused(folder, tmp_path):
    """Heights above the highest level are never extrapolated to."""
    preparation = Preparation(heights=(0.0, 9000.0), weather_steps=8)
    with pytest.raises(DataError, match="reach 9000 m above ground"):
        Era5(folder, TABLE, preparation, GRID).multi(DAY)


def test_what_a_day_lacks_is_named(folder):
    """A day after the files lacks all variables at all of its stamps, one before only some."""
    era5 = Era5(folder, TABLE, STEPS, GRID)
    assert era5.missing(DAY) == []
    (sentence,) = era5.missing(DAY + 1)
    assert "blh" in sentence and "cc" in sentence and "2019-07-03T06 .. 2019-07-03T13" in sentence


@pytest.mark.parametrize("value", [np.nan, 500.0])
def test_a_missing_or_impossible_value_is_refused(folder, tmp_path, value):
    """One NaN, or one value out of range, stops the day and names the variable."""
    for path in folder.glob("era5_pressure*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    for path in folder.glob("era5_single*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / f"era5_pressure_{str(DAY).replace('-', '')}.nc"
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["cc"][10, 3:6] = value
    with pytest.raises(DataError, match="cc"):
        Era5(tmp_path, TABLE, STEPS, GRID).multi(DAY)


def test_a_wrong_unit_is_refused(folder, tmp_path):
    """Temperatures said to be in Celsius are no input."""
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    path = tmp_path / f"era5_pressure_{str(DAY).replace('-', '')}.nc"
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["w"].units = "m s**-1"
    with pytest.raises(DataError, match=r"Invalid unit of w .* must be Pa s-1"):
        Era5(tmp_path, TABLE, STEPS, GRID).multi(DAY)


def test_a_file_that_is_too_small_is_refused(folder):
    """Weather must enclose the grid."""
    wide = ModelGrid("wide", "EPSG:3035", 3_072_000.0, 2_096_000.0, 2000.0, 64, 64, 64, 1, 1)
    with pytest.raises(DataError, match="must cover the grid"):
        Era5(folder, TABLE, STEPS, wide).single(DAY)


def test_impossible_preparations_are_refused(folder):
    """A vertical treatment there is none of, and heights that do not match the levels."""
    with pytest.raises(ConfigurationError, match="height or pressure"):
        Era5(folder, TABLE, Preparation(vertical="model"), GRID)
    with pytest.raises(ConfigurationError, match="as many levels as heights"):
        Era5(folder, TABLE, Preparation(vertical="pressure", heights=(0.0, 50.0)), GRID)


@pytest.mark.real
def test_real_single_levels_match_xarray(real_file):
    """Real ERA5 of the new data store: what xarray interpolates independently."""
    path = real_file("Matimba_ERA5-sl-20210725.nc")
    table = rows("u10", "v10", "t2m", "blh", "tcc", "sp", "t")
    values = Era5(path, table, STEPS, HIGHVELD).single_at(NOON)
    with xr.open_dataset(path) as data:
        noon = data.sel(valid_time=NOON.astype("datetime64[ns]"))
        for i, variable in enumerate(table.group("single")):
            expected = at_centres(noon[variable.name], HIGHVELD)
            np.testing.assert_allclose(values[i], expected, rtol=2e-6, atol=1e-6)  # float32


@pytest.mark.real
def test_real_ground_matches_its_own_geopotential(real_file):
    """The hypsometric ground lies within metres of ERA5's own orography."""
    with (
        xr.open_dataset(real_file("Matimba_ERA5-sl-20210725.nc")) as surface,
        xr.open_dataset(real_file("Matimba_ERA5-pl-20210725.nc")) as levels,
    ):
        below, above = surface.isel(valid_time=12), levels.isel(valid_time=12)
        pressure = 100.0 * above.pressure_level.to_numpy()
        z, t = above.z.to_numpy(), above.t.to_numpy()
        found = surface_geopotential(
            pressure, z, t, np.zeros_like(t), below.sp.to_numpy(), below.t2m.to_numpy()
        )
        apart = (found - below.z.to_numpy()) / 9.80665
    # dry air for want of humidity: 0.4 % of at most 250 m, and a superadiabatic lowest layer
    assert np.abs(apart).max() < 5.0


@pytest.mark.real
def test_real_heights_match_a_column_by_column_interpolation(real_file, tmp_path):
    """Both real files together: temperatures at heights as np.interp finds them."""
    for name in ("sl", "pl"):
        copyfile(real_file(f"Matimba_ERA5-{name}-20210725.nc"), tmp_path / f"{name}.nc")
    heights = (0.0, 250.0, 500.0, 1000.0, 2000.0)
    table = rows("t2m", "t", "u", "v")
    preparation = Preparation(heights=heights, weather_steps=8)
    values = Era5(tmp_path, table, preparation, HIGHVELD).multi_at(NOON)
    with xr.open_dataset(tmp_path / "sl.nc") as surface, xr.open_dataset(tmp_path / "pl.nc") as up:
        below, above = surface.isel(valid_time=12), up.isel(valid_time=12)
        shape = (len(heights), below.latitude.size, below.longitude.size)
        columns = np.empty(shape)
        for j, i in np.ndindex(shape[1:]):
            over = above.pressure_level.to_numpy() * 100.0 < float(below.sp[j, i])
            z = (above.z[over, j, i].to_numpy() - float(below.z[j, i])) / 9.80665
            columns[:, j, i] = np.interp(heights, z, above.t[over, j, i].to_numpy())
        field = xr.DataArray(
            columns,
            dims=("height", "latitude", "longitude"),
            coords={"latitude": below.latitude, "longitude": below.longitude},
        )
    channel = [v.name for v in table.group("multi")].index("t")
    # the ground differs by up to 5 m from ERA5's own (test above), times 10 K per km
    np.testing.assert_allclose(values[channel], at_centres(field, HIGHVELD), atol=0.06)


@pytest.mark.real
def test_real_packed_legacy_levels_match_xarray(real_file):
    """Real ERA5 of the old data store, int16 and `level`, on pressure levels over Europe."""
    path = real_file("ERA5-pl-20190101T12-13_europe.nc")
    table = rows("t2m", "t", "q", "z", "cc")
    era5 = Era5(path, table, Preparation(vertical="pressure"), GRID)
    time = np.datetime64("2019-01-01T13", "h")
    values = era5.multi_at(time)
    with xr.open_dataset(path) as data:
        chosen = data.sel(time=time.astype("datetime64[ns]"), level=list(PRESSURE_LEVELS))
        for i, variable in enumerate(table.group("multi")):
            expected = at_centres(chosen[variable.name], GRID)
            scale = np.abs(expected).max()
            # xarray unpacks to float32, the reader to float64
            np.testing.assert_allclose(values[i], expected, atol=1e-6 * scale)
