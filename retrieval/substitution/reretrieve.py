"""Files in, file out: open an orbit and its sets, substitute, write, summarise."""

from __future__ import annotations

import logging
import platform
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.apriori.sidecar import with_a_name
from retrieval.files.atomic import check_output
from retrieval.files.provenance import (
    InputFile,
    Provenance,
    fingerprint,
    stored_fingerprint,
    version_of,
)
from retrieval.l2.columns import reretrieved_sets
from retrieval.l2.open_orbit import open_orbit
from retrieval.l2.orbit import Orbit
from retrieval.l2.product.write import not_original, write_product
from retrieval.substitution.gate import is_own, recompute
from retrieval.substitution.job import (
    Job,
    OpenedSets,
    input_file,
    input_paths,
    open_sets,
    set_files,
)
from retrieval.substitution.options import Above
from retrieval.substitution.substitute import substitute
from retrieval.substitution.summary import OrbitSummary, summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from retrieval.l2.pixels import Crop
    from retrieval.l2.product.table import ProductTable

logger = logging.getLogger(__name__)

SOFTWARE = ("dacno2-s5p", "numpy", "scipy", "netCDF4", "h5py", "pyproj")

UPPER_SOURCE = "upper_source"
"""Option that names the model above the sets; files that differ in it make no common map."""

MAXIMUM_FRACTION_ABOVE = 0.95
"""Larger mean shares that do not come from the set are warned of."""


def default_output(orbit: Path, sets: Mapping[str, Path], folder: Path | None = None) -> Path:
    """Name of the output: STEM_SET1[-SET2...].nc beside the orbit or in a folder, `_` dropped.

    HDF-EOS5 files keep their ending, .he5.

    Examples
    --------
    >>> default_output(Path("a.nc"), {"dacno2": Path("p"), "cams": Path("c")}).name
    'a_DACNO2-CAMS.nc'
    """
    names = "-".join(name.upper().replace("-", "").replace("_", "") for name in sets)
    ending = orbit.suffix if orbit.suffix == ".he5" else ".nc"
    return (folder or orbit.parent) / f"{orbit.stem}_{names}{ending}"


