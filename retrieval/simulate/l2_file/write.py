"""Write a structurally true, synthetic TROPOMI L2 NO2 file.

Everything a reader may look at is there: group tree, dimensions, variables in file order with
their types, attributes and fill values, filters, global attributes, METADATA. What is not known
of the real product, its chunk shapes, is an option.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import netCDF4
import numpy as np

from retrieval.files.atomic import atomic_output
from retrieval.simulate.l2_file.content import MILLISECOND, utc_strings
from retrieval.simulate.l2_file.layout import (
    FILL,
    VARIANTS,
    Variable,
    Variant,
    variables_of,
)
from retrieval.simulate.l2_file.metadata import Tree, global_attributes, metadata_tree
from retrieval.simulate.l2_file.statistics import write_qa_statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retrieval.simulate.l2_file.content import L2Content
    from retrieval.simulate.l2_file.layout import AttributeValue

logger = logging.getLogger(__name__)

SCANLINE_CHUNK = 278
"""Scanlines in a chunk: those of a near-real-time granule, 17 MB of kernels. A choice."""

N_CORNER, N_VERTICES, N_POLYNOMIAL, N_OFFSET = 4, 2, 6, 1

EPOCH_2010 = np.datetime64("2010-01-01T00:00:00", "ms")


def write_l2_file(
    path: str | Path,
    content: L2Content,
    *,
    variant: Variant | str = "v2.4",
    scanline_chunk: int = SCANLINE_CHUNK,
    overwrite: bool = False,
) -> Path:
    """Write one file and return its path.

    Parameters
    ----------
    path : path
        A folder, in which the file gets its proper name, or a file.
    content : L2Content
        Arrays and identity.
    variant : Variant or str
        A delivery, or its name in `retrieval.simulate.l2_file.layout.VARIANTS`.
    scanline_chunk : int
        Scanlines in a chunk of the swath variables; across-track and trailing dimensions are not
        cut. The chunk shapes of the real product are not documented.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file written. It appears under its name only when it is complete.

    Raises
    ------
    ValueError
        If the content has unknown variables, wrong shapes, or lacks the geolocation.
    OutputError
        If the file exists and may not be replaced, or its folder cannot be written.
    """
    delivery = VARIANTS[variant] if isinstance(variant, str) else variant
    target = Path(path)
    if target.is_dir():
        target /= content.file_name(delivery)
    table = [
        replace(v, attributes=_delta_time_attributes(content, delivery))
        if v.name == "delta_time"
        else v
        for v in variables_of(delivery)
    ]
    arrays = _checked(content, table, delivery)
    with (
        atomic_output(target, overwrite=overwrite) as partial,
        netCDF4.Dataset(partial, "w", format="NETCDF4") as file,
    ):
        file.setncatts(global_attributes(content, delivery))
        _define_dimensions(file, content, delivery, arrays)
        for variable in table:
            _write_variable(file, variable, arrays.get(variable.name), scanline_chunk)
        write_qa_statistics(file.createGroup("METADATA/QA_STATISTICS"), content)
        write_tree(file["METADATA"], metadata_tree(content, delivery))
    logger.info("wrote %s (%d x %d pixels)", target.name, *content.shape)
    return target


def write_tree(group: netCDF4.Group, tree: Tree) -> None:
    """Write nested dictionaries as groups; all other values are attributes."""
    attributes = {k: v for k, v in tree.items() if not isinstance(v, dict)}
    group.setncatts(attributes)
    for name, child in tree.items():
        if isinstance(child, dict):
            write_tree(group.createGroup(name), child)


def _define_dimensions(
    file: netCDF4.Dataset, content: L2Content, variant: Variant, arrays: dict[str, Any]
) -> None:
    """Define all dimensions in group PRODUCT, in the order of the real files."""
    n_scanline, n_pixel = content.shape
    sizes = {
        "scanline": n_scanline,
        "ground_pixel": n_pixel,
        "corner": N_CORNER,
        "time": 1,
        "polynomial_exponents": N_POLYNOMIAL,
        "intensity_offset_polynomial_exponents": N_OFFSET,
        "layer": arrays["tm5_constant_a"].shape[0],
        "vertices": N_VERTICES,
    }
    product = file.createGroup("PRODUCT")
    for name, size in sizes.items():
        if variant.has_polynomials or "polynomial" not in name:
            product.createDimension(name, size)


def _checked(
    content: L2Content, table: list[Variable], variant: Variant
) -> dict[str, NDArray[Any]]:
    """Return all arrays to be written, coordinates included, after checking names and shapes."""
    known = {v.name: v for v in table}
    given = dict(content.variables)
    missing = [
        n for n in ("latitude", "longitude", "tm5_constant_a", "tm5_constant_b") if n not in given
    ]
    if missing:
        msg = (
            f"Invalid content. A file needs its geolocation and its layers. Given none of "
            f"{', '.join(missing)}. Add the missing variables."
        )
        raise ValueError(msg)
    unknown = sorted(set(given) - set(known))
    if unknown:
        msg = (
            f"Invalid content. Variables must be those of processor {variant.processor_version}. "
            f"Given {', '.join(unknown)}. Leave them out or choose another variant."
        )
        raise ValueError(msg)
    arrays = {**given, **_coordinate_values(content, known)}
    sizes = {
        "time": 1,
        "scanline": content.shape[0],
        "ground_pixel": content.shape[1],
        "corner": N_CORNER,
        "layer": np.shape(given["tm5_constant_a"])[0],
        "vertices": N_VERTICES,
        "polynomial_exponents": N_POLYNOMIAL,
        "intensity_offset_polynomial_exponents": N_OFFSET,
    }
    for name, values in arrays.items():
        expected = tuple(sizes[d] for d in known[name].dimensions)
        expected = expected[1:] if known[name].dimensions[:2] == ("time", "scanline") else expected
        if np.shape(values) != expected:
            msg = (
                f"Invalid {name}. Its shape must follow its dimensions "
                f"{known[name].dimensions}. Given {np.shape(values)} instead of {expected}. "
                "Pass arrays without the time dimension."
            )
            raise ValueError(msg)
    return arrays


def _coordinate_values(content: L2Content, known: dict[str, Variable]) -> dict[str, NDArray[Any]]:
    """Make the coordinate variables and the times."""
    n_layer = np.shape(content.variables["tm5_constant_a"])[0]
    reference = content.reference_time
    values: dict[str, NDArray[Any]] = {
        "scanline": np.asarray(content.scanline),
        "ground_pixel": np.asarray(content.ground_pixel),
        "time": np.array([int((reference - EPOCH_2010) / np.timedelta64(1, "s"))]),
        "corner": np.arange(N_CORNER),
        "polynomial_exponents": np.arange(N_POLYNOMIAL),
        "intensity_offset_polynomial_exponents": np.arange(N_OFFSET),
        "layer": np.arange(n_layer),
        "vertices": np.arange(N_VERTICES),
        "delta_time": ((content.scanline_time - reference) / MILLISECOND).astype(np.int32),
        "time_utc": utc_strings(content.scanline_time),
    }
    return {name: v for name, v in values.items() if name in known}


def _delta_time_attributes(content: L2Content, variant: Variant) -> dict[str, AttributeValue]:
    """Long name and unit of `delta_time`: plain milliseconds, or a CF time unit (from 1.3 on)."""
    if variant.delta_time == "milliseconds":
        return {
            "long_name": "offset from reference start time of measurement",
            "units": "milliseconds",
        }
    day = np.datetime_as_string(content.reference_time.astype("datetime64[D]"))
    return {
        "long_name": "offset of start time of measurement relative to time_reference",
        "units": f"milliseconds since {day} 00:00:00",
    }


def _write_variable(
    file: netCDF4.Dataset,
    variable: Variable,
    values: NDArray[Any] | None,
    scanline_chunk: int,
) -> None:
    """Declare one variable and write its values; without values it reads as fill."""
    group = file.createGroup(variable.group)
    shape = tuple(_dimension_size(file, name) for name in variable.dimensions)
    if variable.dtype == "str":
        stored = group.createVariable(variable.name, str, variable.dimensions)
    else:
        stored = group.createVariable(
            variable.name,
            variable.dtype,
            variable.dimensions,
            zlib=True,
            complevel=3,
            shuffle=True,
            fletcher32=True,
            chunksizes=_chunks(variable.dimensions, shape, scanline_chunk),
            fill_value=FILL[variable.dtype],
        )
    stored.setncatts(variable.attributes)
    stored.set_auto_maskandscale(False)
    if values is None:
        return
    if variable.dimensions[:2] == ("time", "scanline"):
        values = values[np.newaxis]
    stored[...] = values if variable.dtype == "str" else _as_stored(values, variable)


def _dimension_size(file: netCDF4.Dataset, name: str) -> int:
    """Size of a dimension of group PRODUCT."""
    return int(file["PRODUCT"].dimensions[name].size)


def _chunks(
    dimensions: tuple[str, ...], shape: tuple[int, ...], scanline_chunk: int
) -> tuple[int, ...]:
    """Chunk shape: cut along `scanline` only."""
    return tuple(
        min(size, scanline_chunk) if name == "scanline" else size
        for name, size in zip(dimensions, shape, strict=True)
    )


def _as_stored(values: NDArray[Any], variable: Variable) -> NDArray[Any]:
    """Convert to the stored type; NaN becomes the fill value of floats and is refused elsewhere."""
    if variable.dtype == "f4":
        stored = values.astype(np.float32)
        stored[np.isnan(stored)] = FILL["f4"]
        return stored
    if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
        msg = (
            f"Invalid {variable.name}. Integers must be finite or hold their fill value. Given "
            f"NaN or infinity. Put {FILL[variable.dtype]} where data are missing."
        )
        raise ValueError(msg)
    return values.astype(variable.dtype)
