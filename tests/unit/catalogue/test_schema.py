"""The schema: every field classified, nothing hidden in it, the officers' queries valid."""

from __future__ import annotations

import re

import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLNonNull,
    GraphQLObjectType,
    build_schema,
    parse,
    validate,
)

from gateway.catalogue.schema import GIVEN, camel
from gateway.catalogue.vocabulary import Component, Entity
from tests.unit.query.world import schema, vocabulary

# The officers' queries of the domain model whose root fields exist.
QUERIES = {
    "q1": """query StreetStop($n: PersonCriteria!) { personSearch(anyOf: [$n], first: 5) { total
  hits { primaryName dateOfBirth sex warnings { kind reason } alerts { kind power contact discreet }
  identifiers { kind value } safeguarding { kind } immigration { status absconder }
  intelligence { urn } images { ref } match { band } } } }""",
    "q2": """query Stop($v: Vrm!) { vehicle(vrm: $v) { make colour stolen falsePlateSuspected
  insured
  markers { kind } keeper { primaryName addresses { location { postcode } } }
  sightings(last: "P1D") { when camera } } }""",
    "q3": """query Arrival($n: PersonCriteria!) { personSearch(anyOf: [$n], first: 20) { hits {
  owner system primaryName names { full kind script } dateOfBirth dobQuality
  nationalities { country claimed } encounters { when where { postcode } method debrief }
  immigration { status caseState } offending { offenceCode date } groups { group { ref } role }
  safeguarding { kind state } match { score band features { name weight withheld } } } } }""",
    "q4": """query Phone($p: String!) { contactLookup(kind: PHONE, value: $p) { firstSeen lastSeen
  holders { primaryName owner match { band } }
  intel: links(kinds: [USES_PHONE, CONTACTED]) { kind to { ... on Person { primaryName }
  ... on IntelligenceReport { urn sanitisedText } } grade } } }""",
    "q5": """query Face($f: FaceProbe!) { faceSearch(probe: $f, maxCandidates: 10) { threshold
  modelVersion gallerySize notice candidates { rank score band image { ref expires }
  person { primaryName owner } } } }""",
    "q6": """query Ocg($r: String!) { organisedGroups(by: {ref: $r}) { hits { ref name oic region
  leadAgency investigation attributeBand thematicTotal lastReview sameAs
  members { role confidence person { primaryName dateOfBirth } }
  disruptions { date strand grade contributors } } } }""",
    "q7": """query Gap { organisedGroups(by: {oic: true, investigation: NONE, thematicTotalGte: 30,
  attributeBandIn: [LOW]}, first: 50) { total hits { ref region leadAgency attributeBand
  thematicTotal } } }""",
    "q9": """query Intel($r: OpaqueRef!) { intelligence(ref: $r) { urn date sourceGrade infoGrade
  handling conditions title text sanitisedText paragraphs { text handling conditions } } }""",
    "q11": """query Safe($n: PersonCriteria!) { personSearch(anyOf: [$n]) { hits { primaryName
  dateOfBirth safeguarding { kind state } events: eventsAs(role: VICTIM) { ref when flags }
  immigration { status } addresses { kind location { postcode } } } } }""",
}


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_the_officers_queries_are_valid(name: str) -> None:
    assert validate(schema().graphql, parse(QUERIES[name])) == []


def test_names_become_camel_case_and_find_their_way_back() -> None:
    assert camel("date_of_birth") == "dateOfBirth"
    assert camel("as_at") == "asAt"
    assert schema().names["Person", "dateOfBirth"] == "date_of_birth"
    assert schema().names["Occupancy", "from"] == "from"


def test_hidden_fields_are_nowhere_in_the_schema() -> None:
    held = vocabulary()
    owners: list[Entity | Component] = [*held.entities.values(), *held.components.values()]
    assert schema().graphql.get_type("Operation") is None  # nothing leads to it yet
    for owner in (one for one in owners if one.name != "Operation"):
        name = owner.name
        kind = schema().graphql.get_type(name)
        fields = kind.fields if isinstance(kind, GraphQLObjectType) else {}
        for field in owner.fields.values():
            assert (camel(field.name) in fields) is (not field.hidden), (name, field.name)
    assert schema().graphql.get_type("Participant") is not None
    assert schema().graphql.get_type("Holder") is None  # nothing of it is visible


def test_az_27_only_what_the_gateway_itself_gives_is_never_null() -> None:
    never = {camel(name) for name in GIVEN}
    for name, kind in schema().graphql.type_map.items():
        if not isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) or name.startswith("__"):
            continue
        if name in {"Query", "SourceState"}:
            continue  # the gateway's own
        for field_name, field in kind.fields.items():
            bears = isinstance(field.type, GraphQLNonNull)
            assert not bears or field_name in never, (name, field_name)


def test_az_22_no_scalar_can_hold_nested_data() -> None:
    names = {"JSON", "JSONString", "GenericScalar", "Any"}
    assert not names & set(schema().graphql.type_map)


def test_there_is_no_mutation_and_no_subscription() -> None:
    assert schema().graphql.mutation_type is None
    assert schema().graphql.subscription_type is None


def test_az_20_every_field_of_the_sdl_bears_its_classification() -> None:
    text = schema().sdl()
    build_schema(_with_directive_types(text))  # it reads as a schema
    held = vocabulary()
    for name in {**held.entities, **held.components}:
        block = re.search(rf"^type {name}\b.*?^}}", text, re.M | re.S)
        lines = block[0].splitlines() if block else []
        for line in lines:
            matched = re.match(r"  (\w+)(\(.*\))?: ", line)
            if matched and matched[1] not in {camel(n) for n in GIVEN}:
                assert "@classify(marking: " in line, (name, line)
    assert "primaryName: String @classify(marking: O, sens: S1, masks: [REDACT, TOKEN])" in text
    assert re.search(r"vehicles\(first: Int = 20\): .* @classify\(marking: OS, sens: S2\)", text)


def _with_directive_types(text: str) -> str:
    return text + (
        "\nenum Sens { S0 S1 S2 S3 S4 S5 }\nenum MaskKind { "
        "NULL REDACT YEAR MONTH_YEAR LAST4 FIRST_OUT AGE_BAND GRID_1KM TOKEN SANITISED_TEXT BAND "
        "COUNT_ONLY HIT_ONLY }\n"
    )


def test_an_interface_has_what_its_members_share() -> None:
    event = schema().graphql.get_type("Event")
    assert isinstance(event, GraphQLInterfaceType)
    assert {"when", "where", "eventRef", "owner", "handling"} <= set(event.fields)
    assert "debrief" not in event.fields
    linked = schema().graphql.get_type("Linked")
    assert isinstance(linked, GraphQLInterfaceType)
    assert "primaryName" not in linked.fields
