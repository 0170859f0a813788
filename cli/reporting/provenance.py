"""Where data files come from: what netCDF files and checkpoints say of themselves."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.reporting.folder import checksum
from cli.reporting.origin import LEAF
from retrieval.files.provenance import file_checksum

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cli.reporting.folder import Folder

COMMAND = "dacno2-s5p"
HDF5 = b"\x89HDF"
L3, ORBIT, PROFILES = "gridded means", "re-retrieved orbit", "profile file"
TABLES = "tables and figures"
_LINE = re.compile(rf"(?P<time>\S+Z) (?:{COMMAND} [\d.]\S*: )?(?P<command>{COMMAND}(?: .*)?)$")
_ORBIT_PREFIX = "apriori_"
_MARKS = ("data", "training_data", "source", "title", "comment", "institution", "creator_name")
"""Attributes in which our files say that they are synthetic."""


@dataclass(frozen=True)
class Input:
    """A file that was read: its part, name and SHA-256 ("" where none was recorded)."""

    role: str
    name: str
    sha256: str = ""


@dataclass(frozen=True)
class Record:
    """What a data file says of itself; empty where it says nothing."""

    name: str
    kind: str
    command: str = ""
    created: str = ""
    versions: str = ""
    options: str = ""
    inputs: tuple[Input, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    sha256: str = ""
    is_synthetic: bool = False


@dataclass(frozen=True)
class Step:
    """One command line, and what it wrote here."""

    command: str
    created: str
    versions: str
    wrote: str


def read_records(folder: Folder) -> tuple[list[Record], dict[str, str]]:
    """Read what netCDF files, and provenance.json beside tables, say of where they come from.

    Returns
    -------
    list of Record, dict
        Files that say something, and names to the reason for those that could not be read.
    """
    found, problems = [], {}
    for name in folder.sizes:
        read = _reader(name)
        if read is None:
            continue
        try:
            record = read(folder, name)
        except (OSError, RuntimeError, KeyError, ValueError) as error:
            problems[name] = f"not readable: {' '.join(str(error).split())[:120]}"
            continue
        if record is not None:
            found.append(record)
    return found, problems


def _reader(name: str) -> Callable[[Folder, str], Record | None] | None:
    if name.rpartition("/")[2] == LEAF:
        return _read_json
    return _read_netcdf if name.endswith((".nc", ".nc4")) else None


def _read_json(folder: Folder, name: str) -> Record | None:
    """Read the attributes of a `Provenance` beside tables; None for others."""
    data = folder.read(name)
    found = json.loads(data)
    if not isinstance(found, dict) or not isinstance(found.get("command"), str):
        return None
    text = {key: str(value) for key, value in found.items()}
    return Record(
        name,
        TABLES,
        command=text["command"],
        created=text.get("created", ""),
        versions=text.get("versions", ""),
        options=text.get("options", ""),
        inputs=_inputs(text.get("inputs", "")),
        facts=_choices(found.get("choices", [])),
        sha256=checksum(data),
        is_synthetic="synthetic" in " ".join(text.get(key, "") for key in _MARKS).lower(),
    )


def _choices(records: Iterable[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return what was chosen of several candidates, and what was passed over."""
    return tuple(
        (
            f"chosen: {record['what']}",
            f"{record['chosen']}, not "
            + "; ".join(f"{other['label']} ({other['why']})" for other in record["passed_over"]),
        )
        for record in records
    )


def _read_netcdf(folder: Folder, name: str) -> Record | None:
    """Read one file; None for classic netCDF, which none of our commands writes."""
    import h5py

    path = folder.path(name)
    with path.open("rb") as stream:
        if stream.read(len(HDF5)) != HDF5:
            return None
    with h5py.File(path, "r") as file:
        root = _attributes(file)
        # only a group of the file itself: a link could lead into any other file
        is_here = isinstance(file.get("PRODUCT", getlink=True), h5py.HardLink)
        product = _attributes(file["PRODUCT"]) if is_here else {}
    mine = {
        key.removeprefix(_ORBIT_PREFIX): text
        for key, text in product.items()
        if key.startswith(_ORBIT_PREFIX)
    }
    is_synthetic = any("synthetic" in root.get(key, "").lower() for key in _MARKS)
    command, created = _last_command(root.get("history", ""))
    if mine.get("command"):
        return Record(
            name,
            ORBIT,
            command=mine["command"],
            created=mine.get("created", ""),
            versions=mine.get("versions", ""),
            options=mine.get("options", ""),
            inputs=_inputs(mine.get("inputs", "")),
            is_synthetic=is_synthetic,
        )
    kind = _kind(root)
    return Record(
        name,
        kind,
        command=command,
        created=created,
        inputs=_named_inputs(root, kind),
        facts=_facts(root, kind),
        sha256=file_checksum(path) if kind == L3 else "",
        is_synthetic=is_synthetic,
    )


