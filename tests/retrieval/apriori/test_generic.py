"""Any CF field: quantities, levels, orders of axes; and what is refused."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import closing
from pathlib import Path

import netCDF4
import numpy as np
import pyproj
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.apriori.formats.hybrid_tables import interfaces, interfaces_from_middles
from retrieval.apriori.registry import open_apriori, readers
from retrieval.errors import AprioriError
from retrieval.physics.constants import AVOGADRO, MOLAR_MASS_NO2
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.physics.levels import HeightLayers, HybridLayers, PressureLevels, Quantity
from retrieval.physics.time_rules import TimeRule
from tests.builders.files import write_profiles
from tests.builders.set_builders import write_cams_forecast

ALL = slice(None)
HEIGHT = np.array([10.0, 200.0, 1500.0])
LATITUDE = np.array([48.0, 48.5, 49.0, 49.5])
LONGITUDE = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
TIME = np.array([11.0, 12.0, 13.0])
SI = np.random.default_rng(0).uniform(1e-8, 1e-6, (3, 3, 4, 5))
"""The one field [mol m-3], as (time, level, latitude, longitude)."""

UNITS = {
    "mol m-3": 1.0,
    "ug m-3": 1e-9 / MOLAR_MASS_NO2,
    "µg/m3": 1e-9 / MOLAR_MASS_NO2,
    "kg m**-3": 1.0 / MOLAR_MASS_NO2,
    "molec cm-3": 1e6 / AVOGADRO,
}


def write_field(
    path,
    *,
    order=("time", "level", "lat", "lon"),
    flips=(),
    units="mol m-3",
    pack=False,
    longitude_360=False,
    values=SI,
    level=None,
    name="no2",
    standard_name="",
    extra=None,
    vertical=True,
):
    """Write a CF field in any layout; `values` stay with their coordinates."""
    coordinates = {
        "time": (TIME, {"units": "hours since 2019-06-30", "standard_name": "time"}),
        "level": level or (HEIGHT, {"units": "m", "standard_name": "height", "positive": "up"}),
        "lat": (LATITUDE, {"units": "degrees_north"}),
        "lon": (LONGITUDE % 360 if longitude_360 else LONGITUDE, {"units": "degrees_east"}),
    }
    names = ["time", "level", "lat", "lon"]
    stored = values / UNITS.get(units, 1.0)
    for flipped in flips:
        place = names.index(flipped)
        coordinate, attributes = coordinates[flipped]
        coordinates[flipped] = (coordinate[::-1], attributes)
        stored = np.flip(stored, place)
    stored = np.transpose(stored, [names.index(n) for n in order])
    if not vertical:
        stored, order = stored[:, 0], tuple(n for n in order if n != "level")
    with netCDF4.Dataset(path, "w") as ds:
        for dimension in order:
            coordinate, attributes = coordinates[dimension]
            ds.createDimension(dimension, coordinate.size)
            ds.createVariable(dimension, "f8", (dimension,))[:] = coordinate
            ds[dimension].setncatts(attributes)
        variable = ds.createVariable(name, "i2" if pack else "f8", order, fill_value=-32767)
        if units is not None:
            variable.units = units
        if standard_name:
            variable.standard_name = standard_name
        if pack:
            variable.scale_factor = (stored.max() - stored.min()) / 60000
            variable.add_offset = 0.5 * (stored.max() + stored.min())
        variable[:] = stored
        if extra is not None:
            extra(ds)
    return path


@settings(max_examples=40, deadline=None)  # files on disk have no steady pace
@given(
    st.permutations(["time", "level", "lat", "lon"]),
    st.sets(st.sampled_from(["time", "level", "lat", "lon"])),
    st.sampled_from(sorted(UNITS)),
    st.booleans(),
    st.booleans(),
)
def test_any_layout_of_one_field_gives_the_same_si_values(order, flips, units, pack, wrap):
    """Order and direction of axes, unit, packing and longitude convention do not matter."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_field(
            Path(folder) / "f.nc",
            order=tuple(order),
            flips=flips,
            units=units,
            pack=pack,
            longitude_360=wrap,
        )
        with closing(open_apriori(path)) as opened:
            assert opened.quantity is Quantity.CONCENTRATION
            assert opened.vertical.height.tolist() == HEIGHT.tolist()
            np.testing.assert_allclose(opened.grid.x, LONGITUDE, atol=1e-9)
            np.testing.assert_allclose(opened.grid.y, LATITUDE, atol=1e-9)
            # int16 resolves 1/60000 of the range, float32 seven digits
            tolerance = {"atol": 2e-5 * SI.max()} if pack else {"rtol": 2e-7}
            for i in range(3):
                np.testing.assert_allclose(opened.read(i, ALL, ALL), SI[i], **tolerance)
            block = opened.read(1, slice(1, 3), slice(0, 4))
            np.testing.assert_allclose(block, SI[1][:, 1:3, 0:4], **tolerance)


