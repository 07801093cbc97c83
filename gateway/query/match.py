"""Which records may concern one person: groups with a band and reasons, never merges.

Records are linked by an identifier that they share and that nobody else bears. In this crime type
documents, phones and addresses are shared, so an identifier that two persons of any one source bear
links nobody; it is said to be shared, and the records are held apart. Matching looks only at what
policy's `match` use permits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from gateway.model import CLEAR, AuthorisedPlan, Grant, PartGrant, Results, Show

LINKED = "LINKED_BY_IDENTIFIER"

# Kinds that name one person if they are borne by one; a source's own key for a person names nobody
# elsewhere, and a family may share a driver number's prefix but not the number.
_LINKING = frozenset({"PNCID", "CRO", "PASSPORT", "BRP", "EVISA", "DRIVER_NO", "NINO"})
_WORDS = {
    "PNCID": "PNC identifier",
    "CRO": "CRO number",
    "PASSPORT": "passport number",
    "BRP": "residence permit number",
    "EVISA": "e-visa number",
    "DRIVER_NO": "driver number",
    "NINO": "National Insurance number",
}
_WEIGHTS = {"PNCID": 12.0, "CRO": 12.0, "NINO": 11.0, "DRIVER_NO": 11.0}
_DEFAULT_WEIGHT = 9.0  # bits: a travel document of one issuer

_NEEDED = frozenset({"kind", "value"})  # of an identifier, to know it again

Identity: TypeAlias = tuple[str, str | int]  # (fetch id, native key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One record's permitted features."""

    id: Identity
    source: str
    identifiers: frozenset[tuple[str, str]]  # (kind, value) that matching may look at
    root: str = ""  # the root field that found it: one person's record may be found by several
    withheld: bool = False  # identifiers are held here that matching may not look at


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One thing that spoke for or against."""

    name: str
    weight: float | None
    used: bool
    withheld: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """How a record stands to the others of its answer."""

    band: str | None = None
    score: float | None = None
    reason: str | None = None
    features: tuple[Feature, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Records that may concern one person, and why."""

    band: str
    reason: str
    members: tuple[Identity, ...]


def explain(
    candidates: Iterable[Candidate], shared: frozenset[tuple[str, str]] = frozenset()
) -> tuple[Mapping[Identity, Explanation], tuple[Group, ...]]:
    """How each record stands to the others, and the groups. `shared` are identifiers known to be
    borne by more than one person beyond these candidates.

    Cost: one look at each identifier of each candidate.
    """
    listed = list(candidates)
    bearers: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in listed:
        for identifier in candidate.identifiers:
            if identifier[0] in _LINKING:
                bearers.setdefault(identifier, []).append(candidate)
    held_apart = shared | {i for i, found in bearers.items() if _borne_by_several(found)}
    links = {
        identifier: found
        for identifier, found in bearers.items()
        if identifier not in held_apart and len(found) > 1
    }
    groups = _groups(links)
    return {c.id: _explanation(c, links, held_apart) for c in listed}, groups


def _borne_by_several(found: list[Candidate]) -> bool:
    """Whether one source knows more than one person by it."""
    return len({c.source for c in found}) < len(found)


def _explanation(
    candidate: Candidate,
    links: Mapping[tuple[str, str], list[Candidate]],
    held_apart: Iterable[tuple[str, str]],
) -> Explanation:
    features: list[Feature] = []
    for identifier in sorted(candidate.identifiers):
        word = _WORDS.get(identifier[0])
        if word is None:
            continue
        if identifier in links:
            weight = _WEIGHTS.get(identifier[0], _DEFAULT_WEIGHT)
            features.append(Feature(name=word, weight=weight, used=True, withheld=False))
        elif identifier in held_apart:
            text = f"{word}, borne by more than one person"
            features.append(Feature(name=text, weight=0.0, used=False, withheld=False))
    if candidate.withheld:
        features.append(Feature(name="identifiers", weight=None, used=False, withheld=True))
    used = [f for f in features if f.used]
    if not used:
        return Explanation(features=tuple(features))
    bits = sum(f.weight or 0.0 for f in used)
    reason = "shares " + " and ".join(f"a {f.name}" for f in used) + " that nobody else bears"
    return Explanation(
        band=LINKED, score=round(1 - 2**-bits, 4), reason=reason, features=tuple(features)
    )


