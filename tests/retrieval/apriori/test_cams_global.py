"""CAMS global and EAC4 sets: both kinds of levels, every layout, mass to mole fraction."""

from __future__ import annotations

from contextlib import closing

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.formats.hybrid_tables import half_levels
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.levels import HybridLayers, PressureLevels, Quantity
from retrieval.physics.time_rules import TimeRule
from tests.builders.set_builders import mesh, mole_fraction, write_cams_global, zip_files

ALL = slice(None)
SPACING = 7.5


def expected(opened, hour):
    vertical = opened.vertical
    if isinstance(vertical, PressureLevels):
        pressure = vertical.pressure
    else:
        edges = vertical.a + vertical.b * 1e5
        pressure = 0.5 * (edges[:-1] + edges[1:])
    lat, lon = mesh(90.0 - SPACING * np.arange(25)[::-1], opened.grid.x)
    return mole_fraction(pressure[:, None, None], lat, lon, hour)


@pytest.mark.parametrize("levels", ["pressure", "model"])
@pytest.mark.parametrize("layout", ["legacy", "new", "forecast"])
def test_every_layout_gives_mole_fractions_surface_first(tmp_path, layout, levels):
    """Legacy packing, new names and run/lead-time forecasts read the same."""
    path = write_cams_global(tmp_path / "g.nc", layout=layout, levels=levels, spacing=SPACING)
    opened = open_apriori(path)
    assert opened.kind == "CAMS global"
    assert opened.quantity is Quantity.MOLE_FRACTION and opened.time_rule is TimeRule.LINEAR
    assert opened.grid.is_periodic and opened.grid.x[0] == -180.0
    assert opened.times.tolist() == [
        np.datetime64(f"2019-06-30T0{h}:00", "ms").tolist() for h in (0, 3, 6)
    ]
    want = expected(opened, 3.0)
    # int16 packing resolves 1/65000 of the range; float32 otherwise
    tolerance = {"atol": 1e-4 * want.max()} if layout == "legacy" else {"rtol": 3e-7}
    np.testing.assert_allclose(opened.read(1, ALL, ALL), want, **tolerance)


def test_levels_may_come_in_either_order(tmp_path):
    """Top-first files give the same surface-first field."""
    up = open_apriori(write_cams_global(tmp_path / "a.nc", spacing=SPACING))
    down = write_cams_global(tmp_path / "b.nc", spacing=SPACING, level_descending=False)
    assert np.array_equal(open_apriori(down).read(0, ALL, ALL), up.read(0, ALL, ALL))


@pytest.mark.parametrize(("lowest", "n"), [(60, 20), (137, 40)])
def test_model_levels_have_the_interfaces_of_their_table(tmp_path, lowest, n):
    """Level numbers down to 60 mean L60, down to 137 L137."""
    numbers = np.arange(lowest, lowest - n, -1)
    path = write_cams_global(
        tmp_path / "g.nc", levels="model", model_levels=numbers, spacing=SPACING
    )
    vertical = open_apriori(path).vertical
    assert isinstance(vertical, HybridLayers)
    a, b = half_levels(lowest)
    assert np.array_equal(vertical.a, a[::-1][: n + 1])
    assert np.array_equal(vertical.b, b[::-1][: n + 1])


@pytest.mark.parametrize("numbers", [[137, 136, 134], [120, 119, 118]], ids=["gap", "aloft"])
def test_levels_with_gaps_or_above_ground_are_refused(tmp_path, numbers):
    """Layers must be contiguous from the surface up."""
    path = write_cams_global(
        tmp_path / "g.nc", levels="model", model_levels=[137, 136, 135], spacing=SPACING
    )
    import netCDF4

    with netCDF4.Dataset(path, "a") as ds:
        ds["model_level"][:] = numbers
    with pytest.raises(AprioriError, match=r"contiguous down to the surface.*Given "):
        open_apriori(path)


def test_a_region_across_greenwich_keeps_its_cells(tmp_path):
    """A subset in -180..180 has its own longitudes and its values."""
    path = write_cams_global(tmp_path / "g.nc", bounds=(-12.0, 36.0, 12.0, 58.5))
    opened = open_apriori(path)
    assert opened.grid.x[0] == -12.0 and not opened.grid.is_periodic
    lat, lon = mesh(np.arange(36.0, 58.6, 0.75), opened.grid.x)
    want = mole_fraction(opened.vertical.pressure[:, None, None], lat, lon, 6.0)
    np.testing.assert_allclose(opened.read(2, ALL, ALL), want, rtol=3e-7)  # float32


def test_a_block_across_greenwich_of_a_global_file_is_contiguous(tmp_path):
    """Reading -15..15 E of a 0..360 file joins its two ends."""
    opened = open_apriori(write_cams_global(tmp_path / "g.nc", spacing=SPACING))
    columns = slice(22, 27)
    assert opened.grid.x[columns].tolist() == [-15.0, -7.5, 0.0, 7.5, 15.0]
    want = expected(opened, 0.0)[:, 3:9, columns]
    np.testing.assert_allclose(opened.read(0, slice(3, 9), columns), want, rtol=3e-7)


def test_an_archive_with_any_name_is_read(tmp_path):
    """The data store sends ZIP under names that do not say so."""
    inner = write_cams_global(tmp_path / "data_plev.nc", spacing=SPACING)
    opened = open_apriori(zip_files(tmp_path / "download.nc", [inner]))
    np.testing.assert_allclose(opened.read(0, ALL, ALL), expected(opened, 0.0), rtol=3e-7)


def test_one_field_a_day_follows_the_daily_rule(tmp_path):
    """A noon field serves three hours; midnights are not drawn together (docs/equations.md 5)."""
    path = write_cams_global(tmp_path / "days.nc", spacing=SPACING)
    with closing(open_apriori(path)) as opened:
        assert opened.time_rule is TimeRule.LINEAR
    with netCDF4.Dataset(path, "a") as file:
        file["valid_time"][:] = file["valid_time"][0] + 86400 * np.arange(3) + 12 * 3600
    assert open_apriori(path).time_rule is TimeRule.DAILY
