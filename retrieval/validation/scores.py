"""Scores of retrieved columns against a known truth, for simulated orbits.

Only simulated orbits know the truth; it comes from their side file, never from the L2 file. The
same pixels count for every product.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.strata import CLOUD, CLOUD_CLASSES, LAND, SEA, SUN, SUN_CLASSES, classes
from retrieval.maps.regions import background, hotspots
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from retrieval.typing import Float

    Bool = NDArray[np.bool_]


@dataclass(frozen=True)
class Score:
    """Agreement of a product with the truth; columns in molecules cm-2.

    Attributes
    ----------
    bias, rmse : float
        Mean and root mean square of retrieved minus true.
    slope : float
        Least-squares slope of retrieved on true, with intercept.
    hotspot_bias_percent, background_bias_percent : float
        100 (mean retrieved / mean true - 1) over the pixels of each kind, NaN where there is none.
    n : int
        Number of pixels.
    """

    bias: float
    rmse: float
    slope: float
    hotspot_bias_percent: float
    background_bias_percent: float
    n: int

    def as_dict(self) -> dict[str, float]:
        """Return plain numbers, ready for JSON; NaN becomes None."""
        return {
            key: value if np.isfinite(value) else None  # type: ignore[misc]
            for key, value in asdict(self).items()
        }


@dataclass(frozen=True)
class Classes:
    """Hotspot and background pixels of a scene, by the truth of its valid pixels."""

    is_hotspot: Bool
    is_background: Bool


def classify(truth: Float, valid: Bool) -> Classes:
    """Find hotspot and background pixels (docs/formats.md 10.2).

    Parameters
    ----------
    truth : ndarray
        True tropospheric column [mol m-2].
    valid : ndarray of bool
        Pixels that count; percentiles are taken over them.

    Examples
    --------
    >>> found = classify(np.array([1e-5, 2e-5, 3e-5, 4e-4]), np.ones(4, dtype=bool))
    >>> found.is_hotspot.tolist(), found.is_background.tolist()
    ([False, False, False, True], [True, True, False, False])
    """
    return Classes(valid & hotspots(truth, valid), valid & background(truth, valid))


def score(retrieved: Float, truth: Float, valid: Bool, classes: Classes | None = None) -> Score:
    """Score one product on the valid pixels.

    Parameters
    ----------
    retrieved, truth : ndarray
        Tropospheric columns [mol m-2].
    valid : ndarray of bool
        Pixels that count, the same for every product.
    classes : Classes, optional
        Hotspots and background of the whole scene, where `valid` is a stratum of it.
    """
    classes = classes or classify(truth, valid)
    got = retrieved[valid].astype(np.float64) * MOLEC_CM2_PER_MOL_M2
    true = truth[valid].astype(np.float64) * MOLEC_CM2_PER_MOL_M2
    if got.size == 0:
        return Score(*(float("nan"),) * 5, n=0)
    difference = got - true
    spread = true - true.mean()
    variance = float((spread**2).sum())
    slope = float((spread * got).sum() / variance) if variance > 0 else float("nan")
    return Score(
        bias=float(difference.mean()),
        rmse=float(np.sqrt((difference**2).mean())),
        slope=slope,
        hotspot_bias_percent=_bias_percent(retrieved, truth, classes.is_hotspot & valid),
        background_bias_percent=_bias_percent(retrieved, truth, classes.is_background & valid),
        n=int(got.size),
    )


def _bias_percent(retrieved: Float, truth: Float, chosen: Bool) -> float:
    true = truth[chosen].astype(np.float64).mean() if chosen.any() else 0.0
    if true == 0.0:
        return float("nan")
    return float(100.0 * (retrieved[chosen].astype(np.float64).mean() / true - 1.0))


def stratified_scores(
    retrieved: Mapping[str, Float],
    truth: Float,
    valid: Bool,
    *,
    cloud_radiance_fraction: Float,
    solar_zenith_angle: Float,
    is_land: Bool,
) -> dict[str, dict[str, Score]]:
    """Score products by cloud radiance fraction, sun angle, land and sea.

    Returns
    -------
    dict
        Stratum to product to score; hotspots and background are those of the whole scene.
    """
    of_scene = classify(truth, valid)
    strata = {LAND: is_land, SEA: ~is_land}
    strata |= classes(CLOUD, cloud_radiance_fraction, CLOUD_CLASSES)
    strata |= classes(SUN, solar_zenith_angle, SUN_CLASSES)
    return {
        name: {
            product: score(values, truth, valid & inside, of_scene)
            for product, values in retrieved.items()
        }
        for name, inside in strata.items()
        if (valid & inside).any()
    }
