"""Stations: which count, where, when, and on which side of the split."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.sources.stations.cells import Measurements, StationRules
from dacno2_s5p.sources.stations.files import read_hours
from dacno2_s5p.sources.stations.metadata import read_metadata
from tests.builders.source_files import (
    DAY,
    GRID,
    METADATA_COLUMNS,
    hours_of,
    place,
    write_metadata,
    write_parquet,
    write_stations,
)

DAYS = [DAY, DAY + 1]
ENDS = np.concatenate([hours_of(day) for day in DAYS])


def lists(folder, training, evaluation=None):
    head = "AirQualityStationEoICode\n"
    (folder / "stations_assimilated_by_cams.csv").write_text(head + "\n".join(training) + "\n")
    if evaluation is not None:
        (folder / "stations_evaluation.csv").write_text(head + "\n".join(evaluation) + "\n")


def test_cells_hold_the_stations_and_their_split(tmp_path):
    """Traffic is left out; what CAMS does not assimilate is held back."""
    write_stations(tmp_path, DAYS)
    cells = Measurements(tmp_path, GRID).cells(2019, DAYS)
    assert [(c.row, c.column, c.is_evaluation) for c in cells] == [
        (10, 10, False),
        (30, 20, False),
        (50, 40, True),
    ]


def test_hours_are_known_by_their_end_in_utc(tmp_path):
    """The window 11-13 UTC is the mean of the hours that end then, whatever the file's offset."""
    write_metadata(tmp_path, [("FR001", "background", 1.5, 1.5)])
    lists(tmp_path, ["FR001"])
    for offset in (0, 1):
        write_parquet(tmp_path, "FR001", ENDS, np.arange(48.0), offset=offset)
        data = Measurements(tmp_path, GRID, StationRules(offset_hours=offset))
        cells = data.cells(2019, DAYS)
        assert data.window_means(DAY, cells, "11-13").tolist() == [12.0]
        assert data.window_means(DAY + 1, cells, "daily").tolist() == [35.5]


def test_background_wins_in_a_mixed_cell_and_others_are_averaged(tmp_path):
    """Two background stations make a mean; the industrial one beside them does not count."""
    stations = [
        ("FR001", "background", 5.2, 5.2),
        ("FR002", "background", 5.7, 5.7),
        ("FR003", "industrial", 5.5, 5.5),
        ("FR004", "industrial", 9.5, 9.5),
    ]
    write_metadata(tmp_path, stations)
    for i, (code, *_rest) in enumerate(stations):
        write_parquet(tmp_path, code, ENDS, np.full(48, 10.0 * (i + 1)))
    lists(tmp_path, ["FR001", "FR002", "FR003", "FR004"])
    data = Measurements(tmp_path, GRID)
    cells = data.cells(2019, DAYS)
    assert [c.kind for c in cells] == ["background", "industrial"]
    assert data.window_means(DAY, cells, "11-13").tolist() == [15.0, 40.0]


def test_stations_with_too_few_hours_do_not_count(tmp_path):
    """The 20 % rule: 9 of 48 hours are too few, 10 are enough."""
    write_metadata(tmp_path, [("FR001", "background", 1.5, 1.5), ("FR002", "background", 8.5, 8.5)])
    lists(tmp_path, ["FR001", "FR002"])
    for code, n in (("FR001", 9), ("FR002", 10)):
        validity = np.where(np.arange(48) < n, 1, -1)
        write_parquet(tmp_path, code, ENDS, np.full(48, 5.0), validity)
    cells = Measurements(tmp_path, GRID).cells(2019, DAYS)
    assert [c.members for c in cells] == [("SPO-FR002",)]


