"""Mean profiles of regions, their columns, and ratios by degree of urbanisation.

Figs. 6, S10, S11 of the paper.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.evaluation.rows import Row
from dacno2_s5p.inputs.regrid import centres_in
from retrieval.maps.regions import DOMAIN, REGIONS
from retrieval.physics.constants import MICROGRAM_M3_TO_MOL_M3, MOLEC_CM2_PER_MOL_M2
from retrieval.physics.geometry.grids import GEOGRAPHIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from dacno2_s5p.evaluation.evidence import Evidence
    from dacno2_s5p.inputs.grid import ModelGrid
    from retrieval.typing import Float

    Bool = NDArray[np.bool_]

logger = logging.getLogger(__name__)

BOXES = {region.name: region.box for region in (DOMAIN, *REGIONS)}
"""West, south, east, north [degree] of the regions (docs/formats.md 10.2)."""

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
