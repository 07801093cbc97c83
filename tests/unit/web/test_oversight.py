"""The misuse queue, samples and reviews over a real log: what whom is shown, and what is left."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pytest

from gateway.actions.asking import Asking
from gateway.actions.oversight import Oversight
from gateway.actions.pairing import Pairing
from gateway.actions.recalling import Recalling
from gateway.actions.reviewing import MOST_NOTE, Verdict, reviewer_of
from gateway.actions.sampling import MOST_ANNOUNCED
from gateway.audit.entry import read_leaf
from gateway.audit.misuse import Case
from gateway.audit.queues import Queues
from gateway.audit.sampling import Wish
from gateway.audit.signals import Pattern
from gateway.audit.uses import SUPERVISORS
from gateway.casework.database import migrate
from gateway.casework.model import DipSample, Finding, Level, Officer, Origin, Review, ReviewCase
from gateway.casework.store import Store
from gateway.errors import CaseworkUnavailable, LimitExceeded, MalformedRequest, Refused
from gateway.identifiers import uuid7
from gateway.model import Justification, Subject
from gateway.web.access import PAGES
from gateway.web.console import samples
from gateway.web.console.filled import moment_of, note_in, number_of, value_of, verdict_of
from gateway.web.console.frame import Choices, Console, sections
from gateway.web.console.misuse import misuse_routes
from gateway.web.console.reviews import review_routes
from gateway.web.console.routes import console_routes, oversight_routes
from gateway.web.console.samples import command, sample_page, sample_routes, waits
from gateway.web.cookies import SESSION
from gateway.web.look import Look
from gateway.web.sessions import Session, Sessions
from gateway.web.times import UTC_ZONE
from gateway.web.zone import zone_routes
from tests.unit.audit.auditworld import (
    AF,
    AF_SCP,
    ANN,
    AU,
    PS,
    World,
    looks,
    refusing,
    somebody,
)
from tests.unit.audit.overseenworld import now, overseen
from tests.unit.web.pages_world import NOW, TOKEN, Client, Place

QUEUE, SAMPLES = "/console/audit/misuse", "/console/audit/samples"
WHY = Justification(purpose="OFFICER_SAFETY", reason_code="R02", reason_text="Just <i>looking</i>")
SERGEANT = somebody("sgt", "NMC", "sergeant")
BOTH = replace(ANN, roles=("response_officer", "force_auditor"))  # an auditor who asks, too


@dataclass(slots=True)
class At:
    """The pages over one log, and who sits before them."""

    world: World
    oversight: Oversight
    place: Place

    def client(self, who: Subject, use: str = "OVERSIGHT", *, led: bool = True) -> Client:
        """`led`: whoever looks alone and may not is led to where a colleague is asked."""
        number = hashlib.sha256(f"{who.id}{who.agency}{who.roles}".encode()).hexdigest()[:43]
        self.place.who = Session(
            number=number, token=TOKEN, subject=who, name="", ends=NOW + timedelta(minutes=30),
            use=use,
        )  # fmt: skip
        console = Console(
            inquiry=self.world.inquiry,
            sessions=cast("Sessions", self.place.sessions),
            keys=self.place.keys,
            look=Look(),
            choices=Choices,
            asking=cast("Asking", None),
            pairing=cast("Pairing", None),
            recalling=cast("Recalling", None),
            refuse=refusing(self.world.recorder),
            clock=now,
        )
        if not led:
            made = (misuse_routes, sample_routes, review_routes)
            return self.place.client([one for of in made for one in of(console, self.oversight)])
        zone = zone_routes(console.sessions, console.look, console.refuse, console.clock)
        return self.place.client(
            [*zone, *console_routes(console), *oversight_routes(console, self.oversight)]
        )


def new_id() -> str:
    return uuid7(int(now().timestamp() * 1000), hashlib.sha256(str(now()).encode()).digest()[:10])


@pytest.fixture(scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[At]:
    """ann of NMC asked for her own car three times, bob for somebody's; ann's car is known."""
    async with overseen(tmp_path_factory.mktemp("oversight"), WHY, new_id) as (made, oversight):
        yield At(made, oversight, Place())


@pytest.fixture
def at(filled: At) -> At:
    filled.place = Place()
    return filled


def case_in(text: str, title: str = "Asked for oneself") -> str:
    """The address of a case in the queue."""
    found = re.search(rf'href="([^"]*)">{title}', text)
    return found[1] if found else ""


# --- the queue ------------------------------------------------------------------------------------


async def test_the_queue_says_why_and_what_it_could_not_look_for_and_is_recorded(at: At) -> None:
    before = len(await at.world.views())
    async with at.client(AF, use="COMPLAINT") as http:
        shown = unescape((await http.get(QUEUE)).text)
        assert "Asked for oneself or the own family" in shown
        assert "for their own vehicle" in shown
        assert "staff feed of NMC does not tell of" in shown
        assert "no watch list" in shown
        assert "SCP" not in shown
        for kind, there in (("self", True), ("glass", False)):
            only = unescape((await http.get(f"{QUEUE}?kind={kind}")).text)
            assert bool(case_in(only)) is there
            assert ("No case is of this kind" in only) is not there
    views = (await at.world.views())[before:]
    assert [one["view"]["page"] for one in views] == ["misuse"] * 3
    assert {one["view"]["use"] for one in views} == {"COMPLAINT"}


@pytest.mark.parametrize("query", ["days=8", "kind=other", "state=lost", "start=x", "days=-7"])
async def test_what_cannot_be_shown_of_the_queue_is_said(at: At, query: str) -> None:
    async with at.client(AF) as http:
        assert (await http.get(f"{QUEUE}?{query}")).status_code == 400


async def test_a_case_is_seen_by_its_agency_s_auditors_and_by_nobody_else(at: At) -> None:
    async with at.client(AF) as http:
        link = case_in(unescape((await http.get(QUEUE)).text))
        shown = unescape((await http.get(link)).text)
        assert "“" not in shown  # the quotes are the stylesheet's
        assert "Just <i>looking</i>" in shown
        assert "<i>looking" not in (await http.get(link)).text
        assert shown.count('name="entry"') == 3
    async with at.client(AF_SCP) as http:
        assert case_in((await http.get(QUEUE)).text) == ""
        assert (await http.get(link)).status_code == 404
    async with at.client(AU) as http:  # by the leaves: no word, no name
        shown = unescape((await http.get(link)).text)
        assert "sealed for NMC" in shown
        assert "looking" not in shown
        assert "somebody of NMC" in shown
    async with at.client(BOTH) as http:  # who is looked at does not look
        assert case_in((await http.get(QUEUE)).text) == ""
        assert (await http.get(link)).status_code == 404


async def sealed_review(at: At, number: int) -> Mapping[str, Any]:
    """What lies sealed of a review for the agency of whoever made it; nothing of another entry."""
    leaf = read_leaf(await at.world.log.leaf(number))
    part = await at.world.inquiry.evidence.part(leaf, number, "asker", "NMC")
    found: Mapping[str, Any] = (part or {}).get("review", {})
    return found


async def test_a_review_is_of_what_was_chosen_and_professional_standards_is_theirs(
    at: At,
) -> None:
    said = {"outcome": "REFERRED", "quality": "1", "note": "A note", "do": "review"}
    async with at.client(PS) as http:
        link = case_in(unescape((await http.get(QUEUE)).text))
        reply = await http.form(link, entry=str(at.world.asked[0]), **said)
        assert reply.status_code == 303, reply.text
        shown = unescape((await http.get(reply.headers["location"])).text)
        assert "Recorded of 1 search" in shown
        assert "Referred to professional standards: 1" in shown
        assert case_in(unescape((await http.get(f"{QUEUE}?state=begun")).text)) != ""
    views = await at.world.views()
    review = next(one for one in reversed(views) if "review" in one)
    assert review["review"] == {"origin": "MISUSE"}  # a stranger learns no more
    number = at.world.log.size - 1
    while (await sealed_review(at, number)) == {}:
        number -= 1
    found = await sealed_review(at, number)
    assert (found["level"], found["outcome"], found["entry"], found["sign"]) == (
        "STANDARDS", "REFERRED", at.world.asked[0], "self",
    )  # fmt: skip
    assert review["view"] == {"page": "review", "use": "OVERSIGHT", "as": "professional_standards"}
    assert "A note" not in str(views)
    async with at.client(AF) as http:
        assert case_in(unescape((await http.get(f"{QUEUE}?state=open")).text)) != ""
        shown = unescape((await http.get(link)).text)
        assert "Referred to professional standards: 1" not in shown
        assert shown.count(" checked>") == 3
        for wrong in ({}, {"entry": "999999"}, {"entry": str(at.world.asked[3])}):
            assert (await http.form(link, **said, **wrong)).status_code == 400
        for lacking in ("outcome", "quality"):
            fields = {**said, lacking: "", "entry": str(at.world.asked[0])}
            assert (await http.form(link, **fields)).status_code == 400
        reply = await http.form(link, entry=str(at.world.asked[1]), **said)
        shown = unescape((await http.get(reply.headers["location"])).text)
        assert shown.count(" checked>") == 2
        size = at.world.log.size
        reply = await http.form(link, entry=str(at.world.asked[1]), **said)  # once is enough
        assert "done=0" in reply.headers["location"]
        assert at.world.log.size == size
        reply = await http.form(link, do="close", note="Known")
        shown = unescape((await http.get(reply.headers["location"])).text)
        assert "Recorded of 2 searches" in shown
        assert "Closed: nothing to look at: 2" in shown
        assert "Record the review" not in shown
        assert case_in(unescape((await http.get(f"{QUEUE}?state=done")).text)) != ""
        waiting = unescape((await http.get("/reviews")).text)
        assert "Nothing waits for you" in waiting  # misuse is worked on in its queue
    async with at.client(AU) as http:
        shown = unescape((await http.get(link)).text)
        assert "Referred to professional standards: 2" in shown


async def test_the_queue_that_is_not_made_yet_is_said_to_be_made(at: At, tmp_path: Path) -> None:
    world, keys = at.world, tmp_path / "keys"
    slow = (sys.executable, "-c", "import time; time.sleep(60)")
    queues = Queues(
        follower=world.follower, index=tmp_path / "i", keys=keys, feeds=tmp_path,
        agencies=("NMC",), clock=now, patience_s=0.05, program=slow,
    )  # fmt: skip
    here = At(world, replace(at.oversight, queues=queues), Place())
    before = len(await world.views())
    async with here.client(AF) as http:
        shown = (await http.get(QUEUE)).text
        assert "The queue is being made." in shown
        assert (await http.get(f"{QUEUE}/self-0123456789abcdef")).status_code == 404
    assert len(await world.views()) == before  # nothing was shown
    await queues.aclose()


@pytest.mark.parametrize(
    ("program", "ended_s"),
    [
        ((sys.executable, "-c", "import time; time.sleep(60)"), 0.2),  # it takes too long
        ((sys.executable, "-c", "import sys; sys.exit(3)"), 60.0),
        (("/nowhere/python",), 60.0),
    ],
)
async def test_a_queue_that_cannot_be_made_is_told_and_not_tried_at_once_again(
    at: At, tmp_path: Path, program: tuple[str, ...], ended_s: float
) -> None:
    queues = Queues(
        follower=at.world.follower, index=tmp_path / "i", keys=tmp_path, feeds=tmp_path,
        agencies=("NMC",), clock=now, patience_s=60, program=program, ended_s=ended_s,
    )  # fmt: skip
    for _ in range(2):
        with pytest.raises(CaseworkUnavailable) as told:
            await queues.queue(28, "NMC")
        assert "cannot be made at the moment" in told.value.said
    await queues.aclose()


# --- samples and reviews --------------------------------------------------------------------------


async def test_a_sample_is_announced_in_the_record_and_waits(at: At) -> None:
    form = {"since": "2026-01-01T00:00", "until": "2026-02-01T06:30", "count": "20"}
    async with at.client(AF) as http:
        wrong = (
            {**form, "strata": "officer"},
            {**form, "strata": "roles", "count": "0"},
            {**form, "strata": "roles", "count": "501"},
            {**form, "strata": "roles", "since": "2024-01-01T00:00"},
            {**form, "strata": "roles", "since": "2026-02-01T06:30"},
            {**form, "strata": "roles", "until": "soon"},
        )
        for fields in wrong:
            reply = await http.form(SAMPLES, **fields)
            assert (reply.status_code, "Nothing was announced" in reply.text) == (400, True)
        assert await at.oversight.store.dip_samples(9) == ()
        reply = await http.form(SAMPLES, **form, strata="roles")
        assert reply.status_code == 303
        shown = unescape((await http.get(reply.headers["location"])).text)
        assert "Not drawn yet." in shown
        assert "no witnesses" in unescape((await http.get(SAMPLES)).text)
        assert (await http.get(f"{SAMPLES}/nothing")).status_code == 404
    view = next(one["view"] for one in await at.world.views() if "sample" in one["view"])
    assert view["sample"]["count"] == 20
    assert view["sample"]["by"] == "roles"


async def test_samples_are_listed_a_page_at_a_time(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [
        replace(SAMPLE, id=f"page-{number}", at=NOW - timedelta(days=9, hours=number // 2))
        for number in range(5)  # two at a time are of the same moment
    ]
    for one in made:
        await at.oversight.store.announce(one)
    monkeypatch.setattr(samples, "PAGE", 2)
    seen: list[str] = []
    async with at.client(AF) as http:
        path, pages = SAMPLES, 0
        while path:
            shown = unescape((await http.get(path)).text)
            assert ('href="/console/audit/samples#samples">The latest' in shown) is (pages > 0)
            listed = re.findall(rf'href="{SAMPLES}/([^"]+)"', shown)
            assert len(listed) <= 2
            seen += listed
            further = re.search(rf'href="({SAMPLES}\?before=[^"#]+)#samples"', shown)
            path, pages = (further[1] if further else ""), pages + 1
        assert "That is all." in shown
        assert (await http.get(f"{SAMPLES}?before=nothing")).status_code == 404
        older = re.sub("page-0", "page-4", f"{SAMPLES}?before=page-0")
        assert "There are no older ones." in (await http.get(older)).text
    assert [one for one in seen if one.startswith("page-")] == [one.id for one in made]
    assert len(seen) == len(set(seen))


async def test_a_zone_that_was_chosen_is_that_of_every_page_and_form(at: At) -> None:
    """Once, in the session: what is shown, what is typed, and what a program reads stays UTC."""
    path = await drawn(at, at.world.asked[0], asked_at=NOW)
    async with at.client(AF) as http:
        assert "<strong>UTC</strong>" in (await http.get(SAMPLES)).text
        reply = await http.form("/time-zone", zone="Asia/Kolkata", back=f"{QUEUE}?days=28&done=1")
        assert (reply.status_code, reply.headers["location"]) == (303, f"{QUEUE}?days=28")
        for page in (
            "/console/audit", f"{QUEUE}?days=28", SAMPLES, "/reviews", path, "/searches",
            "/console/audit/search", "/console/audit/timeline", "/console/audit/receipts",
            "/console/audit/export", "/console/audit/rights", "/console/audit/entry/0",
        ):  # fmt: skip
            shown = unescape((await http.get(page)).text)
            assert 'value="Asia/Kolkata"' in shown, page
            assert f'name="back" value="{page}"' in shown, page
            assert "UTC<" not in shown, page
            assert set(re.findall(r' name="(?:since|until)"', shown)) == set() or (
                "Asia/Kolkata</label>" in shown
            ), page
        shown = (await http.get("/reviews")).text
        assert '<time datetime="2026-03-01T10:00:00Z">2026-03-01 15:30 IST</time>' in shown
        form = {"since": "2026-01-01T00:00", "until": "2026-02-01T05:30", "strata": "app"}
        reply = await http.form(SAMPLES, **form, count="3")
        (made, *_) = await at.oversight.store.dip_samples(1)
        assert made.until == datetime(2026, 2, 1, tzinfo=UTC)
        assert "2026-02-01 05:30 IST" in (await http.get(reply.headers["location"])).text


async def test_a_zone_that_is_none_is_said_and_nothing_changes(at: At) -> None:
    async with at.client(AF) as http:
        await http.form("/time-zone", zone="Europe/London", back="")
        for zone in ("Europe/Nowhere", "../../etc/passwd", "Etc/GMT+5", "<b>", "x" * 5_000):
            reply = await http.form("/time-zone", zone=zone, back=SAMPLES)
            assert reply.status_code == 400
            said = unescape(reply.text)
            assert "There is no such time zone. One is named like Europe/London." in said
            assert "Times stay in Europe/London." in said
            assert f'href="{SAMPLES}">Back to the page' in said
            assert zone not in said
        assert 'value="Europe/London"' in (await http.get(SAMPLES)).text


@pytest.mark.parametrize(
    ("back", "to"),
    [("//evil.example", "/account"), ("https://evil.example/reviews", "/account"),
     ("", "/account"), ("/x", "/account"),
     ("/reviews\r\nX: y", "/account"), ("/static/x", "/account"), ("/\\evil", "/account"),
     ("/reviews?x=//evil&q=ab_-9", "/reviews?q=ab_-9"), ("/searches/7", "/searches/7"),
     ("/console/audit/rights/report", "/console/audit/rights"), ("/reviews#x", "/account")],
)  # fmt: skip
async def test_oi_06_a_choice_leads_back_to_pages_of_ours_alone(at: At, back: str, to: str) -> None:
    async with at.client(AF) as http:
        reply = await http.form("/time-zone", zone="UTC", back=back)
        assert (reply.status_code, reply.headers["location"]) == (303, to)


async def drawn(at: At, entry: int, **more: Any) -> str:
    """A drawn query to review; its address."""
    found = ReviewCase(
        id=new_id(), at=now(), origin=Origin.SAMPLE, batch="seed", agency="NMC", request=new_id(),
        actor="aa" * 32, entry=entry, asked_at=now(), stratum="NMC / OFFICER_SAFETY / r / shown",
    )  # fmt: skip
    found = replace(found, **more)
    await at.oversight.store.to_review(found)
    return f"/reviews/{found.id}"


async def test_supervisor_and_auditor_review_each_once_and_the_first_sees_not_the_second(
    at: At,
) -> None:
    path = await drawn(at, at.world.asked[0])
    own = at.oversight.reviewing.tokens("actor", f"{SERGEANT.issuer}|sgt", quarter())
    mine = await drawn(at, at.world.asked[1], actor=own)
    other = await drawn(at, at.world.asked[1], agency="SCP")
    misuse = await drawn(at, at.world.asked[1], origin=Origin.MISUSE, batch="self|aa")
    said = {"outcome": "UNCLEAR", "quality": "2", "note": "Which stop?\r\nAsk ann"}
    async with at.client(AF) as http:
        assert (await http.form(path, **said)).status_code == 303
        shown = unescape((await http.get(path)).text)
        assert "Which stop?\nAsk ann" in shown
        assert "it is reviewed already" in shown
        assert (await http.form(path, **said)).status_code == 404
    async with at.client(SERGEANT, use="") as http:
        shown = unescape((await http.get("/reviews")).text)
        assert path in shown
        assert mine not in shown
        for hidden in (mine, other, misuse, "/reviews/nothing"):
            assert (await http.get(hidden)).status_code == 404
            assert (await http.form(hidden, **said)).status_code == 404
        shown = unescape((await http.get(path)).text)
        for text in ("Just <i>looking</i>", "ann", "R02"):
            assert text in shown, text
        assert "Which stop?" not in shown
        assert "/console/audit/entry" not in shown
        assert (await http.form(path, **{**said, "quality": "5"})).status_code == 400
        long = {**said, "note": "x" * (MOST_NOTE + 1)}
        assert (await http.form(path, **long)).status_code == 400
        reply = await http.form(path, **{**said, "outcome": "JUSTIFIED", "note": ""})
        assert reply.headers["location"] == "/reviews?done=1"
        assert path not in (await http.get("/reviews?done=1")).text
    reviews = [one for one in await at.world.views() if "review" in one]
    (last,) = [one for one in reviews if one["view"]["as"] == "officer"]
    assert last["view"] == {"page": "review", "use": "OVERSIGHT", "as": "officer"}
    assert last["review"] == {"origin": "SAMPLE", "sample": "seed"}


async def test_a_role_that_the_agency_may_not_give_reviews_nothing(at: At) -> None:
    for who in (
        somebody("x", "ERU", "professional_standards"), somebody("x", "SCP", "external_auditor"),
        somebody("x", "OVERSIGHT", "sergeant"),
    ):  # fmt: skip
        async with at.client(who) as http:
            assert (await http.get("/reviews")).status_code == 403
            assert (await http.get(QUEUE)).status_code == 403


def quarter() -> str:
    return f"{now().year}-Q{(now().month + 2) // 3}"


def test_levels_are_the_roles() -> None:
    entitled = {
        "force_auditor": ["NMC"], "professional_standards": ["NMC"], "sergeant": ["NMC"],
        "external_auditor": ["OVERSIGHT"],
    }  # fmt: skip
    found = {
        who.roles[0]: reviewer_of(who, entitled, ["NMC", "SCP"]) for who in (AF, PS, AU, SERGEANT)
    }
    levels = {role: (one.level, set(one.sees)) for role, one in found.items() if one}
    assert levels == {
        "force_auditor": (Level.AUDITOR, {Level.SUPERVISOR, Level.AUDITOR}),
        "professional_standards": (Level.STANDARDS, set(Level)),
        "external_auditor": (Level.AUDITOR, set(Level)),
        "sergeant": (Level.SUPERVISOR, {Level.SUPERVISOR}),
    }
    assert reviewer_of(ANN, entitled, ["NMC"]) is None
    assert PAGES["GET", "/reviews"] == frozenset(found) | SUPERVISORS
    assert sections(SERGEANT) == (("/reviews", "Reviews"),)


SAMPLE = DipSample(
    id="s", at=NOW, by=Officer.of(AF), since=NOW - timedelta(days=7), until=NOW, count=3,
    strata="roles",
)  # fmt: skip


def test_why_a_sample_waits_and_how_it_is_drawn_again() -> None:
    assert "no witnesses" in waits(SAMPLE, NOW, witnessed=False, zone=UTC_ZONE)
    assert "2026-03-01 10:00 UTC" in waits(SAMPLE, NOW - timedelta(minutes=1), True, UTC_ZONE)
    there = ZoneInfo("Asia/Kolkata")
    assert "2026-03-01 15:30 IST" in waits(SAMPLE, NOW - timedelta(minutes=1), True, there)
    assert "from now on" in waits(SAMPLE, NOW, True, UTC_ZONE)
    assert command(SAMPLE) == (
        "portcullis audit sample --dir LOG --key log.pub --checkpoint kept.note --policy "
        "witnesses.policy --from 2026-02-22T10:00:00Z --until 2026-03-01T10:00:00Z --count 3 "
        "--by roles"
    )


async def test_nobody_crowds_another_s_sample_out(at: At, tmp_path: Path) -> None:
    """The oldest period is drawn first, and an agency has no more than some announced at once."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'casework.sqlite'}"
    await migrate(url)
    store = await Store.open(url)
    sampling = replace(at.oversight.sampling, store=store)
    first = replace(SAMPLE, id="first", at=NOW - timedelta(days=9))
    await store.announce(first)
    for n in range(MOST_ANNOUNCED):
        later = replace(
            SAMPLE, id=f"later-{n}", until=NOW + timedelta(minutes=n), by=Officer.of(AF_SCP)
        )
        await store.announce(later)
    over = NOW + timedelta(days=1)
    waiting = await store.undrawn(5, ended=over)
    assert [one.id for one in waiting] == ["first", *(f"later-{n}" for n in range(4))]
    assert [one.id for one in await store.undrawn(5, ended=NOW - timedelta(hours=1))] == []
    wish = Wish(since=SAMPLE.since, until=SAMPLE.until, count=1, by="roles")
    with pytest.raises(LimitExceeded, match="still to be drawn"):
        await sampling.announce(looks(AF_SCP), wish)
    assert (await sampling.announce(looks(AF), wish)).by.agency == "NMC"
    await store.aclose()


