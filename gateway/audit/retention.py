"""How long the record is kept: which bodies and keys are over by a table of the policy.

Months are counted from the end of the month in which something was written. Leaves and tiles stay
for ever.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from gateway.audit.entry import canonical, parts_of, read_leaf
from gateway.audit.keys import AuditKeys
from gateway.audit.ledger import Ledger, entries
from gateway.audit.merkle import TILE_WIDTH
from gateway.errors import ConfigError, Fault

_FILE: Final = "tables/kept/data.json"
_DATED: Final = re.compile(r"[0-9]{4}-[0-9]{2}")
_TAGS: Final = ("consultation", "disclosure", "combination")
_ANY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """For how many months what is kept. Without rules everything is kept."""

    bodies: Mapping[str, Mapping[str, int]]  # by agency, or "*", and tag
    tokens: int | None  # of what records are found by
    agree_within: timedelta  # how long an erasure that was asked for waits
    digest: str

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Rules:
        """What the table says.

        Raises:
            ConfigError: it is not such a table.
        """
        try:
            bodies = {
                str(agency): {tag: _months(row[tag]) for tag in _TAGS}
                for agency, row in table.get("bodies_months", {}).items()
            }
            if bodies and _ANY not in bodies:
                raise ValueError
            tokens = table.get("tokens_months")
            return cls(
                bodies=bodies,
                tokens=None if tokens is None else _months(tokens),
                agree_within=timedelta(days=_months(table.get("agree_within_days", 14))),
                digest=hashlib.sha256(canonical(dict(table))).hexdigest()[:16],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            text = "months are whole numbers of 1 to 1200 for each tag, and there is a row `*`"
            raise ConfigError(Fault(file=_FILE, key="-", text=text)) from error

    def months(self, agency: str, tag: str | None) -> int | None:
        """For how long an agency's part of such a record is kept; None: for ever."""
        if not self.bodies:
            return None
        row = self.bodies.get(agency, self.bodies[_ANY])
        return row[tag] if tag is not None and tag in row else max(row.values())

    def longest(self, agency: str) -> int | None:
        return self.months(agency, None)

    @property
    def periods(self) -> list[int]:
        """All that occur, the shortest first."""
        return sorted(set(chain.from_iterable(row.values() for row in self.bodies.values())))


def _months(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= 1200:
        raise ValueError
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is over now."""

    records: int  # whose bodies are over since the last run looked
    months: tuple[str, ...]
    tokens: tuple[str, ...]
    held: int  # records and keys that are over and held

    @property
    def keys(self) -> int:
        return len(self.months) + len(self.tokens)


async def due_of(
    ledger: Ledger, rules: Rules, keys: AuditKeys, *, now: datetime, upto: Mapping[str, int]
) -> Due:
    """What is over and not held.

    Raises:
        AuditUnavailable, OSError: it cannot be found out.
    """
    held: list[int] = []
    records = 0
    async for _ in due_bodies(ledger, rules, now=now, upto=upto, held=held):
        records += 1
    months = [
        one
        for one in keys.months()
        if (kept := rules.longest(one.partition("/")[0])) is not None
        and _over(one.partition("/")[2], kept, now)
    ]
    tokens = []
    if rules.tokens is not None:
        tokens = [one for one in keys.tokens() if _over(_last(one), rules.tokens, now)]
    kept_back = await ledger.kept(ledger.standing() if months or tokens else [])
    free_months = tuple(one for one in months if one not in kept_back.months)
    free_tokens = tuple(one for one in tokens if one.partition("/")[2] not in kept_back.quarters)
    held_keys = len(months) + len(tokens) - len(free_months) - len(free_tokens)
    return Due(
        records=records,
        months=free_months,
        tokens=free_tokens,
        held=len(held) + held_keys,
    )


async def due_bodies(
    ledger: Ledger,
    rules: Rules,
    *,
    now: datetime,
    upto: Mapping[str, int],
    before: int | None = None,
    held: list[int] | None = None,
    reached: dict[str, int] | None = None,
) -> AsyncIterator[int]:
    """The numbers of records whose bodies are over and were not held `before` an entry.

    For each period it begins where `upto` says, and ends with 256 entries of which none is so old.
    The first that is not is put into `reached`, for the next time, and what is held into `held`.

    Raises:
        AuditUnavailable: the log cannot be read.
    """
    holds = ledger.standing(before)
    for period in rules.periods:
        start, end = upto.get(str(period), 0), ledger.log.signed.size
        young: int | None = None  # the first that is not over
        old = False  # whether one of these 256 is
        async for index, data in entries(ledger.log, start, end):
            if index % TILE_WIDTH == 0:
                if young is not None and not old:
                    break
                old = False
            leaf = read_leaf(data)
            if not _over(str(leaf.get("at", ""))[:7], period, now):
                young = index if young is None else young
                continue
            old = True
            parts = parts_of(leaf) if "sealed" in leaf else {}
            if not parts or _kept_for(rules, leaf, parts) != period:
                continue
            if any(hold.covers(index, data) for hold in holds):
                if held is not None:
                    held.append(index)
                continue
            yield index
        if reached is not None:
            reached[str(period)] = end if young is None else young


def _kept_for(rules: Rules, leaf: Mapping[str, Any], parts: Mapping[str, str]) -> int | None:
    """For how long a record is kept: as long as any who may read of it need it."""
    wanted = [rules.months(key.partition("/")[0], leaf.get("tag")) for key in parts.values()]
    return max((one for one in wanted if one is not None), default=None)


def _last(tokens: str) -> str:
    """The last month of the quarter of such keys."""
    year, _, quarter = tokens.partition("/")[2].partition("-Q")
    return f"{year}-{int(quarter) * 3:02d}"


def _over(month: str, kept: int, now: datetime) -> bool:
    """Whether so many months have passed since the end of a month; one without a date is kept."""
    if not _DATED.fullmatch(month):
        return False
    year, number = int(month[:4]), int(month[5:])
    return now.year * 12 + now.month - 1 >= year * 12 + number + kept
