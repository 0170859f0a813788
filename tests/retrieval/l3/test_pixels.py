"""What an orbit gives to a map, and which files make one."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from retrieval.errors import ProductError
from retrieval.l2.identity import OrbitIdentity, check_one_generation, identify, one_file_an_orbit
from retrieval.l2.open_orbit import open_orbit
from retrieval.l3.cells import regular_grid
from retrieval.l3.pixels import PixelRange, product_labels, read_pixels
from retrieval.l3.side_column import SideColumn
from tests.builders.orbit_builder import build_orbit

GRID = regular_grid(8000.0, (-2.0, 45.0, 7.0, 53.0))


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=24, n_ground_pixel=20)


def _write_truth(path: Path, values, scanline, ground_pixel) -> Path:
    with netCDF4.Dataset(path, "w") as file:
        for name, index in (("scanline", scanline), ("ground_pixel", ground_pixel)):
            file.createDimension(name, len(index))
            file.createVariable(name, "i4", (name,))[:] = index
        truth = file.createVariable("truth", "f8", ("scanline", "ground_pixel"), fill_value=9.9e36)
        truth.units = "mol m-2"
        truth[:] = np.ma.masked_invalid(values)
    return path


def test_mask_is_on_the_stored_quality(built):
    """Pixels with 75 are out, with 76 in: the stored integer is compared, not a float."""
    path = Path(shutil.copy(built.path, built.path.parent / "quality.nc"))
    column = built.arrays["nitrogendioxide_tropospheric_column"]
    with h5py.File(path, "a") as file:
        qa = file["PRODUCT/qa_value"]
        qa[0, :, :10], qa[0, :, 10:] = 75, 76
    pixels = read_pixels(path, GRID, ["TM5"])
    assert pixels.values.shape == (np.isfinite(column[:, 10:]).sum(), 1)
    assert read_pixels(path, GRID, ["TM5"], qa_threshold=74).values.shape[0] > 300


def test_every_product_must_be_finite(season):
    """A pixel without one of the sets is out for all of them."""
    alone = read_pixels(season.outputs[0], GRID, ["TM5"])
    both = read_pixels(season.outputs[0], GRID, ["TM5", "DACNO2", "CAMS"])
    assert np.isfinite(both.values).all()
    assert both.values.shape[0] <= alone.values.shape[0]
    assert product_labels(season.outputs[0]) == ("TM5", "DACNO2", "CAMS")


def test_conditions_choose_pixels(built):
    """Ranges of float and of integer variables of the orbit choose pixels, ends included."""
    angle = built.arrays["viewing_zenith_angle"]
    middle = float(np.median(angle))
    whole = read_pixels(built.path, GRID, ["TM5"])
    low = PixelRange.parse(f"viewing_zenith_angle=0..{middle}")
    high = PixelRange("viewing_zenith_angle", middle, 90.0)
    parts = [read_pixels(built.path, GRID, ["TM5"], where=[one]) for one in (low, high)]
    assert sum(part.values.shape[0] for part in parts) >= whole.values.shape[0]
    assert all(0 < part.values.shape[0] < whole.values.shape[0] for part in parts)
    best = read_pixels(built.path, GRID, ["TM5"], where=[PixelRange("qa_value", 100, 100)])
    column = np.isfinite(built.arrays["nitrogendioxide_tropospheric_column"])
    assert best.values.shape[0] == (column & (built.arrays["qa_value"] == 100)).sum()
    with pytest.raises(ProductError, match="no such variable nothing"):
        read_pixels(built.path, GRID, ["TM5"], where=[PixelRange("nothing", 0, 1)])
    for wrong in ("qa_value", "qa_value=1", "qa_value=a..b", "qa_value=1..2..3"):
        with pytest.raises(ValueError, match=r"VARIABLE=LOW\.\.HIGH"):
            PixelRange.parse(wrong)
    for empty in ("solar_zenith_angle=60..0", "qa_value=nan..1", "=0..1"):
        with pytest.raises(ValueError, match="LOW not above HIGH"):
            PixelRange.parse(empty)


def test_the_ocean_is_a_value_of_snow_and_ice(built):
    """Its code is that of the fill, and yet it can be asked for."""
    flag = built.arrays["snow_ice_flag"]
    assert (flag == 255).any()
    with open_orbit(built.path) as orbit:
        for low, high in ((0, 255), (255, 255), (0, 103)):
            expected = (flag >= low) & (flag <= high)
            found = PixelRange("snow_ice_flag", low, high).mask(orbit, orbit.full)
            assert np.array_equal(found, expected)


def test_products_and_variables_that_lack_are_named(built, season, tmp_path):
    """A missing set, and a missing quality value, each name the file and what to do."""
    with pytest.raises(ProductError, match=r"no column with the DACNO2 a priori.*Given TM5"):
        read_pixels(built.path, GRID, ["TM5", "DACNO2"])
    path = Path(shutil.copy(built.path, tmp_path))
    with h5py.File(path, "a") as file:
        del file["PRODUCT/qa_value"]
    with pytest.raises(ProductError, match="has no variable qa_value"):
        read_pixels(path, GRID, ["TM5"])


def test_identity_from_name_or_content(built, tmp_path):
    """A renamed file is still known by the `id` or orbit number inside."""
    known = identify(built.path)
    assert known.orbit == "08822"
    assert known.major_version == "2"
    renamed = Path(shutil.copy(built.path, tmp_path / "my_orbit.nc"))
    assert identify(renamed).orbit == "08822"
    with h5py.File(renamed, "a") as file:
        file.attrs["id"] = "mine"
    assert identify(renamed) == OrbitIdentity("my_orbit.nc", "08822", "", known.processor_version)


def _copies(path: Path, folder: Path, *streams: str) -> list[Path]:
    return [
        Path(shutil.copy(path, folder / path.name.replace("_RPRO_", f"_{s}_"))) for s in streams
    ]


def test_reprocessed_before_offline_before_near_real_time(built, tmp_path):
    """Of one orbit in three streams the reprocessed file is taken, and the rest is listed."""
    files = _copies(built.path, tmp_path, "NRTI", "RPRO", "OFFL")
    chosen, passed_over = one_file_an_orbit(files)
    assert chosen == [files[1]]
    assert {path for path, _ in passed_over} == {files[0], files[2]}
    assert one_file_an_orbit([files[0], files[2]])[0] == [files[2]]


def test_granules_of_near_real_time_are_different_measurements(built, tmp_path):
    """Granules of one orbit with different start times stay; the same one twice does not."""
    (first,) = _copies(built.path, tmp_path, "NRTI")
    start = first.name[20:35]
    later = first.with_name(first.name.replace(start, start[:-2] + "59", 1))
    shutil.copy(first, later)
    assert len(one_file_an_orbit([first, later])[0]) == 2
    same = Path(shutil.copy(first, tmp_path / first.name.replace(".nc", "_b.nc")))
    chosen, passed_over = one_file_an_orbit([first, same])
    assert (len(chosen), len(passed_over)) == (1, 1)  # a copy is no rival
    with h5py.File(same, "a") as file:
        file.attrs["note"] = "changed"
    with pytest.raises(ProductError, match=r"Two candidates for orbit .* Leave one of them"):
        one_file_an_orbit([first, same])


@pytest.mark.parametrize("changed", ["processor", "creation"])
def test_of_one_stream_the_newer_file_counts(built, tmp_path, changed):
    """A newer processor first, then a newer file of one processor, whatever the folder's order."""
    parts = built.path.name.split("_")
    older = shutil.copy(built.path, tmp_path / built.path.name)
    place, newer = (-2, "020901") if changed == "processor" else (-1, "20330101T000000.nc")
    name = "_".join([*parts[:place], newer, *parts[len(parts) + place + 1 :]])
    path = Path(shutil.copy(built.path, tmp_path / name))
    with h5py.File(path, "a") as file:
        if changed == "processor":
            file.attrs["processor_version"] = "2.9.1"
        file.attrs["note"] = "other content"
    for files in ([Path(older), path], [path, Path(older)]):
        assert one_file_an_orbit(files)[0] == [path]


