"""What a sign of misuse is, and the log as those who look for signs see it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

from gateway.audit.entry import Kind
from gateway.audit.index import REVIEW, Event
from gateway.audit.staff import Feed, Mark, Member

HOUR: Final = 3_600_000_000  # of microseconds
DAY: Final = 24 * HOUR
SELF_OR_COLLEAGUE: Final = "self_or_colleague"
_ASKED: Final = frozenset({Kind.INTENT, Kind.OUTCOME, Kind.DENIED})

Person = tuple[str, str]
"""Agency, and an officer's number in its feed (`#12`), or else their token of that quarter."""


class Pattern(StrEnum):
    """What kind of misuse a sign is one of."""

    SELF = "self"
    COLLEAGUE = "colleague"
    NEIGHBOUR = "neighbour"
    WATCHED = "watched"
    OFF_DUTY = "off_duty"
    HABIT = "habit"
    PURPOSE = "purpose"
    FISHING = "fishing"
    GLASS = "glass"

    @property
    def flag(self) -> str:
        """What every query with such a sign is flagged with, however it scores."""
        return SELF_OR_COLLEAGUE if self in (Pattern.SELF, Pattern.COLLEAGUE) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One sign: by whom, how strong, why in words, and the queries that it rests on."""

    pattern: Pattern
    person: Person
    score: float  # 0 to 1
    reason: str
    entries: tuple[int, ...]  # numbers of the queries' first entries


@dataclass(frozen=True, kw_only=True)
class World:
    """The queries of a period, with what feeds say of them."""

    events: Sequence[Event]
    feeds: Mapping[str, Feed] = field(default_factory=dict)  # of staff, by agency
    watch: Feed | None = None
    held: Mapping[int, Sequence[tuple[Feed, tuple[Mark, ...]]]] = field(default_factory=dict)
    done: Sequence[Event] = ()  # outcomes told and reviews, until later than the queries

    @cached_property
    def asked(self) -> list[Event]:
        """What was asked of agencies' data by somebody known, in order."""
        return [one for one in self.events if one.kind in _ASKED and one.actor and not one.act]

    @cached_property
    def of(self) -> Mapping[Person, list[Event]]:
        """What each officer asked."""
        found: dict[Person, list[Event]] = defaultdict(list)
        for one in self.asked:
            found[self.person(one)].append(one)
        return found

    @cached_property
    def _people(self) -> dict[tuple[str, str], Person]:
        return {}

    def person(self, event: Event) -> Person:
        """Who asked: the same over quarters where a staff feed knows them."""
        key = (event.agency, event.actor)
        known = self._people.get(key)
        if known is None:
            feed = self.feeds.get(event.agency)
            number = feed.actors.get(event.actor) if feed else None
            name = event.actor if number is None else f"#{number}"
            known = self._people[key] = (event.agency, name)
        return known

    def member(self, person: Person) -> Member | None:
        """What the staff feed says of somebody."""
        agency, name = person
        return self.feeds[agency].members[int(name[1:])] if name.startswith("#") else None

    @cached_property
    def at_matter(self) -> Mapping[tuple[str, str], frozenset[Person]]:
        """Who worked at each case or incident."""
        found: dict[tuple[str, str], set[Person]] = defaultdict(set)
        for one in self.asked:
            if one.matter:
                found[one.agency, one.matter].add(self.person(one))
        return {key: frozenset(people) for key, people in found.items()}

    @cached_property
    def _operations(self) -> frozenset[tuple[str, str]]:
        """Texts that several gave as their reason, and only for a day or two: no templates."""
        first: dict[tuple[str, str], int] = {}
        last: dict[tuple[str, str], int] = {}
        users: dict[tuple[str, str], set[Person]] = defaultdict(set)
        for one in self.asked:
            if one.words:
                key = (one.agency, one.words)
                first.setdefault(key, one.at)
                last[key] = one.at
                users[key].add(self.person(one))
        return frozenset(
            key
            for key, people in users.items()
            if len(people) > 1 and last[key] - first[key] <= 2 * DAY
        )

    def joint(self, event: Event) -> bool:
        """Whether it is part of what several did together, such as a road check."""
        return (event.agency, event.words) in self._operations

    def shared(self, event: Event) -> bool:
        """Whether others work at the case that was given, too."""
        return bool(event.matter) and len(self.at_matter[event.agency, event.matter]) > 1

    @cached_property
    def peers(self) -> Mapping[tuple[str, str], list[Person]]:
        """Those of one agency with the same roles."""
        found: dict[tuple[str, str], list[Person]] = defaultdict(list)
        for person in self.of:
            found[self.group(person)].append(person)
        return found

    def group(self, person: Person) -> tuple[str, str]:
        """The agency, and the set of roles in which somebody asked most lately."""
        return person[0], self.of[person][-1].roles


def is_review(event: Event) -> bool:
    return event.act == REVIEW


def days(events: Iterable[Event]) -> int:
    return len({one.at // DAY for one in events})


def times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count} times"


def numbers(events: Iterable[Event]) -> tuple[int, ...]:
    return tuple(sorted({one.idx for one in events}))
