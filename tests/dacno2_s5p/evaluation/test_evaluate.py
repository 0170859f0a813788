"""Tables from analytic fields whose scores are known, and the split that is refused."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest

from dacno2_s5p.errors import CheckpointError, DataError
from dacno2_s5p.evaluation.evaluate import Row, evaluate
from dacno2_s5p.evaluation.evidence import collect
from dacno2_s5p.evaluation.figures.maps import transect
from dacno2_s5p.evaluation.figures.scores import figures
from dacno2_s5p.evaluation.layers import (
    ALL_LAYERS,
    ANOMALIES,
    cell_correlations,
    regional_scores,
)
from dacno2_s5p.evaluation.match import inscribed_box
from dacno2_s5p.evaluation.metrics import pair_sums, scores, season_means
from dacno2_s5p.evaluation.regions import COLUMN_FACTOR, integrate
from dacno2_s5p.evaluation.sets import FieldSet
from dacno2_s5p.evaluation.stations import STATIONS, station_groups
from dacno2_s5p.evaluation.tables import best_rows, markdown, side_by_side, write_csv
from dacno2_s5p.inputs.grid import Patch, named_grid
from dacno2_s5p.inputs.regrid import centres_in
from dacno2_s5p.sources.stations.cells import StationCell
from dacno2_s5p.sources.stations.metadata import Station
from dacno2_s5p.sources.stations.split import checkpoint_points, refuse_training_stations
from retrieval.errors import OutputError
from retrieval.physics.geometry.grids import GEOGRAPHIC, RectilinearGrid

DAYS = np.arange("2023-01-10", "2023-01-20", dtype="datetime64[D]")
HEIGHTS = (0.0, 500.0, 5000.0)
GRID = named_grid("europe-2km").window(Patch(320, 240, 64), "test")  # west of Paris
CAMS_GRID = RectilinearGrid.from_centres(np.arange(-1.95, 5.0, 0.1), np.arange(45.05, 51.5, 0.1))


def _cell(i: int, row: int, column: int, area: str, kind: str = "background") -> StationCell:
    return StationCell(row, column, (f"SPO-{i}",), i % 4 != 3, kind, area, 0.0, 0.0)


class Stations:
    """Measurements in memory: linear in the place, the day's number on top."""

    folder = "stations"

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        areas = ["urban", "suburban", "rural-regional", "rural"]
        self.all = [
            _cell(
                i, *rng.integers(0, 64, 2), areas[i % 3], "industrial" if i == 4 else "background"
            )
            for i in range(16)
        ]

    def cells(self, _year, _days):
        return self.all

    def window_means(self, day, cells, _window):
        means = truth_at(day)[0][[c.row for c in cells], [c.column for c in cells]]
        means[0] = np.nan if day == DAYS[2] else means[0]
        return means


def plane(x, y, day, factor=1.0):
    """Linear in x and y, so that bilinear interpolation and area means are exact."""
    number = float((day - DAYS[0]).astype(int))
    surface = 10.0 + 3e-5 * (x - x.mean()) + 2e-5 * (y - y.mean()) + number
    decline = np.array([1.0, 0.5, 0.01])[:, None, None]
    return factor * decline * surface


def truth_at(day):
    return plane(*np.meshgrid(GRID.cells().x, GRID.cells().y), day)


def fine(name, change=lambda field: field, days=DAYS, **more):
    return FieldSet(
        name, GRID.cells(), HEIGHTS, frozenset(days), lambda day: change(truth_at(day)), **more
    )


def coarse(name="CAMS", heights=HEIGHTS):
    def read(day):
        x, y = np.meshgrid(CAMS_GRID.x, CAMS_GRID.y)
        return plane(6e4 * x, 1e5 * y, day)[: len(heights)]

    return FieldSet(name, CAMS_GRID, heights, frozenset(DAYS), read)


@pytest.fixture(scope="module")
def evidence():
    sets = [
        fine("exact"),
        fine("high", lambda field: field + 2.0),
        coarse(),
        fine("truth", is_bound=True),
    ]
    return collect(sets, list(DAYS), GRID, measurements=Stations(), reference=sets[2])


@pytest.fixture(scope="module")
def rows(evidence):
    population = np.zeros(GRID.shape)
    population[:, :20] = 2000.0
    population[:, 20:40] = 400.0
    return evaluate(evidence, population=population, n_draw=50)


