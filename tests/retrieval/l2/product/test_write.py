"""The re-retrieved file: names, attributes, provenance, both layouts (docs/formats.md 1.15)."""

from __future__ import annotations

import resource
import signal
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

from retrieval.errors import OutputError, ProductError
from retrieval.files.fills import FILL_FLOAT
from retrieval.l2.pixels import Crop
from retrieval.l2.product.table import COLUMN_FACTOR, ProductTable, SetTable
from retrieval.l2.product.write import Layout, write_product
from retrieval.l2.sensors.tropomi import Tropomi
from tests.builders.orbit_builder import build_orbit
from tests.builders.substituted import PROVENANCE, cropped, partial_columns, substituted

CROP = Crop(slice(6, 50), slice(2, 39))
PART = (CROP.scanline, CROP.ground_pixel)
NAMES = [
    "nitrogendioxide_tropospheric_column_{S}_apriori",
    "nitrogendioxide_summed_total_column_{S}_apriori",
    "nitrogendioxide_tropospheric_column_precision_kernel_{S}_apriori",
    "nitrogendioxide_tropospheric_column_precision_{S}_apriori",
    "air_mass_factor_troposphere_{S}_apriori",
    "apriori_tropospheric_column_{S}",
    "apriori_tropospheric_column_{S}_kernel",
    "apriori_fraction_above_top_{S}",
    "footprint_coverage_{S}",
    "substitution_flag_{S}",
    "substitution_warning_{S}",
    "averaging_kernel_troposphere_{S}_apriori",
    "apriori_partial_column_{S}",
]
"""The table of docs/formats.md 1.15, in its order."""
CHANGES = ["relative_change_DACNO2_vs_TM5", "relative_change_CAMS_vs_TM5"]
CHANGES += ["relative_change_DACNO2_vs_CAMS", "apriori_tropospheric_column_TM5"]
REPLACED = [
    "PRODUCT/nitrogendioxide_tropospheric_column",
    "PRODUCT/nitrogendioxide_tropospheric_column_precision",
    "PRODUCT/nitrogendioxide_tropospheric_column_precision_kernel",
    "PRODUCT/air_mass_factor_troposphere",
    "PRODUCT/air_mass_factor_total",
    "PRODUCT/averaging_kernel",
]
DETAILED_REPLACED = [
    "nitrogendioxide_summed_total_column",
    "nitrogendioxide_summed_total_column_precision",
    "nitrogendioxide_total_column",
    "nitrogendioxide_total_column_precision",
    "nitrogendioxide_total_column_precision_kernel",
    "nitrogendioxide_ghost_column",
    "air_mass_factor_clear",
    "air_mass_factor_cloudy",
]
REPLACED += [f"PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/{name}" for name in DETAILED_REPLACED]
KERNEL_TOLERANCE = 3e-7  # two roundings to float32, 6e-8 each, in numerator and denominator


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return a small orbit of version 2.4."""
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=60, n_ground_pixel=40)


@pytest.fixture(scope="module")
def written(orbit, tmp_path_factory):
    """Return a function that writes the orbit in a layout, once, cropped unless told otherwise."""
    folder = tmp_path_factory.mktemp("written")

    def write(layout: str, *, crop: Crop | None = CROP) -> Path:
        output = folder / f"{layout}_{'all' if crop is None else 'crop'}.nc"
        if not output.exists():
            result = substituted(orbit, crop=crop, layers=True)
            write_product(orbit.path, output, result, PROVENANCE, crop=crop, layout=layout)
        return output

    return write


def variables(file: h5py.File) -> dict[str, h5py.Dataset]:
    found = {}

    def note(path, item):
        if isinstance(item, h5py.Dataset):
            found[path] = item

    file.visititems(note)
    return found


def values(file: h5py.File, path: str) -> np.ndarray:
    """Values in float64 with NaN for fill, without the time axis."""
    stored = file[path][0]
    return np.where(stored == file[path].attrs["_FillValue"], np.nan, stored).astype(np.float64)


def test_extend_leaves_every_original_as_stored(orbit, written):
    """All original variables of the crop are bit-identical; what is new has its documented name."""
    with h5py.File(orbit.path) as a, h5py.File(written("extend")) as b:
        originals, now = variables(a), variables(b)
        for path, variable in originals.items():
            kept = variable[...]
            if variable.ndim > 1 and variable.shape[1] == 60:
                kept = kept[:, CROP.scanline]
                kept = kept[:, :, CROP.ground_pixel] if variable.ndim > 2 else kept
            elif path in {"PRODUCT/scanline", "PRODUCT/ground_pixel"}:
                kept = kept[PART[0] if path.endswith("scanline") else PART[1]]
            if variable.dtype.kind == "O":
                assert kept.tolist() == now[path][...].tolist()
            else:
                assert kept.tobytes() == now[path][...].tobytes(), path
            assert set(variable.attrs) == set(now[path].attrs)
        new = [path.removeprefix("PRODUCT/") for path in set(now) - set(originals)]
    expected = [name.replace("{S}", s) for name in NAMES for s in ("DACNO2", "CAMS")] + CHANGES
    assert sorted(new) == sorted(expected)


def test_whole_orbit_keeps_the_bytes_of_the_original(orbit, written):
    """Without a crop the originals keep even their compressed bytes."""
    with h5py.File(orbit.path) as a, h5py.File(written("extend", crop=None)) as b:
        for path in variables(a):
            if a[path].chunks and a[path].id.get_num_chunks() and a[path].dtype.kind != "O":
                first = (0,) * a[path].ndim
                chunks = [f[path].id.read_direct_chunk(first) for f in (a, b)]
                assert chunks[0] == chunks[1], path
        assert b["PRODUCT"].attrs["apriori_crop_scanline"].tolist() == [0, 59, 60]
        column = "PRODUCT/nitrogendioxide_tropospheric_column"
        assert a[column][...].tobytes() == b[column][...].tobytes()


def test_crop_of_everything_is_the_whole_orbit(orbit, tmp_path):
    """A crop that keeps all pixels gives the same file as no crop."""
    whole = Crop(slice(0, 60), slice(0, 40))
    result = substituted(orbit)
    a = write_product(orbit.path, tmp_path / "a.nc", result, PROVENANCE)
    b = write_product(orbit.path, tmp_path / "b.nc", result, PROVENANCE, crop=whole)
    assert a.read_bytes() == b.read_bytes()


def test_new_variables_have_values_units_dimensions_and_fill(orbit, written):
    """Values come back exactly, with netCDF fill where NaN, on (time, scanline, ground_pixel)."""
    result = cropped(substituted(orbit), CROP)
    with netCDF4.Dataset(written("extend")) as file:
        product = file["PRODUCT"]
        for item in result.sets:
            variable = product[f"nitrogendioxide_tropospheric_column_{item.name}_apriori"]
            assert variable.dtype == np.float32
            assert variable.dimensions == ("time", "scanline", "ground_pixel")
            assert variable.units == "mol m-2"
            assert variable.getncattr("_FillValue") == np.float32(FILL_FLOAT)
            # the nearest float32 to Avogadro's constant times 1e-4
            assert variable.getncattr(COLUMN_FACTOR) == np.float32(6.02214076e19)
            assert variable.filters()["complevel"] == 3
            assert variable.filters()["shuffle"]
            assert variable.filters()["fletcher32"]
            stored = np.ma.filled(variable[0].astype("f8"), np.nan)
            np.testing.assert_array_equal(stored, item.tropospheric_column)
            variable.set_auto_mask(False)
            is_fill = np.isnan(item.tropospheric_column)
            assert (variable[0][is_fill] == np.float32(FILL_FLOAT)).all()
            assert is_fill.any()
        kernel = product["averaging_kernel_troposphere_CAMS_apriori"]
        assert kernel.dimensions == ("time", "scanline", "ground_pixel", "layer")
        assert product["relative_change_DACNO2_vs_CAMS"].units == "%"
        flag = product["substitution_flag_CAMS"]
        assert flag.dtype == np.uint8
        assert flag.getncattr("_FillValue") == 255
        assert flag.flag_values.tolist() == list(range(11))
        assert len(flag.flag_meanings.split()) == 11
        warning = product["substitution_warning_CAMS"]
        assert warning.flag_masks.tolist() == [1, 2, 4, 8, 16]
        assert len(warning.flag_meanings.split()) == 5


def test_without_kernels_profiles_and_stratosphere_those_variables_are_absent(orbit, tmp_path):
    """Fields that are None are not written, and no ancillary link points to nothing."""
    result = substituted(orbit, ("CAMS",), stratosphere=False)
    result.sets[0].tropospheric_column_precision = None
    path = write_product(orbit.path, tmp_path / "out.nc", result, PROVENANCE)
    with h5py.File(path) as file:
        product = file["PRODUCT"]
        absent = ["averaging_kernel_troposphere_CAMS_apriori", "apriori_tropospheric_column_TM5"]
        absent += ["nitrogendioxide_summed_total_column_CAMS_apriori"]
        absent += ["nitrogendioxide_tropospheric_column_precision_CAMS_apriori"]
        assert not set(absent) & set(product)
        for name in product:
            if "CAMS" in name and "ancillary_variables" in product[name].attrs:
                links = product[name].attrs["ancillary_variables"].decode().split()
                assert set(links) <= set(product), name


@pytest.mark.parametrize("layout", list(Layout))
def test_provenance_is_complete_and_history_appended(orbit, written, layout):
    """Command, versions, options, inputs with checksums, crop and sets can be read back."""
    with netCDF4.Dataset(orbit.path) as original, netCDF4.Dataset(written(layout)) as file:
        past = getattr(original, "history", "")
        assert file.history.startswith(past)
        assert file.history.endswith("2026-01-02T03:04:05Z dacno2-s5p 0.1.0: " + PROVENANCE.command)
        product = file["PRODUCT"]
        assert product.apriori_sets == "DACNO2 CAMS"
        assert product.apriori_primary == "DACNO2"
        assert product.apriori_layout == layout
        assert product.apriori_inputs.splitlines()[1] == "DACNO2: profiles.nc sha256:11ee"
        assert '"bbox": null' in product.apriori_options
        assert product.apriori_crop_scanline.tolist() == [6, 49, 60]
        assert product.apriori_crop_ground_pixel.tolist() == [2, 38, 40]
        assert product.apriori_CAMS_kind == "profiles of a test"
        assert product.apriori_tropopause == "inclusive"
        assert "training_data" not in file.ncattrs()
        assert original.id[:83] == file.id[:83]
        assert (file.id == original.id) is (layout != "replace")


@pytest.mark.parametrize(("key", "value"), [("training_data", "synthetic"), ("synthetic", "yes")])
def test_synthetic_set_is_named_in_source(orbit, tmp_path, key, value):
    """A synthetic set never passes for a real one: the orbit's own source says so."""
    result = substituted(orbit)
    result.sets[0].attributes["synthetic"] = "no"
    result.sets[1].attributes[key] = value
    path = write_product(orbit.path, tmp_path / "out.nc", result, PROVENANCE)
    with netCDF4.Dataset(orbit.path) as a, netCDF4.Dataset(path) as b:
        assert b.training_data == "synthetic"
        assert b.source.startswith(a.source)
        assert "synthetic" in b.source.removeprefix(a.source)


