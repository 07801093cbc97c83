"""How each witness is doing, and which of them have signed a checkpoint so far."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.audit.keeper import Signed
from gateway.audit.submission import Contradicted, Submitter, WitnessFailed

_PAUSE_S: Final = (1.0, 10.0)  # for how long a witness that failed is left alone: first, at most

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Contact:
    """One witness, and how it is doing."""

    submitter: Submitter
    busy: bool = False
    answering: bool = False
    contradicted: bool = False
    beyond: int = 0  # the size that speaks against us, if it is only that
    accused: bool = False  # whether that it contradicts us was told, since it signed last
    said: str = ""  # why it did not sign, when last asked
    offered: bytes = b""  # the checkpoint that it was asked for last
    pause_s: float = 0.0
    not_before: float = 0.0  # monotonic

    def signed(self) -> None:
        if self.said:
            _log.warning("witness %s signs again", self.submitter.name)
        self.answering, self.contradicted, self.said, self.pause_s = True, False, "", 0.0
        self.accused = False

    def failed(self, error: WitnessFailed, now: float, *, late: bool) -> bool:
        """It did not sign. That it has seen more says nothing yet if another gateway signs, and we
        hear of it late. True if it contradicts us, for the first time since it signed."""
        self.contradicted = isinstance(error, Contradicted)
        self.beyond = error.beyond if isinstance(error, Contradicted) else 0
        excused = late and self.beyond
        if str(error) != self.said and not excused:
            level = logging.CRITICAL if self.contradicted else logging.ERROR
            _log.log(level, "witness %s does not sign: %s", self.submitter.name, error)
        first, most = _PAUSE_S
        self.pause_s = min(most, self.pause_s * 2 or first)
        self.answering, self.said, self.offered = False, str(error), b""
        self.not_before = now + self.pause_s
        accuses = self.contradicted and not excused and not self.accused
        self.accused = self.accused or accuses
        return accuses


@dataclass(slots=True, kw_only=True)
class Collected:
    """A checkpoint, and who has signed it so far."""

    head: Signed
    signed_at: datetime
    lines: dict[str, bytes] = field(default_factory=dict)

    @property
    def witnessed(self) -> Witnessed:
        names = tuple(sorted(self.lines))
        note = self.head.note + b"".join(self.lines[name] for name in names)
        head = Signed(size=self.head.size, root=self.head.root, note=note)
        return Witnessed(head=head, signed_at=self.signed_at, signers=names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """A checkpoint that enough have signed, their signatures in its note."""

    head: Signed
    signed_at: datetime
    signers: tuple[str, ...]

    @property
    def size(self) -> int:
        return self.head.size

    def of(self, note: bytes) -> bool:
        """Whether it is this checkpoint of the log that they signed."""
        return self.head.note.startswith(note)
