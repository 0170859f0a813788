"""`dacno2-s5p report`: one self-contained page of what the other commands wrote."""

from __future__ import annotations

import json
import os
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.reporting.folder import Folder, clean
from cli.reporting.page import Block as PageBlock
from cli.reporting.page import Listed, Report, Section, gather, render
from cli.reporting.parts import SECTIONS, Cell, Figure, Product, Table
from cli.reporting.products import find_products
from cli.reporting.provenance import Input, Record, Step
from tests.builders.report_folder import (
    ATTRIBUTION,
    CURVES,
    DIGEST,
    PIXELS,
    build_evaluation,
    build_folder,
    png,
)
from tests.cli.conftest import names

VOID = {"meta", "link", "img", "br", "hr", "input"}
FETCHING = {"src", "href", "srcset", "poster", "action", "data", "background", "formaction"}


class Outline(HTMLParser):
    """Tags with their attributes, and all text; fails where tags do not nest."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attrs)) for tag, attrs in self.tags]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with products of every command."""
    return build_folder(tmp_path_factory.mktemp("report") / "all")


@pytest.fixture(scope="module")
def page(folder) -> Outline:
    """Return the page of that folder, parsed."""
    return Outline(render(gather(folder, title="A title")))


def test_page_needs_nothing_from_outside(page):
    """There is no script, no handler, and nothing that a browser would fetch."""
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "base"}
    for _, attrs in page.tags:
        assert not [name for name in attrs if name.startswith("on")]
        for name in FETCHING & set(attrs):
            assert attrs[name].startswith(("data:", "#"))
    policies = [a["content"] for a in page.all("meta") if a.get("http-equiv")]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    style = "".join(page.words)
    assert "@import" not in style
    assert "url(" not in style


