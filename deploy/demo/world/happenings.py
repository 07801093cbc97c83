"""What happened in the synthetic world, and the world itself; see `truth` for its people.

All references to people are truth ids; times are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from deploy.demo.world.truth import (
    Address,
    Agency,
    Birth,
    Copy,
    Document,
    Governance,
    Person,
    Warning,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A beach, port or lorry park."""

    name: str
    kind: str  # BEACH PORT PLACE
    postcode: str
    lat: float
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing:
    """A boat came ashore; all who were in it shared one phone."""

    ref: str
    at: datetime
    site: Site
    persons_count: int
    vessel: str  # a free description
    vessel_kind: str  # RHIB INFLATABLE YACHT OTHER
    engine_serial: str
    phone: str
    people: tuple[str, ...]  # truth ids of those who are in this world
    pilots: tuple[str, ...] = ()  # whom SCP suspects of having steered it, each with a copy there
    deaths: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A handset that was seized from somebody."""

    imei: str
    phone: str
    holder: str  # truth id
    seized_at: datetime
    extract_state: str  # NONE REQUESTED DONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Encounter:
    """Border officers met a person."""

    ref: str
    person: str
    at: datetime
    site: Site
    method: str  # SMALL_BOAT LORRY AIR IN_COUNTRY
    landing: str | None
    claimed_name: str
    claimed_birth: Birth
    languages: tuple[str, ...]
    debrief: str  # NONE PARTIAL FULL
    image_taken: bool
    biometrics_taken: bool
    phone_seized: bool
    devices: tuple[Device, ...] = ()
    documents: tuple[Document, ...] = ()
    needs: tuple[str, ...] = ()  # MINOR_CLAIMED NRM MEDICAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Vehicle:
    """A vehicle; who keeps it is the licensing register's knowledge only."""

    vrm: str  # without a space
    vin: str
    make: str
    model: str
    colour: str
    year: int
    keeper: str  # truth id
    first_reg: date
    tax_due: date
    mot_due: date
    insured: bool
    scrapped: bool = False
    stolen: bool = False
    false_plate: bool = False
    markers: tuple[Warning, ...] = ()
    held_by: frozenset[Agency]
    stopped_with: str | None = None  # truth id of whom NMC last stopped in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A camera of NMC saw a plate."""

    vrm: str
    at: datetime
    camera: str
    direction: str  # NORTH SOUTH EAST WEST
    easting: int
    northing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """A crime at NMC or an occurrence at SCP."""

    ref: str
    agency: Agency
    ho_class: int
    ho_sub: int
    title: str
    at: datetime
    address: Address
    status: str  # OPEN UNDER_INVESTIGATION CLOSED
    outcome: str  # as in Offence
    narrative: str
    sanitised: str | None
    flags: frozenset[str]  # OIC MODERN_SLAVERY DOMESTIC
    participants: tuple[tuple[str, str], ...]  # (truth id, SUSPECT CONVICTED VICTIM WITNESS)
    governance: Governance


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """NMC stopped a person, in a vehicle or on foot."""

    ref: str
    at: datetime
    power: str
    outcome: str
    person: str
    vrm: str | None
    address: Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One paragraph of a report, with its own handling."""

    text: str
    handling: str
    source_grade: int
    info_grade: str
    conditions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """An intelligence report. Nothing says where it came from."""

    urn: str
    agency: Agency  # ERU or NCB
    at: datetime
    title: str
    text: str
    sanitised: str | None
    paragraphs: tuple[Paragraph, ...]
    silent: bool
    subjects: tuple[str, ...]  # truth ids, each with a copy at the agency
    phones: tuple[str, ...] = ()
    vrms: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()  # refs of Group
    governance: Governance

    @property
    def bears_on_safety(self) -> bool:
        """Whether a warning rests on it: an officer at the door must know the line."""
        return self.title == "Weapons"


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A person's part in a group, as assessed."""

    person: str
    role: str  # PRINCIPAL FACILITATOR LOGISTICS FINANCE PILOT RECRUITER
    confidence: str  # HIGH MEDIUM LOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """An organised crime group."""

    ref: str  # G-001 ...: the truth's name for it
    refs: Mapping[Agency, str]  # each mapping agency's own: ERU "OCG-0417", NCB "CG/00417"
    name: str  # an operation-like alias: itself sensitive
    oic: bool
    crime_types: tuple[str, ...]
    region: str  # EAST, SOUTH_EAST, NORTH, WEST
    lead: str
    support: tuple[str, ...] = ()  # other agencies with a share in the work, at NCB
    tier: str
    attribute_score: float  # 0 to 100
    attribute_band: str  # HIGH MEDIUM LOW
    thematic: tuple[int, int, int, int, int, int, int]  # see THEMES, each 0 to 6
    investigation: str  # NONE DEVELOPING ACTIVE CLOSED
    last_review: date
    members: tuple[Membership, ...]
    silent: bool = False

    @property
    def thematic_total(self) -> int:
        return sum(self.thematic)


