"""The index of a log of ten million entries, and what an auditor's three questions to it take."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

from gateway.audit.index import Index, Opened, Wanted

START: Final = datetime(2026, 1, 1, tzinfo=UTC)
YEAR_S: Final = 365 * 86_400
_AGENCIES: Final = ("NMC", "NMC", "NMC", "SCP", "SCP", "BID", "ERU", "NCB")
_SOURCES: Final = ("nmc", "scp", "bid", "eru", "ncb", "nis")
_PURPOSES: Final = ("OFFICER_SAFETY", "PREVENT_DETECT_CRIME", "PROTECT_VULNERABLE", "APPREHEND",
                    "BORDER_SECURITY", "IMMIGRATION_CONTROL", "OIC_INVESTIGATION",
                    "MISSING_PERSON")  # fmt: skip
_RULES: Final = tuple(f"refuse.{n}" for n in range(40))
_AT_ONCE: Final = 5_000
_MASK: Final = (1 << 128) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15F39CC0605CEDC835  # 2**128 over the golden ratio, odd


def token(kind: str, number: int) -> str:
    """Spread like those of the log, and as long; quickly made."""
    return f"{(_kind(kind) + number) * _GOLDEN & _MASK:032x}{number:032x}"


@cache
def _kind(kind: str) -> int:
    return int.from_bytes(sha256(kind.encode()).digest()[:15])


class Spread:
    """Who asks, for whom, why: a few much more often than most."""

    def __init__(self, queries: int) -> None:
        self.random = Random(42)  # noqa: S311  repeatable
        self.queries = queries
        self.actors = [token("actor", n) for n in range(max(50, queries // 250))]
        self.families = [token("family", n) for n in range(40_000)]
        self.givens = [token("given", n) for n in range(4_000)]
        self.born = [token("born", n) for n in range(20_000)]
        self.words = [token("words", n) for n in range(400)]
        self.roles = [token("roles", n)[:16] for n in range(12)]

    def popular(self, count: int, power: float = 3.0) -> int:
        return int(count * self.random.random() ** power)

    def entries(self) -> Iterator[Opened]:
        """Of each query its intent and its outcome."""
        for number in range(self.queries):
            intent, outcome = self._query(number)
            yield Opened(index=2 * number, leaf=intent[0], parts=intent[1])
            yield Opened(index=2 * number + 1, leaf=outcome[0], parts=outcome[1])

    def _query(self, number: int) -> tuple[tuple[dict[str, Any], dict[str, Any]], ...]:
        random = self.random
        person = self.popular(3_000_000, 1.5)
        actor = self.popular(len(self.actors), 2.0)
        agency = _AGENCIES[actor % len(_AGENCIES)]
        at = (START + timedelta(seconds=YEAR_S * number / self.queries)).isoformat()
        why: dict[str, Any] = {
            "code": _PURPOSES[self.popular(len(_PURPOSES), 2.0)],
            "reason": f"R{self.popular(30):02}",
        }
        if random.random() < 0.7:
            why["words"] = (
                self.words[self.popular(400)] if random.random() < 0.7 else token("free", number)
            )
        if random.random() < 0.45:
            why["case"] = token("case", number // 3)
        if random.random() < 0.002:
            why["break_glass"] = True
        if random.random() < 0.35:
            terms = [["Vrm", token("plate", person)]]
        else:
            terms = [["Name", self.families[person % 40_000 * (person % 7 > 2) or person % 900]],
                     ["Name", self.givens[person % 4_000]]]  # fmt: skip
            if random.random() < 0.5:
                terms.append(["Date", self.born[person % 20_000]])
        refused = random.random() < 0.015
        leaf = {
            "v": 2, "kind": "I", "tag": "consultation", "at": at, "request_id": _request(number),
            "who": {"actor": self.actors[actor], "agency": agency, "client": f"app-{actor % 4}",
                    "roles": self.roles[actor % 12]},
            "purpose": why, "policy": {"serial": 7 + 40 * number // self.queries},
            "sealed": {"parts": {"asker": {}}},
        }  # fmt: skip
        shown: dict[str, Any] = {}
        for n in range(0 if refused else self.popular(4, 1.2)):
            source = _SOURCES[(person + n) % len(_SOURCES)]
            part = shown.setdefault(f"owner/{source.upper()}", {"records": [], "hits": []})
            part["records"].append(["p", source, "Person", token("record", person * 4 + n), []])
        ended = {
            "v": 2, "kind": "O", "tag": "disclosure", "at": at, "request_id": _request(number),
            "status": 403 if refused else 200, "code": "REFUSED" if refused else None,
            "rule": _RULES[self.popular(40, 4.0)] if refused else "",
            "policy": leaf["policy"], "disclosed": {"records": sum(map(len, shown))},
            "sources": {source: ["ANSWERED", 1, 0, 0, 0] for source in _SOURCES},
            "sealed": {"parts": {"asker": {}, **{name: {} for name in shown}}},
        }  # fmt: skip
        return (leaf, {"asker": {"terms": terms}}), (ended, shown)


def _request(number: int) -> str:
    return f"01a20213-155e-741f-8000-{number:012x}"


@dataclass(slots=True, kw_only=True)
class Built:
    """An index on the disk."""

    path: Path
    entries: int
    took_s: float  # of the index alone; what it was given was made meanwhile, and is not counted
    bytes: int
    spread: Spread


def build(path: Path, entries: int, told: Callable[[int], None]) -> Built:
    """Make it as a rebuild does; `told` hears how many entries are in."""
    spread, took_s = Spread(entries // 2), 0.0
    made = spread.entries()
    with closing(Index(path, "portcullis.example/bench")) as index:
        loading = index.loading()
        loading.__enter__()
        while some := list(islice(made, _AT_ONCE)):
            began = time.perf_counter()
            index.add(some)
            took_s += time.perf_counter() - began
            told(index.size)
        began = time.perf_counter()
        loading.__exit__(None, None, None)
        took_s += time.perf_counter() - began
    return Built(
        path=path, entries=entries, took_s=took_s, bytes=path.stat().st_size, spread=spread
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One kind of question, asked many times."""

    what: str
    cold_ms: Sequence[float]  # nothing of the file in memory
    warm_ms: Sequence[float] = field(default_factory=list)  # the same again
    rows: float = 0.0  # found, on average


