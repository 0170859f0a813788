"""Damaged files: never a traceback, never a crash, never a number from data that fail a checksum.

HDF5 checks each chunk of data (fletcher32) and most of its structure; classic netCDF checks
nothing. So a damaged orbit or profile file either ends in one line, or gives the result of the
undamaged one; a damaged classic set may shift a value by a plausible amount, but no impossible
number comes out.
"""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from retrieval.l2.names import TROPOMI as NAMES
from retrieval.l2.sensors.tropomi import REQUIRED
from tests.builders.files import Workspace, to_classic
from tests.cli.conftest import names
from tests.fuzz.children import Ending, run_cases
from tests.fuzz.damage import DAMAGES, Case, damaged_copies, flip_in_chunks, stored_chunks

AMF = "air_mass_factor_troposphere_X_apriori"
COLUMN = "nitrogendioxide_tropospheric_column_X_apriori"


def results(path: Path) -> dict[str, np.ndarray]:
    """Read the new variables of set X."""
    with netCDF4.Dataset(path) as file:
        file.set_auto_mask(False)
        product = file["PRODUCT"]
        return {name: v[...] for name, v in product.variables.items() if "_X" in name}


@pytest.fixture(scope="module")
def reference(workspace: Workspace, tmp_path_factory) -> dict[str, np.ndarray]:
    """Results of the undamaged files."""
    folder = tmp_path_factory.mktemp("reference")
    case = Case(str(folder / "none"), "none")
    out = folder / "out.nc"
    (ending,) = run_cases(
        [case], ["reretrieve", workspace.orbit, "-a", f"x={workspace.profiles}", "-o", out]
    )
    assert (ending.status, ending.stderr) == (0, "")
    return results(out)


def ends_well(ending: Ending, *, may_warn: bool = False) -> bool:
    """Tell whether a command was done; fail where it ended in any way but done or one line."""
    text = f"{ending.case.damage}: {ending.status} {ending.stderr}"
    assert "Traceback" not in ending.stderr, text
    assert ending.status in (0, 1), text
    lines = ending.stderr.splitlines()
    errors = [line for line in lines if line.startswith("Error: ")]
    others = [line for line in lines if not line.startswith(("Error: ", "WARNING: "))]
    assert len(errors) == ending.status, text
    assert not others, text
    assert may_warn or len(lines) == len(errors), text
    folder = Path(ending.case.path).parent
    made = ["out.nc"] if ending.status == 0 else []
    assert names(folder) == sorted([Path(ending.case.path).name, *made]), text
    return ending.status == 0


def assert_undamaged(ending: Ending, reference: dict[str, np.ndarray]) -> None:
    """Compare all new variables with those of the undamaged files."""
    found = results(Path(ending.case.path).parent / "out.nc")
    assert found.keys() == reference.keys()
    for name, values in reference.items():
        np.testing.assert_array_equal(found[name], values, err_msg=ending.case.damage)


def test_twenty_damaged_orbits(workspace, tmp_path, reference):
    """Each of 21 damaged copies gives one line, or the result of the undamaged orbit."""
    kinds = (*DAMAGES, flip_in_chunks(stored_chunks(workspace.orbit)))
    cases = damaged_copies(workspace.orbit, tmp_path, islice(cycle(kinds), 21))
    endings = run_cases(
        cases, ["reretrieve", "{case}", "-a", f"x={workspace.profiles}", "-o", "{folder}/out.nc"]
    )
    done = [ending for ending in endings if ends_well(ending)]
    assert 0 < len(done) < len(cases)  # the damage is neither always nor never where it matters
    for ending in done:
        assert_undamaged(ending, reference)


def test_a_failing_checksum_of_any_variable_in_use_stops_the_orbit(workspace, tmp_path):
    """One byte changed in one chunk of a variable that enters the result: never a number."""
    # the delta_time of this file counts from a date of its own and needs no `time`
    used = {*REQUIRED, *NAMES.fields.values(), "surface_altitude", "qa_value"} - {"time"}
    chunks = [c for c in stored_chunks(workspace.orbit) if c[0].split("/")[-1] in used]
    assert {name.split("/")[-1] for name, _, _ in chunks} == used
    cases = damaged_copies(workspace.orbit, tmp_path, [flip_in_chunks([c]) for c in chunks])
    endings = run_cases(
        cases, ["reretrieve", "{case}", "-a", f"x={workspace.profiles}", "-o", "{folder}/out.nc"]
    )
    for ending in endings:
        assert not ends_well(ending), ending.case.damage


