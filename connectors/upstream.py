"""Another GraphQL service, asked as its own clients ask it: documents, variables, Relay pages.

A document is built from configured names and columns only; every value is a variable. A service's
limits on depth and complexity are met by asking for fewer columns at a time, keyed so that the
parts can be put together again. An answer with `errors` is never used, whatever data it holds.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Self

from connectors._config import Table
from connectors._http import Client, client_for
from connectors._listing import Row, is_after, relation_of, rows_of, together
from connectors._paths import bare_parts, reader
from connectors._push import (
    Param,
    Pushed,
    Request,
    comparisons,
    params_from,
    push,
    spoken,
    too_broad,
)
from connectors.conditions import Condition, Scalar, all_of
from connectors.spi import (
    Ability,
    Capability,
    Health,
    Secrets,
    SourceError,
    SourceProtocolError,
    SourceQuery,
    SourceResult,
)

_CHECK_S = 5.0
_MAX_PAGES = 100
_SOME_NODES = 8  # a page shorter than this is rather asked for in several parts
_CODE = re.compile(r"[A-Z][A-Z0-9_]{0,40}")
_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")  # GraphQL specification, section 2.1.9
_TYPE = re.compile(r"\[?[_A-Za-z][_0-9A-Za-z]*!?\]?!?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A root field that lists the nodes of one relation."""

    field: str
    args: tuple[Param, ...]
    nodes: tuple[str, ...]  # the way from the field to a node: ("edges", "node") or ("nodes",)
    page_info: str  # "" when the field knows no pages
    first_arg: str
    after_arg: str
    each: str  # the list of a node whose elements are the rows; "" when the nodes are
    page_size: int
    max_depth: int
    max_complexity: int
    min_criteria: int
    alone: frozenset[str]
    ordered: bool

    def pushed(self, query: SourceQuery) -> Pushed:
        """What of a query becomes requests."""
        return push(query, self.args, min_criteria=self.min_criteria, alone=self.alone)


class UpstreamConnector:
    """One GraphQL service that answers queries by POST."""

    def __init__(self, client: Client, roots: Mapping[str, Root], *, max_keys: int) -> None:
        self._client, self._roots = client, roots
        abilities = Ability.PROJECT
        if any(arg.many for root in roots.values() for arg in root.args):
            abilities |= Ability.BATCH
        if all(root.first_arg for root in roots.values()):
            abilities |= Ability.LIMIT
        least = min((1 if of.alone else of.min_criteria for of in roots.values()), default=0)
        told = {name: comparisons(root.args) for name, root in roots.items()}
        self._capability = Capability(
            abilities=abilities, max_keys=max_keys, min_criteria=least, told=told
        )

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        """Keys: those of `client_for` (`url`), `page_size` (25), `max_depth` (6),
        `max_complexity` (500), `max_keys` (200), and the tables `relations.<name>`.
        """
        table = Table(config, secrets)
        client = client_for(table, "url")
        limits = {
            "page_size": table.whole("page_size", 25),
            "max_depth": table.whole("max_depth", 6),
            "max_complexity": table.whole("max_complexity", 500),
        }
        max_keys = table.whole("max_keys", 200)
        relations = table.table("relations")
        roots = {name: _root(relations.table(name), limits) for name in relations.names()}
        table.done()
        return cls(client, roots, max_keys=max_keys)

    @property
    def capabilities(self) -> Capability:
        return self._capability

    def residual(self, query: SourceQuery) -> Condition:
        """What no argument says; everything, when the service would refuse to answer."""
        if query.relation not in self._roots:
            return all_of((query.where, query.guard))
        return self._roots[query.relation].pushed(query).residual

    def explain(self, query: SourceQuery) -> str:
        """Each document that would be sent, in turn; values are variables."""
        root = relation_of(self._roots, query)
        requests = root.pushed(query).requests
        if requests is None:
            return f"none: {root.field} needs at least {root.min_criteria} criteria"
        documents = (
            _document(root, request, columns)
            for request in requests
            for columns in _groups(root, query)
        )
        return "\n".join(documents)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        root = relation_of(self._roots, query)
        requests = root.pushed(query).requests
        if requests is None:
            raise too_broad(root.min_criteria)
        groups = _groups(root, query)
        return await together(
            query, [partial(self._pages, root, query, groups, request) for request in requests]
        )

    async def _pages(
        self,
        root: Root,
        query: SourceQuery,
        groups: Sequence[tuple[str, ...]],
        request: Request,
        deadline: float,
    ) -> tuple[list[Row], bool]:
        pick, rows = rows_of(query, root.each), list[Row]()
        variables: dict[str, object] = {
            f"v{at}": _variable(param, values) for at, (param, values) in enumerate(request.items())
        }
        if root.first_arg:
            variables["first"] = _first(root, query, groups)
        for _ in range(_MAX_PAGES):
            nodes, cursor = await self._page(root, query, groups, request, variables, deadline)
            rows += [row for n in nodes for row in pick(n) if is_after(row[-1], query.after)]
            if cursor is None:
                return rows, False
            if variables.get("after") == cursor:
                raise SourceProtocolError("a cursor that leads nowhere")
            variables["after"] = cursor
            if root.ordered and len(rows) > query.limit:
                return rows, True
        return rows, True

    async def _page(
        self,
        root: Root,
        query: SourceQuery,
        groups: Sequence[tuple[str, ...]],
        request: Request,
        variables: Mapping[str, object],
        deadline: float,
    ) -> tuple[list[dict[str, Any]], str | None]:
        """One page of nodes, put together from as many documents as the limits demand."""
        async with asyncio.TaskGroup() as tasks:
            asked = [
                tasks.create_task(self._ask(_body(root, request, columns, variables), deadline))
                for columns in groups
            ]
        pages = [_unfolded(root, task.result()) for task in asked]
        whole, following = pages[0]
        key = reader(query.key)
        for nodes, cursor in pages[1:]:
            if cursor != following or [key(n) for n in nodes] != [key(n) for n in whole]:
                raise SourceProtocolError("the records changed between two parts of one page")
            for node, more in zip(whole, nodes, strict=True):
                _join(node, more)
        return whole, following

    async def _ask(self, body: object, deadline: float) -> dict[str, Any]:
        answer = await self._client.ask("POST", "", deadline, body=body)
        data = answer.data
        if answer.status >= 400 or not isinstance(data, dict):
            raise SourceProtocolError(f"status {answer.status}")
        if data.get("errors") or not isinstance(data.get("data"), dict):
            raise SourceProtocolError(f"it answered with errors{_codes(data.get('errors'))}")
        found: dict[str, Any] = data["data"]
        return found

    async def check(self) -> Health:
        """Asks for `__typename`; what a service says of its schema is not relied on."""
        try:
            async with asyncio.timeout(_CHECK_S):
                deadline = asyncio.get_running_loop().time() + _CHECK_S
                await self._ask({"query": "{ __typename }"}, deadline)
        except TimeoutError:
            return Health(ok=False, detail=f"no answer within {_CHECK_S:g} s")
        except SourceError as error:
            return Health(ok=False, detail=str(error))
        return Health(ok=True)

    async def aclose(self) -> None:
        await self._client.aclose()


