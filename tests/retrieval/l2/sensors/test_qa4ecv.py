"""QA4ECV orbits: every trap of the product, the identity, and the file that is written."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.errors import ProductError
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.columns import find_columns
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.write import Layout
from retrieval.physics.air_mass_factors import air_mass_factor, substituted_column
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2 as MOL_M2
from retrieval.substitution.job import Job
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.model_field import model_field, slow_amounts
from tests.builders.qa4ecv_builder import build_qa4ecv

COLUMN = "tropospheric_no2_vertical_column"
TIMES = ("2015-06-03T11:00", "2015-06-03T12:00", "2015-06-03T13:00")


@pytest.fixture(scope="module", params=[False, True], ids=["surface first", "top first"])
def orbit(request, tmp_path_factory):
    """Return an orbit in either order of layers."""
    path = tmp_path_factory.mktemp("qa4ecv") / "QA4ECV_L2_NO2_OMI_20150603T123000_o57886_v1.nc"
    return build_qa4ecv(path, top_first=request.param)


def model():
    """Return a model over the Netherlands."""
    return model_field((50.0, 53.0), (2.0, 8.0), TIMES)


def pixels_of(opened):
    """Return all pixels of an orbit."""
    return OrbitBlocks(opened, opened.full).read(slice(0, opened.shape[0]))


def test_its_own_profile_gives_back_the_column(orbit):
    """I1: M of the profile that M_trop was made with is M_trop, to 2e-6 (three float32 factors).

    Fails where layers are upside down, the kernel is taken for the tropospheric one, the layer of
    the tropopause is left out, or pressures are taken for Pa.
    """
    with open_orbit(orbit.path) as opened:
        pixels = pixels_of(opened)
    x = orbit.profile.reshape(-1, orbit.profile.shape[-1])
    amf = air_mass_factor(pixels.weights, x, pixels.is_troposphere)
    np.testing.assert_allclose(amf, orbit.amf.ravel(), rtol=2e-6)
    new = substituted_column(pixels.column, pixels.amf_troposphere, amf)
    np.testing.assert_allclose(new, orbit.column.ravel() / MOL_M2, rtol=2e-6)


def test_what_the_file_says_in_si(orbit):
    """Interfaces by the pressure in hPa of the layers, not by INPUT_DATA's; columns in mol m-2."""
    with open_orbit(orbit.path) as opened:
        pixels = pixels_of(opened)
        edges = opened.pressure_edges(pixels.surface_pressure)
        times = opened.scanline_times(opened.full)
    assert opened.names.sensor == "QA4ECV"
    n_edge = orbit.edges.shape[-1]
    # float32 coefficients and pressures
    np.testing.assert_allclose(edges, orbit.edges.reshape(-1, n_edge), rtol=1e-6, atol=0.02)
    expected = orbit.is_troposphere.reshape(-1, n_edge - 1)
    np.testing.assert_array_equal(pixels.is_troposphere, expected)
    np.testing.assert_array_equal(times, orbit.time)  # seconds since 1995 and milliseconds
    assert pixels.column[0] < 0, "negative columns stay"


@pytest.mark.parametrize(
    ("units", "per_unit"),
    [
        ("molecules/cm^2", 1.0),
        ("molec cm-2", 1.0),
        ("1e15 molecules cm-2", 1e15),
        ("mol m-2", MOL_M2),
    ],
)
def test_the_unit_of_columns_is_what_their_attribute_says(tmp_path, units, per_unit):
    """The same columns in mol m-2 whatever unit they are stored in; new ones are in that unit."""
    made = build_qa4ecv(tmp_path / "a.nc", units=units, per_unit=per_unit)
    with open_orbit(made.path) as opened:
        fields = opened.read_fields(opened.full)
        assert opened.names.units == units
    expected = made.column / MOL_M2
    np.testing.assert_allclose(fields["column"], expected, rtol=2e-7)  # float32
    np.testing.assert_allclose(fields["stratospheric_column"], 3e15 / MOL_M2, rtol=2e-7)


def test_quality_is_the_rule_of_the_guide(orbit):
    """Error, low sun, ice, cloud and a small air mass factor are bad; ocean (255) is good."""
    with open_orbit(orbit.path) as opened:
        quality, is_known = opened.read_quality(opened.full)
    assert is_known.all()
    expected = np.full(quality.shape, 100)
    expected[0, 1:4], expected[1, :2] = 0, 0
    np.testing.assert_array_equal(quality, expected)


def test_quality_takes_cloud_in_percent_and_does_without(tmp_path):
    """The unit of the cloud fraction counts; what is missing is said and not looked at."""
    made = build_qa4ecv(tmp_path / "a.nc", leave_out=("snow_ice_flag",))
    with netCDF4.Dataset(made.path, "a") as file:
        cloud = file["PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/cloud_radiance_fraction_no2"]
        cloud[:] = 100.0 * cloud[:]
        cloud.units = "%"
    with open_orbit(made.path) as opened:
        quality, _ = opened.read_quality(opened.full)
        assert opened.assumptions == ["snow_ice_flag is missing: quality does not look at it"]
    assert quality[0].tolist() == [100, 0, 0, 100, 100]
    assert quality[1].tolist() == [0, 0, 100, 100, 100]


def test_fill_of_tropopause_and_kernel_is_no_number(orbit, tmp_path):
    """Pixels without tropopause or kernel are told apart before either is used."""
    path = tmp_path / "a.nc"
    path.write_bytes(orbit.path.read_bytes())
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_mask(False)
        file["PRODUCT/tm5_tropopause_layer_index"][0, 0, 1] = -2147483647
        file["PRODUCT/averaging_kernel"][0, 0, 2, 3] = 9.96921e36
        file["PRODUCT/delta_time"][0, 1] = -2147483647
    with open_orbit(path) as opened:
        pixels, times = pixels_of(opened), opened.scanline_times(opened.full)
    assert pixels.has_tropopause[:4].tolist() == [True, False, True, True]
    assert pixels.has_kernel[:4].tolist() == [True, True, False, True]
    assert np.isnat(times).tolist() == [False, True, False, False]


