"""Yes or no, read from lists of codes, from bit masks, or from several places at once.

Rules rest on such fields, so a source must be able to apply them itself. A list of few tokens and a
mask of few bits can only hold so many values: `of` names the tokens or bits that there are, and the
source is asked for each value that they can make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, TypeVar

from connectors.conditions import Compare, Condition, IsNull, Op, Scalar, all_of, any_of, holds
from gateway.catalogue.codec import Codec, Decode, Encode, Pushed

_MOST = 8  # tokens or bits, so that a source is never asked for more than 256 values
_T = TypeVar("_T")


def contains(table: Mapping[str, Any], column: str) -> Codec:
    """True where a list, or a text of codes between commas, holds one of the tokens.

    `of` lists every token in the order in which the source writes them; without it, only we can
    tell. What follows a colon is a token's argument.
    """
    wanted = table["contains"] if isinstance(table["contains"], list) else [table["contains"]]
    every = [str(token) for token in table.get("of", ())]
    _few(every)

    def decode(raw: Sequence[Any]) -> Any:
        tokens = raw[0] if isinstance(raw[0], list) else str(raw[0] or "").split(",")
        return any(str(item).strip().split(":")[0] in wanted for item in tokens)

    texts = tuple(",".join(chosen) for chosen in _subsets(every) if chosen)
    return Codec(columns=(column,), decode=decode, encode=_among(column, decode, texts))


def bits(table: Mapping[str, Any], column: str) -> Codec:
    """True where a mask has one of the bits. `of` lists every bit; without it, only we can tell."""
    wanted = sum(table["bits"])
    every = [int(bit) for bit in table.get("of", ())]
    _few(every)

    def decode(raw: Sequence[Any]) -> Any:
        return isinstance(raw[0], int) and bool(raw[0] & wanted)

    masks = tuple(sum(chosen) for chosen in _subsets(every)) if every else ()
    return Codec(columns=(column,), decode=decode, encode=_among(column, decode, masks))


def any_true(options: Sequence[Codec]) -> Codec:
    """True where any of several is."""
    places: list[slice] = []
    for option in options:
        start = places[-1].stop if places else 0
        places.append(slice(start, start + len(option.columns)))

    def decode(raw: Sequence[Any]) -> Any:
        return any(o.decode(raw[place]) for o, place in zip(options, places, strict=True))

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op is not Op.EQ or not isinstance(asked, bool):
            return None
        parts = [part for option in options if (part := option.encode(op, asked)) is not None]
        if len(parts) < len(options):
            return None
        join = any_of if asked else all_of
        return Pushed(join(part.condition for part in parts), all(part.exact for part in parts))

    columns = tuple(column for option in options for column in option.columns)
    return Codec(columns=columns, decode=decode, encode=encode)


def names_of_true(names: Mapping[str, Any], enum: tuple[str, ...] | None) -> Codec:
    """A list: for each column that is true, its name."""
    if enum is not None and set(names.values()) - set(enum):
        raise ValueError(f"a value is not among {', '.join(enum)}")

    def decode(raw: Sequence[Any]) -> Any:
        return [name for name, value in zip(names.values(), raw, strict=True) if value]

    return Codec(columns=tuple(names), decode=decode, encode=lambda _op, _asked: None)


def _few(every: Sequence[Any]) -> None:
    if len(every) > _MOST:
        raise ValueError(f"'of' lists at most {_MOST}: the source is asked for each combination")


def _subsets(items: Sequence[_T]) -> Iterator[tuple[_T, ...]]:
    return chain.from_iterable(combinations(items, size) for size in range(len(items) + 1))


def _among(column: str, decode: Decode, held: Sequence[Scalar]) -> Encode:
    """Asks for those of the few values, or for nothing held, that read as what was asked."""

    def encode(op: Op, asked: Any) -> Pushed | None:
        if not held or op not in {Op.EQ, Op.NE, Op.IN}:
            return None

        def meant(value: Any) -> bool:
            return holds(Compare("v", op, asked), {"v": decode((value,))})

        parts: list[Condition] = []
        if values := tuple(value for value in held if meant(value)):
            parts.append(Compare(column, Op.IN, values))
        if meant(None):
            parts.append(IsNull(column))
            parts.extend([Compare(column, Op.EQ, "")] if isinstance(held[0], str) else [])
        return Pushed(any_of(parts))

    return encode
