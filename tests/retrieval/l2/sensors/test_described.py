"""Sensors without code: an invented product of the docs, and those that the package describes.

Files of Sentinel-4, GEMS, OMI_MINDS, GOME-2, DOMINO and TANGO are made here in the layouts that are
known from readers of others; no real one was at hand.
"""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.errors import ProductError
from retrieval.l2.columns import find_columns
from retrieval.l2.crop import check_corner_order
from retrieval.l2.identity import check_one_generation, one_file_an_orbit
from retrieval.l2.inspect import describe_l2
from retrieval.l2.open_orbit import GIVEN, give_sensors, open_lenient, open_orbit
from retrieval.l3.cells import regular_grid
from retrieval.l3.pixels import PixelRange, read_pixels
from retrieval.physics.geometry.grids import GEOGRAPHIC
from retrieval.substitution.job import Job
from retrieval.substitution.options import Options
from tests.builders.model_field import model_field, slow_amounts
from tests.builders.omno2_builder import struct_text

DOCS = Path(__file__).resolve().parents[4] / "docs" / "sensors.md"
MOL_M2 = 6.02214076e19
SHAPE = (5, 4)
NODES = np.array([1000.0, 850.0, 700.0, 500.0, 300.0, 100.0])
ROW, PIXEL = np.meshgrid(np.arange(SHAPE[0]), np.arange(SHAPE[1]), indexing="ij")
LATITUDE, LONGITUDE = 40.0 + 0.1 * ROW, -75.0 + 0.2 * PIXEL
SOUTH, NORTH, WEST, EAST = LATITUDE - 0.05, LATITUDE + 0.05, LONGITUDE - 0.1, LONGITUDE + 0.1
COLUMN = 1e15 * (1.0 + ROW + 0.1 * PIXEL)


@pytest.fixture
def skynox(tmp_path):
    """Return the description of the docs, and a file that is as it says."""
    text = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)[1]
    toml = tmp_path / "skynox.toml"
    toml.write_text(text, encoding="utf-8")
    path = tmp_path / "a.nc"
    dims = ("line", "pixel")
    amf = 1.0 + 0.1 * PIXEL
    corners = [np.stack(c, axis=-1) for c in ([SOUTH, SOUTH, NORTH, NORTH], [WEST, EAST] * 2)]
    weights = np.broadcast_to(0.4 + 1.6 * (1 - NODES / 1000.0), (*SHAPE, NODES.size))
    cloud = np.where((ROW == 1) & (PIXEL == 1), 0.4, 0.1)
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip((*dims, "corner", "node"), (*SHAPE, 4, NODES.size), strict=True):
            file.createDimension(name, size)
            file.createVariable(name, "i4", (name,))[:] = np.arange(size)
        content = {
            "columns/no2_trop": (COLUMN, dims),
            "columns/no2_trop_error": (0.1 * COLUMN, dims),
            "columns/no2_strat": (np.full(SHAPE, 3e15), dims),
            "columns/AMF_Trop": (amf, dims),
            "geo/lat": (LATITUDE, dims),
            "geo/lon": (LONGITUDE, dims),
            "geo/lat_corner": (corners[0], (*dims, "corner")),
            "geo/lon_corner": (corners[1], (*dims, "corner")),
            "geo/utc": (86400.0 * 900 + 54000 + np.arange(SHAPE[0]), dims[:1]),
            "geo/psurf": (np.full(SHAPE, 1000.0), dims),
            "geo/height": (np.full(SHAPE, 100.0), dims),
            "geo/ptrop": (np.full(SHAPE, 180.0), dims),
            "geo/cloud": (cloud, dims),
            "geo/box_amf": (weights, (*dims, "node")),
            "geo/box_pressure": (NODES, ("node",)),
        }
        for name, (values, axes) in content.items():
            file.createVariable(name, "f8", axes)[:] = values
        file.createVariable("geo/flag", "u1", dims)[:] = np.where(ROW == 2, 8 + 3 * (PIXEL == 3), 0)
    return toml, path


