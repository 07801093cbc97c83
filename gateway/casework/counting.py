"""How much each officer has asked, as each process counted it, and what supervisors added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import delete, insert, select

from gateway.casework import rows
from gateway.casework.database import Database
from gateway.casework.model import BudgetRelease, Use
from gateway.casework.tables import budget_releases, budget_uses


class Counting(Database):
    """The counts of budgets."""

    async def count(self, uses: Sequence[Use], now: datetime) -> None:
        """Keep what one process has counted; each is the whole of its part, not what is new."""
        if not uses:
            return
        held = [asdict(use) | {"written_at": now} for use in uses]
        put = self._insert(budget_uses)
        newer = {name: put.excluded[name] for name in ("used", "written_at")}
        key = [column.name for column in budget_uses.primary_key]
        async with self._writing() as connection:
            await connection.execute(
                put.on_conflict_do_update(index_elements=key, set_=newer), held
            )

    async def counted(self, writer: str, after: datetime) -> tuple[Use, ...]:
        """What other processes than `writer` have written since."""
        table = budget_uses.c
        query = select(budget_uses).where(table.writer != writer, table.written_at > after)
        return tuple(map(rows.use, await self._rows(query)))

    async def forget_counts(self, before: datetime) -> None:
        """Delete what counts no longer."""
        async with self._writing() as connection:
            await connection.execute(delete(budget_uses).where(budget_uses.c.since <= before))

    async def release_budget(self, release: BudgetRelease) -> None:
        async with self._writing() as connection:
            row = rows.flat(release, "officer", "by")
            await connection.execute(insert(budget_releases).values(row))

    async def budget_releases(self, now: datetime) -> tuple[BudgetRelease, ...]:
        """Those that stand."""
        query = select(budget_releases).where(budget_releases.c.until > now)
        return tuple(rows.budget_release(row) for row in await self._rows(query))
