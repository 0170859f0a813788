"""The season's steps: columns as `reretrieve` has them, numbers that are known, resumption."""

from __future__ import annotations

import csv
import shutil

import netCDF4
import numpy as np
import pytest
from click.testing import CliRunner

from cli.evidence import __main__ as program
from cli.evidence import day as stages
from cli.evidence.gridding import AVERAGES, COMMON, TRUE, add_day, plans
from cli.evidence.numbers import BACKGROUND, HOTSPOTS, numbers_of, steps
from cli.evidence.predictions import BEGIN, END, predictions, update_block
from cli.evidence.results import Source, write_results
from cli.evidence.retrieve import label, parts_of, write_columns
from cli.evidence.season import DayFolder, Season, sample_days, spread
from cli.evidence.tables import steps_table
from cli.story.day import MODES, TM5, DayFiles
from dacno2_s5p.network.checkpoint import save_checkpoint
from retrieval.files.locks import alone_in
from retrieval.substitution.job import Job
from retrieval.substitution.options import Above, Options
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.network_builders import random_network
from tests.builders.orbit_builder import build_orbit
from tests.builders.training_builders import make_days, make_info

COLUMN = "nitrogendioxide_tropospheric_column"


def test_the_sample_spans_the_year():
    """Sixty days of all months and weekdays, and any first part of them spans the year, too."""
    days = sample_days()
    dates = np.array(days, dtype="datetime64[D]")
    assert len(days) == 60
    assert set(dates.astype("datetime64[M]").astype(int) % 12) == set(range(12))
    assert {int(d) for d in dates.astype(int) % 7} == set(range(7))
    order = spread(days)
    assert sorted(order) == sorted(days)
    first = np.array(spread(days, 15), dtype="datetime64[D]")
    assert (first.max() - first.min()).astype(int) > 300
    assert spread(days, 15) == order[:15]  # fewer days now, the rest later


def test_columns_are_those_of_reretrieve(workspace, tmp_path):
    """Each set and mode has the very columns of a re-retrieved file."""
    sets = {"dacno2": workspace.profiles, "cams": workspace.cams}
    ctm = workspace.folder / "ctm"
    output = write_columns(workspace.orbit, sets, ctm, tmp_path / "new" / "columns.nc")
    with netCDF4.Dataset(output) as found:
        assert len(found.variables) == 2 + len(sets) * len(MODES)
        for mode in (Above.NONE, Above.UPPER):
            upper = ctm if mode is Above.UPPER else None
            target = tmp_path / f"{mode}.nc"
            reretrieve(workspace.orbit, Job(sets, Options(above=mode), upper=upper), target)
            with netCDF4.Dataset(target) as file:
                product = file["PRODUCT"]
                for name in ("scanline", "ground_pixel"):
                    np.testing.assert_array_equal(found[name][:], product[name][:])
                for name in sets:
                    expected = product[f"{COLUMN}_{name.upper()}_apriori"][0]
                    got = found[label(name, mode)]
                    assert got.units == "mol m-2"
                    assert np.isfinite(expected).sum() > 100
                    np.testing.assert_array_equal(got[:].filled(-1), expected.filled(-1))


def test_a_lower_merge_height_cuts_the_set(workspace, tmp_path):
    """What stands above the merge height is no longer the set's: with nothing there, V' rises."""
    ctm = workspace.folder / "ctm"
    modes = (Above.NONE,)
    whole = write_columns(workspace.orbit, {"model": ctm}, ctm, tmp_path / "a.nc", modes=modes)
    cut = write_columns(
        workspace.orbit, {"model": ctm}, ctm, tmp_path / "b.nc", merge_height=5000.0, modes=modes
    )
    with netCDF4.Dataset(whole) as one, netCDF4.Dataset(cut) as other:
        ratio = np.ma.median(other["MODEL_none"][:] / one["MODEL_none"][:])
    assert ratio > 1.02  # the kernel is largest where NO2 was taken away


FACTORS = {"none": 1.3, "constant-vmr": 1.1, "upper": 1.02}
CONTENT = {"TM5CUT": 1.0, "CAMS": 1.05, "TRUTH8": 1.2, "DACNO2": 1.1, "TRUTH": 1.25}
COARSE = {"AT10KM": 0.98, "AT1DEG": 0.9, "": 1.0}
TRUTH_FACTOR = 1.25


def factor(text: str) -> float:
    """Column of a label over TM5's, made up."""
    name, mode = parts_of(text)
    fine = name.removesuffix("AT10KM").removesuffix("AT1DEG")
    return FACTORS[mode] * CONTENT[fine] * COARSE[name.removeprefix(fine)]


