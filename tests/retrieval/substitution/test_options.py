"""Options: the defaults, and what is refused."""

from __future__ import annotations

import pytest

from retrieval.substitution.options import Above, Options


def test_defaults_are_the_contracts():
    """constant-vmr 30 ppt, top of the set, auto, inclusive, primary."""
    options = Options()
    assert (options.above, options.above_vmr) == (Above.CONSTANT_VMR, 30.0)
    assert (options.merge_height, options.time_rule, options.bbox) == (None, None, None)
    assert (options.tropopause, options.crop) == ("inclusive", "primary")


@pytest.mark.parametrize(
    "wrong",
    [
        {"above_vmr": -1.0},
        {"above_vmr": 2e4},
        {"above_vmr": float("nan")},
        {"merge_height": 0.0},
        {"merge_height": 3e4},
        {"merge_height": float("nan")},
        {"tropopause": "thermal"},
        {"crop": "all"},
        {"bbox": (0.0, 50.0, 4.0, 46.0)},
        {"bbox": (0.0, 50.0, 4.0, 91.0)},
        {"bbox": (0.0, float("nan"), 4.0, 50.0)},
        {"bbox": (float("nan"), 46.0, 4.0, 50.0)},
        {"block": 0},
    ],
)
def test_values_out_of_range_are_refused_in_one_line(wrong):
    """What, rule, given value, what to do."""
    with pytest.raises(ValueError, match="Invalid") as error:
        Options(**wrong)
    assert "\n" not in str(error.value)
    assert next(iter(wrong)) in str(error.value)
