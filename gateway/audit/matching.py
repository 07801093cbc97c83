"""Signs of misuse in whom was asked for: oneself and one's family, colleagues, neighbours, and
those who are watched. By tokens alone. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.audit.index import Event
from gateway.audit.odds import surprise, together, weight
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
    for (pattern, person), some in kinds.items():
        yield from _told(world, pattern, person, some)
    yield from _neighbours(world)


def _hits(world: World) -> Iterator[_Hit]:
    families: dict[tuple[str, int, int], set[Person]] = defaultdict(set)
    partly: list[_Hit] = []
    for event in world.asked:
        marks = world.held.get(event.idx)
        if not marks:
            continue
        about: dict[tuple[str, int, int], tuple[Feed, set[What]]] = {}
        for feed, mark in marks:
            key = (feed.agency, mark.who, mark.relative)
            about.setdefault(key, (feed, set()))[1].add(mark.what)
        asker = world.person(event)
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


def _judged(world: World, hit: _Hit, others: int) -> tuple[Pattern, float] | None:
    """What a hit is a sign of, and how much; None if of nothing."""
    agency, number = hit.asker
    event = hit.event
    if not hit.feed.agency:
        base = _WATCHED if hit.by != "family name" else 0.0
        left = (
            1.0 if not event.matter else _WATCHED_SHARED if world.shared(event) else _WATCHED_LONE
        )
        # the famous have namesakes too: a name that many search for is some of theirs
        sure = 1.0 if hit.sure else _WATCHED_NAME / (1 + 0.1 * others)
        return (Pattern.WATCHED, base * left * sure) if base else None
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
    world: World, pattern: Pattern, person: Person, some: Sequence[tuple[_Hit, float]]
) -> Iterator[Signal]:
    """Two signs: what was asked by oneself, and what at cases where others work too."""
    for shared in (False, True):
        hits = [(hit, score) for hit, score in some if world.shared(hit.event) is shared]
        if not hits:
            continue
        occasions: dict[tuple[int, str | int], float] = defaultdict(float)
        ways: dict[str, list[_Hit]] = defaultdict(list)
        for hit, score in hits:  # work at one case, or a day without, is one occasion
            key = (hit.who, hit.event.matter or hit.event.at // DAY)
            occasions[key] = max(occasions[key], score)
            ways[_whom(pattern, hit)].append(hit)
        ranked = sorted(ways.items(), key=lambda way: -len(way[1]))
        yield Signal(
            pattern=pattern,
            person=person,
            score=together(occasions.values()),
            reason=" ".join(_way(whom, own, shared) for whom, own in ranked[:_MOST_WAYS]),
            entries=numbers(hit.event for hit, _ in hits),
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
            (feed, mark) for feed, mark in world.held.get(event.idx, ()) if mark.what in _PLACES
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
    for person, some in found.items():
        yield _neighbour(world, person, some, asked, teams)


def _is_own(feed: Feed, mark: Mark, person: Person) -> bool:
    return person == (feed.agency, f"#{mark.who}") and not mark.relative


def _neighbour(
    world: World,
    person: Person,
    some: Sequence[tuple[Event, bool]],
    asked: Mapping[tuple[str, int], Mapping[Person, int]],
    teams: Mapping[tuple[str, str], Sequence[Person]],
) -> Signal:
    agency, name = person
    member = world.member(person)
    mates = [one for one in teams[agency, member.team if member else ""] if one != person]
    by_mates = asked[agency, int(name[1:])]
    total = sum(len(world.of[one]) for one in mates)
    share = (sum(by_mates.get(one, 0) for one in mates) + 0.5) / (total + 500)
    expected = share * len(world.of[person])
    # A beat is walked by some more than by others: as wide as it is long.
    digits = surprise(len(some), expected, expected + expected * expected)
    events = [event for event, _ in some]
    own = sum(home for _, home in some)
    there = "their own address" if own == len(some) else "streets next to their home"
    both = f", {own} of these for their own" if 0 < own < len(some) else ""
    return Signal(
        pattern=Pattern.NEIGHBOUR,
        person=person,
        score=max(0.1, weight(digits - 2)),
        reason=f"Asked {times(len(some))} on {days(events)} days for {there}{both}, where "
        f"{expected:.1f} is to be expected by what their team asks.",
        entries=numbers(events),
    )
