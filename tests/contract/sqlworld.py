"""The suite's rows as SQL, and what else every SQL source must pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.conditions import Compare, IsNull, Op
from connectors.spi import SourceProtocolError
from tests.contract.suite import PEOPLE, RICH, ConnectorContract, Rig

COLUMNS = {name: name for name in (*RICH[0], "handling")} | {"number": "num", "dob": "attrs:dob"}


class NoSecrets:
    """A deployment without secrets."""

    def get(self, name: str) -> str:
        raise KeyError(name)


def literal(value: object, *, backslashes: bool = False) -> str:
    """A value as an SQL literal; `backslashes` where the dialect gives them a meaning."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "TRUE" if value else "FALSE"
        case int() | float() | Decimal():
            return repr(value) if isinstance(value, float) else str(value)
        case datetime() | date():
            return f"'{value}'"
        case _:
            text = str(value).replace("'", "''")
            return "'" + (text.replace("\\", "\\\\") if backslashes else text) + "'"


def inserts(*, backslashes: bool = False) -> str:
    """The statements that fill people_t and rich_t."""
    lines = [
        *_inserts("people_t", PEOPLE, {}, backslashes),
        *_inserts("rich_t", RICH, {"number": "num"}, backslashes),
    ]
    return "\n".join(lines)


def _inserts(
    table: str, rows: Iterable[Mapping[str, Any]], renamed: Mapping[str, str], backslashes: bool
) -> Iterable[str]:
    for row in rows:
        names = ", ".join(renamed.get(name, name) for name in row)
        values = ", ".join(literal(value, backslashes=backslashes) for value in row.values())
        yield f"INSERT INTO {table} ({names}) VALUES ({values});"  # noqa: S608  # our own rows


class SqlContract(ConnectorContract):
    """What every SQL source passes besides: keys inside a JSON column."""

    async def test_a_key_inside_json_is_text_or_null(self, rig: Rig) -> None:
        query = rig.query(rig.rich, columns=("ref", "dob"), limit=8)
        found = [row[1] for row in (await rig.connector.fetch(query)).rows]
        assert found == ["17-Apr-91", None, None, "true", None, None, None, None]

    async def test_a_key_inside_json_is_compared_as_text(self, rig: Rig) -> None:
        async def count(condition: Compare | IsNull) -> int:
            return len(await rig.refs(rig.query(rig.rich, where=condition)))

        total = len(RICH)
        present = [at for at in range(total) if at % 8 in (0, 3)]
        first = [at for at in range(total) if at % 8 == 0]
        assert await count(IsNull("dob")) == total - len(present)
        assert await count(Compare("dob", Op.EQ, "17-Apr-91")) == len(first)
        assert await count(Compare("dob", Op.STARTSWITH, "17-")) == len(first)
        assert await count(Compare("dob", Op.EQ, "17-apr-91")) == 0
        assert await count(Compare("dob", Op.NE, "17-Apr-91")) == len(present) - len(first)
        assert await count(Compare("dob", Op.EQ, True)) == 0

    async def test_ij_03_a_column_name_is_never_sql(self, rig: Rig) -> None:
        for name in ("ref; --", "(select 1)", 'ref" FROM people --', "attrs:a'b\"c", "attrs:"):
            with pytest.raises(SourceProtocolError):
                await rig.connector.fetch(rig.query(rig.rich, columns=(name,)))
