"""What keeps a log: all that `AuditLog` asks of the place where its records are.

There are two. `embedded` is files of one process; `postgresql` is a database that several gateways
share. Both make a record last before its caller goes on, give every record one number for ever,
and sign what they have; `tests/contract/test_audit_stores.py` holds both to the same promises.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.audit.entry import AuditEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """That a record lasts, and as what; `index` is None where its number is given later."""

    index: int | None
    leaf_hash: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed checkpoint: the `note`, and the size and root that it speaks of."""

    size: int
    root: bytes
    note: bytes


class Keeper(Protocol):
    """Where a log is kept. Numbers begin at 0; a size is a count of records."""

    async def put(self, entry: AuditEntry) -> Receipt:
        """Make the record last. The same leaf twice may be one record or two.

        Raises:
            AuditUnavailable: it does not last, or nobody can tell.
        """

    @property
    def healthy(self) -> bool:
        """Whether a record given now would probably last."""

    @property
    def stopped(self) -> bool:
        """Whether it takes nothing any more, until the process is started again."""

    @property
    def signed(self) -> Signed:
        """The last checkpoint, as far as this process has heard."""

    @property
    def size(self) -> int:
        """How many records have a number, as far as this process has heard."""

    def suspects(self, now: datetime) -> bool:
        """Whether a clock that says this is wrong, for all that can be told here."""

    async def number(self, receipt: Receipt) -> int:
        """The number of a record that lasts, once it has one.

        Raises:
            AuditUnavailable: it stays without.
        """

    async def in_tree(self, index: int) -> Signed:
        """A checkpoint that covers this record, once there is one.

        Raises:
            LookupError: there is no such record.
            AuditUnavailable: there will be none.
        """

    async def leaf(self, index: int) -> bytes:
        """The canonical leaf of a record, whether a checkpoint covers it or not.

        Raises:
            LookupError: there is no such record.
            AuditUnavailable: it cannot be read.
        """

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile, or, of level ENTRIES, the first entries of a bundle.

        The caller has seen a checkpoint of this log that has so many.

        Raises:
            LookupError: there are fewer.
            AuditUnavailable: they cannot be read.
        """

    async def bodies(self, index: int) -> list[bytes]:
        """What lies sealed for a record: nothing once erased, rarely more than one.

        The leaf says which of several is its own.

        Raises:
            OSError, AuditUnavailable: it cannot be read.
        """

    async def sealed(self, first: int, count: int) -> dict[int, list[bytes]]:
        """The same for each of `count` records from `first` on that has something sealed; they
        lie in one bundle, and a checkpoint covers them.

        Raises:
            OSError, AuditUnavailable: it cannot be read.
        """

    async def erase(self, indexes: Collection[int]) -> int:
        """Remove what lies sealed for these records; for how many there was anything.

        Raises:
            OSError, AuditUnavailable: some may still be there.
        """

    @property
    def leading(self) -> bool:
        """Whether it is this process that keeps the log in order; at most rarely two are."""

    def terms(self) -> list[int]:
        """The terms that began in this process and were not asked for yet: numbers of those who
        keep the log in order, one after the other. In a log of one process there are none."""

    async def ended(self) -> int:
        """Up to which record every intent is known to have ended; 0 where nobody looked.

        Raises:
            AuditUnavailable: it cannot be read.
        """

    async def have_ended(self, upto: int) -> None:
        """Keep that number, for whoever keeps the log in order next.

        Raises:
            AuditUnavailable: it is not kept.
        """

    async def witnessed(self) -> bytes | None:
        """The last witnessed checkpoint that was kept, by whichever process; None before any.

        Raises:
            AuditUnavailable: it cannot be read.
        """

    async def keep_witnessed(self, signed: Signed) -> None:
        """Keep a witnessed checkpoint, for every process of this log; it lasts when this returns.

        Raises:
            AuditUnavailable: perhaps the one before was kept.
        """

    async def aclose(self) -> None:
        """Finish what waits, then let go."""
