"""Records, their links and their components, at the edges of what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connectors.conditions import ALWAYS, Compare, Op
from gateway.model import (
    CLEAR,
    HIT_ONLY,
    OTHERWISE,
    WHOLE,
    Case,
    Note,
    Outcome,
    PartGrant,
    Response,
    Show,
    State,
)
from gateway.query.records import Records
from tests.unit.query import world
from tests.unit.query.world import answer, came, record

NOTE = Note(rule="r1", text="Ask the desk.", desk="desk-1", action="call")
PERSON = '{{ personSearch(anyOf: [{{family: "Hodja"}}]) {{ hits {{ {} }} }} }}'
BOTH = '{{ personSearch(anyOf: [{{identifier: "A1234567"}}]) {{ {} }} }}'
NUMBER = {"identifiers": [{"kind": "PASSPORT", "value": "A1234567"}]}
WEAPONS = Case(Compare("kind", Op.EQ, "WEAPONS"), CLEAR)


def changed(resource: str, **fields: Any) -> world.Change:
    """All as it is, but for one part."""
    return lambda name, grant: replace(grant, **fields) if name == resource else grant


def shown(resource: str, note: Note = NOTE, **manners: Any) -> world.Change:
    """All in clear, but for these fields of one part."""

    def change(name: str, grant: PartGrant) -> PartGrant:
        if name != resource:
            return grant
        kept = {**grant.read, **manners}
        return replace(grant, read={n: m for n, m in kept.items() if m}, notes={"": note})

    return change


def said(response: Response) -> list[tuple[str, str]]:
    return [(e["path"], e["outcome"]) for e in response.body["extensions"]["disclosure"]]


def hits(response: Response) -> Any:
    return response.body["data"]["personSearch"]["hits"]


# --- records -------------------------------------------------------------------------------------


def test_a_hit_tells_the_desk_and_neither_mask_nor_value() -> None:
    made = answer(PERSON.format("sex"), {"f0": came(record("a"))}, shown("f0", ref=HIT_ONLY))
    assert made.body["extensions"]["disclosure"][0] == {
        "path": "personSearch.hits", "outcome": "HIT", "agency": "NORTH", "rule": "r1",
        "text": "Ask the desk.", "contact": "desk-1", "action": "call",
    }  # fmt: skip


def test_conditions_are_told_at_the_record_or_at_all_of_them() -> None:
    change = changed("f0", whole=(Case(ALWAYS, CLEAR),))
    held = [record(key, sex="MALE", conditions=["NO_ONWARD"]) for key in ("a", "b")]
    listed = answer(PERSON.format("sex"), {"f0": came(*held)}, change)
    assert said(listed) == [("personSearch.hits.*", "SHOWN")]
    ref = world.REFS.seal("NORTH", "north", "Person", "a")
    one = answer(f'{{ person(ref: "{ref}") {{ sex }} }}', {"f0": came(held[0])}, change)
    assert said(one) == [("person", "SHOWN")]


def test_conditions_are_told_of_each_record_at_its_place_in_the_whole_list() -> None:
    """Of two agencies the second's records stand after those of the first that are shown."""
    cases = (Case(Compare("handling", Op.EQ, "C"), HIT_ONLY), Case(ALWAYS, CLEAR))

    def change(name: str, grant: PartGrant) -> PartGrant:
        return replace(grant, whole=cases) if name in {"f0", "f1"} else grant

    kept = record("e0", handling="C")
    east = (record("e1", conditions=["NO_ONWARD"]), kept, record("e2", conditions=[]))
    north = (record("n1", conditions=None), record("n2", conditions=["NO_ONWARD"]),
             record("n3", conditions=["NO_ONWARD", "NO_COURT_USE"]))  # fmt: skip
    results = {"f0": came(*east), "f1": came(*north)}
    made = answer(BOTH.format("hits { owner }"), results, change)
    assert [h["owner"] for h in hits(made)] == ["EAST", "EAST", "NORTH", "NORTH", "NORTH"]
    told = [e for e in made.body["extensions"]["disclosure"] if e["outcome"] == "SHOWN"]
    assert [(e["path"], e["agency"], e["shows"]) for e in told] == [
        ("personSearch.hits.0", "EAST", "NO_ONWARD"),
        ("personSearch.hits.3", "NORTH", "NO_ONWARD"),
        ("personSearch.hits.4", "NORTH", "NO_ONWARD, NO_COURT_USE"),
    ]