def test_two_files_of_a_stream_are_refused(season):
    """The original and the re-retrieved file of an orbit are one measurement."""
    with pytest.raises(ProductError, match="Two candidates for orbit"):
        one_file_an_orbit([season.originals[0], season.outputs[0]])


def test_generations_are_checked_before_anything_is_gridded(built, tmp_path):
    """Files of versions 1 and 2 are refused together, each with an example."""
    old = build_orbit(tmp_path, n_scanline=12, n_ground_pixel=12, variant="v1", orbit_number=7000)
    check_one_generation([built.path])
    with pytest.raises(ProductError, match=r"versions 1 \(.*\) and 2 \(.*\)"):
        check_one_generation([built.path, old.path])


def test_side_columns_are_aligned_by_index(built, tmp_path):
    """A larger side file is cut to the orbit by its index values, and joins the mask."""
    scanline, pixel = np.arange(-2, 30), np.arange(25)
    values = scanline[:, None] * 100.0 + pixel
    values[5, 3] = np.nan
    _write_truth(tmp_path / f"{built.path.stem}_truth.nc", values, scanline, pixel)
    side = SideColumn.parse(f"TRUTH={tmp_path}/{{stem}}*_truth.nc:truth")
    found = read_pixels(built.path, GRID, ["TM5"], qa_threshold=0, side=[side])
    alone = read_pixels(built.path, GRID, ["TM5"], qa_threshold=0)
    assert found.products == ("TM5", "TRUTH")
    assert found.units["TRUTH"] == "mol m-2"
    column = np.isfinite(built.arrays["nitrogendioxide_tropospheric_column"])
    usable = column & (built.arrays["qa_value"] > 0) & (built.arrays["qa_value"] < 101)
    expected = (np.arange(24)[:, None] * 100.0 + np.arange(20))[usable]
    lost = 3 * 100.0 + 3
    assert found.values.shape[0] == alone.values.shape[0] - (lost in expected)
    assert np.array_equal(found.values[:, 1], expected[expected != lost])


def test_wrong_side_files_are_refused(built, tmp_path):
    """No file, several files, a file of another orbit, a missing variable: each is named."""
    text = f"TRUTH={tmp_path}/{{stem}}*.nc:truth"
    with pytest.raises(ProductError, match="0 files that match"):
        read_pixels(built.path, GRID, ["TM5"], side=[SideColumn.parse(text)])
    path = _write_truth(
        tmp_path / f"{built.path.stem}_a.nc", np.ones((3, 20)), [0, 1, 2], range(20)
    )
    with pytest.raises(ProductError, match="It must hold all scanlines"):
        read_pixels(built.path, GRID, ["TM5"], side=[SideColumn.parse(text)])
    with pytest.raises(ProductError, match="no variable other"):
        read_pixels(
            built.path, GRID, ["TM5"], side=[SideColumn.parse(text.replace(":truth", ":other"))]
        )
    shutil.copy(path, tmp_path / f"{built.path.stem}_b.nc")
    with pytest.raises(ProductError, match="2 files that match"):
        read_pixels(built.path, GRID, ["TM5"], side=[SideColumn.parse(text)])
    for wrong in ("TRUTH", "TRUTH=file.nc", "=a:b", "1x=a:b"):
        with pytest.raises(ValueError, match="NAME=FILEPATTERN:VARIABLE"):
            SideColumn.parse(wrong)
