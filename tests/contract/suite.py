"""What the gateway relies on, as tests that every connector runs unchanged against a real source.

A test module for one connector is a `rig` fixture and `class TestOurs(ConnectorContract)`. The
source must hold the rows below, in relations and columns of its own names: `Rig` translates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.conditions import (
    ALWAYS,
    NEVER,
    And,
    Compare,
    Condition,
    IsNull,
    Op,
    Or,
    Scalar,
    fields_of,
    holds,
)
from connectors.spi import (
    Ability,
    Connector,
    SourceProtocolError,
    SourceQuery,
    SourceResult,
    SourceTimeout,
    SourceUnavailable,
)

PEOPLE: tuple[dict[str, Any], ...] = (
    {"ref": "p1", "handling": "P"},
    {"ref": "p2", "handling": "C"},
    {"ref": "p3", "handling": None},
    {"ref": "p4", "handling": "P"},
)

_NAMES = (
    "HOXHA",
    "hoxha",
    "Hoxha",
    "Höxha",
    "Ho\u0308xha",  # the same to the eye, other code points
    "HOXHA ",
    "HOXHAJ",
    "",
    None,
    "100%",
    "100",
    "100_",
    "1000",
    "100\\",
    "O'NEILL",
    "' OR 1=1--",
    "straße",
    "strasse",
    "İstanbul",
    "istanbul",
    "Nguyễn",
    "\U0001f6e5 boat",
    "\uffee wide",
    "a/b?c=1#d;e&f=g",
    "5",
)
_NUMBERS = (0, 1, -1, 5, 2**31 - 1, -(2**31), 7, None)
_AMOUNTS = (Decimal("0.50"), Decimal("0.25"), Decimal("-3.75"), Decimal("100.00"), None)
_BORN = (date(1991, 4, 17), date(1900, 1, 1), date(1991, 4, 1), date(2024, 2, 29), None)
_SEEN = (
    datetime(2025, 7, 3, 14, 22),  # noqa: DTZ001  # local time is what such a source holds
    datetime(2025, 7, 3, 14, 22, 0, 500000),  # noqa: DTZ001
    datetime(1970, 1, 1),  # noqa: DTZ001
    None,
)
_CODES = ("P", "C", "p", "Z9", None)  # Z9 is in nobody's code list
_ATTRS = (
    '{"dob": "17-Apr-91", "n": 5}',
    '{"DoB": "1991"}',
    '{"dob": null}',
    '{"dob": true}',
    "not JSON at all",
    "[1, 2]",
    "",
    None,
)


def _row(at: int, name: str | None) -> dict[str, Any]:
    return {
        "ref": f"r{at:02}",
        "name": name,
        "code": _CODES[at % len(_CODES)],
        "number": _NUMBERS[at % len(_NUMBERS)],
        "amount": _AMOUNTS[at % len(_AMOUNTS)],
        "born": _BORN[at % len(_BORN)],
        "seen": _SEEN[at % len(_SEEN)],
        "flag": (True, False, None)[at % 3],
        "attrs": _ATTRS[at % len(_ATTRS)],
        "secret": f"canary-{at}",  # no test asks for it
    }


RICH: tuple[dict[str, Any], ...] = tuple(_row(at, name) for at, name in enumerate(_NAMES))

LITERALS: Mapping[str, tuple[Scalar, ...]] = {
    "name": (
        *(name for name in _NAMES if name is not None),
        *("H", "HOXHB", "%", "_", "\\", "100\\%", "z", "\ud800", "a\0b", "\U0010ffff", "\u017f", 5),
    ),
    "code": ("P", "p", "P ", " P", "Z9", "", "Q", 1, True),
    "number": (0, 1, 5, 5.5, -1, 2**31 - 1, 2**31, 2**63, -(2**70), 1e300, Decimal("0.5"), "5"),
    "amount": (0.5, Decimal("0.25"), Decimal("0.1"), 0, 100, -3.75, Decimal("1e-40"), "0.5"),
    "born": (date(1991, 4, 17), date(1991, 4, 2), date(1, 1, 1), "1991-04-17", "1991", 1991),
    "seen": (
        datetime(2025, 7, 3, 14, 22),  # noqa: DTZ001
        datetime(2025, 7, 3, 14, 22, 0, 250000),  # noqa: DTZ001
        date(2025, 7, 3),
        "2025-07-03T14:22",
    ),
    "flag": (True, False, 1, "true"),
}

HOSTILE = (
    "' OR 1=1--",
    "'; DROP TABLE rich; --",
    "\\' OR 1=1 -- ",
    "\xbf' OR 1=1 --",
    "%bf%27 OR 1=1",
    "O\u02bcNEILL",
    "O\u2019NEILL",
    "a\0b",
    "../admin",
    "%2e%2e%2f",
    "a/b",
    "a?x=1",
    "a#",
    ";",
    "a\r\nX-Evil: 1",
    "x" * 8192,
    '"}) { secret }',
    "{0.__class__} %s %(x)s ${jndi:x}",
)


async def narrowed(connector: Connector, query: SourceQuery) -> list[dict[str, Any]]:
    """Rows that satisfy the query once the connector's own residual has been applied."""
    left = connector.residual(query)
    needed = dict.fromkeys((*query.columns, query.key, *sorted(fields_of(left))))
    result = await connector.fetch(replace(query, columns=tuple(needed)))
    rows = [dict(zip(needed, row, strict=True)) for row in result.rows]
    return [row for row in rows if holds(left, row)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A connector, and how to speak of its source."""

    connector: Connector
    columns: Mapping[str, str]  # the suite's name -> the source's; absent: the source has none
    dead: Callable[[], Connector]  # the same connector, of a source that is not there
    config: Callable[[Mapping[str, object]], Connector]  # the same configuration, plus these keys
    seen: Callable[[SourceQuery], Awaitable[str]]  # what the source was sent for this query
    busy: Callable[[], Awaitable[bool]]  # whether the source still works on anything of ours
    write: Callable[[], Awaitable[None]]  # tries to write as the connector's own role
    untouched: Callable[[], Awaitable[str]]  # a digest of what the source holds
    people: str = "people"
    rich: str = "rich"
    slow: str = "slow"  # takes at least five seconds
    broken: str = "broken"  # answers what cannot be used

    def query(self, relation: str | None = None, **parts: Any) -> SourceQuery:
        """All that is asked of a query, in the suite's names."""
        shown = parts.pop("columns", ("ref", "handling") if relation is None else ("ref",))
        for part in ("where", "guard"):
            if part in parts:
                parts[part] = self._named(parts[part])
        return SourceQuery(
            query_id="q1",
            relation=relation or self.people,
            columns=tuple(self.columns.get(name, name) for name in shown),
            key=self.columns["ref"],
            **{"limit": 500, "timeout_s": 10.0, **parts},
        )

    def _named(self, condition: Condition) -> Condition:
        match condition:
            case And(parts):
                return And(tuple(map(self._named, parts)))
            case Or(parts):
                return Or(tuple(map(self._named, parts)))
            case IsNull(name):
                return IsNull(self.columns.get(name, name))
            case Compare(name, op, value):
                return Compare(self.columns.get(name, name), op, value)

    async def rows(self, query: SourceQuery) -> list[dict[str, Any]]:
        """Rows that satisfy the query once the connector's own residual has been applied."""
        return await narrowed(self.connector, query)

    async def refs(self, query: SourceQuery) -> set[object]:
        """The keys of those rows; each row must come once."""
        found = [row[query.key] for row in await self.rows(query)]
        assert len(found) == len(set(found)), "a row came twice"
        return set(found)


def conditions_for(columns: Iterable[str]) -> list[Condition]:
    """Every operator with every literal, on every column that a source has."""
    found: list[Condition] = []
    for column in columns:
        literals = LITERALS.get(column, ())
        found.extend(
            Compare(column, op, literal)
            for literal in literals
            for op in Op
            if op is not Op.IN and (op is not Op.STARTSWITH or isinstance(literal, str))
        )
        found.append(Compare(column, Op.IN, literals))
        found.append(Compare(column, Op.IN, literals[:2]))
        found.append(Compare(column, Op.IN, ()))
        found.append(IsNull(column))
    return found


class ConnectorContract:
    """What the gateway relies on. Every connector, ours or an agency's, runs this unchanged."""

    async def test_guard_narrows_though_nothing_was_asked(self, rig: Rig) -> None:
        assert await rig.refs(rig.query(guard=Compare("handling", Op.EQ, "P"))) == {"p1", "p4"}

    async def test_null_satisfies_no_comparison(self, rig: Rig) -> None:
        refs = await rig.refs(rig.query(guard=Compare("handling", Op.NE, "P")))
        assert refs == {"p2"}  # p3 carries no handling code

    async def test_where_and_guard_both_hold(self, rig: Rig) -> None:
        query = rig.query(
            where=Compare("ref", Op.IN, ("p1", "p2")), guard=Compare("handling", Op.EQ, "P")
        )
        assert await rig.refs(query) == {"p1"}

    async def test_always_never_and_null(self, rig: Rig) -> None:
        everyone = {"p1", "p2", "p3", "p4"}
        assert await rig.refs(rig.query(where=ALWAYS, guard=ALWAYS)) == everyone
        assert await rig.refs(rig.query(guard=NEVER)) == set()
        assert await rig.refs(rig.query(where=NEVER)) == set()
        assert await rig.refs(rig.query(guard=IsNull("handling"))) == {"p3"}
        either = Or((IsNull("handling"), Compare("handling", Op.EQ, "C")))
        assert await rig.refs(rig.query(guard=either)) == {"p2", "p3"}
        assert await rig.refs(rig.query(where=either, guard=IsNull("handling"))) == {"p3"}

    async def test_values_come_back_as_they_are_held(self, rig: Rig) -> None:
        """Text to the last space, unknown codes as they are, a null as None."""
        columns = [name for name in ("ref", "name", "code", "number") if name in rig.columns]
        result = await rig.connector.fetch(rig.query(rig.rich, columns=tuple(columns)))
        assert list(result.rows) == [tuple(row[name] for name in columns) for row in RICH]

    async def test_every_comparison_agrees_with_holds(self, rig: Rig) -> None:
        columns = tuple(name for name in LITERALS if name in rig.columns)
        whole = rig.query(rig.rich, columns=("ref", *columns))
        held = await rig.rows(whole)
        assert len(held) == len(RICH)
        for condition in conditions_for(columns):
            asked = rig.query(rig.rich, where=condition)
            expected = {row[whole.key] for row in held if holds(asked.where, row)}
            assert await rig.refs(asked) == expected, condition

    async def test_guards_agree_with_holds_too(self, rig: Rig) -> None:
        held = await rig.rows(rig.query(rig.rich, columns=("ref", "name", "code")))
        for prefix in ("100", "HOX", "", "Ho"):
            guard = Compare("name", Op.STARTSWITH, prefix)
            query = rig.query(rig.rich, guard=guard)
            assert await rig.refs(query) == {
                row[query.key] for row in held if holds(query.guard, row)
            }

    async def test_only_named_columns_leave(self, rig: Rig) -> None:
        query = rig.query(rig.rich, where=Compare("ref", Op.IN, ("r01", "r02")))
        assert Ability.PROJECT in rig.connector.capabilities.abilities
        result = await rig.connector.fetch(query)
        assert {len(row) for row in result.rows} == {1}
        sent = await rig.seen(query)
        assert rig.columns["ref"] in sent
        assert "secret" not in sent
        assert "canary" not in sent

    async def test_columns_come_in_the_order_asked(self, rig: Rig) -> None:
        result = await rig.connector.fetch(rig.query(columns=("handling", "ref")))
        assert result.rows[:2] == (("P", "p1"), ("C", "p2"))

    async def test_truncation_is_honest(self, rig: Rig) -> None:
        for limit, more in ((3, True), (4, False), (5, False)):
            result = await rig.connector.fetch(rig.query(limit=limit, columns=("ref",)))
            assert (len(result.rows), result.truncated) == (min(limit, 4), more)

    async def test_after_walks_through_everything_in_order(self, rig: Rig) -> None:
        seen: list[object] = []
        after: Any = None
        for _ in range(len(RICH)):
            result = await rig.connector.fetch(rig.query(rig.rich, limit=7, after=after))
            seen += [row[0] for row in result.rows]
            if not result.truncated:
                break
            after = seen[-1]
        assert seen == [row["ref"] for row in RICH]

    async def test_many_join_keys_are_one_visit(self, rig: Rig) -> None:
        assert Ability.BATCH in rig.connector.capabilities.abilities
        keys = (*(row["ref"] for row in RICH), *(f"none{at}" for at in range(200)))
        keys = keys[: rig.connector.capabilities.max_keys]
        query = rig.query(rig.rich, where=Compare("ref", Op.IN, keys))
        assert await rig.refs(query) == {row["ref"] for row in RICH}
        assert await rig.refs(rig.query(where=Compare("ref", Op.IN, ("p4", "p1", "p4")))) == {
            "p1",
            "p4",
        }

    @pytest.mark.parametrize("value", HOSTILE)
    async def test_ij_01_ij_02_ij_08_hostile_values_are_text(self, rig: Rig, value: str) -> None:
        for op in (Op.EQ, Op.IN, Op.STARTSWITH, Op.GT):
            literal = (value,) if op is Op.IN else value
            query = rig.query(rig.rich, where=Compare("name", op, literal))
            expected = {row["ref"] for row in RICH if holds(Compare("name", op, literal), row)}
            assert await rig.refs(query) == expected
            if len(value) > 4:
                assert value not in rig.connector.explain(query)
        assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}

    async def test_a_hostile_key_is_text_too(self, rig: Rig) -> None:
        for value in HOSTILE[:-2]:
            query = rig.query(where=Compare("ref", Op.EQ, value))
            assert await rig.refs(query) == set()

    async def test_explain_sends_nothing_and_holds_no_value(self, rig: Rig) -> None:
        query = rig.query(rig.rich, where=Compare("ref", Op.EQ, "SENTINEL-4711"))
        text = rig.connector.explain(query)
        assert rig.columns["ref"] in text
        assert "SENTINEL-4711" not in text

    async def test_cancelling_gives_the_connection_back(self, rig: Rig) -> None:
        for _ in range(3):
            visit = asyncio.ensure_future(rig.connector.fetch(rig.query(rig.slow)))
            await asyncio.sleep(0.3)
            visit.cancel()
            with pytest.raises(asyncio.CancelledError):
                await visit
        async with asyncio.timeout(3):
            assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}
            while await rig.busy():  # noqa: ASYNC110  # another process; it sends us no event
                await asyncio.sleep(0.05)

    async def test_a_slow_source_is_left_in_time(self, rig: Rig) -> None:
        began = time.monotonic()
        with pytest.raises(SourceTimeout):
            await rig.connector.fetch(rig.query(rig.slow, timeout_s=0.4))
        assert time.monotonic() - began < 1.0
        assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}

    async def test_visits_may_run_side_by_side(self, rig: Rig) -> None:
        async with asyncio.TaskGroup() as group:
            visits = [
                group.create_task(
                    rig.refs(rig.query(where=Compare("ref", Op.EQ, f"p{1 + at % 4}")))
                )
                for at in range(12)
            ]
        assert [visit.result() for visit in visits] == [{f"p{1 + at % 4}"} for at in range(12)]

    async def test_f01_a_dead_source_is_unavailable(self, rig: Rig) -> None:
        dead = rig.dead()
        try:
            with pytest.raises(SourceUnavailable) as caught:
                await dead.fetch(rig.query(where=Compare("ref", Op.EQ, "SENTINEL-4711")))
            assert "SENTINEL-4711" not in str(caught.value)
            health = await dead.check()
            assert not health.ok
            assert health.detail
        finally:
            await dead.aclose()

    async def test_f06_what_cannot_be_used_is_a_protocol_error(self, rig: Rig) -> None:
        for query in (
            rig.query("no_such_relation", columns=("ref",)),
            rig.query(rig.broken, where=Compare("ref", Op.EQ, "SENTINEL-4711")),
        ):
            with pytest.raises(SourceProtocolError) as caught:
                await rig.connector.fetch(query)
            assert "SENTINEL-4711" not in str(caught.value)
        assert await rig.refs(rig.query()) == {"p1", "p2", "p3", "p4"}

    async def test_ij_06_writing_fails_by_privilege(self, rig: Rig) -> None:
        before = await rig.untouched()
        await rig.write()
        await rig.refs(rig.query())
        assert await rig.untouched() == before

    async def test_a_live_source_is_healthy(self, rig: Rig) -> None:
        health = await rig.connector.check()
        assert health.ok, health.detail
        if health.relations is not None:
            held = health.relations[rig.people]
            assert {rig.columns["ref"], rig.columns["handling"]} <= set(held)

    async def test_an_unknown_key_of_the_configuration_is_named(self, rig: Rig) -> None:
        with pytest.raises(ValueError, match=r"connection\.passwort"):
            rig.config({"passwort": "x"})


__all__ = ["HOSTILE", "LITERALS", "PEOPLE", "RICH", "ConnectorContract", "Rig", "SourceResult"]
