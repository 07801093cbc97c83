"""From rows to the answer. No resolvers and no field-by-field execution: for each fetch one
function is put together that turns a record into its part of the answer.

What is said to be withheld never depends on the withheld value: it follows from the decision and
from what the caller may see anyway. Each thing said is gathered as an *event* at a response path;
where all records of a list agree the path says `*`, else it names the index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from connectors.conditions import holds
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.vocabulary import Field
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    SILENT,
    AuthorisedPlan,
    Fetch,
    FetchResult,
    Grant,
    Manner,
    Note,
    Operation,
    Outcome,
    PartGrant,
    Record,
    Response,
    Results,
    RootPlan,
    Selection,
    Show,
    SourceReport,
    State,
)
from gateway.query.derived import DERIVED, Moment
from gateway.query.match import Candidate, Explanation, Group, Identity, explain, features_of
from gateway.query.plan import applicable
from gateway.query.refs import Cursor, Refs

MaskBy: TypeAlias = Callable[[str, Any, Field], tuple[Any, str | None]]
"""(mask's name, value, field) -> (value to show, coarse value for the disclosure entry)."""

_DROP: Final = object()  # a record or element that leaves the list and is said to be a hit
NOTHING_TEXT = (
    "Nothing that can be shown to you for this purpose; that is not proof that nothing is held."
)
_FAILED = frozenset({State.RATE_LIMITED, State.TIMED_OUT, State.UNAVAILABLE, State.FAULT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shaping:
    """What shaping needs beside the plan and the results."""

    catalogue: Catalogue
    refs: Refs
    moment: Moment
    mask: MaskBy
    agency: str  # of the caller: refs are for it alone
    as_at: str
    expires_at: int  # of a cursor, seconds since the epoch
    cursor_binding: Callable[[Selection], bytes]
    shared: frozenset[tuple[str, str]] = frozenset()  # identifiers that several persons bear


@dataclass(frozen=True, slots=True)
class Event:
    """Something said of one place in the answer."""

    agency: str
    outcome: Outcome
    mask: str = ""
    rule: str = ""
    text: str = ""
    contact: str = ""
    action: str = ""
    shows: str = ""


@dataclass(slots=True)
class _Said:
    """Gathers events by list path and agency."""

    places: dict[tuple[str, str], dict[str, Event | None]] = field(default_factory=dict)

    def say(self, path: str, at: str, agency: str, event: Event | None) -> None:
        """At one index (`at`) of the place `path`, this; None for plainly shown."""
        self.places.setdefault((path, agency), {})[at] = event

    def entries(self) -> list[tuple[str, Event]]:
        """(path, event), where all agree with `*`, else each with its indexes."""
        told: list[tuple[str, Event]] = []
        for (path, _agency), by_index in self.places.items():
            events = list(by_index.values())
            first = events[0]
            if first is not None and all(event == first for event in events):
                told.append((path, first))
            else:
                told.extend((at, event) for at, event in by_index.items() if event is not None)
        return told


@dataclass(slots=True)
class _Tally:
    rows: int = 0
    masked: int = 0
    withheld: int = 0
    hits: int = 0


_Build: TypeAlias = Callable[[Record, str, str | None], Any]
"""(record, its concrete response path, the match band of the person it belongs to) -> value."""


class _Shape:
    """One answer in the making."""

    def __init__(self, agreed: AuthorisedPlan, results: Results, shaping: Shaping) -> None:
        self.agreed = agreed
        self.results = results
        self.with_ = shaping
        self.vocabulary = shaping.catalogue.vocabulary
        self.said = _Said()
        self.tallies: dict[str, _Tally] = {}
        self.fetches = {fetch.id: fetch for fetch in agreed.plan.fetches}
        self.explanations: dict[Identity, Explanation] = {}
        self.groups: dict[str, tuple[Group, ...]] = {}
        self.disclosed: list[tuple[str, str, str | int]] = []
        self.builders: dict[str, list[tuple[str, _Build]]] = {}
        self.by_key: dict[str, dict[Any, list[Record]]] = {}

    def agency(self, fetch: Fetch) -> str:
        return self.with_.catalogue.sources[fetch.source].agency

    def tally(self, fetch: Fetch) -> _Tally:
        return self.tallies.setdefault(fetch.source, _Tally())

    def say(self, fetch: Fetch, path: str, at: str, event: Event | None) -> None:
        if event is not None:
            tally = self.tally(fetch)
            match event.outcome:
                case Outcome.MASKED:
                    tally.masked += 1
                case Outcome.WITHHELD:
                    tally.withheld += 1
                case Outcome.HIT:
                    tally.hits += 1
                case _:
                    pass
        self.said.say(path, at, self.agency(fetch), event)

    # --- records ---

    def records(
        self, fetch: Fetch, path: str, at: str, found: Sequence[Record], before: int = 0
    ) -> list[Any]:
        """The visible records of one fetch, at the list `path` (pattern) and `at` (concrete);
        `before` are already in that list, from other agencies."""
        build = self.builder(fetch)
        made: list[Any] = []
        for record in found:
            band = self.band(fetch, record)
            value = self.object(build, record, f"{at}.{before + len(made)}", band)
            if value is _DROP:
                self.say(fetch, path, at, self.event(fetch, Outcome.HIT, self.note(fetch)))
                continue
            self.tally(fetch).rows += 1
            self.disclosed.append((fetch.source, fetch.entity, record.key))
            made.append(value)
        return made

    @staticmethod
    def object(build: list[tuple[str, _Build]], record: Record, at: str, band: str | None) -> Any:
        made: dict[str, Any] = {}
        for key, function in build:
            value = function(record, at, band)
            if value is _DROP:
                return _DROP
            made[key] = value
        return made

    def band(self, fetch: Fetch, record: Record) -> str | None:
        if "\0band" in record.values:
            return str(record.values["\0band"]) or None
        explanation = self.explanations.get((fetch.id, record.key))
        return explanation.band if explanation else None

    def note(self, fetch: Fetch, path: str = "", name: str = "") -> Note:
        grant = self.agreed.grants.get(fetch.id)
        if grant is None:
            return self.agreed.withheld.get(fetch.id, Note())
        part = grant.parts.get(path)
        found = part.note(name) if part is not None else Note()
        return found if found != Note() else grant.own.note(name)

    def event(
        self, fetch: Fetch, outcome: Outcome, note: Note, mask: str = "", shows: str = ""
    ) -> Event:
        return Event(
            self.agency(fetch), outcome, mask, note.rule, note.text, note.desk, note.action, shows
        )

    # --- one function for each field ---

    def builder(self, fetch: Fetch) -> list[tuple[str, _Build]]:
        """The functions that make one record of a fetch, put together once."""
        made = self.builders.get(fetch.id)
        if made is None:
            grant = self.agreed.grants[fetch.id]
            made = [(s.key, self.own_field(grant, s)) for s in fetch.selections if s.key[0] != "\0"]
            self.builders[fetch.id] = made
        return made

    def own_field(self, grant: Grant, selection: Selection) -> _Build:
        fetch, name = grant.fetch, selection.name
        entity = self.vocabulary.entities[fetch.entity]
        given = self.given(fetch, name)
        if given is not None:
            return _constant(given)
        if name == "ref":
            return self.ref(grant, selection)
        if name in entity.links:
            return self.link(grant, selection)
        spec = entity.fields[name]
        if spec.type.name in self.vocabulary.components:
            return self.component(grant, selection, spec, "")
        return self.scalar(grant.own, fetch, selection, spec, "", f"{fetch.path}.{selection.key}")

    def given(self, fetch: Fetch, name: str) -> Any:
        source = self.with_.catalogue.sources[fetch.source]
        match name:
            case "__typename":
                return fetch.entity
            case "owner":
                return source.agency
            case "system":
                return source.system
            case "as_at":
                return self.with_.as_at
        return None

    def ref(self, grant: Grant, selection: Selection) -> _Build:
        fetch = grant.fetch
        seal, agency = self.with_.refs.seal, self.with_.agency
        source, entity = fetch.source, fetch.entity
        manner = grant.own.read.get("ref")

        def build(record: Record, _at: str, band: str | None) -> Any:
            shown = self.manner_of(manner, record.values, band)
            return seal(agency, source, entity, record.key) if shown == CLEAR else _DROP

        return build

    def manner_of(
        self, manner: Manner | None, values: Mapping[str, Any], band: str | None
    ) -> str | None:
        """The manner that holds for one record: of cases the first whose condition it meets."""
        if manner is None or isinstance(manner, str):
            return manner
        known = _Case(values, band, self.with_.moment)
        for case in manner:
            if holds(case.when, known):
                return case.manner
        return None

    def scalar(
        self,
        part: PartGrant,
        fetch: Fetch,
        selection: Selection,
        spec: Field,
        prefix: str,
        path: str,
    ) -> _Build:
        """A field without fields of its own: `prefix` is where its element keeps it."""
        name = spec.name
        if name not in part.part.reads:
            return _constant(None)  # the source has no such field
        read = self.reader(spec, f"{prefix}{name}")
        manner = part.read.get(name)
        if manner == CLEAR:
            return lambda record, _at, _band: read(record.values)
        if manner == SILENT:
            return _constant(None)
        note = part.note(name)
        key = selection.key

        def build(record: Record, at: str, band: str | None) -> Any:
            shown = self.manner_of(manner, record.values, band)
            place = f"{at}.{key}"
            if shown == CLEAR:
                self.say(fetch, path, place, None)
                return read(record.values)
            if shown == SILENT:
                return None
            if shown == HIT_ONLY:
                return _DROP
            if shown is None:
                self.say(fetch, path, place, self.event(fetch, Outcome.WITHHELD, note))
                return None
            value, shows = self.with_.mask(shown, read(record.values), spec)
            event = self.event(fetch, Outcome.MASKED, note, shown, shows or "")
            self.say(fetch, path, place, event)
            return [] if value is None and spec.type.many else value

        return build

    def reader(self, spec: Field, name: str) -> Callable[[Mapping[str, Any]], Any]:
        if spec.derived:
            derive, moment = DERIVED[spec.derived], self.with_.moment
            return lambda values: derive(values, moment)
        return lambda values: values.get(name)

    # --- components ---

    def component(self, grant: Grant, selection: Selection, spec: Field, prefix: str) -> _Build:
        """A component of the record: its elements, or what may be said of them."""
        fetch, path = grant.fetch, spec.name
        part = grant.parts.get(path)
        pattern = f"{fetch.path}.{selection.key}"
        many, key = spec.type.many, selection.key
        nothing: Any = [] if many else None
        if spec.name == "match":
            return self.match(grant, selection)
        if part is None or part.show is Show.SILENT:
            return lambda _record, _at, _band: [] if many else None
        note = part.note()
        if part.show is None:
            event = self.event(fetch, Outcome.WITHHELD, note)

            def withheld(_record: Record, at: str, _band: str | None) -> Any:
                self.say(fetch, pattern, f"{at}.{key}", event)
                return [] if many else None

            return withheld
        if part.show is not Show.RECORDS:
            return self.told(grant, part, pattern, key, nothing)
        fields = self.element(grant, path, selection, spec, pattern + (".*" if many else ""))
        limit = part.limit
        standing = self.event(fetch, Outcome.WITHHELD, note) if note != Note() else None

        def build(record: Record, at: str, band: str | None) -> Any:
            elements = record.values.get(path) or []
            place = f"{at}.{key}"
            made: list[Any] = []
            hit = False
            for element in elements[:limit]:
                inner = Record(key="", values=element)
                where = f"{place}.{len(made)}" if many else place
                value = self.object(fields, inner, where, band)
                if value is _DROP:
                    hit = True
                else:
                    made.append(value)
            said = self.event(fetch, Outcome.HIT, note) if hit else standing
            if hit or standing is not None:
                self.say(fetch, pattern, place, said)
            return made if many else (made[0] if made else None)

        return build

    def element(
        self, grant: Grant, path: str, selection: Selection, spec: Field, pattern: str
    ) -> list[tuple[str, _Build]]:
        """The functions that make one element of the component at `path`."""
        component = self.vocabulary.components[spec.type.name]
        part = grant.parts[path]
        prefix = path.partition(".")[2]
        prefix = f"{prefix}." if prefix else ""
        made: list[tuple[str, _Build]] = []
        for inner in applicable(selection.selections, component.name):
            if inner.name == "__typename":
                made.append((inner.key, _constant(component.name)))
                continue
            field_spec = component.fields[inner.name]
            at = f"{pattern}.{inner.key}"
            if field_spec.type.name in self.vocabulary.components:
                made.append((inner.key, self.nested(grant, path, inner, field_spec, at)))
            else:
                build = self.scalar(part, grant.fetch, inner, field_spec, prefix, at)
                made.append((inner.key, build))
        return made

    def nested(
        self, grant: Grant, path: str, selection: Selection, spec: Field, pattern: str
    ) -> _Build:
        """A component in a component: it stands in the same element, under its dotted name."""
        inner_path = f"{path}.{spec.name}"
        part = grant.parts.get(inner_path)
        fetch, key = grant.fetch, selection.key
        if part is None or part.show is Show.SILENT:
            return _constant(None)
        if part.show is not Show.RECORDS:
            event = self.event(fetch, Outcome.WITHHELD, part.note())

            def withheld(_record: Record, at: str, _band: str | None) -> Any:
                self.say(fetch, pattern, f"{at}.{key}", event)

            return withheld
        fields = self.element(grant, inner_path, selection, spec, pattern)
        inside = f"{inner_path.partition('.')[2]}."

        def build(record: Record, at: str, band: str | None) -> Any:
            held = any(n.startswith(inside) and v is not None for n, v in record.values.items())
            return self.object(fields, record, f"{at}.{key}", band) if held else None

        return build

    def told(self, grant: Grant, part: PartGrant, pattern: str, key: str, nothing: Any) -> _Build:
        """Only that something exists, or how many: the elements stay here."""
        fetch, note, path = grant.fetch, part.note(), part.part.path

        def build(record: Record, at: str, _band: str | None) -> Any:
            elements = record.values.get(path) or []
            event = self.counted(fetch, part, note, elements) if elements else None
            self.say(fetch, pattern, f"{at}.{key}", event)
            return [] if isinstance(nothing, list) else None

        return build

    def counted(
        self, fetch: Fetch, part: PartGrant, note: Note, found: Sequence[Mapping[str, Any]]
    ) -> Event:
        if part.show is Show.HIT:
            return self.event(fetch, Outcome.HIT, note)
        counts = [str(len(found))]
        counts += [f"{n} {sum(1 for e in found if e.get(n) is True)}" for n in sorted(part.count)]
        return self.event(fetch, Outcome.MASKED, note, "COUNT_ONLY", ", ".join(counts))

    # --- links ---

    def link(self, grant: Grant, selection: Selection) -> _Build:
        fetch = grant.fetch
        link = self.vocabulary.entities[fetch.entity].links[selection.name]
        pattern = f"{fetch.path}.{selection.key}"
        key, many, from_ = selection.key, link.to.many, link.from_
        children = [self.fetches[i] for i in fetch.links.get(key, ())]

        def build(record: Record, at: str, band: str | None) -> Any:
            made: list[Any] = []
            for child in children:
                made.extend(self.follow(child, record, from_, pattern, f"{at}.{key}", band))
            return made if many else (made[0] if made else None)

        return build

    def follow(
        self,
        child: Fetch,
        record: Record,
        from_: str,
        pattern: str,
        place: str,
        band: str | None,
    ) -> list[Any]:
        """What one linked fetch gives beneath one record."""
        grant = self.agreed.grants.get(child.id)
        if grant is None:
            if child.id in self.agreed.withheld:
                note = self.agreed.withheld[child.id]
                self.say(child, pattern, place, self.event(child, Outcome.WITHHELD, note))
            return []
        result = self.results.get(child.id, FetchResult(state=State.ANSWERED))
        if result.state in _FAILED:
            event = Event(self.agency(child), Outcome.SOURCE_UNAVAILABLE)
            self.say(child, pattern, place, event)
            return []
        found = self.linked(child, record, from_)[: grant.own.limit]
        if grant.own.show is not Show.RECORDS:
            values = [r.values for r in found]
            event_or_none = (
                self.counted(child, grant.own, grant.own.note(), values) if found else None
            )
            self.say(child, pattern, place, event_or_none)
            return []
        if (note := grant.own.note()) != Note():
            self.say(child, pattern, place, self.event(child, Outcome.WITHHELD, note))
        for inner in found:
            inner.values["\0band"] = band or ""
        return self.records(child, pattern, place, found)

    def linked(self, child: Fetch, record: Record, from_: str) -> list[Record]:
        """The child's records that belong to this parent, in the child's order."""
        index = self.by_key.get(child.id)
        if index is None:
            index = {}
            for found in self.results[child.id].records if child.id in self.results else ():
                for key in found.links:
                    index.setdefault(key, []).append(found)
            self.by_key[child.id] = index
        part, _, name = from_.rpartition(".")
        if not part:
            return index.get(record.values.get(name), [])
        keys = dict.fromkeys(e.get(name) for e in record.values.get(part) or ())
        found_all = {id(r): r for key in keys for r in index.get(key, ())}
        return list(found_all.values())

    # --- matching ---

    def match(self, grant: Grant, selection: Selection) -> _Build:
        """How the record stands to the others of its answer."""
        part = grant.parts.get("match")
        fetch = grant.fetch
        if part is None or part.show is not Show.RECORDS:
            if part is None or part.show is Show.SILENT:
                return _constant(None)
            event = self.event(fetch, Outcome.WITHHELD, part.note())
            pattern, key = f"{fetch.path}.{selection.key}", selection.key

            def withheld(_record: Record, at: str, _band: str | None) -> Any:
                self.say(fetch, pattern, f"{at}.{key}", event)

            return withheld
        pattern, key = f"{fetch.path}.{selection.key}", selection.key
        inner = applicable(selection.selections, "MatchExplanation")
        builds = [(s.key, self.match_field(part, fetch, s, pattern)) for s in inner]

        def build(record: Record, at: str, band: str | None) -> Any:
            explanation = self.explanations.get((fetch.id, record.key), Explanation())
            values = {
                "score": explanation.score,
                "band": explanation.band,
                "reason": explanation.reason,
                "features": [
                    {"name": f.name, "weight": f.weight, "used": f.used, "withheld": f.withheld}
                    for f in explanation.features
                ],
            }
            return self.object(builds, Record(key="", values=values), f"{at}.{key}", band)

        return build

    def match_field(
        self, part: PartGrant, fetch: Fetch, selection: Selection, pattern: str
    ) -> _Build:
        if selection.name == "__typename":
            return _constant("MatchExplanation")
        spec = self.vocabulary.components["MatchExplanation"].fields[selection.name]
        path = f"{pattern}.{selection.key}"
        whole = self.scalar(part, fetch, selection, spec, "", path)
        if selection.name != "features":
            return whole
        chosen = applicable(selection.selections, "MatchFeature")

        def features(record: Record, at: str, band: str | None) -> Any:
            found = whole(record, at, band) or []
            return [
                {s.key: "MatchFeature" if s.name == "__typename" else f[s.name] for s in chosen}
                for f in found
            ]

        return features

    def explain(self, root: RootPlan) -> None:
        """Work out bands and groups among a root's visible persons, from permitted features."""
        candidates: list[Candidate] = []
        for fetch_id in root.fetches:
            grant = self.agreed.grants.get(fetch_id)
            if grant is None or grant.own.show is not Show.RECORDS or "match" not in grant.parts:
                continue
            identifiers = grant.parts.get("identifiers")
            for record in self.results[fetch_id].records if fetch_id in self.results else ():
                permitted = identifiers.match if identifiers else frozenset()
                candidates.append(
                    Candidate(
                        id=(fetch_id, record.key),
                        source=grant.fetch.source,
                        identifiers=features_of(record.values.get("identifiers") or (), permitted),
                        withheld=identifiers is not None and not permitted,
                    )
                )
        explanations, groups = explain(candidates, self.with_.shared)
        self.explanations.update(explanations)
        self.groups[root.key] = groups

    # --- roots ---

    def root(self, root: RootPlan) -> Any:
        self.explain(root)
        spec = self.vocabulary.roots[root.name]
        pattern = {
            "one": root.key,
            "list": root.key,
        }.get(spec.shape, self.list_path(root))
        found: list[Any] = []
        complete = not root.not_held
        for fetch_id in root.fetches:
            fetch = self.fetches[fetch_id]
            given, whole = self.root_records(fetch, pattern, len(found))
            found.extend(given)
            complete = complete and whole
        if not found and self.all_answered(root):
            event = Event("", Outcome.NOTHING_TO_SHOW, text=NOTHING_TEXT)
            self.said.say(pattern, pattern, "", event)
        match spec.shape:
            case "one":
                return found[0] if found else None
            case "list":
                return found
            case "face":
                return self.face(root, found)
            case _:
                return self.hits(root, found, complete)

    def list_path(self, root: RootPlan) -> str:
        wrapper = "candidates" if self.vocabulary.roots[root.name].shape == "face" else "hits"
        keys = [s.key for s in root.selection.selections if s.name == wrapper]
        return f"{root.key}.{keys[0] if keys else wrapper}"

    def root_records(self, fetch: Fetch, pattern: str, before: int) -> tuple[list[Any], bool]:
        """A root fetch's records, and whether they are all that may be seen."""
        if fetch.id in self.agreed.silent:
            return [], True
        grant = self.agreed.grants.get(fetch.id)
        if grant is None:
            note = self.agreed.withheld.get(fetch.id, Note())
            self.say(fetch, pattern, pattern, self.event(fetch, Outcome.WITHHELD, note))
            return [], True
        result = self.results.get(fetch.id, FetchResult(state=State.FAULT))
        if result.state in _FAILED:
            event = Event(self.agency(fetch), Outcome.SOURCE_UNAVAILABLE)
            self.say(fetch, pattern, pattern, event)
            return [], False
        if grant.own.show is not Show.RECORDS:
            if result.records:
                values = [r.values for r in result.records]
                event = self.counted(fetch, grant.own, grant.own.note(), values)
                self.say(fetch, pattern, pattern, event)
            return [], True
        if (note := grant.own.note()) != Note():
            self.say(fetch, pattern, pattern, self.event(fetch, Outcome.WITHHELD, note))
        found = self.records(fetch, pattern, pattern, result.records, before)
        return found, not result.truncated

    def all_answered(self, root: RootPlan) -> bool:
        states = [self.results[i].state for i in root.fetches if i in self.results]
        return not any(state in _FAILED for state in states)

    def hits(self, root: RootPlan, found: list[Any], complete: bool) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for selection in root.selection.selections:
            match selection.name:
                case "__typename":
                    entity = self.vocabulary.roots[root.name].entity
                    made[selection.key] = f"{entity.removeprefix('Organised')}Hits"
                case "total":
                    made[selection.key] = len(found) if complete else None
                case "hits":
                    made[selection.key] = found
                case "next":
                    made[selection.key] = self.next(root)
                case "matches":
                    made[selection.key] = self.match_groups(root, selection)
        return made

    def next(self, root: RootPlan) -> str | None:
        """The cursor after what was shown, or None when every source has given everything."""
        positions: dict[str, Any] = {}
        for fetch_id in root.fetches:
            result = self.results.get(fetch_id)
            if result is not None and result.truncated and result.records:
                fetch = self.fetches[fetch_id]
                positions[f"{fetch.source}/{fetch.entity}"] = result.records[-1].key
        if not positions:
            return None
        return self.with_.refs.seal_cursor(
            Cursor(
                positions=positions,
                serial=self.agreed.serial,
                expires_at=self.with_.expires_at,
                binding=self.with_.cursor_binding(root.selection),
            )
        )

    def match_groups(self, root: RootPlan, selection: Selection) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        for group in self.groups.get(root.key, ()):
            fetches = [self.fetches[fetch_id] for fetch_id, _ in group.members]
            values = {
                "__typename": "MatchGroup",
                "band": group.band,
                "reason": group.reason,
                "records": [
                    self.with_.refs.seal(self.with_.agency, f.source, f.entity, key)
                    for f, (_, key) in zip(fetches, group.members, strict=True)
                ],
                "owners": sorted({self.agency(f) for f in fetches}),
            }
            made.append(
                {s.key: values[s.name] for s in applicable(selection.selections, "MatchGroup")}
            )
        return made

    def face(self, root: RootPlan, found: list[Any]) -> dict[str, Any]:
        galleries = [
            gallery
            for fetch_id in root.fetches
            if fetch_id in self.agreed.grants
            and (gallery := self.with_.catalogue.sources[self.fetches[fetch_id].source].gallery)
        ]
        gallery = galleries[0] if galleries else None
        values = {
            "__typename": "FaceCandidates",
            "threshold": gallery.threshold if gallery else None,
            "model_version": gallery.model if gallery else None,
            "gallery_size": gallery.size if gallery else None,
            "notice": gallery.notice if gallery else None,
            "candidates": found,
        }
        return {s.key: values[s.name] for s in root.selection.selections}


class _Case(Mapping[str, Any]):
    """A record's values as a case's condition sees them: with derived fields and the band."""

    def __init__(self, values: Mapping[str, Any], band: str | None, moment: Moment) -> None:
        self.values_ = values
        self.band = band
        self.moment = moment

    def __getitem__(self, name: str) -> Any:
        if name == "match_band":
            return self.band
        if name in self.values_:
            return self.values_[name]
        derive = DERIVED.get(name)
        return derive(self.values_, self.moment) if derive else None

    def __iter__(self) -> Any:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def _constant(value: Any) -> _Build:
    return lambda _record, _at, _band: value


# --- the response --------------------------------------------------------------------------------

# The worst that happened to any visit is what a source is said to be.
_WORST = [
    State.FAULT,
    State.UNAVAILABLE,
    State.TIMED_OUT,
    State.RATE_LIMITED,
    State.TRUNCATED,
    State.ANSWERED,
    State.WITHHELD,
    State.NOT_ASKED,
]


def shape(
    operation: Operation, agreed: AuthorisedPlan, results: Results, shaping: Shaping
) -> Response:
    """The answer to an operation, from what its fetches brought back."""
    made = _Shape(agreed, results, shaping)
    data: dict[str, Any] = {}
    roots = {root.key: root for root in agreed.plan.roots}
    for selection in operation.roots:
        if selection.name == "__typename":
            data[selection.key] = "Query"
        elif selection.name != "sources":
            data[selection.key] = made.root(roots[selection.key])
    reports = _reports(agreed, results, made, shaping.catalogue)
    for selection in operation.roots:
        if selection.name == "sources":
            data[selection.key] = _sources(selection, reports, shaping.catalogue)
    entries = made.said.entries()
    body: dict[str, Any] = {}
    if errors := _errors(entries):
        body["errors"] = errors
    body["data"] = {selection.key: data[selection.key] for selection in operation.roots}
    body["extensions"] = {
        "sources": [
            {
                "agency": r.agency,
                "system": shaping.catalogue.sources[r.source].system,
                "state": r.state.value,
                "band": _time_band(r),
            }
            for r in reports
        ],
        "disclosure": [*_disclosure(entries), *_not_held(agreed)],
    }
    return Response(
        status=200, body=body, reports=reports, disclosed=tuple(dict.fromkeys(made.disclosed))
    )


def _time_band(report: SourceReport) -> str | None:
    """How long a source took, coarsely; exact times are for metrics alone."""
    if report.state in {State.NOT_ASKED, State.WITHHELD}:
        return None
    if report.state is State.TIMED_OUT:
        return "late"
    for limit in (0.1, 0.5, 2.0):
        if report.elapsed_s < limit:
            return f"under {limit:g} s"
    return "late"


def _reports(
    agreed: AuthorisedPlan, results: Results, made: _Shape, catalogue: Catalogue
) -> tuple[SourceReport, ...]:
    reports: list[SourceReport] = []
    for source_id, source in sorted(catalogue.sources.items()):
        states: list[State] = []
        elapsed_s, alarms = 0.0, 0
        for fetch in agreed.plan.fetches:
            if fetch.source != source_id:
                continue
            if fetch.id in agreed.silent:
                states.append(State.ANSWERED)
            elif fetch.id in agreed.withheld:
                states.append(State.WITHHELD)
            elif result := results.get(fetch.id):
                states.append(result.state)
                elapsed_s = max(elapsed_s, result.elapsed_s)
                alarms += result.alarms
        tally = made.tallies.get(source_id, _Tally())
        reports.append(
            SourceReport(
                source=source_id,
                agency=source.agency,
                state=min(states, key=_WORST.index, default=State.NOT_ASKED),
                rows=tally.rows,
                masked=tally.masked,
                withheld=tally.withheld,
                hits=tally.hits,
                elapsed_s=elapsed_s,
                alarms=alarms,
            )
        )
    return tuple(reports)


def _sources(
    selection: Selection, reports: Sequence[SourceReport], catalogue: Catalogue
) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for report in reports:
        source = catalogue.sources[report.source]
        values = {
            "__typename": "SourceState",
            "agency": report.agency,
            "system": source.system,
            "state": report.state.value,
            "holds": sorted(source.entities),
        }
        made.append(
            {s.key: values[s.name] for s in applicable(selection.selections, "SourceState")}
        )
    return made


_MESSAGES: Mapping[Outcome, tuple[str, str]] = {
    Outcome.WITHHELD: ("WITHHELD", "Withheld"),
    Outcome.SOURCE_UNAVAILABLE: ("SOURCE_UNAVAILABLE", "Did not answer"),
}


def _errors(entries: Iterable[tuple[str, Event]]) -> list[dict[str, Any]]:
    """One GraphQL error for each place, agency and outcome that is not an answer."""
    errors: list[dict[str, Any]] = []
    for path, event in entries:
        if event.outcome not in _MESSAGES:
            continue
        code, word = _MESSAGES[event.outcome]
        extensions = {"code": code, "agency": event.agency}
        if event.rule:
            extensions["rule"] = event.rule
        text = f"{word} by {event.agency}." if code == "WITHHELD" else f"{event.agency}: {word}."
        errors.append(
            {
                "message": f"{text} {event.text}".strip(),
                "path": [int(p) if p.isdigit() else p for p in path.split(".")],
                "extensions": extensions,
            }
        )
    return errors


def _disclosure(entries: Iterable[tuple[str, Event]]) -> list[dict[str, Any]]:
    """What is not plainly shown, where, by which rule, whom to ask and what to do now."""
    made: list[dict[str, Any]] = []
    for path, event in entries:
        entry: dict[str, Any] = {"path": path, "outcome": event.outcome.value}
        for name in ("agency", "mask", "shows", "rule", "text", "contact", "action"):
            if value := getattr(event, name):
                entry[name] = value
        made.append(entry)
    return made


def _not_held(agreed: AuthorisedPlan) -> list[dict[str, Any]]:
    return [
        {"path": path, "outcome": Outcome.NOT_ASKED.value, "text": "No source holds this."}
        for path, _field in agreed.plan.not_held
    ]
