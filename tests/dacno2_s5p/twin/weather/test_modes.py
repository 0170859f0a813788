"""Random fields have unit variance and are the same however they are asked for."""

from __future__ import annotations

import numpy as np

from dacno2_s5p.twin.land.world import NARROW, Points
from dacno2_s5p.twin.weather.modes import FieldSpec, TravellingFields, smooth_noise

SPEC = FieldSpec(300e3, 4000e3, 1.0, (10.0, 0.0), 24.0)


def test_noise_at_a_time_does_not_depend_on_the_others():
    """One time alone gives exactly what it gives within a long series."""
    hours = np.arange(0.0, 2000.0, 7.3)
    series = smooth_noise(hours, 20.0, 5, 1, 2)
    alone = smooth_noise(hours[[100]], 20.0, 5, 1, 2)
    # the sum of four products; the order of the sum is the same
    np.testing.assert_array_equal(series[[100]], alone)


def test_noise_has_unit_variance_and_is_smooth():
    """Variance one at all phases between nodes, and hardly any change within a tenth of a node."""
    hours = np.arange(0.0, 40_000.0, 5.0)
    noise = smooth_noise(hours, 20.0, 8, 3)
    # 2000 nodes x 8 series: the variance is known to about 2 %
    for phase in range(4):
        assert abs(noise[phase::4].var() - 1.0) < 0.06
    step = np.diff(smooth_noise(np.arange(0.0, 4000.0, 2.0), 20.0, 8, 3), axis=0)
    assert step.std() < 0.2


def test_fields_have_unit_variance_and_exact_gradients():
    """Variance one over many days; gradients and Laplacian equal finite differences."""
    fields = TravellingFields([SPEC], seed=5, stream=9, n_wave=120)
    points = Points.of_grid(NARROW.grid(16000.0))
    days = np.datetime64("2019-01-01T00", "s") + np.arange(40) * np.timedelta64(9 * 86400, "s")
    amplitude = fields.amplitudes(0, days)
    field, gx, gy, laplacian = fields.evaluate(
        [amplitude, *fields.gradient(amplitude), fields.laplacian(amplitude)], points
    )
    # 40 independent fields with a few degrees of freedom each
    assert abs(field.var() - 1.0) < 0.25
    y_step, x_step = np.gradient(field, 16e3, axis=(1, 2))
    inner = (slice(None), slice(2, -2), slice(2, -2))
    # central differences of waves of 300 km on 16 km err by (k dx)^2 / 6 = 2 % at most
    np.testing.assert_allclose(x_step[inner], gx[inner], atol=0.03 * gx.std())
    np.testing.assert_allclose(y_step[inner], gy[inner], atol=0.03 * gy.std())
    second = np.gradient(gx, 16e3, axis=2) + np.gradient(gy, 16e3, axis=1)
    np.testing.assert_allclose(second[inner], laplacian[inner], atol=0.05 * laplacian.std())


def test_fields_travel_with_their_drift():
    """An hour later the field is, to a good part, the old one moved 36 km to the east."""
    slow = FieldSpec(300e3, 4000e3, 1.0, (16e3 / 3600.0 * 2, 0.0), 500.0)
    fields = TravellingFields([slow], seed=6, stream=9, n_wave=120)
    points = Points.of_grid(NARROW.grid(16000.0))
    times = np.array(["2019-05-05T00", "2019-05-05T01"], "datetime64[s]")
    one, two = fields.evaluate([fields.amplitudes(0, times)], points)[0]
    moved = np.abs(two[:, 2:] - one[:, :-2]).mean()
    still = np.abs(two - one).mean()
    assert moved < 0.2 * still
