"""What auditors ask agencies and each other, what desks recall, and reports on one person: by the
pages, over a real log and a real store."""

from __future__ import annotations

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from gateway.actions.asking import MOST_CHARS, UNSEALED_FOR, Asking
from gateway.actions.oversight import Oversight
from gateway.actions.pairing import PAIRED_FOR, Pairing
from gateway.actions.recalling import Desk, Held, Recalling
from gateway.audit.entry import ASKER, party_part, read_leaf
from gateway.audit.rights import GROUNDS
from gateway.audit.staff import tokens_of
from gateway.casework.model import Officer, Told
from gateway.casework.store import Store
from gateway.errors import AuditUnavailable, CaseworkUnavailable, Refused
from gateway.model import Justification, Subject
from gateway.web.access import PAGES, STANDARDS
from gateway.web.console.frame import Choices, Console
from gateway.web.console.routes import console_routes, oversight_routes
from gateway.web.cookies import SESSION
from gateway.web.look import Look
from gateway.web.sessions import Session, Sessions
from tests.unit.audit.auditworld import (
    AF,
    AF_SCP,
    ANN,
    AU,
    CYD,
    PS,
    REFS,
    World,
    looks,
    refusing,
    somebody,
    world,
)
from tests.unit.web.pages_world import NOW, TOKEN, Client, Place

WHY = Justification(
    purpose="APPREHEND", reason_code="R02", reason_text="A <b>wanted</b> person", case_ref="NM/1"
)
HOXHA = ("ERU", "eru", "Person", "h-1")
SECOND_PS = somebody("ps2", "NMC", "professional_standards")
SECOND_AF = somebody("af2", "NMC", "force_auditor")
SECOND_AU = somebody("au2", "OVERSIGHT", "external_auditor")
DESK_ERU, DESK_NMC = somebody("dk", "ERU", "desk"), somebody("dk", "NMC", "desk")
MATTERS, PAIRS, RIGHTS = (f"/console/audit/{name}" for name in ("matters", "pairs", "rights"))


@dataclass(slots=True)
class At:
    """The pages of a log, and who sits before them."""

    world: World
    store: Store
    place: Place
    file: Path  # of the store
    later: timedelta = timedelta(0)  # than the log says
    made: int = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def id(self) -> str:
        self.made += 1
        return f"id-{self.made}"

    async def paired(self, subject: Subject, use: str) -> bool:
        return await self.store.paired(Officer.of(subject), use, self.now())

    def client(self, who: Subject, use: str = "OVERSIGHT") -> Client:
        number = hashlib.sha256(f"{who.id} {who.agency} {who.roles}".encode()).hexdigest()[:43]
        self.place.who = Session(
            number=number, token=TOKEN, subject=who, name="", ends=NOW + timedelta(minutes=30),
            use=use,
        )  # fmt: skip
        inquiry, store = self.world.inquiry, self.store
        console = Console(
            inquiry=inquiry,
            sessions=cast("Sessions", self.place.sessions),
            keys=self.place.keys,
            look=Look(),
            choices=Choices,
            asking=Asking(
                inquiry=inquiry, store=store, tokens=tokens_of(self.world.keys), clock=self.now,
                new_id=self.id,
            ),
            pairing=Pairing(inquiry=inquiry, store=store, clock=self.now, new_id=self.id),
            recalling=self.recalling(),
            refuse=refusing(self.world.recorder),
            clock=self.now,
        )  # fmt: skip
        unused = cast("Oversight", None)  # its pages are not reached
        return self.place.client([*console_routes(console), *oversight_routes(console, unused)])

    def recalling(self) -> Recalling:
        return Recalling(
            inquiry=self.world.inquiry, store=self.store, seal=REFS.seal,
            sources={
                "eru": Held(agency="ERU", entities=("Person", "Vehicle")),
                "scp": Held(agency="SCP", entities=("Person",)),
            },
            desk_of=lambda agency: Desk(desk=f"{agency}-desk", on_call="duty"),
            clock=self.now, new_id=self.id,
        )  # fmt: skip

    async def get(self, who: Subject, path: str, use: str = "OVERSIGHT") -> httpx.Response:
        async with self.client(who, use) as http:
            return await http.get(path)

    async def text(self, who: Subject, path: str, use: str = "OVERSIGHT") -> str:
        reply = await self.get(who, path, use)
        assert reply.status_code == 200, reply.text
        return unescape(reply.text)

    async def send(
        self, who: Subject, path: str, use: str = "OVERSIGHT", **fields: str
    ) -> httpx.Response:
        """A form, as a page of theirs would send it."""
        async with self.client(who, use) as http:
            mark = self.place.keys.mark(f"session {self.place.who.digest}")  # type: ignore[union-attr]
            return await http.post(path, data={"csrf": mark, **fields})

    async def asked(self, kind: str, entry: int, words: str = "Why this one?") -> str:
        """The address of what the external auditor asks."""
        reply = await self.send(AU, MATTERS, kind=kind, entry=str(entry), words=words)
        assert reply.status_code == 303, reply.text
        return reply.headers["location"]

    async def last(self) -> dict[str, Any]:
        return (await self.world.views())[-1]


