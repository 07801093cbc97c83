"""VLR, Vehicle Licensing Register: one SQLite table, upper case, dates as `YYYYDDD`.

It joins the others by two files and no code: nothing but this writer knows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from deploy.demo.agencies.writing import insert, new_file
from deploy.demo.noise import latinised
from deploy.demo.world.happenings import Population
from deploy.demo.world.truth import Agency

DDL = """
create table veh (
  mark text primary key, mk text, mdl text, col text, first_reg text, kpr_nm text, kpr_addr text,
  tax_due text, mot_due text, ins int not null, scrapped int not null default 0);
create index veh_kpr on veh (kpr_nm);
"""


def write_vlr(path: Path, population: Population) -> None:
    """Write the register as a new SQLite file at `path`."""
    connection = new_file(path, DDL)
    insert(connection, "veh", _vehicles(population))
    connection.commit()
    connection.close()


def day_of_year(on: date) -> str:
    """A date as year and day of the year.

    >>> day_of_year(date(2026, 2, 1))
    '2026032'
    """
    return on.strftime("%Y%j")


def _vehicles(population: Population) -> Iterator[tuple[Any, ...]]:
    for vehicle in population.vehicles:
        if Agency.VLR not in vehicle.held_by:
            continue
        keeper = population.people[vehicle.keeper]
        home = keeper.occupancies[0].address
        name = f"{latinised(keeper.name.family)} {latinised(keeper.name.given)}".upper()
        yield (
            vehicle.vrm,
            vehicle.make,
            vehicle.model,
            vehicle.colour,
            day_of_year(vehicle.first_reg),
            name,
            f"{home.line}, {home.town}, {home.postcode}".upper(),
            day_of_year(vehicle.tax_due),
            day_of_year(vehicle.mot_due),
            int(vehicle.insured),
            int(vehicle.scrapped),
        )
