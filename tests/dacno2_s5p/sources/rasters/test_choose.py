"""Rasters twice and in parts: the year asked for, tiles put together, what lies elsewhere left."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.sources.rasters.maps import (
    read_land_cover,
    read_night_light,
    read_population,
    read_roads,
    read_terrain,
)
from dacno2_s5p.sources.rasters.rasters import class_counts
from retrieval.files.candidates import Choices
from tests.builders.source_files import GRID, write_static, write_tif

TABLE = InputTable.default()
CORNER = GRID.x_origin, GRID.y_origin + 64 * 2000.0
"""North-western corner of the grid."""


def light(year, statistic="average_masked", config="vcmslcfg", version="v21"):
    return f"VNL_{version}_npp_{year}_global_{config}_c202205302300.{statistic}.dat.tif"


def write(path, value, *, columns=slice(None), crs="EPSG:3035", corner=CORNER):
    """Write a raster of 1 km cells over the grid, or some of its columns."""
    values = np.broadcast_to(np.asarray(value), (128, 128))[:, columns]
    first = range(128)[columns][0]
    origin = (corner[0] + 1000.0 * first, corner[1])
    write_tif(path, np.ascontiguousarray(values), origin, 1000.0, crs)


def value_of(read, folder, name, **options):
    maps = read(folder, TABLE[name], GRID, **options)
    found = np.unique(np.round(maps, 4))
    assert found.size == 1
    return float(found[0])


@pytest.mark.parametrize(("asked", "expected"), [(2020, 20), (2019, 20), (2014, 13), (None, 20)])
def test_night_light_is_of_the_year_asked_for_else_the_nearest(tmp_path, caplog, asked, expected):
    """2013 beside 2020: said, whatever the year; without one the newest."""
    for year in (2013, 2020):
        write(tmp_path / light(year), np.float32(year - 2000))
    choices = Choices()
    with caplog.at_level(logging.WARNING):
        found = value_of(read_night_light, tmp_path, "night_light", year=asked, choices=choices)
    assert found == expected
    other = {20: 2013, 13: 2020}[expected]
    assert f"year {2000 + expected} before {other}" in caplog.text
    (record,) = choices.records()
    assert record["what"] == "VIIRS" and str(2000 + expected) in str(record["chosen"])


def test_population_is_of_the_nearest_year(tmp_path):
    """2011 beside 2018 for a store of 2019: 2018."""
    write(tmp_path / "JRC_1K_POP_2011.tif", np.float32(11))
    write(tmp_path / "JRC_1K_POP_2018.tif", np.float32(18))
    for asked, expected in ((2019, 18.0), (2018, 18.0), (2012, 11.0)):
        assert value_of(read_population, tmp_path, "population_density", year=asked) == expected


@pytest.mark.parametrize("alone", [True, False])
def test_a_count_of_views_is_no_radiance(tmp_path, alone):
    """Only `cf_cvg` is refused; beside the radiance it is passed over."""
    path = tmp_path / light(2020, "cf_cvg")
    write(path, np.float32(99))
    for place in (tmp_path, path):
        with pytest.raises(DataError, match=r"must hold radiance .*Given VNL_v21.*cf_cvg"):
            read_night_light(place, TABLE["night_light"], GRID)
    if not alone:
        write(tmp_path / light(2020), np.float32(7))
        assert value_of(read_night_light, tmp_path, "night_light") == 7.0


def test_statistics_and_versions_are_ranked(tmp_path):
    """Masked averages before averages and medians, a later version before an earlier one."""
    write(tmp_path / light(2020, "average"), np.float32(2))
    write(tmp_path / light(2020, "median_masked"), np.float32(3))
    write(tmp_path / light(2020, config="vcmcfg"), np.float32(4))
    write(tmp_path / light(2020, version="v2"), np.float32(5))
    write(tmp_path / light(2020), np.float32(6))
    assert value_of(read_night_light, tmp_path, "night_light", year=2020) == 6.0


@pytest.mark.parametrize(
    ("read", "name", "names"),
    [
        (read_night_light, "night_light", (light(2020), light(2020).replace("global", "75N000E"))),
        (read_population, "population_density", ("JRC_1K_POP_2018_e.tif", "JRC_1K_POP_2018_w.tif")),
        (read_terrain, "elevation", ("n45e000_dem.tif", "n45e005_dem.tif")),
    ],
)
def test_two_tiles_of_a_raster_are_put_together(tmp_path, read, name, names):
    """West and east side by side: what the whole gives."""
    values = np.random.default_rng(5).uniform(1, 9, (128, 128)).astype("f4")
    write(tmp_path / "tiles" / names[0], values, columns=slice(0, 61))
    write(tmp_path / "tiles" / names[1], values, columns=slice(61, None))
    write(tmp_path / "whole" / names[0], values)
    found, expected = (read(tmp_path / p, TABLE[name], GRID) for p in ("tiles", "whole"))
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # float32 results


def test_tiles_of_land_cover_are_put_together(tmp_path):
    """Counts of two halves, and of halves that overlap with the same codes, are the whole's."""
    codes = np.random.default_rng(6).integers(1, 45, (128, 128)).astype("u1")
    classes = list(TABLE["land_cover"].classes.values())
    write(tmp_path / "clc2018.tif", codes)
    whole = class_counts(tmp_path / "clc2018.tif", GRID.cells(), classes)
    for i, split in enumerate((64, 80)):
        folder = tmp_path / str(i)
        write(folder / "clc2018_a.tif", codes, columns=slice(0, split))
        write(folder / "clc2018_b.tif", codes, columns=slice(64, None))
        tiles = sorted(folder.iterdir())
        np.testing.assert_array_equal(class_counts(tiles, GRID.cells(), classes), whole)
        np.testing.assert_array_equal(
            read_land_cover(folder, TABLE["land_cover"], GRID),
            read_land_cover(tmp_path / "clc2018.tif", TABLE["land_cover"], GRID),
        )


