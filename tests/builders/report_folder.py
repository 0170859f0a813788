"""A small folder as the commands leave it, for tests of the report."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np

from cli.commands.maps import _write_table
from dacno2_s5p.evaluation.evaluate import Row
from dacno2_s5p.evaluation.tables import write_csv
from retrieval.files.provenance import InputFile, Provenance
from retrieval.l3.differences import AreaNumbers

DIGEST = "0123456789abcdef" * 4
CURVES = "phase,step,train_loss,validation_loss\n1,10,2.5,3.25\n1,20,1.5,2.75\n1,30,1.25,2.9375\n"
ATTRIBUTION = (
    "target,height_m,level,group,feature,metric,set,value,unit,completeness_error,"
    "completeness_share\n"
    "stations,0,group,emission,,share,phase1,62.5,%,0.01,0.002\n"
    "stations,0,group,emission,,attribution,phase1,-3.5,ug m-3,0.01,0.002\n"
    "cams,50,feature,emission,roads,share,phase1,12.5,%,0.01,0.002\n"
    "cams,50,all,,,difference,phase1,4.5,ug m-3,0.01,0.002\n"
)
PIXELS = (
    "stratum,product,reference,n_pixel,n_day,mean_column,mean_difference,ratio_of_means,"
    "ratio_of_means_low,ratio_of_means_high\n"
    "sea,TM5,TM5,1200,9,1.1e15,0,0,,\n"
    "sea,CAMS,TM5,1200,9,9.9e14,-1.1e14,-10,-12.5,-7.5\n"
)
SEASON = (
    "# Results\n\nWritten by `make evidence`; [words](../evidence.md) say more. Synthetic data.\n\n"
    "## Predictions\n\n| prediction | found [%] | holds |\n|---|---|---|\n"
    "| `none` raises it | +30.0 (+24.7 to +40.3) | yes |\n"
    "| both | +2.4 (+1.5 to +3.4); +2.1 | no |\n\n"
    "## Change by mode\n\n| area | set | `none` |\n|---|---|---|\n"
    "| domain | CAMS | -28.7 (-40.8 to -22.6) |\n| domain | TM5 | 0.0 |\n"
)
SCORE = {"rmse": 4e14, "slope": 0.9, "hotspot_bias_percent": -6.0, "n": 40000}


def png(width: int = 40, height: int = 30, shade: int = 128) -> bytes:
    """Return a grey PNG."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\x00" + bytes([shade]) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def score_rows(sets: tuple[str, ...] = ("phase2", "phase3", "CAMS-2km")) -> list[Row]:
    """Return rows of stations and columns, one worse set after the other."""
    rows = []
    for i, name in enumerate(sets):
        days = (3.0 + i, 5.0 + i)
        rows += [
            Row("stations", "all", "rmse", name, 4.0 + i, 365, days=days),
            Row("stations", "all", "r2", name, 0.8 - 0.1 * i, 365),
            Row("layers", "50 m", "bias", name, -0.5 - i, 900, height=50.0),
            Row("columns", "Paris, 0-1000 m", "mean [molec cm-2]", name, 4.2e15, 77),
        ]
    return rows


def build_evaluation(folder: Path) -> Path:
    """Write what `evaluate` writes."""
    folder.mkdir(parents=True)
    write_csv(folder / "scores.csv", score_rows())
    (folder / "scores.md").write_text(
        "# Evaluation\n\n- 365 days, 11-13 UTC\n\n## Against\n\n| a |\n| --- |\n| 1 |\n",
        encoding="utf-8",
    )
    for i, name in enumerate(("stations", "layers", "profiles")):
        (folder / f"{name}.png").write_bytes(png(1600, 900, 60 + 60 * i))
    return folder


def build_maps(folder: Path) -> Path:
    """Write what `maps` writes, with an SVG figure."""
    folder.mkdir(parents=True)
    nan = float("nan")
    numbers = [
        AreaNumbers(
            area, "DACNO2", "TM5", 900, 1.4e15, 1.5e15, -5.25, -4.75, -4.0, *(-9.0, 2.0),
            *(-1e14, -2e14, nan), ratio_of_means_low=-5.5, ratio_of_means_high=-5.0,
        )
        for area in ("domain", "Paris")
    ]  # fmt: skip
    _write_table(folder / "numbers.csv", numbers)
    (folder / "figure7.svg").write_text(
        '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 600" '
        'width="900pt" height="600pt"><rect width="900" height="600" fill="teal"/></svg>\n',
        encoding="utf-8",
    )
    return folder


