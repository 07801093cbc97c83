"""Who asks too much is slowed, then refused, then released by a supervisor: over HTTP, with the
real policy, whose table gives small budgets here. That a restart forgets nothing is shown in
tests/contract/test_budgets.py: the demonstration's officers have another issuer after one."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.personas import PERSONAS
from deploy.demo.population import Agency, Population
from deploy.demo.stack import ROOT
from gateway.cli.demo import running_demo
from tests.e2e.asking import Answer, Asker
from tests.e2e.test_casework import Desk
from tests.e2e.test_casework_command import Terminal
from tests.opa import changed

PLATES = "query($vrm: Vrm!) { vehicle(vrm: $vrm) { make } }"
PEOPLE = "query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 5) { hits { ref } } }"
RELEASE = (ROOT / "deploy/demo/documents/casework/release_budget.graphql").read_text("utf-8")


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployed policies with a table that gives less."""

    def less(table: dict[str, Any]) -> None:
        table["slow_ms"] = 400
        table["kinds"]["questions"] |= {"slow_after": 3, "most": 5}
        table["kinds"]["one_target"] |= {"slow_after": 2, "most": 2}
        table["kinds"]["hits"] |= {"slow_after": 1, "most": 1}

    return changed(tmp_path_factory.mktemp("budgets") / "policies", budgets=less)


