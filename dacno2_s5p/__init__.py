"""DACNO2-S5P: daily 2 km x 2 km 3-D NO2 fields over Western Europe.

All public names, taken up when they are first used, so that torch is loaded where it is needed.
Rooms in reading order: `inputs` (what the network sees), `sources` (the users' files), `store`,
`network`, `training`, `prediction`, `evaluation`, `calibration`, `attribution`, `twin`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dacno2_s5p.errors import NETWORK_NEEDS

if TYPE_CHECKING:
    from dacno2_s5p.door import predict_day as predict_day
    from dacno2_s5p.evaluation.evaluate import evaluate as evaluate
    from dacno2_s5p.evaluation.evidence import Evidence as Evidence
    from dacno2_s5p.inputs.grid import ModelGrid as ModelGrid
    from dacno2_s5p.network.checkpoint import Checkpoint as Checkpoint
    from dacno2_s5p.network.checkpoint import load_checkpoint as load_checkpoint
    from dacno2_s5p.network.checkpoint import shipped_checkpoint as shipped_checkpoint
    from dacno2_s5p.store.store import Store as Store
    from dacno2_s5p.twin.twin import Twin as Twin

_MODULES = {
    # the network and its file
    "network.checkpoint": ("Checkpoint", "load_checkpoint", "shipped_checkpoint"),
    # a day in, a Dataset of profiles out
    "door": ("predict_day",),
    # what it is trained on and where
    "inputs.grid": ("ModelGrid",),
    "store.store": ("Store",),
    # beside stations and CAMS, as the paper's tables
    "evaluation.evaluate": ("evaluate",),
    "evaluation.evidence": ("Evidence",),
    # a world whose NO2 is known
    "twin.twin": ("Twin",),
}
__all__ = sorted(name for names in _MODULES.values() for name in names)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("dacno2-s5p")
    for module, names in _MODULES.items():
        if name in names:
            try:
                return getattr(import_module(f"{__name__}.{module}"), name)
            except ModuleNotFoundError as error:
                if error.name != "torch":
                    raise
                raise ModuleNotFoundError(NETWORK_NEEDS, name="torch") from error
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
