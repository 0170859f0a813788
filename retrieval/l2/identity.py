"""Which measurement a file holds, and which files of a folder count: one an orbit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import ProductError
from retrieval.files.candidates import Candidate, Mark, choose, listed, newest
from retrieval.files.names import S5P_STEM_LENGTH, parse_s5p
from retrieval.files.provenance import checksum
from retrieval.l2.open_orbit import open_lenient

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from retrieval.l2.orbit import Orbit

NEAR_REAL_TIME = "NRTI"
"""The stream whose files are granules, several an orbit."""
STREAMS = ("RPRO", "OFFL", "NRTI")
"""Best first: reprocessed, offline, near real time."""


@dataclass(frozen=True)
class OrbitIdentity:
    """Which measurement a file holds.

    Attributes
    ----------
    file : str
        Name of the file.
    orbit : str
        Orbit number; for a near-real-time granule orbit number and start time; what may be in a
        map once.
    stream : str
        RPRO, OFFL, NRTI, or what the name says.
    processor_version : str
        As the file says, such as "02.04.00".
    sha256 : str
        Checksum of the file, empty until it is needed.
    days : tuple of str
        UTC dates of its pixels in a map, empty until they are known.
    side : tuple of str
        Checksums of the files of its further columns.
    """

    file: str
    orbit: str
    stream: str
    processor_version: str
    sha256: str = ""
    days: tuple[str, ...] = ()
    side: tuple[str, ...] = ()

    @property
    def content(self) -> str:
        """Checksums of all that its pixels are read from."""
        return "+".join((self.sha256, *self.side))

    @property
    def number(self) -> str:
        """Orbit number alone, the same for all granules of an orbit."""
        return self.orbit.split()[0] if self.stream == NEAR_REAL_TIME else self.orbit

    def repeats(self, other: OrbitIdentity) -> bool:
        """Tell whether both hold pixels of one orbit and are not two granules of it.

        Examples
        --------
        >>> offline = OrbitIdentity("a.nc", "08822", "OFFL", "02.04.00")
        >>> granules = [OrbitIdentity("b.nc", f"08822 12:{i}", "NRTI", "02.04.00") for i in (0, 5)]
        >>> offline.repeats(granules[0]), granules[0].repeats(granules[1])
        (True, False)
        """
        if self.number != other.number:
            return False
        are_granules = self.stream == other.stream == NEAR_REAL_TIME
        return not are_granules or self.orbit == other.orbit

    @property
    def major_version(self) -> str:
        """Processor generation: 1 and 2 have different clouds and qa_value.

        docs/equations.md 2.6.
        """
        return self.processor_version.split(".")[0].lstrip("0") or "unknown"


def identify(path: str | Path, orbit: Orbit | None = None) -> OrbitIdentity:
    """Say which measurement a file holds, from its name or, where that is no S5P name, its `id`.

    Raises
    ------
    ProductError
        If it is no L2 NO2 file.
    """
    path = Path(path)
    if orbit is None:
        with open_lenient(path) as opened:
            return identify(path, opened)
    name = parse_s5p(path.name) or parse_s5p(orbit.attribute("id")[:S5P_STEM_LENGTH])
    number = orbit.attribute("orbit").strip("[] ")
    version = orbit.attribute("processor_version")
    if name is None:
        return OrbitIdentity(path.name, number.zfill(5) if number else path.stem, "", version)
    version = version or ".".join(f"{part:02d}" for part in name.processor_version)
    key = f"{name.orbit:05d}"
    if name.stream == NEAR_REAL_TIME:
        key += f" {name.start}"
    return OrbitIdentity(path.name, key, name.stream, version)


def one_file_an_orbit(paths: Sequence[Path]) -> tuple[list[Path], list[tuple[Path, Path]]]:
    """Choose one file of each orbit: reprocessed before offline before near real time.

    Of one stream the newer processor counts, and of one processor the newer file.

    Near-real-time granules of an orbit are different measurements; all of them stay unless a
    whole orbit is there.

    Parameters
    ----------
    paths : sequence of Path
        L2 NO2 files.

    Returns
    -------
    chosen : list of Path
        In the order of orbit numbers.
    passed_over : list of (Path, Path)
        Files left out, each with the one taken instead.

    Raises
    ------
    ProductError
        If an orbit is there twice and nothing ranks the two, re-retrieved and not, or with other
        sets: which one is meant, only the user knows; both in a map would have double weight.
    """
    groups: dict[str, dict[str, list[Candidate[Path]]]] = {}
    for path in paths:
        found = identify(path)
        part = found.orbit if found.stream == NEAR_REAL_TIME else ""
        candidate = Candidate(path, str(path), _rank(path, found))
        groups.setdefault(found.number, {}).setdefault(part, []).append(candidate)
    chosen: list[Path] = []
    passed_over: list[tuple[Path, Path]] = []
    for number, parts in sorted(groups.items()):
        if "" in parts and len(parts) > 1:  # a whole orbit beside granules of it
            parts = {"": [one for part in parts.values() for one in part]}
        for part, files in sorted(parts.items()):
            best = choose(
                f"orbit {part or number} of a map", files, same=_are_equal, error=ProductError
            ).chosen.value
            chosen.append(best)
            passed_over += [(one.value, best) for one in files if one.value != best]
    return chosen, passed_over


def _rank(path: Path, found: OrbitIdentity) -> tuple[Mark, ...]:
    """Rank by stream, then the newer processor, then the newer file of one processor."""
    version = [int(part) for part in found.processor_version.split(".") if part.isdigit()]
    created = _created(path)
    return (
        listed("stream", found.stream, STREAMS),
        newest("processor", found.processor_version, *version),
        newest("creation", str(created or ""), *([] if created is None else [created.astype(int)])),
    )


def _created(path: Path) -> np.datetime64 | None:
    """Return when a file was made: by its name, else by the name it keeps within."""
    name = parse_s5p(path.name)
    if name is None:
        with open_lenient(path) as orbit:
            name = parse_s5p(orbit.attribute("id")[:S5P_STEM_LENGTH])
    return None if name is None else name.created


def _are_equal(one: Path, other: Path) -> bool:
    return checksum(one) == checksum(other)


def check_one_generation(paths: Sequence[Path]) -> None:
    """Refuse to mix processor versions 1 and 2: clouds and quality values differ.

    See docs/equations.md 2.6.

    Raises
    ------
    ProductError
        If the files are of several generations.
    """
    found: dict[str, Path] = {}
    for path in paths:
        found.setdefault(identify(path).major_version, path)
    if len(found) > 1:
        given = " and ".join(f"{version} ({path.name})" for version, path in sorted(found.items()))
        msg = (
            "Invalid files. Processor versions 1 and 2 have different clouds and quality values "
            f"and do not mix. Given versions {given}. Use reprocessed files, or --allow-mixed."
        )
        raise ProductError(msg)
