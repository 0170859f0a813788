"""Make `retrieval/maps/data/coastlines_europe.npz`: coastlines and borders without a download.

Source: Natural Earth 4.1, 1:10m Admin 0 countries (public domain), as TopoJSON in the npm package
world-atlas 2.0.2 (M. Bostock, ISC licence).

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python tools/make_coastlines.py package/countries-10m.json coastlines_europe.npz

In a topology every line between two countries is stored once. An arc that two countries use is
a border, an arc that one country uses is coast. Each arc is cut to the box and simplified by
itself, so borders still meet at their ends.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from shapely import LineString, box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BOX = (-15.0, 35.0, 25.0, 62.0)
"""West, south, east, north [degree]."""
TOLERANCE = 0.004
"""How far a simplified line may lie from the original [degree of latitude]: 450 m, about the step
on which world-atlas stores its coordinates."""
SMALLEST_ISLAND = 0.03
"""Closed lines with a smaller diameter [degree] are left out: 3 km, a dot on any map."""
STEP = 0.001
"""Unit of the stored coordinates [degree]: 2 bytes hold the box."""
SOURCE = (
    "Natural Earth 4.1, 1:10m Admin 0 countries (public domain), from the npm package "
    "world-atlas 2.0.2 (ISC); cut to 15W-25E, 35-62N, simplified to 0.004 degree"
)


def decode_arcs(topology: dict[str, Any]) -> list[NDArray[np.float64]]:
    """Return the lines of a quantised TopoJSON file, each (n, 2) longitude and latitude."""
    scale, origin = (np.array(topology["transform"][key]) for key in ("scale", "translate"))
    return [np.cumsum(np.array(arc), axis=0) * scale + origin for arc in topology["arcs"]]


def users_of_arcs(topology: dict[str, Any]) -> dict[int, set[int]]:
    """Return which countries use each arc; a negative reference ~i means arc i reversed."""
    users: dict[int, set[int]] = defaultdict(set)
    for country, geometry in enumerate(topology["objects"]["countries"]["geometries"]):
        for arc in _flat(geometry.get("arcs", [])):
            users[arc if arc >= 0 else ~arc].add(country)
    return users


def _flat(nested: list[Any]) -> Iterator[int]:
    for item in nested:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def clipped(arc: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Cut an arc to the box and simplify it, in a plane where both axes have the same scale."""
    cut = LineString(arc).intersection(box(*BOX))
    for part in getattr(cut, "geoms", [cut]):
        if part.geom_type != "LineString" or part.is_empty:
            continue
        points = np.array(part.coords)
        is_closed = bool((points[0] == points[-1]).all())
        shrink = np.array([np.cos(np.deg2rad(points[:, 1].mean())), 1.0])
        if is_closed and np.ptp(points * shrink, axis=0).max() < SMALLEST_ISLAND:
            continue
        yield np.array(LineString(points * shrink).simplify(TOLERANCE).coords) / shrink


def main(source: Path, target: Path) -> None:
    """Write the packaged file."""
    topology = json.loads(source.read_text())
    arcs, users = decode_arcs(topology), users_of_arcs(topology)
    lines, is_border = [], []
    for i, arc in enumerate(arcs):
        for line in clipped(arc):
            lines.append(np.round((line - np.array(BOX[:2])) / STEP).astype(np.uint16))
            is_border.append(len(users[i]) > 1)
    np.savez_compressed(
        target,
        points=np.concatenate(lines),
        lengths=np.array([len(line) for line in lines], dtype=np.uint16),
        is_border=np.array(is_border),
        origin=np.array(BOX[:2]),
        step=np.array(STEP),
        source=np.array(SOURCE),
    )
    n_point = sum(map(len, lines))
    print(f"{target}: {len(lines)} lines, {n_point} points, {target.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
