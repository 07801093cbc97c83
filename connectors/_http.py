"""What every connector over HTTP needs: a token, a turn within the rate, a bounded JSON answer."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import socket
import ssl
import zlib
from base64 import b64encode
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from connectors._config import Table
from connectors.spi import (
    Health,
    SourceError,
    SourceProtocolError,
    SourceRateLimited,
    SourceTimeout,
    SourceUnavailable,
)

_CHECK_S = 5.0
_CONNECTIONS = 32  # to one service


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """OAuth 2.0 client credentials (RFC 6749, section 4.4)."""

    token_url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A status and, where the body was JSON, the body."""

    status: int
    data: Any


def service_url(table: Table, key: str) -> str:
    """The URL under `key` or named by `<key>_secret`: http or https, nothing that is not a service.

    Link-local addresses, where clouds keep their metadata, are refused however they are written;
    names that lead to one, when they are connected to.
    """
    text = table.plain_or_secret(key)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        table.wrong(key, "a URL")
        return text
    if parts.scheme not in ("http", "https") or not host or port == 0:
        table.wrong(key, "an http or https URL")
    elif parts.username or parts.password or parts.query or parts.fragment:
        table.wrong(key, "a URL without credentials, query or fragment")
    elif _is_link_local(host):
        table.wrong(key, "the address of a service, not a link-local one")
    return text.rstrip("/")


def _is_link_local(host: str) -> bool:
    try:
        address: Any = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # 0xA9FEA9FE, 169.16689662
        except OSError:
            return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return bool(mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified)


class _Checked(AbstractResolver):
    """Names as this machine resolves them, unless to an address where no service is.

    What was checked here is what is connected to, whatever the name resolves to a moment later.
    """

    def __init__(self) -> None:
        self._resolver = aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if any(_is_link_local(one["host"]) for one in found):
            raise OSError("it resolves to a link-local address")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def credentials(table: Table) -> Credentials | None:
    """The `oauth` table, if there is one."""
    if "oauth" not in table:
        return None
    oauth = table.table("oauth")
    found = Credentials(
        token_url=service_url(oauth, "token_url"),
        client_id=oauth.secret("client_id_secret"),
        client_secret=oauth.secret("client_secret_secret"),
        scope=oauth.text("scope", ""),
    )
    oauth.done()
    return found


def client_for(table: Table, url_key: str) -> Client:
    """A client from the keys that every HTTP connector has.

    They are the URL, `oauth` or `token_secret`, `rate_per_s`, `max_bytes`, `ca_file`.
    """
    url, oauth = service_url(table, url_key), credentials(table)
    token = table.secret("token_secret") if "token_secret" in table else ""
    if oauth is not None and token:
        table.wrong("token_secret", "absent where there is an oauth table")
    rate = None
    if "rate_per_s" in table:
        rate = Rate(table.number("rate_per_s", 1))
    ca_file = table.text("ca_file", "")
    verify: ssl.SSLContext | bool = True
    try:
        verify = ssl.create_default_context(cafile=ca_file) if ca_file else True
    except OSError:
        table.wrong("ca_file", "a file of certificates")
    max_bytes = table.whole("max_bytes", 8 * 1024 * 1024)
    return Client(url=url, oauth=oauth, token=token, rate=rate, max_bytes=max_bytes, verify=verify)


class Rate:
    """So many requests in any one second, for all queries of a connector together.

    A window rather than a bucket that refills: services that count per second count like this,
    and a bucket's burst and refill together would exceed what they allow.
    """

    _MARGIN = 1.05  # requests do not arrive as evenly as they leave

    def __init__(self, per_s: float) -> None:
        count = max(1, int(per_s))
        self._window_s = self._MARGIN * count / per_s
        self._turns: deque[float] = deque([float("-inf")] * count, maxlen=count)
        self._open = float("-inf")  # the source asked us not to come before

    async def turn(self, deadline: float) -> None:
        """Wait for a turn. Raises SourceRateLimited at once if it comes after the deadline."""
        now = asyncio.get_running_loop().time()
        at = max(now, self._turns[0] + self._window_s, self._open)
        if at > deadline:
            raise SourceRateLimited("no turn within this visit's time")
        self._turns.append(at)
        if at > now:
            await asyncio.sleep(at - now)

    def pause(self, seconds: float) -> None:
        """The source asks everybody to wait that long."""
        self._open = max(self._open, asyncio.get_running_loop().time() + seconds)


