"""What an agency's own systems say of its staff, and who is watched, as tokens of the log.

    FOLDER/AGENCY/staff.csv    issuer, id, and what is theirs: who may not be looked up for oneself
    FOLDER/AGENCY/shifts.csv   issuer, id, from, to: who was on duty when
    FOLDER/watch.csv           id, why, and what is theirs: whose records draw the curious

UTF-8 with a line of column names; several values of a cell are parted by semicolons. Only `issuer`
and `id` must be there, of a watch list only `id`. What is theirs stands in these columns:

    given, family, born        as a search would name them; `family` may hold former names too
    plates, phones, documents, postcodes, records (source|entity|key), cases
    near                       (staff) postcodes next to the home's
    relatives                  (staff) `Given Family` or `Given Family 1991-04-17`
    team                       (staff) those of one team know one another

Read once, turned into the tokens of the quarters in question, and forgotten: what is kept names
nobody. A column that a feed does not have is known as missing, so that a signal can say so.

Blocking.
"""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from gateway.audit.entry import token
from gateway.audit.keys import AuditKeys
from gateway.audit.terms import BEGINNING, RECORD, terms_as
from gateway.errors import ConfigError, Fault

MOST_ROWS: Final = 500_000
MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_FAULTS: Final = 20
_LEAST_BEGINNING: Final = 3  # letters of a name that still point to somebody
_LONGEST_NAME: Final = 250
_LONGEST_SHIFT: Final = timedelta(hours=36)
_THINGS: Final = {"plates": "Vrm", "phones": "E164", "documents": "DocumentNumber"}
_PERSON: Final = ("given", "family", "born", *_THINGS, "postcodes", "records", "cases")
_STAFF: Final = ("issuer", "id", "team", *_PERSON, "near", "relatives")
_SHIFTS: Final = ("issuer", "id", "from", "to")
_WATCH: Final = ("id", "why", *_PERSON)
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}\Z")
_RELATIVE: Final = re.compile(r"(\D+?) ([^\s\d]+)(?: (\d{4}(?:-\d\d){0,2}))?\Z")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Tokens = Callable[[str, str, str], str]
"""(name of the key, value, quarter) -> the log's token."""


class What(StrEnum):
    """What of somebody a token stands for."""

    GIVEN = "given name"
    FAMILY = "family name"
    BEGINNING = "beginning of a family name"
    BORN = "date of birth"
    PLATE = "vehicle"
    PHONE = "phone"
    DOCUMENT = "document"
    HOME = "address"
    NEAR = "street next to the home"
    RECORD = "record"
    CASE = "case"


class Mark(NamedTuple):
    """What one token stands for."""

    who: int  # number in its feed
    what: What
    relative: int = 0  # which of their family; 0 for themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody on the staff, or on the watch list."""

    team: str = ""
    label: str = ""  # of the watched: how the list names them, which is no name
    why: str = ""
    shifts: tuple[tuple[int, int], ...] = ()  # in microseconds since the epoch, in order

    def off_by(self, at: int) -> int | None:
        """How far from their nearest shift a moment is, in microseconds; None if none is known
        within a week."""
        if not self.shifts:
            return None
        place = bisect_right(self.shifts, (at, at))
        near = self.shifts[max(0, place - 1) : place + 1]
        away = min(max(start - at, at - end, 0) for start, end in near)
        return away if away < _WEEK else None


_WEEK: Final = 7 * 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One agency's staff, or a watch list, by tokens."""

    agency: str  # "" of a watch list, which is everybody's
    columns: frozenset[str]  # that its files have
    members: tuple[Member, ...]
    actors: Mapping[str, int] = field(repr=False)  # an officer's token -> their number
    marks: Mapping[str, tuple[Mark, ...]] = field(repr=False)  # terms, records, cases


def tokens_of(keys: AuditKeys) -> Tokens:
    """Makes tokens under the keys of the log."""
    return lambda name, value, quarter: token(keys.token_key(name, quarter), name, value)


