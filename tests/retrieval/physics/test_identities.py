"""Identities of docs/equations.md 8.1 that hold for any correct substitution.

I1, I11, I13, I16, I18 through `substitute` on a consistent orbit; the algebraic ones on kernels.
I2, I15 and I19 belong to the simulation and the gridding.
"""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.physics import air_mass_factors as airmass
from retrieval.physics.geometry.footprint import apply_weights, footprint_weights
from retrieval.physics.levels import HeightLevels, Quantity
from retrieval.physics.partial_columns import set_columns
from retrieval.substitution.options import Above, Options
from retrieval.substitution.recompute import compute_set
from retrieval.substitution.substitute import substitute
from tests.builders.array_sets import (
    HEIGHTS,
    RURAL,
    TM5_LAYERS,
    URBAN,
    array_set,
    box_grid,
    columns_of,
    contrast_field,
    make_block,
    make_profiles,
    weights_of,
)
from tests.builders.orbit_builder import build_orbit
from tests.builders.strategies import profiles, quick

EPS64 = 1e-12
"""docs/equations.md 8.1: float64 round-off of sums over layers."""
EPS32 = 1e-6
"""docs/equations.md 8.1: kernels are stored as float32."""
TROPOSPHERE = np.arange(34)[None] <= 16
S = weights_of(1)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Build a small orbit without noise, 30 scanlines of 24 pixels."""
    folder = tmp_path_factory.mktemp("orbit")
    return build_orbit(folder, n_scanline=30, n_ground_pixel=24, noise=0)


@pytest.fixture(scope="module")
def result(truth):
    """Substitute a DACNO2-like and a CAMS-like set, kernels and profiles kept."""
    return run(truth.path, kernels=True, profiles=True)


def two_sets():
    fine, coarse = box_grid(0.02, (0.0, 46.0, 4.0, 50.0)), box_grid(0.1, (0.0, 46.0, 4.0, 50.0))
    return {
        "dacno2": array_set(contrast_field(fine, 1), grid=fine),
        "cams": array_set(contrast_field(coarse, 2), grid=coarse),
    }


def run(path, sets=None, **options):
    with open_orbit(path) as orbit:
        return substitute(orbit, sets or two_sets(), Options(crop="none", **options))[0]


def stored(path, *names):
    with open_orbit(path) as orbit:
        return [orbit.read(name, orbit.full).astype(float) for name in names]


COLUMN = "nitrogendioxide_tropospheric_column"
AMF = "air_mass_factor_troposphere"


def amf(x, s=S, layers=TROPOSPHERE):
    return airmass.air_mass_factor(s, x, layers)


# --- I1 ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("quantity", [Quantity.PARTIAL_COLUMN, Quantity.MOLE_FRACTION])
def test_i1_the_apriori_of_the_retrieval_changes_nothing(truth, quantity):
    """I1: TM5 partial columns on the pixel's own layers give M' = M, V' = V, A' = A_trop.

    Horizontally uniform sets, one for each of some pixels, each read at its own pixel.
    """
    at = [(2, 4), (7, 11), (15, 20), (22, 6), (28, 17)]
    with open_orbit(truth.path) as orbit:
        pressure = orbit.read("surface_pressure", orbit.full).astype(float)
        column, old = (orbit.read(name, orbit.full).astype(float) for name in (COLUMN, AMF))
        sets = {}
        for i, pixel in enumerate(at):
            x = truth.apriori_partial_column[pixel]
            if quantity is Quantity.MOLE_FRACTION:
                edges = TM5_LAYERS.a + TM5_LAYERS.b * pressure[pixel]
                x = x / (-np.diff(edges) / (9.80665 * 0.0289644))
            sets[f"s{i}"] = array_set(x, vertical=TM5_LAYERS, quantity=quantity)
        found, _ = substitute(orbit, sets, Options(crop="none", kernels=True, profiles=True))
        kernel = orbit.read("averaging_kernel", orbit.full).astype(float)
        total = orbit.read("air_mass_factor_total", orbit.full).astype(float)
    for fields, pixel in zip(found.sets, at, strict=True):
        assert fields.substitution_flag[pixel] == 0
        assert fields.air_mass_factor_troposphere[pixel] == pytest.approx(old[pixel], rel=EPS32)
        assert fields.tropospheric_column[pixel] == pytest.approx(column[pixel], rel=EPS32)
        assert fields.apriori_fraction_above_top[pixel] == 0
        new = fields.averaging_kernel_troposphere[pixel]
        below = np.isfinite(fields.apriori_partial_column[pixel])
        expected = np.where(below, kernel[pixel] * total[pixel] / old[pixel], 0.0)
        np.testing.assert_allclose(new, expected, rtol=EPS32)
        assert found.apriori_tropospheric_column_tm5[pixel] == pytest.approx(
            fields.apriori_tropospheric_column[pixel],
            rel=1e-4,  # differences of float32 AMFs
        )


def test_i1_on_every_pixel_of_the_orbit(truth):
    """I1 for the whole orbit: s = M_total A and the a priori of the file recompute M_trop."""
    with open_orbit(truth.path) as orbit:
        end = orbit.read_tropopause(orbit.full)
        index, valid = end.index, end.is_valid
        kernel = orbit.read_kernel(orbit.full).astype(float)
        total, old = (
            orbit.read(name, orbit.full).astype(float) for name in ("air_mass_factor_total", AMF)
        )
    s = airmass.scattering_weights(kernel, total)
    found = airmass.air_mass_factor(s, truth.apriori_partial_column, airmass.troposphere(index, 34))
    use = valid & np.isfinite(old) & np.isfinite(kernel).all(axis=-1)
    assert use.sum() > 400
    np.testing.assert_allclose(found[use], old[use], rtol=EPS32)


def test_i1_fails_where_the_tropopause_layer_is_left_out(truth):
    """I1 can fail: the exclusive rule misses M_trop by more than 1e-4 in this orbit."""
    with open_orbit(truth.path) as orbit:
        end = orbit.read_tropopause(orbit.full)
        index, valid = end.index, end.is_valid
        kernel = orbit.read_kernel(orbit.full).astype(float)
        total, old = (
            orbit.read(name, orbit.full).astype(float) for name in ("air_mass_factor_total", AMF)
        )
    layers = airmass.troposphere(index, 34, "exclusive")
    s = airmass.scattering_weights(kernel, total)
    found = airmass.air_mass_factor(s, truth.apriori_partial_column, layers)
    assert np.nanmedian(np.abs(found / old - 1)[valid]) > 1e-4


# --- the algebra ------------------------------------------------------------------------------


@quick
@given(profiles(34), st.floats(1e-6, 1e6))
def test_i3_scale_of_the_profile_does_not_matter(x, k):
    """I3: x -> k x leaves M' and with it V' and A' unchanged."""
    assert amf(k * x)[0] == pytest.approx(amf(x)[0], rel=EPS64)


