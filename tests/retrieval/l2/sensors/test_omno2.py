"""OMNO2 orbits: every trap of the product, the identities, the HDF-EOS5 file that is written."""

from __future__ import annotations

from pathlib import Path

import h5py
import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.errors import AprioriError, ProductError
from retrieval.files.hdf_eos import read_structure
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.columns import find_columns
from retrieval.l2.open_orbit import open_orbit
from retrieval.substitution.job import Job
from retrieval.substitution.options import Options
from tests.builders.model_field import model_field
from tests.builders.omno2_builder import NODES, SWATH, build_omno2

REAL = Path(__file__).resolve().parents[5] / "shared" / "data" / "sensors" / "omi"
NAME = "OMI-Aura_L2-OMNO2_2015m0615t1800-o58000_v003-2015m0616t000000.he5"
MOL_M2 = 6.02214076e19
"""Molecules cm-2 of 1 mol m-2."""


def model():
    """Return a model over New York."""
    return model_field((38.0, 43.0), (-78.0, -70.0), ["2015-06-15T17:00", "2015-06-15T19:00"])


def slow_amf(orbit, i, j, *, alpha=np.ones_like):
    """Air mass factor of the model in a pixel, layer by layer of the model."""
    _, fraction, (ap, b) = model()
    surface, tropopause = float(orbit.surface[i, j]), float(orbit.tropopause[i, j])
    edges = ap + b * surface
    there = orbit.weights[i, j] > 0  # not fill
    slant = total = 0.0
    for k, value in enumerate(fraction):
        middle = 0.5 * (edges[k] + edges[k + 1])
        if middle > tropopause:
            x = value * (edges[k] - edges[k + 1])
            ln = -np.log(100.0 * NODES[there])
            weight = np.interp(-np.log(middle), ln, orbit.weights[i, j][there].astype(float))
            slant += weight * alpha(middle) * x
            total += x
    return slant / total


@pytest.fixture(scope="module", params=[(3, False), (4, True)], ids=["v003", "collection 4"])
def orbit(request, tmp_path_factory):
    """Return an orbit of version 003, or one of collection 4 whose weights are top first."""
    collection, top_first = request.param
    path = tmp_path_factory.mktemp("omno2") / NAME
    return build_omno2(path, collection=collection, top_first=top_first)


def pixels_of(orbit):
    """Return all pixels of an orbit."""
    return OrbitBlocks(orbit, orbit.full).read(slice(0, orbit.shape[0]))


def test_the_profile_behind_the_file_gives_back_its_column(tmp_path):
    """I1: where M_trop is that of a model's profile, the model changes nothing, to 1e-6 (float32).

    Fails where weights are upside down, not between ln p, not constant below the lowest pressure,
    or with another rule of the tropopause.
    """
    plain = build_omno2(tmp_path / "plain.he5")
    amf = np.array([[slow_amf(plain, i, j) for j in range(6)] for i in range(7)])
    given = build_omno2(tmp_path / NAME, amf=amf)
    with open_orbit(given.path) as opened:
        new = rt.substitute(opened, {"mymodel": model()[0]})
    column = new.nitrogendioxide_tropospheric_column_MYMODEL_apriori
    np.testing.assert_allclose(column, given.column / MOL_M2, rtol=1e-6)


def test_the_true_profile_gives_the_true_column(orbit):
    """I2: V' = V M / M' with M' summed in the model's own layers, one after another."""
    with open_orbit(orbit.path) as opened:
        new = rt.substitute(opened, {"mymodel": model()[0]})
    column = new.nitrogendioxide_tropospheric_column_MYMODEL_apriori
    assert column.units == "mol m-2"
    assert float(column[0, 0]) < 0, "negative columns stay"
    for i, j in [(0, 0), (1, 2), (4, 5)]:  # the second has no weights below its ground
        expected = orbit.column[i, j] / MOL_M2 * orbit.amf[i, j] / slow_amf(orbit, i, j)
        assert float(column[i, j]) == pytest.approx(expected, rel=1e-6)  # float32 of the file
    assert "relative_change_MYMODEL_vs_GMI" in new


