"""Who may read what of the record, and that each look is in it before anything is given."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.entry import ASKER, KEEPER, owner_part, read_leaf
from gateway.audit.found import Shown
from gateway.audit.index import CUT_OFF, Wanted
from gateway.audit.inquiry import MOST, Auditor
from gateway.audit.merkle import leaf_hash
from gateway.audit.sought import MOST_TYPED, RecordSought, Sought
from gateway.audit.uses import OWN
from gateway.audit.verify import check_proof, read_proof
from gateway.errors import AuditUnavailable, LimitExceeded, MalformedRequest, Refused
from gateway.model import Justification, Response, Subject
from tests.unit.audit.auditworld import (
    AF,
    AF_ERU,
    AF_SCP,
    ANN,
    AU,
    BOB,
    CYD,
    PS,
    REFS,
    World,
    decision,
    looks,
    somebody,
    world,
)

CASE = Justification(
    purpose="APPREHEND", reason_code="R02", reason_text="A wanted  person", case_ref="NM/1"
)
HOXHA = ("ERU", "eru", "Person", "h-1")


async def filled(made: World) -> World:
    """ann of NMC (twice), bob of NMC and cyd of SCP have asked, in this order."""
    told = {"path": "personSearch.0.nino", "outcome": "MASKED", "agency": "ERU", "rule": "r1"}
    await made.ask(ANN, "Hoxha", shows=[HOXHA], told=told)
    await made.ask(BOB, "AB12 CDE", why=CASE)
    await made.ask(CYD, "Hoxha", "1991-04-17", shows=[HOXHA, ("SCP", "scp", "Person", "9")])
    await made.ask(ANN, "Nobody")
    await made.seen()
    return made


@pytest.fixture
async def own(tmp_path: Path) -> AsyncIterator[World]:
    """For a test that counts views, or adds and removes something."""
    async with world(tmp_path) as made:
        yield await filled(made)


@pytest.fixture(scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("inquiry")) as made:
        yield await filled(made)


async def found(at: World, who: Subject, **sought: Any) -> list[int]:
    """Which of the four queries are found, by their order; views are left out."""
    return await found_as(at, looks(who), **sought)


async def found_as(at: World, auditor: Auditor, **sought: Any) -> list[int]:
    given = await at.inquiry.search(auditor, Sought(**sought))
    assert given.value.upto <= at.log.size
    return sorted(at.asked.index(r.found.idx) for r in given.value.rows if r.found.kind != "V")


LATER = datetime(2127, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sought", "af", "af_scp"),
    [
        ({}, [0, 1, 3], [2]),
        ({"typed": ("hoxha",)}, [0], [2]),
        ({"typed": ("Hoxha", "1991-04-17")}, [], [2]),
        ({"typed": ("Hoxha 1991-04-17",)}, [], [2]),
        ({"typed": ("ab12cde",)}, [1], []),
        ({"typed": ("Hoxh",)}, [], []),
        ({"officer": "ann"}, [0, 3], []),
        ({"officer": "cyd"}, [], [2]),
        ({"case": "NM/1"}, [1], []),
        ({"words": "a WANTED person"}, [1], []),
        ({"purpose": "APPREHEND", "reason": "R02"}, [1], []),
        ({"agency": "SCP"}, [], [2]),
        ({"agency": "NMC", "code": ""}, [0, 1, 3], []),
        ({"owner": "ERU"}, [0], [2]),
        ({"source": "eru", "serial": None}, [0], [2]),
        ({"since": LATER}, [], []),
        ({"until": LATER}, [0, 1, 3], [2]),
        # what was shown is a result: no auditor of the asker's agency finds searches by it
        ({"record": RecordSought(source="eru", entity="Person", key="h-1")}, [], []),
    ],
    ids=str,
)
async def test_an_agency_s_auditor_finds_its_own_people_s_searches_and_no_others(
    at: World, sought: dict[str, Any], af: list[int], af_scp: list[int]
) -> None:
    assert await found(at, AF, **sought) == af
    assert await found(at, PS, **sought) == af
    assert await found(at, AF_SCP, **sought) == af_scp


async def test_a_record_is_found_where_it_was_asked_for_by_its_ref(own: World) -> None:
    await own.ask(ANN, asks=[("record", "eru|Person|h-1")])
    await own.seen()
    record = RecordSought(source="eru", entity="Person", key="h-1")
    assert await found(own, AF, record=record) == [4]
    assert await found(own, AF, ref=REFS.seal("NMC", "eru", "Person", "h-1")) == [4]
    for another in (REFS.seal("SCP", "eru", "Person", "h-1"), "no ref"):
        assert await found(own, AF, ref=another) == []


async def test_rows_have_the_words_of_the_asker_and_nothing_of_what_was_found(at: World) -> None:
    given = await at.inquiry.search(looks(AF), Sought(case="NM/1"))
    (row,) = given.value.rows
    asked = row.asked
    assert asked is not None
    assert (asked.officer, asked.case, asked.reason) == ("bob", "NM/1", "A wanted  person")
    assert asked.variables == {"typed": ["AB12 CDE"]}
    entry = (await at.inquiry.entry(looks(AF), at.asked[0])).value
    assert entry is not None
    assert [read_leaf(one.data or b"")["kind"] for one in entry.leaves] == ["I", "O"]
    salt = (await at.log.detail(entry.found.last))["salt"]
    assert salt not in repr(entry)
    kept = await at.log.detail(entry.found.last, owner_part("ERU"))
    assert kept["key"] not in repr(entry)
    assert kept["records"][0][3] not in repr(entry)
    without = await at.inquiry.search(looks(AF), Sought(case="NM/1"), details=False)
    assert [one.asked for one in without.value.rows] == [None]


async def test_AU_13_a_second_agency_s_bodies_are_as_if_they_were_not_there(at: World) -> None:
    for who, own in ((AF, 0), (PS, 0), (AF_SCP, 2)):
        other = 2 if own == 0 else 0
        assert (await at.inquiry.entry(looks(who), at.asked[own])).value is not None
        there = await at.inquiry.entry(looks(who), at.asked[other])
        nowhere = await at.inquiry.entry(looks(who), 10_000)
        assert there.value is nowhere.value is None
        assert there.viewed.receipt.index is not None


async def test_the_external_auditor_sees_leaves_of_all_and_opens_no_body(at: World) -> None:
    assert await found(at, AU) == [0, 1, 2, 3]
    assert await found(at, AU, officer="ann") == [0, 3]
    assert await found(at, AU, officer="cyd", agency="SCP") == [2]
    assert await found(at, AU, case="NM/1") == [1]
    page = (await at.inquiry.search(looks(AU))).value
    assert [row.asked for row in page.rows] == [None] * len(page.rows)
    entry = (await at.inquiry.entry(looks(AU), at.asked[2], proofs=True)).value
    assert entry is not None
    assert entry.asked is None
    assert all(one.data for one in entry.leaves)
    for sought in (
        Sought(typed=("Hoxha",)),
        Sought(record=RecordSought(source="eru", entity="Person", key="h-1")),
        Sought(ref="r"),
    ):
        with pytest.raises(Refused) as refused:
            await at.inquiry.search(looks(AU), sought)
        assert refused.value.rule == "audit.bodies"


async def test_officers_see_their_own_searches_and_no_others(at: World) -> None:
    given = await at.inquiry.mine(looks(ANN, OWN))
    assert [at.asked.index(row.found.idx) for row in given.value.rows] == [3, 0]
    assert given.value.rows[0].asked is not None
    assert given.value.rows[0].asked.variables == {"typed": ["Nobody"]}
    typed = await at.inquiry.mine(looks(ANN, OWN), Sought(typed=("Hoxha",)))
    assert [at.asked.index(row.found.idx) for row in typed.value.rows] == [0]
    entry = (await at.inquiry.entry(looks(ANN, OWN), at.asked[0], proofs=True)).value
    assert entry is not None
    assert [one.data for one in entry.leaves] == [None, None]  # a leaf counts what was silent
    assert entry.asked is not None
    assert (entry.asked.visits, entry.asked.cause, entry.asked.terms) == ({}, "", ())
    for one in entry.leaves:
        assert one.proof is not None
        assert "extra" not in one.proof.text
    for other in (1, 2):
        assert (await at.inquiry.entry(looks(ANN, OWN), at.asked[other])).value is None
    same_id = replace(ANN, issuer=CYD.issuer, agency="SCP")
    assert (await at.inquiry.mine(looks(same_id, OWN))).value.rows == ()
    for look in (at.inquiry.search, at.inquiry.receipts, at.inquiry.export, at.inquiry.health):
        with pytest.raises(Refused):
            await look(looks(ANN))


async def test_what_was_cut_off_is_found_with_the_entry_that_closes_it(own: World) -> None:
    await own.ask(BOB, "Dang", closed=False)
    await own.seen()
    number = own.asked[4]
    assert await found(own, AF, typed=("Dang",)) == [4]
    assert await found(own, AF, code=CUT_OFF) == [4]
    assert await found(own, AF, code="") == [0, 1, 3]
    begun = leaf_hash(await own.log.leaf(number)).hex()
    request = read_leaf(await own.log.leaf(number))["request_id"]
    await own.log.append({"kind": "O", "request_id": request, "intent": begun, "abandoned": True})
    await own.seen()
    for who in (looks(AF), looks(BOB, OWN), looks(AU)):
        for doubted in (False, True):
            entry = (await own.inquiry.entry(who, number, doubted=doubted)).value
            assert entry is not None
            assert len(entry.leaves) == 2
    assert await found(own, AF, typed=("Dang",)) == [4]
    assert await found(own, AF, code=CUT_OFF) == [4]  # as before it was closed
    assert await found(own, AF, code="") == [0, 1, 3]
    assert await found(own, AF_SCP, code=CUT_OFF) == []
    assert (await own.inquiry.entry(looks(AF_SCP), number)).value is None


async def test_what_the_index_says_of_scope_is_asked_again_of_the_log(
    own: World, tmp_path: Path
) -> None:
    """Somebody has written into the index that cyd of SCP was of NMC."""
    with sqlite3.connect(tmp_path / "index.sqlite") as forged:
        forged.execute("UPDATE query SET agency = 'NMC'")
    forged.close()
    assert await found(own, AF) == [0, 1, 3]
    assert (await own.inquiry.entry(looks(AF), own.asked[2])).value is None


async def test_a_role_counts_only_where_policy_lets_that_agency_have_it(at: World) -> None:
    for agency, role in (
        ("NMC", "external_auditor"),
        ("ERU", "professional_standards"),
        ("OVERSIGHT", "force_auditor"),
    ):
        with pytest.raises(Refused):
            await at.inquiry.search(looks(somebody("x", agency, role)))


async def test_professional_standards_are_unseen_by_ordinary_auditors(own: World) -> None:
    await own.inquiry.search(looks(PS), Sought(officer="ann"))
    await own.inquiry.search(looks(AF), Sought(officer="bob"))
    both = somebody("ps", "NMC", "professional_standards", "force_auditor")
    await own.inquiry.search(looks(both), Sought(officer="ann"))
    await own.seen()

    async def views(who: Subject) -> list[tuple[str, Any]]:
        rows = (await own.inquiry.search(looks(who), Sought(kind="V"))).value.rows
        return [(row.found.viewer, row.asked.looked if row.asked else None) for row in rows][::-1]

    assert await views(AF) == [("force_auditor", {"officer": "bob"})]
    assert await views(PS) == [
        ("professional_standards", {"officer": "ann"}),
        ("force_auditor", {"officer": "bob"}),
        ("professional_standards", {"officer": "ann"}),
    ]
    assert await views(AF_SCP) == []
    numbers = [n for n in range(own.log.size) if b"professional_standards" in await own.log.leaf(n)]
    await own.seen()
    for number in numbers:
        assert (await own.inquiry.entry(looks(AF), number)).value is None
        assert (await own.inquiry.entry(looks(PS), number)).value is not None
        assert (await own.inquiry.entry(looks(AU), number)).value is not None


async def test_what_was_refused_to_professional_standards_is_unseen_too(own: World) -> None:
    """A look that came to nothing, at /audit or at a page; a query that was refused is one."""
    before = own.log.size
    for who, looks_ in ((PS, True), (AF, True), (PS, False)):
        record = own.recorder.begin(looks(who).request)
        record.known(subject=who)
        record.data = not looks_
        await record.outcome(Response(status=403, body={}, code="REFUSED"))
    await own.seen()

    async def refused(who: Subject) -> list[int]:
        rows = (await own.inquiry.search(looks(who), Sought(kind="D"))).value.rows
        return sorted(row.found.idx - before for row in rows)

    spans = [datetime(2020, 1, 1, tzinfo=UTC), datetime(2120, 1, 1, tzinfo=UTC)]

    async def counted(who: Subject) -> int:
        counts = (await own.inquiry.overview(looks(who), spans)).value.counts
        return sum(one.refused for one in counts or ())

    assert await refused(AF) == [1, 2]
    assert await refused(PS) == await refused(AU) == [0, 1, 2]
    assert await refused(AF_SCP) == []
    assert (await counted(AF), await counted(PS)) == (2, 3)
    for who, there in ((AF, False), (PS, True), (AU, True)):
        for proofs in (False, True):
            given = await own.inquiry.entry(looks(who), before, proofs=proofs, doubted=proofs)
            assert (given.value is not None) is there
    queries = own.follower.index.events(Wanted(kind="D", viewers=frozenset()))
    assert [one.idx - before for one in queries] == [1, 2]  # of which habits are made
    with sqlite3.connect(own.follower.index._path) as forged:  # the index alone does not decide
        forged.execute("UPDATE query SET viewer = ''")
    forged.close()
    assert await refused(AF) == [1, 2]


async def test_professional_standards_see_nothing_alone(tmp_path: Path) -> None:
    agreed: list[tuple[str, str]] = []

    async def paired(subject: Subject, use: str) -> bool:
        return (subject.id, use) in agreed

    async with world(tmp_path, paired) as made:
        await filled(made)
        inquiry, size = made.inquiry, made.log.size
        for look in (
            inquiry.search(looks(PS)), inquiry.entry(looks(PS), made.asked[0]),
            inquiry.receipts(looks(PS)), inquiry.export(looks(PS)),
            inquiry.exported(looks(PS), "0" * 64),
        ):  # fmt: skip
            with pytest.raises(Refused) as refused:
                await look
            assert refused.value.rule == "audit.pair"
        assert made.log.size == size
        await inquiry.health(looks(PS))  # the log itself is nobody's affair
        await inquiry.mine(looks(PS, OWN))
        agreed.append(("ps", "COMPLAINT"))
        assert await found_as(made, looks(PS, "COMPLAINT")) == [0, 1, 3]
        with pytest.raises(Refused):
            await inquiry.search(looks(PS, "OVERSIGHT"))
        assert await found(made, AF) == [0, 1, 3]  # whom nobody need agree to


async def test_every_look_is_in_the_log_first_and_names_its_use_and_no_value(own: World) -> None:
    given = await own.inquiry.search(looks(AF, "COMPLAINT"), Sought(typed=("Hoxha",)))
    await own.inquiry.entry(looks(AF, "RIGHTS"), own.asked[2])
    first, second = await own.views()
    assert first["view"] | {"query": ""} == {
        "page": "search", "use": "COMPLAINT", "as": "force_auditor", "query": "", "rows": 1,
    }  # fmt: skip
    assert "Hoxha" not in repr(first)
    assert second["view"]["rows"] == 0
    assert first["who"]["agency"] == "NMC"
    detail = await own.log.detail(given.viewed.receipt.index or 0)
    assert (detail["asked"], detail["entries"]) == ({"typed": ["Hoxha"]}, [own.asked[0]])


async def test_a_look_that_cannot_be_recorded_gives_nothing(
    at: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(*_: object) -> None:
        raise AuditUnavailable(detail="injected")

    monkeypatch.setattr(type(at.log), "append", failing)
    inquiry = at.inquiry
    for who, look in (
        (looks(AF), inquiry.search), (looks(AF), inquiry.health), (looks(AF), inquiry.receipts),
        (looks(AF), inquiry.export), (looks(ANN, OWN), inquiry.mine),
    ):  # fmt: skip
        with pytest.raises(AuditUnavailable):
            await look(who)
    with pytest.raises(AuditUnavailable):
        await inquiry.entry(looks(AF), at.asked[0])
    with pytest.raises(AuditUnavailable):
        await inquiry.exported(looks(AF), "0" * 64)


async def test_nobody_looks_without_saying_for_what_and_not_too_much(own: World) -> None:
    inquiry = own.inquiry
    for use in ("", "CURIOSITY", OWN):
        with pytest.raises(MalformedRequest):
            await inquiry.search(looks(AF, use))
    with pytest.raises(MalformedRequest):
        await inquiry.mine(looks(ANN))
    for first in (0, MOST + 1):
        with pytest.raises(LimitExceeded):
            await inquiry.search(looks(AF), first=first)
    with pytest.raises(LimitExceeded):
        Sought(typed=("a",) * (MOST_TYPED + 1))
    with pytest.raises(LimitExceeded):
        Sought(typed=("a" * 257,))
    with pytest.raises(LimitExceeded):
        Sought(record=RecordSought(source="s", entity="E", key="k" * 257))
    with pytest.raises(MalformedRequest):
        await inquiry.exported(looks(AF), "not a digest")
    assert await own.views() == []


async def test_an_owner_learns_which_records_were_shown_to_whom_and_for_what(at: World) -> None:
    given = await at.inquiry.receipts(looks(AF_ERU))
    by_cyd, by_ann = given.value.rows
    assert (by_ann.agency, by_ann.purpose, by_ann.reason) == ("NMC", "OFFICER_SAFETY", "R01")
    one = Shown(source="eru", entity="Person", fields=("date_of_birth",), hit=False)
    assert (by_ann.shown, by_cyd.shown) == ((one,), (one,))
    assert by_ann.told == (("personSearch.0.nino", "MASKED", "", "r1"),)
    assert (by_cyd.agency, by_cyd.tag) == ("SCP", "combination")
    assert "cyd" not in repr(given.value)
    assert "ann" not in repr(given.value)
    record = RecordSought(source="eru", entity="Person", key="h-1")
    marks = [at.recorder.mark(who.issuer, who.id) for who in (CYD, ANN)]
    assert [row.mark for row in given.value.rows] == marks
    again = await at.inquiry.receipts(looks(AF_ERU), Sought(record=record, agency="SCP"))
    assert [row.index for row in again.value.rows] == [by_cyd.index]
    other = RecordSought(source="eru", entity="Person", key="h-2")
    assert (await at.inquiry.receipts(looks(AF_ERU), Sought(record=other))).value.rows == ()
    # the same record is no other owner's to ask after
    assert (await at.inquiry.receipts(looks(AF), Sought(record=record))).value.rows == ()
    for more in (Sought(officer="ann"), Sought(typed=("Hoxha",)), Sought(words="w")):
        with pytest.raises(Refused):
            await at.inquiry.receipts(looks(AF_ERU), more)
    with pytest.raises(Refused):
        await at.inquiry.receipts(looks(AU))


async def test_a_look_for_silent_records_is_no_receipt(own: World) -> None:
    looking = own.recorder.looking(looks(ANN).request, "another id", "ERU")
    await looking.intent(["Person"])
    await looking.outcome([("Person", "ANSWERED", ["k-1"])])
    await own.seen()
    assert len((await own.inquiry.receipts(looks(AF_ERU))).value.rows) == 2
    assert not await found(own, AF_ERU)
    first = own.log.size - 3
    assert (await own.inquiry.entry(looks(AF_ERU), first)).value is None
    assert (await own.inquiry.entry(looks(AU), first)).value is not None


async def test_a_role_that_policy_does_not_grant_hides_no_look(own: World) -> None:
    """ERU has no professional standards, whatever its issuer says of somebody."""
    eve = replace(AF_ERU, id="eve", roles=("professional_standards", "force_auditor"))
    before = own.log.size
    await own.inquiry.search(looks(eve))
    leaf = read_leaf(await own.log.leaf(before))
    assert leaf["view"]["as"] == "force_auditor"
    await own.seen()
    rows = (await own.inquiry.search(looks(AF_ERU), Sought(kind="V"))).value.rows
    assert before in [row.found.idx for row in rows]


async def test_what_professional_standards_do_with_the_record_is_unseen_too(own: World) -> None:
    """A hold on an officer, say: its intent has the officer's name in words."""
    request, before = looks(PS).request, own.log.size
    record = own.recorder.begin(request)
    record.data = False
    record.known(subject=PS)
    await record.keeping({"hold": {"id": "h", "step": "placed"}})
    await own.seen()
    for who, there in ((AF, []), (PS, [before])):
        rows = (await own.inquiry.search(looks(who), Sought(kind="K"))).value.rows
        assert [row.found.idx for row in rows] == there


