"""The shaped answer is that of graphql-core executing the same operation over the same tree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    execute_sync,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue.schema import build_schema
from gateway.model import AuthorisedPlan, Fetch, FetchResult, Record, Results
from gateway.query.derived import DERIVED, Moment
from gateway.query.shape import Shaper
from tests.unit.query import world

FIELDS: Mapping[str, list[str]] = {
    "Person": ["ref", "owner", "system", "asAt", "sex", "dateOfBirth", "primaryName", "handling",
               "retention", "conditions", "mopiGroup", "ageState"],
    "PersonName": ["kind", "full", "given", "family"],
    "Identifier": ["kind", "value"],
    "Occupancy": ["kind"],
    "Place": ["postcode", "town"],
    "Vehicle": ["ref", "vrm", "make", "colour", "owner", "model"],
    "Sighting": ["when", "camera", "owner"],
    "Encounter": ["debrief"],
    "Incident": ["offenceCode"],
    "Event": ["ref", "eventRef", "when", "owner"],
    "Immigration": ["status", "absconder"],
}  # fmt: skip


# --- operations ----------------------------------------------------------------------------------


@st.composite
def chosen(draw: st.DrawFn, type_name: str, *more: str) -> str:
    """A selection set: some fields, some aliased, some in fragments, some twice."""
    texts: list[str] = ["__typename"] if draw(st.booleans()) else []
    names = draw(st.lists(st.sampled_from([*FIELDS[type_name], *more]), min_size=1, max_size=5))
    for name in names:
        match draw(st.integers(0, 4)):
            case 0 if "{" not in name and "(" not in name:
                texts.append(f"x_{name}: {name}")
            case 1:
                texts.append(f"... {{ {name} }}")
            case 2:
                texts.append(
                    f"... on {type_name.replace('Immigration', 'ImmigrationStatus')} {{ {name} }}"
                )
            case 3:
                texts.append(f"{name} @skip(if: false)")
            case _:
                texts.append(name)
    return " ".join(t.replace("} @skip(if: false)", "}") for t in texts)


@st.composite
def operations(draw: st.DrawFn) -> str:
    person = chosen(
        "Person",
        f"names {{ {draw(chosen('PersonName'))} }}",
        f"identifiers {{ {draw(chosen('Identifier'))} }}",
        f"addresses {{ {draw(chosen('Occupancy'))} location {{ {draw(chosen('Place'))} }} }}",
        f"immigration {{ {draw(chosen('Immigration'))} }}",
        f"vehicles {{ {draw(chosen('Vehicle'))} }}",
    )
    vehicle = chosen(
        "Vehicle",
        f"keeper {{ {draw(person)} }}",
        f'sightings(last: "P1D") {{ {draw(chosen("Sighting"))} }}',
    )
    event = chosen("Event")
    inner = (
        f"{draw(event)} ... on Encounter {{ {draw(chosen('Encounter'))} }} "
        f"... on Incident {{ {draw(chosen('Incident'))} }}"
    )
    roots = [
        f'personSearch(anyOf: [{{family: "Hodja"}}, {{identifier: "A1234567"}}]) '
        f"{{ total hits {{ {draw(person)} }} }}",
        f'vehicle(vrm: "AB12CDE") {{ {draw(vehicle)} }}',
        f'v2: vehicle(vrm: "AB12CDE") {{ {draw(vehicle)} }}',
        f'eventSearch(by: {{ref: "E1"}}) {{ hits {{ {inner} }} total __typename }}',
        "__typename",
    ]
    picked = draw(st.lists(st.sampled_from(roots), min_size=1, max_size=3, unique=True))
    return f"{{ {' '.join(picked)} }}"


# --- records -------------------------------------------------------------------------------------

TEXTS = st.sampled_from(["A", "Šć", "", "AB12 CDE", '"quoted"'])
KEYS = ("k1", "k2", "k3")
VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "date_of_birth": st.sampled_from(["1991-04-17", "1991", None]),
    "dob_claimed": st.sampled_from([True, False]),
    "conditions": st.sampled_from([[], ["NO_ONWARD"]]),
    "names": st.lists(
        st.fixed_dictionaries({"kind": st.just("LEGAL"), "full": TEXTS, "given": TEXTS,
                               "family": TEXTS}),
        max_size=2,
    ),
    "identifiers": st.lists(
        st.fixed_dictionaries({"kind": st.just("PASSPORT"), "value": TEXTS}), max_size=2
    ),
    "addresses": st.lists(
        st.fixed_dictionaries({
            "kind": st.just("HOME"),
            "location.postcode": st.sampled_from(["TN28 8AB", None]),
            "location.town": st.sampled_from(["Rye", None]),
        }),
        max_size=2,
    ),
    "immigration": st.lists(
        st.fixed_dictionaries({"status": st.sampled_from(["OVERSTAYER", None])}), max_size=1
    ),
    "keeper_key": st.sampled_from([*KEYS, None]),
    "person_key": st.sampled_from([*KEYS, None]),
    "vrm": st.just("AB12CDE"),
    "sex": st.sampled_from(["MALE", None]),
    "handling": st.sampled_from(["P", "C", None]),
    "debrief": st.sampled_from(["NONE", None]),
}  # fmt: skip


def fitting(values: dict[str, Any], fetch: Fetch) -> dict[str, Any]:
    """The values that the fetch's source maps: what it has not, it never brings."""
    mapping = world.catalogue().mapping(fetch.source, fetch.entity)
    return {
        name: (
            [{n: v for n, v in e.items() if mapping.holds_field(f"{name}.{n}") or (
                "." in n and mapping.holds_field(f"{name}.{n.partition('.')[0]}")
            )} for e in value]
            if isinstance(value, list) and value and isinstance(value[0], dict)
            else value
        )
        for name, value in values.items()
        if mapping.holds_field(name)
    }  # fmt: skip


