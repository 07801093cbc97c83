"""`portcullis policy`: what somebody sees of a field and why, and all that the rules decide.

The rules decide, in a real Open Policy Agent, and the gateway's own code narrows what they allow;
this only puts both into a sentence.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from connectors.conditions import ALWAYS
from deploy.demo.personas import PERSONAS
from deploy.policy.coverage import COLUMNS, rows
from deploy.policy.engine import EXPLAIN, run
from deploy.policy.everything import Everything
from deploy.policy.places import Place, places
from deploy.policy.reach import tables_of
from deploy.policy.words import words
from gateway.catalogue.check import load_catalogue
from gateway.catalogue.mapping import Catalogue
from gateway.catalogue.vocabulary import Vocabulary
from gateway.cli.common import ROOT, Commands, at_work, command
from gateway.cli.demo import find_opa
from gateway.errors import Refused
from gateway.model import (
    CLEAR,
    SILENT,
    Beside,
    Case,
    Decision,
    Fetch,
    Justification,
    Note,
    Part,
    PartGrant,
    Plan,
    Ruling,
    Show,
    Use,
    resource_id,
)
from gateway.policy.contract import question, read_decision
from gateway.policy.enforce import authorise
from gateway.policy.masks import MASKS
from gateway.policy.obligations import OBLIGATIONS
from gateway.query.reading import told_parts

_ACTIONS: Final = {"call": "call", "refer": "refer to", "requestRelease": "request release from"}
_SETTINGS: Final = "policies/tables/switches/data.json, firewall_settings"
_SHOWN: Final = {
    None: "withheld",
    Show.SILENT: "silent, as if nothing were held",
    Show.HIT: "a hit, only that something is held",
    Show.COUNT: "counted, not shown",
}


def register(commands: Commands) -> None:
    group = commands.add_parser("policy", help="Say what the rules decide, and why.")
    inner = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    made = command(
        inner,
        "explain",
        _explain,
        help_text="Who sees a field how, by which rule and which row of which table: asked of a "
        "real Open Policy Agent, as if reason, case and incident were given.",
        examples="  portcullis policy explain --as RO --field Identifier.value \\\n"
        "    --purpose APPREHEND\n"
        "  portcullis policy explain --as BF --field Person.safeguarding.kind \\\n"
        "    --purpose BORDER_SECURITY --agency NMC\n"
        "  portcullis policy explain --as RO --field Place.postcode --purpose OFFICER_SAFETY \\\n"
        "    --policies /tmp/policies",
    )
    made.add_argument("--as", dest="persona", choices=sorted(PERSONAS), required=True, help="who")
    made.add_argument("--field", required=True, help="GraphQL name: Type.field or Type.part.field")
    made.add_argument("--purpose", required=True, help="for instance OFFICER_SAFETY")
    made.add_argument("--reason", default="R06", help="its code (default: R06, an investigation)")
    made.add_argument("--agency", help="whose data (left out: each agency that holds the field)")
    made.add_argument("--policies", type=Path, default=ROOT / "policies", help="a changed copy")
    made = command(
        inner,
        "coverage",
        _coverage,
        help_text="Everything that the rules decide, as CSV: each field and use of each place, by "
        "role and purpose, with its outcome in each agency's data. All of it takes a minute.",
        examples="  portcullis policy coverage > coverage.csv\n"
        "  portcullis policy coverage --role response_officer --purpose APPREHEND\n"
        "  portcullis policy coverage --role bureau_officer --policies /tmp/policies",
    )
    made.add_argument("--role", help="only this row of the table of roles")
    made.add_argument("--purpose", help="only this purpose, for instance OFFICER_SAFETY")
    made.add_argument("--policies", type=Path, default=ROOT / "policies", help="a changed copy")


def _coverage(given: argparse.Namespace) -> int:
    if (program := find_opa()) is None:
        return 1
    catalogue = load_catalogue(ROOT / "deploy" / "catalogue")
    everything = Everything(catalogue.vocabulary, tables_of(given.policies))
    chosen: dict[str, list[str]] = {}
    for what, named in (("role", given.role), ("purpose", given.purpose)):
        every = list(everything.tables[f"{what}s"])
        if named:
            _one_of(what, named, every)
        chosen[f"{what}s"] = [named] if named else every
    agencies = sorted({source.agency for source in catalogue.sources.values()})
    out = csv.writer(sys.stdout, lineterminator="\n")
    out.writerow(COLUMNS)
    for row in rows(program, given.policies, everything, agencies, **chosen):
        out.writerow(row.values())
    return 0


def _explain(given: argparse.Namespace) -> int:
    catalogue = load_catalogue(ROOT / "deploy" / "catalogue")
    _one_of("purpose", given.purpose, catalogue.vocabulary.enums["Purpose"])
    every = list(places(catalogue.vocabulary))
    chosen = [place for place in every if given.field in place.names]
    type_ = given.field.partition(".")[0]
    near = {n for p in every for n in p.names if n.startswith(f"{type_}.")}
    _one_of("field", given.field, near if chosen or near else {p.type for p in every})
    held = {place: _plan(place, catalogue, given.agency) for place in chosen}
    if not any(plan.fetches for plan in held.values()):
        holders = {s.agency for s in catalogue.sources.values()}
        raise SystemExit(
            f"No source of {given.agency or 'any agency'} holds {given.field}. "
            f"Agencies: {', '.join(sorted(holders))}."
        )
    for place, plan in held.items():
        if plan.fetches:
            for sentence in explained(given.persona, place, plan, given, catalogue):
                print(sentence)
    return 0


def _one_of(what: str, named: str, choices: Sequence[str] | set[str]) -> None:
    if named not in choices:
        raise SystemExit(f"No {what} {named}. Choose of: {', '.join(sorted(choices))}.")


# --- the question ---


def _plan(place: Place, catalogue: Catalogue, agency: str | None) -> Plan:
    """One visit to each source that holds the place, or to those of one agency."""
    parts = tuple(_parts(place, catalogue.vocabulary))
    known = {part.path for part in parts}
    told = told_parts(
        catalogue.vocabulary, place.entity, _learnt(place, catalogue.vocabulary), known
    )
    asked = f"{place.path}.{place.field}" if place.path else place.field
    field = catalogue.vocabulary.fields_of(place.type).get(place.field)
    everywhere = field is None or field.derived
    fetches = [
        Fetch(id="", source=source.id, entity=place.entity, parts=parts, told=told)
        for source in catalogue.holders(place.entity)
        if agency in (None, source.agency)
        and (everywhere or source.entities[place.entity].holds_field(asked))
    ]
    return Plan(fetches=tuple(_numbered(fetches)))


def _numbered(fetches: Sequence[Fetch]) -> Iterator[Fetch]:
    for number, one in enumerate(fetches):
        yield replace(one, id=f"f{number}")


def _parts(place: Place, vocabulary: Vocabulary) -> Iterator[Part]:
    """The record, what encloses the field, and what a derived one is worked out from."""
    steps = place.path.split(".") if place.path else []
    reads: dict[str, set[str]] = {".".join(steps[:deep]): set() for deep in range(len(steps) + 1)}
    reads[place.path].add(place.field)
    for source in vocabulary.derived.get((place.type, place.field), ()):
        inner, _, field = source.rpartition(".")
        reads.setdefault(".".join(filter(None, (place.path, inner))), set()).add(field)
    learnt = _learnt(place, vocabulary)
    told = vocabulary.reveals.get((place.type, place.field), ())
    for path, fields in reads.items():
        type_ = vocabulary.field_at(place.entity, path).type.name if path else place.entity
        names = {name for one in told for name in one.fields} if path == place.path else set()
        yield Part(
            path=path,
            type=type_,
            reads=frozenset(fields),
            uses=frozenset((Use.REVEAL, name) for name in names),
            filters=frozenset(field for at, field in learnt if at == path),
        )


def _learnt(place: Place, vocabulary: Vocabulary) -> set[tuple[str, str]]:
    """Where what a reader of the field learns besides stands, as (part, field)."""
    told = vocabulary.reveals.get((place.type, place.field), ())
    names = {name for one in told for name in one.fields}
    return {at for name in names for at in vocabulary.contents(place.entity, name)}


def _told(asked: Mapping[str, Any], policies: Path) -> Mapping[str, Any]:
    """What the rules decide, and where each part of it came from."""
    if (program := find_opa()) is None:
        raise SystemExit(1)
    bundles = ("--bundle", str(policies.absolute()), "--bundle", str(EXPLAIN))
    words = ("eval", *bundles, "--stdin-input", "--format=json", "data.explain.told")
    done = run(program.absolute(), ROOT, *words, given=json.dumps(asked))
    if done.returncode != 0 or "result" not in (read := json.loads(done.stdout)):
        raise SystemExit(f"The policies do not decide: {done.stderr or done.stdout}".strip())
    found: Mapping[str, Any] = read["result"][0]["expressions"][0]["value"]
    return found


# --- the sentence ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What becomes of a place in one source's data, and what in the policies decides it."""

    place: Place
    grant: PartGrant
    refused: bool
    bound: bool  # its record or element is a hit where its owner's conditions make it one
    held_back: bool  # the rules show it and the gateway does not, as more would be told by it
    found: Sequence[tuple[str, Sequence[str | int]]]  # files, and the way to the key in each
    note: Note
    beside: Beside | None  # records that are not shown, of which a hit is told

    def sentence(self, desks: Mapping[str, Any]) -> str:
        grant = self.grant
        seen = grant.show not in (None, Show.SILENT) and grant.rows != ALWAYS
        where = f", in rows where {words(grant.rows)}" if seen else ""
        if self.bound and grant.show is Show.RECORDS:
            where += ", as its owner's conditions allow (policies/tables/handling/data.json)"
        found = "; ".join(f"policies/{file}, {' / '.join(map(str, at))}" for file, at in self.found)
        rule = f" (rule {self.note.rule})" if self.note.rule else ""
        next_ = _next(self.note, desks)
        said = f"{self.place.said} is {self._shown()}{where}; decided by {found}{rule}{next_}."
        return said if self.beside is None else f"{said} {_besides(self.beside, desks)}"

    def _shown(self) -> str:
        if self.refused:
            return "refused with the whole question"
        if self.held_back:
            return "withheld, because it would tell of a field that is not clear"
        if self.grant.show is not Show.RECORDS:
            return _SHOWN[self.grant.show]
        manner = self.grant.read.get(self.place.field)
        return _as(manner) if isinstance(manner, str | None) else _by_case(manner)


