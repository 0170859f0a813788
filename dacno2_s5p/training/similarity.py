"""Structural similarity of horizontal slices, each scaled to 0-1 first (section 2.4.1).

The mean, variances and covariance of SSIM are Gaussian blurs. A blur over the *valid* region is
a product with two banded matrices, one from each side: on the 64 x 64 slices of a patch a
tenth of the time of one-channel convolutions, and equal to pytorch-msssim (which is the oracle in
the tests; torchmetrics and kornia pad by reflection and differ in the second digit).
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

WINDOW = 11
"""Cells along the Gaussian window (Wang et al., 2004)."""

SIGMA = 1.5
"""Standard deviation of the Gaussian window [cells]."""

C1, C2 = 0.01**2, 0.03**2
"""(K1 L)^2 and (K2 L)^2 with the data range L = 1 of scaled slices."""

FLAT = 1e-6
"""Least range a slice is divided by, so that a constant field gives 0 and finite gradients."""


@lru_cache(maxsize=32)
def _blur_matrix(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the banded matrix (n - 10, n) of the Gaussian window."""
    offset = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    kernel = torch.exp(-(offset**2) / (2.0 * SIGMA**2))
    kernel /= kernel.sum()
    matrix = torch.zeros(n - WINDOW + 1, n, dtype=torch.float64)
    for row in range(n - WINDOW + 1):
        matrix[row, row : row + WINDOW] = kernel
    return matrix.to(device, dtype)


def scale_slices(field: Tensor) -> Tensor:
    """Scale each slice (..., H, W) to 0-1 by its own minimum and maximum.

    Gradients pass through minimum and maximum, so that the loss does not depend on offset and
    scale of a slice: it reflects structure only, as the paper intends.
    """
    low = field.amin(dim=(-2, -1), keepdim=True)
    high = field.amax(dim=(-2, -1), keepdim=True)
    return (field - low) / (high - low).clamp_min(FLAT)


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Mean SSIM of pairs of slices with values in 0-1.

    Parameters
    ----------
    first, second : Tensor, shape (..., H, W)
        Slices; H and W at least 11.

    Returns
    -------
    Tensor, shape (...)
        Mean over the valid region (H - 10) x (W - 10); population covariance.

    Raises
    ------
    ValueError
        If the slices are smaller than the window.

    References
    ----------
    .. [1] Wang, Z., et al.: Image quality assessment: from error visibility to structural
       similarity, IEEE T. Image Process., 13, 2004, doi:10.1109/TIP.2003.819861
    """
    height, width = first.shape[-2:]
    if min(height, width) < WINDOW:
        msg = (
            f"Invalid slices. SSIM needs at least {WINDOW} x {WINDOW} cells. Given {height} x "
            f"{width}. Choose a patch or crop of at least {4 * WINDOW} fine cells."
        )
        raise ValueError(msg)
    rows = _blur_matrix(height, first.dtype, first.device)
    columns = _blur_matrix(width, first.dtype, first.device)
    moments = torch.stack([first, second, first**2, second**2, first * second])
    mean_1, mean_2, square_1, square_2, product = rows @ moments @ columns.mT
    variance_1 = square_1 - mean_1**2
    variance_2 = square_2 - mean_2**2
    covariance = product - mean_1 * mean_2
    luminance = (2.0 * mean_1 * mean_2 + C1) / (mean_1**2 + mean_2**2 + C1)
    structure = (2.0 * covariance + C2) / (variance_1 + variance_2 + C2)
    mean: Tensor = (luminance * structure).mean(dim=(-2, -1))
    return mean


def dissimilarity(predicted: Tensor, reference: Tensor, flat_range: float) -> Tensor:
    """Sum of 1 - SSIM over slices scaled to 0-1, layer by layer.

    Slices whose *reference* hardly varies are left out: scaled to 0-1 they would be noise at
    full scale. They count as 0, so that the mean over a batch does not depend on how it is cut
    into micro-batches.

    Parameters
    ----------
    predicted, reference : Tensor, shape (B, n_level, H, W)
        Scaled NO2 on the CAMS grid.
    flat_range : float
        Least range of a reference slice [scaled units].

    Returns
    -------
    Tensor
        Sum over all B * n_level slices.
    """
    span = reference.amax(dim=(-2, -1)) - reference.amin(dim=(-2, -1))
    keep = span > flat_range
    if not bool(keep.any()):
        return predicted.sum() * 0.0
    similar = similarity(scale_slices(predicted[keep]), scale_slices(reference[keep]))
    return (1.0 - similar).sum()
