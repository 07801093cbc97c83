"""The pages say what they are given, escaped, under a strict policy, without a script."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from gateway.web.look import Look
from gateway.web.pages import (
    AboutAgency,
    AboutPage,
    AboutPurpose,
    AgencyRow,
    DisclosureRow,
    Tour,
    TourPage,
    TourReceipt,
    TourStep,
    public_routes,
    tour_routes,
)
from tests.unit.web.pages_world import Client, Place

HOSTILE = "<script>alert(1)</script>\"'&"
ABOUT = AboutPage(
    operator="Run by the joint office.",
    agencies=(AboutAgency(code="NMC", name="Northmarch Constabulary", systems=("Records",)),),
    purposes=(AboutPurpose(code="OFFICER_SAFETY", title="Officer safety"),),
    oversight="The inspectorate reads the record.",
    oversight_bodies=("Office of the Data Inspector",),
)
STEP = TourStep(
    id="arrival",
    title="An arrival",
    persona="Arrival officer",
    agency="Saltcoast Police",
    purpose="PROTECT_VULNERABLE",
    sentence="Six agencies are asked.",
    graphql="{ sources { agency } }",
)
RAN = replace(
    STEP,
    answer='{"data": "' + HOSTILE + '"}',
    decision="{}",
    agencies=(
        AgencyRow(agency="NMC", system="Records", state="ANSWERED", records=2, elapsed_ms=12.3),
        AgencyRow(agency="SCP", system="Niche", state="TIMED_OUT", elapsed_ms=None),
    ),
    disclosures=(
        DisclosureRow(path="a.*.b", agency="ERU", outcome="HIT", text=HOSTILE, desk="eru-intel"),
    ),
    receipt=TourReceipt(query_id="0190", policy_serial=7, log_entry=42),
)


async def run(step_id: str) -> TourStep | None:
    return RAN if step_id == "arrival" else None


def client(*, about: AboutPage = ABOUT, tour: bool = True) -> Client:
    shown = Tour(page=lambda: TourPage(steps=(STEP,)), run=run) if tour else None
    return over(about, shown)


def over(about: AboutPage, tour: Tour | None) -> Client:
    look = Look()
    routes = public_routes(about=lambda: about, look=look)
    return Place().client([*routes, *(tour_routes(tour, look) if tour else ())])


async def read(method: str, path: str) -> httpx.Response:
    async with client() as http:
        return await (http.form(path) if method == "POST" else http.get(path))


async def test_about_says_who_is_asked_what_for_and_who_watches() -> None:
    page = (await read("GET", "/about")).text
    for text in ("Northmarch Constabulary", "Officer safety", "OFFICER_SAFETY", "Run by the joint",
                 "Office of the Data Inspector", "none named"):  # fmt: skip
        assert text in page


async def test_an_empty_service_says_so() -> None:
    async with client(about=replace(ABOUT, agencies=(), purposes=())) as http:
        page = (await http.get("/about")).text
    assert "No agency has joined yet" in page
    assert "no question is answered" in page


async def test_the_tour_begins_with_nothing_but_the_question() -> None:
    page = (await read("GET", "/")).text
    assert "Run it" in page
    assert "sources { agency }" in page
    assert "The decision" not in page


async def test_a_step_that_was_run_shows_everything() -> None:
    answer = await read("POST", "/tour/arrival")
    assert answer.status_code == 200
    for text in ("timed out", "12 ms", "eru-intel", "entry 42", "The decision", "Run it again"):
        assert text in answer.text


async def test_a_step_without_an_answer_says_why() -> None:
    async def fails(_step_id: str) -> TourStep:
        return replace(STEP, problem="No decision can be had at the moment.")

    tour = Tour(page=lambda: TourPage(steps=(STEP,)), run=fails)
    async with over(ABOUT, tour) as http:
        page = (await http.form("/tour/arrival")).text
    assert "No answer." in page
    assert "No decision can be had" in page


async def test_texts_are_escaped() -> None:
    page = (await read("POST", "/tour/arrival")).text
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 2


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 200), ("GET", "/about", 200), ("POST", "/tour/arrival", 200),
     ("POST", "/tour/other", 404), ("GET", "/tour/arrival", 303),
     ("GET", "/static/portcullis.css", 200), ("GET", "/static/layout.html", 404)],
)  # fmt: skip
async def test_every_answer_carries_the_policy(method: str, path: str, status: int) -> None:
    answer = await read(method, path)
    assert answer.status_code == status
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(("method", "path"), [("GET", "/about"), ("POST", "/tour/arrival")])
async def test_the_policy_blocks_nothing_that_a_page_uses(method: str, path: str) -> None:
    async with client() as http:
        page = (await (http.form(path) if method == "POST" else http.get(path))).text
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script", page)
        for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', page):
            assert (await http.get(address)).status_code == 200


@pytest.mark.parametrize(
    "path", ["/static/..%2f..%2fetc%2fpasswd", "/static//", "/static/%5c", "/static/%00"]
)
async def test_ht13_no_other_file_can_be_read(path: str) -> None:
    assert (await read("GET", path)).status_code == 404


async def test_ht12_ranges_are_ignored() -> None:
    async with client() as http:
        many = ",".join(f"{n}-" for n in range(10_000))
        answer = await http.get("/static/portcullis.css", headers={"range": f"bytes={many}"})
    assert answer.status_code == 200


async def test_without_a_tour_there_is_none() -> None:
    async with client(tour=False) as http:
        assert (await http.get("/")).status_code == 404
        assert (await http.post("/tour/arrival")).status_code == 404
