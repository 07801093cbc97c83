"""One record by its key, as a question would visit it: may somebody know of it, and how?"""

from __future__ import annotations

from connectors.conditions import Compare, Op, holds
from gateway.catalogue.mapping import Catalogue
from gateway.model import CLEAR, Fetch, Grant, Plan, Record, RootPlan, Selection, Show
from gateway.query.reading import Reading

_KEY = "native_key"
_NO_BAND = {"match_band": None}  # a record by itself is matched with none


def plan_of_one(
    catalogue: Catalogue, source: str, entity: str, key: str | int, fields: tuple[str, ...]
) -> Plan:
    """The plan of a question for some fields of one record."""
    vocabulary = catalogue.vocabulary
    reading = Reading(vocabulary, entity, catalogue.sources[source].entities[entity])
    held = vocabulary.entities[entity].fields
    selections = tuple(Selection(key=name, name=name) for name in fields if name in held)
    reading.own(selections)
    reading.filtered(_KEY)
    fetch = Fetch(
        id="f0",
        source=source,
        entity=entity,
        parts=reading.parts(),
        where=Compare(_KEY, Op.EQ, key),
        limit=1,
        selections=selections,
        root="record",
        path="record",
    )
    root = Selection(key="record", name="record", selections=selections)
    return Plan(
        roots=(RootPlan(key="record", name="record", selection=root, fetches=("f0",)),),
        fetches=(fetch,),
    )


def found_as(grant: Grant, records: tuple[Record, ...]) -> bool | None:
    """Whether the record is shown (true), only a hit (false), or does not appear (None)."""
    if not records:
        return None
    if grant.own.show is not Show.RECORDS:
        return False
    manner = grant.own.read.get("ref")
    if records[0].manner != CLEAR:
        return False
    if not isinstance(manner, tuple):
        return manner == CLEAR
    values = {**records[0].values, **_NO_BAND}
    return next((case.manner == CLEAR for case in manner if holds(case.when, values)), False)