def test_real_sets_leave_source_as_it_is(orbit, tmp_path):
    """Nothing is called synthetic that is not."""
    result = substituted(orbit)
    result.sets[0].attributes["synthetic"] = "no"
    path = write_product(orbit.path, tmp_path / "out.nc", result, PROVENANCE)
    with netCDF4.Dataset(orbit.path) as a, netCDF4.Dataset(path) as b:
        assert b.source == a.source
        assert "training_data" not in b.ncattrs()


def test_replace_keeps_every_replaced_original(orbit, written):
    """Replaced variables are kept as ..._TM5_apriori, bit-identical; all others untouched."""
    with h5py.File(written("extend")) as a, h5py.File(written("replace")) as b:
        originals, now = variables(a), variables(b)
        kept = [path for path in now if path.endswith("_TM5_apriori")]
        assert sorted(kept) == sorted(f"{path}_TM5_apriori" for path in REPLACED)
        primary = {p for p in originals if p.endswith("DACNO2_apriori")}
        own_names = {
            p
            for p in primary
            if p.split("/")[-1] in {name.replace("{S}", "DACNO2") for name in NAMES[:5]}
        }
        assert len(own_names) == 5
        for path in set(originals) - own_names:
            name = f"{path}_TM5_apriori" if path in REPLACED else path
            if now[name].dtype.kind != "O":
                assert now[name][...].tobytes() == originals[path][...].tobytes(), path
        assert set(now) == (set(originals) - own_names) | set(kept)
        for path in REPLACED:
            assert "TM5_apriori" in now[path].attrs["comment"].decode()
            assert now[path].attrs["units"] == originals[path].attrs["units"]


