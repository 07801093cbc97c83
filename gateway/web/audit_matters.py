"""`/console/audit/matters`: what the external auditor asks agencies, and what they answer.

A question to explain one entry, or to have its body unsealed. Both sides see it here, whether it
waits, and what was written; each step is an entry of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.asking import MOST_CHARS, UNSEALED_FOR, Told
from gateway.audit.found import Asked
from gateway.audit.uses import USES, Viewer
from gateway.casework.model import Answer, AuditMatter, Matters
from gateway.catalogue.forms import utc_text
from gateway.errors import MalformedRequest
from gateway.web.access import visit_of
from gateway.web.audit_work import USE_PAGE, Work, auditor_of, number_of, one
from gateway.web.look import Look, elsewhere, told

_PAGE: Final = "/console/audit/matters"
_KINDS: Final[Mapping[Matters, str]] = {
    Matters.QUESTION: "Explain this entry",
    Matters.UNSEALING: "Unseal this entry’s body",
}
_STATES: Final[Mapping[Answer | None, str]] = {
    None: "waits",
    Answer.ANSWERED: "answered",
    Answer.AGREED: "agreed",
    Answer.REFUSED: "refused",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterRow:
    """One matter of the list."""

    id: str = told("Its name.")
    kind: str = told("What is asked for.")
    asked: str = told("When.")
    by: str = told("By which agency.")
    agency: str = told("Of which agency.")
    entry: int = told("About which entry.")
    use: str = told("For which permitted use.")
    state: str = told("What became of it.")
    answered: str = told("When.", "")
    until: str = told("Until when an unsealed body can be looked at.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MattersPage:
    """`/console/audit/matters`: what was asked, and what waits."""

    use: str = told("For what you look.")
    rows: tuple[MatterRow, ...] = told("What waits first, then the latest.")
    asks: bool = told("Whether you may ask.")
    entry: str = told("About which entry, if you come from one.", "")
    most: int = told("How many characters at most.", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterPage:
    """`/console/audit/matters/ID`: one matter."""

    row: MatterRow = told("What it is.")
    question: str = told("What was asked.")
    answer: str = told("What was answered.")
    by: str = told("As whom.")
    withheld: bool = told("Whether the answer is not for you.")
    may_answer: bool = told("Whether it waits for you.")
    open: bool = told("Whether you may look at the body now.")
    unsealing: bool = told("Whether it is about a body.")
    minutes: int = told("For how long a body can be looked at.")
    most: int = told("How many characters at most.")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsealedPage:
    """`/console/audit/matters/ID/body`: what lies sealed of one entry for its agency."""

    row: MatterRow = told("What it is of.")
    asked: Asked = told("Who asked, in what words, why; never what was found.")


def matter_routes(work: Work, look: Look) -> list[Route]:
    async def listed(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        found = await work.asking.listed(auditor)
        entry = http.query_params.get("entry", "")
        page = MattersPage(
            use=USES[auditor.use][0],
            rows=tuple(map(_row, found)),
            asks=work.inquiry.viewer(auditor.subject) is Viewer.EXTERNAL,
            entry=str(number_of(entry, "entry")) if entry else "",
            most=MOST_CHARS,
        )
        return look.page("audit_matters.html", page, visit_of(http))

    async def asked(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        form = visit_of(http).form
        if (kind := one(form, "kind")) not in list(Matters):
            raise MalformedRequest("Choose what you ask for.")
        entry = number_of(one(form, "entry"), "entry")
        made = await work.asking.ask(auditor, Matters(kind), entry, one(form, "words"))
        if made is None:
            raise MalformedRequest("No agency but your own has an entry of that number.")
        return elsewhere(f"{_PAGE}/{made.id}")

    async def shown(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        found = await work.asking.shown(auditor, http.path_params["id"])
        if found is None:
            return look.missing(visit_of(http))
        return look.page("audit_matter.html", _page(found), visit_of(http))

    async def answered(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        form = visit_of(http).form
        if (answer := one(form, "answer")) not in list(Answer):
            raise MalformedRequest("Answer, agree or refuse.")
        id_ = http.path_params["id"]
        made = await work.asking.answer(auditor, id_, Answer(answer), one(form, "words"))
        return elsewhere(f"{_PAGE}/{id_}") if made else look.missing(visit_of(http))

    async def body(http: HttpRequest) -> Response:
        if (auditor := auditor_of(http, work)) is None:
            return elsewhere(USE_PAGE)
        id_ = http.path_params["id"]
        found = await work.asking.unsealed(auditor, id_)
        matter = await work.store.matter(id_) if found is not None else None
        if found is None or matter is None:
            return look.missing(visit_of(http))
        page = UnsealedPage(row=_row(matter), asked=found)
        return look.page("audit_unsealed.html", page, visit_of(http))

    return [
        Route(_PAGE, listed, methods=["GET"]),
        Route(_PAGE, asked, methods=["POST"]),
        Route(f"{_PAGE}/{{id}}", shown, methods=["GET"]),
        Route(f"{_PAGE}/{{id}}", answered, methods=["POST"]),
        Route(f"{_PAGE}/{{id}}/body", body, methods=["GET"]),
    ]


def _row(matter: AuditMatter) -> MatterRow:
    return MatterRow(
        id=matter.id,
        kind=_KINDS[matter.kind],
        asked=utc_text(matter.at),
        by=matter.by.agency,
        agency=matter.agency,
        entry=matter.entry,
        use=USES[matter.use][0],
        state=_STATES[matter.answer],
        answered=utc_text(matter.answered_at) if matter.answered_at else "",
        until=utc_text(matter.until) if matter.until else "",
    )


def _page(found: Told) -> MatterPage:
    matter = found.matter
    return MatterPage(
        row=_row(matter),
        question=found.question,
        answer=found.answer,
        by=(matter.answered_as or "").replace("_", " "),
        withheld=found.withheld,
        may_answer=found.may_answer,
        open=found.open,
        unsealing=matter.kind is Matters.UNSEALING,
        minutes=int(UNSEALED_FOR.total_seconds()) // 60,
        most=MOST_CHARS,
    )