def make_day(folder: DayFolder, season: Season, checkpoint, i: int) -> None:
    """Make a small orbit and columns that are TM5's times known factors."""
    orbits = folder.path / "orbits"
    orbits.mkdir(parents=True)
    area = (1.3 + 0.1 * i, 47.8, 3.4 + 0.1 * i, 49.8)
    orbit = build_orbit(
        orbits, n_scanline=24, n_ground_pixel=20, date=folder.date, seed=i,
        orbit_number=8400 + 14 * i, area=area,
    ).path  # fmt: skip
    with netCDF4.Dataset(orbit) as file:
        product = file["PRODUCT"]
        column = product[COLUMN][0]
        index = {name: product[name][:] for name in ("scanline", "ground_pixel")}

    def write(path, columns):
        path.parent.mkdir(parents=True, exist_ok=True)
        with netCDF4.Dataset(path, "w") as file:
            for name, values in index.items():
                file.createDimension(name, values.size)
                file.createVariable(name, "i4", (name,))[:] = values
            for name, values in columns.items():
                variable = file.createVariable(name, "f8", tuple(index), fill_value=9e36)
                variable.units = "mol m-2"
                variable[:] = values

    truth = orbits / "truth.nc"
    write(truth, {"true_tropospheric_column": column * TRUTH_FACTOR})
    by_file: dict[str, dict[str, np.ndarray]] = {}
    for plan in plans(season, checkpoint):
        for text, file in plan.columns:
            by_file.setdefault(file, {})[text] = column * factor(text)
    for file, columns in by_file.items():
        write(folder.columns(file), columns)
    empty = folder.path / "ctm"
    folder.note_originals(DayFiles(ctm=empty, sets={}, orbit=orbit, truth=truth))


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    """Five days whose columns are known multiples of TM5's, with a checkpoint."""
    folder = tmp_path_factory.mktemp("evidence")
    checkpoint = folder / "network.safetensors"
    checkpoint.write_bytes(b"a network")
    season = Season(folder, tuple(f"2019-06-0{i}" for i in range(1, 6)))
    for i, day in enumerate(season):
        make_day(day, season, checkpoint, i)
        for plan in plans(season, checkpoint):
            add_day(day, plan)
    return season, checkpoint


def test_numbers_are_the_known_ones(made_up):
    """Changes against TM5 and errors against the truth come out as they were put in."""
    season, checkpoint = made_up
    common, _ = (numbers_of(plan, n_replicate=5) for plan in plans(season, checkpoint))
    assert common.l3.n_day == 5
    assert {HOTSPOTS, BACKGROUND, "domain", "Paris"} <= set(common.areas)
    for mode in MODES:
        for name in ("CAMS", "DACNO2", "TM5CUT"):
            text = label(name, mode)
            for area in ("domain", "Paris", BACKGROUND):
                one = common.number(area, text, TM5)
                expected = 100 * (factor(text) - 1)
                # products of float64 numbers, summed over pixels
                assert one.ratio_of_means == pytest.approx(expected, abs=1e-6)
                assert one.mean_of_cells == pytest.approx(expected, abs=1e-6)
                assert one.ratio_of_means_low == pytest.approx(expected, abs=1e-6)
            one = common.number("domain", text, TRUE)
            expected = 100 * (factor(text) / TRUTH_FACTOR - 1)
            assert one.ratio_of_means == pytest.approx(expected, abs=1e-6)
    assert common.number("Alps", "CAMS_none", TM5) is None  # no orbit went there


def test_steps_multiply_to_the_whole(made_up):
    """Content at 1 degree, then two steps of resolution, make the change of the fine set."""
    season, checkpoint = made_up
    plan = next(one for one in plans(season, checkpoint) if one.name == AVERAGES)
    found = numbers_of(plan, n_replicate=5)
    parts = [found.number("domain", *pair) for pair in steps("dacno2", Above.UPPER)]
    product = np.prod([1 + one.ratio_of_means / 100 for one in parts])
    whole = found.number("domain", "DACNO2_upper", TM5)
    assert product == pytest.approx(1 + whole.ratio_of_means / 100, rel=1e-9)
    assert product == pytest.approx(1.02 * 1.1, rel=1e-9)
    assert "DACNO2-S5P, 2 km" in steps_table(found)


