"""ERU, Eastern Region Organised Crime Unit: a SQLite replica of its intelligence system.

Its own ways: local times without zone, keys of `attrs` that drift (`dob`, `DoB`, `born`), four
date formats, one-letter codes, conditions in one text, an alias that is as sensitive as a name.
Persons, vehicles, phones and places are all rows of `entity`; `link` ties them together.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from deploy.demo.agencies.writing import insert, local, new_file
from deploy.demo.world.happenings import Population, Report
from deploy.demo.world.truth import (
    Agency,
    Birth,
    Copy,
    Governance,
    Person,
)

DDL = """
create table intel (
  urn text primary key, created text not null, title text, txt text, sanitised text,
  src text, inf text, hnd text, hnd_cond text, prot_mark text,
  silent int not null default 0, retention text not null, review_dt text,
  warn int not null default 0);
create table intel_para (
  urn text not null references intel, n int not null, txt text not null,
  hnd text, hnd_cond text, src text, inf text, primary key (urn, n));
create table entity (
  id integer primary key, kind text not null, label text not null, attrs text not null,
  src text, inf text, hnd text, hnd_cond text, prot_mark text,
  silent int not null default 0, retention text not null, review_dt text, created text not null);
create table link (
  id integer primary key, a int not null references entity, b int not null references entity,
  rel text not null, grade text, start text, end text, silent int not null default 0);
create table intel_entity (
  urn text not null references intel, entity int not null references entity,
  primary key (urn, entity));
create table ocg (
  ref text primary key, alias text not null, oic int not null, region text, tier text,
  crimes text, a_score real, band text,
  m_phys int, m_psyc int, m_fina int, m_comm int, m_like int, m_conf int, m_capa int,
  inv_state text not null, lead text, last_rev text, ncb_ref text,
  hnd text, hnd_cond text, prot_mark text,
  silent int not null default 0, retention text not null, review_dt text);
create table ocg_member (
  ocg text not null references ocg, entity int not null references entity, role text not null,
  conf text not null, silent int not null default 0, primary key (ocg, entity));
create table disr (
  id text primary key, ocg text not null references ocg, dt text not null, p4 text not null,
  grade int not null, lead text, claim text not null, summary text, rationale text,
  event_key text not null, silent int not null default 0, retention text not null);
create index entity_label on entity (kind, label);
create index link_a on link (a);
create index link_b on link (b);
create index intel_entity_entity on intel_entity (entity);
create index ocg_member_entity on ocg_member (entity);
create view person_v as select * from entity where kind = 'PER';
create view phone_v as
  select t.id, t.label, t.src, t.inf, t.hnd, t.hnd_cond, t.prot_mark, t.retention, t.review_dt,
    t.created, max(t.silent, exists (select 1 from link l where l.b = t.id and l.rel = 'USE')
      and not exists (
        select 1 from link l join entity p on p.id = l.a
        where l.b = t.id and l.rel = 'USE' and l.silent = 0 and p.silent = 0
          and p.retention in ('K', 'R'))) as silent
  from entity t where t.kind = 'TEL';
create view link_v as
  select l.id, l.a, l.b, l.rel, l.grade, l.start, l.end,
    max(l.silent, x.silent, y.silent) as silent
  from link l join entity x on x.id = l.a join entity y on y.id = l.b
  where x.retention in ('K', 'R') and y.retention in ('K', 'R');
create view vehicle_v as select * from entity where kind = 'VEH';
-- What a silent person's record says is as silent as the record, and stands in it.
create view person_phone_v as
  select l.a as person, t.id as phone, t.label as num, l.start, l.end,
    l.silent and not p.silent as silent
  from link l join entity t on t.id = l.b and t.kind = 'TEL' join entity p on p.id = l.a
  where l.rel = 'USE';
create view phone_person_v as
  select l.a as person, t.id as phone, l.silent
  from link l join entity t on t.id = l.b and t.kind = 'TEL' where l.rel = 'USE';
create view person_address_v as
  select l.a as person, t.id as place, t.label as addr, l.start, l.end, l.silent
  from link l join entity t on t.id = l.b and t.kind = 'LOC' where l.rel = 'ASS';
