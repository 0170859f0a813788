"""Atmospheres from model temperatures: on model layers and on pressure levels."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from retrieval.apriori.meteorology import open_meteo
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.pixels import Geometry
from retrieval.physics.constants import GAS_CONSTANT_DRY_AIR, GRAVITY
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.physics.levels import HybridLayers, PressureLevels, Quantity
from retrieval.physics.time_rules import TimeRule
from retrieval.substitution.atmosphere import MeteoCollocator
from retrieval.substitution.substitute import substitute
from tests.builders.array_sets import TM5_LAYERS, URBAN, array_set
from tests.builders.files import build_workspace
from tests.builders.orbit_builder import build_orbit

TIMES = np.array(["2019-06-26T12:00", "2019-06-26T13:00"], dtype="datetime64[ms]")
PRESSURES = np.array([100000.0, 92500.0, 85000.0, 70000.0, 50000.0, 30000.0, 10000.0])
EDGES = np.array([[100500.0, 95000.0, 80000.0, 60000.0, 40000.0, 20000.0, 0.0]])


@dataclass
class FakeMeteo:
    """Temperatures given by functions of place, for two hours."""

    vertical: object
    temperature: np.ndarray
    humidity: np.ndarray | None = None
    times: np.ndarray = field(default_factory=lambda: TIMES)
    time_rule: TimeRule = TimeRule.LINEAR
    grid: RectilinearGrid = field(
        default_factory=lambda: RectilinearGrid.from_centres(
            np.arange(0.0, 5.0), np.arange(46.0, 51.0)
        )
    )
    kind: str = "fake"
    files: list = field(default_factory=lambda: [Path("fake.nc")])

    def read_temperature(self, i_time, rows, columns):
        return self._field(self.temperature[i_time])[:, rows, columns]

    def read_humidity(self, i_time, rows, columns):
        if self.humidity is None:
            return None
        return self._field(self.humidity[i_time])[:, rows, columns]

    def _field(self, profile):
        n_y, n_x = self.grid.shape
        return np.broadcast_to(profile[:, None, None], (profile.size, n_y, n_x)).copy()


def geometry(latitude=48.3, longitude=2.2):
    offsets = np.array([[-0.03, 0.03, 0.03, -0.03]])
    return Geometry(
        np.array([latitude]),
        np.array([longitude]),
        latitude + offsets[:, [0, 0, 2, 2]] * [1, 1, 1, 1],
        longitude + offsets,
        np.zeros(1, dtype=np.intp),
    )


def collocator(meteo, at="2019-06-26T12:30"):
    place = geometry()
    outline = (place.latitude_bounds, place.longitude_bounds)
    return MeteoCollocator(meteo, np.array([at], dtype="datetime64[ms]"), outline)


def layer_temperatures(atmosphere, edges=EDGES):
    """Virtual temperature that each layer's thickness implies."""
    log_p = np.log(np.maximum(edges, 1e-3))
    return np.diff(atmosphere.height_edges) * GRAVITY / GAS_CONSTANT_DRY_AIR / -np.diff(log_p)


def test_model_layers_of_the_retrieval_keep_their_temperature():
    """On the retrieval's own layers each temperature arrives as it is, linear in time."""
    a, b = EDGES[0] - EDGES[0] / 100500.0 * 50000.0, EDGES[0] / 100500.0 * 50000.0 / 100500.0
    profile = np.array([290.0, 280.0, 265.0, 245.0, 225.0, 215.0])
    meteo = FakeMeteo(HybridLayers(a, b), np.stack([profile, profile + 2.0]))
    atmosphere = collocator(meteo).atmosphere(geometry(), np.array([100500.0]), EDGES)
    # columns_from_hybrid sums and differences the profile: float64 round-off of the whole column
    np.testing.assert_allclose(layer_temperatures(atmosphere)[0], profile + 1.0, rtol=1e-9)


