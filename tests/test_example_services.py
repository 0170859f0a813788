"""The example that runs a recipe against services on the loopback, on one tiny day."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from cli.main import main as command_line
from cli.tasks import twin_services
from tests.builders.files import write_cams
from tests.builders.ground_files import write_pandora
from tests.builders.orbit_builder import build_orbit
from tests.test_examples import load

pytest.importorskip("ecmwf.datastores")

DAY = "2019-06-01"
AREA = (1.3, 47.3, 2.7, 48.7)


@pytest.fixture
def served(tmp_path):
    """Return a folder with an orbit, a day of CAMS, two of weather, and a spectrometer."""
    folder = tmp_path / "served"
    for name in ("orbits", "era5", "pandora"):
        (folder / name).mkdir(parents=True)
    orbit = build_orbit(
        tmp_path, n_scanline=12, n_ground_pixel=10, date=DAY, area=AREA, overpass="11:30"
    ).path
    shutil.move(orbit, folder / "orbits" / orbit.name)
    write_cams(folder / "cams", day=DAY)
    for day in ("20190531", "20190601"):
        (folder / "era5" / f"era5_single_{day}.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(99))
    rows = [(f"{DAY.replace('-', '')}T113000.0Z", 0, 1e-4)]
    name = "Pandora118s1_Somewhere_L2_rnvh3p1-8.txt"
    write_pandora(folder / "pandora" / name, rows, place=(48.0, 2.0, 50.0))
    return folder


@pytest.fixture
def example(monkeypatch, tmp_path):
    """Return the example with commands in this process and a recipe without network or figures."""
    module = load("08_month_from_services")

    def command(*arguments):
        with pytest.raises(SystemExit) as stopped:
            command_line([*map(str, arguments), "--json"])
        if stopped.value.code:
            raise subprocess.CalledProcessError(stopped.value.code, arguments)

    def recipe(services, *days, kinds):
        text = twin_services.recipe_text(services, *days, kinds=kinds)
        return text.replace("[predict]\n", "").replace("[maps]\nminimum-days = 1\n", "")

    monkeypatch.setattr(module, "command", command)
    monkeypatch.setattr(module, "recipe_text", recipe)
    monkeypatch.setattr(module, "KINDS", ["orbits", "cams", "era5", "pandora"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # no key of a person is used
    return module


def test_a_day_from_services_to_a_validated_page(example, served, tmp_path, capsys):
    """Every kind arrives, the station is paired with CAMS, and the page is made."""
    page = example.run(served, tmp_path / "work", DAY, DAY)
    stages = {s["stage"]: s for s in json.loads(capsys.readouterr().out)["stages"]}
    assert {s["status"] for s in stages.values()} == {"done"}, stages
    assert stages["fetch era5"]["new"] == 4  # two products, two months
    assert page.is_file()
    pairs = page.parent / "validation" / "pairs.csv"
    assert "column_CAMS" in pairs.read_text().splitlines()[0]
