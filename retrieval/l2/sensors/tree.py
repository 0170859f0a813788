"""What the groups of a file hold, and where its dimensions stand."""

from __future__ import annotations

from typing import Any


def group_at(dataset: Any, path: str) -> Any:
    """Return a group by its path, None where there is none."""
    found = dataset
    for part in filter(None, path.split("/")):
        found = found.groups.get(part) if found is not None else None
    return found


def has_path(dataset: Any, path: str) -> bool:
    """Tell whether a file has a group or variable of this path, its last name in any case."""
    where, _, last = path.strip("/").rpartition("/")
    group = group_at(dataset, where)
    if group is None:
        return False
    return last.lower() in {name.lower() for name in (*group.groups, *group.variables)}


def names_in(group: Any) -> set[str]:
    """Names of all variables of a group and of those in it, in lower case."""
    found = {name.lower() for name in group.variables}
    return found.union(*(names_in(inner) for inner in group.groups.values()))


def group_of(variable: Any) -> str:
    """Path of the group of a variable, without slashes at its ends; the root is `/`."""
    return str(variable.group().path).strip("/") or "/"


def scale_path(dimension: Any) -> str:
    """Path of a dimension's scale; empty where the file has none and netCDF makes up a name."""
    if dimension.name.startswith("phony_dim"):
        return ""
    return f"{dimension.group().path.rstrip('/')}/{dimension.name}"
