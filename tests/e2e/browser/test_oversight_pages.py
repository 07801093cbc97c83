"""The misuse queue, a sample and reviews in a real browser: by the keyboard, without scripts."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from tests.e2e.asking import Asker
from tests.e2e.browser.conftest import Window
from tests.e2e.browser.test_console import audits
from tests.e2e.test_oversight import OWN, SAMPLES, asked, own, reviews, sample

__all__ = ["OWN", "asked", "own", "sample"]  # the fixtures: officers have asked, one for himself

Windows: TypeAlias = Callable[..., Awaitable[Window]]
QUEUE = "/console/audit/misuse?days=91&kind=self"
CASE = "Asked for oneself or the own family"


async def test_misuse_is_reviewed_and_closed_by_the_keyboard_alone(
    window: Windows, asker: Asker, axe: str, asked: Sequence[int]
) -> None:
    at = await audits(await window(), asker)
    await at.open("/console/audit")
    await at.tab_to("Misuse queue")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/console/audit/misuse")
    await at.open(QUEUE)
    faults = await at.faults(axe)
    await at.tab_to(f"{CASE} , case")  # the select of kinds names it too
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/misuse/self-**")
    assert await at.heading() == CASE
    boxes = at.page.locator("input[name=entry]:not(:disabled)")
    assert await boxes.count() >= 1
    await boxes.first.focus()
    await at.page.keyboard.press("Space")
    assert not await boxes.first.is_checked()
    await at.page.keyboard.press("Space")
    await at.page.get_by_label("What you found").focus()
    await at.page.keyboard.type("Unclear")
    await at.page.keyboard.press("Tab")
    await at.page.keyboard.type("2")
    await at.page.keyboard.press("Tab")
    await at.page.keyboard.type("Whose car is it?")
    faults += await at.faults(axe)
    await at.tab_to("Record the review")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**&done=**")
    said = await at.text()
    assert "Whose car is it?" in said
    assert "Every search of this case was looked at." in said
    await at.tab_to("Back to the queue")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/misuse?days=91**")
    assert "Reviewed or closed" in await at.text()
    assert (faults, at.ran) == ([], [])


async def test_a_drawn_query_is_reviewed_without_scripts_and_its_pages_read_by_everybody(
    window: Windows, asker: Asker, axe: str, sample: str, asked: Sequence[int]
) -> None:
    at = await audits(await window(), asker, "AU")
    await at.open(sample)
    faults = await at.faults(axe)
    path = reviews(await at.page.content())[asked[0]]
    supervisor = await audits(await window(width=390, scripts=False), asker, "SG", use="")
    await supervisor.open("/reviews")
    await supervisor.page.locator(f'a[href="{path}"]').click()
    page = supervisor.page
    assert "A reason in words for the test" in await supervisor.text()
    await page.get_by_label("What you found").select_option("JUSTIFIED")
    await page.get_by_label("How good the reason is").select_option("4")
    await page.get_by_label("Note").fill("A stop of the shift\nSee the log")
    await page.get_by_role("button", name="Record the review").click()
    await page.wait_for_url("**/reviews?done=1")
    assert await page.locator(f'a[href="{path}"]').count() == 0
    at = await audits(at, asker)
    await at.open(path)
    assert "A stop of the shift" in await at.text()
    faults += await at.faults(axe)
    await at.open("/reviews")
    faults += await at.faults(axe)
    await at.open(SAMPLES)
    await at.page.get_by_label("Until (not included)").fill("2026-01-01T00:00")
    await at.page.get_by_label("From").fill("2026-02-01T00:00")
    await at.page.get_by_role("button", name="Announce it").click()
    assert "Nothing was announced. The period ends" in await at.text()
    faults += await at.faults(axe)
    assert re.search("from [0-9,]+ searches of all agencies", await opened(at, sample))
    assert faults == []


async def opened(at: Window, path: str) -> str:
    await at.open(path)
    return await at.text()
