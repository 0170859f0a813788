"""What is wrong with files is said in one line, with exit status 1, and nothing is half-written."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys

import netCDF4
import numpy as np
import pytest

from cli.main import main
from tests.builders.files import BOUNDS, DAY, axis, to_classic, write_cams, write_profiles
from tests.cli.conftest import names


def edited(orbit, change):
    """Apply a function to the open file of an orbit or set, and return its path."""
    with netCDF4.Dataset(orbit, "a") as file:
        change(file)
    return orbit


def other_product(path, product, column):
    """Write what another TROPOMI product has in common with NO2, and its own column."""
    with netCDF4.Dataset(path, "w") as file:
        file.createGroup("METADATA/GRANULE_DESCRIPTION").ProductShortName = product
        group = file.createGroup("PRODUCT")
        for name, size in (("time", 1), ("scanline", 4), ("ground_pixel", 3), ("layer", 50)):
            group.createDimension(name, size)
        dims = ("time", "scanline", "ground_pixel")
        for name in ("latitude", "longitude", column):
            group.createVariable(name, "f4", dims)[:] = 1.0
        group.createVariable("column_averaging_kernel", "f4", (*dims, "layer"))[:] = 1.0
    return path


def fill(name):
    """Return a function that makes all values of a variable missing."""

    def change(file):
        group = file
        for part in name.split("/"):
            group = group[part]
        group[:] = np.ma.masked

    return change


def co_file(orbit):
    return other_product(orbit, "L2__CO____", "carbonmonoxide_total_column")


def ch4_file(orbit):
    return other_product(orbit, "L2__CH4___", "methane_mixing_ratio_bias_corrected")


def text_file(orbit):
    orbit.write_text("Dear user, your download has expired.")


def empty_file(orbit):
    orbit.write_bytes(b"")


def truncated(orbit):
    data = orbit.read_bytes()
    orbit.write_bytes(data[: len(data) // 2])


def overwritten_superblock(orbit):
    data = bytearray(orbit.read_bytes())
    data[8:64] = b"\xff" * 56
    orbit.write_bytes(data)


def no_kernel(orbit):
    edited(orbit, lambda f: f["PRODUCT"].renameVariable("averaging_kernel", "kernel"))


def flat_kernel(orbit):
    def change(file):
        product = file["PRODUCT"]
        product.renameVariable("averaging_kernel", "kernel")
        product.createVariable("averaging_kernel", "f4", ("time", "scanline", "ground_pixel"))

    edited(orbit, change)


def text_for_a_column(orbit):
    def change(file):
        product = file["PRODUCT"]
        product.renameVariable("air_mass_factor_total", "amf")
        dims = ("time", "scanline", "ground_pixel")
        product.createVariable("air_mass_factor_total", "i4", dims)

    edited(orbit, change)


def all_invalid(orbit):
    edited(orbit, fill("PRODUCT/averaging_kernel"))


def no_geolocation(orbit):
    edited(orbit, fill("PRODUCT/latitude"))


def no_times(orbit):
    edited(orbit, fill("PRODUCT/delta_time"))


def odd_time_unit(orbit):
    edited(orbit, lambda f: f["PRODUCT/delta_time"].setncattr("units", "fortnights"))


def odd_time_origin(orbit):
    edited(orbit, lambda f: f["PRODUCT/delta_time"].setncattr("units", "ms since the flood"))


def odd_layers(orbit):
    edited(orbit, lambda f: f["PRODUCT/tm5_constant_a"].__setitem__(slice(None), 0.0))


def hectopascals(orbit):
    name = "PRODUCT/SUPPORT_DATA/INPUT_DATA/surface_pressure"
    edited(orbit, lambda f: f[name].setncattr("units", "hPa"))


BAD_ORBITS = {
    co_file: ("is no NO2 product", "L2__CO____", "Choose another file"),
    ch4_file: ("is no NO2 product", "L2__CH4___", "Choose another file"),
    text_file: ("cannot be opened as netCDF-4", "Unknown file format", "Download"),
    empty_file: ("cannot be opened as netCDF-4", "Unknown file format", "Download"),
    truncated: ("Damaged file", "truncated file", "Download"),
    overwritten_superblock: ("Damaged file", "Unable to synchronously open file", "Download"),
    no_kernel: ("no variable averaging_kernel", "Get the full file"),
    flat_kernel: ("must have the dimensions", "Given ('time', 'scanline', 'ground_pixel')"),
    text_for_a_column: ("air_mass_factor_total must hold floats", "Given int32"),
    all_invalid: ("No pixel of the crop can be re-retrieved", "480 x no kernel", "another orbit"),
    no_geolocation: ("no valid geolocation", "Nothing to do"),
    no_times: ("no valid delta_time", "Choose another file"),
    odd_time_unit: ("unknown unit of delta_time 'fortnights'",),
    odd_time_origin: ("cannot read a date from the time unit",),
    odd_layers: ("invalid tm5_constant_a/b", "must be contiguous"),
    hectopascals: ("surface_pressure must be in Pa", "'hPa'"),
}


@pytest.mark.parametrize("spoil", BAD_ORBITS, ids=lambda spoil: spoil.__name__)
def test_a_bad_orbit_is_refused_in_one_line(reretrieve, orbit, spoil):
    """The line names the file or its fault and what to do; status 1; no file appears."""
    spoil(orbit)
    outcome = reretrieve()
    assert outcome.status == 1
    assert outcome.out == ""
    assert all(part in outcome.error for part in BAD_ORBITS[spoil]), outcome.error
    assert names(orbit.parent) == [orbit.name]


def test_a_set_given_as_an_orbit_is_refused(reretrieve, workspace):
    """A profile file in the place of the orbit is no L2 file."""
    outcome = reretrieve(orbits=[next(workspace.profiles.iterdir())])
    assert outcome.status == 1
    assert "Expected an L2__NO2___ product" in outcome.error


def test_a_folder_without_an_orbit_is_refused(reretrieve, workspace):
    """Folders are searched; one that holds sets only is a wrong call."""
    outcome = reretrieve(orbits=[workspace.profiles])
    assert outcome.status == 2
    assert f"there is no orbit in {workspace.profiles}" in outcome.error


def test_a_missing_orbit_is_refused(reretrieve, orbit):
    """An orbit that does not exist is said to be missing."""
    outcome = reretrieve(orbits=[orbit.with_name("nowhere.nc")])
    assert outcome.status == 1
    assert "nowhere.nc is not a file" in outcome.error


def test_a_result_given_as_an_orbit_is_refused(reretrieve, orbit):
    """A file that is itself re-retrieved is not re-retrieved again."""
    done = orbit.with_name("done.nc")
    assert reretrieve("-o", done).status == 0
    outcome = reretrieve(orbits=[done])
    assert outcome.status == 1
    assert "already re-retrieved with DACNO2" in outcome.error


# sets


def attribute(variable, name, value):
    """Return a function that writes a profile file with one attribute changed."""

    def write(folder):
        path = write_profiles(folder / "p.nc")
        return edited(path, lambda f: f[variable].setncattr(name, value))

    return write


def values(number):
    """Return a function that writes a profile file with all values the same."""

    def write(folder):
        path = write_profiles(folder / "p.nc")
        return edited(path, lambda f: f["no2"].__setitem__(slice(None), number))

    return write


def no_unit(folder):
    return edited(write_profiles(folder / "p.nc"), lambda f: f["no2"].delncattr("units"))


def another_day(folder):
    return write_profiles(folder / "p.nc", day="2019-06-03")


def another_place(folder):
    return write_profiles(folder / "p.nc", bounds=(10.0, 46.0, 14.0, 50.0))


def empty_folder(folder):
    return folder


def folder_of_text(folder):
    (folder / "readme.txt").write_text("The files are elsewhere.")
    return folder


def flat_field(folder):
    """Write a surface field: time, latitude, longitude, and no level."""
    west, south, east, north = BOUNDS
    with netCDF4.Dataset(folder / "p.nc", "w") as file:
        for name, coordinate, units in (
            ("time", np.array([12.0]), f"hours since {DAY}"),
            ("latitude", axis(south, north, 0.1), "degrees_north"),
            ("longitude", axis(west, east, 0.1), "degrees_east"),
        ):
            file.createDimension(name, coordinate.size)
            variable = file.createVariable(name, "f8", (name,))
            variable.units = units
            variable[:] = coordinate
        no2 = file.createVariable("no2", "f4", ("time", "latitude", "longitude"))
        no2.units, no2[:] = "ug m-3", 5.0
    return folder / "p.nc"


def another_gas(folder):
    def change(file):
        file.renameVariable("no2", "o3")
        file["o3"].standard_name = "mass_concentration_of_ozone_in_air"

    return edited(write_profiles(folder / "p.nc"), change)


def orbit_as_set(folder):
    with netCDF4.Dataset(folder / "p.nc", "w") as file:
        file.createGroup("PRODUCT")
    return folder / "p.nc"


def text_as_set(folder):
    (folder / "p.nc").write_text("no field")
    return folder / "p.nc"


def grib_as_set(folder):
    (folder / "p.grib").write_bytes(b"GRIB" + bytes(200))
    return folder / "p.grib"


def cut_classic(folder):
    path = write_profiles(folder / "p.nc", compressed=False)
    path.write_bytes(path.read_bytes()[:-100])
    return path


def cut_hdf5(folder):
    path = write_profiles(folder / "p.nc")
    path.write_bytes(path.read_bytes()[:-100])
    return path


def two_kinds(folder):
    write_profiles(folder / "p.nc")
    return write_cams(folder)


def one_hour_missing(folder):
    """Write a month that lacks 13 UTC, so that there is no mean of 11 to 13 UTC."""
    for path in sorted(write_cams(folder).iterdir()):
        with netCDF4.Dataset(path, "a") as file:
            file["time"][13] = 13.5
    return folder


BAD_SETS = {
    "unit ppm": (attribute("no2", "units", "ppm"), "must agree with the standard name", "'ppm'"),
    "unit ug/cm2": (attribute("no2", "units", "ug/cm2"), "Given 'ug/cm2'", "read as ug m-3"),
    "unit kg m-3": (attribute("no2", "units", "kg m-3"), "Given 'kg m-3'", "read as ug m-3"),
    "unit K": (attribute("no2", "units", "K"), "Invalid unit", "Given 'K'", "TOML"),
    "no unit": (no_unit, "must say its unit", "Given none", "TOML"),
    "heights": (attribute("height", "units", "km"), "Invalid heights", "within 0..100000 m"),
    "time unit": (attribute("time", "units", "furlongs"), "Invalid times"),
    "day": (another_day, "no field within 12 h", "2019-06-03", DAY, "Give the set of"),
    "place": (another_place, "No pixel of the orbit lies in the primary set", "Choose another"),
    "empty folder": (empty_folder, "must hold netCDF files", "Given 0 file(s)"),
    "text folder": (folder_of_text, "must hold netCDF files", "Given 1 file(s)"),
    "2-D": (flat_field, "no2", "level"),
    "another gas": (another_gas, "must hold NO2", "o3"),
    "orbit": (orbit_as_set, "Given an orbit", "not -a"),
    "text": (text_as_set, "first bytes"),
    "GRIB": (grib_as_set, "Given GRIB", "equest netCDF"),
    "cut classic": (cut_classic, "Damaged file", "bytes where the header asks for"),
    "cut HDF5": (cut_hdf5, "Damaged file", "Download it again"),
    "two kinds": (two_kinds, "one kind of set", "folders of their own"),
    "missing hour": (one_hour_missing, "serves no pixel", "no field in time"),
    "all missing": (values(np.ma.masked), "serves no pixel", "low coverage"),
    "huge": (values(1e30), "Implausible values", "1e+30"),
    "very negative": (values(-1e4), "Implausible values", "fill value is not declared"),
}


@pytest.mark.parametrize("bad", BAD_SETS)
def test_a_bad_set_is_refused_in_one_line(reretrieve, orbit, tmp_path, bad):
    """The line names the fault and what to do; status 1; no file appears."""
    write, *parts = BAD_SETS[bad]
    (tmp_path / "set").mkdir()
    outcome = reretrieve(sets=[f"x={write(tmp_path / 'set')}"])
    assert outcome.status == 1
    assert outcome.out == ""
    assert all(part in outcome.error for part in parts), outcome.error
    assert names(orbit.parent) == [orbit.name]


@pytest.mark.parametrize("number", [0.0, -0.5])
def test_a_set_of_nothing_is_warned_of(reretrieve, tmp_path, number):
    """Zeros may be clean air, but columns that are no longer the set's are not silent."""
    empty = values(number)(tmp_path)
    outcome = reretrieve(sets=[f"x={empty}"])
    assert outcome.status == 0
    negatives, share = [], outcome.err.splitlines()[-1]
    if number < 0:
        negatives = [line for line in outcome.err.splitlines() if "negative values" in line]
        assert len(negatives) == 1
    assert len(outcome.err.splitlines()) == 1 + len(negatives)
    assert share.startswith("WARNING: Set X: 100 % of the a-priori columns is not its own")
    outcome = reretrieve("--above", "none", "--overwrite", "-q", sets=[f"x={empty}"])
    assert outcome.status == 1
    assert "empty profile" in outcome.error


