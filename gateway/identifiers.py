"""UUIDs of version 7 (RFC 9562, section 5.7): sortable by time, and not to be guessed."""

from __future__ import annotations

from uuid import UUID


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