def test_a_hit_says_whether_its_name_is_held_back_or_all_of_it() -> None:
    notes = {"ref": Note(rule="of-names"), WHOLE: Note(rule="of-records")}
    whole = (Case(Compare("handling", Op.EQ, "P"), CLEAR), Case(ALWAYS, HIT_ONLY))
    for handling, rule in (("P", "of-names"), ("C", "of-records")):

        def change(name: str, grant: PartGrant) -> PartGrant:
            read = {**grant.read, "ref": HIT_ONLY}
            return replace(grant, whole=whole, read=read, notes=notes) if name == "f0" else grant

        held = record("a", sex="MALE", handling=handling)
        made = answer(PERSON.format("sex"), {"f0": came(held)}, change)
        (entry,) = (e for e in made.body["extensions"]["disclosure"] if e["outcome"] == "HIT")
        assert (entry["path"], entry["rule"]) == ("personSearch.hits", rule)
        assert "mask" not in entry
        assert "shows" not in entry
        assert made.disclosed == ()


def test_what_the_gateway_says_of_a_record_goes_by_the_keys_asked_for() -> None:
    selected = "o: owner s: system t: __typename w: asAt r: ref"
    made = answer(PERSON.format(selected), {"f0": came(record("a"))})
    (shown,) = hits(made)
    assert world.REFS.open("NORTH", shown.pop("r")) == ("north", "Person", "a")
    assert shown == {"o": "NORTH", "s": "Records", "t": "Person", "w": "2026-11-01T06:00:00Z"}


def test_records_shown_and_those_due_for_review_are_counted_by_source() -> None:
    due, current = {"retention": "REVIEW_DUE"}, {"retention": "CURRENT"}
    people = [record("a", **due), record("b", **current), record("c"), record("d", **due)]
    cars = [record("v1", ["a"], **due), record("v2", ["b"], **current)]
    results = {"f0": came(*people), "f1": came(*cars)}
    cases = (Case(Compare("native_key", Op.EQ, "d"), HIT_ONLY), Case(ALWAYS, CLEAR))
    made = answer(PERSON.format("vehicles { make }"), results, changed("f0", whole=cases))
    (report,) = (r for r in made.reports if r.source == "north")
    assert (report.rows, report.review_due) == (5, 2)  # what is a hit is in neither


def test_what_makes_the_records_of_a_fetch_is_put_together_once() -> None:
    asked = world.operation(PERSON.format("vehicles { make }"))
    agreed = world.allowed(world.plan_of(asked))
    records = Records(agreed=agreed, shaping=world.shaping(asked))
    people, cars = (records.fetches[name] for name in ("f0", "f1"))
    assert records.maker(people) is records.maker(people)
    assert records.maker(people) is not records.maker(cars)


# --- links ---------------------------------------------------------------------------------------


def linked(change: world.Change) -> Response:
    cars = [record(key, ["a"], make=make) for key, make in (("v1", "Ford"), ("v2", "Opel"))]
    results = {"f0": came(record("a")), "f1": came(*cars)}
    return answer(PERSON.format("vehicles { make }"), results, change)


def test_each_record_has_as_many_linked_ones_as_were_agreed_to() -> None:
    assert hits(linked(changed("f1", limit=1))) == [{"vehicles": [{"make": "Ford"}]}]
    assert hits(linked(changed("f1", limit=2))) == [
        {"vehicles": [{"make": "Ford"}, {"make": "Opel"}]}
    ]


def test_a_standing_note_on_linked_records_is_said() -> None:
    made = linked(changed("f1", notes={"": NOTE}))
    assert said(made) == [("personSearch.hits.*.vehicles", "WITHHELD")]
    assert len(hits(made)[0]["vehicles"]) == 2


