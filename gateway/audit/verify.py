"""Check a log from its files and its public key alone. One file, for auditors to keep and to run.

    python verify.py --dir LOG --key log.pub [--checkpoint EARLIER] [--policy POLICY] [--json]
    python verify.py --proof FILE --key log.pub [--entry RECORD] [--receipt ANSWER] [--policy P]
    python verify.py --receipt ANSWER --key log.pub [--dir LOG]
    python verify.py --bundle EXPORT --key log.pub [--policy POLICY]
    python verify.py --disclosed OPENED --answer ANSWER --key log.pub [--policy POLICY]

It needs Python 3.11 and the package `cryptography`, nothing else of the project that wrote the log.
Checked: the checkpoint's signatures; that every entry and every tile leads to the signed root
(RFC 6962, c2sp.org/tlog-tiles), so that none was changed, removed, added or moved; that the log
still begins with what an earlier checkpoint signed; that entries are canonical JSON (RFC 8785);
that every outcome answers one earlier intent of the same request, and each intent once at most
(beside one that says it was abandoned);
that sealed bodies which are still there are those that the entries name. An intent without outcome
is named, but is no fault: it stands for a query that was cut off. With a policy
(c2sp.org/tlog-policy), also that enough witnesses have signed a checkpoint that the log contains.

A proof (c2sp.org/tlog-proof) shows that one record is in the log, without the log. A receipt is the
log's signed word that it will contain a record in so many seconds: without it there, and a later
checkpoint, the log has broken its word.

A bundle is what an auditor exported, a directory or a zip file. Checked: that each entry in it is
in the log, and that all of it is as it was when the log recorded its export.

What an agency opened of an entry says, with an answer, whether that is what was disclosed, field by
field: a key of each field, and the way from it to what the entry's leaf commits to.

Not shown: that the log has nothing newer than this checkpoint or, without witnesses, that others
were shown the same log. For that, compare with checkpoints and receipts that other people hold.
"""

from __future__ import annotations

import argparse
import hmac
import json
import re
import sys
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise, product
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_Held = TypeVar("_Held")

WIDTH, HASH = 256, 32
KINDS = frozenset("IORDFVPK")
_INTENT = {1: "intent_index", 2: "intent"}  # how an outcome names its intent, by version
VERSIONS = frozenset(_INTENT)
_PLAIN, _TIMED = 1, 4  # kinds of signature: c2sp.org/signed-note, c2sp.org/tlog-cosignature


