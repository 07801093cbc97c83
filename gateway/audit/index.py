"""Who asked what, findable: an index of the log that can be thrown away and made again.

It is no evidence. What it finds are numbers of entries, and each entry proves itself. One row
stands for one query, from its intent to its outcome, or for an entry that stands alone; beside it
lie the tokens by which it is looked for: who asked, the case, the words of the reason, what was
searched for, which records were shown. Tokens are those of the log, so the index names nobody, and
no text of a body is in it.

Blocking. One process holds an index and writes it (`Index`, see `indexing.py`); any other may look
(`IndexFile`), and nobody waits for whoever writes.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from gateway.audit.entry import ASKER, KEEPER, Kind, owner_part
from gateway.audit.rulings import rules_held_against
from gateway.model import EMPTY, State

_VERSION: Final = 9
_TOKEN_BYTES: Final = 16
MAX_PAGE: Final = 1_000
SHORT: Final = 16
"""Hexadecimal digits of a token by which texts of reasons, and cases, are told apart in a row."""
MARK: Final = 12
"""Hexadecimal digits of an actor's token that stand on watermarks and in receipts."""
REVIEW: Final = "review"
"""What was done, where a query was reviewed."""
GLASS: Final = "glass"
"""The sign of misuse that a review of the query itself ends: `signals.Pattern.GLASS`."""
CLOSED: Final = "closed"
"""The same, where it was closed with others of a sign, and nobody judged its reason."""
CUT_OFF: Final = "CUT_OFF"
"""How a query ended that never had an outcome, or one that says so: by which both are found."""
_HOUR: Final = 3_600_000_000  # microseconds
_COUNTED: Final = frozenset({Kind.INTENT, Kind.OUTCOME, Kind.DENIED, Kind.REJECTED})
"""What is a query, where it stands alone or begins one: views are none, nor what the gateway did by
itself."""
_LOADING_KIB: Final = 131_072
_AT_ONCE: Final = 500  # tokens looked for by one statement
_LOOK_S: Final = 5.0  # a search that takes longer asks for too much
_COMMON: Final = 20_000  # queries that a rule was held against: more are not gathered
_STEPS: Final = 20_000  # of SQLite's machine, between two looks at the time

_GAVE_NOTHING: Final = frozenset(state.value for state in State if state.failed)
_NONE: Final[Mapping[str, Any]] = {}  # a dictionary is asked more quickly than EMPTY

