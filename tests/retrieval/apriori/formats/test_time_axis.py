"""Times of fields in files: runs and leads, plain hours, scalar times."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.formats.containers import NetcdfSource
from retrieval.apriori.formats.field import find_field
from retrieval.errors import AprioriError

ALL = slice(None)
SINCE = "hours since 2019-06-30"


def write(path, dims, times, *, values=None, attributes=None):
    """Write a field over time-like `dims`; `times` are (name, dims, data, attributes)."""
    with netCDF4.Dataset(path, "w") as ds:
        for name, size in dims.items():
            ds.createDimension(name, size)
        for name in ("lat", "lon"):
            ds.createDimension(name, 3)
            ds.createVariable(name, "f8", (name,))[:] = [1.0, 2.0, 3.0]
        for name, own, data, attrs in times:
            ds.createVariable(name, "f8", own)[...] = data
            ds[name].setncatts(attrs)
        variable = ds.createVariable("no2", "f8", (*dims, "lat", "lon"))
        shape = tuple(dims.values())
        numbers = np.arange(np.prod(shape, dtype=int), dtype=float).reshape(shape)
        variable[...] = (numbers if values is None else values)[..., None, None]
        variable.setncatts(attributes or {})
    return NetcdfSource(path, path.name)


def marks(field):
    """Tell which element of the file each time reads."""
    return [int(field.read(i, ALL, ALL)[0, 0, 0]) for i in range(field.times.size)]


RUNS = {"forecast_period": 3, "forecast_reference_time": 2}
PERIOD = ("forecast_period", ("forecast_period",), [0, 12, 24], {"units": "hours"})
REFERENCE = (
    "forecast_reference_time",
    ("forecast_reference_time",),
    [0, 12],
    {"units": SINCE, "standard_name": "forecast_reference_time"},
)
VALID = (
    "valid_time",
    ("forecast_reference_time", "forecast_period"),
    [[0, 12, 24], [12, 24, 36]],
    {"units": SINCE},
)


@pytest.mark.parametrize("times", [[PERIOD, REFERENCE, VALID], [PERIOD, REFERENCE]])
def test_the_shortest_lead_serves_a_time_of_two_runs(tmp_path, times):
    """Valid times repeat between runs; with or without valid_time the later run is used."""
    field = find_field(write(tmp_path / "f.nc", RUNS, times), "no2")
    hours = (field.times - np.datetime64("2019-06-30")) / np.timedelta64(1, "h")
    assert hours.tolist() == [0, 12, 24, 36]
    # element = 2 * period + run: run 0 at lead 0, then run 1 at leads 0, 12 and 24 h
    assert marks(field) == [0, 1, 3, 5]


def test_times_out_of_order_are_sorted_with_their_fields(tmp_path):
    """The time axis ascends and every time keeps its own field."""
    times = [("time", ("time",), [5, 3, 4], {"units": SINCE})]
    field = find_field(write(tmp_path / "f.nc", {"time": 3}, times), "no2")
    assert (np.diff(field.times) > np.timedelta64(0)).all()
    assert marks(field) == [1, 2, 0]


def test_a_scalar_time_serves_a_field_without_time_dimension(tmp_path):
    """A single field may say its time in a scalar coordinate."""
    times = [("when", (), 12, {"units": SINCE})]
    source = write(tmp_path / "f.nc", {}, times, attributes={"coordinates": "when lat"})
    assert find_field(source, "no2").times.astype(str).tolist() == ["2019-06-30T12:00:00.000"]


def test_plain_hours_without_a_base_date_are_refused(tmp_path):
    """Hours of nothing are no time."""
    times = [("time", ("time",), [0, 1], {"units": "hours", "long_name": "time"})]
    with pytest.raises(AprioriError, match=r"need a base date in long_name .*Given none"):
        find_field(write(tmp_path / "f.nc", {"time": 2}, times), "no2")


def test_a_field_without_any_time_is_refused(tmp_path):
    """Nothing is assumed about the time of a field."""
    with pytest.raises(AprioriError, match="A field must say its time"):
        find_field(write(tmp_path / "f.nc", {"time": 1}, []), "no2")


def test_a_damaged_time_axis_is_refused(tmp_path):
    """A fill value in a time axis is an error."""
    times = [("time", ("time",), [0, np.nan], {"units": SINCE})]
    with pytest.raises(AprioriError, match="Every time must be a number"):
        find_field(write(tmp_path / "f.nc", {"time": 2}, times), "no2")