async def test_each_entry_comes_with_its_proof_and_what_is_erased_is_not_told(own: World) -> None:
    key = own.log.verifier
    for entry in (await own.inquiry.export(looks(AF))).value.entries:
        for leaf in entry.leaves:
            assert leaf.proof is not None
            proof = read_proof(leaf.proof.text.encode())
            assert proof.extra == leaf.data
            assert check_proof(proof, bytes.fromhex(leaf.hash), key).said.size == leaf.proof.size
    before = (await own.inquiry.entry(looks(AF), own.asked[1])).value
    assert before is not None
    assert before.asked is not None
    assert before.asked.officer == "bob"
    for number in (before.found.idx, before.found.last):
        await own.log.erase(number)
    after = (await own.inquiry.entry(looks(AF), own.asked[1], proofs=True)).value
    assert after is not None
    assert after.asked is None
    assert [one.hash for one in after.leaves] == [one.hash for one in before.leaves]


async def test_AU_14_nothing_finds_a_search_by_words_that_were_erased(own: World) -> None:
    """Though the index still has their tokens; by what its leaf says it is found."""
    plate: dict[str, Any] = {"typed": ("AB12 CDE",)}
    assert await found(own, AF, **plate) == [1]
    (entry,) = (await own.inquiry.export(looks(AF), Sought(**plate))).value.entries
    await own.log.erase(entry.found.idx)
    assert await found(own, AF, **plate) == []
    assert (await own.inquiry.export(looks(AF), Sought(**plate))).value.entries == ()
    assert await found(own, AF, case="NM/1") == [1]
    page = (await own.inquiry.search(looks(AF), Sought(**plate), first=1)).value
    assert (page.rows, page.next) == ((), None)  # nor does where a page ends tell
    receipt = (await own.inquiry.receipts(looks(AF_ERU), first=2)).value.rows[0]
    await own.log.erase(receipt.index)
    left = (await own.inquiry.receipts(looks(AF_ERU), first=1)).value
    assert [row.index for row in left.rows] != [receipt.index]
    assert left.next in (None, own.asked[0])