_SCHEMA: Final = """
CREATE TABLE query (
  idx INTEGER PRIMARY KEY,  -- of its first entry
  last INTEGER NOT NULL,    -- of its last
  at INTEGER NOT NULL,      -- microseconds since the epoch
  seen INTEGER NOT NULL,    -- the latest of all before it: what is in order though clocks are not
  kind TEXT NOT NULL, tag TEXT NOT NULL, request TEXT NOT NULL,
  actor TEXT NOT NULL, agency TEXT NOT NULL, app TEXT NOT NULL,
  purpose TEXT NOT NULL, reason TEXT NOT NULL, glass INTEGER NOT NULL,
  viewer TEXT NOT NULL,     -- of a look, as what its auditor looked; else ""
  serial INTEGER, status INTEGER, code TEXT NOT NULL, rule TEXT NOT NULL,
  records INTEGER NOT NULL, sources TEXT NOT NULL,
  missing INTEGER NOT NULL, -- sources that were to be asked and gave nothing
  masked INTEGER NOT NULL, withheld INTEGER NOT NULL,  -- as the sources' reports count them
  roles TEXT NOT NULL,      -- a digest of the set of them
  words TEXT NOT NULL,      -- of the reason, as the beginning of their token; "" for none
  matter TEXT NOT NULL,     -- of the case, else of the incident, likewise
  duty INTEGER,             -- whether the asker's token said so; NULL where that is not known
  act TEXT NOT NULL, about TEXT NOT NULL, -- what was done, and to which query or record
  suspect INTEGER NOT NULL  -- whether the clock was in doubt that gave one of its times
);
CREATE TABLE hourly (       -- what began in an hour, and what became of it
  hour INTEGER NOT NULL,    -- since the epoch
  agency TEXT NOT NULL, purpose TEXT NOT NULL, viewer TEXT NOT NULL,
  queries INTEGER NOT NULL, refused INTEGER NOT NULL, failed INTEGER NOT NULL,
  withheld INTEGER NOT NULL, glass INTEGER NOT NULL, missing INTEGER NOT NULL,
  PRIMARY KEY (hour, agency, purpose, viewer)) WITHOUT ROWID;
CREATE TABLE open_intent (request TEXT PRIMARY KEY, idx INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE token (token BLOB NOT NULL, idx INTEGER NOT NULL,
  PRIMARY KEY (token, idx)) WITHOUT ROWID;
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
"""
_PARTLY: Final[Mapping[str, str]] = {"code": "code <> ''", "rule": "rule <> ''"}
_ORDERS: Final[Mapping[str, str]] = {
    "query_last": "(last)",
    "query_seen": "(seen)",
    "query_agency": "(agency)",
    "query_purpose": "(purpose)",
    "query_reason": "(reason)",
    "query_serial": "(serial)",
    "query_kind": "(kind)",
    "query_code": f"(code) WHERE {_PARTLY['code']}",
    "query_rule": f"(rule) WHERE {_PARTLY['rule']}",
    "query_glass": "(glass) WHERE glass = 1",
    "query_suspect": "(suspect) WHERE suspect = 1",
}
"""What is looked for by more than tokens, each in the order of the log. What is true of most rows
has no order: the latest are soon found without."""
_COLUMNS: Final = (
    "idx", "last", "at", "seen", "kind", "tag", "request", "actor", "agency", "app", "purpose",
    "reason", "glass", "viewer", "serial", "status", "code", "rule", "records", "sources",
    "missing", "masked", "withheld", "roles", "words", "matter", "duty", "act", "about",
    "suspect",
)  # fmt: skip
_BEGUN: Final = _COLUMNS[_COLUMNS.index("kind") : _COLUMNS.index("viewer") + 1]
_ENDED: Final = _COLUMNS[_COLUMNS.index("serial") : _COLUMNS.index("withheld") + 1]
_Hours: TypeAlias = defaultdict[tuple[Any, ...], list[int]]
_EQUAL: Final = ("agency", "app", "purpose", "reason", "code", "rule", "kind", "tag", "serial")


class Held(Exception):
    """Another process holds the index."""


@contextmanager
def holding(path: Path) -> Iterator[None]:
    """Keep other processes from the index in this file.

    Raises:
        Held: another has it.
        OSError: nobody can tell.
    """
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise Held(f"{path} is held by a gateway that runs") from error
    finally:
        os.close(lock)


