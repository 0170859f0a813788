"""Hours of targets and weather."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.inputs.variables import Preparation
from dacno2_s5p.sources.weather.windows import target_hours, weather_times

DAY = np.datetime64("2019-07-02", "D")


@pytest.mark.parametrize("text", ["13-11", "24", "-1", "noon", "11-13-15", ""])
def test_windows_that_are_none_are_refused(text):
    """A window is daily, an hour, or hours that ascend within a day."""
    with pytest.raises(ConfigurationError, match="daily, an hour, or a range"):
        target_hours(text)


def test_weather_ends_with_the_window_or_the_day():
    """24 hourly steps end at 13 UTC, at 23 UTC for daily targets and for the paper's reading."""
    times = weather_times(Preparation(), DAY)
    assert str(times[0]) == "2019-07-01T14" and str(times[-1]) == "2019-07-02T13"
    for preparation in (Preparation(target_window="daily"), Preparation(weather_end="day")):
        times = weather_times(preparation, DAY)
        assert str(times[0]) == "2019-07-02T00" and str(times[-1]) == "2019-07-02T23"


def test_longer_steps_reach_back_as_far():
    """Eight steps of three hours cover the same day."""
    times = weather_times(Preparation(weather_steps=8, weather_step_hours=3), DAY)
    assert [str(t)[-2:] for t in times] == ["16", "19", "22", "01", "04", "07", "10", "13"]
