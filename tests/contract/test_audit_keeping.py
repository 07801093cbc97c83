"""What is erased of the record, and what is held back, in both stores of the log."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.entry import ASKER, Part, read_leaf
from gateway.audit.keeper import Receipt
from gateway.audit.keeping import Keeping
from gateway.audit.keys import AuditKeys
from gateway.audit.ledger import Hold, Target
from gateway.audit.log import AuditLog
from gateway.audit.publishing import Unwitnessed
from gateway.audit.recorder import Record, Recorder
from gateway.audit.retention import Rules
from gateway.errors import AuditUnavailable, Refused
from gateway.model import Request, Subject
from tests.contract.auditplaces import ORIGIN, AuditPlace, Database, Files, leads
from tests.unit.query import world

BEGIN = datetime(2026, 2, 10, 9, tzinfo=UTC)
ONE = replace(world.SUBJECT, agency="NMC", id="u-1")
TWO = replace(world.SUBJECT, agency="OVERSIGHT", id="u-2")
TABLE = {
    "bodies_months": {
        "*": {"consultation": 12, "disclosure": 36, "combination": 36},
        "SCP": {"consultation": 24, "disclosure": 24, "combination": 24},
    },
    "tokens_months": 36,
    "agree_within_days": 14,
}


@pytest.fixture(name="place")
def fixture_place(audit_place: AuditPlace) -> AuditPlace:
    return audit_place


@dataclass
class Clock:
    """Time that passes when it is told to."""

    now: datetime = BEGIN
    seconds: float = 0.0
    ids: Any = field(default_factory=count)

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return self.seconds

    def new_id(self) -> str:
        return f"{self.now:%Y%m%d}-{next(self.ids)}"


HELD = "01a20213-155e-741f-b1cb-582ea7201b80"


@dataclass(frozen=True)
class World:
    """One gateway's view of a log."""

    place: AuditPlace
    log: AuditLog
    clock: Clock
    keys: AuditKeys
    table: Mapping[str, Any]

    def keeping(self) -> Keeping:
        """As it is after a start: it knows nothing that is not in the log."""
        return Keeping(
            self.log,
            self.keys,
            Rules.of(self.table),
            gateway=ORIGIN,
            clock=self.clock,
            monotonic=self.clock.monotonic,
            new_id=self.clock.new_id,
        )

    def recorder(self) -> Recorder:
        return Recorder(
            log=self.log,
            witnesses=Unwitnessed(self.log),
            keys=self.keys,
            gateway=ORIGIN,
            clock=self.clock,
            entitled={},
        )

    def by(self, subject: Subject, kind: type[Record] = Record) -> Record:
        asked = Request(id=self.clock.new_id(), received_at=self.clock(), authorization=())
        made = kind(self.recorder(), asked)
        made.known(subject=subject)
        return made

    async def put(self, tag: str = "consultation", agency: str = "NMC", **more: Any) -> int:
        """A record with a body, under a checkpoint."""
        leaf = {"kind": "R", "tag": tag, "request_id": self.clock.new_id(),
                "at": self.clock().isoformat(), **more}  # fmt: skip
        receipt = await self.log.append(leaf, {ASKER: Part(agency, {"text": "canary"})})
        return (await self.log.inclusion(await self.log.number(receipt))).index

    async def readable(self, index: int) -> bool:
        try:
            return bool(await self.log.detail(index) == {"text": "canary"})
        except (LookupError, AuditUnavailable):
            return False

    async def said(self, name: str) -> list[dict[str, Any]]:
        """What entries of kind K say under this name, in order."""
        size = self.log.size
        await self.log.inclusion(size - 1)
        leaves = [read_leaf(await self.log.leaf(index)) for index in range(size)]
        return [leaf[name] for leaf in leaves if leaf["kind"] == "K" and name in leaf]


@asynccontextmanager
async def opened(place: AuditPlace, clock: Clock) -> AsyncIterator[World]:
    async with place.opened(clock=clock) as log:
        yield World(place, log, clock, place.keys, TABLE)


async def whole(place: AuditPlace) -> None:
    report = await place.verified()
    assert report.ok, report.problems


# --- two people --------------------------------------------------------------------------------