def test_a_model_takes_the_place_of_the_a_priori(orbit):
    """Columns against a slow loop over pixels and layers."""
    data, fraction, edges = model()
    with open_orbit(orbit.path) as opened:
        new = rt.substitute(opened, {"mymodel": data})
    column = new.nitrogendioxide_tropospheric_column_MYMODEL_apriori
    assert column.units == "mol m-2"
    assert new.attrs["sensor"] == "QA4ECV"
    for i, j in [(0, 0), (1, 3), (3, 4)]:
        x = slow_amounts(fraction, edges, orbit.edges[i, j])
        which = orbit.is_troposphere[i, j]
        m = (orbit.sensitivity[i, j] * x)[which].sum() / x[which].sum()
        expected = orbit.column[i, j] / MOL_M2 * orbit.amf[i, j] / m
        # float32 pressures and coefficients of the file
        assert float(column[i, j]) == pytest.approx(expected, rel=2e-5)


def test_the_file_keeps_the_product_s_names_and_units(orbit, tmp_path):
    """New variables stand beside the product's own, in its unit; originals are bit-identical."""
    data, _, _ = model()
    source, out = tmp_path / "model.nc", tmp_path / "new.nc"
    data.to_netcdf(source)
    rt.reretrieve(orbit.path, {"mymodel": source}, out)
    with open_orbit(orbit.path) as opened:
        inside = rt.substitute(opened, {"mymodel": data})
    with open_orbit(out) as opened:
        assert [one.label for one in find_columns(opened)] == ["TM5", "MYMODEL"]
    with netCDF4.Dataset(orbit.path) as old, netCDF4.Dataset(out) as new:
        old.set_auto_maskandscale(False)
        new.set_auto_maskandscale(False)
        product = new["PRODUCT"].variables
        assert product[f"{COLUMN}_MYMODEL_apriori"].units == "molecules cm-2"
        expected = inside.nitrogendioxide_tropospheric_column_MYMODEL_apriori.values * MOL_M2
        written = product[f"{COLUMN}_MYMODEL_apriori"][0]
        np.testing.assert_allclose(written, expected, rtol=2e-7)  # two float32 roundings
        wanted = ("amf_trop", "summed_no2_total_vertical_column", f"{COLUMN}_uncertainty")
        assert {f"{name}_MYMODEL_apriori" for name in wanted} <= set(product)
        support = ("GEOLOCATIONS", "DETAILED_RESULTS", "INPUT_DATA")
        for group in ("PRODUCT", *(f"PRODUCT/SUPPORT_DATA/{name}" for name in support)):
            for name, variable in old[group].variables.items():
                np.testing.assert_array_equal(new[group][name][:], variable[:], err_msg=name)
                assert new[group][name].dtype == variable.dtype


def test_standard_names_can_carry_the_model(orbit, tmp_path):
    """Replaced: column, uncertainty, kernel; A M_total, the sensitivity, stays to float32."""
    data, _, _ = model()
    source, out = tmp_path / "model.nc", tmp_path / "new.nc"
    data.to_netcdf(source)
    reretrieve(orbit.path, Job({"mymodel": source}, layout=Layout.REPLACE), out)
    with netCDF4.Dataset(orbit.path) as old, netCDF4.Dataset(out) as new:
        before, after = old["PRODUCT"].variables, new["PRODUCT"].variables
        for name in (COLUMN, f"{COLUMN}_uncertainty", "averaging_kernel", "amf_trop"):
            assert not np.array_equal(after[name][:], before[name][:]), name
            np.testing.assert_array_equal(after[f"{name}_TM5_apriori"][:], before[name][:])
        old_slant = before["amf_trop"][0] * before[COLUMN][0]
        np.testing.assert_allclose(after["amf_trop"][0] * after[COLUMN][0], old_slant, rtol=1e-6)
        was, now = (
            one["averaging_kernel"][0] * one["amf_total"][0][..., None] for one in (before, after)
        )
        np.testing.assert_allclose(now, was, rtol=1e-6)  # products of float32


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gas": "hcho"}, f"no variable {COLUMN}. Expected a QA4ECV NO2 .* found QA4ECV HCHO"),
        ({"leave_out": ("averaging_kernel",)}, "no variable averaging_kernel"),
        ({"units": "DU"}, f"{COLUMN} must be in molecules cm-2 or mol m-2. Given 'DU'"),
    ],
)
def test_orbits_that_cannot_be_re_retrieved_are_one_line(tmp_path, options, said):
    """Another gas of the project, a missing kernel, a unit that is not known."""
    made = build_qa4ecv(tmp_path / "a.nc", **options)
    with pytest.raises(ProductError, match=said) as caught:
        open_orbit(made.path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "units", "said"),
    [
        ("tm5_surface_pressure", "Pa", "must be in hPa. Given 'Pa'"),
        (f"{COLUMN}_uncertainty", "mol m-2", f"must be in molecules cm-2, as {COLUMN}"),
    ],
)
def test_units_that_would_mix_are_refused(tmp_path, name, units, said):
    """A pressure in another unit, and an uncertainty in another unit than its column."""
    made = build_qa4ecv(tmp_path / "a.nc")
    with netCDF4.Dataset(made.path, "a") as file:
        file["PRODUCT"][name].units = units
    with pytest.raises(ProductError, match=said):
        open_orbit(made.path)
