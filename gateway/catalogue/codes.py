"""Code lists and lists of codes: one value, many values, or whether a value is among them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.conditions import NEVER, Compare, Condition, Op, Scalar
from gateway.catalogue.codec import Codec, Pushed, without


def _code(table: Mapping[str, Any], text: str) -> Scalar:
    if table.get("code") == "int":
        return int(text)
    if table.get("code") == "bool":
        return text == "true"
    return text


def value_list(
    table: Mapping[str, Any], column: str, enum: tuple[str, ...] | None, nulls: Sequence[Any]
) -> Codec:
    """A code list. A code that is not in it reads as `other`, or null."""
    meanings = {_code(table, str(code)): value for code, value in table["values"].items()}
    other = table.get("other")
    for meaning in (*meanings.values(), *(() if other is None else (other,))):
        if enum is not None and meaning not in enum:
            raise ValueError(f"{meaning!r} is not among {', '.join(enum)}")

    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
        return None if value is None else meanings.get(value, other)

    def codes(wanted: Callable[[Any], bool]) -> Condition:
        kept = tuple(code for code, meaning in meanings.items() if wanted(meaning))
        return Compare(column, Op.IN, kept) if kept else NEVER

    def encode(op: Op, asked: Any) -> Pushed | None:
        if other is not None:
            return None  # codes outside the list count too, and we do not know them
        match op:
            case Op.EQ:
                return Pushed(codes(lambda meaning: bool(meaning == asked)))
            case Op.IN:
                return Pushed(codes(lambda meaning: meaning in asked))
            case Op.NE:
                return Pushed(codes(lambda meaning: bool(meaning != asked)))
            case _:
                return None

    return Codec(columns=(column,), decode=decode, encode=encode)


def token_list(table: Mapping[str, Any], column: str, enum: tuple[str, ...] | None) -> Codec:
    """A text of codes between separators, or a list; what follows a colon is an argument."""
    separator = str(table["list"])
    meanings = table.get("values")
    if meanings is not None and enum is not None and set(meanings.values()) - set(enum):
        raise ValueError(f"a value is not among {', '.join(enum)}")

    def decode(raw: Sequence[Any]) -> Any:
        value = raw[0]
        tokens = value if isinstance(value, list) else str(value or "").split(separator)
        names = [str(token).strip().split(":")[0] for token in tokens if token is not None]
        found = [name if meanings is None else meanings.get(name) for name in names if name]
        return [name for name in found if name is not None]

    return Codec(columns=(column,), decode=decode, encode=lambda _op, _asked: None)


def contains(column: str, token: str) -> Codec:
    """True where a list, or a text of codes, holds the token. Only we can tell."""

    def decode(raw: Sequence[Any]) -> Any:
        tokens = raw[0] if isinstance(raw[0], list) else str(raw[0] or "").split(",")
        return token in {str(item).strip().split(":")[0] for item in tokens}

    return Codec(columns=(column,), decode=decode, encode=lambda _op, _asked: None)
