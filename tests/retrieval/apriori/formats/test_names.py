"""File names taken apart."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.apriori.formats.names import (
    dates_in_name,
    parse_cams_europe,
    parse_cams_global,
)
from retrieval.files.names import parse_ctm, parse_s5p

OFFL = "S5P_OFFL_L2__NO2____20200303T013547_20200303T031717_12367_01_010302_20200306T053815"


@pytest.mark.parametrize("suffix", ["", "_eu", "_reduced", "_reduced_eu", ".SEN3"])
def test_orbit_names_are_strict_in_the_stem_and_lenient_behind_it(suffix):
    """The 83 characters of the stem are taken apart, whatever follows."""
    name = parse_s5p(f"/data/{OFFL}{suffix}.nc")
    assert name is not None
    assert (name.stem, name.suffix) == (OFFL, suffix)
    assert (name.stream, name.product, name.orbit) == ("OFFL", "L2__NO2___", 12367)
    assert (name.collection, name.processor_version) == ("01", (1, 3, 2))
    assert name.start == np.datetime64("2020-03-03T01:35:47")
    assert name.created == np.datetime64("2020-03-06T05:38:15")


def test_the_withdrawn_pal_stream_is_an_orbit_too():
    """S5P-PAL names have the stream `PAL_`."""
    name = parse_s5p(OFFL.replace("OFFL", "PAL_") + ".nc")
    assert name is not None and name.stream == "PAL_"


@pytest.mark.parametrize(
    "name", ["orbit.nc", OFFL[:-3] + ".nc", OFFL.replace("20200303T013547", "20201303T013547")]
)
def test_other_names_are_no_orbits(name):
    """Short stems and impossible dates are not taken apart."""
    assert parse_s5p(name) is None


def test_ctm_names():
    """Product and times of an AUX_CTMANA name."""
    name = parse_ctm("S5P_OPER_AUX_CTMANA_20200303T000000_20200304T000000_20200312T124106.nc")
    assert name is not None
    assert (name.product, str(name.end)) == ("AUX_CTMANA", "2020-03-04T00:00:00.000")
    assert parse_ctm("cams.eaq.vra.ENSa.no2.l0.2019-01.nc") is None


@pytest.mark.parametrize(
    "subset", ["", ".area-subset.54.9.42.-5", ".area-subset.54.0.9.5.42.5.-5.25"]
)
def test_cams_european_names(subset):
    """Level, month and model, with or without a token for the area."""
    name = parse_cams_europe(f"cams.eaq.ira.CHIMEREa.no2.l5000.2023-12{subset}.nc")
    assert name is not None
    assert (name.stage, name.model, name.species, name.level) == ("ira", "CHIMERE", "no2", 5000)
    assert name.month == np.datetime64("2023-12")
    assert name.subset == subset[1:]
    assert parse_cams_europe("cams.eaq.ira.CHIMEREa.no2.2023-12.nc") is None


def test_cams_global_names():
    """Run, step and parameter of the FTP service."""
    name = parse_cams_global("z_cams_c_ecmf_20190601120000_prod_fc_ml_003_no2.grib")
    assert name is not None
    assert (name.type, name.leveltype, name.step, name.parameter) == ("fc", "ml", 3, "no2")
    assert name.base == np.datetime64("2019-06-01T12:00")
    assert parse_cams_global("z_cams.nc") is None


@pytest.mark.parametrize(
    ("name", "periods"),
    [
        ("no2_20190630.nc", [("2019-06-30", "2019-06-30")]),
        ("no2_2019-06-30_v2.nc", [("2019-06-30", "2019-06-30")]),
        ("x.no2.l0.2020-02.nc", [("2020-02-01", "2020-02-29")]),
        ("no2_201906.nc", []),
        ("no2_20190631.nc", []),
        ("z_cams_c_ecmf_20190601120000_prod.nc", []),
        ("profiles.nc", []),
    ],
)
def test_dates_in_names(name, periods):
    """Days and months with separators are dates; other digits are not."""
    assert [(str(a), str(b)) for a, b in dates_in_name(name)] == periods