class Costly(Exception):
    """A search that would take too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """One entry, with those parts of its body that could be opened."""

    index: int
    leaf: Mapping[str, Any]
    parts: Mapping[str, Any] = EMPTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is looked for: all of it must hold; of the tokens of one set, any.

    `tokens` are sets of the log's tokens, in hexadecimal: one set for each thing that is known of
    a query, such as all terms that a typed name may have been searched by.
    """

    tokens: tuple[frozenset[str], ...] = ()
    agency: str | None = None  # of who asked
    viewers: frozenset[str] | None = None  # whose looks are wanted at all; None: everybody's
    owner: str | None = None  # whose records were shown, or told of
    named: bool | None = None  # whether it says who asked
    app: str | None = None
    purpose: str | None = None
    reason: str | None = None
    kind: str | None = None
    tag: str | None = None
    code: str | None = None  # "" for what was answered, `CUT_OFF` for what never was
    rule: str | None = None  # that refused it
    ruled: bool = False  # or by which something was not to be shown in full, as its body says
    serial: int | None = None
    source: str | None = None
    glass: bool | None = None
    since: datetime | None = None
    until: datetime | None = None  # not included


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One query, as the leaves of its entries tell of it."""

    idx: int  # its first entry
    last: int  # its last; the same where it stands alone, or nothing was ever released
    at: datetime
    kind: str
    tag: str
    request: str
    actor: str
    agency: str
    app: str
    purpose: str
    reason: str
    glass: bool
    viewer: str
    serial: int | None
    status: int | None
    code: str
    rule: str
    records: int  # shown
    sources: Mapping[str, str] = field(default_factory=dict)  # source -> state
    missing: int = 0  # sources that were to be asked and gave nothing
    masked: int = 0
    withheld: int = 0
    roles: str = ""  # a digest of the asker's set of roles
    words: str = ""  # of the reason: the beginning of their token
    matter: str = ""  # the case, else the incident: the beginning of its token
    duty: bool | None = None  # whether the asker's token said that they are on duty
    act: str = ""  # what was done, where it was more than asking
    about: str = ""  # the query or record that it was done to
    suspect: bool = False  # whether the clock was in doubt that gave one of its times

    @property
    def answered(self) -> bool:
        """Whether it came to an end that the log tells of."""
        return self.last != self.idx or self.kind != Kind.INTENT


class Count(NamedTuple):
    """How many queries of one span, agency and purpose there were, and what became of them."""

    span: int  # of those counted, from 0
    agency: str
    purpose: str
    queries: int
    refused: int
    failed: int
    withheld: int  # answered, and something was masked or withheld
    glass: int
    missing: int  # a source that was to be asked gave nothing


class Event(NamedTuple):
    """One query, as far as a habit shows in it; columns of the index, as they are kept."""

    idx: int
    last: int
    at: int  # microseconds since the epoch
    kind: str
    request: str
    actor: str
    agency: str
    app: str
    purpose: str
    reason: str
    glass: int
    status: int | None
    code: str
    records: int
    roles: str
    words: str
    matter: str
    duty: int | None
    act: str
    about: str


class IndexFile:
    """An index that somebody holds, as far as any process may read it: each time over a connection
    of its own, so that nobody waits for whoever writes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def events(self, wanted: Wanted, *, done: bool = False) -> Iterator[Event]:
        """Every query that is wanted, in the log's order: what habits are made of. With `done` only
        what was more than asking: an outcome told, a review."""
        conditions, values = _conditions(wanted)
        where = " AND ".join([*conditions, *(["act <> ''"] if done else [])]) or "1"
        columns = ", ".join(Event._fields)
        text = f"SELECT {columns} FROM query WHERE {where} ORDER BY idx"  # noqa: S608  # only our own names
        with closing(self._reading()) as db:
            yield from map(Event._make, db.execute(text, values))

    def many(self, wanted: Wanted) -> int:
        """How many queries are wanted."""
        conditions, values = _conditions(wanted)
        text = f"SELECT count(*) FROM query WHERE {' AND '.join(conditions) or '1'}"  # noqa: S608  # only our own names
        with closing(self._reading()) as db:
            (count,) = db.execute(text, values).fetchone()
        return int(count)

    def hits(self, tokens: Iterable[str], first: int, last: int) -> Iterator[tuple[str, int]]:
        """Which of these tokens are those of which queries, of the first to the last number given:
        pairs of a token and a query's number, in no order.

        Raises:
            ValueError: a token is not hexadecimal.
        """
        known = {bytes.fromhex(token)[:_TOKEN_BYTES]: token for token in tokens}
        every = sorted(known)
        with closing(self._reading()) as db:
            for start in range(0, len(every), _AT_ONCE):
                some = every[start : start + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                text = (
                    f"SELECT token, idx FROM token WHERE token IN ({marks}) AND idx BETWEEN ? AND ?"  # noqa: S608  # marks alone
                )
                for token, idx in db.execute(text, (*some, first, last)):
                    yield known[token], idx

    def find(
        self, wanted: Wanted, *, before: int | None = None, limit: int = 50
    ) -> tuple[Found, ...]:
        """The latest queries that are wanted, the latest first, from `before` on backwards.

        Raises:
            ValueError: a token is not hexadecimal.
            Costly: it would take too long.
            sqlite3.Error: the index cannot be read.
        """
        conditions, values = _conditions(wanted, common=self._common(wanted))
        if before is not None:
            conditions.append("idx < ?")
            values.append(before)
        return self._rows(conditions, (*values, min(limit, MAX_PAGE)))

    def _common(self, wanted: Wanted) -> bool:
        """Whether the rule that is looked for was held against so many that they are not gathered:
        the latest are soon come upon."""
        if not (wanted.ruled and wanted.rule):
            return False
        text = "SELECT count(*) FROM (SELECT 1 FROM token WHERE token = ? LIMIT ?)"
        ((many,),) = self._looked(text, (_named("rule", wanted.rule), _COMMON))
        return bool(many == _COMMON)

    def of(self, index: int) -> Found | None:
        """The query that an entry is of; None for an entry that neither begins nor ends one."""
        found = self._rows(["(idx = ? OR last = ?)"], (index, index, 1))
        return found[0] if found else None

    def _rows(self, conditions: Sequence[str], values: Sequence[Any]) -> tuple[Found, ...]:
        where = " AND ".join(conditions) or "1"
        columns = ", ".join(_COLUMNS)
        text = f"SELECT {columns} FROM query WHERE {where} ORDER BY idx DESC LIMIT ?"  # noqa: S608  # only our own names
        return tuple(map(_found, self._looked(text, values)))

    def suspects(self) -> int:
        """How many queries, and entries that stand alone, have a time that a clock in doubt gave.

        Raises:
            Costly, sqlite3.Error: as `find`.
        """
        ((many,),) = self._looked("SELECT count(*) FROM query WHERE suspect = 1", ())
        return int(many)

    def counts(
        self,
        spans: Sequence[datetime],
        *,
        agency: str | None = None,
        viewers: frozenset[str] | None = None,
    ) -> tuple[Count, ...]:
        """How many queries of people who are known, of this agency or of all, began in each of the
        spans between these moments, which are whole hours; looks at the record among them only
        those of these viewers, or of all.

        Raises:
            ValueError: moments that are not whole hours.
            Costly, sqlite3.Error: as `find`.
        """
        hours = [divmod(_micros(moment), _HOUR) for moment in spans]
        if any(left for _, left in hours):
            raise ValueError("counted is by whole hours")
        conditions, chosen = ["agency <> ''", "hour >= ?", "hour < ?"], list[Any]()
        if viewers is not None:
            marks = ", ".join("?" * len(viewers))
            conditions.append(f"(viewer = '' OR viewer IN ({marks}))")
            chosen += sorted(viewers)
        if agency is not None:
            conditions.append("agency = ?")
            chosen.append(agency)
        one = f"""SELECT ? + (hour - ?) / ? AS span, agency, purpose, {", ".join(map(_SUM, _SUMS))}
            FROM hourly WHERE {" AND ".join(conditions)}
            GROUP BY span, agency, purpose"""  # noqa: S608  # only our own names
        values: list[Any] = []
        runs = list(_even([hour for hour, _ in hours]))
        for number, first, width, last in runs:
            values += (number, first, width, first, last, *chosen)
        return tuple(map(Count._make, self._looked(" UNION ALL ".join([one] * len(runs)), values)))

    def _looked(self, text: str, values: Sequence[Any]) -> list[Any]:
        ends = time.monotonic() + _LOOK_S
        with closing(self._reading()) as db:
            db.set_progress_handler(lambda: int(time.monotonic() > ends), _STEPS)
            try:
                return db.execute(text, values).fetchall()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                    raise Costly from error
                raise

    def _reading(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True)


class Index(IndexFile):
    """The index of one log, in one SQLite file, as whoever holds it writes it."""

    def __init__(self, path: Path, origin: str) -> None:
        """Open it, or begin it; what another version or log left there is thrown away.

        Raises:
            Held: another process has it.
            sqlite3.Error, OSError: it cannot be used.
        """
        super().__init__(path)
        self._origin = origin
        with ExitStack() as held:
            held.enter_context(holding(path))
            self._db = self._opened()
            self._lock = held.pop_all()

    def _opened(self) -> sqlite3.Connection:
        self._tokens_to = "token"
        for _ in range(2):
            db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            try:
                db.execute("PRAGMA journal_mode=WAL")
                db.execute("PRAGMA synchronous=NORMAL")  # what a crash loses is made again
                if self._ours(db):
                    return db
            except sqlite3.DatabaseError:
                pass  # not a database, or a damaged one
            db.close()
            self._remove()
        raise sqlite3.DatabaseError(f"{self._path} cannot be used")

    def _remove(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _ours(self, db: sqlite3.Connection) -> bool:
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            db.executescript(f"BEGIN; {_SCHEMA} {_orders()} COMMIT;")
            meta = {"version": _VERSION, "origin": self._origin, "size": 0, "root": b""}
            meta |= {"seen": 0, "late": 0}
            db.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        meta = dict(db.execute("SELECT name, value FROM meta").fetchall())
        return (meta.get("version"), meta.get("origin")) == (_VERSION, self._origin)

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Take in a whole log within the block, as `load` and `loaded` do. If it fails, the index
        is empty."""
        self.load()
        try:
            yield
            self.loaded()
        except BaseException:
            self.clear()
            raise

    def load(self) -> None:
        """Begin to take in a whole log: what is added is put in order by `loaded`, at once.

        Nothing is found until then. If the process ends before, the index is empty.

        Raises:
            ValueError: it is not empty.
        """
        if self.size:
            raise ValueError("the index is not empty")
        db = self._db
        db.execute("UPDATE meta SET value = 0 WHERE name = 'version'")  # a crash leaves no index
        for pragma in ("journal_mode=MEMORY", "synchronous=OFF", f"cache_size=-{_LOADING_KIB}"):
            db.execute(f"PRAGMA {pragma}")
        db.executescript("".join(f"DROP INDEX {name};" for name in _ORDERS))
        db.execute("CREATE TABLE fresh (token BLOB NOT NULL, idx INTEGER NOT NULL)")
        self._tokens_to = "fresh"

    def loaded(self) -> None:
        """Put in order what was added since `load`."""
        db = self._db
        db.execute("INSERT INTO token SELECT DISTINCT token, idx FROM fresh ORDER BY 1, 2")
        db.execute("DROP TABLE fresh")
        db.executescript(f"{_orders()} PRAGMA analysis_limit=1000; ANALYZE;")
        db.execute("UPDATE meta SET value = ? WHERE name = 'version'", (_VERSION,))
        db.close()
        self._db = self._opened()

    def clear(self) -> None:
        """Forget everything, so that it is made again."""
        self._db.close()
        self._remove()
        self._db = self._opened()

    @property
    def size(self) -> int:
        """How many entries of the log it knows."""
        (size,) = self._db.execute("SELECT value FROM meta WHERE name = 'size'").fetchone()
        return int(size)

    @property
    def root(self) -> bytes:
        """The root of the tree over all entries that it knows, if whoever added them said so."""
        (root,) = self._db.execute("SELECT value FROM meta WHERE name = 'root'").fetchone()
        return bytes(root)

    def add(self, entries: Sequence[Opened], root: bytes = b"") -> None:
        """Take in the next entries of the log, in its order; all or none.

        `root` is that of the tree over all until then, by which another log is told from this one.

        Raises:
            ValueError: they are not the next ones.
        """
        first = self.size
        if [entry.index for entry in entries] != list(range(first, first + len(entries))):
            raise ValueError(f"the next entry of the index is {first}")
        with closing(self._db.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                known = dict(cursor.execute("SELECT name, value FROM meta").fetchall())
                clock = _Clock(seen=known["seen"], late=known["late"])
                hours: _Hours = defaultdict(lambda: [0] * len(_SUMS))
                for entry in entries:
                    self._take(cursor, entry, clock, hours)
                cursor.executemany(_HOURLY, ((*of, *sums) for of, sums in hours.items()))
                told = (("size", first + len(entries)), ("root", root), ("seen", clock.seen),
                        ("late", clock.late))  # fmt: skip
                cursor.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", told)
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    def _take(self, cursor: sqlite3.Cursor, entry: Opened, clock: _Clock, hours: _Hours) -> None:
        leaf, request = entry.leaf, str(entry.leaf.get("request_id", ""))
        idx = entry.index
        if leaf["kind"] == Kind.OUTCOME:
            known = cursor.execute(
                "DELETE FROM open_intent WHERE request = ? RETURNING idx", (request,)
            ).fetchone()
            if known is not None:
                (idx,) = known
                ended = _ended(leaf)
                told = (leaf.get("tag", ""), _suspect(leaf), *ended)
                (begun,) = cursor.execute(_OUTCOME, (entry.index, *told, idx)).fetchall()
                _count(hours, begun, ended)
        if idx == entry.index:
            at, said, ended = _micros(_moment(leaf)), _begun(leaf), _ended(leaf)
            row = (idx, idx, at, clock.told(at), *said, *ended, *_beside(leaf, entry.parts))
            cursor.execute(_INSERT, row)
            if leaf["kind"] in _COUNTED:
                of = dict(zip(_BEGUN, said, strict=True))
                where = (at, of["agency"], of["purpose"], of["viewer"])
                _count(hours, where, ended, queries=1, glass=int(of["glass"]))
            if leaf["kind"] == Kind.INTENT:
                cursor.execute("INSERT OR REPLACE INTO open_intent VALUES (?, ?)", (request, idx))
        cursor.executemany(
            f"INSERT OR IGNORE INTO {self._tokens_to} VALUES (?, ?)",  # noqa: S608  # our own names
            ((token, idx) for token in set(_tokens(leaf, entry.parts))),
        )


_REACHED: Final = "(SELECT idx FROM query WHERE seen >= {} ORDER BY seen, idx LIMIT 1)"
_SIZE: Final = "(SELECT value FROM meta WHERE name = 'size')"
_LATE: Final = "? + (SELECT value FROM meta WHERE name = 'late')"
_SINCE: Final = ("at >= ?", f"idx >= coalesce({_REACHED.format('?')}, {_SIZE})")
_UNTIL: Final = ("at < ?", f"idx < coalesce({_REACHED.format(_LATE)}, {_SIZE})")
"""What holds of times, and where in the log it can: so that no more of it is gone through."""


@dataclass(slots=True)
class _Clock:
    """What the times of entries have been, in the log's order."""

    seen: int  # the latest
    late: int  # how far behind it one was at most

    def told(self, at: int) -> int:
        if at:  # else it says none
            self.seen = max(self.seen, at)
            self.late = max(self.late, self.seen - at)
        return self.seen


def _orders() -> str:
    return "".join(f"CREATE INDEX {name} ON query {order};" for name, order in _ORDERS.items())


_INSERT: Final = f"INSERT INTO query VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608  # marks alone
_OUTCOME: Final = (
    "UPDATE query SET last = ?, tag = ?, suspect = suspect OR ?, serial = coalesce(?, serial),"
    " status = ?, code = ?, rule = ?, records = ?, sources = ?, missing = ?, masked = ?,"
    " withheld = ? WHERE idx = ? RETURNING at, agency, purpose, viewer"
)


_SUMS: Final = Count._fields[3:]
_SUM: Final = "sum({})".format
_HOURLY: Final = (
    f"INSERT INTO hourly VALUES ({', '.join('?' * (4 + len(_SUMS)))}) ON CONFLICT DO UPDATE SET "  # noqa: S608  # our own names
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMS)
)


def _count(
    hours: _Hours,
    begun: tuple[int, str, str, str],  # when, in microseconds; agency, purpose, viewer
    ended: tuple[Any, ...],
    *,
    queries: int = 0,
    glass: int = 0,
) -> None:
    """Add a query that began, or what became of it, to its hour."""
    became = dict(zip(_ENDED, ended, strict=True))
    code, hidden = became["code"], became["masked"] + became["withheld"]
    sums = {
        "queries": queries,
        "refused": code == "REFUSED",
        "failed": code not in ("", "REFUSED"),
        "withheld": code == "" and hidden > 0,
        "glass": glass,
        "missing": became["missing"] > 0,
    }
    at, *of = begun
    row = hours[at // _HOUR, *of]
    for n, name in enumerate(_SUMS):
        row[n] += sums[name]


def _begun(leaf: Mapping[str, Any]) -> tuple[Any, ...]:
    """The columns from `kind` to `viewer`."""
    who, purpose = leaf.get("who", _NONE), leaf.get("purpose", _NONE)
    return (
        leaf["kind"],
        leaf.get("tag", ""),
        leaf.get("request_id", ""),
        who.get("actor", ""),
        who.get("agency", ""),
        who.get("client", ""),
        purpose.get("code", ""),
        purpose.get("reason", ""),
        bool(purpose.get("break_glass")),
        str(leaf.get("view", _NONE).get("as", "")),
    )


def _ended(leaf: Mapping[str, Any]) -> tuple[Any, ...]:
    """What became of it: the columns from `serial` to `withheld`."""
    states = leaf.get("sources", _NONE)
    told = states.values()
    return (
        leaf.get("policy", _NONE).get("serial"),
        leaf.get("status"),
        leaf.get("code") or (CUT_OFF if leaf.get("abandoned") else ""),
        leaf.get("rule", ""),
        leaf.get("disclosed", _NONE).get("records", 0),
        ",".join(f"{source}:{told[0]}" for source, told in sorted(states.items())),
        sum(1 for one in told if one[0] in _GAVE_NOTHING),
        sum(one[2] for one in told if len(one) > 2),
        sum(one[3] for one in told if len(one) > 3),
    )


def _beside(leaf: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[Any, ...]:
    """The columns from `roles` on, by which habits are told apart."""
    purpose = leaf.get("purpose", _NONE)
    said = parts.get(ASKER, _NONE).get("question", _NONE).get("subject", _NONE).get("on_duty")
    done = leaf.get("casework", _NONE)
    act, about = _reviewed(leaf, parts)
    return (
        leaf.get("who", _NONE).get("roles", ""),
        purpose.get("words", "")[:SHORT],
        (purpose.get("case") or purpose.get("incident") or "")[:SHORT],
        said if isinstance(said, bool) else None,
        done.get("act", "") or act,
        done.get("about", "") or about,
        _suspect(leaf),
    )


def _reviewed(leaf: Mapping[str, Any], parts: Mapping[str, Any]) -> tuple[str, str]:
    """What a review was, and of which query: sealed, but for entries from before it was. Of one
    whose body was erased nobody can tell any more."""
    if (review := leaf.get("review")) is None:
        return "", ""
    said = review if "of" in review else parts.get(ASKER, _NONE).get("review", _NONE)
    unjudged = said.get("outcome") == "CLOSED" and said.get("sign", GLASS) != GLASS
    return CLOSED if unjudged else REVIEW, said.get("of", "")


def _suspect(leaf: Mapping[str, Any]) -> bool:
    return leaf.get("clock_suspect") is True


def _micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def _even(moments: Sequence[int]) -> Iterator[tuple[int, int, int, int]]:
    """Runs of spans that are equally long: the number of the first, where it begins, how long each
    is, and where the last ends. Days are, but for those in which a time zone's clocks change."""
    begun = 0
    for number, (start, end) in enumerate(pairwise(moments), start=1):
        if number == len(moments) - 1 or moments[number + 1] - end != end - start:
            yield begun, moments[begun], end - start, end
            begun = number


def _moment(leaf: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(leaf["at"])
    except (KeyError, TypeError, ValueError):  # an entry of another writer: found by all but time
        return datetime.fromtimestamp(0, UTC)


def _tokens(leaf: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[bytes]:
    """By what an entry is looked for."""
    purpose = leaf.get("purpose", _NONE)
    texts = [leaf.get("who", _NONE).get("actor"), *(purpose.get(n) for n in ("case", "incident"))]
    texts += [purpose.get("words")]
    asked = parts.get(ASKER, _NONE)
    texts += [token for _kind, token in asked.get("terms", ())]
    for name, detail in parts.items():
        if name not in (ASKER, KEEPER):
            texts += [named[3] for named in detail.get("hits", ())]
            texts += [named[3] for named in detail.get("records", ())]
    for text in filter(None, texts):
        yield bytes.fromhex(text)[:_TOKEN_BYTES]
    for name in leaf.get("sealed", _NONE).get("parts", ()):
        if name not in (ASKER, KEEPER):
            yield _named("part", name)
    for rule in rules_held_against(asked.get("rulings")):
        yield _named("rule", rule)
    if recall := leaf.get("view", _NONE).get("recall"):
        yield _named("recall", recall)


def recall_token(id_: str) -> str:
    """What the entry of a recall is found by: its id stands in the leaf."""
    return _named("recall", id_).hex()


def _named(kind: str, name: str) -> bytes:
    """What all entries are found by that have a part of this name, against which a rule of this
    name was held, or that are of this recall. Names are no secrets."""
    return sha256(f"{kind}\0{name}".encode()).digest()[:_TOKEN_BYTES]


_CUT: Final = (
    "idx IN (SELECT idx FROM query WHERE code = ? AND code <> ''"
    " UNION ALL SELECT idx FROM open_intent)"
)


def _conditions(wanted: Wanted, *, common: bool = False) -> tuple[list[str], list[Any]]:
    """What must hold of a row, and the values; every name in the text is our own."""
    texts: list[str] = []
    values: list[Any] = []
    for tokens in wanted.tokens:
        marks = ", ".join("?" * len(tokens))
        texts.append(f"idx IN (SELECT idx FROM token WHERE token IN ({marks}))")  # noqa: S608  # marks alone
        values += [bytes.fromhex(token)[:_TOKEN_BYTES] for token in sorted(tokens)]
    if wanted.owner is not None:  # true of many: asked of each row, not gathered
        texts.append("EXISTS (SELECT 1 FROM token WHERE token = ? AND token.idx = query.idx)")
        values.append(_named("part", owner_part(wanted.owner)))
    if wanted.viewers is not None:
        marks = ", ".join("?" * len(wanted.viewers))
        texts.append(f"(kind <> ? AND viewer = '' OR viewer IN ({marks}))")
        values += [Kind.VIEW.value, *sorted(wanted.viewers)]
    ruled = wanted.rule if wanted.ruled else ""
    if ruled:
        held = (
            "EXISTS (SELECT 1 FROM token WHERE token = ? AND token.idx = query.idx)"
            if common
            else "idx IN (SELECT idx FROM token WHERE token = ?)"
        )
        texts.append(f"(rule = ? AND {_PARTLY['rule']} OR {held})")
        values += [ruled, _named("rule", ruled)]
    if wanted.code == CUT_OFF:
        texts.append(_CUT)
        values.append(CUT_OFF)
        wanted = replace(wanted, code=None)
    elif wanted.code == "":
        texts.append("NOT (kind = 'I' AND last = idx)")  # has no outcome yet, or never
    for name in _EQUAL:
        if name == "rule" and ruled:
            continue
        if (value := getattr(wanted, name)) is not None:
            texts.append(f"{name} = ?")
            values.append(value)
            if value and name in _PARTLY:  # an order of some is used where it is said that it holds
                texts.append(_PARTLY[name])
    if wanted.source is not None:
        texts.append("instr(',' || sources, ?) > 0")
        values.append(f",{wanted.source}:")
    if wanted.named is not None:
        texts.append("(agency <> '') = ?")
        values.append(wanted.named)
    if wanted.glass is not None:
        texts.append(f"glass = {int(wanted.glass)}")
    for some, moment in ((_SINCE, wanted.since), (_UNTIL, wanted.until)):
        if moment is not None:
            texts += some
            values += [_micros(moment)] * 2
    return texts, values


def _found(row: Sequence[Any]) -> Found:
    held = dict(zip(_COLUMNS, row, strict=True))
    del held["seen"]
    seconds, micros = divmod(held["at"], 1_000_000)
    held["at"] = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    held["glass"], held["suspect"] = bool(held["glass"]), bool(held["suspect"])
    held["duty"] = None if held["duty"] is None else bool(held["duty"])
    held["sources"] = dict(one.split(":") for one in held["sources"].split(",") if one)
    return Found(**held)
