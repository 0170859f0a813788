"""How commands are called: wrong calls in one line with exit status 2, help, verbosity, pipes."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import click
import netCDF4
import numpy as np
import pytest
from click.shell_completion import get_completion_class

import dacno2_s5p
import retrieval as rt
from cli.main import COMMANDS, cli
from cli.options.panels import ORDER, OUTPUT, PANELS, panel_of
from cli.options.renamed import RENAMED
from cli.options.shared import Quality
from retrieval.l2.sensors.tropomi import Tropomi
from tests.builders.files import write_era5, write_profiles
from tests.cli.conftest import names

SCRIPT = Path(sys.executable).with_name("dacno2-s5p")


WRONG_CALLS = {
    "name TM5": (["-a", "TM5={profiles}"], "Invalid set name 'TM5'", "not TM5"),
    "name tm5": (["-a", "tm5={profiles}"], "Invalid set name 'tm5'"),
    "17 letters": (["-a", "abcdefghijklmnopq={profiles}"], "up to 15 more letters, digits or _"),
    "digit first": (["-a", "1abc={profiles}"], "Invalid set name '1abc'"),
    "full stop": (["-a", "a.b={profiles}"], "Invalid set name 'a.b'"),
    "letter outside ASCII": (["-a", "é={profiles}"], "Invalid set name 'é'"),
    "no sign": (["-a", "{profiles}"], "is not NAME=PATH", "cams=cams/2023"),
    "no name": (["-a", "={profiles}"], "is not NAME=PATH"),
    "no path": (["-a", "cams="], "is not NAME=PATH"),
    "missing path": (["-a", "cams=/nowhere"], "/nowhere does not exist"),
    "twice": (["-a", "a={profiles}", "-a", "a={cams}"], "two sets are named A"),
    "twice in capitals": (
        ["-a", "dacno2={profiles}", "-a", "DACNO2={cams}"],
        "two sets are named DACNO2",
    ),
    "upper with none": (["--upper", "{ctm}", "--above", "none"], "--upper is for --above upper"),
    "upper missing": (["--upper", "/nowhere"], "--upper", "/nowhere does not exist"),
    "no upper set": (["--above", "upper", "-w", "/nowhere"], "--above upper needs a global set"),
    "meteo missing": (["--meteo", "/nowhere"], "--meteo", "/nowhere does not exist"),
    "negative merge height": (["--merge-height", "-5"], "Invalid merge_height", "Given -5"),
    "merge height nan": (["--merge-height", "nan"], "Invalid merge_height"),
    "merge height text": (["--merge-height", "high"], "--merge-height", "not a valid float"),
    "ppt negative": (["--above-vmr", "-1"], "Invalid above_vmr", "between 0 and 10000"),
    "ppt nan": (["--above-vmr", "nan"], "Invalid above_vmr"),
    "south above north": (["--bbox", "1", "48", "2", "47"], "south below north"),
    "box of nan": (["--bbox", "nan", "47", "2", "48"], "Invalid bbox"),
    "box of infinity": (["--bbox", "1", "47", "inf", "48"], "Invalid bbox"),
    "three corners": (["--bbox", "1", "47", "2"], "--bbox", "4 arguments"),
    "unknown rule": (["--time-rule", "noon"], "--time-rule", "overpass-mean"),
    "unknown layout": (["--layout", "beside"], "--layout", "extend"),
    "unknown option": (["--apiori", "x=y"], "No such option", "--apriori"),
    "qa": (["--qa", "101"], "--qa", "101"),
    "png": (["-o", "map.png"], "map.png must end in .nc"),
    "no suffix": (["-o", "out"], "must end in .nc", "or be an existing folder"),
    "workspace is a file": (["-w", __file__], "--workspace"),
}


@pytest.mark.parametrize("call", WRONG_CALLS)
def test_a_wrong_call_is_one_line_with_status_2(reretrieve, orbit, workspace, call):
    """The line names the option, says the rule and where to read on; no file appears."""
    args, *parts = WRONG_CALLS[call]
    paths = {"profiles": workspace.profiles, "cams": workspace.cams, "ctm": workspace.ctm}
    given = [arg.format(**paths) for arg in args]
    sets = [] if "-a" in given else None
    outcome = reretrieve(*given, sets=sets)
    assert outcome.status == 2
    assert all(part in outcome.error for part in parts), outcome.error
    assert "Try `dacno2-s5p" in outcome.error
    assert outcome.error.endswith("--help`.")
    assert outcome.out == ""
    assert names(orbit.parent) == [orbit.name]


def test_no_orbit_is_a_wrong_call(run):
    """Without an orbit the missing argument is named."""
    outcome = run("reretrieve")
    assert outcome.status == 2
    assert "Missing argument 'ORBIT...'" in outcome.error


def test_no_set_anywhere_is_a_wrong_call(run, orbit, tmp_path):
    """Without -a and with an empty workspace both ways to give a set are named."""
    outcome = run("reretrieve", orbit, "-w", tmp_path)
    assert outcome.status == 2
    assert "Give -a NAME=PATH, or put sets into" in outcome.error
    assert str(tmp_path / "profiles") in outcome.error


def test_an_unknown_command_is_a_wrong_call(run):
    """A command that does not exist is named."""
    outcome = run("rerereve")
    assert outcome.status == 2
    assert "No such command 'rerereve'. Did you mean reretrieve?" in outcome.error
    assert "Did you mean" not in run("sing").error


@pytest.mark.parametrize(
    ("call", "old", "new"),
    [
        (("attribute", "--days", "x"), "--days", "--sample-days"),
        (("attribute", "--stations=x"), "--stations", "--station-role"),
        (("calibrate", "--days", "x"), "--days", "--sample-days"),
        (("calibrate", "--profiles", "/absent/x"), "--profiles", "--predictions"),
        (("evaluate", "-s", "x"), "-s", "--apriori"),
        (("evaluate", "-sx"), "-s", "--apriori"),
        (("evaluate", "--set", "x"), "--set", "--apriori"),
        (("extract", "-p", "/absent/x", "a.nc"), "-p", "--points"),
    ],
)
def test_an_old_spelling_is_taken_with_a_warning(run, call, old, new):
    """It reaches the option of the new name, here to be refused for its value."""
    outcome = run(*call)
    warning, error = outcome.err.splitlines()
    assert f"{old} of {call[0]} is now {new}: a flag means one thing" in warning
    assert outcome.status == 2 and new in error


@pytest.mark.parametrize("command", COMMANDS)
def test_flags_with_an_old_meaning_are_of_no_other_command(command):
    """Of each flag one meaning: the old spellings are not the command's own any more."""
    own = {name for option in cli.get_command(None, command).params for name in option.opts}
    assert own & RENAMED.get(command, {}).keys() == set()


