"""Side files: small, and merged with their orbit what `extend` writes, bit by bit."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from cli.main import main
from retrieval.errors import OutputError, ProductError
from retrieval.l2.columns import OrbitKind, orbit_kind
from retrieval.l2.pixels import Crop
from retrieval.l2.product.merge import merge
from retrieval.l2.product.write import write_product
from tests.builders.orbit_builder import build_orbit
from tests.builders.substituted import PROVENANCE, substituted

CROP = Crop(slice(6, 50), slice(2, 39))


@pytest.fixture(scope="module")
def orbit(tmp_path_factory):
    return build_orbit(tmp_path_factory.mktemp("orbit"), n_scanline=60, n_ground_pixel=40)


@pytest.fixture(scope="module", params=["crop", "whole"])
def pair(request, orbit, tmp_path_factory):
    """Return the same re-retrieval in both layouts."""
    folder = tmp_path_factory.mktemp(request.param)
    crop = CROP if request.param == "crop" else None
    result = substituted(orbit, crop=crop, layers=True)
    return [
        write_product(
            orbit.path, folder / f"{layout}.nc", result, PROVENANCE, crop=crop, layout=layout
        )
        for layout in ("extend", "side")
    ]


def everything(path):
    """Values as stored, types, dimensions and attributes of a file, in the order of its groups."""
    found = {}

    def note(name, item):
        found[name] = {key: np.asarray(item.attrs[key]).tolist() for key in item.attrs}
        for key in ("DIMENSION_LIST", "REFERENCE_LIST", "apriori_layout"):
            found[name].pop(key, None)
        if isinstance(item, h5py.Dataset):
            values = np.asarray(item[()])  # text of free length is a matter of objects
            found[name]["values"] = values.tolist() if values.dtype == object else values.tobytes()
            found[name]["type"] = item.dtype.str
            found[name]["dimensions"] = [
                [scale.name for scale in axis.values()] for axis in item.dims
            ]

    with h5py.File(path, "r") as file:
        file.visititems(note)
        found["/"] = {key: np.asarray(file.attrs[key]).tolist() for key in file.attrs}
    return found


def test_merged_is_what_extend_writes(orbit, pair, tmp_path):
    """Every group, variable, type, dimension, value and attribute, but for no time stamp."""
    extended, side = pair
    merged = merge(orbit.path, side, tmp_path / "merged.nc")
    ours, theirs = everything(merged), everything(extended)
    assert set(ours) == set(theirs)
    assert [name for name in theirs if ours[name] != theirs[name]] == []
    with h5py.File(merged) as file:
        assert file["PRODUCT"].attrs["apriori_layout"] == b"extend"


def test_a_side_file_has_the_new_variables_and_what_places_them(pair):
    """Neither kernel nor columns of the orbit; dimensions, centres, corners, quality, times."""
    with h5py.File(pair[1]) as file:
        names = [path.rsplit("/", 1)[-1] for path in everything(pair[1])]
        assert file["PRODUCT"].attrs["apriori_layout"] == b"side"
    assert "nitrogendioxide_tropospheric_column_DACNO2_apriori" in names
    for name in ("latitude", "longitude_bounds", "qa_value", "scanline", "delta_time"):
        assert name in names
    for name in ("averaging_kernel", "nitrogendioxide_tropospheric_column", "surface_pressure"):
        assert name not in names
    assert pair[1].stat().st_size < 0.8 * pair[0].stat().st_size
    assert orbit_kind(pair[1]) is OrbitKind.SIDE


def test_a_side_file_of_another_orbit_is_refused(pair, tmp_path):
    """The same shape, other places: one line with both names, and nothing written."""
    other = build_orbit(
        tmp_path / "other", n_scanline=60, n_ground_pixel=40, area=(1.0, 47.0, 2.0, 48.0)
    )
    with pytest.raises(ProductError, match=r"must be of the orbit it is merged with.*side\.nc|of"):
        merge(other.path, pair[1], tmp_path / "merged.nc")
    assert not (tmp_path / "merged.nc").exists()


def test_what_is_no_side_file_is_refused(orbit, pair, tmp_path):
    """The orbit itself, a file of another layout, an output that is there."""
    for wrong, said in ((orbit.path, "without new variables"), (pair[0], "layout extend")):
        with pytest.raises(ProductError, match=said):
            merge(orbit.path, wrong, tmp_path / "merged.nc")
    with pytest.raises(OutputError):
        merge(orbit.path, pair[1], orbit.path, overwrite=True)


def test_the_command_merges_what_reretrieve_writes(tmp_path, capsys):
    """`reretrieve --layout side`, then `merge`, on the sample orbit."""
    import retrieval as rt

    def call(*words):
        with pytest.raises(SystemExit) as stopped:
            main([str(word) for word in words])
        assert stopped.value.code == 0, capsys.readouterr().err

    orbit, side, output = rt.sample("orbit"), tmp_path / "side.nc", tmp_path / "new.nc"
    call("reretrieve", orbit, "-a", f"mine={rt.sample('model')}", "--layout", "side", "-o", side)
    call("merge", orbit, side, "-o", output)
    assert orbit_kind(output) is OrbitKind.RERETRIEVED
    call("inspect", output)
    assert "layout: extend" in capsys.readouterr().out
