"""Every page of the auditors' console with what hostile people wrote in it, in a real browser: it
is text and runs nowhere (OI-12), and everybody can read the page (WCAG 2.2 AA), on a phone too.

The texts come in by the front doors: questions of officers, reviews, questions to an agency and
their answers, pairs, a recall, forms of search. Each page is walked once, for both.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import pytest

from deploy.demo.story import STEPS
from gateway.web.console.frame import PAIRS
from tests.e2e.asking import Asker
from tests.e2e.browser.conftest import Scheme, Window
from tests.e2e.browser.test_console import audits
from tests.e2e.browsing import Browser
from tests.e2e.test_audit_matters import at_pages, record
from tests.e2e.test_audit_reading import VEHICLE, seen
from tests.e2e.test_oversight import OWN, announced, drawn, own, reviews

__all__ = ["own", "record"]  # the fixtures: whose car it is, and a report that NCB was shown

Windows: TypeAlias = Callable[..., Awaitable[Window]]
LONG: Final = "W" * 150  # no place to break it
BACK: Final = "\u202egnp.exe\u2066"  # what follows reads backwards, where it is not held apart
SHORT: Final = f'"><svg onload=pwned=1>{BACK}'  # for fields of 64 characters
TEXT: Final = (
    "<script>window.pwned=1</script><img src=x onerror=pwned=1>' onfocus=pwned=1 autofocus x='"
    f' "><svg/onload=pwned=1> </textarea><iframe srcdoc="<script>parent.pwned=1</script>"> '
    f"javascript:pwned=1 =HYPERLINK(1) {{{{7*7}}}}${{7*7}} \x07\x1b[31m {BACK} {LONG}"
)
NAME: Final = f"<b onclick=pwned=1>{BACK}{'W' * 90}"
QUEUE: Final = "/console/audit/misuse?days=28&kind=self"
BOTH: Final[tuple[tuple[int, Scheme], ...]] = ((390, "light"), (1280, "dark"))
_PLAIN: Final = """() => {
  const strange = "main img, script:not([src^='/static/']), iframe, svg:not(.chart), main b, "
    + "[onerror], [onload], [onclick], [onfocus], [autofocus], [href^='javascript:' i], [srcdoc]";
  const loose = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    if (!walk.currentNode.data.includes("\\u202e")) continue;
    let at = walk.currentNode.parentElement; // it stands alone in a block, or is held apart
    const alone = (e) => [...e.childNodes].filter(n => n.textContent.trim()).length === 1;
    while (getComputedStyle(at).display === "inline" && !/isolate|plaintext/.test(
      getComputedStyle(at).unicodeBidi) && alone(at)) at = at.parentElement;
    if (!/isolate|plaintext/.test(getComputedStyle(at).unicodeBidi) && !alone(at))
      loose.push(at.outerHTML.slice(0, 300));
  }
  return {
    ran: window.pwned !== undefined || window.frames.length > 0,
    strange: [...document.querySelectorAll(strange)].map(e => e.outerHTML.slice(0, 200)),
    loose,
    text: document.body.textContent
      + [...document.querySelectorAll("input, textarea")].map(e => e.value).join(" "),
  };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """Where the hostile texts stand."""

    entry: int  # of the officer's question for his own car
    stop: int  # of a question that showed records
    glass: int  # of one for which the glass was to be broken
    question: str
    unsealing: str
    sample: str
    review: str
    case: str


