"""What somebody wrote is text in every page that shows it (OI-12), in a real browser."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from deploy.demo.population import Agency, Population, Report
from gateway.cli.demo import Demo
from gateway.web.cookies import SESSION
from tests.e2e.asking import REASON, Asker
from tests.e2e.browser.conftest import Window
from tests.e2e.browsing import session_of
from tests.e2e.test_casework import Desk, about, seen
from tests.e2e.test_queries import shared

Windows: TypeAlias = Callable[..., Awaitable[Window]]
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(2)>',
    "'><script>alert(3)</script>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "</textarea><iframe srcdoc='<script>alert(4)</script>'>",
    "javascript:alert(5)",
)


@pytest.fixture(scope="module")
def mixed(population: Population) -> Report:
    return shared(population, Agency.ERU, mixed=True)


async def nothing_ran(at: Window) -> None:
    """No script ran, none was tried, and nothing but our own elements stands in the page."""
    assert at.ran == []
    strange = "main img, svg, script, iframe, [onerror], [onload]"
    assert await at.page.evaluate("(s) => document.querySelectorAll(s).length", strange) == 0


async def test_oi_12_a_reason_is_text_at_the_desk(
    window: Windows, asker: Asker, population: Population, mixed: Report
) -> None:
    officer = ("NO", about(population, mixed), mixed.urn, "OIC_INVESTIGATION", "R08")
    ref = (await seen(asker, *officer))["ref"]
    at = await window()
    await at.sign_in("Eastern Region", "Originator's desk", to="/desk")
    for hostile in HOSTILE:
        why = {"purpose": "OIC_INVESTIGATION", "reasonCode": "R08", **REASON, "reasonText": hostile}
        made = await Desk(asker=asker).ask("NO", ref, "text", why=why)
        id_ = made.data["requestRelease"]["id"]
        await at.open("/desk")
        card = at.page.locator(f'[id="{id_}"]')
        assert hostile in await card.inner_text()
        await nothing_ran(at)
        await card.get_by_role("combobox", name="Refuse").select_option("NOT_OURS")
        await card.get_by_role("button", name="Refuse").click()
        await at.page.get_by_text("Refused.").wait_for()


async def test_oi_12_a_name_is_text_wherever_somebody_is_named(
    window: Windows, asker: Asker, demo: Demo
) -> None:
    """As an issuer might have it, for a desk and for an auditor."""
    for code, paths in (("DK", ("/account", "/desk", "/about")), ("AU", ("/console/audit/use",))):
        at = await window()
        token = await asker.token(code)
        for hostile in HOSTILE:
            await as_somebody(at, demo, token, hostile)
            for path in paths:
                await at.open(path)
                assert hostile in await at.text()
                await nothing_ran(at)


async def test_oi_12_an_address_is_not_repeated(window: Windows) -> None:
    at = await window()
    for hostile in HOSTILE:
        for path in ("/sign-in?next=", "/sign-in/callback?error=", "/desk?done=", "/nothing/"):
            await at.open(path + hostile)
            assert hostile not in await at.page.content()
            at.ran = [said for said in at.ran if "status of 4" not in said]  # the browser's own
            await nothing_ran(at)


async def as_somebody(at: Window, demo: Demo, token: str, name: str) -> None:
    """Somebody whose issuer calls them so."""
    made = await session_of(demo, token, name)
    there = demo.url.replace("http:", "https:")
    cookie: Any = {"name": SESSION, "value": made.number, "url": there, "secure": True}
    await at.page.context.add_cookies([cookie])
