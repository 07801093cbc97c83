"""Conditions as SQLAlchemy expressions that mean exactly what `conditions.holds` means.

Databases disagree about what equals what: collations fold case and accents, `char(n)` ignores
spaces, affinities turn text into numbers. Each dialect therefore has a recipe that compares code
points, and where that recipe would hide an index from the planner, the database's own looser
predicate stands beside it: the loose one finds rows, the strict one decides.

Values reach a statement only as bind parameters: a statement is built for the outline of a
condition (`_sqloutline`) and kept, since the next question has the same outline and other values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import itemgetter
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from connectors._sqlliterals import Dialect, Kind
from connectors._sqloutline import Group, Leaf, Null, Outline, Outliner
from connectors.conditions import Condition, Op

Expression: TypeAlias = sa.ColumnElement[Any]
Predicate: TypeAlias = sa.ColumnElement[bool]
_ROWS = "rows"  # the parameter that bounds how many come
MOST_STATEMENTS = 256  # kept for one relation, and on one connection


class Form(StrEnum):
    """How the database keeps a column, where that needs a recipe of its own."""

    PLAIN = "plain"
    PADDED = "padded"  # PostgreSQL char(n): trailing spaces mean nothing to it
    COLLATED = "collated"  # a collation of its own, perhaps one that folds
    PRINTED = "printed"  # read as the database prints it: enumerations, uuids, addresses
    SINGLE = "single"  # a 32-bit float, compared and read as a 64-bit one
    BITS = "bits"  # MariaDB bit(n), read as an integer
    JSON = "json"  # has keys to reach into
    JSON_TEXT = "json_text"  # text that may hold JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the database says of one column."""

    kind: Kind
    form: Form = Form.PLAIN
    affinity: str = ""  # SQLite: "text", "number" or "" for none
    patterned: bool = False  # MariaDB: LIKE finds by an index whatever it finds without one
    nullable: bool = True
    shown: str = ""  # the type as `spi.Column` words it


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One column of a statement: what is read and compared, and what an index knows."""

    kind: Kind
    value: Expression
    loose: Expression | None = None  # satisfies `eq` whenever `value` does; the planner's friend
    shown: Expression | None = None  # what is read, where that can be simpler than `value`
    affinity: str = ""
    patterned: bool = False  # as of `Held`
    by_code_point: bool = False  # the database already orders `value` by code point


class _Bpchar(sa.types.UserDefinedType[str]):
    """PostgreSQL's char(n) without a length, so that a literal is compared as padded text."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "bpchar"


_UTF8 = mysql.CHAR(charset="utf8mb4")
_TYPES: Mapping[Kind, sa.types.TypeEngine[Any]] = {
    Kind.TEXT: sa.Text(),
    Kind.INTEGER: sa.BigInteger(),
    Kind.DECIMAL: sa.Numeric(),
    Kind.FLOAT: sa.Double(),
    Kind.BOOLEAN: sa.Boolean(),
    Kind.DATE: sa.Date(),
    Kind.LOCAL: sa.DateTime(),
    Kind.ZONED: sa.DateTime(timezone=True),
    Kind.STORED: sa.types.NullType(),
    Kind.OPAQUE: sa.types.NullType(),
}


