"""Non-interference: two worlds that differ only in what a caller may not see answer alike.

The same request of the same person goes to two gateways with the same keys, one over the whole
world, one over the world without what that person may not see; status, headers, the body's bytes
but for the receipt, order, counts and the sources' states must be equal. How long a source took is
told in two coarse bands of real time, which are left out of the comparison.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.demo.population import Agency, Copy, Population
from deploy.demo.story import DOCUMENTS, WHO
from deploy.demo.world.vehicles import GOLD_VRM
from gateway.cli.demo import Demo
from tests.e2e.asking import APPS, REASON
from tests.e2e.owngateway import served
from tests.e2e.test_cells import GOLD_6, Q3
from tests.e2e.worlds.making import Copying, Sight, reachable, server_of
from tests.e2e.worlds.session import patient
from tests.opa import changed, opa

SIGHTS = {
    sight.name: sight
    for sight in (
        Sight(name="outsider"),
        Sight(name="border", discreet_at_bid=True),
        Sight(name="control", discreet_at_bid=True, immigration_control=True),
        Sight(name="bureau", covert_at_ncb=True, national_insurance=True),
    )
}
STOP, ARRIVAL, VEHICLE = (
    (DOCUMENTS / f"{name}.graphql").read_text("utf-8")
    for name in ("street_stop", "arrival", "vehicle_stop")
)
# who asks, what for, and what of the world they may see
ASKING = [
    ("RO", "OFFICER_SAFETY", "outsider"),
    ("RO", "PROTECT_VULNERABLE", "outsider"),
    ("AO", "PROTECT_VULNERABLE", "outsider"),
    ("AO", "OFFICER_SAFETY", "outsider"),
    ("RA", "OIC_INVESTIGATION", "outsider"),
    ("RA", "PREVENT_DETECT_CRIME", "outsider"),
    ("RA", "OFFICER_SAFETY", "outsider"),  # a purpose that she does not hold
    ("IE", "OFFICER_SAFETY", "border"),
    ("IE", "BORDER_SECURITY", "border"),
    ("IE", "IMMIGRATION_CONTROL", "control"),
    ("NO", "OFFICER_SAFETY", "bureau"),
    ("NO", "OIC_INVESTIGATION", "bureau"),
    ("NO", "PROTECT_VULNERABLE", "bureau"),
]
NOT_COMPARED = {"date", "content-length"}  # the receipt's numbers have no fixed length


@dataclass(slots=True, kw_only=True)
class Worlds:
    """The whole world and the poorer ones, each behind a gateway of its own."""

    urls: Mapping[str, str]
    copying: Copying
    client: httpx.AsyncClient
    token: Callable[[str], str]

    async def ask(
        self, world: str, persona: str, purpose: str, document: str, variables: Mapping[str, Any]
    ) -> httpx.Response:
        token = await asyncio.to_thread(self.token, persona)
        why = {"purpose": purpose, "reasonCode": "R06", **REASON}
        return await self.client.post(
            f"{self.urls[world]}/graphql",
            json={
                "query": document,
                "variables": variables,
                "extensions": {"justification": why},
            },
            headers={"Authorization": f"Bearer {token}"},
        )


@pytest.fixture(scope="module")
async def worlds(
    demo: Demo, population: Population, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Worlds]:
    home = tmp_path_factory.mktemp("worlds")
    assert reachable(demo.stack.secrets), "the tests require MariaDB"
    copying = Copying(
        stack=demo.stack,
        population=population,
        postgresql=server_of(demo.stack.home),
        home=home,
    )
    await asyncio.to_thread(copying.copy_postgresql)
    catalogue = await asyncio.to_thread(
        patient, demo.started.settings.catalogue_dir, home / "catalogue"
    )
    async with AsyncExitStack() as stack:
        urls: dict[str, str] = {}
        for name, sight in {"all": None, **SIGHTS}.items():
            databases = await asyncio.to_thread(copying.write, sight)
            services = await stack.enter_async_context(copying.serving(name))
            own = await stack.enter_async_context(
                served(
                    demo,
                    home / name,
                    secrets={**databases, **services},
                    same_keys=True,
                    catalogue=catalogue,
                    policy_timeout_s=5.0,  # answers are compared here, not how fast they come
                )
            )
            urls[name] = own.url
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        tokens: dict[str, str] = {}

        def token(persona: str) -> str:
            if persona not in tokens:
                tokens[persona] = demo.token(persona, APPS.get(persona))
            return tokens[persona]

        made = Worlds(urls=urls, copying=copying, client=client, token=token)
        for world in urls:  # connections are made, and what the databases look like is known
            reply = await made.ask(world, "NO", "OFFICER_SAFETY", STOP, {"who": WHO})
            assert reply.status_code == 200
        yield made


def year_of(copy: Copy) -> int | None:
    return copy.birth.earliest.year if copy.birth.earliest else copy.birth.year


def hidden_people(population: Population) -> list[dict[str, Any]]:
    """Criteria that find, or would find, some of those whom an agency keeps from everybody."""
    found: list[dict[str, Any]] = []
    for agency in (Agency.NMC, Agency.SCP, Agency.BID, Agency.ERU, Agency.NCB):
        hidden = [
            copy
            for _, copy in population.held_by(agency)
            if year_of(copy)
            and copy.name.family
            and (
                copy.restricted
                or copy.silent
                or copy.governance.retention in ("DISPOSE", "RESTRICTED")
            )
        ]
        assert hidden, agency
        found += [{"family": c.name.family, "dob": str(year_of(c))} for c in hidden[:2]]
    return found


def questions(population: Population) -> list[tuple[str, Mapping[str, Any]]]:
    discreet = [
        vehicle.vrm
        for vehicle in population.vehicles
        if any(marker.discreet for marker in vehicle.markers)
    ]
    assert discreet
    others = [*GOLD_6, {"family": "Albu", "dob": "1983-03-09"}, *hidden_people(population)]
    asked: list[tuple[str, Mapping[str, Any]]] = [
        (STOP, {"who": WHO}),
        (STOP, {"who": others}),
        (ARRIVAL, {"who": WHO}),
        (Q3, {"n": others}),  # the arrival too, but for what the stop asks of them already
    ]
    plates = dict.fromkeys((GOLD_VRM, *discreet[:2]))
    return asked + [(VEHICLE, {"vrm": vrm}) for vrm in plates]


def seen(reply: httpx.Response) -> tuple[int, list[tuple[str, str]], str]:
    """Status, headers, and the body's text without the receipt, the query's id and the bands."""
    headers = [(k, v) for k, v in reply.headers.multi_items() if k not in NOT_COMPARED]
    body = json.loads(reply.text)
    # Nothing else is lost by reading and writing again: the body is spelt in one way only.
    again = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    assert again == reply.text
    body["extensions"].pop("receipt")
    conditions = body.get("extensions", {}).get("conditions", {})
    if "watermark" in conditions:
        conditions["watermark"] = "told"  # it holds the query's id and the moment
    conditions.pop("showUntil", None)
    for source in body["extensions"].get("sources", ()):
        del source["band"]
    for error in body.get("errors", ()):
        error["extensions"].pop("queryId", None)
    return reply.status_code, headers, json.dumps(body, ensure_ascii=False, indent=1)


@pytest.mark.parametrize(("persona", "purpose", "sight"), ASKING)
async def test_nobody_can_tell_the_two_worlds_apart(
    worlds: Worlds, population: Population, persona: str, purpose: str, sight: str
) -> None:
    shown = 0
    for document, variables in questions(population):
        whole = await worlds.ask("all", persona, purpose, document, variables)
        poorer = await worlds.ask(sight, persona, purpose, document, variables)
        assert seen(poorer) == seen(whole)
        shown += whole.text.count('"owner":')
    assert (shown > 0) is (whole.status_code == 200)


async def test_the_worlds_differ_in_every_way_they_should(worlds: Worlds) -> None:
    """Equal answers mean something only because something was taken away, of every kind."""
    removed = worlds.copying.removed
    for name in SIGHTS:
        for what in (
            "nmc nominal", "nmc nom_alert", "nis image", "scp tblPerson",
            "scp alert", "eru entity", "eru intel", "eru link", "bid person", "bid encounter",
            "ncb nominals",
        ):  # fmt: skip
            assert removed[name].get(what), (name, what)
    for what in ("scp victim", "scp intel", "ncb victim", "nmc crime_person", "eru ocg_member",
                 "nmc phone", "nmc address", "scp phone", "scp address"):  # fmt: skip
        assert removed["control"].get(what), what
    for what in ("ncb nominals", "ncb intelReports", "ncb alert", "nmc vehicle_marker"):
        assert removed["outsider"].get(what), what


PHONE = """query Phone($phone: String!) { contactLookup(kind: PHONE, value: $phone) {
  owner value firstSeen holders { owner primaryName } } }"""
PLACE = """query Place($postcode: Postcode!) { locationSearch(by: { postcode: $postcode }) {
  owner town postcode occupants { owner primaryName } } }"""


def victims_alone(population: Population, agency: Agency) -> tuple[list[str], list[str]]:
    """Phones and postcodes that a force knows through victims and witnesses, and nobody else."""
    victims = {
        truth
        for incident in population.incidents
        if incident.agency is agency
        for truth, role in incident.participants
        if role in {"VICTIM", "WITNESS"}
    }
    theirs: tuple[set[str], set[str]] = (set(), set())
    others: tuple[set[str], set[str]] = (set(), set())
    for force in (Agency.NMC, Agency.SCP):
        for person, copy in population.held_by(force):
            if copy.governance.retention not in {"CURRENT", "REVIEW_DUE"}:
                continue  # what is known through them is nobody's any more
            found = theirs if force is agency and person.truth_id in victims else others
            found[0].update(copy.phones)
            found[1].update(held.address.postcode for held in person.occupancies)
    phones, postcodes = (sorted(a - b) for a, b in zip(theirs, others, strict=True))
    return phones, postcodes


@pytest.mark.parametrize("force", [Agency.NMC, Agency.SCP])
async def test_what_is_known_through_victims_alone_is_like_nothing(
    worlds: Worlds, population: Population, force: Agency
) -> None:
    phones, postcodes = victims_alone(population, force)
    assert phones
    assert postcodes
    asked = [(PHONE, {"phone": phone}) for phone in phones[:3]]
    asked += [(PLACE, {"postcode": postcode}) for postcode in postcodes[:3]]
    for document, variables in asked:
        root = "contactLookup" if document is PHONE else "locationSearch"
        told = await worlds.ask("all", "AO", "PROTECT_VULNERABLE", document, variables)
        assert str(force) in {row["owner"] for row in told.json()["data"][root]}
        whole, poorer = [
            await worlds.ask(world, "IE", "IMMIGRATION_CONTROL", document, variables)
            for world in ("all", "control")
        ]
        assert whole.status_code == 403  # phones are withheld, and a place is found by its district
        assert seen(poorer) == seen(whole)
        assert f'"owner":"{force}"' not in whole.text
    for postcode in postcodes[:3]:
        district = {"postcode": postcode.split()[0]}
        whole, poorer = [
            await worlds.ask(world, "IE", "IMMIGRATION_CONTROL", PLACE, district)
            for world in ("all", "control")
        ]
        assert whole.status_code == 200
        assert seen(poorer) == seen(whole)


async def test_a_victims_phone_is_like_nobodys_even_where_phones_are_shown(
    demo: Demo, population: Population, tmp_path: Path
) -> None:
    """The deployed matrix withholds phones from border officers; the firewall must not need it."""

    def phones_shown(matrix: dict[str, Any]) -> None:
        matrix["Contact"]["immigration_enforcement"] = {"*": "clear"}

    policies = changed(tmp_path / "policies", matrix=phones_shown)
    why = {**REASON, "reasonCode": "R06"}
    token = await asyncio.to_thread(demo.token, "IE")
    with opa(policies) as port:
        url = f"http://127.0.0.1:{port}"
        async with (
            served(demo, tmp_path, secrets={}, opa_url=url, policy_timeout_s=5.0) as own,
            httpx.AsyncClient(trust_env=False, timeout=30) as client,
        ):

            async def ask(purpose: str, phone: str) -> httpx.Response:
                return await client.post(
                    f"{own.url}/graphql",
                    json={
                        "query": PHONE,
                        "variables": {"phone": phone},
                        "extensions": {"justification": {"purpose": purpose, **why}},
                    },
                    headers={"Authorization": f"Bearer {token}"},
                )

            nobodys = await ask("IMMIGRATION_CONTROL", "+447700900999")
            assert nobodys.json()["data"]["contactLookup"] == []
            for force in (Agency.NMC, Agency.SCP):
                phone = victims_alone(population, force)[0][0]
                told = await ask("BORDER_SECURITY", phone)
                assert str(force) in {row["owner"] for row in told.json()["data"]["contactLookup"]}
                silent = await ask("IMMIGRATION_CONTROL", phone)
                owners = {row["owner"] for row in silent.json()["data"]["contactLookup"]}
                assert str(force) not in owners
                assert owners or seen(silent) == seen(nobodys)


@pytest.mark.parametrize(
    ("persona", "purpose", "sight"),
    [("NO", "OFFICER_SAFETY", "outsider"), ("RO", "OFFICER_SAFETY", "control")],
)
async def test_who_may_see_more_can_tell(
    worlds: Worlds, persona: str, purpose: str, sight: str
) -> None:
    """The comparison notices a difference where there is one that the caller may see."""
    whole = await worlds.ask("all", persona, purpose, STOP, {"who": WHO})
    poorer = await worlds.ask(sight, persona, purpose, STOP, {"who": WHO})
    assert whole.status_code == poorer.status_code == 200
    assert seen(poorer) != seen(whole)