class Client:
    """One HTTP service of one agency. Redirects are never followed."""

    def __init__(
        self,
        *,
        url: str,
        oauth: Credentials | None,
        token: str,
        rate: Rate | None,
        max_bytes: int,
        verify: ssl.SSLContext | bool,
    ) -> None:
        self.url = url
        self._oauth, self._rate, self._max_bytes = oauth, rate, max_bytes
        self._token, self._token_until = token, float("inf") if token else 0.0
        self._renewing: asyncio.Lock | None = None
        self._verify = verify
        self._session: aiohttp.ClientSession | None = None

    async def health(self, path: str) -> Health:
        """Whether the service answers at all and lets us in."""
        try:
            async with asyncio.timeout(_CHECK_S):
                deadline = asyncio.get_running_loop().time() + _CHECK_S
                await self.ask("GET", path, deadline)
        except TimeoutError:
            return Health(ok=False, detail=f"no answer within {_CHECK_S:g} s")
        except SourceProtocolError as error:
            return Health(ok=True, detail=f"it answers, not in JSON: {error}")
        except SourceError as error:
            return Health(ok=False, detail=str(error))
        return Health(ok=True)

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        """The connections, opened by whoever asks first: they belong to a running loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS,
                    keepalive_timeout=30,
                    ssl=self._verify,
                    resolver=_Checked(),
                ),
                timeout=aiohttp.ClientTimeout(),  # every visit runs under its own deadline
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
                auto_decompress=False,
                trust_env=False,
            )
        return self._session

    async def ask(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        params: Sequence[tuple[str, str]] = (),
        body: object = None,
    ) -> Answer:
        """One request in its turn, and again when the source says when to come back.

        `path` is the configuration's own; values go into `params` and `body` only. Statuses below
        500 but 401, 403 without a JSON body, and 429 are the caller's to judge.

        Raises: SourceUnavailable, SourceRateLimited, SourceTimeout, SourceProtocolError.
        """
        renewed = False
        lost: SourceUnavailable | None = None
        while True:
            if self._rate is not None:
                try:
                    await self._rate.turn(deadline)
                except SourceRateLimited:
                    if lost is None:
                        raise
                    raise lost from None  # that it is gone says more than that we may not ask
            headers = await self._authorization()
            try:
                response, raw = await self._send(method, self.url + path, headers, params, body)
            except SourceUnavailable as error:
                if lost is not None:
                    raise
                lost = error  # an idle connection may have died with a restart
                continue
            if response.status == 429:
                await self._come_back(response, deadline)
            elif response.status == 401 and self._oauth is not None and not renewed:
                renewed, self._token_until = True, 0.0
            else:
                return _answer(response, raw)

    async def _come_back(self, response: aiohttp.ClientResponse, deadline: float) -> None:
        wait_s = _retry_after_s(response.headers.get("retry-after", ""))
        loop = asyncio.get_running_loop()
        if wait_s is None or loop.time() + wait_s > deadline:
            raise SourceRateLimited("it asks us to come back later than this visit can wait")
        if self._rate is not None:
            self._rate.pause(wait_s)
        else:
            await asyncio.sleep(wait_s)

    async def _authorization(self) -> dict[str, str]:
        if self._oauth is None:
            return {"Authorization": f"Bearer {self._token}"} if self._token else {}
        self._renewing = self._renewing or asyncio.Lock()
        async with self._renewing:
            if asyncio.get_running_loop().time() >= self._token_until:
                await self._renew(self._oauth)
        return {"Authorization": f"Bearer {self._token}"}

    async def _renew(self, oauth: Credentials) -> None:
        """Fetch a token (RFC 6749, section 4.4.2) and keep it for most of its life."""
        form = {"grant_type": "client_credentials"}
        if oauth.scope:
            form["scope"] = oauth.scope
        pair = f"{quote_plus(oauth.client_id)}:{quote_plus(oauth.client_secret)}"
        headers = {
            "Authorization": f"Basic {b64encode(pair.encode()).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        began = asyncio.get_running_loop().time()
        response, raw = await self._exchange(
            "POST", oauth.token_url, headers, (), urlencode(form).encode()
        )
        if response.status != 200:
            raise SourceUnavailable(f"no token: status {response.status}")
        data = _json(raw)
        token = data.get("access_token") if isinstance(data, dict) else None
        kind = data.get("token_type") if isinstance(data, dict) else None
        if not isinstance(token, str) or not token.isascii() or str(kind).lower() != "bearer":
            raise SourceProtocolError("what should be a token is not one")
        lifetime_s = data.get("expires_in", 60)
        if isinstance(lifetime_s, bool) or not isinstance(lifetime_s, int | float):
            raise SourceProtocolError("a token without a lifetime")
        self._token, self._token_until = token, began + 0.8 * lifetime_s

    async def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: Sequence[tuple[str, str]],
        body: object,
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        try:
            content = None if body is None else json.dumps(body, allow_nan=False).encode()
        except ValueError as error:
            raise SourceProtocolError("the request cannot be written") from error
        if content is not None:
            headers = {**headers, "Content-Type": "application/json"}
        return await self._exchange(method, url, headers, params, content)

    async def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        params: Sequence[tuple[str, str]],
        content: bytes | None,
    ) -> tuple[aiohttp.ClientResponse, bytes]:
        try:
            async with self._http.request(
                method,
                url,
                params=params,
                headers=headers,
                data=content,
                allow_redirects=False,
            ) as response:
                return response, await self._body(response)
        except (aiohttp.ClientError, OSError) as error:
            raise _source_error(error) from error
        except ValueError as error:
            raise SourceProtocolError("the request cannot be written") from error

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, unpacked; neither it nor what it unpacks to grows beyond the bound."""
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding not in ("identity", "gzip"):
            raise SourceProtocolError("an encoding that was not asked for")
        unpack = zlib.decompressobj(wbits=31) if encoding == "gzip" else None
        body = bytearray()
        async for chunk in response.content.iter_any():
            room = self._max_bytes - len(body) + 1
            try:
                body += chunk if unpack is None else unpack.decompress(chunk, room)
            except zlib.error as error:
                raise SourceProtocolError("a damaged body") from error
            if len(body) > self._max_bytes:
                raise SourceProtocolError(f"more than {self._max_bytes} bytes")
        if unpack is not None and body and not unpack.eof:
            raise SourceProtocolError("a body that breaks off")
        return bytes(body)


