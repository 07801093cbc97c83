"""One fetch's way through its source: what to ask, asking it, checking what came.

What is read is what the grant shows and what guards, cases and links rest on, never more; what a
source cannot apply itself is applied here before anything else happens, or the source is not asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from connectors.conditions import (
    ALWAYS,
    NEVER,
    Compare,
    Condition,
    Op,
    all_of,
    any_of,
    fields_of,
    holds,
)
from connectors.spi import (
    Ability,
    Near,
    SourceQuery,
    SourceResult,
)
from gateway.catalogue.mapping import EntityMapping, Entry, Source
from gateway.errors import CannotEnforce
from gateway.model import (
    CLEAR,
    EMPTY,
    AuthorisedPlan,
    FetchResult,
    Grant,
    Record,
    Show,
    State,
)
from gateway.query.calls import Calls, together
from gateway.query.certain import certain
from gateway.query.layout import (
    Layout,
    child_layout,
    elements_of,
    kept_elements,
    layout_of,
    records_of,
)
from gateway.query.need import Need, need_of
from gateway.query.translate import (
    Found,
    Prefetch,
    Pushing,
    child_guard,
    guard_of,
    on_seen,
    satisfies,
)
from gateway.query.whole import link_keys, settle

if TYPE_CHECKING:
    from gateway.query.fanout import FanOut


class Visit:
    """One fetch's way through its source."""

    def __init__(
        self,
        fan_out: FanOut,
        agreed: AuthorisedPlan,
        grant: Grant,
        source: Source,
        timeout_s: float,
    ) -> None:
        self.fan_out = fan_out
        self.agreed = agreed
        self.grant = grant
        self.fetch = grant.fetch
        self.source = source
        self.timeout_s = timeout_s
        self.connector = fan_out.sources[source.id]
        self.vocabulary = fan_out.catalogue.vocabulary
        self.mapping: EntityMapping = source.entities[grant.fetch.entity]
        self.made = grant.made
        self.calls = Calls(source, self.connector, fan_out.breakers)
        self.alarms = 0

    async def run(self, keys: Sequence[Any]) -> FetchResult:
        if not await self._probe_seen():
            return FetchResult(state=State.ANSWERED, alarms=self.alarms)
        where, links, whole = self.where(keys)
        if not whole and self.grant.own.show is not Show.RECORDS:
            raise CannotEnforce("a rule on elements cannot be asked where no element is read")
        pushing = Pushing(mapping=self.mapping, vocabulary=self.vocabulary)
        guard, guarded = self.made.once("guard", lambda: guard_of(self.grant.own.rows, pushing))
        if not guarded and not self.mapping.over_read:
            raise CannotEnforce(
                "the source cannot apply a rule, and its owner forbids over-reading"
            )
        if guard == NEVER:
            return FetchResult(state=State.ANSWERED)
        found, cut = await self._prefetch(pushing.prefetches(where))
        pushed = replace(pushing, found=found).push(where)
        if pushed.condition == NEVER:
            return _found((), cut)
        # What an element is to satisfy holds only while that element may be seen: where the
        # question cannot say so, it is checked after those that may not be are gone.
        by_element = "." in self.fetch.link_by or not whole
        exact = pushed.exact and self._source_applies(pushed.condition) and not by_element
        beside = frozenset() if exact else fields_of(where)
        need = self.made.once(("need", beside), lambda: self.need(beside))
        layout = self.made.once(("layout", beside), lambda: self.layout(need))
        query = self.query(layout.columns, pushed.condition, guard, self.source.max_rows)
        query = replace(query, limit=self.most()) if exact else query
        rows, truncated = await self._fetch(layout, query, guarded=guarded)
        records = records_of(rows, layout)
        truncated |= cut | await self._children(records, rows, need)
        if self.fetch.near is not None:
            self._rank(records, rows)
        records = self._permitted(records, guarded=guarded)
        if not exact:
            records = [r for r in records if self._meets(where, r)]
        return self._limited(records, links, truncated)

    def _limited(
        self, records: list[Record], links: frozenset[Any], truncated: bool
    ) -> FetchResult:
        """As many as were agreed to; of linked records all, since each parent has its own."""
        limit = self.grant.own.limit
        if links:
            records = [_linked(r, self.fetch.link_by, links) for r in records]
            each = Counter(key for record in records for key in record.links)
            truncated = truncated or max(each.values(), default=0) > limit
        else:
            truncated = truncated or len(records) > limit
            records = records[:limit]
        return _found(records, truncated, self.alarms)

    def probe_grant(self) -> Grant | None:
        """The leave to read the stored image that is to be the probe: what is ranked may be seen
        under the same guard. None where no image is the probe."""
        key = self.fetch.near.ref_key if self.fetch.near else None
        if key is None:
            return None
        image = replace(self.fetch, near=None, where=Compare("native_key", Op.EQ, key), limit=1)
        own = replace(self.grant.own, read=EMPTY, match=frozenset(), count=frozenset(), limit=1)
        return Grant(fetch=image, parts={"": own})

    async def _probe_seen(self) -> bool:
        """Whether the stored image that is to be the probe, if one is, may be seen itself: one
        that may not is like one that is not held, and what looks like it is nobody's to learn."""
        grant = self.probe_grant()
        if grant is None:
            return True
        if grant.fetch.where == Compare("native_key", Op.EQ, ""):
            return False  # a ref that does not open
        look = Visit(self.fan_out, self.agreed, grant, self.source, self.timeout_s)
        found = await look.run(())
        self.alarms += found.alarms
        return any(record.manner == CLEAR for record in found.records)

    # --- what to ask ---

    def where(self, keys: Sequence[Any]) -> tuple[Condition, frozenset[Any], bool]:
        """What was asked of what may be seen, the parents' keys, and whether that says it all."""
        rows = {path: part.rows for path, part in self.grant.parts.items() if path}
        asked = [self.fetch.where]
        if self.fetch.link_by:
            asked.append(Compare(self.fetch.link_by, Op.IN, tuple(keys)))
        where, whole = on_seen(all_of(asked), rows)
        return where, frozenset(keys) if self.fetch.link_by else frozenset(), whole

    def _source_applies(self, where: Condition) -> bool:
        """Whether the source applies all of what was asked, and all of what policy imposes."""
        return self.connector.residual(self.query(("",), where, ALWAYS, 1)) == ALWAYS

    def most(self) -> int:
        """The rows to ask for, never more than the source allows. For several parents all it
        allows: one parent's rows must not crowd out another's."""
        if self.fetch.link_by:
            return self.source.max_rows
        return min(self.grant.own.limit, self.source.max_rows)

    def need(self, beside: frozenset[str]) -> Need:
        """What to read for the grant and what is linked beneath it, and others `beside` that."""
        beneath = (g for g in self.agreed.grants.values() if g.fetch.parent == self.fetch.id)
        linking = {self.fetch.link_by, *(child.fetch.link_from for child in beneath)} - {""}
        return need_of(self.grant, self.vocabulary, linking | beside)

    def layout(self, need: Need) -> Layout:
        guards = {path: part.rows for path, part in self.grant.parts.items() if path}
        return layout_of(need, self.mapping, guards)

    # --- asking ---

    def query(
        self, columns: tuple[str, ...], where: Condition, guard: Condition, limit: int
    ) -> SourceQuery:
        return SourceQuery(
            query_id=self.fan_out.query_id,
            relation=self.mapping.relation,
            columns=columns,
            key=self.mapping.key.columns[0],
            where=all_of((where, self.mapping.only)),
            guard=guard,
            near=self._near(),
            limit=limit,
            after=self.fetch.after,
            timeout_s=self.timeout_s,
        )

    def _near(self) -> Near | None:
        near, gallery = self.fetch.near, self.source.gallery
        if near is None or gallery is None:
            return None
        vector = self.fan_out.probe(near.handle) if near.handle else None
        return Near(
            column=self.mapping.columns["likeness"].columns[0],
            vector=vector or (),
            ref=near.ref_key,
            model=gallery.model,
            min_score=gallery.threshold,
        )

    async def _fetch(
        self, layout: Layout, query: SourceQuery, *, guarded: bool
    ) -> tuple[list[Sequence[Any]], bool]:
        """The rows of the main visit, and whether there are more of them.

        What the source leaves over of our guard, or cannot be told of it (not `guarded`), is
        applied here.
        """
        left = self.connector.residual(replace(query, where=ALWAYS))
        projects = Ability.PROJECT in self.connector.capabilities.abilities
        if (left != ALWAYS or not projects) and not self.mapping.over_read:
            raise CannotEnforce(
                "the source cannot apply a rule, and its owner forbids over-reading"
            )
        extra = tuple(sorted(fields_of(left) - set(layout.columns)))
        query = replace(query, columns=layout.columns + extra)
        if left == ALWAYS and guarded:
            result = await self.calls.rows(query)
            return list(result.rows), result.truncated

        def permitted(row: Sequence[Any]) -> bool:
            if not _is_so(left, query.columns, row):
                return False
            return guarded or certain(self.grant.own.rows, records_of([row], layout)[0].values)

        return await self.calls.read_on(query, permitted)

    async def _prefetch(self, wanted: Sequence[Prefetch]) -> tuple[Found, bool]:
        """The owners' keys for each criterion on a child relation, and whether some are missing."""
        asked = self.prefetching(wanted)
        results = await together(self._elements(query) for _, query in asked)
        found: dict[Prefetch, tuple[Any, ...]] = {}
        for (alike, query), result in zip(asked, results, strict=True):
            for one in alike:
                told = len(alike) == 1
                keys = (r[0] for r in result.rows if told or _is_so(one.where, query.columns, r))
                found[one] = tuple(dict.fromkeys(key for key in keys if key is not None))
        return found, any(result.truncated for result in results)

    def prefetching(self, wanted: Sequence[Prefetch]) -> list[tuple[list[Prefetch], SourceQuery]]:
        """The queries for criteria on child relations: one for all on the same place, where the
        source can be asked for any of them."""
        places: dict[tuple[str, int], list[Prefetch]] = {}
        for one in wanted:
            places.setdefault((one.part, one.entry), []).append(one)
        asked: list[tuple[list[Prefetch], SourceQuery]] = []
        for (part, number), alike in places.items():
            entry = self.mapping.parts[part][number]
            query = self._any_of(entry, alike)
            if len(alike) == 1 or self.connector.residual(query) == ALWAYS:
                asked.append((alike, query))
            else:
                asked += [([one], self._any_of(entry, [one])) for one in alike]
        return asked

    def _any_of(self, entry: Entry, alike: Sequence[Prefetch]) -> SourceQuery:
        where = any_of(one.where for one in alike)
        beside = sorted(fields_of(where) - {entry.by}) if len(alike) > 1 else []
        return self.child_query(entry, (entry.by, *beside), where, ALWAYS)

    def child_query(
        self, entry: Entry, columns: tuple[str, ...], where: Condition, guard: Condition
    ) -> SourceQuery:
        return SourceQuery(
            query_id=self.fan_out.query_id,
            relation=entry.relation or "",
            columns=columns,
            key=entry.key,
            where=all_of((where, entry.only)),
            guard=guard,
            limit=self.source.max_rows * 5,
            timeout_s=self.timeout_s,
        )

    async def _child(
        self, entry: Entry, columns: tuple[str, ...], where: Condition, guard: Condition
    ) -> SourceResult:
        return await self._elements(self.child_query(entry, columns, where, guard))

    async def _elements(self, query: SourceQuery) -> SourceResult:
        if self.connector.residual(query) != ALWAYS:
            raise CannotEnforce("the source cannot select from a child relation")
        return await self.calls.elements(query)

    def _child_layout(
        self, part: str, entry: Entry, names: frozenset[str]
    ) -> tuple[Layout, Condition | None]:
        agreed = self.grant.parts.get(part)
        return child_layout(entry, names), child_guard(entry, agreed.rows if agreed else ALWAYS)

    async def _children(
        self, records: list[Record], rows: Sequence[Sequence[Any]], need: Need
    ) -> bool:
        """Load the components that live in child relations, for all records at once; gives
        whether some elements are missing."""
        owners: dict[Any, list[Record]] = {}
        for record, row in zip(records, rows, strict=True):
            owners.setdefault(row[0], []).append(record)

        async def load(part: str, entry: Entry, names: frozenset[str]) -> bool:
            layout, guard = self.made.once(
                (part, id(entry), names), lambda: self._child_layout(part, entry, names)
            )
            if guard is None or guard == NEVER:
                return False
            where = Compare(entry.by, Op.IN, tuple(owners))
            result = await self._child(entry, layout.columns, where, guard)
            for owner, element in elements_of(result.rows, layout):
                for record in owners.get(owner, ()):
                    record.values.setdefault(part, []).append(element)
            return result.truncated

        if not owners:
            return False
        cut = await together(
            load(part, entry, names)
            for part, names in need.parts.items()
            for entry in self.mapping.parts.get(part, ())
            if entry.relation is not None
        )
        return any(cut)

    # --- checking what came ---

    def _permitted(self, records: list[Record], *, guarded: bool) -> list[Record]:
        """Every row against its guard again, every element against its component's.

        A row that fails a guard which the source was to apply (`guarded`) is an alarm.
        """
        kept = [r for r in records if certain(self.grant.own.rows, r.values)]
        self.alarms += len(records) - len(kept) if guarded else 0
        if self.grant.own.show is not Show.RECORDS:
            return kept  # of a hit or a count no element is told
        fields = self.vocabulary.fields_of(self.fetch.entity)
        settle(kept, self.grant, fields, self.fan_out.moment)
        for path, part in self.grant.parts.items():
            for record in kept:
                elements = record.values.get(path)
                if elements:
                    record.values[path] = kept_elements(part, elements)
        return kept

    def _meets(self, where: Condition, record: Record) -> bool:
        return satisfies(where, record.values, self.vocabulary, self.mapping)

    def _rank(self, records: list[Record], rows: Sequence[Sequence[Any]]) -> None:
        gallery = self.source.gallery
        for rank, (record, row) in enumerate(zip(records, rows, strict=True), start=1):
            record.values["\0rank"] = rank
            record.values["\0score"] = float(row[-1])
            record.values["\0threshold"] = gallery.threshold if gallery else None


def _is_so(where: Condition, columns: Sequence[str], row: Sequence[Any]) -> bool:
    return holds(where, dict(zip(columns, row, strict=False)))


def _found(records: Iterable[Record], truncated: bool, alarms: int = 0) -> FetchResult:
    state = State.TRUNCATED if truncated else State.ANSWERED
    return FetchResult(state=state, records=tuple(records), truncated=truncated, alarms=alarms)


def _linked(record: Record, by: str, keys: frozenset[Any]) -> Record:
    """The record with those of the parents' keys that it belongs to."""
    return replace(record, links=frozenset(k for k in link_keys([record], by) if k in keys))
