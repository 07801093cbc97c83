"""Every page can be read by everybody (WCAG 2.2 AA), in both schemes, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from tests.e2e.browser.conftest import VIEWS, Window

Windows: TypeAlias = Callable[..., Awaitable[Window]]
PUBLIC = ("/", "/about", "/sign-in", "/signed-out", "/sign-in/callback?state=x")


async def found(at: Window, axe: str, *paths: str) -> list[str]:
    return [f"{path}: {fault}" for path in paths for fault in await faults_at(at, axe, path)]


async def faults_at(at: Window, axe: str, path: str) -> list[str]:
    await at.open(path)
    return await at.faults(axe)


async def test_what_cannot_be_read_is_found(window: Windows, axe: str) -> None:
    """The checker itself: a field without a name, words that are faint, or in one of the schemes
    alone, a page that is too wide for a phone."""
    at = await window()
    await at.page.set_content(
        "<!doctype html><html lang=en><title>x</title><style>"
        "@media (prefers-color-scheme: dark) { #late { color: #444; background: #222 } }"
        "</style><main><h1>x</h1><input><p id=faint style='color: #bbb; background: #fff'>faint</p>"
        "<p id=late>dark</p><div style='width: 900px'>wide</div>"
    )
    faults = await at.faults(axe)
    views = [f"{width} px, {scheme}: " for width, scheme in VIEWS]
    for view in views:
        told = " ".join(fault for fault in faults if fault.startswith(view))
        assert "color-contrast: ['#faint']" in told
        assert ("color-contrast: ['#late']" in told) is ("dark" in view)
        assert ("label:" in told) is ("light" in view)
        assert ("it is wider than the window" in told) is ("390" in view)


async def test_pages_for_anybody(window: Windows, axe: str) -> None:
    at = await window()
    assert await found(at, axe, *PUBLIC) == []
    await at.open("/sign-in")
    await at.page.get_by_role("button", name="Northmarch Constabulary").click()
    await at.page.wait_for_url("**/nmc/authorize?**")
    assert await at.faults(axe) == []
    await at.open(f"{at.demo.stack.issuer_url}/nmc/authorize?client_id=x")
    assert await at.faults(axe) == []


async def test_pages_of_a_desk(window: Windows, axe: str) -> None:
    at = await window()
    await at.sign_in("Eastern Region", "Originator's desk")
    assert await found(at, axe, "/account", "/desk", "/", "/console/audit") == []


async def test_pages_of_an_auditor(window: Windows, axe: str) -> None:
    at = await window()
    await at.sign_in("Oversight body", "External auditor")
    assert await found(at, axe, "/console/audit/use") == []
    await at.page.get_by_label("The log itself").check()
    await at.page.get_by_role("button", name="Go on").click()
    await at.page.wait_for_url("**/console/audit")
    assert await at.heading() == "The record"
    assert await found(at, axe, "/console/audit", "/desk") == []
