"""Recognise what commands left in a folder by the files that only they write."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from cli.reporting.attribution import attribution_tables
from cli.reporting.comparison import comparison_tables
from cli.reporting.demo_tables import changes_table, modes_of, scores_table, strata_table
from cli.reporting.figures import (
    ATTRIBUTION,
    COMPARISON,
    CURVES,
    DEMO,
    EVALUATION,
    MAPS,
    SEASON,
    VALIDATION,
    add_figures,
)
from cli.reporting.folder import checksum, parent_of
from cli.reporting.parts import Product, Table
from cli.reporting.provenance import checkpoint_facts
from cli.reporting.season_tables import pixels_table, season_tables
from cli.reporting.tables import (
    CURVES_HEADER,
    curves_row,
    numbers_table,
    scores_tables,
)
from cli.reporting.validation_tables import validation_tables
from retrieval.l3.intervals import STRATA_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.reporting.folder import Folder
    from cli.reporting.parts import Cell

SECTION_OF_TABLE = {
    "stations": "headline",
    "station series": "stations",
    "consistency": "stations",
    "layers": "layers",
    "urbanisation": "profiles",
    "columns": "profiles",
    "profiles": "profiles",
}
"""Where the tables of scores.csv stand; the first is the headline."""

_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
"""A Markdown link, of which the page keeps the words."""
PAIRS = "pairs.csv"
"""What only `validate` writes."""
DOMAIN = "domain"
"""Area of numbers.csv whose rows are the headline."""


def find_products(folder: Folder) -> list[Product]:
    """Return the products of a folder in the order of the story, each kind by folder."""
    found = []
    of_pairs = {parent_of(name) for name in folder.sizes if _leaf(name) == PAIRS}
    for kind, (marker, build) in _KINDS.items():
        parents = {parent_of(name) for name in folder.sizes if marker(name)}
        if kind == "evaluate":  # a validation has a file of the same name
            parents -= of_pairs
        if kind == "train":  # phases are folders of a run
            parents = {parent_of(parent) for parent in parents}
        found += [build(folder, parent) for parent in sorted(parents)]
    return [one for one in found if one.parts or one.problems]


def _leaf(name: str) -> str:
    return name.rpartition("/")[2]


def _join(parent: str, leaf: str) -> str:
    return f"{parent}/{leaf}" if parent else leaf


def _try(product: Product, folder: Folder, name: str, read: Callable[[str], None]) -> None:
    """Read a text file into a product; one that is not what it should be is a problem of it."""
    try:
        data = folder.read(name)
        read(data.decode("utf-8-sig", errors="replace"))
        product.used[name] = checksum(data)
    except (OSError, ValueError) as error:
        product.problems.append(f"{name}: {' '.join(str(error).split())}")


def _notes(product: Product, folder: Folder, name: str) -> None:
    """Take the remarks of a Markdown file; its tables come from CSV and JSON.

    Remarks are list entries, and paragraphs before the first table: later ones say how to read
    the file's own tables. Where it is from is read elsewhere.
    """
    if name not in folder.sizes:
        return

    def read(text: str) -> None:
        head, _, body = text.partition("\n## Origin")[0].partition("\n## ")
        blocks = head.split("\n\n")
        blocks += [block for block in body.split("\n\n") if block.lstrip().startswith("- ")]
        for block in blocks:
            product.notes += [
                _LINK.sub(r"\1", line).replace("**", "").replace("`", "") for line in _lines(block)
            ]
        product.is_synthetic |= "(synthetic)" in text.partition("\n")[0]
        product.is_synthetic |= any("synthetic" in line.lower() for line in product.notes)

    _try(product, folder, name, read)


def _lines(block: str) -> list[str]:
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    if not lines or lines[0].startswith(("#", "|")):
        return []
    if lines[0].startswith("- "):
        return [line.removeprefix("- ") for line in lines]
    return [" ".join(lines)]


def _demo(folder: Folder, parent: str) -> Product:
    product = Product("Demo: one synthetic day against its known truth", "demo", parent)
    source = _join(parent, "summary.json")

    def read(text: str) -> None:
        try:
            found: Any = json.loads(text)
            modes = modes_of(found)
            headline = {found["mode"]: found}
            caption = f"Retrieved columns against the truth, {found.get('date', '')}"
            product.is_synthetic |= found.get("data") == "synthetic"
            product.add("headline", scores_table(headline, caption, source))
            others = scores_table(modes, f"{caption}: every mode above the sets' top", source)
            product.add("columns", others)
            product.add("columns", strata_table(found, source))
            product.add("columns", changes_table(found, source))
        except (AttributeError, KeyError, TypeError, RecursionError) as error:
            msg = f"no summary of the demo: {error!r}"
            raise ValueError(msg) from error

    _try(product, folder, source, read)
    if product.parts:
        _notes(product, folder, _join(parent, "table.md"))
        add_figures(product, folder, _join(parent, "figures"), DEMO)
    else:
        product.problems.clear()  # another program's summary.json is a file like any other
    return product


def _evaluation(folder: Folder, parent: str) -> Product:
    from dacno2_s5p.evaluation.tables import TITLES

    product = Product("Evaluation: sets against held-out stations and CAMS", "evaluate", parent)
    source = _join(parent, "scores.csv")

    def read(text: str) -> None:
        for name, table in scores_tables(text, source, TITLES).items():
            product.add(SECTION_OF_TABLE[name], table)

    _try(product, folder, source, read)
    _notes(product, folder, _join(parent, "scores.md"))
    add_figures(product, folder, parent, EVALUATION)
    return product


def _validation(folder: Folder, parent: str) -> Product:
    product = Product("Validation: columns beside those from the ground", "validate", parent)
    source = _join(parent, "scores.csv")

    def read(text: str) -> None:
        for section, table in validation_tables(text, source):
            product.add(section, table)

    if source in folder.sizes:
        _try(product, folder, source, read)
    _notes(product, folder, _join(parent, "scores.md"))
    add_figures(product, folder, parent, VALIDATION)
    return product


def _maps(folder: Folder, parent: str) -> Product:
    product = Product("Maps: gridded columns and their differences", "maps", parent)

    def read(leaf: str, caption: str, *areas: tuple[str, str]) -> None:
        source = _join(parent, leaf)

        def take(text: str) -> None:
            for section, area in areas:
                title = f"{caption}: {area}" if area else caption
                product.add(section, numbers_table(text, source, title, area=area))

        if source in folder.sizes:
            _try(product, folder, source, take)

    differences = "Relative and absolute differences of mean columns"
    read("numbers.csv", differences, ("headline", DOMAIN), ("columns", ""))
    read("numbers_shifted.csv", f"{differences}, regions moved by half a degree", ("columns", ""))
    add_figures(product, folder, parent, MAPS)
    return product


def _comparison(folder: Folder, parent: str) -> Product:
    product = Product("Comparison: models beside the instrument", "compare", parent)
    source = _join(parent, "comparison.csv")

    def read(text: str) -> None:
        whole, by_kind = comparison_tables(text, source)
        product.add("headline", whole)
        product.add("comparison", by_kind)

    _try(product, folder, source, read)
    numbers = _join(parent, "map_numbers.csv")
    caption = "Models over satellite on the maps, by area"
    if numbers in folder.sizes:

        def take(text: str) -> None:
            product.add("comparison", numbers_table(text, numbers, caption))

        _try(product, folder, numbers, take)
    _notes(product, folder, _join(parent, "comparison.md"))
    add_figures(product, folder, parent, COMPARISON)
    return product


def _pixels(folder: Folder, parent: str) -> Product:
    product = Product("Gridded columns by kind of pixel", "grid", parent)
    for source in sorted(name for name in folder.sizes if _is_of_pixels(name)):
        if parent_of(source) != parent:
            continue
        caption = f"{_leaf(source).removesuffix(STRATA_SUFFIX)}: mean columns by kind of pixel"

        def read(text: str, source: str = source, caption: str = caption) -> None:
            product.add("columns", pixels_table(text, source, caption))

        _try(product, folder, source, read)
    return product


def _is_of_pixels(name: str) -> bool:
    return name.endswith(STRATA_SUFFIX)


def _season(folder: Folder, parent: str) -> Product:
    product = Product("Evidence: a season of the twin world", "evidence", parent)
    source = _join(parent, "results.md")

    def read(text: str) -> None:
        for i, table in enumerate(season_tables(text, source)):
            product.add("columns" if i else "headline", table)

    if source in folder.sizes:
        _try(product, folder, source, read)
        _notes(product, folder, source)
    add_figures(product, folder, parent, SEASON)
    return product


def _attribution(folder: Folder, parent: str) -> Product:
    product = Product("Attribution: integrated gradients", "attribute", parent)
    source = _join(parent, "attribution.csv")

    def read(text: str) -> None:
        for table in attribution_tables(text, source):
            product.add("attribution", table)

    _try(product, folder, source, read)
    _notes(product, folder, _join(parent, "attribution.md"))
    add_figures(product, folder, parent, ATTRIBUTION)
    return product


def _training(folder: Folder, parent: str) -> Product:
    product = Product("Training", "train", parent)
    rows: list[tuple[Cell, ...]] = []
    phases = [name for name in folder.sizes if _leaf(name) == "curves.csv"]
    for name in (name for name in phases if parent_of(parent_of(name)) == parent):
        phase = _leaf(parent_of(name)).replace("phase", "phase ")
        more = _checkpoint(product, folder, _join(parent_of(name), "best.safetensors"))

        def read(text: str, phase: str = phase, more: tuple[str, str] = more) -> None:
            rows.append(curves_row(text, phase, more))

        _try(product, folder, name, read)
    if rows:
        note = "Losses in scaled units; the checkpoint is that of the least validation loss."
        caption = "Phases of the run"
        table = Table(caption, CURVES_HEADER, tuple(rows), 1, note, _join(parent, "*/curves.csv"))
        product.add("training", table)
    add_figures(product, folder, parent, CURVES)
    return product


def _checkpoint(product: Product, folder: Folder, name: str) -> tuple[str, str]:
    """Return what a phase's checkpoint was trained on, and its fingerprint."""
    from retrieval.files.provenance import file_checksum

    if name not in folder.sizes:
        return "", ""
    try:
        facts = checkpoint_facts(folder, name)
    except ValueError as error:
        product.problems.append(f"{name}: {error}")
        return "", ""
    origin = str(facts.get("training_data", ""))
    product.is_synthetic |= origin == "synthetic"
    product.used[name] = file_checksum(folder.path(name))
    return origin, product.used[name]


_KINDS: dict[str, tuple[Callable[[str], bool], Callable[[Folder, str], Product]]] = {
    "demo": (lambda name: _leaf(name) == "summary.json", _demo),
    "evaluate": (lambda name: _leaf(name) == "scores.csv", _evaluation),
    "validate": (lambda name: _leaf(name) == PAIRS, _validation),
    "maps": (lambda name: _leaf(name) == "numbers.csv", _maps),
    "compare": (lambda name: _leaf(name) == "comparison.csv", _comparison),
    "grid": (_is_of_pixels, _pixels),
    "evidence": (lambda name: _leaf(name) == "season.csv", _season),
    "attribute": (lambda name: _leaf(name) == "attribution.csv", _attribution),
    "train": (lambda name: _leaf(name) == "curves.csv", _training),
}
"""Commands to the file that says that they wrote into a folder, and what reads it."""
