"""Draw the distributions of simulated orbits beside typical numbers and a real scene.

Air mass factors, averaging kernels by pressure, quality values, clouds and precisions of one or
more simulated L2 files (the demo writes some). Grey bands are the typical values of
docs/equations.md 2.7 and 10.2; dashed lines are a real scene, where one is given (its angles,
quality values and total air mass factor are reconstructed, its kernels and tropospheric air mass
factor its own). Run: `python -m cli.evidence.distributions ORBIT.nc...
[--real SCENE.nc] [-o FIGURE.png]`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from retrieval.l2.open_orbit import open_orbit
from retrieval.physics.air_mass_factors import temperature_correction
from retrieval.physics.constants import MOLEC_CM2_PER_MOL_M2

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

NO2 = "nitrogendioxide"
WANTED = (
    "air_mass_factor_troposphere",
    "air_mass_factor_stratosphere",
    f"{NO2}_tropospheric_column",
    f"{NO2}_tropospheric_column_precision",
    f"cloud_radiance_fraction_{NO2}_window",
    f"cloud_fraction_crb_{NO2}_window",
    "solar_zenith_angle",
    "viewing_zenith_angle",
)


@dataclass
class Scene:
    """What is drawn of one or more files: flat arrays over their retrieved pixels."""

    label: str
    values: dict[str, NDArray[np.floating]]
    pressure: NDArray[np.floating]
    kernel: NDArray[np.floating]
    qa: NDArray[np.floating]

    @property
    def is_clear(self) -> NDArray[np.bool_]:
        """Recommended pixels with little cloud, by light or else by area."""
        light = self.values.get(f"cloud_radiance_fraction_{NO2}_window")
        area = self.values[f"cloud_fraction_crb_{NO2}_window"]
        return (self.qa > 75) & (light < 0.1 if light is not None else area < 0.03)


def read(paths: list[Path], label: str) -> Scene:
    """Read the retrieved pixels of some orbits."""
    parts: list[Scene] = []
    for path in paths:
        with open_orbit(path) as orbit:
            crop = orbit.full
            kernel = orbit.read_kernel(crop)
            qa, _ = orbit.read_integer("qa_value", crop)
            edges = orbit.pressure_edges(orbit.read("surface_pressure", crop))
            keep = np.isfinite(kernel).all(axis=-1)
            middle = 0.5 * (edges[..., 1:] + edges[..., :-1])
            values = {n: orbit.read(n, crop)[keep] for n in WANTED if orbit.has(n)}
            parts.append(Scene(label, values, middle[keep], kernel[keep], qa[keep]))
    names = parts[0].values
    return Scene(
        label,
        {n: np.concatenate([p.values[n] for p in parts]) for n in names},
        *(np.concatenate([getattr(p, n) for p in parts]) for n in ("pressure", "kernel", "qa")),
    )


def histogram(axis: Axes, scenes: list[Scene], name: str, bins: NDArray[np.floating]) -> None:
    """Draw the distribution of a variable over clear pixels, as a share of them."""
    for scene, style in zip(scenes, STYLES, strict=False):
        if name not in scene.values:
            continue
        found = scene.values[name][scene.is_clear]
        found = found[np.isfinite(found)]
        weights = np.full(found.size, 100.0 / max(found.size, 1))
        axis.hist(found, list(bins), weights=weights, histtype="step", label=scene.label, **style)


STYLES: tuple[dict[str, Any], ...] = (
    {"color": "tab:blue", "linewidth": 1.8},
    {"color": "tab:orange", "linewidth": 1.8, "linestyle": "--"},
)


def band(axis: Axes, low: float, high: float, text: str, *, vertical: bool = True) -> None:
    """Shade typical values."""
    span = axis.axvspan if vertical else axis.axhspan
    span(low, high, color="0.85", zorder=0, label=text)


def draw_amf(axis: Axes, scenes: list[Scene]) -> None:
    """Draw air mass factors of the troposphere."""
    band(axis, 0.6, 1.8, "typical: polluted 0.6 to clean 1.8")
    histogram(axis, scenes, "air_mass_factor_troposphere", np.arange(0.0, 3.01, 0.06))
    axis.set(xlabel="tropospheric air mass factor, clear pixels [1]", ylabel="share [%]")


def draw_ratio(axis: Axes, scenes: list[Scene]) -> None:
    """Draw stratospheric over geometric air mass factors, clear and cloudy."""
    scene = scenes[0]
    sun, view = (np.cos(np.deg2rad(scene.values[f"{n}_zenith_angle"])) for n in SIDES)
    ratio = scene.values["air_mass_factor_stratosphere"] / (1.0 / sun + 1.0 / view)
    band(axis, 0.98, 1.05, "typical: 0.98 to 1.05")
    bins = np.arange(0.94, 1.101, 0.004)
    clear = scene.is_clear
    cloudy = scene.values[f"cloud_radiance_fraction_{NO2}_window"] > 0.5
    for chosen, label, style in zip(
        (clear, cloudy), ("clear", "cloudy (w > 0.5)"), STYLES, strict=True
    ):
        share = np.full(chosen.sum(), 100.0 / max(chosen.sum(), 1))
        axis.hist(ratio[chosen], list(bins), weights=share, histtype="step", label=label, **style)
    axis.set(xlabel="stratospheric over geometric air mass factor [1]", ylabel="share [%]")


SIDES = ("solar", "viewing")


def draw_kernel(axis: Axes, scenes: list[Scene]) -> None:
    """Draw median and 5-95 % of the total kernel of clear pixels, by layer."""
    for scene, style in zip(scenes, STYLES, strict=False):
        clear = scene.is_clear
        pressure = np.median(scene.pressure[clear], axis=0) / 100.0
        low, middle, high = np.percentile(scene.kernel[clear], [5, 50, 95], axis=0)
        axis.plot(middle, pressure, label=f"{scene.label}: median, 5-95 %", **style)
        axis.fill_betweenx(pressure, low, high, color=style["color"], alpha=0.15)
    axis.set(
        xlabel="averaging kernel, clear pixels [1]",
        ylabel="pressure [hPa]",
        ylim=(1020, 50),
        xlim=(0, 2.2),
    )


def draw_tropospheric_kernel(axis: Axes, scenes: list[Scene]) -> None:
    """Draw the kernel over its value at 300 hPa: the shape alone, free of the a priori."""
    for scene, style in zip(scenes, STYLES, strict=False):
        clear = scene.is_clear
        pressure = np.median(scene.pressure[clear], axis=0)
        at_300 = int(np.abs(pressure - 30000.0).argmin())
        shape = scene.kernel[clear] / scene.kernel[clear, at_300, None]
        low, middle, high = np.percentile(shape, [5, 50, 95], axis=0)
        axis.plot(middle, pressure / 100.0, label=scene.label, **style)
        axis.fill_betweenx(pressure / 100.0, low, high, color=style["color"], alpha=0.15)
    standard = np.maximum(288.15 * (TABLE_PRESSURE / 1013.25) ** 0.190263, 216.65)
    for albedo, values in TABLE.items():
        corrected = values * temperature_correction(standard)
        axis.plot(
            corrected / corrected[TABLE_PRESSURE == 300],
            TABLE_PRESSURE,
            "k.",
            markersize=3 + 60 * albedo,
            label=f"light model: SZA 30, nadir, albedo {albedo}",
        )
    axis.set(xlabel="kernel over its value at 300 hPa [1]", ylabel="pressure [hPa]")
    axis.set(ylim=(1020, 100), xlim=(0, 1.4))


TABLE_PRESSURE = np.array([1000, 950, 900, 850, 800, 700, 600, 500, 400, 300, 200, 100])
TABLE = {
    0.03: np.array([0.57, 0.73, 0.87, 1.0, 1.12, 1.35, 1.56, 1.74, 1.91, 2.04, 2.15, 2.21]),
    0.08: np.array([1.10, 1.22, 1.32, 1.42, 1.51, 1.67, 1.81, 1.94, 2.05, 2.14, 2.20, 2.22]),
}
"""Box air mass factors of docs/equations.md 10.2."""


def draw_quality(axis: Axes, scenes: list[Scene]) -> None:
    """Draw quality values."""
    bins = np.arange(-1.5, 104.0, 3.0)
    for scene, style in zip(scenes, STYLES, strict=False):
        weights = np.full(scene.qa.size, 100.0 / scene.qa.size)
        share = 100.0 * (scene.qa > 75).mean()
        label = f"{scene.label}: {share:.0f} % above 0.75"
        axis.hist(scene.qa, list(bins), weights=weights, histtype="step", label=label, **style)
    axis.axvline(75, color="0.5", linewidth=0.8)
    axis.set(xlabel="qa_value [%], retrieved pixels", ylabel="share [%]", yscale="log")


def draw_clouds(axis: Axes, scenes: list[Scene]) -> None:
    """Draw what clouds do to air mass factors."""
    scene = scenes[0]
    w = scene.values[f"cloud_radiance_fraction_{NO2}_window"]
    f = scene.values[f"cloud_fraction_crb_{NO2}_window"]
    rng = np.random.default_rng(0)
    some = rng.permutation(w.size)[:4000]
    axis.plot(f[some], w[some], ",", color="tab:blue", label="simulated pixels")
    axis.plot(
        [0.1, 0.2, 0.3],
        [0.40, 0.60, 0.72],
        "ks",
        markersize=5,
        label="SZA 45, albedo 0.05 (docs/equations.md 2.5)",
    )
    axis.set(xlabel="effective cloud fraction [1]", ylabel="cloud radiance fraction [1]")
    axis.set_title(f"{100 * (w > 0.5).mean():.0f} % of pixels above 0.5", fontsize=9)


def draw_precision(axis: Axes, scenes: list[Scene]) -> None:
    """Draw the precision against the column: noise floor, then a relative error."""
    for scene, style in zip(scenes, STYLES, strict=False):
        keep = scene.qa > 75
        scale = MOLEC_CM2_PER_MOL_M2 / 1e15
        column = scene.values[f"{NO2}_tropospheric_column"][keep] * scale
        sigma = scene.values[f"{NO2}_tropospheric_column_precision"][keep] * scale
        bins = np.arange(-2.0, 20.1, 1.0)
        middle, medians = 0.5 * (bins[1:] + bins[:-1]), []
        for low, high in pairwise(bins):
            found = sigma[(column >= low) & (column < high)]
            medians.append(np.median(found) if found.size > 20 else np.nan)
        axis.plot(middle, medians, label=scene.label, **style)
    v = np.linspace(2, 20, 10)
    axis.fill_between(v, 0.15 * v, 0.3 * v, color="0.85", zorder=0, label="15-30 % of the column")
    axis.axhline(0.7, color="0.5", linewidth=0.8, label="mission requirement 0.7")
    axis.set(
        xlabel="tropospheric column [10$^{15}$ molec cm$^{-2}$]",
        ylabel="median precision [10$^{15}$ molec cm$^{-2}$]",
    )


def draw_columns(axis: Axes, scenes: list[Scene]) -> None:
    """Draw tropospheric columns."""
    bins = np.arange(-3.0, 20.1, 0.5)
    for scene, style in zip(scenes, STYLES, strict=False):
        keep = scene.qa > 75
        column = scene.values[f"{NO2}_tropospheric_column"][keep] * MOLEC_CM2_PER_MOL_M2 / 1e15
        column = column[np.isfinite(column)]
        weights = np.full(column.size, 100.0 / column.size)
        label = f"{scene.label}: {100 * (column < 0).mean():.1f} % negative"
        axis.hist(column, list(bins), weights=weights, histtype="step", label=label, **style)
    axis.set(
        xlabel="tropospheric column [10$^{15}$ molec cm$^{-2}$]", ylabel="share [%]", yscale="log"
    )


PANELS = (
    draw_amf,
    draw_ratio,
    draw_kernel,
    draw_tropospheric_kernel,
    draw_quality,
    draw_clouds,
    draw_precision,
    draw_columns,
)


def main(orbits: list[Path], real: Path | None, figure: Path) -> Path:
    """Draw the figure; returns its path."""
    scenes = [read(orbits, "simulated")]
    if real is not None:
        scenes.append(read([real], "real scene"))
    plot, axes = plt.subplots(2, 4, figsize=(18, 8.4), layout="constrained")
    for axis, panel in zip(axes.flat, PANELS, strict=True):
        panel(axis, scenes)
        axis.legend(fontsize=7, loc="best")
    n = scenes[0].qa.size
    plot.suptitle(f"Simulated TROPOMI NO$_2$ (synthetic): {len(orbits)} orbits, {n} pixels")
    plot.savefig(figure, dpi=110)
    plt.close(plot)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("orbits", nargs="+", type=Path, metavar="ORBIT")
    parser.add_argument("--real", type=Path, metavar="SCENE")
    parser.add_argument("-o", "--output", type=Path, default=Path("simulated_orbits.png"))
    given = parser.parse_args()
    print(main(given.orbits, given.real, given.output))
