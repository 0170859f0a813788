"""Time series at points: the right pixel, its values with units, one table for many files."""

from __future__ import annotations

import csv
import io

import netCDF4
import numpy as np
import pytest

from retrieval.errors import RetrievalError
from retrieval.l2.pixels import Crop
from retrieval.l2.product.write import write_product
from retrieval.validation.extract import Point, extract_points, read_points, write_rows
from tests.builders.orbit_builder import build_orbit
from tests.builders.substituted import PROVENANCE, substituted

COLUMN = "nitrogendioxide_tropospheric_column"
CROP = Crop(slice(3, 28), slice(2, 22))


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return a small orbit of version 2.4."""
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=30, n_ground_pixel=24)


@pytest.fixture(scope="module", params=["extend", "replace"])
def written(request, orbit, tmp_path_factory):
    """Return the layout, the result and the path of a re-retrieved, cropped file."""
    result = substituted(orbit, crop=CROP, layers=True)
    path = tmp_path_factory.mktemp("written") / f"{request.param}.nc"
    layout = request.param
    write_product(orbit.path, path, result, PROVENANCE, crop=CROP, layout=layout)
    return layout, result, path


def centre(orbit, i, j, name="x"):
    lat, lon = orbit.arrays["latitude"][i, j], orbit.arrays["longitude"][i, j]
    return Point(name, float(lat), float(lon))


def test_rows_hold_the_pixel_and_its_original_indices(orbit, written):
    """The row of a pixel's centre has its values, times, indices of the orbit, and units."""
    layout, result, path = written
    i, j = 12, 9
    (row,) = extract_points([path], [centre(orbit, i, j, "Paris")])
    place = i - CROP.scanline.start, j - CROP.ground_pixel.start
    assert (row["name"], row["scanline"], row["ground_pixel"]) == ("Paris", i, j)
    assert row["is_inside"] == 1
    assert row["distance [m]"] < 100.0
    assert row["time [UTC]"] == f"{orbit.scanline_time[i]}Z"
    assert row["orbit"] == "8822"
    assert row["qa_value"] == round(int(orbit.arrays["qa_value"][i, j]) * 0.01, 2)
    primary, second = result.sets
    expected = {
        f"{COLUMN}_CAMS_apriori [mol m-2]": second.tropospheric_column,
        "air_mass_factor_troposphere_CAMS_apriori": second.air_mass_factor_troposphere,
        "relative_change_DACNO2_vs_CAMS [%]": result.relative_change["DACNO2", "CAMS"],
        "apriori_tropospheric_column_DACNO2 [mol m-2]": primary.apriori_tropospheric_column,
        "substitution_flag_DACNO2": primary.substitution_flag,
    }
    name = COLUMN if layout == "replace" else f"{COLUMN}_DACNO2_apriori"
    expected[f"{name} [mol m-2]"] = primary.tropospheric_column
    for key, values in expected.items():
        assert row[key] == pytest.approx(float(values[place]), rel=1e-6), key  # seven digits
    assert row["standard_names_apriori"] == ("DACNO2" if layout == "replace" else "TM5")
    assert not any("averaging_kernel_troposphere" in key for key in row)


def test_points_outside_and_unknown_give_no_row(orbit, written):
    """Points that no pixel contains are left out; order follows files, then points."""
    _, _, path = written
    points = [Point("far", 0.0, 100.0), centre(orbit, 20, 5, "b"), centre(orbit, 5, 20, "a")]
    rows = list(extract_points([path, orbit.path], points))
    assert [row["name"] for row in rows] == ["b", "a", "b", "a"]
    assert rows[0]["scanline"] == rows[2]["scanline"] == 20


def test_nearest_is_an_option(orbit, written):
    """With the nearest rule a point just outside gets the edge pixel, marked as not inside."""
    _, _, path = written
    edge = centre(orbit, 27, 12)
    outside = Point("north", edge.latitude + 0.08, edge.longitude)
    assert list(extract_points([path], [outside])) == []
    (row,) = extract_points([path], [outside], rule="nearest")
    assert row["is_inside"] == 0
    assert row["scanline"] == 27
    assert 5_000 < row["distance [m]"] < 20_000


