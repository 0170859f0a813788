"""What to download: exact products, boxes, levels and hours for a preparation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.sources.states import STATES
from dacno2_s5p.sources.weather.era5 import COLUMN_VARIABLES, PRESSURE_LEVELS, SURFACE_VARIABLES
from dacno2_s5p.sources.weather.windows import target_hours, weather_times
from retrieval.maps.regions import INPUT_BOX
from retrieval.physics.geometry.grids import box_in_degrees

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from retrieval.physics.geometry.grids import BoundingBox

HEIGHT_LEVELS = (
    *(1000, 975, 950, 925, 900, 875, 850, 825, 800, 775, 750, 700, 650),
    *(600, 550, 500, 450, 400, 350, 300),
)
"""Pressure levels [hPa] for heights to 5 km above ground everywhere in the Alps."""

CDS_NAMES = {
    "u10": "10m_u_component_of_wind",
    "v10": "10m_v_component_of_wind",
    "t2m": "2m_temperature",
    "d2m": "2m_dewpoint_temperature",
    "sp": "surface_pressure",
    "blh": "boundary_layer_height",
    "tcc": "total_cloud_cover",
    "tcwv": "total_column_water_vapour",
    "tp": "total_precipitation",
    "ssrd": "surface_solar_radiation_downwards",
    "strd": "surface_thermal_radiation_downwards",
    "sshf": "surface_sensible_heat_flux",
    "slhf": "surface_latent_heat_flux",
    "u": "u_component_of_wind",
    "v": "v_component_of_wind",
    "w": "vertical_velocity",
    "t": "temperature",
    "q": "specific_humidity",
    "z": "geopotential",
    "vo": "vorticity",
    "d": "divergence",
    "cc": "fraction_of_cloud_cover",
}
"""Names in requests to the Climate Data Store of the short names in its files."""

SHIPPED_GRIDS = ("europe-2km", "lonlat-0.02")
"""Grids of the paper's region."""

CAMS_CHANGED = 2020
"""First year of the reanalysis' present grid."""


@dataclass(frozen=True)
class Request:
    """One product.

    Attributes
    ----------
    source : str
        Folder (or --source name) it goes to.
    product : str
        Data set and where it is.
    items : dict of str to str
        What to ask for.
    """

    source: str
    product: str
    items: dict[str, str]


EUROPE = (-25.0, 30.0, 45.0, 72.0)
"""West, south, east, north of the European products [degree]: the domain of CAMS Europe."""
EUROPEAN = ("cams", "eea", "flights", "geostat", "corine")
"""Sources that know nothing else."""


def requests(
    table: InputTable, preparation: Preparation, grid: ModelGrid | None = None
) -> list[Request]:
    """Return what a preparation reads, in the order of the sources.

    `grid` tells the region; without one it is that of the paper.
    """
    found = _requests(table, preparation, input_box(grid))
    return [replace(one, items=one.items | _reach(one.source, grid)) for one in found]


def _reach(source: str, grid: ModelGrid | None) -> dict[str, str]:
    """Say of a European source that a grid of one's own lies elsewhere, in part or whole."""
    west, south, east, north = input_box(grid)
    inside = EUROPE[0] <= west and EUROPE[1] <= south and east <= EUROPE[2] and north <= EUROPE[3]
    if inside or source not in EUROPEAN:
        return {}
    apart = west > EUROPE[2] or south > EUROPE[3] or east < EUROPE[0] or north < EUROPE[1]
    part = "nothing" if apart else "not all"
    return {"reach": f"25W-45E, 30-72N: {part} of this grid; name another source by --source"}


