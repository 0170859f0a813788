"""The simulator and the retrieval are each other's inverse, and its files look like real ones."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace

import netCDF4
import numpy as np
import pytest

from retrieval.errors import NoOverlapError
from retrieval.files.fills import FILL_INT
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.simulate.options import Failures, failure_codes
from retrieval.simulate.scene import synthetic_scene
from retrieval.simulate.simulate_orbit import SimulationOptions, simulate_orbit
from retrieval.simulate.truth_file import truth_path
from retrieval.substitution.options import Above, Options
from retrieval.substitution.substitute import substitute
from tests.builders.simulation_builder import (
    HEIGHTS,
    small_model,
    small_swath,
    small_truth,
)

COLUMN = "nitrogendioxide_tropospheric_column"
QUIET = SimulationOptions(slant_noise=0.0)
UPPER = Options(above=Above.UPPER, crop="none")
# fmt: off
DENSE = np.array([
    0.0, 25, 50, 100, 150, 200, 250, 375, 500, 625, 750, 875, 1000, 1250, 1500, 1750, 2000, 2500,
    3000, 4000, 5000, 6500, 8000, 10e3, 12e3, 14e3, 16e3,
])
# fmt: on
FLOAT32 = 1e-6  # relative: kernel, air mass factors and column are stored in float32


@pytest.fixture(scope="module")
def swath():
    return small_swath()


@pytest.fixture(scope="module")
def scene(swath):
    return synthetic_scene(swath, real_land=False)


@pytest.fixture(scope="module")
def model():
    return small_model()


@pytest.fixture(scope="module")
def exact(swath, scene, model):
    """Return a simulation without noise or failures, with its profiles."""
    options = replace(QUIET, failures=Failures.none(), keep_profiles=True)
    return simulate_orbit(small_truth(), model, scene, swath, options)


@pytest.fixture(scope="module")
def ordinary(swath, scene, model):
    """Return a simulation with everything on."""
    return simulate_orbit(small_truth(), model, scene, swath, SimulationOptions())


def reretrieved(path, apriori, model):
    """Return column, air mass factor and where they were computed, of one set."""
    with open_orbit(path) as orbit:
        result, _ = substitute(orbit, {"set": apriori}, UPPER, upper=model.no2)
    fields = result.sets[0]
    is_done = fields.substitution_flag == SubstitutionFlag.DONE
    return fields.tropospheric_column.astype(float), fields.air_mass_factor_troposphere, is_done


@pytest.mark.parametrize("vertical", ["heights", "layers"])
def test_true_profile_gives_the_true_column(tmp_path, swath, scene, model, vertical):
    """Identity I2: no noise, float32 storage, every valid pixel to 1e-6."""
    truth = small_truth(vertical=vertical)
    simulated = simulate_orbit(truth, model, scene, swath, QUIET)
    path, side = simulated.write(tmp_path)
    column, _, is_done = reretrieved(path, truth, model)
    with netCDF4.Dataset(side) as file:
        true = file["true_tropospheric_column"][:].filled(np.nan)
    assert is_done.sum() > 200
    np.testing.assert_allclose(column[is_done], true[is_done], rtol=FLOAT32)


def test_model_profile_changes_nothing(tmp_path, ordinary, model):
    """Identity I1: the operational a priori gives back column and air mass factor, with noise."""
    path, _ = ordinary.write(tmp_path)
    column, amf, is_done = reretrieved(path, model.no2, model)
    variables = ordinary.content.variables
    assert is_done.mean() > 0.8
    given = variables[COLUMN][is_done]
    assert (given < 0).any()
    np.testing.assert_allclose(column[is_done], given, rtol=FLOAT32)
    expected = variables["air_mass_factor_troposphere"][is_done]
    np.testing.assert_allclose(amf[is_done], expected, rtol=FLOAT32)


def test_finer_truth_is_retrieved_within_a_percent(tmp_path, swath, scene, model):
    """Truth on 1 km and 50 m, a priori on 2 km and 27 heights: columns agree to 1 percent."""
    heights = np.concatenate([np.arange(0, 3000, 50), np.arange(3000, 16001, 500)]).astype(float)
    fine = small_truth(spacing=0.01, heights=heights)
    clear = replace(scene, cloud_fraction=np.zeros(swath.shape))
    simulated = simulate_orbit(fine, model, clear, swath, QUIET)
    path, _ = simulated.write(tmp_path)
    column, _, is_done = reretrieved(path, small_truth(spacing=0.02, heights=DENSE), model)
    true = simulated.truth["true_tropospheric_column"]
    assert is_done.sum() > 200
    np.testing.assert_allclose(column[is_done], true[is_done], rtol=0.01)


def test_definitions_close(exact):
    """M_total V_apr, M_trop and M_strat follow from the stored kernel and the a priori."""
    variables = exact.content.variables
    s = variables["averaging_kernel"] * variables["air_mass_factor_total"][..., None]
    x = exact.profiles["apriori_partial_column"]
    index = variables["tm5_tropopause_layer_index"]
    keep = np.arange(34) <= index[..., None]
    for name, part in (("total", keep | True), ("troposphere", keep), ("stratosphere", ~keep)):
        expected = (s * x).sum(-1, where=part) / x.sum(-1, where=part)
        np.testing.assert_allclose(
            variables[f"air_mass_factor_{name}"], expected, rtol=FLOAT32, err_msg=name
        )
    summed = variables["air_mass_factor_troposphere"] * x.sum(-1, where=keep) + variables[
        "air_mass_factor_stratosphere"
    ] * x.sum(-1, where=~keep)
    # float64 all the way
    np.testing.assert_allclose(variables["air_mass_factor_total"] * x.sum(-1), summed, rtol=1e-12)


def test_columns_are_those_of_the_truth(exact):
    """N = sum s x_true; V = (N - M_strat V_strat) / M_trop; the stratosphere is the model's."""
    variables, truth = exact.content.variables, exact.truth
    s = variables["averaging_kernel"] * variables["air_mass_factor_total"][..., None]
    slant = (s * exact.profiles["true_partial_column"]).sum(-1)
    np.testing.assert_allclose(truth["true_slant_column_density"], slant, rtol=FLOAT32)
    stratosphere = variables["nitrogendioxide_stratospheric_column"]
    np.testing.assert_array_equal(stratosphere, truth["true_stratospheric_column"])
    column = (
        variables["nitrogendioxide_slant_column_density"]
        - variables["air_mass_factor_stratosphere"] * stratosphere
    ) / variables["air_mass_factor_troposphere"]
    np.testing.assert_allclose(variables[COLUMN], column, rtol=1e-12)  # float64


