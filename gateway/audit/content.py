"""What an entry says of a plan, a decision and an answer. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gateway.audit.entry import Tag, Written, canonical
from gateway.model import (
    HIT_ONLY,
    AuthorisedPlan,
    Decision,
    Response,
    Ruling,
    Show,
)


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


def question_bytes(asked: Mapping[str, Any], agreed: AuthorisedPlan) -> Written:
    """What was asked of policy, most of which is the same for all plans of a structure."""
    resources: Mapping[str, Any] = asked["resources"]
    if (structure := agreed.plan.structure) is not None:
        written = structure.made.once(
            "resources written", lambda: Written(canonical(dict(resources)))
        )
        return Written.of({**asked, "resources": written})
    return Written(canonical(asked))


def decision_digest(decision: Decision, question: Written) -> str:
    def granted() -> Written:
        rulings = decision.rulings.items()
        return Written(canonical({n: _granted(ruling) for n, ruling in rulings}))

    written = decision.made.once("granted", granted)
    return hashlib.sha256(Written.of({"question": question, "granted": written})).hexdigest()


def _granted(ruling: Ruling) -> list[Any]:
    beside = [HIT_ONLY] if ruling.beside else []
    return [str(ruling.show), ruling.limit, *sorted(ruling.read), *beside]


def counted(touched: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the leaf, which is to stay small: how many fields of which entities."""
    visits = touched["visits"].items()
    counted = {source: {e: len(f) for e, f in entities.items()} for source, entities in visits}
    return {**touched, "visits": counted}


def touched_by(agreed: AuthorisedPlan) -> dict[str, Any]:
    """Which sources, entities and fields will be visited, and how many were not agreed to."""
    visits: dict[str, dict[str, list[str]]] = {}
    for grant in (*agreed.grants.values(), *agreed.looks.values()):
        entities = visits.setdefault(grant.fetch.source, {})
        fields = entities.setdefault(grant.fetch.entity, [])
        for path, part in grant.parts.items():
            prefix = f"{path}." if path else ""
            if part.show is Show.RECORDS:
                fields.extend(f"{prefix}{name}" for name in part.read)
            elif part.show is not None and path:
                fields.append(f"{path}:{part.show.value}")
    touched: dict[str, Any] = {
        "visits": {s: {e: sorted(set(f)) for e, f in es.items()} for s, es in visits.items()},
        "withheld": len(agreed.withheld),
        "silent": len(agreed.silent),
    }
    if agreed.beside:
        touched["beside"] = len(agreed.beside)
    if agreed.released:
        touched["released"] = sorted(one.id for one in agreed.released)
    return touched
