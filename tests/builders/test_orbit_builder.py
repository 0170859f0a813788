"""The orbit of the tests obeys the definitions that tie its variables together."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.files.fills import FILL_INT
from tests.builders.orbit_builder import build_orbit

FLOAT32 = 1e-6  # relative; kernels and air mass factors are stored in float32


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=60, n_ground_pixel=50)


@pytest.fixture(scope="module")
def stored(orbit):
    """Return what the file holds, read without decoding, float64 with NaN."""
    found = {}

    def walk(group):
        for name, variable in group.variables.items():
            if variable.dtype is not str and variable.dimensions[:2] == ("time", "scanline"):
                values = variable[0]
                if variable.dtype.kind == "f":
                    values = np.where(values > 9e36, np.nan, values.astype(float))
                found[name] = values
        for child in group.groups.values():
            walk(child)

    with netCDF4.Dataset(orbit.path) as file:
        file.set_auto_maskandscale(False)
        walk(file["PRODUCT"])
    return found


def sums(orbit, stored, weights):
    """Return sums over all, tropospheric and stratospheric layers, NaN without index."""
    index = stored["tm5_tropopause_layer_index"]
    keep = np.arange(34) <= index[..., None]
    has_index = index != FILL_INT
    parts = (np.ones_like(keep), keep, ~keep)
    return [np.where(has_index, np.where(p, weights, 0).sum(-1), np.nan) for p in parts]


def test_air_mass_factors_follow_from_kernel_and_apriori(orbit, stored):
    """M_total A is the scattering weight: its three means over the a priori are the three AMFs."""
    s = stored["averaging_kernel"] * stored["air_mass_factor_total"][..., None]
    x = orbit.apriori_partial_column
    for top, bottom, name in zip(
        sums(orbit, stored, s * x),
        sums(orbit, stored, x),
        ("total", "troposphere", "stratosphere"),
        strict=True,
    ):
        expected = top / bottom
        given = stored[f"air_mass_factor_{name}"]
        has_both = np.isfinite(expected) & np.isfinite(given)
        assert has_both.mean() > 0.9
        np.testing.assert_allclose(given[has_both], expected[has_both], rtol=FLOAT32)


def test_columns_follow_from_the_slant_column(stored):
    """V = (N - M_strat V_strat) / M_trop, total = N / M_total, summed = V + V_strat."""
    slant = stored["nitrogendioxide_slant_column_density"]
    stratosphere = stored["nitrogendioxide_stratospheric_column"]
    column = stored["nitrogendioxide_tropospheric_column"]
    expected = (slant - stored["air_mass_factor_stratosphere"] * stratosphere) / stored[
        "air_mass_factor_troposphere"
    ]
    # the difference of two slant columns of 1e-4 mol m-2 loses a digit of float32
    np.testing.assert_allclose(
        column[np.isfinite(column)], expected[np.isfinite(column)], rtol=1e-5, atol=2e-10
    )
    np.testing.assert_allclose(
        stored["nitrogendioxide_total_column"],
        slant / stored["air_mass_factor_total"],
        rtol=FLOAT32,
    )
    np.testing.assert_allclose(
        stored["nitrogendioxide_summed_total_column"], column + stratosphere, rtol=FLOAT32
    )


def test_without_noise_the_true_profile_gives_the_true_column(tmp_path):
    """Identity I2: V M_trop / M'(truth) is the true tropospheric column."""
    orbit = build_orbit(tmp_path, n_scanline=20, n_ground_pixel=20, noise=0.0)
    a = orbit.arrays
    index = a["tm5_tropopause_layer_index"]
    keep = np.arange(34) <= index[..., None]
    s = a["averaging_kernel"] * a["air_mass_factor_total"][..., None]
    x = np.where(keep, orbit.true_partial_column, 0.0)
    slant = a["nitrogendioxide_tropospheric_column"] * a["air_mass_factor_troposphere"]
    good = np.isfinite(slant) & (index != FILL_INT)
    assert good.mean() > 0.85
    column = slant[good] / ((s * x).sum(-1)[good] / x.sum(-1)[good])
    truth = orbit.true_tropospheric_column[good]
    np.testing.assert_allclose(column, truth, rtol=1e-12)  # float64


def test_it_holds_what_real_orbits_hold(orbit, stored):
    """Failed pixels, a missing index, a missing column, negatives, clouds, dead rows occur."""
    column = stored["nitrogendioxide_tropospheric_column"]
    m_trop = stored["air_mass_factor_troposphere"]
    assert (column < 0).any()
    assert (np.isnan(column) & np.isfinite(m_trop)).any()
    assert ((stored["tm5_tropopause_layer_index"] == FILL_INT) & np.isfinite(m_trop)).any()
    assert np.isnan(column).all(axis=0).sum() == 2
    assert np.isfinite(stored["latitude"]).all()
    qa = stored["qa_value"]
    assert (qa[np.isnan(m_trop)] == 0).all()
    assert (qa == 74).any() and (qa > 75).mean() > 0.3
    assert (stored["cloud_radiance_fraction_nitrogendioxide_window"] > 0.5).any()


def test_corners_are_shared_and_turn_counter_clockwise(stored):
    """Neighbours share corners; seen with north up, the corners turn counter-clockwise."""
    lon, lat = stored["longitude_bounds"], stored["latitude_bounds"]
    np.testing.assert_array_equal(lon[:, :-1, 1], lon[:, 1:, 0])
    np.testing.assert_array_equal(lat[:-1, :, 3], lat[1:, :, 0])
    area = 0.5 * sum(
        lon[..., i] * lat[..., (i + 1) % 4] - lon[..., (i + 1) % 4] * lat[..., i] for i in range(4)
    )
    assert (area > 0).all()
    assert (lat[..., 0] < lat[..., 3]).all() and (lon[..., 0] < lon[..., 1]).all()


def test_seed_decides(tmp_path):
    """The same seed gives the same orbit, another one another."""
    size = {"n_scanline": 8, "n_ground_pixel": 9, "overwrite": True}
    name = "nitrogendioxide_tropospheric_column"
    first, same, other = (
        build_orbit(tmp_path, seed=seed, **size).arrays[name] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
