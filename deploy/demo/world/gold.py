"""The six golden people, exactly as the design describes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from deploy.demo.noise import exact
from deploy.demo.world import identifiers
from deploy.demo.world.copies import key_of
from deploy.demo.world.happenings import Incident
from deploy.demo.world.people import truth_id
from deploy.demo.world.records import DESKS, crime_ref, warning
from deploy.demo.world.truth import (
    Address,
    Agency,
    Alert,
    Birth,
    Copy,
    Custody,
    Document,
    Governance,
    Immigration,
    Name,
    Occupancy,
    Offence,
    Person,
    Safeguard,
    Warning,
)

NUMBERS = {
    "GOLD-1": 417,
    "GOLD-2": 17,
    "GOLD-3": 418,
    "GOLD-4": 419,
    "GOLD-5": 420,
    "GOLD-6": 421,
}
GOLD = {name: truth_id(number) for name, number in NUMBERS.items()}
PHONE = "+447700900417"  # GOLD-1's own, at SCP, ERU and NCB
SUPPLIER_PHONE = "+447700900017"  # GOLD-2's
RESERVED_PHONES = frozenset({PHONE, SUPPLIER_PHONE, "+447700900400"})
PASSPORT = Document(kind="PASSPORT", number="BA4417093", issuer="AL")
OVERT_LINE = "May carry a knife. Approach with a colleague."


def _governance(as_of: date, *, sensitive: bool = False) -> Governance:
    return Governance(
        review_on=as_of + timedelta(days=700),
        marking="OFFICIAL_SENSITIVE" if sensitive else "OFFICIAL",
        recorded_at=datetime.combine(as_of - timedelta(days=100), time(9, 30), UTC),
    )


def _copy(
    as_of: date,
    gold: str,
    agency: Agency,
    name: Name,
    birth: Birth,
    *,
    sex: str = "MALE",
    phones: tuple[str, ...] = (),
    documents: tuple[Document, ...] = (),
    aliases: tuple[Name, ...] = (),
    silent: bool = False,
) -> Copy:
    return Copy(
        agency=agency,
        key=key_of(agency, NUMBERS[gold]),
        name=name,
        aliases=aliases,
        birth=birth,
        sex=sex,
        phones=phones,
        documents=documents,
        silent=silent,
        governance=_governance(as_of, sensitive=agency in {Agency.ERU, Agency.NCB}),
    )


def golden_people(as_of: date, addresses: Sequence[Address]) -> dict[str, Person]:
    """The six by truth id, each with its copies."""
    made = (
        _arben(as_of, addresses),
        _supplier(as_of, addresses),
        _namesake(as_of, addresses),
        _look_alike(as_of, addresses),
        _silent(as_of, addresses),
        _both_sides(as_of, addresses),
    )
    return {person.truth_id: person for person in made}


def _home(address: Address, as_of: date, days: int) -> Occupancy:
    return Occupancy(address=address, since=as_of - timedelta(days=days))


def _arben(as_of: date, addresses: Sequence[Address]) -> Person:
    born = date(1991, 4, 17)
    hoxha = Name(given="Arben", family="Hoxha")
    hodja = Name(given="Arben", family="Hodja", kind="TRANSLITERATED")
    claimed = Name(given="Arbin", family="Hoxhaj", kind="CLAIMED")
    on_paper = replace(hoxha, kind="DOCUMENT", native="Arben Hoxha")
    hoxhaj = Name(given="Arben", family="Hoxhaj", kind="TRANSLITERATED")
    passport = (PASSPORT,)
    two_years = Birth(earliest=date(1990, 1, 1), latest=date(1991, 12, 31))
    hotel = Occupancy(
        address=addresses[0], kind="ASYLUM_ACCOMMODATION", since=as_of - timedelta(days=139)
    )
    copies = (
        _copy(as_of, "GOLD-1", Agency.NMC, hoxha, exact(born), documents=passport),
        _copy(as_of, "GOLD-1", Agency.SCP, hodja, Birth(year=1991, month=4), phones=(PHONE,)),
        _copy(
            as_of,
            "GOLD-1",
            Agency.BID,
            claimed,
            Birth(year=1991, month=1, day=1, claimed=True),
            aliases=(on_paper,),
            documents=passport,
        ),
        _copy(
            as_of,
            "GOLD-1",
            Agency.ERU,
            Name(given="BENI", family="", kind="NICK"),
            exact(born),
            phones=(PHONE,),
        ),
        _copy(as_of, "GOLD-1", Agency.NCB, hoxha, two_years, phones=(PHONE,), aliases=(hoxhaj,)),
    )
    return Person(
        truth_id=GOLD["GOLD-1"],
        culture="ALBANIAN",
        name=hoxha,
        born=born,
        sex="MALE",
        nationality="AL",
        birth_place="Lezhë",
        documents=passport,
        phones=(PHONE,),
        occupancies=(_home(addresses[7], as_of, 60), hotel),
        pncid=identifiers.pncid(2026, 417),
        cro=identifiers.cro(2026, 417),
        nino=identifiers.nino(417_417),
        driver_no=identifiers.driver_no("HOXHA", "ARBEN", born, "MALE", 417),
        warnings=(
            warning("WEAPONS", Agency.NMC, as_of, 90),
            warning("MENTAL_HEALTH", Agency.NMC, as_of, 80),
        ),
        alerts=(
            _alert(as_of, "LOCATE", "locate and trace", Agency.NMC, discreet=False),
            _alert(as_of, "LOCATE", "covert enquiry", Agency.NCB, discreet=True),
        ),
        offences=(_offence(as_of, 79, 2, "Possession of false identity documents", "CHARGED"),),
        custody=(
            Custody(
                ref="NMC/CU/26/00417",
                agency=Agency.NMC,
                arrest_offence="Possession of false identity documents",
                arrived=datetime.combine(as_of - timedelta(days=90), time(21, 15), UTC),
                released=datetime.combine(as_of - timedelta(days=89), time(14, 5), UTC),
                disposal="BAILED",
            ),
        ),
        safeguards=(
            Safeguard(kind="NRM", state="RECORDED", owner=Agency.SCP),
            Safeguard(kind="NRM", state="OPEN", owner=Agency.NCB),
        ),
        immigration=Immigration(
            status="ASYLUM_PENDING",
            since=as_of - timedelta(days=139),
            case_state="claim under consideration",
            conditions="report monthly",
        ),
        copies={copy.agency: copy for copy in copies},
    )


def _alert(as_of: date, kind: str, power: str, owner: Agency, *, discreet: bool) -> Alert:
    return Alert(
        kind=kind,
        power=power,
        owner=owner,
        contact=DESKS[owner],
        discreet=discreet,
        added=as_of - timedelta(days=30),
    )


def _offence(as_of: date, ho_class: int, ho_sub: int, title: str, outcome: str) -> Offence:
    return Offence(
        ho_class=ho_class,
        ho_sub=ho_sub,
        title=title,
        outcome=outcome,
        on=as_of - timedelta(days=90),
        court="Northmarch Magistrates",
        serious=ho_class in {8, 10, 78, 92, 106},
    )


def _supplier(as_of: date, addresses: Sequence[Address]) -> Person:
    born, name = date(1974, 8, 22), Name(given="Graham", family="Whitlock")
    year = Birth(earliest=date(1974, 1, 1), latest=date(1974, 12, 31))
    copies = (
        _copy(as_of, "GOLD-2", Agency.SCP, name, exact(born), phones=(SUPPLIER_PHONE,)),
        _copy(as_of, "GOLD-2", Agency.ERU, name, exact(born), phones=(SUPPLIER_PHONE,)),
        _copy(as_of, "GOLD-2", Agency.NCB, name, year, phones=(SUPPLIER_PHONE,)),
    )
    return Person(
        truth_id=GOLD["GOLD-2"],
        culture="BRITISH",
        name=name,
        born=born,
        sex="MALE",
        nationality="GB",
        birth_place="Northmarch",
        phones=(SUPPLIER_PHONE,),
        occupancies=(_home(addresses[8], as_of, 1500),),
        driver_no=identifiers.driver_no("WHITLOCK", "GRAHAM", born, "MALE", 17),
        warnings=(warning("WEAPONS", Agency.SCP, as_of, 40),),
        copies={copy.agency: copy for copy in copies},
    )


def _namesake(as_of: date, addresses: Sequence[Address]) -> Person:
    born, name = date(1991, 9, 2), Name(given="Arben", family="Hoxha")
    own = Document(kind="PASSPORT", number="BC7300418", issuer="AL", genuine=True)
    copies = (
        _copy(as_of, "GOLD-3", Agency.NMC, name, exact(born), documents=(own,)),
        _copy(as_of, "GOLD-3", Agency.BID, name, exact(born), documents=(own,)),
    )
    return Person(
        truth_id=GOLD["GOLD-3"],
        culture="ALBANIAN",
        name=name,
        born=born,
        sex="MALE",
        nationality="AL",
        birth_place="Lezhë",
        documents=(own,),
        occupancies=(_home(addresses[9], as_of, 900),),
        nino=identifiers.nino(418_418),
        immigration=Immigration(
            status="LEAVE",
            since=as_of - timedelta(days=1200),
            case_state="granted",
            expiry=as_of + timedelta(days=600),
        ),
        copies={copy.agency: copy for copy in copies},
    )


def _look_alike(as_of: date, addresses: Sequence[Address]) -> Person:
    born, name = date(1988, 12, 5), Name(given="Dritan", family="Leka")
    borrowed = replace(PASSPORT, genuine=False)
    copies = (
        _copy(as_of, "GOLD-4", Agency.BID, name, exact(born), documents=(borrowed,)),
        _copy(as_of, "GOLD-4", Agency.SCP, name, exact(born)),
    )
    return Person(
        truth_id=GOLD["GOLD-4"],
        culture="ALBANIAN",
        name=name,
        born=born,
        sex="MALE",
        nationality="AL",
        birth_place="Lezhë",
        documents=(borrowed,),
        occupancies=(_home(addresses[10], as_of, 70),),
        immigration=Immigration(
            status="ABSCONDER",
            since=as_of - timedelta(days=60),
            case_state="reporting breached",
        ),
        copies={copy.agency: copy for copy in copies},
    )


def _silent(as_of: date, addresses: Sequence[Address]) -> Person:
    born, name = date(1983, 3, 9), Name(given="Sorin", family="Albu")
    on = Birth(earliest=born, latest=born)
    copies = (
        _copy(as_of, "GOLD-5", Agency.NMC, name, exact(born)),
        _copy(as_of, "GOLD-5", Agency.NCB, name, on, silent=True),
    )
    overt = Warning(
        kind="WEAPONS",
        reason=OVERT_LINE,
        sanitised=OVERT_LINE,
        added=as_of - timedelta(days=20),
        review=as_of + timedelta(days=160),
        owner=Agency.NCB,
    )
    # the owner's overt warning stands at the force too, so that an officer there meets it
    return Person(
        truth_id=GOLD["GOLD-5"],
        culture="ROMANIAN",
        name=name,
        born=born,
        sex="MALE",
        nationality="RO",
        birth_place="Iași",
        occupancies=(_home(addresses[11], as_of, 400),),
        warnings=(overt, replace(overt, owner=Agency.NMC)),
        copies={copy.agency: copy for copy in copies},
    )


def _both_sides(as_of: date, addresses: Sequence[Address]) -> Person:
    year = as_of.year - 17
    born, name = date(year, 2, 11), Name(given="Khánh", family="Nguyễn", native="Nguyễn Khánh")
    at_force = Name(given="Khanh", family="Nguyen")
    doc = Document(kind="PASSPORT", number="CE0421421", issuer="VN", genuine=True)
    older = Birth(year=year - 4, month=2, day=11)
    copies = (
        _copy(as_of, "GOLD-6", Agency.NMC, at_force, older, documents=(doc,)),
        _copy(as_of, "GOLD-6", Agency.SCP, at_force, Birth(year=year)),
        _copy(as_of, "GOLD-6", Agency.BID, name, exact(born), documents=(doc,)),
    )
    return Person(
        truth_id=GOLD["GOLD-6"],
        culture="VIETNAMESE",
        name=name,
        born=born,
        sex="MALE",
        nationality="VN",
        birth_place="Vinh",
        documents=(doc,),
        occupancies=(_home(addresses[12], as_of, 45),),
        safeguards=(Safeguard(kind="NRM", state="RECORDED", owner=Agency.SCP),),
        immigration=Immigration(
            status="ASYLUM_PENDING",
            since=as_of - timedelta(days=200),
            case_state="claim under consideration",
        ),
        copies={copy.agency: copy for copy in copies},
    )


def golden_incidents(as_of: date, addresses: Sequence[Address]) -> tuple[Incident, ...]:
    """Each of the two who stand on both sides: suspect at NMC, victim at SCP."""
    document = (79, 2, "Possession of false identity documents", frozenset[str]())
    cannabis = (92, 10, "Possession with intent to supply", frozenset[str]())
    servitude = (106, 1, "Holding a person in servitude", frozenset({"MODERN_SLAVERY"}))
    one, six = GOLD["GOLD-1"], GOLD["GOLD-6"]
    rows = (
        (Agency.NMC, 900_417, document, ((one, "SUSPECT"),)),
        (Agency.SCP, 900_417, servitude, ((one, "VICTIM"),)),
        (Agency.NMC, 900_421, cannabis, ((six, "SUSPECT"),)),
        (Agency.SCP, 900_421, servitude, ((six, "VICTIM"),)),
    )
    return tuple(
        _incident(as_of, addresses, force, number, kind, parts)
        for force, number, kind, parts in rows
    )


def _incident(
    as_of: date,
    addresses: Sequence[Address],
    force: Agency,
    number: int,
    kind: tuple[int, int, str, frozenset[str]],
    parts: tuple[tuple[str, str], ...],
) -> Incident:
    ho_class, ho_sub, title, flags = kind
    at = datetime.combine(as_of - timedelta(days=90), time(19, 30), UTC)
    return Incident(
        ref=crime_ref(force, at.year, number),
        agency=force,
        ho_class=ho_class,
        ho_sub=ho_sub,
        title=title,
        at=at,
        address=addresses[13],
        status="UNDER_INVESTIGATION",
        outcome="PENDING",
        narrative=f"{title} reported. Those named were asked.",
        sanitised=f"{title}.",
        flags=flags,
        participants=parts,
        governance=_governance(as_of),
    )