async def test_the_digest_of_an_export_is_in_the_log_with_its_proof(at: World) -> None:
    given = await at.inquiry.exported(looks(AF, "RIGHTS"), "ab" * 32)
    leaf = given.value
    assert leaf.proof is not None
    assert read_leaf(leaf.data or b"")["view"] | {"as": ""} == {
        "page": "exported", "use": "RIGHTS", "as": "", "manifest": "ab" * 32, "rows": 0,
    }  # fmt: skip
    check_proof(read_proof(leaf.proof.text.encode()), bytes.fromhex(leaf.hash), at.log.verifier)


async def test_pages_go_on_and_the_log_s_health_is_told(own: World) -> None:
    first = (await own.inquiry.search(looks(AF), first=2)).value
    assert [own.asked.index(row.found.idx) for row in first.rows] == [3, 1]
    rest = (await own.inquiry.search(looks(AF), first=2, before=first.next)).value
    assert [own.asked.index(row.found.idx) for row in rest.rows] == [0]
    assert rest.next is None
    health = (await own.inquiry.health(looks(AU, "LOG_HEALTH"))).value
    assert (health.healthy, health.witnessed_size, health.origin) == (True, 0, "gate.example/audit")
    assert health.indexed == own.follower.upto <= health.signed_size


async def test_what_was_decided_is_read_with_its_rules_and_fits_the_leaf(own: World) -> None:
    index = await own.ask(ANN, decided=decision())
    await own.seen()
    entry = (await own.inquiry.entry(looks(AF), index)).value
    assert entry is not None
    assert entry.asked is not None
    assert [(one.manner, one.rule, one.sources) for one in entry.asked.rulings] == [
        ("CLEAR", "Person:ladder", ()),
        ("WITHHELD", "scp.hide", ("scp",)),
    ]
    assert entry.decided is True
    mine = (await own.inquiry.entry(looks(ANN, OWN), index)).value
    assert mine is not None
    assert mine.asked is not None
    assert (mine.asked.rulings, mine.decided) == ((), None)
    leaves = (await own.inquiry.entry(looks(AU), index)).value
    assert leaves is not None
    assert (leaves.asked, leaves.decided) == (None, True)
    await own.log.erase(index)
    erased = (await own.inquiry.entry(looks(AF), index)).value
    assert erased is not None
    assert (erased.asked is None or not erased.asked.rulings, erased.decided) == (True, None)


