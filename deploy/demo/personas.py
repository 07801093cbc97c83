"""The demonstration's people at work: domain-model.md, section 4. Nobody here exists.

`mint` asks the demonstration issuer for a persona's token, as an agency's sign-in would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """What an agency's issuer says of one of its people, in the words the policy tables use."""

    code: str
    title: str
    issuer: str  # path segment of the issuer: one issuer per agency or unit
    agency: str  # the agency that the issuer vouches for
    sub: str
    apps: tuple[str, ...]  # that they may sign in to, their usual one first
    roles: tuple[str, ...]
    clearance: str  # "OS" or "O"
    training: tuple[str, ...] = ()

    @property
    def app(self) -> str:
        return self.apps[0]


# Issuer -> the one agency it may vouch for. Border Force is a unit of BID with its own sign-in.
ISSUERS: Mapping[str, str] = MappingProxyType(
    {
        "nmc": "NMC",
        "scp": "SCP",
        "bid": "BID",
        "bf": "BID",
        "eru": "ERU",
        "ncb": "NCB",
        "partner": "PARTNER",
        "taskforce": "TASKFORCE",
        "oversight": "OVERSIGHT",
        "operator": "GATEWAY",
    }
)

# Issuer -> the unit that signs in there, where an agency has several.
UNITS: Mapping[str, str] = MappingProxyType({"bf": "Border Force"})

# Issuer -> those of its apps that may send persisted documents only.
DOCUMENTS_ONLY: Mapping[str, tuple[str, ...]] = MappingProxyType({"nmc": ("nmc-mobile",)})


def _persona(
    code: str,
    title: str,
    issuer: str,
    number: int,
    apps: str,
    roles: str,
    clearance: str = "OS",
    training: str = "",
) -> Persona:
    return Persona(
        code=code,
        title=title,
        issuer=issuer,
        agency=ISSUERS[issuer],
        sub=f"demo-{issuer}-{number:04d}",
        apps=tuple(apps.split()),
        roles=tuple(roles.split()),
        clearance=clearance,
        training=tuple(training.split()),
    )


_ROWS = (
    _persona("RO", "Response officer", "nmc", 1, "nmc-mobile nmc-station", "response_officer",
             training="pnd_basic"),
    _persona("IE", "Immigration enforcement officer", "bid", 1, "bid-casework",
             "immigration_enforcement"),
    _persona("IEC", "Immigration enforcement officer, criminal team", "bid", 2, "bid-criminal",
             "immigration_enforcement criminal_team"),
    _persona("RA", "Regional unit analyst", "eru", 1, "eru-desktop", "rocu_analyst",
             training="intelligence"),
    _persona("NO", "National bureau officer", "ncb", 1, "ncb-desktop", "bureau_officer",
             training="intelligence face_operator covert_read break_glass"),
    _persona("AO", "Arrival officer", "scp", 1, "scp-arrivals", "arrival_officer",
             training="intelligence arrivals"),
    _persona("BF", "Border Force officer", "bf", 1, "bf-port", "border_force"),
    _persona("SG", "Sergeant, control room", "nmc", 2, "nmc-control", "sergeant",
             training="pnd_basic"),
    _persona("DK", "Originator's desk", "eru", 2, "eru-desk", "desk", training="intelligence"),
    _persona("PP", "Public protection officer", "scp", 2, "scp-protect", "public_protection",
             training="safeguarding"),
    _persona("FL", "Foreign liaison officer", "partner", 1, "partner-liaison", "foreign_liaison",
             "O"),
    _persona("TC", "Taskforce commander", "taskforce", 1, "taskforce-pack", "taskforce_commander"),
    _persona("PA", "Policy administrator", "nmc", 3, "policy-console", "policy_admin", "O"),
    _persona("PB", "Policy administrator", "scp", 3, "policy-console", "policy_admin", "O"),
    _persona("AF", "Force auditor", "nmc", 4, "audit-console", "force_auditor", "O"),
    _persona("PS", "Professional standards", "nmc", 5, "audit-console", "professional_standards",
             "O"),
    _persona("PSB", "Professional standards, a colleague", "nmc", 6, "audit-console",
             "professional_standards", "O"),
    _persona("DS", "Duty supervisor, border", "bid", 3, "bid-casework", "duty_supervisor"),
    _persona("GD", "Gateway's own desk", "operator", 1, "gateway-desk", "desk duty_supervisor"),
    _persona("AU", "External auditor", "oversight", 1, "audit-console", "external_auditor", "O"),
)  # fmt: skip

PERSONAS: Mapping[str, Persona] = MappingProxyType({row.code: row for row in _ROWS})


def mint(code: str, issuer_url: str, *, app: str | None = None, ttl_s: int = 3600) -> str:
    """An access token for the persona in an app, their usual one unless another is named, from the
    demonstration issuer at `issuer_url`.

    Raises:
        KeyError: no such persona.
        httpx.HTTPError: the issuer is not there or refuses.
    """
    persona = PERSONAS[code]
    answer = httpx.post(
        f"{issuer_url.rstrip('/')}/{persona.issuer}/token",
        data={
            "grant_type": "client_credentials",
            "persona": code,
            "client_id": app or persona.app,
            "ttl_s": str(ttl_s),
        },
        timeout=5,
        trust_env=False,
    ).raise_for_status()
    token: str = answer.json()["access_token"]
    return token
