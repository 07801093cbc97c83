"""Dates and times as sources spell them: formats, sentinels, local clocks, partial dates.

A partial date is an interval; asked for, it means every day that it overlaps.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from connectors.conditions import NEVER, Compare, Condition, Op, Scalar, all_of, any_of
from gateway.catalogue.codec import Codec, Pushed, number, without
from gateway.catalogue.forms import interval, partial_of, settled, utc_text

_SORTED_FORMATS = frozenset(
    {"%Y-%m-%d", "%Y%m%d", "%Y%j", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"}
)


def _parsed(text: str, pattern: str) -> datetime | None:
    try:
        return datetime.strptime(text.strip(), pattern)  # noqa: DTZ007 - the zone is added later
    except ValueError:
        return None


def date_codec(table: Mapping[str, Any], column: str, nulls: Sequence[Any]) -> Codec:
    pattern = table.get("format")

    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
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
        unknown = (*nulls, "") if pattern and op in {Op.LT, Op.LTE} else nulls
        return Pushed(all_of((Compare(column, op, value), *_not_null(column, unknown, pattern))))

    wants = frozenset({"text"}) if pattern else frozenset({"date", "datetime"})
    return Codec(columns=(column,), decode=decode, encode=encode, wants=wants)


def _not_null(column: str, nulls: Sequence[Any], pattern: str | None) -> list[Condition]:
    """A source's own word for "unknown" must not take part in an order."""
    return [
        Compare(column, Op.NE, null if pattern or not isinstance(null, str) else _day(null))
        for null in nulls
    ]


def _day(text: str) -> date:
    return date.fromisoformat(text)


def moment_codec(table: Mapping[str, Any], column: str, nulls: Sequence[Any]) -> Codec:
    """A point in time. A local clock repeats an hour each autumn: there, only we can compare.

    With `formats` it may also be text in one of them, as in databases without a type for times.
    """
    zone = ZoneInfo(str(table.get("zone", "UTC")))
    pattern, epoch = table.get("format"), table.get("epoch")
    if epoch not in {None, "ms", "s"}:
        raise ValueError("'epoch' is ms or s")
    divisor = 1000 if epoch == "ms" else 1
    local = str(zone) != "UTC" and not epoch

    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
        if value is None:
            return None
        if epoch:
            held = number("Float", value)
            if held is None:
                return None
            return utc_text(datetime.fromtimestamp(held / divisor, UTC))
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

    def compared(op: Op, value: Scalar) -> Condition:
        spelt: list[Condition] = []
        if isinstance(value, datetime):
            spelt = [Compare(column, op, value.strftime(t)) for t in table.get("formats", ())]
        return any_of((Compare(column, op, value), *spelt))

    def by_second(op: Op, asked: str) -> Condition | None:
        """What is held may be finer than a second; it is read, and so compared, to the second."""
        at, after = native(asked, timedelta()), native(asked, timedelta(seconds=1))
        match op:
            case Op.GTE | Op.LT:
                return compared(op, at)
            case Op.GT:
                return compared(Op.GTE, after)
            case Op.LTE:
                return compared(Op.LT, after)
            case Op.EQ:
                return all_of((compared(Op.GTE, at), compared(Op.LT, after)))
            case _:
                return None

    def by_pattern(op: Op, asked: str) -> Condition | None:
        """What is held may be coarser than a second: what was asked can lie between two texts."""
        text = native(asked, timedelta())
        moment = _parsed(str(text), str(pattern))
        if moment is not None and utc_text(moment.replace(tzinfo=zone)) == asked:
            blank = _not_null(column, ("",), pattern) if op in {Op.LT, Op.LTE} else []
            return all_of((compared(op, text), *blank))
        match op:
            case Op.GTE | Op.GT:
                return compared(Op.GT, text)
            case Op.LTE | Op.LT:
                return all_of((compared(Op.LTE, text), *_not_null(column, ("",), pattern)))
            case Op.EQ:
                return NEVER
            case _:
                return None

    def encode(op: Op, asked: Any) -> Pushed | None:
        if isinstance(asked, tuple) or (pattern and pattern not in _SORTED_FORMATS):
            return None
        if not local:
            condition = by_pattern(op, asked) if pattern else by_second(op, asked)
            return None if condition is None else Pushed(condition, exact=not nulls)
        hour = timedelta(hours=1)
        match op:
            case Op.GT | Op.GTE:
                return Pushed(compared(Op.GTE, native(asked, -hour)), exact=False)
            case Op.LT | Op.LTE:
                return Pushed(compared(Op.LTE, native(asked, hour)), exact=False)
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


