"""Grids by pyresample's areas: the same cells, either way round, and one line for what is not."""

from __future__ import annotations

import numpy as np
import pytest
from pyresample import AreaDefinition, create_area_def
from pyresample.kd_tree import resample_nearest

import retrieval as rt
from retrieval.l3.areas import grid_of_area, load_area
from retrieval.l3.cells import regular_grid
from retrieval.physics.geometry.grids import EUROPE_PLANE, GEOGRAPHIC, RectilinearGrid

AREAS = """
paris:
  description: round Paris
  projection: EPSG:3035
  shape: {height: 40, width: 30}
  area_extent: {lower_left_xy: [3730000, 2860000], upper_right_xy: [3790000, 2940000]}
degrees:
  projection: {proj: longlat, datum: WGS84}
  shape: {height: 20, width: 10}
  area_extent: {lower_left_xy: [2.0, 48.0], upper_right_xy: [3.0, 50.0]}
polar:
  projection: {proj: stere, ellps: WGS84, lat_0: 90.0, lon_0: 0.0, lat_ts: 60.0}
  shape: {height: 50, width: 60}
  area_extent: {lower_left_xy: [0.0, -4600000.0], upper_right_xy: [360000.0, -4300000.0]}
feet:
  projection: {proj: laea, lat_0: 52, lon_0: 10, ellps: GRS80, units: us-ft}
  shape: {height: 10, width: 10}
  area_extent: {lower_left_xy: [0, 0], upper_right_xy: [1000, 1000]}
"""


@pytest.fixture
def areas(tmp_path):
    path = tmp_path / "areas.yaml"
    path.write_text(AREAS)
    return path


def test_cells_are_those_of_the_area(areas):
    """Edges worked by hand: 60 km in 30 cells, 1 degree in 10, planes named by their code."""
    paris = grid_of_area(f"{areas}:paris")
    assert paris.crs == EUROPE_PLANE
    assert paris.shape == (40, 30)
    assert paris.x_edges[[0, 1, -1]].tolist() == [3730000.0, 3732000.0, 3790000.0]
    degrees = grid_of_area(f"{areas}:degrees")
    assert degrees.crs == GEOGRAPHIC
    assert degrees.y_edges[[0, 1, -1]].tolist() == [48.0, 48.1, 50.0]


def test_centres_are_those_of_pyresample(areas):
    """Longitudes and latitudes of a plane without a code, by pyresample's own way: to 1e-9."""
    from retrieval.physics.geometry.grids import centres_in_degrees

    area = load_area(f"{areas}:polar")
    longitude, latitude = area.get_lonlats()
    ours_x, ours_y = centres_in_degrees(grid_of_area(area))
    # pyresample's rows go down; both project with PROJ, so that only round-off is left
    np.testing.assert_allclose(ours_x[::-1], longitude, atol=1e-9)
    np.testing.assert_allclose(ours_y[::-1], latitude, atol=1e-9)


def test_an_area_upside_down_has_the_same_cells():
    """Satellite areas often run from north to south, or from east to west."""
    extent = (3730e3, 2860e3, 3790e3, 2940e3)
    one, other = (
        grid_of_area(AreaDefinition("a", "", "", EUROPE_PLANE, 30, 40, box))
        for box in (extent, (extent[2], extent[3], extent[0], extent[1]))
    )
    assert isinstance(one, RectilinearGrid)
    np.testing.assert_array_equal(one.x_edges, other.x_edges)
    np.testing.assert_array_equal(one.y_edges, other.y_edges)


def test_a_map_in_an_area_is_that_of_the_same_cells():
    """The sample orbit over 0.1 degree cells named as an area, and as a cell and a box."""
    box = (2.0, 48.6, 2.7, 49.2)
    area = create_area_def("a", "EPSG:4326", area_extent=box, shape=(6, 7))
    ours = rt.grid([rt.sample("orbit")], cell="0.1deg", bbox=box)
    theirs = rt.grid([rt.sample("orbit")], area=area)
    assert regular_grid(0.1, box, GEOGRAPHIC).shape == (6, 7)
    name = next(name for name in ours if "column" in name and ours[name].shape[-2:] == (6, 7))
    # edges are multiples of 0.1 here and fractions of the extent there: round-off of overlaps
    np.testing.assert_allclose(theirs[name], ours[name], rtol=1e-6)
    assert np.isfinite(theirs[name]).any()


def test_a_swath_is_taken_by_pyresample(areas):
    """Pixels of the orbit, resampled by the nearest neighbour: each value is one of the orbit's."""
    with rt.open_orbit(rt.sample("orbit")) as orbit:
        swath = orbit.swath
        values = np.asarray(orbit.read("nitrogendioxide_tropospheric_column", orbit.full))
    assert swath.shape == values.shape
    area = create_area_def("a", "EPSG:4326", area_extent=(2.1, 48.7, 2.6, 49.1), shape=(8, 10))
    near = resample_nearest(swath, values, area, radius_of_influence=10e3, fill_value=None)
    assert np.isin(np.ma.compressed(near), values).all()
    assert np.ma.count(near) == near.size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("areas.yaml", "Write FILE:NAME"),
        ("nowhere.yaml:paris", "must exist"),
        ("{areas}:lyon", "Correct the file or the name"),
        ("{areas}:feet", "must be in metres"),
    ],
)
def test_what_is_no_area_is_one_line(areas, text, said):
    """Text, file, name, unit: in one line each."""
    with pytest.raises(ValueError, match=said) as caught:
        grid_of_area(text.format(areas=areas))
    assert "\n" not in str(caught.value)


def test_the_command_takes_an_area_or_cells_not_both(areas, tmp_path, capsys):
    """A plan with the area's cells; both is status 2."""
    from cli.main import main

    call = ["grid", str(rt.sample("orbit")), "-o", str(tmp_path / "m.nc"), "--dry-run"]
    with pytest.raises(SystemExit) as stopped:
        main([*call, "--area", f"{areas}:paris"])
    assert stopped.value.code == 0
    assert "30 x 40 cells, EPSG:3035" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stopped:
        main([*call, "--area", f"{areas}:paris", "--cell", "2km"])
    assert stopped.value.code == 2
    assert "--area is given with --cell" in capsys.readouterr().err
