"""`/desk` over the real demonstration: the same actions as at /casework, by forms of a session."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from deploy.demo.personas import PERSONAS
from deploy.demo.population import Agency, Population, Report
from gateway.app import application
from gateway.audit.entry import read_leaf
from gateway.casework.model import Notice, Told
from gateway.cli.demo import Demo
from tests.e2e.asking import REASON, Asker
from tests.e2e.browsing import Browser, browsing
from tests.e2e.test_casework import Desk, about, seen, until
from tests.e2e.test_pages import Parts
from tests.e2e.test_queries import shared

PURPOSE = ("OIC_INVESTIGATION", "R08")


class AtDesk:
    """A browser at the desk."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    async def open(self, path: str = "/desk") -> httpx.Response:
        return await self.browser.open(path)

    async def send(self, act: str, fields: Any = None, **headers: str) -> httpx.Response:
        return await self.browser.send(f"/desk/{act}", fields, **headers)

    async def sign_in(self, persona: str) -> httpx.Response:
        return await self.browser.sign_in(persona, to="/desk")

    @property
    def page(self) -> str:
        return self.browser.page

    def card(self, id_: str) -> str:
        return self.browser.card(id_)


@pytest.fixture
async def nobody(demo: Demo) -> AsyncIterator[AtDesk]:
    async with browsing(demo) as browser:
        yield AtDesk(browser)


@pytest.fixture
async def browser(nobody: AtDesk) -> AtDesk:
    """The originator's desk, signed in."""
    assert (await nobody.sign_in("DK")).status_code == 200
    return nobody


@pytest.fixture
def apps(asker: Asker) -> Desk:
    """The same gateway at /casework."""
    return Desk(asker=asker)


@pytest.fixture(scope="module")
def mixed(population: Population) -> Report:
    """A report whose text is withheld from other agencies until its desk releases it."""
    return shared(population, Agency.ERU, mixed=True, after=2)


@pytest.fixture
def officer(population: Population, mixed: Report) -> tuple[Any, ...]:
    return ("NO", about(population, mixed), mixed.urn, *PURPOSE)


@pytest.fixture
async def request_id(apps: Desk, asker: Asker, officer: tuple[Any, ...]) -> str:
    """A release request that waits, and the notice of it."""
    ref = (await seen(asker, *officer))["ref"]
    id_: str = (await apps.ask("NO", ref, "text", "title")).data["requestRelease"]["id"]
    return id_


async def notice_of(apps: Desk, subject: str) -> str:
    answer = await apps.raw("DK", "{ notices(first: 200) { id subject } }")
    (id_,) = [one["id"] for one in answer.data["notices"] if one["subject"] == subject]
    return str(id_)


# --- what it shows -------------------------------------------------------------------------------


async def test_nobody_is_shown_the_sign_in_and_nothing_is_asked(nobody: AtDesk, demo: Demo) -> None:
    size = demo.started.log.size
    reply = await nobody.open()
    assert (reply.status_code, reply.url.path) == (200, "/sign-in")
    assert "Where do you work?" in nobody.page
    assert "Acknowledge" not in nobody.page
    assert demo.started.log.size == size


async def test_a_desk_sees_what_waits_for_it(
    browser: AtDesk, request_id: str, mixed: Report, apps: Desk
) -> None:
    assert (await browser.open()).status_code == 200
    card = browser.card(f'id="{request_id}"')
    for text in (mixed.urn, REASON["reasonText"], "NCB demo-ncb-0001", "oic investigation", "R08",
                 'value="text"', 'value="title"', "24 hours", "routine"):  # fmt: skip
        assert text in card, text
    assert "overdue" not in card
    told = browser.card(f'value="{await notice_of(apps, request_id)}"')
    assert "An officer asks for a release" in told


async def test_what_is_late_is_marked(browser: AtDesk, demo: Demo) -> None:
    now = datetime.now(UTC)
    late = Notice(
        id="late-1", at=now - timedelta(hours=1), agency="ERU", desk="eru-intel",
        about=Told.SILENT_MATCH, subject="query-1", on_call="eru-duty",
        due_at=now - timedelta(minutes=5),
    )  # fmt: skip
    await demo.started.office.store.tell(late)
    await demo.started.office.standing.tick()
    await browser.open()
    card = browser.card('value="late-1"')
    assert "overdue" in card
    assert "desk on call told" in card
    assert "Due" in card


