"""ERA5 in GRIB: the numbers of the same fields in netCDF."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from dacno2_s5p.inputs.variables import InputTable, Preparation
from dacno2_s5p.sources.weather.era5 import Era5
from tests.builders.grib_files import era5_as_grib
from tests.builders.source_files import DAY, GRID, write_era5

TABLE = InputTable.default()
STEPS = Preparation(weather_steps=8)


@pytest.mark.skipif(
    importlib.util.find_spec("pygrib") is None,
    reason="pygrib (the extra grib) is not installed",
)
@pytest.mark.parametrize("edition", [1, 2])
def test_grib_gives_the_numbers_of_netcdf(tmp_path, edition):
    """Every variable at every hour; accumulations by the stamp that ends their hour."""
    write_era5(tmp_path / "netcdf", DAY, hours=range(6, 14))
    for path in sorted((tmp_path / "netcdf").iterdir()):
        era5_as_grib(path, tmp_path / "grib", edition=edition)
    wanted, found = (Era5(tmp_path / kind, TABLE, STEPS, GRID) for kind in ("netcdf", "grib"))
    assert found.missing(DAY) == []
    assert found.missing(DAY + 1) == wanted.missing(DAY + 1)
    for group in ("single", "multi"):
        expected = getattr(wanted, group)(DAY)
        # 24 bits of a field's range, above a least value that edition 1 keeps as IBM float (2^-20)
        size = np.abs(expected).max(axis=tuple(i for i in range(expected.ndim) if i != 1))
        atol = 2.0**-20 * size.reshape(-1, *[1] * (expected.ndim - 2))
        assert (np.abs(getattr(found, group)(DAY) - expected) <= atol).all()
    assert sorted(p.suffix for p in (tmp_path / "grib").iterdir()) == [".grib", ".grib"]
