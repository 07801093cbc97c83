"""Counts, the misuse queue, samples, reviews, questions and recalls as tools read them at /audit:
to whom each is given, of whom it is silent, and that each look is in the log before."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gateway.actions.asking import Asking
from gateway.actions.overseeing import Overseeing
from gateway.actions.overseen import LOOKS, Overseen
from gateway.actions.oversight import Oversight
from gateway.actions.recalling import Desk, Held, Recalling
from gateway.actions.reviewing import Verdict, case_from, reviewer_of
from gateway.audit.entry import read_leaf
from gateway.audit.uses import OWN
from gateway.casework.model import DipSample, Finding, Matters, Officer, Origin
from gateway.casework.store import Store
from gateway.errors import LimitExceeded, MalformedRequest, Refused
from gateway.model import Justification, Subject
from tests.unit.audit.auditworld import (
    AF,
    AF_SCP,
    ANN,
    AU,
    CYD,
    PS,
    World,
    looks,
    request,
    somebody,
    world,
)
from tests.unit.audit.overseenworld import now, overseen

WHY = Justification(purpose="OFFICER_SAFETY", reason_code="R02", reason_text="Just looking")
SERGEANT = somebody("sgt", "NMC", "sergeant")
DESK, DESK_SCP = somebody("desk", "NMC", "desk"), somebody("desk", "SCP", "desk")
BOTH = replace(ANN, roles=("response_officer", "force_auditor"))  # an auditor who asks, too
SEED = "5eed" * 16
_numbers = count(1)


def new_id() -> str:
    return f"00000000-0000-7000-8000-{next(_numbers):012d}"


@dataclass(slots=True, kw_only=True)
class At:
    world: World
    oversight: Oversight
    of: Overseen
    sample: str
    drawn: str  # the name of the case that is ann's
    matter: str

    async def look(self, name: str, who: Subject, use: str = "OVERSIGHT", **args: Any) -> Any:
        """What a field gives; its look is the last entry of the log."""
        given = await LOOKS[name](self.of, looks(who, use), args)
        last = read_leaf(await self.world.log.leaf(self.world.log.size - 1))
        assert last["kind"] == "V"
        assert given.viewed.receipt.index == self.world.log.size - 1
        return given.value

    async def misuse(self, who: Subject, **args: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self.look(
            "misuse", who, **{"days": 28, "first": 25, "start": 0, **args}
        )
        return found


@pytest.fixture(scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[At]:
    """ann of NMC asked for her own car, which is known; a sample drew hers and cyd's of SCP; the
    external auditor asked NMC why; NMC's desk recalled what cyd was shown."""
    base = tmp_path_factory.mktemp("overseen")
    async with overseen(base, WHY, new_id) as (made, oversight):
        store, tokens = oversight.store, oversight.reviewing.tokens
        await made.ask(CYD, "Nobody", shows=[("NMC", "nmc", "Person", "n-1")])
        await made.seen()
        asking = Asking(inquiry=made.inquiry, store=store, tokens=tokens, clock=now, new_id=new_id)
        recalling = Recalling(
            inquiry=made.inquiry,
            store=store,
            seal=lambda agency, _source, _entity, key: f"{agency}'s ref of {key}",
            sources={"nmc": Held(agency="NMC", entities=("Person",))},
            desk_of=lambda agency: Desk(desk=f"{agency} desk", on_call="gateway"),
            clock=now,
            new_id=new_id,
        )
        of = Overseen(
            overseeing=Overseeing(inquiry=made.inquiry, oversight=oversight),
            asking=asking,
            recalling=recalling,
            clock=now,
        )
        sample = await _sampled(made, store)
        (mine,) = [one for one in sample[1] if one.agency == "NMC"]
        asked = await asking.ask(looks(AU), Matters.QUESTION, made.asked[0], "Why three times?")
        assert asked is not None
        await made.seen()
        await recalling.recall(
            request(), DESK, source="nmc", entity="Person", key="n-1", said="It is another's."
        )
        yield At(
            world=made, oversight=oversight, of=of, sample=sample[0], drawn=mine.id,
            matter=asked.id,
        )  # fmt: skip


