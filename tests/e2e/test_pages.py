"""The tour and the about page over the real demonstration: real answers, no script, no sign-in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser

import pytest

from deploy.demo.story import STEPS, Step
from gateway.cli.demo import Demo
from tests.e2e.browsing import Browser, browsing

AGENCIES = {
    "NMC": "Northmarch Constabulary",
    "SCP": "Saltcoast Police",
    "BID": "Border and Immigration Directorate",
    "ERU": "Eastern Region Organised Crime Unit",
    "NCB": "National Crime Bureau",
    "NIS": "National Image Service",
}


class Parts(HTMLParser):
    """The tags of a page, and what would load or run something from elsewhere."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def attributes(self, name: str) -> Iterator[str]:
        yield from (attrs[name] or "" for _, attrs in self.tags if name in attrs)


@pytest.fixture
async def browser(demo: Demo) -> AsyncIterator[Browser]:
    """Somebody who has signed in nowhere."""
    async with browsing(demo) as one:
        await one.get("/")
        yield one


def step_of(page: str, step_id: str) -> str:
    """The part of the page that belongs to one step."""
    return page.partition(f'id="{step_id}"')[2].partition('<li class="step')[0]


async def test_the_tour_offers_every_step_and_has_run_none(browser: Browser) -> None:
    page = (await browser.get("/")).text
    for step in STEPS:
        assert f'action="/tour/{step.id}#{step.id}"' in page
        assert "The GraphQL" in step_of(page, step.id)
    assert "Recorded as" not in page


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.id)
async def test_a_step_runs_and_shows_how_each_agency_fared(
    browser: Browser, demo: Demo, step: Step
) -> None:
    reply = await browser.post(f"/tour/{step.id}")
    assert reply.status_code == 200
    shown = step_of(reply.text, step.id)
    assert "No answer" not in shown, shown
    for agency in AGENCIES:
        assert re.search(rf'scope="row">{agency} ', shown), agency
    for fold in ("The GraphQL", "The question to the policy", "The decision", "The answer"):
        assert f"<summary>{fold}</summary>" in shown
    found = re.search(r"entry (\d+)", shown)
    assert found
    assert int(found[1]) < demo.started.log.size
    assert "Recorded as" not in step_of(reply.text, next(s.id for s in STEPS if s != step))


async def test_what_matters_first_stands_before_everything_else(
    browser: Browser,
) -> None:
    shown = step_of((await browser.post("/tour/street-stop")).text, "street-stop")
    places = [
        shown.index(text)
        for text in ("What matters first", "Who holds what", "What each agency gave", "Recorded as",
                     "The GraphQL")
    ]  # fmt: skip
    assert places == sorted(places)
    first = shown[places[0] : places[1]]
    assert "Weapons" in first
    assert "Ask public-protection" in first


async def test_immigration_control_reads_nothing_of_a_possible_victim(
    browser: Browser,
) -> None:
    page = (await browser.post("/tour/immigration-control")).text
    shown = step_of(page, "immigration-control").partition("The GraphQL")[0]
    assert "Who holds what" in shown
    assert ">Safeguarding<" not in shown  # neither among what matters first nor among the withheld


async def test_a_step_that_does_not_exist_is_not_found(browser: Browser) -> None:
    assert (await browser.post("/tour/nothing")).status_code == 404


async def test_about_lists_agencies_purposes_and_oversight(browser: Browser) -> None:
    page = (await browser.get("/about")).text
    for code, name in AGENCIES.items():
        assert f'{name} <span class="code">{code}</span>' in page
    for purpose in ("OFFICER_SAFETY", "PROTECT_VULNERABLE", "IMMIGRATION_CONTROL"):
        assert f'<span class="code">{purpose}</span>' in page
    assert "Oversight body (invented)" in page


async def test_no_page_runs_a_script_or_loads_from_elsewhere(browser: Browser) -> None:
    pages = [await browser.get("/about"), await browser.get("/")]
    pages.append(await browser.post("/tour/street-stop"))
    pages.append(await browser.post("/tour/x"))
    for reply in pages:
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        parts = Parts(reply.text)
        assert not {tag for tag, _ in parts.tags} & {"script", "style", "iframe", "object", "embed"}
        assert not any(name.startswith("on") for _, attrs in parts.tags for name in attrs)
        assert "style" not in {name for _, attrs in parts.tags for name in attrs}
        for address in (*parts.attributes("src"), *parts.attributes("href")):
            assert address.startswith(("/", "#"))


async def test_what_a_page_needs_is_there(browser: Browser) -> None:
    parts = Parts((await browser.get("/")).text)
    needed = {a for a in (*parts.attributes("src"), *parts.attributes("href")) if "/static/" in a}
    assert needed
    for address in needed:
        assert (await browser.get(address)).status_code == 200


async def test_a_page_is_never_kept(browser: Browser) -> None:
    assert (await browser.post("/tour/vehicle-stop")).headers["cache-control"] == "no-store"
