"""Who is signed in at the pages, as the gateway itself keeps it: a browser holds only a number.

Kept is a digest of that number, and what the session is, sealed by whoever keeps it here.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, or_, select, update

from gateway.casework import rows
from gateway.casework.database import Database, changed, first_of
from gateway.casework.model import PageSession
from gateway.casework.tables import page_sessions

SEEN_EVERY: Final = timedelta(seconds=30)  # a page view in between writes nothing


class PageSessions(Database):
    """The sessions of the pages."""

    async def open_session(self, session: PageSession, idle: timedelta) -> None:
        """Keep a new one, and forget those that are over."""
        table = page_sessions.c
        over = or_(table.ends_at <= session.opened_at, table.seen_at <= session.opened_at - idle)
        async with self._writing() as connection:
            await connection.execute(delete(page_sessions).where(over))
            await connection.execute(insert(page_sessions).values(rows.flat(session)))

    async def seen_session(self, digest: str, now: datetime, idle: timedelta) -> PageSession | None:
        """One that is neither over nor idle for so long, and is seen by this."""
        table = page_sessions.c
        live = (table.digest == digest, table.ends_at > now, table.seen_at > now - idle)
        found = first_of(await self._rows(select(page_sessions).where(*live)))
        if found is None:
            return None
        session = rows.page_session(found)
        if now - session.seen_at < SEEN_EVERY:
            return session
        async with self._writing() as connection:
            seen = update(page_sessions).where(*live).values(seen_at=now)
            return session if await changed(connection, seen) else None

    async def use_session(self, digest: str, use: str) -> bool:
        """Say what it is used for; whether there is such a one."""
        async with self._writing() as connection:
            saying = update(page_sessions).where(page_sessions.c.digest == digest)
            return await changed(connection, saying.values(use=use))

    async def seal_session(self, digest: str, sealed: str) -> bool:
        """Keep this in the place of what it had sealed; whether there is such a one."""
        async with self._writing() as connection:
            sealing = update(page_sessions).where(page_sessions.c.digest == digest)
            return await changed(connection, sealing.values(sealed=sealed))

    async def end_session(self, digest: str) -> bool:
        """End it for good; whether it was there."""
        async with self._writing() as connection:
            gone = delete(page_sessions).where(page_sessions.c.digest == digest)
            return await changed(connection, gone)
