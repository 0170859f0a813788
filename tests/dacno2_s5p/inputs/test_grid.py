"""The model grid, its patches and their merging."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dacno2_s5p.inputs.grid import (
    ModelGrid,
    Patch,
    PatchMerger,
    hann_window,
    named_grid,
    patch_offsets,
)

SMALL = ModelGrid("small", "EPSG:3035", 0.0, 0.0, 2000.0, 64, 48, 32, 3, 2)


def random_fields(grid, n_level=2, seed=0):
    """Return one smooth field of the whole grid, cut into patches."""
    rng = np.random.default_rng(seed)
    whole = rng.random((n_level, *grid.shape))
    return whole, [(patch, whole[(..., *patch.slices())]) for patch in grid.patches()]


def test_the_grid_of_the_network():
    """592 x 720 cells of 2 km in EPSG:3035, nested in 148 x 180 and 74 x 90."""
    grid = named_grid("europe-2km")
    assert [grid.cells(factor).shape for factor in (1, 4, 8)] == [(720, 592), (180, 148), (90, 74)]
    for factor in (1, 4, 8):
        cells = grid.cells(factor)
        assert (cells.x_edges[0], cells.x_edges[-1]) == (3_072_000.0, 4_256_000.0)
        assert (cells.y_edges[0], cells.y_edges[-1]) == (2_096_000.0, 3_536_000.0)
        assert cells.crs == "EPSG:3035"


def test_the_patches_of_a_day():
    """12 patches of 256 cells a day at the offsets of docs/formats.md 10.1."""
    patches = named_grid("europe-2km").patches()
    assert {patch.column for patch in patches} == {0, 168, 336}
    assert {patch.row for patch in patches} == {0, 152, 312, 464}
    assert len(set(patches)) == 12
    assert {patch.size for patch in patches} == {256}


def test_the_degree_grid_nests_in_cams():
    """0.02 degree cells, 5 x 5 in one of CAMS' 0.1 degree, with 12 patches too."""
    grid = named_grid("lonlat-0.02")
    assert grid.shape == (600, 704)
    assert grid.row_offsets == (0, 168, 344)
    assert grid.column_offsets == (0, 152, 296, 448)
    edges = grid.cells().x_edges[::5]
    np.testing.assert_allclose(edges, -5.0 + 0.1 * np.arange(edges.size), atol=1e-9)  # round-off


@settings(deadline=None, max_examples=50)
@given(
    size=st.integers(1, 6).map(lambda k: 16 * k),
    extra=st.integers(0, 20),
    count=st.integers(1, 6),
)
def test_patches_cover_every_cell(size, extra, count):
    """Whatever the sizes, patches start at multiples of 8, end flush and leave no gap."""
    n = size + 8 * extra
    try:
        grid = ModelGrid("any", "EPSG:3035", 0.0, 0.0, 1.0, n, size, size, count, 1)
    except ValueError:
        assert count * size < n or (count == 1 and n > size)
        return
    covered = np.zeros(n, bool)
    for offset in grid.row_offsets:
        assert offset % 8 == 0
        covered[offset : offset + size] = True
    assert covered.all()
    assert grid.row_offsets[-1] + size == n or count == 1


def test_a_patch_is_the_same_place_on_every_grid():
    """Slices of fine, CAMS and weather cells have the same edges."""
    grid = named_grid("europe-2km")
    patch = grid.patches()[5]
    corners = set()
    for factor in (1, 4, 8):
        cells = grid.cells(factor).crop(*patch.slices(factor))
        corners.add((cells.x_edges[0], cells.x_edges[-1], cells.y_edges[0], cells.y_edges[-1]))
    assert len(corners) == 1
    window = grid.window(patch)
    assert window.cells().x_edges[0] == min(corners)[0]
    assert window.patches() == [Patch(0, 0, 256)]


def test_a_window_is_on_the_lattice_and_a_shifted_grid_is_not():
    """Cells of a window coincide with the grid's; half a weather cell further they do not."""
    grid = named_grid("europe-2km")
    assert grid.window(Patch(16, 24, 64)).is_on_lattice_of(grid)
    assert not replace(grid, x_origin=grid.x_origin + 8000.0).is_on_lattice_of(grid)
    assert not replace(grid, spacing=1000.0).is_on_lattice_of(grid)
    assert not named_grid("lonlat-0.02").is_on_lattice_of(grid)


def test_window_is_strictly_positive_and_symmetric():
    """No weight is 0, the largest is in the middle, rows and columns are alike."""
    window = hann_window(256)
    assert window.min() > 0.0
    np.testing.assert_array_equal(window, window.T)
    np.testing.assert_allclose(window, window[::-1], rtol=1e-9)  # round-off of sin near pi
    assert window.argmax() in (127 * 256 + 127, 127 * 256 + 128, 128 * 256 + 127, 128 * 256 + 128)


