"""The demonstration's issuer: a code for who was chosen, once, for whom it was made, and proved."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jws
from joserfc.jwk import KeySet

from deploy.demo.authorizing import MOST_CODES, Flow, clients_in, half_hash
from deploy.demo.issuer import ALGORITHMS, DEFAULT_AUDIENCE, Issuer, application
from deploy.demo.personas import ISSUERS, PERSONAS

BASE = "http://127.0.0.1:9000"
BACK = "http://127.0.0.1:8470/sign-in/callback"
OUT = "http://127.0.0.1:8470/signed-out"
CLIENTS = {
    name: [
        {"id": "pages", "secret": "s:e cret/%", "redirect_uris": [BACK], "signed_out_uris": [OUT]},
        {"id": "app", "redirect_uris": ["http://127.0.0.1:8470/app?x=1"]},
    ]
    for name in ISSUERS
}
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().strip("=")
ASKED = {
    "client_id": "pages", "redirect_uri": BACK, "response_type": "code", "scope": "openid",
    "state": "s-1", "nonce": "n-1", "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}  # fmt: skip
BASIC = httpx.BasicAuth("pages", "s%3Ae+cret%2F%25")  # each part is encoded as in a form first


class Browser:
    """A browser and a client at one issuer."""

    def __init__(self, http: httpx.AsyncClient, name: str = "nmc") -> None:
        self.http, self.name = http, name

    async def page(self, **changed: str) -> httpx.Response:
        return await self.http.get(f"/{self.name}/authorize", params=ASKED | changed)

    async def choose(self, persona: str, **changed: str) -> httpx.Response:
        """Press a persona's button on the page as it stands."""
        shown = (await self.page(**changed)).text
        hidden = re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', shown)
        form = {name: unescape(value) for name, value in hidden}
        headers = {"Origin": BASE}
        return await self.http.post(
            f"/{self.name}/authorize", data={**form, "persona": persona}, headers=headers
        )

    async def code(self, persona: str = "AF", **changed: str) -> str:
        return said(await self.choose(persona, **changed))["code"]

    async def redeem(
        self, code: str, auth: httpx.Auth | None = BASIC, **changed: str
    ) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK,
                "code_verifier": VERIFIER, **changed}  # fmt: skip
        return await self.http.post(f"/{self.name}/token", data=form, auth=auth or httpx.Auth())


def said(reply: httpx.Response) -> dict[str, str]:
    """What the way back says."""
    assert reply.status_code == 303
    return {k: v for k, (v,) in parse_qs(urlsplit(reply.headers["location"]).query).items()}


@asynccontextmanager
async def issuers(state: Path) -> AsyncIterator[httpx.AsyncClient]:
    file = state / "clients.json"
    file.write_text(json.dumps(CLIENTS))
    app = application(BASE, state, DEFAULT_AUDIENCE, file)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        yield http


@pytest.fixture
async def http(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with issuers(tmp_path) as client:
        yield client


@pytest.fixture
def browser(http: httpx.AsyncClient) -> Browser:
    return Browser(http)


async def opened(http: httpx.AsyncClient, name: str, token: str) -> tuple[Mapping[str, Any], Any]:
    """Header and claims of a token, by the issuer's published keys."""
    keys = KeySet.import_key_set((await http.get(f"/{name}/jwks")).json())
    signed = jws.deserialize_compact(token, keys, [ALGORITHMS[name]])
    return signed.headers(), json.loads(signed.payload or b"")


@pytest.mark.parametrize("name", ISSUERS)
async def test_each_agencys_people_get_tokens_that_say_who_they_are(
    http: httpx.AsyncClient, name: str
) -> None:
    people = [one for one in PERSONAS.values() if one.issuer == name]
    assert people
    browser = Browser(http, name)
    shown = (await browser.page()).text
    assert re.findall(r'name="persona" value="(\w+)"', shown) == [one.code for one in people]
    for one in people:
        back = await browser.choose(one.code)
        assert back.headers["location"].startswith(f"{BACK}?")
        answer = said(back)
        assert (answer["state"], answer["iss"]) == ("s-1", f"{BASE}/{name}")  # RFC 9207
        reply = await browser.redeem(answer["code"])
        assert reply.headers["cache-control"] == "no-store"
        given = reply.json()
        assert (given["token_type"], given["scope"]) == ("Bearer", "openid")
        header, access = await opened(http, name, given["access_token"])
        assert header["typ"] == "at+jwt"
        assert (access["aud"], access["client_id"]) == (DEFAULT_AUDIENCE, "pages")
        assert (access["sub"], access["agency"], access["roles"]) == (
            one.sub, one.agency, list(one.roles),
        )  # fmt: skip
        header, identity = await opened(http, name, given["id_token"])
        assert header["typ"] == "JWT"
        assert (identity["iss"], identity["sub"], identity["aud"]) == (
            f"{BASE}/{name}", one.sub, "pages",
        )  # fmt: skip
        assert (identity["nonce"], identity["name"]) == ("n-1", one.title)
        assert identity["at_hash"] == half_hash(given["access_token"], ALGORITHMS[name])


async def test_a_public_client_proves_itself_by_pkce_alone(browser: Browser) -> None:
    address = "http://127.0.0.1:8470/app?x=1"
    back = await browser.choose("AF", client_id="app", redirect_uri=address)
    assert back.headers["location"].startswith(f"{address}&code=")
    form = {"client_id": "app", "redirect_uri": address}
    code = said(back)["code"]
    assert (await browser.redeem(code, None, **form)).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [
        {"client_id": "stranger"},
        {"redirect_uri": "https://elsewhere.example/"},
        {"redirect_uri": BACK + "/"},
        {"redirect_uri": BACK + "?next=1"},
        {"redirect_uri": BACK.upper()},
        {"client_id": "app"},  # another client's address
    ],
)
async def test_a_stranger_is_sent_nothing(browser: Browser, changed: dict[str, str]) -> None:
    reply = await browser.page(**changed)
    assert (reply.status_code, "location" in reply.headers) == (400, False)


