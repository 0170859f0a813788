"""Whole files in, whole file out: any valid orbit and set give the slow oracle's numbers."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.substitution.job import Job
from retrieval.substitution.options import Options
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.chain_oracle import columns_on_heights, footprint_mean
from tests.builders.world_files import ORBIT_TIMES, SET_TIMES, World, worlds

# a whole run takes half a second: few by default, 200 with HYPOTHESIS_PROFILE=many
EXAMPLES = max(4, settings.default.max_examples // 25)


def stored(path: Path) -> dict[str, np.ndarray]:
    """Read all variables of an orbit by name, NaN for fill, without the time dimension."""
    found: dict[str, np.ndarray] = {}

    def walk(group):
        for name, variable in group.variables.items():
            if variable.dtype is not str and variable.ndim > 2:
                values = np.ma.asarray(variable[0]).astype(float)
                found.setdefault(name, values.filled(np.nan))
        for child in group.groups.values():
            walk(child)

    with netCDF4.Dataset(path) as file:
        walk(file["PRODUCT"])
    return found


def check_pixel(values, pixel, field, grid, options):
    """Compare one pixel with quadrature and shapely."""
    surface = values["surface_pressure"][pixel]
    isa = 44330.77 * (1.0 - (surface / 101325.0) ** 0.190263)
    altitude = values["surface_altitude"][pixel] if "surface_altitude" in values else isa
    corners = (values[f"{name}_bounds"][pixel] for name in ("latitude", "longitude"))
    is_inclusive = options.tropopause == "inclusive"
    n_layer = int(values["tm5_tropopause_layer_index"][pixel]) + int(is_inclusive)
    top = options.merge_height or 5000.0
    profile = footprint_mean(field, grid, *corners)
    x = columns_on_heights(profile, surface, altitude, n_layer, options.above_vmr, top)
    weights = values["air_mass_factor_total"] * values["averaging_kernel"].T.swapaxes(1, 2)
    amf = (weights[(slice(0, n_layer), *pixel)] * x).sum() / x.sum()
    old = values["air_mass_factor_troposphere"][pixel]
    column = values["nitrogendioxide_tropospheric_column"][pixel] * old / amf
    close = {"rel": 2e-6}  # float32 in both files, and sums of some twenty products of them
    found = values["air_mass_factor_troposphere_X_apriori"][pixel]
    assert found == pytest.approx(amf, **close)
    found = values["nitrogendioxide_tropospheric_column_X_apriori"][pixel]
    assert found == pytest.approx(column, **close)
    assert values["apriori_tropospheric_column_X"][pixel] == pytest.approx(x.sum(), **close)


def check_world(world: World, folder: Path, options: Options) -> None:
    """Run a world through the whole chain and compare three pixels."""
    orbit, apriori = world.write(folder)
    reretrieve(orbit, Job(sets={"x": apriori}, options=options), folder / "out.nc")
    values = stored(folder / "out.nc")
    longitude, latitude = world.axes
    grid = RectilinearGrid.from_centres(longitude, latitude)
    done = np.argwhere(values["substitution_flag_X"] == 0)
    # every pixel of these orbits has a retrieval and lies well inside of the set
    assert len(done) == world.shape[0] * world.shape[1]
    rng = np.random.default_rng(world.seed)
    for pixel in rng.choice(done, 3):
        check_pixel(values, tuple(pixel), world.field(apriori), grid, options)


@st.composite
def choices(draw) -> Options:
    """Options that change the numbers."""
    return Options(
        above_vmr=draw(st.sampled_from([30.0, 60.0])),
        merge_height=draw(st.sampled_from([None, 2500.0])),
        tropopause=draw(st.sampled_from(["inclusive", "exclusive"])),
        crop=draw(st.sampled_from(["primary", "none"])),
    )


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.generate),  # to shrink an example takes minutes
)
@given(world=worlds(), options=choices())
@pytest.mark.filterwarnings("ignore:numpy.ndarray size changed")
def test_any_valid_world_gives_the_numbers_of_the_oracle(world, options):
    """Sizes, versions, lacking variables, axes, times, units: none of them moves a number."""
    with tempfile.TemporaryDirectory() as folder:
        check_world(world, Path(folder), options)


PLAIN = World(
    variant="v2.4",
    shape=(3, 3),
    seed=1,
    centre=(0.1, 48.0),
    lacking=frozenset(),
    orbit_time="plain",
    spacing=0.1,
    names=("time", "height", "latitude", "longitude"),
    order=(0, 1, 2, 3),
    reversed_axes=frozenset(),
    from_zero=True,
    unit="ug m-3",
    number="f4",
    set_time=("hours", "f8"),
    level_unit="m",
)
"""A world that other tests change one thing of."""


@pytest.mark.parametrize("way", ORBIT_TIMES)
def test_times_of_an_orbit_are_read_however_counted(tmp_path, way):
    """32 and 64 bits, integers and floats, with and without a date: the same milliseconds."""
    from dataclasses import replace

    from retrieval.l2.open_orbit import open_orbit

    times = []
    for name, count in (("a", "plain"), ("b", way)):
        folder = tmp_path / name
        folder.mkdir()
        path, _ = replace(PLAIN, orbit_time=count).write(folder)
        with open_orbit(path) as orbit:
            times.append(orbit.scanline_times(orbit.full))
    apart = np.abs(times[0] - times[1]) / np.timedelta64(1, "ms")
    assert apart.max() <= (4 if way.startswith("f4") else 0)  # float32 seconds of a day


@pytest.mark.parametrize(("unit", "number"), SET_TIMES)
def test_times_of_a_set_are_read_however_counted(tmp_path, unit, number):
    """Seconds to days in 32 and 64 bits mean the same three hours."""
    from dataclasses import replace

    from retrieval.apriori.registry import open_apriori

    _, path = replace(PLAIN, set_time=(unit, number)).write(tmp_path)
    opened = open_apriori(path)
    opened.close()
    wanted = np.array([f"2019-06-26T{hour}:00" for hour in (11, 12, 13)], "M8[ms]")
    np.testing.assert_array_equal(opened.times, wanted)
