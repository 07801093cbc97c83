"""Canaries of enforcement: records that nobody may see, asked for by the gateway itself, always.

Each round asks the questions of `canaries.toml` through the ordinary path, as a subject of the
gateway's own: a real decision, real visits, a real entry in the log. If something of a canary
stands in an answer, rules, sources or enforcement have failed: the gateway is not ready until a
later round proves the canary hidden again, and the operator's desk is told. What stood there is
in no log, metric or notice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from gateway.casework.delivery import DELIVERED_IN_S
from gateway.casework.model import Notice, Told
from gateway.casework.store import Store
from gateway.errors import ConfigError, Fault, GatewayError
from gateway.metrics import Metrics
from gateway.model import Request, Response, State, Subject
from gateway.pipeline import Gate, answer
from gateway.query.operation import Parser, parse_request
from gateway.recurring import Recurring
from gateway.settings import Settings
from gateway.unforeseen import unforeseen

FILE: Final = "canaries.toml"
PURPOSE: Final = "ENFORCEMENT_CHECK"
AGENCY: Final = "GATEWAY"  # no issuer may vouch for it but one that the operator names
DESK: Final = "gateway"
ON_CALL: Final = "gateway-duty"  # told where nobody at the desk acknowledges an alarm in time
DUE: Final = timedelta(minutes=5)
ALARM_WITHIN_S: Final = 120.0  # what is shown that must not be is known, and told
_WHY: Final[Mapping[str, Any]] = {"purpose": PURPOSE, "reasonCode": "R11"}

_log = logging.getLogger(__name__)


class Seen(StrEnum):
    """What one round saw of a canary."""

    HIDDEN = "hidden"  # its source answered, and nothing of it was there
    SHOWN = "shown"
    UNPROVED = "unproved"  # it could not be asked for, so nothing is known


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """What must not be seen of one source in the answer to its question."""

    id: str
    source: str
    unseen: tuple[str, ...]  # texts that must stand nowhere in the answer
    seen: tuple[str, ...] = ()  # texts without which the answer proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One document and the canaries that it asks for."""

    document: str
    canaries: tuple[Canary, ...]


def alarm_fault(settings: Settings, release: Mapping[str, Any]) -> Fault | None:
    """What is wrong where settings and the policy's table of the release, {} where there is none,
    let an alarm come later than promised; None if they do not.

    What breaks just after a decision was kept is hidden by it for `cache_s`. A round that begins
    just before that is over still sees the old decision and has all its time; the next begins a
    pause later, sees what broke, and tells once it has had all its time too.
    """
    unknown = "how late an alarm comes is not known"
    if not release:
        text = f"{settings.tables_dir} has no table release: {unknown}"
        return Fault(file="settings", key="tables_dir", text=text)
    cache_s = release.get("cache_s")
    if isinstance(cache_s, bool) or not isinstance(cache_s, int | float):
        text = f"must be a number of seconds: {unknown}"
        return Fault(file="tables/release/data.json", key="cache_s", text=text)
    round_s = settings.policy_timeout_s + settings.limits.query_deadline_s
    latest_s = settings.canary_period_s + cache_s + 2 * round_s + DELIVERED_IN_S
    if latest_s <= ALARM_WITHIN_S:
        return None
    return Fault(
        file="settings",
        key="canary_period_s",
        text=f"an alarm could come {latest_s:g} s late, and is promised within {ALARM_WITHIN_S:g}: "
        f"{settings.canary_period_s:g} between rounds, {cache_s:g} that a decision is kept "
        f"(tables/release), twice {round_s:g} for a round (policy_timeout_s, query_deadline_s), "
        f"{DELIVERED_IN_S:g} to tell",
    )


# --- the file ------------------------------------------------------------------------------------


