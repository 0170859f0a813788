"""Reading orbits: every style of file, missing variables, fills, damage."""

from __future__ import annotations

import shutil
from dataclasses import replace

import h5py
import netCDF4
import numpy as np
import pytest

from retrieval.errors import ProductError
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.pixels import Crop
from retrieval.l2.sensors.tropomi import OPTIONAL, REQUIRED
from retrieval.simulate.l2_file.layout import VARIANTS
from tests.builders.orbit_builder import TM5_A, TM5_B, build_orbit

SHAPE = (20, 16)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orbit")
    return build_orbit(folder, n_scanline=SHAPE[0], n_ground_pixel=SHAPE[1], scanline_chunk=8)


def find(file, name):
    """Return the group that holds a variable."""

    def walk(group):
        if name in group.variables:
            return group
        for child in group.groups.values():
            found = walk(child)
            if found is not None:
                return found
        return None

    return walk(file)


def edited(truth, path, edit):
    shutil.copyfile(truth.path, path)
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        edit(file)
    return path


def one_line(error):
    """Messages are one line that names the file and what to do."""
    text = str(error.value)
    assert "\n" not in text
    assert text.rstrip().endswith(".")
    return text


# --- what is read -----------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["v2.4", "v1", "reduced_eu", "eu", "nrti"])
def test_every_delivery_gives_the_values_that_were_stored(tmp_path, variant):
    """All variables and both styles of `delta_time`, whatever the processor and the cut."""
    truth = build_orbit(tmp_path, n_scanline=8, n_ground_pixel=12, variant=variant)
    with open_orbit(truth.path) as orbit:
        assert orbit.shape == (8, 12)
        names = [n for n in (*REQUIRED, *OPTIONAL) if n in truth.arrays and "tm5" not in n]
        for name in names:
            if name == "qa_value":
                continue
            expected = truth.arrays[name].astype("f4")
            np.testing.assert_array_equal(orbit.read(name, orbit.full), expected, err_msg=name)
        assert ("since" in orbit.variables["delta_time"].units) == (variant != "v1")
        np.testing.assert_array_equal(orbit.scanline_times(orbit.full), truth.scanline_time)
        assert orbit.assumptions == []


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ("seconds since 2019-06-26", 1000.0),
        ("milliseconds since 2019-06-26 00:00:00", 1.0),
        ("milliseconds since 2019-06-26T00:00:00Z", 1.0),
        ("milliseconds since 2019-06-26 00:00:00 UTC", 1.0),
    ],
)
def test_units_of_delta_time_are_read_not_assumed(truth, tmp_path, units, factor):
    """Seconds or milliseconds, with or without time and zone."""
    lines = np.arange(SHAPE[0]) * 840 + 44_340_000

    def edit(file):
        variable = file["PRODUCT/delta_time"]
        variable[0] = (lines / factor).astype("i4")
        variable.units = units

    with open_orbit(edited(truth, tmp_path / "t.nc", edit)) as orbit:
        expected = np.datetime64("2019-06-26", "ms") + (
            (lines / factor).astype("i4") * factor
        ).astype("timedelta64[ms]")
        np.testing.assert_array_equal(orbit.scanline_times(orbit.full), expected)


@pytest.mark.parametrize("units", ["fortnights since 2019-06-26", "milliseconds since noon"])
def test_unknown_units_of_delta_time_are_refused(truth, tmp_path, units):
    """No guessing of dates."""

    def edit(file):
        file["PRODUCT/delta_time"].units = units

    with (
        open_orbit(edited(truth, tmp_path / "t.nc", edit)) as orbit,
        pytest.raises(ProductError) as error,
    ):
        orbit.scanline_times(orbit.full)
    one_line(error)


def test_missing_scanline_times_are_nat(truth, tmp_path):
    """Fill in delta_time is NaT, never 2 147 483 647 ms before the day."""

    def edit(file):
        variable = file["PRODUCT/delta_time"]
        variable[0, 3] = variable._FillValue

    with open_orbit(edited(truth, tmp_path / "t.nc", edit)) as orbit:
        times = orbit.scanline_times(orbit.full)
    assert np.isnat(times).nonzero()[0].tolist() == [3]
    np.testing.assert_array_equal(times[4:], truth.scanline_time[4:])


# --- layers -----------------------------------------------------------------------------------


def expected_layers(orbit):
    np.testing.assert_allclose(orbit.layers.a[:, 0], TM5_A[:-1], rtol=1e-6, atol=1e-3)  # float32
    np.testing.assert_allclose(orbit.layers.b[:, 1], TM5_B[1:], rtol=1e-6, atol=1e-9)
    return True