async def test_results_count_each_level_that_is_seen(at: At) -> None:
    log = at.world.inquiry.log
    sample = replace(SAMPLE, seed="ab", checkpoint=log.checkpoint.decode(), drawn_at=NOW)
    cases = [
        ReviewCase(id=str(n), at=NOW, origin=Origin.SAMPLE, batch="ab", agency="NMC", actor="a",
                   request=str(n), entry=n, asked_at=NOW, stratum="NMC / APPREHEND / r / shown")
        for n in range(3)
    ]  # fmt: skip

    def said(level: Level, outcome: Finding, quality: int) -> Review:
        by = Officer.of(AF)
        return Review(case="0", level=level, at=NOW, outcome=outcome, quality=quality, by=by)

    kept = {
        cases[0]: [said(Level.SUPERVISOR, Finding.JUSTIFIED, 4),
                   said(Level.AUDITOR, Finding.JUSTIFIED, 3)],
        cases[1]: [said(Level.SUPERVISOR, Finding.JUSTIFIED, 1),
                   said(Level.AUDITOR, Finding.UNCLEAR, 0)],
        cases[2]: [],
    }  # fmt: skip
    force = reviewer_of(AF, at.world.inquiry.entitled, [])
    assert force is not None
    page = sample_page(sample, kept, force, log.verifier)
    assert page.levels == ("Supervisors", "Auditors")
    assert dict(page.figures) == {
        "Justified": (2, 1), "Unclear: to be explained": (0, 1), "A mistake without harm": (0, 0),
        "Referred to professional standards": (0, 0),
    }  # fmt: skip
    assert (page.left, page.means, page.agree) == ((1, 1), ("2.5", "1.5"), "1 of 2")
    assert [one.open for one in page.drawn] == [False, False, True]
    assert dict(page.strata) == {"NMC / apprehend / records shown": 3}


