"""WRF-Chem output: known columns, and those of the same field as plain CF."""

from __future__ import annotations

import shutil

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.physics.constants import AIR_COLUMN_PER_PASCAL
from retrieval.physics.levels import LocalLayers
from retrieval.substitution.options import Above
from tests.builders.model_files import TOP, Field, write_cf, write_wrf

ALL = slice(None)
COLUMN, AMF = "apriori_tropospheric_column_{}", "air_mass_factor_troposphere_{}_apriori"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Return a folder with one field in both conventions, the model's in single and double."""
    folder = tmp_path_factory.mktemp("wrf")
    for kind in ("f4", "f8"):
        write_wrf(folder / f"wrf_{kind}.nc", Field(), kind=kind)
    write_cf(folder / "cf.nc", Field(), kind="f8")
    return folder


def test_the_same_field_as_plain_cf_gives_the_same_columns(files):
    """To 1e-6 where both are in double precision; in single the grid's own digits are fewer."""
    sets = {"cf": "cf.nc", "double": "wrf_f8.nc", "single": "wrf_f4.nc"}
    new = rt.substitute(rt.sample("orbit"), {n: files / path for n, path in sets.items()})
    assert int((new.substitution_flag_DOUBLE == 0).sum()) == 144
    for name in (COLUMN, AMF):
        wanted = new[name.format("CF")].values
        np.testing.assert_allclose(new[name.format("DOUBLE")].values, wanted, rtol=1e-6)
        # 4e-6 degree of a float32 latitude are 1e-4 of a cell of 4 km
        np.testing.assert_allclose(new[name.format("SINGLE")].values, wanted, rtol=1e-5)


def test_a_constant_mixing_ratio_is_its_air(tmp_path):
    """1 ppb up to 50 hPa is (p_surface - p_top) 1e-9 / (g M), worked by hand in one corner."""
    path = write_wrf(tmp_path / "wrf.nc", Field(is_uniform=True))
    with open_apriori(path) as opened:
        assert isinstance(opened.vertical, LocalLayers)
        profile = opened.read(1, ALL, ALL)
        values, edges = opened.vertical.split(np.moveaxis(profile, 0, -1).astype(np.float64))
        ground, top = edges[..., 0], edges[..., -1]
        amount = (values * -np.diff(edges, axis=-1)).sum(axis=-1) * AIR_COLUMN_PER_PASCAL
        orography = opened.read_surface_altitude(ALL, ALL)
    # 1e-9 x (101058.93 - 5000) Pa / (9.80665 x 0.0289644) = 3.381836e-4 mol m-2 in the south
    np.testing.assert_allclose(amount[0, 0], 3.381836e-4, rtol=1e-6)  # digits of the number
    np.testing.assert_allclose(orography, Field().altitude, rtol=1e-6)  # float32
    np.testing.assert_allclose(top, TOP, rtol=1e-6)  # float32
    np.testing.assert_allclose(ground, Field().surface_pressure, rtol=1e-6)  # float32


def test_the_column_on_pixels_is_that_of_their_own_ground(tmp_path):
    """A uniform field gives each pixel v times the air between its ground and its tropopause."""
    path = write_wrf(tmp_path / "wrf.nc", Field(is_uniform=True))
    options = rt.Options(above=Above.NONE)
    new = rt.substitute(rt.sample("orbit"), {"wrf": path}, options)
    with rt.open_orbit(rt.sample("orbit")) as orbit:
        edges = orbit.pressure_edges(new.surface_pressure.values.ravel())
    tops = edges - new.surface_pressure.values.reshape(-1, 1)
    air = -1e-9 * tops * AIR_COLUMN_PER_PASCAL  # from the ground to each interface
    off = np.abs(new[COLUMN.format("WRF")].values.reshape(-1, 1) / np.where(air > 0, air, 1.0) - 1)
    np.testing.assert_allclose(off.min(axis=1), 0.0, atol=1e-6)  # float32 of the file