def test_i3_scale_invariance_of_a_whole_substitution(truth):
    """I3 through `substitute`: a set twice as large, with the part above, gives the same bits."""
    sets = {"a": array_set(URBAN), "b": array_set(2.0 * URBAN)}
    with open_orbit(truth.path) as orbit:
        found, _ = substitute(orbit, sets, Options(crop="none", above=Above.NONE))
    one, two = found.sets
    np.testing.assert_array_equal(one.tropospheric_column, two.tropospheric_column)


@quick
@given(profiles(34))
def test_i4_the_new_kernel_returns_the_new_column(x):
    """I4: sum(A'_trop x) = sum(x)."""
    kernel = airmass.tropospheric_kernel(S, amf(x), TROPOSPHERE)
    total = (x * TROPOSPHERE).sum()
    assert (kernel * x).sum() == pytest.approx(total, rel=EPS64)


def test_i4_in_the_result(result):
    """I4 on the written kernels and partial columns, to float32."""
    for fields in result.sets:
        done = fields.substitution_flag == 0
        x = np.nan_to_num(fields.apriori_partial_column[done].astype(float))
        kernel = fields.averaging_kernel_troposphere[done].astype(float)
        expected = fields.apriori_tropospheric_column[done]
        np.testing.assert_allclose((kernel * x).sum(axis=1), expected, rtol=EPS32)


