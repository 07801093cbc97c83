"""The policy decision point. The only module that talks to Open Policy Agent."""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final, TypeAlias, TypeVar

import aiohttp
from opa_client.opa_async import AsyncOpaClient

from gateway.errors import GatewayError, PolicyMisunderstood, PolicyUnavailable
from gateway.model import Decision, Release, Show
from gateway.policy.casework import Terms, read_terms
from gateway.policy.contract import ATTRIBUTES, Resources, read_decision

_Answer = TypeVar("_Answer", Decision, Terms)
Key: TypeAlias = tuple[str, str]

_BUNDLES: Final = 8  # whose revisions are told, each of so many characters at most
_CHARS: Final = 80
_MOST_REFUSED: Final = 16  # older serials that are told of, until the next release
_TURN_S: Final = 2.0  # how long a question waits for those before it
_CONFIRM: Final[Mapping[str, Any]] = {"version": 1, "action": {"name": "confirm"}}
_CANARY: Final[Mapping[str, Any]] = {
    "version": 1,
    "action": {"name": "query"},
    "subject": {
        "type": "officer",
        "id": "canary",
        "agency": "NMC",
        "roles": ["response_officer"],
        "clearance": "OS",
        "training": [],
        "on_duty": True,
        "as_at": dict.fromkeys(ATTRIBUTES, "2025-01-01T00:00:00Z"),
        "said_by": dict.fromkeys(ATTRIBUTES, "canary"),
        "app": "canary",
    },
    "context": {
        "time": "2025-01-01T00:00:00Z",
        "query_id": "canary",
        "purpose": "OFFICER_SAFETY",
        "reason_code": "R02",
        "reason_given": True,
        "case_given": False,
        "case_form": None,
        "incident_given": True,
        "on_behalf_of": None,
        "break_glass": False,
    },
    "resources": {
        "f0": {
            "source": "nmc",
            "agency": "NMC",
            "entity": "Vehicle",
            "parent": None,
            "limit": 1,
            "read": ["make"],
            "uses": {"filter": ["vrm"]},
        }
    },
}


def canaries() -> tuple[dict[str, Any], dict[str, Any]]:
    """A question that must be allowed something and one that must be denied everything.

    They are an ordinary officer's question, and the same one of somebody who has no role.
    """
    allowed, denied = copy.deepcopy(dict(_CANARY)), copy.deepcopy(dict(_CANARY))
    denied["subject"]["roles"] = []
    return allowed, denied


