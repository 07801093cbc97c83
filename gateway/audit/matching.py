"""Signs of misuse in whom was asked for: oneself and one's family, colleagues, neighbours, and
those who are watched. By tokens alone. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Final

from gateway.audit.index import Event
from gateway.audit.odds import Usual, surprise, together, weight
from gateway.audit.signals import DAY, Pattern, Person, Signal, World, days, numbers, times
from gateway.audit.staff import Feed, Mark, What

_SURE: Final = frozenset({What.PLATE, What.PHONE, What.DOCUMENT, What.RECORD, What.CASE})
_OWN, _FAMILY, _TEAM, _COLLEAGUE, _WATCHED = 0.65, 0.55, 0.5, 0.35, 0.55
_RARE_NAME: Final = 0.4  # a family name alone, which nobody else searches for
_LONE, _SHARED = 0.8, 0.3  # how much is left where a case was given that nobody, somebody else has
_OWN_SHARED: Final = 0.4
_WATCHED_LONE, _WATCHED_SHARED, _WATCHED_NAME = 0.45, 0.1, 0.6
_MOST_WAYS: Final = 5
_PLACES: Final = frozenset({What.HOME, What.NEAR})


@dataclass(frozen=True, slots=True)
class _Hit:
    """One query that asked for somebody whom a feed knows."""

    event: Event
    asker: Person
    feed: Feed
    who: int
    relative: int
    by: str  # in words
    sure: bool  # not by a name, which others may have too


def signals(world: World) -> Iterator[Signal]:
    """All of them."""
    hits = list(_hits(world))
    named: dict[tuple[str, int, int], set[Person]] = defaultdict(set)
    for hit in hits:
        if not hit.sure:
            named[hit.feed.agency, hit.who, hit.relative].add(hit.asker)
    kinds: dict[tuple[Pattern, Person], list[tuple[_Hit, float]]] = defaultdict(list)
    for hit in hits:
        others = len(named[hit.feed.agency, hit.who, hit.relative] - {hit.asker})
        if (judged := _judged(world, hit, others)) is not None:
            pattern, score = judged
            kinds[pattern, hit.asker].append((hit, score))
    for shared in (False, True):
        yield from _told(world, kinds, shared)
    yield from _neighbours(world)


def _hits(world: World) -> Iterator[_Hit]:
    families: dict[tuple[str, int, int], set[Person]] = defaultdict(set)
    partly: list[_Hit] = []
    for event in world.asked:
        asker = world.person(event)
        about = _about(world.held.get(event.idx, ()))
        for (agency, who, relative), (feed, parts) in about.items():
            if not agency and What.CASE in parts:
                continue  # a watched subject, under a case that the list expects
            if sure := sorted(parts & _SURE):
                yield _Hit(event, asker, feed, who, relative, sure[0].value, True)
            elif {What.GIVEN, What.BORN} < parts and parts & {What.FAMILY, What.BEGINNING}:
                yield _Hit(event, asker, feed, who, relative, "name and birth", True)
            elif len(parts & {What.FAMILY, What.GIVEN, What.BORN}) > 1 or (
                What.BEGINNING in parts and parts & {What.GIVEN, What.BORN}
            ):
                yield _Hit(event, asker, feed, who, relative, "name", False)
            elif What.FAMILY in parts:
                families[agency, who, relative].add(asker)
                partly.append(_Hit(event, asker, feed, who, relative, "family name", False))
    for hit in partly:  # a family name alone says something only where it is rare
        if len(families[hit.feed.agency, hit.who, hit.relative]) == 1:
            yield hit


def _about(
    held: Sequence[tuple[Feed, tuple[Mark, ...]]],
) -> Mapping[tuple[str, int, int], tuple[Feed, set[What]]]:
    """Whom a query may have asked for, and by what: a given name alone is anybody's."""
    about: dict[tuple[str, int, int], tuple[Feed, set[What]]] = {}
    for feed, marks in held:
        for who, what, relative in marks:
            if what is not What.GIVEN:
                key = (feed.agency, who, relative)
                if key in about:
                    about[key][1].add(what)
                else:
                    about[key] = (feed, {what})
    if about:
        for feed, marks in held:
            for who, what, relative in marks:
                if what is What.GIVEN and (key := (feed.agency, who, relative)) in about:
                    about[key][1].add(what)
    return about


