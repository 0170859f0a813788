"""The recipes that come with the package can be read, and fit the inputs they ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from dacno2_s5p.inputs.samples import OPTIONAL_GROUPS
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.training.recipe import Recipe
from dacno2_s5p.twin.training_store import TwinDays

CONFIGS = (Path(__file__).resolve().parents[3] / "configs").glob("*.toml")
# run.toml is a recipe of another kind, of `dacno2-s5p run`
RECIPES = sorted(path for path in CONFIGS if path.name != "run.toml")


def test_there_are_recipes():
    assert {"paper.toml", "real.toml", "twin.toml"} <= {path.name for path in RECIPES}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_networks_have_the_groups_of_their_stores(path):
    """Optional groups are as wide as the table has them; a twin store of the recipe has them."""
    recipe = Recipe.read(path)
    widths = InputTable.default(OPTIONAL_GROUPS).widths
    wanted = [group for group in OPTIONAL_GROUPS if getattr(recipe.network, group)]
    for group in wanted:
        assert getattr(recipe.network, group) == widths[group]
    if "twin" in recipe.data:
        assert set(wanted) <= set(TwinDays.from_dict(recipe.data["twin"]).groups)
