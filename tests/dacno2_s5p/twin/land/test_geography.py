"""Coast, towns, mountains and traffic are where they belong."""

from __future__ import annotations

import numpy as np
import pytest

from dacno2_s5p.twin.land.geography import (
    AGRICULTURE,
    ARTIFICIAL,
    FOREST,
    RURAL,
    URBAN,
    WATER,
    build_geography,
)
from dacno2_s5p.twin.land.world import to_plane


def cell(geography, longitude, latitude):
    x, y = to_plane(longitude, latitude)
    grid = geography.grid
    return int((y - grid.y_edges[0]) // 2000), int((x - grid.x_edges[0]) // 2000)


@pytest.mark.parametrize(
    ("name", "longitude", "latitude"),
    [
        ("Paris", 2.35, 48.86),
        ("London", -0.13, 51.51),
        ("Essen", 7.01, 51.45),
        ("Lyon", 4.84, 45.76),
    ],
)
def test_cities_are_urban_land(twin, name, longitude, latitude):
    """The centre of a large city is land, urban, artificial, bright and full of traffic."""
    g = twin.geography
    at = cell(g, longitude, latitude)
    assert g.land[at] == 1.0, name
    assert g.urbanisation[at] == URBAN
    assert g.land_cover[at] == ARTIFICIAL
    assert g.density[at] > 2000.0
    assert g.night_light[at] > 25.0
    assert g.road_traffic[at] > 20.0 * g.road_traffic.mean()


@pytest.mark.parametrize(
    ("longitude", "latitude"), [(3.0, 54.0), (-6.0, 46.0), (5.0, 42.5), (-5.0, 49.5)]
)
def test_the_sea_is_empty_water(twin, longitude, latitude):
    """North Sea, Biscay, Mediterranean and Channel approaches: no land, people, roads or height."""
    g = twin.geography
    at = cell(g, longitude, latitude)
    assert g.land[at] == 0.0
    assert g.land_cover[at] == WATER
    assert g.population[at] < 1.0
    assert g.elevation[at] == 0.0
    assert g.road_length[(slice(None), *at)].sum() == 0.0


def test_mountains_stand_where_they_are(twin):
    """Mean heights of 40 km squares: high in the Alps and the Pyrenees, low in the plains."""
    g = twin.geography

    def mean_height(longitude, latitude):
        row, column = cell(g, longitude, latitude)
        return g.elevation[row - 10 : row + 10, column - 10 : column + 10].mean()

    assert mean_height(7.6, 45.95) > 1600.0
    assert mean_height(0.6, 42.65) > 1300.0
    assert 500.0 < mean_height(2.8, 45.3) < 1400.0
    assert mean_height(4.9, 52.1) < 60.0
    assert mean_height(1.9, 48.2) < 250.0


def test_people_are_as_many_as_in_reality(twin):
    """People of France's cells: 60-70 million, nobody lost at the coast."""
    g = twin.geography
    people = g.population[g.country == g.countries.index("FR")].sum(dtype=np.float64)
    # metropolitan France has 65 million; borders are those of the nearest town
    assert 58e6 < people < 72e6


def test_ships_keep_to_their_lanes(twin):
    """The Dover strait has at least 20 times the traffic of the open Biscay; none on land."""
    g = twin.geography
    row, column = cell(g, 1.45, 51.0)
    dover = g.ship_traffic[row - 3 : row + 4, column - 3 : column + 4].mean()
    biscay = g.ship_traffic[cell(g, -4.0, 45.0)]
    assert dover > 20.0 * biscay
    assert g.ship_traffic[g.land == 1.0].max() == 0.0


def test_shares_and_classes_are_complete(twin):
    """Traffic shares sum to one; all five classes and all three degrees of urbanisation occur."""
    g = twin.geography
    # float32 shares of a million cells
    assert g.road_traffic.sum(dtype=np.float64) == pytest.approx(1.0, abs=1e-4)
    assert g.ship_traffic.sum(dtype=np.float64) == pytest.approx(1.0, abs=1e-4)
    assert set(np.unique(g.land_cover)) == {0, 1, 2, 3, 4}
    of_land = g.land > 0.5
    assert 0.3 < (g.land_cover[of_land] == AGRICULTURE).mean() < 0.7
    assert 0.2 < (g.land_cover[of_land] == FOREST).mean() < 0.6
    assert (g.urbanisation[of_land] == RURAL).mean() > 0.7


def test_the_same_seed_is_the_same_world(twin):
    """The geography of a seed is built once and shared; it is not changed by use."""
    assert build_geography(twin.seed, twin.version.frame) is twin.geography
