"""Faults of the machine: full disks, killed processes, odd clocks and locales, slow disks."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from tests.cli.conftest import names

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from cli.main import main; main()"]

WRITERS = """
import json, resource, sys
from pathlib import Path
from tests.builders.fault_writers import WRITERS
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
calls = {name: prepare() for name, prepare in WRITERS.items()}
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
found = {}
for name, write in calls.items():
    try:
        write(folder)
        found[name] = "written"
    except Exception as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""


def run(*arguments: object, env: dict[str, str] | None = None, **more: object):
    """Run a command in a process of its own."""
    return subprocess.run(
        [*map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        check=False,
        **more,
    )


def test_every_writer_says_that_the_disk_is_full(tmp_path):
    """Where the system cuts a write short: one line, no file, and the process lives on."""
    done = run(sys.executable, "-c", WRITERS, tmp_path, 2000)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    found = json.loads(done.stdout)
    for name, ending in found.items():
        assert ending.startswith("OutputError: Invalid output"), f"{name}: {ending}"
        assert "allowed file size" in ending, f"{name}: {ending}"
    assert [n for n in names(tmp_path) if not (tmp_path / n).is_dir()] == []


def test_every_writer_writes_where_there_is_room(tmp_path):
    """The calls of the test above are good ones."""
    done = run(sys.executable, "-c", WRITERS, tmp_path, 10**9)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout).values()) == {"written"}


@pytest.fixture
def tiny_disk(tmp_path):
    """Return a file system of 300 kB, half of what a result needs; skip where none is allowed."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mount = shutil.which("mount")
    made = mount and run(mount, "-t", "tmpfs", "-o", "size=300k", "tmpfs", folder).returncode == 0
    if not made:
        pytest.skip("no permission to mount a file system")
    yield folder
    run("umount", "-l", folder)


def test_a_disk_that_is_really_full(tiny_disk, orbit, workspace):
    """On a file system too small for the result: one line, nothing left, the next run is done."""
    call = [*COMMAND, "reretrieve", orbit, "-a", f"x={workspace.profiles}"]
    done = run(*call, "-o", tiny_disk / "out.nc")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "There is no space left on the device" in done.stderr
    assert names(tiny_disk) == []


SLOW_WRITE = """
import sys, time
from retrieval.files import hdf5_sink
write = hdf5_sink.Sink.write
def slow(self, data):
    print("writing", flush=True)
    time.sleep(0.05)
    return write(self, data)
hdf5_sink.Sink.write = slow
from cli.main import main
main(sys.argv[1:])
"""


def test_a_process_killed_in_mid_write_leaves_no_result(orbit, workspace):
    """After SIGKILL nothing has the final name; what is left is hidden and harms no later run."""
    out = orbit.with_name("out.nc")
    call = ["reretrieve", str(orbit), "-a", f"x={workspace.profiles}", "-o", str(out)]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_WRITE, *call], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        for _ in range(3):
            assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    left = set(names(orbit.parent)) - {orbit.name}
    assert len(left) == 1
    (name,) = left
    assert name.startswith(".out.nc.")
    assert name.endswith(".part")
    assert run(*COMMAND, *call).returncode == 0
    with netCDF4.Dataset(out) as file:
        assert "air_mass_factor_troposphere_X_apriori" in file["PRODUCT"].variables
    # a folder with the rest of a killed process is still a folder of files
    assert run(*COMMAND, "inspect", out).returncode == 0


def new_variables(path: Path) -> dict[str, np.ndarray]:
    """Read what `reretrieve` added."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        found = file["PRODUCT"].variables
        return {name: v[...] for name, v in found.items() if "_X" in name}


PLACES = {
    "no locale": {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0"},
    "comma": {"LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8"},
    "far east": {"TZ": "Pacific/Kiritimati"},
    "far west": {"TZ": "Pacific/Pago_Pago"},
    "odd zone": {"TZ": "Nowhere/Land"},
}


@pytest.mark.parametrize("place", ["no locale", "far east", "far west"])
def test_results_do_not_depend_on_where_the_computer_stands(orbit, workspace, tmp_path, place):
    """Locale and time zone change neither numbers nor dates."""
    call = [*COMMAND, "reretrieve", orbit, "-a", f"x={workspace.profiles}", "--json"]
    found = []
    for name, env in (("here", {}), ("there", PLACES[place])):
        done = run(*call, "-o", tmp_path / f"{name}.nc", env=env)
        assert (done.returncode, done.stderr) == (0, "")
        found.append(new_variables(tmp_path / f"{name}.nc"))
    for name, values in found[0].items():
        np.testing.assert_array_equal(values, found[1][name], err_msg=name)


@pytest.mark.parametrize("year", [1971, 2037, 2105])
def test_the_clock_of_the_computer_is_not_asked(reretrieve, orbit, monkeypatch, year):
    """Files dated long before or after the orbit, and such a clock, give the same numbers."""
    first = orbit.with_name("first.nc")
    assert reretrieve("-o", first, sets=None).status == 0
    then = (np.datetime64(f"{year}-03-01") - np.datetime64("1970-01-01")).astype(int) * 86400.0
    os.utime(orbit, (then, then))
    monkeypatch.setattr(time, "time", lambda: then)
    second = orbit.with_name("second.nc")
    assert reretrieve("-o", second).status == 0
    with netCDF4.Dataset(first) as one, netCDF4.Dataset(second) as other:
        for name, variable in one["PRODUCT"].variables.items():
            np.testing.assert_array_equal(variable[...], other["PRODUCT"].variables[name][...])


def test_the_order_of_file_dates_says_nothing(reretrieve, orbit, workspace, tmp_path):
    """Sets copied in any order, slowly: which file is newer does not choose the field."""
    results = []
    for i, sign in enumerate((1, -1)):
        folder = tmp_path / f"cams{i}"
        shutil.copytree(workspace.cams, folder)
        for j, path in enumerate(sorted(folder.iterdir())):
            os.utime(path, (1e9 + sign * 1000.0 * j, 1e9 + sign * 1000.0 * j))
        out = orbit.with_name(f"{i}.nc")
        assert reretrieve("-o", out, sets=[f"x={folder}"]).status == 0
        results.append(new_variables(out))
    for name, values in results[0].items():
        np.testing.assert_array_equal(values, results[1][name])


def test_two_processes_on_one_output(orbit, workspace):
    """One result under the name, whole; the other process is done or refused, in one line."""
    out = orbit.with_name("out.nc")
    call = [*COMMAND, "reretrieve", str(orbit), "-a", f"x={workspace.profiles}", "-o", str(out)]
    processes = [
        subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [(p.communicate()[1], p.returncode) for p in processes]
    assert 0 in [status for _, status in ends]
    for text, status in ends:
        assert status == 0 or ("An existing file is not replaced" in text)
        assert len(text.splitlines()) == status
    assert names(orbit.parent) == sorted([orbit.name, "out.nc"])
    with netCDF4.Dataset(out) as file:
        assert np.isfinite(file["PRODUCT/air_mass_factor_troposphere_X_apriori"][...]).any()


def test_reading_that_fails_once_is_damage_not_a_crash(reretrieve, orbit, monkeypatch):
    """A disk that reports an error while an orbit is read ends in one line."""
    import retrieval.substitution.reretrieve as module

    def broken(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(module, "input_file", lambda _role, path: broken(path))
    outcome = reretrieve()
    assert outcome.status == 1
    assert "Input/output error" in outcome.error
    assert names(orbit.parent) == [orbit.name]
