"""The replace layout: the primary set takes the standard names (docs/formats.md 1.15).

The product of averaging kernel and total air mass factor is the slant sensitivity of each layer;
it does not depend on the a priori. With M'_tot the total air mass factor of the new profile,
A' = A M_total / M'_tot keeps that product, and any reader that derives the tropospheric kernel
as A' M'_tot / M'_trop gets the one for which sum(A'_trop x) = sum(x).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.fills import FILL_FLOAT
from retrieval.files.hdf5_copy import attach_dimensions, blocks, create_like, dimension_paths
from retrieval.l2.names import TROPOSPHERIC_AMF, TROPOSPHERIC_COLUMN
from retrieval.l2.product.table import SET_VARIABLES
from retrieval.l2.product.variables import fill_value, in_units_of, read_text, set_attribute

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.l2.names import SensorNames
    from retrieval.l2.product.table import SetTable
    from retrieval.l2.product.variables import FileWriter

    Float = NDArray[np.float64]


def replace_standard_variables(writer: FileWriter, primary: SetTable) -> list[str]:
    """Give the standard names to the primary set and keep the originals beside them.

    Parameters
    ----------
    writer : FileWriter
        Writer of the copy of the orbit.
    primary : SetTable
        The primary set, on the pixels of the copy.

    Returns
    -------
    list of str
        Standard names that now carry the primary set's own fields; those need no second variable.

    Raises
    ------
    ProductError
        If the orbit lacks the tropospheric column or air mass factor, or has other dimensions.
    """
    names, replaced = writer.names, []
    computed = dict(primary.entries())
    for variable in SET_VARIABLES:
        own = names.own(variable.replaces)
        original = writer.find(own) if own else None
        if original is None:
            continue
        values = computed.get(variable)
        if values is not None and variable.is_column:
            values = in_units_of(names, values)
        new = _replace(writer, original, primary, variable.comment.replace("{S}", primary.name))
        _write_values(writer, new, values)
        writer.link(new, _flag_names(primary.name))
        replaced.append(variable.replaces)
    _check_complete(replaced, names)
    ratio = _replace_total_air_mass_factor(writer, primary)
    if ratio is not None and not names.has_weights:
        _replace_kernel(writer, primary, ratio)
    _replace_total_column(writer, primary, ratio)
    for name in names.not_recomputed:
        original = writer.find(name)
        if original is not None:
            _replace(writer, original, primary, "Fill: it cannot be recomputed for this a priori.")
    return replaced


def _check_complete(replaced: list[str], names: SensorNames) -> None:
    """Refuse an orbit in which the column or its air mass factor could not be replaced."""
    needed = (TROPOSPHERIC_AMF, TROPOSPHERIC_COLUMN)
    missing = [names.own(name) for name in needed if name not in replaced]
    if missing:
        msg = (
            f"Invalid orbit. The replace layout needs {' and '.join(map(names.own, needed))}. "
            f"Given an orbit without {' and '.join(missing)}. Use --layout extend."
        )
        raise ProductError(msg)


def _replace_total_air_mass_factor(writer: FileWriter, primary: SetTable) -> Float | None:
    """Write M'_tot and return M_total / M'_tot, or leave it and return None where unknown."""
    name = writer.names.total_amf
    if not name:  # scattering weights do not depend on the a priori
        return None
    original = writer.find(name)
    if original is None or primary.air_mass_factor_total is None:
        _explain_unchanged(writer, primary.name)
        return None
    computed = np.isfinite(primary.air_mass_factor_troposphere)
    new_amf = np.where(computed, primary.air_mass_factor_total, np.nan).astype(np.float32)
    new_amf[~(new_amf > 0)] = np.nan
    old_amf = _read_with_nan(original)
    comment = (
        "M'_tot = (M' x_trop + M_strat V_strat) / (x_trop + V_strat), x_trop the tropospheric "
        f"column of the {primary.name} a priori."
    )
    _write_values(writer, _replace(writer, original, primary, comment), new_amf)
    # The ratio uses the value as stored, so that kernel times air mass factor keeps to rounding.
    ratio: Float = old_amf.reshape(new_amf.shape) / new_amf.astype(np.float64)
    return ratio


def _explain_unchanged(writer: FileWriter, apriori: str) -> None:
    """Say on kernel and total air mass factor why they stand as they were."""
    names = writer.names
    text = (
        f"Unchanged: a total air mass factor for the {apriori} a priori needs the stratospheric "
        f"variables, which this file lacks. {names.kernel} * {names.total_amf} / {names.amf} is "
        f"the tropospheric kernel of the {apriori} a priori."
    )
    set_attribute(writer.product, "apriori_total_kernel", text)
    for name in (names.kernel, names.total_amf):
        dataset = writer.find(name)
        if dataset is not None:
            past = read_text(dataset, "comment")
            set_attribute(dataset, "comment", "\n".join(part for part in (past, text) if part))


def _replace_kernel(writer: FileWriter, primary: SetTable, ratio: Float) -> None:
    """Write A' = A M_total / M'_tot in blocks of scanlines."""
    original = writer.find(writer.names.kernel)
    if original is None:
        return
    comment = "A M_total / M'_tot: the product with air_mass_factor_total is that of the L2 file."
    new = _replace(writer, original, primary, comment)
    whole = [slice(0, size) for size in original.shape]
    ratios = ratio.reshape(original.shape[:-1])
    writer.fill_in_parts(
        new,
        (
            (
                part,
                _nan_where_fill(original, original[part]) * ratios[part[:-1]][..., None],
            )
            for part, _ in blocks(original, whole)
        ),
    )


def _replace_total_column(writer: FileWriter, primary: SetTable, ratio: Float | None) -> None:
    """Scale the total column with M_total / M'_tot; without that ratio it is fill."""
    name = writer.names.total_column
    original = writer.find(name) if name else None
    if original is None:
        return
    comment = "The column of the L2 file times M_total / M'_tot."
    values = None if ratio is None else _read_with_nan(original).reshape(ratio.shape) * ratio
    if values is None:
        comment = "Fill: the total air mass factor of this a priori is not known."
    _write_values(writer, _replace(writer, original, primary, comment), values)


