"""Policy questions written out by hand for each persona, and how a decision on them reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any, TypeAlias

from connectors.conditions import Condition, holds
from deploy.demo.personas import PERSONAS
from gateway.model import Decision, Manner, Ruling, Show
from gateway.policy.contract import ATTRIBUTES
from gateway.policy.pdp import Pdp
from tests.opa import opa

Resources: TypeAlias = dict[str, dict[str, Any]]
Ask: TypeAlias = Callable[..., Awaitable[Decision]]

TYPES: Mapping[str, str] = MappingProxyType(
    {
        "names": "PersonName", "identifiers": "Identifier", "contacts": "ContactPoint",
        "addresses": "Occupancy", "addresses.location": "Place", "warnings": "Warning",
        "alerts": "Alert", "offending": "Offence", "immigration": "ImmigrationStatus",
        "safeguarding": "SafeguardFlag", "nationalities": "Nationality",
        "match": "MatchExplanation",
        "match.features": "MatchFeature", "markers": "Warning", "point": "Point", "where": "Place",
        "screened_needs": "SafeguardFlag", "paragraphs": "ReportParagraph",
        "thematic_scores": "ThematicScores", "person_keys": "Holder",
    }
)  # fmt: skip
RECORD = {
    "retention": "CURRENT", "marking": "OFFICIAL", "silent": False, "victim": False,
    "dob_claimed": False,
    "collected_for": ["PREVENT_DETECT_CRIME"],
}  # fmt: skip
BAND = ("LINKED_BY_IDENTIFIER", "LIKELY", "POSSIBLE")


MAY_ASK = [
    ("RO", "OFFICER_SAFETY"), ("SG", "OFFICER_SAFETY"), ("RO", "PREVENT_DETECT_CRIME"),
    ("RO", "APPREHEND"), ("RO", "PROTECT_VULNERABLE"), ("RO", "MISSING_PERSON"),
    ("IE", "IMMIGRATION_CONTROL"), ("IE", "BORDER_SECURITY"), ("IE", "OFFICER_SAFETY"),
    ("IEC", "OIC_INVESTIGATION"), ("RA", "OIC_INVESTIGATION"), ("RA", "PREVENT_DETECT_CRIME"),
    ("NO", "OFFICER_SAFETY"), ("NO", "PROTECT_VULNERABLE"), ("NO", "OIC_INVESTIGATION"),
    ("AO", "PROTECT_VULNERABLE"), ("AO", "OIC_INVESTIGATION"), ("AO", "BORDER_SECURITY"),
    ("AO", "OFFICER_SAFETY"), ("BF", "BORDER_SECURITY"), ("BF", "OFFICER_SAFETY"),
    ("BF", "PROTECT_VULNERABLE"), ("PP", "PROTECT_VULNERABLE"), ("PP", "MISSING_PERSON"),
]  # fmt: skip
SAFE = ("OFFICER_SAFETY", "PROTECT_VULNERABLE", "MISSING_PERSON")


@asynccontextmanager
async def asking() -> AsyncIterator[Ask]:
    """Asks the deployed policies in a real Open Policy Agent."""
    with opa() as port:
        # a busy machine may take long over one answer; what a decision costs is measured elsewhere
        pdp = Pdp(port=port, timeout_s=5.0)
        await pdp.start()

        async def asked(code: str, purpose: str, reason: str, resources: Resources) -> Decision:
            return await pdp.decide(question(code, purpose, reason, resources))

        try:
            yield asked
        finally:
            await pdp.aclose()


def question(code: str, purpose: str, reason: str, resources: Resources) -> dict[str, Any]:
    persona = PERSONAS[code]
    return {
        "version": 1,
        "action": {"name": "query"},
        "subject": {
            "type": "officer",
            "id": persona.sub,
            "agency": persona.agency,
            "roles": list(persona.roles),
            "clearance": persona.clearance,
            "training": list(persona.training),
            "on_duty": True,
            "as_at": dict.fromkeys(ATTRIBUTES, "2025-03-01T06:00:00Z"),
            "said_by": dict.fromkeys(ATTRIBUTES, "https://issuer.example"),
            "app": persona.app,
        },
        "context": {
            "time": "2025-03-01T10:00:00Z",
            "query_id": "q",
            "purpose": purpose,
            "reason_code": reason,
            "reason_given": True,
            "case_given": True,
            "case_form": "AA/9999/999999",
            "incident_given": True,
            "on_behalf_of": "demo-nmc-0001" if code == "SG" else None,
            "break_glass": False,
        },
        "resources": resources,
    }


def fetch(
    id_: str,
    agency: str,
    entity: str,
    read: str = "",
    *,
    parent: str | None = None,
    uses: Mapping[str, list[str]] | None = None,
    **parts: str,
) -> Resources:
    """A fetch and its components; `addresses__location` is the component of a component."""
    source = {"source": agency.lower(), "agency": agency, "limit": 20}
    resources: Resources = {
        id_: {**source, "entity": entity, "parent": parent, "read": read.split(),
              "uses": dict(uses or {})}
    }  # fmt: skip
    for name, fields in parts.items():
        path = name.replace("__", ".")
        reveal = {"reveal": ["date_of_birth", "names", "safeguarding"]}
        counted = {"count": ["serious"]}
        resources[f"{id_}.{path}"] = {
            **source, "entity": TYPES[path], "parent": id_, "read": fields.split(),
            "uses": reveal if path == "identifiers" else counted if path == "offending" else {},
        }  # fmt: skip
    return resources


def q1(agency: str) -> Resources:
    """The street stop, of one agency."""
    return {
        **fetch(
            "f0", agency, "Person",
            "primary_name date_of_birth dob_claimed sex ref",
            uses={"filter": ["names.family", "names.given", "date_of_birth", "identifiers.value",
                             "contacts.value"],
                  "match": ["names.family", "identifiers.value"]},
            names="full given family kind", warnings="kind reason",
            alerts="kind power contact discreet", identifiers="kind value",
            safeguarding="kind", immigration="status absconder", match="band",
        ),
        **fetch("f1", agency, "IntelligenceReport", "urn ref", parent="f0",
                uses={"link": ["subjects.person_key"]}),
        **fetch("f2", "NIS", "ImageRef", "ref", parent="f0", uses={"link": ["subject"]}),
    }  # fmt: skip


def q2(agency: str) -> Resources:
    """The vehicle stop, of one agency."""
    return {
        **fetch("f0", agency, "Vehicle",
                "make colour stolen false_plate_suspected insured ref",
                uses={"filter": ["vrm"]}, markers="kind"),
        **fetch("f1", agency, "Person", "primary_name", parent="f0",
                uses={"link": ["native_key"]}, names="full given family kind",
                addresses="", addresses__location="postcode"),
        **fetch("f2", agency, "Sighting", "when camera", parent="f0",
                uses={"link": ["vrm"], "filter": ["when"]}, point="lat lon"),
    }  # fmt: skip


def q3(agency: str) -> Resources:
    """The arrival, of one agency."""
    return {
        **fetch(
            "f0", agency, "Person", "primary_name date_of_birth dob_claimed dob_quality ref",
            uses={"filter": ["names.family"]}, names="full kind script given family",
            nationalities="country claimed", immigration="status case_state",
            offending="offence_code date", safeguarding="kind state",
            match="score band", match__features="name weight withheld",
        ),
        **fetch("f1", agency, "Encounter", "when method debrief", parent="f0",
                uses={"link": ["person_key"]}, where="postcode", screened_needs="kind"),
        **fetch("f2", agency, "GroupMembership", "role", parent="f0",
                uses={"link": ["person_key"]}),
    }  # fmt: skip


# --- reading a decision --------------------------------------------------------------------------


def manner(ruling: Ruling, field: str, **record: Any) -> str | None:
    """How the field of such a record or element is shown; None if it is not."""
    whole = _in_force(ruling.whole, {"handling": "P", **record})
    return _in_force(ruling.read.get(field), record) if whole == "CLEAR" else whole


def _in_force(manner: Manner | None, record: Mapping[str, Any]) -> str | None:
    if manner is None or isinstance(manner, str):
        return manner
    return next((case.manner for case in manner if holds(case.when, record)), None)


def sees(ruling: Ruling, **record: Any) -> bool:
    """Whether such a record or element is among the rows that may be seen."""
    return ruling.limit > 0 and holds(ruling.rows, {**RECORD, **record})


def clear(ruling: Ruling, *fields: str) -> bool:
    return ruling.show is Show.RECORDS and all(ruling.read.get(f) == "CLEAR" for f in fields)


def withheld(ruling: Ruling) -> bool:
    """Nothing is shown, and a desk and a next step are named."""
    note = ruling.notes.get("")
    return ruling.show is None and note is not None and bool(note.desk and note.action)


def hit(ruling: Ruling, desk: str = "") -> bool:
    note = ruling.notes.get("")
    named = note is not None and bool(note.desk and note.action) and note.desk.endswith(desk)
    return ruling.show is Show.HIT and ruling.limit == 1 and not ruling.read and named


def silent(ruling: Ruling) -> bool:
    """Exactly a silence: nothing beside it."""
    return ruling == Ruling(show=Show.SILENT)


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    parts: tuple[Condition, ...] = getattr(condition, "parts", (condition,))
    return parts


def images(ruling: Ruling) -> dict[str | None, str | None]:
    return {band: manner(ruling, "ref", match_band=band) for band in (*BAND, None)}
