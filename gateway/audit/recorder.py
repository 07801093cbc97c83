"""What one query leaves in the log: an intent before any source is visited, an outcome before a
byte leaves.

A query that is refused earlier leaves one entry: F for a failed authentication, D for a refusal by
policy, R for anything else. Only `Record.outcome` can make an `AuditedResponse`, and nothing else
can be sent: "no record, no answer" is a type.

The leaf holds no personal value: whoever asked, for which case and with which values stands there
as keyed HMACs; texts lie in the sealed body. What was answered is in neither: only a salted digest
of the answer, and keyed commitments to which records were shown.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gateway.audit.entry import Kind, Tag, Written, canonical, token
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import leaf_hash, root_of
from gateway.audit.sequencer import Receipt
from gateway.errors import AuditUnavailable
from gateway.model import (
    HIT_ONLY,
    AuthorisedPlan,
    Decision,
    Operation,
    Request,
    Response,
    Ruling,
    Show,
    Subject,
)

_MAKER: Final = object()
_SHIELDED_S: Final = 5.0  # how long a cancelled call may still take to say that it was cancelled


@dataclass(frozen=True, slots=True)
class AuditedResponse:
    """A recorded answer; only this may be sent. Made by `Record.outcome` alone."""

    status: int
    body: Mapping[str, Any]
    _made_by: object

    def __post_init__(self) -> None:
        if self._made_by is not _MAKER:
            raise TypeError("only the recorder of outcomes makes an AuditedResponse")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """One question to policy and its answer, as the intent records them."""

    question: Mapping[str, Any]
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that is to be done at /casework, as its intent records it."""

    act: str
    about: str  # the id of a record of the gateway's own; "" where it is about none
    serial: int  # of the policy that allowed it
    question: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Writes the entries of one gateway."""

    log: AuditLog
    keys: AuditKeys
    gateway: str
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    committed: Callable[[float, int], None] = lambda _seconds, _entries: None

    def begin(self, request: Request) -> Record:
        """A record of one request; nothing is written yet."""
        return Record(self, request)

    async def erasing(self, id_: str, what: str, records: int, ended_by: datetime) -> None:
        """Write, durably, that so many texts of the gateway's own records are about to be erased.

        Raises:
            AuditUnavailable: they may not be.
        """
        leaf = {
            "kind": Kind.KEY.value,
            "tag": Tag.CONSULTATION.value,
            "request_id": id_,
            "gateway": self.gateway,
            "at": self.clock().isoformat(timespec="microseconds"),
            "erased": {
                "what": what,
                "records": records,
                "ended_by": ended_by.isoformat(timespec="seconds"),
            },
        }
        await self.append(leaf, {}, ("GATEWAY",))

    def looking(self, request: Request, id_: str, agency: str) -> Looking:
        """A record of what is looked for after a request was answered, for its owner alone."""
        return Looking(self, request.id, id_, agency)

    def hmac(self, name: str, value: str) -> str:
        """The keyed token of an identifier, under this quarter's key."""
        now = self.clock()
        key = self.keys.token_key(name, f"{now.year}-Q{(now.month + 2) // 3}")
        return token(key, name, value)

    def mark(self, issuer: str, id_: str) -> str:
        """The beginning of the actor's token in this quarter's entries: by it the log finds whose
        a screen or a signature was, and nobody else does."""
        return self.hmac("actor", f"{issuer}|{id_}")[:12]

    async def append(
        self,
        leaf: dict[str, Any],
        detail: Mapping[str, Any] | Written | None,
        agencies: tuple[str, ...],
    ) -> Receipt:
        started = self.monotonic()
        receipt = await self.log.append(leaf, detail, agencies=agencies)
        self.committed(self.monotonic() - started, self.log.size)
        return receipt


