"""The operations that worlds are compared by: drawn from the whole schema, valid, made smaller."""

from __future__ import annotations

from collections import Counter

import pytest
from graphql import GraphQLInputObjectType, GraphQLInt, GraphQLInterfaceType, GraphQLSchema
from graphql import build_schema as read_schema

from gateway.catalogue.check import load_catalogue
from gateway.catalogue.schema import build_schema
from gateway.cli.common import ROOT
from tests.e2e.worlds.generating import Generator, Pool, seen_in
from tests.e2e.worlds.operations import Chosen, Fragment, Given, Operation, shrunk, smaller

MANY = 1500


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(load_catalogue(ROOT / "deploy" / "catalogue").vocabulary).graphql


POOL = Pool(
    rows={"PersonCriteria": [{"family": "Example", "dob": "1990", "familyPrefix": "Exa"}]},
    values={
        "Vrm": ["AB12CDE"], "DateTime": ["2026-01-01T00:00:00Z"], "PartialDate": ["1990"],
        "Postcode": ["TN28"], "E164": ["+447700900000"], "Duration": ["P1D"],
    },
)  # fmt: skip


def drawn(schema: GraphQLSchema, seed: str, number: int = MANY) -> list[Operation]:
    generator = Generator(schema=schema, pool=POOL, seed=seed)
    return [generator.operation(n) for n in range(number)]


def test_each_operation_is_valid_and_the_same_for_the_same_seed(schema: GraphQLSchema) -> None:
    first, again = drawn(schema, "1", 300), drawn(schema, "1", 300)
    assert all(operation.valid(schema) for operation in first)
    assert [o.printed() for o in first] == [o.printed() for o in again]
    assert [o.printed() for o in first] != [o.printed() for o in drawn(schema, "2", 300)]


def test_the_whole_schema_is_drawn_from(schema: GraphQLSchema) -> None:
    """Every field, every argument of every root and link, every type that a fragment may name."""
    seen = Counter(name for one in drawn(schema, "1") for name in seen_in(one, schema))
    expected: set[str] = set()
    for kind in schema.type_map.values():
        fields = {} if kind.name.startswith("__") else getattr(kind, "fields", {})
        for name, definition in fields.items():
            if not hasattr(definition, "args"):
                continue  # of an input
            if kind.name not in {"Record", "Linked", "Event"}:
                expected.add(f"{kind.name}.{name}")
            expected.update(
                f"{kind.name}.{name}({argument})"
                for argument in definition.args
                if argument != "after"  # given when a page is followed
            )
    interfaces = [k for k in schema.type_map.values() if isinstance(k, GraphQLInterfaceType)]
    for kind in interfaces:
        members = schema.get_implementations(kind).objects
        expected.update(f"... on {name}" for name in (kind.name, *(m.name for m in members)))
    assert expected - seen.keys() == set()


def test_every_manner_of_asking_is_drawn(schema: GraphQLSchema) -> None:
    texts = "".join(operation.printed().text for operation in drawn(schema, "1"))
    for part in ("@skip(if: $", "@include(if: true)", "...F0", "... on ", "fragment F1 on ",
                 "a1: ", "($v0: ", "first: 1", "anyOf: [{", "__typename", "... {"):  # fmt: skip
        assert part in texts, part


SMALL = """
type Query { a(x: Int, y: In): Thing, b: Int }
input In { p: Int, q: [Int!] }
type Thing { secret: Int, open: Int, more(n: Int): [Thing!] }
"""


async def test_a_difference_is_shrunk_to_the_least_that_shows_it() -> None:
    schema = read_schema(SMALL)
    number, asking = GraphQLInt, schema.type_map["In"]
    assert isinstance(asking, GraphQLInputObjectType)
    wanted = Chosen(name="secret", alias="s")
    more = Chosen(
        name="more",
        args=(("n", Given(type=number, value=3)),),
        inner=(Chosen(name="open"), Fragment(on="Thing", named=True, inner=(wanted,))),
    )
    given = Given(type=asking, value={"p": 1, "q": [4, 7, 5]}, variable=True)
    whole = Operation(
        roots=(
            Chosen(name="b"),
            Chosen(name="a", args=(("y", given),), inner=(Chosen(name="open"), more)),
        )
    )
    asked = 0

    async def shows(operation: Operation) -> bool:
        """Whether it asks for the secret, and for seven."""
        nonlocal asked
        asked += 1
        printed = operation.printed()
        return "secret" in printed.text and "7" in f"{printed.text}{printed.variables}"

    assert whole.valid(schema)
    assert await shows(whole)
    least = await shrunk(whole, schema, shows)
    text = least.printed().text.split()
    assert text == ["query", "Generated($v0:", "In)", "{", "a(y:", "$v0)", "{", "more", "{",
                    "secret", "}", "}", "}"]  # fmt: skip
    assert least.printed().variables == {"v0": {"q": [7]}}
    assert asked < 60
    # nothing that is one step simpler shows it
    assert not [o for o in smaller(least) if o.valid(schema) and await shows(o)]
