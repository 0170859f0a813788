"""Daily sums: adding files in any order and at any time, never twice, whole days only."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from retrieval.errors import NoOverlapError, OutputError, ProductError
from retrieval.files import locks
from retrieval.files.locks import alone_in
from retrieval.files.provenance import file_checksum
from retrieval.l2.identity import identify
from retrieval.l3 import add as l3_add
from retrieval.l3 import days as l3_days
from retrieval.l3.add import DayTask, add_day, add_files, alone_on_day
from retrieval.l3.cells import regular_grid
from retrieval.l3.days import DayStore, GridJob, day_files, read_days
from retrieval.l3.means import period_mean
from retrieval.l3.side_column import SideColumn
from retrieval.l3.sums import Weighting
from tests.builders.orbit_builder import build_orbit
from tests.builders.tempo_builder import build_tempo

GRID = regular_grid(8000.0, (0.5, 47.0, 4.5, 50.5))
JOB = GridJob(GRID, ("TM5", "DACNO2", "CAMS"))


def _gridded(folder: Path, paths, job: GridJob = JOB):
    store = DayStore.open(folder, job)
    report = add_files(store, paths)
    assert report.failed == []
    return store


def test_files_in_any_order_give_the_same_means(season, tmp_path):
    """Two orders of adding, in one go or in two, agree to round-off."""
    _gridded(tmp_path / "one", season.outputs)
    _gridded(tmp_path / "two", season.outputs[2:])
    _gridded(tmp_path / "two", season.outputs[1::-1])
    one, two = (period_mean(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_allclose(one.mean, two.mean, rtol=1e-12)  # float64 sums of three days
    assert np.array_equal(one.count, two.count)
    assert one.days.max() == 3
    assert one.attributes == two.attributes


def test_a_mean_over_processors_that_differ_is_warned_of(season, tmp_path, caplog):
    """Clouds of 2.6 beside 2.4: said in the log and in the file; versions of each file are kept."""
    one, other = (tmp_path / path.name for path in season.originals[:2])
    for source, target, version in zip(
        season.originals, (one, other), ("02.04.00", "02.06.00"), strict=False
    ):
        shutil.copy(source, target)
        with netCDF4.Dataset(target, "a") as file:
            file.processor_version = version
    job = GridJob(GRID, ("TM5",))
    _gridded(tmp_path / "alike", [one], job)
    assert period_mean(tmp_path / "alike").attributes["processor_differences"] == "none"
    assert "mixes processor" not in caplog.text
    _gridded(tmp_path / "mixed", [one, other], job)
    found = period_mean(tmp_path / "mixed").attributes
    assert found["processor_versions"] == "02.04.00 02.06.00"
    assert found["processor_differences"] == "clouds (2.6)"
    assert found["sensors"] == "TROPOMI"
    assert "02.04.00, 02.06.00, which differ in clouds (2.6)" in caplog.text


def test_a_folder_of_days_is_of_one_sensor(season, tmp_path):
    """A granule of TEMPO after orbits of TROPOMI is refused unless told, and its file named."""
    granule = build_tempo(tmp_path / "TEMPO_NO2_L2_V03_20240601T150000Z_S008G01.nc").path
    box = regular_grid(20000.0, (-74.0, 41.0, -72.5, 42.0))
    job = GridJob(box, ("GEOSCF",))
    store = DayStore.open(tmp_path / "days", job)
    assert add_files(store, [granule]).failed == []
    found = period_mean(tmp_path / "days")
    assert found.attributes["sensors"] == "TEMPO"
    mean = found.mean[np.isfinite(found.mean)]
    assert 1e-6 < np.median(mean) < 1e-3, "mol m-2, not molecules cm-2"
    store = DayStore.open(tmp_path / "others", JOB)
    add_files(store, season.outputs[:1])
    with pytest.raises(ProductError, match="Sensors are mixed only when told"):
        store.expect(identify(granule), "")


def test_all_products_have_the_same_pixels(season, tmp_path):
    """Means of all products are finite in the same cells."""
    _gridded(tmp_path / "days", season.outputs)
    is_finite = np.isfinite(period_mean(tmp_path / "days").mean)
    assert is_finite.any()
    assert (is_finite == is_finite[:1]).all()


def test_files_that_are_there_are_skipped(season, tmp_path):
    """Running again adds nothing; a new file is added to what is there."""
    _gridded(tmp_path / "days", season.outputs[:2])
    before = period_mean(tmp_path / "days")
    report = add_files(DayStore.open(tmp_path / "days", JOB), season.outputs)
    assert report.skipped == [path.name for path in season.outputs[:2]]
    assert report.added == [season.outputs[2].name]
    after = period_mean(tmp_path / "days")
    assert after.count.sum() > before.count.sum()
    assert (before.n_day, after.n_day) == (2, 3)


def test_two_orbits_of_a_day_are_one_day(season, tmp_path):
    """A second orbit on a day adds pixels, not days, and nothing is lost in between on disk."""
    second = build_orbit(
        tmp_path, n_scanline=24, n_ground_pixel=20, orbit_number=8401, date="2019-06-01",
        overpass="13:58", area=(1.3, 47.8, 3.4, 49.8), seed=7,
    ).path  # fmt: skip
    job, paths = GridJob(GRID, ("TM5",)), [season.originals[0], second]
    for path in paths:  # each in a run of its own
        _gridded(tmp_path / "two", [path], job)
    _gridded(tmp_path / "one", paths, job)
    one, two = (period_mean(tmp_path / name) for name in ("one", "two"))
    assert one.n_day == one.days.max() == 1
    assert one.attributes["n_orbit"] == "2"
    assert np.array_equal(one.mean, two.mean, equal_nan=True)
    assert one.coverage.max() > 1.0


def test_one_orbit_twice_is_an_error(season, tmp_path):
    """The same file, or the same orbit from another file, never has double weight."""
    store = _gridded(tmp_path / "days", season.outputs)
    with pytest.raises(ProductError, match="An orbit may be in a map once"):
        store.add(season.outputs[0])
    other = Path(shutil.copy(season.outputs[0], tmp_path / season.outputs[0].name))
    with h5py.File(other, "a") as file:
        file.attrs["history"] = "another file of the same orbit"
    report = add_files(DayStore.open(tmp_path / "days", JOB), [other])
    assert report.added == report.skipped == []
    assert "which is there from" in str(report.failed[0][1])


@pytest.mark.parametrize("first", [0, 1])
def test_a_granule_and_its_orbit_are_one_orbit(season, tmp_path, first):
    """Near-real-time granules are several an orbit, but never beside the whole orbit."""
    whole = season.originals[0]
    start = whole.name[20:35]
    name = whole.name.replace("_RPRO_", "_NRTI_")
    granules = []
    for seconds in ("00", "59"):
        granule = tmp_path / name.replace(start, start[:-2] + seconds, 1)
        granules.append(Path(shutil.copy(whole, granule)))
        with h5py.File(granule, "a") as file:
            file.attrs["history"] = f"from {seconds}"
    kinds = [[whole], granules]
    job = GridJob(GRID, ("TM5",))
    store = _gridded(tmp_path / "days", kinds[first], job)
    report = add_files(DayStore.open(tmp_path / "days", job), kinds[1 - first])
    assert report.added == []
    assert len(report.failed) == len(kinds[1 - first])
    for _, error in report.failed:
        assert "An orbit may be in a map once" in str(error)
        assert "start a new folder of days without the other" in str(error)
    store.reload()
    assert [entry.file for entry in store.orbits] == [path.name for path in kinds[first]]


def _write_side(folder: Path, orbit: Path, factor: float) -> None:
    """Write variables a and b of one orbit, its column times a factor and minus that."""
    folder.mkdir(exist_ok=True)
    with netCDF4.Dataset(orbit) as file, netCDF4.Dataset(folder / orbit.name, "w") as side:
        product = file["PRODUCT"]
        for name in ("scanline", "ground_pixel"):
            side.createDimension(name, product[name].size)
            side.createVariable(name, "i4", (name,))[:] = product[name][:]
        column = product["nitrogendioxide_tropospheric_column"][0]
        for name, values in (("a", factor * column), ("b", -factor * column)):
            side.createVariable(name, "f8", ("scanline", "ground_pixel"))[:] = values


def test_side_files_are_part_of_their_orbit(season, tmp_path):
    """Rewritten or other ones are refused, another variable too; elsewhere the same are known."""
    orbit = season.originals[0]

    def add(side: str, variable: str = "a"):
        column = SideColumn("SIDE", f"{tmp_path}/{side}/{{stem}}*.nc", variable)
        return add_files(DayStore.open(folder, GridJob(GRID, ("TM5",), (column,))), [orbit])

    folder = tmp_path / "days"
    for name, factor in (("one", 2.0), ("two", 3.0)):
        _write_side(tmp_path / name, orbit, factor)
    shutil.copytree(tmp_path / "one", tmp_path / "copy")
    assert add("one").added == [orbit.name]
    assert add("one").skipped == add("copy").skipped == [orbit.name]
    before = period_mean(folder)
    _write_side(tmp_path / "one", orbit, 5.0)
    for report in (add("one"), add("two"), add("none")):
        assert report.skipped == []
        assert "which is there with other side files" in str(report.failed[0][1])
    with pytest.raises(OutputError, match="same settings"):
        add("copy", "b")
    assert np.array_equal(period_mean(folder).mean, before.mean, equal_nan=True)
    folder = tmp_path / "other"
    assert add("two").added == [orbit.name]
    assert period_mean(folder).attributes["fingerprint"] != before.attributes["fingerprint"]


def test_orbits_beside_the_grid_need_no_side_file(season, tmp_path):
    """They are reported as outside, as without further columns, and known the next time."""
    far = regular_grid(0.5, (20.0, 40.0, 25.0, 45.0), "EPSG:4326")
    job = GridJob(far, ("TM5",), (SideColumn("SIDE", f"{tmp_path}/none/{{stem}}*.nc", "a"),))
    paths = season.originals[:1]
    assert add_files(DayStore.open(tmp_path / "days", job), paths).outside == [paths[0].name]
    assert add_files(DayStore.open(tmp_path / "days", job), paths).skipped == [paths[0].name]
    near = GridJob(GRID, ("TM5",), job.side)
    report = add_files(DayStore.open(tmp_path / "near", near), paths)
    assert "0 files that match" in str(report.failed[0][1])


def test_an_interrupted_run_is_continued(season, tmp_path, monkeypatch):
    """What was added before an interruption is kept; running again gives the whole."""
    real = l3_days.read_pixels

    def interrupted(path, *args, **kwargs):
        if path == season.outputs[1]:
            raise KeyboardInterrupt
        return real(path, *args, **kwargs)

    monkeypatch.setattr(l3_days, "read_pixels", interrupted)
    with pytest.raises(KeyboardInterrupt):
        add_files(DayStore.open(tmp_path / "days", JOB), season.outputs)
    assert len(day_files(tmp_path / "days")) == 1
    monkeypatch.undo()
    _gridded(tmp_path / "days", season.outputs)
    _gridded(tmp_path / "whole", season.outputs)
    found, expected = (period_mean(tmp_path / name) for name in ("days", "whole"))
    assert np.array_equal(found.mean, expected.mean, equal_nan=True)


def test_one_day_at_most_is_in_memory(season, tmp_path):
    """Sums of a finished day are on disk before those of the next are made."""
    store = DayStore.open(tmp_path / "days", JOB)
    for i, path in enumerate(season.outputs):
        store.add(path)
        assert len(store._open) == 1
        assert len(day_files(store.folder)) == i


def test_an_orbit_that_breaks_its_process_costs_itself_alone(season, tmp_path):
    """The other orbits of its day are tried one by one and added; sums are those without it."""
    second = build_orbit(
        tmp_path, n_scanline=24, n_ground_pixel=20, orbit_number=8401, date="2019-06-01",
        overpass="13:58", area=(1.3, 47.8, 3.4, 49.8), seed=7,
    ).path  # fmt: skip
    job = GridJob(GRID, ("TM5",))

    def share(function, tasks):
        for task in tasks:
            breaks = any(path == second for path, _ in getattr(task, "files", ()))
            yield ProductError("its process died") if breaks else function(task)

    store = DayStore.open(tmp_path / "days", job)
    report = add_files(store, [*season.originals, second], share=share)
    assert report.added == [path.name for path in season.originals]
    assert [(name, str(error)) for name, error in report.failed] == [
        (second.name, "its process died")
    ]
    _gridded(tmp_path / "without", season.originals, job)
    found, expected = (period_mean(tmp_path / name) for name in ("days", "without"))
    assert np.array_equal(found.mean, expected.mean, equal_nan=True)
    assert found.attributes == expected.attributes


def test_a_day_that_is_given_out_again_adds_nothing_twice(season, tmp_path):
    """As a cluster does when a worker is lost after it wrote."""
    store = _gridded(tmp_path / "days", season.outputs[:1])
    before = day_files(store.folder)[0].read_bytes()
    checksum = store.orbits[0].sha256
    task = DayTask(store.folder, JOB, "2019-06-01", ((season.outputs[0], checksum),))
    (result,) = add_day(task)
    assert result.n_pixel > 0
    assert result.error == ""
    assert day_files(store.folder)[0].read_bytes() == before


def test_a_changed_orbit_makes_its_day_anew_from_all_of_the_day(season, tmp_path):
    """The sums are those of the new file; without the day's other orbit nothing is removed."""
    first = shutil.copy(season.originals[0], tmp_path / season.originals[0].name)
    second = build_orbit(
        tmp_path, n_scanline=24, n_ground_pixel=20, orbit_number=8401, date="2019-06-01",
        overpass="13:58", area=(1.3, 47.8, 3.4, 49.8), seed=7,
    ).path  # fmt: skip
    job, folder = GridJob(GRID, ("TM5",)), tmp_path / "days"
    _gridded(folder, [first, second], job)
    name = "PRODUCT/nitrogendioxide_tropospheric_column"
    with h5py.File(first, "r+") as file:
        file[name][...] = 2 * file[name][...]
    before = [path.read_bytes() for path in day_files(folder)]
    with pytest.raises(OutputError, match=f"Given none of {second.name}"):
        add_files(DayStore.open(folder, job), [first], replace_old=True)
    assert [path.read_bytes() for path in day_files(folder)] == before
    report = add_files(DayStore.open(folder, job), [first, second], replace_old=True)
    assert sorted(report.added) == sorted([first.name, second.name])
    _gridded(tmp_path / "fresh", [first, second], job)
    changed, fresh = (period_mean(tmp_path / one) for one in ("days", "fresh"))
    np.testing.assert_array_equal(changed.mean, fresh.mean)
    assert np.array_equal(changed.count, fresh.count)


