"""`/console/audit/matters`: what the external auditor asks agencies, and what they answer.

A question to explain one entry, or to have its body unsealed. Both sides see it here, whether it
waits, and what was written; each step is an entry of the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.asking import MOST_CHARS, UNSEALED_FOR, Told
from gateway.audit.found import Asked
from gateway.audit.inquiry import Auditor
from gateway.audit.uses import USES, Viewer
from gateway.casework.model import Answer, AuditMatter, Matters
from gateway.catalogue.forms import utc_text
from gateway.errors import LimitExceeded, MalformedRequest
from gateway.web.access import visit_of
from gateway.web.console.filled import number_of, value_of
from gateway.web.console.frame import USE, Console
from gateway.web.console.rows import pretty
from gateway.web.look import elsewhere, told

HERE: Final = "/console/audit/matters"
_KINDS: Final[Mapping[Matters, str]] = {
    Matters.QUESTION: "A question",
    Matters.UNSEALING: "Unsealing",
}
_MINUTES: Final = int(UNSEALED_FOR.total_seconds()) // 60
_STATES: Final[Mapping[Answer | None, tuple[str, str]]] = {
    None: ("waits", "alert"),
    Answer.ANSWERED: ("answered", "good"),
    Answer.AGREED: ("agreed", "good"),
    Answer.REFUSED: ("refused", "bad"),
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
    tone: str = told("How that is coloured.")
    answered: str = told("When.", "")
    until: str = told("Until when an unsealed body can be looked at.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MattersPage:
    """`/console/audit/matters`: what was asked, and what waits."""

    agency: str = told("Of whoever looks.")
    rows: tuple[MatterRow, ...] = told("What waits first, then the latest.")
    asks: bool = told("Whether you may ask.")
    use: str = told("For what you ask.")
    minutes: int = told("For how long a body can be looked at.")
    most: int = told("How many characters at most.")
    kind: str = told("What was chosen.", "")
    entry: str = told("About which entry.", "")
    words: str = told("What was written.", "")
    problem: str = told("Why it was not asked.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class MatterPage:
    """`/console/audit/matters/ID`: one matter."""

    row: MatterRow = told("What it is.")
    question: str = told("What was asked.")
    answer: str = told("What was answered.")
    by: str = told("As whom.")
    withheld: bool = told("Whether the answer is not for you.")
    may_answer: bool = told("Whether it waits for you.")
    own: bool = told("Whether your agency asked.")
    open: bool = told("Whether you may look at the body now.")
    unsealing: bool = told("Whether it is about a body.")
    minutes: int = told("For how long a body can be looked at.")
    most: int = told("How many characters at most.")
    words: str = told("What was written.", "")
    problem: str = told("Why it was not answered.", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsealedPage:
    """`/console/audit/matters/ID/body`: what lies sealed of one entry for its agency."""

    row: MatterRow = told("What it is of.")
    asked: Asked = told("Who asked, in what words, why; never what was found.")
    variables: str = told("The values it was asked with.")
    looked: str = told("What was looked for in the record.")


def matter_routes(console: Console) -> list[Route]:
    asking = console.asking

    async def page(http: HttpRequest, auditor: Auditor, entry: str) -> MattersPage:
        found = (await asking.listed(auditor)).value
        return MattersPage(
            agency=auditor.subject.agency,
            rows=tuple(map(_row, found)),
            asks=console.inquiry.viewer(auditor.subject) is Viewer.EXTERNAL,
            use=USES[auditor.use][0],
            minutes=_MINUTES,
            most=MOST_CHARS,
            entry=entry,
        )

    async def listed(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        entry = http.query_params.get("entry", "")
        made = await page(http, auditor, entry if entry.isascii() and entry.isdecimal() else "")
        return console.page(http, "audit_matters.html", made, HERE)

    async def asked(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        form = visit_of(http).form
        kind, entry, words = (value_of(form, name) for name in ("kind", "entry", "words"))
        try:
            if kind not in _KINDS:
                raise MalformedRequest("Choose what you ask for.")
            number = number_of(entry, "Number of the entry")
            made = await asking.ask(auditor, Matters(kind), number, words)
            if made is None:
                raise MalformedRequest("No other agency has an entry of that number.")
        except (LimitExceeded, MalformedRequest) as error:
            again = replace(
                await page(http, auditor, entry), kind=kind, words=words, problem=error.said
            )
            return console.page(http, "audit_matters.html", again, HERE, status=error.status)
        return elsewhere(f"{HERE}/{made.id}")

    async def shown(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        return await told_of(http, auditor)

    async def told_of(
        http: HttpRequest, auditor: Auditor, problem: str = "", status: int = 200
    ) -> Response:
        found = (await asking.shown(auditor, http.path_params["id"])).value
        if found is None:
            return console.look.missing(visit_of(http))
        own = found.matter.by.agency == auditor.subject.agency
        words = value_of(visit_of(http).form, "words") if problem else ""
        made = replace(_page(found), own=own, words=words, problem=problem)
        return console.page(http, "audit_matter.html", made, HERE, status=status)

    async def answered(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        form, id_ = visit_of(http).form, http.path_params["id"]
        try:
            if (answer := value_of(form, "answer")) not in list(Answer):
                raise MalformedRequest("Answer, agree or refuse.")
            made = await asking.answer(auditor, id_, Answer(answer), value_of(form, "words"))
        except (LimitExceeded, MalformedRequest) as error:
            return await told_of(http, auditor, error.said, error.status)
        return elsewhere(f"{HERE}/{id_}") if made else console.look.missing(visit_of(http))

    async def body(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        found = await asking.unsealed(auditor, http.path_params["id"])
        if found is None:
            return console.look.missing(visit_of(http))
        matter, asked = found
        made = UnsealedPage(
            row=_row(matter), asked=asked, variables=pretty(asked.variables),
            looked=pretty(asked.looked),
        )  # fmt: skip
        return console.page(http, "audit_unsealed.html", made, HERE)

    return [
        Route(HERE, listed, methods=["GET"]),
        Route(HERE, asked, methods=["POST"]),
        Route(f"{HERE}/{{id}}", shown, methods=["GET"]),
        Route(f"{HERE}/{{id}}", answered, methods=["POST"]),
        Route(f"{HERE}/{{id}}/body", body, methods=["GET"]),
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
        state=_STATES[matter.answer][0],
        tone=_STATES[matter.answer][1],
        answered=utc_text(matter.answered_at) if matter.answered_at else "",
        until=utc_text(matter.until) if matter.until else "",
    )


def _page(found: Told) -> MatterPage:
    matter = found.matter
    return MatterPage(
        row=_row(matter),
        question=found.question,
        answer=found.answer,
        by=matter.answered_as or "",
        withheld=found.withheld,
        may_answer=found.may_answer,
        own=False,
        open=found.open,
        unsealing=matter.kind is Matters.UNSEALING,
        minutes=_MINUTES,
        most=MOST_CHARS,
    )
