"""Files that are whole but hold odd things, as fuzzing found them: one clear line each."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from cli.tasks.twin_files import MANIFEST, Request, missing, plan
from dacno2_s5p.errors import ConfigurationError, DataError
from dacno2_s5p.inputs import variables
from dacno2_s5p.inputs.variables import InputTable
from dacno2_s5p.store.chunks import has_array, write_chunk
from dacno2_s5p.store.store import Store, day_path
from dacno2_s5p.training.recipe import Recipe
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError, ProductError, RetrievalError
from retrieval.l2.open_orbit import open_orbit
from retrieval.l3.file import read_l3
from tests.builders.files import write_profiles
from tests.builders.orbit_builder import build_orbit


@pytest.mark.parametrize(
    ("line", "given"),
    [
        ('seed = "one"', "seed = 'one', which is no int"),
        ("name = 1", "name = 1, which is no str"),
        ('[sampling]\ncrop = "64"', "crop = '64', which is no int"),
        ("[sampling]\nvalidation_share = true", "validation_share = True, which is no float"),
        ("[[phase]]\nphase = 1\nsteps = 2.5", "steps = 2.5, which is no int"),
        ("phase = 3", "'int' object is not iterable"),
        ("network = [1]", "recipe"),
    ],
)
def test_entries_of_a_recipe_are_of_their_kind(tmp_path, line, given):
    """Words for numbers are told when the recipe is read, not in the middle of a run."""
    path = tmp_path / "recipe.toml"
    path.write_text(line)
    with pytest.raises(ConfigurationError, match=r"Change the recipe|Compare it") as error:
        Recipe.read(path)
    assert given in str(error.value)


def test_a_date_is_no_entry_of_the_table_of_inputs(tmp_path):
    """TOML knows dates and times; rows are numbers and words."""
    path = tmp_path / "inputs.toml"
    text = Path(variables.__file__).parent / "data" / "inputs.toml"
    path.write_text(re.sub(r"^height = .*$", "height = 12:00:00", text.read_text(), flags=re.M))
    with pytest.raises(ConfigurationError, match=r"Invalid table of inputs .* each entry of its"):
        InputTable.read(path)


@pytest.mark.parametrize("text", ["[1]", "{}}", '{"a": 1}', '{"a": ["../../x"]}', '{"a": [3]}'])
def test_an_odd_manifest_of_the_twin_is_one_line(tmp_path, text):
    """What is done is known from dates alone; anything else is refused."""
    (tmp_path / MANIFEST).write_text(text)
    units = plan(["ctm"], ["2019-06-01"])
    with pytest.raises(RetrievalError, match=r"Invalid manifest .* Remove it"):
        missing(units, Request(SimpleNamespace(seed=0), tmp_path))


def plain_manifest():
    """Return what `store.json` says of a store of one day."""
    from tests.builders.training_builders import GRID, TABLE, make_info
    from tests.builders.training_builders import make_days as days

    about = make_info(days(n_day=2)).preparation.to_dict()
    return {
        "format": 1, "grid": GRID.to_dict(), "inputs": TABLE.to_dict(), "preparation": about,
        "days": {"2019-07-02": {"split": "training", "stream": ""}}, "stations": {},
        "statistics": None, "target": None, "training_data": "synthetic",
    }  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"days": {"2019-07-02": {"split": "odd"}}},
        {"days": {}},
        {"days": ["2019-07-02"]},
        {"stations": {"2019": [{"row": 1}]}},
        {"grid": None},
        {"inputs": {"variable": 3}},
        {"left_out": 3},
    ],
    ids=str,
)
def test_an_odd_manifest_of_a_store_is_one_line(tmp_path, change):
    """Everything of `store.json` is looked at when the store is opened."""
    manifest = plain_manifest()
    (tmp_path / "store.json").write_text(json.dumps(manifest))
    assert Store.open(tmp_path).n_day == 1
    (tmp_path / "store.json").write_text(json.dumps(manifest | change))
    with pytest.raises(RetrievalError, match=r"Invalid (store|input)") as error:
        Store.open(tmp_path)
    assert "\n" not in str(error.value)


def test_stations_of_a_day_must_be_in_the_manifest(tmp_path):
    """A day that counts more station cells than its year has is refused."""
    (tmp_path / "store.json").write_text(json.dumps(plain_manifest()))
    opened = Store.open(tmp_path)
    cells = {"station_cell": np.array([3]), "station_value": np.array([1.0])}
    write_chunk(day_path(tmp_path, opened.days[0]), cells, {})
    with pytest.raises(DataError, match="must hold all station cells of a day"):
        opened.stations(0)


def test_an_absent_chunk_is_one_line(tmp_path):
    """Asking what a chunk holds needs the chunk."""
    with pytest.raises(DataError, match="Run prepare again"):
        has_array(tmp_path / "day.safetensors", "cams")


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=4, n_ground_pixel=3).path


def replaced(path, name, values):
    """Put other values under the name of a variable."""
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = values


CORNERS = "PRODUCT/SUPPORT_DATA/GEOLOCATIONS/latitude_bounds"


@pytest.mark.parametrize(
    ("name", "values", "given"),
    [
        (CORNERS, np.zeros((1, 4, 3, 5), "f4"), "must have the shape (4, 3, 4)"),
        ("PRODUCT/air_mass_factor_total", np.zeros((1, 4, 2), "f4"), "must have the shape (4, 3)"),
        ("PRODUCT/averaging_kernel", np.zeros((1, 4, 3, 33), "f4"), "(4, 3, 34)"),
        ("PRODUCT/latitude", np.zeros((4, 3), "f4"), "latitude"),
    ],
)
def test_variables_of_an_orbit_are_on_its_pixels(orbit, tmp_path, name, values, given):
    """A variable of another size is named, never broadcast."""
    path = shutil.copy(orbit, tmp_path / "orbit.nc")
    replaced(path, name, values)
    with pytest.raises(ProductError) as error, open_orbit(path) as opened:
        opened.read(name.split("/")[-1], opened.full)
    assert given in str(error.value)


@pytest.mark.parametrize("fill", ["text", np.arange(3.0), h5py.Empty("f4")], ids=str)
def test_an_odd_fill_value_is_one_line_or_harmless(orbit, tmp_path, fill):
    """A fill value that is no number is told; values are never compared with text."""
    path = shutil.copy(orbit, tmp_path / "orbit.nc")
    with h5py.File(path, "r+") as file:
        variable = file["PRODUCT/air_mass_factor_total"]
        del variable.attrs["_FillValue"]
        variable.attrs["_FillValue"] = fill
    told = r"air_mass_factor_total|its variables|netCDF"
    with pytest.raises(ProductError, match=told), open_orbit(path) as opened:
        opened.read("air_mass_factor_total", opened.full)


def test_an_unknown_crs_of_a_sidecar_is_told(tmp_path):
    """`crs` is looked up when the TOML is read."""
    path = write_profiles(tmp_path / "p.nc")
    path.with_suffix(".toml").write_text('crs = "EPSG:99999999"')
    with pytest.raises(AprioriError, match="crs must be known"):
        open_apriori(path)


def test_another_file_is_no_map(tmp_path):
    """A netCDF file that is not gridded is named."""
    with pytest.raises(ProductError, match="Make one with the command grid"):
        read_l3(write_profiles(tmp_path / "p.nc"))


def test_a_raster_is_never_a_pointer_to_another(tmp_path):
    """A VRT called .tif would read what it names: only formats with values of their own count."""
    pytest.importorskip("rasterio")
    from dacno2_s5p.sources.rasters.raster_file import open_raster

    path = tmp_path / "light.tif"
    path.write_text(
        '<VRTDataset rasterXSize="2" rasterYSize="2"><SRS>EPSG:4326</SRS>'
        "<GeoTransform>0,1,0,2,0,-1</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename>/etc/passwd'
        "</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(DataError, match="Damaged raster"), open_raster(path):
        pass