@st.composite
def records(draw: st.DrawFn, fetch: Fetch) -> tuple[Record, ...]:
    entity = world.vocabulary().entities[fetch.entity]
    made: list[Record] = []
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3)):
        values: dict[str, Any] = {}
        for name, spec in entity.fields.items():
            enum = world.vocabulary().enums.get(spec.type.name)
            if name in VALUES:
                values[name] = draw(VALUES[name])
            elif enum and not spec.type.many:
                values[name] = draw(st.sampled_from([*enum, None]))
            elif spec.type.name in {"String", "DateTime"} and not spec.type.many:
                values[name] = draw(TEXTS)
        values = fitting(values, fetch) | {"native_key": key}
        by = values.get(fetch.link_by) if fetch.link_by else None
        made.append(Record(key=key, values=values, links=frozenset({by} - {None})))
    return tuple(made)


# --- graphql-core over the same tree -------------------------------------------------------------


class Tree:
    """Resolvers that read the same records, written the plain way."""

    def __init__(self, agreed: AuthorisedPlan, results: Results) -> None:
        self.plan = agreed.plan
        self.results = results
        self.fetches = {fetch.id: fetch for fetch in agreed.plan.fetches}

    def root(self, info: Any) -> Any:
        root = next(r for r in self.plan.roots if r.key == info.path.key)
        found = [(self.fetches[i], r) for i in root.fetches for r in self.results[i].records]
        if root.name in {"person_search", "event_search"}:
            total = None if root.not_held else len(found)
            return {"total": total, "hits": found, "next": None}
        return found

    def field(self, node: Any, name: str, info: Any) -> Any:
        if isinstance(node, dict):  # a root's wrapper, or an element
            if name in node:
                return node[name]
            inner = {
                n.removeprefix(f"{name}."): v for n, v in node.items() if n.startswith(f"{name}.")
            }
            return inner if any(v is not None for v in inner.values()) else None
        fetch, record = node
        source = world.catalogue().sources[fetch.source]
        entity = world.vocabulary().entities[fetch.entity]
        given = {"owner": source.agency, "system": source.system, "as_at": "2026-11-01T06:00:00Z"}
        if name in given:
            return given[name]
        if name == "ref":
            return world.REFS.seal("NORTH", fetch.source, fetch.entity, record.key)
        if link := entity.links.get(name):
            wanted = record.values.get(link.from_)
            found = [
                (self.fetches[i], r)
                for i in fetch.links.get(str(info.path.key), ())
                for r in [x for x in self.results[i].records if wanted in x.links][
                    : self.fetches[i].limit
                ]
            ]
            return found if link.to.many else (found[0] if found else None)
        spec = entity.fields[name]
        if spec.derived:
            return DERIVED[spec.derived](record.values, Moment(now=world.NOW))
        value = record.values.get(name)
        if spec.type.name in world.vocabulary().components:
            return (value or []) if spec.type.many else (value[0] if value else None)
        return value


def resolving(tree: Tree) -> GraphQLSchema:
    """The gateway's own schema, with resolvers over a tree."""
    built = build_schema(world.vocabulary())
    for kind in built.graphql.type_map.values():
        if isinstance(kind, GraphQLInterfaceType):
            kind.resolve_type = lambda node, _info, _kind: node[0].entity
        if not isinstance(kind, GraphQLObjectType) or kind.name.startswith("__"):
            continue
        kind.is_type_of = None
        for graphql_name, field in kind.fields.items():
            name = built.names.get((kind.name, graphql_name), graphql_name)
            resolve(field, tree, kind.name, name)
    return built.graphql


def resolve(field: GraphQLField, tree: Tree, type_name: str, name: str) -> None:
    if type_name == "Query":
        field.resolve = lambda _node, info, **_args: tree.root(info)
    else:
        field.resolve = lambda node, info, **_args: tree.field(node, name, info)


EMPTY_TREE = Tree(AuthorisedPlan(plan=world.planned("{ __typename }"), serial=0), {})
SCHEMA = resolving(EMPTY_TREE)


@settings(max_examples=150, deadline=None)
@given(data=st.data(), document=operations())
def test_the_answer_is_graphql_cores(data: st.DataObject, document: str) -> None:
    asked = world.operation(document)
    agreed = world.allowed(world.plan_of(asked, limits=replace(world.LIMITS, fetches=500)))
    results: dict[str, FetchResult] = {
        fetch.id: world.came(*data.draw(records(fetch))) for fetch in agreed.plan.fetches
    }
    shaped = Shaper(asked, agreed, world.shaping(asked)).shape(results)
    tree = Tree(agreed, results)
    EMPTY_TREE.__dict__.update(tree.__dict__)
    expected = execute_sync(SCHEMA, parse(document))
    assert expected.errors is None
    assert "errors" not in shaped.body
    assert json.dumps(shaped.body["data"]) == json.dumps(expected.data)
