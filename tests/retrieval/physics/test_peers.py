"""Defects found in other packages , each as a test that their way fails.

Every test holds two assertions: ours meets the claim, and the peer's formula, written out in a
few lines, does not meet the same one.
"""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.physics import air_mass_factors as airmass
from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    PressureLevels,
    Quantity,
)
from retrieval.physics.partial_columns import set_columns
from retrieval.substitution.options import Above, Options
from retrieval.substitution.recompute import compute_set
from tests.builders.array_sets import (
    HEIGHTS,
    RURAL,
    TM5_LAYERS,
    URBAN,
    array_set,
    columns_of,
    make_block,
    make_profiles,
    weights_of,
)
from tests.builders.orbit_builder import TM5_A, TM5_B

INDEX = 16
TROPOSPHERE = np.arange(34)[None] <= INDEX
S = weights_of(1)
M_TOTAL, M_TROP = 1.9, 1.05
KERNEL = S / M_TOTAL


def tm5_like_column():
    """Build a polluted troposphere under a stratosphere, as partial columns on 34 layers."""
    edges = TM5_A + TM5_B * 101325.0
    v = 3e-9 * np.exp(-np.arange(34) / 3.0) + 3e-11
    v[INDEX + 1 :] = np.linspace(1e-10, 5e-9, 33 - INDEX)
    return (v * -np.diff(edges) * 3.5206)[None]


def amf(x, s=S, layers=TROPOSPHERE):
    return airmass.air_mass_factor(s, x, layers)[0]


def test_1_cmaqsatproc_counts_the_stratosphere_of_the_model():
    """NO2 added above the tropopause must not change the tropospheric air mass factor."""
    x = tm5_like_column()
    more = np.where(TROPOSPHERE, x, 3.0 * x)

    def peer(x):
        return float((S * x).sum() / x.sum())  # no tropopause mask

    assert amf(more) == amf(x)
    assert peer(more) != pytest.approx(peer(x), rel=1e-2)
    assert peer(x) / amf(x) > 1.3  # +61 % in the median of a real orbit


def test_2_melodies_monet_sorts_the_kernel_of_a_coarse_model():
    """A constant kernel returns itself, and a real one its layers, under a thick first layer."""
    block = make_block(1, weights=S)
    edges = columns_of(block).pressure_edges[0]
    middle = 0.5 * (edges[1:] + edges[:-1])
    thick = np.array([edges[0], edges[0] - 14_200.0, 6e4, 4e4, 2e4, 1e4, 0.0])  # first: 142 hPa
    source = HybridLayers(thick, np.zeros(7))
    v = np.array([[5e-9, 1e-9, 2e-10, 5e-11, 5e-11, 5e-11]])
    x, _ = set_columns(v, source, Quantity.MOLE_FRACTION, columns_of(block))

    def peer_pressures():
        p = middle.copy()
        p[0] = 0.5 * (thick[0] + thick[1])  # lowest mid-layer of the model
        return p

    def peer_kernel(kernel):
        order = np.argsort(peer_pressures())[::-1]  # interp1d sorts its nodes
        return kernel[order]

    # the pressures of the retrieval stay monotonic, and each weight meets its own layer
    assert (np.diff(edges) < 0).all()
    assert not (np.diff(peer_pressures()) < 0).all()
    expected = (S[0] * x[0] * TROPOSPHERE[0]).sum() / (x[0] * TROPOSPHERE[0]).sum()
    assert amf(x) == pytest.approx(expected, rel=1e-12)
    assert amf(x, peer_kernel(S[0])[None]) != pytest.approx(expected, rel=1e-2)
    flat = np.full((1, 34), 0.8)
    assert amf(x, flat) == pytest.approx(0.8, rel=1e-12)


def test_2_a_coarse_model_first_layer_keeps_its_column():
    """The thick first layer is spread over the retrieval's layers without loss."""
    block = make_block(1)
    thick = HybridLayers(np.array([101325.0, 87_000.0, 5e4, 0.0]), np.zeros(4))
    v = np.array([[5e-9, 1e-9, 1e-10]])
    x, _ = set_columns(v, thick, Quantity.MOLE_FRACTION, columns_of(block))
    expected = (v[0] * -np.diff(thick.a)).sum() / (9.80665 * 0.0289644)
    assert x.sum() == pytest.approx(expected, rel=1e-12)  # I5: eps64


