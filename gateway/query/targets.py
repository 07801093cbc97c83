"""Whom or what a question is about, as keyed tokens that tell nobody.

Each alternative of what is asked is one target, and so is each value that alone stands for somebody
or something: a document's number, a phone, a plate, the key of a record, a stored image whose like
is looked for. A probe that an officer brings is new each time: searches by face have a budget of
their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from connectors.conditions import And, Compare, Condition, IsNull, Op, Or
from gateway.identifiers import hmac_sha256
from gateway.model import Plan

_DOMAIN: Final = b"portcullis target v1\0"
_ALONE: Final = frozenset({"native_key", "vrm", "value", "identifiers.value", "contacts.value"})


def targets_of(plan: Plan, key: bytes) -> frozenset[str]:
    """The targets of a plan's roots, each as 32 hexadecimal digits of an HMAC-SHA-256."""
    asked = {fetch.where for fetch in plan.fetches if fetch.parent is None}
    found = {text for where in asked for text in _texts(where)}
    near = ((fetch.source, fetch.near.ref_key) for fetch in plan.fetches if fetch.near is not None)
    found |= {f"like\0{source}\0{image}" for source, image in near if image}
    return frozenset(hmac_sha256(key, _DOMAIN + t.encode()).hex()[:32] for t in found)


def _texts(where: Condition) -> Iterator[str]:
    match where:
        case Or(parts):
            for part in parts:
                yield from _texts(part)
        case And(parts):
            if parts:
                yield "\0".join(sorted(map(repr, parts)))
            for part in parts:
                if isinstance(part, Compare) and part.op is Op.EQ and part.field in _ALONE:
                    yield repr(part)
        case Compare() | IsNull():
            yield repr(where)