def _judged(world: World, hit: _Hit, others: int) -> tuple[Pattern, float] | None:
    """What a hit is a sign of, and how much; None if of nothing."""
    event = hit.event
    if not hit.feed.agency:
        base = _WATCHED if hit.by != "family name" else 0.0
        left = (
            1.0 if not event.matter else _WATCHED_SHARED if world.shared(event) else _WATCHED_LONE
        )
        # the famous have namesakes too: a name that many search for is some of theirs
        sure = 1.0 if hit.sure else _WATCHED_NAME / (1 + 0.1 * others)
        return (Pattern.WATCHED, base * left * sure) if base else None
    agency, number = hit.asker
    if hit.feed.agency != agency:
        return None  # another agency's staff are nobody's colleagues
    own = number == f"#{hit.who}"
    if not own and hit.relative:
        return None
    if own:
        pattern, base = Pattern.SELF, _FAMILY if hit.relative else _OWN
    else:
        member = world.member(hit.asker)
        team = member.team if member else ""
        near = bool(team) and team == hit.feed.members[hit.who].team
        pattern, base = Pattern.COLLEAGUE, _TEAM if near else _COLLEAGUE
    if hit.by == "family name":
        base = _RARE_NAME * base
    if not hit.sure:
        base /= 1 + 0.5 * others  # whom many look for has a namesake among the staff
    if event.matter and not (own and hit.sure):
        base *= _SHARED if world.shared(event) else _LONE
    elif event.matter and world.shared(event):
        base *= _OWN_SHARED
    return pattern, base


def _told(
    world: World, kinds: Mapping[tuple[Pattern, Person], Sequence[tuple[_Hit, float]]], shared: bool
) -> Iterator[Signal]:
    """Two signs of each: what was asked by oneself, and what at cases where others work too.

    Nearly everybody asks once for somebody who bears a colleague's name, hardly anybody comes back
    to the same one. So an occasion counts the less, the more others of the agency have as many.
    """
    found: dict[tuple[Pattern, Person], tuple[list[_Hit], list[list[float]]]] = {}
    for (pattern, person), some in kinds.items():
        judged = [(hit, score) for hit, score in some if world.shared(hit.event) is shared]
        occasions: dict[int, dict[str | int, float]] = defaultdict(dict)
        for hit, score in judged:  # work at one case, or a day without, is one occasion
            when = hit.event.matter or hit.event.at // DAY
            occasions[hit.who][when] = max(occasions[hit.who].get(when, 0.0), score)
        if judged:
            scores = [sorted(one.values(), reverse=True) for one in occasions.values()]
            found[pattern, person] = ([hit for hit, _ in judged], scores)
    officers = Counter(agency for agency, _ in world.of)
    most: dict[tuple[Pattern, str], list[int]] = defaultdict(list)
    for (pattern, (agency, _)), (_, ranked) in found.items():
        most[pattern, agency].append(max(map(len, ranked)))
    usual = {key: Usual(counts, officers[key[1]]) for key, counts in most.items()}
    for (pattern, person), (hits, ranked) in found.items():
        rare = usual[pattern, person[0]].rare
        ways: dict[str, list[_Hit]] = defaultdict(list)
        for hit in hits:
            ways[_whom(pattern, hit)].append(hit)
        told = sorted(ways.items(), key=lambda way: -len(way[1]))[:_MOST_WAYS]
        yield Signal(
            pattern=pattern,
            person=person,
            score=together(one * rare(n) for some in ranked for n, one in enumerate(some, start=1)),
            reason=" ".join(_way(whom, own, shared) for whom, own in told),
            entries=numbers(hit.event for hit in hits),
        )


def _way(whom: str, hits: Sequence[_Hit], shared: bool) -> str:
    events = {hit.event.idx: hit.event for hit in hits}.values()
    people = len({(hit.who, hit.relative) for hit in hits})
    free = sum(not event.matter for event in events)
    of = f", {people} different ones" if people > 1 else ""
    some_free = f"; {free} of these without a case" if free else ""
    without = "; without a case" if free == len(events) else some_free
    at = " at a case where others work too" if shared else without
    return f"Asked {times(len(events))} for {whom}{of}{at}."


