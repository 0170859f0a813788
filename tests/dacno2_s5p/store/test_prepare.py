"""Preparing again: chunks are kept while their sources are, and never forget a synthetic one."""

from __future__ import annotations

import json
import os
import shutil

import netCDF4
import numpy as np
import pytest
import rasterio

from dacno2_s5p.inputs.variables import Preparation
from dacno2_s5p.sources.paths import SourcePaths, files_below, identity_of
from dacno2_s5p.sources.stations.cells import StationRules
from dacno2_s5p.store.chunks import read_about
from dacno2_s5p.store.prepare import Preparer, Settings
from dacno2_s5p.store.store import Store, day_path, month_path, static_path
from retrieval.errors import OutputError
from retrieval.files.locks import alone_in
from tests.builders.source_files import (
    DAY,
    GRID,
    SECTORS,
    smooth_cams,
    write_all,
    write_cams,
    write_era5,
    write_flights,
    write_inventory,
    write_static,
)

DAYS = (DAY, DAY + 1)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_all(folder, list(DAYS))
    return folder


def make(paths, folder, **changes) -> Store:
    values = {"days": DAYS, "grid": GRID, "preparation": Preparation(weather_steps=8), **changes}
    preparer = Preparer(paths, folder, Settings(**values))
    try:
        return preparer.write(preparer.plan())
    finally:
        preparer.close()


def chunks(folder) -> dict[str, int]:
    """Return when each chunk was written."""
    paths = [static_path(folder), month_path(folder, DAY), *(day_path(folder, d) for d in DAYS)]
    return {path.stem: path.stat().st_mtime_ns for path in paths}


def written(folder, before) -> set[str]:
    """Return the chunks written since."""
    return {name for name, time in chunks(folder).items() if time != before[name]}


@pytest.fixture
def store(files, tmp_path):
    """Return a store and the times of its chunks."""
    make(SourcePaths.in_folder(files), tmp_path / "store")
    return tmp_path / "store", chunks(tmp_path / "store")


def double(path, _):
    write_cams(path, "2019-07", list(DAYS), lambda *where: 2.0 * smooth_cams(*where))


CHANGES = {
    "cams": (double, {"2019-07-02", "2019-07-03"}),
    "era5": (lambda path, _: write_era5(path, DAYS[1], seed=5), {"2019-07-03"}),
    "flights": (
        lambda path, day: write_flights(path, [day - 1, day, day + 1]),
        {"2019-07-02", "2019-07-03"},
    ),
    "emissions": (
        lambda path, _: write_inventory(path, 2019, dict.fromkeys(SECTORS, 2e-10)),
        {"2019-07"},
    ),
    "viirs": (lambda path, _: write_static(path.parent, seed=9), {"static", "2019-07"}),
}


@pytest.mark.parametrize("source", CHANGES)
def test_chunks_of_other_files_are_made_anew(files, store, tmp_path, source):
    """Only those, and the store is then that of the new files."""
    folder, before = store
    change, expected = CHANGES[source]
    copy = tmp_path / "copy" / source
    shutil.copytree(files / source, copy)
    change(copy, DAY)
    paths = SourcePaths.in_folder(files, {source: copy})
    again = make(paths, folder)
    assert written(folder, before) == expected
    fresh = make(paths, tmp_path / "fresh")
    same = ("statistics", "target", "stations", "days")
    assert all(again.manifest[name] == fresh.manifest[name] for name in same)


def test_chunks_of_the_same_files_are_kept(files, store, tmp_path):
    """Wherever their folder is, and whatever else lies in it."""
    folder, before = store
    shutil.copytree(files, tmp_path / "copy")
    write_era5(tmp_path / "copy" / "era5", DAY + 9)
    make(SourcePaths.in_folder(tmp_path / "copy"), folder)
    assert not written(folder, before)


def test_another_offset_of_the_stations_reaches_every_day(files, store):
    """Their values are what a chunk depends on, not their cells alone."""
    folder, before = store
    again = make(SourcePaths.in_folder(files), folder, rules=StationRules(offset_hours=0))
    assert written(folder, before) == {"2019-07-02", "2019-07-03"}
    assert again.stations(0).values.tolist() == [21.0, 31.0]


