"""Single entries read from the log: their parts, and the proofs that they are in it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.audit.entry import ASKER, KEEPER, KEEPERS, InvalidEntry, parts_of, token
from gateway.audit.found import Leaf, Proof
from gateway.audit.keeper import Signed
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import ProofInvalid, check_inclusion, leaf_hash
from gateway.audit.proof import written_proof
from gateway.audit.rulings import digest_again
from gateway.audit.verify import NoteInvalid, open_checkpoint
from gateway.errors import AuditUnavailable
from gateway.model import EMPTY

_LOOKS: Final = 50
_PAUSE_S: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What of a log is read entry by entry. Who may have it is the caller's to see to."""

    log: AuditLog
    keys: AuditKeys

    async def part(
        self, leaf: Mapping[str, Any], index: int, name: str, agency: str
    ) -> Mapping[str, Any] | None:
        """A part that was sealed for this agency; None where there is none, or it was erased.

        Raises:
            AuditUnavailable: it cannot be read.
        """
        try:
            key_id = parts_of(leaf)[name]
            if not key_id.startswith(f"{agency}/"):
                return None
            if await asyncio.to_thread(self.keys.still, key_id) is None:
                return None
            detail = await self.log.detail(index, name)
        except (LookupError, InvalidEntry):
            return None
        except OSError as error:
            raise AuditUnavailable(detail=f"a body cannot be read: {error}") from error
        return detail if isinstance(detail, Mapping) else None

    async def decided(self, leaf: Mapping[str, Any], index: int) -> bool | None:
        """Whether the decision that lies sealed is the one that its leaf has the digest of; None
        where there is none, it was erased, or the key of the digest was destroyed.

        Raises:
            AuditUnavailable: it cannot be read.
        """
        said = leaf.get("policy", EMPTY).get("decision")
        agency = str(leaf.get("who", EMPTY).get("agency", ""))
        asker = await self.part(leaf, index, ASKER, agency) if said else None
        keeper = await self.part(leaf, index, KEEPER, KEEPERS) if said else None
        if asker is None or keeper is None:
            return None
        try:
            digest = digest_again(asker, keeper)
        except (KeyError, InvalidEntry):
            return False
        keys = await asyncio.to_thread(self._keys_of, "decision")
        if any(token(key, "decision", digest) == said for key in keys.values()):
            return True
        return False if _quarter(leaf) in keys else None

    async def leaf(self, index: int, data: bytes, *, shown: bool, proof: bool) -> Leaf:
        """An entry, with its content if that may be shown and its proof if that is wanted.

        Raises:
            AuditUnavailable, ProofInvalid: the log cannot be read, or is damaged.
        """
        seen = data if shown else None
        made = None
        if proof:
            made = await self._proof(index, data, seen)
            _check(made)
        return Leaf(index=index, hash=leaf_hash(data).hex(), data=seen, proof=made)

    async def doubted(self, index: int, data: bytes, *, shown: bool) -> Leaf:
        """The same, of an entry that may be damaged: it is given as it is, and says so.

        Raises:
            AuditUnavailable: the log cannot be read.
        """
        seen = data if shown else None
        made = None
        try:
            made = await self._proof(index, data, seen)
            _check(made)
            damaged = False
        except (ProofInvalid, LookupError, ValueError):  # a tile that is another, or is cut short
            damaged = True
        return Leaf(index=index, hash=leaf_hash(data).hex(), data=seen, proof=made, damaged=damaged)

    async def witnessed(self) -> Signed | None:
        """The last checkpoint that enough witnesses signed; None where none was kept."""
        note = await self.log.witnessed()
        try:
            said = open_checkpoint(note or b"", self.log.verifier)
        except NoteInvalid:
            return None
        return Signed(size=said.size, root=said.root, note=note or b"")

    async def awaited(self, index: int) -> None:
        """Give the witnesses some seconds to sign what has this entry, if there are any."""
        for _ in range(_LOOKS):
            signed = await self.witnessed()
            if signed is None or signed.size > index:
                return
            await asyncio.sleep(_PAUSE_S)

    def _keys_of(self, name: str) -> dict[str, bytes]:
        return {period: self.keys.token_key(name, period) for period in self.keys.periods(name)}

    async def _proof(self, index: int, data: bytes, shown: bytes | None) -> Proof:
        """Under what witnesses have signed, where that has the entry already; not checked."""
        signed = await self.witnessed()
        if signed is None or signed.size <= index:
            signed = await self.log.keeper.in_tree(index)
        path = await self.log.inclusion_under(signed, index)
        return Proof(
            index=index,
            leaf_hash=leaf_hash(data).hex(),
            hashes=tuple(one.hex() for one in path),
            size=signed.size,
            root=signed.root.hex(),
            checkpoint=signed.note.decode(),
            text=written_proof(index, path, signed.note, shown),
        )


def _quarter(leaf: Mapping[str, Any]) -> str:
    year, _, rest = str(leaf.get("at", "")).partition("-")
    return f"{year}-Q{(int(rest[:2]) + 2) // 3}" if rest[:2].isdigit() else ""


def _check(proof: Proof) -> None:
    """Raises ProofInvalid: it does not show that the entry is there."""
    path = [bytes.fromhex(one) for one in proof.hashes]
    leaf, root = bytes.fromhex(proof.leaf_hash), bytes.fromhex(proof.root)
    check_inclusion(leaf, proof.index, proof.size, path, root)
