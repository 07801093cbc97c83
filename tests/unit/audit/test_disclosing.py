"""An answer that somebody brings: what its entry says of it, to whom, and what can be opened."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.actions.disclosing import MOST_CLAIMS, Brought, Disclosure, disclosed
from gateway.audit import verify as verifier
from gateway.audit.entry import read_leaf
from gateway.audit.uses import OWN
from gateway.audit.verify import ELSEWHERE, OTHER, SO, Unproved, check_disclosed
from gateway.errors import LimitExceeded, MalformedRequest, Refused
from gateway.model import Subject
from tests.unit.audit.auditworld import (
    AF,
    AF_ERU,
    ANN,
    AU,
    CYD,
    PS,
    World,
    looks,
    somebody,
    world,
)

BORN = "personSearch.0.dob"
RIGHT, WRONG = '"1991-04-17"', '"1991-04-18"'
TOLD = {"path": "personSearch.0.nino", "outcome": "MASKED", "agency": "ERU", "rule": "r1"}


@pytest.fixture(scope="module")
async def at(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """ann of NMC was shown two records of ERU, cyd of SCP one of SCP."""
    async with world(tmp_path_factory.mktemp("disclosing")) as made:
        shows = [("ERU", "eru", "Person", "h-1"), ("ERU", "eru", "Person", "h-2")]
        await made.ask(ANN, "Hoxha", shows=shows, told=TOLD)
        await made.ask(CYD, "Nobody", shows=[("SCP", "scp", "Person", "9")])
        await made.seen()
        yield made


async def look(
    at: World, who: Subject, claims: dict[str, str], entry: int = 0, **more: Any
) -> Disclosure | None:
    receipt = json.dumps(at.receipts[at.asked[more.pop("receipt", entry)]])
    brought = Brought(receipt=receipt, claims=claims)
    return (await disclosed(at.inquiry, looks(who), at.asked[entry], brought, **more)).value


async def test_what_was_kept_and_what_was_changed_are_told_apart_and_no_value_is_written(
    at: World,
) -> None:
    claims = {BORN: RIGHT, "personSearch.1.dob": WRONG, "personSearch.0.nino": "null"}
    found = await look(at, AF_ERU, claims)
    assert found is not None
    assert [(one.place, one.field, one.outcome) for one in found.places] == [
        (BORN, "date_of_birth", "DISCLOSED"),
        ("personSearch.1.dob", "date_of_birth", "OTHER"),
        ("personSearch.0.nino", "", "NOT_OF_ENTRY"),
    ]
    assert (found.agency, found.to, found.purpose) == ("ERU", "NMC", "OFFICER_SAFETY")
    assert found.told == (("personSearch.0.nino", "MASKED", "", "r1"),)
    assert found.opened is None
    number = at.log.size - 1
    view = read_leaf(await at.log.leaf(number))["view"]
    assert (view["page"], view["rows"], view["same"], view["opened"]) == ("disclosed", 3, 1, False)
    assert "1991" not in json.dumps([view, await at.log.detail(number)])


async def test_where_nothing_is_brought_no_place_is_judged(at: World) -> None:
    found = await look(at, AF_ERU, {})
    assert found is not None
    assert [one.outcome for one in found.places] == [None, None]


async def test_AU_13_only_auditors_of_the_owner_have_it_compared(at: World) -> None:
    assert await look(at, AF, {BORN: RIGHT}) is None  # the asker's own agency owns none of it
    assert await look(at, AF_ERU, {BORN: RIGHT}, entry=1) is None
    for who in (AU, ANN, somebody("eve", "ERU")):
        with pytest.raises(Refused):
            await look(at, who, {BORN: RIGHT})
    receipt = json.dumps(at.receipts[at.asked[0]])
    nowhere = await disclosed(
        at.inquiry, looks(AF_ERU), 10_000, Brought(receipt=receipt, claims={})
    )
    assert nowhere.value is None
    brought = Brought(receipt=receipt, claims={})
    with pytest.raises(MalformedRequest):
        await disclosed(at.inquiry, looks(AF_ERU, OWN), at.asked[0], brought)


async def test_nobody_tries_values_without_the_answer_s_own_receipt(at: World) -> None:
    with pytest.raises(MalformedRequest, match="names another"):
        await look(at, AF_ERU, {BORN: RIGHT}, receipt=1)
    good = at.receipts[at.asked[0]]
    other = at.receipts[at.asked[1]]
    for wrong in (
        {},
        {**good, "signature": other["signature"]},
        {**other, "leafHash": good["leafHash"]},
    ):
        brought = Brought(receipt=json.dumps(wrong), claims={BORN: RIGHT})
        with pytest.raises(MalformedRequest, match="no receipt"):
            await disclosed(at.inquiry, looks(AF_ERU), at.asked[0], brought)


async def test_limits_come_first(at: World) -> None:
    many = {f"a.{n}": "1" for n in range(MOST_CLAIMS + 1)}
    with pytest.raises(LimitExceeded):
        await look(at, AF_ERU, many)
    for wrong in ("", "{", "[" * 100_000):
        with pytest.raises(MalformedRequest):
            await look(at, AF_ERU, {BORN: wrong})


async def test_professional_standards_compare_in_pairs_too(tmp_path: Path) -> None:
    async def alone(_subject: Subject, _use: str) -> bool:
        return False

    async with world(tmp_path, paired=alone) as made:
        await made.ask(CYD, shows=[("NMC", "nmc", "Person", "1")])
        await made.seen()
        with pytest.raises(Refused) as refused:
            await look(made, PS, {BORN: RIGHT})
        assert refused.value.rule == "audit.pair"


async def test_what_is_opened_shows_others_the_same_offline_and_only_that(
    at: World, tmp_path: Path
) -> None:
    found = await look(
        at, AF_ERU, {BORN: RIGHT, "personSearch.1.dob": WRONG}, opens=True, tells=True
    )
    assert found is not None
    assert found.opened is not None
    opened = json.loads(found.opened)
    assert [one["item"][1] for one in opened["items"]] == [BORN, "personSearch.0.nino"]
    key = at.log.verifier.strip()
    answer = {"data": {"personSearch": [{"dob": "1991-04-17"}]}}
    said = check_disclosed(found.opened.encode(), json.dumps(answer).encode(), key)
    assert said.fields == ((SO, BORN, "date_of_birth of Person in eru"),)
    assert said.told == (("told", "personSearch.0.nino", "MASKED", "", "r1"),)
    assert (said.agency, said.to, said.purpose) == ("ERU", "NMC", "OFFICER_SAFETY")
    for changed in ({"data": {"personSearch": [{"dob": "1991-04-18"}]}}, {"data": None}):
        said = check_disclosed(found.opened.encode(), json.dumps(changed).encode(), key)
        assert [one[0] for one in said.fields] == [OTHER]
    alone = tmp_path / "verify.py"
    shutil.copy(Path(verifier.__file__), alone)
    (tmp_path / "opened").write_text(found.opened)
    (tmp_path / "answer").write_text(json.dumps(answer))
    line = [sys.executable, "-P", str(alone), "--disclosed", "opened", "--answer", "answer"]
    run = subprocess.run([*line, "--key", key], capture_output=True, text=True, cwd=tmp_path)  # noqa: ASYNC221, S603
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith(f"disclosed so          {BORN}  (date_of_birth of Person in eru)")
    (tmp_path / "answer").write_text(json.dumps({"data": {}}))
    run = subprocess.run([*line, "--key", key], capture_output=True, text=True, cwd=tmp_path)  # noqa: ASYNC221, S603
    assert run.returncode == 1
    assert run.stdout.startswith("other than disclosed")


async def test_no_change_of_what_was_opened_confirms_another_value_or_denies_the_right_one(
    at: World,
) -> None:
    found = await look(at, AF_ERU, {BORN: RIGHT, "personSearch.1.dob": RIGHT}, opens=True)
    assert found is not None
    assert found.opened is not None
    key, whole = at.log.verifier.strip(), found.opened.encode()
    values = {
        "personSearch": [{"dob": "1991-04-17", "nino": "QQ"}, {"dob": "1991-04-17"}, {"dob": "x"}]
    }
    right = json.dumps({"data": values}).encode()
    wrong = json.dumps({"data": {"personSearch": [{"dob": "1991-04-18"}] * 3}}).encode()
    random = Random(5)  # noqa: S311
    seen = set[str]()
    for _ in range(600):
        changed = bytearray(whole)
        where = random.randrange(len(changed))
        changed[where] = random.choice(b'0123456789abcdef",{}[].ABXYZ')
        for answer, never in ((right, OTHER), (wrong, SO)):
            try:
                said = check_disclosed(bytes(changed), answer, key)
            except Unproved:
                continue
            seen |= {verdict for verdict, *_ in said.fields}
            assert never not in {verdict for verdict, *_ in said.fields}
    assert seen == {SO, OTHER, ELSEWHERE}