async def test_AU_14_two_people_erase_a_record_and_the_log_says_so_first(place: AuditPlace) -> None:
    async with opened(place, Clock()) as here:
        victim, other = await here.put(), await here.put()
        keeping = here.keeping()
        asked = await keeping.ask(here.by(ONE), Target(record=victim), "UNLAWFUL")
        assert await here.readable(victim)  # nobody has agreed
        assert [one.id for one in await keeping.waiting()] == [asked.id]
        elsewhere = here.keeping()  # another gateway
        found = await elsewhere.find(asked.id)
        assert found is not None
        assert elsewhere.asked_by(found, ONE.issuer, ONE.id)
        assert not elsewhere.asked_by(found, TWO.issuer, TWO.id)
        assert await elsewhere.agree(here.by(TWO), found)
        assert not await here.readable(victim)
        assert await here.readable(other)
        assert await keeping.waiting() == []
        with pytest.raises(Refused, match="already"):
            await keeping.agree(here.by(TWO), found)
        asked_said, agreed_said = await here.said("erasure")
        assert (asked_said["step"], agreed_said["step"]) == ("asked", "agreed")
        assert agreed_said["what"] == {"record": victim}
        assert agreed_said["code"] == "UNLAWFUL"
        tokens = {here.recorder().hmac("actor", f"{one.issuer}|{one.id}") for one in (ONE, TWO)}
        assert set(agreed_said["approvers"]) == tokens
        assert len(tokens) == 2
        assert "u-1" not in json.dumps([asked_said, agreed_said])
        proof = await here.log.inclusion(victim)
        assert proof.index == victim
    await whole(place)


async def test_an_erasure_that_nobody_agrees_to_in_time_is_none(place: AuditPlace) -> None:
    clock = Clock()
    async with opened(place, clock) as here:
        victim, keeping = await here.put(), here.keeping()
        asked = await keeping.ask(here.by(ONE), Target(record=victim), "UNLAWFUL")
        clock.now += timedelta(days=15)
        assert await keeping.find(asked.id) is None


async def test_AU_15_a_month_and_a_quarter_s_tokens_are_destroyed_when_they_are_over(
    place: AuditPlace,
) -> None:
    clock = Clock()
    async with opened(place, clock) as here:
        first = await here.put()
        here.recorder().hmac("actor", "x")
        keeping = here.keeping()
        for target in (Target(month="NMC/2026-02"), Target(tokens="actor/2026-Q1")):
            with pytest.raises(Refused, match="not over"):
                await keeping.ask(here.by(ONE), target, "OVER")
        clock.now = BEGIN + timedelta(days=60)
        second = await here.put()
        neighbour = AuditKeys(place.base / "keys")  # of another process, which has read them
        neighbour.wrapping_key("NMC/2026-02")
        neighbour.token_key("actor", "2026-Q1")
        for target in (Target(month="NMC/2026-02"), Target(tokens="actor/2026-Q1")):
            asked = await keeping.ask(here.by(ONE), target, "OVER")
            assert await keeping.agree(here.by(TWO), asked)
        assert not await here.readable(first)
        assert await here.readable(second)
        with pytest.raises(AuditUnavailable, match="destroyed"):
            neighbour.wrapping_key("NMC/2026-02")
        neighbour.forget_destroyed()
        with pytest.raises(AuditUnavailable, match="destroyed"):
            neighbour.token_key("actor", "2026-Q1")
        nothing = [
            Target(month="NMC/2026-02"),
            Target(month="../../log"),
            Target(record=10**6),
            Target(tokens="actor/2020-Q1"),
            Target(),
            Target(record=first, month="NMC/2026-04"),
        ]
        for none in nothing:
            with pytest.raises(Refused):
                await keeping.ask(here.by(ONE), none, "OVER")
    await whole(place)


# --- holds -------------------------------------------------------------------------------------


class Unwritten(Record):
    """A record of a gateway whose log takes nothing more."""

    async def keeping(self, said: Mapping[str, Any]) -> Receipt:
        raise AuditUnavailable(detail=f"the disk is full: {sorted(said)}")


async def let_go(here: World, hold: Hold) -> Hold:
    """Two people lift a hold."""
    asked = await here.keeping().ask_lift(here.by(ONE), hold, "ENDED")
    return await here.keeping().lift(here.by(TWO), asked)


