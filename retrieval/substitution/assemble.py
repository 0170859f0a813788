"""Collect the blocks of an orbit into the fields of the result, with their precisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retrieval.l2.orbit import FIELDS, Orbit
from retrieval.l2.pixels import Crop, Pixels
from retrieval.l2.product.results import SubstitutionFlag
from retrieval.l2.product.table import ProductTable, SetTable
from retrieval.physics import air_mass_factors as airmass

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.substitution.options import Options
    from retrieval.substitution.recompute import SetColumns
    from retrieval.typing import Float

    Stored = NDArray[np.float32]

ENSEMBLE = "standard deviation of 1/M' over the sets and {own}"
OWN_UNCERTAINTY = "no2_uncertainty of the set through dM'/dn"


class Assembly:
    """Output arrays of one orbit, filled block by block.

    Parameters
    ----------
    orbit, crop, options
        The file, the part in use, the choices.
    names : list of str
        Names of the sets, the primary first.
    """

    def __init__(self, orbit: Orbit, crop: Crop, options: Options, names: list[str]) -> None:
        self._shape = crop.shape
        self._names = orbit.names
        self._is_reversed = orbit.is_reversed
        has = {field for field in FIELDS if orbit.has_field(field)}
        has |= {name for name in ("kernels", "profiles") if getattr(options, name)}
        self._sets = [SetTable.empty(name, crop.shape, orbit.n_layer, has) for name in names]
        has_strat = orbit.has_field("stratospheric_column", "amf_stratosphere", "amf_total")
        self._tm5 = self._empty() if has_strat else None
        own = self._names.apriori
        self._ensemble = ENSEMBLE.format(own=own)
        pairs = [(name, own) for name in names] + [(names[0], name) for name in names[1:]]
        self._relative = {pair: self._empty() for pair in pairs}
        self._error_source = dict.fromkeys(names, self._ensemble)

    def _empty(self) -> Stored:
        return np.full(self._shape, np.nan, dtype=np.float32)

    def store(
        self,
        rows: slice,
        whole: Pixels,
        index: NDArray[np.intp],
        block: Pixels,
        done: list[SetColumns],
    ) -> None:
        """Store one block.

        Parameters
        ----------
        rows : slice
            Its scanlines, relative to the crop.
        whole : Pixels
            All its pixels.
        index : ndarray of int, shape (n,)
            Those that were computed.
        block : Pixels
            The same, `whole.take(index)`.
        done : list of SetColumns
            New quantities, one entry a set.
        """
        target = _Target(rows, (rows.stop - rows.start, self._shape[1]), index)
        inverse = np.stack([1.0 / part.amf for part in done] + [1.0 / block.amf_troposphere])
        error = np.nan_to_num(airmass.profile_error(inverse))
        for fields, part in zip(self._sets, done, strict=True):
            self._store_set(target, fields, part, block, error)
            flag = np.where(
                whole.has_kernel, SubstitutionFlag.NO_TROPOPAUSE, SubstitutionFlag.NO_KERNEL
            ).astype(np.uint8)
            flag[index] = part.flag
            fields.substitution_flag[rows] = flag.reshape(target.shape)
            target.scatter(fields.substitution_warning, part.warning)
        if (
            self._tm5 is not None
            and block.amf_stratosphere is not None
            and block.amf_total is not None
            and block.stratospheric_column is not None
        ):
            column = airmass.tm5_apriori_column(
                block.amf_total,
                block.amf_troposphere,
                block.amf_stratosphere,
                block.stratospheric_column,
            )
            target.scatter(self._tm5, column)
        amf = {fields.name: part.amf for fields, part in zip(self._sets, done, strict=True)}
        amf[self._names.apriori] = block.amf_troposphere
        for (name, reference), change in self._relative.items():
            target.scatter(change, 100.0 * (amf[reference] / amf[name] - 1.0))

    def _store_set(
        self, target: _Target, fields: SetTable, part: SetColumns, block: Pixels, error: Float
    ) -> None:
        column = airmass.substituted_column(block.column, block.amf_troposphere, part.amf)
        target.scatter(fields.tropospheric_column, column)
        target.scatter(fields.air_mass_factor_troposphere, part.amf)
        target.scatter(fields.apriori_tropospheric_column, part.column)
        target.scatter(fields.apriori_tropospheric_column_kernel, part.kernel_column)
        target.scatter(fields.apriori_fraction_above_top, part.fraction_above)
        target.scatter(fields.footprint_coverage, part.coverage)
        if block.precision_kernel is not None:
            random = block.precision_kernel * (block.amf_troposphere / part.amf)
            relative_variance = error**2
            if part.relative_error is not None:
                self._error_source[fields.name] = f"{self._ensemble}; {OWN_UNCERTAINTY}"
                relative_variance = relative_variance + np.nan_to_num(part.relative_error) ** 2
            precision = np.sqrt(random**2 + relative_variance * column**2)
            target.scatter(fields.tropospheric_column_precision_kernel, random)
            target.scatter(fields.tropospheric_column_precision, precision)
        if block.stratospheric_column is not None:
            target.scatter(fields.summed_total_column, column + block.stratospheric_column)
            if block.amf_stratosphere is not None:
                total = airmass.total_air_mass_factor(
                    part.amf, part.column, block.amf_stratosphere, block.stratospheric_column
                )
                target.scatter(fields.air_mass_factor_total, total)
        if fields.averaging_kernel_troposphere is not None:
            kernel = airmass.tropospheric_kernel(block.weights, part.amf, block.is_troposphere)
            kernel[~np.isfinite(part.amf)] = np.nan
            target.scatter(fields.averaging_kernel_troposphere, kernel)
        target.scatter(fields.apriori_partial_column, part.partial_column)

    def result(self, attributes: list[dict[str, str | int | float]]) -> ProductTable:
        """Hand over the result, with the provenance of each set."""
        for fields, given in zip(self._sets, attributes, strict=True):
            fields.attributes = {**given, "profile_error_source": self._error_source[fields.name]}
            if self._is_reversed:  # as the other variables of the file are
                fields.averaging_kernel_troposphere = _flipped(fields.averaging_kernel_troposphere)
                fields.apriori_partial_column = _flipped(fields.apriori_partial_column)
        return ProductTable(self._names, self._sets, self._tm5, self._relative)


def _flipped(values: Float | None) -> Float | None:
    return None if values is None else values[..., ::-1]


class _Target:
    """Where the computed pixels of a block go in the output arrays."""

    def __init__(self, rows: slice, shape: tuple[int, int], index: NDArray[np.intp]) -> None:
        self.rows, self.shape, self.index = rows, shape, index

    def scatter(self, target: NDArray[np.generic] | None, values: NDArray[np.generic]) -> None:
        """Put values (n, ...) into an output array; nothing where there is no such field."""
        if target is None:
            return
        flat = target[self.rows].reshape(self.shape[0] * self.shape[1], *values.shape[1:])
        flat[self.index] = values
