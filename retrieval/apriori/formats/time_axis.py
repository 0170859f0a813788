"""The times of a variable's fields, and where each of them is in the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.apriori.formats import cf_time
from retrieval.apriori.formats.coordinates import text_attribute
from retrieval.apriori.formats.expver import ORDER, numbers_along
from retrieval.apriori.formats.names import dates_in_name
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import netCDF4
    from numpy.typing import NDArray


@dataclass(frozen=True)
class TimeAxis:
    """Ascending, unique times, and the index along each time dimension of every one.

    Attributes
    ----------
    times : ndarray of datetime64[ms], shape (n_time,)
    dimensions : tuple of str
        Dimensions that select a field; several for forecasts with run and lead time.
    indices : ndarray of int, shape (n_time, n_dimension)
    repeats : TimeAxis or None
        Times that are there again, of the same lead and version: nothing tells which is meant.
    """

    times: NDArray[np.datetime64]
    dimensions: tuple[str, ...]
    indices: NDArray[np.int64]
    repeats: TimeAxis | None = None


def longest_mean(dataset: netCDF4.Dataset, dimensions: tuple[str, ...]) -> np.timedelta64:
    """Return the longest period that a file says one of its times stands for; 0 without bounds.

    Bounds of the times (CF-1.11, section 7.1), or of a climatology (section 7.4).
    """
    longest = np.timedelta64(0, "ms")
    for name in dimensions:
        stored = dataset.variables.get(name)
        for key in ("bounds", "climatology"):
            bounds = dataset.variables.get(text_attribute(stored, key)) if stored else None
            if stored is None or bounds is None or bounds.ndim != 2 or not bounds.size:
                continue
            attributes = {k: stored.getncattr(k) for k in stored.ncattrs()}
            ends = cf_time.decode(bounds[...], attributes, f"{key} of {name}")
            longest = max(longest, np.abs(ends[:, 1] - ends[:, 0]).max())
    return longest


def time_axis(
    dataset: netCDF4.Dataset,
    variable: str,
    dimensions: tuple[str, ...],
    roles: Mapping[str, str],
    where: str,
    *,
    name: str = "",
    time_of_day: np.timedelta64 | None = None,
) -> TimeAxis:
    """Find and decode the times of a variable.

    Parameters
    ----------
    dimensions : tuple of str
        Dimensions of the variable that are neither horizontal nor level.
    roles : mapping
        Role of each dimension (`coordinates.roles`).
    name : str
        File name, for files that carry their date nowhere else; only with `time_of_day`.
    time_of_day : timedelta64, optional
        Given by the user: replaces the time of day of every field.

    Raises
    ------
    AprioriError
        If no time can be found or decoded.

    Notes
    -----
    A forecast may hold one valid time from several runs: the shortest lead is kept. Final and
    preliminary ERA5 may follow each other along the times: of one time the final field is kept.
    """
    shape = tuple(dataset.dimensions[d].size for d in dimensions)
    times = _decoded(dataset, variable, dimensions, shape, roles, where)
    if times is None and time_of_day is not None:
        times = _date_in_name(name, shape, where)
    if times is None:
        msg = (
            f"Invalid times of {where}. A field must say its time. Given no time coordinate. "
            "Give times = ['...'], the time_unit of its numbers, or time_of_day = 'HH:MM' with the "
            "date in the file name, in a TOML beside the file."
        )
        raise AprioriError(msg)
    if time_of_day is not None:
        days = times.astype("datetime64[D]").astype("datetime64[ms]")
        times = np.asarray(days + time_of_day, dtype="datetime64[ms]")
    indices = np.array(list(np.ndindex(*shape)), dtype=np.int64).reshape(times.size, len(shape))
    leads = [indices[:, k] for k, d in enumerate(dimensions) if roles.get(d) == "period"]
    keys = (*leads, _version_rank(dataset, dimensions, shape))
    whole = TimeAxis(times.ravel(), dimensions, indices)
    return _ascending(whole, np.lexsort((*keys, times.ravel())), np.stack(keys))


def _ascending(axis: TimeAxis, order: NDArray[np.int64], keys: NDArray[np.int64]) -> TimeAxis:
    """Keep each time once, the first in order, and apart from it what repeats that of its keys."""
    _, first, owner = np.unique(axis.times[order], return_index=True, return_inverse=True)
    kept = order[first]
    is_again = (keys[:, order] == keys[:, kept[owner.ravel()]]).all(axis=0)
    is_again[first] = False
    repeats = _ascending(axis, order[is_again], keys) if is_again.any() else None
    return TimeAxis(axis.times[kept], axis.dimensions, axis.indices[kept], repeats)


def _version_rank(
    dataset: netCDF4.Dataset, dimensions: tuple[str, ...], shape: tuple[int, ...]
) -> NDArray[np.int64]:
    """Rank of each field by its `expver`, 0 the final one; all alike where the file has none."""
    said = numbers_along(dataset, dimensions)
    if said is None:
        return np.zeros(int(np.prod(shape)), dtype=np.int64)
    numbers, own = said
    rank = np.full(numbers.shape, len(ORDER), dtype=np.int64)
    for place, number in enumerate(ORDER):
        rank[numbers == number] = place
    return np.ravel(_broadcast(rank, own, dimensions, shape))


def _decoded(
    dataset: netCDF4.Dataset,
    variable: str,
    dimensions: tuple[str, ...],
    shape: tuple[int, ...],
    roles: Mapping[str, str],
    where: str,
) -> NDArray[np.datetime64] | None:
    for candidate in _candidates(dataset, variable, dimensions, roles):
        found = dataset.variables[candidate]
        if set(found.dimensions) <= set(dimensions):
            decoded = _decode_variable(dataset, candidate, where)
            if decoded is not None:
                return _broadcast(decoded, found.dimensions, dimensions, shape)
    return _reference_plus_period(dataset, dimensions, shape, roles, where)


def _candidates(
    dataset: netCDF4.Dataset, variable: str, dimensions: tuple[str, ...], roles: Mapping[str, str]
) -> list[str]:
    """Names of variables that may be the valid time, the best first."""
    by_role = [d for d in dimensions if roles.get(d) == "time"]
    named = text_attribute(dataset.variables[variable], "coordinates").split()
    scalar = [n for n in (*named, "time") if n not in dimensions]
    has_period = any(roles.get(d) == "period" for d in dimensions)
    # `time` beside a lead-time dimension is the time of the run, not of the field
    names = ["valid_time"] if has_period else ["valid_time", *by_role, *scalar]
    return [n for n in dict.fromkeys(names) if n in dataset.variables and _is_time(dataset, n)]


def _is_time(dataset: netCDF4.Dataset, name: str) -> bool:
    variable = dataset.variables[name]
    units = text_attribute(variable, "units")
    is_named = name.lower() in ("time", "valid_time") or (
        text_attribute(variable, "standard_name") == "time"
    )
    return "since" in units or (is_named and cf_time.unit_milliseconds(units) is not None)


def _decode_variable(
    dataset: netCDF4.Dataset, name: str, where: str
) -> NDArray[np.datetime64] | None:
    variable = dataset.variables[name]
    attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
    place = f"{name} of {where}"
    values = _filled(variable)
    length = cf_time.unit_milliseconds(str(attributes.get("units", "")))
    if length is None:
        return cf_time.decode(values, attributes, place)
    base = cf_time.base_date_in_words(
        attributes.get("long_name", ""),
        *(getattr(dataset, key, "") for key in ("FORECAST", "ANALYSIS")),
    )
    if base is None:
        msg = (
            f"Invalid time unit of {place}. Plain {attributes.get('units')!r} need a base date in "
            "long_name or the global attribute FORECAST or ANALYSIS. Given none. Use the file as "
            "it was delivered."
        )
        raise AprioriError(msg)
    return np.asarray(base + cf_time.offsets(values, length, place))


def _reference_plus_period(
    dataset: netCDF4.Dataset,
    dimensions: tuple[str, ...],
    shape: tuple[int, ...],
    roles: Mapping[str, str],
    where: str,
) -> NDArray[np.datetime64] | None:
    period = next((d for d in dimensions if roles.get(d) == "period"), None)
    reference = next(
        (n for n in ("forecast_reference_time", "reftime", "time") if n in dataset.variables), None
    )
    if period is None or reference is None or period not in dataset.variables:
        return None
    base = _decode_variable(dataset, reference, where)
    lead = dataset.variables[period]
    length = cf_time.unit_milliseconds(text_attribute(lead, "units"))
    if base is None or length is None:
        return None
    leads = cf_time.offsets(_filled(lead), length, f"{period} of {where}")
    base_dimensions = dataset.variables[reference].dimensions
    if not set(base_dimensions) <= set(dimensions):
        return None
    return np.asarray(
        _broadcast(base, base_dimensions, dimensions, shape)
        + _broadcast(leads, lead.dimensions, dimensions, shape)
    )


def _filled(variable: netCDF4.Variable[Any]) -> NDArray[Any]:
    values = np.asarray(variable[...])
    fill = getattr(variable, "_FillValue", None)
    if fill is not None and values.dtype.kind in "iuf" and (values == fill).any():
        values = np.where(values == fill, np.nan, values)
    return values


def _broadcast(
    values: NDArray[Any],
    own: tuple[str, ...],
    dimensions: tuple[str, ...],
    shape: tuple[int, ...],
) -> NDArray[Any]:
    """Spread values over `own` dimensions to the full shape."""
    ordered = np.transpose(values, [own.index(d) for d in dimensions if d in own])
    expanded = ordered.reshape(
        [n if d in own else 1 for d, n in zip(dimensions, shape, strict=True)]
    )
    return np.broadcast_to(expanded, shape)


def _date_in_name(name: str, shape: tuple[int, ...], where: str) -> NDArray[np.datetime64] | None:
    days = [first for first, last in dates_in_name(name) if first == last]
    if not days:
        return None
    if int(np.prod(shape)) != 1:
        msg = (
            f"Invalid times of {where}. A date in a file name serves one field. Given "
            f"{int(np.prod(shape))} fields. Give time = '...' in a TOML beside the file."
        )
        raise AprioriError(msg)
    return np.full(shape, days[0].astype("datetime64[ms]"))