def test_tiles_that_overlap_and_differ_are_refused_and_copies_are_not(tmp_path):
    """Two heights for one place: nothing tells which is meant."""
    write(tmp_path / "n45e000_dem.tif", np.float32(100))
    write(tmp_path / "n45e000_dem_copy.tif", np.float32(100))
    assert value_of(read_terrain, tmp_path, "elevation") == 100.0
    (tmp_path / "n45e000_dem_copy.tif").unlink()
    write(tmp_path / "n45e001_dem.tif", np.float32(200), columns=slice(40, None))
    with pytest.raises(DataError, match=r"Two tiles of MERIT.*n45e000_dem\.tif and .*n45e001"):
        read_terrain(tmp_path, TABLE["elevation"], GRID)


def test_a_corine_package_with_overseas_territories(tmp_path):
    """The European raster is read; Guadeloupe, in its own CRS and sorted first, is left."""
    name = "U2018_CLC2018_V2020_20u1"
    write(tmp_path / "DATA" / f"{name}.tif", np.uint8(23))
    overseas = tmp_path / "DATA" / "French_DOMs" / f"{name}_FR_GLP.tif"
    write_tif(overseas, np.full((40, 40), 1, "u1"), (630_000.0, 1_820_000.0), 1000.0, "EPSG:32620")
    maps = read_land_cover(tmp_path, TABLE["land_cover"], GRID)
    assert maps[2].min() == 1.0  # forest


def test_a_part_of_the_domain_is_behind_the_whole(tmp_path):
    """A cut of 2020 does not cover the grid; 2013 does."""
    write(tmp_path / light(2020), np.float32(20), columns=slice(0, 30))
    write(tmp_path / light(2013), np.float32(13))
    choices = Choices()
    found = value_of(read_night_light, tmp_path, "night_light", year=2020, choices=choices)
    assert found == 13.0
    assert "area whole before part" in str(choices.records())


def test_rasters_that_nothing_ranks_are_refused(tmp_path):
    """Two without a word in their names are tiles, which differ."""
    write(tmp_path / "a.tif", np.float32(1))
    write(tmp_path / "b.tif", np.float32(2))
    with pytest.raises(DataError, match=r"Two tiles of VIIRS.*a\.tif and .*b\.tif"):
        read_night_light(tmp_path, TABLE["night_light"], GRID)


def test_a_side_file_of_gdal_is_no_raster(tmp_path):
    """Statistics beside a raster end in .tif.aux.xml."""
    write(tmp_path / light(2020), np.float32(5))
    (tmp_path / f"{light(2020)}.aux.xml").write_text("<PAMDataset/>")
    assert value_of(read_night_light, tmp_path, "night_light") == 5.0


def test_roads_never_count_twice(tmp_path):
    """The total beside a type, and one file for two types."""
    write_static(tmp_path)
    row = TABLE["road_density"]
    for kinds, place in (
        (("total", "tp1"), tmp_path / "grip4"),
        (("tp1", "tp2"), tmp_path / "grip4" / "grip4_total_dens_m_km2.asc"),
    ):
        with pytest.raises(ConfigurationError, match="Road types are summed"):
            read_roads(place, replace(row, source_variables=kinds), GRID)
