"""The commands on orbits of other sensors: the gate, descriptions, words of quality."""

from __future__ import annotations

import json
import os
from pathlib import Path

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.l2.open_orbit import GIVEN
from tests.builders.model_field import model_field
from tests.builders.omno2_builder import build_omno2
from tests.builders.tempo_builder import build_tempo


@pytest.fixture
def granule(tmp_path):
    """Return a TEMPO granule."""
    return build_tempo(tmp_path / "TEMPO_NO2_L2_V03_20240601T150000Z_S008G01.nc")


def test_inspect_recomputes_the_air_mass_factors(granule, run):
    """TEMPO carries its a priori: that it closes is said, in words and as JSON."""
    done = run("inspect", granule.path)
    assert (done.status, done.err) == (0, "")
    assert "air mass factors recomputed:" in done.out
    assert "  closes: yes" in done.out
    with netCDF4.Dataset(granule.path, "a") as file:
        file["support_data/amf_troposphere"][:] *= np.float32(1.2)
    found = json.loads(run("inspect", "--json", granule.path).out)["air_mass_factors_recomputed"]
    assert found["closes"] is False
    # |1 / 1.2 - 1| in percent, three digits
    assert found["median_difference_percent"] == pytest.approx(16.7)


def test_a_description_is_given_to_one_call_alone(run, tmp_path):
    """`--sensor` goes before the package's description, and ends with the call."""
    orbit = build_omno2(tmp_path / "a.he5")
    own = Path(rt.__file__).parent / "l2" / "sensors" / "data" / "omno2.toml"
    text = own.read_text(encoding="utf-8").replace('name = "OMNO2"', 'name = "MYOMI"', 1)
    mine = tmp_path / "mine.toml"
    mine.write_text(text, encoding="utf-8")
    before = os.environ.get(GIVEN)
    assert "kind: MYOMI OMNO2 file" in run("inspect", "--sensor", mine, orbit.path).out
    assert os.environ.get(GIVEN) == before
    plain = run("inspect", orbit.path).out
    assert "kind: OMNO2 OMNO2 file" in plain
    assert "time start: 2015-06-15T18:00:00.000Z" in plain
    mine.write_text("nonsense = 1", encoding="utf-8")
    done = run("inspect", "--sensor", mine, orbit.path)
    assert done.status == 2
    assert "Invalid description" in done.err


def test_words_of_quality_are_thresholds(granule, run, tmp_path):
    """`usable` takes more pixels than `good`; both words and a number are too many."""
    data, _, _ = model_field((39.0, 43.0), (-76.0, -71.0), ["2024-06-01T15:00"])
    model = tmp_path / "model.nc"
    data.to_netcdf(model)
    call = ("reretrieve", granule.path, "-a", f"mine={model}", "--json")
    counts = []
    for word in ("good", "usable"):
        done = run(*call, "-o", tmp_path / f"{word}.nc", "--quality", word)
        assert done.status == 0
        counts.append(json.loads(done.out)["n_common"])
    # of 30 pixels one is bad; one is suspicious and one half cloudy, which are usable
    assert counts == [27, 29]
    done = run(*call, "-o", tmp_path / "c.nc", "--quality", "good", "--qa", "60")
    assert done.status == 2
    assert "--qa and --quality" in done.err


def test_variables_that_newer_processors_add_pass_through(reretrieve, orbit, run):
    """`land_fraction` of 2.9, a lower-tropospheric column: bit by bit, no a priori's column."""
    added = (
        "PRODUCT/SUPPORT_DATA/INPUT_DATA/land_fraction",
        "PRODUCT/nitrogendioxide_lower_tropospheric_column",
    )
    rng = np.random.default_rng(3)
    with netCDF4.Dataset(orbit, "a") as file:
        file.processor_version = "02.09.01"
        for path in added:
            dimensions = ("time", "scanline", "ground_pixel")
            new = file.createVariable(path, "f4", dimensions, fill_value=np.float32(9.96921e36))
            new[:] = rng.random(new.shape).astype("f4")
    out = orbit.with_name("out.nc")
    assert reretrieve("-o", out).status == 0
    with netCDF4.Dataset(orbit) as old, netCDF4.Dataset(out) as new:
        part = new["PRODUCT"].getncattr("apriori_crop_scanline")
        pixel = new["PRODUCT"].getncattr("apriori_crop_ground_pixel")
        rows, columns = slice(part[0], part[1] + 1), slice(pixel[0], pixel[1] + 1)
        for path in added:
            np.testing.assert_array_equal(new[path][:], old[path][:, rows, columns])
    said = json.loads(run("inspect", "--json", out).out)
    assert said["processor_version"] == "2.9.1"
    assert said["columns_added_by_others"] == []