def test_a_bad_second_set_stops_the_orbit(reretrieve, orbit, workspace, tmp_path):
    """A set that is not the primary is not left out in silence."""
    second = another_place(tmp_path)
    outcome = reretrieve(sets=[f"dacno2={workspace.profiles}", f"far={second}"])
    assert outcome.status == 1
    assert "FAR" in outcome.error
    assert names(orbit.parent) == [orbit.name]


def test_a_european_set_is_no_upper_set(reretrieve, workspace):
    """--upper needs fields that reach the tropopause; heights up to 5 km do not."""
    outcome = reretrieve("--upper", workspace.profiles)
    assert outcome.status == 1
    assert "must reach the tropopause" in outcome.error


def test_meteo_without_temperature_is_refused(reretrieve, workspace):
    """--meteo with a file of NO2 only says that temperature is missing."""
    outcome = reretrieve("--meteo", workspace.profiles)
    assert outcome.status == 1
    assert "temperature" in outcome.error.lower()


def test_a_workspace_without_the_day_is_refused(run, orbit, tmp_path):
    """Default sets that all miss the orbit's day are named, with the day."""
    (tmp_path / "profiles").mkdir()
    write_profiles(tmp_path / "profiles" / "p.nc", day="2019-06-09")
    outcome = run("reretrieve", orbit, "-w", tmp_path)
    assert outcome.status == 1
    assert f"within 12 hours of {DAY}" in outcome.error


