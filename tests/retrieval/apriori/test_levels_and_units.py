"""Every vertical coordinate and every unit: one number each, worked by hand.

The air of a layer of 100 hPa is 10000 Pa / (9.80665 m s-2 x 0.0289644 kg mol-1) = 35205.84 mol m-2.
"""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.layers import StandardAtmosphere
from retrieval.physics.levels import HeightLayers, HybridLayers, LocalLayers, PressureLevels
from retrieval.physics.partial_columns import PixelColumns, set_columns
from tests.builders.model_files import put

ALL = slice(None)
N = 3


def write(path, values, units, level, *, extra=(), standard_name=""):
    """Write a field (level, y, x) of one value a level, with level attributes or other variables.

    `level` are (values or None, attributes), `extra` (name, dimensions, values, attributes) each.
    """
    numbers, attributes = level
    with netCDF4.Dataset(path, "w") as ds:
        put(ds, "lat", ("lat",), [48.0, 48.1, 48.2], "f8", units="degrees_north")
        put(ds, "lon", ("lon",), [2.0, 2.1, 2.2], "f8", units="degrees_east")
        put(ds, "time", ("time",), [12.0], "f8", units="hours since 2023-06-01")
        if numbers is not None:
            put(ds, "lev", ("lev",), numbers, "f8", **attributes)
        field = np.broadcast_to(
            np.asarray(values, float)[None, :, None, None], (1, len(values), N, N)
        )
        named = {"standard_name": standard_name} if standard_name else {}
        put(ds, "no2", ("time", "lev", "lat", "lon"), field, "f8", units=units, **named)
        for name, dimensions, held, own in extra:
            put(ds, name, dimensions, held, "f8", **own)
    return path


def column(path, surface=100000.0, altitude=0.0):
    """Return the column of the set over one pixel [mol m-2], all layers to 100 Pa."""
    edges = np.array([[surface, 90000.0, 70000.0, 40000.0, 100.0]])
    ground = np.array([surface])
    pixel = PixelColumns(ground, edges, StandardAtmosphere(ground, np.array([altitude])))
    with open_apriori(path) as opened:
        profile = opened.read(0, ALL, ALL)[None, :, 1, 1].astype(np.float64)
        return float(set_columns(profile, opened.vertical, opened.quantity, pixel)[0].sum())


PRESSURES = ([950.0], {"units": "hPa", "bounds": "lev_bnds"})
BETWEEN_PRESSURES = [("lev_bnds", ("lev", "two"), [[1000.0, 900.0]], {})]
HEIGHTS = ([500.0], {"units": "m", "standard_name": "height", "bounds": "lev_bnds"})
BETWEEN_HEIGHTS = [("lev_bnds", ("lev", "two"), [[0.0, 1000.0]], {})]


@pytest.mark.parametrize(
    ("units", "value", "wanted"),
    [
        ("ppm", 0.01, 3.5205845e-4),  # 1e-8 of 35205.84
        ("ppmV", 0.01, 3.5205845e-4),
        ("ppb", 10.0, 3.5205845e-4),
        ("ppt", 1e4, 3.5205845e-4),
        ("mol mol-1", 1e-8, 3.5205845e-4),
        ("v/v", 1e-8, 3.5205845e-4),
        ("kg kg-1", 1e-8, 2.2165094e-4),  # 1e-8 kg kg-1 x 10000 Pa / g / 0.0460055 kg mol-1
        ("ug/kg", 10.0, 2.2165094e-4),
        ("ug kg-1", 10.0, 2.2165094e-4),
        ("mol m-2", 1e-4, 1e-4),
        ("kg m-2", 4.60055e-6, 1e-4),
        ("1e15 molec cm-2", 6.02214076, 1e-4),  # of 6.02214076e19 in a mol m-2
    ],
)
def test_ratios_and_columns_in_a_layer_of_100_hpa(tmp_path, units, value, wanted):
    """By x = v dp / (g M); a column is itself."""
    path = write(tmp_path / "a.nc", [value], units, PRESSURES, extra=BETWEEN_PRESSURES)
    assert column(path) == pytest.approx(wanted, rel=1e-6)  # digits of the number; float32


