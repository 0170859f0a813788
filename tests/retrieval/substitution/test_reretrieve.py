"""Files in, file out, as a function: names, the written numbers, the same bits every time."""

from __future__ import annotations

from pathlib import Path

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.registry import open_apriori
from retrieval.errors import NoOverlapError, OutputError
from retrieval.l2.columns import find_columns
from retrieval.l2.open_orbit import open_orbit
from retrieval.substitution.job import Job, check_set_name, orbit_time
from retrieval.substitution.options import Options
from retrieval.substitution.reretrieve import default_output, is_done, reretrieve
from retrieval.substitution.substitute import substitute
from tests.builders.files import DAY, build_workspace, write_profiles
from tests.builders.set_builders import write_ctmana


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return build_workspace(tmp_path_factory.mktemp("workspace"))


@pytest.mark.parametrize("name", ["a", "dacno2", "CAMS", "Set1", "A" * 16, "a_b", "my-set"])
def test_names_of_sets(name):
    """A letter and up to 15 more letters, digits or underscores; a dash counts as one."""
    check_set_name(name)


@pytest.mark.parametrize(
    "name", ["", "2cams", "TM5", "tm5", "a b", "_a", "-a", "A" * 17, "Å", "a\n"]
)
def test_other_names_are_refused(name):
    """They become parts of variable names; TM5 is the operational a priori."""
    with pytest.raises(ValueError, match="Invalid set name"):
        check_set_name(name)


def test_two_sets_with_one_name_are_refused():
    """`cams` and `CAMS` would write the same variables."""
    with pytest.raises(ValueError, match="CAMS twice"):
        Job({"cams": Path("a"), "CAMS": Path("b")})


def test_names_with_an_underscore_stand_in_variables_and_not_in_file_names(workspace, tmp_path):
    """`cams-10km` is CAMS_10KM in the file; what only differs by the underscore is refused."""
    sets = {"cams-10km": workspace.cams}
    assert default_output(tmp_path / "orbit.nc", sets).name == "orbit_CAMS10KM.nc"
    reretrieve(workspace.orbit, sets, tmp_path / "out.nc")
    with open_orbit(tmp_path / "out.nc") as orbit:
        assert [item.label for item in find_columns(orbit)] == ["TM5", "CAMS_10KM"]
    with pytest.raises(ValueError, match="A_B twice"):
        Job({"a_b": Path("a"), "AB": Path("b")})


def test_the_output_is_named_after_orbit_and_sets(tmp_path):
    """STEM_SET1-SET2.nc beside the orbit, or in a folder."""
    sets = {"dacno2": Path("p"), "cams": Path("c")}
    assert default_output(tmp_path / "orbit.nc", sets) == tmp_path / "orbit_DACNO2-CAMS.nc"
    assert default_output(Path("x/orbit.nc"), sets, tmp_path).parent == tmp_path


def test_the_file_holds_what_substitute_computes(workspace, tmp_path):
    """Columns, AMFs and flags in the file are those of the chain in memory, bit for bit."""
    output = tmp_path / "out.nc"
    sets = {"dacno2": workspace.profiles, "cams": workspace.cams}
    found = reretrieve(workspace.orbit, sets, output)
    with open_orbit(workspace.orbit) as orbit:
        opened = {name: open_apriori(path, orbit_time(orbit)) for name, path in sets.items()}
        result, _ = substitute(orbit, opened, Options())
        for apriori in opened.values():
            apriori.close()
    with netCDF4.Dataset(output) as file:
        for fields in result.sets:
            for name, values in (
                (
                    f"nitrogendioxide_tropospheric_column_{fields.name}_apriori",
                    "tropospheric_column",
                ),
                (
                    f"air_mass_factor_troposphere_{fields.name}_apriori",
                    "air_mass_factor_troposphere",
                ),
                (f"footprint_coverage_{fields.name}", "footprint_coverage"),
            ):
                written = np.ma.filled(file["PRODUCT"][name][0].astype("f4"), np.nan)
                np.testing.assert_array_equal(written, getattr(fields, values), err_msg=name)
            flags = file["PRODUCT"][f"substitution_flag_{fields.name}"]
            flags.set_auto_mask(False)
            np.testing.assert_array_equal(flags[0], fields.substitution_flag)
    assert found.n_common > 0
    assert [p.name for p in found.products] == ["TM5", "DACNO2", "CAMS"]


def test_files_of_other_days_are_no_inputs(workspace, tmp_path):
    """A folder that is filled day by day: what is done stays done and names what it used."""
    folder = tmp_path / "profiles"
    folder.mkdir()
    write_profiles(folder / "b.nc")
    job, output = Job({"x": folder}), tmp_path / "out.nc"
    reretrieve(workspace.orbit, job, output)
    for name, day in (("a.nc", "2019-05-31"), ("c.nc", "2019-06-02")):
        write_profiles(folder / name, day=day)
    assert is_done(workspace.orbit, job, output)
    again = tmp_path / "again.nc"
    reretrieve(workspace.orbit, job, again)
    for path in (output, again):
        with netCDF4.Dataset(path) as file:
            named = [line for line in file["PRODUCT"].apriori_inputs.split(chr(10)) if line]
        assert [line.split(" sha256")[0] for line in named if line.startswith("X")] == ["X: b.nc"]
    (folder / "b.nc").unlink()
    write_profiles(folder / "b.nc", bounds=(0.0, 46.0, 4.1, 50.0))
    assert not is_done(workspace.orbit, job, output)


def test_an_orography_is_of_the_orbits_own_day(workspace, tmp_path):
    """A later day's file, which is preferred as a version, does not become an input."""
    folder = tmp_path / "ctm"
    folder.mkdir()
    name = "S5P_OPER_AUX_CTMANA_201906{:02d}T000000_201906{:02d}T000000_201907{:02d}T000000.nc"
    bounds = (-4.0, 42.0, 8.0, 54.0)
    write_ctmana(folder / name.format(1, 2, 9), date=DAY, bounds=bounds)
    job, output = Job({"x": folder}), tmp_path / "out.nc"
    reretrieve(workspace.orbit, job, output)
    write_ctmana(folder / name.format(2, 3, 10), date="2019-06-02", bounds=bounds)
    assert is_done(workspace.orbit, job, output)


def test_existing_outputs_and_the_orbit_itself_are_safe(workspace, tmp_path):
    """No overwriting unless asked, and never of an input."""
    output = tmp_path / "out.nc"
    output.write_bytes(b"mine")
    sets = {"dacno2": workspace.profiles}
    with pytest.raises(OutputError):
        reretrieve(workspace.orbit, sets, output)
    assert output.read_bytes() == b"mine"
    job = Job(sets, overwrite=True)
    with pytest.raises(OutputError):
        reretrieve(workspace.orbit, job, workspace.orbit)


def test_an_orbit_without_times_is_told(workspace, tmp_path):
    """No valid delta_time: the day is unknown, so no set can be chosen."""
    path = tmp_path / "orbit.nc"
    path.write_bytes(workspace.orbit.read_bytes())
    with netCDF4.Dataset(path, "r+") as file:
        variable = file["PRODUCT/delta_time"]
        variable[:] = np.ma.masked_all(variable.shape, "i4")
    with open_orbit(path) as orbit, pytest.raises(NoOverlapError, match="no valid delta_time"):
        orbit_time(orbit)
