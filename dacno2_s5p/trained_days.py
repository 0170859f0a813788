"""Which days gradients came from, over all phases of a network: carried from parent to child."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dacno2_s5p.training.recipe import Recipe
from dacno2_s5p.training.sampling import training_days

if TYPE_CHECKING:
    from dacno2_s5p.network.checkpoint import CheckpointInfo
    from dacno2_s5p.store.store import Store


def days_of_own(store: Store, recipe: Recipe) -> frozenset[str]:
    """Return the days a phase trains on.

    Parameters
    ----------
    store : Store
        The days of the phase.
    recipe : Recipe
    """
    trains = training_days(store.n_day, recipe.sampling, recipe.seed)
    return frozenset(str(day) for day, is_in in zip(store.days, trains, strict=True) if is_in)


def days_of_parent(store: Store, info: CheckpointInfo) -> frozenset[str]:
    """Return the days a parent and those before it were trained on.

    Of a parent that does not name them (older ones) every day of its years that the store has.

    Parameters
    ----------
    store : Store
        Of the child.
    info : CheckpointInfo
        Of the parent.
    """
    if info.trained_days:
        return frozenset(info.trained_days)
    data = Recipe.from_dict(info.recipe).data
    years = {str(year) for key in ("years", "adaptation_years") for year in data.get(key, ())}
    return frozenset(d for d in store.manifest["days"] if not data.get("years") or d[:4] in years)
