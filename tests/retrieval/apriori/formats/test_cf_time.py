"""Time axes: every style of docs/formats.md, the real calendar only, UTC."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.apriori.formats.cf_time import base_date_in_words, decode, unit_milliseconds
from retrieval.errors import AprioriError

NOON = np.datetime64("2019-06-30T12:30", "ms")


@pytest.mark.parametrize("kind", ["i4", "i8", "f8"])
@pytest.mark.parametrize(
    ("units", "milliseconds"),
    [
        ("seconds since 1970-01-01", 1e3),
        ("seconds since 2010-01-01 00:00:00", 1e3),
        ("minutes since 2000-01-01T00:00:00Z", 6e4),
        ("min since 2000-1-1 0:0:0", 6e4),
        ("milliseconds since 2019-06-30 00:00:00", 1.0),
    ],
)
def test_offsets_of_any_type_and_unit(kind, units, milliseconds):
    """Integers and floats since any date give one time."""
    base = np.datetime64(decode([0], {"units": units}, "time")[0])
    number = (NOON - base) / np.timedelta64(1, "ms") / milliseconds
    assert decode(np.array([number], kind), {"units": units}, "time")[0] == NOON


@pytest.mark.parametrize(
    ("units", "value"),
    [
        ("hours since 1900-01-01 00:00:00.0", 1047468.5),
        ("days since 1950-01-01 00:00:00", 25382 + 12.5 / 24),
        ("hours since 2019-06-30 02:00:00 +02:00", 12.5),
        ("hours since 2019-06-29 19:00 -05:00", 12.5),
        ("h since 2019-06-30", 12.5),
        ("days since 2019-06-30", 12.5 / 24),
        ("days since 0001-01-01 00:00:00", 737241 + 12.5 / 24),
    ],
)
def test_half_hours_come_out_exactly(units, value):
    """Legacy hours since 1900, days since 1950, zones, and the mixed calendar of old dates."""
    attributes = {"units": units, "calendar": "standard"}
    assert decode(np.array([value]), attributes, "time")[0] == NOON


@given(st.integers(0, 4_000_000_000), st.sampled_from(["i8", "f8"]))
def test_seconds_since_1970_agree_with_numpy(second, kind):
    """Whole seconds are exact in integers and doubles."""
    units = {"units": "seconds since 1970-01-01"}
    assert decode(np.array([second], kind), units, "time")[0] == np.datetime64(second, "s")


@pytest.mark.parametrize("calendar", ["360_day", "noleap", "365_day", "julian", "all_leap"])
def test_calendars_of_climate_models_are_refused(calendar):
    """Days that are not the satellite's cannot be matched."""
    attributes = {"units": "days since 2000-01-01", "calendar": calendar}
    with pytest.raises(AprioriError, match=f"must be in the real calendar .*Given '{calendar}'"):
        decode([0.0], attributes, "time of x.nc")


@pytest.mark.parametrize("units", ["months since 2000-01-01", "hours", "", "hours since yesterday"])
def test_units_that_are_no_time_are_refused(units):
    """Units without fixed length or reference date are quoted."""
    with pytest.raises(AprioriError, match=rf"must read like 'hours since.*Given '{units}'"):
        decode([0.0], {"units": units}, "time of x.nc")


def test_a_reference_date_that_does_not_exist_is_refused():
    """30 February is no date."""
    with pytest.raises(AprioriError, match="reference date must exist"):
        decode([0.0], {"units": "days since 2000-02-30"}, "time of x.nc")


@pytest.mark.parametrize("value", [np.nan, np.inf, 9.97e36])
@pytest.mark.parametrize("base", ["2000-01-01", "0001-01-01"])
def test_missing_times_are_refused(value, base):
    """A fill value never becomes a date."""
    with pytest.raises(AprioriError, match="Every time must be a number"):
        decode([value], {"units": f"days since {base}"}, "time of x.nc")


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("FORECAST time from 20210715", "2021-07-15T00:00"),
        ("ANALYSIS time from 20210715T12", "2021-07-15T12:00"),
        ("Europe, 20210715+[0H_23H]", "2021-07-15T00:00"),
        ("from 2021-07-15 06:30", "2021-07-15T06:30"),
        ("no date here", None),
        ("20211315", None),
    ],
)
def test_dates_in_words(text, date):
    """The base date of the European forecasts stands in words."""
    want = None if date is None else np.datetime64(date, "ms")
    assert base_date_in_words(text) == want


def test_units_of_time_with_and_without_plural():
    """Singular, plural and short forms have one length; months have none."""
    assert unit_milliseconds("hour") == unit_milliseconds("hours") == unit_milliseconds("h")
    assert unit_milliseconds("years") is None
