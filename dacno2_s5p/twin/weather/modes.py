"""Random fields that travel: plane waves with slowly changing seeded amplitudes.

A field at time t needs the noise of a few days around t only, so any date is reached at once and
is the same whether or not the days before it were computed.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.land.world import child_seed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.world import Points

EPOCH = np.datetime64("2018-01-01T00:00:00", "s")
"""Origin of the absolute time of all random processes."""

KEPT_BASES = 4
"""Sets of points whose waves are kept."""

CENTRE = (3_664_000.0, 2_816_000.0)
"""Origin of the waves' phases [m], the middle of the domain."""


@dataclass(frozen=True)
class FieldSpec:
    """Statistics of one travelling field of unit variance.

    Attributes
    ----------
    shortest, longest : float
        Band of wavelengths [m].
    slope : float
        Amplitude grows as wavelength ** slope: large slopes give smooth fields.
    drift : tuple of float
        Velocity of the waves along x and y [m s-1].
    memory : float
        Correlation time of the waves 2000 km long [h]; that of others scales with the square
        root of the wavelength.
    """

    shortest: float
    longest: float
    slope: float
    drift: tuple[float, float] = (8.0, -1.0)
    memory: float = 30.0


def hours_since_epoch(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Absolute time of the random processes [h]."""
    return np.asarray((times.astype("datetime64[s]") - EPOCH) / np.timedelta64(1, "s")) / 3600.0


def smooth_noise(
    hours: NDArray[np.float64], spacing: float, width: int, seed: int, *path: int
) -> NDArray[np.float64]:
    """Stationary Gaussian noise of unit variance, shape (n_hour, width), at any time.

    Seeded values at nodes `spacing` hours apart are joined by the cubic B-spline and divided by
    the standard deviation that the spline leaves at each time.
    """
    position = hours / spacing
    first = np.floor(position).astype(np.int64)
    nodes = np.arange(first.min() - 1, first.max() + 3)
    # a node's number may be negative before the epoch; seeds may not
    values = np.stack(
        [child_seed(seed, *path, int(n) + 1_000_000).standard_normal(width) for n in nodes]
    )
    s = position - first
    weights = np.stack(
        [(1 - s) ** 3, 3 * s**3 - 6 * s**2 + 4, -3 * s**3 + 3 * s**2 + 3 * s + 1, s**3]
    )
    weights /= np.sqrt((weights**2).sum(axis=0))
    start = first - 1 - nodes[0]
    return np.asarray(sum(weights[i][:, None] * values[start + i] for i in range(4)))


class WaveBasis:
    """Cosines and sines of all waves at fixed points, evaluated once."""

    def __init__(self, k: NDArray[np.float64], points: Points) -> None:
        x = (points.x.ravel() - CENTRE[0])[:, None]
        y = (points.y.ravel() - CENTRE[1])[:, None]
        phase = x * k[None, :, 0] + y * k[None, :, 1]
        self.shape = points.shape
        self.matrix = np.concatenate([np.cos(phase), np.sin(phase)], axis=1).astype(np.float32)


class TravellingFields:
    """A set of independent travelling fields that share their wave vectors.

    Parameters
    ----------
    specs : sequence of FieldSpec
        One for each field.
    seed : int
        Seed of the world.
    stream : int
        Number that keeps sets apart.
    n_wave : int
        Number of waves.
    band : tuple of float
        Shortest and longest wavelength of all fields [m].
    """

    def __init__(
        self,
        specs: Sequence[FieldSpec],
        seed: int,
        stream: int,
        n_wave: int = 224,
        band: tuple[float, float] = (180e3, 7000e3),
    ) -> None:
        rng = child_seed(seed, 41, stream)
        fraction = (np.arange(n_wave) + rng.random(n_wave)) / n_wave
        self.wavelength = band[0] * (band[1] / band[0]) ** fraction
        angle = rng.uniform(0.0, 2.0 * np.pi, n_wave)
        k = 2.0 * np.pi / self.wavelength
        self.k = np.column_stack([k * np.cos(angle), k * np.sin(angle)])
        self.specs = tuple(specs)
        self._seed = (seed, 42, stream)
        self._bases: OrderedDict[int, tuple[Points, WaveBasis]] = OrderedDict()

    def basis(self, points: Points) -> WaveBasis:
        """Waves at the points, kept for further calls with the same object."""
        key = id(points)
        if key not in self._bases:
            self._bases[key] = (points, WaveBasis(self.k, points))
            while len(self._bases) > KEPT_BASES:
                self._bases.popitem(last=False)
        return self._bases[key][1]

    def weights(self, i_field: int) -> NDArray[np.float64]:
        """Return the standard deviation of each wave, shape (n_wave,); squares sum to 1."""
        spec = self.specs[i_field]
        inside = (self.wavelength >= spec.shortest) & (self.wavelength <= spec.longest)
        scale = np.where(inside, (self.wavelength / 1e6) ** spec.slope, 0.0)
        scale /= np.sqrt((scale**2).sum())
        return np.asarray(scale)

    def amplitudes(self, i_field: int, times: NDArray[np.datetime64]) -> NDArray[np.complex128]:
        """Complex amplitudes of one field, shape (n_time, n_wave): Re(sum a exp(i k.x))."""
        spec = self.specs[i_field]
        scale = self.weights(i_field)
        hours = hours_since_epoch(times)
        memory = spec.memory * np.sqrt(self.wavelength / 2e6)
        amplitude = np.empty((hours.size, self.wavelength.size), np.complex128)
        # three classes of node spacing: enough, and few seeds to draw
        edges = np.quantile(memory, [0.0, 1 / 3, 2 / 3, 1.0])
        group = np.clip(np.searchsorted(edges, memory, side="right") - 1, 0, 2)
        for i in range(3):
            members = np.flatnonzero(group == i)
            spacing = float(memory[members].mean()) / 1.5
            noise = smooth_noise(hours, spacing, 2 * members.size, *self._seed, i_field, i)
            amplitude[:, members] = noise[:, : members.size] + 1j * noise[:, members.size :]
        drift = self.k @ np.asarray(spec.drift)
        turn = np.exp(-1j * drift[None, :] * hours[:, None] * 3600.0)
        return np.asarray(amplitude * turn * scale)

    def evaluate(
        self, amplitudes: Sequence[NDArray[np.complex128]], points: Points
    ) -> list[NDArray[np.float32]]:
        """Sum the waves for several sets of amplitudes at once; each (n_time, *shape)."""
        basis = self.basis(points)
        stacked = np.concatenate(list(amplitudes), axis=0)
        columns = np.concatenate([stacked.real, -stacked.imag], axis=1).astype(np.float32)
        field = (basis.matrix @ columns.T).T
        sizes = np.cumsum([len(a) for a in amplitudes])[:-1]
        return [part.reshape(len(part), *basis.shape) for part in np.split(field, sizes)]

    def gradient(
        self, amplitude: NDArray[np.complex128]
    ) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
        """Amplitudes of the derivatives along x and y [m-1]."""
        return 1j * self.k[:, 0] * amplitude, 1j * self.k[:, 1] * amplitude

    def laplacian(self, amplitude: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Amplitudes of the Laplacian [m-2]."""
        return np.asarray(-(self.k**2).sum(axis=1) * amplitude)