def load_canaries(file: Path, *, sources: Sequence[str], parser: Parser) -> tuple[Question, ...]:
    """The questions of a file; none where there is no file.

    Raises:
        ConfigError: every fault of its tables; or a document that could not be asked.
    """
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:  # unreadable, not UTF-8 or not TOML
        raise ConfigError(Fault(file=file.name, key="-", text="cannot be read")) from error
    faults: list[Fault] = []
    questions = tuple(
        _question(table, f"question.{n}", file.name, faults)
        for n, table in enumerate(_tables(data, "question", file.name, faults))
    )
    names = Counter(canary.id for question in questions for canary in question.canaries)
    for question in questions:
        faults += [
            Fault(file=file.name, key=canary.id, text=text)
            for canary in question.canaries
            for wrong, text in (
                (canary.source not in sources, "its source is in no mapping file"),
                (names[canary.id] > 1, "another canary has this id"),
            )
            if wrong
        ]
        if text := _unaskable(question.document, parser):
            faults.append(Fault(file=file.name, key="document", text=text))
    if faults:
        raise ConfigError(*faults)
    return questions


def _tables(data: Mapping[str, Any], key: str, file: str, faults: list[Fault]) -> list[Any]:
    held = data.get(key)
    if isinstance(held, list) and held and all(isinstance(one, dict) for one in held):
        return held
    faults.append(Fault(file=file, key=key, text="must be one or more tables"))
    return []


def _question(table: Mapping[str, Any], key: str, file: str, faults: list[Fault]) -> Question:
    _known(table, {"document", "canary"}, key, file, faults)
    made = []
    for n, row in enumerate(_tables(table, "canary", file, faults)):
        at = f"{key}.canary.{n}"
        _known(row, {"id", "source", "unseen", "seen"}, at, file, faults)
        texts = {name: _texts(row.get(name, [])) for name in ("unseen", "seen")}
        if not texts["unseen"] or texts["seen"] is None:
            text = "unseen is a list of texts, at least one; seen another, perhaps empty"
            faults.append(Fault(file=file, key=at, text=text))
        made.append(
            Canary(
                id=str(row.get("id", "")),
                source=str(row.get("source", "")),
                unseen=texts["unseen"] or (),
                seen=texts["seen"] or (),
            )
        )
    return Question(document=str(table.get("document", "")), canaries=tuple(made))


def _known(
    table: Mapping[str, Any], keys: set[str], at: str, file: str, faults: list[Fault]
) -> None:
    for key in sorted(set(table) - keys):
        text = f"unknown key; known are {', '.join(sorted(keys))}"
        faults.append(Fault(file=file, key=f"{at}.{key}", text=text))


def _texts(value: object) -> tuple[str, ...] | None:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        return None
    return tuple(value)


def _unaskable(document: str, parser: Parser) -> str:
    """Why a document cannot be asked; "" where it can."""
    asked = Request(
        id="-",
        received_at=datetime.min.replace(tzinfo=UTC),
        authorization=(),
        document=document,
        justification=_WHY,
    )
    try:
        parse_request(asked, parser)
    except GatewayError as error:
        return f"cannot be asked: {error.said}"
    return ""


# --- asking --------------------------------------------------------------------------------------


def judged(canary: Canary, response: Response) -> Seen:
    """What an answer tells of a canary; a text counts wherever it stands."""
    body = json.dumps(response.body, ensure_ascii=False, default=str)
    if any(text in body for text in canary.unseen):
        return Seen.SHOWN
    answered = any(
        r.source == canary.source and r.state is State.ANSWERED for r in response.reports
    )
    if not answered or not all(text in body for text in canary.seen):
        return Seen.UNPROVED
    return Seen.HIDDEN


@dataclass(frozen=True, slots=True)
class _Itself:
    """The gateway's own identity; no token makes it."""

    clock: Callable[[], datetime]

    async def authenticate(self, authorization: Sequence[str]) -> Subject:
        return Subject(
            issuer="urn:portcullis:gateway",
            id="canary",
            agency=AGENCY,
            roles=("canary",),
            clearance="OS",
            training=(),
            app="canary",
            token_id="canary",  # noqa: S106 - not a password
            attributes_as_at=self.clock(),
        )