def test_replace_gives_the_standard_names_to_the_primary_set(orbit, written):
    """Column, precisions, air mass factor and summed column are those of the primary set."""
    item = substituted(orbit, crop=CROP).sets[0]
    with h5py.File(written("replace")) as file:
        pairs = {
            "nitrogendioxide_tropospheric_column": item.tropospheric_column,
            "nitrogendioxide_tropospheric_column_precision": item.tropospheric_column_precision,
            "nitrogendioxide_tropospheric_column_precision_kernel": (
                item.tropospheric_column_precision_kernel
            ),
            "air_mass_factor_troposphere": item.air_mass_factor_troposphere,
            "air_mass_factor_total": item.air_mass_factor_total,
            "SUPPORT_DATA/DETAILED_RESULTS/nitrogendioxide_summed_total_column": (
                item.summed_total_column
            ),
        }
        for name, expected in pairs.items():
            np.testing.assert_array_equal(values(file, f"PRODUCT/{name}"), expected, err_msg=name)


def test_replace_keeps_the_slant_sensitivity_and_closes_the_kernel(orbit, written):
    """A' M'_tot is the original product, and the derived kernel gives sum A' x = sum x."""
    part = CROP.scanline, CROP.ground_pixel
    x = partial_columns(orbit)[part]
    with h5py.File(written("replace")) as file:
        kernel, total = (
            values(file, f"PRODUCT/{n}") for n in ("averaging_kernel", "air_mass_factor_total")
        )
        old = [
            values(file, f"PRODUCT/{n}_TM5_apriori")
            for n in ("averaging_kernel", "air_mass_factor_total")
        ]
        amf = values(file, "PRODUCT/air_mass_factor_troposphere")
        apriori = values(file, "PRODUCT/apriori_tropospheric_column_DACNO2")
        column = values(file, "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/nitrogendioxide_total_column")
        old_column = values(
            file,
            "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/nitrogendioxide_total_column_TM5_apriori",
        )
        index = file["PRODUCT/tm5_tropopause_layer_index"][0]
    valid = np.isfinite(total)
    assert valid.mean() > 0.8
    np.testing.assert_allclose(
        (kernel * total[..., None])[valid],
        (old[0] * old[1][..., None])[valid],
        rtol=KERNEL_TOLERANCE,
    )
    troposphere = np.arange(34) <= index[..., None]
    derived = np.where(troposphere, kernel * (total / amf)[..., None], 0.0)
    # the a-priori column and M' are rounded to float32, too
    np.testing.assert_allclose((derived * x).sum(-1)[valid], apriori[valid], rtol=5e-7)
    np.testing.assert_allclose(
        (column * total)[valid], (old_column * old[1])[valid], rtol=KERNEL_TOLERANCE
    )


