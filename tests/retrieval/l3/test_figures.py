"""Maps: what is drawn, on which scales, with which numbers; every figure can be made."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.image import imread

from retrieval.l3.add import add_files
from retrieval.l3.cells import regular_grid
from retrieval.l3.days import DayStore, GridJob
from retrieval.l3.differences import Sampling
from retrieval.l3.figure_data import map_data, polluted_and_clean
from retrieval.l3.figures import (
    columns_figure,
    differences_figure,
    figure7,
    regions_figure,
    save,
)
from retrieval.l3.means import L3, period_mean
from retrieval.maps.regions import Region
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import RectilinearGrid, domain_grid

E15 = 1e15 / MOLEC_CM2_PER_MOL_M2
FIGURES = (figure7, columns_figure, differences_figure, regions_figure)


def _l3(grid=None, **changes) -> L3:
    """Make a year over the whole domain: TM5 smooth, CAMS 20 % above, DACNO2 with structure."""
    grid = grid or domain_grid(16_000.0)
    y, x = np.meshgrid(
        np.linspace(0, 6, grid.shape[0]), np.linspace(0, 6, grid.shape[1]), indexing="ij"
    )
    old = (2.0 + np.sin(x)) * E15
    mean = np.stack([old, 1.2 * old * (1 + 0.1 * np.sin(7 * y)), 1.2 * old])
    first = np.datetime64("2023-01-01", "D")
    fields = {
        "grid": grid,
        "products": ("TM5", "DACNO2", "CAMS"),
        "mean": mean,
        "weight": np.ones(grid.shape),
        "coverage": np.ones(grid.shape),
        "count": np.full(grid.shape, 100),
        "days": np.full(grid.shape, 60),
        "period": (first, first + np.timedelta64(364, "D")),
        "n_day": 300,
    }
    return L3(**(fields | changes))


def _texts(figure) -> str:
    found = []
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_xlabel(), axes.get_ylabel()]
        found += [text.get_text() for text in axes.texts]
    parents = [figure, *getattr(figure, "subfigs", [])]
    return "\n".join(found + [text.get_text() for one in parents for text in one.texts])


def _scales(figure) -> list[tuple[float, float]]:
    meshes = [m for axes in figure.axes for m in axes.collections if isinstance(m, QuadMesh)]
    return [m.get_clim() for m in meshes if m.get_array().size > 300]


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_are_made_and_saved(draw, tmp_path):
    """Each figure becomes a readable picture of the width of a page with many colours."""
    path = tmp_path / f"{draw.__name__}.png"
    save(draw(map_data(_l3())), path, dpi=80)
    image = imread(path)
    assert 480 < image.shape[1] < 620  # 18 cm at 80 dpi are 567, less what is trimmed
    assert (
        np.unique((image[::3, ::3] * 15).round().reshape(-1, image.shape[2]), axis=0).shape[0] > 40
    )


def test_columns_share_one_scale_from_zero():
    """TM5, CAMS and DACNO2, in this order, have the same colours."""
    figure = columns_figure(map_data(_l3()))
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["TM5 a priori", "CAMS a priori", "DACNO2 a priori"]
    scales = set(_scales(figure))
    assert len(scales) == 1
    assert scales.pop()[0] == 0.0
    assert "northern region" in _texts(figure)


def test_differences_are_centred_on_zero_and_labelled():
    """Relative and absolute maps stand together; zero is in the middle of every scale."""
    figure = differences_figure(map_data(_l3()))
    scales = _scales(figure)
    assert len(scales) == 6
    assert all(low == -high for low, high in scales)
    text = _texts(figure)
    for words in (
        "CAMS / TM5",
        "DACNO2 / CAMS",
        "ratio of means +20.0 %",
        "mean of cells",
        "median",
    ):
        assert words in text
    assert "5–95 %" in text


def test_regions_show_the_last_pair():
    """The three regions of the paper have their own numbers, relative and absolute."""
    data = map_data(_l3())
    figure = regions_figure(data)
    text = _texts(figure)
    for name in ("northern region", "Paris", "Alps"):
        assert name in text
    assert "DACNO2 / CAMS" in text
    number = data.number("Paris", data.differences[-1])
    assert f"ratio of means {number.ratio_of_means:+.1f}".replace("-", "−") in text
    # a relative change of little is little: the absolute one stands below it
    low, high = (f"{v / 1e15:+.2f}" for v in (number.p5_difference, number.p95_difference))
    assert f"5–95 %: {low} to {high})".replace("-", "−") in text


PAIRS = [
    *(("DACNO2", "TM5"), ("CAMS", "TM5"), ("DACNO2", "CAMS")),
    *(("CAMS", "DACNO2"), ("TM5", "CAMS"), ("TM5", "DACNO2")),
]


@pytest.mark.parametrize("n_pair", range(1, 7))
def test_captions_do_not_touch(n_pair):
    """One to six pairs with intervals: no caption meets another (`save` widens pages)."""
    data = map_data(_l3(), pairs=PAIRS[:n_pair])
    ends = {"ratio_of_means_low": -18.1, "ratio_of_means_high": 24.1}
    ends |= {"mean_of_cells_low": -18.1, "mean_of_cells_high": 24.1}
    data = replace(data, numbers=tuple(replace(n, **ends) for n in data.numbers))
    figure = figure7(data)
    figure.draw_without_rendering()
    labels = [axes.xaxis.label for axes in figure.axes if "mean" in axes.get_xlabel()]
    assert len(labels) == 3 + n_pair + 3  # products, pairs, regions
    boxes = [label.get_window_extent() for label in labels]
    for i, one in enumerate(boxes):
        assert not any(one.overlaps(other) for other in boxes[:i]), labels[i].get_text()


def test_scales_are_named_by_what_they_share():
    """One pair has its own name; pairs with one reference share it; others have none."""
    text = _texts(differences_figure(map_data(_l3(), pairs=PAIRS[2:3])))
    assert "DACNO2 / CAMS \N{MINUS SIGN} 1 (%)" in text
    text = _texts(differences_figure(map_data(_l3(), pairs=PAIRS[:4])))
    assert "Relative difference to TM5 (%)" in text
    assert "Relative difference (%)" in text


def test_intervals_stand_beside_the_numbers():
    """A bootstrap's interval is printed where there is one, and nothing where not."""
    data = map_data(_l3())
    assert "(+" not in _texts(differences_figure(data)).split("ratio of means")[1].split("\n")[0]
    numbers = tuple(
        replace(n, ratio_of_means_low=18.0, ratio_of_means_high=22.0) for n in data.numbers
    )
    assert "(+18.0 to +22.0)" in _texts(differences_figure(replace(data, numbers=numbers)))


