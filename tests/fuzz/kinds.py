"""Kinds of files that are damaged: how they are made, harmed, read, and what must be noticed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import h5py
import numpy as np

from tests.fuzz import structure
from tests.fuzz.damage import DAMAGES, Case, damaged_copies, flip_in_chunks, stored_chunks

Change = Callable[[Path, np.random.Generator], str]

DAY = "2019-06-01"
BOUNDS = (0.5, 46.5, 3.0, 49.5)
"""Area of the small sets [degree]: that of the orbit and a margin."""
SHAPE = (8, 6)
"""Scanlines and ground pixels of the small orbit."""


@dataclass(frozen=True)
class Kind:
    """A kind of file and what is done with it.

    Attributes
    ----------
    name : str
        In the table.
    path : Path
        The undamaged file.
    action : str
        What reads it, of `tests.fuzz.actions`.
    arguments : tuple of str
        Of the action; `{case}` and `{folder}` stand for the damaged file and its folder.
    changes : sequence
        Damages of its structure; bytes are damaged in any file.
    beside : tuple of Path
        Files and folders that every copy needs beside it.
    inside : str
        Folder that the copy is put into, beside which the others are; empty for none.
    checked : {"chunks", "all", "none"}
        What a checksum of the format covers: damage there must be noticed.
    share : int
        Of all cases, relative to other kinds.
    """

    name: str
    path: Path
    action: str
    arguments: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    beside: tuple[Path, ...] = ()
    inside: str = ""
    checked: str = "none"
    share: int = 1
    chunks: list[tuple[str, int, int]] = field(default_factory=list)

    def cases(self, folder: Path, count: int, first: int, seed: int) -> list[Case]:
        """Write damaged copies number `first` to `first + count - 1`."""
        n_bytes = count if not self.changes else count - count // 2
        damages = [*DAMAGES]
        if self.chunks:
            damages += [flip_in_chunks(self.chunks)]
        chosen = [damages[(first + i) % len(damages)] for i in range(n_bytes)]
        cases = damaged_copies(self.path, folder / "bytes", chosen, seed=seed + first)
        for i, change in zip(range(count - n_bytes), _cycle(self.changes), strict=False):
            at = folder / "structure"
            cases += structure.odd_copies(self.path, at, change, 1, seed=seed, first=first + i)
        return [self._surrounded(case) for case in cases]

    def _surrounded(self, case: Case) -> Case:
        """Put what a copy needs beside it."""
        path = Path(case.path)
        for other in self.beside:
            _put_beside(other, path.parent)
        if not self.inside:
            return case
        target = path.parent / self.inside / path.name
        target.unlink()
        return Case(str(path.rename(target)), case.damage)

    def undamaged(self, folder: Path) -> Case:
        """Write a copy that nothing was done to."""
        copy = folder / "undamaged" / self.path.name
        copy.parent.mkdir(parents=True)
        shutil.copy(self.path, copy)
        return self._surrounded(Case(str(copy), "none"))

    def must_notice(self, case: Case) -> bool:
        """Tell whether all changed bytes of a copy are under a checksum."""
        before = np.frombuffer(self.path.read_bytes(), np.uint8)
        after = np.frombuffer(Path(case.path).read_bytes(), np.uint8)
        if self.checked == "none" or "structure" in Path(case.path).parts:
            return False
        if self.checked == "all":
            return True
        if before.size != after.size:
            return False
        covered = np.zeros(before.size, bool)
        for _, offset, size in self.chunks:
            covered[offset : offset + size] = True
        return bool(covered[before != after].all())


def _cycle(changes: Sequence[Change]) -> Iterator[Change]:
    while changes:
        yield from changes


def _put_beside(source: Path, folder: Path) -> None:
    """Put a file or a folder's files beside a copy, as hard links: they are only read."""
    if source.is_dir():
        target = folder / source.name
        shutil.copytree(source, target, copy_function=_link_or_copy)
    elif not (folder / source.name).exists():
        _link_or_copy(str(source), str(folder / source.name))