def test_i5_the_column_is_conserved_after_horizontal_averaging(truth):
    """I5: sum(x) is the area mean of the set's own integrals, the part above left out."""
    grid = box_grid(0.05, (0.0, 46.0, 4.0, 50.0))
    field = contrast_field(grid)
    whole = np.trapezoid(field, HEIGHTS, axis=0).reshape(-1, 1)
    found = run(truth.path, {"a": array_set(field, grid=grid)}, above=Above.NONE).sets[0]
    bounds = stored(truth.path, "latitude_bounds", "longitude_bounds")
    weights = footprint_weights(*(b.reshape(-1, 4) for b in bounds), grid)
    expected = apply_weights(weights, whole)[0].reshape(found.footprint_coverage.shape)
    done = found.substitution_flag == 0
    assert done.sum() > 300
    column = found.apriori_tropospheric_column[done]
    np.testing.assert_allclose(column, expected[done], rtol=EPS32)  # written as float32


def test_i6_horizontal_and_vertical_order_do_not_matter():
    """I6: with one surface pressure, averaging profiles first equals averaging columns."""
    grid = box_grid(0.1, (-1.0, 47.0, 1.0, 49.0))
    field = contrast_field(grid).reshape(8, -1).T
    lat = 48.0 + np.array([[-0.2, -0.15, 0.25, 0.2]])
    lon = np.array([[-0.3, 0.25, 0.3, -0.2]])
    weights = footprint_weights(lat, lon, grid)
    one = columns_of(make_block(1))
    first = set_columns(
        apply_weights(weights, field)[0], HeightLevels(HEIGHTS), Quantity.CONCENTRATION, one
    )[0]
    many = make_block(field.shape[0])
    object.__setattr__(many, "surface_pressure", np.full(field.shape[0], 101325.0))
    everywhere = set_columns(
        field, HeightLevels(HEIGHTS), Quantity.CONCENTRATION, columns_of(many)
    )[0]
    np.testing.assert_allclose(apply_weights(weights, everywhere)[0], first, rtol=EPS64, atol=1e-20)


@quick
@given(profiles(34), profiles(34))
def test_i7_air_mass_factors_compose_by_column(x1, x2):
    """I7: M'(x1 + x2) = (V1 M1 + V2 M2) / (V1 + V2)."""
    v1, v2 = ((x * TROPOSPHERE).sum() for x in (x1, x2))
    expected = (v1 * amf(x1)[0] + v2 * amf(x2)[0]) / (v1 + v2)
    assert amf(x1 + x2)[0] == pytest.approx(expected, rel=EPS64)


@quick
@given(profiles(34))
def test_i8_the_air_mass_factor_lies_between_its_weights(x):
    """I8: min s <= M' <= max s over the layers with NO2."""
    used = S[0, :17][x[0, :17] > 0]
    tolerance = 1e-15 * used.max()  # one rounding of the quotient
    assert used.min() - tolerance <= amf(x)[0] <= used.max() + tolerance


@quick
@given(profiles(34), profiles(34))
def test_i9_departures_do_not_depend_on_the_apriori(x, y):
    """I9: (sum A_trop y) / V = (sum A'_trop y) / V' for any model y (Douros Fig. 1)."""
    v, old = np.array([5e-5]), np.array([1.07])
    new = amf(x)
    before = airmass.smoothed_column(S, old, y, TROPOSPHERE) / v
    after = airmass.smoothed_column(S, new, y, TROPOSPHERE)
    after = after / airmass.substituted_column(v, old, new)
    assert after[0] == pytest.approx(before[0], rel=EPS64)


