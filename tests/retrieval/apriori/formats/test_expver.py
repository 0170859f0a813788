"""Versions of ERA5: numbers, texts and characters, along the times of each variable."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.formats.expver import (
    layers_by_version,
    may_hold_version,
    numbers_of,
    version_at,
)


@pytest.fixture
def dataset():
    with netCDF4.Dataset("expver.nc", "w", diskless=True) as file:
        for name, size in (("time", 2), ("time_2", 2), ("text", 4)):
            file.createDimension(name, size)
        file.createVariable("t2m", "f4", ("time",))
        file.createVariable("tp", "f4", ("time_2",))
        yield file


def say(file, name, dimensions, values):
    variable = file.createVariable(name, str, dimensions)
    for i, value in enumerate(values):
        variable[i] = value


def test_each_axis_of_times_has_its_own_versions(dataset):
    """Unpacked GRIB has `expver` for some variables and `expver_2` for others."""
    say(dataset, "expver", ("time",), ("0001", "0005"))
    say(dataset, "expver_2", ("time_2",), ("0005", "0005"))
    found = [version_at(dataset, "t2m", ("time",), {"time": i}) for i in range(2)]
    found += [version_at(dataset, "tp", ("time_2",), {"time_2": i}) for i in range(2)]
    assert found == [1, 5, 5, 5]


def test_characters_are_read_as_text(dataset):
    """Classic files have arrays of single characters."""
    variable = dataset.createVariable("expver", "S1", ("time", "text"))
    variable[:] = np.array([list("0005"), list("0001")], dtype="S1")
    numbers = numbers_of(dataset)
    assert numbers.tolist() == [5, 1]
    assert version_at(dataset, "t2m", ("time",), {"time": 1}) == 1


def test_an_attribute_and_nothing_at_all(dataset):
    """The variable's attribute goes before the file's; without either nothing is known."""
    assert version_at(dataset, "t2m", ("time",), {"time": 0}) is None
    assert may_hold_version(dataset, 5)
    dataset.setncattr("expver", "0001")
    dataset["t2m"].setncattr("GRIB_expver", "0005")
    assert version_at(dataset, "t2m", ("time",), {"time": 0}) == 5
    assert version_at(dataset, "tp", ("time_2",), {"time_2": 0}) == 1


def test_layers_are_in_the_order_of_their_versions(dataset):
    """Final first, others behind both."""
    dataset.createDimension("expver", 3)
    dataset.createVariable("expver", "i4", ("expver",))[:] = [5, 70, 1]
    assert layers_by_version(dataset, 3) == [2, 0, 1]
    assert may_hold_version(dataset, 5) and not may_hold_version(dataset, 6)
