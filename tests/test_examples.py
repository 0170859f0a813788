"""The examples run, and their figures hold something."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from dacno2_s5p.inputs.regrid import transform_points
from tests.builders.model_field import model_field
from tests.builders.model_files import Field, write_cmaq, write_mcip, write_wrf
from tests.builders.omno2_builder import build_omno2
from tests.builders.tempo_builder import build_tempo

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def load(name):
    """Import an example by its file name."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_five_lines_on_the_packaged_orbit(tmp_path, capsys):
    """The first example needs nothing but the package: new columns over Paris, and a picture."""
    module = load("01_five_lines")
    figure = module.main(tmp_path)
    assert figure.stat().st_size > 20_000
    assert "144 with a column" in capsys.readouterr().out
    new = module.new_columns()
    change = new.relative_change_MYMODEL_vs_TM5
    # the fine model has Paris in its pixels, the coarse a priori does not: columns rise there
    assert float(change.sel(scanline=slice(3, 8)).mean()) > 10.0
    assert rt.sample("orbit").stat().st_size < 200_000
    with pytest.raises(ValueError, match="one of orbit, model"):
        rt.sample("nothing")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem[:2])
def test_an_example_is_one_idea(path):
    """Sixty lines at most, numbered from 01 without a gap, and told of in the table."""
    numbers = [int(one.stem[:2]) for one in sorted(EXAMPLES.glob("*.py"))]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60
    assert path.name in (EXAMPLES / "README.md").read_text(encoding="utf-8")


@pytest.mark.real
def test_real_scene_in_both_layouts(real_file, tmp_path):
    """The real scene is re-retrieved whole, and `replace` carries the column of `extend`."""
    scene = real_file("S5P_RPRO_L2__NO2____20210725*_reduced.nc")
    figure = load("02_real_scene").main(scene, tmp_path)
    assert figure.stat().st_size > 50_000
    name = "nitrogendioxide_tropospheric_column"
    with (
        netCDF4.Dataset(tmp_path / "extend_reduced.nc") as extend,
        netCDF4.Dataset(tmp_path / "replace_reduced.nc") as replace,
        netCDF4.Dataset(scene) as original,
    ):
        new = extend["PRODUCT"][f"{name}_PLUME_apriori"][:]
        assert np.ma.allequal(replace["PRODUCT"][name][:], new)
        assert np.ma.allequal(extend["PRODUCT"][name][:], original["PRODUCT"][name][:])
        flag = extend["PRODUCT"]["substitution_flag_PLUME"][:]
        # data/README: 15 411 pixels with kernels, 10 310 with a column
        assert int((flag == 0).sum()) == 10_310
        assert int(((flag == 0) | (flag == 9)).sum()) == 15_411


@pytest.mark.real
def test_real_rasters_on_the_grid_beside_their_source(real_file, tmp_path, monkeypatch):
    """Population and land cover: a figure of four panels, people in Paris where Paris is."""
    module = load("04_sources_on_the_grid")
    figure = tmp_path / "sources.png"
    population = real_file("gpw_v4_population_density*.tif")
    grid = module.named_grid("europe-2km")
    drawn = {}

    def seen(paths, cells, **options):
        drawn["density"] = area_mean(paths, cells, **options)
        return drawn["density"]

    area_mean = module.area_mean
    monkeypatch.setattr(module, "area_mean", seen)
    module.main(population, real_file("MCD12C1*.tif"), figure)
    assert figure.stat().st_size > 50_000
    x, y = transform_points(2.35, 48.86, "EPSG:4326", grid.crs)
    row = int((y - grid.y_origin) // grid.spacing)
    column = int((x - grid.x_origin) // grid.spacing)
    # a quarter of a degree around Paris has some thousand people per km2, the domain some hundred
    assert drawn["density"][row, column] > 2000.0 > 5.0 * drawn["density"].mean()


def test_a_run_of_wrf_chem(tmp_path, capsys):
    """Its files as they are: every pixel is served, and the change is where its NO2 is."""
    module = load("06_your_wrf_chem")
    figure = module.main(tmp_path, write_wrf(tmp_path / "wrfout_d01", Field()))
    assert figure.stat().st_size > 20_000
    assert "144 of 144 pixels" in capsys.readouterr().out


def test_a_run_of_cmaq(tmp_path, capsys):
    """With its meteorology beside: the picture, and the change that the files are known for."""
    module = load("07_your_cmaq")
    run = tmp_path / "run"
    run.mkdir()
    write_cmaq(run / "CCTM_CONC", Field())
    write_mcip(run, Field())
    figure = module.main(tmp_path, run)
    assert figure.stat().st_size > 20_000
    said = capsys.readouterr().out
    assert "layers with a pressure of their own" in said
    assert "mean column +" in said


@pytest.mark.parametrize("sensor", ["TEMPO", "OMNO2"])
def test_a_granule_of_another_sensor(tmp_path, capsys, sensor):
    """Over New York, with a model over New York: a picture, and columns that are others."""
    module = load("09_any_sensor")
    build, day = {
        "TEMPO": (build_tempo, "2024-06-01T15:00"),
        "OMNO2": (build_omno2, "2015-06-15T18:00"),
    }[sensor]
    granule = build(tmp_path / "granule.nc").path
    data, _, _ = model_field((38.0, 43.0), (-78.0, -70.0), [day])
    data.to_netcdf(tmp_path / "model.nc")
    figure = module.main(tmp_path, granule, tmp_path / "model.nc")
    assert figure.stat().st_size > 20_000
    said = capsys.readouterr().out
    assert f"<{sensor} " in said
    assert "mean column" in said
    assert "mean column +0.0 %" not in said