async def test_one_places_a_hold_and_two_let_it_go(place: AuditPlace) -> None:
    clock = Clock()
    async with opened(place, clock) as here:
        held, keeping = await here.put(), here.keeping()
        hold = await keeping.hold(here.by(ONE), {"records": (held, held)}, "COURT")

        async def stands() -> None:
            (only,) = await here.keeping().standing()
            assert (only.id, only.lifted) == (hold.id, None)
            with pytest.raises(Refused, match="It is held"):
                await here.keeping().ask(here.by(ONE), Target(record=held), "UNLAWFUL")

        with pytest.raises(Refused, match="Nobody has asked"):
            await keeping.lift(here.by(TWO), hold)
        await stands()
        asked = await keeping.ask_lift(here.by(ONE), hold, "ENDED")
        await stands()
        with pytest.raises(Refused, match="somebody else agrees"):
            await keeping.lift(here.by(ONE), asked)
        for who in (ONE, TWO):
            with pytest.raises(Refused, match="asked for that already"):
                await keeping.ask_lift(here.by(who), asked, "ENDED")
        clock.now += timedelta(days=14, seconds=1)  # nobody agreed in time
        with pytest.raises(Refused, match="Nobody has asked"):
            await keeping.lift(here.by(TWO), asked)
        await stands()
        asked = await here.keeping().ask_lift(here.by(TWO), asked, "IN_ERROR")
        with pytest.raises(Refused, match="somebody else agrees"):
            await here.keeping().lift(here.by(TWO), asked)
        with pytest.raises(AuditUnavailable):  # not recorded, it stands
            await keeping.lift(here.by(ONE, Unwritten), asked)
        await stands()
        lifted = await here.keeping().lift(here.by(ONE), asked)
        assert lifted.lifted is not None
        assert await here.keeping().standing() == []
        with pytest.raises(Refused, match="or it is already"):
            await keeping.lift(here.by(ONE), asked)
        last = (await here.said("hold"))[-1]
        assert (last["step"], last["code"], len(set(last["approvers"]))) == (
            "lifted", "IN_ERROR", 2,
        )  # fmt: skip
    await whole(place)


async def test_a_hold_that_one_lifted_before_two_were_needed_is_lifted(place: AuditPlace) -> None:
    async with opened(place, Clock()) as here:
        held = await here.put()
        hold = await here.keeping().hold(here.by(ONE), {"records": (held, held)}, "COURT")
        one = here.by(TWO)
        receipt = await one.keeping({"hold": {"id": hold.id, "step": "lifted", "code": "ENDED"}})
        await here.log.inclusion(await here.log.number(receipt))
        assert await here.keeping().standing() == []


async def test_what_is_held_is_erased_by_nobody_until_it_is_lifted(place: AuditPlace) -> None:
    async with opened(place, Clock()) as here:
        token = here.recorder().hmac("actor", "https://nmc.example|u-7")
        case = here.recorder().hmac("case", "AA/1")
        victims = {
            "records": await here.put(),
            "request": await here.put(request_id=HELD),
            "actor": await here.put(who={"actor": token, "agency": "NMC"}),
            "case": await here.put(purpose={"case": case}),
            "month": await here.put(agency="SCP"),
        }
        free = await here.put()
        scopes: dict[str, Any] = {
            "records": (victims["records"], victims["records"]),
            "request": HELD.upper(),
            "actor": "https://nmc.example|u-7",
            "case": "AA/1",
            "month": "SCP/2026-02",
        }
        placed = [
            await here.keeping().hold(here.by(ONE), {name: scope}, "COURT")
            for name, scope in scopes.items()
        ]
        keeping = here.keeping()  # as after a start: the log alone says it
        assert [one.id for one in await keeping.standing()] == [one.id for one in placed]
        for victim in victims.values():
            with pytest.raises(Refused, match="It is held"):
                await keeping.ask(here.by(ONE), Target(record=victim), "UNLAWFUL")
        asked = await keeping.ask(here.by(ONE), Target(record=free), "UNLAWFUL")
        assert await keeping.agree(here.by(TWO), asked)
        for one, victim in zip(placed, victims.values(), strict=True):
            lifted = await let_go(here, one)
            assert lifted.lifted is not None
            asked = await keeping.ask(here.by(ONE), Target(record=victim), "UNLAWFUL")
            assert await keeping.agree(here.by(TWO), asked)
            assert not await here.readable(victim)
        assert await keeping.standing() == []
        assert [one["step"] for one in await here.said("hold")] == [
            *["placed"] * 5, *["lift_asked", "lifted"] * 5,
        ]  # fmt: skip
        for odd in ({"records": (0, 10**6)}, {"records": (2, 1)}, {"request": 'x"'},
                    {"request": HELD[:8]}, {"month": "NMC/2021-01"},
                    {"month": "NMC"}):  # fmt: skip
            with pytest.raises(Refused):
                await keeping.hold(here.by(ONE), odd, "COURT")
    await whole(place)


