"""What one query leaves in the log: an intent before any source is visited, an outcome before a
byte leaves.

A query that is refused earlier leaves one entry: F for a failed authentication, D for a refusal by
policy, R for anything else. Only `Record.outcome` can make an `AuditedResponse`, and nothing else
can be sent: "no record, no answer" is a type.

The leaf holds no personal value: whoever asked, for which case and with which values stands there
as keyed HMACs; texts lie in the sealed body, in the part of the asker's agency. What was answered
is in neither: only a salted digest of the answer, and for each agency whose records it held
commitments to what it showed of them (`disclosed.py`), in a part which that agency alone may read.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from gateway.audit.content import (
    answer_bytes,
    counted,
    question_bytes,
    rule_of,
    tag_of,
    touched_by,
)
from gateway.audit.crowd import Crowd, Failure, told
from gateway.audit.disclosed import parts_by_owner, roots_of
from gateway.audit.entry import (
    ASKER,
    KEEPER,
    KEEPERS,
    Kind,
    Part,
    Tag,
    Written,
    canonical,
    owner_part,
    party_part,
    token,
)
from gateway.audit.index import MARK
from gateway.audit.keeper import Receipt
from gateway.audit.keys import AuditKeys
from gateway.audit.log import AuditLog
from gateway.audit.merkle import leaf_hash, root_of
from gateway.audit.rulings import decision_digest, rulings_of
from gateway.audit.uses import Viewer, alone, not_alone, viewer_of
from gateway.errors import AuditUnavailable
from gateway.model import (
    EMPTY,
    AuthorisedPlan,
    Decision,
    Operation,
    Plan,
    Request,
    Response,
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
    """One question to policy and its answer, as the record has them."""

    plan: Plan
    question: Mapping[str, Any]
    decision: Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something that is to be done at /casework, as its intent records it."""

    act: str
    about: str  # the id of a record of the gateway's own; "" where it is about none
    serial: int  # of the policy that allowed it
    question: Mapping[str, Any]


class Witnesses(Protocol):
    """Whoever has seen the log: `gateway/audit/witnessing.py`."""

    def check(self) -> None:
        """Be satisfied that they have signed lately.

        Raises:
            AuditUnavailable: they have not, or there are none.
        """

    async def proof(self, receipt: Receipt, within_s: float) -> str:
        """Evidence that they have seen the record, once they have.

        Raises:
            AuditUnavailable: not in time.
        """


