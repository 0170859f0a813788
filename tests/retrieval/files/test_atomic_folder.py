"""Results of one command appear all or not at all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from retrieval.errors import OutputError
from retrieval.files.atomic import atomic_output, results_together
from retrieval.files.owners import unique_name


def _targets(folder):
    return {name: folder / f"{name}.txt" for name in ("one", "two", "never")}


def _write(folder, error=None, *, overwrite=False):
    with results_together(_targets(folder), overwrite=overwrite) as drafts:
        for name in ("one", "two"):
            with atomic_output(drafts[name]) as temporary:
                temporary.write_text(f"new {name}")
            if error is not None:
                raise error


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_results_appear_together(tmp_path):
    """Results written have their names, those not written are no matter; folders are made."""
    folder = tmp_path / "a" / "b"
    with results_together(_targets(folder)) as drafts:
        drafts["one"].write_text("1")
        assert not (folder / "one.txt").exists()
        drafts["two"].write_text("2")
    assert _names(folder) == ["one.txt", "two.txt"]


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), SystemExit(2)])
def test_failure_leaves_neither_results_nor_folders(tmp_path, error):
    """Folders made by the call go; one that was there stays with what it held."""
    with pytest.raises(type(error)):
        _write(tmp_path / "a" / "b", error)
    assert _names(tmp_path) == []
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(type(error)):
        _write(tmp_path, error)
    assert _names(tmp_path) == ["notes"]


def test_failure_keeps_what_would_have_been_replaced(tmp_path):
    """Old results stay until all new ones are there."""
    (tmp_path / "one.txt").write_text("old")
    with pytest.raises(OutputError, match="existing file is not replaced"):
        _write(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, KeyboardInterrupt(), overwrite=True)
    assert (tmp_path / "one.txt").read_text() == "old"
    _write(tmp_path, overwrite=True)
    assert (tmp_path / "one.txt").read_text() == "new one"


def test_a_result_that_appears_meanwhile_is_kept(tmp_path):
    """Of what another process wrote nothing is replaced, and nothing is put beside it."""
    writing = results_together(_targets(tmp_path))
    drafts = writing.__enter__()
    for name in ("one", "two"):
        drafts[name].write_text("mine")
    (tmp_path / "two.txt").write_text("theirs")
    with pytest.raises(OutputError, match="existing file is not replaced"):
        writing.__exit__(None, None, None)
    assert _names(tmp_path) == ["two.txt"]
    assert (tmp_path / "two.txt").read_text() == "theirs"


def test_errors_name_the_result(tmp_path):
    """A failed write names the file that was wanted, not the hidden one."""
    with (
        pytest.raises(OutputError) as caught,
        results_together(_targets(tmp_path)) as drafts,
        atomic_output(drafts["one"]),
    ):
        raise OSError(28, "No space left on device")
    assert f"Invalid output {tmp_path / 'one.txt'}." in str(caught.value)
    assert ".part" not in str(caught.value)


def test_a_folder_that_cannot_be_is_one_line(tmp_path):
    """A file where the folder should be is refused, and stays."""
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError, match="It must be a folder"):
        _write(tmp_path / "taken" / "maps")
    assert _names(tmp_path) == ["taken"]


def test_what_killed_processes_left_is_removed(tmp_path):
    """The hidden folder of a dead process goes, that of a living one stays."""
    code = "from retrieval.files.owners import unique_name; print(unique_name())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    dead = tmp_path / f".results.{done.stdout.strip()}.part"
    alive = tmp_path / f".results.{unique_name()}.part"
    for path in (dead, alive):
        path.mkdir()
        (path / "one.txt").write_text("half")
    _write(tmp_path)
    assert _names(tmp_path) == [alive.name, "one.txt", "two.txt"]
    assert _names(alive) == ["one.txt"]