def test_3_melodies_monet_hides_failures_and_drops_negative_columns():
    """A pixel without a new air mass factor is flagged and fill; a negative column stays."""
    column = np.array([5e-5, -1e-5, 4e-5])
    block = make_block(3, column=column)
    profiles = make_profiles(np.stack([URBAN, URBAN, 0 * URBAN]))
    found = compute_set(
        array_set(URBAN), profiles, block, columns_of(block), Options(above=Above.NONE)
    )
    new = airmass.substituted_column(block.column, block.amf_troposphere, found.amf)
    ratio = block.amf_troposphere / found.amf
    peer = np.where(np.isnan(ratio), 1.0, ratio) * np.where(column > 0, column, np.nan)

    def claims(values):
        return values[1] < 0, bool(np.isnan(values[2]))

    assert found.flag.tolist() == [0, 0, 7]
    assert claims(new) == (True, True)
    assert claims(peer) == (False, False)


def test_4_harp_and_8_nitronet_leave_the_tropopause_layer_out():
    """The tropopause layer is inclusive: M_trop of a known column comes back."""
    x = tm5_like_column()
    known = (S * x * TROPOSPHERE).sum() / (x * TROPOSPHERE).sum()
    ours = amf(x, S, airmass.troposphere(np.array([INDEX]), 34))
    peer = float((S * x)[0, :INDEX].sum() / x[0, :INDEX].sum())  # j < index
    assert ours == pytest.approx(known, rel=1e-12)
    assert peer != pytest.approx(known, rel=1e-3)


def test_5_cheereio_cuts_the_wrong_end_of_a_reversed_kernel():
    """The order of layers is asserted from a, b; a reversed kernel is turned with its index."""
    x = tm5_like_column()
    known = M_TROP * airmass.smoothed_column(S, np.array([M_TROP]), x, TROPOSPHERE)[0]
    stored = KERNEL[:, ::-1]  # a file that counts from the top
    surface_first = stored[:, ::-1]
    ours = (M_TOTAL * surface_first * x)[0, : INDEX + 1].sum()
    cut = stored.copy()
    cut[:, INDEX + 1 :] = 0.0  # [idx + 1:] = 0 on the reversed kernel, surface-first model
    peer = (M_TOTAL * cut * x).sum()
    assert ours == pytest.approx(known, rel=1e-12)
    assert peer != pytest.approx(known, rel=1e-2)


def test_6_oi_sat_gmi_keeps_sixteen_bits():
    """Pressures and columns survive the round trip through storage at 1e-6."""
    values = np.array([101_325.0 / 100.0, 1012.87, 8.7654321e-5])

    def is_kept(kind):
        return np.allclose(values.astype(kind).astype(float), values, rtol=1e-6, atol=0)

    assert is_kept(np.float32)
    assert not is_kept(np.float16)


def test_7_ddeq_sums_mole_fractions_of_unequal_layers():
    """The TM5 profile as mole fractions on the unequal TM5 layers returns its own M_trop."""
    block = make_block(1, weights=S)
    columns = columns_of(block)
    air = -np.diff(columns.pressure_edges) / (9.80665 * 0.0289644)
    x = tm5_like_column()
    v = x / air
    known = amf(x)
    found, _ = set_columns(v, TM5_LAYERS, Quantity.MOLE_FRACTION, columns)
    peer = float((S * v)[TROPOSPHERE].sum() / v[TROPOSPHERE].sum())
    assert amf(found) == pytest.approx(known, rel=1e-9)  # small layers of large sums
    assert peer != pytest.approx(known, rel=1e-2)


def test_7_ddeq_takes_the_total_kernel_with_the_tropospheric_factor():
    """A_total M_trop is not s: the scale M_total / M_trop is forgotten."""
    x = tm5_like_column()
    peer = amf(x, KERNEL * M_TROP)
    assert amf(x, airmass.scattering_weights(KERNEL, np.array([M_TOTAL]))) == pytest.approx(amf(x))
    assert peer / amf(x) == pytest.approx(M_TROP / M_TOTAL, rel=1e-12)  # 1.8 times too large a V'


def test_7_ddeq_has_the_kernel_in_both_branches_of_its_mask():
    """The tropospheric kernel is zero above the tropopause."""
    ours = airmass.tropospheric_kernel(S, np.array([M_TROP]), TROPOSPHERE)
    peer = np.where(TROPOSPHERE, S / M_TROP, S / M_TROP)
    assert (ours[:, INDEX + 1 :] == 0).all()
    assert not (peer[:, INDEX + 1 :] == 0).all()