# several orbits


def test_one_bad_orbit_does_not_stop_the_others(reretrieve, orbit):
    """Of three orbits the bad one is named in the last line, the others are done; status 1."""
    bad, third = orbit.with_name("bad.nc"), orbit.with_name("third.nc")
    shutil.copy(orbit, third)
    bad.write_text("no orbit")
    outcome = reretrieve(orbits=[orbit, bad, third])
    assert outcome.status == 1
    assert outcome.error.startswith(f"Error: {bad}: bad.nc cannot be opened")
    expected = [f"{orbit.stem}_DACNO2.nc", "third_DACNO2.nc"]
    assert [line for line in outcome.out.splitlines() if line.endswith(".nc")] == [
        str(orbit.with_name(name)) for name in expected
    ]
    assert names(orbit.parent) == sorted([orbit.name, "bad.nc", "third.nc", *expected])


# outputs


def test_an_existing_output_is_kept(reretrieve, orbit):
    """Without --overwrite an existing file is refused before anything is computed."""
    out = orbit.with_name("out.nc")
    out.write_text("precious")
    outcome = reretrieve("-o", out)
    assert outcome.status == 1
    assert "An existing file is not replaced" in outcome.error
    assert "--overwrite" in outcome.error
    assert out.read_text() == "precious"


