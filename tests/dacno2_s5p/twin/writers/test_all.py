"""Files of the twin world have the real layouts: the project's own readers open them."""

from __future__ import annotations

import csv
import zipfile

import numpy as np
import pytest
import xarray as xr

from dacno2_s5p.twin.air.calendar import SECTORS
from dacno2_s5p.twin.air.profile import CAMS_HEIGHTS, HEIGHTS
from dacno2_s5p.twin.land.world import BOX
from dacno2_s5p.twin.models.cams_model import cams_grid
from dacno2_s5p.twin.writers import era5 as write_era5
from dacno2_s5p.twin.writers.cams_europe import (
    reanalysis_name,
    write_cams_forecast,
    write_cams_reanalysis,
)
from dacno2_s5p.twin.writers.cams_global import write_cams_global
from dacno2_s5p.twin.writers.ctmana import write_ctmana
from dacno2_s5p.twin.writers.eea import COLUMNS, sampling_point, write_eea
from dacno2_s5p.twin.writers.flights import write_flights
from dacno2_s5p.twin.writers.inventory import MOLAR_MASS_NO, write_inventory
from dacno2_s5p.twin.writers.profiles import overpass_mean, write_true_profiles
from dacno2_s5p.twin.writers.rasters import (
    tile_name,
    write_grip4,
    write_land_cover,
    write_population,
)
from retrieval.apriori.registry import open_apriori
from retrieval.errors import OutputError
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from tests.dacno2_s5p.twin.conftest import SUMMER

WHOLE = slice(None)


