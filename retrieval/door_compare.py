"""What a notebook calls to compare models with the instrument: `compare`, as the command does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from retrieval.door import grid
from retrieval.errors import ProductError
from retrieval.l2.identity import one_file_an_orbit
from retrieval.l2.names import COLUMN_UNITS
from retrieval.l2.quality import QA_RECOMMENDED
from retrieval.l3.cells import parse_cell
from retrieval.maps.polygons import read_geojson
from retrieval.maps.regions import REGIONS, Region
from retrieval.physics.geometry.grids import EUROPE_PLANE
from retrieval.validation.comparison import STATISTICS, WAYS, Comparison, pairs_of, sets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retrieval.physics.geometry.grids import BoundingBox

__all__ = ["compare"]

_STATISTIC_UNITS = {"relative_difference": "%", "pearson": "1", "slope": "1"}
"""Of statistics that are no columns."""
_STATISTICS = {
    "mean_model": "mean column of the model",
    "mean_satellite": "mean column of the instrument",
    "mean_difference": "mean of model minus instrument",
    "relative_difference": "mean of the model over mean of the instrument, minus one",
    "root_mean_square": "root mean square of model minus instrument",
    "pearson": "correlation of model and instrument",
    "slope": "least-squares slope of the model on the instrument, with intercept",
}


def compare(
    files: Sequence[str | Path],
    sets: Sequence[str] | None = None,
    *,
    regions: Sequence[Region] | str | Path = REGIONS,
    cell: str = "0.1deg",
    bbox: BoundingBox | None = None,
    crs: str = EUROPE_PLANE,
    qa_threshold: int = QA_RECOMMENDED,
    n_draw: int = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """Compare the models behind re-retrieved orbits with the instrument, in two ways.

    Parameters
    ----------
    files : sequence of path
        Orbits that `reretrieve` wrote.
    sets : sequence of str, optional
        Names of the sets; all of the first file by default.
    regions : sequence of Region, or path
        Where pixels are told apart; a GeoJSON file of polygons.
    cell, bbox, crs
        Of the maps, as of `grid`; by default the area of the pixels.
    qa_threshold : int
        Pixels with a quality above it [percent] take part.
    n_draw, seed : int
        Draws of days for the 95 % intervals, and their seed.

    Returns
    -------
    xarray.Dataset
        Each statistic on (scope, apriori, way), with `_low` and `_high` of its interval: `kernel`
        is the model's column as the instrument would see it beside the column of the file,
        `apriori` the model's own column beside that with the model as a priori; columns in mol m-2.
        `largest_disagreement` says how far the two are from giving one ratio at every pixel. The
        mean columns on the grid as `grid` returns them, `S_kernel` and `S_model` among them.

    Raises
    ------
    RetrievalError
        If a file cannot be read, has not all sets, or there is no pixel to compare.
    """
    chosen, _ = one_file_an_orbit([Path(file) for file in files])
    if not chosen:
        msg = "Invalid files. A comparison needs one orbit at least. Given none. Name some files."
        raise ProductError(msg)
    known, own = sets_of(chosen[0])
    names = tuple(sets) if sets is not None else known
    places = read_geojson(Path(regions)) if isinstance(regions, (str, Path)) else tuple(regions)
    compared = Comparison(names, places, qa_threshold, bbox, own)
    for file in chosen:
        compared.add(file)
    if not compared.n_pixel:
        msg = (
            f"No pixel to compare. One at least must have a quality above {qa_threshold} % and all "
            f"columns. Given none in {len(chosen)} orbit(s). Check area and quality."
        )
        raise ProductError(msg)
    is_degrees = parse_cell(cell)[1]
    labels = dict.fromkeys(label for pair in pairs_of(names, own) for label in pair)
    maps = grid(
        chosen,
        cell,
        bbox or (compared.area if is_degrees else None),
        crs=crs,
        products=sorted(labels, key=lambda label: label != own),
        qa_threshold=qa_threshold,
    )
    return xr.merge([_scores_dataset(compared, n_draw, seed), maps])


def _scores_dataset(compared: Comparison, n_draw: int, seed: int) -> xr.Dataset:
    """Return the statistics on (scope, apriori, way), counts, and how far both ways agree."""
    scores = compared.scores(n_draw=n_draw, seed=seed)
    scopes = list(dict.fromkeys(score.scope for score in scores))
    shape = len(scopes), len(compared.sets), len(WAYS)
    dimensions = ("scope", "apriori", "way")
    values = {
        f"{name}{end}": np.full(shape, np.nan)
        for name in STATISTICS
        for end in ("", "_low", "_high")
    }
    n_pixel, n_day = (np.zeros(len(scopes), np.int64) for _ in range(2))
    for score in scores:
        place = (
            scopes.index(score.scope),
            compared.sets.index(score.apriori),
            WAYS.index(score.way),
        )
        for end, value in (("", score.value), ("_low", score.low), ("_high", score.high)):
            values[f"{score.statistic}{end}"][place] = value
        n_pixel[place[0]], n_day[place[0]] = score.n, score.n_day
    found = xr.Dataset(coords={"scope": scopes, "apriori": list(compared.sets), "way": list(WAYS)})
    for name, array in values.items():
        plain = name.removesuffix("_low").removesuffix("_high")
        end = {"_low": ", lower end of 95 %", "_high": ", upper end of 95 %"}.get(
            name[len(plain) :], ""
        )
        attributes = {
            "long_name": f"{_STATISTICS[plain]}{end}",
            "units": _STATISTIC_UNITS.get(plain, COLUMN_UNITS),
        }
        found[name] = (dimensions, array, attributes)
    about = "1 where both ways give one ratio of model and instrument, at the worst pixel"
    worst = [compared.disagreement.get(name, 0.0) for name in compared.sets]
    found["largest_disagreement"] = (
        "apriori",
        worst,
        {"long_name": f"deviation from {about}", "units": "1"},
    )
    found["n_pixel_compared"] = ("scope", n_pixel, {"long_name": "pixels", "units": "1"})
    found["n_day_compared"] = ("scope", n_day, {"long_name": "days with a pixel", "units": "1"})
    return found
