"""Q2 of the design, cell by cell, with the licensing register as the seventh agency."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.population import Population
from gateway.casework.model import Told
from gateway.cli.common import ROOT
from gateway.cli.demo import running_demo
from tests.e2e.asking import Answer, Asker

Q2 = """query Stop($v: Vrm!) { vehicle(vrm: $v) {
  owner make colour stolen falsePlateSuspected insured
  markers { kind } keeper { primaryName addresses { location { postcode } } }
  sightings(last: "P1D") { when camera } } }"""
SEEN = """query Seen($v: Vrm!) { vehicle(vrm: $v) { owner
  sightings(last: "P5D") { when camera point { lat lon } } } }"""


@pytest.fixture(scope="module")
async def seven(
    state: Path, population: Population, opa_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Asker]:
    """The two forces and the register; its two files dropped in beside the six agencies'."""
    made = tmp_path_factory.mktemp("seven")
    catalogue, policies = made / "catalogue", made / "policies"
    (catalogue / "sources").mkdir(parents=True)
    shutil.copy(ROOT / "deploy/catalogue/entities.toml", catalogue)
    shutil.copytree(ROOT / "policies", policies)
    for source in ("nmc", "scp"):
        shutil.copy(ROOT / f"deploy/catalogue/sources/{source}.toml", catalogue / "sources")
    shutil.copy(ROOT / "docs/onboarding/vlr.toml", catalogue / "sources")
    (policies / "agencies/vlr").mkdir(exist_ok=True)
    shutil.copy(ROOT / "docs/onboarding/vlr.rego", policies / "agencies/vlr")
    async with (
        running_demo(
            state / "seven",
            population,
            opa_program,
            agencies=("nmc", "scp", "vlr"),
            catalogue=catalogue,
            policies=policies,
        ) as demo,
        httpx.AsyncClient(trust_env=False, timeout=30) as client,
    ):
        yield Asker(demo=demo, client=client)


async def q2(seven: Asker, persona: str, purpose: str, reason: str = "R02") -> Answer:
    return await seven.ask(persona, Q2, {"v": "SN68 BTX"}, purpose=purpose, reason=reason)


def keeper(answer: Answer) -> dict[str, Any] | None:
    (register,) = answer.hits("vehicle", owner="VLR")
    held: dict[str, Any] | None = register["keeper"]
    return held


def markers(answer: Answer) -> set[str]:
    return {m["kind"] for row in answer.hits("vehicle") for m in row["markers"]}


async def told(seven: Asker, answer: Answer) -> dict[str, list[tuple[str, str]]]:
    """The agencies whose desks were told of a silent match in it: the source and kind of each."""
    started = seven.demo.started
    await started.tripwires.settled()
    of, found = answer.body["extensions"]["receipt"]["queryId"], dict[str, list[tuple[str, str]]]()
    for agency in ("NMC", "SCP", "NCB", "ERU", "BID"):
        for notice in await started.office.store.notices_of(agency, 10_000):
            if notice.about is Told.SILENT_MATCH and notice.subject == of:
                opened = started.gate.refs.open(agency, notice.record or "")
                assert opened is not None
                found.setdefault(agency, []).append(opened[:2])
    return found


async def test_q2_response_officer(seven: Asker) -> None:
    answer = await q2(seven, "RO", "OFFICER_SAFETY")
    (nmc,) = answer.hits("vehicle", owner="NMC")
    assert (nmc["make"], nmc["stolen"], nmc["falsePlateSuspected"]) == ("MERCEDES", False, False)
    assert markers(answer) == {"DRUGS"}  # the discreet one is silent
    assert not answer.said("markers")
    assert await told(seven, answer) == {
        "NCB": [("nmc", "Vehicle")]
    }  # who placed it, not who holds
    held = keeper(answer)
    assert held is not None
    assert "WHITLOCK" in held["primaryName"].upper()
    assert [a["location"]["postcode"] for a in held["addresses"]] == ["NM1"]
    assert [e["mask"] for e in answer.said("postcode", agency="VLR")] == ["FIRST_OUT"]
    assert all(row["sightings"] == [] for row in answer.hits("vehicle"))
    assert answer.outcomes("sightings", agency="NMC") == {"WITHHELD"}
    assert answer.hits("vehicle", owner="VLR")[0]["insured"] in {True, False}


async def test_q2_immigration_enforcement(seven: Asker) -> None:
    border = await q2(seven, "IE", "BORDER_SECURITY")
    held = keeper(border)
    assert held is not None
    assert "WHITLOCK" in held["primaryName"].upper()
    assert border.outcomes("sightings", agency="NMC") == {"WITHHELD"}
    assert markers(border) == {"DRUGS"}
    assert await told(seven, border) == {"NCB": [("nmc", "Vehicle")]}
    control = await q2(seven, "IE", "IMMIGRATION_CONTROL")
    assert keeper(control) is None
    assert control.outcomes("keeper", agency="VLR") == {"WITHHELD"}
    assert control.outcomes("sightings", agency="NMC") == {"WITHHELD"}


async def test_q2_analyst(seven: Asker) -> None:
    answer = await q2(seven, "RA", "PREVENT_DETECT_CRIME", "R06")
    held = keeper(answer)
    assert held is not None
    assert [a["location"]["postcode"] for a in held["addresses"]] == ["NM1 6WA"]
    (nmc,) = answer.hits("vehicle", owner="NMC")
    assert len(nmc["sightings"]) == 3
    assert all(sighting["camera"] for sighting in nmc["sightings"])
    assert markers(answer) == {"DRUGS"}
    assert await told(seven, answer) == {"NCB": [("nmc", "Vehicle")]}


async def test_q2_analyst_sees_older_sightings_coarsely(seven: Asker) -> None:
    answer = await seven.ask(
        "RA", SEEN, {"v": "SN68BTX"}, purpose="PREVENT_DETECT_CRIME", reason="R06"
    )
    (nmc,) = answer.hits("vehicle", owner="NMC")
    ordered = sorted(nmc["sightings"], key=lambda s: str(s["when"]), reverse=True)
    assert [bool(s["camera"]) for s in ordered] == [True, True, True, False, False]
    masked = answer.said("sightings.camera") + answer.said("sightings.point.lat")
    assert {e["mask"] for e in masked if e["outcome"] == "MASKED"} == {"GRID_1KM"}
    # The camera's name is null; the square that it stands in is told as its point is.
    told = {e["path"].split(".")[-2]: e["shows"] for e in answer.said("sightings.camera")}
    for at, sighting in enumerate(nmc["sightings"]):
        if sighting["camera"] is None:
            point = sighting["point"]
            assert told[str(at)] == f"{point['lat']}, {point['lon']}"
    bureau = await seven.ask("NO", SEEN, {"v": "SN68BTX"}, purpose="OIC_INVESTIGATION")
    exact = {s["when"]: s["point"] for s in bureau.hits("vehicle", owner="NMC")[0]["sightings"]}
    for sighting in ordered[3:]:
        assert sighting["point"] != exact[sighting["when"]]
        assert abs(sighting["point"]["lat"] - exact[sighting["when"]]["lat"]) < 0.01


async def test_q2_bureau_officer(seven: Asker) -> None:
    answer = await q2(seven, "NO", "OFFICER_SAFETY")
    assert keeper(answer) is not None
    (nmc,) = answer.hits("vehicle", owner="NMC")
    assert len(nmc["sightings"]) == 3
    # The discreet marker was placed for the bureau: they see it, and nobody is told of them.
    assert markers(answer) == {"DRUGS", "WEAPONS"}
    assert await told(seven, answer) == {}
