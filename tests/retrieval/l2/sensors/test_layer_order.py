"""I13 in files: what is written of layers stands at the pressures of the file's coefficients."""

from __future__ import annotations

import netCDF4
import numpy as np
import pytest

from retrieval.l2.product.write import Layout
from retrieval.substitution.job import Job
from retrieval.substitution.options import Options
from retrieval.substitution.reretrieve import reretrieve
from tests.builders.files import write_profiles
from tests.builders.orbit_builder import build_orbit
from tests.retrieval.physics.test_identities import reverse_layers

NAMES = (
    "averaging_kernel_troposphere_X_apriori",
    "apriori_partial_column_X",
    "averaging_kernel",
)


@pytest.mark.parametrize("layout", list(Layout))
def test_i13_layers_are_written_in_the_order_of_the_file(tmp_path, layout):
    """Of an orbit whose layers count from the top, kernels and profiles do so, too."""
    orbit = build_orbit(tmp_path, n_scanline=20, n_ground_pixel=16)
    turned = reverse_layers(orbit.path, tmp_path / "turned.nc")
    sets = {"x": write_profiles(tmp_path / "p.nc", day="2019-06-26")}
    found = []
    for path in (orbit.path, turned):
        output = tmp_path / f"{path.stem}_out.nc"
        job = Job(sets, Options(kernels=True, profiles=True), layout=layout)
        reretrieve(path, job, output)
        with netCDF4.Dataset(output) as file:
            there = [name for name in NAMES if name in file["PRODUCT"].variables]
            assert len(there) == len(NAMES) - (layout == "side")  # not the orbit's own
            found.append([file["PRODUCT"][name][:].filled(np.nan) for name in there])
    for straight, reversed_ in zip(*found, strict=True):
        assert np.isfinite(straight).any()
        np.testing.assert_array_equal(reversed_[..., ::-1], straight)