@dataclass(slots=True, kw_only=True)
class Statement:
    """A statement that is kept, and where the value of each parameter stands in the list of values.

    It is compiled once; running it again is the driver's affair alone.
    """

    select: sa.Select[Any]
    places: Mapping[str, int]
    text: str = ""
    parameters: tuple[Callable[[Sequence[Any]], Any], ...] = ()

    def native(self, dialect: sa.Dialect, values: Sequence[Any]) -> tuple[str, list[Any]]:
        """The text for the dialect's driver, and its parameters in order."""
        if not self.text:
            compiled = self.select.compile(dialect=dialect)
            names = compiled.positiontup or ()
            self.parameters = tuple(self._parameter(dialect, compiled, name) for name in names)
            self.text = str(compiled)
        return self.text, [parameter(values) for parameter in self.parameters]

    def _parameter(
        self, dialect: sa.Dialect, compiled: sa.Compiled, name: str
    ) -> Callable[[Sequence[Any]], Any]:
        if name not in self.places:
            constant = (compiled.params or {})[name]
            return lambda _values: constant
        at = self.places[name]
        bound = compiled.binds[name].type  # type: ignore[attr-defined]  # of every SQL compiler
        process = bound.dialect_impl(dialect).bind_processor(dialect)
        if process is None:
            return itemgetter(at)
        return lambda values: process(values[at])


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A table or view of one database, ready to be asked."""

    dialect: Dialect
    name: str  # perhaps "schema.name"
    columns: Mapping[str, Held]
    by_code_point: bool = False  # PostgreSQL: the database's own collation orders by code point
    source: sa.TableClause = field(init=False)
    cells: dict[str, Cell] = field(init=False, default_factory=dict)  # made once for each column
    reads: dict[str, Expression] = field(init=False, default_factory=dict)
    statements: dict[tuple[Any, ...], Statement] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        schema, _, name = self.name.rpartition(".")
        names = [sa.column(column, _TYPES[held.kind]) for column, held in self.columns.items()]
        table = sa.table(name, *names, schema=schema or None)
        object.__setattr__(self, "source", table)

    def cell(self, column: str) -> Cell:
        """The cell of a column or of a key inside one (`attrs:dob`).

        Raises:
            KeyError: the relation has no such column, or the key cannot be written as a path.
        """
        if (made := self.cells.get(column)) is None:
            made = self.cells[column] = self._made(column)
        return made

    def read(self, column: str) -> Expression:
        """What a statement selects to read a column; raises KeyError as `cell` does."""
        if (made := self.reads.get(column)) is None:
            cell = self.cell(column)
            shown = cell.value if cell.shown is None else cell.shown
            made = shown if isinstance(shown, sa.ColumnClause) else shown.label(column)
            self.reads[column] = made
        return made

    def _made(self, column: str) -> Cell:
        name, colon, key = column.partition(":")
        held, raw = self.columns[name], self.source.c[name]
        if not colon:
            return _cell(self.dialect, held, raw, self.by_code_point)
        if not key or any(mark in key for mark in '"\\') or not key.isprintable():
            raise KeyError(column)
        return _strict(self.dialect, _JSON_KEYS[self.dialect](held, raw, key))

    def statement(
        self, columns: Sequence[str], where: Condition, key: str, rows: int
    ) -> tuple[Statement, list[Any]]:
        """The columns of the rows where a condition holds, in the order of the key, at most so
        many; and the statement's values. Raises KeyError for a column that is not there."""
        outliner = Outliner(self.dialect, lambda column: self.cell(column).kind)
        asked = (tuple(columns), outliner.outline(where), key)
        if (made := self.statements.get(asked)) is None:
            if len(self.statements) >= MOST_STATEMENTS:
                self.statements.clear()
            made = self.statements[asked] = self._select(*asked)
        return made, [*outliner.values, rows]

    def _select(self, columns: tuple[str, ...], where: Outline, key: str) -> Statement:
        binds = _Binds()
        statement = sa.select(*map(self.read, columns)).select_from(self.source)
        if where != Group(every=True):
            statement = statement.where(self._predicate(where, binds))
        limit = sa.bindparam(_ROWS, type_=sa.Integer())
        select = statement.order_by(self.order(key)).limit(limit)
        return Statement(select=select, places={**binds.places, _ROWS: -1})

    def _predicate(self, outline: Outline, binds: _Binds) -> Predicate:
        match outline:
            case Group(every, parts):
                made = [self._predicate(part, binds) for part in parts]
                return sa.and_(sa.true(), *made) if every else sa.or_(sa.false(), *made)
            case Null(column):
                return _is_null(self.dialect, self.cell(column))
            case Leaf(column):
                return _compare(self.dialect, self.cell(column), outline, binds)

    def order(self, column: str) -> Expression:
        """What to order by, so that text comes in the order of its code points."""
        cell = self.cell(column)
        return _ordered(self.dialect, cell)


def _cell(dialect: Dialect, held: Held, raw: Expression, by_code_point: bool) -> Cell:
    if dialect is Dialect.SQLITE:
        return Cell(kind=Kind.STORED, value=raw, affinity=held.affinity)
    if held.form is Form.PRINTED:
        return _strict(dialect, sa.cast(raw, _UTF8 if dialect is Dialect.MARIADB else sa.Text()))
    if held.form is Form.SINGLE:
        return Cell(kind=held.kind, value=sa.cast(raw, sa.Double()))
    if held.form is Form.BITS:
        return Cell(kind=held.kind, value=raw + sa.literal_column("0"))
    if held.kind is not Kind.TEXT:
        return Cell(kind=held.kind, value=raw)
    if dialect is Dialect.MARIADB or held.form is Form.COLLATED:
        loose = raw if held.form is Form.COLLATED else None
        return replace(_strict(dialect, raw), loose=loose, shown=raw, patterned=held.patterned)
    if held.form is Form.PADDED:
        strict = _strict(dialect, sa.cast(raw, sa.Text()))
        return replace(strict, loose=sa.cast(raw, _Bpchar()))
    return Cell(kind=Kind.TEXT, value=raw, by_code_point=by_code_point)