def test_replace_never_shows_tm5_where_nothing_was_computed(orbit, written):
    """Pixels without a new air mass factor are fill in every replaced variable; qa is unchanged."""
    with h5py.File(written("replace")) as file, h5py.File(orbit.path) as original:
        missing = np.isnan(values(file, "PRODUCT/air_mass_factor_troposphere"))
        assert 0 < missing.sum() < missing.size
        had_kernel = np.isfinite(values(file, "PRODUCT/averaging_kernel_TM5_apriori")).all(-1)
        assert (missing & had_kernel).any()
        for path in REPLACED:
            assert np.isnan(values(file, path)[missing]).all(), path
        for name in ("nitrogendioxide_ghost_column", "air_mass_factor_clear"):
            path = f"PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/{name}"
            assert np.isnan(values(file, path)).all()
        qa = original["PRODUCT/qa_value"][0][PART]
        np.testing.assert_array_equal(file["PRODUCT/qa_value"][0], qa)


def test_replace_takes_no_total_where_the_troposphere_failed(orbit, tmp_path):
    """A total air mass factor alone does not make a pixel computed: its kernel is fill, too."""
    result = substituted(orbit)
    result.sets[0].air_mass_factor_total[5, 6:9] = 1.5
    result.sets[0].air_mass_factor_troposphere[5, 6:9] = np.nan
    result.sets[0].air_mass_factor_total[7, 7] = -0.1
    path = write_product(orbit.path, tmp_path / "out.nc", result, PROVENANCE, layout="replace")
    with h5py.File(path) as file:
        for name in ("air_mass_factor_total", "averaging_kernel"):
            stored = values(file, f"PRODUCT/{name}")
            assert np.isnan(stored[5, 6:9]).all()
            assert np.isnan(stored[7, 7]).all()