def test_a_failing_checksum_is_not_copied_into_a_crop(workspace, tmp_path):
    """A cropped copy decodes what it copies: damage in any chunk, used or not, ends in a line."""
    chunks = [c for c in stored_chunks(workspace.orbit) if "DETAILED_RESULTS" in c[0]][::4]
    assert len(chunks) > 5
    cases = damaged_copies(workspace.orbit, tmp_path, [flip_in_chunks([c]) for c in chunks])
    box = ("--bbox", 1.8, 47.8, 2.2, 48.2)
    arguments = ["reretrieve", "{case}", "-a", f"x={workspace.profiles}", *box]
    for ending in run_cases(cases, [*arguments, "-o", "{folder}/out.nc"]):
        assert not ends_well(ending), ending.case.damage
        assert "is damaged" in ending.stderr or "undamaged" in ending.stderr


def test_damaged_profile_files(workspace, tmp_path, reference):
    """Each of 21 damaged copies of a set gives one line, or the result of the undamaged set."""
    (profiles,) = workspace.profiles.iterdir()
    kinds = (*DAMAGES, flip_in_chunks(stored_chunks(profiles)))
    cases = damaged_copies(profiles, tmp_path, islice(cycle(kinds), 21))
    endings = run_cases(
        cases, ["reretrieve", workspace.orbit, "-a", "x={case}", "-o", "{folder}/out.nc"]
    )
    done = [ending for ending in endings if ends_well(ending)]
    assert 0 < len(done) < len(cases)
    for ending in done:
        assert_undamaged(ending, reference)


def test_damaged_classic_sets_give_no_impossible_number(workspace, tmp_path, reference):
    """Without checksums: one line, or air mass factors that some non-negative profile has."""
    (profiles,) = workspace.profiles.iterdir()
    classic = to_classic(profiles, tmp_path / "classic.nc")
    cases = damaged_copies(classic, tmp_path / "cases", islice(cycle(DAMAGES), 18))
    endings = run_cases(
        cases, ["reretrieve", workspace.orbit, "-a", "x={case}", "-o", "{folder}/out.nc"]
    )
    done = [ending for ending in endings if ends_well(ending, may_warn=True)]
    assert 0 < len(done) < len(cases)
    for ending in done:
        found = results(Path(ending.case.path).parent / "out.nc")
        is_done = found["substitution_flag_X"] == 0
        assert np.isfinite(found[COLUMN][is_done]).all()
        amf = found[AMF][is_done]
        # an air mass factor is a mean of the box factors, which end at the geometric one (< 4
        # here) times cloud and temperature effects
        assert ((amf > 0) & (amf < 8)).all(), ending.case.damage


PLACE = {"latitude": 48.05, "longitude": 2.05}
"""A cell in the middle of the orbit."""


def with_value(classic: Path, value: float) -> Path:
    """Put a value into the lowest level at `PLACE`, as a changed exponent does."""
    with netCDF4.Dataset(classic, "a") as file:
        y, x = (int(np.argmin(np.abs(file[name][:] - at))) for name, at in PLACE.items())
        file["no2"][0, 0, y, x] = value
    return classic


@pytest.mark.parametrize("value", [1e30, -1e30])
def test_an_impossible_value_of_a_classic_set_is_refused(workspace, tmp_path, reretrieve, value):
    """One value of such size is refused, not averaged into a footprint."""
    (profiles,) = workspace.profiles.iterdir()
    damaged = with_value(to_classic(profiles, tmp_path / "classic.nc"), value)
    outcome = reretrieve(sets=[f"x={damaged}"])
    assert outcome.status == 1
    assert "Implausible values" in outcome.error


def test_a_value_beyond_all_numbers_counts_as_missing(
    workspace, tmp_path, reretrieve, orbit, reference
):
    """A value of 1e38 is taken for a fill: its pixels get flag 5, all others their number."""
    (profiles,) = workspace.profiles.iterdir()
    damaged = with_value(to_classic(profiles, tmp_path / "classic.nc"), 1e38)
    out = orbit.with_name("out.nc")
    assert reretrieve("-o", out, sets=[f"x={damaged}"]).status == 0
    found = results(out)
    is_new = found["substitution_flag_X"] != reference["substitution_flag_X"]
    assert is_new.any()
    assert set(found["substitution_flag_X"][is_new]) == {5}
    np.testing.assert_array_equal(found[AMF][~is_new], reference[AMF][~is_new])
