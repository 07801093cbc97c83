"""What an entry says of a plan, a decision and an answer. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateway.audit.entry import Tag, Written, canonical
from gateway.model import AuthorisedPlan, Fetch, Part, PartGrant, Plan, Response, Show


def tag_of(response: Response) -> Tag:
    """What became of what was consulted: nothing was shown, somebody's records were, or records of
    several agencies were put together."""
    agency = {report.source: report.agency for report in response.reports}
    match len({agency[one.source] for one in response.shown}):
        case 0:
            return Tag.CONSULTATION
        case 1:
            return Tag.DISCLOSURE
        case _:
            return Tag.COMBINATION


def rule_of(response: Response) -> str:
    """The rule that refused all of it; "" if none did."""
    if response.code is None:
        return ""
    first, *_ = response.body.get("errors", ({},))
    return str(first.get("extensions", {}).get("rule", ""))


def answer_bytes(body: Mapping[str, Any]) -> bytes:
    """The answer as its digest is made of; JSON with sorted keys, quick for large answers."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), default=str).encode()


def question_bytes(asked: Mapping[str, Any], plan: Plan) -> Written:
    """What was asked of policy, most of which is the same for all plans of a structure."""
    resources: Mapping[str, Any] = asked["resources"]
    if (structure := plan.structure) is not None:
        written = structure.made.once(
            "resources written", lambda: Written(canonical(dict(resources)))
        )
        return Written.of({**asked, "resources": written})
    return Written(canonical(asked))


def counted(touched: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the leaf, which is to stay small: how many fields of which entities."""
    visits = touched["visits"].items()
    counted = {source: {e: len(f) for e, f in entities.items()} for source, entities in visits}
    return {**touched, "visits": counted}


def touched_by(agreed: AuthorisedPlan) -> dict[str, Any]:
    """Which sources, entities and fields are to be read, and how many visits were not agreed to.

    What policy keeps silent stands here as what is asked and holds nothing.
    """
    visits: dict[str, dict[str, list[str]]] = {}
    for fetch in agreed.plan.visits:
        grant = agreed.grants.get(fetch.id) or agreed.looks.get(fetch.id)
        if grant is None and not _as_if_asked(fetch, agreed):
            continue
        fields = visits.setdefault(fetch.source, {}).setdefault(fetch.entity, [])
        for part in fetch.parts:
            granted = grant.parts[part.path] if grant is not None else None
            fields.extend(_to_read(part, granted))
    touched: dict[str, Any] = {
        "visits": {s: {e: sorted(set(f)) for e, f in es.items()} for s, es in visits.items()},
        "withheld": len(agreed.withheld),
    }
    if agreed.beside:
        touched["beside"] = len(agreed.beside)
    if agreed.released:
        touched["released"] = sorted(one.id for one in agreed.released)
    return touched


def _as_if_asked(fetch: Fetch, agreed: AuthorisedPlan) -> bool:
    """Whether a visit is silent, or beneath one that is."""
    by_id = {one.id: one for one in agreed.plan.visits}
    at: Fetch | None = fetch
    while at is not None:
        if at.id in agreed.silent:
            return True
        at = by_id.get(at.parent or "")
    return False


def _to_read(part: Part, granted: PartGrant | None) -> list[str]:
    prefix = f"{part.path}." if part.path else ""
    if granted is None or granted.show is Show.SILENT:
        return [f"{prefix}{name}" for name in part.reads]
    if granted.show is Show.RECORDS:
        return [f"{prefix}{name}" for name in granted.read]
    told = granted.show is not None and part.path
    return [f"{part.path}:{granted.show.value}"] if told and granted.show else []
