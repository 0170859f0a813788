"""The example that draws simulated distributions runs, with and without a real scene."""

from __future__ import annotations

import pytest

from cli.evidence import distributions
from retrieval.simulate.scene import synthetic_scene
from retrieval.simulate.simulate_orbit import SimulationOptions, simulate_orbit
from tests.builders.simulation_builder import small_model, small_swath, small_truth


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    swath = small_swath(8)
    scene = synthetic_scene(swath, real_land=False)
    simulated = simulate_orbit(small_truth(), small_model(), scene, swath, SimulationOptions())
    return simulated.write(tmp_path_factory.mktemp("orbits"))[0]


def test_figure_is_drawn(tmp_path, orbit):
    """One simulated orbit is enough for all panels."""
    figure = distributions.main([orbit], None, tmp_path / "figure.png")
    assert figure.stat().st_size > 50_000


def test_figure_takes_a_real_scene(tmp_path, orbit, real_file):
    """The real scene, which lacks some variables, is drawn beside it."""
    figure = distributions.main([orbit], real_file("S5P_RPRO*reduced.nc"), tmp_path / "figure.png")
    assert figure.stat().st_size > 50_000
