"""Profiles of sets beside measured ones: layers, kernels, hours, scores."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from cli.commands.validate import validate
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.vertical import columns_from_heights
from retrieval.simulate.ground_files import write_max_doas
from retrieval.validation.ground_columns import GroundColumns
from retrieval.validation.profiles import pair_profiles, score_profiles
from tests.builders.files import DAY, HEIGHTS, write_profiles
from tests.builders.set_builders import concentration

PLACE = (48.0, 2.0)
EDGES = np.array([0.0, 200.0, 500.0, 1000.0, 3000.0])
REFERENCE = np.array([4e-5, 3e-5, 2e-5, 1e-5])
APRIORI = np.array([1e-5, 1e-5, 1e-5, 1e-5])


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Return a folder with a day of profiles that are a known function of place and height."""
    folder = tmp_path_factory.mktemp("sets")
    write_profiles(folder / f"no2_{DAY}.nc", day=DAY)
    return {"MODEL": folder}


def series(kernel=None, minutes=(0, 20, 70, 1000)):
    """Return measured profiles from 11:10 on: two in an hour, one in the next, one at night."""
    times = np.datetime64(f"{DAY}T11:10", "ms") + np.array(minutes, dtype="timedelta64[m]")
    n = times.size
    factor = np.linspace(1.0, 2.0, n)[:, None]
    return GroundColumns(
        *("S", "test", "x", *PLACE, 0.0, "tropospheric", times),
        *(factor[:, 0] * REFERENCE.sum(), np.full(n, 1e-6), np.zeros(n, int), np.full(n, np.nan)),
        layer_edges=np.tile(EDGES, (n, 1)),
        partial_column=factor * REFERENCE,
        apriori=np.tile(APRIORI, (n, 1)),
        kernel=np.ones((n, 4)),
        profile_kernel=None if kernel is None else np.tile(kernel, (n, 1, 1)),
    )


def expected():
    """Return the layers of the known profile in the cell of the station."""
    values = concentration(HEIGHTS, *PLACE) / 10.0 * MICROGRAM_M3_TO_MOL_M3
    return columns_from_heights(np.asarray(values, float)[None], HEIGHTS, EDGES[None])[0]


def test_a_set_is_read_in_the_layers_and_hours_of_the_measurement(sets):
    """Two measurements of an hour are one profile; the set serves no night."""
    first, second = pair_profiles([series()], sets)
    assert (str(first.hour)[11:], first.n, str(second.hour)[11:], second.n) == ("11", 2, "12", 1)
    factors = np.linspace(1.0, 2.0, 4)
    np.testing.assert_allclose(first.reference, factors[:2].mean() * REFERENCE)
    assert not first.is_smoothed
    # the cell's centre is within half a cell of the station, the field falls slowly
    np.testing.assert_allclose(first.sets["MODEL"], expected(), rtol=0.05)


def test_kernels_of_all_and_of_nothing(sets):
    """A unit matrix leaves the set, zeros leave the a priori, halves the mean of both."""
    (plain, *_), (whole, *_), (blind, *_), (half, *_) = (
        pair_profiles([series(k)], sets) for k in (None, np.eye(4), 0 * np.eye(4), 0.5 * np.eye(4))
    )
    assert whole.is_smoothed
    np.testing.assert_allclose(whole.sets["MODEL"], plain.sets["MODEL"], rtol=1e-12)
    np.testing.assert_allclose(blind.sets["MODEL"], APRIORI, rtol=1e-12)
    mean = 0.5 * (APRIORI + plain.sets["MODEL"])
    np.testing.assert_allclose(half.sets["MODEL"], mean, rtol=1e-12)


def test_scores_by_layer_hour_and_season(sets):
    """Means over profiles, relative to the mean of the layer."""
    pairs = pair_profiles([series()], sets)
    scores = {(s.scope, s.height_low): s for s in score_profiles(pairs)}
    assert {scope for scope, _ in scores} >= {"all", "hour:11", "hour:12", "station:S"}
    lowest = scores["all", 0.0]
    difference = np.mean([p.sets["MODEL"][0] - p.reference[0] for p in pairs])
    assert lowest.mean_difference == pytest.approx(difference)
    assert lowest.relative_difference == pytest.approx(100 * difference / lowest.mean_reference)
    assert (lowest.height_high, lowest.n) == (200.0, 2)


def test_the_command_reads_kernels_of_files(sets, tmp_path):
    """GEOMS with a kernel of profiles, through the command; orbits beside it are refused."""
    path = tmp_path / "doas.h5"
    write_max_doas(path, series(0.5 * np.eye(4)))
    words = ["--profiles", "-g", str(path), "-a", f"model={sets['MODEL']}", "--json"]
    out = tmp_path / "profiles"
    outcome = CliRunner().invoke(validate, [*words, "-o", str(out)])
    assert outcome.exit_code == 0, outcome.output
    assert json.loads(outcome.stdout)["profiles"] == 2
    rows = list(csv.DictReader((out / "profiles.csv").read_text().splitlines()))
    assert len(rows) == 8
    assert {row["is_smoothed"] for row in rows} == {"1"}
    (plain, *_) = pair_profiles([series()], sets)
    mean = 0.5 * (APRIORI[0] + plain.sets["MODEL"][0])
    assert float(rows[0]["MODEL"]) == pytest.approx(mean, rel=1e-6)  # seven digits
    assert (out / "profile_scores.csv").read_text().startswith("scope,product,height_low")
    outcome = CliRunner().invoke(validate, ["orbit.nc", *words, "-o", str(tmp_path / "n")])
    assert outcome.exit_code == 2