def quarters(since: datetime, until: datetime) -> tuple[str, ...]:
    """The quarters from one moment to another, as keys are named by them."""
    first, last = since.astimezone(UTC), until.astimezone(UTC)
    start, end = ((one.year * 4 + (one.month - 1) // 3) for one in (first, last))
    return tuple(f"{n // 4}-Q{n % 4 + 1}" for n in range(start, end + 1))


def staff_of(folder: Path, agency: str, tokens: Tokens, within: Sequence[str]) -> Feed | None:
    """The feed of one agency for these quarters; None if it has connected none.

    Raises:
        ConfigError: a file cannot be used; with each line and column, and no value.
    """
    file = folder / agency / "staff.csv"
    if not file.exists():
        return None
    table = _Table(file, _STAFF, ("issuer", "id"))
    making = _Making(tokens, within)
    numbers: dict[tuple[str, str], int] = {}
    for row in table.rows():
        key = (row.text("issuer"), row.text("id"))
        if not all(key) or key in numbers:
            row.fault("id", "issuer and id must be given, and each officer once")
            continue
        who = numbers[key] = len(numbers)
        making.actor("|".join(key), who)
        making.person(row, who)
        for text in row.several("near"):
            making.terms(row, "near", "Postcode", text, Mark(who, What.NEAR))
        for number, text in enumerate(row.several("relatives"), start=1):
            making.relative(row, text, who, number)
        making.members.append(Member(team=row.word("team")))
    table.done()
    columns = set(table.columns)
    shifts = folder / agency / "shifts.csv"
    if shifts.exists():
        columns.add("shifts")
        _with_shifts(shifts, numbers, making.members)
    return making.feed(agency, columns)


def watch_list(folder: Path, tokens: Tokens, within: Sequence[str]) -> Feed | None:
    """Who is watched, for these quarters; None if there is no list.

    Raises:
        ConfigError: as above.
    """
    file = folder / "watch.csv"
    if not file.exists():
        return None
    table = _Table(file, _WATCH, ("id",))
    making = _Making(tokens, within)
    for row in table.rows():
        label = row.word("id")
        if not label:
            row.fault("id", "must be given")
        making.person(row, len(making.members))
        making.members.append(Member(label=label, why=row.word("why")))
    table.done()
    return making.feed("", set(table.columns))


def _with_shifts(file: Path, numbers: Mapping[tuple[str, str], int], members: list[Member]) -> None:
    table = _Table(file, _SHIFTS, _SHIFTS)
    found: dict[int, list[tuple[int, int]]] = {}
    for row in table.rows():
        who = numbers.get((row.text("issuer"), row.text("id")))
        start, end = row.moment("from"), row.moment("to")
        if who is None:
            row.fault("id", "is not in staff.csv")
        elif start is not None and end is not None:
            if not timedelta(0) < end - start <= _LONGEST_SHIFT:
                row.fault("to", f"must be later than from, by {_LONGEST_SHIFT} at most")
            found.setdefault(who, []).append((_micros(start), _micros(end)))
    table.done()
    for who, shifts in found.items():
        members[who] = Member(team=members[who].team, shifts=tuple(sorted(shifts)))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


class _Making:
    """Values on their way into tokens; none of them is kept."""

    def __init__(self, tokens: Tokens, within: Sequence[str]) -> None:
        self._tokens, self._within = tokens, within
        self.members: list[Member] = []
        self._actors: dict[str, int] = {}
        self._marks: dict[str, list[Mark]] = {}

    def actor(self, name: str, who: int) -> None:
        self._actors.update((self._tokens("actor", name, one), who) for one in self._within)

    def person(self, row: _Row, who: int) -> None:
        for text in row.several("given"):
            self.terms(row, "given", "GivenNames", text, Mark(who, What.GIVEN))
        for text in row.several("family"):
            self._family(row, "family", text, Mark(who, What.FAMILY))
        for text in row.several("born"):
            self.terms(row, "born", "PartialDate", text, Mark(who, What.BORN))
        for (column, type_name), what in zip(
            _THINGS.items(), (What.PLATE, What.PHONE, What.DOCUMENT), strict=True
        ):
            for text in row.several(column):
                self.terms(row, column, type_name, text, Mark(who, what))
        for text in row.several("postcodes"):
            self.terms(row, "postcodes", "Postcode", text, Mark(who, What.HOME))
        for text in row.several("records"):
            self._put("record", text, Mark(who, What.RECORD))
            self._put("term", f"{RECORD}|{text}", Mark(who, What.RECORD))
        for text in row.several("cases"):
            self._put("case", text, Mark(who, What.CASE))

    def relative(self, row: _Row, text: str, who: int, number: int) -> None:
        matched = _RELATIVE.match(text) if len(text) <= _LONGEST_NAME else None
        if not matched:
            row.fault("relatives", "one is like Given Family, or Given Family 1991-04-17")
            return
        given, family, born = matched.groups()
        self.terms(row, "relatives", "GivenNames", given, Mark(who, What.GIVEN, number))
        self._family(row, "relatives", family, Mark(who, What.FAMILY, number))
        if born:
            self.terms(row, "relatives", "PartialDate", born, Mark(who, What.BORN, number))

    def terms(self, row: _Row, column: str, type_name: str, text: str, mark: Mark) -> None:
        try:
            terms = terms_as(type_name, text)
        except ValueError as error:
            row.fault(column, str(error))
            return
        for kind, value in terms:
            self._put("term", f"{kind}|{value}", mark)

    def _family(self, row: _Row, column: str, text: str, mark: Mark) -> None:
        self.terms(row, column, "Name", text, mark)
        begun = mark._replace(what=What.BEGINNING)
        try:
            ((kind, value),) = terms_as("Name", text)
        except ValueError:
            return  # said above
        for end in range(_LEAST_BEGINNING, len(value) + 1):
            self._put("term", f"{kind}{BEGINNING}|{value[:end]}", begun)

    def _put(self, name: str, value: str, mark: Mark) -> None:
        for quarter in self._within:
            marks = self._marks.setdefault(self._tokens(name, value, quarter), [])
            if mark not in marks:
                marks.append(mark)

    def feed(self, agency: str, columns: set[str]) -> Feed:
        return Feed(
            agency=agency,
            columns=frozenset(columns),
            members=tuple(self.members),
            actors=self._actors,
            marks={token: tuple(marks) for token, marks in self._marks.items()},
        )


class _Table:
    """A CSV file of known columns; it collects what is wrong and says all of it at once."""

    def __init__(self, file: Path, known: Sequence[str], needed: Sequence[str]) -> None:
        self._file, self._faults = file, list[Fault]()
        try:
            if file.stat().st_size > MOST_BYTES:
                raise self._one("(file)", f"holds more than {MOST_BYTES} bytes")
            lines = file.read_text("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise self._one("(file)", f"cannot be read: {type(error).__name__}") from error
        self._reader = csv.reader(lines, strict=True)
        try:
            self.columns = [name.strip() for name in next(self._reader, [])]
        except csv.Error as error:
            raise self._one("line 1", "is not CSV") from error
        for number, name in enumerate(self.columns, start=1):  # it may be a value: not repeated
            if name not in known or self.columns.count(name) > 1:
                self.fault(1, str(number), f"is none of {', '.join(known)}, or twice there")
        for name in needed:
            if name not in self.columns:
                text = "is missing"
                self._faults.append(Fault(file=str(file), key=f"column {name}", text=text))
        self.done()

    def _one(self, key: str, text: str) -> ConfigError:
        return ConfigError(Fault(file=str(self._file), key=key, text=text))

    def rows(self) -> Iterator[_Row]:
        try:
            for number, cells in enumerate(self._reader):
                if number >= MOST_ROWS:
                    raise self._one("(file)", f"holds more than {MOST_ROWS} lines")
                if not cells:
                    continue
                row = _Row(
                    self, self._reader.line_num, dict(zip(self.columns, cells, strict=False))
                )
                if len(cells) != len(self.columns):
                    row.fault("(all)", f"holds {len(cells)} cells, not {len(self.columns)}")
                else:
                    yield row
        except csv.Error as error:
            raise self._one(f"line {self._reader.line_num}", "is not CSV") from error

    def fault(self, line: int, column: str, text: str) -> None:
        key = f"line {line}, column {column}"
        self._faults.append(Fault(file=str(self._file), key=key, text=text))
        if len(self._faults) >= _MOST_FAULTS:
            self.done()

    def done(self) -> None:
        if self._faults:
            raise ConfigError(*self._faults)


@dataclass(frozen=True, slots=True)
class _Row:
    """One line, which can say what is wrong with it, without its values."""

    table: _Table
    line: int
    cells: Mapping[str, str]

    def text(self, column: str) -> str:
        return self.cells.get(column, "").strip()

    def several(self, column: str) -> list[str]:
        return [one for part in self.text(column).split(";") if (one := part.strip())]

    def word(self, column: str) -> str:
        """A short text that may be shown to auditors."""
        found = self.text(column)
        if found and not _WORD.match(found):
            self.fault(column, "is letters, digits, spaces, dots and hyphens, 64 at most")
        return found

    def moment(self, column: str) -> datetime | None:
        try:
            found = datetime.fromisoformat(self.text(column))
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            self.fault(column, "a time is like 2026-11-01T06:00:00Z, with its zone")
            return None
        return found

    def fault(self, column: str, text: str) -> None:
        self.table.fault(self.line, column, text)
