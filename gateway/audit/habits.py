"""Signs of misuse in how somebody asks, against their own habit and that of their peers: off duty,
the same reason again and again, much or fast, for an unusual purpose, in vain many times in a row,
with broken glass and nothing after it. Pure.

What is surprising for one officer is bound to happen to some of many: of the digits of each
surprise, those of the number of officers looked at are taken away before it counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import groupby
from math import log10
from typing import Final

from gateway.audit.index import Event
from gateway.audit.odds import Spread, Usual, surprise, together, weight
from gateway.audit.signals import (
    DAY,
    HOUR,
    Pattern,
    Person,
    Signal,
    World,
    days,
    is_review,
    numbers,
    times,
)

_MARGIN: Final = HOUR  # before and after a shift: who comes early and who stays late
_COMPANY: Final = 2  # colleagues off duty in the same hour: an operation
_GAP: Final = 20 * HOUR // 60  # a longer rest ends a row of misses
_LEAST_ROW: Final = 8
_FEW: Final = 20
_FEW_TIMES: Final = 5
_UNUSUAL: Final = 0.05  # of what peers ask
_FOLLOWED_WITHIN: Final = 3 * DAY
_GLASS: Final = 0.35


def signals(world: World) -> Iterator[Signal]:
    """All of them."""
    for look in (_off_duty, _words, _much, _purposes, _rows, _glass):
        yield from look(world)


def _digits(count: int) -> float:
    return log10(max(1, count))


# -- off duty --------------------------------------------------------------------------------


def _off_duty(world: World) -> Iterator[Signal]:
    """Asked on days, or at times, at which the roster has them at home."""
    off: dict[Person, list[Event]] = {}
    present: dict[tuple[str, int], set[Person]] = defaultdict(set)
    for person, events in world.of.items():
        member = world.member(person)
        if member is None or not member.shifts:
            own = [one for one in events if one.duty == 0]
            if 0 < len(own) < 0.5 * len(events):  # else the attribute is not used here
                off[person] = own
            continue
        own = [one for one in events if (member.off_by(one.at) or 0) > _MARGIN]
        off[person] = own
        for one in own:
            present[member.team, one.at // HOUR].add(person)
    alone: dict[Person, list[Event]] = {}
    for person, own in off.items():
        member = world.member(person)
        team = member.team if member else ""
        alone[person] = [
            one for one in own if len(present[team, one.at // HOUR] - {person}) < _COMPANY
        ]
    by_agency: dict[str, dict[Person, list[Event]]] = defaultdict(dict)
    for person, own in alone.items():
        by_agency[person[0]][person] = list(_just_looked_in(world, world.of[person], own))
    for free in by_agency.values():
        spread = Spread.of(days(own) for own in free.values())
        for person, own in free.items():
            count = days(own)
            mean, variance = spread.without(count)
            digits = surprise(count, mean, variance) - _digits(len(free))
            if digits > 0:
                rostered = (member := world.member(person)) is not None and bool(member.shifts)
                by = "by the roster" if rostered else "by their own token"
                yield Signal(
                    pattern=Pattern.OFF_DUTY,
                    person=person,
                    score=weight(digits),
                    reason=f"Asked {times(len(own))}, a few each, on {count} days when off duty "
                    f"{by}, without colleagues; {mean:.1f} such days are usual.",
                    entries=numbers(own),
                )


def _just_looked_in(world: World, every: Sequence[Event], off: Sequence[Event]) -> Iterator[Event]:
    """Of what was asked off duty, that of days on which it was less than half of a usual day's,
    and no work at a case of others: who does overtime works."""
    usual = len(every) / max(1, days(every))
    by_day: dict[int, list[Event]] = defaultdict(list)
    for one in off:
        by_day[one.at // DAY].append(one)
    for own in by_day.values():
        if len(own) < max(2.0, usual / 2) and not any(world.shared(one) for one in own):
            yield from own


# -- the same words, much, fast ----------------------------------------------------------------


def _words(world: World) -> Iterator[Signal]:
    """The same words as reason day after day, which nobody else uses, and no case. Days are
    counted: what is asked at one occasion has one reason."""
    users: dict[tuple[str, str], set[Person]] = defaultdict(set)
    for one in world.asked:
        if one.words:
            users[one.agency, one.words].add(world.person(one))
    private: dict[Person, list[Event]] = {}
    for person, events in world.of.items():
        texts: dict[str, list[Event]] = defaultdict(list)
        for one in events:
            if one.words and not one.matter and len(users[one.agency, one.words]) == 1:
                texts[one.words].append(one)
        private[person] = max(texts.values(), key=lambda own: (days(own), len(own)), default=[])
    for people in world.peers.values():
        on = {person: days(private[person]) for person in people}
        spread = Spread.of(on.values())
        for person, count in on.items():
            own = private[person]
            mean, variance = spread.without(count)
            digits = surprise(count, mean, variance) - _digits(len(world.of))
            if digits > 0:
                yield Signal(
                    pattern=Pattern.HABIT,
                    person=person,
                    score=weight(digits),
                    reason=f"Gave the same words as reason {times(len(own))} on {count} days, "
                    f"without a case; nobody else uses them, and peers repeat theirs on "
                    f"{mean:.0f} days.",
                    entries=numbers(own),
                )


def _much(world: World) -> Iterator[Signal]:
    """More in a day, or in an hour, than this officer or any peer is wont to ask."""
    # Whoever works through a list with others, or at a case of many, has been told to.
    alone = {
        person: [one for one in events if not world.joint(one) and not world.shared(one)]
        for person, events in world.of.items()
    }
    for size, name in ((DAY, "day"), (HOUR, "hour")):
        most: dict[Person, tuple[int, list[Event], float]] = {}
        for person, own in alone.items():
            spans = [list(some) for _, some in groupby(own, partial(_span, size))]
            if not spans:
                continue
            spread = Spread.of(map(len, spans))
            largest = max(spans, key=len)
            mean, variance = spread.without(len(largest))
            digits = surprise(len(largest), mean, variance) - _digits(len(spans))
            most[person] = (len(largest), largest, digits)
        for people in world.peers.values():
            counts = {person: most[person][0] for person in people if person in most}
            peers = Spread.of(counts.values())
            for person, count in counts.items():
                mean, variance = peers.without(count)
                against = surprise(count, mean, variance) - _digits(len(world.of))
                # alone in a role there are no peers, and the own habit must do
                digits = min(against, most[person][2]) if len(counts) > 2 else most[person][2]
                if digits > 0:
                    yield Signal(
                        pattern=Pattern.HABIT,
                        person=person,
                        score=weight(digits),
                        reason=f"Asked {times(count)} within one {name}"
                        f"{_same_words(most[person][1])}; the busiest {name} of a peer has "
                        f"{mean:.0f}.",
                        entries=numbers(most[person][1]),
                    )


def _same_words(events: Sequence[Event]) -> str:
    """That most of these have one reason, if so."""
    ((words, count),) = Counter(one.words for one in events).most_common(1)
    same = bool(words) and 2 * count > len(events)
    return f", and gave the same words as reason {times(count)}" if same else ""


def _span(size: int, one: Event) -> int:
    return one.at // size


# -- purposes ---------------------------------------------------------------------------------


def _purposes(world: World) -> Iterator[Signal]:
    """For a purpose that others with the same roles hardly ever give. Days are counted: what is
    asked at one occasion is one."""
    counts: dict[Person, Counter[str]] = {}
    on: dict[Person, Counter[str]] = {}
    for person, events in world.of.items():
        free = [one for one in events if one.purpose and not one.matter]
        counts[person] = Counter(one.purpose for one in free)
        on[person] = Counter(purpose for purpose, _ in {(e.purpose, e.at // DAY) for e in free})
    for people in world.peers.values():
        total = sum(counts[person].total() for person in people)
        for purpose in {purpose for person in people for purpose in counts[person]}:
            spread = Spread.of(on[person][purpose] for person in people)
            given = sum(counts[person][purpose] for person in people)
            for person in people:
                others = total - counts[person].total()
                share = (given - counts[person][purpose]) / max(1, others)
                if len(people) < 3 or share > _UNUSUAL or counts[person][purpose] < _FEW_TIMES:
                    continue
                mean, variance = spread.without(on[person][purpose])
                digits = surprise(on[person][purpose], mean, variance) - _digits(len(world.of))
                if digits > 0:
                    yield _unfit(world, person, purpose, share, digits)


def _unfit(world: World, person: Person, purpose: str, share: float, digits: float) -> Signal:
    own = [one for one in world.of[person] if one.purpose == purpose and not one.matter]
    return Signal(
        pattern=Pattern.PURPOSE,
        person=person,
        score=weight(digits),
        reason=f"Asked {times(len(own))} on {days(own)} days without a case for the purpose "
        f"{purpose}, which others with the same roles give for {100 * share:.1f} % of such.",
        entries=numbers(own),
    )


# -- in vain ------------------------------------------------------------------------------------


def _missed(one: Event) -> bool:
    """Whether nothing was shown: nothing was found, or policy said no."""
    return one.code == "REFUSED" or (one.last != one.idx and one.code == "" and not one.records)


def _rows(world: World) -> Iterator[Signal]:
    """Many queries in a row that found nothing: somebody is trying what might be there."""
    chance = _Chance(world)
    for person, events in world.of.items():
        found = []
        for row in _in_vain(events):
            rare = -sum(log10(chance.of(person, one)) for one in row)
            if (digits := rare - _digits(len(world.asked))) > 0:
                found.append((weight(digits), row))
        if found:
            longest = max((row for _, row in found), key=len)
            minutes = (longest[-1].at - longest[0].at) * 60 // HOUR
            yield Signal(
                pattern=Pattern.FISHING,
                person=person,
                score=together(score for score, _ in found),
                reason=f"Asked {len(longest)} times in a row, within {minutes} minutes, and "
                f"nothing was shown; {times(len(found))} a row that is not chance.",
                entries=numbers(one for _, row in found for one in row),
            )


class _Chance:
    """How often others find nothing, by what they ask for."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._all: Counter[tuple[str, ...]] = Counter()
        self._missed: Counter[tuple[str, ...]] = Counter()
        for one in world.asked:
            agency, name = world.person(one)
            for key in ((agency,), self._kind(one), (*self._kind(one), name)):
                self._all[key] += 1
                self._missed[key] += _missed(one)

    def _kind(self, one: Event) -> tuple[str, ...]:
        if self._world.joint(one):  # of a list that somebody made, much may be unknown
            return one.agency, one.words, ""
        return one.agency, one.roles, one.reason

    def of(self, person: Person, one: Event) -> float:
        """Of a query of this kind; where few others ask such, as of the whole agency."""
        kind, agency = self._kind(one), (person[0],)
        own = (*kind, person[1])
        usual = self._missed[agency] / self._all[agency]
        missed = self._missed[kind] - self._missed[own] + _FEW * usual
        return min(0.95, max(0.05, missed / (self._all[kind] - self._all[own] + _FEW)))


