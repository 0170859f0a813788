"""The demo's story: one day of the twin world, from its files to columns against the truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.files.atomic import make_folder
from retrieval.l2.names import TM5
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.quality import common_pixels_of_file
from retrieval.maps.regions import DOMAIN, INPUT_BOX
from retrieval.physics.constants import MINIMUM_COVERAGE
from retrieval.physics.geometry.grids import domain_grid
from retrieval.simulate.scene import scene_on_swath, synthetic_scene
from retrieval.simulate.simulate_orbit import SimulationOptions, simulate_orbit
from retrieval.substitution.job import Job
from retrieval.substitution.options import Above, Options
from retrieval.substitution.reretrieve import reretrieve

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from dacno2_s5p.twin.twin import Twin
    from dacno2_s5p.twin.version import TwinVersion
    from retrieval.simulate.swath import Swath
    from retrieval.typing import Float

    Say = Callable[[str], None]

DATE = "2023-06-01"
"""A weekday of early summer with two thirds of the domain free of cloud."""
HEADLINE = Above.UPPER
MODES = (Above.UPPER, Above.CONSTANT_VMR, Above.NONE)
SETS = ("truth8", "cams", "truth")
"""The twin's own sets, the primary first; the network's come before them."""
DACNO2 = "dacno2"
PROFILES = "profiles"
"""Folder of the network's profiles: the workspace's own, where `reretrieve` looks for them."""


@dataclass
class DayFiles:
    """Files of one twin day in the real layouts, and the orbit simulated from it."""

    ctm: Path
    sets: dict[str, Path]
    orbit: Path = field(default_factory=Path)
    truth: Path = field(default_factory=Path)


def version_for(checkpoint: Path | None) -> TwinVersion:
    """Return the version of the twin world that a checkpoint was trained on; the first without."""
    from dacno2_s5p.network.checkpoint import read_info
    from dacno2_s5p.twin.version import TwinVersion

    return TwinVersion.named("" if checkpoint is None else read_info(checkpoint).trained_world)


def best_swath(date: str) -> Swath:
    """Choose the orbit of a date that sees most of the paper's box."""
    from retrieval.simulate.swath import orbits_over

    west, south, east, north = DOMAIN.box

    def inside(swath: Swath) -> int:
        lat, lon = swath.latitude, swath.longitude
        return int(((lat > south) & (lat < north) & (lon > west) & (lon < east)).sum())

    return max(orbits_over(date, INPUT_BOX), key=inside)


