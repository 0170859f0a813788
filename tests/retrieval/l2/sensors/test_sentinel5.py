"""Sentinel-5 orbits: order of layers, tropopause by pressure, the identity, and what is written."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.errors import ProductError
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.columns import OrbitKind, find_columns, orbit_kind
from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.air_mass_factors import air_mass_factor, substituted_column
from tests.builders.model_field import model_field, slow_amounts
from tests.builders.sentinel5_builder import build_sentinel5

COLUMN = "nitrogen_dioxide_tropospheric_column"
CASES = {
    "top first": {"top_first": True, "place": "data/PRODUCT"},
    "surface first": {"top_first": False, "place": "data/PRODUCT"},
    "without data": {"top_first": True, "place": "PRODUCT"},
}


@pytest.fixture(scope="module", params=list(CASES))
def orbit(request, tmp_path_factory):
    """Return an orbit in either order of layers, and in the other place."""
    path = tmp_path_factory.mktemp("s5") / "SGA1-02-NO2.nc"
    return build_sentinel5(path, **CASES[request.param])


def pixels_of(opened):
    """Return all pixels of an orbit."""
    return OrbitBlocks(opened, opened.full).read(slice(0, opened.shape[0]))


def model():
    """Return a model over the Po valley."""
    times = [f"2027-06-03T{hour}:00" for hour in (11, 12, 13)]
    return model_field((43.0, 47.0), (6.0, 12.0), times)


def test_its_own_profile_gives_back_the_column(orbit):
    """I1: M of the profile that M_trop was made with is M_trop, to 2e-6 (three float32 factors).

    Fails where kernel, interfaces and tropopause are not turned together, or the kernel is taken
    for the tropospheric one.
    """
    with open_orbit(orbit.path) as opened:
        pixels = pixels_of(opened)
    x = orbit.profile.reshape(-1, orbit.profile.shape[-1])
    amf = air_mass_factor(pixels.weights, x, pixels.is_troposphere)
    np.testing.assert_allclose(amf, orbit.amf.ravel(), rtol=2e-6)
    new = substituted_column(pixels.column, pixels.amf_troposphere, amf)
    np.testing.assert_allclose(new, orbit.column.ravel(), rtol=2e-6)


def test_what_the_file_says_in_si(orbit):
    """137 layers between 138 half levels, surface first; days since 2020 and milliseconds."""
    with open_orbit(orbit.path) as opened:
        pixels = pixels_of(opened)
        edges = opened.pressure_edges(pixels.surface_pressure)
        times = opened.scanline_times(opened.full)
        quality, is_known = opened.read_quality(opened.full)
    assert opened.names.sensor == "Sentinel-5"
    assert edges.shape[1] == 138
    np.testing.assert_allclose(edges, orbit.edges.reshape(-1, 138), rtol=1e-6, atol=0.01)  # f4 p_s
    np.testing.assert_array_equal(pixels.is_troposphere, orbit.is_troposphere.reshape(-1, 137))
    np.testing.assert_array_equal(times, orbit.time)
    assert is_known.all()
    assert quality[0].tolist() == [90, 60, 90, 90, 90]
    assert pixels.column[0] < 0, "negative columns stay"


def test_fill_of_tropopause_and_kernel_is_no_number(orbit, tmp_path):
    """Pixels without tropopause or kernel are told apart before either is used."""
    path = tmp_path / "a.nc"
    path.write_bytes(orbit.path.read_bytes())
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_mask(False)
        product = file["data"]["PRODUCT"] if "data" in file.groups else file["PRODUCT"]
        product["SUPPORT_DATA/INPUT_DATA/tropopause_pressure"][0, 1] = 9.96921e36
        product["nitrogen_dioxide_total_column_averaging_kernel"][0, 2, 3] = 9.96921e36
        product["delta_time"][1] = 9.96921e36
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
    assert new.attrs["sensor"] == "Sentinel-5"
    for i, j in [(0, 0), (3, 4)]:
        x = slow_amounts(fraction, edges, orbit.edges[i, j])
        which = orbit.is_troposphere[i, j]
        m = (orbit.sensitivity[i, j] * x)[which].sum() / x[which].sum()
        # float32 pressures of the file
        assert float(column[i, j]) == pytest.approx(
            orbit.column[i, j] * orbit.amf[i, j] / m, rel=2e-5
        )


def test_the_file_keeps_the_product_s_names_and_units(orbit, tmp_path):
    """New variables stand beside the product's own, in its unit; originals are bit-identical."""
    data, _, _ = model()
    source, out = tmp_path / "model.nc", tmp_path / "new.nc"
    data.to_netcdf(source)
    assert orbit_kind(orbit.path) is OrbitKind.ORIGINAL
    rt.reretrieve(orbit.path, {"mymodel": source}, out)
    assert orbit_kind(out) is OrbitKind.RERETRIEVED
    with open_orbit(orbit.path) as opened:
        inside = rt.substitute(opened, {"mymodel": data})
        place = opened.names.group
    with open_orbit(out) as opened:
        assert [one.label for one in find_columns(opened)] == ["CAMSGLOBAL", "MYMODEL"]
    with netCDF4.Dataset(orbit.path) as old, netCDF4.Dataset(out) as new:
        old.set_auto_maskandscale(False)
        new.set_auto_maskandscale(False)
        product = new[place].variables
        assert product[f"{COLUMN}_MYMODEL_apriori"].units == "mol m-2"
        expected = inside.nitrogendioxide_tropospheric_column_MYMODEL_apriori.values
        np.testing.assert_array_equal(product[f"{COLUMN}_MYMODEL_apriori"][:], expected)
        wanted = (f"{COLUMN}_air_mass_factor", "nitrogen_dioxide_summed_total_column")
        assert {f"{name}_MYMODEL_apriori" for name in wanted} <= set(product)
        support = (f"{place}/SUPPORT_DATA/{name}" for name in old[place]["SUPPORT_DATA"].groups)
        for group in (place, *support):
            for name, variable in old[group].variables.items():
                np.testing.assert_array_equal(new[group][name][:], variable[:], err_msg=name)
                assert new[group][name].dtype == variable.dtype


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"gas": "sulfur_dioxide"},
            f"no variable {COLUMN}. Expected an SN5_02_NO2 .* found SN5_02_SO2",
        ),
        (
            {"leave_out": ("nitrogen_dioxide_total_column_averaging_kernel",)},
            "no variable nitrogen_dioxide_total_column_averaging_kernel",
        ),
        ({"leave_out": ("pressure_coefficient_b",)}, "no variable pressure_coefficient_b"),
        ({"epoch": ""}, "time must have a unit with its epoch. Given ''"),
    ],
)
@pytest.mark.parametrize("place", ["data/PRODUCT", "PRODUCT"])
def test_orbits_that_cannot_be_re_retrieved_are_one_line(tmp_path, place, options, said):
    """Another gas, a name that the product has otherwise, and a time that nothing is known of."""
    made = build_sentinel5(tmp_path / "a.nc", place=place, shape=(2, 2), **options)
    with pytest.raises(ProductError, match=said) as caught:
        open_orbit(made.path)
    assert "\n" not in str(caught.value)


def test_a_crop_is_the_same_bits_of_the_original(tmp_path):
    """A model of a part leaves its pixels, with all layers and half levels as they were."""
    made = build_sentinel5(tmp_path / "a.nc", shape=(12, 5))
    times = [f"2027-06-03T{hour}:00" for hour in (11, 12, 13)]
    source, out = tmp_path / "model.nc", tmp_path / "new.nc"
    model_field((45.4, 47.0), (6.0, 12.0), times)[0].to_netcdf(source)
    rt.reretrieve(made.path, {"mymodel": source}, out)
    with netCDF4.Dataset(made.path) as old, netCDF4.Dataset(out) as new:
        before, after = old["data/PRODUCT"], new["data/PRODUCT"]
        n = after.dimensions["scanline"].size
        assert 0 < n < 12
        for name in ("nitrogen_dioxide_total_column_averaging_kernel", "delta_time", COLUMN):
            np.testing.assert_array_equal(after[name][:], before[name][12 - n :], err_msg=name)
        half = "SUPPORT_DATA/INPUT_DATA/pressure_coefficient_a"
        np.testing.assert_array_equal(after[half][:], before[half][:])