async def nobody(_subject: Subject, _use: str) -> bool:
    """No colleague has agreed to anything."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorder:
    """Writes the entries of one gateway. Whatever is looked at or done with the record is written
    here first, so here it is refused to professional standards to whom no colleague agreed."""

    log: AuditLog
    witnesses: Witnesses
    keys: AuditKeys
    gateway: str
    clock: Callable[[], datetime]
    entitled: Mapping[str, Collection[str]]  # role -> the agencies whose people may have it
    monotonic: Callable[[], float] = time.monotonic
    committed: Callable[[float, int], None] = lambda _seconds, _entries: None
    made_of: Mapping[str, str] = EMPTY  # digests of what questions are read by: schema, mappings
    crowd: Crowd = field(default_factory=lambda: Crowd(time.monotonic))
    paired: Callable[[Subject, str], Awaitable[bool]] = nobody  # a colleague agreed to this use

    def viewer(self, subject: Subject) -> Viewer:
        """As what somebody looks: as an auditor of some kind, or an officer at their own."""
        return viewer_of(subject, self.entitled)

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
        await self.append(leaf)

    async def view(
        self,
        request: Request,
        subject: Subject,
        *,
        page: str,
        use: str,
        asked: Mapping[str, Any] = EMPTY,
        given: Mapping[str, Any] = EMPTY,
        entries: Sequence[int] = (),
        told: Mapping[str, Mapping[str, Any]] = EMPTY,
    ) -> Viewed:
        """Write, durably, that somebody looks at the record: which page, for which permitted use.

        `given` says in the leaf what is shown; `asked`, what was looked for, is sealed with the
        numbers of the entries that are shown: the leaf has its keyed digest. `told` is what other
        agencies are told, each in a part of its own.

        Raises:
            Refused: two are needed, and nobody agreed.
            AuditUnavailable, CaseworkUnavailable: nothing may be shown.
        """
        if not alone(page, use):
            await self.demand_pair(subject, use)
        record = self.begin(request)
        record.known(subject=subject)
        view: dict[str, Any] = {"page": page, "use": use, "as": self.viewer(subject).value, **given}
        detail = record._detail()
        if asked:
            view["query"] = self.hmac("view", canonical(dict(asked)).decode())
            detail["asked"] = dict(asked)
        if entries:
            detail["entries"] = list(entries)
        leaf = record._leaf(Kind.VIEW, Tag.CONSULTATION) | {"view": view}
        others = {party_part(agency): Part(agency, said) for agency, said in told.items()}
        receipt = await self.append(leaf, record._for_asker(detail) | others)
        return Viewed(record, receipt, _MAKER)

    async def review(
        self, request: Request, subject: Subject, *, use: str, among: Mapping[str, str],
        found: Mapping[str, Any], note: str = "",
    ) -> Receipt:  # fmt: skip
        """Write, durably, that somebody reviewed a query. The leaf says `among` which, a sample or
        the queue; which it is and what was found, `found` and the note, is sealed for the agency of
        whoever reviewed: leaves are read by every auditor.

        Raises:
            Refused: two are needed, and nobody agreed.
            AuditUnavailable, CaseworkUnavailable: the review may not be kept.
        """
        await self.demand_pair(subject, use)
        record = self.begin(request)
        record.known(subject=subject)
        leaf = record._leaf(Kind.VIEW, Tag.CONSULTATION)
        leaf["view"] = {"page": "review", "use": use, "as": self.viewer(subject).value}
        leaf["review"] = dict(among)
        detail = record._detail() | {"review": dict(found)} | ({"note": note} if note else {})
        return await self.append(leaf, record._for_asker(detail))

    async def in_pairs(self, subject: Subject, use: str) -> bool:
        """Whether somebody needs nobody's agreement to look for this use, or has it.

        Raises:
            CaseworkUnavailable: it cannot be found out.
        """
        alike = self.viewer(subject) is not Viewer.STANDARDS
        return alike or await self.paired(subject, use)

    async def demand_pair(self, subject: Subject, use: str) -> None:
        """Be satisfied of that.

        Raises:
            Refused: nobody agreed.
            CaseworkUnavailable: it cannot be found out.
        """
        if not await self.in_pairs(subject, use):
            raise not_alone()

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
        return self.hmac("actor", f"{issuer}|{id_}")[:MARK]

    async def append(self, leaf: dict[str, Any], parts: Mapping[str, Part] = EMPTY) -> Receipt:
        started = self.monotonic()
        receipt = await self.log.append(leaf, parts)
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
        self.terms: Sequence[tuple[str, str]] = ()
        self.serial: int | None = None
        self.decided: Decided | None = None
        self.intended: str | None = None  # the hash of the intent's leaf
        self.data = True  # whether it asks for agencies' data; else it is a look, a page, an act

    def known(
        self,
        *,
        subject: Subject | None = None,
        operation: Operation | None = None,
        terms: Sequence[tuple[str, str]] = (),
    ) -> None:
        """What is known so far, so that a refusal can say who asked what.

        `terms` is what is searched for (`terms.py`), by which the log finds the query again.
        """
        self.subject = subject or self.subject
        self.operation = operation or self.operation
        self.terms = terms or self.terms

    def heard(self, decided: Decided) -> None:
        """What policy answered, so that a refusal can say by what it was decided."""
        self.decided = decided

    async def intent(
        self,
        subject: Subject,
        operation: Operation,
        decided: Decided | None,
        agreed: AuthorisedPlan,
        *,
        action: Action | None = None,
    ) -> None:
        """Write, durably, what will be asked or done; sources may be visited only after this.

        Raises:
            AuditUnavailable: nothing may be visited.
        """
        self.known(subject=subject, operation=operation)
        touched = touched_by(agreed)
        leaf = self._leaf(Kind.INTENT, Tag.CONSULTATION) | {"plan": counted(touched)}
        detail = {"terms": []} | self._detail() | {"visits": touched["visits"]}
        kept: dict[str, Part] = {}
        if decided is not None:
            self.decided, self.serial = decided, decided.decision.serial
            kept = self._decision(leaf, detail)
        if action is not None:
            self.serial = action.serial
            leaf["casework"] = {"act": action.act, "about": action.about}
            leaf.setdefault("policy", {"serial": action.serial})
            detail["casework"] = action.question
        receipt = await self.recorder.append(leaf, self._for_asker(Written.of(detail)) | kept)
        self.intended = receipt.leaf_hash.hex()

    async def keeping(self, said: Mapping[str, Any]) -> Receipt:
        """Write, durably, what this request does to the record itself: an erasure, a hold.

        Raises:
            AuditUnavailable: it may not be done.
        """
        leaf = self._leaf(Kind.KEY, Tag.CONSULTATION) | dict(said)
        return await self.recorder.append(leaf)

    async def outcome(
        self, response: Response, witnessed_s: float | None = None
    ) -> AuditedResponse:
        """Write, durably, what became of the query; its answer may leave only after this.

        With `witnessed_s` the witnesses must have seen it within so many seconds, and the answer
        carries the proof of that.

        Raises:
            AuditUnavailable: nothing may leave.
        """
        unknown = self.subject is None and self.operation is None and self.intended is None
        if unknown and response.code is not None:
            receipt = await self._in_crowd(response)
        else:
            receipt = await self._written(response)
        proof = None
        if witnessed_s is not None:
            proof = await self.recorder.witnesses.proof(receipt, witnessed_s)
        body = self._with_receipt(response, receipt, proof)
        return AuditedResponse(response.status, body, _MAKER)

    async def _in_crowd(self, response: Response) -> Receipt:
        """An entry of its own, or one that many failures share."""

        async def write(failures: Sequence[Failure]) -> Receipt:
            if len(failures) == 1:
                return await self._written(response)
            leaf = self._leaf(self._kind(response), Tag.CONSULTATION)
            leaf |= {"status": response.status, "code": response.code}
            crowd, detail = told(failures)
            return await self.recorder.append(leaf | crowd, self._for_asker(detail))

        own = Failure(id=self.request.id, peer=self.request.peer, cause=response.detail)
        alike = f"{response.status} {response.code}"
        return await self.recorder.crowd.join(alike, own, write)

    async def _written(self, response: Response) -> Receipt:
        salt = secrets.token_bytes(32)
        leaf = self._leaf(self._kind(response), tag_of(response)) | {
            "status": response.status,
            "code": response.code,
            "duration_us": int((self.recorder.monotonic() - self.started) * 1e6),
            "sources": {r.source: [r.state.value, r.rows, r.masked, r.withheld, r.hits]
                        for r in response.reports},
            "answer": hashlib.sha256(salt + answer_bytes(response.body)).hexdigest(),
            "disclosed": self._disclosed(response),
        }  # fmt: skip
        if rule := rule_of(response):
            leaf["rule"] = rule
        if self.serial is not None:
            leaf["policy"] = {"serial": self.serial}
        detail: dict[str, Any] = {"salt": salt.hex(), "cause": response.detail}
        kept: dict[str, Part] = {}
        if self.intended is None:  # else the intent holds it
            detail |= self._detail()
            kept = self._decision(leaf, detail)
        elif leaf["kind"] == Kind.OUTCOME:
            leaf["intent"] = self.intended
        token = partial(self.recorder.hmac, "record")
        owners = parts_by_owner(response, secrets.token_bytes(32), token)
        if owners:  # so that one field can be opened to others than its owner
            leaf["disclosed"]["owners"] = roots_of(owners)
        asker = self._for_asker(Written.of(detail) if kept else detail)
        return await self.recorder.append(leaf, asker | owners | kept)

    async def gone(self, response: Response) -> None:
        """Write that the caller hung up, under a shield: it is being cancelled itself."""
        try:
            async with asyncio.timeout(_SHIELDED_S):
                await asyncio.shield(self.outcome(response))
        except (AuditUnavailable, TimeoutError):
            return  # the intent stands alone, which says the same

    # --- what an entry holds ---

    def _kind(self, response: Response) -> Kind:
        if self.intended is not None:
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
            if not self.data and self.recorder.viewer(subject) is Viewer.STANDARDS:
                leaf["view"] = {"as": Viewer.STANDARDS.value}  # unseen by their agency's others
            if subject.acr is not None:
                leaf["who"]["acr"] = subject.acr
        if operation := self.operation:
            variables = json.dumps(operation.variables, sort_keys=True, default=str)
            leaf["query"] = {
                "document": self._document(operation),
                "variables": hmac("variables", variables),
            }
            if self.request.document_id is not None:
                leaf["query"]["registered"] = True
            if why := operation.justification:
                leaf["purpose"] = {"code": why.purpose, "reason": why.reason_code}
                for name, text in (("case", why.case_ref), ("incident", why.incident_ref)):
                    if text:
                        leaf["purpose"][name] = hmac("case", text)
                if words := " ".join((why.reason_text or "").casefold().split()):
                    leaf["purpose"]["words"] = hmac("words", words)  # the same again is a signal
                if why.on_behalf_of:
                    leaf["purpose"]["on_behalf"] = hmac("on_behalf", why.on_behalf_of)
                if why.break_glass:
                    leaf["purpose"]["break_glass"] = True
        return leaf

    def _document(self, operation: Operation) -> str:
        """The document's digest; keyed where a value may stand in its text, since a plate in a
        known document is soon guessed. In a registered one nothing stands but what was registered.
        """
        plain = '"' not in operation.text or self.request.document_id is not None
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
        if self.terms:
            hmac = self.recorder.hmac
            detail["terms"] = [
                [kind, hmac("term", f"{kind}|{value}")] for kind, value in self.terms
            ]
        if operation := self.operation:
            detail["text"] = operation.text
            if operation.name is not None:
                detail["operation"] = operation.name  # its caller's word
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

    def _decision(self, leaf: dict[str, Any], detail: dict[str, Any]) -> dict[str, Part]:
        """Put what policy decided, if it did, into a leaf and the asker's part; and what of it is
        the keeper's alone."""
        if (decided := self.decided) is None:
            return {}
        question = question_bytes(decided.question, decided.plan)
        rulings = rulings_of(decided.question, decided.decision)
        digest = decision_digest(question, rulings)
        leaf["policy"] = {
            "serial": decided.decision.serial,
            "decision": self.recorder.hmac("decision", digest),
        }
        if decided.decision.id:
            leaf["policy"]["id"] = decided.decision.id
        leaf["query"] |= self.recorder.made_of
        detail["question"], detail["rulings"] = question, rulings.told
        return {KEEPER: Part(KEEPERS, rulings.kept)}

    def _for_asker(self, detail: Mapping[str, Any] | Written) -> dict[str, Part]:
        return {ASKER: Part(self.subject.agency if self.subject else KEEPERS, detail)}

    def _disclosed(self, response: Response) -> dict[str, Any]:
        """How many records were shown, and a commitment to which."""
        tokens = sorted(
            self.recorder.hmac("record", "|".join(map(str, record)))
            for record in response.disclosed
        )
        root = root_of([leaf_hash(token.encode()) for token in tokens])
        return {"records": len(tokens), "root": root.hex()}

    def _with_receipt(
        self, response: Response, receipt: Receipt, proof: str | None
    ) -> dict[str, Any]:
        extensions = dict(response.body.get("extensions", {}))
        extensions["receipt"] = {
            "queryId": self.request.id,
            "policySerial": self.serial,
            "logEntry": receipt.index,
            **self.recorder.log.promised(receipt, self.request.id),
            **({"proof": proof} if proof is not None else {}),
        }
        return {**response.body, "extensions": extensions}