@pytest.mark.parametrize(
    ("units", "value", "wanted"),
    [
        ("ug m-3", 10.0, 2.173653e-4),  # 1e-5 g m-3 x 1000 m / 46.0055 g mol-1
        ("micrograms/m**3", 10.0, 2.173653e-4),
        ("kg m-3", 1e-8, 2.173653e-4),
        ("mol m-3", 1e-7, 1e-4),
        ("nmol m-3", 100.0, 1e-4),
        ("molec cm-3", 6.02214076e10, 1e-4),  # 1e-7 mol m-3
        ("cm-3", 6.02214076e10, 1e-4),
        ("umol m-2", 100.0, 1e-4),
    ],
)
def test_concentrations_in_a_layer_of_1000_m(tmp_path, units, value, wanted):
    """By x = n dz."""
    path = write(tmp_path / "a.nc", [value], units, HEIGHTS, extra=BETWEEN_HEIGHTS)
    assert column(path) == pytest.approx(wanted, rel=1e-6)  # digits of the number; float32


@pytest.mark.parametrize(
    ("units", "extra", "share"),
    [
        ("mol mol-1 dry", ("specific_humidity", 0.02), 0.98),
        ("ppb (dry air)", ("specific_humidity", 0.02), 0.98),
        ("ug/kg-dryair", ("humidity_mixing_ratio", 0.025), 1.0 / 1.025),
        ("mol mol-1 dry", None, 1.0),  # no water vapour to count
        ("mol mol-1", ("specific_humidity", 0.02), 1.0),  # not said to be of dry air
        ("ppb moist", ("specific_humidity", 0.02), 1.0),
    ],
)
def test_ratios_of_dry_air_count_the_dry_share(tmp_path, units, extra, share):
    """10 ppb or 10 ug/kg in 100 hPa of humid air count its dry share, 1 - q = 1 / (1 + w)."""
    value, whole = {
        "m": (1e-8, 3.5205845e-4),
        "p": (10.0, 3.5205845e-4),
        "u": (10.0, 2.2165094e-4),
    }[units[0]]
    held = list(BETWEEN_PRESSURES)
    if extra is not None:
        vapour = np.full((1, 1, N, N), extra[1])
        dimensions = ("time", "lev", "lat", "lon")
        held.append(("q", dimensions, vapour, {"standard_name": extra[0], "units": "kg kg-1"}))
    path = write(tmp_path / "a.nc", [value], units, PRESSURES, extra=held)
    assert column(path) == pytest.approx(share * whole, rel=1e-6)  # digits of the number


SIGMA = "atmosphere_sigma_coordinate"
HYBRID = "atmosphere_hybrid_sigma_pressure_coordinate"
LN = "atmosphere_ln_pressure_coordinate"
HYBRID_HEIGHT = "atmosphere_hybrid_height_coordinate"
SLEVE = "atmosphere_sleve_coordinate"
OROG = ("orog", ("lat", "lon"), np.full((N, N), 200.0), {"units": "m"})
TERRAIN = ("topo", ("lat", "lon"), np.full((N, N), 300.0),
           {"units": "m", "standard_name": "surface_altitude"})  # fmt: skip
CUBE = ("time", "lev", "lat", "lon")


def cube(*values, n=None):
    """Return a field of one value a level."""
    return np.broadcast_to(np.array(values, float)[None, :, None, None], (1, len(values), N, N))