async def test_a_parameter_that_stands_twice_is_not_guessed_at(http: httpx.AsyncClient) -> None:
    reply = await http.get("/nmc/authorize", params=[*ASKED.items(), ("client_id", "app")])
    assert reply.status_code == 400


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"nonce": ""}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"resource": "https://another.example"}, "invalid_target"),
    ],
)
async def test_what_is_asked_wrongly_is_told_to_the_client(
    browser: Browser, changed: dict[str, str], error: str
) -> None:
    answer = said(await browser.page(**changed))
    assert (answer["error"], answer["state"]) == (error, "s-1")
    assert answer["iss"] == f"{BASE}/nmc"
    assert "code" not in answer


async def test_nobody_of_another_agency_and_nobody_at_all_gets_a_code(browser: Browser) -> None:
    for persona in ("DK", "", "nobody"):
        answer = said(await browser.choose(persona))
        assert answer["error"] == "access_denied"
        assert "code" not in answer


async def test_only_the_page_itself_chooses(browser: Browser) -> None:
    for headers in ({}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}):
        form = {**ASKED, "persona": "AF"}
        reply = await browser.http.post("/nmc/authorize", data=form, headers=headers)
        assert reply.status_code == 400


async def test_a_code_opens_once_and_only_as_it_was_made(browser: Browser) -> None:
    code = await browser.code()
    assert (await browser.redeem(code)).status_code == 200
    assert (await browser.redeem(code)).json() == {"error": "invalid_grant"}
    for wrong in (
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"code_verifier": CHALLENGE},
        {"redirect_uri": f"{BACK}/"},
        {"redirect_uri": ""},
    ):
        code = await browser.code()
        assert (await browser.redeem(code, BASIC, **wrong)).json() == {"error": "invalid_grant"}
        assert (await browser.redeem(code)).json() == {"error": "invalid_grant"}  # it is gone
    elsewhere = Browser(browser.http, "scp")
    assert (await elsewhere.redeem(await browser.code())).json() == {"error": "invalid_grant"}


@pytest.mark.parametrize(
    ("auth", "form"),
    [
        (None, {}),
        (None, {"client_id": "pages"}),
        (None, {"client_id": "pages", "client_secret": "s:e cret/%"}),
        (httpx.BasicAuth("pages", "wrong"), {}),
        (httpx.BasicAuth("stranger", "s%3Ae+cret%2F%25"), {}),
        (httpx.BasicAuth("app", ""), {}),  # a public client has no secret, not an empty one
    ],
)
async def test_a_client_that_does_not_prove_itself_gets_nothing(
    browser: Browser, auth: httpx.Auth | None, form: dict[str, str]
) -> None:
    reply = await browser.redeem(await browser.code(), auth, **form)
    assert (reply.status_code, reply.json()) == (401, {"error": "invalid_client"})


async def test_codes_end_after_a_minute_and_are_bounded(tmp_path: Path) -> None:
    now = [1000.0]
    issuer = Issuer("nmc", BASE, tmp_path, DEFAULT_AUDIENCE)
    file = tmp_path / "clients.json"
    file.write_text(json.dumps(CLIENTS))
    clients = clients_in(file, "nmc")
    flow = Flow(issuer, clients, clock=lambda: now[0])
    kept = [flow._kept(clients["pages"], BACK, PERSONAS["AF"], ASKED) for _ in range(MOST_CODES)]
    flow._kept(clients["pages"], BACK, PERSONAS["AF"], ASKED)
    assert flow._taken(kept[0]) is None
    now[0] += 59
    assert flow._taken(kept[1]) is not None
    now[0] += 1
    assert flow._taken(kept[2]) is None


async def test_signing_out_leads_back_to_registered_addresses_alone(
    http: httpx.AsyncClient,
) -> None:
    asked = {"client_id": "pages", "post_logout_redirect_uri": OUT, "state": "s"}
    back = await http.get("/nmc/end-session", params=asked)
    assert (back.status_code, back.headers["location"]) == (303, f"{OUT}?state=s")
    for wrong in ({"post_logout_redirect_uri": "https://elsewhere.example/"}, {"client_id": "x"}):
        stays = await http.get("/nmc/end-session", params=asked | wrong)
        assert (stays.status_code, "signed out" in stays.text) == (200, True)


async def test_the_page_says_what_it_is_and_runs_no_script(browser: Browser) -> None:
    reply = await browser.page()
    assert "Northmarch Constabulary" in reply.text
    assert "invented" in reply.text
    assert "<script" not in reply.text
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self' http://127.0.0.1:8470;" in policy
    assert reply.headers["cache-control"] == "no-store"
    hostile = await browser.page(state='"><img src=x onerror=alert(1)>')
    assert "<img" not in hostile.text
    assert "Border Force" in (await Browser(browser.http, "bf").page()).text


async def test_the_metadata_says_what_is_there(http: httpx.AsyncClient) -> None:
    told = (await http.get("/nmc/.well-known/openid-configuration")).json()
    assert told["issuer"] == f"{BASE}/nmc"
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    for name in ("authorization_endpoint", "end_session_endpoint"):
        assert (await http.get(told[name].removeprefix(BASE))).status_code in (200, 400)