async def test_a_key_stays_while_a_record_under_it_is_held(place: AuditPlace) -> None:
    clock = Clock()
    async with opened(place, clock) as here:
        held = await here.put()
        here.recorder().hmac("actor", "x")
        clock.now = BEGIN + timedelta(days=60)
        keeping = here.keeping()
        hold = await keeping.hold(here.by(ONE), {"records": (held, held)}, "COURT")
        for target in (Target(month="NMC/2026-02"), Target(tokens="actor/2026-Q1")):
            with pytest.raises(Refused, match="It is held"):
                await keeping.ask(here.by(ONE), target, "OVER")
        await let_go(here, hold)
        asked = await keeping.ask(here.by(ONE), Target(month="NMC/2026-02"), "OVER")
        assert await keeping.agree(here.by(TWO), asked)
        assert not await here.readable(held)


async def test_a_hold_that_comes_before_the_agreement_in_the_log_wins(place: AuditPlace) -> None:
    """At another gateway, after this one has looked."""
    async with opened(place, Clock()) as here:
        victim = await here.put()
        keeping, elsewhere = here.keeping(), here.keeping()
        asked = await keeping.ask(here.by(ONE), Target(record=victim), "UNLAWFUL")

        class Overtaken(Record):
            async def keeping(self, said: Mapping[str, Any]) -> Receipt:
                await elsewhere.hold(here.by(ONE), {"records": (victim, victim)}, "COURT")
                return await super().keeping(said)

        with pytest.raises(Refused, match="A hold was placed first"):
            await keeping.agree(here.by(TWO, Overtaken), asked)
        assert await here.readable(victim)
        (hold,) = await keeping.standing()
        await let_go(here, hold)
        await here.keeping().tick()  # as after a start: it is not done later either
        assert await here.readable(victim)


async def test_what_a_backup_brought_back_is_erased_again(place: AuditPlace) -> None:
    async with opened(place, Clock()) as here:
        victim = await here.put()
        _save(place)
        keeping = here.keeping()
        asked = await keeping.ask(here.by(ONE), Target(record=victim), "UNLAWFUL")
        assert await keeping.agree(here.by(TWO), asked)
        _put_back(place)
        assert await here.readable(victim)
        await leads(here.log)
        await here.keeping().tick()
        assert not await here.readable(victim)


def _save(place: AuditPlace) -> None:
    if isinstance(place, Database):
        place.run("CREATE TABLE saved AS SELECT * FROM audit_body")
    elif isinstance(place, Files):
        shutil.copytree(place.directory / "sealed", place.base / "saved")


def _put_back(place: AuditPlace) -> None:
    if isinstance(place, Database):
        place.run("INSERT INTO audit_body SELECT * FROM saved ON CONFLICT DO NOTHING")
    elif isinstance(place, Files):
        shutil.copytree(place.base / "saved", place.directory / "sealed", dirs_exist_ok=True)


# --- what goes in time -------------------------------------------------------------------------