def with_coefficients(truth, path, a, b):
    """Replace the coefficients by arrays of another shape."""

    def edit(file):
        group = find(file, "tm5_constant_a")
        for name, values in (("tm5_constant_a", a), ("tm5_constant_b", b)):
            group.renameVariable(name, f"old_{name}")
            dims = []
            for i, size in enumerate(values.shape):
                dims.append(f"{name}_{i}")
                group.createDimension(dims[-1], size)
            group.createVariable(name, "f4", dims)[:] = values

    return edited(truth, path, edit)


@pytest.mark.parametrize("shape", ["(layer, 2)", "(2, layer)", "35", "top first", "swapped"])
def test_every_shape_and_order_of_the_hybrid_coefficients(truth, tmp_path, shape):
    """(layer, vertices), transposed, 35 interfaces, top first, top before base: one result."""
    pair = [np.stack([c[:-1], c[1:]], axis=1) for c in (TM5_A, TM5_B)]
    a, b = {
        "(layer, 2)": pair,
        "(2, layer)": [p.T for p in pair],
        "35": [TM5_A, TM5_B],
        "top first": [p[::-1, ::-1] for p in pair],
        "swapped": [p[:, ::-1] for p in pair],
    }[shape]
    with open_orbit(with_coefficients(truth, tmp_path / "c.nc", a, b)) as orbit:
        assert expected_layers(orbit)
        assert orbit.layers.is_reversed == (shape == "top first")


def test_layers_out_of_order_are_refused(truth, tmp_path):
    """Two layers swapped: pressures are not monotonic, so no layer can be trusted."""
    order = [0, 2, 1, *range(3, 34)]
    a, b = (np.stack([c[:-1], c[1:]], axis=1)[order] for c in (TM5_A, TM5_B))
    with pytest.raises(ProductError, match="invalid tm5_constant_a/b") as error:
        open_orbit(with_coefficients(truth, tmp_path / "c.nc", a, b))
    one_line(error)


@pytest.mark.parametrize("name", ["tm5_constant_a", "surface_pressure"])
def test_pressures_in_another_unit_are_refused(truth, tmp_path, name):
    """Mixing hPa and Pa in a or in the surface pressure (pitfall 12) is an error, not a guess."""

    def edit(file):
        find(file, name)[name].units = "hPa"

    with pytest.raises(ProductError, match=f"{name} must be in Pa. Given 'hPa'") as error:
        open_orbit(edited(truth, tmp_path / "u.nc", edit))
    one_line(error)


def test_kernel_and_index_of_a_top_first_file_are_turned(truth, tmp_path):
    """Layer order follows from a and b; kernel and index are brought to surface first."""
    pair = [np.stack([c[:-1], c[1:]], axis=1)[::-1, ::-1] for c in (TM5_A, TM5_B)]
    path = with_coefficients(truth, tmp_path / "c.nc", *pair)
    with open_orbit(truth.path) as one, open_orbit(path) as two:
        kernel = one.read_kernel(one.full)
        np.testing.assert_array_equal(two.read_kernel(two.full), kernel[..., ::-1])
        end = one.read_tropopause(one.full)
        index, valid = end.index, end.is_valid
        other = two.read_tropopause(two.full)
        turned, also = other.index, other.is_valid
    np.testing.assert_array_equal(valid, also)
    np.testing.assert_array_equal(turned[valid], 33 - index[valid])


def test_integer_fills_are_never_an_index(truth):
    """Fill -2147483647 is masked and reads as 0 with `is_valid` False."""
    with open_orbit(truth.path) as orbit:
        raw = orbit.raw("tm5_tropopause_layer_index")[0]
        end = orbit.read_tropopause(orbit.full)
        index, valid = end.index, end.is_valid
    assert (raw < 0).any()
    np.testing.assert_array_equal(valid, raw > 0)
    assert ((index >= 0) & (index < 34)).all()
    assert (index[~valid] == 0).all()


# --- what may be missing ----------------------------------------------------------------------


@pytest.mark.parametrize("name", list(OPTIONAL))
def test_missing_optional_variables_are_told(truth, tmp_path, name):
    """One assumption for each, and the file opens."""

    def edit(file):
        find(file, name).renameVariable(name, f"no_{name}")

    with open_orbit(edited(truth, tmp_path / "m.nc", edit)) as orbit:
        assert len(orbit.assumptions) == 1
        assert OPTIONAL[name] in orbit.assumptions[0]


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_required_variables_are_an_error(truth, tmp_path, name):
    """Each variable without which nothing can be computed is named."""

    def edit(file):
        find(file, name).renameVariable(name, f"no_{name}")

    with pytest.raises(ProductError, match=f"has no variable {name}") as error:
        open_orbit(edited(truth, tmp_path / "m.nc", edit))
    one_line(error)


# --- what is wrong ----------------------------------------------------------------------------


