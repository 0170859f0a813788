"""The whole chain against a slow and obvious second implementation, pixel by pixel.

The steps are those of `tests.builders.chain_oracle`, plain sums make the air mass factor: nothing
is shared with the package but the file and the fields.
"""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.geometry.grids import RectilinearGrid
from retrieval.physics.levels import PressureLevels, Quantity
from retrieval.physics.time_rules import TimeRule
from retrieval.substitution.options import Options
from retrieval.substitution.substitute import substitute
from tests.builders.array_sets import array_set, box_grid, contrast_field, hours
from tests.builders.chain_oracle import (
    LEVELS,
    columns_on_heights,
    columns_on_pressures,
    footprint_mean,
)
from tests.builders.orbit_builder import build_orbit

PIXELS = [(1, 1), (5, 7), (9, 13), (13, 3), (14, 10)]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Variables of a small orbit as stored."""
    truth = build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=16, n_ground_pixel=16)
    names = (
        "latitude_bounds",
        "longitude_bounds",
        "latitude",
        "longitude",
        "surface_pressure",
        "surface_altitude",
        "averaging_kernel",
        "air_mass_factor_total",
        "air_mass_factor_troposphere",
        "nitrogendioxide_tropospheric_column",
    )
    with open_orbit(truth.path) as orbit:
        values = {name: orbit.read(name, orbit.full).astype(float) for name in names}
        values["index"] = orbit.raw("tm5_tropopause_layer_index")[0]
        values["time"] = truth.scanline_time
    return truth.path, values


def run(path, apriori, **options):
    with open_orbit(path) as orbit:
        result, _ = substitute(orbit, {"a": apriori}, Options(crop="none", **options))
    return result.sets[0]


def expect(found, values, pixel, x):
    """Check M', V', the columns against plain sums."""
    s = values["air_mass_factor_total"][pixel] * values["averaging_kernel"][pixel][: x.size]
    amf = (s * x).sum() / x.sum()
    old = values["air_mass_factor_troposphere"][pixel]
    column = values["nitrogendioxide_tropospheric_column"][pixel]
    close = {"rel": 1e-6}  # fields read and results written as float32
    assert found.substitution_flag[pixel] == 0
    assert found.air_mass_factor_troposphere[pixel] == pytest.approx(amf, **close)
    assert found.tropospheric_column[pixel] == pytest.approx(column * old / amf, **close)
    assert found.apriori_tropospheric_column[pixel] == pytest.approx(x.sum(), **close)
    kernel_column = (s / old * x).sum()
    assert found.apriori_tropospheric_column_kernel[pixel] == pytest.approx(kernel_column, **close)


def plane_grid():
    x = 3_600_000.0 + 2000.0 * np.arange(126)
    y = 2_650_000.0 + 2000.0 * np.arange(141)
    return RectilinearGrid(x, y, "EPSG:3035")


@pytest.mark.parametrize(
    "grid",
    [box_grid(0.02, (1.0, 47.0, 3.0, 49.0)), box_grid(0.1, (1.0, 47.0, 3.0, 49.0)), plane_grid()],
    ids=["0.02 degree", "0.1 degree", "2 km, EPSG:3035"],
)
@pytest.mark.parametrize(
    "options", [{}, {"above_vmr": 60.0, "merge_height": 2500.0}], ids=["default", "merged"]
)
def test_sets_on_heights(file, grid, options):
    """Footprint, heights, integration, constant above, AMF and columns of five pixels."""
    path, values = file
    field = contrast_field(grid, 3)
    found = run(path, array_set(field, grid=grid), **options)
    for pixel in PIXELS:
        profile = footprint_mean(
            field, grid, values["latitude_bounds"][pixel], values["longitude_bounds"][pixel]
        )
        x = columns_on_heights(
            profile,
            values["surface_pressure"][pixel],
            values["surface_altitude"][pixel],
            values["index"][pixel] + 1,
            options.get("above_vmr", 30.0),
            options.get("merge_height", 5000.0),
        )
        expect(found, values, pixel, x)


def test_sets_on_pressure_levels(file):
    """A global set of 1 degree, three-hourly: bilinear in space, linear in time and ln p."""
    path, values = file
    grid = RectilinearGrid.from_centres(np.arange(-5.5, 10.0), np.arange(40.5, 55.0))
    rng = np.random.default_rng(0)
    fields = rng.uniform(0.5, 2.0, (2, 8, *grid.shape)) * np.array(
        [3e-9, 2e-9, 1e-9, 3e-10, 1e-10, 5e-11, 5e-11, 1e-10]
    ).reshape(1, 8, 1, 1)
    apriori = array_set(
        fields,
        grid=grid,
        vertical=PressureLevels(LEVELS),
        quantity=Quantity.MOLE_FRACTION,
        times=hours(12.0, 15.0),
        rule=TimeRule.LINEAR,
    )
    found = run(path, apriori)
    for pixel in PIXELS:
        lon, lat = values["longitude"][pixel], values["latitude"][pixel]
        i, j = int(np.floor(lon - grid.x[0])), int(np.floor(lat - grid.y[0]))
        u, w = lon - grid.x[i], lat - grid.y[j]
        f = (values["time"][pixel[0]] - hours(12.0)[0]) / np.timedelta64(3 * 3_600_000, "ms")
        now = (1 - f) * fields[0] + f * fields[1]
        v = (1 - w) * ((1 - u) * now[:, j, i] + u * now[:, j, i + 1])
        v = v + w * ((1 - u) * now[:, j + 1, i] + u * now[:, j + 1, i + 1])
        x = columns_on_pressures(v, values["surface_pressure"][pixel], values["index"][pixel] + 1)
        expect(found, values, pixel, x)
        assert found.apriori_fraction_above_top[pixel] == 0