def _link_or_copy(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy(source, target)


def _with_checksums(path: Path) -> list[tuple[str, int, int]]:
    """List the chunks of an HDF5 file whose values carry a checksum."""
    with h5py.File(path, "r") as file:
        return [chunk for chunk in stored_chunks(path) if file[chunk[0]].fletcher32]


_CLEAR = re.compile(r"[.?!](?=\s|$)")


def is_clear(line: str) -> bool:
    """Tell whether an error is what, rule, given, what to do: three sentences at least."""
    return len(_CLEAR.findall(line)) >= 3


def _small_orbit(folder: Path, variant: str = "v2.4") -> Path:
    from tests.builders.orbit_builder import build_orbit

    folder.mkdir(parents=True, exist_ok=True)
    n_scanline, n_ground_pixel = SHAPE
    return build_orbit(
        folder,
        n_scanline=n_scanline,
        n_ground_pixel=n_ground_pixel,
        date=DAY,
        variant=variant,
        area=(1.3, 47.3, 2.7, 48.7),
        dead_rows=(),
    ).path


def _small_profiles(folder: Path) -> Path:
    from tests.builders.files import write_profiles

    folder.mkdir(parents=True, exist_ok=True)
    return write_profiles(folder / f"no2_{DAY}.nc", bounds=BOUNDS)


def orbits(folder: Path) -> list[Kind]:
    """Orbits as the command and as the readers see them."""
    profiles = _small_profiles(folder / "profiles")
    full = _small_orbit(folder / "full")
    reduced = _small_orbit(folder / "reduced", "reduced_eu")
    write = ("reretrieve", "{case}", "-a", f"x={profiles}", "-o", "{folder}/out.nc")
    crop = ("--bbox", "1.8", "47.8", "2.2", "48.2")
    common = {"changes": (structure.hdf5,), "checked": "chunks"}
    cropped = (*write[:-2], *crop, *write[-2:])
    return [
        Kind("orbit, columns", full, "columns", ("{case}", str(profiles)), **common, share=12,
             chunks=_with_checksums(full)),
        Kind("orbit, reretrieve", full, "product", write, **common, share=6,
             chunks=_with_checksums(full)),
        Kind("reduced orbit, reretrieve", reduced, "product", cropped, **common, share=6,
             chunks=_with_checksums(reduced)),
        Kind("orbit, inspect", full, "described", ("{case}",), (structure.hdf5,), share=4),
    ]  # fmt: skip


def sensors(folder: Path) -> list[Kind]:
    """Orbits of other sensors, what `inspect` says of them, TEMPO's air mass factors too."""
    from tests.builders.omno2_builder import build_omno2
    from tests.builders.qa4ecv_builder import build_qa4ecv
    from tests.builders.sentinel5_builder import build_sentinel5
    from tests.builders.tempo_builder import build_tempo

    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "TEMPO": build_tempo(folder / "tempo.nc"),
        "QA4ECV": build_qa4ecv(folder / "qa4ecv.nc"),
        "Sentinel-5": build_sentinel5(folder / "sentinel5.nc"),
        "OMNO2": build_omno2(folder / "omno2.he5"),
    }
    return [
        Kind(f"{name}, inspect", one.path, "described", ("{case}",), (structure.hdf5,), share=3)
        for name, one in made.items()
    ]


def sets(folder: Path) -> list[Kind]:
    """A-priori sets of each container and kind, re-retrieved with."""
    from tests.builders.files import axis, to_classic
    from tests.builders.set_builders import (
        CAMS_HEIGHTS,
        write_cams_global,
        write_cams_month,
        write_ctmana,
    )

    orbit = _small_orbit(folder / "orbit")
    profiles = _small_profiles(folder / "profiles")
    classic = to_classic(profiles, folder / "classic.nc")
    west, south, east, north = BOUNDS
    cams = folder / "cams"
    cams.mkdir()
    months = [
        write_cams_month(
            cams, level, month=DAY[:7], n_time=15,
            latitude=axis(south, north, 0.1), longitude=axis(west, east, 0.1),
        )
        for level in CAMS_HEIGHTS
    ]  # fmt: skip
    ctmana = write_ctmana(folder / "ctmana.nc", date=DAY, bounds=(-4.0, 42.0, 8.0, 54.0), n_time=28)
    model = folder / "global.nc"
    write_cams_global(model, layout="new", bounds=(0.0, 45.0, 6.0, 51.0))
    _move_times(model)
    read = (str(orbit), "{case}")
    in_folder = (str(orbit), "{folder}")
    hdf5 = (structure.hdf5,)
    return [
        Kind("profile file", profiles, "columns", read, hdf5, checked="chunks", share=8,
             chunks=_with_checksums(profiles)),
        Kind("profile file, classic", classic, "columns", read, (structure.netcdf3,), share=6),
        Kind("CAMS Europe, a level", months[3], "columns", in_folder, hdf5, share=5,
             beside=tuple(months)),
        Kind("CTMANA", ctmana, "columns", read, (structure.netcdf3,), share=5),
        Kind("CAMS global", model, "columns", read, hdf5, share=4),
        Kind("set, inspect", profiles, "described", ("{case}",), hdf5, share=3),
    ]  # fmt: skip


