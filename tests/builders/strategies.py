"""Hypothesis strategies for geometry and profiles, and the settings all properties run with.

`quick` is derandomised and keeps no database: the suite gives the same answer every time.
"""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st

quick = settings(deadline=None, derandomize=True, database=None, max_examples=60)

SCALES = st.sampled_from([1e-6, 1.0, 1e3])
"""Size of polygons against cells of about 1: far smaller, like, far larger in part."""


@st.composite
def simple_polygons(draw, centre: float = 8.0, radius: float = 5.0):
    """Corners of a simple (star-shaped, often non-convex) polygon, in either orientation."""
    n = draw(st.integers(3, 9))
    gaps = np.array(draw(st.lists(st.floats(0.2, 1.0), min_size=n, max_size=n)))
    # every gap below half a turn, so that the polygon winds once round its centre
    angles = np.cumsum(gaps / gaps.sum() * 2 * np.pi) + draw(st.floats(0.0, 6.0))
    radii = radius * np.array(draw(st.lists(st.floats(0.2, 1.0), min_size=n, max_size=n)))
    x0, y0 = draw(st.floats(-centre, centre)), draw(st.floats(-centre, centre))
    x, y = x0 + radii * np.cos(angles), y0 + radii * np.sin(angles)
    return (x, y) if draw(st.booleans()) else (x[::-1].copy(), y[::-1].copy())


@st.composite
def quadrilaterals(draw, scale: float = 1.0):
    """Convex four-corner pixels as satellites have them, centred within +-3 of the origin."""
    x0, y0 = draw(st.floats(-3.0, 3.0)), draw(st.floats(-3.0, 3.0))
    width, length = draw(st.floats(0.3, 3.0)), draw(st.floats(0.3, 3.0))
    turn = draw(st.floats(-0.6, 0.6))
    jitter = np.array(draw(st.lists(st.floats(-0.1, 0.1), min_size=8, max_size=8))).reshape(2, 4)
    u = np.array([-0.5, 0.5, 0.5, -0.5]) + jitter[0]
    v = np.array([-0.5, -0.5, 0.5, 0.5]) + jitter[1]
    x = x0 + width * u * np.cos(turn) - length * v * np.sin(turn)
    y = y0 + width * u * np.sin(turn) + length * v * np.cos(turn)
    return scale * x, scale * y


@st.composite
def edges(draw, low: float = -7.0, high: float = 7.0):
    """Ascending, non-uniform cell edges between `low` and `high`."""
    n = draw(st.integers(1, 12))
    steps = np.array(draw(st.lists(st.floats(0.05, 1.0), min_size=n, max_size=n)))
    span = draw(st.floats(0.3, 1.0)) * (high - low)
    start = low + draw(st.floats(0.0, 1.0)) * (high - low - span)
    return start + np.concatenate([[0.0], np.cumsum(steps)]) / steps.sum() * span


@st.composite
def profiles(draw, n_level: int, low: float = 0.0, high: float = 10.0):
    """Non-negative profiles with a positive sum, shape (1, n_level)."""
    values = draw(st.lists(st.floats(low, high), min_size=n_level, max_size=n_level))
    return np.array([values]) + draw(st.floats(0.01, 1.0))
