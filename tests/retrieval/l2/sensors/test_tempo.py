"""TEMPO granules: every trap of the product, the identities, and the file that is written."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.errors import ProductError
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.columns import find_columns
from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.air_mass_factors import air_mass_factor, substituted_column
from retrieval.substitution.job import Job
from tests.builders.model_field import model_field, slow_amounts
from tests.builders.tempo_builder import AVOGADRO, build_tempo

REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "sensors" / "tempo"
MOL_M2 = AVOGADRO * 1e-4
"""Molecules cm-2 of 1 mol m-2."""


@pytest.fixture(scope="module", params=[False, True], ids=["surface first", "top first"])
def granule(request, tmp_path_factory):
    """Return a granule in either order of layers."""
    path = tmp_path_factory.mktemp("tempo") / "TEMPO_NO2_L2_V03_20240601T150000Z_S008G01.nc"
    return build_tempo(path, top_first=request.param)


def pixels_of(orbit):
    """Return all pixels of an orbit."""
    return OrbitBlocks(orbit, orbit.full).read(slice(0, orbit.shape[0]))


def test_the_file_s_own_profile_gives_back_its_column(granule):
    """I1: M of the file's a priori is the file's M, so that the column stays, to 1e-6 (float32).

    Fails where layers are upside down, without the temperature factor, with the total air mass
    factor as kernel, or with another rule of the tropopause.
    """
    with open_orbit(granule.path) as orbit:
        pixels = pixels_of(orbit)
        x = orbit.read_apriori(orbit.full).reshape(-1, orbit.n_layer)
    amf = air_mass_factor(pixels.weights, x, pixels.is_troposphere)
    np.testing.assert_allclose(amf, granule.amf.ravel(), rtol=2e-6)
    new = substituted_column(pixels.column, pixels.amf_troposphere, amf)
    np.testing.assert_allclose(new, granule.column.ravel() / MOL_M2, rtol=2e-6)


def test_what_the_file_says_in_si(granule):
    """Interfaces in Pa from the attributes in hPa, tropopause by pressure, columns in mol m-2."""
    with open_orbit(granule.path) as orbit:
        pixels = pixels_of(orbit)
        edges = orbit.pressure_edges(pixels.surface_pressure)
    assert orbit.names.sensor == "TEMPO"
    n_edge = granule.edges.shape[-1]
    # float32 attributes and pressures
    np.testing.assert_allclose(edges, granule.edges.reshape(-1, n_edge), rtol=1e-6, atol=0.02)
    np.testing.assert_array_equal(
        pixels.is_troposphere, granule.is_troposphere.reshape(-1, n_edge - 1)
    )
    assert pixels.column[0] < 0, "negative columns stay"


@pytest.mark.parametrize(
    ("epoch", "leaps"),
    [("1980-01-06T00:00:00Z", 18), ("2000-01-01T12:00:00Z", 5), ("2017-01-01T00:00:00Z", 0)],
)
def test_time_loses_the_leap_seconds_since_its_epoch(tmp_path, epoch, leaps):
    """GPS seconds run 18 s ahead of UTC; older files count from 2000: 5 leap seconds since."""
    granule = build_tempo(tmp_path / "a.nc", epoch=epoch, leaps=leaps)
    with open_orbit(granule.path) as orbit:
        times = orbit.scanline_times(orbit.full)
    np.testing.assert_array_equal(times, granule.time)


def test_quality_is_what_the_guide_recommends(granule):
    """Flag 0 and clear: 100; flag 1 or half cloudy: 60; flag 2, which some readers pass: 0."""
    with open_orbit(granule.path) as orbit:
        quality, is_known = orbit.read_quality(orbit.full)
    assert is_known.all()
    assert (quality[0, 0], quality[1, 1], quality[1, 2], quality[2, 2]) == (100, 60, 0, 60)


def test_gaps_are_fill_nan_and_infinite(granule, tmp_path):
    """Subsetting services write NaN although the fill is -1e30: both are missing, none a number."""
    path = tmp_path / "a.nc"
    path.write_bytes(granule.path.read_bytes())
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_mask(False)
        file["support_data/scattering_weights"][0, 1, :] = np.nan
        file["support_data/temperature_profile"][0, 2, 3] = -1e30
        file["geolocation/latitude_bounds"][0, 3, 0] = -1e30
        file["product/vertical_column_troposphere"][0, 4] = np.nan
    with open_orbit(path) as orbit:
        pixels = pixels_of(orbit)
    assert pixels.has_kernel[:6].tolist() == [True, False, False, True, True, True]
    assert np.isnan(pixels.geometry.latitude_bounds[3]).any()
    assert np.isnan(pixels.column[4])


def model():
    """Return a model over New York."""
    times = ["2024-06-01T14:00", "2024-06-01T16:00"]
    return model_field((39.0, 43.0), (-76.0, -71.0), times)


def test_a_model_takes_the_place_of_the_a_priori(granule):
    """Columns and air mass factors against a slow loop over pixels and layers."""
    data, fraction, edges = model()
    with open_orbit(granule.path) as orbit:
        new = rt.substitute(orbit, {"mymodel": data})
    column = new.nitrogendioxide_tropospheric_column_MYMODEL_apriori
    assert column.units == "mol m-2"
    assert new.attrs["sensor"] == "TEMPO"
    for i, j in [(0, 0), (2, 3), (4, 5)]:
        x = slow_amounts(fraction, edges, granule.edges[i, j])
        which = granule.is_troposphere[i, j]
        m = (granule.sensitivity[i, j] * x)[which].sum() / x[which].sum()
        expected = granule.column[i, j] / MOL_M2 * granule.amf[i, j] / m
        # float32 pressures and attributes of the file
        assert float(column[i, j]) == pytest.approx(expected, rel=2e-5)


def test_the_file_keeps_the_product_s_names_and_units(granule, tmp_path):
    """New variables stand beside the product's own, in its unit; originals are bit-identical."""
    data, _, _ = model()
    source = tmp_path / "model.nc"
    data.to_netcdf(source)
    out = tmp_path / "new.nc"
    rt.reretrieve(granule.path, {"mymodel": source}, out)
    with open_orbit(granule.path) as orbit:
        inside = rt.substitute(orbit, {"mymodel": data})
    with netCDF4.Dataset(granule.path) as old, netCDF4.Dataset(out) as new:
        old.set_auto_maskandscale(False)
        new.set_auto_maskandscale(False)
        column = new["product/vertical_column_troposphere_MYMODEL_apriori"]
        assert column.units == "molecules/cm^2"
        expected = inside.nitrogendioxide_tropospheric_column_MYMODEL_apriori.values * MOL_M2
        np.testing.assert_allclose(column[:], expected, rtol=2e-7)  # two float32 roundings
        assert "amf_troposphere_MYMODEL_apriori" in new["support_data"].variables
        for group in ("geolocation", "product", "support_data"):
            for name, variable in old[group].variables.items():
                np.testing.assert_array_equal(new[group][name][:], variable[:], err_msg=name)
                assert new[group][name].dtype == variable.dtype


