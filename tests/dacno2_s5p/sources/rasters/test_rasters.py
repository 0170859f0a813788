"""Rasters: conservative means, mode of classes, gaps refused, strips that change nothing."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import rasterio
from rasterio import Affine

from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs.regrid import centres_in
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.sources.rasters import rasters
from dacno2_s5p.sources.rasters.maps import (
    read_land_cover,
    read_night_light,
    read_population,
    read_roads,
    read_terrain,
)
from dacno2_s5p.sources.rasters.rasters import area_mean, class_counts
from retrieval.physics.geometry.grids import RectilinearGrid
from tests.builders.source_files import EAST, GRID, NORTH, SOUTH, WEST, write_static, write_tif

TABLE = InputTable.default()
CELLS = GRID.cells()
CORNER = GRID.x_origin, GRID.y_origin + 64 * 2000.0
"""North-western corner of the grid."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("static")
    write_static(path)
    return path


def test_nested_cells_are_averaged_exactly(tmp_path):
    """Four cells of 1 km make one of 2 km, the south in the first row."""
    values = np.random.default_rng(1).uniform(0, 9, (128, 128)).astype("f4")
    write_tif(tmp_path / "a.tif", values, CORNER, 1000.0, "EPSG:3035")
    found = area_mean([tmp_path / "a.tif"], CELLS)
    expected = values.reshape(64, 2, 64, 2).mean(axis=(1, 3))[::-1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # float32 file


def test_strips_and_blocks_change_nothing(tmp_path, monkeypatch):
    """A raster read in strips, and one whose cells are averaged in blocks first."""
    values = np.random.default_rng(2).uniform(0, 9, (1280, 1280)).astype("f4")
    write_tif(tmp_path / "a.tif", values, CORNER, 100.0, "EPSG:3035")
    whole = area_mean([tmp_path / "a.tif"], CELLS)
    monkeypatch.setattr(rasters, "STRIP_CELLS", 70_000)
    strips = area_mean([tmp_path / "a.tif"], CELLS)
    np.testing.assert_allclose(strips, whole, rtol=1e-9)  # sums in another order
    expected = values.astype("f8").reshape(64, 20, 64, 20).mean(axis=(1, 3))[::-1]
    np.testing.assert_allclose(whole, expected, rtol=1e-6)  # float32 file


def test_what_a_raster_holds_is_conserved(tmp_path):
    """Longitude/latitude: the sum over an enclosed blob of light stays, cells weighted by area."""
    n = 60
    shape = round((NORTH - SOUTH) * n), round((EAST - WEST) * n)
    y = NORTH - (np.arange(shape[0]) + 0.5) / n
    x = WEST + (np.arange(shape[1]) + 0.5) / n
    lon, lat = centres_in(CELLS, "EPSG:4326")
    blob = np.exp(-(((x[None] - lon.mean()) / 0.1) ** 2) - ((y[:, None] - lat.mean()) / 0.07) ** 2)
    write_tif(tmp_path / "a.tif", blob.astype("f4"), (WEST, NORTH), 1 / n, "EPSG:4326")
    found = area_mean([tmp_path / "a.tif"], CELLS)
    radius = 6_371_007.0  # authalic: EPSG:3035 keeps areas of the ellipsoid
    cell = np.deg2rad(1 / n) ** 2 * np.cos(np.deg2rad(y))[:, None] * radius**2
    # authalic and geodetic latitude differ: areas of the sphere are off by 0.3 % at most
    assert found.sum() * 4e6 == pytest.approx((blob * cell).sum(), rel=4e-3)


def test_cells_of_a_raster_count_by_their_true_areas(tmp_path):
    """Over a cell of one degree the northern rows of a raster in degrees count less."""
    rows = 48.0 - (np.arange(6) + 0.5) / 3
    values = np.repeat(rows[:, None], 6, axis=1).astype("f8")
    write_tif(tmp_path / "a.tif", values, (1.0, 48.0), 1 / 3, "EPSG:4326")
    degree = RectilinearGrid(np.array([1.0, 2.0]), np.array([47.0, 48.0]))
    found = area_mean([tmp_path / "a.tif"], degree)[0, 0]
    edges = np.sin(np.deg2rad(48.0 - np.arange(4) / 3))
    expected = np.average(rows[:3], weights=edges[:-1] - edges[1:])
    # without areas the mean is 47.5, 1.4e-3 more; edges of the file are decimal fractions
    assert found == pytest.approx(expected, abs=1e-8)


def test_cells_without_data_do_not_count_or_count_as_given(tmp_path):
    """No data is left out of a mean, or has the value it is given."""
    values = np.full((128, 128), 6.0, "f4")
    values[0, 0] = -99.0
    write_tif(tmp_path / "a.tif", values, CORNER, 1000.0, "EPSG:3035", nodata=-99.0)
    assert area_mean([tmp_path / "a.tif"], CELLS)[-1, 0] == pytest.approx(6.0)
    assert area_mean([tmp_path / "a.tif"], CELLS, empty=0.0)[-1, 0] == pytest.approx(4.5)


def test_a_raster_that_ends_inside_the_grid_is_refused(tmp_path):
    """The message says where nothing lies."""
    write_tif(tmp_path / "a.tif", np.ones((100, 128), "f4"), CORNER, 1000.0, "EPSG:3035")
    with pytest.raises(DataError, match=r"Given nothing for 896 cells at .*N"):
        area_mean([tmp_path / "a.tif"], CELLS)


def test_tiles_together_cover_the_grid(tmp_path):
    """Two halves make the whole."""
    values = np.random.default_rng(3).uniform(0, 9, (128, 128)).astype("f4")
    x, y = CORNER
    write_tif(tmp_path / "a.tif", values[:, :61], (x, y), 1000.0, "EPSG:3035")
    write_tif(tmp_path / "b.tif", values[:, 61:], (x + 61_000.0, y), 1000.0, "EPSG:3035")
    found = area_mean([tmp_path / "a.tif", tmp_path / "b.tif"], CELLS)
    expected = values.reshape(64, 2, 64, 2).mean(axis=(1, 3))[::-1]
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # float32 file


def test_damaged_and_unplaced_rasters_are_one_line(tmp_path):
    """No raster, and one without a CRS."""
    (tmp_path / "a.tif").write_bytes(b"II*\x00nothing")
    with pytest.raises(DataError, match="Damaged raster"):
        area_mean([tmp_path / "a.tif"], CELLS)


@pytest.mark.parametrize(
    ("profile", "given"),
    [
        ({"dtype": "complex64"}, "1 bands of complex64"),
        ({"transform": Affine(1e30, 0.0, CORNER[0], 0.0, -1e30, CORNER[1])}, "lie on the Earth"),
        ({"transform": Affine(1000.0, 0.0, np.inf, 0.0, -1000.0, CORNER[1])}, "lie on the Earth"),
        ({"transform": Affine(np.nan, 0.0, CORNER[0], 0.0, -1000.0, CORNER[1])}, "north up"),
        ({"transform": Affine(1e-27, 0.0, CORNER[0], 0.0, -1000.0, CORNER[1])}, "have a size"),
        ({"crs": "EPSG:4326"}, "lie on the Earth"),
        ({"count": 2}, "2 bands"),
    ],
)
def test_rasters_that_lie_nowhere_or_hold_no_numbers_are_refused(tmp_path, profile, given):
    """One cell that covers all of the grid would give a number, too."""
    path = tmp_path / "a.tif"
    write_tif(path, np.full((128, 128), 3.0, "f4"), CORNER, 1000.0, "EPSG:3035")
    with rasterio.open(path) as file:
        values, whole = file.read(1), {**file.profile, **profile}
    with rasterio.open(path, "w", **whole) as file:
        file.write(values.astype(whole["dtype"]), 1)
    with pytest.raises(DataError, match=r"(Damaged|Invalid) raster") as error:
        area_mean([path], CELLS)
    assert given in str(error.value)


def test_infinite_values_are_no_gaps(tmp_path):
    """NaN is a mark of no data; infinity is damage."""
    values = np.full((128, 128), 3.0, "f4")
    for number in (np.nan, np.inf):
        values[5, 5] = number
        write_tif(tmp_path / "a.tif", values, CORNER, 1000.0, "EPSG:3035")
        if np.isnan(number):
            np.testing.assert_allclose(area_mean([tmp_path / "a.tif"], CELLS), 3.0)
            continue
        with pytest.raises(DataError, match="must be finite"):
            area_mean([tmp_path / "a.tif"], CELLS)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.5000", "1 5000"),
        ("1.5000 ", "1.5000"),
        ("1.5000", "1.5#00"),
        ("1.5000", "inf"),
        ("cellsize", "cellsiz"),
        ("nrows 36", "nrows 37"),
        ("ncols 54", "ncols -54"),
    ],
)
def test_a_broken_number_of_an_ascii_grid_is_refused(tmp_path, old, new):
    """GDAL would read on: all cells behind would be another's."""
    write_static(tmp_path)
    path = tmp_path / "grip4" / "grip4_total_dens_m_km2.asc"
    lines = path.read_text().splitlines()
    lines[20] = "1.5000 " + lines[20].split(" ", 1)[1]
    path.write_text("\n".join(lines) + "\n")
    read_roads(tmp_path / "grip4", TABLE["road_density"], GRID)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match="Damaged raster"):
        read_roads(tmp_path / "grip4", TABLE["road_density"], GRID)