def test_missing_values_are_empty(orbit):
    """Fill values are empty cells, never numbers of 1e36 or -2147483647."""
    missing = np.argwhere(np.isnan(orbit.arrays[COLUMN]))
    rows = list(extract_points([orbit.path], [centre(orbit, *place) for place in missing[:5]]))
    assert len(rows) == 5
    assert all(row[f"{COLUMN} [mol m-2]"] == "" for row in rows)
    numbers = [v for row in rows for v in row.values() if isinstance(v, int | float)]
    assert max(abs(v) for v in numbers) < 1e12


def test_missing_integers_are_empty(orbit, tmp_path):
    """Fill values of flags are empty cells."""
    path = tmp_path / "o.nc"
    write_product(orbit.path, path, substituted(orbit), PROVENANCE)
    with netCDF4.Dataset(path, "a") as file:
        file["PRODUCT"]["substitution_flag_CAMS"][0, 9, 9] = np.ma.masked
    (row,) = extract_points([path], [centre(orbit, 9, 9)])
    assert row["substitution_flag_CAMS"] == ""
    assert row["substitution_flag_DACNO2"] in range(11)


def test_table_of_different_files_has_all_columns(orbit, written):
    """Files with and without new variables make one table; absent values are empty cells."""
    layout, result, path = written
    stream = io.StringIO()
    n_rows = write_rows(extract_points([orbit.path, path], [centre(orbit, 10, 10)]), stream)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert n_rows == len(rows) == 2
    name = f"{COLUMN}_CAMS_apriori [mol m-2]"
    assert rows[0][name] == ""
    expected = result.sets[1].tropospheric_column[7, 8]
    assert float(rows[1][name]) == pytest.approx(float(expected), rel=1e-6)  # seven digits
    assert rows[1]["standard_names_apriori"] == ("DACNO2" if layout == "replace" else "TM5")


def test_real_scene_gives_the_power_plant(real_file):
    """The pixel over the Matimba power plant is found in the real scene."""
    source = real_file("S5P_RPRO*_reduced.nc")
    (row,) = extract_points([source], [Point("Matimba", -23.668, 27.611)])
    assert row["distance [m]"] < 5_000
    assert row[f"{COLUMN} [mol m-2]"] == pytest.approx(3.16499e-05)
    assert row["time [UTC]"].startswith("2021-07-25T11:44:5")


@pytest.mark.parametrize(
    "text",
    [
        "name,lat,lon\nParis,48.85,2.35\nLyon,45.76,4.84\n",
        "# sites\nLongitude;Station;Latitude;height\n2.35;Paris;48.85;30\n4.84;Lyon;45.76;170\n",
        "site\tlat\tlng\nParis\t48.85\t2.35\n\nLyon\t45.76\t4.84\n",
    ],
)
def test_tables_of_points_are_read_in_their_usual_forms(tmp_path, text):
    """Commas, semicolons, tabs, any order of columns, further columns, comments, blank lines."""
    path = tmp_path / "points.csv"
    path.write_text(text)
    assert read_points(path) == [Point("Paris", 48.85, 2.35), Point("Lyon", 45.76, 4.84)]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "needs a header"),
        ("name,lat,lon\n", "needs a header with name, lat and lon, and rows"),
        ("a,b,c\n1,2,3\n", "Given a, b, c"),
        ("name,lat,lon\nParis,48.85\n", "Given row 2: Paris, 48.85"),
        ("name,lat,lon\nParis,x,2\n", "Given row 2: Paris, x, 2"),
        ("name,lat,lon\nParis,148,2\n", "Latitude must lie in -90 to 90"),
        ("name,lat,lon\nParis,nan,2\n", "Latitude must lie in -90 to 90"),
    ],
)
def test_wrong_tables_of_points_are_one_line(tmp_path, text, match):
    """Missing columns, numbers and places outside the Earth name the row."""
    path = tmp_path / "points.csv"
    path.write_text(text)
    with pytest.raises(RetrievalError, match=match) as raised:
        read_points(path)
    assert "\n" not in str(raised.value)


def test_missing_table_is_one_line(tmp_path):
    """A table that does not exist is an error of the data kind."""
    with pytest.raises(RetrievalError, match="readable text file"):
        read_points(tmp_path / "nowhere.csv")
