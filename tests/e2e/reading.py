"""What sources hold, read through their mapping files alone: no policy, no officer, no web."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from connectors.conditions import ALWAYS, Compare, Condition, Op
from connectors.spi import Connector
from deploy.demo.stack import ROOT
from gateway.catalogue.check import connect, load_catalogue
from gateway.catalogue.mapping import Catalogue, EntityMapping
from gateway.catalogue.vocabulary import Vocabulary
from gateway.cli.demo import Demo
from gateway.model import Fetch, FetchResult, Part, Plan, Record, State
from gateway.query.derived import Moment
from gateway.query.explain import everything
from gateway.query.fanout import FanOut


class Named:
    """Secrets from a mapping."""

    def __init__(self, held: Mapping[str, str]) -> None:
        self.held = held

    def get(self, name: str) -> str:
        return self.held[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Some agencies, and the gateway's own way to them."""

    catalogue: Catalogue
    sources: Mapping[str, Connector]
    secrets: Mapping[str, str]

    async def read(
        self, source: str, entity: str, where: Condition = ALWAYS, **more: Any
    ) -> FetchResult:
        """Everything that a source has of an entity, by the canonical condition."""
        mapping = self.catalogue.mapping(source, entity)
        guard = more.pop("guard", ALWAYS)
        probe = more.pop("probe", lambda _handle: None)
        fetch = Fetch(
            id="f0",
            source=source,
            entity=entity,
            parts=tuple(_parts(mapping, self.catalogue.vocabulary)),
            where=where,
            **{"limit": 1000, **more},
        )
        agreed = everything(Plan(fetches=(fetch,)))
        grant = agreed.grants["f0"]
        own = replace(grant.own, rows=guard)
        agreed = replace(agreed, grants={"f0": replace(grant, parts={**grant.parts, "": own})})
        fan_out = FanOut(
            catalogue=self.catalogue,
            sources=self.sources,
            moment=Moment(now=datetime.now(UTC)),
            query_id="q",
            ends_at=time.monotonic() + 30,
            probe=probe,
        )
        return (await fan_out.visit(agreed))[0]["f0"]

    async def by(self, source: str, entity: str, name: str, keys: Iterable[Any]) -> list[Record]:
        found = await self.read(source, entity, Compare(name, Op.IN, tuple(keys)))
        assert found.state is State.ANSWERED, found.detail
        return list(found.records)


def _parts(mapping: EntityMapping, vocabulary: Vocabulary) -> Iterable[Part]:
    """A part for the record, for each component and for each component within one."""
    yield Part(path="", type=mapping.entity, reads=frozenset(mapping.columns))
    for name, entries in mapping.parts.items():
        reads: dict[str, set[str]] = {}
        for column in (column for entry in entries for column in entry.columns):
            inner, _, last = f"{name}.{column}".rpartition(".")
            reads.setdefault(inner, set()).add(last)
        for path in {name, *reads}:
            kind = vocabulary.field_at(mapping.entity, path).type.name
            yield Part(path=path, type=kind, reads=frozenset(reads.get(path, ())))


def wide_catalogue(*agencies: str) -> Catalogue:
    """The demonstration's, these sources with time and room for a whole world at once."""
    whole = load_catalogue(ROOT / "deploy" / "catalogue")
    wide = {
        name: replace(
            whole.sources[name],
            timeout_s=20.0,
            max_rows=2000,
            connection=MappingProxyType(
                {k: v for k, v in whole.sources[name].connection.items() if k != "rate_per_s"}
            ),
        )
        for name in agencies
    }
    return replace(whole, sources=MappingProxyType(wide))


@asynccontextmanager
async def reading(demo: Demo, *agencies: str) -> AsyncIterator[Services]:
    """The gateway's own way to these sources of a running demonstration."""
    catalogue = wide_catalogue(*agencies)
    secrets = demo.stack.secrets
    sources = connect(catalogue, Named(secrets))
    yield Services(catalogue=catalogue, sources=sources, secrets=secrets)
    for connector in sources.values():
        await connector.aclose()


@asynccontextmanager
async def altered(
    services: Services, source: str, *, timeout_s: float = 20.0, url: str = "", **connection: Any
) -> AsyncIterator[Services]:
    """The same services, one of them reached in another way."""
    held = services.catalogue.sources[source]
    other = replace(
        held,
        connection=MappingProxyType({**held.connection, **connection}),
        timeout_s=timeout_s,
    )
    secrets = dict(services.secrets)
    if url:
        name = source.upper()
        secrets |= {f"{name}_URL": url, f"{name}_TOKEN_URL": f"{url}/oauth/token"}
    catalogue = replace(services.catalogue, sources=MappingProxyType({source: other}))
    made = connect(catalogue, Named(secrets))
    yield Services(catalogue=catalogue, sources=made, secrets=secrets)
    await made[source].aclose()
