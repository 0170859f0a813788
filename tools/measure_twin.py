"""Measure a version of the twin world: what docs/twin.md says of it.

    python tools/measure_twin.py --version 2 --days 12

Days are spread over 2019, hours over the day. Nothing is written.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from dacno2_s5p.twin.air.profile import NETWORK_HEIGHTS
from dacno2_s5p.twin.land.site import Site
from dacno2_s5p.twin.land.world import Points, day_hours
from dacno2_s5p.twin.true_world import SEED
from dacno2_s5p.twin.twin import Twin
from dacno2_s5p.twin.version import VERSIONS, TwinVersion
from dacno2_s5p.twin.weather.upper_air import pressure_levels
from dacno2_s5p.twin.writers.era5 import era5_grid
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HOURS = (3, 8, 12, 17, 21)
"""Stamps at which stations are compared."""

NOON = 12
"""Stamp at which heights are compared."""

WIND_LEVELS = (950, 900, 700)
"""Levels whose winds are compared [hPa]."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the numbers of one version."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--version", type=int, choices=VERSIONS, default=2)
    for switch in ("exact-winds", "fixed-lifetime", "shared-hours"):
        parser.add_argument(f"--{switch}", action="store_true")
    parser.add_argument("--days", type=int, default=12)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    switches = (given.exact_winds, given.fixed_lifetime, given.shared_hours)
    twin = Twin(SEED, TwinVersion(given.version, *switches))
    first = np.datetime64("2019-01-08", "D")
    days = [first + np.timedelta64(365 * i // given.days, "D") for i in range(given.days)]
    print(f"{twin.name}: {given.days} days of 2019")
    models(twin, days)
    winds(twin, days)


def models(twin: Twin, days: Sequence[np.datetime64]) -> None:
    """Compare the CAMS-like fields with held-back stations and with the truth at noon.

    Stations see the 8 km cell that they are in; at heights every fourth cell of the truth on 2 km
    is compared with the 8 km cell around it.
    """
    held = twin.stations.is_evaluation
    place = twin.stations.row[held], twin.stations.column[held]
    domain = twin.geography.frame.domain(8000.0)
    cell = place[0] // 4 + domain[0].start, place[1] // 4 + domain[1].start
    made = {"analysis": twin.cams.fields, "forecast": twin.cams.forecast}
    at_stations: dict[str, list[NDArray[np.floating]]] = {"truth": [], **{k: [] for k in made}}
    at_heights: dict[str, list[NDArray[np.floating]]] = {"truth": [], **{k: [] for k in made}}
    observed, spent = [], []
    for day in days:
        start = time.process_time()
        true = twin.day(day)
        spent.append(time.process_time() - start)
        at_heights["truth"].append(true.concentration(NOON, NETWORK_HEIGHTS)[:, 1::4, 1::4])
        for hour in HOURS:
            observed.append(twin.observed_hour(day, hour)[held])
            at_stations["truth"].append(true.at_cells(hour, place))
            for name, fields in made.items():
                field = fields(day, hour, NETWORK_HEIGHTS if hour == NOON else (0.0,))
                at_stations[name].append(field[0][cell] / MICROGRAM_M3_TO_MOL_M3)
                if hour == NOON:
                    at_heights[name].append(field[(slice(None), *domain)])
    print(f"a day of the truth: {np.median(spent):.1f} CPU s")
    noon = np.repeat(np.tile(np.array(HOURS) == NOON, len(days)), held.sum())
    y = np.concatenate(observed)
    for name, parts in at_stations.items():
        x = np.concatenate(parts)
        for label, chosen in (("all hours", np.full(noon.shape, True)), ("noon", noon)):
            use = chosen & np.isfinite(y)
            print(f"{name} at stations, {label}: {scores(x[use], y[use])}")
    truth = np.stack(at_heights["truth"]) / MICROGRAM_M3_TO_MOL_M3
    for name in made:
        x = np.stack(at_heights[name]) / MICROGRAM_M3_TO_MOL_M3
        for i, height in enumerate(NETWORK_HEIGHTS):
            text = scores(x[:, i].ravel(), truth[:, i].ravel())
            print(f"{name} against truth at {height:g} m: {text}")
    print(f"truth at the ground: {truth[:, 0].mean():.2f} ug m-3", flush=True)


def winds(twin: Twin, days: Sequence[np.datetime64]) -> None:
    """Measure how far the analysed winds are from the true ones, at ERA5's points."""
    site = Site.at(twin.weather.frame, Points.of_grid(era5_grid(twin.geography.frame.box)))
    low, aloft, lagged = [], [], []
    for day in days:
        times = day_hours(day)[::12]
        true = twin.weather.evaluate(times, site)
        seen = twin.reanalysis.surface(times, site)
        error = seen.u10 - true.u10
        low.append(error)
        lagged.append((error[0] * error[1]).mean())
        plain = pressure_levels(true, 0, site, WIND_LEVELS).u
        aloft.append(twin.reanalysis.levels(true, 0, site, WIND_LEVELS).u - plain)
    spread = np.stack(low).std()
    print(f"wind error at 10 m: {spread:.2f} m/s a component")
    for level, value in zip(WIND_LEVELS, np.stack(aloft).std(axis=(0, 2, 3)), strict=True):
        print(f"wind error at {level} hPa: {value:.2f} m/s")
    if spread > 0.0:
        print(f"its correlation over 12 h: {np.mean(lagged) / spread**2:.2f}")
        for steps in (4, 8, 12):
            product = np.mean([(e[:, steps:] * e[:, :-steps]).mean() for e in low]) / spread**2
            print(f"over {steps * 27.8:.0f} km along a meridian: {product:.2f}")


def scores(x: NDArray[np.floating], y: NDArray[np.floating]) -> str:
    """Correlation, R2, bias and RMSE [ug m-3] in words."""
    square = float(((x - y) ** 2).mean())
    r2 = 1.0 - square / float(y.var())
    r = np.corrcoef(x, y)[0, 1]
    return f"r {r:.2f}, R2 {r2:.2f}, bias {(x - y).mean():+.3f}, RMSE {np.sqrt(square):.3f}"


if __name__ == "__main__":
    main()
