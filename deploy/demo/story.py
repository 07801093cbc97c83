"""The questions of the demonstration's story, as the apps of its personas send them. Only data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCUMENTS = Path(__file__).parent / "documents"

# Until matching comes the app sends alternatives: three spellings, a document, a phone.
WHO: tuple[Mapping[str, Any], ...] = (
    {"family": "Hodja", "dob": "1991-04"},
    {"family": "Hoxha", "dob": "1991-04"},
    {"family": "Hoxhaj", "dob": "1991-04"},
    {"identifier": "BA4417093"},
    {"phone": "+447700900417"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One question: who asks, what for, and what happens."""

    id: str
    title: str
    persona: str  # code of deploy.demo.personas
    document: str  # a file of `documents/`
    variables: Mapping[str, Any]
    justification: Mapping[str, Any]
    sentence: str

    @property
    def text(self) -> str:
        return (DOCUMENTS / f"{self.document}.graphql").read_text("utf-8")


STEPS: tuple[Step, ...] = (
    Step(
        id="arrival",
        title="On the beach: who is this, and who can help him?",
        persona="AO",
        document="arrival",
        variables={"who": WHO},
        justification={
            "purpose": "PROTECT_VULNERABLE",
            "reasonCode": "R04",
            "reasonText": "Debrief on arrival, signs of exploitation",
            "incidentRef": "SC-26-0004512",
        },
        sentence=(
            "An arrival officer asks for a man whose name six agencies spell in six ways. "
            "Each agency's own system answers for itself; every field is decided."
        ),
    ),
    Step(
        id="street-stop",
        title="In the street: is anybody in danger?",
        persona="RO",
        document="street_stop",
        variables={"who": WHO},
        justification={
            "purpose": "OFFICER_SAFETY",
            "reasonCode": "R01",
            "incidentRef": "NM-26-0020117",
        },
        sentence=(
            "A response officer asks the same for officer safety: warnings come in clear, "
            "intelligence is a hit: the line that bears on safety, and the desk to call."
        ),
    ),
    Step(
        id="immigration-control",
        title="The same man, for immigration control",
        persona="IE",
        document="arrival",
        variables={"who": WHO},
        justification={
            "purpose": "IMMIGRATION_CONTROL",
            "reasonCode": "R04",
            "reasonText": "Casework review",
            "caseRef": "BID-26-000731",
        },
        sentence=(
            "Immigration control is not a crime purpose: what the state knows of him as a "
            "possible victim answers as if nothing were held."
        ),
    ),
    Step(
        id="vehicle-stop",
        title="At the roadside: a plate",
        persona="RO",
        document="vehicle_stop",
        variables={"vrm": "SN68 BTX"},
        justification={
            "purpose": "OFFICER_SAFETY",
            "reasonCode": "R02",
            "incidentRef": "NM-26-0020118",
        },
        sentence=(
            "Two forces hold the vehicle. No source here knows its keeper, and the answer says so "
            "until the licensing register joins (docs/onboarding.md)."
        ),
    ),
    Step(
        id="not-investigated",
        title="Groups that nobody investigates",
        persona="NO",
        document="groups_uninvestigated",
        variables={},
        justification={
            "purpose": "STRATEGIC_REPORTING",
            "reasonCode": "R10",
            "reasonText": "Groups graded low though the harm is high",
        },
        sentence=(
            "What inspectors asked for: groups believed to be in organised immigration crime, "
            "not investigated, graded low though the harm is high."
        ),
    ),
)
