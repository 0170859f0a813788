"""A-priori substitution in satellite NO2 orbits: an orbit in, an orbit out.

All public names, taken up when they are first used, so that the command line starts fast. A room
is one package; read them in this order: `physics` (the equations), `l2` (orbits), `apriori`
(a-priori sets), `substitution`, `l3`, `simulate`, `validation`, `maps`, `fetch`, `files`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrieval import physics as physics
    from retrieval.apriori.base import AprioriSet as AprioriSet
    from retrieval.apriori.base import ArraySet as ArraySet
    from retrieval.apriori.registry import open_apriori as open_apriori
    from retrieval.door import grid as grid
    from retrieval.door import sample as sample
    from retrieval.door import substitute as substitute
    from retrieval.door import validate as validate
    from retrieval.door_compare import compare as compare
    from retrieval.l2.open_orbit import open_orbit as open_orbit
    from retrieval.l2.orbit import Orbit as Orbit
    from retrieval.l2.pixels import Crop as Crop
    from retrieval.l2.pixels import Pixels as Pixels
    from retrieval.l2.product.results import SubstitutionFlag as SubstitutionFlag
    from retrieval.l2.product.results import SubstitutionWarning as SubstitutionWarning
    from retrieval.l3.file import read_l3 as read_l3
    from retrieval.l3.file import write_l3 as write_l3
    from retrieval.simulate.options import SimulationOptions as SimulationOptions
    from retrieval.simulate.simulate_orbit import simulate_orbit as simulate_orbit
    from retrieval.substitution.job import Job as Job
    from retrieval.substitution.options import Above as Above
    from retrieval.substitution.options import Options as Options
    from retrieval.substitution.reretrieve import reretrieve as reretrieve
    from retrieval.validation.pair import PairOptions as PairOptions

_MODULES = {
    # orbits of any sensor
    "l2.open_orbit": ("open_orbit",),
    "l2.orbit": ("Orbit",),
    "l2.pixels": ("Crop", "Pixels"),
    # a-priori sets: a path or a Dataset
    "apriori.registry": ("open_apriori",),
    "apriori.base": ("AprioriSet", "ArraySet"),
    # an orbit in, a Dataset or a file out
    "door": ("substitute", "grid", "sample", "validate"),
    "door_compare": ("compare",),
    "substitution.options": ("Options", "Above"),
    "substitution.job": ("Job",),
    "substitution.reretrieve": ("reretrieve",),
    "l2.product.results": ("SubstitutionFlag", "SubstitutionWarning"),
    # maps as files
    "l3.file": ("read_l3", "write_l3"),
    # columns beside those from the ground
    "validation.pair": ("PairOptions",),
    # what the instrument would see of a known truth
    "simulate.options": ("SimulationOptions",),
    "simulate.simulate_orbit": ("simulate_orbit",),
}
_ROOMS = ("physics", "fetch", "validation", "maps")
__all__ = sorted(["physics", *(name for names in _MODULES.values() for name in names)])


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("dacno2-s5p")
    if name in _ROOMS:
        return import_module(f"{__name__}.{name}")
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