def test_pressure_levels_are_linear_in_ln_p_at_layer_middles():
    """ERA5 temperatures equal np.interp in ln p at the mean of a layer's interfaces."""
    profile = np.array([291.0, 286.0, 281.0, 271.0, 252.0, 229.0, 212.0])
    humidity = np.array([9e-3, 7e-3, 5e-3, 2e-3, 5e-4, 5e-5, 0.0])
    meteo = FakeMeteo(PressureLevels(PRESSURES), np.stack([profile] * 2), np.stack([humidity] * 2))
    atmosphere = collocator(meteo).atmosphere(geometry(), np.array([100500.0]), EDGES)
    middle = 0.5 * (EDGES[0, 1:] + EDGES[0, :-1])
    virtual = profile * (1 + 0.608 * humidity)
    expected = np.interp(np.log(middle), np.log(PRESSURES[::-1]), virtual[::-1])
    np.testing.assert_allclose(layer_temperatures(atmosphere)[0], expected, rtol=1e-6)  # float32


def test_levels_below_ground_are_not_used():
    """Over a mountain the lowest level above ground is held to the ground."""
    profile = np.array([400.0, 400.0, 281.0, 271.0, 252.0, 229.0, 212.0])  # nonsense below ground
    meteo = FakeMeteo(PressureLevels(PRESSURES), np.stack([profile] * 2))
    edges = EDGES * 0.9
    atmosphere = collocator(meteo).atmosphere(geometry(), np.array([90450.0]), edges)
    found = layer_temperatures(atmosphere, edges)[0]
    assert found.max() <= 281.0 + 1e-3  # float32 input
    assert found[0] == pytest.approx(281.0, rel=1e-6)  # float32 input


def test_negative_humidities_of_packing_count_as_dry():
    """A humidity a little below zero does not lower the virtual temperature."""
    profile = np.full(PRESSURES.size, 250.0)
    dry = FakeMeteo(PressureLevels(PRESSURES), np.stack([profile] * 2))
    packed = FakeMeteo(
        PressureLevels(PRESSURES), np.stack([profile] * 2), np.full((2, PRESSURES.size), -1e-4)
    )
    heights = [
        collocator(m).atmosphere(geometry(), np.array([100500.0]), EDGES).height_edges
        for m in (dry, packed)
    ]
    np.testing.assert_array_equal(*heights)


def test_an_hour_before_the_first_field_takes_the_nearest_one():
    """A delivery that does not enclose the orbit serves it within half a step."""
    profile = np.full(PRESSURES.size, 250.0)
    meteo = FakeMeteo(PressureLevels(PRESSURES), np.stack([profile, profile + 10.0]))
    near = collocator(meteo, "2019-06-26T11:40")
    found = near.atmosphere(geometry(), np.array([100500.0]), EDGES)
    np.testing.assert_allclose(layer_temperatures(found), 250.0, rtol=1e-6)  # float32 input
    far = collocator(meteo, "2019-06-26T11:20")
    missing = far.atmosphere(geometry(), np.array([100500.0]), EDGES)
    assert np.isnan(missing.height_edges[0, 1:]).all()
    assert missing.is_missing.tolist() == [True]


def test_pixels_beyond_the_meteorology_have_no_atmosphere():
    """Nothing is extrapolated: a pixel outside has no temperature, and is told."""
    profile = np.full(PRESSURES.size, 250.0)
    meteo = FakeMeteo(PressureLevels(PRESSURES), np.stack([profile] * 2))
    found = collocator(meteo)
    atmosphere = found.atmosphere(geometry(latitude=52.0), np.array([100500.0]), EDGES)
    assert np.isnan(atmosphere.height_edges[0, 1:]).all()
    assert atmosphere.is_missing.tolist() == [True]
    inside = found.atmosphere(geometry(), np.array([100500.0]), EDGES)
    assert inside.is_missing.tolist() == [False]


