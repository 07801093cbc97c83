"""Tokens of a real issuer process, checked with keys fetched over HTTP; its keys then change."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from joserfc import jws

from deploy.demo.issuer import ALGORITHMS, DEFAULT_AUDIENCE, new_key
from deploy.demo.personas import ISSUERS, PERSONAS, mint
from deploy.demo.services.process import running
from gateway.errors import Unauthenticated
from gateway.identity import Identity, TrustedIssuer


class Gate:
    """An Identity that trusts every demonstration issuer, with a clock that can be put forward."""

    def __init__(self, base: str, http: httpx.AsyncClient) -> None:
        self.ahead = timedelta()
        self.base = base
        self.http = http
        self.identity = Identity(
            [
                TrustedIssuer(
                    issuer=f"{base}/{name}", agency=agency, algorithms=(ALGORITHMS[name],)
                )
                for name, agency in ISSUERS.items()
            ],
            audience=DEFAULT_AUDIENCE,
            http=http,
            clock=lambda: datetime.now(UTC) + self.ahead,
        )

    async def accepts(self, token: str) -> bool:
        try:
            await self.identity.authenticate([f"Bearer {token}"])
        except Unauthenticated:
            return False
        return True

    async def mint(self, code: str) -> str:
        return await asyncio.to_thread(mint, code, self.base)

    async def rotate(self, name: str, *, withdraw: bool) -> None:
        query = "?withdraw=true" if withdraw else ""
        (await self.http.post(f"{self.base}/{name}/rotate{query}")).raise_for_status()


@asynccontextmanager
async def gate(state: Path) -> AsyncIterator[Gate]:
    async with (
        running("deploy.demo.issuer", "--state", str(state)) as base,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        yield Gate(base, http)


async def test_every_persona_signs_in_as_itself(tmp_path: Path) -> None:
    async with gate(tmp_path) as at:
        for persona in PERSONAS.values():
            token = await at.mint(persona.code)
            subject = await at.identity.authenticate([f"Bearer {token}"])
            assert subject.issuer == f"{at.base}/{persona.issuer}"
            assert (subject.id, subject.agency) == (persona.sub, persona.agency)
            assert (subject.app, subject.roles) == (persona.app, persona.roles)
            assert (subject.clearance, subject.training) == (persona.clearance, persona.training)


async def test_rotation_is_followed_and_the_old_key_serves_until_withdrawn(tmp_path: Path) -> None:
    async with gate(tmp_path) as at:
        before = await at.mint("RO")
        assert await at.accepts(before)
        await at.rotate("nmc", withdraw=False)
        after = await at.mint("RO")
        at.ahead += timedelta(seconds=11)  # past the gap between fetches for unknown key ids
        assert await at.accepts(after)
        assert await at.accepts(before)


async def test_withdrawn_key_is_refused_within_five_minutes(tmp_path: Path) -> None:
    async with gate(tmp_path) as at:
        before = await at.mint("RO")
        assert await at.accepts(before)
        await at.rotate("nmc", withdraw=True)
        at.ahead += timedelta(minutes=5)
        assert not await at.accepts(before)
        assert await at.accepts(await at.mint("RO"))


async def test_keys_outlive_their_issuer_for_a_while(tmp_path: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        async with running("deploy.demo.issuer", "--state", str(tmp_path)) as base:
            at = Gate(base, http)
            token = await at.mint("RO")
            assert await at.accepts(token)
        at.ahead += timedelta(minutes=30)  # the issuer is gone
        assert await at.accepts(token)
        assert not await at.accepts(token.replace(token[-4:], "AAAA"))


async def test_keys_survive_a_restart_of_the_issuer(tmp_path: Path) -> None:
    async with gate(tmp_path) as first:
        token = await first.mint("RO")
        port = first.base.rsplit(":", 1)[1]
    async with (
        running("deploy.demo.issuer", "--state", str(tmp_path), "--port", port) as base,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        assert await Gate(base, http).accepts(token)


async def test_tk04_no_request_goes_where_a_token_points(tmp_path: Path) -> None:
    visits: list[int] = []

    async def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(1)
        writer.close()

    async with gate(tmp_path) as at, await asyncio.start_server(visited, "127.0.0.1", 0) as trap:
        there = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}/jwks"
        key = new_key("ES256")
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        for extra in ({"jku": there}, {"x5u": there}, {"jwk": key.as_dict(private=False)}):
            head = {"alg": "ES256", "typ": "at+jwt", "kid": str(key.kid)} | extra
            body = json.dumps({"iss": f"{at.base}/nmc", "agency": "NMC"})
            assert not await at.accepts(jws.serialize_compact(head, body, key, registry=registry))
        stranger = json.dumps({"iss": there})
        head = {"alg": "ES256", "typ": "at+jwt", "kid": "x"}
        assert not await at.accepts(jws.serialize_compact(head, stranger, key, registry=registry))
        assert visits == []


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("nmc", {"grant_type": "client_credentials", "persona": "IE"}),  # another agency's
        ("nmc", {"grant_type": "client_credentials", "persona": "XX"}),
        ("nmc", {"grant_type": "client_credentials", "persona": "RO", "ttl_s": "-1"}),
        ("nmc", {"grant_type": "client_credentials", "persona": "RO", "ttl_s": "9999999"}),
        ("nmc", {"grant_type": "password", "persona": "RO"}),
        ("nmc", {"grant_type": "client_credentials", "persona": "RO", "client_id": "ncb-desktop"}),
        ("nobody", {"grant_type": "client_credentials", "persona": "RO"}),
    ],
)
async def test_issuer_gives_no_token_for_bad_requests(
    tmp_path: Path, name: str, form: dict[str, str]
) -> None:
    async with gate(tmp_path) as at:
        answer = await at.http.post(f"{at.base}/{name}/token", data=form)
        assert answer.status_code == (404 if name == "nobody" else 400)