@pytest.fixture(scope="module")
async def written(asker: Asker, own: None, record: Mapping[str, Any]) -> Written:
    entries = []
    why = {"reasonText": TEXT, "caseRef": SHORT, "incidentRef": SHORT}
    plain = {"purpose": "OFFICER_SAFETY", "reason": "R02"}
    who = [{"family": NAME, "dob": "1991-04"}, *STEPS[1].variables["who"]]
    operation = VEHICLE.replace("Look", "L" * 120)
    for document, variables, given in (
        (operation, {"v": OWN}, {**plain, **why}),
        (STEPS[1].text, {"who": who}, {**plain, **why, "reason": "R01"}),
        (VEHICLE, {"v": OWN}, {**plain, **why, "breakGlass": TEXT, "onBehalfOf": SHORT}),
    ):
        answer = await asker.ask("RO", document, variables, **given)
        assert answer.status in (200, 403), answer.body
        entries.append(answer.body["extensions"]["receipt"]["logEntry"])
    await seen(asker)
    async with AsyncExitStack() as stack:

        async def sits(persona: str, use: str = "OVERSIGHT") -> Browser:
            return await stack.enter_async_context(at_pages(asker, persona, use))

        au, af, sg, dk = [await sits(one) for one in ("AU", "AF", "SG", "DK")]
        matters = []
        for kind, ended in (("QUESTION", "ANSWERED"), ("UNSEALING", "AGREED")):
            await au.open("/console/audit/matters")
            asked = {"kind": kind, "entry": str(entries[0]), "words": TEXT}
            reply = await au.post("/console/audit/matters", asked)
            assert reply.status_code == 303, reply.text
            matters.append(reply.headers["location"])
            await af.open(matters[-1])
            assert (await af.send(matters[-1], {"answer": ended, "words": TEXT})).is_success
        ps, other = [await sits(one, "LOG_HEALTH") for one in ("PS", "PSB")]
        await ps.open(PAIRS)
        assert (await ps.post(PAIRS, {"words": TEXT})).status_code == 303
        await other.open(PAIRS)
        (first, *_) = re.findall(r'<li class="card task" id="([^"]+)"', other.page)
        assert (await other.post(f"{PAIRS}/{first}", {"answer": "REFUSED"})).status_code == 303
        await dk.open("/recalls")
        given = {"record": record["record"], "key": record["key"], "said": TEXT}
        assert (await dk.send("/recalls", given)).is_success
        sample = await announced(au, datetime.now(UTC) + timedelta(seconds=1), 500, "roles")
        paths = reviews(await drawn(au, sample))
        review = paths[max(entry for entry in paths if entry <= entries[0])]
        said = {"outcome": "UNCLEAR", "quality": "0", "note": TEXT}
        await sg.open(review)
        assert (await sg.send(review, said)).is_success
        page, ends = "", time.monotonic() + 60
        while not (link := re.search(r'href="([^"]+)">Asked for oneself', page)):
            assert time.monotonic() < ends, "the queue is not made"
            await asyncio.sleep(0.1)
            page = (await af.open(QUEUE)).text.replace("&amp;", "&")
        await af.open(link[1])
        numbers = re.findall(r'name="entry" value="(\d+)"', af.page)
        given = {**said, "do": "review", "entry": numbers[0]}
        assert (await af.send(link[1], given)).is_success
    return Written(
        entry=entries[0], stop=entries[1], glass=entries[2], question=matters[0],
        unsealing=matters[1], sample=sample, review=review, case=link[1],
    )  # fmt: skip


async def walked(at: Window, axe: str, path: str, *texts: str) -> list[str]:
    """What is wrong with a page that says these texts; "" is the page as it is now."""
    if path:
        await at.open(path)
    await at.page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")
    found = await at.page.evaluate(_PLAIN)
    faults = [f"it does not say {text[:30]}" for text in texts if text not in found["text"]]
    faults += [f"strange: {one}" for one in found["strange"]]
    faults += [f"turns what is beside it: {one}" for one in found["loose"]]
    faults += [f"ran: {one}" for one in at.ran if "status of 4" not in one]
    at.ran.clear()
    if found["ran"]:
        faults.append("a script ran")
    faults += await at.faults(axe, BOTH)
    return [f"{at.page.url.removeprefix(at.demo.url)}: {one}" for one in faults]


async def test_oi_12_every_page_of_an_auditor_shows_hostile_texts_as_text(
    window: Windows, asker: Asker, axe: str, written: Written
) -> None:
    at = await audits(await window(), asker)
    faults: list[str] = []
    for path, texts in (
        ("/console/audit", ()),
        (f"/console/audit/entry/{written.entry}", (TEXT, SHORT, "L" * 120)),
        (f"/console/audit/entry/{written.stop}", (TEXT, NAME)),
        (f"/console/audit/entry/{written.glass}", (TEXT, SHORT)),
        ("/console/audit/entry/999999999", ()),
        (QUEUE, ()),
        (written.case, (TEXT, SHORT)),
        ("/console/audit/samples", ()),
        (written.sample, ()),
        ("/reviews", ()),
        (written.review, (TEXT, SHORT)),
        ("/console/audit/matters", ()),
        (written.question, (TEXT,)),
        (written.unsealing, (TEXT,)),
        ("/console/audit/receipts", ()),
        ("/account", ()),
    ):
        faults += await walked(at, axe, path, *texts)
    assert "\n".join(faults) == ""