# --- forms: pure ----------------------------------------------------------------------------------


def test_forms_say_one_value_of_its_kind() -> None:
    assert value_of({"a": [" x "]}, "a") == "x"
    assert value_of({}, "a") == ""
    assert number_of("012", "n") == 12
    assert moment_of("2026-11-01T06:00", "t", UTC_ZONE) == datetime(2026, 11, 1, 6, tzinfo=UTC)
    there = ZoneInfo("Asia/Kolkata")
    assert moment_of("2026-11-01T06:00", "t", there) == datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
    assert note_in("a\r\nb") == "a\nb"
    given = verdict_of({"outcome": ["ERROR"], "quality": ["0"]})
    assert given == Verdict(outcome=Finding.ERROR, quality=0)
    for text in ("", "-1", "1.5", "²", "9" * 13):
        with pytest.raises(MalformedRequest):
            number_of(text, "n")
    for text in ("", "now", "2026-11-01T06:00+00:00", "1969-01-01T00:00", "2026-13-01T00:00"):
        with pytest.raises(MalformedRequest):
            moment_of(text, "t", UTC_ZONE)
    for form in ({"outcome": ["CLOSED"], "quality": ["1"]}, {"outcome": ["ERROR"]},
                 {"outcome": ["ERROR", "ERROR"], "quality": ["1"]}):  # fmt: skip
        with pytest.raises(MalformedRequest):
            verdict_of(form)
    with pytest.raises(MalformedRequest):
        Verdict(outcome=Finding.CLOSED, quality=1).check()
    with pytest.raises(LimitExceeded):
        Verdict(outcome=Finding.ERROR, quality=5).check()


