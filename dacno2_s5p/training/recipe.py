"""The recipe of a run, from the network to phase 3: one TOML file, checked when it is read."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.network.dacno2 import NetworkConfig
from dacno2_s5p.training.losses import PHASE_WEIGHTS, LossWeights
from dacno2_s5p.training.sampling import SamplingRecipe
from retrieval.files.damage import content_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

T = TypeVar("T")

Precision = Literal["float32", "bfloat16", "auto"]
"""What the network is trained in."""

_SECTIONS = ("network", "sampling", "phase", "data")


@dataclass(frozen=True)
class PhaseRecipe:
    """One phase of training.

    Attributes
    ----------
    phase : int
        1, 2 or 3; sets the loss (Eqs. 1-3).
    steps : int
        Optimiser steps; 0 where `epochs` is given.
    epochs : float
        Passes over the training samples instead (the paper's 200, 200, 100).
    batch, micro_batch : int
        Samples of a step, and of them at a time in memory (gradient accumulation).
    optimiser : {"adamw", "muon"}
        AdamW for all weights, or Muon for kernels beside it.
    learning_rate, final_share : float
        Largest rate of AdamW, and the share of it left at the end of the cosine.
    end_share : float
        With more than 0 no cosine: the rate stays, and goes to 0 along a line in this last share
        of the steps. A run can be prolonged: give it more steps and resume it.
    warmup : int
        Steps of linear warm-up.
    weight_decay, clip_norm : float
        AdamW's decay, and the largest norm of the gradient.
    mean_decay : float
        Decay of the running mean of the weights.
    validate_every : int
        Steps between validations; the state to resume from is written then, too.
    freeze_norm : bool or None
        Freeze batch statistics; None: in phase 3.
    freeze_norm_after : int
        Steps in which the statistics are still learnt before they are frozen.
    precision : {"float32", "bfloat16", "auto"}
        Of the network; losses and head stay in float32. `auto` measures at the start which is
        faster here, and stays with it.
    only_fine : bool
        Train the finest stage and the head alone: in phase 3, which sees the surface only.
    loss : LossWeights or None
        Weights of the terms; None: the paper's plain sum for the phase.
    """

    phase: int
    steps: int = 0
    epochs: float = 0.0
    batch: int = 56
    micro_batch: int = 4
    optimiser: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 1e-3
    final_share: float = 0.01
    end_share: float = 0.0
    warmup: int = 100
    weight_decay: float = 1e-2
    clip_norm: float = 1.0
    mean_decay: float = 0.999
    validate_every: int = 100
    freeze_norm: bool | None = None
    freeze_norm_after: int = 0
    precision: Precision = "float32"
    only_fine: bool = False
    loss: LossWeights | None = None

    def __post_init__(self) -> None:
        for name, rule, holds in (
            ("phase", "1, 2 or 3", self.phase in PHASE_WEIGHTS),
            ("steps", "at least 1 where epochs is not given", self._has_length),
            ("batch", "at least 1", self.batch >= 1),
            ("micro_batch", "at least 1", self.micro_batch >= 1),
            ("learning_rate", "positive", self.learning_rate > 0.0),
            ("final_share", "between 0 and 1", 0.0 <= self.final_share <= 1.0),
            ("warmup", "at least 0", self.warmup >= 0),
            ("optimiser", "adamw or muon", self.optimiser in ("adamw", "muon")),
            ("end_share", "at least 0 and below 1", 0.0 <= self.end_share < 1.0),
            ("precision", f"one of {get_args(Precision)}", self.precision in get_args(Precision)),
            ("weight_decay", "at least 0", self.weight_decay >= 0.0),
            ("clip_norm", "positive", self.clip_norm > 0.0),
            ("mean_decay", "at least 0 and below 1", 0.0 <= self.mean_decay < 1.0),
            ("validate_every", "at least 1", self.validate_every >= 1),
            (
                "freeze_norm_after",
                "at least 0, and 0 where nothing is frozen",
                self.freeze_norm_after == 0 or (self.freeze_norm_after > 0 and self.freezes_norm),
            ),
        ):
            if not holds:
                msg = (
                    f"Invalid recipe of phase {self.phase}. {name} must be {rule}. Given "
                    f"{getattr(self, name)!r}. Change the recipe."
                )
                raise ConfigurationError(msg)

    @property
    def _has_length(self) -> bool:
        """Steps or epochs are given, not both."""
        return self.steps >= 0 and self.epochs >= 0 and (self.steps > 0) != (self.epochs > 0)

    def in_steps(self, n_train: int) -> PhaseRecipe:
        """Return the recipe with epochs of `n_train` samples as steps."""
        if self.steps:
            return self
        steps = max(ceil(self.epochs * n_train / self.batch), 1)
        return replace(self, steps=steps, epochs=0.0)

    @property
    def weights(self) -> LossWeights:
        """Weights of the loss terms."""
        return self.loss or PHASE_WEIGHTS[self.phase]

    @property
    def freezes_norm(self) -> bool:
        """Whether batch statistics are frozen, at once or later."""
        return self.phase == 3 if self.freeze_norm is None else self.freeze_norm

    def norm_is_frozen(self, step: int) -> bool:
        """Whether batch statistics are frozen at a step, counted from 0."""
        return self.freezes_norm and step >= self.freeze_norm_after


@dataclass(frozen=True)
class Recipe:
    """A run from data to phase 3.

    Attributes
    ----------
    name : str
        Name in messages and checkpoints.
    seed : int
        Seed of weights, split, samples and dropout.
    network : NetworkConfig
    sampling : SamplingRecipe
    phases : tuple of PhaseRecipe
    data : dict
        Entries of the section `data`, for the commands that prepare and choose it: which store,
        which years, which stations. Kept in the checkpoint.
    member : int
        Number of an ensemble's member: other weights and samples, the same days held back.
    """

    name: str
    seed: int = 0
    network: NetworkConfig = field(default_factory=NetworkConfig)
    sampling: SamplingRecipe = field(default_factory=SamplingRecipe)
    phases: tuple[PhaseRecipe, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    member: int = 0

    def phase(self, number: int) -> PhaseRecipe:
        """Return a phase's recipe.

        Raises
        ------
        ConfigurationError
            If the recipe has none.
        """
        for phase in self.phases:
            if phase.phase == number:
                return phase
        msg = (
            f"Invalid phase. The recipe {self.name} must have it. Given {number}, of "
            f"{[phase.phase for phase in self.phases]}. Add a [[phase]] section."
        )
        raise ConfigurationError(msg)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return {
            "name": self.name,
            "seed": self.seed,
            "member": self.member,
            "network": self.network.to_dict(),
            "sampling": asdict(self.sampling),
            "phase": [asdict(phase) for phase in self.phases],
            "data": self.data,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Build from plain values.

        Raises
        ------
        ConfigurationError
            If an entry is unknown or impossible.
        """
        try:
            network = NetworkConfig.from_dict(values.get("network", {}))
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        phases = []
        for row in values.get("phase", ()):
            given = dict(row)
            if "bfloat16" in given:  # recipes of older checkpoints
                given["precision"] = "bfloat16" if given.pop("bfloat16") else "float32"
            if given.get("loss") is not None:
                given["loss"] = _build(LossWeights, given["loss"], "loss")
            phases.append(_build(PhaseRecipe, given, "phase"))
        top = {k: v for k, v in values.items() if k not in _SECTIONS}
        sampling = _build(SamplingRecipe, values.get("sampling", {}), "sampling")
        plain = _build(_Head, top, "recipe")
        data = dict(values.get("data", {}))
        rest = (network, sampling, tuple(phases), data, plain.member)
        return cls(plain.name, plain.seed, *rest)

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """Read a TOML recipe.

        Raises
        ------
        ConfigurationError
            If it is no TOML file, or an entry is unknown or impossible.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            msg = (
                f"Invalid recipe {path}. It must be a TOML file. Given: {error}. "
                "Compare it with a shipped recipe."
            )
            raise ConfigurationError(msg) from error
        with content_errors(
            path,
            ConfigurationError,
            what="recipe",
            rule="hold the sections of a recipe, each entry of its kind",
            advice="Compare it with a shipped recipe",
        ):
            return cls.from_dict({"name": path.stem, **values})


@dataclass(frozen=True)
class _Head:
    """Entries of a recipe outside its sections."""

    name: str = "recipe"
    seed: int = 0
    member: int = 0


def _build(kind: type[T], values: Mapping[str, Any], section: str) -> T:
    """Build a section's dataclass, naming entries that are unknown or missing."""
    names = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(names))
    try:
        if unknown:
            raise TypeError(", ".join(unknown))
        _check_kinds(kind, values)
        return kind(**values)
    except TypeError as error:
        msg = (
            f"Invalid {section} section of the recipe. Its entries must be of "
            f"{', '.join(names)}. Given {error}. Change the recipe."
        )
        raise ConfigurationError(msg) from error


def _check_kinds(kind: type[Any], values: Mapping[str, Any]) -> None:
    """Refuse words for numbers and numbers for words; an integer is a float, too."""
    kinds = {f.name: type(f.default) for f in fields(kind)}
    for name, value in values.items():
        wanted = kinds[name]
        accepted = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}.get(wanted)
        is_odd_bool = isinstance(value, bool) and wanted is not bool
        if accepted and (is_odd_bool or not isinstance(value, accepted)):
            msg = f"{name} = {value!r}, which is no {wanted.__name__}"
            raise TypeError(msg)
