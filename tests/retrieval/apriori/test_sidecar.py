"""The TOML beside a set: archives with names that cannot be known."""

from __future__ import annotations

import textwrap
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.registry import open_apriori
from retrieval.apriori.sidecar import KEYS, find_sidecar
from retrieval.errors import AprioriError
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    LocalLayers,
    PressureLevels,
)
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
        ('unit = "furlong"', r"unit must be a concentration, .*Given 'furlong'. Write, for exam"),
        ('level_kind = "depth"', "level_kind must be of height, altitude, pressure, hybrid, mod"),
        (
            '# a word\ntitle = "a"\nlevelkind = "height"',
            r"toml, line 3. .*levelkind. Write level",
        ),
        ('title = "a"\n\nunit = "K"', "toml, line 3. unit must be"),
        ('[level]\nkind = "height"', "toml, line 1. level must be text"),
        ('times = ["noon"]', "times must be times as 2019-06-01T12:00. Given .'noon'"),
        ('time_unit = "hours"', "time_unit must be a unit and a date"),
        ('crs = "EPSG:nothing"', "crs must be known"),
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


def write_archive(path, kind="height"):
    """Write fields that say nothing: no attributes at all, every name its own."""
    n = {"d1": 3, "d2": Y.size, "d3": X.size, "d4": 2}
    values = concentration(HEIGHT[:, None, None], *mesh(Y / 1e6, X / 1e6))
    with netCDF4.Dataset(path, "w") as ds:
        for name, size in n.items():
            ds.createDimension(name, size)
        ds.createDimension("d5", 4)
        held = {
            "a": (("d2",), 48.0 + 0.01 * np.arange(Y.size)),
            "b": (("d3",), 2.0 + 0.01 * np.arange(X.size)),
            "a2": (("d2", "d3"), np.add.outer(48.0 + 0.01 * np.arange(Y.size), 0.0 * X)),
            "b2": (("d2", "d3"), np.add.outer(0.0 * Y, 2.0 + 0.01 * np.arange(X.size))),
            "t": (("d4",), [0.0, 24.0]),
            "h": (("d1",), HEIGHT),
            "edges": (("d5",), [0.0, 50.0, 500.0, 2000.0]),
            "p": (("d4", "d1", "d2", "d3"), np.broadcast_to(
                np.array([1e5, 9e4, 8e4])[:, None, None], (2, *values.shape))),
            "top": (("d2", "d3"), np.full(values.shape[1:], 100.0)),
            "ap": (("d5",), [0.0, 1000.0, 2000.0, 3000.0]),
            "bp": (("d5",), [1.0, 0.9, 0.7, 0.4]),
            "field": (("d4", "d1", "d2", "d3"), [values, 2 * values]),
        }  # fmt: skip
        for name, (dimensions, numbers) in held.items():
            variable = ds.createVariable(name, "f8", dimensions)
            variable[...] = numbers
            if name in ("p", "top"):
                variable.units = {"p": "Pa", "top": "m"}[name]
    return path


ARCHIVE = """
variable = "field"
unit = "ug m-3"
level = "d1"
time = "d4"
times = ["2019-06-29T12:00", 2019-06-30T12:00:00]
x = "d3"
y = "d2"
longitude = "b"
latitude = "a"
"""


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ('level_kind = "height"\nlevel_values = [0, 100, 1000]', HeightLevels),
        ('level_kind = "height"\nlevel_variable = "h"', HeightLevels),
        ('level_kind = "height"\nlevel_variable = "edges"', HeightLayers),
        ('level_kind = "pressure"\nlevel_values = [1000, 900, 800]\nlevel_unit = "hPa"',
         PressureLevels),
        ('level_kind = "pressure"\nlevel_variable = "p"', LocalLayers),
        ('level_a = "ap"\nlevel_b = "bp"', HybridLayers),
    ],
)  # fmt: skip
def test_a_layout_that_nobody_knows_is_told_by_its_toml(tmp_path, more, kind):
    """Every name, level, unit and time is open; coordinates need not have names of dimensions."""
    path = write_archive(tmp_path / "archive.nc")
    Path(f"{path}.toml").write_text(ARCHIVE + more)
    with open_apriori(path) as opened:
        assert isinstance(opened.vertical, kind)
        assert opened.times.astype("datetime64[h]").astype(str).tolist() == [
            "2019-06-29T12", "2019-06-30T12",
        ]  # fmt: skip
        np.testing.assert_allclose(opened.grid.extent, (1.995, 2.095, 47.995, 48.075), rtol=1e-12)
        wanted = concentration(HEIGHT[:, None, None], *mesh(Y / 1e6, X / 1e6))
        found = opened.read(1, ALL, ALL)[:3] / MICROGRAM_M3_TO_MOL_M3
        np.testing.assert_allclose(found, 2 * wanted, rtol=1e-6)  # float32


