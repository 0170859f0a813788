"""Where the users' files are: one folder (or file) for each source."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from dacno2_s5p.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class SourcePaths:
    """Folders of the sources; each may also be a single file.

    Attributes
    ----------
    era5, cams, eea, emissions, flights, grip4, geostat, viirs, merit, corine : Path
        By default the folder of that name.

    Examples
    --------
    >>> SourcePaths.in_folder(Path("data"), {"cams": Path("/disk/cams")}).era5.as_posix()
    'data/era5'
    """

    era5: Path
    cams: Path
    eea: Path
    emissions: Path
    flights: Path
    grip4: Path
    geostat: Path
    viirs: Path
    merit: Path
    corine: Path

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Return the names of the sources."""
        return tuple(f.name for f in fields(cls))

    @classmethod
    def in_folder(cls, folder: Path, others: Mapping[str, Path] | None = None) -> SourcePaths:
        """Take the folders of a workspace, some of them elsewhere.

        Raises
        ------
        ConfigurationError
            If a name is none of a source.
        """
        given = dict(others or {})
        unknown = sorted(set(given) - set(cls.names()))
        if unknown:
            msg = (
                f"Invalid source. It must be one of {', '.join(cls.names())}. Given "
                f"{', '.join(unknown)}. Write for example era5=/disk/era5."
            )
            raise ConfigurationError(msg)
        return cls(**{name: given.get(name, Path(folder) / name) for name in cls.names()})
