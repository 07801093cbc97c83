"""`portcullis serve`: the gateway by itself, over the agencies that its configuration names."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvicorn

from gateway.app import application, running
from gateway.cli.common import Commands, command
from gateway.configuration import load
from gateway.connection import Connection
from gateway.settings import Limits
from gateway.unforeseen import end_when_exhausted


def register(commands: Commands) -> None:
    made = command(
        commands,
        "serve",
        _run,
        help_text="Serve the gateway with your own configuration.",
        examples="  portcullis serve --config deploy/gateway.toml\n"
        "  GATEWAY_PORT=9000 portcullis serve --config deploy/gateway.toml",
    )
    made.add_argument("--config", type=Path, required=True, help="gateway.toml; docs/settings.md")


def _run(given: argparse.Namespace) -> int:
    steady_heap()
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(_serve(given.config))


async def _serve(config: Path) -> int:
    settings = load(config, os.environ)
    async with running(settings, dict(os.environ)) as started:
        listening = bound(settings.host, settings.port)
        print(f"Portcullis answers on http://{settings.host}:{listening.getsockname()[1]}/graphql")
        serving = server(application(started), settings.limits)
        made_for_good()
        short_turns()
        end_when_exhausted()
        for number in (signal.SIGINT, signal.SIGTERM):
            # The server raises the signal again once it has closed its connections; by default that
            # would end the process before looks are finished, notices kept and the log signed.
            asyncio.get_running_loop().add_signal_handler(number, _stop, serving)
        await serving.serve(sockets=[listening])
    return 0


def _stop(serving: uvicorn.Server) -> None:
    serving.should_exit = True


def bound(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        SystemExit: the port is taken, in words.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named as TCP, since only then does asyncio send small answers at once (TCP_NODELAY)
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise SystemExit(
            f"Port {port} on {host} cannot be used ({error.strerror}). "
            "Choose another, for instance: make demo PORT=8480"
        ) from None
    return listening


_MALLOPT = {-8: 1, -3: 65_536, -1: 131_072}  # arenas; what is mapped by itself; what is given back


def steady_heap() -> bool:
    """Have the C library give memory back; gives whether it can be told so. To be called first.

    By itself glibc keeps an arena for each thread and raises its thresholds as it goes: of large
    answers it then keeps what lies between small things, 15 MiB after 20,000 queries.
    Source: mallopt(3), M_ARENA_MAX, M_MMAP_THRESHOLD, M_TRIM_THRESHOLD.
    """
    tell = getattr(ctypes.CDLL(None), "mallopt", None)  # another C library has no such thing
    return tell is not None and all(tell(which, value) for which, value in _MALLOPT.items())


def made_for_good() -> None:
    """What was made at start lasts as long as the process. The garbage collector is not to look
    through it again and again: that was 2 ms of each lookup, and pauses of a tenth of a second. Nor
    at what queries hold while they wait, which is not garbage: another 3 ms of each."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(25_000, 20, 50)


def short_turns() -> None:
    """Have a thread that computes, as that of the log does, give the interpreter back to the event
    loop after half a millisecond instead of five: a query loses its turn at each word to a socket.
    """
    sys.setswitchinterval(0.0005)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loop: uvloop's where there is one, which is quicker for every query."""
    return uvicorn.Config(app="", log_config=None).get_loop_factory()


def server(app: object, limits: Limits) -> uvicorn.Server:
    """The server for an application: the recorded peer is the socket's, and nothing names us.

    Nobody holds a connection by being slow.
    """
    connection = partial(Connection, head_s=limits.receive_s, send_s=limits.send_s)
    return uvicorn.Server(
        uvicorn.Config(
            app,  # type: ignore[arg-type]  # an ASGI application
            http=connection,  # type: ignore[arg-type]  # it makes one for each caller
            log_config=None,  # it logs as we do: to whoever listens to the whole process
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=10,
            h11_max_incomplete_event_size=32768,
        )
    )
