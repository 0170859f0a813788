"""Write the re-retrieved orbit: the L2 file, cropped, with the new variables.

Three layouts. `extend` leaves every original variable as it is and adds the new ones beside them;
`replace` gives the primary set the standard names, so that any reader of L2 files sees it, and
keeps each replaced original under a name that ends in `_TM5_apriori`, with what the product calls
its own a priori in place of TM5. `side` has the new ones alone, with what says where and when they
are; `merge` makes `extend` of it and the orbit.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np

from retrieval.errors import ProductError
from retrieval.files.atomic import atomic_output, check_output
from retrieval.files.hdf5_copy import copy_cropped, hdf5_errors
from retrieval.files.hdf5_sink import open_target
from retrieval.files.hdf_eos import check_axes, read_structure, rewrite_structure
from retrieval.l2.pixels import Crop
from retrieval.l2.product.replace import replace_standard_variables
from retrieval.l2.product.variables import FileWriter, read_text, set_attribute

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from retrieval.files.hdf5_copy import Keep
    from retrieval.files.provenance import Provenance
    from retrieval.l2.names import SensorNames
    from retrieval.l2.product.table import ProductTable

logger = logging.getLogger(__name__)

ERROR_SOURCE = "profile_error_source"
"""Attribute of precisions and of sets: where the error through the profile comes from."""


class Layout(StrEnum):
    """How new columns stand beside the original ones."""

    EXTEND = "extend"
    """The orbit's own variables untouched, new ones beside them."""
    REPLACE = "replace"
    """The primary set takes the standard names."""
    SIDE = "side"
    """The new variables in a small file of their own, on the orbit's dimensions."""


def write_product(
    source: Path,
    output: Path,
    result: ProductTable,
    provenance: Provenance,
    *,
    crop: Crop | None = None,
    layout: Layout | str = Layout.EXTEND,
    overwrite: bool = False,
) -> Path:
    """Write a re-retrieved orbit: the original, cropped, and the new variables.

    Parameters
    ----------
    source : Path
        The L2 NO2 orbit that was re-retrieved.
    output : Path
        The file to write; it appears whole or not at all.
    result : ProductTable
        The new fields on the pixels of `crop`, the primary set first.
    provenance : Provenance
        What was run on what, for `history` and the attributes of PRODUCT.
    crop : Crop, optional
        The part of the orbit to write, by position; None writes all of it, its compressed
        chunks copied as they are.
    layout : {"extend", "replace", "side"}
        See `Layout`.
    overwrite : bool
        Whether an existing `output` may be replaced.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    ProductError
        If the orbit is damaged, lacks what the layout needs, or is itself re-retrieved.
    OutputError
        If the output exists, is the orbit itself, or cannot be written.
    ValueError
        If the fields do not have the shape of the crop.
    """
    layout = Layout(layout)
    if layout is Layout.SIDE and not result.names.pixel_dimensions[-1]:
        msg = (
            f"Invalid layout side for {source.name}. The file must have dimension scales, so that "
            f"a part of it stands alone. Given a {result.names.product} file. Choose extend."
        )
        raise ProductError(msg)
    check_output(output, overwrite=overwrite, inputs=[source])
    with hdf5_errors(source, output):
        whole = _orbit_shape(source, result.names)
    crop = crop or Crop(slice(0, whole[0]), slice(0, whole[1]))
    _check_shapes(result, crop, whole)
    with atomic_output(output, overwrite=overwrite, inputs=[source]) as temporary:
        with hdf5_errors(source, output):
            keep = _side_variables(result) if layout is Layout.SIDE else None
            _copy_part(source, temporary, crop, result.names, keep)
        with hdf5_errors(source, output, (OSError, RuntimeError, KeyError)):
            _add_results(temporary, result, layout, provenance, crop, whole)
    logger.info("Wrote %s (%s layout, %d x %d pixels)", output, layout, *crop.shape)
    return output