def test_fill_and_packed_missing_values_are_nan(tmp_path):
    """Missing cells stay missing, in floats and in integers."""
    holes = SI.copy()
    holes[:, :, 2, 3] = np.nan
    for pack in (False, True):
        path = tmp_path / f"{pack}.nc"
        write_field(path, pack=pack)
        with netCDF4.Dataset(path, "a") as ds:
            ds["no2"].set_auto_maskandscale(False)
            ds["no2"][:, :, 2, 3] = -32767
        values = open_apriori(path).read(0, ALL, ALL)
        assert np.array_equal(np.isnan(values), np.isnan(holes[0]))


def test_the_default_fill_is_missing_where_none_is_declared(tmp_path):
    """9.97e36 never becomes a concentration."""
    path = tmp_path / "f.nc"
    with netCDF4.Dataset(write_field(path), "a") as ds:
        undeclared = ds.createVariable("nitrogen_dioxide", "f4", ds["no2"].dimensions)
        undeclared.units = "mol m-3"
        undeclared.standard_name = "mole_concentration_of_nitrogen_dioxide_in_air"
        undeclared[:, :, :, :4] = SI[..., :4]
    values = open_apriori(path).read(0, ALL, ALL)
    assert np.isnan(values[:, :, 4]).all() and np.isfinite(values[:, :, :4]).all()


def bounds(ds, values):
    ds.createDimension("bnds", 2)
    ds.createVariable("level_bnds", "f8", ("level", "bnds"))[:] = values
    ds["level"].bounds = "level_bnds"


def test_heights_with_bounds_are_layers(tmp_path):
    """Bounds make layers, and partial columns are welcome on them."""
    path = write_field(
        tmp_path / "f.nc",
        units="mol m-2",
        values=SI * 10,
        extra=lambda ds: bounds(ds, [[0, 100], [100, 500], [500, 2500]]),
    )
    opened = open_apriori(path)
    assert isinstance(opened.vertical, HeightLayers)
    assert opened.vertical.height_edges.tolist() == [0, 100, 500, 2500]
    assert opened.quantity is Quantity.PARTIAL_COLUMN
    np.testing.assert_allclose(opened.read(0, ALL, ALL), SI[0] * 10, rtol=2e-7)  # float32


@pytest.mark.parametrize("units", ["hPa", "Pa", "millibars"])
@pytest.mark.parametrize("is_top_first", [False, True])
def test_pressure_levels(tmp_path, units, is_top_first):
    """Pressures in any unit and order come surface first, in pascal."""
    pressure = np.array([1000.0, 700.0, 300.0]) * (100.0 if units == "Pa" else 1.0)
    path = write_field(
        tmp_path / "f.nc",
        level=(pressure, {"units": units}),
        flips=("level",) if is_top_first else (),
        units="mol mol-1",
        values=SI * 1e-2,
    )
    opened = open_apriori(path)
    assert isinstance(opened.vertical, PressureLevels)
    assert opened.vertical.pressure.tolist() == [1e5, 7e4, 3e4]
    np.testing.assert_allclose(opened.read(2, ALL, ALL), SI[2] * 1e-2, rtol=2e-7)


