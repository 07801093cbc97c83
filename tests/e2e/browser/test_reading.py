"""Every page can be read by everybody (WCAG 2.2 AA), in both schemes, on a phone and on a desk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from tests.e2e.browser.conftest import Scheme, Window

Windows: TypeAlias = Callable[..., Awaitable[Window]]
PUBLIC = ("/", "/about", "/sign-in", "/signed-out", "/sign-in/callback?state=x")


@pytest.fixture(params=[(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")],
                ids=lambda one: f"{one[0]} px, {one[1]}")  # fmt: skip
def view(request: pytest.FixtureRequest) -> tuple[int, Scheme]:
    chosen: tuple[int, Scheme] = request.param
    return chosen


async def found(at: Window, axe: str, *paths: str) -> list[str]:
    return [f"{path}: {fault}" for path in paths for fault in await faults_at(at, axe, path)]


async def faults_at(at: Window, axe: str, path: str) -> list[str]:
    await at.open(path)
    return await at.faults(axe)


async def test_what_cannot_be_read_is_found(window: Windows, axe: str) -> None:
    """The checker itself: a field without a name, faint words, a page that is too wide."""
    at = await window(width=390)
    await at.page.set_content(
        "<!doctype html><html lang=en><title>x</title><main><h1>x</h1><input>"
        "<p style='color: #bbb; background: #fff'>faint</p><div style='width: 900px'>wide</div>"
    )
    told = " ".join(await at.faults(axe))
    for fault in ("label:", "color-contrast:", "it is wider than the window"):
        assert fault in told


async def test_pages_for_anybody(window: Windows, axe: str, view: tuple[int, Scheme]) -> None:
    at = await window(width=view[0], scheme=view[1])
    assert await found(at, axe, *PUBLIC) == []
    await at.open("/sign-in")
    await at.page.get_by_role("button", name="Northmarch Constabulary").click()
    await at.page.wait_for_url("**/nmc/authorize?**")
    assert await at.faults(axe) == []
    await at.open(f"{at.demo.stack.issuer_url}/nmc/authorize?client_id=x")
    assert await at.faults(axe) == []


async def test_pages_of_a_desk(window: Windows, axe: str, view: tuple[int, Scheme]) -> None:
    at = await window(width=view[0], scheme=view[1])
    await at.sign_in("Eastern Region", "Originator's desk")
    assert await found(at, axe, "/account", "/desk", "/", "/console/audit") == []


async def test_pages_of_an_auditor(window: Windows, axe: str, view: tuple[int, Scheme]) -> None:
    at = await window(width=view[0], scheme=view[1])
    await at.sign_in("Oversight body", "External auditor")
    assert await found(at, axe, "/console/audit/use") == []
    await at.page.get_by_label("The log itself").check()
    await at.page.get_by_role("button", name="Go on").click()
    await at.page.wait_for_url("**/console/audit")
    assert await at.heading() == "The record"
    assert await found(at, axe, "/console/audit", "/desk") == []
