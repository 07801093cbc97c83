"""Dip samples: some queries of a period, drawn so that nobody could have chosen them.

What anybody needs to draw the same again is public: the leaves, the period, how many, and a
checkpoint that was signed and witnessed after the period's end. Its root could not be known while
the queries were made, and the sample follows from it:

1. The population is every query whose first entry was written in the period: each intent and each
   denial that has an asker and a purpose. Its outcome is `refused` (a denial, or an outcome with
   the code REFUSED), `failed` (another code), `shown` (records were), `nothing` (none were), or
   `cut off` (no outcome among the entries that the checkpoint covers, or one that says so).
2. A query's stratum is the asker's agency, the purpose, the digest of the asker's roles (or the
   app), and the outcome.
3. The seed is SHA-256 over these lines, each ended by a line feed: `portcullis dip sample/v1`, the
   log's origin, the checkpoint's size, its root in base64, the period's first and last moment
   (RFC 3339 in UTC to the microsecond, ending in Z; the last is not included), `roles` or `app`,
   and the number wanted.
4. A query's rank is HMAC-SHA-256 under the seed over its first entry's leaf hash; a stratum's rank
   the same over its four texts joined by line feeds, in UTF-8. Lower comes first.
5. Places are given one by one: first one to each stratum, in the order of their ranks; then each
   time to the stratum for which its number of queries / (2 x places it has + 1) is largest, of
   equals to the first by rank (Sainte-Lague), and none gets more places than queries.
6. From each stratum the queries of the lowest ranks are taken, as many as it has places.

Blocking: reads all of the log that the checkpoint covers, and recomputes its root from it.
"""

from __future__ import annotations

import heapq
import hmac
from base64 import b64encode
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from hashlib import sha256
from typing import Any, Final, Literal

from gateway.audit.entry import InvalidEntry, Kind, read_leaf
from gateway.audit.merkle import TILE_WIDTH, Edge, leaf_hash
from gateway.audit.reading import Source, bundle_of
from gateway.audit.verify import Policy, Seen, open_witnessed

MOST: Final = 10_000
_TITLE: Final = "portcullis dip sample/v1"
_CUT_OFF: Final = "cut off"
By = Literal["roles", "app"]


class NoSample(ValueError):
    """A sample cannot be drawn from this log with this checkpoint, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be drawn."""

    since: datetime
    until: datetime  # not included
    count: int
    by: By = "roles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """One query of a sample."""

    index: int  # of its first entry
    leaf_hash: str
    request: str
    stratum: tuple[str, str, str, str]  # agency, purpose, roles or app, outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was drawn, and from how many."""

    wish: Wish
    seen: Seen  # the checkpoint
    seed: str
    drawn: tuple[Drawn, ...]  # by stratum, then by rank
    strata: Mapping[tuple[str, str, str, str], int]  # how many queries each has

    @property
    def population(self) -> int:
        return sum(self.strata.values())


def draw(
    source: Source, key: str, checkpoint: bytes, wish: Wish, policy: Policy | None = None
) -> Sample:
    """The sample of a period; everybody who draws it gets the same.

    Without a policy it is not known whether anybody has witnessed the checkpoint.

    Raises:
        NoSample: the checkpoint is not later than the period, or the log is not what it covers.
        NoteInvalid: the checkpoint is not this log's, or too few have witnessed it.
        NotThere: a part of the log cannot be read.
    """
    seen = deciding(key, checkpoint, wish, policy)
    return sampled(seen, wish, _bundles(source, seen.said.size))


def _bundles(source: Source, size: int) -> Iterator[Sequence[bytes]]:
    for number in range(bundles_in(size)):
        yield bundle_of(source, number, size)


def bundles_in(size: int) -> int:
    """How many bundles hold so many entries."""
    return (size + TILE_WIDTH - 1) // TILE_WIDTH


def deciding(key: str, checkpoint: bytes, wish: Wish, policy: Policy | None = None) -> Seen:
    """The checkpoint that decides, if it can.

    Raises:
        NoSample, NoteInvalid: it cannot, or there is nothing like that to be drawn.
    """
    if not wish.since < wish.until or not 1 <= wish.count <= MOST:
        raise NoSample(f"a sample has a period and 1 to {MOST} queries")
    seen = open_witnessed(checkpoint, key, policy)
    signed_at = min(
        (at for at in (seen.said.signed_at, *seen.witnesses.values()) if at), default=None
    )
    if signed_at is None or signed_at < wish.until:
        raise NoSample("the checkpoint is not later than the period: its root was known within it")
    return seen


