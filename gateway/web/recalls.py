"""`/recalls`: a desk recalls a record that its agency has corrected, and reads what others did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.recalling import MOST_CHARS
from gateway.audit.uses import CORRECTION
from gateway.casework.model import Recall, Recalled
from gateway.catalogue.forms import utc_text
from gateway.errors import GatewayError, LimitExceeded, MalformedRequest
from gateway.web.access import signed_in, visit_of
from gateway.web.audit_work import Work, number_of, one
from gateway.web.look import Look, elsewhere, told
from gateway.web.receiving import blank

_PAGE: Final = "/recalls"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRow:
    """One agency that was shown a record."""

    agency: str = told("Which.")
    answers: int = told("How many answers showed the record.")
    first: str = told("When the first did.")
    last: str = told("When the last did.")
    acknowledged: str = told("When its desk acknowledged the notice.")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeRow:
    """One recall of this agency's."""

    id: str = told("Its name.")
    at: str = told("When.")
    record: str = told("Of which record.")
    said: str = told("What the others are told.")
    answers: int = told("Answers that showed it, those of the own people too.")
    entry: int = told("The log's entry of it.")
    told: tuple[ToldRow, ...] = told("Who is told.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardRow:
    """One recall of another agency's record that this agency's people were shown."""

    id: str = told("Its name.")
    at: str = told("When.")
    agency: str = told("By which agency.")
    entity: str = told("What kind of record it is.")
    ref: str = told("The record, as this agency's apps were given it.")
    said: str = told("What its owner says.")
    shown: tuple[tuple[str, str], ...] = told("The answers that showed it.")
    acknowledged: str = told("When this agency's desk acknowledged it.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallsPage:
    """`/recalls`: what was recalled, by this agency and by others."""

    agency: str = told("Whose desk it is.")
    sources: tuple[str, ...] = told("The agency's own sources.")
    most: int = told("How many characters at most.")
    made: tuple[MadeRow, ...] = told("The own recalls, the latest first.")
    heard: tuple[HeardRow, ...] = told("Those of others, the latest first.")
    done: int = told("How many agencies were just told, and one more.", 0)
    problem: str = told("Why something was not done, and what to do.", "")


def recall_routes(work: Work, look: Look) -> list[Route]:
    async def page(http: HttpRequest) -> RecallsPage:
        subject = signed_in(http).subject
        made = await work.recalling.made(subject)
        heard = await work.recalling.told(subject)
        await work.inquiry.view(
            blank(http, work.clock()), subject, page="recalls", use=CORRECTION,
            given={"rows": len(made) + len(heard)},
        )  # fmt: skip
        sources = (one for one, owner in work.recalling.owners.items() if owner == subject.agency)
        return RecallsPage(
            agency=subject.agency,
            sources=tuple(sorted(sources)),
            most=MOST_CHARS,
            made=tuple(_made(one, told) for one, told in made.items()),
            heard=tuple(_heard(one, told) for one, told in heard.items()),
            done=number_of(http.query_params.get("done", "0"), "done"),
        )

    async def shown(http: HttpRequest) -> Response:
        return look.page("recalls.html", await page(http), visit_of(http))

    async def recalled(http: HttpRequest) -> Response:
        form = visit_of(http).form
        request = blank(http, work.clock())
        try:
            made = await work.recalling.recall(
                request, signed_in(http).subject, source=one(form, "source"),
                entity=one(form, "entity"), key=one(form, "key"), said=one(form, "said"),
            )  # fmt: skip
        except (MalformedRequest, LimitExceeded) as error:
            return await _not_done(http, error)
        told = await work.recalling.made(signed_in(http).subject)
        agencies = next((len(some) for one, some in told.items() if one.id == made.id), 0)
        return elsewhere(f"{_PAGE}?done={agencies + 1}")

    async def _not_done(http: HttpRequest, error: GatewayError) -> Response:
        again = replace(await page(http), problem=error.said)
        return look.page("recalls.html", again, visit_of(http), status=error.status)

    return [
        Route(_PAGE, shown, methods=["GET"]),
        Route(_PAGE, recalled, methods=["POST"]),
    ]


def _made(recall: Recall, told: Sequence[Recalled]) -> MadeRow:
    return MadeRow(
        id=recall.id,
        at=utc_text(recall.at),
        record=f"{recall.source} {recall.entity} {recall.key}",
        said=recall.said,
        answers=recall.answers,
        entry=recall.entry,
        told=tuple(map(_told, told)),
    )


def _told(one: Recalled) -> ToldRow:
    times = sorted(at for _query, at in one.shown)
    return ToldRow(
        agency=one.agency,
        answers=len(times),
        first=times[0],
        last=times[-1],
        acknowledged=utc_text(one.acknowledged_at) if one.acknowledged_at else "",
    )


def _heard(recall: Recall, told: Recalled) -> HeardRow:
    return HeardRow(
        id=recall.id,
        at=utc_text(recall.at),
        agency=recall.by.agency,
        entity=recall.entity,
        ref=told.ref,
        said=recall.said,
        shown=told.shown,
        acknowledged=utc_text(told.acknowledged_at) if told.acknowledged_at else "",
    )
