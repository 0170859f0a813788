"""Map drawing: places, colours and labels of what is drawn, without looking at pixels."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from retrieval.maps.axes import (
    draw_box,
    draw_grid,
    draw_note,
    draw_pixels,
    draw_scale_bar,
    map_axes,
    new_figure,
)
from retrieval.maps.coastlines import CONTINENTS, COVERED, EUROPE, WORLD, lines_for, outlines
from retrieval.maps.colours import (
    ColourScale,
    column_change_scale,
    column_scale,
    percent_scale,
)
from retrieval.maps.layout import colour_bar, map_row
from retrieval.physics.geometry.grids import (
    RectilinearGrid,
    cell_areas,
    centres_in_degrees,
    corners_in_degrees,
    domain_grid,
    project,
    unproject,
)

GRID = domain_grid(16_000.0)
PERCENT = ColourScale("Relative difference (%)", -10.0, 10.0, "RdBu_r")


def _axes():
    return new_figure(10.0, 10.0).subplots()


def _rendered(figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def test_outlines_stay_in_their_box_and_meet_known_places():
    """The packaged lines lie in the stated box; a coast passes within 2 km of The Hague."""
    found = outlines()
    west, south, east, north = COVERED
    points = np.concatenate(found.coastlines + found.borders)
    assert points[:, 0].min() >= west
    assert points[:, 0].max() <= east
    assert points[:, 1].min() >= south
    assert points[:, 1].max() <= north
    coast = np.concatenate(found.coastlines)
    # Scheveningen pier head on the open coast; vertices are some km apart, so 0.05 degree
    assert np.hypot(*(coast - [4.27, 52.11]).T).min() < 0.05
    assert "Natural Earth" in found.source


def test_borders_are_not_coasts():
    """The border of France and Germany on the Rhine is a border; no coast is near Strasbourg."""
    found = outlines()
    strasbourg = [7.8, 48.58]
    assert np.hypot(*(np.concatenate(found.borders) - strasbourg).T).min() < 0.1
    assert np.hypot(*(np.concatenate(found.coastlines) - strasbourg).T).min() > 2.0


@pytest.mark.parametrize("name", [WORLD, CONTINENTS])
@pytest.mark.parametrize(
    "place",
    [(-5.9, 35.8), (18.4, -34.3), (-74.0, 40.6), (139.8, 35.3), (151.3, -33.9), (-43.2, -23.0)],
    ids=["Tangier", "Cape", "New York", "Tokyo", "Sydney", "Rio"],
)
def test_every_continent_has_its_coast(name, place):
    """A coast passes near places known for it; vertices are some tenths of a degree apart."""
    coast = np.concatenate(outlines(name).coastlines)
    assert np.hypot(*(coast - place).T).min() < (0.5 if name == WORLD else 1.5)


@pytest.mark.parametrize("name", [WORLD, CONTINENTS])
def test_where_the_world_is_cut_open_there_is_no_coast(name):
    """No line runs along the antimeridian or the south pole."""
    for line in outlines(name).coastlines:
        is_seam = (np.abs(line[:, 0]) > 179.98) | (line[:, 1] < -89.9)
        assert not (is_seam[:-1] & is_seam[1:]).any()


def test_a_map_takes_the_lines_that_fit_it():
    """The finest in Europe, those of continents for wide maps, the world's elsewhere."""
    assert lines_for((2.0, 48.0, 3.0, 49.0)) is outlines(EUROPE)
    assert lines_for((-125.0, 25.0, -65.0, 50.0)) is outlines(WORLD)
    assert lines_for((-180.0, -90.0, 180.0, 90.0)) is outlines(CONTINENTS)