@pytest.mark.parametrize(
    ("without", "tolerance"),
    [
        (("PH", "PHB"), 3e-3),  # interfaces midway in pressure: layers a tenth of the air thick
        (("XLAT_U", "XLONG_U", "XLAT_V", "XLONG_V"), 3e-5),  # corners midway between centres
        (("PSFC", "P_TOP"), 1e-5),  # ln p goes on to the ground and the top
        (("HGT",), 1e-5),  # nothing rests on it
    ],
)
def test_what_a_file_lacks_follows_from_the_rest(files, tmp_path, without, tolerance):
    """Subsets without geopotential, staggered coordinates, or surface pressure are read."""
    path = write_wrf(tmp_path / "wrf.nc", Field(), without=without)
    new = rt.substitute(rt.sample("orbit"), {"cf": files / "cf.nc", "wrf": path})
    wanted, found = (new[COLUMN.format(name)].values for name in ("CF", "WRF"))
    np.testing.assert_allclose(found, wanted, rtol=tolerance)


def test_water_vapour_leaves_the_share_of_dry_air(files, tmp_path):
    """20 g of vapour a kg of dry air leave 1 / 1.02 of the air to a ratio of dry air."""
    path = shutil.copy(files / "wrf_f4.nc", tmp_path / "wrf.nc")
    with netCDF4.Dataset(path, "a") as ds:
        ds.createVariable("QVAPOR", "f4", ds["no2"].dimensions)[...] = 0.02
    with open_apriori(path) as humid, open_apriori(files / "wrf_f4.nc") as dry:
        n = humid.vertical.n_layer
        found, wanted = humid.read(0, ALL, ALL)[:n], dry.read(0, ALL, ALL)[:n]
    np.testing.assert_allclose(found, wanted / 1.02, rtol=1e-6)  # float32


def test_it_is_known_by_content_and_may_be_many_files(files, tmp_path):
    """Whatever the name; hours of one day in three files make one set."""
    for i in range(3):
        with netCDF4.Dataset(files / "wrf_f4.nc") as ds:
            ds.set_auto_maskandscale(False)
            held = {n: (v.dimensions, v[...], v.dtype) for n, v in ds.variables.items()}
        with netCDF4.Dataset(tmp_path / f"part{i}", "w") as ds:
            for name, (dimensions, values, kind) in held.items():
                values = values[i : i + 1]
                for dimension, size in zip(dimensions, values.shape, strict=True):
                    if dimension not in ds.dimensions:
                        ds.createDimension(dimension, size)
                variable = ds.createVariable(name, kind, dimensions)
                variable[...] = values
                if name == "no2":
                    variable.units = "ppmv"
    with open_apriori(tmp_path) as opened, open_apriori(files / "wrf_f4.nc") as whole:
        assert opened.kind == whole.kind == "WRF-Chem"
        np.testing.assert_array_equal(opened.times, whole.times)
        np.testing.assert_array_equal(opened.read(2, ALL, ALL), whole.read(2, ALL, ALL))


def _times(ds):
    ds["Times"][0] = np.array(list("a day without name!"), "S1")


def _moving(ds):
    ds["XLAT"][1] += 1.0


def _nowhere(ds):
    ds["XLONG"][...] = np.nan


def _no_sides(ds):
    ds["XLAT_U"][...] = np.nan


def _falling(ds):
    ds["PSFC"][...] = 50000.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_times, r"Invalid times of .* such as 2023-06-01_12:00:00. Given"),
        (_moving, "must stay in its place"),
        (_nowhere, "Given none that is not missing"),
        (_no_sides, "Given none that is not missing"),
        (_falling, "Layers must follow each other from the surface up"),
        (lambda ds: ds["no2"].setncattr("units", "%"), "Invalid unit of no2"),
    ],
)
def test_what_cannot_be_used_gives_one_line(files, tmp_path, change, message):
    """Four parts in one line, as everywhere."""
    path = shutil.copy(files / "wrf_f4.nc", tmp_path / "wrf.nc")
    with netCDF4.Dataset(path, "a") as ds:
        change(ds)
    with pytest.raises(AprioriError, match=message) as error, open_apriori(path) as opened:
        opened.read(0, ALL, ALL)
    assert "\n" not in str(error.value)
