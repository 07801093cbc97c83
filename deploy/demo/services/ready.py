"""How every demonstration server starts and ends: on loopback, never outliving its parent."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket

import uvicorn
from starlette.types import ASGIApp

_PARENT_CHECK_S = 0.5


class _Server(uvicorn.Server):
    """Says where it is once it accepts connections."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in sockets or []:
            print(f"ready http://127.0.0.1:{bound.getsockname()[1]}", flush=True)


def arguments(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Add what all servers take: `--port` (0: any free one) and `--parent-pid`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--port", type=int, default=0, help="loopback port; 0 takes a free one")
    parser.add_argument("--parent-pid", type=int, help="stop when this process is gone")
    return parser


def listener(port: int) -> socket.socket:
    """A listening loopback socket, for servers that must know their address before they start.

    Raises:
        SystemExit: the port is taken; the text says so.
    """
    # named as TCP, since only then does asyncio send small answers at once (TCP_NODELAY)
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError as error:
        raise SystemExit(f"port {port} is taken: choose another with --port") from error
    bound.listen(128)
    return bound


def serve(app: ASGIApp, bound: socket.socket, parent_pid: int | None) -> None:
    """Serve until SIGTERM or SIGINT, or until the parent is gone.

    Prints `ready http://127.0.0.1:N` on stdout once connections are accepted.
    """
    asyncio.run(_serve(app, bound, parent_pid))


async def _serve(app: ASGIApp, bound: socket.socket, parent_pid: int | None) -> None:
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = _Server(config)
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it has shut down; this makes that a clean exit
        asyncio.get_running_loop().add_signal_handler(number, _stop, server)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(server.serve(sockets=[bound]))
        watching = group.create_task(_watch(server, parent_pid))
        running.add_done_callback(lambda _: watching.cancel())


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True


async def _watch(server: uvicorn.Server, parent_pid: int | None) -> None:
    """A parent killed by SIGKILL tells nobody, but its children get another parent."""
    while parent_pid is None or os.getppid() == parent_pid:  # noqa: ASYNC110 - nothing signals it
        await asyncio.sleep(_PARENT_CHECK_S)
    server.should_exit = True
