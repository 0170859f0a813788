"""Models by a table: a small file of each, structurally true, and the layers and values it has."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.formats.models import models
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.levels import HybridLayers, LocalLayers
from tests.builders.model_files import put

ALL = slice(None)
NZ, NY, NX = 3, 4, 5
LAT, LON = 48.0 + 0.1 * np.arange(NY), 2.0 + 0.1 * np.arange(NX)
RATIO = np.array([4e-9, 2e-9, 1e-9])
"""Mole fractions, from the ground up; the same in all cells but for a slope."""
EDGES = np.array([100000.0, 80000.0, 50000.0, 20000.0])
HEIGHTS = np.array([0.0, 500.0, 2000.0, 6000.0])
TERRAIN = np.add.outer(np.linspace(0.0, 300.0, NY), np.zeros(NX))


def cube(values):
    """Spread values of levels over (time, level, y, x)."""
    return np.broadcast_to(np.asarray(values, float)[None, :, None, None], (1, len(values), NY, NX))


def axes(ds, y="lat", x="lon"):
    """Write latitudes, longitudes and a time."""
    put(ds, y, (y,), LAT, "f8", units="degrees_north")
    put(ds, x, (x,), LON, "f8", units="degrees_east")
    put(ds, "time", ("time",), [720.0], "f8", units="minutes since 2023-06-01 00:00:00")


def geos_chem(ds):
    """Write a SpeciesConc collection: hybrid coefficients in hPa, mol mol-1 dry."""
    axes(ds)
    p0 = 1013.25
    b = EDGES / EDGES[0] * np.array([1.0, 0.9, 0.6, 0.0])
    a = (EDGES - b * EDGES[0]) / 100.0
    put(ds, "lev", ("lev",), [0.9, 0.6, 0.3], "f8", units="level", positive="up", axis="Z",
        standard_name="atmosphere_hybrid_sigma_pressure_coordinate",
        formula_terms="a: hyam b: hybm p0: P0 ps: PS")  # fmt: skip
    for name, values in (("hyai", a), ("hybi", b)):
        put(ds, name, ("ilev",), values, "f8", units="hPa" if name == "hyai" else "1")
    for name, values in (("hyam", a), ("hybm", b)):
        put(ds, name, ("lev",), 0.5 * (values[1:] + values[:-1]), "f8")
    put(ds, "P0", (), p0, "f8", units="hPa")
    put(ds, "SpeciesConcVV_NO2", ("time", "lev", "lat", "lon"), cube(RATIO), units="mol mol-1 dry")


def geos_cf(ds):
    """Write chemistry and meteorology merged: layers numbered from the top, with thicknesses."""
    axes(ds)
    put(ds, "lev", ("lev",), [70.0, 71.0, 72.0], "f8", units="layer", positive="down")
    dimensions = ("time", "lev", "lat", "lon")
    put(ds, "NO2", dimensions, cube(RATIO[::-1]), units="mol mol-1")
    put(ds, "DELP", dimensions, cube(-np.diff(EDGES)[::-1]), units="Pa")
    put(ds, "PS", ("time", "lat", "lon"), np.full((1, NY, NX), EDGES[0]), units="Pa")


def chimere(ds):
    """Write `out.nc`: text times, two-dimensional places, ppb vol, tops of layers."""
    dimensions = ("Time", "bottom_top", "south_north", "west_east")
    text = netCDF4.stringtochar(np.array(["2023-06-01_12:00:00"], "S19"))
    put(ds, "Times", ("Time", "DateStrLen"), text, "S1")
    lon, lat = np.meshgrid(LON, LAT)
    put(ds, "lon", dimensions[2:], lon, units="degrees_east", long_name="Longitude")
    put(ds, "lat", dimensions[2:], lat, units="degrees_north", long_name="Latitude")
    put(ds, "NO2", dimensions, cube(1e9 * RATIO), units="ppb vol")
    put(ds, "hlay", dimensions, cube(HEIGHTS[1:]), units="m", long_name="Layer top altitude")
    put(ds, "airm", dimensions, cube([2e19, 2e19, 1e19]), units="molecule/cm3")


def lotos_euros(ds):
    """Write a 3-D concentration file: pressures at half levels beside."""
    axes(ds, "latitude", "longitude")
    put(ds, "level", ("level",), [1.0, 2.0, 3.0], "f8", units="1", long_name="layer")
    put(ds, "no2", ("time", "level", "latitude", "longitude"), cube(RATIO), units="mole mole-1")
    put(ds, "hp", ("time", "hlevel", "latitude", "longitude"), cube(EDGES), units="Pa")


def emep(ds):
    """Write 3-D output: D3_ names, hybrid coefficients, layers from the top."""
    axes(ds)
    a, b = np.array([0.0, 0.0, 100.0, 200.0]), np.array([1.0, 0.8, 0.4, 0.0])
    put(ds, "lev", ("lev",), [0.1, 0.6, 0.9], "f8",
        formula_terms="ap: hyam b: hybm ps: PS p0: P0",
        standard_name="atmosphere_hybrid_sigma_pressure_coordinate")  # fmt: skip
    put(ds, "hyai", ("ilev",), a[::-1], "f8", units="hPa")
    put(ds, "hybi", ("ilev",), b[::-1], "f8")
    put(ds, "D3_mix_NO2", ("time", "lev", "lat", "lon"), cube(RATIO[::-1]), units="mix_ratio")


def cosmo_art(ds):
    """Write on a rotated pole, half levels above sea from the top down, and the terrain."""
    put(ds, "time", ("time",), [43200.0], "f8", units="seconds since 2023-06-01 00:00:00")
    put(ds, "rlat", ("rlat",), 0.1 * np.arange(NY), "f8", units="degrees",
        standard_name="grid_latitude")  # fmt: skip
    put(ds, "rlon", ("rlon",), 0.1 * np.arange(NX), "f8", units="degrees",
        standard_name="grid_longitude")  # fmt: skip
    ds.createVariable("rotated_pole", "S1", ()).setncatts(
        {"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 40.0,
         "grid_north_pole_longitude": -170.0}
    )  # fmt: skip
    put(ds, "NO2", ("time", "level", "rlat", "rlon"), cube(1e6 * RATIO[::-1]), units="ppmv",
        grid_mapping="rotated_pole")  # fmt: skip
    half = HEIGHTS[::-1, None, None] + TERRAIN
    put(ds, "HHL", ("time", "level1", "rlat", "rlon"), half[None], units="m",
        long_name="height of half levels")  # fmt: skip
    put(ds, "HSURF", ("time", "rlat", "rlon"), TERRAIN[None], units="m")


def icon_art(ds):
    """Write regridded output: geometric heights of half levels above sea."""
    axes(ds)
    put(ds, "height", ("height",), [1.0, 2.0, 3.0], "f8", axis="Z")
    put(ds, "TRNO2", ("time", "height", "lat", "lon"), cube(RATIO[::-1]), units="mol mol-1")
    half = HEIGHTS[::-1, None, None] + TERRAIN
    put(ds, "z_ifc", ("height_2", "lat", "lon"), half, units="m",
        standard_name="geometric_height_at_half_level_center")  # fmt: skip
    put(ds, "topography_c", ("lat", "lon"), TERRAIN, units="m")


def melodies_monet(ds):
    """Write a model in the standard form: (time, z, y, x), pressures of middles, ppbv."""
    put(ds, "time", ("time",), [12.0], "f8", units="hours since 2023-06-01")
    lon, lat = np.meshgrid(LON, LAT)
    put(ds, "longitude", ("y", "x"), lon, "f8", units="degrees_east")
    put(ds, "latitude", ("y", "x"), lat, "f8", units="degrees_north")
    dimensions = ("time", "z", "y", "x")
    put(ds, "NO2", dimensions, cube(1e9 * RATIO), units="ppbv")
    put(ds, "pres_pa_mid", dimensions, cube(0.5 * (EDGES[1:] + EDGES[:-1])))
    put(ds, "surfpres_pa", ("time", "y", "x"), np.full((1, NY, NX), EDGES[0]))


FILES = {
    "GEOS-Chem": (geos_chem, EDGES),
    "GEOS-CF": (geos_cf, EDGES),
    "CHIMERE": (chimere, HEIGHTS),
    "LOTOS-EUROS": (lotos_euros, EDGES),
    "EMEP MSC-W": (emep, [100000.0, 80000.0, 50000.0, 20000.0]),
    "COSMO-ART": (cosmo_art, HEIGHTS),
    "ICON-ART": (icon_art, HEIGHTS),
    # middles at 900, 650 and 350 hPa: interfaces at the surface, 775, 500, and 200 hPa
    "MELODIES-MONET": (melodies_monet, [100000.0, 77500.0, 50000.0, 20000.0]),
}


def test_every_model_of_the_table_has_its_file():
    """And its facts say where they are from."""
    assert set(FILES) == {model.name for model in models()}
    assert all(model.known_from for model in models())


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_each_model(tmp_path, name):
    """Known by content; values surface first in SI, interfaces where the file has them."""
    build, edges = FILES[name]
    with netCDF4.Dataset(tmp_path / "any.nc", "w") as ds:
        build(ds)
    with open_apriori(tmp_path / "any.nc") as opened:
        assert opened.kind == name
        assert str(opened.times[0]) == "2023-06-01T12:00:00.000"
        profile = opened.read(0, ALL, ALL)[:, 1, 2].astype(np.float64)
        np.testing.assert_allclose(profile[:NZ], RATIO, rtol=1e-6)  # float32
        if isinstance(opened.vertical, HybridLayers):
            found = opened.vertical.a + opened.vertical.b * EDGES[0]
        else:
            assert isinstance(opened.vertical, LocalLayers)
            found = opened.vertical.split(profile)[1]
        np.testing.assert_allclose(found, edges, rtol=1e-6, atol=1e-3)  # float32
        if name in ("COSMO-ART", "ICON-ART"):
            altitude = opened.read_surface_altitude(ALL, ALL)
            assert altitude is None or np.allclose(altitude, TERRAIN, rtol=1e-6)
        is_plane = isinstance(opened.grid, CurvilinearGrid)
        assert is_plane is (name in ("CHIMERE", "COSMO-ART", "MELODIES-MONET"))


def test_two_models_in_one_folder_are_refused(tmp_path):
    """A set is of one model."""
    for name in ("LOTOS-EUROS", "EMEP MSC-W"):
        with netCDF4.Dataset(tmp_path / f"{name}.nc", "w") as ds:
            FILES[name][0](ds)
    with pytest.raises(AprioriError, match=r"Its files must be of one model\. Given EMEP"):
        open_apriori(tmp_path)


def test_geos_layers_of_unknown_order_are_refused(tmp_path):
    """Numbers that do not reach the ground say no order."""
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as ds:
        geos_cf(ds)
        ds["lev"][:] = [1.0, 2.0, 3.0]
    with pytest.raises(AprioriError, match="numbered from the top to the ground, 72") as error:
        open_apriori(tmp_path / "a.nc")
    assert "\n" not in str(error.value)
