"""How old somebody is by every source's date, not by one record's alone.

A person who may be under eighteen by any date has a child's protection wherever they are found. So
records that `match` groups dispute each other's ages before any of them is shown; and where a rule
of rows asks who is grown up, nobody is who bears an identifier of somebody who may be a child.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from connectors.conditions import And, Compare, Condition, Op, all_of, any_of, fields_of
from gateway.catalogue.mapping import Catalogue
from gateway.model import (
    CLEAR,
    AuthorisedPlan,
    FetchResult,
    Grant,
    PartGrant,
    Record,
    Results,
    Show,
    State,
)
from gateway.query.calls import together
from gateway.query.derived import DISPUTED, Moment, may_be_child
from gateway.query.layout import kept_elements
from gateway.query.match import Group, features_of, linking, matched_on
from gateway.query.need import fields_of_part
from gateway.query.translate import may_hold, wholly_askable

_AGE, _BORN, _NUMBERS = "age_state", "date_of_birth", "identifiers"
_LOOKED_AT = 50  # persons whose ages are looked into for one visit, and bearers of identifiers
_ROUNDS = 3  # of asking who bears the identifiers that the last round brought to light

Identifier: TypeAlias = tuple[str, str]  # kind and value


def dispute(
    groups: Iterable[Group], agreed: AuthorisedPlan, results: Results, moment: Moment
) -> None:
    """Mark the records of every group in which a date that may be looked at for its own record's
    `age_state` may be a child's. Whose date is hidden disputes nobody's."""
    for group in groups:
        members = [
            (agreed.grants[fetch_id], record)
            for fetch_id in {fetch_id for fetch_id, _ in group.members}
            for record in results[fetch_id].records
            if (fetch_id, record.key) in group.members
        ]
        if any(
            _AGE in fields_of_part(grant.own) and may_be_child(record.values, moment)
            for grant, record in members
        ):
            for _, record in members:
                record.values[DISPUTED] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """Who is grown up by every source's date, for visits whose rows ask how old somebody is.

    Other sources are asked for records that the same rules let be told of, but for the age: what is
    hidden for another reason protects nobody, as it would be told by that. Where one may not be
    asked or cannot say, nobody is proved grown up whom it may know.
    """

    agreed: AuthorisedPlan
    catalogue: Catalogue
    moment: Moment
    ask: Callable[[Grant], Coroutine[Any, Any, FetchResult]]

    def asked_of(self, grant: Grant) -> bool:
        """Whether these rows ask how old somebody is."""
        return not _ages(self.catalogue, grant).isdisjoint(fields_of(grant.own.rows))

    def looking(self, grant: Grant) -> Grant:
        """The same visit for more than one, with the identifiers that others may know them by."""
        own = replace(grant.own, limit=max(grant.own.limit, _LOOKED_AT))
        return replace(grant, parts={**grant.parts, **_numbers(grant), "": own})

    async def proved(self, grant: Grant, found: FetchResult) -> FetchResult:
        """Those found whom no source may know as a child, as many as were agreed to."""
        known = {r.key: _known_by(grant, r) for r in found.records} if self._may_tell(grant) else {}
        young = await self._young(grant, frozenset[Identifier]().union(*known.values()))

        def is_grown(record: Record) -> bool:
            identifiers = known.get(record.key)
            if identifiers is None:
                return False
            return not identifiers or (young is not None and young.isdisjoint(identifiers))

        grown = [record for record in found.records if is_grown(record)]
        limit = grant.own.limit
        if len(grown) > limit:
            found = replace(found, state=State.TRUNCATED, truncated=True)
        return replace(found, records=tuple(grown[:limit]))

    def _may_tell(self, grant: Grant) -> bool:
        """Whether others may be asked who else knows the persons of this visit."""
        mapping = self.catalogue.mapping(grant.fetch.source, grant.fetch.entity)
        return matched_on(grant.parts.get(_NUMBERS)) or not mapping.holds_field("identifiers.value")

    async def _young(
        self, grant: Grant, wanted: frozenset[Identifier]
    ) -> frozenset[Identifier] | None:
        """The identifiers, these and others that their bearers have, of whoever may be a child;
        None where a source that may know could not say."""
        asked: frozenset[Identifier] = frozenset()
        seen: list[tuple[frozenset[Identifier], bool]] = []
        for _ in range(_ROUNDS):
            if not (new := wanted - asked):
                return _spread(seen)
            found = await self._bearers(grant, new)
            if found is None:
                return None
            seen += found
            asked, wanted = asked | new, wanted.union(*(known for known, _ in found))
        return None

    async def _bearers(
        self, grant: Grant, identifiers: frozenset[Identifier]
    ) -> list[tuple[frozenset[Identifier], bool]] | None:
        """What else those bear who bear one of these, and whether they may be a child."""
        visits: list[Grant] = []
        for fetch in self.agreed.plan.visits:
            alike = fetch.entity == grant.fetch.entity and fetch.parent is None
            if not alike or not fetch.matched or fetch.id in self.agreed.silent:
                continue  # a silent source is like one that holds nothing
            other = self.agreed.grants.get(fetch.id) or self.agreed.looks.get(fetch.id)
            mapping = self.catalogue.mapping(fetch.source, fetch.entity)
            held = {i for i in identifiers if may_hold(i[0], mapping)}
            if other is None or not matched_on(other.parts.get(_NUMBERS)):
                return None
            if not all(wholly_askable(i, mapping) for i in held):
                return None
            if held:
                visits.append(self._bearing(other, sorted({value for _, value in held})))
        results = await together(self.ask(visit) for visit in visits)
        if any(result.state is not State.ANSWERED for result in results):
            return None
        return [
            (_known_by(visit, record), may_be_child(record.values, self.moment))
            for visit, result in zip(visits, results, strict=True)
            for record in result.records
        ]

    def _bearing(self, grant: Grant, values: Iterable[str]) -> Grant:
        """The same visit for all ages, and for the bearers of these, with their dates of birth."""
        mapping = self.catalogue.mapping(grant.fetch.source, grant.fetch.entity)
        own = replace(
            grant.own,
            show=Show.RECORDS,
            rows=_of_any_age(grant.own.rows, _ages(self.catalogue, grant)),
            limit=_LOOKED_AT,
            read={_BORN: CLEAR} if mapping.holds_field(_BORN) else {},
            match=frozenset(),
            count=frozenset(),
        )
        where = any_of(Compare("identifiers.value", Op.EQ, value) for value in values)
        fetch = replace(grant.fetch, where=where, after=None)
        return Grant(fetch=fetch, parts={"": own, **_numbers(grant)})


def _ages(catalogue: Catalogue, grant: Grant) -> frozenset[str]:
    """The fields that somebody's age rests on."""
    field = catalogue.vocabulary.entities[grant.fetch.entity].fields.get(_AGE)
    return frozenset(field.from_) if field is not None else frozenset()


