"""Hours that are there twice, and clocks: by what the files say, whatever they are called."""

from __future__ import annotations

import logging
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.sources.stations.cells import Measurements, StationRules
from dacno2_s5p.sources.stations.clocks import Clocks, changes_of
from dacno2_s5p.sources.stations.files import Hours
from dacno2_s5p.sources.stations.metadata import read_metadata
from dacno2_s5p.sources.stations.series import YearSeries
from retrieval.files.candidates import Choices
from tests.builders.source_files import DAY, GRID, hours_of, write_metadata, write_parquet

ENDS = hours_of(DAY)
LISTED = StationRules(draw=True)


def change(path, **columns):
    """Change columns of a parquet file."""
    import pyarrow as pa
    from pyarrow import parquet

    table = parquet.read_table(path)
    for name, values in columns.items():
        place = table.column_names.index(name)
        if values is None:
            table = table.remove_column(place)
        else:
            array = pa.array(values, table[name].type)
            table = table.set_column(place, name, array)
    parquet.write_table(table, path)
    return path


def write(folder, name, value, *, verification=1, validity=1, code="FR001"):
    """Write a day of one value under a name."""
    n = ENDS.size
    write_parquet(folder, code, ENDS, np.full(n, value), np.full(n, validity))
    path = (folder / f"SPO-{code}.parquet").rename(folder / name)
    said = None if verification is None else np.full(n, verification, "i4")
    return change(path, Verification=said)


def mean_of(folder, choices=None, rules=LISTED):
    """Return the mean of the day at the only station."""
    write_metadata(folder, [("FR001", "background", 10.5, 10.5)])
    data = Measurements(folder, GRID, rules, choices)
    cells = data.cells(2019, [DAY])
    return float(data.window_means(DAY, cells, "daily")[0]) if cells else np.nan


@pytest.mark.parametrize("names", [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("code", [2, 3])
def test_verified_hours_are_used_before_others(tmp_path, caplog, names, code):
    """20 of E1a, not 35 of E2a, whichever path is the last; told once."""
    verified, early = (f"{name}.parquet" for name in names)
    write(tmp_path, verified, 20.0, verification=1)
    write(tmp_path, early, 35.0, verification=code)
    choices = Choices()
    with caplog.at_level(logging.WARNING):
        assert mean_of(tmp_path, choices) == 20.0
    (record,) = choices.records()
    assert record["what"] == "NO2 of EEA in 2019"
    (other,) = record["passed_over"]
    assert other["label"] == "24 hours of 1 points that are less so"
    assert other["why"] == f"{early} by {verified}"
    assert len([m for m in caplog.messages if "verified" in m]) == 1


CSV_HEAD = (
    "SamplingPoint,AveragingTime,Concentration,UnitOfMeasurement,DatetimeEnd,Validity,Verification"
)


def write_csv(path, value, verification):
    lines = [
        f"SPO-FR001,hour,{value},µg/m3,{str(end).replace('T', ' ')}:00:00 +00:00,1,{verification}"
        for end in ENDS
    ]
    path.write_text("\n".join([CSV_HEAD, *lines]) + "\n", encoding="utf-8")


@pytest.mark.parametrize(("in_csv", "in_parquet"), [(1, 2), (2, 1)])
def test_csv_beside_parquet_is_ranked_by_verification_too(tmp_path, in_csv, in_parquet):
    """20 is verified, in either of them."""
    write_csv(tmp_path / "a.csv", 20.0 if in_csv == 1 else 35.0, in_csv)
    write(tmp_path, "b.parquet", 20.0 if in_parquet == 1 else 35.0, verification=in_parquet)
    assert mean_of(tmp_path) == 20.0


def test_repeats_count_once_and_unequal_ones_of_one_rank_are_refused(tmp_path):
    """20 twice in a file, and in CSV with fewer digits; 20 and 35 of one verification."""
    path = tmp_path / "a.parquet"
    twice = np.concatenate([ENDS, ENDS])
    write_parquet(tmp_path, "FR001", twice, np.full(48, 20.0004))
    (tmp_path / "SPO-FR001.parquet").rename(path)
    write_csv(tmp_path / "b.csv", 20.0, 1)
    choices = Choices()
    # float32 of either value
    assert mean_of(tmp_path, choices) == pytest.approx(20.0, abs=5e-4)
    assert choices.records() == []
    write_csv(tmp_path / "b.csv", 35.0, 1)
    with pytest.raises(DataError, match=r"Two values of NO2 of SPO-FR001.*a\.parquet.*b\.csv"):
        mean_of(tmp_path)
    (tmp_path / "b.csv").unlink()
    write_parquet(tmp_path, "FR001", twice, np.repeat([20.0, 35.0], 24))
    (tmp_path / "SPO-FR001.parquet").rename(path)
    with pytest.raises(DataError, match=r"Given 20 in .*a\.parquet and 35 in .*a\.parquet"):
        mean_of(tmp_path)


def test_what_is_verified_as_invalid_is_not_filled_up(tmp_path):
    """The verified file says that the hours are not valid: an up-to-date value is none either."""
    write(tmp_path, "a.parquet", 35.0, verification=2)
    write(tmp_path, "b.parquet", 20.0, verification=1, validity=-1)
    assert np.isnan(mean_of(tmp_path))


def test_a_file_that_does_not_say_is_used_where_no_other_is(tmp_path):
    """Alone it is read, beside an equal one, too; beside a different one it is refused."""
    write(tmp_path, "a.parquet", 20.0, verification=None)
    assert mean_of(tmp_path) == 20.0
    write(tmp_path, "b.parquet", 20.0, verification=2)
    assert mean_of(tmp_path) == 20.0
    write(tmp_path, "b.parquet", 35.0, verification=2)
    with pytest.raises(DataError, match="Two values of NO2"):
        mean_of(tmp_path)


rows = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([1.0, 2.0, np.nan]), st.integers(0, 3)),
    min_size=1,
    max_size=3,
)


