"""The maps of a day, and how far around the grid they are carried from."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.grid import ModelGrid, named_grid
from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.store.transported import Transported, with_transport
from dacno2_s5p.transport.constants import TransportConstants
from dacno2_s5p.transport.days import (
    CarriedDays,
    hourly_preparation,
    hourly_table,
    surrounding,
)
from dacno2_s5p.transport.winds import HEIGHTS

GRID = ModelGrid("small", "EPSG:3035", 4.0e6, 3.0e6, 2000.0, 64, 64, 64)
TABLE = InputTable.default(["transport"])
DAY = np.datetime64("2019-07-01")
HOURS = (11, 12, 13)


class West:
    """A source of even emissions west of the grid alone, in a west wind of 6 m/s."""

    def __init__(self, table, preparation, grid):
        self.table, self.preparation, self.grid = table, preparation, grid

    def month_maps(self, month):
        del month
        outside = self.grid.cells().x < GRID.x_origin
        field = np.zeros((1, *self.grid.shape), np.float32)
        field[..., outside] = 1e-9
        return {"nox_ships": field}

    def day_arrays(self, day):
        del day
        n, shape = self.preparation.weather_steps, (self.grid.n_y // 8, self.grid.n_x // 8)
        single, multi = np.zeros((n, 2, *shape)), np.zeros((n, 2, len(HEIGHTS), *shape))
        single[:, 0], multi[:, 0] = 700.0, 6.0
        return {"single": single.astype(np.float32), "multi": multi.astype(np.float32)}


def carried(margin, **constants) -> np.ndarray:
    preparation = hourly_preparation(Preparation(), HOURS)
    source = West(hourly_table(TABLE), preparation, surrounding(GRID, margin))
    days = CarriedDays(GRID, margin, source, {}, HOURS, TransportConstants(**constants))
    return days.day(DAY)


def test_emissions_of_the_surroundings_flow_in():
    """With 128 km around it the grid has NO2 of the west, most of it upwind; alone it has not."""
    wide, alone = carried(64), carried(0)
    assert wide.shape == (4, *GRID.shape)
    assert wide.dtype == np.float32
    np.testing.assert_allclose(wide[3], 700.0)
    rows = wide[0].mean(axis=0)
    assert rows[0] > 1.5 * rows[-1] > 5.0 * alone[0].max()
    # nothing is emitted here but by soils: 2e-3 ug m-2 s-1 over 700 m, to float32
    np.testing.assert_allclose(wide[2], 3600.0 * 2e-3 / 700.0, rtol=1e-5)
    np.testing.assert_array_equal(carried(64, factor=2), wide)


def test_cells_of_the_transport_hardly_matter():
    """4 and 8 km agree to a twentieth where fields are smooth."""
    fine, coarse = carried(64), carried(64, factor=4)
    np.testing.assert_allclose(coarse[0], fine[0], rtol=0.05)


def test_weather_is_asked_for_by_the_hour():
    preparation = hourly_preparation(Preparation(weather_steps=8, weather_step_hours=3), HOURS)
    assert (preparation.weather_steps, preparation.weather_step_hours) == (24, 1)
    assert preparation.heights == HEIGHTS
    assert hourly_preparation(Preparation(), range(24)).weather_steps == 48
    table = hourly_table(TABLE)
    assert [v.name for g in ("single", "multi") for v in table.group(g)] == [
        "blh",
        "ssrd",
        "u",
        "v",
    ]


def test_a_table_that_cannot_carry_is_refused():
    table = InputTable(v for v in TABLE.variables if v.name != "blh")
    with pytest.raises(ConfigurationError, match="Given none of blh"):
        hourly_table(table)


def test_degrees_are_refused():
    with pytest.raises(ConfigurationError, match="must be in metres"):
        surrounding(named_grid("lonlat-0.02"), 0)


@pytest.mark.parametrize(
    "values", [{"wind_height": 0.0}, {"exchange": "much"}, {"factor": 3}, {"speed": 1.0}]
)
def test_constants_that_cannot_be(values):
    with pytest.raises(ConfigurationError, match="transport"):
        TransportConstants.from_dict(values)


def test_constants_are_read_from_toml(tmp_path):
    path = tmp_path / "constants.toml"
    path.write_text("[transport]\nwind_height = 0.3\n")
    assert TransportConstants.read(path) == TransportConstants(wind_height=0.3)
    path.write_text("wind_height = 0.3\n")
    with pytest.raises(ConfigurationError, match="section transport"):
        TransportConstants.read(path)


def transported(most, caplog) -> tuple[Transported, list[str]]:
    """Carry from a source that reaches `most` cells around the grid."""

    def make(table, preparation, grid):
        if grid.n_x > GRID.n_x + 2 * most:
            msg = "The files end before."
            raise DataError(msg)
        return West(table, preparation, grid)

    preparation = with_transport(Preparation(), TABLE, {})
    found = Transported(make, dict, GRID, TABLE, preparation)
    with caplog.at_level(logging.INFO):
        found.day(DAY)
    return found, [record.getMessage() for record in caplog.records]


def test_the_widest_surroundings_are_taken_and_told(caplog):
    found, told = transported(70, caplog)
    assert found.margin == 64
    assert "carried over small and 128 km around" in told[-1]
    assert caplog.records[-1].levelno == logging.WARNING
    assert "192 km around: The files end before." in told[0]
    np.testing.assert_array_equal(found.day(DAY)["transport"], carried(64))


def test_files_that_do_not_reach_the_grid_are_told(caplog):
    with pytest.raises(DataError, match="The files end before"):
        transported(-1, caplog)


def test_without_the_group_nothing_is_carried():
    plain = InputTable.default()
    found = Transported(West, dict, GRID, plain, with_transport(Preparation(), plain, {}))
    assert found.day(DAY) == {}
    assert "transport" not in Preparation().to_dict()
