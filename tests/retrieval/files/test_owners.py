"""Folders of unpacked files go with their owner and process; those of the dead go, too."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from retrieval.files import owners
from retrieval.files.owners import numbering_tag, owner_is_dead, unique_name

MAKE = """
import os, sys
from retrieval.files.owners import remove_scratch, scratch_folder
class Owner: pass
owner = Owner()
(scratch_folder(owner) / "0.nc").write_bytes(b"unpacked")
exec(sys.argv[1])
"""


class Owner:
    pass


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Return the temporary folder of this process and its children."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def ended(code):
    """Run `MAKE` in a process that ends in its own way."""
    return subprocess.run([sys.executable, "-c", MAKE, code], check=False).returncode


def test_a_folder_goes_with_its_owner(root):
    """It is there, for this user alone, until the owner is collected."""
    owner = Owner()
    folder = owners.scratch_folder(owner)
    assert folder.parent == root
    assert folder.stat().st_mode & 0o777 == 0o700
    (folder / "0.nc").write_bytes(b"unpacked")
    del owner
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("how", ["pass", "sys.exit(3)", "remove_scratch(); os._exit(0)"])
def test_a_process_that_ends_leaves_none(root, how):
    """At its normal end, with an error, and where it leaves at once and says so before."""
    ended(how)
    assert list(root.iterdir()) == []


def test_the_next_process_removes_what_a_killed_one_left(root):
    """Folders of processes that run, and of others' names, stay."""
    assert ended("os.kill(os.getpid(), 9)") == -9
    (left,) = root.iterdir()
    others = {"dacno2-s5p-notes", f"dacno2-s5p-{unique_name()}"}
    for name in others:
        (root / name).mkdir()
    owner = Owner()
    folder = owners.scratch_folder(owner)
    assert {path.name for path in root.iterdir()} == {*others, folder.name}
    assert not left.exists()


def test_an_owner_is_dead_only_where_that_is_known():
    """Not of this process, other machines and other names; of an ended child here it is."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    mine = unique_name()
    his = mine.replace(f"-{os.getpid()}-", f"-{child.pid}-")
    assert [owner_is_dead(name) for name in (mine, his, his[1:], "notes")] == [
        False,
        True,
        False,
        False,
    ]
    other = f"{'0' * len(numbering_tag())}{his[len(numbering_tag()) :]}"
    assert not owner_is_dead(other)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("node-1-11", "node-11-1"),
        ("ip-10-0-1-213.eu-west-1.compute.internal", "ip-10-0-12-13.eu-west-1.compute.internal"),
        ("dask-worker-cluster-no2-7d9f8-abcde", "dask-worker-cluster-no2-7d9f8-fghij"),
    ],
)
def test_machines_with_like_names_are_two(monkeypatch, one, two):
    """Signs count, and so does the end of a long name."""
    monkeypatch.setattr(platform, "node", lambda: one)
    tag = numbering_tag()
    monkeypatch.setattr(platform, "node", lambda: two)
    assert numbering_tag() != tag


def test_containers_with_one_host_name_are_two(monkeypatch, tmp_path):
    """Each has its own process numbers, or runs on a machine started at another time."""
    tag = numbering_tag()
    link = tmp_path / "pid"
    link.symlink_to("pid:[1]")
    monkeypatch.setattr(owners, "_PID_NAMESPACE", link)
    assert numbering_tag() != tag