async def test_oi_12_every_form_shows_hostile_texts_as_text(
    window: Windows, asker: Asker, axe: str, written: Written
) -> None:
    at = await audits(await window(), asker, use="RIGHTS")
    faults: list[str] = []
    await at.open("/console/audit/search")
    await at.page.get_by_label("Case or incident").fill(SHORT)
    await at.page.get_by_role("button", name="Search").click()
    await at.page.wait_for_url("**/console/audit/search?q=**")
    faults += await walked(at, axe, "", TEXT, SHORT)
    await at.page.get_by_text("Export or print these").click()
    await at.page.get_by_role("button", name="Report to print").click()
    await at.page.wait_for_url("**/console/audit/report?q=**")
    faults += await walked(at, axe, "", TEXT, SHORT)
    await at.open("/console/audit/export")
    await at.page.get_by_label("Case or incident").fill(TEXT[:200])
    await at.page.get_by_text("More to search by").click()
    await at.page.get_by_label("Serial of the policy").fill(SHORT)
    await at.page.get_by_role("button", name="Report to print").click()
    faults += await walked(at, axe, "", TEXT[:60], SHORT)
    await at.open("/console/audit/timeline")
    await at.page.get_by_label("What did this officer look for").fill("demo-nmc-0001")
    await at.page.get_by_role("button", name="Show the timeline").click()
    await at.page.wait_for_url("**/console/audit/timeline?q=**")
    faults += await walked(at, axe, "", TEXT)
    await at.open("/console/audit/rights")
    await at.page.get_by_label("What the person can be searched by").fill(f"{NAME}\n{OWN}")
    await at.page.get_by_label("Records of").fill("nmc")
    await at.page.get_by_role("button", name="Find the looks").click()
    faults += await walked(at, axe, "", NAME)  # beside the form: that is no record
    await at.page.get_by_label("Records of").fill(f"nmc Person {NAME}")
    await at.page.get_by_role("button", name="Find the looks").click()
    await at.page.get_by_label("I have checked each look.").check()
    faults += await walked(at, axe, "", NAME)
    await at.page.get_by_role("button", name="Make the report").click()
    await at.page.get_by_text("This report may not be complete").wait_for()
    faults += await walked(at, axe, "")
    assert NAME not in await at.text()
    assert "\n".join(faults) == ""


async def test_oi_12_every_page_of_others_shows_hostile_texts_as_text(
    window: Windows, asker: Asker, axe: str, written: Written
) -> None:
    faults: list[str] = []
    desk = asker.saying("NO", roles=["desk"])
    pages: Sequence[tuple[Asker, str, str, Sequence[tuple[str, Sequence[str]]]]] = (
        (asker, "AU", "OVERSIGHT", (
            (f"/console/audit/entry/{written.entry}", ()),
            ("/console/audit/matters", ()),
            (written.question, (TEXT,)),
            (f"{written.unsealing}/body", (TEXT, SHORT)),
        )),
        (asker, "PSB", "LOG_HEALTH", ((PAIRS, (TEXT,)),)),
        (asker, "SG", "", (("/reviews", ()), (written.review, (TEXT,)))),
        (asker, "RO", "", (("/searches", (TEXT, SHORT)), (f"/searches/{written.entry}", (TEXT,)))),
        (asker, "DK", "", (("/recalls", (TEXT,)),)),
        (desk, "NO", "", (("/recalls", (TEXT,)),)),
    )  # fmt: skip
    for asking, persona, use, shown in pages:
        at = await audits(await window(), asking, persona, use)
        for path, texts in shown:
            faults += [f"{persona} {one}" for one in await walked(at, axe, path, *texts)]
    assert "\n".join(faults) == ""


async def test_a_text_that_cannot_be_kept_as_it_is_comes_in_by_no_form(asker: Asker) -> None:
    async with at_pages(asker, "AF", "OVERSIGHT") as af:
        await af.open("/console/audit/search")
        for text in ("a\0b", "\0"):
            reply = await af.post("/console/audit/search", {"case": text})
            assert reply.status_code == 400
            assert "NUL" in reply.text
