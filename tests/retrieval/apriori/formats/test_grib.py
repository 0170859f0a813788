"""GRIB: fields where they are, nothing left beside the user's files, one line where it fails."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
import zipfile
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from retrieval.apriori.formats import containers, grib
from retrieval.apriori.formats.containers import list_sources
from retrieval.apriori.formats.field import find_field
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from tests.builders.grib_files import write_grib
from tests.builders.set_builders import mole_fraction

needs_pygrib = pytest.mark.skipif(
    importlib.util.find_spec("pygrib") is None,
    reason="pygrib (the extra grib) is not installed",
)
ALL = slice(None)
TIMES = np.datetime64("2021-03-01T11", "h") + np.arange(2)
LONGITUDE = np.arange(-1.0, 1.51, 0.5)
LATITUDE = np.arange(47.0, 45.4, -0.5)


def place(latitude, longitude):
    """Values that tell where they are."""
    return 280.0 + np.asarray(latitude)[:, None] / 10.0 + np.asarray(longitude)


def write_place(path, latitude=LATITUDE, longitude=LONGITUDE, edition=2):
    values = np.stack([place(latitude, longitude)] * TIMES.size)
    write_grib(path, "t2m", values, TIMES, latitude, longitude, edition=edition)
    return path


@needs_pygrib
@pytest.mark.parametrize(
    ("edition", "is_ascending", "shift"), [(1, False, 0.0), (2, False, 0.0), (2, True, 5.0)]
)
def test_values_stay_at_their_places(tmp_path, edition, is_ascending, shift):
    """Across Greenwich and beside it, from the north or from the south."""
    latitude = LATITUDE[::-1] if is_ascending else LATITUDE
    path = write_place(tmp_path / "a.grib", latitude, LONGITUDE + shift, edition)
    (source,) = list_sources(path)
    found = find_field(source, "t2m")
    np.testing.assert_allclose(found.grid.x, LONGITUDE + shift, atol=1e-6)  # millionths in GRIB
    np.testing.assert_allclose(found.grid.y, LATITUDE[::-1], atol=1e-6)
    assert found.times.tolist() == TIMES.astype("datetime64[ms]").tolist()
    # 24 bits of a range of 3 K, float32 of 300 K
    expected = place(LATITUDE[::-1], LONGITUDE + shift)
    np.testing.assert_allclose(found.read(1, ALL, ALL)[0], expected, atol=3e-5)


@needs_pygrib
def test_variables_on_other_hours_and_levels_keep_their_own_axes(tmp_path):
    """One file, three axes of time, two of levels: nothing is filled up."""
    path = tmp_path / "a.grib"
    shape = (LATITUDE.size, LONGITUDE.size)
    for name, times, levels in (
        ("t2m", TIMES, None),
        ("tp", TIMES + 3, None),
        ("t", TIMES, (1000, 850)),
        ("q", TIMES[:1], (1000, 850, 700)),
    ):
        lead = (times.size,) if levels is None else (times.size, len(levels))
        values = np.full((*lead, *shape), 1e-3)
        write_grib(path, name, values, times, LATITUDE, LONGITUDE, levels=levels)
    (source,) = list_sources(path)
    sizes = {n: (find_field(source, n).times.size, find_field(source, n).n_level) for n in "tq"}
    assert sizes == {"t": (2, 2), "q": (1, 3)}
    assert find_field(source, "tp").times[0] == TIMES[0] + np.timedelta64(3, "h")
    assert {n: find_field(source, n).expver(0) for n in ("t2m", "tp", "q")} == dict.fromkeys(
        ("t2m", "tp", "q"), 1
    )
    for name in ("t2m", "tp", "t", "q"):
        assert np.isfinite(find_field(source, name).read(0, ALL, ALL)).all()


@needs_pygrib
@pytest.mark.parametrize("edition", [1, 2])
def test_kelvin_stays_kelvin(tmp_path, edition):
    """280 K is 280 K: readers that turn it into 6.85 degrees Celsius are no choice."""
    path = tmp_path / "a.grib"
    shape = (1, LATITUDE.size, LONGITUDE.size)
    write_grib(path, "t2m", np.full(shape, 280.0), TIMES[:1], LATITUDE, LONGITUDE, edition=edition)
    (source,) = list_sources(path)
    found = find_field(source, "t2m")
    assert found.attribute("units") == "K"
    np.testing.assert_array_equal(found.read(0, ALL, ALL), np.float32(280.0))  # a constant field


def write_versions(path, versions):
    """280 K of the preliminary and 290 K of the final version, appended in the order given."""
    shape = (TIMES.size, LATITUDE.size, LONGITUDE.size)
    for version in versions:
        values = np.full(shape, {"0001": 290.0, "0005": 280.0}.get(version, 285.0))
        keys = {"experimentVersionNumber": version}
        write_grib(path, "t2m", values, TIMES, LATITUDE, LONGITUDE, keys=keys)
    return path


@needs_pygrib
@pytest.mark.parametrize("versions", [("0001", "0005"), ("0005", "0001")])
def test_the_final_version_is_used_in_either_order(tmp_path, versions):
    """290 K of expver 0001, said beside the times."""
    (source,) = list_sources(write_versions(tmp_path / "a.grib", versions))
    np.testing.assert_array_equal(find_field(source, "t2m").read(0, ALL, ALL), np.float32(290.0))
    assert list(source.dataset()["expver"][:]) == ["0001", "0001"]


@needs_pygrib
@pytest.mark.parametrize("versions", [("0001", "0042"), ("0005", "0005")])
def test_versions_that_nothing_ranks_are_refused(tmp_path, versions):
    """Two of one version that differ, and one that is neither final nor preliminary."""
    path = write_versions(tmp_path / "a.grib", versions[:1])
    shape = (TIMES.size, LATITUDE.size, LONGITUDE.size)
    keys = {"experimentVersionNumber": versions[1]}
    write_grib(path, "t2m", np.full(shape, 285.0), TIMES, LATITUDE, LONGITUDE, keys=keys)
    with pytest.raises(AprioriError, match=f"twice, of versions {versions[0]} and {versions[1]}"):
        list_sources(path)[0].dataset()


@needs_pygrib
def test_the_same_message_twice_is_no_rival(tmp_path):
    """A request joined to itself holds each field once."""
    path = write_versions(tmp_path / "a.grib", ("0001", "0001"))
    (source,) = list_sources(path)
    assert find_field(source, "t2m").times.size == 2


@needs_pygrib
def test_model_levels_have_the_coefficients_of_their_messages(tmp_path):
    """Three levels, four interfaces: a and b from the messages, not from a table."""
    a, b = [0.0, 2000.0, 3000.0, 0.0], [0.0, 0.1, 0.5, 1.0]
    path, shape = tmp_path / "a.grib", (1, 3, LATITUDE.size, LONGITUDE.size)
    values = np.full(shape, 1e-9) * np.array([1.0, 2.0, 3.0])[:, None, None]
    keys = {"sample": "ml"}
    write_grib(
        path, "no2", values, TIMES[:1], LATITUDE, LONGITUDE, levels=(1, 2, 3), edition=2, keys=keys
    )
    opened = open_apriori(path)
    np.testing.assert_allclose(opened.vertical.a, a[::-1], rtol=1e-6)  # float32 in the message
    np.testing.assert_allclose(opened.vertical.b, b[::-1], rtol=1e-6)
    first = opened.read(0, ALL, ALL)
    assert first[0].mean() > first[2].mean()  # the surface first
    opened.close()


@needs_pygrib
def test_geopotential_of_the_ground_leaves_its_name_to_that_on_levels(tmp_path):
    """One file with both: neither is lost, `z` is the one on levels."""
    path, shape = tmp_path / "a.grib", (1, LATITUDE.size, LONGITUDE.size)
    write_grib(path, "z", np.full(shape, 500.0), TIMES[:1], LATITUDE, LONGITUDE)
    on_levels = np.full((1, 2, *shape[1:]), 9000.0)
    write_grib(path, "z", on_levels, TIMES[:1], LATITUDE, LONGITUDE, levels=(1000, 850))
    (source,) = list_sources(path)
    assert find_field(source, "z").n_level == 2
    assert find_field(source, "z_surface").read(0, ALL, ALL).max() == 500.0


@needs_pygrib
def test_nothing_is_left_beside_the_file(tmp_path):
    """No index, no netCDF: neither in its folder nor, once closed, in the temporary one."""
    path = write_place(tmp_path / "a.grib")
    (source,) = list_sources(path)
    unpacked = source.dataset().filepath()
    assert [p.name for p in tmp_path.iterdir()] == ["a.grib"]
    source.close()
    del source
    assert not containers.Path(unpacked).exists()


@needs_pygrib
def test_members_of_an_archive_are_read(tmp_path):
    """A request delivered as ZIP holds `data.grib`."""
    path = write_place(tmp_path / "data.grib")
    with zipfile.ZipFile(tmp_path / "download", "w") as packed:
        packed.write(path, path.name)
    (source,) = list_sources(tmp_path / "download")
    assert find_field(source, "t2m").times.size == 2


@needs_pygrib
def test_cams_global_in_grib_is_a_set(tmp_path):
    """Its mixing ratio by mass arrives as the mole fraction it is."""
    levels = np.array([1000, 850, 500, 200])
    mesh = LATITUDE[:, None], LONGITUDE[None]
    fraction = np.stack([mole_fraction(100.0 * p, *mesh) for p in levels])
    values = np.stack([fraction * 46.0055 / 28.9644] * TIMES.size)
    path = tmp_path / "eac4.grib"
    write_grib(path, "no2", values, TIMES, LATITUDE, LONGITUDE, levels=levels)
    opened = open_apriori(path)
    # 24 bits of each level's range, float32
    np.testing.assert_allclose(opened.read(0, ALL, ALL), fraction[:, ::-1], rtol=1e-5)
    opened.close()


@needs_pygrib
@pytest.mark.parametrize("damage", ["cut", "hole", "two grids", "a level less", "empty message"])
def test_grib_that_cannot_be_laid_out_is_one_line(tmp_path, damage):
    """A message cut short, a variable on two grids, and no message at all."""
    path = write_place(tmp_path / "a.grib")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif damage == "hole":
        content = path.read_bytes()
        path.write_bytes(content[:100] + content[120:])
    elif damage == "a level less":
        block = np.full((2, 1, LATITUDE.size, LONGITUDE.size), 280.0)
        write_grib(path, "t", block, TIMES, LATITUDE, LONGITUDE, levels=(1000,), edition=2)
        write_grib(path, "t", block[:1], TIMES[:1], LATITUDE, LONGITUDE, levels=(850,), edition=2)
    elif damage == "two grids":
        write_place(path, longitude=LONGITUDE[:-1])
    else:
        path.write_bytes(b"GRIB" + bytes(200))
    with pytest.raises(AprioriError, match=r"Damaged file .*a\.grib.* Given GRIB") as error:
        list_sources(path)[0].dataset()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("in_folder", [False, True])
def test_without_the_extra_grib_names_it(tmp_path, monkeypatch, in_folder):
    """The line says what to install or to request."""
    monkeypatch.setattr(containers, "is_available", lambda: False)
    monkeypatch.setattr(grib, "is_available", lambda: False)
    path = tmp_path / "a.grib"
    path.write_bytes(b"GRIB\x00\x00\x00\x02")
    with pytest.raises(AprioriError, match=r"Given GRIB. Request netCDF.*dacno2-s5p\[grib\]"):
        list_sources(tmp_path if in_folder else path)
    with pytest.raises(AprioriError, match=r"dacno2-s5p\[grib\]"):
        containers.NetcdfSource(path, path.name).dataset()


ORDERS = list(itertools.permutations(("xarray", "pyproj", "pygrib")))
STATEMENTS = {
    "xarray": "import xarray; xarray.open_dataset(path).close()",
    "pyproj": "import pyproj; assert pyproj.CRS('EPSG:3035').to_epsg() == 3035",
    "pygrib": "import pygrib",
}


@needs_pygrib
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_projections_work_whatever_is_imported_first(tmp_path, order):
    """Plug-ins of xarray are looked for at each opening: none may bring another PROJ."""
    with netCDF4.Dataset(tmp_path / "june.nc", "w") as dataset:
        dataset.createDimension("x", 2)
        dataset.createVariable("x", "f4", ("x",))[:] = 1.0
    lines = [f"path = {str(tmp_path / 'june.nc')!r}", *(STATEMENTS[name] for name in order)]
    last = "import pyproj; print(pyproj.Transformer.from_crs(4326, 3035).transform(52, 10))"
    command = [sys.executable, "-c", "\n".join([*lines, last])]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    # the centre of EPSG:3035, by its definition
    assert (done.returncode, done.stdout.strip()) == (0, "(3210000.0, 4321000.0)"), done.stderr


def test_no_extra_brings_a_second_proj():
    """The wheels of eccodes load one; cfgrib, the plug-in of xarray, loads eccodes."""
    text = (Path(__file__).parents[4] / "setup.cfg").read_text(encoding="utf-8")
    required = {line.strip().split(">")[0] for line in text.splitlines() if line.startswith("    ")}
    assert not required & {"eccodes", "cfgrib", "eccodeslib"}
    assert "pygrib" in required
