"""From one fetch's records to their part of the answer, links included.

For each fetch one list of functions is put together, one for each response key; they turn a record
into its object. Fields are in `fields.py`, components in `components.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.model import (
    CLEAR,
    SANITISED_TEXT,
    WHOLE,
    Fetch,
    FetchResult,
    Grant,
    Note,
    Outcome,
    Place,
    Record,
    Selection,
    Show,
    Shown,
    State,
)
from gateway.query.cases import Naming, Owner, Values
from gateway.query.components import Components
from gateway.query.fields import DROP, Build, Constant, maker
from gateway.query.said import Event, failure

CONDITIONS: Final = Note(text="Shown under the conditions of the agency that holds it.")
REVIEW_DUE: Final = "REVIEW_DUE"  # policy's rows look at every record's retention, so it is read


def stricter(whole: str, manner: str | None) -> str | None:
    """How a record is named, of how it is shown as a whole and how its name is."""
    if whole == CLEAR or (whole == SANITISED_TEXT and manner != CLEAR):
        return manner
    return whole


@dataclass(slots=True, kw_only=True)
class Records(Components):
    """One answer in the making, with the records of its fetches."""

    disclosed: list[tuple[str, str, str | int]] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)
    fetches: dict[str, Fetch] = field(default_factory=dict)
    makers: dict[str, tuple[Naming, Build, Mapping[str, str]]] = field(default_factory=dict)
    by_key: dict[tuple[str, bool], dict[Any, list[Record]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fetches = {fetch.id: fetch for fetch in self.agreed.plan.fetches}

    def visible(
        self,
        fetch: Fetch,
        path: str,
        at: Place,
        *,
        found: Sequence[Record],
        before: int,
        many: bool,
        band: str | None = None,
    ) -> list[Any]:
        """The visible records of one fetch, at the list `path` (a pattern) and `at` (a place).

        `before` are already in that list, from other agencies; `band` is that of the person whom
        linked records belong to. A record that may not be named is a hit, whatever of it was
        selected; of some hits the owner's sanitised line is told.
        """
        if not found:
            return []
        naming, make, names = self.maker(fetch)
        label = self.label(fetch, f"{path}.*" if many else path)
        own = self.agreed.grants[fetch.id].own
        made: list[Any] = []
        due = 0
        lines: dict[str, None] = {}
        moment = self.shaping.moment
        for record in found:
            explanation = self.explanations.get((fetch.id, record.key))
            owner = Owner(record, explanation.band if explanation else band, moment)
            place = (at, before + len(made)) if many else at
            manner = stricter(record.manner, naming(record.values, owner))
            identity = (fetch.source, fetch.entity, record.key)
            value: Any = make(record.values, place, owner) if manner == CLEAR else DROP
            if value is DROP:
                if manner == SANITISED_TEXT and (line := record.values.get("sanitised_text")):
                    lines[line] = None
                    self.disclosed.append(identity)
                mask = SANITISED_TEXT if lines else ""
                note = own.note("ref" if record.manner == CLEAR else WHOLE)
                event = self.event(fetch, Outcome.HIT, note, mask, " ".join(lines))
                self.say(fetch, path, at, event)
                self.shown.append(Shown(*identity, at, None))
                continue
            self.disclosed.append(identity)
            self.shown.append(Shown(*identity, place, value, names))
            label(record, place)
            made.append(value)
            due += record.values.get("retention") == REVIEW_DUE
        tally = self.said.tally(fetch.source)
        tally.rows += len(made)
        tally.review_due += due
        return made

    # --- one function for each field ---

    def maker(self, fetch: Fetch) -> tuple[Naming, Build, Mapping[str, str]]:
        """How a record of a fetch is named, what makes it, and which fields its agency holds
        stand in it under which keys; put together once."""
        made = self.makers.get(fetch.id)
        if made is None:
            grant = self.agreed.grants[fetch.id]
            chosen = [s for s in fetch.selections if s.key[0] != "\0"]
            entity = self.shaping.catalogue.vocabulary.entities[fetch.entity]
            names = {
                s.key: s.name
                for s in chosen
                if s.name in entity.fields.keys() - {"ref"} and self.given(fetch, s.name) is None
            }
            build = maker([(s.key, self.own_field(grant, s)) for s in chosen])
            made = self.makers[fetch.id] = self.naming(grant), build, names
        return made

    def naming(self, grant: Grant) -> Naming:
        """How a record's name is shown, which decides about all of it."""
        return self.manner_of(grant, grant.own, "ref")

    def label(self, fetch: Fetch, path: str) -> Callable[[Record, Place], None]:
        """Say under which conditions a record is shown, where they decided about it."""
        if self.agreed.grants[fetch.id].own.whole == CLEAR:
            return lambda _record, _place: None
        tell = self.teller(fetch, path)
        events: dict[str, Event | None] = {"": None}

        def label(record: Record, place: Place) -> None:
            conditions = record.values.get("conditions")
            shows = ", ".join(conditions) if conditions else ""
            if shows not in events:
                events[shows] = self.event(fetch, Outcome.SHOWN, CONDITIONS, shows=shows)
            tell(place, events[shows])

        return label

    def own_field(self, grant: Grant, selection: Selection) -> Build:
        fetch, name = grant.fetch, selection.name
        vocabulary = self.shaping.catalogue.vocabulary
        entity = vocabulary.entities[fetch.entity]
        given = self.given(fetch, name)
        if given is not None:
            return Constant(given)
        if name == "ref":
            return self.ref(grant)
        if name in entity.links:
            return self.link(grant, selection)
        spec = entity.fields[name]
        pattern = f"{fetch.path}.{selection.key}"
        if spec.type.name in vocabulary.components:
            return self.component(grant, name, selection, spec, pattern)
        return self.scalar(grant.own, fetch, spec, pattern)

    def given(self, fetch: Fetch, name: str) -> str | None:
        """What the gateway itself says of each record of a fetch."""
        source = self.shaping.catalogue.sources[fetch.source]
        match name:
            case "__typename":
                return fetch.entity
            case "owner":
                return source.agency
            case "system":
                return source.system
            case "as_at":
                return self.shaping.as_at
        return None

    def ref(self, grant: Grant) -> Build:
        """The record's ref: only of a record that may be named is anything made."""
        source, entity = grant.fetch.source, grant.fetch.entity
        seal = self.shaping.refs.sealer(self.shaping.agency, source, entity)
        return lambda _values, _at, owner: seal(owner.record.key)

    # --- links ---

    def link(self, grant: Grant, selection: Selection) -> Build:
        fetch, key = grant.fetch, selection.key
        link = self.shaping.catalogue.vocabulary.entities[fetch.entity].links[selection.name]
        pattern, many, from_ = f"{fetch.path}.{key}", link.to.many, link.from_
        children = [self.fetches[i] for i in fetch.links.get(key, ())]

        def build(_values: Values, at: Place, owner: Owner) -> Any:
            made: list[Any] = []
            for child in children:
                found = self.follow(child, owner, from_, pattern, (at, key), many, len(made))
                made.extend(found)
            return made if many else (made[0] if made else None)

        return build

    def follow(
        self,
        child: Fetch,
        owner: Owner,
        from_: str,
        pattern: str,
        place: Place,
        many: bool,
        before: int,
    ) -> list[Any]:
        """What one linked fetch gives beneath one record."""
        grant = self.agreed.grants.get(child.id)
        if grant is None:
            if (note := self.agreed.withheld.get(child.id)) is not None:
                self.say(child, pattern, place, self.event(child, Outcome.WITHHELD, note))
            return []
        result = self.results.get(child.id, FetchResult(state=State.ANSWERED))
        if result.state.failed:
            event = failure(self.agency(child), result.state)
            self.say(child, pattern, place, event)
            return []
        hidden: list[Record] = []
        if child.id in self.agreed.beside:
            hidden = self.linked(child, owner.record, from_, beside=True)
            self.say(child, pattern, place, None)
        found = self.linked(child, owner.record, from_)[: grant.own.limit]
        made: list[Any] = []
        if grant.own.show is not Show.RECORDS:
            told = self.counted(child, grant.own, [r.values for r in found]) if found else None
            self.say(child, pattern, place, told)
            if grant.own.show is Show.HIT:
                self.hit(child, place, found)
        else:
            if (note := grant.own.standing) is not None:
                self.say(child, pattern, place, self.event(child, Outcome.WITHHELD, note))
            made = self.visible(
                child, pattern, place, found=found, before=before, many=many, band=owner.band
            )
        if hidden:
            self.say(child, pattern, place, self.told_beside(child))
            self.hit(child, place, hidden)
        return made

    def hit(self, fetch: Fetch, at: Place, found: Sequence[Record]) -> None:
        """Keep for the log which records they are of which it was told that there are some."""
        self.shown.extend(Shown(fetch.source, fetch.entity, r.key, at, None) for r in found)

    def told_beside(self, fetch: Fetch) -> Event:
        """That something is held which is not shown, and whom to ask."""
        return self.event(fetch, Outcome.HIT, self.agreed.beside[fetch.id].own.note())

    def linked(
        self, child: Fetch, record: Record, from_: str, *, beside: bool = False
    ) -> list[Record]:
        """The child's records that belong to this parent, in the child's order; or those that
        are told of and not shown."""
        index = self.by_key.get((child.id, beside))
        if index is None:
            index = {}
            result = self.results.get(child.id, FetchResult(state=State.ANSWERED))
            for found in result.beside if beside else result.records:
                for key in found.links:
                    index.setdefault(key, []).append(found)
            self.by_key[child.id, beside] = index
        part, _, name = from_.rpartition(".")
        if not part:
            return index.get(record.values.get(name), [])
        keys = dict.fromkeys(e.get(name) for e in record.values.get(part) or ())
        found_all = {id(r): r for key in keys for r in index.get(key, ())}
        return list(found_all.values())