create view ocg_member_v as
  select m.ocg || '/' || m.entity as id, m.ocg, m.entity, m.role, m.conf,
    max(m.silent, e.silent, g.silent) as silent
  from ocg_member m join entity e on e.id = m.entity join ocg g on g.ref = m.ocg
  where e.retention in ('K', 'R') and g.retention in ('K', 'R');
create view intel_v as
  select i.*, (
    select p.urn from intel_para p where p.urn = i.urn and p.hnd is not 'P') as para_restricted
  from intel i;
create view intel_person_v as
  select i.urn, i.entity as person from intel_entity i
  join entity p on p.id = i.entity and p.kind = 'PER';
"""
_RETENTION = {"CURRENT": "K", "REVIEW_DUE": "R", "DISPOSE": "D", "RESTRICTED": "X"}
_MARKS = {"OFFICIAL": "O", "OFFICIAL_SENSITIVE": "OS"}
CONDITIONS = {
    "NO_ONWARD": "NO",
    "NO_ACTION_WITHOUT_ORIGINATOR": "OR",
    "SANITISED_ONLY": "SA",
    "NAMED_UNIT_ONLY": "NU",
    "EXPIRES": "EX",
    "NO_COURT_USE": "CT",
    "NOTIFY_ORIGINATOR": "NT",
}
_BANDS = {"HIGH": "A", "MEDIUM": "B", "LOW": "C"}
_STATES = {"NONE": "N", "DEVELOPING": "D", "ACTIVE": "A", "CLOSED": "C"}
_STRANDS = {"PURSUE": "U", "PREVENT": "V", "PROTECT": "R", "PREPARE": "E"}
_GRADES = {"MAJOR": 1, "MODERATE": 2, "MINOR": 3}
_ROLES = {
    "PRINCIPAL": "PR",
    "FACILITATOR": "FA",
    "LOGISTICS": "LO",
    "FINANCE": "FI",
    "PILOT": "PI",
    "RECRUITER": "RE",
}
_SEXES = {"MALE": "m", "FEMALE": "f", "OTHER": "o"}
_FIRMS = ("HALLOWBY", "MARLTHORPE", "ASHDYKE", "WRACKHAVEN", "PELLHYTHE", "CRESK BRIDGE")
_TRADES = ("TYRES", "MARINE", "HAULAGE", "CARWASH", "LETTINGS")
_BORN_KEYS = ("dob", "DoB", "born")
_FIRST_THING = 100_000  # ids of phones, vehicles and places; those of persons are below


def write_eru(path: Path, population: Population) -> None:
    """Write ERU's share as a new SQLite file at `path`."""
    connection = new_file(path, DDL)
    things = _Things()
    insert(connection, "entity", _persons(population))
    links = list(_links(population, things))
    reports = [r for r in population.reports if r.agency is Agency.ERU]
    named = list(_intel_entities(population, reports, things))
    links += _fronts(population, things)
    insert(connection, "entity", things.rows(population))
    insert(connection, "link", ((n, *row) for n, row in enumerate(links, start=1)))
    insert(connection, "intel", (_intel(report) for report in reports))
    insert(connection, "intel_para", _paragraphs(reports))
    insert(connection, "intel_entity", dict.fromkeys(named))
    insert(connection, "ocg", _groups(population))
    insert(connection, "ocg_member", _members(population))
    insert(connection, "disr", _disruptions(population))
    connection.commit()
    connection.close()


class _Things:
    """Phones, vehicles, places and firms, each an entity once however often it is named."""

    def __init__(self) -> None:
        self._ids: dict[tuple[str, str], int] = {}

    def id_of(self, kind: str, label: str) -> int:
        return self._ids.setdefault((kind, label), _FIRST_THING + len(self._ids))

    def rows(self, population: Population) -> Iterator[tuple[Any, ...]]:
        since = local(population.now).strftime("%Y-%m-%dT%H:%M")
        made = {v.vrm: v for v in population.vehicles}
        for (kind, label), number in self._ids.items():
            attrs: dict[str, str] = {}
            if kind == "VEH":
                attrs = {"make": made[label].make.title(), "Colour": made[label].colour.lower()}
            elif kind == "ORG":
                attrs = {"trade": label.split()[-2].lower(), "status": "trading"}
            header = ("1", "A", "P", None, "OS", 0, "K", None, since)
            yield (number, kind, label, json.dumps(attrs), *header)


