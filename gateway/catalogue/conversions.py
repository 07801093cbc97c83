"""From a source's spelling to the canonical one and back: what a mapping file can say of a field.

`codec` reads one entry of a mapping file. Dates are in `dates.py`, code lists in `codes.py`, and
what the declarative forms cannot express is a named function in `named.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from connectors.conditions import NEVER, Compare, Op, all_of, any_of
from gateway.catalogue.booleans import any_true, bits, contains, names_of_true
from gateway.catalogue.codec import Codec, Pushed, constant, number, without
from gateway.catalogue.codes import token_argument, token_list, value_list
from gateway.catalogue.dates import date_codec, moment_codec, partial_codec
from gateway.catalogue.forms import fold_name, interval, settled
from gateway.catalogue.named import named_codec

__all__ = ["KNOWN_KEYS", "Codec", "Pushed", "codec", "constant"]

KNOWN_KEYS = frozenset(
    {"column", "columns", "first_of", "constant", "values", "code", "other", "null", "stored"}
    | {"format", "formats", "zone", "epoch", "partial", "split", "take", "join", "list", "prefix"}
    | {"variants", "function", "ask", "cut", "contains", "bits", "of", "any", "flags", "known"}
    | {"unheld", "ask_by", "default", "years_from", "argument"}
)


def codec(spec: Mapping[str, Any] | str, scalar: str, *, enum: tuple[str, ...] | None) -> Codec:
    """The codec that a mapping file's entry describes, for a field of type `scalar`.

    Raises:
        ValueError: what is wrong with the entry, in words for its author.
    """
    table: Mapping[str, Any] = {"column": spec} if isinstance(spec, str) else spec
    if unknown := set(table) - KNOWN_KEYS:
        raise ValueError(f"unknown key {min(unknown)!r}; known are {', '.join(sorted(KNOWN_KEYS))}")
    if "constant" in table:
        return _constant(table["constant"], enum)
    if table.get("unheld"):
        return constant(None)
    ask_said = "ask" in table
    if options := table.get("any"):
        made = any_true([codec(option, scalar, enum=enum) for option in options])
        return replace(made, ask_said=ask_said)
    if "flags" in table:
        return names_of_true(table["flags"], enum)
    if alternatives := table.get("first_of"):
        rest = {k: v for k, v in table.items() if k != "first_of"}
        made = _first_of([codec({**rest, "column": c}, scalar, enum=enum) for c in alternatives])
        return replace(made, ask_said=ask_said)
    built = replace(_build(table, scalar, enum), ask_said=ask_said)
    ask = table.get("ask", "")
    if ask is False:
        return replace(built, encode=lambda _op, _asked: None)  # shown there, never searched by
    return _asked_as(built, str(ask), table.get("ask_by")) if ask else built


def _constant(value: Any, enum: tuple[str, ...] | None) -> Codec:
    members = value if isinstance(value, list) else [value]
    if enum is not None and any(member not in enum for member in members):
        raise ValueError(f"{value!r} is not among {', '.join(enum)}")
    return constant(value)


def _columns(table: Mapping[str, Any]) -> tuple[str, ...]:
    columns = table.get("columns") or ([table["column"]] if "column" in table else [])
    if not columns or not all(isinstance(column, str) for column in columns):
        raise ValueError("needs a column, columns, first_of or a constant")
    return tuple(columns)


def _build(table: Mapping[str, Any], scalar: str, enum: tuple[str, ...] | None) -> Codec:
    columns = _columns(table)
    nulls = tuple(table.get("null", ()))
    if name := table.get("function"):
        return named_codec(name, columns, scalar, nulls)
    if "argument" in table:
        return token_argument(table, columns[0], scalar)
    if "list" in table:
        return token_list(table, columns[0], enum)
    if "values" in table:
        return value_list(table, columns[0], enum, nulls)
    if "contains" in table:
        return contains(table, columns[0])
    if "bits" in table:
        return bits(table, columns[0])
    if enum is not None:
        return _plain(columns[0], scalar, nulls, "exact", None)
    if scalar == "PartialDate" or "partial" in table:
        return partial_codec(table, columns, nulls)
    if scalar == "Date":
        return date_codec(table, columns[0], nulls)
    if scalar == "DateTime":
        return moment_codec(table, columns[0], nulls)
    if "split" in table:
        return _split(table, columns[0], scalar)
    if len(columns) > 1:
        return _joined(columns, str(table.get("join", " ")), table.get("stored"))
    if "prefix" in table:
        return _prefixed(columns[0], str(table["prefix"]), table.get("stored"))
    if "known" in table:
        return _known(columns[0], table["known"])
    if variants := table.get("variants"):
        return _variants(columns[0], scalar, str(variants), nulls)
    return _plain(columns[0], scalar, nulls, table.get("stored"), table.get("cut"))


# --- several places, other words ------------------------------------------------------------------


def _first_of(options: Sequence[Codec]) -> Codec:
    """The first of several places that holds a value: for sources whose keys drift."""

    def decode(raw: Sequence[Any]) -> Any:
        return next(
            (v for c, r in zip(options, raw, strict=True) if (v := c.decode((r,))) is not None),
            None,
        )

    def encode(op: Op, asked: Any) -> Pushed | None:
        parts = [option.encode(op, asked) for option in options]
        if any(part is None for part in parts):
            return None
        return Pushed(any_of(p.condition for p in parts if p), exact=False)

    return Codec(
        columns=tuple(option.columns[0] for option in options), decode=decode, encode=encode
    )


def _asked_as(built: Codec, ask: str, by: str | None) -> Codec:
    """The source has a search word of its own for this field; we check what it gives.

    `by` is "year" where the word compares dates part by part: it would miss a record of which
    only the year is known, so it is given the years and we compare the rest.
    """
    if by not in {None, "year"}:
        raise ValueError("'ask_by' is year")

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op not in {Op.EQ, Op.IN}:
            return None
        if by is None:
            return Pushed(Compare(ask, op, asked), exact=False)
        spans = [interval(v) for v in (asked if isinstance(asked, tuple) else (asked,))]
        years = [y for low, high in spans for y in range(int(low[:4]), int(high[:4]) + 1)]
        spelt = tuple(f"{year:04}" for year in dict.fromkeys(years))
        return Pushed(Compare(ask, Op.IN, spelt), exact=False)

    return replace(built, encode=encode)


# --- text and numbers ----------------------------------------------------------------------------


def _plain(
    column: str, scalar: str, nulls: Sequence[Any], stored: str | None, cut: int | None
) -> Codec:
    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
        if scalar in {"Int", "Float"}:
            return number(scalar, value)
        # A key keeps its kind: a source that numbers its records is asked for numbers.
        numbered = scalar == "Key" and isinstance(value, int)
        if scalar in _TEXTUAL | {"Key"} and value is not None and not numbered:
            value = str(value)
        return settled(scalar, value.rstrip() if isinstance(value, str) else value)

    def encode(op: Op, asked: Any) -> Pushed | None:
        if scalar == "GivenNames":
            return None  # any of the names in it may be meant, and a source finds the first alone
        if scalar == "Name":
            return _name_condition(column, op, asked, stored, cut)
        if stored == "number":
            return _numbered(column, op, asked)
        if scalar in _TEXTUAL and op is Op.STARTSWITH and stored not in {None, "exact"}:
            return Pushed(Compare(column, op, _styled(asked, stored)))
        value = (
            tuple(_styled(v, stored) for v in asked)
            if isinstance(asked, tuple)
            else _styled(asked, stored)
        )
        # A source's own word for "unknown" is no value: it neither precedes one nor differs.
        plain = op in {Op.EQ, Op.IN}
        known = () if plain else tuple(Compare(column, Op.NE, null) for null in nulls)
        return Pushed(all_of((Compare(column, op, value), *known)))

    return Codec(columns=(column,), decode=decode, encode=encode, cut=cut)


_TEXTUAL = frozenset(
    {"String", "Name", "GivenNames", "Vrm", "E164", "Postcode", "CountryCode"}
    | {"DocumentNumber", "ContactValue"}
)


def _styled(value: Any, stored: str | None) -> Any:
    if not isinstance(value, str):
        return value
    match stored:
        case "upper":
            return value.upper()
        case "lower":
            return value.lower()
        case "title":
            return value.title()
        case _:
            return value


def _name_condition(
    column: str, op: Op, asked: Any, stored: str | None, cut: int | None
) -> Pushed | None:
    """Names are pushed where the source spells them in capitals; elsewhere only we can compare."""
    if stored != "upper" or not isinstance(asked, str):
        return None
    folded = fold_name(asked)
    if op is Op.STARTSWITH:
        starts = dict.fromkeys((folded[:cut], folded.replace(" ", "-")[:cut]))
        return Pushed(any_of(Compare(column, op, start) for start in starts))
    if op is not Op.EQ:
        return None
    spellings = (folded[:cut], folded[:cut].rstrip(), folded.replace(" ", "-")[:cut])
    return Pushed(Compare(column, Op.IN, tuple(dict.fromkeys(spellings))))


def _numbered(column: str, op: Op, asked: Any) -> Pushed | None:
    """A number there, a text everywhere else; text that is no number stands for no row."""
    if op not in {Op.EQ, Op.IN}:
        return None
    texts = [str(v) for v in (asked if isinstance(asked, tuple) else (asked,))]
    numbers = tuple(int(text) for text in texts if re.fullmatch(r"[1-9][0-9]{0,17}", text))
    return Pushed(Compare(column, Op.IN, numbers) if numbers else NEVER)


def _joined(columns: tuple[str, ...], glue: str, stored: str | None) -> Codec:
    def decode(raw: Sequence[Any]) -> Any:
        return glue.join(str(v).strip() for v in raw if without((), v) is not None) or None

    def encode(op: Op, asked: Any) -> Pushed | None:
        parts = [_name_condition(column, op, asked, stored, None) for column in columns]
        if any(part is None for part in parts):
            return None
        words = fold_name(asked).split()
        if op is Op.EQ and len(words) > 1:
            # all of them were asked: the first stands in one of the columns, we see to the others
            first = [Compare(column, Op.STARTSWITH, words[0]) for column in columns]
            return Pushed(any_of(first), exact=False)
        return Pushed(any_of(part.condition for part in parts if part))

    return Codec(columns=columns, decode=decode, encode=encode)


def _split(table: Mapping[str, Any], column: str, scalar: str) -> Codec:
    """One column that holds several parts; the first separator that occurs decides."""
    separators = table["split"] if isinstance(table["split"], list) else [table["split"]]
    takes = table["take"] if isinstance(table["take"], list) else [table["take"]]
    cut = table.get("cut")
    if len(separators) != len(takes):
        raise ValueError("'take' says one position for each separator of 'split'")

    def decode(raw: Sequence[Any]) -> Any:
        text = without((), raw[0])
        for separator, take in zip(separators, takes, strict=True):
            if text is not None and separator in text:
                pieces = [piece.strip() for piece in text.split(separator)]
                return pieces[take] if -len(pieces) <= take < len(pieces) else None
        return settled(scalar, text) if text is not None and scalar == "Name" else None

    def encode(op: Op, asked: Any) -> Pushed | None:
        if len(separators) > 1 or takes[0] != 0 or table.get("stored") != "upper":
            return None
        if op not in {Op.EQ, Op.STARTSWITH} or not isinstance(asked, str):
            return None
        folded = fold_name(asked)[:cut]
        after = separators[0] if op is Op.EQ else ""
        spellings = tuple(dict.fromkeys((folded, folded.replace(" ", "-"))))
        asked_for = [Compare(column, Op.STARTSWITH, s + after) for s in spellings]
        if op is Op.EQ and scalar == "Name":  # a text without the separator is a name as well
            asked_for.append(Compare(column, Op.IN, spellings))
        return Pushed(any_of(asked_for))

    return Codec(columns=(column,), decode=decode, encode=encode, cut=cut)


def _prefixed(column: str, prefix: str, stored: str | None) -> Codec:
    """The canonical value is the stored one behind a fixed prefix."""

    def strip(value: Any) -> str | None:
        return value[len(prefix) :] if str(value).startswith(prefix) else None

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op not in {Op.EQ, Op.IN}:
            return None
        keys = [strip(v) for v in (asked if isinstance(asked, tuple) else (asked,))]
        kept = tuple(key for key in keys if key is not None)
        if stored == "number":
            return _numbered(column, Op.IN, kept)
        return Pushed(Compare(column, Op.IN, kept) if kept else NEVER)

    def decode(raw: Sequence[Any]) -> Any:
        return None if without((), raw[0]) is None else f"{prefix}{str(raw[0]).strip()}"

    return Codec(columns=(column,), decode=decode, encode=encode)


def _known(column: str, names: Sequence[str]) -> Codec:
    """Free text in which one of these names stands: that name, else the text as it is."""
    folded = {fold_name(name): name for name in names}

    def decode(raw: Sequence[Any]) -> Any:
        text = without((), raw[0])
        if text is None:
            return None
        words = f" {re.sub(r'[()/]', ' ', fold_name(str(text)))} "
        return next((name for key, name in folded.items() if f" {key} " in words), str(text))

    return Codec(columns=(column,), decode=decode, encode=lambda _op, _asked: None)


def _spellings(style: str, value: str) -> tuple[str, ...]:
    """Every way in which a source of mixed habits may have written a value in normal form."""
    match style:
        case "vrm":
            spaced = re.sub(r"\A([A-Z]{2}\d{2})([A-Z]{3})\Z", r"\1 \2", value)
            return tuple(dict.fromkeys((value, spaced)))
        case "phone":
            national = "0" + value[3:] if value.startswith("+44") else value
            return tuple(
                dict.fromkeys(
                    (
                        value,
                        "00" + value[1:],
                        value[1:],
                        national,
                        f"{national[:5]} {national[5:]}",
                        f"{value[:3]} {value[3:]}",
                    )
                )
            )
        case "pncid":
            year, slash, serial = value.partition("/")
            return tuple(dict.fromkeys((value, f"{year}/{serial.lstrip('0')}"))) if slash else ()
        case _:
            raise ValueError("'variants' is vrm, phone or pncid")


def _variants(column: str, scalar: str, style: str, nulls: Sequence[Any]) -> Codec:
    _spellings(style, "")  # a wrong style is a fault of the file, found before any question

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op not in {Op.EQ, Op.IN}:
            return None
        values = asked if isinstance(asked, tuple) else (asked,)
        spelt = tuple(s for v in values for s in _spellings(style, str(v)))
        return Pushed(Compare(column, Op.IN, spelt) if spelt else NEVER)

    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
        return None if value is None else settled(scalar, str(value))

    return Codec(columns=(column,), decode=decode, encode=encode)