def test_weights_that_leave_out_the_temperature_get_its_factor(orbit, tmp_path):
    """The switch of the description: alpha(T) of the pixel's atmosphere at each layer."""
    own = Path(rt.__file__).parent / "l2" / "sensors" / "data" / "omno2.toml"
    changed = tmp_path / "omno2_without_temperature.toml"
    text = own.read_text(encoding="utf-8")
    text = text.replace('temperature = "included"', 'temperature = "left out"')
    changed.write_text(text.replace('name = "OMNO2"', 'name = "OMNO2T"', 1), encoding="utf-8")

    def alpha(pressure):
        surface, altitude = float(orbit.surface[4, 5]), 40.0
        t_ground = 288.15 - 6.5e-3 * altitude
        t = t_ground * (pressure / surface) ** (287.05287 * 6.5e-3 / 9.80665)
        d = max(t, 288.15 - 6.5e-3 * 11000.0) - 220.0
        return 1.0 - 0.00316 * d + 3.39e-6 * d * d

    with open_orbit(orbit.path, sensor=changed) as opened:
        assert opened.names.sensor == "OMNO2T"
        new = rt.substitute(opened, {"mymodel": model()[0]})
    amf = float(new.air_mass_factor_troposphere_MYMODEL_apriori[4, 5])
    assert amf == pytest.approx(slow_amf(orbit, 4, 5, alpha=alpha), rel=1e-6)
    assert amf < 0.95 * slow_amf(orbit, 4, 5)


def test_what_the_file_says_in_si(orbit):
    """Whole hPa become Pa, counts of TAI become UTC, names are found in any case."""
    with open_orbit(orbit.path) as opened:
        pixels = pixels_of(opened)
        times = opened.scanline_times(opened.full)
        assert opened.names.amf == ("AMFTrop" if "AMFTrop" in opened.variables else "AmfTrop")
    np.testing.assert_allclose(pixels.surface_pressure, orbit.surface.ravel(), rtol=1e-12)
    np.testing.assert_allclose(pixels.column, orbit.column.ravel() / MOL_M2, rtol=1e-7)
    # 8 leap seconds between 1993 and the middle of 2015: plain decoding is 8 s late
    start = np.datetime64("2015-06-15T18:00:00", "ms")
    np.testing.assert_array_equal(times, start + np.arange(7) * np.timedelta64(2000, "ms"))
    assert pixels.has_kernel.all(), "weights missing below the ground are those above"


def test_quality_is_a_rule_over_flags(orbit):
    """Bit 0 of the flags alone, the row anomaly and its fill, clouds by scaled numbers."""
    with open_orbit(orbit.path) as opened:
        quality, _ = opened.read_quality(opened.full)
    found = [int(quality[at]) for at in ((0, 0), (1, 0), (1, 1), (2, 2), (2, 3), (3, 3))]
    assert found == [100, 100, 0, 0, 0, 60]


def written(orbit, folder, layout):
    """Re-retrieve a box of an orbit into a file."""
    source = folder / "model.nc"
    model()[0].to_netcdf(source)
    out = folder / f"{layout}.he5"
    options = Options(bbox=(-74.8, 40.1, -73.7, 40.6))
    rt.reretrieve(orbit.path, Job({"mymodel": source}, layout=layout, options=options), out)
    return out


@pytest.mark.parametrize("layout", ["extend", "replace"])
def test_originals_of_the_crop_are_bit_identical(orbit, tmp_path, layout):
    """Every field of the swath, types and attributes; the text has the sizes of the crop."""
    out = written(orbit, tmp_path, layout)
    with h5py.File(orbit.path) as old, h5py.File(out) as new:
        structure = read_structure(new)
        sizes = structure.sizes
        first, last, _ = new[f"{SWATH}/Data Fields"].attrs["apriori_crop_scanline"]
        left, right, _ = new[f"{SWATH}/Data Fields"].attrs["apriori_crop_ground_pixel"]
        assert (sizes["nTimes"], sizes["nXtrack"]) == (last - first + 1, right - left + 1)
        assert sizes["nTimes"] < 7
        assert sizes["nXtrack"] < 6
        for section in ("Data Fields", "Geolocation Fields"):
            for name, field in old[f"{SWATH}/{section}"].items():
                kept = f"{SWATH}/{section}/{name}_GMI_apriori"
                copy = new[kept if kept in new else f"{SWATH}/{section}/{name}"]
                expected = field[...]
                if field.shape[:1] == (7,):
                    expected = expected[first : last + 1]
                if field.shape[:2] == (7, 6):
                    expected = expected[:, left : right + 1]
                assert copy.dtype == field.dtype
                np.testing.assert_array_equal(copy[...], expected, err_msg=name)
                for key, value in field.attrs.items():
                    assert np.array_equal(copy.attrs[key], value)
        for path, dimensions in structure.axes.items():
            assert new[path].shape == tuple(sizes[name] for name in dimensions), path
        assert f"{SWATH}/Data Fields/substitution_flag_MYMODEL" in structure.axes
    with netCDF4.Dataset(out) as again:  # readers of netCDF-4 open it
        assert "HDFEOS" in again.groups


