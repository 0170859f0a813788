"""The demo's numbers on made-up columns whose scores are known."""

import json
from pathlib import Path

import numpy as np
import pytest

from cli.story.day import Columns
from cli.story.numbers import LEGEND, summary, table_rows, write_summary, write_table
from retrieval.substitution.options import Above


@pytest.fixture
def columns():
    """One plume over Paris and a background; TM5 20 % low in the plume, CAMS 5 %."""
    n_y, n_x = 60, 50
    lon_0, lat_0 = np.meshgrid(np.linspace(1.3, 3.5, n_x), np.linspace(48.1, 49.5, n_y))
    d_lon, d_lat = 2.2 / (n_x - 1) / 2, 1.4 / (n_y - 1) / 2
    corners_lon = lon_0[..., None] + d_lon * np.array([-1, 1, 1, -1])
    corners_lat = lat_0[..., None] + d_lat * np.array([-1, -1, 1, 1])
    plume = np.exp(-((lon_0 - 2.35) ** 2 + (lat_0 - 48.86) ** 2) / 0.02)
    truth = 2e-5 + 3e-4 * plume
    return Columns(
        path=Path("none.nc"),
        products={"TM5": 2e-5 + 2.4e-4 * plume, "CAMS": 2e-5 + 2.85e-4 * plume, "TRUTH": truth},
        truth=truth,
        valid=np.ones(truth.shape, dtype=bool),
        latitude=lat_0,
        longitude=lon_0,
        latitude_bounds=corners_lat,
        longitude_bounds=corners_lon,
        solar_zenith_angle=np.full(truth.shape, 30.0),
        cloud_radiance_fraction=np.full(truth.shape, 0.2),
        is_land=np.ones(truth.shape, dtype=bool),
    )


def test_summary_has_the_promised_numbers(columns, tmp_path):
    """summary.json holds every key of the demo, and true values."""
    found = summary(dict.fromkeys(Above, columns), "2023-06-01")
    write_summary(tmp_path / "summary.json", found)
    read = json.loads((tmp_path / "summary.json").read_text())
    assert set(read["columns"]) == {"TM5", "CAMS", "TRUTH"}
    keys = {"bias", "rmse", "slope", "hotspot_bias_percent", "background_bias_percent", "n"}
    assert set(read["columns"]["TM5"]) == keys
    assert set(read["modes"]) == {"constant-vmr", "none"}
    assert set(read["modes"]["none"]["columns"]) == {"TM5", "CAMS", "TRUTH"}
    change = read["relative_change_percent"]["CAMS_vs_TM5"]
    assert set(change["domain"]) == {"ratio_of_means", "mean_of_cells", "median", "p5", "p95"}
    assert set(change) == {"domain", "Paris"}  # no pixel of the others
    assert read["columns"]["TRUTH"]["rmse"] == 0.0
    slopes = [read["columns"][name]["slope"] for name in ("TM5", "CAMS", "TRUTH")]
    assert slopes == pytest.approx([0.8, 0.95, 1.0], rel=1e-9)  # float64 round-off
    assert read["strata"]["land"]["CAMS"]["n"] == columns.truth.size
    assert "sea" not in read["strata"]


def test_gridded_changes_follow_the_pixels(columns):
    """The ratio of means on the grid is that of the area-weighted pixels."""
    found = summary({Above.UPPER: columns}, "2023-06-01")
    ratio = found["relative_change_percent"]["CAMS_vs_TM5"]["domain"]["ratio_of_means"]
    area = np.cos(np.deg2rad(columns.latitude))
    means = [float((columns.products[k] * area).sum()) for k in ("CAMS", "TM5")]
    # cells that the pixels cover by less than half are left out of the grid's mean
    assert ratio == pytest.approx(100 * (means[0] / means[1] - 1), abs=0.5)


def test_table_names_every_mode_and_product(columns, tmp_path):
    """table.md is readable alone: modes, products, legend and the word synthetic."""
    write_table(tmp_path / "table.md", {Above.UPPER: columns, Above.NONE: columns}, LEGEND)
    text = (tmp_path / "table.md").read_text()
    assert "synthetic" in text and "## --above none" in text
    assert table_rows(columns)[0][0] == "TM5" and "| CAMS |" in text
    assert "| land | 3000 |" in text and "cloud radiance fraction 0.1 to 0.3" in text
