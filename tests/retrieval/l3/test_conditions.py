"""Names that no orbit holds are refused once, with names that are close."""

from __future__ import annotations

import shutil

import h5py
import pytest

from retrieval.l3.conditions import check_request
from tests.builders.orbit_builder import build_orbit


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return the path of an original orbit."""
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=6, n_ground_pixel=5).path


def test_names_that_are_there_pass(orbit):
    """Floats and integers on pixels, and land and water, which are computed."""
    check_request([orbit], ["TM5"], ["solar_zenith_angle", "qa_value", "land_water"])


@pytest.mark.parametrize(
    ("products", "variables", "words"),
    [
        (["tm5"], [], "which holds TM5. Did you mean TM5?"),
        (["TM5", "WRF"], [], "Correct the name"),
        ([], ["solar_zenith"], "Did you mean solar_zenith_angle"),
        ([], ["delta_time"], "with one number a pixel"),
    ],
)
def test_names_that_are_not_there_are_refused(orbit, products, variables, words):
    """With the orbit, what it holds, and what may have been meant."""
    with pytest.raises(ValueError, match="Invalid") as caught:
        check_request([orbit], products, variables)
    assert words in str(caught.value)
    assert orbit.name in str(caught.value)


def test_one_file_that_holds_all_is_enough(orbit, tmp_path):
    """Damaged files and files that lack a variable are reported later, one by one."""
    less = shutil.copy(orbit, tmp_path / "less.nc")
    with h5py.File(less, "a") as file:
        del file["PRODUCT/SUPPORT_DATA/GEOLOCATIONS/solar_zenith_angle"]
    damaged = tmp_path / "damaged.nc"
    damaged.write_bytes(b"no netCDF")
    check_request([damaged, less, orbit], ["TM5"], ["solar_zenith_angle"])
    check_request([damaged], ["TM5"], ["solar_zenith_angle"])
    with pytest.raises(ValueError, match=r"Given less\.nc"):
        check_request([damaged, less], ["TM5"], ["solar_zenith_angle"])