def test_a_product_of_the_docs_is_read_without_code(skynox):
    """Columns, corners in order, times, quality by bits and limits; no code knows it."""
    toml, path = skynox
    with open_orbit(path, sensor=toml) as orbit:
        assert orbit.names.sensor == "SKYNOX"
        fields = orbit.read_fields(orbit.full)
        quality, _ = orbit.read_quality(orbit.full)
        times = orbit.scanline_times(orbit.full)
        check_corner_order(*orbit.read_corners(orbit.full))
    np.testing.assert_allclose(fields["column"], COLUMN / MOL_M2, rtol=1e-12)
    assert (fields["surface_pressure"] == 1e5).all()
    assert times[0] == np.datetime64("2022-06-19T15:00:00", "ms")
    # bit 3 is not asked for, bits 0 and 1 are
    assert [int(quality[at]) for at in ((0, 0), (1, 1), (2, 0), (2, 3))] == [100, 60, 100, 60]


def test_it_is_re_retrieved_and_written(skynox, tmp_path):
    """Weights between pressures, with the temperature factor; a file beside its own names."""
    toml, path = skynox
    times = ["2022-06-19T14:00", "2022-06-19T16:00"]
    data, fraction, (ap, b) = model_field((38.0, 43.0), (-78.0, -70.0), times)
    edges = ap + b * 1e5
    middle, x = 0.5 * (edges[1:] + edges[:-1]), -fraction * np.diff(edges)
    at_ground = 288.15 - 0.65
    t = np.maximum(at_ground * (middle / 1e5) ** (287.05287 * 6.5e-3 / 9.80665), 216.65) - 220.0
    w = np.interp(-np.log(middle), -np.log(100 * NODES), 0.4 + 1.6 * (1 - NODES / 1000.0))
    s = w * (1.0 - 0.00316 * t + 3.39e-6 * t * t)
    low = middle > 18000.0
    amf = (s * x)[low].sum() / x[low].sum()
    source, out = tmp_path / "model.nc", tmp_path / "new.nc"
    data.to_netcdf(source)
    give_sensors([toml])
    try:
        rt.reretrieve(path, {"mymodel": source}, out)
        with open_orbit(out) as orbit:
            assert [one.label for one in find_columns(orbit)] == ["GEOSCHEM", "MYMODEL"]
            new = orbit.read("AMF_Trop_MYMODEL_apriori", orbit.full)
            column = orbit.read("no2_trop_MYMODEL_apriori", orbit.full)
    finally:
        give_sensors([])
    np.testing.assert_allclose(new, amf, rtol=1e-6)  # float32
    np.testing.assert_allclose(column, COLUMN * (1.0 + 0.1 * PIXEL) / amf, rtol=1e-6)


def test_a_description_is_known_while_it_is_given(skynox, monkeypatch):
    """By the variable that processes of a call inherit; without it the file is none."""
    toml, path = skynox
    with pytest.raises(ProductError):
        open_lenient(path)
    monkeypatch.setenv(GIVEN, str(toml))
    with open_lenient(path) as orbit:
        assert orbit.names.sensor == "SKYNOX"
        assert "SKYNOX" in repr(orbit)


def variables(path, groups, *, fill=None):
    """Write variables on their pixels, by group."""
    with netCDF4.Dataset(path, "w") as file:
        sizes = {"scanline": SHAPE[0], "ground_pixel": SHAPE[1], "corner": 4}
        for name, size in sizes.items():
            file.createDimension(name, size)
        for group, content in groups.items():
            for name, values in content.items():
                values = np.asarray(values)
                axes = tuple(sizes)[: values.ndim]
                kind = values.dtype.str[1:]
                item = file.createVariable(f"{group}/{name}", kind, axes, fill_value=fill)
                item.set_auto_maskandscale(False)
                item[:] = values
        yield file


def bounds(values, low, high):
    """Return corners round the pixel."""
    return np.stack([values + low[0], values + low[1], values + high[0], values + high[1]], axis=-1)


def sentinel4(folder):
    """Write a Sentinel-4 granule with a time for each pixel."""
    path = folder / "W_XX-EUMETSAT,SND+SAT,MTS1+UVN-2-NO2.nc"
    strat = {"nitrogen_dioxide_stratospheric_column": np.full(SHAPE, 5e-5)}
    groups = {
        "PRODUCT": {
            "latitude": LATITUDE,
            "longitude": LONGITUDE,
            "delta_time": 36000e3 + 1e3 * ROW + 10.0 * PIXEL,
            "qa_value": np.where(PIXEL == 3, 50, 100).astype("u1"),
            "nitrogen_dioxide_tropospheric_column": COLUMN / MOL_M2,
            "nitrogen_dioxide_tropospheric_column_precision": 0.1 * COLUMN / MOL_M2,
            **strat,
        },
        "PRODUCT/SUPPORT_DATA/GEOLOCATIONS": {
            "latitude_bounds": bounds(LATITUDE, (-0.05, -0.05), (0.05, 0.05)),
            "longitude_bounds": bounds(LONGITUDE, (-0.1, 0.1), (0.1, -0.1)),
            "solar_zenith_angle": np.full(SHAPE, 40.0),
        },
        "PRODUCT/SUPPORT_DATA/DETAILED_RESULTS": {
            "nitrogen_dioxide_tropospheric_air_mass_factor": np.ones(SHAPE),
        },
    }
    for file in variables(path, groups):
        file.time_reference_days_since_1950 = np.int32(27000)
        file["PRODUCT/delta_time"].units = "milliseconds"
        for name, item in file["PRODUCT"].variables.items():
            if "column" in name:
                item.units = "mol m-2"
    return path