def _orbit_shape(source: Path, names: SensorNames) -> tuple[int, int]:
    """Return the numbers of scanlines and ground pixels of an orbit that can be re-retrieved."""
    with h5py.File(source, "r") as file:
        product = file.get(names.group)
        scanline, ground_pixel = names.pixel_dimensions[-2:]
        if not scanline and product is not None and names.column in product:
            _refuse_own(source, product)
            n_scanline, n_ground_pixel = product[names.column].shape[-2:]
            return n_scanline, n_ground_pixel
        if product is None or scanline not in file or ground_pixel not in file:
            wanted = " and ".join(path.split("/")[-1] for path in names.pixel_dimensions[-2:])
            msg = (
                f"Invalid orbit {source.name}. It must have a group {names.group} with dimensions "
                f"{wanted}. Given {', '.join(file) or 'no groups'}. "
                f"Choose an {names.product} file."
            )
            raise ProductError(msg)
        _refuse_own(source, product)
        return len(file[scanline]), len(file[ground_pixel])


def _refuse_own(source: Path, product: h5py.Group) -> None:
    """Refuse a file that was re-retrieved before."""
    if "apriori_sets" in product.attrs:
        raise not_original(source, read_text(product, "apriori_sets"))


def not_original(path: Path, sets: str) -> ProductError:
    """Return what is said of an orbit that was re-retrieved with some sets before."""
    return ProductError(
        f"Invalid orbit {path.name}. It must be an original L2 file. Given one already "
        f"re-retrieved with {sets}. Give the original orbit, with all sets at once."
    )


def _check_shapes(result: ProductTable, crop: Crop, whole: tuple[int, int]) -> None:
    """Refuse a crop outside the orbit and fields that are not on the crop's pixels."""
    parts = zip((crop.scanline, crop.ground_pixel), whole, strict=True)
    inside = all(0 <= part.start < part.stop <= size for part, size in parts)
    shapes = {item.name: item.air_mass_factor_troposphere.shape for item in result.sets}
    if inside and shapes and all(shape == crop.shape for shape in shapes.values()):
        return
    msg = (
        f"Invalid result. Each set needs fields of the crop's shape {crop.shape}, inside the orbit "
        f"of {whole}. Given {shapes or 'no set'}. Compute and write with one crop."
    )
    raise ValueError(msg)


def _side_variables(result: ProductTable) -> Keep:
    """Say what of an orbit stands in a side file.

    That is where and when pixels are, their quality, what qualifies the new variables, and all
    that is of no pixel.
    """
    names = result.names
    kept = {names.latitude, names.longitude, names.latitude_bounds, names.longitude_bounds}
    kept |= {names.quality}
    kept |= {
        name
        for apriori, variable, _ in result.entries()
        for name in variable.ancillary_for(apriori, names)
    }
    ground_pixel = names.pixel_dimensions[-1]
    return lambda name, paths: name in kept or ground_pixel not in paths


def _copy_part(
    source: Path, target: Path, crop: Crop, names: SensorNames, keep: Keep | None
) -> None:
    """Copy the crop of the orbit, or what is to be kept of it, values as stored.

    Of HDF-EOS5 files, whose dimensions a text names, the text is rewritten to the crop.
    """
    dimensions = names.pixel_dimensions[-2:]
    with (
        h5py.File(source, "r", rdcc_nbytes=32 << 20) as original,
        open_target(target) as file,
    ):
        axes: dict[str, tuple[str, ...]] = {}
        if not dimensions[0]:
            dimensions, axes = _named_in_text(original, names)
        parts = dict(zip(dimensions, (crop.scanline, crop.ground_pixel), strict=True))
        copy_cropped(original, file, parts, axes, keep)
        sizes = dict(zip(dimensions, crop.shape, strict=True))
        rewrite_structure(file, sizes if axes else {})


