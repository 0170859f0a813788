"""The paper's tables from what was compared: rows of numbers, one number a row.

Stations by area and type, each station's own series, daily and seasonal consistency; layers
against the reference; profile ratios by degree of urbanisation, columns and mean profiles of
regions. Tables 2, 3, S1; Figs. 6, S3-S6, S10, S11. `evaluate_tables` writes them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.metrics import (
    LEAST_UNITS,
    METRICS,
    N_DRAW,
    Scores,
    bootstrap,
    centred,
    daily_consistency,
    pair_sums,
    scores,
    series_scores,
)
from dacno2_s5p.sources.regrid import centres_in
from retrieval.constants import MICROGRAM_M3_TO_MOL_M3, MOLEC_CM2_PER_MOL_M2
from retrieval.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    from dacno2_s5p.evaluate_data import Evidence
    from dacno2_s5p.grid import ModelGrid
    from dacno2_s5p.sources.eea import StationCell

    Float = NDArray[np.floating]
    Bool = NDArray[np.bool_]

logger = logging.getLogger(__name__)

AREAS = ("urban", "suburban", "rural")
"""Areas of stations; EEA's variants of rural (`rural-regional`, ...) count as rural."""

KINDS = ("background", "industrial")

BOXES = {
    "domain": (-5.0, 42.0, 9.0, 54.0),
    "northern region": (3.0, 50.0, 8.5, 53.5),
    "Paris": (1.2, 48.0, 3.6, 49.6),
    "Alps": (5.0, 44.0, 9.0, 47.5),
}
"""West, south, east, north [degree] of the contract's section 3."""

URBANISATION = {"urban": 1500.0, "suburban": 300.0, "rural": 1.0, "uninhabited": 0.0}
"""Least people per km2 of the classes of Fig. S10, densest first.

1500 and 300 are the densities of urban centres and clusters of the degree of urbanisation
(Dijkstra et al., 2021), here cell by cell, without its rules on contiguity and total population;
the paper does not give its limit of uninhabited, fewer than one person per km2 is ours.
"""

LAYERS = ((0.0, 1000.0), (1000.0, 5000.0), (0.0, 5000.0))
"""Heights above ground between which profiles are integrated [m] (Fig. S11)."""

COLUMN_FACTOR = MICROGRAM_M3_TO_MOL_M3 * MOLEC_CM2_PER_MOL_M2
"""From ug m-2 to molec cm-2."""

ALL_LAYERS = "all layers"
ANOMALIES = "all layers, layer means removed"


@dataclass(frozen=True)
class Row:
    """One number.

    Attributes
    ----------
    table : str
        `stations`, `station series`, `consistency`, `layers`, `urbanisation`, `columns`,
        `profiles`.
    group : str
        What it is of: a station type, a layer, a region.
    metric : str
    set : str
        The set it judges.
    value : float
        RMSE and bias [ug m-3], profiles [ug m-3], columns [molec cm-2], ratios [1].
    n : int
        Pairs, stations or cells behind it.
    days, stations : tuple of float
        95 % intervals over days and over stations; NaN where there is none.
    height : float
        Above ground [m], NaN where it has none.
    is_bound : bool
        Of a set that is no contestant.
    """

    table: str
    group: str
    metric: str
    set: str
    value: float
    n: int
    days: tuple[float, float] = (float("nan"), float("nan"))
    stations: tuple[float, float] = (float("nan"), float("nan"))
    height: float = float("nan")
    is_bound: bool = False


def evaluate(
    evidence: Evidence,
    *,
    population: Float | None = None,
    boxes: Mapping[str, tuple[float, float, float, float]] | None = None,
    n_draw: int = N_DRAW,
    seed: int = 0,
) -> list[Row]:
    """Compute all rows that the evidence allows.

    Parameters
    ----------
    evidence : Evidence
    population : ndarray, shape (n_y, n_x), optional
        People per km2 on the model grid, for profile ratios by urbanisation.
    boxes : mapping of str to (west, south, east, north), optional
        Regions of columns and profiles [degree]; by default `BOXES`.
    n_draw : int
        Draws of the bootstraps; 0 for none.
    seed : int
        Seed of the draws.
    """
    rows = [
        *station_rows(evidence, n_draw, seed),
        *series_rows(evidence),
        *consistency_rows(evidence),
        *layer_rows(evidence, n_draw, seed),
    ]
    regions = region_masks(evidence.grid, BOXES if boxes is None else boxes)
    rows += [*profile_rows(evidence, regions), *column_rows(evidence, regions)]
    if population is not None:
        rows += urbanisation_rows(evidence, population)
    return rows


def station_groups(cells: Sequence[StationCell]) -> dict[str, Bool]:
    """Cells of each group of Table 2, shape (n_cell,); groups without any are left out."""
    area = np.array([cell.area.split("-")[0] for cell in cells])
    kind = np.array([cell.kind for cell in cells])
    found = {"all": np.ones(len(cells), dtype=bool)}
    found |= {name: area == name for name in AREAS}
    found |= {name: kind == name for name in KINDS}
    return {name: mask for name, mask in found.items() if mask.any()}


