"""Comparisons on a grid: masks, the three numbers, the bootstrap over days."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.errors import ProductError
from retrieval.l3.day_file import DayRecord, write_day
from retrieval.l3.days import read_days
from retrieval.l3.differences import (
    MINIMUM_COLUMN,
    Sampling,
    area_masks,
    area_numbers,
    default_pairs,
    difference,
    relative_change,
)
from retrieval.l3.intervals import LEAST_DAYS, bootstrap_numbers
from retrieval.l3.means import L3, period_mean
from retrieval.l3.sums import Sums
from retrieval.maps.regions import Region
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import RectilinearGrid, cell_areas

E15 = 1e15 / MOLEC_CM2_PER_MOL_M2
GRID = RectilinearGrid(np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0]))
SETTINGS = {"products": ["TM5", "DACNO2"], "qa_threshold": 75, "weighting": "overlap",
            "further_products": [], "where": []}  # fmt: skip


def _l3(old, new, *, days=1, coverage=1.0, n_span=1) -> L3:
    old, new = (np.atleast_2d(np.asarray(v, dtype=float)) * E15 for v in (old, new))
    first = np.datetime64("2019-06-01", "D")
    return L3(
        grid=GRID,
        products=("TM5", "DACNO2"),
        mean=np.stack([old, new]),
        weight=np.ones(GRID.shape),
        coverage=np.broadcast_to(np.asarray(coverage, dtype=float), GRID.shape),
        count=np.ones(GRID.shape, dtype=int),
        days=np.broadcast_to(np.asarray(days), GRID.shape),
        period=(first, first + np.timedelta64(n_span - 1, "D")),
        n_day=n_span,
    )


def test_relative_difference_is_the_ratio_of_means():
    """A cell's relative difference is that of its means; its absolute one their difference."""
    found = difference(_l3([1.0, 4.0], [1.5, 4.4]), "DACNO2")
    np.testing.assert_allclose(found.relative, [[50.0, 10.0]], rtol=1e-12)
    np.testing.assert_allclose(found.absolute, [[0.5 * E15, 0.4 * E15]], rtol=1e-12)
    assert found.title == "DACNO2 / TM5"


def test_columns_near_zero_have_an_absolute_difference_only():
    """Below 0.3e15, of either sign, there is no relative difference; the absolute one stays."""
    found = difference(_l3([0.29, -0.29], [0.5, 0.1]), "DACNO2")
    assert np.isnan(found.relative).all()
    assert np.isfinite(found.absolute).all()
    assert np.isfinite(relative_change(np.array([1.0]), np.array([-MINIMUM_COLUMN]))).all()


@pytest.mark.parametrize(("n_span", "needed"), [(365, 20), (90, 8)])
def test_cells_need_their_days(n_span, needed):
    """A year needs 20 distinct days in a cell, a season 8."""
    l3 = _l3([1.0, 1.0], [1.1, 1.1], days=[needed - 1, needed], coverage=0.2, n_span=n_span)
    found = difference(l3, "DACNO2")
    assert np.isfinite(found.relative).tolist() == [[False, True]]


def test_a_single_day_needs_half_a_cell():
    """On one day a cell counts where half of it is covered."""
    l3 = _l3([1.0, 1.0], [1.1, 1.1], coverage=[0.49, 0.51])
    assert np.isfinite(difference(l3, "DACNO2").relative).tolist() == [[False, True]]
    anyway = Sampling(minimum_coverage=0.0)
    assert np.isfinite(difference(l3, "DACNO2", sampling=anyway).relative).all()


def test_the_three_numbers_of_an_area():
    """A clean cell changes by 50 %, a polluted one by 10 %: the numbers are those by hand."""
    l3 = _l3([1.0, 4.0], [1.5, 4.4])
    areas = area_masks(GRID, [Region("both", (0.0, 0.0, 2.0, 1.0))])
    (found,) = area_numbers(l3, [("DACNO2", "TM5")], areas)
    assert found.n_cell == 2
    assert found.ratio_of_means == pytest.approx(100 * (5.9 / 5.0 - 1))
    assert found.mean_of_cells == pytest.approx(30.0)
    assert found.median == pytest.approx(30.0)
    assert (found.p5, found.p95) == pytest.approx((12.0, 48.0))  # linear between two cells
    assert found.mean_reference == pytest.approx(2.5e15)
    assert found.mean_difference == pytest.approx(0.45e15)
    # clean cells change more: (b) above (a), the mark of a priori without upper troposphere
    assert found.mean_of_cells > found.ratio_of_means


