"""Make `retrieval/maps/data/coastlines_*.npz`: coastlines and borders without a download.

Source: Natural Earth 4.1, Admin 0 countries (public domain), as TopoJSON in the npm package
world-atlas 2.0.2 (M. Bostock, ISC licence): 1:10m for Europe, 1:50m and 1:110m for the world.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    python tools/make_coastlines.py package retrieval/maps/data

In a topology every line between two countries is stored once. An arc that two countries use is
a border, an arc that one country uses is coast. Each arc is cut to the box and simplified by
itself, so borders still meet at their ends.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from shapely import LineString, box

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Product:
    """What one file holds.

    Attributes
    ----------
    scale : str
        Of Natural Earth.
    box : tuple of float
        West, south, east, north [degree].
    tolerance : float
        How far a simplified line may lie from the original [degree of latitude]: for Europe 450 m,
        about the step on which world-atlas stores its coordinates.
    smallest_island : float
        Closed lines with a smaller diameter [degree] are left out: a dot on any map.
    step : float
        Unit of the stored coordinates [degree]: 2 bytes hold the box.
    """

    scale: str
    box: tuple[float, float, float, float]
    tolerance: float
    smallest_island: float
    step: float

    @property
    def source(self) -> str:
        """Where the lines come from."""
        west, south, east, north = self.box
        return (
            f"Natural Earth 4.1, 1:{self.scale} Admin 0 countries (public domain), from the npm "
            f"package world-atlas 2.0.2 (ISC); cut to {west:g} to {east:g} E, {south:g} to "
            f"{north:g} N, simplified to {self.tolerance:g} degree"
        )


WORLD = (-180.0, -90.0, 180.0, 90.0)
PRODUCTS = {
    "europe": Product("10m", (-15.0, 35.0, 25.0, 62.0), 0.004, 0.03, 0.001),
    "world_50m": Product("50m", WORLD, 0.02, 0.15, 0.01),
    "world_110m": Product("110m", WORLD, 0.05, 0.5, 0.01),
}
SEAM = 179.99
"""Beyond this longitude, and at the south pole, lines are no coasts: where the map is cut open."""


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


def without_seam(arc: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Cut out what runs along the antimeridian or the south pole."""
    is_seam = (np.abs(arc[:, 0]) > SEAM) | (arc[:, 1] < -SEAM / 2)
    breaks = np.flatnonzero(is_seam[:-1] & is_seam[1:]) + 1
    for part in np.split(arc, breaks):
        if len(part) > 1:
            yield part


def clipped(arc: NDArray[np.float64], product: Product) -> Iterator[NDArray[np.float64]]:
    """Cut an arc to the box and simplify it, in a plane where both axes have the same scale."""
    cut = LineString(arc).intersection(box(*product.box))
    for part in getattr(cut, "geoms", [cut]):
        if part.geom_type != "LineString" or part.is_empty:
            continue
        points = np.array(part.coords)
        is_closed = bool((points[0] == points[-1]).all())
        shrink = np.array([np.cos(np.deg2rad(points[:, 1].mean())), 1.0])
        if is_closed and np.ptp(points * shrink, axis=0).max() < product.smallest_island:
            continue
        yield np.array(LineString(points * shrink).simplify(product.tolerance).coords) / shrink


def write(topology: dict[str, Any], product: Product, target: Path) -> None:
    """Write one packaged file."""
    arcs, users = decode_arcs(topology), users_of_arcs(topology)
    corner = np.array(product.box[:2])
    lines, is_border = [], []
    for i, arc in enumerate(arcs):
        for line in (line for part in without_seam(arc) for line in clipped(part, product)):
            lines.append(np.round((line - corner) / product.step).astype(np.uint16))
            is_border.append(len(users[i]) > 1)
    np.savez_compressed(
        target,
        points=np.concatenate(lines),
        lengths=np.array([len(line) for line in lines], dtype=np.uint16),
        is_border=np.array(is_border),
        origin=corner,
        step=np.array(product.step),
        source=np.array(product.source),
    )
    n_point = sum(map(len, lines))
    print(f"{target}: {len(lines)} lines, {n_point} points, {target.stat().st_size} bytes")


def main(source: Path, target: Path) -> None:
    """Write the packaged files."""
    for name, product in PRODUCTS.items():
        topology = json.loads((source / f"countries-{product.scale}.json").read_text())
        write(topology, product, target / f"coastlines_{name}.npz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
