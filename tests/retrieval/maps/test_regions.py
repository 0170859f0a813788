"""Regions: boxes on any grid, hotspots and background."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.maps.regions import DOMAIN, REGIONS, Region, background, hotspots, parse_region
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import RectilinearGrid, centres_in_degrees, domain_grid

E15 = 1e15 / MOLEC_CM2_PER_MOL_M2


def test_the_domain_holds_the_regions():
    """The regions (docs/formats.md 10.2) lie in the paper's box, on the 2 km grid."""
    grid = domain_grid(16_000.0)
    domain = DOMAIN.mask(grid)
    for region in REGIONS:
        mask = region.mask(grid)
        assert mask.any()
        assert not (mask & ~domain).any()


def test_mask_is_of_cell_centres():
    """A cell belongs to a region where its centre lies in the box, in degrees."""
    grid = domain_grid(16_000.0)
    longitude, latitude = centres_in_degrees(grid)
    inside = (longitude >= 1.2) & (longitude <= 3.6) & (latitude >= 48) & (latitude <= 49.6)
    assert np.array_equal(REGIONS[1].mask(grid), inside)


def test_regions_cross_the_antimeridian():
    """West above east means across 180 degrees, whatever range the grid's longitudes have."""
    region = Region("Fiji", (176.0, -20.0, -178.0, -15.0))
    for start in (-180.0, 0.0):
        grid = RectilinearGrid(start + np.arange(0.0, 361.0, 1.0), np.arange(-30.0, 1.0, 1.0))
        assert region.mask(grid).sum() == 6 * 5


def test_shifted_regions_say_so():
    """A moved region carries its shift in its name."""
    moved = REGIONS[1].shifted(0.5, -0.5)
    assert moved.box == (1.7, 47.5, 4.1, 49.1)
    assert moved.name == "Paris +0.5E -0.5N"


@pytest.mark.parametrize("text", ["Paris", "Paris=1,2,3", "=1,2,3,4", "a=1,5,3,4", "a=x,1,2,3"])
def test_wrong_regions_are_refused(text):
    """Text that is no region gives an error that shows how to write one."""
    with pytest.raises(ValueError, match="Invalid region"):
        parse_region(text)


def test_hotspots_need_both_rank_and_column():
    """A hotspot is in the top 5 % and above 5e15; background is the lower half."""
    column = np.linspace(0.1, 10.0, 100) * E15
    column[0] = np.nan
    assert hotspots(column).sum() == 5
    assert background(column).sum() == 50
    assert not hotspots(column / 3).any()
    assert not hotspots(column)[0]
    used = column < 8 * E15
    assert hotspots(column, used).sum() > 5
    assert not background(np.full(3, np.nan)).any()