def test_clouds_mix_by_their_light(exact, scene):
    """M_trop = w M_cloudy + (1 - w) M_clear; over snow the scene takes the cloud's place."""
    variables = exact.content.variables
    w = variables["cloud_radiance_fraction_nitrogendioxide_window"]
    clear, cloudy = (variables[f"air_mass_factor_{n}"] for n in ("clear", "cloudy"))
    mixed = w * cloudy + (1.0 - w) * clear
    is_snow = scene.snow_ice_flag == 103
    expected = np.where(is_snow, cloudy, mixed)
    np.testing.assert_allclose(variables["air_mass_factor_troposphere"], expected, rtol=1e-12)
    assert ((w == 0) == (scene.cloud_fraction.astype(np.float32) == 0)).all()
    assert (w > scene.cloud_fraction)[(w > 0) & (w < 1)].all()  # clouds are brighter


def test_ghost_column_is_what_clouds_hide(exact):
    """Zero in clear pixels, below the a-priori column elsewhere, large under thick clouds."""
    variables = exact.content.variables
    ghost = variables["nitrogendioxide_ghost_column"]
    w = variables["cloud_radiance_fraction_nitrogendioxide_window"]
    apriori = exact.truth["apriori_tropospheric_column"]
    assert (ghost[w == 0] == 0).all()
    assert (ghost <= w * apriori * (1 + 1e-12)).all()
    assert (ghost / apriori)[w > 0.9].mean() > 0.4


def test_noise_enters_through_the_air_mass_factor(exact, swath, scene, model):
    """V changes by noise / M_trop; the noise has the standard deviation asked for."""
    options = replace(SimulationOptions(), failures=Failures.none())
    noisy = simulate_orbit(small_truth(), model, scene, swath, options)
    difference = noisy.content.variables[COLUMN] - exact.content.variables[COLUMN]
    noise = noisy.truth["slant_column_noise"]
    amf = noisy.content.variables["air_mass_factor_troposphere"]
    # the difference of columns of 1e-4 mol m-2 in float64
    np.testing.assert_allclose(difference, noise / amf, rtol=1e-9, atol=1e-18)
    # 5400 draws: 1 percent is one standard error
    assert noise.std() * MOLEC_CM2_PER_MOL_M2 == pytest.approx(0.55e15, rel=0.04)