def test_8_ioda_masks_by_index_after_flipping_the_kernel():
    """An index that counts from the surface is remapped when layers are turned."""
    x = tm5_like_column()
    known = amf(x)
    remapped = 33 - INDEX
    turned = np.arange(34)[None] >= remapped
    peer = np.arange(34)[None] <= INDEX
    assert amf(x[:, ::-1], S[:, ::-1], turned) == pytest.approx(known, rel=1e-12)
    assert amf(x[:, ::-1], S[:, ::-1], peer) != pytest.approx(known, rel=1e-2)


def test_9_beamf_transposes_the_profile_instead_of_the_pressure():
    """Every kind of profile takes (pixel, level) with one vertical axis, pixel by pixel.

    As many pixels as levels: a transposed profile has the right shape and the wrong values.
    """
    n = 8
    block = make_block(n)
    columns = columns_of(block)
    rng = np.random.default_rng(0)
    kinds = [
        (HeightLevels(HEIGHTS), Quantity.CONCENTRATION, 1e-8),
        (HeightLayers(np.append(HEIGHTS, 6000.0)), Quantity.CONCENTRATION, 1e-8),
        (HybridLayers(np.linspace(0, 1e4, 9), np.linspace(1, 0, 9)), Quantity.MOLE_FRACTION, 1e-9),
        (PressureLevels(np.linspace(9e4, 1e4, 8)), Quantity.MOLE_FRACTION, 1e-9),
    ]
    for vertical, quantity, scale in kinds:
        profile = rng.uniform(0, scale, (n, 8))
        together = set_columns(profile, vertical, quantity, columns)[0]
        transposed = set_columns(profile.T, vertical, quantity, columns)[0]
        for i in range(n):
            one = make_block(1)
            object.__setattr__(one, "surface_pressure", block.surface_pressure[i : i + 1])
            alone = set_columns(profile[i : i + 1], vertical, quantity, columns_of(one))[0]
            np.testing.assert_array_equal(together[i], alone[0])
            assert not np.allclose(transposed[i], alone[0], rtol=1e-2, atol=0)


@pytest.mark.parametrize(
    ("vertical", "quantity", "scale"),
    [
        (HeightLevels(np.array([50.0, 500, 2000, 5000])), Quantity.CONCENTRATION, 1e-8),
        (PressureLevels(100.0 * np.array([950.0, 700, 500, 300])), Quantity.MOLE_FRACTION, 1e-9),
        (HybridLayers(TM5_A[:5], TM5_B[:5]), Quantity.MOLE_FRACTION, 1e-9),
    ],
    ids=["heights", "pressures", "hybrid"],
)
def test_10_wrfchem_extrapolates_beyond_the_model(vertical, quantity, scale):
    """No value outside of the model's range: 0 above its top, its lowest value at the ground."""
    block = make_block(1)
    columns = columns_of(block)
    steep = scale * np.array([[8.0, 4.0, 2.0, 1.0]])
    x, cut = set_columns(steep, vertical, quantity, columns)
    if quantity is Quantity.CONCENTRATION:
        mean = x[0] / np.diff(columns.height_edges[0])
    else:
        mean = x[0] / -np.diff(columns.pressure_edges[0]) * 9.80665 * 0.0289644
    whole = columns.pressure_edges[0, 1:] >= cut[0]

    def in_range(values):
        inside = values[whole]
        return inside.min() >= scale * (1 - 1e-12) and inside.max() <= 8 * scale * (1 + 1e-12)

    z = 0.5 * (columns.height_edges[0, 1:] + columns.height_edges[0, :-1])
    at = np.array([50.0, 500, 2000, 5000])
    slope = np.diff(np.log(steep[0])) / np.diff(np.log(at))
    below = np.log(steep[0, 0]) + slope[0] * (np.log(z) - np.log(at[0]))
    above = np.log(steep[0, 3]) + slope[2] * (np.log(z) - np.log(at[3]))
    inside = np.interp(np.log(z), np.log(at), np.log(steep[0]))
    peer = np.exp(np.where(z < at[0], below, np.where(z > at[3], above, inside)))
    assert in_range(mean)
    assert (x[0][columns.pressure_edges[0, :-1] <= cut[0]] == 0).all()
    assert not in_range(peer)  # over 8 in the lowest layer
    assert (peer[z > 5000.0] > 0).all()  # and NO2 where the model has none


def test_profiles_of_two_sets_differ_where_they_should():
    """The comparison itself can fail: urban and rural profiles do not share an AMF."""
    block = make_block(2, weights=np.repeat(S, 2, 0))
    found = compute_set(
        array_set(URBAN),
        make_profiles(np.stack([URBAN, RURAL])),
        block,
        columns_of(block),
        Options(),
    )
    assert found.amf[1] / found.amf[0] > 1.05
