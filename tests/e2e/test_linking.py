"""Records are linked by what nobody else bears, wherever else somebody might bear it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from deploy.demo.population import Agency, Copy, Population
from deploy.demo.world.gold import PHONE
from tests.e2e.asking import Answer, Asker

SEARCH = """query ($who: [PersonCriteria!]!, $first: Int, $after: String) {
  personSearch(anyOf: $who, first: $first, after: $after) {
    next hits { owner identifiers { value } match { band reason } } matches { owners reason } } }"""
Bearers = Mapping[Agency, list[Copy]]


async def search(asker: Asker, who: list[dict[str, str]], **more: Any) -> Answer:
    given = {"who": who, "first": 20, **more}
    return await asker.ask("AO", SEARCH, given, purpose="PROTECT_VULNERABLE")


def documents(population: Population) -> Iterator[tuple[str, Bearers]]:
    """Each document that one record of NMC and one of SCP bear, and who bears it where."""
    held: dict[str, dict[Agency, list[Copy]]] = {}
    for agency in (Agency.NMC, Agency.SCP, Agency.BID):
        for _, copy in population.held_by(agency):
            if not (copy.silent or copy.restricted) and copy.governance.retention == "CURRENT":
                for document in copy.documents:
                    held.setdefault(document.number, {}).setdefault(agency, []).append(copy)
    for number, bearers in sorted(held.items()):
        if all(len(bearers.get(agency, ())) == 1 for agency in (Agency.NMC, Agency.SCP)):
            yield number, bearers


@pytest.fixture(scope="module")
def lent(population: Population) -> tuple[str, Bearers]:
    """A passport that NMC and SCP know of one person each, and BID of two."""
    return next(d for d in documents(population) if len(d[1].get(Agency.BID, ())) == 2)


def by_key(bearers: Bearers) -> list[dict[str, str]]:
    """Criteria that find the bearers at NMC and SCP, and that BID cannot apply."""
    found = (bearers[agency][0] for agency in (Agency.NMC, Agency.SCP))
    return [{"identifierKind": "FORCE_NOMINAL", "identifier": copy.key} for copy in found]


def owners(answer: Answer, number: str) -> list[str]:
    """Who told of a record that bears the number."""
    hits = answer.hits()
    return sorted(h["owner"] for h in hits if number in {i["value"] for i in h["identifiers"]})


def linked(answer: Answer) -> str:
    """What is said to link records."""
    found = answer.data["personSearch"]
    return str([found["matches"], *(hit["match"]["reason"] for hit in found["hits"])])


async def test_a_document_that_nobody_else_bears_links_those_whom_bid_could_not_search(
    asker: Asker, population: Population
) -> None:
    number, bearers = next(d for d in documents(population) if len(d[1].get(Agency.BID, ())) == 1)
    answer = await search(asker, by_key(bearers))
    assert answer.state("BID") == "NOT_ASKED"
    assert owners(answer, number) == ["NMC", "SCP"]
    assert "passport" in linked(answer)


async def test_gold_1_is_linked_by_his_pnc_identifier_when_he_is_searched_by_phone(
    asker: Asker, population: Population
) -> None:
    """BID cannot be searched by phone; it knows GOLD-4 by the same passport, and nobody by the
    PNC identifier that NMC and NCB share."""
    copies = population.people[population.gold["GOLD-1"]].copies
    key = {"identifierKind": "FORCE_NOMINAL", "identifier": copies[Agency.NMC].key}
    answer = await search(asker, [{"phone": PHONE}, key])
    assert answer.state("BID") == "NOT_ASKED"
    matches = answer.data["personSearch"]["matches"]
    assert [match["owners"] for match in matches] == [["NCB", "NMC"]]
    assert "passport" not in linked(answer)


async def test_a_document_that_bid_knows_of_two_links_nobody_though_bid_could_not_search(
    asker: Asker, lent: tuple[str, Bearers]
) -> None:
    number, bearers = lent
    answer = await search(asker, by_key(bearers))
    assert answer.state("BID") == "NOT_ASKED"
    assert owners(answer, number) == ["NMC", "SCP"]
    assert "passport" not in linked(answer)


async def test_nor_on_a_later_page_when_bid_has_given_all_it_found(
    asker: Asker, population: Population, lent: tuple[str, Bearers]
) -> None:
    number, bearers = lent
    who = by_key(bearers)
    for agency in (Agency.NMC, Agency.SCP):
        who.append({"identifier": before(population, agency, bearers[agency][0])})
    first = await search(asker, who, first=1)
    assert first.state("BID") == "ANSWERED"
    assert owners(first, number) == []
    later = await search(asker, who, first=1, after=first.data["personSearch"]["next"])
    assert later.state("BID") == "NOT_ASKED"
    assert owners(later, number) == ["NMC", "SCP"]
    assert "passport" not in linked(later)


def before(population: Population, agency: Agency, found: Copy) -> str:
    """A document that one record of the agency bears and none elsewhere, ahead of `found`."""
    bearers: dict[str, list[tuple[Agency, Copy]]] = {}
    for other in Agency:
        for _, copy in population.held_by(other):
            for document in copy.documents:
                bearers.setdefault(document.number, []).append((other, copy))
    alone = [(number, held[0]) for number, held in sorted(bearers.items()) if len(held) == 1]
    return next(
        number
        for number, (owner, copy) in alone
        if owner is agency
        and (len(copy.key), copy.key) < (len(found.key), found.key)
        and not copy.silent
        and copy.governance.retention == "CURRENT"
    )


OCCUPANTS = """query ($at: Postcode!) { locationSearch(by: { postcode: $at }) {
  owner postcode occupants(first: 50) { owner primaryName } } }"""


async def test_a_place_does_not_tell_who_is_in_asylum_accommodation_there(
    asker: Asker, population: Population
) -> None:
    """The address itself is withheld from response officers beneath the person, so beneath the
    place the person is."""
    asylum = [
        (held.address.postcode, agency)
        for agency in (Agency.NMC, Agency.SCP)
        for person, copy in population.held_by(agency)
        for held in person.occupancies
        if held.kind == "ASYLUM_ACCOMMODATION" and copy.governance.retention == "CURRENT"
    ]
    assert asylum
    homes = {
        (held.address.postcode, agency)
        for agency in (Agency.NMC, Agency.SCP)
        for person, _ in population.held_by(agency)
        for held in person.occupancies
        if held.kind != "ASYLUM_ACCOMMODATION"
    }
    told: dict[str, int] = {"AO": 0, "RO": 0}
    for postcode, agency in [one for one in asylum if one not in homes][:4]:
        for persona in told:
            answer = await asker.ask(
                persona, OCCUPANTS, {"at": postcode}, purpose="PROTECT_VULNERABLE"
            )
            places = answer.hits("locationSearch", owner=agency.value)
            assert places
            told[persona] += sum(len(place["occupants"]) for place in places)
    assert told["AO"] > 0
    assert told["RO"] == 0