@pytest.mark.parametrize(
    ("area", "crs"),
    [
        ((-80.0, 35.0, -70.0, 45.0), "EPSG:4326"),
        ((-80.0, 35.0, -70.0, 45.0), "EPSG:5070"),
        ((170.0, -45.0, 190.0, -30.0), "EPSG:4326"),
        ((280.0, 35.0, 290.0, 45.0), "EPSG:4326"),
    ],
    ids=["New York", "on a plane", "across the antimeridian", "0 to 360"],
)
def test_coasts_are_drawn_anywhere(area, crs):
    """Lines reach into the map, in whatever plane and turn of longitudes it is."""
    panel = map_axes(_axes(), area, crs=crs)
    x_0, y_0, x_1, y_1 = panel.extent
    points = np.concatenate(
        [p.vertices for lines in panel.axes.collections for p in lines.get_paths()]
    )
    inside = (points[:, 0] > x_0) & (points[:, 0] < x_1) & (points[:, 1] > y_0)
    assert (inside & (points[:, 1] < y_1)).sum() > 20


def test_unproject_inverts_project():
    """Cell centres in degrees project back to the centres of the grid."""
    longitude, latitude = centres_in_degrees(GRID)
    x, y = project(longitude, latitude, GRID)
    assert np.abs(x - GRID.x[None, :]).max() < 1e-3  # metre; PROJ works to 1e-9 degree
    assert np.abs(y - GRID.y[:, None]).max() < 1e-3
    assert corners_in_degrees(GRID)[0].shape == (91, 75)


def test_cell_areas_are_true_to_each_other():
    """Areas on longitude/latitude sum to the sphere; those of the plane are width times height."""
    globe = RectilinearGrid(np.arange(-180, 181, 10.0), np.arange(-90, 91, 10.0))
    assert cell_areas(globe).sum() == pytest.approx(4 * np.pi, rel=1e-12)
    assert np.unique(cell_areas(GRID)).tolist() == [16_000.0**2]


def test_map_of_a_grid_has_its_extent():
    """A map of a grid shows the grid, whole and nothing else."""
    panel = map_axes(_axes(), GRID)
    assert panel.extent == (3_072_000.0, 2_096_000.0, 4_256_000.0, 3_536_000.0)
    assert panel.axes.get_xlim() == (3_072_000.0, 4_256_000.0)


def test_map_of_a_box_holds_the_box():
    """All of a box of degrees lies in its map, in a plane where its sides bend."""
    panel = map_axes(_axes(), (3.0, 50.0, 8.5, 53.5))
    x, y = project(np.array([3.0, 8.5, 5.75]), np.array([50.0, 53.5, 53.5]), panel.frame)
    x_0, y_0, x_1, y_1 = panel.extent
    assert ((x >= x_0 - 1e-6) & (x <= x_1 + 1e-6) & (y >= y_0 - 1e-6) & (y <= y_1 + 1e-6)).all()


def test_graticule_labels_stand_where_the_meridians_meet_the_edge():
    """The label 5°E stands at the point of the lower edge whose longitude is 5."""
    panel = map_axes(_axes(), GRID)
    labels = [text.get_text() for text in panel.axes.get_xticklabels()]
    position = panel.axes.get_xticks()[labels.index("5°E")]
    longitude, _ = unproject(position, panel.extent[1], panel.frame)
    assert float(longitude) == pytest.approx(5.0, abs=1e-3)  # linear between 60 points


def test_draw_grid_masks_what_is_missing_and_converts():
    """Cells without a value are masked; others are shown in the unit of the scale."""
    panel = map_axes(_axes(), GRID, coastlines=False)
    values = np.full(GRID.shape, 1e-5)
    values[3, 4] = np.nan
    image = draw_grid(panel, GRID, values, column_scale(values))
    shown = image.get_array()
    assert shown.mask.sum() == 1
    assert shown.mask.reshape(GRID.shape)[3, 4]
    assert float(shown.max()) == pytest.approx(0.602214076)  # 1e-5 mol m-2 in 1e15 molec cm-2


def test_draw_grid_crops_to_the_map():
    """Only cells that the map shows are drawn."""
    part = GRID.crop(slice(10, 20), slice(5, 12))
    panel = map_axes(_axes(), part, coastlines=False)
    values = np.arange(90 * 74, dtype=float).reshape(GRID.shape)
    image = draw_grid(panel, GRID, values, PERCENT)
    assert np.array_equal(image.get_array(), values[10:20, 5:12])