async def _sampled(made: World, store: Store) -> tuple[str, list[Any]]:
    """A sample that drew the first query of ann's, and cyd's."""
    drawn = DipSample(
        id=new_id(), at=now(), by=Officer.of(AU), since=now() - timedelta(hours=1), until=now(),
        count=2, strata="roles",
    )  # fmt: skip
    await store.announce(drawn)
    cases = [
        case_from(
            read_leaf(await made.log.leaf(entry)), entry, id_=new_id(), at=now(),
            origin=Origin.SAMPLE, batch=SEED, stratum="X / Y / Z / shown",
        )
        for entry in (made.asked[0], made.asked[4])
    ]  # fmt: skip
    note = made.log.checkpoint.decode()
    assert await store.drawn(
        drawn.id, seed=SEED, checkpoint=note, population=5, at=now(), cases=cases
    )
    return drawn.id, cases


ARGS: Mapping[str, Mapping[str, Any]] = {
    "overview": {"span": "day"},
    "misuse": {"days": 28, "first": 25, "start": 0},
    "misuse_case": {"id": "self-0", "days": 28},
    "samples": {},
    "sample": {"id": "none"},
    "reviews": {},
    "review": {"id": "none"},
    "matters": {},
    "matter": {"id": "none"},
    "recalls": {},
}
AUDITORS = (AF, PS, AU)
ALLOWED: Mapping[str, tuple[Subject, ...]] = {
    **dict.fromkeys(ARGS, AUDITORS),
    **dict.fromkeys(("samples", "sample", "reviews", "review"), (*AUDITORS, SERGEANT)),
    "recalls": (DESK,),
}
EVERYBODY = (*AUDITORS, SERGEANT, DESK, ANN)


def test_every_field_has_its_row_here() -> None:
    assert ARGS.keys() == LOOKS.keys()


@pytest.mark.parametrize("name", ARGS)
async def test_AU_13_each_field_is_given_to_whom_it_is_for_and_refused_to_all_others(
    at: At, name: str
) -> None:
    for who in EVERYBODY:
        if who in ALLOWED[name]:
            await at.look(name, who, **ARGS[name])
            continue
        before = at.world.log.size
        with pytest.raises(Refused):
            await LOOKS[name](at.of, looks(who), ARGS[name])
        assert at.world.log.size == before


@pytest.mark.parametrize("name", sorted(ARGS.keys() - {"recalls"}))
async def test_OI_14_no_field_is_given_without_a_permitted_use(at: At, name: str) -> None:
    for use in (OWN, "CURIOSITY"):
        with pytest.raises((MalformedRequest, Refused)):
            await LOOKS[name](at.of, looks(AF, use), ARGS[name])


@pytest.mark.parametrize("name", sorted(ARGS.keys() - {"recalls", "overview"}))
async def test_professional_standards_read_in_pairs(at: At, name: str, tmp_path: Path) -> None:
    async def alone(_subject: Subject, _use: str) -> bool:
        return False

    async with world(tmp_path, paired=alone) as made:
        inquiry = made.inquiry
        oversight = replace(
            at.oversight, reviewing=replace(at.oversight.reviewing, recorder=made.recorder)
        )
        of = replace(
            at.of,
            overseeing=Overseeing(inquiry=inquiry, oversight=oversight),
            asking=replace(at.of.asking, inquiry=inquiry),
        )
        with pytest.raises(Refused) as refused:
            await LOOKS[name](of, looks(PS), ARGS[name])
        assert refused.value.rule == "audit.pair"
        assert made.log.size == 0


async def test_counts_are_of_the_own_agency_or_of_all(at: At) -> None:
    own = await at.look("overview", AF, span="day")
    assert {one["agency"] for one in own["counts"]} == {"NMC"}
    assert sum(one["queries"] for one in own["counts"]) == 4
    every = await at.look("overview", AU, span="day")
    assert {one["agency"] for one in every["counts"]} == {"NMC", "SCP"}
    assert own["health"]["witnesses"] == []
    assert own["health"]["size"] > 0


async def test_the_queue_is_of_the_own_agency_and_shows_nobody_themselves(at: At) -> None:
    found = await at.misuse(AF)
    (case,) = [one for one in found["cases"] if one["pattern"] == "self"]
    assert (case["agency"], case["queries"], case["state"], case["left"]) == ("NMC", 3, "open", 3)
    assert "ann" not in str(found)
    assert {one["agency"] for one in (await at.misuse(AF_SCP))["cases"]} <= {"SCP"}
    assert case["id"] not in [one["id"] for one in (await at.misuse(BOTH))["cases"]]
    assert (await at.misuse(AF, pattern="glass"))["fitting"] == 0
    assert (await at.misuse(AF, state="done"))["fitting"] == 0
    told = await at.look("misuse_case", AF, id=case["id"], days=28)
    assert [one["entry"] for one in told["queries"]] == sorted(at.world.asked[:3], reverse=True)
    assert {one["asked"]["officer"] for one in told["queries"]} == {"ann"}
    leaves_alone = await at.look("misuse_case", AU, id=case["id"], days=28)
    assert {one["asked"] for one in leaves_alone["queries"]} == {None}
    for who in (AF_SCP, BOTH):
        assert await at.look("misuse_case", who, id=case["id"], days=28) is None


