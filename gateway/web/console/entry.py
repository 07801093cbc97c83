"""`/console/audit/entry/N` and `/searches/N`: one query, what the log has of it, and its proofs.

The page holds what a browser needs to verify each entry by itself: the leaf, its path in the tree,
and the signed checkpoint. An entry that is not what the tree holds is shown as damaged.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from zoneinfo import ZoneInfo

from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from gateway.audit.entry import InvalidEntry, Kind, read_leaf
from gateway.audit.found import Asked, Entry, Leaf, Row
from gateway.audit.inquiry import Auditor
from gateway.audit.rulings import Ruled
from gateway.audit.uses import Viewer
from gateway.errors import MalformedRequest
from gateway.web.console.asking import asked_in
from gateway.web.console.frame import USE, Console
from gateway.web.console.rows import KINDS, Line, ReceiptLine, line, pretty, receipt_line
from gateway.web.console.searching import MINE, SEARCH
from gateway.web.look import Runs, elsewhere, told

HERE: Final = "/console/audit/entry"
_INTENT: Final = "Intent: before any source was asked"
_OUTCOME: Final = "Outcome: before the answer left"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """How a source fared: counts alone."""

    source: str
    state: str
    shown: int | None
    masked: int | None
    withheld: int | None
    hits: int | None
    to_read: tuple[tuple[str, tuple[str, ...]], ...]  # entity, fields that were to be read


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofLine:
    """One entry of the log, with what proves it."""

    index: int
    kind: str
    hash: str
    leaf: str  # to read; "" to whom leaves are not shown
    data: str  # the same bytes, base64
    damaged: bool
    size: int
    root: str
    hashes: tuple[str, ...]
    checkpoint: str
    download: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryPage:
    """One query."""

    line: Line = told("As a list shows it.")
    request: str = told("The query's own number, as its answer's receipt has it.")
    own: bool = told("Whether somebody looks at a search of their own.")
    app: str = told("Through which app.")
    issuer: str = told("Who vouched for the officer.")
    on_behalf_of: str = told("For whom they asked, where not for themselves.")
    break_glass: str = told("Why the glass was broken.")
    tag: str = told("What data-protection law calls it.")
    serial: int | None = told("Which release of the policy decided.", None)
    rule: str = told("The rule that refused it.")
    act: str = told("What was done, where it was more than asking.")
    cause: str = told("Why it failed.")
    text: str = told("The question as the gateway understood it.")
    variables: str = told("The values it was asked with.")
    looked: str = told("What was looked for in the record.")
    terms: tuple[str, ...] = told("The kinds of what was searched for.")
    rulings: tuple[Ruled, ...] = told("What policy decided of each thing asked for, by which rule.")
    decided: bool | None = told("Whether the sealed decision is what the leaf has the digest of.")
    sources: tuple[SourceLine, ...] = told("How each source fared. Counts, never values.")
    shown: ReceiptLine | None = told("What of your own agency's records was shown.", None)
    proofs: tuple[ProofLine, ...] = told("The log's own entries.")
    suspect: bool = told("Whether the clock was in doubt that gave its times.")
    damaged: bool = told("Whether an entry is not what the log's tree holds.")
    verifier: str = told("The log's public key: compare it with the one that you were handed.")
    back: str = told("Where the list is.")
    external: bool = told("Whether its agency can be asked about it.", False)


def entry_routes(console: Console) -> list[Route]:
    async def audited(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        return await shown(http, auditor, SEARCH)

    async def own(http: HttpRequest) -> Response:
        return await shown(http, console.own(http), MINE)

    async def shown(http: HttpRequest, auditor: Auditor, back: str) -> Response:
        found = await _found(console, http, auditor)
        asked = asked_in(http, console.keys)
        back = asked.link(back)
        if found is None:
            page = NoEntry(back=back)
            return console.page(http, "audit_no_entry.html", page, back, status=404)
        page_ = entry_page(
            found,
            zone=asked.said.zone,
            verifier=console.inquiry.log.verifier.strip(),
            back=back,
            own=back.startswith(MINE),
        )
        if console.inquiry.viewer(auditor.subject) is Viewer.EXTERNAL and not page_.own:
            page_ = replace(page_, external=True)
        return console.page(http, "audit_entry.html", page_, SEARCH, runs=Runs.ALONE)

    async def proof(http: HttpRequest) -> Response:
        if (auditor := console.auditor(http)) is None:
            return elsewhere(USE)
        found = await _found(console, http, auditor)
        index = _index(http)
        leaves = found.leaves if found else ()
        sound = (one for one in leaves if one.index == index and not one.damaged)
        texts = (one.proof.text for one in sound if one.proof)
        if (text := next(texts, None)) is None:
            page = NoEntry(back=SEARCH)
            return console.page(http, "audit_no_entry.html", page, SEARCH, status=404)
        return download(text.encode(), f"{index}.tlog-proof", "text/plain; charset=utf-8")

    return [
        Route(f"{HERE}/{{index}}", audited, methods=["GET"]),
        Route(f"{HERE}/{{index}}/proof", proof, methods=["GET"]),
        Route(f"{MINE}/{{index}}", own, methods=["GET"]),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoEntry:
    """In the place of an entry that there is not, for whoever asks."""

    back: str = told("Where the list is.")


def download(content: bytes, name: str, media_type: str) -> Response:
    """A file to keep; `name` is our own."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(content, headers=headers, media_type=media_type)