def sampled(seen: Seen, wish: Wish, bundles: Iterable[Sequence[bytes]]) -> Sample:
    """The sample that a checkpoint decides, from all entries that it covers.

    Raises:
        NoSample: these are not the entries.
        NotThere: a part of them cannot be read.
    """
    found = _Population(wish)
    edge, index = Edge(), 0
    for entries in bundles:
        hashes = [leaf_hash(entry) for entry in entries]
        for entry, own_hash in zip(entries, hashes, strict=True):
            found.take(index, own_hash, entry)
            index += 1
        edge, _ = edge.grow(hashes)
    if edge.root() != seen.said.root:
        raise NoSample("the entries do not lead to the root of the checkpoint")
    return _sampled(wish, seen, found.queries())


@dataclass(slots=True)
class _Query:
    index: int
    leaf_hash: bytes
    request: str
    told: tuple[str, str, str]
    outcome: str


class _Population:
    """The queries of a period, as entry after entry tells of them."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._by_hash: dict[str, _Query] = {}

    def take(self, index: int, own_hash: bytes, entry: bytes) -> None:
        try:
            leaf = read_leaf(entry)
        except InvalidEntry as error:
            raise NoSample(f"entry {index}: {error}") from error
        kind = leaf.get("kind")
        if kind == Kind.OUTCOME:
            query = self._by_hash.get(leaf.get("intent", ""))
            if query is not None and query.outcome == _CUT_OFF:
                query.outcome = _outcome(leaf)
        elif kind in (Kind.INTENT, Kind.DENIED) and self._wanted(leaf):
            self._by_hash[own_hash.hex()] = _Query(
                index=index,
                leaf_hash=own_hash,
                request=leaf["request_id"],
                told=self._told(leaf),
                outcome="refused" if kind == Kind.DENIED else _CUT_OFF,
            )

    def _wanted(self, leaf: Mapping[str, Any]) -> bool:
        if not leaf.get("who", {}).get("actor") or not leaf.get("purpose") or "casework" in leaf:
            return False
        try:
            at = datetime.fromisoformat(leaf["at"])
        except (KeyError, TypeError, ValueError):
            return False
        return at.tzinfo is not None and self._wish.since <= at < self._wish.until

    def _told(self, leaf: Mapping[str, Any]) -> tuple[str, str, str]:
        who = leaf["who"]
        of = who.get("roles", "") if self._wish.by == "roles" else who.get("client", "")
        return who.get("agency", ""), leaf["purpose"].get("code", ""), of

    def queries(self) -> Iterator[_Query]:
        return iter(self._by_hash.values())


def _outcome(leaf: Mapping[str, Any]) -> str:
    code = leaf.get("code")
    if leaf.get("abandoned"):
        return _CUT_OFF
    if code:
        return "refused" if code == "REFUSED" else "failed"
    return "shown" if leaf.get("disclosed", {}).get("records") else "nothing"


def _sampled(wish: Wish, seen: Seen, queries: Iterator[_Query]) -> Sample:
    strata: dict[tuple[str, str, str, str], list[_Query]] = defaultdict(list)
    for query in queries:
        strata[*query.told, query.outcome].append(query)
    seed = seed_of(wish, seen.said.origin, seen.said.size, seen.said.root)
    sizes = {stratum: len(some) for stratum, some in strata.items()}
    drawn: list[Drawn] = []
    for stratum, places in sorted(allotted(seed, sizes, wish.count).items()):
        ranked = sorted(strata[stratum], key=lambda query: _rank(seed, query.leaf_hash))
        drawn += [
            Drawn(
                index=query.index,
                leaf_hash=query.leaf_hash.hex(),
                request=query.request,
                stratum=stratum,
            )
            for query in ranked[:places]
        ]
    return Sample(wish=wish, seen=seen, seed=seed.hex(), drawn=tuple(drawn), strata=sizes)


def seed_of(wish: Wish, origin: str, size: int, root: bytes) -> bytes:
    """What decides, as described above."""
    lines = (
        _TITLE, origin, str(size), b64encode(root).decode(), _moment(wish.since),
        _moment(wish.until), wish.by, str(wish.count), "",
    )  # fmt: skip
    return sha256("\n".join(lines).encode()).digest()


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _rank(seed: bytes, what: bytes) -> bytes:
    return hmac.digest(seed, what, "sha256")


def allotted(
    seed: bytes, sizes: Mapping[tuple[str, str, str, str], int], count: int
) -> dict[tuple[str, str, str, str], int]:
    """How many places each stratum gets."""
    ranks = {stratum: _rank(seed, "\n".join(stratum).encode()) for stratum in sizes}
    order: Sequence[tuple[str, str, str, str]] = sorted(sizes, key=lambda one: ranks[one])
    places = dict.fromkeys(order[:count], 1)
    if len(places) < count:
        waiting = [(-Fraction(sizes[one], 3), ranks[one], one) for one in order if sizes[one] > 1]
        heapq.heapify(waiting)
        for _ in range(count - len(places)):
            if not waiting:
                break
            _, rank, one = heapq.heappop(waiting)
            places[one] += 1
            if places[one] < sizes[one]:
                claim = -Fraction(sizes[one], 2 * places[one] + 1)
                heapq.heappush(waiting, (claim, rank, one))
    return places
