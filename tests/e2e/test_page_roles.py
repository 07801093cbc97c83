"""Who opens which page: each route of the running application, by each role of the policy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.app import application
from gateway.cli.demo import Demo
from gateway.cli.tour import tour_of
from gateway.web.access import PAGES
from gateway.web.cookies import SESSION
from tests.e2e.asking import Asker
from tests.e2e.browsing import Browser, browsing, session_of

ROOT = Path(__file__).parents[2]
ROLES = tuple(json.loads((ROOT / "policies/tables/roles/data.json").read_text("utf-8")))
WORDS = {"an access token", "machines", "anybody", "whoever is signed in"}
SAID = {
    (method, path): said
    for method, path, said in re.findall(
        r"^\| `([A-Z*]+) (/\S*)` \| ([^|]+) \|$",
        (ROOT / "docs/sign-in.md").read_text("utf-8"),
        re.MULTILINE,
    )
}


def routes(app: Starlette) -> Iterator[tuple[str, str]]:
    for route in app.routes:
        assert isinstance(route, Route)
        for method in sorted((route.methods or {"*"}) - {"HEAD"}):
            yield method, route.path


@pytest.fixture(scope="module")
def app(demo: Demo) -> Starlette:
    return application(demo.started, tour=tour_of(demo))


def test_oi_15_every_route_there_is_stands_in_the_documentation_and_in_the_table(
    app: Starlette,
) -> None:
    assert set(routes(app)) == SAID.keys() == PAGES.keys()
    roles = {role for said in SAID.values() if said not in WORDS for role in said.split(", ")}
    assert roles <= set(ROLES)


async def signed_in(browser: Browser, asker: Asker, demo: Demo, role: str) -> None:
    """Somebody whose agency says that role of them and no other."""
    made = await session_of(demo, await asker.saying("AF", roles=[role]).token("AF"))
    assert made.subject.roles == (role,)
    browser.cookies[SESSION] = made.number


def expected(said: str, role: str | None) -> set[int]:
    """The statuses that a page may answer; what it does with the request is its own affair."""
    if said in ("anybody", "machines"):
        return {200, 303, 400, 404, 503}
    if said == "an access token":
        return {401, 405, 415}  # a cookie is none
    if role is None:
        return {303, 401}
    if said == "whoever is signed in" or role in said.split(", "):
        return {200, 303, 400, 404}
    return {403}


@pytest.mark.parametrize("role", [None, *ROLES])
async def test_oi_15_each_page_opens_to_whom_the_documentation_says(
    app: Starlette, asker: Asker, demo: Demo, role: str | None
) -> None:
    async with browsing(demo, app) as browser:
        if role is not None:
            await signed_in(browser, asker, demo, role)
        await browser.get("/")
        mark = browser.csrf
        assert mark
        wrong = {}
        for method, path in sorted(routes(app), key=lambda route: route[1] == "/sign-out"):
            address = re.sub(r"\{\w+\}", "nothing", path)
            if method == "GET":
                reply = await browser.get(address)
            else:
                reply = await browser.post(address, {"csrf": mark})
            said = SAID[method, path]
            away = reply.headers.get("location", "").startswith("/sign-in")
            if role is None and said not in WORDS - {"whoever is signed in"}:
                away = reply.status_code == 303 and not away  # it must lead there
            if reply.status_code not in expected(said, role) or away:
                wrong[method, path] = reply.status_code
        assert wrong == {}
