"""A vector search service: the records nearest to a probe, and plain reading of records.

`POST <search.path>` takes {emb, k, min_score, model}, or the reference of a stored record for
`emb`, with whatever filter and sparse fieldset the service is configured to have, and answers the
nearest records, each with a score. Records themselves are read as from any REST service.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from connectors._config import Table
from connectors._http import Client, client_for
from connectors._listing import Listing, explain, listing_from, picker, read, relation_of, within
from connectors._paths import bare_parts, reader
from connectors._push import comparisons, spoken
from connectors.conditions import (
    NEVER,
    And,
    Compare,
    Condition,
    Op,
    all_of,
)
from connectors.spi import (
    Ability,
    Capability,
    Health,
    Near,
    Secrets,
    SourceProtocolError,
    SourceQuery,
    SourceResult,
)

_UNIT = 1e-3  # how far a probe's length may be from 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How one relation is searched by likeness."""

    path: str
    items: str
    score: str
    dimension: int
    models: frozenset[str]
    max_k: int
    ref_param: str  # names a stored record as the probe; "" when the service cannot
    fields_param: str  # the sparse fieldset; "" when it answers whole records
    filters: Mapping[tuple[str, Op], str]  # what it can filter by, and the key that says it


class VectorConnector:
    """One vector search service."""

    def __init__(
        self,
        client: Client,
        listings: Mapping[str, Listing],
        searches: Mapping[str, Search],
        *,
        max_keys: int,
        health: str,
    ) -> None:
        self._client, self._listings, self._searches = client, listings, searches
        self._health = health
        abilities = Ability.LIMIT | Ability.SIMILAR
        if any(param.many for of in listings.values() for param in of.params):
            abilities |= Ability.BATCH
        sparse = all(of.fields_param for of in listings.values())
        if sparse and all(of.fields_param for of in searches.values()):
            abilities |= Ability.PROJECT
        least = min((of.least for of in listings.values()), default=0)
        told = {
            name: comparisons(listing.params).union(
                searches[name].filters if name in searches else ()
            )
            for name, listing in listings.items()
        }
        self._capability = Capability(
            abilities=abilities, max_keys=max_keys, min_criteria=least, told=told
        )

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        """Keys: those of `client_for` (`base_url`), `page_size` (100), `max_keys` (200),
        `health`, and the tables `relations.<name>`: as a REST relation, and a table `search`.
        """
        table = Table(config, secrets)
        client = client_for(table, "base_url")
        page_size = table.whole("page_size", 100)
        max_keys = table.whole("max_keys", 200)
        health = table.text("health", "/")
        relations = table.table("relations")
        listings: dict[str, Listing] = {}
        searches: dict[str, Search] = {}
        for name in relations.names():
            relation = relations.table(name)
            if "search" in relation:
                searches[name] = _search(relation.table("search"))
            listings[name] = listing_from(relation, page_size, 0)
        table.done()
        return cls(client, listings, searches, max_keys=max_keys, health=health)

    @property
    def capabilities(self) -> Capability:
        return self._capability

    def residual(self, query: SourceQuery) -> Condition:
        """What the service's filter, or its parameters, cannot say."""
        whole = all_of((query.guard, query.where))
        if query.relation not in self._listings:
            return whole
        if query.near is None:
            return self._listings[query.relation].pushed(query).residual
        search = self._searches.get(query.relation)
        return whole if search is None else _filtered(search, whole)[1]

    def explain(self, query: SourceQuery) -> str:
        listing = relation_of(self._listings, query, ranks=True)
        if query.near is None:
            return explain(listing, query)
        search = self._searched(query)
        said, _ = _filtered(search, all_of((query.guard, query.where)))
        body = _body(search, query, query.near, said)
        shown = [f"{key}={body[key]}" for key in ("k", search.fields_param) if key]
        hidden = [f"{key}=?" for key in body if key not in ("k", search.fields_param)]
        return " ".join((f"POST {search.path}", *hidden, *shown))

    async def fetch(self, query: SourceQuery) -> SourceResult:
        listing = relation_of(self._listings, query, ranks=True)
        if query.near is None:
            return await read(self._client, listing, query)
        search = self._searched(query)
        _refuse(search, query.near)
        if query.after is not None:
            raise SourceProtocolError("a ranking has no position to go on from")
        whole = all_of((query.guard, query.where))
        if whole == NEVER:
            return SourceResult(rows=())
        body = _body(search, query, query.near, _filtered(search, whole)[0])
        async with within(query) as deadline:
            answer = await self._client.ask("POST", search.path, deadline, body=body)
        if answer.status >= 400:
            raise SourceProtocolError(f"status {answer.status}")
        return _ranked(search, query, query.near, answer.data)

    def _searched(self, query: SourceQuery) -> Search:
        try:
            return self._searches[query.relation]
        except KeyError as error:
            raise SourceProtocolError(f"{query.relation} is not searched by likeness") from error

    async def check(self) -> Health:
        """Whether it answers at all and lets us in."""
        return await self._client.health(self._health)

    async def aclose(self) -> None:
        await self._client.aclose()


