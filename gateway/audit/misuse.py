"""Which uses of the gateway an auditor should look at first, and why.

Every query of a period is looked at for signs of misuse (`matching.py`: for whom was asked;
`habits.py`: how), by the index and by tokens alone. The signs of one officer and one pattern make
a case; cases are ranked by their score, so that who reads from the top reads what is worth it. A
score accuses nobody: each case says in words why it is there and names what it rests on.

Blocking; a period of 200,000 queries takes seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from gateway.audit import habits, matching
from gateway.audit.index import REVIEW, Event, IndexFile, Wanted
from gateway.audit.odds import together
from gateway.audit.signals import Pattern, Signal, World
from gateway.audit.staff import Feed, Mark
from gateway.audit.uses import Viewer

FOLLOWED: Final = timedelta(days=7)  # how long after a period what was done about it still counts
_MATTERS: Final = 0.25  # of the strongest sign: what is weaker would only bury it
_TOLD: Final = frozenset({"recordOutcome", REVIEW})
_SEEN: Final = frozenset({Viewer.OFFICER.value, Viewer.FORCE.value, Viewer.EXTERNAL.value})
"""Whose reviews end a sign. By those of professional standards their agency's ordinary auditors,
for whom the queue is made too, would see that there was one."""
_NEEDS: Final[Mapping[str, str]] = {
    "family": "own names and those of colleagues",
    "plates": "own vehicles and those of colleagues",
    "phones": "own phones and those of colleagues",
    "postcodes": "own addresses",
    "relatives": "family",
    "near": "neighbours",
    "shifts": "off-duty use by the roster",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Signs of one pattern in what one officer asked."""

    pattern: Pattern
    agency: str
    actors: tuple[str, ...]  # the officer's tokens, one for each quarter
    score: float
    reasons: tuple[str, ...]  # the strongest first
    entries: tuple[int, ...]  # of the queries that it rests on: their first entries
    since: datetime
    until: datetime  # of the last of them

    @property
    def flag(self) -> str:
        """ "self_or_colleague", or ""."""
        return self.pattern.flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Cases by rank, and what could not be looked for."""

    cases: tuple[Case, ...]
    looked_at: int  # queries
    missing: tuple[str, ...]  # in words, for each agency: which feed is not connected


def queue(
    index: IndexFile,
    *,
    since: datetime,
    until: datetime,
    staff: Sequence[Feed] = (),
    watch: Feed | None = None,
    agency: str | None = None,
    limit: int = 200,
) -> Queue:
    """The cases of a period, the strongest first; with `agency` those of its own officers alone.

    Everybody's habits are what each is compared with, whoever may see the cases.
    """
    made = queues(index, [agency], since=since, until=until, staff=staff, watch=watch, limit=limit)
    return made[agency]


def queues(
    index: IndexFile,
    agencies: Sequence[str | None],
    *,
    since: datetime,
    until: datetime,
    staff: Sequence[Feed] = (),
    watch: Feed | None = None,
    limit: int = 200,
) -> Mapping[str | None, Queue]:
    """The queue of each of these agencies, and under None that of all, by looking once."""
    world = _world(index, since, until, staff, watch)
    found = _cases(world)
    return {agency: _queue(world, found, agency, limit) for agency in agencies}


def _queue(world: World, found: Sequence[Case], agency: str | None, limit: int) -> Queue:
    shown = [case for case in found if agency in (None, case.agency)]
    agencies = sorted({one.agency for one in world.asked if agency in (None, one.agency)})
    return Queue(
        cases=tuple(shown[:limit]),
        looked_at=sum(agency in (None, one.agency) for one in world.asked),
        missing=tuple(_missing(world, agencies)),
    )


def flagged(
    index: IndexFile, *, since: datetime, until: datetime, staff: Sequence[Feed]
) -> Mapping[int, str]:
    """The flag of each query that asked for the officer or a colleague, by its number: of every
    one, however it scores."""
    world = _world(index, since, until, staff, None)
    return {
        idx: signal.pattern.flag
        for signal in matching.signals(world)
        if signal.pattern.flag
        for idx in signal.entries
    }


def _world(
    index: IndexFile, since: datetime, until: datetime, staff: Sequence[Feed], watch: Feed | None
) -> World:
    # a look at the record, or one that was refused, is no query
    events = list(index.events(Wanted(since=since, until=until, viewers=frozenset())))
    seen = Wanted(since=since, until=until + FOLLOWED, viewers=_SEEN)
    after = index.events(seen, done=True)
    feeds = [*staff, *([watch] if watch else [])]
    return World(
        events=events,
        feeds={feed.agency: feed for feed in staff},
        watch=watch,
        held=_held(index, events, feeds),
        done=[one for one in after if one.act in _TOLD and one.status in (None, 200)],
    )


def _held(
    index: IndexFile, events: Sequence[Event], feeds: Sequence[Feed]
) -> Mapping[int, Sequence[tuple[Feed, tuple[Mark, ...]]]]:
    """What feeds know of each query's tokens."""
    found: dict[int, list[tuple[Feed, tuple[Mark, ...]]]] = defaultdict(list)
    if events:
        for feed in feeds:
            for token, idx in index.hits(feed.marks, events[0].idx, events[-1].idx):
                found[idx].append((feed, feed.marks[token]))
    return found


def _cases(world: World) -> list[Case]:
    kinds: dict[tuple[str, str, Pattern], list[Signal]] = defaultdict(list)
    for signal in (*matching.signals(world), *habits.signals(world)):
        kinds[*signal.person, signal.pattern].append(signal)
    at = {one.idx: one for one in world.asked}
    cases = [_case(signals, at) for signals in kinds.values()]
    return sorted(cases, key=lambda case: (-case.score, case.agency, case.actors, case.pattern))


def _case(signals: Sequence[Signal], at: Mapping[int, Event]) -> Case:
    ranked = sorted(signals, key=lambda signal: -signal.score)
    ranked = [signal for signal in ranked if signal.score >= _MATTERS * ranked[0].score]
    entries = sorted({idx for signal in ranked for idx in signal.entries})
    events = [at[idx] for idx in entries]
    moments = sorted(one.at for one in events)
    return Case(
        pattern=ranked[0].pattern,
        agency=events[0].agency,
        actors=tuple(dict.fromkeys(one.actor for one in events)),
        score=round(together(_independent(ranked)), 4),
        reasons=tuple(dict.fromkeys(signal.reason for signal in ranked)),
        entries=tuple(entries),
        since=datetime.fromtimestamp(moments[0] / 1_000_000, UTC),
        until=datetime.fromtimestamp(moments[-1] / 1_000_000, UTC),
    )


def _independent(ranked: Sequence[Signal]) -> Iterator[float]:
    """The scores of signs that do not rest on the same queries: much in an hour is much in that
    day, too, and no more by that."""
    counted: set[int] = set()
    for signal in ranked:
        if 2 * len(counted.intersection(signal.entries)) < len(signal.entries):
            counted.update(signal.entries)
            yield signal.score


def _missing(world: World, agencies: Sequence[str]) -> Iterator[str]:
    for agency in agencies:
        feed = world.feeds.get(agency)
        if feed is None:
            yield (
                f"{agency} has connected no staff feed: its officers' own names, family, "
                "neighbours, colleagues and rosters are not looked for."
            )
        elif lacking := [name for column, name in _NEEDS.items() if column not in feed.columns]:
            yield f"The staff feed of {agency} does not tell of: {', '.join(lacking)}."
    if world.watch is None:
        yield "There is no watch list: who is watched is not looked for."
