"""One log after another: a new key signs a log of a new name, which begins by naming the last one.

So a key that was stolen, or has been in use for long enough, is followed by another without a gap
that nobody could explain: the first entry of the new log holds the key, the size and the root with
which the old one ended, and whoever adds to that later contradicts it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.audit.entry import Json, Kind, Tag
from gateway.audit.log import AuditLog
from gateway.audit.reading import Source
from gateway.audit.verify import open_checkpoint
from gateway.errors import AuditUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a log ended."""

    origin: str
    key: str  # the line that verifiers read
    size: int
    root: bytes

    @classmethod
    def of(cls, source: Source, key: str) -> Ended:
        """What its last checkpoint says.

        Raises:
            NotThere: it cannot be read.
            NoteInvalid: it is not signed by this key.
        """
        said = open_checkpoint(source.checkpoint(), key)
        return cls(origin=said.origin, key=key.strip(), size=said.size, root=said.root)

    @property
    def said(self) -> Mapping[str, Any]:
        return {
            "origin": self.origin,
            "key": self.key,
            "size": self.size,
            "root": self.root.hex(),
        }


async def begin(log: AuditLog, gateway: str, before: Ended, at: datetime, id_: str) -> None:
    """Write the first entry of a log, durably and under a checkpoint.

    Raises:
        AuditUnavailable: it has begun already, or the entry does not last.
    """
    if log.size:
        raise AuditUnavailable(detail="the log has begun already")
    if before.key == log.verifier or before.origin == gateway:
        raise AuditUnavailable(detail="a new log needs a name and a key of its own")
    leaf: dict[str, Json] = {
        "kind": Kind.KEY.value,
        "tag": Tag.CONSULTATION.value,
        "request_id": id_,
        "gateway": gateway,
        "at": at.isoformat(timespec="microseconds"),
        "succeeds": before.said,
    }
    await log.inclusion(await log.number(await log.append(leaf)))
