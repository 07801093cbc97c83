"""The auditors' console over a real log: what its pages say, to whom, and what each look leaves."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import re
import zipfile
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

import gateway.web.look
from gateway.actions.oversight import Oversight
from gateway.audit.entry import read_leaf
from gateway.audit.found import Health
from gateway.audit.index import CUT_OFF, Count
from gateway.audit.sought import MOST_CHARS
from gateway.audit.spans import SPANS, moments_of
from gateway.audit.uses import USES
from gateway.audit.verify import check_bundle, check_proof, read_proof
from gateway.errors import CLIENT_GONE, AuditUnavailable, GatewayError, MalformedRequest
from gateway.model import Justification, Subject
from gateway.web.console import export, searching
from gateway.web.console.asking import Said, said_in
from gateway.web.console.charts import HEIGHT, WIDTH, chart
from gateway.web.console.frame import PAIRS, SECTIONS, Choices, Console, sections
from gateway.web.console.overview import Chosen, counted_of, overview_page
from gateway.web.console.routes import console_routes, oversight_routes
from gateway.web.cookies import SESSION
from gateway.web.look import Look
from gateway.web.sessions import Session, Sessions
from gateway.web.times import UTC_ZONE, when, zone_of
from tests.unit.audit.auditworld import (
    AF,
    AF_SCP,
    ANN,
    AU,
    BOB,
    CYD,
    PS,
    World,
    decision,
    refusing,
    world,
)
from tests.unit.web.pages_world import NOW, TOKEN, Client, Place

STATIC = Path(gateway.web.look.__file__).parent / "static"
PLAIN = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
CASE = Justification(
    purpose="APPREHEND", reason_code="R02", reason_text="A <b>wanted</b> person", case_ref="NM/1"
)
HOXHA = ("NMC", "nmc", "Person", "h-1")
NOTHING: Any = None  # what these pages do not use
TOLD = {"path": "personSearch.0.nino", "outcome": "MASKED", "agency": "NMC", "rule": "r1"}


@dataclass(slots=True)
class At:
    """The console of a log, and who sits before it."""

    world: World
    place: Place

    def client(self, who: Subject, use: str = "RIGHTS") -> Client:
        self.place.who = Session(
            number=hashlib.sha256(who.id.encode() + who.agency.encode()).hexdigest()[:43],
            token=TOKEN, subject=who, name="", ends=NOW + timedelta(minutes=30), use=use,
        )  # fmt: skip
        console = Console(
            inquiry=self.world.inquiry,
            sessions=cast("Sessions", self.place.sessions),
            keys=self.place.keys,
            look=Look(),
            choices=lambda: Choices(
                purposes=("APPREHEND", "OFFICER_SAFETY"), sources=("nmc",), agencies={"NMC": "N"}
            ),
            asking=NOTHING,
            pairing=NOTHING,
            recalling=NOTHING,
            refuse=refusing(self.world.recorder),
            clock=lambda: datetime.now(UTC),
        )
        nothing = cast("Oversight", None)  # its pages are tried in test_oversight.py
        return self.place.client([*console_routes(console), *oversight_routes(console, nothing)])


@pytest.fixture(scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """ann and bob of NMC and cyd of SCP have asked, in this order."""
    async with world(tmp_path_factory.mktemp("console")) as made:
        await made.ask(ANN, "Hoxha", shows=[HOXHA], told=TOLD)
        await made.ask(BOB, "AB12 CDE", why=CASE)
        await made.ask(CYD, "Hoxha", shows=[HOXHA])
        await made.seen()
        yield made


@pytest.fixture
def at(filled: World) -> At:
    return At(filled, Place())


async def sent(http: Client, path: str, **fields: str) -> tuple[str, str]:
    """Where a form leads, and the text of that page."""
    reply = await http.form(path, **fields)
    assert reply.status_code == 303, reply.text
    to = reply.headers["location"]
    return to, unescape((await http.get(to)).text)


def entries(text: str, base: str = "/console/audit/entry") -> list[int]:
    return list(map(int, re.findall(rf'href="{base}/(\d+)', text)))


# --- the overview ---------------------------------------------------------------------------------


async def test_the_overview_counts_what_is_in_scope_and_is_recorded(at: At) -> None:
    before = len(await at.world.views())
    for who, queries, agencies in ((AF, 2, {"NMC"}), (AF_SCP, 1, {"SCP"}), (AU, 3, {"NMC", "SCP"})):
        async with at.client(who) as http:
            shown = unescape((await http.get("/console/audit")).text)
        assert f'<h3>Queries</h3><p class="figure">{queries}</p>' in shown
        told = shown[shown.index("By agency"): shown.index("By purpose")]  # fmt: skip
        assert set(re.findall(r">(\w+)</a></th>", told)) == agencies
        for text in ("Apprehend", USES["RIGHTS"][0], at.world.log.verifier.strip()):
            assert (text in shown) is (text != "Apprehend" or who is not AF_SCP), text
        assert "overdue" not in shown
    views = (await at.world.views())[before:]
    assert [one["view"]["page"] for one in views] == ["overview"] * 3
    assert {one["view"]["use"] for one in views} == {"RIGHTS"}


async def test_one_agency_or_purpose_is_counted_alone_and_all_again(at: At) -> None:
    async with at.client(AU) as http:
        shown = unescape((await http.get("/console/audit?span=day")).text)
        (link,) = set(re.findall(r'href="([^"]*agency=NMC[^"]*)"', shown))
        alone = unescape((await http.get(link)).text)
        assert '<h3>Queries</h3><p class="figure">2</p>' in alone
        told = alone[alone.index("By agency") : alone.index("By purpose")]
        assert set(re.findall(r">(\w+)</a></th>", told)) == {
            "NMC",
            "SCP",
        }  # another is chosen there
        (purpose,) = set(re.findall(r'href="([^"]*purpose=APPREHEND[^"]*)"', alone))
        assert "agency=NMC" in purpose
        both = unescape((await http.get(purpose)).text)
        assert '<h3>Queries</h3><p class="figure">1</p>' in both
        assert re.findall(r'class="chip" href="([^"]*)"', both) == [
            "/console/audit?span=day&purpose=APPREHEND", "/console/audit?span=day&agency=NMC",
        ]  # fmt: skip
        odd = unescape((await http.get("/console/audit?agency=<b>&span=eon&purpose=%22")).text)
        assert "Nothing was asked in this time." in odd


async def test_no_record_no_page(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any, **__: Any) -> None:
        raise AuditUnavailable(detail="the disk is full")

    async with at.client(AF) as http:
        to, _ = await sent(http, "/console/audit/search", typed="Hoxha")
        monkeypatch.setattr(at.world.inquiry.log, "append", full)
        for path in ("/console/audit", to, f"/console/audit/entry/{at.world.asked[0]}"):
            reply = await http.get(path)
            assert (reply.status_code, AuditUnavailable.text in reply.text) == (503, True)
            assert "Hoxha" not in reply.text
            assert at.world.log.verifier.strip() not in unescape(reply.text)


def health(**more: Any) -> Health:
    given: dict[str, Any] = {
        "origin": "gate.example/audit", "verifier": "k", "witnesses": (), "size": 12,
        "healthy": True, "signed_size": 10, "signed_at": NOW - timedelta(seconds=91),
        "root": "ab", "witnessed_size": 0, "indexed": 7, "verified": 6, "whole": False,
    }  # fmt: skip
    return Health(**{**given, **more})


def test_a_log_that_is_not_well_is_shown_so() -> None:
    page = overview_page(
        health(healthy=False), NOW, name="", agency="NMC", roles=(), everyone=False,
        chosen=Chosen(span="day"),
        counted=None,
    )  # fmt: skip
    assert (page.late, page.age_s, page.behind, page.healthy) == (True, 91, 5, False)
    assert (page.verified, page.whole) == (6, False)


async def test_nobody_looks_without_saying_for_what(at: At) -> None:
    before = len(await at.world.views())
    async with at.client(AU, use="") as http:
        for path in ("/console/audit", "/console/audit/search", "/console/audit/timeline",
                     "/console/audit/entry/0", "/console/audit/entry/0/proof",
                     "/console/audit/export", "/console/audit/report"):  # fmt: skip
            reply = await http.get(path)
            assert (reply.status_code, reply.headers["location"]) == (303, "/console/audit/use")
        shown = unescape((await http.get("/console/audit/use")).text)
        assert all(title in shown and when_ in shown for title, when_ in USES.values())
        for wrong in ({}, {"use": ""}, {"use": "CURIOSITY"}):
            assert (await http.form("/console/audit/use", **wrong)).status_code == 400
        assert len(await at.world.views()) == before
        reply = await http.form("/console/audit/use", use="COMPLAINT")
        assert (reply.status_code, reply.headers["location"]) == (303, "/console/audit")
        assert (await http.get("/console/audit")).status_code == 200
    assert [one["view"]["use"] for one in (await at.world.views())[before:]] == ["COMPLAINT"]


async def test_oi_15_nobody_but_an_auditor_looks(at: At) -> None:
    before = len(await at.world.views())
    for role in ("desk", "policy_admin", "response_officer", "canary"):
        async with at.client(replace(ANN, roles=(role,))) as http:
            for path, _ in SECTIONS:
                assert (await http.get(path)).status_code == 403
    async with at.client(AU) as http:  # has no records of its own
        assert (await http.get("/console/audit/receipts")).status_code == 403
    assert len(await at.world.views()) == before


def test_the_navigation_has_what_opens_to_a_role() -> None:
    assert set(dict(sections(AF))) == set(dict(SECTIONS)) - {PAIRS}
    assert sections(PS) == SECTIONS
    assert "/console/audit/receipts" not in dict(sections(AU))
    assert sections(ANN) == ()


@pytest.mark.parametrize("span", SPANS)
def test_the_spans_end_now_and_are_as_many_as_are_said(span: str) -> None:
    moments = moments_of(span, NOW)
    assert len(moments) == SPANS[span][1] + 1
    assert moments[0] < NOW < moments[-1] <= NOW + timedelta(days=1)
    assert {b - a for a, b in pairwise(moments)} == {SPANS[span][2]}
    assert {moment.utcoffset() for moment in moments} == {timedelta()}


@pytest.mark.parametrize(
    ("span", "zone", "first", "last", "odd"),
    [("day", "Asia/Kolkata", "2026-02-28T11:00", "2026-03-01T11:00", set()),
     ("month", "Asia/Kolkata", "2026-01-30T19:00", "2026-03-01T19:00", set()),
     ("month", "America/New_York", "2026-01-31T05:00", "2026-03-02T05:00", set()),
     ("month", "Pacific/Auckland", "2026-01-30T11:00", "2026-03-01T11:00", set()),
     ("year", "Europe/London", "2025-03-03T00:00", "2026-03-02T00:00",
      {timedelta(days=7, hours=-1), timedelta(days=7, hours=1)})],
)  # fmt: skip
def test_days_and_hours_are_those_of_the_time_zone(
    span: str, zone: str, first: str, last: str, odd: set[timedelta]
) -> None:
    moments = moments_of(span, NOW, zone_of(zone))
    assert len(moments) == SPANS[span][1] + 1
    assert f"{moments[0]:%Y-%m-%dT%H:%M}" == first
    assert f"{moments[-1]:%Y-%m-%dT%H:%M}" == last
    assert {b - a for a, b in pairwise(moments)} == {SPANS[span][2], *odd}
    if span != "day":  # where midnight is within an hour, with the next
        begins = "00:30" if zone == "Asia/Kolkata" else "00:00"
        assert {f"{moment.astimezone(zone_of(zone)):%H:%M}" for moment in moments} == {begins}


def test_what_is_counted_is_put_together_by_time_agency_and_purpose() -> None:
    counts = [
        Count(0, "NMC", "APPREHEND", 10, 2, 1, 3, 1, 0),
        Count(0, "SCP", "APPREHEND", 4, 0, 0, 1, 0, 0),
        Count(29, "NMC", "", 1, 1, 0, 0, 0, 0),
    ]
    made = counted_of(counts, moments_of("month", NOW), Chosen(), UTC_ZONE)
    assert (made.total.queries, made.total.refused, made.total.failed) == (15, 3, 1)
    assert made.total.withheld_share == "36%"
    assert [(one.name, one.queries) for one in made.agencies] == [("NMC", 11), ("SCP", 4)]
    assert [one.name for one in made.purposes] == ["APPREHEND", "NONE_GIVEN"]
    assert [one.queries for one in made.spans if one.queries] == [14, 1]
    assert len(made.spans) == 30


def test_bars_stand_within_the_plot_and_are_as_high_as_they_count() -> None:
    made = chart(["a", "b", "c"], {"calm": [10, 0, 1], "bad": [5, 0, 0]})
    assert (made.top, made.first, made.last) == (20, "a", "c")
    heights = {(one.kind, one.x): one.height for one in made.bars}
    assert [round(h) for h in heights.values()] == [HEIGHT // 2, HEIGHT // 4, HEIGHT // 20]
    for one in made.bars:
        assert 0 <= one.x < one.x + one.width <= WIDTH
        assert 0 <= one.y <= one.y + one.height <= HEIGHT
    assert chart([], {"calm": []}).bars == ()
    assert chart(["a"], {"calm": [0]}).bars == ()


# --- searching ------------------------------------------------------------------------------------


async def test_what_is_typed_stands_in_no_address(at: At) -> None:
    async with at.client(AF) as http:
        to, shown = await sent(http, "/console/audit/search", typed="Hoxha")
        assert to.startswith("/console/audit/search?q=")
        assert "hoxha" not in to.lower()
        assert entries(shown) == [at.world.asked[0]]
        assert 'value="Hoxha"' in shown
        (q,) = parse_qs(urlsplit(to).query)["q"]
        assert f"/console/audit/entry/{at.world.asked[0]}?q={q}" in shown
        for address in re.findall(r'(?:href|action|src)="([^"]*)"', shown):
            assert "hoxha" not in address.lower()
    for who in (PS, AF_SCP):  # it opens in that session alone
        async with at.client(who) as http:
            reply = await http.get(to)
            assert reply.status_code == 400
            assert "of another session" in reply.text
            assert "Hoxha" not in reply.text


@pytest.mark.parametrize(
    ("fields", "found"),
    [({}, [1, 0]), ({"officer": "bob"}, [1]), ({"case": "NM/1"}, [1]), ({"typed": "ab12cde"}, [1]),
     ({"typed": "Hoxha", "officer": "ann"}, [0]), ({"typed": "Hoxha", "typed2": "AB12 CDE"}, []),
     ({"purpose": "APPREHEND"}, [1]), ({"words": "a <b>WANTED</b> person"}, [1]),
     ({"outcome": "answered"}, [1, 0]), ({"outcome": "REFUSED"}, []), ({"source": "nmc"}, [0]),
     ({"owner": "NMC"}, [0]), ({"serial": "7"}, []), ({"glass": "yes"}, []),
     ({"until": "2020-01-01T00:00"}, []), ({"since": "2020-01-01T00:00"}, [1, 0])],
    ids=str,
)  # fmt: skip
async def test_a_search_finds_by_all_that_is_filled_in(
    at: At, fields: dict[str, str], found: list[int]
) -> None:
    async with at.client(AF) as http:
        _, shown = await sent(http, "/console/audit/search", **{"tag": "", "kind": "", **fields})
    numbers = [n for n in entries(shown) if n in at.world.asked]
    assert numbers == [at.world.asked[one] for one in found]


async def test_what_somebody_wrote_is_text(at: At) -> None:
    async with at.client(AF) as http:
        reply = await http.form("/console/audit/search", case="NM/1")
        pages = [(await http.get(reply.headers["location"])).text]
        pages.append((await http.get(f"/console/audit/entry/{at.world.asked[1]}")).text)
    for page in pages:
        assert "&lt;b&gt;wanted&lt;/b&gt;" in page
        assert "<b>" not in page


async def test_what_cannot_be_looked_for_is_said_beside_the_form(at: At) -> None:
    wrong = {
        "since": "yesterday",
        "serial": "seven",
        "record_key": "1",
    }
    async with at.client(AF) as http:
        for name, value in wrong.items():
            reply = await http.form("/console/audit/search", **{name: value, "officer": "ann"})
            reply = await http.get(reply.headers["location"])
            assert reply.status_code == 400, name
            assert "Nothing was looked up." in reply.text
            assert 'value="ann"' in reply.text
        long = await http.form("/console/audit/search", typed="x" * (MOST_CHARS + 1))
        assert long.status_code == 400
        reply = await http.form("/console/audit/timeline", since="2020-01-01T00:00")
        assert "Say whom you ask about" in (await http.get(reply.headers["location"])).text
    async with at.client(AU) as http:
        reply = await http.form("/console/audit/search", typed="Hoxha")
        reply = await http.get(reply.headers["location"])
        assert (reply.status_code, "lies in bodies" in reply.text) == (403, True)


async def test_pages_follow_one_another(at: At, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "PAGE", 1)
    async with at.client(AF) as http:
        _, shown = await sent(http, "/console/audit/search", outcome="answered", purpose="")
        seen = []
        while found := re.search(r'href="([^"]*)#found" [^\n]*>Older', shown):
            seen += entries(shown)
            shown = unescape((await http.get(found[1])).text)
    assert [one for one in seen if one in at.world.asked] == [at.world.asked[1], at.world.asked[0]]


async def test_times_are_those_of_the_auditor(at: At) -> None:
    moment = datetime(2026, 7, 1, 23, 30, tzinfo=UTC)
    assert when(moment, zone_of("Europe/London")).text == "2026-07-02 00:30:00 BST"
    assert when(moment, zone_of("")).text == "2026-07-01 23:30:00 UTC"
    assert when(moment, zone_of("Europe/London")).day == "2026-07-02"
    said = said_in({"since": ["2026-07-02T00:30"]}, zone_of("Europe/London"))
    assert said.sought().since == moment
    assert said["since"] == "2026-07-02T00:30"
    later = Said(fields=said.fields, zone=zone_of("Asia/Kolkata"))  # another one was chosen since
    assert later.sought().since == moment
    assert later["since"] == "2026-07-02T05:00"
    assert later.to_read() == (("since", "2026-07-02 05:00:00 IST"),)
    named = said_in({"since": ["2026-07-02T01:30:00+02:00"]}, zone_of("Asia/Kolkata"))
    assert named.sought().since == moment
    for name in ("Europe/Nowhere", "../../etc/passwd", "Etc/GMT+5", "/etc/localtime"):
        with pytest.raises(MalformedRequest):
            zone_of(name)


def test_a_form_says_no_more_than_it_may() -> None:
    assert said_in({"officer": [" ann "], "csrf": ["m"], "agent": ["x"]}).fields == {
        "officer": "ann"
    }
    for wrong in ({"officer": ["a", "b"]}, {"officer": ["x" * 257]}):
        with pytest.raises(MalformedRequest):
            said_in(wrong)


async def test_the_timeline_says_who_looked_for_whom_by_day(at: At) -> None:
    async with at.client(AF) as http:
        _, shown = await sent(http, "/console/audit/timeline", typed="Hoxha")
        assert "1 search by 1 officer on 1 day" in shown
        assert entries(shown) == [at.world.asked[0]]
        _, shown = await sent(http, "/console/audit/timeline", officer="bob")
        assert entries(shown) == [at.world.asked[1]]
        assert "AB12 CDE" in shown


async def test_the_timeline_s_heading_counts_no_more_than_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST", 2)
    async with world(tmp_path) as made:
        for _ in range(3):
            await made.ask(ANN, "Hoxha")
        await made.seen()
        async with At(made, Place()).client(AF) as http:
            _, shown = await sent(http, "/console/audit/timeline", typed="Hoxha")
            assert "The latest 2 searches by 1 officer on 1 day" in shown
            (older,) = re.findall(r'href="([^"#]+)#found"', shown)
            assert "1 older search by 1 officer on 1 day" in (await http.get(older)).text


def test_every_way_in_which_a_search_can_end_can_be_chosen() -> None:
    """Those of the errors, and whatever else is written into an answer's code anywhere."""
    sources = Path(gateway.web.look.__file__).parents[1].rglob("*.py")
    written = {
        str(keyword.value.value)
        for path in sources
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "Response"
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant)
    }
    kinds = [GatewayError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    recorded = {kind.code for kind in kinds} | written | {CLIENT_GONE, CUT_OFF}
    assert set(searching.OUTCOMES) == recorded | {"answered"}
    assert {"CLIENT_GONE", "POLICY_UNAVAILABLE", "CASEWORK_UNAVAILABLE"} <= recorded
    assert Said(fields={"outcome": "answered"}).sought().code == ""
    for code in recorded:
        assert Said(fields={"outcome": code}).sought().code == code


async def test_officers_see_their_own_searches_and_no_counts(at: At) -> None:
    async with at.client(ANN, use="") as http:
        shown = unescape((await http.get("/searches")).text)
        assert entries(shown, "/searches") == [at.world.asked[0]]
        _, shown = await sent(http, "/searches", typed="AB12 CDE")
        assert entries(shown, "/searches") == []
        own = await http.get(f"/searches/{at.world.asked[0]}")
        assert (own.status_code, "Hoxha" in own.text) == (200, True)
        assert "Download the offline proof" not in own.text
        assert "disclosed" not in own.text  # a leaf counts what was silent
        assert "masked, " not in own.text
        for name in ("Shown", "Masked", "Withheld", "Hits"):
            assert f">{name}<" not in own.text
        assert ("Intent: before" in own.text, "Outcome: before" in own.text) == (True, True)
        assert (await http.get(f"/searches/{at.world.asked[1]}")).status_code == 404
        assert (await http.get(f"/console/audit/entry/{at.world.asked[0]}")).status_code == 403


# --- an entry -------------------------------------------------------------------------------------


async def test_an_entry_says_by_which_rules_it_was_decided_and_whether_its_clock_was_in_doubt(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(at.world.log.keeper, "suspects", lambda _now: True)
        index = await at.world.ask(ANN, decided=decision())
    await at.world.seen()
    async with at.client(AF) as http:
        page = unescape((await http.get(f"/console/audit/entry/{index}")).text)
        before = unescape((await http.get(f"/console/audit/entry/{at.world.asked[0]}")).text)
        overview = (await http.get("/console/audit")).text
    for text in ("Person:ladder", "scp.hide", "withheld", "everywhere else", "clock in doubt"):
        assert text in page, text
        assert text not in before or text == "withheld", text
    assert "is the one whose digest stands in the leaf" in page
    assert "clock in doubt gave" in overview
    for text in ("Person:quiet", "silent", "ncb"):
        assert text.casefold() not in page.casefold(), text
    async with at.client(ANN) as http:
        own = (await http.get(f"/searches/{index}")).text
    assert "scp.hide" not in own


async def test_an_entry_says_all_but_values(at: At) -> None:
    async with at.client(AF) as http:
        reply = await http.get(f"/console/audit/entry/{at.world.asked[0]}")
        shown = unescape(reply.text)
        texts = "ann|Hoxha|Officer safety|R01|date_of_birth|personSearch.0.nino|nmc|r1"
        for text in (*texts.split("|"), "Intent: before", "Outcome: before"):
            assert text in shown, text
        for secret in ("1991-04-17", "salt"):  # what was shown
            assert secret not in shown
        assert reply.headers["content-security-policy"] == f"{PLAIN}; script-src 'self'"
        assert shown.count("<script") == 1
        other = await http.get(f"/console/audit/entry/{at.world.asked[2]}")
        nowhere = await http.get("/console/audit/entry/999999")
        assert other.status_code == nowhere.status_code == 404
        assert (await http.get("/console/audit/entry/one")).status_code == 400


# --- quick, where scripts run ---------------------------------------------------------------------


async def test_quick_pages_run_our_files_alone_and_ask_this_gateway_alone(at: At) -> None:
    async with at.client(AF) as http:
        for path in ("/console/audit", "/console/audit/search", "/console/audit/timeline",
                     "/console/audit/receipts"):  # fmt: skip
            reply = await http.get(path)
            policy = f"{PLAIN}; script-src 'self'; connect-src 'self'"
            assert reply.headers["content-security-policy"] == policy
            assert reply.headers["cache-control"] == "no-store"
            scripts = re.findall(r'<script src="([^"]+)" integrity="([^"]+)" defer></script>',
                                 unescape(reply.text))  # fmt: skip
            assert reply.text.count("<script") == len(scripts) == 2
            for address, integrity in scripts:
                name = urlsplit(address).path.rpartition("/")[2]
                digest = hashlib.sha256((STATIC / name).read_bytes()).digest()
                assert integrity == f"sha256-{b64encode(digest).decode()}"
            (said,) = re.findall(r"name=\"htmx-config\" hx-history=\"false\" content='([^']+)'",
                                 reply.text)  # fmt: skip
            config = json.loads(said)
            for name in ("allowEval", "allowScriptTags", "includeIndicatorStyles"):
                assert config[name] is False
            assert (config["selfRequestsOnly"], config["historyCacheSize"]) == (True, 0)
            assert not re.search(r"\son[a-z]+=|\shx-on|\shx-vals|\sstyle=|<style", reply.text)
        for path in ("/console/audit/export", "/searches", "/console/audit/use"):
            reply = await http.get(path)
            assert reply.headers["content-security-policy"] == PLAIN
            assert "<script" not in reply.text


async def test_htmx_gets_the_page_that_everybody_gets_and_leaves_the_same_entry(at: At) -> None:
    async with at.client(AF) as http:
        to, _ = await sent(http, "/console/audit/search", typed="Hoxha")
        before = len(await at.world.views())
        plain = await http.get(to)
        quick = await http.get(to, headers={"HX-Request": "true"})
        assert plain.text == quick.text
        assert quick.headers["cache-control"] == "no-store"
        first, second = (await at.world.views())[before:]
        assert first["view"] == second["view"]


async def test_htmx_sends_no_form_without_the_page_s_mark(at: At) -> None:
    async with at.client(AF) as http:
        for path in ("search", "timeline", "receipts"):
            reply = await http.post(
                f"/console/audit/{path}",
                data={"typed": "Hoxha", "csrf": "0" * 64},
                headers={"HX-Request": "true", "Origin": at.place.origin},
            )
            assert reply.status_code == 403
            assert "This form does not come from the page" in reply.text


def test_htmx_is_as_its_authors_released_it() -> None:
    """The digest of `dist/htmx.min.js` of htmx 2.0.11, as docs/third-party.md has it."""
    (kept,) = STATIC.glob("htmx-*.min.js")
    digest = hashlib.sha256(kept.read_bytes()).hexdigest()
    assert digest == "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
    said = (STATIC.parents[2] / "docs" / "third-party.md").read_text("utf-8")
    assert (kept.name in said, digest in said) == (True, True)
    assert "Zero-Clause BSD" in kept.with_name("htmx-2.0.11.LICENSE.txt").read_text("utf-8")


async def test_the_external_auditor_s_entry_holds_the_leaf_and_nothing_sealed(at: At) -> None:
    async with at.client(AU) as http:
        shown = unescape((await http.get(f"/console/audit/entry/{at.world.asked[1]}")).text)
    assert "Sealed for NMC" in shown
    for word in ("bob", "AB12", "NM/1", "wanted"):
        assert word not in shown
    assert '"kind": "I"' in shown


async def test_an_offline_proof_proves(at: At) -> None:
    number = at.world.asked[0] + 1
    async with at.client(AF) as http:
        reply = await http.get(f"/console/audit/entry/{number}/proof")
        assert reply.headers["content-disposition"] == (
            f'attachment; filename="{number}.tlog-proof"'
        )
        proof = read_proof(reply.content)
        leaf = await at.world.log.leaf(number)
        check_proof(proof, hashlib.sha256(b"\0" + leaf).digest(), at.world.log.verifier)
        gone = await http.get(f"/console/audit/entry/{at.world.asked[2]}/proof")
        assert gone.status_code == 404


async def test_AU_01_a_changed_leaf_is_shown_as_damaged(
    at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = at.world.asked[0]
    log, real = at.world.inquiry.log, at.world.inquiry.log.leaf

    def changed(old: bytes, new: bytes) -> None:
        async def leaf(index: int) -> bytes:
            data = await real(index)
            return data.replace(old, new) if index == number else data

        monkeypatch.setattr(log, "leaf", leaf)

    for old, new, whole in (
        (b"OFFICER_SAFETY", b"MISSING_PERSON", True),
        (b'"NMC"', b'"SCP"', False),  # it says to be another agency's
        (b'{"', b'("', False),  # no JSON any more
    ):
        changed(old, new)
        async with at.client(AF) as http:
            reply = await http.get(f"/console/audit/entry/{number}")
            shown = unescape(reply.text)
            assert reply.status_code == 200
            assert "tree holds.</strong>" in shown
            assert shown.count("does not fit the log") == 1
            assert ('"MISSING_PERSON"' in shown) is whole
            assert (await http.get(f"/console/audit/entry/{number}/proof")).status_code == 404
            for how in ("bundle", "report"):  # no proof of it can be made
                reply = await http.form("/console/audit/export", officer="ann", **{"as": how})
                if reply.status_code == 303:
                    reply = await http.get(reply.headers["location"])
                assert reply.status_code == 500
                assert "is not what the log's tree holds" in unescape(reply.text)
        async with at.client(AF_SCP) as http:  # nor does it open to whom it was moved
            assert (await http.get(f"/console/audit/entry/{number}")).status_code == 404


# --- receipts, exports ----------------------------------------------------------------------------


async def test_an_owner_sees_who_used_its_records_and_not_who_asked(at: At) -> None:
    async with at.client(AF) as http:
        shown = unescape((await http.get("/console/audit/receipts")).text)
        assert shown.count('class="card task"') == 2
        assert "SCP: officer safety" in shown
        assert "date_of_birth" in shown
        assert "cyd" not in shown
        own, other = (at.world.asked[n] + 1 for n in (0, 2))
        assert entries(shown) == [own]  # of the own agency's search alone
        assert f"entry {other}" in shown
        assert (await http.get(f"/console/audit/entry/{own}")).status_code == 200
        _, shown = await sent(http, "/console/audit/receipts", agency="SCP", record_source="nmc",
                              record_entity="Person", record_key="h-1")  # fmt: skip
        assert shown.count('class="card task"') == 1
        _, shown = await sent(http, "/console/audit/receipts", agency="ERU")
        assert "Nothing was found" in shown
    async with at.client(AF_SCP) as http:
        shown = (await http.get("/console/audit/receipts")).text
        assert shown.count('class="card task"') == 0


async def test_AU_19_an_export_verifies_with_the_public_key_alone(at: At, tmp_path: Path) -> None:
    async with at.client(AF) as http:
        reply = await http.form("/console/audit/export", officer="bob", **{"as": "bundle"})
        assert reply.headers["content-type"] == "application/zip"
        target = tmp_path / "export.zip"
        target.write_bytes(reply.content)
        assert check_bundle(target, at.world.log.verifier.strip()).entries == 2
        with zipfile.ZipFile(io.BytesIO(reply.content)) as packed:
            assert b"AB12 CDE" in packed.read("searches.csv")
        wrong = await http.form("/console/audit/export", serial="x", **{"as": "bundle"})
        assert (wrong.status_code, "Nothing was looked up" in wrong.text) == (400, True)


async def test_an_export_of_more_than_a_bundle_holds_says_so_and_is_taken_as_a_part(
    at: At, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MOST_EXPORTED", 1)
    monkeypatch.setattr(export, "MOST", 1)
    async with at.client(AF) as http:
        asked = await http.form("/console/audit/export", kind="I", **{"as": "bundle"})
        assert asked.headers["content-type"].startswith("text/html")
        assert "More was found than a bundle holds" in asked.text
        assert 'name="as" value="part"' in asked.text
        reply = await http.form("/console/audit/export", kind="I", **{"as": "part"})
        assert "portcullis-export-part.zip" in reply.headers["content-disposition"]
        target = tmp_path / "part.zip"
        target.write_bytes(reply.content)
        found = check_bundle(target, at.world.log.verifier.strip())
        assert (found.complete, found.entries) == (False, 2)
        monkeypatch.setattr(export, "MOST_PRINTED", 1)
        _, shown = await sent(http, "/console/audit/export", kind="I", **{"as": "report"})
        assert "More was found: these are the latest 1 searches" in shown


async def test_a_report_is_a_page_to_print(at: At) -> None:
    async with at.client(AF) as http:
        to, shown = await sent(http, "/console/audit/export", officer="bob", **{"as": "report"})
        assert to.startswith("/console/audit/report?q=")
        for text in ("bob", "NM/1", "AB12 CDE", USES["RIGHTS"][0], at.world.log.verifier.strip()):
            assert text in shown, text
        assert len(re.findall(r"Entry \d+: [0-9a-f]{64}", shown)) == 2
        assert (await http.get("/console/audit/report")).headers["location"] == (
            "/console/audit/export"
        )


async def test_every_look_is_an_entry_that_names_what_for(at: At) -> None:
    before = len(await at.world.views())
    async with at.client(AF, use="COMPLAINT") as http:
        await http.get("/console/audit/search")  # a form alone is no look
        await sent(http, "/console/audit/search", typed="Hoxha")
        await http.get(f"/console/audit/entry/{at.world.asked[0]}")
        await http.get("/console/audit/receipts")
        assert http.cookies[SESSION]
    views = (await at.world.views())[before:]
    assert [one["view"]["page"] for one in views] == ["search", "entry", "receipts"]
    assert {one["view"]["use"] for one in views} == {"COMPLAINT"}


async def test_a_look_that_is_refused_is_an_entry_too(at: At) -> None:
    """Of whoever looks for what they may not, as at /audit."""
    before = at.world.log.size
    async with at.client(AU) as http:
        assert "lies in bodies" in (await sent(http, "/console/audit/search", typed="Hoxha"))[1]
        assert (await http.form("/console/audit/export", typed="Hoxha")).status_code == 403
    kinds = [read_leaf(await at.world.log.leaf(n)) for n in range(before, at.world.log.size)]
    assert [leaf["kind"] for leaf in kinds] == ["D", "D"]
    assert {leaf["who"]["agency"] for leaf in kinds} == {AU.agency}
