"""The life of one operation at /audit: somebody reads the record, as far as it is theirs to read.

    receive -> authenticate -> parse -> look, within scope -> record the look -> send

Each operation is one field. No policy is asked: who sees what of the record is `audit.inquiry`'s.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from gateway.actions.disclosing import Brought, disclosed
from gateway.actions.overseen import LOOKS, Overseen, told_asked, told_health
from gateway.actions.overseen import Look as LookOver
from gateway.actions.pairing import Pairing
from gateway.audit.found import Entry, Leaf, Page, Receipt, Receipts, Row
from gateway.audit.inquiry import Auditor, Given, Inquiry
from gateway.audit.recorder import AuditedResponse
from gateway.audit.sought import RecordSought, Sought
from gateway.audit.uses import OWN
from gateway.casework.model import AuditMatter
from gateway.errors import (
    CLIENT_GONE,
    GatewayError,
    Internal,
    InvalidOperation,
    MalformedRequest,
)
from gateway.model import Request, Response, Selection
from gateway.pipeline import Gate, check_registered, failed
from gateway.query.operation import Parser, parse_request
from gateway.unforeseen import unforeseen

_log = logging.getLogger(__name__)
Told: TypeAlias = Mapping[str, Any] | Sequence[Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything that reading the record needs."""

    gate: Gate
    inquiry: Inquiry
    pairing: Pairing
    overseen: Overseen
    parser: Parser


async def inquire(reading: Reading, request: Request) -> AuditedResponse:
    """Take one look through its life.

    Raises:
        AuditUnavailable: it could not be recorded, so nothing is given.
    """
    gate = reading.gate
    record = gate.audit.begin(request)
    record.data = False
    try:
        subject = await gate.identity.authenticate(request.authorization)
        record.known(subject=subject)
        operation = parse_request(request, reading.parser, subject.app)
        check_registered(operation, subject, reading.parser)
        if operation.introspection is not None:
            schema = {"data": operation.introspection}
            viewed = await gate.audit.view(request, subject, page="schema", use=OWN)
            return viewed.answered(schema)
        try:
            (selection,) = operation.roots
            look = _LOOKS[selection.name]
        except (ValueError, KeyError):
            raise InvalidOperation("Send one look in each operation.") from None
        use = selection.args.get("use") or OWN
        auditor = Auditor(request=request, subject=subject, use=use)
        given = await look(reading, auditor, selection.args)
        data = {selection.key: _selected(selection, given.value)}
        return given.viewed.answered({"data": data})
    except GatewayError as error:
        response = failed(error, request)
    except asyncio.CancelledError:
        await record.gone(Response(status=499, body={}, code=CLIENT_GONE))
        raise
    except Exception as error:
        _log.error("look %s failed: %s", request.id, unforeseen(error))
        response = failed(Internal(detail=type(error).__name__), request)
    return await record.outcome(response)


def _selected(selection: Selection, found: Told) -> Any:
    """The selected fields of what was found, and of what they hold."""
    if found is None or not selection.selections:
        return found
    if isinstance(found, Mapping):
        return {one.key: _selected(one, found[one.name]) for one in selection.selections}
    return [_selected(selection, one) for one in found]


# --- the looks ------------------------------------------------------------------------------------

Look: TypeAlias = Callable[[Reading, Auditor, Mapping[str, Any]], Awaitable[Given[Told]]]


