"""A population of sixty-odd, small enough to say by heart what each service holds of it."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta

from deploy.demo.population import (
    Agency,
    Birth,
    Copy,
    Disruption,
    Document,
    Encounter,
    Governance,
    Group,
    Image,
    Immigration,
    Membership,
    Name,
    Paragraph,
    Person,
    Population,
    Referral,
    Report,
    Site,
    Warning,
)

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HEADER = Governance(recorded_at=NOW)
PASSPORT = Document(kind="PASSPORT", number="BA1234567", issuer="AL")
BEACH = Site(name="Gull Sands", kind="BEACH", postcode="TN28 8AA", lat=50.9, lon=0.98)
ARBEN, HIDDEN, QUIET = "T-000001", "T-000002", "T-000003"


def guid(number: int) -> str:
    return str(uuid.UUID(int=number))


def image(number: int, person: str, retention: str = "H", cohort: str = "A") -> Image:
    return Image(
        image_id=guid(1000 + number),
        person=person,
        subject=f"NMC:{person}",
        force=Agency.NMC,
        taken_on=date(2025, 1, 1),
        pose=0,
        quality=0.9,
        retention=retention,
        cohort=cohort,
    )


def _copy(agency: Agency, key: str, name: Name, **more: object) -> Copy:
    given: dict[str, object] = {"birth": Birth(year=1990), "sex": "MALE", "governance": HEADER}
    return Copy(agency=agency, key=key, name=name, **(given | more))  # type: ignore[arg-type]  # a table


def _person(number: int, name: Name, *copies: Copy, **more: object) -> Person:
    given: dict[str, object] = {"born": date(1990, 1, 1), "sex": "MALE", "nationality": "AL"}
    return Person(
        truth_id=f"T-{number:06d}",
        culture="ALBANIAN",
        name=name,
        birth_place="Nowhere",
        copies={copy.agency: copy for copy in copies},
        **(given | more),  # type: ignore[arg-type]  # a table
    )


def _people() -> list[Person]:
    arben = Name(given="Arben", family="Hoxha")
    claimed = Name(given="Arbin", family="Hoxhaj", kind="CLAIMED", native="Arbin Hoxhaj")
    papers = Name(given="Arben", family="Hoxha", kind="DOCUMENT")
    hidden = Name(given="Bledi", family="Hoxhaj")
    quiet = Name(given="Colin", middle="James", family="Example")
    stay = Immigration(status="ASYLUM_PENDING", since=date(2026, 5, 1), case_state="OPEN")
    born = Birth(earliest=date(1990, 1, 1), latest=date(1991, 12, 31))
    first = Birth(year=1991, month=1, day=1, claimed=True)
    known = {"documents": (PASSPORT,), "phones": ("+447700900123",)}
    warning = Warning(
        kind="WEAPONS", reason="secret", added=NOW.date(), review=NOW.date(), owner=Agency.NCB,
        sanitised="May carry a knife.",
    )  # fmt: skip
    crowd = Name(given="Van", middle="Minh", family="Nguyễn")
    return [
        _person(
            1, arben,
            _copy(Agency.BID, "BP000000001", claimed, aliases=(papers,), birth=first, **known),
            _copy(Agency.NCB, guid(1), arben, birth=born, **known),
            immigration=stay,
        ),
        _person(2, hidden, _copy(Agency.BID, "BP000000002", hidden, restricted=True, **known)),
        _person(3, quiet, _copy(Agency.NCB, guid(3), quiet, silent=True), warnings=(warning,)),
        *(
            _person(
                n, crowd,
                _copy(Agency.BID, f"BP{n:09d}", crowd), _copy(Agency.NCB, guid(n), crowd),
            )
            for n in range(10, 71)
        ),
    ]  # fmt: skip


def _encounter(number: int, person: str, debrief: str, *, taken: bool) -> Encounter:
    return Encounter(
        ref=f"EN{number:06d}",
        person=person,
        at=NOW + timedelta(hours=number),
        site=BEACH,
        method="SMALL_BOAT",
        landing="L-1",
        claimed_name="Arbin Hoxhaj",
        claimed_birth=Birth(year=1991),
        languages=("sq",),
        debrief=debrief,
        image_taken=taken,
        biometrics_taken=taken,
        phone_seized=taken,
        needs=("NRM",),
    )


def _group(number: int, band: str, investigation: str, lead: str) -> Group:
    return Group(
        ref=f"G-{number:03d}",
        refs={Agency.NCB: f"CG/{number:05d}"},
        name="Amber Kite",
        oic=True,
        crime_types=("OIC",),
        region="EAST",
        lead=lead,
        tier="2",
        attribute_score=90.0 if band == "HIGH" else 10.0,
        attribute_band=band,
        thematic=(5, 5, 5, 5, 5, 5, 5),
        investigation=investigation,
        last_review=date(2026, 1, 1),
        members=(Membership(person=ARBEN, role="PILOT", confidence="LOW"),),
    )


def small_world() -> Population:
    """Arben, a restricted person with his passport, a silent one, and sixty-one namesakes."""
    people = {person.truth_id: person for person in _people()}
    paragraph = Paragraph(text="One line.", handling="C", source_grade=2, info_grade="B")
    report = Report(
        urn="NCB/26/1", agency=Agency.NCB, at=NOW, title="t", text="x", sanitised=None,
        paragraphs=(paragraph,), silent=False, subjects=(ARBEN,), phones=("+447700900123",),
        groups=("G-001",), governance=HEADER,
    )  # fmt: skip
    disruption = Disruption(
        ref="D-1", group="G-001", on=date(2026, 2, 1), strand="PROTECT", grade="MAJOR",
        lead=Agency.ERU, claimed_by=(Agency.ERU, Agency.NCB), summary="s", rationale="r",
        event_key="E-1",
    )  # fmt: skip
    return Population(
        seed=1,
        as_of=NOW.date(),
        now=NOW,
        people=people,
        addresses=(),
        landings=(),
        encounters=(
            _encounter(1, ARBEN, "NONE", taken=False),
            _encounter(2, ARBEN, "FULL", taken=True),
            _encounter(3, HIDDEN, "NONE", taken=False),
        ),
        vehicles=(),
        sightings=(),
        incidents=(),
        stops=(),
        reports=(report,),
        groups=(_group(1, "LOW", "NONE", "ERU"), _group(2, "HIGH", "ACTIVE", "NCB")),
        disruptions=(disruption,),
        operations=(),
        referrals=(
            Referral(
                ref="R-1", person=ARBEN, state="OPEN", outcome=None, referred_on=date(2026, 5, 2)
            ),
        ),
        images=(
            image(1, ARBEN),
            image(2, ARBEN, "X"),
            image(3, ARBEN, "Q"),
            *(image(n, f"T-{n:06d}", "H", "ABCDEF"[n % 6]) for n in range(10, 50)),
        ),
        pairs=(),
        dual_roles=frozenset(),
        gold={"GOLD-1": ARBEN, **{f"T{n}": f"T-{n:06d}" for n in range(10, 50)}},
    )
