"""CMAQ and CAMx files: known columns, those of the same field as plain CF, and places by hand."""

from __future__ import annotations

import logging
import shutil

import netCDF4
import numpy as np
import pyproj
import pytest

import retrieval as rt
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL
from retrieval.physics.levels import HeightLayers, HybridLayers, LocalLayers
from retrieval.physics.time_rules import TimeRule
from tests.builders.model_files import (
    Field,
    no2_frames,
    write_camx,
    write_cf,
    write_cmaq,
    write_ioapi,
    write_mcip,
)

ALL = slice(None)
COLUMN, AMF = "apriori_tropospheric_column_{}", "air_mass_factor_troposphere_{}_apriori"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Return folders: CMAQ alone, with METCRO files beside, with METCRO3D only; CAMx; CF."""
    field = Field()
    found = {n: tmp_path_factory.mktemp(n) for n in ("sigma", "met", "three", "camx", "cf")}
    for name in ("sigma", "met", "three"):
        write_cmaq(found[name] / "CCTM_CONC", field)
    write_mcip(found["met"], field)
    write_mcip(found["three"], field, only=("METCRO3D",))
    write_camx(found["camx"] / "camx.avrg.nc", field)
    write_cf(found["cf"] / "cf.nc", field, kind="f4", is_projected=True)
    return found


def test_the_same_field_as_plain_cf_gives_the_same_columns(folders):
    """Sigma by attributes, and pressures of the meteorology beside: to 1e-6, with all pixels."""
    sets = {name: folders[name] for name in ("cf", "sigma", "met", "three")}
    new = rt.substitute(rt.sample("orbit"), sets)
    for name in ("SIGMA", "MET", "THREE"):
        assert int((new[f"substitution_flag_{name}"] == 0).sum()) == 144
        for variable in (COLUMN, AMF):
            found, wanted = new[variable.format(name)].values, new[variable.format("CF")].values
            np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_what_says_where_the_layers_are_is_told(folders, caplog):
    """By attributes with a warning that names what is better; files beside by name."""
    with open_apriori(folders["sigma"] / "CCTM_CONC") as opened:
        assert opened.kind == "I/O API (CMAQ, CAMx)"
        assert isinstance(opened.vertical, HybridLayers)
        # p = VGTOP + sigma (ps - VGTOP)
        sigma = Field().sigma
        np.testing.assert_allclose(opened.vertical.b, sigma, rtol=1e-6)  # float32 attributes
        np.testing.assert_allclose(opened.vertical.a, 5000.0 * (1 - sigma), rtol=1e-6, atol=1e-3)
    assert "VGLVLS are read as sigma" in caplog.text
    caplog.clear()
    with (
        caplog.at_level(logging.INFO, "retrieval"),
        open_apriori(folders["met"] / "CCTM_CONC") as opened,
    ):
        assert isinstance(opened.vertical, LocalLayers)
        assert opened.vertical.is_pressure
        names = ["CCTM_CONC", "METCRO2D.nc", "METCRO3D.nc"]
        assert [p.name for p in opened.files] == [p.name for p in opened.files_of([0])] == names
    for name in ("PRES", "ZF", "PRSFC"):
        assert f"layers by {name} of" in caplog.text
    assert "VGLVLS" not in caplog.text


def test_times_and_places_by_hand(folders):
    """Day 152 of 2023 is the 1st of June; the origin of the plane is XCENT, YCENT."""
    with open_apriori(folders["sigma"] / "CCTM_CONC") as opened:
        assert [str(t) for t in opened.times.astype("datetime64[m]")] == [
            "2023-06-01T11:00", "2023-06-01T12:00", "2023-06-01T13:00",
        ]  # fmt: skip
        assert opened.grid.extent == (-72000.0, 72000.0, -72000.0, 72000.0)
        to_plane = pyproj.Transformer.from_crs("EPSG:4326", opened.grid.crs, always_xy=True)
        np.testing.assert_allclose(to_plane.transform(2.3, 48.9), (0.0, 0.0), atol=1e-6)  # m
        lon, lat = Field().places()
        x, y = to_plane.transform(lon[0, 0], lat[0, 0])
        np.testing.assert_allclose((x, y), (-70000.0, -70000.0), atol=1e-3)  # m
        assert "Lambert" in repr(opened)


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        # a polar plane whose origin is 90 W, 45 N, true at 45 N
        ({"GDTYP": 6, "P_ALP": 1.0, "P_BET": 45.0, "P_GAM": -98.0, "XCENT": -90.0, "YCENT": 45.0},
         (-90.0, 45.0)),
        ({"GDTYP": 7, "P_ALP": 20.0, "P_BET": 0.0, "P_GAM": 10.0, "XCENT": 12.0, "YCENT": 30.0},
         (12.0, 30.0)),
        ({"GDTYP": 2, "P_ALP": 33.0, "P_BET": 45.0, "P_GAM": -97.0, "XCENT": -97.0, "YCENT": 40.0},
         (-97.0, 40.0)),
        ({"GDTYP": 9, "P_ALP": 33.0, "P_BET": 45.0, "P_GAM": -97.0, "XCENT": -90.0, "YCENT": 38.0},
         (-90.0, 38.0)),
    ],
)  # fmt: skip
def test_every_projection_has_its_origin(tmp_path, attributes, wanted):
    """The middle of a grid that lies round the origin is at XCENT, YCENT."""
    path = write_cmaq(tmp_path / "a.nc", Field(n=4), **attributes)
    with open_apriori(path) as opened:
        back = pyproj.Transformer.from_crs(opened.grid.crs, "EPSG:4326", always_xy=True)
        np.testing.assert_allclose(back.transform(0.0, 0.0), wanted, atol=1e-9)  # degree
        assert opened.time_rule is TimeRule.LINEAR or wanted[0] > 0  # noon is no overpass there


def test_longitudes_and_latitudes(tmp_path):
    """GDTYP 1: corners in degrees."""
    degrees = {"GDTYP": 1, "XORIG": 2.0, "YORIG": 48.5, "XCELL": 0.05, "YCELL": 0.025}
    with open_apriori(write_cmaq(tmp_path / "a.nc", Field(n=10), **degrees)) as opened:
        np.testing.assert_allclose(opened.grid.extent, (2.0, 2.5, 48.5, 48.75), rtol=1e-12)


def test_heights_of_camx(folders):
    """Tops of layers above ground; a uniform mixing ratio is v times the air, by hand."""
    with open_apriori(folders["camx"]) as opened:
        assert isinstance(opened.vertical, LocalLayers)
        assert not opened.vertical.is_pressure
        profile = np.moveaxis(opened.read(0, ALL, ALL), 0, -1).astype(np.float64)
        _, edges = opened.vertical.split(profile)
        wanted = np.moveaxis(Field().heights, 0, -1)
        np.testing.assert_allclose(edges, wanted, rtol=1e-6, atol=1e-3)  # float32, m
        assert opened.quantity == "mole_fraction"


def test_a_uniform_mixing_ratio_on_heights_is_its_air(tmp_path):
    """1 ppb up to the tropopause; layers of 1 to 3 km are integrated at their middles."""
    write_camx(tmp_path / "a.nc", Field(is_uniform=True, n_level=28))
    write_cf(tmp_path / "cf.nc", Field(is_uniform=True), kind="f8")
    sets = {"camx": tmp_path / "a.nc", "cf": tmp_path / "cf.nc"}
    new = rt.substitute(rt.sample("orbit"), sets)
    found, wanted = (new[COLUMN.format(name)].values for name in ("CAMX", "CF"))
    # (dz / H)^2 / 24 of a layer: 0.1 % at 1.2 km
    np.testing.assert_allclose(found, wanted, rtol=2e-3)
    assert AIR_COLUMN_PER_PASCAL * 1e-9 * 7e4 < wanted.min() < AIR_COLUMN_PER_PASCAL * 1e-9 * 1e5


def test_concentrations_take_heights(tmp_path):
    """With pressures and heights in one file, ug m-3 go by heights: x = n dz needs no air."""
    field = Field(n=6)
    variables = {
        "NO2": (no2_frames(field, 1e9), "micrograms/m**3"),
        "ZF": (np.repeat(field.heights[None, 1:], 3, axis=0), "m"),
        "PRES": (np.repeat(field.middles[None], 3, axis=0), "Pa"),
    }
    with open_apriori(write_ioapi(tmp_path / "a.nc", field, variables)) as opened:
        assert isinstance(opened.vertical, LocalLayers)
        assert not opened.vertical.is_pressure


def test_heights_by_attributes(tmp_path):
    """VGTYP 5 are heights above ground."""
    heights = {"VGTYP": np.int32(5), "VGLVLS": np.array([0, 20, 100, 500], "f4"), "VGTOP": 0.0}
    field = Field(n=4, n_level=3)
    with open_apriori(write_cmaq(tmp_path / "a.nc", field, **heights)) as opened:
        assert isinstance(opened.vertical, HeightLayers)
        np.testing.assert_allclose(opened.vertical.height_edges, [0, 20, 100, 500], rtol=1e-6)


def test_meteorology_of_another_day_or_grid_is_left(tmp_path, caplog):
    """Only a file with the grid and every time of the set says where its layers are."""
    write_cmaq(tmp_path / "CCTM", Field(n=4))
    write_mcip(tmp_path, Field(n=4), XORIG=0.0)
    with open_apriori(tmp_path / "CCTM") as opened:
        assert isinstance(opened.vertical, HybridLayers)
    write_mcip(tmp_path, Field(n=4))
    with netCDF4.Dataset(tmp_path / "METCRO3D.nc", "a") as ds:
        ds["TFLAG"][:, :, 0] = 2023153
    with open_apriori(tmp_path / "CCTM") as opened:
        assert isinstance(opened.vertical, HybridLayers)
    assert "put METCRO3D beside" in caplog.text


def _flags(ds):
    ds["TFLAG"][0, 0] = (0, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_flags, "TFLAG must hold YYYYDDD and HHMMSS. Given 0, 0"),
        (lambda ds: ds.setncattr("GDTYP", 11), "GDTYP must be 1 or of .* Given 11"),
        (lambda ds: ds.delncattr("P_GAM"), "without P_GAM"),
        (lambda ds: ds.setncattr("P_BET", -30.0), "must make a projection"),
        (lambda ds: ds.setncattr("VGTYP", 6), "Given VGTYP 6 and 15 values"),
        (lambda ds: ds.delncattr("VGLVLS"), "0 values of VGLVLS for 14"),
        (lambda ds: ds["NO2"].setncattr("units", "unknown"), "Invalid unit of NO2"),
    ],
)
def test_what_cannot_be_used_gives_one_line(folders, tmp_path, change, message):
    """Four parts in one line, as everywhere."""
    path = shutil.copy(folders["sigma"] / "CCTM_CONC", tmp_path / "a.nc")
    with netCDF4.Dataset(path, "a") as ds:
        change(ds)
    with pytest.raises(AprioriError, match=message) as error, open_apriori(path) as opened:
        opened.read(0, ALL, ALL)
    assert "\n" not in str(error.value)