def test_a_synthetic_store_does_not_become_a_real_one(files, store, tmp_path):
    """Nor a real one with a chunk that is left of a synthetic one."""
    synthetic = tmp_path / "synthetic"
    shutil.copytree(files, synthetic)
    for path in (synthetic / "cams").glob("*.nc"):
        with netCDF4.Dataset(path, "a") as file:
            file.source = "synthetic twin world"
    folder, _ = store
    made = make(SourcePaths.in_folder(synthetic), folder)
    assert made.training_data == "synthetic"
    # rasters and emissions are the same files, and were first prepared as real ones
    assert read_about(static_path(folder))["origin"] == "real"
    assert read_about(day_path(folder, DAY))["origin"] == "synthetic"
    back = make(SourcePaths.in_folder(files), folder)
    assert back.training_data == "real"

    other = tmp_path / "other"
    make(SourcePaths.in_folder(synthetic), other)
    mixed = make(SourcePaths.in_folder(files), other)
    assert mixed.training_data == "synthetic"
    assert json.loads((other / "store.json").read_text())["training_data"] == "synthetic"


def test_one_process_at_a_time_prepares_a_store(files, store):
    """The other is refused before it writes anything."""
    folder, before = store
    paths = SourcePaths.in_folder(files)
    with alone_in(folder), pytest.raises(OutputError, match="One process at a time prepares it"):
        make(paths, folder, overwrite=True)
    assert not written(folder, before)
    make(paths, folder)


def test_an_identity_is_of_name_size_and_time(tmp_path):
    """A file touched is another one; hidden ones are passed over."""
    (tmp_path / "a").mkdir()
    for name in ("a/one.nc", "two.nc", ".hidden"):
        (tmp_path / name).write_bytes(b"123")
    found = files_below(tmp_path)
    assert {path.name for path in found} == {"one.nc", "two.nc"}
    before = identity_of(found)
    assert identity_of([*reversed(found), found[0]]) == before
    os.utime(tmp_path / "two.nc", ns=(1, 1))
    assert identity_of(found) != before
    assert np.array_equal([size for _, size, _ in before], [3, 3])


def test_what_was_chosen_is_in_the_manifest_of_every_run(files, tmp_path):
    """A night light of 2013 passed over and a preliminary day; kept where chunks are kept, too."""
    shutil.copytree(files, tmp_path / "files")
    (light,) = (tmp_path / "files" / "viirs").iterdir()
    shutil.copy(light, light.with_name(light.name.replace("2020", "2013")))
    with rasterio.open(light.with_name(light.name.replace("2020", "2013")), "r+") as file:
        file.write(2.0 * file.read(1), 1)
    early = str(DAYS[1]).replace("-", "")
    with netCDF4.Dataset(tmp_path / "files" / "era5" / f"era5_pressure_{early}.nc", "a") as file:
        versions = file.createVariable("expver", str, ("valid_time",))
        for i in range(versions.size):
            versions[i] = "0005"
    paths, folder = SourcePaths.in_folder(tmp_path / "files"), tmp_path / "store"
    manifest = make(paths, folder).manifest
    assert manifest["preliminary_weather"] == [str(DAYS[1])]
    (record,) = manifest["choices"]
    assert record["chosen"] == str(light)
    assert [p["why"] for p in record["passed_over"]] == ["year 2020 before 2013"]
    before = chunks(folder)
    again = make(paths, folder).manifest
    assert written(folder, before) == set()
    assert (again["choices"], again["preliminary_weather"]) == (
        manifest["choices"],
        manifest["preliminary_weather"],
    )
    make(paths, folder, raster_year=2012)
    assert "static" in written(folder, before)


def test_a_store_without_choices_says_nothing_of_them(store):
    """Its manifest is as it was."""
    manifest = Store.open(store[0]).manifest
    assert "choices" not in manifest and "preliminary_weather" not in manifest
