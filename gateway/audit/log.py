"""The log of one gateway process: what the gateway writes into it and auditors read from it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway.audit.embedded import Embedded
from gateway.audit.entry import (
    ASKER,
    KEY_BYTES,
    NONCE_BYTES,
    SALT_BYTES,
    InvalidEntry,
    Json,
    Part,
    Sealing,
    entry_of,
    parts_of,
    read_leaf,
    unseal,
)
from gateway.audit.keeper import Keeper, Receipt, Signed
from gateway.audit.keys import AuditKeys, Signer
from gateway.audit.merkle import (
    SubtreeHash,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    subtree_reader,
    tile_width,
)
from gateway.audit.postgresql.database import Address
from gateway.audit.postgresql.keeper import Shared
from gateway.audit.postgresql.leader import LEASE_S
from gateway.audit.store import Disk
from gateway.errors import AuditUnavailable
from gateway.model import EMPTY

PROMISED_S: Final = 5  # a checkpoint comes within one; the rest is for a disk that hangs


@dataclass(frozen=True, slots=True, kw_only=True)
class Inclusion:
    """Evidence that a record is in the log."""

    index: int
    leaf_hash: bytes
    hashes: tuple[bytes, ...]  # from the leaf upwards
    checkpoint: bytes


def _now() -> datetime:
    return datetime.now(UTC)


def _own(keys: AuditKeys, origin: str) -> tuple[Signer, bytes]:
    """What signs the log, and the key that guards what is not signed yet."""
    try:
        return keys.signer(origin), keys.journal()
    except (OSError, ValueError) as error:
        raise AuditUnavailable(detail=f"cannot open the audit log: {error}") from error


class AuditLog:
    """The log as one gateway process writes and reads it, wherever it is kept."""

    def __init__(
        self,
        keeper: Keeper,
        keys: AuditKeys,
        signer: Signer,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        """`keeper` is open already, and closed by `aclose`."""
        self._keeper, self._keys, self._signer, self._clock = keeper, keys, signer, clock
        self._suspects = 0

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        keys: AuditKeys,
        origin: str,
        clock: Callable[[], datetime] = _now,
        idle_s: float = 60.0,
        disk: Disk | None = None,
    ) -> AuditLog:
        """The log in the files of `directory`, which this process alone writes.

        Raises:
            AuditUnavailable: in use, damaged, signed by another key or under another origin, or
                the disk does not take writes.
        """
        signer, guard = await asyncio.to_thread(_own, keys, origin)
        keeper = await Embedded.open(
            directory,
            signer=signer,
            journal_key=guard,
            clock=clock,
            idle_s=idle_s,
            disk=disk,
        )
        return cls(keeper, keys, signer, clock=clock)

    @classmethod
    async def shared(
        cls,
        url: str,
        sequencer_url: str = "",
        *,
        keys: AuditKeys,
        origin: str,
        clock: Callable[[], datetime] = _now,
        idle_s: float = 60.0,
        timeout_s: float = 0.25,
        lease_s: float = LEASE_S,
    ) -> AuditLog:
        """The log in a PostgreSQL database, which other processes write too.

        `url` is the way of the role that gives records; `sequencer_url`, if any, that of the role
        that numbers and signs them. A record that does not last within `timeout_s` is none.

        Raises:
            ConfigError: an address that is none.
            AuditUnavailable: it cannot be reached, is not fit for a log, is another log's, damaged,
                or nobody signs it.
        """
        signer, guard = await asyncio.to_thread(_own, keys, origin)
        replica = Address.of(url, "audit_url")
        sequencer = Address.of(sequencer_url, "audit_sequencer_url") if sequencer_url else None
        keeper = await Shared.open(
            replica,
            sequencer,
            signer=signer,
            key=guard,
            clock=clock,
            idle_s=idle_s,
            timeout_s=timeout_s,
            lease_s=lease_s,
        )
        return cls(keeper, keys, signer, clock=clock)

    # -- what the gateway uses ---------------------------------------------------------------

    async def append(self, leaf: Mapping[str, Json], parts: Mapping[str, Part] = EMPTY) -> Receipt:
        """Put a record into the log; it lasts when this returns.

        `leaf` is public to every auditor (see `entry.entry_of`); each of `parts` is sealed for its
        agency alone. A cancelled call may or may not leave the record.

        Raises:
            AuditUnavailable: it does not last, or nobody can tell; whatever waits for it must
                not happen.
        """
        sealed = await self._sealed(parts)
        if self._keeper.suspects(self._clock()):  # order comes from numbers, never from a clock
            leaf = {**leaf, "clock_suspect": True}
            self._suspects += 1
        try:
            entry = entry_of(leaf, sealed)
        except InvalidEntry as error:
            raise AuditUnavailable(detail=f"not a record: {error}") from error
        return await self._keeper.put(entry)

    def promised(self, receipt: Receipt, query: str) -> dict[str, Any]:
        """What is handed out for a record, signed: under a checkpoint in so many seconds, or the
        log has broken its word."""
        at = receipt.at.isoformat(timespec="milliseconds")
        return {
            "leafHash": receipt.leaf_hash.hex(),
            "at": at,
            "withinSeconds": PROMISED_S,
            "signature": self._signer.receipt(receipt.leaf_hash, query, at, PROMISED_S),
        }

    async def _sealed(self, parts: Mapping[str, Part]) -> dict[str, tuple[Any, Sealing]]:
        now = self._clock().astimezone(UTC)

        def sealed() -> dict[str, tuple[Any, Sealing]]:
            return {name: (part.detail, self._sealing(part, now)) for name, part in parts.items()}

        if all(self._keys.cached(part.agency, now) for part in parts.values()):
            return sealed()
        return await asyncio.to_thread(sealed)

    def _sealing(self, part: Part, now: datetime) -> Sealing:
        key_id, wrapping = self._keys.wrapping(part.agency, now)
        fresh = os.urandom(
            SALT_BYTES + KEY_BYTES + NONCE_BYTES
        )  # one turn for other threads, not three
        return Sealing(
            salt=fresh[:SALT_BYTES],
            data_key=fresh[SALT_BYTES:-NONCE_BYTES],
            nonce=fresh[-NONCE_BYTES:],
            key_id=key_id,
            wrapping=wrapping,
        )

    @property
    def keeper(self) -> Keeper:
        """The place where the log is kept."""
        return self._keeper

    @property
    def healthy(self) -> bool:
        """Whether a record given now would probably last."""
        return self._keeper.healthy and self._keys.healthy

    @property
    def stopped(self) -> bool:
        """Whether the log has stopped for good, until the process is started again."""
        return self._keeper.stopped

    @property
    def leading(self) -> bool:
        """Whether it is this process that keeps the log in order."""
        return self._keeper.leading

    @property
    def checkpoint(self) -> bytes:
        """The last signed checkpoint."""
        return self._keeper.signed.note

    @property
    def signed(self) -> Signed:
        """The last signed checkpoint, with what it speaks of."""
        return self._keeper.signed

    @property
    def size(self) -> int:
        """How many records have a number, as far as this process has heard."""
        return self._keeper.size

    @property
    def suspects(self) -> int:
        """How many records this process has given whose times its clock, in doubt, gave."""
        return self._suspects

    @property
    def verifier(self) -> str:
        """The public key, as `portcullis audit verify --key` reads it."""
        return self._signer.verifier

    async def aclose(self) -> None:
        """Finish what waits, then let go of the place where the log is kept."""
        await self._keeper.aclose()

    # -- what auditors use -------------------------------------------------------------------

    async def number(self, receipt: Receipt) -> int:
        """The number of a record, once it has one: at once, or with the next batch.

        Raises:
            AuditUnavailable: it stays without.
        """
        return await self._keeper.number(receipt)

    async def leaf(self, index: int) -> bytes:
        """The canonical leaf of a record.

        Raises:
            LookupError: there is no such record.
        """
        return await self._keeper.leaf(index)

    async def detail(self, index: int, name: str = ASKER) -> Any:
        """What lies sealed in one part of a record. Who may read it is the caller's to see to.

        Raises:
            LookupError: no such record, no such part, or erased.
            InvalidEntry: what is there is not what the leaf commits to.
            AuditUnavailable: the key was destroyed.
        """
        leaf = read_leaf(await self.leaf(index))
        key_id = parts_of(leaf)[name]
        await self._keeper.in_tree(index)
        bodies = await self._keeper.bodies(index)

        def opened() -> Any:
            key = self._keys.wrapping_key(key_id)
            failure: Exception = LookupError(f"record {index} has no body any more")
            for body in bodies:
                try:
                    return unseal(leaf, body, name, key)
                except InvalidEntry as error:
                    failure = error
            raise failure

        return await asyncio.to_thread(opened)

    async def inclusion(self, index: int) -> Inclusion:
        """Evidence that a record is under the present checkpoint.

        Raises:
            LookupError: there is no such record.
        """
        signed = await self._keeper.in_tree(index)
        leaf = await self._keeper.leaf(index)
        path = await self.inclusion_under(signed, index)
        return Inclusion(
            index=index, leaf_hash=leaf_hash(leaf), hashes=path, checkpoint=signed.note
        )

    async def _proof(
        self, prove: Callable[[SubtreeHash], tuple[bytes, ...]], signed: Signed
    ) -> tuple[bytes, ...]:
        """What a proof gives over the tree of a checkpoint; the few tiles that it looks into are
        fetched as it comes upon them."""
        tiles: dict[tuple[int, int], bytes] = {}
        while True:
            try:
                return prove(subtree_reader(lambda level, number: tiles[level, number]))
            except KeyError as missing:
                ((level, number),) = missing.args
                width = tile_width(signed.size, level, number)
                tiles[level, number] = await self._keeper.tile(level, number, width)

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        """The first `width` hashes of a tile, or, of level ENTRIES, the first entries of a bundle.

        The caller has seen a checkpoint of this log that has so many.

        Raises:
            LookupError: there are fewer.
            AuditUnavailable: they cannot be read.
        """
        return await self._keeper.tile(level, number, width)

    # -- what witnesses have seen ------------------------------------------------------------

    async def consistency(self, old: int, signed: Signed) -> tuple[bytes, ...]:
        """Evidence that the first `old` records are the beginning of what this checkpoint covers.

        Raises:
            ProofInvalid: it covers fewer, or the tiles do not give it.
            AuditUnavailable: they cannot be read.
        """
        return await self._proof(
            lambda subtree: consistency_proof(old, signed.size, subtree), signed
        )

    async def inclusion_under(self, signed: Signed, index: int) -> tuple[bytes, ...]:
        """The audit path of a record under this checkpoint.

        Raises:
            ProofInvalid, AuditUnavailable: as above.
        """
        return await self._proof(
            lambda subtree: inclusion_proof(index, signed.size, subtree), signed
        )

    async def witnessed(self) -> bytes | None:
        """The last witnessed checkpoint that was kept.

        Raises:
            AuditUnavailable: it cannot be read.
        """
        return await self._keeper.witnessed()

    async def keep_witnessed(self, signed: Signed) -> None:
        """Keep the last witnessed checkpoint; it lasts when this returns.

        Raises:
            AuditUnavailable: perhaps the one before was kept.
        """
        await self._keeper.keep_witnessed(signed)

    # -- what is erased ----------------------------------------------------------------------

    async def erase(self, *indexes: int) -> int:
        """Remove the sealed bodies of records; of how many there was one. Every proof stays valid.

        The caller records why and by whom (kind K) before.

        Raises:
            LookupError: there is no such record.
            OSError, AuditUnavailable: some may still be there.
        """
        if not indexes:
            return 0
        await self._keeper.in_tree(max(indexes))
        return await self._keeper.erase(indexes)