def value(rows, table, group, metric, name, height=None):
    found = [
        row
        for row in rows
        if (row.table, row.group, row.metric, row.set) == (table, group, metric, name)
        and (height is None or row.height == height)
    ]
    assert len(found) == 1
    return found[0]


def test_only_held_out_cells_are_compared(evidence):
    """Every fourth station is a training one and does not appear."""
    assert len(evidence.cells) == 12
    assert all(cell.is_evaluation for cell in evidence.cells)
    assert evidence.observed.shape == (10, 12)


def test_a_perfect_set_has_perfect_scores(rows):
    """Without error RMSE and bias are 0, r and R2 1; pairs without a measurement do not count."""
    row = value(rows, "stations", "all", "rmse", "exact")
    # fields on the grid's own cells go through weights of exactly 0 and 1
    assert row.value == pytest.approx(0.0, abs=1e-10)
    assert row.n == 12 * 10 - 1
    assert value(rows, "stations", "all", "r2", "exact").value == pytest.approx(1.0, abs=1e-12)


def test_a_shift_is_a_bias_in_every_group(rows):
    """Two more everywhere: bias and RMSE are 2, r stays 1, for all areas and types."""
    for group in ("all", "urban", "suburban", "rural", "background", "industrial"):
        for metric, expected in (("bias", 2.0), ("rmse", 2.0), ("r", 1.0)):
            found = value(rows, "stations", group, metric, "high").value
            assert found == pytest.approx(expected, abs=1e-9)


def test_variants_of_rural_are_rural(evidence):
    """EEA writes rural-regional, rural-nearcity; the groups share all cells out."""
    groups = station_groups(evidence.cells)
    total = groups["urban"].astype(int) + groups["suburban"] + groups["rural"]
    assert (total == 1).all()


def test_station_series_and_consistency(rows):
    """The series of a perfect and of a shifted set correlate; daily means keep the shift."""
    assert value(rows, "station series", "all", "median r", "high").value == pytest.approx(1.0)
    assert value(rows, "station series", "all", "mean r2", "high").value < 1.0
    assert value(rows, "consistency", "DJF", "bias", "high").value == pytest.approx(2.0)


def test_layers_are_compared_on_the_reference_s_cells(evidence, rows):
    """The shift of 2 shows in each layer; layer means removed, the shift is gone."""
    exact = value(rows, "layers", "500 m", "bias", "exact").value
    high = value(rows, "layers", "500 m", "bias", "high").value
    assert high - exact == pytest.approx(2.0, abs=1e-9)
    spread = [value(rows, "layers", ANOMALIES, "rmse", n).value for n in ("exact", "high")]
    assert spread[0] == pytest.approx(spread[1], abs=1e-9)
    assert (
        value(rows, "layers", ALL_LAYERS, "r2", "high").n
        == 3 * value(rows, "layers", "0 m", "r2", "high").n
    )
    west, south, east, north = inscribed_box(GRID.cells())
    # cells of 0.1 degree that fit wholly into the inscribed box: one fewer where it cuts two
    n_x, n_y = np.floor((east - west) * 10), np.floor((north - south) * 10)
    n_cell = value(rows, "layers", "0 m", "r2", "high").n / DAYS.size
    assert (n_x - 1) * (n_y - 1) <= n_cell <= n_x * n_y


def test_equal_fields_agree_layer_by_layer():
    """One smooth function of the place on both grids: each layer meets its own, cell by cell."""

    def smooth(longitude, latitude):
        surface = 10.0 + np.sin(3.0 * longitude) + latitude - 48.0
        return np.array([1.0, 0.5, 0.01])[:, None, None] * surface

    places = {grid: centres_in(cells, GEOGRAPHIC) for grid, cells in _grids().items()}
    fine_set, reference = (
        FieldSet(name, cells, HEIGHTS, frozenset(DAYS), lambda _, name=name: smooth(*places[name]))
        for name, cells in _grids().items()
    )
    found = scores(
        collect([fine_set, reference], list(DAYS[:1]), GRID, reference=reference).layers["fine"]
    )
    # a sine of 0.1 degree: cell means differ from centres by (0.3)^2 / 24 of its amplitude, 0.4 %
    assert (found.rmse < 0.005 * np.array([1.0, 0.5, 0.01])).all()
    assert (found.r > 0.9999).all()


