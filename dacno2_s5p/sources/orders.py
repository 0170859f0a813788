"""What a preparation reads, as requests to the data stores: the list of `requests`, executable.

Requests are split by month (weather, reanalysis, inventory by year; forecasts by week), as the
stores' limits ask for, and each becomes one file with a name of its own. Days that files of the
same request hold already are left out, so that a period that grows asks for what is new.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.sources.requests import CDS_NAMES, needed_hours, weather_variables
from dacno2_s5p.sources.weather.windows import target_hours
from retrieval.fetch.catalogue import Query
from retrieval.fetch.data_stores import Order, is_ordered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from dacno2_s5p.inputs.variables import InputTable, Preparation

WEEK = 7
MODEL_LEVELS = tuple(range(60, 138))
"""Levels of CAMS global from about 30 hPa to the ground."""

FINAL_AFTER = 100
"""Days after which ERA5 is final: what is fetched earlier is preliminary, or may be (ECMWF: the
final release comes two to three months behind real time)."""

VALIDATED, INTERIM = "validated_reanalysis", "interim_reanalysis"


class Held:
    """Files of requests that a workspace has, by its record.

    Parameters
    ----------
    workspace : Path
    records : mapping
        Of `Ledger.read`.
    """

    def __init__(
        self, workspace: Path, records: Mapping[tuple[str, str], Mapping[str, object]]
    ) -> None:
        self._workspace, self._records = workspace, records

    def parts(self, query: Query, order_of: Callable[[Query], Order]) -> list[Query]:
        """Divide a period into those days that files of the same request hold, and stretches.

        Parameters
        ----------
        query : Query
        order_of : callable
            Gives the request for some days: only a file of that very request counts.

        Returns
        -------
        list of Query
            A part for each file with days of the period, whole files; then what is between them.
        """
        parts: list[Query] = []
        held: set[np.datetime64] = set()
        for (kind, name), record in self._records.items():
            found = _SPAN.search(name)
            if found is None:
                continue
            first, last = (np.datetime64(text) for text in found.groups())
            if last < first or last < query.first or first > query.last:
                continue
            part = Query(first, last, query.box)
            order = order_of(part)
            is_same = (order.kind, order.name) == (kind, name)
            if is_same and is_ordered(order, self._workspace / kind, record):
                parts.append(part)
                held |= set(part.days())
        lacking = [day for day in query.days() if day not in held]
        return parts + [Query(s[0], s[-1], query.box) for s in _stretches(lacking)]


_SPAN = re.compile(r"_(\d{4}-\d{2}-\d{2})_(\d{4}-\d{2}-\d{2})\.")


def weather_orders(
    table: InputTable,
    preparation: Preparation,
    query: Query,
    held: Held | None = None,
    today: np.datetime64 | None = None,
) -> list[Order]:
    """Return requests for ERA5, a month of single levels and one of pressure levels at a time.

    Parameters
    ----------
    table, preparation
        Which variables, levels and hours.
    query : Query
        Days and box; the day before the first is added where its hours are read.
    held : Held, optional
        Files that are there.
    today : datetime64[D], optional
        With it files that may be preliminary and could be final by now are asked for again.
    """
    surface, columns, levels = weather_variables(table, preparation)
    first, hours = needed_hours(preparation, query.first)
    products: tuple[tuple[str, list[str], dict[str, list[str]]], ...] = (
        ("single", surface, {}),
        ("pressure", columns, {"pressure_level": [str(level) for level in levels]}),
    )

    def order_of(word: str, names: list[str], extra: dict[str, list[str]], part: Query) -> Order:
        final = part.last + FINAL_AFTER
        return Order(
            "era5",
            f"era5_{word}_{part.first}_{part.last}.nc",
            "CDS",
            f"reanalysis-era5-{word}-levels",
            {
                "variable": [CDS_NAMES.get(n, n) for n in names],
                **extra,
                "product_type": ["reanalysis"],
                "year": [str(part.first)[:4]],
                "month": [str(part.first)[5:7]],
                "day": [str(day)[8:] for day in part.days()],
                "time": [f"{hour:02d}:00" for hour in hours],
                "data_format": "netcdf",
                "download_format": "unarchived",
                "area": _area(query),
            },
            since=str(final) if today is not None and today >= final else "",
        )

    found = []
    for word, names, extra in products:
        for month in Query(first, query.last, query.box).months():
            part = Query(first, query.last, query.box).within(month)
            of_product = partial(order_of, word, names, extra)
            found += [of_product(one) for one in _parts(part, of_product, held)]
    return sorted(found, key=lambda order: order.name.rpartition("_")[2])


def reanalysis_orders(preparation: Preparation, query: Query, stage: str) -> list[Order]:
    """Return requests for months of the CAMS European reanalysis: NO2 at the network's heights."""
    return [
        Order(
            "cams",
            f"cams_europe_no2_{stage.partition('_')[0]}_{month}.zip",
            "ADS",
            "cams-europe-air-quality-reanalyses",
            {
                "variable": ["nitrogen_dioxide"],
                "model": ["ensemble"],
                "level": [f"{height:g}" for height in preparation.heights],
                "type": [stage],
                "year": [str(month)[:4]],
                "month": [str(month)[5:]],
            },
        )
        for month in query.months()
    ]


