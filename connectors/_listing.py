"""Reading lists of records by GET: parameters, pages, and many requests as one result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from connectors._config import Table
from connectors._http import Client
from connectors._paths import at, bare_parts, reader
from connectors._push import (
    Param,
    Pushed,
    Request,
    combinations_from,
    params_from,
    push,
    spoken,
    too_broad,
)
from connectors.spi import (
    SourceError,
    SourceProtocolError,
    SourceQuery,
    SourceResult,
    SourceTimeout,
)

_MAX_PAGES = 100
Row = tuple[object, ...]
_Relation = TypeVar("_Relation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One relation of a service: where its list is, and what may be asked of it."""

    path: str
    items: str  # where the list is in the answer; "" when the answer is the list
    next: str  # where the next page's cursor is; "" when there is one page
    cursor_param: str
    fields_param: str  # the sparse fieldset; "" when the service sends whole records
    whole_fields: bool  # it names top-level fields only
    limit_param: str
    page_size: int
    min_criteria: int
    ordered: bool  # it answers in the order of the key
    params: tuple[Param, ...]
    alone: frozenset[str]
    combinations: tuple[frozenset[str], ...]  # the sets of parameters that it answers to
    absent_codes: frozenset[str]

    @property
    def least(self) -> int:
        """The fewest criteria that it answers to."""
        return 1 if self.alone or self.combinations else self.min_criteria

    def pushed(self, query: SourceQuery) -> Pushed:
        """What of a query becomes requests."""
        return push(
            query,
            self.params,
            min_criteria=self.min_criteria,
            alone=self.alone,
            combinations=self.combinations,
        )


def listing_from(table: Table, page_size: int, min_criteria: int) -> Listing:
    """One `[connection.relations.<name>]` table; the service's own numbers are the defaults."""
    path = table.text("path")
    if not path.startswith("/") or any(mark in path for mark in "?#{} \\") or "/.." in path:
        table.wrong("path", "a path that starts with / and holds no value")
    params = params_from(table, "params", "param")
    found = Listing(
        path=path,
        items=table.text("items", ""),
        next=table.text("next", ""),
        cursor_param=table.text("cursor_param", "cursor"),
        fields_param=table.text("fields_param", ""),
        whole_fields=table.choice("fields_style", ("path", "top"), "path") == "top",
        limit_param=table.text("limit_param", ""),
        page_size=table.whole("page_size", page_size),
        min_criteria=table.whole("min_criteria", min_criteria, least=0),
        ordered=table.flag("ordered", True),
        params=params,
        alone=frozenset(table.texts("alone")),
        combinations=combinations_from(table, params),
        absent_codes=frozenset(table.texts("absent_codes")),
    )
    table.done()
    return found


def relation_of(
    relations: Mapping[str, _Relation], query: SourceQuery, *, ranks: bool = False
) -> _Relation:
    """The relation that a query asks.

    Raises:
        SourceProtocolError: there is none, or it asks for a ranking that the source cannot make.
    """
    if query.near is not None and not ranks:
        raise SourceProtocolError("this source cannot rank by likeness")
    try:
        return relations[query.relation]
    except KeyError as error:
        raise SourceProtocolError(f"there is no relation {query.relation}") from error


def explain(listing: Listing, query: SourceQuery) -> str:
    """The requests, one per line, with ? for every value."""
    requests = listing.pushed(query).requests
    if requests is None:
        return f"none: {listing.path} {too_broad(listing.min_criteria)}"
    lines = []
    for request in requests:
        values = [f"{param.name}={','.join('?' * len(request[param]))}" for param in request]
        fixed = [f"{name}={value}" for name, value in _fixed(listing, query)]
        lines.append(f"GET {listing.path}?{'&'.join([*values, *fixed])}")
    return "\n".join(lines)


async def read(client: Client, listing: Listing, query: SourceQuery) -> SourceResult:
    """All requests of a visit at once, within the rate; their rows as one, in the key's order."""
    requests = listing.pushed(query).requests
    if requests is None:
        raise too_broad(listing.min_criteria)
    return await together(
        query, [partial(_pages, client, listing, query, request) for request in requests]
    )


async def together(
    query: SourceQuery, asks: Iterable[Callable[[float], Awaitable[tuple[list[Row], bool]]]]
) -> SourceResult:
    """Run a visit's requests side by side within its time; merge their rows by key.

    Each gives rows that end with their key, and whether there were more. The first error of any
    abandons the others.
    """
    try:
        async with within(query) as deadline, asyncio.TaskGroup() as group:
            tasks = [group.create_task(_awaited(ask, deadline)) for ask in asks]
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors
    return merged(query, [task.result() for task in tasks])


@asynccontextmanager
async def within(query: SourceQuery) -> AsyncIterator[float]:
    """A visit's time: gives its deadline by the loop's clock.

    Raises:
        SourceTimeout: it has passed.
    """
    deadline = asyncio.get_running_loop().time() + query.timeout_s
    try:
        async with asyncio.timeout_at(deadline):
            yield deadline
    except TimeoutError as error:
        raise SourceTimeout(f"no answer within {query.timeout_s:g} s") from error