def test_regions_without_data_are_left_out_and_said(caplog):
    """A region outside of the grid is logged and not drawn."""
    with caplog.at_level(logging.WARNING):
        data = map_data(_l3(), regions=[Region("Kiruna", (19.0, 67.0, 21.0, 68.0))])
    assert data.regions == ()
    assert "Kiruna has no cell" in caplog.text
    assert len(_scales(figure7(data))) == 6  # parts (a) and (b)


def test_maps_of_another_continent_say_nothing_of_our_regions(caplog):
    """Our own zooms are Europe's: over Nigeria none is drawn and none is warned of."""
    grid = RectilinearGrid(np.arange(2.0, 12.5, 0.5), np.arange(4.0, 14.5, 0.5))
    with caplog.at_level(logging.WARNING):
        data = map_data(_l3(grid))
    assert data.regions == ()
    assert data.domain == "all cells"
    assert caplog.text == ""


def test_a_single_product_has_columns_only():
    """A file of TM5 alone gives part (a)."""
    l3 = _l3()
    data = map_data(replace(l3, products=("TM5",), mean=l3.mean[:1]))
    assert data.differences == ()
    assert len(_scales(figure7(data))) == 1


def test_grids_elsewhere_are_mapped_as_they_are():
    """A longitude/latitude grid far from Europe is drawn on its own plane, all cells counted."""
    grid = regular_grid(0.5, (110.0, 30.0, 122.0, 40.0), "EPSG:4326")
    data = map_data(_l3(grid), regions=[Region("Beijing", (115.5, 39.0, 117.5, 40.0))])
    assert data.domain == "all cells"
    assert [region.name for region in data.regions] == ["Beijing"]
    assert len(_scales(differences_figure(data))) == 6


def test_cells_without_enough_days_are_not_drawn():
    """In a year, cells with fewer than 20 days stay grey on every map."""
    l3 = _l3()
    days = l3.days.copy()
    days[:, :30] = 19
    data = map_data(replace(l3, days=days))
    assert data.sampling.minimum_days == 20
    assert not np.isfinite(data.differences[0].absolute[:, :30]).any()
    relaxed = map_data(replace(l3, days=days), sampling=Sampling(5, 0.0))
    assert np.isfinite(relaxed.differences[0].absolute[:, :30]).all()


def test_synthetic_data_are_marked():
    """Maps of synthetic files say so at the foot."""
    data = map_data(_l3(attributes={"data": "synthetic"}))
    assert "SYNTHETIC" in columns_figure(data).get_supxlabel()
    assert "SYNTHETIC" not in columns_figure(map_data(_l3())).get_supxlabel()


def test_further_columns_are_shown_but_not_compared(season, tmp_path):
    """A column of side files is drawn beside the others; default pairs are of a priori only."""
    store = DayStore.open(
        tmp_path / "days", GridJob(regular_grid(8000.0, (0.5, 47.0, 4.5, 50.5)), ("TM5", "DACNO2"))
    )
    add_files(store, season.outputs)
    l3 = period_mean(store.folder)
    data = map_data(replace(l3, attributes=l3.attributes | {"further_products": "DACNO2"}))
    assert data.products == ("TM5", "DACNO2")
    assert data.differences == ()
    explicit = map_data(l3, pairs=[("TM5", "DACNO2")])
    assert explicit.differences[0].title == "TM5 / DACNO2"


def test_hotspots_are_those_of_the_truth():
    """Hotspots and background are cells of the truth where it is there, else of TM5."""
    l3 = _l3()
    polluted = replace(l3, mean=l3.mean * 4)
    found = polluted_and_clean(polluted)
    assert found["hotspots by TM5"].sum() == pytest.approx(0.05 * 90 * 74, rel=0.1)
    known = replace(polluted, products=("TM5", "DACNO2", "TRUTH"))
    assert set(polluted_and_clean(known)) == {"hotspots by TRUTH", "background by TRUTH"}
    areas = map_data(known, further=polluted_and_clean(known)).areas
    assert {"domain", "Paris", "hotspots by TRUTH"} <= set(areas)