def _attributes(item: Any) -> dict[str, str]:
    """Return the attributes of a group that are text or one number, as text."""
    from retrieval.l2.product.variables import read_text

    found = {name: read_text(item, name) for name in item.attrs}
    for name in item.attrs:
        value = item.attrs[name]
        if not found[name] and getattr(value, "size", 0) == 1:
            found[name] = str(value.reshape(-1)[0])
    return found


def _kind(root: dict[str, str]) -> str:
    if "product_labels" in root and "pixel_filter" in root:
        return L3
    return PROFILES if root.get("checkpoint_sha256") else ""


def _last_command(history: str) -> tuple[str, str]:
    """Return the last command of ours in a history, and its time.

    Examples
    --------
    >>> _last_command("2026-11-22T15:00:00Z dacno2-s5p grid a.nc -o b.nc")
    ('dacno2-s5p grid a.nc -o b.nc', '2026-11-22T15:00:00Z')
    >>> _last_command("written by hand")
    ('', '')
    """
    matches = [_LINE.match(line.strip()) for line in history.splitlines()]
    found = [match for match in matches if match]
    return (found[-1]["command"], found[-1]["time"]) if found else ("", "")


def _inputs(text: str) -> tuple[Input, ...]:
    """Read `role: name sha256:...`, one a line, as `retrieval.files.provenance` writes them."""
    found = []
    for line in text.splitlines():
        named, _, digest = line.partition(" sha256:")
        role, sign, name = named.partition(": ")
        found.append(Input(role, name, digest) if sign else Input("", line))
    return tuple(found)


def _named_inputs(root: dict[str, str], kind: str) -> tuple[Input, ...]:
    """Files that are named without a checksum, and the checkpoints of a profile file."""
    if kind == L3:
        return tuple(Input("gridded orbit", name) for name in root["input_files"].splitlines())
    if kind == PROFILES:
        makers = root["checkpoint_sha256"].split(",")
        return tuple(Input("checkpoint", "", digest.strip()) for digest in makers)
    return ()


def _facts(root: dict[str, str], kind: str) -> tuple[tuple[str, str], ...]:
    if kind != L3:
        return ()
    period = f"{root.get('time_coverage_start', '')} to {root.get('time_coverage_end', '')}"
    labels = json.loads(root["product_labels"])
    wanted = {
        "period": period,
        "days with data": root.get("n_day_with_data", ""),
        "orbits": root.get("n_orbit", ""),
        "products": ", ".join(map(str, labels)),
        "pixels": root["pixel_filter"],
        "weights": root.get("weighting", ""),
        "processor versions": root.get("processor_versions", ""),
        "options of the re-retrieval": root.get("reretrieval_options", ""),
        "data": root.get("data", ""),
    }
    return tuple((name, text) for name, text in wanted.items() if text)


def steps(records: Sequence[Record]) -> list[Step]:
    """Return the command lines that wrote the files, each once, by time."""
    by_command: dict[str, list[Record]] = {}
    for record in records:
        if record.command:
            by_command.setdefault(record.command, []).append(record)
    found = []
    for command, made in by_command.items():
        kinds: dict[str, int] = {}
        for record in made:
            kind = record.kind or "netCDF file"
            kinds[kind] = kinds.get(kind, 0) + 1
        wrote = ", ".join(f"{n} x {kind}" if n > 1 else kind for kind, n in kinds.items())
        versions = "; ".join(dict.fromkeys(r.versions for r in made if r.versions))
        found.append(Step(command, min(record.created for record in made), versions, wrote))
    return sorted(found, key=lambda step: (step.created, step.command))


def all_inputs(records: Iterable[Record]) -> list[Input]:
    """Return every input once, in the order of roles as they come."""
    found = dict.fromkeys(item for record in records for item in record.inputs)
    # an orbit that was re-retrieved here with its checksum needs no second row without
    known = {item.name for item in found if item.sha256}
    return [item for item in found if item.sha256 or item.name not in known]


def checkpoint_facts(folder: Folder, name: str) -> dict[str, Any]:
    """Return the metadata of a checkpoint without loading torch or its weights.

    Raises
    ------
    ValueError
        If it is no checkpoint of this package.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder.path(name), framework="numpy") as file:
            text = (file.metadata() or {}).get("dacno2_s5p", "")
        found = json.loads(text)
    except (OSError, SafetensorError, ValueError) as error:
        msg = f"not readable as checkpoint: {' '.join(str(error).split())[:120]}"
        raise ValueError(msg) from error
    if not isinstance(found, dict):
        msg = "not readable as checkpoint"
        raise ValueError(msg)
    return found
