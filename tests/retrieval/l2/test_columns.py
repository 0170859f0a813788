"""Every tropospheric column of a file is found, whoever made it and wherever it stands."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.l2.columns import find_columns, read_air_mass_factor, read_column, reretrieved_sets
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.write import write_product
from tests.builders.orbit_builder import build_orbit
from tests.builders.substituted import PROVENANCE, substituted

COLUMN = "nitrogendioxide_tropospheric_column"


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return a small orbit with KNMI's European column."""
    folder = tmp_path_factory.mktemp("orbit")
    return build_orbit(folder, n_scanline=20, n_ground_pixel=16, variant="eu")


@pytest.mark.parametrize("layout", ["extend", "replace"])
def test_columns_of_a_reretrieved_file_have_their_labels(orbit, tmp_path, layout):
    """TM5, both sets and KNMI's column are found under whatever names the layout gives them."""
    result = substituted(orbit)
    path = write_product(orbit.path, tmp_path / "out.nc", result, PROVENANCE, layout=layout)
    with open_orbit(path) as file:
        found = {item.label: item for item in find_columns(file)}
        assert list(found) == ["TM5", "DACNO2", "CAMS", "CAMS_Europe"]
        assert reretrieved_sets(file) == ["DACNO2", "CAMS"]
        assert [item.is_ours for item in found.values()] == [False, True, True, False]
        expected = {item.name: item.tropospheric_column for item in result.sets}
        expected["TM5"] = orbit.arrays[COLUMN].astype(np.float32)
        for label, values in expected.items():
            np.testing.assert_array_equal(read_column(file, found[label], file.full), values)
        amf = read_air_mass_factor(file, found["CAMS"], file.full)
        np.testing.assert_array_equal(amf, result.sets[1].air_mass_factor_troposphere)


def test_original_file_has_tm5_and_what_others_added(orbit):
    """In KNMI's file the air mass factor of the added column follows from V M_trop / V'."""
    with open_orbit(orbit.path) as file:
        tm5, added = find_columns(file)
        assert (tm5.label, tm5.column) == ("TM5", COLUMN)
        assert added.column == f"{COLUMN}_CAMS_apriori_Europe"
        amf = read_air_mass_factor(file, added, file.full)
        column = read_column(file, added, file.full)
        slant = orbit.arrays[COLUMN] * orbit.arrays["air_mass_factor_troposphere"]
    valid = np.isfinite(amf)
    assert valid.mean() > 0.7
    np.testing.assert_allclose((amf * column)[valid], slant[valid], rtol=1e-6)  # float32 storage
    assert np.isnan(amf[np.abs(column) < 1e-7]).all()


def test_precisions_are_not_columns(orbit, tmp_path):
    """Names that only look alike (precisions with an a priori) are left alone."""
    path = write_product(orbit.path, tmp_path / "out.nc", substituted(orbit), PROVENANCE)
    with open_orbit(path) as file:
        assert not any("precision" in item.column for item in find_columns(file))
