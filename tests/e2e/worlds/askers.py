"""Who asks and what for, of domain-model.md, section 4; and who of them see the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from deploy.demo.personas import PERSONAS


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Somebody, and what for."""

    persona: str
    purpose: str

    @property
    def agency(self) -> str:
        return PERSONAS[self.persona].agency

    def __str__(self) -> str:
        return f"{self.persona} for {self.purpose}"


SAFETY = {"OFFICER_SAFETY", "PROTECT_VULNERABLE", "MISSING_PERSON"}
HELP = {"PROTECT_VULNERABLE", "MISSING_PERSON"}
STREET, BORDER, CONTROL = {"RO", "SG"}, {"IE", "BF"}, "IMMIGRATION_CONTROL"

# persona -> the purposes that they hold, of domain-model.md, section 4
HELD: Mapping[str, Sequence[str]] = {
    "RO": ("OFFICER_SAFETY", "PREVENT_DETECT_CRIME", "APPREHEND", "PROTECT_VULNERABLE",
           "MISSING_PERSON"),
    "SG": ("OFFICER_SAFETY", "PREVENT_DETECT_CRIME", "APPREHEND", "PROTECT_VULNERABLE",
           "MISSING_PERSON"),
    "IE": (CONTROL, "BORDER_SECURITY", "OFFICER_SAFETY"),
    "IEC": ("OIC_INVESTIGATION",),
    "RA": ("OIC_INVESTIGATION", "PREVENT_DETECT_CRIME", "DECONFLICTION", "STRATEGIC_REPORTING"),
    "NO": ("OFFICER_SAFETY", "PREVENT_DETECT_CRIME", "APPREHEND", "PROTECT_VULNERABLE",
           "MISSING_PERSON", "BORDER_SECURITY", "OIC_INVESTIGATION", "DECONFLICTION",
           "STRATEGIC_REPORTING"),
    "AO": ("PROTECT_VULNERABLE", "OIC_INVESTIGATION", "BORDER_SECURITY", "OFFICER_SAFETY"),
    "BF": ("BORDER_SECURITY", "OFFICER_SAFETY", "PROTECT_VULNERABLE"),
    "PP": ("PROTECT_VULNERABLE", "MISSING_PERSON"),
    "FL": ("OIC_INVESTIGATION",),
    "TC": ("STRATEGIC_REPORTING",),
    "DK": ("OIC_INVESTIGATION",),  # a desk asks nothing, whatever it is for
}  # fmt: skip
ASKERS = tuple(Asker(persona=p, purpose=held) for p, each in HELD.items() for held in each)


# --- who does not see what -----------------------------------------------------------------------


def everybody(_asker: Asker) -> bool:
    return True


def but(*personas: str) -> Callable[[Asker], bool]:
    return lambda asker: asker.persona not in personas


def only(*personas: str) -> Callable[[Asker], bool]:
    return lambda asker: asker.persona in personas


def controlling(asker: Asker) -> bool:
    """Behind the victim firewall."""
    return asker.purpose == CONTROL


def nothing_of_people(asker: Asker) -> bool:
    """Whose purpose reaches no record of a person, or who may ask nothing."""
    return asker.persona in {"TC", "DK"} or asker.purpose in {
        "DECONFLICTION",
        "STRATEGIC_REPORTING",
    }


def outside_roles(asker: Asker) -> bool:
    """To whom victims and witnesses of an incident are not named."""
    police = asker.persona in {"RO", "NO"} and asker.purpose not in HELP
    arrivals = asker.persona == "AO" and asker.purpose != "PROTECT_VULNERABLE"
    return police or arrivals or asker.persona in {"IEC", "RA", "FL", "TC"}


def hits_of_reports(asker: Asker) -> bool:
    """Who learns of a report only that it is held."""
    if asker.persona in STREET:
        return asker.purpose != "OFFICER_SAFETY"
    return asker.persona in {"IEC", "BF", "PP"} or (
        asker.persona == "IE" and asker.purpose != CONTROL
    )