def test_pressures_with_bounds_are_layers_without_a_surface_term(tmp_path):
    """Pure pressure layers are hybrid layers with b = 0."""
    path = write_field(
        tmp_path / "f.nc",
        level=(np.array([950.0, 700.0, 300.0]), {"units": "hPa"}),
        units="mol m-2",
        extra=lambda ds: bounds(ds, [[1000, 900], [900, 500], [500, 100]]),
    )
    vertical = open_apriori(path).vertical
    assert isinstance(vertical, HybridLayers)
    assert vertical.a.tolist() == [1e5, 9e4, 5e4, 1e4] and not vertical.b.any()


A, B = np.array([0.0, 5e3, 1e4, 0.0]), np.array([1.0, 0.8, 0.3, 0.0])
HYBRID = {"standard_name": "atmosphere_hybrid_sigma_pressure_coordinate", "units": "1"}


def hybrid(style, is_top_first):
    def add(ds):
        turn = slice(None, None, -1 if is_top_first else 1)
        a, b = A[turn], B[turn]
        if style == "interfaces":
            ds.createDimension("ilev", 4)
            ds.createVariable("hyai", "f8", ("ilev",))[:] = a
            ds.createVariable("hybi", "f8", ("ilev",))[:] = b
            return
        ds.createDimension("bnds", 2)
        p0 = 1e5 if style == "a and p0" else 1.0
        a_name = "a" if style == "a and p0" else "ap"
        for name, edges in ((a_name, a / p0), ("b", b)):
            ds.createVariable(name, "f8", ("level",))[:] = 0.5 * (edges[:-1] + edges[1:])
            pairs = np.stack([edges[:-1], edges[1:]], axis=-1)
            ds.createVariable(f"{name}_bnds", "f8", ("level", "bnds"))[:] = pairs
        ds.createVariable("p0", "f8", ())[...] = p0
        terms = "{}: {}{} b: b{} ps: ps" + (" p0: p0" if style == "a and p0" else "")
        ds["level"].formula_terms = terms.format(a_name, a_name, "", "")
        ds["level"].bounds = "level_bnds"
        ds.createVariable("level_bnds", "f8", ("level", "bnds"))
        ds["level_bnds"].formula_terms = terms.format(a_name, a_name, "_bnds", "_bnds")

    return add


@pytest.mark.parametrize("is_top_first", [False, True])
@pytest.mark.parametrize("style", ["interfaces", "ap", "a and p0"])
def test_hybrid_levels(tmp_path, style, is_top_first):
    """Interfaces, or mid-levels with bounds, in either order, with a in pascal or of p0."""
    path = write_field(
        tmp_path / "f.nc",
        level=(np.arange(1.0, 4.0), HYBRID),
        units="mol mol-1",
        values=(SI[:, ::-1] if is_top_first else SI) * 1e-2,
        extra=hybrid(style, is_top_first),
    )
    opened = open_apriori(path)
    assert isinstance(opened.vertical, HybridLayers)
    np.testing.assert_allclose(opened.vertical.a, A, atol=1e-9)
    assert opened.vertical.b.tolist() == B.tolist()
    np.testing.assert_allclose(opened.read(0, ALL, ALL), SI[0] * 1e-2, rtol=2e-7)


def cesm(terms, p0=1e5, a=A / 1e5, unit=""):
    """Hybrid levels as CESM writes them: numbers without a unit, and the pressure they are of."""

    def add(ds):
        ds.createDimension("ilev", 4)
        ds.createVariable("hyai", "f8", ("ilev",))[:] = a[::-1]
        ds.createVariable("hybi", "f8", ("ilev",))[:] = B[::-1]
        if unit:
            ds["hyai"].units = unit
        if p0 is not None:
            ds.createVariable("P0", "f8", ())[...] = p0
        if terms:
            ds["level"].formula_terms = terms

    return add


