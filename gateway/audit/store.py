"""The log's files: a directory that is itself a tlog-tiles log, and the sealed bodies beside it.

    checkpoint            the signed size and root; replaced, never edited
    witnessed             the last one that enough witnesses signed, with their signatures
    tile/entries/N[.p/W]  256 entries, each behind its length (16 bits, big-endian)
    tile/L/N[.p/W]        256 hashes
    sealed/N/FFF          bodies of one commit: lines `{"body": …, "index": …}`; erasable
    journal               records that last and are in no tile yet (`journal.py`)
    ended                 up to which record every intent has its outcome (`reconciler.py`)
    lock                  held by the one process that writes

Files are written once, never edited. What a checkpoint speaks of is durable before that checkpoint
is renamed over the last one, so after a crash the log is the old one or the new one. Blocking
calls; the sequencer makes them off the event loop.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from gateway.audit.merkle import ENTRIES, TILE_WIDTH, levels, tile_path, tile_width
from gateway.errors import AuditUnavailable

CHECKPOINT = "checkpoint"
WITNESSED = "witnessed"
_TEMPORARY = ".new"
_KNOWN = 1_000  # folders that need not be made
_LINE = re.compile(rb'\{"body":(.*),"index":([0-9]{1,19})\}')


class SwapUnknown(Exception):
    """The checkpoint may or may not have been replaced for good; nobody must write any more."""


class Disk:
    """The steps by which something becomes durable, one call each, so that each can fail."""

    def write(self, path: Path, data: bytes, mode: int) -> None:
        """Create or empty the file and write all of it; not durable yet."""
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(handle, view) :]
        finally:
            os.close(handle)

    def sync(self, path: Path) -> None:
        """Wait until the file, or the names in the directory, are on the disk."""
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def rename(self, source: Path, target: Path) -> None:
        """Give the file its name at once, replacing what had it."""
        source.replace(target)

    def extend(self, path: Path, data: bytes, at: int) -> None:
        """Write the data from this place of the file on, and wait until it is on the disk."""
        handle = os.open(path, os.O_WRONLY)
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(handle, view, at)
                view, at = view[written:], at + written
            os.fdatasync(handle)
        finally:
            os.close(handle)

    def cut(self, path: Path, length: int) -> None:
        """Shorten the file, and wait until that is on the disk."""
        handle = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(handle, length)
            os.fsync(handle)
        finally:
            os.close(handle)

    def mkdir(self, path: Path) -> None:
        """Make one directory."""
        path.mkdir(mode=0o750)


class Beside:
    """What lies beside a log in files: the last checkpoint that witnesses signed."""

    def __init__(self, directory: Path, *, disk: Disk | None = None) -> None:
        self._root = directory
        self._disk = disk or Disk()

    def witnessed(self) -> bytes | None:
        """The last witnessed checkpoint, or None."""
        try:
            return (self._root / WITNESSED).read_bytes()
        except FileNotFoundError:
            return None

    def keep_witnessed(self, note: bytes) -> None:
        """Replace the last witnessed checkpoint; it is on the disk when this returns.

        Raises:
            OSError: it is that, or the one before.
        """
        self._root.mkdir(mode=0o750, parents=True, exist_ok=True)
        draft = self._root / (WITNESSED + _TEMPORARY)
        self._disk.write(draft, note, 0o640)
        self._disk.sync(draft)
        self._disk.rename(draft, self._root / WITNESSED)
        self._disk.sync(self._root)


class Store:
    """Files under one directory, for one process at a time."""

    def __init__(self, directory: Path, *, disk: Disk | None = None) -> None:
        """Take the directory, making it if need be, and its lock.

        Raises:
            AuditUnavailable: another process has it, or it cannot be used.
        """
        self._root = directory
        self.disk = disk or Disk()
        self._known: set[Path] = set()
        self._erasing = threading.Lock()
        try:
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o640)
        except OSError as error:
            raise AuditUnavailable(detail=f"cannot use {directory}: {error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            detail = f"another process is writing the audit log in {directory}"
            raise AuditUnavailable(detail=detail) from error

    @property
    def root(self) -> Path:
        """The directory."""
        return self._root

    def close(self) -> None:
        """Let go of the lock; nothing may be written after it."""
        os.close(self._lock)

    # -- reading -----------------------------------------------------------------------------

    def checkpoint(self) -> bytes | None:
        """The signed checkpoint, or None in an empty directory."""
        try:
            return (self._root / CHECKPOINT).read_bytes()
        except FileNotFoundError:
            return None

    def has_tiles(self) -> bool:
        """Whether anything was ever written below `tile/`."""
        return (self._root / "tile").exists()

    def tile(self, level: int, number: int, size: int) -> bytes:
        """Tile (level, number) as the checkpoint of this size has it."""
        width = tile_width(size, level, number)
        return (self._root / tile_path(level, number, width)).read_bytes() if width else b""

    def bundle(self, number: int, size: int) -> list[bytes]:
        """The entries of bundle `number` as the checkpoint of this size has them.

        Raises:
            AuditUnavailable: the file is not what was written.
        """
        width = tile_width(size, 0, number)
        path = self._root / tile_path(ENTRIES, number, width)
        entries = unpack(path.read_bytes()) if width else []
        if len(entries) != width:
            raise AuditUnavailable(detail=f"{path} does not hold {width} entries")
        return entries

    def body(self, index: int) -> list[bytes]:
        """What lies sealed for this entry: nothing once erased, rarely more than one.

        More than one only when a commit failed after its bodies were written and their number was
        given again; the leaf's `sha256` says which is the entry's own.
        """
        return [
            json.dumps(line["body"], separators=(",", ":"), sort_keys=True).encode()
            for segment in self._segments(index)
            for line in _lines(segment)
            if line["index"] == index
        ]

    def sealed(self, first: int, count: int) -> dict[int, list[bytes]]:
        """The same for each of `count` entries of one bundle, as their lines hold it.

        Raises:
            OSError: it cannot be read.
        """
        found: dict[int, list[bytes]] = {}
        for segment in self._segments(first + count - 1):
            try:
                lines = segment.read_bytes().split(b"\n")
            except FileNotFoundError:  # all of it was erased meanwhile
                continue
            for line in filter(None, map(_LINE.fullmatch, lines)):
                if first <= (index := int(line[2])) < first + count:
                    found.setdefault(index, []).append(line[1])
        return found

    def _segments(self, index: int) -> list[Path]:
        """The files that may hold the body of this entry: those of its 256 that begin before it."""
        folder = self._segment(index).parent
        if not folder.is_dir():
            return []
        names = (path for path in sorted(folder.iterdir()) if path.suffix != _TEMPORARY)
        return [path for path in names if int(path.name) <= index % TILE_WIDTH]

    def _segment(self, index: int) -> Path:
        folder = tile_path("", index // TILE_WIDTH).removeprefix("tile//")
        return self._root / "sealed" / folder / f"{index % TILE_WIDTH:03d}"

    # -- writing -----------------------------------------------------------------------------

    def commit(self, files: Mapping[str, bytes], old: bytes | None, new: bytes) -> None:
        """Make these files durable and then, if the checkpoint is still `old`, replace it by `new`.

        The files get their own names at once: no checkpoint speaks of them yet, so a torn one is
        harmless, and everything before the swap shares one group of syncs. Only the checkpoint is
        renamed into its place. All is durable when this returns.

        Raises:
            OSError: the checkpoint is not replaced, for certain; the files are removed again.
            SwapUnknown: it is somebody else's, or nobody can tell whether the new one will last.
        """
        staged = self._root / (CHECKPOINT + _TEMPORARY)
        try:
            self.stage({**files, staged.name: new})
            if self.checkpoint() != old:
                raise SwapUnknown("the checkpoint is not the one that this process wrote")
            self._swap(staged, old)
        except OSError:
            self._known.clear()  # perhaps somebody removed a folder
            self._forget(staged)  # on a full disk its space is what the next attempt needs
            self.drop(list(files))
            raise

    def stage(self, files: Mapping[str, bytes]) -> None:
        """Make files durable that no checkpoint speaks of yet.

        Raises:
            OSError: some of them may not be.
        """
        paths = [self._root / name for name in files]
        for path, data in zip(paths, files.values(), strict=True):
            self._make_folder(path.parent)
            self.disk.write(path, data, 0o640)
        for path in paths:
            self.disk.sync(path)
        for folder in dict.fromkeys(path.parent for path in paths):
            self.disk.sync(folder)

    def _swap(self, staged: Path, old: bytes | None) -> None:
        try:
            self.disk.rename(staged, self._root / CHECKPOINT)
        except OSError as error:
            if self._still(old):
                raise
            raise SwapUnknown("the checkpoint changed though renaming failed") from error
        try:
            self.disk.sync(self._root)
        except OSError as error:
            raise SwapUnknown("the new checkpoint may not be durable") from error

    def _still(self, old: bytes | None) -> bool:
        try:
            return self.checkpoint() == old
        except OSError:
            return False

    def _make_folder(self, folder: Path) -> None:
        """Make the folder durable: a name is safe only once its parent is synced."""
        if folder in self._known or folder == self._root:
            return
        if len(self._known) > _KNOWN:
            self._known.clear()  # of a long log most are never needed again
        self._make_folder(folder.parent)
        with contextlib.suppress(FileExistsError):
            self.disk.mkdir(folder)
        self.disk.sync(folder.parent)
        self._known.add(folder)

    def bodies(self, first: int, bodies: Sequence[bytes | None]) -> dict[str, bytes]:
        """The files for the bodies of the entries first, first + 1, ...; one per 256 entries."""
        files: dict[str, bytes] = {}
        names: dict[int, str] = {}
        for index, body in enumerate(bodies, first):
            if body is not None:
                group = index // TILE_WIDTH
                segment = self._segment(index).relative_to(self._root)
                name = names.setdefault(group, str(segment))
                line = b'{"body":%b,"index":%d}\n' % (body, index)
                files[name] = files.get(name, b"") + line
        return files

    def erase_bodies(self, indexes: Collection[int]) -> int:
        """Remove the sealed bodies of these entries; of how many there was one. The tree is not
        touched. Erasures of several threads follow one another: each writes a segment anew from
        what it read, and would put back what another took out.

        Raises:
            OSError: some may still be there.
        """
        groups: dict[int, set[int]] = {}
        for index in indexes:
            groups.setdefault(index // TILE_WIDTH, set()).add(index)
        with self._erasing:
            return sum(map(len, map(self._erase_in_group, groups.values())))

    def _erase_in_group(self, indexes: set[int]) -> set[int]:
        """Of which of these, all of one 256, there was a body."""
        found: set[int] = set()
        for segment in self._segments(max(indexes)):
            lines = segment.read_bytes().splitlines(keepends=True)
            there = [json.loads(line)["index"] for line in lines]
            gone = indexes.intersection(there)
            if not gone:
                continue
            found |= gone
            kept = [line for line, index in zip(lines, there, strict=True) if index not in gone]
            temporary = segment.with_name(segment.name + _TEMPORARY)
            if kept:
                self.disk.write(temporary, b"".join(kept), 0o640)
                self.disk.sync(temporary)
                self.disk.rename(temporary, segment)
            else:
                self._forget(temporary)
                segment.unlink()
            self.disk.sync(segment.parent)
        return found

    # -- clearing ----------------------------------------------------------------------------

    def drop(self, names: Sequence[str]) -> None:
        """Remove files that no checkpoint needs; best effort, for they do no harm."""
        for name in names:
            path = self._root / name
            self._forget(path)
            if path.parent.suffix == ".p":
                with contextlib.suppress(OSError):  # not empty: the tile is still growing
                    path.parent.rmdir()
                    self._known.discard(path.parent)

    def drop_uncommitted(self, size: int) -> None:
        """Remove what commits left behind that never reached a checkpoint, or were outgrown.

        Only the last tile of each level and its successor can be concerned, since one commit
        crosses at most one border.
        """
        for level in [ENTRIES, *range(levels(size + TILE_WIDTH))]:
            depth = 0 if level == ENTRIES else int(level)
            number = size >> (8 * (depth + 1))
            for n in (number, number + 1):
                self._drop_other_widths(level, n, tile_width(size, depth, n))
        for first in (size, (size // TILE_WIDTH + 1) * TILE_WIDTH):
            segment = self._segment(first)
            if segment.parent.is_dir():
                for path in segment.parent.iterdir():
                    if path.suffix == _TEMPORARY or path.name >= segment.name:
                        self._forget(path)

    def _drop_other_widths(self, level: int | str, number: int, width: int) -> None:
        full = self._root / tile_path(level, number)
        if width < TILE_WIDTH:
            self._forget(full)
        folder = full.with_name(full.name + ".p")
        if folder.is_dir():
            for path in folder.iterdir():
                if path.name != str(width):
                    self._forget(path)

    @staticmethod
    def _forget(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()


def pack(entries: Sequence[bytes]) -> bytes:
    """Entries end to end, each behind its length in 16 bits (c2sp.org/tlog-tiles)."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unpack(bundle: bytes) -> list[bytes]:
    """The entries of a bundle; a last one that is cut off is left out."""
    entries, at = [], 0
    while at + 2 <= len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        if end > len(bundle):
            break
        entries.append(bundle[at + 2 : end])
        at = end
    return entries


def _lines(segment: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in segment.read_bytes().splitlines()]