@given(files=st.lists(rows, min_size=1, max_size=3))
def test_the_order_of_files_changes_nothing(tmp_path_factory, files):
    """Values, or the refusal, are the same in every order."""

    def outcome(order):
        series = YearSeries(2019)
        for i in order:
            hour, value, verification = (np.array(column) for column in zip(*files[i], strict=True))
            ends = np.datetime64("2019-07-02T00", "h") + hour
            hours = Hours("P", "FR", ends, value.astype(float), verification)
            series.add(tmp_path_factory.getbasetemp() / f"{i}.parquet", hours)
        try:
            found = series.values(Choices())
        except DataError:
            return "refused"
        start = 24 * 182
        return {p: v[start : start + 3].tolist().__repr__() for p, v in found.items()}

    outcomes = [outcome(order) for order in permutations(range(len(files)))]
    assert all(one == outcomes[0] for one in outcomes)


def write_clock(folder, point, country, starts, values):
    """Write hours by the starts that a clock shows."""
    ends = np.asarray(starts) + np.timedelta64(1, "h")
    write_parquet(folder, point, ends, values, offset=0)
    path = folder / f"SPO-{point}.parquet"
    return change(path, Samplingpoint=[f"{country}/SPO-{point}"] * len(values))


def shown(start_utc, hours):
    """Return what clocks in UTC+1 and in Rome show at the start of hours of UTC."""
    from zoneinfo import ZoneInfo

    utc = np.datetime64(start_utc, "h") + np.arange(hours)
    rome = [
        np.datetime64(t, "h") + int(
            t.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo("Europe/Rome"))
            .utcoffset().total_seconds() // 3600
        )
        for t in utc.astype("datetime64[s]").tolist()
    ]  # fmt: skip
    return utc, utc + 1, np.array(rome)


STATIONS = [("DE001", "background", 10.5, 10.5), ("IT001", "background", 30.5, 20.5)]


def write_two_clocks(folder, start_utc, hours=72):
    utc, german, italian = shown(start_utc, hours)
    values = 10.0 + np.arange(hours)
    write_metadata(folder, STATIONS)
    write_clock(folder, "DE001", "DE", german, values)
    write_clock(folder, "IT001", "IT", italian, values)
    return utc


@pytest.mark.parametrize("start", ["2019-07-01T00", "2019-03-30T00", "2019-10-26T00"])
def test_an_offset_by_country_brings_the_same_hours_together(tmp_path, start):
    """German UTC+1 and Italian civil time: equal hour by hour, over both changes of the clock."""
    write_two_clocks(tmp_path, start)
    rules = StationRules(draw=True, zones={"IT": "Europe/Rome"})
    data = Measurements(tmp_path, GRID, rules)
    names, values = data._year(2019)
    assert names == ["SPO-DE001", "SPO-IT001"]
    np.testing.assert_array_equal(values[0], values[1])
    assert np.isfinite(values).sum() == 2 * 72
    as_hours = StationRules(draw=True, zones={"IT": "+2"})
    if start.startswith("2019-07"):  # in summer it is two hours
        names, values = Measurements(tmp_path, GRID, as_hours)._year(2019)
        np.testing.assert_array_equal(values[0], values[1])