def _search(table: Table) -> Search:
    filters = {}
    for entry in table.tables("filters"):
        op = Op(entry.choice("op", [str(op) for op in Op], "eq"))
        filters[entry.text("column"), op] = entry.text("param")
        entry.done()
    path = table.text("path", "/search")
    if not path.startswith("/") or any(mark in path for mark in "?#{} \\"):
        table.wrong("path", "a path that starts with / and holds no value")
    found = Search(
        path=path,
        items=table.text("items", "items"),
        score=table.text("score", "score"),
        dimension=table.whole("dimension", 512, most=65536),
        models=frozenset(table.texts("models")),
        max_k=table.whole("max_k", 100),
        ref_param=table.text("ref_param", ""),
        fields_param=table.text("fields_param", ""),
        filters=filters,
    )
    table.done()
    return found


def _refuse(search: Search, near: Near) -> None:
    """Refuse a probe that is none before anything is sent.

    Raises:
        SourceProtocolError: its dimension, length, values, model or threshold is wrong.
    """
    if near.ref is not None:
        if near.vector or not search.ref_param:
            raise SourceProtocolError("a stored record cannot be the probe here")
    elif len(near.vector) != search.dimension:
        raise SourceProtocolError(f"a probe has {search.dimension} numbers")
    elif not all(isinstance(part, int | float) and math.isfinite(part) for part in near.vector):
        raise SourceProtocolError("a probe is of finite numbers")
    elif abs(math.hypot(*near.vector) - 1) > _UNIT:
        raise SourceProtocolError("a probe is of unit length")
    if search.models and near.model not in search.models:
        raise SourceProtocolError("a model that this source does not know")
    if not 0 <= near.min_score <= 1:  # a NaN is not either
        raise SourceProtocolError("a score is from 0 to 1")


def _filtered(search: Search, whole: Condition) -> tuple[dict[str, object], Condition]:
    """The keys that say what can be said, the guard's part first, and what is left over."""
    said: dict[str, object] = {}
    left: list[Condition] = []
    for part in whole.parts if isinstance(whole, And) else (whole,):
        name = search.filters.get((part.field, part.op)) if isinstance(part, Compare) else None
        if name is None or name in said or not isinstance(part, Compare):
            left.append(part)
            continue
        values = part.value if isinstance(part.value, tuple) else (part.value,)
        plain = [v if isinstance(v, str | int | float) else spoken(v) for v in values]
        said[name] = plain if part.op is Op.IN else plain[0]
    return said, all_of(left)


def _body(
    search: Search, query: SourceQuery, near: Near, said: Mapping[str, object]
) -> dict[str, object]:
    """The request; `said` cannot displace what makes it a search."""
    probe = {"emb": near.vector} if near.ref is None else {search.ref_param: near.ref}
    fields = {search.fields_param: _fields(query)} if search.fields_param else {}
    ranking = {"k": _k(search, query), "min_score": near.min_score, "model": near.model}
    return {**said, **fields, **probe, **ranking}


def _k(search: Search, query: SourceQuery) -> int:
    return min(search.max_k, query.limit + 1)


def _fields(query: SourceQuery) -> list[str]:
    names = (name for column in (*query.columns, query.key) for name in bare_parts(column))
    return list(dict.fromkeys(names))


def _ranked(search: Search, query: SourceQuery, near: Near, data: Any) -> SourceResult:
    """Rows best first, each with its score; a score that cannot be one makes the answer useless."""
    found = reader(search.items)(data)
    if not isinstance(found, list):
        raise SourceProtocolError("no list where there should be one")
    pick, score_of = picker(query), reader(search.score)
    scored: list[tuple[float, tuple[object, ...]]] = []
    for record in found:
        score = score_of(record)
        if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score < 1.001:
            raise SourceProtocolError("a score that is none")
        if score >= near.min_score:
            scored.append((min(1.0, float(score)), pick(record)[:-1]))
    scored.sort(key=lambda pair: -pair[0])
    return SourceResult(
        rows=tuple((*row, score) for score, row in scored[: query.limit]),
        truncated=len(scored) > query.limit or len(found) >= search.max_k <= query.limit,
    )
