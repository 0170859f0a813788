"""The command line that the table of examples gives for each works as it is written."""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.builders.files import build_workspace
from tests.builders.model_field import model_field
from tests.builders.model_files import Field, write_cmaq, write_wrf
from tests.builders.orbit_builder import build_orbit
from tests.builders.tempo_builder import build_tempo

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
COMMANDS = [
    shlex.split(match[1])
    for match in re.finditer(r"^\| `(\d\d_[^`]+)` \|", (EXAMPLES / "README.md").read_text(), re.M)
]
MATIMBA = (26.8, -24.4, 28.4, -23.0)
"""Where example 02 puts its plume: west, south, east, north."""


class StoppedError(Exception):
    """Raised where an example would start its first command, which takes minutes."""


def write_raster(path, values, crs, origin, cell):
    """Write a GeoTIFF with its first row in the north."""
    rasterio = pytest.importorskip("rasterio")
    rows, columns = values.shape
    transform = rasterio.Affine(cell, 0.0, origin[0], 0.0, -cell, origin[1])
    profile = {"driver": "GTiff", "height": rows, "width": columns, "count": 1}
    with rasterio.open(
        path, "w", **profile, dtype=values.dtype, crs=crs, transform=transform
    ) as file:
        file.write(values, 1)


def make_population(path):
    values = np.random.default_rng(0).uniform(0.0, 5000.0, (150, 130)).astype(np.float32)
    write_raster(path, values, "EPSG:3035", (3.06e6, 3.55e6), 1e4)


def make_land_cover(path):
    values = np.random.default_rng(1).integers(0, 15, (180, 220)).astype(np.uint8)
    write_raster(path, values, "EPSG:4326", (-11.0, 57.0), 0.1)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Make what the words of the command lines stand for in a folder, and work there."""
    monkeypatch.chdir(tmp_path)

    def make(words):
        files = {}
        if "CAMS" in words:
            found = build_workspace(tmp_path / "workspace")
            files |= {"ORBIT...": str(found.orbit), "CAMS": str(found.cams)}
        for word, maker in (
            ("POPULATION.tif", make_population),
            ("LAND_COVER.tif", make_land_cover),
        ):
            if word in words:
                maker(tmp_path / word)
        for word in ("SCENE.nc", "ORBIT.nc..."):
            if word in words:
                area = MATIMBA if word == "SCENE.nc" else (0.0, 47.0, 4.0, 50.0)
                day = "2021-07-25"  # of the scene that the example is about
                built = build_orbit(tmp_path, n_scanline=20, n_ground_pixel=20, area=area, date=day)
                files[word] = str(built.path)
        if "WRFOUT" in words:
            write_wrf(tmp_path / "WRFOUT", Field())
        if "RUN" in words:
            (tmp_path / "RUN").mkdir()
            write_cmaq(tmp_path / "RUN" / "CCTM_CONC", Field())
        if "GRANULE" in words:
            files["GRANULE"] = str(build_tempo(tmp_path / "granule.nc").path)
            model_field((38.0, 43.0), (-78.0, -70.0), ["2024-06-01T15:00"])[0].to_netcdf("MODEL")
        needed = [word for word in words if word[0] != "[" and word[-1] != "]"]
        return [files.get(word, word) for word in needed]

    return make


def test_every_example_is_in_the_table():
    """And in it once."""
    assert sorted(words[0] for words in COMMANDS) == sorted(p.name for p in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0][:2])
def test_the_command_is_taken_as_written(in_folder, monkeypatch, words, capsys):
    """It draws its figure; one that makes days of the twin world gets as far as its commands."""
    started = []

    def stop(command, **_):
        started.append(command)
        raise StoppedError

    monkeypatch.setattr(subprocess, "run", stop)
    arguments = in_folder(words)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLES / words[0]), *arguments[1:]])
    try:
        runpy.run_path(str(EXAMPLES / words[0]), run_name="__main__")
    except StoppedError:
        assert "twin" in started[0]
        return
    figure = Path(capsys.readouterr().out.split()[-1])
    assert figure.stat().st_size > 20_000
