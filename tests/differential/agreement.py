"""Asks a source what `conditions.holds` can say too, and shrinks what they disagree about."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeAlias

from connectors.conditions import ALWAYS, And, Compare, Condition, Op, Or, all_of, fields_of, holds
from connectors.spi import Connector, SourceError, SourceQuery
from tests.differential.odds import KEY, Draw, Odds, rows

RELATION = "odds"

Rows: TypeAlias = Sequence[Mapping[str, Any]]

_ROWS, _CONDITIONS = 20, 250  # of one batch
PAIRS = _ROWS * _CONDITIONS
_MOST_STEPS = 50  # of shrinking


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A source that holds one relation, `odds`, and how to fill it."""

    name: str
    connector: Connector
    columns: Mapping[str, Draw]
    fill: Callable[[Rows], Awaitable[None]]  # hold these rows instead
    typed: Callable[[Mapping[str, Any]], dict[str, Any]] = dict  # a row as a mapping reads it


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row that a source and `holds` disagree about, as small as it could be made."""

    place: str
    condition: Condition
    row: Mapping[str, Any]
    found: str  # what the source did

    def __str__(self) -> str:
        return f"{self.place} {self.found}\n  {self.condition}\n  {self.row}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the conditions on one batch of rows came to."""

    pairs: int
    held: int  # pairs where the condition held
    differences: tuple[Difference, ...]


async def outcomes(place: Place, seed: int, pairs: int) -> AsyncIterator[Outcome]:
    """At least so many pairs of a condition and a row, a batch of random rows at a time."""
    for at in range(-(-pairs // PAIRS)):
        yield await _outcome(place, Random(f"{seed} {at}"))  # noqa: S311  # no secret


async def _outcome(place: Place, rng: Random) -> Outcome:
    put = rows(rng, place.columns, _ROWS)
    await place.fill(put)
    held = await _read(place, ALWAYS, tuple(place.columns))
    assert [row[KEY] for row in held] == [row[KEY] for row in put], "not every row came back"
    count, differences = 0, list[Difference]()
    for condition in Odds(rng, place.columns, held).conditions(_CONDITIONS):
        expected = {row[KEY] for row in held if holds(condition, row)}
        count += len(expected)
        given = await _chosen(place, condition)
        if isinstance(given, str) or given != expected:
            wrong = {row[KEY] for row in put} if isinstance(given, str) else given ^ expected
            first = next(row for row in put if row[KEY] in wrong)
            differences.append(await _shrunk(place, condition, first))
            await place.fill(put)
    return Outcome(pairs=PAIRS, held=count, differences=tuple(differences))


async def _chosen(place: Place, condition: Condition) -> set[str] | str:
    """The keys of the rows that a source chooses, what it leaves over applied; or its error."""
    try:
        return {row[KEY] for row in await _read(place, condition)}
    except SourceError as error:
        return f"{type(error).__name__}: {error}"


async def _read(
    place: Place, condition: Condition, columns: tuple[str, ...] = ()
) -> list[dict[str, Any]]:
    where, guard = _halves(condition)
    query = SourceQuery(
        query_id="q", relation=RELATION, columns=(KEY,), key=KEY, where=where, guard=guard,
        limit=1000, timeout_s=20,
    )  # fmt: skip
    left = place.connector.residual(query)
    names = (KEY, *sorted({*fields_of(left), *columns}))
    result = await place.connector.fetch(replace(query, columns=names))
    read = (place.typed(dict(zip(names, row, strict=True))) for row in result.rows)
    return [row for row in read if holds(left, row)]


def _halves(condition: Condition) -> tuple[Condition, Condition]:
    """What is asked and what policy imposes; together, the condition."""
    if isinstance(condition, And) and len(condition.parts) > 1:
        return all_of(condition.parts[1:]), condition.parts[0]
    return condition, ALWAYS


# --- shrinking


async def _shrunk(place: Place, condition: Condition, row: Mapping[str, Any]) -> Difference:
    """The smallest condition that the source answers wrongly for the smallest row."""
    found = await _wrong(place, condition, row)
    if found is None:
        found = "was wrong, but only after other conditions of this outline"
        return Difference(place=place.name, condition=condition, row=row, found=found)
    for _ in range(_MOST_STEPS):
        if (step := await _step(place, condition, row)) is None:
            break
        condition, row, found = step
    return Difference(place=place.name, condition=condition, row=row, found=found)


async def _step(
    place: Place, condition: Condition, row: Mapping[str, Any]
) -> tuple[Condition, Mapping[str, Any], str] | None:
    """Something smaller that is wrong too, the row now alone."""
    for condition_too, row_too in _smaller(condition, row):
        await place.fill([row_too])
        if (found := await _wrong(place, condition_too, row_too)) is not None:
            return condition_too, row_too, found
    return None


async def _wrong(place: Place, condition: Condition, row: Mapping[str, Any]) -> str | None:
    """What the source does with a row that it should not; None if it does what it should."""
    held = await _read(place, ALWAYS, tuple(place.columns))
    expected = any(one[KEY] == row[KEY] and holds(condition, one) for one in held)
    given = await _chosen(place, condition)
    if isinstance(given, str):
        return given
    if (row[KEY] in given) == expected:
        return None
    return "misses a row" if expected else "chooses a row that it should not"


def _smaller(
    condition: Condition, row: Mapping[str, Any]
) -> Iterator[tuple[Condition, Mapping[str, Any]]]:
    """The same with one thing less."""
    for less in _less(condition):
        yield less, row
    asked = fields_of(condition) | {KEY}
    if any(value is not None for name, value in row.items() if name not in asked):
        yield condition, {name: row[name] if name in asked else None for name in row}
    for name, value in row.items():
        if isinstance(value, str) and name != KEY:
            for shorter in _shorter(value):
                yield _with(condition, value, shorter), {**row, name: shorter}


def _less(condition: Condition) -> Iterator[Condition]:
    match condition:
        case And(parts) | Or(parts):
            yield from parts
            for at, part in enumerate(parts):
                yield type(condition)(parts[:at] + parts[at + 1 :])
                for less in _less(part):
                    yield type(condition)((*parts[:at], less, *parts[at + 1 :]))
        case Compare(name, Op.IN, tuple(members)):
            for at in range(len(members)):
                yield Compare(name, Op.IN, members[:at] + members[at + 1 :])
        case Compare(name, op, str(value)):
            yield from (Compare(name, op, shorter) for shorter in _shorter(value))


def _with(condition: Condition, old: str, new: str) -> Condition:
    """The condition with another literal wherever it names that one."""
    match condition:
        case And(parts) | Or(parts):
            return type(condition)(tuple(_with(part, old, new) for part in parts))
        case Compare(name, Op.IN, tuple(members)):
            return Compare(name, Op.IN, tuple(new if one == old else one for one in members))
        case Compare(name, op, value) if value == old:
            return Compare(name, op, new)
        case _:
            return condition


def _shorter(value: str) -> Iterator[str]:
    return (value[:at] + value[at + 1 :] for at in range(len(value)))
