"""What the gateway can carry out as a condition of a permission: one function for each.

A decision that names anything else is refused: a permission given on a condition that nobody
fulfils is no permission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

from connectors.conditions import Condition, from_json
from gateway.errors import PolicyMisunderstood, PurposeRequired, Refused
from gateway.model import Budget, Justification, Obligation, Subject, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks, why, and when."""

    subject: Subject
    justification: Justification | None
    now: datetime


_Read = TypeVar("_Read")

Duty: TypeAlias = Callable[[Obligation, Asking], None]
"""Fulfils an obligation before any source is visited, or raises a GatewayError."""


def require_reason(obligation: Obligation, asking: Asking) -> None:
    """The caller gives a reason in words.

    Raises:
        PurposeRequired: there is none.
    """
    why = asking.justification
    if why is None or not (why.reason_text or "").strip():
        raise PurposeRequired(
            "This needs a reason in words: send extensions.justification.reasonText.",
            detail=f"obligation {obligation.type}",
        )


SILENT_MATCH: Final = "SILENT_MATCH"
VICTIM_SHOWN: Final = "VICTIM_SHOWN"
RECORD_SHOWN: Final = "RECORD_SHOWN"
_ABOUT: Final = frozenset({SILENT_MATCH, VICTIM_SHOWN, RECORD_SHOWN})


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where an agency is told of something."""

    desk: str
    on_call: str  # the desk that is told when the first does not acknowledge in time


@dataclass(frozen=True, slots=True, kw_only=True)
class Tripwire:
    """Rows of one resource that stay silent, or of which each that is shown is told, and the desks
    that are told of a match with one."""

    about: str  # SILENT_MATCH, VICTIM_SHOWN, or RECORD_SHOWN: by its owner's condition
    resource: str  # a fetch, or a component of one
    rows: Condition
    agency: str  # that holds the records
    by: str  # the field of an element that names the agency it is for; "" for whole records
    desks: Mapping[str, Desk]  # by agency, the holder's among them
    due_s: int

    @property
    def fetch(self) -> str:
        return self.resource.partition(".")[0]

    @property
    def part(self) -> str:
        """The component's path; "" for whole records."""
        return self.resource.partition(".")[2]

    def whose(self, element: Mapping[str, Any]) -> str:
        """The agency that an element is for; the holder where it names none that has a desk."""
        named = element.get(self.by)
        return named if isinstance(named, str) and named in self.desks else self.agency


def notify_owner(obligation: Obligation, asking: Asking) -> None:
    """The owner of such rows learns of a match, once the answer has left: `gateway/tripwire.py`.

    Raises:
        PolicyMisunderstood: it does not say whom to tell, or of what.
    """
    tripwires_of([obligation])


def tripwires_of(obligations: Iterable[Obligation]) -> tuple[Tripwire, ...]:
    """What is to be looked for once the answer has left, read strictly.

    Raises:
        PolicyMisunderstood: one that cannot be read.
    """
    return _each(obligations, "notify_owner", _tripwire)


def _each(
    obligations: Iterable[Obligation], type_: str, read: Callable[[Mapping[str, Any]], _Read]
) -> tuple[_Read, ...]:
    """Those of one type, each read once for as long as its decision is kept."""
    return tuple(
        one.made.once("read", partial(read, one.attributes))
        for one in obligations
        if one.type == type_
    )


def _said(values: Iterable[object]) -> bool:
    """Whether each is a text, and not an empty one."""
    return all(isinstance(one, str) and one for one in values)


def _tripwire(given: Mapping[str, Any]) -> Tripwire:
    texts: dict[str, Any] = {name: given.get(name) for name in ("about", "agency", "resource")}
    by, due_s = given.get("by"), given.get("due_s")
    desks = _desks(given.get("desks"))
    if (
        given.keys() != {*texts, "rows", "by", "desks", "due_s"}
        or not _said(texts.values())
        or texts["about"] not in _ABOUT
        or not isinstance(by, str)
        or bool(by) != ("." in texts["resource"])
        or texts["agency"] not in desks
        or type(due_s) is not int
        or due_s < 1
    ):
        raise PolicyMisunderstood(detail="notify_owner does not say whom to tell of what")
    try:
        rows = from_json(given["rows"])
    except ValueError as error:
        raise PolicyMisunderstood(detail=f"notify_owner: {error}") from error
    return Tripwire(rows=rows, due_s=due_s, by=by, desks=desks, **texts)


