"""`/console/audit/pairs`: professional standards ask a colleague before they look, and agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.asking import MOST_CHARS
from gateway.actions.pairing import PAIRED_FOR, Paired
from gateway.audit.inquiry import Auditor
from gateway.audit.uses import USES
from gateway.casework.model import Answer
from gateway.catalogue.forms import utc_text
from gateway.errors import LimitExceeded, MalformedRequest
from gateway.web.access import visit_of
from gateway.web.console.filled import value_of
from gateway.web.console.frame import PAIRS, USE, Console
from gateway.web.look import elsewhere, told

_END: Final = "END"
_HOURS: Final = int(PAIRED_FOR.total_seconds()) // 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """What somebody asked a colleague to agree to."""

    id: str = told("Its name.")
    asked: str = told("When.")
    by: str = told("Who asked, as the agency's sign-in names them.")
    own: bool = told("Whether that is you.")
    use: str = told("For which permitted use.")
    words: str = told("Why, in their words.")
    state: str = told("What became of it.")
    tone: str = told("How that is coloured.")
    answered: str = told("When it was answered.", "")
    answered_by: str = told("By whom.", "")
    until: str = told("Until when they may look.", "")
    waits: bool = told("Whether it waits for you.", False)
    may_end: bool = told("Whether you can end it before its time.", False)
    ended_by: str = told("Who ended it before its time.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsPage:
    """`/console/audit/pairs`: who asked, who agreed, and what waits."""

    use: str = told("For what you look.")
    holds: str = told("Until when you may look for that; empty where nobody agreed.")
    waits: bool = told("Whether you asked for that already, and nobody answered.")
    rows: tuple[PairRow, ...] = told("What waits first, then the latest.")
    hours: int = told("For how long an agreement holds.")
    most: int = told("How many characters at most.")
    words: str = told("What was written.", "")
    problem: str = told("Why something was not done.", "")


def pair_routes(console: Console) -> list[Route]:
    pairing = console.pairing

    async def page(auditor: Auditor) -> PairsPage:
        rows = tuple(map(_row, found := (await pairing.listed(auditor)).value))
        mine = [one for one in found if one.own and one.matter.use == auditor.use]
        ends = [one.matter.until for one in mine if one.holds and one.matter.until]
        return PairsPage(
            use=USES[auditor.use][0],
            holds=utc_text(max(ends)) if ends else "",
            waits=any(one.matter.answer is None for one in mine),
            rows=rows,
            hours=_HOURS,
            most=MOST_CHARS,
        )

    async def shown(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        return console.page(http, "audit_pairs.html", await page(auditor), PAIRS)

    async def asked(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        words = value_of(visit_of(http).form, "words")
        try:
            await pairing.ask(auditor, words)
        except (LimitExceeded, MalformedRequest) as error:
            again = replace(await page(auditor), words=words, problem=error.said)
            return console.page(http, "audit_pairs.html", again, PAIRS, status=error.status)
        return elsewhere(PAIRS)

    async def answered(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        if (answer := value_of(visit_of(http).form, "answer")) == _END:
            ended = await pairing.end(auditor, http.path_params["id"])
            return elsewhere(PAIRS) if ended else console.look.missing(visit_of(http))
        if answer not in list(Answer):
            raise MalformedRequest("Agree, or refuse.")
        made = await pairing.answer(auditor, http.path_params["id"], Answer(answer))
        return elsewhere(PAIRS) if made else console.look.missing(visit_of(http))

    return [
        Route(PAIRS, shown, methods=["GET"]),
        Route(PAIRS, asked, methods=["POST"]),
        Route(f"{PAIRS}/{{id}}", answered, methods=["POST"]),
    ]


def _row(found: Paired) -> PairRow:
    matter = found.matter
    state, tone = _state(found)
    return PairRow(
        id=matter.id,
        asked=utc_text(matter.at),
        by=matter.by.id,
        own=found.own,
        use=USES[matter.use][0],
        words=found.words,
        state=state,
        tone=tone,
        answered=utc_text(matter.answered_at) if matter.answered_at else "",
        answered_by=matter.answered_by.id if matter.answered_by else "",
        until=utc_text(matter.until) if matter.until else "",
        waits=found.waits,
        may_end=found.may_end,
        ended_by=matter.ended_by.id if matter.ended_by else "",
    )


_TONES: Final = {"WAITS": "alert", "AGREED": "good", "REFUSED": "bad"}


def _state(found: Paired) -> tuple[str, str]:
    """What became of it, and how that is coloured."""
    return found.state.lower(), _TONES.get(found.state, "calm")