def test_replaced_names_carry_the_set_and_its_spread(granule, tmp_path):
    """Column, spread and total air mass factor are the set's; weights do not depend on it.

    What is kept is under the name of the product's own a priori, GEOS-CF.
    """
    source, out = tmp_path / "model.nc", tmp_path / "new.nc"
    model()[0].to_netcdf(source)
    rt.reretrieve(granule.path, Job({"mymodel": source}, layout="replace"), out)
    with netCDF4.Dataset(granule.path) as old, netCDF4.Dataset(out) as new:
        name = "vertical_column_troposphere"
        was, now = old["product"][name], new["product"][name]
        factor = now[:] / was[:]
        assert not np.allclose(factor, 1.0, rtol=1e-3)
        spread = {file: file["product"][f"{name}_uncertainty"][:] for file in (old, new)}
        # relative: kept, and the error through the profile on top
        assert (spread[new] / np.abs(now[:]) >= spread[old] / np.abs(was[:]) * (1 - 1e-6)).all()
        for kept in (name, f"{name}_uncertainty"):
            copy = new["product"][f"{kept}_GEOSCF_apriori"][:]
            np.testing.assert_array_equal(copy, old["product"][kept][:])
        support = new["support_data"]
        weights = old["support_data/scattering_weights"][:]
        np.testing.assert_array_equal(support["scattering_weights"][:], weights)
        assert "scattering_weights_GEOSCF_apriori" not in support.variables
        assert not np.allclose(support["amf_total"][:], old["support_data/amf_total"][:])
    with open_orbit(out) as orbit:
        assert [one.label for one in find_columns(orbit)] == ["GEOSCF", "MYMODEL"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"leave_out": ("scattering_weights",)}, "no variable scattering_weights"),
        ({"leave_out": ("temperature_profile",)}, "no variable temperature_profile"),
        ({"masked": True}, "holds no measurement: every vertical_column_troposphere is missing"),
    ],
)
def test_granules_that_cannot_be_re_retrieved_are_one_line(tmp_path, options, said):
    """Without weights, without temperatures, an empty subset."""
    granule = build_tempo(tmp_path / "a.nc", **options)
    with pytest.raises(ProductError, match=said):
        open_orbit(granule.path)


def test_a_real_masked_granule_is_refused_and_its_interfaces_are_read():
    """The header of a real V03 granule: 72 layers to 0.01 hPa; every value is masked."""
    found = sorted(REAL.glob("TEMPO_NO2_L2_V03_20240328*.nc4"))
    if not found:
        pytest.skip("the real TEMPO header is not at hand (../shared/data/sensors/tempo)")
    with pytest.raises(ProductError, match="holds no measurement"):
        open_orbit(found[0])
    from retrieval.l2.open_orbit import open_lenient

    with open_lenient(found[0]) as orbit:
        assert orbit.names.sensor == "TEMPO"
        edges = orbit.pressure_edges(np.array([101325.0]))[0]
    assert edges.size == 73
    assert edges[0] == pytest.approx(101325.0, rel=1e-6)
    assert edges[-1] == pytest.approx(1.0, rel=1e-3)  # 0.01 hPa: the top of GEOS-5