THEMES = (
    "physical",
    "psychological",
    "financial",
    "community",
    "likelihood",
    "confidence",
    "capacity",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Disruption:
    """Something done against a group; several agencies may claim the same event."""

    ref: str
    group: str
    on: date
    strand: str  # PURSUE PREVENT PROTECT PREPARE
    grade: str  # MAJOR MODERATE MINOR
    lead: Agency
    claimed_by: tuple[Agency, ...]
    summary: str
    rationale: str
    event_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Police work that others could run into; owned by NCB or ERU."""

    ref: str
    codename: str
    owner: Agency
    covert: bool
    mode: str  # MUTUAL ASKER_ONLY OWNER_ONLY DESK_ONLY
    start: date
    end: date
    selectors: tuple[tuple[str, str], ...]  # (PERSON|PHONE|VRM|ADDRESS, normalised value)
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """A referral to the national mechanism for possible victims of trafficking, at NCB."""

    ref: str
    person: str
    state: str  # OPEN CONCLUDED
    outcome: str | None
    referred_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """That the image service holds an image; what it looks like is drawn from `image_id`."""

    image_id: str
    person: str
    subject: str  # NMC:NM0001234X or SCP:88123
    force: Agency
    taken_on: date
    pose: int  # 0 front, 1 left, 2 right
    quality: float
    retention: str  # H R Q X
    cohort: str  # A to F: for tests of equity only


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two people who are easily taken for one."""

    kind: str  # TWINS NAMESAKES PARENT_CHILD
    first: str
    second: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The whole world. All references to people are truth ids."""

    seed: int
    as_of: date
    now: datetime
    people: Mapping[str, Person]  # by truth id, in order
    addresses: tuple[Address, ...]
    landings: tuple[Landing, ...]
    encounters: tuple[Encounter, ...]
    vehicles: tuple[Vehicle, ...]
    sightings: tuple[Sighting, ...]
    incidents: tuple[Incident, ...]
    stops: tuple[Stop, ...]
    reports: tuple[Report, ...]
    groups: tuple[Group, ...]
    disruptions: tuple[Disruption, ...]
    operations: tuple[Operation, ...]
    referrals: tuple[Referral, ...]
    images: tuple[Image, ...]
    pairs: tuple[Pair, ...]
    dual_roles: frozenset[str]  # the 80 who are suspect and victim
    gold: Mapping[str, str]  # "GOLD-1" -> truth id

    def held_by(self, agency: Agency) -> tuple[tuple[Person, Copy], ...]:
        """Every person the agency holds, with its copy, in the order of truth ids."""
        return tuple(
            (person, person.copies[agency])
            for person in self.people.values()
            if agency in person.copies
        )

    def golden(self, name: str) -> Person:
        """GOLD-1 to GOLD-6."""
        return self.people[self.gold[name]]

    def key(self, truth_id: str, agency: Agency) -> str:
        """The agency's own key for a person it holds."""
        return self.people[truth_id].copies[agency].key