def _strict(dialect: Dialect, text: Expression) -> Cell:
    """Text that is compared and ordered by code point, without padding."""
    if dialect is Dialect.MARIADB:
        exact = sa.collate(sa.cast(text, _UTF8), "utf8mb4_nopad_bin")
    else:
        exact = sa.collate(text, "BINARY" if dialect is Dialect.SQLITE else "C")
    return Cell(kind=Kind.TEXT, value=exact, by_code_point=True)


# --- keys inside JSON: always text, null when absent, null too in a row whose JSON is broken


def _sqlite_key(held: Held, raw: Expression, key: str) -> Expression:
    path = sa.literal(f'$."{key}"', sa.Text())
    kind = sa.func.json_type(raw, path, type_=sa.Text())
    word = kind.in_([sa.literal_column("'true'"), sa.literal_column("'false'")])
    found = sa.case((word, kind), else_=sa.cast(sa.func.json_extract(raw, path), sa.Text()))
    return sa.case((sa.func.json_valid(raw) == sa.literal_column("1"), found))


def _postgresql_key(held: Held, raw: Expression, key: str) -> Expression:
    name = sa.literal(key, sa.Text())
    if held.form is Form.JSON:
        return sa.cast(raw, postgresql.JSONB()).op("->>", return_type=sa.Text())(name)
    text = sa.cast(raw, sa.Text())
    found = sa.cast(text, postgresql.JSONB()).op("->>", return_type=sa.Text())(name)
    valid = sa.func.pg_input_is_valid(text, sa.literal_column("'jsonb'"), type_=sa.Boolean())
    return sa.case((valid, found))


def _mariadb_key(held: Held, raw: Expression, key: str) -> Expression:
    found = sa.func.json_extract(raw, sa.literal(f'$."{key}"', sa.Text()))
    present = sa.and_(
        sa.func.json_valid(raw) == sa.literal_column("1"),
        sa.func.json_type(found) != sa.literal_column("'NULL'"),
    )
    return sa.case((present, sa.func.json_unquote(found, type_=sa.Text())))


_JSON_KEYS = {
    Dialect.SQLITE: _sqlite_key,
    Dialect.POSTGRESQL: _postgresql_key,
    Dialect.MARIADB: _mariadb_key,
}


# --- comparing


