"""What is shown of the log to others: with its witnesses where a policy names some."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import httpx

from gateway.audit.keeper import Receipt
from gateway.audit.verify import Policy, PolicyInvalid, read_policy
from gateway.audit.witnessing import Observed, Telling, Witnessable, Witnessing, untold
from gateway.errors import AuditUnavailable, ConfigError, Fault

_log = logging.getLogger(__name__)


class Unwitnessed:
    """A log that nobody witnesses: it is published as it is, and what waits for them is refused."""

    def __init__(self, log: Witnessable) -> None:
        self._log = log

    @property
    def published(self) -> bytes:
        """The last checkpoint."""
        return self._log.signed.note

    @property
    def published_size(self) -> int:
        """How many records it covers."""
        return self._log.signed.size

    @property
    def signers(self) -> tuple[str, ...]:
        """Nobody."""
        return ()

    async def tile(self, level: int | str, number: int, width: int) -> bytes:
        """As the log has it."""
        return await self._log.tile(level, number, width)

    def check(self) -> None:
        """Raises AuditUnavailable."""
        raise AuditUnavailable(detail="the log has no witnesses")

    async def proof(self, receipt: Receipt, within_s: float) -> str:
        """Raises AuditUnavailable."""
        raise AuditUnavailable(detail="the log has no witnesses")


@asynccontextmanager
async def publishing(
    log: Witnessable,
    file: Path,
    http: httpx.AsyncClient,
    *,
    clock: Callable[[], datetime],
    observed: Observed,
    tell: Telling = untold,
) -> AsyncIterator[Unwitnessed | Witnessing]:
    """The log with the witnesses of a policy file, while the block runs.

    Raises:
        ConfigError: the policy cannot be used.
        AuditUnavailable: the witnesses have seen another log than this one.
    """
    policy = await asyncio.to_thread(policy_of, file, log.verifier)
    if policy is None:
        _log.warning("the log has no witnesses: %s does not exist", file.name)
        yield Unwitnessed(log)
        return
    witnessing = Witnessing(log, policy, http, clock=clock, observed=observed, tell=tell)
    await witnessing.start()
    try:
        yield witnessing
    finally:
        await witnessing.aclose()


def policy_of(file: Path, log: str | None) -> Policy | None:
    """The policy of a log's witnesses; None where there is no file. `log` is its public key, where
    that is known.

    Raises:
        ConfigError: it cannot be read, is of other logs, or does not say where a witness is.
    """

    def fault(key: str, text: str) -> ConfigError:
        return ConfigError(Fault(file=str(file), key=key, text=text))

    try:
        policy = read_policy(file.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, PolicyInvalid) as error:
        raise fault("-", str(error)) from error
    if log and policy.logs and log not in [one.verifier.text for one in policy.logs]:
        raise fault("log", "it is of other logs than this one")
    for name, party in policy.witnesses.items():
        if not party.url:
            raise fault(name, "it has no address")
    return policy
