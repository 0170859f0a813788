"""What CAMS-like, TM5-like models and stations make of the truth."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.twin.air.profile import CAMS_HEIGHTS
from dacno2_s5p.twin.air.stratosphere import in_layers
from dacno2_s5p.twin.land.world import BOX
from dacno2_s5p.twin.models.cams_model import _anomaly, cams_grid
from dacno2_s5p.twin.models.tm5_model import ctmana_grid, edge_heights, layer_columns
from dacno2_s5p.twin.stations import CELLS, EVALUATION, place_stations
from retrieval.physics.constants import (
    AIR_COLUMN_PER_PASCAL,
    MICROGRAM_M3_TO_MOL_M3,
    MOLEC_CM2_PER_MOL_M2,
)
from tests.dacno2_s5p.twin.conftest import SUMMER


def test_the_network_has_the_papers_size(twin):
    """748 cells, 173 held back; CAMS assimilates background stations of the 575 others only."""
    s = twin.stations
    regular = s.kind != "traffic"
    cells = set(zip(s.row[regular], s.column[regular], strict=True))
    held = set(zip(s.row[s.is_evaluation], s.column[s.is_evaluation], strict=True))
    assert (len(cells), len(held)) == (CELLS, EVALUATION)
    assert not (s.is_assimilated & s.is_evaluation).any()
    assert (s.kind[s.is_assimilated] == "background").all()
    used = set(zip(s.row[s.is_assimilated], s.column[s.is_assimilated], strict=True))
    assert not used & held
    assert set(s.area) == {"urban", "suburban", "rural"}
    assert (twin.geography.land[120:840, 240:832][s.row, s.column] > 0.5).all()


def test_stations_are_reproducible(twin):
    """The same seed places and measures the same; another seed does not."""
    again, other = (place_stations(twin.geography, seed) for seed in (twin.seed, 1))
    np.testing.assert_array_equal(again.row, twin.stations.row)
    assert not np.array_equal(other.row, twin.stations.row)
    truth = np.full((24, again.size), 20.0)
    one, two = (again.observe(np.datetime64("2019-03-02"), truth) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_stations_measure_the_truth_with_errors_and_gaps(twin):
    """Around the truth without large bias, a few per cent of the hours missing, never negative."""
    s = twin.stations
    values = np.concatenate(
        [s.observe(np.datetime64("2019-03-01") + i, np.full((24, s.size), 20.0)) for i in range(20)]
    )
    regular = s.kind != "traffic"
    mean = np.nanmean(values[:, regular])
    assert 18.5 < mean < 22.5
    assert 0.02 < np.isnan(values).mean() < 0.2
    assert np.nanmin(values) >= 0.0
    assert np.nanmean(values[:, ~regular]) > 1.4 * mean


def test_the_cams_grid_changes_in_2020():
    """Centres on x.x0 up to 2019 and on x.x5 from 2020; a cut keeps them."""
    old, new = cams_grid(2019, BOX), cams_grid(2020, BOX)
    np.testing.assert_allclose(old.x * 10, np.round(old.x * 10), atol=1e-9)
    np.testing.assert_allclose(new.x * 10 - 0.5, np.round(new.x * 10 - 0.5), atol=1e-9)
    assert old.shape == (161, 201) and new.shape == (160, 200)


def test_cams_is_smoother_and_lower_than_the_truth_in_cities(twin, summer_day):
    """The 10 km model has lower maxima than the 2 km truth, and falls with height."""
    grid = cams_grid(2019, BOX)
    fields = twin.cams.on_grid(SUMMER, 12, grid)
    truth = summer_day.concentration(12, (0.0,))[0] / MICROGRAM_M3_TO_MOL_M3
    assert fields.shape == (len(CAMS_HEIGHTS), *grid.shape)
    assert fields.min() >= 0.0
    assert fields[0].max() < truth.max()
    assert 0.5 < fields[0].mean() / truth.mean() < 1.6
    assert (np.diff(fields.mean(axis=(1, 2))) < 0.0).all()


def test_the_analysis_draws_cams_toward_assimilated_stations(twin, summer_day):
    """Departures shrink at the stations that were used."""
    hour = 12
    cams, unit = twin.cams, MICROGRAM_M3_TO_MOL_M3
    observed = twin.observed_hour(SUMMER, hour)[cams._network]
    before = cams.background(summer_day.date, hour, (0.0,))[0].ravel()[cams._cell] / unit
    after = cams.fields(SUMMER, hour, (0.0,))[0].ravel()[cams._cell] / unit
    seen = np.isfinite(observed)
    rms = [np.sqrt(np.mean((observed - model)[seen] ** 2)) for model in (before, after)]
    assert rms[1] < 0.95 * rms[0]


def test_the_forecast_has_seen_no_station_but_at_its_start(twin, summer_day, monkeypatch):
    """At 00 UTC it is the analysis; later it asks for no observation, and its errors grow."""
    cams, heights = twin.cams, (0.0, 3000.0)
    np.testing.assert_allclose(
        cams.forecast(SUMMER, 0, heights), cams.fields(SUMMER, 0, heights), rtol=1e-6
    )
    asked = []
    measure = twin.observed_hour

    def observed_hour(date, hour):
        asked.append(hour)
        return measure(date, hour)

    monkeypatch.setattr(twin, "observed_hour", observed_hour)
    grown = {}
    for hour in (3, 23):
        plain = cams.background(summer_day.date, hour, heights)
        change = np.log(cams.forecast(SUMMER, hour, heights) / plain)
        grown[hour] = change.std(axis=(1, 2))
    assert set(asked) == {0}
    # aloft nothing is left of the start: the growth alone, with the square root of time
    assert grown[23][1] > 1.5 * grown[3][1]
    # 0.06 after 12 h; one draw of a smooth field is within a half
    assert 0.5 < grown[23][1] / (0.06 * np.sqrt(23.0 / 12.0)) < 1.5


def test_2020_is_anomalous_above_1000_m_only():
    """In 2020 the factor is large at 2 km and above, one below 1000 m; one in other years."""
    error = np.ones((2, 2), np.float32)
    dip, normal = np.datetime64("2020-06-01"), np.datetime64("2021-06-01")
    assert np.min(_anomaly(dip, 3000.0, error)) > 1.8
    assert np.max(_anomaly(dip, 750.0, error)) == 1.0
    assert np.max(_anomaly(normal, 5000.0, error)) == 1.0


def test_tm5_layers_hold_truth_and_stratosphere(twin, summer_day):
    """Columns of the layers: troposphere near the truth's mean, stratosphere as given."""
    fields = twin.tm5.fields(SUMMER, 24)
    edges = twin.tm5.a[:, None, None] + twin.tm5.b[:, None, None] * fields.surface_pressure
    amount = fields.no2 * AIR_COLUMN_PER_PASCAL * -np.diff(edges, axis=0)
    index = np.arange(34)[:, None, None]
    inner = (slice(3, 14), slice(6, 18))
    troposphere = np.where(index <= fields.tropopause_layer, amount, 0.0).sum(axis=0)[inner]
    stratosphere = np.where(index > fields.tropopause_layer, amount, 0.0).sum(axis=0)
    truth = summer_day.tropospheric_column(12).mean()
    assert 0.7 < troposphere.mean() / truth < 1.5
    assert (fields.tropopause_layer >= 13).all() and (fields.tropopause_layer <= 17).all()
    pmolec = stratosphere * MOLEC_CM2_PER_MOL_M2 / 1e15
    assert (pmolec > 1.8).all() and (pmolec < 5.5).all()
    assert (fields.no2 > 0.0).all()