def _in_vain(events: Sequence[Event]) -> Iterator[list[Event]]:
    row: list[Event] = []
    for one in events:
        if row and (not _missed(one) or abs(one.at - row[-1].at) > _GAP):
            if len(row) >= _LEAST_ROW:
                yield row
            row = []
        if _missed(one):
            row.append(one)
    if len(row) >= _LEAST_ROW:
        yield row


# -- broken glass ---------------------------------------------------------------------------------


def _glass(world: World) -> Iterator[Signal]:
    """Broken glass of which its officer has not said in time what came of it, and which nobody
    reviewed: this very use, each. An outcome told of another search, or by another, ends nothing.
    """
    reviewed = {one.about for one in world.done if is_review(one) and one.about}
    told: dict[tuple[Person, str], int] = {}
    for one in world.done:
        if one.actor and one.about and not is_review(one):
            key = (world.person(one), one.about)
            told[key] = min(one.at, told.get(key, one.at))
    ended = max((one.at for one in (*world.done, *world.asked)), default=0)
    breakers: Counter[str] = Counter()
    found: dict[Person, tuple[int, list[Event]]] = {}
    for person, events in world.of.items():
        broken = [one for one in events if one.glass]
        breakers[person[0]] += bool(broken)
        left = [
            one
            for one in broken
            if one.request not in reviewed
            and ended - one.at > _FOLLOWED_WITHIN
            and told.get((person, one.request), ended) - one.at > _FOLLOWED_WITHIN
        ]
        if left:
            found[person] = (len(broken), left)
    usual = {
        agency: Usual((len(left) for (of, _), (_, left) in found.items() if of == agency), people)
        for agency, people in breakers.items()
    }
    for person, (count, left) in found.items():
        wordless = sum(not one.words for one in left)
        more = f"; {wordless} of these without a reason in words" if wordless else ""
        # what many forget once says less than what they forget again and again
        rare = [usual[person[0]].rare(n) for n in range(1, len(left) + 1)]
        yield Signal(
            pattern=Pattern.GLASS,
            person=person,
            score=together([*(_GLASS * one for one in rare), *[_GLASS / 4] * wordless]),
            reason=f"Broke the glass {times(count)}, and {times(len(left))} within three "
            f"days neither told an outcome nor was reviewed{more}.",
            entries=numbers(left),
        )
