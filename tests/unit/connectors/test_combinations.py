"""Services that answer to combinations of criteria only, and rows within a record."""

from __future__ import annotations

import pytest

from connectors._config import Table
from connectors._listing import rows_of
from connectors._paths import bare_parts, reader
from connectors._push import Param, combinations_from, push
from connectors.conditions import ALWAYS, And, Compare, Condition, Op
from connectors.spi import SourceQuery

FAMILY = Param(column="family", op=Op.EQ, name="familyName")
GIVEN = Param(column="given", op=Op.EQ, name="givenName")
BORN = Param(column="born", op=Op.EQ, name="dob")
NUMBER = Param(column="number", op=Op.EQ, name="docNo")
PARAMS = (FAMILY, GIVEN, BORN, NUMBER)
SETS = tuple(map(frozenset, (["docNo"], ["familyName", "dob"], ["familyName", "givenName"])))


def asked(*fields: str, guard: Condition = ALWAYS) -> tuple[set[str] | None, Condition]:
    where = And(tuple(Compare(field, Op.EQ, "x") for field in fields))
    query = SourceQuery(query_id="q", relation="r", columns=(), key="k", where=where, guard=guard)
    made = push(query, PARAMS, min_criteria=0, alone=frozenset(), combinations=SETS)
    names = None if made.requests is None else {p.name for r in made.requests for p in r}
    return names, made.residual


def test_the_first_combination_that_is_filled_is_asked() -> None:
    assert asked("family", "born") == ({"familyName", "dob"}, ALWAYS)
    names, left = asked("family", "given", "born")
    assert names == {"familyName", "dob"}
    assert Compare("given", Op.EQ, "x") in getattr(left, "parts", ())
    assert asked("number", "family")[0] == {"docNo"}


@pytest.mark.parametrize("fields", [(), ("family",), ("given", "born")])
def test_anything_else_is_not_asked(fields: tuple[str, ...]) -> None:
    names, left = asked(*fields)
    assert names is None
    assert left == And(tuple(Compare(field, Op.EQ, "x") for field in fields)) or len(fields) == 1


def test_what_policy_imposes_is_never_left_out_of_a_request() -> None:
    guard = Compare("given", Op.EQ, "y")
    assert asked("family", "born", guard=guard)[0] == {"familyName", "givenName"}
    assert asked("number", guard=guard)[0] is None


def test_combinations_name_parameters() -> None:
    class Nothing:
        def get(self, name: str) -> str:
            raise KeyError(name)

    every: tuple[object, ...] = ([["docNo", "other"]], [[]], [["docNo", 1]], "docNo")
    for wrong in every:
        table = Table({"combinations": wrong}, Nothing())
        combinations_from(table, PARAMS)
        with pytest.raises(ValueError, match=r"connection\.combinations"):
            table.done()


def test_a_key_of_several_parts() -> None:
    read = reader("id+tags[].name")
    assert read({"id": 7, "tags": [{"name": "a"}, {"name": "b"}]}) == ["7:a", "7:b"]
    assert reader("id+code")({"id": 7, "code": "x"}) == "7:x"
    assert reader("id+code")({"id": 7}) is None
    assert bare_parts("id+tags[].name") == ("id", "tags.name")


def test_rows_within_a_record() -> None:
    query = SourceQuery(
        query_id="q", relation="r", columns=("id", "tags[].name", "other[]"), key="id+tags[].name"
    )
    record = {"id": 7, "tags": [{"name": "a"}, {"name": "b"}], "other": [1, 2, 3]}
    assert rows_of(query, "tags")(record) == [
        (7, "a", [1, 2, 3], "7:a"),
        (7, "b", [1, 2, 3], "7:b"),
    ]
    assert rows_of(query, "tags")({"id": 7, "tags": []}) == []
    assert rows_of(query, "tags")({"id": 7}) == []