@pytest.mark.parametrize(
    ("terms", "p0", "a", "unit"),
    [
        ("a: hyai b: hybi p0: P0 ps: PS", 1e5, A / 1e5, ""),
        ("a: hyam b: hybm p0: P0 ps: PS", 1e5, A / 1e5, "1"),
        ("", 1e5, A / 1e5, ""),
        ("ap: hyai b: hybi ps: PS", None, A, "Pa"),
        ("", None, A / 100.0, "hPa"),
        ("a: hyai b: hybi p0: P0 ps: PS", 1e5, A, "Pa"),
    ],
)
def test_coefficients_without_a_unit_are_of_their_reference_pressure(tmp_path, terms, p0, a, unit):
    """CESM's `hyai` times P0 = 1e5 Pa are the interfaces that `ap` in Pa gives (CF appendix D)."""
    path = write_field(
        tmp_path / "f.nc",
        level=(np.arange(1.0, 4.0), HYBRID),
        units="mol mol-1",
        values=SI[:, ::-1] * 1e-2,
        extra=cesm(terms, p0, a, unit),
    )
    opened = open_apriori(path)
    np.testing.assert_allclose(opened.vertical.a, A, rtol=1e-12)  # float64 round-off
    assert opened.vertical.b.tolist() == B.tolist()
    np.testing.assert_allclose(opened.read(0, ALL, ALL), SI[0] * 1e-2, rtol=2e-7)


def mid_levels_only(part=slice(None)):
    """Coefficients in the middle of layers, as of a part of the levels."""

    def add(ds):
        a, b = (np.append(v, [v[-1], v[-1]]) for v in (A, B))
        a[3:], b[3:] = [1e3, 5e2, 0.0], [0.05, 0.01, 0.0]
        for name, edges in (("ap", a), ("b", b)):
            middle = 0.5 * (edges[:-1] + edges[1:])[part][:3]
            ds.createVariable(name, "f8", ("level",))[:] = middle
        ds["ap"].units = "Pa"
        ds["level"].formula_terms = "ap: ap b: b ps: ps"

    return add


@pytest.mark.parametrize("n_level", [60, 137])
@pytest.mark.parametrize("is_top_first", [False, True])
def test_interfaces_follow_from_the_middles_of_layers(n_level, is_top_first):
    """ECMWF's own tables: from the means of neighbouring interfaces back to these."""
    a, b = interfaces(list(range(1, n_level + 1)), "the table")
    turn = slice(None, None, -1 if is_top_first else 1)
    middles = [(0.5 * (v[:-1] + v[1:]))[turn] for v in (a, b)]
    found = interfaces_from_middles(*middles, "the table")
    # alternating sums of 137 numbers of 1e4 Pa in float64
    np.testing.assert_allclose(found[0][turn], a, atol=1e-6)
    np.testing.assert_allclose(found[1][turn], b, atol=1e-12)


def test_middles_that_are_no_means_have_interfaces_midway():
    """Middles of another rule: interfaces lie between them, the lowest at the surface."""
    pressure = np.array([1000.0, 990.0, 700.0, 690.0, 100.0]) * 100.0
    a, b = interfaces_from_middles(np.zeros(5), pressure / 101325.0, "here")
    found = a + b * 101325.0
    np.testing.assert_allclose(found, [101325, 99500, 84500, 69500, 39500, 0], rtol=1e-12)


