"""The store: what went in comes out, statistics, gaps, resuming, nothing that is not finite."""

from __future__ import annotations

import json
from types import SimpleNamespace

import netCDF4
import numpy as np
import pytest
import torch

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.grid import Patch
from dacno2_s5p.inputs.normalisation import Normaliser
from dacno2_s5p.inputs.samples import read_targets
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.prediction.days import FileDays
from dacno2_s5p.sources.cams.fields import CamsTargets
from dacno2_s5p.sources.day import InputSources
from dacno2_s5p.sources.paths import SourcePaths
from dacno2_s5p.store.chunks import write_chunk
from dacno2_s5p.store.prepare import Preparer, Settings, days_of
from dacno2_s5p.store.screen import LevelYear, distance, screen, sentences
from dacno2_s5p.store.store import Store, day_path, month_path
from dacno2_s5p.store.transported import with_transport
from dacno2_s5p.training.sampling import SamplingRecipe, make_sampler
from tests.builders.source_files import (
    DAY,
    GRID,
    SECTORS,
    as_one_file,
    smooth_cams,
    write_all,
    write_cams,
    write_era5,
    write_flights,
    write_inventory,
)

DAYS = (DAY, DAY + 1, DAY + 2)
STEPS = Preparation(weather_steps=8)
WHOLE = Patch(0, 0, 64)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_all(folder, list(DAYS))
    return folder


def settings(**changes) -> Settings:
    return Settings(**{"days": DAYS, "grid": GRID, "preparation": STEPS, **changes})


def make(files, folder, **changes) -> Store:
    preparer = Preparer(SourcePaths.in_folder(files), folder, settings(**changes))
    try:
        return preparer.write(preparer.plan())
    finally:
        preparer.close()


@pytest.fixture(scope="module")
def store(files, tmp_path_factory):
    return make(files, tmp_path_factory.mktemp("stores") / "store")


def test_samples_have_the_shapes_of_the_network(store):
    """A patch of the store is what the network and its losses ask for."""
    sample = store.inputs(1, Patch(8, 16, 48))
    assert sample.temporal.shape == (3,)
    assert sample.emission.shape == (12, 48, 48)
    assert sample.geography.shape == (6, 48, 48)
    assert sample.single.shape == (8, 13, 6, 6)
    assert sample.multi.shape == (8, 9, 8, 6, 6)
    assert store.cams(1, Patch(8, 16, 48)).shape == (8, 12, 12)
    assert all(getattr(sample, g).dtype == torch.float32 for g in ("single", "emission"))


def test_a_patch_is_the_whole_cut(store):
    """Reading a window of the chunks is cutting the day's whole inputs."""
    patch = Patch(8, 16, 48)
    whole, part = store.day_inputs(2).cut(patch), store.inputs(2, patch)
    for group in ("temporal", "emission", "geography", "single", "multi"):
        assert torch.equal(getattr(whole, group), getattr(part, group))


def test_statistics_are_those_of_a_second_pass(store):
    """Merged moments equal mean and deviation of all samples, transforms applied."""
    table = store.table
    days = [store.day_inputs(i) for i in range(store.n_day)]
    for group in ("temporal", "emission", "geography", "single"):
        axis = 1 if group == "single" else 0
        values = torch.stack([getattr(d, group) for d in days]).double().numpy()
        values = np.moveaxis(values, axis + 1, 0)
        for i, channel in enumerate(table.channels(group)):
            if channel.is_encoded:
                continue
            raw = values[i]
            moved = np.log1p(raw / channel.log_unit) if channel.transform == "log1p" else raw
            # float64 sums of float32 values, in another order
            assert store.statistics.mean[group][i] == pytest.approx(moved.mean(), rel=1e-9)
            assert store.statistics.std[group][i] == pytest.approx(moved.std(), rel=1e-7)
    multi = torch.stack([d.multi for d in days]).double().numpy()
    for i in range(9):
        # one mean for all heights, as the table says
        np.testing.assert_allclose(store.statistics.mean["multi"][i], multi[:, :, i].mean())
        # vorticity of 1e-5: its variance is computed without cancellation
        np.testing.assert_allclose(
            store.statistics.std["multi"][i], multi[:, :, i].std(), rtol=1e-6
        )