def _named_in_text(
    file: h5py.File, names: SensorNames
) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """Return the names of scanlines and pixels, and of the axes of all variables, by the text."""
    structure = read_structure(file)
    path = f"/{names.group}/{names.column}"
    if structure is None or path not in structure.axes:
        msg = (
            f"Invalid file {Path(file.filename).name}. Its dimensions must have scales, or names "
            f"in StructMetadata.0. Given neither for {names.column}. Download the file again."
        )
        raise ProductError(msg)
    check_axes(file, structure)
    return structure.axes[path][-2:], structure.axes


def _add_results(
    path: Path,
    result: ProductTable,
    layout: Layout,
    provenance: Provenance,
    crop: Crop,
    whole: tuple[int, int],
) -> None:
    """Write the new variables and attributes into the copy of the orbit."""
    with open_target(path, "r+") as file:
        with FileWriter(file, result.names) as writer:
            _write_variables(writer, result, layout)
        rewrite_structure(file, {})
        product = file[result.names.group]
        for name, value in product_attributes(result, layout, provenance, crop, whole).items():
            set_attribute(product, name, value)
        _write_global_attributes(file, result, layout, provenance)


def _write_variables(writer: FileWriter, table: ProductTable, layout: Layout) -> None:
    """Write all that the table lists, but for what stands under standard names already."""
    replaced: list[str] = []
    primary = table.sets[0].name
    if layout is Layout.REPLACE:
        replaced = replace_standard_variables(writer, table.sets[0])
    sources = {one.name: one.attributes.get(ERROR_SOURCE) for one in table.sets}
    for apriori, variable, values in table.entries():
        if apriori == primary and variable.replaces in replaced:
            continue
        source = sources.get(apriori) if variable.is_precision else None
        writer.write(variable, apriori, values, {ERROR_SOURCE: source} if source else {})


def product_attributes(
    table: ProductTable,
    layout: Layout,
    provenance: Provenance,
    crop: Crop,
    whole: tuple[int, int],
) -> dict[str, str | int | float | NDArray[np.int32]]:
    """Return what was done as attributes of the column's group, named `apriori_...`."""
    found: dict[str, str | int | float | NDArray[np.int32]] = {
        "apriori_sets": " ".join(one.name for one in table.sets),
        "apriori_primary": table.sets[0].name,
        "apriori_layout": str(layout),
    }
    for name, part, n_whole in (
        ("scanline", crop.scanline, whole[0]),
        ("ground_pixel", crop.ground_pixel, whole[1]),
    ):
        numbers = np.array([part.start, part.stop - 1, n_whole], dtype=np.int32)
        found[f"apriori_crop_{name}"] = numbers
    found["apriori_crop_comment"] = (
        "first and last position kept (from 0) and number of positions in the input file"
    )
    found |= {f"apriori_{name}": text for name, text in provenance.as_attributes().items()}
    found |= {f"apriori_{name}": value for name, value in table.attributes.items()}
    for one in table.sets:
        found |= {f"apriori_{one.name}_{name}": value for name, value in one.attributes.items()}
    return found


def _write_global_attributes(
    file: h5py.File, result: ProductTable, layout: Layout, provenance: Provenance
) -> None:
    """Append to `history`, mark synthetic input, and name the file's content in `id`."""
    root = file["/"]
    past = read_text(root, "history")
    set_attribute(root, "history", "\n".join(part for part in (past, provenance.history) if part))
    described = [result.attributes, *(item.attributes for item in result.sets)]
    if any(_is_synthetic(attributes) for attributes in described):
        set_attribute(root, "training_data", "synthetic")
        text = "a priori: synthetic (trained or made on the twin world)"
        past = read_text(root, "source")
        set_attribute(root, "source", "; ".join(part for part in (past, text) if part))
    if layout is Layout.REPLACE and "id" in root.attrs:
        stem = read_text(root, "id")[:83]
        set_attribute(root, "id", f"{stem}_{result.sets[0].name}_apriori")


def _is_synthetic(attributes: Mapping[str, object]) -> bool:
    """Say whether a set was made by a synthetic checkpoint or is synthetic itself."""
    marks = (attributes.get("synthetic"), attributes.get("training_data"))
    return "yes" in marks or "synthetic" in marks