# --- what it does --------------------------------------------------------------------------------


async def test_a_notice_is_acknowledged_and_says_by_whom(
    browser: AtDesk, apps: Desk, request_id: str, demo: Demo
) -> None:
    notice = await notice_of(apps, request_id)
    await browser.open()
    await demo.started.tripwires.settled()
    size = demo.started.log.size
    reply = await browser.send("acknowledge", {"id": notice})
    assert (reply.status_code, "Acknowledged." in browser.page) == (200, True)
    log = demo.started.log
    leaves = [read_leaf(await log.leaf(n)) for n in range(size, log.size)]
    acts = [leaf["casework"] for leaf in leaves if "casework" in leaf]
    assert acts[0] == {"act": "acknowledgeNotice", "about": notice}
    assert [leaf["kind"] for leaf in leaves[:2]] == ["I", "O"]
    # it moved to the others, with the token by which the log finds who it was
    lately = browser.page.partition("Acknowledged lately")[2]
    assert request_id in lately
    assert f"ERU {leaves[0]['who']['actor'][:12]}" in lately
    assert PERSONAS["DK"].sub not in browser.page

    again = await browser.send("acknowledge", {"id": notice})
    assert (again.status_code, "Nothing waits for you" in browser.page) == (404, True)


async def test_fields_are_granted_for_a_time(
    browser: AtDesk, asker: Asker, demo: Demo, request_id: str, mixed: Report, officer: Any
) -> None:
    await browser.open()
    form = {"id": request_id, "field": ["text"], "until": "PT1H"}
    reply = await browser.send("grant", form)
    assert (reply.status_code, "Granted." in browser.page) == (200, True)
    assert not browser.card(f'id="{request_id}"')
    assert browser.card(f'id="release-{request_id}"')
    assert (await seen(asker, *officer))["text"] == mixed.text
    kept = await demo.started.office.store.request(request_id)
    assert kept is not None
    assert kept.granted == ("text",)
    await until(demo, request_id, datetime.now(UTC))


async def test_a_request_is_refused_with_a_code(
    browser: AtDesk, apps: Desk, request_id: str
) -> None:
    await browser.open()
    assert 'value="SOURCE_AT_RISK"' in browser.card(f'id="{request_id}"')
    reply = await browser.send("refuse", {"id": request_id, "refusal": "SOURCE_AT_RISK"})
    assert (reply.status_code, "Refused." in browser.page) == (200, True)
    mine = (await apps.raw("NO", "{ myRequests { id refusal } }")).data["myRequests"]
    assert {"id": request_id, "refusal": "SOURCE_AT_RISK"} in mine
    again = await browser.send("refuse", {"id": request_id, "refusal": "NOT_OURS"})
    assert again.status_code == 404


async def test_a_release_is_ended_early(
    browser: AtDesk, asker: Asker, apps: Desk, request_id: str, mixed: Report, officer: Any
) -> None:
    await apps.grant(request_id)
    assert (await seen(asker, *officer))["text"] == mixed.text
    await browser.open()
    card = browser.card(f'id="release-{request_id}"')
    assert mixed.urn in card
    assert 'value="USED_OTHERWISE"' in card
    wrong = await browser.send("revoke", {"id": request_id, "code": "BECAUSE"})
    assert (wrong.status_code, "Say why it ends" in browser.page) == (403, True)
    reply = await browser.send("revoke", {"id": request_id, "code": "USED_OTHERWISE"})
    assert (reply.status_code, "Ended." in browser.page) == (200, True)
    assert not browser.card(f'id="release-{request_id}"')
    assert (await seen(asker, *officer))["text"] is None
    again = await browser.send("revoke", {"id": request_id, "code": "USED_OTHERWISE"})
    assert again.status_code == 404


@pytest.mark.parametrize(
    ("act", "form", "says"),
    [
        ("grant", {"until": "PT1H"}, "Grant some of the fields"),
        ("grant", {"field": "text", "until": "P60D"}, "Grant some of the fields"),
        ("grant", {"field": "urn", "until": "PT1H"}, "Grant some of the fields"),
        ("grant", {"field": "text", "until": "for ever"}, "a duration is like"),
        ("refuse", {"refusal": "BECAUSE"}, "Grant some of the fields"),
    ],
)
async def test_what_policy_refuses_the_page_says_and_the_request_waits(
    browser: AtDesk, request_id: str, act: str, form: dict[str, str], says: str
) -> None:
    await browser.open()
    reply = await browser.send(act, {"id": request_id, **form})
    assert reply.status_code in (400, 403)
    assert 'role="alert"' in browser.page
    assert says in browser.page
    assert browser.card(f'id="{request_id}"')