def _groups(links: Mapping[tuple[str, str], list[Candidate]]) -> tuple[Group, ...]:
    """Connected records, with every identifier that connects them as the reason."""
    leader: dict[Identity, Identity] = {}

    def lead(member: Identity) -> Identity:
        while leader.setdefault(member, member) != member:
            member = leader[member]
        return member

    for found in links.values():
        for other in found[1:]:
            leader[lead(other.id)] = lead(found[0].id)
    members: dict[Identity, list[Identity]] = {}
    reasons: dict[Identity, list[str]] = {}
    for member in leader:
        members.setdefault(lead(member), []).append(member)
    for identifier, found in sorted(links.items()):
        reasons.setdefault(lead(found[0].id), []).append(_WORDS[identifier[0]])
    return tuple(
        Group(
            band=LINKED,
            reason="share " + " and ".join(f"a {w}" for w in dict.fromkeys(reasons[head])),
            members=tuple(sorted(group, key=str)),
        )
        for head, group in sorted(members.items())
    )


def candidates_of(
    agreed: AuthorisedPlan, results: Results, fetch_ids: Iterable[str]
) -> list[Candidate]:
    """The records of these fetches that matching was asked about, with what it may look at."""
    made: list[Candidate] = []
    for fetch_id in fetch_ids:
        grant = agreed.grants.get(fetch_id) or agreed.looks.get(fetch_id)
        if grant is None or grant.own.show is not Show.RECORDS or "match" not in grant.parts:
            continue
        identifiers = grant.parts.get("identifiers")
        permitted = identifiers.match if identifiers else frozenset()
        for record in results[fetch_id].records if fetch_id in results else ():
            if record.manner != CLEAR:
                continue  # a hit tells nothing of what it shares with others
            made.append(
                Candidate(
                    id=(fetch_id, record.key),
                    source=grant.fetch.source,
                    root=grant.fetch.root,
                    identifiers=features_of(record.values.get("identifiers") or (), permitted),
                    withheld=identifiers is not None and not permitted,
                )
            )
    return made


def may_match(grant: Grant) -> bool:
    """Whether matching may look at the identifiers of the records that a visit finds."""
    return grant.own.show is Show.RECORDS and matched_on(grant.parts.get("identifiers"))


def matched_on(identifiers: PartGrant | None) -> bool:
    """Whether policy agreed that these elements tell who somebody is."""
    return identifiers is not None and _NEEDED.issubset(identifiers.match)


def linking(identifiers: Iterable[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    """Those that name one person, if they are borne by one."""
    return frozenset(i for i in identifiers if i[0] in _LINKING)


def would_link(candidates: Iterable[Candidate]) -> frozenset[tuple[str, str]]:
    """The identifiers that link records of several sources within one root field, if nobody else
    bears them."""
    bearers: dict[tuple[str, tuple[str, str]], list[Candidate]] = {}
    for candidate in candidates:
        for identifier in candidate.identifiers:
            if identifier[0] in _LINKING:
                bearers.setdefault((candidate.root, identifier), []).append(candidate)
    return frozenset(
        i for (_, i), found in bearers.items() if len(found) > 1 and not _borne_by_several(found)
    )


def features_of(
    elements: Iterable[Mapping[str, Any]], permitted: frozenset[str]
) -> frozenset[tuple[str, str]]:
    """The identifiers of a record that matching may look at."""
    if not _NEEDED.issubset(permitted):
        return frozenset()
    return frozenset(
        (str(element["kind"]), str(element["value"]))
        for element in elements
        if element.get("kind") and element.get("value")
    )