def test_areas_weigh_by_true_area():
    """Cells of longitude and latitude count with the cosine of latitude."""
    grid = RectilinearGrid(np.array([0.0, 1.0]), np.array([0.0, 1.0, 59.0, 60.0])).crop(
        slice(0, 3), slice(0, 1)
    )
    area = cell_areas(grid)
    assert area[2, 0] / area[0, 0] == pytest.approx(np.cos(np.deg2rad(59.5)), rel=1e-3)


def test_empty_areas_are_left_out():
    """An area without a valid cell has no numbers, rather than not-a-number."""
    areas = area_masks(GRID, [Region("far", (100.0, 0.0, 102.0, 1.0))])
    assert area_numbers(_l3([1.0, 1.0], [1.1, 1.1]), [("DACNO2", "TM5")], areas) == []


def test_unknown_products_are_named():
    """A product that is not in the file is refused with those that are."""
    with pytest.raises(ProductError, match=r"'CAMS'.*Given TM5, DACNO2"):
        difference(_l3([1.0, 1.0], [1.1, 1.1]), "CAMS")


def test_pairs_follow_the_paper():
    """Each set against TM5, then the primary against the others; one product has no pair."""
    pairs = default_pairs(["TM5", "DACNO2", "CAMS"])
    assert pairs == [("CAMS", "TM5"), ("DACNO2", "TM5"), ("DACNO2", "CAMS")]
    assert default_pairs(["TM5"]) == []


def _write_days(folder, ratios, seed=0, scale=1.0, first="2019-06-01"):
    """Write days with random columns and weights; the new column is the old one times a ratio."""
    rng = np.random.default_rng(seed)
    folder.mkdir(exist_ok=True)
    for i, ratio in enumerate(ratios):
        day = np.datetime64(first, "D") + i
        sums = Sums(GRID, ("TM5", "DACNO2"))
        weight = rng.uniform(0.5, 2.0, GRID.shape)
        old = rng.uniform(1.0, 5.0, GRID.shape) * E15 * np.asarray(scale)
        sums.weight += weight
        sums.weighted += weight * np.stack([old, np.asarray(ratio) * old])
        sums.count += 1
        sums.coverage += 1.0
        write_day(folder / f"sums_{day}.nc", sums, DayRecord(day, GRID, SETTINGS))
    return folder


def _numbers(folder):
    l3 = period_mean(folder)
    areas = area_masks(GRID, [Region("both", (0.0, 0.0, 2.0, 1.0))])
    numbers = area_numbers(l3, [("DACNO2", "TM5")], areas)
    cells = {("both", "DACNO2", "TM5"): areas["both"]}
    return numbers, cells


def test_bootstrap_of_equal_days_has_no_width(tmp_path):
    """Where every day changes by 20 %, every draw of days does."""
    folder = _write_days(tmp_path / "days", [1.2] * 8)
    numbers, cells = _numbers(folder)
    (found,) = bootstrap_numbers(folder, numbers, cells, n_replicate=30)
    limits = (found.ratio_of_means_low, found.ratio_of_means_high, found.mean_of_cells_low)
    assert limits == pytest.approx((20.0, 20.0, 20.0), rel=1e-9)


def test_bootstrap_agrees_with_drawing_days_by_hand(tmp_path):
    """The interval is that of maps made again of drawn days."""
    ratios = np.random.default_rng(5).uniform(0.8, 1.6, 10)
    folder = _write_days(tmp_path / "days", ratios)
    numbers, cells = _numbers(folder)
    (found,) = bootstrap_numbers(folder, numbers, cells, n_replicate=40, seed=3)
    days = [sums for sums, _ in read_days(folder)]
    draws = np.random.default_rng(3).multinomial(10, np.full(10, 0.1), size=40)
    ratio, mean = [], []
    for draw in draws:
        weight = sum(n * day.weight for n, day in zip(draw, days, strict=True))
        weighted = sum(n * day.weighted for n, day in zip(draw, days, strict=True))
        old, new = weighted / weight
        area = cell_areas(GRID)
        ratio.append(100 * ((area * new).sum() / (area * old).sum() - 1))
        mean.append(np.average(100 * (new / old - 1), weights=area))
    np.testing.assert_allclose(
        [found.ratio_of_means_low, found.ratio_of_means_high], np.percentile(ratio, [2.5, 97.5])
    )
    np.testing.assert_allclose(
        [found.mean_of_cells_low, found.mean_of_cells_high], np.percentile(mean, [2.5, 97.5])
    )
    assert found.ratio_of_means_low < found.ratio_of_means < found.ratio_of_means_high