def _of_any_age(rows: Condition, ages: frozenset[str]) -> Condition:
    """The rule without those of its parts that are about age."""
    parts = rows.parts if isinstance(rows, And) else (rows,)
    return all_of(part for part in parts if ages.isdisjoint(fields_of(part)))


def _numbers(grant: Grant) -> dict[str, PartGrant]:
    """The part that holds identifiers, to be read for matching alone, where it may be."""
    part = grant.parts.get(_NUMBERS)
    if part is None or not matched_on(part):
        return {}
    return {_NUMBERS: replace(part, show=Show.RECORDS, read={}, count=frozenset())}


def _known_by(grant: Grant, record: Record) -> frozenset[Identifier]:
    """The identifiers by which others may know somebody, of those that may be looked at."""
    part = _numbers(grant).get(_NUMBERS)
    if part is None:
        return frozenset()
    elements = kept_elements(part, record.values.get(_NUMBERS) or [])
    return linking(features_of(elements, part.match))


def _spread(seen: Iterable[tuple[frozenset[Identifier], bool]]) -> frozenset[Identifier]:
    """Whatever is borne by one who may be a child, or by whoever shares something with them."""
    listed = list(seen)
    young = frozenset[Identifier]().union(*(known for known, child in listed if child))
    while more := frozenset[Identifier]().union(*(k for k, _ in listed if k & young)) - young:
        young |= more
    return young
