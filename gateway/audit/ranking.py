"""`python -m gateway.audit.ranking`: the queues of misuse, made in a process of its own.

Looking through a long period takes seconds of computing. Here nobody waits for it, and whoever
started it can end it. What is wanted comes as JSON by the standard input, the queues leave as JSON
by the standard output; neither names anybody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from gateway.audit.apart import work
from gateway.audit.index import IndexFile, Wanted
from gateway.audit.keys import AuditKeys
from gateway.audit.misuse import Case, Queue, queues
from gateway.audit.signals import Pattern
from gateway.audit.staff import Tokens, quarters, staff_of, tokens_of, watch_list
from gateway.errors import ConfigError

MOST_CASES: Final = 200  # of an agency
MOST_ENTRIES: Final = 500  # of a case: its latest
MOST_QUERIES: Final = 500_000
LONGEST_S: Final = 240  # of computing
_ALL: Final = ""
_NOTHING: Final = "0" * 64  # a token that no entry has
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which queues are wanted, and of what they are made."""

    index: Path
    keys: Path
    feeds: Path
    agencies: tuple[str, ...]
    since: datetime
    until: datetime

    def text(self) -> bytes:
        return json.dumps(asdict(self), default=str).encode()

    @classmethod
    def of(cls, text: bytes) -> Order:
        held = json.loads(text)
        return cls(
            index=Path(held["index"]),
            keys=Path(held["keys"]),
            feeds=Path(held["feeds"]),
            agencies=tuple(held["agencies"]),
            since=datetime.fromisoformat(held["since"]),
            until=datetime.fromisoformat(held["until"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """What came of it: a queue for each agency and for all, and what was wrong with feeds."""

    queues: Mapping[str | None, Queue]
    faults: tuple[str, ...] = ()  # for whoever keeps the gateway: file, line and column
    many: int = 0  # queries of the period, where they are too many to be looked through

    def text(self) -> bytes:
        held = {
            agency or _ALL: {**asdict(queue), "cases": [_flat(case) for case in queue.cases]}
            for agency, queue in self.queues.items()
        }
        return json.dumps({"queues": held, "faults": self.faults, "many": self.many}).encode()

    @classmethod
    def of(cls, text: bytes) -> Ranked:
        held = json.loads(text)
        return cls(
            queues={agency or None: _queue(one) for agency, one in held["queues"].items()},
            faults=tuple(held["faults"]),
            many=held["many"],
        )


def ranked(order: Order) -> Ranked:
    """Make them.

    Raises:
        sqlite3.Error, OSError, AuditUnavailable: the index or the keys cannot be read.
    """
    index = IndexFile(order.index)
    many = index.many(Wanted(since=order.since, until=order.until))
    if many > MOST_QUERIES:
        return Ranked(queues={}, many=many)
    tokens, within = _tokens(AuditKeys(order.keys), order.since, order.until)
    faults: list[str] = []
    said: dict[str | None, str] = {}

    def read(agency: str | None, what: str, made: Callable[[], _T]) -> _T | None:
        try:
            return made()
        except ConfigError as error:  # its text names file, line and column, and no value
            faults.append(f"{what}: {error}")
            said[agency] = f"{what} cannot be used: whoever keeps this gateway is told why."
            return None

    staff = [
        read(one, f"The staff feed of {one}", lambda one=one: staff_of(  # type: ignore[misc]
            order.feeds, one, tokens, within
        ))
        for one in order.agencies
    ]  # fmt: skip
    watch = read(None, "The watch list", lambda: watch_list(order.feeds, tokens, within))
    made = queues(
        index,
        [None, *order.agencies],
        since=order.since,
        until=order.until,
        staff=[feed for feed in staff if feed is not None],
        watch=watch,
        limit=MOST_CASES,
    )
    return Ranked(
        queues={
            agency: Queue(
                cases=queue.cases,
                looked_at=queue.looked_at,
                missing=(
                    *(text for of, text in said.items() if agency is None or of in (agency, None)),
                    *queue.missing,
                ),
            )
            for agency, queue in made.items()
        },
        faults=tuple(faults),
    )


def _tokens(keys: AuditKeys, since: datetime, until: datetime) -> tuple[Tokens, Sequence[str]]:
    """Tokens by the keys that there are: none is made, and of one that was destroyed nothing is
    found any more."""
    held = set(keys.tokens())
    known = tokens_of(keys)

    def tokens(name: str, value: str, quarter: str) -> str:
        return known(name, value, quarter) if f"{name}/{quarter}" in held else _NOTHING

    return tokens, quarters(since, until)


def _flat(case: Case) -> dict[str, Any]:
    return {
        **asdict(case),
        "entries": case.entries[-MOST_ENTRIES:],
        "since": case.since.isoformat(),
        "until": case.until.isoformat(),
    }


def _queue(held: Mapping[str, Any]) -> Queue:
    return Queue(
        cases=tuple(map(_case, held["cases"])),
        looked_at=held["looked_at"],
        missing=tuple(held["missing"]),
    )


def _case(held: Mapping[str, Any]) -> Case:
    return Case(
        pattern=Pattern(held["pattern"]),
        agency=held["agency"],
        actors=tuple(held["actors"]),
        score=held["score"],
        reasons=tuple(held["reasons"]),
        entries=tuple(held["entries"]),
        since=datetime.fromisoformat(held["since"]),
        until=datetime.fromisoformat(held["until"]),
    )


if __name__ == "__main__":
    sys.exit(work(lambda given: ranked(Order.of(given.read())).text(), longest_s=LONGEST_S))
