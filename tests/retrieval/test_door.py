"""The door: Datasets hold what the files hold, bit by bit; sets come as paths or as Datasets."""

from __future__ import annotations

import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

import retrieval as rt
from cli.main import main
from retrieval.errors import AprioriError, ProductError
from tests.builders.files import build_workspace

COLUMN = "nitrogendioxide_tropospheric_column"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return build_workspace(tmp_path_factory.mktemp("door"))


@pytest.fixture(scope="module")
def written(workspace, tmp_path_factory):
    """Return the file of the command line, all fields on."""
    path = tmp_path_factory.mktemp("door") / "out.nc"
    sets = ("-a", f"dacno2={workspace.profiles}", "-a", f"cams={workspace.cams}")
    command = ("reretrieve", workspace.orbit, *sets, "--kernels", "--profiles", "-o", path)
    with pytest.raises(SystemExit) as stopped:
        main([str(part) for part in command])
    assert stopped.value.code == 0
    return path


@pytest.fixture(scope="module")
def made(workspace):
    sets = {"dacno2": workspace.profiles, "cams": workspace.cams}
    return rt.substitute(workspace.orbit, sets, rt.Options(kernels=True, profiles=True))


def profile_file(workspace):
    return next(workspace.profiles.glob("*.nc"))


def new_variables(product):
    marks = ("apriori", "substitution_", "relative_change", "footprint_coverage")
    return [name for name in product.variables if any(mark in name for mark in marks)]


def test_the_dataset_is_the_file_bit_by_bit(made, written):
    """Numbers, types, names, units and meanings are those of `dacno2-s5p reretrieve`."""
    with netCDF4.Dataset(written) as file:
        file.set_auto_maskandscale(False)
        product = file["PRODUCT"]
        names = new_variables(product)
        assert len(names) > 25
        for name in (*names, COLUMN, "latitude", "longitude"):
            stored = product[name][0]
            if stored.dtype.kind == "f":
                stored = np.where(stored == product[name].getncattr("_FillValue"), np.nan, stored)
            assert made[name].dtype == stored.dtype
            np.testing.assert_array_equal(made[name].values, stored, err_msg=name)
        for name in names:
            for key in ("units", "long_name", "comment", "flag_meanings", "standard_name"):
                if key in product[name].ncattrs():
                    assert made[name].attrs[key] == product[name].getncattr(key), (name, key)
        for key in ("sets", "primary", "options", "DACNO2_kind", "CAMS_fields_used"):
            assert made.attrs[f"apriori_{key}"] == product.getncattr(f"apriori_{key}")
        raw = product["qa_value"][0]
        np.testing.assert_array_equal(made.qa_value > 0.75, raw > 75)
    assert set(names) <= set(made.variables)


def test_coordinates_are_those_of_the_orbit(made, workspace):
    """Centres, corners and times, so that any library finds them."""
    assert made[COLUMN].dims == ("scanline", "ground_pixel")
    assert made.latitude.attrs["bounds"] == "latitude_bounds"
    assert made.latitude_bounds.dims == ("scanline", "ground_pixel", "corner")
    with rt.open_orbit(workspace.orbit) as orbit:
        whole = orbit.to_xarray()
        some = orbit.to_xarray(variables=["solar_zenith_angle", "snow_ice_flag"])
    part = whole.sel(scanline=made.scanline, ground_pixel=made.ground_pixel)
    for name in ("latitude", "longitude_bounds", "time", COLUMN, "qa_value"):
        xr.testing.assert_identical(part[name].drop_vars("layer", errors="ignore"), made[name])
    assert some.snow_ice_flag.dtype.kind == "u"
    assert whole[COLUMN].attrs["units"] == "mol m-2"


def test_a_set_may_be_a_dataset_in_memory_or_lazy(made, workspace):
    """A Dataset gives the numbers of its file; of a lazy one only the asked field is computed."""
    name = f"{COLUMN}_DACNO2_apriori"
    with xr.open_dataset(profile_file(workspace)) as opened:
        found = rt.substitute(workspace.orbit, {"dacno2": opened.load()})
    np.testing.assert_array_equal(found[name], made[name])
    assert "in memory" in repr(rt.open_apriori(opened))
    with xr.open_dataset(profile_file(workspace), chunks={}) as lazy:
        found = rt.substitute(workspace.orbit, {"dacno2": lazy})
    np.testing.assert_array_equal(found[name], made[name])