def test_draw_grid_in_another_plane():
    """A longitude/latitude grid lies on a projected map where its corners are."""
    panel = map_axes(_axes(), GRID, coastlines=False)
    degrees = RectilinearGrid(np.array([2.0, 3.0, 4.0]), np.array([48.0, 49.0]))
    image = draw_grid(panel, degrees, np.array([[1.0, 2.0]]), PERCENT)
    x, _ = project(np.array([2.0]), np.array([48.0]), GRID)
    assert image.get_coordinates()[0, 0, 0] == pytest.approx(float(x[0]))


def test_draw_pixels_leaves_out_what_has_no_value():
    """Fill pixels and pixels without corners are not drawn; the rest keep order and place."""
    panel = map_axes(_axes(), (-180.0, -80.0, 180.0, 80.0), crs="EPSG:4326", coastlines=False)
    longitude = np.array([[179.0, -179.0, -179.0, 179.0], [0, 1, 1, 0], [0, 1, 1, np.nan]])
    latitude = np.array([[0.0, 0, 1, 1]] * 3)
    pixels = draw_pixels(panel, latitude, longitude, np.array([5.0, np.nan, 5.0]), PERCENT)
    assert len(pixels.get_paths()) == 1
    assert np.ptp(pixels.get_paths()[0].vertices[:, 0]) == pytest.approx(2.0)


def test_panels_render_without_display():
    """A row with every kind of mark renders, and regions inside are not all background."""
    figure = new_figure(16.0, 8.0)
    panels = map_row(figure, ["TM5", "CAMS"], GRID)
    values = np.linspace(-20, 20, GRID.shape[0])[:, None] * np.ones(GRID.shape)
    image, _ = (draw_grid(panel, GRID, values, PERCENT) for panel in panels)
    draw_scale_bar(panels[0])
    draw_box(panels[0], (3.0, 50.0, 8.5, 53.5), "northern region")
    draw_note(panels[1], "+3.0 %")
    bar = colour_bar(figure, image, panels, PERCENT)
    assert bar.extend == "both"
    assert bar.ax.get_ylabel() == "Relative difference (%)"
    assert np.unique(_rendered(figure).reshape(-1, 4), axis=0).shape[0] > 50


@pytest.mark.parametrize("crs", ["EPSG:3035", "EPSG:4326"])
def test_scale_bar_has_the_length_it_says(crs):
    """The bar's ends are as far apart on the ground as its label says, to 3 %."""
    from pyproj import Geod

    panel = map_axes(_axes(), (-4.0, 43.0, 8.0, 53.0), crs=crs, coastlines=False, graticule=False)
    draw_scale_bar(panel)
    line, text = panel.axes.lines[0], panel.axes.texts[0]
    longitude, latitude = unproject(line.get_xdata(), line.get_ydata(), panel.frame)
    _, _, metres = Geod(ellps="GRS80").inv(longitude[0], latitude[0], longitude[1], latitude[1])
    # LAEA stretches by less than 1 % here; the bar on degrees is computed on a sphere
    assert metres == pytest.approx(1e3 * float(text.get_text().split()[0]), rel=0.03)


def test_scales_of_differences_are_centred_on_zero():
    """Scales made from one-sided data still have zero in the middle; NaN does not count."""
    for scale in (percent_scale([3.0, 8.0, np.nan]), column_change_scale([1e-5, 2e-5])):
        assert scale.low == -scale.high
        assert scale.high > 0


def test_scale_of_nothing_is_still_a_scale():
    """Panels without any value can be drawn."""
    assert column_scale(np.full(3, np.nan)).high == 1.0
    assert percent_scale([]).high == 1.0


def test_extend_says_where_values_lie_beyond():
    """Arrows at the ends of a colour bar stand for values beyond them."""
    assert PERCENT.extend([0.0, 10.0]) == "neither"
    assert PERCENT.extend([-11.0]) == "min"
    assert PERCENT.extend([11.0, np.nan]) == "max"
    assert PERCENT.extend([-11.0, 11.0]) == "both"
