"""What the log itself says of erasing: what was asked for, agreed to, held and done. Never a copy.

Entries of kind K say it, in the order that everybody sees, so whether a hold stood before an
erasure is one question with one answer, for every gateway and after any restart; and nobody drops
a hold without the log showing it. Reading them goes through every entry once, and then through
what is new.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from gateway.audit.entry import InvalidEntry, Kind, parts_of, read_leaf
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ENTRIES, TILE_WIDTH
from gateway.audit.store import unpack
from gateway.errors import AuditUnavailable

_K: Final = b'"kind":"K"'  # as canonical JSON spells it


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is erased: one record's body, what one agency may read of a month, or by what records
    of a quarter are found. One of them."""

    record: int | None = None
    month: str | None = None  # "NMC/2026-03"
    tokens: str | None = None  # "actor/2026-Q1"

    @property
    def said(self) -> dict[str, Any]:
        given = {"record": self.record, "month": self.month, "tokens": self.tokens}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Somebody asked for it; it is to be done once somebody else has agreed."""

    id: str
    target: Target
    code: str
    agency: str  # of who asked
    by: str  # who asked: the token of the entry
    at: datetime
    agreed: int | None = None  # the entry by which somebody else did


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Somebody asked that a hold is lifted; it is once somebody else has agreed."""

    code: str
    agency: str  # of who asked
    by: str  # who asked: the token of the entry
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What nobody may erase while it stands."""

    id: str
    scope: Mapping[str, Any]
    code: str
    agency: str  # of who placed it
    by: str
    at: datetime
    placed: int
    lift: Lift | None = None  # the last that was asked for
    lifted: int | None = None
    marks: tuple[bytes, ...] = ()  # one of them stands in the leaf of every record it is about

    def stands(self, before: int | None) -> bool:
        """Whether it stood when the entry of this number was written; None: whether it does."""
        if before is None:
            return self.lifted is None
        return self.placed < before and (self.lifted is None or self.lifted > before)

    def covers(self, index: int, leaf: bytes) -> bool:
        """Whether this record is one of those that it is about."""
        if (span := self.scope.get("records")) is not None:
            first, last = span
            return bool(first <= index <= last)
        return any(mark in leaf for mark in self.marks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of the retention job."""

    index: int
    at: datetime
    table: str  # a digest of the rules it went by
    upto: Mapping[str, int]  # what earlier runs had seen to, by months


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is under a hold: the keys, and the quarters, of the records that it is about."""

    months: frozenset[str] = frozenset()
    quarters: frozenset[str] = frozenset()


@dataclass(slots=True)
class Ledger:
    """What the entries of kind K say, as far as they were read. `catch_up` first."""

    log: AuditLog
    erasures: dict[str, Erasure] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    last_run: Run | None = None
    keys_made: set[str] = field(default_factory=set)
    keys_gone: set[str] = field(default_factory=set)
    _upto: int = 0
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def catch_up(self, index: int | None = None) -> None:
        """Read what a checkpoint covers by now, this entry among it.

        Raises:
            AuditUnavailable: it cannot be read, so nothing may be erased.
        """
        if index is not None:
            await self.log.keeper.in_tree(index)
        async with self._one_at_a_time:
            size = self.log.signed.size
            async for at, leaf in entries(self.log, self._upto, size):
                if _K in leaf:
                    self._take(at, leaf)
                self._upto = at + 1

    def standing(self, before: int | None = None) -> list[Hold]:
        """The holds that stand, or stood before an entry."""
        return [hold for hold in self.holds.values() if hold.stands(before)]

    async def held(self, target: Target, before: int | None = None) -> Hold | None:
        """A hold that keeps this from being erased, if there is one.

        Raises:
            LookupError: there is no such record.
            AuditUnavailable: it cannot be read.
        """
        if not (holds := self.standing(before)):
            return None
        if target.record is not None:
            leaf = await self.log.leaf(target.record)
            return next((hold for hold in holds if hold.covers(target.record, leaf)), None)
        for hold in holds:
            kept = await self.kept([hold])
            if target.month in kept.months:
                return hold
            if target.tokens is not None and target.tokens.partition("/")[2] in kept.quarters:
                return hold
        return None

    async def kept(self, holds: list[Hold]) -> Kept:
        """The keys and quarters of all that these are about; goes through the whole log.

        Raises:
            AuditUnavailable: it cannot be read.
        """
        months = {str(hold.scope["month"]) for hold in holds if "month" in hold.scope}
        quarters = {quarter_of(month.partition("/")[2]) for month in months}
        if holds:
            async for index, data in entries(self.log, 0, self.log.signed.size):
                if any(hold.covers(index, data) for hold in holds):
                    leaf = _read(data)
                    months.update(parts_of(leaf).values())
                    quarters.add(quarter_of(str(leaf.get("at", ""))[:7]))
        return Kept(months=frozenset(months), quarters=frozenset(quarters))

    def _take(self, index: int, data: bytes) -> None:
        leaf = _read(data)
        if leaf.get("kind") != Kind.KEY:
            return
        try:
            if (erasure := leaf.get("erasure")) is not None:
                self._take_erasure(index, leaf, erasure)
            elif (hold := leaf.get("hold")) is not None:
                self._take_hold(index, leaf, hold)
            elif (run := leaf.get("retained")) is not None:
                upto = {str(months): int(at) for months, at in run["upto"].items()}
                at, table = datetime.fromisoformat(leaf["at"]), str(run["table"])
                self.last_run = Run(index=index, at=at, table=table, upto=upto)
                self.keys_gone.update(*([f"month/{one}" for one in run["months"]],
                                        [f"token/{one}" for one in run["tokens"]]))  # fmt: skip
            elif (keys := leaf.get("keys")) is not None:
                self.keys_made.update(map(str, keys.get("made", ())))
                self.keys_gone.update(map(str, keys.get("missing", ())))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # read wrongly it might be a hold that is passed over
            raise AuditUnavailable(detail=f"entry {index}, of kind K, cannot be read") from error

    def _take_erasure(self, index: int, leaf: Mapping[str, Any], said: Mapping[str, Any]) -> None:
        id_ = str(said["id"])
        if said["step"] == "asked":
            self.erasures[id_] = Erasure(
                id=id_,
                target=Target(**said["what"]),
                code=str(said["code"]),
                agency=str(leaf["who"]["agency"]),
                by=str(leaf["who"]["actor"]),
                at=datetime.fromisoformat(leaf["at"]),
            )
        elif (asked := self.erasures.get(id_)) is not None and asked.agreed is None:
            self.erasures[id_] = replace(asked, agreed=index)

    def _take_hold(self, index: int, leaf: Mapping[str, Any], said: Mapping[str, Any]) -> None:
        id_ = str(said["id"])
        if said["step"] == "placed":
            self.holds[id_] = Hold(
                id=id_,
                scope=dict(said["scope"]),
                code=str(said["code"]),
                agency=str(leaf["who"]["agency"]),
                by=str(leaf["who"]["actor"]),
                at=datetime.fromisoformat(leaf["at"]),
                placed=index,
                marks=tuple(_marks(said["scope"])),
            )
        elif (placed := self.holds.get(id_)) is None or placed.lifted is not None:
            return
        elif said["step"] == "lift_asked":
            lift = Lift(
                code=str(said["code"]),
                agency=str(leaf["who"]["agency"]),
                by=str(leaf["who"]["actor"]),
                at=datetime.fromisoformat(leaf["at"]),
            )
            self.holds[id_] = replace(placed, lift=lift)
        elif said["step"] == "lifted":  # before two were needed, by one and without approvers
            if len(set(said.get("approvers", ("one", "alone")))) < 2:
                raise ValueError("a hold is lifted by two")
            self.holds[id_] = replace(placed, lifted=index)
        else:
            raise ValueError("a step that is not known")


def _marks(scope: Mapping[str, Any]) -> Iterator[bytes]:
    """What stands in a leaf as canonical JSON spells it: identifiers that are unique."""
    for name, value in scope.items():
        match name:
            case "request":
                yield f'"request_id":"{value}"'.encode()
            case "month":
                yield f'"{value}"'.encode()
            case "actor" | "case":
                yield from (f'"{token}"'.encode() for token in value)
            case "records":
                return
            case _:
                raise ValueError("a scope that is not known")


async def entries(log: AuditLog, start: int, end: int) -> AsyncIterator[tuple[int, bytes]]:
    """The entries [start, end) and their numbers; whoever else waits has their turn in between.

    Raises:
        AuditUnavailable: they cannot be read.
    """
    for number in range(start // TILE_WIDTH, (end + TILE_WIDTH - 1) // TILE_WIDTH):
        first = number * TILE_WIDTH
        width = min(TILE_WIDTH, end - first)
        try:
            bundle = unpack(await log.keeper.tile(ENTRIES, number, width))
        except LookupError as error:
            raise AuditUnavailable(detail=f"the log cannot be read: {error}") from error
        for index, leaf in enumerate(bundle, first):
            if index >= start:
                yield index, leaf
        await asyncio.sleep(0)


def quarter_of(month: str) -> str:
    """ "2026-Q1" of "2026-03"; "" of what is no month."""
    year, _, number = month.partition("-")
    return f"{year}-Q{(int(number) + 2) // 3}" if number.isdigit() else ""


def _read(leaf: bytes) -> dict[str, Any]:
    try:
        return read_leaf(leaf)
    except InvalidEntry as error:
        raise AuditUnavailable(detail=f"the log cannot be read: {error}") from error
