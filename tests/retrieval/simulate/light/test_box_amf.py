"""The solver meets its reference values, and the packaged table meets the solver."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.physics.constants import STANDARD_PRESSURE
from retrieval.simulate.light.box_amf import (
    LAYER_EDGES,
    TABLE_NAME,
    build_table,
    layer_box_amf,
    layer_means,
    load_table,
    read_table,
    write_table,
)
from retrieval.simulate.light.radiative_transfer import (
    RAYLEIGH_OPTICAL_DEPTH,
    reflectance_and_box_amf,
    sensitivity,
    solve,
    with_surface,
)

PRESSURES = np.array([1000, 950, 900, 850, 800, 700, 600, 500, 400, 300, 200, 100]) * 100.0
RELATIVE = np.linspace(0.0, 1.0, 61)

# docs/equations.md 10.2: SZA, albedo, R, m at the pressures above
CLEAR = """
30 0.03 .116 .57 .73 .87 1.00 1.12 1.35 1.56 1.74 1.91 2.04 2.15 2.21
30 0.05 .132 .81 .96 1.08 1.19 1.30 1.50 1.68 1.84 1.97 2.09 2.17 2.21
30 0.60 .615 2.73 2.72 2.72 2.71 2.69 2.67 2.63 2.59 2.53 2.47 2.40 2.30
45 0.03 .121 .59 .78 .95 1.10 1.24 1.50 1.74 1.96 2.15 2.31 2.43 2.49
45 0.05 .137 .85 1.02 1.17 1.30 1.42 1.66 1.87 2.05 2.22 2.35 2.45 2.50
45 0.15 .215 1.64 1.75 1.84 1.92 1.99 2.13 2.25 2.35 2.43 2.49 2.52 2.52
60 0.05 .151 .87 1.09 1.27 1.43 1.59 1.90 2.18 2.43 2.66 2.85 3.01 3.09
60 0.60 .594 3.26 3.29 3.32 3.34 3.35 3.37 3.38 3.38 3.36 3.33 3.27 3.18
70 0.08 .195 1.19 1.42 1.62 1.80 1.99 2.34 2.68 3.00 3.30 3.57 3.80 3.96
75 0.03 .183 .54 .82 1.07 1.32 1.56 2.04 2.53 3.01 3.49 3.96 4.39 4.75
75 0.60 .571 3.76 3.86 3.95 4.04 4.12 4.29 4.44 4.59 4.73 4.85 4.94 4.98
"""

# docs/equations.md 10.3: p_c, SZA, R_cld, kappa at p/p_c = 1, .9, .75, .5, .25, .1
CLOUD = """
900 30 .817 1.40 1.38 1.33 1.25 1.15 1.08
900 60 .781 1.22 1.22 1.21 1.17 1.12 1.07
900 70 .754 1.05 1.06 1.07 1.09 1.08 1.05
700 45 .804 1.30 1.29 1.26 1.20 1.12 1.06
700 70 .761 1.06 1.07 1.08 1.08 1.07 1.04
500 30 .812 1.29 1.27 1.23 1.17 1.10 1.05
500 60 .789 1.18 1.17 1.16 1.13 1.08 1.04
"""


def rows(table):
    return [tuple(float(v) for v in line.split()) for line in table.strip().splitlines()]


def single(solar_zenith, viewing_zenith, albedo, surface_pressure, edges):
    """Return reflectance and box air mass factors of one pixel from the packaged table."""
    inputs = (np.array([float(v)]) for v in (solar_zenith, viewing_zenith, albedo))
    reflectance, box = layer_box_amf(*inputs, np.array([surface_pressure]), edges[None])
    return reflectance[0], box[0]


def point_values(solar_zenith, albedo, surface_pressure, pressures):
    """Return values at points: means over layers of 1 hPa, one sided at the surface."""
    found = []
    for p in pressures:
        edges = np.array([min(p + 50.0, surface_pressure), p - 50.0])
        reflectance, box = single(solar_zenith, 0.0, albedo, surface_pressure, edges)
        found.append(box[0])
    return reflectance, np.array(found)


def black_atmosphere(mu_sun):
    scattering = RAYLEIGH_OPTICAL_DEPTH * np.full((1, 40), 1 / 40)
    return solve(scattering, np.zeros((1, 40)), np.array(mu_sun), np.array([1.0, 0.5]))


def test_energy_is_conserved():
    """Without absorption, reflected and transmitted light add up to the incoming light."""
    found = black_atmosphere([1.0, 0.9, 0.5, 0.2])
    # 12 streams and flat sources within layers lose 1e-6; the solver with 400 orders has 4e-6
    np.testing.assert_allclose(found.plane_albedo + found.transmittance, 1.0, atol=1e-5)


def test_white_surface_reflects_everything():
    """A = 1 gives plane albedo 1: (1 - T0) + T0 (1 - S) / (1 - S), with T diffuse = 1 - S."""
    found = black_atmosphere([0.9, 0.5])
    nodes, weights = np.polynomial.legendre.leggauss(12)
    nodes = 0.5 * (nodes + 1)
    up = black_atmosphere(nodes).transmittance[0]
    diffuse = (weights * nodes * up).sum()  # 2 * integral of mu T over (0, 1)
    albedo = with_surface(
        found.plane_albedo[0], found.transmittance[0] * diffuse, found.spherical_albedo[0], 1.0
    )
    np.testing.assert_allclose(albedo, 1.0, atol=2e-5)


def test_reference_reflectances():
    """R(mu0 = mu = 1, A = 0) = 0.0901; plane albedo 0.1217 (mu0 0.9), 0.1995 (mu0 0.5)."""
    found = black_atmosphere([1.0, 0.9, 0.5])
    assert found.reflectance[0, 0, 0] == pytest.approx(0.0901, abs=5e-5)
    # the reference solution had coarser layers: a last digit
    assert found.plane_albedo[0, 1:] == pytest.approx([0.1217, 0.1995], abs=1e-4)


def test_reciprocity():
    """Exchanging sun and view leaves the reflectance: R(mu0, mu) = R(mu, mu0)."""
    mu = np.array([0.9, 0.6, 0.3])
    scattering = RAYLEIGH_OPTICAL_DEPTH * np.full((1, 60), 1 / 60)
    found = solve(scattering, np.zeros((1, 60)), mu, mu).reflectance[0]
    # flat sources in 60 layers: second order in the layer depth
    np.testing.assert_allclose(found, found.T, rtol=1e-4)


def test_closed_form_surface_is_the_full_solution():
    """Sensitivity of ln R by the closed form equals a finite difference of the whole solution."""
    edges = STANDARD_PRESSURE * np.linspace(0, 1, 21)
    mu = np.array([0.7])
    _, box = reflectance_and_box_amf(sensitivity(edges, mu, mu), 0.1)
    scattering = (RAYLEIGH_OPTICAL_DEPTH * np.diff(edges) / STANDARD_PRESSURE)[None]
    logs = []
    for step in (1e-4, -1e-4):
        absorption = np.zeros((1, 20))
        absorption[0, 12] = step
        s = solve(scattering, absorption, mu, mu)
        product = (s.transmittance[..., None] * s.transmittance[..., None, :])[0]
        logs.append(np.log(with_surface(s.reflectance[0], product, s.spherical_albedo[0], 0.1)))
    # central differences: 1e-8 of each other
    assert box[0, 0, 12] == pytest.approx((logs[1] - logs[0])[0, 0] / 2e-4, rel=1e-6)


@pytest.mark.parametrize("row", rows(CLEAR), ids=lambda r: f"sza{r[0]:.0f}-albedo{r[1]}")
def test_clear_rows(row):
    """The packaged table gives the printed box air mass factors and reflectances."""
    sza, albedo, reflectance, *expected = row
    found, box = point_values(sza, albedo, STANDARD_PRESSURE, PRESSURES)
    # printed digits, and 0.3 percent of interpolation in the table
    assert found == pytest.approx(reflectance, abs=1e-3)
    np.testing.assert_allclose(box, expected, rtol=4e-3, atol=0.008)


@pytest.mark.parametrize("row", rows(CLOUD), ids=lambda r: f"pc{r[0]:.0f}-sza{r[1]:.0f}")
def test_cloud_rows(row):
    """A Lambertian cloud of albedo 0.8 at p_c gives the printed kappa = m / M_geo."""
    p_c, sza, reflectance, *expected = row
    ratios = np.array([1.0, 0.9, 0.75, 0.5, 0.25, 0.1])
    found, box = point_values(sza, 0.8, 100.0 * p_c, 100.0 * p_c * ratios)
    geometric = 1.0 / np.cos(np.deg2rad(sza)) + 1.0
    assert found == pytest.approx(reflectance, abs=1.5e-3)
    np.testing.assert_allclose(box / geometric, expected, atol=0.008)


def test_off_nadir_values():
    """SZA 60, albedo 0.05, VZA 30/50/60: the printed values at 1000, 850 and 100 hPa."""
    expected = {30: (0.81, 1.41, 3.25), 50: (0.70, 1.38, 3.62), 60: (0.63, 1.36, 4.02)}
    for vza, values in expected.items():
        for p, value in zip((1e5, 8.5e4, 1e4), values, strict=True):
            _, box = single(60, vza, 0.05, STANDARD_PRESSURE, np.array([p + 50, p - 50]))
            assert box[0] == pytest.approx(value, abs=0.012)  # printed digits and interpolation


def test_table_meets_the_solver_between_its_nodes():
    """At random geometries, albedos and pressures the layers agree to half a percent."""
    rng = np.random.default_rng(0)
    for _ in range(4):
        sza, vza = rng.uniform(15, 80), rng.uniform(0, 68)
        ps, albedo = rng.uniform(4e4, 1.05e5), rng.choice([0.03, 0.1, 0.8])
        cosines = (np.cos(np.deg2rad([angle])) for angle in (sza, vza))
        solved = sensitivity(ps * RELATIVE, *cosines)
        reflectance, layers = reflectance_and_box_amf(solved, albedo)
        expected = layers[0, 0].reshape(20, 3).mean(axis=1)[::-1]
        found, box = single(sza, vza, albedo, ps, ps * RELATIVE[::-3])
        assert found == pytest.approx(reflectance[0, 0], rel=1e-3)
        # worst near a dark ground at low sun, where m changes fastest
        np.testing.assert_allclose(box, expected, rtol=6e-3)


def test_packaged_table_is_what_the_code_makes(tmp_path):
    """The shipped file is what `build_table` and `write_table` make, here at one pressure."""
    shipped = load_table()
    i = int(np.flatnonzero(shipped.surface_pressure == 1e5)[0])
    write_table(tmp_path / TABLE_NAME, build_table(np.array([1e5])))
    made = read_table(tmp_path / TABLE_NAME)
    np.testing.assert_array_equal(made.level, shipped.level)
    # float32, on machines whose sums differ in the last digits
    for name, axis in (("reflectance_amf", 2), ("transmittance_amf", 1), ("spherical_albedo", 0)):
        expected = np.take(getattr(shipped, name), [i], axis=axis)
        np.testing.assert_allclose(getattr(made, name), expected, rtol=1e-6)


def test_layers_below_a_cloud_see_nothing():
    """Below the reflector zero; the layer it cuts counts with the share of its part above."""
    edges = np.array([1.0e5, 8e4, 6e4, 4e4, 0.0])
    _, box = single(45, 0, 0.8, 7e4, edges)
    assert box[0] == 0.0
    _, upper = single(45, 0, 0.8, 7e4, np.array([7e4, 6e4]))
    assert box[1] == pytest.approx(0.5 * upper[0], rel=1e-12)


def test_layers_add_up():
    """The mean over two layers is the thickness-weighted mean of their means."""
    _, fine = single(50, 20, 0.05, 1e5, np.array([1e5, 9e4, 5e4, 2e4]))
    _, coarse = single(50, 20, 0.05, 1e5, np.array([1e5, 5e4, 2e4]))
    assert coarse[0] == pytest.approx((fine[0] + 4 * fine[1]) / 5, rel=1e-12)


def test_top_of_the_atmosphere_is_geometric():
    """At zero pressure the box air mass factor is 1/cos SZA + 1/cos VZA."""
    _, box = single(60, 50, 0.05, 1e5, np.array([10.0, 0.0]))
    expected = 1 / np.cos(np.deg2rad(60)) + 1 / np.cos(np.deg2rad(50))
    assert box[0] == pytest.approx(expected, rel=2e-3)  # linear continuation of the top layer


def test_out_of_range_is_refused():
    """Nothing is extrapolated: the message names the input, the limits and the count."""
    with pytest.raises(ValueError, match=r"solar_zenith.*between 0 and 88.*89.*1 of 1 pixels"):
        single(89, 0, 0.05, 1e5, np.array([1e5, 0.0]))
    with pytest.raises(ValueError, match="albedo"):
        single(50, 0, np.nan, 1e5, np.array([1e5, 0.0]))


def test_layer_means_of_a_line_are_exact():
    """Means of a linear profile are its values at the middle of the layers."""
    level = np.concatenate([[0.0], 0.5 * (LAYER_EDGES[1:] + LAYER_EDGES[:-1]), [1.0]])
    edges = np.array([[0.98, 0.83, 0.5, 0.07]])
    found = layer_means(2.0 + 3.0 * level[None], level, edges)
    np.testing.assert_allclose(found, 2.0 + 1.5 * (edges[:, 1:] + edges[:, :-1]), rtol=1e-13)