def test_two_dimensional_places_and_a_unit_of_time(tmp_path):
    """Latitudes of every cell make a curvilinear grid; numbers of a time variable get a unit."""
    path = write_archive(tmp_path / "archive.nc")
    toml = ARCHIVE.replace('"b"', '"b2"').replace('"a"', '"a2"').replace('x = "d3"\ny = "d2"\n', "")
    Path(f"{path}.toml").write_text(f'{toml}level_kind = "height"\nlevel_variable = "h"\n')
    with open_apriori(path) as opened:
        assert isinstance(opened.grid, CurvilinearGrid)
        np.testing.assert_allclose(opened.grid.extent, (1.995, 2.095, 47.995, 48.075), rtol=1e-12)
    path = write_unknown(tmp_path / "b.nc", with_time=True)
    with netCDF4.Dataset(path, "a") as ds:
        ds["epoch"].delncattr("units")
    clock = TOML.replace(
        'time_of_day = "12:30"', 'time = "epoch"\ntime_unit = "days since 2020-02-03"'
    )
    Path(f"{path}.toml").write_text(clock)
    with open_apriori(path) as opened:
        assert str(opened.times[1].astype("datetime64[D]")) == "2020-02-04"


def test_altitudes_and_a_terrain_by_name(tmp_path):
    """Levels at 150 and 1100 m above sea over a terrain of 100 m; the one below ground is none."""
    path = write_archive(tmp_path / "archive.nc")
    with netCDF4.Dataset(path, "a") as ds:
        z = ds.createVariable("z3", "f8", ("d1", "d2", "d3"))
        z[...] = np.array([50.0, 150.0, 1100.0])[:, None, None]
        z.units = "m"
    more = 'level_kind = "altitude"\nlevel_variable = "z3"\nterrain = "top"'
    Path(f"{path}.toml").write_text(ARCHIVE + more)
    with open_apriori(path) as opened:
        profile = opened.read(0, ALL, ALL)[:, 0, 0]
        _, edges = opened.vertical.split(profile)
        # middles at -50, 50, 1000 m above ground: interfaces 0, 0, 525, 1475
        np.testing.assert_allclose(edges, [0.0, 0.0, 525.0, 1475.0], rtol=1e-6)  # float32
        np.testing.assert_allclose(opened.read_surface_altitude(ALL, ALL), 100.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('longitude = "b"', 'longitude = "nolon"', "longitude must name a variable of .* of a, b"),
        ('level = "d1"', 'level = "d9"', "level must name a dimension"),
        ("2019-06-29T12:00", "2019-06-29T12:00\", \"2019-06-29T13:00", "one for each of the 2"),
        ('level_variable = "h"', 'level_variable = "top"', "must lie on the grid of field, with"),
        ('level_variable = "h"', 'level_variable = "t"', "the 3 levels or their 4 interfaces"),
        ('level_variable = "h"', 'level_a = "ap"', "level_a and level_b go together"),
        ('time = "d4"', 'time_unit = "days since 2019-01-01"', "Given none 'time'"),
    ],
)  # fmt: skip
def test_names_that_are_not_there_give_one_line(tmp_path, old, new, message):
    """What the TOML names must be in the file, and fit."""
    path = write_archive(tmp_path / "archive.nc")
    toml = ARCHIVE + 'level_kind = "height"\nlevel_variable = "h"\n'
    if "time_unit" in new:
        toml = toml.replace('times = ["2019-06-29T12:00", 2019-06-30T12:00:00]\n', "")
    Path(f"{path}.toml").write_text(toml.replace(old, new))
    with pytest.raises(AprioriError, match=message) as error:
        open_apriori(path)
    assert "\n" not in str(error.value)


def test_the_documented_samples_may_stand(tmp_path):
    """Every key is in the table of docs/formats.md, and its two samples are read."""
    page = Path(__file__).resolve().parents[3] / "docs/formats.md"
    section = page.read_text(encoding="utf-8").split("### 4.8")[1].split("\n## ")[0]
    assert all(f"`{key}`" in section for key in KEYS)
    blocks = [block for block in section.split("\n\n") if block.startswith("    ")]
    assert len(blocks) == 2
    for block in blocks:
        (tmp_path / "dacno2_s5p.toml").write_text(textwrap.dedent(block), encoding="utf-8")
        assert find_sidecar(tmp_path).describes_layout
