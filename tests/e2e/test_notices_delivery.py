"""Notices sent to an agency's own system: signed, repeated until taken, and to no other address."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from gateway.app import webhooks
from gateway.casework.delivery import MOST_TRIES, Delivery, Webhook
from gateway.casework.model import Notice, Officer, Told
from gateway.casework.store import Store
from gateway.errors import ConfigError
from gateway.secrets import NamedSecrets, Secret
from gateway.settings import Settings, WebhookSetting
from tests.e2e.test_source_certificates import certificate

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
SECRET = Secret(b"a secret of thirty-two characters")
NOTICE = Notice(
    id="n-1", at=NOW, agency="ERU", desk="eru-intel", about=Told.SILENT_MATCH, subject="q-1",
    record="sealed", asker=Officer(issuer="https://sign-in.example", id="u-1", agency="NMC"),
    on_call="eru-duty", due_at=NOW + timedelta(minutes=5),
)  # fmt: skip


@dataclass
class System:
    """An agency's own system: answers each request with the next status."""

    statuses: list[int]
    url: str = ""
    heads: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = (line.partition(": ") for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, _, value in lines}
        self.bodies.append(await reader.readexactly(int(headers["content-length"])))
        self.heads.append(headers)
        status = self.statuses.pop(0) if self.statuses else 200
        more = f"Location: {self.url}\r\n" if status == 307 else ""
        writer.write(f"HTTP/1.1 {status} -\r\n{more}Content-Length: 0\r\n\r\n".encode())
        writer.close()


@asynccontextmanager
async def system(*statuses: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[System]:
    made = System(list(statuses))
    serving = await asyncio.start_server(made.answer, "127.0.0.1", 0, ssl=tls)
    port = serving.sockets[0].getsockname()[1]
    made.url = f"{'https' if tls else 'http'}://localhost:{port}/notices"
    try:
        yield made
    finally:
        serving.close()
        await serving.wait_closed()


@dataclass
class Post:
    """A store with one notice, and what sends it."""

    store: Store
    http: httpx.AsyncClient
    now: datetime = NOW

    def to(
        self, url: str, *, private: bool = True, at: Sequence[str] = ("127.0.0.1",),
        http: httpx.AsyncClient | None = None,
    ) -> Delivery:  # fmt: skip
        async def resolve(host: str, port: int) -> Sequence[str]:
            return at

        hook = Webhook(url=httpx.URL(url), secret=SECRET, private=private)
        client = http or self.http
        return Delivery(self.store, {"ERU": hook}, client, clock=lambda: self.now, resolve=resolve)

    async def notice(self) -> Notice:
        found = await self.store.notice("n-1")
        assert found is not None
        return found


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path / 'c.sqlite'}")
    await store.tell(NOTICE)
    async with httpx.AsyncClient(trust_env=False) as http:
        yield Post(store, http)
    await store.aclose()


async def test_a_notice_is_sent_once_signed_and_names_nobody(post: Post) -> None:
    async with system() as there:
        assert await post.to(there.url).deliver() == (1, 0)
        assert await post.to(there.url).deliver() == (0, 0)
    (head,), (body,) = there.heads, there.bodies
    assert head["webhook-id"] == "n-1"
    assert head["webhook-timestamp"] == str(int(NOW.timestamp()))
    assert head["host"] == there.url.split("/")[2]
    version, _, signature = head["webhook-signature"].partition(",")
    covered = f"n-1.{head['webhook-timestamp']}.".encode() + body
    expected = hmac.digest(SECRET.reveal(), covered, "sha256")
    assert (version, base64.b64decode(signature)) == ("v1", expected)
    told = json.loads(body)
    assert told == {
        "id": "n-1", "at": "2026-03-01T10:00:00Z", "agency": "ERU", "desk": "eru-intel",
        "about": "SILENT_MATCH", "subject": "q-1", "due_at": "2026-03-01T10:05:00Z",
    }  # fmt: skip
    assert (await post.notice()).delivered_at == NOW