@pytest.mark.parametrize(
    ("text", "percent"),
    [("75", 75), ("0.75", 75), ("0", 0), ("0.5", 50), ("1", 1), (".5", 50), ("0.07", 7)],
)
def test_a_quality_is_percent_or_with_a_point_a_fraction(text, percent):
    """1 is one percent, 0.75 three quarters; 0.07 is no victim of floats."""
    assert Quality(99).convert(text, None, None) == percent


@pytest.mark.parametrize("text", ["100", "1.0", "75.0", "0.755", "-1", "high", "", "nan"])
def test_a_quality_that_is_neither_is_refused(text):
    """75.0 may be meant either way; halves of a percent are not stored."""
    with pytest.raises(click.BadParameter, match="Give whole percent from 0 to 99"):
        Quality(99).convert(text, None, None)


@pytest.mark.parametrize("exists", [True, False])
def test_several_orbits_do_not_go_into_one_file(reretrieve, orbit, exists):
    """With several orbits -o FILE.nc is refused, and no folder of that name is made."""
    out = orbit.with_name("out.nc")
    if exists:
        out.write_text("precious")
    second = shutil.copy(orbit, orbit.with_name("second.nc"))
    outcome = reretrieve("-o", out, orbits=[orbit, second])
    assert outcome.status == 2
    assert "Several orbits need a folder" in outcome.error
    assert out.exists() == exists
    assert not exists or out.read_text() == "precious"


