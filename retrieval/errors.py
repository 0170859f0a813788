"""What can be wrong with files and data, as a small tree of exceptions.

Every message is one line in four parts: what is wrong, the rule, the value given, what to do.
`ValueError` stays for wrong arguments of functions; these classes are for files and data.
"""


class RetrievalError(Exception):
    """Base of everything that is the data's or the files' fault; exit status 1."""


class ProductError(RetrievalError):
    """An L2 file is not what it should be: another product, damaged, or incomplete."""


class AprioriError(RetrievalError):
    """An a-priori set cannot be read or used: unknown layout, wrong unit, damaged."""


class NoOverlapError(RetrievalError):
    """Orbit and a-priori set do not meet, in place or in time."""


class NothingToDoError(NoOverlapError):
    """The orbit is dark where the sets are, or elsewhere: no fault of a file, and common."""


class DataError(RetrievalError):
    """Arrays or fields are incomplete, not finite, or not on the grid they must be on."""


class OutputError(RetrievalError):
    """The output cannot be written, or exists and may not be replaced."""


class FetchError(RetrievalError):
    """A file cannot be had: no network, no account, no such product, or it arrived damaged."""
