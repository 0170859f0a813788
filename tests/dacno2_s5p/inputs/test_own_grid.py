"""A grid of one's own: a box holds its corners, and what may not stand in the TOML is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dacno2_s5p.inputs.grid import named_grid
from dacno2_s5p.inputs.own_grid import grid_of, grid_of_file
from retrieval.physics.geometry.grids import box_outline, project


@settings(max_examples=25, deadline=None)  # the first projection of a plane takes its time
@given(
    st.floats(-170.0, 160.0), st.floats(-60.0, 55.0), st.floats(0.5, 8.0), st.floats(0.5, 6.0),
    st.sampled_from([2000.0, 5000.0]),
)  # fmt: skip
def test_a_grid_holds_its_box(west, south, width, height, spacing):
    """Anywhere: every point of the box lies in the grid, and its patches cover it."""
    box = [west, south, west + width, south + height]
    grid = grid_of({"box": box, "spacing": spacing})
    cells = grid.cells()
    x, y = project(*box_outline(tuple(box)), cells)
    slack = 1e-6 * spacing  # round-off of the rounding outwards
    assert x.min() >= cells.x_edges[0] - slack and x.max() <= cells.x_edges[-1] + slack
    assert y.min() >= cells.y_edges[0] - slack and y.max() <= cells.y_edges[-1] + slack
    assert grid.n_x % 16 == grid.n_y % 16 == 0
    covered = np.zeros(grid.shape, dtype=bool)
    for patch in grid.patches():
        covered[patch.row : patch.row + patch.size, patch.column : patch.column + patch.size] = True
    assert covered.all()


def test_degrees_by_hand():
    """0.05 degree from 2 to 3.6 E and 48 to 48.8 N: 32 x 16 cells from the corner of the box."""
    grid = grid_of({"box": [2.0, 48.0, 3.6, 48.8], "spacing": 0.05, "crs": "EPSG:4326"})
    assert (grid.x_origin, grid.y_origin) == pytest.approx((2.0, 48.0), abs=1e-12)
    assert (grid.n_x, grid.n_y, grid.patch_size) == (32, 16, 16)


def test_every_number_and_the_documented_sample(tmp_path):
    """All attributes make the shipped grid; the sample of docs/formats.md 10.3 is read."""
    shipped = named_grid("europe-2km")
    assert grid_of(shipped.to_dict()) == shipped
    page = Path(__file__).resolve().parents[3] / "docs/formats.md"
    section = page.read_text(encoding="utf-8").split("### 10.3")[1].split("\n## ")[0]
    sample = "\n".join(x.strip() for x in section.splitlines() if x.startswith("    "))
    (tmp_path / "po.toml").write_text(sample, encoding="utf-8")
    assert tomllib.loads(sample)["name"] == grid_of_file(tmp_path / "po.toml").name == "po-valley"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"boxes": [1, 2, 3, 4]}, r"Keys must be of .* Given 'boxes'\. Write box"),
        ({"box": [3, 48, 2, 49], "spacing": 2e3}, r"box must be \[west, south, east, north\]"),
        ({"box": "Paris", "spacing": 2e3}, "box must be"),
        ({"box": [2, 48, 3, 49]}, "spacing must be positive, beside box. Given 'none'"),
        ({"box": [2, 48, 3, 49], "spacing": -1}, "spacing must be positive"),
        ({"box": [2, 48, 3, 49], "spacing": 2e3, "n_x": 8}, "Beside box go .* Given n_x"),
        ({"box": [2, 48, 3, 49], "spacing": "2 km"}, "spacing must be a number. Given '2 km'"),
        ({"crs": "EPSG:none"}, "crs must be known to PROJ"),
        ({"n_x": 8.5}, "n_x must be a whole number"),
        ({"name": 3}, "name must be text"),
        ({"name": "a", "crs": "EPSG:3035"}, "Given no x_origin, y_origin, spacing, n_y, n_x"),
    ],
)
def test_what_may_not_stand_is_one_line(values, message):
    """The key, what may stand there, and what was given."""
    with pytest.raises(ValueError, match=message) as error:
        grid_of(values)
    assert "\n" not in str(error.value)