def _desks(given: object) -> Mapping[str, Desk]:
    """The desks by agency; none of what cannot be read."""
    held = given if isinstance(given, dict) else {}
    fine = all(
        isinstance(one, dict) and one.keys() == {"desk", "on_call"} and _said(one.values())
        for one in held.values()
    )
    return {agency: Desk(**one) for agency, one in held.items()} if fine else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """A duty that the gateway's own records keep: `gateway/duties.py` carries it out."""

    type: str  # "record_outcome" or "second_person"
    kind: str  # of search
    resource: str  # the fetch that it is a condition of


def record_outcome(obligation: Obligation, asking: Asking) -> None:
    """The last search of this kind has its outcome recorded, and this one will have.

    Raises:
        PolicyMisunderstood: it does not say what kind, or of which fetch.
    """
    lasting([obligation])


def second_person(obligation: Obligation, asking: Asking) -> None:
    """Somebody else has agreed to this very question.

    Raises:
        PolicyMisunderstood: it does not say what kind, or of which fetch.
    """
    lasting([obligation])


_LASTING = frozenset({"record_outcome", "second_person"})


def lasting(obligations: Iterable[Obligation]) -> tuple[Lasting, ...]:
    """The duties that the gateway's own records keep, read strictly.

    Raises:
        PolicyMisunderstood: one that cannot be read.
    """
    found: list[Lasting] = []
    for one in obligations:
        if one.type in _LASTING:
            given = dict(one.attributes)
            if given.keys() != {"kind", "resource"} or not _said(given.values()):
                raise PolicyMisunderstood(detail=f"{one.type} does not say of what")
            found.append(Lasting(type=one.type, **given))
    return tuple(found)


def budget(obligation: Obligation, asking: Asking) -> None:
    """The question is counted, slowed, and refused when there is nothing left: `pipeline.charged`.

    Raises:
        PolicyMisunderstood: it cannot be read.
    """
    budgets_of([obligation])


def budgets_of(obligations: Iterable[Obligation]) -> tuple[Budget, ...]:
    """What a question is charged to, read strictly.

    Raises:
        PolicyMisunderstood: one that cannot be read.
    """
    return _each(obligations, "budget", _budget)


_WORDS = ("name", "title", "unit", "agency", "desk", "on_call")
_NUMBERS = ("window_s", "slow_after", "slow_ms", "most", "due_s")


