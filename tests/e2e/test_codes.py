"""What every agency's codes mean: each coded field of each record, held against the population.

`check-config` proves that a code is in its list; that the list says the right thing is proved here.
"""

from __future__ import annotations

import sqlite3
import tomllib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from deploy.demo.agencies.ncb import guid_of, posture_of
from deploy.demo.population import Agency, Population
from deploy.demo.stack import ROOT
from gateway.cli.demo import Demo
from gateway.model import Record
from tests.e2e.reading import Services, reading
from tests.e2e.truths import Truth
from tests.e2e.truths.forces import force_truths
from tests.e2e.truths.others import other_truths

AGENCIES = ("nmc", "scp", "bid", "eru", "ncb", "nis")
BATCH = 400  # keys a visit
HEADER = ""  # the lists of a source's header are every entity's
Lists = Mapping[tuple[str, str], Mapping[str, frozenset[str]]]
"""(entity, field) -> what its codes can mean -> the codes that mean it."""

# What this world need not write: each code's meaning once more, as its agency's handbook has it.
HANDBOOK: Mapping[tuple[str, str, str], Mapping[str, str]] = {
    ("nmc", HEADER, "marking"): {"OS": "OFFICIAL_SENSITIVE"},
    ("nmc", "Person", "ethnicity.self_defined"): {
        **{"W2": "WHITE_IRISH", "A1": "ASIAN_INDIAN", "A2": "ASIAN_PAKISTANI", "A9": "ASIAN_OTHER"},
        **{"B1": "BLACK_CARIBBEAN", "B9": "BLACK_OTHER", "O1": "CHINESE", "NS": "NOT_STATED"},
    },
    ("nmc", "Person", "names.kind"): {"M": "MAIDEN", "N": "NICK", "T": "TRANSLITERATED"},
    ("nmc", "Person", "alerts.kind"): {"BDR": "BORDER_STOP"},
    ("nmc", "Vehicle", "false_plate_suspected"): {"Y": "True"},
    ("nmc", "Vehicle", "markers.kind"): {
        **{"MH": "MENTAL_HEALTH", "FI": "FIREARMS_CERT", "AL": "ALLEGES", "ES": "ESCAPER"},
    },
    ("scp", HEADER, "marking"): {"OFFICIAL-SENSITIVE": "OFFICIAL_SENSITIVE"},
    ("scp", "Person", "alerts.kind"): {"Border Stop": "BORDER_STOP"},
    ("scp", "Person", "identifiers.kind"): {"Evisa": "EVISA"},
    ("scp", "Vehicle", "markers.discreet"): {"1": "True"},
    ("scp", "Vehicle", "markers.kind"): {"Escaper": "ESCAPER", "Weapons": "WEAPONS"},
    # links to things are held against the things below
    ("eru", "Link", "kind"): {"USE": "USES_PHONE", "KPR": "KEEPER_OF", "MEM": "MEMBER_OF"},
    ("nis", HEADER, "retention"): {"X": "DISPOSE"},  # such an image leaves the service in no answer
}


@pytest.fixture(scope="module", name="services")
async def fixture_services(demo: Demo) -> AsyncIterator[Services]:
    async with reading(demo, *AGENCIES) as services:
        yield services


@pytest.fixture(scope="module", name="truths")
def fixture_truths(population: Population) -> tuple[Truth, ...]:
    return (*force_truths(population), *other_truths(population))


def coded(source: str) -> Lists:
    """Every code list of a mapping file."""
    file = ROOT / "deploy" / "catalogue" / "sources" / f"{source}.toml"
    data = tomllib.loads(file.read_text("utf-8"))
    lists: dict[tuple[str, str], dict[str, frozenset[str]]] = defaultdict(dict)
    tables = [(HEADER, data["header"])]
    for entity, mapping in data["entity"].items():
        tables += [(entity, mapping.get(table, {})) for table in ("columns", "parts")]
    for entity, table in tables:
        for name, code, meaning in _codes(table, ()):
            known = lists[HEADER if name == "silent" else entity, name]
            known[meaning] = known.get(meaning, frozenset()) | {code}
    return lists