async def test_the_desk_on_call_of_another_agency_has_what_was_not_acknowledged(
    nobody: AtDesk, apps: Desk, demo: Demo
) -> None:
    """By the page, and by the same action of any app."""
    await nobody.sign_in("GD")
    now, store = datetime.now(UTC), demo.started.office.store
    late = [
        Notice(
            id=f"nmc-late-{n}", at=now, agency="NMC", desk="nmc-bureau", about=Told.BUDGET_SPENT,
            subject="questions", on_call="gateway", due_at=now,
        )
        for n in range(2)
    ]  # fmt: skip
    await store.tell(*late)
    await nobody.open()
    assert "nmc-late" not in nobody.page  # not before its time
    await demo.started.office.standing.tick()
    await nobody.open()
    assert "nmc-late-0" in nobody.page
    over = [n for n in await store.notices_of("NMC", 50) if n.subject.startswith("nmc-late")]
    assert [(n.desk, n.about) for n in over] == [("gateway", Told.NOTICE_OVERDUE)] * 2
    assert (await nobody.send("acknowledge", {"id": over[0].id})).status_code == 200
    document = "mutation($id: ID!) { acknowledgeNotice(id: $id) { agency acknowledgedAt } }"
    assert (await apps.raw("DK", document, id=over[1].id)).data == {"acknowledgeNotice": None}
    done = (await apps.raw("GD", document, id=over[1].id)).data["acknowledgeNotice"]
    assert (done["agency"], bool(done["acknowledgedAt"])) == ("NMC", True)


# --- who may not ---------------------------------------------------------------------------------


async def test_another_agencys_notice_is_neither_seen_nor_acknowledged(
    browser: AtDesk, demo: Demo
) -> None:
    store = demo.started.office.store
    theirs = Notice(
        id="theirs-1", at=datetime.now(UTC), agency="NCB", desk="ncb-intel",
        about=Told.BUDGET_SPENT, subject="query-2",
    )  # fmt: skip
    await store.tell(theirs)
    await browser.open()
    assert "theirs-1" not in browser.page
    reply = await browser.send("acknowledge", {"id": "theirs-1"})
    nothing = await browser.send("acknowledge", {"id": "none"})
    assert (reply.status_code, nothing.status_code) == (404, 404)
    assert await store.notice("theirs-1") == theirs


async def test_who_is_no_desk_is_told_so_and_shown_nothing(
    nobody: AtDesk, demo: Demo, request_id: str
) -> None:
    reply = await nobody.sign_in("RA")  # an analyst of the very agency
    assert reply.status_code == 403
    assert "It opens to: desk." in nobody.page
    assert request_id not in nobody.page
    refused = await nobody.send("refuse", {"id": request_id, "refusal": "NOT_OURS"})
    assert refused.status_code == 403
    kept = await demo.started.office.store.request(request_id)
    assert kept is not None
    assert kept.decided_at is None


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ({}, {"csrf": "x"}),
        ({}, {"csrf": ""}),
        ({}, {"csrf": ["x", "y"]}),
        ({"Origin": "https://elsewhere.example"}, {}),
        ({"Origin": "null"}, {}),
        ({"Origin": ""}, {}),
    ],
)
async def test_a_form_that_is_not_this_pages_does_nothing_and_is_recorded(
    browser: AtDesk, demo: Demo, request_id: str, headers: Any, fields: Any
) -> None:
    await browser.open()
    await demo.started.tripwires.settled()
    size = demo.started.log.size
    form = {"id": request_id, "refusal": "NOT_OURS", **fields}
    reply = await browser.send("refuse", form, **headers)
    assert reply.status_code == 403
    assert "nothing was done" in browser.page
    assert demo.started.log.size == size + 1
    leaf = read_leaf(await demo.started.log.leaf(size))
    assert (leaf["kind"], leaf["status"]) == ("R", 403)
    kept = await demo.started.office.store.request(request_id)
    assert kept is not None
    assert kept.decided_at is None