def overpass_time(swath: Swath) -> np.datetime64:
    """Middle of a swath's times, to the minute."""
    middle = swath.time[swath.time.size // 2].astype("datetime64[m]")
    moment: np.datetime64 = middle.astype("datetime64[s]")
    return moment


def write_day(twin: Twin, date: str, swath: Swath, folder: Path) -> DayFiles:
    """Write CTMANA, the CAMS-like set and the truth's profiles of a day.

    Sets: `cams`; `truth8`, the true 11-13 UTC mean at the network's eight heights (the floor of
    any DACNO2); `truth`, the true profiles of the overpass on dense heights.
    """
    from dacno2_s5p.twin.writers.cams_europe import write_cams_reanalysis
    from dacno2_s5p.twin.writers.ctmana import write_ctmana
    from dacno2_s5p.twin.writers.profiles import write_moment, write_true_profiles

    for name in ("ctm", *SETS):
        make_folder(folder / name)
    write_ctmana(twin, folder / "ctm", date, overwrite=True)
    write_cams_reanalysis(twin, folder / "cams", [date], overwrite=True)
    write_true_profiles(twin, folder / "truth8", date, overwrite=True)
    write_moment(twin, folder / "truth", overpass_time(swath), overwrite=True)
    return DayFiles(
        ctm=folder / "ctm",
        sets={name: folder / name for name in SETS},
    )


def predict_profiles(
    twin: Twin,
    date: str,
    files: DayFiles,
    folder: Path,
    checkpoint: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Predict the day's DACNO2-S5P profiles and put the set first of the story's.

    Parameters
    ----------
    twin : Twin
    date : str
    files : DayFiles
        Of the day; the set is added.
    folder : Path
        The workspace; profiles go into its folder `profiles`.
    checkpoint : Path
    progress : callable, optional
        Told the patches done and their number.
    """
    from dacno2_s5p.network.checkpoint import load_checkpoint
    from dacno2_s5p.prediction.predict import as_trained, predict_day
    from dacno2_s5p.prediction.profile_files import profile_name, profiles_of_day
    from dacno2_s5p.twin.network_days import SimulatedDays
    from retrieval.apriori.profile_file import write_profile_file

    model, day = load_checkpoint(checkpoint), np.datetime64(date, "D")
    days = SimulatedDays(twin, model.info)
    grid = as_trained(days.grid, model.info)
    field = predict_day(model, days.read(day), grid, progress=progress)
    profiles = profiles_of_day(
        model, day, field, grid, input_files=days.names(day), inputs_origin=days.origin
    )
    make_folder(folder / PROFILES)
    write_profile_file(folder / PROFILES / profile_name(day), profiles, overwrite=True)
    files.sets = {DACNO2: folder / PROFILES, **files.sets}


def simulate_day(
    twin: Twin,
    swath: Swath,
    files: DayFiles,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Simulate the orbit over the day's truth; the truth goes to a side file, never into L2."""
    from dacno2_s5p.twin.scene import build_scene
    from retrieval.apriori.registry import open_apriori
    from retrieval.simulate.tm5 import open_operational

    time = overpass_time(swath)
    fields = {name: field.values for name, field in build_scene(twin, time).data_vars.items()}
    scene = scene_on_swath(
        {str(name): values for name, values in fields.items()},
        domain_grid(),
        swath,
        outside=synthetic_scene(swath, twin.seed),
    )
    truth = open_apriori(files.sets["truth"], time)
    model = open_operational(files.ctm, time)
    # Only slant noise: every other error is shared by all products and would hide the a priori.
    options = SimulationOptions(seed=twin.seed)
    orbit = simulate_orbit(truth, model, scene, swath, options, progress=progress)
    make_folder(folder)
    files.orbit, files.truth = orbit.write(folder, overwrite=True)
    truth.close()
    model.close()


def retrieve_day(
    files: DayFiles,
    folder: Path,
    progress: Callable[[int, int], None] | None,
) -> dict[Above, Path]:
    """Re-retrieve the orbit with every set, once for each mode above the sets' top."""
    outputs = {}
    for mode in MODES:
        output = folder / mode.value / f"{files.orbit.stem}_reduced.nc"
        make_folder(output.parent)
        job = Job(
            files.sets,
            Options(above=mode, profiles=mode is HEADLINE, kernels=mode is HEADLINE),
            upper=files.ctm if mode is Above.UPPER else None,
            overwrite=True,
            command="dacno2-s5p demo",
        )
        reretrieve(files.orbit, job, output, progress=progress)
        outputs[mode] = output
    return outputs


@dataclass
class Columns:
    """What the story compares, on the pixels of one re-retrieved file.

    `products` holds tropospheric columns [mol m-2] by name: TM5 first, then the sets. `valid`
    is the mask they share; geometry and strata are the file's.
    """

    path: Path
    products: dict[str, Float]
    truth: Float
    valid: NDArray[np.bool_]
    latitude: Float
    longitude: Float
    latitude_bounds: Float
    longitude_bounds: Float
    solar_zenith_angle: Float
    cloud_radiance_fraction: Float
    is_land: NDArray[np.bool_]


def load_columns(output: Path, truth_file: Path, sets: list[str]) -> Columns:
    """Read a re-retrieved file and the truth of its pixels."""
    name = "nitrogendioxide_tropospheric_column"
    with open_orbit(output) as orbit:
        crop = orbit.full

        def read(variable: str) -> Float:
            return orbit.read(variable, crop).astype(np.float64)

        products = {TM5: read(name)}
        products |= {s.upper(): read(f"{name}_{s.upper()}_apriori") for s in sets}
        scanline = orbit.raw("scanline")
        ground_pixel = orbit.raw("ground_pixel")
        snow_ice, _ = orbit.read_integer("snow_ice_flag", crop)
        valid = common_pixels_of_file(orbit, crop, list(products.values()))
        columns = Columns(
            path=output,
            products=products,
            truth=np.empty(0),
            valid=valid,
            latitude=read("latitude"),
            longitude=read("longitude"),
            latitude_bounds=read("latitude_bounds"),
            longitude_bounds=read("longitude_bounds"),
            solar_zenith_angle=read("solar_zenith_angle"),
            cloud_radiance_fraction=read("cloud_radiance_fraction_nitrogendioxide_window"),
            is_land=snow_ice != OCEAN,
        )
    columns.truth, coverage = read_truth(truth_file, scanline, ground_pixel)
    west, south, east, north = DOMAIN.box
    columns.valid &= np.isfinite(columns.truth) & (coverage >= MINIMUM_COVERAGE)
    columns.valid &= (columns.latitude >= south) & (columns.latitude <= north)
    columns.valid &= (columns.longitude >= west) & (columns.longitude <= east)
    return columns


OCEAN = 255
"""Code of open water in `snow_ice_flag`: a value, not a fill (formats: NISE codes)."""


def read_truth(
    path: Path, scanline: NDArray[np.integer], ground_pixel: NDArray[np.integer]
) -> tuple[Float, Float]:
    """Read the true tropospheric column and its coverage for the pixels of a crop."""
    import netCDF4

    with netCDF4.Dataset(path) as dataset:
        dataset.set_auto_mask(False)
        rows = np.searchsorted(dataset["scanline"][:], scanline)
        columns = np.searchsorted(dataset["ground_pixel"][:], ground_pixel)
        index = np.ix_(rows, columns)
        truth = np.asarray(dataset["true_tropospheric_column"][:])[index]
        coverage = np.asarray(dataset["truth_coverage"][:])[index]
    return truth, coverage