async def _awaited(
    ask: Callable[[float], Awaitable[tuple[list[Row], bool]]], deadline: float
) -> tuple[list[Row], bool]:
    return await ask(deadline)


def first_error(errors: BaseExceptionGroup[BaseException]) -> SourceError:
    """The first error of a group as the contract's own."""
    found: BaseException = errors
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    if isinstance(found, SourceError):
        return found
    return SourceProtocolError(f"an answer that cannot be read: {type(found).__name__}")


def merged(query: SourceQuery, answers: Iterable[tuple[list[Row], bool]]) -> SourceResult:
    """Rows of several requests as one: a record that two of them found comes once."""
    rows: list[Row] = []
    seen: set[object] = set()
    more = False
    for found, unfinished in answers:
        rows += [row for row in found if row[-1] is None or row[-1] not in seen]
        seen.update(row[-1] for row in found)
        more = more or unfinished
    rows.sort(key=lambda row: in_order(row[-1]))
    return SourceResult(
        rows=tuple(row[:-1] for row in rows[: query.limit]),
        truncated=more or len(rows) > query.limit,
    )


def in_order(key: object) -> tuple[int, float, str]:
    """A sort key: nulls, then numbers, then texts by code point."""
    if key is None:
        return (0, 0.0, "")
    return (1, float(key), "") if isinstance(key, int | float) else (2, 0.0, str(key))


def is_after(key: object, after: object) -> bool:
    """Whether a key lies beyond a position."""
    return after is None or in_order(key) > in_order(after)


def picker(query: SourceQuery) -> Callable[[Any], Row]:
    """The function from a record to a row that ends with its key."""
    readers = [reader(column) for column in (*query.columns, query.key)]

    def pick(record: Any) -> Row:
        if not isinstance(record, dict):
            raise SourceProtocolError("a record that is not an object")
        row = tuple(read_one(record) for read_one in readers)
        if isinstance(row[-1], dict | list):
            raise SourceProtocolError("a key that is not one value")
        return row

    return pick


def rows_of(query: SourceQuery, each: str) -> Callable[[Any], list[Row]]:
    """The function from a record to its rows: one, or one for each element of its list `each`."""
    if not each:
        pick = picker(query)
        return lambda record: [pick(record)]
    columns = (*query.columns, query.key)
    readers = [reader(column) for column in columns]
    within = [any(p.startswith(f"{each}[]") for p in column.split("+")) for column in columns]

    def rows(record: Any) -> list[Row]:
        if not isinstance(record, dict):
            raise SourceProtocolError("a record that is not an object")
        held = [read_one(record) for read_one in readers]
        sizes = [len(v) for v, own in zip(held, within, strict=True) if own and v is not None]
        return [
            tuple(at(v, n) if own else v for v, own in zip(held, within, strict=True))
            for n in range(max(sizes, default=0))
        ]

    return rows


async def _pages(
    client: Client, listing: Listing, query: SourceQuery, request: Request, deadline: float
) -> tuple[list[Row], bool]:
    asked = [(param.name, ",".join(map(spoken, values))) for param, values in request.items()]
    asked += _fixed(listing, query)
    pick, rows, cursor = picker(query), list[Row](), ""
    for _ in range(_MAX_PAGES):
        params = [*asked, (listing.cursor_param, cursor)] if cursor else asked
        answer = await client.ask("GET", listing.path, deadline, params=params)
        if answer.status >= 400:
            if _is_absent(answer.data, listing):
                return rows, False
            raise SourceProtocolError(f"status {answer.status}")
        rows += [row for row in map(pick, _items(answer.data, listing))
                 if is_after(row[-1], query.after)]  # fmt: skip
        following = reader(listing.next)(answer.data) if listing.next else None
        if not following:
            return rows, False
        if not isinstance(following, str) or following == cursor:
            raise SourceProtocolError("a cursor that leads nowhere")
        cursor = following
        if listing.ordered and len(rows) > query.limit:
            return rows, True
    return rows, True


def _fixed(listing: Listing, query: SourceQuery) -> list[tuple[str, str]]:
    """The parameters that carry no value of the question."""
    fixed = []
    if listing.fields_param:
        names = [name for column in (*query.columns, query.key) for name in bare_parts(column)]
        tops = (name.partition(".")[0] if listing.whole_fields else name for name in names)
        fixed.append((listing.fields_param, ",".join(dict.fromkeys(tops))))
    if listing.limit_param:
        size = listing.page_size
        if query.after is None and listing.ordered:
            size = min(size, query.limit + 1)
        fixed.append((listing.limit_param, str(size)))
    return fixed


def _items(data: Any, listing: Listing) -> list[Any]:
    found = reader(listing.items)(data) if listing.items else data
    if not isinstance(found, list):
        raise SourceProtocolError("no list where there should be one")
    return found


def _is_absent(data: Any, listing: Listing) -> bool:
    """Whether an error is the service's way to say that it has no record (for us)."""
    return isinstance(data, dict) and str(data.get("code")) in listing.absent_codes
