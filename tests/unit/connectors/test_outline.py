"""A condition's outline decides the statement; its values are parameters and nothing else."""

from __future__ import annotations

import sqlalchemy as sa

from connectors._sqlliterals import Dialect, Kind
from connectors._sqloutline import Group, Leaf, Outliner
from connectors.conditions import And, Compare, Condition, IsNull, Op, Or
from connectors.sqltext import Held, Relation

COLUMNS = {"name": Held(kind=Kind.TEXT), "born": Held(kind=Kind.INTEGER)}


def relation() -> Relation:
    return Relation(dialect=Dialect.POSTGRESQL, name="person", columns=COLUMNS)


def asked(name: str, years: tuple[int, ...]) -> Condition:
    alike = Or((Compare("name", Op.STARTSWITH, name), Compare("name", Op.EQ, name)))
    return And((alike, Compare("born", Op.IN, years), IsNull("name")))


def test_other_values_are_the_same_statement_with_other_parameters() -> None:
    where = relation()
    first, values = where.statement(("name",), asked("Hodja", (1990, 1991)), "born", 5)
    again, others = where.statement(("name",), asked("Hoxha", (1970,)), "born", 9)
    assert first is again
    assert values.keys() == others.keys()
    assert [1990, 1991] in values.values()
    assert {"Hoxha", "Hoxha%", "Hoxhb"} & set(map(str, others.values())) == {"Hoxha", "Hoxha%"}
    for text in ("Hodja", "Hoxha", "1990", "1970"):
        assert text not in str(first)


def test_other_columns_order_or_operators_are_other_statements() -> None:
    where = relation()
    always, compare = And(), Compare("born", Op.LT, 1)
    made = [
        where.statement(("name",), always, "born", 5)[0],
        where.statement(("born",), always, "born", 5)[0],
        where.statement(("name",), always, "name", 5)[0],
        where.statement(("name",), compare, "born", 5)[0],
        where.statement(("name",), Compare("born", Op.LTE, 1), "born", 5)[0],
    ]
    assert len({str(one.compile(dialect=sa.dialects.postgresql.dialect())) for one in made}) == 5  # type: ignore[no-untyped-call]


def test_a_value_that_no_column_holds_is_another_outline() -> None:
    def outline(value: float) -> object:
        kinds = {name: held.kind for name, held in COLUMNS.items()}
        return Outliner(Dialect.POSTGRESQL, kinds.__getitem__).outline(
            Compare("born", Op.LT, value)
        )

    assert outline(3) == Leaf("born", Op.LT, Kind.INTEGER)
    assert outline(2.5) == Leaf("born", Op.LTE, Kind.INTEGER)  # of 2, the nearest below
    assert outline(float("nan")) == Group(every=False)


def test_statements_are_kept_within_bounds() -> None:
    where = relation()
    for number in range(400):
        alternatives = tuple(Compare("name", Op.EQ, "x" * n) for n in range(number % 300 + 1))
        where.statement(("name",), Or(alternatives), "born", 5)
    assert 0 < len(where.statements) <= 256
