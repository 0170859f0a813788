"""The gate: a file's own air mass factors come out of its own a priori, or what is wrong is named.

Granules are made with an independent sum; each alternative is a file that was made that way.
"""

from __future__ import annotations

import logging
import re

import netCDF4
import numpy as np
import pytest

import retrieval as rt
from retrieval.l2.open_orbit import open_orbit
from retrieval.substitution.gate import LIMIT, recompute
from tests.builders.model_field import model_field
from tests.builders.tempo_builder import build_tempo


@pytest.fixture
def granule(tmp_path):
    """Return a TEMPO granule whose tropopause is between a layer's middle and its lower edge."""
    path = tmp_path / "TEMPO_NO2_L2_V03_20240601T150000Z_S008G01.nc"
    return build_tempo(path, tropopause_at=215.0)


def store(granule, **values):
    """Write other numbers into a granule."""
    with netCDF4.Dataset(granule.path, "a") as file:
        file.set_auto_maskandscale(False)
        for name, given in values.items():
            file[f"support_data/{name}"][:] = given


def amf(granule, sensitivity, which):
    """Air mass factors by a plain sum."""
    x = granule.profile * which
    return (sensitivity * x).sum(-1) / x.sum(-1)


def test_a_granule_closes_with_its_own_profile(granule):
    """The median difference is that of float32; no other way is nearer."""
    with open_orbit(granule.path) as orbit:
        gate = recompute(orbit)
    assert gate.closes
    assert gate.n_pixel == granule.column.size
    assert gate.chosen.difference < 1e-4  # float32 of weights, profile and temperatures, in percent
    assert gate.others[0].difference >= gate.chosen.difference
    assert len(gate.others) == 11  # 2 orders x 2 factors x 3 rules, less the chosen one
    assert "what_closes" not in gate.as_dict()


def plain(granule):
    """Weights without the factor of the temperature."""
    with netCDF4.Dataset(granule.path) as file:
        return np.asarray(file["support_data/scattering_weights"][:])


@pytest.mark.parametrize(
    ("made", "named"),
    [
        (
            lambda g: amf(g, plain(g), g.is_troposphere),
            "layers as read, without the temperature factor, tropopause by the middle of layers",
        ),
        (
            lambda g: amf(g, g.sensitivity, straddling(g)),
            "layers as read, with the temperature factor, tropopause by the lower edge of layers",
        ),
        (
            lambda g: turned(g),
            "layers turned round, with the temperature factor, tropopause by the middle of layers",
        ),
    ],
    ids=["temperature", "tropopause", "order"],
)
def test_what_closes_is_named(granule, made, named):
    """A file made another way is told, with the way it was made.

    In a pixel the upper edge of layers may count the same ones as their middle; nothing else does.
    """
    store(granule, amf_troposphere=made(granule))
    with open_orbit(granule.path) as orbit:
        gate = recompute(orbit)
    assert not gate.closes
    others = {way.replace("upper edge", "middle") for way in gate.as_dict()["what_closes"]}
    assert others == {named}
    assert named in str(gate)


def straddling(granule):
    """Layers whose lower edge is below the tropopause."""
    with netCDF4.Dataset(granule.path) as file:
        pressure = 100.0 * np.asarray(file["support_data/tropopause_pressure"][:])
    return granule.edges[..., :-1] > pressure[..., None]


def turned(granule):
    """Air mass factors of the profile upside down."""
    x = granule.profile[..., ::-1] * granule.is_troposphere
    return (granule.sensitivity * x).sum(-1) / x.sum(-1)


def test_nothing_closes_where_numbers_are_others(granule):
    """Air mass factors of another profile: said so, with the nearest way."""
    store(granule, amf_troposphere=1.37 * granule.amf)
    with open_orbit(granule.path) as orbit:
        gate = recompute(orbit)
    assert gate.chosen.difference == pytest.approx(100 * (1 - 1 / 1.37), rel=1e-4)
    assert gate.as_dict()["what_closes"] == []
    assert "no order of layers" in str(gate)
    assert gate.others[0].difference > LIMIT


def test_reretrieve_warns_where_the_chosen_way_does_not_close(granule, tmp_path, caplog):
    """One warning; none where it closes."""
    data, _, _ = model_field((39.0, 43.0), (-76.0, -71.0), ["2024-06-01T14:00", "2024-06-01T16:00"])
    source = tmp_path / "model.nc"
    data.to_netcdf(source)
    with caplog.at_level(logging.WARNING):
        rt.reretrieve(granule.path, {"mymodel": source}, tmp_path / "good.nc")
        assert "recomputed" not in caplog.text
        store(granule, amf_troposphere=amf(granule, plain(granule), granule.is_troposphere))
        rt.reretrieve(granule.path, {"mymodel": source}, tmp_path / "bad.nc")
    assert re.search(r"they come out with layers as read, without the temperature", caplog.text)
