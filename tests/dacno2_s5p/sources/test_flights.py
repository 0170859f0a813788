"""Eurocontrol's traffic: nine states, dates of all releases, nothing counted twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.flights import Flights, parse_date
from retrieval.files.candidates import Choices
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


HEAD = "YEAR,MONTH_NUM,FLT_DATE,APT_ICAO,STATE_NAME,FLT_TOT_1\n"


def write_counts(path, rows):
    """Write rows of (day, airport, state, flights)."""
    lines = [
        f"{str(d)[:4]},{str(d)[5:7]},{d},{airport},{state},{n}" for d, airport, state, n in rows
    ]
    path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("names", [("a.csv", "b.csv"), ("b.csv", "a.csv")])
def test_the_later_release_counts_whatever_its_name(tmp_path, caplog, names):
    """720 in a release to the next day, 900 in one that goes on: 900, told once."""
    older, revised = (tmp_path / name for name in names)
    write_counts(older, [(DAY, "LFPG", "France", 720), (DAY + 1, "LFPG", "France", 1)])
    rows = [(DAY + i, "LFPG", "France", 1) for i in range(1, 4)]
    write_counts(revised, [(DAY, "LFPG", "France", 900), *rows])
    choices = Choices()
    flights = Flights(tmp_path, "FLT_TOT_1", ["France"], choices)
    assert flights.day(DAY) == 900.0
    (record,) = choices.records()
    assert record["chosen"] == str(revised)
    assert record["passed_over"] == [
        {
            "label": str(older),
            "why": "1 counts differ; release to 2019-07-05 before 2019-07-03",
        }
    ]
    assert len(caplog.messages) == 1


def test_a_date_in_the_name_tells_releases_of_one_period_apart(tmp_path):
    """Both end on the same day: the later download is the later release."""
    write_counts(tmp_path / "b_2019-08-01.csv", [(DAY, "LFPG", "France", 720)])
    write_counts(tmp_path / "a_2020-02-01.csv", [(DAY, "LFPG", "France", 900)])
    assert Flights(tmp_path, "FLT_TOT_1").day(DAY) == 900.0


def test_counts_that_nothing_ranks_are_refused_and_equal_ones_are_not(tmp_path):
    """720 and 900 of one airport and day, in two files or in one."""
    write_counts(tmp_path / "a.csv", [(DAY, "LFPG", "France", 900), (DAY, "LFPG", "France", 900)])
    write_counts(tmp_path / "b.csv", [(DAY, "LFPG", "France", 900)])
    assert Flights(tmp_path, "FLT_TOT_1").day(DAY) == 900.0
    write_counts(tmp_path / "b.csv", [(DAY, "LFPG", "France", 720)])
    with pytest.raises(DataError, match=r"Two counts of LFPG on 2019-07-02\. .*a\.csv.*b\.csv"):
        Flights(tmp_path, "FLT_TOT_1")
    (tmp_path / "b.csv").unlink()
    write_counts(tmp_path / "a.csv", [(DAY, "LFPG", "France", 900), (DAY, "LFPG", "France", 720)])
    with pytest.raises(DataError, match="Two counts of LFPG"):
        Flights(tmp_path, "FLT_TOT_1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("UNITED KINGDOM", False),
        ("The United-Kingdom", True),
        ("UK", False),
        ("Vereinigtes Königreich", True),
    ],
)
def test_a_state_in_another_spelling_is_part_of_the_sum(tmp_path, caplog, text, told):
    """700 and 200 are 900; a spelling that is not known is known by the airport, and said."""
    write_counts(tmp_path / "a.csv", [(DAY, "LFPG", "France", 700), (DAY, "EGLL", text, 200)])
    flights = Flights(tmp_path, "FLT_TOT_1", ["France", "United Kingdom"])
    assert flights.day(DAY) == 900.0
    assert ("is taken for United Kingdom" in caplog.text) == told


def test_a_state_that_a_day_lacks_is_named(tmp_path):
    """There on the first day, not on the second: no sum of the others."""
    rows = [(DAY, "LFPG", "France", 700), (DAY, "EDDF", "Germany", 200)]
    write_counts(tmp_path / "a.csv", [*rows, (DAY + 1, "LFPG", "France", 700)])
    flights = Flights(tmp_path, "FLT_TOT_1")
    assert flights.day(DAY) == 900.0
    assert flights.missing(DAY + 1) == ["Eurocontrol traffic of 2019-07-03 in Germany"]
    with pytest.raises(DataError, match="2019-07-03 in Germany"):
        flights.day(DAY + 1)


def test_states_that_are_in_no_file_are_a_named_share(tmp_path, caplog):
    """The sum is of two of nine: said once, and kept."""
    rows = [(DAY, "LFPG", "France", 700), (DAY, "EBBR", "Belgium", 200)]
    write_counts(tmp_path / "a.csv", rows)
    choices = Choices()
    Flights(tmp_path, "FLT_TOT_1", choices=choices)
    assert "the flights are of 2 of 9 states; there are none of United Kingdom" in caplog.text
    (record,) = choices.records()
    assert record["chosen"] == "2 of 9 states" and len(record["passed_over"]) == 7
