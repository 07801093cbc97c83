"""One caller's connection, which nobody can hold by being slow: neither to ask nor to take."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

_HEAD_BYTES = 256 * 1024  # far more than `limits.header_bytes`, which is refused in words


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # the parser there is
    """uvicorn's, with the bounds that it lacks.

    It is cut off where a request's head is not whole in `head_s` seconds after the connection, or
    its first byte, came, or does not end; and where an answer is not taken in `send_s`. A body has
    its own bounds, `limits.receive_s` and `limits.body_bytes`, and so has the pause between two
    requests.
    """

    def __init__(self, *given: Any, head_s: float, send_s: float, **more: Any) -> None:
        super().__init__(*given, **more)
        self._head, self._sending = _Bound(head_s, self._abort), _Bound(send_s, self._abort)
        self._head_bytes = 0

    def _abort(self) -> None:
        self.transport.abort()

    @property
    def _awaits_head(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head.start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head.stop()
        self._sending.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._awaits_head:
            self.transport.set_write_buffer_limits()
            self._head.start()
        super().data_received(data)
        if not self._awaits_head:
            self._head.stop()
            self._head_bytes = 0
        elif self.cycle is None or not self.cycle.more_body:  # else it is a body nobody reads
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self._abort()

    def on_response_complete(self) -> None:
        """Nothing more will be written: from here on any byte that is not taken is waited for."""
        super().on_response_complete()
        self.transport.set_write_buffer_limits(high=0)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._sending.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._sending.stop()


class _Bound:
    """Calls `ends` unless it is stopped in time; started again while it runs, it runs on."""

    def __init__(self, seconds: float, ends: Callable[[], None]) -> None:
        self._seconds, self._ends = seconds, ends
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._ends)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