def _grids():
    return {"fine": GRID.cells(), "coarse": CAMS_GRID}


def test_only_shared_heights_are_compared():
    """Layers that the reference lacks are left out of the comparison, not interpolated."""
    reference = coarse(heights=(0.0, 500.0))
    found = collect([fine("a"), reference], list(DAYS[:2]), GRID, reference=reference)
    assert found.layer_heights["a"] == (0.0, 500.0)
    assert found.layers["a"].shape == (2, 2, 7)


def test_columns_and_profiles_of_a_region(evidence, rows):
    """Mean profiles are those of the field; columns are their exact trapezoids."""
    profile = [
        value(rows, "profiles", "domain", "mean [ug m-3]", "exact", h).value for h in HEIGHTS
    ]
    # the mean of the plane is 10, of ten days' numbers 4.5
    np.testing.assert_allclose(profile, 14.5 * np.array([1.0, 0.5, 0.01]), rtol=1e-9)
    found = value(rows, "columns", "domain, 0-1000 m", "mean [molec cm-2]", "exact").value
    at_1000 = profile[1] + (profile[2] - profile[1]) * 500.0 / 4500.0
    mass = 250.0 * (profile[0] + profile[1]) + 250.0 * (profile[1] + at_1000)
    assert found == pytest.approx(mass * COLUMN_FACTOR, rel=1e-9)


def test_columns_are_integrated_over_shared_heights():
    """A set with one level more, far off the chord, has the same column."""
    day = DAYS[0]

    def more(_):
        field = truth_at(day)
        return np.concatenate([field[:2], 9.0 * field[:1], field[2:]])

    heights = (*HEIGHTS[:2], 700.0, HEIGHTS[2])
    other = FieldSet("more", GRID.cells(), heights, frozenset(DAYS), more)
    found = evaluate(collect([fine("a"), other], [day], GRID), n_draw=0)
    columns = {row.set: row.value for row in found if row.group == "domain, 0-1000 m"}
    assert columns["more"] == pytest.approx(columns["a"], rel=1e-12)


def test_ratios_by_urbanisation(evidence, rows):
    """Ratios to the reference exist for the classes present, and are those of the means."""
    groups = {row.group for row in rows if row.table == "urbanisation"}
    assert groups == {"urban", "suburban", "uninhabited"}
    of_urban = np.zeros(GRID.shape, bool)
    of_urban[:, :20] = True
    expected = (
        evidence.means["high"][1][of_urban].mean() / evidence.means["CAMS"][1][of_urban].mean()
    )
    found = value(rows, "urbanisation", "urban", "ratio to CAMS", "high", 500.0).value
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_transect_follows_the_field(evidence):
    """Points a cell apart, each the value of its cell; none where the line leaves the grid."""
    found = transect(evidence, "exact", (0.2, 48.0), (0.8, 48.0))
    assert found is not None
    distance, profiles = found
    assert profiles.shape == (3, distance.size)
    # 0.6 degree at 48 N is 44.6 km
    assert distance[-1] == pytest.approx(44_600.0, rel=0.01)
    assert np.diff(distance).max() == pytest.approx(2000.0, rel=0.05)
    # the plane rises by 3e-5 a metre to the east and 2e-5 to the north; a parallel bends a little
    assert profiles[0, -1] - profiles[0, 0] == pytest.approx(3e-5 * distance[-1], rel=0.15)
    assert transect(evidence, "exact", (0.2, 48.0), (9.0, 48.0)) is None


def test_integration_does_not_extrapolate():
    """A layer that heights do not reach has no column."""
    assert np.isnan(integrate([0.0, 3000.0], [1.0, 1.0], 1000.0, 5000.0))
    profiles = np.ones((2, 4, 5))
    np.testing.assert_allclose(integrate([0.0, 3000.0], profiles, 500.0, 1500.0), 1000.0)


def test_days_that_a_set_lacks_are_left_out_for_all(caplog):
    """Side by side means on the same days; the reason is kept and said."""
    sets = [fine("a"), fine("b", days=DAYS[1:])]
    found = collect(sets, list(DAYS), GRID)
    assert found.days.tolist() == DAYS[1:].tolist()
    assert found.left_out == ["2023-01-10: not in b"]
    assert "1 days are left out" in caplog.text


