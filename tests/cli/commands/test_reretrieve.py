"""`dacno2-s5p reretrieve` on good input: names, options, layouts, summaries, equal numbers."""

from __future__ import annotations

import dataclasses
import json
import shutil

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr

from retrieval.apriori.registry import open_apriori
from retrieval.l2.names import TROPOMI as NAMES
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.product.table import ROW, SetTable
from retrieval.physics.time_rules import TimeRule
from retrieval.substitution.options import Above, Options
from retrieval.substitution.substitute import substitute
from tests.builders.files import DAY, SHAPE, write_era5, write_profiles
from tests.cli.conftest import names


def fields_of(path, apriori, replaced=()):
    """Read every variable of a set from a file, NaN for fill, under its name in the results."""
    found = {}
    with netCDF4.Dataset(path) as file:
        product = file["PRODUCT"]
        for field in dataclasses.fields(SetTable):
            if ROW not in field.metadata:
                continue
            variable = field.metadata[ROW]
            own = variable.name_for(apriori, NAMES)
            name = variable.replaces if variable.replaces in replaced else own
            stored = _find(product, name)
            if stored is not None:
                values = stored[0]
                is_float = values.dtype.kind == "f"
                found[field.name] = np.ma.filled(values, np.nan) if is_float else values
    return found


def product_attribute(path, name):
    """Return an attribute of PRODUCT."""
    with netCDF4.Dataset(path) as file:
        return file["PRODUCT"].getncattr(name)


def _find(group, name):
    if name in group.variables:
        return group.variables[name]
    return next((v for g in group.groups.values() if (v := _find(g, name)) is not None), None)


def expected(orbit, paths, options, upper=None):
    """Compute the same with the library: result and crop."""
    sets = {name: open_apriori(path) for name, path in paths.items()}
    with open_orbit(orbit) as opened:
        result, crop = substitute(
            opened, sets, options, upper=open_apriori(upper) if upper else None
        )
    return result, crop


def assert_same(path, fields, **kwargs):
    """Compare the variables of a set in a file with a result, bit by bit."""
    stored = fields_of(path, fields.name, **kwargs)
    assert stored
    for name, values in stored.items():
        np.testing.assert_array_equal(np.asarray(values), getattr(fields, name), err_msg=name)


def test_the_output_stands_beside_the_orbit_under_the_names_of_the_sets(run, orbit, workspace):
    """Without -o the file is STEM_SET1-SET2.nc; stdout names it last and stderr is silent."""
    outcome = run(
        "reretrieve", orbit, "-a", f"dacno2={workspace.profiles}", "-a", f"cams={workspace.cams}"
    )
    target = orbit.with_name(f"{orbit.stem}_DACNO2-CAMS.nc")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == str(target)
    assert names(orbit.parent) == sorted([orbit.name, target.name])


def test_the_file_holds_what_the_library_computes(run, orbit, workspace):
    """Every variable of both sets equals `substitute` called directly, bit by bit."""
    out = orbit.with_name("out.nc")
    paths = {"dacno2": workspace.profiles, "cams": workspace.cams}
    given = [item for name, path in paths.items() for item in ("-a", f"{name}={path}")]
    assert run("reretrieve", orbit, *given, "-o", out).status == 0
    result, _ = expected(orbit, paths, Options())
    for fields in result.sets:
        assert np.isfinite(fields.tropospheric_column).sum() > 400  # nearly all of 480 pixels
        assert_same(out, fields)
    with netCDF4.Dataset(out) as file:
        for (primary, reference), values in result.relative_change.items():
            stored = file["PRODUCT"][f"relative_change_{primary}_vs_{reference}"][0]
            np.testing.assert_array_equal(np.ma.filled(stored, np.nan), values)


CHOICES = {
    "none": (["--above", "none"], {"above": Above.NONE}),
    "ppt": (["--above-vmr", "50"], {"above_vmr": 50.0}),
    "exclusive": (["--tropopause", "exclusive"], {"tropopause": "exclusive"}),
    "merge": (["--merge-height", "3000"], {"merge_height": 3000.0}),
    "crop none": (["--crop", "none"], {"crop": "none"}),
    "bbox": (["--bbox", "1.8", "47.8", "2.2", "48.2"], {"bbox": (1.8, 47.8, 2.2, 48.2)}),
    "layers": (["--kernels", "--profiles"], {"kernels": True, "profiles": True}),
}