async def test_nothing_is_shown_to_whoever_has_not_said_for_what(at: At) -> None:
    async with at.client(AF, use="") as http:
        for path in (QUEUE, f"{QUEUE}/self-1", SAMPLES, f"{SAMPLES}/x", "/reviews", "/reviews/x"):
            assert (await http.get(path)).headers["location"] == "/console/audit/use"
        assert http.cookies[SESSION]


# --- in pairs: last, since it leaves a sample ----------------------------------------------------


async def test_professional_standards_do_nothing_alone_whatever_the_surface(
    at: At,
) -> None:
    """The actions refuse it by themselves, before anything is kept, written or looked through."""
    entry, agreements = at.world.asked[0], set[str]()

    async def paired(_subject: Subject, use: str) -> bool:
        return use in agreements

    alone = replace(at.world.recorder, paired=paired)
    inquiry = replace(at.world.inquiry, recorder=alone)
    oversight = replace(
        at.oversight,
        reviewing=replace(at.oversight.reviewing, recorder=alone),
        sampling=replace(at.oversight.sampling, inquiry=inquiry),
    )
    here = At(replace(at.world, recorder=alone, inquiry=inquiry), oversight, Place())
    waits_for = (await drawn(at, entry, batch="alone")).removeprefix("/reviews/")
    standards = reviewer_of(PS, inquiry.entitled, [])
    assert standards is not None
    leaf = read_leaf(await at.world.log.leaf(entry))
    case = Case(
        pattern=Pattern.HABIT, agency="NMC", actors=(leaf["who"]["actor"],), score=1.0, reasons=(),
        entries=(entry,), since=now(), until=now(),
    )  # fmt: skip
    verdict = Verdict(outcome=Finding.REFERRED, quality=1)
    wish = Wish(since=NOW - timedelta(days=1), until=NOW, count=1, by="roles")

    async def each(use: str) -> list[object]:
        """What the actions give, or why they do not."""
        who = looks(PS, use)
        acts = (
            oversight.reviewing.review(
                who.request, PS, waits_for, verdict, reviewer=standards, use=use, now=now()
            ),
            oversight.reviewing.review_misuse(
                who.request, PS, case, verdict, entries=(entry,), reviewer=standards, use=use,
                now=now(), new_id=new_id,
            ),
            oversight.sampling.announce(who, wish),
            alone.view(who.request, PS, page="whatever comes", use=use),
            inquiry.recorder.view(who.request, PS, page="misuse", use=use),
        )  # fmt: skip
        told: list[object] = []
        for act in acts:
            try:
                told.append(await act)
            except Refused as refused:
                told.append(refused.rule)
        return told

    size, samples = at.world.log.size, await at.oversight.store.dip_samples(99)
    assert await each("OVERSIGHT") == ["audit.pair"] * 5
    for use in ("OWN", "CORRECTION"):  # nobody gets round it by a use that is no auditor's
        for page in ("misuse", "review", "search", "whatever comes"):
            with pytest.raises(Refused):
                await alone.view(looks(PS).request, PS, page=page, use=use)
        with pytest.raises(Refused):
            await oversight.reviewing.review(
                looks(PS).request, PS, waits_for, verdict, reviewer=standards, use=use, now=now()
            )
    for path in (QUEUE, f"{QUEUE}/self-1", SAMPLES, f"{SAMPLES}/x", "/reviews", "/reviews/x"):
        async with here.client(PS, led=False) as http:
            assert (await http.get(path)).status_code == 403, path
    assert at.world.log.size == size
    assert await at.oversight.store.dip_samples(99) == samples
    assert await at.oversight.store.reviewed([f"habit|{case.actors[0]}"], ["NMC"], []) == {}
    agreements.add("OVERSIGHT")
    assert "audit.pair" not in await each("OVERSIGHT")
    assert at.world.log.size == size + 5
