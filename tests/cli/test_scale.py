"""Many orbits: found, skipped when done, shared out, and the same whatever the workers."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from tests.cli.conftest import contents, names


@pytest.fixture
def out(done_before, tmp_path) -> Path:
    """Return a copy of the outputs."""
    return Path(shutil.copytree(done_before, tmp_path / "out"))


def test_a_folder_is_the_same_on_any_number_of_workers(many, done_before, tmp_path):
    """Variables and attributes of one process and two are equal; entries stand in order."""
    done = many("-o", tmp_path / "two", "--json", "--jobs", "2")
    assert (done.status, done.err) == (0, "")
    entries = json.loads(done.out)
    assert [Path(entry["output"]).name for entry in entries] == names(tmp_path / "two")
    assert names(done_before) == names(tmp_path / "two")
    for name in names(done_before):
        assert contents(done_before / name) == contents(tmp_path / "two" / name)


def test_what_is_done_is_skipped_by_content(many, orbits, out, tmp_path):
    """Whatever the inputs are called; with another option it is refused, or replaced."""
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    again = many("-o", out).out.splitlines()
    assert len(again) == 4
    assert all(line.startswith("skipped ") and "done before" in line for line in again)
    moved = Path(shutil.copytree(orbits, tmp_path / "moved"))
    for path in (moved / "profiles").iterdir():
        path.rename(path.with_name(path.name.replace("no2", "profile")))
    renamed = many("-o", out, "--json", source=moved / "l2", sets=moved / "profiles")
    assert [entry["skipped"] for entry in json.loads(renamed.out)] == ["done before"] * 4
    other = many("-o", out, "--above-vmr", "50")
    assert other.status == 1
    assert len(other.err.splitlines()) == 4
    assert "made from other content, with other options" in other.err
    assert {path: path.stat().st_mtime_ns for path in before} == before
    one = sorted((orbits / "l2").iterdir())[0]
    assert many("-o", out, "--above-vmr", "50", "--overwrite", source=one).status == 0
    changed = [path for path, time in before.items() if path.stat().st_mtime_ns != time]
    assert [path.name for path in changed] == [f"{one.stem}_DACNO2.nc"]


CHANGES = {
    "orbit": lambda folder: change(next((folder / "l2").iterdir())),
    "set": lambda folder: change(folder / "profiles" / "no2_2019-06-01.nc"),
    "TOML": lambda folder: (folder / "profiles" / "dacno2_s5p.toml").write_text('title = "b"'),
}


def change(path):
    """Change one number of a file, not its size or time."""
    with h5py.File(path, "a") as file:
        column = "PRODUCT/nitrogendioxide_tropospheric_column"
        values = file["no2" if "no2" in file else column]
        values[(0,) * values.ndim] = 1.5 * values[(0,) * values.ndim] + 1e-9


@pytest.mark.parametrize("changed", CHANGES)
def test_changed_content_is_not_skipped(many, run, orbits, tmp_path, changed):
    """One number of the orbit or of the set, or a TOML beside it, makes another output."""
    folder = shutil.copytree(orbits, tmp_path / "copy")
    for path in sorted((folder / "l2").iterdir())[1:]:
        path.unlink()
    call = (
        "reretrieve",
        folder / "l2",
        "-a",
        f"dacno2={folder / 'profiles'}",
        "-o",
        tmp_path / "o",
    )
    assert run(*call).status == 0
    assert "skipped" in run(*call).out
    CHANGES[changed](folder)
    assert "made from other content" in run(*call).error


def test_outputs_beside_the_originals_are_no_inputs(many, orbits, tmp_path):
    """A folder or a glob can be given again and again; days between two dates can be chosen."""
    folder = shutil.copytree(orbits / "l2", tmp_path / "l2")
    (folder / "deep").mkdir()
    for path in sorted(folder.glob("*.nc"))[:2]:
        path.rename(folder / "deep" / path.name)
    shutil.copy(orbits / "profiles" / "no2_2019-06-01.nc", folder)
    first_day = many("--end", "2019-06-01", source=folder)
    assert first_day.status == 0
    assert len(list(folder.rglob("*_DACNO2.nc"))) == 2
    rest = many(source=folder / "**" / "*.nc")
    assert rest.status == 0
    assert Counter("skipped" in line for line in rest.out.splitlines() if "_DACNO2.nc" in line) == {
        True: 2,
        False: 2,
    }
    assert many("--start", "2020-01-01", source=folder).status == 2


def test_one_bad_orbit_does_not_stop_the_rest(many, orbits, tmp_path):
    """It is named at the end, the others are done; the same on two processes."""
    folder = shutil.copytree(orbits / "l2", tmp_path / "l2")
    bad = sorted(folder.iterdir())[1]
    bad.write_bytes(bad.read_bytes()[:5000])
    for name, workers in {"here": (), "there": ("--jobs", "1")}.items():
        done = many("-o", tmp_path / name, "--json", *workers, source=folder)
        assert done.status == 1
        assert done.error.startswith(f"Error: {bad}: ")
        entries = json.loads(done.out)
        assert [entry["orbit"] for entry in entries] == names(folder)
        assert done.error == f"Error: {bad}: {entries[1]['error']}"
        assert len(names(tmp_path / name)) == 3


@pytest.fixture
def dark_among_others(orbits, tmp_path):
    """Return a folder of orbits of which the second is dark, and the last lies elsewhere."""
    folder = Path(shutil.copytree(orbits / "l2", tmp_path / "l2"))
    found = sorted(folder.iterdir())
    with netCDF4.Dataset(found[1], "r+") as file:
        kernel = file["PRODUCT/averaging_kernel"]
        kernel[:] = np.ma.masked_all(kernel.shape, "f4")
    with netCDF4.Dataset(found[3], "r+") as file:
        file["PRODUCT/longitude"][:] += 30.0
        file["PRODUCT/SUPPORT_DATA/GEOLOCATIONS/longitude_bounds"][:] += 30.0
    return folder


@pytest.mark.parametrize("workers", [(), ("--jobs", "1")], ids=["here", "there"])
def test_dark_and_far_orbits_of_a_folder_are_passed_over(
    many, dark_among_others, tmp_path, workers
):
    """They are named with the reason, the status is 0, and the same on every repeat."""
    out, found = tmp_path / "out", sorted(dark_among_others.iterdir())
    for _ in range(2):
        done = many("-o", out, "--json", *workers, source=dark_among_others)
        assert (done.status, done.err) == (0, "")
        entries = json.loads(done.out)
        assert ["passed_over" in entry for entry in entries] == [False, True, False, True]
        assert [entries[i]["orbit"] for i in (1, 3)] == [found[i].name for i in (1, 3)]
        assert len(names(out)) == 2
    lines = many("-o", out, *workers, source=dark_among_others).out.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("passed over")] == [
        f"passed over {found[i]}" for i in (1, 3)
    ]


def test_orbits_outside_of_the_box_are_passed_over(many, dark_among_others):
    """With --dry-run, too."""
    args = ("--bbox", "1", "47", "3", "49", "--crop", "none", "--dry-run", "--json")
    done = many(*args, source=dark_among_others)
    assert done.status == 0
    assert [e["orbit"] for e in json.loads(done.out) if "passed_over" in e] == [
        sorted(dark_among_others.iterdir())[3].name
    ]


def test_where_nothing_is_done_it_is_an_error(many, dark_among_others, tmp_path):
    """An orbit that is named, and a folder all of which is passed over."""
    _, dark, _, far = sorted(dark_among_others.iterdir())
    for path in (dark, far):
        assert many("-o", tmp_path / "out.nc", source=path).status == 1
    only = tmp_path / "only"
    only.mkdir()
    for path in (dark, far):
        path.rename(only / path.name)
    done = many("-o", tmp_path / "out", source=only)
    assert done.status == 1
    assert f"{dark.name}: No pixel of the crop" in done.error
    assert "All 2 were passed over." in done.error


def test_a_day_that_the_sets_lack_is_no_reason_to_pass_over(many, orbits, tmp_path):
    """Orbits in daylight without their day's profiles are errors, in a folder, too."""
    sets = Path(shutil.copytree(orbits / "profiles", tmp_path / "profiles"))
    (sets / "no2_2019-06-02.nc").unlink()
    done = many("-o", tmp_path / "out", sets=sets)
    assert done.status == 1
    assert len(done.err.splitlines()) == 2
    assert "within 12 h" in done.err
    assert len(names(tmp_path / "out")) == 2


def test_the_output_carries_its_fingerprint(done_before):
    """As an attribute of PRODUCT, another for each orbit."""
    found = set()
    for path in done_before.iterdir():
        with netCDF4.Dataset(path) as file:
            found.add(file["PRODUCT"].apriori_fingerprint)
    assert len(found) == 4
    assert {len(text) for text in found} == {64}