@pytest.mark.parametrize("choice", CHOICES)
def test_each_option_reaches_the_computation(reretrieve, orbit, workspace, choice):
    """An option on the command line gives the numbers of the same option of the library."""
    args, options = CHOICES[choice]
    out = orbit.with_name("out.nc")
    assert reretrieve(*args, "-o", out).status == 0
    result, crop = expected(orbit, {"dacno2": workspace.profiles}, Options(**options))
    default, _ = expected(orbit, {"dacno2": workspace.profiles}, Options())
    assert_same(out, result.sets[0])
    changes_numbers = choice in ("none", "ppt", "exclusive", "merge")
    if changes_numbers:
        amfs = [r.sets[0].air_mass_factor_troposphere for r in (result, default)]
        assert np.nanmax(np.abs(amfs[0] / amfs[1] - 1)) > 1e-3
    assert (crop.shape == SHAPE) == (choice != "bbox")


def test_the_time_rule_reaches_the_computation(run, orbit, workspace):
    """`--time-rule nearest` takes the field of 12 UTC, `auto` the mean of 11 to 13 UTC."""
    found = {}
    for rule in ("auto", "nearest", "linear"):
        out = orbit.with_name(f"{rule}.nc")
        args = ("-a", f"cams={workspace.cams}", "--time-rule", rule, "-o", out)
        assert run("reretrieve", orbit, *args).status == 0
        option = None if rule == "auto" else TimeRule(rule)
        result, _ = expected(orbit, {"cams": workspace.cams}, Options(time_rule=option))
        assert_same(out, result.sets[0])
        found[rule] = product_attribute(out, "apriori_CAMS_fields_used")
    assert found["nearest"] == f"{DAY}T12:00:00Z"
    assert found["linear"] == f"{DAY}T12:00:00Z, {DAY}T13:00:00Z"
    assert found["auto"] == f"{DAY}T11:00:00Z, {found['linear']}"


@pytest.mark.parametrize("how", ["--upper", "workspace"])
def test_a_global_set_fills_the_part_above(run, orbit, workspace, how):
    """`--upper PATH` alone, and `--above upper` with WORKSPACE/ctm, mean mode upper."""
    out = orbit.with_name("out.nc")
    given = (
        ["--upper", workspace.ctm / "ctmana.nc"]
        if how == "--upper"
        else ["--above", "upper", "-w", workspace.folder]
    )
    sets = ["-a", f"dacno2={workspace.profiles}"]
    assert run("reretrieve", orbit, *sets, *given, "-o", out).status == 0
    result, _ = expected(
        orbit, {"dacno2": workspace.profiles}, Options(above=Above.UPPER), upper=workspace.ctm
    )
    assert_same(out, result.sets[0])


@pytest.mark.parametrize("where", ["workspace", "nowhere"])
def test_what_stands_above_is_decided_and_recorded(run, orbit, workspace, tmp_path, where):
    """A global model of the workspace that serves the orbit is used, else 30 ppt, said with -v."""
    out = orbit.with_name("out.nc")
    folder = workspace.folder if where == "workspace" else tmp_path
    sets = ["-a", f"dacno2={workspace.profiles}"]
    outcome = run("reretrieve", orbit, *sets, "-w", folder, "-o", out, "-v")
    assert outcome.status == 0
    is_upper = where == "workspace"
    above = Above.UPPER if is_upper else Above.CONSTANT_VMR
    upper = workspace.ctm if is_upper else None
    result, _ = expected(orbit, {"dacno2": workspace.profiles}, Options(above=above), upper=upper)
    assert_same(out, result.sets[0])
    options = json.loads(product_attribute(out, "apriori_options"))
    assert options["above"] == str(above)
    assert options.get("upper_source") == ("TM5-MP CTMANA" if is_upper else None)
    said = "ctm serves the orbits" if is_upper else "no global model in ctm or cams-global serves"
    recorded = "upper, of TM5-MP CTMANA" if is_upper else "constant-vmr of 30 ppt"
    assert product_attribute(out, "apriori_DACNO2_above") == recorded
    assert product_attribute(out, "apriori_DACNO2_top") == "5000 m"
    lines = [line for line in outcome.err.splitlines() if line.startswith("above the sets")]
    assert len(lines) == 1 and ("docs/evidence.md" in lines[0]) != is_upper
    assert f"auto: {said}" in lines[0]
    asked = run("reretrieve", orbit, *sets, "-w", folder, "--above-vmr", "30", "--dry-run")
    assert "above: constant-vmr" in asked.out.splitlines()