@pytest.mark.parametrize("crop", [None, CROP])
def test_replace_without_stratosphere_leaves_total_kernel_and_says_so(orbit, tmp_path, crop):
    """Kernel and total air mass factor stay, both say why, and the derived kernel still closes."""
    result = substituted(orbit, crop=crop, stratosphere=False)
    path = write_product(
        orbit.path, tmp_path / "out.nc", result, PROVENANCE, crop=crop, layout="replace"
    )
    part = PART if crop else (slice(None), slice(None))
    with h5py.File(path) as file, h5py.File(orbit.path) as original:
        for name in ("averaging_kernel", "air_mass_factor_total"):
            assert f"{name}_TM5_apriori" not in file["PRODUCT"]
            kept = original[f"PRODUCT/{name}"][0][part]
            assert file[f"PRODUCT/{name}"][0].tobytes() == kept.tobytes()
            assert "Unchanged" in file[f"PRODUCT/{name}"].attrs["comment"].decode()
        assert "Unchanged" in file["PRODUCT"].attrs["apriori_total_kernel"].decode()
        sensitivity = (
            values(file, "PRODUCT/averaging_kernel")
            * values(file, "PRODUCT/air_mass_factor_total")[..., None]
        )
        amf = values(file, "PRODUCT/air_mass_factor_troposphere")
        index = file["PRODUCT/tm5_tropopause_layer_index"][0]
        derived = np.where(np.arange(34) <= index[..., None], sensitivity / amf[..., None], 0.0)
        apriori = values(file, "PRODUCT/apriori_tropospheric_column_DACNO2")
        total = "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/nitrogendioxide_total_column"
        assert np.isnan(values(file, total)).all()
    valid = np.isfinite(amf)
    ours = (derived * partial_columns(orbit)[part]).sum(-1)[valid]
    np.testing.assert_allclose(ours, apriori[valid], rtol=5e-7)  # float32 roundings


@pytest.mark.parametrize("layout", [Layout.EXTEND, Layout.REPLACE])
def test_real_scene_is_written_in_both_layouts(real_file, tmp_path, layout):
    """A real reduced scene without stratospheric variables and altitude is written whole."""
    source = real_file("S5P_RPRO*_reduced.nc")
    with h5py.File(source) as file:
        shape = file["PRODUCT/latitude"].shape[1:]
        amf = file["PRODUCT/air_mass_factor_troposphere"][0]
    crop = Crop(slice(20, 90), slice(10, shape[1]))
    result = _constant_result(amf[20:90, 10:])
    path = write_product(source, tmp_path / "out.nc", result, PROVENANCE, crop=crop, layout=layout)
    name = "air_mass_factor_troposphere" + ("_DACNO2_apriori" if layout == "extend" else "")
    with netCDF4.Dataset(path) as file:
        stored = file["PRODUCT"][name][0]
        assert stored.shape == crop.shape
        np.testing.assert_array_equal(
            stored.filled(np.nan), result.sets[0].air_mass_factor_troposphere
        )


def _constant_result(amf):
    """Return one set whose air mass factor is half the file's, NaN where that is fill."""
    half = np.where(amf > 1e30, np.nan, 0.5 * amf).astype(np.float32)
    flag = np.zeros(amf.shape, dtype=np.uint8)
    item = SetTable(
        "DACNO2",
        tropospheric_column=half,
        tropospheric_column_precision=half,
        tropospheric_column_precision_kernel=half,
        air_mass_factor_troposphere=half,
        apriori_tropospheric_column=half,
        apriori_tropospheric_column_kernel=half,
        apriori_fraction_above_top=half,
        footprint_coverage=half,
        substitution_flag=flag,
        substitution_warning=flag,
    )
    return ProductTable(Tropomi.names, [item], None, {("DACNO2", "TM5"): half})


