"""The writer makes files that readers of the real product take as such."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import netCDF4
import numpy as np
import pytest
import xarray as xr

from retrieval.errors import OutputError
from retrieval.files.fills import FILL_FLOAT
from retrieval.l2.quality import QaInputs, qa_percent
from retrieval.simulate.l2_file.content import L2Content
from retrieval.simulate.l2_file.layout import VARIABLES, VARIANTS, variables_of
from retrieval.simulate.l2_file.metadata import algorithm_settings
from retrieval.simulate.l2_file.write import write_l2_file
from tests.builders.orbit_builder import build_orbit

PRODUCT = "PRODUCT/nitrogendioxide_tropospheric_column"
SMALL = {"n_scanline": 12, "n_ground_pixel": 11}


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=40, n_ground_pixel=30)


def minimal(**variables):
    """Return the smallest content: one scanline of two pixels, two layers."""
    layers = np.array([[0.0, 1.0], [1.0, 2.0]])
    values = {
        "latitude": np.array([[50.0, 50.1]]),
        "longitude": np.array([[4.0, 4.1]]),
        "tm5_constant_a": layers,
        "tm5_constant_b": layers,
    }
    return L2Content(
        variables=values | variables,
        scanline_time=np.array(["2020-03-03T01:57:22.123"], dtype="datetime64[ms]"),
        orbit=12367,
        scanline=np.array([0]),
        ground_pixel=np.arange(2),
        window=(np.datetime64("2020-03-03T01:35:47"), np.datetime64("2020-03-03T03:17:17")),
        created=np.datetime64("2020-03-06T05:38:15"),
    )


def test_name_is_that_of_the_real_file():
    """The name of a real v1.3.2 file comes out of its window, orbit, versions and creation."""
    name = minimal().file_name(VARIANTS["v1"])
    expected = "S5P_OFFL_L2__NO2____20200303T013547_20200303T031717_12367_01_010302_20200306T053815"
    assert name == f"{expected}.nc"
    assert len(expected) == 83 and name[58:60] == "01" and name[61:67] == "010302"


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_every_declared_variable_is_in_the_file(tmp_path, variant):
    """Type, dimensions, fill value, filters and group order follow the declared table."""
    built = build_orbit(tmp_path, variant=variant, **SMALL)
    with netCDF4.Dataset(built.path) as file:
        for variable in variables_of(VARIANTS[variant]):
            stored = file[variable.path]
            assert stored.dimensions == variable.dimensions
            if variable.dtype == "str":
                continue
            assert stored.dtype == np.dtype(variable.dtype)
            filters = stored.filters()
            assert filters["complevel"] == 3
            assert filters["zlib"] and filters["shuffle"] and filters["fletcher32"]
            assert "_FillValue" in stored.ncattrs()
        assert not any(d.isunlimited() for d in file["PRODUCT"].dimensions.values())
        declared = [v.name for v in variables_of(VARIANTS[variant]) if v.group == "PRODUCT"]
        assert list(file["PRODUCT"].variables) == declared


def test_structure_agrees_with_the_real_file(real_file, tmp_path):
    """Dimensions, global attributes and METADATA groups of the real v1.3.2 file are all there."""
    built = build_orbit(tmp_path, variant="v1", **SMALL)
    with (
        netCDF4.Dataset(real_file("L2_NO2_header_and_metadata_only.nc")) as real,
        netCDF4.Dataset(built.path) as ours,
    ):
        assert list(ours["PRODUCT"].dimensions) == list(real["PRODUCT"].dimensions)
        assert set(real.ncattrs()) == set(ours.ncattrs())
        for name in real.ncattrs():
            assert type(ours.getncattr(name)) is type(real.getncattr(name)), name
        assert set(ours["METADATA"].groups) == set(real["METADATA"].groups)
        description = "METADATA/GRANULE_DESCRIPTION"
        assert ours[description].ncattrs() == real[description].ncattrs()
        _assert_same_statistics(ours["METADATA/QA_STATISTICS"], real["METADATA/QA_STATISTICS"])
        settings = real["METADATA/ALGORITHM_SETTINGS"]
        ours_qa = {k: v for k, v in algorithm_settings(VARIANTS["v1"]).items() if "qa_" in k}
        shared = [k for k in ours_qa if k in settings.ncattrs()]
        assert len(shared) > 15
        for name in shared:
            assert float(ours_qa[name]) == float(settings.getncattr(name)), name


def _assert_same_statistics(ours, real):
    assert set(ours.variables) == set(real.variables)
    for name in real.variables:
        assert ours[name].dimensions == real[name].dimensions
        if name.endswith(("axis", "bounds")):
            # float32 storage, and a logarithmic axis recomputed by another program
            np.testing.assert_allclose(ours[name][:], real[name][:], rtol=2e-6, atol=1e-12)
    counters = {n for n in real.ncattrs() if n.endswith("occurrences")}
    assert counters == {n for n in ours.ncattrs() if n.endswith("occurrences")}


def test_values_come_back_and_gaps_are_fill(orbit):
    """Stored values are the given ones in float32, NaN is the fill value, other variables fill."""
    given = orbit.arrays["nitrogendioxide_tropospheric_column"].astype(np.float32)
    with netCDF4.Dataset(orbit.path) as file:
        file.set_auto_mask(False)
        stored = file[PRODUCT][0]
        assert np.isnan(given).any()
        np.testing.assert_array_equal(stored[np.isnan(given)], np.float32(FILL_FLOAT))
        np.testing.assert_array_equal(stored[~np.isnan(given)], given[~np.isnan(given)])
        unwritten = file["PRODUCT/SUPPORT_DATA/DETAILED_RESULTS/chi_square"][:]
        np.testing.assert_array_equal(unwritten, np.float32(FILL_FLOAT))


@pytest.mark.parametrize("style", ["milliseconds", "milliseconds since"])
def test_both_styles_of_delta_time_give_the_time_of_the_scanline(tmp_path, style):
    """`time + delta_time`, or the decoded `delta_time`, is the start time of each scanline."""
    built = build_orbit(tmp_path, variant=replace(VARIANTS["v2.4"], delta_time=style), **SMALL)
    with xr.open_dataset(built.path, group="PRODUCT", decode_timedelta=True) as product:
        delta = product["delta_time"].values[0]
        times = delta if style == "milliseconds since" else product["time"].values[0] + delta
        np.testing.assert_array_equal(times.astype("datetime64[ms]"), built.scanline_time)
        text = product["time_utc"].values[0, 0]
    assert text.endswith("Z")
    assert np.datetime64(text[:-1], "ms") == built.scanline_time[0]


def test_file_says_that_it_is_synthetic(orbit):
    """Title, summary, source and history say synthetic; the identifier keeps its 83 characters."""
    with netCDF4.Dataset(orbit.path) as file:
        for name in ("title", "summary", "source", "history"):
            assert "synthetic" in file.getncattr(name)
        assert file.id == orbit.path.stem
        assert len(file.id) == 83


def test_times_of_reference_are_those_of_the_real_file(real_file, tmp_path):
    """The reference time of 3 March 2020 in all its forms."""
    path = write_l2_file(tmp_path, minimal(), variant="v1")
    with (
        netCDF4.Dataset(real_file("L2_NO2_header_and_metadata_only.nc")) as real,
        netCDF4.Dataset(path) as ours,
    ):
        names = [n for n in real.ncattrs() if n.startswith("time_reference")]
        assert len(names) == 4
        for name in (*names, "time_coverage_start", "id"):
            assert ours.getncattr(name) == real.getncattr(name), name


def test_lineage_names_the_apriori_file(orbit):
    """The CTMANA file is found where the real product has it."""
    step = "METADATA/ISO_METADATA/gmd:dataQualityInfo/gmd:lineage/gmd:processStep"
    with netCDF4.Dataset(orbit.path) as file:
        source = file[f"{step}/gmd:source#1/gmd:sourceCitation/gmd:alternateTitle#1"]
        name = source.getncattr("gmx:FileName")
        assert name.startswith("S5P_OPER_AUX_CTMANA_20190626T000000_20190627T000000_")
        exterior = "eop:multiExtentOf/gml:surfaceMembers/gml:exterior"
        polygon = file[f"METADATA/EOP_METADATA/om:featureOfInterest/{exterior}"]
        points = np.array(polygon.getncattr("gml:posList").split(), dtype=float).reshape(-1, 2)
        np.testing.assert_array_equal(points[0], points[-1])
        assert points[:, 0].max() < orbit.arrays["latitude"].max() + 1e-4


def test_variants_differ_where_the_real_ones_do(tmp_path):
    """No cloud subgroups nor collection in v1, offset scanlines and no polynomials in reduced."""
    v1, reduced, eu = (
        build_orbit(tmp_path, variant=name, **SMALL) for name in ("v1", "reduced_eu", "eu")
    )
    with netCDF4.Dataset(v1.path) as file:
        assert "O22CLD" not in file["PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"].groups
        assert "CollectionIdentifier" not in file["METADATA/GRANULE_DESCRIPTION"].ncattrs()
        assert file["PRODUCT/delta_time"].units == "milliseconds"
    with netCDF4.Dataset(reduced.path) as file:
        assert file["PRODUCT/scanline"][0] == 1716
        assert not any("polynomial" in d for d in file["PRODUCT"].dimensions)
    with netCDF4.Dataset(eu.path) as file:
        assert f"{PRODUCT}_CAMS_apriori_Europe".split("/")[1] in file["PRODUCT"].variables
    assert eu.path.name.endswith("_eu.nc") and reduced.path.name.endswith("_reduced_eu.nc")


@pytest.mark.parametrize("variant", ["v2.4", "v1", "reduced_eu"])
def test_harp_takes_it_as_the_real_product(tmp_path, variant):
    """All six option lines of HARP's checker that read the NO2 product are OK, 48 variables."""
    harpcheck = shutil.which("harpcheck")
    if harpcheck is None:
        pytest.skip("harpcheck is not installed (apt-get install harp)")
    built = build_orbit(tmp_path, variant=variant, **SMALL)
    report = subprocess.run(
        [harpcheck, str(built.path)], capture_output=True, text=True, check=False
    ).stdout
    good = [line for line in report.splitlines() if "data unset" in line and "[OK]" in line]
    assert len(good) == 6
    assert all("48 variables" in line and "vertical=34" in line for line in good)