def test_error_of_the_stratosphere_goes_into_the_troposphere(exact, swath, scene, model):
    """An error e of V_strat changes V by -M_strat e / M_trop; it is smooth in space."""
    options = replace(QUIET, failures=Failures.none(), stratosphere_error=3e-6)
    wrong = simulate_orbit(small_truth(), model, scene, swath, options)
    variables = wrong.content.variables
    error = (
        variables["nitrogendioxide_stratospheric_column"] - wrong.truth["true_stratospheric_column"]
    )
    ratio = variables["air_mass_factor_stratosphere"] / variables["air_mass_factor_troposphere"]
    difference = variables[COLUMN] - exact.content.variables[COLUMN]
    # differences of numbers of 1e-4 mol m-2 in float64
    np.testing.assert_allclose(difference, -ratio * error, rtol=1e-7, atol=1e-16)
    assert 1e-7 < np.abs(error).max() < 2e-5
    assert np.abs(np.diff(error, axis=1)).max() < 0.05 * np.abs(error).max()


def test_truth_is_taken_at_the_time_of_the_pixel(swath, scene, model, exact):
    """An hour later the truth, which grows by a tenth of its first value an hour, is larger."""
    later = replace(swath, time=swath.time + np.timedelta64(1, "h"))
    options = replace(QUIET, failures=Failures.none())
    second = simulate_orbit(small_truth(), model, scene, later, options)
    is_covered = exact.truth["truth_coverage"] > 0.99
    assert is_covered.sum() > 200
    hours = (swath.time - np.datetime64("2023-07-10T10:00", "ms")) / np.timedelta64(1, "h")
    expected = ((1.0 + 0.1 * (hours + 1.0)) / (1.0 + 0.1 * hours))[:, None]
    ratio = second.truth["true_tropospheric_column"] / exact.truth["true_tropospheric_column"]
    expected = np.broadcast_to(expected, ratio.shape)
    np.testing.assert_allclose(ratio[is_covered], expected[is_covered], rtol=1e-6)  # float32 fields


def test_outside_of_the_truth_the_model_is_true(exact):
    """Pixels without coverage have the a priori for truth, and so their own column."""
    is_outside = exact.truth["truth_coverage"] == 0.0
    assert is_outside.mean() > 0.5
    apriori = exact.truth["apriori_tropospheric_column"][is_outside]
    np.testing.assert_array_equal(exact.truth["true_tropospheric_column"][is_outside], apriori)
    np.testing.assert_allclose(exact.content.variables[COLUMN][is_outside], apriori, rtol=1e-9)


def test_truth_that_ends_low_is_continued_by_the_model(swath, scene, model):
    """Above 5 km the model's NO2 is added, as mode `upper` adds it."""
    options = replace(QUIET, failures=Failures.none(), keep_profiles=True)
    low = small_truth(heights=HEIGHTS[HEIGHTS <= 5000])
    profiles = simulate_orbit(low, model, scene, swath, options).profiles
    true, apriori = profiles["true_partial_column"], profiles["apriori_partial_column"]
    np.testing.assert_array_equal(true[..., 12:], apriori[..., 12:])
    assert (true[..., 0] != apriori[..., 0]).mean() > 0.05


def test_truth_stays_out_of_the_file(tmp_path, ordinary):
    """No variable of the L2 file tells the truth or the a-priori profile; the side file does."""
    path, side = ordinary.write(tmp_path)
    assert side == truth_path(path)
    with netCDF4.Dataset(path) as file:
        names = []

        def walk(group):
            names.extend(group.variables)
            for child in group.groups.values():
                walk(child)

        walk(file)
        assert not [n for n in names if "true" in n or "truth" in n or "apriori" in n]
        assert file["METADATA/GRANULE_DESCRIPTION"].ProcessorVersion == "2.4.0"
    with netCDF4.Dataset(side) as file:
        assert file.l2_file == path.name
        assert "synthetic" in file.title
        true = file["true_tropospheric_column"]
        assert true.units == "mol m-2" and true.dtype == np.float64
        np.testing.assert_array_equal(
            true[:].filled(np.nan), ordinary.truth["true_tropospheric_column"]
        )


def test_failed_pixels_have_fill_and_their_place(ordinary):
    """Failed pixels: code set, qa 0, retrieval fill, index fill; geolocation and input stay."""
    variables = ordinary.content.variables
    failed = (variables["processing_quality_flags"] & 0xFF) != 0
    assert 0.005 < failed.mean() < 0.1
    assert failed[:, 13].all()
    assert (variables["qa_value"][failed] == 0).all()
    assert (variables["tm5_tropopause_layer_index"][failed] == FILL_INT).all()
    for name in (COLUMN, "averaging_kernel", "air_mass_factor_total"):
        assert np.isnan(variables[name][failed]).all()
        assert np.isfinite(variables[name][~failed]).all()
    for name in ("latitude", "longitude_bounds", "surface_pressure", "solar_zenith_angle"):
        assert np.isfinite(variables[name]).all()
    edges = variables["tm5_tropopause_layer_index"][:, [0, -1]]
    assert set(np.unique(edges)) <= {FILL_INT, 0}


