"""Inputs and targets of the network: through files and readers, and straight from the world."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.inputs.grid import named_grid
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.cams.fields import CamsTargets
from dacno2_s5p.sources.flights import Flights
from dacno2_s5p.sources.stations.cells import Measurements
from dacno2_s5p.sources.weather.era5 import Era5
from dacno2_s5p.twin.network_days import TwinInputs
from dacno2_s5p.twin.writers.cams_europe import write_cams_reanalysis
from dacno2_s5p.twin.writers.eea import write_eea, write_station_lists
from dacno2_s5p.twin.writers.era5 import write_era5_pressure, write_era5_single
from dacno2_s5p.twin.writers.flights import write_flights

from .conftest import SUMMER

DAY = np.datetime64(SUMMER)
PREPARATION = Preparation(weather_steps=8)
HOURS = tuple(range(6, 14))


@pytest.fixture(scope="module")
def table():
    return InputTable.default()


@pytest.fixture(scope="module")
def direct(twin, summer_day, table):
    return TwinInputs(twin, table, PREPARATION, named_grid("europe-2km"))


def test_weather_through_files_is_the_same_to_the_last_bit(twin, table, direct, tmp_path):
    """ERA5 files written, read and resampled hold exactly what the world gives directly."""
    write_era5_single(twin, tmp_path, SUMMER, HOURS)
    write_era5_pressure(twin, tmp_path, SUMMER, HOURS)
    era5 = Era5(tmp_path, table, PREPARATION, named_grid("europe-2km"))
    assert era5.missing(DAY) == []
    arrays = direct.day_arrays(SUMMER)
    # sums of a few float32 products may round differently
    for found, given in ((era5.single(DAY), arrays["single"]), (era5.multi(DAY), arrays["multi"])):
        spread = given.std(axis=(0, -2, -1), keepdims=True) + 1e-12
        np.testing.assert_allclose(found / spread, given / spread, atol=1e-4)
    era5.close()


def test_cams_targets_through_files_are_the_same(twin, direct, tmp_path):
    """Months of the reanalysis give the target that the world gives directly."""
    write_cams_reanalysis(twin, tmp_path, [SUMMER], (11, 12, 13), heights=PREPARATION.heights)
    targets = CamsTargets(tmp_path, PREPARATION, named_grid("europe-2km"))
    given, found = direct.target(SUMMER), targets.target(DAY)
    assert given.stream == found.stream == "validated"
    assert given.no2.shape == (8, 180, 148)
    np.testing.assert_allclose(found.no2, given.no2, rtol=1e-5)
    targets.close()


def test_stations_through_files_are_where_and_what_they_were(twin, summer_day, tmp_path):
    """Cells, split and overpass means of the network come back from parquet and metadata."""
    pytest.importorskip("pyarrow")
    write_eea(twin, tmp_path, [SUMMER])
    write_station_lists(twin, tmp_path)
    measured = Measurements(tmp_path, named_grid("europe-2km"))
    cells = measured.cells(2019, [DAY])
    stations = twin.stations
    known = {(int(r), int(c)) for r, c in zip(stations.row, stations.column, strict=True)}
    assert {(cell.row, cell.column) for cell in cells} <= known
    # stations that are out on the only day fail the 20 % rule
    assert 640 < len(cells) <= 748
    held = set(
        zip(
            stations.row[stations.is_evaluation],
            stations.column[stations.is_evaluation],
            strict=True,
        )
    )
    background = [cell for cell in cells if cell.kind == "background"]
    assert all(((c.row, c.column) in held) == c.is_evaluation for c in background)
    means = measured.window_means(DAY, cells, "11-13")
    by_station = twin.observations(SUMMER)[11:14].mean(axis=0)
    single = {stations.code[i]: by_station[i] for i in range(stations.size)}
    compared = 0
    for cell, mean in zip(cells, means, strict=True):
        code = cell.members[0][4:11]
        if len(cell.members) == 1 and np.isfinite(single[code]):
            assert mean == pytest.approx(single[code], abs=1e-4)
            compared += 1
    assert compared > 500


def test_flights_through_files_are_the_same(twin, direct, tmp_path):
    """The sum of nine states from the CSV is the temporal input."""
    write_flights(twin, tmp_path, [SUMMER])
    total = Flights(tmp_path, "FLT_TOT_1").day(DAY)
    assert direct.day_arrays(SUMMER)["temporal"][2] == total


def test_static_and_monthly_maps_are_complete(direct, table):
    """Every row of the table that is a map has its channels on the fine grid."""
    maps = {**direct.static_maps(), **direct.month_maps(np.datetime64("2019-07"))}
    rows = [v for group in ("emission", "geography") for v in table.group(group)]
    assert set(maps) == {row.name for row in rows}
    for name, values in maps.items():
        assert values.shape[1:] == (720, 592), name
        assert np.isfinite(values).all()
    assert maps["land_cover"].shape[0] == 5
    np.testing.assert_array_equal(maps["land_cover"].sum(axis=0), 1.0)


def test_foreign_grids_are_refused(twin, table):
    """A grid whose cells are none of the world's is refused with a sentence."""
    with pytest.raises(ValueError, match="Invalid grid"):
        TwinInputs(twin, table, PREPARATION, named_grid("lonlat-0.02"))
