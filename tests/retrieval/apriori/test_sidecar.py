"""The TOML beside a set: archives with names that cannot be known."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.registry import open_apriori
from retrieval.apriori.sidecar import find_sidecar
from retrieval.errors import AprioriError
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.levels import HeightLevels, PressureLevels
from retrieval.physics.time_rules import TimeRule
from tests.builders.set_builders import concentration, mesh

ALL = slice(None)
X, Y = np.arange(3.8e6, 3.82e6, 2000.0), np.arange(3.0e6, 3.016e6, 2000.0)
HEIGHT = np.array([0.0, 100.0, 1000.0])


def write_unknown(path, with_time=False):
    """Write an archive in the manner of nobody: own names, no units, no times, EPSG:3035."""
    with netCDF4.Dataset(path, "w") as ds:
        for name, size in (("lay", 3), ("northing", Y.size), ("easting", X.size)):
            ds.createDimension(name, size)
        ds.createVariable("northing", "f8", ("northing",))[:] = Y
        ds.createVariable("easting", "f8", ("easting",))[:] = X
        dims = ("lay", "northing", "easting")
        values = concentration(HEIGHT[:, None, None], *mesh(Y / 1e6, X / 1e6))
        if with_time:
            ds.createDimension("epoch", 2)
            epoch = ds.createVariable("epoch", "i4", ("epoch",))
            epoch.units = "days since 2019-06-29"
            epoch[:] = [0, 1]
            dims, values = ("epoch", *dims), np.stack([values, values])
        ds.createVariable("conc", "f4", dims)[:] = values
        ds.createVariable("spread", "f4", dims)[:] = 0.1 * values
    return path


TOML = """
variable = "conc"
unit = "ug m-3"
uncertainty = "spread"
level = "lay"
level_kind = "height"
level_values = [0, 100, 1000]
time_of_day = "12:30"
x = "easting"
y = "northing"
crs = "EPSG:3035"
title = "An archive"
synthetic = true
"""


def check(opened):
    want = concentration(HEIGHT[:, None, None], *mesh(Y / 1e6, X / 1e6)) * MICROGRAM_M3_TO_MOL_M3
    np.testing.assert_allclose(opened.read(0, ALL, ALL), want, rtol=3e-7)  # float32
    np.testing.assert_allclose(opened.read_uncertainty(0, ALL, ALL), 0.1 * want, rtol=3e-7)
    assert isinstance(opened.vertical, HeightLevels)
    assert opened.grid.crs == "EPSG:3035"
    assert opened.time_rule is TimeRule.DAILY
    assert opened.is_synthetic and opened.attributes["title"] == "An archive"


def test_a_file_that_says_nothing_is_read_as_the_toml_says(tmp_path):
    """Names, unit, levels, CRS and time of day from the TOML, the date from the file name."""
    path = write_unknown(tmp_path / "DACNO2_20190630.nc")
    (tmp_path / "DACNO2_20190630.nc.toml").write_text(TOML)
    opened = open_apriori(path)
    check(opened)
    assert opened.times.tolist() == [np.datetime64("2019-06-30T12:30", "ms").tolist()]


def test_one_toml_serves_a_folder(tmp_path):
    """`dacno2_s5p.toml` in a folder holds for every file of it, and for each alone."""
    for day in ("20190630", "20190701"):
        path = write_unknown(tmp_path / f"DACNO2_{day}.nc")
    (tmp_path / "dacno2_s5p.toml").write_text(TOML)
    assert open_apriori(tmp_path).times.size == 2
    check(open_apriori(path))


def test_the_time_of_day_replaces_that_of_the_file(tmp_path):
    """Files whose times are the start of the day serve the overpass."""
    path = write_unknown(tmp_path / "a.nc", with_time=True)
    (tmp_path / "a.nc.toml").write_text(TOML + 'time = "epoch"\n')
    opened = open_apriori(path)
    assert opened.times.astype(str).tolist() == [
        "2019-06-29T12:30:00.000",
        "2019-06-30T12:30:00.000",
    ]


def test_pressures_may_be_given(tmp_path):
    """level_kind and level_unit make pressure levels, in any order."""
    path = write_unknown(tmp_path / "b_20190630.nc")
    toml = TOML.replace('"height"', '"pressure"\nlevel_unit = "hPa"').replace(
        "[0, 100, 1000]", "[100, 500, 1000]"
    )
    (tmp_path / "b_20190630.nc.toml").write_text(toml)
    opened = open_apriori(path)
    assert isinstance(opened.vertical, PressureLevels)
    assert opened.vertical.pressure.tolist() == [1e5, 5e4, 1e4]


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('colour = "red"', r"Keys must be of variable, .*Given colour\. Correct it"),
        ("unit = 3", "unit must be text"),
        ('unit = "furlong"', r"Invalid unit .*Given 'furlong'"),
        ('level_kind = "depth"', "level_kind must be of height, pressure, model_level"),
        ('level_values = "0, 50"', "level_values must be a list of numbers"),
        ("level_values = []", "level_values must be a list of numbers"),
        ('level_unit = "mile"', "level_unit must be of m,"),
        ('time_of_day = "noon"', "time_of_day must be 'HH:MM' in UTC"),
        ("synthetic = 1", "synthetic must be true or false"),
        ("unit = ug", "must be readable TOML"),
    ],
)
def test_wrong_tomls_give_one_line(tmp_path, toml, message):
    """Unknown keys and wrong values are named, before any file is read."""
    path = write_unknown(tmp_path / "a_20190630.nc")
    (tmp_path / "a_20190630.nc.toml").write_text(toml)
    with pytest.raises(AprioriError, match=message) as error:
        open_apriori(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"conc"', '"no2"', r"must hold the variable 'no2' of .*Given .* with northing"),
        ("[0, 100, 1000]", "[0, 100]", "must be that of the levels, 3. Given 2"),
        ('"spread"', '"sigma"', "uncertainty must name a variable of the file"),
        ('time_of_day = "12:30"\n', "", "A field must say its time"),
        ('"easting"', '"lon"', "must be those of its dimensions lay, northing, easting. Given lon"),
        ('crs = "EPSG:3035"\n', "", "Latitudes must lie in -90..90"),
    ],
)
def test_tomls_that_do_not_fit_the_file_give_one_line(tmp_path, old, new, message):
    """What the TOML names must be there."""
    path = write_unknown(tmp_path / "a_20190630.nc")
    (tmp_path / "a_20190630.nc.toml").write_text(TOML.replace(old, new))
    with pytest.raises(AprioriError, match=message):
        open_apriori(path)


def test_no_toml_is_an_empty_one(tmp_path):
    """Without a TOML nothing is described."""
    sidecar = find_sidecar(tmp_path)
    assert not sidecar.describes_layout and sidecar.text("unit") == ""


@pytest.mark.parametrize("given", [".", "deep/.."])
def test_a_folder_without_a_name_has_its_sidecar(tmp_path, monkeypatch, given):
    """`.` and `..` find what lies beside the folder that they mean."""
    folder = tmp_path / "set"
    (folder / "deep").mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert find_sidecar(Path(given)).path is None
    (tmp_path / "set.toml").write_text('title = "a"')
    assert find_sidecar(Path(given)).text("title") == "a"