def test_layer_ratios_are_those_of_the_targets(store):
    """rho_k = mean_k / mean_0, and the scale is the deviation of the surface."""
    fields = np.stack([store.cams_field(i) for i in range(3)]).astype("f8")
    mean = fields.mean(axis=(0, 2, 3))
    np.testing.assert_allclose(store.scaling.layer_ratio, mean / mean[0], rtol=1e-9)  # float64
    assert store.scaling.target_scale == pytest.approx(fields[:, 0].std(), rel=1e-9)


def test_normalised_inputs_have_unit_spread(store):
    """The store's statistics and samples work together."""
    table = store.table
    normalised = Normaliser(table, store.statistics).normalise(store.day_inputs(0))
    assert torch.isfinite(normalised.multi).all()
    assert float(normalised.single.std()) == pytest.approx(1.0, abs=0.2)  # one day of three


def test_statistics_are_of_the_training_days_only(files, store, tmp_path):
    """With a year held back they are those of the other days alone."""
    with pytest.raises(DataError, match="need training days"):
        make(files, tmp_path / "a", held_years=frozenset({2019}))
    two = make(files, tmp_path / "b", days=DAYS[:2])
    assert not np.allclose(two.statistics.mean["single"], store.statistics.mean["single"])


def test_stations_are_those_of_the_split(store):
    """Training cells by default; values are the window's means."""
    training, held = store.stations(0), store.stations(0, "evaluation")
    assert list(zip(training.rows, training.columns, strict=True)) == [(10, 10), (30, 20)]
    assert held.rows.tolist() == [50]
    # 10 (i + 1) + hour of the day, 11-13 UTC
    assert training.values.tolist() == [22.0, 32.0] and held.values.tolist() == [42.0]
    assert store.stations(0, "all").rows.size == 3
    assert store.station_cells(0)[0]["members"] == ["SPO-FR001"]


def test_training_draws_samples_from_a_store(store):
    """A store is a source of days for sampler and targets."""
    recipe = SamplingRecipe(split="blocked", block_days=1, crop=48)
    crops = make_sampler(store, recipe, 0).draw(0, 3)
    targets = read_targets(store, crops)
    assert targets.cams.shape == (3, 8, 12, 12)
    assert float(targets.station_weight.sum()) > 0


def test_streams_and_origin_are_recorded(store):
    """Each day's CAMS stream, the sources, what was left out."""
    assert store.manifest["days"][str(DAY)] == {"split": "training", "stream": "validated"}
    assert store.training_data == "real"
    assert store.manifest["left_out"] == {}
    assert len(store.manifest_hash) == 64


def test_days_can_be_selected(store):
    """A period, a split, and a day by date; nothing left is an error."""
    assert store.select(first=DAY + 1).n_day == 2
    assert store.select(split="training", years=[2019]).n_day == 3
    assert store.index(DAY + 2) == 2
    with pytest.raises(ConfigurationError, match="Some days must be left"):
        store.select(split="held")
    with pytest.raises(DataError, match="not prepared"):
        store.index(DAY + 9)


def test_missing_pieces_are_named_before_anything_is_written(files, tmp_path):
    """A day beyond the files is refused with what it lacks, and nothing is there."""
    days = (*DAYS, DAY + 3)
    preparer = Preparer(SourcePaths.in_folder(files), tmp_path / "store", settings(days=days))
    plan = preparer.plan()
    lacking = "; ".join(plan.missing[str(DAY + 3)])
    assert "ERA5 u10" in lacking and "CAMS reanalysis" in lacking and "Eurocontrol" in lacking
    with pytest.raises(DataError, match="1 of 4 days"):
        preparer.write(plan)
    assert not (tmp_path / "store").exists()


