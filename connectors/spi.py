"""The contract between the gateway and a kind of source. Knows nothing of the gateway.

The errors, and whose fault each is:

    SourceError
    +-- SourceUnavailable        the source cannot be reached, or refuses the connection
    |   +-- SourceRateLimited    it is there, and asks us to come back later than we can wait
    +-- SourceTimeout            it did not answer in `timeout_s`
    +-- SourceProtocolError      it answered something that cannot be used
        +-- SourceTooBroad       it was not asked: it answers narrower questions only

A *column* is a source's own name for one value of a row. Two forms reach inside a value that
the source holds as JSON: `attrs:dob` is the key `dob` of the SQL column `attrs`; for sources that
answer JSON, `a.b` is the key `b` of the object `a`, and `names[].family` is the list, one entry
for each element of the list `names`, of the elements' key `family` (null where it is absent);
`a+b` is both, joined by a colon, for records that have a key of several parts only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Flag, auto
from typing import Protocol, Self

from connectors.conditions import ALWAYS, Condition, Op, Scalar


class Ability(Flag):
    """What a source can do itself."""

    PROJECT = auto()  # only named columns leave the source
    LIMIT = auto()  # it stops at `limit` rows
    BATCH = auto()  # many join keys in one visit
    SIMILAR = auto()  # ranks rows by likeness to a probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """What a connector's source can do, and how much at once."""

    abilities: Ability
    max_keys: int = 1000  # join keys per visit
    min_criteria: int = 0  # the fewest criteria that any of its relations answers to
    # for each relation the (column, comparison) pairs that it can be told; None: of any column
    told: Mapping[str, frozenset[tuple[str, Op]]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A probe to rank rows by likeness to."""

    column: str
    vector: tuple[float, ...] = ()  # in the source's own embedding space, unit length; or
    ref: str | int | None = None  # the key of a stored row whose own vector is the probe
    model: str  # scores of different models are not comparable
    min_score: float  # 0 to 1; rows below it do not leave the source


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuery:
    """One visit, entirely in the source's own names and values."""

    query_id: str
    relation: str
    columns: tuple[str, ...]
    key: str  # the column that gives the rows their order
    where: Condition = ALWAYS  # what was asked
    guard: Condition = ALWAYS  # what policy imposes
    near: Near | None = None  # with it, rows come best first and end with their score
    limit: int = 100  # rows
    after: Scalar | None = None  # only rows whose key is greater
    timeout_s: float = 2.0  # for the whole visit


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceResult:
    """Rows of shape (n, len(columns)), n <= limit, values in the order of `columns`.

    In the order of `key`, except for a `near` query: best first, each row one value longer,
    that value the score (0 to 1).
    """

    rows: tuple[tuple[object, ...], ...]
    truncated: bool = False  # the source held more matching rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What a source says of one of its columns."""

    # "text", "integer", "number", "boolean", "date", "datetime", "json", "vector", "binary", or
    # "" where the source does not say
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Whether a source answers, and what it says it holds.

    `relations` is None where the source cannot describe itself.
    """

    ok: bool
    detail: str = ""  # for an operator; never a value of a record
    relations: Mapping[str, Mapping[str, Column]] | None = None


class SourceError(Exception):
    """Something that a source did. The text is for operators and holds no value of a record."""


class SourceUnavailable(SourceError):
    """The source cannot be reached."""


class SourceRateLimited(SourceUnavailable):
    """The source asks us to come back later than this visit can wait."""


class SourceTimeout(SourceError):
    """The source did not answer in time."""


class SourceProtocolError(SourceError):
    """The source's answer cannot be used."""


class SourceTooBroad(SourceProtocolError):
    """The question has too few criteria for this source. Nothing was sent."""


NO_SECRET = "there is no secret"  # noqa: S105 - none is here
"""How a line of `Connector.from_config`'s ValueError begins that the table is not to blame for."""


class Secrets(Protocol):
    """Where a connector gets what must not stand in a configuration file."""

    def get(self, name: str) -> str:
        """The secret of that name.

        Raises:
            KeyError: there is none.
        """
        ...


class Connector(Protocol):
    """A way into one kind of source. Stateless between calls and safe to call concurrently."""

    @classmethod
    def from_config(cls, config: Mapping[str, object], secrets: Secrets) -> Self:
        """Build from the mapping file's `[connection]` table; no I/O yet.

        Raises:
            ValueError: the table is wrong; the text names the key and what it should hold.
        """
        ...

    @property
    def capabilities(self) -> Capability: ...

    def residual(self, query: SourceQuery) -> Condition:
        """What of `where` and `guard` the source cannot apply itself; ALWAYS if nothing."""
        ...

    def explain(self, query: SourceQuery) -> str:
        """The native request that `fetch` would send, with placeholders for values. Pure."""
        ...

    async def fetch(self, query: SourceQuery) -> SourceResult:
        """Visit the source once.

        Raises: SourceUnavailable, SourceTimeout, SourceProtocolError; nothing else.
        Cancelling abandons the visit and gives its connection back.
        """
        ...

    async def check(self) -> Health:
        """Try the source; never raises a SourceError."""
        ...

    async def aclose(self) -> None:
        """Called once, last. Gives back every connection."""
        ...
