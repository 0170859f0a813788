"""The twin command: wrong calls, units of work, and a day written and resumed."""

import json

import pytest
from click.testing import CliRunner

import cli.tasks.twin_files as twin_files
from cli.commands.twin import KINDS, twin


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--start", "2018-01-01"], "2019 to 2024"),
        (["--start", "2023-06-02", "--end", "2023-06-01"], "before"),
        (["--start", "2023-06-01", "--files", "l2,l3"], "'l3'"),
    ],
)
def test_wrong_calls_are_usage_errors(arguments, named, tmp_path):
    """Dates outside of the calendar, reversed ranges and unknown kinds are named."""
    result = CliRunner().invoke(twin, [str(tmp_path / "out"), *arguments])
    assert result.exit_code == 2
    assert named in result.output
    assert not (tmp_path / "out").exists()


def test_every_kind_has_a_writer_and_a_period():
    """The command's list, the writers and the periods agree."""
    assert set(KINDS) == set(twin_files.WRITERS) == set(twin_files.PERIODS)


def test_units_are_days_months_years_and_one():
    """A range is divided by the files that hold it."""
    dates = twin_files.date_range("2022-12-31", "2023-01-02")
    units = twin_files.plan(["l2", "cams", "eea", "geography"], dates)
    labels = [unit.label for unit in units]
    assert labels == ["2022-12-31", "2022-12", "2022", "static", "2023-01-01", "2023-01", "2023",
                      "2023-01-02"]  # fmt: skip
    assert units[5].dates == ("2023-01-01", "2023-01-02")


def test_finished_units_are_not_written_again(tmp_path, monkeypatch):
    """A unit that fails is written again, those before it are not."""
    calls = []

    def writer(_request, unit):
        calls.append(unit.label)
        if unit.label == "2023-06-02" and calls.count("2023-06-02") == 1:
            raise KeyboardInterrupt

    monkeypatch.setitem(twin_files.WRITERS, "ctm", writer)
    arguments = [str(tmp_path), "--start", "2023-06-01", "--end", "2023-06-03", "--files", "ctm"]
    first = CliRunner().invoke(twin, arguments)
    assert first.exit_code != 0
    second = CliRunner().invoke(twin, arguments)
    assert second.exit_code == 0
    assert calls == ["2023-06-01", "2023-06-02", "2023-06-02", "2023-06-03"]
    assert len(json.loads((tmp_path / "twin.json").read_text())) == 3
    third = CliRunner().invoke(twin, arguments)
    assert "3 of 3 done before" in third.output
    assert len(calls) == 4


def test_a_month_keeps_the_days_of_an_earlier_call(tmp_path, monkeypatch):
    """Files of a month are written with the days they had before, not with the new ones alone."""
    written = []
    monkeypatch.setitem(
        twin_files.WRITERS, "cams", lambda _request, unit: written.append(unit.dates)
    )
    common = [str(tmp_path), "--files", "cams"]
    CliRunner().invoke(twin, [*common, "--start", "2023-06-01"])
    CliRunner().invoke(twin, [*common, "--start", "2023-06-03", "--end", "2023-06-04"])
    CliRunner().invoke(twin, [*common, "--start", "2023-06-01", "--end", "2023-06-01"])
    assert written == [("2023-06-01",), ("2023-06-01", "2023-06-03", "2023-06-04")]


def test_geography_is_written_once_for_all_dates(tmp_path, monkeypatch):
    """Static rasters know no dates: another period does not write them again."""
    written = []
    monkeypatch.setitem(
        twin_files.WRITERS, "geography", lambda _request, unit: written.append(unit.label)
    )
    common = [str(tmp_path), "--files", "geography"]
    CliRunner().invoke(twin, [*common, "--start", "2023-06-01"])
    CliRunner().invoke(twin, [*common, "--start", "2023-07-01"])
    assert written == ["static"]


def test_versions_of_the_world_are_not_mixed(tmp_path, monkeypatch):
    """A folder is of one version with its switches; the switches are those of the second."""
    worlds = []
    monkeypatch.setitem(
        twin_files.WRITERS, "ctm", lambda request, _unit: worlds.append(request.twin.name)
    )
    common = [str(tmp_path), "--files", "ctm", "--start", "2023-06-01"]
    second = [*common, "--version", "2", "--exact-winds"]
    assert CliRunner().invoke(twin, second).exit_code == 0
    assert worlds == ["twin world, version 2 with exact winds, seed 20190"]
    assert "1 of 1 done before" in CliRunner().invoke(twin, second).output
    other = CliRunner().invoke(twin, [*common, "--version", "1"])
    assert other.exit_code == 1
    assert "version 1 beside version 2 with exact winds" in str(other.exception or other.output)
    wrong = CliRunner().invoke(twin, [*common, "--version", "1", "--fixed-lifetime"])
    assert wrong.exit_code == 2
    assert "Given fixed lifetime with version 1" in " ".join(wrong.output.split())
