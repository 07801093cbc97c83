"""What /audit gives of counts, the misuse queue, samples, reviews, questions and recalls.

Who may have which is the services' to say; here stands how it is told.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from gateway.actions.asking import Asking
from gateway.actions.overseeing import Listed, Looked, Overseeing, name_of
from gateway.actions.recalling import Recalling
from gateway.audit.found import Asked, Health
from gateway.audit.index import MARK
from gateway.audit.inquiry import Auditor, Given
from gateway.audit.oversight_schema import MOST_CASES
from gateway.audit.spans import moments_of
from gateway.casework.model import AuditMatter, DipSample, Recall, Recalled, Review, ReviewCase
from gateway.catalogue.forms import utc_text
from gateway.errors import LimitExceeded

Told: TypeAlias = Mapping[str, Any] | Sequence[Any] | None
_COUNTED: Final = (
    "agency", "purpose", "queries", "refused", "failed", "withheld", "glass", "missing",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Overseen:
    """The services that are read."""

    overseeing: Overseeing
    asking: Asking
    recalling: Recalling
    clock: Callable[[], datetime]


Look: TypeAlias = Callable[[Overseen, Auditor, Mapping[str, Any]], Awaitable[Given[Told]]]


async def _overview(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    moments = moments_of(args["span"], of.clock())
    given = await of.overseeing.inquiry.overview(auditor, moments)
    counts = given.value.counts
    told = {
        "__typename": "Overview",
        "health": told_health(given.value.health),
        "counts": None if counts is None else [
            {
                "__typename": "Count",
                "since": utc_text(moments[one.span]),
                **{name: getattr(one, name) for name in _COUNTED},
            }
            for one in counts
        ],
    }  # fmt: skip
    return Given(told, given.viewed)


async def _misuse(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    first, start = args.get("first") or 0, args.get("start") or 0
    if not 1 <= first <= MOST_CASES:
        raise LimitExceeded.of("first", MOST_CASES, first)
    if start < 0:
        raise LimitExceeded.of("start", 0, start)
    given = await of.overseeing.misuse(
        auditor, days=args.get("days") or 0, kind=args.get("pattern") or "",
        state=args.get("state") or "", first=first, start=start,
    )  # fmt: skip
    if (part := given.value) is None:
        return Given(None, given.viewed)
    later = start + first
    told = {
        "__typename": "MisusePart",
        "made_at": utc_text(part.made.at),
        "looked_at": part.made.queue.looked_at,
        "missing": list(part.made.queue.missing),
        "cases": [_case(one) for one in part.cases],
        "fitting": part.many,
        "next": later if part.many > later else None,
    }
    return Given(told, given.viewed)


async def _misuse_case(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.overseeing.case(auditor, args["id"], days=args.get("days") or 0)
    if given.value is None:
        return Given(None, given.viewed)
    listed, queries = given.value
    told = {
        "__typename": "MisuseTold",
        "case": _case(listed),
        "queries": [_looked(one) for one in queries],
    }
    return Given(told, given.viewed)


async def _samples(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.overseeing.samples(auditor)
    return Given([_sample_row(one) for one in given.value], given.viewed)


async def _sample(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.overseeing.sample(auditor, args["id"])
    if given.value is None:
        return Given(None, given.viewed)
    sample, cases, openly = given.value
    told = {
        "__typename": "SampleTold",
        "sample": _sample_row(sample),
        "queries": [
            _review_row(case, open_=case.id in openly, reviews=[(one, "") for one in said])
            for case, said in cases.items()
        ],
    }
    return Given(told, given.viewed)


async def _reviews(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.overseeing.waiting(auditor)
    return Given([_review_row(one, open_=True) for one in given.value], given.viewed)


async def _review(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.overseeing.review(auditor, args["id"])
    if given.value is None:
        return Given(None, given.viewed)
    case, looked = given.value
    told = {
        "__typename": "ReviewTold",
        "row": _review_row(case, open_=looked.open, reviews=looked.reviews),
        "query": _looked(looked),
    }
    return Given(told, given.viewed)


async def _matters(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.asking.listed(auditor)
    return Given([_matter_row(one) for one in given.value], given.viewed)


async def _matter(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.asking.shown(auditor, args["id"])
    if (found := given.value) is None:
        return Given(None, given.viewed)
    told = {
        "__typename": "MatterTold",
        "matter": _matter_row(found.matter),
        **{name: getattr(found, name) for name in (
            "question", "answer", "withheld", "may_answer", "open",
        )},
    }  # fmt: skip
    return Given(told, given.viewed)


async def _recalls(of: Overseen, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await of.recalling.listed(auditor.request, auditor.subject)
    made, heard = given.value
    told = {
        "__typename": "Recalls",
        "made": [_recall(one, whom, own=True) for one, whom in made.items()],
        "heard": [_recall(one, (here,), own=False) for one, here in heard.items()],
    }
    return Given(told, given.viewed)


LOOKS: Final[Mapping[str, Look]] = {
    "overview": _overview,
    "misuse": _misuse,
    "misuse_case": _misuse_case,
    "samples": _samples,
    "sample": _sample,
    "reviews": _reviews,
    "review": _review,
    "matters": _matters,
    "matter": _matter,
    "recalls": _recalls,
}


# --- how it is told -------------------------------------------------------------------------------


def told_health(health: Health) -> dict[str, Any]:
    """How the log stands, as the schema's `LogHealth`."""
    at = health.signed_at
    told = asdict(health) | {"signed_at": utc_text(at) if at else None}
    return {"__typename": "LogHealth", **told, "witnesses": list(health.witnesses)}


