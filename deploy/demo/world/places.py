"""Where the world happens: two invented counties whose coordinates lie out at sea."""

from __future__ import annotations

import random

from pyproj import Transformer

from deploy.demo.world.happenings import Site
from deploy.demo.world.truth import Address

# town, postcode district, easting and northing of its middle (OSGB36, metres)
NORTHMARCH = (
    ("Northmarch", "NM1", 670000, 350000),
    ("Hallowby", "NM4", 674000, 356000),
    ("Cresk Bridge", "NM7", 664000, 343000),
    ("Marlthorpe", "NM11", 681000, 361000),
    ("Ashdyke", "NM14", 668000, 366000),
)
SALTCOAST = (
    ("Saltcoast", "SQ1", 690000, 310000),
    ("Wrackhaven", "SQ3", 694000, 305000),
    ("Shinglemouth", "SQ6", 687000, 316000),
    ("Pellhythe", "SQ8", 697000, 299000),
)
_STREETS = (
    "Alder Row",
    "Beacon Lane",
    "Chandler Street",
    "Dovecote Road",
    "Ferry Road",
    "Granary Close",
    "Harbour View",
    "Ironmonger Hill",
    "Kiln Terrace",
    "Lantern Court",
    "Millrace Way",
    "Netmakers Yard",
    "Orchard Drift",
    "Priory Walk",
    "Ropewalk",
    "Saltern Avenue",
    "Tidewaiter Street",
    "Weir Gardens",
)
HOTEL = "A-HOTEL"  # the key of the one hotel where two hundred people stay
_TO_WGS84 = Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)


def make_addresses(rng: random.Random, count: int) -> tuple[Address, ...]:
    """`count` addresses over both counties; the first is the hotel."""
    rows: list[tuple[str, str, str, str, int, int]] = [
        (HOTEL, "The Breakwater Hotel, 1 Harbour View", "Saltcoast", "SQ1 4HT", 690120, 310240)
    ]
    for n in range(1, count):
        town, district, east, north = rng.choice(NORTHMARCH + SALTCOAST)
        inward = f"{rng.randint(1, 9)}{''.join(rng.choices('ABDEFGHJLNPQRSTUWXYZ', k=2))}"
        line = f"{rng.randint(1, 180)} {rng.choice(_STREETS)}"
        at = (east + rng.randint(-2500, 2500), north + rng.randint(-2500, 2500))
        rows.append((f"A-{n:05}", line, town, f"{district} {inward}", *at))
    lons, lats = _TO_WGS84.transform([row[4] for row in rows], [row[5] for row in rows])
    return tuple(
        Address(
            key=row[0],
            line=row[1],
            town=row[2],
            postcode=row[3],
            easting=row[4],
            northing=row[5],
            lat=round(lat, 6),
            lon=round(lon, 6),
        )
        for row, lat, lon in zip(rows, lats, lons, strict=True)
    )


def _site(name: str, kind: str, postcode: str, easting: int, northing: int) -> Site:
    lon, lat = _TO_WGS84.transform(easting, northing)
    return Site(name=name, kind=kind, postcode=postcode, lat=round(lat, 6), lon=round(lon, 6))


BEACHES = (
    _site("Wrackhaven Sands", "BEACH", "SQ3 1BS", 694900, 304100),
    _site("Shingle Point", "BEACH", "SQ6 2SP", 688300, 316900),
    _site("Pell Cove", "BEACH", "SQ8 1PC", 698200, 298400),
    _site("Saltcoast East Beach", "BEACH", "SQ1 9EB", 691900, 310700),
)
PORTS = (
    _site("Saltcoast Ferry Terminal", "PORT", "SQ1 2FT", 691200, 309800),
    _site("Northmarch Airport", "PORT", "NM11 8AP", 682000, 360100),
    _site("Cresk Lorry Park", "PLACE", "NM7 5LP", 663200, 342700),
    _site("Northmarch Reporting Centre", "PLACE", "NM1 1RC", 670300, 350200),
)
