"""Sets of every kind of level and quantity in the retrieval's layers, with the pixel's own air."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL, GAS_CONSTANT
from retrieval.physics.layers import LayeredAtmosphere, StandardAtmosphere
from retrieval.physics.levels import (
    HeightLayers,
    HeightLevels,
    HybridLayers,
    LocalLayers,
    PressureLevels,
    Quantity,
)
from retrieval.physics.partial_columns import (
    PixelColumns,
    columns_above,
    constant_above,
    set_columns,
)
from tests.builders.orbit_builder import TM5_A, TM5_B

HEIGHTS = np.array([0.0, 50, 250, 500, 1000, 2000, 3000, 5000])
DENSE = np.linspace(0.0, 5000.0, 401)
SURFACE = np.array([101325.0, 98000.0, 84000.0])
ALTITUDE = np.array([0.0, 300.0, 1500.0])
V = 1e-9


@pytest.fixture
def pixels():
    return pixel_columns()


def pixel_columns(surface=SURFACE, altitude=ALTITUDE):
    edges = TM5_A + TM5_B * surface[:, None]
    return PixelColumns(surface, edges, StandardAtmosphere(surface, altitude))


def warm_pixels():
    """Return the same layers under an atmosphere of meteorological temperatures."""
    edges = TM5_A + TM5_B * SURFACE[:, None]
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
    temperature = np.maximum(300.0 * (middle / SURFACE[:, None]) ** 0.2, 210.0)
    return PixelColumns(SURFACE, edges, LayeredAtmosphere(edges, temperature))


def constant(vertical, quantity, pixels, v=V):
    """Profiles of one mole fraction in any vertical coordinate and unit."""
    n = SURFACE.size
    if quantity is Quantity.MOLE_FRACTION:
        return np.full((n, vertical.n_level), v)
    if isinstance(vertical, HeightLevels | HeightLayers):
        if isinstance(vertical, HeightLayers) or quantity is Quantity.PARTIAL_COLUMN:
            edges = np.broadcast_to(vertical.height_edges, (n, vertical.n_level + 1))
            x = -np.diff(pixels.atmosphere.pressure_at(edges)) * AIR_COLUMN_PER_PASCAL * v
            return x if quantity is Quantity.PARTIAL_COLUMN else x / np.diff(edges)
        z = np.broadcast_to(vertical.height, (n, vertical.n_level))
        t, p = pixels.atmosphere.temperature_at(z), pixels.atmosphere.pressure_at(z)
        return v * p / (GAS_CONSTANT * t)
    if isinstance(vertical, PressureLevels):
        p = np.broadcast_to(vertical.pressure, (n, vertical.n_level))
        t = pixels.atmosphere.temperature_at(pixels.atmosphere.height_at(p))
        return v * p / (GAS_CONSTANT * t)
    edges = vertical.a + vertical.b * SURFACE[:, None]
    if quantity is Quantity.PARTIAL_COLUMN:
        return -np.diff(edges, axis=1) * AIR_COLUMN_PER_PASCAL * v
    middle = 0.5 * (edges[:, 1:] + edges[:, :-1])
    t = pixels.atmosphere.temperature_at(pixels.atmosphere.height_at(middle))
    return v * middle / (GAS_CONSTANT * t)


TM5 = HybridLayers(TM5_A, TM5_B)
COARSE = HybridLayers(np.array([0.0, 5e3, 1e4, 0.0]), np.array([1.0, 0.7, 0.2, 0.0]))
LEVELS = PressureLevels(100.0 * np.array([1000.0, 925, 850, 700, 500, 300, 200, 100, 50]))
CASES = [
    # exact: everything is done in pressure, v dp / (g M)
    (TM5, Quantity.MOLE_FRACTION, 1e-11),
    (TM5, Quantity.CONCENTRATION, 1e-11),
    (TM5, Quantity.PARTIAL_COLUMN, 1e-11),
    (COARSE, Quantity.MOLE_FRACTION, 1e-11),
    (LEVELS, Quantity.MOLE_FRACTION, 1e-11),
    (LEVELS, Quantity.CONCENTRATION, 1e-11),
    # the profile is linear in height between nodes 12.5 m apart, air is exponential:
    # (12.5 / 8400)^2 / 12; 2.4e-5 is R = 287.05287 M_air against 8.314462618
    (HeightLevels(DENSE), Quantity.MOLE_FRACTION, 3e-5),
    (HeightLevels(DENSE), Quantity.CONCENTRATION, 3e-5),
    # the eight heights: (2000 / 8400)^2 / 12 = 0.5 % in the layers between 3 and 5 km
    (HeightLevels(HEIGHTS), Quantity.MOLE_FRACTION, 6e-3),
    # layer means: exact over whole source layers, the air within them is uniform
    (HeightLayers(DENSE), Quantity.MOLE_FRACTION, 1e-3),
    (HeightLayers(DENSE), Quantity.PARTIAL_COLUMN, 1e-3),
    (HeightLayers(DENSE), Quantity.CONCENTRATION, 1e-3),
]


@pytest.mark.parametrize("build", [pixel_columns, warm_pixels], ids=["standard", "meteo"])
@pytest.mark.parametrize(("vertical", "quantity", "tolerance"), CASES)
def test_a_constant_mole_fraction_is_the_same_in_every_vertical_coordinate(
    vertical, quantity, tolerance, build
):
    """It is v dp / (g M_air) below 540 hPa, whatever the levels and the unit of the set."""
    pixels = build()
    if build is warm_pixels and isinstance(vertical, HeightLevels):
        # temperatures jump by some 5 K between layers: 2 % in the concentration at a node
        tolerance = max(tolerance, 1.5e-2)
    profile = constant(vertical, quantity, pixels)
    found, _ = set_columns(profile, vertical, quantity, pixels)
    below = pixels.height_edges[:, 1:] <= 5000.0
    expected = -np.diff(pixels.pressure_edges, axis=1) * AIR_COLUMN_PER_PASCAL * V
    assert below.sum() >= 18
    np.testing.assert_allclose(found[below], expected[below], rtol=tolerance)


def test_hybrid_levels_follow_the_pixels_surface_pressure(pixels):
    """The source's a, b are evaluated at the pixel's own surface pressure: the profile moves."""
    v = np.broadcast_to(np.linspace(5e-9, 1e-10, 34), (3, 34))
    found, _ = set_columns(v, TM5, Quantity.MOLE_FRACTION, pixels)
    expected = v * -np.diff(pixels.pressure_edges, axis=1) * AIR_COLUMN_PER_PASCAL
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-20)  # differences of sums


def test_pure_pressure_layers_reach_the_ground(pixels):
    """Layers from 1000 hPa up: the lowest fills the 13 hPa to the ground of the first pixel."""
    vertical = HybridLayers(np.array([1e5, 9e4, 7e4, 4e4, 0.0]), np.zeros(5))
    found, _ = set_columns(np.full((3, 4), V), vertical, Quantity.MOLE_FRACTION, pixels)
    expected = -np.diff(pixels.pressure_edges, axis=1) * AIR_COLUMN_PER_PASCAL * V
    np.testing.assert_allclose(found, expected, rtol=1e-9)  # top layers: differences of 1e5 Pa


def test_layers_below_ground_are_ignored(pixels):
    """Over the pixel at 840 hPa the layer from 1000 to 900 hPa has no thickness."""
    vertical = HybridLayers(np.array([1e5, 9e4, 7e4, 4e4, 0.0]), np.zeros(5))
    v = np.full((3, 4), V)
    plain, _ = set_columns(v, vertical, Quantity.MOLE_FRACTION, pixels)
    v = v.copy()
    v[:, 0] = 1.0
    changed, _ = set_columns(v, vertical, Quantity.MOLE_FRACTION, pixels)
    np.testing.assert_array_equal(changed[2], plain[2])
    assert changed[0].sum() > plain[0].sum()


@pytest.mark.parametrize(
    ("vertical", "quantity"),
    [
        (HeightLevels(HEIGHTS), Quantity.CONCENTRATION),
        (HeightLayers(HEIGHTS), Quantity.CONCENTRATION),
        (HybridLayers(TM5_A[:10], TM5_B[:10]), Quantity.MOLE_FRACTION),
        (PressureLevels(LEVELS.pressure[:5]), Quantity.MOLE_FRACTION),
    ],
    ids=["heights", "height layers", "hybrid", "pressures"],
)
@pytest.mark.parametrize("merge", [None, 3000.0, 700.0])
def test_nothing_of_a_set_above_its_cut(vertical, quantity, merge, pixels):
    """Above min(top, merge height) a set gives 0; the part above begins there, without a gap."""
    profile = np.full((3, vertical.n_level), 2e-8)
    found, cut = set_columns(profile, vertical, quantity, pixels, merge)
    above = pixels.pressure_edges[:, :-1] <= cut[:, None] * (1 - 1e-12)
    assert (found[above] == 0).all()
    if merge is not None:
        at_merge = pixels.atmosphere.pressure_at(np.full((3, 1), merge))[:, 0]
        np.testing.assert_allclose(cut, np.maximum(at_merge, cut.min()), rtol=1e-12)
    if quantity is Quantity.MOLE_FRACTION:
        whole = found + constant_above(2e-8, pixels, cut)
        expected = -np.diff(pixels.pressure_edges, axis=1) * AIR_COLUMN_PER_PASCAL * 2e-8
        np.testing.assert_allclose(whole, expected, rtol=1e-9)  # small layers of large sums


def test_merge_height_cuts_a_layer(pixels):
    """3000 m lies inside a layer: the set has its lower part, the part above the upper one."""
    profile = np.full((3, 8), 2e-8)
    found, cut = set_columns(profile, HeightLevels(HEIGHTS), Quantity.CONCENTRATION, pixels, 3000.0)
    np.testing.assert_allclose(found.sum(axis=1), 2e-8 * 3000.0, rtol=1e-12)  # I5: eps64
    np.testing.assert_allclose(pixels.atmosphere.height_at(cut[:, None])[:, 0], 3000.0, rtol=1e-9)
    above = constant_above(30e-12, pixels, cut)
    both = (found > 0) & (above > 0)
    assert both.sum(axis=1).tolist() == [1, 1, 1]
    np.testing.assert_allclose(above.sum(axis=1), 30e-12 * cut * AIR_COLUMN_PER_PASCAL, rtol=1e-12)


def test_merge_height_above_the_top_changes_nothing(pixels):
    """A set that ends at 5 km is not stretched to a merge height of 8 km."""
    profile = np.full((3, 8), 2e-8)
    vertical = HeightLevels(HEIGHTS)
    plain, cut = set_columns(profile, vertical, Quantity.CONCENTRATION, pixels)
    merged, same = set_columns(profile, vertical, Quantity.CONCENTRATION, pixels, 8000.0)
    np.testing.assert_array_equal(merged, plain)
    np.testing.assert_array_equal(cut, same)


@pytest.mark.parametrize("vertical", [TM5, COARSE, LEVELS], ids=["TM5", "coarse", "pressures"])
def test_upper_part_takes_its_own_share_of_the_cut_layer(vertical, pixels):
    """Below the cut nothing, above it the upper set's own v dp / (g M)."""
    cut = pixels.atmosphere.pressure_at(np.full((3, 1), 3000.0))[:, 0]
    v = np.full((3, vertical.n_level), V)
    found = columns_above(v, vertical, Quantity.MOLE_FRACTION, pixels, cut)
    top = vertical.pressure[-1] if isinstance(vertical, PressureLevels) else 0.0
    clipped = np.clip(pixels.pressure_edges, top, cut[:, None])
    expected = -np.diff(clipped, axis=1) * AIR_COLUMN_PER_PASCAL * V
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * expected.max())


