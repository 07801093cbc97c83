"""The releases that stand, in memory: no query waits for a database to learn what was released.

They are read again every second and after each of our own decisions. Where they cannot be read for
a while, nothing is released: a copy of unknown age shows nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from gateway.casework.model import Notice, Release, Told
from gateway.casework.store import Store
from gateway.model import Released, Subject
from gateway.recurring import Recurring

_EVERY_S: Final = 1.0
_STALE_S: Final = 5.0
_log = logging.getLogger(__name__)

OpenRef: TypeAlias = Callable[[str, str], tuple[str, str, str | int] | None]
"""(agency, ref) -> (source, entity, native key)"""


class Standing:
    """Who may see what by a release, and the clock of what waits for a desk."""

    def __init__(
        self,
        store: Store,
        open_ref: OpenRef,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._open_ref = open_ref
        self._clock = clock
        self._monotonic = monotonic
        self._new_id = new_id
        self._held: dict[tuple[str, str, str], tuple[Released, ...]] = {}
        self._read_at: float | None = None
        self._turns = Recurring(
            self.tick, every_s=_EVERY_S, name="releases and overdue requests", log=_log
        )

    def of(self, subject: Subject, now: datetime) -> tuple[Released, ...]:
        """What somebody may see by a release, now; nothing if that is not known."""
        if self._read_at is None or self._monotonic() - self._read_at > _STALE_S:
            return ()
        held = self._held.get((subject.issuer, subject.id, subject.agency), ())
        return tuple(one for one in held if one.until > now)

    async def used(self, released: tuple[Released, ...], now: datetime) -> None:
        """A notice to each originator's desk.

        Raises:
            CaseworkUnavailable: they cannot be told.
        """
        await self._store.tell(
            *(
                Notice(
                    id=self._new_id(),
                    at=now,
                    agency=one.agency,
                    desk=one.desk,
                    about=Told.RELEASE_USED,
                    subject=one.id,
                )
                for one in released
            )
        )

    async def refresh(self) -> None:
        """Read what stands.

        Raises:
            CaseworkUnavailable: it cannot be read; what was known counts for a few seconds more.
        """
        asked_at = self._monotonic()
        held: dict[tuple[str, str, str], list[Released]] = {}
        for release in await self._store.releases(self._clock()):
            if (opened := self._opened(release)) is not None:
                whose = (release.officer.issuer, release.officer.id, release.officer.agency)
                held.setdefault(whose, []).append(opened)
        if self._read_at is not None and asked_at < self._read_at:
            return  # a later reading was quicker: what it says has ended does not come back
        self._held = {whose: tuple(found) for whose, found in held.items()}
        self._read_at = asked_at

    def _opened(self, release: Release) -> Released | None:
        found = self._open_ref(release.officer.agency, release.ref)
        if found is None or found[:2] != (release.source, release.entity):
            _log.error("release %s names no record that can be opened", release.id)
            return None
        return Released(
            id=release.id,
            agency=release.agency,
            desk=release.desk,
            source=release.source,
            entity=release.entity,
            key=found[2],
            fields=release.fields,
            until=release.until,
            opens=release.opens,
        )

    # --- the clock ---

    async def tick(self) -> None:
        """Escalate what is overdue, and read what stands.

        Raises:
            CaseworkUnavailable: the records cannot be reached.
        """
        now = self._clock()
        if overdue := await self._store.overdue(now):
            await self._store.escalate(now, {id_: self._new_id() for id_ in overdue})
        for notice in await self._store.overdue_notices(now):
            await self._store.escalate_notice(notice, self._new_id(), now)
        await self.refresh()

    async def start(self) -> None:
        """Keep time until `aclose`.

        Raises:
            CaseworkUnavailable: the records cannot be reached.
        """
        await self.refresh()
        self._turns.start()

    async def aclose(self) -> None:
        await self._turns.aclose()
