"""The British National Grid: metres east and north, degrees of WGS 84, and grid references.

Source: Ordnance Survey, "A guide to coordinate systems in Great Britain" (the grid's letters).
"""

from __future__ import annotations

from functools import lru_cache

from pyproj import Transformer

_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZ"  # five by five, row by row from the north-west; no I
_SQUARE = 100_000  # metres


@lru_cache(maxsize=1)
def _transformer() -> Transformer:
    return Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)


def degrees(easting: float, northing: float) -> tuple[float, float]:
    """Latitude and longitude of a place on the grid, about 5 m exact."""
    lon, lat = _transformer().transform(easting, northing)
    return float(lat), float(lon)


def reference(lat: float, lon: float) -> str | None:
    """The grid reference of a place to ten metres, or None off the grid.

    >>> reference(51.50074, -0.12462)
    'TQ 3026 7964'
    """
    easting, northing = _transformer().transform(lon, lat, direction="INVERSE")
    if not (0 <= easting < 7 * _SQUARE and 0 <= northing < 13 * _SQUARE):
        return None
    across, up = int(easting) // _SQUARE, int(northing) // _SQUARE
    # The grid begins two squares of 500 km west and one south of the letters' own middle.
    large = (17 - up // 5 * 5) + across // 5
    small = (4 - up % 5) * 5 + across % 5
    within = f"{int(easting) % _SQUARE // 10:04} {int(northing) % _SQUARE // 10:04}"
    return f"{_LETTERS[large]}{_LETTERS[small]} {within}"