class NoteInvalid(Exception):
    """A checkpoint or a public key that cannot be accepted, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What was signed."""

    origin: str
    size: int
    root: bytes
    signed_at: datetime | None  # of the log's own timed signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong."""

    what: str  # "checkpoint", "entry", "tile", "bundle", "body", "earlier checkpoint"
    name: str  # an entry's index or a file's name
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found; `problems` in the order of the log, the first bad thing first."""

    origin: str = ""
    size: int = 0
    root: str = ""  # hex
    signed_at: str = ""  # RFC 3339
    kinds: dict[str, int] = field(default_factory=dict)  # kind -> entries
    open_intents: tuple[tuple[int, str], ...] = ()  # (index, request id) without an outcome
    abandoned: tuple[tuple[int, str], ...] = ()  # the same, closed as cut off
    bodies: int = 0  # sealed bodies present
    erased: int = 0  # entries that had one and have it no more
    witnessed: int = 0  # how many entries enough witnesses have signed
    witnesses: dict[str, str] = field(default_factory=dict)  # who has, and when last (RFC 3339)
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


# -- signed notes ----------------------------------------------------------------------------

_SPACES = re.compile(r"[\s+]")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_MOST_SIGNATURES = 64
_MOST_FAULTS = 1_000  # files that are missing, after which the others are not looked for
_MOST_NOTE_BYTES = 131_072  # sixteen signatures of the largest kind, and more


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A public key of somebody who signs notes (c2sp.org/signed-note)."""

    name: str
    kind: int  # _PLAIN, or _TIMED for a witness
    key: bytes  # 32 bytes of Ed25519

    @property
    def id(self) -> bytes:
        """What a signature line names it by, beside its name."""
        return sha256(self.name.encode() + b"\n" + bytes((self.kind,)) + self.key).digest()[:4]

    @property
    def text(self) -> str:
        """`name+hash+key`."""
        encoded = b64encode(bytes((self.kind,)) + self.key).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and whose signatures stand under it; nothing of it is checked yet."""

    body: bytes  # with the newline that ends it
    signatures: tuple[tuple[str, bytes], ...]  # name, and key id | signature


def _base64(text: str, what: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except ValueError as error:
        raise NoteInvalid(f"{what} is not base64") from error
    if b64encode(data).decode() != text:
        raise NoteInvalid(f"{what} is not canonical base64")
    return data


def read_verifier(text: str, *kinds: int) -> Verifier:
    """A public key in its form `name+hash+key`; of a log if no other kinds are given.

    Raises:
        NoteInvalid: it is not one.
    """
    name, _, rest = text.strip().partition("+")
    key_hash, _, encoded = rest.partition("+")
    key = _base64(encoded, "the public key")
    if not name or _SPACES.search(name) or len(key) != 33 or key[0] not in (kinds or (_PLAIN,)):
        raise NoteInvalid("the public key is not `name+hash+key` of an Ed25519 key")
    found = Verifier(name=name, kind=key[0], key=key[1:])
    if found.id.hex() != key_hash:
        raise NoteInvalid("the public key does not fit its own hash")
    return found


def read_witness(text: str) -> Verifier:
    """The public key of a witness (c2sp.org/tlog-cosignature).

    Raises:
        NoteInvalid: it is not one.
    """
    return read_verifier(text, _TIMED)


def read_note(data: bytes) -> Note:
    """The parts of a signed note.

    Raises:
        NoteInvalid: it is not one, or has more signatures than anybody needs.
    """
    if len(data) > _MOST_NOTE_BYTES:
        raise NoteInvalid(f"it has more than {_MOST_NOTE_BYTES} bytes")
    try:
        body, separator, tail = data.decode().rpartition("\n\n")
    except UnicodeDecodeError as error:
        raise NoteInvalid("it is not text") from error
    if not separator or not tail.endswith("\n"):
        raise NoteInvalid("it has no signatures")
    lines = tail[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES or _CONTROL.search(body + tail):
        raise NoteInvalid("it has too many signatures, or characters that no note has")
    return Note(body=f"{body}\n".encode(), signatures=tuple(map(_signature, lines)))


def _signature(line: str) -> tuple[str, bytes]:
    dash, _, signature = line.partition(" ")
    name, _, encoded = signature.partition(" ")
    if dash != "\N{EM DASH}" or not name or _SPACES.search(name):
        raise NoteInvalid("a signature line is malformed")
    blob = _base64(encoded, "a signature")
    if len(blob) < 5:
        raise NoteInvalid("a signature line is malformed")
    return name, blob


def signed_by(note: Note, verifier: Verifier) -> tuple[datetime | None, ...]:
    """When this key signed the note: a time for each of its signatures, None for an untimed one.

    Signatures of other keys are passed over.

    Raises:
        NoteInvalid: a signature that names this key is not its.
    """
    return tuple(
        _checked(note.body, blob[4:], verifier)
        for name, blob in note.signatures
        if name == verifier.name and blob[:4] == verifier.id
    )


def _checked(body: bytes, signature: bytes, verifier: Verifier) -> datetime | None:
    at = None
    try:
        if verifier.kind == _TIMED:
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            body = b"cosignature/v1\ntime %d\n" % seconds + body
            at = datetime.fromtimestamp(seconds, UTC)
        Ed25519PublicKey.from_public_bytes(verifier.key).verify(signature, body)
    except (InvalidSignature, ValueError, OverflowError, OSError) as error:
        raise NoteInvalid("its signature is wrong") from error
    return at


def read_checkpoint(body: bytes) -> tuple[str, int, bytes]:
    """Origin, size and root that a note's text gives (c2sp.org/tlog-checkpoint).

    Raises:
        NoteInvalid: it is not a checkpoint.
    """
    lines = body.decode().split("\n")
    if len(lines) < 4 or not all(lines[:-1]) or not _DECIMAL.fullmatch(lines[1]):
        raise NoteInvalid("it does not hold origin, size and root")
    root = _base64(lines[2], "the root")
    if len(root) != HASH:
        raise NoteInvalid("it does not hold origin, size and root")
    return lines[0], int(lines[1]), root


def open_checkpoint(data: bytes, verifier: str, *, timed: bool = True) -> Checkpoint:
    """What a signed checkpoint says, once its signatures are shown to be the log's.

    `verifier` is the public key as `name+hash+key`. Signatures of others (witnesses) are passed
    over. With `timed`, the log's own signature with the time must be there too.

    Raises:
        NoteInvalid: with the reason in words.
    """
    plain = read_verifier(verifier)
    note = read_note(data)
    plainly, times = signed_by(note, plain), signed_by(note, replace(plain, kind=_TIMED))
    if not plainly or (timed and not times):
        named = any(name == plain.name for name, _ in note.signatures)
        text = f"it lacks a signature of {plain.name}"
        raise NoteInvalid(text if plainly or times or not named else "it is signed by another key")
    origin, size, root = read_checkpoint(note.body)
    if origin != plain.name:
        raise NoteInvalid("it does not hold origin, size and root")
    signed_at = max((at for at in times if at is not None), default=None)
    return Checkpoint(origin=origin, size=size, root=root, signed_at=signed_at)


def receipt_text(origin: str, leaf_hash: str, query: str, at: str, within_s: int) -> bytes:
    """What a log signs when it promises to contain a record, `leaf_hash` in hex, by then.

    Its first line holds a space, as no log's origin does, so it can never pass for a checkpoint.
    """
    lines = ("portcullis receipt/v1", origin, leaf_hash, query, at, str(within_s), "")
    return "\n".join(lines).encode()


# -- who must have seen it -------------------------------------------------------------------

_MOST_POLICY_BYTES = 65_536
_ODD = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")


class PolicyInvalid(ValueError):
    """A policy file that cannot be used, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A log or a witness of a policy."""

    verifier: Verifier
    url: str = ""  # where it is reached, without a slash at its end; "" if not said


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Whose signatures make a checkpoint good (c2sp.org/tlog-policy)."""

    logs: tuple[Party, ...]
    witnesses: Mapping[str, Party]  # by the name that the policy gives them
    groups: Mapping[str, tuple[int, tuple[str, ...]]]  # how many of which are enough
    quorum: str  # a witness, a group, or "none"

    def met(self, seen: Collection[str]) -> bool:
        """Whether the cosignatures of these witnesses are enough."""
        return self._met(self.quorum, seen)

    def _met(self, name: str, seen: Collection[str]) -> bool:
        if name == "none":
            return True
        if name in self.witnesses:
            return name in seen
        least, members = self.groups[name]
        return sum(self._met(member, seen) for member in members) >= least

    def cosigned(self, note: Note) -> dict[str, datetime]:
        """Which witnesses cosigned a checkpoint, and when last.

        Raises:
            NoteInvalid: a signature that names one of them is not its.
        """
        found: dict[str, datetime] = {}
        for name, witness in self.witnesses.items():
            times = [at for at in signed_by(note, witness.verifier) if at is not None]
            if times:
                found[name] = max(times)
        return found


def read_policy(data: bytes) -> Policy:
    """A policy file, read strictly.

    Raises:
        PolicyInvalid: with the line and the reason.
    """
    if len(data) > _MOST_POLICY_BYTES or _ODD.search(data):
        raise PolicyInvalid("the policy is too long, or holds characters that none has")
    reading = _PolicyReading()
    for number, raw in enumerate(data.decode("utf-8", "surrogateescape").split("\n"), 1):
        words = [word for word in re.split("[ \t]+", raw) if word]
        if not words or words[0].startswith("#"):
            continue
        try:
            reading.line(words[0], words[1:])
        except (ValueError, NoteInvalid) as error:
            raise PolicyInvalid(f"line {number} of the policy: {error}") from error
    return reading.policy()


class _PolicyReading:
    """What was read of a policy so far."""

    def __init__(self) -> None:
        self.logs: list[Party] = []
        self.witnesses: dict[str, Party] = {}
        self.groups: dict[str, tuple[int, tuple[str, ...]]] = {}
        self.members: set[str] = set()
        self.quorum: str | None = None

    def line(self, word: str, rest: list[str]) -> None:
        match word, rest:
            case "log", [key, *url] if len(url) < 2:
                party = Party(verifier=read_verifier(key), url=_url(url))
                if party.verifier.key in [one.verifier.key for one in self.logs]:
                    raise ValueError("this log stands there twice")
                self.logs.append(party)
            case "witness", [name, key, *url] if len(url) < 2:
                party = Party(verifier=read_witness(key), url=_url(url))
                if party.verifier.key in [one.verifier.key for one in self.witnesses.values()]:
                    raise ValueError("this witness stands there twice")
                self.witnesses[self._new(name)] = party
            case "group", [name, least, *members] if members:
                self.groups[self._new(name)] = (_least(least, len(members)), self._in(members))
            case "quorum", [name] if self.quorum is None:
                if name != "none" and name not in self.witnesses and name not in self.groups:
                    raise ValueError("the quorum names nothing that stands above it")
                self.quorum = name
            case _:
                raise ValueError("it is not a log, witness, group or (one) quorum line")

    def _new(self, name: str) -> str:
        if name == "none" or name in self.witnesses or name in self.groups:
            raise ValueError("this name is taken")
        return name

    def _in(self, members: list[str]) -> tuple[str, ...]:
        for name in members:
            if name not in self.witnesses and name not in self.groups:
                raise ValueError("a group names something that does not stand above it")
            if name in self.members:
                raise ValueError("a name is in groups twice")
            self.members.add(name)
        return tuple(members)

    def policy(self) -> Policy:
        if self.quorum is None:
            raise PolicyInvalid("the policy has no quorum line")
        return Policy(
            logs=tuple(self.logs),
            witnesses=self.witnesses,
            groups=self.groups,
            quorum=self.quorum,
        )