async def test_nothing_that_auditors_read_says_that_something_was_silent(own: World) -> None:
    index = await own.ask(ANN, decided=decision())
    await own.seen()
    for who in (AF, PS, AU):
        given = (await own.inquiry.entry(looks(who), index)).value
        assert given is not None
        told = repr(given).casefold()
        assert "silent" not in told
        assert "quiet" not in told
        assert "ncb" not in told
    kept = await own.log.detail(index, KEEPER)
    assert kept["silent"] == [["Person", "record", [], "SILENT", "Person:quiet", ["ncb"]]]
    assert await found(own, AF, rule="Person:quiet") == []


async def test_a_decision_that_is_not_what_the_leaf_commits_to_is_told(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await own.ask(ANN, decided=decision())
    await own.seen()
    kept = await own.log.detail(index, KEEPER)
    read = own.inquiry.evidence.log.detail

    async def another(number: int, name: str = ASKER) -> Any:
        return {**kept, "silent": []} if name == KEEPER else await read(number, name)

    monkeypatch.setattr(own.log, "detail", another)
    entry = (await own.inquiry.entry(looks(AF), index)).value
    assert entry is not None
    assert entry.decided is False


async def test_an_entry_whose_clock_was_in_doubt_says_so_and_is_counted(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await own.inquiry.health(looks(AF))).value.suspects == 0
    with monkeypatch.context() as patched:
        patched.setattr(own.log.keeper, "suspects", lambda _now: True)
        index = await own.ask(ANN)
    await own.seen()
    entry = (await own.inquiry.entry(looks(AF), index)).value
    assert entry is not None
    assert entry.found.suspect
    assert (own.log.suspects, (await own.inquiry.health(looks(AF))).value.suspects) == (2, 1)
    before = (await own.inquiry.entry(looks(AF), own.asked[0])).value
    assert before is not None
    assert not before.found.suspect


async def test_a_search_is_found_by_the_rules_held_against_it_where_bodies_open(own: World) -> None:
    index = await own.ask(ANN, decided=decision())
    await own.seen()
    place = own.asked.index(index)
    assert await found(own, AF, rule="scp.hide") == [place]
    assert await found(own, AF, rule="Person:ladder") == []  # by it all was shown
    assert await found(own, AF_SCP, rule="scp.hide") == []
    assert await found(own, AU, rule="scp.hide") == []
    mine = await own.inquiry.mine(looks(ANN, OWN), Sought(rule="scp.hide"))
    assert mine.value.rows == ()
    await own.log.erase(index)
    assert await found(own, AF, rule="scp.hide") == []