def test_low_sun_is_a_range_error(scene):
    """Beyond 88 degree nothing is retrieved: error 7, whatever else happened, as in real files."""
    zenith = np.broadcast_to(np.linspace(80.0, 96.0, scene.cloud_fraction.shape[1]), (12, 450))
    code = failure_codes(Failures(cloud=0.5), zenith, scene, np.random.default_rng(0))
    np.testing.assert_array_equal(code == 7, zenith > 88.0)
    assert set(np.unique(code)) <= {0, 7, 36, 41, 54}


def test_beyond_the_model_there_is_no_retrieval(swath, scene, model):
    """A model cut to an area leaves pixels outside as model errors, with fill, not as garbage."""
    rows, columns = slice(25, 34), slice(40, 52)

    def cut(field):
        values = field.values[:, :, rows, columns]
        return replace(field, grid=field.grid.crop(rows, columns), values=values)

    small = type(model)(cut(model.no2), cut(model.temperature), cut(model.tropopause))
    options = replace(QUIET, failures=Failures.none())
    simulated = simulate_orbit(small_truth(), small, scene, swath, options)
    variables = simulated.content.variables
    code = variables["processing_quality_flags"] & 0xFF
    assert 0.2 < (code == 37).mean() < 0.9
    np.testing.assert_array_equal(np.isnan(variables[COLUMN]), code == 37)
    x_centres, y_centres = small.no2.grid.x, small.no2.grid.y
    lon, lat = variables["longitude"], variables["latitude"]
    inside = (lon >= x_centres[0]) & (lon <= x_centres[-1])
    inside &= (lat >= y_centres[0]) & (lat <= y_centres[-1])
    np.testing.assert_array_equal(code == 0, inside)


def test_quality_follows_from_the_file(ordinary, scene):
    """Cloudy good pixels have 0.74, clear ones 1; recommended pixels are cloud-free."""
    variables = ordinary.content.variables
    qa = variables["qa_value"]
    w = variables["cloud_radiance_fraction_nitrogendioxide_window"]
    zenith = (variables[f"{n}_zenith_angle"] for n in ("solar", "viewing"))
    geometric = sum(1.0 / np.cos(np.deg2rad(angle)) for angle in zenith)
    is_plain = variables["processing_quality_flags"] == 0
    is_plain &= variables["air_mass_factor_troposphere"] > 0.1 * geometric
    is_plain &= scene.scene_pressure > 3e4
    assert (qa[is_plain & (w > 0.5)] == 74).all()
    assert (qa[is_plain & (w <= 0.5)] == 100).all()
    assert (w[qa > 75] <= 0.5).all()
    glint = (variables["processing_quality_flags"] & 2048) != 0
    assert (scene.snow_ice_flag[glint] == 255).all()


def test_blocks_change_nothing(swath, scene, model, ordinary):
    """Computing one scanline at a time gives the same file."""
    options = replace(SimulationOptions(), block=1)
    other = simulate_orbit(small_truth(), model, scene, swath, options)
    for name, values in ordinary.content.variables.items():
        # sums in another order of the same numbers
        np.testing.assert_allclose(other.content.variables[name], values, rtol=1e-12, err_msg=name)


def test_seed_and_orbit_decide(swath, scene, model, ordinary):
    """The same seed gives the same noise, another one another."""
    same, other = (
        simulate_orbit(small_truth(), model, scene, swath, SimulationOptions(seed=seed))
        for seed in (0, 1)
    )
    noise = [s.truth["slant_column_noise"] for s in (ordinary, same, other)]
    np.testing.assert_array_equal(noise[0], noise[1])
    assert not np.array_equal(noise[0], noise[2])


def test_super_gaussian_sees_beyond_the_pixel(swath, scene, model, exact):
    """The smooth response conserves a constant, and changes columns by percents at gradients."""
    options = replace(QUIET, failures=Failures.none(), response="super-gaussian")
    smooth = simulate_orbit(small_truth(), model, scene, swath, options)
    is_covered = (exact.truth["truth_coverage"] > 0.999) & (smooth.truth["truth_coverage"] > 0.999)
    ratio = smooth.truth["true_tropospheric_column"] / exact.truth["true_tropospheric_column"]
    assert abs(ratio[is_covered].mean() - 1.0) < 0.01
    assert 0.002 < np.abs(ratio[is_covered] - 1.0).max() < 0.3


