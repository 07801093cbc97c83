"""A small world for the pure stages: the real vocabulary, two invented agencies, no I/O.

`north` keeps its words in capitals and child relations; `east` holds everything in one row.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from connectors.conditions import ALWAYS
from gateway.catalogue.mapping import Catalogue, read_catalogue
from gateway.catalogue.schema import Schema, build_schema
from gateway.catalogue.vocabulary import Vocabulary
from gateway.catalogue.vocabulary_file import read_vocabulary
from gateway.errors import GatewayError
from gateway.model import (
    CLEAR,
    EMPTY,
    AuthorisedPlan,
    FetchResult,
    Grant,
    Operation,
    Part,
    PartGrant,
    Parts,
    Plan,
    Record,
    Request,
    Response,
    Show,
    State,
    Subject,
    Use,
)
from gateway.policy.masks import MASKS, MaskContext
from gateway.query.asking import cursor_binding
from gateway.query.derived import Moment
from gateway.query.operation import Parser, parse_request
from gateway.query.plan import Planner
from gateway.query.refs import Refs
from gateway.query.shape import Mask, Shaper, Shaping
from gateway.query.whole import settle
from gateway.settings import Limits

ROOT = Path(__file__).parents[3]
NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
MOMENT = Moment(now=NOW)
REFS = Refs(b"m" * 32)
LIMITS = Limits()
WHY = {"purpose": "OFFICER_SAFETY", "reasonCode": "R01", "incidentRef": "INC-1"}
SUBJECT = Subject(
    issuer="https://issuer.example",
    id="u-1",
    agency="NORTH",
    roles=("response_officer",),
    clearance="OS",
    training=(),
    app="stop-and-check",
    token_id="t-1",  # noqa: S106  # an identifier, not a secret
    attributes_as_at=NOW,
)

HEADER: Mapping[str, Any] = {
    "marking": {"constant": "OFFICIAL"},
    "caveats": {"constant": []},
    "handling": {"column": "hnd", "values": {"P": "P", "C": "C"}},
    "conditions": {"constant": []},
    "source_grade": {"constant": "RELIABLE"},
    "info_grade": {"constant": "A"},
    "assertion": {"constant": "FACT"},
    "collected_for": {"constant": ["PREVENT_DETECT_CRIME"]},
    "subject_roles": {"constant": ["SUSPECT"]},
    "mopi_group": {"constant": "G1"},
    "retention": {"constant": "CURRENT"},
    "review_date": {"constant": "2027-01-01"},
    "recorded_at": {"constant": "2026-01-01T00:00:00Z"},
    "silent": {"column": "silent", "values": {"0": False, "1": True}, "code": "int"},
    "victim": {"constant": False},
    "native_key": "id",
}
NORTH: Mapping[str, Any] = {
    "version": 1,
    "id": "north",
    "agency": "NORTH",
    "system": "Records",
    "connector": "sql",
    "header": HEADER,
    "entity": {
        "Person": {
            "relation": "person",
            "columns": {
                "date_of_birth": {"column": "dob", "format": "%Y%m%d", "null": ["19000101"]},
                "dob_claimed": {"constant": False},
                "sex": {"column": "sex", "values": {"1": "MALE", "2": "FEMALE"}, "code": "int"},
            },
            "parts": {
                "names": {
                    "kind": {"constant": "LEGAL"},
                    "given": {"column": "fore", "stored": "upper"},
                    "family": {"column": "sur", "stored": "upper"},
                },
                "identifiers": {
                    "relation": "person_no",
                    "by": "person",
                    "key": "n",
                    "kind": {"column": "kind", "values": {"PP": "PASSPORT", "PN": "PNCID"}},
                    "value": {"column": "no", "stored": "upper"},
                },
                "warnings": {
                    "relation": "warning",
                    "by": "person",
                    "kind": {"column": "cd", "values": {"WE": "WEAPONS", "MH": "MENTAL_HEALTH"}},
                    "reason": "why",
                },
                "addresses": {
                    "kind": {"constant": "HOME"},
                    "location": {"postcode": "pc", "town": "town", "point": {"lat": "y"}},
                },
                "offending": {
                    "relation": "offence",
                    "by": "person",
                    "offence_code": "cd",
                    "serious": {"column": "big", "values": {"Y": True, "N": False}},
                },
            },
        },
        "Vehicle": {
            "relation": "vehicle",
            "columns": {
                "vrm": {"column": "vrm", "variants": "vrm"},
                "make": "make",
                "colour": "colour",
                "person_key": "keeper",
                "keeper_key": "keeper",
            },
        },
        "Incident": {
            "relation": "crime",
            "columns": {
                "event_ref": "ref",
                "when": {"column": "at"},
                "offence_code": "code",
                "where": {"name": "place"},
            },
            "parts": {
                "participants": {
                    "relation": "crime_person",
                    "by": "crime",
                    "person_key": "person",
                    "role": {"column": "role", "values": {"V": "VICTIM", "S": "SUSPECT"}},
                }
            },
        },
    },
}
EAST: Mapping[str, Any] = {
    "version": 1,
    "id": "east",
    "agency": "EAST",
    "system": "Border",
    "connector": "rest",
    "header": HEADER,
    "entity": {
        "Person": {
            "relation": "/people",
            "columns": {
                "date_of_birth": {"column": "born", "partial": "text", "formats": ["%Y-%m-%d"]},
                "dob_claimed": {"column": "claimed", "values": {"y": True, "n": False}},
                "sex": {"column": "sex", "values": {"m": "MALE", "f": "FEMALE"}},
                "immigration": {"status": {"column": "st", "values": {"O": "OVERSTAYER"}}},
            },
            "parts": {
                "names": {"kind": {"constant": "CLAIMED"}, "full": "name"},
                "identifiers": {"kind": {"constant": "PASSPORT"}, "value": "passport"},
            },
        },
        "Encounter": {
            "relation": "/encounters",
            "columns": {
                "event_ref": "ref",
                "when": {"column": "at"},
                "debrief": {"column": "debrief", "values": {"0": "NONE", "1": "FULL"}},
                "person_key": "person",
                "where": {"name": "beach"},
            },
        },
        "Sighting": {
            "relation": "/sightings",
            "columns": {"vrm": "plate", "when": {"column": "at"}, "camera": "camera"},
        },
    },
}


@cache
def vocabulary() -> Vocabulary:
    """The real one."""
    text = (ROOT / "deploy/catalogue/entities.toml").read_text("utf-8")
    return read_vocabulary(tomllib.loads(text))


@cache
def schema() -> Schema:
    return build_schema(vocabulary())


@cache
def catalogue() -> Catalogue:
    return read_catalogue(vocabulary(), [("north.toml", NORTH), ("east.toml", EAST)])


def parser(limits: Limits = LIMITS, **more: Any) -> Parser:
    return Parser(schema=schema(), limits=limits, **more)


def request(document: str, variables: Mapping[str, Any] = EMPTY, **more: Any) -> Request:
    more.setdefault("justification", WHY)
    return Request(
        id="q-1",
        received_at=NOW,
        authorization=(),
        document=document,
        variables=variables,
        **more,
    )


def operation(document: str, variables: Mapping[str, Any] = EMPTY, **more: Any) -> Operation:
    return parse_request(request(document, variables, **more), parser())


def refused(document: str, kind: type[GatewayError], **more: Any) -> GatewayError:
    """The refusal of a document."""
    with pytest.raises(kind) as caught:
        operation(document, **more)
    return caught.value


def plan_of(
    asked: Operation,
    *,
    limits: Limits = LIMITS,
    held: Catalogue | None = None,
    subject: Subject = SUBJECT,
) -> Plan:
    planner = Planner(catalogue=held or catalogue(), refs=REFS, limits=limits)
    return planner.plan_for(asked, subject, NOW)


def planned(document: str, variables: Mapping[str, Any] = EMPTY, **more: Any) -> Plan:
    return plan_of(operation(document, variables), **more)


def search(inner: str, criteria: str = '{identifier: "A1234567"}') -> str:
    """A search for persons, of whom `inner` is selected."""
    return f"{{ personSearch(anyOf: [{criteria}]) {{ hits {{ {inner} }} }} }}"


def whole(part: Part) -> PartGrant:
    """All of a part, in clear."""
    return PartGrant(
        part=part,
        show=Show.RECORDS,
        limit=100,
        rows=ALWAYS,
        read=dict.fromkeys(sorted(part.reads), CLEAR),
        match=frozenset(field for use, field in part.uses if use is Use.MATCH),
        count=frozenset(field for use, field in part.uses if use is Use.COUNT),
    )


Change = Callable[[str, PartGrant], PartGrant]


def allowed(plan: Plan, change: Change = lambda _id, grant: grant) -> AuthorisedPlan:
    """Everything allowed, but for what `change` makes of a part ("f0", "f0.names")."""
    grants = {
        fetch.id: Grant(
            fetch=fetch,
            parts=Parts(
                {
                    part.path: change(".".join(filter(None, (fetch.id, part.path))), whole(part))
                    for part in fetch.parts
                }
            ),
        )
        for fetch in plan.visits
    }
    looks = {fetch.id: grants.pop(fetch.id) for fetch in plan.looks}
    return AuthorisedPlan(plan=plan, serial=7, grants=grants, looks=looks)


def record(key: str | int, links: Sequence[Any] = (), **values: Any) -> Record:
    return Record(key=key, values={"native_key": key, **values}, links=frozenset(links))


def came(*records: Record, state: State = State.ANSWERED, **more: Any) -> FetchResult:
    return FetchResult(state=state, records=records, **more)


def mask(name: str, spec: Any) -> Mask:
    about = MaskContext(
        today=NOW.date(),
        token_key=b"k" * 32,
        bands=spec.bands,
        type=spec.type.name,
        field=spec.name,
    )
    apply = MASKS[name]
    return lambda value: apply(value, about)


def shaping(asked: Operation, held: Catalogue | None = None) -> Shaping:
    return Shaping(
        catalogue=held or catalogue(),
        refs=REFS,
        moment=MOMENT,
        mask=mask,
        agency="NORTH",
        as_at="2026-11-01T06:00:00Z",
        expires_at=int(NOW.timestamp()) + 900,
        cursor_binding=lambda selection: cursor_binding(asked, SUBJECT, selection),
    )


def answer(
    document: str,
    results: Mapping[str, FetchResult],
    change: Change = lambda _id, grant: grant,
    **narrowed: Any,
) -> Response:
    """The answer to an operation of which all is allowed but what `change` and `narrowed` say."""
    asked = operation(document)
    agreed = allowed(plan_of(asked), change)
    if narrowed:
        gone = set(narrowed.get("silent", ())) | set(narrowed.get("withheld", ()))
        agreed = AuthorisedPlan(
            plan=agreed.plan,
            serial=agreed.serial,
            grants={i: g for i, g in agreed.grants.items() if i not in gone},
            **narrowed,
        )
    return Shaper(asked, agreed, shaping(asked)).shape(seen(agreed, results))


def seen(agreed: AuthorisedPlan, results: Mapping[str, FetchResult]) -> Mapping[str, FetchResult]:
    """The results as visits leave them: of each record is known how it is shown as a whole."""
    for name, grant in agreed.grants.items():
        if name in results:
            settle(results[name].records, grant, vocabulary().fields_of(grant.fetch.entity), MOMENT)
    return results