def forecast_orders(
    preparation: Preparation, query: Query, stage: str, held: Held | None = None
) -> list[Order]:
    """Return requests for weeks of the CAMS European forecast of the day, or of the analysis."""
    hours = target_hours(preparation.target_window)
    if stage == "forecast":
        when = {"time": ["00:00"], "leadtime_hour": [str(hour) for hour in hours]}
    else:
        when = {"time": [f"{hour:02d}:00" for hour in hours], "leadtime_hour": ["0"]}

    def order_of(week: Query) -> Order:
        return Order(
            "cams-forecast",
            f"cams_europe_no2_{stage}_{week.first}_{week.last}.zip",
            "ADS",
            "cams-europe-air-quality-forecasts",
            {
                "variable": ["nitrogen_dioxide"],
                "model": ["ensemble"],
                "level": [f"{height:g}" for height in preparation.heights],
                "date": [f"{week.first}/{week.last}"],
                "type": [stage],
                **when,
                "data_format": "netcdf_zip",
                "area": _area(query),
            },
        )

    return [order_of(week) for part in _parts(query, order_of, held) for week in _weeks(part)]


def global_orders(query: Query, held: Held | None = None) -> list[Order]:
    """Return requests for weeks of CAMS global on model levels: the part above European sets."""

    def order_of(week: Query) -> Order:
        return Order(
            "cams-global",
            f"cams_global_no2_{week.first}_{week.last}.zip",
            "ADS",
            "cams-global-atmospheric-composition-forecasts",
            {
                "variable": ["nitrogen_dioxide", "temperature", "surface_pressure"],
                "model_level": [str(level) for level in MODEL_LEVELS],
                "date": [f"{week.first}/{week.last}"],
                "time": ["00:00", "12:00"],
                "type": ["forecast"],
                "leadtime_hour": ["0", "3", "6", "9"],
                "data_format": "netcdf_zip",
                "area": _area(query),
            },
        )

    return [order_of(week) for part in _parts(query, order_of, held) for week in _weeks(part)]


def inventory_orders(query: Query, version: str = "latest") -> list[Order]:
    """Return requests for years of the CAMS-GLOB-ANT inventory of NOx."""
    return [
        Order(
            "emissions",
            f"cams_glob_ant_nox_{version}_{year}.zip",
            "ADS",
            "cams-global-emission-inventories",
            {
                "variable": ["nitrogen_oxides"],
                "source": ["anthropogenic"],
                "version": [version],
                "year": [str(year)],
            },
        )
        for year in query.years()
    ]


def _parts(query: Query, order_of: Callable[[Query], Order], held: Held | None) -> list[Query]:
    return [query] if held is None else held.parts(query, order_of)


def _stretches(days: Iterable[np.datetime64]) -> Iterator[NDArray[np.datetime64]]:
    """Yield days in stretches without gaps.

    Examples
    --------
    >>> days = np.array(["2023-06-01", "2023-06-02", "2023-06-05"], dtype="datetime64[D]")
    >>> [len(part) for part in _stretches(days)]
    [2, 1]
    """
    every = np.array(sorted(days), dtype="datetime64[D]")
    if every.size:
        yield from np.split(every, np.flatnonzero(np.diff(every).astype(int) > 1) + 1)


def _weeks(query: Query) -> Iterator[Query]:
    days = list(query.days())
    for start in range(0, len(days), WEEK):
        part = days[start : start + WEEK]
        yield Query(part[0], part[-1], query.box)


def _area(query: Query) -> list[float]:
    """Return the box in the stores' order: north, west, south, east."""
    west, south, east, north = query.box
    return [north, west, south, east]
