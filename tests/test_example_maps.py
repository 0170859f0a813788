"""The examples on maps and on own orbits, on small orbits; making twin days is tested elsewhere."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from cli.evidence import difference_maps
from retrieval.l3.file import read_l3
from tests.test_examples import load


@pytest.fixture
def twin(season, monkeypatch):
    """Let the small season's orbits and sets stand where `twin` would write its own."""

    def stand_in(module, calls):
        def command(*arguments):
            calls.append([str(argument) for argument in arguments])
            folder = arguments[1]
            for name in ("orbits", "truth8", "cams", "ctm"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            for path in season.originals:
                target = folder / "orbits" / path.name
                if not target.exists():
                    target.symlink_to(path)
            for name, kind in (("truth8", "dacno2"), ("cams", "cams")):
                for path in season.folder.glob(f"{kind}_*.nc"):
                    target = folder / name / path.name
                    if not target.exists():
                        target.symlink_to(path)

        monkeypatch.setattr(module, "command", command)

    return stand_in


def test_maps_of_three_days(twin, tmp_path, capsys):
    """Orbits become one map with the change that the sets make, and a second run adds nothing."""
    module = difference_maps
    calls: list[list[str]] = []
    twin(module, calls)
    # the small orbits come without a model file for the part above
    call = [str(tmp_path), "--cell", "16km", "--above", "none"]
    figure = module.main(call)
    assert figure.stat().st_size > 50_000
    assert [call[3] for call in calls] == ["2023-01-03", "2023-05-03", "2023-08-31"]
    l3 = read_l3(tmp_path / "new_none" / "map_16km.nc")
    assert (l3.products, l3.n_day) == (("TM5", "FINE", "CAMS"), 3)
    assert "FINE / CAMS" in capsys.readouterr().out
    module.main(call)
    np.testing.assert_array_equal(read_l3(tmp_path / "new_none" / "map_16km.nc").mean, l3.mean)


def test_days_spread_over_the_year(tmp_path, monkeypatch):
    """Sixty days are those of `make evidence`, each once."""
    from cli.evidence.season import sample_days

    module = difference_maps
    days = []
    monkeypatch.setattr(module, "command", lambda *arguments: days.append(str(arguments[3])))
    module.twin_days(tmp_path, 60)
    assert tuple(days) == sample_days()


def test_own_orbits(workspace_of_files, tmp_path, capsys):
    """A bad orbit is named and left out; the figure is of the good one, every flag counted."""
    orbit, cams = workspace_of_files
    bad = tmp_path / "S5P_bad.nc"
    bad.write_bytes(b"no orbit")
    module = load("05_your_own_orbits")
    figure = module.main(tmp_path / "out", cams, bad, orbit)
    assert figure.stat().st_size > 20_000
    printed = capsys.readouterr().out
    assert printed.startswith("left out: ")
    (output,) = (tmp_path / "out").glob("*_CAMS.nc")
    with netCDF4.Dataset(output) as dataset:
        assert np.isfinite(dataset["PRODUCT/relative_change_CAMS_vs_TM5"][:]).any()


def test_no_orbit_is_no_figure(tmp_path):
    """Where nothing could be done the example says so and stops; alone it takes the samples."""
    bad = tmp_path / "S5P_bad.nc"
    bad.write_bytes(b"no orbit")
    module = load("05_your_own_orbits")
    with pytest.raises(SystemExit, match="no orbit is left"):
        module.main(tmp_path, rt.sample("model"), bad)
    assert module.main(tmp_path).stat().st_size > 20_000


@pytest.fixture
def workspace_of_files(tmp_path):
    """Return an orbit and a CAMS folder that belong together."""
    from tests.builders.files import build_workspace

    found = build_workspace(tmp_path / "workspace")
    return found.orbit, found.cams