def test_sigma_levels(tmp_path):
    """P = ptop + sigma (ps - ptop) with ptop = 50 hPa: at sigma 0.5 over 1000 hPa it is 525 hPa."""

    def add(ds):
        ds["level"].formula_terms = "sigma: level ps: ps ptop: ptop"
        ds.createVariable("ptop", "f8", ())[...] = 50.0
        ds["ptop"].units = "hPa"

    standard_name = "atmosphere_sigma_coordinate"
    level = (np.array([0.95, 0.65, 0.2]), {"standard_name": standard_name, "units": "1"})
    path = write_field(
        tmp_path / "f.nc", level=level, units="mol mol-1", values=SI * 1e-2, extra=add
    )
    with closing(open_apriori(path)) as opened:
        a, b = opened.vertical.a, opened.vertical.b
    # twice the middle less the interface below, by hand
    np.testing.assert_allclose(b, [1.0, 0.9, 0.4, 0.0], atol=1e-12)
    np.testing.assert_allclose(a + b * 1e5, [1e5, 90_500.0, 43_000.0, 5_000.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vertical": False}, "Given a two-dimensional field"),
        ({"units": None}, r"must say its unit\. Given none"),
        ({"units": "K"}, "must be a concentration"),
        ({"units": "mol m-2", "values": SI * 10}, "cannot be columns.*Give unit"),
        ({"name": "o3"}, r"must hold NO2 as one of: .*CAMS.*Given f.nc with .*o3"),
        ({"level": (HEIGHT, {"units": "m", "standard_name": "altitude"})}, "above sea level"),
        ({"level": (np.arange(3.0), {"units": "1"})}, "Their kind must be told"),
        ({"level": (np.array([1.0, 0.7, 0.3]), {"units": "hPa"})}, "between 10 and 1200 hPa"),
        ({"level": (np.array([0.0, 50.0, 50.0]), {"units": "m"})}, "must be distinct"),
        (
            {"level": (np.arange(3.0), HYBRID), "extra": mid_levels_only(slice(1, None))},
            "must begin at the surface",
        ),
        ({"level": (np.arange(3.0), HYBRID), "extra": cesm("", None)}, "hyai must have a unit of"),
        (
            {"level": (np.arange(3.0), HYBRID), "extra": cesm("", None, A / 100.0)},
            "Given the largest, 100, with unit 'none' and no p0",
        ),
        (
            {"extra": lambda ds: bounds(ds, [[0, 100], [200, 500], [500, 2500]])},
            "Layers must touch",
        ),
        (
            {"extra": lambda ds: ds["time"].setncattr("calendar", "360_day")},
            "must be in the real calendar",
        ),
        (
            {"extra": lambda ds: ds["no2"].setncattr("grid_mapping", "crs")},
            "variable it names must exist",
        ),
    ],
)
def test_what_cannot_be_used_gives_one_line(tmp_path, change, message):
    """Each reason has its own sentence."""
    path = write_field(tmp_path / "f.nc", **change)
    with pytest.raises(AprioriError, match=message) as error:
        open_apriori(path)
    assert "\n" not in str(error.value)


def test_unknown_dimensions_are_named(tmp_path):
    """An ensemble member is not chosen silently."""

    def members(ds):
        ds.createDimension("member", 2)
        many = ds.createVariable("no2_vmr", "f8", ("member", *ds["no2"].dimensions))
        many.units = "mol mol-1"

    path = write_field(tmp_path / "f.nc", extra=members)
    with pytest.raises(AprioriError, match="Given also member"):
        open_apriori(path)


@pytest.mark.parametrize(
    ("hours", "rule"),
    [
        ([12.0, 36.0, 60.0], TimeRule.DAILY),
        ([11.0, 12.0, 13.0], TimeRule.OVERPASS_MEAN),
        ([11.0, 11.5, 12.0], TimeRule.NEAREST),
        ([6.0, 9.0, 12.0], TimeRule.LINEAR),
    ],
)
def test_the_spacing_of_times_tells_the_rule(tmp_path, hours, rule):
    """One field a day, hourly, half-hourly and three-hourly fields have their rules."""
    path = write_field(tmp_path / "f.nc", extra=lambda ds: ds["time"].__setitem__(ALL, hours))
    assert open_apriori(path).time_rule is rule


