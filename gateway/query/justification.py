"""Why somebody asks, as it comes with a request: read strictly, before anything is planned."""

from __future__ import annotations

import re

from gateway.errors import PurposeRequired
from gateway.model import Justification

_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_TEXTS = {
    "purpose": 64,
    "reasonCode": 8,
    "reasonText": 2000,
    "caseRef": 64,
    "incidentRef": 64,
    "onBehalfOf": 128,
    "breakGlass": 2000,
}


def read_justification(given: object, *, needed: bool) -> Justification | None:
    """Read `extensions.justification` strictly.

    Raises:
        PurposeRequired: naming the part that is missing or malformed.
    """
    if given is None:
        if needed:
            raise PurposeRequired
        return None
    if not isinstance(given, dict):
        raise PurposeRequired("extensions.justification must be an object.")
    for name in given:
        if name not in _TEXTS:
            raise PurposeRequired(f"extensions.justification knows only {', '.join(_TEXTS)}.")
    texts: dict[str, str | None] = {}
    for name, most in _TEXTS.items():
        value = given.get(name)
        if value is not None and (not isinstance(value, str) or not 0 < len(value) <= most):
            raise PurposeRequired(
                f"extensions.justification.{name} must be a text of 1 to {most} characters."
            )
        texts[name] = value
    purpose, reason = texts["purpose"], texts["reasonCode"]
    for name in ("purpose", "reasonCode"):
        if texts[name] is not None and not _CODE.fullmatch(str(texts[name])):
            # codes stand in the log for ever, where no text of the caller's may
            raise PurposeRequired(f"extensions.justification.{name} is a code, like in the list.")
    if purpose is None or reason is None:
        missing = "purpose" if purpose is None else "reasonCode"
        raise PurposeRequired(f"extensions.justification.{missing} is missing.")
    return Justification(
        purpose=purpose,
        reason_code=reason,
        reason_text=texts["reasonText"],
        case_ref=texts["caseRef"],
        incident_ref=texts["incidentRef"],
        on_behalf_of=texts["onBehalfOf"],
        break_glass=texts["breakGlass"],
    )