@pytest.mark.filterwarnings("ignore")  # satpy and its dependencies warn about themselves
def test_satpy_opens_it(orbit):
    """Satpy's tropomi_l2 reader loads a column, its quality and variables of the subgroups."""
    satpy = pytest.importorskip("satpy")
    scene = satpy.Scene([str(orbit.path)], reader="tropomi_l2")
    scene.load(["nitrogendioxide_tropospheric_column", "cloud_pressure_crb", "averaging_kernel"])
    loaded = scene["nitrogendioxide_tropospheric_column"].values
    given = orbit.arrays["nitrogendioxide_tropospheric_column"].astype(np.float32)
    np.testing.assert_array_equal(loaded, given)
    assert scene["averaging_kernel"].shape == (*given.shape, 34)


def test_unknown_variables_are_named(tmp_path):
    """A variable that this processor does not write is refused by name."""
    content = minimal(land_fraction=np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"processor 2\.4\.0\. Given land_fraction"):
        write_l2_file(tmp_path, content)


def test_wrong_shapes_are_named(tmp_path):
    """An array with the time dimension, or transposed, is refused with both shapes."""
    content = minimal(surface_pressure=np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match=r"Invalid surface_pressure.*\(1, 1, 2\).*\(1, 2\)"):
        write_l2_file(tmp_path, content)


