"""`dacno2-s5p validate` on re-retrieved orbits and ground files near Paris."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from cli.commands.validate import validate
from retrieval.errors import RetrievalError
from retrieval.l2.open_orbit import open_orbit
from tests.builders.ground_files import write_pandora
from tests.builders.source_files import METADATA_COLUMNS, hours_of, write_parquet


@pytest.fixture(scope="module")
def ground(season, tmp_path_factory):
    """Return a Pandora file with a measurement at each overpass of Paris."""
    rows = []
    for i, path in enumerate(season.outputs):
        with open_orbit(path) as orbit:
            times = orbit.scanline_times(orbit.full)
        time = str(times[len(times) // 2].astype("datetime64[s]"))
        rows.append((time.replace("-", "").replace(":", "") + "Z", 0, 1e-4 * (i + 1)))
    return write_pandora(tmp_path_factory.mktemp("ground") / "Pandora.txt", rows)


def run(season, ground, output, *more):
    """Validate all orbits of the season."""
    words = [*map(str, season.outputs), "-g", str(ground), "-o", str(output), *more]
    return CliRunner().invoke(validate, words)


def test_pairs_scores_figures_and_their_origin(season, ground, tmp_path):
    """All files appear, pairs have every a priori, the same call refuses to replace them."""
    out = tmp_path / "validation"
    outcome = run(season, ground, out, "--json", "--bootstrap", "10", "--qa", "0")
    assert outcome.exit_code == 0, outcome.output
    said = json.loads(outcome.stdout)
    assert said["stations"] == ["Paris"]
    rows = list(csv.DictReader((out / "pairs.csv").read_text().splitlines()))
    assert len(rows) == said["pairs"] == len(season.outputs)
    assert {"column_TM5", "column_DACNO2", "column_CAMS", "reference_column"} <= set(rows[0])
    assert float(rows[0]["reference_column"]) == 1e-4
    scores = list(csv.DictReader((out / "scores.csv").read_text().splitlines()))
    assert list(scores[0]) == ["scope", "product", "statistic", "value", "low", "high", "n"]
    assert {"scatter.png", "stations.png", "series.png", "seasons.png"} <= {
        p.name for p in out.iterdir()
    }
    assert "| TM5 |" in (out / "scores.md").read_text()
    origin = json.loads((out / "provenance.json").read_text())
    assert "Pandora.txt" in json.dumps(origin)
    again = run(season, ground, out)
    assert again.exit_code != 0
    assert "overwrite" in (again.output + str(again.exception)).lower()


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (["--window", "soon"], 2, "Write for example 30min"),
        (["--flags", "good"], 2, "Write for example 0,1,10,11"),
        (["--flags", "5"], 1, "No pair. A pixel must hold a station"),
        (["-g", "nowhere.txt"], 2, "does not exist"),
    ],
)
def test_wrong_words_are_one_line(season, ground, tmp_path, more, status, said):
    """Usage is 2, nothing to pair is 1, and nothing is written."""
    outcome = run(season, ground, tmp_path / "v", *more)
    assert outcome.exit_code == status, outcome.output
    assert said in outcome.output
    assert not (tmp_path / "v").exists()


def test_the_door_gives_what_the_command_writes(season, ground, tmp_path):
    """The same pairs and scores, labelled."""
    import retrieval as rt
    from retrieval.validation.pair import PairOptions

    found = rt.validate(season.outputs, ground, PairOptions(qa=0), n_draw=10)
    assert dict(found.sizes)["pair"] == len(season.outputs)
    assert list(found.product.values) == ["TM5", "DACNO2", "CAMS"]
    difference = found.column.sel(product="CAMS") - found.reference_column
    score = found.score.sel(scope="all", product="CAMS", statistic="median_difference")
    np.testing.assert_allclose(float(score), float(difference.median()))
    with pytest.raises(RetrievalError, match="no pair"):
        rt.validate(season.outputs, ground, PairOptions(flags=(5,)))


def test_surface_stations_beside_the_sets_own_surface(season, tmp_path):
    """The hour that holds the overpass against the set at the station, in ug m-3."""
    pytest.importorskip("pyarrow")
    (tmp_path / "sets").mkdir()
    for path in season.folder.glob("dacno2_*.nc"):
        shutil.copy(path, tmp_path / "sets")
    days = []
    for path in season.outputs:
        with open_orbit(path) as orbit:
            days.append(orbit.time.astype("datetime64[D]"))
    eea = tmp_path / "eea"
    write_paris(eea, days)
    out = tmp_path / "surface"
    words = ["--surface", str(eea), "-a", f"dacno2={tmp_path / 'sets'}", "-o", str(out)]
    outcome = CliRunner().invoke(
        validate, [*map(str, season.outputs), *words, "--qa", "0", "--bootstrap", "0", "--json"]
    )
    assert outcome.exit_code == 0, outcome.output
    rows = list(csv.DictReader((out / "surface_pairs.csv").read_text().splitlines()))
    assert len(rows) == json.loads(outcome.stdout)["surface_pairs"] == len(season.outputs)
    for row in rows:
        assert float(row["reference"]) == pytest.approx(int(row["time"][11:13]) + 1.0)
        assert float(row["DACNO2"]) > 0.0
    scores = list(csv.DictReader((out / "surface_scores.csv").read_text().splitlines()))
    (mean,) = (s for s in scores if (s["scope"], s["statistic"]) == ("all", "mean_difference"))
    expected = np.mean([float(r["DACNO2"]) - float(r["reference"]) for r in rows])
    assert float(mean["value"]) == pytest.approx(expected, rel=1e-5)  # seven digits


def write_paris(folder, days):
    """Write a background station in Paris whose hours hold the hour that they end at."""
    ends = np.concatenate([hours_of(day) for day in days])
    write_parquet(folder, "FR001", ends, np.arange(ends.size) % 24 + 0.0)
    pollutant = "http://dd.eionet.europa.eu/vocabulary/aq/pollutant/8"
    row = f"FR\tSPO-FR001\tFR001\t{pollutant}\t2.35\t48.85\tbackground\turban"
    (folder / "PanEuropean_metadata.csv").write_text(f"{METADATA_COLUMNS}\n{row}\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "there is no ground data."),
        (["--surface", "."], "is for the sets' surface values."),
        (["-g", "x", "--dilution", "fine"], "'fine' is none of the sets."),
    ],
)
def test_a_call_without_references_is_refused(season, tmp_path, words, said):
    """Usage, before anything is read."""
    outcome = CliRunner().invoke(
        validate, [str(season.outputs[0]), *words, "-o", str(tmp_path / "v")]
    )
    assert outcome.exit_code == 2
    assert said in " ".join(outcome.output.split())
