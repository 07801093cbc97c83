"""JSON of which there is only one reading (RFC 8259, narrowed as RFC 7493 advises).

Two programs that read one text must not see two questions: duplicate keys, a byte order mark,
lone surrogates, NUL, NaN and numbers that overflow are refused. The cost grows with the text's
length alone.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from gateway.errors import LimitExceeded, MalformedRequest

_NUMBER_CHARS = 40  # more than any number that a variable may hold; bounds int()'s quadratic work
# Possessive, and a string left open runs to the end: no text is scanned twice.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = re.compile(r"[^\[\]{}]++")
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")


def decoded(body: bytes, *, depth: int) -> Any:
    """The value of a JSON text of at most `depth` nested lists and objects.

    Raises:
        MalformedRequest: it is not UTF-8, not JSON, or has more than one reading.
        LimitExceeded: it is nested too deep.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequest("The body must be UTF-8.") from error
    return loaded(text, depth=depth)


def loaded(text: str, *, depth: int) -> Any:
    """The same for text that is decoded already.

    Raises:
        MalformedRequest: it is not JSON, or has more than one reading.
        LimitExceeded: it is nested too deep.
    """
    if text.startswith("\ufeff"):
        raise MalformedRequest("The body must not begin with a byte order mark.")
    if (found := _depth(text)) > depth:
        raise LimitExceeded.of("variables_depth", depth, found)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except ValueError as error:
        raise MalformedRequest("The body is not JSON.") from error
    if "\\u" in text:  # the only way for these two into a decoded text
        _check_texts(value)
    return value


def _depth(text: str) -> int:
    """How deep lists and objects nest, brackets within strings aside."""
    deepest = level = 0
    for bracket in _NO_BRACKETS.sub("", _STRING.sub("", text)):
        level += 1 if bracket in "[{" else -1
        deepest = max(deepest, level)
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise MalformedRequest("An object in the body has the same key twice.")
    return value


def _integer(text: str) -> int:
    if len(text) > _NUMBER_CHARS:
        raise MalformedRequest("A number in the body is too long.")
    return int(text)


def _number(text: str) -> float:
    if len(text) > _NUMBER_CHARS:
        raise MalformedRequest("A number in the body is too long.")
    value = float(text)
    if not math.isfinite(value):
        raise MalformedRequest("A number in the body is too large.")
    return value


def _constant(_text: str) -> float:
    raise MalformedRequest("NaN and Infinity are not JSON.")


def _check_texts(value: Any) -> None:
    """Refuse NUL and lone surrogates in any text, keys included. Without recursion."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                check_text(text)
            case list() as items:
                waiting += items
            case dict() as members:
                waiting += members.keys()
                waiting += members.values()


def check_text(text: str) -> None:
    """Refuse a text that cannot be stored and read back as it is.

    Raises:
        MalformedRequest: it holds NUL or half of a surrogate pair.
    """
    if "\0" in text or _HALF_PAIR.search(text):
        raise MalformedRequest("A text in the body holds NUL or half of a surrogate pair.")
