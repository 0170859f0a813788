"""Fit the constants of the transport to the CAMS targets of a store, and draw the curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cli.console import progress_bar
from dacno2_s5p.errors import ConfigurationError
from dacno2_s5p.store.chunks import read_array
from dacno2_s5p.store.store import static_path
from dacno2_s5p.store.transported import Transported, TransportedFiles, with_transport
from dacno2_s5p.transport.constants import FITTED
from dacno2_s5p.transport.fit import fit_constants
from dacno2_s5p.twin.network_days import TwinInputs
from dacno2_s5p.twin.twin import Twin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from dacno2_s5p.inputs.grid import ModelGrid
    from dacno2_s5p.inputs.variables import InputTable, Preparation
    from dacno2_s5p.sources.paths import SourcePaths
    from dacno2_s5p.store.store import Store
    from dacno2_s5p.transport.days import HourlySource
    from dacno2_s5p.transport.fit import Fit
    from dacno2_s5p.twin.training_store import TwinDays

LABELS = {
    "wind_height": "height of the wind / depth",
    "day_lifetime": "lifetime by day (h)",
    "night_lifetime": "lifetime by night (h)",
    "exchange": "exchange",
}
"""What the axes say."""


def fit_to_store(store: Store, paths: SourcePaths, n_day: int, twin: TwinDays | None) -> Fit:
    """Fit to some training days of a store, evenly spread.

    Parameters
    ----------
    store : Store
        With targets; hourly weather is read from the files it was made of, or from its twin
        world.
    paths : SourcePaths
        The users' files.
    n_day : int
        Days at most.
    twin : TwinDays, optional
        What the store was made of, if it is of a twin world.

    Raises
    ------
    ConfigurationError
        If the store is of a twin world, and that is not given, or another.
    DataError
        If there are too few days, or files are missing.
    """
    training = store.select(split="training")
    chosen = np.unique(np.linspace(0, training.n_day - 1, n_day).round().astype(int))
    days = {training.days[i]: training.cams_field(i) for i in chosen}
    carried = _transported(store, paths, twin)
    try:
        with progress_bar("Reading hourly weather") as progress:
            make = carried.fitting(list(days), progress)
        with progress_bar("Trying constants") as progress:
            return fit_constants(make, days, store.preparation.heights, progress=progress)
    finally:
        if isinstance(carried, TransportedFiles):
            carried.close()


def _transported(store: Store, paths: SourcePaths, twin: TwinDays | None) -> Transported[Any]:
    """Make the transport of a store's days anew, with hourly weather from where it was made."""
    table = store.table.with_groups(["transport"])
    preparation = with_transport(store.preparation, table, {})
    rows = [v.name for group in ("emission", "geography") for v in store.table.group(group)]
    monthly = {v.name for v in store.table.variables if v.source == "cams-glob-ant"}

    def rasters() -> Mapping[str, NDArray[np.float32]]:
        path = static_path(store.folder)
        return {name: read_array(path, name) for name in rows if name not in monthly}

    world = store.manifest["sources"].get("twin")
    if world is None:
        return TransportedFiles(paths, rasters, store.grid, table, preparation)
    if twin is None or twin.world.world(twin.seed) != world:
        msg = (
            f"Invalid recipe. The store {store.folder} must be of its twin world. Given "
            f"{'no recipe' if twin is None else twin.world.world(twin.seed)} for {world}. Give "
            "--recipe with the section data.twin that the store was made with."
        )
        raise ConfigurationError(msg)
    made = Twin(twin.seed, twin.world)

    def of_twin(of: InputTable, prepared: Preparation, grid: ModelGrid) -> HourlySource:
        return TwinInputs(made, of, prepared, grid)

    return Transported(of_twin, rasters, store.grid, table, preparation)


def figure_of(found: Fit) -> Figure:
    """Draw what each constant's values explain of CAMS, a panel each, the one taken marked."""
    from retrieval.maps.axes import new_figure
    from retrieval.maps.style import COLOURS, plain_axes

    drawn = new_figure(17.0, 5.5)
    panels = drawn.subplots(1, len(FITTED), sharey=True)
    for axes, name in zip(panels, FITTED, strict=True):
        values, scores = zip(*found.curves[name], strict=True)
        axes.plot(values, scores, "o-", color=COLOURS[0], markersize=3.0)
        axes.axvline(getattr(found.constants, name), color="0.6", linewidth=0.8)
        axes.set_xlabel(LABELS[name], fontsize=7.5)
        plain_axes(axes)
    panels[0].set_ylabel("share of CAMS explained", fontsize=7.5)
    return drawn
