"""A model beside the instrument: both ways agree, sums are those of the pixels, by kind and day."""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.errors import ProductError
from retrieval.maps.regions import Region
from retrieval.validation.comparison import (
    ALL,
    STATISTICS,
    Comparison,
    pairs_of,
    sets_of,
    statistics,
)
from retrieval.validation.pair_scores import PMOLEC

WEST = Region("west", (0.0, 40.0, 2.2, 55.0))
FAR = Region("far", (100.0, -10.0, 110.0, 10.0))


def read(path, name):
    with netCDF4.Dataset(path) as file:
        return np.ma.filled(file["PRODUCT"][name][0].astype("f8"), np.nan)


def oracle(paths, name, way):
    """Collect satellite and model of all good pixels, slowly and plainly."""
    column = "nitrogendioxide_tropospheric_column"
    satellite, model, west = [], [], []
    for path in paths:
        with netCDF4.Dataset(path) as file:
            raw = file["PRODUCT"]["qa_value"]
            raw.set_auto_maskandscale(False)
            good = raw[0] > 75
            longitude = file["PRODUCT"]["longitude"][0].filled(np.nan)
        columns = {
            "V": read(path, column),
            **{f"V {s}": read(path, f"{column}_{s}_apriori") for s in ("DACNO2", "CAMS")},
            **{
                f"k {s}": read(path, f"apriori_tropospheric_column_{s}_kernel")
                for s in ("DACNO2", "CAMS")
            },
            **{
                f"m {s}": read(path, f"apriori_tropospheric_column_{s}") for s in ("DACNO2", "CAMS")
            },
        }
        for values in columns.values():
            good &= np.isfinite(values)
        pair = ("V", f"k {name}") if way == "kernel" else (f"V {name}", f"m {name}")
        satellite.append(columns[pair[0]][good])
        model.append(columns[pair[1]][good])
        west.append(longitude[good] <= 2.2)
    return (np.concatenate(part) for part in (satellite, model, west))


@pytest.fixture(scope="module")
def compared(season):
    found = Comparison(("DACNO2", "CAMS"), (WEST, FAR))
    for path in season.outputs:
        found.add(path)
    return found


@pytest.mark.parametrize("way", ["kernel", "apriori"])
@pytest.mark.parametrize("name", ["DACNO2", "CAMS"])
def test_the_statistics_are_those_of_the_pixels(compared, season, name, way):
    """Against plain numpy over all pixels, and over those of a region."""
    x, y, is_west = oracle(season.outputs, name, way)
    found = {(s.scope, s.statistic): s for s in compared.scores(n_draw=0)
             if (s.apriori, s.way) == (name, way)}  # fmt: skip
    for scope, chosen in ((ALL, np.ones(x.size, bool)), ("region:west", is_west)):
        a, b = x[chosen], y[chosen]
        expected = [b.mean(), a.mean(), (b - a).mean(), 100 * (b.mean() / a.mean() - 1)]
        expected += [
            np.sqrt(((b - a) ** 2).mean()),
            np.corrcoef(a, b)[0, 1],
            np.polyfit(a, b, 1)[0],
        ]
        values = [found[scope, statistic].value for statistic in STATISTICS]
        # float64 sums of squares lose some digits against deviations from the mean
        np.testing.assert_allclose(values, expected, rtol=1e-8, atol=1e-12)
        assert found[scope, "slope"].n == chosen.sum()
    assert ("region:far", "slope") not in found


def test_both_ways_give_one_ratio_at_every_pixel(compared):
    """sum(A x) / V = sum(x) / V': to the rounding of the float32 columns in the file."""
    assert set(compared.disagreement) == {"DACNO2", "CAMS"}
    # four float32 numbers of a relative error of 6e-8 each
    assert all(worst < 5e-7 for worst in compared.disagreement.values())


def test_every_pixel_is_of_one_class_of_each_kind(compared):
    """Seasons, hours, land and sea add up to all pixels; the scatter counts each once."""
    n = {s.scope: s.n for s in compared.scores(n_draw=0)}
    total = compared.n_pixel
    assert n[ALL] == total == n["season:JJA"]
    assert sum(v for k, v in n.items() if k.startswith("hour:")) == total
    assert sum(n.get(k, 0) for k in ("land", "sea", "coast")) == total
    assert compared.counts.sum(axis=(2, 3)).tolist() == [[total, total], [total, total]]
    # 12:20 UTC at 1 to 4 degrees east
    assert {k for k in n if k.startswith("hour:")} <= {"hour:12", "hour:13"}


