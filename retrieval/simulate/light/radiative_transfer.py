r"""Reflectance and box air mass factors of a Rayleigh atmosphere over a Lambertian surface.

Scalar, plane-parallel, azimuth mean (exact for nadir view), successive orders of scattering with
twelve streams; no aerosol, no Raman scattering (docs/equations.md 10.1). The surface enters in
closed form, so a black surface is all that has to be solved:

.. math::

    R(\mu_0, \mu) = R_b(\mu_0, \mu) + \frac{A\,T(\mu_0)\,T(\mu)}{1 - A S}

with :math:`R_b` the reflectance over a black surface, T the total transmittance (direct and
diffuse; by reciprocity the same up and down) and S the spherical albedo seen from below. Box air
mass factors are the sensitivities :math:`m_l = -\partial \ln R / \partial \tau_l` to a thin
absorber in layer l.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from retrieval.physics.constants import STANDARD_PRESSURE

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from retrieval.typing import Float

RAYLEIGH_OPTICAL_DEPTH = 0.248
"""Of the whole atmosphere at 1013.25 hPa and 437.5 nm (Nicolet 1984)."""

N_STREAM = 12
MAX_ORDER = 60
CONVERGENCE = 1e-11
ABSORPTION_STEP = 1e-4
"""Optical depth of the finite difference; central differences leave an error of 1e-8."""


@dataclass(frozen=True)
class BlackSurface:
    """Solution over a black surface for a batch of atmospheres.

    Attributes
    ----------
    reflectance : ndarray, shape (..., n_sun, n_view)
        pi I / (mu0 F) at the top.
    transmittance : ndarray, shape (..., n_sun)
        Direct and diffuse flux at the surface over the incoming one.
    plane_albedo : ndarray, shape (..., n_sun)
        Reflected flux at the top over the incoming one.
    spherical_albedo : ndarray, shape (...)
        Share of isotropic light from below that comes back to the surface.
    """

    reflectance: Float
    transmittance: Float
    plane_albedo: Float
    spherical_albedo: Float


def phase_function(mu: Float, mu_in: ArrayLike) -> Float:
    """Azimuth-mean Rayleigh phase function; its mean over mu_in from -1 to 1 is 1.

    Examples
    --------
    >>> x, w = np.polynomial.legendre.leggauss(8)
    >>> round(float((0.5 * w * phase_function(np.float64(0.3), x)).sum()), 12)
    1.0
    """
    squared = np.square(np.asarray(mu_in, dtype=np.float64))
    return np.asarray(3.0 / 8.0 * ((3.0 - mu**2) + (3.0 * mu**2 - 1.0) * squared))


def single_scattering(mu_sun: Float, mu_view: Float, surface_pressure: Float) -> Float:
    """Reflectance of singly scattered light over a black surface, P0 (1 - e^(-tau M)) / 4(mu0+mu).

    Smooth in all arguments and near the full solution, hence what tables are normalised by.
    """
    depth = RAYLEIGH_OPTICAL_DEPTH * surface_pressure / STANDARD_PRESSURE
    slant = -np.expm1(-depth * (1.0 / mu_sun + 1.0 / mu_view))
    return np.asarray(phase_function(mu_view, mu_sun) * slant / (4.0 * (mu_sun + mu_view)))


def solve(scattering: Float, absorption: Float, mu_sun: Float, mu_view: Float) -> BlackSurface:
    """Solve a batch of layered atmospheres over a black surface.

    Parameters
    ----------
    scattering, absorption : ndarray, shape (batch, layer)
        Optical depths of the layers, top first.
    mu_sun, mu_view : ndarray, shape (n_sun,), (n_view,)
        Cosines of the zenith angles.

    Returns
    -------
    BlackSurface
        Leading shape (batch,).
    """
    nodes, weights = _streams(mu_view)
    optical_depth = scattering + absorption
    albedo = np.divide(
        scattering, optical_depth, out=np.zeros_like(scattering), where=scattering > 0
    )
    tau = np.concatenate(
        [np.zeros((len(optical_depth), 1)), np.cumsum(optical_depth, axis=1)], axis=1
    )
    slab = _Slab(optical_depth, albedo, nodes, weights)
    # sunlight: mean of the direct beam over each layer, for every sun
    sun = mu_sun[None, :, None]
    beam = np.exp(-tau[:, None, :] / sun)
    mean_beam = (beam[..., :-1] - beam[..., 1:]) * sun / optical_depth[:, None, :]
    source = (
        0.25 * (albedo[:, None, :] * mean_beam)[..., None] * phase_function(nodes, sun[..., None])
    )
    up, down = slab.scatter(source)
    # the incoming irradiance is pi: a radiance of mu0 at the top is a reflectance of 1
    reflectance = up[..., N_STREAM:] / sun
    flux_up = 2.0 * (up * nodes * weights).sum(axis=-1)
    flux_down = 2.0 * (down * nodes * weights).sum(axis=-1)
    transmittance = beam[..., -1] + flux_down / mu_sun
    return BlackSurface(
        reflectance,
        transmittance,
        flux_up / mu_sun,
        slab.spherical_albedo(),
    )


def _streams(mu_view: Float) -> tuple[Float, Float]:
    """Gauss points on (0, 1) with their weights, then the views with weight zero."""
    x, w = np.polynomial.legendre.leggauss(N_STREAM)
    nodes = np.concatenate([0.5 * (x + 1.0), mu_view])
    weights = np.concatenate([0.5 * w, np.zeros(mu_view.size)])
    return nodes, weights


class _Slab:
    """Scattering in a batch of layered slabs; sources are constant within a layer."""

    def __init__(self, optical_depth: Float, albedo: Float, nodes: Float, weights: Float) -> None:
        self._albedo = albedo[:, None, :, None]
        self._decay = np.exp(-optical_depth[:, None, :, None] / nodes)
        self._ratio = nodes / np.maximum(optical_depth, 1e-30)[:, None, :, None]
        self._kernel = (0.5 * phase_function(nodes[:, None], nodes) * weights).T
        self._nodes, self._weights = nodes, weights
        self._n_layer = optical_depth.shape[1]

    def scatter(self, source: Float, from_below: float = 0.0) -> tuple[Float, Float]:
        """Sum the orders of scattering of a source (batch, n_sun, layer, stream).

        Returns the radiance upward at the top and downward at the bottom. `from_below` is an
        isotropic radiance entering at the bottom in the first order.
        """
        shape = (*source.shape[:2], source.shape[-1])
        total_up, total_down = np.zeros(shape), np.zeros(shape)
        entering = np.full(shape, from_below)
        for _ in range(MAX_ORDER):
            up, down, mean = self._sweep(source, entering)
            total_up += up
            total_down += down
            source = self._albedo * (mean @ self._kernel)
            entering = np.zeros(shape)
            if max(up.max(), down.max()) < CONVERGENCE:
                break
        return total_up, total_down

    def _sweep(self, source: Float, entering: Float) -> tuple[Float, Float, Float]:
        """Carry light down and up once; return both ends and the sum of the layer means."""
        gain = source * (1.0 - self._decay)
        mean = 2.0 * source
        down = np.zeros_like(entering)
        for i in range(self._n_layer):
            lost = (1.0 - self._decay[:, :, i]) * self._ratio[:, :, i]
            mean[:, :, i] += (down - source[:, :, i]) * lost
            down = down * self._decay[:, :, i] + gain[:, :, i]
        up = entering
        for i in range(self._n_layer - 1, -1, -1):
            lost = (1.0 - self._decay[:, :, i]) * self._ratio[:, :, i]
            mean[:, :, i] += (up - source[:, :, i]) * lost
            up = up * self._decay[:, :, i] + gain[:, :, i]
        return up, down, mean

    def spherical_albedo(self) -> Float:
        """Flux that comes back down when isotropic light of radiance 1 enters from below."""
        n_batch, _, n_layer, n_stream = self._decay.shape
        _, down = self.scatter(np.zeros((n_batch, 1, n_layer, n_stream)), from_below=1.0)
        return np.asarray(2.0 * (down[:, 0] * self._nodes * self._weights).sum(axis=-1))


def with_surface(
    black: Float, transmittance_product: Float, spherical_albedo: Float, albedo: ArrayLike
) -> Float:
    """Reflectance over a Lambertian surface, R_b + A T T' / (1 - A S)."""
    a = np.asarray(albedo, dtype=np.float64)
    return np.asarray(black + a * transmittance_product / (1.0 - a * spherical_albedo))