async def test_what_is_not_taken_is_sent_again_later_and_later_under_the_same_id(
    post: Post,
) -> None:
    async with system(500, 429, 200) as there:
        for wait_s in (5, 10):
            assert await post.to(there.url).deliver() == (0, 1)
            post.now += timedelta(seconds=wait_s - 0.001)
            assert await post.to(there.url).deliver() == (0, 0)  # not yet
            post.now += timedelta(seconds=0.001)
        assert await post.to(there.url).deliver() == (1, 0)
    assert {head["webhook-id"] for head in there.heads} == {"n-1"}
    assert len({head["webhook-timestamp"] for head in there.heads}) == 3


async def test_it_is_not_tried_for_ever(post: Post) -> None:
    async with system(*[500] * 20) as there:
        for _ in range(MOST_TRIES + 3):
            await post.to(there.url).deliver()
            post.now += timedelta(hours=1)
        assert len(there.heads) == MOST_TRIES
    found = await post.notice()
    assert (found.attempts, found.delivered_at) == (MOST_TRIES, None)
    assert [one.id for one in await post.store.notices_of("ERU", 10)] == ["n-1"]


async def test_two_replicas_send_it_once(post: Post) -> None:
    async with system() as there:
        done = await asyncio.gather(*(post.to(there.url).deliver() for _ in range(4)))
    assert sorted(done) == [(0, 0), (0, 0), (0, 0), (1, 0)]
    assert len(there.heads) == 1


async def test_another_agencys_notices_are_not_sent_there(post: Post) -> None:
    await post.store.tell(replace(NOTICE, id="n-2", agency="NCB"))
    async with system() as there:
        assert await post.to(there.url).deliver() == (1, 0)
    assert [head["webhook-id"] for head in there.heads] == ["n-1"]


async def test_nobody_is_led_elsewhere(post: Post) -> None:
    async with system(307, 307) as there:
        assert await post.to(there.url).deliver() == (0, 1)
        assert len(there.heads) == 1


@pytest.mark.parametrize(
    "at",
    [
        ("127.0.0.1",), ("10.0.0.8",), ("169.254.169.254",), ("::1",), ("fd00::1",),
        ("::ffff:10.0.0.8",), ("0.0.0.0",), ("1.1.1.1", "127.0.0.1"), (),  # noqa: S104
    ],
)  # fmt: skip
async def test_a_private_address_is_never_sent_to_by_mistake(
    post: Post, at: tuple[str, ...]
) -> None:
    async with system() as there:
        url = there.url.replace("http:", "https:")
        assert await post.to(url, private=False, at=at).deliver() == (0, 1)
        assert there.heads == []


async def test_without_tls_only_where_it_is_said_to_be_private(post: Post) -> None:
    assert await post.to("http://198.51.100.1/", private=False, at=("1.1.1.1",)).deliver() == (
        0,
        1,
    )


async def test_a_system_must_prove_its_name(post: Post, tmp_path: Path) -> None:
    authority = certificate("Authority")
    trusted = ssl.create_default_context(cadata=authority.pem().decode())
    async with httpx.AsyncClient(verify=trusted, trust_env=False) as http:
        for name, expected in (("elsewhere.example", (0, 1)), ("localhost", (1, 0))):
            shown = certificate(name, by=authority).context(tmp_path)
            async with system(tls=shown) as there:
                assert await post.to(there.url, http=http).deliver() == expected, name
            post.now += timedelta(minutes=1)
        assert len(there.heads) == 1


async def test_the_running_gateway_sends_by_itself(post: Post) -> None:
    async with system() as there:
        delivery = post.to(there.url)
        delivery.start()
        async with asyncio.timeout(10):
            while not there.heads:  # noqa: ASYNC110 - it keeps its own time
                await asyncio.sleep(0.05)
        await delivery.aclose()


@pytest.mark.parametrize("value", [None, "too short"])
def test_a_secret_that_cannot_sign_stops_the_start(tmp_path: Path, value: str | None) -> None:
    settings = Settings(
        webhooks=(WebhookSetting(agency="ERU", url="https://eru.example/", secret="eru-hook"),)  # noqa: S106
    )
    held = {"GATEWAY_SECRET_ERU_HOOK": value} if value else {}
    with pytest.raises(ConfigError, match="32 characters"):
        webhooks(settings, NamedSecrets(folder=tmp_path, environment=held))
    held = {"GATEWAY_SECRET_ERU_HOOK": "x" * 32}
    assert webhooks(settings, NamedSecrets(folder=tmp_path, environment=held)).keys() == {"ERU"}