def test_files_that_give_nothing_are_not_read_again(season, tmp_path):
    """An orbit outside of the grid is noted by its content."""
    far = GridJob(regular_grid(8000.0, (-8.0, 41.0, -6.0, 43.0)), ("TM5",))
    first = add_files(DayStore.open(tmp_path / "days", far), season.originals[:1])
    again = add_files(DayStore.open(tmp_path / "days", far), season.originals[:1])
    assert (first.outside, first.skipped) == ([season.originals[0].name], [])
    assert (again.outside, again.skipped) == ([], [season.originals[0].name])


def test_two_processes_do_not_add_at_once(season, tmp_path):
    """While one adds, another is refused; what it added is seen by a store opened before."""
    early = DayStore.open(tmp_path / "days", JOB)
    with (
        alone_in(tmp_path / "days"),
        pytest.raises(OutputError, match="One process at a time"),
    ):
        add_files(early, season.outputs)
    _gridded(tmp_path / "days", season.outputs[:1])
    assert add_files(early, season.outputs).skipped == [season.outputs[0].name]


def test_a_day_that_another_process_is_at_is_left_to_it(season, tmp_path, monkeypatch):
    """A cluster may be at work for a call that is gone: neither loses what the other adds."""
    second = build_orbit(
        tmp_path, n_scanline=24, n_ground_pixel=20, orbit_number=8401, date="2019-06-01",
        overpass="13:58", area=(1.3, 47.8, 3.4, 49.8), seed=7,
    ).path  # fmt: skip
    job, folder = GridJob(GRID, ("TM5",)), tmp_path / "days"
    paths = [*season.originals[:2], second]
    monkeypatch.setattr(l3_add, "WAIT", 0.0)
    real, reports = l3_days.write_day, []

    def slow(*args):
        monkeypatch.setattr(l3_days, "write_day", real)
        reports.append(add_files(DayStore.open(folder, job), paths))
        real(*args)

    folder.mkdir()
    monkeypatch.setattr(l3_days, "write_day", slow)
    add_day(DayTask(folder, job, "2019-06-01", ((paths[0], file_checksum(paths[0])),)))
    (report,) = reports
    assert [name for name, _ in report.failed] == [paths[0].name, second.name]
    assert "One process at a time adds to 2019-06-01" in str(report.failed[0][1])
    assert report.added == [paths[1].name]
    assert add_files(DayStore.open(folder, job), paths).added == [second.name]
    assert len(DayStore.open(folder, job).orbits) == 3