def _persons(population: Population) -> Iterator[tuple[Any, ...]]:
    for person, copy in population.held_by(Agency.ERU):
        attrs = json.dumps(_attrs(person, copy), ensure_ascii=False)
        label = f"{copy.name.given} {copy.name.family}".strip()
        yield (int(copy.key), "PER", label, attrs, *_header(copy.governance, copy.silent))


def _header(held: Governance, silent: bool) -> tuple[Any, ...]:
    return (
        str(held.source_grade),
        held.info_grade,
        held.handling,
        conditions_text(held.conditions),
        _MARKS[held.marking],
        int(silent),
        _RETENTION[held.retention],
        held.review_on.isoformat() if held.review_on else None,
        local(held.recorded_at).strftime("%Y-%m-%dT%H:%M"),
    )


def conditions_text(conditions: tuple[str, ...]) -> str | None:
    """Conditions as ERU writes them, like `NO,OR,EX:2026-01-31`; None where there are none."""
    written = []
    for condition in conditions:
        name, _, rest = condition.partition(":")
        written.append(f"{CONDITIONS[name]}:{rest}" if rest else CONDITIONS[name])
    return ",".join(written) or None


def _attrs(person: Person, copy: Copy) -> dict[str, Any]:
    """What is known of a person, under keys that depend on who typed them in."""
    typist = random.Random(copy.key)  # noqa: S311 - reproducible, not secret
    attrs: dict[str, Any] = {}
    nick = copy.name.kind == "NICK" and not copy.name.family
    if not nick:
        attrs |= {"forename": copy.name.given, "surname": copy.name.family}
    if born := _born(copy.birth, typist, as_nick=nick):
        attrs["born" if nick else typist.choice(_BORN_KEYS)] = born
    if copy.sex in _SEXES:
        attrs["sex" if typist.random() < 0.8 else "Sex"] = _SEXES[copy.sex]
    if not nick and typist.random() < 0.6:
        attrs["nat"] = person.nationality
    if copy.documents:
        attrs["docs"] = [d.number for d in copy.documents]
    if person.pncid and typist.random() < 0.4 and not nick:
        attrs["pnc"] = person.pncid
    if copy.phones:
        attrs["tel"] = list(copy.phones)
    return attrs


def _born(birth: Birth, typist: random.Random, *, as_nick: bool) -> str | None:
    if not (birth.year and birth.month and birth.day):
        return str(birth.year) if birth.year else None
    on = date(birth.year, birth.month, birth.day)
    formats = ("%d-%b-%y", "%d/%m/%Y", "%Y-%m-%d", "%Y%m%d")
    return on.strftime(formats[0] if as_nick else typist.choice(formats))


def _links(population: Population, things: _Things) -> Iterator[tuple[Any, ...]]:
    held = {p.truth_id: copy for p, copy in population.held_by(Agency.ERU)}
    for person, copy in population.held_by(Agency.ERU):
        since = copy.governance.recorded_at.date().isoformat()
        for phone in copy.phones:
            other = things.id_of("TEL", phone)
            yield (int(copy.key), other, "USE", "2/B/P", since, None, int(copy.silent))
        if copy.silent or copy.governance.source_grade != 1:
            continue
        home = person.occupancies[0].address
        label = f"{home.line}, {home.town} {home.postcode}"
        yield (int(copy.key), things.id_of("LOC", label), "ASS", "1/A/P", since, None, 0)
    for vehicle in population.vehicles:
        if keeper := held.get(vehicle.keeper):
            other = things.id_of("VEH", vehicle.vrm)
            yield (int(keeper.key), other, "KPR", "1/A/P", None, None, int(keeper.silent))
    for first, second, relation in _between(population, held):
        silent = int(held[first].silent or held[second].silent)
        yield (int(held[first].key), int(held[second].key), relation, "2/C/P", None, None, silent)


