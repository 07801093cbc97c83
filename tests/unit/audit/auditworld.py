"""A log of a few searches by several agencies' people, written as the gateway writes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from connectors.conditions import And
from gateway.audit.entry import read_leaf
from gateway.audit.evidence import Evidence
from gateway.audit.following import Follower
from gateway.audit.inquiry import Auditor, Inquiry
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.publishing import Unwitnessed
from gateway.audit.recorder import Decided, Recorder
from gateway.audit.sought import Tokens
from gateway.audit.terms import terms_of_text
from gateway.identifiers import uuid7
from gateway.model import (
    CLEAR,
    AuthorisedPlan,
    Decision,
    Justification,
    Note,
    Operation,
    Plan,
    Request,
    Response,
    Ruling,
    Show,
    Shown,
    SourceReport,
    State,
    Subject,
)
from gateway.pipeline import Gate, refuse
from gateway.query.refs import Refs
from gateway.web.access import Refuse

ORIGIN = "gate.example/audit"
REFS = Refs(b"r" * 32)
ISSUERS = {f"https://{name}.example": name.upper() for name in ("nmc", "scp", "eru", "oversight")}
ENTITLED = {
    "force_auditor": frozenset({"NMC", "SCP", "ERU"}),
    "professional_standards": frozenset({"NMC", "SCP"}),
    "external_auditor": frozenset({"OVERSIGHT"}),
    "desk": frozenset({"NMC", "SCP", "ERU"}),
    "sergeant": frozenset({"NMC", "SCP"}),
}


def somebody(name: str, agency: str = "NMC", *roles: str) -> Subject:
    return Subject(
        issuer=f"https://{agency.lower()}.example",
        id=name,
        agency=agency,
        roles=roles or ("response_officer",),
        clearance="OS",
        training=(),
        app=f"{agency.lower()}-app",
        token_id=f"token of {name}",
        attributes_as_at=datetime.now(UTC),
    )


ANN, BOB = somebody("ann"), somebody("bob")
CYD = somebody("cyd", "SCP")
AF, PS = somebody("af", "NMC", "force_auditor"), somebody("ps", "NMC", "professional_standards")
AF_SCP, AF_ERU = somebody("af", "SCP", "force_auditor"), somebody("af", "ERU", "force_auditor")
AU = somebody("au", "OVERSIGHT", "external_auditor")


@dataclass(slots=True, kw_only=True)
class World:
    """The log, what writes it, and what reads it."""

    log: AuditLog
    keys: AuditKeys
    recorder: Recorder
    follower: Follower
    inquiry: Inquiry
    asked: list[int] = field(default_factory=list)
    receipts: dict[int, dict[str, Any]] = field(default_factory=dict)  # by the intent's number

    async def ask(
        self,
        who: Subject,
        *typed: str,
        why: Justification | None = None,
        shows: Sequence[tuple[str, str, str, str]] = (),
        told: Mapping[str, str] | None = None,
        asks: Sequence[tuple[str, str]] = (),
        text: str = "query Stop { personSearch { total } }",
        closed: bool = True,
        decided: Decided | None = None,
    ) -> int:
        """One query that searches for this and shows records, each as (agency, source, entity,
        key); the number of its intent. `asks`: terms besides. It can be found once it is `seen`."""
        record = self.recorder.begin(request())
        why = why or Justification(purpose="OFFICER_SAFETY", reason_code="R01")
        variables = {"typed": list(typed)}
        operation = Operation(
            digest="d" * 64, text=text, name="Stop", variables=variables, roots=(),
            justification=why,
        )  # fmt: skip
        terms = [term for one in typed for term in terms_of_text(one) if "^" not in term[0]]
        agreed = AuthorisedPlan(plan=Plan(), serial=7)
        record.known(terms=(*terms, *asks))
        await record.intent(who, operation, decided, agreed)
        if not closed:
            self.asked.append(self.log.size - 1)
            return self.log.size - 1
        body: dict[str, Any] = {"data": {"personSearch": {"hits": []}}, "extensions": {}}
        if told:
            body["extensions"] = {"disclosure": [dict(told)]}
        shown = tuple(
            Shown(source, entity, key, ((None, "personSearch"), n), {"dob": "1991-04-17"},
                  {"dob": "date_of_birth"})
            for n, (_, source, entity, key) in enumerate(shows)
        )  # fmt: skip
        agencies = {source: agency for agency, source, *_ in shows} | {"scp": "SCP"}
        response = Response(
            status=200,
            body=body,
            reports=tuple(
                SourceReport(source=source, agency=agency, state=State.ANSWERED)
                for source, agency in agencies.items()
            ),
            disclosed=tuple((source, entity, key) for _, source, entity, key in shows),
            shown=shown,
        )
        audited = await record.outcome(response)
        last = int(audited.body["extensions"]["receipt"]["logEntry"])
        self.asked.append(last - 1)
        self.receipts[last - 1] = audited.body["extensions"]["receipt"]
        return last - 1

    async def seen(self) -> int:
        """How many entries there are, once all of them can be found."""
        size = self.log.size
        await self.log.keeper.in_tree(size - 1)
        await self.follower.follow()
        return size

    async def views(self) -> list[dict[str, Any]]:
        """What views there are in the log, in order, by their leaves."""
        leaves = [read_leaf(await self.log.leaf(n)) for n in range(self.log.size)]
        return [leaf for leaf in leaves if leaf["kind"] == "V"]


def decision() -> Decided:
    """Records in clear at one source, withheld at the other, where something is silent besides."""
    question: dict[str, Any] = {
        name: {"source": source, "entity": "Person", "parent": None, "limit": 5,
               "read": ["sex"], "uses": {}}
        for name, source in (("f0", "nmc"), ("f1", "scp"), ("f2", "ncb"))
    }  # fmt: skip
    clear = Ruling(show=Show.RECORDS, limit=5, rows=And(()), whole=CLEAR, read={"sex": CLEAR},
                   notes={"?": Note(rule="Person:ladder")})  # fmt: skip
    rulings = {
        "f0": clear,
        "f1": Ruling(notes={"": Note(rule="scp.hide")}),
        "f2": Ruling(show=Show.SILENT, notes={"": Note(rule="Person:quiet")}),
    }
    return Decided(
        plan=Plan(),
        question={"version": 1, "resources": question},
        decision=Decision(serial=7, rulings=rulings),
    )


def request() -> Request:
    now = datetime.now(UTC)
    return Request(
        id=uuid7(int(now.timestamp() * 1000), datetime.now(UTC).isoformat().encode()[-16:-6]),
        received_at=now,
        authorization=(),
        peer="192.0.2.1",
    )


def looks(who: Subject, use: str = "OVERSIGHT") -> Auditor:
    return Auditor(request=request(), subject=who, use=use)


async def agreed(_subject: Subject, _use: str) -> bool:
    return True


def refusing(recorder: Recorder) -> Refuse:
    """How pages record what they turn away."""
    unmeasured = SimpleNamespace(query=lambda **_said: None)
    return partial(refuse, cast("Gate", SimpleNamespace(audit=recorder, metrics=unmeasured)))


@asynccontextmanager
async def world(
    directory: Path, paired: Callable[[Subject, str], Awaitable[bool]] = agreed
) -> AsyncIterator[World]:
    """`paired`: whether a colleague in professional standards agreed."""
    keys = AuditKeys(directory / "keys")
    log = await AuditLog.open(directory / "log", keys=keys, origin=ORIGIN)
    follower = Follower(log, keys, directory / "index.sqlite")
    try:
        recorder = Recorder(
            log=log,
            witnesses=Unwitnessed(log),
            keys=keys,
            gateway=ORIGIN,
            clock=lambda: datetime.now(UTC),
            entitled=ENTITLED,
            paired=paired,
        )
        inquiry = Inquiry(
            evidence=Evidence(log=log, keys=keys),
            follower=follower,
            tokens=Tokens(keys=keys, open_ref=REFS.open),
            recorder=recorder,
            issuers=ISSUERS,
        )
        await follower.follow()
        yield World(log=log, keys=keys, recorder=recorder, follower=follower, inquiry=inquiry)
    finally:
        await follower.aclose()
        await log.aclose()