@pytest.mark.parametrize("goes_on", [False, True])
@pytest.mark.parametrize("kind", ["background", "industrial"])
def test_a_cell_is_on_one_side_in_all_years(tmp_path, goes_on, kind):
    """A training station that closes before a held-out one opens beside it is not trained on."""
    later = DAY + 4 * 365
    stations = [("FR001", kind, 5.2, 5.2), ("FR002", kind, 5.7, 5.7), ("FR003", kind, 8.5, 8.5)]
    write_metadata(tmp_path, stations)
    lists(tmp_path, ["FR001", "FR003"], ["FR002"])
    both = np.concatenate([hours_of(DAY), hours_of(later)])
    for code, ends in (
        ("FR001", both if goes_on else both[:24]),
        ("FR002", both[24:]),
        ("FR003", both),
    ):
        write_parquet(tmp_path, code, ends, np.full(ends.size, 5.0))
    data = Measurements(tmp_path, GRID)
    first, second = data.cells(2019, [DAY]), data.cells(2023, [later])
    assert [(c.row, c.is_evaluation) for c in first] == [(8, False)]
    assert [(c.row, c.is_evaluation) for c in second] == [(5, True), (8, False)]
    members = ("SPO-FR001", "SPO-FR002") if goes_on else ("SPO-FR002",)
    assert second[0].members == members


def test_a_held_out_industrial_station_holds_back_the_background_beside_it(tmp_path):
    """The background station would win in the cell, and is left out: it is in neither part."""
    write_metadata(tmp_path, [("FR001", "background", 5.2, 5.2), ("FR002", "industrial", 5.7, 5.7)])
    lists(tmp_path, ["FR001"], ["FR002"])
    write_parquet(tmp_path, "FR001", ENDS[:24], np.full(24, 5.0))
    write_parquet(tmp_path, "FR002", ENDS, np.full(48, 9.0))
    data = Measurements(tmp_path, GRID)
    assert data.cells(2019, DAYS) == []
    assert [c.is_evaluation for c in data.cells(2019, DAYS[1:])] == [True]


def test_a_window_needs_most_of_its_hours(tmp_path):
    """One of three hours missing is no mean; below detection (2) is valid, -99 is not."""
    write_metadata(tmp_path, [("FR001", "background", 1.5, 1.5)])
    lists(tmp_path, ["FR001"])
    validity = np.full(48, 2)
    validity[12] = -99
    write_parquet(tmp_path, "FR001", ENDS, np.full(48, 5.0), validity)
    data = Measurements(tmp_path, GRID)
    cells = data.cells(2019, DAYS)
    assert np.isnan(data.window_means(DAY, cells, "11-13")[0])
    assert data.window_means(DAY + 1, cells, "11-13")[0] == 5.0
    assert data.window_means(DAY, cells, "daily")[0] == 5.0


def test_the_split_of_background_stations_is_never_drawn_silently(tmp_path):
    """Without a list an error that says what to give; drawn only when asked."""
    write_stations(tmp_path, DAYS)
    (tmp_path / "stations_assimilated_by_cams.csv").unlink()
    with pytest.raises(ConfigurationError, match="3 on none, the first SPO-FR001"):
        Measurements(tmp_path, GRID)
    drawn = Measurements(tmp_path, GRID, StationRules(draw=True, seed=3))
    again = Measurements(tmp_path, GRID, StationRules(draw=True, seed=3))
    assert drawn.evaluation == again.evaluation


def test_with_two_lists_every_background_station_is_on_one(tmp_path):
    """A station on neither, and one on both, are errors."""
    write_stations(tmp_path, DAYS)
    lists(tmp_path, ["FR001"], ["FR003"])
    with pytest.raises(ConfigurationError, match="1 on none, the first SPO-FR002"):
        Measurements(tmp_path, GRID)
    lists(tmp_path, ["FR001", "FR002", "FR003"], ["FR003"])
    with pytest.raises(ConfigurationError, match="SPO-FR003 on both"):
        Measurements(tmp_path, GRID)


