"""The life of one action at /casework, which is a query's with the gateway's own records in it:

    receive -> authenticate -> parse -> find what it is about -> ask -> record intent
            -> do it -> record outcome -> send

Each operation is one field, so that each action has its decision, its intent and its outcome. What
does not exist, is another agency's, or is a record that the caller may not see is null, the same.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from gateway.actions.call import Call, Office
from gateway.actions.keeping import (
    agree_to_erasure,
    agree_to_lift,
    erasures,
    holds,
    lift_hold,
    place_hold,
    request_erasure,
)
from gateway.actions.recording import (
    acknowledge_notice,
    countersign,
    notices,
    record_outcome,
    release_budget,
    to_countersign,
)
from gateway.actions.releasing import (
    decide_release,
    desk_queue,
    my_requests,
    request_release,
    revoke_release,
    standing_releases,
)
from gateway.audit.recorder import AuditedResponse, Record
from gateway.errors import CLIENT_GONE, GatewayError, Internal, InvalidOperation
from gateway.model import Operation, Request, Response, Selection, Subject
from gateway.pipeline import check_registered, failed
from gateway.query.operation import parse_request
from gateway.unforeseen import unforeseen

__all__ = ["Office", "act"]

_log = logging.getLogger(__name__)

Act: TypeAlias = Callable[[Call], Awaitable[Any]]
ACTS: Final[Mapping[str, Act]] = {
    "request_release": request_release,
    "decide_release": decide_release,
    "revoke_release": revoke_release,
    "acknowledge_notice": acknowledge_notice,
    "record_outcome": record_outcome,
    "countersign": countersign,
    "release_budget": release_budget,
    "to_countersign": to_countersign,
    "my_requests": my_requests,
    "desk_queue": desk_queue,
    "standing_releases": standing_releases,
    "notices": notices,
    "request_erasure": request_erasure,
    "agree_to_erasure": agree_to_erasure,
    "erasures": erasures,
    "place_hold": place_hold,
    "lift_hold": lift_hold,
    "agree_to_lift": agree_to_lift,
    "holds": holds,
}


async def act(office: Office, request: Request) -> AuditedResponse:
    """Take one action through its life.

    Raises:
        AuditUnavailable: it could not be recorded: either nothing was done, or what was done is
            not told.
    """
    gate = office.gate
    record = gate.audit.begin(request)
    record.data = False
    try:
        subject = await gate.identity.authenticate(request.authorization)
        record.known(subject=subject)
        operation = parse_request(request, office.parser, subject.app)
        record.known(operation=operation)
        check_registered(operation, subject, office.parser)
        response = await _response(office, request, subject, operation, record)
    except GatewayError as error:
        response = failed(error, request)
    except asyncio.CancelledError:
        await record.gone(Response(status=499, body={}, code=CLIENT_GONE))
        raise
    except Exception as error:
        _log.error("action %s failed: %s", request.id, unforeseen(error))
        response = failed(Internal(detail=type(error).__name__), request)
    return await record.outcome(response)


async def _response(
    office: Office, request: Request, subject: Subject, operation: Operation, record: Record
) -> Response:
    if operation.introspection is not None:
        return Response(status=200, body={"data": operation.introspection})
    try:
        (selection,) = operation.roots
        done = ACTS[selection.name]
    except (ValueError, KeyError):
        raise InvalidOperation("Send one action in each operation.") from None
    call = Call(
        office=office,
        request=request,
        subject=subject,
        operation=operation,
        selection=selection,
        record=record,
    )
    found = await done(call)
    return Response(status=200, body={"data": {selection.key: _told(selection, found)}})


def _told(selection: Selection, found: Any) -> Any:
    """The selected fields of what was found."""
    if found is None:
        return None
    if isinstance(found, list):
        return [_told(selection, one) for one in found]
    return {one.key: found[one.name] for one in selection.selections}
