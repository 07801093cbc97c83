"""`/recalls`: a desk recalls a record that its agency has corrected, and reads what others did.

A page of desks: no auditor recalls anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.recalling import KEPT, MOST_CHARS
from gateway.casework.model import Recall, Recalled
from gateway.catalogue.forms import utc_text
from gateway.errors import CaseworkUnavailable, GatewayError, LimitExceeded, MalformedRequest
from gateway.web.access import signed_in, visit_of
from gateway.web.console.filled import value_of
from gateway.web.console.frame import Console
from gateway.web.look import elsewhere, told
from gateway.web.receiving import blank

HERE: Final = "/recalls"
_ERASED: Final = "The words were erased: the time for which they are kept is over."
_ERASED_KEY: Final = "(its key was erased)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRow:
    """One agency that was shown a record."""

    agency: str = told("Which.")
    answers: str = told("How many answers showed the record.")
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
    holds: tuple[tuple[str, str], ...] = told("The agency's own records: source and kind.")
    chosen: str = told("Which of these was chosen, where something was not done.")
    key: str = told("And which key was typed.")
    said: str = told("And what was to be told.")
    most: int = told("How many characters at most.")
    made: tuple[MadeRow, ...] = told("The own recalls, the latest first.")
    heard: tuple[HeardRow, ...] = told("Those of others, the latest first.")
    done: MadeRow | None = told("What was just recalled.")
    problem: str = told("Why something was not done, and what to do.", "")


def recall_routes(console: Console) -> list[Route]:
    async def page(http: HttpRequest) -> RecallsPage:
        subject = signed_in(http).subject
        given = await console.recalling.listed(blank(http, console.clock()), subject)
        made, heard = given.value
        rows = tuple(_made(one, whom) for one, whom in made.items())
        done = http.query_params.get("done", "")
        return RecallsPage(
            agency=subject.agency,
            holds=console.recalling.holds(subject),
            chosen="",
            key="",
            said="",
            most=MOST_CHARS,
            made=rows,
            heard=tuple(_heard(one, whom) for one, whom in heard.items()),
            done=next((row for row in rows if row.id == done), None),
        )

    async def shown(http: HttpRequest) -> Response:
        return console.look.page("recalls.html", await page(http), visit_of(http))

    async def recalled(http: HttpRequest) -> Response:
        form = visit_of(http).form
        request = blank(http, console.clock())
        source, _, entity = value_of(form, "record").partition(" ")
        try:
            made = await console.recalling.recall(
                request, signed_in(http).subject, source=source, entity=entity,
                key=value_of(form, "key"), said=value_of(form, "said"),
            )  # fmt: skip
        except (MalformedRequest, LimitExceeded, CaseworkUnavailable) as error:
            return await not_done(http, error)
        return elsewhere(f"{HERE}?done={made.id}")

    async def not_done(http: HttpRequest, error: GatewayError) -> Response:
        """The page again, with what was filled in."""
        form = visit_of(http).form
        again = replace(
            await page(http), problem=error.said, chosen=value_of(form, "record"),
            key=value_of(form, "key"), said=value_of(form, "said"),
        )  # fmt: skip
        return console.look.page("recalls.html", again, visit_of(http), status=error.status)

    return [
        Route(HERE, shown, methods=["GET"]),
        Route(HERE, recalled, methods=["POST"]),
    ]


def _made(recall: Recall, whom: Sequence[Recalled]) -> MadeRow:
    return MadeRow(
        id=recall.id,
        at=utc_text(recall.at),
        record=f"{recall.source} {recall.entity} {recall.key or _ERASED_KEY}",
        said=recall.said or _ERASED,
        answers=recall.answers,
        entry=recall.entry,
        told=tuple(map(_told, whom)),
    )


def _told(one: Recalled) -> ToldRow:
    times = sorted(at for _query, at in one.shown)
    return ToldRow(
        agency=one.agency,
        answers=f"{KEPT} times or more" if len(times) >= KEPT else times_of(len(times)),
        first=times[0],
        last=times[-1],
        acknowledged=utc_text(one.acknowledged_at) if one.acknowledged_at else "",
    )


def times_of(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _heard(recall: Recall, here: Recalled) -> HeardRow:
    return HeardRow(
        id=recall.id,
        at=utc_text(recall.at),
        agency=recall.by.agency,
        entity=recall.entity,
        ref=here.ref,
        said=recall.said or _ERASED,
        shown=here.shown,
        acknowledged=utc_text(here.acknowledged_at) if here.acknowledged_at else "",
    )