def told_asked(asked: Asked) -> dict[str, Any]:
    """Who asked, in what words and why, as the schema's `Asked`."""
    told = asdict(asked) | {"__typename": "Asked"}
    for name in ("variables", "visits", "looked"):
        told[name] = json.dumps(told[name], ensure_ascii=False, sort_keys=True)
    told["rulings"] = [{"__typename": "Ruling", **one} for one in told["rulings"]]
    return told


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _case(one: Listed) -> dict[str, Any]:
    case = one.case
    return {
        "__typename": "MisuseCase",
        "id": name_of(case),
        "rank": one.rank,
        "pattern": case.pattern.value,
        "agency": case.agency,
        "officer": case.actors[-1][:MARK],
        "score": case.score,
        "reasons": list(case.reasons),
        "since": case.since.isoformat(),
        "until": case.until.isoformat(),
        "queries": len(case.entries),
        "left": one.left,
        "state": one.state,
    }


def _looked(one: Looked) -> dict[str, Any]:
    query = one.query
    return {
        "__typename": "Looked",
        "entry": query.entry,
        "at": query.at,
        "purpose": query.purpose,
        "reason": query.code,
        "asked": told_asked(query.asked) if query.asked else None,
        "open": one.open,
        "reviews": [_said(review, note) for review, note in one.reviews],
    }


def _said(review: Review, note: str) -> dict[str, Any]:
    return {
        "__typename": "ReviewSaid",
        "level": review.level.value,
        "outcome": review.outcome.value,
        "quality": review.quality,
        "at": review.at.isoformat(),
        "entry": review.entry,
        "note": note,
    }


def _review_row(
    case: ReviewCase, *, open_: bool, reviews: Sequence[tuple[Review, str]] = ()
) -> dict[str, Any]:
    return {
        "__typename": "ReviewRow",
        "id": case.id,
        "entry": case.entry,
        "agency": case.agency,
        "stratum": case.stratum,
        "asked_at": case.asked_at.isoformat(),
        "drawn_at": case.at.isoformat(),
        "open": open_,
        "reviews": [_said(review, note) for review, note in reviews],
    }


def _sample_row(sample: DipSample) -> dict[str, Any]:
    return {
        "__typename": "SampleRow",
        "id": sample.id,
        "announced_at": sample.at.isoformat(),
        "by": sample.by.agency,
        "since": sample.since.isoformat(),
        "until": sample.until.isoformat(),
        "count": sample.count,
        "strata": sample.strata,
        "drawn_at": _at(sample.drawn_at),
        "seed": sample.seed,
        "checkpoint": sample.checkpoint,
        "population": sample.population,
    }


def _matter_row(matter: AuditMatter) -> dict[str, Any]:
    return {
        "__typename": "MatterRow",
        "id": matter.id,
        "kind": matter.kind.value,
        "at": matter.at.isoformat(),
        "by": matter.by.agency,
        "agency": matter.agency,
        "entry": matter.entry,
        "use": matter.use,
        "answer": matter.answer.value if matter.answer else None,
        "answered_at": _at(matter.answered_at),
        "until": _at(matter.until),
    }


def _recall(recall: Recall, whom: Sequence[Recalled], *, own: bool) -> dict[str, Any]:
    """A recall; `own` of the reader's own agency, to which alone its key is told, and no ref of
    others."""
    return {
        "__typename": "RecallRow",
        "id": recall.id,
        "at": recall.at.isoformat(),
        "by": recall.by.agency,
        "source": recall.source if own else "",
        "entity": recall.entity,
        "key": recall.key if own else "",
        "said": recall.said,
        "answers": recall.answers if own else None,
        "told": [
            {
                "__typename": "RecallTold",
                "agency": one.agency,
                "ref": "" if own else one.ref,
                "shown": [
                    {"__typename": "RecallShown", "query_id": query, "at": at}
                    for query, at in one.shown
                ] if not own else [],
                "times": len(one.shown),
                "acknowledged_at": _at(one.acknowledged_at),
            }
            for one in whom
        ],
    }  # fmt: skip