def test_a_day_that_another_process_is_at_is_waited_for(season, tmp_path, monkeypatch):
    """The day is read when the other has written it, so that both are in it."""
    _gridded(tmp_path / "days", season.outputs[:1])
    with ExitStack() as other:
        other.enter_context(alone_on_day(tmp_path / "days", "2019-06-02"))
        monkeypatch.setattr(locks.time, "sleep", lambda _: other.close())
        _gridded(tmp_path / "days", season.outputs)
    assert len(day_files(tmp_path / "days")) == 3


def test_a_day_made_meanwhile_with_other_settings_is_refused(season, tmp_path):
    """Sums of two thresholds are never in one day, though the folder was empty when opened."""
    task = DayTask(tmp_path / "days", JOB, "2019-06-01", ((season.outputs[0], "unread"),))
    _gridded(tmp_path / "days", season.outputs[:1], GridJob(GRID, JOB.products, qa_threshold=50))
    with pytest.raises(OutputError, match="same settings"):
        add_day(task)


def test_an_orbit_across_midnight_counts_on_both_days(tmp_path):
    """Pixels belong to their own UTC date, here also across the antimeridian."""
    orbit = build_orbit(
        tmp_path, n_scanline=40, n_ground_pixel=20, date="2019-06-02", overpass="00:00",
        area=(178.5, 47.0, 181.5, 49.0), dead_rows=(),
    )  # fmt: skip
    grid = regular_grid(0.25, (177.0, 45.0, -177.0, 51.0), "EPSG:4326")
    job = GridJob(grid, ("TM5",))
    store = _gridded(tmp_path / "days", [orbit.path], job)
    assert [str(day) for day in store.days] == ["2019-06-01", "2019-06-02"]
    assert len(store.orbits) == 1
    l3 = period_mean(tmp_path / "days")
    good = (orbit.arrays["qa_value"] > 75) & np.isfinite(
        orbit.arrays["nitrogendioxide_tropospheric_column"]
    )
    total = sum(sums.n_pixel for sums, _ in read_days(tmp_path / "days"))
    assert total == good.sum() > 0
    assert l3.count.any(axis=0)[10:14].all()  # columns of cells round 180 degrees
    # the day before is lost after an interruption: running again adds it alone
    store.path_of(store.days[0]).unlink()
    again = add_files(DayStore.open(tmp_path / "days", job), [orbit.path])
    assert again.added == [orbit.path.name]
    assert np.array_equal(period_mean(tmp_path / "days").mean, l3.mean, equal_nan=True)


