"""The secrets of the log, in a directory of their own that only the gateway's account can read.

    log.key, log.pub         the Ed25519 key that signs checkpoints; the line that auditors need
    journal.key              the HMAC key of records that are in no signed checkpoint yet
    month/AGENCY/2026-01     what wraps the data keys of bodies that this agency may open
    token/NAME/PERIOD        HMAC keys for identifiers

Destroying a month's key makes that month's bodies unreadable for that agency for ever; destroying
a key for identifiers, that nobody finds anything by those of its quarter. The file `….destroyed`
that is left keeps the key from being made anew.

Where `log.key` is not, keys are not: a place that is not mounted is not one whose keys were never
made, so none is made there by whoever signs the log, and what is missing is not said to be gone.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from base64 import b64decode, b64encode
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.audit.verify import receipt_text
from gateway.errors import AuditUnavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_QUARTER = re.compile(r"[0-9]{4}-Q[1-4]")
_KEPT = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2]|Q[1-4])\Z")  # a month or a quarter
_DESTROYED = ".destroyed"
_ED25519, _TIMED = b"\x01", b"\x04"  # c2sp.org/signed-note and c2sp.org/tlog-cosignature


class Signer:
    """Signs checkpoints as signed notes (c2sp.org/tlog-checkpoint, c2sp.org/signed-note)."""

    def __init__(self, origin: str, key: Ed25519PrivateKey) -> None:
        """`origin` names the log for ever.

        Raises:
            ValueError: the name cannot stand in a note.
        """
        if not origin or re.search(r"[\s+\x00-\x1f]", origin):
            raise ValueError(f"the origin {origin!r} is empty or holds a space or a plus")
        self.origin = origin
        self._key = key
        self._public = key.public_key().public_bytes_raw()

    @property
    def verifier(self) -> str:
        """The public key as verifiers read it: `origin+hash+key`."""
        key = _ED25519 + self._public
        return f"{self.origin}+{self._hash(_ED25519).hex()}+{b64encode(key).decode()}"

    def sign(self, size: int, root: bytes, at: datetime) -> bytes:
        """The checkpoint for this tree, signed twice.

        Once as it stands, and once with the time in whole seconds (a cosignature/v1 of the log
        itself): the plain signature of a log at rest never changes, so it could not show that
        the log is alive.
        """
        body = f"{self.origin}\n{size}\n{b64encode(root).decode()}\n".encode()
        seconds = int(at.timestamp())
        timed = self._key.sign(b"cosignature/v1\ntime %d\n" % seconds + body)
        return b"".join(
            (
                body,
                b"\n",
                self._line(_ED25519, self._key.sign(body)),
                self._line(_TIMED, seconds.to_bytes(8, "big") + timed),
            )
        )

    def receipt(self, leaf_hash: bytes, query: str, at: str, within_s: int) -> str:
        """The promise that the log will contain a record, signed; base64."""
        text = receipt_text(self.origin, leaf_hash.hex(), query, at, within_s)
        return b64encode(self._key.sign(text)).decode()

    def _hash(self, algorithm: bytes) -> bytes:
        return sha256(self.origin.encode() + b"\n" + algorithm + self._public).digest()[:4]

    def _line(self, algorithm: bytes, signature: bytes) -> bytes:
        encoded = b64encode(self._hash(algorithm) + signature).decode()
        return f"\N{EM DASH} {self.origin} {encoded}\n".encode()


class AuditKeys:
    """Key files, each made when first asked for. Blocking, but what was read once is kept."""

    def __init__(self, directory: Path) -> None:
        """Take the directory, making it if need be.

        Raises:
            AuditUnavailable: it cannot be used, or others than its owner may read it.
        """
        self._root = directory
        self._read: dict[str, bytes] = {}
        self._seed: bytes | None = None  # what `log.key` holds, once this process signs
        self._lacking = ""  # the last key that was needed and could not be had
        self._one_at_a_time = threading.Lock()
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if directory.stat().st_mode & 0o077:
                raise AuditUnavailable(detail=f"others may read {directory}; chmod it to 0700")
        except OSError as error:
            raise AuditUnavailable(detail=f"cannot use {directory}: {error}") from error

    def signer(self, origin: str) -> Signer:
        """The log's signer; its public half is left in `log.pub`."""
        seed = self._seed = self._key("log.key")
        signer = Signer(origin, Ed25519PrivateKey.from_private_bytes(seed))
        public = self._root / "log.pub"
        line = signer.verifier + "\n"
        if not public.exists() or public.read_text() != line:
            fresh = _beside(public)
            _write_new(fresh, line.encode())
            fresh.replace(public)
        return signer

    def journal(self) -> bytes:
        """The HMAC key of the journal."""
        return self._key("journal.key")

    def wrapping(self, agency: str, at: datetime) -> tuple[str, bytes]:
        """The id and key that wrap data keys for an agency in the month of `at` (UTC)."""
        key_id = f"{agency}/{at:%Y-%m}"
        return key_id, self.wrapping_key(key_id, make=True)

    def cached(self, agency: str, at: datetime) -> bool:
        """Whether `wrapping` would answer without touching the disk."""
        return f"month/{agency}/{at:%Y-%m}" in self._read

    def wrapping_key(self, key_id: str, *, make: bool = False) -> bytes:
        """A month key by its id.

        Raises:
            AuditUnavailable: destroyed, or never made.
        """
        name = f"month/{key_id}"
        if not make and self._is_destroyed(name):  # by another gateway that shares the directory
            self._read.pop(name, None)
        return self._key(name, make=make)

    def still(self, key_id: str) -> bytes | None:
        """The same; None where it was destroyed, was never made, or is damaged.

        Raises:
            AuditUnavailable: it may be there, and cannot be read.
        """
        try:
            return self.wrapping_key(key_id)
        except AuditUnavailable as error:
            why = error.__cause__
            if isinstance(why, OSError) and not isinstance(why, FileNotFoundError):
                raise
            return None

    def periods(self, name: str) -> tuple[str, ...]:
        """The periods that identifiers of this sort have keys of, in order.

        Raises:
            AuditUnavailable: they cannot be read.
        """
        self._check(name)
        try:
            self._demand_place()
            there = [path.name for path in (self._root / "token" / name).iterdir()]
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise AuditUnavailable(detail=f"the keys of {name}: {error}") from error
        return tuple(sorted(filter(_QUARTER.fullmatch, there)))

    def token_key(self, name: str, period: str) -> bytes:
        """The HMAC key for identifiers of this sort in this period ("2026-Q1")."""
        return self._key(f"token/{name}/{period}")

    def destroy(self, key_id: str) -> None:
        """Destroy a month key for ever; the caller writes the entry (K) that says so.

        Raises:
            OSError: it may still exist.
        """
        self._destroy(f"month/{key_id}")

    def destroy_tokens(self, key_id: str) -> None:
        """Destroy a key for identifiers ("actor/2026-Q1") for ever; as above.

        Raises:
            OSError: it may still exist.
        """
        self._destroy(f"token/{key_id}")

    def months(self) -> list[str]:
        """The ids of the month keys that exist, in order.

        Raises:
            AuditUnavailable: nobody can tell.
        """
        return self._existing("month")

    def tokens(self) -> list[str]:
        """The same of the keys for identifiers."""
        return self._existing("token")

    def forget_destroyed(self) -> None:
        """Let go of what another process destroyed.

        Raises:
            AuditUnavailable: nobody can tell.
        """
        for name in list(self._read):
            if self._is_destroyed(name):
                self._read.pop(name, None)

    def forget(self) -> None:
        """Let go of all that was read; it is read again where it still is."""
        self._read.clear()

    @property
    def healthy(self) -> bool:
        """Whether no key is lacking: one that could not be had is asked for again."""
        if name := self._lacking:
            with contextlib.suppress(AuditUnavailable):
                self._key(name)
        return not self._lacking

    @property
    def directory(self) -> Path:
        """Where they lie."""
        return self._root

    def _existing(self, sort: str) -> list[str]:
        """
        Raises:
            AuditUnavailable: they cannot be read.
        """
        try:
            self._demand_place()
        except OSError as error:
            raise AuditUnavailable(detail=f"the keys: {error}") from error
        found = (path for path in (self._root / sort).glob("*/*") if _KEPT.match(path.name))
        return sorted(f"{path.parent.name}/{path.name}" for path in found)

    def _demand_place(self) -> None:
        """Be satisfied that the keys are here at all.

        Raises:
            OSError: they are not, or those of another log are.
        """
        try:
            found = (self._root / "log.key").read_bytes()
        except FileNotFoundError as error:
            raise OSError(f"no keys lie in {self._root}") from error
        if self._seed is not None and found.strip() != b64encode(self._seed):
            raise OSError(f"another log's keys lie in {self._root}")

    def _is_destroyed(self, name: str) -> bool:
        self._check(name)
        path = self._root / name
        try:
            return path.with_name(path.name + _DESTROYED).exists()
        except OSError as error:
            raise AuditUnavailable(detail=f"the key {name}: {error}") from error

    def _destroy(self, name: str) -> None:
        self._check(name)
        path = self._root / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_new(path.with_name(path.name + _DESTROYED), b"")
        path.unlink(missing_ok=True)
        _sync(path.parent)
        self._read.pop(name, None)

    def _check(self, name: str) -> None:
        if not all(_NAME.match(part) for part in name.split("/")):
            raise AuditUnavailable(detail=f"{name!r} cannot name a key")

    def _key(self, name: str, *, make: bool = True) -> bytes:
        if (known := self._read.get(name)) is None:
            self._check(name)
            try:
                with self._one_at_a_time:
                    known = self._load(self._root / name, make=make)
            except (OSError, ValueError) as error:
                if make and isinstance(error, OSError):
                    self._lacking = name
                raise AuditUnavailable(detail=f"the key {name}: {error}") from error
            if len(known) != 32:
                raise AuditUnavailable(detail=f"the key {name} is not of 32 bytes")
            self._read[name] = known
        if self._lacking == name:
            self._lacking = ""
        return known

    def _load(self, path: Path, *, make: bool) -> bytes:
        if path.with_name(path.name + _DESTROYED).exists():
            raise ValueError("was destroyed")
        if not path.exists() and (self._seed is not None or not make):
            self._demand_place()
        if make and not path.exists():
            for folder in (path.parent.parent, path.parent):
                if folder != self._root.parent:
                    folder.mkdir(mode=0o700, exist_ok=True)
            temporary = _beside(path)
            try:
                _write_new(temporary, b64encode(os.urandom(32)) + b"\n")
                with contextlib.suppress(FileExistsError):  # another process was first: use its key
                    path.hardlink_to(temporary)
            finally:
                temporary.unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent, self._root):
                _sync(folder)
        return b64decode(path.read_bytes().strip(), validate=True)


def _beside(path: Path) -> Path:
    """A name no other process writes: of gateways in containers, each may have the same number."""
    return path.with_name(f"{path.name}.{os.urandom(8).hex()}.new")


def _write_new(path: Path, data: bytes) -> None:
    """Write and sync a file that only its owner can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
