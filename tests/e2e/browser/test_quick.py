"""What htmx makes quick in the auditors' console: parts come in place, and nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, TypeAlias

import pytest
from playwright.async_api import expect

from gateway.audit.entry import read_leaf
from gateway.audit.inquiry import Inquiry
from gateway.cli.demo import Demo
from gateway.errors import AuditUnavailable, LimitExceeded
from gateway.web.console import misuse, searching
from gateway.web.cookies import SESSION
from tests.e2e.asking import Asker
from tests.e2e.browser.conftest import Window
from tests.e2e.browser.test_console import OFFICER, audits, search
from tests.e2e.test_audit_reading import VEHICLE, seen
from tests.e2e.test_oversight import OWN, own
from tests.e2e.test_oversight import asked as cases

__all__ = ["cases", "own"]  # fixtures: an officer has asked for his own car

Windows: TypeAlias = Callable[..., Awaitable[Window]]
SEARCH = "/console/audit/search"
STAYED = "() => window.stayed === true"
LINES = ".found tbody tr"


@pytest.fixture(scope="module")
async def many(asker: Asker) -> None:
    """Six searches by one officer, more than two pages of two."""
    for number in range(6):
        plate = f"ZZ9{number} HTM"
        asked = await asker.ask("RO", VEHICLE, {"v": plate}, purpose="OFFICER_SAFETY", reason="R02")
        assert asked.status == 200
    await seen(asker)


@pytest.fixture
def pages_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "PAGE", 2)


async def views(demo: Demo, after: int = 0) -> list[str]:
    """The pages that entries of the log say were looked at, in their order."""
    log = demo.started.log
    leaves = [read_leaf(await log.leaf(number)) for number in range(after, log.size)]
    return [leaf["view"]["page"] for leaf in leaves if leaf["kind"] == "V"]


async def listing(window: Windows, asker: Asker, **given: Any) -> Window:
    """What one officer asked, two of a page; the window remembers that it was not loaded anew."""
    at = await audits(await window(**given), asker)
    await search(at, Officer=OFFICER)
    if given.get("scripts", True):
        await expect(at.page.locator(LINES)).to_have_count(2)
        await at.page.evaluate("() => { window.stayed = true; }")
    return at


async def focused(at: Window) -> str:
    return str(await at.page.evaluate("() => document.activeElement.innerText"))


async def test_a_list_grows_in_place_by_the_keyboard_and_each_page_is_one_entry(
    window: Windows, asker: Asker, many: None, pages_of_two: None
) -> None:
    at = await listing(window, asker)
    first, before = at.page.url, asker.demo.started.log.size
    rows = at.page.locator(LINES)
    for count in (4, 6):
        await at.tab_to("Older")
        await at.page.keyboard.press("Enter")
        await expect(rows).to_have_count(count)
        # on with the first row that came, and it is said how many there are
        link = await rows.nth(count - 2).get_by_role("link").inner_text()
        assert await focused(at) == link
        status = at.page.locator("#status")
        await expect(status).to_have_text(re.compile(f"^{count} listed, and there are older ones."))
        assert await at.page.locator("#pager [data-count]").inner_text() == str(count)
        assert "&before=" in at.page.url
    links = rows.locator("th a")
    entries = await links.all_text_contents()
    assert len(set(entries)) == 6
    assert await at.page.evaluate(STAYED)
    assert await views(at.demo, before) == ["search", "search"]
    assert await at.page.evaluate("() => sessionStorage.length + localStorage.length") == 0
    # back, by the browser: the page before, from the gateway, which is a look and an entry
    for listed in (entries[2:4], entries[:2]):
        await at.page.go_back()
        await expect(links).to_have_text(listed)
    assert at.page.url.partition("#")[0] == first.partition("#")[0]
    assert await views(at.demo, before) == ["search"] * 4
    assert at.ran == []  # no script failed, and the policy had nothing to stop


async def test_without_scripts_a_page_follows_and_is_one_entry_too(
    window: Windows, asker: Asker, many: None, pages_of_two: None
) -> None:
    at = await listing(window, asker, scripts=False)
    rows = at.page.locator(LINES)
    entries = await rows.locator("th a").all_inner_texts()
    before = asker.demo.started.log.size
    await at.page.get_by_role("link", name="Older").click()
    await at.page.wait_for_url("**&before=*")
    assert await views(at.demo, before) == ["search"]
    more = await rows.locator("th a").all_inner_texts()
    assert (len(more), set(more) & set(entries)) == (2, set())
    await at.page.go_back()
    assert await rows.locator("th a").all_inner_texts() == entries


async def test_a_form_renews_what_was_found_and_says_what_is_wrong(
    window: Windows, asker: Asker, many: None
) -> None:
    at = await audits(await window(), asker)
    await at.open(SEARCH)
    await at.page.evaluate("() => { window.stayed = true; }")
    await at.page.get_by_label("Officer", exact=True).fill(OFFICER)
    before = asker.demo.started.log.size
    await at.page.keyboard.press("Enter")
    await expect(at.page.locator("#found")).to_be_focused()
    assert await views(at.demo, before) == ["search"]
    await expect(at.page.locator("#status")).to_have_text(re.compile(r"^\d+ listed"))
    assert "?q=" in at.page.url
    assert OFFICER not in at.page.url
    await at.page.get_by_text("More to search by").click()
    await at.page.get_by_label("Serial of the policy").fill("seven")
    await at.page.keyboard.press("Enter")
    problem = at.page.locator("#problem .problem")
    await expect(problem).to_be_focused()
    await expect(problem).to_contain_text("serial is a number")
    assert await at.page.locator(LINES).count() == 0
    assert await at.page.get_by_label("Officer", exact=True).input_value() == OFFICER
    await at.page.get_by_label("Serial of the policy").fill("")
    await at.page.get_by_label("Officer", exact=True).fill("nobody-of-that-name")
    await at.page.keyboard.press("Enter")
    await expect(at.page.locator("#found")).to_have_text("Nothing was found")
    await expect(problem).to_have_count(0)
    assert await at.page.evaluate(STAYED)
    assert await views(at.demo, before) == ["search", "search"]
    assert [said for said in at.ran if "status of 400" not in said] == []


@pytest.mark.parametrize("scripts", [True, False])
async def test_the_time_zone_is_changed_by_the_keyboard_and_what_was_found_stays(
    window: Windows, asker: Asker, many: None, scripts: bool
) -> None:
    at = await audits(await window(scripts=scripts), asker)
    await at.open(SEARCH)
    await at.page.get_by_label("Officer", exact=True).fill(OFFICER)
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/search?q=**")
    await at.page.locator(LINES).first.wait_for()
    rows = await at.page.locator(LINES).count()
    utc = await at.page.locator("#list time").first.get_attribute("datetime")
    await at.tab_to("Change the time zone")  # in the head: it leads to the form
    await at.page.keyboard.press("Enter")
    await at.tab_to("UTC")
    await at.page.keyboard.press("Control+A")
    await at.page.keyboard.type("Asia/Kolkata")
    await at.tab_to("Use this time zone")
    await at.page.keyboard.press("Enter")
    await expect(at.page.locator("#time-zone")).to_have_value("Asia/Kolkata")
    assert "/search?q=" in at.page.url
    assert await at.page.locator(LINES).count() == rows
    first = at.page.locator("#list time").first
    assert await first.get_attribute("datetime") == utc
    await expect(first).to_contain_text("IST")
    await at.open("/console/audit")
    assert "From, Asia/Kolkata" in await at.page.content()
    assert at.ran == []


async def test_the_overview_s_time_is_changed_in_place(window: Windows, asker: Asker) -> None:
    at = await audits(await window(), asker)
    await at.open("/console/audit")
    await at.page.evaluate("() => { window.stayed = true; }")
    before = asker.demo.started.log.size
    await at.tab_to("24 hours")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/console/audit?span=day")
    chosen = at.page.locator("[aria-current=true]")
    await expect(chosen).to_have_text("24 hours")
    await expect(chosen).to_be_focused()
    await expect(at.page.locator("#status")).to_have_text(re.compile(r"^\d+ quer.* in 24 hours"))
    assert await at.page.evaluate(STAYED)
    assert await views(at.demo, before) == ["overview"]
    async with at.page.context.expect_page() as opened:  # another tab is the browser's affair
        await at.page.get_by_text("52 weeks").click(modifiers=["ControlOrMeta"])
    other = await opened.value
    await other.wait_for_load_state()
    assert other.url.endswith("?span=year")
    assert at.page.url.endswith("?span=day")
    assert at.ran == []


async def test_timeline_and_queue_come_in_place(
    window: Windows, asker: Asker, many: None, cases: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    at = await audits(await window(), asker)
    await at.open("/console/audit/timeline")
    await at.page.evaluate("() => { window.stayed = true; }")
    before = asker.demo.started.log.size
    await at.page.get_by_label("What did this officer look for").fill(OFFICER)
    await at.page.keyboard.press("Enter")
    await expect(at.page.locator("#found")).to_be_focused()
    await expect(at.page.locator("#status")).to_have_text(re.compile(r"^\d+ searches by 1 officer"))
    assert await at.page.evaluate(STAYED)
    monkeypatch.setattr(misuse, "PAGE", 1)
    await at.open("/console/audit/misuse?days=91")
    await at.page.evaluate("() => { window.stayed = true; }")
    listed = at.page.locator("#list > li")
    await expect(listed).to_have_count(1)
    many_cases = int((await at.page.locator("#cases").inner_text()).split()[0])
    looks = ["search", "misuse"]
    if many_cases > 1:
        await at.tab_to("The next cases")
        await at.page.keyboard.press("Enter")
        await expect(listed).to_have_count(2)
        looks.append("misuse")
    await at.page.get_by_label("Kind of sign").select_option("self")
    await at.page.get_by_role("button", name="Show").click()
    await expect(at.page.locator("#cases")).to_be_focused()
    await expect(listed).to_have_count(1)
    assert "kind=self" in at.page.url
    assert OWN not in await at.text()
    assert await at.page.evaluate(STAYED)
    assert await views(at.demo, before) == [*looks, "misuse"]
    assert at.ran == []


async def test_whatever_comes_instead_is_shown(
    window: Windows, asker: Asker, many: None, pages_of_two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = await listing(window, asker)
    older = at.page.get_by_role("link", name="Older")
    # nobody answers: what stands here stays
    await at.page.route("**/console/audit/search?*", lambda route: route.abort())
    await older.click()
    unanswered = at.page.locator("#unanswered")
    await expect(unanswered).to_be_focused()
    await expect(unanswered).to_contain_text("The gateway did not answer.")
    await expect(at.page.locator(LINES)).to_have_count(2)
    await at.page.unroute("**/console/audit/search?*")
    # something answers that is no page of ours
    await at.page.route(
        "**/console/audit/search?*", lambda route: route.fulfill(status=502, body="<p>Bad gateway")
    )
    await older.click()
    await expect(unanswered).to_be_focused()
    await at.page.unroute("**/console/audit/search?*")
    for error, heading in (
        (LimitExceeded("Too many at once."), "Search the record"),  # beside the form: 429
        (
            AuditUnavailable(detail="the disk is full"),
            "That did not work",
        ),  # a page of its own: 503
    ):
        with monkeypatch.context() as patched:

            async def fails(*_: Any, told: Exception = error, **__: Any) -> None:
                raise told

            patched.setattr(Inquiry, "search", fails)
            await at.page.get_by_role("link", name="Older").click()
            problem = at.page.locator(".problem")
            await expect(problem).to_be_visible()
            assert await at.heading() == heading
            await expect(at.page.locator(LINES)).to_have_count(0)
        await at.open(SEARCH)
        await search(at, Officer=OFFICER)
        await expect(at.page.locator(LINES)).to_have_count(2)


async def test_whose_session_is_over_signs_in_again(
    window: Windows, asker: Asker, many: None, pages_of_two: None
) -> None:
    at = await listing(window, asker)
    number = next(c["value"] for c in await at.page.context.cookies() if c["name"] == SESSION)
    await at.demo.started.office.store.end_session(sha256(number.encode()).hexdigest())
    await at.page.get_by_role("link", name="Older").click()
    await at.page.wait_for_url("**/sign-in?next=*")
    assert await at.page.locator("input[name=next]").first.input_value() == SEARCH
    at = await listing(window, asker)  # and who has no session at all
    await at.page.context.clear_cookies()
    await at.page.get_by_role("button", name="Search").click()
    await at.page.wait_for_url("**/sign-in?next=*")