class Record:
    """The entries of one query, in order."""

    def __init__(self, recorder: Recorder, request: Request) -> None:
        self.recorder = recorder
        self.request = request
        self.started = recorder.monotonic()
        self.subject: Subject | None = None
        self.operation: Operation | None = None
        self.serial: int | None = None
        self.intent_index: int | None = None

    def known(self, *, subject: Subject | None = None, operation: Operation | None = None) -> None:
        """What is known so far, so that a refusal can say who asked what."""
        self.subject = subject or self.subject
        self.operation = operation or self.operation

    async def intent(
        self,
        subject: Subject,
        operation: Operation,
        decided: Decided | None,
        agreed: AuthorisedPlan,
        action: Action | None = None,
    ) -> None:
        """Write, durably, what will be asked or done; sources may be visited only after this.

        Raises:
            AuditUnavailable: nothing may be visited.
        """
        self.known(subject=subject, operation=operation)
        leaf = self._leaf(Kind.INTENT, Tag.CONSULTATION) | {"plan": _touched(agreed)}
        detail = self._detail()
        if decided is not None:
            self.serial = decided.decision.serial
            question = _question(decided, agreed)
            decision = self.recorder.hmac("decision", _digest(decided.decision, question))
            leaf["policy"] = {"serial": self.serial, "decision": decision}
            detail["question"] = question
        if action is not None:
            self.serial = action.serial
            leaf["casework"] = {"act": action.act, "about": action.about}
            leaf.setdefault("policy", {"serial": action.serial})
            detail["casework"] = action.question
        receipt = await self.recorder.append(leaf, Written.of(detail), self._agencies())
        self.intent_index = receipt.index

    async def outcome(self, response: Response) -> AuditedResponse:
        """Write, durably, what became of the query; its answer may leave only after this.

        Raises:
            AuditUnavailable: nothing may leave.
        """
        salt = secrets.token_bytes(32)
        kind = self._kind(response)
        leaf = self._leaf(kind, Tag.DISCLOSURE) | {
            "status": response.status,
            "code": response.code,
            "duration_us": int((self.recorder.monotonic() - self.started) * 1e6),
            "sources": {r.source: [r.state.value, r.rows, r.masked, r.withheld, r.hits]
                        for r in response.reports},
            "answer": hashlib.sha256(salt + _answer(response.body)).hexdigest(),
            "disclosed": self._disclosed(response),
        }  # fmt: skip
        if self.serial is not None:
            leaf["policy"] = {"serial": self.serial}
        if kind is Kind.OUTCOME and self.intent_index is not None:
            leaf["intent_index"] = self.intent_index
        detail = self._detail() | {"salt": salt.hex(), "cause": response.detail}
        receipt = await self.recorder.append(leaf, detail, self._agencies())
        return AuditedResponse(response.status, self._with_receipt(response, receipt), _MAKER)

    async def gone(self, response: Response) -> None:
        """Write that the caller hung up, under a shield: it is being cancelled itself."""
        try:
            async with asyncio.timeout(_SHIELDED_S):
                await asyncio.shield(self.outcome(response))
        except (AuditUnavailable, TimeoutError):
            return  # the intent stands alone, which says the same

    # --- what an entry holds ---

    def _kind(self, response: Response) -> Kind:
        if self.intent_index is not None:
            return Kind.OUTCOME
        match response.code:
            case "UNAUTHENTICATED":
                return Kind.FAILED_AUTHENTICATION
            case "REFUSED":
                return Kind.DENIED
            case None:
                return Kind.OUTCOME
            case _:
                return Kind.REJECTED

    def _leaf(self, kind: Kind, tag: Tag) -> dict[str, Any]:
        leaf: dict[str, Any] = {
            "kind": kind.value,
            "tag": tag.value,
            "request_id": self.request.id,
            "gateway": self.recorder.gateway,
            "at": self.recorder.clock().isoformat(timespec="microseconds"),
        }
        hmac = self.recorder.hmac
        if subject := self.subject:
            leaf["who"] = {
                "actor": hmac("actor", f"{subject.issuer}|{subject.id}"),
                "agency": subject.agency,
                "roles": hashlib.sha256(" ".join(sorted(subject.roles)).encode()).hexdigest()[:16],
                "client": subject.app,
                "token": hmac("token", subject.token_id),
            }
        if operation := self.operation:
            variables = json.dumps(operation.variables, sort_keys=True, default=str)
            leaf["query"] = {
                "document": self._document(operation),
                "variables": hmac("variables", variables),
            }
            if why := operation.justification:
                leaf["purpose"] = {"code": why.purpose, "reason": why.reason_code}
                for name, text in (("case", why.case_ref), ("incident", why.incident_ref)):
                    if text:
                        leaf["purpose"][name] = hmac("case", text)
                if words := " ".join((why.reason_text or "").casefold().split()):
                    leaf["purpose"]["words"] = hmac("words", words)  # the same again is a signal
                if why.break_glass:
                    leaf["purpose"]["break_glass"] = True
        return leaf

    def _document(self, operation: Operation) -> str:
        """The document's digest; keyed where a value may stand in its text, since a plate in a
        known document is soon guessed."""
        plain = '"' not in operation.text
        return operation.digest if plain else self.recorder.hmac("document", operation.text)

    def _detail(self) -> dict[str, Any]:
        """What is sealed, and erasable: who, in what words, with which values."""
        detail: dict[str, Any] = {"peer": self.request.peer}
        if subject := self.subject:
            detail["who"] = {
                "issuer": subject.issuer,
                "id": subject.id,
                "roles": list(subject.roles),
                "app": subject.app,
            }
        if operation := self.operation:
            detail["text"] = operation.text
            detail["variables"] = json.loads(json.dumps(operation.variables, default=str))
            if why := operation.justification:
                detail["why"] = {
                    "reason": why.reason_text,
                    "case": why.case_ref,
                    "incident": why.incident_ref,
                    "on_behalf_of": why.on_behalf_of,
                    "break_glass": why.break_glass,
                }
        return detail

    def _agencies(self) -> tuple[str, ...]:
        return (self.subject.agency if self.subject else "GATEWAY",)

    def _disclosed(self, response: Response) -> dict[str, Any]:
        """How many records were shown, and a commitment to which."""
        tokens = sorted(
            self.recorder.hmac("record", "|".join(map(str, record)))
            for record in response.disclosed
        )
        root = root_of([leaf_hash(token.encode()) for token in tokens])
        return {"records": len(tokens), "root": root.hex()}

    def _with_receipt(self, response: Response, receipt: Receipt) -> dict[str, Any]:
        extensions = dict(response.body.get("extensions", {}))
        extensions["receipt"] = {
            "queryId": self.request.id,
            "policySerial": self.serial,
            "logEntry": receipt.index,
            "leafHash": receipt.leaf_hash.hex(),
            "at": receipt.at.isoformat(timespec="milliseconds"),
        }
        return {**response.body, "extensions": extensions}


