"""What a witness remembers, in one directory that one process uses at a time.

    witness.key    its Ed25519 key
    witness.pub    the public half, as policies name it
    seen           the last checkpoint of each log that it signed
    forks/         checkpoints that a log signed beside another of that size: evidence against it
    lock           held by the process that uses it

A key without `seen` is refused: a witness that has lost its memory might sign a fork of what it
signed before, so it must not go on under its name. Blocking.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_MAX_FORKS: Final = 100
_log = logging.getLogger(__name__)


class StateInvalid(Exception):
    """What the witness remembers cannot be used; it must not sign."""


class Memory:
    """The last checkpoint of each log, in a directory that one process uses at a time."""

    def __init__(self, directory: Path) -> None:
        """Take the directory; a new one gets a key and an empty memory.

        Raises:
            StateInvalid: in use, damaged, or a key without its memory.
            OSError: it cannot be used.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = directory
        self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StateInvalid(f"another process uses {directory}") from error
        try:
            if not (directory / "witness.key").exists():
                self._write("seen", b"{}\n")  # first, since a key without it is refused
                self._write("witness.key", b64encode(os.urandom(32)) + b"\n")
            self.seen: dict[str, str] = self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the directory."""
        os.close(self._lock)

    @property
    def key(self) -> Ed25519PrivateKey:
        """The witness's key.

        Raises:
            StateInvalid: others may read it, or it is damaged.
        """
        path = self._root / "witness.key"
        if path.stat().st_mode & 0o077:
            raise StateInvalid(f"others may read {path}; chmod it to 0600")
        try:
            seed = b64decode(path.read_bytes().strip(), validate=True)
            return Ed25519PrivateKey.from_private_bytes(seed)
        except ValueError as error:
            raise StateInvalid(f"{path} is damaged") from error

    def publish(self, line: str) -> None:
        """Leave the public key where its owner finds it."""
        self._write("witness.pub", line.encode() + b"\n")

    def keep(self, origin: str, note: bytes) -> None:
        """Remember a log's checkpoint; it lasts when this returns.

        Raises:
            OSError: nobody can tell whether it lasts, so nothing may be signed.
        """
        seen = {**self.seen, origin: note.decode()}
        self._write("seen", json.dumps(seen, sort_keys=True, indent=1).encode() + b"\n")
        self.seen = seen

    def keep_fork(self, note: bytes) -> None:
        """Keep evidence against a log, within bounds; best effort."""
        folder = self._root / "forks"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            name = sha256(note).hexdigest()
            if len(list(folder.iterdir())) < _MAX_FORKS and not (folder / name).exists():
                self._write(f"forks/{name}", note)
        except OSError as error:
            _log.error("evidence of a fork could not be kept: %s", error)

    def _read(self) -> dict[str, str]:
        try:
            seen = json.loads((self._root / "seen").read_bytes())
        except (OSError, ValueError) as error:
            raise StateInvalid("what was seen is missing or damaged; it cannot go on") from error
        if not isinstance(seen, dict) or not all(isinstance(note, str) for note in seen.values()):
            raise StateInvalid("what was seen is damaged; it cannot go on")
        return seen

    def _write(self, name: str, data: bytes) -> None:
        """Replace a file, wholly or not at all; it is on the disk when this returns."""
        path = self._root / name
        draft = path.with_name(path.name + ".new")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