@pytest.fixture(scope="module")
def cams(twin, summer_day, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cams")
    return folder, write_cams_reanalysis(twin, folder, [SUMMER], hours=(11, 12, 13))


def test_cams_months_open_as_the_reanalysis(cams, twin):
    """Ten levels, the cut grid of 2019, three stamps, ug m-3 and the word synthetic."""
    folder, paths = cams
    assert [p.name for p in paths] == [
        reanalysis_name("2019-07", height, full=False) for height in CAMS_HEIGHTS
    ]
    opened = open_apriori(folder)
    assert opened.is_synthetic
    assert opened.kind == "CAMS European reanalysis"
    assert opened.vertical.height.tolist() == list(CAMS_HEIGHTS)
    grid = cams_grid(2019, BOX)
    # coordinates are stored as float32
    np.testing.assert_allclose(opened.grid.x, grid.x, atol=1e-5)
    assert str(opened.times[1]) == "2019-07-10T12:00:00.000"
    expected = twin.cams.on_grid(SUMMER, 12, grid) * MICROGRAM_M3_TO_MOL_M3
    np.testing.assert_allclose(opened.read(1, WHOLE, WHOLE), expected, rtol=1e-5)
    opened.close()


def test_files_are_not_replaced_unasked(cams, twin):
    """Writing again without `overwrite` is refused."""
    folder, _ = cams
    with pytest.raises(OutputError):
        write_cams_reanalysis(twin, folder, [SUMMER], hours=(12,), heights=(0.0,))


def test_forecast_opens_with_its_date_from_the_long_name(cams, twin, tmp_path):
    """The forecast layout: longitudes through Greenwich, descending latitudes, plain hours."""
    path = write_cams_forecast(twin, tmp_path, SUMMER, hours=(12,))
    opened = open_apriori(path)
    assert opened.is_synthetic
    assert str(opened.times[0]) == "2019-07-10T12:00:00.000"
    expected = twin.cams.on_grid(SUMMER, 12, cams_grid(2020, BOX)) * MICROGRAM_M3_TO_MOL_M3
    np.testing.assert_allclose(opened.read(0, WHOLE, WHOLE), expected, rtol=1e-5)
    opened.close()


def test_ctmana_opens_with_its_layers(twin, summer_day, tmp_path):
    """34 layers, half hours, mole fractions, and the meteorology that goes with them."""
    path = write_ctmana(twin, tmp_path, SUMMER, steps=(24, 25))
    opened = open_apriori(path)
    assert opened.is_synthetic
    assert opened.kind == "TM5-MP CTMANA"
    np.testing.assert_allclose(opened.vertical.a, twin.tm5.a)
    assert (np.diff(opened.times) / np.timedelta64(1, "m")).tolist() == [30.0]
    np.testing.assert_allclose(
        opened.read(0, WHOLE, WHOLE), twin.tm5.fields(SUMMER, 24).no2, rtol=1e-6
    )
    opened.close()
    with xr.open_dataset(path) as dataset:
        assert set(dataset.tropopause_layer_index.values.ravel()) <= set(range(13, 18))
        assert dataset.surface_altitude.dims == ("lat", "lon")


def test_the_truth_opens_as_a_profile_file(twin, summer_day, tmp_path):
    """All dense heights on the 2 km grid, the overpass mean."""
    path = write_true_profiles(twin, tmp_path, SUMMER, dense=True)
    opened = open_apriori(path)
    assert opened.is_synthetic
    assert opened.vertical.height.tolist() == list(HEIGHTS)
    assert opened.grid.shape == (720, 592)
    rows = slice(300, 310)
    expected = overpass_mean(twin, SUMMER, (0.0, 25.0))[:, rows]
    # float32, stored in ug m-3 and read in mol m-3
    np.testing.assert_allclose(opened.read(0, rows, WHOLE)[:2], expected, rtol=1e-5)
    opened.close()


def test_cams_global_opens_on_pressure_levels(twin, summer_day, tmp_path):
    """25 levels, mass mixing ratios read back as mole fractions of the TM5-like size."""
    path = write_cams_global(twin, tmp_path, SUMMER, hours=(12,))
    opened = open_apriori(path)
    assert opened.is_synthetic
    field = opened.read(0, WHOLE, WHOLE)
    assert field.shape[0] == 25
    near_ground, upper = field[0].mean(), field[9].mean()
    assert 1e-10 < near_ground < 5e-9
    assert 5e-12 < upper < 1e-10
    opened.close()


def test_era5_single_levels_are_a_zip_of_two_files(twin, tmp_path):
    """Instantaneous and accumulated parts with all thirteen variables; no sun at night."""
    path = write_era5.write_era5_single(twin, tmp_path, SUMMER)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
        names = archive.namelist()
    assert names == ["data_stream-oper_stepType-instant.nc", "data_stream-oper_stepType-accum.nc"]
    instant, accumulated = (xr.open_dataset(tmp_path / name) for name in names)
    assert set(write_era5.INSTANT) <= set(instant.data_vars)
    assert set(write_era5.ACCUMULATED) <= set(accumulated.data_vars)
    assert "synthetic" in instant.attrs["source"]
    assert (np.diff(instant.latitude) < 0).all()
    paris = {"latitude": 48.75, "longitude": 2.25}
    sun = accumulated.ssrd.sel(**paris).values / 3600.0
    assert sun[1] == 0.0 and sun[22] == 0.0
    assert 200.0 < sun[12] < 1000.0
    # accumulated over the hour that ends at the stamp: the day is centred half an hour late
    centre = (sun * np.arange(24)).sum() / sun.sum()
    assert 11.0 < centre < 13.5
    assert accumulated.sshf.sel(**paris).values[12] < 0.0  # upward by day
    assert float(accumulated.strd.min()) / 3600.0 > 150.0
    instant.close()
    accumulated.close()


def test_era5_pressure_levels_open_as_meteorology(twin, tmp_path):
    """Nine variables on levels; temperatures fall and heights rise upward."""
    path = write_era5.write_era5_pressure(twin, tmp_path, SUMMER, hours=(12,))
    with xr.open_dataset(path) as dataset:
        assert set(write_era5.PRESSURE) <= set(dataset.data_vars)
        mean = dataset[list(write_era5.PRESSURE)].mean(("latitude", "longitude", "valid_time"))
        assert (np.diff(mean.z) > 0).all()
        assert 20.0 < float(mean.t.sel(pressure_level=850) - mean.t.sel(pressure_level=500)) < 40.0
        assert float(dataset.q.min()) > 0.0
        assert float(dataset.cc.min()) >= 0.0 and float(dataset.cc.max()) <= 1.0


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_eea_files_hold_the_observations(twin, summer_day, tmp_path):
    """Values, validity, the UTC+1 stamps and the country prefix; metadata of every station."""
    parquet = pytest.importorskip("pyarrow.parquet")
    paths = write_eea(twin, tmp_path, [SUMMER])
    stations = twin.stations
    assert len(paths) == stations.size + 1
    i = int(np.flatnonzero(stations.kind == "background")[5])
    rows = parquet.read_table(tmp_path / f"{sampling_point(stations, i)}.parquet").to_pylist()
    assert rows[0]["Samplingpoint"] == f"{stations.country[i]}/{sampling_point(stations, i)}"
    observed = twin.observations(SUMMER)[:, i]
    for row in rows:
        hour = int((np.datetime64(row["End"]) - np.datetime64(SUMMER)) / np.timedelta64(1, "h")) - 1
        if row["Validity"] > 0:
            assert float(row["Value"]) == pytest.approx(observed[hour], abs=1e-5)
        else:
            assert row["Value"] is None and np.isnan(observed[hour])
    with paths[-1].open(newline="") as file:
        metadata = list(csv.DictReader(file, delimiter="\t"))
    assert tuple(metadata[0]) == COLUMNS
    assert {row["AirQualityStationType"] for row in metadata} == {
        "background",
        "industrial",
        "traffic",
    }


def test_inventory_conserves_what_it_reports(twin, tmp_path):
    """Sum over cells x area equals the inventory's own total inside the box; sum = sectors."""
    path = write_inventory(twin, tmp_path, 2019)
    with xr.open_dataset(path) as dataset:
        parts = sum(dataset[sector] for sector in SECTORS)
        np.testing.assert_allclose(dataset["sum"], parts, rtol=1e-5)
        latitude = dataset.lat.values
        area = (
            6371007.0**2
            * np.deg2rad(0.1)
            * (np.sin(np.deg2rad(latitude + 0.05)) - np.sin(np.deg2rad(latitude - 0.05)))
        )
        written = float((dataset["sum"][6].values * area[:, None]).sum())
    g = twin.geography
    west, south, east, north = BOX
    lon, lat = g.points.longitude, g.points.latitude
    inside = (lon > west) & (lon < east) & (lat > south) & (lat < north)
    flux = sum(twin.inventory.monthly(sector, 2019, 7) for sector in SECTORS)
    reported = float(flux[inside].sum(dtype=np.float64)) * 4e6 * MOLAR_MASS_NO
    # cells cut by the box's edge
    assert written == pytest.approx(reported, rel=5e-3)


def test_flights_have_eurocontrols_columns(twin, tmp_path):
    """One row for each airport and day, totals equal departures and arrivals."""
    path = write_flights(twin, tmp_path, [SUMMER, "2019-07-11"])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["APT_ICAO"], row["FLT_DATE"]) for row in rows}) == len(rows)
    assert {row["FLT_DATE"][:10] for row in rows} == {SUMMER, "2019-07-11"}
    for row in rows:
        assert int(row["FLT_DEP_1"]) + int(row["FLT_ARR_1"]) == int(row["FLT_TOT_1"])


