"""Who looked at what is held on one person, gathered for a report that somebody checks.

Two questions are put to the record, within the auditor's own scope: which searches of the agency's
people named the person, and to whom the agency's own records on them were shown. Each row can be
kept out of the report, under one of the grounds that the law gives; what is kept out is counted in
the log and nowhere in the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from gateway.audit.inquiry import MOST, Auditor, Inquiry
from gateway.audit.sought import RecordSought, Sought
from gateway.errors import LimitExceeded, MalformedRequest

MOST_LINES: Final = 8
MOST_ROWS: Final = 60  # so that a form with a choice for each stays small
GROUNDS: Final[Mapping[str, str]] = {
    "INQUIRY": "It would obstruct an official or legal inquiry, investigation or procedure.",
    "CRIME": "It would prejudice preventing, detecting, investigating or prosecuting offences.",
    "PUBLIC_SECURITY": "It is necessary to protect public security.",
    "NATIONAL_SECURITY": "It is necessary to protect national security.",
    "OTHERS": "It is necessary to protect the rights and freedoms of others.",
}
"""Why a row may be kept out: the grounds of section 45(4) of the Data Protection Act 2018."""


class Way(StrEnum):
    """How somebody looked."""

    SEARCHED = "searched"  # named the person in a search
    SHOWN = "shown"  # was shown a record of the agency's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look at a person: nobody is named who looked."""

    way: Way
    index: int
    at: datetime
    agency: str
    purpose: str
    reason: str
    asked: tuple[str, ...]  # sources whose agencies were asked; of a record its own source
    records: int  # shown
    fields: tuple[str, ...] = ()  # of a record

    @property
    def name(self) -> str:
        """Which row this is, in a form."""
        return f"{self.way.value}-{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a report is on, as somebody typed it: a line for each thing that is known of them."""

    typed: tuple[str, ...] = ()
    records: tuple[RecordSought, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    @classmethod
    def of(cls, typed: str, records: str, since: datetime | None, until: datetime | None) -> Person:
        """From two texts of several lines.

        Raises:
            MalformedRequest, LimitExceeded: nothing is said; not as a record is named; too much.
        """
        lines = tuple(dict.fromkeys(filter(None, map(str.strip, typed.splitlines()))))
        named = tuple(filter(None, map(str.strip, records.splitlines())))
        if not lines and not named:
            raise MalformedRequest("Say by what the person was searched for, or which records.")
        if max(len(lines), len(named)) > MOST_LINES:
            raise LimitExceeded.of("lines", MOST_LINES, max(len(lines), len(named)))
        found = []
        for line in named:
            words = line.split(maxsplit=2)
            if len(words) != 3:
                raise MalformedRequest("A record is named by its source, its kind and its key.")
            found.append(RecordSought(source=words[0], entity=words[1], key=words[2]))
        return cls(typed=lines, records=tuple(found), since=since, until=until)


async def looks_at(inquiry: Inquiry, auditor: Auditor, person: Person) -> tuple[Looked, ...]:
    """Every look at a person, the latest first.

    Raises:
        LimitExceeded: more than a report holds: take a shorter period.
        As `Inquiry.search` and `Inquiry.receipts`.
    """
    found: dict[str, Looked] = {}
    for line in person.typed:
        sought = Sought(typed=(line,), since=person.since, until=person.until)
        page = (await inquiry.search(auditor, sought, first=MOST, details=False)).value
        _enough(len(page.rows), more=page.next is not None)
        for row in page.rows:
            one = row.found
            look = Looked(
                way=Way.SEARCHED,
                index=one.idx,
                at=one.at,
                agency=one.agency,
                purpose=one.purpose,
                reason=one.reason,
                asked=tuple(one.sources),
                records=one.records,
            )
            if one.purpose:  # else it is no search: a view that looked for the same
                found[look.name] = look
    for record in person.records:
        sought = Sought(record=record, since=person.since, until=person.until)
        shown = (await inquiry.receipts(auditor, sought, first=MOST)).value
        _enough(len(shown.rows), more=shown.next is not None)
        for given in shown.rows:
            look = Looked(
                way=Way.SHOWN,
                index=given.index,
                at=given.at,
                agency=given.agency,
                purpose=given.purpose,
                reason=given.reason,
                asked=(record.source,),
                records=len(given.shown),
                fields=tuple(sorted({name for one in given.shown for name in one.fields})),
            )
            found[look.name] = look
    _enough(len(found), more=False)
    return tuple(sorted(found.values(), key=lambda one: (one.at, one.index), reverse=True))


def checked(
    looks: Sequence[Looked], said: Mapping[str, str]
) -> tuple[tuple[Looked, ...], dict[str, int]]:
    """What goes into the report, and how many rows were kept out under which ground.

    `said` has, by a row's name, the ground that the checker chose, "" for none. A row that the
    checker did not see is kept out: it was written since.

    Raises:
        MalformedRequest: there is no such ground.
    """
    counts: dict[str, int] = {}
    inside = []
    for one in looks:
        ground = said.get(one.name)
        if ground is None:
            continue
        if ground == "":
            inside.append(one)
        elif ground in GROUNDS:
            counts[ground] = counts.get(ground, 0) + 1
        else:
            raise MalformedRequest("Choose a ground of the list.")
    return tuple(inside), counts


def _enough(rows: int, *, more: bool) -> None:
    if more or rows > MOST_ROWS:
        raise LimitExceeded(
            f"At most {MOST_ROWS} looks in one report: take a shorter period, and another for "
            "the rest."
        )