@pytest.mark.parametrize(("share", "n_cell", "expected"), [(1.01, 1, 20.0), (0.99, 2, 50.0)])
def test_bootstrap_is_on_the_cells_of_the_numbers(tmp_path, share, n_cell, expected):
    """A clean cell counts in every draw where it counts in the number, and in none otherwise."""
    folder = _write_days(tmp_path / "days", [[[1.2, 1.8]]] * 8, scale=[[1.0, 0.01]])
    l3 = period_mean(folder)
    # drawn columns of the clean cell scatter about the least one
    rule = Sampling(minimum_column=share * float(l3["TM5"][0, 1]))
    areas = area_masks(GRID, [Region("both", (0.0, 0.0, 2.0, 1.0))])
    numbers = area_numbers(l3, [("DACNO2", "TM5")], areas, rule)
    is_used = np.isfinite(difference(l3, "DACNO2", "TM5", rule).relative)
    cells = {("both", "DACNO2", "TM5"): is_used}
    (found,) = bootstrap_numbers(folder, numbers, cells, n_replicate=30)
    assert found.n_cell == n_cell
    limits = (found.mean_of_cells_low, found.mean_of_cells, found.mean_of_cells_high)
    assert limits == pytest.approx((expected,) * 3, rel=1e-9)


def test_bootstrap_of_months_draws_within_each_and_averages_them(tmp_path):
    """Few winter days weigh as much as many summer days, in the number and in its interval."""
    rng = np.random.default_rng(1)
    _write_days(tmp_path / "days", rng.uniform(1.0, 1.1, 20))
    folder = _write_days(tmp_path / "days", rng.uniform(1.4, 1.6, 4), first="2019-12-01")
    l3 = period_mean(folder, average="months")
    assert (l3.average, period_mean(folder).average) == ("months", "pooled")
    areas = area_masks(GRID, [Region("both", (0.0, 0.0, 2.0, 1.0))])
    numbers = area_numbers(l3, [("DACNO2", "TM5")], areas, Sampling())
    cells = {("both", "DACNO2", "TM5"): areas["both"]}
    (found,) = bootstrap_numbers(folder, numbers, cells, average="months", n_replicate=40, seed=3)
    days = [sums for sums, _ in read_days(folder)]
    draw = np.random.default_rng(3)
    june = draw.multinomial(20, np.full(20, 1 / 20), size=40)
    december = draw.multinomial(4, np.full(4, 1 / 4), size=40)
    ratio = []
    for drawn in zip(june, december, strict=True):
        months = []
        for counts, part in zip(drawn, (days[:20], days[20:]), strict=True):
            weighted = sum(n * day.weighted for n, day in zip(counts, part, strict=True))
            months.append(
                weighted / sum(n * day.weight for n, day in zip(counts, part, strict=True))
            )
        old, new = (cell_areas(GRID) * np.mean(months, axis=0)).sum(axis=(1, 2))
        ratio.append(100 * (new / old - 1))
    np.testing.assert_allclose(
        [found.ratio_of_means_low, found.ratio_of_means_high], np.percentile(ratio, [2.5, 97.5])
    )
    assert found.ratio_of_means_low < found.ratio_of_means < found.ratio_of_means_high
    pooled = bootstrap_numbers(folder, numbers, cells, n_replicate=40)[0]
    assert pooled.ratio_of_means_high < found.ratio_of_means


def test_a_month_of_one_day_has_no_interval(tmp_path):
    """Its day would be drawn always, as if it had no scatter."""
    _write_days(tmp_path / "days", [1.2] * 8)
    folder = _write_days(tmp_path / "days", [1.3], first="2019-07-04")
    numbers, cells = _numbers(folder)
    (found,) = bootstrap_numbers(folder, numbers, cells, average="months", n_replicate=9)
    assert np.isnan(found.ratio_of_means_low)
    (found,) = bootstrap_numbers(folder, numbers, cells, n_replicate=9)
    assert np.isfinite(found.ratio_of_means_low)


def test_few_days_have_no_interval(tmp_path):
    """Fewer than five days leave the numbers as they are."""
    folder = _write_days(tmp_path / "days", [1.2] * (LEAST_DAYS - 1))
    numbers, cells = _numbers(folder)
    assert np.isnan(bootstrap_numbers(folder, numbers, cells)[0].ratio_of_means_low)
    with pytest.raises(ProductError, match="It must hold the daily sums"):
        bootstrap_numbers(tmp_path, numbers, cells)
