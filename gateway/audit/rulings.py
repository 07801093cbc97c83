"""What policy decided on one question, as its intent keeps it: how each thing asked for was to be
shown, and by which rule. Pure.

A row says of one place (`Person.names`, `Vehicle>Sighting`) and one use how the fields named, or
all that were asked for, were to be treated at these sources; it holds no value, and nothing of what
was found. What is silent lies apart: it looks like nothing held, also to whoever audits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, TypeAlias

from gateway.audit.entry import Written, canonical
from gateway.model import CLEAR, HIT_ONLY, SILENT, WHOLE, Decision, Manner, Ruling, Show

READ: Final = "read"
"""The use of a field that is to be shown; others are those of policy (`filter`, `link`, …)."""
RECORD: Final = "record"
"""The same of a record or an element as a whole."""
BEYOND: Final = "beyond"
"""The same of more records or elements than a number, which stands in the place of the fields."""
WITHHELD: Final = "WITHHELD"
COUNT: Final = "COUNT"

_How: TypeAlias = tuple[str, str, tuple[str, ...], str, str]
"""Place, use, fields (none: all that were asked for), manner, rule."""
_UNRULED: Final = Ruling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """One row, as somebody reads it."""

    place: str
    use: str
    fields: tuple[str, ...]  # () stands for all that were asked for
    manner: str  # CLEAR, WITHHELD, HIT_ONLY, COUNT, masks; of several each holds in some case
    rule: str
    sources: tuple[str, ...]  # of what is clear none is named: the one left out would be silent


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulings:
    """A decision, written: what its asker's agency may know of it, and what only the keeper may."""

    told: Written
    kept: Written  # an object: what is `silent`, and how many `duties` of which kind there were


def rulings_of(question: Mapping[str, Any], decision: Decision) -> Rulings:
    """What a decision says of all that its question names, once for each decision."""
    resources: Mapping[str, Mapping[str, Any]] = question["resources"]
    return decision.made.once("rulings", lambda: _written(resources, decision))


def decision_digest(question: Written, rulings: Rulings) -> str:
    """SHA-256 over the question, the rulings and what the keeper has; the leaf has its token."""
    whole = {"question": question, "rulings": rulings.told, "kept": rulings.kept}
    return sha256(Written.of(whole)).hexdigest()


def digest_again(asker: Mapping[str, Any], keeper: Mapping[str, Any]) -> str:
    """The same from what lies sealed.

    Raises:
        KeyError: there is no decision.
        InvalidEntry: it is none.
    """
    written = Rulings(
        told=Written(canonical(asker["rulings"])), kept=Written(canonical(dict(keeper)))
    )
    return decision_digest(Written(canonical(asker["question"])), written)


def read_rulings(rows: object) -> tuple[Ruled, ...]:
    """What was written, to be shown; what is not written so is left out."""
    held: dict[_How, dict[str, None]] = {}
    for row in rows if isinstance(rows, Sequence) and not isinstance(rows, str) else ():
        try:
            place, use, fields, manner, rule, sources = row
            how = (str(place), str(use), tuple(map(str, fields)), str(manner), str(rule))
            names = () if manner == CLEAR else map(str, sources)
        except (TypeError, ValueError):
            continue
        held.setdefault(how, {}).update(dict.fromkeys(names))
    return tuple(
        Ruled(place=place, use=use, fields=fields, manner=manner, rule=rule, sources=tuple(sources))
        for (place, use, fields, manner, rule), sources in held.items()
    )


def rules_held_against(rows: object) -> frozenset[str]:
    """The rules by which something was not to be shown in full, whatever is held."""
    return frozenset(row.rule for row in read_rulings(rows) if row.manner != CLEAR and row.rule)


# --- writing -------------------------------------------------------------------------------------


def _written(resources: Mapping[str, Mapping[str, Any]], decision: Decision) -> Rulings:
    rulings = decision.rulings
    told: dict[_How, list[str]] = {}
    silent: dict[_How, list[str]] = {}
    asked_for = {} if decision.refuse else resources  # a refusal rules on nothing: the leaf has it
    for name, asked in asked_for.items():
        quiet = any(_silent(rulings, one) for one in _around(name, resources))
        for how in _of(_place(name, resources), asked, rulings.get(name, _UNRULED)):
            kept = silent if quiet or how[3] == SILENT else told
            kept.setdefault(how, []).append(str(asked["source"]))
    duties = dict(Counter(duty.type for duty in decision.obligations))
    return Rulings(told=_rows(told), kept=Written.of({"silent": _rows(silent), "duties": duties}))


