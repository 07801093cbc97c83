"""Signing in and out as people do it: by the keyboard, in a real browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from gateway.cli.demo import Demo
from gateway.web.cookies import BROWSER, SESSION
from tests.e2e.browser.conftest import Window

Windows: TypeAlias = Callable[..., Awaitable[Window]]


async def test_a_desk_signs_in_and_out_by_the_keyboard_alone(window: Windows) -> None:
    at = await window()
    await at.open("/desk")
    assert await at.heading() == "Sign in"
    await at.tab_to("Skip to the content")
    await at.tab_to("Eastern Region Organised Crime Unit")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/eru/authorize?**")
    await at.tab_to("Originator's desk")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/desk")
    assert await at.heading() == "Desk of ERU"
    assert "Signed in as Originator's desk, ERU" in await at.text()
    await at.tab_to("Sign out")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/signed-out")
    assert await at.heading() == "You are signed out"
    await at.open("/desk")
    assert await at.heading() == "Sign in"
    assert at.ran == []


async def test_an_auditor_comes_to_the_overview_by_the_keyboard_alone(window: Windows) -> None:
    at = await window()
    await at.sign_in("Oversight body", "External auditor", to="/console/audit")
    assert await at.heading() == "For what do you look at the record?"
    await at.tab_to("")  # the first of the choices is reached, and arrows go on from there
    for _ in range(20):
        if await at.page.evaluate("() => document.activeElement.type") == "radio":
            break
        await at.page.keyboard.press("Tab")
    await at.page.keyboard.press("ArrowDown")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/console/audit")
    assert await at.heading() == "The record"
    assert "A complaint or a concern" in await at.text()


async def test_oi_09_the_browser_keeps_both_cookies_for_this_host_and_from_scripts(
    window: Windows, demo: Demo
) -> None:
    at = await window()
    await at.sign_in("Eastern Region", "Originator's desk")
    held = {one["name"]: one for one in await at.page.context.cookies(demo.url)}
    assert held.keys() == {SESSION, BROWSER}
    for one in held.values():
        assert (one["secure"], one["httpOnly"], one["sameSite"]) == (True, True, "Lax")
    assert await at.page.evaluate("() => document.cookie") == ""


async def test_oi_18_the_back_button_shows_nothing_after_signing_out(window: Windows) -> None:
    at = await window()
    await at.sign_in("Eastern Region", "Originator's desk", to="/desk")
    await at.open("/account")
    await at.open("/desk")
    assert await at.heading() == "Desk of ERU"
    await at.tab_to("Sign out")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/signed-out")
    seen = []
    for _ in range(4):
        await at.page.go_back()
        seen.append(await at.heading())
    assert not {"Desk of ERU", "Originator's desk"} & set(seen), seen


async def test_a_second_window_of_the_same_browser_is_signed_out_too(window: Windows) -> None:
    at = await window()
    await at.sign_in("Eastern Region", "Originator's desk", to="/desk")
    beside = await at.page.context.new_page()
    await beside.goto(f"{at.demo.url}/desk")
    assert await beside.inner_text("h1") == "Desk of ERU"
    await at.tab_to("Sign out")
    await at.page.keyboard.press("Enter")
    await at.page.wait_for_url("**/signed-out")
    await beside.reload()
    assert await beside.inner_text("h1") == "Sign in"