@pytest.fixture
async def at(tmp_path: Path) -> AsyncIterator[At]:
    """ann of NMC (twice) and cyd of SCP have asked, in this order; all but the second was shown a
    record of ERU."""
    file = tmp_path / "casework.sqlite"
    store = await Store.open(f"sqlite+aiosqlite:///{file}")
    made = At(cast("World", None), store, Place(), file)
    try:
        async with world(tmp_path, made.paired) as made.world:
            await made.world.ask(ANN, "Hoxha", why=WHY, shows=[HOXHA])
            await made.world.ask(ANN, "Nobody")
            await made.world.ask(CYD, "Hoxha", shows=[HOXHA, ("SCP", "scp", "Person", "9")])
            await made.world.seen()
            yield made
    finally:
        await store.aclose()


# --- a question, and its answer -------------------------------------------------------------------


async def test_an_agency_explains_what_the_external_auditor_asks_and_both_are_entries(
    at: At,
) -> None:
    entry = at.world.asked[0]
    before = len(await at.world.views())
    matter = await at.asked("QUESTION", entry, "Why <i>her</i>, at night?")
    asked = await at.last()
    assert asked["view"] | {"query": ""} == {
        "page": "question", "use": "OVERSIGHT", "as": "external_auditor", "query": "",
        "matter": "id-1", "about": entry, "to": "NMC",
    }  # fmt: skip
    assert set(asked["sealed"]["parts"]) == {ASKER, party_part("NMC")}
    listed = await at.text(AF, MATTERS)
    assert matter in listed
    assert "waits" in listed
    assert matter not in await at.text(AF_SCP, MATTERS)
    assert (await at.get(AF_SCP, matter)).status_code == 404
    assert (await at.send(AF_SCP, matter, answer="ANSWERED", words="x")).status_code == 404
    assert (await at.send(AU, matter, answer="ANSWERED", words="x")).status_code == 403
    assert 'name="answer"' not in await at.text(AU, matter)
    shown = await at.text(AF, matter)
    assert "Why <i>her</i>, at night?" in shown
    assert 'value="ANSWERED"' in shown
    for wrong in ({"answer": "AGREED"}, {"words": "  "}, {"words": "x" * (MOST_CHARS + 1)},
                  {"answer": ""}):  # fmt: skip
        wrong = {"answer": "ANSWERED", "words": "x", **wrong}
        assert (await at.send(AF, matter, **wrong)).status_code == 400
    reply = await at.send(AF, matter, "COMPLAINT", answer="ANSWERED", words="She was wanted.")
    assert (reply.status_code, reply.headers["location"]) == (303, matter)
    answered = await at.last()
    assert (answered["view"]["page"], answered["view"]["to"]) == ("answered", "OVERSIGHT")
    assert answered["view"]["use"] == "COMPLAINT"
    for who in (AU, SECOND_AU, AF, PS):
        if who is not PS:  # alone
            assert "She was wanted." in await at.text(who, matter)
    assert (await at.send(AF, matter, answer="ANSWERED", words="Again.")).status_code == 404
    views = (await at.world.views())[before:]
    assert not [one for one in views if "wanted." in repr(one) or "night" in repr(one)]


