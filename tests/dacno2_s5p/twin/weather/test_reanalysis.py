"""Winds of the analysis err as far, as long and as smoothly as stated; nothing else does."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from dacno2_s5p.twin.land.site import Site
from dacno2_s5p.twin.land.world import Points
from dacno2_s5p.twin.weather.reanalysis import LOW, VALLEY_GROWTH, WIND_ERROR, Reanalysis
from dacno2_s5p.twin.weather.upper_air import pressure_levels
from dacno2_s5p.twin.weather.weather import Weather
from retrieval.physics.geometry.grids import RectilinearGrid

SPACING = 50e3
GRID = RectilinearGrid(
    np.arange(3.2e6, 4.2e6, SPACING), np.arange(2.2e6, 3.2e6, SPACING), "EPSG:3035"
)
TIMES = np.datetime64("2019-01-03T00:00:00", "s") + np.arange(0, 8000, 40) * np.timedelta64(1, "h")
"""200 times, 40 h apart: nearly independent."""


def flat(shelter=1.0):
    points = Points.of_grid(GRID)
    full = np.ones(points.shape, np.float32)
    return Site(points, full, 0.0 * full, shelter * full, np.zeros(points.shape))


@pytest.fixture(scope="module")
def reanalysis():
    return Reanalysis(Weather.__new__(Weather), 20190, winds_err=True)


@pytest.fixture(scope="module")
def errors(reanalysis):
    return reanalysis._errors(LOW, TIMES, flat())


def test_errors_have_the_stated_size(errors):
    """1.5 m/s a component, without bias."""
    for part in errors[:2]:
        # 200 draws of some 20 independent patches each: 2 per cent; the waves drawn are not
        # quite isotropic
        assert abs(float(part.std()) / WIND_ERROR - 1.0) < 0.1
        assert abs(float(part.mean())) < 0.1


def test_errors_do_not_diverge_but_turn(errors):
    """The divergence is that of finite differences; the vorticity is the one told."""
    x, y, curl = (part.astype(np.float64) for part in errors)
    dx = (x[:, 1:-1, 2:] - x[:, 1:-1, :-2]) / (2 * SPACING)
    dy = (y[:, 2:, 1:-1] - y[:, :-2, 1:-1]) / (2 * SPACING)
    spin = (y[:, 1:-1, 2:] - y[:, 1:-1, :-2] - x[:, 2:, 1:-1] + x[:, :-2, 1:-1]) / (2 * SPACING)
    # waves of 350 km and more on 50 km: central differences are at most 13 per cent off
    assert (dx + dy).std() < 0.06 * spin.std()
    np.testing.assert_allclose(spin, curl[:, 1:-1, 1:-1], atol=0.13 * np.abs(curl).max())


def test_errors_are_smooth_over_200_km_and_12_hours(reanalysis, errors):
    """Correlations fall to about 1/e over the stated length and time."""
    x, y = errors[0], errors[1]
    steps = round(200e3 / SPACING)
    apart = (x[:, :, steps:] * x[:, :, :-steps]).mean() + (x[:, steps:] * x[:, :-steps]).mean()
    apart += (y[:, :, steps:] * y[:, :, :-steps]).mean() + (y[:, steps:] * y[:, :-steps]).mean()
    assert 0.2 < apart / (4.0 * WIND_ERROR**2) < 0.55
    later = reanalysis._errors(LOW, TIMES + np.timedelta64(12, "h"), flat())
    assert 0.2 < float((x * later[0]).mean()) / WIND_ERROR**2 < 0.55


def test_only_winds_err_and_more_in_valleys(twin):
    """Temperature, boundary layer and all else are true; a sheltered place errs more."""
    times, open_site, valley = TIMES[:1], flat(), flat(shelter=0.5)
    seen = Reanalysis(twin.weather, twin.seed, winds_err=True)
    exact = Reanalysis(twin.weather, twin.seed, winds_err=False)
    found, true = seen.surface(times, open_site), twin.weather.evaluate(times, open_site)
    different = [
        f.name
        for f in fields(true)
        if not np.array_equal(getattr(found, f.name), getattr(true, f.name))
    ]
    assert different == ["u10", "v10"]
    error = found.u10 - true.u10
    deep = seen.surface(times, valley).u10 - twin.weather.evaluate(times, valley).u10
    # float32 differences of winds of some 10 m/s
    np.testing.assert_allclose(deep, (1.0 + 0.5 * VALLEY_GROWTH) * error, atol=1e-5)
    air, plain = (r.levels(true, 0, open_site, (1000, 700, 300)) for r in (seen, exact))
    for name in ("w", "t", "q", "z", "d", "cc"):
        np.testing.assert_array_equal(getattr(air, name), getattr(plain, name))
    np.testing.assert_array_equal(plain.u, pressure_levels(true, 0, open_site, (1000, 700, 300)).u)
    # below 4 km the error is mostly that of the ground, above 4 km another
    aloft = air.u - plain.u
    assert np.corrcoef(aloft[0].ravel(), error.ravel())[0, 1] > 0.95
    assert abs(np.corrcoef(aloft[2].ravel(), error.ravel())[0, 1]) < 0.9
    np.testing.assert_array_equal(exact.surface(times, open_site).u10, true.u10)
