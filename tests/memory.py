"""A source in memory: rows by relation, which applies every condition itself and forgets nothing
that it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from connectors.conditions import ALWAYS, Condition, all_of, holds
from connectors.spi import Ability, Capability, Health, Secrets, SourceQuery, SourceResult

Row = Mapping[str, Any]


@dataclass
class Memory:
    """Rows under their columns' names; a search by likeness ranks them by their `score`."""

    relations: Mapping[str, Sequence[Row]]
    asked: list[SourceQuery] = field(default_factory=list)

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        raise NotImplementedError

    @property
    def capabilities(self) -> Capability:
        return Capability(abilities=Ability.PROJECT | Ability.LIMIT | Ability.BATCH)

    def residual(self, query: SourceQuery) -> Condition:
        return ALWAYS

    def explain(self, query: SourceQuery) -> str:
        return query.relation

    async def fetch(self, query: SourceQuery) -> SourceResult:
        self.asked.append(query)
        whole = all_of((query.where, query.guard))
        found = [row for row in self.relations.get(query.relation, ()) if _holds(whole, row)]
        if query.near is not None:
            least, probe = query.near.min_score, query.near.ref
            found = [row for row in found if row["score"] >= least and row[query.key] != probe]
            found.sort(key=lambda row: -row["score"])
        else:
            found.sort(key=lambda row: str(row[query.key]))
            if query.after is not None:
                found = [row for row in found if str(row[query.key]) > str(query.after)]
        score = ("score",) if query.near is not None else ()
        return SourceResult(
            rows=tuple(
                tuple(row.get(column) for column in (*query.columns, *score))
                for row in found[: query.limit]
            ),
            truncated=len(found) > query.limit,
        )

    async def check(self) -> Health:
        return Health(ok=True)

    async def aclose(self) -> None:
        return None


def _holds(where: Condition, row: Row) -> bool:
    """Whether the row satisfies it: of a list of elements (`names[].family`) one has to."""
    lists = {name: held for name, held in row.items() if isinstance(held, list)}
    most = max(map(len, lists.values()), default=0)
    elements = [
        {name: held[at] if at < len(held) else None for name, held in lists.items()}
        for at in range(max(most, 1))
    ]
    return any(holds(where, {**row, **element}) for element in elements)
