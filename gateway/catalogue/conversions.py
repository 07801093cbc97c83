"""From a source's spelling to the canonical one and back: what a mapping file can say of a field.

A `Codec` reads the canonical value from a row's columns, and turns a comparison in canonical terms
into a condition in the source's own: the same rows (`exact`), or more of them when only the
gateway's check can tell (`superset`), or None where the source cannot help at all.

What the declarative forms cannot express is a named function in `FUNCTIONS`, below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import pycountry
from pyproj import Transformer

from connectors.conditions import (
    ALWAYS,
    NEVER,
    Compare,
    Condition,
    Op,
    Scalar,
    all_of,
    any_of,
    holds,
)
from gateway.catalogue.forms import fold_name, interval, partial_of, settled, utc_text


@dataclass(frozen=True, slots=True)
class Pushed:
    """A condition that a source can be asked; `exact` if it holds for just the rows meant."""

    condition: Condition
    exact: bool = True


Decode: TypeAlias = Callable[[Sequence[Any]], Any]
Encode: TypeAlias = Callable[[Op, Any], Pushed | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """How one field stands in one source. `columns` are what `decode` takes, in order."""

    columns: tuple[str, ...]
    decode: Decode
    encode: Encode
    constant: bool = False
    value: Any = None  # the constant


def constant(value: Any) -> Codec:
    """A field that has one value in the whole source."""

    def encode(op: Op, asked: Any) -> Pushed | None:

        return Pushed(ALWAYS if holds(Compare("v", op, asked), {"v": value}) else NEVER)

    return Codec(columns=(), decode=lambda _: value, encode=encode, constant=True, value=value)


KNOWN_KEYS = frozenset(
    {"column", "columns", "first_of", "constant", "values", "code", "other", "null", "stored"}
    | {"format", "formats", "zone", "epoch", "partial", "split", "take", "join", "list", "prefix"}
    | {"variants", "function", "ask", "cut", "contains"}
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
    if alternatives := table.get("first_of"):
        rest = {k: v for k, v in table.items() if k != "first_of"}
        return _first_of([codec({**rest, "column": c}, scalar, enum=enum) for c in alternatives])
    built = _build(table, scalar, enum)
    if ask := table.get("ask"):
        return _asked_as(built, ask)
    return built


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
        return _function(name, columns, scalar, nulls)
    if "list" in table:
        return _token_list(table, columns[0], enum)
    if "values" in table:
        return _value_list(table, columns[0], enum, nulls)
    if enum is not None and "contains" not in table:
        return _plain(columns[0], scalar, nulls, "exact", None)
    if "contains" in table:
        return _contains(columns[0], str(table["contains"]))
    if scalar == "PartialDate" or "partial" in table:
        return _partial_date(table, columns, nulls)
    if scalar == "Date":
        return _date(table, columns[0], nulls)
    if scalar == "DateTime":
        return _moment(table, columns[0], nulls)
    if "split" in table:
        return _split(table, columns[0], scalar)
    if len(columns) > 1:
        return _joined(columns, str(table.get("join", " ")), table.get("stored"))
    if "prefix" in table:
        return _prefixed(columns[0], str(table["prefix"]))
    if variants := table.get("variants"):
        return _variants(columns[0], scalar, str(variants), nulls)
    return _plain(columns[0], scalar, nulls, table.get("stored"), table.get("cut"))


def _without(nulls: Sequence[Any], value: Any) -> Any:
    """The value, or None for null, blank text and the source's own words for "unknown"."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    for null in nulls:
        if value == null or (isinstance(value, date) and value.isoformat()[:10] == null):
            return None
    return value


# --- text and numbers ----------------------------------------------------------------------------


def _plain(
    column: str, scalar: str, nulls: Sequence[Any], stored: str | None, cut: int | None
) -> Codec:
    def decode(raw: Sequence[Any]) -> Any:
        value = _without(nulls, raw[0])
        if scalar in {"Int", "Float"}:
            return _number(scalar, value)
        # A key keeps its kind: a source that numbers its records is asked for numbers.
        numbered = scalar == "Key" and isinstance(value, int)
        if scalar in _TEXTUAL | {"Key"} and value is not None and not numbered:
            value = str(value)
        return settled(scalar, value.rstrip() if isinstance(value, str) else value)

    def encode(op: Op, asked: Any) -> Pushed | None:
        if scalar in {"Name", "GivenNames"}:
            return _name_condition(column, op, asked, stored, cut)
        if scalar in _TEXTUAL and op is Op.STARTSWITH and stored not in {None, "exact"}:
            return Pushed(Compare(column, op, _styled(asked, stored)))
        value = (
            tuple(_styled(v, stored) for v in asked)
            if isinstance(asked, tuple)
            else _styled(asked, stored)
        )
        return Pushed(Compare(column, op, value))

    return Codec(columns=(column,), decode=decode, encode=encode)