def test_a_failed_run_keeps_what_it_was_to_overwrite(reretrieve, orbit, tmp_path):
    """With --overwrite and a failure the old file stays as it was."""
    out = orbit.with_name("out.nc")
    out.write_text("precious")
    outcome = reretrieve("-o", out, "--overwrite", sets=[f"x={another_day(tmp_path)}"])
    assert outcome.status == 1
    assert out.read_text() == "precious"


@pytest.mark.parametrize("which", ["orbit", "link to the orbit", "set"])
def test_an_input_is_never_the_output(reretrieve, orbit, tmp_path, which):
    """Orbit and sets are never overwritten, not even with --overwrite or through a link."""
    profiles = write_profiles(tmp_path / "p.nc")
    out = {"orbit": orbit, "set": profiles}.get(which, orbit.with_name("link.nc"))
    if which == "link to the orbit":
        out.symlink_to(orbit)
    before = orbit.read_bytes(), profiles.read_bytes()
    outcome = reretrieve("-o", out, "--overwrite", sets=[f"x={profiles}"])
    assert outcome.status == 1
    assert "It must not be an input" in outcome.error
    assert (orbit.read_bytes(), profiles.read_bytes()) == before


def test_a_missing_output_folder_is_not_made_for_one_file(reretrieve, tmp_path):
    """A typing error in a path does not create folders."""
    outcome = reretrieve("-o", tmp_path / "nowhere" / "out.nc")
    assert outcome.status == 1
    assert "Its folder must exist" in outcome.error
    assert not (tmp_path / "nowhere").exists()