def test_a_run_of_which_some_days_lack_the_model_above_is_refused(run, orbit, workspace):
    """The day is named before any orbit is read."""
    other = orbit.with_name(orbit.name.replace("20190601", "20190605"))
    shutil.copy(orbit, other)
    args = ("reretrieve", orbit, other, "-a", f"dacno2={workspace.profiles}")
    outcome = run(*args, "-w", workspace.folder, "-o", orbit.parent / "new")
    assert outcome.status == 1
    assert "Given none for 2019-06-05. Add these days" in outcome.error
    assert not (orbit.parent / "new").exists()


def test_the_change_between_sets_of_unlike_top_is_commented(run, orbit, workspace):
    """Profiles to 5 km beside a whole troposphere: a comment and a warning; to 3 km both: none."""
    out = orbit.with_name("out.nc")
    sets = ["-a", f"low={workspace.profiles}", "-a", f"tall={workspace.ctm}"]
    for args, is_told in (((), True), (("--merge-height", "3000", "--overwrite"), False)):
        outcome = run("reretrieve", orbit, *sets, "-o", out, *args)
        assert outcome.status == 0
        with netCDF4.Dataset(out) as file:
            comment = file["PRODUCT"]["relative_change_LOW_vs_TALL"].comment
            assert "unlike" not in file["PRODUCT"]["relative_change_LOW_vs_TM5"].comment
        assert ("end at unlike heights, LOW at 5000 m and TALL at" in comment) == is_told
        assert ("Sets LOW and TALL end at unlike heights" in outcome.err) == is_told


def test_temperatures_of_era5_change_the_layer_heights(reretrieve, orbit, tmp_path):
    """`--meteo` changes the air mass factors a little and is named among the inputs."""
    era5 = write_era5(tmp_path / "era5.nc")
    standard, warm = orbit.with_name("standard.nc"), orbit.with_name("warm.nc")
    assert reretrieve("-o", standard).status == 0
    assert reretrieve("-o", warm, "--meteo", era5).status == 0
    amfs = [fields_of(p, "DACNO2")["air_mass_factor_troposphere"] for p in (standard, warm)]
    change = np.abs(amfs[1] / amfs[0] - 1)
    assert 1e-4 < np.nanmax(change) < 0.1  # some per cent for some ten kelvin
    assert "meteo: era5.nc" in product_attribute(warm, "apriori_inputs")


def test_replace_gives_the_primary_set_the_standard_names(reretrieve, orbit, workspace):
    """In `replace` the standard column is the new one and the original is kept beside it."""
    out = orbit.with_name("S5P_reduced.nc")
    assert reretrieve("--layout", "replace", "-o", out).status == 0
    result, _ = expected(orbit, {"dacno2": workspace.profiles}, Options())
    column = "nitrogendioxide_tropospheric_column"
    with netCDF4.Dataset(out) as new, netCDF4.Dataset(orbit) as old:
        stored = np.ma.filled(new["PRODUCT"][column][0], np.nan)
        np.testing.assert_array_equal(stored, result.sets[0].tropospheric_column)
        kept = _find(new["PRODUCT"], f"{column}_TM5_apriori")
        np.testing.assert_array_equal(kept[0].filled(), old["PRODUCT"][column][0].filled())