def test_the_sum_of_a_gzip_file_is_looked_at(tmp_path):
    """A wrong sum at the end is told, whatever the numbers are."""
    write_static(tmp_path)
    path = tmp_path / "grip4" / "grip4_total_dens_m_km2.asc"
    data = bytearray(gzip.compress(path.read_bytes()))
    path.unlink()
    data[-6] ^= 1
    path.with_name(f"{path.name}.gz").write_bytes(data)
    with pytest.raises(DataError, match="CRC check failed"):
        read_roads(tmp_path / "grip4", TABLE["road_density"], GRID)


def test_a_code_that_is_none_is_refused(tmp_path):
    """No data is no damage; a code beyond the classes is."""
    codes = np.full((128, 128), 44, "u1")
    path = tmp_path / "CLC2018.tif"
    for code in (48, 99):
        codes[3, 3] = code
        write_tif(path, codes, CORNER, 1000.0, "EPSG:3035")
        if code == 48:
            read_land_cover(path, TABLE["land_cover"], GRID)
            continue
        with pytest.raises(DataError, match="Given 99 and 0 more such cells"):
            read_land_cover(path, TABLE["land_cover"], GRID)


def test_gzipped_rasters_are_read(tmp_path):
    """Night light comes as .tif.gz."""
    write_tif(tmp_path / "a.tif", np.full((128, 128), 3.0, "f4"), CORNER, 1000.0, "EPSG:3035")
    name = "VNL_v21_npp_2020_global_vcmslcfg_c202205302300.average_masked.dat.tif.gz"
    (tmp_path / name).write_bytes(gzip.compress((tmp_path / "a.tif").read_bytes()))
    found = read_night_light(tmp_path, TABLE["night_light"], GRID)
    np.testing.assert_allclose(found, 3.0)


