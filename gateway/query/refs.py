"""Opaque references and cursors: what a caller may hold, and nobody else can use.

A ref is deterministic authenticated encryption (AES-SIV, RFC 5297) of source, entity and key
under a key of the requesting agency, so that two agencies cannot swap refs to join data; nothing
is stored. A cursor is encrypted the same way, bound to who asked what, for which purpose, and until
when; a handle of a face probe is bound to its officer, and says when it was made.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PROBE_LIFE = timedelta(minutes=5)
_PROBE_HEAD = 64  # bytes for a probe's id and when it was made
_COMPACT = json.JSONEncoder(separators=(",", ":"))  # made once: an answer may hold a thousand refs
_PAD = 32  # bytes: lengths of native keys do not show
_SPACES = [b" " * (-length % _PAD) for length in range(_PAD)]


@dataclass(frozen=True, slots=True)
class Refs:
    """Seals and opens refs and cursors. `master` is 32 bytes or more of secret."""

    master: bytes

    def seal(self, agency: str, source: str, entity: str, key: str | int) -> str:
        """The ref of one record for one agency; the same each time."""
        return self.sealer(agency, source, entity)(key)

    def sealer(self, agency: str, source: str, entity: str) -> Callable[[str | int], str]:
        """`seal` for many records of one entity in one source."""
        encrypt = _cipher(self.master, f"ref:{agency}").encrypt
        head = _COMPACT.encode([source, entity])[:-1]

        def seal(key: str | int) -> str:
            written = key if type(key) is int else _COMPACT.encode(key)
            plain = f"{head},{written}]".encode()
            return _text(encrypt(plain + _SPACES[len(plain) % _PAD], None))

        return seal

    def open(self, agency: str, ref: str) -> tuple[str, str, str | int] | None:
        """(source, entity, native key), or None for anything that is not this agency's ref."""
        try:
            plain = _cipher(self.master, f"ref:{agency}").decrypt(_bytes(ref), None)
            source, entity, key = json.loads(plain)
        except (InvalidTag, ValueError, TypeError):
            return None
        return str(source), str(entity), key if isinstance(key, int) else str(key)

    def seal_cursor(self, cursor: Cursor) -> str:
        plain = json.dumps(
            {"p": dict(cursor.positions), "s": cursor.serial, "x": cursor.expires_at},
            separators=(",", ":"),
        ).encode()
        padded = plain + b" " * (-len(plain) % _PAD)
        return _text(_cipher(self.master, "cursor").encrypt(padded, [cursor.binding]))

    def open_cursor(self, text: str, binding: bytes, now: datetime) -> Cursor | None:
        """The cursor, or None if it is damaged, expired, or was issued for anything else."""
        try:
            plain = _cipher(self.master, "cursor").decrypt(_bytes(text), [binding])
            data = json.loads(plain)
        except (InvalidTag, ValueError, TypeError):
            return None
        if data["x"] < now.timestamp():
            return None
        return Cursor(positions=data["p"], serial=data["s"], expires_at=data["x"], binding=binding)

    def seal_probe(self, probe: Probe, officer: bytes) -> str:
        """A handle for one face search by one officer: the probe itself, readable to us alone."""
        head = json.dumps([probe.id, int(probe.made_at.timestamp() * 1000)]).encode()
        plain = head.ljust(_PROBE_HEAD) + struct.pack(f"<{len(probe.vector)}f", *probe.vector)
        return _text(_cipher(self.master, "probe").encrypt(plain, [officer]))

    def open_probe(self, handle: str, officer: bytes) -> Probe | None:
        """The probe, or None if the handle is damaged or another officer's."""
        try:
            plain = _cipher(self.master, "probe").decrypt(_bytes(handle), [officer])
            id_, made_ms = json.loads(plain[:_PROBE_HEAD])
        except (InvalidTag, ValueError, TypeError):
            return None
        numbers = plain[_PROBE_HEAD:]
        return Probe(
            id=str(id_),
            made_at=datetime.fromtimestamp(made_ms / 1000, UTC),
            vector=struct.unpack(f"<{len(numbers) // 4}f", numbers),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A face to look for, in the gallery's own embedding space."""

    id: str
    made_at: datetime  # to the millisecond
    vector: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where each source stands, and what the cursor is good for."""

    positions: Mapping[str, Any]  # "source/entity" -> position; absent: that source is done
    serial: int
    expires_at: int  # seconds since the epoch
    binding: bytes


def binding(*parts: str) -> bytes:
    """What ties a cursor to its question: who, why, which field, all that was asked."""
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def officer(issuer: str, id_: str, agency: str) -> bytes:
    """What ties a probe's handle to the one who may use it."""
    return binding(issuer, id_, agency)


@lru_cache(maxsize=64)
def _cipher(master: bytes, info: str) -> AESSIV:
    key = HKDF(algorithm=hashes.SHA256(), length=64, salt=None, info=info.encode()).derive(master)
    return AESSIV(key)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("not base64url") from error
    if _text(data) != text:  # bits that decoding ignores: a second spelling of the same ref
        raise ValueError("not base64url")
    return data