def test_days_are_drawn_for_intervals(compared, season):
    """Three days are too few; of the same three days twice there is one, with the mean in it."""
    assert all(np.isnan(s.low) for s in compared.scores(n_draw=50))
    more = Comparison(("CAMS",))
    more.add(season.outputs[0])
    sums = next(iter(more.days.values()))
    generator = np.random.default_rng(0)
    start = np.datetime64("2019-06-01")
    more.days = {start + i: sums * generator.uniform(0.5, 2.0) for i in range(6)}
    score = next(s for s in more.scores(n_draw=200) if s.statistic == "mean_difference")
    # days that differ in number only have one mean: the interval is a point
    np.testing.assert_allclose([score.low, score.high], score.value, rtol=1e-9)
    more.days[start] = more.days[start] * np.array([1, 1, 2, 1, 4, 2])
    score = next(s for s in more.scores(n_draw=200) if s.statistic == "mean_model")
    assert score.low < score.value < score.high and score.n_day == 6


def test_pixels_across_the_antimeridian_lie_in_a_box_that_crosses_it(season):
    """A box of the whole globe, one of the other side, one that ends at the pixels."""
    n = {}
    for box in ((-180.0, -90.0, 180.0, 90.0), (170.0, -90.0, -170.0, 90.0), (350.0, 40, 360.0, 60)):
        found = Comparison(("CAMS",), bbox=box)
        found.add(season.outputs[0])
        n[box[0]] = found.n_pixel
    assert n[-180.0] > 0 == n[170.0] == n[350.0]


def test_orbits_that_cannot_be_compared_are_refused(season, tmp_path):
    """Originals, and orbits that lack a set."""
    with pytest.raises(ProductError, match="Given an original orbit"):
        sets_of(season.originals[0])
    assert sets_of(season.outputs[0]) == (("DACNO2", "CAMS"), "TM5")
    with pytest.raises(ProductError, match="must be re-retrieved with OTHER"):
        Comparison(("OTHER",)).add(season.outputs[0])


def test_a_column_that_was_changed_afterwards_shows(season, tmp_path):
    """Two per cent on the model's own column: both ways disagree by that."""
    path = tmp_path / season.outputs[0].name
    shutil.copy(season.outputs[0], path)
    with netCDF4.Dataset(path, "a") as file:
        values = file["PRODUCT"]["apriori_tropospheric_column_CAMS"]
        values[:] = 1.02 * values[:]
    found = Comparison(("DACNO2", "CAMS"))
    found.add(path)
    assert found.disagreement["CAMS"] == pytest.approx(1 - 1 / 1.02, rel=1e-4)
    assert found.disagreement["DACNO2"] < 5e-7


def test_columns_beyond_the_classes_are_counted(season, tmp_path):
    """A model of 1e17 molecules cm-2 stands at the end of the axes, and that is said."""
    path = tmp_path / season.outputs[0].name
    shutil.copy(season.outputs[0], path)
    with netCDF4.Dataset(path, "a") as file:
        file["PRODUCT"]["apriori_tropospheric_column_CAMS"][:] = 100.0 * PMOLEC
    found = Comparison(("CAMS",))
    n = found.add(path)
    assert found.n_beyond == n
    assert found.counts[0, 1, :, -1].sum() == n


@given(st.lists(st.tuples(*(st.floats(-50, 50) for _ in range(2))), min_size=3, max_size=20))
def test_statistics_of_sums_are_those_of_numbers(points):
    """Means, root mean square; a perfect line correlates."""
    x, y = np.array(points).T
    sums = np.array([x.size, x.sum(), y.sum(), x @ x, y @ y, x @ y])
    found = dict(zip(STATISTICS, statistics(sums), strict=True))
    # sums of squares up to 50^2 cancel to 1e-11 in a mean
    assert found["mean_difference"] / PMOLEC == pytest.approx((y - x).mean(), abs=1e-9)
    rms = np.sqrt(((y - x) ** 2).mean())
    assert found["root_mean_square"] / PMOLEC == pytest.approx(rms, abs=1e-5)


def test_pairs_have_the_labels_of_maps():
    """Model over satellite, set by set."""
    assert pairs_of(["A", "B"])[2:] == [("B_kernel", "TM5"), ("B_model", "B")]