async def test_AU_15_what_is_over_goes_but_for_what_is_held_and_all_proofs_hold(
    place: AuditPlace,
) -> None:
    clock = Clock()
    async with opened(place, clock) as here:
        many = [one for _ in range(10)
                for one in await asyncio.gather(*(here.put() for _ in range(30)))]  # fmt: skip
        shown = await here.put("disclosure")
        scp = await here.put(agency="SCP")
        held = await here.put()
        keeping = here.keeping()
        hold = await keeping.hold(here.by(ONE), {"records": (held, held)}, "COURT")
        kept = here.log.checkpoint
        clock.now = datetime(2027, 2, 28, tzinfo=UTC)  # twelve months are not over yet
        later = await here.put()
        assert (await keeping.due()).records == 0
        clock.now = datetime(2027, 3, 1, tzinfo=UTC)
        due = await keeping.due()
        assert (due.records, due.months, due.tokens, due.held) == (300, (), (), 1)
        assert await here.readable(many[0])
        assert await here.said("retained") == []  # asking changes nothing
        await keeping.retain()
        assert not any([await here.readable(index) for index in many[::40]])
        for index in (shown, scp, held, later):
            assert await here.readable(index)
        (run,) = await here.said("retained")
        assert (run["records"], run["held"], run["months"]) == (300, 1, [])
        assert (await keeping.due()).records == 0  # what was seen to is not counted again
        clock.now = datetime(2029, 4, 1, tzinfo=UTC)  # after 36 months
        due = await here.keeping().retain()
        assert due.records == 300 + 2 + 1  # a start looks again at what the run before did
        assert due.months == ("SCP/2026-02",)
        assert not await here.readable(shown)
        assert not await here.readable(scp)
        assert await here.readable(held)
        assert {"actor/2026-Q1", "token/2026-Q1"} <= set(place.keys.tokens())
        assert due.held == 1 + 1 + 2  # the record, its month, and its quarter's tokens
        await let_go(here, hold)
        due = await keeping.retain()
        assert due.months == ("NMC/2026-02",)
        assert due.tokens == ("actor/2026-Q1", "token/2026-Q1")
        assert not await here.readable(held)
        assert "NMC/2026-02" not in place.keys.months()
        assert (await here.log.inclusion(held)).index == held
    report = await place.verified(kept)
    assert report.ok, report.problems
    assert report.bodies == 0


async def test_without_a_table_everything_is_kept(place: AuditPlace) -> None:
    clock = Clock()
    async with opened(place, clock) as here:
        index = await here.put()
        clock.now = datetime(2100, 1, 1, tzinfo=UTC)
        due = await replace(here, table={}).keeping().retain()
        assert (due.records, due.keys) == (0, 0)
        assert await here.readable(index)


async def test_the_leading_gateway_runs_once_a_day_and_tells_of_keys(
    place: AuditPlace, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    async with opened(place, clock) as here:
        await here.put()
        await leads(here.log)
        keeping = here.keeping()
        await keeping.tick()
        assert await here.said("retained") == await here.said("keys") == []  # not at once
        clock.seconds = 3600.0
        await keeping.tick()
        assert len(await here.said("retained")) == 1
        assert await here.said("keys") == [{"made": ["month/NMC/2026-02"]}]
        clock.seconds = 7200.0
        await keeping.tick()
        assert len(await here.said("retained")) == 1
        assert len(await here.said("keys")) == 1
        (Path(place.base) / "keys" / "month" / "NMC" / "2026-02").unlink()
        clock.now += timedelta(days=1)
        clock.seconds = 10_800.0
        with caplog.at_level(logging.CRITICAL):
            await keeping.tick()
        assert len(await here.said("retained")) == 2
        assert (await here.said("keys"))[1:] == [{"missing": ["month/NMC/2026-02"]}]
        assert "keys are missing: month/NMC/2026-02" in caplog.text
        clock.seconds = 20_000.0
        await keeping.tick()
        assert len(await here.said("keys")) == 2  # once
    await whole(place)


async def test_a_K_entry_that_cannot_be_read_stops_every_erasure(place: AuditPlace) -> None:
    async with opened(place, Clock()) as here:
        victim = await here.put()
        receipt = await here.log.append({"kind": "K", "request_id": "r", "hold": {"id": "x"}})
        await here.log.inclusion(await here.log.number(receipt))
        with pytest.raises(AuditUnavailable, match="of kind K, cannot be read"):
            await here.keeping().ask(here.by(ONE), Target(record=victim), "UNLAWFUL")
        with pytest.raises(AuditUnavailable):
            await here.keeping().retain()
