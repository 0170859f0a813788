"""Eurocontrol's traffic: nine states, dates of all releases, nothing counted twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.flights import Flights, parse_date
from tests.builders.source_files import DAY, write_flights


@pytest.mark.parametrize("separator", [",", ";"])
def test_flights_of_nine_states_are_summed(tmp_path, separator):
    """Dublin is not among them."""
    write_flights(tmp_path, [DAY, DAY + 1], separator=separator)
    flights = Flights(tmp_path, "FLT_TOT_1")
    assert flights.day(DAY) == 1600.0
    assert flights.day(DAY + 1) == 1614.0


def test_releases_that_overlap_count_once(tmp_path):
    """The same airport and day in two files is one."""
    write_flights(tmp_path, [DAY])
    text = (tmp_path / "Airport_Traffic.csv").read_text()
    (tmp_path / "Airport_Traffic_2.csv").write_text(text)
    assert Flights(tmp_path, "FLT_TOT_1").day(DAY) == 1600.0


def test_a_day_without_traffic_is_named(tmp_path):
    """Missing is a sentence, reading an error."""
    write_flights(tmp_path, [DAY])
    flights = Flights(tmp_path, "FLT_TOT_1")
    assert flights.missing(DAY) == []
    assert flights.missing(DAY + 3) == ["Eurocontrol traffic of 2019-07-05"]
    with pytest.raises(DataError, match="Missing input flights"):
        flights.day(DAY + 3)


@pytest.mark.parametrize(
    ("text", "month"),
    [("2019-07-02", "7"), ("2019-07-02T00:00:00Z", "07"), ("02-07-19", "7"), ("02/07/2019", "")],
)
def test_dates_of_all_releases_are_read(text, month):
    """ISO dates, ISO times, and day-first dates."""
    assert parse_date({"FLT_DATE": text, "MONTH_NUM": month}, Path("a.csv")) == DAY


@pytest.mark.parametrize(("text", "month"), [("02-07-19", "2"), ("2.7", "7"), ("31-02-19", "2")])
def test_dates_that_contradict_their_row_are_refused(text, month):
    """Month-first dates would be read wrongly: the row's month says so."""
    with pytest.raises(DataError, match="FLT_DATE must be a date"):
        parse_date({"FLT_DATE": text, "MONTH_NUM": month}, Path("a.csv"))


def test_files_that_are_none_are_refused(tmp_path):
    """Another table, and a count that is no number."""
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"must have the columns FLT_DATE.* Given: no column"):
        Flights(tmp_path, "FLT_TOT_1")
    write_flights(tmp_path, [np.datetime64(DAY)])
    (tmp_path / "a.csv").unlink()
    with pytest.raises(DataError, match="FLT_TOT_IFR_2 must be a number"):
        Flights(tmp_path, "FLT_TOT_IFR_2")


@pytest.mark.parametrize("text", ["", "nan", "-5", "1e400", "10.5", "1_000"])
def test_a_count_that_is_none_is_refused(tmp_path, text):
    """No number, a negative, a part of a flight: none becomes part of a sum."""
    write_flights(tmp_path, [DAY])
    path = tmp_path / "Airport_Traffic.csv"
    path.write_text(path.read_text().replace(",1000,", f",{text},"))
    with pytest.raises(DataError, match="FLT_TOT_1 must be a number of flights"):
        Flights(tmp_path, "FLT_TOT_1")


def test_a_file_that_was_cut_is_refused(tmp_path):
    """A last line of fewer fields may have lost its state: it is not passed over."""
    write_flights(tmp_path, [DAY])
    path = tmp_path / "Airport_Traffic.csv"
    text = path.read_text()
    path.write_text(text[: text.index("Belgium") + 4])
    with pytest.raises(DataError, match="7 fields of 11 in line 3"):
        Flights(tmp_path, "FLT_TOT_1")


def test_a_date_of_another_year_than_its_row_says_is_refused():
    """A digit of the date was damaged."""
    row = {"FLT_DATE": "2029-07-02", "YEAR": "2019", "MONTH_NUM": "7"}
    with pytest.raises(DataError, match="with YEAR '2019'"):
        parse_date(row, Path("a.csv"))
    assert parse_date({**row, "YEAR": "29"}, Path("a.csv")) == DAY + np.timedelta64(3653, "D")
