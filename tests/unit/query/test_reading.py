"""What is read of each part, and what rows depend on."""

from __future__ import annotations

from gateway.model import Plan
from tests.unit.query.world import REFS, operation, plan_of, planned, search


def parts(plan: Plan, at: int = 0) -> dict[str, tuple[set[str], set[tuple[str, str]]]]:
    return {
        part.path: (set(part.reads), {(str(use), name) for use, name in part.uses})
        for part in plan.fetches[at].parts
    }


def test_filters_are_uses_wherever_they_look() -> None:
    criteria = '{family: "Hodja", given: "Arben", dob: "1991"}, {identifier: "A1234567"}'
    assert parts(planned(search("sex", criteria)), 1)[""] == (
        {"ref", "sex"},
        {
            ("filter", "names.family"),
            ("filter", "names.given"),
            ("filter", "date_of_birth"),
            ("filter", "identifiers.value"),
            ("identify", "identifiers.value"),
        },
    )


def test_links_are_uses_of_both_ends() -> None:
    document = search("vehicles { make }", '{family: "Hodja"}')
    plan = planned(document)
    assert ("link", "native_key") in parts(plan)[""][1]
    assert parts(plan, 1)[""] == ({"ref", "make"}, {("link", "person_key")})
    dated = planned('{ vehicle(vrm: "AB12CDE") { sightings(last: "P1D") { camera } } }')
    assert parts(dated, 1)[""][1] == {("link", "vrm"), ("filter", "when")}


def test_a_component_is_a_part_of_its_own_and_one_within_it_too() -> None:
    inner = "addresses { kind location { postcode point { lat } } }"
    made = parts(planned(search(inner, '{family: "Hodja"}')))
    assert made["addresses"][0] == {"kind"}
    assert made["addresses.location"][0] == {"postcode"}
    assert made["addresses.location.point"][0] == {"lat"}


def test_a_record_is_named_and_an_element_anchored_whatever_is_selected() -> None:
    made = parts(planned(search("owner identifiers { __typename }")))
    assert made[""][0] == {"ref"}
    assert made["identifiers"][0] == {"kind"}


def test_a_field_that_tells_another_is_a_use_of_it() -> None:
    made = parts(planned(search("identifiers { kind value }")))
    told = {"date_of_birth", "names", "nationalities", "safeguarding"}
    matched = {("match", "kind"), ("match", "value")}  # whoever is found is matched
    assert made["identifiers"] == (
        {"kind", "value"},
        {("reveal", name) for name in told} | matched,
    )


def test_policy_is_asked_of_what_is_told_and_nobody_reads_it() -> None:
    fetch = planned(search("names { full } identifiers { value }")).fetches[0]
    assert fetch.part("").filters == {"date_of_birth"}
    assert fetch.part("").reads == {"ref"}
    assert {"given", "full", "script"} <= fetch.part("names").filters
    assert {part.path: part.filters for part in fetch.told} == {
        "nationalities": {"country", "claimed", "verified"},
        "safeguarding": {"kind", "state"},
    }
    assert not any(part.reads or part.uses for part in fetch.told)


def test_a_derived_field_is_read_with_all_it_rests_on() -> None:
    made = parts(planned(search("primaryName ageState", '{family: "Hodja"}')))
    assert made[""][0] == {"ref", "primary_name", "age_state", "date_of_birth", "dob_claimed"}
    assert made["names"][0] == {"given", "family", "kind"}  # north holds no whole names
    number = parts(planned(search("identifiers { checksumOk }", '{family: "Hodja"}')))
    assert number["identifiers"][0] == {"checksum_ok", "kind", "value"}


def test_matching_is_a_use_of_the_identifiers() -> None:
    for document in (
        search("match { band }"),
        '{ personSearch(anyOf: [{identifier: "A1234567"}]) { matches { band } hits { sex } } }',
    ):
        made = parts(planned(document))
        assert made["identifiers"] == (set(), {("match", "kind"), ("match", "value")})
        assert "match" in made


def test_faces_are_a_use_of_the_likeness_alone() -> None:
    ref = REFS.seal("NORTH", "north", "ImageRef", 7)
    document = "query ($r: OpaqueRef!) { faceSearch(probe: {ref: $r}) { candidates { rank } } }"
    assert plan_of(operation(document, {"r": ref})).fetches == ()  # nobody here has a gallery