@pytest.fixture(scope="module")
async def frugal(
    state: Path, population: Population, opa_program: Path, policies: Path
) -> AsyncIterator[Asker]:
    """Asks a gateway of its own."""
    place = state / "frugal"
    async with (
        running_demo(
            place, population, opa_program, bid_rate=False, mariadb=False, policies=policies
        ) as demo,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        yield Asker(demo=demo, client=client)


async def plate(asker: Asker, persona: str, vrm: str, purpose: str = "OFFICER_SAFETY") -> Answer:
    return await asker.ask(persona, PLATES, {"vrm": vrm}, purpose=purpose, reason="R02")


def refusal(answer: Answer) -> tuple[int, str, str]:
    (error,) = answer.body["errors"]
    said = error["extensions"]
    return answer.status, said["rule"], said["contact"]


async def took(asker: Asker, vrm: str) -> tuple[Answer, float]:
    began = time.monotonic()
    answer = await plate(asker, "RO", vrm)
    return answer, time.monotonic() - began


async def test_pu_06_slowed_then_refused_then_released(frugal: Asker) -> None:
    for vrm in ("AB12CDE", "AB12CDF", "AB12CDG"):
        assert (await plate(frugal, "RO", vrm)).status == 200
    for vrm in ("AB12CDH", "AB12CDJ"):
        answer, elapsed_s = await took(frugal, vrm)
        assert answer.status == 200
        assert elapsed_s >= 0.4  # of which it is told nothing but the time it took
    spent = (403, "budget.questions", "nmc-bureau")
    assert refusal(await plate(frugal, "RO", "AB12CDK")) == spent
    assert (await plate(frugal, "AO", "AB12CDK")).status == 200  # another officer's is their own

    desk = Desk(asker=frugal)
    given: dict[str, Any] = {"officer": PERSONAS["RO"].sub, "budget": "questions", "extra": 2}
    nobody = await desk.raw("RO", RELEASE, **given, until="PT1H")
    assert refusal(nobody)[1] == "casework.role"
    own = await desk.raw("SG", RELEASE, **(given | {"officer": PERSONAS["SG"].sub}), until="PT1H")
    assert refusal(own)[1] == "casework.own_request"
    wide = await desk.raw("SG", RELEASE, **(given | {"extra": 10**6}), until="PT1H")
    assert refusal(wide)[1] == "casework.budget"
    released = await desk.raw("SG", RELEASE, **given, until="PT1H")
    assert released.data["releaseBudget"]["extra"] == 2
    await frugal.demo.started.budgets.tick()
    assert (await plate(frugal, "RO", "AB12CDL")).status == 200
    assert (await plate(frugal, "RO", "AB12CDM")).status == 200
    assert refusal(await plate(frugal, "RO", "AB12CDN")) == spent


@pytest.mark.parametrize(
    ("spender", "supervisor", "agency"),
    [("RO", "SG", ()), ("IE", "DS", ()), ("BF", "DS", ()), ("FL", "GD", ("--agency", "PARTNER"))],
)
async def test_each_agencys_supervisor_releases_from_the_command_line(
    frugal: Asker, spender: str, supervisor: str, agency: tuple[str, ...],
    tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Also of somebody with another sign-in of the same agency, and of one without supervisors."""
    terminal = Terminal(frugal.demo, tmp_path, capsys)

    async def asks() -> Answer:
        if spender != "FL":
            return await plate(frugal, spender, "AB12CDE")
        named = {"n": [{"family": "Nobody", "dob": "1971-02-03"}]}
        return await frugal.ask(spender, PEOPLE, named, purpose="OIC_INVESTIGATION")

    for _ in range(6):
        answer = await asks()
    assert refusal(answer)[1].startswith("budget.")
    named = refusal(answer)[1].removeprefix("budget.")
    words = ("casework", "budget", PERSONAS[spender].sub, named, "3", "--for", "PT1H", *agency)
    code, _, said = await terminal.run("DK", *words)
    assert (code, "may not do this" in said) == (1, True)
    code, out, _ = await terminal.run(supervisor, *words)
    assert (code, json.loads(out)["extra"]) == (0, 3)
    await frugal.demo.started.budgets.tick()
    assert (await asks()).status == 200
    if agency:
        code, out, _ = await terminal.run(supervisor, "notices", "list")
        spent = [one for one in json.loads(out) if one["about"] == "BUDGET_SPENT"]
        assert {one["agency"] for one in spent} == {"PARTNER"}
        code, _, said = await terminal.run("DS", *words)
        assert (code, "supervisors" in said) == (1, True)


async def test_one_person_is_not_asked_for_again_and_again(frugal: Asker) -> None:
    async def person(persona: str, **criteria: Any) -> Answer:
        who = [{"identifier": "ZZ9999999"} | criteria]
        return await frugal.ask(
            persona, PEOPLE, {"n": who}, purpose="OIC_INVESTIGATION", reason="R08"
        )

    for family in ("Hodja", "Hoxha"):  # whatever else is named beside the number
        assert (await person("RA", family=family)).status == 200
    assert refusal(await person("RA", family="Hoxhaj"))[1] == "budget.one_target"
    assert (await person("NO")).status == 200  # and a colleague learns nothing of it
    assert (await person("RA", identifier="YY8888888")).status == 200


REPORTS = """query($n: [PersonCriteria!]!) { personSearch(anyOf: $n, first: 5) {
  hits { owner intelligence { urn } } } }"""


async def test_a_hit_by_case_is_charged_when_it_is_told(
    frugal: Asker, population: Population
) -> None:
    """Some conditions make a report a hit: an answer that tells of none costs nothing of it."""
    copy = next(
        copy for report in population.reports
        if report.agency is Agency.ERU and not report.silent
        and report.governance.handling == "C" and report.governance.retention == "CURRENT"
        for subject in report.subjects
        if (copy := population.people[subject].copies[Agency.ERU]).birth.day
        and copy.name.family and not copy.silent and copy.governance.retention == "CURRENT"
    )  # fmt: skip
    born = f"{copy.birth.year:04}-{copy.birth.month:02}-{copy.birth.day:02}"

    async def asked(**who: str) -> Answer:
        return await frugal.ask("NO", REPORTS, {"n": [who]}, purpose="OIC_INVESTIGATION")

    for _ in range(2):
        assert (await asked(family="Nobody", dob="1971-02-03")).status == 200
    told = await asked(family=copy.name.family, dob=born)
    assert "HIT" in {entry["outcome"] for entry in told.said("intelligence")}
    assert refusal(await asked(family="Nobody", dob="1972-02-03"))[1] == "budget.hits"