def test_records_linked_by_several_elements_come_once_in_the_elements_order() -> None:
    asked = world.operation(PERSON.format("vehicles { make }"))
    agreed = world.allowed(world.plan_of(asked))
    found = [record("v1", ["k1"]), record("v2", ["k2"]), record("v3", ["k1", "k2"])]
    records = Records(agreed=agreed, results={"f1": came(*found)}, shaping=world.shaping(asked))
    child = records.fetches["f1"]

    def keys(values: Mapping[str, Any]) -> list[Any]:
        owner = record("a", **values)
        return [r.key for r in records.linked(child, owner, "participants.person_key")]

    both = [{"person_key": "k2"}, {"person_key": "k1"}, {"person_key": "k2"}, {}]
    assert keys({"participants": both}) == ["v2", "v3", "v1"]
    assert keys({"participants": [{"person_key": "k9"}]}) == []
    assert keys({"participants": None}) == keys({}) == []


FAILED = [("personSearch.hits.*.vehicles", "SOURCE_UNAVAILABLE")]


def test_of_linked_records_that_did_not_come_only_that_is_said() -> None:
    """Neither what would stand beside them nor that there are none: nobody knows."""
    results = {"f0": came(record("a"), record("b")), "f1": came(state=State.TIMED_OUT)}
    document = PERSON.format("vehicles { make }")
    for change in (
        changed("f1"), changed("f1", notes={"": NOTE}), changed("f1", show=Show.COUNT),
        changed("f1", show=Show.HIT, notes={"": NOTE}),
    ):  # fmt: skip
        made = answer(document, results, change)
        assert hits(made) == [{"vehicles": []}] * 2
        assert said(made) == FAILED


def test_linked_records_that_may_not_be_asked_for_are_withheld_or_nothing_is_said() -> None:
    results = {"f0": came(record("a"))}
    document = PERSON.format("vehicles { make }")
    noted = answer(document, results, withheld={"f1": NOTE})
    assert said(noted) == [("personSearch.hits.*.vehicles", "WITHHELD")]
    assert hits(noted) == hits(answer(document, results, silent=frozenset({"f1"})))
    assert said(answer(document, results, silent=frozenset({"f1"}))) == []


def test_linked_records_are_counted_beneath_the_one_they_belong_to() -> None:
    cars = [record("v1", ["a"]), record("v2", ["b"]), record("v3", ["a", "b"])]
    results = {"f0": came(record("a"), record("b"), record("c")), "f1": came(*cars[:2], cars[2])}
    made = answer(PERSON.format("vehicles { make }"), results, changed("f1", show=Show.COUNT))
    assert hits(made) == [{"vehicles": []}] * 3
    told = [(e["path"], e["shows"]) for e in made.body["extensions"]["disclosure"]]
    assert told == [(f"personSearch.hits.{n}.vehicles", "2") for n in (0, 1)]
    assert [key for _, _, key in made.disclosed] == ["a", "b", "c"]


# --- components ----------------------------------------------------------------------------------


def warned(change: world.Change, selected: str = "kind") -> Response:
    held = [{"kind": "WEAPONS"}, {"kind": "DRUGS"}]
    document = PERSON.format(f"warnings {{ {selected} }}")
    return answer(document, {"f0": came(record("a", warnings=held))}, change)


def test_only_a_note_on_chosen_rows_stands() -> None:
    rows = Compare("kind", Op.NE, "NONE")
    assert said(warned(changed("f0.warnings", rows=rows, notes={"": NOTE}))) == [
        ("personSearch.hits.*.warnings", "WITHHELD")
    ]
    assert said(warned(changed("f0.warnings", notes={"": NOTE}))) == []
    assert said(warned(changed("f0.warnings", rows=rows))) == []


def test_an_element_of_which_a_case_withholds_a_field_is_a_hit_when_nothing_is_selected() -> None:
    made = warned(shown("f0.warnings", kind=(WEAPONS,)), "__typename")
    assert hits(made) == [{"warnings": [{"__typename": "Warning"}]}]
    assert said(made) == [("personSearch.hits.*.warnings", "HIT")]


def matched(selected: str, change: world.Change = lambda _id, grant: grant) -> Response:
    results = {"f0": came(record("e1", **NUMBER)), "f1": came(record("n1", **NUMBER))}
    return answer(BOTH.format(f"hits {{ match {{ {selected} }} }}"), results, change)


def test_features_are_told_with_what_is_selected_of_them() -> None:
    plain = hits(matched("features { name used __typename }"))
    assert plain[0]["match"]["features"]
    for feature in plain[0]["match"]["features"]:
        assert set(feature) == {"name", "used", "__typename"}
        assert feature["__typename"] == "MatchFeature"
    assert hits(matched("features { ... on MatchFeature { name used __typename } }")) == plain