def _fronts(population: Population, things: _Things) -> Iterator[tuple[Any, ...]]:
    """The firms behind which some groups trade: entities like persons, that are nobody's record."""
    for number, group in enumerate(population.groups):
        owner = next((m.person for m in group.members if _at_eru(population, m.person)), None)
        if Agency.ERU in group.refs and owner and number % 3 == 0:
            label = f"{_FIRMS[number % len(_FIRMS)]} {_TRADES[number % len(_TRADES)]} LTD"
            key = int(population.key(owner, Agency.ERU))
            silent = int(group.silent or population.people[owner].copies[Agency.ERU].silent)
            since = group.last_review.isoformat()
            yield (key, things.id_of("ORG", label), "ASS", "2/C/P", since, None, silent)


def _at_eru(population: Population, truth: str) -> bool:
    return Agency.ERU in population.people[truth].copies


def _between(population: Population, held: dict[str, Copy]) -> Iterator[tuple[str, str, str]]:
    for landing in population.landings:
        known = [truth for truth in landing.people if truth in held]
        yield from ((a, b, "TRV") for a, b in pairwise(known))
    for group in population.groups:
        known = [m.person for m in group.members if m.person in held]
        if Agency.ERU in group.refs:
            yield from ((a, b, "ASS") for a, b in pairwise(known))
    for pair in population.pairs:
        if pair.kind != "NAMESAKES" and pair.first in held and pair.second in held:
            yield (pair.first, pair.second, "FAM")


def _intel(report: Report) -> tuple[Any, ...]:
    src, inf, hnd, cond, mark, silent, keep, review, _ = _header(report.governance, report.silent)
    created = local(report.at).strftime("%Y-%m-%dT%H:%M")
    texts = (report.title, report.text, report.sanitised)
    grades = (src, inf, hnd, cond, mark)
    warn = int(report.bears_on_safety)
    return (report.urn, created, *texts, *grades, silent, keep, review, warn)


def _paragraphs(reports: list[Report]) -> Iterator[tuple[Any, ...]]:
    for report in reports:
        for n, paragraph in enumerate(report.paragraphs, start=1):
            cond = conditions_text(paragraph.conditions)
            grades = (str(paragraph.source_grade), paragraph.info_grade)
            yield (report.urn, n, paragraph.text, paragraph.handling, cond, *grades)


def _intel_entities(
    population: Population, reports: list[Report], things: _Things
) -> Iterator[tuple[str, int]]:
    for report in reports:
        for truth in report.subjects:
            yield report.urn, int(population.key(truth, Agency.ERU))
        for phone in report.phones:
            yield report.urn, things.id_of("TEL", phone)
        for vrm in report.vrms:
            yield report.urn, things.id_of("VEH", vrm)


def _groups(population: Population) -> Iterator[tuple[Any, ...]]:
    for group in population.groups:
        if Agency.ERU in group.refs:
            yield (
                group.refs[Agency.ERU],
                group.name,
                int(group.oic),
                group.region,
                group.tier,
                ",".join(group.crime_types),
                group.attribute_score,
                _BANDS[group.attribute_band],
                *group.thematic,
                _STATES[group.investigation],
                group.lead or None,
                group.last_review.isoformat(),
                group.refs.get(Agency.NCB),
                *("P", None, "OS", int(group.silent), "K", None),
            )


def _members(population: Population) -> Iterator[tuple[Any, ...]]:
    for group in population.groups:
        for member in group.members:
            copy = population.people[member.person].copies.get(Agency.ERU)
            if copy and Agency.ERU in group.refs:
                silent = int(copy.silent or group.silent)
                key = (group.refs[Agency.ERU], int(copy.key))
                yield (*key, _ROLES[member.role], member.confidence[0], silent)


def _disruptions(population: Population) -> Iterator[tuple[Any, ...]]:
    groups = {group.ref: group for group in population.groups}
    for disruption in population.disruptions:
        group = groups[disruption.group]
        if Agency.ERU in disruption.claimed_by and Agency.ERU in group.refs:
            yield (
                disruption.ref,
                group.refs[Agency.ERU],
                disruption.on.isoformat(),
                _STRANDS[disruption.strand],
                _GRADES[disruption.grade],
                disruption.lead,
                ",".join(disruption.claimed_by),
                disruption.summary,
                disruption.rationale,
                disruption.event_key,
                int(group.silent),
                "K",
            )
