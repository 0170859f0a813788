"""Descriptions of sensors: every key is known or refused, in one line."""

from __future__ import annotations

import pytest

from retrieval.errors import ProductError
from retrieval.l2.description import missing_for_substitution, read_description

LEAST = """
name = "MINE"
product = "MINE_NO2"
[geolocation]
latitude = "lat"
longitude = "lon"
[time]
variable = "t"
[columns]
tropospheric = "vcd"
"""


def read(tmp_path, text):
    """Read a description from a text."""
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return read_description(path)


def test_a_few_names_are_enough_for_columns(tmp_path):
    """What is not said has a default; substitution needs more, and which is told."""
    found = read(tmp_path, LEAST)
    assert (found.apriori, found.geolocation.corner_order) == ("PRODUCT", (0, 1, 2, 3))
    lacking = missing_for_substitution(found)
    assert "variable of [sensitivity]" in lacking
    assert "tropospheric of [air_mass_factors]" in lacking


def test_conditions_of_quality_are_read(tmp_path):
    """Bits and limits of variables."""
    rule = '[quality]\ngood = [{variable = "flag", bits = 3, equals = 0}]\n'
    (condition,) = read(tmp_path, LEAST + rule).quality.good
    assert (condition.bits, condition.equals, condition.at_most) == (3, 0, None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "must be a readable TOML file"),
        (LEAST.replace("[time]", "[tine]"), r"the file may have .* Given 'tine'"),
        (LEAST.replace('tropospheric = "vcd"', ""), r"\[columns\] must have tropospheric"),
        (LEAST + '[sensitivity]\nkind = "kernel"', r"kind of \[sensitivity\] must be one of"),
        (LEAST + '[sensitivity]\nkind = "total kernel"', "a sensitivity also needs"),
        (LEAST + "[surface]\npressure = 3", r"pressure of \[surface\] must be of the kind str"),
        (LEAST + "[scenes]\n[quality]\ngood = [{variable = 'a'}]", "must have one of equals"),
        ('apriori = "geos-cf"' + LEAST, "apriori must be capitals"),
        (LEAST.replace("[time]", "corner_order = [0, 1, 2]\n[time]"), "corner_order of"),
        ("geolocation = 3\n" + LEAST.replace("[geolocation]", "[surface]"), "must be a table|kind"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(tmp_path, text, said):
    """A word that is misspelt would else be taken for one that is missing."""
    with pytest.raises(ProductError, match=said) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)