@pytest.mark.parametrize(
    ("key", "hours", "given"),
    [("bounds", 24.0, ""), ("bounds", 744.0, "31 days"), ("climatology", 8784.0, "366 days")],
)
def test_means_of_months_and_years_are_no_fields_of_an_hour(tmp_path, key, hours, given):
    """A stamp that means a day serves it; one that means more is refused by its bounds."""

    def means(ds):
        ds.createDimension("nv", 2)
        ds["time"][:] = [12.0, 12.0 + hours, 12.0 + 2 * hours]
        ds["time"].setncattr(key, "time_bnds")
        half = 0.5 * hours
        ds.createVariable("time_bnds", "f8", ("time", "nv"))[:] = np.stack(
            [ds["time"][:] - half, ds["time"][:] + half], axis=1
        )

    path = write_field(tmp_path / "f.nc", extra=means)
    if not given:
        assert open_apriori(path).time_rule is TimeRule.DAILY
        return
    with pytest.raises(AprioriError, match=rf"means of a day at most\. Given means of {given}"):
        open_apriori(path)


def test_orbits_are_no_sets(tmp_path):
    """An L2 file given as a set is told apart."""
    with netCDF4.Dataset(tmp_path / "orbit.nc", "w") as ds:
        ds.createGroup("PRODUCT")
    with pytest.raises(AprioriError, match=r"Given an orbit \(group PRODUCT\)"):
        open_apriori(tmp_path / "orbit.nc")


def test_one_folder_holds_one_kind(tmp_path):
    """A profile file beside a CAMS forecast is refused by name."""
    write_field(tmp_path / "a.nc")
    write_cams_forecast(tmp_path / "b.nc")
    with pytest.raises(AprioriError, match=r"one kind of set. Given CF field \(a.nc\) and CAMS"):
        open_apriori(tmp_path)


def test_files_without_no2_are_passed_over(tmp_path):
    """Other species in the folder do not matter."""
    write_field(tmp_path / "no2.nc")
    write_field(tmp_path / "o3.nc", name="o3")
    assert [file.name for file in open_apriori(tmp_path).files] == ["no2.nc"]


def test_files_that_differ_in_levels_are_refused(tmp_path):
    """Two days on different heights are no set."""
    write_field(tmp_path / "a.nc")
    other = (HEIGHT * 2, {"units": "m", "standard_name": "height"})
    write_field(tmp_path / "b.nc", level=other)
    with pytest.raises(AprioriError, match="must share one set of levels"):
        open_apriori(tmp_path)


def test_a_new_kind_is_one_module():
    """Every module of the package with the four names is a kind; the generic one is last."""
    kinds = [reader.KIND for reader in readers()]
    assert kinds[0] == "profile file" and kinds[-1] == "CF field"
    assert len(set(kinds)) == len(kinds) == 8
    priorities = [reader.PRIORITY for reader in readers()]
    assert all(a <= b for a, b in itertools.pairwise(priorities))


@pytest.mark.parametrize("mapping", ["none", "plain", "with a code", "as text"])
def test_latitudes_of_a_rotated_pole_are_not_those_of_the_earth(tmp_path, mapping):
    """Read where the mapping says where the pole is, whatever code stands beside; else refused."""
    path = write_profiles(tmp_path / "a.nc")
    with netCDF4.Dataset(path, "a") as file:
        file["latitude"].standard_name, file["longitude"].standard_name = (
            "grid_latitude",
            "grid_longitude",
        )
        if "grid_mapping" in file["no2"].ncattrs():
            file["no2"].delncattr("grid_mapping")
        if mapping != "none":
            pole = file.createVariable("rotated_pole", "i4", ())
            pole.grid_mapping_name = "rotated_latitude_longitude"
            pole.grid_north_pole_latitude = 39.25
            pole.grid_north_pole_longitude = -162.0
            file["no2"].grid_mapping = "rotated_pole"
        if mapping == "with a code":
            pole.epsg_code = "EPSG:4326"
        if mapping == "as text":
            wkt = pyproj.CRS.from_cf({k: pole.getncattr(k) for k in pole.ncattrs()}).to_wkt()
            pole.delncattr("grid_mapping_name")
            pole.crs_wkt = wkt
    if mapping in ("plain", "with a code"):
        with closing(open_apriori(path)) as opened:
            assert isinstance(opened.grid, CurvilinearGrid)
        return
    with pytest.raises(AprioriError, match="rotated pole"):
        open_apriori(path)
