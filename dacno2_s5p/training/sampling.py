"""Which samples are trained on, which validate, and in what order they come.

Samplers have no state: the samples of a step follow from the seed and the step's number, so that
a resumed run draws what the uninterrupted one would have drawn. What validates follows from the
recipe's seed and the days alone, so that phases on the same days hold the same samples back; their
order is of the phase.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.grid import COARSE_FACTOR, Patch
from dacno2_s5p.inputs.samples import Crop

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.samples import DaySource, Stations

Split = Literal["random", "blocked"]
"""Validation samples drawn at random (the paper), or as whole blocks of days.

Random samples leak: patches of a day overlap, and neighbouring days are alike. The loss on
blocked samples is the honest one.
"""

_VALIDATION, _ORDER, _CROPS, _STATIONS = 101, 102, 103, 104
"""Streams of random numbers that must not meet."""


@dataclass(frozen=True)
class SamplingRecipe:
    """How samples are drawn.

    Attributes
    ----------
    split : {"random", "blocked"}
        Validation samples at random, or whole blocks of days.
    validation_share : float
        Share of samples (with `crop`: of days) that validate, 0 < share < 1.
    block_days : int
        Days of a block.
    crop : int
        0: the grid's own overlapping patches, each once in an epoch (the paper). Otherwise
        random squares of so many fine cells, a multiple of 16 and at least 48.
    around_stations : float
        Share of the crops that are drawn around a random station of the day, so that small
        crops of a large world have stations at all.
    validation_samples : int
        At most so many samples validate; 0 for all (with `crop`: 64).
    validation_stations : float
        Share of the training stations' cells, at least 0 and below 1, that no gradient comes from:
        they alone count in the station term of validation. A network knows a cell that it has seen
        on many days by its surroundings, and scores there say little of any other.
    """

    split: Split = "random"
    validation_share: float = 0.2
    block_days: int = 7
    crop: int = 0
    around_stations: float = 0.5
    validation_samples: int = 0
    validation_stations: float = 0.0

    def __post_init__(self) -> None:
        for name, rule, holds in (
            ("split", "random or blocked", self.split in ("random", "blocked")),
            ("validation_share", "between 0 and 1", 0.0 < self.validation_share < 1.0),
            ("block_days", "at least 1", self.block_days >= 1),
            (
                "crop",
                "0, or a multiple of 16 and at least 48",
                self.crop == 0 or (self.crop >= 48 and self.crop % 16 == 0),
            ),
            ("around_stations", "between 0 and 1", 0.0 <= self.around_stations <= 1.0),
            ("validation_samples", "at least 0", self.validation_samples >= 0),
            (
                "validation_stations",
                "at least 0 and below 1",
                0.0 <= self.validation_stations < 1.0,
            ),
        ):
            if not holds:
                msg = (
                    f"Invalid sampling. {name} must be {rule}. Given {getattr(self, name)!r}. "
                    "Change the sampling section of the recipe."
                )
                raise ConfigurationError(msg)


def _generator(seed: int, *stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, *stream])


def validation_days(n_day: int, recipe: SamplingRecipe, seed: int) -> NDArray[np.bool_]:
    """Say of each day whether it validates; at least one does and one does not.

    Raises
    ------
    ConfigurationError
        If there are too few days to split.
    """
    length = 1 if recipe.split == "random" else recipe.block_days
    n_block = -(-n_day // length)
    if n_block < 2:
        msg = (
            f"Invalid split. There must be at least two blocks of {length} days. Given {n_day} "
            "days. Use more days or shorter blocks."
        )
        raise ConfigurationError(msg)
    chosen = min(max(round(recipe.validation_share * n_block), 1), n_block - 1)
    blocks = _generator(seed, _VALIDATION).permutation(n_block)[:chosen]
    return np.asarray(np.isin(np.arange(n_day) // length, blocks))


def training_days(n_day: int, recipe: SamplingRecipe, seed: int) -> NDArray[np.bool_]:
    """Say of each day whether any of its samples is trained on: with random patches of every day.

    Raises
    ------
    ConfigurationError
        If there are too few days to split.
    """
    if recipe.split == "random" and not recipe.crop:
        return np.ones(n_day, bool)
    return ~validation_days(n_day, recipe, seed)


def trained_on(stations: Stations, recipe: SamplingRecipe, seed: int) -> Stations:
    """Return the stations of a day that gradients come from."""
    return stations.chosen(~_validates(stations, recipe, seed))


def kept_back(stations: Stations, recipe: SamplingRecipe, seed: int) -> Stations:
    """Return the stations of a day that validate; all where none are kept back."""
    if not recipe.validation_stations:
        return stations
    return stations.chosen(_validates(stations, recipe, seed))


def _validates(stations: Stations, recipe: SamplingRecipe, seed: int) -> NDArray[np.bool_]:
    """Draw for each cell whether it validates: by its place, so in all years and phases alike."""
    places = zip(stations.rows.tolist(), stations.columns.tolist(), strict=True)
    drawn = [_of_place(seed, row, column) for row, column in places]
    return np.array(drawn) < recipe.validation_stations


@lru_cache(maxsize=1 << 16)
def _of_place(seed: int, row: int, column: int) -> float:
    return float(_generator(seed, _STATIONS, row, column).random())


class PatchSampler:
    """The grid's patches of all days, each once in an epoch, in random order.

    Parameters
    ----------
    source : DaySource
    recipe : SamplingRecipe
    seed : int
        Of what validates.
    phase : int
        The order is another in each; of members of an ensemble, phase + 10 member.
    """

    def __init__(
        self, source: DaySource, recipe: SamplingRecipe, seed: int, phase: int = 0
    ) -> None:
        self._order_seed = seed + 1000 * phase
        patches = source.grid.patches()
        days = np.repeat(np.arange(source.n_day), len(patches))
        if recipe.split == "blocked":
            validates = validation_days(source.n_day, recipe, seed)[days]
        else:
            chosen = min(max(round(recipe.validation_share * days.size), 1), days.size - 1)
            validates = np.zeros(days.size, bool)
            validates[_generator(seed, _VALIDATION).permutation(days.size)[:chosen]] = True
        samples = [Crop(int(d), patches[i % len(patches)]) for i, d in enumerate(days)]
        self._train = [s for s, is_held in zip(samples, validates, strict=True) if not is_held]
        held = [s for s, is_held in zip(samples, validates, strict=True) if is_held]
        if recipe.validation_samples:
            order = _generator(seed, _VALIDATION, 1).permutation(len(held))
            held = [held[i] for i in sorted(order[: recipe.validation_samples])]
        self.validation = held
        self._cached = (-1, np.zeros(0, int))

    @property
    def n_train(self) -> int:
        """Samples of an epoch."""
        return len(self._train)

    def is_fixed(self, crop: Crop) -> bool:  # noqa: ARG002 (as crops)
        """Say whether a sample comes again: all patches do."""
        return True

    def draw(self, step: int, batch: int) -> list[Crop]:
        """Return the samples of a step (from 0)."""
        first = step * batch
        drawn = []
        for position in range(first, first + batch):
            epoch, place = divmod(position, self.n_train)
            drawn.append(self._train[self._order(epoch)[place]])
        return drawn

    def _order(self, epoch: int) -> NDArray[np.int_]:
        if self._cached[0] != epoch:
            order = _generator(self._order_seed, _ORDER, epoch).permutation(self.n_train)
            self._cached = (epoch, order)
        return self._cached[1]


class CropSampler:
    """Random crops of random days, some of them around stations.

    Parameters
    ----------
    source : DaySource
    recipe : SamplingRecipe
    seed : int
        Of what validates.
    phase : int
        The training crops are others in each; of members of an ensemble, phase + 10 member.

    Raises
    ------
    ConfigurationError
        If the crop is larger than the grid.
    """

    def __init__(
        self, source: DaySource, recipe: SamplingRecipe, seed: int, phase: int = 0
    ) -> None:
        if recipe.crop > min(source.grid.shape):
            msg = (
                f"Invalid sampling. crop must be at most the grid's {min(source.grid.shape)} "
                f"cells. Given {recipe.crop}. Change the sampling section of the recipe."
            )
            raise ConfigurationError(msg)
        self._source = source
        self._recipe = recipe
        self._crop_seed = seed + 1000 * phase
        validates = validation_days(source.n_day, recipe, seed)
        self._train = np.flatnonzero(~validates)
        generator = _generator(seed, _VALIDATION, 1)
        held = np.flatnonzero(validates)
        count = recipe.validation_samples or 64
        days = np.resize(held, count)
        self.validation = [self._crop(generator, int(day)) for day in days]
        self._validating = frozenset(self.validation)

    @property
    def n_train(self) -> int:
        """Training days times the crops that cover the grid once."""
        n_y, n_x = self._source.grid.shape
        return int(self._train.size * max(n_y * n_x // self._recipe.crop**2, 1))

    def draw(self, step: int, batch: int) -> list[Crop]:
        """Return the samples of a step (from 0)."""
        generator = _generator(self._crop_seed, _CROPS, step)
        return [
            self._crop(generator, int(day)) for day in generator.choice(self._train, size=batch)
        ]

    def is_fixed(self, crop: Crop) -> bool:
        """Say whether a sample comes again: those that validate do."""
        return crop in self._validating

    def at_random(self, generator: np.random.Generator, days: NDArray[np.int_]) -> list[Crop]:
        """Draw a crop of each of some days, as those of a step are drawn."""
        return [self._crop(generator, int(day)) for day in days]

    def _crop(self, generator: np.random.Generator, day: int) -> Crop:
        n_y, n_x = self._source.grid.shape
        size = self._recipe.crop
        row, column = generator.integers(0, [n_y - size + 1, n_x - size + 1])
        around = generator.random() < self._recipe.around_stations
        stations = self._source.stations(day) if around else None
        if stations is not None and stations.rows.size:
            chosen = generator.integers(stations.rows.size)
            back = generator.integers(0, size, 2)
            row, column = stations.rows[chosen] - back[0], stations.columns[chosen] - back[1]
        return Crop(day, Patch(_on_lattice(row, n_y - size), _on_lattice(column, n_x - size), size))


def _on_lattice(start: int, largest: int) -> int:
    """Bring a start into the grid and onto the edges of weather cells."""
    inside = min(max(int(start), 0), largest)
    return COARSE_FACTOR * min(round(inside / COARSE_FACTOR), largest // COARSE_FACTOR)


Sampler = PatchSampler | CropSampler


def make_sampler(source: DaySource, recipe: SamplingRecipe, seed: int, phase: int = 0) -> Sampler:
    """Return the sampler of a recipe."""
    kind = CropSampler if recipe.crop else PatchSampler
    return kind(source, recipe, seed, phase)
