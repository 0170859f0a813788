"""Ground stations of the twin world: direct sun and MAX-DOAS at overpasses, and their truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cli.story.day import overpass_time
from dacno2_s5p.twin.land.world import child_seed
from dacno2_s5p.twin.scene import build_scene
from retrieval.files.atomic import make_folder
from retrieval.files.tables import write_lines
from retrieval.maps.regions import INPUT_BOX
from retrieval.simulate.ground import SUN_NOISE, Field, MaxDoas, direct_sun
from retrieval.simulate.ground_files import write_direct_sun, write_max_doas
from retrieval.simulate.sun import solar_angles
from retrieval.simulate.swath import orbits_over
from retrieval.validation.ground_columns import GroundColumns

if TYPE_CHECKING:
    from pathlib import Path

    from dacno2_s5p.twin.twin import Twin

SITES = {"urban": 14, "suburban": 8, "rural": 8}
"""Stations by degree of urbanisation; every third has a MAX-DOAS instrument, too."""

MINUTES = (-20, -10, 0, 10, 20)
"""Measurements about an overpass; the field is that of the overpass, the sun moves."""

LAYERS = np.linspace(0.0, 4000.0, 21)
"""Interfaces of the layers of MAX-DOAS retrievals [m]."""

CLOUDY = 0.5
"""Cloud fraction of a cell above which its sun is not seen."""

FARTHEST_SUN = 75.0
"""Zenith angle of the sun beyond which neither instrument is used [degree]."""

TRUTH = "ground_truth"
"""Folder of the tables of truth, one a day."""

SUN, SKY = "direct sun", "MAX-DOAS"
HEADER = ("station", "time", "instrument", "over_station", "along_path", "stratosphere")


@dataclass(frozen=True)
class Site:
    """A station: name, number, place, line of sight of its MAX-DOAS instrument or None."""

    name: str
    number: int
    latitude: float
    longitude: float
    altitude: float
    azimuth: float | None

    @property
    def place(self) -> tuple[float, float]:
        """Latitude and longitude."""
        return self.latitude, self.longitude


def sites_of(twin: Twin) -> list[Site]:
    """Choose background stations of the twin's network, the same in every call."""
    stations = twin.stations
    found = []
    for area, n in SITES.items():
        those = np.flatnonzero((stations.area == area) & (stations.kind == "background"))
        found += those[np.linspace(0, those.size - 1, n).round().astype(int)].tolist()
    rng = child_seed(twin.seed, 91)
    azimuths = rng.uniform(0.0, 360.0, len(found))
    return [
        Site(
            f"Twin-{stations.area[i][:5]}-{number}",
            number,
            float(stations.latitude[i]),
            float(stations.longitude[i]),
            float(stations.altitude[i]),
            float(azimuths[number - 1]) if number % 3 == 1 else None,
        )
        for number, i in enumerate(found, 1)
    ]


def write_ground(twin: Twin, folder: Path, date: str) -> None:
    """Write what the instruments measure on a day, and the truth beside it.

    Into `pandora/` and `maxdoas/` a file of each station, into `ground_truth/` a table: the true
    tropospheric column over the station, that along the instrument's path, and what is above.
    """
    for name in ("pandora", "maxdoas", TRUTH):
        make_folder(folder / name)
    rng = child_seed(twin.seed, 92, int(np.datetime64(date, "D").astype(int)))
    day = _Day(rng)
    sites = sites_of(twin)
    for swath in orbits_over(date, INPUT_BOX):
        moment = overpass_time(swath)
        scene = build_scene(twin, moment)
        known = Field(
            twin.grid,
            scene["height"].values.astype(np.float64),
            scene["no2"].values,
            scene["no2_stratospheric_column"].values,
            scene["tropopause_height"].values,
        )
        cloud = scene["cloud_fraction"].values
        for site in sites:
            if cloud[known.cell(*site.place)] <= CLOUDY:
                day.measure(site, known, moment.astype("datetime64[ms]"))
    for site, rows in day.sun.items():
        path = folder / "pandora" / f"Pandora{site.number}s1_{site.name}_L2_rnvs3p1-8_{date}.txt"
        write_direct_sun(path, _total(site, rows), site.number, overwrite=True)
    for site, profiles in day.sky.items():
        path = folder / "maxdoas" / f"groundbased_uvvis.doas.offaxis.no2_{site.name}_{date}.h5"
        write_max_doas(path, _layered(site, profiles, day.instrument), overwrite=True)
    write_lines(folder / TRUTH / f"{date}.csv", HEADER, day.truth, overwrite=True)