def _move_times(path: Path) -> None:
    """Bring the three hours of a global file to the orbit's day, around its overpass."""
    import netCDF4

    with netCDF4.Dataset(path, "a") as file:
        day = (np.datetime64(DAY) - np.datetime64("1970-01-01")).astype(int) * 86400
        file["valid_time"][:] = day + np.array([9, 12, 15]) * 3600


def archives(folder: Path) -> list[Kind]:
    """ZIP archives of the climate data store."""
    from tests.builders.files import axis
    from tests.builders.set_builders import CAMS_HEIGHTS, write_cams_month, zip_files
    from tests.builders.source_files import DAY as ERA5_DAY
    from tests.builders.source_files import write_era5

    west, south, east, north = BOUNDS
    folder.mkdir()
    months = [
        write_cams_month(
            folder, level, month=DAY[:7], n_time=15,
            latitude=axis(south, north, 0.2), longitude=axis(west, east, 0.2),
        )
        for level in CAMS_HEIGHTS
    ]  # fmt: skip
    packed = zip_files(folder / "cams.zip", months)
    for month in months:
        month.unlink()
    orbit = _small_orbit(folder / "orbit")
    weather = folder / "era5"
    write_era5(weather, ERA5_DAY)
    write_era5(weather, ERA5_DAY - 1)
    single = next(weather.glob(f"era5_single_{str(ERA5_DAY).replace('-', '')}*"))
    pressure = next(weather.glob(f"era5_pressure_{str(ERA5_DAY).replace('-', '')}*"))
    others = tuple(sorted(weather.iterdir()))
    read = ("{folder}",)
    return [
        Kind("ZIP of CAMS Europe", packed, "columns", (str(orbit), "{case}"), checked="all",
             share=4),
        Kind("ZIP of ERA5", single, "weather", read, beside=others, checked="all"),
        Kind("ERA5 on levels", pressure, "weather", read, (structure.hdf5,), beside=others),
    ]  # fmt: skip


def maps(folder: Path) -> list[Kind]:
    """Re-retrieved files, daily sums, period means."""
    from click.testing import CliRunner

    from cli.commands.grid import grid
    from retrieval.substitution.reretrieve import reretrieve

    orbit, profiles = _small_orbit(folder / "orbit"), _small_profiles(folder / "profiles")
    done = folder / "done.nc"
    reretrieve(orbit, {"x": profiles}, done)
    days = folder / "days"
    call = [str(done), "-o", str(folder / "june.nc"), "--cell", "0.2deg", "--days", str(days)]
    outcome = CliRunner().invoke(grid, call)
    if outcome.exit_code:
        raise RuntimeError(outcome.output)
    points = folder / "points.csv"
    points.write_text("name,lat,lon\nhere,48.0,2.0\n")
    hdf5 = (structure.hdf5,)
    day = next(days.glob("*.nc"))
    means = folder / "june.nc"
    return [
        Kind("result, extract", done, "command", ("extract", "{case}", "--points", str(points)),
             hdf5, share=4),
        Kind("period means", means, "period", ("{case}",), hdf5, checked="chunks", share=3,
             chunks=_with_checksums(means)),
        Kind("daily sums", day, "day", ("{case}",), hdf5, checked="chunks", share=3,
             chunks=_with_checksums(day)),
    ]  # fmt: skip


