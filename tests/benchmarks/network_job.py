"""Time forms of the network in turn, in one process: `... network_job JOB.json`.

The job says sizes and forms; costs go to standard output as JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from dacno2_s5p.network.dacno2 import NetworkConfig
from dacno2_s5p.network.runtime import tune_allocator
from tests.benchmarks.measure import in_turn, run_function
from tests.benchmarks.slow_forms import FORMS, slow_form
from tests.builders.network_builders import random_inputs, random_network
from tests.builders.plain_network import plain_forward

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from tests.benchmarks.measure import Cost

FAST, PLAIN, BFLOAT16, NEAREST, THREADS = (
    "all speed-ups",
    "plain implementation",
    "bfloat16",
    "nearest upsampling",
    "two threads",
)


class Forms:
    """The forms of one network, each a forward function.

    Parameters
    ----------
    widths : mapping
        Of `NetworkConfig`.
    n_batch, size, n_step : int
        Samples at once, cells along a crop, weather steps.
    """

    def __init__(self, widths: dict[str, Any], n_batch: int, size: int, n_step: int) -> None:
        config = NetworkConfig.from_dict(widths)
        self.network = random_network(config)
        self.inputs = random_inputs(config, n_batch, n_step, size)
        other = NetworkConfig.from_dict({**widths, "upsampling": "nearest"})
        self.nearest = random_network(other)

    def forward(self, name: str) -> Callable[[], Tensor]:
        """Return the forward pass of a form."""

        def run() -> Tensor:
            network = self.nearest if name == NEAREST else self.network
            with self._context(name):
                if name == PLAIN:
                    return plain_forward(network, self.inputs)
                predicted: Tensor = network(self.inputs)
                return predicted

        return run

    def gradient(self, name: str) -> Callable[[], None]:
        """Return a form's forward and backward pass."""
        forward = self.forward(name)

        def run() -> None:
            network = self.nearest if name == NEAREST else self.network
            network.zero_grad(set_to_none=True)
            forward().square().mean().backward()

        return run

    def _context(self, name: str) -> Any:
        if name in FORMS:
            return slow_form(self.network, name)
        if name == BFLOAT16:
            return torch.autocast("cpu", torch.bfloat16)
        return nullcontext()


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Costs of the forms, in turn, and how far each is from the fast one."""
    if job["allocator"]:
        tune_allocator()
    torch.set_num_threads(job["threads"])
    forms = Forms(job["widths"], job["batch"], job["size"], job["steps"])
    names: list[str] = job["forms"]
    differences = {}
    with torch.inference_mode():
        fast = forms.forward(FAST)()
        for name in names:
            if name != NEAREST:
                found = forms.forward(name)()
                differences[name] = float((found.float() - fast).abs().max() / fast.abs().max())
    if job["gradients"]:
        forms.gradient(FAST)()  # the first one pays for more
        jobs = {name: _timed(forms.gradient(name), 1) for name in names}
        costs = in_turn(jobs, job["repeat"])
    else:
        with torch.inference_mode():
            jobs = {name: _timed(forms.forward(name), job["calls"]) for name in names}
            costs = in_turn(jobs, job["repeat"])
    return {
        "costs": {name: [asdict(cost) for cost in turns] for name, turns in costs.items()},
        "differences": differences,
    }


def _timed(function: Callable[[], object], calls: int) -> Callable[[], Cost]:
    def several() -> None:
        for _ in range(calls):
            function()

    return lambda: run_function(several)


def main() -> None:
    """Read a job, print its costs."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    print(json.dumps(run(job)))


if __name__ == "__main__":
    main()
