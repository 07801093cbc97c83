"""What a plan would touch, and what each source would be asked for it: native requests with
placeholders for values. Nobody is asked, and no value of the question is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from connectors.conditions import ALWAYS, NEVER, Compare, Op, all_of, fields_of
from connectors.spi import SourceQuery
from gateway.errors import CannotEnforce
from gateway.model import (
    CLEAR,
    AuthorisedPlan,
    Fetch,
    Grant,
    Part,
    PartGrant,
    Plan,
    Show,
    Use,
)
from gateway.query.bearers import counting
from gateway.query.fanout import FanOut
from gateway.query.layout import child_layout, layout_of
from gateway.query.plan import sizes
from gateway.query.translate import Pushing, guard_of
from gateway.query.visit import Visit
from gateway.settings import Limits


def everything(plan: Plan) -> AuthorisedPlan:
    """The plan as if all of it were allowed, every field in clear: for explaining, never for
    asking."""
    grants = {
        fetch.id: Grant(fetch=fetch, parts={part.path: _whole(part, fetch) for part in fetch.parts})
        for fetch in plan.visits
    }
    looks = {fetch.id: grants.pop(fetch.id) for fetch in plan.looks}
    return AuthorisedPlan(plan=plan, serial=0, grants=grants, looks=looks)


def _whole(part: Part, fetch: Fetch) -> PartGrant:
    return PartGrant(
        part=part,
        show=Show.RECORDS,
        limit=fetch.limit if not part.path else 100,
        rows=ALWAYS,
        read=dict.fromkeys(sorted(part.reads), CLEAR),
        match=frozenset(field for use, field in part.uses if use is Use.MATCH),
        count=frozenset(field for use, field in part.uses if use is Use.COUNT and part.path),
    )


def outline(plan: Plan, limits: Limits) -> Iterator[str]:
    """The plan as lines: each root with the branches that start together, beneath each visit the
    links that follow it by which key, and what all of it takes of each limit."""
    fetches = {fetch.id: fetch for fetch in plan.fetches}
    for root in plan.roots:
        sources = "source" if len(root.fetches) == 1 else "sources side by side"
        yield f"{root.key}: {root.name} of {len(root.fetches)} {sources}"
        for fetch_id in root.fetches:
            yield from _branch(fetches, fetches[fetch_id], "  ")
        for source in root.not_held:
            yield f"  not asked: {source}, which cannot apply the criteria"
    for look in plan.looks:
        yield f"{look.id}: {look.entity} from {look.source}, for who else bears an identifier"
    for path, field in plan.not_held:
        yield f"no source holds {field}, for {path}"
    yield "Limits: " + ", ".join(f"{n} of {most} {name}" for name, n, most in sizes(plan, limits))


def _branch(fetches: Mapping[str, Fetch], fetch: Fetch, indent: str) -> Iterator[str]:
    of_each = f" for each of {fetch.parent}" if fetch.parent else ""
    yield f"{indent}{fetch.id}: {fetch.entity} from {fetch.source}, at most {fetch.limit}{of_each}"
    if fetch.parent:
        yield f"{indent}  by {fetch.link_by} = {fetch.parent}'s {fetch.link_from}"
    for verb, names in (
        ("asks", fields_of(fetch.where)),
        ("reads", {f"{part.path}.{n}".lstrip(".") for part in fetch.parts for n in part.reads}),
    ):
        if names:
            yield f"{indent}  {verb} {', '.join(sorted(names))}"
    for key, children in ((key, found) for key, found in fetch.links.items() if found):
        yield f"{indent}  {key}:"
        for child in children:
            yield from _branch(fetches, fetches[child], indent + "    ")


def explain(fan_out: FanOut, agreed: AuthorisedPlan) -> Mapping[str, list[str]]:
    """For each granted visit the requests it would make, in order."""
    looks = {fetch_id: counting(g, ("?",)) for fetch_id, g in agreed.looks.items()}
    visits = {**agreed.grants, **looks}
    return {fetch_id: _requests(fan_out, agreed, g) for fetch_id, g in visits.items()}


def _requests(fan_out: FanOut, agreed: AuthorisedPlan, grant: Grant) -> list[str]:
    source = fan_out.catalogue.sources[grant.fetch.source]
    visit = Visit(fan_out, agreed, grant, source, source.timeout_s)
    where, *_ = visit.where(("?",))
    pushing = Pushing(mapping=visit.mapping, vocabulary=visit.vocabulary)
    image = visit.probe_grant()
    said = _requests(fan_out, agreed, image) if image else []
    said += [_said(visit, query) for _, query in visit.prefetching(pushing.prefetches(where))]
    pushed = pushing.push(where)
    try:
        guard, _ = guard_of(grant.own.rows, pushing)
    except CannotEnforce as error:
        return [f"not visited: {error}"]
    if NEVER in (pushed.condition, guard):
        return ["not visited: it holds nothing that could satisfy this"]
    need = visit.need(frozenset() if pushed.exact else fields_of(where))
    layout = layout_of(need, visit.mapping, {})
    said.append(_said(visit, visit.query(layout.columns, pushed.condition, guard, visit.most())))
    for part, names in need.parts.items():
        for entry in visit.mapping.parts.get(part, ()):
            if entry.relation is not None:
                columns = child_layout(entry, names).columns
                by = Compare(entry.by, Op.IN, ("?",))
                said.append(_said(visit, visit.child_query(entry, columns, all_of((by,)), ALWAYS)))
    return said


def _said(visit: Visit, query: SourceQuery) -> str:
    return visit.connector.explain(query).strip()
