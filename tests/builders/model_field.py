"""A model's field of NO2 on hybrid layers, the same everywhere, and what it gives a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from collections.abc import Sequence

N_LEVEL = 30
SURFACE = 101000.0
"""Surface pressure of the model [Pa], everywhere."""


def model_field(
    latitude: Sequence[float], longitude: Sequence[float], times: Sequence[str]
) -> tuple[xr.Dataset, np.ndarray, np.ndarray]:
    """Return a CF Dataset on an axis-aligned grid, its mole fractions, and its sigma-like edges.

    Parameters
    ----------
    latitude, longitude : sequence of float
        First and last centre [degrees].
    times : sequence of str
        UTC.

    Returns
    -------
    Dataset
        `no2` [mol mol-1] on hybrid layers.
    fraction : ndarray, shape (level,)
        Mole fractions, surface first.
    edges : ndarray, shape (2, level + 1)
        Coefficients `ap` [Pa] and `b` [1] of the interfaces.
    """
    level = np.linspace(1.0, 0.0, N_LEVEL + 1)
    ap, b = 5000.0 * level * (1 - level), level**1.4
    fraction = 2e-9 * np.exp(-4 * (1 - 0.5 * (level[1:] + level[:-1]))) + 3e-11
    shape = (len(times), N_LEVEL, 9, 11)
    values = np.broadcast_to(fraction[None, :, None, None], shape).copy()
    hybrid = {
        "standard_name": "atmosphere_hybrid_sigma_pressure_coordinate",
        "formula_terms": "ap: ap b: b ps: ps",
        "bounds": "lev_bnds",
    }
    flat = np.full((len(times), 9, 11), SURFACE)
    data = xr.Dataset(
        {
            "no2": (("time", "lev", "lat", "lon"), values, {"units": "mol mol-1"}),
            "ps": (("time", "lat", "lon"), flat, {"units": "Pa"}),
            "ap": ("lev", 0.5 * (ap[1:] + ap[:-1]), {"units": "Pa"}),
            "b": ("lev", 0.5 * (b[1:] + b[:-1]), {"units": "1"}),
            "ap_bnds": (("lev", "bnds"), np.stack([ap[:-1], ap[1:]], axis=1), {"units": "Pa"}),
            "b_bnds": (("lev", "bnds"), np.stack([b[:-1], b[1:]], axis=1), {"units": "1"}),
        },
        {
            "time": np.array(times, dtype="datetime64[ns]"),
            "lev": ("lev", np.arange(float(N_LEVEL)), hybrid),
            "lat": ("lat", np.linspace(*latitude, 9), {"units": "degrees_north"}),
            "lon": ("lon", np.linspace(*longitude, 11), {"units": "degrees_east"}),
            "lev_bnds": (
                ("lev", "bnds"),
                np.zeros((N_LEVEL, 2)),
                {"formula_terms": "ap: ap_bnds b: b_bnds ps: ps"},
            ),
        },
    )
    data.no2.attrs["standard_name"] = "mole_fraction_of_nitrogen_dioxide_in_air"
    return data, fraction, np.stack([ap, b])


def slow_amounts(fraction: np.ndarray, model: np.ndarray, pixel: np.ndarray) -> np.ndarray:
    """Amounts in a pixel's layers, one pair of layers after another, up to a common factor.

    The model's surface is moved to the pixel's.

    Parameters
    ----------
    fraction, model
        From `model_field`.
    pixel : ndarray, shape (layer + 1,)
        Interfaces of the pixel [Pa], surface first.
    """
    edges = model[0] + model[1] * pixel[0]
    amounts = np.zeros(pixel.size - 1)
    for k, value in enumerate(fraction):
        for n in range(amounts.size):
            low, high = min(edges[k], pixel[n]), max(edges[k + 1], pixel[n + 1])
            amounts[n] += value * max(0.0, low - high)
    return amounts
