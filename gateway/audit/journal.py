"""What was acknowledged since the last checkpoint: one file, one sync for each group of records.

Making tiles and a checkpoint durable takes many syncs, and a query waits for its record twice. So
records are first appended here, which acknowledges them, and reach the tree soon after; then the
file is emptied. After a crash the writer puts into the tree what stands here and not yet there.

A group is `first | count | length | records | HMAC-SHA256`, whole numbers big-endian in 8, 4 and 4
bytes; a record is its leaf and its body, each behind its length in 4 bytes (all ones: no body). The
HMAC is there because what stands here will be signed: whoever can write files but has no key must
not be able to add a record. A last group that was torn by a crash was never acknowledged.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.audit.entry import AuditEntry
from gateway.audit.store import Disk
from gateway.errors import AuditUnavailable

_HEAD = struct.Struct(">QII")
_LENGTH = struct.Struct(">I")
_MAC_BYTES = 32
_NO_BODY = 0xFFFF_FFFF


class Journal:
    """The journal of one log. Blocking; one thread at a time."""

    def __init__(self, path: Path, key: bytes, *, disk: Disk | None = None) -> None:
        """Open it, making it if need be.

        Raises:
            OSError: the disk does not take writes.
        """
        self._path, self._key, self._disk = path, key, disk or Disk()
        if not path.exists():
            self._disk.write(path, b"", 0o640)
            self._disk.sync(path.parent)
        self._length = path.stat().st_size
        self._in_doubt = False  # whether more stands there than was acknowledged

    def append(self, first: int, entries: Sequence[AuditEntry]) -> None:
        """Make the records `first`, `first + 1`, … last.

        Raises:
            OSError: nobody may count on them; what was written of them is cut off before others
                are, so that at most the next start finds them.
        """
        records = b"".join(map(_packed, entries))
        group = _HEAD.pack(first, len(entries), len(records)) + records
        group += hmac.digest(self._key, group, "sha256")
        if self._in_doubt:
            self._disk.cut(self._path, self._length)
        self._in_doubt = True
        self._disk.extend(self._path, group, self._length)
        self._in_doubt = False
        self._length += len(group)

    def clear(self) -> None:
        """Forget everything: a checkpoint speaks of it now.

        Raises:
            OSError: it may still be there, which does no harm but lasts longer than it need.
        """
        if self._length or self._in_doubt:
            self._disk.cut(self._path, 0)
            self._length, self._in_doubt = 0, False

    def after(self, size: int) -> list[AuditEntry]:
        """The records from number `size` on.

        Raises:
            AuditUnavailable: what is there does not continue a log of this size.
        """
        found: list[AuditEntry] = []
        for first, entries in self._groups():
            expected = size + len(found)
            if first + len(entries) <= size:
                continue
            if first != expected:
                detail = f"the journal goes on at {first}, the log ends at {expected}"
                raise AuditUnavailable(detail=detail)
            found.extend(entries)
        return found

    def _groups(self) -> Iterator[tuple[int, list[AuditEntry]]]:
        data, at = self._path.read_bytes(), 0
        while at + _HEAD.size <= len(data):
            first, count, length = _HEAD.unpack_from(data, at)
            end = at + _HEAD.size + length
            mac = data[end : end + _MAC_BYTES]
            if not hmac.compare_digest(hmac.digest(self._key, data[at:end], "sha256"), mac):
                return
            records = list(_unpacked(data[at + _HEAD.size : end]))
            if len(records) != count:
                raise AuditUnavailable(detail="the journal holds a group of another length")
            yield first, records
            at = end + _MAC_BYTES


def _packed(entry: AuditEntry) -> bytes:
    body = entry.body
    return b"".join(
        (
            _LENGTH.pack(len(entry.leaf)),
            entry.leaf,
            _LENGTH.pack(_NO_BODY if body is None else len(body)),
            body or b"",
        )
    )


def _unpacked(data: bytes) -> Iterator[AuditEntry]:
    at = 0

    def taken(length: int) -> bytes:
        nonlocal at
        at += length
        return data[at - length : at]

    while at < len(data):
        leaf = taken(*_LENGTH.unpack(taken(4)))
        (length,) = _LENGTH.unpack(taken(4))
        yield AuditEntry(leaf=leaf, body=None if length == _NO_BODY else taken(length))