def test_the_five_sources_give_maps_in_their_ranges(folder):
    """Each on the grid, finite, one channel or one for each class."""
    readers = {
        "road_density": (read_roads, "grip4", 1),
        "population_density": (read_population, "geostat", 1),
        "night_light": (read_night_light, "viirs", 1),
        "elevation": (read_terrain, "merit", 1),
        "land_cover": (read_land_cover, "corine", 5),
    }
    for name, (read, place, channels) in readers.items():
        maps = read(folder / place, TABLE[name], GRID)
        assert maps.shape == (channels, 64, 64)
        assert maps.dtype == np.float32 and np.isfinite(maps).all() and np.ptp(maps) > 0


def test_population_is_people_by_area(tmp_path):
    """100 people in each 1 km cell are 100 to the km2, in 500 m cells 400; the sea has none."""
    people = np.full((128, 128), 100.0, "f4")
    people[:2, :2] = -200.0
    write_tif(tmp_path / "JRC_1K_POP_2018.tif", people, CORNER, 1000.0, "EPSG:3035")
    found = read_population(tmp_path, TABLE["population_density"], GRID)[0]
    assert found[0, 0] == pytest.approx(100.0) and found[-1, 0] == 0.0
    write_tif(
        tmp_path / "JRC_1K_POP_2018.tif", np.full((256, 256), 100.0, "f4"), CORNER, 500.0,
        "EPSG:3035",
    )  # fmt: skip
    found = read_population(tmp_path, TABLE["population_density"], GRID)[0]
    np.testing.assert_allclose(found, 400.0)