class Looking:
    """The two entries of a look for one owner's silent records, with an id of their own.

    Their leaves are the same whatever is found: what was, lies sealed for that owner alone.
    """

    def __init__(self, recorder: Recorder, of: str, id_: str, agency: str) -> None:
        self._recorder, self._of, self._id, self._agency = recorder, of, id_, agency
        self._resources: list[str] = []
        self._intent_index = 0

    async def intent(self, resources: list[str]) -> None:
        """Write, durably, what will be looked for.

        Raises:
            AuditUnavailable: nothing may be visited.
        """
        self._resources = sorted(resources)
        leaf = self._leaf(Kind.INTENT)
        self._intent_index = (await self._recorder.append(leaf, {}, (self._agency,))).index

    async def outcome(self, found: Sequence[tuple[str, str, list[str]]]) -> None:
        """Write what was found: the resource of each look, how its source fared, and the keys."""
        leaf = self._leaf(Kind.OUTCOME) | {"intent_index": self._intent_index}
        detail = {"found": [list(look) for look in found]}
        await self._recorder.append(leaf, detail, (self._agency,))

    def _leaf(self, kind: Kind) -> dict[str, Any]:
        return {
            "kind": kind.value,
            "tag": Tag.CONSULTATION.value,
            "request_id": self._id,
            "gateway": self._recorder.gateway,
            "at": self._recorder.clock().isoformat(timespec="microseconds"),
            "tripwire": {"of": self._of, "resources": self._resources},
        }


def _answer(body: Mapping[str, Any]) -> bytes:
    """The answer as its digest is made of; JSON with sorted keys, quick for large answers."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), default=str).encode()


def _question(decided: Decided, agreed: AuthorisedPlan) -> Written:
    """What was asked of policy, most of which is the same for all plans of a structure."""
    resources: Mapping[str, Any] = decided.question["resources"]
    if (structure := agreed.plan.structure) is not None:
        written = structure.made.once(
            "resources written", lambda: Written(canonical(dict(resources)))
        )
        return Written.of({**decided.question, "resources": written})
    return Written(canonical(decided.question))


def _digest(decision: Decision, question: Written) -> str:
    def granted() -> Written:
        rulings = decision.rulings.items()
        return Written(canonical({n: _granted(ruling) for n, ruling in rulings}))

    written = decision.made.once("granted", granted)
    return hashlib.sha256(Written.of({"question": question, "granted": written})).hexdigest()


def _granted(ruling: Ruling) -> list[Any]:
    beside = [HIT_ONLY] if ruling.beside else []
    return [str(ruling.show), ruling.limit, *sorted(ruling.read), *beside]


def _touched(agreed: AuthorisedPlan) -> dict[str, Any]:
    """Which sources, entities and fields will be visited, and how many were not agreed to."""
    visits: dict[str, dict[str, list[str]]] = {}
    for grant in (*agreed.grants.values(), *agreed.looks.values()):
        entities = visits.setdefault(grant.fetch.source, {})
        fields = entities.setdefault(grant.fetch.entity, [])
        for path, part in grant.parts.items():
            prefix = f"{path}." if path else ""
            if part.show is Show.RECORDS:
                fields.extend(f"{prefix}{name}" for name in part.read)
            elif part.show is not None and path:
                fields.append(f"{path}:{part.show.value}")
    touched: dict[str, Any] = {
        "visits": {s: {e: sorted(set(f)) for e, f in es.items()} for s, es in visits.items()},
        "withheld": len(agreed.withheld),
        "silent": len(agreed.silent),
    }
    if agreed.beside:
        touched["beside"] = len(agreed.beside)
    if agreed.released:
        touched["released"] = sorted(one.id for one in agreed.released)
    return touched
