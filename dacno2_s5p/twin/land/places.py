"""Named places from memory of the map: point sources and shipping lanes of Western Europe.

Positions are those of real industrial areas and routes to a few kilometres; strengths are of
the right order and invented in detail. The towns are GeoNames' (CC BY 4.0, geonames.org; see
`settlements`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


SETTLEMENTS = Path(__file__).parents[1] / "data" / "settlements.npz"


class Source(NamedTuple):
    """A stack or a cluster of stacks: sector, annual NOx [kt as NO2], and where."""

    name: str
    longitude: float
    latitude: float
    sector: str
    kilotonnes: float


POINT_SOURCES = (
    Source("Neurath", 6.61, 51.04, "ene", 17),
    Source("Niederaussem", 6.67, 50.99, "ene", 15),
    Source("Weisweiler", 6.32, 50.84, "ene", 11),
    Source("Duisburg", 6.73, 51.49, "ind", 13),
    Source("Duisburg-Walsum", 6.72, 51.53, "ene", 4),
    Source("Scholven", 7.01, 51.60, "ene", 6),
    Source("Scholven refinery", 7.03, 51.61, "ref", 3),
    Source("Datteln", 7.33, 51.63, "ene", 4),
    Source("Dortmund", 7.47, 51.55, "ind", 3),
    Source("Wesseling", 6.99, 50.82, "ref", 5),
    Source("Leverkusen", 6.98, 51.02, "ind", 3),
    Source("Dormagen", 6.82, 51.08, "ind", 2),
    Source("Krefeld-Uerdingen", 6.72, 51.37, "ind", 2),
    Source("Ibbenbueren", 7.74, 52.28, "ene", 4),
    Source("Lingen", 7.31, 52.56, "ref", 3),
    Source("Wilhelmshaven", 8.13, 53.57, "ene", 5),
    Source("Bremen", 8.69, 53.13, "ind", 4),
    Source("Hamburg-Moorburg", 9.95, 53.49, "ene", 5),
    Source("Hamburg refinery", 9.98, 53.48, "ref", 2),
    Source("Ludwigshafen", 8.43, 49.51, "ind", 5),
    Source("Mannheim", 8.50, 49.44, "ene", 5),
    Source("Karlsruhe", 8.31, 49.06, "ref", 4),
    Source("Dillingen", 6.74, 49.35, "ind", 4),
    Source("Voelklingen", 6.84, 49.25, "ene", 3),
    Source("Frankfurt-Hoechst", 8.54, 50.09, "ind", 2),
    Source("Staudinger", 8.95, 50.09, "ene", 3),
    Source("Heilbronn", 9.21, 49.18, "ene", 3),
    Source("Lengfurt", 9.6, 49.8, "ind", 1.5),
    Source("Beckum", 8.03, 51.75, "ind", 2.5),
    Source("Maasvlakte", 4.02, 51.96, "ene", 5),
    Source("Pernis", 4.38, 51.88, "ref", 7),
    Source("Botlek", 4.28, 51.88, "ind", 5),
    Source("IJmuiden", 4.59, 52.47, "ind", 7),
    Source("Moerdijk", 4.58, 51.69, "ind", 2),
    Source("Geleen", 5.79, 50.96, "ind", 3),
    Source("Eemshaven", 6.87, 53.44, "ene", 4),
    Source("Terneuzen", 3.78, 51.34, "ind", 4),
    Source("Delfzijl", 6.95, 53.31, "ind", 1.5),
    Source("Antwerp harbour", 4.33, 51.29, "ref", 8),
    Source("Antwerp chemistry", 4.29, 51.34, "ind", 5),
    Source("Ghent", 3.81, 51.17, "ind", 6),
    Source("Liege", 5.48, 50.61, "ind", 2),
    Source("Tessenderlo", 5.11, 51.07, "ind", 1.5),
    Source("Charleroi", 4.41, 50.40, "ind", 3),
    Source("Obourg", 4.02, 50.47, "ind", 2),
    Source("Esch", 5.98, 49.50, "ind", 2),
    Source("Dunkirk", 2.28, 51.04, "ind", 9),
    Source("Le Havre", 0.17, 49.48, "ene", 4),
    Source("Port-Jerome", 0.54, 49.48, "ref", 6),
    Source("Rouen", 1.02, 49.39, "ind", 2),
    Source("Fos", 4.90, 43.43, "ind", 10),
    Source("Lavera", 5.01, 43.39, "ref", 6),
    Source("Berre", 5.15, 43.49, "ref", 3),
    Source("Gardanne", 5.48, 43.46, "ene", 3),
    Source("Donges", -2.07, 47.31, "ref", 4),
    Source("Cordemais", -1.88, 47.28, "ene", 5),
    Source("Feyzin", 4.85, 45.67, "ref", 3),
    Source("Roussillon", 4.81, 45.38, "ind", 2),
    Source("Lacq", -0.63, 43.41, "ind", 3),
    Source("Bordeaux-Ambes", -0.55, 45.01, "ind", 1),
    Source("Saint-Avold", 6.70, 49.15, "ene", 4),
    Source("Florange", 6.12, 49.33, "ind", 2),
    Source("Grandpuits", 2.97, 48.59, "ref", 2),
    Source("Gonfreville", 0.23, 49.49, "ref", 4),
    Source("Port-la-Nouvelle", 3.04, 43.01, "ind", 1.5),
    Source("Toulouse", 1.43, 43.55, "ind", 1),
    Source("Chalampe", 7.54, 47.81, "ind", 2),
    Source("Basel", 7.62, 47.57, "ind", 1.5),
    Source("Cressier", 7.03, 47.05, "ref", 1),
    Source("Sannazzaro", 8.87, 45.10, "ref", 4),
    Source("Trecate", 8.74, 45.43, "ref", 2),
    Source("Genoa", 8.88, 44.41, "ind", 3),
    Source("Vado Ligure", 8.43, 44.28, "ene", 3),
    Source("Turin", 7.60, 45.13, "ind", 2),
    Source("Bergamo", 9.6, 45.65, "ind", 3),
    Source("Piacenza", 9.72, 45.06, "ene", 2.5),
    Source("Tarragona", 1.19, 41.13, "ref", 6),
    Source("Barcelona harbour", 2.15, 41.34, "ene", 2),
    Source("Sant Vicenc", 2.02, 41.40, "ind", 2.5),
    Source("Andorra-Teruel", -0.38, 41.0, "ene", 6),
    Source("Bilbao", -3.10, 43.33, "ref", 4),
    Source("Torrelavega", -4.05, 43.36, "ind", 2),
    Source("Gijon", -5.72, 43.56, "ene", 6),
    Source("Aviles", -5.91, 43.55, "ind", 5),
    Source("As Pontes", -7.86, 43.44, "ene", 7),
    Source("La Robla", -5.63, 42.80, "ene", 3),
    Source("Drax", -1.00, 53.74, "ene", 9),
    Source("Ratcliffe", -1.25, 52.86, "ene", 6),
    Source("West Burton", -0.81, 53.36, "ene", 5),
    Source("Scunthorpe", -0.62, 53.58, "ind", 6),
    Source("Immingham", -0.24, 53.63, "ref", 6),
    Source("Teesside", -1.13, 54.60, "ind", 5),
    Source("Port Talbot", -3.77, 51.57, "ind", 7),
    Source("Pembroke", -5.03, 51.69, "ref", 5),
    Source("Aberthaw", -3.40, 51.39, "ene", 5),
    Source("Fawley", -1.35, 50.83, "ref", 5),
    Source("Stanlow", -2.85, 53.28, "ref", 5),
    Source("Runcorn", -2.73, 53.33, "ind", 2),
    Source("Hope", -1.75, 53.34, "ind", 2),
    Source("Thames estuary", 0.48, 51.50, "ref", 3),
    Source("Grain", 0.71, 51.45, "ene", 3),
    Source("Didcot", -1.27, 51.62, "ene", 2),
    Source("Grangemouth", -3.70, 56.02, "ref", 5),
    Source("Moneypoint", -9.42, 52.61, "ene", 4),
    Source("Whitegate", -8.25, 51.82, "ref", 1.5),
    Source("Dublin", -6.19, 53.34, "ene", 2),
    Source("Kilroot", -5.77, 54.72, "ene", 3),
    Source("Esbjerg", 8.45, 55.46, "ene", 2),
)


class Lane(NamedTuple):
    """A shipping route: relative traffic, half width [km] and way points (longitude, latitude)."""

    traffic: float
    width: float
    way: tuple[tuple[float, float], ...]


_USHANT = (-5.9, 48.95)
_CASQUETS = (-2.9, 49.95)
_DOVER = (1.45, 51.0)
LANES = (
    Lane(10, 7, ((-9.9, 43.3), (-7.5, 46.2), _USHANT)),
    Lane(3, 10, ((-12.0, 49.3), (-8.0, 49.2), _USHANT)),
    Lane(13, 8, (_USHANT, _CASQUETS, (0.0, 50.25), (0.9, 50.7), _DOVER)),
    Lane(12, 6, (_DOVER, (2.1, 51.35), (2.9, 51.75), (3.6, 52.0), (4.05, 51.98))),
    Lane(6, 3, ((2.6, 51.5), (3.3, 51.42), (3.75, 51.38), (4.2, 51.35))),
    Lane(7, 8, ((3.0, 51.8), (3.5, 52.5), (4.2, 53.3), (5.6, 53.75), (7.4, 54.0), (8.3, 54.0))),
    Lane(5, 3, ((8.0, 54.0), (8.8, 53.92), (9.4, 53.75), (9.9, 53.55))),
    Lane(3, 10, ((3.4, 52.6), (3.6, 54.0), (5.0, 55.6), (6.5, 57.2))),
    Lane(3, 10, ((2.6, 51.9), (2.2, 53.2), (0.9, 54.8), (-0.6, 56.3))),
    Lane(3, 4, (_DOVER, (1.6, 51.4), (1.0, 51.5), (0.55, 51.47))),
    Lane(3, 4, ((2.6, 53.0), (0.9, 53.5), (0.1, 53.55))),
    Lane(4, 5, ((-0.7, 50.15), (-0.1, 49.65), (0.12, 49.48))),
    Lane(3, 4, ((-0.9, 50.2), (-1.15, 50.65), (-1.35, 50.82))),
    Lane(4, 9, (_USHANT, (-6.2, 50.5), (-5.9, 52.3), (-4.8, 53.5), (-3.2, 53.45))),
    Lane(2, 5, ((-6.0, 51.2), (-4.6, 51.35), (-3.1, 51.4))),
    Lane(2, 6, ((-5.6, 52.8), (-5.9, 53.35))),
    Lane(1.5, 8, ((-7.2, 46.5), (-4.0, 46.9), (-2.3, 47.2))),
    Lane(1.5, 8, ((-7.4, 46.2), (-3.5, 45.7), (-1.2, 45.55))),
    Lane(2, 8, ((-8.5, 44.4), (-5.5, 43.8), (-3.1, 43.45))),
    Lane(4, 6, ((-9.9, 43.3), (-9.9, 41.5), (-10.0, 39.0))),
    Lane(5, 9, ((0.8, 39.2), (2.3, 41.2))),
    Lane(6, 10, ((1.5, 39.2), (3.6, 41.4), (4.9, 43.25))),
    Lane(4, 9, ((2.3, 41.25), (4.9, 42.6), (7.5, 43.6), (8.85, 44.3))),
    Lane(5, 10, ((2.0, 39.2), (5.5, 41.5), (8.0, 43.3), (8.9, 44.3))),
    Lane(4, 6, ((5.2, 43.2), (6.8, 42.8), (8.6, 43.2), (10.2, 43.5))),
    Lane(2, 6, ((5.25, 43.25), (5.9, 42.7), (8.0, 41.2), (9.5, 40.2))),
)


@dataclass(frozen=True)
class Settlements:
    """Towns with at least 1000 people; arrays of shape (n,).

    Attributes
    ----------
    longitude, latitude : ndarray of float64
        Position [degree].
    population : ndarray of float64
        People, scaled so that each country's towns hold its whole population.
    country : ndarray of str
        ISO code of two letters.
    name : ndarray of str
        Name.
    """

    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    population: NDArray[np.float64]
    country: NDArray[np.str_]
    name: NDArray[np.str_]


@lru_cache(maxsize=1)
def settlements() -> Settlements:
    """Read the towns of the packaged extract: those between 16W-16E and 37-59N.

    It is of GeoNames' towns above 1000 people (`tools/settlements.py` writes it), whose populations
    are scaled so that the towns of a country add up to its own, by a factor of 0.8 to 1.25.
    Lists hold boroughs beside cities in some countries and miss villages in others; the factor
    between a country's towns and its population removes most of both.
    """
    with np.load(SETTLEMENTS) as listed:
        return Settlements(
            listed["longitude"],
            listed["latitude"],
            listed["population"],
            listed["country"].astype(np.str_),
            np.array(listed["name"].tobytes().decode().split("\n")),
        )