class _Binds:
    """Hands out the parameters of one statement."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def __call__(self, at: int, type_: sa.types.TypeEngine[Any]) -> Expression:
        name = f"v{len(self.places)}"
        self.places[name] = at
        return sa.bindparam(name, type_=type_)


def _compare(dialect: Dialect, cell: Cell, leaf: Leaf, binds: _Binds) -> Predicate:
    """Where the cell meets the comparison; nowhere where it holds something of another kind."""
    match leaf.op:
        case None:
            found: Predicate = cell.value.is_not(None)
        case Op.IN:
            found = _is_one_of(dialect, cell, leaf, binds)
        case Op.STARTSWITH:
            found = _starts(dialect, cell, leaf, binds)
        case _:
            found = _plain_compare(dialect, cell, leaf, binds)
    return _of_kind(dialect, cell, leaf.kind, found)


def _plain_compare(dialect: Dialect, cell: Cell, leaf: Leaf, binds: _Binds) -> Predicate:
    kind, literal = leaf.kind, binds(leaf.at, _TYPES[leaf.kind])
    held = _unconverted(cell, kind)
    match leaf.op:
        case Op.EQ:
            strict = held == literal
            return strict if cell.loose is None else sa.and_(_loosely(cell, literal), strict)
        case Op.NE:
            return held != literal
    held = _sorted(dialect, cell) if kind is Kind.TEXT else held
    match leaf.op:
        case Op.LT:
            return held < literal
        case Op.LTE:
            return held <= literal
    above = held > literal if leaf.op is Op.GT else held >= literal
    if dialect is Dialect.POSTGRESQL and kind in (Kind.FLOAT, Kind.DECIMAL):
        # PostgreSQL ranks NaN above every number; nothing else does
        return sa.and_(above, held != sa.cast(sa.literal("NaN"), _TYPES[kind]))
    return above


def _loosely(cell: Cell, literal: Expression) -> Predicate:
    assert cell.loose is not None  # noqa: S101  # the caller looked
    if isinstance(cell.loose, sa.Cast):
        return cell.loose.clause == sa.cast(literal, _Bpchar())
    return cell.loose == literal


def _is_one_of(dialect: Dialect, cell: Cell, leaf: Leaf, binds: _Binds) -> Predicate:
    strict = _any_of(dialect, _unconverted(cell, leaf.kind), leaf, binds)
    if cell.loose is None:
        return strict
    if not isinstance(cell.loose, sa.Cast):
        return sa.and_(_any_of(dialect, cell.loose, leaf, binds), strict)
    padded = sa.cast(binds(leaf.at, postgresql.ARRAY(sa.Text())), postgresql.ARRAY(_Bpchar()))
    return sa.and_(sa.cast(cell.loose.clause, _Bpchar()) == sa.any_(padded), strict)


def _any_of(dialect: Dialect, held: Expression, leaf: Leaf, binds: _Binds) -> Predicate:
    if dialect is Dialect.POSTGRESQL:
        return held == sa.any_(binds(leaf.at, postgresql.ARRAY(_TYPES[leaf.kind])))
    places = range(leaf.at, leaf.at + leaf.places)
    return held.in_([binds(at, _TYPES[leaf.kind]) for at in places])


def _starts(dialect: Dialect, cell: Cell, leaf: Leaf, binds: _Binds) -> Predicate:
    """Text from a prefix up to the next text that does not start with it.

    A range is exact wherever order is by code point, needs no pattern and so no escaping; the
    pattern beside it (MariaDB) or instead of it (PostgreSQL's plain columns) is for the index.
    """
    prefix, end, pattern = range(leaf.at, leaf.at + 3)
    text = _TYPES[Kind.TEXT]
    if dialect is Dialect.POSTGRESQL and cell.loose is None and not cell.by_code_point:
        return cell.value.like(binds(pattern, text), escape="/")
    held = _sorted(dialect, cell)
    parts: list[Predicate] = [held >= binds(prefix, text)]
    if leaf.bounded:
        parts.append(held < binds(end, text))
    if cell.loose is not None and cell.patterned:
        parts.insert(0, cell.loose.like(binds(pattern, text), escape="/"))
    return sa.and_(*parts)


def _ordered(dialect: Dialect, cell: Cell) -> Expression:
    if cell.kind is Kind.STORED:
        return sa.collate(cell.value, "BINARY")
    if dialect is Dialect.POSTGRESQL and cell.kind is Kind.TEXT and not cell.by_code_point:
        return sa.collate(cell.value, "C")
    return cell.value


def _sorted(dialect: Dialect, cell: Cell) -> Expression:
    """The cell as text to be compared by order."""
    stored = cell.kind is Kind.STORED
    return _unconverted(cell, Kind.TEXT) if stored else _ordered(dialect, cell)


def _unconverted(cell: Cell, kind: Kind) -> Expression:
    """SQLite: the value without an affinity that would convert the literal it is compared with."""
    if cell.kind is not Kind.STORED:
        return cell.value
    if kind is Kind.TEXT:
        plain = cell.value if cell.affinity == "text" else _bare(cell.value)
        return sa.collate(plain, "BINARY")
    return cell.value if cell.affinity == "number" else _bare(cell.value)


def _bare(value: Expression) -> Expression:
    return sa.sql.expression.UnaryExpression(
        value, operator=sa.sql.operators.custom_op("+"), type_=sa.types.NullType()
    )


def _of_kind(dialect: Dialect, cell: Cell, kind: Kind, found: Predicate) -> Predicate:
    """`found`, and only where the value at hand is of that kind at all."""
    if cell.kind is Kind.STORED:
        words = ("'text'",) if kind is Kind.TEXT else ("'integer'", "'real'")
        stored = sa.func.typeof(cell.value, type_=sa.Text())
        return sa.and_(stored.in_([sa.literal_column(word) for word in words]), found)
    if dialect is Dialect.MARIADB and kind in (Kind.DATE, Kind.LOCAL):
        # 0000-00-00 and its like are no dates: arithmetic on them gives null
        real = cell.value + sa.literal_column("INTERVAL 0 DAY")
        return sa.and_(found, sa.not_(real.op("<=>", is_comparison=True)(sa.null())))
    return found


def _is_null(dialect: Dialect, cell: Cell) -> Predicate:
    if dialect is Dialect.MARIADB:
        # its IS NULL is also true of 0000-00-00 in a column that admits no null
        return cell.value.op("<=>", is_comparison=True, return_type=sa.Boolean())(sa.null())
    return cell.value.is_(None)
