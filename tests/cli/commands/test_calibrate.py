"""`calibrate` as a user calls it, on a store in memory and profile files on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from dacno2_s5p.calibration.file import read_calibration
from dacno2_s5p.network.checkpoint import save_checkpoint
from dacno2_s5p.training.sampling import SamplingRecipe
from retrieval.apriori.profile_file import NEEDED_ATTRIBUTES, Profiles, write_profile_file
from retrieval.files.provenance import file_checksum
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from tests.builders.network_builders import mini_config, random_network
from tests.builders.training_builders import make_days, make_info, make_recipe
from tests.dacno2_s5p.calibration.test_residuals import ALL_DAYS, FAR, Days

HEIGHTS = (0.0, 50.0, 250.0, 500.0, 1000.0, 2000.0, 3000.0, 5000.0)
HOW = "standard deviation over 2 checkpoints"
NO2, RAW, TRUE = 20.0, 1.0, 4.0
"""Predicted NO2, its raw spread, and the deviation of the stations from it [ug m-3]."""


@dataclass(frozen=True)
class Case:
    """A folder with a checkpoint and raw profiles."""

    folder: object
    checkpoint: object
    profiles: object


def write_raw(folder, days, grid, mark, **changes):
    folder.mkdir()
    shape = (1, len(HEIGHTS), *grid.shape)
    about = {"checkpoint_sha256": mark, "uncertainty": f"raw {HOW}; not calibrated", **changes}
    for day in days:
        noon = np.array([day.astype("datetime64[ms]") + np.timedelta64(12 * 3600_000, "ms")])
        half = np.timedelta64(90 * 60_000, "ms")
        profiles = Profiles(
            no2=np.full(shape, NO2 * MICROGRAM_M3_TO_MOL_M3),
            height=np.array(HEIGHTS),
            grid=grid.cells(),
            time=noon,
            time_bounds=np.stack([noon - half, noon + half], axis=1),
            uncertainty=np.full(shape, RAW * MICROGRAM_M3_TO_MOL_M3),
            attributes={**dict.fromkeys(NEEDED_ATTRIBUTES, "test"), **about},
        )
        write_profile_file(folder / f"{str(day).replace('-', '')}.nc", profiles)


@pytest.fixture
def case(tmp_path, monkeypatch) -> Case:
    rng = np.random.default_rng(0)
    source = make_days(20, n_station=60)
    noisy = [
        s._replace(values=NO2 + TRUE * rng.standard_normal(s.values.size))
        for s in source.station_days
    ]
    store = Days(replace(source, station_days=noisy), tuple(ALL_DAYS))
    monkeypatch.setattr("dacno2_s5p.store.store.Store.open", lambda _: store)
    blocked = SamplingRecipe(split="blocked", block_days=2, validation_share=0.4, crop=48)
    recipe = replace(make_recipe(sampling=blocked), data=FAR)
    info = make_info(source, phase=3, recipe=recipe.to_dict())
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, random_network(mini_config()).state_dict(), info)
    write_raw(tmp_path / "raw", ALL_DAYS[10:], store.grid, file_checksum(path))
    return Case(tmp_path, path, tmp_path / "raw")


def test_factors_are_fitted_tested_and_written(run, case):
    """Stations four times as far off as the raw spread says: covered after, not before."""
    given = ("calibrate", "-c", case.checkpoint, "-w", case.folder, "--predictions", case.profiles)
    listed = run(*given, "--dry-run").out.split()
    assert listed and set(listed) <= {str(day) for day in ALL_DAYS[10:]}
    done = run(*given)
    assert done.status == 0, done.err
    assert done.out.splitlines()[0] == "stations\traw 50 %\traw 90 %\t50 %\t90 %\tcells\tN"
    found = read_calibration(case.folder / "best.calibration.json")
    assert found.checkpoints == (file_checksum(case.checkpoint),)
    assert found.spread == HOW
    assert found.report["days"] == listed
    # quantiles of some 100 residuals: 4 times the raw spread within a third
    assert found.factors["all"] == pytest.approx(TRUE / RAW, rel=0.33)
    test = found.report["test"]["all"]
    error = 4.0 * np.sqrt(0.25 * (1 / test["n"] + 1 / found.report["n_fit"]))
    assert abs(test["calibrated"]["50"] - 0.5) < error
    assert test["raw"]["90"] < 0.5
    again = run(*given)
    assert "--overwrite" in again.error
    assert json.loads(run(*given, "--overwrite", "--json").out)["spread"] == HOW


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"checkpoint_sha256": "0" * 64}, "raw uncertainty of the given checkpoints"),
        ({"uncertainty": f"{HOW}; calibrated"}, "raw uncertainty of the given checkpoints"),
    ],
)
def test_profiles_of_others_and_calibrated_ones_are_refused(run, case, changes, named):
    """What is calibrated is the raw spread of these networks."""
    grid, mark = make_days(1).grid, file_checksum(case.checkpoint)
    write_raw(case.folder / "other", ALL_DAYS[10:12], grid, mark, **changes)
    done = run("calibrate", "-c", case.checkpoint, "--predictions", case.folder / "other")
    assert done.status == 1
    assert named in done.error


def test_days_that_were_trained_on_do_not_count(run, case):
    """Profiles of other days only: which days to predict is said."""
    write_raw(
        case.folder / "other", ALL_DAYS[:3], make_days(1).grid, file_checksum(case.checkpoint)
    )
    done = run("calibrate", "-c", case.checkpoint, "--predictions", case.folder / "other")
    assert done.status == 1
    assert "Some day must have been kept back" in done.error and "--dry-run lists all" in done.error