def test_static_rasters_lie_where_the_world_does(twin, tmp_path):
    """Population keeps its sum, land cover its classes, roads their header; Paris is at home."""
    rasterio = pytest.importorskip("rasterio")
    population = write_population(twin, tmp_path)
    with rasterio.open(population) as raster:
        people = raster.read(1)
        assert raster.crs.to_epsg() == 3035
        row, column = raster.index(3_760_000.0, 2_890_000.0)  # Paris
        assert people[row - 2 : row + 3, column - 2 : column + 3].mean() > 5000.0
    total = twin.geography.population.sum(dtype=np.float64)
    assert people.sum(dtype=np.float64) == pytest.approx(total, rel=1e-3)
    with rasterio.open(write_land_cover(twin, tmp_path)) as raster:
        codes = raster.read(1, window=((7000, 7200), (6000, 6400)))
        assert raster.res == (100.0, 100.0)
        assert set(np.unique(codes)) <= set(range(1, 45))
    road = write_grip4(twin, tmp_path)[-1]
    header = dict(line.split() for line in road.read_text().splitlines()[:6])
    assert (header["ncols"], header["nrows"]) == ("240", "192")
    values = np.loadtxt(road, skiprows=6)
    assert values.shape == (192, 240)
    assert (values[values >= 0] < 1e5).all() and values.max() > 500.0


def test_tile_names_are_lower_left_corners():
    """West and east of Greenwich."""
    assert tile_name(0, 50) == "n50e000_dem.tif"
    assert tile_name(-10, 40) == "n40w010_dem.tif"
