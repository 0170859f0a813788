"""Tables of text: whole lines, plain numbers, bytes that are no text."""

from __future__ import annotations

import pytest

from dacno2_s5p.errors import DataError
from dacno2_s5p.sources.text_table import named_lines, plain_number, read_table


def read(path, needed=("a", "b")):
    return list(read_table(path, needed, what="table", advice="Download it again"))


@pytest.mark.parametrize("text", ["", "nan", "inf", "1_0", "12x", "0x10", "١٢", "1,5", "1.2.3"])
def test_what_python_takes_for_a_number_may_be_none(text):
    """Only ASCII digits, a point and an exponent."""
    with pytest.raises(ValueError, match="is no number"):
        plain_number(text)


def test_lines_have_the_names_of_the_header(tmp_path):
    """Blank lines are passed over; empty fields beyond the header do no harm."""
    path = tmp_path / "a.csv"
    path.write_text("a, b ,c\n1,2,3\n\n4,5,6,\n")
    assert [row["b"] for row in read(path)] == ["2", "5"]


@pytest.mark.parametrize(
    ("content", "given"),
    [
        (b"a,c\n1,2\n", "no column b"),
        (b"a,b,b\n1,2,3\n", "several columns b"),
        (b"", "no column a, b"),
        (b"a,b,c\n1,2,3\n4,5\n", "2 fields of 3 in line 3"),
        (b"a,b,c\n1,2,3,4\n", "4 fields of 3 in line 2"),
        (b'a,b,c\n1,2,"3\n4,5,6\n7,8,9"', ""),
        (b'a,b,c\n1,"2,3\n4,5,6\n', "2 fields of 3 in line 2"),
        (b"a,b,c\n1,\xff,3\n", "bytes in line 2 that are no text"),
        (b"a,b,c\n1,2," + b"x" * 200_000 + b"\n", "field larger than field limit"),
    ],
)
def test_a_line_without_its_fields_is_refused(tmp_path, content, given):
    """Cut ends and quotation marks that swallow lines are told, not passed over."""
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    if not given:  # a field over several lines is a valid one
        assert len(read(path)) == 1
        return
    with pytest.raises(DataError, match=r"Invalid table .* Download it again\.") as error:
        read(path)
    assert given in str(error.value)


def test_names_of_places_may_be_in_any_encoding(tmp_path):
    """Bytes that are no text matter in columns that are needed."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b,place\n1,2,K\xf6ln\n")
    assert read(path)[0]["a"] == "1"


def test_lines_of_workbooks_may_be_shorter():
    """Cells at the end that are empty are not stored."""
    lines = [["a", "b", "c"], ["1", "2"]]
    assert list(named_lines(lines, ("a", "b"), pad=True)) == [{"a": "1", "b": "2", "c": ""}]
