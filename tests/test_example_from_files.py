"""From source files to re-retrieved columns by the commands alone, as the example does it."""

from __future__ import annotations

import json
import subprocess

import netCDF4
import numpy as np
import pytest

from cli.main import main as command_line
from tests.builders.orbit_builder import build_orbit
from tests.builders.source_files import DAY, EAST, GRID, NORTH, SOUTH, WEST, write_all
from tests.test_examples import EXAMPLES, load

pytest.importorskip("pyarrow")
pytest.importorskip("rasterio")

NAME = "03_from_files_to_columns"


@pytest.fixture
def example(monkeypatch):
    """Return the example with commands in this process: each new Python costs seconds."""
    module = load(NAME)

    def command(*arguments):
        with pytest.raises(SystemExit) as stopped:
            command_line([str(argument) for argument in arguments])
        if stopped.value.code:
            raise subprocess.CalledProcessError(stopped.value.code, arguments)

    monkeypatch.setattr(module, "command", command)
    return module


def write_small_files(folder):
    """Write small files of three days in their real layouts; return the grid and an orbit."""
    write_all(folder, [DAY + i for i in range(3)])
    grid = folder / "grid.toml"
    lines = [f"{name} = {json.dumps(value)}" for name, value in GRID.to_dict().items()]
    grid.write_text("\n".join(lines))
    area = (WEST, SOUTH, EAST, NORTH)
    orbit = build_orbit(folder, n_scanline=40, n_ground_pixel=40, area=area, date=str(DAY + 2))
    return grid, orbit.path


def one_step(folder):
    """Write the example's recipe with one step a phase."""
    text = (EXAMPLES / "minute.toml").read_text().replace("steps = 10", "steps = 1")
    path = folder / "minute.toml"
    path.write_text(text.replace("validate_every = 10", "validate_every = 1"))
    return path


def test_small_files_become_columns(example, tmp_path):
    """A store, three phases, profiles of the orbit's day, and columns made with them."""
    grid, orbit = write_small_files(tmp_path)
    days = (str(DAY), str(DAY + 2))
    output = example.files_to_columns(
        tmp_path, orbit, days, grid=str(grid), recipe=one_step(tmp_path)
    )
    written = sorted(path.name for path in (tmp_path / "profiles").iterdir())
    assert written == [f"dacno2_{days[1].replace('-', '')}.nc"]
    with netCDF4.Dataset(output) as dataset:
        product = dataset["PRODUCT"]
        flag = np.asarray(product["substitution_flag_DACNO2"][:])
        column = product["nitrogendioxide_tropospheric_column_DACNO2_apriori"][:]
        computed = flag == 0
        # the grid is 128 km wide: some 20 x 10 pixels lie wholly inside
        assert computed.sum() > 50
        assert np.isfinite(column[computed].filled(np.nan)).all()
    assert example.draw(tmp_path, output).stat().st_size > 20_000


def test_a_failing_command_stops_the_example(example, tmp_path):
    """Nothing goes on after an error: here a day without files."""
    grid, orbit = write_small_files(tmp_path)
    late = (str(DAY + 30), str(DAY + 31))
    with pytest.raises(subprocess.CalledProcessError):
        example.files_to_columns(tmp_path, orbit, late, grid=str(grid), recipe=one_step(tmp_path))
    assert not (tmp_path / "runs").exists()