def test_orbit_and_set_are_opened_for_each_other(made, workspace):
    """As contexts; the set is opened for the orbit's time."""
    with (
        rt.open_orbit(workspace.orbit) as orbit,
        rt.open_apriori(workspace.profiles, time=orbit.time) as opened,
    ):
        found = rt.substitute(orbit, {"dacno2": opened})
    name = f"{COLUMN}_DACNO2_apriori"
    np.testing.assert_array_equal(found[name], made[name])


def test_only_what_an_orbit_needs_is_computed(workspace):
    """Of two days in a lazy set the chunks of the other are never touched."""
    import dask.array

    with xr.open_dataset(profile_file(workspace)) as opened:
        day = opened.load()

    def refuse(block):
        msg = "this day is not asked for"
        raise AssertionError(msg)

    values = dask.array.from_array(day.no2.values)
    empty = np.empty((0,) * values.ndim, values.dtype)
    poisoned = values.map_blocks(refuse, dtype=values.dtype, meta=empty)
    rest = day.drop_vars([name for name in day.variables if "time" in day[name].dims])
    both = rest.assign_coords(time=np.concatenate([day.time, day.time + np.timedelta64(1, "D")]))
    joined = dask.array.concatenate([values, poisoned])
    both["no2"] = (day.no2.dims, joined, day.no2.attrs)
    found = rt.substitute(workspace.orbit, {"mine": both})
    assert np.isfinite(found[f"{COLUMN}_MINE_apriori"]).any()


def test_what_is_no_set_is_refused():
    """A DataArray has no name for its field; a Dataset without NO2 is none."""
    with pytest.raises(AprioriError, match="to_dataset"):
        rt.open_apriori(np.zeros(3))
    with pytest.raises(AprioriError, match="must hold NO2"):
        rt.open_apriori(xr.Dataset({"ozone": ("time", [1.0])}))


def test_a_re_retrieved_orbit_is_refused(written, workspace):
    """Twice is an error that says what the file holds."""
    with pytest.raises(ProductError, match="already re-retrieved with DACNO2 CAMS"):
        rt.substitute(written, {"dacno2": workspace.profiles})


def test_texts_say_what_a_person_asks_first(workspace):
    """What, when, where, how many valid pixels, what is assumed; of sets levels and unit."""
    with rt.open_orbit(workspace.orbit) as orbit:
        text = repr(orbit)
        n_column = int(np.isfinite(orbit.read(COLUMN, orbit.full)).sum())
    assert "TROPOMI L2__NO2___ orbit" in text
    assert f"{n_column} with a column" in text
    assert "2019-06" in text
    assert "assumed: nothing" in text
    assert "(closed)" in repr(orbit)
    text = repr(rt.open_apriori(workspace.profiles))
    assert "profile file" in text
    assert "5000 m" in text


def test_a_map_is_the_file_of_the_command(written, tmp_path):
    """`rt.grid` gives what `dacno2-s5p grid` writes."""
    out = tmp_path / "map.nc"
    box = ("0", "46", "4", "50")
    with pytest.raises(SystemExit) as stopped:
        main(["grid", str(written), "-o", str(out), "--cell", "0.1deg", "--bbox", *box])
    assert stopped.value.code == 0
    found = rt.grid([written], "0.1deg", tuple(float(side) for side in box))
    with xr.open_dataset(out) as stored:
        xr.testing.assert_equal(found, stored.load())
    assert np.isfinite(found.tropospheric_column_CAMS).any()


def test_names_are_taken_up_when_they_are_used():
    """Importing the packages loads neither numpy, xarray nor torch; every public name is there."""
    code = (
        "import sys, retrieval, dacno2_s5p;"
        "print([m for m in ('numpy', 'xarray', 'torch', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert {name for name in rt.__all__ if not hasattr(rt, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = rt.nothing