def _codes(spec: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Field, code and meaning; what any other code means is its own name here."""
    if isinstance(spec, list):
        for item in spec:
            yield from _codes(item, path)
    elif isinstance(spec, dict) and "values" in spec:
        named = ".".join(path)
        for code, meaning in spec["values"].items():
            yield named, code, str(meaning)
        if "other" in spec:
            yield named, str(spec["other"]), str(spec["other"])
    elif isinstance(spec, dict):
        for name, inner in spec.items():
            yield from _codes(inner, path if name == "any" else (*path, name))


def unseen(lists: Lists, occurred: Mapping[tuple[str, str], set[str]]) -> dict[Any, dict[str, str]]:
    """The codes that no record of this world has, with what they mean, by list. A code that is its
    own meaning, letter by letter, needs no record to be understood."""
    left: dict[Any, dict[str, str]] = defaultdict(dict)
    for at, known in lists.items():
        for meaning in set(known) - occurred[at]:
            left[at] |= {c: meaning for c in known[meaning] if c not in {meaning, meaning.lower()}}
    return {at: codes for at, codes in left.items() if codes}


def spread(value: Any, names: tuple[str, ...] = ()) -> Iterator[str]:
    """Every value at these names, however many elements there are on the way."""
    if isinstance(value, dict):
        yield from spread(value.get(names[0]), names[1:])
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from spread(item, names)
    elif value is not None:
        yield str(value)


async def read(services: Services, truth: Truth) -> Mapping[Any, list[Record]]:
    """The records of a truth, by what it knows them by."""
    found: dict[Any, list[Record]] = defaultdict(list)
    for start in range(0, len(truth.asked), BATCH):
        keys = truth.asked[start : start + BATCH]
        for record in await services.by(truth.source, truth.entity, truth.by, keys):
            found[truth.of(record)].append(record)
    return found


@pytest.mark.parametrize("source", AGENCIES)
async def test_every_code_is_read_as_what_it_was_written_for(
    services: Services, truths: tuple[Truth, ...], source: str
) -> None:
    lists = coded(source)
    occurred: dict[tuple[str, str], set[str]] = defaultdict(set)
    for truth in (t for t in truths if t.source == source):
        records = await read(services, truth)
        assert set(truth.told) <= set(records), truth.entity
        for key, told in truth.told.items():
            for path, value in told.items():
                at = (truth.entity, path) if (truth.entity, path) in lists else (HEADER, path)
                first, *rest = path.split(".")
                held = [r.values.get(first) for r in records[key]]
                said = Counter(spread(held, tuple(rest)))
                if at in lists:  # beside them there may be constants
                    said = Counter({m: n for m, n in said.items() if m in lists[at]})
                assert said == Counter(spread(value)), (truth.entity, key, path)
                occurred[at] |= set(said)
    for at, codes in unseen(lists, occurred).items():
        assert codes.items() <= HANDBOOK.get((source, *at), {}).items(), at


async def test_a_link_to_a_thing_tells_what_the_thing_is(
    services: Services, truths: tuple[Truth, ...], population: Population
) -> None:
    [links] = [t for t in truths if (t.source, t.entity) == ("eru", "Link")]
    kinds: dict[str, set[int]] = defaultdict(set)
    for (_, to), records in (await read(services, links)).items():
        for record in records:
            kinds[record.values["kind"]].add(to)
    phones = await services.by("eru", "Contact", "native_key", kinds["USES_PHONE"])
    assert {int(r.key) for r in phones} == kinds["USES_PHONE"]
    vehicles = await services.by("eru", "Vehicle", "native_key", kinds["KEEPER_OF"])
    assert {int(r.key) for r in vehicles} == kinds["KEEPER_OF"]


async def test_ncb_postures_are_read_as_silent_or_not(
    services: Services, truths: tuple[Truth, ...], population: Population
) -> None:
    """All four, of persons, of groups and of reports: two are overt, and two are silent."""
    held = {
        "Person": {c.key: (c.key, c.silent) for _, c in population.held_by(Agency.NCB)},
        "OrganisedGroup": {
            guid_of("group", g.ref): (g.ref, g.silent)
            for g in population.groups
            if Agency.NCB in g.refs
        },
        "IntelligenceReport": {
            guid_of("report", r.urn): (r.urn, r.silent)
            for r in population.reports
            if r.agency is Agency.NCB
        },
    }
    met: dict[str, set[bool]] = defaultdict(set)
    for entity, rows in held.items():
        for record in await services.by("ncb", entity, "native_key", rows):
            ref, silent = rows[str(record.key)]
            met[posture_of(ref, silent=silent)].add(record.values["silent"])
    assert met == {
        "OVERT_NOTIFY": {False}, "ASK_DESK": {False}, "SILENT": {True}, "SILENT_NOTIFY_US": {True}
    }  # fmt: skip


async def test_letters_of_eru_are_no_initials(
    services: Services, demo: Demo, population: Population
) -> None:
    """U is pursue, V prevent, R protect, E prepare; and 1 is the gravest."""
    file = sa.make_url(demo.stack.secrets["ERU_DB_URL"]).database
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as held:
        raw = {row[0]: row[1:] for row in held.execute("select id, p4, grade from disr")}
    read = await services.by("eru", "Disruption", "native_key", raw)
    assert {(raw[str(r.key)][0], r.values["strand"]) for r in read} == {
        ("U", "PURSUE"), ("V", "PREVENT"), ("R", "PROTECT"), ("E", "PREPARE")
    }  # fmt: skip
    assert {(raw[str(r.key)][1], r.values["grade"]) for r in read} == {
        (1, "MAJOR"), (2, "MODERATE"), (3, "MINOR")
    }  # fmt: skip
