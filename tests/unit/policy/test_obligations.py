"""An obligation is carried out, or the query ends."""

from __future__ import annotations

import pytest

from gateway.errors import PurposeRequired
from gateway.model import Justification, Obligation
from gateway.policy.obligations import carry_out

REASON = Obligation(type="require_reason")


def why(text: str | None) -> Justification:
    return Justification(purpose="OFFICER_SAFETY", reason_code="R01", reason_text=text)


def test_a_reason_in_words_fulfils_it() -> None:
    carry_out([REASON], why("necessary because"))
    carry_out([], None)


@pytest.mark.parametrize("given", [None, why(None), why("  ")])
def test_without_one_the_query_ends(given: Justification | None) -> None:
    with pytest.raises(PurposeRequired) as raised:
        carry_out([REASON], given)
    assert "reasonText" in raised.value.said


def test_an_unknown_one_is_never_skipped() -> None:
    with pytest.raises(KeyError):
        carry_out([Obligation(type="notify_owner")], why("x"))
