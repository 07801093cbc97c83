"""Somebody brings an answer, and an owner's auditor has it shown whether that was disclosed.

The gateway opens the part of the entry that is the auditor's own agency's, compares place by place,
and says no more than whether it is the same: whoever has not seen the answer learns no value. Who
brings none, but tries values, is kept from it by the receipt, which the log signed for that answer
alone; and each try is an entry.

What was disclosed so can be opened to others, who need no gateway for it (`verify --disclosed`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from gateway.audit.disclosed import fields_of, opened, same
from gateway.audit.entry import owner_part, read_leaf
from gateway.audit.inquiry import Auditor, Given, Inquiry
from gateway.audit.merkle import leaf_hash
from gateway.audit.uses import Viewer
from gateway.audit.verify import Unproved, read_receipt
from gateway.errors import AuditUnavailable, LimitExceeded, MalformedRequest
from gateway.model import EMPTY

MOST_CLAIMS: Final = 500
_FORMAT: Final = "portcullis disclosed/v1"


class Compared(StrEnum):
    """What an entry says of a place of an answer."""

    DISCLOSED = "DISCLOSED"  # just this
    OTHER = "OTHER"  # something else, or nothing
    NOT_OF_ENTRY = "NOT_OF_ENTRY"  # nothing of this agency's was disclosed at this place


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """An answer, as far as somebody brings it."""

    receipt: str  # JSON, as it came with the answer
    claims: Mapping[str, str]  # place -> the value there, as JSON

    def values(self) -> dict[str, Any]:
        """The value at each place.

        Raises:
            LimitExceeded, MalformedRequest: too many at once; not JSON.
        """
        if len(self.claims) > MOST_CLAIMS:
            raise LimitExceeded.of("claims", MOST_CLAIMS, len(self.claims))
        try:
            return {place: json.loads(value) for place, value in self.claims.items()}
        except (ValueError, RecursionError):
            raise MalformedRequest("claims: each value is JSON.") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place of an answer, and what the entry says of it."""

    place: str
    source: str = ""
    entity: str = ""
    field: str = ""
    outcome: Compared | None = None  # None where nothing was brought for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosure:
    """What an entry says of an answer, for the owner of some of its records."""

    index: int  # of the outcome
    agency: str
    to: str  # the agency of whoever asked
    purpose: str
    at: str
    places: tuple[Place, ...]
    told: tuple[tuple[str, str, str, str], ...]  # place, outcome, mask, rule
    opened: str | None  # JSON for `verify --disclosed`


async def disclosed(
    inquiry: Inquiry,
    auditor: Auditor,
    index: int,
    brought: Brought,
    *,
    opens: bool = False,
    tells: bool = False,
) -> Given[Disclosure | None]:
    """Which fields of the auditor's own agency were in the answer of this entry, and of those that
    are brought whether they are what was disclosed. None where the entry says nothing of the
    agency's records, or no more.

    With `opens`, what was disclosed so is opened for others; with `tells`, what was said of records
    that were not shown in full too.

    Raises:
        Refused, LimitExceeded: not for this role; too much at once.
        MalformedRequest: not said for what; no receipt of this entry's, or no JSON.
        AuditUnavailable, CaseworkUnavailable: it cannot be read, or the look was not recorded.
        ProofInvalid: the entry is not what the tree holds.
    """
    await inquiry.auditing(auditor, Viewer.FORCE, Viewer.STANDARDS)
    values = brought.values()
    try:
        receipt = read_receipt(brought.receipt.encode(), inquiry.log.verifier)
    except (Unproved, ValueError):
        raise MalformedRequest("This is no receipt of this log: bring the whole answer.") from None
    own = auditor.subject.agency
    row = await inquiry.of(index)
    number = row.last if row is not None else index
    data, leaf, detail = await _part(inquiry, number, own)
    made = None
    if detail is not None:
        if leaf_hash(data) != receipt.leaf:
            raise MalformedRequest("The answer is not of this entry: its receipt names another.")
        made = _compared(number, own, leaf, detail, values)
        so = [one.place for one in made.places if one.outcome is Compared.DISCLOSED]
        if opens and (items := opened(detail, so, told=tells)) is not None:
            whole = await inquiry.evidence.leaf(number, data, shown=True, proof=True)
            if whole.proof is None:
                raise AuditUnavailable(detail="an entry without its proof")
            said = {"format": _FORMAT, "proof": whole.proof.text, "agency": own, **items}
            made = replace(made, opened=json.dumps(said))
    compared = [one for one in made.places if one.outcome] if made else []
    viewed = await inquiry.recorder.view(
        auditor.request,
        auditor.subject,
        page="disclosed",
        use=auditor.use,
        asked={"index": index},
        given={
            "rows": len(compared),
            "same": sum(one.outcome is Compared.DISCLOSED for one in compared),
            "opened": bool(made and made.opened),
        },
        entries=[number] if made else [],
    )
    return Given(made, viewed)


async def _part(
    inquiry: Inquiry, number: int, own: str
) -> tuple[bytes, Mapping[str, Any], Mapping[str, Any] | None]:
    """An entry, its leaf and its part for an agency; None for an entry that is of no answer."""
    try:
        data = await inquiry.log.leaf(number)
        leaf = read_leaf(data)
    except (LookupError, ValueError):
        return b"", EMPTY, None
    if "tripwire" in leaf or "disclosed" not in leaf:
        return data, leaf, None
    return data, leaf, await inquiry.evidence.part(leaf, number, owner_part(own), own)


def _compared(
    number: int,
    own: str,
    leaf: Mapping[str, Any],
    detail: Mapping[str, Any],
    values: Mapping[str, Any],
) -> Disclosure:
    places: list[Place] = []
    for one in fields_of(detail):
        outcome = None
        if one.place in values:
            so = same(detail, one, values[one.place])
            outcome = Compared.DISCLOSED if so else Compared.OTHER
        places.append(
            Place(
                place=one.place,
                source=one.source,
                entity=one.entity,
                field=one.name,
                outcome=outcome,
            )
        )
    held = {one.place for one in places}
    places += [
        Place(place=place, outcome=Compared.NOT_OF_ENTRY) for place in values if place not in held
    ]
    return Disclosure(
        index=number,
        agency=own,
        to=str(leaf.get("who", EMPTY).get("agency", "")),
        purpose=str(leaf.get("purpose", EMPTY).get("code", "")),
        at=str(leaf.get("at", "")),
        places=tuple(places),
        told=tuple((path, outcome, mask, rule) for path, outcome, mask, rule in detail["told"]),
        opened=None,
    )