def test_nan_in_integers_is_refused(tmp_path):
    """Missing integers must hold their fill value: NaN would become an arbitrary number."""
    content = minimal(qa_value=np.array([[1.0, np.nan]]))
    with pytest.raises(ValueError, match="Invalid qa_value"):
        write_l2_file(tmp_path, content)
    assert list(tmp_path.iterdir()) == []


def test_missing_geolocation_is_named(tmp_path):
    """Without latitude there is no file."""
    content = minimal()
    content.variables = {k: v for k, v in content.variables.items() if k != "latitude"}
    with pytest.raises(ValueError, match="latitude"):
        write_l2_file(tmp_path, content)


def test_times_must_fit_the_scanlines():
    """One start time per scanline."""
    with pytest.raises(ValueError, match="one value per scanline"):
        replace(minimal(), scanline=np.arange(3))


def test_existing_files_are_kept(tmp_path):
    """A second write to the same name is refused unless overwriting is allowed."""
    path = write_l2_file(tmp_path, minimal())
    with pytest.raises(OutputError, match="exist"):
        write_l2_file(tmp_path, minimal())
    assert write_l2_file(tmp_path, minimal(), overwrite=True) == path
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_table_has_no_name_twice():
    """Names are unique in the whole tree, so that content can be keyed by name."""
    names = [v.name for v in VARIABLES]
    assert len(names) == len(set(names))


