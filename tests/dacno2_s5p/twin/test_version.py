"""Version 2 of the twin world: what its switches do, and that the first version knows none."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.sources.paths import world_named
from dacno2_s5p.twin.true_world import TrueWorld
from dacno2_s5p.twin.version import VERSION_1, VERSION_2, TwinVersion

ALL = [
    VERSION_1,
    *(
        TwinVersion(2, *(bool(n & bit) for bit in (1, 2, 4)))
        for n in range(8)
    ),
]  # fmt: skip


def test_the_first_version_is_without_everything():
    """No switch of the second concerns it, and it keeps its name of before there were two."""
    assert not (VERSION_1.winds_err or VERSION_1.nox_feeds_back or VERSION_1.has_habits)
    assert VERSION_1.world(20190) == "twin world, seed 20190"
    assert TrueWorld().version == VERSION_1


def test_the_second_has_all_and_each_can_be_switched_off():
    """Each switch takes one thing away."""
    assert VERSION_2.winds_err and VERSION_2.nox_feeds_back and VERSION_2.has_habits
    assert not TwinVersion(2, exact_winds=True).winds_err
    assert not TwinVersion(2, fixed_lifetime=True).nox_feeds_back
    assert not TwinVersion(2, shared_hours=True).has_habits


def test_names_tell_versions_apart_and_are_read_back():
    """Nine worlds of a seed have nine names, which files carry and readers understand."""
    assert len({version.kind for version in ALL}) == 9
    for version in ALL:
        assert TwinVersion.named(version.kind) == version
        assert world_named(f"synthetic {version.world(7)}") == version.kind
    assert TwinVersion.named("") == VERSION_1


def test_what_there_is_not_is_refused():
    """Unknown versions, switches of the first, and names of worlds to come."""
    with pytest.raises(ValueError, match=r"must be 1 or 2\. Given 3"):
        TwinVersion(3)
    with pytest.raises(ValueError, match="Given shared hours with version 1"):
        TwinVersion(1, shared_hours=True)
    with pytest.raises(ValueError, match="Given 'twin world, version 3'"):
        TwinVersion.named("twin world, version 3")


def test_the_cheap_mean_of_a_window_is_the_mean_of_its_stamps(summer_day):
    """11, 12 and 13 UTC, in ug m-3, at heights of the network and above."""
    heights = (0.0, 12000.0)
    mean = summer_day.mean_profile(heights)
    assert mean.shape == (2, 720, 592)
    surface = np.mean([summer_day.surface(hour) for hour in (11, 12, 13)], axis=0)
    np.testing.assert_allclose(mean[0], surface, rtol=1e-5)  # float32
    assert 0.0 < float(mean[1].mean()) < float(mean[0].mean())
