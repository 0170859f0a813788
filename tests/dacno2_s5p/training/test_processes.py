"""Two processes train the network one would."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dacno2_s5p.network.checkpoint import read_info
from dacno2_s5p.network.tensor_file import read_tensors
from dacno2_s5p.training.curves import read_rows
from dacno2_s5p.training.phase import new_network, train_phase
from dacno2_s5p.training.processes import Processes
from retrieval.errors import OutputError
from retrieval.files.locks import alone_in
from tests.builders.network_builders import mini_config
from tests.builders.training_builders import make_days, make_info, make_recipe

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from dacno2_s5p.training.processes import Processes
from tests.dacno2_s5p.training.test_processes import train
joined = Processes.join()
for norms in sys.argv[2:]:
    train(Path(sys.argv[1]) / norms, joined, norms)
torch.distributed.destroy_process_group()
"""


NORMS = {
    # two micro-batches a step
    "frozen": {"freeze_norm": True},
    # three, so that one process has more than the other
    "learnt": {"batch": 3, "learning_rate": 1e-4},
    # one, so that the other process is idle
    "idle": {"batch": 1, "learning_rate": 1e-4},
}
"""Phases whose norms are frozen, or learn from micro-batches that are not shared out evenly."""


def train(folder, processes, norms):
    """Train two steps of phase 2 with dropout."""
    config = mini_config(dropout=0.1)
    days = make_days(n_day=4)
    recipe = make_recipe(config, steps=2, validate_every=2, **NORMS[norms])
    train_phase(new_network(recipe), days, make_info(days, config), recipe, 2, folder, processes)


def test_one_process_is_alone(monkeypatch):
    """Without torchrun nothing is joined and nothing summed."""
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = Processes.join()
    assert (alone.rank, alone.count, alone.writes) == (0, 1, True)
    assert alone.share(["a", "b"]) == [(0, "a"), (1, "b")]
    assert alone.add_numbers({"x": 1.0}) == {"x": 1.0}


def test_micro_batches_are_shared_out():
    """Every one goes to one process, with its number in the batch."""
    shares = [Processes(rank, 3).share("abcdefg") for rank in range(3)]
    assert sorted(item for share in shares for item in share) == list(enumerate("abcdefg"))


def test_one_run_at_a_time_trains_in_a_folder(tmp_path):
    """A second one is refused, not mixed with it, and the folder is free afterwards."""
    config, days = mini_config(), make_days(n_day=4)
    recipe = make_recipe(config, steps=1, validate_every=1)
    info, others = make_info(days, config), replace(recipe, seed=2)

    def interfere(_):
        with pytest.raises(OutputError, match="One run at a time trains in it"):
            train_phase(new_network(others), days, info, others, 1, tmp_path, resume=True)

    train_phase(new_network(recipe), days, info, recipe, 1, tmp_path, progress=interfere)
    assert read_info(tmp_path / "best.safetensors").recipe["seed"] == recipe.seed
    with alone_in(tmp_path):
        pass


@pytest.fixture(scope="module")
def by_two(tmp_path_factory):
    """Return a folder with a run of each of `NORMS` by the same two processes."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder), *NORMS],
            env={**os.environ, **common, "RANK": rank, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    for process in running:
        _, errors = process.communicate(timeout=1200)  # for a busy machine: it takes seconds
        assert process.returncode == 0, errors
    return folder


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_available(), reason="this torch has no distributed")
@pytest.mark.parametrize("norms", NORMS)
def test_two_processes_train_the_same_network(by_two, tmp_path, norms):
    """Weights and curves agree with one process to round-off; files are written once."""
    train(tmp_path, Processes(), norms)
    folders = (tmp_path, by_two / norms)
    one, _ = read_tensors(folders[0] / "state.safetensors")
    two, _ = read_tensors(folders[1] / "state.safetensors")
    for name, tensor in one.items():
        if not name.startswith("optimiser"):
            # Adam divides by the gradient's size: float32 round-off of a sum becomes 1e-4
            torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    rows = [read_rows(folder / "curves.csv") for folder in folders]
    assert len(rows[0]) == len(rows[1]) == 1
    assert rows[1][0] == pytest.approx(rows[0][0], rel=1e-4)  # float32 sums
