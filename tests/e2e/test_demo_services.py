"""BID as a real process over what its writer wrote, and what all the services have in common."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.demo.agencies.bid import write_bid
from deploy.demo.services.oauth import DEFAULT_CLIENT, DEFAULT_SECRET
from deploy.demo.services.process import running
from tests.e2e.services import client, get
from tests.e2e.smallworld import NOW, small_world

BID = "deploy.demo.services.bid"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("services")
    write_bid(directory / "bid.json", small_world())
    return directory


@pytest.fixture(scope="module")
async def bid(data: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client(BID, "--data", str(data / "bid.json"), "--no-rate") as http:
        yield http


async def status(http: httpx.AsyncClient, path: str, **params: str | int) -> tuple[int, str]:
    answer = await http.get(path, params=params)
    return answer.status_code, answer.json().get("code", "")


# --- all three: tokens, ends --------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v2/persons?personRef=BP1", "/v2/encounters?from=0&to=1"])
async def test_bid_answers_nobody_without_a_token(bid: httpx.AsyncClient, path: str) -> None:
    for value in ("", "Bearer x", "Basic x"):
        assert (await bid.get(path, headers={"authorization": value})).status_code == 401


async def test_scopes_bind_and_no_writing_scope_exists(data: Path) -> None:
    file = str(data / "bid.json")
    async with client(BID, "--data", file, scope="persons.read") as http:
        assert (await http.get("/v2/persons", params={"docNo": "X"})).status_code == 200
        assert (await http.get("/v2/encounters?from=0&to=1")).status_code == 403
        for scope in ("persons.write", "persons.read encounters.write"):
            form = {"grant_type": "client_credentials", "scope": scope}
            refused = await http.post("/oauth/token", data=form, auth=(DEFAULT_CLIENT, "demo-only"))
            assert refused.json() == {"error": "invalid_scope"}
        form = {"grant_type": "client_credentials"}
        for pair in ((DEFAULT_CLIENT, "wrong"), ("other", DEFAULT_SECRET), (DEFAULT_CLIENT, "")):
            assert (await http.post("/oauth/token", data=form, auth=pair)).status_code == 401
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            assert (await http.request(method, "/v2/persons")).status_code == 405


async def test_services_end_with_their_parent(data: Path) -> None:
    code = (
        "import subprocess, sys, os\n"
        f"args = [sys.executable, '-m', {BID!r}, '--data', {str(data / 'bid.json')!r}]\n"
        "child = subprocess.Popen([*args, '--parent-pid', str(os.getpid())])\n"
        "print(child.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(  # noqa: S603, ASYNC220 - a fixed command; starting takes no time
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdin is not None
    child = int(await asyncio.to_thread(parent.stdout.readline))
    assert "ready" in await asyncio.to_thread(parent.stdout.readline)
    parent.send_signal(signal.SIGKILL)
    await asyncio.to_thread(parent.wait)
    async with asyncio.timeout(5):
        while _alive(child):  # noqa: ASYNC110 - a process that is not ours signals nothing
            await asyncio.sleep(0.1)
    parent.stdin.close()
    parent.stdout.close()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]


async def test_a_taken_port_is_a_clear_error(data: Path, bid: httpx.AsyncClient) -> None:
    port = str(bid.base_url.port)
    with pytest.raises(RuntimeError, match="ended"):
        async with running(BID, "--data", str(data / "bid.json"), "--port", port):
            pass


# --- BID ----------------------------------------------------------------------------------------


async def test_bid_person_has_its_formats(bid: httpx.AsyncClient) -> None:
    found = await get(bid, "/v2/persons", personRef="BP000000001")
    (person,) = found["items"]
    assert person["biographic"] == {
        "names": [
            {"type": "CLM", "family": "Hoxhaj", "given": "Arbin", "nativeScript": "Arbin Hoxhaj"},
            {"type": "DOC", "family": "Hoxha", "given": "Arben", "nativeScript": None},
        ],
        "dateOfBirth": {"y": 1991, "m": 1, "d": 1},
        "gender": "MALE",
        "placeOfBirth": {"town": "Nowhere", "country": "ALB"},
    }
    assert person["nationality"] == ["ALB"]
    assert person["status"]["code"] == 310
    assert person["phones"] == [{"msisdn": "447700900123"}]
    assert person["documents"][0]["number"] == "BA1234567"
    assert person["needs"] == ["NRM"]
    assert person["retention"] == "RET"
    assert "restricted" not in person
    assert found["next"] is None


async def test_bid_search_takes_two_criteria_and_is_not_fuzzy(bid: httpx.AsyncClient) -> None:
    async def refs(**params: str) -> list[str]:
        return [p["personRef"] for p in (await get(bid, "/v2/persons", **params))["items"]]

    assert await refs(familyName="hoxhaj", givenName="ARBIN") == ["BP000000001"]
    assert await refs(familyName="Hoxha", givenName="Arbin") == []  # not in one name
    assert await refs(familyName="Hodja", givenName="Arben") == []
    for dob in ("1991", "1991-01", "1991-01-01"):
        assert await refs(familyName="Hoxha", dob=dob) == ["BP000000001"]
    for dob in ("1990", "1991-04", "1991-01-02"):
        assert await refs(familyName="Hoxha", dob=dob) == []
    assert await refs(givenName="Van Minh", dob="1990-01") == []  # only the year is known


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"familyName": "Hoxha"},
        {"dob": "1991"},
        {"familyName": "Hoxha", "dob": "01/01/1991"},
        {"docNo": "BA1234567", "familyName": "Hoxha"},
        {"personRef": "BP000000001", "docNo": "BA1234567"},
        {"personRef": ""},
        {"personRef": ",".join(f"BP{n:09d}" for n in range(21))},
        {"docNo": "BA1234567", "limit": 51},
        {"docNo": "BA1234567", "limit": 0},
        {"docNo": "BA1234567", "cursor": "x"},
        {"docNo": "BA1234567", "fields": "secret"},
        {"docNo": "BA1234567", "fields": "restricted"},
        {"docNo": "BA1234567", "fields": ""},
        {"docNo": "BA1234567", "q": "1"},
    ],
)
async def test_bid_refuses_what_it_does_not_offer(
    bid: httpx.AsyncClient, params: dict[str, str | int]
) -> None:
    code, name = await status(bid, "/v2/persons", **params)
    assert code == 400
    assert name.startswith("E40")


async def test_bid_restricted_persons(bid: httpx.AsyncClient) -> None:
    for path in ("/v2/persons", "/v2/encounters"):
        answer = await bid.get(path, params={"personRef": "BP000000002"})
        assert (answer.status_code, answer.json()) == (403, {"code": "E4007"})
    assert await status(bid, "/v2/persons", personRef="BP999999999") == (404, "E4004")
    both = await get(bid, "/v2/persons", personRef="BP000000001,BP000000002,BP999999999")
    assert [person["personRef"] for person in both["items"]] == ["BP000000001"]
    same_passport = await get(bid, "/v2/persons", docNo="BA1234567")
    assert [person["personRef"] for person in same_passport["items"]] == ["BP000000001"]
    start = int(NOW.timestamp() * 1000)
    met = await get(bid, "/v2/encounters", **{"from": start, "to": start + 86_400_000})
    assert {item["personRef"] for item in met["items"]} == {"BP000000001"}


async def test_bid_gives_the_named_fields_only(bid: httpx.AsyncClient) -> None:
    for fields in ("biographic.names.family,status.code", "biographic.names[].family,status.code"):
        found = await get(bid, "/v2/persons", personRef="BP000000001", fields=fields)
        assert found["items"] == [
            {
                "biographic": {"names": [{"family": "Hoxhaj"}, {"family": "Hoxha"}]},
                "status": {"code": 310},
            }
        ]


async def test_bid_pages_by_cursor(bid: httpx.AsyncClient) -> None:
    asked = {"familyName": "nguyễn", "dob": "1990", "fields": "personRef"}
    first = await get(bid, "/v2/persons", **asked)
    second = await get(bid, "/v2/persons", **asked, cursor=first["next"])
    refs = [person["personRef"] for page in (first, second) for person in page["items"]]
    assert (len(first["items"]), second["next"]) == (50, None)
    assert refs == [f"BP{number:09d}" for number in range(10, 71)]


async def test_bid_encounters_tell_what_was_not_done(bid: httpx.AsyncClient) -> None:
    start = int(NOW.timestamp() * 1000)
    hour = 3_600_000
    window = {"from": start, "to": start + 3 * hour}
    found = (await get(bid, "/v2/encounters", **window, site="gull sands"))["items"]
    assert [(e["debrief"], e["phoneTaken"], e["imageTaken"]) for e in found] == [
        (0, False, False),
        (2, True, True),
    ]
    assert found[0]["at"] == start + hour
    assert (found[0]["method"], found[0]["site"]["postcode"]) == ("SB", "TN28 8AA")
    half_open = {"from": start + hour, "to": start + 2 * hour}
    assert len((await get(bid, "/v2/encounters", **half_open))["items"]) == 1
    assert (await get(bid, "/v2/encounters", **window, site="elsewhere"))["items"] == []
    of_person = await get(bid, "/v2/encounters", personRef="BP000000001", fields="encounterRef")
    assert len(of_person["items"]) == 2
    for wrong in ({"from": 1}, {"from": "a", "to": 2}, {"site": "Gull Sands"}, {}):
        assert (await status(bid, "/v2/encounters", **wrong))[0] == 400


async def test_bid_holds_to_its_rate(data: Path) -> None:
    async with client(BID, "--data", str(data / "bid.json")) as http:
        asked = {"docNo": "BA1234567"}
        answers = [await http.get("/v2/persons", params=asked) for _ in range(12)]
        codes = [answer.status_code for answer in answers]
        assert codes == [200] * 10 + [429] * 2
        assert answers[-1].headers["retry-after"] == "1"
        assert answers[-1].json()["code"] == "E4290"
        await asyncio.sleep(1.05)
        assert (await http.get("/v2/persons", params=asked)).status_code == 200