def qa(**changes):
    """Return qa_value of one good pixel with some conditions changed."""
    good = {
        "processing_quality_flags": 0,
        "cloud_radiance_fraction": 0.2,
        "snow_ice_flag": 0,
        "scene_pressure": 95000.0,
        "surface_pressure": 101000.0,
        "surface_albedo": 0.05,
        "solar_zenith_angle": 40.0,
        "slant_column_precision": 1e-5,
        "amf_ratio": 0.4,
    }
    has_scene_mode = changes.pop("has_scene_mode", True)
    integers = {"processing_quality_flags": np.uint32, "snow_ice_flag": np.uint8}
    values = {
        k: np.array([v], dtype=integers.get(k, np.float64)) for k, v in (good | changes).items()
    }
    return int(qa_percent(QaInputs(**values, has_scene_mode=has_scene_mode))[0])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 100),
        ({"cloud_radiance_fraction": 0.51}, 74),
        ({"cloud_radiance_fraction": 0.5}, 100),  # the threshold itself is still clear
        ({"cloud_radiance_fraction": 0.9, "processing_quality_flags": 2048}, 69),  # with glint
        ({"snow_ice_flag": 103}, 73),
        ({"snow_ice_flag": 103, "scene_pressure": 100000.0}, 88),  # snow that looks clear
        ({"snow_ice_flag": 103, "scene_pressure": 100000.0, "has_scene_mode": False}, 73),
        ({"snow_ice_flag": 50, "scene_pressure": 100000.0}, 73),  # thin sea ice
        ({"snow_ice_flag": 255}, 100),  # ocean
        ({"surface_albedo": 0.31}, 20),
        ({"solar_zenith_angle": 82.0}, 30),
        ({"solar_zenith_angle": 85.0}, 3),
        ({"slant_column_precision": 34e-6}, 15),
        ({"amf_ratio": 0.09}, 45),
        ({"scene_pressure": 29000.0}, 25),
        ({"processing_quality_flags": 1 << 25}, 90),
        ({"processing_quality_flags": 1 << 17}, 90),
        ({"processing_quality_flags": 1 << 12}, 95),
        ({"processing_quality_flags": 7}, 0),  # failed
    ],
)
def test_qa_follows_the_recipe(changes, expected):
    """Each condition of the recipe multiplies its own factor (docs/formats.md 1.11)."""
    assert qa(**changes) == expected