def test_processor_generations_do_not_mix(season, tmp_path):
    """Version 1 after version 2 is refused unless told to; then both are recorded."""
    old = build_orbit(
        tmp_path, n_scanline=24, n_ground_pixel=20, variant="v1", orbit_number=7000,
        area=(1.3, 47.8, 3.4, 49.8), date="2019-06-09",
    )  # fmt: skip
    job = GridJob(GRID, ("TM5",))
    store = _gridded(tmp_path / "days", season.originals[:1], job)
    report = add_files(store, [old.path])
    assert "Processor versions 1 and 2" in str(report.failed[0][1])
    mixed = GridJob(GRID, ("TM5",), allow_mixed=True)
    _gridded(tmp_path / "days", [old.path], mixed)
    versions = period_mean(tmp_path / "days").attributes["processor_versions"].split()
    assert {version.split(".")[0].lstrip("0") for version in versions} == {"1", "2"}


def test_options_of_the_reretrieval_do_not_mix(season, tmp_path):
    """A file re-retrieved with nothing above the set does not join others."""
    other = Path(shutil.copy(season.outputs[1], tmp_path / season.outputs[1].name))
    with h5py.File(other, "a") as file:
        text = file["PRODUCT"].attrs["apriori_options"]
        text = text.decode() if isinstance(text, bytes) else str(text)
        file["PRODUCT"].attrs["apriori_options"] = text.replace("constant-vmr", "none")
    store = _gridded(tmp_path / "days", season.outputs[:1])
    report = add_files(store, [other])
    assert "re-retrieved with the same options" in str(report.failed[0][1])


