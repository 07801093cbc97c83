"""The answer and what is said of it: cases, hits, counts, silence, standing notes, failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, Compare, Op
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    SANITISED_TEXT,
    SILENT,
    Case,
    Fetch,
    Grant,
    Manner,
    Note,
    Part,
    PartGrant,
    Response,
    Show,
    State,
)
from tests.unit.query import world
from tests.unit.query.world import answer, came, record

NOTE = Note(rule="r1", text="Ask the desk.", desk="desk-1", action="call")
PERSON = '{{ personSearch(anyOf: [{{family: "Hodja"}}]) {{ total next hits {{ {} }} }} }}'
BOTH = '{{ personSearch(anyOf: [{{identifier: "A1234567"}}]) {{ total next hits {{ {} }} }} }}'
OWN_P = (Case(Compare("handling", Op.EQ, "P"), CLEAR),)


def changed(resource: str, **fields: Any) -> world.Change:
    """All as it is, but for one part."""

    def change(name: str, grant: PartGrant) -> PartGrant:
        return replace(grant, **fields) if name == resource else grant

    return change


def read(resource: str, name: str, manner: Manner | None, note: Note = NOTE) -> world.Change:
    """All in clear, but for one field; None for a field that is not mentioned."""

    def change(at: str, grant: PartGrant) -> PartGrant:
        if at != resource:
            return grant
        kept = {n: m for n, m in grant.read.items() if n != name}
        return replace(
            grant, read=kept if manner is None else {**kept, name: manner}, notes={name: note}
        )

    return change


def hits(response: Response) -> Any:
    return response.body["data"]["personSearch"]["hits"]


def said(response: Response) -> list[tuple[str, str, str | None]]:
    return [
        (e["path"], e["outcome"], e.get("agency"))
        for e in response.body["extensions"]["disclosure"]
    ]


def states(response: Response) -> Mapping[str, str]:
    return {s["agency"]: s["state"] for s in response.body["extensions"]["sources"]}


def person(key: str, handling: str = "P", **values: Any) -> Any:
    return record(key, handling=handling, sex="MALE", **values)


# --- fields --------------------------------------------------------------------------------------


def test_a_withheld_field_is_null_and_said_once_with_the_desk() -> None:
    made = answer(
        PERSON.format("sex"),
        {"f0": came(person("a"), person("b"))},
        read("f0", "sex", None),
    )
    assert hits(made) == [{"sex": None}, {"sex": None}]
    assert made.body["errors"] == [
        {
            "message": "Withheld by NORTH. Ask the desk.",
            "path": ["personSearch", "hits", "*", "sex"],
            "extensions": {"code": "WITHHELD", "agency": "NORTH", "rule": "r1"},
        }
    ]
    assert made.body["extensions"]["disclosure"] == [
        {
            "path": "personSearch.hits.*.sex",
            "outcome": "WITHHELD",
            "agency": "NORTH",
            "rule": "r1",
            "text": "Ask the desk.",
            "contact": "desk-1",
            "action": "call",
        }
    ]
    assert (made.reports[1].source, made.reports[1].withheld, made.reports[1].rows) == (
        "north", 2, 2,
    )  # fmt: skip


def test_a_null_under_a_withheld_field_is_said_like_any_other() -> None:
    for value in ("MALE", None):
        made = answer(
            PERSON.format("sex"), {"f0": came(record("a", sex=value))}, read("f0", "sex", None)
        )
        assert (hits(made), said(made)) == (
            [{"sex": None}],
            [("personSearch.hits.*.sex", "WITHHELD", "NORTH")],
        )


def test_where_records_differ_the_index_is_named() -> None:
    made = answer(
        PERSON.format("sex"),
        {"f0": came(person("a"), person("b", "C"), person("c"))},
        read("f0", "sex", OWN_P),
    )
    assert hits(made) == [{"sex": "MALE"}, {"sex": None}, {"sex": "MALE"}]
    assert said(made) == [("personSearch.hits.1.sex", "WITHHELD", "NORTH")]
    assert made.body["errors"][0]["path"] == ["personSearch", "hits", 1, "sex"]


def test_where_no_case_holds_for_any_record_the_star_says_it() -> None:
    made = answer(
        PERSON.format("sex"),
        {"f0": came(person("a", "C"), person("b", "C"))},
        read("f0", "sex", OWN_P),
    )
    assert said(made) == [("personSearch.hits.*.sex", "WITHHELD", "NORTH")]


def test_agencies_are_said_apart() -> None:
    made = answer(
        BOTH.format("sex"),
        {"f0": came(person("a")), "f1": came(person("b"), person("c", "C"))},
        lambda at, grant: (
            read("f0", "sex", None)(at, grant)
            if at == "f0"
            else read("f1", "sex", OWN_P)(at, grant)
        ),
    )
    assert said(made) == [
        ("personSearch.hits.*.sex", "WITHHELD", "EAST"),
        ("personSearch.hits.2.sex", "WITHHELD", "NORTH"),
    ]


def test_a_silent_field_is_null_and_nothing_is_said() -> None:
    for manner in (SILENT, (Case(ALWAYS, SILENT),)):
        made = answer(PERSON.format("sex"), {"f0": came(person("a"))}, read("f0", "sex", manner))
        assert (hits(made), said(made)) == ([{"sex": None}], [])
        assert "errors" not in made.body


def test_a_mask_that_keeps_the_type_shows_the_coarse_value() -> None:
    made = answer(
        PERSON.format("dateOfBirth"),
        {"f0": came(record("a", date_of_birth="1991-04-17"))},
        read("f0", "date_of_birth", "YEAR"),
    )
    assert hits(made) == [{"dateOfBirth": "1991"}]
    entry = made.body["extensions"]["disclosure"][0]
    assert (entry["outcome"], entry["mask"], "shows" in entry) == ("MASKED", "YEAR", False)
    assert "errors" not in made.body


def test_a_mask_that_cannot_keep_the_type_shows_it_in_the_disclosure() -> None:
    made = answer(
        PERSON.format("dateOfBirth"),
        {"f0": came(record("a", date_of_birth="1991-04-17"), record("b", date_of_birth="2010"))},
        read("f0", "date_of_birth", "AGE_BAND"),
    )
    assert hits(made) == [{"dateOfBirth": None}, {"dateOfBirth": None}]
    told = [(e["path"], e["shows"]) for e in made.body["extensions"]["disclosure"]]
    assert told == [
        ("personSearch.hits.0.dateOfBirth", "35-44"),
        ("personSearch.hits.1.dateOfBirth", "under 18"),
    ]


def test_a_list_that_a_mask_empties_is_empty_and_not_null() -> None:
    made = answer(
        PERSON.format("conditions"),
        {"f0": came(record("a", conditions=["NO_ONWARD"]))},
        read("f0", "conditions", "NULL"),
    )
    assert hits(made) == [{"conditions": []}]


def test_hit_only_takes_the_record_out_of_the_list_and_says_that_it_is_held() -> None:
    cases = (*OWN_P, Case(ALWAYS, HIT_ONLY))
    made = answer(
        PERSON.format("sex"),
        {"f0": came(person("a", "C"), person("b"))},
        read("f0", "sex", cases),
    )
    assert hits(made) == [{"sex": "MALE"}]
    assert ("personSearch.hits", "HIT", "NORTH") in said(made)
    assert made.disclosed == (("north", "Person", "b"),)


def test_without_leave_to_name_it_a_record_is_a_hit() -> None:
    made = answer(PERSON.format("ref sex"), {"f0": came(person("a"))}, read("f0", "ref", None))
    assert hits(made) == []
    assert said(made)[0] == ("personSearch.hits", "HIT", "NORTH")


def test_a_case_may_rest_on_the_match_band_and_linked_records_inherit_it() -> None:
    linked = (Case(Compare("match_band", Op.EQ, "LINKED_BY_IDENTIFIER"), CLEAR),)
    document = BOTH.format("match { band } vehicles { make }")
    number = [{"kind": "PASSPORT", "value": "A1234567"}]
    results = {
        "f0": came(record("e1", identifiers=number)),
        "f1": came(record("n1", identifiers=number), record("n2", identifiers=[])),
        "f2": came(record("v1", ["n1", "n2"], make="Ford")),
    }
    made = answer(document, results, read("f2", "make", linked))
    assert [h["match"]["band"] for h in hits(made)] == ["LINKED_BY_IDENTIFIER"] * 2 + [None]
    assert [h["vehicles"] for h in hits(made)] == [[], [{"make": "Ford"}], [{"make": None}]]
    assert said(made) == [("personSearch.hits.2.vehicles.0.make", "WITHHELD", "NORTH")]


def test_a_case_of_an_element_may_rest_on_the_record_around_it() -> None:
    """A name of the element's own type is always the element's."""
    document = PERSON.format("warnings { kind reason }")
    warnings = [{"kind": "WEAPONS", "reason": "knife"}]
    for handling, shown in (("P", "knife"), ("C", None)):
        made = answer(
            document,
            {"f0": came(person("a", handling, warnings=warnings))},
            read("f0.warnings", "reason", OWN_P),
        )
        assert hits(made) == [{"warnings": [{"kind": "WEAPONS", "reason": shown}]}]
    by_kind = (Case(Compare("kind", Op.EQ, "WEAPONS"), CLEAR),)
    made = answer(
        document,
        {"f0": came(person("a", warnings=[{"reason": "knife"}], kind="WEAPONS"))},
        read("f0.warnings", "reason", by_kind),
    )
    assert hits(made)[0]["warnings"][0]["reason"] is None


# --- components ----------------------------------------------------------------------------------

WARNED: dict[str, Any] = {
    "warnings": [{"kind": "WEAPONS", "reason": "x"}, {"kind": "DRUGS", "reason": "y"}]
}


def test_a_withheld_component_is_empty_with_or_without_elements() -> None:
    document = PERSON.format("warnings { kind } immigration { status }")
    cases: list[dict[str, Any]] = [WARNED, {}]
    for values in cases:
        made = answer(
            document,
            {"f0": came(person("a", **values))},
            changed("f0.warnings", show=None, notes={"": NOTE}),
        )
        assert hits(made) == [{"warnings": [], "immigration": None}]
        assert said(made)[0] == ("personSearch.hits.*.warnings", "WITHHELD", "NORTH")


def test_a_silent_component_is_that_of_a_source_that_holds_nothing() -> None:
    document = PERSON.format("warnings { kind }")
    silent = answer(
        document, {"f0": came(person("a", **WARNED))}, changed("f0.warnings", show=Show.SILENT)
    )
    nothing = answer(document, {"f0": came(person("a"))})
    assert silent.body == nothing.body


def test_a_hit_says_that_something_is_held_and_not_how_much() -> None:
    document = PERSON.format("warnings { kind }")
    change = changed("f0.warnings", show=Show.HIT, notes={"": NOTE}, limit=1)
    one = {"warnings": WARNED["warnings"][:1]}
    bodies = [
        answer(document, {"f0": came(person("a", **values))}, change).body
        for values in (one, WARNED)
    ]
    assert bodies[0] == bodies[1]
    assert bodies[0]["extensions"]["disclosure"][0]["outcome"] == "HIT"
    none = answer(document, {"f0": came(person("a"))}, change)
    assert said(none) == []


def test_a_count_counts_and_what_may_be_counted_beside_it() -> None:
    made = answer(
        PERSON.format("offending { offenceCode }"),
        {"f0": came(person("a", offending=[{"serious": True}, {"serious": False}, {}]))},
        changed("f0.offending", show=Show.COUNT, count=frozenset({"serious"}), notes={"": NOTE}),
    )
    assert hits(made) == [{"offending": []}]
    entry = made.body["extensions"]["disclosure"][0]
    assert (entry["mask"], entry["shows"]) == ("COUNT_ONLY", "3, serious 1")


def test_a_standing_note_stands_with_and_without_elements() -> None:
    document = PERSON.format("warnings { kind }")
    chosen = Compare("kind", Op.IN, ("WEAPONS", "DRUGS"))
    change = changed("f0.warnings", notes={"": NOTE}, rows=chosen)
    cases: list[dict[str, Any]] = [WARNED, {"warnings": []}, {}]
    for values in cases:
        made = answer(document, {"f0": came(person("a", **values))}, change)
        assert said(made) == [("personSearch.hits.*.warnings", "WITHHELD", "NORTH")]
    assert (
        len(hits(answer(document, {"f0": came(person("a", **WARNED))}, change))[0]["warnings"]) == 2
    )


def test_an_element_that_is_a_hit_leaves_its_list_and_its_limit_holds() -> None:
    document = PERSON.format("warnings { kind }")
    cases = (Case(Compare("kind", Op.EQ, "DRUGS"), CLEAR), Case(ALWAYS, HIT_ONLY))
    made = answer(document, {"f0": came(person("a", **WARNED))}, read("f0.warnings", "kind", cases))
    assert hits(made) == [{"warnings": [{"kind": "DRUGS"}]}]
    assert ("personSearch.hits.*.warnings", "HIT", "NORTH") in said(made)
    limited = answer(document, {"f0": came(person("a", **WARNED))}, changed("f0.warnings", limit=1))
    assert hits(limited) == [{"warnings": [{"kind": "WEAPONS"}]}]


def test_a_component_within_a_component_has_rules_and_rows_of_its_own() -> None:
    document = PERSON.format("addresses { kind location { postcode town } }")
    home = {"kind": "HOME", "location.postcode": "TN28 8AB", "location.town": "Rye"}
    results = {"f0": came(person("a", addresses=[home, {"kind": "WORK"}]))}
    made = answer(document, results, read("f0.addresses.location", "postcode", "FIRST_OUT"))
    assert hits(made)[0]["addresses"] == [
        {"kind": "HOME", "location": {"postcode": "TN28", "town": "Rye"}},
        {"kind": "WORK", "location": None},
    ]
    assert said(made) == [("personSearch.hits.*.addresses.*.location.postcode", "MASKED", "NORTH")]
    inland = changed("f0.addresses.location", rows=Compare("town", Op.EQ, "Dover"))
    assert hits(answer(document, results, inland))[0]["addresses"][0]["location"] is None
    gone = answer(document, results, changed("f0.addresses.location", show=None))
    assert said(gone) == [("personSearch.hits.*.addresses.*.location", "WITHHELD", "NORTH")]


def test_matching_that_is_withheld_says_so_and_silent_does_not() -> None:
    document = BOTH.format("match { band features { name __typename } __typename }")
    results = {"f0": came(record("e1")), "f1": came(record("n1"))}
    made = answer(document, results, changed("f0.match", show=None))
    assert hits(made)[0]["match"] is None
    assert said(made) == [("personSearch.hits.*.match", "WITHHELD", "EAST")]
    silent = answer(document, results, changed("f0.match", show=Show.SILENT))
    assert said(silent) == []
    assert hits(silent)[1]["match"] == {
        "band": None, "features": [], "__typename": "MatchExplanation",
    }  # fmt: skip


def test_what_speaks_for_one_person_is_told_whole() -> None:
    document = BOTH.format("match { score band reason features { name } }")
    same = {"identifiers": [{"kind": "PASSPORT", "value": "A1234567"}]}
    made = answer(document, {"f0": came(record("e1", **same)), "f1": came(record("n1", **same))})
    for hit in hits(made):
        assert hit["match"]["score"] > 0
        assert hit["match"]["band"]
        assert "passport number" in hit["match"]["reason"]
        assert hit["match"]["features"]


@pytest.mark.parametrize("show", [Show.HIT, Show.COUNT, Show.RECORDS])
def test_the_total_is_of_what_is_shown_whatever_else_is_a_hit(show: Show) -> None:
    document = BOTH.format("sex")
    results = {"f0": came(record("e1")), "f1": came(record("n1"))}
    made = answer(document, results, changed("f0", show=show))
    total = made.body["data"]["personSearch"]["total"]
    assert total == len(hits(made)) == 1 + (show is Show.RECORDS)


# --- roots, links, sources -----------------------------------------------------------------------


def test_one_failed_source_leaves_the_rest() -> None:
    for state in (State.TIMED_OUT, State.UNAVAILABLE, State.FAULT, State.RATE_LIMITED):
        made = answer(BOTH.format("sex owner"), {"f0": came(state=state), "f1": came(person("a"))})
        assert hits(made) == [{"sex": "MALE", "owner": "NORTH"}]
        assert made.body["data"]["personSearch"]["total"] is None
        text, code = ("Did not answer", "SOURCE_UNAVAILABLE")
        if state is State.FAULT:
            text, code = ("Its answer could not be used", "SOURCE_FAULT")
        assert made.body["errors"] == [
            {
                "message": f"EAST: {text}.",
                "path": ["personSearch", "hits"],
                "extensions": {"code": code, "agency": "EAST"},
            }
        ]
        assert states(made) == {"EAST": state.value, "NORTH": "ANSWERED"}


def test_a_failed_link_leaves_its_record() -> None:
    made = answer(
        PERSON.format("sex vehicles { make }"),
        {"f0": came(person("a")), "f1": came(state=State.TIMED_OUT)},
    )
    assert hits(made) == [{"sex": "MALE", "vehicles": []}]
    assert said(made) == [("personSearch.hits.*.vehicles", "SOURCE_UNAVAILABLE", "NORTH")]


def test_az_05_a_silent_source_is_one_that_holds_nothing() -> None:
    """But for a source that answers, nobody can tell: not by states, bands, totals or cursors."""
    document = BOTH.format("ref sex vehicles { make }")
    nothing = answer(document, {"f0": came(elapsed_s=1.4), "f1": came(person("a")), "f2": came()})
    silent = answer(document, {"f1": came(person("a")), "f2": came()}, silent=frozenset({"f0"}))
    assert silent.body == nothing.body


def test_a_withheld_source_is_said_and_not_visited() -> None:
    made = answer(BOTH.format("sex"), {"f1": came(person("a"))}, withheld={"f0": NOTE})
    assert hits(made) == [{"sex": "MALE"}]
    assert made.body["data"]["personSearch"]["total"] == 1  # all that may be seen
    assert said(made) == [("personSearch.hits", "WITHHELD", "EAST")]
    assert states(made)["EAST"] == "WITHHELD"
    assert made.body["extensions"]["sources"][0]["band"] is None


def test_a_withheld_or_silent_link() -> None:
    document = PERSON.format("sex vehicles { make }")
    withheld = answer(document, {"f0": came(person("a"))}, withheld={"f1": NOTE})
    assert said(withheld) == [("personSearch.hits.*.vehicles", "WITHHELD", "NORTH")]
    silent = answer(document, {"f0": came(person("a"))}, silent=frozenset({"f1"}))
    assert silent.body == answer(document, {"f0": came(person("a")), "f1": came()}).body


def test_in_27_a_hit_of_a_source_does_not_tell_how_many() -> None:
    document = PERSON.format("sex")
    change = changed("f0", show=Show.HIT, notes={"": NOTE}, limit=1)
    one = answer(document, {"f0": came(person("a"))}, change)
    more = answer(
        document, {"f0": came(person("a"), state=State.TRUNCATED, truncated=True)}, change
    )
    assert one.body == more.body
    assert said(one)[0] == ("personSearch.hits", "HIT", "NORTH")
    assert one.body["data"]["personSearch"] == {"total": None, "next": None, "hits": []}
    assert said(answer(document, {"f0": came()}, change)) == [
        ("personSearch.hits", "NOTHING_TO_SHOW", None)
    ]


def test_hits_and_counts_of_links() -> None:
    document = PERSON.format("vehicles { make }")
    results = {"f0": came(person("a"), person("b")), "f1": came(record("v", ["a"], make="Ford"))}
    made = answer(document, results, changed("f1", show=Show.HIT, notes={"": NOTE}))
    assert hits(made) == [{"vehicles": []}, {"vehicles": []}]
    assert said(made) == [("personSearch.hits.0.vehicles", "HIT", "NORTH")]
    counted = answer(document, results, changed("f1", show=Show.COUNT))
    assert counted.body["extensions"]["disclosure"][0]["shows"] == "1"


def told_of(*ids: str) -> dict[str, Grant]:
    """Looks for records that are told of and not shown."""
    whole = PartGrant(part=Part(path="", type="Person"), show=Show.RECORDS, notes={"": NOTE})
    return {
        id_: Grant(fetch=Fetch(id=id_, source="n", entity="P", parts=()), parts={"": whole})
        for id_ in ids
    }


def test_what_is_told_beside_is_one_hit_and_changes_nothing_else() -> None:
    document, beside = PERSON.format("sex"), told_of("f0")
    shown = (person("a"),)
    plain_ = answer(document, {"f0": came(*shown)}, beside=beside)
    one = answer(document, {"f0": came(*shown, beside=(person("b"),))}, beside=beside)
    two = answer(document, {"f0": came(*shown, beside=(person("b"), person("c")))}, beside=beside)
    assert one.body == two.body
    assert one.body["data"] == plain_.body["data"]
    assert one.disclosed == plain_.disclosed
    assert sum(report.rows for report in one.reports) == 1
    assert said(plain_) == []
    assert said(one) == [("personSearch.hits", "HIT", "NORTH")]
    entry = one.body["extensions"]["disclosure"][0]
    assert (entry["rule"], entry["contact"], entry["action"]) == ("r1", "desk-1", "call")
    assert "shows" not in entry
    failed = answer(document, {"f0": came(state=State.TIMED_OUT, beside=shown)}, beside=beside)
    assert said(failed) == [("personSearch.hits", "SOURCE_UNAVAILABLE", "NORTH")]


def test_what_is_told_beside_linked_records_hangs_on_its_own_parent() -> None:
    document, beside = PERSON.format("vehicles { make }"), told_of("f1")
    people = came(person("a"), person("b"), person("c"))
    shown = record("v", ["a"], make="Ford")
    linked = came(shown, beside=(record("w", ["b"]), record("x", ["a"])))
    made = answer(document, {"f0": people, "f1": linked}, beside=beside)
    assert hits(made) == [{"vehicles": [{"make": "Ford"}]}, {"vehicles": []}, {"vehicles": []}]
    assert said(made) == [
        ("personSearch.hits.0.vehicles", "HIT", "NORTH"),
        ("personSearch.hits.1.vehicles", "HIT", "NORTH"),
    ]
    none = answer(document, {"f0": people, "f1": came(shown)}, beside=beside)
    assert said(none) == []


def test_nothing_to_show_is_no_proof_and_is_not_said_beside_a_failure() -> None:
    made = answer(PERSON.format("sex"), {"f0": came()})
    entry = made.body["extensions"]["disclosure"][0]
    assert entry["outcome"] == "NOTHING_TO_SHOW"
    assert "not proof" in entry["text"]
    failed = answer(PERSON.format("sex"), {"f0": came(state=State.UNAVAILABLE)})
    assert [outcome for _, outcome, _ in said(failed)] == ["SOURCE_UNAVAILABLE"]


def test_linked_records_of_several_agencies_share_one_list_of_places() -> None:
    """The index that is named is that of the record in the answer."""
    document = '{ vehicle(vrm: "AB12CDE") { keeper { sex } sightings { camera } } }'
    results = {
        "f0": came(record("v", vrm="AB12CDE", keeper_key="k")),
        "f1": came(record("k", ["k"], sex="MALE", handling="C")),
        "f2": came(
            record(1, ["AB12CDE"], camera="A1", handling="P"),
            record(2, ["AB12CDE"], camera="A2", handling="C"),
        ),
    }

    def change(at: str, grant: PartGrant) -> PartGrant:
        name = {"f1": "sex", "f2": "camera"}.get(at)
        return read(at, name, OWN_P)(at, grant) if name else grant

    made = answer(document, results, change)
    assert said(made) == [
        ("vehicle.*.keeper.sex", "WITHHELD", "NORTH"),
        ("vehicle.0.sightings.1.camera", "WITHHELD", "EAST"),
    ]


def test_pages_go_on_from_the_last_record_of_each_source_that_holds_more() -> None:
    asked = world.operation(BOTH.format("sex"))
    results = {
        "f0": came(person("e7"), state=State.TRUNCATED, truncated=True),
        "f1": came(person("n1")),
    }
    found = answer(BOTH.format("sex"), results).body["data"]["personSearch"]
    assert found["total"] is None
    bound = world.shaping(asked).cursor_binding(asked.roots[0])
    cursor = world.REFS.open_cursor(found["next"], bound, world.NOW)
    assert cursor is not None
    assert (dict(cursor.positions), cursor.serial) == ({"east/Person": "e7"}, 7)


def test_groups_name_their_records_and_leave_out_those_that_became_hits() -> None:
    document = (
        '{ personSearch(anyOf: [{identifier: "A1234567"}]) '
        "{ matches { band owners records __typename } hits { sex } __typename } }"
    )
    number = [{"kind": "PASSPORT", "value": "A1234567"}]
    results = {
        "f0": came(person("e1", identifiers=number)),
        "f1": came(person("n1", "C", identifiers=number)),
    }
    search = answer(document, results).body["data"]["personSearch"]
    (group,) = search["matches"]
    assert (group["band"], group["owners"]) == ("LINKED_BY_IDENTIFIER", ["EAST", "NORTH"])
    opened = [world.REFS.open("NORTH", ref) for ref in group["records"]]
    assert opened == [("east", "Person", "e1"), ("north", "Person", "n1")]
    assert search["__typename"] == "PersonHits"
    cases = (*OWN_P, Case(ALWAYS, HIT_ONLY))
    fewer = answer(document, results, read("f1", "sex", cases)).body["data"]["personSearch"]
    assert (fewer["matches"], len(fewer["hits"])) == ([], 1)
    unmatched = answer(document, results, changed("f0.identifiers", match=frozenset()))
    assert unmatched.body["data"]["personSearch"]["matches"] == []


def test_sources_are_told_as_they_fared() -> None:
    made = answer(
        '{ s: sources { agency state holds __typename } vehicle(vrm: "AB12CDE") { make } }',
        {"f0": came(state=State.TIMED_OUT)},
    )
    assert made.body["data"]["s"] == [
        {
            "agency": "EAST",
            "state": "NOT_ASKED",
            "holds": ["Encounter", "Person", "Sighting"],
            "__typename": "SourceState",
        },
        {
            "agency": "NORTH",
            "state": "TIMED_OUT",
            "holds": ["Incident", "Person", "Vehicle"],
            "__typename": "SourceState",
        },
    ]
    assert list(made.body["data"]) == ["s", "vehicle"]
    assert [s["band"] for s in made.body["extensions"]["sources"]] == [None, "late"]


@pytest.mark.parametrize(
    ("elapsed_s", "band"), [(0.0, "under 2 s"), (1.9, "under 2 s"), (2, "late")]
)
def test_in_24_times_are_told_coarsely(elapsed_s: float, band: str) -> None:
    made = answer(PERSON.format("sex"), {"f0": came(elapsed_s=elapsed_s)})
    assert made.body["extensions"]["sources"][1]["band"] == band


def test_az_12_one_record_or_none() -> None:
    ref = world.REFS.seal("NORTH", "north", "Person", "p1")
    document = f'{{ person(ref: "{ref}") {{ ref sex }} }}'
    found = answer(document, {"f0": came(person("p1"))})
    assert found.body["data"]["person"] == {"ref": ref, "sex": "MALE"}
    hidden, absent = answer(document, {"f0": came()}), answer(document.replace(ref, "no"), {})
    assert hidden.body["data"] == absent.body["data"] == {"person": None}
    withheld = answer(document, {"f0": came(person("p1"))}, read("f0", "sex", None))
    assert said(withheld) == [("person.sex", "WITHHELD", "NORTH")]


def test_what_no_source_holds_is_said() -> None:
    made = answer(PERSON.format("sex custody { ref }"), {"f0": came(person("a"))})
    assert hits(made) == [{"sex": "MALE", "custody": []}]
    assert said(made) == [("personSearch.hits.*.custody", "NOT_ASKED", None)]


def test_a_source_that_gave_no_result_at_all_is_at_fault() -> None:
    made = answer(PERSON.format("sex"), {})
    assert said(made) == [("personSearch.hits", "SOURCE_UNAVAILABLE", "NORTH")]


def test_the_record_is_of_what_was_shown() -> None:
    made = answer(
        PERSON.format("sex vehicles { make }"),
        {"f0": came(person("a")), "f1": came(record("v", ["a"], make="Ford"))},
    )
    assert set(made.disclosed) == {("north", "Person", "a"), ("north", "Vehicle", "v")}
    report = made.reports[1]
    assert (report.source, report.rows, report.alarms) == ("north", 2, 0)


def test_every_fetch_is_at_a_path_of_its_own_root() -> None:
    plan = world.planned(BOTH.format("sex vehicles { make }"))
    fetch: Fetch
    for fetch in plan.fetches:
        assert fetch.path.startswith("personSearch.hits.*")
        assert fetch.root == "personSearch"


# --- what nothing is read of ----------------------------------------------------------------------


@pytest.mark.parametrize("selected", ["owner", "__typename", "system asAt", "vehicles { make }"])
def test_a_record_that_may_only_be_a_hit_is_one_whatever_is_selected(selected: str) -> None:
    only_p = read("f0", "ref", (*OWN_P, Case(ALWAYS, HIT_ONLY)))
    found = {"f0": came(person("n1"), person("n2", handling="C"))}
    made = answer(PERSON.format(selected), found, only_p)
    assert len(hits(made)) == 1
    assert ("personSearch.hits", "HIT", "NORTH") in said(made)


def reports(*found: dict[str, Any]) -> list[Any]:
    return [person(f"n{n}", **each) for n, each in enumerate(found, start=1)]


def test_a_hit_may_tell_the_owners_sanitised_line() -> None:
    """Each line once, on the one entry that says that something is held."""
    coded = Case(Compare("handling", Op.EQ, "C"), SANITISED_TEXT)
    cases = read("f0", "ref", (*OWN_P, coded, Case(ALWAYS, HIT_ONLY)))
    lines: list[str | None] = ["Take care.", None, "Seen near a park.", "Take care."]
    held = reports(*({"handling": "C", "sanitised_text": line} for line in lines))
    made = answer(PERSON.format("sex"), {"f0": came(*held)}, cases)
    assert hits(made) == []
    (entry,) = [e for e in made.body["extensions"]["disclosure"] if e["outcome"] == "HIT"]
    assert (entry["shows"], entry["mask"]) == ("Take care. Seen near a park.", SANITISED_TEXT)
    assert (entry["contact"], entry["action"]) == ("desk-1", "call")
    assert [key for _, _, key in made.disclosed] == ["n1", "n3", "n4"]  # whose words were told
    plain = reports({"handling": None, "sanitised_text": "Take care."})
    untold = answer(PERSON.format("sex"), {"f0": came(*plain)}, cases)
    assert "Take care." not in str(untold.body)


def test_a_text_gives_way_to_the_owners_sanitised_text() -> None:
    """Where there is none it is withheld; in either case nothing of the text itself is told."""
    cases = read("f0", "sex", (*OWN_P, Case(ALWAYS, SANITISED_TEXT)))
    line = {"handling": "C", "sanitised_text": "Seen near a park."}
    held = reports({"handling": "P"}, line, {"handling": "C"})
    made = answer(PERSON.format("sex"), {"f0": came(*held)}, cases)
    assert hits(made) == [{"sex": "MALE"}, {"sex": None}, {"sex": None}]
    told = {e["path"]: e for e in made.body["extensions"]["disclosure"]}
    masked, withheld = (told[f"personSearch.hits.{n}.sex"] for n in (1, 2))
    assert (masked["outcome"], masked["mask"]) == ("MASKED", SANITISED_TEXT)
    assert (masked["shows"], masked["contact"]) == ("Seen near a park.", "desk-1")
    assert (withheld["outcome"], withheld["contact"]) == ("WITHHELD", "desk-1")
    assert str(made.body).count("MALE") == 1


def test_conditions_stand_beside_what_is_shown_under_them() -> None:
    ways = (*OWN_P, Case(Compare("conditions", Op.EQ, "NO_ONWARD"), CLEAR))
    cases = changed("f0", whole=ways)
    held = reports(
        {"conditions": []},
        {"handling": "C", "conditions": ["NO_ONWARD", "NO_COURT_USE"]},
    )
    made = answer(PERSON.format("sex"), {"f0": came(*held)}, cases)
    assert len(hits(made)) == 2
    (entry,) = [e for e in made.body["extensions"]["disclosure"] if e["outcome"] == "SHOWN"]
    assert (entry["path"], entry["shows"]) == ("personSearch.hits.1", "NO_ONWARD, NO_COURT_USE")
    clear = answer(PERSON.format("sex"), {"f0": came(*held)})
    assert not [e for e in clear.body["extensions"]["disclosure"] if e["outcome"] == "SHOWN"]


def test_an_element_that_may_only_be_a_hit_is_one_whatever_is_selected() -> None:
    weapons = Case(Compare("kind", Op.EQ, "WEAPONS"), CLEAR)
    cases = read("f0.warnings", "kind", (weapons, Case(ALWAYS, HIT_ONLY)))
    held = [{"kind": "WEAPONS"}, {"kind": "DRUGS"}, {"kind": "DRUGS"}]
    made = answer(
        PERSON.format("warnings { __typename }"), {"f0": came(person("n1", warnings=held))}, cases
    )
    assert hits(made) == [{"warnings": [{"__typename": "Warning"}]}]
    assert [outcome for _, outcome, _ in said(made)] == ["HIT"]