def test_features_that_may_only_be_a_hit_take_the_explanation_along() -> None:
    change = shown("f0.match", features=HIT_ONLY)
    made = matched("band features { name }", change)
    assert hits(made)[0]["match"] is None
    assert hits(made)[1]["match"]["features"]
    assert said(made) == [("personSearch.hits.*.match", "HIT")]


def test_identifiers_that_matching_may_not_look_at_are_a_feature_that_is_withheld() -> None:
    document = "name used withheld weight"
    kept = matched(f"features {{ {document} }}", changed("f0.identifiers", match=frozenset()))
    of_east, of_north = (hit["match"]["features"] for hit in hits(kept))
    unseen = {"name": "identifiers", "used": False, "withheld": True, "weight": None}
    assert unseen in of_east
    assert all(feature["withheld"] is False for feature in of_north)
    assert all(feature.keys() == unseen.keys() for feature in (*of_east, *of_north))


def test_groups_are_told_by_fragments_too() -> None:
    results = {"f0": came(record("e1", **NUMBER)), "f1": came(record("n1", **NUMBER))}
    made = answer(BOTH.format("matches { ... on MatchGroup { band } }"), results)
    assert made.body["data"]["personSearch"]["matches"] == [{"band": "LINKED_BY_IDENTIFIER"}]


def test_a_count_of_elements_says_so() -> None:
    made = warned(changed("f0.warnings", show=Show.COUNT))
    (entry,) = made.body["extensions"]["disclosure"]
    assert (entry["outcome"], entry["mask"], entry["shows"]) == (
        Outcome.MASKED.value, "COUNT_ONLY", "2",
    )  # fmt: skip


def test_what_is_said_of_one_element_names_it() -> None:
    held = [{"kind": "WEAPONS", "reason": "x"}, {"kind": "DRUGS", "reason": "y"}]
    document = PERSON.format("warnings { kind reason }")
    change = shown("f0.warnings", Note(), reason=(WEAPONS,))
    made = answer(document, {"f0": came(record("a", warnings=held))}, change)
    assert [w["reason"] for w in hits(made)[0]["warnings"]] == ["x", None]
    assert said(made) == [("personSearch.hits.0.warnings.1.reason", "WITHHELD")]


def test_an_explanation_has_all_its_fields_and_withheld_features_are_none() -> None:
    match = hits(matched("score band reason"))[0]["match"]
    assert match["band"] == "LINKED_BY_IDENTIFIER"
    assert match.keys() == {"score", "band", "reason"}
    made = matched("band features { name }", shown("f0.match", features=None))
    assert hits(made)[0]["match"] == {"band": "LINKED_BY_IDENTIFIER", "features": []}
    assert ("personSearch.hits.*.match.features", "WITHHELD") in said(made)


# --- what is held back and has no note of its own -------------------------------------------------


def test_a_withheld_field_says_whom_to_ask_and_nothing_stands_where_all_is_shown() -> None:
    usual = {OTHERWISE: NOTE}
    shown = answer(PERSON.format("sex"), {"f0": came(record("a"))}, changed("f0", notes=usual))
    assert said(shown) == []

    def without_sex(name: str, grant: PartGrant) -> PartGrant:
        return replace(grant, read={"ref": "CLEAR"}, notes=usual) if name == "f0" else grant

    made = answer(PERSON.format("sex"), {"f0": came(record("a"))}, without_sex)
    (entry,) = made.body["extensions"]["disclosure"]
    assert (entry["outcome"], entry["rule"], entry["contact"]) == ("WITHHELD", NOTE.rule, NOTE.desk)
    assert said(linked(changed("f1", notes=usual))) == []


def test_a_component_of_which_nothing_may_be_read_says_whom_to_ask() -> None:
    change = changed("f0.warnings", show=None, notes={OTHERWISE: NOTE})
    made = answer(PERSON.format("warnings { kind }"), {"f0": came(record("a"))}, change)
    (entry,) = made.body["extensions"]["disclosure"]
    assert (entry["path"], entry["rule"]) == ("personSearch.hits.*.warnings", NOTE.rule)
