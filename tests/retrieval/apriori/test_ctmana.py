"""AUX_CTMANA sets: TM5's own layers, mole fractions, half hours, days joined."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.apriori.formats.hybrid_tables import tm5_half_levels
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.levels import HybridLayers, Quantity
from retrieval.physics.time_rules import TimeRule
from tests.builders.set_builders import mesh, mole_fraction, write_ctmana

ALL = slice(None)
NAME = "S5P_OPER_AUX_{}_{}T000000_{}T000000_20190705T000000.nc"


def name(day="20190630", until="20190701", product="CTMANA"):
    return NAME.format(product, day, until)


def expected(opened, hour):
    a, b = tm5_half_levels()
    edges = a + b * 1e5
    middle = 0.5 * (edges[:-1] + edges[1:])
    lat, lon = mesh(opened.grid.y, opened.grid.x)
    return mole_fraction(middle[:, None, None], lat, lon, hour)


def test_layers_and_values_are_those_of_the_file(tmp_path):
    """34 hybrid layers, surface first, mole fractions as they are, on a closed circle."""
    opened = open_apriori(write_ctmana(tmp_path / name(), spacing=6.0))
    assert opened.kind == "TM5-MP CTMANA"
    assert opened.quantity is Quantity.MOLE_FRACTION and opened.time_rule is TimeRule.NEAREST
    assert isinstance(opened.vertical, HybridLayers)
    a, b = tm5_half_levels()
    assert np.array_equal(opened.vertical.a, a) and np.array_equal(opened.vertical.b, b)
    assert opened.grid.is_periodic and not opened.grid.is_fine
    assert opened.times[1] == np.datetime64("2019-06-30T00:30")
    # float32 in the file
    np.testing.assert_allclose(opened.read(25, ALL, ALL), expected(opened, 12.5), rtol=3e-7)
    assert (opened.read_surface_altitude(ALL, ALL) == 100.0).all()


def test_the_field_after_a_quarter_to_midnight_is_the_next_days_first(tmp_path):
    """Days make one time axis, so the nearest field of 23:50 is 00:00 of the next file."""
    write_ctmana(tmp_path / name(), spacing=30.0)
    write_ctmana(tmp_path / name("20190701", "20190702"), date="2019-07-01", spacing=30.0)
    opened = open_apriori(tmp_path, np.datetime64("2019-06-30T23:50"))
    assert opened.times.size == 96
    nearest = np.abs(opened.times - np.datetime64("2019-06-30T23:50")).argmin()
    assert opened.times[nearest] == np.datetime64("2019-07-01T00:00")
    np.testing.assert_allclose(opened.read(int(nearest), ALL, ALL), expected(opened, 0), rtol=3e-7)


def test_analyses_are_preferred_to_forecasts(tmp_path):
    """Where both hold a time, AUX_CTMANA serves it."""
    write_ctmana(tmp_path / name(product="CTMFCT"), spacing=30.0)
    write_ctmana(tmp_path / name(), spacing=30.0)
    opened = open_apriori(tmp_path)
    assert opened.times.size == 48
    assert "CTMANA" in opened.slabs[opened.places[0][0]].fields()[0].source.name


@pytest.mark.parametrize("units", ["mol mol-1", "1", ""])
def test_the_unit_is_a_mole_fraction_even_where_it_is_not_written(tmp_path, units):
    """TM5-MP writes mole fractions; a missing unit or 1 means that."""
    opened = open_apriori(write_ctmana(tmp_path / name(), spacing=30.0, n_time=2, units=units))
    np.testing.assert_allclose(opened.read(0, ALL, ALL), expected(opened, 0), rtol=3e-7)


def test_cut_files_are_read(tmp_path):
    """An area and a few hours of a file are a set, no longer a closed circle."""
    path = write_ctmana(tmp_path / name(), spacing=1.0, n_time=3, bounds=(-12.0, 38.0, 12.0, 58.0))
    opened = open_apriori(path)
    assert opened.grid.shape == (20, 24) and not opened.grid.is_periodic
    np.testing.assert_allclose(opened.read(2, ALL, ALL), expected(opened, 1.0), rtol=3e-7)


def test_a_cut_copy_is_an_error_not_zeros(tmp_path):
    """The netCDF library reads zeros beyond the end of a classic file; here it is an error."""
    path = write_ctmana(tmp_path / name(), spacing=30.0)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(AprioriError, match=r"Damaged file .* as long as its header says"):
        open_apriori(path)


def test_a_synthetic_file_is_known_as_such(tmp_path):
    """The word in `source` marks the set."""
    assert open_apriori(write_ctmana(tmp_path / name(), spacing=30.0, synthetic=True)).is_synthetic