def station_sums(evidence: Evidence) -> dict[str, Float]:
    """Sum each set's pairs with stations, (n_day, n_cell, 7): the same pairs for all sets."""
    valid = np.isfinite(evidence.observed)
    for values in evidence.surface.values():
        valid &= np.isfinite(values)
    observed = np.where(valid, evidence.observed, np.nan)[..., None]
    return {
        name: pair_sums(values[..., None], observed) for name, values in evidence.surface.items()
    }


def station_rows(evidence: Evidence, n_draw: int = N_DRAW, seed: int = 0) -> list[Row]:
    """Score sets against stations (upper panel of Table 2), with both intervals."""
    rows: list[Row] = []
    groups = station_groups(evidence.cells)
    for name, sums in station_sums(evidence).items():
        for group, mask in groups.items():
            of_group = sums[:, mask]
            over_days = bootstrap(of_group.sum(axis=1), n_draw, seed)
            over_stations = bootstrap(of_group.sum(axis=0), n_draw, seed)
            found = scores(of_group.sum(axis=(0, 1)))
            rows += _score_rows(evidence, "stations", group, name, found, over_days, over_stations)
    return rows


def _score_rows(
    evidence: Evidence,
    table: str,
    group: str,
    name: str,
    found: Scores,
    days: Mapping[str, tuple[float, float]] | None = None,
    stations: Mapping[str, tuple[float, float]] | None = None,
    height: float = float("nan"),
) -> Iterator[Row]:
    none = (float("nan"), float("nan"))
    for metric in METRICS:
        yield Row(
            table,
            group,
            metric,
            name,
            float(found.metric(metric)),
            int(found.n),
            (days or {}).get(metric, none),
            (stations or {}).get(metric, none),
            height,
            name in evidence.bounds,
        )


def series_rows(evidence: Evidence) -> list[Row]:
    """Mean and median over stations of the scores of each station's own series (Fig. S3)."""
    rows = []
    groups = station_groups(evidence.cells)
    for name, sums in station_sums(evidence).items():
        found = series_scores(sums)
        for group, mask in groups.items():
            for metric in ("r", "r2"):
                values = found.metric(metric)[mask]
                values = values[np.isfinite(values)]
                if not values.size:
                    continue
                for how, of in (("mean", np.mean), ("median", np.median)):
                    rows.append(
                        Row(
                            "station series",
                            group,
                            f"{how} {metric}",
                            name,
                            float(of(values)),
                            values.size,
                            is_bound=name in evidence.bounds,
                        )
                    )
    return rows


def consistency_rows(evidence: Evidence) -> list[Row]:
    """Score the network's daily means, overall and by season (Figs. S4, S5); five days at least."""
    rows: list[Row] = []
    for name, sums in station_sums(evidence).items():
        if not evidence.cells:
            break
        for group, found in daily_consistency(sums, evidence.days).items():
            if found.n >= LEAST_UNITS:
                rows += _score_rows(evidence, "consistency", group, name, found)
    return rows


def layer_rows(evidence: Evidence, n_draw: int = N_DRAW, seed: int = 0) -> list[Row]:
    """Score sets against the reference on its own cells (lower panel of Table 2).

    All layers are pooled as the paper does, and again with each layer's means removed: the
    decline with height alone correlates any two models.
    """
    rows: list[Row] = []
    for name, sums in evidence.layers.items():
        for k, height in enumerate(evidence.layer_heights[name]):
            found = scores(sums[:, k].sum(axis=0))
            days = bootstrap(sums[:, k], n_draw, seed)
            rows += _score_rows(
                evidence, "layers", f"{height:g} m", name, found, days, height=height
            )
        if sums.shape[1] < 2:
            continue
        total = sums.sum(axis=0)
        for group, pooled, is_centred in (
            (ALL_LAYERS, total, False),
            (ANOMALIES, centred(total), True),
        ):
            days = bootstrap(sums, n_draw, seed, is_centred=is_centred)
            found = scores(pooled.sum(axis=0))
            rows += [
                row
                for row in _score_rows(evidence, "layers", group, name, found, days)
                if not (is_centred and row.metric == "bias")  # zero by construction
            ]
    return rows


