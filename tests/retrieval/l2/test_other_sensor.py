"""The interface holds for a product unlike TROPOMI's: other names, groups, units, conventions.

The sensor is made up: two pixel dimensions without `time`, scattering weights top first on fixed
pressures, the tropopause as a pressure, columns in molecules cm-2, no total air mass factor.
"""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.files.provenance import Provenance
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.labels import orbit_dataset
from retrieval.l2.names import SensorNames
from retrieval.l2.open_orbit import sensors
from retrieval.l2.orbit import Orbit
from retrieval.l2.pixels import Crop, Tropopause
from retrieval.l2.product.table import ProductTable, SetTable
from retrieval.l2.product.write import write_product

SHAPE, EDGES = (6, 4), np.array([1000e2, 700e2, 400e2, 150e2, 0.0])
N_LAYER = EDGES.size - 1
PER_MOL = 6.02214076e19
NAMES = SensorNames(
    sensor="MADEUP",
    product="MADEUP_NO2",
    column="vertical_column_troposphere",
    amf="amf_troposphere",
    group="product",
    amf_group="support_data",
    pixel_dimensions=("/mirror_step", "/xtrack"),
    layer_dimension="/level",
    fields={
        "surface_pressure": "surface_pressure",
        "column": "vertical_column_troposphere",
        "amf_troposphere": "amf_troposphere",
    },
    kernel="scattering_weights",
    units="molecules/cm^2",
    per_mol_m2=PER_MOL,
)


class MadeUp(Orbit):
    names, required, advice = NAMES, tuple(NAMES.fields.values()), "Give a made-up file."
    needs = {"reretrieve": required}  # noqa: RUF012
    n_layer, is_reversed = N_LAYER, True

    @classmethod
    def matches(cls, dataset):
        return "support_data" in dataset.groups

    def check(self):
        self.assumptions.append("everything is made up")

    def scanline_times(self, crop):
        start = np.datetime64("2024-06-01T17:00", "ms")
        return start + np.arange(crop.scanline.start, crop.scanline.stop) * np.timedelta64(1, "s")

    def pressure_edges(self, surface_pressure):
        return np.broadcast_to(EDGES, (surface_pressure.size, EDGES.size))

    def read_tropopause(self, crop):
        pressure = self.read("tropopause_pressure", crop)
        return Tropopause(np.isfinite(pressure), pressure=pressure)

    def weights(self, kernel, amf_total):
        assert amf_total is None
        return kernel


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    corner = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]]) * 0.05
    lat, lon = np.meshgrid(40.0 + 0.1 * np.arange(6), -80.0 + 0.1 * np.arange(4), indexing="ij")
    return {
        "latitude": lat,
        "longitude": lon,
        "latitude_bounds": lat[..., None] + corner[:, 0],
        "longitude_bounds": lon[..., None] + corner[:, 1],
        "vertical_column_troposphere": rng.normal(3e15, 1e15, SHAPE),
        "amf_troposphere": rng.uniform(0.8, 2.0, SHAPE),
        "surface_pressure": rng.uniform(950e2, 1010e2, SHAPE),
        "tropopause_pressure": np.full(SHAPE, 200e2),
        "scattering_weights": rng.uniform(0.3, 2.5, (*SHAPE, N_LAYER)),
    }