def test_land_cover_is_the_mode_of_five_classes(tmp_path):
    """A cell with most of its 400 codes in forest, though of three codes, is forest."""
    codes = np.full((1280, 1280), 12, np.uint8)
    cell = codes[-20:, :20]  # the south-western one
    cell[:4] = 23
    cell[4:8] = 24
    cell[8:12] = 25
    codes[:20, :20] = 48
    path = tmp_path / "U2018_CLC2018_V2020_20u1.tif"
    write_tif(path, codes, CORNER, 100.0, "EPSG:3035", nodata=48)
    maps = read_land_cover(path, TABLE["land_cover"], GRID)
    assert maps[:, 0, 0].tolist() == [0, 0, 1, 0, 0]
    assert maps[:, 0, 1].tolist() == [0, 1, 0, 0, 0]
    assert maps[:, -1, 0].tolist() == [0, 0, 0, 0, 1]
    np.testing.assert_array_equal(maps.sum(axis=0), 1.0)


def test_land_cover_needs_classes_and_a_raster_of_the_area(tmp_path):
    """A row without classes, and a raster with no class on the grid."""
    path = tmp_path / "clc.tif"
    write_tif(path, np.full((64, 64), 48, np.uint8), CORNER, 2000.0, "EPSG:3035")
    with pytest.raises(DataError, match=r"no class in 100.0 %"):
        read_land_cover(path, TABLE["land_cover"], GRID)
    with pytest.raises(ConfigurationError, match="needs classes"):
        read_land_cover(path, TABLE["elevation"], GRID)


@pytest.mark.real
def test_real_corine_codes_are_counted_as_rasterio_has_them(real_file):
    """The real piece of CORINE: class counts on 2 km cells add up to its codes."""
    import rasterio

    path = real_file("clc2018_v2020_20u1.tif")
    with rasterio.open(path) as file:
        codes, box, crs = file.read(1), file.bounds, f"EPSG:{file.crs.to_epsg()}"
    edges_x = np.arange(np.floor(box.left / 2000) * 2000, box.right + 2000, 2000.0)
    edges_y = np.arange(np.floor(box.bottom / 2000) * 2000, box.top + 2000, 2000.0)
    classes = list(TABLE["land_cover"].classes.values())
    counts = class_counts(path, RectilinearGrid(edges_x, edges_y, crs), classes)
    for (first, last), found in zip(classes, counts[:-1], strict=True):
        assert found.sum() == ((codes >= first) & (codes <= last)).sum()
    assert counts[:-1].sum() > 0


@pytest.mark.real
def test_real_population_density_is_averaged_by_area(real_file):
    """GPWv4 of 0.25 degree onto the 16 km domain cells: what the overlapping cells hold."""
    import rasterio

    path = real_file("gpw_v4_population_density*.tif")
    found = area_mean([path], GRID.cells(8), empty=0.0, least=0.0)
    with rasterio.open(path) as file:
        window = file.window(WEST, SOUTH, EAST, NORTH)
        block = np.maximum(file.read(1, window=window), 0.0)
    assert block.min() <= found.min() and found.max() <= block.max()
    # Burgundy and the south-eastern Paris basin: 20 to 400 people to the km2
    assert 5.0 < found.mean() < 500.0