COORDINATES = {
    # 1 ppb from 1000 to 500 hPa: 5 x 35205.84e-9
    "sigma": (
        "ppb", [1.0, 0.0],
        ([0.75, 0.25], {"standard_name": SIGMA, "bounds": "lev_bnds",
                        "formula_terms": "sigma: lev ps: ps ptop: ptop"}),
        [("lev_bnds", ("lev", "two"), [[1.0, 0.5], [0.5, 0.0]],
          {"formula_terms": "sigma: lev_bnds ps: ps ptop: ptop"}),
         ("ptop", (), 0.0, {"units": "Pa"})],
        HybridLayers, 1.7602922e-4,
    ),
    # the same with p = a p0 + b ps: interfaces 1000, 0.2 x 1000 + 0.3 x 1000 = 500, 0 hPa
    "hybrid with p0": (
        "ppb", [1.0, 0.0],
        ([1.0, 2.0], {"standard_name": HYBRID, "formula_terms": "a: a b: b p0: p0 ps: ps"}),
        [("a", ("ilev",), [0.0, 0.2, 0.0], {}), ("b", ("ilev",), [1.0, 0.3, 0.0], {}),
         ("p0", (), 1000.0, {"units": "hPa"})],
        HybridLayers, 1.7602922e-4,
    ),
    # hyai in hPa, as GEOS-Chem has them
    "hyai in hPa": (
        "ppb", [1.0, 0.0], ([1.0, 2.0], {"units": "level"}),
        [("hyai", ("ilev",), [0.0, 200.0, 0.0], {"units": "hPa"}),
         ("hybi", ("ilev",), [1.0, 0.3, 0.0], {})],
        HybridLayers, 1.7602922e-4,
    ),
    # p = p0 exp(-lev): 1000 and 500 hPa; 1 ppb between them is constant
    "ln pressure": (
        "ppb", [1.0, 1.0],
        ([0.0, np.log(2.0)], {"standard_name": LN, "formula_terms": "p0: p0 lev: lev"}),
        [("p0", (), 1000.0, {"units": "hPa"})],
        PressureLevels, 1.7602922e-4,
    ),
    # z = a + b orog with orog 200 m: interfaces at 200, 620 and 1200 m above sea, so 0, 420, 1000
    # m above ground: 1e-7 mol m-3 x 420 m
    "hybrid height": (
        "mol m-3", [1e-7, 0.0],
        ([0.0, 1.0], {"standard_name": HYBRID_HEIGHT, "bounds": "lev_bnds",
                      "formula_terms": "a: a b: b orog: orog"}),
        [("a", ("lev",), [225.0, 800.0], {"units": "m", "bounds": "a_bnds"}),
         ("a_bnds", ("lev", "two"), [[0.0, 450.0], [450.0, 1200.0]], {}),
         ("b", ("lev",), [0.9, 0.4], {"bounds": "b_bnds"}),
         ("b_bnds", ("lev", "two"), [[1.0, 0.85], [0.85, 0.0]], {}),
         OROG],
        LocalLayers, 4.2e-5,
    ),
    # z = a ztop + b1 zsurf1 + b2 zsurf2 of 10 km, 150 and 50 m: middles at 0.03 x 10000 + 0.8 x 150
    # + 0.6 x 50 = 450 and 0.1 x 10000 + 0.5 x 150 + 0.2 x 50 = 1085 m, 250 and 885 m above ground;
    # the interface midway at 567.5 m
    "SLEVE": (
        "mol m-3", [1e-7, 0.0],
        ([0.0, 1.0], {"standard_name": SLEVE, "formula_terms":
                      "a: a b1: b1 b2: b2 ztop: ztop zsurf1: smooth zsurf2: rough"}),
        [("a", ("lev",), [0.03, 0.1], {}), ("b1", ("lev",), [0.8, 0.5], {}),
         ("b2", ("lev",), [0.6, 0.2], {}), ("ztop", (), 10000.0, {"units": "m"}),
         ("smooth", ("lat", "lon"), np.full((N, N), 150.0), {"units": "m"}),
         ("rough", ("lat", "lon"), np.full((N, N), 50.0), {"units": "m"})],
        LocalLayers, 5.675e-5,
    ),
    # altitudes 100, 400 and 800 m over a terrain of 300 m: the first is below ground; interfaces
    # at 0 and (100 + 500) / 2 = 300 m
    "altitude": (
        "mol m-3", [np.nan, 1e-7, 0.0],
        ([100.0, 400.0, 800.0], {"units": "m", "standard_name": "altitude"}), [TERRAIN],
        LocalLayers, 3e-5,
    ),
    "height in km": (
        "mol m-3", [1e-7], ([0.5], {"units": "km", "standard_name": "height",
                                    "bounds": "lev_bnds"}),
        [("lev_bnds", ("lev", "two"), [[0.0, 1.0]], {})], HeightLayers, 1e-4,
    ),
    # interfaces at 1000 and 500 hPa, from the top down
    "pressure at interfaces": (
        "ppb", [0.0, 1.0], (None, {}),
        [("pi", ("time", "ilev", "lat", "lon"), cube(0.0, 500.0, 1000.0),
          {"units": "hPa", "standard_name": "air_pressure"})],
        LocalLayers, 1.7602922e-4,
    ),
    # middles at 800 and 200 hPa over 1000: midway at 500
    "pressure at middles": (
        "ppb", [1.0, 0.0], (None, {}),
        [("p", CUBE, cube(800.0, 200.0), {"units": "hPa", "standard_name": "air_pressure"}),
         ("ps", ("time", "lat", "lon"), np.full((1, N, N), 100000.0),
          {"units": "Pa", "standard_name": "surface_air_pressure"})],
        LocalLayers, 1.7602922e-4,
    ),
    # middles at 750 and 250 hPa without a surface: as far below the middle as above it
    "pressure without a surface": (
        "ppb", [1.0, 0.0], (None, {}),
        [("p", CUBE, cube(750.0, 250.0), {"units": "hPa", "standard_name": "air_pressure"})],
        LocalLayers, 1.7602922e-4,
    ),
    "height at interfaces": (
        "mol m-3", [1e-7, 0.0], (None, {}),
        [("h", ("ilev", "lat", "lon"), cube(0.0, 800.0, 2000.0)[0],
          {"units": "m", "standard_name": "height"})],
        LocalLayers, 8e-5,
    ),
    # interfaces at 300, 900 and 3000 m above sea over a terrain of 300 m
    "altitude at interfaces": (
        "mol m-3", [1e-7, 0.0], (None, {}),
        [("h", ("ilev", "lat", "lon"), cube(300.0, 900.0, 3000.0)[0],
          {"units": "m", "standard_name": "altitude"}), TERRAIN],
        LocalLayers, 6e-5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COORDINATES)
def test_every_vertical_coordinate(tmp_path, name):
    """The column of one layer over a pixel at 1000 hPa, by hand above each."""
    units, values, level, extra, kind, wanted = COORDINATES[name]
    path = write(tmp_path / "a.nc", values, units, level, extra=extra)
    with open_apriori(path) as opened:
        assert isinstance(opened.vertical, kind)
    assert column(path) == pytest.approx(wanted, rel=1e-6)  # digits of the number; float32


def test_the_model_s_ground_moves_to_the_pixel_s(tmp_path):
    """Interfaces at 1000, 500, 0 hPa over a pixel at 800 hPa: 1 ppb fills 400 hPa."""
    units, values, level, extra, _, wanted = COORDINATES["pressure at interfaces"]
    path = write(tmp_path / "a.nc", values, units, level, extra=extra)
    assert column(path, 80000.0) == pytest.approx(0.8 * wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "drop", "message"),
    [
        ("altitude", "topo", "need the terrain, to be heights above ground"),
        ("altitude at interfaces", "topo", "need the terrain"),
        ("hybrid height", "orog", "Given no orog"),
        ("hybrid with p0", "p0", "a reference pressure p0"),
    ],
)
def test_a_missing_term_is_named(tmp_path, name, drop, message):
    """What a coordinate needs and the file lacks gives one line."""
    units, values, level, extra, _, _ = COORDINATES[name]
    path = write(tmp_path / "a.nc", values, units, level, extra=[e for e in extra if e[0] != drop])
    with pytest.raises(AprioriError, match=message) as error:
        open_apriori(path)
    assert "\n" not in str(error.value)