async def _found(console: Console, http: HttpRequest, auditor: Auditor) -> Entry | None:
    given = await console.inquiry.entry(auditor, _index(http), doubted=True)
    return given.value


def _index(http: HttpRequest) -> int:
    text = str(http.path_params["index"])
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise MalformedRequest("An entry has a number.")
    return int(text)


def entry_page(entry: Entry, *, zone: ZoneInfo, verifier: str, back: str, own: bool) -> EntryPage:
    """What the page says of a query: of what was shown names of fields, and never a value."""
    found, asked = entry.found, entry.asked or Asked()
    leaves = [_read(one) for one in entry.leaves]
    last = entry.leaves[-1]
    outcome = {} if last.damaged else leaves[-1]
    return EntryPage(
        line=line(Row(found=entry.found, asked=entry.asked), zone, own=own),
        request=found.request,
        own=own,
        app=asked.app or found.app,
        issuer=asked.issuer,
        on_behalf_of=asked.on_behalf_of,
        break_glass=asked.break_glass,
        tag=found.tag,
        serial=found.serial,
        rule=found.rule,
        act=found.act,
        cause=asked.cause,
        text=asked.text,
        variables=pretty(asked.variables),
        looked=pretty(asked.looked),
        terms=asked.terms,
        rulings=asked.rulings,
        decided=entry.decided,
        sources=_sources(outcome, found.sources, asked.visits),
        shown=receipt_line(entry.own, zone) if entry.own else None,
        proofs=tuple(
            _proof(one, leaf, _kind(one.index, entry), own=own)
            for one, leaf in zip(entry.leaves, leaves, strict=True)
        ),
        suspect=found.suspect,
        damaged=any(one.damaged for one in entry.leaves),
        verifier=verifier,
        back=back,
    )


def _sources(
    outcome: Mapping[str, Any], states: Mapping[str, str], visits: Mapping[str, Any]
) -> tuple[SourceLine, ...]:
    """By the outcome's leaf where that may be read; else how each source fared, and no count."""
    told_ = outcome.get("sources") or {}
    names = sorted({*states, *visits, *told_})
    return tuple(_source(name, told_.get(name), states, visits.get(name)) for name in names)


def _source(name: str, told_: Any, states: Mapping[str, str], visits: Any) -> SourceLine:
    counts = list(told_[1:5]) if isinstance(told_, list) else []
    counts += [None] * (4 - len(counts))
    fields = visits if isinstance(visits, Mapping) else {}
    return SourceLine(
        source=name,
        state=states.get(name, "NOT_ASKED"),
        shown=counts[0],
        masked=counts[1],
        withheld=counts[2],
        hits=counts[3],
        to_read=tuple(
            (str(entity), tuple(sorted(map(str, of)))) for entity, of in sorted(fields.items())
        ),
    )


def _kind(index: int, entry: Entry) -> str:
    """What an entry is to its query, whatever it says itself."""
    found = entry.found
    if found.idx == found.last and found.kind != Kind.INTENT:
        return KINDS.get(found.kind, "Entry")
    return _INTENT if index == found.idx else _OUTCOME


def _proof(one: Leaf, leaf: Mapping[str, Any], kind: str, *, own: bool) -> ProofLine:
    proof = one.proof
    return ProofLine(
        index=one.index,
        kind=kind,
        hash=one.hash,
        leaf=pretty(leaf),
        data=b64encode(one.data).decode() if one.data is not None else "",
        damaged=one.damaged,
        size=proof.size if proof else 0,
        root=proof.root if proof else "",
        hashes=proof.hashes if proof else (),
        checkpoint=proof.checkpoint if proof else "",
        download="" if own or proof is None or one.damaged else f"{HERE}/{one.index}/proof",
    )


def _read(leaf: Leaf) -> Mapping[str, Any]:
    if leaf.data is None:
        return {}
    try:
        return read_leaf(leaf.data)
    except InvalidEntry:
        return {}