def gems(folder):
    """Write a GEMS granule: groups with blanks in their names, no corners, fills of -1e30."""
    path = folder / "GK2_GEMS_L2_20240601_0345_NO2_FW_DPRO_ORI.nc"
    column = COLUMN.copy()
    column[0, 0] = -1e30
    flags = np.where(PIXEL == 3, 1, 0).astype("i4")
    groups = {
        "Data Fields": {
            "ColumnAmountNO2Trop": column,
            "CloudFraction": np.full(SHAPE, 0.1),
            "FinalAlgorithmFlags": flags,
        },
        "Geolocation Fields": {
            "Latitude": LATITUDE,
            "Longitude": LONGITUDE,
            "SolarZenithAngle": np.full(SHAPE, 40.0),
            "ViewingZenithAngle": np.full(SHAPE, 40.0),
        },
    }
    for _ in variables(path, groups):
        pass
    return path


def minds(folder):
    """Write an OMI_MINDS orbit."""
    path = folder / "OMI_MINDS_NO2.nc"
    groups = {
        "SCIENCE_DATA": {
            "ColumnAmountNO2Trop": COLUMN,
            "VcdQualityFlags": np.where(PIXEL == 3, 1, 0).astype("u2"),
        },
        "GEOLOCATION_DATA": {
            "Latitude": LATITUDE,
            "Longitude": LONGITUDE,
            "Time": 757382410.0 + np.arange(SHAPE[0]),
            "SolarZenithAngle": np.full(SHAPE, 40.0),
        },
        "ANCILLARY_DATA": {
            "CloudFraction": np.full(SHAPE, 0.1),
            "CloudRadianceFraction": np.full(SHAPE, 0.2),
            "TerrainReflectivity": np.full(SHAPE, 0.05),
        },
    }
    for _ in variables(path, groups):
        pass
    return path


def gome2(folder):
    """Write a GOME-2 orbit: pixels in a row, a compound time, four variables of corners."""
    path = folder / "GOME_NO2_L2.hdf5"
    with h5py.File(path, "w") as file:
        where = file.create_group("GEOLOCATION")
        time = np.zeros(SHAPE[0] * SHAPE[1], dtype=[("Day", "i4"), ("MillisecondOfDay", "i4")])
        time["Day"], time["MillisecondOfDay"] = 27000, 36000_000
        where["Time"] = time
        content = {
            "LatitudeCentre": LATITUDE, "LongitudeCentre": LONGITUDE,
            "LatitudeA": NORTH, "LatitudeB": NORTH, "LatitudeC": SOUTH, "LatitudeD": SOUTH,
            "LongitudeA": EAST, "LongitudeB": WEST, "LongitudeC": EAST, "LongitudeD": WEST,
        }  # fmt: skip
        for name, values in content.items():
            where[name] = values.ravel()
        file["TOTAL_COLUMNS/NO2Tropo"] = COLUMN.ravel()
        file["DETAILED_RESULTS/NO2/NO2Tropo_Flag"] = np.where(PIXEL == 3, 1, 0).astype("i2").ravel()
    return path


MADE = {
    "Sentinel-4": (sentinel4, "2023-12-04T10:00:00.020"),
    "GEMS": (gems, "2024-06-01T03:45:00.000"),
    "OMI_MINDS": (minds, "2017-01-01T00:00:00.000"),
    "GOME-2": (gome2, "2023-12-04T10:00:00.000"),
}


