"""The chain for one orbit: read, collocate, integrate, recompute; an orbit in, results out.

Block by block of scanlines: the footprint mean of each set (`collocate`), its partial columns in
the pixel's layers (`physics.partial_columns`), the part above and the new air mass factor
(`recompute`).
Every pixel with a kernel, a tropopause and coverage is computed, whatever its quality value.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from retrieval.apriori.base import AprioriSet, levels_text
from retrieval.errors import AprioriError, NoOverlapError, NothingToDoError
from retrieval.l2.blocks import OrbitBlocks
from retrieval.l2.crop import any_within, check_corner_order, locate_pixels
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.l2.product.table import ProductTable
from retrieval.physics.layers import LayeredAtmosphere, StandardAtmosphere
from retrieval.physics.levels import HybridLayers, LocalLayers, PressureLevels
from retrieval.physics.partial_columns import PixelColumns
from retrieval.substitution.above import Top, above_text
from retrieval.substitution.assemble import Assembly
from retrieval.substitution.collocate import Collocator
from retrieval.substitution.options import Above, Options, check_names, rule_of
from retrieval.substitution.recompute import COMPUTED, SetColumns, UpperPart, compute_set
from retrieval.substitution.set_layers import check_layers, edges_between_nodes, on_layers_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from retrieval.apriori.meteorology import Meteo
    from retrieval.l2.orbit import Orbit
    from retrieval.l2.pixels import Crop, Footprints, Pixels
    from retrieval.physics.geometry.footprint import Weights
    from retrieval.physics.layers import Atmosphere
    from retrieval.substitution.atmosphere import MeteoCollocator


logger = logging.getLogger(__name__)


def substitute(
    orbit: Orbit,
    sets: Mapping[str, AprioriSet],
    options: Options | None = None,
    *,
    upper: AprioriSet | None = None,
    meteo: Meteo | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[ProductTable, Crop]:
    """Re-retrieve an orbit with one or more a-priori sets.

    Parameters
    ----------
    orbit : Orbit
        The open L2 file.
    sets : mapping of str to AprioriSet
        Sets by name, the primary first. Names are upper-cased in the result.
    options : Options, optional
        Choices; defaults where absent.
    upper : AprioriSet, optional
        Global set for `Above.UPPER`, common to all sets.
    meteo : Meteo, optional
        Temperatures for layer heights, common to all sets; the standard atmosphere where absent.
    progress : callable, optional
        Called with scanlines done and to do.

    Returns
    -------
    result : ProductTable
        New fields on the crop.
    crop : Crop
        The scanlines and ground pixels they belong to.

    Raises
    ------
    ProductError, AprioriError, NoOverlapError
        If files are damaged, unusable, or do not belong together.
    NothingToDoError
        If no pixel that is valid in the orbit itself lies in the primary set's area.
    ValueError
        If there is no set, names clash, or mode `upper` has no upper set.
    """
    options = options or Options()
    names = check_names(sets)
    _check_own_name(orbit, names)
    check_layers(orbit, options)
    if options.above is Above.UPPER:
        _check_upper(upper)
    primary = next(iter(sets.values()))
    grid = primary.grid if options.crop == "primary" else None
    crop, footprints = locate_pixels(orbit, grid, options.bbox)
    blocks = OrbitBlocks(orbit, crop, footprints, tropopause=options.tropopause)
    times = orbit.scanline_times(crop)
    outline = footprints.outline
    check_corner_order(*outline)
    collocators = [
        Collocator(name, apriori, rule_of(apriori, options), times, outline)
        for name, apriori in zip(names, sets.values(), strict=True)
    ]
    upper_collocator = None
    if options.above is Above.UPPER and upper is not None:
        upper_collocator = Collocator("upper", upper, upper.time_rule, times, outline)
    meteo_collocator = None
    if meteo is not None:
        from retrieval.substitution.atmosphere import MeteoCollocator  # only with --meteo

        meteo_collocator = MeteoCollocator(meteo, times, outline)
    assembly = Assembly(orbit, crop, options, names)
    chain = _Chain(blocks, options, collocators, upper_collocator, meteo_collocator, assembly)
    n_scanline = crop.shape[0]
    for start in range(0, n_scanline, options.block):
        rows = slice(start, min(start + options.block, n_scanline))
        chain.compute(rows)
        if progress is not None:
            progress(rows.stop, n_scanline)
    chain.warn_of_missing_temperatures()
    said = above_text(options.above, options.above_vmr, upper)
    tops = {one.name: Top.of(one.apriori.vertical, options.merge_height) for one in collocators}
    attributes = [
        _attributes(one) | {"top": str(tops[one.name]), "above": said} for one in collocators
    ]
    result = assembly.result(attributes)
    _tell_unlike_tops(result, tops, said)
    _check_any_pixel(result, footprints, primary)
    return result, crop


class _Chain:
    """Everything opened for one orbit; `compute` does one block of scanlines."""

    def __init__(
        self,
        blocks: OrbitBlocks,
        options: Options,
        collocators: list[Collocator],
        upper: Collocator | None,
        meteo: MeteoCollocator | None,
        assembly: Assembly,
    ) -> None:
        self.blocks, self.options, self.assembly = blocks, options, assembly
        self.collocators, self.upper, self.meteo = collocators, upper, meteo
        self._n_missing = dict.fromkeys((one.name for one in collocators), 0)

    def compute(self, rows: slice) -> None:
        whole = self.blocks.read(rows)
        index = np.flatnonzero(whole.has_kernel & whole.has_tropopause)
        block = whole.take(index)
        atmosphere = self._atmosphere(block)
        columns = self._pixel_columns(block, atmosphere)
        upper = None
        if self.upper is not None:
            upper = UpperPart(self.upper.apriori, self.upper.profiles(block.geometry))
        shared: dict[tuple[str, tuple[bytes, ...]], Weights] = {}
        done = []
        for collocator in self.collocators:
            grid = collocator.grid
            key = (grid.crs, grid.identity)
            if key not in shared:
                shared[key] = collocator.weights(block.geometry)
            profiles = collocator.profiles(block.geometry, shared[key])
            apriori = collocator.apriori
            there, air = block, columns
            if air is None:
                orbit, values = self.blocks.orbit, profiles.value
                there, air = on_layers_of(apriori, values, upper, block, orbit, atmosphere)
            done.append(compute_set(apriori, profiles, there, air, self.options, upper))
        self._count_missing(atmosphere, done)
        self.assembly.store(rows, whole, index, block, done)

    def _count_missing(self, atmosphere: Atmosphere, done: list[SetColumns]) -> None:
        """Count the pixels that a set lost for want of a temperature: not all sets need one."""
        if isinstance(atmosphere, LayeredAtmosphere):
            for name, part in zip(self._n_missing, done, strict=True):
                is_lost = atmosphere.is_missing & (part.flag == SubstitutionFlag.BAD_AMF)
                self._n_missing[name] += int(is_lost.sum())

    def warn_of_missing_temperatures(self) -> None:
        """Say how many pixels each set lost where the meteorology has no temperature."""
        for name, n in self._n_missing.items():
            if n:
                logger.warning(
                    "meteo has no temperature at %d pixels of set %s: they are not computed "
                    "(flag 8)",
                    n,
                    name,
                )

    def _atmosphere(self, block: Pixels) -> Atmosphere:
        if self.meteo is None:
            return StandardAtmosphere(block.surface_pressure, block.surface_altitude)
        orbit = self.blocks.orbit
        nodes = orbit.node_pressure
        if nodes is None:
            edges = orbit.pressure_edges(block.surface_pressure)
        else:
            edges = edges_between_nodes(nodes, block.surface_pressure)
        return self.meteo.atmosphere(block.geometry, block.surface_pressure, edges)

    def _pixel_columns(self, block: Pixels, atmosphere: Atmosphere) -> PixelColumns | None:
        """Return the layers of the file over the pixels; None where it has none of its own."""
        if self.blocks.orbit.node_pressure is not None:
            return None
        edges = self.blocks.orbit.pressure_edges(block.surface_pressure)
        return PixelColumns(block.surface_pressure, edges, atmosphere)


def _check_own_name(orbit: Orbit, names: list[str]) -> None:
    """Refuse a set that is called as the product calls its own a priori."""
    own = orbit.names.apriori
    if own in names:
        msg = (
            f"Invalid set name {own}. It must not be that of the a priori of {orbit.path.name} "
            f"itself. Given {', '.join(names)}. Give the set another name."
        )
        raise AprioriError(msg)


def _check_upper(upper: AprioriSet | None) -> None:
    if upper is None:
        msg = "Invalid options. Mode upper needs a global set. Give --upper PATH."
        raise ValueError(msg)
    vertical = upper.vertical
    is_local = isinstance(vertical, LocalLayers) and vertical.is_pressure
    if not (is_local or isinstance(vertical, HybridLayers | PressureLevels)):
        msg = (
            f"The upper set is a {upper.kind} on heights. It must reach the tropopause. "
            "Give an AUX_CTMANA file or CAMS global fields."
        )
        raise AprioriError(msg)


def _attributes(collocator: Collocator) -> dict[str, str | int | float]:
    apriori = collocator.apriori
    return {
        "kind": apriori.kind,
        "levels": levels_text(apriori.vertical),
        "time_rule": str(collocator.rule),
        "fields_used": ", ".join(collocator.times_used),
        "negative_values_counted_as_zero": collocator.n_negative,
        "synthetic": "yes" if apriori.is_synthetic else "no",
    }


def _tell_unlike_tops(result: ProductTable, tops: Mapping[str, Top], above: str) -> None:
    """Comment on changes between two sets that end at unlike heights, and warn of them."""
    for pair in result.relative_change:
        if pair[1] not in tops or tops[pair[0]].is_like(tops[pair[1]]):  # the product's own
            continue
        one, other = pair
        result.comments[pair] = (
            f"The sets end at unlike heights, {one} at {tops[one]} and {other} at {tops[other]}: "
            f"the change is in part that of what stands above ({above})."
        )
        logger.warning(
            "Sets %s and %s end at unlike heights, %s and %s: their change is in part that of what "
            "stands above (%s). Compare sets with one top, or give --merge-height.",
            *(one, other, tops[one], tops[other], above),
        )


def _check_any_pixel(result: ProductTable, footprints: Footprints, primary: AprioriSet) -> None:
    """Stop where a set does not serve a single pixel."""
    for fields in result.sets:
        flag = fields.substitution_flag
        if np.isin(flag, COMPUTED).any():
            continue
        values, counts = np.unique(flag, return_counts=True)
        reasons = ", ".join(
            f"{count} x {SubstitutionFlag(int(value)).name.lower().replace('_', ' ')}"
            for value, count in zip(values, counts, strict=True)
        )
        is_valid = ~np.isin(flag, (SubstitutionFlag.NO_KERNEL, SubstitutionFlag.NO_TROPOPAUSE))
        if not is_valid.any():
            msg = (
                f"No pixel of the crop can be re-retrieved. One at least must be valid in the "
                f"orbit itself. Given {reasons}. Choose another orbit."
            )
            raise NothingToDoError(msg)
        msg = (
            f"Set {fields.name} serves no pixel of the orbit. It must hold NO2 where and when "
            f"the orbit has pixels. Given, read as {fields.attributes['kind']}: {reasons}. "
            "Check its area and times against the orbit's with `dacno2-s5p inspect`."
        )
        # valid pixels that only touch the edge of the area are no fault of a set
        is_missed = any_within(footprints, primary.grid, is_valid)
        raise NoOverlapError(msg) if is_missed else NothingToDoError(msg)