def test_results_are_tables_and_figures(made_up, tmp_path):
    """Page, tidy table and figures are written, and the page names what the numbers are of."""
    season, checkpoint = made_up
    source = Source(season.days, checkpoint.name, "0" * 64)
    written = write_results(plans(season, checkpoint), tmp_path, source, n_replicate=5)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written}
    page = (tmp_path / "results.md").read_text()
    assert "5 days from 2019-06-01 to 2019-06-05" in page
    assert "network.safetensors, SHA-256 000000000000" in page
    assert "| domain | CAMS-like, 10 km | +7.1" in page  # upper: 1.02 x 1.05
    assert "None" not in page
    for name in ("changes.png", "errors.png", "maps.png"):
        assert f"({name})" in page
        assert (tmp_path / name).stat().st_size > 10_000
    with (tmp_path / "season.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["maps"] for row in rows} == {COMMON, AVERAGES}
    one = next(r for r in rows if (r["product"], r["area"]) == ("CAMS_none", "domain"))
    assert (one["product_set"], one["product_mode"], one["reference_set"]) == ("CAMS", "none", TM5)
    assert float(one["ratio_of_means"]) == pytest.approx(36.5, abs=1e-3)  # five digits


def test_predictions_are_held_against_the_numbers(made_up):
    """A verdict follows from the numbers, one way or the other, and says which numbers."""
    season, checkpoint = made_up
    found = numbers_of(plans(season, checkpoint)[0], n_replicate=5)
    rows = predictions(found)
    holds = {row.prediction: row.holds for row in rows}
    # made up: 1.3 with nothing above, of which 1.0 is the set's: the cut is all there is
    assert holds["`none`: TM5's own profile cut at 5 km raises the mean column by more than 15 %"]
    # made up: the cut profile does not come back in `upper` but stays 2 % high
    assert not holds["`upper`: the same profile, its upper part given back, changes nothing"]
    # made up: DACNO2 itself adds 10 %, a third of 30; the true profiles 20 %, more than a third
    own = {
        row.prediction.split(",")[1].strip(): row.holds for row in rows if "third" in row.prediction
    }
    assert own["CAMS-like"]
    assert not own["truth at eight heights"]
    assert len(holds) == len(rows) == 2 + 3 * 3 + 2 + 3


def test_the_block_of_a_page_is_replaced(tmp_path):
    """What stands between the marks is new, the rest stays; a page without marks is left alone."""
    page = tmp_path / "evidence.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    assert update_block(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    page.write_text("no marks")
    assert not update_block(page, "new")
    assert page.read_text() == "no marks"
    assert not update_block(tmp_path / "none.md", "new")


def test_without_a_network_the_rest_is_there(made_up):
    """Without checkpoint no label of the network is asked for, and sums lie elsewhere."""
    season, checkpoint = made_up
    common, averages = plans(season, None)
    assert not any(text.startswith("DACNO2") for text in (*common.products, *averages.products))
    assert common.products[0] == TM5
    assert common.products[-1] == TRUE
    other = plans(season, checkpoint)[0]
    assert common.folder != other.folder
    assert set(common.products) < set(other.products)


def test_finished_steps_are_not_done_again(tmp_path, monkeypatch):
    """A day that is complete costs nothing; one cut short is made from the start."""
    calls = []

    def write_day(_twin, date, _swath, folder):
        calls.append(date)
        folder.mkdir(parents=True)
        return DayFiles(ctm=folder, sets={"cams": folder}, orbit=folder, truth=folder)

    monkeypatch.setattr(stages, "twin_world", lambda kind: kind)
    monkeypatch.setattr("cli.story.day.best_swath", lambda _date: None)
    monkeypatch.setattr("cli.story.day.write_day", write_day)
    monkeypatch.setattr("cli.story.day.simulate_day", lambda *_: None)
    day = DayFolder(tmp_path / "2023-01-03", "2023-01-03")
    (day.path / "workspace").mkdir(parents=True)  # of an interrupted run
    for _ in range(2):
        stages.make_originals(day)
    assert calls == ["2023-01-03"]
    assert day.originals.ctm == day.path / "workspace"
    shutil.rmtree(day.path)
    stages.make_originals(DayFolder(day.path, day.date))
    assert len(calls) == 2


def test_a_day_that_fails_does_not_stop_the_rest(tmp_path, monkeypatch):
    """The failed day is named in one line, results are written of the others, exit status 1."""
    done = []

    def do_day(season, date, checkpoint):
        assert checkpoint is None
        done.append(date)
        if date == "2023-01-03":
            msg = "no light"
            raise ValueError(msg)

    monkeypatch.setattr(program, "do_day", do_day)
    monkeypatch.setattr(program, "_results", lambda *_: [tmp_path / "results.md"])
    call = ["-o", str(tmp_path), "--days", "3", "--without-network"]
    result = CliRunner().invoke(program.main, call)
    assert result.exit_code == 1
    assert done == list(spread(sample_days(), 3))
    assert "Error: 2023-01-03: no light" in result.output
    assert "results.md" in result.output
    done.clear()
    with alone_in(tmp_path):  # as another process would
        result = CliRunner().invoke(program.main, call)
    assert result.exit_code == 1
    assert "Error: Invalid folder" in result.output
    assert done == []
    with alone_in(tmp_path):  # what is done can be looked at meanwhile
        result = CliRunner().invoke(program.main, [*call, "--done-only"])
    assert (result.exit_code, done) == (0, [])


def test_days_that_the_network_was_trained_on_are_left_out(tmp_path, caplog):
    """And named; without a network all stay."""
    days = spread(sample_days(), 4)
    source = make_days(2)
    info = make_info(source, trained_days=(days[1], "2019-01-01"))
    path = tmp_path / "network.safetensors"
    save_checkpoint(path, random_network(info.network).state_dict(), info)
    with caplog.at_level("WARNING"):
        assert program._unseen(days, path) == (days[0], *days[2:])
    assert days[1] in caplog.text
    assert "2019" not in caplog.text
    assert program._unseen(days, None) == days
