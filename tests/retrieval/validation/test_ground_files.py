"""Ground columns read: descriptions decide, units are SI, what is missing is NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retrieval.errors import RetrievalError
from retrieval.physics.constants import DOBSON_UNIT_TO_MOL_M2, MOLEC_CM2_PER_MOL_M2
from retrieval.validation.ground_files import read_file, read_ground
from tests.builders.ground_files import write_geoms, write_pandora

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "sensors" / "pandora"
PMOLEC = 1e15 / MOLEC_CM2_PER_MOL_M2


def real(pattern):
    """Return a real file, or skip."""
    found = sorted(REAL.glob(pattern))
    if not found:
        pytest.skip(f"real file {pattern} is not at hand (../shared/data/sensors/pandora)")
    return found[0]


def test_a_real_direct_sun_file_is_read_by_its_descriptions():
    """Boulder, 1 August 2023: place, times and the first columns as they stand in the file."""
    (found,) = read_file(real("Pandora57s1_*rnvs3p1-8.txt"))
    assert (found.station, found.network, found.quantity) == ("BoulderCO", "Pandonia", "total")
    assert (found.latitude, found.longitude, found.altitude) == (39.99, -105.26, 1660.0)
    assert len(found) == 23
    assert found.time[0].astype("datetime64[D]") == np.datetime64("2023-08-01")
    assert (np.diff(found.time) > np.timedelta64(0, "ms")).all()
    # total columns over Boulder: a few 1e-4 mol m-2, the stratosphere below the total
    good = found.usable()
    assert ((good.column > 5e-5) & (good.column < 1e-3)).all()
    assert (good.stratosphere < good.column).all()
    assert ((good.uncertainty > 0) & (good.uncertainty < 0.2 * good.column)).all()
    assert found.remarks[0] == "doi:10.48596/pgn.rnvs3p1-8.BoulderCO.P57s1"


def test_a_real_sky_file_has_layers_that_add_up_to_its_column():
    """LaPorte: the partial columns of a row sum to its tropospheric column."""
    (found,) = read_file(real("Pandora63s1_*rnvh3p1-8*.txt"))
    assert found.quantity == "tropospheric"
    assert found.partial_column is not None
    assert found.layer_edges is not None
    total = np.nansum(found.partial_column, axis=1)
    # five digits in the file
    np.testing.assert_allclose(total, found.column, rtol=1e-4)
    last = np.flatnonzero(found.time == np.datetime64("2021-09-27T18:07:24.100"))[0]
    np.testing.assert_allclose(found.layer_edges[last, :5], [0, 210, 660, 1220, 1780])
    assert (found.flag[last], found.column[last]) == (12, 0.00011834)
    assert np.flatnonzero(found.usable().time == found.time[last]).size == 0, "12 does not count"


def test_codes_are_no_values(tmp_path):
    """-9e99 is missing, negative uncertainties are codes, flags select, times come in order."""
    rows = [
        ("20230601T120500.5Z", 0, 2e-4),
        ("20230601T120000Z", 11, 1e-4),
        ("20230601T121000Z", 0, -9e99),
        ("20230601T121500Z", 20, 3e-4),
        ("20230601T120000Z", 11, 1e-4),
    ]
    (found,) = read_file(write_pandora(tmp_path / "a.txt", rows))
    assert [str(t)[11:] for t in found.time] == [
        *("12:00:00.000", "12:05:00.500", "12:10:00.000", "12:15:00.000")
    ]
    np.testing.assert_array_equal(found.column, [1e-4, 2e-4, np.nan, 3e-4])
    np.testing.assert_allclose(found.uncertainty[:2], [1e-5, 2e-5])
    np.testing.assert_array_equal(found.usable().column, [1e-4, 2e-4])
    np.testing.assert_array_equal(found.usable([20]).column, [3e-4])


def test_dobson_units_are_converted_and_others_refused(tmp_path):
    """Older processors write Dobson units: 1 DU is 4.4615e-4 mol m-2."""
    rows = [("20230601T120000Z", 0, 0.5)]
    (found,) = read_file(write_pandora(tmp_path / "a.txt", rows, unit="Dobson Units"))
    assert found.column[0] == 0.5 * DOBSON_UNIT_TO_MOL_M2
    path = write_pandora(tmp_path / "b.txt", rows, unit="ppb")
    with pytest.raises(RetrievalError, match=r"must be in mol/m2, .* Given 'ppb'"):
        read_file(path)


def test_rows_have_as_many_layers_as_were_retrieved(tmp_path):
    """Rows of different length: NaN above."""
    rows = [("20230601T120000Z", 0, 3e-4), ("20230601T121000Z", 0, 1e-4)]
    layers = [[(0.5, 1e-4), (1.5, 2e-4)], [(0.4, 1e-4)]]
    (found,) = read_file(write_pandora(tmp_path / "a.txt", rows, layers=layers))
    np.testing.assert_array_equal(found.layer_edges, [[0, 500, 1500], [0, 400, np.nan]])
    np.testing.assert_array_equal(found.partial_column, [[1e-4, 2e-4], [1e-4, np.nan]])


@pytest.mark.parametrize("cut", ["Column 5", "Short location", "20230601T12"])
def test_a_damaged_text_is_one_line(tmp_path, cut):
    """Without its column, its station or within a row."""
    path = write_pandora(tmp_path / "a.txt", [("20230601T120000Z", 0, 1e-4)])
    text = path.read_text(encoding="latin-1")
    start = text.index(cut)
    lines = text[:start] + "x" * 5 + text[text.index("\n", start) :]
    path.write_text(lines, encoding="latin-1")
    with pytest.raises(RetrievalError, match=r"Invalid Pandora file"):
        read_file(path)


@pytest.mark.parametrize("altitude_first", [False, True])
def test_max_doas_of_a_geoms_file(tmp_path, altitude_first):
    """Units of the file to SI, layers from the ground up and above the instrument, fills to NaN."""
    days = np.array([8552.5, 8552.25, 8553.5, 8554.5])  # 2023-06-01 is day 8552
    column = np.array([10.0, 5.0, np.nan, 7.0])
    path = write_geoms(tmp_path / "a.h5", days, column, altitude_first=altitude_first)
    (found,) = read_file(path)
    assert (found.station, found.altitude, found.quantity) == ("PARIS", 100.0, "tropospheric")
    assert str(found.time[0]) == "2023-06-01T06:00:00.000"
    np.testing.assert_allclose(found.column, np.array([5, 10, np.nan, 7]) * PMOLEC)
    np.testing.assert_allclose(found.layer_edges[1], [0.0, 200.0, 500.0, 2000.0])
    np.testing.assert_allclose(found.partial_column[1], np.array([5, 3, 2]) * PMOLEC)
    np.testing.assert_allclose(found.apriori[1], np.array([2.5, 1.5, 1]) * PMOLEC)
    np.testing.assert_array_equal(found.kernel[1], [1.1, 0.9, 0.4])
    assert len(found.usable()) == 3


def test_a_table_of_columns_of_any_origin(tmp_path):
    """Each station a series; the unit is in the name of the column."""
    path = tmp_path / "aircraft.csv"
    path.write_text(
        "station,time,latitude,longitude,column_pmolec_cm2,uncertainty_pmolec_cm2\n"
        "A,2023-06-01T12:00:00Z,48.0,2.0,10,1\nB,2023-06-01T12:00:00,49.0,2.0,20,\n"
    )
    first, second = read_file(path)
    np.testing.assert_allclose(first.column, [10 * PMOLEC])
    np.testing.assert_allclose(first.uncertainty, [PMOLEC])
    assert (second.station, second.latitude) == ("B", 49.0)
    assert np.isnan(second.uncertainty).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "or a CSV with station, time, .*Given a, b"),
        ("", "Given no row"),
        ("station,time,latitude,longitude,column_mol_m2\nA,noon,1,2,3\n", "Given line 2: .*noon"),
        ("station,time,latitude,longitude,column_mol_m2\nA,2023-06-01,91,2,3\n", "in degrees"),
    ],
)
def test_a_table_that_is_none_is_one_line(tmp_path, text, said):
    """Missing columns, no rows, no time, no place."""
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(RetrievalError, match=said):
        read_file(path)


def test_files_of_one_instrument_are_one_series(tmp_path):
    """Daily files joined in order; what two files repeat counts once; other stations stay apart."""
    a = write_pandora(tmp_path / "a.txt", [("20230602T120000Z", 0, 2e-4)])
    b = write_pandora(
        tmp_path / "b.txt", [("20230601T120000Z", 0, 1e-4), ("20230602T120000Z", 0, 2e-4)]
    )
    c = write_pandora(tmp_path / "c.txt", [("20230601T120000Z", 0, 5e-4)], station="Lille")
    paris, lille = read_ground([a, b, c])
    np.testing.assert_array_equal(paris.column, [1e-4, 2e-4])
    assert (lille.station, len(lille)) == ("Lille", 1)
