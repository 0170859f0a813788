"""`dacno2-s5p extract`: CSV on stdout or in a file, one line for each thing that is wrong."""

from __future__ import annotations

import csv
import io

import pytest

from tests.builders.orbit_builder import build_orbit

COLUMN = "nitrogendioxide_tropospheric_column [mol m-2]"


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return a small orbit."""
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=20, n_ground_pixel=16)


def place(orbit, i, j):
    arrays = orbit.arrays
    return f"{arrays['latitude'][i, j]:.6f}", f"{arrays['longitude'][i, j]:.6f}"


def test_rows_go_to_stdout(orbit, run):
    """A point on the command line gives a header and a row, and nothing else on stdout."""
    done = run("extract", "--point", "A", *place(orbit, 8, 7), orbit.path)
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert done.status == 0
    assert (row["name"], row["scanline"], row["ground_pixel"]) == ("A", "8", "7")
    assert COLUMN in row


def test_table_of_points_and_output_file(orbit, run, tmp_path):
    """Points of a table go to a file, which is not replaced without --overwrite."""
    table, output = tmp_path / "points.csv", tmp_path / "out.csv"
    lines = [f"P{i},{','.join(place(orbit, i, 7))}" for i in (3, 8)]
    table.write_text("\n".join(["name,lat,lon", *lines]))
    arguments = ("extract", "--points", table, "-o", output, orbit.path)
    done = run(*arguments)
    assert (done.status, done.out.strip()) == (0, str(output))
    assert [row["name"] for row in csv.DictReader(io.StringIO(output.read_text()))] == ["P3", "P8"]
    done = run(*arguments)
    assert done.status == 1
    assert "not replaced" in done.error
    assert run(*arguments, "--overwrite").status == 0
    assert (
        run("extract", "--points", table, "-o", orbit.path, "--overwrite", orbit.path).status == 1
    )


def test_bad_file_does_not_stop_the_rest(orbit, run, tmp_path):
    """The good file's rows are written, the bad one is named, and the status is 1."""
    bad = tmp_path / "bad.nc"
    bad.write_bytes(b"nothing")
    done = run("extract", "--point", "A", *place(orbit, 8, 7), bad, orbit.path)
    assert done.status == 1
    assert len(done.out.splitlines()) == 2
    assert "bad.nc" in done.error


def test_points_are_required(orbit, run):
    """Without a point, and with one outside the Earth, the call is refused in one line."""
    done = run("extract", orbit.path)
    assert done.status == 2
    assert "there is no point" in done.error
    done = run("extract", "--point", "A", "100", "0", orbit.path)
    assert done.status == 1
    assert "Latitude must lie in" in done.error


def test_point_nobody_sees_gives_a_header_only(orbit, run):
    """No row is not an error but a warning; the header is that of a table with rows."""
    done = run("extract", "--point", "A", "-60", "-100", orbit.path)
    assert done.status == 0
    full = run("extract", "--point", "A", *place(orbit, 8, 7), orbit.path)
    assert full.err == ""
    assert done.out.splitlines() == full.out.splitlines()[:1]
    (warning,) = done.err.splitlines()
    assert warning.startswith("WARNING: No pixel of 1 file(s) contains A (1 of 1 points).")
    assert "--rule nearest" in warning
    near = run("extract", "--point", "A", "-60", "-100", "--rule", "nearest", orbit.path)
    assert "--max-distance" in near.err


def test_a_folder_stands_for_its_orbits(orbit, run, tmp_path):
    """As for the other commands; one without any is refused by name."""
    point = ("--point", "A", *place(orbit, 8, 7))
    assert run("extract", *point, orbit.path.parent).out == run("extract", *point, orbit.path).out
    done = run("extract", *point, tmp_path)
    assert done.status == 2
    assert f"there is no orbit in {tmp_path}" in done.error
