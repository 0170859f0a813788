"""`predict ORBIT`: the days of orbits, each once; an orbit that cannot be read stops no other."""

from __future__ import annotations

import json
import shutil

import pytest
import torch

from dacno2_s5p.network.checkpoint import save_checkpoint
from tests.builders.network_builders import mini_config, random_network
from tests.builders.orbit_builder import build_orbit
from tests.builders.training_builders import make_days, make_info, write_days
from tests.cli.conftest import names

SMALL = {"n_scanline": 30, "n_ground_pixel": 24}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a whole orbit and one of another day that was cut off."""
    folder = tmp_path / "l2"
    folder.mkdir()
    build_orbit(folder, date="2019-07-02", **SMALL)
    cut = build_orbit(folder, date="2019-07-03", orbit_number=8836, **SMALL).path
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    return folder


@pytest.fixture
def predict(run, tmp_path):
    """Return a function that predicts from a store of three days with a tiny network."""
    days = make_days(n_day=3)
    write_days(tmp_path / "store", days, "2019-07-01")
    checkpoint = tmp_path / "tiny.safetensors"
    save_checkpoint(checkpoint, random_network(mini_config()).state_dict(), make_info(days))
    given = ("predict", "--store", tmp_path / "store", "-c", checkpoint, "-o", tmp_path / "out")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield lambda *args: run(*given, *args)
    torch.set_num_threads(threads)


def test_a_damaged_orbit_does_not_stop_the_others(predict, folder, tmp_path):
    """The day of the whole one is predicted; the other is named at the end, with status 1."""
    (whole, cut) = sorted(folder.iterdir())
    done = predict(folder, "-q")
    assert done.status == 1
    assert names(tmp_path / "out") == ["dacno2_20190702.nc"]
    assert done.error.startswith(f"Error: {cut}: Damaged file")
    shown = predict(whole, cut, "-q", "--json", "--dry-run")
    assert shown.status == 1
    summary = json.loads(shown.out)
    assert list(summary["failed"]) == [str(cut)]
    assert summary["skipped"] == ["2019-07-02"]


def test_orbits_of_one_day_are_one_day(predict, folder, tmp_path):
    """Two orbits of a day ask for it once."""
    whole = min(folder.iterdir())
    shutil.copy(whole, folder / "again.nc")
    done = predict(whole, folder / "again.nc", "--dry-run")
    assert done.status == 0
    assert done.out.splitlines()[-1:] == [f"would write {tmp_path / 'out' / 'dacno2_20190702.nc'}"]


def test_without_a_readable_orbit_nothing_is_done(predict, folder, tmp_path):
    """The damage is the one line that is said."""
    done = predict(max(folder.iterdir()))
    assert done.status == 1
    assert done.error.startswith("Error: Damaged file")
    assert not (tmp_path / "out").exists()
