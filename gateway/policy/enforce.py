"""A plan narrowed to what policy permits. Nothing here can add a field, a row or a source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial
from weakref import WeakKeyDictionary

from connectors.conditions import NEVER, And, Compare, Condition, Or, fields_of
from gateway.errors import PolicyMisunderstood, Refused
from gateway.model import (
    CLEAR,
    SILENT,
    AuthorisedPlan,
    Beside,
    Decision,
    Fetch,
    Grant,
    Made,
    Manner,
    Note,
    Part,
    PartGrant,
    Parts,
    Plan,
    Ruling,
    Show,
    Structure,
    Use,
    manners,
    resource_id,
)
from gateway.policy.contract import MAX_ELEMENTS
from gateway.policy.groups import Vocabulary, masked_with, tells_around
from gateway.policy.masks import admits

# Denied, these take away what they serve and leave the rows as they are; any other denied use
# would leave more rows than a permitted one, so the whole fetch is withheld.
_PARTIAL = frozenset({Use.MATCH, Use.REVEAL, Use.IDENTIFY})

_UNRULED = Ruling()  # what a decision does not mention: nothing of it


def authorise(
    plan: Plan,
    decision: Decision,
    *,
    masks: AbstractSet[str],
    duties: AbstractSet[str],
    vocabulary: Vocabulary,
) -> AuthorisedPlan:
    """Narrow a plan to what the decision permits.

    It only ever narrows: a field, row or source is in the result only if it was both planned
    and allowed, and whatever the decision does not mention is denied.

    Raises:
        PolicyMisunderstood: the decision demands an obligation or mask we cannot carry out.
        Refused: the policy refuses, or there is nothing left and nothing to be silent about.
    """
    if decision.refuse:
        raise _refusal(decision.refuse)
    named = decision.made.once("masks", lambda: frozenset(_masks(decision.rulings.values())))
    unknown = named - masks - {CLEAR, SILENT}
    unknown |= {one.type for one in decision.obligations} - duties
    if unknown:
        raise PolicyMisunderstood(detail=f"cannot carry out {sorted(unknown)}")
    # What holds for all plans of one structure is worked out once for each decision on it, and kept
    # no longer than the structure: many questions of unlike ones may rest on the same decision.
    made = _of_structures(decision).setdefault(plan.structure, Made()) if plan.structure else Made()
    grants: dict[str, Grant] = {}
    beside: dict[str, Grant] = {}
    silent: set[str] = set()
    withheld: dict[str, Note] = {}
    for fetch in plan.visits:
        if not _reachable(fetch, grants):
            continue
        agreed = made.once(fetch.id, partial(_agreed, fetch, decision.rulings, vocabulary))
        if isinstance(agreed, Grant):
            agreed = _too_fine(fetch, decision.rulings) or agreed
        if isinstance(agreed, Grant):
            same = agreed.fetch is fetch
            grants[fetch.id] = agreed if same else replace(agreed, fetch=fetch)
            if (told := decision.rulings[fetch.id].beside) is not None:
                beside[fetch.id] = _beside(grants[fetch.id], told)
        elif agreed is None:
            silent.add(fetch.id)
        else:
            withheld[fetch.id] = agreed
    looks = {fetch.id: grants.pop(fetch.id) for fetch in plan.looks if fetch.id in grants}
    if plan.fetches and not grants and silent.isdisjoint(fetch.id for fetch in plan.fetches):
        raise _refusal(next(iter(withheld.values())))
    return AuthorisedPlan(
        plan=plan,
        serial=decision.serial,
        grants=grants,
        looks=looks,
        beside={name: told for name, told in beside.items() if name in grants},
        silent=frozenset(silent),
        withheld=withheld,
        obligations=decision.obligations,
    )


def _refusal(note: Note) -> Refused:
    return Refused(
        note.text, detail=f"refused by rule {note.rule!r}", rule=note.rule, contact=note.desk
    )


def _masks(rulings: Iterable[Ruling]) -> Iterator[str]:
    """Every manner named anywhere in a decision."""
    for ruling in rulings:
        for manner in ruling.read.values():
            if isinstance(manner, str):
                yield manner
            else:
                yield from (case.manner for case in manner)


def _reachable(fetch: Fetch, grants: Mapping[str, Grant]) -> bool:
    """A linked record can be shown only beneath a record that is shown."""
    if fetch.parent is None:
        return True
    parent = grants.get(fetch.parent)
    return parent is not None and parent.own.show is Show.RECORDS


def _never(condition: Condition) -> bool:
    """Whether the condition is plainly false, whatever the row."""
    match condition:
        case Or(parts):
            return all(_never(part) for part in parts)
        case And(parts):
            return any(_never(part) for part in parts)
        case _:
            return False


def _shown(ruling: Ruling) -> bool:
    return ruling.show is not None and ruling.limit > 0 and not _never(ruling.rows)


def _of_structures(decision: Decision) -> WeakKeyDictionary[Structure, Made]:
    return decision.made.once("structures", WeakKeyDictionary)


def _agreed(
    fetch: Fetch, rulings: Mapping[str, Ruling], vocabulary: Vocabulary
) -> Grant | Note | None:
    """What is agreed for a fetch, whatever values it asks for; why it may not be made; or None
    where it is to look as if nothing were held."""
    if rulings.get(fetch.id, _UNRULED).show is Show.SILENT:
        return None
    if (denied := _denied(fetch, rulings)) is not None:
        return denied
    own = rulings[fetch.id]
    if own.show is Show.RECORDS and tells_around(fetch, rulings):
        return own.notes.get("", Note())  # of a hit or a count nothing is seen that could tell
    return Grant(fetch=fetch, parts=_parts(fetch, rulings, vocabulary))


def keys_of(grant: Grant, rows: Condition, *, limit: int, after: str | int | None) -> Grant:
    """The same visit for the keys of other rows, found by the same elements, and nothing else."""
    asked = fields_of(grant.fetch.where) | {grant.fetch.link_by or ""}
    bare = {
        path: replace(part, read={}, whole=CLEAR, match=frozenset(), count=frozenset())
        for path, part in grant.parts.items()
    }
    parts = {
        path: part if any(field.startswith(f"{path}.") for field in asked) else _unread(part)
        for path, part in bare.items()
    }
    parts[""] = replace(bare[""], rows=rows, limit=limit)
    return Grant(fetch=replace(grant.fetch, after=after), parts=parts)


def elements_of(grant: Grant, path: str, rows: Condition, beside: AbstractSet[str]) -> Grant:
    """The same visit for other elements of one component: of these the fields that either rule on
    them rests on, and those `beside`, and nothing else."""
    look = keys_of(grant, grant.own.rows, limit=grant.own.limit, after=grant.fetch.after)
    part = grant.parts[path]
    read = dict.fromkeys(fields_of(rows) | fields_of(part.rows) | beside, CLEAR)
    bare = PartGrant(part=part.part, show=Show.RECORDS, limit=part.limit, rows=rows, read=read)
    return replace(look, parts={**look.parts, path: bare})


def _unread(part: PartGrant) -> PartGrant:
    """No element of it is read; it still finds its record as far as it may be seen."""
    return part if part.show is Show.SILENT else replace(part, show=None)


def _beside(grant: Grant, told: Beside) -> Grant:
    """The look for records that are told of and not shown: the same on every page, for one."""
    look = keys_of(grant, told.rows, limit=1, after=None)
    return replace(look, parts={**look.parts, "": replace(look.own, notes={"": told.note})})


def _denied(fetch: Fetch, rulings: Mapping[str, Ruling]) -> Note | None:
    """Why the fetch may not be made, whatever values it asks for; None if it may."""
    own = rulings.get(fetch.id, _UNRULED)
    if not _shown(own):
        return own.note()
    for part in fetch.parts:
        ruling = rulings.get(resource_id(fetch.id, part.path), _UNRULED)
        for use, field in sorted(part.uses - ruling.uses):
            counts_elements = use is Use.COUNT and part.path  # else records, whose total it is
            if use not in _PARTIAL and not counts_elements:
                return ruling.notes.get(field) or _unasked(ruling)
    return None


def _too_fine(fetch: Fetch, rulings: Mapping[str, Ruling]) -> Note | None:
    """Why the fetch may not ask for so exact a value: asking would tell what the mask hides."""
    own = rulings[fetch.id]
    parts = {part.path: part for part in fetch.parts}
    for asked in _comparisons(fetch.where):
        path, _, name = asked.field.rpartition(".")
        if path not in parts or name not in parts[path].filters:
            continue
        ruling = rulings.get(resource_id(fetch.id, path), _UNRULED)
        # Of a hit, a count or silence no value is shown: there policy's leave to filter is all.
        values_shown = ruling.show in {None, Show.RECORDS}
        if values_shown and (Use.IDENTIFY, asked.field) not in own.uses:
            shown = manners(ruling.read.get(name))
            if not shown or not all(one == CLEAR or admits(one, asked) for one in shown):
                return ruling.note(name) if ruling.notes else own.note()
    return None


def _comparisons(where: Condition) -> Iterator[Compare]:
    match where:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _comparisons(part)
        case Compare():
            yield where


def _unasked(ruling: Ruling) -> Note:
    """The standing note of a ruling that cannot be followed. A hit's text says that something is
    held, which nobody has looked for: only its desk and next step are kept.
    """
    note = ruling.note()
    return replace(note, text="") if ruling.show is Show.HIT else note


# --- parts ---------------------------------------------------------------------------------------


def _parts(fetch: Fetch, rulings: Mapping[str, Ruling], vocabulary: Vocabulary) -> Parts:
    """What is agreed for each part of a fetch that may be made."""
    shown: dict[str, PartGrant] = {}
    for part in sorted(fetch.parts, key=lambda part: part.path.count(".") + bool(part.path)):
        ruling = rulings.get(resource_id(fetch.id, part.path), _UNRULED)
        shown[part.path] = _part_grant(part, ruling, _around(part, shown), fetch.limit)
    settled: dict[str, PartGrant] = {}
    for part in fetch.parts:
        ruling = rulings.get(resource_id(fetch.id, part.path), _UNRULED)
        grant = _settled(part, shown, ruling, vocabulary)
        settled[part.path] = _told(masked_with(grant, fetch, rulings, vocabulary))
    return Parts(settled)


def _around(part: Part, shown: Mapping[str, PartGrant]) -> Show | None:
    """What is shown of the part that encloses this one."""
    if not part.path:
        return Show.RECORDS
    enclosing = shown.get(part.path.rpartition(".")[0])
    return (shown[""] if enclosing is None else enclosing).show


def _part_grant(part: Part, ruling: Ruling, around: Show | None, limit: int) -> PartGrant:
    show = ruling.show if _shown(ruling) or ruling.show is Show.SILENT else None
    rows = NEVER if show is None or show is Show.SILENT else ruling.rows
    if around is Show.SILENT:
        show, rows = Show.SILENT, NEVER
    elif around is not Show.RECORDS:
        show = None  # of a count or a hit nothing but keys is fetched
    agreed = part.uses & ruling.uses
    match = frozenset(field for use, field in agreed if use is Use.MATCH)
    if show is None or show is Show.SILENT:
        # Elements that are not shown may still find their record, as far as they may be seen; and
        # those of a hit may tell whether it is somebody's whom other rules protect.
        known = match if around is Show.HIT and ruling.show is Show.RECORDS else frozenset()
        return PartGrant(part=part, show=show, rows=rows, match=known, notes=ruling.notes)
    read = ruling.read if show is Show.RECORDS else {}
    return PartGrant(
        part=part,
        show=show,
        limit=min(MAX_ELEMENTS if part.path else limit, ruling.limit),
        rows=ruling.rows,
        whole=ruling.whole if show is Show.RECORDS else CLEAR,
        read={name: manner for name in sorted(part.reads) if (manner := read.get(name))},
        match=match,
        # A record's own count needs nothing read: it is how many are shown.
        count=frozenset(field for use, field in agreed if use is Use.COUNT and part.path),
        notes=ruling.notes,
    )


def _settled(
    part: Part, shown: Mapping[str, PartGrant], ruling: Ruling, vocabulary: Vocabulary
) -> PartGrant:
    """The grant without the fields that would tell what is not clear."""
    grant = shown[part.path]
    kept: dict[str, Manner] = {}
    for field, manner in grant.read.items():
        sources = vocabulary.derived.get((part.type, field), ())
        told = vocabulary.reveals.get((part.type, field), ())
        if manner == SILENT or (
            (not sources or _all_clear(part, sources, shown))
            and all((Use.REVEAL, name) in ruling.uses for one in told for name in one.fields)
        ):
            kept[field] = manner
    return grant if len(kept) == len(grant.read) else replace(grant, read=kept)


def _told(grant: PartGrant) -> PartGrant:
    """An element of which nothing may be read would still tell that it is there."""
    part = grant.part
    bare = part.path and part.reads and not grant.read and grant.show is Show.RECORDS
    return replace(grant, show=None) if bare else grant


def _all_clear(part: Part, sources: tuple[str, ...], shown: Mapping[str, PartGrant]) -> bool:
    """Whether every planned field that a derived one rests on is clear, and there is one."""
    planned: list[bool] = []
    for source in sources:
        inner, _, field = source.rpartition(".")
        grant = shown.get(".".join(filter(None, (part.path, inner))))
        if grant is not None and field in grant.part.reads:
            planned.append(grant.read.get(field) == CLEAR)
    return bool(planned) and all(planned)