async def test_nobody_is_asked_about_what_is_not_there_or_ones_own(at: At) -> None:
    await at.text(AU, "/console/audit")
    size = at.world.log.size
    for entry in ("2000000000", "", "x", str(size - 1)):
        reply = await at.send(AU, MATTERS, kind="QUESTION", entry=entry, words="Why that one?")
        assert reply.status_code == 400
        assert "Why that one?" in reply.text  # nothing typed is lost
    for fields in ({"kind": "PAIR"}, {"kind": ""}, {"words": ""}):
        given = {"kind": "QUESTION", "entry": str(at.world.asked[0]), "words": "Why?", **fields}
        assert (await at.send(AU, MATTERS, **given)).status_code == 400
    for who in (AF, PS, ANN, DESK_ERU):
        assert (
            await at.send(who, MATTERS, kind="QUESTION", entry="0", words="x")
        ).status_code == 403
    assert "Nothing was asked." in await at.text(AU, MATTERS)


async def test_nobody_answers_for_an_entry_of_their_own(at: At) -> None:
    await at.text(AF, "/console/audit")
    number = at.world.log.size - 1
    matter = await at.asked("QUESTION", number)
    assert "nobody answers for an entry of their own" in await at.text(AF, matter)
    assert (await at.send(AF, matter, answer="ANSWERED", words="x")).status_code == 404
    reply = await at.send(SECOND_AF, matter, answer="ANSWERED", words="A dip sample.")
    assert reply.status_code == 303


# --- unsealing ------------------------------------------------------------------------------------


async def test_AU_13_a_body_is_unsealed_by_two_for_one_use_and_a_while(at: At) -> None:
    matter = await at.asked("UNSEALING", at.world.asked[0])
    body = f"{matter}/body"
    assert (await at.get(AU, body)).status_code == 404  # nobody agreed
    assert (await at.send(AF, matter, answer="ANSWERED", words="x")).status_code == 400
    reply = await at.send(AF, matter, answer="AGREED", words="It is a complaint.")
    assert reply.status_code == 303
    before = len(await at.world.views())
    shown = await at.text(AU, body)
    for told in ("Hoxha", "ann", "NM/1", "A <b>wanted</b> person"):
        assert told in shown
    kept = await at.world.log.detail(at.world.asked[0] + 1)
    for never in (kept["salt"], "1991-04-17", "h-1"):
        assert never not in shown
    (leaf,) = (await at.world.views())[before:]
    assert leaf["view"] == {
        "page": "unsealed", "use": "OVERSIGHT", "as": "external_auditor", "matter": "id-1",
        "rows": 1,
    }  # fmt: skip
    told = await at.world.log.detail(at.world.log.size - 1, party_part("NMC"))
    assert told["entries"] == [at.world.asked[0], at.world.asked[0] + 1]
    for who, use, status in (
        (SECOND_AU, "OVERSIGHT", 404), (AF, "OVERSIGHT", 403), (AF_SCP, "OVERSIGHT", 403),
        (AU, "COMPLAINT", 400),
    ):  # fmt: skip
        assert (await at.get(who, body, use)).status_code == status
    assert len(await at.world.views()) == before + 1
    at.later = UNSEALED_FOR
    assert (await at.get(AU, body)).status_code == 404
    assert "could be looked at until" in await at.text(AU, matter)


async def test_what_an_agency_refuses_stays_sealed(at: At) -> None:
    matter = await at.asked("UNSEALING", at.world.asked[2])
    assert (await at.send(AF, matter, answer="AGREED", words="x")).status_code == 404  # of SCP
    reply = await at.send(AF_SCP, matter, answer="REFUSED", words="It names a source.")
    assert reply.status_code == 303
    assert (await at.send(AF_SCP, matter, answer="AGREED", words="x")).status_code == 404
    assert (await at.get(AU, f"{matter}/body")).status_code == 404
    assert "It names a source." in await at.text(AU, matter)


async def test_an_erased_body_stays_erased(at: At) -> None:
    matter = await at.asked("UNSEALING", at.world.asked[1])
    await at.send(AF, matter, answer="AGREED", words="Yes.")
    for number in (at.world.asked[1], at.world.asked[1] + 1):
        await at.world.log.erase(number)
    assert "The body was erased, or there is none." in await at.text(AU, f"{matter}/body")


# --- in pairs -------------------------------------------------------------------------------------