def test_extend_keeps_every_original_variable_of_a_whole_orbit(reretrieve, orbit):
    """Original variables are bit-identical to the input's."""
    out = orbit.with_name("out.nc")
    assert reretrieve("--crop", "none", "-o", out).status == 0
    seen = []

    def compare(name, item):
        if isinstance(item, h5py.Dataset) and item.size:
            np.testing.assert_array_equal(new[name][...], item[...], err_msg=name)
            seen.append(name)

    with h5py.File(orbit) as old, h5py.File(out) as new:
        old.visititems(compare)
    assert len(seen) > 100  # the operational product has about 120


def test_the_primary_set_crops_the_orbit(run, orbit, tmp_path):
    """A set over the south-west keeps the rows and columns that touch it, and no other."""
    small = write_profiles(tmp_path / "small.nc", bounds=(1.0, 47.0, 2.0, 48.0))
    out = orbit.with_name("out.nc")
    args = ("-a", f"dacno2={small}", "-o", out)
    assert run("reretrieve", orbit, *args).status == 0
    result, crop = expected(orbit, {"dacno2": small}, Options())
    assert crop.shape[0] < SHAPE[0]
    assert_same(out, result.sets[0])
    with netCDF4.Dataset(out) as file, netCDF4.Dataset(orbit) as original:
        index = slice(crop.scanline.start, crop.scanline.stop)
        kept = file["PRODUCT"]["scanline"][:]
        np.testing.assert_array_equal(kept, original["PRODUCT"]["scanline"][index])
    assert run("reretrieve", orbit, *args, "--overwrite", "--crop", "none").status == 0
    with netCDF4.Dataset(out) as file:
        assert file["PRODUCT"].dimensions["scanline"].size == SHAPE[0]


def test_xarray_opens_the_output(reretrieve, orbit):
    """A user's own xarray reads new column and geolocation, decoded, from one group."""
    out = orbit.with_name("out.nc")
    assert reretrieve("-o", out).status == 0
    with xr.open_dataset(out, group="PRODUCT") as product:
        column = product["nitrogendioxide_tropospheric_column_DACNO2_apriori"]
        assert column.dims == ("time", "scanline", "ground_pixel")
        assert column.attrs["units"] == "mol m-2"
        assert 1e-6 < float(column.median()) < 1e-4  # 1e14 to 6e15 molecules cm-2
        assert {"latitude", "longitude"} <= set(column.coords)


@pytest.mark.parametrize("how", ["option", "variable", "current folder"])
def test_the_workspace_gives_the_default_sets(run, orbit, workspace, monkeypatch, how):
    """Without -a the workspace's profiles/ and cams/ are used, the profiles as the primary."""
    args = []
    if how == "option":
        args = ["-w", workspace.folder]
    elif how == "variable":
        monkeypatch.setenv("DACNO2_S5P_WORKSPACE", str(workspace.folder))
    else:
        monkeypatch.chdir(workspace.folder)
    assert run("reretrieve", orbit, *args).status == 0
    out = orbit.with_name(f"{orbit.stem}_DACNO2-CAMS.nc")
    assert product_attribute(out, "apriori_primary") == "DACNO2"


def test_a_default_set_of_another_day_is_left_out(run, orbit, workspace, tmp_path):
    """Of the workspace only the sets that hold the orbit's day are used."""
    (tmp_path / "profiles").mkdir()
    write_profiles(tmp_path / "profiles" / "no2.nc", day="2019-06-09")
    shutil.copytree(workspace.cams, tmp_path / "cams")
    outcome = run("reretrieve", orbit, "-w", tmp_path, "-v")
    assert outcome.status == 0
    assert "Set dacno2 is left out" in outcome.err
    assert names(orbit.parent) == sorted([orbit.name, f"{orbit.stem}_CAMS.nc"])


def test_a_damaged_default_set_is_left_out_with_a_warning(run, orbit, workspace, tmp_path):
    """A default folder that cannot be read never disappears in silence."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "no2.nc").write_bytes(b"\x89HDF\r\n\x1a\n no more")
    shutil.copytree(workspace.cams, tmp_path / "cams")
    outcome = run("reretrieve", orbit, "-w", tmp_path)
    assert outcome.status == 0
    assert len(outcome.err.splitlines()) == 1
    assert outcome.err.startswith("WARNING: Set dacno2 is left out: ")


def test_several_orbits_go_into_a_folder_that_is_made(reretrieve, orbit, tmp_path):
    """With several orbits -o is a folder; results keep the orbits' names."""
    second = shutil.copy(orbit, orbit.with_name("second.nc"))
    out = tmp_path / "new" / "folder"
    assert reretrieve("-o", out, orbits=[orbit, second]).status == 0
    assert names(out) == sorted([f"{orbit.stem}_DACNO2.nc", "second_DACNO2.nc"])


