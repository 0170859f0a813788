"""Downloads: whole and checked, or not at all; every fault of a service one line."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import zipfile

import pytest

from retrieval.errors import FetchError
from retrieval.fetch.catalogue import Remote
from retrieval.fetch.transfer import LEDGER, Ledger, digest, download, is_there
from tests.retrieval.fetch.server import Reply, part_of

CONTENT = b"\x89HDF\r\n\x1a\n" + bytes(range(256)) * 40


@pytest.fixture
def ledger(tmp_path):
    """Return an empty record."""
    return Ledger(tmp_path / LEDGER)


def remote(service, name="orbit.nc", **changes):
    """Return the description of a file of the service."""
    values = {"size": len(CONTENT), "checksum": ("md5", hashlib.md5(CONTENT).hexdigest())}
    return Remote("orbits", name, f"{service.url}/{name}?key=secret", **(values | changes))


def archive(**members):
    """Return a ZIP archive with members by name (`__` is `/`)."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as found:
        for name, content in members.items():
            found.writestr(name.replace("__", "/").replace("_nc", ".nc"), content)
    return stream.getvalue()


def left_over(folder):
    """Return what is in a folder."""
    return sorted(p.name for p in folder.iterdir())


def test_a_file_arrives_whole_and_is_recorded_without_secrets(service, web, ledger, tmp_path):
    """Bytes, checksum and source stand in the record; the key of the address does not."""
    service.file("/orbit.nc", CONTENT)
    path = download(remote(service), tmp_path / "orbits", web, ledger)
    assert path.read_bytes() == CONTENT
    assert left_over(tmp_path / "orbits") == ["orbit.nc"]
    record = json.loads(ledger.path.read_text())
    assert record["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert (record["size"], record["kind"]) == (len(CONTENT), "orbits")
    assert record["source"] == f"{service.url}/orbit.nc"
    assert "secret" not in ledger.path.read_text()


def test_a_broken_connection_is_gone_on_with_where_it_broke(service, web, ledger, tmp_path):
    """The second request asks for the rest only, if the file is still the same."""
    whole = Reply(CONTENT, 200, {"ETag": '"one"'}, cut=6000)
    service.on("/orbit.nc", whole, lambda asked: part_of(CONTENT, asked, {"ETag": '"one"'}))
    path = download(remote(service), tmp_path, web, ledger)
    assert path.read_bytes() == CONTENT
    assert service.asked[1].headers["Range"] == "bytes=6000-"
    assert service.asked[1].headers["If-Range"] == '"one"'


def test_a_rest_of_another_file_is_not_taken(service, web, ledger, tmp_path):
    """A file that changed meanwhile is sent whole and begun anew: no mixture of two files."""
    old = b"\x89HDF" + b"x" * 8000
    service.on(
        "/orbit.nc",
        Reply(old, 200, {"ETag": '"old"'}, cut=5000),
        lambda asked: part_of(CONTENT, asked, {"ETag": '"new"'}),
    )
    assert download(remote(service), tmp_path, web, ledger).read_bytes() == CONTENT


def test_a_later_call_goes_on_too(service, web, ledger, tmp_path):
    """What has arrived stays beside the target under a hidden name, and is no file of the set."""
    service.on("/orbit.nc", Reply(CONTENT, 200, {"ETag": '"one"'}, cut=7000))
    with pytest.raises(FetchError, match=r"orbit.nc. It must arrive whole. Given .*goes on"):
        download(remote(service), tmp_path, web, ledger)
    assert not (tmp_path / "orbit.nc").exists()
    assert not ledger.path.exists()
    service.file("/orbit.nc", CONTENT)
    download(remote(service), tmp_path, web, ledger)
    assert service.asked[-1].headers["Range"] == "bytes=7000-"
    assert left_over(tmp_path) == [LEDGER, "orbit.nc"]


@pytest.mark.parametrize(
    ("reply", "changes", "said"),
    [
        (Reply("<!DOCTYPE html><title>Log in</title>"), {}, "begin like a .nc file.*login page"),
        (Reply('{"error": "quota"}'), {}, "begin like a .nc file"),
        (Reply(b""), {}, "hold something. Given no byte"),
        (Reply(CONTENT + b"!"), {}, r"have 10248 bytes. Given 10249"),
        (Reply(CONTENT[:-1] + b"!"), {}, "have the md5 .* Given .*Try again later"),
        (Reply("<html>sign in"), {"name": "a.txt", "size": None, "checksum": None}, "be data"),
    ],
)
def test_what_is_not_the_file_is_refused(service, web, ledger, tmp_path, reply, changes, said):
    """Login pages, errors, other sizes and checksums leave nothing behind."""
    wanted = remote(service, **changes)
    service.on(f"/{wanted.name}", reply)
    with pytest.raises(FetchError, match=said):
        download(wanted, tmp_path, web, ledger)
    assert left_over(tmp_path) == []


def test_what_was_there_stays_when_the_new_one_is_refused(service, web, ledger, tmp_path):
    """A damaged newer file does not take the place of an older whole one."""
    (tmp_path / "orbit.nc").write_bytes(b"old")
    service.on("/orbit.nc", Reply("<html>"))
    with pytest.raises(FetchError):
        download(remote(service), tmp_path, web, ledger)
    assert (tmp_path / "orbit.nc").read_bytes() == b"old"


def test_the_member_of_an_archive_is_kept_alone(service, web, ledger, tmp_path):
    """The data space packs an orbit into a folder in an archive, of another size than it says."""
    packed = archive(S5P__orbit_nc=CONTENT, S5P__readme="x")
    service.file("/orbit.nc", packed)
    wanted = remote(
        service,
        member=".nc",
        size=3,
        is_size_exact=False,
        checksum=("md5", hashlib.md5(packed).hexdigest()),
    )
    path = download(wanted, tmp_path, web, ledger)
    assert path.read_bytes() == CONTENT
    assert is_there(wanted, tmp_path, ledger.read()["orbits", "orbit.nc"])


@pytest.mark.parametrize(
    ("packed", "said"),
    [
        (archive(a_nc=CONTENT, b_nc=CONTENT), "hold one .nc file. Given a.nc, b.nc"),
        (archive(readme=b"x"), "hold one .nc file. Given none"),
        (archive(a_nc=CONTENT)[:-30], "be a whole archive"),
        (archive(a_nc=b"\0" * 3_000_000), "unpack to at most 200 times its size"),
    ],
)
def test_archives_that_are_not_one_orbit_are_refused(service, web, ledger, tmp_path, packed, said):
    """Two orbits, none, a cut archive, a bomb: one line, nothing left."""
    service.file("/orbit.nc", packed)
    wanted = remote(service, member=".nc", size=None, checksum=None)
    with pytest.raises(FetchError, match=said):
        download(wanted, tmp_path, web, ledger)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize("name", ["../x.nc", "a/b.nc", ".hidden", "", "a\x00b", "x" * 300])
def test_names_that_leave_the_folder_are_refused(name):
    """A service names files, not places."""
    with pytest.raises(FetchError, match="must be a plain file name"):
        Remote("orbits", name, "http://127.0.0.1/x")


def test_a_full_disk_is_one_line_and_keeps_what_came(service, web, ledger, tmp_path, monkeypatch):
    """No traceback, no target; the next call needs the rest only."""
    service.file("/orbit.nc", CONTENT)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("retrieval.fetch.transfer.os.fsync", full)
    with pytest.raises(FetchError, match=r"must take orbit.nc. .*No space left.*Make room"):
        download(remote(service), tmp_path, web, ledger)
    assert not (tmp_path / "orbit.nc").exists()
    assert (tmp_path / ".orbit.nc.partial").exists()


def test_what_is_there_is_known_by_size_and_checksum(service, tmp_path):
    """Files that came otherwise count too, if they are the same; changed ones do not."""
    wanted = remote(service)
    assert not is_there(wanted, tmp_path, None)
    (tmp_path / "orbit.nc").write_bytes(CONTENT)
    assert is_there(wanted, tmp_path, None)
    assert not is_there(remote(service, checksum=("md5", "0" * 32)), tmp_path, None)
    assert not is_there(remote(service, size=5), tmp_path, None)
    record = {"size": len(CONTENT), "source_checksum": f"md5:{'0' * 32}"}
    assert not is_there(wanted, tmp_path, record), "the service has another version now"
    record["source_checksum"] = ":".join(wanted.checksum)
    assert is_there(wanted, tmp_path, record)
    assert not is_there(wanted, tmp_path, {**record, "size": 1}), "it was changed on disk"


def test_a_damaged_record_names_its_line(ledger):
    """One line to remove, not a traceback."""
    ledger.path.write_text('{"kind": "a", "name": "b"}\nrubbish\n')
    with pytest.raises(FetchError, match=r"line 2: 'rubbish'. Remove that line"):
        ledger.read()


def test_checksums_are_those_of_hashlib(tmp_path):
    """The record can be checked with sha256sum."""
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert digest(path, "sha256") == expected