class Canaries:
    """Asks for the canaries in rounds, and says whether all are hidden."""

    def __init__(
        self,
        gate: Gate,
        questions: Sequence[Question],
        store: Store,
        metrics: Metrics,
        *,
        period_s: float,
        new_id: Callable[[], str],
    ) -> None:
        self._gate = replace(gate, identity=_Itself(gate.clock), observed=self._heard)
        self._questions = questions
        self._store = store
        self._metrics = metrics
        self._new_id = new_id
        self._answers: dict[str, Response] = {}
        self._shown: set[str] = set()
        self._untold: list[Notice] = []
        self._asked = not questions
        self._turns = Recurring(self.round, every_s=period_s, name="canaries", log=_log)

    @property
    def hidden(self) -> bool:
        """Whether a round was made, and nothing was shown that no later round proved hidden."""
        return self._asked and not self._shown

    async def round(self) -> Mapping[str, Seen]:
        """Ask every question once, side by side: a round takes as long as its slowest question.

        What was seen of each canary.
        """
        found: dict[str, Seen] = {}
        answers = await asyncio.gather(*(self._ask(question) for question in self._questions))
        for question, response in zip(self._questions, answers, strict=True):
            for canary in question.canaries:
                found[canary.id] = judged(canary, response)
                self._noted(canary, found[canary.id])
        sources = {one.id: one.source for q in self._questions for one in q.canaries}
        self._metrics.canaries(Counter((sources[id_], str(seen)) for id_, seen in found.items()))
        self._asked = True
        await self._tell()
        return found

    async def _ask(self, question: Question) -> Response:
        """The answer before it was recorded: with it come the reports of its sources."""
        request = Request(
            id=self._new_id(),
            received_at=self._gate.clock(),
            authorization=(),
            document=question.document,
            justification=_WHY,
            peer="canary",
        )
        try:
            await answer(self._gate, request)
        except GatewayError as error:
            _log.warning("canaries could not be asked for: %s", error.code)
        except Exception as error:  # one question that fails must not hide what another found
            _log.error("canaries could not be asked for: %s", unforeseen(error))
        return self._answers.pop(request.id, Response(status=503, body={}))

    def _heard(self, request: Request, response: Response) -> None:
        self._answers[request.id] = response

    def _noted(self, canary: Canary, seen: Seen) -> None:
        if seen is Seen.HIDDEN:
            if canary.id in self._shown:
                self._shown.discard(canary.id)
                _log.warning("canary %s of %s is hidden again", canary.id, canary.source)
        elif seen is Seen.UNPROVED:
            _log.warning("canary %s of %s proves nothing now", canary.id, canary.source)
        elif canary.id not in self._shown:
            self._shown.add(canary.id)
            _log.error("canary %s of %s is shown: not ready", canary.id, canary.source)
            now = self._gate.clock()
            self._untold.append(
                Notice(
                    id=self._new_id(),
                    at=now,
                    agency=AGENCY,
                    desk=DESK,
                    about=Told.CANARY_SHOWN,
                    subject=canary.id,
                    on_call=ON_CALL,
                    due_at=now + DUE,
                )
            )

    async def _tell(self) -> None:
        """Tell the operator's desk; what cannot be told now is told after the next round."""
        if self._untold:
            try:
                await self._store.tell(*self._untold)
            except GatewayError as error:
                _log.error("the operator's desk was not told of canaries: %s", error.code)
            else:
                self._untold = []

    # --- the clock ---

    def start(self) -> None:
        """Ask now and then once in every period, until `aclose`."""
        if self._questions:
            self._turns.start(at_once=True)

    async def aclose(self) -> None:
        await self._turns.aclose()
