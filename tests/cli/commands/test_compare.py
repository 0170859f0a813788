"""`compare` as a user calls it: tables, maps, figures, a page; the same from Python."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import xarray as xr

import retrieval as rt
from retrieval.errors import ProductError

QUICK = ("--bootstrap", "20")


def rows(path):
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.fixture(scope="module")
def paris(tmp_path_factory):
    """Write a region of one's own, around Paris."""
    ring = [[1.8, 48.4], [3.0, 48.4], [2.9, 49.3], [1.9, 49.3], [1.8, 48.4]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    text = {"type": "Feature", "properties": {"name": "Seine"}, "geometry": geometry}
    path = tmp_path_factory.mktemp("regions") / "own.geojson"
    path.write_text(json.dumps(text))
    return path


def test_one_command_compares_models_with_the_instrument(run, season, paris, tmp_path):
    """Tables by kind of pixel, maps of each column and of the differences, a page of the report."""
    out = tmp_path / "all" / "compared"
    call = ("compare", *season.outputs, "-o", out, "--polygons", paris, "--json", *QUICK)
    done = run(*call)
    assert done.status == 0, done.err
    said = json.loads(done.out)
    names = {"scatter.png", "bias.png", "columns.png", "differences.png", "regions.png"}
    names |= {"comparison.csv", "comparison.md", "map_numbers.csv", "comparison.nc"}
    assert {path.name for path in out.iterdir()} == names | {"provenance.json"}
    found = {tuple(r[k] for k in ("scope", "apriori", "way", "statistic")): r
             for r in rows(out / "comparison.csv")}  # fmt: skip
    scopes = {key[0] for key in found}
    assert {"all", "region:Seine", "season:JJA"} <= scopes
    assert any(s.startswith("cloud radiance fraction") for s in scopes)
    whole = found["all", "CAMS", "kernel", "relative_difference"]
    n = int(found["region:Seine", "CAMS", "kernel", "slope"]["n"])
    assert 0 < n < int(whole["n"]) == said["pixels"]
    assert max(said["largest_disagreement"].values()) < 5e-7
    text = (out / "comparison.md").read_text()
    assert "CAMS: both ways give the same ratio" in text and "(synthetic)" in text
    with xr.open_dataset(out / "comparison.nc") as maps:
        kernel = maps.tropospheric_column_CAMS_kernel
        assert kernel.long_name.endswith("CAMS as the instrument sees it")
        pair = np.isfinite(kernel) & np.isfinite(maps.tropospheric_column_TM5)
        assert pair.sum() > 10
    numbers = rows(out / "map_numbers.csv")
    assert {r["area"] for r in numbers} >= {"Seine"}
    assert {(r["product"], r["reference"]) for r in numbers} == {
        ("DACNO2_kernel", "TM5"), ("DACNO2_model", "DACNO2"),
        ("CAMS_kernel", "TM5"), ("CAMS_model", "CAMS"),
    }  # fmt: skip
    assert run(*call).status == 1  # nothing is replaced
    assert json.loads(run(*call, "--update").out)["skipped"] == "done before"
    assert run("report", tmp_path / "all").status == 0
    page = (tmp_path / "all" / "report.html").read_text(encoding="utf-8")
    assert "Models beside the instrument, all pixels" in page and "region Seine" in page
    assert page.count("data:image/png") == 5


def test_python_gives_the_numbers_of_the_command(run, season, paris, tmp_path):
    """`rt.compare`: statistics on (scope, apriori, way) and the maps beside them."""
    made = rt.compare(season.outputs, ["CAMS"], regions=paris, n_draw=20)
    out = tmp_path / "out"
    call = ("compare", *season.outputs, "-p", "CAMS", "--polygons", paris, "-o", out, *QUICK)
    done = run(*call)
    assert done.status == 0, done.err
    assert done.out.startswith("a priori\tway\tmodel\tsatellite\tdifference")
    for row in rows(out / "comparison.csv"):
        place = {"scope": row["scope"], "apriori": "CAMS", "way": row["way"]}
        value = float(made[row["statistic"]].sel(place))
        assert value == pytest.approx(float(row["value"]), rel=1e-5, nan_ok=True)
        assert int(made.n_pixel_compared.sel(scope=row["scope"])) == int(row["n"])
    assert made.mean_model.units == "mol m-2" and made.relative_difference.units == "%"
    with xr.open_dataset(out / "comparison.nc") as maps:
        np.testing.assert_array_equal(
            maps.tropospheric_column_CAMS_model, made.tropospheric_column_CAMS_model
        )
    with pytest.raises(ProductError, match="No pixel to compare"):
        rt.compare(season.outputs, qa_threshold=100)


def test_the_models_columns_can_be_gridded(run, season, tmp_path):
    """`grid -p S_kernel -p S_model`; without -p a map is of retrieved columns, as before."""
    args = ("--cell", "0.2deg", "--bbox", "1", "47", "4", "50")
    for name, products in (
        ("model", ("TM5", "CAMS_kernel", "CAMS_model", "TM5_model")),
        ("all", ()),
    ):
        words = [word for product in products for word in ("-p", product)]
        done = run("grid", *season.outputs, *words, *args, "-o", tmp_path / f"{name}.nc")
        assert done.status == 0, done.err
        with xr.open_dataset(tmp_path / f"{name}.nc") as maps:
            found = [
                v.removeprefix("tropospheric_column_") for v in maps if str(v).startswith("trop")
            ]
        assert found == list(products or ("TM5", "DACNO2", "CAMS"))
    wrong = run("grid", *season.outputs, "-p", "CAMS_kernal", *args, "-o", tmp_path / "x.nc")
    assert "Did you mean CAMS_kernel" in wrong.error


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (("-p", "OTHER"), 2, "'OTHER' is none of the sets of the orbits, DACNO2, CAMS"),
        (("--bbox", "100", "0", "101", "1"), 1, "No pixel to compare"),
        (("--region", "a=1,2"), 2, "Write NAME=W,S,E,N"),
        (("--region", "a=1,2,3,4", "--region", "a=1,2,3,5"), 2, "two regions are named a"),
        (("--polygons", "/absent/x.geojson"), 2, "does not exist"),
    ],
)
def test_wrong_calls_are_one_line(run, season, tmp_path, more, status, said):
    """And leave nothing."""
    done = run("compare", season.outputs[0], "-o", tmp_path / "out", *more)
    assert done.status == status
    assert said in done.error
    assert not (tmp_path / "out").exists()


def test_an_original_orbit_is_told_what_to_do(run, season, tmp_path):
    """There is no model in it."""
    done = run("compare", season.originals[0], "-o", tmp_path / "out")
    assert done.status == 1
    assert "Run dacno2-s5p reretrieve with the model" in done.error
