"""What a database says of its relations: one question to its own catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from connectors._sqlliterals import Dialect, Kind
from connectors.sqltext import Form, Held

_SQLITE = sa.text(
    'SELECT m.name, c.name, c.type, c."notnull" = 0 AND c.pk = 0'
    " FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS c"
    " WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    " AND c.hidden <> 1 AND (:every OR m.name = :name) ORDER BY m.name, c.cid"
)

# pg_catalog rather than information_schema: it also knows collations and domains' base types, and
# is an order of magnitude quicker
_POSTGRESQL = sa.text(
    """
    SELECT CASE WHEN n.nspname = ANY (current_schemas(false)) THEN c.relname
                ELSE n.nspname || '.' || c.relname END,
           a.attname,
           CASE WHEN b.typelem <> 0 AND b.typcategory = 'A' THEN 'array'
                WHEN b.typtype = 'e' THEN 'enum' ELSE b.typname END,
           NOT a.attnotnull,
           a.attcollation NOT IN (0, 100, 950),
           d.datcollate IN ('C', 'POSIX') AND d.datlocprovider = 'c'
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_type b ON b.oid = CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END
    JOIN pg_catalog.pg_database d ON d.datname = current_database()
    WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
      AND has_any_column_privilege(c.oid, 'SELECT')
      AND has_column_privilege(c.oid, a.attnum, 'SELECT')
      AND (:every OR c.relname = :name)
    ORDER BY 1, a.attnum
    """
)

# the last: in any other collation an index's range for LIKE leaves out text that goes on with the
# last characters of Unicode (whatever lies beyond U+FFFF, in some)
_MARIADB = sa.text(
    """
    SELECT CASE WHEN table_schema = DATABASE() THEN table_name
                ELSE CONCAT(table_schema, '.', table_name) END,
           column_name, column_type, is_nullable = 'YES', collation_name LIKE 'utf8mb4%',
           collation_name REGEXP '^utf8mb4_(general|unicode_520)_(nopad_)?ci$'
    FROM information_schema.columns
    WHERE table_schema NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')
      AND (:every OR table_name = :name)
    ORDER BY 1, ordinal_position
    """
)

_QUESTIONS = {
    Dialect.SQLITE: _SQLITE,
    Dialect.POSTGRESQL: _POSTGRESQL,
    Dialect.MARIADB: _MARIADB,
}


class Described(dict[str, dict[str, Held]]):
    """Relation -> column -> what is known of it; and whether text is ordered by code point."""

    by_code_point = False


async def describe(
    connection: AsyncConnection, dialect: Dialect, relation: str | None = None
) -> Described:
    """One relation, or all that the connector's role may read; absent if there is none."""
    name = "" if relation is None else relation.rpartition(".")[2]
    every = relation is None
    answer = await connection.execute(_QUESTIONS[dialect], {"every": every, "name": name})
    described = Described()
    for row in answer:
        if relation is None or row[0] == relation:
            described.setdefault(row[0], {})[row[1]] = _held(dialect, row)
            described.by_code_point = dialect is Dialect.POSTGRESQL and bool(row[5])
    return described


def _held(dialect: Dialect, row: Sequence[Any]) -> Held:
    declared, nullable = str(row[2]).lower(), bool(row[3])
    if dialect is Dialect.SQLITE:
        return _sqlite_held(declared, nullable)
    if dialect is Dialect.MARIADB:
        return _mariadb_held(declared, nullable, bool(row[4]), bool(row[5]))
    kind, form, shown = _POSTGRESQL_TYPES.get(declared, (Kind.TEXT, Form.PRINTED, "text"))
    if form is Form.PLAIN and kind is Kind.TEXT and row[4]:
        form = Form.COLLATED
    return Held(kind=kind, form=form, nullable=nullable, shown=shown)


