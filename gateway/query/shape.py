"""From rows to the answer: roots, lists, groups and cursors. Read this first, then `records.py`.

No resolvers and no field-by-field execution: `records.py`, `components.py` and `fields.py` put one
function together for each response key of a fetch. What is said of the answer is gathered in
`said.py`; how each source fared is told by `response.py`.
"""

from __future__ import annotations

from typing import Any

from gateway.model import (
    AuthorisedPlan,
    Fetch,
    FetchResult,
    Grant,
    Note,
    Operation,
    Outcome,
    Place,
    Response,
    Results,
    RootPlan,
    Selection,
    Shared,
    Show,
    State,
)
from gateway.query.ages import dispute
from gateway.query.fields import Mask, MaskBy, Shaping
from gateway.query.match import Group, candidates_of, explain
from gateway.query.reading import applicable
from gateway.query.records import Records
from gateway.query.refs import Cursor
from gateway.query.response import not_held, reports_of, source_entries, source_states
from gateway.query.said import NOTHING_TEXT, TOO_BROAD, Event, disclosure, errors, failure

__all__ = ["Mask", "MaskBy", "Shaper", "Shaping"]


class Shaper:
    """One answer in the making: how records are shown follows from what was agreed alone, and can
    be put together while the sources are still answering."""

    def __init__(self, operation: Operation, agreed: AuthorisedPlan, shaping: Shaping) -> None:
        self._operation = operation
        self._agreed = agreed
        self._shaping = shaping
        self._records = Records(agreed=agreed, shaping=shaping)

    def prepare(self) -> None:
        """Put it together now; else it is when the first record needs it."""
        for grant in self._agreed.grants.values():
            if grant.own.show is Show.RECORDS:
                self._records.maker(grant.fetch)

    def shape(self, results: Results, shared: Shared = frozenset()) -> Response:
        """The answer, once, from what the fetches brought back and those identifiers in it that
        more than one person bears."""
        if self._operation.introspection is not None:
            return Response(status=200, body={"data": self._operation.introspection})
        records, catalogue = self._records, self._shaping.catalogue
        records.results = results
        data: dict[str, Any] = {}
        roots = {root.key: root for root in self._agreed.plan.roots}
        for selection in self._operation.roots:
            if selection.name == "__typename":
                data[selection.key] = "Query"
            elif selection.name != "sources":
                data[selection.key] = _Root(records, roots[selection.key], shared).value()
        reports = reports_of(self._agreed, results, records.said.tallies, catalogue)
        for selection in self._operation.roots:
            if selection.name == "sources":
                data[selection.key] = source_states(selection, reports, catalogue)
        entries = records.said.entries()
        body: dict[str, Any] = {}
        if told := errors(entries):
            body["errors"] = told
        body["data"] = {selection.key: data[selection.key] for selection in self._operation.roots}
        body["extensions"] = {
            "sources": source_entries(reports, catalogue),
            "disclosure": [*disclosure(entries), *not_held(self._agreed)],
        }
        disclosed = tuple(dict.fromkeys(records.disclosed))
        records.makers.clear()  # each holds `records`: else only the garbage collector ends that
        return Response(
            status=200,
            body=body,
            reports=reports,
            disclosed=disclosed,
            shown=tuple(records.shown),
        )