def build_demo(folder: Path) -> Path:
    """Write the tables and one figure of `demo`, and the head of an orbit."""
    (folder / "figures").mkdir(parents=True)
    columns = {
        name: {**SCORE, "bias": bias, "background_bias_percent": 1.0 + bias / 1e14}
        for name, bias in (("TM5", -4e13), ("CAMS", 2e13), ("TRUTH", 1e12))
    }
    change = {"ratio_of_means": 2.5, "mean_of_cells": 1.5, "median": 1.25, "p5": -16, "p95": 19}
    part = {
        "columns": columns,
        "strata": {"land": columns},
        "relative_change_percent": {"CAMS_vs_TM5": {"domain": change}},
    }
    summary = {"data": "synthetic", "date": "2023-06-01", "mode": "upper", **part}
    text = json.dumps({**summary, "modes": {"none": part}})
    (folder / "summary.json").write_text(text, encoding="utf-8")
    (folder / "table.md").write_text(
        "# Columns (synthetic)\n\nThe headline is mode `upper`.\n\n- **TM5**: 1 degree\n",
        encoding="utf-8",
    )
    (folder / "figures" / "columns.png").write_bytes(png(1500, 800))
    return folder


def write_orbit(path: Path) -> Path:
    """Write the attributes of a re-retrieved orbit."""
    origin = Provenance(
        "dacno2-s5p reretrieve ORBIT.nc -a cams=cams",
        "2026-11-22T15:00:00Z",
        {"dacno2-s5p": "0.1.0", "numpy": "2.4"},
        (InputFile("ORBIT.nc", "orbit", DIGEST),),
        {"above": "upper"},
    )
    with h5py.File(path, "w") as file:
        file.attrs["title"] = "an orbit (synthetic)"
        product = file.create_group("PRODUCT")
        for name, text in origin.as_attributes().items():
            product.attrs[f"apriori_{name}"] = text
    return path


def write_gridded(path: Path) -> Path:
    """Write the attributes of gridded means."""
    with h5py.File(path, "w") as file:
        file.attrs["product_labels"] = '["TM5", "DACNO2"]'
        file.attrs["pixel_filter"] = "stored qa_value > 75"
        file.attrs["input_files"] = "A.nc\nORBIT.nc"
        file.attrs["n_orbit"] = np.int32(2)
        file.attrs["data"] = "measured"
        file.attrs["history"] = "2026-11-22T16:00:00Z dacno2-s5p grid A.nc ORBIT.nc -o june.nc"
    return path


def build_folder(folder: Path) -> Path:
    """Write products of all commands, a file of no command, and damaged ones."""
    build_evaluation(folder / "evaluation")
    build_maps(folder / "june_maps")
    build_demo(folder / "demo")
    write_orbit(folder / "ORBIT_CAMS.nc")
    write_gridded(folder / "june.nc")
    (folder / "run" / "phase1").mkdir(parents=True)
    (folder / "run" / "phase1" / "curves.csv").write_text(CURVES, encoding="utf-8")
    (folder / "run" / "curves.png").write_bytes(png())
    (folder / "attribution").mkdir()
    (folder / "attribution" / "attribution.csv").write_text(ATTRIBUTION, encoding="utf-8")
    (folder / "june_strata.csv").write_text(PIXELS, encoding="utf-8")
    (folder / "season").mkdir()
    (folder / "season" / "season.csv").write_text("area\n", encoding="utf-8")
    (folder / "season" / "results.md").write_text(SEASON, encoding="utf-8")
    (folder / "season" / "errors.png").write_bytes(png())
    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    (folder / "broken.nc").write_bytes(b"\x89HDF\r\n\x1a\n and no more")
    (folder / "evaluation" / "series.png").write_bytes(b"no figure")
    return folder
