"""Profile files of a set averaged to coarser cells: one file in, one file out, its origin kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.coarsen import CellWeights, Resolution, average, cell_weights, in_pieces
from retrieval.apriori.file_set import FileSet
from retrieval.apriori.formats.cf_time import decode
from retrieval.apriori.profile_file import KIND as PROFILE_FILE
from retrieval.apriori.profile_file import NEEDED_ATTRIBUTES, Profiles, write_profile_file
from retrieval.apriori.registry import open_apriori
from retrieval.errors import AprioriError
from retrieval.files.atomic import check_outputs, results_together
from retrieval.files.provenance import file_checksum
from retrieval.physics.geometry.curvilinear import rectilinear
from retrieval.physics.levels import HeightLevels, Quantity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from retrieval.apriori.base import AprioriSet
    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.typing import Float

logger = logging.getLogger(__name__)

CORRELATED = "cells of an average taken as fully correlated: mean of their standard deviations"
"""What the uncertainty of an averaged set is, as over a footprint."""
NOT_CARRIED = ("Conventions", "_NCProperties")


@dataclass(frozen=True)
class Part:
    """What becomes one file: fields of one source file and one date.

    Attributes
    ----------
    indices : tuple of int
        Times of the set.
    day : datetime64[D]
    stem : str
        Of the file name to write.
    """

    indices: tuple[int, ...]
    day: np.datetime64
    stem: str


def coarsen_files(
    path: Path | str,
    folder: Path | str,
    resolution: Resolution,
    *,
    overwrite: bool = False,
    history: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Average a set to coarser cells and write it as profile files.

    Parameters
    ----------
    path : path
        NO2 as concentration at heights above ground: profile files, CAMS European files, a CF
        field; a file or a folder.
    folder : path
        Where to write, `STEM_LABEL.nc` for each file and date; made when it is missing.
    resolution : Resolution
        Cells to average to.
    overwrite : bool
        Replace existing files.
    history : str
        Line for the attribute `history`: time and command.
    progress : callable, optional
        Called with files done and to do.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    AprioriError
        If the set is of another kind.
    OutputError
        If a file exists and may not be replaced, or cannot be written.
    ValueError
        If the set is no finer than the cells, or too small.
    """
    opened = open_apriori(Path(path))
    try:
        _check_kind(opened)
        cells = cell_weights(rectilinear(opened.grid, str(path)), resolution.cells_per_degree)
        targets = {
            part: Path(folder) / f"{part.stem}_{resolution.label}.nc" for part in _parts(opened)
        }
        check_outputs(targets.values(), overwrite=overwrite, inputs=opened.files)
        with results_together(targets, overwrite=overwrite) as drafts:
            for done, (part, draft) in enumerate(drafts.items(), start=1):
                profiles = _coarsen(opened, part, cells, resolution, history)
                write_profile_file(draft, profiles)
                if progress:
                    progress(done, len(drafts))
    finally:
        opened.close()
    return list(targets.values())


def _check_kind(opened: AprioriSet) -> None:
    is_concentration = opened.quantity is Quantity.CONCENTRATION
    if isinstance(opened.vertical, HeightLevels) and is_concentration:
        return
    msg = (
        "Invalid set to average. It must be NO2 as concentration at heights above ground, where "
        f"levels of neighbours are alike. Given {opened.kind}, {opened.quantity} on "
        f"{type(opened.vertical).__name__}. Give profile files or CAMS European files."
    )
    raise AprioriError(msg)


def _parts(opened: AprioriSet) -> list[Part]:
    """Split a set into files to write: profile files one by one, others by date."""
    days = opened.times.astype("datetime64[D]")
    groups: dict[tuple[str, np.datetime64], list[int]] = {}
    for i, day in enumerate(days):
        source = _profile_file(opened, i)
        groups.setdefault(("" if source is None else source.name, day), []).append(i)
    of_file: dict[str, int] = {}
    for name, _ in groups:
        of_file[name] = of_file.get(name, 0) + 1
    return [
        Part(tuple(indices), day, _stem(name, day, is_alone=of_file[name] == 1))
        for (name, day), indices in groups.items()
    ]


