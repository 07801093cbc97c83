"""What happens to the policy and to the log itself, as entries of the log.

A release of the policy is in the log before anything is answered by it. What the log's own parts
tell (a term of the sequencer, witnesses that are missing) is written as soon as it can be: it is
told without waiting, kept until its entry lasts, and written once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.audit.entry import Kind, Tag
from gateway.audit.log import AuditLog
from gateway.errors import AuditUnavailable
from gateway.model import Release
from gateway.recurring import Recurring

_EVERY_S: Final = 0.5
_MOST: Final = 100  # that wait; of more the oldest is given up, and that is said
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Told:
    at: datetime
    said: Mapping[str, Any]


class Events:
    """Writes the events of one gateway, for as long as it is open."""

    def __init__(
        self,
        log: AuditLog,
        *,
        gateway: str,
        clock: Callable[[], datetime],
        new_id: Callable[[], str],
    ) -> None:
        self._audit, self._gateway, self._clock, self._new_id = log, gateway, clock, new_id
        self._waiting: deque[_Told] = deque()
        self._turns = Recurring(self._turn, every_s=_EVERY_S, name="audit events", log=_log)

    def start(self) -> None:
        self._turns.start(at_once=True)

    async def aclose(self) -> None:
        """End it; what can still be written is."""
        await self._turns.aclose()
        try:
            await self.write()
        except AuditUnavailable as error:
            _log.error("%d events are not in the log: %s", len(self._waiting), error.detail)

    async def released(self, release: Release) -> None:
        """Write, durably, which release of the policy answers from now on, or was refused since it
        is older than one that has answered.

        Raises:
            AuditUnavailable: nothing may be answered by it.
        """
        said: dict[str, Any] = {"from": release.before, "to": release.now}
        if release.refused:
            said["refused"] = True
        if release.revisions:
            said["revisions"] = list(release.revisions)
        if release.engine:
            said["engine"] = release.engine
        in_force = release.before if release.refused else release.now
        leaf = {"policy": {"serial": in_force}, "release": said}
        await self._append(Kind.POLICY, self._clock(), leaf)

    def tell(self, name: str, **said: Any) -> None:
        """That something happened to the log: `name` is what it is about."""
        if len(self._waiting) >= _MOST:
            _log.error("an event is given up that could not be written for long")
            self._waiting.popleft()
        self._waiting.append(_Told(self._clock(), {name: said}))

    async def _turn(self) -> None:
        with suppress(AuditUnavailable):  # the log says so itself; what waits has the next turn
            await self.write()

    async def write(self) -> None:
        """Write what was told and is not in the log yet, in its order.

        Raises:
            AuditUnavailable: some of it has to wait.
        """
        for term in self._audit.keeper.terms():
            self.tell("sequencing", term=term, size=self._audit.size)
        while self._waiting:
            first = self._waiting[0]
            await self._append(Kind.KEY, first.at, first.said)
            if self._waiting and self._waiting[0] is first:
                self._waiting.popleft()

    async def _append(self, kind: Kind, at: datetime, said: Mapping[str, Any]) -> None:
        leaf = {
            "kind": kind.value,
            "tag": Tag.CONSULTATION.value,
            "request_id": self._new_id(),
            "gateway": self._gateway,
            "at": at.isoformat(timespec="microseconds"),
        }
        await self._audit.append(leaf | dict(said))
