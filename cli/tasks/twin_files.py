"""What `dacno2-s5p twin` writes: kinds of files, in units of work that can be resumed."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from retrieval.errors import OutputError, RetrievalError
from retrieval.files.atomic import make_folder
from retrieval.files.damage import content_errors
from retrieval.files.tables import write_text
from retrieval.maps.regions import INPUT_BOX

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dacno2_s5p.twin.twin import Twin

    Writer = Callable[["Request", "Unit"], None]

logger = logging.getLogger(__name__)

MANIFEST = "twin.json"
_VERSION = re.compile(r"version [^,]+(?=, seed)")


@dataclass(frozen=True)
class Request:
    """One call of the command: the world, the folder, the options."""

    twin: Twin
    folder: Path
    full: bool = False
    all_hours: bool = False


@dataclass(frozen=True)
class Unit:
    """A piece of work: a kind of files for some dates."""

    kind: str
    label: str
    dates: tuple[str, ...]


def plan(kinds: list[str], dates: list[str]) -> list[Unit]:
    """Divide kinds and dates into units: days, months, years, or one for all times.

    Units come in order of their first day, so that the kinds of a day share its simulation.

    Examples
    --------
    >>> units = plan(["l2", "truth", "cams"], ["2023-01-31", "2023-02-01"])
    >>> [unit.label for unit in units][:4]
    ['2023-01-31', '2023-01-31', '2023-01', '2023-02-01']
    """
    units = []
    for kind in kinds:
        length = PERIODS[kind]
        labels = sorted({date[:length] for date in dates}) if length else ["static"]
        for label in labels:
            chosen = tuple(date for date in dates if not length or date.startswith(label))
            units.append(Unit(kind, label, chosen))
    return sorted(units, key=lambda unit: (unit.dates[0], kinds.index(unit.kind)))


def missing(units: list[Unit], request: Request) -> list[Unit]:
    """Return the units that hold dates which the folder's manifest does not.

    A file of a month or a year is written anew with the dates that it had before, so that a later
    call adds to it.
    """
    done = _read_manifest(request)
    _require_world(done, request)
    to_do = []
    for unit in units:
        before = done.get(_key(unit, request), [])
        is_whole = unit.kind in WHOLE and bool(before)
        if not is_whole and not set(unit.dates) <= set(before):
            to_do.append(replace(unit, dates=tuple(sorted({*before, *unit.dates}))))
    return to_do


def write(unit: Unit, request: Request) -> None:
    """Write one unit and note it in the manifest; a unit cut short is written again."""
    WRITERS[unit.kind](request, unit)
    done = _read_manifest(request) | {_key(unit, request): list(unit.dates)}
    text = json.dumps(done, indent=1, sort_keys=True)
    write_text(request.folder / MANIFEST, text + "\n", overwrite=True)


def _key(unit: Unit, request: Request) -> str:
    options = f"{'full' if request.full else 'cut'}, {'24 h' if request.all_hours else 'overpass'}"
    twin = request.twin
    world = "" if twin.version.number == 1 else f"{twin.version.name}, "
    return f"{unit.kind} {unit.label} {world}seed {twin.seed} ({options})"


def _require_world(done: dict[str, list[str]], request: Request) -> None:
    """Refuse to mix files of two versions of the world in one folder."""
    own = request.twin.version.name
    others = {found[0] if (found := _VERSION.search(key)) else "version 1" for key in done} - {own}
    if others:
        msg = (
            f"Invalid folder {request.folder}. Its files must be of one version of the twin world. "
            f"Given {own} beside {min(others)}. Choose another folder."
        )
        raise OutputError(msg)


def _read_manifest(request: Request) -> dict[str, list[str]]:
    """Dates done by unit."""
    path = request.folder / MANIFEST
    if not path.exists():
        return {}
    with content_errors(
        path,
        RetrievalError,
        what="manifest",
        rule="map each unit of work to the dates that are done",
        advice="Remove it; files are then written again",
    ):
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(unit): [_as_date(day) for day in days] for unit, days in found.items()}


def _as_date(text: str) -> str:
    """Return a date as it is written, after checking that it is one."""
    if not isinstance(text, str) or str(np.datetime64(text, "D")) != text:
        msg = f"{text!r} for a date"
        raise ValueError(msg)
    return text


def date_range(start: str, end: str) -> list[str]:
    """Return all dates from start to end, both included."""
    days = np.arange(np.datetime64(start, "D"), np.datetime64(end, "D") + np.timedelta64(1, "D"))
    return [str(day) for day in days]


def _subfolder(request: Request, name: str) -> Path:
    folder = request.folder / name
    make_folder(folder)
    return folder


def _write_l2(request: Request, unit: Unit) -> None:
    from cli.story.day import overpass_time
    from dacno2_s5p.twin.air.profile import HEIGHTS
    from dacno2_s5p.twin.scene import build_scene
    from dacno2_s5p.twin.writers.ctmana import write_ctmana
    from retrieval.apriori.base import ArraySet
    from retrieval.errors import NoOverlapError
    from retrieval.physics.levels import HeightLevels, Quantity
    from retrieval.physics.time_rules import TimeRule
    from retrieval.simulate.scene import scene_on_swath, synthetic_scene
    from retrieval.simulate.simulate_orbit import SimulationOptions, simulate_orbit
    from retrieval.simulate.swath import orbits_over
    from retrieval.simulate.tm5 import open_operational

    twin, (date,) = request.twin, unit.dates
    ctm = _subfolder(request, "ctm")
    write_ctmana(twin, ctm, date, full=request.full, overwrite=True)
    for swath in orbits_over(date, INPUT_BOX):
        time = overpass_time(swath)
        scene = build_scene(twin, time)
        truth = ArraySet(
            twin.version.kind,
            twin.grid,
            HeightLevels(np.asarray(HEIGHTS, dtype=np.float64)),
            Quantity.CONCENTRATION,
            np.array([time]).astype("datetime64[ms]"),
            TimeRule.DAILY,
            [],
            is_synthetic=True,
            values=scene["no2"].values[None],
        )
        fields = {str(name): field.values for name, field in scene.data_vars.items()}
        ground = scene_on_swath(fields, twin.grid, swath, synthetic_scene(swath, twin.seed))
        model = open_operational(ctm, time)
        options = SimulationOptions(seed=twin.seed)
        try:
            orbit = simulate_orbit(truth, model, ground, swath, options)
        except NoOverlapError as error:
            # A pass that touches the box but not the domain shows no truth at all.
            logger.info("orbit %d is left out: %s", swath.orbit, error)
            continue
        finally:
            model.close()
        orbit.write(
            _subfolder(request, "orbits"),
            overwrite=True,
            truth_folder=_subfolder(request, "orbits_truth"),
        )


def _write_ctm(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.ctmana import write_ctmana

    folder = _subfolder(request, "ctm")
    write_ctmana(request.twin, folder, unit.dates[0], full=request.full, overwrite=True)


def _write_cams(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.cams_europe import OVERPASS_HOURS, write_cams_reanalysis

    hours = tuple(range(24)) if request.all_hours else OVERPASS_HOURS
    folder = _subfolder(request, "cams")
    write_cams_reanalysis(
        request.twin, folder, unit.dates, hours, full=request.full, overwrite=True
    )


def _write_cams_forecast(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.cams_europe import write_cams_forecast

    folder = _subfolder(request, "cams_forecast")
    write_cams_forecast(request.twin, folder, unit.dates[0], full=request.full, overwrite=True)


def _write_cams_global(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.cams_global import write_cams_global

    folder = _subfolder(request, "cams_global")
    write_cams_global(request.twin, folder, unit.dates[0], full=request.full, overwrite=True)


def _write_truth(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.profiles import write_true_profiles

    folder = _subfolder(request, "truth8")
    write_true_profiles(request.twin, folder, unit.dates[0], overwrite=True)


def _write_era5(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.era5 import write_era5_pressure, write_era5_single

    folder = _subfolder(request, "era5")
    write_era5_single(request.twin, folder, unit.dates[0], overwrite=True)
    write_era5_pressure(request.twin, folder, unit.dates[0], overwrite=True)


def _write_eea(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.eea import write_eea, write_eea_metadata, write_station_lists

    folder = _subfolder(request, "eea")
    write_eea(request.twin, folder, unit.dates, overwrite=True)
    write_eea_metadata(request.twin, folder, overwrite=True)
    write_station_lists(request.twin, folder, overwrite=True)


def _write_flights(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.flights import write_flights

    write_flights(request.twin, _subfolder(request, "flights"), unit.dates, overwrite=True)


def _write_inventory(request: Request, unit: Unit) -> None:
    from dacno2_s5p.twin.writers.inventory import write_inventory

    folder = _subfolder(request, "emissions")
    write_inventory(request.twin, folder, int(unit.label), full=request.full, overwrite=True)


def _write_ground(request: Request, unit: Unit) -> None:
    from cli.story.ground import write_ground

    write_ground(request.twin, request.folder, unit.dates[0])


def _write_geography(request: Request, _unit: Unit) -> None:
    from dacno2_s5p.twin.writers.all import write_static

    write_static(request.twin, request.folder, overwrite=True)


WRITERS: dict[str, Writer] = {
    "l2": _write_l2,
    "ctm": _write_ctm,
    "cams": _write_cams,
    "cams-forecast": _write_cams_forecast,
    "cams-global": _write_cams_global,
    "truth": _write_truth,
    "era5": _write_era5,
    "eea": _write_eea,
    "flights": _write_flights,
    "emissions": _write_inventory,
    "geography": _write_geography,
    "ground": _write_ground,
}
"""Kinds of files and what writes them."""

PERIODS = {
    "l2": 10,
    "ctm": 10,
    "cams": 7,
    "cams-forecast": 10,
    "cams-global": 10,
    "truth": 10,
    "era5": 10,
    "eea": 4,
    "flights": 4,
    "emissions": 4,
    "geography": 0,
    "ground": 10,
}
"""How much of the date names a unit of each kind: 10 a day, 7 a month, 4 a year, 0 all."""


WHOLE = ("emissions", "geography")
"""Kinds whose files do not depend on the dates asked for within a unit."""


def progress_units(units: list[Unit], request: Request) -> Iterator[tuple[int, Unit]]:
    """Write units one after the other, telling each before it is written."""
    for i, unit in enumerate(units):
        yield i, unit
        write(unit, request)
