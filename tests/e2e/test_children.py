"""A child by any source's date is protected in every source: GOLD-6, an adult by NMC's records."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.asking import Answer, Asker
from tests.e2e.test_cells import GOLD_6

AGES = """query ($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) {
  hits { owner dateOfBirth ageState match { band } } matches { owners } } }"""
HELD = "query ($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits { owner } } }"
AT_NMC = {"family": "Nguyen", "given": "Khanh", "dob": "2005-02-11"}
GROWN_UP = {"family": "Hoxha", "given": "Arben", "dob": "1991-04-17"}


def who_holds(answer: Answer) -> set[str]:
    told = answer.body["extensions"]["disclosure"]
    return {one["agency"] for one in told if one["outcome"] == "HIT"}


async def test_a_partner_abroad_is_not_told_of_a_child_by_another_agencys_date(
    asker: Asker,
) -> None:
    """Whether the child's own record is among those that the question finds or not."""

    async def held(*who: dict[str, Any]) -> set[str]:
        answer = await asker.ask("FL", HELD, {"n": list(who)}, purpose="OIC_INVESTIGATION")
        assert answer.data == {"personSearch": {"hits": []}}
        return who_holds(answer)

    assert await held(GROWN_UP) >= {"NMC"}  # whose passport is an adult's, at BID as well
    assert "NMC" not in await held(AT_NMC)
    assert "NMC" not in await held(AT_NMC, *GOLD_6)
    assert "NMC" in await held(AT_NMC, GROWN_UP)


@pytest.mark.parametrize(
    ("persona", "purpose"),
    [("RO", "PROTECT_VULNERABLE"), ("RO", "OFFICER_SAFETY"), ("AO", "PROTECT_VULNERABLE"),
     ("RA", "OIC_INVESTIGATION"), ("NO", "OIC_INVESTIGATION"), ("PP", "PROTECT_VULNERABLE")],
)  # fmt: skip
async def test_nobody_is_told_that_a_child_by_another_date_is_an_adult(
    asker: Asker, persona: str, purpose: str
) -> None:
    """The dates stand side by side with their sources; neither proves an adult."""
    answer = await asker.ask(persona, AGES, {"n": [AT_NMC, *GOLD_6]}, purpose=purpose)
    said = {(hit["owner"], hit["dateOfBirth"]): hit["ageState"] for hit in answer.hits()}
    assert said[("BID", "2009-02-11")] == "CHILD"
    assert said[("NMC", "2005-02-11")] == "DISPUTED"
    alone = await asker.ask(persona, AGES, {"n": [GROWN_UP]}, purpose=purpose)
    assert {hit["ageState"] for hit in alone.hits(owner="NMC")} == {"ADULT"}