def test_old_csv_files_are_read(tmp_path):
    """E1a CSV with stated offsets, UTF-16 as it came, other pollutants passed over."""
    head = "SamplingPoint,AirPollutantCode,AveragingTime,Concentration,UnitOfMeasurement,"
    head += "DatetimeBegin,DatetimeEnd,Validity,Verification"
    code = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/"
    rows = [
        f"SPO-A,{code}8,hour,12.5,µg/m3,2018-01-01 00:00:00 +01:00,2018-01-01 01:00:00 +01:00,1,1",
        f"SPO-A,{code}8,hour,13.5,µg/m3,2018-01-01 01:00:00 +01:00,2018-01-01 02:00:00 +01:00,-1,1",
        f"SPO-A,{code}7,hour,80.0,µg/m3,2018-01-01 01:00:00 +01:00,2018-01-01 02:00:00 +01:00,1,1",
        f"SPO-A,{code}8,day,9.0,µg/m3,2018-01-01 00:00:00 +01:00,2018-01-02 00:00:00 +01:00,1,1",
    ]
    for encoding in ("utf-8", "utf-16"):
        path = tmp_path / f"{encoding}.csv"
        path.write_text("\n".join([head, *rows]) + "\n", encoding=encoding)
        (hours,) = read_hours(path)
        assert hours.sampling_point == "SPO-A" and hours.values.tolist() == [12.5]
        assert str(hours.ends[0]) == "2018-01-01T00:00:00"


def test_values_and_units_that_are_no_no2_are_refused(tmp_path):
    """A plausible range for hourly values, and a unit that must be micrograms."""
    write_parquet(tmp_path, "FR001", ENDS, np.full(48, 5000.0))
    with pytest.raises(DataError, match="Valid values must lie"):
        list(read_hours(tmp_path / "SPO-FR001.parquet"))
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(DataError, match="Damaged station file"):
        list(read_hours(tmp_path / "a.parquet"))


def test_metadata_are_tab_separated(tmp_path):
    """Another table is refused with the columns it lacks."""
    write_metadata(tmp_path, [("FR001", "background", 1.5, 1.5)])
    path = tmp_path / "PanEuropean_metadata.csv"
    (station,) = read_metadata(path).values()
    assert (station.code, station.kind, station.area) == ("FR001", "background", "urban")
    path.write_text(path.read_text().replace("\t", ","))
    with pytest.raises(DataError, match=r"separated by TABs.* Given: no column SamplingPoint"):
        read_metadata(path)


LATITUDE = f"{place(1.5, 1.5)[1]:.6f}"


@pytest.mark.parametrize(
    ("old", "new", "given"),
    [
        ("background", "backgroune", "'backgroune'"),
        (LATITUDE, "nan", "'nan'"),
        (LATITUDE, "480.5", "'480.5'"),
        ("FR001\tFR001", "FR001\x00\tFR001", None),
        ("\turban", "", "7 fields of 8"),
    ],
)
def test_damaged_metadata_are_one_line(tmp_path, old, new, given):
    """A type or place that is none would leave the station out unseen."""
    write_metadata(tmp_path, [("FR001", "background", 1.5, 1.5)])
    path = tmp_path / "PanEuropean_metadata.csv"
    path.write_text(path.read_text().replace(old, new))
    if given is None:
        assert len(read_metadata(path)) == 1
        return
    with pytest.raises(DataError, match="Invalid station metadata") as error:
        read_metadata(path)
    assert given in str(error.value)