def test_orbits_whose_outputs_would_be_one_file_are_refused(reretrieve, orbit, tmp_path):
    """An orbit given twice, and namesakes into one folder, are refused before the first is done."""
    outcome = reretrieve(orbits=[orbit, orbit])
    assert outcome.status == 2
    assert "is given 2 times" in outcome.error
    (tmp_path / "other").mkdir()
    namesake = shutil.copy(orbit, tmp_path / "other")
    outcome = reretrieve("-o", tmp_path / "out", orbits=[orbit, namesake])
    assert outcome.status == 2
    assert "Their outputs would be one file" in outcome.error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_help_of_every_command(run, command):
    """--help says how to call the command, with status 0, on stdout."""
    outcome = run(*command, "--help")
    assert (outcome.status, outcome.err) == (0, "")
    assert " ".join(["Usage: dacno2-s5p", *command]) in " ".join(outcome.out.split())


def test_help_of_reretrieve_names_every_option(run):
    """The options that users rely on, with defaults and examples."""
    text = run("reretrieve", "--help").out
    options = (
        "--apriori --workspace --above --above-vmr --upper --merge-height --meteo --time-rule "
        "--tropopause --layout --crop --bbox --kernels --profiles --output --overwrite --dry-run "
        "--json --verbose --quiet"
    )
    assert [name for name in options.split() if name not in text] == []
    assert "Examples:" in text


def test_version(run):
    """--version gives the version of the package."""
    from importlib.metadata import version

    outcome = run("--version")
    assert outcome.status == 0
    assert version("dacno2-s5p") in outcome.out
    assert rt.__version__ == dacno2_s5p.__version__ == version("dacno2-s5p")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_words_complete_themselves(shell):
    """Commands, flags and choices, in each shell of the docs; its script calls our program."""
    complete = get_completion_class(shell)(cli, {}, "dacno2-s5p", "_DACNO2_S5P_COMPLETE")
    assert "_DACNO2_S5P_COMPLETE" in complete.source_vars().values()

    def offered(args, begun):
        return [item.value for item in complete.get_completions(args, begun)]

    assert offered([], "rep") == ["report"]
    assert offered(["grid"], "--we") == ["--weights"]
    assert offered(["grid", "--weights"], "") == ["overlap", "sharp"]


