"""Simulated orbits in the layouts of other sensors: both identities hold for what is read back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.errors import ProductError
from retrieval.l2.open_orbit import open_orbit
from retrieval.simulate.options import SimulationOptions
from retrieval.simulate.other_products import PRODUCTS, write_as
from retrieval.simulate.scene import synthetic_scene
from retrieval.simulate.simulate_orbit import simulate_orbit
from retrieval.substitution.gate import recompute
from retrieval.substitution.options import Above, Options
from retrieval.substitution.substitute import substitute
from tests.builders.simulation_builder import small_model, small_swath, small_truth

UPPER = Options(above=Above.UPPER, crop="none")
FLOAT32 = 2e-6
"""Kernel, both air mass factors and the column are stored in single precision."""


@pytest.fixture(scope="module")
def model():
    """Return the model."""
    return small_model()


@pytest.fixture(scope="module")
def simulated(model):
    """Return an orbit without noise, of a truth on the model's layers."""
    swath = small_swath(3)
    scene = synthetic_scene(swath, real_land=False)
    truth = small_truth(vertical="layers")
    options = SimulationOptions(slant_noise=0.0, keep_profiles=True)
    return truth, simulate_orbit(truth, model, scene, swath, options)


INVENTED = """
[surface]
pressure = "invented_surface_pressure"
altitude = "invented_altitude"
[sensitivity]
kind = "total kernel"
variable = "invented_kernel"
a = "invented_a"
b = "invented_b"
tropopause_pressure = "invented_tropopause"
"""
"""What the package's description of Sentinel-4 lacks, with the names of the simulated files."""


def description(folder):
    """Write Sentinel-4's description with names of kernels, as a user would."""
    own = Path(rt.__file__).parent / "l2" / "sensors" / "data" / "sentinel4.toml"
    text = own.read_text(encoding="utf-8")
    total = '[air_mass_factors]\ntotal = "invented_total_air_mass_factor"'
    path = folder / "sentinel4.toml"
    path.write_text(text.replace("[air_mass_factors]", total) + INVENTED, encoding="utf-8")
    return path


def new_columns(path, apriori, model, sensor=None):
    """Re-retrieve: the sensor, and columns."""
    with open_orbit(path, sensor=sensor) as orbit:
        result, _ = substitute(orbit, {"set": apriori}, UPPER, upper=model.no2)
        return orbit.names.sensor, result.sets[0].tropospheric_column


@pytest.mark.parametrize("sensor", PRODUCTS)
def test_both_identities_hold(tmp_path, simulated, model, sensor):
    """I1: the model gives back the column. I2: the truth gives the true one."""
    truth, orbit = simulated
    path = write_as(orbit, sensor, tmp_path / "a.nc")
    given_with = description(tmp_path) if sensor == "Sentinel-4" else None
    found, same = new_columns(path, model.no2, model, given_with)
    assert found == sensor
    given = orbit.content.variables["nitrogendioxide_tropospheric_column"]
    is_done = np.isfinite(same)
    assert is_done.sum() > 200
    np.testing.assert_allclose(same[is_done], given[is_done], rtol=FLOAT32)
    _, true = new_columns(path, truth, model, given_with)
    is_done = np.isfinite(true)
    assert is_done.sum() > 50
    expected = orbit.truth["true_tropospheric_column"][is_done]
    np.testing.assert_allclose(true[is_done], expected, rtol=FLOAT32)


def test_a_simulated_granule_of_tempo_closes(tmp_path, simulated):
    """Its own profile gives its air mass factors, and times are those of the orbit."""
    _, orbit = simulated
    path = write_as(orbit, "TEMPO", tmp_path / "a.nc")
    with open_orbit(path) as opened:
        gate = recompute(opened)
        times = opened.scanline_times(opened.full)
        assert opened.is_synthetic
    assert gate.chosen.difference < 1e-3  # percent; single precision
    np.testing.assert_array_equal(times, orbit.content.scanline_time.astype(times.dtype))


@pytest.mark.parametrize("sensor", ["TROPOMI", "QA4ECV", "Sentinel-5"])
def test_total_kernels_close_with_the_model_that_they_were_made_with(
    tmp_path, simulated, model, sensor
):
    """The gate with the a priori given as a set; another tropopause rule would not close."""
    _, orbit = simulated
    path = tmp_path / "a.nc"
    if sensor == "TROPOMI":
        path, _ = orbit.write(tmp_path)
    else:
        write_as(orbit, sensor, path)
    with open_orbit(path) as opened:
        gate = recompute(opened, model.no2)
        assert recompute(opened) is None, "the file itself has no a priori"
    assert gate.closes
    assert gate.chosen.difference < 1e-3  # percent; single precision
    turned = [one for one in gate.others if one.order == "turned round"]
    assert min(one.difference for one in turned) > 1.0


def test_what_cannot_be_written_is_one_line(tmp_path, simulated):
    """An unknown sensor, an orbit without profiles, TEMPO before its count of seconds is known."""
    _, orbit = simulated
    with pytest.raises(ValueError, match="Invalid sensor"):
        write_as(orbit, "ENVISAT", tmp_path / "a.nc")
    with pytest.raises(ValueError, match="keep_profiles"):
        write_as(replace(orbit, profiles={}), "TEMPO", tmp_path / "a.nc")
    early = orbit.content.scanline_time - np.timedelta64(3650, "D")
    old = replace(orbit, content=replace(orbit.content, scanline_time=early))
    with pytest.raises(ProductError, match="from 2017 on"):
        write_as(old, "TEMPO", tmp_path / "a.nc")
    assert not list(tmp_path.iterdir())


def test_layers_of_sentinel5_are_stored_top_first(tmp_path, simulated):
    """As the product does it; the kernel goes with its half levels."""
    _, orbit = simulated
    with netCDF4.Dataset(write_as(orbit, "Sentinel-5", tmp_path / "a.nc")) as file:
        a = file["data/PRODUCT/SUPPORT_DATA/INPUT_DATA/pressure_coefficient_a"][:]
        b = file["data/PRODUCT/SUPPORT_DATA/INPUT_DATA/pressure_coefficient_b"][:]
    assert (np.diff(a + b * 1e5) > 0).all()