HEAD = "SamplingPoint,AveragingTime,Concentration,UnitOfMeasurement,DatetimeEnd,Validity\n"


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ("A,hour,12x,µg/m3,2018-01-01 01:00:00 +01:00,1", "'1', '12x'"),
        ("A,hour,12,µg/m3,2018-01-01 01:00:00 +01:00,one", "'one', '12'"),
        ("A,hour,12,µg/m3,2018-01-01 01:00:00,1", "offset to UTC"),
        ("A,hour,12,µg/m3,2018-02-31 01:00:00 +01:00,1", "Times must be dates"),
        ("A,hour,12,µg/m3,2018-01-01 01:00:00 +01:00", "5 fields of 6"),
        ("A,hour,12,µg/m4,2018-01-01 01:00:00 +01:00,1", "µg/m4"),
    ],
)
def test_damaged_lines_of_old_csv_are_refused(tmp_path, line, given):
    """An hour is never passed over because its line cannot be read."""
    path = tmp_path / "a.csv"
    path.write_text(f"{HEAD}{line}\n", encoding="utf-8")
    with pytest.raises(DataError, match="Invalid station file") as error:
        list(read_hours(path))
    assert given in str(error.value)


@pytest.mark.parametrize(
    ("column", "values", "given"),
    [
        ("Validity", [1, None], "missing entries in Validity"),
        ("End", [None, None], "missing entries in End"),
        ("Value", [True, False], "values of type bool"),
        ("End", ["zone"], "not times without a zone"),
    ],
)
def test_damaged_columns_of_parquet_are_refused(tmp_path, column, values, given):
    """Gaps would leave hours out; a zone would be taken off twice."""
    import pyarrow as pa
    from pyarrow import parquet

    write_parquet(tmp_path, "FR001", ENDS[:2], [1.0, 2.0])
    path = tmp_path / "SPO-FR001.parquet"
    table = parquet.read_table(path)
    kind = None if column == "Value" else table[column].type
    odd = (
        pa.array(values, kind)
        if values != ["zone"]
        else table[column].cast(pa.timestamp("ms", "UTC"))
    )
    parquet.write_table(table.set_column(table.column_names.index(column), column, odd), path)
    with pytest.raises(DataError, match="Damaged station file") as error:
        list(read_hours(path))
    assert given in str(error.value)


def test_a_checksum_of_parquet_is_looked_at(tmp_path):
    """A byte changed in a page of values is told where the writer kept its checksum."""
    from pyarrow import parquet

    write_parquet(tmp_path, "FR001", ENDS, np.linspace(1.0, 48.0, 48))
    path = tmp_path / "SPO-FR001.parquet"
    parquet.write_table(
        parquet.read_table(path), path, write_page_checksum=True, compression="none",
        use_dictionary=False, store_schema=False,
    )  # fmt: skip
    column = next(
        c
        for c in map(parquet.read_metadata(path).row_group(0).column, range(9))
        if c.path_in_schema == "Value"
    )
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size - 3] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="Damaged station file"):
        list(read_hours(path))


def test_a_damaged_or_empty_list_of_stations_is_refused(tmp_path):
    """Stations would go over to the other list unseen."""
    stations = [("FR001", "background", 10.5, 10.5)]
    write_metadata(tmp_path, stations)
    write_parquet(tmp_path, "FR001", ENDS, np.full(48, 10.0))
    path = tmp_path / "stations_assimilated_by_cams.csv"
    for content in (b"", b"code\nFR\xff001\n"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"Invalid station list .* Correct it"):
            Measurements(tmp_path, GRID)


def test_measurements_of_unknown_points_are_said(tmp_path, caplog):
    """A point that the metadata do not have is left out with a word."""
    write_metadata(tmp_path, [("FR001", "background", 10.5, 10.5)])
    for code in ("FR001", "FR002"):
        write_parquet(tmp_path, code, ENDS, np.full(48, 10.0))
    measured = Measurements(tmp_path, GRID, StationRules(draw=True))
    assert len(measured.cells(2019, [DAY])) == 1
    assert "1 sampling points of NO2 are not in the metadata" in caplog.text
    assert "SPO-FR002" in caplog.text


def test_folders_without_measurements_or_metadata_are_refused(tmp_path):
    """Both must be there."""
    write_metadata(tmp_path, [("FR001", "background", 1.5, 1.5)])
    with pytest.raises(DataError, match="Given no measurements"):
        Measurements(tmp_path, GRID)


