"""`/console/audit/export` and `/console/audit/report`: what an auditor takes along, or prints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.actions.inquiring import told_entry
from gateway.audit.bundle import Bundle
from gateway.audit.found import Entry, Leaf, Row
from gateway.audit.inquiry import MOST, Auditor
from gateway.audit.merkle import ProofInvalid
from gateway.audit.sought import Sought
from gateway.audit.uses import USES
from gateway.errors import Internal, LimitExceeded, MalformedRequest, Refused
from gateway.web.access import signed_in, visit_of
from gateway.web.console.asking import (
    Asked,
    Said,
    asked_in,
    said_in,
    sealed,
    sought_of,
)
from gateway.web.console.entry import download
from gateway.web.console.frame import USE, Choices, Console
from gateway.web.console.rows import KINDS, Line, line
from gateway.web.console.searching import OUTCOMES, TAGS
from gateway.web.look import elsewhere, told
from gateway.web.times import when

HERE: Final = "/console/audit/export"
REPORT: Final = "/console/audit/report"
MOST_EXPORTED: Final = 1_000
MOST_PRINTED: Final = 200
_NAME: Final = "portcullis-export"
_ZIP: Final = "application/zip"
_DAMAGED: Final = (
    "One of these entries is not what the log's tree holds, so no proof of it can be made. Have "
    "the whole log verified; single entries show which it is."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPage:
    """The form by which searches are exported or printed."""

    said: Said = told("What was filled in.")
    choices: Choices = told("What forms offer.")
    kinds: dict[str, str] = told("The kinds of entries.")
    outcomes: tuple[str, ...] = told("How a search may end.")
    tags: tuple[str, ...] = told("What a search may have shown.")
    external: bool = told("Whether only leaves are for whoever looks.")
    problem: str = told("Why nothing was exported.")
    part: bool = told("Whether more was found than a bundle holds.", False)
    most: int = told("How many searches an export holds at most.", MOST_EXPORTED)
    printed: int = told("How many a report holds at most.", MOST_PRINTED)
    here: str = told("The address of this page.", HERE)


@dataclass(frozen=True, slots=True)
class ReportLine:
    """A search of a report, and the hashes of its entries."""

    line: Line
    leaves: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportPage:
    """Searches on paper."""

    name: str = told("Who made it.")
    agency: str = told("Of which agency.")
    use: str = told("For what.")
    at: str = told("When.")
    sought: tuple[tuple[str, str], ...] = told("What was looked for.")
    rows: tuple[ReportLine, ...] = told("The latest first.")
    more: bool = told("Whether there are more than stand here.")
    origin: str = told("The log.")
    verifier: str = told("Its public key.")
    size: int = told("How many entries the newest checkpoint here covers.")
    root: str = told("The root that it signs.")


def export_routes(console: Console) -> list[Route]:
    async def form(http: HttpRequest) -> Response:
        if console.auditor(http) is None:
            return elsewhere(USE)
        asked = asked_in(http, console.keys)
        return shown(http, asked.said, asked.problem, 400 if asked.problem else 200)

    def shown(
        http: HttpRequest, said: Said, problem: str, status: int, *, part: bool = False
    ) -> Response:
        page = ExportPage(
            said=said,
            choices=console.choices(),
            kinds=dict(KINDS),
            outcomes=OUTCOMES,
            tags=TAGS,
            external="external_auditor" in signed_in(http).subject.roles,
            problem=problem,
            part=part,
        )
        return console.page(http, "audit_export.html", page, HERE, status=status)

    async def export(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        form = visit_of(http).form
        said = said_in(form, signed_in(http).zone)
        try:
            sought = said.sought()
            if form.get("as", ()) == ["report"]:
                return elsewhere(Asked(said=said, q=sealed(http, console.keys, said)).link(REPORT))
            made = await collected(auditor, sought)
            if made.complete:
                return download(await packed(auditor, made), f"{_NAME}.zip", _ZIP)
            if form.get("as", ()) == ["part"]:
                return download(await packed(auditor, made), f"{_NAME}-part.zip", _ZIP)
            return shown(http, said, "", 200, part=True)
        except (LimitExceeded, MalformedRequest, Refused) as error:
            return shown(http, said, *await console.not_given(auditor, error))
        except ProofInvalid as error:
            await console.not_given(auditor, Internal(detail=str(error)))
            return shown(http, said, _DAMAGED, 500)

    async def collected(auditor: Auditor, sought: Sought) -> Bundle:
        made = Bundle(use=auditor.use, sought=sought.told())
        before: int | None = None
        while made.searches < MOST_EXPORTED:
            given = await console.inquiry.export(auditor, sought, first=MOST, before=before)
            for one in given.value.entries:
                made.add(told_entry(one))
            made.looked(given.value.upto, before := given.value.next)
            if before is None:
                break
        return made

    async def packed(auditor: Auditor, made: Bundle) -> bytes:
        manifest, digest = made.manifest()
        recorded: Leaf = (await console.inquiry.exported(auditor, digest)).value
        if recorded.proof is None:
            raise Internal(detail="an entry without its proof")
        return made.packed(manifest, recorded.proof.text)

    async def report(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        asked = asked_in(http, console.keys)
        sought, problem = sought_of(asked)
        if sought is None:
            return shown(http, asked.said, problem, 400) if problem else elsewhere(HERE)
        try:
            given = await console.inquiry.export(auditor, sought, first=MOST_PRINTED)
        except (LimitExceeded, MalformedRequest, Refused) as error:
            return shown(http, asked.said, *await console.not_given(auditor, error))
        except ProofInvalid as error:
            await console.not_given(auditor, Internal(detail=str(error)))
            return shown(http, asked.said, _DAMAGED, 500)
        session, zone = signed_in(http), asked.said.zone
        proofs = [leaf.proof for one in given.value.entries for leaf in one.leaves if leaf.proof]
        newest = max(proofs, key=lambda one: one.size, default=None)
        page = ReportPage(
            name=session.name or session.subject.id,
            agency=session.subject.agency,
            use=USES[auditor.use][0],
            at=when(console.clock(), zone).text,
            sought=asked.said.to_read(),
            rows=tuple(_reported(one, asked) for one in given.value.entries),
            more=given.value.next is not None,
            origin=console.inquiry.log.signed.note.decode().partition("\n")[0],
            verifier=console.inquiry.log.verifier.strip(),
            size=newest.size if newest else 0,
            root=newest.root if newest else "",
        )
        return console.page(http, "audit_report.html", page, HERE)

    return [
        Route(HERE, form, methods=["GET"]),
        Route(HERE, export, methods=["POST"]),
        Route(REPORT, report, methods=["GET"]),
    ]


def _reported(entry: Entry, asked: Asked) -> ReportLine:
    listed = line(Row(found=entry.found, asked=entry.asked), asked.said.zone)
    return ReportLine(listed, tuple((one.index, one.hash) for one in entry.leaves))