ALONE = {"/console/audit", "/console/audit/use", PAIRS, f"{PAIRS}/{{id}}"}
IN_PAIRS = [
    (method, path)
    for (method, path), who in PAGES.items()
    if isinstance(who, frozenset) and who >= STANDARDS and path not in ALONE
]


async def test_every_page_but_their_own_leads_professional_standards_to_a_colleague(at: At) -> None:
    """Whatever pages there will be."""
    assert len(IN_PAIRS) > 20
    async with at.client(PS) as http:
        mark = await http.mark()
        for method, path in IN_PAIRS:
            address = re.sub(r"\{\w+\}", "1", path)
            reply = await http.request(method, address, data={"csrf": mark})
            led = reply.status_code, reply.headers.get("location")
            assert led == (303, PAIRS), (method, path)
    assert await at.world.views() == []


async def test_professional_standards_look_only_once_a_colleague_agreed(at: At) -> None:
    use, number = "INVESTIGATION", at.world.asked[0]
    assert (await at.send(PS, PAIRS, use, words=" ")).status_code == 400
    assert (await at.send(PS, PAIRS, use, words="A <b>complaint</b> about ann")).status_code == 303
    shown = await at.text(PS, PAIRS, use)
    assert "A <b>complaint</b> about ann" in shown
    assert 'name="answer"' not in shown
    for who in (PS, somebody("ps", "SCP", "professional_standards")):
        assert (await at.send(who, f"{PAIRS}/id-1", use, answer="AGREED")).status_code == 404
    for who in (AF, AU, ANN):
        assert (await at.send(who, f"{PAIRS}/id-1", use, answer="AGREED")).status_code == 403
    assert 'value="AGREED"' in await at.text(SECOND_PS, PAIRS)
    assert (await at.send(SECOND_PS, f"{PAIRS}/id-1", answer="ANSWERED")).status_code == 400
    assert (await at.send(SECOND_PS, f"{PAIRS}/id-1", answer="AGREED")).status_code == 303
    agreed = await at.last()
    assert (agreed["view"]["page"], agreed["view"]["pair"]) == ("pair_agreed", "id-1")
    assert (await at.send(SECOND_PS, f"{PAIRS}/id-1", answer="REFUSED")).status_code == 404
    assert "You may look for this use until" in await at.text(PS, PAIRS, use)
    for path in ("search", f"entry/{number}", "matters"):
        await at.text(PS, f"/console/audit/{path}", use)
    # for that person and that use alone, and for a while
    for who, what in ((PS, "OVERSIGHT"), (SECOND_PS, use)):
        assert (await at.get(who, "/console/audit/search", what)).status_code == 303
    at.later = PAIRED_FOR
    assert (await at.get(PS, "/console/audit/search", use)).status_code == 303


async def test_either_of_two_ends_their_agreement_early_and_the_next_look_is_refused(
    at: At,
) -> None:
    use, number = "INVESTIGATION", at.world.asked[0]
    search = "/console/audit/search"

    async def ends(who: Subject, id_: str) -> int:
        return (await at.send(who, f"{PAIRS}/{id_}", use, answer="END")).status_code

    third = somebody("ps3", "NMC", "professional_standards")
    for id_, by in (("id-1", PS), ("id-2", SECOND_PS)):
        await at.send(PS, PAIRS, use, words="About ann")
        assert await ends(PS, id_) == 404  # nobody has agreed
        await at.send(SECOND_PS, f"{PAIRS}/{id_}", use, answer="AGREED")
        assert (await at.get(PS, search, use)).status_code == 200
        for who in (third, somebody("ps", "SCP", "professional_standards")):
            assert await ends(who, id_) == 404
            assert 'value="END"' not in await at.text(who, PAIRS, use)
        for who in (AF, AU, ANN):
            assert await ends(who, id_) == 403
        assert (await at.get(PS, search, use)).status_code == 200
        assert 'value="END"' in await at.text(by, PAIRS, use)
        size = at.world.log.size
        assert await ends(by, id_) == 303
        leaf = read_leaf(await at.world.log.leaf(size))
        assert (leaf["view"]["page"], leaf["view"]["pair"]) == ("pair_ended", id_)
        assert leaf["view"]["as"] == "professional_standards"  # unseen by ordinary auditors
        for path in ("search", f"entry/{number}", "matters", "misuse"):
            assert (await at.get(PS, f"/console/audit/{path}", use)).status_code == 303
        with pytest.raises(Refused):
            await at.world.inquiry.search(looks(PS, use))
        shown = await at.text(PS, PAIRS, use)
        assert ">ended<" in shown
        assert "You may look for this use" not in shown
        assert await ends(by, id_) == 404
        matter = await at.store.matter(id_)
        assert matter is not None
        assert (matter.ended, matter.ended_by) == (size, Officer.of(by))
    await at.send(PS, PAIRS, use, words="About ann")
    await at.send(SECOND_PS, f"{PAIRS}/id-3", use, answer="AGREED")
    at.later = PAIRED_FOR
    assert await ends(PS, "id-3") == 404  # it is over