@dataclass(frozen=True)
class Sensitivity:
    """Black-surface solution of one atmosphere and its derivatives to absorption in each layer.

    Shapes: reflectance (n_sun, n_view), transmittance (n_sun,), transmittance_view (n_view,),
    spherical_albedo (); derivatives with a trailing (layer,), per unit optical depth.
    """

    reflectance: Float
    transmittance: Float
    transmittance_view: Float
    spherical_albedo: Float
    d_reflectance: Float
    d_transmittance: Float
    d_transmittance_view: Float
    d_spherical_albedo: Float


def sensitivity(pressure_edges: Float, mu_sun: Float, mu_view: Float) -> Sensitivity:
    """Solve one atmosphere and its response to a thin absorber in each layer.

    Parameters
    ----------
    pressure_edges : ndarray, shape (layer + 1,)
        Layer interfaces [Pa], top first, from 0 to the surface.
    mu_sun, mu_view : ndarray
        Cosines of the zenith angles.
    """
    scattering = RAYLEIGH_OPTICAL_DEPTH * np.diff(pressure_edges) / STANDARD_PRESSURE
    n_layer = scattering.size
    steps = ABSORPTION_STEP * np.concatenate(
        [np.zeros((1, n_layer)), np.eye(n_layer), -np.eye(n_layer)]
    )
    # suns that are views as well give the transmittance of the views by reciprocity
    suns = np.concatenate([mu_sun, mu_view])
    found = solve(np.broadcast_to(scattering, steps.shape).copy(), steps, suns, mu_view)
    n_sun = mu_sun.size

    def derivative(values: Float) -> Float:
        plus, minus = values[1 : n_layer + 1], values[n_layer + 1 :]
        return np.moveaxis((plus - minus) / (2.0 * ABSORPTION_STEP), 0, -1)

    return Sensitivity(
        found.reflectance[0, :n_sun],
        found.transmittance[0, :n_sun],
        found.transmittance[0, n_sun:],
        found.spherical_albedo[0],
        derivative(found.reflectance[:, :n_sun]),
        derivative(found.transmittance[:, :n_sun]),
        derivative(found.transmittance[:, n_sun:]),
        derivative(found.spherical_albedo),
    )


def reflectance_and_box_amf(found: Sensitivity, albedo: float) -> tuple[Float, Float]:
    """Reflectance (n_sun, n_view) and layer box air mass factors (n_sun, n_view, layer)."""
    t0, t = found.transmittance[:, None], found.transmittance_view[None, :]
    d_t0, d_t = found.d_transmittance[:, None, :], found.d_transmittance_view[None, :, :]
    gain = 1.0 / (1.0 - albedo * found.spherical_albedo)
    reflectance = with_surface(found.reflectance, t0 * t, found.spherical_albedo, albedo)
    change = (
        found.d_reflectance
        + albedo * gain * (d_t0 * t[..., None] + t0[..., None] * d_t)
        + (albedo * gain) ** 2 * (t0 * t)[..., None] * found.d_spherical_albedo
    )
    return reflectance, -change / reflectance[..., None]
