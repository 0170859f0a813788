"""`describe_file` says what a set is and what it can serve."""

from __future__ import annotations

import json

import pytest

from retrieval.apriori.inspect import describe_file
from retrieval.errors import AprioriError
from tests.builders.set_builders import write_cams_forecast, write_cams_month, write_ctmana


def test_a_cams_folder_is_described(tmp_path):
    """Kind, levels, coverage and use of a reanalysis; the text is JSON."""
    for level in (0, 50, 250):
        write_cams_month(tmp_path, level)
    found = describe_file(tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "CAMS European reanalysis"
    assert found["levels"]["values"] == [0.0, 50.0, 250.0]
    assert found["times"]["n_time"] == 48
    assert found["grid"]["horizontal_rule"] == "exact overlap"
    assert found["uses"] == {
        "apriori": "yes",
        "upper": "levels are heights; pressure or hybrid levels are needed",
        "meteo": "no temperature on levels",
    }


def test_missing_hours_are_named(tmp_path):
    """A forecast that ends at 11 UTC lacks hours of the overpass mean."""
    found = describe_file(write_cams_forecast(tmp_path / "f.nc", n_time=12))
    assert found["uses"]["apriori"] == "11, 12 or 13 UTC is missing on 1 day(s): 2021-07-15"


def test_ctmana_serves_all_three_uses(tmp_path):
    """TM5-MP is a set, an upper profile and meteorology."""
    found = describe_file(write_ctmana(tmp_path / "c.nc", spacing=15.0, synthetic=True))
    assert found["uses"] == {"apriori": "yes", "upper": "yes", "meteo": "yes"}
    assert found["is_synthetic"] is True
    assert found["grid"]["is_global"] is True


def test_era5_is_meteorology_only(real_file):
    """A real ERA5 file has no NO2, and that is said."""
    found = describe_file(real_file("ERA5-pl-20190101T12-13_europe.nc"))
    assert found["kind"] == "ERA5"
    assert found["uses"] == {"apriori": "no NO2", "upper": "no NO2", "meteo": "yes"}


def test_anything_else_is_the_readers_error(tmp_path):
    """A file that is neither gives the one line of the reader."""
    path = tmp_path / "notes.txt"
    path.write_text("no data")
    with pytest.raises(AprioriError, match="first bytes are neither"):
        describe_file(path)
