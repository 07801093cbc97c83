"""What auditors and supervisors do with the record, put together for their pages."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from gateway.actions.reviewing import Reviewing
from gateway.actions.sampling import Sampling
from gateway.audit.queues import Queues
from gateway.casework.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversight:
    """The misuse queue, dip samples, and the reviews of both."""

    store: Store
    queues: Queues
    sampling: Sampling
    reviewing: Reviewing
    agencies: Collection[str]  # whose people sign in here
    new_id: Callable[[], str]