def test_only_sets_that_need_a_temperature_are_told_of_one_that_is_missing(tmp_path, caplog):
    """Mixing ratios on hybrid layers are computed without; the count is that of flag 8."""
    orbit = build_orbit(tmp_path, n_scanline=12, n_ground_pixel=12)
    profile = np.full(PRESSURES.size, 250.0)
    west = RectilinearGrid.from_centres(np.arange(0.0, 2.3, 0.2), np.arange(46.0, 51.0))
    meteo = FakeMeteo(PressureLevels(PRESSURES), np.stack([profile] * 2), grid=west)
    sets = {
        "a": array_set(URBAN),
        "b": array_set(np.full(34, 5e-11), vertical=TM5_LAYERS, quantity=Quantity.MOLE_FRACTION),
    }
    with open_orbit(orbit.path) as opened:
        result, _ = substitute(opened, sets, meteo=meteo)
    lost, whole = ((fields.substitution_flag == 8).sum() for fields in result.sets)
    assert lost > 0
    assert whole == 0
    found = [one.getMessage() for one in caplog.records if "temperature" in one.getMessage()]
    assert found == [
        f"meteo has no temperature at {lost} pixels of set A: they are not computed (flag 8)"
    ]


def test_ctmana_as_meteo_changes_columns_little(tmp_path):
    """Model temperatures instead of the standard ones move V' by a few percent at most."""
    from retrieval.apriori.registry import open_apriori

    work = build_workspace(tmp_path)
    with open_orbit(work.orbit) as orbit:
        sets = {"a": open_apriori(work.profiles)}
        around = orbit.scanline_times(orbit.full)[0]
        plain, _ = substitute(orbit, sets)
        warm, _ = substitute(orbit, sets, meteo=open_meteo(work.ctm, around))
    ratio = (
        warm.sets[0].air_mass_factor_troposphere / plain.sets[0].air_mass_factor_troposphere - 1.0
    )
    # docs/equations.md 3.2: 15 K move V' by 0.5 to 1.1 percent; the builder's air is up to 25 K
    # warmer
    assert 0.0 < np.nanmedian(np.abs(ratio)) < 0.02
    assert np.nanmax(np.abs(ratio)) < 0.05


@pytest.mark.real
def test_real_era5_gives_real_heights(real_file):
    """Over Matimba the 700 hPa surface of ERA5 lies at its geopotential height."""
    import xarray as xr

    path = real_file("Matimba_ERA5-pl-20210725.nc")
    with xr.open_dataset(path) as dataset:
        names = set(dataset.variables)
        time = dataset["valid_time"].values[min(11, dataset.sizes["valid_time"] - 1)]
        at = dataset.sel(valid_time=time).isel(latitude=2, longitude=2)
        levels = at["pressure_level"].values * 100.0
        temperature = at["t"].values
        latitude, longitude = float(at["latitude"]), float(at["longitude"])
        geopotential = at["z"].values if "z" in names else None
    edges = np.sort(np.append(levels, [0.0]))[::-1][None, :]
    meteo = open_meteo(path, time)
    place = geometry(latitude, longitude)
    found = MeteoCollocator(
        meteo,
        np.array([time]).astype("datetime64[ms]"),
        (place.latitude_bounds, place.longitude_bounds),
    ).atmosphere(place, edges[:, 0], edges)
    thickness = found.height_at(np.array([[70000.0]]))[0, 0]
    between = levels >= 70000.0
    order = np.argsort(levels[between])[::-1]
    p, t = levels[between][order], temperature[between][order]
    # trapezoid in ln p of the dry temperature, within the humidity's effect of one percent
    expected = np.sum(0.5 * (t[1:] + t[:-1]) * -np.diff(np.log(p))) * GAS_CONSTANT_DRY_AIR / GRAVITY
    if geopotential is not None:
        z = geopotential / GRAVITY
        expected = z[np.argmin(np.abs(levels - 70000.0))] - z[np.argmax(levels)]
    assert thickness == pytest.approx(expected, rel=0.01)
