"""Which measurement a file holds, and which files of a folder count: one an orbit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import ProductError
from retrieval.files.names import S5P_STEM_LENGTH, parse_s5p
from retrieval.l2.open_orbit import open_lenient

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        If an orbit is there twice in one stream: which one is meant, only the user knows.
    """
    groups: dict[str, list[tuple[int, str, Path]]] = {}
    for path in paths:
        found = identify(path)
        rank = STREAMS.index(found.stream) if found.stream in STREAMS else len(STREAMS)
        groups.setdefault(found.number, []).append((rank, found.orbit, path))
    chosen, passed_over = [], []
    for number in sorted(groups):
        group = sorted(groups[number], key=lambda item: item[:2])
        best = [item for item in group if item[0] == group[0][0]]
        for one, other in pairwise(best):
            if one[1] == other[1]:
                raise ProductError(_twice(number, one[2], other[2]))
        chosen += [item[2] for item in best]
        passed_over += [(item[2], best[0][2]) for item in group[len(best) :]]
    return chosen, passed_over


def _twice(number: str, one: Path, other: Path) -> str:
    return (
        f"Invalid files. An orbit may be in a map once, else it has double weight. Given orbit "
        f"{number} as {one} and {other}. Leave one of them out."
    )


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