def test_no_common_day_is_an_error():
    """Nothing is evaluated on nothing."""
    with pytest.raises(DataError, match="No day to evaluate"):
        collect([fine("a", days=DAYS[:1])], list(DAYS[1:]), GRID)


def test_a_field_of_another_shape_is_refused():
    """A set must be on the grid it claims."""
    with pytest.raises(DataError, match="must have the shape"):
        collect([fine("a", lambda field: field[:2])], list(DAYS[:1]), GRID)


def test_names_are_unique():
    """Two sets of one name would be one column."""
    with pytest.raises(ValueError, match="name of its own"):
        collect([fine("a"), fine("a")], list(DAYS[:1]), GRID)


def test_a_training_station_is_refused():
    """By sampling point or by EoI code, naming it."""
    cells = [_cell(0, 1, 1, "urban"), _cell(1, 2, 2, "rural")]
    stations = {"SPO-1": Station("SPO-1", "FR0001A", 2.0, 48.0, "background", "rural")}
    refuse_training_stations(cells, stations, {"SPO-9"}, "a list")
    for trained in ("SPO-1", "FR0001A"):
        with pytest.raises(DataError, match="1 that are, the first SPO-1"):
            refuse_training_stations(cells, stations, {trained}, "a list")


def test_the_split_of_a_checkpoint_is_its_own_list_or_its_stores():
    """Training cells of the store with the checkpoint's fingerprint; any other store is none."""
    stations = {"2019": [{"members": ["A", "B"], "is_evaluation": False}]}
    assert checkpoint_points("c", (), "hash", {"hash": stations}) == {"A", "B"}
    assert checkpoint_points("c", ("C",), "hash", {}) == {"C"}
    with pytest.raises(CheckpointError, match="--store"):
        checkpoint_points("c", (), "hash", {"other": stations})


def test_best_values_are_marked_and_bounds_do_not_compete(rows):
    """Least RMSE, least size of bias, largest r; the truth is never best; one set alone neither."""
    best = best_rows(rows)
    assert value(rows, "stations", "all", "rmse", "exact") in best
    assert value(rows, "stations", "all", "rmse", "high") not in best
    assert not any(row.set == "truth" for row in best)
    rivals = [Row("t", "g", "bias", name, v, 9) for name, v in (("a", -3.0), ("b", 1.0))]
    assert best_rows(rivals) == {rivals[1]}
    assert best_rows(rivals[:1]) == set()
    assert best_rows([replace(row, metric="r2") for row in rivals]) == {
        replace(rivals[1], metric="r2")
    }


def test_tables_hold_every_number(rows, tmp_path):
    """The CSV has a line a row and the marks; Markdown has the sets side by side."""
    path = tmp_path / "scores.csv"
    write_csv(path, rows)
    with path.open(encoding="utf-8") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(rows)
    first = next(line for line in lines if line["metric"] == "bias" and line["set"] == "high")
    assert first["value"] == "2"
    assert float(first["low_days"]) == pytest.approx(2.0)
    with pytest.raises(OutputError):
        write_csv(path, rows)
    header, cells = side_by_side(rows, "stations")
    assert header == ["group", "metric", "exact", "high", "CAMS", "truth", "N"]
    assert cells[0][2].endswith("*")
    text = markdown(rows, "Evaluation", ["ten days"])
    assert "| all | RMSE | 0.00" in text
    assert text.count("## ") == 7


def _two_years():
    """Days of two years; the second has one station fewer and another one more."""
    days = [*DAYS[:6], *(DAYS[:6] + 365)]

    class Yearly(Stations):
        def cells(self, year, _days):
            return self.all[:-1] if year == 2023 else self.all[1:]

    return days, Yearly()


@pytest.fixture(scope="module")
def two_years():
    days, stations = _two_years()
    sets = [
        fine("exact", days=days),
        fine("high", lambda field: field + 2.0, days=days),
        FieldSet("CAMS", CAMS_GRID, HEIGHTS, frozenset(days), coarse().read),
    ]
    return collect(sets, days, GRID, measurements=stations, reference=sets[2])


