"""For what somebody may look at the record, and as what; and who may claim it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from gateway.errors import MalformedRequest, Refused
from gateway.model import Subject

USES: Final[Mapping[str, tuple[str, str]]] = {
    "OVERSIGHT": ("Routine oversight", "Dip samples and the regular look at how access is used."),
    "COMPLAINT": ("A complaint or a concern", "Somebody has told of a misuse, or suspects one."),
    "INVESTIGATION": ("An investigation of conduct", "A case about a member of staff is open."),
    "RIGHTS": ("A person's rights", "Somebody asks who has looked at what is held on them."),
    "LOG_HEALTH": ("The log itself", "Whether it grows, verifies and is witnessed."),
}
"""For what an auditor may look: code -> what it is, and when."""

CORRECTION: Final = "CORRECTION"
"""For what an owner's desk has the record looked through: to whom a record was shown that it has
corrected; no auditor's use either."""

SUPERVISORS: Final = frozenset({"sergeant", "duty_supervisor"})
"""Roles whose holders review drawn queries of their own agency's people, for routine oversight."""

OWN: Final = "OWN"
"""For what officers look at their own past searches; no auditor's use."""


class Viewer(StrEnum):
    """As what somebody looks, which says how far they see. The values are the roles' names."""

    STANDARDS = "professional_standards"
    FORCE = "force_auditor"
    EXTERNAL = "external_auditor"
    OFFICER = "officer"  # whoever is none of these: their own searches


def viewer_of(subject: Subject, entitled: Mapping[str, Collection[str]] | None = None) -> Viewer:
    """As what somebody looks; of several roles the first counts, so that roles never add up.

    `entitled` says which agencies' people may have a role, as policy has it: an agency's issuer
    that says more of its people is not believed.
    """
    for viewer in (Viewer.STANDARDS, Viewer.FORCE, Viewer.EXTERNAL):
        if viewer in subject.roles and (
            entitled is None or subject.agency in entitled.get(viewer, ())
        ):
            return viewer
    return Viewer.OFFICER


_ALONE: Final = frozenset(
    {"health", "overview", "schema", "pairs", "pair", "pair_agreed", "pair_refused", "pair_ended"}
)
"""Looks for which nobody else is needed: how the log is, counts, and what asks for a colleague."""
_AS_ANYBODY: Final[Mapping[str, Collection[str]]] = {
    OWN: ("mine", "entry"),
    CORRECTION: ("recall", "recalls"),
}
"""What is no auditor's look, whoever takes it: use -> pages."""


def alone(page: str, use: str) -> bool:
    """Whether professional standards look at this for this use without a colleague's agreement:
    what stands nowhere here needs it."""
    return page in _ALONE or page in _AS_ANYBODY.get(use, ())


def not_alone() -> Refused:
    """What somebody is told who looks alone and may not."""
    return Refused(
        "Professional standards look in pairs: have a colleague agree first, to this use, at "
        "/console/audit/pairs.",
        rule="audit.pair",
        detail="nobody agreed",
    )


def check_use(viewer: Viewer, use: str) -> None:
    """Be satisfied that somebody has said for what they look.

    Raises:
        MalformedRequest: they have not.
    """
    if use not in ({OWN} if viewer is Viewer.OFFICER else USES):
        raise MalformedRequest("Choose one of the list: for what you look at the record.")