def networks(folder: Path) -> list[Kind]:
    """Checkpoints and states of runs."""
    import torch

    from dacno2_s5p.network.checkpoint import save_checkpoint
    from dacno2_s5p.network.tensor_file import write_tensors
    from tests.builders.network_builders import mini_config, random_network
    from tests.builders.training_builders import make_days, make_info

    folder.mkdir()
    network = random_network(mini_config())
    path, run = folder / "best.safetensors", folder / "state.safetensors"
    save_checkpoint(path, network.state_dict(), make_info(make_days(n_day=2)))
    tensors = {"network.a": torch.arange(300.0), "mean.a": torch.zeros(4, 5)}
    write_tensors(run, tensors, {"format": 1, "state": {"identity": "0", "step": 3}})
    odd = (structure.safetensors,)
    return [
        Kind("checkpoint", path, "checkpoint", ("{case}",), odd, checked="all", share=10),
        Kind("checkpoint, inspect", path, "described", ("{case}",), odd, share=3),
        Kind("state of a run", run, "state", ("{case}",), odd, checked="all", share=4),
    ]


def stores(folder: Path) -> list[Kind]:
    """Return the parts of a training store."""
    store = _small_store(folder)
    top = tuple(store.iterdir())
    json_, tensors = (structure.text_json,), (structure.safetensors,)
    manifest, day = store / "store.json", next((store / "days").iterdir())
    return [
        Kind("store.json", manifest, "store", ("{folder}",), json_, beside=top, share=6),
        Kind("store.json, inspect", manifest, "described", ("{folder}",), json_, beside=top,
             share=3),
        Kind("day of a store", day, "store", ("{folder}/..",), tensors, beside=top,
             inside="days", share=4),
    ]  # fmt: skip


def _small_store(folder: Path) -> Path:
    """Prepare two days from source files."""
    from dacno2_s5p.inputs.variables import Preparation
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.sources.stations.cells import StationRules
    from dacno2_s5p.store.prepare import Preparer, Settings, days_of
    from tests.builders.source_files import DAY as FIRST
    from tests.builders.source_files import GRID, write_all

    days = days_of(FIRST, FIRST + 1)  # inputs must vary
    write_all(folder / "sources", list(days))
    steps = Preparation(weather_steps=8, weather_step_hours=3)
    settings = Settings(days=days, grid=GRID, preparation=steps, rules=StationRules(draw=True))
    preparer = Preparer(SourcePaths.in_folder(folder / "sources"), folder / "store", settings)
    preparer.write(preparer.plan())
    preparer.close()
    return folder / "store"


def texts(folder: Path) -> list[Kind]:
    """Recipes, tables of inputs, sidecars, manifests of the twin world."""
    import json

    from dacno2_s5p.training import recipe
    from tests.builders.files import write_profiles

    folder.mkdir()
    shipped = Path(recipe.__file__).parents[1]
    small = folder / "recipe.toml"
    small.write_text((shipped.parent / "configs" / "paper.toml").read_text())
    table = folder / "inputs.toml"
    table.write_text((shipped / "inputs" / "data" / "inputs.toml").read_text())
    manifest = folder / "twin.json"
    dates = [DAY, "2019-06-02"]
    manifest.write_text(json.dumps({f"ctm {DAY} seed 0 (cut, overpass)": dates[:1], "cams": dates}))
    profiles = write_profiles(folder / "set.nc", bounds=BOUNDS)
    sidecar = folder / "set.toml"
    sidecar.write_text(
        'variable = "no2"\nunit = "ug m-3"\nlevel = "height"\nlevel_kind = "height"\n'
        'level_values = [0, 50, 250, 500, 1000, 2000, 3000, 5000]\nlevel_unit = "m"\n'
        'time_of_day = "12:00"\ncrs = "EPSG:4326"\ntitle = "a set"\nsynthetic = false\n'
    )
    orbit = _small_orbit(folder / "orbit")
    odd = (structure.text_toml,)
    return [
        Kind("recipe", small, "recipe", ("{case}",), odd, share=10),
        Kind("table of inputs", table, "inputs", ("{case}",), odd, share=6),
        Kind("sidecar of a set", sidecar, "columns", (str(orbit), "{folder}/set.nc"), odd,
             beside=(profiles,), share=4),
        Kind("twin.json", manifest, "twin", ("{folder}",), (structure.text_json,), share=3),
    ]  # fmt: skip