def _profile_file(opened: AprioriSet, i_time: int) -> NetcdfSource | None:
    """Return the profile file that holds a time; None for sets of other kinds."""
    if opened.kind != PROFILE_FILE or not isinstance(opened, FileSet):
        return None
    return opened.slabs[opened.places[i_time][0]].fields()[0].source


def _stem(name: str, day: np.datetime64, *, is_alone: bool) -> str:
    date = str(day).replace("-", "")
    if not name:
        return f"no2_{date}"
    return Path(name).stem if is_alone else f"{Path(name).stem}_{date}"


def _coarsen(
    opened: AprioriSet, part: Part, cells: CellWeights, resolution: Resolution, history: str
) -> Profiles:
    everywhere = (slice(None), slice(None))
    fields, sigmas = [], []
    for i in part.indices:
        fields.append(average(_not_negative(opened.read(i, *everywhere), part), cells))
        sigma = opened.read_uncertainty(i, *everywhere)
        if sigma is not None:
            sigmas.append(np.where(np.isnan(fields[-1]), np.nan, average(sigma, cells)))
    no2, grid = in_pieces(np.stack(fields), cells.grid, resolution.pieces)
    has_sigma = len(sigmas) == len(fields)
    if sigmas and not has_sigma:
        logger.warning("%s: only some times have an uncertainty; it is left out", part.stem)
    vertical = opened.vertical
    return Profiles(
        no2=no2,
        height=np.asarray(vertical.height if isinstance(vertical, HeightLevels) else []),
        grid=grid,
        time=opened.times[list(part.indices)],
        time_bounds=_time_bounds(opened, part),
        uncertainty=in_pieces(np.stack(sigmas), cells.grid, resolution.pieces)[0]
        if has_sigma
        else None,
        attributes=_attributes(opened, part, resolution, history, has_sigma=has_sigma),
    )


def _not_negative(values: Float, part: Part) -> Float:
    """Count negative values as zero, as every use of a set does."""
    n_negative = int((values < 0).sum())
    if n_negative:
        logger.warning("%s: %d negative values count as 0", part.stem, n_negative)
        return np.maximum(values, 0.0)
    return values


def _time_bounds(opened: AprioriSet, part: Part) -> NDArray[np.datetime64] | None:
    """Bounds of the times as the file has them, None where it has none."""
    source = _profile_file(opened, part.indices[0])
    if source is None or "time" not in source.dataset().variables:
        return None
    dataset = source.dataset()
    time = dataset.variables["time"]
    name = getattr(time, "bounds", "")
    if name not in dataset.variables:
        return None
    attributes = {key: time.getncattr(key) for key in time.ncattrs()}
    where = f"{name} of {part.stem}"
    stamps = decode(time[:], attributes, where)
    bounds = decode(dataset.variables[name][:], attributes, where)
    found = [int(np.abs(stamps - opened.times[i]).argmin()) for i in part.indices]
    return np.asarray(bounds[found])


def _attributes(
    opened: AprioriSet, part: Part, resolution: Resolution, history: str, *, has_sigma: bool
) -> dict[str, str]:
    """Carry what the source says of itself, and add what was done to it."""
    source = _profile_file(opened, part.indices[0])
    if source is None:
        found = dict(opened.attributes)
        averaged = ", ".join(file.name for file in opened.files)
    else:
        dataset = source.dataset()
        names = [name for name in dataset.ncattrs() if name not in NOT_CARRIED]
        found = {name: str(dataset.getncattr(name)).strip() for name in names}
        averaged = f"{source.name} sha256:{file_checksum(source.path)}"
    found = dict.fromkeys(NEEDED_ATTRIBUTES, "not stated") | found
    size = f"1/{resolution.cells_per_degree} degree"
    if resolution.cells_per_degree == 1:
        size = "1 degree"
    constant = ", constant over each of them" if resolution.pieces > 1 else ""
    found["title"] += f", averaged to cells of {size}"
    found["source"] += f"; averaged to cells of {size} by exact overlap{constant}"
    done = history or "averaged by retrieval.apriori.coarsen_files"
    found["history"] = f"{done}\n{found['history']}"
    found["averaged_from"] = averaged
    if has_sigma:
        found["uncertainty"] = f"{found.get('uncertainty', '1 sigma')}; {CORRELATED}"
    if opened.is_synthetic and "synthetic" not in found.get("training_data", ""):
        found["training_data"] = "synthetic"
    return found
