"""Signing in to the pages of the real demonstration: its issuers, its sessions, its record."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from deploy.demo.personas import PERSONAS
from gateway.app import application
from gateway.audit.entry import read_leaf
from gateway.cli.demo import Demo
from gateway.web.access import AUDITORS, DESKS
from gateway.web.cookies import BROWSER, SESSION
from tests.e2e.browsing import Browser, browsing


@pytest.fixture
async def browser(demo: Demo) -> AsyncIterator[Browser]:
    async with browsing(demo) as one:
        yield one


@pytest.fixture
async def other(demo: Demo) -> AsyncIterator[Browser]:
    async with browsing(demo) as one:
        yield one


async def leaves(demo: Demo, since: int) -> list[dict[str, Any]]:
    await demo.started.tripwires.settled()
    return [read_leaf(await demo.started.log.leaf(n)) for n in range(since, demo.started.log.size)]


async def failures(demo: Demo, since: int) -> int:
    return sum(one["kind"] == "F" for one in await leaves(demo, since))


# --- who signs in --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["DK", "GD", "AF", "PS", "AU", "PA", "RO", "BF"])
async def test_each_kind_of_person_signs_in_with_their_agency_and_is_told_who_they_are(
    browser: Browser, code: str
) -> None:
    persona = PERSONAS[code]
    assert (await browser.sign_in(code)).status_code == 200
    assert f"<h1>{persona.title}</h1>" in browser.page
    assert f"{persona.title}, {persona.agency}" in browser.page
    assert persona.sub in browser.page
    opens = re.findall(r'<a class="choice" href="([^"]+)">', browser.page)
    assert ("/desk" in opens) == bool(DESKS & set(persona.roles))
    assert ("/console/audit" in opens) == bool(AUDITORS & set(persona.roles))


async def test_who_asks_for_a_page_comes_back_to_it(browser: Browser) -> None:
    assert (await browser.open("/desk")).status_code == 200
    assert "Where do you work?" in browser.page
    assert browser.hidden("next") == "/desk"
    reply = await browser.sign_in("DK", to="/desk")
    assert (reply.status_code, "Desk of ERU" in browser.page) == (200, True)


async def test_who_gives_up_is_not_signed_in_and_that_is_recorded(
    browser: Browser, demo: Demo
) -> None:
    size = demo.started.log.size
    reply = await browser.open(await browser.choose(await browser.begin("AF"), ""))
    assert reply.status_code == 400
    assert "it was given up" in browser.page
    assert SESSION not in browser.cookies
    assert await failures(demo, size) == 1


async def test_where_nobody_can_sign_in_nothing_offers_it(demo: Demo) -> None:
    settings = replace(demo.started.settings, desk_page=False)
    app = application(replace(demo.started, settings=settings, signing_in=None))
    async with browsing(demo, app) as browser:
        for path in ("/sign-in", "/desk", "/console/audit", "/account"):
            assert (await browser.get(path)).status_code == 404
        await browser.open("/about")
        assert "/sign-in" not in browser.page


# --- OI-01 to OI-03: whose answer it is ----------------------------------------------------------


async def test_oi_01_an_answer_that_another_browser_began_signs_nobody_in(
    browser: Browser, other: Browser, demo: Demo
) -> None:
    size = demo.started.log.size
    back = await browser.choose(await browser.begin("AF"), "AF")
    assert (await other.get(back)).status_code == 400  # it has no cookie at all
    await other.begin("AF")  # nor one of its own that this would fit
    assert (await other.get(back)).status_code == 400
    assert SESSION not in other.cookies
    assert await failures(demo, size) == 2
    assert (await browser.open(back)).status_code == 200  # the one that began it is let in


async def test_oi_02_an_answer_is_taken_once(browser: Browser, demo: Demo) -> None:
    address = await browser.begin("AF")
    before = dict(browser.cookies)
    back = await browser.choose(address, "AF")
    assert (await browser.open(back)).status_code == 200
    await browser.send("/sign-out")
    size = demo.started.log.size
    assert (await browser.get(back)).status_code == 400
    browser.cookies = before  # even with the cookie of before its code is gone
    assert (await browser.get(back)).status_code == 400
    assert SESSION not in browser.cookies
    assert await failures(demo, size) == 2


async def test_oi_02_two_at_once_let_one_in(browser: Browser) -> None:
    back = await browser.choose(await browser.begin("AF"), "AF")
    headers = {"Cookie": f"{BROWSER}={browser.cookies[BROWSER]}"}
    both = await asyncio.gather(*(browser.http.get(back, headers=headers) for _ in range(2)))
    assert sorted(one.status_code for one in both) == [303, 400]


async def test_oi_02_states_are_bounded_and_old_ones_dropped(browser: Browser) -> None:
    first = await browser.begin("AF")
    for _ in range(50):
        await browser.post("/sign-in", {"issuer": first.partition("/authorize")[0]})
        await browser.open("/sign-in")
    last = await browser.begin("AF")
    assert len(browser.cookies[BROWSER]) < 3000
    assert (await browser.get(await browser.choose(first, "AF"))).status_code == 400
    assert (await browser.open(await browser.choose(last, "AF"))).status_code == 200


async def test_oi_02_an_answer_without_its_parts_is_none(browser: Browser, demo: Demo) -> None:
    back = await browser.choose(await browser.begin("AF"), "AF")
    path, _, query = back.partition("?")
    said = {name: values[0] for name, values in parse_qs(query).items()}
    size = demo.started.log.size
    for wrong in (
        {},
        {**said, "state": ""},
        {name: value for name, value in said.items() if name != "state"},
        {**said, "state": said["state"][:-1]},
    ):
        assert (await browser.get(f"{path}?{urlencode(wrong)}")).status_code == 400
    twice = await browser.get(f"{back}&state={said['state']}")
    assert twice.status_code == 400
    assert await failures(demo, size) == 5
    assert SESSION not in browser.cookies
    assert (await browser.open(back)).status_code == 200


@pytest.mark.parametrize("iss", ["", "scp", "nmc/", "NMC"])
async def test_oi_03_an_answer_of_another_issuer_is_refused(
    browser: Browser, demo: Demo, iss: str
) -> None:
    back = await browser.choose(await browser.begin("AF"), "AF")
    said = {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}
    assert said["iss"] == f"{demo.stack.issuer_url}/nmc"
    del said["iss"]
    if iss:
        said["iss"] = f"{demo.stack.issuer_url}/{iss}"
    size = demo.started.log.size
    reply = await browser.get(f"/sign-in/callback?{urlencode(said)}")
    assert (reply.status_code, SESSION in browser.cookies) == (400, False)
    assert await failures(demo, size) == 1
    assert (await browser.get(back)).status_code == 400  # nor is it taken when mended


async def test_oi_03_a_code_of_one_issuer_buys_nothing_at_another(
    browser: Browser, other: Browser, demo: Demo
) -> None:
    """A code of ERU's, in an answer that says NMC's, to a browser that began with NMC."""
    stolen = parse_qs(urlsplit(await other.choose(await other.begin("DK"), "DK")).query)["code"]
    state = parse_qs(urlsplit(await browser.begin("AF")).query)["state"]
    said = {"code": stolen[0], "state": state[0], "iss": f"{demo.stack.issuer_url}/nmc"}
    assert (await browser.get(f"/sign-in/callback?{urlencode(said)}")).status_code == 400
    assert SESSION not in browser.cookies


async def test_what_is_asked_of_the_issuer_can_be_used_by_nobody_else(
    browser: Browser, demo: Demo
) -> None:
    asked = [parse_qs(urlsplit(await browser.begin("AF")).query) for _ in range(2)]
    one, again = asked
    assert one["code_challenge_method"] == ["S256"]
    assert one["redirect_uri"] == [f"{demo.url}/sign-in/callback"]
    assert one["resource"] == [demo.started.settings.audience]
    for name in ("state", "nonce", "code_challenge"):
        assert len(one[name][0]) >= 43
        assert one[name] != again[name]


# --- OI-06: where it leads -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "to",
    ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)",
     "/desk?x=https://evil.example", "/desk#x", "/nothing", "/sign-out", "/sign-in/callback",
     "/graphql", "/desk\n", "/console/audit/../../evil", "/%2F%2Fevil.example"],
)  # fmt: skip
async def test_oi_06_signing_in_leads_to_known_pages_of_ours_alone(
    browser: Browser, to: str
) -> None:
    back = await browser.choose(await browser.begin("DK", to), "DK")
    reply = await browser.get(back)
    assert (reply.status_code, reply.headers["location"]) == (303, "/account")


async def test_oi_06_nor_does_a_form_that_was_changed(browser: Browser, demo: Demo) -> None:
    await browser.open("/sign-in")
    form = {"issuer": f"{demo.stack.issuer_url}/eru", "next": "https://evil.example"}
    away = await browser.post("/sign-in", form)
    back = await browser.choose(away.headers["location"], "DK")
    assert (await browser.get(back)).headers["location"] == "/account"


@pytest.mark.parametrize("to", ["/desk", "/console/audit", "/console/audit/use", "/", "/about"])
async def test_known_pages_are_led_to(browser: Browser, to: str) -> None:
    back = await browser.choose(await browser.begin("DK", to), "DK")
    assert (await browser.get(back)).headers["location"] == to


# --- OI-07 to OI-09: the session -----------------------------------------------------------------


async def test_oi_07_a_session_is_new_at_signing_in_and_gone_at_signing_out(
    browser: Browser, other: Browser, demo: Demo
) -> None:
    fixed = secrets.token_urlsafe(32)
    browser.cookies[SESSION] = fixed
    await browser.sign_in("DK")
    first = browser.cookies[SESSION]
    assert first != fixed
    await browser.sign_in("AF", to="/about")  # another person, in the same browser
    assert "Signed in as" in browser.page
    second = browser.cookies[SESSION]
    assert second != first
    other.cookies[SESSION] = first
    assert (await other.get("/account")).status_code == 401
    await browser.open("/account")
    reply = await browser.post("/sign-out")
    assert reply.status_code == 303
    assert SESSION not in browser.cookies
    size = demo.started.log.size
    for stolen in (first, second):
        other.cookies = {SESSION: stolen}
        assert (await other.get("/account")).status_code == 401
        assert SESSION not in other.cookies  # and the browser is told to forget it
    assert await failures(demo, size) == 2


async def test_signing_out_ends_the_issuers_session_too_and_leads_back(
    browser: Browser, demo: Demo
) -> None:
    await browser.sign_in("DK")
    reply = await browser.post("/sign-out")
    address = reply.headers["location"]
    assert address.startswith(f"{demo.stack.issuer_url}/eru/end-session?")
    assert "token" not in address
    async with httpx.AsyncClient(trust_env=False) as there:
        back = (await there.get(address)).headers["location"]
    assert back == f"{demo.url}/signed-out"
    assert (await browser.open("/signed-out")).status_code == 200
    assert "You are signed out" in browser.page


@pytest.fixture
async def late(demo: Demo) -> AsyncIterator[tuple[Browser, list[timedelta]]]:
    """A browser at the same gateway, whose clock can be put on."""
    ahead = [timedelta()]
    gate = replace(demo.started.gate, clock=lambda: datetime.now(UTC) + ahead[0])
    app = application(replace(demo.started, gate=gate))
    async with browsing(demo, app) as one:
        yield one, ahead


async def test_oi_08_a_session_ends_after_a_quarter_of_an_hour_unused(
    late: tuple[Browser, list[timedelta]], demo: Demo
) -> None:
    browser, ahead = late
    await browser.sign_in("DK")
    for _ in range(3):  # used in time it goes on
        ahead[0] += timedelta(minutes=14)
        assert (await browser.get("/account")).status_code == 200
    ahead[0] += timedelta(minutes=15)
    size = demo.started.log.size
    assert (await browser.get("/account")).status_code == 401
    assert await failures(demo, size) == 1


async def test_oi_08_a_session_ends_with_its_token_however_much_it_is_used(
    late: tuple[Browser, list[timedelta]],
) -> None:
    browser, ahead = late
    await browser.sign_in("DK")
    flags = browser.flags[SESSION]
    (age,) = [int(flag.partition("=")[2]) for flag in flags if flag.startswith("Max-Age=")]
    assert 3500 < age <= 3600  # the issuer's tokens last an hour
    for _ in range(5):
        ahead[0] += timedelta(minutes=11)
        assert (await browser.get("/account")).status_code == 200
    ahead[0] += timedelta(minutes=6)
    assert (await browser.get("/account")).status_code == 401


async def test_oi_08_a_session_that_turns_up_in_another_kind_of_network_ends(
    browser: Browser, demo: Demo
) -> None:
    await browser.sign_in("DK")
    size = demo.started.log.size
    app = application(demo.started)
    transport = httpx.ASGITransport(app, client=("203.0.113.9", 50_000))
    headers = {"Cookie": f"{SESSION}={browser.cookies[SESSION]}"}
    async with httpx.AsyncClient(transport=transport, base_url=demo.url) as thief:
        assert (await thief.get("/desk", headers=headers)).status_code == 401
    assert (await browser.get("/account")).status_code == 401  # for its owner too
    assert await failures(demo, size) == 2


async def test_oi_08_nobody_without_a_session_does_anything(browser: Browser, demo: Demo) -> None:
    for path in ("/desk/grant", "/sign-out", "/console/audit/use"):
        reply = await browser.post(path)
        assert reply.status_code == 401, path
        assert "nothing was done" in browser.page


async def test_oi_09_both_cookies_are_the_hosts_and_no_scripts_and_tell_nothing(
    browser: Browser, demo: Demo
) -> None:
    await browser.sign_in("DK")
    assert browser.cookies.keys() == {SESSION, BROWSER}
    for name, flags in browser.flags.items():
        assert name.startswith("__Host-")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= flags
        assert not any(flag.startswith("Domain") for flag in flags)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", browser.cookies[SESSION])
    state = demo.started.settings.state_dir
    kept = b"".join(file.read_bytes() for file in state.glob("casework.sqlite*"))
    assert browser.cookies[SESSION].encode() not in kept  # not even in the gateway's own records


# --- OI-15: roles --------------------------------------------------------------------------------


async def test_oi_15_a_page_of_another_role_is_refused_in_words_and_recorded_by_name(
    browser: Browser, demo: Demo
) -> None:
    for code, path, whose in (
        ("RO", "/console/audit", "external auditor, force auditor, professional standards"),
        ("PA", "/console/audit", "external auditor, force auditor, professional standards"),
        ("AF", "/desk", "desk"),
    ):
        await browser.sign_in(code)
        size = demo.started.log.size
        reply = await browser.get(path)
        assert reply.status_code == 403
        assert f"It opens to: {whose}. You are signed in as" in browser.page
        assert 'href="/account"' in browser.page
        (leaf,) = await leaves(demo, size)
        assert (leaf["kind"], leaf["code"], leaf["status"]) == ("D", "REFUSED", 403)
        assert leaf["who"]["agency"] == PERSONAS[code].agency
        assert leaf["who"]["actor"] == demo.started.gate.audit.hmac(
            "actor", f"{demo.stack.issuer_url}/{PERSONAS[code].issuer}|{PERSONAS[code].sub}"
        )


# --- the auditors' first page --------------------------------------------------------------------


@pytest.mark.parametrize("code", ["AF", "PS", "AU"])
async def test_an_auditor_says_for_what_and_each_view_is_an_entry_before_it_is_sent(
    browser: Browser, demo: Demo, code: str
) -> None:
    reply = await browser.sign_in(code, to="/console/audit")
    assert "For what do you look at the record?" in browser.page
    assert reply.url.path == "/console/audit/use"
    assert (await browser.send("/console/audit/use", {"use": "GOSSIP"})).status_code == 400
    await browser.open("/console/audit/use")
    size = demo.started.log.size
    reply = await browser.send("/console/audit/use", {"use": "COMPLAINT"})
    assert (reply.status_code, "<h1>The record</h1>" in browser.page) == (200, True)
    assert "A complaint or a concern" in browser.page
    (leaf,) = await leaves(demo, size)
    assert (leaf["kind"], leaf["tag"]) == ("V", "consultation")
    (role,) = PERSONAS[code].roles
    assert leaf["view"] == {"page": "overview", "use": "COMPLAINT", "as": role, "rows": 0}
    assert leaf["who"]["agency"] == PERSONAS[code].agency
    assert PERSONAS[code].sub not in str(leaf)
    assert f'<p class="figure">{size + 1:,}</p>' in browser.page  # this view is one of them
    await browser.open("/console/audit")
    assert [one["kind"] for one in await leaves(demo, size)] == ["V", "V"]


async def test_a_new_session_says_anew_for_what(browser: Browser) -> None:
    await browser.sign_in("AU", to="/console/audit")
    await browser.send("/console/audit/use", {"use": "RIGHTS"})
    assert "<h1>The record</h1>" in browser.page
    await browser.send("/sign-out")
    await browser.sign_in("AU", to="/console/audit")
    assert "For what do you look at the record?" in browser.page


# --- OI-11, OI-18: how it is served --------------------------------------------------------------


async def test_oi_18_no_page_is_kept_by_a_browser(browser: Browser) -> None:
    replies = [await browser.get("/sign-in"), await browser.get("/account")]
    address = await browser.begin("AF")
    replies.append(await browser.get(await browser.choose(address, "AF")))
    for path in ("/account", "/desk", "/console/audit", "/console/audit/use", "/about",
                 "/sign-in/callback?state=x"):  # fmt: skip
        replies.append(await browser.get(path))
    replies.append(await browser.post("/sign-out"))
    assert {one.headers["cache-control"] for one in replies} == {"no-store"}


async def test_oi_11_no_page_runs_a_script_or_stands_in_a_frame(browser: Browser) -> None:
    await browser.sign_in("AF")
    for path in ("/sign-in", "/account", "/console/audit/use", "/desk", "/signed-out"):
        reply = await browser.get(path)
        if reply.status_code == 303:
            continue
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in reply.text
