"""Files for the benchmarks: a full synthetic orbit and the sets of its day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.profile_file import Profiles, write_profile_file
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3
from retrieval.physics.geometry.grids import domain_grid
from tests.builders.orbit_builder import build_orbit
from tests.builders.set_builders import write_cams_month, write_ctmana

if TYPE_CHECKING:
    from pathlib import Path

DAY = "2019-06-26"
HEIGHTS = np.array([0, 50, 250, 500, 1000, 2000, 3000, 5000.0])
PROFILE = np.array([8, 7, 4, 2.5, 1.2, 0.3, 0.1, 0.05])


@dataclass(frozen=True)
class Files:
    """Paths of the benchmark files."""

    orbit: Path
    profiles: Path
    cams: Path
    ctmana: Path


def benchmark_files(folder: Path, *, tiny: bool = False) -> Files:
    """Make the files where they do not exist yet (about a minute).

    Parameters
    ----------
    folder : Path
    tiny : bool
        A few thousand pixels and one day of hours, in a folder of their own.
    """
    folder = folder / "tiny" if tiny else folder
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(
        folder / "S5P_OFFL_L2__NO2____20190626T105000_20190626T123000_08822_03_020400_"
        "20190629T122205.nc",
        folder / "dacno2_s5p_20190626.nc",
        folder / "cams",
        folder / "S5P_OPER_AUX_CTMANA_20190626T000000_20190627T000000_20190627T120000.nc",
    )
    if not files.orbit.exists():
        with np.errstate(all="ignore"):  # the night side, which becomes fill
            n_scanline, n_ground_pixel = (60, 40) if tiny else (4172, 450)
            build_orbit(files.orbit, n_scanline=n_scanline, n_ground_pixel=n_ground_pixel, date=DAY)
    if not files.profiles.exists():
        _profiles(files.profiles)
    if not files.cams.exists():
        _cams(files.cams, tiny=tiny)
    if not files.ctmana.exists():
        write_ctmana(files.ctmana, date=DAY, spacing=10.0 if tiny else 1.0, synthetic=True)
    return files


def _profiles(path: Path) -> None:
    grid = domain_grid()
    rng = np.random.default_rng(0)
    factor = rng.lognormal(0.0, 0.6, grid.shape)
    no2 = PROFILE[:, None, None] * factor * MICROGRAM_M3_TO_MOL_M3
    time = np.array([f"{DAY}T12:00"], dtype="datetime64[ms]")
    names = ("title", "institution", "source", "history", "references")
    attributes = dict.fromkeys(names, "synthetic benchmark file")
    write_profile_file(path, Profiles(no2[None], HEIGHTS, grid, time, attributes=attributes))


def _cams(folder: Path, *, tiny: bool) -> None:
    """A month of the box that users ask for, one file a level, as the data store delivers it."""
    folder.mkdir()
    step = 0.5 if tiny else 0.1
    latitude, longitude = np.arange(40.0, 56.05, step), np.arange(-10.0, 10.05, step)
    rng = np.random.default_rng(1)
    factor = rng.lognormal(0.0, 0.4, (30 * 24, latitude.size, longitude.size)).astype("f4")
    for height, value in zip(HEIGHTS, PROFILE, strict=True):
        write_cams_month(
            folder,
            int(height),
            latitude=latitude,
            longitude=longitude,
            n_time=30 * 24,
            values=np.float32(value) * factor,
        )
