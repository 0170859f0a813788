"""Other people's tools read the re-retrieved files: HARP, satpy, the CF checker."""

from __future__ import annotations

import re
import shutil
import subprocess
import warnings
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from retrieval.l2.pixels import Crop
from retrieval.l2.product.write import Layout, write_product
from tests.builders.orbit_builder import build_orbit
from tests.builders.substituted import PROVENANCE, partial_columns, substituted

CROP = Crop(slice(4, 40), slice(3, 30))
NOT_ERRORS = "found in same group|not in the recommended order"
"""What the checker says of good links, and of (time, scanline, ground_pixel, layer), the order of
the operational product, which we keep."""
PART = (CROP.scanline, CROP.ground_pixel)


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    """Return a small orbit of version 2.4."""
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=48, n_ground_pixel=32)


@pytest.fixture(scope="module")
def written(orbit, tmp_path_factory):
    """Return a function from a layout to the cropped file, named as satpy wants it."""

    def write(layout: str) -> Path:
        folder = tmp_path_factory.getbasetemp() / f"conformance_{layout}"
        folder.mkdir(exist_ok=True)
        output = folder / f"{orbit.path.stem}_reduced.nc"
        if not output.exists():
            result = substituted(orbit, crop=CROP, layers=True)
            write_product(orbit.path, output, result, PROVENANCE, crop=CROP, layout=layout)
        return output

    return write


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} (HARP) is not installed: apt-get install harp")
    return found


@pytest.mark.parametrize("layout", [Layout.EXTEND, Layout.REPLACE])
def test_harpcheck_accepts_every_ingestion(written, layout):
    """All six ingestions without the O22CLD option read all 48 variables."""
    done = subprocess.run(
        [tool("harpcheck"), str(written(layout))], capture_output=True, text=True, check=False
    )
    lines = [line for line in done.stdout.splitlines() if "data unset" in line]
    assert len(lines) == 6, done.stdout + done.stderr
    assert all(line.endswith("[OK]") for line in lines), done.stdout


@pytest.mark.parametrize("layout", [Layout.EXTEND, Layout.REPLACE])
def test_harp_lists_48_variables_with_34_layers(written, layout):
    """The listing has as many variables as that of the original orbit."""
    done = subprocess.run(
        [tool("harpdump"), "-l", str(written(layout))], capture_output=True, text=True, check=True
    )
    body = done.stdout.split("variables:")[1].split("attributes:")[0]
    names = re.findall(r"^\s+(?:double|float|int\w*|byte|string) (\w+)", body, flags=re.MULTILINE)
    assert len(names) == 48, done.stdout
    assert re.search(r"vertical = 34", done.stdout)