class _Root:
    """One root field of an answer in the making."""

    def __init__(self, records: Records, root: RootPlan, shared: Shared) -> None:
        self.records = records
        self.root = root
        self.shared = shared
        self.agreed = records.agreed
        self.results = records.results
        self.shaping = records.shaping
        self.spec = self.shaping.catalogue.vocabulary.roots[root.name]
        self.fetches = [records.fetches[fetch_id] for fetch_id in root.fetches]
        self.groups: tuple[Group, ...] = ()

    def value(self) -> Any:
        self.explain()
        wrapper = self.wrapper()
        at: Place = (None, self.root.key)
        if wrapper:
            at = (at, wrapper)
        pattern = f"{self.root.key}.{wrapper}" if wrapper else self.root.key
        found: list[Any] = []
        complete = not self.root.not_held
        for fetch in self.fetches:
            given, whole = self.visit(fetch, pattern, at, len(found))
            found.extend(given)
            complete = complete and whole
        if not found and self.all_answered():
            event = Event("", Outcome.NOTHING_TO_SHOW, text=NOTHING_TEXT)
            self.records.said.teller("", pattern, "")(at, event)
        match self.spec.shape:
            case "one":
                return found[0] if found else None
            case "list":
                return found
            case "face":
                return self.face(found)
            case _:
                return self.hits(found, complete)

    def wrapper(self) -> str:
        """The response key of the list within the root's object; "" if it is the list itself."""
        name = {"hits": "hits", "face": "candidates"}.get(self.spec.shape, "")
        keys = [s.key for s in self.root.selection.selections if s.name == name]
        return keys[0] if keys else name

    def visit(self, fetch: Fetch, pattern: str, at: Place, before: int) -> tuple[list[Any], bool]:
        """A root fetch's records, and whether they are all that may be seen."""
        records = self.records
        if fetch.id in self.agreed.silent:
            return [], True
        grant = self.agreed.grants.get(fetch.id)
        if grant is None:
            note = self.agreed.withheld.get(fetch.id, Note())
            records.say(fetch, pattern, at, records.event(fetch, Outcome.WITHHELD, note))
            return [], True
        result = self.results.get(fetch.id, FetchResult(state=State.FAULT))
        if result.state.failed:
            event = failure(records.agency(fetch), result.state)
            records.say(fetch, pattern, at, event)
            return [], False
        if result.state is State.NOT_ASKED:
            event = Event(records.agency(fetch), Outcome.NOT_ASKED, text=TOO_BROAD)
            records.say(fetch, pattern, at, event)
            return [], False
        found, whole = self.shown(fetch, grant, result, pattern, at, before)
        if result.beside:
            records.say(fetch, pattern, at, records.told_beside(fetch))
            records.hit(fetch, at, result.beside)
        return found, whole

    def shown(
        self,
        fetch: Fetch,
        grant: Grant,
        result: FetchResult,
        pattern: str,
        at: Place,
        before: int,
    ) -> tuple[list[Any], bool]:
        """What an answered visit gives, as the grant has it."""
        records = self.records
        if grant.own.show is not Show.RECORDS:
            if result.records:
                values = [r.values for r in result.records]
                records.say(fetch, pattern, at, records.counted(fetch, grant.own, values))
                if grant.own.show is Show.HIT:
                    records.hit(fetch, at, result.records)
            return [], True
        if (note := grant.own.standing) is not None:
            records.say(fetch, pattern, at, records.event(fetch, Outcome.WITHHELD, note))
        many = self.spec.shape != "one"
        found = records.visible(fetch, pattern, at, found=result.records, before=before, many=many)
        return found, not result.truncated

    def all_answered(self) -> bool:
        """Whether no source that was to be visited failed."""
        granted = [fetch.id for fetch in self.fetches if fetch.id in self.agreed.grants]
        return all(i in self.results and not self.results[i].state.failed for i in granted)

    # --- hits ---

    def hits(self, found: list[Any], complete: bool) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for selection in self.root.selection.selections:
            match selection.name:
                case "__typename":
                    made[selection.key] = f"{self.spec.entity.removeprefix('Organised')}Hits"
                case "total":
                    made[selection.key] = len(found) if complete else None
                case "hits":
                    made[selection.key] = found
                case "next":
                    made[selection.key] = self.next()
                case "matches":
                    made[selection.key] = self.match_groups(selection)
        return made

    def next(self) -> str | None:
        """The cursor after what was shown, or None when every source has given everything."""
        positions: dict[str, Any] = {}
        for fetch in self.fetches:
            grant, result = self.agreed.grants.get(fetch.id), self.results.get(fetch.id)
            if grant is None or result is None or grant.own.show is not Show.RECORDS:
                continue  # of a hit or a count there is no next page: its being there would count
            if result.truncated and result.records:
                positions[f"{fetch.source}/{fetch.entity}"] = result.records[-1].key
        if not positions:
            return None
        return self.shaping.refs.seal_cursor(
            Cursor(
                positions=positions,
                serial=self.agreed.serial,
                expires_at=self.shaping.expires_at,
                binding=self.shaping.cursor_binding(self.root.selection),
            )
        )

    # --- which records may concern one person ---

    def explain(self) -> None:
        """Work out bands and groups among the visible persons, from permitted features."""
        candidates = candidates_of(self.agreed, self.results, (f.id for f in self.fetches))
        explanations, self.groups = explain(candidates, self.shared)
        self.records.explanations.update(explanations)
        dispute(self.groups, self.agreed, self.results, self.shaping.moment)

    def match_groups(self, selection: Selection) -> list[dict[str, Any]]:
        made: list[dict[str, Any]] = []
        shown = set(self.records.disclosed)  # a record that became a hit is in no group
        for group in self.groups:
            fetches = [self.records.fetches[fetch_id] for fetch_id, _ in group.members]
            keys = [key for _, key in group.members]
            if any(
                (f.source, f.entity, k) not in shown for f, k in zip(fetches, keys, strict=True)
            ):
                continue
            values = {
                "__typename": "MatchGroup",
                "band": group.band,
                "reason": group.reason,
                "records": [
                    self.shaping.refs.seal(self.shaping.agency, f.source, f.entity, key)
                    for f, key in zip(fetches, keys, strict=True)
                ],
                "owners": sorted({self.records.agency(f) for f in fetches}),
            }
            made.append(
                {s.key: values[s.name] for s in applicable(selection.selections, "MatchGroup")}
            )
        return made

    # --- faces ---

    def face(self, found: list[Any]) -> dict[str, Any]:
        sources = self.shaping.catalogue.sources
        galleries = [
            gallery
            for fetch in self.fetches
            if fetch.id in self.agreed.grants and (gallery := sources[fetch.source].gallery)
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
        return {s.key: values[s.name] for s in self.root.selection.selections}
