"""What a file is, what it covers and what it lacks; damaged and other files are one line."""

from __future__ import annotations

import dataclasses
import json

import netCDF4
import numpy as np
import pytest

from retrieval.errors import ProductError
from retrieval.l2.inspect import coverage, describe_l2
from retrieval.l2.pixels import Crop
from retrieval.l2.product.write import write_product
from retrieval.simulate.l2_file.layout import VARIANTS
from tests.builders.orbit_builder import build_orbit
from tests.builders.substituted import PROVENANCE, substituted


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return a small orbit of version 2.4."""
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=20, n_ground_pixel=16)


def test_operational_orbit_is_described_from_its_content(orbit):
    """Stream, orbit, both forms of the version, time, area, sizes, and nothing missing."""
    found = describe_l2(orbit.path)
    json.dumps(found)
    assert found["kind"] == "TROPOMI L2__NO2___ file"
    assert found["stream"] == "RPRO"
    assert found["orbit"] == 8822
    assert found["processor_version"] == "2.4.0"
    assert found["processor_version_in_names"] == "020400"
    assert found["time_start"] == f"{orbit.scanline_time[0]}Z"
    assert found["time_end"] == f"{orbit.scanline_time[-1]}Z"
    assert found["dimensions"]["scanline"] == 20
    assert found["missing"] == {}
    assert found["apriori_sets"] == []
    area, latitude = found["area"], orbit.arrays["latitude"]
    np.testing.assert_allclose(
        [area["south"], area["north"]], [np.nanmin(latitude), np.nanmax(latitude)], atol=1e-4
    )  # rounded to 1e-4 degree
    column = np.isfinite(orbit.arrays["nitrogendioxide_tropospheric_column"])
    assert found["pixels_with_column"] == column.sum()
    assert found["pixels_good"] == (column & (orbit.arrays["qa_value"] > 75)).sum()


def test_good_means_above_the_threshold(orbit, tmp_path):
    """A raw qa_value of 75 is not good, 76 is (docs/equations.md 2.6)."""
    path = tmp_path / orbit.path.name
    path.write_bytes(orbit.path.read_bytes())
    column = np.isfinite(orbit.arrays["nitrogendioxide_tropospheric_column"])
    counts = []
    for qa in (75, 76):
        with netCDF4.Dataset(path, "a") as file:
            file.set_auto_maskandscale(False)
            file["PRODUCT"]["qa_value"][:] = np.uint8(qa)
        counts.append(describe_l2(path)["pixels_good"])
    assert counts == [0, column.sum()]


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_every_variant_is_described(tmp_path, variant):
    """All processor versions and derived files are recognised; cropping and delta_time are told."""
    built = build_orbit(tmp_path, n_scanline=12, n_ground_pixel=10, variant=variant)
    found = describe_l2(built.path)
    assert found["is_cropped"]  # 10 of 450 ground pixels
    assert found["delta_time"].startswith("milliseconds")
    assert bool(found["columns_added_by_others"]) is (variant == "eu")
    assert found["first_index"]["scanline"] == (1716 if variant == "reduced_eu" else 0)


def test_missing_variables_are_named_by_job(tmp_path):
    """A file without kernel, altitude and stratosphere can still be inspected."""
    dropped = ("averaging_kernel", "surface_altitude", "air_mass_factor_stratosphere")
    source = build_orbit(tmp_path, n_scanline=12, n_ground_pixel=10).path
    reduced = tmp_path / "reduced.nc"
    copy_without(source, reduced, dropped)
    missing = describe_l2(reduced)["missing"]
    assert missing["reretrieve"] == ["averaging_kernel"]
    assert missing["reretrieve with the pixel's own altitude"] == ["surface_altitude"]
    assert any("air_mass_factor_stratosphere" in names for names in missing.values())


def copy_without(source, target, dropped):
    """Hide variables by renaming them, which netCDF can do and deleting it cannot."""
    target.write_bytes(source.read_bytes())

    def hide(group):
        for name in set(dropped) & set(group.variables):
            group.renameVariable(name, f"hidden_{name}")
        for child in group.groups.values():
            hide(child)

    with netCDF4.Dataset(target, "a") as file:
        hide(file)


def test_reretrieved_file_says_how_it_was_made(orbit, tmp_path):
    """Sets, layout, command and inputs come back from a re-retrieved file."""
    crop = Crop(slice(2, 18), slice(1, 12))
    result = substituted(orbit, crop=crop)
    path = write_product(
        orbit.path, tmp_path / "o.nc", result, PROVENANCE, crop=crop, layout="replace"
    )
    found = describe_l2(path)
    assert found["apriori_sets"] == ["DACNO2", "CAMS"]
    assert (found["layout"], found["primary"]) == ("replace", "DACNO2")
    assert found["apriori_command"] == PROVENANCE.command
    assert "sha256:11ee" in found["apriori_inputs"]
    assert found["first_index"] == {"scanline": 2, "ground_pixel": 1}
    assert found["columns"]["DACNO2"] == "nitrogendioxide_tropospheric_column"
    assert found["stream"] == "RPRO"


def test_real_scene_is_described(real_file):
    """The real reduced scene says what it lacks."""
    found = describe_l2(real_file("S5P_RPRO*_reduced.nc"))
    assert found["orbit"] == 19594
    assert found["pixels_good"] == 10310
    assert found["missing"]["reretrieve with the pixel's own altitude"] == ["surface_altitude"]
    assert "reretrieve" not in found["missing"]


def test_other_products_and_files_are_one_line(orbit, tmp_path, real_file):
    """CO and CH4 products, headers without data, other netCDF and non-netCDF name themselves."""
    for product in ("L2__CO____", "L2__CH4___"):
        path = tmp_path / f"{product}.nc"
        path.write_bytes(orbit.path.read_bytes())
        with netCDF4.Dataset(path, "a") as file:
            file["METADATA/GRANULE_DESCRIPTION"].ProductShortName = product
        assert_refused(path, f"Given product {product}")
    other = tmp_path / "other.nc"
    with netCDF4.Dataset(other, "w") as file:
        file.title = "Relief"
    assert_refused(other, "'Relief' without latitude")
    other.write_bytes(b"PK not netCDF")
    assert_refused(other, "undamaged netCDF-4")
    assert_refused(tmp_path / "nowhere.nc", "must exist")
    assert_refused(real_file("L2_NO2_header_and_metadata_only.nc"), "without latitude")


def test_cut_and_flipped_files_are_one_line(orbit, tmp_path):
    """Damage is never a traceback of another kind."""
    data = orbit.path.read_bytes()
    rng = np.random.default_rng(3)
    n_refused = 0
    for i in range(12):
        broken = bytearray(data[: len(data) // 2] if i < 2 else data)
        for position in rng.integers(0, len(broken), 0 if i < 2 else 300):
            broken[position] ^= 0x55
        path = tmp_path / f"broken{i}.nc"
        path.write_bytes(broken)
        message = ""
        try:
            describe_l2(path)
        except ProductError as error:
            message = str(error)
            n_refused += 1
        assert "\n" not in message
    assert n_refused >= 8


def assert_refused(path, match):
    with pytest.raises(ProductError, match=match) as raised:
        describe_l2(path)
    assert "\n" not in str(raised.value)
    assert path.name in str(raised.value)


@pytest.mark.parametrize(
    ("longitude", "west", "east"),
    [
        ([-5.0, 0.0, 9.0], -5.0, 9.0),
        ([170.0, -175.0, np.nan], 170.0, -175.0),
        ([-180.0, -179.5, 179.75], 179.75, -179.5),
        ([3.0], 3.0, 3.0),
    ],
)
def test_area_is_the_smaller_box(longitude, west, east):
    """The box crosses the antimeridian where that makes it smaller."""
    box = coverage(np.full(len(longitude), 50.0), np.array(longitude))
    assert (box["west"], box["east"]) == (west, east)
    assert coverage(np.array([np.nan]), np.array([1.0])) is None


def test_both_styles_of_delta_time_give_the_same_times(tmp_path):
    """Plain milliseconds and milliseconds since a date describe the same scanlines."""
    times = []
    for style in {variant.delta_time for variant in VARIANTS.values()}:
        folder = tmp_path / style.replace(" ", "_")
        folder.mkdir()
        variant = dataclasses.replace(VARIANTS["v2.4"], delta_time=style)
        found = describe_l2(
            build_orbit(folder, n_scanline=8, n_ground_pixel=8, variant=variant).path
        )
        times.append((found["time_start"], found["time_end"]))
    assert len(set(times)) == 1