def test_bounds_that_turn_back_are_refused(tmp_path):
    """A field of interfaces that does not rise is no coordinate."""
    held = [("h", ("ilev", "lat", "lon"), cube(0.0, 800.0, 500.0)[0],
             {"units": "m", "standard_name": "height"})]  # fmt: skip
    path = write(tmp_path / "a.nc", [1e-7, 0.0], "mol m-3", (None, {}), extra=held)
    with (
        open_apriori(path) as opened,
        pytest.raises(AprioriError, match="that turns back, layer 1 from the surface"),
    ):
        opened.read(0, ALL, ALL)


def test_numbers_are_no_heights(tmp_path):
    """Levels called height that count 1, 2, 3 without a unit are asked about: no metres."""
    with netCDF4.Dataset(tmp_path / "a.nc", "w") as ds:
        put(ds, "lat", ("lat",), [48.0, 48.1], "f8", units="degrees_north")
        put(ds, "lon", ("lon",), [2.0, 2.1], "f8", units="degrees_east")
        put(ds, "time", ("time",), [12.0], "f8", units="hours since 2023-06-01")
        put(ds, "height", ("height",), [3.0, 2.0, 1.0], "f8")
        put(ds, "no2", ("time", "height", "lat", "lon"), np.full((1, 3, 2, 2), 1e-9), "f8",
            units="mol mol-1")  # fmt: skip
    with pytest.raises(AprioriError, match="Given values 3, 2, 1 without any"):
        open_apriori(tmp_path / "a.nc")


def test_an_uncertainty_goes_with_layers_of_each_cell(tmp_path):
    """One sigma is of the values; where the layers are is known."""
    units, values, level, extra, _, _ = COORDINATES["pressure at interfaces"]
    sigma = ("no2_uncertainty", CUBE, cube(0.1, 0.2), {"units": "ppb"})
    path = write(tmp_path / "a.nc", values, units, level, extra=[*extra, sigma])
    with open_apriori(path) as opened:
        found = opened.read_uncertainty(0, ALL, ALL)
    assert found is not None
    np.testing.assert_allclose(found[:, 1, 1], [2e-10, 1e-10, 0.0, 0.0, 0.0], rtol=1e-6)  # float32