async def test_an_agreement_that_cannot_be_recorded_as_ended_holds(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at.send(PS, PAIRS, words="About ann")
    await at.send(SECOND_PS, f"{PAIRS}/id-1", answer="AGREED")

    async def full(*_: Any, **__: Any) -> None:
        raise AuditUnavailable(detail="the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(at.world.log, "append", full)
        assert (await at.send(PS, f"{PAIRS}/id-1", answer="END")).status_code == 503
    matter = await at.store.matter("id-1")
    assert matter is not None
    assert matter.ended is None


async def test_what_professional_standards_do_is_unseen_by_ordinary_auditors(at: At) -> None:
    await at.send(PS, PAIRS, words="About ann")
    await at.send(SECOND_PS, f"{PAIRS}/id-1", answer="AGREED")
    await at.text(PS, f"/console/audit/entry/{at.world.asked[0]}")
    number = at.world.log.size - 1
    await at.world.seen()
    listed = (await at.world.inquiry.search(looks(AF))).value.rows
    assert not [one for one in listed if one.found.viewer == "professional_standards"]
    hidden = await at.asked("QUESTION", number)
    assert hidden not in await at.text(AF, MATTERS)
    assert (await at.get(AF, hidden)).status_code == 404
    assert (await at.send(AF, hidden, answer="ANSWERED", words="x")).status_code == 404
    assert (await at.send(PS, hidden, answer="ANSWERED", words="x")).status_code == 404  # own look
    plain = await at.asked("QUESTION", at.world.asked[0])
    reply = await at.send(PS, plain, answer="ANSWERED", words="It is under investigation.")
    assert reply.status_code == 303
    assert "under investigation" in await at.text(AU, plain)
    shown = await at.text(AF, plain)
    assert "The answer is not for your role." in shown
    assert "under investigation" not in shown
    assert "professional" not in shown


# --- recalls --------------------------------------------------------------------------------------


async def recalled(at: At, who: Subject = DESK_ERU, **said: str) -> httpx.Response:
    """The answer to a recall, once all that was written before can be found."""
    await at.world.seen()
    return await at.send(who, "/recalls", "", **{**SAID, **said})


SAID = {"record": "eru Person", "key": "h-1", "said": "The date of birth was <b>another's</b>."}


async def test_whoever_was_shown_a_record_is_told_that_it_was_corrected(at: At) -> None:
    reply = await recalled(at)
    assert reply.status_code == 303, reply.text
    leaf = await at.last()
    assert leaf["view"] | {"query": ""} == {
        "page": "recall", "use": "CORRECTION", "as": "officer", "query": "", "recall": "id-1",
        "agencies": 2, "rows": 2,
    }  # fmt: skip
    assert set(leaf["sealed"]["parts"]) == {ASKER, party_part("NMC"), party_part("SCP")}
    assert "h-1" not in repr(leaf)
    shown = await at.text(DESK_ERU, reply.headers["location"], "")
    assert "2 other agencies were shown the record and are told." in shown
    assert SAID["said"] in shown
    assert "eru Person h-1" in shown
    notices = await at.store.notices_of("NMC", 9)
    (notice,) = notices
    assert (notice.about, notice.desk, notice.on_call) == (Told.RECORD_RECALLED, "NMC-desk", "duty")
    assert notice.record == REFS.seal("NMC", "eru", "Person", "h-1")
    assert len(await at.store.notices_of("SCP", 9)) == 1
    assert await at.store.notices_of("ERU", 9) == ()
    heard = await at.text(DESK_NMC, "/recalls", "")
    assert SAID["said"] in heard
    assert "not acknowledged" in heard
    assert "h-1" not in heard  # another agency's key
    query = await at.world.log.leaf(at.world.asked[0])
    assert re.findall(r'"request_id":"([^"]+)"', query.decode())[0] in heard
    await at.store.acknowledge(notice.id, Officer.of(DESK_NMC), at.now())
    assert "not acknowledged" not in await at.text(DESK_NMC, "/recalls", "")
    told = await at.text(DESK_ERU, "/recalls", "")
    assert told.count("acknowledged") == 1


async def test_nobody_is_told_of_a_record_that_was_shown_to_nobody(at: At) -> None:
    looking = at.world.recorder.looking(looks(ANN).request, "another id", "ERU")
    await looking.intent(["Person"])
    await looking.outcome([("Person", "ANSWERED", ["h-2"])])  # it stayed silent
    reply = await recalled(at, key="h-2")
    assert "No other agency was shown the record." in await at.text(
        DESK_ERU, reply.headers["location"], ""
    )
    assert await at.store.notices_of("NMC", 9) == ()


async def test_only_the_desk_of_its_owner_recalls_a_record(at: At) -> None:
    for who in (AF, AU, ANN, PS):
        assert (await at.send(who, "/recalls", **SAID)).status_code == 403
        assert (await at.get(who, "/recalls")).status_code == 403
    for record in ("scp Person", "nmc Person", "eru Weapon"):
        assert (
            await at.send(DESK_ERU, "/recalls", **{**SAID, "record": record})
        ).status_code == 403
    stranger = somebody("dk", "OVERSIGHT", "desk")  # whose people policy has at no desk
    assert (await at.send(stranger, "/recalls", **SAID)).status_code == 403
    for wrong in (
        {"key": " "},
        {"said": ""},
        {"said": "x" * 1001},
        {"key": "x" * 201},
        {"record": ""},
    ):
        reply = await at.send(DESK_ERU, "/recalls", **{**SAID, **wrong})
        assert reply.status_code == 400
        assert "Not recalled." in reply.text
    assert not [one for one in await at.world.views() if one["view"]["page"] == "recall"]


_STEPS = {  # where the store fails, by the statement
    "begun": "INSERT ON recall",
    "whom": "INSERT ON recalled",
    "told": "UPDATE ON recall",
    "notices": "INSERT ON notice",
}


@contextmanager
def failing(file: Path, statement: str) -> Iterator[None]:
    """The database itself refuses it, as a full disk would."""

    def run(text: str) -> None:
        with closing(sqlite3.connect(file)) as other, other:
            other.execute(text)

    run(f"CREATE TRIGGER full BEFORE {statement} BEGIN SELECT RAISE(ABORT, 'full'); END")
    try:
        yield
    finally:
        run("DROP TRIGGER full")


async def recall_entries(at: At) -> list[str]:
    """The ids of the recalls that the log has."""
    views = [one["view"] for one in await at.world.views()]
    return [one["recall"] for one in views if one["page"] == "recall"]


async def told_once(at: At) -> str:
    """Of the one recall that was made, once each agency has one notice of it; its id."""
    ((made, whom),) = (await at.store.recalls_of("ERU", 9)).items()
    assert [one.agency for one in whom] == ["NMC", "SCP"]
    for agency in ("NMC", "SCP"):
        (notice,) = await at.store.notices_of(agency, 9)
        assert notice.subject == made.id
        ((heard, _),) = (await at.store.recalls_told(agency, 9)).items()
        assert heard == made
    assert await recall_entries(at) == [made.id]
    assert made.told_at is not None
    leaf = read_leaf(await at.world.log.leaf(made.entry))
    assert leaf["view"]["recall"] == made.id
    return made.id


async def nobody_is_told(at: At) -> None:
    assert await at.store.recalls_of("ERU", 9) == {}
    for agency in ("NMC", "SCP"):
        assert await at.store.notices_of(agency, 9) == ()
        assert await at.store.recalls_told(agency, 9) == {}


@pytest.mark.parametrize("step", _STEPS)
async def test_a_recall_that_was_cut_off_is_gone_on_with_and_nobody_is_told_twice(
    at: At, step: str
) -> None:
    with failing(at.file, _STEPS[step]):
        assert (await recalled(at)).status_code == 503
    recorded = step in ("told", "notices")
    assert len(await recall_entries(at)) == recorded
    await nobody_is_told(at)
    reply = await recalled(at)
    assert reply.status_code == 303, reply.text
    id_ = await told_once(at)
    assert reply.headers["location"] == f"/recalls?done={id_}"
    reply = await recalled(at)  # and again, since the answer was lost
    assert reply.headers["location"] == f"/recalls?done={await told_once(at)}"
    at.later = timedelta(hours=1)
    assert await at.recalling().turn() == 0
    await told_once(at)


@pytest.mark.parametrize("step", _STEPS)
async def test_what_the_log_has_is_told_though_nobody_tries_again(at: At, step: str) -> None:
    with failing(at.file, _STEPS[step]):
        assert (await recalled(at)).status_code == 503
        assert await at.recalling().turn() == 0  # whoever began it may still be at it
        at.later = timedelta(minutes=3)
        if step in ("told", "notices"):
            with pytest.raises(CaseworkUnavailable):
                await at.recalling().turn()
    await nobody_is_told(at)
    await at.world.seen()
    if step in ("begun", "whom"):  # nothing of it was kept
        assert await at.recalling().turn() == 0
        assert await at.store.owed_recalls(at.now(), 9) == {}
        return
    turns = await asyncio.gather(at.recalling().turn(), at.recalling().turn())
    assert sorted(turns) == [0, 1]
    await told_once(at)


async def test_a_recall_that_the_log_has_not_is_begun_anew_or_forgotten(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    await at.world.seen()

    async def full(*_: Any, **__: Any) -> None:
        raise AuditUnavailable(detail="the disk is full")

    for _ in range(2):
        with monkeypatch.context() as broken:
            broken.setattr(at.world.log, "append", full)
            assert (await at.send(DESK_ERU, "/recalls", "", **SAID)).status_code == 503
    await nobody_is_told(at)
    (owed,) = await at.store.owed_recalls(at.now(), 9)
    at.later = timedelta(hours=23)
    assert await at.recalling().turn() == 0  # it may still be tried
    assert (await recalled(at)).status_code == 303
    assert await told_once(at) == owed.id
    with monkeypatch.context() as broken:
        broken.setattr(at.world.log, "append", full)
        assert (await recalled(at, said="Other words.")).status_code == 503
    at.later = timedelta(days=3)
    assert await at.recalling().turn() == 0
    assert await at.store.owed_recalls(at.now(), 9) == {}
    await told_once(at)


async def test_the_same_record_is_recalled_again_for_whoever_was_shown_it_since(at: At) -> None:
    assert (await recalled(at)).status_code == 303
    first = await told_once(at)
    await at.world.ask(ANN, "Hoxha", shows=[HOXHA])
    reply = await recalled(at)
    assert reply.status_code == 303
    assert first not in reply.headers["location"]
    assert len(await at.store.notices_of("NMC", 9)) == 2


# --- a report on one person -----------------------------------------------------------------------


async def test_a_rights_report_is_checked_by_a_person_and_names_nobody_who_looked(at: At) -> None:
    await at.world.ask(ANN, "Hoxha", shows=[("NMC", "nmc", "Person", "7")])
    await at.world.ask(CYD, "Other", shows=[("NMC", "nmc", "Person", "7")])
    await at.world.seen()
    given = {"typed": "Hoxha\n", "records": "nmc Person 7", "since": "2020-01-01"}
    reply = await at.send(AF, RIGHTS, "RIGHTS", **given)
    assert reply.status_code == 200
    names = re.findall(r'<select id="f-[^"]+" name="([^"]+)"', reply.text)
    first, *_ = at.world.asked
    again, by_cyd = at.world.asked[3:]
    assert set(names) == {f"searched-{first}", f"searched-{again}", f"shown-{again + 1}",
                          f"shown-{by_cyd + 1}"}  # fmt: skip
    chosen = dict.fromkeys(names, "") | {f"searched-{first}": "CRIME"}
    unread = await at.send(AF, f"{RIGHTS}/report", "RIGHTS", **given, **chosen)
    assert (unread.status_code, "nothing leaves unread" in unread.text) == (400, True)
    assert (await at.last())["view"]["page"] == "receipts"
    reply = await at.send(AF, f"{RIGHTS}/report", "RIGHTS", checked="yes", **given, **chosen)
    assert reply.status_code == 200
    report = unescape(reply.text)
    assert report.count("Searched for the person") == 1
    assert report.count("Was shown a record") == 2
    assert "SCP" in report
    for never in ("ann", "cyd", "Hoxha", GROUNDS["CRIME"]):
        assert not re.search(rf"\b{re.escape(never)}\b", report), never
    leaf = await at.last()
    assert leaf["view"] | {"query": ""} == {
        "page": "rights_report", "use": "RIGHTS", "as": "force_auditor", "query": "", "rows": 3,
        "kept_out": {"CRIME": 1},
    }  # fmt: skip
    assert f"{at.world.log.size - 1} of" in report
    assert "Hoxha" not in repr(leaf)


async def test_a_report_is_for_a_person_s_rights_alone_and_asks_for_enough(at: At) -> None:
    assert "Say for what you look" in await at.text(AF, RIGHTS)
    for path in (RIGHTS, f"{RIGHTS}/report"):
        reply = await at.send(AF, path, "OVERSIGHT", typed="Hoxha", checked="yes")
        assert reply.status_code == 400
        assert (await at.send(AU, path, "RIGHTS", typed="Hoxha", checked="yes")).status_code == 403
    for wrong in ({}, {"typed": "a\n" * 9 + "b"}, {"records": "nmc Person"},
                  {"typed": "Hoxha", "since": "yesterday"}):  # fmt: skip
        lines = {name: "\n".join(f"{n}{v}" for n, v in enumerate(text.split("\n")))
                 if "\n" in text else text for name, text in wrong.items()}  # fmt: skip
        assert (await at.send(AF, RIGHTS, "RIGHTS", **lines)).status_code == 400
    form = {"typed": "Hoxha", "checked": "yes", f"searched-{at.world.asked[0]}": "BECAUSE"}
    assert (await at.send(AF, f"{RIGHTS}/report", "RIGHTS", **form)).status_code == 400
    # a look that the checker did not see stays out
    reply = await at.send(AF, f"{RIGHTS}/report", "RIGHTS", typed="Hoxha", checked="yes")
    assert "There is nothing to report." in reply.text


async def test_AU_17_nothing_is_asked_agreed_or_recalled_that_is_not_recorded(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    matter = await at.asked("UNSEALING", at.world.asked[0])
    await at.send(PS, PAIRS, words="About ann")
    await at.world.seen()

    async def full(*_: Any, **__: Any) -> None:
        raise AuditUnavailable(detail="the disk is full")

    monkeypatch.setattr(at.world.log, "append", full)
    asks = {"kind": "QUESTION", "entry": str(at.world.asked[0]), "words": "Why?"}
    for reply in (
        await at.send(AU, MATTERS, **asks),
        await at.send(AF, matter, answer="AGREED", words="Yes."),
        await at.send(SECOND_PS, f"{PAIRS}/id-2", answer="AGREED"),
        await at.send(PS, PAIRS, words="About bob"),
        await at.send(DESK_ERU, "/recalls", **SAID),
        await at.send(AF, f"{RIGHTS}/report", "RIGHTS", typed="Hoxha", checked="yes"),
    ):
        assert (reply.status_code, AuditUnavailable.text in reply.text) == (503, True)
    monkeypatch.undo()
    (only,) = await at.store.matters("NMC", 9)
    assert only.answer is None
    (pair,) = await at.store.pairs("NMC", 9)
    assert pair.answer is None
    assert await at.store.recalls_of("ERU", 9) == {}


async def test_every_form_of_these_pages_needs_its_mark(at: At) -> None:
    size = at.world.log.size
    for who, path in (
        (AU, MATTERS), (AF, f"{MATTERS}/id-1"), (PS, PAIRS), (PS, f"{PAIRS}/id-1"),
        (AF, RIGHTS), (AF, f"{RIGHTS}/report"), (DESK_ERU, "/recalls"),
    ):  # fmt: skip
        async with at.client(who) as http:
            for mark in ({}, {"csrf": "0" * 64}):
                reply = await http.post(path, data={**SAID, "words": "x", **mark})
                assert reply.status_code == 403
                assert SESSION not in reply.text
    assert at.world.log.size == size
