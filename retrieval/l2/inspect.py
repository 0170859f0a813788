"""Say what an L2 NO2 file is, what it covers, and what is missing for which command."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.errors import ProductError
from retrieval.files.damage import CONTENT_ERRORS
from retrieval.files.hdf5_copy import damaged
from retrieval.files.names import parse_s5p
from retrieval.l2.columns import find_columns, is_replaced, reretrieved_sets
from retrieval.l2.open_orbit import open_lenient
from retrieval.l2.quality import QA_RECOMMENDED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.orbit import Orbit

FULL_SWATH = 450
"""Ground pixels of an uncropped file (docs/formats.md 1.2)."""


def describe_l2(path: str | Path) -> dict[str, Any]:
    """Describe an L2 NO2 file: product, version, coverage, what is missing, what was added.

    Parameters
    ----------
    path : path
        Any file; also one that lacks variables which `reretrieve` needs.

    Returns
    -------
    dict
        Plain values only, ready for JSON. `missing` maps a job to the variables it lacks.

    Raises
    ------
    ProductError
        If the file is damaged, is another product, or no netCDF-4 file at all.
    """
    path = Path(path)
    with open_lenient(path) as orbit:
        try:
            return _describe(orbit)
        except CONTENT_ERRORS as error:  # the netCDF library has no error of its own for damage
            raise damaged(path, error) from error


def _describe(orbit: Orbit) -> dict[str, Any]:
    """Describe an open file."""
    return {
        "file": orbit.path.name,
        "kind": f"{orbit.names.sensor} {orbit.names.product} file",
        **_identity(orbit),
        **_coverage(orbit),
        **_counts(orbit),
        "missing": missing_variables(orbit),
        "columns": {item.label: item.column for item in find_columns(orbit)},
        "is_synthetic": orbit.is_synthetic,
        **_reretrieval(orbit),
    }


def orbit_text(orbit: Orbit) -> str:
    """Say in some lines what an orbit is, when and where, how many pixels, what is assumed."""
    names = orbit.names
    lines = [f"<{names.sensor} {names.product} orbit {orbit.path.name}>"]
    if not orbit.dataset.isopen():
        return f"{lines[0]} (closed)"
    times = np.sort(_times(orbit)).astype("datetime64[m]")
    ends = [str(time).replace("T", " ") for time in times[[0, -1]]] if times.size else ["unknown"]
    when = " to ".join(ends) + " UTC"
    area = coverage(*orbit.read_centres(orbit.full))
    where = "unknown"
    if area is not None:
        where = "{west:.1f} to {east:.1f} E, {south:.1f} to {north:.1f} N".format(**area)
    found = _counts(orbit)
    good = found.get("pixels_good")
    with_quality = "" if good is None else f", {good} above {QA_RECOMMENDED} % quality"
    sets = ", ".join(reretrieved_sets(orbit))
    n_scanline, n_ground_pixel = orbit.shape
    return "\n".join(
        [
            *lines,
            f"  when:    {when}",
            f"  where:   {where}",
            f"  pixels:  {n_scanline} scanlines x {n_ground_pixel}, "
            f"{found['pixels_with_column']} with a column{with_quality}",
            f"  a priori: {sets or 'of the product'}",
            f"  assumed: {'; '.join(orbit.assumptions) or 'nothing'}",
        ]
    )


def missing_variables(orbit: Orbit) -> dict[str, list[str]]:
    """Map each job that a file cannot serve to the variables it lacks for that."""
    lacking = {
        job: [name for name in names if not orbit.has(name)] for job, names in orbit.needs.items()
    }
    return {job: names for job, names in lacking.items() if names}


def coverage(
    latitude: NDArray[np.floating], longitude: NDArray[np.floating]
) -> dict[str, float] | None:
    """Return the box around points, across the antimeridian where that is the smaller one.

    Parameters
    ----------
    latitude, longitude : ndarray
        Points [degrees], NaN where missing.

    Returns
    -------
    dict or None
        west, south, east, north [degrees]; west > east across the antimeridian.

    Examples
    --------
    >>> import numpy as np
    >>> coverage(np.array([1.0, 2.0, 3.0]), np.array([170.0, 179.0, -175.0]))
    {'west': 170.0, 'south': 1.0, 'east': -175.0, 'north': 3.0}
    """
    is_valid = np.isfinite(latitude) & np.isfinite(longitude)
    if not is_valid.any():
        return None
    latitude = latitude[is_valid].astype(np.float64)
    # a histogram of whole degrees finds the largest gap without sorting two million longitudes
    longitude = longitude[is_valid].astype(np.float64)
    degrees = np.unique(np.floor(longitude).astype(int) % 360)
    gaps = np.diff(np.append(degrees, degrees[0] + 360))
    last = int(np.argmax(gaps))
    first_degree = degrees[(last + 1) % degrees.size]
    shifted = (longitude - first_degree) % 360.0
    west, east = (first_degree + value for value in (shifted.min(), shifted.max()))
    return {
        "west": _rounded((west + 180.0) % 360.0 - 180.0),
        "south": _rounded(latitude.min()),
        "east": _rounded((east + 180.0) % 360.0 - 180.0),
        "north": _rounded(latitude.max()),
    }


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _identity(orbit: Orbit) -> dict[str, Any]:
    """Stream, orbit and versions: attributes first, the name where they are silent."""
    name = parse_s5p(orbit.attribute("id")) or parse_s5p(orbit.path.name)
    version = ".".join(str(part) for part in orbit.processor_version)
    if not version and name is not None:
        version = ".".join(str(part) for part in name.processor_version)
    padded = "".join(f"{int(part):02d}" for part in version.split(".")) if version else ""
    orbit_number = orbit.attribute("orbit") or (str(name.orbit) if name else "")
    return {
        "stream": name.stream if name else "",
        "orbit": int(float(orbit_number.strip("[]"))) if orbit_number else None,
        "collection": name.collection if name else "",
        "processor_version": version,
        "processor_version_in_names": padded,
    }


def _coverage(orbit: Orbit) -> dict[str, Any]:
    """Time, area, sizes, and whether the file is a piece of an orbit."""
    found: dict[str, Any] = {"time_start": None, "time_end": None, "delta_time": "absent"}
    if orbit.has(*orbit.timing):
        times = _times(orbit)
        if times.size:
            found["time_start"], found["time_end"] = (f"{t}Z" for t in (times.min(), times.max()))
    if orbit.has("delta_time"):
        found["delta_time"] = str(getattr(orbit.variables["delta_time"], "units", "no unit"))
    found["area"] = coverage(*orbit.read_centres(orbit.full))
    product = orbit.variables[orbit.names.latitude].group()
    found["dimensions"] = {name: len(item) for name, item in product.dimensions.items()}
    first = {
        name: int(orbit.raw(name)[0])
        for name in ("scanline", "ground_pixel")
        if orbit.has(name) and orbit.raw(name).size
    }
    found["first_index"] = first
    found["is_cropped"] = any(first.values()) or orbit.shape[1] != FULL_SWATH
    return found


def _times(orbit: Orbit) -> NDArray[np.datetime64]:
    """Return times of scanlines that have one; none where a name that the file lost has them."""
    try:
        times = orbit.scanline_times(orbit.full)
    except ProductError:
        if orbit.timing:
            raise
        return np.empty(0, dtype="datetime64[ms]")
    return times[~np.isnat(times)]


def _counts(orbit: Orbit) -> dict[str, int]:
    """Pixels, those with a column, those with a good column."""
    column = np.isfinite(orbit.read(orbit.names.column, orbit.full))
    found = {"pixels": int(column.size), "pixels_with_column": int(column.sum())}
    if orbit.has_quality:
        qa, is_valid = orbit.read_quality(orbit.full)
        found["pixels_good"] = int((column & is_valid & (qa > QA_RECOMMENDED)).sum())
    return found


def _reretrieval(orbit: Orbit) -> dict[str, Any]:
    """Say how the file was re-retrieved, and which columns others have added."""
    columns = find_columns(orbit)
    own = orbit.names.apriori
    added = [item.column for item in columns if not item.is_ours and item.label != own]
    sets = reretrieved_sets(orbit)
    found: dict[str, Any] = {"columns_added_by_others": added, "apriori_sets": sets}
    if sets:
        found["layout"] = "replace" if is_replaced(orbit) else "extend"
        found["primary"] = sets[0]
        for name in ("command", "created", "versions", "inputs", "options"):
            found[f"apriori_{name}"] = orbit.group_attribute(f"apriori_{name}")
    return found