def test_harp_reads_the_primary_set_in_the_replace_layout(orbit, written, tmp_path):
    """HARP's column, air mass factors and tropospheric kernel are those of the primary set."""
    output = tmp_path / "harp.nc"
    done = subprocess.run(
        [tool("harpconvert"), "-f", "netcdf", str(written("replace")), str(output)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    item = substituted(orbit, crop=CROP).sets[0]
    with netCDF4.Dataset(output) as file:
        found = {
            name: np.ma.filled(file[name][:].astype("f8"), np.nan)
            for name in file.variables
            if file[name].dtype.kind == "f"
        }
    prefix = "tropospheric_NO2_column_number_density"
    pairs = {
        prefix: item.tropospheric_column,
        f"{prefix}_amf": item.air_mass_factor_troposphere,
        f"{prefix}_uncertainty": item.tropospheric_column_precision,
        "NO2_column_number_density_amf": item.air_mass_factor_total,
        "NO2_column_number_density": item.summed_total_column,
    }
    for name, expected in pairs.items():
        np.testing.assert_allclose(
            found[name], expected.ravel(), rtol=1e-6, err_msg=name
        )  # float32
    check_harp_kernel(orbit, found[f"{prefix}_avk"], item)


def check_harp_kernel(orbit, kernel, item):
    """Compare sum A' x with sum x up to the layer where HARP ends the troposphere."""
    x = partial_columns(orbit)[PART].reshape(kernel.shape)
    index = orbit.arrays["tm5_tropopause_layer_index"][PART].ravel()
    valid = np.isfinite(item.air_mass_factor_troposphere.ravel()) & np.isfinite(kernel).all(-1)
    assert valid.mean() > 0.8
    # HARP leaves out the tropopause layer itself ; it is added back here
    ours = item.averaging_kernel_troposphere
    if ours is None:
        ours = (
            substituted(orbit, ("DACNO2",), CROP, layers=True).sets[0].averaging_kernel_troposphere
        )
    ours = ours.reshape(kernel.shape)
    below = np.arange(kernel.shape[-1]) < index[:, np.newaxis]
    np.testing.assert_allclose(
        np.where(below, kernel, 0.0)[valid],
        np.where(below, ours, 0.0)[valid],
        rtol=1e-6,  # float32 kernel, total and tropospheric air mass factor
    )
    tropopause = np.arange(kernel.shape[-1]) == index[:, np.newaxis]
    closed = (np.where(tropopause, ours, np.where(below, kernel, 0.0)) * x).sum(-1)
    expected = item.apriori_tropospheric_column.ravel()
    np.testing.assert_allclose(closed[valid], expected[valid], rtol=1e-6)  # as above


@pytest.mark.parametrize("layout", [Layout.EXTEND, Layout.REPLACE])
def test_satpy_reads_old_and_new_variables(orbit, written, layout):
    """The reader tropomi_l2 offers every new two-dimensional variable, and loads the column."""
    pytest.importorskip("satpy", reason="satpy is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # satpy's and its dependencies' own
        from satpy import Scene

        scene = Scene([str(written(layout))], reader="tropomi_l2")
        names = set(scene.available_dataset_names())
        column = "nitrogendioxide_tropospheric_column"
        wanted = [column, f"{column}_CAMS_apriori", "substitution_flag_DACNO2"]
        assert set(wanted) <= names
        scene.load(wanted)
        values = scene[column].to_numpy()
    result = substituted(orbit, crop=CROP)
    expected = result.sets[0].tropospheric_column
    if layout == "extend":
        expected = orbit.arrays[column][PART].astype(np.float32)
    np.testing.assert_array_equal(values, expected)


def test_cf_checker_has_no_error_on_our_variables(orbit, written, tmp_path):
    """The CF checker finds nothing wrong with any variable that we wrote.

    The replace layout holds every kind: a set under its own names, one under the standard names.
    The checker looks at the root group only: PRODUCT is copied there with the newest convention
    that it knows, since CF-1.7 of the original has no unsigned bytes.
    """
    pytest.importorskip("compliance_checker", reason="compliance-checker is not installed")
    flat = flatten(written("replace"), tmp_path / "flat.nc")
    with netCDF4.Dataset(orbit.path) as file:
        originals = set(file["PRODUCT"].variables)
    with netCDF4.Dataset(flat) as file:
        ours = set(file.variables) - originals
    ours |= {name.removesuffix("_TM5_apriori") for name in ours}
    assert len(ours) > 25
    problems = [text for text in cf_messages(flat) if ours & set(re.findall(r"\w+", text))]
    assert [text for text in problems if not re.search(NOT_ERRORS, text)] == []


def flatten(path: Path, target: Path) -> Path:
    with netCDF4.Dataset(path) as file, netCDF4.Dataset(target, "w") as flat:
        product = file["PRODUCT"]
        flat.Conventions = "CF-1.11"
        for name, dimension in product.dimensions.items():
            flat.createDimension(name, len(dimension))
        for name, variable in product.variables.items():
            attributes = {key: variable.getncattr(key) for key in variable.ncattrs()}
            fill = attributes.pop("_FillValue", None)
            attributes.pop("bounds", None)  # in a group that is not copied
            new = flat.createVariable(name, variable.dtype, variable.dimensions, fill_value=fill)
            for key in {"coordinates", "ancillary_variables"} & set(attributes):
                links = attributes[key].replace("/PRODUCT/", "").split()
                attributes[key] = " ".join(link for link in links if "/" not in link)
            new.setncatts(attributes)
            variable.set_auto_maskandscale(False)
            new.set_auto_maskandscale(False)
            new[...] = variable[...]
    return target


def cf_messages(path: Path) -> list[str]:
    """Every message of the CF 1.11 checker, errors and warnings alike."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the checker's dependencies
        from compliance_checker.runner import CheckSuite

        suite = CheckSuite()
        suite.load_all_available_checkers()
        dataset = suite.load_dataset(str(path))
        scores = suite.run_all(dataset, ["cf:1.11"])
        dataset.close()
    groups, failed = scores["cf:1.11"]
    assert not failed
    return [message for group in groups for message in messages_below(group)]


def messages_below(result) -> list[str]:
    own = [f"{result.name}: {message}" for message in result.msgs or []]
    return own + [text for child in result.children or [] for text in messages_below(child)]
