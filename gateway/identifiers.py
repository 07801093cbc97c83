"""What things are known by: UUIDs of version 7 (RFC 9562, section 5.7), which are sortable by time
and not to be guessed, and keyed digests."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def uuid7(unix_ms: int, randomness: bytes) -> str:
    """The UUIDv7 of a moment. Pure; of the ten random bytes 74 bits are used.

    Raises:
        ValueError: not ten bytes, or a time that 48 bits cannot hold.
    """
    if len(randomness) != 10 or not 0 <= unix_ms < 1 << 48:
        raise ValueError("needs ten random bytes and a time of 48 bits")
    tail = int.from_bytes(randomness)
    value = unix_ms << 80 | tail
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID as we write one.

    >>> is_uuid("01a20213-155e-741f-b1cb-582ea7201b80"), is_uuid("{01a20213}")
    (True, False)
    """
    return _UUID.fullmatch(text) is not None


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    """HMAC-SHA-256 (RFC 2104) of some bytes, 32 bytes.

    The standard library's lets other threads run for each, and the event loop then waits for its
    turn: with a busy thread beside it that is ten times the digest itself.
    """
    made = HMAC(key, SHA256())
    made.update(data)
    return made.finalize()
