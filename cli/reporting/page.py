"""Put what was found in a folder on one page, in the order of one story."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cli.reporting.folder import Folder, clean, parent_of, size_text
from cli.reporting.parts import SECTIONS, Figure, Table
from cli.reporting.products import find_products
from cli.reporting.provenance import all_inputs, read_records, steps
from retrieval.errors import RetrievalError
from retrieval.files.provenance import package_version

if TYPE_CHECKING:
    from pathlib import Path

    from jinja2 import Template

    from cli.reporting.parts import Product
    from cli.reporting.provenance import Input, Record, Step

GENERATOR = "dacno2-s5p report"
"""In the head of every page of ours; such pages are no part of the next one."""
MOST_INPUTS = 100
MOST_ALIKE = 12
"""Files of one kind in one folder that are listed by name; more are one row."""


@dataclass(frozen=True)
class Block:
    """The parts of one product in one section."""

    product: Product
    parts: list[Table | Figure]


@dataclass(frozen=True)
class Section:
    """One section of the story."""

    anchor: str
    title: str
    blocks: list[Block]


@dataclass(frozen=True)
class Listed:
    """A file, or many alike, that the page names and does not show."""

    name: str
    size: str
    why: str


@dataclass
class Report:
    """Everything a page is made of.

    Attributes
    ----------
    synthetic : list of str
        What says of itself that it is synthetic.
    absent : list of str
        Titles of sections for which the folder holds nothing.
    n_input : int
        Inputs in all; `inputs` has the first `MOST_INPUTS`.
    used, listed : list
        Files that are shown, with SHA-256, and all others.
    """

    title: str
    version: str
    products: list[Product] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    synthetic: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    described: list[Record] = field(default_factory=list)
    inputs: list[Input] = field(default_factory=list)
    n_input: int = 0
    used: list[tuple[str, str, str]] = field(default_factory=list)
    listed: list[Listed] = field(default_factory=list)

    def _parts(self, kind: type) -> int:
        blocks = [block for section in self.sections for block in section.blocks]
        return sum(isinstance(part, kind) for block in blocks for part in block.parts)

    @property
    def n_table(self) -> int:
        """Tables of numbers on the page."""
        return self._parts(Table)

    @property
    def n_figure(self) -> int:
        """Figures on the page."""
        return self._parts(Figure)

    @property
    def figures_size(self) -> str:
        """Size of the embedded figures."""
        blocks = [block for section in self.sections for block in section.blocks]
        parts = [part for block in blocks for part in block.parts]
        return size_text(sum(part.n_byte for part in parts if isinstance(part, Figure)))


def gather(root: Path, *, title: str, leave_out: Path | None = None) -> Report:
    """Read a folder.

    Parameters
    ----------
    root : Path
        What the other commands wrote, in any arrangement of folders.
    title : str
        Heading of the page.
    leave_out : Path, optional
        The page itself, where it is in the folder.

    Raises
    ------
    RetrievalError
        If there is nothing to show.
    """
    folder = _without_pages(Folder.scan(root), leave_out)
    products = find_products(folder)
    records, problems = read_records(folder)
    made = steps(records)
    if not any(product.parts for product in products) and not made:
        found = (
            f"{len(folder.sizes)} files, none of them theirs" if folder.sizes else "an empty folder"
        )
        msg = (
            f"Invalid folder {clean(str(root))}. It must hold tables or figures of demo, evaluate, "
            f"maps, attribute or train, or files of grid or reretrieve. Given {found}. Run one of "
            "them first, for example: dacno2-s5p demo -o DIR."
        )
        raise RetrievalError(msg)
    inputs = all_inputs(records)
    report = Report(
        title=title,
        version=package_version(),
        products=products,
        synthetic=_synthetic(products, records),
        steps=made,
        described=[record for record in records if record.facts],
        inputs=inputs[:MOST_INPUTS],
        n_input=len(inputs),
    )
    _fill_sections(report)
    _fill_files(report, folder, records, problems)
    return report


def _without_pages(folder: Folder, leave_out: Path | None) -> Folder:
    """Leave out pages made by this command: a page about pages would differ each time."""
    own = leave_out.resolve() if leave_out is not None else None
    sizes = {
        name: size
        for name, size in folder.sizes.items()
        if folder.path(name) != own
        and not (name.endswith((".html", ".htm")) and is_page(folder.path(name)))
    }
    return Folder(folder.root, sizes, folder.passed_over)


def is_page(path: Path) -> bool:
    """Tell whether a file is a page made by this command."""
    try:
        with path.open("rb") as stream:
            return f'content="{GENERATOR}'.encode() in stream.read(2000)
    except OSError:
        return False


def _synthetic(products: list[Product], records: list[Record]) -> list[str]:
    said = [
        f"{one.command} in {one.folder or 'this folder'}" for one in products if one.is_synthetic
    ]
    n = sum(record.is_synthetic for record in records)
    if n:
        said.append(f"{n} of {len(records)} data files")
    return said


def _fill_sections(report: Report) -> None:
    for anchor, title in SECTIONS.items():
        blocks = [
            Block(product, product.parts[anchor])
            for product in report.products
            if product.parts.get(anchor)
        ]
        if blocks:
            report.sections.append(Section(anchor, title, blocks))
        else:
            report.absent.append(title)


def _fill_files(
    report: Report, folder: Folder, records: list[Record], problems: dict[str, str]
) -> None:
    """Say of every file of the folder what became of it."""
    shown: dict[str, str] = {}
    for product in report.products:
        shown |= product.used
    shown |= {record.name: record.sha256 for record in records if record.sha256}
    report.used = [
        (name, size_text(folder.sizes[name]), shown[name]) for name in folder.sizes if name in shown
    ]
    for name, reason in (*problems.items(), *folder.passed_over.items()):
        size = size_text(folder.sizes[name]) if name in folder.sizes else ""
        report.listed.append(Listed(name, size, reason))
    rest = [name for name in folder.sizes if name not in shown and name not in problems]
    report.listed += _listed(folder, rest, {record.name: record for record in records})


def _listed(folder: Folder, names: list[str], records: dict[str, Record]) -> list[Listed]:
    """List files by name, and many of one kind in one folder as one row."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name in names:
        suffix = PurePosixPath(name).suffix
        alike.setdefault((parent_of(name), suffix), []).append(name)
    found: list[Listed] = []
    for (parent, suffix), mine in alike.items():
        if len(mine) > MOST_ALIKE:
            total = size_text(sum(folder.sizes[name] for name in mine))
            found.append(Listed(f"{parent or '.'}/*{suffix}", total, f"{len(mine)} files"))
            continue
        for name in mine:
            record = records.get(name)
            why = (record.kind if record else "") or "not shown"
            found.append(Listed(name, size_text(folder.sizes[name]), why))
    return found


def render(report: Report) -> str:
    """Return the page as HTML: every text escaped, nothing fetched, no script."""
    return _template().render(report=report, generator=GENERATOR, is_table=_is_table)


@lru_cache(maxsize=1)
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("cli.reporting", "data"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_cleaned,
    )
    return environment.get_template("page.html.j2")


def _cleaned(value: object) -> object:
    """Take control signs out of every text that meets the page."""
    return clean(value) if type(value) is str else value


def _is_table(part: Table | Figure) -> bool:
    return isinstance(part, Table)
