"""Averaged profile files: read back as sets, with time, heights, origin and mark of the source."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.coarsen import BOXES, CAMS_CELLS, TM5_CELLS, average, cell_weights
from retrieval.apriori.coarsen_files import CORRELATED, coarsen_files
from retrieval.apriori.profile_file import NEEDED_ATTRIBUTES, Profiles, write_profile_file
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError, OutputError
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.substitution.job import Job
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.array_sets import HEIGHTS
from tests.builders.files import SHAPE, write_cams
from tests.builders.orbit_builder import build_orbit
from tests.builders.set_builders import write_cams_global

GRID = RectilinearGrid(np.linspace(0.0, 4.0, 101), np.linspace(46.0, 50.0, 101))  # 0.04 degree
NOON = np.datetime64("2019-06-01T12:00", "ms")
HALF = np.timedelta64(90, "m")


def _write(folder, *, n_day=2, sigma=True, change=None, **attributes):
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    for i in range(n_day):
        time = np.array([NOON + np.timedelta64(24 * i, "h")])
        no2 = rng.lognormal(1.0, 1.0, (1, HEIGHTS.size, *GRID.shape)) * MICROGRAM_M3_TO_MOL_M3
        profiles = Profiles(
            no2=no2,
            height=HEIGHTS,
            grid=GRID,
            time=time,
            time_bounds=np.stack([time - HALF, time + HALF], axis=-1),
            uncertainty=0.2 * no2 if sigma else None,
            attributes={**dict.fromkeys(NEEDED_ATTRIBUTES, "a test"), **attributes},
        )
        write_profile_file(folder / f"dacno2_2019060{i + 1}.nc", profiles)
    return folder


def _read(path):
    opened = open_apriori(path)
    try:
        whole = (slice(None), slice(None))
        return opened, opened.read(0, *whole), opened.read_uncertainty(0, *whole)
    finally:
        opened.close()


def test_files_are_averages_with_their_origin(tmp_path):
    """One file a day under its own name: fields, heights, times, bounds and provenance."""
    source = _write(
        tmp_path / "profiles",
        training_data="synthetic",
        checkpoint_sha256="abc",
        uncertainty="standard deviation over checkpoints",
    )
    done = coarsen_files(source, tmp_path / "out", CAMS_CELLS, history="2026 the command")
    assert [path.name for path in done] == ["dacno2_20190601_10km.nc", "dacno2_20190602_10km.nc"]
    opened, found, sigma = _read(done[0])
    before, values, _ = _read(source / "dacno2_20190601.nc")
    expected = average(values, cell_weights(GRID, 10))
    assert opened.kind == "profile file"
    assert opened.grid.is_fine
    assert opened.is_synthetic
    assert np.array_equal(opened.vertical.height, before.vertical.height)
    assert np.array_equal(opened.times, before.times)
    # float32 on disk
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    # a fifth everywhere, fully correlated: still a fifth of each mean
    np.testing.assert_allclose(sigma, 0.2 * found, rtol=1e-5)
    with netCDF4.Dataset(done[1]) as file:
        assert file.checkpoint_sha256 == "abc"
        assert file.training_data == "synthetic"
        assert file.title == "a test, averaged to cells of 1/10 degree"
        assert file.history.splitlines() == ["2026 the command", "a test"]
        assert file.averaged_from.startswith("dacno2_20190602.nc sha256:")
        assert file.uncertainty.endswith(CORRELATED)
        bounds = netCDF4.num2date(file["time_bnds"][0], file["time"].units)
        assert [b.isoformat() for b in bounds] == ["2019-06-02T10:30:00", "2019-06-02T13:30:00"]


def test_coarse_cells_are_interpolated_and_boxes_are_not(tmp_path):
    """1 degree is a coarse set like TM5-MP; in pieces it is averaged over footprints."""
    source = _write(tmp_path / "profiles", n_day=1, sigma=False)
    (coarse,) = coarsen_files(source, tmp_path / "out", TM5_CELLS)
    (boxes,) = coarsen_files(source, tmp_path / "out", BOXES)
    set_1, values, sigma = _read(coarse)
    set_2, pieces, _ = _read(boxes)
    assert sigma is None
    assert not set_1.grid.is_fine
    assert set_2.grid.is_fine
    assert set_1.grid.shape == (4, 4)
    assert np.array_equal(pieces[:, 2::5, 2::5], values)


def test_a_set_without_structure_is_retrieved_alike(tmp_path):
    """I11: a uniform field gives the same columns at every resolution, used as any other set."""
    orbit = build_orbit(tmp_path, n_scanline=SHAPE[0], n_ground_pixel=SHAPE[1], date="2019-06-01")
    folder = tmp_path / "profiles"
    _write_uniform(folder)
    sets = {"fine": folder}
    for name, resolution in (("km10", CAMS_CELLS), ("deg1", TM5_CELLS), ("boxes", BOXES)):
        coarsen_files(folder, tmp_path / name, resolution)
        sets[name] = tmp_path / name
    reretrieve(orbit.path, Job(sets=sets), tmp_path / "new.nc")
    with netCDF4.Dataset(tmp_path / "new.nc") as file:
        amf = [
            np.ma.filled(file["PRODUCT"][f"air_mass_factor_troposphere_{s.upper()}_apriori"][0], -1)
            for s in sets
        ]
    assert (amf[0] > 0).sum() > 100
    for other in amf[1:]:
        both = (amf[0] > 0) & (other > 0)
        assert both.sum() > 50
        np.testing.assert_allclose(other[both], amf[0][both], rtol=2e-6)  # float32 on disk


def _write_uniform(folder):
    folder.mkdir()
    wide = RectilinearGrid(np.linspace(-3.0, 7.0, 201), np.linspace(43.0, 52.0, 181))
    profile = np.exp(-HEIGHTS / 500.0)[None, :, None, None] * 5 * MICROGRAM_M3_TO_MOL_M3
    profiles = Profiles(
        no2=np.broadcast_to(profile, (1, HEIGHTS.size, *wide.shape)),
        height=HEIGHTS,
        grid=wide,
        time=np.array([NOON]),
        attributes=dict.fromkeys(NEEDED_ATTRIBUTES, "a test"),
    )
    write_profile_file(folder / "dacno2_20190601.nc", profiles)


def test_hourly_models_become_one_file_a_day(tmp_path):
    """CAMS at 1 degree keeps all hours of a date, so that its time rule is as before."""
    cams = write_cams(tmp_path / "cams")
    done = coarsen_files(cams, tmp_path / "out", TM5_CELLS)
    assert [path.name for path in done] == ["no2_20190601_1deg.nc"]
    opened, _, _ = _read(done[0])
    source = open_apriori(cams)
    assert np.array_equal(opened.times, source.times)
    assert opened.time_rule == source.time_rule
    source.close()


def test_other_kinds_and_existing_files_are_refused(tmp_path):
    """Mixing ratios on pressures are not averaged; nothing is replaced unless told to."""
    path = tmp_path / "global.nc"
    write_cams_global(path)
    with pytest.raises(AprioriError, match="concentration at heights above ground"):
        coarsen_files(path, tmp_path / "out", TM5_CELLS)
    source = _write(tmp_path / "profiles", n_day=1)
    coarsen_files(source, tmp_path / "out", CAMS_CELLS)
    with pytest.raises(OutputError, match="--overwrite"):
        coarsen_files(source, tmp_path / "out", CAMS_CELLS)
    assert coarsen_files(source, tmp_path / "out", CAMS_CELLS, overwrite=True)