def test_incomplete_days_are_left_out_only_when_asked(files, tmp_path):
    """The manifest says which, and why."""
    store = make(files, tmp_path / "store", days=(*DAYS, DAY + 3), skip_missing=True)
    assert store.days == DAYS
    assert "Eurocontrol" in "; ".join(store.manifest["left_out"][str(DAY + 3)])
    with pytest.raises(DataError, match="Eurocontrol"):
        store.index(DAY + 3)


def test_an_absent_source_is_named(files, tmp_path):
    """A raster folder and a source folder that do not exist."""
    paths = SourcePaths.in_folder(files, {"merit": tmp_path / "no", "era5": tmp_path / "none"})
    preparer = Preparer(paths, tmp_path / "store", settings())
    plan = preparer.plan()
    assert plan.static == [f"merit in {tmp_path / 'no'}"]
    (tmp_path / "eea").mkdir()
    without = SourcePaths.in_folder(files, {"eea": tmp_path / "eea"})
    (sentence,) = Preparer(without, tmp_path / "store", settings()).plan().static
    assert "Invalid station folder" in sentence
    assert "Invalid ERA5 files" in plan.missing[str(DAY)][0]
    with pytest.raises(DataError, match="Rasters and stations must be there"):
        preparer.write(plan)


def test_a_run_goes_on_where_it_stopped(files, tmp_path, monkeypatch):
    """Interrupted after a day: that day is not read again, and the store is the same."""
    folder = tmp_path / "store"
    preparer = Preparer(SourcePaths.in_folder(files), folder, settings())
    plan = preparer.plan()

    def interrupt(done, _total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        preparer.write(plan, interrupt)
    with pytest.raises(DataError, match="an unfinished one"):
        Store.open(folder)
    times = {i: day_path(folder, DAYS[i]).stat().st_mtime_ns for i in (0, 1)}
    assert not day_path(folder, DAYS[2]).exists()
    again = make(files, folder)
    assert all(day_path(folder, DAYS[i]).stat().st_mtime_ns == t for i, t in times.items())
    straight = make(files, tmp_path / "other")
    assert again.manifest["statistics"] == straight.manifest["statistics"]
    assert again.manifest["target"] == straight.manifest["target"]


def test_other_settings_write_the_chunks_again(files, tmp_path):
    """A chunk made for another window is not kept."""
    folder = tmp_path / "store"
    first = make(files, folder, days=DAYS[:2])
    before = first.cams_field(0).copy()
    later = Preparation(weather_steps=8, target_window="13")
    second = make(files, folder, days=DAYS[:2], preparation=later)
    assert second.preparation.target_window == "13"
    assert second.stations(0).values.tolist() == [23.0, 33.0]
    # the field of the files rises by 0.1 an hour at the ground
    np.testing.assert_allclose(second.cams_field(0)[0] - before[0], 0.1, atol=1e-5)  # float32


def test_months_count_by_their_training_days(files, tmp_path):
    """Emissions of a month with two days weigh twice those of a month with one."""
    days = (DAY - 2, DAY - 1, DAY)
    for day in (DAY - 3, *days):
        write_era5(tmp_path / "era5", day)
    write_cams(tmp_path / "cams", "2019-06", [days[0]], smooth_cams)
    write_cams(tmp_path / "cams", "2019-07", list(days[1:]), smooth_cams)
    write_flights(tmp_path / "flights", list(days))
    changed = {name: tmp_path / name for name in ("era5", "cams", "flights")}
    paths = SourcePaths.in_folder(files, changed)
    preparer = Preparer(paths, tmp_path / "store", settings(days=days, with_stations=False))
    store = preparer.write(preparer.plan())
    road = np.stack([store.day_inputs(i).emission[0].double().numpy() for i in range(3)])
    moved = np.log1p(road / store.table["nox_road"].log_unit)
    assert store.statistics.mean["emission"][0] == pytest.approx(moved.mean(), rel=1e-9)  # float64


def test_a_nan_in_a_source_stops_the_day(files, tmp_path):
    """One missing value in the weather: no chunk, and a message with variable and time."""
    weather = tmp_path / "era5"
    for day in (DAY - 1, DAY):
        write_era5(weather, day)
    path = weather / f"era5_pressure_{str(DAY).replace('-', '')}.nc"
    with netCDF4.Dataset(path, "a") as dataset:
        dataset["w"][12, 2:5, 4:8, 6:12] = np.nan
    paths = SourcePaths.in_folder(files, {"era5": weather})
    preparer = Preparer(paths, tmp_path / "store", settings(days=(DAY,)))
    with pytest.raises(DataError, match=r"Invalid input w\. Its values must be finite"):
        preparer.write(preparer.plan())
    assert not day_path(tmp_path / "store", DAY).exists()


def test_a_chunk_never_takes_a_nan(tmp_path):
    """The last line of defence, whatever the readers did."""
    with pytest.raises(DataError, match="1 in single that are not"):
        write_chunk(tmp_path / "a.safetensors", {"single": np.array([1.0, np.nan], "f4")}, {})
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_newer_stores_are_refused(files, tmp_path):
    """A chunk cut short, and a format that is not known."""
    store = make(files, tmp_path / "store")
    path = month_path(store.folder, DAY)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match="Invalid chunk"):
        store.inputs(0, WHOLE)
    manifest = json.loads((store.folder / "store.json").read_text())
    (store.folder / "store.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(DataError, match="Given 99"):
        Store.open(store.folder)


def test_a_store_for_prediction_needs_no_targets(files, tmp_path):
    """Inputs only: no CAMS, no stations, and training from it is refused."""
    store = make(files, tmp_path / "a", days=(DAY,), with_targets=False, with_stations=False)
    assert store.cams(0, WHOLE) is None
    assert store.stations(0).rows.size == 0
    for name in ("scaling", "statistics"):
        with pytest.raises(DataError, match="Training needs targets"):
            getattr(store, name)


def test_another_table_of_inputs_needs_no_code(files, tmp_path):
    """Without ships and with one wind component less elsewhere: fewer channels."""
    names = {"nox_ships", "vo"}
    table = InputTable(v for v in InputTable.default().variables if v.name not in names)
    store = make(files, tmp_path / "store", table=table)
    sample = store.inputs(0, WHOLE)
    assert sample.emission.shape[0] == 11 and sample.multi.shape[1] == 8


def test_periods_leave_out_years():
    """2020 can be excluded; both ends count."""
    days = days_of(np.datetime64("2019-12-30", "D"), np.datetime64("2021-01-02", "D"), [2020])
    assert [str(d) for d in days] == ["2019-12-30", "2019-12-31", "2021-01-01", "2021-01-02"]


def counts_of(values: np.ndarray) -> np.ndarray:
    from dacno2_s5p.store.screen import BINS

    total = np.zeros((12, BINS.size), np.int64)
    total[6] = np.bincount(np.searchsorted(BINS, values, side="right") - 1, minlength=BINS.size)
    return total


def test_distances_are_those_of_scipy():
    """The distance of two histograms is the two-sample Kolmogorov-Smirnov statistic."""
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(4)
    a, b = rng.lognormal(0, 1, 5000), rng.lognormal(0.3, 1, 4000)
    # bins of 6 % width hide at most a hundredth
    assert distance(counts_of(a), counts_of(b)) == pytest.approx(ks_2samp(a, b).statistic, abs=0.01)


def test_a_year_that_differs_aloft_is_named(files, tmp_path):
    """Like 2020 above 1000 m: named at those heights, and only there."""
    cams, weather = tmp_path / "cams", tmp_path / "era5"
    days = []
    for year in (2018, 2019, 2020, 2021):
        day = np.datetime64(f"{year}-07-02", "D")
        days.append(day)

        def field(x, y, height, i, year=year):
            twice = 2.5 if year == 2020 and height > 1000 else 1.0
            return twice * smooth_cams(x, y, height, i)

        write_cams(cams, f"{year}-07", [day], field)
        for near in (day - 1, day):
            write_era5(weather, near)
    for year in (2018, 2019, 2020, 2021):
        write_inventory(tmp_path / "emissions", year, SECTORS)
    write_flights(tmp_path / "flights", days)
    paths = SourcePaths.in_folder(
        files,
        {name: tmp_path / name for name in ("cams", "era5", "emissions", "flights")},
    )
    held = frozenset({2020})
    wanted = settings(days=tuple(days), with_stations=False, held_years=held)
    preparer = Preparer(paths, tmp_path / "store", wanted)
    store = preparer.write(preparer.plan())
    # the year held back makes no statistics
    fields = [store.cams_field(i) for i in (0, 1, 3)]
    mean = np.stack(fields).mean(axis=(0, 2, 3), dtype="f8")
    np.testing.assert_allclose(store.manifest["target"]["mean"], mean, rtol=1e-9)  # float64
    assert store.select(split="held").days == (days[2],)
    rows = screen(store)
    odd = {(row.year, row.height) for row in rows if row.is_outlier}
    assert odd == {(2020, 2000.0), (2020, 3000.0), (2020, 5000.0)}
    (sentence,) = sentences(rows)
    assert sentence.startswith("2020 differs from the other years at 2000, 3000, 5000 m")


def test_two_years_name_no_outlier():
    """With two years nobody knows which is the odd one."""
    rows = [LevelYear(0.0, y, 1, 1.0, (1.0, 1.0, 1.0), 0.9, False) for y in (2019, 2020)]
    assert "at least 3" in sentences(rows)[0]


def test_the_transport_is_prepared_as_it_is_predicted_from(files, tmp_path):
    """Maps of a store and those made from files for a prediction are the same, as half floats."""
    table = InputTable.default(["transport"])
    preparation = with_transport(STEPS, table, {"wind_height": 0.3})
    store = make(files, tmp_path / "store", table=table, preparation=preparation, days=DAYS[1:])
    assert store.preparation.transport["wind_height"] == 0.3
    info = SimpleNamespace(inputs=store.table, preparation=store.preparation)
    days = FileDays(SourcePaths.in_folder(files), info, GRID)
    try:
        given = days.read(DAYS[1])
    finally:
        days.close()
    stored = store.day_inputs(0).transport
    assert stored.shape == (4, *GRID.shape)
    assert float(stored[0].std()) > 0.0
    np.testing.assert_allclose(stored, given.transport, rtol=2.0**-10)


def test_hourly_weather_that_is_not_there_is_told(files, tmp_path):
    """The first day of the files has no evening before: its transport is missing, by name."""
    table = InputTable.default(["transport"])
    preparation = with_transport(STEPS, table, {})
    preparer = Preparer(
        SourcePaths.in_folder(files),
        tmp_path / "store",
        settings(table=table, preparation=preparation, days=(DAY - 1, DAY)),
    )
    try:
        plan = preparer.plan()
    finally:
        preparer.close()
    assert plan.complete == (DAY,)
    assert "for the transport: ERA5 blh" in " ".join(plan.missing[str(DAY - 1)])


def test_the_forecast_of_the_day_is_an_input(files, tmp_path):
    """It comes from its own folder, forecasts only; the target stays what it is."""
    folder = tmp_path / "forecast"
    folder.mkdir()
    as_one_file(files / "cams", folder / "forecast.nc", scheme="FORECAST")
    table = InputTable.default(["cams"])
    paths = SourcePaths.in_folder(files, {"cams_forecast": folder})
    sources = InputSources(paths, table, STEPS, GRID)
    try:
        assert sources.missing(DAY) == []
        # the run of DAY knows the next day, too: it is not that day's own
        assert sources.missing(DAY + 1) == [
            f"CAMS forecast of {DAY + 1}: no one file has {DAY + 1}T11 .. {DAY + 1}T13 UTC"
        ]
        assert folder / "forecast.nc" in sources.files(DAY)
        found = sources.inputs(DAY)
    finally:
        sources.close()
    # the same field by another name; stored as float32 in both
    target = CamsTargets(files / "cams", STEPS, GRID).target(DAY).no2
    np.testing.assert_allclose(found.cams, target, rtol=1e-5)
    as_one_file(files / "cams", folder / "forecast.nc", scheme="ANALYSIS")
    again = InputSources(paths, table, STEPS, GRID)
    assert "Given a reanalysis or analysis" in again.missing(DAY)[0]
