"""A condition's outline decides the statement; its values are parameters and nothing else."""

from __future__ import annotations

from sqlalchemy import create_engine

from connectors._sqlliterals import Dialect, Kind
from connectors._sqloutline import Group, Leaf, Outliner
from connectors.conditions import And, Compare, Condition, IsNull, Op, Or
from connectors.sqltext import Held, Relation, Statement

COLUMNS = {"name": Held(kind=Kind.TEXT), "born": Held(kind=Kind.INTEGER)}


POSTGRESQL = create_engine("postgresql+asyncpg://").dialect
MARIADB = create_engine("mariadb+aiomysql://").dialect


def relation(dialect: Dialect = Dialect.POSTGRESQL) -> Relation:
    return Relation(dialect=dialect, name="person", columns=COLUMNS)


def asked(name: str, years: tuple[int, ...]) -> Condition:
    alike = Or((Compare("name", Op.STARTSWITH, name), Compare("name", Op.EQ, name)))
    return And((alike, Compare("born", Op.IN, years), IsNull("name")))


def test_other_values_are_the_same_statement_with_other_parameters() -> None:
    where = relation()
    first, values = where.statement(("name",), asked("Hodja", (1990, 1991)), "born", 5)
    again, others = where.statement(("name",), asked("Hoxha", (1970,)), "born", 9)
    assert first is again
    text, parameters = first.native(POSTGRESQL, values)
    assert again.native(POSTGRESQL, others) == (text, ["Hoxha%", "Hoxha", [1970], 9])
    assert parameters == ["Hodja%", "Hodja", [1990, 1991], 5]
    for value in ("Hodja", "Hoxha", "1990", "1970"):
        assert value not in text


def test_some_values_more_are_the_same_statement_where_a_list_is_no_parameter() -> None:
    where = relation(Dialect.MARIADB)

    def asked(*years: int) -> tuple[Statement, list[object]]:
        statement, values = where.statement(("name",), Compare("born", Op.IN, years), "born", 5)
        return statement, statement.native(MARIADB, values)[1]

    five, parameters = asked(1, 2, 3, 4, 5)
    assert parameters == [1, 2, 3, 4, 5, 5, 5, 5, 5]  # the last is the number of rows
    assert asked(6, 7, 8, 9, 10, 11, 12, 13) == (five, [6, 7, 8, 9, 10, 11, 12, 13, 5])
    assert asked(1, 2)[0] is not five
    assert asked(7)[1] == [7, 5]


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
    assert len({str(one.select.compile(dialect=POSTGRESQL)) for one in made}) == 5


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