def test_an_unwritable_folder_is_said_before_the_work(reretrieve, orbit, monkeypatch):
    """A folder without write permission is refused before the orbit is opened."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda p, mode: mode & os.W_OK == 0 and access(p, mode))
    monkeypatch.setattr("retrieval.substitution.reretrieve.open_orbit", None)
    outcome = reretrieve()
    assert outcome.status == 1
    assert "The folder is not writable. Choose a folder you may write to" in outcome.error
    assert names(orbit.parent) == [orbit.name]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux")
def test_a_folder_that_takes_no_files_is_one_line(reretrieve):
    """Where even root cannot create files the system's own reason is given."""
    outcome = reretrieve("-o", "/proc/out.nc")
    assert outcome.status == 1
    assert "/proc/out.nc" in outcome.error


@pytest.mark.parametrize("after", [0, 3, 40])
def test_a_full_disk_leaves_nothing(reretrieve, orbit, monkeypatch, after):
    """Whichever write finds the disk full: one line, no file, no temporary file."""
    from retrieval.files import hdf5_sink

    count = 0

    class Full(hdf5_sink.Sink):
        def write(self, data):
            nonlocal count
            count += 1
            if count > after:
                self.error = self.error or OSError(errno.ENOSPC, "No space left on device")
                return len(memoryview(data))
            return super().write(data)

    monkeypatch.setattr(hdf5_sink, "Sink", Full)
    outcome = reretrieve()
    assert outcome.status == 1
    assert "There is no space left on the device" in outcome.error
    assert names(orbit.parent) == [orbit.name]


def test_a_file_size_limit_leaves_nothing(orbit, workspace):
    """A real failing write, as of a full disk, in the real command: one line and no file."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))  # the output has 600 kB

    command = [sys.executable, "-c", "from cli.main import main; main()", "reretrieve"]
    done = subprocess.run(
        [*command, orbit, "-a", f"dacno2={workspace.profiles}"],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "allowed file size" in done.stderr
    assert names(orbit.parent) == [orbit.name]


def test_an_interruption_leaves_nothing(reretrieve, orbit, monkeypatch):
    """Ctrl-C in the middle of the computation: one line, status 1, no file."""
    import retrieval.substitution.reretrieve as module

    substitute = module.substitute

    def interrupted(*args, progress, **kwargs):
        def stop(done, total):
            raise KeyboardInterrupt

        return substitute(*args, progress=stop, **kwargs)

    monkeypatch.setattr(module, "substitute", interrupted)
    outcome = reretrieve()
    assert outcome.status == 1
    assert outcome.error.startswith("Error: interrupted.")
    assert names(orbit.parent) == [orbit.name]


def test_an_interruption_while_writing_leaves_nothing(reretrieve, orbit, monkeypatch):
    """Ctrl-C while the file is written: the temporary file goes too."""
    import retrieval.l2.product.write as module

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_write_variables", interrupted)
    outcome = reretrieve()
    assert outcome.status == 1
    assert outcome.error.startswith("Error: interrupted.")
    assert names(orbit.parent) == [orbit.name]


def test_the_classic_copy_is_the_same_set(reretrieve, orbit, tmp_path, workspace):
    """The builder of classic files, which other tests damage, keeps all values."""
    classic = to_classic(next(workspace.profiles.iterdir()), tmp_path / "classic.nc")
    columns = []
    for source, name in ((workspace.profiles, "a.nc"), (classic, "b.nc")):
        out = orbit.with_name(name)
        assert reretrieve("-o", out, sets=[f"x={source}"]).status == 0
        with netCDF4.Dataset(out) as file:
            columns.append(file["PRODUCT/nitrogendioxide_tropospheric_column_X_apriori"][:])
    np.testing.assert_array_equal(columns[0], columns[1])


def test_main_is_what_the_console_script_calls():
    """The tests run the function that the entry point names."""
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="dacno2-s5p")
    assert script.load() is main