_TEXTUAL = frozenset(
    {"String", "Name", "GivenNames", "Vrm", "E164", "Postcode", "CountryCode"}
    | {"DocumentNumber", "ContactValue"}
)


def _number(scalar: str, value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if value is None or isinstance(value, bool):
        return None
    return int(value) if scalar == "Int" else float(value)


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
        return Pushed(Compare(column, op, folded[:cut]))
    if op is not Op.EQ:
        return None
    spellings = dict.fromkeys((folded[:cut], folded.replace(" ", "-")[:cut]))
    return Pushed(Compare(column, Op.IN, tuple(spellings)))


def _joined(columns: tuple[str, ...], glue: str, stored: str | None) -> Codec:
    def decode(raw: Sequence[Any]) -> Any:
        return glue.join(str(v).strip() for v in raw if _without((), v) is not None) or None

    def encode(op: Op, asked: Any) -> Pushed | None:
        parts = [_name_condition(column, op, asked, stored, None) for column in columns]
        if any(part is None for part in parts):
            return None
        return Pushed(any_of(part.condition for part in parts if part))

    return Codec(columns=columns, decode=decode, encode=encode)


def _split(table: Mapping[str, Any], column: str, scalar: str) -> Codec:
    """One column that holds several parts; the first separator that occurs decides."""
    separators = table["split"] if isinstance(table["split"], list) else [table["split"]]
    takes = table["take"] if isinstance(table["take"], list) else [table["take"]]
    if len(separators) != len(takes):
        raise ValueError("'take' says one position for each separator of 'split'")

    def decode(raw: Sequence[Any]) -> Any:
        text = _without((), raw[0])
        for separator, take in zip(separators, takes, strict=True):
            if text is not None and separator in text:
                pieces = [piece.strip() for piece in text.split(separator)]
                return pieces[take] if -len(pieces) <= take < len(pieces) else None
        return settled(scalar, text) if text is not None and scalar == "Name" else None

    def encode(op: Op, asked: Any) -> Pushed | None:
        if len(separators) > 1 or takes[0] != 0 or table.get("stored") != "upper":
            return None
        folded = fold_name(asked) if isinstance(asked, str) else ""
        if op is Op.EQ:
            return Pushed(Compare(column, Op.STARTSWITH, folded + separators[0]))
        return Pushed(Compare(column, op, folded)) if op is Op.STARTSWITH else None

    return Codec(columns=(column,), decode=decode, encode=encode)


def _prefixed(column: str, prefix: str) -> Codec:
    """The canonical value is the stored one behind a fixed prefix."""

    def strip(value: Any) -> str | None:
        return value[len(prefix) :] if str(value).startswith(prefix) else None

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op not in {Op.EQ, Op.IN}:
            return None
        keys = [strip(v) for v in (asked if isinstance(asked, tuple) else (asked,))]
        kept = tuple(key for key in keys if key is not None)
        return Pushed(Compare(column, Op.IN, kept) if kept else NEVER)

    def decode(raw: Sequence[Any]) -> Any:
        return None if _without((), raw[0]) is None else f"{prefix}{str(raw[0]).strip()}"

    return Codec(columns=(column,), decode=decode, encode=encode)


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
                    (value, "00" + value[1:], value[1:], national, f"{national[:5]} {national[5:]}")
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
        value = _without(nulls, raw[0])
        return None if value is None else settled(scalar, str(value))

    return Codec(columns=(column,), decode=decode, encode=encode)


# --- code lists ----------------------------------------------------------------------------------


def _code(table: Mapping[str, Any], text: str) -> Scalar:
    if table.get("code") == "int":
        return int(text)
    if table.get("code") == "bool":
        return text == "true"
    return text


def _value_list(
    table: Mapping[str, Any], column: str, enum: tuple[str, ...] | None, nulls: Sequence[Any]
) -> Codec:
    """A code list. A code that is not in it reads as `other`, or null."""
    meanings = {_code(table, str(code)): value for code, value in table["values"].items()}
    other = table.get("other")
    for meaning in (*meanings.values(), *(() if other is None else (other,))):
        if enum is not None and meaning not in enum:
            raise ValueError(f"{meaning!r} is not among {', '.join(enum)}")

    def decode(raw: Sequence[Any]) -> Any:
        value = _without(nulls, raw[0])
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


def _token_list(table: Mapping[str, Any], column: str, enum: tuple[str, ...] | None) -> Codec:
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


def _contains(column: str, token: str) -> Codec:
    """True where a list, or a text of codes, holds the token. Only we can tell."""

    def decode(raw: Sequence[Any]) -> Any:
        tokens = raw[0] if isinstance(raw[0], list) else str(raw[0] or "").split(",")
        return token in {str(item).strip().split(":")[0] for item in tokens}

    return Codec(columns=(column,), decode=decode, encode=lambda _op, _asked: None)


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


def _asked_as(built: Codec, ask: str) -> Codec:
    """The source has a search word of its own for this field; we check what it gives."""

    def encode(op: Op, asked: Any) -> Pushed | None:
        return Pushed(Compare(ask, op, asked), exact=False) if op in {Op.EQ, Op.IN} else None

    return Codec(columns=built.columns, decode=built.decode, encode=encode)


# --- dates and times -----------------------------------------------------------------------------

_SORTED_FORMATS = frozenset(
    {"%Y-%m-%d", "%Y%m%d", "%Y%j", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"}
)


def _parsed(text: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - the zone is added later
    except ValueError:
        return None


def _date(table: Mapping[str, Any], column: str, nulls: Sequence[Any]) -> Codec:
    pattern = table.get("format")

    def decode(raw: Sequence[Any]) -> Any:
        value = _without(nulls, raw[0])
        if isinstance(value, str) and pattern:
            moment = _parsed(value, pattern)
            return moment.date().isoformat() if moment else None
        if isinstance(value, date):
            return value.isoformat()[:10]
        return settled("Date", value)

    def encode(op: Op, asked: Any) -> Pushed | None:
        if pattern and op not in {Op.EQ, Op.IN} and pattern not in _SORTED_FORMATS:
            return None  # this spelling does not sort like the days it stands for

        def native(text: str) -> Scalar:
            day = date.fromisoformat(text)
            return day.strftime(pattern) if pattern else day

        value = tuple(native(v) for v in asked) if isinstance(asked, tuple) else native(asked)
        return Pushed(all_of((Compare(column, op, value), *_not_null(column, nulls, pattern))))

    return Codec(columns=(column,), decode=decode, encode=encode)


def _not_null(column: str, nulls: Sequence[Any], pattern: str | None) -> list[Condition]:
    """A source's own word for "unknown" must not take part in an order."""
    return [
        Compare(column, Op.NE, null if pattern or not isinstance(null, str) else _day(null))
        for null in nulls
    ]


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _moment(table: Mapping[str, Any], column: str, nulls: Sequence[Any]) -> Codec:
    """A point in time. A local clock repeats an hour each autumn: there, only we can compare."""
    zone = ZoneInfo(str(table.get("zone", "UTC")))
    pattern, epoch = table.get("format"), table.get("epoch")
    if epoch not in {None, "ms", "s"}:
        raise ValueError("'epoch' is ms or s")
    divisor = 1000 if epoch == "ms" else 1
    local = str(zone) != "UTC" and not epoch

    def decode(raw: Sequence[Any]) -> Any:
        value = _without(nulls, raw[0])
        if value is None:
            return None
        if epoch:
            number = _number("Float", value)
            return (
                None if number is None else utc_text(datetime.fromtimestamp(number / divisor, UTC))
            )
        moment = value if isinstance(value, datetime) else _read_moment(str(value), pattern)
        return (
            None
            if moment is None
            else utc_text(moment if moment.tzinfo else moment.replace(tzinfo=zone))
        )

    def native(text: str, slack: timedelta) -> Scalar:
        moment = datetime.fromisoformat(text) + slack
        if epoch:
            return int(moment.timestamp() * divisor)
        wall = moment.astimezone(zone)
        if table.get("aware"):
            return wall
        return wall.strftime(pattern) if pattern else wall.replace(tzinfo=None)

    def encode(op: Op, asked: Any) -> Pushed | None:
        if isinstance(asked, tuple) or (pattern and pattern not in _SORTED_FORMATS):
            return None
        if not local:
            return Pushed(Compare(column, op, native(asked, timedelta())))
        hour = timedelta(hours=1)
        match op:
            case Op.GT | Op.GTE:
                return Pushed(Compare(column, Op.GTE, native(asked, -hour)), exact=False)
            case Op.LT | Op.LTE:
                return Pushed(Compare(column, Op.LTE, native(asked, hour)), exact=False)
            case _:
                return None

    return Codec(columns=(column,), decode=decode, encode=encode)


def _read_moment(text: str, pattern: str | None) -> datetime | None:
    if pattern:
        return _parsed(text, pattern)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _partial_date(
    table: Mapping[str, Any], columns: tuple[str, ...], nulls: Sequence[Any]
) -> Codec:
    match table.get("partial"):
        case "dmy":
            return _partial_dmy(columns[0], nulls)
        case "parts" if len(columns) == 3:
            return _partial_parts(columns)
        case "range" if len(columns) == 2:
            return _partial_range(columns)
        case "text":
            return _partial_text(columns[0], tuple(table.get("formats", ())))
        case None:
            return _partial_native(table, columns[0], nulls)
    raise ValueError("'partial' is dmy, parts (three columns), range (two columns) or text")


def _partial_native(table: Mapping[str, Any], column: str, nulls: Sequence[Any]) -> Codec:
    """A whole date: the days that the asked one may stand for."""
    days = _date(table, column, nulls)

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op is not Op.EQ:
            return None
        low, high = interval(asked)
        parts = [days.encode(Op.GTE, low), days.encode(Op.LTE, high)]
        if any(part is None for part in parts):
            return None
        return Pushed(all_of(part.condition for part in parts if part))

    def decode(raw: Sequence[Any]) -> Any:
        value = _without(nulls, raw[0])
        if isinstance(value, str) and not table.get("format"):
            return settled("PartialDate", value[:10])
        return days.decode(raw)

    return Codec(columns=(column,), decode=decode, encode=encode)


def _partial_dmy(column: str, nulls: Sequence[Any]) -> Codec:
    """`17/04/1991`, `??/04/1991`, `00/04/1991`, `??/??/1991`: asked as a list of spellings."""

    def decode(raw: Sequence[Any]) -> Any:
        value = _without(nulls, raw[0])
        matched = re.fullmatch(r"(..)/(..)/(\d{4})", str(value or "").strip())
        if not matched:
            return None
        day, month, year = matched.groups()
        known = [year, *([month] if month.isdigit() and month != "00" else [])]
        if len(known) == 2 and day.isdigit() and day != "00":
            known.append(day)
        return settled("PartialDate", "-".join(known))

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op is not Op.EQ:
            return None
        low, high = (date.fromisoformat(end) for end in interval(asked))
        if high - low > timedelta(days=366):
            return None
        days = [low + timedelta(days=n) for n in range((high - low).days + 1)]
        unknown = ("??", "00")
        spelt = [day.strftime("%d/%m/%Y") for day in days]
        spelt += [f"{u}/{day:%m/%Y}" for day in days for u in unknown]
        spelt += [f"{u}/{u}/{day:%Y}" for day in days for u in unknown]
        return Pushed(Compare(column, Op.IN, tuple(dict.fromkeys(spelt))))

    return Codec(columns=(column,), decode=decode, encode=encode)


def _partial_parts(columns: tuple[str, ...]) -> Codec:
    def decode(raw: Sequence[Any]) -> Any:
        known: list[str] = []
        for value, width in zip(raw, (4, 2, 2), strict=True):
            if not isinstance(value, int) or isinstance(value, bool):
                break
            known.append(f"{value:0{width}}")
        return settled("PartialDate", "-".join(known)) if known else None

    return Codec(columns=columns, decode=decode, encode=lambda _op, _asked: None)


def _partial_range(columns: tuple[str, ...]) -> Codec:
    """A date known to lie between two: it may be any asked date that overlaps."""
    earliest, latest = columns

    def decode(raw: Sequence[Any]) -> Any:
        try:
            low, high = (date.fromisoformat(str(value)[:10]) for value in raw)
        except ValueError:
            return None
        return partial_of(low, high)

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op is not Op.EQ:
            return None
        low, high = interval(asked)
        return Pushed(all_of((Compare(earliest, Op.LTE, high), Compare(latest, Op.GTE, low))))

    return Codec(columns=columns, decode=decode, encode=encode)


def _partial_text(column: str, formats: tuple[str, ...]) -> Codec:
    """Dates in several spellings. The formats say which, most telling first."""
    if not formats:
        raise ValueError("partial = 'text' needs 'formats'")

    def decode(raw: Sequence[Any]) -> Any:
        text = str(raw[0] or "")
        for pattern in formats:
            if moment := _parsed(text, pattern):
                if "%d" in pattern:
                    return moment.date().isoformat()
                return f"{moment:%Y-%m}" if "%m" in pattern or "%b" in pattern else f"{moment:%Y}"
        return None

    def encode(op: Op, asked: Any) -> Pushed | None:
        if op is not Op.EQ:
            return None
        low, high = (date.fromisoformat(end) for end in interval(asked))
        if high - low > timedelta(days=31):
            return None
        days = [low + timedelta(days=n) for n in range((high - low).days + 1)]
        spelt = tuple(dict.fromkeys(day.strftime(p) for p in formats for day in days))
        return Pushed(Compare(column, Op.IN, spelt))

    return Codec(columns=(column,), decode=decode, encode=encode)


# --- named functions -----------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _grid() -> Transformer:
    return Transformer.from_crs("EPSG:27700", "EPSG:4326", always_xy=True)


def _osgb36(raw: Sequence[Any], axis: int) -> float | None:
    """British National Grid easting and northing (metres) to WGS 84 degrees, about 5 m exact."""
    if raw[0] is None or raw[1] is None:
        return None
    return round(float(_grid().transform(float(raw[0]), float(raw[1]))[axis]), 5)


def _iso3(raw: Sequence[Any]) -> str | None:
    """ISO 3166 alpha-3 to alpha-2; the codes for stateless and unspecified have none."""
    country = pycountry.countries.get(alpha_3=str(raw[0] or "").strip().upper())
    return str(country.alpha_2) if country else None


_DEMONYMS = {
    "ALBANIAN": "AL", "VIETNAMESE": "VN", "IRAQI": "IQ", "IRANIAN": "IR", "SYRIAN": "SY",
    "ROMANIAN": "RO", "BRITISH": "GB", "UK": "GB", "AFGHAN": "AF", "TURKISH": "TR",
    "ERITREAN": "ER", "SUDANESE": "SD", "EGYPTIAN": "EG", "KURDISH": "IQ",
}  # fmt: skip


def _nationality(raw: Sequence[Any]) -> str | None:
    """Free text for a nationality to ISO 3166 alpha-2."""
    text = re.sub(r"[?\s]", "", str(raw[0] or "")).upper()
    if text in _DEMONYMS:
        return _DEMONYMS[text]
    try:
        return str(pycountry.countries.lookup(text).alpha_2) if text else None
    except LookupError:
        return None


def _doubtful(raw: Sequence[Any]) -> bool | None:
    """Whether a text carries a question mark."""
    return None if raw[0] is None else "?" in str(raw[0])


def _grade(raw: Sequence[Any], position: int) -> str | None:
    """One part of a grading written `2/C/P`."""
    pieces = str(raw[0] or "").split("/")
    return pieces[position].strip() if len(pieces) == 3 else None


_SOURCE_GRADES = {"1": "RELIABLE", "2": "UNTESTED", "3": "NOT_RELIABLE"}

FUNCTIONS: Mapping[str, Decode] = {
    "osgb36_lat": lambda raw: _osgb36(raw, 1),
    "osgb36_lon": lambda raw: _osgb36(raw, 0),
    "iso3": _iso3,
    "nationality": _nationality,
    "doubtful": _doubtful,
    "grade_source": lambda raw: _SOURCE_GRADES.get(_grade(raw, 0) or ""),
    "grade_info": lambda raw: _grade(raw, 1),
    "grade_handling": lambda raw: _grade(raw, 2),
    "present": lambda raw: raw[0] not in (None, "", []),
    "absent": lambda raw: raw[0] in (None, "", []),
    "sum": lambda raw: sum(v for v in raw if isinstance(v, int)),
}
"""Conversions that a mapping names because it cannot express them. None can be searched by."""


def _function(name: str, columns: tuple[str, ...], scalar: str, nulls: Sequence[Any]) -> Codec:
    if name not in FUNCTIONS:
        raise ValueError(f"there is no function {name!r}; there are {', '.join(FUNCTIONS)}")
    function = FUNCTIONS[name]

    def decode(raw: Sequence[Any]) -> Any:
        return settled(scalar, function([_without(nulls, value) for value in raw]))

    return Codec(columns=columns, decode=decode, encode=lambda _op, _asked: None)