def test_concentrations_on_heights_need_no_temperature(pixels):
    """Mass per volume at ambient conditions: T and p do not enter (docs/equations.md 3.3)."""
    profile = np.random.default_rng(0).uniform(0, 1e-7, (3, 8))
    vertical = HeightLevels(HEIGHTS)
    found, _ = set_columns(profile, vertical, Quantity.CONCENTRATION, pixels)
    np.testing.assert_allclose(
        found.sum(axis=1),
        np.trapezoid(profile, HEIGHTS, axis=1),
        rtol=1e-12,  # I5: eps64
    )


def test_one_microgram_over_a_kilometre_is_the_number_of_the_method(pixels):
    """docs/equations.md 3.3: 1 ug m-3 x 1 km = 2.17365e-5 mol m-2 = 1.30900e15 molecules cm-2."""
    profile = np.full((3, 2), 1e-9 / 0.0460055)
    vertical = HeightLevels(np.array([0.0, 1000.0]))
    found, _ = set_columns(profile, vertical, Quantity.CONCENTRATION, pixels)
    np.testing.assert_allclose(found.sum(axis=1), 2.17365e-5, rtol=3e-6)  # six digits printed
    np.testing.assert_allclose(found.sum(axis=1) * 6.02214076e19, 1.30900e15, rtol=4e-6)


