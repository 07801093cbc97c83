"""What policy names in vain: each name of each table that names something of the vocabulary."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

import pytest

from deploy.policy.reach import CATALOGUE, tables_of
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.coordinates import TABLES, strangers
from tests.opa import POLICIES

VOCABULARY: Final = load_catalogue(CATALOGUE).vocabulary
DEPLOYED: Final = tables_of(POLICIES)

Change: TypeAlias = Callable[[dict[str, Any]], object]


def told(tables: Mapping[str, Any]) -> list[str]:
    return [str(fault).removeprefix("tables/") for fault in strangers(VOCABULARY, tables)]


def test_the_deployed_tables_name_nothing_in_vain() -> None:
    assert TABLES
    assert set(TABLES) <= set(DEPLOYED)
    assert told(DEPLOYED) == []


def test_of_a_table_that_is_not_there_nothing_is_said() -> None:
    assert told({}) == []


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("fields", lambda t: t["Alert"].update(weight=["S1", "O"]),
         "Alert.weight: there is no such field"),
        ("fields", lambda t: t.update(Alarm={"kind": ["S1", "O"]}),
         "Alarm.kind: there is no such field"),
        ("uses", lambda t: t["Person"].update(sort=["date_of_birth"]),
         "Person / sort / date_of_birth: nobody asks it"),
        ("uses", lambda t: t["Person"].update(fliter=["date_of_birth"]),
         "Person / fliter / date_of_birth: nobody asks it"),
        ("uses", lambda t: t["Person"]["link"].append("names.family"),
         "Person / link / names.family: nobody asks it"),
        ("uses", lambda t: t["Person"]["filter"].append("name.family"),
         "Person / filter / name.family: nobody asks it"),
        ("uses", lambda t: t["Identifier"]["reveal"].append("shoe_size"),
         "Identifier / reveal / shoe_size: nobody asks it"),
        ("uses", lambda t: t.update(Alarm={"filter": ["kind"]}),
         "Alarm / filter / kind: nobody asks it"),
        ("matrix", lambda t: t.update({"Vehicle>Persn": {}}),
         "Vehicle>Persn: there is no such place"),
        ("matrix", lambda t: t.update({"Vehicl>Person": {}}),
         "Vehicl>Person: there is no such place"),
        ("switches", lambda t: t["firewall_silent"].append("Encounter.screened_neds"),
         "firewall_silent / Encounter.screened_neds: there is no such place"),
        ("switches", lambda t: t["firewall_silent"].append("Alert"),  # no place, but a part's type
         "firewall_silent / Alert: there is no such place"),
        ("switches", lambda t: t["firewall_told"].update({"Incidnt": "both_sides_hit"}),
         "firewall_told / Incidnt: there is no such place"),
        ("switches", lambda t: t["firewall_purposes"].append("IMIGRATION_CONTROL"),
         "firewall_purposes / IMIGRATION_CONTROL: there is no such purpose"),
        ("purposes", lambda t: t["DECONFLICTION"]["reaches"].append("Operations"),
         "DECONFLICTION / reaches / Operations: there is no such kind of record"),
        ("fields", lambda t: t["Vehicle"].update(markers=["S3", "O", "Warnings"]),
         "Vehicle.markers / Warnings: there is no such kind of record"),
        ("obligations", lambda t: t["time_box"]["entities"].append("ImageReff"),
         "time_box / entities / ImageReff: there is no such kind of record"),
        ("obligations", lambda t: t["watermark"]["entities"].append("FaceCandidatte"),
         "watermark / entities / FaceCandidatte: there is no such kind of record"),
        ("ladder", lambda t: t["explicit"].append("narative"),
         "explicit / narative: there is no such field"),
        ("outcomes", lambda t: t["landings"]["read"].update(deahts=""),
         "landings / read / deahts: there is no such field"),
        ("outcomes", lambda t: t["landings"].update(note_at=["deahts"]),
         "landings / note_at / deahts: there is no such field"),
        ("outcomes", lambda t: t["homes"].update(not_uses={"filter": ["post_code"]}),
         "homes / not_uses / filter / post_code: nobody asks it"),
        ("outcomes", lambda t: t["homes"].update(not_uses={"fliter": ["postcode"]}),
         "homes / not_uses / fliter / postcode: nobody asks it"),
        ("casework", lambda t: t["tripwires"]["NMC"].append("Alarm"),
         "tripwires / NMC / Alarm: there is no such kind of record"),
        ("casework", lambda t: t["placed_by"].update(Warning="placed"),
         "placed_by / Warning / placed: there is no such field"),
        ("casework", lambda t: t["placed_by"].update(Alarm="owner"),
         "placed_by / Alarm / owner: there is no such field"),
        ("casework", lambda t: t["releasable"]["OrganisedGroup"].append("names"),
         "releasable / OrganisedGroup / names: there is no such field"),
        ("casework", lambda t: t["releasable"].update(Report=[]),
         "releasable / Report: there is no such kind of record"),
        ("casework", lambda t: t["releasable"].update(Alert=["kind"]),  # a part has no ref
         "releasable / Alert / kind: there is no such field"),
        ("purposes", lambda t: t.update(OVERSIGHT="none"), "-: has not the shape of its schema"),
        ("switches", lambda t: t.update(firewall_silent=None),
         "-: has not the shape of its schema"),
    ],
)  # fmt: skip
def test_az_21_a_name_for_what_does_not_exist_is_told_by_table_and_key(
    name: str, change: Change, said: str
) -> None:
    table = copy.deepcopy(DEPLOYED[name])
    change(table)
    assert told({**DEPLOYED, name: table}) == [f"{name}/data.json: {said}"]


@pytest.mark.parametrize("component", ["safeguarding", "custody"])
def test_az_21_a_component_that_is_renamed_in_the_vocabulary_is_told_wherever_policy_names_it(
    component: str,
) -> None:
    """The other direction: the tables are as they were."""
    person = VOCABULARY.entities["Person"]
    fields = {n if n != component else f"{n}_2": f for n, f in person.fields.items()}
    entities = {**VOCABULARY.entities, "Person": replace(person, fields=fields)}
    found = [str(f) for f in strangers(replace(VOCABULARY, entities=entities), DEPLOYED)]
    assert f"tables/matrix/data.json: Person.{component}: there is no such place" in found
    walled = f"tables/switches/data.json: firewall_silent / Person.{component}: "
    assert any(one.startswith(walled) for one in found) == (component == "safeguarding")
