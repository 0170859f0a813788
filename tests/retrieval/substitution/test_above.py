"""What stands above the sets of a run: one answer for all of its days, or a refusal."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from retrieval.errors import AprioriError
from retrieval.physics.levels import HeightLayers, HeightLevels, HybridLayers, PressureLevels
from retrieval.substitution.above import Top, above_text, decide_above
from retrieval.substitution.options import Above
from tests.builders.files import DAY, build_workspace, write_profiles
from tests.builders.set_builders import write_ctmana

NEXT = "2019-06-02"


def orbit_name(day, hour=12):
    """Name an orbit by its day; its content is not asked where the name says its times."""
    date = day.replace("-", "")
    return (
        f"S5P_RPRO_L2__NO2____{date}T{hour - 1:02}3000_{date}T{hour:02}5500_08466_03_020400_"
        f"{date}T220000.nc"
    )


@pytest.fixture
def ctm(tmp_path):
    """Write a global model of one day."""
    (tmp_path / "ctm").mkdir()
    write_ctmana(tmp_path / "ctm" / "a.nc", date=DAY, bounds=(0.0, 46.0, 4.0, 50.0))
    return tmp_path / "ctm"


def test_a_model_that_serves_all_orbits_stands_above(ctm, tmp_path):
    """The first folder that does; one that is not there is no obstacle."""
    orbits = [tmp_path / orbit_name(DAY, hour) for hour in (12, 13)]
    decision = decide_above(orbits, [tmp_path / "absent", ctm])
    assert decision == (Above.UPPER, ctm, "ctm serves the orbits")


def test_without_one_it_is_one_mole_fraction(ctm, tmp_path):
    """No folder, or fields of another day only."""
    for folder, day in ((tmp_path / "absent", DAY), (ctm, NEXT)):
        decision = decide_above([tmp_path / orbit_name(day)], [folder])
        assert decision[:2] == (Above.CONSTANT_VMR, None)
        assert decision.said == f"no global model in {folder.name} serves the orbits"


def test_a_run_of_which_some_days_have_none_is_refused(ctm, tmp_path):
    """The days without are named, the first of them."""
    days = [DAY, *(f"2019-06-{day:02}" for day in range(10, 17))]
    orbits = [tmp_path / orbit_name(day) for day in reversed(days)]
    with pytest.raises(AprioriError, match=r"Given none for 2019-06-10, .*06-14 and 2 more\. Add"):
        decide_above(orbits, [ctm])
    whole = tmp_path / "cams-global"
    whole.mkdir()
    for day in days:
        write_ctmana(whole / f"{day}.nc", date=day, bounds=(0.0, 46.0, 4.0, 50.0))
    assert decide_above(orbits, [ctm, whole]).upper == whole


def test_the_content_tells_the_time_of_an_orbit_without_a_name(tmp_path):
    """And what is no orbit is left to where it is read."""
    workspace = build_workspace(tmp_path / "workspace")
    plain, damaged = tmp_path / "plain.nc", tmp_path / "damaged.nc"
    plain.write_bytes(workspace.orbit.read_bytes())
    damaged.write_bytes(b"nothing")
    assert decide_above([plain, damaged], [workspace.ctm]).above is Above.UPPER
    assert decide_above([damaged], [workspace.ctm]).above is Above.CONSTANT_VMR


def test_what_is_no_global_model_is_left_out_and_told(tmp_path, caplog):
    """Profiles that end at 5 km, and a file that is none."""
    for name in ("heights", "broken"):
        (tmp_path / name).mkdir()
    write_profiles(tmp_path / "heights" / "a.nc")
    (tmp_path / "broken" / "a.nc").write_bytes(b"CDF\x01")
    with caplog.at_level(logging.WARNING):
        for name in ("heights", "broken"):
            decision = decide_above([tmp_path / orbit_name(DAY)], [tmp_path / name])
            assert decision.above is Above.CONSTANT_VMR
    assert "is no global model" in caplog.text and "is left out as the part above" in caplog.text


def test_what_stands_above_in_words():
    """Mode, mole fraction and source."""
    assert above_text(Above.NONE, 30.0, None) == "none"
    assert above_text(Above.CONSTANT_VMR, 42.5, None) == "constant-vmr of 42.5 ppt"


FIVE = HeightLevels(np.array([0.0, 5000.0]))
LAYERS = HeightLayers(np.array([0.0, 1000.0, 5000.0]))
NINE = HeightLevels(np.array([0.0, 9000.0]))
CTM = HybridLayers(np.array([0.0, 1000.0, 10.0]), np.array([1.0, 0.2, 0.0]))
GLOBAL = PressureLevels(np.array([1e5, 5e4, 5000.0]))
LOW = PressureLevels(np.array([1e5, 5e4]))


@pytest.mark.parametrize(
    ("one", "other", "merge", "expected"),
    [
        (FIVE, LAYERS, None, True),
        (FIVE, NINE, None, False),
        (FIVE, NINE, 3000.0, True),
        (FIVE, NINE, 6000.0, False),
        (FIVE, CTM, None, False),
        (FIVE, CTM, 3000.0, True),
        (CTM, GLOBAL, None, True),  # both have the whole troposphere
        (CTM, LOW, None, False),
    ],
)
def test_tops_are_alike_where_sets_end_at_one_place(one, other, merge, expected):
    """Whichever is asked; a merge height below both makes them alike."""
    tops = [Top.of(vertical, merge) for vertical in (one, other)]
    assert tops[0].is_like(tops[1]) is expected
    assert tops[1].is_like(tops[0]) is expected
