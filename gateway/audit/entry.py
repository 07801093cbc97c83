"""One record of the log: a public leaf without personal values, and a sealed body with the rest.

The leaf is canonical JSON (RFC 8785) and becomes part of the tree for ever. The body has a part for
each who may read one: what was asked is its asker's agency's, what was shown of an agency's records
is that agency's. Each part is encrypted under a data key of its own, which is wrapped by that
agency's key; destroying the body or an agency's key of that month makes it unreadable and leaves
every proof valid, because the leaf holds only digests of it.

Version 1 had one part without a name, and its outcomes named their intent by its index.

Pure: keys, salts, nonces and times come in as arguments.
"""

from __future__ import annotations

import contextlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, TypeAlias

import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from gateway.identifiers import hmac_sha256
from gateway.model import EMPTY

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

VERSION = 2
MAX_LEAF_BYTES = 60_000  # tlog-tiles gives an entry's length 16 bits; the rest is headroom
MAX_NUMBER = 2**53 - 1  # what every reader of JSON holds exactly (RFC 7493, section 2.2)
ALGORITHM = "A256GCM+A256KW"
SALT_BYTES = 32
KEY_BYTES = 32
NONCE_BYTES = 12

ASKER = "asker"
"""The part for the agency whose person asked: who, in what words, with which values, and why."""
KEEPER = "keeper"
"""The part for whoever keeps the log: what neither the asker's agency nor an owner may know."""
KEEPERS = "GATEWAY"
"""In the place of an agency, of what is nobody's but the keeper's."""
_OWNER = "owner/"
_PARTY = "party/"
_PURPOSE_OF_SEAL = {1: b"portcullis audit body v1", 2: b"portcullis audit body v2 "}
"""Bound into the tag by version, in the second with the part's name: no other ciphertext passes."""
_HASH = re.compile(r"[0-9a-f]{64}\Z")


class InvalidEntry(ValueError):
    """What was given cannot become a record, or a record cannot be read."""


class Kind(StrEnum):
    """What happened."""

    INTENT = "I"
    OUTCOME = "O"
    REJECTED = "R"  # malformed or over a limit
    DENIED = "D"
    FAILED_AUTHENTICATION = "F"
    VIEW = "V"  # an auditor looked at the record
    POLICY = "P"
    KEY = "K"  # keys, erasures, the log's own life


class Tag(StrEnum):
    """Which part of a data-protection log the record is (consulted, disclosed, combined)."""

    CONSULTATION = "consultation"
    DISCLOSURE = "disclosure"
    COMBINATION = "combination"


def owner_part(agency: str) -> str:
    """The name of the part that says what of this agency's records was shown."""
    return _OWNER + agency


def party_part(agency: str) -> str:
    """The name of the part that says what this agency was asked, answered or told."""
    return _PARTY + agency


@dataclass(frozen=True, slots=True)
class Part:
    """What one agency may read of a record."""

    agency: str
    detail: Json | Written


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealing:
    """The random and secret material for one part, fresh each time but for the wrapping key."""

    salt: bytes  # 32 bytes
    data_key: bytes  # 32 bytes
    nonce: bytes  # 12 bytes
    key_id: str
    wrapping: bytes  # the key-encryption key of that id, 32 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One record, ready to be written: `leaf` is what the tree holds, `body` what may be erased."""

    leaf: bytes
    body: bytes | None = None


def canonical(value: Json | Written) -> bytes:
    """The one byte sequence for a JSON value (RFC 8785).

    Raises:
        InvalidEntry: not a JSON value; a number beyond 2**53 or not finite; broken text.
    """
    if isinstance(value, Written):
        return value
    try:
        return _quick(value) or rfc8785.dumps(_plain(value))
    except (ValueError, RecursionError) as error:
        raise InvalidEntry(f"not canonical JSON: {error}") from error


class Written(bytes):
    """A JSON value in its canonical bytes already."""

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> Written:
        """An object, some of whose values may be written already.

        Raises:
            InvalidEntry: as `canonical`.
        """
        names = sorted(members, key=lambda name: name.encode("utf-16-be"))
        pairs = (canonical(name) + b":" + canonical(members[name]) for name in names)
        return cls(b"{" + b",".join(pairs) + b"}")


_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


