"""What auditors, supervisors and desks do with the record: what its pages need, and share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request as HttpRequest

from gateway.actions.asking import Asking
from gateway.actions.recalling import Recalling
from gateway.actions.reviewing import Reviewing
from gateway.actions.sampling import Sampling
from gateway.audit.inquiry import Auditor, Inquiry
from gateway.audit.queues import Queues
from gateway.audit.uses import USES
from gateway.casework.store import Store
from gateway.errors import MalformedRequest
from gateway.web.access import Form, signed_in
from gateway.web.receiving import blank

USE_PAGE: Final = "/console/audit/use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What these pages need of the application."""

    inquiry: Inquiry
    store: Store
    queues: Queues
    reviewing: Reviewing
    sampling: Sampling
    asking: Asking
    recalling: Recalling
    agencies: Collection[str]  # whose people sign in here
    clock: Callable[[], datetime]
    new_id: Callable[[], str]


def auditor_of(http: HttpRequest, work: Work) -> Auditor | None:
    """Who looks, and for what; None for whoever has not said for what."""
    session = signed_in(http)
    if session.use not in USES:
        return None
    request = blank(http, work.clock())
    return Auditor(request=request, subject=session.subject, use=session.use)


def one(form: Form, name: str) -> str:
    """The first value of a field, "" where there is none."""
    return next(iter(form.get(name, ())), "")


def number_of(text: str, name: str) -> int:
    """A number that somebody typed.

    Raises:
        MalformedRequest: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise MalformedRequest(f"{name}: a number.")
    return int(text)


def day_of(text: str, name: str) -> datetime | None:
    """The beginning of a day in UTC; None where nothing was typed.

    Raises:
        MalformedRequest: it is no day.
    """
    if not text:
        return None
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise MalformedRequest(f"{name}: a day is like 2026-11-01.") from None
    return day