def test_years_have_stations_of_their_own(two_years):
    """A cell is one series over the years; where it does not count in a year it has no value."""
    assert two_years.years == [2023, 2024]
    places = {(c.row, c.column, c.kind, c.area) for c in two_years.cells}
    assert len(places) == len(two_years.cells) == 12  # every fourth of 16 is a training one
    first, second = np.isfinite(two_years.observed[:6]), np.isfinite(two_years.observed[6:])
    assert first.any(axis=0).all()
    missing = np.flatnonzero(~second.any(axis=0))
    assert [two_years.cells[i].members for i in missing] == [("SPO-0",)]


def test_several_years_have_results_of_each_and_together(two_years):
    """Rows of all days, of each year, and means of the stations that have all years."""
    rows = evaluate(two_years, n_draw=0)
    together = value(rows, "stations", "all", "bias", "high")
    parts = [value(rows, "stations", f"all, {year}", "bias", "high") for year in (2023, 2024)]
    assert [row.year for row in (together, *parts)] == [0, 2023, 2024]
    assert together.n == sum(row.n for row in parts)
    assert all(row.value == pytest.approx(2.0, abs=1e-9) for row in (together, *parts))
    assert value(rows, "layers", "500 m, 2024", "bias", "high")
    names = [f"{year}, stations of all years" for year in (2023, 2024)]
    means = {
        name: [value(rows, "consistency", group, "mean [ug m-3]", name).value for group in names]
        for name in ("exact", "high", STATIONS)
    }
    assert means["exact"] == pytest.approx(means[STATIONS], rel=1e-12)
    # the field rises by one a day: 365 days later by 365, at the same stations
    assert means["exact"][1] - means["exact"][0] == pytest.approx(365.0, rel=1e-9)
    assert means["high"][0] - means["exact"][0] == pytest.approx(2.0, rel=1e-9)


def test_layers_are_correlated_in_time(evidence, rows):
    """A shift leaves correlations in time at 1, of the regional mean and of each cell (S6)."""
    for metric in ("regional mean in time: r", "cells in time: median r"):
        row = value(rows, "layers", "500 m", metric, "high")
        assert row.value == pytest.approx(1.0, abs=1e-9)
    assert value(rows, "layers", "500 m", "regional mean in time: r", "high").n == DAYS.size
    r = cell_correlations(evidence, "high")
    assert r.shape == (len(HEIGHTS), *evidence.reference_cells.shape)
    assert (
        np.isfinite(r[0]).sum() == value(rows, "layers", "0 m", "cells in time: median r", "high").n
    )
    noise = np.random.default_rng(0).normal(size=(9, 1, 1))
    spoiled = replace(evidence, layers={"high": pair_sums(noise, np.arange(9.0)[:, None, None])})
    found = regional_scores(spoiled.layers["high"][:, 0])
    assert found[0] == pytest.approx(np.corrcoef(noise[:, 0, 0], np.arange(9.0))[0, 1], abs=1e-12)
    assert regional_scores(spoiled.layers["high"][:4, 0]) is None


def test_seasons_of_years_are_averaged():
    """December belongs to the next winter; days without a pair do not count."""
    days = np.array(["2022-12-31", "2023-01-05", "2023-03-01", "2023-12-01"], "datetime64[D]")
    middle, means, expected = season_means([1.0, 3.0, 5.0, np.nan], [2.0, 2.0, 2.0, 2.0], days)
    assert middle.astype(str).tolist() == ["2023-01-15", "2023-04-15", "2024-01-15"]
    np.testing.assert_array_equal(means, [2.0, 5.0, np.nan])
    np.testing.assert_array_equal(expected, [2.0, 2.0, np.nan])


def test_figures_of_several_years(two_years):
    """Days and seasons, layers in time, and the level of each year are drawn, yearly rows apart."""
    drawn = figures(two_years, evaluate(two_years, n_draw=0), "a note")
    assert {"series", "layers_in_time", "years"} <= set(drawn)
    series = drawn["series"].axes
    assert [axes.get_title() for axes in series] == ["days"]  # one season: no second panel
    assert "(r " in series[0].get_legend().get_texts()[0].get_text()
    (years,) = drawn["years"].axes
    assert {line.get_label() for line in years.lines} == {"exact", "high", "CAMS", STATIONS}
    assert all(len(line.get_xdata()) == 2 for line in years.lines)
    titles = [axes.get_title() for axes in drawn["layers_in_time"].axes]
    assert "high, 500 m" in titles
    assert len(drawn["layers"].axes[0].lines) == 2  # a line a set, none of a single year