def test_harp_takes_the_simulated_file(tmp_path, ordinary):
    """HARP's checker accepts the simulated orbit as S5P_L2_NO2."""
    harpcheck = shutil.which("harpcheck")
    if harpcheck is None:
        pytest.skip("harpcheck is not installed (apt-get install harp)")
    path, _ = ordinary.write(tmp_path)
    report = subprocess.run(
        [harpcheck, str(path)], capture_output=True, text=True, check=False
    ).stdout
    good = [line for line in report.splitlines() if "data unset" in line and "[OK]" in line]
    assert len(good) == 6 and all("48 variables" in line for line in good)


def test_old_processors_have_no_cloud_groups(tmp_path, swath, scene, model):
    """Variant v1 is written without O22CLD and with plain milliseconds."""
    simulated = simulate_orbit(small_truth(), model, scene, swath, QUIET, variant="v1")
    path, _ = simulated.write(tmp_path)
    assert "_01_010302_" in path.name
    with netCDF4.Dataset(path) as file:
        assert file["PRODUCT/delta_time"].units == "milliseconds"
        assert "O22CLD" not in file["PRODUCT/SUPPORT_DATA/DETAILED_RESULTS"].groups


def test_granules_are_named_by_their_own_times(tmp_path, swath, scene, model):
    """A near-real-time granule has its first and last scanline in its name, not the L1B window."""
    simulated = simulate_orbit(small_truth(), model, scene, swath, QUIET, variant="nrti")
    path, _ = simulated.write(tmp_path)
    fields = path.stem.split("____")[1].split("_")
    first = str(swath.time[0].astype("datetime64[s]")).replace("-", "").replace(":", "")
    assert path.name.startswith("S5P_NRTI_L2__NO2____") and fields[0] == first
    with netCDF4.Dataset(path) as file:
        assert "5-minute" in file.title
        crossing = file["METADATA/GRANULE_DESCRIPTION"].LongitudeOfDaysideNadirEquatorCrossing
    assert crossing > 9e36  # fill: no crossing in the granule


def test_numbers_are_those_of_real_orbits(ordinary):
    """AMFs, kernels, precision lie where docs/equations.md (10.2, 2.7) says."""
    variables = ordinary.content.variables
    clear = variables["cloud_radiance_fraction_nitrogendioxide_window"] < 0.1
    clear &= variables["qa_value"] > 75
    amf = variables["air_mass_factor_troposphere"][clear]
    assert np.percentile(amf, 5) > 0.6 and np.percentile(amf, 95) < 1.8
    zenith = (variables[f"{n}_zenith_angle"][clear] for n in ("solar", "viewing"))
    geometric = sum(1.0 / np.cos(np.deg2rad(angle)) for angle in zenith)
    ratio = variables["air_mass_factor_stratosphere"][clear] / geometric
    assert ratio.min() > 0.96 and ratio.max() < 1.06
    kernel = variables["averaging_kernel"] * variables["air_mass_factor_total"][..., None]
    kernel = kernel[clear] / amf[:, None]
    median = np.median(kernel, axis=0)
    assert 0.5 < median[0] < 0.8  # ground
    assert 0.8 < median[3:6].mean() < 1.3  # 1 to 2 km
    assert 1.8 < median[9:12].mean() < 2.7  # 8 to 10 km
    sigma = variables[f"{COLUMN}_precision"][clear] * MOLEC_CM2_PER_MOL_M2
    assert 0.5e15 < np.median(sigma) < 1.2e15


def test_no_overlap_is_an_error(swath, scene, model):
    """A truth of another day or place is refused, naming the set."""
    truth = small_truth()
    truth.times = truth.times + np.timedelta64(9, "D")
    with pytest.raises(NoOverlapError, match="truth"):
        simulate_orbit(truth, model, scene, swath, QUIET)
    with pytest.raises(NoOverlapError, match="truth"):
        simulate_orbit(small_truth((60.0, 10.0, 61.0, 11.0)), model, scene, swath, QUIET)


@pytest.mark.parametrize("name", ["response", "heights"])
def test_unknown_choices_are_named(name):
    """An unknown response or atmosphere is refused with the allowed ones."""
    with pytest.raises(ValueError, match=rf"Invalid {name}.*nonsense"):
        SimulationOptions(**{name: "nonsense"})


def test_scene_must_fit_the_swath(scene):
    """All fields of a scene share one shape."""
    with pytest.raises(ValueError, match="aerosol_index"):
        replace(scene, aerosol_index=np.zeros(3))