@pytest.mark.parametrize("sensor", MADE)
def test_described_products_are_read(tmp_path, sensor):
    """Known by what they hold; columns in mol m-2, times in UTC, the guide's quality."""
    build, start = MADE[sensor]
    path = build(tmp_path)
    with open_lenient(path) as orbit:
        assert orbit.names.sensor == sensor
        (product,) = find_columns(orbit)
        column = orbit.read_column(product.column, orbit.full).reshape(SHAPE)
        quality, _ = orbit.read_quality(orbit.full)
        assert str(orbit.scanline_times(orbit.full)[0]) == start
        check_corner_order(*orbit.read_corners(orbit.full))
    expected = COLUMN / MOL_M2
    if sensor == "GEMS":
        expected[0, 0] = np.nan
    np.testing.assert_allclose(column, expected, rtol=1e-12)
    assert (quality.reshape(SHAPE)[:, :3] > 75).all()
    assert (quality.reshape(SHAPE)[:, 3] <= 75).all()
    assert sensor in describe_l2(path)["kind"]


@pytest.mark.parametrize("sensor", MADE)
def test_described_products_are_gridded(tmp_path, sensor):
    """The pixels that count lie on a grid, each with its corners."""
    path = MADE[sensor][0](tmp_path)
    grid = regular_grid(0.5, (-76.0, 39.5, -74.0, 41.0), GEOGRAPHIC)
    found = read_pixels(path, grid, ["GMI" if sensor == "OMI_MINDS" else "PRODUCT"])
    n = SHAPE[0] * 3 - (sensor == "GEMS")
    if sensor != "GEMS":  # its corners at the edge are halfway, too
        assert found.values.shape == (n, 1)
    width = np.ptp(found.longitude_bounds, axis=1)
    np.testing.assert_allclose(width, 0.2, rtol=1e-6)
    assert np.isfinite(found.values).all()


def test_pixels_of_an_hour_are_gridded_alone(tmp_path):
    """`utc_hour` is the time of day of the scanline: the first two of a granule from 10 h on."""
    grid = regular_grid(0.5, (-76.0, 39.5, -74.0, 41.0), GEOGRAPHIC)
    hour = PixelRange.parse(f"utc_hour=10..{10 + 1.5 / 3600}")
    found = read_pixels(sentinel4(tmp_path), grid, ["PRODUCT"], where=[hour])
    assert found.values.shape == (2 * 3, 1)
    assert found.latitude_bounds.max() < 40.2


def test_sensors_are_mixed_only_when_told(tmp_path):
    """Two sensors in one map are refused before anything is gridded, naming both."""
    paths = [sentinel4(tmp_path), gems(tmp_path)]
    with pytest.raises(ProductError, match="Sensors are mixed only when told") as caught:
        check_one_generation(paths)
    assert "GEMS" in str(caught.value)
    assert "Sentinel-4" in str(caught.value)
    assert one_file_an_orbit(paths)[1] == []


@pytest.mark.parametrize("sensor", MADE)
def test_what_is_missing_for_another_a_priori_is_named(tmp_path, sensor):
    """One line that names what a description must say; no number is made up."""
    path = MADE[sensor][0](tmp_path)
    with pytest.raises(ProductError, match=r"nothing is known of .* averaging kernels") as caught:
        open_orbit(path)
    said = str(caught.value)
    assert "variable of [sensitivity]" in said
    assert "--sensor" in said
    assert "\n" not in said


def test_a_geostationary_granule_without_its_name_has_no_time(tmp_path):
    """GEMS's time is in the name alone: another name is refused, not guessed."""
    path = gems(tmp_path).rename(tmp_path / "mine.nc")
    with open_lenient(path) as orbit, pytest.raises(ProductError, match=r"Invalid name mine\.nc"):
        orbit.scanline_times(orbit.full)