@pytest.mark.real
def test_real_stations_fall_into_cells_of_the_domain(real_file):
    """The 1188 real stations: those in the domain lie in the cell whose centre is nearest."""
    import netCDF4

    from dacno2_s5p.inputs.grid import named_grid
    from dacno2_s5p.inputs.regrid import transform_points
    from dacno2_s5p.sources.stations.metadata import Station

    grid = named_grid("europe-2km")
    with netCDF4.Dataset(real_file("EEA-CAMS-ENS_no2_stations_20240301_hourly.nc")) as data:
        longitude, latitude = data["longitude"][:].data, data["latitude"][:].data
        values = data["concno2"][:]
    data = Measurements.__new__(Measurements)  # places only: these stations have no types
    data._grid = grid
    x, y = transform_points(longitude, latitude, "EPSG:4326", grid.crs)
    cells = grid.cells()
    inside = 0
    for i in range(longitude.size):
        station = Station(str(i), "", longitude[i], latitude[i], "background", "")
        if data._inside(station):
            inside += 1
            row, column = data._cell(station)
            assert abs(cells.x[column] - x[i]) <= 1000.0 and abs(cells.y[row] - y[i]) <= 1000.0
    assert 300 < inside < 1188
    assert float(np.nanmin(values)) >= 0.0 and float(np.nanmax(values)) < 500.0


@pytest.mark.real
def test_real_measurements_become_the_means_of_their_cells(real_file, tmp_path):
    """Real hourly values, in the layout they are downloaded in: means as numpy has them."""
    import xarray as xr
    from pyproj import Transformer

    from dacno2_s5p.inputs.grid import named_grid

    grid, day = named_grid("europe-2km"), np.datetime64("2024-03-01", "D")
    path = real_file("EEA-CAMS-ENS_no2_stations_20240301_hourly.nc")
    with xr.open_dataset(path) as data:
        observed = data["concno2"].sel(data_source="CAMS2_83.NRT").to_numpy()
        codes = data["station_name"].to_numpy().astype(str)
        longitude, latitude = (data[n].to_numpy() for n in ("longitude", "latitude"))
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:3035", always_xy=True).transform(
        longitude, latitude
    )
    columns, rows = ((v - o) // 2000.0 for v, o in ((x, grid.x_origin), (y, grid.y_origin)))
    inside = (rows >= 0) & (rows < 720) & (columns >= 0) & (columns < 592)
    chosen = np.flatnonzero(inside)[::4]  # a quarter: some hundred files are enough
    lines = [METADATA_COLUMNS]
    for i in chosen:
        place = f"{longitude[i]:.9f}\t{latitude[i]:.9f}"
        lines.append(f"XX\tSPO-{codes[i]}\t{codes[i]}\tno2/8\t{place}\tbackground\turban")
        valid = np.where(np.isfinite(observed[:, i]), 1, -1)
        values = np.nan_to_num(observed[:, i])
        write_parquet(tmp_path, codes[i], hours_of(day), values, validity=valid)
    (tmp_path / "PanEuropean_metadata.csv").write_text("\n".join(lines) + "\n")
    data = Measurements(tmp_path, grid, StationRules(draw=True))
    cells = data.cells(2024, [day])
    found = data.window_means(day, cells, "11-13")
    expected = {}
    for i in chosen:
        if np.isfinite(observed[:, i]).mean() >= 0.2:
            members = expected.setdefault((int(rows[i]), int(columns[i])), [])
            hours = observed[11:14, i]
            members += [hours.mean()] if np.isfinite(hours).all() else []
    assert len(cells) == len(expected) > 50
    for cell, mean in zip(cells, found, strict=True):
        members = expected[cell.row, cell.column]
        # four decimals in the files, float32 means
        wanted = np.mean(members) if members else np.nan
        np.testing.assert_allclose(mean, wanted, rtol=1e-5, atol=1e-4)
    assert np.isfinite(found).mean() > 0.8