def questions(spread: Spread, count: int) -> dict[str, list[Wanted]]:
    """The three questions, each with those that find much and those that find little."""
    random = Random(7)  # noqa: S311  repeatable
    people, officers, why = [], [], []
    for n in range(count):
        person = int(3_000_000 * random.random() ** 1.5)
        name = spread.families[person % 900 if n % 2 else person % 40_000]
        # a typed name is looked for as each kind of value and by all beginnings, in four quarters
        typed = frozenset({name, *(token("beginning", 60 * n + m) for m in range(55))})
        given = frozenset({spread.givens[person % 4_000]})
        records = frozenset(token("record", person * 4 + m) for m in range(4))
        people += [
            Wanted(tokens=(records,)), Wanted(tokens=(typed,)), Wanted(tokens=(typed, given)),
            Wanted(tokens=(typed,), agency="SCP", source="bid"),
        ]  # fmt: skip
        actor = frozenset({spread.actors[int(len(spread.actors) * random.random() ** 2)]})
        since = START + timedelta(days=random.randrange(0, 330))
        officers += [
            Wanted(tokens=(actor,)),
            Wanted(tokens=(actor,), since=since, until=since + timedelta(days=30)),
            Wanted(tokens=(actor, typed)), Wanted(tokens=(actor,), code="REFUSED"),
        ]  # fmt: skip
        agency = random.choice(("NMC", "SCP", "ERU"))
        why += [
            Wanted(tokens=(frozenset({token("case", random.randrange(spread.queries // 3))}),)),
            Wanted(reason=f"R{random.randrange(30):02}", agency=agency),
            Wanted(rule=random.choice(_RULES), agency=agency),
            Wanted(rule=random.choice(_RULES), since=since, until=since + timedelta(days=7)),
            Wanted(tokens=(frozenset({spread.words[random.randrange(400)]}),), agency=agency),
            Wanted(serial=random.randrange(7, 47), purpose=random.choice(_PURPOSES)),
            Wanted(glass=True, agency=agency, since=since, until=since + timedelta(days=1)),
            Wanted(since=since, until=since + timedelta(hours=1)),
        ]  # fmt: skip
    return {
        "who looked at this person": people,
        "what did this officer look at": officers,
        "under which case, reason, rule": why,
    }


def asked(built: Built, count: int) -> Iterator[Asked]:
    """Ask each question with nothing in memory, and once more."""
    with closing(Index(built.path, "portcullis.example/bench")) as index:
        for what, wanted in questions(built.spread, count).items():
            yield _asked(what, built.path, [partial(index.find, one, limit=50) for one in wanted])
        year = [START + timedelta(days=364 - 7 * left) for left in range(52, -1, -1)]
        overviews = [partial(index.counts, year, agency=one) for one in (None, "NMC", "ERU")]
        yield _asked("the overview of 52 weeks", built.path, overviews * (1 + count // 10))


def _asked(what: str, path: Path, questions: Sequence[Callable[[], Sequence[object]]]) -> Asked:
    cold: list[float] = []
    warm: list[float] = []
    rows = 0
    for question in questions:
        _forget(path)
        for took in (cold, warm):
            began = time.perf_counter()
            found = question()
            took.append((time.perf_counter() - began) * 1000)
        rows += len(found)
    return Asked(what=what, cold_ms=cold, warm_ms=warm, rows=rows / len(questions))


def _forget(path: Path) -> None:
    """Have the system forget what it holds of the file: all of it is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)