async def test_another_sessions_form_is_not_this_ones(browser: AtDesk, request_id: str) -> None:
    await browser.open()
    first = browser.browser.csrf
    await browser.sign_in("DK")
    await browser.open()
    assert browser.browser.csrf != first
    form = {"id": request_id, "refusal": "NOT_OURS", "csrf": first}
    assert (await browser.send("refuse", form)).status_code == 403


async def test_a_form_without_a_cookie_does_nothing(
    nobody: AtDesk, demo: Demo, request_id: str
) -> None:
    reply = await nobody.send("refuse", {"id": request_id, "refusal": "NOT_OURS"})
    assert (reply.status_code, "Sign in again" in nobody.page) == (401, True)
    kept = await demo.started.office.store.request(request_id)
    assert kept is not None
    assert kept.decided_at is None


# --- how it is served ----------------------------------------------------------------------------


async def test_where_the_page_is_off_there_is_none(demo: Demo) -> None:
    settings = replace(demo.started.settings, desk_page=False)
    app = application(replace(demo.started, settings=settings))
    async with browsing(demo, app) as browser:
        await browser.sign_in("DK")
        assert 'href="/desk"' not in browser.page
        assert (await browser.get("/desk")).status_code == 404
        assert (await browser.post("/desk/refuse")).status_code == 404


async def test_forms_are_bounded_and_of_one_kind(browser: AtDesk) -> None:
    await browser.open()
    large = await browser.send("refuse", {"id": "x" * 70_000})
    assert large.status_code == 413
    many = await browser.send("grant", {"field": ["text"] * 200})
    assert many.status_code == 400
    own = browser.browser
    headers = own._headers({"Origin": own.demo.url})
    typed = await own.http.post("/desk/refuse", json={"id": "x"}, headers=headers)
    assert typed.status_code == 415
    nul = await browser.send("refuse", {"id": "a\0b"})
    assert nul.status_code == 400
    assert (await browser.send("nothing")).status_code == 404
    assert (await own.http.put("/desk")).status_code == 405


async def test_what_an_officer_wrote_is_text_and_the_page_runs_and_keeps_nothing(
    browser: AtDesk, apps: Desk, asker: Asker, officer: Any
) -> None:
    ref = (await seen(asker, *officer))["ref"]
    hostile = "<script>alert(1)</script>\"'&"
    why = {"purpose": PURPOSE[0], "reasonCode": PURPOSE[1], **REASON, "reasonText": hostile}
    id_ = (await apps.ask("NO", ref, "text", why=why)).data["requestRelease"]["id"]
    replies = [await browser.open(), await browser.send("refuse", {"id": id_, "csrf": "x"})]
    assert "&lt;script&gt;alert(1)" in replies[0].text
    for reply in replies:
        assert reply.headers["cache-control"] == "no-store"
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["referrer-policy"] == "same-origin"
        tags = Parts(reply.text).tags
        assert not {tag for tag, _ in tags} & {"script", "style", "iframe", "object", "embed"}
        assert not any(name.startswith("on") for _, attrs in tags for name in attrs)


async def test_every_field_of_a_form_has_a_name_and_the_page_its_landmarks(
    browser: AtDesk, demo: Demo, request_id: str
) -> None:
    shown = await browser.open()
    async with browsing(demo) as other:
        sign_in = await other.open("/sign-in?next=/desk")
    for reply in (shown, sign_in):
        parts = Parts(reply.text)
        tags = [tag for tag, _ in parts.tags]
        assert parts.tags[0] == ("html", {"lang": "en"})
        assert (tags.count("h1"), tags.count("main"), tags.count("title")) == (1, 1, 1)
        ids = list(parts.attributes("id"))
        assert len(ids) == len(set(ids))
        labelled = set(parts.attributes("for"))
        fields = re.findall(r"<(?:input|select)\b[^>]*>", reply.text)
        assert fields
        for one in fields:
            named = re.search(r'id="([\w-]+)"', one)
            inside = re.search(r"<label[^>]*>[^<]*" + re.escape(one), reply.text)
            assert 'type="hidden"' in one or inside or (named and named[1] in labelled), one
        for address in parts.attributes("aria-labelledby"):
            assert address in ids