def domino(folder):
    """Write a DOMINO orbit: HDF-EOS5, total kernels as scaled integers, corners in two rows.

    Returns
    -------
    path, sensitivity, edges, is_troposphere, air mass factor
    """
    path = folder / "OMI-Aura_L2-DOMINO.he5"
    level = np.linspace(1.0, 0.0, 9)
    a, b = 60.0 * level * (1.0 - level), level**1.4  # hPa
    surface = 1000.0 - 5.0 * ROW
    edges = 100.0 * (a + b * surface[..., None])
    middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
    total = np.full(SHAPE, 2.0)
    kernel = np.round(1000.0 * (0.3 + 1.2 * (1.0 - middle / 1.05e5)))
    last = np.where(PIXEL % 2, 5, 4)
    amf = 1.0 + 0.1 * PIXEL
    # a, b, c, d: round the pixel go d, b, a, c
    corner = {"a": (NORTH, EAST), "b": (SOUTH, EAST), "c": (NORTH, WEST), "d": (SOUTH, WEST)}
    bounds_of = [np.stack([corner[one][i] for one in "abcd"], axis=-1) for i in (0, 1)]
    integers = {"AveragingKernel": (kernel, 0.001), "TM4TropoPauseLevel": (last, 1.0)}
    data = {
        "TroposphericVerticalColumn": COLUMN, "TroposphericVerticalColumnError": 0.1 * COLUMN,
        "AirMassFactorTropospheric": amf, "AirMassFactor": total, "TM4SurfacePressure": surface,
        "TM4PressurelevelA": np.stack([a[:-1], a[1:]], axis=1),
        "TM4PressurelevelB": np.stack([b[:-1], b[1:]], axis=1),
        "TroposphericColumnFlag": np.zeros(SHAPE),
    }  # fmt: skip
    place = {
        "Latitude": LATITUDE, "Longitude": LONGITUDE, "LatitudeCornerpoints": bounds_of[0],
        "LongitudeCornerpoints": bounds_of[1], "SolarZenithAngle": np.full(SHAPE, 40.0),
        "Time": 757382410.0 + np.arange(SHAPE[0]),
    }  # fmt: skip
    swath = "/HDFEOS/SWATHS/DominoNO2"
    with h5py.File(path, "w") as file:
        for section, content in (("Data Fields", data), ("Geolocation Fields", place)):
            for name, values in content.items():
                new = file.create_dataset(f"{swath}/{section}/{name}", data=values)
                is_column = name.startswith("TroposphericVertical")
                new.attrs["Units"] = "molec/cm2" if is_column else "NoUnits"
        for name, (values, scale) in integers.items():
            new = file.create_dataset(f"{swath}/Data Fields/{name}", data=values.astype("i2"))
            new.attrs["ScaleFactor"] = scale
            new.attrs["MissingValue"] = np.int16(-32767)
        sizes = {"t": SHAPE[0], "x": SHAPE[1], "l": 8, "c": 2}
        text = struct_text(file, sizes, "DominoNO2")
        file["HDFEOS INFORMATION/StructMetadata.0"] = np.array(text.encode(), dtype="S32000")
    sensitivity = 0.001 * kernel * total[..., None]
    return path, sensitivity, edges, np.arange(8) <= last[..., None], amf


@pytest.mark.parametrize("layout", ["extend", "replace"])
def test_domino_is_re_retrieved_on_its_layers(tmp_path, layout):
    """Total kernels in scaled integers on hybrid layers, tropopause by index, a crop of HDF-EOS."""
    path, sensitivity, edges, is_troposphere, amf = domino(tmp_path)
    data, fraction, model = model_field((38.0, 43.0), (-78.0, -70.0), ["2017-01-01T00:00"])
    source, out = tmp_path / "model.nc", tmp_path / "new.he5"
    data.to_netcdf(source)
    options = Options(bbox=(-74.85, 40.08, -74.65, 40.22))
    rt.reretrieve(path, Job({"mymodel": source}, layout=layout, options=options), out)
    with open_orbit(path) as orbit:
        check_corner_order(*orbit.read_corners(orbit.full))
    with open_orbit(out) as orbit:
        assert [one.label for one in find_columns(orbit)] == ["TM4", "MYMODEL"]
        suffix = "" if layout == "replace" else "_MYMODEL_apriori"
        new = orbit.read(f"AirMassFactorTropospheric{suffix}", orbit.full)
        column = orbit.read(f"TroposphericVerticalColumn{suffix}", orbit.full)
        latitude, longitude = orbit.read_centres(orbit.full)
    assert new.shape == (2, 2)
    for (i, j), found in np.ndenumerate(new):
        at = np.argmin(np.hypot(LATITUDE - latitude[i, j], LONGITUDE - longitude[i, j]))
        x = slow_amounts(fraction, model, edges.reshape(-1, 9)[at])
        which = is_troposphere.reshape(-1, 8)[at]
        expected = (sensitivity.reshape(-1, 8)[at] * x)[which].sum() / x[which].sum()
        assert found == pytest.approx(expected, rel=1e-6)  # float32
        was = COLUMN.ravel()[at] * amf.ravel()[at] / expected
        assert column[i, j] == pytest.approx(was, rel=1e-6)
