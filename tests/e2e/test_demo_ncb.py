"""NCB as a real process over what its writer wrote: its own words, limits and manners."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.agencies.ncb import write_ncb
from tests.e2e.services import client
from tests.e2e.smallworld import guid, small_world

NCB = "deploy.demo.services.ncb"


@pytest.fixture(scope="module")
async def ncb(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    path: Path = tmp_path_factory.mktemp("ncb") / "ncb.json"
    write_ncb(path, small_world())
    async with client(NCB, "--data", str(path)) as http:
        yield http


async def ask(http: httpx.AsyncClient, query: str, **variables: object) -> Any:
    answer = await http.post("/graphql", json={"query": query, "variables": variables})
    assert answer.status_code == 200
    return answer.json()


async def code(http: httpx.AsyncClient, query: str, **variables: object) -> str:
    answer = await ask(http, query, **variables)
    assert answer["data"] is None
    return str(answer["errors"][0]["extensions"]["code"])


async def test_ncb_nominal_in_its_own_words(ncb: httpx.AsyncClient) -> None:
    fields = """edges { node { guid nomenclature { value variant } birth { earliest latest }
        genderIdentity phones { msisdn } posture identifiers { kind value }
        referrals { state } memberships { role groupGuid } reports { urn }
        governance { handling retention } } }"""
    asked = await ask(
        ncb,
        f"query($f: [String!], $g: [String!]) {{ nominals(families: $f, givens: $g, first: 5) "
        f"{{ {fields} }} }}",
        f=["hoxha"],
        g=["ARBEN"],
    )
    (edge,) = asked["data"]["nominals"]["edges"]
    node = edge["node"]
    assert node["nomenclature"] == [{"value": "HOXHA, Arben", "variant": "PRIMARY"}]
    assert node["birth"] == {"earliest": "1990-01-01", "latest": "1991-12-31"}
    assert (node["genderIdentity"], node["posture"]) == ("MAN", "ASK_DESK")
    assert node["phones"] == [{"msisdn": "+447700900123"}]
    assert node["referrals"] == [{"state": "OPEN"}]
    assert node["reports"] == [{"urn": "NCB/26/1"}]
    assert {membership["role"] for membership in node["memberships"]} == {"PILOT"}


async def test_ncb_silent_nominal_carries_the_owners_overt_warning(ncb: httpx.AsyncClient) -> None:
    query = """query($g: [ID!]) { nominals(guids: $g, first: 1) { edges { node {
        posture warnings { kind sanitised } } } } }"""
    edge = (await ask(ncb, query, g=[guid(3)]))["data"]["nominals"]["edges"][0]
    assert edge["node"] == {
        "posture": "SILENT",
        "warnings": [{"kind": "WEAPONS", "sanitised": "May carry a knife."}],
    }


async def test_ncb_births_are_ranges_to_intersect(ncb: httpx.AsyncClient) -> None:
    query = """query($a: Date, $b: Date) { nominals(families: ["HOXHA"], bornFrom: $a, bornTo: $b)
        { totalCount } }"""
    for start, end, count in (
        ("1991-04-01", "1991-04-30", 1),
        ("1991-12-31", None, 1),
        (None, "1990-01-01", 1),
        ("1992-01-01", None, 0),
        (None, "1989-12-31", 0),
    ):
        answer = await ask(ncb, query, a=start, b=end)
        assert answer["data"]["nominals"]["totalCount"] == count


async def test_ncb_looks_up_by_phone_and_document(ncb: httpx.AsyncClient) -> None:
    for criteria in ('msisdns: ["+447700900123"]', 'identifiers: ["BA1234567", "X"]'):
        answer = await ask(ncb, f"{{ nominals({criteria}) {{ edges {{ node {{ guid }} }} }} }}")
        assert answer["data"]["nominals"]["edges"] == [{"node": {"guid": guid(1)}}]


async def test_ncb_pages_of_twenty_five(ncb: httpx.AsyncClient) -> None:
    query = """query($after: String) {
        nominals(families: ["NGUYỄN"], givens: ["Van"], after: $after) {
        edges { node { guid } } pageInfo { hasNextPage endCursor } totalCount } }"""
    seen: list[str] = []
    after, more = None, True
    while more:
        page = (await ask(ncb, query, after=after))["data"]["nominals"]
        assert page["totalCount"] == 61
        seen += [edge["node"]["guid"] for edge in page["edges"]]
        after, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert seen == [guid(number) for number in range(10, 71)]
    assert await code(ncb, "{ nominals(first: 26) { totalCount } }") == "PAGE_LIMIT"
    assert await code(ncb, "{ nominals(first: 0) { totalCount } }") == "PAGE_LIMIT"
    assert await code(ncb, '{ nominals(after: "x") { totalCount } }') == "BAD_CURSOR"


async def test_ncb_groups_not_investigated_graded_low(ncb: httpx.AsyncClient) -> None:
    query = """{ criminalGroups(oic: true, statuses: [DORMANT], threatBands: [BAND_4, BAND_5],
        morileTotalAtLeast: 30, first: 5) { edges { node { hid threatBand status morileTotal
        morile { physical } ownership { agency }
        disruptions { impact pillar contributors } } } } }"""
    (edge,) = (await ask(ncb, query))["data"]["criminalGroups"]["edges"]
    assert edge["node"] == {
        "hid": "CG/00001",
        "threatBand": "BAND_5",
        "status": "DORMANT",
        "morileTotal": 35,
        "morile": {"physical": 5},
        "ownership": [{"agency": "ERU"}],
        "disruptions": [
            {"impact": "SIGNIFICANT", "pillar": "PROTECT", "contributors": ["ERU", "NCB"]}
        ],
    }


async def test_ncb_reports_have_paragraphs_with_handling(ncb: httpx.AsyncClient) -> None:
    query = """{ intelReports(subjectGuids: ["%s"]) { edges { node { urn sanitised
        paragraphs { number handling } msisdns } } } }"""
    (edge,) = (await ask(ncb, query % guid(1)))["data"]["intelReports"]["edges"]
    assert edge["node"]["paragraphs"] == [{"number": 1, "handling": "C"}]
    assert edge["node"]["sanitised"] is None


async def test_ncb_limits_come_with_status_200(ncb: httpx.AsyncClient) -> None:
    deep = "{ nominals { edges { node { memberships { group { disruptions { on } } } } } } }"
    assert await code(ncb, deep) == "DEPTH_LIMIT"
    wide = " ".join(f"a{n}: guid" for n in range(30))
    assert await code(ncb, f"{{ nominals {{ edges {{ node {{ {wide} }} }} }} }}") == (
        "COMPLEXITY_LIMIT"
    )
    fragment = (
        f"query($n: Int) {{ nominals(first: $n) {{ ...E }} }} "
        f"fragment E on NominalConnection {{ edges {{ node {{ {wide} }} }} }}"
    )
    assert await code(ncb, fragment, n=25) == "COMPLEXITY_LIMIT"
    assert (await ask(ncb, fragment, n=10))["data"]["nominals"]["edges"]
    inner = f"nominals {{ edges {{ node {{ {wide} }} }} }}"
    assert (
        await code(ncb, f"{{ x: nominals(first: -900) {{ totalCount }} {inner} }}")
        == "COMPLEXITY_LIMIT"
    )
    many = [guid(n) for n in range(101)]
    long_list = "query($g: [ID!]) { nominals(guids: $g) { totalCount } }"
    assert await code(ncb, long_list, g=many) == "ARGUMENT_LIMIT"
    assert await code(ncb, "{ nonsense }") == "GRAPHQL_INVALID"
    assert await code(ncb, "mutation { nominals { totalCount } }") == "GRAPHQL_INVALID"
    assert await code(ncb, long_list, g={"a": 1}) == "GRAPHQL_INVALID"
    assert await code(ncb, "{") == "GRAPHQL_INVALID"
    answer = await ncb.post("/graphql", content=b"[")
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"
    anonymous = await ncb.post("/graphql", json={}, headers={"authorization": "Bearer x"})
    assert anonymous.status_code == 401