def _requests(
    table: InputTable, preparation: Preparation, box: tuple[float, float, float, float]
) -> list[Request]:
    return [
        *_weather(table, preparation, box),
        _targets(preparation),
        Request(
            "eea",
            "EEA air quality download service (parquet; also E1a/E2a CSV)",
            {
                "pollutant": "NO2 (8), hourly, verified (E1a) where there is",
                "countries": "AD BE CH DE ES FR GB IE IT LU NL",
                "metadata": "PanEuropean_metadata.csv in the same folder",
                "lists": "stations_assimilated_by_cams.csv (EoI codes, one a line) and, if known, "
                "stations_evaluation.csv",
            },
        ),
        Request(
            "emissions",
            "CAMS-GLOB-ANT, ECCAD or ADS (cams-global-emission-inventories)",
            {
                "species": "nox, monthly, 0.1 degree, every year of the days",
                "sectors": ", ".join(
                    n
                    for v in table.variables
                    if v.source == "cams-glob-ant"
                    for n in v.source_variables
                ),
                "unit": "kg m-2 s-1",
            },
        ),
        Request(
            "flights",
            "Eurocontrol, daily airport traffic (CSV or XLSX)",
            {"states": ", ".join(STATES), "years": "every year of the days"},
        ),
        Request("grip4", "GRIP4 road density", {"file": "grip4_total_dens_m_km2.asc"}),
        Request("geostat", "JRC-GEOSTAT 2018", {"file": "JRC_1K_POP_2018.tif"}),
        Request("viirs", "VIIRS night-time light VNL V2", {"file": "VNL_v2_*_average_masked.tif"}),
        Request("merit", "MERIT DEM", {"tiles": ", ".join(merit_tiles(box))}),
        Request("corine", "CORINE CLC2018", {"file": "U2018_CLC2018_V2020_20u1.tif (100 m)"}),
    ]


TRANSPORT_BOX = (-13.0, 38.0, 13.0, 58.0)
"""West, south, east, north [degree] that emissions are carried from."""


CARRIED = (3.0, 2.0)
"""Degrees east and west, north and south of the inputs from where emissions are carried."""


def input_box(grid: ModelGrid | None = None) -> BoundingBox:
    """West, south, east, north [degree] of the inputs: the paper's, or a grid's and half a degree.

    Examples
    --------
    >>> from dacno2_s5p.inputs.own_grid import grid_of
    >>> degrees = {"box": [28.0, -28.0, 31.2, -24.8], "spacing": 0.02, "crs": "EPSG:4326"}
    >>> input_box(grid_of(degrees)), input_box()
    ((27.0, -29.0, 32.0, -24.0), (-10.0, 40.0, 10.0, 56.0))
    """
    if grid is None or grid.name in SHIPPED_GRIDS:
        return INPUT_BOX
    west, south, east, north = box_in_degrees(grid.cells())
    return (
        float(np.floor(west - 0.5)),
        max(float(np.floor(south - 0.5)), -90.0),
        float(np.ceil(east + 0.5)),
        min(float(np.ceil(north + 0.5)), 90.0),
    )


