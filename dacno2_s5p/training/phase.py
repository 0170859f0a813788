"""The three training phases as one loop over a recipe (section 2.4).

A run is a folder: `state.safetensors` to resume from, `best.safetensors` (the checkpoint of least
validation loss), `curves.csv`. A resumed run goes on bit for bit, or is refused: samples, dropout
and learning rate follow from seed and step, everything else is in the state.
"""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dacno2_s5p.errors import ConfigurationError, TrainingError
from dacno2_s5p.inputs.normalisation import Normaliser
from dacno2_s5p.inputs.samples import read_targets, station_weight
from dacno2_s5p.network.checkpoint import CheckpointInfo, package_versions, save_checkpoint
from dacno2_s5p.network.dacno2 import Dacno2
from dacno2_s5p.store.read_ahead import expect
from dacno2_s5p.training.batch_statistics import SharedStatistics
from dacno2_s5p.training.curves import append_row, forget_after
from dacno2_s5p.training.held_days import HeldDays
from dacno2_s5p.training.losses import TERMS, LossTerms, Totals, loss_terms
from dacno2_s5p.training.optimisation import (
    RunningMean,
    descent_begins,
    first_not_finite,
    free_only_fine,
    learning_rate,
    make_optimiser,
    training_mode,
)
from dacno2_s5p.training.precision import measured_precision
from dacno2_s5p.training.processes import Processes
from dacno2_s5p.training.reference import Reference
from dacno2_s5p.training.report import PhaseResult, Progress
from dacno2_s5p.training.sampling import kept_back, make_sampler, trained_on
from dacno2_s5p.training.state import RunState, identity, read_state, write_state
from retrieval.files.locks import alone_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from dacno2_s5p.inputs.samples import Crop, DaySource, Stations, Targets
    from dacno2_s5p.training.recipe import PhaseRecipe, Recipe

__all__ = ["PhaseResult", "PhaseTrainer", "Progress", "new_network", "train_phase"]

logger = logging.getLogger(__name__)

ALONE = Processes()
"""One process."""

SAVE_EVERY = 600.0
"""The state is saved at least this often [s]."""

ONE_RUN = "One run at a time trains in it"