def test_replaced_fields_carry_the_set_and_weights_stay(orbit, tmp_path):
    """Column, its sum with the stratosphere, air mass factor and spread; what cannot is fill."""
    out = written(orbit, tmp_path, "replace")
    with open_orbit(orbit.path) as opened:
        inside = rt.substitute(opened, {"mymodel": model()[0]})
    with h5py.File(out) as new:
        data = new[f"{SWATH}/Data Fields"]
        rows, columns = (
            slice(data.attrs[f"apriori_crop_{axis}"][0], data.attrs[f"apriori_crop_{axis}"][1] + 1)
            for axis in ("scanline", "ground_pixel")
        )
        expected = inside.nitrogendioxide_tropospheric_column_MYMODEL_apriori.values[rows, columns]
        column = data["ColumnAmountNO2Trop"]
        np.testing.assert_allclose(column[...], expected * MOL_M2, rtol=2e-7)  # two roundings
        assert column.attrs["apriori"].item().decode() == "MYMODEL"
        strat = data["ColumnAmountNO2Strat"][...]
        np.testing.assert_allclose(data["ColumnAmountNO2"][...], column[...] + strat, rtol=1e-6)
        old = data["ColumnAmountNO2Trop_GMI_apriori"][...]
        share = data["ColumnAmountNO2TropStd"][...] / np.abs(column[...])
        assert (share >= 0.2 * (1 - 1e-6)).all(), "the relative uncertainty is kept at least"
        assert not np.allclose(old, column[...], rtol=1e-3)
        assert (data["AmfTropClear"][...] == data["AmfTropClear"].fillvalue).all()
        assert "ScatteringWeight_GMI_apriori" not in data
    with open_orbit(out) as again:
        assert [one.label for one in find_columns(again)] == ["GMI", "MYMODEL"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"leave_out": ("ScatteringWeight",)}, "no variable ScatteringWeight"),
        ({"leave_out": ("TropopausePressure",)}, "no variable TropopausePressure"),
        ({"leave_out": ("ScatteringWtPressure",)}, "no variable ScatteringWtPressure"),
    ],
)
def test_orbits_that_cannot_be_re_retrieved_are_one_line(tmp_path, options, said):
    """Without weights, their pressures, or a tropopause."""
    given = build_omno2(tmp_path / NAME, **options)
    with pytest.raises(ProductError, match=said):
        open_orbit(given.path)


def test_what_the_layout_cannot_carry_is_refused(orbit, tmp_path):
    """No profiles in layers that the file does not have; no set named as the product's own."""
    with open_orbit(orbit.path) as opened:
        with pytest.raises(ProductError, match="has no layers for --profiles"):
            rt.substitute(opened, {"mymodel": model()[0]}, options=Options(profiles=True))
        with pytest.raises(AprioriError, match="Invalid set name GMI"):
            rt.substitute(opened, {"gmi": model()[0]})
    bare = build_omno2(tmp_path / NAME, struct_metadata=False)
    with pytest.raises(ProductError, match=r"names in StructMetadata\.0"):
        written(bare, tmp_path, "extend")


def test_kernels_stand_at_the_pressures_of_the_weights(orbit):
    """A' = w / M' at the file's own pressures up to the tropopause, 0 above."""
    with open_orbit(orbit.path) as opened:
        new = rt.substitute(opened, {"mymodel": model()[0]}, options=Options(kernels=True))
    kernel = new.averaging_kernel_troposphere_MYMODEL_apriori.values[4, 5]
    amf = float(new.air_mass_factor_troposphere_MYMODEL_apriori[4, 5])
    below = orbit.tropopause[4, 5] < 100.0 * NODES
    expected = np.where(below, orbit.weights[4, 5] / amf, 0.0)
    is_turned = kernel[0] == 0.0
    np.testing.assert_allclose(kernel[::-1] if is_turned else kernel, expected, rtol=1e-6)


def test_the_structure_of_a_real_file_is_read_and_kept(tmp_path):
    """All 65 fields of a real version 003 orbit, types and attributes, are cropped and kept."""
    found = sorted(REAL.glob("*OMNO2*.dmr.xml"))
    if not found:
        pytest.skip("the structure of a real OMNO2 file is not at hand (../shared/data/sensors)")
    given = build_omno2(tmp_path / NAME, structure=found[0])
    out = written(given, tmp_path, "extend")
    with h5py.File(given.path) as old, h5py.File(out) as new:
        n_old = sum(len(old[f"{SWATH}/{part} Fields"]) for part in ("Data", "Geolocation"))
        assert n_old == 65
        for section in ("Data Fields", "Geolocation Fields"):
            for name, field in old[f"{SWATH}/{section}"].items():
                copy = new[f"{SWATH}/{section}/{name}"]
                assert copy.dtype == field.dtype, name
                assert copy.shape[0] <= field.shape[0], name
                assert dict(copy.attrs).keys() == dict(field.attrs).keys(), name
        assert new[f"{SWATH}/Data Fields/SmallPixelRadiance"].ndim == 2
