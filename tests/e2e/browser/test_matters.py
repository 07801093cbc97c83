"""Asking, agreeing, recalling and reporting in a real browser: by the keyboard, without scripts,
and readable by everybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from deploy.demo.population import Agency, Population
from tests.e2e.asking import Asker
from tests.e2e.browser.conftest import Window
from tests.e2e.browser.test_console import OFFICER, PLATE, audits, fixture_stop
from tests.e2e.test_audit_reading import seen
from tests.e2e.test_casework import about
from tests.e2e.test_casework import seen as shown
from tests.e2e.test_queries import shared

Windows: TypeAlias = Callable[..., Awaitable[Window]]
__all__ = ["fixture_stop"]


async def test_a_body_is_unsealed_by_the_keyboard_and_without_scripts(
    window: Windows, asker: Asker, axe: str, stop: Mapping[str, Any]
) -> None:
    au = await audits(await window(), asker, "AU")
    await au.open(f"/console/audit/entry/{stop['logEntry']}")
    await au.tab_to("Ask NMC to explain it")
    await au.page.keyboard.press("Enter")
    await au.page.wait_for_url("**/console/audit/matters?entry=*")
    entry = await au.page.get_by_label("Number of the entry").input_value()
    assert await au.heading() == "Questions and unsealing"
    faults = await au.faults(axe)
    await au.page.get_by_label("An explanation").focus()
    await au.page.keyboard.press("ArrowDown")
    await au.page.keyboard.press("Tab")
    await au.page.keyboard.type("A resident complains of that stop.")
    await au.tab_to("Ask")
    await au.page.keyboard.press("Enter")
    await au.page.wait_for_url("**/console/audit/matters/*")
    assert await au.heading() == f"Unsealing about entry {entry}"
    address = au.page.url.partition("#")[0]
    af = await audits(await window(scripts=False), asker, "AF")
    await af.open("/console/audit/matters")
    await af.page.locator(f'a[href$="{address.rpartition("/")[2]}"]').click()
    await af.page.get_by_label("Why you agree or refuse").fill("It is part of a complaint.")
    await af.page.get_by_role("button", name="Agree").click()
    await af.page.get_by_text("It is part of a complaint.").wait_for()
    await au.open(address)
    await au.tab_to("Look at the body")
    await au.page.keyboard.press("Enter")
    await au.page.wait_for_url("**/body")
    assert OFFICER in await au.text()
    faults += await au.faults(axe)
    assert faults == []
    assert au.ran == []


async def test_professional_standards_agree_by_the_keyboard(
    window: Windows, asker: Asker, axe: str
) -> None:
    use = "INVESTIGATION"
    one = await audits(await window(), asker, "PS", use)
    await one.open("/console/audit/search")
    assert await one.heading() == "Professional standards look in pairs"
    await one.page.get_by_label("What you are to look into, and why").focus()
    await one.page.keyboard.type("A complaint about look-ups of a neighbour.")
    await one.tab_to("Ask")
    await one.page.keyboard.press("Enter")
    await one.page.get_by_text("You have asked.").wait_for()
    other = await audits(await window(), asker, "PSB", use)
    await other.open("/console/audit/pairs")
    assert "A complaint about look-ups of a neighbour." in await other.text()
    faults = await other.faults(axe)
    await other.tab_to("Agree")
    await other.page.keyboard.press("Enter")
    await other.page.get_by_text("Agreed", exact=False).first.wait_for()
    await one.open("/console/audit/search")
    assert await one.heading() == "Search the record"
    assert faults == []
    assert one.ran + other.ran == []


async def test_a_report_and_a_recall_without_scripts(
    window: Windows, asker: Asker, axe: str, stop: Mapping[str, Any], population: Population
) -> None:
    report = shared(population, Agency.ERU, mixed=True)
    asked = ("NO", about(population, report), report.urn, "OIC_INVESTIGATION", "R08")
    ref = (await shown(asker, *asked))["ref"]
    opened = asker.demo.started.gate.refs.open("NCB", ref)
    assert opened is not None
    source, entity, key = opened
    await seen(asker)
    made = await audits(await window(), asker, "AF", "RIGHTS")
    await made.open("/console/audit/rights")
    await made.page.get_by_label("What the person can be searched by").fill(PLATE)
    await made.page.get_by_role("button", name="Find the looks").click()
    faults = await made.faults(axe)
    await made.page.get_by_label("I have checked each look.").check()
    await made.page.get_by_role("button", name="Make the report").click()
    await made.page.get_by_text("Searched for the person").first.wait_for()
    assert await made.heading() == "Report on access to personal data"
    assert PLATE not in await made.text()
    assert OFFICER not in await made.text()
    desk = await audits(await window(scripts=False), asker, "DK", "")
    await desk.open("/recalls")
    await desk.page.get_by_label("Kind of record").select_option(f"{source} {entity}")
    await desk.page.get_by_label("Its key in your system").fill(str(key))
    await desk.page.get_by_label("What those are to know").fill("It named the wrong man.")
    await desk.page.get_by_role("button", name="Recall it").click()
    await desk.page.get_by_text("1 other agency was shown the record and is told.").wait_for()
    told = await audits(await window(), asker.saying("NO", roles=["desk"]), "NO", "")
    await told.open("/recalls")
    assert "It named the wrong man." in await told.text()
    faults += await told.faults(axe)
    assert faults == []
