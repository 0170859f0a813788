"""What docstrings, comments and documents cite is in the repository: files, headings, decisions."""

import doctest
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("cli", "dacno2_s5p", "retrieval", "tests", "examples", "tools", "configs", "docs")
KINDS = {".py", ".md", ".toml", ".cfg", ".ini"}
WRITTEN = {"scores.md", "table.md", "results.md", "attribution.md", "comparison.md", "TABLE.md"}
"""Documents that commands write beside their results: no citations, nor are names in quotes."""

NUMBERS = r"\d+(?:\.\d+)*(?:(?:, | and )\d+(?:\.\d+)*)*"
SECTION = re.compile(rf"(?P<file>[\w-]+\.md)\)?\s+\(?(?P<numbers>{NUMBERS})(?![\d%])")
DOCUMENT = re.compile(r"(?:(?<=\"{3})|(?<![\w*{}/.\"-]))(?:[\w.-]+/)*[\w-]+\.md\b")
ELSEWHERE = re.compile(
    r"\bcontract (?:section )?\d|\b(?:method|formats|model)\.md\b", re.IGNORECASE
)
NUMBERED = ("equations.md", "formats.md")
"""Documents whose headings begin with numbers that others cite."""


PLACE = re.compile(
    r"(?<![\w/.<-])((?:cli|dacno2_s5p|retrieval|tests|tools|configs|docs|examples)/[\w/.-]*\w"
    r"\.(?:py|toml|cfg|md))"
)
"""A text of the repository by its path; what tools write has other endings."""
MODULE = re.compile(r"`((?:cli|retrieval|dacno2_s5p)\.(?!toml)[a-z_]\w*(?:\.\w+)*)`")
"""A module, or what is in it, by its dotted name."""


def texts():
    """Every text file of the repository that people read, but for this one."""
    top = [p for p in ROOT.iterdir() if p.suffix in KINDS]
    below = [p for f in FOLDERS for p in (ROOT / f).rglob("*") if p.suffix in KINDS]
    return sorted(p for p in {*top, *below} if p != Path(__file__).resolve())


@cache
def numbers_of(name):
    """Numbers that the headings of a document begin with."""
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    return set(re.findall(r"^#+ (\d+(?:\.\d+)*) ", text, re.MULTILINE))


@cache
def said(path):
    """Text of a file with what line breaks and comment signs tear apart joined again."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", path.read_text(encoding="utf-8"))


def missing_in(path):
    """List what a file cites that is not there."""
    text = said(path)
    bases = (ROOT, path.parent, ROOT / "docs", ROOT / "docs" / "evidence")  # pages lie there
    found = []
    for name in DOCUMENT.findall(text):
        is_there = any((base / name).is_file() for base in bases)
        if not is_there and Path(name).name not in WRITTEN:
            found.append(name)
    for match in SECTION.finditer(text):
        if match["file"] in NUMBERED:
            cited = set(re.findall(r"\d+(?:\.\d+)*", match["numbers"]))
            found += [f"{match['file']} {n}" for n in sorted(cited - numbers_of(match["file"]))]
    return found


def test_every_document_and_heading_that_is_cited_exists():
    """No file cites a .md file that is not in the repository, or a section that is not in it."""
    missing = {str(p.relative_to(ROOT)): found for p in texts() if (found := missing_in(p))}
    assert not missing


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('"""As in method.md 2.3."""', ["method.md"]),
        ('"""docs/equations.md 3.4 and\n    99.1."""', ["equations.md 99.1"]),
        ('"""docs/formats.md 1.4, 4.1."""', []),
        ("[equations.md](equations.md) 77", ["equations.md 77"]),
    ],
    ids=["no such file", "no such section, over two lines", "both there", "in a document"],
)
def test_what_is_not_there_is_found(text, missing, tmp_path):
    """The search sees what it is to see."""
    file = tmp_path / "module.py"
    file.write_text(text, encoding="utf-8")
    assert missing_in(file) == missing


def is_in_repository(dotted):
    """Tell whether the longest path that a dotted name makes is there, and holds the rest."""
    parts = dotted.split(".")
    for n in range(len(parts), 1, -1):
        place = ROOT.joinpath(*parts[:n])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            code = file.read_text(encoding="utf-8")
            return n == len(parts) or re.search(rf"\b{parts[n]}\b", code) is not None
    return re.search(rf"\b{parts[1]}\b", (ROOT / parts[0] / "__init__.py").read_text()) is not None


def test_files_and_modules_that_are_named_exist():
    """Rooms move: what a text names by its path or its dotted name is where it says."""
    gone = []
    for path in texts():
        text = said(path)
        gone += [f"{path.name}: {p}" for p in PLACE.findall(text) if not (ROOT / p).exists()]
        gone += [f"{path.name}: {m}" for m in MODULE.findall(text) if not is_in_repository(m)]
    assert not sorted(set(gone))


def test_code_cites_documents_by_their_place():
    """Of numbered documents the code names the folder, and nothing that is elsewhere."""
    wrong = []
    for path in texts():
        if path.suffix == ".py":
            text = re.sub(r"docs/\w+\.md", "", said(path))
            wrong += [f"{path.relative_to(ROOT)}: {m}" for m in ELSEWHERE.findall(text)]
    assert not wrong


def test_every_decision_that_is_cited_has_a_heading():
    """`decision D7` is a heading of a document."""
    documents = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs").rglob("*.md"))
    headings = set(re.findall(r"^#+ (D\d+)\b", documents, re.MULTILINE))
    cited = {
        f"D{n}"
        for p in texts()
        if p.suffix == ".py"
        for n in re.findall(r"ecision D(\d+)", said(p))
    }
    assert cited
    assert cited <= headings


def test_identities_of_the_tests_are_in_the_table():
    """I1 to I19 have a row each."""
    text = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (I\d+) \|", text, re.MULTILINE)
    assert rows == [f"I{i}" for i in range(1, 20)]


def test_worked_numbers_of_the_equations_are_right():
    """Examples in docs/equations.md give what is printed beside them."""
    result = doctest.testfile(str(ROOT / "docs" / "equations.md"), module_relative=False)
    assert result.attempted > 30
    assert result.failed == 0