def packed(values, edges):
    """Values, thicknesses and top of layers between interfaces, surface first."""
    return np.concatenate([values, np.abs(np.diff(edges, axis=1)), edges[:, -1:]], axis=1)


@pytest.mark.parametrize("quantity", list(Quantity))
@pytest.mark.parametrize("merge", [None, 2500.0])
def test_layers_of_each_cell_are_those_of_coefficients(pixels, quantity, merge):
    """Interfaces over another ground than the pixel's give what sigma evaluated there gives."""
    rng = np.random.default_rng(0)
    sigma = np.array([1.0, 0.97, 0.85, 0.6, 0.3, 0.0])
    vertical = HybridLayers((1 - sigma) * 5000.0, sigma)
    values = rng.uniform(1e-10, 1e-8, (SURFACE.size, sigma.size - 1))
    model_ground = np.array([[100000.0], [99000.0], [86000.0]])
    profile = packed(values, vertical.a + vertical.b * model_ground)
    local = LocalLayers(sigma.size - 1, is_pressure=True)
    found = set_columns(profile, local, quantity, pixels, merge)
    wanted = set_columns(values, vertical, quantity, pixels, merge)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=0)  # round-off of the packing


@pytest.mark.parametrize("quantity", list(Quantity))
@pytest.mark.parametrize("merge", [None, 700.0])
def test_heights_of_each_cell_are_those_of_an_axis(pixels, quantity, merge):
    """The same heights in every cell give what the axis gives; other heights their own columns."""
    edges = np.array([0.0, 40.0, 300.0, 1500.0, 4000.0])
    values = np.random.default_rng(1).uniform(1e-9, 1e-7, (SURFACE.size, 4))
    profile = packed(values, np.broadcast_to(edges, (SURFACE.size, 5)))
    local = LocalLayers(4, is_pressure=False)
    found = set_columns(profile, local, quantity, pixels, merge)
    wanted = set_columns(values, HeightLayers(edges), quantity, pixels, merge)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-25)  # round-off of the packing


def test_a_column_by_hand_on_heights_of_its_own(pixels):
    """1e-7 mol m-3 over 100, 200 and 400 m are 1, 2 and 4e-5 mol m-2; no thickness, no column."""
    edges = np.array([[0.0, 0.0, 100.0], [0.0, 150.0, 200.0], [0.0, 100.0, 400.0]])
    values = np.full((3, 2), 1e-7)
    local = LocalLayers(2, is_pressure=False)
    x, _ = set_columns(packed(values, edges), local, Quantity.CONCENTRATION, pixels)
    np.testing.assert_allclose(x.sum(axis=1), [1e-5, 2e-5, 4e-5], rtol=1e-12)  # round-off