def test_an_existing_folder_takes_a_single_orbit(reretrieve, orbit, tmp_path):
    """With -o an existing folder one orbit goes into it under its default name."""
    (tmp_path / "out").mkdir()
    assert reretrieve("-o", tmp_path / "out").status == 0
    assert names(tmp_path / "out") == [f"{orbit.stem}_DACNO2.nc"]


def test_overwrite_replaces_the_output(reretrieve, orbit):
    """With --overwrite an existing file is replaced by the new result."""
    out = orbit.with_name("out.nc")
    out.write_text("old")
    assert reretrieve("-o", out, "--overwrite").status == 0
    assert h5py.is_hdf5(out)


def test_json_holds_the_summary(reretrieve, orbit):
    """--json prints nothing but JSON, with the statistics of TM5 and of each set."""
    outcome = reretrieve("--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert set(found) == {
        "orbit",
        "output",
        "scanlines",
        "ground_pixels",
        "n_common",
        "qa_threshold",
        "products",
        "assumptions",
    }
    assert found["orbit"] == orbit.name
    assert found["scanlines"] == [0, SHAPE[0]]
    assert [product["name"] for product in found["products"]] == ["TM5", "DACNO2"]
    product = found["products"][1]
    assert sum(product["flags"].values()) == SHAPE[0] * SHAPE[1]
    assert 0 < product["mean_amf"] < 10


def test_json_knows_no_nan(reretrieve):
    """Where no pixel passes the filter the means are null, which every JSON reader knows."""
    outcome = reretrieve("--json", "--qa", "100")
    assert outcome.status == 0

    def refuse(name):
        raise AssertionError(name)

    found = json.loads(outcome.out, parse_constant=refuse)
    assert found["n_common"] == 0
    assert found["products"][1]["mean_column"] is None


def test_json_of_several_orbits_is_a_list(reretrieve, orbit):
    """Several orbits give a list, one entry each."""
    second = shutil.copy(orbit, orbit.with_name("second.nc"))
    found = json.loads(reretrieve("--json", orbits=[orbit, second]).out)
    assert [entry["orbit"] for entry in found] == [orbit.name, "second.nc"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_shows_the_plan_and_writes_nothing(reretrieve, orbit, tmp_path, as_json):
    """--dry-run names output, crop and sets; no file and no folder appears."""
    args = ["--json"] if as_json else []
    second = shutil.copy(orbit, orbit.with_name("second.nc"))
    outcome = reretrieve("--dry-run", "-o", tmp_path / "new", *args, orbits=[orbit, second])
    assert (outcome.status, outcome.err) == (0, "")
    assert f"{orbit.stem}_DACNO2.nc" in outcome.out
    if as_json:
        plans = json.loads(outcome.out)
        assert plans[0]["scanlines"] == [0, SHAPE[0]]
        assert plans[0]["sets"]["DACNO2"].startswith("profile file, 1 field")
    assert not (tmp_path / "new").exists()
    assert names(orbit.parent) == sorted([orbit.name, "second.nc"])


def test_the_file_says_how_it_was_made(reretrieve, orbit, workspace):
    """Inputs with checksums, options and versions stand in the attributes of PRODUCT."""
    out = orbit.with_name("out.nc")
    assert reretrieve("-o", out, "--above-vmr", "50").status == 0
    assert json.loads(product_attribute(out, "apriori_options"))["above_vmr_ppt"] == 50.0
    inputs = product_attribute(out, "apriori_inputs").splitlines()
    assert [line.split(" sha256:")[0] for line in inputs] == [
        f"orbit: {orbit.name}",
        f"DACNO2: no2_{DAY}.nc",
    ]
    with netCDF4.Dataset(out) as file:
        assert "dacno2-s5p" in file.history.splitlines()[-1]
