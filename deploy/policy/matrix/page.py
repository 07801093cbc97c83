"""One question's cells as a text for people, the same each time it is made."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any, Final, TypeAlias

from connectors.conditions import And
from deploy.demo.personas import PERSONAS
from deploy.policy.engine import each
from deploy.policy.matrix.asking import HERE, Desk, Officers, officers_questions
from deploy.policy.matrix.cells import Cell, Seen
from deploy.policy.words import words
from gateway.catalogue.check import load_catalogue
from gateway.policy.contract import read_decision

CELLS: Final = HERE / "cells"
_CATALOGUE: Final = Path(__file__).parents[2] / "catalogue"
_LEGEND: Final = """\
CLEAR          in full; another word in capitals is a mask (docs/policy.md)
RECORDS        shown, field by field as below; ELEMENTS likewise, of a list in a record
BY CONDITIONS  a hit where its owner's conditions of handling make it one (docs/policy.md)
CASES          by record or element, the first that holds counts
COUNT          how many are held, and nothing else
HIT            that something is held, and whom to ask
WITHHELD       not shown, and said so: (rule; desk)
SILENT         as if nothing were held
NOT ASKED      what it hangs on is not shown
REFUSED        the whole question, before any source is asked: (rule; desk)
"""


Everybody: TypeAlias = Mapping[str, Mapping[str, Seen]]
"""What each persona sees for each purpose, and with another reason ("APPREHEND with R03")."""
_WITH: Final = " with "


def answers(
    program: Path, policies: Path, only: Collection[str] = ()
) -> Iterator[tuple[Officers, Everybody]]:
    """Each of the officers' questions, or `only` those of these names, asked by every persona for
    every purpose.

    Raises:
        RuntimeError: the rules do not decide.
    """
    desk = Desk(load_catalogue(_CATALOGUE))
    forms = {
        agency: next(iter(row.get("case_forms", ())), "")
        for agency, row in _table(policies, "agencies").items()
    }
    own_desk = frozenset(
        name
        for name, outcome in _table(policies, "outcomes").items()
        if outcome.get("note", {}).get("desk", "owner") == "owner"
    ) | {"handling"}
    purposes = desk.catalogue.vocabulary.enums["Purpose"]
    for officers in officers_questions():
        if only and officers.name not in only:
            continue
        plans = {code: desk.plan(officers, code) for code in PERSONAS}
        whys = {purpose: (purpose, officers.reason) for purpose in purposes} | {
            f"{purpose}{_WITH}{code}": (purpose, code)
            for code in officers.also
            for purpose in purposes
        }
        asked = [
            # A reference in the form of the persona's own agency: its nines are any digits.
            desk.question(plans[code], code, *why, forms[persona.agency])
            for code, persona in PERSONAS.items()
            for why in whys.values()
        ]
        told = iter(each(program, policies, asked, "data.gateway.decision"))
        yield (
            officers,
            {
                code: {
                    why: Seen(
                        plans[code],
                        read_decision(next(told)),
                        desk.agencies,
                        desk.catalogue.vocabulary,
                        own_desk,
                    )
                    for why in whys
                }
                for code in PERSONAS
            },
        )


def _table(policies: Path, name: str) -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(
        (policies / "tables" / name / "data.json").read_text("utf-8")
    )
    return table


def page(officers: Officers, everybody: Everybody) -> str:
    """One question's cells, the same each time."""
    return "\n".join(_page(officers, everybody)) + "\n"


def _page(officers: Officers, everybody: Everybody) -> Iterator[str]:
    number, _, _ = officers.name.partition("_")
    yield f"{number.upper()}  {officers.title}"
    also = f"; with {' '.join(officers.also)} where it differs" if officers.also else ""
    yield f"Asked with {officers.reason} and every reference{also}. Written by: make matrix"
    if officers.lacking:
        yield "\n" + fill(officers.lacking, 96)
    yield "\n" + officers.document.strip()
    if unasked := _unasked(everybody):
        yield f"\nCannot be asked so: {unasked}"
    yield "\n" + _LEGEND
    alike: dict[tuple[str, ...], str] = {}
    for code, by_purpose in everybody.items():
        persona = PERSONAS[code]
        text = tuple(_persona(by_purpose))
        yield f"{'=' * 96}\n{code}  {persona.title}, {persona.agency}\n"
        if text in alike:
            yield f"  the same as {alike[text]}\n"
        else:
            alike[text] = code
            yield from text


def _unasked(everybody: Everybody) -> str:
    """Sources that hold what is asked for and cannot search by these criteria."""
    plans = [seen.plan for by_purpose in everybody.values() for seen in by_purpose.values()]
    return ", ".join(sorted({s for plan in plans for root in plan.roots for s in root.not_held}))


def _persona(by_purpose: Mapping[str, Seen]) -> Iterator[str]:
    refused: dict[str, list[str]] = {}
    blocks: dict[tuple[str, ...], list[str]] = {}
    told = {why: _told(seen) for why, seen in by_purpose.items()}
    for why, (no, block) in told.items():
        purpose, another, _ = why.partition(_WITH)
        if another and told[purpose] == (no, block):
            continue
        if no:
            refused.setdefault(no, []).append(why)
        else:
            blocks.setdefault(block, []).append(why)
    for block, purposes in blocks.items():
        yield f"  {', '.join(purposes)}"
        yield from block
        yield ""
    for outcome, purposes in refused.items():
        yield fill(
            f"{outcome}: {', '.join(purposes)}", 96, initial_indent="  ", subsequent_indent="    "
        )
    yield ""


def _told(seen: Seen) -> tuple[str, tuple[str, ...]]:
    """The refusal, or else what is seen."""
    if (note := seen.decision.refuse) is not None:
        return seen.said("REFUSED", note), ()
    return "", tuple(_block(seen))


def _block(seen: Seen) -> Iterator[str]:
    if guard := seen.guard():
        yield _wrapped("every record", words(And(guard)))
    if duties := _duties(seen):
        yield _wrapped("duties", duties)
    cells = list(seen.cells())
    for place in dict.fromkeys(cell.place for cell in cells):
        yield f"    {place}"
        yield from _place([cell for cell in cells if cell.place == place])


def _wrapped(name: str, text: str) -> str:
    return fill(f"{name}: {text}", 110, initial_indent="    ", subsequent_indent="      ")


def _duties(seen: Seen) -> str:
    """What the gateway must do besides counting the question and telling owners."""
    named = {
        f"budget {one.attributes['name']}" if one.type == "budget" else one.type
        for one in seen.decision.obligations
    }
    return ", ".join(sorted(named))


def _place(cells: Sequence[Cell]) -> Iterator[str]:
    """A line for each outcome of a field; fields that are alike for all agencies share lines."""
    by_field: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        agencies = by_field.setdefault(cell.field, {}).setdefault(cell.outcome, [])
        if cell.agency not in agencies:
            agencies.append(cell.agency)
    shared: dict[tuple[tuple[str, tuple[str, ...]], ...], list[str]] = {}
    for field, outcomes in by_field.items():
        same = tuple((outcome, tuple(sorted(whose))) for outcome, whose in outcomes.items())
        shared.setdefault(same, []).append(field)
    for same, fields in shared.items():
        for outcome, whose in same:
            yield f"      {', '.join(fields)} [{' '.join(whose)}]: {outcome}"