def test_page_is_accessible(page):
    """Language, encoding, alternative texts, captions, header scopes, and links that lead on."""
    assert page.tags[0] == ("html", {"lang": "en"})
    assert {"charset": "utf-8"} in page.all("meta")
    images = page.all("img")
    assert len(images) == 7
    assert all(image["alt"] and image["src"].startswith("data:image/") for image in images)
    assert all(attrs["scope"] in ("col", "row", "rowgroup") for attrs in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    links = [attrs["href"] for attrs in page.all("a")]
    assert links
    assert all(link.removeprefix("#") in ids for link in links)


def test_story_has_one_order(page):
    """What was done comes first, then the sections of the story, then files."""
    found = [attrs["id"] for tag, attrs in page.tags if tag == "section"]
    assert found == ["done", "headline", "stations", "layers", "profiles", "columns",
                     "attribution", "training", "files"]  # fmt: skip
    assert set(found) <= {"done", "files", *SECTIONS}


def test_numbers_are_those_of_the_files(page):
    """Values, intervals, units and the best of a row come through."""
    text = " ".join(page.text.split())
    for words in (
        "RMSE [µg m⁻³] 4.00 ★ [3.00, 5.00]",  # the least RMSE is the best
        "R² 0.80 ★ 0.70 0.60",
        "50 m bias [µg m⁻³] −0.50 ★",
        "mean [10¹⁵ molec cm⁻²] 4.20 4.20 4.20 77",
        "DACNO2 / TM5 1.400 1.500 −5.2 [−5.5, −5.0] −4.8 −4.0 −9.0 to +2.0 −0.100 900",
        "CAMS +0.020 ★",  # TRUTH is nearer, and a bound
        "phase 1 30 3.25 2.75 20 1.5",
        "emission 62.5 (−3.50)",
        "sea TM5 1.100 1200 9 CAMS 0.990 −10.0 [−12.5, −7.5] 1200 9",
        "none raises it +30.0 (+24.7 to +40.3) yes",  # words, as not all of the column are numbers
        "domain CAMS −28.7 [−40.8 to −22.6] TM5 0.0",
        "Written by make evidence; words say more.",
    ):
        assert words in text


def test_provenance_is_told(page):
    """Commands, versions, inputs with checksums, files, and what could not be shown."""
    text = page.text
    assert "dacno2-s5p reretrieve ORBIT.nc -a cams=cams" in text
    assert text.index("reretrieve ORBIT.nc") < text.index("dacno2-s5p grid A.nc")
    assert "numpy 2.4" in text
    assert DIGEST in text
    assert "notes.txt" in text
    assert "not readable" in text
    assert "evaluation/series.png: neither PNG nor SVG by content" in text
    assert "mine" not in text.split()


def test_synthetic_is_said_loudly(page, tmp_path):
    """A product that says synthetic marks the page; one of measurements alone does not."""
    assert "SYNTHETIC DATA." in page.text
    assert "demo in demo; evidence in season; 1 of 2 data files" in page.text
    measured = render(gather(build_evaluation(tmp_path / "e"), title=""))
    assert "SYNTHETIC" not in measured


def test_same_folder_same_bytes(folder, tmp_path):
    """Neither clock, place, times of files nor an earlier page enter the page."""
    other = tmp_path / "elsewhere" / "b"
    shutil.copytree(folder, other)
    (other / "report.html").write_text(render(gather(folder, title="old")), encoding="utf-8")
    for path in other.rglob("*.csv"):
        os.utime(path, (1, 1))
    assert render(gather(other, title="t")) == render(gather(folder, title="t"))


def _report(words: str) -> Report:
    """Return a report in which every text is the given words."""
    cell = Cell(words, words, is_number=True, is_best=True)
    table = Table(words, (words, words, words), ((cell, cell, cell),), 2, words, words)
    figure = Figure(words, words, "data:,", words, 1, 1, 1)
    product = Product(
        words, words, words, {"headline": [table, figure]}, [words], {}, [words], is_synthetic=True
    )
    return Report(
        title=words,
        version=words,
        products=[product],
        sections=[Section("headline", words, [PageBlock(product, [table, figure])])],
        absent=[words],
        synthetic=[words],
        steps=[Step(words, words, words, words)],
        described=[Record(words, words, facts=((words, words),))],
        inputs=[Input(words, words, words)],
        n_input=2,
        used=[(words, words, words)],
        listed=[Listed(words, words, words)],
    )


PLAIN = Outline(render(_report("word")))
HOSTILE = st.text(
    st.one_of(st.sampled_from("<>\"'&;=/! -#{}%\x00\u202e"), st.characters()), max_size=40
)


@given(HOSTILE)
@settings(max_examples=60, deadline=None)  # no deadline: the machine may be busy
def test_no_text_becomes_markup(words):
    """Whatever names and cells hold, tags and attributes are the same; the text is all there."""
    given_words = "w" + words.replace("`", "")  # paired backticks are code by intent
    found = Outline(render(_report(given_words)))
    assert found.skeleton == PLAIN.skeleton
    # parsers end lines with \n and jinja keeps text as it is
    shown = clean(given_words).replace("\r\n", "\n").replace("\r", "\n")
    assert found.all("img")[0]["alt"].replace("\r\n", "\n").replace("\r", "\n") == shown
    assert shown in found.text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.fixture
def hostile(tmp_path) -> Path:
    """Return a folder whose names and cells are markup."""
    top = build_evaluation(tmp_path / "h" / '"><b onclick=alert(1)>').parent
    scores = next(top.rglob("scores.csv"))
    text = scores.read_text(encoding="utf-8").replace("phase2", "<script>window.hacked=1</script>")
    scores.write_text(text, encoding="utf-8")
    (top / "<img src=x onerror=alert(1)>.txt").write_text("")
    (top / "{{ 7 * 7 }}.txt").write_text("")
    return top


def test_names_and_cells_stay_text(hostile):
    """Names of folders and files and cells of tables are shown as they are."""
    found = Outline(render(gather(hostile, title="</title><script>")))
    assert not found.all("script")
    assert not found.all("b")
    assert "<script>window.hacked=1</script>" in found.text
    assert "<img src=x onerror=alert(1)>.txt" in found.text
    assert "{{ 7 * 7 }}.txt" in found.text


def test_links_are_never_followed(tmp_path):
    """Links to files and folders outside are named, and nothing of them is read."""
    outside = build_evaluation(tmp_path / "outside")
    (outside / "secret.md").write_text("# T\n\n- a secret\n")
    top = build_evaluation(tmp_path / "top")
    (top / "scores.md").unlink()
    (top / "scores.md").symlink_to(outside / "secret.md")
    (top / "stations.png").unlink()
    (top / "stations.png").symlink_to(outside / "stations.png")
    (top / "more").symlink_to(outside, target_is_directory=True)
    os.mkfifo(top / "maps.png")
    found = Outline(render(gather(top, title="t")))
    assert "a secret" not in found.text
    assert len(found.all("img")) == 2
    for name in ("scores.md", "stations.png", "more"):
        assert f"{name}a link, not followed" in "".join(found.text.split("\n")).replace("  ", "")
    assert "maps.pngno regular file" in "".join(found.text.split("\n")).replace("  ", "")


def test_a_link_inside_a_data_file_is_not_followed(tmp_path):
    """The group PRODUCT of another file, linked from within HDF5, is not read."""
    import h5py

    from tests.builders.report_folder import write_orbit

    secret = write_orbit(tmp_path / "secret.nc")
    top = build_evaluation(tmp_path / "top")
    with h5py.File(top / "linked.nc", "w") as file:
        file["PRODUCT"] = h5py.ExternalLink(str(secret), "/PRODUCT")
    assert DIGEST not in render(gather(top, title="t"))


def test_many_files_are_one_row(tmp_path):
    """A folder of many files of a kind is counted, not listed."""
    top = build_evaluation(tmp_path / "top")
    for i in range(40):
        (top / f"day{i:02}.bin").write_bytes(b"12345")
    text = render(gather(top, title="t"))
    assert "40 files" in text
    assert "200 B" in text
    assert "day07.bin" not in text


def test_command_writes_one_file(run, folder, tmp_path):
    """The page is written where told; its size and parts are said; nothing is replaced unasked."""
    target = tmp_path / "page.html"
    done = run("report", folder, "-o", target, "-q")
    assert done.status == 0, done.err
    size = target.stat().st_size
    assert done.out.strip() == f"{target}\t{size / 1e3:.0f} kB, 16 tables, 7 figures"
    assert "give --overwrite" in run("report", folder, "-o", target).error
    assert "must end in .html" in run("report", folder, "-o", folder / "scores.csv").err
    again = run("report", folder, "-o", target, "--overwrite", "--json", "-q")
    found = json.loads(again.out)
    assert found["bytes"] == size
    assert found["not_shown"] == ["evaluation/series.png: neither PNG nor SVG by content"]


def test_large_pages_are_warned_of(run, tmp_path):
    """A page above the limit is written, with one line that says so."""
    top = build_evaluation(tmp_path / "e")
    done = run("report", top, "--warn-above", "0.01")
    assert done.status == 0
    assert (top / "report.html").exists()
    assert done.err.count("\n") == 1
    assert "above 0.01 MB" in done.err


@pytest.mark.parametrize("files", [{}, {"a.txt": b"x", "stations.png": png()}])
def test_nothing_to_show_is_one_line(run, tmp_path, files):
    """A folder without any product is refused, with what to run first."""
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    done = run("report", tmp_path)
    assert done.status == 1
    assert "Run one of them first" in done.error
    assert names(tmp_path) == sorted(files)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("scores.csv", "table,group\nstations,all\n", "without the column height_m"),
        ("numbers.csv", "area,product,reference,n_cell,ratio_of_means\n", "without any row"),
        ("attribution.csv", "", "without the column target"),
        ("june_strata.csv", "stratum,product\nsea,TM5\n", "without the column reference"),
        ("phase1/curves.csv", "step,train_loss,validation_loss\n1,2\n", "row 2 has 2 cells"),
    ],
)
def test_damaged_tables_are_named(tmp_path, name, text, words):
    """A table that cannot be read is said so on the page; the others are shown."""
    top = build_evaluation(tmp_path / "top")
    path = top / "more" / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert words in Outline(render(gather(top, title="t"))).text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (png()[:-12], "a PNG without its end"),
        (b"GIF89a", "neither PNG nor SVG"),
        (b"", "neither PNG nor SVG"),
    ],
)
def test_damaged_figures_are_named(tmp_path, data, words):
    """A figure that a browser could not draw is not embedded, and said so."""
    top = build_evaluation(tmp_path / "top")
    (top / "layers.png").write_bytes(data)
    found = Outline(render(gather(top, title="t")))
    assert f"layers.png: {words}" in found.text
    assert len(found.all("img")) == 2