def reretrieve(
    orbit: str | Path,
    sets: Mapping[str, str | Path] | Job,
    output: str | Path | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> OrbitSummary:
    """Re-retrieve one orbit file with one or more a-priori sets and write the result.

    Parameters
    ----------
    orbit : path
        A TROPOMI L2 NO2 file.
    sets : mapping or Job
        Paths of the sets by name, the primary first; a `Job` for all other choices.
    output : path, optional
        File to write; `default_output` where absent. It appears whole or not at all.
    progress : callable, optional
        Called with scanlines done and to do.

    Returns
    -------
    OrbitSummary
        Statistics over the pixels that all products share.

    Raises
    ------
    RetrievalError
        One line: what is wrong with which file, and what to do.

    Examples
    --------
    ``reretrieve("S5P_OFFL_L2__NO2____....nc", {"dacno2": "profiles", "cams": "cams"})``
    """
    job = sets if isinstance(sets, Job) else Job({k: Path(v) for k, v in sets.items()})
    source = Path(orbit)
    target = Path(output) if output is not None else default_output(source, job.sets)
    check_output(target, overwrite=job.overwrite, inputs=[source])
    with ExitStack() as stack:
        checksums = stack.enter_context(ThreadPoolExecutor(1))
        opened = stack.enter_context(open_orbit(source))
        check_original(opened)
        found = open_sets(opened, job, stack)
        check_output(target, overwrite=job.overwrite, inputs=[source, *set_files(job, found)])
        inputs = input_paths(opened, job, found)
        say_what_is_assumed(opened, found)
        warn_of_gate(opened, found)
        pending = checksums.map(input_file, *zip(*inputs, strict=True))
        result, crop = substitute(
            opened,
            found.sets,
            job.options,
            upper=found.upper,
            meteo=found.meteo,
            progress=progress,
        )
        summary = summarise(opened, crop, result, str(target), job.qa_threshold)
        _warn_of_empty_sets(summary)
        describe(result, opened, found)
        files = tuple(pending)
        whole = crop.shape == opened.shape
        opened.close()
        write_product(
            opened.content,
            target,
            result,
            provenance_of(job, files, crop, found),
            crop=None if whole else crop,
            layout=job.layout,
            overwrite=job.overwrite,
        )
    return summary


def is_done(orbit: Path, job: Job, target: Path) -> bool:
    """Tell whether a file was made from this content of orbit and sets, with these options.

    What files are called plays no part. The inputs are read through once for their checksums,
    where the file is one of ours.

    Raises
    ------
    RetrievalError
        If the orbit or a set cannot be read.
    """
    known = stored_fingerprint(target) if target.is_file() else ""
    if not known:
        return False
    with ExitStack() as stack:
        opened = stack.enter_context(open_orbit(orbit))
        found = open_sets(opened, job, stack)
        files = [input_file(*named) for named in input_paths(opened, job, found)]
    return known == _fingerprint(job, files)


def _fingerprint(job: Job, files: Sequence[InputFile]) -> str:
    """Fingerprint of an output; the order of sets counts, that of the files of a set does not."""
    contents: dict[str, list[str]] = {}
    for file in files:
        contents.setdefault(file.role, []).append(file.sha256)
    options = asdict(job.options)
    options.pop("block")  # changes nothing
    return fingerprint(
        "reretrieve",
        contents=[[role, sorted(checksums)] for role, checksums in contents.items()],
        options=options,
        layout=str(job.layout),
    )


def check_original(orbit: Orbit) -> None:
    """Refuse a re-retrieved orbit before anything is computed; the writer would refuse it."""
    if given := reretrieved_sets(orbit):
        raise not_original(orbit.path, " ".join(given))


def say_what_is_assumed(orbit: Orbit, found: OpenedSets) -> None:
    """Warn of what the orbit lacks, and where a synthetic set meets a real orbit."""
    for assumption in orbit.assumptions:
        logger.warning("%s: %s", orbit.path.name, assumption)
    for name, apriori in found.by_role().items():
        if apriori.is_synthetic and not orbit.is_synthetic:
            logger.warning(
                "Set %s is synthetic (%s) but %s is a real orbit. The new columns are no "
                "measurement; use them for tests only.",
                name,
                apriori.files[0].name if apriori.files else apriori.kind,
                orbit.path.name,
            )


def warn_of_gate(orbit: Orbit, found: OpenedSets) -> None:
    """Warn where a file's own air mass factors do not come out of its own a priori.

    That is in the file, or one of the sets where that is TM5-MP and the product was made with it.
    """
    own = None
    if not orbit.own_apriori:
        own = next((one for one in found.sets.values() if is_own(orbit, one)), None)
        if own is None:
            return
    gate = recompute(orbit, own)
    if gate is not None and not gate.closes:
        logger.warning(
            "%s: %s. Its new columns are not to be trusted before that is understood.",
            orbit.path.name,
            gate,
        )


def _warn_of_empty_sets(summary: OrbitSummary) -> None:
    """Warn where nearly nothing comes from a set: zeros, or values far too small."""
    for product in summary.products:
        share = product.mean_fraction_above
        if share is not None and share > MAXIMUM_FRACTION_ABOVE:
            logger.warning(
                "Set %s: %.0f %% of the a-priori columns is not its own but added above its top. "
                "Its values near the ground are zero or very small: check them.",
                product.name,
                100.0 * share,
            )


def describe(result: ProductTable, orbit: Orbit, found: OpenedSets) -> None:
    """Carry what is known of the sets into the file's attributes."""
    for fields, apriori in zip(result.sets, found.sets.values(), strict=True):
        fields.attributes |= {
            key: value for key, value in apriori.attributes.items() if key not in fields.attributes
        }
    if any(apriori.is_synthetic for apriori in found.by_role().values()) or orbit.is_synthetic:
        result.attributes["training_data" if not orbit.is_synthetic else "data"] = "synthetic"
    if orbit.assumptions:
        result.attributes["assumptions"] = "; ".join(orbit.assumptions)


def provenance_of(
    job: Job, inputs: tuple[InputFile, ...], crop: Crop, found: OpenedSets
) -> Provenance:
    """Return what was run on what, for `history` and the attributes of the product."""
    options = job.options
    names = ", ".join(name.upper() for name in job.sets)
    upper = found.upper if options.above is Above.UPPER else None
    return Provenance(
        command=job.command or f"reretrieve with {names}",
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        versions={name: version_of(name) for name in SOFTWARE}
        | {"python": platform.python_version()},
        inputs=inputs,
        options={
            "above": str(options.above),
            **({UPPER_SOURCE: upper.kind} if upper is not None else {}),
            "above_vmr_ppt": options.above_vmr,
            "merge_height_m": options.merge_height or "top of the set",
            "time_rule": str(options.time_rule or "auto"),
            "tropopause": options.tropopause,
            "crop": options.crop,
            "bbox": options.bbox or "off",
            "layout": str(job.layout),
            "upper": with_a_name(job.upper).name if job.upper else "off",
            "meteo": with_a_name(job.meteo).name if job.meteo else "standard atmosphere",
            "scanlines": f"{crop.scanline.start}:{crop.scanline.stop}",
            "ground_pixels": f"{crop.ground_pixel.start}:{crop.ground_pixel.stop}",
        },
        fingerprint=_fingerprint(job, inputs),
    )
