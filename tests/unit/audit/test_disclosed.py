"""What stays of an answer: who can have it shown to be the one, and who learns nothing by it."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from connectors.conditions import ALWAYS, Compare, Op
from gateway.audit.content import tag_of
from gateway.audit.disclosed import (
    commitment,
    fields_of,
    item_hash,
    items_of,
    key_of,
    opened,
    parts_by_owner,
    root_of_part,
    same,
    undisclosed,
)
from gateway.audit.entry import Part, Tag
from gateway.audit.merkle import ProofInvalid, check_inclusion
from gateway.model import CLEAR, HIT_ONLY, WHOLE, Case, Note, PartGrant, Response, Show
from tests.unit.query import world
from tests.unit.query.world import answer, came, record

KEY = b"c" * 32
DOCUMENT = """{ personSearch(anyOf: [{identifier: "A1234567"}]) { hits {
    ref owner born: dateOfBirth sex warnings { kind } vehicles { make } } } }"""
BY_CODE = (Case(Compare("handling", Op.EQ, "P"), CLEAR), Case(ALWAYS, HIT_ONLY))


def token(name: str) -> str:
    return f"<{name}>"


def made(change: world.Change = lambda _name, grant: grant) -> Response:
    people = [
        record(
            "a", sex="MALE", date_of_birth="1991-04", handling="P", warnings=[{"kind": "DRUGS"}]
        ),
        record("b", sex="FEMALE", handling="C"),
    ]
    results = {
        "f0": came(*people[:1]), "f1": came(*people), "f2": came(), "f3": came(),
    }  # fmt: skip
    agreed = world.plan_of(world.operation(DOCUMENT))
    for fetch in agreed.fetches:
        if fetch.entity == "Vehicle":
            results[fetch.id] = came(record("v1", ["a"], make="Ford"))
    return answer(DOCUMENT, results, change)


def parts(response: Response) -> dict[str, Any]:
    found = parts_by_owner(response, KEY, token)
    assert all(isinstance(part, Part) for part in found.values())
    return {name: json.loads(json.dumps(part.detail)) for name, part in found.items()}


def test_each_agency_has_its_own_records_and_no_other() -> None:
    found = parts(made())
    assert sorted(found) == ["owner/EAST", "owner/NORTH"]
    for agency, source in (("EAST", "east"), ("NORTH", "north")):
        records = found[f"owner/{agency}"]["records"]
        assert records
        assert {source_ for _, source_, *_ in records} == {source}
        assert {name for *_, name, _ in records} <= {
            f"<{source}|{entity}|{key}>"
            for entity, key in (("Person", "a"), ("Person", "b"), ("Vehicle", "v1"))
        }


def test_of_a_record_every_field_of_its_agency_is_committed_to_and_no_value_is_kept() -> None:
    response = made()
    (path, _, entity, _, fields) = parts(response)["owner/EAST"]["records"][0]
    assert (path, entity) == ("personSearch.hits.0", "Person")
    assert [(key, name) for key, name, _ in fields] == [
        ("born", "date_of_birth"), ("sex", "sex"), ("warnings", "warnings"),
    ]  # fmt: skip  # what the gateway says itself is not the agency's, a linked record has its own
    key = bytes.fromhex(parts(response)["owner/EAST"]["key"])
    born, none = "personSearch.hits.0.born", "personSearch.hits.0.warnings"
    assert fields[0][2] == commitment(key_of(key, 0), born, "1991-04")
    assert fields[2][2] == commitment(key_of(key, 2), none, [])
    north = parts(response)["owner/NORTH"]
    by_place = {one.place: one for one in fields_of(north)}
    drugs = by_place["personSearch.hits.1.warnings"]
    assert same(north, drugs, [{"kind": "DRUGS"}])
    assert not same(north, drugs, [])
    text = json.dumps(parts(response))
    for value in ("MALE", "1991", "DRUGS", "Ford"):
        assert value not in text


def test_linked_records_stand_beside_the_one_they_belong_to() -> None:
    places = [path for path, *_ in parts(made())["owner/NORTH"]["records"]]
    assert any(path.endswith(".vehicles.0") for path in places)


def test_the_answer_is_shown_to_be_the_one_that_was_recorded_and_any_other_is_not() -> None:
    response = made()
    body = json.loads(json.dumps(response.body))
    details = parts(response)
    assert all(not undisclosed(body, detail) for detail in details.values())
    changed = copy.deepcopy(body)
    changed["data"]["personSearch"]["hits"][0]["sex"] = "FEMALE"
    assert undisclosed(changed, details["owner/EAST"]) == ["personSearch.hits.0.sex"]
    assert not undisclosed(changed, details["owner/NORTH"])
    exchanged = copy.deepcopy(body)
    exchanged["data"]["personSearch"]["hits"].reverse()
    assert undisclosed(exchanged, details["owner/EAST"])
    for cut in ({}, {"data": None}, {"data": {"personSearch": {"hits": [5]}}}):
        assert len(undisclosed(cut, details["owner/EAST"])) == len(
            [f for *_, fields in details["owner/EAST"]["records"] for f in fields]
        )


def test_the_same_value_elsewhere_and_under_another_key_is_committed_to_otherwise() -> None:
    kept = {
        commitment(key, path, value)
        for key in (KEY, b"d" * 32)
        for path in ("a.0.x", "a.1.x")
        for value in ("5", 5, None, "", ["5"])
    }
    assert len(kept) == 20


def test_a_part_of_the_first_version_is_compared_as_ever_and_cannot_be_opened() -> None:
    body = {"data": {"personSearch": {"hits": [{"sex": "MALE"}]}}}
    at = "personSearch.hits.0"
    kept = [["sex", "sex", commitment(KEY, f"{at}.sex", "MALE")]]
    records = [[at, "east", "Person", "<t>", kept]]
    detail = {"key": KEY.hex(), "records": records, "hits": [], "told": []}
    assert undisclosed(body, detail) == []
    body["data"]["personSearch"]["hits"][0]["sex"] = "FEMALE"
    assert undisclosed(body, detail) == [f"{at}.sex"]
    assert opened(detail, [f"{at}.sex"], told=True) is None


def test_one_field_is_opened_and_nothing_of_another() -> None:
    detail = parts(made())["owner/NORTH"]
    fields = fields_of(detail)
    root = bytes.fromhex(root_of_part(detail))
    for field in fields:
        found = opened(detail, [field.place], told=False)
        assert found is not None
        (one,) = found["items"]
        assert one["item"][:7] == [
            "field", field.place, field.source, field.entity, field.token, field.name, field.kept
        ]  # fmt: skip
        path = [bytes.fromhex(text) for text in one["hashes"]]
        check_inclusion(item_hash(one["item"]), one["index"], found["size"], path, root)
        with pytest.raises(ProofInvalid):
            check_inclusion(item_hash(one["item"]), one["index"] ^ 1, found["size"], path, root)
        text = json.dumps(found)
        for other in fields:
            if other is not field:
                assert other.kept not in text
                assert key_of(bytes.fromhex(detail["key"]), other.number).hex() not in text
        assert detail["key"] not in text


def test_what_was_said_is_opened_where_that_is_wanted_and_owners_have_keys_of_their_own() -> None:
    def masked(at: str, grant: PartGrant) -> PartGrant:
        return replace(grant, read={**grant.read, "date_of_birth": "AGE_BAND"})

    found = parts(made(masked))
    detail = found["owner/EAST"]
    whole = opened(detail, [], told=True)
    assert whole is not None
    assert [one["item"][1:5] for one in whole["items"]] == detail["told"]
    assert whole["size"] == len(list(items_of(detail)))
    assert len({part["key"] for part in found.values()}) == len(found)


def test_a_record_told_of_as_a_hit_is_named_without_any_field() -> None:
    def bound(at: str, grant: PartGrant) -> PartGrant:
        notes = {"": Note(), WHOLE: Note(rule="of-hits")}
        return replace(grant, whole=BY_CODE, notes=notes) if at == "f1" else grant

    detail = parts(made(bound))["owner/NORTH"]
    assert detail["hits"] == [["personSearch.hits", "north", "Person", "<north|Person|b>"]]
    assert ["personSearch.hits", "HIT", "", "of-hits"] in detail["told"]


@pytest.mark.parametrize(("show", "hits"), [(Show.HIT, 2), (Show.COUNT, 0)])
def test_who_is_counted_is_not_named_and_who_is_told_of_is(show: Show, hits: int) -> None:
    def told(at: str, grant: PartGrant) -> PartGrant:
        return replace(grant, show=show) if at == "f1" else grant

    detail = parts(made(told))["owner/NORTH"]
    assert len([one for one in detail["hits"] if one[0] == "personSearch.hits"]) == hits
    assert detail["told"][0][1] == ("HIT" if show is Show.HIT else "MASKED")


def test_what_was_said_is_kept_without_the_value_that_it_shows() -> None:
    def masked(at: str, grant: PartGrant) -> PartGrant:
        return replace(grant, read={**grant.read, "date_of_birth": "AGE_BAND"})

    (entry, *_) = parts(made(masked))["owner/EAST"]["told"]
    assert entry[1:3] == ["MASKED", "AGE_BAND"]
    assert len(entry) == 4


def test_records_of_one_agency_are_a_disclosure_of_several_a_combination() -> None:
    response = made()
    one = tuple(shown for shown in response.shown if shown.source == "east")
    assert tag_of(response) is Tag.COMBINATION
    assert tag_of(replace(response, shown=one)) is Tag.DISCLOSURE
    assert tag_of(replace(response, shown=())) is Tag.CONSULTATION
