"""What the gateway can carry out as a condition of a permission: one function for each.

A decision that names anything else is refused: a permission given on a condition that nobody
fulfils is no permission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from gateway.errors import PurposeRequired
from gateway.model import Justification, Obligation

Duty: TypeAlias = Callable[[Obligation, Justification | None], None]
"""Fulfils an obligation before any source is visited, or raises a GatewayError."""


def require_reason(obligation: Obligation, justification: Justification | None) -> None:
    """The caller gives a reason in words.

    Raises:
        PurposeRequired: there is none.
    """
    if justification is None or not (justification.reason_text or "").strip():
        raise PurposeRequired(
            "This needs a reason in words: send extensions.justification.reasonText.",
            detail=f"obligation {obligation.type}",
        )


OBLIGATIONS: Mapping[str, Duty] = MappingProxyType({"require_reason": require_reason})


def carry_out(obligations: Iterable[Obligation], justification: Justification | None) -> None:
    """Carry out every obligation, in order.

    Raises:
        GatewayError: one of them cannot be fulfilled for this query.
        KeyError: an unknown one, which `authorise` has refused before.
    """
    for obligation in obligations:
        OBLIGATIONS[obligation.type](obligation, justification)
