"""Everything that the rules decide: each field and use, by role, purpose and agency, as rows.

`portcullis policy coverage` prints them. A place is decided by itself, as if what is around it were
shown: `deploy.policy.matrix` has what becomes of whole questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from deploy.policy.engine import each
from deploy.policy.everything import Everything
from deploy.policy.words import BY_CONDITIONS, shown
from gateway.catalogue.schema import camel
from gateway.model import CLEAR, WHOLE, Decision, Ruling, Show, Use
from gateway.policy.contract import read_decision

COLUMNS: Final = (
    "place", "field", "use", "role", "purpose", "reason", "data", "training",
    "outcome", "rule",
)  # fmt: skip
_EVERY: Final = "*"


Asked: TypeAlias = tuple[bool, str]
"""Whether with every training, and for which reason; "*" for one that no outcome asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field in one use, for one role and purpose, in the data of agencies alike in it."""

    place: str  # "Person.identifiers", as the matrix names it
    field: str
    use: str  # "read" or a use
    role: str
    purpose: str
    reason: str  # "*", or a code with which the outcome is another
    data: str  # agencies, or "*" for all that were asked for
    training: str  # "with" or "without", or "*" where it is the same
    outcome: str
    rule: str

    def values(self) -> tuple[str, ...]:
        """In the order of COLUMNS."""
        return astuple(self)


def rows(
    program: Path,
    policies: Path,
    everything: Everything,
    agencies: Sequence[str],
    *,
    roles: Sequence[str],
    purposes: Sequence[str],
) -> Iterator[Row]:
    """The rows of some roles and purposes in the data of some agencies; of a purpose that a role
    does not hold one, that it is refused.

    Raises:
        RuntimeError: the rules do not decide.
    """
    askers = [one for one in everything.askers() if one.role in roles and one.purpose in purposes]
    asked = [everything.question(asker, agencies) for asker in askers]
    told = each(program, policies, asked, "data.gateway.decision")
    by_question: dict[tuple[str, str], dict[Asked, Decision]] = {}
    for asker, result in zip(askers, told, strict=True):
        key = (asker.role, asker.purpose)
        reason = _EVERY if asker.reason == everything.usual else asker.reason
        by_question.setdefault(key, {})[asker.trained, reason] = read_decision(result)
    for role in roles:
        for purpose in purposes:
            if (decisions := by_question.get((role, purpose))) is None:
                yield _refused(role, purpose, everything.tables["roles"][role])
            else:
                yield from _decided(everything, role, purpose, decisions, agencies)


def _refused(role: str, purpose: str, row: Mapping[str, Any]) -> Row:
    rule = "refuse.purpose" if row["queries"] else "refuse.no_queries"
    return Row(
        place=_EVERY, field=_EVERY, use=_EVERY, role=role, purpose=purpose, reason=_EVERY,
        data=_EVERY, training=_EVERY, outcome="REFUSED", rule=rule,
    )  # fmt: skip


def _decided(
    everything: Everything,
    role: str,
    purpose: str,
    decisions: Mapping[Asked, Decision],
    agencies: Sequence[str],
) -> Iterator[Row]:
    for place, resource in everything.resources.items():
        for use, names in {"read": resource["read"], **resource["uses"]}.items():
            for name in names:
                cells: dict[tuple[str, str], dict[Asked, list[str]]] = {}
                for asked, decision in decisions.items():
                    for agency in agencies:
                        ruling = decision.rulings.get(f"{agency}-{place}", Ruling())
                        cell = cells.setdefault(_cell(ruling, use, name), {})
                        cell.setdefault(asked, []).append(agency)
                for (outcome, rule), whose in cells.items():
                    for training, reason, data in _alike(whose):
                        yield Row(
                            place=place,
                            field=".".join(map(camel, name.split("."))),
                            use=use,
                            role=role,
                            purpose=purpose,
                            reason=reason,
                            data=_EVERY if data == [*agencies] else " ".join(data),
                            training=training,
                            outcome=outcome,
                            rule=rule,
                        )


def _alike(whose: Mapping[Asked, list[str]]) -> Iterator[tuple[str, str, list[str]]]:
    """(training, reason, agencies) of one outcome: one row where training makes no difference, and
    none for a reason that makes none."""
    trained, untrained = (whose.get((held, _EVERY)) for held in (True, False))
    if trained == untrained and trained is not None:
        yield _EVERY, _EVERY, trained
    for (held, reason), data in whose.items():
        if data != trained if reason != _EVERY else trained != untrained:
            yield "with" if held else "without", reason, data


def _cell(ruling: Ruling, use: str, name: str) -> tuple[str, str]:
    """The outcome of a field in a use, and the rule that it stands on where it says one."""
    note = ruling.note(name)
    if ruling.show is Show.SILENT:
        return "SILENT", ""
    if use != "read" and ruling.show is not None:
        return "PERMITTED" if (Use(use), name) in ruling.uses else "DENIED", note.rule
    if ruling.show is not Show.RECORDS:
        return "WITHHELD" if ruling.show is None else ruling.show.upper(), note.rule
    if name == "ref" and ruling.read.get(name) == CLEAR and ruling.whole != CLEAR:
        return BY_CONDITIONS, ruling.notes.get(WHOLE, note).rule
    return shown(ruling.read.get(name)), note.rule
