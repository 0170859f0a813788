"""The operational model is read from AUX_CTMANA files, and serves simulator and retrieval alike."""

from __future__ import annotations

from dataclasses import replace

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.meteorology import open_meteo
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.simulate.options import Failures
from retrieval.simulate.scene import synthetic_scene
from retrieval.simulate.simulate_orbit import SimulationOptions, simulate_orbit
from retrieval.simulate.tm5 import OperationalModel, open_operational
from retrieval.substitution.options import Above, Options
from retrieval.substitution.substitute import substitute
from tests.builders.set_builders import write_ctmana
from tests.builders.simulation_builder import DATE, small_model, small_swath, small_truth

NAME = "S5P_OPER_AUX_CTMANA_20230710T000000_20230711T000000_20230719T000000.nc"
NOON = np.datetime64(f"{DATE}T12:00", "ms")
EVERYWHERE = slice(None)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ctm")
    return write_ctmana(folder / NAME, date=DATE, spacing=2.0, bounds=(-40, 30, 40, 66))


def test_three_fields_share_times_and_places(path):
    """NO2, temperature and tropopause come from one file at one half hour."""
    model = open_operational(path, NOON)
    i = int(np.flatnonzero(model.no2.times == NOON)[0])
    no2, temperature, tropopause = (
        f.read(i, EVERYWHERE, EVERYWHERE) for f in (model.no2, model.temperature, model.tropopause)
    )
    assert no2.shape == temperature.shape == (34, 18, 40)
    assert tropopause.shape == (1, 18, 40)
    with netCDF4.Dataset(path) as file:
        np.testing.assert_array_equal(temperature, file["t"][i])
        np.testing.assert_array_equal(tropopause[0], file["tropopause_layer_index"][i])
    assert model.file_names == (NAME,)
    model.close()


def test_retrieval_with_the_model_as_meteorology_is_exact(tmp_path, path):
    """Identity I2 with heights from the model's temperatures on both sides, to 1e-6; and I1."""
    model, swath = open_operational(path, NOON), small_swath(6)
    truth = small_truth()
    scene = synthetic_scene(swath, real_land=False)
    options = SimulationOptions(slant_noise=0.0, heights="model", failures=Failures.none())
    simulated = simulate_orbit(truth, model, scene, swath, options)
    l2, _ = simulated.write(tmp_path)
    tm5 = open_apriori(path)
    with open_orbit(l2) as orbit:
        result, _ = substitute(
            orbit,
            {"truth": truth, "ctm": tm5},
            Options(above=Above.UPPER, crop="none"),
            upper=tm5,
            meteo=open_meteo(path),
        )
    true = simulated.truth["true_tropospheric_column"]
    given = simulated.content.variables["nitrogendioxide_tropospheric_column"]
    for fields, expected in zip(result.sets, (true, given), strict=True):
        is_done = fields.substitution_flag == SubstitutionFlag.DONE
        assert is_done.sum() > 100
        # float32 storage of kernel, air mass factors and column
        np.testing.assert_allclose(
            fields.tropospheric_column[is_done], expected[is_done], rtol=1e-6
        )
    standard = simulate_orbit(truth, model, scene, swath, replace(options, heights="standard"))
    other = standard.truth["true_tropospheric_column"]
    assert not np.array_equal(other, true)


def test_file_without_tropopause_is_refused(tmp_path, path):
    """The message names the variable and the file."""
    target = tmp_path / NAME
    with netCDF4.Dataset(path) as source, netCDF4.Dataset(target, "w") as copy:
        for name, dimension in source.dimensions.items():
            copy.createDimension(name, dimension.size)
        for name, variable in source.variables.items():
            if name == "tropopause_layer_index":
                continue
            stored = copy.createVariable(name, variable.dtype, variable.dimensions)
            stored.setncatts({k: variable.getncattr(k) for k in variable.ncattrs()})
            stored[:] = variable[:]
    with pytest.raises(AprioriError, match=rf"tropopause_layer_index.*{NAME}"):
        open_operational(target, NOON)


def test_model_must_be_on_hybrid_layers():
    """A set on heights cannot stand for the operational model."""
    model = small_model()
    with pytest.raises(AprioriError, match="hybrid layers"):
        OperationalModel(small_truth(), model.temperature, model.tropopause)