def test_the_hour_that_spring_leaves_out_is_said(tmp_path, caplog):
    """Read as UTC+1, the Italian point lacks an hour that the German one has."""
    write_two_clocks(tmp_path, "2019-03-30T00")
    with caplog.at_level(logging.WARNING):
        Measurements(tmp_path, GRID, LISTED)._year(2019)
    (message,) = [m for m in caplog.messages if "civil time" in m]
    assert "the hour to 2019-03-31T02 UTC is missing at all 1 points of IT" in message
    assert "--station-zone IT=ZONE" in message


def test_the_hour_that_autumn_shows_twice_is_said(tmp_path):
    """Read as UTC+1 there are two values for it: refused, with what may be the matter."""
    write_two_clocks(tmp_path, "2019-10-26T00")
    with pytest.raises(DataError, match=r"Two values of NO2 of SPO-IT001.*Clocks go back.*IT=ZONE"):
        Measurements(tmp_path, GRID, LISTED)._year(2019)


def test_an_hour_of_autumn_that_is_there_once_is_left_out_and_said(tmp_path, caplog):
    """It may be either of the two."""
    _, _, italian = shown("2019-10-26T00", 72)
    once = np.unique(italian)
    write_metadata(tmp_path, STATIONS[1:])
    write_clock(tmp_path, "IT001", "IT", once, 10.0 + np.arange(once.size))
    rules = StationRules(draw=True, zones={"IT": "Europe/Rome"})
    _, values = Measurements(tmp_path, GRID, rules)._year(2019)
    assert np.isfinite(values).sum() == once.size - 1
    assert "1 hours that the clock shows twice in autumn are there once" in caplog.text


def test_a_time_that_the_clock_does_not_show_is_refused(tmp_path):
    """Times of UTC+1 said to be Roman: the hour of spring is among them."""
    _, german, _ = shown("2019-03-30T00", 72)
    write_metadata(tmp_path, STATIONS[1:])
    write_clock(tmp_path, "IT001", "IT", german, np.full(72, 10.0))
    rules = StationRules(draw=True, zones={"IT": "Europe/Rome"})
    with pytest.raises(DataError, match=r"leaves an hour out in spring\. Given 2019-03-31T02"):
        Measurements(tmp_path, GRID, rules)._year(2019)


def test_a_zone_that_is_none_is_refused():
    """Neither hours nor a name of the tz database."""
    with pytest.raises(ConfigurationError, match="Given 'Europe/Romulus'"):
        Clocks(1, {"IT": "Europe/Romulus"})


@given(year=st.integers(2000, 2037))
def test_clocks_change_as_the_tz_database_has_it(year):
    """The oracle: Rome's offset changes at these hours of UTC."""
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    rome = ZoneInfo("Europe/Rome")
    for change_utc in changes_of(year):
        at = datetime.fromisoformat(f"{change_utc}:00+00:00")
        before = at - timedelta(seconds=1)
        assert at.astimezone(rome).utcoffset() != before.astimezone(rome).utcoffset()


def test_of_metadata_that_differ_the_latest_observation_counts(tmp_path):
    """A station that moved: the later place; equal dates with other places are refused."""
    write_metadata(tmp_path, [("FR001", "background", 1.5, 1.5), ("FR001", "background", 8.5, 8.5)])
    path = tmp_path / "PanEuropean_metadata.csv"
    text = path.read_text()
    with pytest.raises(DataError, match="Two candidates for the place and type of SPO-FR001"):
        read_metadata(path)
    head, one, other = text.splitlines()
    dated = [f"{head}\tObservationDateBegin", f"{one}\t2015-01-01", f"{other}\t2018-01-01"]
    for lines in (dated, [dated[0], dated[2], dated[1]]):
        path.write_text("\n".join(lines) + "\n")
        (station,) = read_metadata(path).values()
        assert f"{station.latitude:.6f}" == other.split("\t")[5]