def explained(
    code: str, place: Place, plan: Plan, given: argparse.Namespace, catalogue: Catalogue
) -> Iterator[str]:
    """A sentence for each way in which the agencies' data are treated."""
    now = datetime.now(UTC)
    agencies = {source.id: source.agency for source in catalogue.sources.values()}
    why = Justification(
        purpose=given.purpose, reason_code=given.reason, reason_text="x", case_ref="x",
        incident_ref="x", on_behalf_of="x",
    )  # fmt: skip
    subject = at_work(PERSONAS[code], now)
    asked = question(plan, subject, why, agencies=agencies, now=now, query_id="explain")
    told = _told(asked, given.policies)
    desks = json.loads((given.policies / "tables" / "desks" / "data.json").read_text("utf-8"))
    alike: dict[str, list[str]] = {}
    for fetch in plan.fetches:
        said = _finding(fetch, place, told, catalogue.vocabulary).sentence(desks)
        alike.setdefault(said, []).append(agencies[fetch.source])
    for said, whose in alike.items():
        yield f"{code} for {given.purpose}, data of {', '.join(sorted(set(whose)))}: {said}"


def _finding(
    fetch: Fetch, place: Place, told: Mapping[str, Any], vocabulary: Vocabulary
) -> Finding:
    decision = read_decision(told["decision"])
    grant = _grant(fetch, place, decision, vocabulary)
    path = _deciding(fetch, place, decision)
    at = resource_id(fetch.id, path)
    ruling = decision.rulings.get(at, Ruling())
    allowed = path == place.path and place.field in ruling.read
    return Finding(
        place=place,
        grant=grant,
        refused=decision.refuse is not None,
        bound=_bound(decision, fetch.id, at),
        held_back=allowed and place.field not in grant.read,
        found=told["sources"][at][place.field if path == place.path else ""],
        note=decision.refuse or _note_of(ruling, grant, place.field),
        beside=decision.rulings.get(fetch.id, Ruling()).beside,
    )