class Pdp:
    """One decision per question, from a real Open Policy Agent or from its own recent answer.

    A decision is reused only as long as the policy itself allows (`cache_s`), for the very same
    question apart from the time and the query's id, and only once the policy has confirmed, for
    this query too, that it is there and still has the serial of that decision.

    Nothing is answered under a serial until `released` has been told of it.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8181,
        timeout_s: float = 0.25,
        at_once: int = 2,
        max_cached: int = 256,  # a large question's decision takes about 0.1 MB
        canary: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        released: Callable[[Release], Awaitable[None]] | None = None,
    ) -> None:
        self._client = AsyncOpaClient(host=host, port=port, timeout=timeout_s, retries=0)
        self._timeout_s = timeout_s
        self._turns = asyncio.Semaphore(at_once)
        self._max_cached = max_cached
        self._canary = canary or canaries()
        self._monotonic = monotonic
        self._open = False
        self._serial = 0  # the highest seen
        self._released = released
        self._told = 0  # the serial that was told of last
        self._refused: set[int] = set()  # older ones that were told of since
        self._telling = asyncio.Lock()
        self._cache: OrderedDict[Key, tuple[float, Decision]] = OrderedDict()
        self._asking: dict[Key, asyncio.Event] = {}  # what is being asked for the first time

    @property
    def serial(self) -> int:
        """The newest policy serial seen; 0 before the first decision."""
        return self._serial

    async def start(self) -> None:
        """Open the connection pool. Does not wait for the policy to be there."""
        if not self._open:
            await self._client.__aenter__()
            self._open = True

    async def aclose(self) -> None:
        """Give the connections back. Further questions are refused."""
        if self._open:
            self._open = False
            await self._client.close_connection()

    async def decide(self, question: Mapping[str, Any]) -> Decision:
        """The decision on one question.

        Raises:
            PolicyUnavailable: no answer in time.
            PolicyMisunderstood: an answer that cannot be read, or of an older policy than seen.
            GatewayError: as `released` says, of a serial that it could not be told of.
        """
        key = _key(question)
        if self._cached(key) is not None:
            await self._ask(_CONFIRM)  # forgets every decision of an older serial
            if (known := self._cached(key)) is not None:
                return known
        if (answered := self._asking.get(key)) is not None:
            await answered.wait()
            if (known := self._cached(key)) is not None:
                return known  # asked for and answered while this query waited
            return await self._ask(question)
        answered = self._asking[key] = asyncio.Event()
        try:
            decision = await self._ask(question)
            self._keep(key, decision)
        finally:
            del self._asking[key]
            answered.set()
        return decision

    async def terms(self, question: Mapping[str, Any]) -> Terms:
        """What the policy says of an action at /casework; asked anew each time.

        Raises:
            PolicyUnavailable, PolicyMisunderstood: as for a decision.
        """
        return await self._newest(read_terms(await self._result(question, "gateway/casework")))

    async def ready(self) -> bool:
        """Whether the policy answers, allows what it must and denies what it must."""
        must_allow, must_deny = self._canary
        try:
            allowed, denied = await self._ask(must_allow), await self._ask(must_deny)
        except GatewayError:
            return False
        return _shows_something(allowed) and not _shows_something(denied)

    async def _ask(self, question: Mapping[str, Any]) -> Decision:
        body = await self._body(question, "gateway")
        decision = read_decision(body.get("result"))
        if isinstance(id_ := body.get("decision_id"), str):
            decision = replace(decision, id=id_[:_CHARS])
        return await self._newest(decision)

    async def _newest(self, answer: _Answer) -> _Answer:
        """The answer, if no newer policy has been seen."""
        if answer.serial < self._serial:
            await self._tell(answer.serial, refused=True)
            raise PolicyMisunderstood(
                detail=f"policy serial {answer.serial} is older than {self._serial}"
            )
        if answer.serial > self._serial:
            self._serial = answer.serial
            self._cache.clear()
        if self._told < self._serial:
            await self._tell(self._serial, refused=False)
        return answer

    async def _tell(self, serial: int, *, refused: bool) -> None:
        """Tell of a serial, once, before anything goes on that rests on it."""
        if self._released is None:
            return
        async with self._telling:
            known = serial in self._refused or len(self._refused) >= _MOST_REFUSED
            if known if refused else serial <= self._told:
                return
            before = self._serial if refused else self._told
            engine, revisions = await self._provenance()
            told = Release(
                before=before, now=serial, refused=refused, revisions=revisions, engine=engine
            )
            await self._released(told)
            if refused:
                self._refused.add(serial)
            else:
                self._told, self._refused = serial, set()

    async def _provenance(self) -> tuple[str, tuple[str, ...]]:
        """The version of the policy's engine, and the revisions of its bundles; "" and none where
        it does not tell."""
        try:
            body = await self._body(_CONFIRM, "gateway", {"provenance": True})
        except GatewayError:
            return "", ()
        told = body.get("provenance")
        held = told if isinstance(told, dict) else {}
        bundles = held.get("bundles")
        named = bundles.values() if isinstance(bundles, dict) else ()
        revisions = {
            str(one.get("revision", ""))[:_CHARS] for one in named if isinstance(one, dict)
        }
        return str(held.get("version", ""))[:_CHARS], tuple(sorted(revisions - {""}))[:_BUNDLES]

    async def _result(self, question: Mapping[str, Any], package: str = "gateway") -> object:
        return (await self._body(question, package)).get("result")

    async def _body(
        self, question: Mapping[str, Any], package: str, params: Mapping[str, bool] | None = None
    ) -> dict[str, Any]:
        if not self._open:
            raise PolicyUnavailable(detail="the policy client is not open")
        try:
            async with self._turn(), asyncio.timeout(self._timeout_s):
                body = await self._post(question, package, params)
        except aiohttp.ClientResponseError as error:
            # It is there and could not decide: mostly rules that contradict each other.
            raise PolicyMisunderstood(detail=f"the policy failed: status {error.status}") from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError) as error:
            raise PolicyUnavailable(detail=f"policy: {type(error).__name__}: {error}") from error
        if not isinstance(body, dict):
            raise PolicyMisunderstood(detail="the policy's answer is not an object")
        return body

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """A turn to ask. A decision is work for a whole core: more of them at once would only
        use up each other's time. Whoever waits here has not asked yet: that time does not count."""
        async with asyncio.timeout(_TURN_S):
            await self._turns.acquire()
        try:
            yield
        finally:
            self._turns.release()

    async def _post(
        self, question: Mapping[str, Any], package: str, params: Mapping[str, bool] | None
    ) -> object:
        """Ask once; once more if a kept-alive connection had been closed by the other side."""
        told = dict(params) if params else None
        try:
            return await self._client.query_rule(dict(question), package, "decision", told)
        except aiohttp.ClientConnectionError as error:
            if isinstance(error, TimeoutError):
                raise
            return await self._client.query_rule(dict(question), package, "decision", told)

    def _cached(self, key: Key) -> Decision | None:
        until, decision = self._cache.get(key, (0.0, None))
        if decision is None or decision.serial != self._serial or self._monotonic() >= until:
            self._cache.pop(key, None)
            return None
        self._cache.move_to_end(key)
        return decision

    def _keep(self, key: Key, decision: Decision) -> None:
        if decision.cache_s <= 0 or decision.serial != self._serial:
            return
        now = self._monotonic()
        for old in [old for old, (until, _) in self._cache.items() if now >= until]:
            del self._cache[old]  # it would only take room
        self._cache[key] = (now + decision.cache_s, decision)
        self._cache.move_to_end(key)
        while len(self._cache) > self._max_cached:
            self._cache.popitem(last=False)


def _key(question: Mapping[str, Any]) -> Key:
    """The whole question apart from its time and id."""
    context = {
        name: value
        for name, value in question["context"].items()
        if name not in ("time", "query_id")
    }
    asked = {**question, "context": context}
    resources = asked.pop("resources")
    told = resources if isinstance(resources, Resources) else Resources(resources)
    return json.dumps(asked, sort_keys=True, separators=(",", ":")), told.text


def _shows_something(decision: Decision) -> bool:
    """A refusal does not: it rules on nothing."""
    return any(
        ruling.show not in (None, Show.SILENT) and ruling.limit > 0
        for ruling in decision.rulings.values()
    )
