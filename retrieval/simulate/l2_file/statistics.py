"""The group METADATA/QA_STATISTICS of a synthetic L2 NO2 file: counters, histograms, densities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrieval.files.fills import FILL_FLOAT
from retrieval.l2.quality import occurrences

if TYPE_CHECKING:
    import netCDF4
    from numpy.typing import NDArray

    from retrieval.simulate.l2_file.content import L2Content
    from retrieval.simulate.l2_file.layout import AttributeValue

HISTOGRAM_RANGES = {
    "stratospheric": (0.0, 0.000166054, False),
    "tropospheric": (1.66054e-06, 0.00166054, True),
    "total": (1.66054e-06, 0.00166054, True),
}
"""Lower and upper edge [mol m-2] of the statistics, and whether they are logarithmic."""

N_HISTOGRAM, N_PDF = 100, 400


def write_qa_statistics(group: netCDF4.Group, content: L2Content) -> None:
    """Fill METADATA/QA_STATISTICS: counters as attributes, histograms and densities as variables.

    The densities weigh pixels by cos(latitude) and integrate to one over the column [mol m-2].
    """
    flags = np.asarray(content.variables.get("processing_quality_flags", np.zeros(content.shape)))
    flags = flags.astype(np.uint32)
    n_good = int(np.count_nonzero((flags & 0xFF) == 0))
    counters: dict[str, AttributeValue] = {
        "number_of_groundpixels": np.int32(flags.size),
        "number_of_processed_pixels": np.int32(flags.size),
        "number_of_successfully_processed_pixels": np.int32(n_good),
        "number_of_rejected_pixels_not_enough_spectrum": np.int32(0),
        "number_of_failed_retrievals": np.int32(flags.size - n_good),
        "number_of_ground_pixels_with_warnings": np.int32(np.count_nonzero(flags >> 8)),
    }
    for name, count in occurrences(flags).items():
        counters[f"number_of_{name}_occurrences"] = np.int32(count)
    counters["global_processing_warnings"] = "None"
    group.setncatts(counters)
    group.createDimension("vertices", 2)
    weight = np.cos(np.deg2rad(content.variables["latitude"]))
    for kind, (lower, upper, is_logarithmic) in HISTOGRAM_RANGES.items():
        name = f"nitrogendioxide_{kind}_column"
        values = np.asarray(content.variables.get(name, np.full(content.shape, np.nan)))
        space = np.geomspace if is_logarithmic else np.linspace
        for what, n_bin in (("histogram", N_HISTOGRAM), ("pdf", N_PDF)):
            edges = space(lower, upper, n_bin + 1)
            _write_distribution(group, f"{name}_{what}", edges, values, weight)


def _write_distribution(
    group: netCDF4.Group,
    name: str,
    edges: NDArray[np.float64],
    values: NDArray[Any],
    weight: NDArray[Any],
) -> None:
    """Write the axis, the bounds and the counts (or density) of one column."""
    is_density = name.endswith("_pdf")
    axis, n_bin = f"{name}_axis", edges.size - 1
    group.createDimension(axis, n_bin)
    options: dict[str, Any] = {"zlib": True, "complevel": 3, "shuffle": True, "fletcher32": True}
    fill = np.float32(FILL_FLOAT)
    centre = group.createVariable(axis, "f4", (axis,), fill_value=fill, **options)
    centre.setncatts(
        {"units": "mol m-2", "long_name": name.replace("_", " "), "bounds": f"{name}_bounds"}
    )
    is_logarithmic = edges[0] > 0
    inner = edges[:-1] * edges[1:]
    centre[:] = np.sqrt(inner) if is_logarithmic else 0.5 * (edges[:-1] + edges[1:])
    bounds = group.createVariable(
        f"{name}_bounds",
        "f4",
        (axis, "vertices"),
        fill_value=fill,
        **options,
    )
    bounds[:] = np.stack([edges[:-1], edges[1:]], axis=-1)
    good = np.isfinite(values)
    found, weight = values[good], weight[good]
    if is_density:
        total = float(weight.sum())
        density = np.histogram(found, edges, weights=weight)[0] / np.diff(edges) / max(total, 1.0)
        stored = group.createVariable(name, "f4", (axis,), fill_value=fill, **options)
        stored[:] = density
        stored.setncatts({"geolocation_sampling_total": np.float32(total)})
        return
    stored = group.createVariable(name, "i4", (axis,), fill_value=np.int32(-2147483647), **options)
    stored[:] = np.histogram(found, edges)[0]
    stored.setncatts(
        {
            "number_of_overflow_values": np.int32(np.count_nonzero(found > edges[-1])),
            "number_of_underflow_values": np.int32(np.count_nonzero(found < edges[0])),
        }
    )