def _root(table: Table, limits: Mapping[str, int]) -> Root:
    args = params_from(table, "args", "arg")
    names = {
        key: table.text(key, default)
        for key, default in (("field", None), ("page_info", "pageInfo"), ("first_arg", "first"),
                             ("after_arg", "after"), ("each", ""))
    }  # fmt: skip
    nodes = tuple(table.text("nodes", "edges.node").split("."))
    for key, name in (*names.items(), *(("nodes", step) for step in nodes)):
        if name and not _NAME.fullmatch(name):
            table.wrong(key, "a GraphQL name")
    for arg in args:
        if not _NAME.fullmatch(arg.name) or not _TYPE.fullmatch(arg.type):
            table.wrong("args", "arguments with a GraphQL name and type each")
    found = Root(
        **names,
        args=args,
        nodes=nodes,
        page_size=table.whole("page_size", limits["page_size"]),
        max_depth=table.whole("max_depth", limits["max_depth"]),
        max_complexity=table.whole("max_complexity", limits["max_complexity"]),
        min_criteria=table.whole("min_criteria", 0, least=0),
        alone=frozenset(table.texts("alone")),
        ordered=table.flag("ordered", True),
    )
    table.done()
    return found


def _codes(errors: Any) -> str:
    """The errors' codes for an operator; their messages could repeat a value."""
    found = [
        error["extensions"].get("code")
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict) and isinstance(error.get("extensions"), dict)
    ]
    codes = sorted({code for code in found if isinstance(code, str) and _CODE.fullmatch(code)})
    return f": {', '.join(codes)}" if codes else ""


# --- documents


def _tree(columns: Iterable[str]) -> dict[str, Any]:
    """Columns as nested selections: {"names": {"family": {}}}."""
    tree: dict[str, Any] = {}
    for path in (path for column in columns for path in bare_parts(column)):
        below = tree
        for step in path.split("."):
            if not _NAME.fullmatch(step):
                raise SourceProtocolError("not a path into a GraphQL object")
            below = below.setdefault(step, {})
    return tree


def _selection(tree: Mapping[str, Any]) -> str:
    parts = (name + (f" {_selection(below)}" if below else "") for name, below in tree.items())
    return f"{{ {' '.join(parts)} }}"


def _fields(tree: Mapping[str, Any]) -> int:
    return sum(1 + _fields(below) for below in tree.values())


@lru_cache(maxsize=256)
def _selected(columns: tuple[str, ...]) -> tuple[str, int]:
    """What selects these columns of a node, and how many fields that is."""
    tree = _tree(columns)
    return _selection(tree), _fields(tree)