async def test_the_queue_comes_in_pages_and_limits_come_first(at: At) -> None:
    whole = await at.misuse(AF)
    first = await at.misuse(AF, first=1)
    assert first["cases"] == whole["cases"][:1]
    assert first["next"] == (1 if whole["fitting"] > 1 else None)
    assert (await at.misuse(AF, start=whole["fitting"]))["cases"] == []
    for wrong in ({"first": 0}, {"first": 201}, {"start": -1}, {"days": 29}):
        with pytest.raises(LimitExceeded):
            await at.misuse(AF, **wrong)


async def test_a_sample_says_what_decided_it_and_each_sees_the_queries_that_are_theirs(
    at: At,
) -> None:
    (row,) = await at.look("samples", AF)
    assert (row["id"], row["seed"], row["population"]) == (at.sample, SEED, 5)
    assert row["checkpoint"].startswith("gate.example/audit\n")
    for who, agencies in ((AF, ["NMC"]), (AF_SCP, ["SCP"]), (AU, ["NMC", "SCP"])):
        told = await at.look("sample", who, id=at.sample)
        assert [one["agency"] for one in told["queries"]] == agencies
    assert (await at.look("sample", BOTH, id=at.sample))["queries"] == []  # one's own
    assert await at.look("sample", AF, id="nothing") is None


async def test_what_professional_standards_found_is_not_shown_to_their_ordinary_auditors(
    at: At,
) -> None:
    reviewing = at.oversight.reviewing
    for who in (PS, AF):
        reviewer = reviewer_of(who, at.world.inquiry.entitled, at.oversight.agencies)
        assert reviewer is not None
        verdict = Verdict(outcome=Finding.UNCLEAR, quality=1, note=f"A note by {who.id}")
        said = await reviewing.review(
            request(), who, at.drawn, verdict, reviewer=reviewer, use="OVERSIGHT", now=now()
        )
        assert said is not None

    async def seen(who: Subject) -> list[tuple[str, str]]:
        told = await at.look("review", who, id=at.drawn)
        assert told["query"]["reviews"] == told["row"]["reviews"]
        return sorted((one["level"], one["note"]) for one in told["row"]["reviews"])

    auditor, standards = ("AUDITOR", "A note by af"), ("STANDARDS", "A note by ps")
    assert await seen(PS) == [auditor, standards]
    assert await seen(AF) == [auditor]
    assert await seen(SERGEANT) == []
    assert await seen(AU) == [("AUDITOR", ""), ("STANDARDS", "")]
    for who in (AF_SCP, BOTH):  # another agency's, and one's own
        assert await at.look("review", who, id=at.drawn) is None
    assert at.drawn in [one["id"] for one in await at.look("reviews", SERGEANT)]
    assert at.drawn not in [one["id"] for one in await at.look("reviews", AF)]
    with pytest.raises(MalformedRequest):
        await at.look("reviews", SERGEANT, use="INVESTIGATION")


async def test_a_question_is_read_by_both_agencies_and_by_no_third(at: At) -> None:
    for who in (AU, AF):
        (row,) = await at.look("matters", who)
        assert (row["id"], row["by"], row["agency"]) == (at.matter, "OVERSIGHT", "NMC")
        told = await at.look("matter", who, id=at.matter)
        assert told["question"] == "Why three times?"
        assert told["may_answer"] is (who is AF)
    assert await at.look("matters", AF_SCP) == []
    assert await at.look("matter", AF_SCP, id=at.matter) is None


async def test_a_recall_is_read_by_its_owner_and_by_whom_it_is_told(at: At) -> None:
    own = await at.look("recalls", DESK)
    ((made,), heard) = own["made"], own["heard"]
    assert (made["key"], made["answers"], heard) == ("n-1", 1, [])
    assert [(one["agency"], one["ref"], one["times"]) for one in made["told"]] == [("SCP", "", 1)]
    other = await at.look("recalls", DESK_SCP)
    assert other["made"] == []
    (heard_of,) = other["heard"]
    assert (heard_of["key"], heard_of["source"], heard_of["answers"]) == ("", "", None)
    assert [one["ref"] for one in heard_of["told"]] == ["SCP's ref of n-1"]
    assert heard_of["said"] == "It is another's."
