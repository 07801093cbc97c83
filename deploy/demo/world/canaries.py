"""Records that stand for all that must not be shown: the gateway itself asks for them, always.

`deploy/catalogue/canaries.toml` lists what of them nobody may see who asks as it does. They are
ordinary rows of the agencies, made without dice, so that no other record depends on them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from deploy.demo.noise import exact
from deploy.demo.world import identifiers
from deploy.demo.world.copies import key_of
from deploy.demo.world.happenings import Image, Paragraph, Population, Report
from deploy.demo.world.people import truth_id
from deploy.demo.world.records import DESKS
from deploy.demo.world.truth import (
    Agency,
    Alert,
    Copy,
    Custody,
    Document,
    Governance,
    Immigration,
    Name,
    Occupancy,
    Person,
    Safeguard,
)

OPEN, SILENT, FACE = 990_001, 990_002, 990_003  # beyond any number of people
CANARIES: Final = frozenset({truth_id(OPEN), truth_id(SILENT), truth_id(FACE)})
_BORN: Final = date(1985, 5, 5)
_PHONE: Final = "+441632999417"  # an area code that was never given to a place
_PASSPORT: Final = Document(kind="PASSPORT", number="ZQ9900417", issuer="GB", genuine=True)
_TEXT: Final = "Canary report text."


def with_canaries(population: Population) -> Population:
    """The same world, and the canaries in it."""
    as_of = population.as_of
    home = Occupancy(address=population.addresses[-1], since=as_of - timedelta(days=900))
    found, hushed, seen = _open(as_of, home), _silent(as_of, home), _seen(as_of, home)
    people = {one.truth_id: one for one in (found, hushed, seen)}
    deleted = _image(found, OPEN, date(2019, 4, 17), "X")  # to be deleted, so never searched
    held = _image(seen, FACE, date(2019, 4, 18), "H")
    return replace(
        population,
        people={**population.people, **people},
        reports=(*population.reports, _report(found, as_of)),
        images=(*population.images, deleted, held),
    )


def _governance(as_of: date) -> Governance:
    recorded = datetime.combine(as_of - timedelta(days=50), time(9), UTC)
    return Governance(review_on=as_of + timedelta(days=3000), recorded_at=recorded)


def _copy(agency: Agency, number: int, name: Name, as_of: date, *, silent: bool = False) -> Copy:
    return Copy(
        agency=agency,
        key=key_of(agency, number),
        name=name,
        birth=exact(_BORN),
        sex="FEMALE",
        phones=() if silent else (_PHONE,),
        documents=() if silent else (_PASSPORT,),
        silent=silent,
        governance=_governance(as_of),
    )


def _person(number: int, family: str, home: Occupancy) -> Person:
    """Whom nobody holds yet."""
    return Person(
        truth_id=truth_id(number),
        culture="BRITISH",
        name=Name(given="Canary", family=family),
        born=_BORN,
        sex="FEMALE",
        nationality="GB",
        birth_place="Northmarch",
        occupancies=(home,),
    )


def _open(as_of: date, home: Occupancy) -> Person:
    """Held by five, found by name; masked and withheld in part by each."""
    made = _person(OPEN, "Canarycheck", home)
    holders = (Agency.NMC, Agency.SCP, Agency.BID, Agency.ERU, Agency.NCB)
    return replace(
        made,
        documents=(_PASSPORT,),
        phones=(_PHONE,),
        nino=identifiers.nino(OPEN),
        alerts=(
            Alert(
                kind="LOCATE",
                power="canary covert enquiry",
                owner=Agency.NCB,
                contact=DESKS[Agency.NCB],
                discreet=True,
                added=as_of - timedelta(days=30),
            ),
        ),
        custody=(_custody("NMC/CU/20/99001", as_of, "NO_FURTHER_ACTION"),),
        safeguards=(Safeguard(kind="DOMESTIC_ABUSE", state="RECORDED", owner=Agency.SCP),),
        immigration=Immigration(
            status="LEAVE", since=as_of - timedelta(days=900), case_state="canary case state"
        ),
        copies={holder: _copy(holder, OPEN, made.name, as_of) for holder in holders},
    )


def _custody(ref: str, as_of: date, disposal: str) -> Custody:
    return Custody(
        ref=ref,
        agency=Agency.NMC,
        arrest_offence="None: a canary record",
        arrived=datetime.combine(as_of - timedelta(days=2000), time(9), UTC),
        released=datetime.combine(as_of - timedelta(days=2000), time(10), UTC),
        disposal=disposal,
    )


def _seen(as_of: date, home: Occupancy) -> Person:
    """Held by one force alone, so linked to nobody: that an image is held is all that is told."""
    made = _person(FACE, "Canaryface", home)
    return replace(
        made,
        custody=(_custody("NMC/CU/20/99003", as_of, "CHARGED"),),
        copies={Agency.NMC: _copy(Agency.NMC, FACE, made.name, as_of)},
    )


def _silent(as_of: date, home: Occupancy) -> Person:
    """Held by the national bureau alone, and silent there."""
    made = _person(SILENT, "Canaryhush", home)
    copy = _copy(Agency.NCB, SILENT, made.name, as_of, silent=True)
    return replace(made, copies={Agency.NCB: copy})


def _report(about: Person, as_of: date) -> Report:
    return Report(
        urn="ERU/I/99/99001",
        agency=Agency.ERU,
        at=datetime.combine(as_of - timedelta(days=50), time(9), UTC),
        title="Canary report",
        text=_TEXT,
        sanitised=_TEXT,
        paragraphs=(Paragraph(text=_TEXT, handling="P", source_grade=1, info_grade="A"),),
        silent=False,
        subjects=(about.truth_id,),
        governance=_governance(as_of),
    )


def _image(about: Person, number: int, taken_on: date, retention: str) -> Image:
    return Image(
        image_id=f"00000000-0000-4000-8000-{number:012}",
        person=about.truth_id,
        subject=f"NMC:{about.copies[Agency.NMC].key}",
        force=Agency.NMC,
        taken_on=taken_on,
        pose=0,
        quality=0.9,
        retention=retention,
        cohort="A",
    )