def _quick(value: Json) -> bytes | None:
    """The canonical bytes by the standard library's compiled writer, where it writes the same.

    It sorts names by code point, not by UTF-16, spells fractions its own way and takes names that
    are no text; None where that could matter.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except TypeError:  # names of several types, or a mapping that is no dict
        return None
    waiting: list[Any] = [value]  # ends, since a value that holds itself was refused above
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind is dict:
            if set(map(type, one)) - {str}:
                return None
            waiting.extend(one.values())
        elif kind is list or kind is tuple:
            waiting.extend(one)
        elif kind is int:
            if abs(one) > MAX_NUMBER:
                return None
        elif kind is not str and kind is not bool and one is not None:
            return None
    return None if _ASTRAL.search(text) else text.encode()


def _plain(value: Json) -> Any:
    """The same value in dicts and lists, which alone rfc8785 reads."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [_plain(item) for item in value]
    if isinstance(value, float) and abs(value) > MAX_NUMBER:
        # its canonical digits would read back as an integer that is not quite the same number
        raise InvalidEntry(f"a number beyond {MAX_NUMBER}")
    return value


def entry_of(
    leaf: Mapping[str, Json], sealed: Mapping[str, tuple[Json | Written, Sealing]] = EMPTY
) -> AuditEntry:
    """The record of a caller's leaf, completed with `v` and, if anything is sealed, with `sealed`.

    `sealed` holds, by its name, the detail of each part and what to seal it with. The leaf has
    `kind`; an intent and an outcome have `request_id`, and an outcome has `intent`, the hash of the
    leaf of its intent in hexadecimal: that is known before the log has given it a number.

    Raises:
        InvalidEntry: an unknown kind or tag, something missing, a name kept for us, material of
            the wrong length, or too large (a record is never cut: what is long is to be sealed).
    """
    _check_leaf(leaf)
    whole: dict[str, Json] = {**leaf, "v": VERSION}
    body = None
    if sealed:
        bodies: dict[str, Json] = {}
        said: dict[str, Json] = {}
        for name, (detail, sealing) in sealed.items():
            bodies[name], said[name] = seal(name, detail, sealing)
        body = canonical({"alg": ALGORITHM, "parts": bodies})
        whole["sealed"] = {"alg": ALGORITHM, "parts": said}
    data = canonical(whole)
    if len(data) > MAX_LEAF_BYTES:
        raise InvalidEntry(f"a leaf of {len(data)} bytes; at most {MAX_LEAF_BYTES}")
    return AuditEntry(leaf=data, body=body)


def _check_leaf(leaf: Mapping[str, Json]) -> None:
    if taken := {"v", "sealed"} & leaf.keys():
        raise InvalidEntry(f"{sorted(taken)} are not the caller's to set")
    kind, tag = leaf.get("kind"), leaf.get("tag")
    if kind not in list(Kind):
        raise InvalidEntry(f"unknown kind {kind!r}")
    if "tag" in leaf and tag not in list(Tag):
        raise InvalidEntry(f"unknown tag {tag!r}")
    request_id, intent = leaf.get("request_id"), leaf.get("intent")
    if kind in (Kind.INTENT, Kind.OUTCOME) and not (isinstance(request_id, str) and request_id):
        raise InvalidEntry("an intent and an outcome need request_id")
    if kind == Kind.OUTCOME and not (isinstance(intent, str) and _HASH.match(intent)):
        raise InvalidEntry("an outcome needs the hash of its intent")


def read_leaf(data: bytes) -> dict[str, Any]:
    """What a leaf says.

    Raises:
        InvalidEntry: not a JSON object.
    """
    try:
        leaf = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidEntry("a leaf is not JSON") from error
    if not isinstance(leaf, dict):
        raise InvalidEntry("a leaf is not an object")
    return leaf


# -- sealing ---------------------------------------------------------------------------------


def seal(name: str, detail: Json | Written, sealing: Sealing) -> tuple[Json, Json]:
    """The sealed part of a body, and what the leaf says of it.

    Sealed is salt | canonical detail, whose SHA-256 is the leaf's `commitment`: without the salt,
    which is erased with the body, nobody can guess a detail and check the guess.

    Raises:
        InvalidEntry: material of the wrong length, or not JSON.
    """
    lengths = tuple(map(len, (sealing.salt, sealing.data_key, sealing.nonce, sealing.wrapping)))
    if lengths != (SALT_BYTES, KEY_BYTES, NONCE_BYTES, KEY_BYTES):
        raise InvalidEntry(f"salt, data key, nonce and wrapping key of {lengths} bytes")
    plain = sealing.salt + canonical(detail)
    bound = _PURPOSE_OF_SEAL[VERSION] + name.encode()
    ciphertext = AESGCM(sealing.data_key).encrypt(sealing.nonce, plain, bound)
    wrapped = b64encode(aes_key_wrap(sealing.wrapping, sealing.data_key)).decode()
    return {
        "ciphertext": b64encode(ciphertext).decode(),
        "keys": {sealing.key_id: wrapped},
        "nonce": b64encode(sealing.nonce).decode(),
    }, {
        "commitment": sha256(plain).hexdigest(),
        "keys": [sealing.key_id],
        "sha256": sha256(ciphertext).hexdigest(),
    }