@quick
@given(profiles(34), profiles(34))
def test_i10_a_chain_of_substitutions_is_one(first, second):
    """I10: TM5 -> CAMS -> DACNO2 equals TM5 -> DACNO2."""
    v, old = np.array([5e-5]), np.array([1.07])
    between = airmass.substituted_column(v, old, amf(first))
    chained = airmass.substituted_column(between, amf(first), amf(second))
    direct = airmass.substituted_column(v, old, amf(second))
    assert chained[0] == pytest.approx(direct[0], rel=EPS64)


def test_i11_uniform_fields_give_the_same_column_at_every_resolution(truth):
    """I11: a horizontally uniform set on 2 km, 0.02, 0.1 and 1 degree cells gives one V'."""
    from retrieval.physics.geometry.grids import domain_grid

    grids = [box_grid(s) for s in (0.02, 0.1, 1.0)] + [domain_grid()]
    sets = {f"s{i}": array_set(URBAN, grid=grid) for i, grid in enumerate(grids)}
    found = run(truth.path, sets).sets
    done = np.all([fields.substitution_flag == 0 for fields in found], axis=0)
    assert done.sum() > 300
    for fields in found[1:]:
        np.testing.assert_allclose(
            fields.tropospheric_column[done],
            found[0].tropospheric_column[done],
            rtol=2e-7,  # float32 fields in, float32 columns out
        )


@quick
@given(profiles(34), st.floats(0.1, 4.0))
def test_i11_flat_weights_leave_the_column_alone(x, s):
    """I11: with s the same in all layers M' = s = M_trop, so V' = V for any profile."""
    found = amf(x, np.full((1, 34), s))
    assert airmass.substituted_column(np.array([5e-5]), np.array([s]), found)[0] == pytest.approx(
        5e-5, rel=EPS64
    )


@quick
@given(profiles(34), st.sampled_from([6.02214076e19, 1.0 / 4.4615e-4, 1e-6]))
def test_i12_units_of_columns_do_not_matter(x, unit):
    """I12: columns in molecules cm-2 or Dobson units give the same M' and V' in that unit."""
    old = np.array([1.07])
    metric = airmass.substituted_column(np.array([5e-5]), old, amf(x))
    other = airmass.substituted_column(np.array([5e-5 * unit]), old, amf(x * unit))
    assert other[0] / unit == pytest.approx(metric[0], rel=EPS64)


# --- I13 --------------------------------------------------------------------------------------


def reverse_layers(source, target, remap_index=True):
    """Copy an orbit with its layers counted from the top."""
    shutil.copyfile(source, target)
    with netCDF4.Dataset(target, "r+") as file:
        file.set_auto_maskandscale(False)
        found = {}

        def walk(group):
            found.update(group.variables)
            for child in group.groups.values():
                walk(child)

        walk(file)
        found["averaging_kernel"][:] = found["averaging_kernel"][:][..., ::-1]
        for name in ("tm5_constant_a", "tm5_constant_b"):
            found[name][:] = found[name][:][::-1, ::-1]
        if remap_index:
            index = found["tm5_tropopause_layer_index"]
            values = index[:]
            index[:] = np.where(values >= 0, 33 - values, values)
    return target


def test_i13_the_order_of_layers_in_the_file_does_not_matter(truth, result, tmp_path):
    """I13: kernel, a, b and index counted from the top give the same bits."""
    flipped = run(reverse_layers(truth.path, tmp_path / "a.nc"), kernels=True, profiles=True)
    for old, new in zip(result.sets, flipped.sets, strict=True):
        for name, values in vars(old).items():
            if isinstance(values, np.ndarray):
                found = getattr(new, name)
                found = found[..., ::-1] if values.ndim == 3 else found  # in the file's order
                np.testing.assert_array_equal(found, values, err_msg=name)


def test_i13_fails_without_the_index_remapped(truth, result, tmp_path):
    """I13 can fail: with the index left as it was the tropopause is at layer 33 - idx."""
    path = reverse_layers(truth.path, tmp_path / "b.nc", remap_index=False)
    wrong, right = run(path).sets[0], result.sets[0]
    done = (wrong.substitution_flag == 0) & (right.substitution_flag == 0)
    change = wrong.air_mass_factor_troposphere / right.air_mass_factor_troposphere - 1
    assert np.median(np.abs(change[done])) > 1e-3