def test_tm5_half_hours_lie_between_hours(twin, summer_day):
    """Half past is the mean of the hours around it."""
    one, half, two = (twin.tm5.fields(SUMMER, step) for step in (24, 25, 26))
    np.testing.assert_allclose(half.no2, 0.5 * (one.no2 + two.no2), rtol=1e-6)


def test_layer_columns_are_exact():
    """A profile linear between heights is integrated exactly, and nothing is lost."""
    heights = np.array([0.0, 1000.0, 3000.0])
    profile = np.array([3.0, 1.0, 0.0]).reshape(3, 1, 1)
    edges = np.array([0.0, 500.0, 2000.0, 9000.0]).reshape(4, 1, 1)
    found = layer_columns(profile, heights, edges).ravel()
    np.testing.assert_allclose(found, [1250.0, 750.0 + 750.0, 250.0], rtol=1e-12)


def test_edge_heights_match_the_standard_atmosphere():
    """540.2 hPa is 5 km and 193.3 hPa 12 km high in the standard atmosphere."""
    pressure = np.array([101325.0, 54020.0, 19330.0]).reshape(3, 1, 1)
    found = edge_heights(pressure, np.full((1, 1), 101325.0), np.full((1, 1), 288.15)).ravel()
    np.testing.assert_allclose(found, [0.0, 5000.0, 12_000.0], atol=6.0)


def test_stratosphere_lies_above_the_tropopause_and_keeps_its_column():
    """Layers up to the tropopause are empty; the rest sums to the column and peaks at 24 hPa."""
    edges = np.geomspace(1e5, 1.0, 40).reshape(40, 1)
    layers = in_layers(np.array([5e-5]), edges, np.array([8]))
    assert (layers[:9] == 0.0).all()
    np.testing.assert_allclose(layers.sum(axis=0), 5e-5, rtol=1e-12)
    peak = int(np.argmax(layers[:, 0]))
    assert 1500.0 < np.sqrt(edges[peak, 0] * edges[peak + 1, 0]) < 3500.0


def test_ctmana_grid_covers_the_box():
    """Cells of 1 degree around the box, on half-degree centres."""
    grid = ctmana_grid()
    assert grid.x_edges[0] <= BOX[0] - 1 + 1e-9 and grid.y_edges[-1] >= BOX[3]
    np.testing.assert_allclose(grid.x % 1.0, 0.5)


@pytest.mark.parametrize("hour", [0, 12])
def test_stratosphere_has_seasons_and_grows_by_day(twin, hour):
    """Summer above winter, afternoon above morning, in the range of the instrument's columns."""
    points = twin.weather.frame.points

    def mean(day, h=hour):
        column = twin.stratosphere.column(np.datetime64(f"{day}T{h:02d}:00"), points)
        return column.mean() * MOLEC_CM2_PER_MOL_M2 / 1e15

    assert 1.7 < mean("2019-01-15") < mean("2019-07-01") < 4.8
    assert mean("2019-07-01", 16) > mean("2019-07-01", 8)