def _sqlite_held(declared: str, nullable: bool) -> Held:
    """By the rules of sqlite.org/datatype3.html, section 3.1, in their order."""
    if "int" in declared:
        affinity, shown = "number", "integer"
    elif any(part in declared for part in ("char", "clob", "text")):
        affinity, shown = "text", "text"
    elif "blob" in declared or not declared:
        affinity, shown = "", "text" if declared else ""  # a view's expression has no type
    elif any(part in declared for part in ("real", "floa", "doub")):
        affinity, shown = "number", "number"
    else:
        # its dates, booleans and JSON are whatever was stored; what is declared is a hint
        affinity, shown = "number", "json" if "json" in declared else "text"
        if "bool" in declared:
            shown = "integer"
        elif "num" in declared or "dec" in declared:
            shown = "number"
    return Held(
        kind=Kind.STORED, form=Form.JSON_TEXT, affinity=affinity, nullable=nullable, shown=shown
    )


_POSTGRESQL_TYPES: Mapping[str, tuple[Kind, Form, str]] = {
    "text": (Kind.TEXT, Form.PLAIN, "text"),
    "varchar": (Kind.TEXT, Form.PLAIN, "text"),
    "bpchar": (Kind.TEXT, Form.PADDED, "text"),
    "int2": (Kind.INTEGER, Form.PLAIN, "integer"),
    "int4": (Kind.INTEGER, Form.PLAIN, "integer"),
    "int8": (Kind.INTEGER, Form.PLAIN, "integer"),
    "numeric": (Kind.DECIMAL, Form.PLAIN, "number"),
    "float4": (Kind.FLOAT, Form.SINGLE, "number"),
    "float8": (Kind.FLOAT, Form.PLAIN, "number"),
    "bool": (Kind.BOOLEAN, Form.PLAIN, "boolean"),
    "date": (Kind.DATE, Form.PLAIN, "date"),
    "timestamp": (Kind.LOCAL, Form.PLAIN, "datetime"),
    "timestamptz": (Kind.ZONED, Form.PLAIN, "datetime"),
    "bytea": (Kind.OPAQUE, Form.PLAIN, "binary"),
    "array": (Kind.OPAQUE, Form.PLAIN, "json"),
    "json": (Kind.OPAQUE, Form.JSON, "json"),
    "jsonb": (Kind.OPAQUE, Form.JSON, "json"),
    "vector": (Kind.TEXT, Form.PRINTED, "vector"),
}

_MARIADB_TYPES: Iterable[tuple[tuple[str, ...], tuple[Kind, Form, str]]] = (
    (("bit",), (Kind.INTEGER, Form.BITS, "integer")),
    (
        ("tinyint", "smallint", "mediumint", "int", "bigint", "year"),
        (Kind.INTEGER, Form.PLAIN, "integer"),
    ),
    (("decimal",), (Kind.DECIMAL, Form.PLAIN, "number")),
    (("float",), (Kind.FLOAT, Form.SINGLE, "number")),
    (("double",), (Kind.FLOAT, Form.PLAIN, "number")),
    (("datetime", "timestamp"), (Kind.LOCAL, Form.PLAIN, "datetime")),
    (("date",), (Kind.DATE, Form.PLAIN, "date")),
    (("binary", "varbinary", "blob", "tinyblob", "mediumblob", "longblob"),
     (Kind.OPAQUE, Form.PLAIN, "binary")),
    (("char", "varchar", "text", "tinytext", "mediumtext", "longtext"),
     (Kind.TEXT, Form.PLAIN, "text")),
)  # fmt: skip


def _mariadb_held(declared: str, nullable: bool, unicode: bool, patterned: bool) -> Held:
    word = declared.partition("(")[0].partition(" ")[0]
    for words, (kind, form, shown) in _MARIADB_TYPES:
        if word in words:
            # an index on text in another character set cannot be asked for a literal in this one
            form = Form.COLLATED if kind is Kind.TEXT and unicode else form
            return Held(kind=kind, form=form, patterned=patterned, nullable=nullable, shown=shown)
    return Held(kind=Kind.TEXT, form=Form.PRINTED, nullable=nullable, shown="text")