def test_another_product_is_refused_by_name(truth, tmp_path):
    """A CO file with the right shape but another short name is not an NO2 product."""

    def edit(file):
        file["METADATA/GRANULE_DESCRIPTION"].ProductShortName = "L2__CO____"

    with pytest.raises(ProductError, match="NO2 product") as error:
        open_orbit(edited(truth, tmp_path / "co.nc", edit))
    assert "L2__CO____" in one_line(error)


def test_a_file_without_kernel_names_it(tmp_path):
    """Any other netCDF file: told what is expected and what was found."""
    path = tmp_path / "other.nc"
    with netCDF4.Dataset(path, "w") as file:
        file.title = "weather of somewhere"
    with pytest.raises(ProductError, match="weather of somewhere") as error:
        open_orbit(path)
    one_line(error)


@pytest.mark.parametrize("content", [b"", b"not a netCDF file at all" * 100])
def test_files_that_are_not_netcdf(tmp_path, content):
    """Empty files and text: one line, with the library's reason."""
    path = tmp_path / "x.nc"
    path.write_bytes(content)
    with pytest.raises(ProductError, match="cannot be opened") as error:
        open_orbit(path)
    one_line(error)


def test_a_missing_file_is_told(tmp_path):
    """No such file: one line."""
    with pytest.raises(ProductError, match="is not a file") as error:
        open_orbit(tmp_path / "none.nc")
    one_line(error)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_truncated_files(truth, tmp_path, share):
    """A download that stopped: refused when opened."""
    data = truth.path.read_bytes()
    path = tmp_path / "cut.nc"
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ProductError) as error, open_orbit(path) as orbit:
        orbit.read_kernel(orbit.full)
    one_line(error)


def test_a_damaged_chunk_is_an_error_never_a_number(truth, tmp_path):
    """Bytes flipped inside a compressed chunk: its checksum (fletcher32) fails, and we say so."""
    path = tmp_path / "flipped.nc"
    shutil.copyfile(truth.path, path)
    with h5py.File(path, "r") as file:
        dataset = file["PRODUCT/averaging_kernel"]
        assert dataset.fletcher32
        chunk = dataset.id.get_chunk_info(1)
    with path.open("r+b") as file:
        file.seek(chunk.byte_offset + chunk.size // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 0xFF]))
    with open_orbit(path) as orbit:
        with pytest.raises(ProductError, match="is damaged: averaging_kernel") as error:
            orbit.read_kernel(orbit.full)
        one_line(error)
        # chunks of 8 scanlines: the first one is whole
        whole = orbit.read_kernel(Crop(slice(0, 8), slice(0, SHAPE[1])))
        expected = truth.arrays["averaging_kernel"][:8].astype("f4")
        np.testing.assert_array_equal(whole, expected)


def test_float_variables_stored_as_integers_are_refused(truth, tmp_path):
    """A column of integers is another layout; no cast in silence."""

    def edit(file):
        group = find(file, "nitrogendioxide_tropospheric_column")
        old = group["nitrogendioxide_tropospheric_column"]
        dims = old.dimensions
        group.renameVariable("nitrogendioxide_tropospheric_column", "old")
        group.createVariable("nitrogendioxide_tropospheric_column", "i4", dims)

    with (
        open_orbit(edited(truth, tmp_path / "i.nc", edit)) as orbit,
        pytest.raises(ProductError, match="must hold floats"),
    ):
        orbit.read("nitrogendioxide_tropospheric_column", orbit.full)


# --- attributes -------------------------------------------------------------------------------


def test_processor_versions_are_numbers(tmp_path):
    """Versions compare as numbers: 2.10.0 comes after 2.4.0."""
    variant = replace(VARIANTS["v2.4"], processor_version="2.10.0")
    truth = build_orbit(tmp_path, n_scanline=4, n_ground_pixel=9, variant=variant)
    with open_orbit(truth.path) as orbit:
        assert orbit.processor_version == (2, 10, 0)
        assert orbit.processor_version > (2, 4, 0)


def test_a_crop_reads_its_part(truth):
    """Slices of scanlines and ground pixels, kernels included."""
    crop = Crop(slice(3, 9), slice(5, 16))
    with open_orbit(truth.path) as orbit:
        assert crop.shape == (6, 11)
        expected = truth.arrays["averaging_kernel"][3:9, 5:16].astype("f4")
        np.testing.assert_array_equal(orbit.read_kernel(crop), expected)
        np.testing.assert_array_equal(orbit.scanline_times(crop), truth.scanline_time[3:9])


def test_the_real_scene_lacks_variables_and_says_so(real_file):
    """The real scene has no surface altitude and no stratosphere; all the rest is read."""
    with open_orbit(real_file("S5P_*NO2*_reduced.nc")) as orbit:
        told = " ".join(orbit.assumptions)
        assert "surface altitude" in told
        assert orbit.layers.n_layer == 34
        times = orbit.scanline_times(orbit.full)
        assert not np.isnat(times).all()