def _note_of(ruling: Ruling, grant: PartGrant, field: str) -> Note:
    """What is said of the field: of one that is plainly shown nothing but what stands anyway."""
    if grant.show is Show.RECORDS and grant.read.get(field) == CLEAR:
        return ruling.notes.get(field) or ruling.notes.get("", Note())
    return ruling.note(field)


def _bound(decision: Decision, *resources: str) -> bool:
    """Whether the conditions of their owner bind a record or a part of it."""
    rulings = [one for name in resources if (one := decision.rulings.get(name)) is not None]
    return any(one.show is Show.RECORDS and one.whole != CLEAR for one in rulings)


def _deciding(fetch: Fetch, place: Place, decision: Decision) -> str:
    """The outermost part whose ruling is not to show records, else the field's own part."""
    steps = place.path.split(".") if place.path else []
    for path in (".".join(steps[:deep]) for deep in range(len(steps))):
        ruling = decision.rulings.get(resource_id(fetch.id, path))
        if ruling is not None and ruling.show is not Show.RECORDS:
            return path
    return place.path


def _grant(fetch: Fetch, place: Place, decision: Decision, vocabulary: Vocabulary) -> PartGrant:
    """What the gateway would show of the place, were this all that is asked."""
    nothing = PartGrant(part=fetch.part(place.path), show=None)
    try:
        agreed = authorise(
            Plan(fetches=(fetch,)), decision,
            masks=MASKS.keys(), duties=OBLIGATIONS.keys(), vocabulary=vocabulary,
        )  # fmt: skip
    except Refused:
        return nothing
    if fetch.id in agreed.silent:
        return replace(nothing, show=Show.SILENT)
    return agreed.grants[fetch.id].parts[place.path]