def _rows(held: Mapping[_How, Sequence[str]]) -> Written:
    return Written(canonical([[*how, sorted(set(names))] for how, names in sorted(held.items())]))


def _silent(rulings: Mapping[str, Ruling], name: str) -> bool:
    return rulings.get(name, _UNRULED).show is Show.SILENT


def _around(name: str, resources: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """A resource, and all that enclose it: what is beneath something silent is as silent."""
    at: str | None = name
    while at is not None and at in resources:
        yield at
        enclosing, _, inner = at.rpartition(".")
        at = (enclosing or None) if inner and enclosing in resources else resources[at]["parent"]


def _place(name: str, resources: Mapping[str, Mapping[str, Any]]) -> str:
    """`f2.names`, a person's reached over a vehicle: `Vehicle>Person.names`."""
    fetch, _, path = name.partition(".")
    chain: list[str] = []
    at: str | None = fetch
    while at is not None and at in resources:
        chain.append(str(resources[at]["entity"]))
        at = resources[at]["parent"]
    return ">".join(reversed(chain)) + (f".{path}" if path else "")


def _of(place: str, asked: Mapping[str, Any], ruling: Ruling) -> Iterator[_How]:
    """How everything that was asked of one resource is to be treated."""
    if ruling.show is Show.RECORDS and ruling.limit > 0:
        yield from _fields(place, asked["read"], ruling)
        if ruling.whole != CLEAR:
            yield from _by(place, RECORD, (), ruling.whole, ruling.note(WHOLE).rule)
        if ruling.limit < asked["limit"]:
            yield place, BEYOND, (str(ruling.limit),), WITHHELD, ruling.note().rule
    else:
        manner = {Show.SILENT: SILENT, Show.HIT: HIT_ONLY, Show.COUNT: COUNT}
        rule = ruling.note().rule
        yield place, RECORD, (), manner.get(ruling.show or Show.RECORDS, WITHHELD), rule
    if ruling.beside is not None:
        yield place, "beside", (), HIT_ONLY, ruling.beside.note.rule
    if ruling.show not in (None, Show.SILENT):
        for use, fields in asked["uses"].items():
            yield from _uses(place, use, fields, ruling)


def _fields(place: str, asked: Sequence[str], ruling: Ruling) -> Iterator[_How]:
    held: dict[tuple[Manner, str], list[str]] = {}
    for field in asked:
        manner = ruling.read.get(field, WITHHELD)
        held.setdefault((manner, ruling.note(field).rule), []).append(field)
    for (manner, rule), fields in held.items():
        yield from _by(place, READ, _named(fields, asked), manner, rule)


def _by(place: str, use: str, fields: tuple[str, ...], manner: Manner, rule: str) -> Iterator[_How]:
    """A row; two where some cases are silent, which whoever reads the first is not to learn."""
    words = [manner] if isinstance(manner, str) else [case.manner for case in manner]
    told = " ".join(dict.fromkeys(word for word in words if word != SILENT))
    if told:
        yield place, use, fields, told, rule
    if SILENT in words:
        yield place, use, fields, SILENT, rule


def _uses(place: str, use: str, asked: Sequence[str], ruling: Ruling) -> Iterator[_How]:
    allowed = {field for granted, field in ruling.uses if granted == use}
    held: dict[tuple[str, str], list[str]] = {}
    for field in asked:
        manner = CLEAR if field in allowed else WITHHELD
        held.setdefault((manner, ruling.note(field).rule), []).append(field)
    for (manner, rule), fields in held.items():
        yield place, use, _named(fields, asked), manner, rule


def _named(fields: Iterable[str], asked: Sequence[str]) -> tuple[str, ...]:
    """The fields by name; () where they are all that were asked for."""
    named = tuple(sorted(fields))
    return () if len(named) == len(asked) else named
