"""Units of NO2 fields: every spelling, SI factors, and errors that name both readings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.apriori.formats.units import check_fits_levels, check_plausible, parse_unit
from retrieval.errors import AprioriError
from retrieval.physics.constants import AVOGADRO, MASS_TO_MOLE_FRACTION, MOLAR_MASS_NO2
from retrieval.physics.levels import Quantity

C, X, P = Quantity.CONCENTRATION, Quantity.MOLE_FRACTION, Quantity.PARTIAL_COLUMN
UG = 1e-9 / MOLAR_MASS_NO2


@pytest.mark.parametrize(
    ("text", "quantity", "factor"),
    [
        ("ug m-3", C, UG),
        ("µg m-3", C, UG),
        ("μg/m3", C, UG),
        ("µg/m³", C, UG),
        ("ug/m^3", C, UG),
        ("ug.m-3", C, UG),
        ("ug m**-3", C, UG),
        ("microgram m-3", C, UG),
        ("micrograms/m3", C, UG),
        ("ng m-3", C, 1e-3 * UG),
        ("mg m-3", C, 1e3 * UG),
        ("g m-3", C, 1e6 * UG),
        ("kg m-3", C, 1e9 * UG),
        ("kg m**-3", C, 1e9 * UG),
        ("ug cm-3", C, 1e6 * UG),
        ("mol m-3", C, 1.0),
        ("nmol/m3", C, 1e-9),
        ("molec cm-3", C, 1e6 / AVOGADRO),
        ("molecules/cm^3", C, 1e6 / AVOGADRO),
        ("molecules cm-3", C, 1e6 / AVOGADRO),
        ("cm-3", C, 1e6 / AVOGADRO),
        ("m-3", C, 1.0 / AVOGADRO),
        ("mol mol-1", X, 1.0),
        ("mole mole-1", X, 1.0),
        ("mol/mol", X, 1.0),
        ("nmol mol-1", X, 1e-9),
        ("m3 m-3", X, 1.0),
        ("ppm", X, 1e-6),
        ("ppb", X, 1e-9),
        ("ppbv", X, 1e-9),
        ("ppt", X, 1e-12),
        ("pptv", X, 1e-12),
        ("1e-9 mol mol-1", X, 1e-9),
        ("kg kg-1", X, MASS_TO_MOLE_FRACTION),
        ("kg kg**-1", X, MASS_TO_MOLE_FRACTION),
        ("kg/kg", X, MASS_TO_MOLE_FRACTION),
        ("g kg-1", X, 1e-3 * MASS_TO_MOLE_FRACTION),
        ("mol m-2", P, 1.0),
        ("umol m-2", P, 1e-6),
        ("µmol/m2", P, 1e-6),
        ("molec cm-2", P, 1e4 / AVOGADRO),
        ("1e15 molec cm-2", P, 1e19 / AVOGADRO),
        ("Pmolec cm-2", P, 1e19 / AVOGADRO),
        ("kg m-2", P, 1.0 / MOLAR_MASS_NO2),
        ("ug/cm2", P, 1e-5 / MOLAR_MASS_NO2),
        ("DU", P, 4.4615e-4),
    ],
)
def test_spellings_of_units(text, quantity, factor):
    """Each spelling gives its quantity and its factor to SI."""
    unit = parse_unit(text, "no2")
    assert unit.quantity is quantity
    assert unit.factor == pytest.approx(factor, rel=1e-12)  # float64 round-off


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("mole_fraction_of_nitrogen_dioxide_in_air", 1.0),
        ("mass_fraction_of_nitrogen_dioxide_in_air", MASS_TO_MOLE_FRACTION),
    ],
)
def test_a_dimensionless_unit_needs_a_standard_name(name, factor):
    """1 means what the standard name says, and nothing without one."""
    assert parse_unit("1", "no2", name).factor == pytest.approx(factor)
    with pytest.raises(AprioriError, match=r"Given '1'\. Give unit = "):
        parse_unit("1", "no2")


@pytest.mark.parametrize("text", ["K", "m s-1", "ug m-4", "ug/m2/s", "hPa", "kg", "mol", "m", "%"])
def test_units_of_other_things_are_refused(text):
    """What is no unit of NO2 in air is an error that quotes it."""
    with pytest.raises(AprioriError, match="must be a concentration, number density"):
        parse_unit(text, "no2 of x.nc")


@pytest.mark.parametrize("text", [None, "", "  "])
def test_a_missing_unit_is_refused(text):
    """Nothing is assumed where nothing is said."""
    with pytest.raises(AprioriError, match=r"must say its unit. Given none. Give unit"):
        parse_unit(text, "no2")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("ppb", "mass_concentration_of_nitrogen_dioxide_in_air"),
        ("ug m-3", "mole_fraction_of_nitrogen_dioxide_in_air"),
        ("kg kg-1", "mole_fraction_of_nitrogen_dioxide_in_air"),
        ("mol mol-1", "mass_fraction_of_nitrogen_dioxide_in_air"),
    ],
)
def test_units_that_contradict_the_standard_name_are_refused(text, name):
    """Unit and standard name must tell one story."""
    with pytest.raises(AprioriError, match="must agree with the standard name"):
        parse_unit(text, "no2", name)


def test_masses_of_nitrogen_are_refused():
    """`expressed_as_nitrogen` is another mass."""
    name = "mass_concentration_of_nitrogen_dioxide_expressed_as_nitrogen_in_air"
    with pytest.raises(AprioriError, match="not of nitrogen"):
        parse_unit("ug m-3", "no2", name)


def field(value):
    return np.full((3, 12, 12), value)


@pytest.mark.parametrize(
    ("declared", "number", "reading"),
    [
        ("kg m-3", 40.0, "ug m-3"),
        ("ug m-3", 4e-8, "mol mol-1"),
        ("mol mol-1", 40.0, "ug m-3"),
        ("ppb", 2e-8, "mol mol-1"),
    ],
)
def test_implausible_values_name_both_readings(declared, number, reading):
    """The error says what the declared unit would mean and which one would make sense."""
    unit = parse_unit(declared, "no2")
    pattern = f"Given '{declared}': as declared .*impossible; read as {reading} the same"
    with pytest.raises(AprioriError, match=pattern):
        check_plausible(field(number) * unit.factor, unit, "no2 of x.nc")


def test_columns_on_heights_name_both_readings():
    """A column unit on levels is impossible whatever its size."""
    unit = parse_unit("ug/cm2", "no2")
    with pytest.raises(AprioriError, match=r"cannot be columns.*0.00869 mol m-2.*read as ug m-3"):
        check_fits_levels(unit, False, 40.0, "no2 of x.nc")
    check_fits_levels(unit, True, 40.0, "no2 of x.nc")


@pytest.mark.parametrize("bad", [1e30, -1e3, np.inf])
def test_damaged_values_at_any_level_are_refused(bad):
    """A single impossible number in a field without checksums is an error."""
    unit = parse_unit("ug m-3", "no2")
    values = field(5.0 * unit.factor)
    values[1, 3, 4] = bad
    with pytest.raises(AprioriError, match=r"Implausible values of no2 of x\.nc"):
        check_plausible(values, unit, "no2 of x.nc")


def test_clean_air_zeros_and_missing_values_pass():
    """All zero, all missing, small areas of clean air, and small negatives are no errors."""
    unit = parse_unit("ug m-3", "no2")
    clean = field(1e-5 * unit.factor)[:, :3, :3]
    for values in (field(0.0), field(np.nan), clean, field(-0.1 * unit.factor)):
        check_plausible(values, unit, "no2")


prefixes = st.sampled_from([("", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9), ("k", 1e3)])


@given(prefixes, st.sampled_from([" m-3", "/m3", "/m^3", ".m-3", " m**-3"]))
def test_prefixes_scale_and_spelling_does_not(prefix, per_volume):
    """Any prefix and any way to write "per cubic metre" give one factor."""
    letter, scale = prefix
    unit = parse_unit(f"{letter}g{per_volume}", "no2")
    assert unit.factor == pytest.approx(scale * 1e-3 / MOLAR_MASS_NO2, rel=1e-12)  # round-off
