"""All kinds of files, in groups that share their undamaged files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import kinds, source_kinds

GROUPS: dict[str, Callable[[Path], list[kinds.Kind]]] = {
    "texts": kinds.texts,
    "tables": source_kinds.tables,
    "networks": kinds.networks,
    "maps": kinds.maps,
    "sets": kinds.sets,
    "orbits": kinds.orbits,
    "sensors": kinds.sensors,
    "archives": kinds.archives,
    "stores": kinds.stores,
    "sources": source_kinds.sources,
}
"""What makes the undamaged files of each group and says how they are read."""