async def _health(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.inquiry.health(auditor)
    return Given(told_health(given.value), given.viewed)


async def _search(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.inquiry.search(auditor, _sought(args), **_place(args))
    return Given(_page(given.value), given.viewed)


async def _mine(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.inquiry.mine(auditor, _sought(args), **_place(args))
    return Given(_page(given.value, own=True), given.viewed)


async def _entry(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.inquiry.entry(auditor, args["index"], proofs=True)
    own = auditor.use == OWN
    return Given(told_entry(given.value, own=own) if given.value else None, given.viewed)


async def _receipts(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.inquiry.receipts(auditor, _sought(args), **_place(args))
    page: Receipts = given.value
    told = {
        "__typename": "ReceiptPage",
        "rows": [_receipt(one) for one in page.rows],
        "next": page.next,
        "upto": page.upto,
    }
    return Given(told, given.viewed)


async def _disclosed(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    claims = {one["place"]: one["value"] for one in args.get("claims") or ()}
    given = await disclosed(
        reading.inquiry,
        auditor,
        args["index"],
        Brought(receipt=args["receipt"], claims=claims),
        opens=bool(args.get("opens")),
        tells=bool(args.get("tells")),
    )
    if (found := given.value) is None:
        return Given(None, given.viewed)
    told = {
        **asdict(found),
        "__typename": "Disclosure",
        "places": [{"__typename": "DisclosedPlace", **asdict(one)} for one in found.places],
        "told": [_told(*one) for one in found.told],
    }
    return Given(told, given.viewed)


async def _export(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.inquiry.export(auditor, _sought(args), **_place(args))
    told = {
        "__typename": "EntryPage",
        "entries": [told_entry(one) for one in given.value.entries],
        "next": given.value.next,
        "upto": given.value.upto,
    }
    return Given(told, given.viewed)


async def _exported(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.inquiry.exported(auditor, args["manifest"])
    return Given(_leaf(given.value), given.viewed)


async def _pairs(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.pairing.listed(auditor)
    return Given([_pair(one.matter, one.state, one.may_end) for one in given.value], given.viewed)


async def _end_pair(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
    given = await reading.pairing.end(auditor, args["id"])
    if given is None:
        text = "There is no such agreement that holds and is yours to end."
        raise MalformedRequest(text, detail="no such pair")
    return Given(_pair(given.value, "ENDED", may_end=False), given.viewed)


def _over(look: LookOver) -> Look:
    async def looked(reading: Reading, auditor: Auditor, args: Mapping[str, Any]) -> Given[Told]:
        return await look(reading.overseen, auditor, args)

    return looked


_LOOKS: Final[Mapping[str, Look]] = {
    **{name: _over(look) for name, look in LOOKS.items()},
    "health": _health,
    "search": _search,
    "mine": _mine,
    "entry": _entry,
    "receipts": _receipts,
    "disclosed": _disclosed,
    "export": _export,
    "exported": _exported,
    "pairs": _pairs,
    "end_pair": _end_pair,
}


# --- what comes in, and what goes out -------------------------------------------------------------


def _sought(args: Mapping[str, Any]) -> Sought:
    said = {name: value for name, value in (args.get("sought") or {}).items() if value is not None}
    if "record" in said:
        said["record"] = RecordSought(**said["record"])
    for name in ("since", "until"):
        if name in said:
            said[name] = _moment(name, said[name])
    return Sought(**said)


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidOperation(f"{name}: a time with its zone is like 2026-11-01T06:00:00Z.")
    return moment


def _place(args: Mapping[str, Any]) -> dict[str, Any]:
    return {"first": args.get("first") or 0, "before": args.get("before")}


def _page(page: Page, *, own: bool = False) -> dict[str, Any]:
    rows = [_row(row, own=own) for row in page.rows]
    return {"__typename": "SearchPage", "rows": rows, "next": page.next, "upto": page.upto}


def _row(row: Row, *, own: bool) -> dict[str, Any]:
    """A search; to whoever asked (`own`) without counts of what they were not shown, since these
    count what was silent."""
    found = row.found
    return {
        **{
            name: None if own else getattr(found, name)
            for name in ("masked", "withheld", "missing")
        },
        "__typename": "Search",
        "index": found.idx,
        "last": found.last,
        "at": found.at.isoformat(),
        "query_id": found.request,
        "sources": [
            {"__typename": "SourceTold", "source": source, "state": state}
            for source, state in found.sources.items()
        ],
        "asked": told_asked(row.asked) if row.asked else None,
        "answered": found.answered,
        **{name: getattr(found, name) for name in (
            "kind", "tag", "agency", "app", "purpose", "reason", "glass", "serial", "status",
            "code", "rule", "records", "suspect",
        )},
    }  # fmt: skip


def told_entry(entry: Entry, *, own: bool = False) -> dict[str, Any]:
    """A query as the schema's `Entry`."""
    return {
        "__typename": "Entry",
        "search": _row(Row(found=entry.found, asked=entry.asked), own=own),
        "leaves": [_leaf(one) for one in entry.leaves],
        "decided": entry.decided,
    }


def _leaf(leaf: Leaf) -> dict[str, Any]:
    return {
        "__typename": "Leaf",
        "index": leaf.index,
        "hash": leaf.hash,
        "leaf": leaf.data.decode() if leaf.data is not None else None,
        "proof": {"__typename": "Proof", **asdict(leaf.proof)} if leaf.proof else None,
    }


def _pair(matter: AuditMatter, state: str, may_end: bool) -> dict[str, Any]:
    return {
        "__typename": "Pair",
        "id": matter.id,
        "at": matter.at.isoformat(),
        "by": matter.by.id,
        "use": matter.use,
        "state": state,
        "until": matter.until.isoformat() if matter.until else None,
        "answered_by": matter.answered_by.id if matter.answered_by else None,
        "ended_by": matter.ended_by.id if matter.ended_by else None,
        "may_end": may_end,
    }


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        **asdict(receipt),
        "__typename": "Receipt",
        "at": receipt.at.isoformat(),
        "shown": [{"__typename": "Shown", **asdict(one)} for one in receipt.shown],
        "told": [_told(*one) for one in receipt.told],
    }


def _told(place: str, outcome: str, mask: str, rule: str) -> dict[str, str]:
    return {"__typename": "Told", "place": place, "outcome": outcome, "mask": mask, "rule": rule}