def region_masks(
    grid: ModelGrid, boxes: Mapping[str, tuple[float, float, float, float]]
) -> dict[str, Bool]:
    """Cells whose centre lies in each box, (n_y, n_x); boxes without any are left out."""
    longitude, latitude = centres_in(grid.cells(), GEOGRAPHIC)
    found = {}
    for name, (west, south, east, north) in boxes.items():
        mask = (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
        if mask.any():
            found[name] = mask
        else:
            logger.info("Region %s has no cell on the grid %s", name, grid.name)
    return found


def mean_profile(evidence: Evidence, name: str, mask: Bool) -> Float:
    """Area mean of a set over cells of the model grid [ug m-3], shape (n_level,)."""
    weight = mask * evidence.grid.cells().row_area_factor[:, None]
    return np.asarray((evidence.means[name] * weight).sum(axis=(1, 2)) / weight.sum())


def profile_rows(evidence: Evidence, regions: Mapping[str, Bool]) -> list[Row]:
    """Return regional mean profiles (Fig. 6 a, b)."""
    return [
        Row(
            "profiles",
            region,
            "mean [ug m-3]",
            name,
            float(value),
            int(mask.sum()),
            height=height,
            is_bound=name in evidence.bounds,
        )
        for region, mask in regions.items()
        for name in evidence.means
        for height, value in zip(
            evidence.heights[name], mean_profile(evidence, name, mask), strict=True
        )
    ]


def column_rows(evidence: Evidence, regions: Mapping[str, Bool]) -> list[Row]:
    """Return layer-integrated columns of regions (Fig. S11), from the heights all sets have.

    A profile of fewer heights has a larger integral, as it is cut by chords: with heights of
    their own, sets would differ by their heights.
    """
    rows = []
    shared = sorted(set.intersection(*(set(evidence.heights[name]) for name in evidence.means)))
    if not shared:
        return []
    for region, mask in regions.items():
        for name in evidence.means:
            levels = [evidence.heights[name].index(height) for height in shared]
            profile = mean_profile(evidence, name, mask)[levels]
            for base, top in LAYERS:
                column = COLUMN_FACTOR * integrate(shared, profile, base, top)
                rows.append(
                    Row(
                        "columns",
                        f"{region}, {base:g}-{top:g} m",
                        "mean [molec cm-2]",
                        name,
                        float(column),
                        int(mask.sum()),
                        is_bound=name in evidence.bounds,
                    )
                )
    return rows


def integrate(heights: ArrayLike, profile: ArrayLike, base: float, top: float) -> Float:
    """Integrate profiles, linear between their heights, from base to top.

    Parameters
    ----------
    heights : array_like, shape (n_level,)
        [m], ascending.
    profile : array_like, shape (n_level, ...)
        Concentrations.
    base, top : float
        [m].

    Returns
    -------
    ndarray, shape (...)
        Concentration times metres; NaN where the heights do not reach base and top.

    Examples
    --------
    >>> float(integrate([0.0, 500.0, 2000.0], [2.0, 1.0, 1.0], 0.0, 1000.0))
    1250.0
    """
    z, c = np.asarray(heights, dtype=np.float64), np.asarray(profile, dtype=np.float64)
    if base < z[0] or top > z[-1]:
        return np.full(c.shape[1:], np.nan)
    nodes = np.unique(np.concatenate([z[(z > base) & (z < top)], [base, top]]))
    upper = np.clip(np.searchsorted(z, nodes, side="right"), 1, z.size - 1)
    share = ((nodes - z[upper - 1]) / (z[upper] - z[upper - 1])).reshape(-1, *[1] * (c.ndim - 1))
    values = c[upper - 1] * (1.0 - share) + c[upper] * share
    return np.asarray(np.trapezoid(values, nodes, axis=0))


def urbanisation_classes(density: Float) -> dict[str, Bool]:
    """Cells of each degree of urbanisation; each cell is in one.

    Parameters
    ----------
    density : ndarray
        People per km2.

    Examples
    --------
    >>> classes = urbanisation_classes(np.array([2000.0, 400.0, 5.0, 0.0]))
    >>> [name for i in range(4) for name, mask in classes.items() if mask[i]]
    ['urban', 'suburban', 'rural', 'uninhabited']
    """
    found, above = {}, np.inf
    for name, least in URBANISATION.items():
        found[name] = (density >= least) & (density < above)
        above = least
    return found


def urbanisation_rows(evidence: Evidence, population: Float) -> list[Row]:
    """Return ratios of mean profiles to the reference's by degree of urbanisation (Fig. S10)."""
    reference = evidence.reference
    if reference not in evidence.means:
        return []
    rows = []
    inside = region_masks(evidence.grid, {"domain": BOXES["domain"]}).get("domain")
    for group, mask in urbanisation_classes(population).items():
        used = mask if inside is None else mask & inside
        if not used.any():
            continue
        below = dict(
            zip(evidence.heights[reference], mean_profile(evidence, reference, used), strict=True)
        )
        for name in evidence.layers:
            profile = mean_profile(evidence, name, used)
            rows += [
                Row(
                    "urbanisation",
                    group,
                    f"ratio to {reference}",
                    name,
                    float(value / below[height]),
                    int(used.sum()),
                    height=height,
                    is_bound=name in evidence.bounds,
                )
                for height, value in zip(evidence.heights[name], profile, strict=True)
                if below.get(height, 0.0) > 0.0
            ]
    return rows