def test_columns_are_those_of_the_writers():
    """What is read from curves and attributions are columns that train and attribute write."""
    from dacno2_s5p.attribution.tables import HEADER
    from dacno2_s5p.training.curves import COLUMNS
    from retrieval.l3.intervals import StratumRow

    assert set(CURVES.splitlines()[0].split(",")) <= set(COLUMNS)
    assert PIXELS.splitlines()[0].split(",") == list(StratumRow.__dataclass_fields__)
    assert set(ATTRIBUTION.splitlines()[0].split(",")) <= set(HEADER)


def test_a_broken_row_of_results_is_named(tmp_path):
    """A table of the season's page with a cell too few is a problem of it, not a shifted row."""
    (tmp_path / "season.csv").write_text("area\n")
    text = "## Means\n\n| area | cells |\n|---|---|\n| domain |\n"
    (tmp_path / "results.md").write_text(text)
    build_evaluation(tmp_path / "evaluation")
    found = Outline(render(gather(tmp_path, title="t"))).text
    assert "results.md: row 1 of 'Means' has 1 cells, the header 2" in found


def test_a_validation_is_taken_up(tmp_path):
    """Its scores are no evaluation's: in all first, then by station and class."""
    head = "scope,product,statistic,value,low,high,n"
    rows = [
        f"{scope},{product},{statistic},{value},{value - 1e-5:g},{value + 1e-5:g},7"
        for scope in ("all", "station:Paris", "class:clean", "season:JJA")
        for product, value in (("TM5", -5e-5), ("DACNO2", -1e-5))
        for statistic in ("median_difference", "dispersion")
    ]
    (tmp_path / "scores.csv").write_text("\n".join([head, *rows]))
    (tmp_path / "pairs.csv").write_text("station\nParis\n")
    (product,) = find_products(Folder.scan(tmp_path))
    assert (product.command, product.problems) == ("validate", [])
    (headline,) = product.parts["headline"]
    assert [row[1].text for row in headline.rows] == ["TM5", "DACNO2"]
    minus = "\N{MINUS SIGN}"
    assert headline.rows[0][2].text == f"{minus}3.01"  # 5e-5 mol m-2 in 1e15 molecules cm-2
    assert [t.caption.partition(":")[0] for t in product.parts["columns"]] == [
        "By pollution of the reference"
    ]
