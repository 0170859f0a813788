"""`dacno2-s5p inspect`: any file in words or as JSON, one line for what it is not."""

from __future__ import annotations

import json
import tomllib

import netCDF4
import pytest

from tests.builders.ground_files import write_pandora
from tests.builders.model_files import put
from tests.builders.orbit_builder import build_orbit
from tests.retrieval.apriori.test_sidecar import write_archive


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return a small orbit with KNMI's column."""
    folder = tmp_path_factory.mktemp("orbit")
    return build_orbit(folder, n_scanline=20, n_ground_pixel=16, variant="eu")


def test_orbit_in_words(orbit, run):
    """The lines name the product, both forms of the version, and KNMI's column."""
    done = run("inspect", orbit.path)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert "kind: TROPOMI L2__NO2___ file" in lines
    assert any(line.startswith("processor version in names: ") for line in lines)
    assert "  CAMS Europe: nitrogendioxide_tropospheric_column_CAMS_apriori_Europe" in lines


def test_json_is_one_object_or_a_list(orbit, run):
    """One file gives an object, several a list, both plain JSON."""
    done = run("inspect", "--json", orbit.path)
    assert done.status == 0
    assert json.loads(done.out)["file"] == orbit.path.name
    done = run("inspect", "--json", orbit.path, orbit.path)
    assert [item["kind"] for item in json.loads(done.out)] == ["TROPOMI L2__NO2___ file"] * 2


def test_real_meteorology_is_recognised(run, real_file):
    """A real ERA5 file of the new layout is said to be meteorology."""
    done = run("inspect", real_file("Matimba_ERA5-pl-*.nc"))
    assert done.status == 0
    assert "ERA5" in done.out


def test_unknown_files_are_one_line_each(orbit, run, tmp_path):
    """Files of no kind are named, the others still described, and the status is 1."""
    bad = tmp_path / "bad.nc"
    bad.write_bytes(b"nothing")
    done = run("inspect", bad, tmp_path / "nowhere.nc", orbit.path)
    assert done.status == 1
    assert done.out.startswith("file: S5P_")
    assert len(done.err.splitlines()) == 2
    assert "bad.nc" in done.err
    assert "nowhere.nc" in done.err


def test_ground_columns_are_described(run, tmp_path):
    """Whose, where, when, rows by flag, and the median of those that count."""
    rows = [
        ("20230601T110000.0Z", 0, 1e-4),
        ("20230601T120000.0Z", 10, 3e-4),
        ("20230601T130000.0Z", 22, 9.0),
    ]
    path = write_pandora(tmp_path / "Pandora.txt", rows)
    found = json.loads(run("inspect", "--json", path).out)
    assert found["kind"] == "Pandora file of ground columns"
    assert (found["station"], found["latitude"], found["altitude_m"]) == ("Paris", 48.85, 50.0)
    assert found["rows"] == 3
    assert found["rows_by_flag"] == {"0": 1, "10": 1, "22": 1}
    assert found["period"] == ["2023-06-01T11:00:00Z", "2023-06-01T13:00:00Z"]
    assert found["median_column"] == pytest.approx(2e-4)
    table = tmp_path / "aircraft.csv"
    lines = ["station,time,latitude,longitude,column_pmolec_cm2"]
    lines += [f"leg{i},2023-06-01T11:00,48.{i},2.1,{i}" for i in (1, 2)]
    table.write_text("\n".join(lines))
    found = json.loads(run("inspect", "--json", table).out)
    assert (found["kind"], found["stations"]) == ("CSV file of ground columns", 2)
    assert found["series"]["leg1 48.1000 2.1000"]["rows"] == 1


def test_a_field_that_does_not_say_all_gets_its_toml(tmp_path, run):
    """On standard output, the reason on standard error, status 1; nothing for what is no field."""
    path = write_archive(tmp_path / "archive.nc")
    done = run("inspect", path)
    assert done.status == 1
    assert done.err.startswith("Error: ") and done.err.count("\n") == 1
    assert tomllib.loads(done.out)["variable"] == "field"
    with netCDF4.Dataset(tmp_path / "b.nc", "w") as ds:
        put(ds, "name", ("n",), [1.0])
    assert run("inspect", tmp_path / "b.nc").out == ""
    (tmp_path / "text.nc").write_text("no field")
    assert run("inspect", tmp_path / "text.nc").out == ""
