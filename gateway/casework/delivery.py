"""Notices on their way to an agency's own system: signed, repeated until taken, within bounds.

Each is sent as JSON in the form of Standard Webhooks: `webhook-id` is the notice's id and stays the
same when it is sent again, `webhook-timestamp` is in seconds, and `webhook-signature` is `v1,` and
the base64 of HMAC-SHA256 over `id.timestamp.body` under the agency's secret. What is sent names no
person: the desk reads the rest at /casework.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import ipaddress
import json
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import httpx

from gateway.casework.model import Notice
from gateway.casework.store import Store
from gateway.catalogue.forms import utc_text
from gateway.recurring import Recurring
from gateway.secrets import Secret

MOST_TRIES: Final = 12  # over about half a day; then a person must look: `portcullis notices list`
_FIRST_S, _LONGEST_S = 5.0, 3600.0
_AT_ONCE: Final = 50
_EVERY_S: Final = 1.0
_TIMEOUT_S: Final = 5.0
DELIVERED_IN_S: Final = _EVERY_S + _TIMEOUT_S  # after it was told, where its webhook answers

_log = logging.getLogger(__name__)

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> its addresses"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where an agency takes its notices."""

    url: httpx.URL
    secret: Secret
    private: bool  # it may lie in a private network, and be without TLS


class Unreachable(Exception):
    """A webhook that may not, or cannot, be sent to."""


async def addresses(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


class Delivery:
    """Sends what has not been taken yet."""

    def __init__(
        self,
        store: Store,
        webhooks: Mapping[str, Webhook],
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], datetime],
        resolve: Resolve = addresses,
    ) -> None:
        self._store = store
        self._webhooks = webhooks
        self._http = http
        self._clock = clock
        self._resolve = resolve
        self._turns = Recurring(self.deliver, every_s=_EVERY_S, name="notices", log=_log)

    async def deliver(self) -> tuple[int, int]:
        """Try what is due once; how many were taken, and how many were not.

        Raises:
            CaseworkUnavailable: nothing can be read, or what was taken cannot be noted: it will
                be sent again under the same id.
        """
        now, taken, left = self._clock(), 0, 0
        for notice in await self._store.undelivered(
            list(self._webhooks), now, MOST_TRIES, _AT_ONCE
        ):
            wait = timedelta(seconds=min(_FIRST_S * 2**notice.attempts, _LONGEST_S))
            if not await self._store.try_delivery(notice, now + wait):
                continue  # another replica sends it
            if await self._sent(self._webhooks[notice.agency], notice):
                await self._store.delivered(notice.id, self._clock())
                taken += 1
            else:
                left += 1
        return taken, left

    async def _sent(self, webhook: Webhook, notice: Notice) -> bool:
        body = json.dumps(_told(notice), separators=(",", ":")).encode()
        try:
            pinned, host = await self._pinned(webhook)
            request = self._http.build_request(
                "POST",
                pinned,
                content=body,
                headers={"Host": host, **signed(webhook.secret, notice.id, self._clock(), body)},
                extensions={"sni_hostname": webhook.url.host},
                timeout=_TIMEOUT_S,
            )
            reply = await self._http.send(request, stream=True, follow_redirects=False)
            await reply.aclose()
        except (httpx.HTTPError, OSError, Unreachable) as error:
            _log.warning("notice %s to %s: %s", notice.id, notice.agency, type(error).__name__)
            return False
        if not reply.is_success:
            _log.warning("notice %s to %s: status %d", notice.id, notice.agency, reply.status_code)
        return reply.is_success

    async def _pinned(self, webhook: Webhook) -> tuple[httpx.URL, str]:
        """The address that was checked, so that no second look-up can give another, and the name
        that its certificate must bear."""
        url = webhook.url
        if url.scheme != "https" and not webhook.private:
            raise Unreachable("not encrypted")
        port = url.port or (443 if url.scheme == "https" else 80)
        found = await self._resolve(url.host, port)
        if not found or not all(
            webhook.private or ipaddress.ip_address(address).is_global for address in found
        ):
            raise Unreachable("its address is private")
        return url.copy_with(host=found[0]), url.netloc.decode("ascii")

    def start(self) -> None:
        """Keep sending until `aclose`."""
        if self._webhooks:
            self._turns.start()

    async def aclose(self) -> None:
        await self._turns.aclose()


def signed(secret: Secret, id_: str, now: datetime, body: bytes) -> dict[str, str]:
    """The headers that prove who sent a body, and when."""
    timestamp = str(int(now.timestamp()))
    signature = hmac.digest(secret.reveal(), f"{id_}.{timestamp}.".encode() + body, "sha256")
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(signature).decode()}",
    }


def _told(notice: Notice) -> dict[str, str | None]:
    return {
        "id": notice.id,
        "at": utc_text(notice.at),
        "agency": notice.agency,
        "desk": notice.desk,
        "about": notice.about.value,
        "subject": notice.subject,
        "due_at": utc_text(notice.due_at) if notice.due_at else None,
    }
