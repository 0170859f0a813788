"""Weather as an analysis like ERA5 has it: the true one, with winds that err.

The errors are travelling fields without divergence, the rotated gradient of a stream function,
so that they look like misplaced lows and fronts. They are as large as those of ERA5's low winds:
root mean square differences from masts and aircraft are 1.2 to 2 m/s a component [1]_, [2]_. What
else the analysis says (temperature, boundary layer, clouds) is true.

References
----------
.. [1] Hersbach, H., et al. (2020), The ERA5 global reanalysis, Quarterly Journal of the Royal
   Meteorological Society 146, 1999-2049, doi:10.1002/qj.3803.
.. [2] Ramon, J., et al. (2019), What global reanalysis best represents near-surface winds?,
   Quarterly Journal of the Royal Meteorological Society 145, 3236-3251, doi:10.1002/qj.3616.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dacno2_s5p.twin.weather.modes import FieldSpec, TravellingFields
from dacno2_s5p.twin.weather.upper_air import LEVELS, UpperAir, pressure_levels
from retrieval.physics.constants import GRAVITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dacno2_s5p.twin.land.site import Site
    from dacno2_s5p.twin.weather.weather import SurfaceWeather, Weather

WIND_ERROR = 1.5
"""Standard deviation of each component's error [m s-1]."""

LOW, HIGH = range(2)
STREAM = FieldSpec(350e3, 1500e3, 1.0, (0.0, 0.0), 21.0)
"""Stream function: winds that correlate by 1/e over about 200 km and 12 h."""

BAND = (350e3, 1500e3)
"""Wavelengths of the errors [m]."""

CHANGE_HEIGHT = 4000.0
"""Height above ground where the error of the high winds has replaced that of the low ones [m]."""

VALLEY_HEIGHT = 1500.0
"""Height above ground up to which valleys matter [m]."""

VALLEY_GROWTH = 0.5
"""Relative growth of the error where the terrain takes all of the wind."""


class Reanalysis:
    """What an analysis says of a twin world's weather.

    Parameters
    ----------
    weather : Weather
        The true weather.
    seed : int
        Seed of the world.
    winds_err : bool
        Whether winds differ from the true ones; without, everything is an exact sample.
    """

    def __init__(self, weather: Weather, seed: int, winds_err: bool) -> None:
        self.weather = weather
        self.winds_err = winds_err
        self._waves = TravellingFields((STREAM, STREAM), seed, stream=7, n_wave=96, band=BAND)

    def surface(self, times: NDArray[np.datetime64], site: Site) -> SurfaceWeather:
        """Return the weather of `Weather.evaluate` with the analysed 10 m wind."""
        true = self.weather.evaluate(times, site)
        if not self.winds_err:
            return true
        x, y, _ = self._errors(LOW, times, site)
        valley = _valley(np.zeros(site.points.shape), site)
        return replace(true, u10=true.u10 + valley * x, v10=true.v10 + valley * y)

    def levels(
        self, weather: SurfaceWeather, hour: int, site: Site, levels: Sequence[int] = LEVELS
    ) -> UpperAir:
        """Return the levels of `pressure_levels` with the analysed wind and its vorticity."""
        air = pressure_levels(weather, hour, site, levels)
        if not self.winds_err:
            return air
        times = weather.times[hour : hour + 1]
        above = np.maximum(air.z / np.float32(GRAVITY) - site.elevation, 0.0)
        turn = 0.5 * np.pi * np.clip(above / CHANGE_HEIGHT, 0.0, 1.0)
        low, high = np.cos(turn), np.sin(turn)
        valley = _valley(above, site)
        below, aloft = (self._errors(i, times, site) for i in (LOW, HIGH))
        x, y, curl = (low * a + high * b for a, b in zip(below, aloft, strict=True))
        return air._replace(
            u=np.asarray(air.u + valley * x, np.float32),
            v=np.asarray(air.v + valley * y, np.float32),
            vo=np.asarray(air.vo + valley * curl, np.float32),
        )

    def _errors(
        self, i_field: int, times: NDArray[np.datetime64], site: Site
    ) -> tuple[NDArray[np.float32], ...]:
        """Error along x and y [m s-1] and its vorticity [s-1], each (n_time, *site)."""
        waves = self._waves
        stream = waves.amplitudes(i_field, times)
        along_x, along_y = waves.gradient(stream)
        square = (waves.weights(i_field) ** 2 * (waves.k**2).sum(axis=1)).sum()
        scale = WIND_ERROR / np.sqrt(0.5 * square)
        parts = waves.evaluate(
            [-scale * along_y, scale * along_x, scale * waves.laplacian(stream)], site.points
        )
        return tuple(parts)


def _valley(above: NDArray[np.floating], site: Site) -> NDArray[np.float32]:
    """Factor of the error at heights above ground [m]: larger in the shelter of valleys."""
    near = np.clip(1.0 - above / VALLEY_HEIGHT, 0.0, 1.0)
    return np.asarray(1.0 + VALLEY_GROWTH * near * (1.0 - site.shelter), np.float32)
