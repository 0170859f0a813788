"""Regions of a user's own: polygons of a GeoJSON file (RFC 7946), by the names of its features."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from retrieval.errors import DataError
from retrieval.maps.regions import Region

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

AREAS = ("Polygon", "MultiPolygon")
NAME_KEYS = ("name", "Name", "NAME", "id", "title")
"""Properties that name a feature, the first that is there; else its own `id`."""
LARGEST = 200_000_000
"""Bytes of a file; country borders at full detail take some ten million."""


@dataclass(frozen=True)
class PolygonRegion(Region):
    """An area of polygons; its box holds all of it.

    Attributes
    ----------
    shape : shapely.Geometry
        Longitudes and latitudes [degree], WGS 84.
    """

    shape: Any = field(default=None, repr=False)

    def contains(self, longitude: Float, latitude: Float) -> Bool:
        """Tell which points [degree] lie in the area or on its border; longitudes on any branch."""
        x, y = (np.asarray(values, dtype=np.float64) for values in (longitude, latitude))
        west, south, east, north = self.box
        found = np.zeros(x.shape, dtype=bool)
        for turn in (-360.0, 0.0, 360.0):
            is_near = (x + turn >= west) & (x + turn <= east) & (y >= south) & (y <= north)
            if is_near.any():
                found[is_near] |= shapely.intersects_xy(self.shape, x[is_near] + turn, y[is_near])
        return found


def read_geojson(path: Path) -> tuple[PolygonRegion, ...]:
    """Read the areas of a GeoJSON file; features of one name are parts of one area.

    Raises
    ------
    DataError
        If it is no GeoJSON of polygons in longitude and latitude, or a feature has no name.
    """
    parts: dict[str, list[Any]] = {}
    for i, feature in enumerate(_features(path)):
        geometry = feature.get("geometry") or {}
        name = _name(feature)
        if geometry.get("type") not in AREAS or not name:
            given = f"feature {i + 1}, {geometry.get('type', 'without geometry')}"
            given += "" if name else f", without any of {', '.join(NAME_KEYS)}"
            raise _error(path, "Features must be polygons with a name", given)
        try:
            shape = shapely.from_geojson(json.dumps(geometry))
        except (shapely.errors.GEOSException, TypeError, ValueError) as error:
            raise _error(path, "Polygons must be rings of points", f"{name}: {error}") from error
        west, south, east, north = shape.bounds
        if shape.is_empty or not shape.is_valid:
            reason = shapely.is_valid_reason(shape)
            raise _error(path, "Polygons must not cross themselves", f"{name}: {reason}")
        if not (-360 <= west < east <= 360 and -90 <= south < north <= 90):
            given = f"{name} from {west:g}, {south:g} to {east:g}, {north:g}"
            raise _error(path, "Points must be longitude and latitude in degrees", given)
        parts.setdefault(name, []).append(shape)
    found = []
    for name, shapes in parts.items():
        whole = shapes[0] if len(shapes) == 1 else shapely.union_all(shapes)
        shapely.prepare(whole)
        west, south, east, north = (float(x) for x in whole.bounds)
        found.append(PolygonRegion(name, (west, south, east, north), whole))
    return tuple(found)


def _features(path: Path) -> list[dict[str, Any]]:
    rule = "It must be GeoJSON with polygons"
    try:
        if path.stat().st_size > LARGEST:
            raise _error(path, rule, f"a file of more than {LARGEST // 1_000_000} MB")
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _error(path, rule, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        raise _error(path, rule, f"no JSON ({type(error).__name__})") from error
    kind = found.get("type") if isinstance(found, dict) else None
    listed: Any = (
        {"FeatureCollection": found.get("features"), "Feature": [found]}.get(str(kind))
        if (kind)
        else None
    )
    if not isinstance(listed, list) or not listed or not all(isinstance(f, dict) for f in listed):
        raise _error(path, rule, f"type {kind!r}" if kind else "something else")
    crs = json.dumps(found.get("crs") or "CRS84")
    if not any(word in crs for word in ("CRS84", "4326")):
        raise _error(path, "Points must be longitude and latitude (WGS 84)", f"crs {crs}")
    return listed


def _name(feature: dict[str, Any]) -> str:
    properties = feature.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    texts = [properties.get(key) for key in NAME_KEYS] + [feature.get("id")]
    return next((str(text).strip() for text in texts if text not in (None, "")), "")


def _error(path: Path, rule: str, given: str) -> DataError:
    msg = f"Invalid regions {path}. {rule}. Given {given}. Correct the file."
    return DataError(msg)