def parts_of(leaf: Mapping[str, Any]) -> dict[str, str]:
    """What is sealed of a record: the name of each part, and the id of the key that opens it.

    Raises:
        InvalidEntry: the leaf does not say it as a leaf does.
    """
    try:
        return {name: str(said["keys"][0]) for name, said in _said(leaf).items()}
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise InvalidEntry("a leaf does not say what is sealed") from error


def _said(leaf: Mapping[str, Any]) -> dict[str, Any]:
    sealed = leaf.get("sealed", {})
    if leaf["v"] == 1:
        return {ASKER: sealed} if sealed else {}
    parts: dict[str, Any] = sealed.get("parts", {})
    return parts


def unseal(leaf: Mapping[str, Any], body: bytes, name: str, key: bytes) -> Any:
    """The detail of a part, shown to be the one that its leaf commits to.

    `key` is that of the id which `parts_of` gives.

    Raises:
        InvalidEntry: another record's body, another key's, or damaged.
    """
    try:
        said, whole = _said(leaf)[name], json.loads(body)
        parts = whole if leaf["v"] == 1 else whole["parts"][name]
        ciphertext, nonce = _bytes(parts["ciphertext"]), _bytes(parts["nonce"])
        wrapped = _bytes(parts["keys"][said["keys"][0]])
        if {leaf["sealed"]["alg"], whole["alg"]} != {ALGORITHM} or said["sha256"] != sha256(
            ciphertext
        ).hexdigest():
            raise InvalidEntry("the body is not the one that the leaf names")
        bound = _PURPOSE_OF_SEAL[leaf["v"]] + (b"" if leaf["v"] == 1 else name.encode())
        plain = AESGCM(aes_key_unwrap(key, wrapped)).decrypt(nonce, ciphertext, bound)
        if said["commitment"] != sha256(plain).hexdigest():
            raise InvalidEntry("the detail is not the one that the leaf commits to")
        return json.loads(plain[SALT_BYTES:])
    except (KeyError, IndexError, TypeError, ValueError, InvalidTag, InvalidUnwrap) as error:
        raise error if isinstance(error, InvalidEntry) else InvalidEntry("cannot open") from error


def unseal_all(
    leaf: Mapping[str, Any], bodies: Sequence[bytes], key_of: Callable[[str], bytes | None]
) -> dict[str, Any]:
    """The details of all parts that open, by name; `key_of` gives the key of an id, if any.

    What was erased, whose key is gone, or that is not what the leaf commits to is left out.
    """
    found: dict[str, Any] = {}
    try:
        names = parts_of(leaf)
    except (InvalidEntry, KeyError):
        return found
    for name, key_id in names.items():
        key = key_of(key_id) if bodies else None
        for body in bodies if key is not None else ():
            with contextlib.suppress(InvalidEntry):
                found[name] = unseal(leaf, body, name, key or b"")
                break
    return found


def _bytes(text: str) -> bytes:
    data = b64decode(text, validate=True)
    if b64encode(data).decode() != text:  # unused bits are set
        raise InvalidEntry("the body was changed")
    return data


def token(key: bytes, kind: str, value: str) -> str:
    """A stable stand-in for an identifier: HMAC-SHA256 under `key`, 64 hex digits.

    `kind` ("actor", "vrm", ...) keeps equal texts of different meaning apart. A plain hash would
    not do: all number plates can be tried in seconds.

    Raises:
        InvalidEntry: the kind holds a NUL, or the key is too short to be a secret.
    """
    if "\0" in kind or len(key) < KEY_BYTES:
        raise InvalidEntry("a token needs a kind without NUL and a key of 32 bytes")
    return hmac_sha256(key, f"{kind}\0{value}".encode()).hex()