def partial_codec(
    table: Mapping[str, Any], columns: tuple[str, ...], nulls: Sequence[Any]
) -> Codec:
    match table.get("partial"):
        case "dmy":
            return _partial_dmy(columns[0], nulls)
        case "parts" if len(columns) == 3:
            return _partial_parts(columns, str(table.get("default", "-")))
        case "range" if len(columns) == 2:
            return _partial_range(columns)
        case "text":
            return _partial_text(table, columns[0])
        case None:
            return _partial_native(table, columns[0], nulls)
    raise ValueError("'partial' is dmy, parts (three columns), range (two columns) or text")


def _partial_native(table: Mapping[str, Any], column: str, nulls: Sequence[Any]) -> Codec:
    """A whole date: the days that the asked one may stand for."""
    days = date_codec(table, column, nulls)

    def encode(op: Op, asked: Any) -> Pushed | None:
        if not isinstance(asked, str):
            return None
        low, high = interval(asked)
        if op in {Op.LT, Op.LTE, Op.GT, Op.GTE}:
            if low != high:  # as text a whole date comes after the year or month that it is in
                op = Op.LT if op in {Op.LT, Op.LTE} else Op.GTE
            return days.encode(op, low)
        if op is not Op.EQ:
            return None
        parts = [days.encode(Op.GTE, low), days.encode(Op.LTE, high)]
        if any(part is None for part in parts):
            return None
        return Pushed(all_of(part.condition for part in parts if part))

    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
        if isinstance(value, str) and not table.get("format"):
            return settled("PartialDate", value[:10])
        return days.decode(raw)

    return Codec(columns=(column,), decode=decode, encode=encode)


def _partial_dmy(column: str, nulls: Sequence[Any]) -> Codec:
    """`17/04/1991`, `??/04/1991`, `00/04/1991`, `??/??/1991`: asked as a list of spellings."""

    def decode(raw: Sequence[Any]) -> Any:
        value = without(nulls, raw[0])
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
        return Pushed(Compare(column, Op.IN, _spelt_dmy(low, high)))

    return Codec(columns=(column,), decode=decode, encode=encode)


@lru_cache(maxsize=64)  # as below
def _spelt_dmy(low: date, high: date) -> tuple[str, ...]:
    """Every day from `low` to `high`, whole and with what may be unknown of it."""
    days = [low + timedelta(days=n) for n in range((high - low).days + 1)]
    unknown = ("??", "00")
    spelt = [day.strftime("%d/%m/%Y") for day in days]
    spelt += [f"{u}/{day:%m/%Y}" for day in days for u in unknown]
    # of a month that is not known, no day says anything
    years = dict.fromkeys(f"{day:%Y}" for day in days)
    any_day = (*unknown, *(f"{n:02}" for n in range(1, 32)))
    spelt += [f"{d}/{u}/{year}" for year in years for d in any_day for u in unknown]
    return tuple(dict.fromkeys(spelt))


def _partial_parts(columns: tuple[str, ...], default: str) -> Codec:
    """Year, month and day apart; `default` is the day of a year that stands for none: "01-01"."""

    def decode(raw: Sequence[Any]) -> Any:
        known: list[str] = []
        for value, width in zip(raw, (4, 2, 2), strict=True):
            if not isinstance(value, int) or isinstance(value, bool):
                break
            known.append(f"{value:0{width}}")
        if "-".join(known[1:]) == default:
            del known[1:]
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


@lru_cache(maxsize=64)  # one question asks for the same days at several places of a source
def _spelt(low: date, high: date, formats: tuple[str, ...], first_year: int) -> tuple[str, ...]:
    """Every day from `low` to `high` in every format, each spelling once."""
    days = [low + timedelta(days=n) for n in range((high - low).days + 1)]
    spelt = (
        day.strftime(pattern)
        for pattern in formats
        for day in days
        if "%y" not in pattern or first_year <= day.year < first_year + 100
    )
    return tuple(dict.fromkeys(spelt))


def _partial_text(table: Mapping[str, Any], column: str) -> Codec:
    """Dates in several spellings. The formats say which, most telling first.

    A year of two digits is the first such year that is not before `years_from`.
    """
    formats = tuple(table.get("formats", ()))
    first_year = int(table.get("years_from", 0))
    if not formats:
        raise ValueError("partial = 'text' needs 'formats'")
    if not first_year and any("%y" in pattern for pattern in formats):
        raise ValueError("years of two digits need 'years_from', the first year that they can mean")

    def decode(raw: Sequence[Any]) -> Any:
        text = str(raw[0] or "")
        for pattern in formats:
            if moment := _parsed(text, pattern):
                if "%y" in pattern:
                    years = (moment.year - first_year) % 100
                    moment = moment.replace(year=first_year + years)
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
        return Pushed(Compare(column, Op.IN, _spelt(low, high, formats, first_year)))

    return Codec(columns=(column,), decode=decode, encode=encode)
