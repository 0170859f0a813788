"""Transport moves what it carries, keeps its mass, and smears sources along the way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from dacno2_s5p.twin.air.chemistry import NOX_OF_MOST_OH, TYPICAL_OH, UNCONCERNED, oh_factor
from dacno2_s5p.twin.air.transport import STEP, HourOfFlow, Plane, advance_hour, refine

SHAPE = (60, 80)


def flow(u=8.0, v=-3.0, keep=1.0, source=0.0, lifted=0.0, entrained=0.0):
    def full(value):
        return torch.full(SHAPE, float(value))

    return HourOfFlow(
        full(u), full(v), full(u), full(v), full(keep), full(keep), full(lifted), full(entrained),
        full(source) if np.isscalar(source) else torch.as_tensor(source, dtype=torch.float32),
        0.0,
    )  # fmt: skip


def blob():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return torch.as_tensor(np.exp(-((y - 35) ** 2 + (x - 25) ** 2) / 18.0), dtype=torch.float32)


def centre(field):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = field.numpy()
    return (field * y).sum() / field.sum(), (field * x).sum() / field.sum()


def test_a_blob_moves_with_the_wind_and_keeps_its_mass():
    """Two hours at 8 and -3 m/s: 14.4 cells of 4 km to the east, 5.4 to the south."""
    plane = Plane(SHAPE, 4000.0)
    lower, upper = blob(), torch.zeros(SHAPE)
    start = centre(lower)
    mass = float(lower.sum())
    for _ in range(2):
        lower, upper = advance_hour(plane, lower, upper, flow())
    y, x = centre(lower)
    # bilinear interpolation moves the centre of mass exactly; float32
    assert abs(x - start[1] - 14.4) < 0.02 and abs(y - start[0] + 5.4) < 0.02
    assert abs(float(lower.sum()) / mass - 1.0) < 1e-3
    assert float(upper.abs().max()) == 0.0


def test_exchange_between_layers_keeps_the_sum():
    """What is lifted and entrained changes the layer, not the total."""
    plane = Plane(SHAPE, 4000.0)
    lower, upper = blob(), 0.5 * blob()
    mass = float((lower + upper).sum())
    lower, upper = advance_hour(plane, lower, upper, flow(lifted=0.4, entrained=0.1))
    assert abs(float((lower + upper).sum()) / mass - 1.0) < 1e-3
    assert float(upper.sum()) > 0.6 * mass / 1.5


def test_budget_of_source_loss_and_outflow_closes():
    """In a closed interior, mass = sources - losses: one hour of a source patch."""
    plane = Plane(SHAPE, 4000.0)
    source = np.zeros(SHAPE)
    source[30, 20] = 1e-9
    keep = float(np.exp(-STEP / (4 * 3600.0)))
    zero = torch.zeros(SHAPE)
    lower, _ = advance_hour(plane, zero, zero, flow(source=source, keep=keep))
    emitted = 1e-9 * 3600.0
    lifetime = 4 * 3600.0
    expected = 1e-9 * lifetime * (1.0 - np.exp(-3600.0 / lifetime))
    # the loss of fresh emission within a step is taken at its middle
    np.testing.assert_allclose(float(lower.sum()), expected, rtol=5e-3)
    assert expected < emitted


def test_a_point_source_leaves_a_line_not_dots():
    """Half an hour at 8 m/s crosses 7 cells of 2 km: all hold about the same."""
    plane = Plane(SHAPE, 2000.0)
    source = torch.zeros(SHAPE)
    source[30, 20] = 1.0
    drift = plane.displacement(torch.full(SHAPE, 8.0), torch.zeros(SHAPE))
    line = plane.along(source, drift)[30, 21:27].numpy()
    # each cell of 2 km is crossed in 250 s
    np.testing.assert_allclose(line, 250.0, rtol=0.15)


def test_dispersion_has_the_stated_spread():
    """A point spreads to a sigma of 2 km in an hour on 2 km cells, and keeps its sum."""
    plane = Plane(SHAPE, 2000.0)
    point = torch.zeros(SHAPE)
    point[30, 40] = 1.0
    spread = plane.disperse(point).numpy()
    x = np.arange(SHAPE[1]) - 40
    variance = (spread * x[None, :] ** 2).sum() * 2000.0**2
    np.testing.assert_allclose(variance, 2000.0**2, rtol=1e-5)
    np.testing.assert_allclose(spread.sum(), 1.0, rtol=1e-6)


def test_refine_keeps_a_plane():
    """Bilinear refinement of a linear field is the linear field, away from the edges."""
    y, x = np.mgrid[:6, :7].astype(np.float64)
    fine = refine(2 * x + 3 * y, 4).numpy()
    yf, xf = (np.mgrid[:24, :28] + 0.5) / 4 - 0.5
    inner = (slice(4, -4), slice(4, -4))
    np.testing.assert_allclose(fine[inner], (2 * xf + 3 * yf)[inner], rtol=1e-5)


def test_the_curve_of_oh_is_the_root_of_its_balance():
    """Radicals made are radicals lost, with NO2 and with themselves; most OH is at n = 1."""
    n = torch.tensor([0.01, 0.3, 1.0, 3.0, 30.0], dtype=torch.float64)
    curve = oh_factor(n * NOX_OF_MOST_OH) * TYPICAL_OH
    oh = (curve - UNCONCERNED) / (1.0 - UNCONCERNED)
    # the balance scaled so that the root at n = 1 is 1: 2 n OH + (OH / n)^2 = 3
    torch.testing.assert_close(2.0 * n * oh + (oh / n) ** 2, torch.full_like(n, 3.0))
    fine = torch.logspace(-1, 1, 2001, dtype=torch.float64)
    assert abs(float(fine[oh_factor(fine * NOX_OF_MOST_OH).argmax()]) - 1.0) < 0.003  # the step


def test_the_loss_follows_nox_where_it_is_asked_to():
    """Without: the rate given. With: that times the curve at the column's concentration."""
    column = torch.full(SHAPE, 5e-5)
    rate, depth = 1.0 / (3.0 * 3600.0), 500.0
    plain = flow(keep=float(np.exp(-STEP * rate)))
    assert plain.keep(column) is plain.lower_keep
    fed = replace(plain, sunlit=torch.full(SHAPE, rate), depth=torch.full(SHAPE, depth))
    expected = torch.exp(-STEP * rate * oh_factor(column / depth))
    torch.testing.assert_close(fed.keep(column), expected)
    thin = fed.keep(torch.full(SHAPE, 1e-7))
    assert float(thin[0, 0]) > float(plain.lower_keep[0, 0])  # clean air keeps NOx longer