def _source_error(error: aiohttp.ClientError | OSError) -> SourceError:
    match error:
        case aiohttp.ServerDisconnectedError():
            return SourceUnavailable("it hung up")
        case TimeoutError():
            return SourceTimeout(type(error).__name__)
        case aiohttp.ClientResponseError() | aiohttp.ClientPayloadError() | aiohttp.InvalidURL():
            return SourceProtocolError(type(error).__name__)
        case _:
            return SourceUnavailable(type(error).__name__)


def _answer(response: aiohttp.ClientResponse, raw: bytes) -> Answer:
    status = response.status
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_json = kind == "application/json" or kind.endswith("+json")
    if status == 401 or (status == 403 and not is_json):
        raise SourceUnavailable(f"it refuses our credentials: status {status}")
    if status >= 500:
        raise SourceUnavailable(f"status {status}")
    if 300 <= status < 400:
        raise SourceProtocolError(f"a redirect: status {status}")
    if status == 204:
        return Answer(status=status, data=None)
    if not is_json:
        raise SourceProtocolError(f"not JSON: status {status}")
    return Answer(status=status, data=_json(raw))


def _json(raw: bytes) -> Any:
    def refuse(constant: str) -> float:
        raise ValueError(constant)

    try:
        read = json.loads(raw.decode("utf-8"), parse_constant=refuse)
        if b"\\ud" in raw or b"\\uD" in raw:  # half of a surrogate pair is no text
            json.dumps(read, ensure_ascii=False).encode()
        return read
    except (ValueError, RecursionError) as error:
        raise SourceProtocolError("not JSON that can be read") from error


def _retry_after_s(text: str) -> float | None:
    """Seconds from a Retry-After header (RFC 9110, section 10.2.3); None if it has none."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
