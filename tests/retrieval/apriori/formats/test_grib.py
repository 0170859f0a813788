"""GRIB: fields where they are, nothing left beside the user's files, one line where it fails."""

from __future__ import annotations

import importlib.util
import zipfile

import numpy as np
import pytest

from retrieval.apriori.formats import containers, grib
from retrieval.apriori.formats.containers import list_sources
from retrieval.apriori.formats.field import find_field
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from tests.builders.grib_files import write_grib
from tests.builders.set_builders import mole_fraction

needs_eccodes = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cfgrib", "eccodes")),
    reason="eccodes and cfgrib (the extra grib) are not installed",
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


@needs_eccodes
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


@needs_eccodes
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
    for name in ("t2m", "tp", "t", "q"):
        assert np.isfinite(find_field(source, name).read(0, ALL, ALL)).all()


@needs_eccodes
def test_nothing_is_left_beside_the_file(tmp_path):
    """No index, no netCDF: neither in its folder nor, once closed, in the temporary one."""
    path = write_place(tmp_path / "a.grib")
    (source,) = list_sources(path)
    unpacked = source.dataset().filepath()
    assert [p.name for p in tmp_path.iterdir()] == ["a.grib"]
    source.close()
    del source
    assert not containers.Path(unpacked).exists()


@needs_eccodes
def test_members_of_an_archive_are_read(tmp_path):
    """A request delivered as ZIP holds `data.grib`."""
    path = write_place(tmp_path / "data.grib")
    with zipfile.ZipFile(tmp_path / "download", "w") as packed:
        packed.write(path, path.name)
    (source,) = list_sources(tmp_path / "download")
    assert find_field(source, "t2m").times.size == 2


@needs_eccodes
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


@needs_eccodes
@pytest.mark.parametrize("damage", ["cut", "two grids", "empty message"])
def test_grib_that_cannot_be_laid_out_is_one_line(tmp_path, damage):
    """A message cut short, a variable on two grids, and no message at all."""
    path = write_place(tmp_path / "a.grib")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-20])
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