@pytest.mark.parametrize("command", [["--help"], [], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_heavy(command):
    """Help loads no numpy, torch or reader: it has half a second in all."""
    code = (
        "import sys\n"
        "from cli.main import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'torch', 'xarray', 'netCDF4', 'h5py', 'scipy', 'pandas', 'pyproj',"
        " 'matplotlib'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY []"


@pytest.mark.parametrize("command", COMMANDS)
def test_options_stand_in_panels(command):
    """A help tells what goes in before the method and what comes out; a flag is listed once."""
    made = cli.get_command(click.Context(cli), command)
    options = [one for one in made.params if isinstance(one, click.Option)]
    places = [ORDER.index(panel_of(one)) for one in options]
    assert places == sorted(places)
    assert [one.panel for one in options] == [panel_of(one) for one in options]
    assert "--output" not in {one.opts[0] for one in options if panel_of(one) != OUTPUT}


def test_flags_of_panels_are_flags_of_commands():
    """A flag that was renamed does not linger in the list, and none is in two panels."""
    made = [cli.get_command(click.Context(cli), name) for name in COMMANDS]
    known = {flag for one in made for param in one.params for flag in param.opts}
    listed = [flag for flags in PANELS.values() for flag in flags.split()]
    assert len(listed) == len(set(listed))
    assert set(listed) <= known


def test_without_torch_the_retrieval_works_and_the_network_says_what_to_install(tmp_path):
    """An installation without the extra `ml`: inspect reads an orbit, predict is one line."""
    code = (
        "import sys\n"
        "sys.modules['torch'] = None  # as where it is not installed\n"
        "from cli.main import main\n"
        "for words in sys.argv[1:]:\n"
        "    try:\n        main(words.split())\n"
        "    except SystemExit as end:\n        print('STATUS', end.code)\n"
        "import dacno2_s5p\n"
        "try:\n    dacno2_s5p.Twin\nexcept ImportError as error:\n    print(error)\n"
    )
    words = [
        f"inspect {rt.sample('orbit')}",
        "predict --start 2023-06-01",
        "twin d --start 2023-06-01",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    statuses = [line for line in done.stdout.splitlines() if line.startswith("STATUS")]
    assert statuses == ["STATUS 0", "STATUS 1", "STATUS 1"]
    assert done.stderr.count("Missing package torch") == 2
    assert "pip install 'dacno2-s5p[ml]'" in done.stdout.splitlines()[-1]
    assert not list(tmp_path.iterdir())


# verbosity


def test_a_traceback_only_with_vv(reretrieve, orbit):
    """Plain, -v and -q give one line; -vv gives the traceback and then the line."""
    orbit.write_text("no orbit")
    for flags in ((), ("-v",), ("-q",)):
        assert "cannot be opened" in reretrieve(*flags).error
    outcome = reretrieve("-vv")
    assert outcome.status == 1
    assert "Traceback (most recent call last)" in outcome.err
    assert outcome.err.splitlines()[-1].startswith("Error: ")


def test_an_unforeseen_error_is_one_line_too(reretrieve, orbit, monkeypatch):
    """A fault of the program itself gives no traceback without -vv, and status 1."""

    def broken(*args, **kwargs):
        raise ZeroDivisionError("float division\nby zero")

    monkeypatch.setattr("retrieval.substitution.reretrieve.substitute", broken)
    outcome = reretrieve()
    assert outcome.status == 1
    assert outcome.error == "Error: float division by zero"
    assert names(orbit.parent) == [orbit.name]


def test_an_error_without_words_is_named(reretrieve, monkeypatch):
    """An error with an empty message is given by its type."""

    def broken(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("retrieval.substitution.reretrieve.substitute", broken)
    assert reretrieve().error == "Error: MemoryError"


def test_v_says_more_on_stderr_only(reretrieve, orbit):
    """-v adds information on stderr; stdout is the same without and with it."""
    quiet = reretrieve("-o", orbit.with_name("out.nc"))
    loud = reretrieve("-o", orbit.with_name("out.nc"), "--overwrite", "-v")
    assert quiet.err == ""
    assert "INFO: " in loud.err
    assert "DACNO2: done" in loud.err
    assert quiet.out == loud.out


def test_vv_keeps_the_logs_of_other_libraries_out(reretrieve):
    """-vv shows our debugging messages, not those of h5py or pyproj."""

    def noisy(*args, **kwargs):
        logging.getLogger("h5py._conv").debug("Creating converter from 7 to 5")
        return original(*args, **kwargs)

    original = Tropomi.scanline_times
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tropomi, "scanline_times", noisy)
        outcome = reretrieve("-vv")
    assert outcome.status == 0
    assert "DEBUG: " in outcome.err
    assert "converter" not in outcome.err


def without_altitude(orbit):
    """Rename the surface altitude, as if the file had none (as the reduced files)."""
    with netCDF4.Dataset(orbit, "a") as file:
        group = file["PRODUCT/SUPPORT_DATA/INPUT_DATA"]
        group.renameVariable("surface_altitude", "altitude")


def test_an_assumption_is_warned_of(reretrieve, orbit):
    """What a file lacks and is assumed instead is one warning on stderr; -q hides it."""
    without_altitude(orbit)
    outcome = reretrieve()
    assert outcome.status == 0
    assert outcome.err.splitlines() == [
        f"WARNING: {orbit.name}: surface altitude taken from the standard atmosphere "
        "(warning bit 8)"
    ]
    assert reretrieve("-q", "--overwrite").err == ""
    found = json.loads(reretrieve("-q", "--overwrite", "--json").out)
    assert found["assumptions"]


def real(path):
    """Take the word synthetic out of an orbit's title."""
    with netCDF4.Dataset(path, "a") as file:
        for name in file.ncattrs():
            value = file.getncattr(name)
            if isinstance(value, str) and "synthetic" in value.lower():
                file.setncattr(name, value.replace("synthetic", "").replace("Synthetic", ""))


def test_a_synthetic_set_on_a_real_orbit_is_warned_of(reretrieve, orbit, tmp_path):
    """A set of a checkpoint trained on the twin world never passes for a real one."""
    synthetic = write_profiles(tmp_path / "p.nc", training_data="synthetic")
    outcome = reretrieve(sets=[f"dacno2={synthetic}"])
    assert (outcome.status, outcome.err) == (0, "")  # the orbit is synthetic, too
    real(orbit)
    out = orbit.with_name("out.nc")
    outcome = reretrieve("-o", out, sets=[f"dacno2={synthetic}"])
    assert outcome.status == 0
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("WARNING: Set DACNO2 is synthetic (p.nc)")
    assert "is a real orbit" in outcome.err
    with netCDF4.Dataset(out) as file:
        assert file.training_data == "synthetic"
        assert "synthetic" in file.source


def test_synthetic_temperatures_on_a_real_orbit_are_warned_of(reretrieve, run, orbit, tmp_path):
    """`--meteo` is no set, but says what it is as sets do; `inspect` shows it, too."""
    meteo = write_era5(tmp_path / "era5.nc")
    real(orbit)
    assert reretrieve("-o", orbit.with_name("quiet.nc"), "--meteo", meteo).err == ""
    with netCDF4.Dataset(meteo, "a") as file:
        file.training_data = "synthetic"
    out = orbit.with_name("out.nc")
    outcome = reretrieve("-o", out, "--meteo", meteo)
    assert outcome.status == 0
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("WARNING: Set meteo is synthetic (era5.nc)")
    with netCDF4.Dataset(out) as file:
        assert file.training_data == "synthetic"
    assert json.loads(run("inspect", "--json", meteo).out)["is_synthetic"] is True


# the real console script


def environment(**changes):
    return {**os.environ, "NO_COLOR": "1", **changes}


@pytest.mark.skipif(not SCRIPT.exists(), reason="the console script is not installed here")
@pytest.mark.parametrize(
    "changes",
    [{"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONUTF8": "0"}, {"TZ": "America/St_Johns"}],
    ids=["Tokyo, C", "St John's"],
)
def test_locale_and_time_zone_change_nothing(reretrieve, orbit, workspace, changes):
    """The console script in another time zone and locale gives the numbers of this process."""
    here, there = orbit.with_name("here.nc"), orbit.with_name("there.nc")
    assert reretrieve("-o", here).status == 0
    done = subprocess.run(
        [SCRIPT, "reretrieve", orbit, "-a", f"dacno2={workspace.profiles}", "-o", there],
        capture_output=True,
        text=True,
        env=environment(**changes),
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == str(there)
    with netCDF4.Dataset(here) as one, netCDF4.Dataset(there) as other:
        for name, variable in one["PRODUCT"].variables.items():
            np.testing.assert_array_equal(variable[:], other["PRODUCT"][name][:], err_msg=name)
        mine, its = (f["PRODUCT"].getncattr("apriori_created") for f in (one, other))
        minutes = np.timedelta64(10, "m")  # UTC both, made within a test
        assert abs(np.datetime64(mine.rstrip("Z")) - np.datetime64(its.rstrip("Z"))) < minutes


@pytest.mark.skipif(not SCRIPT.exists(), reason="the console script is not installed here")
def test_a_reader_that_goes_away_is_no_traceback(orbit, workspace):
    """`dacno2-s5p ... | head -0` writes its file and stays silent."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [SCRIPT, "reretrieve", orbit, "-a", f"dacno2={workspace.profiles}"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.stderr == ""
    assert names(orbit.parent) == sorted([orbit.name, f"{orbit.stem}_DACNO2.nc"])


def test_termination_leaves_nothing(orbit, workspace):
    """SIGTERM, as batch systems send it, ends the command in one line without a trace."""
    code = (
        "import time, retrieval.l2.product.write as product\n"
        "from cli.main import main\n"
        "def slow(*args, **kwargs):\n    print('writing', flush=True)\n    time.sleep(60)\n"
        "assert callable(product._write_variables)\n"
        "product._write_variables = slow\n"
        "main()"
    )
    command = [sys.executable, "-c", code, "reretrieve", orbit, "-a", f"a={workspace.profiles}"]
    with subprocess.Popen(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "writing\n"
        assert len(names(orbit.parent)) == 2  # the temporary file
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.splitlines() == ["Error: interrupted. Nothing is half-written; run again to go on."]
    assert names(orbit.parent) == [orbit.name]