def test_merging_a_constant_gives_the_constant():
    """On the whole grid, at every cell, borders included."""
    grid = named_grid("europe-2km")
    merger = PatchMerger(grid, 1)
    for patch in grid.patches():
        merger.add(patch, np.full((1, 256, 256), 7.25))
    np.testing.assert_allclose(merger.merged(), 7.25, rtol=1e-6)  # float32 on output


def test_merging_patches_of_one_field_gives_the_field():
    """Where patches agree, the weighted mean is what they agree on."""
    whole, pieces = random_fields(SMALL)
    merger = PatchMerger(SMALL, 2)
    for patch, field in pieces:
        merger.add(patch, field)
    np.testing.assert_allclose(merger.merged(), whole, rtol=1e-6)  # float32 on output


def test_the_order_of_patches_does_not_matter():
    """Disagreeing patches merge to the same field in any order."""
    rng = np.random.default_rng(1)
    pieces = [(patch, rng.random((2, 32, 32))) for patch in SMALL.patches()]
    merged = []
    for order in (pieces, pieces[::-1], [pieces[i] for i in rng.permutation(len(pieces))]):
        merger = PatchMerger(SMALL, 2)
        for patch, field in order:
            merger.add(patch, field)
        merged.append(merger.merged())
    for other in merged[1:]:
        np.testing.assert_allclose(other, merged[0], rtol=1e-6)  # float32 on output


def test_merging_weighs_the_interior_of_patches():
    """Deep inside one patch and at the edge of another the former wins."""
    grid = ModelGrid("two", "EPSG:3035", 0.0, 0.0, 1.0, 32, 48, 32, 1, 2)
    merger = PatchMerger(grid, 1)
    first, second = grid.patches()
    merger.add(first, np.zeros((1, 32, 32)))
    merger.add(second, np.ones((1, 32, 32)))
    row = merger.merged()[0, 16]
    assert (row[:16] == 0).all()
    assert (row[32:] == 1).all()
    assert (np.diff(row[15:33]) > 0).all()
    assert row[17] < 0.05


def test_a_missing_patch_is_an_error():
    """A grid that is not covered is not merged silently."""
    merger = PatchMerger(SMALL, 1)
    merger.add(SMALL.patches()[0], np.ones((1, 32, 32)))
    with pytest.raises(ValueError, match=f"Given {64 * 48 - 32 * 32} cells without any"):
        merger.merged()


def test_a_patch_field_of_another_shape_is_refused():
    """The message has both shapes."""
    with pytest.raises(ValueError, match=r"= \(2, 32, 32\). Given \(3, 32, 32\)"):
        PatchMerger(SMALL, 2).add(SMALL.patches()[0], np.ones((3, 32, 32)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_y": 60}, "n_y must be a multiple of 8. Given 60"),
        ({"n_x": 0}, "n_x must be a multiple of 8. Given 0"),
        ({"patch_size": 40}, "patch_size must be a multiple of 16. Given 40"),
        ({"patch_size": 64}, "patch_size must be at most n_x. Given 64"),
        ({"patches_y": 1}, "patches_y must be at least 2 to cover n_y = 64. Given 1"),
        ({"spacing": 0.0}, "spacing must be positive. Given 0.0"),
    ],
)
def test_grids_that_cannot_be(changes, message):
    """A wrong grid is refused by the name of its entry."""
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **changes)


def test_an_unknown_grid_name_is_refused():
    """The message lists the names there are."""
    with pytest.raises(ValueError, match=r"must be europe-2km or lonlat-0\.02\. Given 'mars'"):
        named_grid("mars")


def test_a_grid_survives_its_plain_values():
    """The same grid comes back from JSON values."""
    assert ModelGrid.from_dict(SMALL.to_dict()) == SMALL


def test_offsets_of_one_patch():
    """A single patch starts at 0."""
    assert patch_offsets(64, 64, 1) == (0,)


@pytest.mark.parametrize("size", [64, 96, 128, 256])
def test_other_patches_overlap_by_what_is_asked_for(size):
    """Smaller patches cover the grid too, neighbours sharing a third or more (rounded to 8)."""
    grid = named_grid("europe-2km").with_patches(size)
    for offsets, n in ((grid.row_offsets, 720), (grid.column_offsets, 592)):
        assert offsets[-1] + size == n
        assert max(np.diff(offsets)) <= 2 * size / 3 + 8
    assert grid.is_on_lattice_of(named_grid("europe-2km"))


def test_a_grid_of_the_patch_s_size_has_one_patch():
    """No overlap is needed where one patch is the grid."""
    grid = replace(SMALL, n_y=32, n_x=32, patches_y=1, patches_x=1)
    assert len(grid.with_patches(32).patches()) == 1