@dataclass
class _Day:
    """Measurements of a day by site: total and stratospheric columns, profiles, and the truth."""

    rng: np.random.Generator
    instrument: MaxDoas = field(default_factory=lambda: MaxDoas(LAYERS))
    sun: dict[Site, list[tuple[np.datetime64, float, float]]] = field(default_factory=dict)
    sky: dict[Site, list[tuple[np.datetime64, np.ndarray]]] = field(default_factory=dict)
    truth: list[tuple[object, ...]] = field(default_factory=list)

    def measure(self, site: Site, known: Field, moment: np.datetime64) -> None:
        """Measure about an overpass with what the site has."""
        over = known.column_over(site.place)
        seen = None
        if site.azimuth is not None:
            seen = self.instrument.true_layers(known, site.place, site.azimuth)
        for minutes in MINUTES:
            time = moment + np.timedelta64(minutes, "m")
            zenith, azimuth = _sun(time, site)
            if zenith > FARTHEST_SUN:
                continue
            along, above = direct_sun(known, site.place, zenith, azimuth)
            total = along + above + SUN_NOISE * self.rng.standard_normal()
            self.sun.setdefault(site, []).append((time, total, above))
            self.truth.append((site.name, f"{time}Z", SUN, over, along, above))
            if seen is None:
                continue
            self.sky.setdefault(site, []).append((time, self.instrument.retrieve(seen, self.rng)))
            self.truth.append((site.name, f"{time}Z", SKY, over, float(seen.sum()), above))


def _sun(time: np.datetime64, site: Site) -> tuple[float, float]:
    at = np.array([site.latitude]), np.array([site.longitude])
    zenith, azimuth = solar_angles(np.array([time]), *at)
    return float(zenith[0]), float(azimuth[0])


def _total(site: Site, rows: list[tuple[np.datetime64, float, float]]) -> GroundColumns:
    times, totals, above = (np.array(part) for part in zip(*rows, strict=True))
    return _series(site, "total", times, totals, np.full(totals.size, SUN_NOISE), above)


def _layered(
    site: Site, rows: list[tuple[np.datetime64, np.ndarray]], instrument: MaxDoas
) -> GroundColumns:
    times = np.array([time for time, _ in rows])
    layers = np.array([profile for _, profile in rows])
    column = layers.sum(axis=1)
    n = times.size
    nothing = np.full(n, np.nan)
    return _series(
        *(site, "tropospheric", times, column, instrument.noise * column, nothing),
        layer_edges=np.tile(instrument.edges, (n, 1)),
        partial_column=layers,
        apriori=np.tile(instrument.apriori, (n, 1)),
        kernel=np.tile(instrument.column_kernel, (n, 1)),
        profile_kernel=np.tile(instrument.kernel, (n, 1, 1)),
    )


def _series(
    site: Site,
    quantity: str,
    time: np.ndarray,
    column: np.ndarray,
    uncertainty: np.ndarray,
    stratosphere: np.ndarray,
    **layers: Any,
) -> GroundColumns:
    return GroundColumns(
        station=site.name,
        network="twin",
        instrument="UVVIS.DOAS.OFFAXIS.NO2_TWIN",
        latitude=site.latitude,
        longitude=site.longitude,
        altitude=site.altitude,
        quantity="total" if quantity == "total" else "tropospheric",
        time=time.astype("datetime64[ms]"),
        column=column,
        uncertainty=uncertainty,
        flag=np.zeros(column.size, dtype=np.int64),
        stratosphere=stratosphere,
        **layers,
    )
