"""The same question in two worlds: whether anything in the answers tells them apart.

Status, headers and the body's text are compared, order, counts, cursors, errors and the sources'
states with them. Left out are the receipt, the query's id, and how late a source was.
"""

from __future__ import annotations

import asyncio
import difflib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import httpx
from graphql import GraphQLSchema, GraphQLString

from tests.e2e.asking import REASON
from tests.e2e.worlds.askers import Asker
from tests.e2e.worlds.generating import Generator
from tests.e2e.worlds.operations import Chosen, Fragment, Given, Node, Operation, shrunk
from tests.e2e.worlds.twins import World

_QUERY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_COMPARED = {"date", "content-length"}  # a receipt's numbers have no fixed length
_OWED: Final = re.compile(r"Record first what came of your search ([0-9a-f-]{36}):")
_CAME_OF: Final = (
    'mutation($o: ID!) { recordOutcome(operationId: $o, outcome: "NO_LEAD") { operationId } }'
)
_MOST_PAGES = 2000  # no world holds as many of anything that pages of one would show


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What can be seen of an answer, and what is counted of it."""

    text: str
    code: str  # of the first error of an answer without data; "" where there is data
    rows: int
    body: dict[str, Any]


def seen(reply: httpx.Response) -> Seen:
    """An answer without what differs from one request to the next."""
    body = json.loads(reply.text)
    # Nothing else is lost by reading and writing again: the body is spelt in one way only.
    assert json.dumps(body, ensure_ascii=False, separators=(",", ":")) == reply.text
    whole = json.loads(reply.text)
    body.get("extensions", {}).pop("receipt", None)
    conditions = body.get("extensions", {}).get("conditions", {})
    if "watermark" in conditions:
        conditions["watermark"] = "told"  # it holds the query's id and the moment
    for source in body.get("extensions", {}).get("sources", ()):
        source["band"] = source["band"] and "told"
    for error in body.get("errors", ()):
        error.get("extensions", {}).pop("queryId", None)
        error["message"] = _QUERY_ID.sub("a query", error["message"])
    headers = [f"{k}: {v}" for k, v in reply.headers.multi_items() if k not in _NOT_COMPARED]
    lines = (str(reply.status_code), *headers, json.dumps(body, ensure_ascii=False, indent=1))
    errors = [] if "data" in body else body["errors"]
    return Seen(
        text="\n".join(lines),
        code=errors[0]["extensions"]["code"] if errors else "",
        rows=_rows(body.get("data")),
        body=whole,
    )


def _rows(value: Any) -> int:
    """How many objects an answer holds."""
    if isinstance(value, list):
        return sum(map(_rows, value))
    if isinstance(value, dict):
        return 1 + sum(map(_rows, value.values()))
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """An operation by whose answers the worlds can be told apart, and how they differ."""

    asker: Asker
    operation: Operation
    whole: str
    poorer: str

    def __str__(self) -> str:
        printed = self.operation.printed()
        lines = difflib.unified_diff(
            self.whole.splitlines(),
            self.poorer.splitlines(),
            "whole",
            "otherwise",
            n=2,
            lineterm="",
        )
        variables = json.dumps(printed.variables, ensure_ascii=False)
        return "\n".join((f"{self.asker}:", printed.text, variables, *lines))


@dataclass(slots=True, kw_only=True)
class Tally:
    """What came of the operations of one caller."""

    asker: Asker
    operations: int = 0
    requests: int = 0
    codes: Counter[str] = field(default_factory=Counter)  # "" answered
    rows: int = 0
    pages: int = 0
    differences: list[Difference] = field(default_factory=list)
    passing: list[Difference] = field(default_factory=list)  # that did not come again


@dataclass(slots=True, kw_only=True)
class Pair:
    """Two worlds, and the caller for whom they are to be one."""

    asker: Asker
    whole: World
    poorer: World
    token: str
    schema: GraphQLSchema
    tally: Tally
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)  # one for all pairs of an officer

    async def ask(self, world: World, operation: Operation) -> Seen:
        printed = operation.printed()
        why = {"purpose": self.asker.purpose, "reasonCode": "R06", **REASON}
        if self.asker.persona == "SG":
            why["onBehalfOf"] = "demo-nmc-0001"
        body = {
            "query": printed.text,
            "variables": printed.variables,
            "extensions": {"justification": why},
        }
        self.tally.requests += 1
        async with self.turn:  # what one search owes refuses another that is made beside it
            reply = await world.post(body, self.token)
            while owed := _OWED.search(reply.text):  # else every later search of a kind is refused
                said = {"query": _CAME_OF, "variables": {"o": owed[1]}}
                await world.post(said, self.token, to="/casework")
                reply = await world.post(body, self.token)
        return seen(reply)

    async def differ(self, operation: Operation) -> tuple[str, str] | None:
        """The two answers, if anything tells them apart on any page, to the last of every list.

        Raises:
            RuntimeError: there is no last page.
        """
        asked: list[tuple[Operation, str]] = [(operation, "")]
        for page in range(_MOST_PAGES + 1):
            if not asked:
                return None
            if page == _MOST_PAGES:
                raise RuntimeError(f"{self.asker}: more than {_MOST_PAGES} pages")
            question, turning = asked.pop(0)
            whole = await self.ask(self.whole, question)
            poorer = await self.ask(self.poorer, question)
            if whole.text != poorer.text:
                return whole.text, poorer.text
            if page == 0:
                self.tally.codes[whole.code] += 1
                self.tally.rows += whole.rows
            self.tally.pages += 1
            if not whole.code:
                # each list by itself: of several the pages add up, and do not multiply
                further = next_pages(question, whole.body["data"])
                asked.extend(one for one in further if turning in ("", one[1]))
        return None

    async def compare(self, operation: Operation) -> Difference | None:
        """The smallest operation by which the worlds differ, if they do by this one.

        One that does not come again is kept as such: mostly a source that failed for a moment.
        """
        first = await self.differ(operation)
        if first is None:
            return None
        if await self.differ(operation) is None:
            whole, poorer = first
            self.tally.passing.append(
                Difference(asker=self.asker, operation=operation, whole=whole, poorer=poorer)
            )
            return None

        async def shows(candidate: Operation) -> bool:
            return await self.differ(candidate) is not None

        least = await shrunk(operation, self.schema, shows, most=300)
        texts = await self.differ(least) or ("", "")
        found = Difference(asker=self.asker, operation=least, whole=texts[0], poorer=texts[1])
        self.tally.differences.append(found)
        return found

    async def run(
        self,
        generator: Generator,
        numbers: Sequence[int],
        told: Callable[[Tally], None] = lambda _: None,
        most: int = 3,
    ) -> AsyncIterator[Difference]:
        """The differences that operations show, until there are `most` of them; `told` of each
        operation compared."""
        for number in numbers:
            found = await self.compare(generator.operation(number))
            self.tally.operations += 1  # not before: another slice may tell of this tally
            told(self.tally)
            if found is not None:
                yield found
                if len(self.tally.differences) >= most:
                    return


# --- pages ---------------------------------------------------------------------------------------


def next_pages(operation: Operation, data: dict[str, Any]) -> Iterator[tuple[Operation, str]]:
    """The operation with one of its lists a page further, and that list, for each that goes on."""
    for root in _fields(operation.roots):
        for inner in _fields(root.inner):
            held = data.get(root.key)
            if inner.name == "next" and isinstance(held, dict) and held.get(inner.key):
                yield Operation(roots=_paged(operation.roots, root, held[inner.key])), root.key
                break


def _fields(nodes: Sequence[Node]) -> Iterator[Chosen]:
    for node in nodes:
        if isinstance(node, Fragment):
            yield from _fields(node.inner)
        else:
            yield node


def _paged(nodes: tuple[Node, ...], root: Chosen, cursor: str) -> tuple[Node, ...]:
    """The roots with `after` where the root is."""
    made: list[Node] = []
    for node in nodes:
        if isinstance(node, Fragment):
            made.append(replace(node, inner=_paged(node.inner, root, cursor)))
        elif node is root:
            after = Given(type=GraphQLString, value=cursor, variable=True)
            args = tuple(arg for arg in node.args if arg[0] != "after")
            made.append(replace(node, args=(*args, ("after", after))))
        else:
            made.append(node)
    return tuple(made)