class PhaseTrainer:
    """One phase of a run: network, optimiser, running mean, samples.

    Parameters
    ----------
    network : Dacno2
        Start of the phase; trained in place.
    source : DaySource
        Days to train on.
    info : CheckpointInfo
        What the checkpoints will say; phase, step, metrics, recipe are filled in.
    recipe : Recipe
        The run's recipe.
    phase : int
        Phase to train.
    folder : Path
        Folder of the phase; created.
    processes : Processes
        The processes of the run; alone by default.

    Raises
    ------
    ConfigurationError
        If recipe, network, inputs and days do not fit together.
    """

    def __init__(
        self,
        network: Dacno2,
        source: DaySource,
        info: CheckpointInfo,
        recipe: Recipe,
        phase: int,
        folder: Path,
        processes: Processes = ALONE,
    ) -> None:
        if network.config != info.network:
            msg = (
                "Invalid network. It must be the one of the checkpoint's description. Given "
                "another configuration. Build both from one recipe."
            )
            raise ConfigurationError(msg)
        self.network = network
        self.source = source
        self.sampling = recipe.sampling
        # another order of samples for each phase and each member
        stream = phase + 10 * recipe.member
        self.sampler = make_sampler(source, self.sampling, recipe.seed, stream)
        self.recipe: PhaseRecipe = recipe.phase(phase).in_steps(self.sampler.n_train)
        self.seed = recipe.seed
        self.trained = partial(trained_on, recipe=self.sampling, seed=recipe.seed)
        self.kept = partial(kept_back, recipe=self.sampling, seed=recipe.seed)
        self.folder = folder
        self.processes = processes
        self.info = replace(
            info,
            grid=source.grid,
            phase=phase,
            recipe=recipe.to_dict(),
            versions=package_versions(),
        )
        if self.recipe.only_fine:
            free_only_fine(network)
        self.days = HeldDays(source, Normaliser(info.inputs, info.statistics))
        self.reference: Reference | None = None
        self._start = _copy(network) if self.recipe.weights.regularisation > 0.0 else None
        self.optimiser = make_optimiser(network, self.recipe)
        self.mean = RunningMean(network, self.recipe.mean_decay)
        self.mean_network = _copy(network).eval()
        self.state = RunState(
            identity(self.info, self.recipe, self.network), steps=self.recipe.steps
        )
        self.bfloat16 = self.recipe.precision == "bfloat16"

    def run(
        self,
        *,
        resume: bool = False,
        stop_after: int | None = None,
        minutes: float | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> PhaseResult:
        """Train to the end of the phase.

        Parameters
        ----------
        resume : bool
            Go on from the folder's state where there is one.
        stop_after : int, optional
            Stop after so many steps of this call, with the state written.
        minutes : float, optional
            Stop after the step that passes so many minutes of this call, with the state written.
        progress : callable, optional
            Told after every step.

        Returns
        -------
        PhaseResult

        Raises
        ------
        TrainingError
            If the folder holds a run and `resume` is not given, or holds another run; if the
            loss is not finite.
        DataError
            If inputs are not finite; names the variable.
        OutputError
            If another run is at work in the folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with alone_in(self.folder, rule=ONE_RUN) if self.processes.writes else nullcontext():
            return self._run(resume, stop_after, minutes, progress)

    def _run(
        self,
        resume: bool,
        stop_after: int | None,
        minutes: float | None,
        progress: Callable[[Progress], None] | None,
    ) -> PhaseResult:
        self._open(resume=resume)
        self._prepare()
        started, first = time.monotonic(), self.state.step
        saved = started
        last = self.recipe.steps
        if stop_after is not None:
            last = min(last, first + stop_after)
        while self.state.step < last:
            if self.state.step == descent_begins(self.recipe) and self.recipe.end_share:
                self._save("before_end.safetensors")
            loss = self._step()
            done, now = self.state.step, time.monotonic()
            if done % self.recipe.validate_every == 0 or done == self.recipe.steps:
                self._validate()
                self._save()
                saved = now
            elif now - saved > SAVE_EVERY:
                self._save()
                saved = now
            if progress is not None:
                pace = (time.monotonic() - started) / (done - first)
                left = pace * (self.recipe.steps - done)
                latest = self.state.validation_loss
                progress(Progress(self.info.phase, done, self.recipe.steps, loss, latest, left))
            # all processes stop at one step
            if minutes is not None and self.processes.any(now - started > 60.0 * minutes):
                break
        self._save()
        self.processes.wait()
        return PhaseResult(
            self.folder / "best.safetensors",
            self.state.best_loss,
            self.state.best_step,
            self.state.step,
            self.state.step == self.recipe.steps,
        )

    def _prepare(self) -> None:
        """Settle the precision, and make the reference of phase 3."""
        if not self.state.precision:
            wanted = self.recipe.precision
            measured = measured_precision() if wanted == "auto" else wanted
            is_bfloat16 = self.processes.any(measured == "bfloat16")
            self.state.precision = "bfloat16" if is_bfloat16 else "float32"
        self.bfloat16 = self.state.precision == "bfloat16"
        if self._start is not None:
            size = self.sampling.crop or self.source.grid.patch_size
            grid = self.source.grid
            grid = grid if size == grid.patch_size else grid.with_patches(size)
            self.reference = Reference(self._start, grid, self.days.batch, bfloat16=self.bfloat16)

    def _open(self, *, resume: bool) -> None:
        """Begin in an empty folder, or take up the run in it."""
        path = self.folder / "state.safetensors"
        there = path.exists()
        self.processes.wait()  # all have looked before one writes
        if not there:
            if self.processes.writes:
                (self.folder / "curves.csv").unlink(missing_ok=True)
            return
        if not resume:
            msg = (
                f"Invalid run folder {self.folder}. It must be empty. Given one that holds a run. "
                "Give --resume to go on with it, or another folder."
            )
            raise TrainingError(msg)
        self.state = self._read(path)
        old = replace(self.recipe, steps=self.state.steps)
        if self.state.steps != self.recipe.steps and self.state.step > descent_begins(old):
            # prolonged: the descent is taken back, and comes at the new end
            self.state = self._read(self.folder / "before_end.safetensors")
        self.state.steps = self.recipe.steps
        if self.processes.writes:
            forget_after(self.folder / "curves.csv", self.state.step)
        logger.info("resumed phase %d at step %d", self.info.phase, self.state.step)

    def _read(self, path: Path) -> RunState:
        return read_state(path, self.state.identity, self.network, self.mean.state, self.optimiser)

    def _save(self, name: str = "state.safetensors") -> None:
        if not self.processes.writes:
            return
        path = self.folder / name
        write_state(path, self.state, self.network, self.mean.state, self.optimiser)

    def _step(self) -> float:
        """Take one optimiser step over a batch, micro-batch by micro-batch."""
        recipe, step = self.recipe, self.state.step
        crops = self.sampler.draw(step, recipe.batch)
        totals = Totals(len(crops), station_weight(self.source, crops, self.trained))
        self._expect(step + 1)
        rate = learning_rate(step, recipe)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        frozen = recipe.norm_is_frozen(step)
        training_mode(self.network, freeze_norm=frozen)
        self.optimiser.zero_grad(set_to_none=True)
        sums = dict.fromkeys(TERMS, 0.0)
        parts = _parts(crops, recipe.micro_batch)
        shared = None
        if self.processes.count > 1 and not frozen:
            shared = SharedStatistics(self.network, self.processes, len(parts))
        for i, micro in self.processes.share(parts):
            # dropout follows from seed, phase, step and part, not from what ran before
            with shared.part(i) if shared else nullcontext(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(_seed(self.seed, self.info.phase, step, i))
                terms = self._terms(self.network, micro, totals, self.trained)
            terms.weighted(recipe.weights).backward()  # type: ignore[no-untyped-call]
            for name, value in terms.values().items():
                sums[name] += value
        sums = self.processes.add_numbers(sums)
        loss = self._check(sums)
        self.processes.add_gradients(self.network)
        self._clip()
        self.optimiser.step()
        if shared:
            shared.apply()
        self.mean.update(self.network, step)
        self.state.step += 1
        self.state.add(sums, loss)
        return loss

    def _expect(self, step: int) -> None:
        """Have targets and samples of a step read from the disk while another is computed."""
        if step < self.recipe.steps:
            crops = self.sampler.draw(step, self.recipe.batch)
            for _, micro in self.processes.share(_parts(crops, self.recipe.micro_batch)):
                expect(self.source, micro)

    def _clip(self) -> None:
        parameters = self.network.parameters()
        try:
            torch.nn.utils.clip_grad_norm_(
                parameters, self.recipe.clip_norm, error_if_nonfinite=True
            )
        except RuntimeError:
            # clipping by a norm that is no number would have spoilt all gradients
            self._refuse(f"the gradient of {first_not_finite(self.network, of_gradients=True)}")

    def _terms(
        self,
        network: Dacno2,
        crops: Sequence[Crop],
        totals: Totals,
        choose: Callable[[Stations], Stations],
    ) -> LossTerms:
        """Predict samples and return their share of the loss."""
        inputs = self.days.batch(crops)
        targets: Targets = read_targets(self.source, crops, choose)
        if self.reference is not None:
            targets = replace(targets, reference=self.reference.fields(crops))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bfloat16):
            prediction, logarithm = network.factored(inputs)
        return loss_terms(
            prediction, targets, self.info.scaling, self.recipe.weights, totals, logarithm
        )

    def _check(self, sums: dict[str, float]) -> float:
        """Return the loss of the batch; stop where it is not finite."""
        weights = self.recipe.weights
        loss = float(sum(getattr(weights, name) * value for name, value in sums.items()))
        if not abs(loss) < float("inf"):
            wrong = [name for name, value in sums.items() if not abs(value) < float("inf")]
            of_weights = first_not_finite(self.network) or first_not_finite(self.mean_network)
            named = f" (the weights {of_weights}, too)" * bool(of_weights)
            self._refuse(", ".join(wrong) + named)
        return loss

    def _refuse(self, what: str) -> None:
        msg = (
            f"Invalid loss. It must be finite. Given {what} not finite at step {self.state.step} "
            f"of phase {self.info.phase}. Check the targets of these days, or lower the learning "
            "rate in another folder."
        )
        raise TrainingError(msg)

    @torch.no_grad()
    def score(
        self, crops: Sequence[Crop], weights: Mapping[str, Tensor] | None = None
    ) -> dict[str, float]:
        """Return loss terms of the running mean, or of other weights, on samples, unweighted."""
        self.mean_network.load_state_dict(self.mean.state if weights is None else weights)
        totals = Totals(len(crops), station_weight(self.source, crops, self.kept))
        sums = dict.fromkeys(TERMS, 0.0)
        own = [part for _, part in self.processes.share(_parts(crops, self.recipe.micro_batch))]
        for i, part in enumerate(own):
            expect(self.source, own[i + 1] if i + 1 < len(own) else ())
            for name, value in (
                self._terms(self.mean_network, part, totals, self.kept).values().items()
            ):
                sums[name] += value
        return self.processes.add_numbers(sums)

    def _validate(self) -> None:
        """Score the running mean on the validation part; keep it if it is the best so far."""
        sums = self.score(self.sampler.validation)
        loss = self._check(sums)
        state, phase = self.state, self.info.phase
        row: dict[str, Any] = {"phase": phase, "step": state.step}
        row["learning_rate"] = learning_rate(state.step - 1, self.recipe)
        row.update({f"train_{name}": value for name, value in state.means().items()})
        scores = {"validation_loss": loss, **{f"validation_{k}": v for k, v in sums.items()}}
        if self.processes.writes:
            append_row(self.folder / "curves.csv", {**row, **scores})
        state.start_anew()
        state.validation_loss = loss
        if loss < state.best_loss:
            state.best_loss, state.best_step = loss, state.step
            if not self.processes.writes:
                return
            info = replace(self.info, step=state.step, metrics=scores)
            save_checkpoint(self.folder / "best.safetensors", self.mean.state, info)


def train_phase(
    network: Dacno2,
    source: DaySource,
    info: CheckpointInfo,
    recipe: Recipe,
    phase: int,
    folder: Path,
    processes: Processes = ALONE,
    **options: Any,
) -> PhaseResult:
    """Train one phase; parameters as `PhaseTrainer`, options as `PhaseTrainer.run`."""
    trainer = PhaseTrainer(network, source, info, recipe, phase, folder, processes)
    return trainer.run(**options)


def new_network(recipe: Recipe) -> Dacno2:
    """Return a network with random weights that follow from the recipe's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed + 100_003 * recipe.member)
        return Dacno2(recipe.network)


def _seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _copy(network: Dacno2) -> Dacno2:
    twin = Dacno2(network.config)
    twin.load_state_dict(network.state_dict())
    return twin


def _parts(crops: Sequence[Crop], size: int) -> list[Sequence[Crop]]:
    return [crops[first : first + size] for first in range(0, len(crops), size)]
