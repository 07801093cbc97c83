"""What somebody with a good token might try, over the real agencies: each was possible once."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.asking import Answer, Asker

SEARCH = "query ($f: String!) {{ personSearch(anyOf: [{{familyPrefix: $f}}]) {{ hits {{ {} }} }} }}"


@pytest.mark.parametrize("selected", ["ref", "owner", "__typename", "system asAt"])
async def test_what_is_only_a_hit_stays_one_whatever_of_it_is_selected(
    asker: Asker, selected: str
) -> None:
    document = SEARCH.format(f"images {{ {selected} }}")
    answer = await asker.ask("RO", document, {"f": "Hoxha"}, purpose="OFFICER_SAFETY")
    assert answer.hits()
    assert all(hit["images"] == [] for hit in answer.hits())
    assert "HIT" in answer.outcomes("images", agency="NIS")


async def test_gold_4_is_held_apart_however_often_it_is_asked(asker: Asker) -> None:
    """Two persons at BID bear the passport of GOLD-1; neither name search finds both."""
    one = (
        'personSearch(anyOf: [{family: "Hoxha", dob: "1991-04"}, {family: "Hoxhaj", dob: "1991"}])'
    )
    twice = f"{{ a: {one} {{ ...F }} b: {one} {{ ...F }} }}"
    fragment = "fragment F on PersonHits { hits { owner match { reason } } matches { reason } }"
    answer = await asker.ask("AO", f"{twice} {fragment}", purpose="PROTECT_VULNERABLE")
    for root in ("a", "b"):
        assert {"BID", "NMC"} <= {hit["owner"] for hit in answer.hits(root)}
        assert "passport" not in str([hit["match"]["reason"] for hit in answer.hits(root)])
        assert "passport" not in str(answer.data[root]["matches"])


async def test_in_01_a_number_that_is_not_shown_finds_nobody(
    asker: Asker,
) -> None:
    """Q1: a National Insurance number is never shown to the response officer."""
    document = "query ($v: String!) { personSearch(anyOf: [{identifier: $v}]) { hits { owner } } }"
    number = {"v": "QQ417417A"}  # of GOLD-1, at NMC
    bureau = await asker.ask("NO", document, number, purpose="OFFICER_SAFETY")
    assert [hit["owner"] for hit in bureau.hits()] == ["NMC"]
    officer = await asker.ask("RO", document, number, purpose="OFFICER_SAFETY")
    nobody = await asker.ask("RO", document, {"v": "QQ999999A"}, purpose="OFFICER_SAFETY")
    for answer in (officer, nobody):
        del answer.body["extensions"]["receipt"]
    assert officer.hits() == []
    assert officer.body == nobody.body
    passport = await asker.ask("RO", document, {"v": "BA4417093"}, purpose="OFFICER_SAFETY")
    assert {"BID", "NMC"} == {hit["owner"] for hit in passport.hits()}


async def test_au_12_no_leaf_holds_a_digest_that_a_guess_can_be_tried_on(
    asker: Asker, state: Path
) -> None:
    """The documents of an app are known, and so are all number plates there can be."""
    document = '{ vehicle(vrm: "ZZ99ZZZ") { make } }'
    answer = await asker.ask("RO", document, purpose="OFFICER_SAFETY", reason="R02")
    assert answer.status == 200
    guessed = hashlib.sha256(document.encode()).hexdigest().encode()
    assert not [name for name, content in _log(state) if guessed in content]


def _log(state: Path) -> list[tuple[str, bytes]]:
    audits = [folder for folder in state.rglob("audit") if (folder / "tile").is_dir()]
    files = [file for folder in audits for file in folder.rglob("*") if file.is_file()]
    assert files
    return [(file.name, file.read_bytes()) for file in files]


async def test_one_persons_hits_do_not_crowd_out_anothers(asker: Asker) -> None:
    document = """{ organisedGroups(by: {oic: true}, first: 100) { hits { owner
      members(first: 50) { person { ref dateOfBirth } } } } }"""
    bureau = await asker.ask("NO", document, purpose="OIC_INVESTIGATION")
    members = [
        (m["person"]["ref"], m["person"]["dateOfBirth"])
        for group in bureau.hits("organisedGroups", owner="ERU")
        for m in group["members"]
        if m["person"] and len(m["person"]["dateOfBirth"] or "") == 10
    ]
    often = [person for person, times in Counter(members).items() if times > 1]
    once = [person for person, times in Counter(members).items() if times == 1]
    assert often
    born = sorted({date for _, date in (*often[:4], *once[:8])})
    document = """query ($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 50) { hits {
      owner groups { role } } } }"""
    asked = {"n": [{"dob": date} for date in born]}
    together = await asker.ask("IE", document, asked, purpose="BORDER_SECURITY")
    alone = [
        await asker.ask("IE", document, {"n": [one]}, purpose="BORDER_SECURITY")
        for one in asked["n"]
    ]
    assert _group_hits(together) == sum(map(_group_hits, alone)) > 1


def _group_hits(answer: Answer) -> int:
    """How many persons of ERU are said to be in some group: all of a list stand as one path."""
    paths = [entry["path"].split(".")[2] for entry in answer.said("groups", agency="ERU")]
    return len(answer.hits(owner="ERU")) if paths == ["*"] else len(paths)


@pytest.mark.parametrize(("persona", "purpose"), [("PA", "OFFICER_SAFETY"), ("RO", "OVERSIGHT")])
async def test_a_ref_that_opens_nothing_still_asks_whether_one_may_ask(
    asker: Asker, persona: str, purpose: str
) -> None:
    answer = await asker.ask(persona, '{ person(ref: "AAAA") { sex } }', purpose=purpose)
    assert (answer.status, answer.code) == (403, "REFUSED")
    held = await asker.ask("RO", '{ person(ref: "AAAA") { sex } }', purpose="OFFICER_SAFETY")
    assert held.data == {"person": None}
    assert held.body["extensions"]["receipt"]["policySerial"]
