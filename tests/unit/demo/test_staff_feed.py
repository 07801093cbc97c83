"""The demonstration's staff feed is one that the queue of misuse reads, family and all."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.demo.personas import PERSONAS
from deploy.demo.population import Population, make_population
from deploy.demo.staff import AGENCY, write_staff
from gateway.audit.keys import AuditKeys
from gateway.audit.misuse import _NEEDS
from gateway.audit.staff import What, quarters, staff_of, tokens_of
from gateway.audit.terms import terms_as

ISSUERS = "https://sign-in.example"


@pytest.fixture(scope="module")
def population() -> Population:
    return make_population(600)


def test_the_demonstration_s_feed_is_read_whole_and_knows_each_officer_s_family(
    population: Population, tmp_path: Path
) -> None:
    file = write_staff(population, ISSUERS, tmp_path)
    tokens = tokens_of(AuditKeys(tmp_path / "keys"))
    now = datetime.now(UTC)
    within = quarters(now, now)
    feed = staff_of(tmp_path, AGENCY, tokens, within)
    assert feed is not None
    officers = [one for one in PERSONAS.values() if one.agency == AGENCY]
    assert len(feed.members) == len(officers) > 3
    assert set(_NEEDS) - feed.columns == {"shifts"}  # there is no roster
    known = {who for marks in feed.marks.values() for who, what, relative in marks if relative}
    assert known == set(range(len(officers)))
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))
    for number, (officer, row) in enumerate(zip(officers, rows, strict=True)):
        assert (row["issuer"], row["id"]) == (f"{ISSUERS}/{officer.issuer}", officer.sub)
        plate = row["plates"].split(";")[0]
        ((kind, value),) = terms_as("Vrm", plate)
        held = feed.marks[tokens("term", f"{kind}|{value}", within[0])]
        assert (number, What.PLATE, 0) in held
    assert write_staff(population, ISSUERS, tmp_path) == file  # as often as one starts it
    assert staff_of(tmp_path, "SCP", tokens, within) is None