@dataclass(frozen=True, slots=True)
class Viewed:
    """A view whose entry lasts; made by `Recorder.view` alone."""

    _record: Record
    receipt: Receipt
    _made_by: object

    def __post_init__(self) -> None:
        if self._made_by is not _MAKER:
            raise TypeError("only the recorder of views makes a Viewed")

    def answered(self, body: Mapping[str, Any]) -> AuditedResponse:
        """What was looked at, as an answer that may leave."""
        response = Response(status=200, body=body)
        return AuditedResponse(
            200, self._record._with_receipt(response, self.receipt, None), _MAKER
        )


class Looking:
    """The two entries of a look for one owner's silent records, with an id of their own.

    Their leaves are the same whatever is found: what was, lies sealed for that owner alone.
    """

    def __init__(self, recorder: Recorder, of: str, id_: str, agency: str) -> None:
        self._recorder, self._of, self._id, self._agency = recorder, of, id_, agency
        self._resources: list[str] = []
        self._intended = ""

    async def intent(self, resources: list[str]) -> None:
        """Write, durably, what will be looked for.

        Raises:
            AuditUnavailable: nothing may be visited.
        """
        self._resources = sorted(resources)
        receipt = await self._recorder.append(self._leaf(Kind.INTENT), self._for_owner({}))
        self._intended = receipt.leaf_hash.hex()

    async def outcome(self, found: Sequence[tuple[str, str, list[str]]]) -> None:
        """Write what was found: the resource of each look, how its source fared, and the keys."""
        leaf = self._leaf(Kind.OUTCOME) | {"intent": self._intended}
        detail = {"found": [list(look) for look in found]}
        await self._recorder.append(leaf, self._for_owner(detail))

    def _for_owner(self, detail: Mapping[str, Any]) -> dict[str, Part]:
        return {owner_part(self._agency): Part(self._agency, detail)}

    def _leaf(self, kind: Kind) -> dict[str, Any]:
        return {
            "kind": kind.value,
            "tag": Tag.CONSULTATION.value,
            "request_id": self._id,
            "gateway": self._recorder.gateway,
            "at": self._recorder.clock().isoformat(timespec="microseconds"),
            "tripwire": {"of": self._of, "resources": self._resources},
        }
