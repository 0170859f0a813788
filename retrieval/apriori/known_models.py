"""Models whose files are CF but for some names, by a table (`formats/models.py`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrieval.apriori.file_set import FileSet
from retrieval.apriori.formats.models import models, translate
from retrieval.apriori.formats.translation import TranslatedSource
from retrieval.apriori.generic import no2_of, open_files
from retrieval.errors import AprioriError

if TYPE_CHECKING:
    from retrieval.apriori.formats.containers import NetcdfSource
    from retrieval.apriori.formats.models import Model
    from retrieval.apriori.locating import Request

KIND = ", ".join(model.name for model in models())
PRIORITY = 50
TAKES_TOML = True


def matches(source: NetcdfSource, variable: str) -> bool:
    """Tell whether a file is of one of the models."""
    return _model_of(source, variable) is not None


def open_set(sources: list[NetcdfSource], request: Request) -> FileSet:
    """Open files of one model; reads coordinates only.

    Raises
    ------
    AprioriError
        If they are of several models, or a file says not enough.
    """
    found = {model.name: model for s in sources if (model := _model_of(s, no2_of(s, request)))}
    if len(found) != 1:
        msg = (
            f"Invalid a-priori set {sources[0]}. Its files must be of one model. Given "
            f"{', '.join(found)}. Put them in folders of their own."
        )
        raise AprioriError(msg)
    ((name, model),) = found.items()

    def shown(source: NetcdfSource) -> dict[str, Any]:
        return translate(model, source)

    return open_files(name, [TranslatedSource.of(s, shown) for s in sources], request)


def _model_of(source: NetcdfSource, variable: str) -> Model | None:
    return next((m for m in models() if m.matches(source.dataset(), variable)), None)
