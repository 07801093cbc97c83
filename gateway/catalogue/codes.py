"""Code lists and lists of codes: one value, or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from connectors.conditions import NEVER, Compare, Condition, IsNull, Op, Scalar, any_of
from gateway.catalogue.codec import Codec, Pushed, without
from gateway.catalogue.forms import settled


def _code(table: Mapping[str, Any], text: str) -> Scalar:
    if table.get("code") == "int":
        return int(text)
    if table.get("code") == "bool":
        return text == "true"
    return text


def value_list(
    table: Mapping[str, Any], column: str, enum: tuple[str, ...] | None, nulls: Sequence[Any]
) -> Codec:
    """A code list. A code that is not in it reads as `other`, or null; "" is for nothing held."""
    listed = dict(table["values"])
    blank = listed.pop("", None)
    meanings = {_code(table, str(code)): value for code, value in listed.items()}
    other = table.get("other")
    for meaning in (*meanings.values(), *(m for m in (other, blank) if m is not None)):
        if enum is not None and meaning not in enum:
            raise ValueError(f"{meaning!r} is not among {', '.join(enum)}")

    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
        return blank if value is None else meanings.get(value, other)

    def codes(wanted: Callable[[Any], bool]) -> Condition:
        kept = tuple(code for code, meaning in meanings.items() if wanted(meaning))
        asked = Compare(column, Op.IN, kept) if kept else NEVER
        if blank is None or not wanted(blank):
            return asked
        return any_of((asked, IsNull(column), Compare(column, Op.EQ, "")))

    def equal(asked: Any) -> Pushed:
        return Pushed(codes(lambda meaning: bool(meaning == asked)))

    listed_codes = (*meanings, *nulls)
    alike = {meaning: equal(meaning) for meaning in (*meanings.values(), blank)}

    def encode(op: Op, asked: Any) -> Pushed | None:
        if other is not None:
            return None  # codes outside the list count too, and we do not know them
        match op:
            case Op.EQ:
                return alike.get(asked) or equal(asked)
            case Op.IN:
                return Pushed(codes(lambda meaning: meaning in asked))
            case Op.NE:
                return Pushed(codes(lambda meaning: bool(meaning != asked)))
            case _:
                return None

    return Codec(
        columns=(column,),
        decode=decode,
        encode=encode,
        strange=None if other is not None else lambda held: held not in listed_codes,
        wants=_NUMBERS if table.get("code") == "int" else frozenset(),
    )


_NUMBERS = frozenset({"integer", "number", "boolean"})


def token_list(table: Mapping[str, Any], column: str, enum: tuple[str, ...] | None) -> Codec:
    """A text of codes between separators, or a list; what follows a colon is an argument. A code
    that is not in `values` reads as `other`, or is left out."""
    separator = str(table["list"])
    meanings, other = table.get("values"), table.get("other")
    told = {*(meanings or {}).values(), *([other] if other is not None else [])}
    if enum is not None and told - set(enum):
        raise ValueError(f"a value is not among {', '.join(enum)}")

    def decode(raw: Sequence[Any]) -> Any:
        names = [name for name, _ in _tokens(raw[0], separator)]
        found = [name if meanings is None else meanings.get(name, other) for name in names]
        return [name for name in found if name is not None]

    def strange(held: Any) -> bool:
        return any(name not in (meanings or {}) for name, _ in _tokens(held, separator))

    return Codec(
        columns=(column,),
        decode=decode,
        encode=lambda _op, _asked: None,
        strange=None if meanings is None or other is not None else strange,
    )


def token_argument(table: Mapping[str, Any], column: str, scalar: str) -> Codec:
    """What follows the colon of one code; null where the code is not held. Of several dates the
    earliest counts, and a date that cannot be read is long past."""
    separator, wanted = str(table["list"]), str(table["argument"])

    def decode(raw: Sequence[Any]) -> Any:
        found = [argument for name, argument in _tokens(raw[0], separator) if name == wanted]
        if not found or scalar != "Date":
            return found or None
        return min(settled("Date", argument) or date.min.isoformat() for argument in found)

    def strange(held: Any) -> bool:
        found = [argument for name, argument in _tokens(held, separator) if name == wanted]
        return scalar == "Date" and any(settled("Date", argument) is None for argument in found)

    return Codec(columns=(column,), decode=decode, encode=lambda _op, _asked: None, strange=strange)


def _tokens(value: Any, separator: str) -> Iterator[tuple[str, str]]:
    """Each code that is held, and its argument."""
    tokens = value if isinstance(value, list) else str(value or "").split(separator)
    for token in tokens:
        name, _, argument = str(token if token is not None else "").strip().partition(":")
        if name:
            yield name, argument.strip()