def _whom(pattern: Pattern, hit: _Hit) -> str:
    match pattern:
        case Pattern.SELF:
            whose = "somebody of their family, by" if hit.relative else "their own"
            return f"{whose} {hit.by}"
        case Pattern.COLLEAGUE:
            return f"a colleague's {hit.by}"
        case _:
            member = hit.feed.members[hit.who]
            why = f" ({member.why})" if member.why else ""
            return f"{member.label} of the watch list{why}, by {hit.by}"


# -- who lives nearby ------------------------------------------------------------------------


def _neighbours(world: World) -> Iterator[Signal]:
    """Whoever asks for their own street more often than their team, which may patrol it."""
    found: dict[Person, list[tuple[Event, bool]]] = defaultdict(list)
    asked: dict[tuple[str, int], dict[Person, int]] = defaultdict(lambda: defaultdict(int))
    for event in world.asked:
        marks = [
            (feed, mark)
            for feed, some in world.held.get(event.idx, ())
            for mark in some
            if mark.what in _PLACES
        ]
        if not marks or world.shared(event):
            continue
        person = world.person(event)
        homes = {(feed.agency, mark.who) for feed, mark in marks if feed.agency}
        for agency, who in homes:
            asked[agency, who][person] += 1
        own = [mark for feed, mark in marks if _is_own(feed, mark, person)]
        if own:
            found[person].append((event, any(mark.what is What.HOME for mark in own)))
    teams: dict[tuple[str, str], list[Person]] = defaultdict(list)
    for person in world.of:
        if (member := world.member(person)) is not None:
            teams[person[0], member.team].append(person)
    beats = {
        person: _Beat.of(person, asked[person[0], int(person[1][1:])], mates, world)
        for mates in teams.values()
        for person in mates
    }
    spread = _widened(beats.values())
    for person, some in found.items():
        yield _neighbour(world, person, some, beats[person], spread, len(beats))


def _is_own(feed: Feed, mark: Mark, person: Person) -> bool:
    return person == (feed.agency, f"#{mark.who}") and not mark.relative


@dataclass(frozen=True, slots=True)
class _Beat:
    """How often those of a team ask for the streets where one of them lives."""

    expected: float  # of whoever lives there, by what the others of the team ask
    others: tuple[tuple[int, float], ...]  # of each of the others: how often, how often expected

    @classmethod
    def of(
        cls, person: Person, asked: Mapping[Person, int], team: Sequence[Person], world: World
    ) -> _Beat:
        mates = [one for one in team if one != person]
        total = sum(len(world.of[one]) for one in mates)
        share = (sum(asked.get(one, 0) for one in mates) + 0.5) / (total + 500)
        return cls(
            expected=share * len(world.of[person]),
            others=tuple((asked.get(one, 0), share * len(world.of[one])) for one in mates),
        )


def _widened(beats: Iterable[_Beat]) -> float:
    """By how much more than chance those of a team differ in where they search: the part of the
    variance that grows with the square of what is expected."""
    pairs = [pair for beat in beats for pair in beat.others]
    squares = sum(expected * expected for _, expected in pairs)
    excess = sum((count - expected) ** 2 - expected for count, expected in pairs)
    return min(1.0, max(0.0, excess / squares)) if squares >= 1 else 1.0


def _neighbour(
    world: World,
    person: Person,
    some: Sequence[tuple[Event, bool]],
    beat: _Beat,
    spread: float,
    many: int,
) -> Signal:
    expected = beat.expected
    digits = surprise(len(some), expected, expected + spread * expected * expected)
    events = [event for event, _ in some]
    own = sum(home for _, home in some)
    there = "their own address" if own == len(some) else "streets next to their home"
    both = f", {own} of these for their own" if 0 < own < len(some) else ""
    return Signal(
        pattern=Pattern.NEIGHBOUR,
        person=person,
        score=max(0.1, weight(digits - log10(many))),
        reason=f"Asked {times(len(some))} on {days(events)} days for {there}{both}, where "
        f"{expected:.1f} is to be expected by what their team asks.",
        entries=numbers(events),
    )