def _document(root: Root, request: Request, columns: tuple[str, ...]) -> str:
    """One query document: field, arguments, the columns of each node, the way to the next page."""
    selection = _selected(columns)[0]
    for step in reversed(root.nodes):
        selection = f"{{ {step} {selection} }}"
    if root.page_info:
        paging = f"{root.page_info} {{ hasNextPage endCursor }}"
        selection = f"{selection[:-1]}{paging} }}"
    declared = [f"$v{at}: {param.type}" for at, param in enumerate(request)]
    given = [f"{param.name}: $v{at}" for at, param in enumerate(request)]
    if root.first_arg:
        declared.append("$first: Int")
        given.append(f"{root.first_arg}: $first")
    if root.page_info:
        declared.append("$after: String")
        given.append(f"{root.after_arg}: $after")
    head = f"query({', '.join(declared)})" if declared else "query"
    arguments = f"({', '.join(given)})" if given else ""
    return f"{head} {{ {root.field}{arguments} {selection} }}"


def _body(
    root: Root, request: Request, columns: tuple[str, ...], variables: Mapping[str, object]
) -> dict[str, object]:
    return {"query": _document(root, request, columns), "variables": dict(variables)}


def _groups(root: Root, query: SourceQuery) -> tuple[tuple[str, ...], ...]:
    """The columns in as few groups as the limits allow, each with the key.

    All of them together wherever that leaves a page of some nodes: most answers are short, and
    each document costs the service and us as much again. Complexity is reckoned as the strictest
    services do: whatever lies below the root field counts once for each node of a page.

    Raises:
        SourceProtocolError: a column lies deeper than the service lets anyone look.
    """
    for path in (path for column in (*query.columns, query.key) for path in bare_parts(column)):
        if 1 + len(root.nodes) + len(path.split(".")) > root.max_depth:
            raise SourceProtocolError(f"{path}: deeper than {root.max_depth} levels")
    whole = tuple(dict.fromkeys((query.key, *query.columns)))
    if _cost(root, whole, min(_SOME_NODES, _wanted(root, query))) <= root.max_complexity:
        return (whole,)
    groups: list[tuple[str, ...]] = []
    group: tuple[str, ...] = (query.key,)
    for column in dict.fromkeys(query.columns):
        wider = tuple(dict.fromkeys((*group, column)))
        if len(group) > 1 and _cost(root, wider, _wanted(root, query)) > root.max_complexity:
            groups.append(group)
            wider = tuple(dict.fromkeys((query.key, column)))
        group = wider
    return (*groups, group)


def _cost(root: Root, columns: tuple[str, ...], nodes: int) -> int:
    return 1 + nodes * _cost_of_node(root, columns)


def _cost_of_node(root: Root, columns: tuple[str, ...]) -> int:
    return len(root.nodes) + (3 if root.page_info else 0) + _selected(columns)[1]


def _wanted(root: Root, query: SourceQuery) -> int:
    """Nodes per page: no more than a page, nor than could be used."""
    if query.after is None and root.ordered:
        return min(root.page_size, query.limit + 1)
    return root.page_size


def _first(root: Root, query: SourceQuery, groups: Sequence[tuple[str, ...]]) -> int:
    """Nodes per page, fewer where the columns are too complex for a full page."""
    dearest = max(_cost_of_node(root, group) for group in groups)
    return max(1, min(_wanted(root, query), (root.max_complexity - 1) // dearest))


def _variable(param: Param, values: tuple[Scalar, ...]) -> object:
    plain = [_plain(value) for value in values]
    return plain if param.many else plain[0]


def _plain(value: Scalar) -> str | int | float:
    if isinstance(value, Decimal):
        return float(value)  # the same: no other is given to an argument
    return value if isinstance(value, str | int | float) else spoken(value)


# --- answers


def _unfolded(root: Root, data: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str | None]:
    """The nodes of a page and the cursor of the next, if there is one."""
    found = data.get(root.field)
    if found is None:
        return [], None  # a field without an answer and without an error: it has none
    nodes = found
    for step in root.nodes:
        nodes = _step(nodes, step)
    if not isinstance(nodes, list) or not all(isinstance(node, dict) for node in nodes):
        raise SourceProtocolError("no nodes where they should be")
    if not root.page_info:
        return nodes, None
    info = found.get(root.page_info)
    if not isinstance(info, dict) or not isinstance(info.get("hasNextPage"), bool):
        raise SourceProtocolError("no page information where it should be")
    if not info["hasNextPage"]:
        return nodes, None
    if not isinstance(info.get("endCursor"), str):
        raise SourceProtocolError("a next page without a cursor")
    return nodes, info["endCursor"]


def _step(value: Any, step: str) -> Any:
    if isinstance(value, list):
        return [_step(element, step) for element in value]
    if not isinstance(value, dict) or step not in value:
        raise SourceProtocolError("no nodes where they should be")
    return value[step]


def _join(node: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add what another part of the same node holds; lists are joined element by element."""
    for name, value in more.items():
        held = node.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            _join(held, value)
        elif isinstance(held, list) and isinstance(value, list) and len(held) == len(value):
            for left, right in zip(held, value, strict=True):
                if isinstance(left, dict) and isinstance(right, dict):
                    _join(left, right)
        elif name not in node:
            node[name] = value
        elif held != value:
            raise SourceProtocolError("the records changed between two parts of one page")