# --- I14 is in test_footprint.py; I16 to I18 -----------------------------------------------------


def test_i16_the_sign_of_the_column_is_kept(truth, tmp_path):
    """I16: sign(V') = sign(V), 0 stays 0, fill stays fill; negative columns survive."""
    path = tmp_path / "signs.nc"
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        variable = file["PRODUCT"][COLUMN]
        variable.set_auto_maskandscale(False)
        values = variable[:]
        valid = values < 1e30
        values[0, ::3] = np.where(valid[0, ::3], -values[0, ::3], values[0, ::3])
        values[0, 1::3] = np.where(valid[0, 1::3], 0.0, values[0, 1::3])
        variable[:] = values
    (column,) = stored(path, COLUMN)
    for fields in run(path).sets:
        done = np.isin(fields.substitution_flag, (0, 9))
        new = fields.tropospheric_column
        np.testing.assert_array_equal(np.sign(new[done]), np.sign(column[done]))
        assert (column[done] < 0).sum() > 50
        assert np.isnan(new[~done]).all()


def test_i16_an_invalid_tropopause_is_fill(truth, result):
    """I16: pixels whose index is fill get flag 2 or 1 and no number at all."""
    index = truth.arrays["tm5_tropopause_layer_index"]
    for fields in result.sets:
        flags = fields.substitution_flag[index < 0]
        assert set(np.unique(flags)) <= {1, 2}
        assert np.isnan(fields.air_mass_factor_troposphere[index < 0]).all()
        assert np.isnan(fields.tropospheric_column[index < 0]).all()


def test_i17_below_an_opaque_cloud_only_the_part_above_counts():
    """I17: s = 0 below the cloud: M' is the share above it; no NO2 there at all is flag 8."""
    cloudy = weights_of(1)
    cloudy[:, :10] = 0.0
    block = make_block(1, weights=cloudy)
    x = np.ones((1, 34))
    assert amf(x, cloudy)[0] == pytest.approx(cloudy[0, 10:17].sum() / 17, rel=EPS64)
    found = compute_set(
        array_set(URBAN), make_profiles(URBAN), block, columns_of(block), Options(above=Above.NONE)
    )
    assert found.flag[0] == SubstitutionFlag.BAD_AMF
    assert np.isnan(found.amf[0])


def test_i18_the_relative_precision_is_preserved(truth, result):
    """I18: sigma'_kernel / V' = sigma_kernel / V."""
    column, sigma = stored(truth.path, COLUMN, COLUMN + "_precision_kernel")
    for fields in result.sets:
        done = (fields.substitution_flag == 0) & (column != 0)
        new = fields.tropospheric_column_precision_kernel / fields.tropospheric_column
        np.testing.assert_allclose(new[done], (sigma / column)[done], rtol=3e-7)  # float32 out


def test_mean_of_sub_pixel_air_mass_factors_is_not_the_air_mass_factor():
    """Decision D7: averaging AMFs of half a city and half country is wrong by percents."""
    block = make_block(2)
    object.__setattr__(block, "surface_pressure", np.full(2, 101325.0))
    object.__setattr__(block, "weights", np.repeat(block.weights[:1], 2, 0))
    parts = compute_set(
        array_set(URBAN),
        make_profiles(np.stack([5 * URBAN, RURAL])),
        block,
        columns_of(block),
        Options(),
    )
    whole = compute_set(
        array_set(URBAN),
        make_profiles(0.5 * (5 * URBAN + RURAL)),
        make_block(1, weights=block.weights[:1]),
        columns_of(make_block(1)),
        Options(),
    )
    share = parts.column / parts.column.sum()
    assert whole.amf[0] == pytest.approx((share * parts.amf).sum(), rel=EPS64)
    assert parts.amf.mean() / whole.amf[0] > 1.03
