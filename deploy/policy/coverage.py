"""Everything that the rules decide: each field and use, by role, purpose and agency, as rows.

`portcullis policy coverage` prints them. A place is decided by itself, as if what is around it were
shown: `deploy.policy.matrix` has what becomes of whole questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Final

from deploy.policy.engine import each
from deploy.policy.everything import Everything
from deploy.policy.words import BY_CONDITIONS, shown
from gateway.catalogue.schema import camel
from gateway.model import CLEAR, WHOLE, Decision, Ruling, Show, Use
from gateway.policy.contract import read_decision

COLUMNS: Final = ("place", "field", "use", "role", "purpose", "data", "training", "outcome", "rule")
_EVERY: Final = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One field in one use, for one role and purpose, in the data of agencies alike in it."""

    place: str  # "Person.identifiers", as the matrix names it
    field: str
    use: str  # "read" or a use
    role: str
    purpose: str
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
    by_question: dict[tuple[str, str], dict[bool, Decision]] = {}
    for asker, result in zip(askers, told, strict=True):
        key = (asker.role, asker.purpose)
        by_question.setdefault(key, {})[asker.trained] = read_decision(result)
    for role in roles:
        for purpose in purposes:
            if (decisions := by_question.get((role, purpose))) is None:
                yield _refused(role, purpose, everything.tables["roles"][role])
            else:
                yield from _decided(everything, role, purpose, decisions, agencies)


def _refused(role: str, purpose: str, row: Mapping[str, Any]) -> Row:
    rule = "refuse.purpose" if row["queries"] else "refuse.no_queries"
    return Row(
        place=_EVERY, field=_EVERY, use=_EVERY, role=role, purpose=purpose, data=_EVERY,
        training=_EVERY, outcome="REFUSED", rule=rule,
    )  # fmt: skip


def _decided(
    everything: Everything,
    role: str,
    purpose: str,
    decisions: Mapping[bool, Decision],
    agencies: Sequence[str],
) -> Iterator[Row]:
    for place, resource in everything.resources.items():
        for use, names in {"read": resource["read"], **resource["uses"]}.items():
            for name in names:
                cells: dict[tuple[str, str], dict[bool, list[str]]] = {}
                for trained, decision in decisions.items():
                    for agency in agencies:
                        ruling = decision.rulings.get(f"{agency}-{place}", Ruling())
                        cell = cells.setdefault(_cell(ruling, use, name), {})
                        cell.setdefault(trained, []).append(agency)
                for (outcome, rule), whose in cells.items():
                    for training, data in _alike(whose):
                        yield Row(
                            place=place,
                            field=".".join(map(camel, name.split("."))),
                            use=use,
                            role=role,
                            purpose=purpose,
                            data=_EVERY if data == [*agencies] else " ".join(data),
                            training=training,
                            outcome=outcome,
                            rule=rule,
                        )


def _alike(whose: Mapping[bool, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """(training, agencies) of one outcome: one row where training makes no difference."""
    if whose.get(True) == whose.get(False):
        yield _EVERY, whose[True]
        return
    for trained, data in whose.items():
        yield "with" if trained else "without", data


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