def _least(text: str, members: int) -> int:
    least = {"any": 1, "all": members}.get(text)
    if least is None:
        least = int(text) if _DECIMAL.fullmatch(text) else 0
    if not 1 <= least <= members:
        raise ValueError(f"a group of {members} is met by 1 to {members} of them, any or all")
    return least


def _url(given: list[str]) -> str:
    for url in given:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError("the address is not one of http or https")
        return url.rstrip("/")
    return ""


# -- the tree --------------------------------------------------------------------------------


def _root(row: list[bytes]) -> bytes:
    while len(row) > 1:
        odd = row[-1:] if len(row) % 2 else []
        pairs = zip(row[::2], row[1::2], strict=False)
        row = [sha256(b"\x01" + a + b).digest() for a, b in pairs] + odd
    return row[0] if row else sha256(b"").digest()


def _split(tile: bytes) -> list[bytes]:
    return [tile[i : i + HASH] for i in range(0, len(tile), HASH)]


def _path(level: int | str, number: int, width: int) -> str:
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.append(f"x{number % 1000:03d}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def _unpack(bundle: bytes) -> tuple[list[bytes], bool]:
    """The entries of a bundle, and whether they fill it exactly."""
    entries, at, length = [], 0, len(bundle)
    while at + 2 <= length:
        end = at + 2 + (bundle[at] << 8 | bundle[at + 1])
        if end > length:
            break
        entries.append(bundle[at + 2 : end])
        at = end
    return entries, at == length


class _Hopeless(Exception):
    """So much is missing that nothing can be said of the rest."""


class _Files:
    """A log's directory; remembers what is missing."""

    def __init__(self, directory: Path, size: int) -> None:
        self.directory, self.size = directory, size
        self._faults: dict[str, tuple[int, Problem]] = {}

    @property
    def faults(self) -> list[tuple[int, Problem]]:
        """The files that are missing or hold nothing, with the first entry concerned."""
        return list(self._faults.values())

    def tile(self, level: int, number: int) -> list[bytes]:
        """The stored hashes of a tile; empty if it is missing.

        Raises:
            _Hopeless: a thousand files were.
        """
        width = min(WIDTH, (self.size >> (8 * level)) - number * WIDTH)
        data, exact = self._read(level, number, width)
        if data is not None and exact and len(data) > width * HASH:
            self._fault(level, number, width, f"it holds more than {width} hashes")
        elif data is not None and len(data) < HASH:
            self._fault(level, number, width, "it holds no hash")
        return _split(data or b"")[:width]

    def bundle(self, number: int) -> tuple[list[bytes], bool]:
        """The entries of a bundle, and whether there is nothing to say of the file: it holds them
        and nothing else, or is missing, which is said already.

        Raises:
            _Hopeless: as `tile`.
        """
        width = min(WIDTH, self.size - number * WIDTH)
        data, exact = self._read("entries", number, width)
        if data is None:
            return [], True
        entries, clean = _unpack(data)
        fits = len(entries) == width if exact else len(entries) >= width
        return entries[:width], clean and fits

    def _fault(self, level: int | str, number: int, width: int, text: str) -> None:
        if len(self._faults) >= _MOST_FAULTS:
            raise _Hopeless
        name = _path(level, number, width)
        depth = 0 if level == "entries" else int(level)
        at = number << (8 * (depth + 1))
        self._faults[name] = (at, Problem(what="file", name=name, text=text))

    def _read(self, level: int | str, number: int, width: int) -> tuple[bytes | None, bool]:
        """The file, and whether it should hold just so much: where a partial one was outgrown
        meanwhile, a wider one that begins with it."""
        exact = self.directory / _path(level, number, width)
        full = self.directory / _path(level, number, WIDTH)
        paths = [exact]
        if width < WIDTH:
            folder = full.with_name(full.name + ".p")
            others = folder.iterdir() if folder.is_dir() else ()
            paths += [p for p in others if p.name.isdecimal() and int(p.name) > width] + [full]
        for path in paths:
            try:
                return path.read_bytes(), path is exact
            except OSError:
                continue
        self._fault(level, number, width, "it is missing")
        return None, False


class _Tree:
    """Every hash computed from the entries up, and compared with what the tiles hold."""

    def __init__(self, files: _Files, content: _Content) -> None:
        self._files, self._content = files, content
        self.problems: list[tuple[int, Problem]] = []  # with the first entry concerned
        self.edges: list[list[list[bytes]]] = []  # level -> readings of its unfilled tile
        self.rows: dict[tuple[int, int], list[bytes]] = {}  # tiles that hold an earlier edge

    def build(self, keep: Collection[int]) -> None:
        """Walk all levels; `keep` are the sizes of earlier trees whose edges are to be kept."""
        row: list[bytes] = []
        level, count = 0, self._files.size
        while count:
            above: list[bytes] = []
            edge: list[list[bytes]] = [[]]
            for number in range((count + WIDTH - 1) // WIDTH):
                if level:
                    below = row[number * WIDTH : (number + 1) * WIDTH]
                else:
                    below = self._content.leaves(number, *self._files.bundle(number))
                stored = self._files.tile(level, number)
                full = (number + 1) * WIDTH <= count
                readings = [below] if below == stored else self._judge(level, number, below, stored)
                if number in [size >> (8 * (level + 1)) for size in keep]:
                    self.rows[level, number] = readings[0]
                if full:
                    above.append(_root(readings[0]))
                else:
                    edge = readings
            self.edges.append(edge)
            row, level, count = above, level + 1, count // WIDTH

    def _judge(
        self, level: int, number: int, below: list[bytes], stored: list[bytes]
    ) -> list[list[bytes]]:
        """What a tile may hold, the likelier first, when two sources for it differ.

        For a full tile, the tile above it tells which of them is right.
        """
        width = min(WIDTH, (self._files.size >> (8 * level)) - number * WIDTH)
        whole = [reading for reading in (below, stored) if len(reading) == width]
        if width == WIDTH:
            parent, offset = divmod(number, WIDTH)
            vouched = self._files.tile(level + 1, parent)[offset : offset + 1]
            whole = [reading for reading in whole if [_root(list(reading))] == vouched] or whole
        readings = whole or [below]
        if not (below and stored):
            return readings  # a file that is missing or holds nothing is named already
        if len(readings) == 1:
            self.problems.append(self._verdict(level, number, readings[0], below, stored))
        elif width == WIDTH:  # no root can tell later, as it does for the unfilled ones
            path = _path(level, number, width)
            text = "it, what lies below it, and the tile above it do not fit each other"
            problem = Problem(what="tile", name=path, text=text)
            self.problems.append((number << (8 * (level + 1)), problem))
        return readings

    def _verdict(
        self, level: int, number: int, right: list[bytes], below: list[bytes], stored: list[bytes]
    ) -> tuple[int, Problem]:
        """Name what differs from the right reading of a tile."""
        wrong = below if right is stored else stored
        at = next(
            (i for i, pair in enumerate(zip(right, wrong, strict=False)) if pair[0] != pair[1]),
            min(len(right), len(wrong)),
        )
        first = number << (8 * (level + 1))
        width = min(WIDTH, (self._files.size >> (8 * level)) - number * WIDTH)
        path = _path(level, number, width)
        if right is not stored:
            text = f"hash {at} is not that of what lies below"
            return first, Problem(what="tile", name=path, text=text)
        if level == 0:
            text = f"it is not the entry that {path} and the checkpoint hold"
            return first + at, Problem(what="entry", name=str(first + at), text=text)
        child = number * WIDTH + at
        text = f"it and the entries below are not what {path} and the checkpoint hold"
        name = _path(level - 1, child, WIDTH)
        return child << (8 * level), Problem(what="tile", name=name, text=text)

    def settle(self, root: bytes) -> bool:
        """Choose between the readings of the unfilled tiles by the signed root, if one gives it."""
        for choice in product(*self.edges):
            if _fold(choice) == root:
                for level, (edge, right) in enumerate(zip(self.edges, choice, strict=True)):
                    if len(edge) > 1:
                        self._name(level, edge, right)
                return True
        for level, edge in enumerate(self.edges):
            if len(edge) > 1:
                self._name(level, edge, edge[0])
        return False

    def _name(self, level: int, edge: list[list[bytes]], right: list[bytes]) -> None:
        number = self._files.size >> (8 * (level + 1))
        self.problems.append(self._verdict(level, number, right, edge[0], edge[1]))

    def root_at(self, size: int) -> bytes:
        """The root that the tree had at one of the earlier sizes given to `build`."""
        rows = []
        for level in range((size.bit_length() + 7) // 8):
            number = size >> (8 * (level + 1))
            width = (size >> (8 * level)) % WIDTH
            rows.append(self.rows.get((level, number), [])[:width])
        return _fold(rows)


def _fold(edge: Sequence[list[bytes]]) -> bytes:
    """The root over the unfilled tiles of each level, from the lowest up."""
    carry: list[bytes] = []
    for row in edge:
        if row or carry:
            carry = [_root([*row, *carry])]
    return carry[0] if carry else _root([])


# -- what the entries say --------------------------------------------------------------------


class _Content:
    """What the entries say, and whether it fits together."""

    def __init__(self, directory: Path, size: int, *, bodies: bool) -> None:
        self._directory, self._size, self._with_bodies = directory, size, bodies
        self.problems: list[tuple[int, Problem]] = []
        self.kinds: dict[str, int] = {}
        self.open: dict[str, tuple[int, str]] = {}  # intents without outcome, by request id
        self.abandoned: dict[str, tuple[int, str]] = {}  # closed as cut off, the same way
        self.present = self.erased = 0

    def leaves(self, number: int, entries: list[bytes], clean: bool) -> list[bytes]:
        """The leaf hashes of a bundle's entries, whose content is checked on the way."""
        first = number * WIDTH
        if not clean:
            width = min(WIDTH, self._size - first)
            text = f"the lengths do not add up to {width} entries"
            self._problem(first, "bundle", _path("entries", number, width), text)
        sealed: dict[int, dict[str, str]] = {}
        hashes = [sha256(b"\x00" + entry).digest() for entry in entries]
        for index, entry in enumerate(entries, first):
            try:
                leaf = json.loads(entry)
                text = json.dumps(leaf, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
                if text.encode() != entry:
                    _check_canonical(entry)
                self._leaf(index, leaf, hashes[index - first])
                if "sealed" in leaf:
                    sealed[index] = _digests(leaf)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
                self._problem(index, "entry", index, f"it is not a record: {error}")
        if sealed and self._with_bodies:
            self._bodies(number, sealed)
        return hashes

    def _problem(self, at: int, what: str, name: str | int, text: str) -> None:
        self.problems.append((at, Problem(what=what, name=str(name), text=text)))

    def _leaf(self, index: int, leaf: dict[str, Any], own_hash: bytes) -> None:
        kind, version = leaf["kind"], leaf["v"]
        if version not in VERSIONS or kind not in KINDS:
            raise ValueError(f"unknown version or kind {kind!r}")
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if kind == "I":
            request = leaf["request_id"]
            if request in self.open:
                self._problem(index, "entry", index, "its request has an intent already")
            self.open[request] = index, own_hash.hex()
        elif kind == "O":
            self._outcome(index, leaf)

    def _outcome(self, index: int, leaf: dict[str, Any]) -> None:
        """An outcome ends the intent of its request; one that says `abandoned` does so until the
        real one comes, which may also have come already."""
        request, version = leaf["request_id"], leaf["v"]
        abandoned = leaf.get("abandoned") is True
        at, named = self.open.get(request) or self.abandoned.get(request) or (None, "")
        if at is None:
            if not abandoned:
                text = "no earlier intent of its request waits for an outcome"
                self._problem(index, "entry", index, text)
        elif (at if version == 1 else named) != leaf[_INTENT[version]]:
            self._problem(index, "entry", index, "it names another intent than its request's")
        else:
            self.open.pop(request, None)
            self.abandoned.pop(request, None)
            if abandoned:
                self.abandoned[request] = at, named

    def _bodies(self, number: int, sealed: dict[int, dict[str, str]]) -> None:
        """Compare the sealed bodies that are still there with the entries' digests."""
        folder = self._directory / "sealed" / _path("", number, WIDTH).removeprefix("tile//")
        found: dict[int, list[dict[str, str]]] = {}
        for segment in sorted(folder.iterdir()) if folder.is_dir() else ():
            if not segment.name.isdecimal():
                continue
            for row, line in enumerate(segment.read_bytes().splitlines()):
                try:
                    said = json.loads(line)
                    found.setdefault(said["index"], []).append(_held(said["body"]))
                except (ValueError, TypeError, KeyError, AttributeError):
                    name = str(segment.relative_to(self._directory))
                    self._problem(number * WIDTH, "body", name, f"line {row + 1} is damaged")
        for index, digests in sealed.items():
            self.present += index in found
            self.erased += index not in found
            if index in found and digests not in found[index]:
                self._problem(index, "body", index, "it is not the body that the entry names")


def _digests(leaf: dict[str, Any]) -> dict[str, str]:
    """The digest of each part's ciphertext, as the entry has it; of version 1, of its only one."""
    sealed = leaf["sealed"]
    parts = {"": sealed} if leaf["v"] == 1 else sealed["parts"]
    return {name: said["sha256"] for name, said in parts.items()}


def _held(body: dict[str, Any]) -> dict[str, str]:
    """The same of a body that is still there."""
    parts = body.get("parts", {"": body})
    return {
        name: sha256(b64decode(part["ciphertext"], validate=True)).hexdigest()
        for name, part in parts.items()
    }


def _check_canonical(entry: bytes) -> None:
    """What the quick comparison cannot accept: order by UTF-16, and numbers as ECMAScript has them.

    Raises:
        ValueError: the entry is not canonical.
    """

    def ordered(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name.encode("utf-16-be") for name, _ in pairs]
        if any(a >= b for a, b in pairwise(names)):
            raise ValueError("names are repeated or out of order")
        return dict(pairs)

    text = entry.decode()
    leaf = json.loads(text, object_pairs_hook=ordered, parse_float=_Number, parse_int=_Number)
    if _written(leaf) != text:
        raise ValueError("it is not canonical JSON")


class _Number(str):
    """A number as the text has it."""

    __slots__ = ()


def _written(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(k)}:{_written(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    return _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


# -- one record ------------------------------------------------------------------------------


class Unproved(Exception):
    """A proof or a receipt does not show what it is said to show, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That a record is in a log (c2sp.org/tlog-proof); nothing of it is checked yet."""

    index: int
    hashes: tuple[bytes, ...]  # from the leaf upwards
    checkpoint: bytes  # as it was signed
    extra: bytes | None  # the record itself, where the proof carries it


def read_proof(data: bytes) -> Proof:
    """The parts of a proof.

    Raises:
        Unproved: it is not one.
    """
    try:
        head, separator, checkpoint = data.decode().partition("\n\n")
        first, *lines = head.split("\n")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = _base64(lines.pop(0).removeprefix("extra "), "the extra data")
        word, _, index = lines.pop(0).partition(" ")
        hashes = tuple(_base64(line, "a hash") for line in lines)
    except (UnicodeDecodeError, IndexError, NoteInvalid) as error:
        raise Unproved("it is not a proof") from error
    fine = first == "c2sp.org/tlog-proof@v1" and word == "index" and _DECIMAL.fullmatch(index)
    if not (fine and separator) or len(hashes) > 64 or {len(one) for one in hashes} - {HASH}:
        raise Unproved("it is not a proof")
    return Proof(index=int(index), hashes=hashes, checkpoint=checkpoint.encode(), extra=extra)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A checkpoint that holds, and who has cosigned it."""

    said: Checkpoint
    witnesses: dict[str, datetime]  # by the names of the policy

    def __str__(self) -> str:
        at = f"{self.said.signed_at:%Y-%m-%dT%H:%M:%SZ}" if self.said.signed_at else "no time"
        by = ", ".join(self.witnesses) or "nobody"
        return f"a checkpoint of {self.said.size} entries, signed {at}, witnessed by {by}"


def open_witnessed(data: bytes, key: str, policy: Policy | None, *, timed: bool = True) -> Seen:
    """A checkpoint that its log signed and, where there is a policy, enough witnesses.

    Raises:
        NoteInvalid: it is not; with the reason in words.
    """
    said = open_checkpoint(data, key, timed=timed)
    witnesses: dict[str, datetime] = {}
    if policy is not None:
        if policy.logs and read_verifier(key) not in [one.verifier for one in policy.logs]:
            raise NoteInvalid("the policy is of other logs")
        witnesses = policy.cosigned(read_note(data))
        if not policy.met(witnesses):
            by = ", ".join(witnesses) or "nobody"
            raise NoteInvalid(f"it is witnessed by {by}, which is not enough for the policy")
    return Seen(said=said, witnesses=witnesses)


def check_proof(proof: Proof, leaf: bytes, key: str, policy: Policy | None = None) -> Seen:
    """Be satisfied that the record with this leaf hash is in the log, as enough have seen.

    Raises:
        Unproved: it is not shown.
    """
    try:
        seen = open_witnessed(proof.checkpoint, key, policy)
    except NoteInvalid as error:
        raise Unproved(f"its checkpoint does not hold: {error}") from error
    if _included(leaf, proof.index, seen.said.size, proof.hashes) != seen.said.root:
        raise Unproved("its hashes do not lead from this record to the checkpoint")
    return seen


def _included(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root to which an audit path leads; None if it has not the right length (RFC 9162)."""
    if not 0 <= index < size:
        return None
    node, last, computed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            computed = sha256(b"\x01" + sibling + computed).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            computed = sha256(b"\x01" + computed + sibling).digest()
        node, last = node >> 1, last >> 1
    return computed if last == 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What came with an answer: the log's word that it will contain the record of it."""

    leaf: bytes
    query: str
    at: datetime
    within_s: int
    index: int | None  # where it was said to be; not signed
    proof: bytes | None

    @property
    def due(self) -> datetime:
        """When a checkpoint must contain it."""
        return self.at + timedelta(seconds=self.within_s)


def read_receipt(data: bytes, key: str) -> Receipt:
    """A receipt that the log has signed: JSON, by itself or inside of the answer it came with.

    Raises:
        Unproved: it is not one, or of another log.
    """
    log = read_verifier(key)
    try:
        said = json.loads(data)
        for name in ("extensions", "receipt"):
            said = said.get(name, said)
        text = receipt_text(
            log.name, said["leafHash"], said["queryId"], said["at"], said["withinSeconds"]
        )
        signature = b64decode(said["signature"], validate=True)
        Ed25519PublicKey.from_public_bytes(log.key).verify(signature, text)
        index, proof = said.get("logEntry"), said.get("proof")
        return Receipt(
            leaf=bytes.fromhex(said["leafHash"]),
            query=said["queryId"],
            at=datetime.fromisoformat(said["at"]),
            within_s=int(said["withinSeconds"]),
            index=index if type(index) is int else None,
            proof=proof.encode() if isinstance(proof, str) else None,
        )
    except InvalidSignature as error:
        raise Unproved("this log has not signed it") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unproved("it is not a receipt") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a log has kept its word; None if the word is not due yet."""

    kept: bool | None
    text: str


def check_receipt(
    receipt: Receipt, directory: Path | None, key: str, policy: Policy | None = None
) -> Verdict:
    """Whether the log contains what it gave a receipt for: by its directory, else by the proof
    that came along. With a policy, as enough of its witnesses have signed.

    Raises:
        Unproved: neither can be used.
    """
    if directory is None:
        if receipt.proof is None:
            raise Unproved("it carries no proof, so the log itself is needed")
        proof = read_proof(receipt.proof)
        seen = check_proof(proof, receipt.leaf, key, policy)
        return Verdict(kept=True, text=f"It is entry {proof.index} under {seen}.")
    try:
        witnessed = _seen(directory, key, policy, timed=True)
        own = (directory / "checkpoint").read_bytes()
        said = witnessed.said if witnessed is not None else open_checkpoint(own, key)
        index = _place(_Files(directory, said.size), receipt, said.root)
    except (OSError, NoteInvalid) as error:
        raise Unproved(f"the log's checkpoint cannot be used: {error}") from error
    except _Hopeless as error:
        raise Unproved("most of the log's files are missing") from error
    if index is not None:
        return Verdict(kept=True, text=f"It is entry {index} of {said.size}.")
    at = said.signed_at
    if at is None or at <= receipt.due:
        text = "The log's checkpoint is from before it was due: look again with a later one."
        return Verdict(kept=None, text=text)
    text = (
        f"The log does not contain it. It was promised by {receipt.due.isoformat()}, and the "
        f"checkpoint is from {at.isoformat()}: the PROMISE is BROKEN. Keep the receipt."
    )
    return Verdict(kept=False, text=text)


def _place(files: _Files, receipt: Receipt, root: bytes) -> int | None:
    """Where a record is in the log; looked for everywhere if it is not where it was said to be."""
    said = receipt.index
    if said is not None and 0 <= said < files.size and _leads(files, said, receipt.leaf, root):
        return said
    for number in range((files.size + WIDTH - 1) // WIDTH):
        row = files.tile(0, number)
        if receipt.leaf in row:
            index = number * WIDTH + row.index(receipt.leaf)
            if _leads(files, index, receipt.leaf, root):
                return index
    return None


def _leads(files: _Files, index: int, leaf: bytes, root: bytes) -> bool:
    """Whether the tiles lead from this leaf hash to the signed root."""
    edge: list[list[bytes]] = []
    node: bytes | None = leaf
    level, place = 0, index
    while files.size >> (8 * level):
        last = files.size >> (8 * (level + 1))
        row = files.tile(level, last) if (files.size >> (8 * level)) % WIDTH else []
        edge.append(row)
        if node is not None:
            number, offset = divmod(place, WIDTH)
            held = row if number == last else files.tile(level, number)
            if held[offset : offset + 1] != [node]:
                return False
            node, place = (None, 0) if number == last else (_root(held), number)
        level += 1
    return _fold(edge) == root


# -- what was exported -----------------------------------------------------------------------

_MOST_BUNDLE_BYTES = 1 << 31
_MANIFEST, _MANIFEST_PROOF, _ENTRIES = "manifest.json", "manifest.tlog-proof", "entries.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What an auditor exported, once it is shown to be whole."""

    made: str  # when, as the log's own entry of it says
    view: int  # the number of that entry
    entries: int
    complete: bool | None  # whether all that was found is in it; None where nobody said so
    before: int | None  # from which entry backwards there may be more
    upto: int | None  # how many entries of the log could be found by then
    seen: Seen

    def __str__(self) -> str:
        """How much of what was looked for it is, by whoever exported it."""
        if self.complete is None:
            return "Whether more was found is not said."
        of = f"of the log's first {self.upto} entries"
        if self.complete:
            return f"It is all that was found {of}, by what the manifest says was looked for."
        return f"It is a PART: more was found {of}, before entry {self.before}."


def check_bundle(path: Path, key: str, policy: Policy | None = None) -> Bundle:
    """Be satisfied that an export is as the log recorded it, and every entry of it in the log.

    Raises:
        Unproved: it is not; names the first file or entry that is wrong.
        OSError: it cannot be read.
    """
    files = _bundled(path)
    try:
        proof = read_proof(files[_MANIFEST_PROOF])
        seen = check_proof(proof, sha256(b"\x00" + (proof.extra or b"")).digest(), key, policy)
        view = json.loads(proof.extra or b"")
        manifest = json.loads(files[_MANIFEST])
        digest = sha256(files[_MANIFEST]).hexdigest()
        if view["kind"] != "V" or view["view"]["manifest"] != digest:
            raise Unproved("its manifest is not the one that the log recorded")
        if manifest["files"].keys() != files.keys() - {_MANIFEST, _MANIFEST_PROOF}:
            raise Unproved("it has not just the files that its manifest names")
        for name, told in manifest["files"].items():
            if sha256(files[name]).hexdigest() != told:
                raise Unproved(f"{name} is not what was exported")
        lines = [json.loads(line) for line in files[_ENTRIES].split(b"\n") if line]
        if [line["index"] for line in lines] != manifest["entries"]:
            raise Unproved("its entries are not those that its manifest names")
        for line in lines:
            _bundled_entry(line, files[f"proofs/{line['index']}.tlog-proof"], key, policy)
        made = str(view["at"])
        said = _extent(manifest)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Unproved(f"it is not an export: {type(error).__name__}") from error
    complete, before, upto = said
    return Bundle(
        made=made, view=proof.index, entries=len(lines), complete=complete, before=before,
        upto=upto, seen=seen,
    )  # fmt: skip


def _extent(manifest: dict[str, Any]) -> tuple[bool | None, int | None, int | None]:
    """What a manifest says of how much was found; older ones say nothing."""
    if "complete" not in manifest:
        return None, None, None
    complete, before, upto = (manifest[name] for name in ("complete", "before", "upto"))
    if type(complete) is not bool or complete is not (before is None) or type(upto) is not int:
        raise ValueError("not how much was found")
    return complete, None if before is None else int(before), upto


def _bundled_entry(line: dict[str, Any], proof: bytes, key: str, policy: Policy | None) -> None:
    try:
        read = read_proof(proof)
        if read.extra is None or (read.index, json.loads(read.extra)) != (
            line["index"], line["leaf"],
        ):  # fmt: skip
            raise Unproved("its proof is of another record")
        check_proof(read, sha256(b"\x00" + read.extra).digest(), key, policy)
    except Unproved as error:
        raise Unproved(f"entry {line['index']}: {error}") from error


def _bundled(path: Path) -> dict[str, bytes]:
    """The files of a bundle by their names; nothing is unpacked."""
    if path.is_dir():
        there = [file for file in sorted(path.rglob("*")) if file.is_file()]
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in there}
    try:
        with zipfile.ZipFile(path) as packed:
            held = packed.infolist()
            if sum(one.file_size for one in held) > _MOST_BUNDLE_BYTES:
                raise Unproved("it is too large for an export")
            files = {one.filename: packed.read(one) for one in held}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
        raise Unproved("it is neither a directory nor a zip file") from error
    if len(files) != len(held):
        raise Unproved("a name stands in it twice")
    return files


# -- what was disclosed ----------------------------------------------------------------------

_OPENED = "portcullis disclosed/v1"
_FIELD_TEXTS = 8  # "field", place, source, type, record, field, commitment, digest of its key
SO, OTHER, ELSEWHERE = "disclosed so", "other than disclosed", "not of this entry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """What an entry says of an answer, as far as an agency opened it."""

    index: int
    agency: str  # whose records
    to: str  # the agency of whoever asked
    purpose: str
    at: str
    fields: tuple[tuple[str, str, str], ...]  # verdict, place, field
    told: tuple[tuple[str, ...], ...]  # what else was opened, in the entry's own words
    seen: Seen

    @property
    def ok(self) -> bool:
        """Whether all of it is as it was disclosed."""
        return all(verdict == SO for verdict, *_ in self.fields)


def check_disclosed(
    opened: bytes, answer: bytes, key: str, policy: Policy | None = None
) -> Disclosed:
    """Be satisfied that what was opened is of an entry of the log, and compare an answer with it.

    Raises:
        Unproved: it is not, or nothing can be compared.
    """
    try:
        said, data = json.loads(opened), json.loads(answer)["data"]
        if said["format"] != _OPENED:
            raise Unproved("it is of another format")
        proof = read_proof(said["proof"].encode())
        seen = check_proof(proof, sha256(b"\x00" + (proof.extra or b"")).digest(), key, policy)
        leaf = json.loads(proof.extra or b"")
        agency = said["agency"]
        root = bytes.fromhex(leaf["disclosed"]["owners"][agency])
        fields: list[tuple[str, str, str]] = []
        told: list[tuple[str, ...]] = []
        for one in said["items"]:
            item, held = one["item"], bytes.fromhex(one["key"])
            whole = _opens(item, held, one, said["size"], root)
            if item[0] != "field":
                if not whole:
                    raise Unproved("something that it says was told is not of this entry")
                told.append(tuple(item[:-1]))
                continue
            verdict = ELSEWHERE
            if whole and len(item) == _FIELD_TEXTS:
                mark = _mark(held, item[1], _standing(data, item[1]))
                verdict = SO if hmac.compare_digest(mark, item[6]) else OTHER
            fields.append((verdict, item[1], f"{item[5]} of {item[3]} in {item[2]}"))
        who, purpose = leaf["who"]["agency"], leaf["purpose"]["code"] if "purpose" in leaf else ""
        return Disclosed(
            index=proof.index, agency=agency, to=who, purpose=purpose, at=str(leaf["at"]),
            fields=tuple(fields), told=tuple(told), seen=seen,
        )  # fmt: skip
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise Unproved(f"nothing is opened by it: {type(error).__name__}") from error


def _opens(item: list[str], key: bytes, said: dict[str, Any], size: int, root: bytes) -> bool:
    """Whether this is what the entry commits to, and its very key."""
    if any("\0" in text for text in item) or sha256(key).hexdigest() != item[-1]:
        return False
    leaf = sha256(b"\x00" + "\0".join(item).encode()).digest()
    path = [bytes.fromhex(one) for one in said["hashes"]]
    return _included(leaf, said["index"], size, path) == root


def _mark(key: bytes, place: str, value: Any) -> str:
    """The commitment to a value at a place."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.digest(key, f"{place}\0{text}".encode(), "sha256").hex()[:32]


def _standing(value: Any, place: str) -> Any:
    """What stands at a place of an answer's data; None where nothing does."""
    for step in place.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


# -- the whole -------------------------------------------------------------------------------


def verify(
    directory: Path,
    public_key: str,
    *,
    earlier: bytes | None = None,
    policy: Policy | None = None,
    bodies: bool = True,
    timed: bool = True,
) -> Report:
    """Check the whole log. About 10 seconds for a million entries; memory stays small.

    `earlier` is a checkpoint of this log that was kept elsewhere. With `policy`, enough witnesses
    must have signed a checkpoint that the log contains: the one that lies beside the log's own, or
    that itself. `timed=False` accepts logs whose checkpoints carry no signed time. Never raises
    for what is wrong with the log.
    """
    faults = list[tuple[int, Problem]]()

    def held(what: str, name: str, read: Callable[[], _Held]) -> _Held | None:
        try:
            return read()
        except (OSError, NoteInvalid) as error:
            faults.append((-1, Problem(what=what, name=name, text=str(error))))
            return None

    # what witnesses have seen is read first: the log may grow meanwhile
    seen = held("witnesses", "witnessed", lambda: _seen(directory, public_key, policy, timed=timed))
    path = directory / "checkpoint"
    said = held(
        "checkpoint", path.name, lambda: open_checkpoint(path.read_bytes(), public_key, timed=timed)
    )
    if said is None:
        return Report(problems=tuple(problem for _, problem in faults))
    before = None
    if earlier is not None:
        before = held(
            "earlier checkpoint", "", lambda: open_checkpoint(earlier, public_key, timed=timed)
        )
    files = _Files(directory, said.size)
    content = _Content(directory, said.size, bodies=bodies)
    tree = _Tree(files, content)
    parts = {"earlier checkpoint": before, "witnesses": seen.said if seen else None}
    try:
        tree.build([one.size for one in parts.values() if one])
        settled = tree.settle(said.root)
    except _Hopeless:
        return _reported(said, seen, content, faults + files.faults)
    faults += files.faults + tree.problems + content.problems  # of one entry, in this order
    if not settled and not faults:
        text = "its root is not that of the entries and tiles, which agree with each other"
        faults.append((-1, Problem(what="checkpoint", name="checkpoint", text=text)))
    for what, one in parts.items():
        if one and (text := _grown(one, said, tree)):
            faults.append((said.size, Problem(what=what, name=f"of size {one.size}", text=text)))
    return _reported(said, seen, content, faults)


def _reported(
    said: Checkpoint, seen: Seen | None, content: _Content, faults: list[tuple[int, Problem]]
) -> Report:
    return Report(
        origin=said.origin,
        size=said.size,
        root=said.root.hex(),
        signed_at=said.signed_at.isoformat() if said.signed_at else "",
        kinds=dict(sorted(content.kinds.items())),
        open_intents=tuple((at, request) for request, (at, _) in content.open.items()),
        abandoned=tuple((at, request) for request, (at, _) in content.abandoned.items()),
        bodies=content.present,
        erased=content.erased,
        witnessed=seen.said.size if seen else 0,
        witnesses={name: at.isoformat() for name, at in seen.witnesses.items()} if seen else {},
        problems=tuple(problem for _, problem in sorted(faults, key=lambda fault: fault[0])),
    )


def _seen(directory: Path, key: str, policy: Policy | None, *, timed: bool) -> Seen | None:
    """What the witnesses have signed; None where nobody asks.

    Raises:
        OSError, NoteInvalid: nothing that counts.
    """
    if policy is None:
        return None
    beside = directory / "witnessed"
    note = (beside if beside.exists() else directory / "checkpoint").read_bytes()
    return open_witnessed(note, key, policy, timed=timed)


def _grown(before: Checkpoint, now: Checkpoint, tree: _Tree) -> str:
    """Why the log is not the earlier one grown; "" if it is."""
    if before.size > now.size:
        return f"the log has only {now.size} entries now: some were cut off"
    same = tree.root_at(before.size) if before.size < now.size else now.root
    return "" if same == before.root else "the log does not begin with what was signed then"


def _words(report: Report) -> str:
    lines = [f"log      {report.origin}", f"entries  {report.size}  {report.kinds}"]
    lines += [f"root     {report.root}", f"signed   {report.signed_at or 'no time'}"]
    if report.witnesses:
        lines.append(f"seen     {report.witnessed} entries, by {', '.join(report.witnesses)}")
    lines += [f"bodies   {report.bodies} sealed, {report.erased} erased or not here"]
    lines += [f"intent {i} ({request}) has no outcome" for i, request in report.open_intents[:20]]
    if len(report.open_intents) > 20:
        lines.append(f"... {len(report.open_intents)} intents without outcome in all")
    if report.abandoned:
        lines.append(f"{len(report.abandoned)} intents were cut off: nothing of them was released")
    for problem in report.problems[:20]:
        lines.append(f"WRONG    {problem.what} {problem.name}: {problem.text}")
    if len(report.problems) > 20:
        lines.append(f"... {len(report.problems)} problems in all")
    lines.append("The log is whole." if report.ok else "The log is NOT whole.")
    return "\n".join(map(plain, lines))


def plain(text: str) -> str:
    """A text without what a terminal would obey: a log may be hostile."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="portcullis audit verify", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--dir", type=Path, help="the log's directory")
    parser.add_argument("--key", required=True, help="its public key, or the file that holds it")
    parser.add_argument("--checkpoint", type=Path, help="a checkpoint kept from earlier")
    parser.add_argument("--policy", type=Path, help="whose witnesses must have seen it")
    parser.add_argument("--proof", type=Path, help="an offline proof of one record")
    parser.add_argument("--entry", type=Path, help="the record, where the proof does not hold it")
    parser.add_argument("--receipt", type=Path, help="a receipt, or the answer it came with")
    parser.add_argument("--bundle", type=Path, help="an export: a directory or a zip file")
    parser.add_argument("--disclosed", type=Path, help="what an agency opened of an entry")
    parser.add_argument("--answer", type=Path, help="the answer that is compared with it")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _read(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None


def main(argv: Sequence[str] | None = None) -> int:
    """The command; 0 if all is well, 1 if not, 2 if it could not be tried (or is not due yet)."""
    parser = _arguments()
    options = parser.parse_args(argv)
    ways = (options.dir, options.proof, options.receipt, options.bundle, options.disclosed)
    if not any(ways):
        parser.error("give --dir, --proof, --receipt, --bundle or --disclosed")
    if (options.disclosed is None) is not (options.answer is None):
        parser.error("--disclosed and --answer belong together")
    try:
        key = options.key if "+" in options.key else Path(options.key).read_text()
        policy = read_policy(options.policy.read_bytes()) if options.policy else None
        proof, entry = _read(options.proof), _read(options.entry)
        receipt, earlier = _read(options.receipt), _read(options.checkpoint)
        opened, answer = _read(options.disclosed), _read(options.answer)
    except (OSError, PolicyInvalid) as error:
        print(f"cannot read: {error}", file=sys.stderr)
        return 2
    if options.checkpoint and (options.bundle or options.proof or options.receipt):
        parser.error("--checkpoint goes with --dir alone: a proof has a checkpoint of its own")
    if options.bundle is not None:
        return _export(options.bundle, key, policy)
    if opened is not None and answer is not None:
        return _disclosed(opened, answer, key, policy)
    if proof is not None or receipt is not None:
        return _one(proof, entry, receipt, options.dir, key, policy)
    report = verify(options.dir, key, earlier=earlier, policy=policy)
    print(json.dumps({"ok": report.ok, **asdict(report)}) if options.json else _words(report))
    return 0 if report.ok else 1


def _export(path: Path, key: str, policy: Policy | None) -> int:
    """Check what an auditor exported."""
    try:
        found = check_bundle(path, key, policy)
    except OSError as error:
        print(f"cannot read: {error}", file=sys.stderr)
        return 2
    except (Unproved, NoteInvalid) as error:
        print(f"WRONG    {error}")
        return 1
    print(
        f"{found.entries} entries, each in {found.seen.said.origin}; exported {found.made}, which "
        f"is entry {found.view}, under {found.seen}."
    )
    print(found)
    return 0


def _disclosed(opened: bytes, answer: bytes, key: str, policy: Policy | None) -> int:
    """Compare an answer with what an agency opened of its entry."""
    try:
        found = check_disclosed(opened, answer, key, policy)
    except (Unproved, NoteInvalid) as error:
        print(f"WRONG    {error}")
        return 1
    for verdict, place, name in found.fields:
        print(plain(f"{verdict:<20}  {place}  ({name})"))
    for kind, *words in found.told:
        print(plain(f"{'also said':<20}  {kind}: {' '.join(words)}"))
    print(
        f"By entry {found.index} of {found.seen.said.origin}, of {found.agency}'s records to "
        f"{found.to}, {found.purpose}, at {found.at}, under {found.seen}."
    )
    return 0 if found.ok else 1


def _one(
    proof: bytes | None,
    entry: bytes | None,
    receipt: bytes | None,
    directory: Path | None,
    key: str,
    policy: Policy | None,
) -> int:
    """Check a proof, a receipt, or a proof of what a receipt is of."""
    try:
        word = read_receipt(receipt, key) if receipt is not None else None
        if proof is None:
            assert word is not None  # noqa: S101 - one of the two was given
            verdict = check_receipt(word, directory, key, policy)
            print(verdict.text)
            return {True: 0, False: 1, None: 2}[verdict.kept]
        read = read_proof(proof)
        record = entry if entry is not None else read.extra
        if word is None and record is None:
            raise Unproved("it does not hold the record: give that by --entry, or its --receipt")
        leaf = word.leaf if word else sha256(b"\x00" + (record or b"")).digest()
        if record is not None and leaf != sha256(b"\x00" + record).digest():
            raise Unproved("the receipt is of another record")
        seen = check_proof(read, leaf, key, policy)
    except (Unproved, NoteInvalid) as error:
        print(f"WRONG    {error}")
        return 1
    if record is not None:
        print(plain(record.decode(errors="replace")))
    print(f"It is entry {read.index} of {seen.said.origin}, under {seen}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