def _by_case(manner: Sequence[Case]) -> str:
    cases = [
        f"else {_as(case.manner)}"
        if case.when == ALWAYS
        else f"{_as(case.manner)} where {words(case.when)}"
        for case in manner
    ]
    ends = () if manner[-1].when == ALWAYS else ("else withheld",)
    return f"shown by case ({', '.join((*cases, *ends))})"


def _as(manner: str | None) -> str:
    if manner is None:
        return "withheld"
    plain = {CLEAR: "shown in clear", SILENT: "silent", "HIT_ONLY": "a hit"}
    return plain.get(manner, f"masked by {manner}")


def _besides(told: Beside, desks: Mapping[str, Any]) -> str:
    """What is told of records that are not among those shown."""
    return (
        f"Besides, there is a hit, and nothing else, where {words(told.rows)}; decided by "
        f"{_SETTINGS} (rule {told.note.rule}){_next(told.note, desks)}."
    )


def _next(note: Note, desks: Mapping[str, Any]) -> str:
    if not note.desk:
        return ""
    desk = desks.get(note.desk, {"title": note.desk, "hours": "hours unknown"})
    action = _ACTIONS.get(note.action, "ask")
    return f"; next: {action} the {desk['title']} ({desk['hours']}), “{note.text.rstrip('.')}”"
