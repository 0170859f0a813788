"""What libraries raise on odd file contents becomes one line that names the file."""

from __future__ import annotations

import csv
import zipfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retrieval.errors import RetrievalError

CONTENT_ERRORS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    csv.Error,
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
)
"""What parsing raises where a file holds something else than it should. Our own errors, which say
more, are none of these and pass."""

_LONGEST = 200


@contextmanager
def content_errors(
    path: Path | str, error: type[RetrievalError], *, what: str, rule: str, advice: str
) -> Iterator[None]:
    """Turn what is raised while a file's content is taken apart into one clear line.

    Put it around the reading of a file only: inside, a mistake of the program would be taken for
    one of the file (`-vv` shows the traceback).

    Parameters
    ----------
    path : path
        The file.
    error : type
        Class of the error, of the tree of `RetrievalError`.
    what, rule, advice : str
        "Invalid `what` `path`. It must `rule`. Given: ... . `advice`."

    Examples
    --------
    >>> from retrieval.errors import ProductError
    >>> with content_errors(
    ...     "a.json", ProductError, what="list", rule="be a list of numbers", advice="Correct it"
    ... ):
    ...     int("x")
    Traceback (most recent call last):
    retrieval.errors.ProductError: Invalid list a.json. It must be a list of numbers. Given: \
invalid literal for int() with base 10: 'x'. Correct it.
    """
    try:
        yield
    except CONTENT_ERRORS as fault:
        msg = f"Invalid {what} {path}. It must {rule}. Given: {describe_fault(fault)}. {advice}."
        raise error(msg) from fault


def describe_fault(fault: BaseException) -> str:
    """Return what a library said, on one line and not too long.

    Examples
    --------
    >>> describe_fault(KeyError("days"))
    "no entry 'days'"
    >>> describe_fault(MemoryError())
    'MemoryError'
    """
    words = " ".join(str(fault).split())[:_LONGEST].rstrip(".")
    if isinstance(fault, KeyError):
        return f"no entry {words}"
    return words or type(fault).__name__