def test_re_retrieved_orbit_is_not_taken_for_an_original(orbit, written, tmp_path):
    """Doing it twice is an error that says what the file holds already."""
    with pytest.raises(ProductError, match="already re-retrieved with DACNO2 CAMS"):
        write_product(
            written("extend", crop=None), tmp_path / "out.nc", substituted(orbit), PROVENANCE
        )
    assert list(tmp_path.iterdir()) == []


def test_name_that_the_orbit_uses_is_refused(orbit, tmp_path):
    """A variable of the orbit is never overwritten by a new one."""
    source = tmp_path / "orbit.nc"
    source.write_bytes(orbit.path.read_bytes())
    with netCDF4.Dataset(source, "a") as file:
        file["PRODUCT"].createVariable("footprint_coverage_CAMS", "f4", ("time",))
    with pytest.raises(ProductError, match="must not hold footprint_coverage_CAMS already"):
        write_product(source, tmp_path / "out.nc", substituted(orbit), PROVENANCE)
    assert [path.name for path in tmp_path.iterdir()] == ["orbit.nc"]


def test_fields_of_another_shape_are_refused(orbit, tmp_path):
    """A result that does not fit the crop, or a crop outside the orbit, is a programming error."""
    result = substituted(orbit)
    for crop in (CROP, Crop(slice(1, 61), slice(0, 40))):
        with pytest.raises(ValueError, match="Each set needs fields of the crop's shape"):
            write_product(orbit.path, tmp_path / "out.nc", result, PROVENANCE, crop=crop)


def test_output_rules_are_checked_before_the_work(orbit, tmp_path):
    """Existing output and the orbit itself as output are refused."""
    result = substituted(orbit)
    existing = tmp_path / "out.nc"
    existing.write_bytes(b"x")
    with pytest.raises(OutputError, match="not replaced"):
        write_product(orbit.path, existing, result, PROVENANCE)
    with pytest.raises(OutputError, match="must not be an input"):
        write_product(orbit.path, orbit.path, result, PROVENANCE, overwrite=True)
    write_product(orbit.path, existing, result, PROVENANCE, overwrite=True)
    assert existing.stat().st_size > 1e5


def test_another_file_is_refused(tmp_path, orbit):
    """A netCDF file without PRODUCT, and a file that is not HDF5, are one line each."""
    other = tmp_path / "other.nc"
    with netCDF4.Dataset(other, "w") as file:
        file.createGroup("SOMETHING")
    with pytest.raises(ProductError, match="Given SOMETHING"):
        write_product(other, tmp_path / "out.nc", substituted(orbit), PROVENANCE)
    other.write_bytes(b"no HDF5 at all")
    with pytest.raises(ProductError, match="undamaged netCDF-4"):
        write_product(other, tmp_path / "out.nc", substituted(orbit), PROVENANCE)


@pytest.mark.parametrize("crop", [None, CROP])
def test_full_disk_leaves_nothing(orbit, tmp_path, crop):
    """When the system refuses more bytes, one line says so and no file remains.

    A limit on the file size stands for the full disk: the same calls fail in the same places.
    """
    result = substituted(orbit, crop=crop)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises(OutputError, match="larger than the allowed file size") as raised:
            write_product(orbit.path, tmp_path / "out.nc", result, PROVENANCE, crop=crop)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    # a file that HDF5 could not close would crash the process later
    assert h5py.h5f.get_obj_count(h5py.h5f.OBJ_ALL, h5py.h5f.OBJ_FILE) == 0
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


def test_damaged_orbits_give_one_line_and_no_half_file(orbit, tmp_path):
    """Ten cut and ten flipped copies: an error of one line and nothing written, or a whole file."""
    rng = np.random.default_rng(5)
    data = orbit.path.read_bytes()
    result = substituted(orbit, crop=CROP)
    n_refused = 0
    for i in range(20):
        broken = bytearray(data)
        if i < 10:
            broken = broken[: int(rng.integers(10, len(data)))]
        else:
            for position in rng.integers(0, len(data), 200):
                broken[position] ^= int(rng.integers(1, 256))
        source, output = tmp_path / f"broken{i}.nc", tmp_path / f"out{i}.nc"
        source.write_bytes(broken)
        message = ""
        try:
            write_product(source, output, result, PROVENANCE, crop=CROP)
        except ProductError as error:
            n_refused += 1
            message = str(error)
        assert "\n" not in message
        assert output.exists() is not bool(message)
    assert n_refused >= 18
    assert not list(tmp_path.glob(".*"))
