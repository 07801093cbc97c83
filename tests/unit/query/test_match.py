"""Groups with reasons, never merges; what several bear holds apart; withheld features say so."""

from __future__ import annotations

from dataclasses import replace

from gateway.query.match import (
    LINKED,
    Candidate,
    Explanation,
    explain,
    features_of,
    would_link,
)

PASSPORT = ("PASSPORT", "A1234567")
PNCID = ("PNCID", "91/0004417K")


def candidate(
    fetch: str, key: str, *identifiers: tuple[str, str], withheld: bool = False
) -> Candidate:
    return Candidate(
        id=(fetch, key),
        source=fetch,
        identifiers=frozenset(identifiers),
        withheld=withheld,
    )


def test_records_that_share_an_identifier_nobody_else_bears_are_grouped_with_the_reason() -> None:
    found, groups = explain(
        [
            candidate("f0", "a", PASSPORT, PNCID),
            candidate("f1", "b", PASSPORT),
            candidate("f2", "c", PNCID),
            candidate("f2", "d"),
        ]
    )
    assert [(g.band, g.members) for g in groups] == [
        (LINKED, (("f0", "a"), ("f1", "b"), ("f2", "c")))
    ]
    assert groups[0].reason == "share a passport number and a PNC identifier"
    assert found["f0", "a"].band == LINKED
    assert found["f0", "a"].reason == (
        "shares a passport number and a PNC identifier that nobody else bears"
    )
    both, one = found["f0", "a"].score, found["f1", "b"].score
    assert both is not None
    assert one is not None
    assert 0 < one < both <= 1
    assert found["f2", "d"] == Explanation()


def test_two_groups_are_two() -> None:
    _, groups = explain(
        [
            candidate("f0", "a", PASSPORT),
            candidate("f1", "b", PASSPORT),
            candidate("f0", "c", PNCID),
            candidate("f1", "d", PNCID),
        ]
    )
    assert [g.members for g in groups] == [(("f0", "a"), ("f1", "b")), (("f0", "c"), ("f1", "d"))]


def test_an_identifier_that_two_persons_of_one_source_bear_holds_all_apart() -> None:
    found, groups = explain(
        [
            candidate("f0", "a", PASSPORT),
            candidate("f0", "b", PASSPORT),
            candidate("f1", "c", PASSPORT),
        ]
    )
    assert groups == ()
    for explanation in found.values():
        assert explanation.band is None
        assert explanation.score is None
        assert [(f.name, f.used) for f in explanation.features] == [
            ("passport number, borne by more than one person", False)
        ]


def test_an_identifier_known_to_be_shared_elsewhere_links_nobody() -> None:
    pair = [candidate("f0", "a", PASSPORT), candidate("f1", "b", PASSPORT)]
    assert explain(pair)[1]
    found, groups = explain(pair, frozenset({PASSPORT}))
    assert groups == ()
    assert found["f0", "a"].band is None


def test_asking_twice_in_one_question_hides_no_identifier_from_the_look_for_others() -> None:
    once = [candidate("f0", "a", PASSPORT), candidate("f1", "b", PASSPORT)]
    again = [replace(c, id=(f"again {c.id[0]}", c.id[1]), root="again") for c in once]
    assert would_link(once) == would_link([*once, *again]) == {PASSPORT}
    other = replace(candidate("f3", "x", PASSPORT), source="f1", root="again")
    assert would_link([*once, *again, other]) == {PASSPORT}  # shared in one, not in the other


def test_an_own_key_or_a_phone_links_nobody() -> None:
    own = ("FORCE_NOMINAL", "N1")
    found, groups = explain([candidate("f0", "a", own), candidate("f1", "b", own)])
    assert groups == ()
    assert found["f0", "a"] == Explanation()


def test_in_15_withheld_identifiers_are_said_and_never_used() -> None:
    open_ = [candidate("f0", "a", PASSPORT), candidate("f1", "b", withheld=True)]
    found, groups = explain(open_)
    assert groups == ()
    feature = found["f1", "b"].features[0]
    assert (feature.name, feature.weight, feature.used, feature.withheld) == (
        "identifiers", None, False, True,
    )  # fmt: skip


def test_matching_looks_at_identifiers_only_where_kind_and_value_are_permitted() -> None:
    elements: list[dict[str, str | None]] = [
        {"kind": "PASSPORT", "value": "A1234567"},
        {"kind": "PASSPORT", "value": None},
        {"kind": None, "value": "A1"},
        {"value": "A1"},
    ]
    assert features_of(elements, frozenset({"kind", "value"})) == {PASSPORT}
    for permitted in (frozenset(), frozenset({"kind"}), frozenset({"value"})):
        assert features_of(elements, permitted) == frozenset()
