"""What is true in the synthetic world, before any agency writes its share of it down.

Every value is invented. A `Person` is the truth; a `Copy` is what one agency believes, under its
own key, with its own errors. Agencies render copies, never the truth; tests compare the two.
Times are aware and in UTC; phones are E.164; countries are two letters of ISO 3166.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


class Agency(StrEnum):
    """The six agencies of the demonstration, and the register that joins later."""

    NMC = "NMC"
    SCP = "SCP"
    BID = "BID"
    ERU = "ERU"
    NCB = "NCB"
    NIS = "NIS"
    VLR = "VLR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name as it is written somewhere."""

    given: str
    family: str
    middle: str = ""
    native: str | None = None  # in its own script or with its own marks
    kind: str = "LEGAL"  # LEGAL, ALIAS, NICK, TRANSLITERATED, CLAIMED, DOCUMENT

    @property
    def full(self) -> str:
        """Given names, then family name."""
        return " ".join(part for part in (self.given, self.middle, self.family) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Birth:
    """A birth date as far as somebody knows it; `earliest` and `latest` where it is a range."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    earliest: date | None = None
    latest: date | None = None
    claimed: bool = False  # rests on the person's own word


@dataclass(frozen=True, slots=True, kw_only=True)
class Governance:
    """The header of a record: how it may be used and how long it may be kept."""

    retention: str = "CURRENT"  # CURRENT, REVIEW_DUE, DISPOSE, RESTRICTED
    review_on: date | None = None  # None: a review was never set, so it is due
    handling: str = "P"  # P or C
    conditions: tuple[str, ...] = ()  # NO_ONWARD, ..., "NAMED_UNIT_ONLY:x", "EXPIRES:2026-12-31"
    source_grade: int = 1  # 1 to 3
    info_grade: str = "A"  # A to E
    mopi_group: int = 3  # 1 to 4
    marking: str = "OFFICIAL"
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A travel or identity document; its number may be borne by several people."""

    kind: str  # PASSPORT, BRP, EVISA
    number: str
    issuer: str
    genuine: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A place that is not: town and street are invented, the coordinates lie in the sea."""

    key: str
    line: str
    town: str
    postcode: str
    easting: int  # OSGB36, metres
    northing: int
    lat: float  # the same point, WGS84
    lon: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupancy:
    """That a person was at an address."""

    address: Address
    kind: str = "HOME"  # HOME, WORK, FREQUENTS, ASYLUM_ACCOMMODATION
    since: date
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warning:
    """What an officer who meets the person or the vehicle should know; `owner` recorded it."""

    kind: str  # WEAPONS VIOLENT ESCAPER ALLEGES MENTAL_HEALTH SELF_HARM DRUGS FIREARMS_CERT
    reason: str
    added: date
    review: date
    owner: Agency
    sanitised: str = ""  # what may be said to anybody
    discreet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Somebody wants to know of this person; a discreet one must not be noticed."""

    kind: str  # WANTED MISSING LOCATE BORDER_STOP BAIL
    power: str
    owner: Agency
    contact: str
    discreet: bool = False
    added: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Offence:
    """A charge or conviction of the person."""

    ho_class: int
    ho_sub: int
    title: str
    outcome: str  # CONVICTED CHARGED CAUTIONED NO_FURTHER_ACTION PENDING
    on: date
    court: str
    serious: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Custody:
    """One stay in custody at NMC or SCP."""

    ref: str
    agency: Agency
    arrest_offence: str
    arrived: datetime
    released: datetime | None
    disposal: str  # CHARGED NO_FURTHER_ACTION BAILED UNDER_INVESTIGATION CAUTIONED


@dataclass(frozen=True, slots=True, kw_only=True)
class Safeguard:
    """A need of protection that `owner` knows of."""

    kind: str  # NRM CHILD DOMESTIC_ABUSE MISSING_HISTORY HEALTH
    state: str  # OPEN CONCLUDED RECORDED
    owner: Agency


@dataclass(frozen=True, slots=True, kw_only=True)
class Immigration:
    """How a person stands with the border directorate."""

    status: str  # LEAVE OVERSTAYER ASYLUM_PENDING REFUSED ABSCONDER CITIZEN
    since: date
    case_state: str
    conditions: str = ""
    expiry: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """What one agency holds on one person, under its own key; errors and all.

    `documents` and `phones` are those that this agency knows, not all that are true.
    """

    agency: Agency
    key: str  # NM0001234X, 88123, BP000123456, 1007 (ERU), a UUID (NCB), NMC:NM0001234X (NIS)
    name: Name
    aliases: tuple[Name, ...] = ()
    birth: Birth
    sex: str  # MALE FEMALE OTHER NOT_RECORDED
    documents: tuple[Document, ...] = ()
    phones: tuple[str, ...] = ()
    restricted: bool = False  # BID: as if it did not exist
    silent: bool = False  # must not be noticed by anybody but its owner
    noise: str = ""  # which error this copy has, if any: for tests of matching
    governance: Governance


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """The truth about one invented person."""

    truth_id: str  # T-000001 ...
    culture: str  # ALBANIAN VIETNAMESE ARABIC KURDISH ROMANIAN BRITISH
    name: Name
    born: date
    sex: str  # MALE FEMALE OTHER
    nationality: str
    birth_place: str
    documents: tuple[Document, ...] = ()
    phones: tuple[str, ...] = ()
    occupancies: tuple[Occupancy, ...] = ()
    pncid: str | None = None  # yy/nnnnnnnL
    cro: str | None = None  # nnnnnn/yyL
    nino: str | None = None
    driver_no: str | None = None
    warnings: tuple[Warning, ...] = ()
    alerts: tuple[Alert, ...] = ()
    offences: tuple[Offence, ...] = ()
    custody: tuple[Custody, ...] = ()
    safeguards: tuple[Safeguard, ...] = ()
    immigration: Immigration | None = None
    copies: Mapping[Agency, Copy] = field(default_factory=dict)
