"""Fields with two-dimensional coordinates, and on a rotated pole, as a priori of an orbit."""

from __future__ import annotations

import netCDF4
import numpy as np
import pyproj
import pytest

from retrieval.apriori.formats.planes import unrotate
from retrieval.apriori.inspect import describe_file
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.geometry.curvilinear import CurvilinearGrid
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.files import DAY, build_workspace, write_profiles

ALL = slice(None)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return build_workspace(tmp_path_factory.mktemp("workspace"))


def curvilinear_twin(source, target, *, corners=False, coordinates=True):
    """Write a profile file's field once more, its axes as two-dimensional coordinates."""
    with netCDF4.Dataset(source) as old, netCDF4.Dataset(target, "w") as new:
        no2 = old["no2"]
        y, x = np.asarray(old["latitude"][:]), np.asarray(old["longitude"][:])
        for name, size in zip(("time", "height", "nj", "ni"), no2.shape, strict=True):
            new.createDimension(name, size)
        for name in ("time", "height"):
            copied = new.createVariable(name, "f8", (name,))
            copied[:] = old[name][:]
            copied.setncatts({k: old[name].getncattr(k) for k in ("units", "standard_name")})
        for name, values in zip(("lon", "lat"), np.meshgrid(x, y), strict=True):
            written = new.createVariable(name, "f8", ("nj", "ni"))
            written[:] = values
            written.units = "degrees_east" if name == "lon" else "degrees_north"
            if corners:
                step = (x if name == "lon" else y)[1] - (x if name == "lon" else y)[0]
                signs = [-1, 1, 1, -1] if name == "lon" else [-1, -1, 1, 1]
                if "corner" not in new.dimensions:
                    new.createDimension("corner", 4)
                bounds = new.createVariable(f"{name}_bnds", "f8", ("nj", "ni", "corner"))
                bounds[:] = values[..., None] + 0.5 * step * np.array(signs)
                written.bounds = f"{name}_bnds"
        field = new.createVariable("no2", "f4", ("time", "height", "nj", "ni"))
        field.units = no2.units
        if coordinates:
            field.coordinates = "lat lon"
        field[:] = no2[:]
    return target


def columns_of(path):
    with netCDF4.Dataset(path) as file:
        product = file["PRODUCT"]
        flag = np.asarray(product["substitution_flag_A"][:])
        column = product["nitrogendioxide_tropospheric_column_A_apriori"][:].filled(np.nan)
        return flag, column


@pytest.mark.parametrize(("corners", "coordinates"), [(False, True), (True, True), (False, False)])
def test_a_regular_field_written_as_a_curvilinear_one_gives_its_columns(
    workspace, tmp_path, corners, coordinates
):
    """From centres, from corners, and where the field does not name its coordinates."""
    plain = write_profiles(tmp_path / "plain.nc")
    twin = curvilinear_twin(plain, tmp_path / "twin.nc", corners=corners, coordinates=coordinates)
    assert isinstance(open_apriori(twin).grid, CurvilinearGrid)
    found = []
    for i, path in enumerate((plain, twin)):
        reretrieve(workspace.orbit, {"a": path}, tmp_path / f"{i}.nc")
        found.append(columns_of(tmp_path / f"{i}.nc"))
    done = found[0][0] == 0
    assert done.sum() > 20
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_allclose(found[1][1][done], found[0][1][done], rtol=1e-6)
    described = describe_file(twin)
    assert described["grid"]["horizontal_rule"] == "exact overlap"


def test_the_rotated_pole_is_that_of_pyproj():
    """Points anywhere, by the formula of CF and by PROJ."""
    mapping = {
        "grid_mapping_name": "rotated_latitude_longitude",
        "grid_north_pole_latitude": 39.25,
        "grid_north_pole_longitude": -162.0,
    }
    to_true = pyproj.Transformer.from_crs(pyproj.CRS.from_cf(mapping), "EPSG:4326", always_xy=True)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-25.0, 25.0, 100), rng.uniform(-20.0, 20.0, 100)
    latitude, longitude = unrotate(x, y, 39.25, -162.0)
    expected = to_true.transform(x, y)
    np.testing.assert_allclose(longitude, expected[0], atol=1e-9)
    # PROJ's sphere and ellipsoid have one latitude here: nothing is converted
    np.testing.assert_allclose(latitude, expected[1], atol=1e-9)


def write_rotated(path, *, pole=True):
    """Write a constant field on a rotated pole over the test orbit, without true coordinates."""
    with netCDF4.Dataset(path, "w") as ds:
        axes = {
            "rlon": (np.arange(-14.0, -6.0, 0.1), "grid_longitude"),
            "rlat": (np.arange(-5.0, 2.0, 0.1), "grid_latitude"),
        }
        for name, (values, standard_name) in axes.items():
            ds.createDimension(name, values.size)
            axis = ds.createVariable(name, "f8", (name,))
            axis[:] = values
            axis.setncatts({"standard_name": standard_name, "units": "degrees"})
        ds.createDimension("time", 1)
        time = ds.createVariable("time", "f8", ("time",))
        time[:], time.units = 12.0, f"hours since {DAY}"
        ds.createDimension("height", 3)
        height = ds.createVariable("height", "f8", ("height",))
        height[:] = [0.0, 1000.0, 5000.0]
        height.setncatts({"standard_name": "height", "units": "m"})
        mapping = ds.createVariable("rotated_pole", "i4", ())
        mapping.grid_mapping_name = "rotated_latitude_longitude"
        if pole:
            mapping.grid_north_pole_latitude = 39.25
            mapping.grid_north_pole_longitude = -162.0
        no2 = ds.createVariable("no2", "f4", ("time", "height", "rlat", "rlon"))
        no2.setncatts({"units": "ug m-3", "grid_mapping": "rotated_pole"})
        no2[:] = 5.0
    return path


def test_a_field_on_a_rotated_pole_is_read(workspace, tmp_path):
    """A constant field is that constant over every pixel, whole pixels are covered to 1."""
    opened = open_apriori(write_rotated(tmp_path / "rotated.nc"))
    grid = opened.grid
    assert isinstance(grid, CurvilinearGrid)
    latitude, longitude = unrotate(np.array(-14.0), np.array(-5.0), 39.25, -162.0)
    np.testing.assert_allclose(grid.latitude[0, 0], latitude)
    np.testing.assert_allclose(grid.longitude[0, 0], longitude)
    opened.close()
    with open_orbit(workspace.orbit) as orbit:
        lat, lon = orbit.read_corners(orbit.full)
    weights = grid.footprint_weights(lat.reshape(-1, 4), lon.reshape(-1, 4))
    share = weights.matrix.sum(axis=1)
    assert (share > 0.99).sum() > 20
    np.testing.assert_allclose(share[share > 0.99], 1.0, atol=1e-9)


def test_a_rotated_pole_that_does_not_say_where_is_refused(tmp_path):
    """The mapping must have the pole."""
    with pytest.raises(AprioriError, match="A rotated pole must say where it is"):
        open_apriori(write_rotated(tmp_path / "rotated.nc", pole=False))
