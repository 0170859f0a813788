"""Which measurement a file holds, and which files of a folder count: one an orbit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import ProductError
from retrieval.files.candidates import Candidate, Mark, choose, listed, newest
from retrieval.files.names import S5P_STEM_LENGTH, parse_s5p
from retrieval.files.provenance import checksum
from retrieval.l2.names import TROPOMI
from retrieval.l2.open_orbit import open_lenient

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np

    from retrieval.l2.orbit import Orbit

_OMI_ORBIT = re.compile(r"^OMI-Aura_L2-.*-o(\d{5,6})_")
"""Number of the orbit in names of NASA's OMI products, whose files do not say it elsewhere."""

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
    sensor : str
        What the product is of.
    """

    file: str
    orbit: str
    stream: str
    processor_version: str
    sha256: str = ""
    days: tuple[str, ...] = ()
    side: tuple[str, ...] = ()
    sensor: str = TROPOMI.sensor

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
        if (self.sensor, self.number) != (other.sensor, other.number):
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
    version = orbit.attribute("processor_version") or orbit.attribute("processing_version")
    sensor = orbit.names.sensor
    if name is None:
        in_name = _OMI_ORBIT.search(path.name)
        number = number or (in_name[1] if in_name else "")
        key = number.zfill(5) if number else path.stem
        return OrbitIdentity(path.name, key, "", version, sensor=sensor)
    version = version or ".".join(f"{part:02d}" for part in name.processor_version)
    key = f"{name.orbit:05d}"
    if name.stream == NEAR_REAL_TIME:
        key += f" {name.start}"
    return OrbitIdentity(path.name, key, name.stream, version, sensor=sensor)


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
    groups: dict[tuple[str, str], dict[str, list[Candidate[Path]]]] = {}
    for path in paths:
        found = identify(path)
        part = found.orbit if found.stream == NEAR_REAL_TIME else ""
        candidate = Candidate(path, str(path), _rank(path, found))
        key = (found.number, found.sensor)
        groups.setdefault(key, {}).setdefault(part, []).append(candidate)
    chosen: list[Path] = []
    passed_over: list[tuple[Path, Path]] = []
    for (number, _), parts in sorted(groups.items()):
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
    """Refuse to mix sensors, and processor versions 1 and 2: clouds and quality values differ.

    See docs/equations.md 2.6.

    Raises
    ------
    ProductError
        If the files are of several sensors or generations.
    """
    sensors: dict[str, Path] = {}
    found: dict[str, Path] = {}
    for path in paths:
        identity = identify(path)
        sensors.setdefault(identity.sensor, path)
        found.setdefault(identity.major_version, path)
    if len(sensors) > 1:
        given = " and ".join(f"{name} ({path.name})" for name, path in sorted(sensors.items()))
        msg = (
            "Invalid files. Sensors are mixed only when told, each with its own quality rule. "
            f"Given {given}. Grid each alone, or --allow-mixed."
        )
        raise ProductError(msg)
    if len(found) > 1:
        given = " and ".join(f"{version} ({path.name})" for version, path in sorted(found.items()))
        msg = (
            "Invalid files. Processor versions 1 and 2 have different clouds and quality values "
            f"and do not mix. Given versions {given}. Use reprocessed files, or --allow-mixed."
        )
        raise ProductError(msg)


def version_breaks(versions: Iterable[str]) -> list[str]:
    """Say in what TROPOMI's processor versions of one mean differ, nothing where they agree.

    Clouds are others in 2.6 alone (its FRESCO was rolled back), the surface albedo from 2.7 on,
    terrain heights and the thresholds of qa_value from 2.8 on (docs/formats.md 1.14).

    Parameters
    ----------
    versions : iterable of str
        Such as "02.04.00"; what is no version 2 is passed over.

    Examples
    --------
    >>> version_breaks(["02.04.00", "02.05.00"]), version_breaks(["02.08.00", "02.09.01"])
    ([], [])
    >>> version_breaks(["02.04.00", "02.06.00", "02.07.01"])
    ['clouds (2.6)', 'surface albedo (from 2.7)']
    """
    minors = set()
    for version in versions:
        parts = [int(part) for part in version.split(".") if part.isdigit()]
        if len(parts) > 1 and parts[0] == 2:
            minors.add(parts[1])
    kinds = {
        "clouds (2.6)": {minor == 6 for minor in minors},
        "surface albedo (from 2.7)": {minor >= 7 for minor in minors},
        "terrain height and qa_value (from 2.8)": {minor >= 8 for minor in minors},
    }
    return [what for what, found in kinds.items() if len(found) > 1]
