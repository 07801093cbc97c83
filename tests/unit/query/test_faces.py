"""What a face search says beside its candidates; pages and states of roots that were not asked."""

from __future__ import annotations

from typing import Any

from gateway.model import Note, PartGrant, Response, Show, State
from gateway.query.shape import Shaper
from tests.unit.query import world
from tests.unit.query.test_probe import gallery, image
from tests.unit.query.world import answer, came, record

FACES = """query ($r: OpaqueRef!) { faceSearch(probe: {ref: $r}) {
  __typename threshold modelVersion gallerySize notice candidates { rank }
} }"""
BOTH = '{ personSearch(anyOf: [{identifier: "A1234567"}]) { total next hits { sex } } }'
NOTE = Note(rule="r1", text="Ask the desk.", desk="desk-1")


def searched(**narrowed: Any) -> dict[str, Any]:
    held = gallery()
    asked = world.operation(FACES, {"r": image("seen")})
    agreed = world.allowed(world.plan_of(asked, held=held))
    if narrowed:
        agreed = type(agreed)(plan=agreed.plan, serial=7, grants={}, **narrowed)
    ranks: list[dict[str, Any]] = [{"\0rank": 1}, {"\0rank": 2}]
    found = came(*(record(key, **rank) for key, rank in zip("ab", ranks, strict=True)))
    made = Shaper(asked, agreed, world.shaping(asked, held)).shape({"f0": found})
    face: dict[str, Any] = made.body["data"]["faceSearch"]
    return face


def test_a_face_search_says_by_what_and_how_exactly_it_was_searched() -> None:
    assert searched() == {
        "__typename": "FaceCandidates", "threshold": 0.6, "modelVersion": "m1",
        "gallerySize": None, "notice": "Leads.", "candidates": [{"rank": 1}, {"rank": 2}],
    }  # fmt: skip


def test_of_a_gallery_that_may_not_be_searched_nothing_is_said() -> None:
    nothing: dict[str, Any] = {
        "__typename": "FaceCandidates", "threshold": None, "modelVersion": None,
        "gallerySize": None, "notice": None, "candidates": [],
    }  # fmt: skip
    assert searched(withheld={"f0": NOTE}) == nothing
    assert searched(silent=frozenset({"f0"})) == nothing


def person_search(response: Response) -> Any:
    return response.body["data"]["personSearch"]


def test_a_source_that_was_not_asked_is_said_and_leaves_no_total() -> None:
    results = {"f0": came(state=State.NOT_ASKED), "f1": came(record("n1", sex="MALE"))}
    made = answer(BOTH, results)
    assert person_search(made) == {"total": None, "next": None, "hits": [{"sex": "MALE"}]}
    entries = [(e["outcome"], e["agency"]) for e in made.body["extensions"]["disclosure"]]
    assert entries == [("NOT_ASKED", "EAST")]


def test_only_a_source_that_showed_records_has_a_next_page() -> None:
    cut = came(record("e1", sex="MALE"), state=State.TRUNCATED, truncated=True)
    all_cut = {"f0": cut, "f1": came(state=State.TRUNCATED, truncated=True)}
    assert person_search(answer(BOTH, all_cut))["next"] is not None
    assert person_search(answer(BOTH, {"f0": came(), "f1": all_cut["f1"]}))["next"] is None

    def counted(name: str, grant: PartGrant) -> PartGrant:
        if name != "f0":
            return grant
        return PartGrant(part=grant.part, show=Show.COUNT, limit=9, rows=grant.rows)

    assert person_search(answer(BOTH, all_cut, counted))["next"] is None
    withheld = person_search(answer(BOTH, {"f0": cut, "f1": came()}, withheld={"f0": NOTE}))
    assert (withheld["next"], withheld["hits"]) == (None, [])


def test_that_there_is_nothing_to_show_is_said_beside_a_source_that_is_not_visited() -> None:
    def outcomes(**narrowed: Any) -> list[str]:
        made = answer(BOTH, {"f1": came()}, **narrowed)
        return [entry["outcome"] for entry in made.body["extensions"]["disclosure"]]

    assert outcomes(withheld={"f0": NOTE}) == ["WITHHELD", "NOTHING_TO_SHOW"]
    assert outcomes(silent=frozenset({"f0"})) == ["NOTHING_TO_SHOW"]