def _replace(
    writer: FileWriter, original: h5py.Dataset, primary: SetTable, comment: str
) -> h5py.Dataset:
    """Rename an original and create its successor, full of fill, under the old name."""
    name = original.name.split("/")[-1]
    parent = original.parent
    dimensions = dimension_paths(original)
    lead = writer.names.n_leading
    pixels = (*[1] * lead, *primary.air_mass_factor_troposphere.shape)
    if original.shape[: lead + 2] != pixels:
        wanted = ", ".join(path.split("/")[-1] for path in writer.names.pixel_dimensions)
        msg = (
            f"Invalid orbit. {name} must be on ({wanted}). "
            f"Given shape {original.shape}. Use --layout extend."
        )
        raise ProductError(msg)
    kept = f"{name}{writer.names.original_suffix}"
    parent.move(name, kept)
    new = create_like(original, parent, name, original.shape)
    attach_dimensions(new, dimensions)
    set_attribute(new, "comment", f"{comment} The original is {kept}.")
    set_attribute(new, "apriori", primary.name)
    return new


def _write_values(
    writer: FileWriter, dataset: h5py.Dataset, values: NDArray[np.floating] | None
) -> None:
    """Write a field on (scanline, ground_pixel); None leaves the variable full of fill."""
    if values is not None:
        writer.fill(dataset, values.reshape(dataset.shape))


def _read_with_nan(dataset: h5py.Dataset) -> Float:
    """Read a whole variable in float64, NaN where fill."""
    return _nan_where_fill(dataset, dataset[...])


def _nan_where_fill(dataset: h5py.Dataset, values: NDArray[np.floating]) -> Float:
    """Return float64 values with NaN in place of fill."""
    is_fill = (values == fill_value(dataset)) | (np.abs(values) >= np.float32(FILL_FLOAT))
    return np.where(is_fill, np.nan, values).astype(np.float64)


def _flag_names(apriori: str) -> list[str]:
    """Names of the flags that qualify the primary set's variables."""
    return [
        f"substitution_flag_{apriori}",
        f"substitution_warning_{apriori}",
        f"footprint_coverage_{apriori}",
    ]