def _budget(given: Mapping[str, Any]) -> Budget:
    fine = (
        given.keys() == {*_WORDS, *_NUMBERS}
        and _said(given[name] for name in _WORDS)
        and all(type(given[name]) is int and given[name] >= 0 for name in _NUMBERS)
        and given["unit"] in set(Unit)
        and given["window_s"] > 0
        and given["due_s"] > 0
    )
    if not fine:
        raise PolicyMisunderstood(detail="a budget that cannot be read")
    return Budget(**{**given, "unit": Unit(given["unit"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Who is told, before anything is visited, that the glass was broken."""

    agency: str
    desk: str
    on_call: str
    due_s: int


def break_glass(obligation: Obligation, asking: Asking) -> None:
    """The desk of the asker's agency is told at once: `gateway/duties.py`.

    Raises:
        PolicyMisunderstood: it does not say whom to tell.
    """
    alarms_of([obligation])


def alarms_of(obligations: Iterable[Obligation]) -> tuple[Alarm, ...]:
    """Who is to be told before anything is visited, read strictly.

    Raises:
        PolicyMisunderstood: one that cannot be read.
    """
    return _each(obligations, "break_glass", _alarm)


def _alarm(given: Mapping[str, Any]) -> Alarm:
    words, due_s = ("agency", "desk", "on_call"), given.get("due_s")
    if (
        given.keys() != {*words, "due_s"}
        or not _said(given[name] for name in words)
        or type(due_s) is not int
        or due_s < 1
    ):
        raise PolicyMisunderstood(detail="break_glass does not say whom to tell")
    return Alarm(**given)


def reauthenticate(obligation: Obligation, asking: Asking) -> None:
    """The person has signed in lately, and as strongly as is asked for (RFC 9470).

    Raises:
        Refused: not so, or the token does not say.
        PolicyMisunderstood: it does not say how lately.
    """
    given = obligation.attributes
    max_age_s, acr = given.get("max_age_s"), given.get("acr")
    if given.keys() != {"max_age_s", "acr"} or type(max_age_s) is not int or max_age_s < 1:
        raise PolicyMisunderstood(detail="reauthenticate does not say how lately")
    if not isinstance(acr, list) or not all(isinstance(one, str) for one in acr):
        raise PolicyMisunderstood(detail="reauthenticate does not say how strongly")
    signed_in, subject = asking.subject.auth_time, asking.subject
    fresh = signed_in is not None and asking.now - signed_in <= timedelta(seconds=max_age_s)
    if not fresh or (acr and subject.acr not in acr):
        raise Refused(
            f"Sign in again to ask this: your last sign-in must be at most {max_age_s // 60} "
            "minutes ago" + (f", by one of {', '.join(acr)}." if acr else "."),
            rule="obligation.reauthenticate",
            contact="gateway",
            detail="obligation reauthenticate",
        )


def time_box(obligation: Obligation, asking: Asking) -> None:
    """What is shown is told to be for a time only, and its links end with it: `pipeline.shaped`.

    Raises:
        PolicyMisunderstood: it does not say for how long.
    """
    time_box_s([obligation])


def time_box_s(obligations: Iterable[Obligation]) -> int | None:
    """For how many seconds an answer may be shown; None for no bound.

    Raises:
        PolicyMisunderstood: one that cannot be read.
    """
    found: list[int] = []
    for one in obligations:
        if one.type == "time_box":
            seconds = one.attributes.get("seconds")
            if one.attributes.keys() != {"seconds"} or type(seconds) is not int or seconds < 1:
                raise PolicyMisunderstood(detail="time_box does not say for how long")
            found.append(seconds)
    return min(found, default=None)


def watermark(obligation: Obligation, asking: Asking) -> None:
    """The answer says, for the app to show across it, whose it is: `pipeline.shaped`.

    Raises:
        PolicyMisunderstood: it says more than we know.
    """
    if obligation.attributes:
        raise PolicyMisunderstood(detail="watermark takes no attributes")


def witnessed(obligation: Obligation, asking: Asking) -> None:
    """The log's witnesses have seen that it was answered before it is: `pipeline.answer`.

    Raises:
        PolicyMisunderstood: it does not say for how long they are waited for.
    """
    witnessed_s([obligation])


def witnessed_s(obligations: Iterable[Obligation]) -> int | None:
    """For how many seconds the witnesses are waited for; None where they need not be.

    Raises:
        PolicyMisunderstood: one that cannot be read.
    """
    found: list[int] = []
    for one in obligations:
        if one.type == "witnessed":
            seconds = one.attributes.get("within_s")
            if one.attributes.keys() != {"within_s"} or type(seconds) is not int or seconds < 1:
                raise PolicyMisunderstood(detail="witnessed does not say within what time")
            found.append(seconds)
    return min(found, default=None)


OBLIGATIONS: Mapping[str, Duty] = MappingProxyType(
    {
        "break_glass": break_glass,
        "budget": budget,
        "notify_owner": notify_owner,
        "reauthenticate": reauthenticate,
        "record_outcome": record_outcome,
        "require_reason": require_reason,
        "second_person": second_person,
        "time_box": time_box,
        "watermark": watermark,
        "witnessed": witnessed,
    }
)


def carry_out(obligations: Iterable[Obligation], asking: Asking) -> None:
    """Carry out every obligation, in order.

    Raises:
        GatewayError: one of them cannot be fulfilled for this query.
        KeyError: an unknown one, which `authorise` has refused before.
    """
    for obligation in obligations:
        OBLIGATIONS[obligation.type](obligation, asking)
