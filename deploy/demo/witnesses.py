"""The demonstration's three witnesses, and the policy that two of them must have seen its log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from deploy.demo.services.process import running

NAMES: Final = ("inspectorate", "ncb", "auditors")
"""Who would run them: parties that share no administrator."""


@asynccontextmanager
async def running_witnesses(home: Path, log_key: Path, policy: Path) -> AsyncIterator[None]:
    """Three processes that witness the log of this public key, while the block runs, and a policy
    file that names them.

    Each has a directory below `home`, in which it keeps what it has seen from start to start.
    """

    def state(name: str) -> Path:
        return home / name

    async with AsyncExitStack() as stack:
        urls = await asyncio.gather(
            *(
                stack.enter_async_context(
                    running(
                        "deploy.demo.services.witness",
                        *("--name", f"witness.example/{name}"),
                        *("--state", str(state(name)), "--log", str(log_key)),
                    )
                )
                for name in NAMES
            )
        )

        def write() -> None:
            lines = ["# two of three must have signed a checkpoint", f"log {log_key.read_text()}"]
            for name, url in zip(NAMES, urls, strict=True):
                key = (state(name) / "witness.pub").read_text().strip()
                lines.append(f"witness {name} {key} {url}")
            lines += [f"group enough 2 {' '.join(NAMES)}", "quorum enough", ""]
            policy.write_text("\n".join(lines))

        await asyncio.to_thread(write)
        yield
