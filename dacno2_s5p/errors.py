"""What can be wrong with checkpoints, training data and runs; exit status 1 as retrieval's own.

Messages follow retrieval/errors.py: one line, what is wrong, the rule, the value, what to do.
"""

from __future__ import annotations

from retrieval.errors import DataError, RetrievalError

__all__ = ["CheckpointError", "ConfigurationError", "DataError", "TrainingError"]


class CheckpointError(RetrievalError):
    """A checkpoint is damaged, of another architecture, or made for other data."""


class ConfigurationError(RetrievalError):
    """A recipe or a table of inputs says something that cannot be."""


class TrainingError(RetrievalError):
    """A training run cannot go on: the loss is not finite, or the run to resume is another."""


NETWORK_NEEDS = (
    "Missing package torch. The network and the twin world need it. Given an installation without. "
    "Run pip install 'dacno2-s5p[ml]'."
)
"""What is said where torch is absent: re-retrievals, grids and maps do without."""
