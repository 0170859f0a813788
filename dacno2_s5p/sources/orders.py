"""What a preparation reads, as requests to the data stores: the list of `requests`, executable.

Requests are split by month (weather, reanalysis, inventory by year; forecasts by week), as the
stores' limits ask for, and each becomes one file with a name of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dacno2_s5p.sources.requests import CDS_NAMES, needed_hours, weather_variables
from dacno2_s5p.sources.weather.windows import target_hours
from retrieval.fetch.catalogue import Query
from retrieval.fetch.data_stores import Order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dacno2_s5p.inputs.variables import InputTable, Preparation

WEEK = 7
MODEL_LEVELS = tuple(range(60, 138))
"""Levels of CAMS global from about 30 hPa to the ground."""

VALIDATED, INTERIM = "validated_reanalysis", "interim_reanalysis"


def weather_orders(table: InputTable, preparation: Preparation, query: Query) -> list[Order]:
    """Return requests for ERA5, a month of single levels and one of pressure levels at a time.

    Parameters
    ----------
    table, preparation
        Which variables, levels and hours.
    query : Query
        Days and box; the day before the first is added where its hours are read.
    """
    surface, columns, levels = weather_variables(table, preparation)
    first, hours = needed_hours(preparation, query.first)
    wider = Query(first, query.last, query.box)
    found = []
    for month in wider.months():
        part = wider.within(month)
        when = {
            "year": [str(month)[:4]],
            "month": [str(month)[5:]],
            "day": [str(day)[8:] for day in part.days()],
            "time": [f"{hour:02d}:00" for hour in hours],
        }
        common = {
            "product_type": ["reanalysis"],
            **when,
            "data_format": "netcdf",
            "download_format": "unarchived",
            "area": _area(query),
        }
        for word, names, extra in (
            ("single", surface, {}),
            ("pressure", columns, {"pressure_level": [str(level) for level in levels]}),
        ):
            collection = f"reanalysis-era5-{word}-levels"
            body = {"variable": [CDS_NAMES.get(n, n) for n in names], **extra, **common}
            name = f"era5_{word}_{part.first}_{part.last}.nc"
            found.append(Order("era5", name, "CDS", collection, body))
    return found


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


def forecast_orders(preparation: Preparation, query: Query, stage: str) -> list[Order]:
    """Return requests for weeks of the CAMS European forecast of the day, or of the analysis."""
    hours = target_hours(preparation.target_window)
    if stage == "forecast":
        when = {"time": ["00:00"], "leadtime_hour": [str(hour) for hour in hours]}
    else:
        when = {"time": [f"{hour:02d}:00" for hour in hours], "leadtime_hour": ["0"]}
    return [
        Order(
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
        for week in _weeks(query)
    ]


def global_orders(query: Query) -> list[Order]:
    """Return requests for weeks of CAMS global on model levels: the part above European sets."""
    return [
        Order(
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
        for week in _weeks(query)
    ]


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


def _weeks(query: Query) -> Iterator[Query]:
    days = list(query.days())
    for start in range(0, len(days), WEEK):
        part = days[start : start + WEEK]
        yield Query(part[0], part[-1], query.box)


def _area(query: Query) -> list[float]:
    """Return the box in the stores' order: north, west, south, east."""
    west, south, east, north = query.box
    return [north, west, south, east]
