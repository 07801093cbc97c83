"""A REST service: JSON over HTTP, read by GET, parameters for what it can filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from connectors._config import Table
from connectors._http import Client, client_for
from connectors._listing import Listing, explain, listing_from, read, relation_of
from connectors._push import comparisons
from connectors.conditions import Condition, all_of
from connectors.spi import (
    Ability,
    Capability,
    Health,
    Secrets,
    SourceQuery,
    SourceResult,
)


class RestConnector:
    """One REST service, its rate shared by every query."""

    def __init__(
        self, client: Client, relations: Mapping[str, Listing], *, max_keys: int, health: str
    ) -> None:
        self._client, self._relations, self._health = client, relations, health
        listings = relations.values()
        abilities = (
            Ability.BATCH if any(p.many for of in listings for p in of.params) else (Ability(0))
        )
        if all(listing.fields_param for listing in listings):
            abilities |= Ability.PROJECT
        if all(listing.limit_param or listing.next for listing in listings):
            abilities |= Ability.LIMIT
        least = min((of.least for of in listings), default=0)
        told = {name: comparisons(listing.params) for name, listing in relations.items()}
        self._capability = Capability(
            abilities=abilities, max_keys=max_keys, min_criteria=least, told=told
        )

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        """Keys: those of `client_for` (`base_url`), `page_size` (50), `min_criteria` (0),
        `max_keys` (200), `health` (a path to try), and the tables `relations.<name>`.
        """
        table = Table(config, secrets)
        client = client_for(table, "base_url")
        page_size = table.whole("page_size", 50)
        min_criteria = table.whole("min_criteria", 0, least=0)
        max_keys = table.whole("max_keys", 200)
        health = table.text("health", "/")
        relations = table.table("relations")
        found = {
            name: listing_from(relations.table(name), page_size, min_criteria)
            for name in relations.names()
        }
        table.done()
        return cls(client, found, max_keys=max_keys, health=health)

    @property
    def capabilities(self) -> Capability:
        """`min_criteria` is the least that any relation answers to."""
        return self._capability

    def residual(self, query: SourceQuery) -> Condition:
        """What no parameter says; everything, when the service would refuse to answer."""
        if query.relation not in self._relations:
            return all_of((query.where, query.guard))
        return self._relations[query.relation].pushed(query).residual

    def explain(self, query: SourceQuery) -> str:
        return explain(relation_of(self._relations, query), query)

    async def fetch(self, query: SourceQuery) -> SourceResult:
        return await read(self._client, relation_of(self._relations, query), query)

    async def check(self) -> Health:
        """Whether it answers at all and lets us in; it cannot describe its records."""
        return await self._client.health(self._health)

    async def aclose(self) -> None:
        await self._client.aclose()