def test_folders_keep_their_settings(season, tmp_path):
    """Another grid, threshold, weighting or product list needs another folder."""
    _gridded(tmp_path / "days", season.outputs[:1])
    for job in (
        GridJob(regular_grid(4000.0, (0.5, 47.0, 4.5, 50.5)), JOB.products),
        GridJob(GRID, JOB.products, qa_threshold=50),
        GridJob(GRID, JOB.products, weighting=Weighting.SHARP),
        GridJob(GRID, ("TM5",)),
    ):
        with pytest.raises(OutputError, match="Choose another folder"):
            DayStore.open(tmp_path / "days", job)


def test_orbits_beside_the_grid_are_reported(season, tmp_path):
    """An orbit that does not touch the grid is no failure; alone it is an error of `add`."""
    far = GridJob(regular_grid(0.5, (20.0, 40.0, 25.0, 45.0), "EPSG:4326"), ("TM5",))
    store = DayStore.open(tmp_path / "days", far)
    report = add_files(store, season.outputs[:1])
    assert report.outside == [season.outputs[0].name]
    assert report.failed == []
    with pytest.raises(NoOverlapError):
        store.add(season.outputs[0])
    with pytest.raises(ProductError, match="It must hold daily sums"):
        period_mean(tmp_path / "days")


def test_damaged_days_are_named(season, tmp_path):
    """A truncated or foreign file among the days says what to do."""
    store = _gridded(tmp_path / "days", season.outputs[:1])
    path = store.path_of(store.days[0])
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ProductError, match="Remove it and grid its day again"):
        DayStore.open(tmp_path / "days", JOB)