def merit_tiles(box: BoundingBox = INPUT_BOX) -> list[str]:
    """Return the names of the 5 degree tiles of a box, after their lower-left corner.

    Examples
    --------
    >>> merit_tiles()[0], len(merit_tiles()), merit_tiles((27.0, -29.0, 32.0, -26.0))
    ('n40w010_dem.tif', 12, ['s30e025_dem.tif', 's30e030_dem.tif'])
    """
    west, south, east, north = box
    top = north - 1.0 if box == INPUT_BOX else north  # the paper's grid ends at 54.92 N

    def name(lower: int, left: int) -> str:
        row = f"{'s' if lower < 0 else 'n'}{abs(lower):02d}"
        return f"{row}{'w' if left < 0 else 'e'}{abs(left):03d}_dem.tif"

    return [
        name(lower, left)
        for lower in range(int(south // 5) * 5, int(np.ceil(top)), 5)
        for left in range(int(west // 5) * 5, int(np.ceil(east)), 5)
    ]


def _weather(table: InputTable, preparation: Preparation, box: BoundingBox) -> list[Request]:
    is_carried = "transport" in table.groups
    west, south, east, north = box
    if is_carried and box == INPUT_BOX:
        west, south, east, north = TRANSPORT_BOX
    elif is_carried:
        west, south = west - CARRIED[0], max(south - CARRIED[1], -90.0)
        east, north = east + CARRIED[0], min(north + CARRIED[1], 90.0)
    area = f"[{north:g}, {west:g}, {south:g}, {east:g}] (north, west, south, east)"
    hours = weather_hours(preparation)
    if is_carried:
        hours = "00 to 23 UTC, from the day before the first on"
    surface, columns, levels = weather_variables(table, preparation)
    return [
        Request(
            "era5",
            "reanalysis-era5-single-levels (CDS), netCDF",
            {"variables": cds_names(surface), "hours": hours, "area": area},
        ),
        Request(
            "era5",
            "reanalysis-era5-pressure-levels (CDS), netCDF",
            {
                "variables": cds_names(columns),
                "levels": f"{', '.join(map(str, levels))} hPa",
                "hours": hours,
                "area": area,
            },
        ),
    ]


def weather_hours(preparation: Preparation) -> str:
    """Return the hours of the day to ask for, and whether the day before is needed too."""
    day = np.datetime64("2019-07-02", "D")
    first, hours = needed_hours(preparation, day)
    text = "00 to 23" if len(hours) == 24 else ", ".join(f"{h:02d}" for h in hours)
    return f"{text} UTC" + (", from the day before the first on" if first < day else "")


def needed_hours(preparation: Preparation, first: np.datetime64) -> tuple[np.datetime64, list[int]]:
    """Return the first day whose weather is read for a day, and the hours of the days.

    Examples
    --------
    >>> from dacno2_s5p.inputs.variables import Preparation
    >>> day, hours = needed_hours(Preparation(), np.datetime64("2023-06-01"))
    >>> str(day), len(hours)
    ('2023-05-31', 24)
    """
    needed = weather_times(preparation, first)[:, None] - np.arange(preparation.weather_step_hours)
    hours = sorted({int(str(t)[11:13]) for t in needed.ravel()})
    return min(first, needed.min().astype("datetime64[D]")), hours


def weather_variables(
    table: InputTable, preparation: Preparation
) -> tuple[list[str], list[str], tuple[int, ...]]:
    """Return the short names of single-level and pressure-level weather, and its levels [hPa]."""
    surface, columns = _names(table, "single"), _names(table, "multi")
    if preparation.vertical != "height":
        return surface, columns, PRESSURE_LEVELS
    return (
        list(dict.fromkeys([*surface, *SURFACE_VARIABLES])),
        list(dict.fromkeys([*columns, *COLUMN_VARIABLES, "q"])),
        HEIGHT_LEVELS,
    )


def cds_names(names: Iterable[str]) -> str:
    """Spell short names as a CDS request has them; unknown ones stay.

    Examples
    --------
    >>> cds_names(["t2m", "u"])
    '2m_temperature, u_component_of_wind'
    """
    return ", ".join(CDS_NAMES.get(name, name) for name in names)


def _names(table: InputTable, group: str) -> list[str]:
    return [name for v in table.group(group) for name in v.source_variables]


def _targets(preparation: Preparation) -> Request:
    hours = target_hours(preparation.target_window)
    return Request(
        "cams",
        "cams-europe-air-quality-reanalyses (ADS), netCDF in ZIP archives",
        {
            "variable": "nitrogen dioxide",
            "model": "ensemble",
            "levels": f"{', '.join(f'{h:g}' for h in preparation.heights)} m",
            "type": "validated reanalysis, interim where there is none yet",
            "months": f"every month of the days (grids change in {CAMS_CHANGED}: both are read)",
            "hours": f"files hold all; {hours[0]:02d} to {hours[-1]:02d} UTC are used",
        },
    )