@pytest.fixture(scope="module")
def path(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "madeup.nc"
    with netCDF4.Dataset(path, "w") as file:
        for name, size in zip(("mirror_step", "xtrack", "level", "corner"), (*SHAPE, 4, 4),
                              strict=True):  # fmt: skip
            file.createDimension(name, size)
            file.createVariable(name, "i4", (name,))[:] = np.arange(size)
        for name, values in arrays.items():
            group = "product" if name.startswith("vertical") else "support_data"
            last = {"scattering_weights": ("level",)}.get(name, ("corner",))
            dimensions = ("mirror_step", "xtrack", *(last if values.ndim == 3 else ()))
            new = file.createGroup(group).createVariable(name, "f4", dimensions, fill_value=-1e30)
            new.units = NAMES.units if group == "product" else "1"
            new[:] = values
    return path


@pytest.fixture
def orbit(path):
    dataset = netCDF4.Dataset(path)
    dataset.set_auto_maskandscale(False)
    with MadeUp(path, dataset) as opened:
        opened.check()
        yield opened


def test_pixels_are_in_si_and_surface_first(orbit, arrays):
    """Columns in mol m-2, weights turned, layers below the tropopause pressure."""
    found = OrbitBlocks(orbit, orbit.full).read(slice(0, 6))
    expected = arrays["vertical_column_troposphere"].astype("f4").ravel().astype(float) / PER_MOL
    np.testing.assert_allclose(found.column, expected, rtol=1e-12)  # float64 of the stored float32
    weights = arrays["scattering_weights"].astype("f4").reshape(-1, N_LAYER)
    np.testing.assert_array_equal(found.weights, weights[:, ::-1])
    # mid-pressures 850, 550, 275, 75 hPa; tropopause at 200 hPa
    np.testing.assert_array_equal(found.is_troposphere[0], [True, True, True, False])
    assert found.amf_total is None
    assert found.has_kernel.all()
    assert found.assumed_altitude.all()


def test_a_copy_has_new_variables_in_their_groups_and_units(orbit, path, tmp_path):
    """Columns beside the column, air mass factors beside theirs; own names, own unit."""
    crop = Crop(slice(1, 5), slice(1, 4))
    table = SetTable.empty("CAMS", crop.shape, N_LAYER, {"kernels"})
    table.tropospheric_column[:] = orbit.read_fields(crop)["column"] * 1.25
    table.air_mass_factor_troposphere[:] = 0.8
    table.averaging_kernel_troposphere[:] = 1.5
    for name in ("apriori_tropospheric_column", "apriori_tropospheric_column_kernel"):
        getattr(table, name)[:] = 1e-5
    result = ProductTable(NAMES, [table], None, {})
    about = Provenance("a test", "2026-01-02T03:04:05Z", {}, (), {})
    out = write_product(path, tmp_path / "out.nc", result, about, crop=crop)
    with netCDF4.Dataset(out) as file:
        column = file["product/vertical_column_troposphere_CAMS_apriori"]
        original = file["product/vertical_column_troposphere"]
        assert column.dimensions == ("mirror_step", "xtrack")
        assert column.units == NAMES.units
        np.testing.assert_allclose(
            column[:], 1.25 * original[:], rtol=2e-7
        )  # two float32 roundings
        assert file["support_data/amf_troposphere_CAMS_apriori"][0, 0] == np.float32(0.8)
        kernel = file["product/averaging_kernel_troposphere_CAMS_apriori"]
        assert kernel.dimensions[-1] == "level"
        assert file["product"].apriori_sets == "CAMS"
        assert file["xtrack"][:].tolist() == [1, 2, 3]


def test_replace_puts_the_set_under_the_sensors_names(orbit, path, tmp_path):
    """The weights do not depend on the a priori and stay; originals are kept beside."""
    table = SetTable.empty("CAMS", orbit.shape, N_LAYER, set())
    table.tropospheric_column[:] = 2e-5
    table.air_mass_factor_troposphere[:] = 0.8
    about = Provenance("a test", "2026-01-02T03:04:05Z", {}, (), {})
    result = ProductTable(NAMES, [table], None, {})
    out = write_product(path, tmp_path / "out.nc", result, about, layout="replace")
    with netCDF4.Dataset(out) as file, netCDF4.Dataset(path) as before:
        own = file["product/vertical_column_troposphere"][:]
        np.testing.assert_allclose(own, 2e-5 * PER_MOL, rtol=2e-7)  # float32
        kept = file["product/vertical_column_troposphere_TM5_apriori"][:]
        np.testing.assert_array_equal(kept, before["product/vertical_column_troposphere"][:])
        assert (file["support_data/amf_troposphere"][:] == np.float32(0.8)).all()
        name = "support_data/scattering_weights"
        np.testing.assert_array_equal(file[name][:], before[name][:])


def test_datasets_have_the_names_of_tropomi(orbit):
    """One recipe reads every sensor: names and mol m-2 are the same."""
    made = orbit_dataset(orbit)
    column = made.nitrogendioxide_tropospheric_column
    assert column.attrs["units"] == "mol m-2"
    assert float(column.mean()) == pytest.approx(3e15 / PER_MOL, rel=0.2)  # 24 pixels of 1e15 noise
    assert made.attrs["sensor"] == "MADEUP"
    assert "qa_value" not in made


def test_sensors_are_found_by_looking():
    """A module with SENSOR is a sensor; each names its column and group."""
    names = [sensor.names.sensor for sensor in sensors()]
    assert "TROPOMI" in names
    assert len(set(names)) == len(names)
    for sensor in sensors():
        assert sensor.names.column in sensor.names.fields.values()
        assert sensor.names.group
