"""Whatever is withheld or only a hit names whom to ask and what to do now, whoever asks for what.

Each persona asks under each purpose of its roles; the questions take turns.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deploy.demo.personas import PERSONAS
from deploy.demo.story import DOCUMENTS, WHO
from deploy.demo.world.vehicles import GOLD_VRM
from gateway.cli.common import ROOT
from tests.e2e.asking import Answer, Asker
from tests.e2e.test_cells import GOLD_6, Q1, Q3
from tests.e2e.test_scan import VARIABLES
from tests.e2e.test_vehicle_cells import Q2

PHONE = """query($p: String!) { contactLookup(kind: PHONE, value: $p) {
  owner holders { primaryName } links(kinds: [USES_PHONE]) { kind } } }"""
PLACE = """query($c: Postcode!) { locationSearch(by: {postcode: $c}) {
  owner line postcode occupants { primaryName } events { eventRef narrative } } }"""
GROUPS = """{ organisedGroups(by: {oic: true}) { total hits {
  owner name thematicTotal members { role } disruptions { summary } } } }"""
WIDE = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n) { hits {
  owner ethnicity { selfDefined } custody { ref } stops { eventRef } offending { court }
  vehicles { vrm } images { ref } intelligence { title text } links(kinds: [USES_PHONE]) { kind }
  addresses { kind location { postcode point { lat } } } } } }"""
Question = tuple[str, Mapping[str, Any]]
QUESTIONS: Mapping[str, Question] = {
    **{
        name: ((DOCUMENTS / f"{name}.graphql").read_text("utf-8"), variables)
        for name, variables in VARIABLES.items()
    },
    "q1": (Q1, {"n": WHO}),
    "q2": (Q2, {"v": GOLD_VRM}),
    "q3": (Q3, {"n": GOLD_6}),
    "phone": (PHONE, {"p": "+447700900417"}),
    "place": (PLACE, {"c": "SQ1"}),
    "groups": (GROUPS, {}),
    "wide": (WIDE, {"n": WHO}),
}


def asked() -> Iterator[tuple[str, str, str]]:
    """Persona, purpose, question: each pair of the first two meets one question or two, and eight
    pairs that follow each other meet them all."""
    roles = json.loads((ROOT / "policies/tables/roles/data.json").read_text("utf-8"))
    number = 0
    for code, persona in PERSONAS.items():
        held = {p for role in persona.roles for p in roles.get(role, {}).get("purposes", [])}
        for purpose in sorted(held) or ["OVERSIGHT"]:
            number += 1
            for at, name in enumerate(QUESTIONS):
                if at % 8 == number % 8:
                    yield code, purpose, name


async def ask(asker: Asker, code: str, purpose: str, name: str) -> Answer:
    text, variables = QUESTIONS[name]
    behalf = {"onBehalfOf": PERSONAS["RO"].sub} if code == "SG" else {}
    return await asker.ask(code, text, variables, purpose=purpose, **behalf)


@pytest.mark.timeout(180)
async def test_every_withheld_or_hit_names_a_desk_and_a_next_step(asker: Asker) -> None:
    seen: Counter[str] = Counter()
    nameless = []
    for code, purpose, name in asked():
        answer = await ask(asker, code, purpose, name)
        if answer.status != 200:
            error = answer.body["errors"][0]["extensions"]
            seen[error["code"]] += 1
            if not error.get("contact"):
                nameless.append((code, purpose, name, error["code"], error.get("rule")))
            continue
        for entry in answer.body["extensions"]["disclosure"]:
            seen[entry["outcome"]] += 1
            said = entry.get("contact") and entry.get("action")
            if entry["outcome"] in {"WITHHELD", "HIT"} and not said:
                nameless.append((code, purpose, name, entry["path"], entry.get("rule")))
    assert nameless == []
    assert set(PERSONAS) == {code for code, _, _ in asked()}
    assert {name for _, _, name in asked()} == set(QUESTIONS)
    assert min(seen["WITHHELD"], seen["HIT"], seen["REFUSED"]) > 20, seen
