"""A log of ordinary officers over months, with misuse among it of which the truth is known.

Officers have rosters, teams, beats, roles with their purposes, templates for reasons, shared cases,
joint operations, overtime, busy days, namesakes, colleagues who are victims. Among some of them is
hidden what a misuser would do. It knows nothing of how misuse is looked for: sizes are drawn from
ranges that are said here, and everything follows from the seed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import islice
from math import exp
from pathlib import Path
from random import Random
from typing import Any, Final

from gateway.audit.index import Index, Opened
from gateway.audit.keys import AuditKeys
from gateway.audit.misuse import Case, Queue, queue
from gateway.audit.staff import Tokens, quarters, staff_of, tokens_of, watch_list
from gateway.audit.terms import terms_as

START: Final = datetime(2026, 2, 15, tzinfo=UTC)
KINDS: Final = (
    "self", "colleague", "neighbour", "watched", "off_duty", "habit", "purpose", "fishing", "glass",
)  # fmt: skip
ISSUER: Final = "https://sign-in.example/{}"
_ROLES: Final[Mapping[str, Mapping[str, float]]] = {
    "response_officer": {"OFFICER_SAFETY": 62, "PREVENT_DETECT_CRIME": 26, "APPREHEND": 8,
                         "PROTECT_VULNERABLE": 3.5, "MISSING_PERSON": 0.5},
    "public_protection": {"PROTECT_VULNERABLE": 85, "MISSING_PERSON": 15},
    "arrival_officer": {"PROTECT_VULNERABLE": 55, "BORDER_SECURITY": 40, "OFFICER_SAFETY": 4.6,
                        "OIC_INVESTIGATION": 0.4},
    "immigration_enforcement": {"IMMIGRATION_CONTROL": 88, "OFFICER_SAFETY": 11.5,
                                "BORDER_SECURITY": 0.5},
    "border_force": {"BORDER_SECURITY": 90, "OFFICER_SAFETY": 9.6, "PROTECT_VULNERABLE": 0.4},
}  # fmt: skip
_AGENCIES: Final[Mapping[str, tuple[float, tuple[str, ...]]]] = {
    "NMC": (0.44, ("response_officer", "response_officer", "response_officer",
                   "public_protection")),
    "SCP": (0.36, ("response_officer", "response_officer", "arrival_officer")),
    "BID": (0.20, ("immigration_enforcement", "border_force")),
}  # fmt: skip
_ONSET: Final = ("b", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "t", "v", "br", "st")
_VOWEL: Final = ("a", "e", "i", "o", "u", "ea", "ou")


@dataclass(slots=True, kw_only=True)
class Someone:
    """Somebody who may be asked for."""

    given: str
    family: str
    born: str
    plate: str
    phone: str
    postcode: str


@dataclass(slots=True, kw_only=True)
class Worker:
    """An officer."""

    id: str
    agency: str
    role: str
    team: str
    beat: int
    self: Someone
    near: list[str]
    relatives: list[Someone]
    rate: float  # incidents a shift
    template: str  # of their own; "" for none
    shifts: list[tuple[datetime, datetime]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Query:
    """One query of an officer."""

    at: datetime
    by: Worker
    terms: list[tuple[str, str]]  # (type of value, value)
    purpose: str
    reason: str
    words: str = ""
    matter: str = ""
    found: int = 0
    glass: bool = False
    denied: bool = False
    told: Query | None = None  # no query: what came of this one
    seed: int | None = None  # the number of the pattern that it is part of
    request: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """One pattern of misuse that was put there."""

    kind: str
    agency: str
    officer: str
    entries: frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What was made."""

    queries: list[Query]  # in order; number n has the entries 2 n and 2 n + 1
    staff: list[Worker]
    watched: list[Someone]
    since: datetime
    until: datetime

    def seeded(self) -> list[Seeded]:
        found: dict[int, list[int]] = {}
        for number, one in enumerate(self.queries):
            if one.seed is not None:
                found.setdefault(one.seed, []).append(2 * number)
        return [
            Seeded(
                kind=KINDS[seed % len(KINDS)],
                agency=self.queries[entries[0] // 2].by.agency,
                officer=self.queries[entries[0] // 2].by.id,
                entries=frozenset(entries),
            )
            for seed, entries in sorted(found.items())
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """How well a queue finds what was put there.

    A case finds a pattern if it is of its kind and has at least half of the pattern's queries. It
    is worth its place if it finds one, or if half of its queries at least are part of one.
    """

    truth: list[Seeded]
    places: list[frozenset[int]]  # for each case of the queue which patterns it finds
    worth: list[bool]

    @classmethod
    def of(cls, truth: list[Seeded], cases: Sequence[Case]) -> Judged:
        places, worth = [], []
        for case in cases:
            own = set(case.entries)
            places.append(frozenset(
                number for number, one in enumerate(truth)
                if one.kind == case.pattern and 2 * len(one.entries & own) >= len(one.entries)
            ))  # fmt: skip
            part = any(2 * len(one.entries & own) >= len(own) for one in truth)
            worth.append(bool(places[-1]) or part)
        return cls(truth=truth, places=places, worth=worth)

    def found(self, first: int) -> set[int]:
        """Which patterns the first so many cases find."""
        return set().union(*self.places[:first])

    def recall(self, first: int) -> float:
        return len(self.found(first)) / len(self.truth)

    def precision(self, first: int) -> float:
        return sum(self.worth[:first]) / max(1, len(self.worth[:first]))

    @property
    def half(self) -> int:
        """How far one may read so that half of what was read was worth it."""
        lengths = range(1, len(self.worth) + 1)
        return max((n for n in lengths if self.precision(n) >= 0.5), default=0)


def make_log(
    seed: int, *, officers: int = 420, days: int = 90, patterns: int = 40, least: int = 200_000
) -> Log:
    """At least `least` queries of so many officers, `patterns` misuses among them."""
    return _Maker(Random(seed), officers, days).log(patterns, least)  # noqa: S311  repeatable


class _Maker:
    def __init__(self, random: Random, officers: int, days: int) -> None:
        self.random, self.days = random, days
        self.givens = [self._word(2) for _ in range(160)]
        self.families = [self._word(3) for _ in range(1_800)]
        self.areas = [
            [f"{a}{n} {s}{t}" for s in range(1, 9) for t in ("AB", "DE", "GH")]
            for a, n in ((a, n) for a in ("TN", "CT", "ME") for n in range(1, 14))
        ]
        self.people = [self._someone() for _ in range(25_000)]
        self.watched = [self._someone() for _ in range(12)]
        self.staff = self._staff(officers)
        self.teams: dict[str, list[Worker]] = {}
        for one in self.staff:
            self.teams.setdefault(one.team, []).append(one)
        self.queries: list[Query] = []
        self.matters = 0

    # -- who there is

    def _word(self, syllables: int) -> str:
        return "".join(
            self.random.choice(_ONSET) + self.random.choice(_VOWEL) for _ in range(syllables)
        ).capitalize()

    def _popular(self, names: Sequence[str]) -> str:
        return names[int(len(names) * self.random.random() ** 2.2)]

    def _someone(self, family: str = "", postcode: str = "") -> Someone:
        random = self.random
        area = random.choice(self.areas)
        return Someone(
            given=self._popular(self.givens),
            family=family or self._popular(self.families),
            born=f"{random.randrange(1950, 2006)}-{random.randrange(1, 13):02}"
            f"-{random.randrange(1, 29):02}",
            plate="".join(random.choices("ABCDEFGHJKLMNOPRSTUVWXY", k=2))
            + f"{random.randrange(1, 80):02}"
            + "".join(random.choices("ABCDEFGHJKLMNOPRSTUVWXY", k=3)),
            phone=f"+447700{random.randrange(1_000_000):06}",
            postcode=postcode or random.choice(area),
        )

    def _staff(self, officers: int) -> list[Worker]:
        made: list[Worker] = []
        for agency, (share, roles) in _AGENCIES.items():
            count = round(officers * share)
            for start in range(0, count, 10):
                role = roles[(start // 10) % len(roles)]
                team, beat = f"{agency}-{start // 10}", self.random.randrange(len(self.areas))
                for number in range(start, min(start + 10, count)):
                    made.append(self._worker(agency, number, role, team, beat))
        return made

    def _worker(self, agency: str, number: int, role: str, team: str, beat: int) -> Worker:
        random = self.random
        area = self.areas[beat] if random.random() < 0.2 else random.choice(self.areas)
        place = random.randrange(2, len(area) - 2)
        own = self._someone(postcode=area[place])
        relatives = [self._someone(own.family), self._someone()]
        return Worker(
            id=f"{agency.lower()}-{number:04}",
            agency=agency,
            role=role,
            team=team,
            beat=beat,
            self=own,
            near=[area[n] for n in range(place - 2, place + 3) if n != place],
            relatives=relatives,
            rate=3.5 * exp(random.gauss(0, 0.4)),
            template=f"own words {number}" if random.random() < 0.12 else "",
        )

    def _roster(self) -> None:
        for number, team in enumerate(self.teams.values()):
            desk = team[0].role == "public_protection"
            for day in range(self.days):
                date = START + timedelta(days=day)
                turn = (day + number) % 8
                if (date.weekday() > 4) if desk else turn > 3:
                    continue
                hour = 8 if desk else (6, 6, 14, 22)[turn]
                for one in team:
                    if self.random.random() < 0.93:  # else on leave, ill, in court
                        start = date + timedelta(hours=hour)
                        one.shifts.append((start, start + timedelta(hours=8)))

    # -- what is ordinary

    def log(self, patterns: int, least: int) -> Log:
        self._roster()
        for one in self.staff:
            for start, end in one.shifts:
                late = self.random.random() < 0.07
                over = timedelta(hours=self.random.expovariate(1.0)) if late else timedelta(0)
                self._shift(one, start, end + over)
            for _ in range(self._poisson(self.days / 45)):  # overtime that no roster has
                start = self._moment()
                self._shift(one, start, start + timedelta(hours=6))
        for team in self.teams.values():
            for _ in range(self._poisson(self.days / 30)):
                self._operation(team)
        self._curiosities()
        while len(self.queries) < least:
            one = self.random.choice(self.staff)
            start, end = self.random.choice(one.shifts)
            self._shift(one, start, end)
        chosen = self.random.sample(self.staff, patterns)
        for seed, one in enumerate(chosen):
            before = len(self.queries)
            getattr(self, f"_seed_{KINDS[seed % len(KINDS)]}")(one)
            for query in self.queries[before:]:
                query.seed = None if query.told else seed
        self.queries.sort(key=lambda query: query.at)
        for number, query in enumerate(self.queries):
            query.request = f"q{number}"
        until = START + timedelta(days=self.days + 8)
        return Log(
            queries=self.queries, staff=self.staff, watched=self.watched, since=START, until=until
        )

    def _poisson(self, mean: float) -> int:
        limit, count, product = exp(-mean), 0, self.random.random()
        while product > limit:
            count, product = count + 1, product * self.random.random()
        return count

    def _moment(self) -> datetime:
        return START + timedelta(seconds=self.random.randrange(self.days * 86_400))

    def _within(self, start: datetime, end: datetime) -> datetime:
        return start + (end - start) * self.random.random()

    def _matter(self) -> str:
        self.matters += 1
        return f"CR/26/{self.matters:06}"

    def _purpose(self, one: Worker) -> str:
        mix = _ROLES[one.role]
        return self.random.choices(list(mix), weights=list(mix.values()))[0]

    def _shift(self, one: Worker, start: datetime, end: datetime) -> None:
        busy = self.random.gammavariate(4, one.rate / 4)
        if self.random.random() < 0.004:  # a major incident, at which many work
            self._major(one, start, end)
        for _ in range(self._poisson(busy)):
            self._incident(one, self._within(start, end))

    def _words(self, one: Worker) -> str:
        draw = self.random.random()
        if one.template and draw < 0.25:
            return one.template
        if draw < 0.7:
            return f"{one.agency} template {int(40 * self.random.random() ** 2)}"
        return f"in free words {self.random.getrandbits(60)}"

    def _incident(self, one: Worker, at: datetime) -> None:
        """One to four queries about one matter, sometimes by a colleague too."""
        random = self.random
        purpose, words = self._purpose(one), self._words(one)
        matter = self._matter() if random.random() < 0.45 else ""
        glass = random.random() < 0.003
        by = [one]
        if matter and random.random() < 0.4:
            by.append(random.choice(self.teams[one.team]))
        whom = random.choice(self.people)
        here = random.choice(self.areas[one.beat])
        first = len(self.queries)  # that which broke the glass, if one did
        for who in by:
            for n in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
                draw = random.random()
                if draw < 0.45:
                    terms, miss = [("Vrm", whom.plate)], 0.2
                else:
                    terms, miss = self._name(whom), 0.38
                    if draw > 0.9:
                        terms.append(("Postcode", here))
                self._ask(
                    who, at + timedelta(seconds=40 * n + random.randrange(30)), terms, purpose,
                    words=words, matter=matter, glass=glass and who is one and n == 0, miss=miss,
                )  # fmt: skip
                if random.random() < 0.35:
                    whom = random.choice(self.people)
        if glass and random.random() < 0.95:
            self._tell(self.queries[first], at + timedelta(hours=random.uniform(0.5, 40)))

    def _name(self, whom: Someone) -> list[tuple[str, str]]:
        terms = [("Name", whom.family)]
        if self.random.random() < 0.9:
            terms.append(("GivenNames", whom.given))
        if self.random.random() < 0.5:
            terms.append(("Date", whom.born))
        return terms

    def _ask(
        self, by: Worker, at: datetime, terms: list[tuple[str, str]], purpose: str, *,
        words: str = "", matter: str = "", glass: bool = False, miss: float = 0.3,
    ) -> None:  # fmt: skip
        draw = self.random.random()
        self.queries.append(
            Query(
                at=at, by=by, terms=terms, purpose=purpose, words=words, matter=matter,
                reason=f"R{sorted(_ROLES[by.role]).index(purpose):02}" if purpose in _ROLES[by.role]
                else "R09",
                found=0 if draw < miss else 1 + int(3 * self.random.random() ** 2),
                glass=glass, denied=self.random.random() < 0.012 and not glass,
            )
        )  # fmt: skip

    def _tell(self, of: Query, at: datetime) -> None:
        self.queries.append(Query(at=at, by=of.by, terms=[], purpose="", reason="", told=of))

    def _operation(self, team: Sequence[Worker]) -> None:
        """A road check: all of a team, on their roster or off it, plate after plate."""
        start = self._moment()
        words, matter = f"operation {self.random.getrandbits(60)}", self._matter()
        for one in team:
            if self.random.random() < 0.8:
                for _ in range(self.random.randrange(15, 60)):
                    whom = self.random.choice(self.people)
                    at = self._within(start, start + timedelta(hours=3))
                    self._ask(one, at, [("Vrm", whom.plate)], self._main(one), words=words,
                              matter=matter if self.random.random() < 0.5 else "",
                              miss=0.75)  # fmt: skip

    def _main(self, one: Worker) -> str:
        return next(iter(_ROLES[one.role]))

    def _major(self, one: Worker, start: datetime, end: datetime) -> None:
        matter, purpose = self._matter(), self._purpose(one)
        for who in self.random.sample(self.teams[one.team], min(3, len(self.teams[one.team]))):
            for _ in range(self.random.randrange(15, 50)):
                whom = self.random.choice(self.people)
                self._ask(who, self._within(start, end), self._name(whom), purpose,
                          words=self._words(who), matter=matter)  # fmt: skip

    def _on_duty(self, one: Worker) -> datetime:
        return self._within(*self.random.choice(one.shifts))

    def _curiosities(self) -> None:
        """What looks like misuse, and is none."""
        random = self.random
        for one in random.sample(self.staff, len(self.staff) // 5):  # a colleague is a victim
            victim, matter = random.choice(self.teams[one.team]).self, self._matter()
            at = self._on_duty(one)
            for who in (one, random.choice(self.teams[one.team])):
                self._ask(who, at, self._thing(victim), self._main(one), words=self._words(one),
                          matter=matter)  # fmt: skip
        for one in random.sample(self.staff, max(1, len(self.staff) // 100)):  # tries it out
            self._ask(one, self._on_duty(one), self._thing(one.self), self._main(one),
                      words="a try of the system")  # fmt: skip
        for subject in self.watched:
            team, matter = random.choice(list(self.teams.values())), self._matter()
            for who in random.sample(team, min(4, len(team))):  # who investigates them
                for _ in range(random.randrange(2, 9)):
                    self._ask(who, self._on_duty(who), self._thing(subject), self._main(who),
                              words=self._words(who), matter=matter, miss=0.0)  # fmt: skip
            for who in random.sample(self.staff, 3):  # who stops them by chance
                self._ask(who, self._on_duty(who), [("Vrm", subject.plate)], self._main(who),
                          words=self._words(who), matter=self._matter(), miss=0.0)  # fmt: skip
        for one in random.sample(self.staff, len(self.staff) // 40):  # lent to other work
            rare = min(_ROLES[one.role], key=lambda name: _ROLES[one.role][name])
            matters = [self._matter() for _ in range(4)]
            mate = random.choice(self.teams[one.team])
            for _ in range(random.randrange(10, 25)):
                for who in (one, mate) if random.random() < 0.4 else (one,):
                    self._ask(who, self._on_duty(one), self._name(random.choice(self.people)), rare,
                              words=self._words(one), matter=random.choice(matters))  # fmt: skip

    def _thing(self, whom: Someone) -> list[tuple[str, str]]:
        match self.random.randrange(5):
            case 0 | 1:
                return [("Vrm", whom.plate)]
            case 2:
                return [("ContactValue", whom.phone)]
            case _:
                return [("Name", whom.family), ("GivenNames", whom.given)]

    # -- what is not

    def _excuse(self, one: Worker, share: float = 0.25) -> dict[str, Any]:
        """The words of a misuser, and sometimes a case of their own making."""
        matter = self._matter() if self.random.random() < share else ""
        return {"words": self._words(one), "matter": matter}

    def _seed_self(self, one: Worker) -> None:
        wanted = self.random.choice([one.self, one.self, *one.relatives])
        for _ in range(self.random.randrange(2, 7)):
            terms = self._thing(wanted)
            if wanted is not one.self:  # only names of relatives are known
                terms = [("Name", wanted.family), ("GivenNames", wanted.given)]
            self._ask(one, self._on_duty(one), terms, self._main(one), **self._excuse(one))

    def _seed_colleague(self, one: Worker) -> None:
        mates = [mate for mate in self.teams[one.team] if mate is not one]
        if self.random.random() < 0.3:
            mates = [mate for mate in self.staff if mate.agency == one.agency and mate is not one]
        for mate in self.random.sample(mates, self.random.randrange(1, 4)):
            for _ in range(self.random.randrange(2, 5)):
                self._ask(one, self._on_duty(one), self._thing(mate.self), self._main(one),
                          **self._excuse(one))  # fmt: skip

    def _seed_neighbour(self, one: Worker) -> None:
        for _ in range(self.random.randrange(4, 13)):
            terms = [("Postcode", self.random.choice([one.self.postcode, *one.near]))]
            if self.random.random() < 0.5:
                terms += self._name(self.random.choice(self.people))
            self._ask(one, self._on_duty(one), terms, self._main(one), **self._excuse(one))

    def _seed_watched(self, one: Worker) -> None:
        for subject in self.random.sample(self.watched, self.random.randrange(1, 4)):
            for _ in range(self.random.randrange(1, 4)):
                self._ask(one, self._on_duty(one), self._thing(subject), self._main(one),
                          miss=0.0, **self._excuse(one))  # fmt: skip

    def _seed_off_duty(self, one: Worker) -> None:
        for _ in range(self.random.randrange(5, 12)):
            while True:
                at = self._moment()
                if all(not start - timedelta(hours=2) < at < end + timedelta(hours=3)
                       for start, end in one.shifts):  # fmt: skip
                    break
            for n in range(self.random.randrange(1, 4)):
                whom = self.random.choice(self.people)
                self._ask(one, at + timedelta(minutes=n), self._name(whom), self._main(one),
                          **self._excuse(one))  # fmt: skip

    def _seed_habit(self, one: Worker) -> None:
        if self.random.random() < 0.5:  # the same words for weeks
            words = f"routine check {self.random.getrandbits(60)}"
            for _ in range(self.random.randrange(50, 140)):
                self._ask(one, self._on_duty(one), self._name(self.random.choice(self.people)),
                          self._main(one), words=words)  # fmt: skip
            return
        start = self._on_duty(one)  # as much as the hand can type
        for _ in range(self.random.randrange(70, 220)):
            at = self._within(start, start + timedelta(hours=2))
            self._ask(one, at, self._name(self.random.choice(self.people)), self._main(one),
                      **self._excuse(one))  # fmt: skip

    def _seed_purpose(self, one: Worker) -> None:
        rare = min(_ROLES[one.role], key=lambda name: _ROLES[one.role][name])
        if one.role == "public_protection":
            rare = "OFFICER_SAFETY"
        for _ in range(self.random.randrange(12, 40)):
            self._ask(one, self._on_duty(one), self._name(self.random.choice(self.people)), rare,
                      **self._excuse(one))  # fmt: skip

    def _seed_fishing(self, one: Worker) -> None:
        for _ in range(self.random.randrange(2, 5)):
            at, excuse = self._on_duty(one), self._excuse(one)
            for _ in range(self.random.randrange(12, 30)):
                at += timedelta(seconds=self.random.randrange(15, 50))
                born = f"19{self.random.randrange(50, 99)}-0{self.random.randrange(1, 10)}-11"
                terms = [("Name", self._popular(self.families)), ("Date", born)]
                self._ask(one, at, terms, self._main(one), miss=0.98, **excuse)

    def _seed_glass(self, one: Worker) -> None:
        for _ in range(self.random.randrange(2, 6)):
            self._ask(one, self._on_duty(one), self._name(self.random.choice(self.people)),
                      self._main(one), glass=True, **self._excuse(one))  # fmt: skip


# -- as entries, and as feeds -----------------------------------------------------------------


def entries(log: Log, tokens: Tokens) -> Iterator[Opened]:
    """The log's entries: of each query an intent and an outcome."""

    @cache
    def token(name: str, value: str, quarter: str) -> str:
        return tokens(name, value, quarter)

    @cache
    def term(type_name: str, value: str, quarter: str) -> list[list[str]]:
        return [
            [kind, tokens("term", f"{kind}|{found}", quarter)]
            for kind, found in terms_as(type_name, value)
        ]

    for number, one in enumerate(log.queries):
        (quarter,) = quarters(one.at, one.at)
        index, at = 2 * number, one.at.isoformat(timespec="microseconds")
        who = {
            "actor": token("actor", f"{ISSUER.format(one.by.agency.lower())}|{one.by.id}", quarter),
            "agency": one.by.agency,
            "roles": sha256(one.by.role.encode()).hexdigest()[:16],
            "client": "app",
        }
        leaf: dict[str, Any] = {"kind": "I", "tag": "consultation", "request_id": one.request,
                                "at": at, "who": who}  # fmt: skip
        if one.told:
            leaf["casework"] = {"act": "recordOutcome", "about": one.told.request}
        else:
            leaf["purpose"] = {"code": one.purpose, "reason": one.reason}
            if one.words:
                leaf["purpose"]["words"] = token("words", one.words, quarter)
            if one.matter:
                leaf["purpose"]["case"] = token("case", one.matter, quarter)
            if one.glass:
                leaf["purpose"]["break_glass"] = True
        terms = [
            found for type_name, value in one.terms for found in term(type_name, value, quarter)
        ]
        yield Opened(index=index, leaf=leaf, parts={"asker": {"terms": terms}})
        ended = {
            "kind": "O", "tag": "disclosure" if one.found else "consultation",
            "request_id": one.request, "at": at, "status": 403 if one.denied else 200,
            "code": "REFUSED" if one.denied else None,
            "disclosed": {"records": 0 if one.denied else one.found},
        }  # fmt: skip
        yield Opened(index=index + 1, leaf=ended)


def write_feeds(log: Log, folder: Path) -> None:
    """The staff feeds and the watch list, as agencies would hand them in."""
    for agency in _AGENCIES:
        own = [one for one in log.staff if one.agency == agency]
        issuer = ISSUER.format(agency.lower())
        (folder / agency).mkdir(parents=True, exist_ok=True)
        with (folder / agency / "staff.csv").open("w", newline="") as file:
            staff = csv.writer(file)
            staff.writerow(["issuer", "id", "team", "given", "family", "born", "plates", "phones",
                            "postcodes", "near", "relatives"])  # fmt: skip
            for one in own:
                staff.writerow([
                    issuer, one.id, one.team, one.self.given, one.self.family, one.self.born,
                    one.self.plate, one.self.phone, one.self.postcode, ";".join(one.near),
                    ";".join(f"{who.given} {who.family} {who.born}" for who in one.relatives),
                ])  # fmt: skip
        with (folder / agency / "shifts.csv").open("w", newline="") as file:
            shifts = csv.writer(file)
            shifts.writerow(["issuer", "id", "from", "to"])
            for one in own:
                shifts.writerows([issuer, one.id, start.isoformat(), end.isoformat()]
                                 for start, end in one.shifts)  # fmt: skip
    with (folder / "watch.csv").open("w", newline="") as file:
        watch = csv.writer(file)
        watch.writerow(["id", "why", "given", "family", "born", "plates", "phones"])
        for number, who in enumerate(log.watched):
            watch.writerow([f"W-{number}", "in the news" if number % 2 else "live operation",
                            who.given, who.family, who.born, who.plate, who.phone])  # fmt: skip


def indexed(log: Log, folder: Path) -> tuple[Index, Tokens]:
    """An index of the log, as it would be made from the entries."""
    tokens = tokens_of(AuditKeys(folder / "keys"))
    index = Index(folder / "index.db", "portcullis.example/audit")
    made = entries(log, tokens)
    while some := list(islice(made, 10_000)):
        index.add(some)
    return index, tokens


def looked_through(log: Log, index: Index, tokens: Tokens, folder: Path) -> Queue:
    """The queue of all of the log, with every feed."""
    write_feeds(log, folder)
    within = quarters(log.since, log.until)
    found = [staff_of(folder, agency, tokens, within) for agency in _AGENCIES]
    return queue(
        index,
        since=log.since,
        until=log.until,
        staff=[feed for feed in found if feed is not None],
        watch=watch_list(folder, tokens, within),
    )
